/* compare_float.c: comparisons, logic, bits, predicates, where and cast: shape rules and evaluation, with NumPy broadcasting. These
 * serve shape arithmetic and masks; they run on the float side alone. */
#include <math.h>

#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/strided.h"
#include "ops/values.h"

/* ---- two inputs ---- */

/* One row an op: on floats, on integers (u: both are u64); bool results are 0 or 1. */
struct pair { int64_t a, b; bool is_unsigned; };
struct compare_row {
    enum sl_op op;
    bool to_bool, on_bool, on_integers;
    bool (*floats)(float a, float b);
    int64_t (*integers)(const struct pair *p);
};

static bool below(const struct pair *p)
{
    return p->is_unsigned ? (uint64_t)p->a < (uint64_t)p->b : p->a < p->b;
}

static bool float_equal(float a, float b) { return a == b; }
static bool float_greater(float a, float b) { return a > b; }
static bool float_less(float a, float b) { return a < b; }
static bool float_greater_equal(float a, float b) { return a >= b; }
static bool float_less_equal(float a, float b) { return a <= b; }
static int64_t integer_equal(const struct pair *p) { return p->a == p->b; }
static int64_t integer_less(const struct pair *p) { return below(p); }
static int64_t integer_less_equal(const struct pair *p) { return below(p) || p->a == p->b; }
static int64_t integer_greater(const struct pair *p) { return !integer_less_equal(p); }
static int64_t integer_greater_equal(const struct pair *p) { return !below(p); }
static int64_t integer_and(const struct pair *p) { return p->a & p->b; }
static int64_t integer_or(const struct pair *p) { return p->a | p->b; }
static int64_t integer_xor(const struct pair *p) { return p->a ^ p->b; }

/* Shifts of unsigned integers; by the width or more gives 0. */
static int64_t integer_shift_left(const struct pair *p)
{
    return (uint64_t)p->b < 64 ? (int64_t)((uint64_t)p->a << p->b) : 0;
}

static int64_t integer_shift_right(const struct pair *p)
{
    return (uint64_t)p->b < 64 ? (int64_t)((uint64_t)p->a >> p->b) : 0;
}

static const struct compare_row rows[] = {
    {SL_OP_ew_equal, true, true, true, float_equal, integer_equal},
    {SL_OP_ew_greater, true, false, true, float_greater, integer_greater},
    {SL_OP_ew_less, true, false, true, float_less, integer_less},
    {SL_OP_ew_greater_equal, true, false, true, float_greater_equal, integer_greater_equal},
    {SL_OP_ew_less_equal, true, false, true, float_less_equal, integer_less_equal},
    {SL_OP_ew_and, false, true, true, NULL, integer_and},
    {SL_OP_ew_or, false, true, true, NULL, integer_or},
    {SL_OP_ew_xor, false, true, true, NULL, integer_xor},
    {SL_OP_ew_shift_left, false, false, true, NULL, integer_shift_left},
    {SL_OP_ew_shift_right, false, false, true, NULL, integer_shift_right},
};

static const struct compare_row *row_of(enum sl_op op)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++)
        if (rows[i].op == op)
            return &rows[i];
    return NULL;
}

sluice_status infer_compare(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct compare_row *row = row_of(n->op);
    enum sl_dtype a = n->in[0]->dtype, b = n->in[1]->dtype;
    struct sl_shape s;
    if (a != b && !(sl_is_float_class(a) && sl_is_float_class(b)))
        return sl_fail(e, SLUICE_E_SHAPE, "inputs have types %s and %s, the same type is wanted", sl_dtype_name(a), sl_dtype_name(b));
    if (sl_is_float_class(a) ? !row->floats : a == SL_BOOL ? !row->on_bool : !row->on_integers)
        return sl_fail(e, SLUICE_E_SHAPE, "inputs have type %s, which this op does not take", sl_dtype_name(a));
    SL_TRY(sl_rule_broadcast(&n->in[0]->shape, &n->in[1]->shape, &s, e));
    return sl_rule_output(n, row->to_bool ? SL_BOOL : a, &s, e);
}

struct compare { const struct compare_row *row; enum sl_dtype type, out_type; const void *a, *b; int64_t *y, n, step_a, step_b; };

static void compare_line(void *data, const int64_t *offsets)
{
    struct compare *c = data;
    if (sl_is_float_class(c->type)) {
        const float *a = (const float *)c->a + offsets[0], *b = (const float *)c->b + offsets[1];
        for (int64_t i = 0; i < c->n; i++)
            c->y[i] = c->row->floats(a[i * c->step_a], b[i * c->step_b]);
    } else {
        const int64_t *a = (const int64_t *)c->a + offsets[0], *b = (const int64_t *)c->b + offsets[1];
        for (int64_t i = 0; i < c->n; i++) {
            struct pair p = {a[i * c->step_a], b[i * c->step_b], c->type == SL_U64};
            c->y[i] = sl_wrap(c->out_type, c->row->integers(&p));
        }
    }
    c->y += c->n;
}

sluice_status eval_compare(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev, (void)e;
    struct sl_strided v;
    sl_broadcast_view((const struct sl_shape *[]){&in[0].shape, &in[1].shape}, 2, &out->shape, &v);
    struct compare c = {row_of(n->op), in[0].dtype, out->dtype, in[0].data, in[1].data, out->data, v.dim[v.rank - 1],
                        v.stride[0][v.rank - 1], v.stride[1][v.rank - 1]};
    sl_strided_lines(&v, compare_line, &c);
    return SLUICE_OK;
}

/* ---- predicate: one input ---- */
enum { NOT, IS_NAN, IS_INF };

static sluice_status read_predicate(const struct sl_node *n, int *type, int64_t *sides, sl_err *e)
{
    static const char *const types[] = {"not", "is_nan", "is_inf"};
    if (!sl_attr(n, "type"))
        return sl_fail(e, SLUICE_E_VALUE, "type is missing");
    SL_TRY(sl_rule_word(n, "type", types, 3, type, e));
    sides[0] = sides[1] = 1;
    SL_TRY(sl_rule_ints(n, "detect_negative", 1, 0, 1, &sides[0], e));
    return sl_rule_ints(n, "detect_positive", 1, 0, 1, &sides[1], e);
}

/* not: of bool, or every bit of an integer. is_nan, is_inf: of floats, to bool. */
sluice_status infer_predicate(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int type = NOT;
    int64_t sides[2];
    SL_TRY(read_predicate(n, &type, sides, e));
    enum sl_dtype t = n->in[0]->dtype;
    if (sl_is_float_class(t) != (type != NOT))
        return sl_fail(e, SLUICE_E_SHAPE, "the input has type %s, %s is wanted", sl_dtype_name(t),
                       type == NOT ? "a bool or integer" : "a float type");
    return sl_rule_output(n, type == NOT ? t : SL_BOOL, &n->in[0]->shape, e);
}

sluice_status eval_predicate(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    int type = NOT;
    int64_t sides[2], *y = out->data;
    SL_TRY(read_predicate(n, &type, sides, e));
    size_t count = sl_shape_elements(&out->shape);
    const int64_t *whole = in[0].data;
    const float *x = in[0].data;
    for (size_t i = 0; i < count; i++) {
        if (type == NOT)
            y[i] = out->dtype == SL_BOOL ? !whole[i] : sl_wrap(out->dtype, ~whole[i]);
        else if (type == IS_NAN)
            y[i] = isnan(x[i]) != 0;
        else
            y[i] = isinf(x[i]) && sides[x[i] > 0];
    }
    return SLUICE_OK;
}

/* ---- where ---- */
sluice_status infer_where(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_shape s, t;
    if (n->in[0]->dtype != SL_BOOL)
        return sl_fail(e, SLUICE_E_SHAPE, "the condition has type %s, bool is wanted", sl_dtype_name(n->in[0]->dtype));
    enum sl_dtype a = n->in[1]->dtype, b = n->in[2]->dtype;
    if (a != b && !(sl_is_float_class(a) && sl_is_float_class(b)))
        return sl_fail(e, SLUICE_E_SHAPE, "inputs have types %s and %s, the same type is wanted", sl_dtype_name(a), sl_dtype_name(b));
    SL_TRY(sl_rule_broadcast(&n->in[1]->shape, &n->in[2]->shape, &s, e));
    SL_TRY(sl_rule_broadcast(&n->in[0]->shape, &s, &t, e));
    return sl_rule_output(n, a == b ? a : SL_F32, &t, e);
}

struct choice { const int64_t *condition; const void *a, *b; void *y; bool floats; int64_t n, step[3]; };

static void choose_line(void *data, const int64_t *offsets)
{
    struct choice *c = data;
    const int64_t *condition = c->condition + offsets[0];
    if (c->floats) {
        const float *a = (const float *)c->a + offsets[1], *b = (const float *)c->b + offsets[2];
        float *y = c->y;
        for (int64_t i = 0; i < c->n; i++)
            y[i] = condition[i * c->step[0]] ? a[i * c->step[1]] : b[i * c->step[2]];
        c->y = y + c->n;
    } else {
        const int64_t *a = (const int64_t *)c->a + offsets[1], *b = (const int64_t *)c->b + offsets[2];
        int64_t *y = c->y;
        for (int64_t i = 0; i < c->n; i++)
            y[i] = condition[i * c->step[0]] ? a[i * c->step[1]] : b[i * c->step[2]];
        c->y = y + c->n;
    }
}

sluice_status eval_where(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev, (void)n, (void)e;
    struct sl_strided v;
    sl_broadcast_view((const struct sl_shape *[]){&in[0].shape, &in[1].shape, &in[2].shape}, 3, &out->shape, &v);
    struct choice c = {in[0].data, in[1].data, in[2].data, out->data, sl_is_float_class(out->dtype), v.dim[v.rank - 1],
                       {v.stride[0][v.rank - 1], v.stride[1][v.rank - 1], v.stride[2][v.rank - 1]}};
    sl_strided_lines(&v, choose_line, &c);
    return SLUICE_OK;
}

/* ---- cast ---- */
static enum sl_dtype cast_type(const struct sl_node *n)
{
    return sl_dtype_from_name(sl_get_string(n, "to", ""));
}

sluice_status infer_cast(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    if (cast_type(n) == SL_NONE)
        return sl_fail(e, SLUICE_E_VALUE, "to is '%s', a type such as 'f32' or 's64' is wanted", sl_get_string(n, "to", ""));
    return sl_rule_output(n, cast_type(n), &n->in[0]->shape, e);
}

/* Truncates toward zero; NaN gives 0; what does not fit 64 bits stops at their end, narrower types wrap. */
static int64_t whole_of(float v, enum sl_dtype t)
{
    if (t == SL_BOOL)
        return v != 0;
    if (isnan(v))
        return 0;
    if (t == SL_U64 && v >= 0x1p63f)
        return v >= 0x1p64f ? -1 : (int64_t)(uint64_t)v;
    return sl_wrap(t, v >= 0x1p63f ? INT64_MAX : v < -0x1p63f ? INT64_MIN : (int64_t)v);
}

sluice_status eval_cast(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev, (void)n, (void)e;
    size_t count = sl_shape_elements(&out->shape);
    bool from_float = sl_is_float_class(in[0].dtype), to_float = sl_is_float_class(out->dtype);
    const float *x = in[0].data;
    const int64_t *whole = in[0].data;
    float *y = out->data;
    int64_t *to = out->data;
    for (size_t i = 0; i < count; i++) {
        if (!to_float)
            to[i] = from_float ? whole_of(x[i], out->dtype) : sl_wrap(out->dtype, whole[i]);
        else if (from_float)
            y[i] = sl_round_to(out->dtype, x[i]);
        else
            y[i] = sl_round_to(out->dtype, in[0].dtype == SL_U64 ? (float)(uint64_t)whole[i] : (float)whole[i]);
    }
    return SLUICE_OK;
}
