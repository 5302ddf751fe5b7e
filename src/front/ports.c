/* ports.c: inputs and outputs of a network that is being imported. */
#include "front/ports.h"

#include "ir/grow.h"
#include "ops/ops.h"

static struct sl_port *add_port(struct sl_build *b, struct sl_port **ports, int *n, const char *name)
{
    *ports = sl_grow(b->a, *ports, *n, sizeof **ports);
    struct sl_port *p = &(*ports)[(*n)++];
    *p = (struct sl_port){.origin_name = name};
    for (int k = 0; k < SL_MAX_RANK; k++)
        p->perm[k] = k;
    return p;
}

static sluice_status check_input_shape(const struct sl_build *b, const char *name, const struct sl_shape *s)
{
    size_t n;
    for (int k = 0; k < s->rank; k++)
        if (s->dim[k] < 1)
            return sl_fail(b->e, SLUICE_E_SHAPE, "input '%s': dimension %d is %lld, not at least 1", name, k,
                           (long long)s->dim[k]);
    if (!sl_shape_count(s, &n) || n > (size_t)1 << 40)
        return sl_fail(b->e, SLUICE_E_LIMIT, "input '%s' is larger than 2^40 elements", name);
    return SLUICE_OK;
}

sluice_status sl_add_input(struct sl_build *b, const char *name, enum sl_dtype origin, enum sl_dtype stored,
                           const struct sl_shape *s, struct sl_node **out)
{
    SL_TRY(check_input_shape(b, name, s));
    struct sl_node *n = *out = sl_graph_add(b->g, SL_OP_input_layer, 0, NULL);
    n->dtype = stored;
    n->shape = *s;
    sl_node_add_origin(b->a, n, name);
    struct sl_port *p = add_port(b, &b->g->inputs, &b->g->n_inputs, name);
    p->node = n;
    p->origin_dtype = origin;
    p->origin_shape = *s;
    return sl_infer(b->g, n, b->e);
}

sluice_status sl_add_output(struct sl_build *b, const char *name, struct sl_node *from, struct sl_port **out)
{
    struct sl_node *n = sl_graph_add(b->g, SL_OP_output_layer, 1, &from);
    sl_node_add_origin(b->a, n, name);
    SL_TRY(sl_infer(b->g, n, b->e));
    *out = add_port(b, &b->g->outputs, &b->g->n_outputs, name);
    (*out)->node = n;
    (*out)->origin_dtype = n->dtype;
    (*out)->origin_shape = n->shape;
    return SLUICE_OK;
}

void sl_drop_unused_inputs(struct sl_build *b, sl_arena *scratch)
{
    struct sl_graph *g = b->g;
    bool *used = SL_NEW_ARRAY(scratch, bool, (size_t)g->n_nodes + 1);
    sl_graph_renumber(g);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            used[g->nodes[i]->in[k]->index] = true;
    int n_inputs = 0, n_nodes = 0;
    for (int i = 0; i < g->n_inputs; i++) {
        if (used[g->inputs[i].node->index])
            g->inputs[n_inputs++] = g->inputs[i];
        else
            sl_note(b, "input '%s' is not needed for the outputs and is left out", g->inputs[i].origin_name);
    }
    g->n_inputs = n_inputs;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op != SL_OP_input_layer || used[i])
            g->nodes[n_nodes++] = g->nodes[i];
    g->n_nodes = n_nodes;
    sl_graph_renumber(g);
}
