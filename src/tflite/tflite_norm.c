/* tflite_norm.c: reductions, softmax, norms, and resizing. */
#include <math.h>

#include "tflite/tflite_import.h"

static sluice_status one(struct tfl_import *c, struct sl_node **x)
{
    SL_TRY(tfl_in(c, 0, x));
    return *x && (*x)->shape.rank > 0 ? SLUICE_OK : sl_fail(c->e, SLUICE_E_SHAPE, "the input is missing or has no dimensions");
}

/* ---- reductions ---- */

/* The axes sorted and without repeats; none given means none reduced. */
static sluice_status reduce(struct tfl_import *c, enum sl_op op)
{
    struct sl_node *x;
    int64_t given[2 * SL_MAX_RANK], axes[SL_MAX_RANK];
    bool chosen[SL_MAX_RANK] = {0};
    int n, axis, count = 0;
    SL_TRY(one(c, &x));
    SL_TRY(tfl_need_ints(c, 1, "axes", &n, given));
    for (int i = 0; i < n; i++) {
        SL_TRY(sl_build_axis(c->b, given[i], x->shape.rank, &axis));
        chosen[axis] = true;
    }
    for (int i = 0; i < x->shape.rank; i++)
        if (chosen[i])
            axes[count++] = i;
    SL_TRY(sl_build_reduce(c->b, op, x, count, axes, flat_u8(&c->op->options, REDUCE_KEEP_DIMS, 0) != 0, &x));
    return tfl_out(c, 0, x);
}

#define REDUCE(name, op_kind)                                                                                                  \
    sluice_status tflop_##name(struct tfl_import *c, const struct tfl_operator *op)                                            \
    {                                                                                                                          \
        return reduce(c, op_kind);                                                                                             \
    }
REDUCE(mean, SL_OP_reduce_mean)
REDUCE(sum, SL_OP_reduce_sum)
REDUCE(reduce_max, SL_OP_reduce_max)
REDUCE(reduce_min, SL_OP_reduce_min)
REDUCE(reduce_prod, SL_OP_reduce_prod)
#undef REDUCE

/* ---- softmax ---- */

sluice_status tflop_softmax(struct tfl_import *c, const struct tfl_operator *op)
{
    double beta = flat_f32(&op->options, SOFTMAX_BETA, 1);
    struct sl_node *x;
    SL_TRY(one(c, &x));
    if (!isfinite(beta) || beta <= 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "beta %g is not positive", beta);
    if (beta != 1)
        SL_TRY(sl_build_unary2(c->b, x, "affine", "alpha", beta, "beta", 0, &x));
    SL_TRY(sl_build_softmax(c->b, x, x->shape.rank - 1, &x));
    tfl_mark_wide(c, x);
    return tfl_out(c, 0, x);
}

/* Of integers: written out, which has quantized forms. */
sluice_status tflop_log_softmax(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    SL_TRY(one(c, &x));
    int64_t last = x->shape.rank - 1;
    if (x->quant.dtype == SL_NONE) {
        y = sl_build_add(c->b, SL_OP_log_softmax, 1, &x);
        sl_set_int(c->g, y, "axis", last);
        SL_TRY(sl_build_finish(c->b, &y));
        return tfl_out(c, 0, y);
    }
    SL_TRY(sl_build_log_softmax(c->b, x, (int)last, &y));
    return tfl_out(c, 0, y);
}

/* ---- norms ---- */

/* x / sqrt(sum of squares over the last axis). Integers: as RMS norm with gamma 1 / sqrt(n), which has a quantized form;
 * floats: with the floor of 1e-6 under the sum. */
sluice_status tflop_l2_normalization(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    SL_TRY(one(c, &x));
    int64_t last = x->shape.rank - 1, n = x->shape.dim[last];
    if (x->quant.dtype != SL_NONE && n > 0) {
        const struct sl_shape s = {1, {n}};
        float gamma = (float)(1 / sqrt((double)n));
        y = sl_build_add(c->b, SL_OP_rms_norm, 1, &x);
        sl_set_param(c->g, y, "gamma", sl_const_splat(c->a, SL_F32, &s, &gamma));
        sl_set_float(c->g, y, "epsilon", 1e-6 / (double)n);
        SL_TRY(sl_build_finish(c->b, &y));
        return tfl_activated_out(c, EW_ACTIVATION, y);
    }
    SL_TRY(sl_build_unary(c->b, x, "square", &y));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_sum, y, 1, &last, true, &y));
    SL_TRY(sl_build_unary2(c->b, y, "clip", "minimum", 1e-6, NULL, 0, &y));
    SL_TRY(sl_build_unary(c->b, y, "rsqrt", &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, x, y, &y));
    return tfl_activated_out(c, EW_ACTIVATION, y);
}

/* x / (bias + alpha * sum over 2 * radius + 1 channels of x^2)^beta. The IR's alpha is divided by the window's size. */
sluice_status tflop_lrn(struct tfl_import *c, const struct tfl_operator *op)
{
    int64_t radius = flat_s32(&op->options, LRN_RADIUS, 0);
    struct sl_node *x;
    SL_TRY(one(c, &x));
    if (radius < 0 || radius > 65536)
        return sl_fail(c->e, SLUICE_E_VALUE, "radius %lld is outside 0..65536", (long long)radius);
    int64_t size = 2 * radius + 1;
    struct sl_node *y = sl_build_add(c->b, SL_OP_lrn, 1, &x);
    sl_set_int(c->g, y, "size", size);
    sl_set_float(c->g, y, "alpha", flat_f32(&op->options, LRN_ALPHA, 0) * (double)size);
    sl_set_float(c->g, y, "beta", flat_f32(&op->options, LRN_BETA, 0));
    sl_set_float(c->g, y, "bias", flat_f32(&op->options, LRN_BIAS, 0));
    SL_TRY(sl_build_finish(c->b, &y));
    return tfl_out(c, 0, y);
}

/* ---- resizing ---- */

static sluice_status resize(struct tfl_import *c, const char *mode, const char *coordinate, const char *nearest)
{
    struct sl_node *x;
    int64_t sizes[2 * SL_MAX_RANK];
    int n;
    SL_TRY(one(c, &x));
    SL_TRY(tfl_need_ints(c, 1, "size", &n, sizes));
    if (n != 2 || x->shape.rank != 4)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d sizes for %d dimensions, 2 for 4 are wanted", n, x->shape.rank);
    struct sl_node *y = sl_build_add(c->b, SL_OP_resize, 1, &x);
    sl_set_string(c->g, y, "mode", mode);
    sl_set_ints(c->g, y, "sizes", 2, sizes);
    sl_set_string(c->g, y, "coordinate", coordinate);
    if (nearest)
        sl_set_string(c->g, y, "nearest_mode", nearest);
    const struct tfl_tensor *t = tfl_in_tensor(c, 0);
    if (!nearest && tfl_is_quantized(t) && t->type != TFL_UINT8)
        sl_set_int(c->g, y, TFL_SIGNED, 1);
    SL_TRY(sl_build_finish(c->b, &y));
    return tfl_out(c, 0, y);
}

sluice_status tflop_resize_bilinear(struct tfl_import *c, const struct tfl_operator *op)
{
    bool align = flat_u8(&op->options, BILINEAR_ALIGN, 0) != 0, half = flat_u8(&op->options, BILINEAR_HALF_PIXEL, 0) != 0;
    return resize(c, "linear", align ? "align_corners" : half ? "half_pixel" : "asymmetric", NULL);
}

sluice_status tflop_resize_nearest(struct tfl_import *c, const struct tfl_operator *op)
{
    bool align = flat_u8(&op->options, NEAREST_ALIGN, 0) != 0, half = flat_u8(&op->options, NEAREST_HALF_PIXEL, 0) != 0;
    return resize(c, "nearest",
                  align  ? "align_corners"
                  : half ? "tf_half_pixel_for_nn"
                         : "asymmetric",
                  align ? "round_prefer_ceil" : "floor");
}
