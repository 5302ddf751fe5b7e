/*
 * onnx_fold.c: what shape arithmetic is made of besides moving and adding: Constant, ConstantOfShape, Cast, Range, comparisons,
 * logic, Where. On constants they fold; comparisons and the like also run in the network.
 */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"
#include "ops/values.h"

/* ---- constants ---- */

static sluice_status constant_list(struct onnx_import *c, const struct onnx_attr *at, struct sl_node **out)
{
    struct sl_shape list = {1, {at->n}}, scalar = {0};
    if (at->type == ONNX_ATTR_INT)
        *out = sl_build_const(c->b, sl_const_splat(c->a, SL_S64, &scalar, &at->i));
    else if (at->type == ONNX_ATTR_FLOAT)
        *out = sl_build_const(c->b, sl_const_splat(c->a, SL_F32, &scalar, &at->f));
    else if (at->type == ONNX_ATTR_INTS)
        *out = sl_build_const(c->b, sl_const_view(c->a, SL_S64, &list, at->ints));
    else if (at->type == ONNX_ATTR_FLOATS)
        *out = sl_build_const(c->b, sl_const_view(c->a, SL_F32, &list, at->floats));
    else
        return sl_unsupported(c->b, "a constant of strings");
    return SLUICE_OK;
}

sluice_status translate_constant(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const names[] = {"value",       "sparse_value", "value_int",    "value_ints",
                                        "value_float", "value_floats", "value_string", "value_strings"};
    const struct onnx_attr *at = NULL;
    struct sl_node *out = NULL;
    for (size_t i = 0; i < SL_COUNT(names) && !at; i++)
        at = onnx_attribute(c, names[i]);
    if (!at)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the value is missing");
    if (!onnx_wants_out(c, 0))
        return SLUICE_OK;
    if (at->tensor || at->sparse) { /* read when something asks for it */
        struct onnx_value *v = sl_map_get(c->scope->values, n->out[0]);
        v->init = at->tensor;
        v->sparse = at->tensor ? NULL : at->sparse;
        return SLUICE_OK;
    }
    SL_TRY(constant_list(c, at, &out));
    return onnx_out(c, 0, out);
}

sluice_status translate_constant_of_shape(struct onnx_import *c, const struct onnx_node *n)
{
    int rank;
    int64_t *dims;
    const float zero = 0;
    const struct onnx_attr *at = onnx_attribute(c, "value");
    const struct sl_const *value = NULL;
    size_t count;
    SL_TRY(onnx_need_ints(c, 0, "shape", &rank, &dims));
    if (rank > SL_MAX_RANK)
        return sl_unsupported(c->b, "a shape of %d dimensions, at most %d are supported", rank, SL_MAX_RANK);
    struct sl_shape s = sl_shape_of(rank, dims);
    if (!sl_shape_count(&s, &count))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the shape is negative somewhere or too large");
    if (at && at->tensor) {
        SL_TRY(onnx_tensor_const(c, c->a, at->tensor, &value));
        if (sl_shape_elements(&value->shape) != 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "value has %zu elements, not 1", sl_shape_elements(&value->shape));
    }
    return onnx_out(c, 0,
                    sl_build_const(c->b, sl_const_splat(c->a, value ? value->dtype : SL_F32, &s, value ? value->data : &zero)));
}

/* ---- types ---- */

/* 4-bit integers are kept in 8 bits: the upper half is cut off, or filled with the sign. */
static sluice_status keep_four_bits(struct onnx_import *c, struct sl_node *x, bool is_signed, struct sl_node **out)
{
    const struct sl_shape scalar = {0};
    const uint8_t mask = 15, sign = 8;
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_and, x, sl_build_const(c->b, sl_const_splat(c->a, x->dtype, &scalar, &mask)), out));
    if (!is_signed)
        return SLUICE_OK;
    SL_TRY(
        sl_build_binary(c->b, SL_OP_ew_xor, *out, sl_build_const(c->b, sl_const_splat(c->a, x->dtype, &scalar, &sign)), out));
    return sl_build_binary(c->b, SL_OP_ew_sub, *out, sl_build_const(c->b, sl_const_splat(c->a, x->dtype, &scalar, &sign)), out);
}

static sluice_status cast_to(struct onnx_import *c, enum sl_dtype to, int32_t data_type)
{
    struct sl_node *x;
    SL_TRY(onnx_in(c, 0, &x));
    if (to == SL_NONE)
        return sl_unsupported(c->b, "a cast to %s", onnx_dtype_name(data_type));
    SL_TRY(sl_build_cast(c->b, x, to, &x));
    if (data_type == ONNX_TYPE_UINT4 || data_type == ONNX_TYPE_INT4)
        SL_TRY(keep_four_bits(c, x, data_type == ONNX_TYPE_INT4, &x));
    return onnx_out(c, 0, x);
}

/* Before opset 6 the type was a word. */
sluice_status translate_cast(struct onnx_import *c, const struct onnx_node *n)
{
    const char *word = onnx_attr_string(c, "to", "");
    for (int32_t t = 1; word[0] && t < 24; t++) {
        char upper[16] = "";
        for (size_t i = 0; i + 1 < sizeof upper && onnx_dtype_name(t)[i]; i++)
            upper[i] = (char)(onnx_dtype_name(t)[i] >= 'a' ? onnx_dtype_name(t)[i] - 32 : onnx_dtype_name(t)[i]);
        if (strcmp(upper, word) == 0)
            return cast_to(c, onnx_stored_dtype(t), t);
    }
    int64_t to = onnx_attr_int(c, "to", 0);
    int32_t data_type = to > 0 && to < 64 ? (int32_t)to : 0;
    return cast_to(c, onnx_stored_dtype(data_type), data_type);
}

sluice_status translate_cast_like(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *like;
    SL_TRY(onnx_in(c, 1, &like));
    return cast_to(c, like->dtype, onnx_declared_type(c, 1));
}

/* ---- comparisons and logic: masks ---- */

static const struct {
    const char *name;
    enum sl_op op;
} compares[] = {
    {"And", SL_OP_ew_and},
    {"BitwiseAnd", SL_OP_ew_and},
    {"BitwiseOr", SL_OP_ew_or},
    {"BitwiseXor", SL_OP_ew_xor},
    {"Equal", SL_OP_ew_equal},
    {"Greater", SL_OP_ew_greater},
    {"GreaterOrEqual", SL_OP_ew_greater_equal},
    {"Less", SL_OP_ew_less},
    {"LessOrEqual", SL_OP_ew_less_equal},
    {"Or", SL_OP_ew_or},
    {"Xor", SL_OP_ew_xor},
};

sluice_status translate_compare(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y, *out;
    SL_TRY(onnx_two_inputs(c, &x, &y));
    for (size_t i = 0; i < SL_COUNT(compares); i++) {
        if (strcmp(compares[i].name, n->op_type) != 0)
            continue;
        SL_TRY(sl_build_binary(c->b, compares[i].op, x, y, &out));
        return onnx_out(c, 0, out);
    }
    return sl_fail(c->e, SLUICE_E_INTERNAL, "'%s' has no comparison", n->op_type);
}

sluice_status translate_bit_shift(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y, *out;
    const char *direction = onnx_attr_string(c, "direction", "");
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &y));
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "direction '%s' is not LEFT or RIGHT", direction);
    SL_TRY(sl_build_binary(c->b, direction[0] == 'L' ? SL_OP_ew_shift_left : SL_OP_ew_shift_right, x, y, &out));
    return onnx_out(c, 0, out);
}

static sluice_status predicate(struct onnx_import *c, const char *type, bool negative, bool positive)
{
    struct sl_node *x, *y;
    SL_TRY(onnx_in(c, 0, &x));
    y = sl_build_add(c->b, SL_OP_predicate, 1, &x);
    sl_set_string(c->g, y, "type", type);
    if (!negative)
        sl_set_int(c->g, y, "detect_negative", 0);
    if (!positive)
        sl_set_int(c->g, y, "detect_positive", 0);
    SL_TRY(sl_build_finish(c->b, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_not(struct onnx_import *c, const struct onnx_node *n)
{
    return predicate(c, "not", true, true);
}

sluice_status translate_is_nan(struct onnx_import *c, const struct onnx_node *n)
{
    return predicate(c, "is_nan", true, true);
}

sluice_status translate_is_inf(struct onnx_import *c, const struct onnx_node *n)
{
    return predicate(c, "is_inf", onnx_attr_int(c, "detect_negative", 1) != 0, onnx_attr_int(c, "detect_positive", 1) != 0);
}

sluice_status translate_mod(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[2], *out;
    SL_TRY(onnx_in(c, 0, &in[0]));
    SL_TRY(onnx_in(c, 1, &in[1]));
    out = sl_build_add(c->b, SL_OP_ew_mod, 2, in);
    sl_set_int(c->g, out, "fmod", onnx_attr_int(c, "fmod", 0) != 0);
    SL_TRY(sl_build_finish(c->b, &out));
    return onnx_out(c, 0, out);
}

/* ---- Where, Range, NonZero ---- */

/* A condition that is the same everywhere leaves one side, broadcast. */
sluice_status translate_where(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[3], *out;
    for (int i = 0; i < 3; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    out = sl_build_add(c->b, SL_OP_where, 3, in);
    const struct sl_const *k = sl_node_const(in[0]);
    size_t count = k ? sl_shape_elements(&k->shape) : 0;
    bool same = count > 0 && in[1]->dtype == in[2]->dtype;
    for (size_t i = 1; same && !k->splat && i < count; i++)
        same = !sl_const_integer(k, i) == !sl_const_integer(k, 0);
    if (same) {
        SL_TRY(sl_infer(c->g, out, c->e)); /* for the shape; the node itself is read by nothing */
        SL_TRY(sl_build_expand(c->b, in[sl_const_integer(k, 0) ? 1 : 2], &out->shape, &out));
    } else {
        SL_TRY(sl_build_finish(c->b, &out));
    }
    return onnx_out(c, 0, out);
}

sluice_status translate_range(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const names[3] = {"start", "limit", "delta"};
    const struct sl_const *k[3], *result;
    double v[3];
    void *data;
    for (int i = 0; i < 3; i++) {
        SL_TRY(onnx_need_const(c, i, names[i], &k[i]));
        if (!sl_const_scalar(k[i], &v[i]))
            return sl_fail(c->e, SLUICE_E_SHAPE, "%s is not one number", names[i]);
    }
    if (v[2] == 0 || !isfinite(v[0]) || !isfinite(v[1]) || !isfinite(v[2]))
        return sl_fail(c->e, SLUICE_E_VALUE, "no range from %g to %g by %g", v[0], v[1], v[2]);
    double length = ceil((v[1] - v[0]) / v[2]);
    struct sl_shape s = {1, {length > 0 ? length > 1e15 ? INT64_MAX : (int64_t)length : 0}};
    SL_TRY(sl_build_new_const(c->b, k[0]->dtype, &s, &result, &data));
    const int64_t first = sl_const_integer(k[0], 0), step = sl_const_integer(k[2], 0);
    const bool floats = sl_is_float_class(k[0]->dtype);
    const size_t bytes = sl_dtype_bits(k[0]->dtype) / 8;
    for (size_t i = 0; i < (size_t)s.dim[0]; i++) {
        float f = (float)(v[0] + (double)i * v[2]);
        int64_t whole = (int64_t)((uint64_t)first + i * (uint64_t)step);
        sl_values_pack(k[0]->dtype, floats ? (void *)&f : (void *)&whole, 1, (char *)data + i * bytes);
    }
    return onnx_out(c, 0, sl_build_const(c->b, result));
}

sluice_status translate_non_zero(struct onnx_import *c, const struct onnx_node *n)
{
    const struct sl_const *k, *result;
    void *data;
    size_t found = 0, at = 0;
    SL_TRY(onnx_need_const(c, 0, "value", &k));
    const size_t total = sl_shape_elements(&k->shape);
    SL_TRY(sl_build_take(c->b, total));
    for (size_t i = 0; i < total; i++)
        found += sl_const_number(k, i) != 0;
    struct sl_shape s = {2, {k->shape.rank, (int64_t)found}};
    SL_TRY(sl_build_new_const(c->b, SL_S64, &s, &result, &data));
    for (size_t i = 0; i < total; i++) {
        if (sl_const_number(k, i) == 0)
            continue;
        size_t rest = i;
        for (int axis = k->shape.rank - 1; axis >= 0; axis--) {
            ((int64_t *)data)[(size_t)axis * found + at] = (int64_t)(rest % (size_t)k->shape.dim[axis]);
            rest /= (size_t)k->shape.dim[axis];
        }
        at++;
    }
    return onnx_out(c, 0, sl_build_const(c->b, result));
}
