/* onnx_norm.c: Softmax and the normalizations. Those that the IR has are one layer; the others are written out as arithmetic.
 */
#include <string.h>

#include "onnx/onnx_import.h"

/* ---- softmax ---- */

/* Before opset 13 everything from the axis on was one line; since then a line is the axis alone. */
static sluice_status softmax_line(struct onnx_import *c, struct sl_node **x, int *axis)
{
    int rank = (*x)->shape.rank;
    bool flat = c->scope->opset < 13, ones = true;
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", flat ? 1 : -1), SL_MAX(rank, 1), axis));
    if (rank == 0)
        return onnx_reshape(c, *x, 1, (int64_t[]){1}, x);
    for (int i = *axis + 1; i < rank; i++)
        ones = ones && (*x)->shape.dim[i] == 1;
    if (!flat || ones)
        return SLUICE_OK;
    int64_t dims[2] = {1, 1};
    for (int i = 0; i < rank; i++)
        dims[i >= *axis] *= (*x)->shape.dim[i];
    *axis = 1;
    return onnx_reshape(c, *x, 2, dims, x);
}

sluice_status translate_softmax(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int axis;
    SL_TRY(onnx_in(c, 0, &x));
    struct sl_shape s = x->shape;
    SL_TRY(softmax_line(c, &x, &axis));
    SL_TRY(sl_build_softmax(c->b, x, axis, &y));
    SL_TRY(onnx_reshape(c, y, s.rank, s.dim, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_log_softmax(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int axis;
    SL_TRY(onnx_in(c, 0, &x));
    struct sl_shape s = x->shape;
    SL_TRY(softmax_line(c, &x, &axis));
    SL_TRY(sl_build_log_softmax(c->b, x, axis, &y));
    SL_TRY(onnx_reshape(c, y, s.rank, s.dim, &y));
    return onnx_out(c, 0, y);
}

/* ---- by channel ---- */

/* A per-channel value [c] as [c, 1, ...], to broadcast over x [n, c, ...]. */
static sluice_status by_channel(struct onnx_import *c, struct sl_node *v, const struct sl_node *x, struct sl_node **out)
{
    int64_t dims[SL_MAX_RANK];
    int rank = SL_MAX(1, x->shape.rank - 1);
    for (int i = 0; i < rank; i++)
        dims[i] = i ? 1 : (int64_t)sl_shape_elements(&v->shape);
    return onnx_reshape(c, v, rank, dims, out);
}

static sluice_status affine(struct onnx_import *c, struct sl_node *x, struct sl_node *scale, struct sl_node *offset,
                            struct sl_node **out)
{
    *out = x;
    if (scale)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, *out, scale, out));
    return offset ? sl_build_binary(c->b, SL_OP_ew_add, *out, offset, out) : SLUICE_OK;
}

static sluice_status inverse_root(struct onnx_import *c, struct sl_node *variance, double epsilon, struct sl_node **out)
{
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, variance, sl_build_f32(c->b, epsilon), out));
    return sl_build_unary(c->b, *out, "rsqrt", out);
}

static sluice_status batch_norm_layer(struct onnx_import *c, struct sl_node *x, double epsilon, struct sl_node **out)
{
    static const char *const names[] = {"scale", "offset", "mean", "variance"};
    const struct sl_const *k[4];
    bool constant = true;
    for (int i = 0; i < 4; i++) {
        SL_TRY(onnx_in_const(c, 1 + i, &k[i]));
        constant = constant && k[i];
    }
    if (!constant) { /* statistics that arrive at run time */
        struct sl_node *v[4], *factor;
        for (int i = 0; i < 4; i++) {
            SL_TRY(onnx_in(c, 1 + i, &v[i]));
            SL_TRY(by_channel(c, v[i], x, &v[i]));
        }
        SL_TRY(inverse_root(c, v[3], epsilon, &factor));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, factor, v[0], &factor));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, x, v[2], out));
        return affine(c, *out, factor, v[1], out);
    }
    SL_TRY(onnx_channels_last(c, x, &x));
    struct sl_node *n = sl_build_add(c->b, SL_OP_batch_norm, 1, &x);
    for (int i = 0; i < 4; i++) {
        int64_t channels = x->shape.dim[x->shape.rank - 1];
        if (k[i]->shape.rank != 1 || k[i]->shape.dim[0] != channels)
            return sl_fail(c->e, SLUICE_E_SHAPE, "%s does not have one value for each of %lld channels", names[i],
                           (long long)channels);
        sl_set_param(c->g, n, names[i], k[i]);
    }
    sl_set_float(c->g, n, "epsilon", epsilon);
    SL_TRY(sl_build_finish(c->b, &n));
    return onnx_channels_first(c, n, out);
}

/* (x - mean) / sqrt(variance + epsilon) over the axes. */
static sluice_status standardize(struct onnx_import *c, struct sl_node *x, int n_axes, const int64_t *axes, double epsilon,
                                 struct sl_node **out)
{
    struct sl_node *mean, *variance;
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, x, n_axes, axes, true, &mean));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, x, mean, &x));
    SL_TRY(sl_build_unary(c->b, x, "square", &variance));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, variance, n_axes, axes, true, &variance));
    SL_TRY(inverse_root(c, variance, epsilon, &variance));
    return sl_build_binary(c->b, SL_OP_ew_mult, x, variance, out);
}

/* old * momentum + new * (1 - momentum), one number a channel. */
static sluice_status running(struct onnx_import *c, int input, struct sl_node *now, double momentum, struct sl_node **out)
{
    struct sl_node *old;
    SL_TRY(onnx_in(c, input, &old));
    SL_TRY(onnx_reshape(c, now, old->shape.rank, old->shape.dim, &now));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, old, sl_build_f32(c->b, momentum), &old));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, now, sl_build_f32(c->b, 1 - momentum), &now));
    return sl_build_binary(c->b, SL_OP_ew_add, old, now, out);
}

/* By the statistics of the batch itself; exporters standardize the weights of a convolution with it. */
static sluice_status batch_norm_training(struct onnx_import *c, struct sl_node *x)
{
    const double momentum = onnx_attr_float(c, "momentum", 0.9);
    int64_t axes[SL_MAX_RANK] = {0};
    struct sl_node *v[2], *y, *mean, *variance;
    const int n_axes = x->shape.rank - 1;
    if (sl_shape_elements(&x->shape) == 0)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input has no elements");
    for (int i = 1; i < n_axes; i++)
        axes[i] = i + 1;
    for (int i = 0; i < 2; i++) {
        SL_TRY(onnx_in(c, 1 + i, &v[i]));
        SL_TRY(by_channel(c, v[i], x, &v[i]));
    }
    SL_TRY(standardize(c, x, n_axes, axes, onnx_attr_float(c, "epsilon", 1e-5), &y));
    SL_TRY(affine(c, y, v[0], v[1], &y));
    SL_TRY(onnx_out(c, 0, y));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, x, n_axes, axes, true, &mean));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, x, mean, &variance));
    SL_TRY(sl_build_unary(c->b, variance, "square", &variance));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, variance, n_axes, axes, true, &variance));
    SL_TRY(running(c, 3, mean, momentum, &mean));
    SL_TRY(running(c, 4, variance, momentum, &variance));
    SL_TRY(onnx_out(c, 1, mean));
    return onnx_out(c, 2, variance);
}

sluice_status translate_batch_normalization(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    SL_TRY(onnx_in(c, 0, &x));
    if (!onnx_attr_int(c, "spatial", 1) && x->shape.rank > 2)
        return sl_unsupported(c->b, "spatial 0");
    if (x->shape.rank < 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, at least 2 are wanted", x->shape.rank);
    if (onnx_attr_int(c, "training_mode", 0))
        return batch_norm_training(c, x);
    SL_TRY(batch_norm_layer(c, x, onnx_attr_float(c, "epsilon", 1e-5), &y));
    return onnx_out(c, 0, y);
}

/* [n, c, ...] as [n, groups, c / groups, ...]: the axes stay apart, so that a picture stored channels last need not be moved.
 */
static sluice_status apart(struct onnx_import *c, struct sl_node *x, int64_t groups, struct sl_node **out)
{
    int64_t dims[SL_MAX_RANK + 1] = {x->shape.dim[0], groups, x->shape.dim[1] / groups};
    for (int i = 2; i < x->shape.rank; i++)
        dims[i + 1] = x->shape.dim[i];
    return onnx_reshape(c, x, x->shape.rank + 1, dims, out);
}

/* Exporters write GroupNormalization as Reshape [n, groups, -1], InstanceNormalization, Reshape: the first Reshape is undone.
 */
static sluice_status undo_grouping(struct onnx_import *c, struct sl_node *x, struct sl_node **out)
{
    const struct sl_node *from = x->op == SL_OP_reshape ? x->in[0] : NULL;
    *out = x;
    if (!from || x->shape.rank != 3 || from->shape.rank < 3 || from->shape.rank >= SL_MAX_RANK ||
        from->shape.dim[0] != x->shape.dim[0] || from->shape.dim[1] % x->shape.dim[1])
        return SLUICE_OK;
    return apart(c, x->in[0], x->shape.dim[1], out);
}

sluice_status translate_instance_normalization(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y, *scale, *offset;
    int64_t axes[SL_MAX_RANK];
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &scale));
    SL_TRY(onnx_in(c, 2, &offset));
    if (x->shape.rank < 3 || sl_shape_elements(&x->shape) == 0)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, at least 3 are wanted, and some elements",
                       x->shape.rank);
    struct sl_shape s = x->shape;
    SL_TRY(undo_grouping(c, x, &x));
    for (int i = 2; i < x->shape.rank; i++)
        axes[i - 2] = i;
    SL_TRY(standardize(c, x, x->shape.rank - 2, axes, onnx_attr_float(c, "epsilon", 1e-5), &y));
    SL_TRY(by_channel(c, scale, x, &scale));
    SL_TRY(by_channel(c, offset, x, &offset));
    SL_TRY(affine(c, y, scale, offset, &y));
    SL_TRY(onnx_reshape(c, y, s.rank, s.dim, &y));
    return onnx_out(c, 0, y);
}

/* Opset 18: scale and bias by group; 21: by channel. */
sluice_status translate_group_normalization(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y, *v[2];
    SL_TRY(onnx_in(c, 0, &x));
    struct sl_shape s = x->shape;
    int64_t groups = onnx_attr_int(c, "num_groups", 0), axes[SL_MAX_RANK];
    if (s.rank < 2 || groups < 1 || s.dim[1] % groups)
        return sl_fail(c->e, SLUICE_E_VALUE, "num_groups %lld does not divide the channels", (long long)groups);
    if (sl_shape_elements(&s) == 0)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input has no elements");
    if (s.rank == SL_MAX_RANK)
        return sl_unsupported(c->b, "an input of %d dimensions", s.rank);
    SL_TRY(apart(c, x, groups, &y));
    for (int i = 2; i < y->shape.rank; i++)
        axes[i - 2] = i;
    SL_TRY(standardize(c, y, y->shape.rank - 2, axes, onnx_attr_float(c, "epsilon", 1e-5), &y));
    for (int i = 0; i < 2; i++) {
        SL_TRY(onnx_in(c, 1 + i, &v[i]));
        bool per_group = (int64_t)sl_shape_elements(&v[i]->shape) == groups && groups != s.dim[1];
        SL_TRY(by_channel(c, v[i], per_group ? y : x, &v[i]));
        if (per_group != (c->scope->opset < 21 && groups != s.dim[1]))
            return sl_fail(c->e, SLUICE_E_SHAPE, "scale and bias have %zu values, opset %lld wants one a %s",
                           sl_shape_elements(&v[i]->shape), (long long)c->scope->opset,
                           c->scope->opset < 21 ? "group" : "channel");
    }
    bool grouped = c->scope->opset < 21 && groups != s.dim[1];
    if (grouped)
        SL_TRY(affine(c, y, v[0], v[1], &y));
    SL_TRY(onnx_reshape(c, y, s.rank, s.dim, &y));
    if (!grouped)
        SL_TRY(affine(c, y, v[0], v[1], &y));
    return onnx_out(c, 0, y);
}

/* ---- over the last axes ---- */

/* gamma or beta as the layer's own parameter: constant, one value for each normalized element. NULL: it is no such thing. */
static const struct sl_const *norm_param(struct onnx_import *c, const struct sl_node *given, int64_t length, double otherwise)
{
    struct sl_shape s = {1, {length}};
    double v = otherwise;
    const struct sl_const *k = sl_node_const(given);
    if (!given || (k && sl_const_scalar(k, &v))) {
        float one = (float)v;
        return sl_const_splat(c->a, SL_F32, &s, &one);
    }
    return k && (int64_t)sl_shape_elements(&k->shape) == length ? sl_const_reshape(c->a, k, &s) : NULL;
}

sluice_status onnx_layer_norm(struct onnx_import *c, enum sl_op op, struct sl_node *x, struct sl_node *gamma, struct sl_node *beta,
                              int axis, double epsilon, struct sl_node **out)
{
    const struct sl_shape s = x->shape;
    int64_t dims[SL_MAX_RANK] = {1}, length = 1;
    for (int i = 0; i < axis; i++)
        dims[i] = s.dim[i];
    for (int i = axis; i < s.rank; i++)
        length *= s.dim[i];
    if (length < 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "nothing to normalize over");
    dims[axis] = length;
    SL_TRY(onnx_reshape(c, x, axis + 1, dims, &x));
    const struct sl_const *scale = norm_param(c, gamma, length, 1), *offset = norm_param(c, beta, length, 0);
    const bool inside = scale && offset;
    struct sl_node *n = sl_build_add(c->b, op, 1, &x);
    sl_set_float(c->g, n, "epsilon", epsilon);
    sl_set_param(c->g, n, "gamma", inside ? scale : norm_param(c, NULL, length, 1));
    sl_set_param(c->g, n, "beta", inside ? offset : norm_param(c, NULL, length, 0));
    SL_TRY(sl_build_finish(c->b, &n));
    SL_TRY(onnx_reshape(c, n, s.rank, s.dim, out));
    return inside ? SLUICE_OK : affine(c, *out, gamma, beta, out);
}

/* The side outputs, computed only where something reads them. */
static sluice_status norm_statistics(struct onnx_import *c, struct sl_node *x, int axis, double epsilon)
{
    int64_t axes[SL_MAX_RANK];
    struct sl_node *mean, *y;
    int n = 0;
    for (int i = axis; i < x->shape.rank; i++)
        axes[n++] = i;
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, x, n, axes, true, &mean));
    SL_TRY(onnx_out(c, 1, mean));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, x, mean, &y));
    SL_TRY(sl_build_unary(c->b, y, "square", &y));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, y, n, axes, true, &y));
    SL_TRY(inverse_root(c, y, epsilon, &y));
    return onnx_out(c, 2, y);
}

static sluice_status last_axes_norm(struct onnx_import *c, enum sl_op op)
{
    struct sl_node *x, *y, *gamma, *beta;
    int axis;
    double epsilon = onnx_attr_float(c, "epsilon", 1e-5);
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &gamma));
    SL_TRY(onnx_in(c, 2, &beta));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", -1), x->shape.rank, &axis));
    SL_TRY(onnx_layer_norm(c, op, x, gamma, beta, axis, epsilon, &y));
    SL_TRY(onnx_out(c, 0, y));
    return onnx_wants_out(c, 1) || onnx_wants_out(c, 2) ? norm_statistics(c, x, axis, epsilon) : SLUICE_OK;
}

sluice_status translate_layer_normalization(struct onnx_import *c, const struct onnx_node *n)
{
    return last_axes_norm(c, SL_OP_layer_norm);
}

sluice_status translate_rms_normalization(struct onnx_import *c, const struct onnx_node *n)
{
    return last_axes_norm(c, SL_OP_rms_norm);
}

/* ---- others ---- */

sluice_status translate_mean_variance_normalization(struct onnx_import *c, const struct onnx_node *n)
{
    static const int64_t usual[3] = {0, 2, 3};
    struct sl_node *x, *mean, *y;
    int count, n_axes = 0;
    int64_t axes[SL_MAX_RANK];
    SL_TRY(onnx_in(c, 0, &x));
    const int64_t *given = onnx_attr_ints(c, "axes", &count);
    for (int i = 0; i < (given ? count : 3) && n_axes < SL_MAX_RANK; i++) {
        int axis;
        SL_TRY(sl_build_axis(c->b, given ? given[i] : usual[i], x->shape.rank, &axis));
        axes[n_axes++] = axis;
    }
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, x, n_axes, axes, true, &mean));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, x, mean, &x));
    SL_TRY(sl_build_unary(c->b, x, "square", &y));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_mean, y, n_axes, axes, true, &y));
    SL_TRY(sl_build_unary(c->b, y, "sqrt", &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, sl_build_f32(c->b, 1e-9), &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, x, y, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_lp_normalization(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int axis;
    int64_t p = onnx_attr_int(c, "p", 2);
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", -1), x->shape.rank, &axis));
    if (p != 1 && p != 2)
        return sl_fail(c->e, SLUICE_E_VALUE, "p %lld is not 1 or 2", (long long)p);
    SL_TRY(sl_build_unary(c->b, x, p == 1 ? "abs" : "square", &y));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_sum, y, 1, (int64_t[]){axis}, true, &y));
    if (p == 2)
        SL_TRY(sl_build_unary(c->b, y, "sqrt", &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_max, y, sl_build_f32(c->b, 1.17549435e-38), &y)); /* a line of zeros stays zeros */
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, x, y, &y));
    return onnx_out(c, 0, y);
}

/* The window over channels is an average pool along the width of a [n, h*w, c, 1] picture; its padding counts as zeros. */
sluice_status translate_lrn(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int64_t size = onnx_attr_int(c, "size", 0);
    SL_TRY(onnx_in(c, 0, &x));
    struct sl_shape s = x->shape;
    size_t count = sl_shape_elements(&s);
    if (s.rank < 2 || count == 0 || size < 1 || size > 1 << 20)
        return sl_fail(c->e, SLUICE_E_VALUE, "size %lld on %d dimensions", (long long)size, s.rank);
    const int64_t dims[4] = {s.dim[0], (int64_t)count / (s.dim[0] * s.dim[1]), s.dim[1], 1};
    SL_TRY(sl_build_unary(c->b, x, "square", &y));
    SL_TRY(onnx_channels_last(c, y, &y));
    struct sl_shape last = y->shape;
    SL_TRY(onnx_reshape(c, y, 4, dims, &y));
    y = sl_build_add(c->b, SL_OP_avgpool, 1, &y);
    sl_set_ints(c->g, y, "kernel_shape", 4, (int64_t[]){1, 1, size, 1});
    sl_set_ints(c->g, y, "strides", 4, (int64_t[]){1, 1, 1, 1});
    sl_set_ints(c->g, y, "dilations", 4, (int64_t[]){1, 1, 1, 1});
    sl_set_ints(c->g, y, "pads", 4, (int64_t[]){0, (size - 1) / 2, 0, size / 2});
    sl_set_int(c->g, y, "count_include_pad", 1);
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_reshape(c, y, last.rank, last.dim, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    SL_TRY(sl_build_unary2(c->b, y, "affine", "alpha", onnx_attr_float(c, "alpha", 1e-4), "beta", onnx_attr_float(c, "bias", 1),
                           &y));
    SL_TRY(sl_build_unary2(c->b, y, "pow", "alpha", onnx_attr_float(c, "beta", 0.75), NULL, 0, &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, x, y, &y));
    return onnx_out(c, 0, y);
}
