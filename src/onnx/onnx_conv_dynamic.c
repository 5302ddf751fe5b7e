/*
 * onnx_conv_dynamic.c: convolution with weights that the network computes (trackers correlate a picture with a part of another): the
 * pixels under each tap of the kernel, side by side, times the weights.
 */
#include <string.h>

#include "onnx/onnx_window.h"

enum { MOST_TAPS = 1024 };

/* What tap `tap` sees: [n, groups, c / groups, 1, positions] of a padded picture. */
static sluice_status tap_pixels(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w, int64_t groups, int64_t tap,
                                struct sl_node **out)
{
    int64_t from[SL_MAX_RANK] = {0}, to[SL_MAX_RANK], by[SL_MAX_RANK], positions = 1;
    for (int i = 0; i < x->shape.rank; i++) {
        to[i] = x->shape.dim[i];
        by[i] = 1;
    }
    for (int i = w->n - 1; i >= 0; i--) {
        from[2 + i] = tap % w->kernel[i] * w->dilation[i];
        to[2 + i] = from[2 + i] + (w->out[i] - 1) * w->stride[i] + 1;
        by[2 + i] = w->stride[i];
        tap /= w->kernel[i];
        positions *= w->out[i];
    }
    const int64_t dims[5] = {x->shape.dim[0], groups, x->shape.dim[1] / groups, 1, positions};
    SL_TRY(sl_build_slice(c->b, x, from, to, by, out));
    return onnx_reshape(c, *out, 5, dims, out);
}

/* weights [o, c / groups, kernel ...]; bias [o] or NULL. */
sluice_status onnx_conv_dynamic(struct onnx_import *c, struct sl_node *x, struct sl_node *weights, struct sl_node *bias,
                                const struct onnx_window *w, int64_t groups, struct sl_node **out)
{
    const int64_t batch = x->shape.dim[0], per_group = x->shape.dim[1] / groups, channels = weights->shape.dim[0];
    int64_t taps = 1, positions = 1, full[SL_MAX_RANK] = {batch, channels};
    for (int i = 0; i < w->n; i++) {
        taps *= w->kernel[i];
        positions *= w->out[i];
        full[2 + i] = w->out[i];
        if (taps > MOST_TAPS)
            return sl_unsupported(c->b, "weights that are computed at run time, of more than %d taps", MOST_TAPS);
    }
    struct sl_node **parts = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)taps), *columns;
    SL_TRY(onnx_pad_axes(c, x, w->before, w->after, w->n, 0, &x));
    for (int64_t t = 0; t < taps; t++)
        SL_TRY(tap_pixels(c, x, w, groups, t, &parts[t]));
    SL_TRY(sl_build_concat(c->b, 3, (int)taps, parts, &columns));
    SL_TRY(onnx_reshape(c, columns, 4, (int64_t[]){batch, groups, per_group * taps, positions}, &columns));
    SL_TRY(onnx_reshape(c, weights, 4, (int64_t[]){1, groups, channels / groups, per_group * taps}, &weights));
    SL_TRY(onnx_matmul(c, weights, columns, out));
    SL_TRY(onnx_reshape(c, *out, w->n + 2, full, out));
    if (!bias)
        return SLUICE_OK;
    int64_t dims[SL_MAX_RANK] = {channels, 1, 1, 1};
    if (bias->shape.rank != 1 || bias->shape.dim[0] != channels)
        return sl_fail(c->e, SLUICE_E_SHAPE, "bias does not have one value for each of %lld channels", (long long)channels);
    SL_TRY(onnx_reshape(c, bias, w->n + 1, dims, &bias));
    return sl_build_binary(c->b, SL_OP_ew_add, *out, bias, out);
}
