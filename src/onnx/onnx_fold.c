/*
 * onnx_fold.c: operators that make or combine constants: Constant, ConstantOfShape, Cast, Range, comparisons, logic, Where ... Shape
 * arithmetic of exporters ends here. Applied to values computed at run time, most of them are not supported.
 */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"

/* ---- constants ---- */

static sluice_status constant_list(struct onnx_import *c, const struct onnx_attr *at, struct sl_node **out)
{
    struct sl_shape list = {1, {at->n}}, scalar = {0};
    if (at->type == ONNX_ATTR_INT)
        *out = onnx_constant(c, sl_const_splat(c->a, SL_S64, &scalar, &at->i));
    else if (at->type == ONNX_ATTR_FLOAT)
        *out = onnx_constant(c, sl_const_splat(c->a, SL_F32, &scalar, &at->f));
    else if (at->type == ONNX_ATTR_INTS)
        *out = onnx_constant(c, sl_const_view(c->a, SL_S64, &list, at->ints));
    else if (at->type == ONNX_ATTR_FLOATS)
        *out = onnx_constant(c, sl_const_view(c->a, SL_F32, &list, at->floats));
    else
        return onnx_unsupported(c, "a constant of strings");
    return SLUICE_OK;
}

sluice_status translate_constant(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const names[] = {"value", "sparse_value", "value_int", "value_ints", "value_float", "value_floats",
                                        "value_string", "value_strings"};
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

static sluice_status check_size(struct onnx_import *c, const struct sl_shape *s, size_t *n)
{
    char text[160];
    if (!sl_shape_count(s, n))
        return sl_fail(c->e, SLUICE_E_LIMIT, "a constant of shape %s is too large", sl_shape_text(s, text, sizeof text));
    return onnx_take_folding(c, *n);
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
        return onnx_unsupported(c, "a shape of %d dimensions, at most %d are supported", rank, SL_MAX_RANK);
    struct sl_shape s = sl_shape_of(rank, dims);
    if (!sl_shape_count(&s, &count))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the shape is negative somewhere or too large");
    if (at && at->tensor) {
        SL_TRY(onnx_tensor_const(c, c->a, at->tensor, &value));
        if (sl_shape_elements(&value->shape) != 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "value has %zu elements, not 1", sl_shape_elements(&value->shape));
    }
    return onnx_out(c, 0, onnx_constant(c, sl_const_splat(c->a, value ? value->dtype : SL_F32, &s, value ? value->data : &zero)));
}

/* ---- writing results ---- */

static void put_number(const struct sl_const *k, void *data, size_t i, double f, int64_t v)
{
    switch (k->dtype) {
    case SL_F32: ((float *)data)[i] = (float)f; break;
    case SL_BOOL: ((uint8_t *)data)[i] = v != 0; break;
    case SL_U8:
    case SL_S8: ((uint8_t *)data)[i] = (uint8_t)v; break;
    case SL_U16:
    case SL_S16: ((uint16_t *)data)[i] = (uint16_t)v; break;
    case SL_U32:
    case SL_S32: ((uint32_t *)data)[i] = (uint32_t)v; break;
    default: ((uint64_t *)data)[i] = (uint64_t)v; break;
    }
}

static sluice_status new_result(struct onnx_import *c, enum sl_dtype t, const struct sl_shape *s, const struct sl_const **out, void **data,
                                size_t *n)
{
    SL_TRY(check_size(c, s, n));
    *out = sl_const_new(c->a, t, s, data);
    return *out ? SLUICE_OK : sl_fail(c->e, SLUICE_E_MEMORY, "no memory for a constant of %zu elements", *n);
}

/* ---- types ---- */

static sluice_status convert_const(struct onnx_import *c, const struct sl_const *k, enum sl_dtype to, const struct sl_const **out)
{
    size_t n;
    void *data;
    *out = k;
    if (k->dtype == to)
        return SLUICE_OK;
    struct sl_shape one = {0};
    SL_TRY(new_result(c, to, k->splat ? &one : &k->shape, out, &data, &n));
    for (size_t i = 0; i < n; i++) {
        double f = onnx_const_at_f64(k, i);
        int64_t v = onnx_const_at_s64(k, i);
        put_number(*out, data, i, f, to == SL_BOOL ? f != 0 : v);
    }
    if (k->splat)
        *out = sl_const_splat(c->a, to, &k->shape, data);
    return SLUICE_OK;
}

static sluice_status cast_to(struct onnx_import *c, int32_t data_type)
{
    struct sl_node *x;
    enum sl_dtype to = onnx_stored_dtype(data_type);
    const struct sl_const *k;
    SL_TRY(onnx_in(c, 0, &x));
    if (to == SL_NONE)
        return onnx_unsupported(c, "a cast to %s", onnx_dtype_name(data_type));
    if (x->dtype == to) /* float16, bfloat16 and double are all float here */
        return onnx_out(c, 0, x);
    if (!onnx_node_const(x))
        return onnx_unsupported(c, "a cast of %s to %s at run time", sl_dtype_name(x->dtype), onnx_dtype_name(data_type));
    SL_TRY(convert_const(c, onnx_node_const(x), to, &k));
    return onnx_out(c, 0, onnx_constant(c, k));
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
            return cast_to(c, t);
    }
    int64_t to = onnx_attr_int(c, "to", 0);
    return cast_to(c, to > 0 && to < 64 ? (int32_t)to : 0);
}

sluice_status translate_cast_like(struct onnx_import *c, const struct onnx_node *n)
{
    static const int32_t code[SL_DTYPE_COUNT] = {[SL_F32] = 1, [SL_U8] = 2, [SL_S8] = 3, [SL_U16] = 4, [SL_S16] = 5, [SL_S32] = 6,
                                                 [SL_S64] = 7, [SL_BOOL] = 9, [SL_U32] = 12, [SL_U64] = 13};
    struct sl_node *like;
    SL_TRY(onnx_in(c, 1, &like));
    return cast_to(c, code[like->dtype]);
}

/* ---- two constants, element by element ---- */

struct pair { bool is_float; double fa, fb; int64_t a, b; };
typedef void pair_fn(const struct pair *p, double *f, int64_t *v);

static void pair_equal(const struct pair *p, double *f, int64_t *v) { *v = p->is_float ? p->fa == p->fb : p->a == p->b; }
static void pair_less(const struct pair *p, double *f, int64_t *v) { *v = p->is_float ? p->fa < p->fb : p->a < p->b; }
static void pair_less_equal(const struct pair *p, double *f, int64_t *v) { *v = p->is_float ? p->fa <= p->fb : p->a <= p->b; }
static void pair_greater(const struct pair *p, double *f, int64_t *v) { *v = p->is_float ? p->fa > p->fb : p->a > p->b; }
static void pair_greater_equal(const struct pair *p, double *f, int64_t *v) { *v = p->is_float ? p->fa >= p->fb : p->a >= p->b; }
static void pair_and(const struct pair *p, double *f, int64_t *v) { *v = p->a && p->b; }
static void pair_or(const struct pair *p, double *f, int64_t *v) { *v = p->a || p->b; }
static void pair_xor(const struct pair *p, double *f, int64_t *v) { *v = !p->a != !p->b; }

static void pair_pow(const struct pair *p, double *f, int64_t *v)
{
    *f = pow(p->fa, p->fb);
    *v = *f >= -9.2e18 && *f <= 9.2e18 ? (int64_t)*f : 0;
}

/* fmod 0: the sign of the divisor; 1: of the dividend. */
static void pair_mod(const struct pair *p, double *f, int64_t *v)
{
    *f = fmod(p->fa, p->fb);
    *v = p->b == 0 || p->b == -1 ? 0 : p->a % p->b;
    if (*v && (*v < 0) != (p->b < 0))
        *v += p->b;
}

static void pair_fmod(const struct pair *p, double *f, int64_t *v)
{
    *f = fmod(p->fa, p->fb);
    *v = p->b == 0 || p->b == -1 ? 0 : p->a % p->b;
}

static const struct { const char *op; pair_fn *fn; bool is_bool; } pairs[] = {
    {"And", pair_and, true}, {"Equal", pair_equal, true}, {"Greater", pair_greater, true}, {"GreaterOrEqual", pair_greater_equal, true},
    {"Less", pair_less, true}, {"LessOrEqual", pair_less_equal, true}, {"Or", pair_or, true}, {"Xor", pair_xor, true},
};

static sluice_status broadcast(struct onnx_import *c, int n, const struct sl_const *const *k, struct sl_shape *out)
{
    *out = (struct sl_shape){0};
    for (int i = 0; i < n; i++)
        out->rank = SL_MAX(out->rank, k[i]->shape.rank);
    for (int axis = 1; axis <= out->rank; axis++) {
        int64_t dim = 1;
        for (int i = 0; i < n; i++) {
            int64_t d = axis <= k[i]->shape.rank ? k[i]->shape.dim[k[i]->shape.rank - axis] : 1;
            if (d != 1 && dim != 1 && d != dim)
                return sl_fail(c->e, SLUICE_E_SHAPE, "dimensions %lld and %lld do not broadcast", (long long)dim, (long long)d);
            dim = d != 1 ? d : dim;
        }
        out->dim[out->rank - axis] = dim;
    }
    return SLUICE_OK;
}

/* The element of k that stands at linear position i of the broadcast shape. */
static size_t source_index(const struct sl_const *k, const struct sl_shape *s, size_t i)
{
    size_t at = 0, stride = 1;
    for (int axis = 1; axis <= k->shape.rank; axis++) {
        size_t dim = (size_t)s->dim[s->rank - axis], own = (size_t)k->shape.dim[k->shape.rank - axis];
        at += (own == 1 ? 0 : i % dim) * stride;
        stride *= own;
        i /= dim;
    }
    return at;
}

static sluice_status fold_pair(struct onnx_import *c, struct sl_node *const *in, pair_fn *fn, bool is_bool)
{
    const struct sl_const *k[2] = {onnx_node_const(in[0]), onnx_node_const(in[1])}, *result;
    struct sl_shape s;
    size_t n;
    void *data;
    if (!k[0] || !k[1])
        return onnx_unsupported(c, "%s of values computed at run time", c->node->op_type);
    SL_TRY(broadcast(c, 2, k, &s));
    SL_TRY(new_result(c, is_bool ? SL_BOOL : k[0]->dtype, &s, &result, &data, &n));
    for (size_t i = 0; i < n; i++) {
        size_t ia = source_index(k[0], &s, i), ib = source_index(k[1], &s, i);
        struct pair p = {sl_dtype_is_float(k[0]->dtype) || sl_dtype_is_float(k[1]->dtype), onnx_const_at_f64(k[0], ia),
                         onnx_const_at_f64(k[1], ib), onnx_const_at_s64(k[0], ia), onnx_const_at_s64(k[1], ib)};
        double f = 0;
        int64_t v = 0;
        fn(&p, &f, &v);
        put_number(result, data, i, f, v);
    }
    return onnx_out(c, 0, onnx_constant(c, result));
}

sluice_status translate_compare(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[2];
    SL_TRY(onnx_in(c, 0, &in[0]));
    SL_TRY(onnx_in(c, 1, &in[1]));
    for (size_t i = 0; i < SL_COUNT(pairs); i++)
        if (strcmp(pairs[i].op, n->op_type) == 0)
            return fold_pair(c, in, pairs[i].fn, pairs[i].is_bool);
    return sl_fail(c->e, SLUICE_E_INTERNAL, "'%s' has no comparison", n->op_type);
}

sluice_status onnx_fold_pow(struct onnx_import *c, struct sl_node *const *in)
{
    return fold_pair(c, in, pair_pow, false);
}

sluice_status translate_mod(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[2];
    SL_TRY(onnx_in(c, 0, &in[0]));
    SL_TRY(onnx_in(c, 1, &in[1]));
    return fold_pair(c, in, onnx_attr_int(c, "fmod", 0) ? pair_fmod : pair_mod, false);
}

sluice_status translate_not(struct onnx_import *c, const struct onnx_node *n)
{
    const struct sl_const *k, *result;
    void *data;
    size_t count;
    SL_TRY(onnx_need_const(c, 0, "condition", &k));
    SL_TRY(new_result(c, SL_BOOL, &k->shape, &result, &data, &count));
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)data)[i] = !onnx_const_at_s64(k, i);
    return onnx_out(c, 0, onnx_constant(c, result));
}

/* ---- Where, Range, NonZero ---- */

sluice_status translate_where(struct onnx_import *c, const struct onnx_node *n)
{
    const struct sl_const *k[3], *result;
    struct sl_node *in[3];
    struct sl_shape s;
    double all;
    size_t count;
    void *data;
    SL_TRY(onnx_need_const(c, 0, "condition", &k[0]));
    for (int i = 1; i < 3; i++) {
        SL_TRY(onnx_in(c, i, &in[i]));
        k[i] = onnx_node_const(in[i]);
    }
    if (onnx_const_scalar(k[0], &all) || !k[1] || !k[2]) { /* one side, broadcast to the shape of all */
        const struct sl_const shapes[3] = {*k[0], {.shape = in[1]->shape}, {.shape = in[2]->shape}};
        const struct sl_const *const list[3] = {&shapes[0], &shapes[1], &shapes[2]};
        bool same = true;
        for (size_t i = 1; i < sl_shape_elements(&k[0]->shape) && same; i++)
            same = !onnx_const_at_s64(k[0], i) == !onnx_const_at_s64(k[0], 0);
        if (!same || sl_shape_elements(&k[0]->shape) == 0)
            return onnx_where_mixed(c, k[0], in[1], in[2]);
        struct sl_node *chosen = in[onnx_const_at_s64(k[0], 0) ? 1 : 2];
        SL_TRY(broadcast(c, 3, list, &s));
        SL_TRY(onnx_expand(c, chosen, &s, &chosen));
        return onnx_out(c, 0, chosen);
    }
    SL_TRY(broadcast(c, 3, k, &s));
    SL_TRY(new_result(c, k[1]->dtype, &s, &result, &data, &count));
    for (size_t i = 0; i < count; i++) {
        const struct sl_const *from = onnx_const_at_s64(k[0], source_index(k[0], &s, i)) ? k[1] : k[2];
        size_t at = source_index(from, &s, i);
        put_number(result, data, i, onnx_const_at_f64(from, at), onnx_const_at_s64(from, at));
    }
    return onnx_out(c, 0, onnx_constant(c, result));
}

/* A constant mask choosing between activations: x * m + y * (1 - m). Infinite fillers (attention masks) would make NaN that way, so
 * they are limited to the largest finite float first. */
static sluice_status mask_of(struct onnx_import *c, const struct sl_const *condition, bool inverted, struct sl_node **out)
{
    const struct sl_const *result;
    void *data;
    size_t n;
    SL_TRY(new_result(c, SL_F32, &condition->shape, &result, &data, &n));
    for (size_t i = 0; i < n; i++)
        ((float *)data)[i] = (onnx_const_at_s64(condition, i) != 0) != inverted;
    *out = onnx_constant(c, result);
    return SLUICE_OK;
}

static sluice_status make_finite(struct onnx_import *c, struct sl_node **n)
{
    const struct sl_const *k = onnx_node_const(*n), *result;
    void *data;
    size_t count;
    if (!k || k->dtype != SL_F32)
        return SLUICE_OK;
    struct sl_shape one = {0};
    SL_TRY(new_result(c, SL_F32, k->splat ? &one : &k->shape, &result, &data, &count));
    for (size_t i = 0; i < count; i++)
        ((float *)data)[i] = (float)fmax(fmin(onnx_const_at_f64(k, i), 3.4028234663852886e38), -3.4028234663852886e38);
    *n = onnx_constant(c, k->splat ? sl_const_splat(c->a, SL_F32, &k->shape, data) : result);
    return SLUICE_OK;
}

sluice_status onnx_where_mixed(struct onnx_import *c, const struct sl_const *condition, struct sl_node *x, struct sl_node *y)
{
    struct sl_node *keep, *other;
    if (x->dtype != SL_F32 || y->dtype != SL_F32)
        return onnx_unsupported(c, "Where of %s at run time", sl_dtype_name(x->dtype));
    SL_TRY(mask_of(c, condition, false, &keep));
    SL_TRY(mask_of(c, condition, true, &other));
    SL_TRY(make_finite(c, &x));
    SL_TRY(make_finite(c, &y));
    SL_TRY(onnx_binary(c, SL_OP_ew_mult, x, keep, &x));
    SL_TRY(onnx_binary(c, SL_OP_ew_mult, y, other, &y));
    SL_TRY(onnx_binary(c, SL_OP_ew_add, x, y, &x));
    return onnx_out(c, 0, x);
}

sluice_status translate_range(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const names[3] = {"start", "limit", "delta"};
    const struct sl_const *k[3], *result;
    double v[3];
    void *data;
    size_t count;
    for (int i = 0; i < 3; i++) {
        SL_TRY(onnx_need_const(c, i, names[i], &k[i]));
        if (!onnx_const_scalar(k[i], &v[i]))
            return sl_fail(c->e, SLUICE_E_SHAPE, "%s is not one number", names[i]);
    }
    if (v[2] == 0 || !isfinite(v[0]) || !isfinite(v[1]) || !isfinite(v[2]))
        return sl_fail(c->e, SLUICE_E_VALUE, "no range from %g to %g by %g", v[0], v[1], v[2]);
    double length = ceil((v[1] - v[0]) / v[2]);
    struct sl_shape s = {1, {length > 0 ? length > 1e15 ? INT64_MAX : (int64_t)length : 0}};
    SL_TRY(new_result(c, k[0]->dtype, &s, &result, &data, &count));
    int64_t first = onnx_const_at_s64(k[0], 0), step = onnx_const_at_s64(k[2], 0);
    for (size_t i = 0; i < count; i++)
        put_number(result, data, i, v[0] + (double)i * v[2], (int64_t)((uint64_t)first + i * (uint64_t)step));
    return onnx_out(c, 0, onnx_constant(c, result));
}

sluice_status translate_non_zero(struct onnx_import *c, const struct onnx_node *n)
{
    const struct sl_const *k, *result;
    void *data;
    size_t total, found = 0, at = 0, all;
    SL_TRY(onnx_need_const(c, 0, "value", &k));
    SL_TRY(check_size(c, &k->shape, &total));
    for (size_t i = 0; i < total; i++)
        found += onnx_const_at_f64(k, i) != 0;
    struct sl_shape s = {2, {k->shape.rank, (int64_t)found}};
    SL_TRY(new_result(c, SL_S64, &s, &result, &data, &all));
    for (size_t i = 0; i < total; i++) {
        if (onnx_const_at_f64(k, i) == 0)
            continue;
        size_t rest = i;
        for (int axis = k->shape.rank - 1; axis >= 0; axis--) {
            ((int64_t *)data)[(size_t)axis * found + at] = (int64_t)(rest % (size_t)k->shape.dim[axis]);
            rest /= (size_t)k->shape.dim[axis];
        }
        at++;
    }
    return onnx_out(c, 0, onnx_constant(c, result));
}

/* ---- branches ---- */

/* The condition is known, so one branch is the network. */
sluice_status translate_if(struct onnx_import *c, const struct onnx_node *n)
{
    const struct sl_const *k;
    double condition;
    SL_TRY(onnx_need_const(c, 0, "condition", &k));
    if (!onnx_const_scalar(k, &condition))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the condition is not one value");
    const struct onnx_attr *at = onnx_attribute(c, condition != 0 ? "then_branch" : "else_branch");
    if (!at || !at->graph || at->graph->n_outputs < n->n_out)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the branch is missing or has too few outputs");
    struct sl_node **out = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)at->graph->n_outputs + 1);
    SL_TRY(onnx_inline_graph(c, at->graph, 0, NULL, out));
    for (int i = 0; i < n->n_out; i++)
        SL_TRY(onnx_out(c, i, out[i]));
    return SLUICE_OK;
}
