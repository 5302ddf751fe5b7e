/* types.c: names and sizes of element types, and shape arithmetic that cannot overflow. */
#include "base/types.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

static const struct {
    const char *name;
    unsigned char bits;
    bool is_float;
} types[SL_DTYPE_COUNT] = {
    [SL_NONE] = {"none", 0, false}, [SL_U8] = {"u8", 8, false},     [SL_U16] = {"u16", 16, false},
    [SL_S4] = {"s4", 4, false},     [SL_S8] = {"s8", 8, false},     [SL_S16] = {"s16", 16, false},
    [SL_S32] = {"s32", 32, false},  [SL_S64] = {"s64", 64, false},  [SL_F32] = {"f32", 32, true},
    [SL_F64] = {"f64", 64, true},   [SL_BOOL] = {"bool", 8, false}, [SL_F16] = {"f16", 16, true},
    [SL_BF16] = {"bf16", 16, true}, [SL_U32] = {"u32", 32, false},  [SL_U64] = {"u64", 64, false},
};

static const size_t MOST_ELEMENTS = (size_t)1 << 46;

const char *sl_dtype_name(enum sl_dtype t)
{
    return (unsigned)t < SL_DTYPE_COUNT ? types[t].name : "none";
}

enum sl_dtype sl_dtype_from_name(const char *name)
{
    for (int t = 1; t < SL_DTYPE_COUNT; t++)
        if (strcmp(types[t].name, name) == 0)
            return (enum sl_dtype)t;
    return SL_NONE;
}

size_t sl_dtype_bits(enum sl_dtype t)
{
    return (unsigned)t < SL_DTYPE_COUNT ? types[t].bits : 0;
}

bool sl_dtype_is_float(enum sl_dtype t)
{
    return (unsigned)t < SL_DTYPE_COUNT && types[t].is_float;
}

bool sl_shape_count(const struct sl_shape *s, size_t *out)
{
    size_t n = 1;
    bool empty = false;
    *out = 0;
    if (s->rank < 0 || s->rank > SL_MAX_RANK)
        return false;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0 || (uint64_t)s->dim[i] > MOST_ELEMENTS)
            return false;
        if (s->dim[i] == 0)
            empty = true;
        else if (n > MOST_ELEMENTS / (size_t)s->dim[i]) /* also for [0, 2^46, 2^46]: strides must be safe to compute */
            return false;
        else
            n *= (size_t)s->dim[i];
    }
    *out = empty ? 0 : n;
    return true;
}

size_t sl_shape_elements(const struct sl_shape *s)
{
    size_t n = 1;
    for (int i = 0; i < s->rank; i++)
        n *= (size_t)s->dim[i];
    return n;
}

struct sl_lines sl_shape_lines(const struct sl_shape *s, int axis)
{
    struct sl_lines l = {axis, 1, (size_t)s->dim[axis], 1};
    for (int i = 0; i < axis; i++)
        l.outer *= (size_t)s->dim[i];
    for (int i = axis + 1; i < s->rank; i++)
        l.inner *= (size_t)s->dim[i];
    return l;
}

bool sl_bytes_of(enum sl_dtype t, const struct sl_shape *s, size_t *out)
{
    size_t n, bits = sl_dtype_bits(t);
    *out = 0;
    if (bits == 0 || !sl_shape_count(s, &n))
        return false;
    *out = (n * bits + 7) / 8; /* n <= 2^46 and bits <= 2^6 */
    return true;
}

bool sl_shape_equal(const struct sl_shape *a, const struct sl_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

struct sl_shape sl_shape_of(int rank, const int64_t *dims)
{
    struct sl_shape s = {.rank = SL_MIN(rank, SL_MAX_RANK)};
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = dims[i];
    return s;
}

char *sl_shape_text(const struct sl_shape *s, char *buffer, size_t size)
{
    size_t at = 0;
    if (size == 0)
        return buffer;
    buffer[0] = 0;
    for (int i = 0; i < s->rank && at < size; i++)
        at += (size_t)snprintf(buffer + at, size - at, "%s%lld", i ? ", " : "[", (long long)s->dim[i]);
    if (at < size)
        snprintf(buffer + at, size - at, s->rank ? "]" : "[]");
    return buffer;
}
