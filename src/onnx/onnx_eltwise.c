/*
 * onnx_eltwise.c: operators that work element by element: activations, arithmetic with broadcasting (also the axis form of
 * opsets before 7), Pow by constants, Clip, PRelu.
 */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"

/* ---- one input ---- */

/* Operators that are one activation: its type, and up to two attributes with their ONNX defaults. */
static const struct {
    const char *op, *type, *k1;
    double v1;
    const char *k2;
    double v2;
} curves[] = {
    {"Abs", "abs", 0},
    {"Acos", "acos", 0},
    {"Acosh", "acosh", 0},
    {"Asin", "asin", 0},
    {"Asinh", "asinh", 0},
    {"Atan", "atan", 0},
    {"Atanh", "atanh", 0},
    {"Ceil", "ceil", 0},
    {"Celu", "celu", "alpha", 1.0, 0, 0},
    {"Cos", "cos", 0},
    {"Cosh", "cosh", 0},
    {"Elu", "elu", "alpha", 1.0, 0, 0},
    {"Erf", "erf", 0},
    {"Exp", "exp", 0},
    {"Floor", "floor", 0},
    {"HardSigmoid", "hard_sigmoid", "alpha", 0.2, "beta", 0.5},
    {"HardSwish", "hard_swish", 0},
    {"LeakyRelu", "leaky_relu", "alpha", 0.01, 0, 0},
    {"Log", "log", 0},
    {"Mish", "mish", 0},
    {"Neg", "neg", 0},
    {"Reciprocal", "reciprocal", 0},
    {"Relu", "relu", 0},
    {"Round", "round", 0},
    {"Selu", "selu", "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875},
    {"Sigmoid", "sigmoid", 0},
    {"Sign", "sign", 0},
    {"Sin", "sin", 0},
    {"Sinh", "sinh", 0},
    {"Softplus", "softplus", 0},
    {"Softsign", "softsign", 0},
    {"Sqrt", "sqrt", 0},
    {"Tan", "tan", 0},
    {"Tanh", "tanh", 0},
    {"ThresholdedRelu", "thresholded_relu", "alpha", 1.0, 0, 0},
};

sluice_status translate_curve(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    size_t i = 0;
    while (i < SL_COUNT(curves) && strcmp(curves[i].op, n->op_type) != 0)
        i++;
    if (i == SL_COUNT(curves))
        return sl_fail(c->e, SLUICE_E_INTERNAL, "'%s' has no activation", n->op_type);
    SL_TRY(onnx_in(c, 0, &x));
    const char *k2 = curves[i].k2 && strcmp(curves[i].k2, "gamma") == 0 ? "beta" : curves[i].k2; /* selu's gamma is our beta */
    double v1 = curves[i].k1 ? onnx_attr_float(c, curves[i].k1, curves[i].v1) : 0;
    double v2 = k2 ? onnx_attr_float(c, curves[i].k2, curves[i].v2) : 0;
    SL_TRY(sl_build_unary2(c->b, x, curves[i].type, curves[i].k1, v1, k2, v2, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_gelu(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    const char *form = onnx_attr_string(c, "approximate", "none");
    SL_TRY(onnx_in(c, 0, &x));
    if (strcmp(form, "none") != 0 && strcmp(form, "tanh") != 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "approximate '%s' is not 'none' or 'tanh'", form);
    SL_TRY(sl_build_unary(c->b, x, form[0] == 't' ? "gelu_tanh" : "gelu", &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_shrink(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_unary2(c->b, x, "shrink", "alpha", onnx_attr_float(c, "lambd", 0.5), "beta", onnx_attr_float(c, "bias", 0),
                           &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_identity(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    SL_TRY(onnx_in_any(c, 0, &x));
    return onnx_out(c, 0, x);
}

/* Dropout in inference is the identity; its mask is all ones. Opsets before 7 had an is_test attribute, later ones an input. */
sluice_status translate_dropout(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    const struct sl_const *training;
    double on = 0;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in_const(c, 2, &training));
    if (onnx_has_in(c, 2) && (!training || (sl_const_scalar(training, &on) && on != 0)))
        return sl_unsupported(c->b, "training mode");
    if (onnx_wants_out(c, 1)) {
        const uint8_t one = 1;
        bool is_bool = c->scope->opset >= 10;
        const float onef = 1;
        SL_TRY(onnx_out(c, 1,
                        sl_build_const(c->b, sl_const_splat(c->a, is_bool ? SL_BOOL : SL_F32, &x->shape,
                                                            is_bool ? (const void *)&one : (const void *)&onef))));
    }
    return onnx_out(c, 0, x);
}

/* ---- two inputs ---- */

/* Before opset 7, `broadcast` = 1 aligned the second input at `axis` instead of at the end. */
static sluice_status align_axis(struct onnx_import *c, const struct sl_node *x, struct sl_node *y, struct sl_node **out)
{
    *out = y;
    if (c->scope->opset >= 7 || !onnx_attr_int(c, "broadcast", 0))
        return SLUICE_OK;
    int axis;
    int64_t dims[SL_MAX_RANK];
    if (!onnx_attribute(c, "axis") || y->shape.rank == 0)
        return SLUICE_OK;
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x->shape.rank, &axis));
    if (axis + y->shape.rank > x->shape.rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "axis %d leaves no room for %d dimensions", axis, y->shape.rank);
    int rank = x->shape.rank - axis;
    for (int i = 0; i < rank; i++)
        dims[i] = i < y->shape.rank ? y->shape.dim[i] : 1;
    return onnx_reshape(c, y, rank, dims, out);
}

sluice_status onnx_two_inputs(struct onnx_import *c, struct sl_node **x, struct sl_node **y)
{
    SL_TRY(onnx_in(c, 0, x));
    SL_TRY(onnx_in(c, 1, y));
    return align_axis(c, *x, *y, y);
}

/* x op y, or x itself when y is a constant that changes nothing and does not widen the shape. */
static bool is_neutral(const struct sl_node *x, const struct sl_node *y, double neutral)
{
    double v;
    if (!sl_node_scalar(y, &v) || v != neutral || y->shape.rank > x->shape.rank || x->op == SL_OP_const_input)
        return false;
    for (int i = 0; i < y->shape.rank; i++)
        if (y->shape.dim[i] != 1 && y->shape.dim[i] != x->shape.dim[x->shape.rank - y->shape.rank + i])
            return false;
    return true;
}

static sluice_status arithmetic(struct onnx_import *c, enum sl_op op, double neutral, bool commutes)
{
    struct sl_node *x, *y, *out;
    SL_TRY(onnx_two_inputs(c, &x, &y));
    if (is_neutral(x, y, neutral))
        return onnx_out(c, 0, x);
    if (commutes && is_neutral(y, x, neutral))
        return onnx_out(c, 0, y);
    SL_TRY(sl_build_binary(c->b, op, x, y, &out));
    return onnx_out(c, 0, out);
}

sluice_status translate_add(struct onnx_import *c, const struct onnx_node *n)
{
    return arithmetic(c, SL_OP_ew_add, 0, true);
}

sluice_status translate_sub(struct onnx_import *c, const struct onnx_node *n)
{
    return arithmetic(c, SL_OP_ew_sub, 0, false);
}

sluice_status translate_mul(struct onnx_import *c, const struct onnx_node *n)
{
    return arithmetic(c, SL_OP_ew_mult, 1, true);
}

sluice_status translate_div(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y, *out;
    double v;
    SL_TRY(onnx_two_inputs(c, &x, &y));
    if (y->op != SL_OP_const_input && x->shape.rank == 0 && sl_node_scalar(x, &v) && v == 1 && sl_dtype_is_float(y->dtype)) {
        SL_TRY(sl_build_unary(c->b, y, "reciprocal", &out));
        return onnx_out(c, 0, out);
    }
    return arithmetic(c, SL_OP_ew_div, 1, false);
}

/* Max, Min, Sum and Mean of any number of inputs. */
static sluice_status chain(struct onnx_import *c, enum sl_op op, struct sl_node **out)
{
    SL_TRY(onnx_in(c, 0, out));
    for (int i = 1; i < c->node->n_in; i++) {
        struct sl_node *y;
        SL_TRY(onnx_in(c, i, &y));
        if (!y)
            return sl_fail(c->e, SLUICE_E_FORMAT, "input %d is left out", i);
        SL_TRY(sl_build_binary(c->b, op, *out, y, out));
    }
    return SLUICE_OK;
}

/* Max(x, 0) is Relu. */
static sluice_status bounded(struct onnx_import *c, enum sl_op op)
{
    struct sl_node *x, *y, *out;
    double v;
    for (int k = 0; c->node->n_in == 2 && k < 2; k++) {
        SL_TRY(onnx_in(c, k, &x));
        SL_TRY(onnx_in(c, 1 - k, &y));
        if (x->op == SL_OP_const_input || !sl_dtype_is_float(x->dtype) || !sl_node_scalar(y, &v) || !is_neutral(x, y, v))
            continue;
        bool max = op == SL_OP_ew_max;
        if (max && v == 0)
            SL_TRY(sl_build_unary(c->b, x, "relu", &out));
        else
            SL_TRY(sl_build_unary2(c->b, x, "clip", max ? "minimum" : "maximum", v, NULL, 0, &out));
        return onnx_out(c, 0, out);
    }
    SL_TRY(chain(c, op, &out));
    return onnx_out(c, 0, out);
}

sluice_status translate_max(struct onnx_import *c, const struct onnx_node *n)
{
    return bounded(c, SL_OP_ew_max);
}

sluice_status translate_min(struct onnx_import *c, const struct onnx_node *n)
{
    return bounded(c, SL_OP_ew_min);
}

sluice_status translate_sum(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *out;
    SL_TRY(chain(c, SL_OP_ew_add, &out));
    return onnx_out(c, 0, out);
}

sluice_status translate_mean(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *out;
    SL_TRY(chain(c, SL_OP_ew_add, &out));
    if (n->n_in > 1)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, out, sl_build_f32(c->b, n->n_in), &out));
    return onnx_out(c, 0, out);
}

/* ---- powers ---- */

sluice_status translate_pow(struct onnx_import *c, const struct onnx_node *n)
{
    static const struct {
        double power;
        const char *type;
    } special[] = {{2, "square"}, {0.5, "sqrt"}, {-0.5, "rsqrt"}, {-1, "reciprocal"}};
    struct sl_node *x, *y, *out;
    double p;
    SL_TRY(onnx_two_inputs(c, &x, &y));
    if (!sl_node_scalar(y, &p) || y->shape.rank > x->shape.rank || !sl_dtype_is_float(x->dtype)) {
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_pow, x, y, &out));
        return onnx_out(c, 0, out);
    }
    if (p == 1)
        return onnx_out(c, 0, x);
    const char *type = "pow";
    for (size_t i = 0; i < SL_COUNT(special); i++)
        if (special[i].power == p)
            type = special[i].type;
    if (strcmp(type, "pow") == 0)
        SL_TRY(sl_build_unary2(c->b, x, type, "alpha", p, NULL, 0, &out));
    else
        SL_TRY(sl_build_unary(c->b, x, type, &out));
    return onnx_out(c, 0, out);
}

/* ---- bounds ---- */

/* min and max are attributes before opset 11, inputs since. */
static sluice_status clip_bounds(struct onnx_import *c, double *lo, double *hi, bool *constant)
{
    *lo = -INFINITY;
    *hi = INFINITY;
    *constant = true;
    if (c->scope->opset < 11) {
        *lo = onnx_attr_float(c, "min", *lo);
        *hi = onnx_attr_float(c, "max", *hi);
        return SLUICE_OK;
    }
    for (int i = 1; i <= 2; i++) {
        const struct sl_const *k;
        SL_TRY(onnx_in_const(c, i, &k));
        if (onnx_has_in(c, i) && !sl_const_scalar(k, i == 1 ? lo : hi))
            *constant = false;
    }
    return SLUICE_OK;
}

sluice_status translate_clip(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    double lo, hi;
    bool constant;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(clip_bounds(c, &lo, &hi, &constant));
    if (!constant || lo > hi ||
        !sl_dtype_is_float(x->dtype)) { /* min above max: every value becomes max, as min(max(x, lo), hi) */
        y = x;
        for (int i = 1; i <= 2; i++) {
            struct sl_node *bound;
            SL_TRY(onnx_in(c, i, &bound));
            if (bound)
                SL_TRY(sl_build_binary(c->b, i == 1 ? SL_OP_ew_max : SL_OP_ew_min, y, bound, &y));
        }
        return onnx_out(c, 0, y);
    }
    if (lo <= -3.4e38 && hi >= 3.4e38)
        return onnx_out(c, 0, x);
    if (lo == 0 && hi >= 3.4e38)
        SL_TRY(sl_build_unary(c->b, x, "relu", &y));
    else if (lo == 0 && hi == 6)
        SL_TRY(sl_build_unary(c->b, x, "relu6", &y));
    else
        SL_TRY(sl_build_unary2(c->b, x, "clip", lo > -3.4e38 ? "minimum" : NULL, lo, hi < 3.4e38 ? "maximum" : NULL, hi, &y));
    return onnx_out(c, 0, y);
}

/* One slope is LeakyRelu; one a channel is relu(x) + slope * min(x, 0). */
sluice_status translate_prelu(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *slope, *y;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &slope));
    if (c->scope->opset < 7 && slope->shape.rank == 1 && x->shape.rank > 2) { /* by channel, without the ones behind */
        int64_t dims[SL_MAX_RANK];
        for (int i = 0; i < x->shape.rank - 1; i++)
            dims[i] = i ? 1 : slope->shape.dim[0];
        SL_TRY(onnx_reshape(c, slope, x->shape.rank - 1, dims, &slope));
    }
    SL_TRY(sl_build_prelu(c->b, x, slope, &y));
    return onnx_out(c, 0, y);
}

/* x * sigmoid(alpha x), of opset 24 */
sluice_status translate_swish(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    double alpha = onnx_attr_float(c, "alpha", 1);
    SL_TRY(onnx_in(c, 0, &x));
    if (alpha == 1)
        SL_TRY(sl_build_unary(c->b, x, "silu", &y));
    else
        SL_TRY(sl_build_unary2(c->b, x, "swish_beta", "beta", alpha, NULL, 0, &y));
    return onnx_out(c, 0, y);
}
