/*
 * payload.h: programs as bytes. A payload holds the programs of a HEF's network groups and the one pool of constants they
 * share; it is what travels in the HEF's configuration words. Byte by byte: docs/formats.md.
 */
#ifndef SL_HEF_PAYLOAD_H
#define SL_HEF_PAYLOAD_H

#include "hef/program.h"

enum { SL_PAYLOAD_VERSION = 1, SL_POOL_ALIGN = 64, SL_POOL_ALIGN_SPLAT = 8 };

struct sl_byte_range {
    uint64_t offset, bytes;
}; /* from the payload's start */

/* Where a program's parts went, so that the container can point at them. */
struct sl_payload_part {
    struct sl_byte_range program;
    uint32_t n_contexts;
    struct sl_context_ranges {
        size_t n;
        struct sl_byte_range *ranges;
    } * contexts; /* pool bytes each context uses */
};

/* Append the payload of n programs to out. parts, when not NULL, receives n entries allocated in the arena. Same programs, same
 * bytes. */
sluice_status sl_payload_write(sl_arena *a, const struct sl_program *const *programs, size_t n, struct sl_buffer *out,
                               struct sl_payload_part **parts, sl_err *e);

/* SL_PAYLOAD_ANY_HASH takes hashes as they are: for fuzzers and tools that look at damaged files. */
enum { SL_PAYLOAD_ANY_HASH = 1 };

bool sl_payload_is(struct sl_view bytes); /* begins with the payload's magic */
/* Programs of a payload, in the arena; constants, names and origin names are views into `bytes`, which must outlive them (bytes
 * not aligned to 8 are copied once). Format, hashes and references are checked; meaning is the verifier's work (device/). */
sluice_status sl_payload_read(sl_arena *a, struct sl_view bytes, unsigned flags, struct sl_program **out, size_t *n, sl_err *e);

/* The text of a program, for `sluice dump` and tests: one line a tensor, constant, instruction, port. */
void sl_program_print(struct sl_buffer *out, const struct sl_program *p);

#endif
