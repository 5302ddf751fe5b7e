/*
 * onnx_volume.c: convolutions and pools over depth, height and width, as sums and maxima of planes: the depth of a
 * channels-last volume joins the batch, each step of the kernel's depth is one two-dimensional layer over a slice of it.
 */
#include <math.h>
#include <string.h>

#include "onnx/onnx_window.h"

enum { MOST_DEPTH = 64 }; /* of a kernel: each step is a layer */

sluice_status onnx_pad_axes(struct onnx_import *c, struct sl_node *x, const int64_t *before, const int64_t *after, int n,
                            double value, struct sl_node **out)
{
    int64_t all[2 * SL_MAX_RANK] = {0};
    for (int i = 0; i < n; i++) {
        all[2 + i] = before[i];
        all[x->shape.rank + 2 + i] = after[i];
    }
    return sl_build_pad(c->b, x, all, "constant", value, out);
}

/* The planes that step k of the kernel's depth sees: [n * out_d, h, w, c] of a volume [n, d, h, w, c] that is padded already.
 */
static sluice_status planes_at(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w, int64_t k,
                               struct sl_node **out)
{
    int64_t from[SL_MAX_RANK] = {0}, to[SL_MAX_RANK], by[SL_MAX_RANK];
    for (int i = 0; i < 5; i++) {
        to[i] = x->shape.dim[i];
        by[i] = 1;
    }
    from[1] = k * w->dilation[0];
    to[1] = from[1] + (w->out[0] - 1) * w->stride[0] + 1;
    by[1] = w->stride[0];
    SL_TRY(sl_build_slice(c->b, x, from, to, by, out));
    const int64_t *d = (*out)->shape.dim;
    const int64_t dims[4] = {d[0] * d[1], d[2], d[3], d[4]};
    return onnx_reshape(c, *out, 4, dims, out);
}

static sluice_status as_volume(struct onnx_import *c, struct sl_node *x, int64_t batch, const struct onnx_window *w,
                               struct sl_node **out)
{
    const int64_t *d = x->shape.dim, dims[5] = {batch, w->out[0], d[1], d[2], d[3]};
    SL_TRY(onnx_reshape(c, x, 5, dims, out));
    return onnx_channels_first(c, *out, out);
}

/* Height and width of the window. */
static struct onnx_window plane_window(const struct onnx_window *w)
{
    struct onnx_window p = {.n = 2};
    int64_t *to[] = {p.in, p.kernel, p.stride, p.dilation, p.before, p.after, p.out};
    const int64_t *from[] = {w->in, w->kernel, w->stride, w->dilation, w->before, w->after, w->out};
    for (size_t k = 0; k < SL_COUNT(to); k++)
        memcpy(to[k], from[k] + 1, 2 * sizeof **to);
    return p;
}

static sluice_status check_depth(struct onnx_import *c, const struct onnx_window *w)
{
    return w->kernel[0] <= MOST_DEPTH
               ? SLUICE_OK
               : sl_unsupported(c->b, "a kernel of depth %lld, at most %d is supported", (long long)w->kernel[0], MOST_DEPTH);
}

/* Step k of weights [kd, o, i, kh, kw]. */
static const struct sl_const *kernel_at(struct onnx_import *c, const struct sl_const *kernel, int64_t k)
{
    struct sl_shape s = {.rank = 4};
    memcpy(s.dim, kernel->shape.dim + 1, 4 * sizeof *s.dim);
    if (kernel->splat)
        return sl_const_reshape(c->a, kernel, &s);
    return sl_const_view(c->a, SL_F32, &s, (const float *)kernel->data + (size_t)k * sl_shape_elements(&s));
}

sluice_status onnx_conv_volume(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                               const struct sl_const *bias, const struct onnx_window *w, int64_t groups, struct sl_node **out)
{
    static const int64_t depth_first[5] = {2, 0, 1, 3, 4};
    struct onnx_window plane = plane_window(w);
    int64_t batch = x->shape.dim[0];
    struct sl_node *part, *sum = NULL;
    SL_TRY(check_depth(c, w));
    SL_TRY(sl_const_permute(c->a, kernel, depth_first, &kernel, c->e));
    SL_TRY(onnx_pad_axes(c, x, w->before, w->after, 1, 0, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    for (int64_t k = 0; k < w->kernel[0]; k++) {
        SL_TRY(planes_at(c, x, w, k, &part));
        SL_TRY(onnx_conv_plane(c, part, kernel_at(c, kernel, k), k ? NULL : bias, &plane, groups, &part));
        if (sum)
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, sum, part, &part));
        sum = part;
    }
    return as_volume(c, sum, batch, w, out);
}

/* ---- transposed ---- */

/* [n, d, h, w, c] padded, or with negative numbers cropped, along its depth. */
static sluice_status fit_depth(struct onnx_import *c, struct sl_node *x, int64_t before, int64_t after, struct sl_node **out)
{
    const int64_t depth = x->shape.dim[1], cut = SL_MAX(-before, 0), end = depth - SL_MAX(-after, 0);
    int64_t pads[10] = {0};
    SL_TRY(sl_build_slice_axis(c->b, x, 1, cut, end, out));
    pads[1] = SL_MAX(before, 0);
    pads[6] = SL_MAX(after, 0);
    return sl_build_pad(c->b, *out, pads, "constant", 0, out);
}

/* Planes [n * d, h, w, c] as a volume with stride - 1 planes of zeros behind each. */
static sluice_status spread_depth(struct onnx_import *c, struct sl_node *x, int64_t batch, int64_t stride, struct sl_node **out)
{
    const int64_t depth = x->shape.dim[0] / batch, *d = x->shape.dim, flat[4] = {batch * depth, 1, d[1] * d[2], d[3]};
    const int64_t volume[5] = {batch, depth * stride, d[1], d[2], d[3]}, pads[8] = {0, 0, 0, 0, 0, stride - 1, 0, 0};
    if (stride > 1) {
        SL_TRY(onnx_reshape(c, x, 4, flat, &x));
        SL_TRY(sl_build_pad(c->b, x, pads, "constant", 0, &x));
    }
    return onnx_reshape(c, x, 5, volume, out);
}

/* Step k of the kernel's depth makes a plane of every plane; it stands stride planes from the next, dilation * k from the start. */
sluice_status onnx_deconv_volume(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                                 const struct sl_const *bias, const struct onnx_window *w, int64_t groups,
                                 const int64_t *output_padding, struct sl_node **out)
{
    static const int64_t depth_first[5] = {2, 0, 1, 3, 4};
    struct onnx_window plane = plane_window(w);
    const int64_t batch = x->shape.dim[0], depth = x->shape.dim[2];
    struct sl_node *part, *sum = NULL;
    SL_TRY(check_depth(c, w));
    SL_TRY(sl_const_permute(c->a, kernel, depth_first, &kernel, c->e));
    SL_TRY(onnx_channels_last(c, x, &x));
    const int64_t *d = x->shape.dim, planes[4] = {d[0] * d[1], d[2], d[3], d[4]};
    SL_TRY(onnx_reshape(c, x, 4, planes, &x));
    for (int64_t k = 0; k < w->kernel[0]; k++) {
        const int64_t before = k * w->dilation[0] - w->before[0];
        if (before >= w->out[0] || before + (depth - 1) * w->stride[0] < 0)
            continue; /* all of it is cropped */
        SL_TRY(onnx_deconv_plane(c, x, kernel_at(c, kernel, k), NULL, &plane, groups, output_padding + 1, &part));
        SL_TRY(spread_depth(c, part, batch, w->stride[0], &part));
        SL_TRY(fit_depth(c, part, before, w->out[0] - before - part->shape.dim[1], &part));
        if (sum)
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, sum, part, &part));
        sum = part;
    }
    if (!sum)
        return sl_unsupported(c->b, "pads that leave nothing of the input");
    const int64_t *s = sum->shape.dim, flat[4] = {s[0] * s[1], s[2], s[3], s[4]};
    SL_TRY(onnx_reshape(c, sum, 4, flat, &sum));
    if (bias) {
        sum = sl_build_add(c->b, SL_OP_bias_add, 1, &sum);
        sl_set_param(c->g, sum, "bias", bias);
        SL_TRY(sl_build_finish(c->b, &sum));
    }
    return as_volume(c, sum, batch, w, out);
}

/* ---- pools ---- */

sluice_status onnx_max_pool_volume(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w, struct sl_node **out)
{
    struct onnx_window plane = plane_window(w);
    int64_t batch = x->shape.dim[0];
    struct sl_node *part, *most = NULL;
    SL_TRY(check_depth(c, w));
    SL_TRY(onnx_pad_axes(c, x, w->before, w->after, 1, -INFINITY, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    for (int64_t k = 0; k < w->kernel[0]; k++) {
        SL_TRY(planes_at(c, x, w, k, &part));
        SL_TRY(onnx_pool_plane(c, SL_OP_maxpool, part, &plane, false, &part));
        if (most)
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_max, most, part, &part));
        most = part;
    }
    return as_volume(c, most, batch, w, out);
}

/* Positions of axis i that count in the window at output o. */
static int64_t counted(const struct onnx_window *w, const int64_t *declared, bool count_pad, int i, int64_t o)
{
    int64_t n = 0, lo = count_pad ? -declared[i] : 0, hi = w->in[i] + (count_pad ? declared[3 + i] : 0);
    for (int64_t k = 0; k < w->kernel[i]; k++) {
        int64_t at = o * w->stride[i] - w->before[i] + k * w->dilation[i];
        n += at >= lo && at < hi;
    }
    return n;
}

/* 1 / the number of positions behind each output, [1, 1, out_d, out_h, out_w]. */
static sluice_status count_map(struct onnx_import *c, const struct onnx_window *w, const int64_t *declared, bool count_pad,
                               struct sl_node **out)
{
    struct sl_shape s = {5, {1, 1, w->out[0], w->out[1], w->out[2]}};
    void *data;
    const struct sl_const *map;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, &map, &data));
    float *v = data;
    for (int64_t d = 0; d < w->out[0]; d++)
        for (int64_t h = 0; h < w->out[1]; h++)
            for (int64_t x = 0; x < w->out[2]; x++)
                *v++ = 1.0f / (float)SL_MAX(1, counted(w, declared, count_pad, 0, d) * counted(w, declared, count_pad, 1, h) *
                                                   counted(w, declared, count_pad, 2, x));
    *out = sl_build_const(c->b, map);
    return SLUICE_OK;
}

sluice_status onnx_average_pool_volume(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w,
                                       const int64_t *declared, bool count_pad, struct sl_node **out)
{
    struct onnx_window plane = plane_window(w);
    int64_t batch = x->shape.dim[0];
    struct sl_node *part, *sum = NULL, *counts = NULL;
    SL_TRY(check_depth(c, w));
    SL_TRY(onnx_pad_axes(c, x, w->before, w->after, 3, 0, &x));
    memset(plane.before, 0, sizeof plane.before);
    memset(plane.after, 0, sizeof plane.after);
    SL_TRY(onnx_channels_last(c, x, &x));
    for (int64_t k = 0; k < w->kernel[0]; k++) {
        SL_TRY(planes_at(c, x, w, k, &part));
        SL_TRY(onnx_pool_plane(c, SL_OP_avgpool, part, &plane, false, &part));
        if (sum)
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, sum, part, &part));
        sum = part;
    }
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, sum, sl_build_f32(c->b, (double)(w->kernel[1] * w->kernel[2])), &sum));
    SL_TRY(as_volume(c, sum, batch, w, &sum));
    SL_TRY(count_map(c, w, declared, count_pad, &counts));
    return sl_build_binary(c->b, SL_OP_ew_mult, sum, counts, out);
}
