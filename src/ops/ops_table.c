/* ops_table.c: the dispatch table made from ir/ops.def, and shape inference over it. */
#include <assert.h>

#include "ops/op_rules.h"
#include "ops/ops.h"

static const struct sl_op_row rows[SL_OP_COUNT] = {
#define OP(kind, counter, least, most, encode, infer, eval, quantize, lower, cost)                                             \
    [SL_OP_##kind] = {SL_ENCODE_##encode, infer, eval, quantize, lower, cost},
#include "ir/ops.def"
#undef OP
};

const struct sl_op_row *sl_op_row(enum sl_op op)
{
    assert((unsigned)op < SL_OP_COUNT);
    return &rows[op];
}

static sluice_status infer_checked(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    const struct sl_op_info *info = sl_op_info(n->op);
    if (n->n_in < info->min_in || (info->max_in >= 0 && n->n_in > info->max_in))
        return sl_fail(e, SLUICE_E_SHAPE, "%s has %d inputs, %d to %d are wanted", info->name, n->n_in, info->min_in, info->max_in);
    return rows[n->op].infer(g, n, e);
}

sluice_status sl_infer(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    sluice_status s = infer_checked(g, n, e);
    return s == SLUICE_OK ? s : sl_context(e, "%s '%s'", sl_op_info(n->op)->name, sl_node_text(n));
}

sluice_status sl_infer_all(struct sl_graph *g, sl_err *e)
{
    for (int i = 0; i < g->n_nodes; i++)
        SL_TRY(sl_infer(g, g->nodes[i], e));
    return SLUICE_OK;
}

sluice_status sl_verify_types(struct sl_graph *g, sl_err *e)
{
    SL_TRY(sl_graph_verify(g, e));
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        enum sl_dtype dtype = n->dtype;
        struct sl_shape shape = n->shape;
        SL_TRY(sl_infer(g, n, e));
        bool same = n->dtype == dtype && sl_shape_equal(&n->shape, &shape);
        struct sl_shape inferred = n->shape;
        enum sl_dtype inferred_type = n->dtype;
        n->dtype = dtype;
        n->shape = shape;
        if (!same)
            return sl_fail(e, SLUICE_E_SHAPE, "%s '%s': %s %s is declared, its inputs and attributes give %s %s",
                           sl_op_info(n->op)->name, sl_node_text(n), sl_dtype_name(dtype), SL_SHAPE_TEXT(&shape),
                           sl_dtype_name(inferred_type), SL_SHAPE_TEXT(&inferred));
    }
    return SLUICE_OK;
}
