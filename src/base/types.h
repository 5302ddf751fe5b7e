/* types.h: element types and shapes, shared by every stage. */
#ifndef SL_BASE_TYPES_H
#define SL_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Storage types. The names (sl_dtype_name) are the ones used in HAR, IR text and HEF dumps. Numbers are part of the HEF payload
 * format: never renumber. */
enum sl_dtype {
    SL_NONE = 0,
    SL_U8 = 1,
    SL_U16 = 2,
    SL_S4 = 3, /* two in a byte, low nibble first, rows not padded */
    SL_S8 = 4,
    SL_S16 = 5,
    SL_S32 = 6,
    SL_S64 = 7,
    SL_F32 = 8,
    SL_F64 = 9,
    SL_BOOL = 10, /* one byte, 0 or 1 */
    SL_F16 = 11,
    SL_BF16 = 12,
    SL_U32 = 13,
    SL_U64 = 14,
    SL_DTYPE_COUNT
};

enum { SL_MAX_RANK = 8 };

struct sl_shape {
    int rank; /* 0 = scalar */
    int64_t dim[SL_MAX_RANK];
};

const char *sl_dtype_name(enum sl_dtype t);              /* "u8", "f32", ... */
enum sl_dtype sl_dtype_from_name(const char *name);      /* SL_NONE when unknown */
size_t sl_dtype_bits(enum sl_dtype t);                   /* 4 for SL_S4, 0 for SL_NONE */
bool sl_dtype_is_float(enum sl_dtype t);

/* Number of elements; false when a dimension is negative or the product passes 2^46. */
bool sl_shape_count(const struct sl_shape *s, size_t *out);
size_t sl_shape_elements(const struct sl_shape *s);      /* of a shape already checked */
/* The same shape seen from one axis: outer x length x inner elements, where the elements of a line along the axis are `inner` apart. */
struct sl_lines {
    int axis;
    size_t outer, length, inner;
};
struct sl_lines sl_shape_lines(const struct sl_shape *s, int axis);
bool sl_bytes_of(enum sl_dtype t, const struct sl_shape *s, size_t *out);
bool sl_shape_equal(const struct sl_shape *a, const struct sl_shape *b);
struct sl_shape sl_shape_of(int rank, const int64_t *dims);
/* "[1, 224, 224, 3]" into a caller's buffer; returns it. */
char *sl_shape_text(const struct sl_shape *s, char *buffer, size_t size);

#endif
