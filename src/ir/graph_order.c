/* graph_order.c: topological sort and deep copy of a graph, both linear but for the sort's heap. */
#include <assert.h>
#include <string.h>

#include "ir/grow.h"
#include "ir/int_heap.h"
#include "ir/ir.h"
#include "ir/uses.h"

static bool in_graph(const struct sl_graph *g, const struct sl_node *n)
{
    return n && n->index >= 0 && n->index < g->n_nodes && g->nodes[n->index] == n;
}

struct sl_uses sl_find_uses(const struct sl_graph *g, sl_arena *scratch)
{
    struct sl_uses u = {.first = SL_NEW_ARRAY(scratch, int, g->n_nodes + 2)};
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            u.first[g->nodes[i]->in[k]->index + 2]++;
    for (int i = 0; i < g->n_nodes; i++)
        u.first[i + 2] += u.first[i + 1]; /* shifted by one: filling below moves each start to its end */
    u.to = SL_NEW_ARRAY(scratch, int, u.first[g->n_nodes + 1]);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            u.to[u.first[g->nodes[i]->in[k]->index + 1]++] = i;
    return u;
}

static bool is_sorted(const struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k]->index >= i)
                return false;
    return true;
}

/* A node on a cycle: from any node that never became ready, going up through inputs that did not either must come round. */
static const struct sl_node *node_of_cycle(const struct sl_graph *g, const int *waiting)
{
    const struct sl_node *n = NULL;
    for (int i = 0; i < g->n_nodes && !n; i++)
        if (waiting[i] > 0)
            n = g->nodes[i];
    for (int steps = 0; n && steps < g->n_nodes; steps++)
        for (int k = 0; k < n->n_in; k++)
            if (waiting[n->in[k]->index] > 0) {
                n = n->in[k];
                break;
            }
    return n;
}

static sluice_status sort(struct sl_graph *g, sl_arena *scratch, sl_err *e)
{
    struct sl_uses u = sl_find_uses(g, scratch);
    int *waiting = SL_NEW_ARRAY(scratch, int, g->n_nodes);
    struct sl_int_heap ready = {.item = SL_NEW_ARRAY(scratch, int, g->n_nodes)};
    struct sl_node **order = SL_NEW_ARRAY(scratch, struct sl_node *, g->n_nodes);
    int done = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        waiting[i] = g->nodes[i]->n_in;
        if (waiting[i] == 0)
            sl_heap_push(&ready, i);
    }
    while (ready.n > 0) {
        int i = sl_heap_pop(&ready);
        order[done++] = g->nodes[i];
        for (int k = u.first[i]; k < u.first[i + 1]; k++)
            if (--waiting[u.to[k]] == 0)
                sl_heap_push(&ready, u.to[k]);
    }
    if (done < g->n_nodes)
        return sl_fail(e, SLUICE_E_FORMAT, "node '%s' depends on itself through a cycle",
                       sl_node_text(node_of_cycle(g, waiting)));
    if (done > 0)
        memcpy(g->nodes, order, (size_t)done * sizeof *order);
    sl_graph_renumber(g);
    return SLUICE_OK;
}

sluice_status sl_graph_sort(struct sl_graph *g, sl_err *e)
{
    sl_graph_renumber(g);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (!in_graph(g, g->nodes[i]->in[k]))
                return sl_fail(e, SLUICE_E_FORMAT, "input %d of node '%s' is not in the graph", k, sl_node_text(g->nodes[i]));
    if (is_sorted(g))
        return SLUICE_OK;
    sl_arena *scratch = sl_arena_new();
    sluice_status s = sort(g, scratch, e);
    sl_arena_free(scratch);
    return s;
}

/* ---- copy ---- */

/* Where strings and values go: shared inside one arena (they are immutable), copied into another. */
struct copier {
    sl_arena *a;
    bool share;
};

static const char *copy_text(const struct copier *c, const char *s)
{
    return c->share || !s ? s : sl_arena_strdup(c->a, s);
}

static const void *copy_bytes(const struct copier *c, const void *p, int count, size_t element)
{
    return c->share || !p ? p : sl_arena_memdup(c->a, p, sl_mul_or_abort((size_t)count, element));
}

static void copy_attrs(const struct copier *c, struct sl_node *to)
{
    to->attrs = sl_grow_copy(c->a, to->attrs, to->n_attrs, sizeof *to->attrs);
    for (int i = 0; i < to->n_attrs; i++) {
        struct sl_attr *at = &to->attrs[i];
        at->name = copy_text(c, at->name);
        at->s = copy_text(c, at->s);
        at->i = copy_bytes(c, at->i, at->n, sizeof *at->i);
        at->f = copy_bytes(c, at->f, at->n, sizeof *at->f);
    }
}

static struct sl_param *copy_params(const struct copier *c, const struct sl_param *params, int n)
{
    struct sl_param *copy = sl_grow_copy(c->a, params, n, sizeof *params);
    for (int i = 0; i < n; i++)
        copy[i].name = copy_text(c, copy[i].name);
    return copy;
}

/* Inputs still point to the source's nodes. */
static struct sl_node *copy_node(const struct copier *c, const struct sl_node *from)
{
    struct sl_node *to = SL_NEW(c->a, struct sl_node);
    *to = *from;
    to->name = copy_text(c, from->name);
    to->scope = copy_text(c, from->scope);
    if (from->n_in > 0)
        to->in = sl_arena_memdup(c->a, from->in, (size_t)from->n_in * sizeof *from->in);
    copy_attrs(c, to);
    to->params = copy_params(c, from->params, from->n_params);
    to->quant.scales = copy_bytes(c, from->quant.scales, from->quant.n_scales, sizeof *from->quant.scales);
    to->origins = sl_grow_copy(c->a, from->origins, from->n_origins, sizeof *from->origins);
    for (int i = 0; i < to->n_origins; i++)
        to->origins[i] = copy_text(c, to->origins[i]);
    return to;
}

static struct sl_port *copy_ports(const struct copier *c, const struct sl_port *ports, int n, struct sl_node **nodes)
{
    struct sl_port *copy = sl_grow_copy(c->a, ports, n, sizeof *ports);
    for (int i = 0; i < n; i++) {
        copy[i].origin_name = copy_text(c, copy[i].origin_name);
        copy[i].node = nodes[copy[i].node->index];
    }
    return copy;
}

static void copy_extras(const struct copier *c, struct sl_graph *to)
{
    to->scopes = sl_grow_copy(c->a, to->scopes, to->n_scopes, sizeof *to->scopes);
    for (int i = 0; i < to->n_scopes; i++)
        to->scopes[i] = copy_text(c, to->scopes[i]);
    to->states = sl_grow_copy(c->a, to->states, to->n_states, sizeof *to->states);
    for (int i = 0; i < to->n_states; i++)
        to->states[i].name = copy_text(c, to->states[i].name);
    to->scalars = sl_grow_copy(c->a, to->scalars, to->n_scalars, sizeof *to->scalars);
    for (int i = 0; i < to->n_scalars; i++)
        to->scalars[i].name = copy_text(c, to->scalars[i].name);
    to->alternatives = sl_grow_copy(c->a, to->alternatives, to->n_alternatives, sizeof *to->alternatives);
    for (int i = 0; i < to->n_alternatives; i++) {
        struct sl_alternative *alt = &to->alternatives[i];
        alt->name = copy_text(c, alt->name);
        alt->layer = to->nodes[alt->layer->index];
        alt->params = copy_params(c, alt->params, alt->n_params);
    }
}

struct sl_graph *sl_graph_copy(const struct sl_graph *g, sl_arena *a)
{
    const struct copier c = {a, a == g->arena};
    struct sl_graph *to = SL_NEW(a, struct sl_graph);
    *to = *g;
    to->arena = a;
    to->name = copy_text(&c, g->name);
    to->capacity = g->n_nodes + g->n_nodes / 4 + 16;
    to->nodes = SL_NEW_ARRAY(a, struct sl_node *, to->capacity);
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i]->index !=
            i) /* insertions leave stale indices; written only then, so that readers may copy side by side */
            g->nodes[i]->index = i;
        to->nodes[i] = copy_node(&c, g->nodes[i]);
        to->nodes[i]->index = i;
    }
    for (int i = 0; i < to->n_nodes; i++)
        for (int k = 0; k < to->nodes[i]->n_in; k++) {
            assert(in_graph(g, to->nodes[i]->in[k]));
            to->nodes[i]->in[k] = to->nodes[to->nodes[i]->in[k]->index];
        }
    to->inputs = copy_ports(&c, g->inputs, g->n_inputs, to->nodes);
    to->outputs = copy_ports(&c, g->outputs, g->n_outputs, to->nodes);
    copy_extras(&c, to);
    return to;
}
