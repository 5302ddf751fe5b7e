/* eltwise_float.c: two-input arithmetic with NumPy broadcasting, on floats and on integers (shape arithmetic): shape rule and
 * evaluation. */
#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/strided.h"
#include "ops/values.h"

sluice_status infer_binary(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    enum sl_dtype a = n->in[0]->dtype, b = n->in[1]->dtype;
    enum sl_dtype t = a == b ? a : SL_F32;
    if (a != b && !(sl_is_float_class(a) && sl_is_float_class(b)))
        return sl_fail(e, SLUICE_E_SHAPE, "inputs have types %s and %s, the same type is wanted", sl_dtype_name(a), sl_dtype_name(b));
    if (t == SL_BOOL || t == SL_NONE)
        return sl_fail(e, SLUICE_E_SHAPE, "inputs have type %s, numbers are wanted", sl_dtype_name(t));
    SL_TRY(sl_rule_activation(n, e));
    struct sl_shape s;
    SL_TRY(sl_rule_broadcast(&n->in[0]->shape, &n->in[1]->shape, &s, e));
    return sl_rule_output(n, t, &s, e);
}

struct binary {
    enum sl_op op;
    enum sl_dtype dtype;
    const char *a, *b;
    char *out;
    int64_t n, step_a, step_b;
    bool divided_by_zero;
};

/* One line of floats. The three cases of steps are apart so that each is a loop a compiler vectorizes. */
#define LINE(expression)                                                                                                       \
    if (c->step_a == 1 && c->step_b == 1)                                                                                      \
        for (int64_t i = 0; i < c->n; i++) {                                                                                   \
            const float a = pa[i], b = pb[i];                                                                                  \
            y[i] = expression;                                                                                                 \
        }                                                                                                                      \
    else if (c->step_a == 1 && c->step_b == 0)                                                                                 \
        for (int64_t i = 0; i < c->n; i++) {                                                                                   \
            const float a = pa[i], b = pb[0];                                                                                  \
            y[i] = expression;                                                                                                 \
        }                                                                                                                      \
    else                                                                                                                       \
        for (int64_t i = 0; i < c->n; i++) {                                                                                   \
            const float a = pa[i * c->step_a], b = pb[i * c->step_b];                                                          \
            y[i] = expression;                                                                                                 \
        }

static void float_line(void *data, const int64_t *offsets)
{
    struct binary *c = data;
    const float *pa = (const float *)c->a + offsets[0], *pb = (const float *)c->b + offsets[1];
    float *y = (float *)c->out;
    switch (c->op) {
    case SL_OP_ew_add: LINE(a + b) break;
    case SL_OP_ew_sub: LINE(a - b) break;
    case SL_OP_ew_mult: LINE(a * b) break;
    case SL_OP_ew_div: LINE(a / b) break;
    case SL_OP_ew_max: LINE(a < b || b != b ? b : a) break; /* NaN of either side stays */
    default: LINE(a > b || b != b ? b : a) break;
    }
    c->out += (size_t)c->n * sizeof *y;
}

/* Wraps like two's complement hardware; division truncates, as ONNX and C do. */
static int64_t integer_result(struct binary *c, int64_t a, int64_t b)
{
    const uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    const bool is_unsigned = c->dtype == SL_U64;
    const bool less = is_unsigned ? ua < ub : a < b;
    switch (c->op) {
    case SL_OP_ew_add: return (int64_t)(ua + ub);
    case SL_OP_ew_sub: return (int64_t)(ua - ub);
    case SL_OP_ew_mult: return (int64_t)(ua * ub);
    case SL_OP_ew_max: return less ? b : a;
    case SL_OP_ew_min: return less ? a : b;
    default: break;
    }
    if (b == 0) {
        c->divided_by_zero = true;
        return 0;
    }
    if (is_unsigned)
        return (int64_t)(ua / ub);
    return b == -1 ? (int64_t)(0 - ua) : a / b;
}

static void integer_line(void *data, const int64_t *offsets)
{
    struct binary *c = data;
    const int64_t *a = (const int64_t *)c->a + offsets[0], *b = (const int64_t *)c->b + offsets[1];
    int64_t *y = (int64_t *)c->out;
    for (int64_t i = 0; i < c->n; i++)
        y[i] = sl_wrap(c->dtype, integer_result(c, a[i * c->step_a], b[i * c->step_b]));
    c->out += (size_t)c->n * sizeof *y;
}

sluice_status eval_binary(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct sl_strided v;
    sl_broadcast_view((const struct sl_shape *[]){&in[0].shape, &in[1].shape}, 2, &out->shape, &v);
    struct binary c = {.op = n->op, .dtype = out->dtype, .a = in[0].data, .b = in[1].data, .out = out->data,
                       .n = v.dim[v.rank - 1], .step_a = v.stride[0][v.rank - 1], .step_b = v.stride[1][v.rank - 1]};
    bool floats = sl_is_float_class(out->dtype);
    sl_strided_lines(&v, floats ? float_line : integer_line, &c);
    if (c.divided_by_zero)
        return sl_fail(e, SLUICE_E_VALUE, "integer division by zero");
    if (floats)
        sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}
