/* const_order.c: constants under another shape or order of axes. */
#include "front/const_order.h"

#include <string.h>

#include "base/file.h"

enum { LARGE = 1 << 18 };

const struct sl_const *sl_const_reshape(sl_arena *a, const struct sl_const *k, const struct sl_shape *s)
{
    struct sl_const *r = SL_NEW(a, struct sl_const);
    *r = *k;
    r->shape = *s;
    return r;
}

/* out[i0, i1, ...] with out axis j = in axis perm[j]: an odometer over the output with input strides. */
static void permute_bytes(const uint8_t *in, uint8_t *out, const struct sl_shape *s, const int64_t *stride, size_t size)
{
    size_t index[SL_MAX_RANK] = {0}, n = sl_shape_elements(s), at = 0;
    int last = s->rank - 1;
    for (size_t i = 0; i < n; i++) {
        if (size == 4)
            memcpy(out + i * 4, in + at * 4, 4);
        else
            memcpy(out + i * size, in + at * size, size);
        int k = last;
        at += (size_t)stride[k];
        while (++index[k] == (size_t)s->dim[k] && k > 0) {
            at -= (size_t)(stride[k] * s->dim[k]);
            index[k] = 0;
            at += (size_t)stride[--k];
        }
    }
}

sluice_status sl_const_permute(sl_arena *a, const struct sl_const *k, const int64_t *perm, const struct sl_const **out,
                               sl_err *e)
{
    struct sl_shape s = {.rank = k->shape.rank};
    int64_t in_stride[SL_MAX_RANK], stride[SL_MAX_RANK];
    int64_t run = 1;
    for (int i = s.rank - 1; i >= 0; i--) {
        in_stride[i] = run;
        run *= k->shape.dim[i];
    }
    bool moves = false;
    int64_t previous = -1;
    for (int i = 0; i < s.rank; i++) {
        s.dim[i] = k->shape.dim[perm[i]];
        stride[i] = in_stride[perm[i]];
        if (s.dim[i] > 1) {
            moves = moves || perm[i] < previous;
            previous = perm[i];
        }
    }
    bool aligned = (uintptr_t)k->data % (SL_MAX(sl_dtype_bits(k->dtype), 8) / 8) == 0;
    if (k->splat || (!moves && aligned)) {
        *out = sl_const_reshape(a, k, &s);
        return SLUICE_OK;
    }
    void *data;
    *out = sl_const_new(a, k->dtype, &s, &data);
    if (!*out)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory to reorder a constant");
    size_t size = sl_dtype_bits(k->dtype) / 8;
    if (sl_shape_elements(&s))
        permute_bytes(k->data, data, &s, stride, size);
    if (sl_shape_elements(&s) * size >= LARGE)
        sl_rest_bytes(a, k->data, sl_shape_elements(&s) * size); /* else a file's weights would be in memory twice */
    return SLUICE_OK;
}
