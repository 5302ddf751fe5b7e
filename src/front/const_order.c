/* const_order.c: constants under another shape or order of axes. */
#include "front/const_order.h"

#include <string.h>

#include "base/file.h"

enum { LARGE = 1 << 18, BLOCK = 16, PIECE = 1 << 15 };

const struct sl_const *sl_const_reshape(sl_arena *a, const struct sl_const *k, const struct sl_shape *s)
{
    struct sl_const *r = SL_NEW(a, struct sl_const);
    *r = *k;
    r->shape = *s;
    return r;
}

/* The axes of an output but its last one, in the order of the input, with the strides of both in elements. */
struct walk {
    int n;
    int64_t dim[SL_MAX_RANK], from[SL_MAX_RANK], to[SL_MAX_RANK];
};

static struct walk walk_of(const struct sl_shape *s, const int64_t *stride)
{
    struct walk w = {0};
    int64_t run = s->rank ? s->dim[s->rank - 1] : 1;
    for (int i = s->rank - 2; i >= 0; i--) {
        int at = w.n++;
        for (; at > 0 && w.from[at - 1] < stride[i]; at--) {
            w.dim[at] = w.dim[at - 1];
            w.from[at] = w.from[at - 1];
            w.to[at] = w.to[at - 1];
        }
        w.dim[at] = s->dim[i];
        w.from[at] = stride[i];
        w.to[at] = run;
        run *= s->dim[i];
    }
    return w;
}

SL_ALWAYS_INLINE void copy_strided(uint8_t *out, const uint8_t *in, int64_t n, int64_t step, size_t size)
{
    for (int64_t j = 0; j < n; j++)
        memcpy(out + (size_t)j * size, in + (size_t)(j * step) * size, size);
}

/* BLOCK neighbours of the output's last axis at a time, all else in the input's order: so as many streams are read, and whole
 * lines written. */
SL_ALWAYS_INLINE void permute_block(const uint8_t *in, uint8_t *out, const struct walk *w, int64_t block, int64_t step,
                                    size_t size)
{
    int64_t index[SL_MAX_RANK] = {0}, from = 0, to = 0;
    for (;;) {
        if (block == BLOCK)
            copy_strided(out + (size_t)to * size, in + (size_t)from * size, BLOCK, step, size);
        else
            copy_strided(out + (size_t)to * size, in + (size_t)from * size, block, step, size);
        int k = w->n - 1;
        for (; k >= 0; k--) {
            from += w->from[k];
            to += w->to[k];
            if (++index[k] < w->dim[k])
                break;
            from -= w->from[k] * w->dim[k];
            to -= w->to[k] * w->dim[k];
            index[k] = 0;
        }
        if (k < 0)
            return;
    }
}

/* out[i0, i1, ...] with out axis j = in axis perm[j], whose stride in the input is stride[j]. Pieces of the outermost axis stay
 * in the cache until all blocks of the last one have passed. */
static void permute_bytes(const uint8_t *in, uint8_t *out, const struct sl_shape *s, const int64_t *stride, size_t size)
{
    struct walk w = walk_of(s, stride);
    const int64_t last = s->dim[s->rank - 1], step = stride[s->rank - 1], rows = w.n ? w.dim[0] : 1;
    const int64_t piece = SL_MAX(1, PIECE / SL_MAX(1, (int64_t)sl_shape_elements(s) / rows));
    for (int64_t first = 0; first < rows; first += piece) {
        w.dim[0] = SL_MIN(piece, rows - first);
        for (int64_t j = 0; j < last; j += BLOCK) {
            const int64_t n = SL_MIN(BLOCK, last - j);
            const uint8_t *x = in + (size_t)(j * step + first * w.from[0]) * size;
            uint8_t *y = out + (size_t)(j + first * w.to[0]) * size;
            if (size == 4)
                permute_block(x, y, &w, n, step, 4);
            else if (size == 1)
                permute_block(x, y, &w, n, step, 1);
            else
                permute_block(x, y, &w, n, step, size);
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
