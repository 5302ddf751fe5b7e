/*
 * onnx_conv.c: convolutions. Each stands between a transpose to channels last and one back; kernels are reordered here (OIHW ->
 * HWIO, or [kh, kw, ic, mult] where every group is one channel).
 */
#include <string.h>

#include "onnx/onnx_window.h"

/* ---- weights ---- */

/* [o, i, kw] kernels get a height of 1; sides are checked. */
static sluice_status kernel_shape(struct onnx_import *c, const struct sl_const *kernel, int rank, const struct sl_const **out)
{
    *out = kernel;
    if (kernel->shape.rank != rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights have %d dimensions, %d are wanted", kernel->shape.rank, rank);
    if (kernel->dtype != SL_F32)
        return sl_unsupported(c->b, "weights of type %s", sl_dtype_name(kernel->dtype));
    if (rank == 3) {
        const struct sl_shape *s = &kernel->shape;
        struct sl_shape wide = {4, {s->dim[0], s->dim[1], 1, s->dim[2]}};
        *out = sl_const_reshape(c->a, kernel, &wide);
    }
    for (int k = 0; k < (*out)->shape.rank; k++)
        if ((*out)->shape.dim[k] < 1 || (*out)->shape.dim[k] > (k < 2 ? INT32_MAX : ONNX_MOST_SIDE))
            return sl_fail(c->e, SLUICE_E_VALUE, "weights: dimension %d is %lld", k, (long long)(*out)->shape.dim[k]);
    return SLUICE_OK;
}

static sluice_status bias_const(struct onnx_import *c, int input, int64_t channels, const struct sl_const **out)
{
    *out = NULL;
    if (!onnx_has_in(c, input))
        return SLUICE_OK;
    SL_TRY(onnx_need_const(c, input, "bias", out));
    if ((*out)->shape.rank != 1 || (*out)->shape.dim[0] != channels)
        return sl_fail(c->e, SLUICE_E_SHAPE, "bias does not have one value for each of %lld channels", (long long)channels);
    return SLUICE_OK;
}

static sluice_status read_window(struct onnx_import *c, struct onnx_window *w, const struct sl_shape *kernel)
{
    int64_t side[3] = {0};
    for (int i = 0; i < w->n; i++)
        w->kernel[i] = kernel->dim[kernel->rank - w->n + i];
    if (onnx_attribute(c, "kernel_shape")) /* newer exporters leave it to the weights */
        SL_TRY(onnx_window_ints(c, "kernel_shape", w->n, 1, 1, side));
    for (int i = 0; i < w->n; i++)
        if (side[i] && side[i] != w->kernel[i])
            return sl_fail(c->e, SLUICE_E_SHAPE, "kernel_shape says %lld where the weights have %lld", (long long)side[i],
                           (long long)w->kernel[i]);
    SL_TRY(onnx_window_ints(c, "strides", w->n, 1, 1, w->stride));
    return onnx_window_ints(c, "dilations", w->n, 1, 1, w->dilation);
}

/* The layer itself, channels last in and out. */
static sluice_status weighted_layer(struct onnx_import *c, enum sl_op op, struct sl_node *x, const struct sl_const *kernel,
                                    const struct sl_const *bias, const struct onnx_window *w, int64_t groups,
                                    const int64_t *output_padding, struct sl_node **out)
{
    struct sl_node *n = sl_build_add(c->b, op, 1, &x);
    sl_set_param(c->g, n, "kernel", kernel);
    if (bias)
        sl_set_param(c->g, n, "bias", bias);
    onnx_window_set(c, n, w);
    sl_set_int(c->g, n, "groups", groups);
    if (output_padding)
        sl_set_ints(c->g, n, "output_padding", 2, output_padding);
    *out = n;
    return sl_build_finish(c->b, out);
}

/* One plane of weights [oc, ic / groups, kh, kw] over a channels-last picture: conv, or dw where every group is one channel. */
sluice_status onnx_conv_plane(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                              const struct sl_const *bias, const struct onnx_window *w, int64_t groups, struct sl_node **out)
{
    static const int64_t hwio[4] = {2, 3, 1, 0}, hwom[4] = {2, 3, 0, 1};
    int64_t in_c = x->shape.dim[x->shape.rank - 1], out_c = kernel->shape.dim[0];
    bool depthwise = groups == in_c && groups > 1;
    SL_TRY(sl_const_permute(c->a, kernel, depthwise ? hwom : hwio, &kernel, c->e));
    if (depthwise) { /* [kh, kw, ic * mult, 1]: output channel c * mult + j is row (c, j) */
        struct sl_shape s = {4, {kernel->shape.dim[0], kernel->shape.dim[1], in_c, out_c / in_c}};
        kernel = sl_const_reshape(c->a, kernel, &s);
    }
    return weighted_layer(c, depthwise ? SL_OP_dw : SL_OP_conv, x, kernel, bias, w, depthwise ? in_c : groups, NULL, out);
}

static sluice_status conv_groups(struct onnx_import *c, int64_t in_c, const struct sl_shape *kernel, int64_t *groups)
{
    int64_t out_c = kernel->dim[0];
    *groups = onnx_attr_int(c, "group", 1);
    if (*groups < 1 || in_c % *groups || out_c % *groups || kernel->dim[1] != in_c / *groups)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights [%lld, %lld, ...] and %lld groups do not fit an input of %lld channels",
                       (long long)out_c, (long long)kernel->dim[1], (long long)*groups, (long long)in_c);
    return SLUICE_OK;
}

sluice_status onnx_conv(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel, const struct sl_const *bias,
                        struct sl_node **out)
{
    struct onnx_window w = {0};
    int64_t groups;
    int rank = x->shape.rank;
    SL_TRY(onnx_window_axes(c, x, &w));
    SL_TRY(kernel_shape(c, kernel, rank, &kernel));
    SL_TRY(conv_groups(c, x->shape.dim[1], &kernel->shape, &groups));
    SL_TRY(read_window(c, &w, &kernel->shape));
    SL_TRY(onnx_window_pads(c, &w, false));
    if (w.n == 3)
        return onnx_conv_volume(c, x, kernel, bias, &w, groups, out);
    onnx_window_widen(&w);
    SL_TRY(onnx_with_height(c, x, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    SL_TRY(onnx_conv_plane(c, x, kernel, bias, &w, groups, out));
    SL_TRY(onnx_channels_first(c, *out, out));
    return onnx_without_height(c, *out, rank, out);
}

/* Weights that the network computes. */
static sluice_status conv_dynamic(struct onnx_import *c, struct sl_node *x)
{
    struct onnx_window w = {0};
    struct sl_node *weights, *bias, *y;
    int64_t groups;
    SL_TRY(onnx_in(c, 1, &weights));
    SL_TRY(onnx_in(c, 2, &bias));
    SL_TRY(onnx_window_axes(c, x, &w));
    if (weights->shape.rank != x->shape.rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights have %d dimensions, %d are wanted", weights->shape.rank, x->shape.rank);
    for (int i = 0; i < weights->shape.rank; i++)
        if (weights->shape.dim[i] < 1 || weights->shape.dim[i] > ONNX_MOST_SIDE)
            return sl_fail(c->e, SLUICE_E_VALUE, "weights: dimension %d is %lld", i, (long long)weights->shape.dim[i]);
    SL_TRY(conv_groups(c, x->shape.dim[1], &weights->shape, &groups));
    SL_TRY(read_window(c, &w, &weights->shape));
    SL_TRY(onnx_window_pads(c, &w, false));
    SL_TRY(onnx_conv_dynamic(c, x, weights, bias, &w, groups, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_conv(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    const struct sl_const *kernel, *bias;
    SL_TRY(onnx_in(c, 0, &x));
    if (onnx_is_run_time(c, 1) || onnx_is_run_time(c, 2))
        return conv_dynamic(c, x);
    SL_TRY(onnx_need_weights(c, 1, "weights", &kernel));
    SL_TRY(bias_const(c, 2, kernel->shape.rank ? kernel->shape.dim[0] : 0, &bias));
    SL_TRY(onnx_conv(c, x, kernel, bias, &y));
    return onnx_out(c, 0, y);
}

/* Pads of a transposed convolution from output_shape or auto_pad; without them `pads` and `output_padding` say all. Some files give
 * output_shape with batch and channels before it. */
static sluice_status deconv_pads(struct onnx_import *c, struct onnx_window *w, int64_t *more)
{
    const char *mode = onnx_attr_string(c, "auto_pad", "NOTSET");
    bool same = strncmp(mode, "SAME_", 5) == 0;
    int64_t pads[6] = {0};
    int count;
    const int64_t *shape = onnx_attr_ints(c, "output_shape", &count);
    SL_TRY(onnx_window_ints(c, "output_padding", w->n, 0, 0, more));
    if (strcmp(mode, "NOTSET") == 0 || mode[0] == 0)
        SL_TRY(onnx_window_ints(c, "pads", 2 * w->n, 0, 0, pads));
    if (shape && count != w->n && count != w->n + 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "output_shape has %d values, %d are wanted", count, w->n);
    for (int i = 0; i < w->n; i++) {
        int64_t full = (w->in[i] - 1) * w->stride[i] + onnx_window_extent(w, i) + more[i];
        int64_t wanted = shape ? shape[count - w->n + i] : w->in[i] * w->stride[i];
        if (wanted < 1 || wanted > ONNX_MOST_SIDE * (int64_t)ONNX_MOST_SIDE)
            return sl_fail(c->e, SLUICE_E_VALUE, "output_shape %lld", (long long)wanted);
        w->before[i] = pads[i];
        w->after[i] = pads[w->n + i];
        if (shape || same) {
            int64_t total = full - wanted;
            if (total < 0) { /* the rest of the output is bias alone */
                more[i] -= total;
                total = 0;
            }
            w->before[i] = strcmp(mode, "SAME_UPPER") == 0 ? total / 2 : total - total / 2;
            w->after[i] = total - w->before[i];
        }
        w->out[i] = (w->in[i] - 1) * w->stride[i] + onnx_window_extent(w, i) + more[i] - w->before[i] - w->after[i];
        if (w->out[i] < 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "pads leave no output (%lld)", (long long)w->out[i]);
    }
    return SLUICE_OK;
}

/* Weights [ic, oc / groups, kh, kw] over a channels-last picture. */
sluice_status onnx_deconv_plane(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                                const struct sl_const *bias, const struct onnx_window *w, int64_t groups, const int64_t *more,
                                struct sl_node **out)
{
    static const int64_t hwio[4] = {2, 3, 0, 1};
    SL_TRY(sl_const_permute(c->a, kernel, hwio, &kernel, c->e));
    return weighted_layer(c, SL_OP_deconv, x, kernel, bias, w, groups, more, out);
}

sluice_status translate_conv_transpose(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    struct onnx_window w = {0};
    const struct sl_const *kernel, *bias;
    int64_t more[3] = {0};
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_window_axes(c, x, &w));
    int rank = x->shape.rank;
    SL_TRY(onnx_need_weights(c, 1, "weights", &kernel));
    SL_TRY(kernel_shape(c, kernel, rank, &kernel));
    int64_t in_c = x->shape.dim[1], groups = onnx_attr_int(c, "group", 1),
            out_c = groups > 0 ? kernel->shape.dim[1] * groups : 0;
    if (groups < 1 || in_c % groups || kernel->shape.dim[0] != in_c || out_c > INT32_MAX)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights [%lld, %lld, ...] and %lld groups do not fit an input of %lld channels",
                       (long long)kernel->shape.dim[0], (long long)kernel->shape.dim[1], (long long)groups, (long long)in_c);
    SL_TRY(bias_const(c, 2, out_c, &bias));
    SL_TRY(read_window(c, &w, &kernel->shape));
    SL_TRY(deconv_pads(c, &w, more));
    if (w.n == 3) {
        SL_TRY(onnx_deconv_volume(c, x, kernel, bias, &w, groups, more, &y));
        return onnx_out(c, 0, y);
    }
    if (w.n == 1) {
        more[1] = more[0];
        more[0] = 0;
    }
    onnx_window_widen(&w);
    SL_TRY(onnx_with_height(c, x, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    SL_TRY(onnx_deconv_plane(c, x, kernel, bias, &w, groups, more, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    SL_TRY(onnx_without_height(c, y, rank, &y));
    return onnx_out(c, 0, y);
}

/* Inputs: picture, weights, offsets [n, 2 * groups * kh * kw, oh, ow], bias, mask. */
sluice_status translate_deform_conv(struct onnx_import *c, const struct onnx_node *n)
{
    static const int64_t hwio[4] = {2, 3, 1, 0};
    struct sl_node *in[3], *y;
    const struct sl_const *kernel, *bias;
    struct onnx_window w = {0};
    int64_t groups, offset_groups = onnx_attr_int(c, "offset_group", 1);
    int n_in = onnx_has_in(c, 4) ? 3 : 2;
    SL_TRY(onnx_in(c, 0, &in[0]));
    SL_TRY(onnx_in(c, 2, &in[1]));
    if (n_in == 3)
        SL_TRY(onnx_in(c, 4, &in[2]));
    for (int i = 0; i < n_in; i++)
        if (in[i]->shape.rank != 4)
            return sl_unsupported(c->b, "an input of %d dimensions, 4 are supported", in[i]->shape.rank);
    SL_TRY(onnx_need_weights(c, 1, "weights", &kernel));
    SL_TRY(bias_const(c, 3, kernel->shape.rank ? kernel->shape.dim[0] : 0, &bias));
    SL_TRY(onnx_window_axes(c, in[0], &w));
    SL_TRY(kernel_shape(c, kernel, 4, &kernel));
    SL_TRY(conv_groups(c, in[0]->shape.dim[1], &kernel->shape, &groups));
    SL_TRY(read_window(c, &w, &kernel->shape));
    SL_TRY(onnx_window_pads(c, &w, false));
    SL_TRY(sl_const_permute(c->a, kernel, hwio, &kernel, c->e));
    for (int i = 0; i < n_in; i++)
        SL_TRY(onnx_channels_last(c, in[i], &in[i]));
    y = sl_build_add(c->b, SL_OP_deform_conv, n_in, in);
    sl_set_param(c->g, y, "kernel", kernel);
    if (bias)
        sl_set_param(c->g, y, "bias", bias);
    onnx_window_set(c, y, &w);
    sl_set_int(c->g, y, "groups", groups);
    sl_set_int(c->g, y, "offset_groups", offset_groups);
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    return onnx_out(c, 0, y);
}
