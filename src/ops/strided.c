/* strided.c: walking tensors whose axes have any strides; see strided.h. */
#include "ops/strided.h"

#include <assert.h>
#include <string.h>

void sl_dense_strides(const struct sl_shape *s, int64_t *stride)
{
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= s->dim[i];
    }
}

static bool joins(const struct sl_strided *v, int outer, int inner)
{
    for (int k = 0; k < v->operands; k++)
        if (v->stride[k][outer] != v->stride[k][inner] * v->dim[inner])
            return false;
    return true;
}

void sl_strided_simplify(struct sl_strided *v)
{
    int kept = 0;
    for (int i = 0; i < v->rank; i++) {
        if (v->dim[i] == 1)
            continue;
        v->dim[kept] = v->dim[i];
        for (int k = 0; k < v->operands; k++)
            v->stride[k][kept] = v->stride[k][i];
        if (kept > 0 && joins(v, kept - 1, kept)) {
            v->dim[kept - 1] *= v->dim[kept];
            for (int k = 0; k < v->operands; k++)
                v->stride[k][kept - 1] = v->stride[k][kept];
        } else {
            kept++;
        }
    }
    if (kept == 0) {
        v->dim[0] = 1;
        for (int k = 0; k < v->operands; k++)
            v->stride[k][0] = 0;
        kept = 1;
    }
    v->rank = kept;
}

void sl_strided_lines(const struct sl_strided *v, void (*run)(void *data, const int64_t *offsets), void *data)
{
    int64_t at[SL_STRIDED_RANK] = {0}, offset[3] = {0};
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] <= 0)
            return;
    for (;;) {
        run(data, offset);
        int axis = v->rank - 2;
        for (; axis >= 0; axis--) {
            for (int k = 0; k < v->operands; k++)
                offset[k] += v->stride[k][axis];
            if (++at[axis] < v->dim[axis])
                break;
            for (int k = 0; k < v->operands; k++)
                offset[k] -= v->stride[k][axis] * v->dim[axis];
            at[axis] = 0;
        }
        if (axis < 0)
            return;
    }
}

void sl_broadcast_view(const struct sl_shape *const *shapes, int n, const struct sl_shape *out, struct sl_strided *v)
{
    int64_t dense[SL_MAX_RANK];
    *v = (struct sl_strided){.rank = out->rank, .operands = n};
    for (int i = 0; i < out->rank; i++)
        v->dim[i] = out->dim[i];
    for (int k = 0; k < n; k++) {
        const struct sl_shape *s = shapes[k];
        sl_dense_strides(s, dense);
        for (int i = 0; i < out->rank; i++) {
            int at = i - (out->rank - s->rank);
            v->stride[k][i] = at < 0 || (s->dim[at] == 1 && out->dim[i] != 1) ? 0 : dense[at];
        }
    }
    sl_strided_simplify(v);
}

struct copy {
    char *dst;
    const char *src;
    size_t element_bytes;
    int64_t n, step;
};

static void copy_line(void *data, const int64_t *offsets)
{
    struct copy *c = data;
    size_t bytes = c->element_bytes;
    const char *src = c->src + offsets[0] * (int64_t)bytes;
    if (c->step == 1) {
        memcpy(c->dst, src, (size_t)c->n * bytes);
    } else if (bytes == 4) {
        uint32_t *d = (uint32_t *)c->dst;
        const uint32_t *s = (const uint32_t *)src;
        for (int64_t i = 0; i < c->n; i++)
            d[i] = s[i * c->step];
    } else {
        uint64_t *d = (uint64_t *)c->dst;
        const uint64_t *s = (const uint64_t *)src;
        for (int64_t i = 0; i < c->n; i++)
            d[i] = s[i * c->step];
    }
    c->dst += (size_t)c->n * bytes;
}

void sl_strided_copy(struct sl_strided *v, void *dst, const void *src, size_t element_bytes)
{
    assert(element_bytes == 4 || element_bytes == 8);
    v->operands = 1;
    sl_strided_simplify(v);
    struct copy c = {dst, src, element_bytes, v->dim[v->rank - 1], v->stride[0][v->rank - 1]};
    sl_strided_lines(v, copy_line, &c);
}
