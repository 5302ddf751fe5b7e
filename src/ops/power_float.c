/* power_float.c: two-input arithmetic beyond eltwise_float.c: pow, mod, and prelu (a slope for negative values), with NumPy
 * broadcasting: shape rule and evaluation. */
#include <math.h>

#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/strided.h"
#include "ops/values.h"

sluice_status infer_power(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    enum sl_dtype a = n->in[0]->dtype, b = n->in[1]->dtype;
    int64_t fmod_like = 0;
    struct sl_shape s;
    if (a == SL_BOOL || b == SL_BOOL)
        return sl_fail(e, SLUICE_E_SHAPE, "inputs have types %s and %s, numbers are wanted", sl_dtype_name(a), sl_dtype_name(b));
    if (n->op != SL_OP_ew_pow && sl_is_float_class(a) != sl_is_float_class(b)) /* the exponent has a type of its own */
        return sl_fail(e, SLUICE_E_SHAPE, "inputs have types %s and %s, the same type is wanted", sl_dtype_name(a), sl_dtype_name(b));
    SL_TRY(sl_rule_ints(n, "fmod", 1, 0, 1, &fmod_like, e));
    SL_TRY(sl_rule_activation(n, e));
    SL_TRY(sl_rule_broadcast(&n->in[0]->shape, &n->in[1]->shape, &s, e));
    return sl_rule_output(n, a, &s, e);
}

/* a^b of integers, wrapping; a negative exponent as a truncated fraction. */
static int64_t integer_power(int64_t a, int64_t b)
{
    uint64_t result = 1, base = (uint64_t)a;
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    for (; b > 0; b >>= 1, base *= base)
        result *= b & 1 ? base : 1;
    return (int64_t)result;
}

/* Sign of the divisor (Python), or of the dividend (C's fmod). */
static int64_t integer_mod(int64_t a, int64_t b, bool is_unsigned, bool fmod_like)
{
    if (is_unsigned)
        return (int64_t)((uint64_t)a % (uint64_t)b);
    int64_t r = b == -1 ? 0 : a % b;
    return r != 0 && !fmod_like && (r < 0) != (b < 0) ? r + b : r;
}

static double float_mod(double a, double b, bool fmod_like)
{
    double r = fmod(a, b);
    return r != 0 && !fmod_like && (r < 0) != (b < 0) ? r + b : r;
}

struct power { enum sl_op op; enum sl_dtype type_a, type_b; bool fmod_like, by_zero; const void *a, *b; void *y; int64_t n, step_a, step_b; };

static double as_double(const void *data, enum sl_dtype t, int64_t at)
{
    return sl_is_float_class(t) ? (double)((const float *)data)[at] : (double)((const int64_t *)data)[at];
}

static void float_line(void *data, const int64_t *offsets)
{
    struct power *c = data;
    float *y = c->y;
    for (int64_t i = 0; i < c->n; i++) {
        double a = as_double(c->a, c->type_a, offsets[0] + i * c->step_a), b = as_double(c->b, c->type_b, offsets[1] + i * c->step_b);
        y[i] = (float)(c->op == SL_OP_ew_pow ? pow(a, b) : c->op == SL_OP_ew_mod ? float_mod(a, b, c->fmod_like) : a < 0 ? a * b : a);
    }
    c->y = y + c->n;
}

static int64_t integer_value(struct power *c, int64_t a, int64_t at_b)
{
    if (sl_is_float_class(c->type_b)) {
        double v = pow((double)a, as_double(c->b, c->type_b, at_b));
        return !(v > -0x1p63) ? INT64_MIN : v < 0x1p63 ? (int64_t)v : INT64_MAX;
    }
    int64_t b = ((const int64_t *)c->b)[at_b];
    if (c->op == SL_OP_ew_pow)
        return integer_power(a, b);
    if (c->op == SL_OP_ew_prelu)
        return a < 0 ? (int64_t)((uint64_t)a * (uint64_t)b) : a;
    c->by_zero = c->by_zero || b == 0;
    return b == 0 ? 0 : integer_mod(a, b, c->type_a == SL_U64, c->fmod_like);
}

static void integer_line(void *data, const int64_t *offsets)
{
    struct power *c = data;
    int64_t *y = c->y;
    const int64_t *a = (const int64_t *)c->a + offsets[0];
    for (int64_t i = 0; i < c->n; i++)
        y[i] = sl_wrap(c->type_a, integer_value(c, a[i * c->step_a], offsets[1] + i * c->step_b));
    c->y = y + c->n;
}

sluice_status eval_power(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct sl_strided v;
    sl_broadcast_view((const struct sl_shape *[]){&in[0].shape, &in[1].shape}, 2, &out->shape, &v);
    struct power c = {.op = n->op, .type_a = in[0].dtype, .type_b = in[1].dtype, .fmod_like = sl_get_int(n, "fmod", 0) != 0,
                      .a = in[0].data, .b = in[1].data, .y = out->data, .n = v.dim[v.rank - 1],
                      .step_a = v.stride[0][v.rank - 1], .step_b = v.stride[1][v.rank - 1]};
    bool floats = sl_is_float_class(out->dtype);
    sl_strided_lines(&v, floats ? float_line : integer_line, &c);
    if (c.by_zero)
        return sl_fail(e, SLUICE_E_VALUE, "integer modulo by zero");
    if (floats)
        sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}
