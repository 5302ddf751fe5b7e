/* onnx_window.c: kernel sizes, strides, dilations and pads of ONNX windows, in all their spellings. */
#include "onnx/onnx_window.h"

#include <string.h>

sluice_status onnx_window_ints(struct onnx_import *c, const char *name, int n, int64_t lo, int64_t otherwise, int64_t *v)
{
    int count;
    const int64_t *given = onnx_attr_ints(c, name, &count);
    if (given && count != n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%s has %d values, %d are wanted", name, count, n);
    for (int i = 0; i < n; i++) {
        v[i] = given ? given[i] : otherwise;
        if (v[i] < lo || v[i] > ONNX_MOST_SIDE)
            return sl_fail(c->e, SLUICE_E_VALUE, "%s %lld is outside %lld..%d", name, (long long)v[i], (long long)lo,
                           ONNX_MOST_SIDE);
    }
    return SLUICE_OK;
}

int64_t onnx_window_extent(const struct onnx_window *w, int i)
{
    return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

/* auto_pad, explicit pads, and the output's size; ceil_mode grows the padding after so that the last window fits. */
sluice_status onnx_window_pads(struct onnx_import *c, struct onnx_window *w, bool ceil_mode)
{
    const char *mode = onnx_attr_string(c, "auto_pad", "NOTSET");
    bool same = strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0;
    int64_t pads[6] = {0};
    if (strcmp(mode, "NOTSET") == 0 || mode[0] == 0)
        SL_TRY(onnx_window_ints(c, "pads", 2 * w->n, -ONNX_MOST_SIDE, 0, pads));
    else if (!same && strcmp(mode, "VALID") != 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "auto_pad '%s' is not NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode);
    for (int i = 0; i < w->n; i++) {
        w->before[i] = pads[i];
        w->after[i] = pads[w->n + i];
        if (same) {
            int64_t out = (w->in[i] + w->stride[i] - 1) / w->stride[i];
            int64_t total = SL_MAX(0, (out - 1) * w->stride[i] + onnx_window_extent(w, i) - w->in[i]);
            w->before[i] = mode[5] == 'U' ? total / 2 : total - total / 2;
            w->after[i] = total - w->before[i];
        }
        if (w->before[i] < 0 || w->after[i] < 0)
            return sl_unsupported(c->b, "negative pads (%lld, %lld)", (long long)w->before[i], (long long)w->after[i]);
        int64_t room = w->in[i] + w->before[i] + w->after[i] - onnx_window_extent(w, i);
        if (room < 0)
            return sl_fail(c->e, SLUICE_E_SHAPE, "a window of %lld does not fit an axis of %lld with pads %lld and %lld",
                           (long long)onnx_window_extent(w, i), (long long)w->in[i], (long long)w->before[i],
                           (long long)w->after[i]);
        w->out[i] = room / w->stride[i] + 1;
        if (ceil_mode && room % w->stride[i]) {
            bool starts_inside =
                w->out[i] * w->stride[i] < w->in[i] + w->before[i]; /* a window in the padding alone is dropped */
            w->out[i] += starts_inside;
            w->after[i] += starts_inside ? w->stride[i] - room % w->stride[i] : 0;
        }
    }
    return SLUICE_OK;
}

/* One spatial axis becomes the second of two. */
void onnx_window_widen(struct onnx_window *w)
{
    if (w->n != 1)
        return;
    int64_t *fields[] = {w->in, w->kernel, w->stride, w->dilation, w->before, w->after, w->out};
    static const int64_t neutral[] = {1, 1, 1, 1, 0, 0, 1};
    for (size_t k = 0; k < SL_COUNT(fields); k++) {
        fields[k][1] = fields[k][0];
        fields[k][0] = neutral[k];
    }
}

void onnx_window_set(struct onnx_import *c, struct sl_node *n, const struct onnx_window *w)
{
    sl_set_ints(c->g, n, "strides", 4, (int64_t[]){1, w->stride[0], w->stride[1], 1});
    sl_set_ints(c->g, n, "dilations", 4, (int64_t[]){1, w->dilation[0], w->dilation[1], 1});
    sl_set_ints(c->g, n, "pads", 4, (int64_t[]){w->before[0], w->before[1], w->after[0], w->after[1]});
}

sluice_status onnx_window_axes(struct onnx_import *c, const struct sl_node *x, struct onnx_window *w)
{
    w->n = x->shape.rank - 2;
    if (w->n < 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, at least 3 are wanted", x->shape.rank);
    if (w->n > 3)
        return sl_unsupported(c->b, "%d spatial dimensions, 1 to 3 are supported", w->n);
    for (int i = 0; i < w->n; i++)
        w->in[i] = x->shape.dim[2 + i];
    return SLUICE_OK;
}

sluice_status onnx_with_height(struct onnx_import *c, struct sl_node *x, struct sl_node **out)
{
    if (x->shape.rank == 4) {
        *out = x;
        return SLUICE_OK;
    }
    const int64_t dims[4] = {x->shape.dim[0], x->shape.dim[1], 1, x->shape.dim[2]};
    return onnx_reshape(c, x, 4, dims, out);
}

sluice_status onnx_without_height(struct onnx_import *c, struct sl_node *x, int rank, struct sl_node **out)
{
    if (rank == 4) {
        *out = x;
        return SLUICE_OK;
    }
    const int64_t dims[3] = {x->shape.dim[0], x->shape.dim[1], x->shape.dim[3]};
    return onnx_reshape(c, x, 3, dims, out);
}
