/* layout.c: rebuilds a graph in stored order. The rules by op are in layout_rules.c; which inputs are stored channels last is
 * tried. */
#include "front/layout.h"

#include <string.h>

#include "ir/grow.h"
#include "front/layout_private.h"
#include "front/const_order.h"
#include "ops/ops.h"

enum { MOST_TRIED = 8 }; /* inputs whose order is tried both ways */

bool layout_is_identity(const int *perm, int rank)
{
    for (int i = 0; i < rank; i++)
        if (perm[i] != i)
            return false;
    return true;
}

struct placed *layout_in(struct layout *l, const struct sl_node *n, int k)
{
    return &l->values[n->in[k]->index];
}

struct sl_node *layout_copy_node(struct layout *l, const struct sl_node *n, int n_in, struct sl_node *const *in)
{
    struct sl_node *m = sl_graph_add(l->g, n->op, n_in, in);
    m->attrs = sl_grow_copy(l->a, n->attrs, n->n_attrs, sizeof *n->attrs);
    m->params = sl_grow_copy(l->a, n->params, n->n_params, sizeof *n->params);
    m->n_attrs = n->n_attrs;
    m->n_params = n->n_params;
    m->dtype = n->dtype;
    m->shape = n->shape;
    m->quant = n->quant;
    sl_node_take_origins(l->a, m, n);
    return m;
}

sluice_status layout_done(struct layout *l, struct sl_node *node, const int *perm, struct placed *out)
{
    SL_TRY(sl_infer(l->g, node, l->e));
    out->node = node;
    out->rank = node->shape.rank;
    for (int i = 0; i < out->rank; i++)
        out->perm[i] = perm ? perm[i] : i;
    return SLUICE_OK;
}

static struct sl_node *constant(struct layout *l, const struct sl_const *k)
{
    struct sl_node *n = sl_graph_add(l->g, SL_OP_const_input, 0, NULL);
    sl_set_param(l->g, n, "data", k);
    n->dtype = k->dtype;
    n->shape = k->shape;
    return n;
}

sluice_status layout_reshape_to(struct layout *l, struct sl_node *in, const struct sl_shape *s, struct sl_node **out)
{
    *out = in;
    if (sl_shape_equal(&in->shape, s))
        return SLUICE_OK;
    if (in->op == SL_OP_const_input) {
        *out = constant(l, sl_const_reshape(l->a, sl_param(in, "data"), s));
        (*out)->quant = in->quant;
        return SLUICE_OK;
    }
    *out = sl_graph_add(l->g, SL_OP_reshape, 1, &in);
    sl_set_ints(l->g, *out, "shape", s->rank, s->dim);
    return sl_infer(l->g, *out, l->e);
}

/* q: new stored axis j is old stored axis q[j]. Axes of one element are free to move. */
static sluice_status reorder(struct layout *l, struct sl_node *in, const int64_t *q, struct sl_node **out)
{
    struct sl_shape s = {.rank = in->shape.rank};
    bool moves = false;
    int64_t previous = -1;
    for (int j = 0; j < s.rank; j++) {
        s.dim[j] = in->shape.dim[q[j]];
        if (s.dim[j] == 1)
            continue;
        moves = moves || q[j] < previous;
        previous = q[j];
    }
    if (!moves)
        return layout_reshape_to(l, in, &s, out);
    if (in->op == SL_OP_const_input) {
        const struct sl_const *k;
        SL_TRY(sl_const_permute(l->a, sl_param(in, "data"), q, &k, l->e));
        *out = constant(l, k);
        (*out)->quant = in->quant;
        return SLUICE_OK;
    }
    *out = sl_graph_add(l->g, SL_OP_transpose, 1, &in);
    sl_set_ints(l->g, *out, "perm", s.rank, q);
    l->n_transposes++;
    return sl_infer(l->g, *out, l->e);
}

sluice_status layout_order(struct layout *l, struct placed *v, const int *perm, struct sl_node **out)
{
    size_t bytes = (size_t)v->rank * sizeof *perm;
    int64_t q[SL_MAX_RANK];
    *out = v->node;
    if (memcmp(v->perm, perm, bytes) == 0)
        return SLUICE_OK;
    for (const struct layout_copy *k = v->copies; k; k = k->next)
        if (memcmp(k->perm, perm, bytes) == 0) {
            *out = k->node;
            return SLUICE_OK;
        }
    for (int i = 0; i < v->rank; i++)
        q[perm[i]] = v->perm[i];
    SL_TRY(reorder(l, v->node, q, out));
    struct layout_copy *k = SL_NEW(l->a, struct layout_copy);
    *k = (struct layout_copy){.node = *out, .next = v->copies};
    memcpy(k->perm, perm, bytes);
    v->copies = k;
    return SLUICE_OK;
}

sluice_status layout_widen(struct layout *l, struct placed *v, int rank, struct placed *out)
{
    int more = rank - v->rank;
    *out = *v;
    if (more <= 0)
        return SLUICE_OK;
    struct sl_shape s = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        s.dim[i] = i < more ? 1 : v->node->shape.dim[i - more];
        out->perm[i] = i < more ? i : v->perm[i - more] + more;
    }
    out->rank = rank;
    out->copies = NULL;
    return layout_reshape_to(l, v->node, &s, &out->node);
}

static sluice_status place_origin_order(struct layout *l, const struct sl_node *n, struct placed *out)
{
    static const int identity[SL_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct sl_node **in = SL_NEW_ARRAY(l->a, struct sl_node *, (size_t)n->n_in + 1);
    for (int k = 0; k < n->n_in; k++)
        SL_TRY(layout_order(l, layout_in(l, n, k), identity, &in[k]));
    return layout_done(l, layout_copy_node(l, n, n->n_in, in), NULL, out);
}

static sluice_status place_node(struct layout *l, const struct sl_node *n)
{
    layout_rule *rule = layout_rules[n->op];
    struct placed *out = &l->values[n->index];
    sluice_status s = rule ? rule(l, n, out) : place_origin_order(l, n, out);
    return s == SLUICE_OK ? s : sl_context(l->e, "layout of '%s'", sl_node_text(n));
}

/* ---- one way of storing the inputs ---- */

/* Channels last for pictures and sequences: origin axis 1 is the last stored one. */
static void input_perm(int rank, bool last, int *perm)
{
    for (int i = 0; i < SL_MAX_RANK; i++)
        perm[i] = i;
    if (!last || rank < 3 || rank > 5)
        return;
    perm[1] = rank - 1;
    for (int i = 2; i < rank; i++)
        perm[i] = i - 1;
}

static struct sl_port *copy_ports(sl_arena *a, const struct sl_port *ports, int n)
{
    return n ? sl_arena_memdup(a, ports, (size_t)n * sizeof *ports) : NULL;
}

static sluice_status place_input(struct layout *l, int i, bool last)
{
    const struct sl_port *p = &l->old->inputs[i];
    struct sl_node *n = layout_copy_node(l, p->node, 0, NULL);
    int perm[SL_MAX_RANK];
    input_perm(n->shape.rank, last, perm);
    for (int k = 0; k < n->shape.rank; k++)
        n->shape.dim[perm[k]] = p->node->shape.dim[k];
    l->g->inputs[i].node = n;
    memcpy(l->g->inputs[i].perm, perm, sizeof perm);
    return layout_done(l, n, perm, &l->values[p->node->index]);
}

static sluice_status build(const struct sl_graph *old, sl_arena *a, const bool *last, const bool *only_fc,
                           struct sl_graph **out, int *n_transposes, sl_err *e)
{
    struct layout l = {.old = old,
                       .g = sl_graph_new(a, old->name),
                       .a = a,
                       .only_fc_reads = only_fc,
                       .e = e,
                       .values = SL_NEW_ARRAY(a, struct placed, (size_t)old->n_nodes + 1)};
    l.g->stage = old->stage;
    l.g->n_inputs = old->n_inputs;
    l.g->n_outputs = old->n_outputs;
    l.g->inputs = copy_ports(a, old->inputs, old->n_inputs);
    l.g->outputs = copy_ports(a, old->outputs, old->n_outputs);
    for (int i = 0; i < old->n_inputs; i++)
        SL_TRY(place_input(&l, i, last[i]));
    for (int i = 0; i < old->n_nodes; i++)
        if (old->nodes[i]->op != SL_OP_input_layer)
            SL_TRY(place_node(&l, old->nodes[i]));
    for (int i = 0; i < old->n_outputs; i++) {
        const struct placed *v = &l.values[old->outputs[i].node->index];
        l.g->outputs[i].node = v->node;
        for (int k = 0; k < SL_MAX_RANK; k++)
            l.g->outputs[i].perm[k] = k < v->rank ? v->perm[k] : k;
    }
    sl_graph_remove_dead(l.g);
    *out = l.g;
    *n_transposes = l.n_transposes;
    return SLUICE_OK;
}

static sluice_status count_transposes(const struct sl_graph *in, const bool *last, const bool *only_fc, int *n, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct sl_graph *g;
    sluice_status s = build(in, scratch, last, only_fc, &g, n, e);
    sl_arena_free(scratch);
    return s;
}

/* Pictures and volumes start channels last (turned where the origin has channels first), sequences as they are; each input is
 * turned the other way when that saves transposes. */
static sluice_status choose_inputs(const struct sl_graph *in, bool channels_first, const enum sl_input_order *orders,
                                   bool *last, const bool *only_fc, sl_err *e)
{
    int best, tried = 0;
    bool any = false;
    for (int i = 0; i < in->n_inputs; i++) {
        int rank = in->inputs[i].node->shape.rank;
        last[i] = channels_first && (rank == 4 || rank == 5);
        if (orders && orders[i] != SL_ORDER_FREE)
            last[i] = orders[i] == SL_ORDER_CHANNELS_FIRST;
        any = any || (rank >= 3 && rank <= 5);
    }
    if (!any)
        return SLUICE_OK;
    SL_TRY(count_transposes(in, last, only_fc, &best, e));
    for (int i = 0; i < in->n_inputs && best > 0 && tried < MOST_TRIED; i++) {
        int rank = in->inputs[i].node->shape.rank, n;
        if (rank < 3 || rank > 5 || (orders && orders[i] != SL_ORDER_FREE))
            continue;
        tried++;
        last[i] = !last[i];
        SL_TRY(count_transposes(in, last, only_fc, &n, e));
        if (n < best)
            best = n;
        else
            last[i] = !last[i];
    }
    return SLUICE_OK;
}

sluice_status sl_choose_layout(const struct sl_graph *in, bool channels_first, const enum sl_input_order *orders,
                               sl_arena *a, struct sl_graph **out, int *n_transposes, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    bool *last = SL_NEW_ARRAY(scratch, bool, (size_t)in->n_inputs + 1),
         *only_fc = SL_NEW_ARRAY(scratch, bool, (size_t)in->n_nodes + 1);
    for (int i = 0; i < in->n_nodes; i++)
        only_fc[i] = true;
    for (int i = 0; i < in->n_nodes; i++)
        for (int k = 0; k < in->nodes[i]->n_in; k++)
            only_fc[in->nodes[i]->in[k]->index] &= in->nodes[i]->op == SL_OP_fc;
    sluice_status s = choose_inputs(in, channels_first, orders, last, only_fc, e);
    if (s == SLUICE_OK)
        s = build(in, a, last, only_fc, out, n_transposes, e);
    sl_arena_free(scratch);
    return s;
}
