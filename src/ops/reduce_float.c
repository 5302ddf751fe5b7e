/* reduce_float.c: mean, sum, product, largest and smallest over any axes: shape rule and evaluation in one pass over the input. */
#include <math.h>

#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/strided.h"
#include "ops/values.h"

/* Which axes are reduced. Absent axes mean all. */
static sluice_status read_axes(const struct sl_node *n, bool *reduced, int64_t *keepdims, sl_err *e)
{
    int rank = n->in[0]->shape.rank, count = 0;
    int64_t axes[2 * SL_MAX_RANK];
    *keepdims = 1;
    SL_TRY(sl_rule_ints(n, "keepdims", 1, 0, 1, keepdims, e));
    for (int i = 0; i < SL_MAX_RANK; i++)
        reduced[i] = !sl_attr(n, "axes");
    if (!sl_attr(n, "axes"))
        return SLUICE_OK;
    if (rank > 0)
        SL_TRY(sl_rule_list(n, "axes", -rank, rank - 1, &count, axes, e));
    for (int i = 0; i < count; i++) {
        int axis = (int)(axes[i] < 0 ? axes[i] + rank : axes[i]);
        if (reduced[axis])
            return sl_fail(e, SLUICE_E_VALUE, "axes names axis %d twice", axis);
        reduced[axis] = true;
    }
    return SLUICE_OK;
}

sluice_status infer_reduce(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    bool reduced[SL_MAX_RANK];
    int64_t keepdims, count = 1;
    const struct sl_shape *s = &n->in[0]->shape;
    SL_TRY(read_axes(n, reduced, &keepdims, e));
    struct sl_shape out = {0};
    for (int i = 0; i < s->rank; i++) {
        if (reduced[i])
            count *= s->dim[i];
        if (!reduced[i] || keepdims)
            out.dim[out.rank++] = reduced[i] ? 1 : s->dim[i];
    }
    /* Of no values: sum 0, product 1, float extremes the infinities; a mean and an integer's extreme do not exist. */
    bool extreme = n->op == SL_OP_reduce_max || n->op == SL_OP_reduce_min;
    if (count == 0 && (n->op == SL_OP_reduce_mean || (extreme && !sl_is_float_class(n->in[0]->dtype))))
        return sl_fail(e, SLUICE_E_SHAPE, "the reduced axes of %s hold no values", SL_SHAPE_TEXT(s));
    if (n->in[0]->dtype == SL_BOOL && n->op != SL_OP_reduce_max && n->op != SL_OP_reduce_min)
        return sl_fail(e, SLUICE_E_SHAPE, "input has type bool, numbers are wanted");
    SL_TRY(sl_rule_activation(n, e));
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

struct reduction {
    enum sl_op op;
    bool is_unsigned;
    const void *x;
    double *sum;      /* mean, sum and product of floats */
    float *extreme;   /* max and min of floats */
    int64_t *integer;
    int64_t n, step_x, step_y;
};

static void sum_line(void *data, const int64_t *offsets)
{
    struct reduction *r = data;
    const float *x = (const float *)r->x + offsets[0];
    double *y = r->sum + offsets[1];
    if (r->step_y == 0) {
        double s = 0;
        for (int64_t i = 0; i < r->n; i++)
            s += (double)x[i * r->step_x];
        *y += s;
    } else {
        for (int64_t i = 0; i < r->n; i++)
            y[i * r->step_y] += (double)x[i * r->step_x];
    }
}

static void product_line(void *data, const int64_t *offsets)
{
    struct reduction *r = data;
    const float *x = (const float *)r->x + offsets[0];
    double *y = r->sum + offsets[1];
    for (int64_t i = 0; i < r->n; i++)
        y[i * r->step_y] *= (double)x[i * r->step_x];
}

static void extreme_line(void *data, const int64_t *offsets)
{
    struct reduction *r = data;
    const float *x = (const float *)r->x + offsets[0];
    float *y = r->extreme + offsets[1];
    for (int64_t i = 0; i < r->n; i++) {
        float v = x[i * r->step_x], *at = y + i * r->step_y;
        bool better = r->op == SL_OP_reduce_max ? v > *at : v < *at;
        *at = better || v != v ? v : *at;
    }
}

static void integer_line(void *data, const int64_t *offsets)
{
    struct reduction *r = data;
    const int64_t *x = (const int64_t *)r->x + offsets[0];
    int64_t *y = r->integer + offsets[1];
    for (int64_t i = 0; i < r->n; i++) {
        int64_t v = x[i * r->step_x], *at = y + i * r->step_y;
        bool less = r->is_unsigned ? (uint64_t)v < (uint64_t)*at : v < *at;
        if (r->op == SL_OP_reduce_max)
            *at = less ? *at : v;
        else if (r->op == SL_OP_reduce_min)
            *at = less ? v : *at;
        else if (r->op == SL_OP_reduce_prod)
            *at = (int64_t)((uint64_t)*at * (uint64_t)v);
        else
            *at = (int64_t)((uint64_t)*at + (uint64_t)v);
    }
}

static void view_of(const struct sl_node *n, const struct sl_shape *in, struct sl_strided *v, int64_t *per_output)
{
    bool reduced[SL_MAX_RANK];
    int64_t keepdims, step = 1, dense[SL_MAX_RANK];
    sl_err ignored = {0}; /* the shape rule has passed */
    read_axes(n, reduced, &keepdims, &ignored);
    sl_dense_strides(in, dense);
    *v = (struct sl_strided){.rank = in->rank, .operands = 2};
    *per_output = 1;
    for (int i = in->rank - 1; i >= 0; i--) {
        v->dim[i] = in->dim[i];
        v->stride[0][i] = dense[i];
        v->stride[1][i] = reduced[i] ? 0 : step;
        *(reduced[i] ? per_output : &step) *= in->dim[i];
    }
    sl_strided_simplify(v);
}

static sluice_status reduce_floats(struct sl_eval *ev, const struct sl_strided *v, struct reduction *r, int64_t per_output,
                                   struct sl_tensor *out, sl_err *e)
{
    size_t count = sl_shape_elements(&out->shape);
    float *y = out->data;
    if (r->op == SL_OP_reduce_max || r->op == SL_OP_reduce_min) {
        for (size_t i = 0; i < count; i++)
            y[i] = r->op == SL_OP_reduce_max ? -INFINITY : INFINITY;
        r->extreme = y;
        sl_strided_lines(v, extreme_line, r);
        return SLUICE_OK;
    }
    SL_TRY(sl_eval_scratch(ev, count, sizeof *r->sum, &r->sum, e));
    for (size_t i = 0; i < count; i++)
        r->sum[i] = r->op == SL_OP_reduce_prod;
    sl_strided_lines(v, r->op == SL_OP_reduce_prod ? product_line : sum_line, r);
    double divisor = r->op == SL_OP_reduce_mean ? (double)per_output : 1;
    for (size_t i = 0; i < count; i++)
        y[i] = (float)(r->sum[i] / divisor);
    return SLUICE_OK;
}

static void reduce_integers(const struct sl_strided *v, struct reduction *r, int64_t per_output, struct sl_tensor *out)
{
    size_t count = sl_shape_elements(&out->shape);
    int64_t *y = out->data;
    int64_t start = r->op == SL_OP_reduce_max ? (r->is_unsigned ? 0 : INT64_MIN)
                  : r->op == SL_OP_reduce_min ? (r->is_unsigned ? -1 : INT64_MAX)
                                              : r->op == SL_OP_reduce_prod;
    for (size_t i = 0; i < count; i++)
        y[i] = start;
    r->integer = y;
    sl_strided_lines(v, integer_line, r);
    for (size_t i = 0; i < count; i++) {
        if (r->op == SL_OP_reduce_mean)
            y[i] = r->is_unsigned ? (int64_t)((uint64_t)y[i] / (uint64_t)per_output) : y[i] / per_output;
        y[i] = sl_wrap(out->dtype, y[i]);
    }
}

sluice_status eval_reduce(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    struct sl_strided v;
    int64_t per_output;
    view_of(n, &in[0].shape, &v, &per_output);
    struct reduction r = {.op = n->op, .is_unsigned = out->dtype == SL_U64, .x = in[0].data, .n = v.dim[v.rank - 1],
                          .step_x = v.stride[0][v.rank - 1], .step_y = v.stride[1][v.rank - 1]};
    if (!sl_is_float_class(out->dtype)) {
        reduce_integers(&v, &r, per_output, out);
        return SLUICE_OK;
    }
    SL_TRY(reduce_floats(ev, &v, &r, per_output, out, e));
    sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}
