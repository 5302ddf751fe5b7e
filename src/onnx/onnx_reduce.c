/* onnx_reduce.c: the Reduce family. Axes are an attribute in older opsets and an input since 13 (ReduceSum) or 18 (the others).
 */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"

/* Axes to reduce: none named means all, or none with noop_with_empty_axes. */
static sluice_status reduced_axes(struct onnx_import *c, const struct sl_node *x, int opset_of_input, int *n, int64_t *axes)
{
    bool given;
    SL_TRY(onnx_axes(c, 1, opset_of_input, x->shape.rank, n, axes, &given));
    if (*n == 0 && !onnx_attr_int(c, "noop_with_empty_axes", 0))
        for (*n = 0; *n < x->shape.rank; (*n)++)
            axes[*n] = *n;
    return SLUICE_OK;
}

static bool is_empty(const struct sl_node *x, int n, const int64_t *axes)
{
    for (int i = 0; i < n; i++)
        if (x->shape.dim[axes[i]] == 0)
            return true;
    return false;
}

/* The largest of no values is the least that there is, and the other way round. */
static sluice_status empty_extreme(struct onnx_import *c, enum sl_op op, struct sl_node *x, int n, const int64_t *axes,
                                   bool keepdims)
{
    struct sl_shape s = {0};
    const float none = op == SL_OP_reduce_max ? -INFINITY : INFINITY;
    for (int i = 0, k = 0; i < x->shape.rank; i++) {
        bool reduced = k < n && axes[k] == i;
        k += reduced;
        if (!reduced || keepdims)
            s.dim[s.rank++] = reduced ? 1 : x->shape.dim[i];
    }
    if (x->dtype != SL_F32)
        return sl_unsupported(c->b, "%s of no values of type %s", c->node->op_type, sl_dtype_name(x->dtype));
    return onnx_out(c, 0, sl_build_const(c->b, sl_const_splat(c->a, SL_F32, &s, &none)));
}

static sluice_status reduce(struct onnx_import *c, enum sl_op op, const char *before, const char *after, int opset_of_input)
{
    struct sl_node *x;
    int n;
    int64_t axes[SL_MAX_RANK];
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(reduced_axes(c, x, opset_of_input, &n, axes));
    if (before)
        SL_TRY(sl_build_unary(c->b, x, before, &x));
    bool keepdims = onnx_attr_int(c, "keepdims", 1) != 0;
    if (is_empty(x, n, axes) && (op == SL_OP_reduce_max || op == SL_OP_reduce_min))
        return empty_extreme(c, op, x, n, axes, keepdims);
    SL_TRY(sl_build_reduce(c->b, op, x, n, axes, keepdims, &x));
    if (after)
        SL_TRY(sl_build_unary(c->b, x, after, &x));
    return onnx_out(c, 0, x);
}

sluice_status translate_reduce(struct onnx_import *c, const struct onnx_node *n)
{
    static const struct {
        const char *name;
        enum sl_op op;
        const char *before, *after;
        int opset_of_input;
    } rows[] = {{"ReduceL1", SL_OP_reduce_sum, "abs", NULL, 18},          {"ReduceL2", SL_OP_reduce_sum, "square", "sqrt", 18},
                {"ReduceLogSum", SL_OP_reduce_sum, NULL, "log", 18},      {"ReduceMax", SL_OP_reduce_max, NULL, NULL, 18},
                {"ReduceMean", SL_OP_reduce_mean, NULL, NULL, 18},        {"ReduceMin", SL_OP_reduce_min, NULL, NULL, 18},
                {"ReduceProd", SL_OP_reduce_prod, NULL, NULL, 18},        {"ReduceSum", SL_OP_reduce_sum, NULL, NULL, 13},
                {"ReduceSumSquare", SL_OP_reduce_sum, "square", NULL, 18}};
    for (size_t i = 0; i < SL_COUNT(rows); i++)
        if (strcmp(rows[i].name, n->op_type) == 0)
            return reduce(c, rows[i].op, rows[i].before, rows[i].after, rows[i].opset_of_input);
    return sl_fail(c->e, SLUICE_E_INTERNAL, "'%s' has no reduction", n->op_type);
}

/* max + log(sum(exp(x - max))) */
sluice_status translate_reduce_log_sum_exp(struct onnx_import *c, const struct onnx_node *node)
{
    struct sl_node *x, *top, *y;
    int n;
    int64_t axes[SL_MAX_RANK];
    bool keepdims = onnx_attr_int(c, "keepdims", 1) != 0;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(reduced_axes(c, x, 18, &n, axes));
    size_t count;
    if (!sl_shape_count(&x->shape, &count) || count == 0) { /* the log of an empty sum */
        SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_sum, x, n, axes, keepdims, &y));
        SL_TRY(sl_build_unary(c->b, y, "log", &y));
        return onnx_out(c, 0, y);
    }
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_max, x, n, axes, true, &top));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, x, top, &y));
    SL_TRY(sl_build_unary(c->b, y, "exp", &y));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_sum, y, n, axes, true, &y));
    SL_TRY(sl_build_unary(c->b, y, "log", &y));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, top, &y));
    if (!keepdims) {
        int64_t dims[SL_MAX_RANK];
        int rank = 0;
        for (int i = 0, k = 0; i < y->shape.rank; i++) {
            if (k < n && axes[k] == i)
                k++;
            else
                dims[rank++] = y->shape.dim[i];
        }
        SL_TRY(onnx_reshape(c, y, rank, dims, &y));
    }
    return onnx_out(c, 0, y);
}
