/*
 * onnx_conv.c: convolutions and pools. Each stands between a transpose to channels last and one back; kernels are reordered here
 * (OIHW -> HWIO, or [kh, kw, ic, mult] where every group is one channel). One spatial axis is the width of a picture of height 1.
 */
#include <string.h>

#include "onnx/onnx_import.h"

enum { MOST_SIDE = 1 << 20 };

/* A window over the one or two spatial axes, as height and width. */
struct window {
    int n;                                   /* spatial axes: 1 or 2 */
    int64_t in[2], kernel[2], stride[2], dilation[2], before[2], after[2], out[2];
};

static sluice_status window_ints(struct onnx_import *c, const char *name, int n, int64_t lo, int64_t otherwise, int64_t *v)
{
    int count;
    const int64_t *given = onnx_attr_ints(c, name, &count);
    if (given && count != n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%s has %d values, %d are wanted", name, count, n);
    for (int i = 0; i < n; i++) {
        v[i] = given ? given[i] : otherwise;
        if (v[i] < lo || v[i] > MOST_SIDE)
            return sl_fail(c->e, SLUICE_E_VALUE, "%s %lld is outside %lld..%d", name, (long long)v[i], (long long)lo, MOST_SIDE);
    }
    return SLUICE_OK;
}

static int64_t extent(const struct window *w, int i)
{
    return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

/* auto_pad, explicit pads, and the output's size; ceil_mode grows the padding after so that the last window fits. */
static sluice_status window_pads(struct onnx_import *c, struct window *w, bool ceil_mode)
{
    const char *mode = onnx_attr_string(c, "auto_pad", "NOTSET");
    bool same = strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0;
    int64_t pads[4] = {0};
    if (strcmp(mode, "NOTSET") == 0 || mode[0] == 0)
        SL_TRY(window_ints(c, "pads", 2 * w->n, -MOST_SIDE, 0, pads));
    else if (!same && strcmp(mode, "VALID") != 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "auto_pad '%s' is not NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode);
    for (int i = 0; i < w->n; i++) {
        w->before[i] = pads[i];
        w->after[i] = pads[w->n + i];
        if (same) {
            int64_t out = (w->in[i] + w->stride[i] - 1) / w->stride[i];
            int64_t total = SL_MAX(0, (out - 1) * w->stride[i] + extent(w, i) - w->in[i]);
            w->before[i] = mode[5] == 'U' ? total / 2 : total - total / 2;
            w->after[i] = total - w->before[i];
        }
        if (w->before[i] < 0 || w->after[i] < 0)
            return onnx_unsupported(c, "negative pads (%lld, %lld)", (long long)w->before[i], (long long)w->after[i]);
        int64_t room = w->in[i] + w->before[i] + w->after[i] - extent(w, i);
        if (room < 0)
            return sl_fail(c->e, SLUICE_E_SHAPE, "a window of %lld does not fit an axis of %lld with pads %lld and %lld",
                           (long long)extent(w, i), (long long)w->in[i], (long long)w->before[i], (long long)w->after[i]);
        w->out[i] = room / w->stride[i] + 1;
        if (ceil_mode && room % w->stride[i]) {
            bool starts_inside = w->out[i] * w->stride[i] < w->in[i] + w->before[i]; /* a window in the padding alone is dropped */
            w->out[i] += starts_inside;
            w->after[i] += starts_inside ? w->stride[i] - room % w->stride[i] : 0;
        }
    }
    return SLUICE_OK;
}

/* One spatial axis becomes the second of two. */
static void widen(struct window *w)
{
    if (w->n == 2)
        return;
    int64_t *fields[] = {w->in, w->kernel, w->stride, w->dilation, w->before, w->after, w->out};
    static const int64_t neutral[] = {1, 1, 1, 1, 0, 0, 1};
    for (size_t k = 0; k < SL_COUNT(fields); k++) {
        fields[k][1] = fields[k][0];
        fields[k][0] = neutral[k];
    }
}

static void set_window(struct onnx_import *c, struct sl_node *n, const struct window *w)
{
    sl_set_ints(c->g, n, "strides", 4, (int64_t[]){1, w->stride[0], w->stride[1], 1});
    sl_set_ints(c->g, n, "dilations", 4, (int64_t[]){1, w->dilation[0], w->dilation[1], 1});
    sl_set_ints(c->g, n, "pads", 4, (int64_t[]){w->before[0], w->before[1], w->after[0], w->after[1]});
}

static sluice_status spatial_axes(struct onnx_import *c, const struct sl_node *x, struct window *w)
{
    w->n = x->shape.rank - 2;
    if (w->n < 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, at least 3 are wanted", x->shape.rank);
    if (w->n > 2)
        return onnx_unsupported(c, "%d spatial dimensions, 1 and 2 are supported", w->n);
    for (int i = 0; i < w->n; i++)
        w->in[i] = x->shape.dim[2 + i];
    return SLUICE_OK;
}

/* ---- weights ---- */

/* [n, c, w] pictures and [o, i, w] kernels get a height of 1. */
static sluice_status with_height(struct onnx_import *c, struct sl_node *x, struct sl_node **out)
{
    if (x->shape.rank == 4) {
        *out = x;
        return SLUICE_OK;
    }
    const int64_t dims[4] = {x->shape.dim[0], x->shape.dim[1], 1, x->shape.dim[2]};
    return onnx_reshape(c, x, 4, dims, out);
}

static sluice_status without_height(struct onnx_import *c, struct sl_node *x, int rank, struct sl_node **out)
{
    if (rank == 4) {
        *out = x;
        return SLUICE_OK;
    }
    const int64_t dims[3] = {x->shape.dim[0], x->shape.dim[1], x->shape.dim[3]};
    return onnx_reshape(c, x, 3, dims, out);
}

static sluice_status kernel_const(struct onnx_import *c, int input, int rank, const struct sl_const **out)
{
    SL_TRY(onnx_need_const(c, input, "weights", out));
    if ((*out)->shape.rank != rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights have %d dimensions, %d are wanted", (*out)->shape.rank, rank);
    if ((*out)->dtype != SL_F32)
        return onnx_unsupported(c, "weights of type %s", sl_dtype_name((*out)->dtype));
    if (rank == 3) {
        const struct sl_shape *s = &(*out)->shape;
        struct sl_shape wide = {4, {s->dim[0], s->dim[1], 1, s->dim[2]}};
        *out = onnx_const_reshape(c->a, *out, &wide);
    }
    for (int k = 0; k < 4; k++)
        if ((*out)->shape.dim[k] < 1 || (*out)->shape.dim[k] > (k < 2 ? INT32_MAX : MOST_SIDE))
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

static sluice_status read_window(struct onnx_import *c, struct window *w, const struct sl_const *kernel)
{
    int64_t side[2] = {0};
    for (int i = 0; i < w->n; i++)
        w->kernel[i] = kernel->shape.dim[2 + i + (2 - w->n)];
    if (onnx_attribute(c, "kernel_shape")) /* newer exporters leave it to the weights */
        SL_TRY(window_ints(c, "kernel_shape", w->n, 1, 1, side));
    for (int i = 0; i < w->n; i++)
        if (side[i] && side[i] != w->kernel[i])
            return sl_fail(c->e, SLUICE_E_SHAPE, "kernel_shape says %lld where the weights have %lld", (long long)side[i],
                           (long long)w->kernel[i]);
    SL_TRY(window_ints(c, "strides", w->n, 1, 1, w->stride));
    return window_ints(c, "dilations", w->n, 1, 1, w->dilation);
}

/* The layer itself, channels last in and out. */
static sluice_status weighted_layer(struct onnx_import *c, enum sl_op op, struct sl_node *x, const struct sl_const *kernel,
                                    const struct sl_const *bias, const struct window *w, int64_t groups, const int64_t *output_padding,
                                    struct sl_node **out)
{
    struct sl_node *n = onnx_add(c, op, 1, &x);
    sl_set_param(c->g, n, "kernel", kernel);
    if (bias)
        sl_set_param(c->g, n, "bias", bias);
    set_window(c, n, w);
    sl_set_int(c->g, n, "groups", groups);
    if (output_padding)
        sl_set_ints(c->g, n, "output_padding", 2, output_padding);
    *out = n;
    return onnx_finish(c, out);
}

sluice_status translate_conv(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    struct window w = {0};
    const struct sl_const *kernel, *bias;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(spatial_axes(c, x, &w));
    int rank = x->shape.rank;
    SL_TRY(kernel_const(c, 1, rank, &kernel));
    int64_t out_c = kernel->shape.dim[0], in_c = x->shape.dim[1], groups = onnx_attr_int(c, "group", 1);
    if (groups < 1 || in_c % groups || out_c % groups || kernel->shape.dim[1] != in_c / groups)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights [%lld, %lld, ...] and %lld groups do not fit an input of %lld channels",
                       (long long)out_c, (long long)kernel->shape.dim[1], (long long)groups, (long long)in_c);
    SL_TRY(bias_const(c, 2, out_c, &bias));
    SL_TRY(read_window(c, &w, kernel));
    SL_TRY(window_pads(c, &w, false));
    widen(&w);
    bool depthwise = groups == in_c && groups > 1;
    static const int64_t hwio[4] = {2, 3, 1, 0}, hwom[4] = {2, 3, 0, 1};
    SL_TRY(onnx_const_permute(c->a, kernel, depthwise ? hwom : hwio, &kernel, c->e));
    if (depthwise) { /* [kh, kw, ic * mult, 1]: output channel c * mult + j is row (c, j) */
        struct sl_shape s = {4, {kernel->shape.dim[0], kernel->shape.dim[1], in_c, out_c / in_c}};
        kernel = onnx_const_reshape(c->a, kernel, &s);
    }
    SL_TRY(with_height(c, x, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    SL_TRY(weighted_layer(c, depthwise ? SL_OP_dw : SL_OP_conv, x, kernel, bias, &w, depthwise ? in_c : groups, NULL, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    SL_TRY(without_height(c, y, rank, &y));
    return onnx_out(c, 0, y);
}

/* Pads of a transposed convolution from output_shape or auto_pad; without them `pads` and `output_padding` say all. */
static sluice_status deconv_pads(struct onnx_import *c, struct window *w, int64_t *more)
{
    const char *mode = onnx_attr_string(c, "auto_pad", "NOTSET");
    bool same = strncmp(mode, "SAME_", 5) == 0;
    int64_t pads[4] = {0}, shape[2] = {0};
    bool has_shape = onnx_attribute(c, "output_shape") != NULL;
    SL_TRY(window_ints(c, "output_padding", w->n, 0, 0, more));
    if (strcmp(mode, "NOTSET") == 0 || mode[0] == 0)
        SL_TRY(window_ints(c, "pads", 2 * w->n, 0, 0, pads));
    if (has_shape)
        SL_TRY(window_ints(c, "output_shape", w->n, 1, 1, shape));
    for (int i = 0; i < w->n; i++) {
        int64_t full = (w->in[i] - 1) * w->stride[i] + extent(w, i) + more[i];
        w->before[i] = pads[i];
        w->after[i] = pads[w->n + i];
        if (has_shape || same) {
            int64_t total = full - (has_shape ? shape[i] : w->in[i] * w->stride[i]);
            if (total < 0) { /* the rest of the output is bias alone */
                more[i] -= total;
                total = 0;
            }
            w->before[i] = strcmp(mode, "SAME_UPPER") == 0 ? total / 2 : total - total / 2;
            w->after[i] = total - w->before[i];
        }
        w->out[i] = (w->in[i] - 1) * w->stride[i] + extent(w, i) + more[i] - w->before[i] - w->after[i];
        if (w->out[i] < 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "pads leave no output (%lld)", (long long)w->out[i]);
    }
    return SLUICE_OK;
}

sluice_status translate_conv_transpose(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    struct window w = {0};
    const struct sl_const *kernel, *bias;
    int64_t more[2] = {0};
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(spatial_axes(c, x, &w));
    int rank = x->shape.rank;
    SL_TRY(kernel_const(c, 1, rank, &kernel));
    int64_t in_c = x->shape.dim[1], groups = onnx_attr_int(c, "group", 1), out_c = groups > 0 ? kernel->shape.dim[1] * groups : 0;
    if (groups < 1 || in_c % groups || kernel->shape.dim[0] != in_c || out_c > INT32_MAX)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights [%lld, %lld, ...] and %lld groups do not fit an input of %lld channels",
                       (long long)kernel->shape.dim[0], (long long)kernel->shape.dim[1], (long long)groups, (long long)in_c);
    SL_TRY(bias_const(c, 2, out_c, &bias));
    SL_TRY(read_window(c, &w, kernel));
    SL_TRY(deconv_pads(c, &w, more));
    if (w.n == 1) {
        more[1] = more[0];
        more[0] = 0;
    }
    widen(&w);
    static const int64_t hwio[4] = {2, 3, 0, 1};
    SL_TRY(onnx_const_permute(c->a, kernel, hwio, &kernel, c->e));
    SL_TRY(with_height(c, x, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    SL_TRY(weighted_layer(c, SL_OP_deconv, x, kernel, bias, &w, groups, more, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    SL_TRY(without_height(c, y, rank, &y));
    return onnx_out(c, 0, y);
}

/* ---- pools ---- */

static sluice_status pool_layer(struct onnx_import *c, enum sl_op op, struct sl_node *x, const struct window *w, bool count_pad,
                                struct sl_node **out)
{
    struct sl_node *n = onnx_add(c, op, 1, &x);
    sl_set_ints(c->g, n, "kernel_shape", 4, (int64_t[]){1, w->kernel[0], w->kernel[1], 1});
    set_window(c, n, w);
    if (op == SL_OP_avgpool)
        sl_set_int(c->g, n, "count_include_pad", count_pad);
    *out = n;
    return onnx_finish(c, out);
}

static sluice_status pool(struct onnx_import *c, enum sl_op op, struct sl_node *x, struct window *w, bool count_pad)
{
    int rank = x->shape.rank;
    struct sl_node *y;
    widen(w);
    SL_TRY(with_height(c, x, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    SL_TRY(pool_layer(c, op, x, w, count_pad, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    SL_TRY(without_height(c, y, rank, &y));
    return onnx_out(c, 0, y);
}

static sluice_status pool_window(struct onnx_import *c, const struct sl_node *x, struct window *w)
{
    SL_TRY(spatial_axes(c, x, w));
    if (!onnx_attribute(c, "kernel_shape"))
        return sl_fail(c->e, SLUICE_E_FORMAT, "kernel_shape is missing");
    SL_TRY(window_ints(c, "kernel_shape", w->n, 1, 1, w->kernel));
    SL_TRY(window_ints(c, "strides", w->n, 1, 1, w->stride));
    SL_TRY(window_ints(c, "dilations", w->n, 1, 1, w->dilation));
    return window_pads(c, w, onnx_attr_int(c, "ceil_mode", 0) != 0);
}

sluice_status translate_max_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    struct window w = {0};
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(pool_window(c, x, &w));
    if (onnx_wants_out(c, 1) && n->n_out > 1)
        onnx_note(c, "node '%s': the indices of MaxPool are not computed", c->origin);
    return pool(c, SL_OP_maxpool, x, &w, false);
}

/* A pad by ceil_mode is never counted, a declared one may be: when both are there, the declared one becomes a pad of its own. */
static sluice_status pad_explicitly(struct onnx_import *c, struct sl_node *x, const int64_t *pads, int n, struct sl_node **out)
{
    int64_t all[2 * SL_MAX_RANK] = {0};
    for (int i = 0; i < n; i++) {
        all[2 + i] = pads[i];
        all[x->shape.rank + 2 + i] = pads[n + i];
    }
    *out = onnx_add(c, SL_OP_pad, 1, &x);
    sl_set_ints(c->g, *out, "pads", 2 * x->shape.rank, all);
    sl_set_string(c->g, *out, "pad_mode", "constant");
    sl_set_float(c->g, *out, "value", 0);
    return onnx_finish(c, out);
}

sluice_status translate_average_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    struct window w = {0};
    int64_t pads[4] = {0};
    bool count_pad = onnx_attr_int(c, "count_include_pad", 0) != 0, grows = false;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(pool_window(c, x, &w));
    if (count_pad && onnx_attr_int(c, "ceil_mode", 0)) {
        SL_TRY(window_ints(c, "pads", 2 * w.n, 0, 0, pads));
        for (int i = 0; i < w.n; i++)
            grows = grows || w.after[i] != pads[w.n + i];
    }
    if (grows) {
        SL_TRY(pad_explicitly(c, x, pads, w.n, &x));
        for (int i = 0; i < w.n; i++) {
            w.before[i] = 0;
            w.after[i] -= pads[w.n + i];
        }
        count_pad = false;
    }
    return pool(c, SL_OP_avgpool, x, &w, count_pad);
}

static sluice_status global_pool(struct onnx_import *c, enum sl_op op, enum sl_op reduction)
{
    struct sl_node *x, *y;
    struct window w = {0};
    SL_TRY(onnx_in(c, 0, &x));
    if (x->shape.rank > 4 || x->shape.rank < 3) {
        int64_t axes[SL_MAX_RANK];
        for (int i = 2; i < x->shape.rank; i++)
            axes[i - 2] = i;
        SL_TRY(onnx_reduce(c, reduction, x, SL_MAX(0, x->shape.rank - 2), axes, true, &y));
        return onnx_out(c, 0, y);
    }
    SL_TRY(spatial_axes(c, x, &w));
    for (int i = 0; i < w.n; i++) {
        w.kernel[i] = w.in[i];
        w.stride[i] = w.dilation[i] = w.out[i] = 1;
    }
    return pool(c, op, x, &w, false);
}

sluice_status translate_global_average_pool(struct onnx_import *c, const struct onnx_node *n)
{
    return global_pool(c, SL_OP_avgpool, SL_OP_reduce_mean);
}

sluice_status translate_global_max_pool(struct onnx_import *c, const struct onnx_node *n)
{
    return global_pool(c, SL_OP_maxpool, SL_OP_reduce_max);
}
