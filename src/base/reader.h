/* reader.h: the only way bytes from outside are read. A read past the end gives 0 and sets `bad`; parsers go straight through
 * a record and test `bad` once. Little-endian unless the name says otherwise. */
#ifndef SL_BASE_READER_H
#define SL_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sl_reader {
    const uint8_t *start, *p, *end;
    bool bad;
};

struct sl_view { const uint8_t *data; size_t size; };

struct sl_reader sl_reader_of(const void *data, size_t size);
static inline size_t sl_left(const struct sl_reader *r) { return (size_t)(r->end - r->p); }
static inline size_t sl_offset(const struct sl_reader *r) { return (size_t)(r->p - r->start); }
uint8_t sl_read_u8(struct sl_reader *r);
uint16_t sl_read_u16(struct sl_reader *r);
uint32_t sl_read_u32(struct sl_reader *r);
uint64_t sl_read_u64(struct sl_reader *r);
uint32_t sl_read_u32be(struct sl_reader *r);
uint64_t sl_read_u64be(struct sl_reader *r);
float sl_read_f32(struct sl_reader *r);
double sl_read_f64(struct sl_reader *r);
struct sl_view sl_read_bytes(struct sl_reader *r, size_t n); /* {NULL,0} and bad when n is past the end */
void sl_skip(struct sl_reader *r, size_t n);

/* Protobuf wire format (https://protobuf.dev/programming-guides/encoding): no allocation, no recursion of its own. A caller that
 * descends into sub-messages passes a depth and stops at SL_WIRE_MAX_DEPTH. */
enum { SL_WIRE_VARINT = 0, SL_WIRE_I64 = 1, SL_WIRE_LEN = 2, SL_WIRE_I32 = 5 };
enum { SL_WIRE_MAX_DEPTH = 64 };

struct sl_field {
    uint32_t number;
    uint32_t wire;        /* one of SL_WIRE_* */
    uint64_t value;       /* varint, i32 and i64 bits */
    struct sl_view bytes; /* of SL_WIRE_LEN */
    size_t offset;        /* of the tag, from the reader's start */
};

uint64_t sl_read_varint(struct sl_reader *r);
/* Next field of a message: false at its end or when the bytes are bad (r->bad tells). Groups (wire 3, 4) are bad. */
bool sl_next_field(struct sl_reader *r, struct sl_field *f);
float sl_field_f32(const struct sl_field *f);
double sl_field_f64(const struct sl_field *f);
/* Elements of a repeated scalar that may be packed or not: number of varints in a packed field. */
size_t sl_count_varints(struct sl_view v);

#endif
