/* onnx_sample.c: operators that sample pictures: GridSample, AffineGrid, RoiAlign, CenterCropPad, Col2Im. */
#include <string.h>

#include "onnx/onnx_import.h"

sluice_status translate_grid_sample(struct onnx_import *c, const struct onnx_node *n)
{
    static const struct {
        const char *given, *ours;
    } modes[] = {
        {"bilinear", "linear"}, {"linear", "linear"}, {"nearest", "nearest"}, {"bicubic", "cubic"}, {"cubic", "cubic"}};
    struct sl_node *in[2], *y;
    const char *given = onnx_attr_string(c, "mode", c->scope->opset < 20 ? "bilinear" : "linear"), *mode = NULL;
    SL_TRY(onnx_in(c, 0, &in[0]));
    SL_TRY(onnx_in(c, 1, &in[1]));
    for (size_t i = 0; i < SL_COUNT(modes); i++)
        if (strcmp(modes[i].given, given) == 0)
            mode = modes[i].ours;
    if (!mode)
        return sl_fail(c->e, SLUICE_E_VALUE, "mode '%s' is not linear, nearest or cubic", given);
    if (in[0]->shape.rank != 4 && in[0]->shape.rank != 5)
        return sl_unsupported(c->b, "an input of %d dimensions, 4 and 5 are supported", in[0]->shape.rank);
    SL_TRY(onnx_channels_last(c, in[0], &in[0]));
    y = sl_build_add(c->b, SL_OP_grid_sample, 2, in);
    sl_set_string(c->g, y, "mode", mode);
    sl_set_string(c->g, y, "padding_mode", onnx_attr_string(c, "padding_mode", "zeros"));
    sl_set_int(c->g, y, "align_corners", onnx_attr_int(c, "align_corners", 0) != 0);
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    return onnx_out(c, 0, y);
}

/* Positions -1..1 of the output's points, [points, axes + 1] with a column of ones, times theta transposed. */
sluice_status translate_affine_grid(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *theta, *grid;
    int count;
    int64_t *size, points = 1, dims[SL_MAX_RANK];
    bool align = onnx_attr_int(c, "align_corners", 0) != 0;
    void *data;
    SL_TRY(onnx_in(c, 0, &theta));
    SL_TRY(onnx_need_ints(c, 1, "size", &count, &size));
    int axes = count - 2;
    if ((axes != 2 && axes != 3) || theta->shape.rank != 3 || theta->shape.dim[1] != axes || theta->shape.dim[2] != axes + 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "size has %d numbers and theta does not fit it", count);
    for (int i = 0; i < axes; i++) {
        if (size[2 + i] < 1 || size[2 + i] > 1 << 16)
            return sl_fail(c->e, SLUICE_E_VALUE, "size %lld", (long long)size[2 + i]);
        points *= size[2 + i];
        dims[1 + i] = size[2 + i];
    }
    struct sl_shape s = {2, {points, axes + 1}};
    const struct sl_const *base;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, &base, &data));
    for (int64_t p = 0; p < points; p++) {
        float *row = (float *)data + p * (axes + 1);
        int64_t rest = p;
        for (int i = axes - 1; i >= 0; i--) { /* x first: the last axis */
            double length = (double)dims[1 + i], at = (double)(rest % dims[1 + i]);
            row[axes - 1 - i] = (float)(align ? (length > 1 ? 2 * at / (length - 1) - 1 : 0) : (2 * at + 1) / length - 1);
            rest /= dims[1 + i];
        }
        row[axes] = 1;
    }
    static const int64_t swap[3] = {0, 2, 1};
    SL_TRY(sl_build_transpose(c->b, theta, swap, &theta));
    SL_TRY(onnx_matmul(c, sl_build_const(c->b, base), theta, &grid));
    dims[0] = theta->shape.dim[0];
    dims[1 + axes] = axes;
    SL_TRY(onnx_reshape(c, grid, axes + 2, dims, &grid));
    return onnx_out(c, 0, grid);
}

sluice_status translate_roi_align(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[3], *y;
    const char *coordinate =
        c->scope->opset < 16 ? "output_half_pixel" : onnx_attr_string(c, "coordinate_transformation_mode", "half_pixel");
    for (int i = 0; i < 3; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    if (in[0]->shape.rank != 4)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, 4 are wanted", in[0]->shape.rank);
    SL_TRY(onnx_channels_last(c, in[0], &in[0]));
    y = sl_build_add(c->b, SL_OP_roi_align, 3, in);
    sl_set_string(c->g, y, "mode", onnx_attr_string(c, "mode", "avg"));
    sl_set_string(c->g, y, "coordinate", coordinate);
    sl_set_ints(c->g, y, "sizes", 2, (int64_t[]){onnx_attr_int(c, "output_height", 1), onnx_attr_int(c, "output_width", 1)});
    sl_set_int(c->g, y, "sampling_ratio", onnx_attr_int(c, "sampling_ratio", 0));
    sl_set_float(c->g, y, "spatial_scale", onnx_attr_float(c, "spatial_scale", 1));
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    return onnx_out(c, 0, y);
}

/* Regions [r, 5]: batch, x1, y1, x2, y2. */
sluice_status translate_max_roi_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[2], *y;
    int count;
    const int64_t *sizes = onnx_attr_ints(c, "pooled_shape", &count);
    for (int i = 0; i < 2; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    if (in[0]->shape.rank != 4)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, 4 are wanted", in[0]->shape.rank);
    if (count != 2)
        return sl_fail(c->e, SLUICE_E_FORMAT, "pooled_shape has %d numbers, 2 are wanted", count);
    SL_TRY(onnx_channels_last(c, in[0], &in[0]));
    y = sl_build_add(c->b, SL_OP_max_roi_pool, 2, in);
    sl_set_ints(c->g, y, "sizes", 2, sizes);
    sl_set_float(c->g, y, "spatial_scale", onnx_attr_float(c, "spatial_scale", 1));
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_center_crop_pad(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    int count, n_axes;
    int64_t *target, from[SL_MAX_RANK] = {0}, to[SL_MAX_RANK], by[SL_MAX_RANK], pads[2 * SL_MAX_RANK] = {0};
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_need_ints(c, 1, "shape", &count, &target));
    const int64_t *given = onnx_attr_ints(c, "axes", &n_axes);
    if (count != (given ? n_axes : x->shape.rank))
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d sizes for %d axes", count, given ? n_axes : x->shape.rank);
    for (int i = 0; i < x->shape.rank; i++) {
        to[i] = x->shape.dim[i];
        by[i] = 1;
    }
    for (int i = 0; i < count; i++) {
        int axis = i;
        if (given)
            SL_TRY(sl_build_axis(c->b, given[i], x->shape.rank, &axis));
        if (target[i] < 1 || target[i] > INT32_MAX)
            return sl_fail(c->e, SLUICE_E_VALUE, "size %lld of axis %d, 1 to %d is accepted", (long long)target[i], axis, INT32_MAX);
        int64_t more = target[i] - x->shape.dim[axis];
        if (more < 0) {
            from[axis] = -more / 2;
            to[axis] = from[axis] + target[i];
        } else {
            pads[axis] = more / 2;
            pads[x->shape.rank + axis] = more - more / 2;
        }
    }
    SL_TRY(sl_build_slice(c->b, x, from, to, by, &x));
    SL_TRY(sl_build_pad(c->b, x, pads, "constant", 0, &x));
    return onnx_out(c, 0, x);
}

/* Col2Im is a transposed convolution with a kernel of ones in the right places: one group a channel. */
static sluice_status block_kernel(struct onnx_import *c, int64_t channels, int64_t kh, int64_t kw, const struct sl_const **out)
{
    struct sl_shape s = {4, {kh, kw, channels * kh * kw, 1}};
    void *data;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, out, &data));
    memset(data, 0, (*out)->bytes);
    for (int64_t i = 0; i < kh; i++)
        for (int64_t j = 0; j < kw; j++)
            for (int64_t k = 0; k < channels; k++)
                ((float *)data)[(i * kw + j) * s.dim[2] + k * kh * kw + i * kw + j] = 1;
    return SLUICE_OK;
}

static void two_or(const int64_t *given, int count, int n, int64_t otherwise, int64_t *v)
{
    for (int i = 0; i < n; i++)
        v[i] = given && i < count ? given[i] : otherwise;
}

/* Blocks of a volume, or of a line. */
static sluice_status col2im_any(struct onnx_import *c, struct sl_node *x, int rank, const int64_t *image, const int64_t *block)
{
    static const char *const names[] = {"strides", "dilations", "pads"};
    struct sl_node *y = sl_build_add(c->b, SL_OP_col2im, 1, &x);
    sl_set_ints(c->g, y, "image_shape", rank, image);
    sl_set_ints(c->g, y, "block_shape", rank, block);
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        int count;
        const int64_t *given = onnx_attr_ints(c, names[i], &count);
        if (given)
            sl_set_ints(c->g, y, names[i], count, given);
    }
    SL_TRY(sl_build_finish(c->b, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_col2im(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int n_image, n_block, count;
    int64_t *image, *block, stride[2], dilation[2], pads[4], steps[2], more[2];
    const struct sl_const *kernel;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_need_ints(c, 1, "image_shape", &n_image, &image));
    SL_TRY(onnx_need_ints(c, 2, "block_shape", &n_block, &block));
    if (n_image != n_block)
        return sl_fail(c->e, SLUICE_E_SHAPE, "an image of %d dimensions and a block of %d", n_image, n_block);
    if (n_image != 2)
        return col2im_any(c, x, n_image, image, block);
    const int64_t *given = onnx_attr_ints(c, "strides", &count);
    two_or(given, count, 2, 1, stride);
    given = onnx_attr_ints(c, "dilations", &count);
    two_or(given, count, 2, 1, dilation);
    given = onnx_attr_ints(c, "pads", &count);
    two_or(given, count, 4, 0, pads);
    for (int i = 0; i < 2; i++) {
        if (block[i] < 1 || block[i] > 1 << 10 || stride[i] < 1 || dilation[i] < 1 || image[i] < 1 || image[i] > 1 << 20 ||
            dilation[i] > 1 << 20 || pads[i] < 0 || pads[i] > 1 << 20 || pads[2 + i] < 0 || pads[2 + i] > 1 << 20)
            return sl_fail(c->e, SLUICE_E_VALUE, "block %lld over an image of %lld", (long long)block[i], (long long)image[i]);
        int64_t room = image[i] + pads[i] + pads[2 + i] - ((block[i] - 1) * dilation[i] + 1);
        steps[i] = room / stride[i] + 1;
        more[i] = room % stride[i];
        if (room < 0)
            return sl_fail(c->e, SLUICE_E_SHAPE, "a block of %lld does not fit an image of %lld", (long long)block[i],
                           (long long)image[i]);
    }
    if (x->shape.rank != 3 || x->shape.dim[1] % (block[0] * block[1]) || x->shape.dim[2] != steps[0] * steps[1])
        return sl_fail(c->e, SLUICE_E_SHAPE, "the columns do not fit %lld x %lld blocks", (long long)steps[0],
                       (long long)steps[1]);
    int64_t channels = x->shape.dim[1] / (block[0] * block[1]);
    SL_TRY(block_kernel(c, channels, block[0], block[1], &kernel));
    SL_TRY(onnx_reshape(c, x, 4, (int64_t[]){x->shape.dim[0], x->shape.dim[1], steps[0], steps[1]}, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    y = sl_build_add(c->b, SL_OP_deconv, 1, &x);
    sl_set_param(c->g, y, "kernel", kernel);
    sl_set_ints(c->g, y, "strides", 4, (int64_t[]){1, stride[0], stride[1], 1});
    sl_set_ints(c->g, y, "dilations", 4, (int64_t[]){1, dilation[0], dilation[1], 1});
    sl_set_ints(c->g, y, "pads", 4, pads);
    sl_set_ints(c->g, y, "output_padding", 2, more);
    sl_set_int(c->g, y, "groups", channels);
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    return onnx_out(c, 0, y);
}
