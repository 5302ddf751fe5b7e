/*
 * fuse_masks.c: where(condition, closed, scores) of an attention has no quantized form, a sum has: scores + (0 where the place is
 * open, -1e9 where it is closed). A line that is closed throughout keeps its scores, where the origin gave each place the same
 * weight; what such a line computes is read by no one. Conditions are tensors of their own kind: as 0 and 1 they are numbers.
 */
#include "ops/ops.h"
#include "quant/fuse.h"

static const double closed_value = -1e9;

/* 0 and closed_value for the two values of a condition, named after the first layer that reads it; those that share the condition
 * share it. */
static struct sl_node *mask_of(struct sl_graph *g, const struct sl_node *reader, bool closed_when, struct sl_node **made)
{
    if (!*made) {
        struct sl_node *condition = reader->in[0], *number = sl_graph_add(g, SL_OP_cast, 1, &condition);
        sl_set_string(g, number, "to", "f32");
        *made = sl_graph_add(g, SL_OP_activation, 1, &number);
        sl_set_string(g, *made, "type", "affine");
        sl_set_float(g, *made, "alpha", closed_when ? closed_value : -closed_value);
        sl_set_float(g, *made, "beta", closed_when ? 0 : closed_value);
        number->scope = (*made)->scope = reader->scope;
        number->name = sl_arena_printf(g->arena, "%s_condition", reader->name);
        (*made)->name = sl_arena_printf(g->arena, "%s_mask", reader->name);
    }
    return *made;
}

sluice_status sl_pass_add_masks(struct sl_fuse *f, sl_err *e)
{
    struct sl_graph *g = f->graph;
    sl_arena *scratch = sl_arena_new();
    int n_old = g->n_nodes;

    sl_graph_renumber(g);
    struct sl_node **made = SL_NEW_ARRAY(scratch, struct sl_node *, 2 * (size_t)n_old + 2);
    for (int i = 0; i < n_old; i++) {
        struct sl_node *n = g->nodes[i];
        int64_t closed_when = n->op == SL_OP_where ? sl_get_int(n, "closed_when", -1) : -1;
        if (closed_when < 0 || closed_when > 1 || n->in[0]->dtype != SL_BOOL)
            continue;
        struct sl_node *in[2] = {n->in[1 + closed_when], mask_of(g, n, closed_when, &made[2 * n->in[0]->index + closed_when])};
        n->op = SL_OP_ew_add;
        n->n_in = 2;
        n->in = sl_arena_memdup(g->arena, in, sizeof in);
        sl_set_int(g, n, "mask_input", 1);
        f->changes++;
    }
    sl_arena_free(scratch);
    if (!f->changes)
        return SLUICE_OK;
    SL_TRY(sl_graph_sort(g, e));
    sl_graph_remove_dead(g);
    return sl_infer_all(g, e);
}
