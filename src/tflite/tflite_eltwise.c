/* tflite_eltwise.c: operators on one or two values at a time: curves, arithmetic with broadcasting, comparisons. */
#include <math.h>
#include <string.h>

#include "tflite/tflite_import.h"

static sluice_status one(struct tfl_import *c, struct sl_node **x)
{
    SL_TRY(tfl_in(c, 0, x));
    return *x ? SLUICE_OK : sl_fail(c->e, SLUICE_E_FORMAT, "the input is missing");
}

static sluice_status two(struct tfl_import *c, struct sl_node **x, struct sl_node **y)
{
    SL_TRY(one(c, x));
    SL_TRY(tfl_in(c, 1, y));
    return *y ? SLUICE_OK : sl_fail(c->e, SLUICE_E_FORMAT, "the second input is missing");
}

/* ---- curves ---- */

static sluice_status curve(struct tfl_import *c, const char *type, const char *k1, double v1, const char *k2, double v2)
{
    struct sl_node *x;
    SL_TRY(one(c, &x));
    SL_TRY(sl_build_unary2(c->b, x, type, k1, v1, k2, v2, &x));
    tfl_mark_wide(c, x);
    return tfl_out(c, 0, x);
}

#define CURVE(name, type)                                                                                                      \
    sluice_status tflop_##name(struct tfl_import *c, const struct tfl_operator *op)                                            \
    {                                                                                                                          \
        return curve(c, type, NULL, 0, NULL, 0);                                                                               \
    }
CURVE(floor, "floor")
CURVE(logistic, "sigmoid")
CURVE(relu, "relu")
CURVE(relu6, "relu6")
CURVE(tanh, "tanh")
CURVE(exp, "exp")
CURVE(neg, "neg")
CURVE(sin, "sin")
CURVE(cos, "cos")
CURVE(log, "log")
CURVE(sqrt, "sqrt")
CURVE(rsqrt, "rsqrt")
CURVE(square, "square")
CURVE(abs, "abs")
CURVE(ceil, "ceil")
CURVE(round, "round")
CURVE(elu, "elu")
CURVE(hard_swish, "hard_swish")
CURVE(sign, "sign")
#undef CURVE

sluice_status tflop_relu_n1_to_1(struct tfl_import *c, const struct tfl_operator *op)
{
    return curve(c, "clip", "minimum", -1, "maximum", 1);
}

sluice_status tflop_relu_0_to_1(struct tfl_import *c, const struct tfl_operator *op)
{
    return curve(c, "clip", "minimum", 0, "maximum", 1);
}

sluice_status tflop_leaky_relu(struct tfl_import *c, const struct tfl_operator *op)
{
    return curve(c, "leaky_relu", "alpha", flat_f32(&op->options, LEAKY_ALPHA, 0), NULL, 0);
}

sluice_status tflop_gelu(struct tfl_import *c, const struct tfl_operator *op)
{
    return curve(c, flat_u8(&op->options, GELU_APPROXIMATE, 0) ? "gelu_tanh" : "gelu", NULL, 0, NULL, 0);
}

sluice_status tflop_prelu(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *slope, *y;
    SL_TRY(two(c, &x, &slope));
    SL_TRY(sl_build_prelu(c->b, x, slope, &y));
    return tfl_out(c, 0, y);
}

/* ---- no change of value ---- */

sluice_status tflop_identity(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    SL_TRY(one(c, &x));
    return tfl_out(c, 0, x);
}

/* Of real values: the encoding is the output tensor's. */
sluice_status tflop_quantize(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    SL_TRY(one(c, &x));
    if (x->dtype != SL_F32)
        return sl_unsupported(c->b, "quantization of %s", sl_dtype_name(x->dtype));
    return tfl_out(c, 0, x);
}

sluice_status tflop_cast(struct tfl_import *c, const struct tfl_operator *op)
{
    const struct tfl_tensor *t = &c->model.tensors[op->out[0]];
    struct sl_node *x;
    SL_TRY(one(c, &x));
    if (tfl_stored_dtype(t) == SL_NONE)
        return sl_unsupported(c->b, "a cast to %s", tfl_type_name(t->type));
    SL_TRY(sl_build_cast(c->b, x, tfl_stored_dtype(t), &x));
    return tfl_out(c, 0, x);
}

/* ---- arithmetic ---- */

static sluice_status arithmetic(struct tfl_import *c, enum sl_op op)
{
    struct sl_node *x, *y;
    SL_TRY(two(c, &x, &y));
    SL_TRY(sl_build_binary(c->b, op, x, y, &x));
    return tfl_activated_out(c, EW_ACTIVATION, x);
}

/* Operators without options have no fused activation. */
static sluice_status plain(struct tfl_import *c, enum sl_op op)
{
    struct sl_node *x, *y;
    SL_TRY(two(c, &x, &y));
    SL_TRY(sl_build_binary(c->b, op, x, y, &x));
    return tfl_out(c, 0, x);
}

#define PAIR(name, how, op_kind)                                                                                               \
    sluice_status tflop_##name(struct tfl_import *c, const struct tfl_operator *op)                                            \
    {                                                                                                                          \
        return how(c, op_kind);                                                                                                \
    }
PAIR(add, arithmetic, SL_OP_ew_add)
PAIR(sub, arithmetic, SL_OP_ew_sub)
PAIR(mul, arithmetic, SL_OP_ew_mult)
PAIR(div, arithmetic, SL_OP_ew_div)
PAIR(maximum, plain, SL_OP_ew_max)
PAIR(minimum, plain, SL_OP_ew_min)
PAIR(floor_mod, plain, SL_OP_ew_mod)
PAIR(bitwise_xor, plain, SL_OP_ew_xor)
PAIR(right_shift, plain, SL_OP_ew_shift_right)
#undef PAIR

sluice_status tflop_pow(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    double v;
    SL_TRY(two(c, &x, &y));
    if (x->dtype != SL_F32 || !sl_node_scalar(y, &v))
        return plain(c, SL_OP_ew_pow);
    SL_TRY(v == 2 ? sl_build_unary(c->b, x, "square", &x) : sl_build_unary2(c->b, x, "pow", "alpha", v, NULL, 0, &x));
    return tfl_out(c, 0, x);
}

sluice_status tflop_add_n(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *sum, *x;
    SL_TRY(one(c, &sum));
    for (int i = 1; i < op->n_in; i++) {
        SL_TRY(tfl_in(c, i, &x));
        if (!x)
            return sl_fail(c->e, SLUICE_E_FORMAT, "input %d is missing", i);
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, sum, x, &sum));
    }
    return tfl_out(c, 0, sum);
}

sluice_status tflop_squared_difference(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    SL_TRY(two(c, &x, &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, x, y, &x));
    SL_TRY(sl_build_unary(c->b, x, "square", &x));
    return tfl_out(c, 0, x);
}

/* floor(x / y); integers go through floats, which hold what shape arithmetic has. */
sluice_status tflop_floor_div(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    SL_TRY(two(c, &x, &y));
    enum sl_dtype t = x->dtype;
    SL_TRY(sl_build_cast(c->b, x, SL_F32, &x));
    SL_TRY(sl_build_cast(c->b, y, SL_F32, &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, x, y, &x));
    SL_TRY(sl_build_unary(c->b, x, "floor", &x));
    SL_TRY(sl_build_cast(c->b, x, t, &x));
    return tfl_out(c, 0, x);
}

sluice_status tflop_compare(struct tfl_import *c, const struct tfl_operator *op)
{
    static const struct {
        int code;
        enum sl_op op;
    } compares[] = {{58, SL_OP_ew_less},
                    {61, SL_OP_ew_greater},
                    {62, SL_OP_ew_greater_equal},
                    {63, SL_OP_ew_less_equal},
                    {71, SL_OP_ew_equal}};
    struct sl_node *x, *y, *always;
    enum { NOT_EQUAL = 72 };
    for (size_t i = 0; i < SL_COUNT(compares); i++)
        if (compares[i].code == op->code)
            return plain(c, compares[i].op);
    if (op->code != NOT_EQUAL)
        return sl_fail(c->e, SLUICE_E_INTERNAL, "no comparison");
    static const uint8_t yes = 1;
    const struct sl_shape scalar = {.rank = 0};
    SL_TRY(two(c, &x, &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_equal, x, y, &x));
    always = sl_build_const(c->b, sl_const_splat(c->a, SL_BOOL, &scalar, &yes));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_xor, x, always, &x));
    return tfl_out(c, 0, x);
}
