/* float_plan.c: liveness of a graph's tensors and their places in one block; see float_plan.h. */
#include "ops/float_plan.h"

#include <string.h>

#include "ops/values.h"

struct life { size_t bytes; int first, last; };
struct placed { size_t offset, end; int last; };

/* Layers whose output is their input's bytes share its memory. */
static bool shares_input(const struct sl_node *n)
{
    sl_eval_fn *eval = sl_op_row(n->op)->eval;
    return eval == eval_copy || eval == eval_reshape;
}

static sluice_status find_lives(const struct sl_graph *g, bool keep_all, int *root, struct life *life, sl_err *e)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        size_t count;
        root[i] = shares_input(n) ? root[n->in[0]->index] : i;
        if (!sl_shape_count(&n->shape, &count))
            return sl_fail(e, SLUICE_E_LIMIT, "'%s' has too large a tensor", sl_node_text(n));
        life[i] = (struct life){count * sl_class_bytes(n->dtype), n->op == SL_OP_input_layer ? 0 : i, keep_all ? g->n_nodes : i};
        for (int k = 0; k < n->n_in; k++) {
            struct life *l = &life[root[n->in[k]->index]];
            l->last = SL_MAX(l->last, i);
        }
    }
    for (int i = 0; i < g->n_outputs; i++)
        life[root[g->outputs[i].node->index]].last = g->n_nodes;
    return SLUICE_OK;
}

/* The smallest gap between live tensors that holds `bytes`, else the end of the last. `live` is sorted by offset; returns where the
 * new one goes. */
static int find_gap(const struct placed *live, int n_live, size_t bytes, size_t *offset)
{
    int best = -1;
    size_t best_gap = SIZE_MAX, end = 0;
    for (int i = 0; i < n_live; i++) {
        size_t gap = live[i].offset > end ? live[i].offset - end : 0;
        if (gap >= bytes && gap < best_gap) {
            best = i;
            best_gap = gap;
            *offset = end;
        }
        end = SL_MAX(end, live[i].end);
    }
    if (best >= 0)
        return best;
    *offset = end;
    return n_live;
}

static int drop_dead(struct placed *live, int n_live, int now)
{
    int kept = 0;
    for (int i = 0; i < n_live; i++)
        if (live[i].last >= now)
            live[kept++] = live[i];
    return kept;
}

static sluice_status place(const struct life *l, struct placed *live, int *n_live, size_t *offset, size_t *total, sl_err *e)
{
    size_t bytes;
    if (!sl_add_size(l->bytes, 63, &bytes))
        return sl_fail(e, SLUICE_E_MEMORY, "a tensor is too large");
    bytes = SL_MAX(bytes & ~(size_t)63, (size_t)64);
    int at = find_gap(live, *n_live, bytes, offset);
    memmove(live + at + 1, live + at, (size_t)(*n_live - at) * sizeof *live);
    live[at] = (struct placed){*offset, 0, l->last};
    if (!sl_add_size(*offset, bytes, &live[at].end))
        return sl_fail(e, SLUICE_E_MEMORY, "the network's tensors are too large");
    ++*n_live;
    *total = SL_MAX(*total, live[at].end);
    return SLUICE_OK;
}

sluice_status sl_float_plan(sl_arena *a, const struct sl_graph *g, bool keep_all, struct sl_float_plan *out, sl_err *e)
{
    int *root = SL_NEW_ARRAY(a, int, g->n_nodes + 1), n_live = 0;
    struct life *life = SL_NEW_ARRAY(a, struct life, g->n_nodes + 1);
    struct placed *live = SL_NEW_ARRAY(a, struct placed, g->n_nodes + 1);
    *out = (struct sl_float_plan){.offset = SL_NEW_ARRAY(a, size_t, g->n_nodes + 1), .root = root};
    SL_TRY(find_lives(g, keep_all, root, life, e));
    for (int i = 0; i < g->n_nodes; i++) /* all inputs are there before the first node runs */
        if (g->nodes[i]->op == SL_OP_input_layer)
            SL_TRY(place(&life[i], live, &n_live, &out->offset[i], &out->bytes, e));
    for (int i = 0; i < g->n_nodes; i++) {
        enum sl_op op = g->nodes[i]->op;
        if (op == SL_OP_const_input)
            out->offset[i] = SIZE_MAX;
        else if (root[i] != i)
            out->offset[i] = out->offset[root[i]];
        if (op == SL_OP_const_input || op == SL_OP_input_layer || root[i] != i)
            continue;
        n_live = drop_dead(live, n_live, i);
        SL_TRY(place(&life[i], live, &n_live, &out->offset[i], &out->bytes, e));
    }
    return SLUICE_OK;
}
