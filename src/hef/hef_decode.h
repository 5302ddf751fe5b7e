/*
 * hef_decode.h: walking the ProtoHEFHef message by its public schema, field numbers as in hef.proto of HailoRT 5.2.0. Unknown
 * fields are skipped, as proto3 does. Nesting is followed by functions, one a message, so its depth is theirs. Repeated
 * messages are counted first, so that arrays are allocated once.
 */
#ifndef SL_HEF_HEF_DECODE_H
#define SL_HEF_HEF_DECODE_H

#include <stddef.h>

#include "base/compiler.h"
#include "hef/hef.h"

/* Elements of all arrays together: a sub-message can be two bytes long and its structure hundreds, so the file's size alone
 * bounds nothing. Far above what the format's own limits (1024 contexts, 40 streams a network group) can need. */
enum { SL_DECODE_MOST_ELEMENTS = 1 << 17 };

struct sl_decoder {
    sl_arena *a;
    sl_err *e;
    struct sl_hef *h;
    uint32_t elements;
};

/* A field that goes into a member of a structure as it is: the member's type says how. */
enum sl_member_type { SL_MEMBER_U32, SL_MEMBER_U64, SL_MEMBER_BOOL, SL_MEMBER_F32, SL_MEMBER_F64, SL_MEMBER_TEXT };
struct sl_member {
    uint32_t number;
    enum sl_member_type type;
    size_t at; /* in the structure */
};
#define SL_MEMBER_TYPE(value)                                                                                                  \
    _Generic((value), uint32_t: SL_MEMBER_U32, uint64_t: SL_MEMBER_U64, bool: SL_MEMBER_BOOL, float: SL_MEMBER_F32,            \
             double: SL_MEMBER_F64, const char *: SL_MEMBER_TEXT)
#define SL_MEMBER(number, structure, member)                                                                                   \
    {number, SL_MEMBER_TYPE(((structure *)0)->member), offsetof(structure, member)}
/* Sets the member of *out that the field belongs to, if any. */
void sl_decode_member(struct sl_decoder *d, const struct sl_field *f, const struct sl_member *members, size_t n, void *out);
/* The same for each field of a message that holds nothing else. */
sluice_status sl_decode_members(struct sl_decoder *d, struct sl_view message, const struct sl_member *members, size_t n,
                                const char *what, void *out);

/* Reads one sub-message into a zeroed element. */
typedef sluice_status sl_decode_fn(struct sl_decoder *d, struct sl_view message, void *out);

/* The status of a walk that has ended: SLUICE_E_FORMAT when the bytes of `what` were bad. */
sluice_status sl_decode_finish(struct sl_decoder *d, const struct sl_reader *r, const char *what);
uint32_t sl_decode_count(struct sl_view message, uint32_t number);
/* A string field as a zero-terminated copy. */
const char *sl_decode_text(struct sl_decoder *d, const struct sl_field *f);
/* n zeroed elements; `array` is the address of the pointer. */
sluice_status sl_decode_array(struct sl_decoder *d, uint32_t n, size_t size, void *array);
/* All sub-messages of one number into an array of `size`-byte elements. */
sluice_status sl_decode_repeated(struct sl_decoder *d, struct sl_view message, uint32_t number, size_t size, sl_decode_fn *read,
                                 void *array, uint32_t *n);
sluice_status sl_decode_texts(struct sl_decoder *d, struct sl_view message, uint32_t number, const char ***out, uint32_t *n);
/* A repeated double, packed or not. */
sluice_status sl_decode_doubles(struct sl_decoder *d, struct sl_view message, uint32_t number, const double **out, uint32_t *n);

/* ProtoHEFEdgeLayer into a struct sl_hef_layer, ProtoHEFOp without core op into a struct sl_hef_op. */
sluice_status sl_decode_layer(struct sl_decoder *d, struct sl_view message, void *out);
sluice_status sl_decode_op(struct sl_decoder *d, struct sl_view message, void *out);

#endif
