/* softmax_float.c: softmax and its logarithm along one axis: shape rule and evaluation. */
#include <math.h>
#include <string.h>

#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"

sluice_status infer_softmax(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int axis;
    SL_TRY(sl_rule_is_float(n, 0, e));
    int64_t guard = 0;
    SL_TRY(sl_rule_axis(n, "axis", n->in[0]->shape.rank, -1 + n->in[0]->shape.rank, &axis, e));
    SL_TRY(sl_rule_ints(n, "nan_guard", 1, 0, 1, &guard, e));
    return sl_rule_output(n, SL_F32, &n->in[0]->shape, e);
}

/* One line of n contiguous values. A line of -inf alone gives NaN, as elsewhere, or with nan_guard zeros. */
static void softmax_line(const float *x, float *y, size_t n, bool logarithm, bool guard)
{
    float top = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    if (logarithm) {
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i] - (double)top);
        for (size_t i = 0; i < n; i++)
            y[i] = (float)((double)x[i] - (double)top - log(sum));
        return;
    }
    if (guard && !(top > -INFINITY)) {
        memset(y, 0, n * sizeof *y);
        return;
    }
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] - top;
    sl_exp_array(y, y, n);
    for (size_t i = 0; i < n; i++)
        sum += (double)y[i];
    const float factor = (float)(1 / sum);
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}

sluice_status eval_softmax(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    const struct sl_shape *s = &in[0].shape;
    int axis;
    SL_TRY(sl_rule_axis(n, "axis", s->rank, s->rank - 1, &axis, e));
    const struct sl_lines l = sl_shape_lines(s, axis);
    const size_t length = l.length, inner = l.inner;
    const bool logarithm = n->op == SL_OP_log_softmax, guard = sl_get_int(n, "nan_guard", 0) != 0;
    float *line = NULL;
    if (inner > 1)
        SL_TRY(sl_eval_scratch(ev, length, sizeof *line, &line, e));
    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < inner; i++) {
            const float *x = (const float *)in[0].data + o * length * inner + i;
            float *y = (float *)out->data + o * length * inner + i;
            if (inner == 1) {
                softmax_line(x, y, length, logarithm, guard);
                continue;
            }
            for (size_t k = 0; k < length; k++)
                line[k] = x[k * inner];
            softmax_line(line, line, length, logarithm, guard);
            for (size_t k = 0; k < length; k++)
                y[k * inner] = line[k];
        }
    return SLUICE_OK;
}
