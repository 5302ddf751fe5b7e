/* fuse.c: the walk under every structural pass, and small questions that rules ask. */
#include "quant/fuse.h"

#include <math.h>
#include <string.h>

#include "ops/ops.h"

bool sl_is_weighted(enum sl_op op)
{
    return op == SL_OP_conv || op == SL_OP_dw || op == SL_OP_fc || op == SL_OP_deconv;
}

bool sl_is_clamp(const char *type)
{
    return type && (!strcmp(type, "relu") || !strcmp(type, "relu6") || !strcmp(type, "clip"));
}

void sl_clamp_limits(const struct sl_node *n, const char *key, double *lo, double *hi)
{
    const char *type = sl_get_string(n, key, "");

    *lo = -INFINITY;
    *hi = INFINITY;
    if (!strcmp(type, "relu") || !strcmp(type, "relu6"))
        *lo = 0;
    if (!strcmp(type, "relu6"))
        *hi = 6;
    if (!strcmp(type, "clip")) {
        *lo = sl_get_float(n, "minimum", -INFINITY);
        *hi = sl_get_float(n, "maximum", INFINITY);
    }
}

const float *sl_fuse_constant(struct sl_fuse *f, const struct sl_node *n, size_t *count)
{
    const struct sl_const *c;

    if (n->op != SL_OP_const_input)
        return NULL;
    c = sl_param(n, "data");
    if (!c || c->dtype != SL_F32)
        return NULL;
    *count = sl_shape_elements(&c->shape);
    return sl_const_dense(f->graph->arena, c);
}

bool sl_fuse_scalar(struct sl_fuse *f, const struct sl_node *n, float *out)
{
    size_t count = 0;
    const struct sl_const *c = n->op == SL_OP_const_input ? sl_param(n, "data") : NULL;

    (void)f;
    if (!c || c->dtype != SL_F32 || !sl_shape_count(&c->shape, &count) || count == 0)
        return false;
    if (!c->splat && count != 1)
        return false;
    memcpy(out, c->data, sizeof *out);
    return true;
}

static struct sl_node *resolve(const struct sl_fuse *f, struct sl_node *n)
{
    while (n->index < f->n_walked && f->forward[n->index])
        n = f->forward[n->index];
    return n;
}

int sl_fuse_uses(const struct sl_fuse *f, const struct sl_node *n)
{
    return f->n_uses[n->index];
}

void sl_fuse_replace(struct sl_fuse *f, struct sl_node *n, struct sl_node *to)
{
    bool was_input = false;

    f->forward[n->index] = to;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == to && !was_input)
            was_input = true;
        else
            f->n_uses[n->in[i]->index]--;
    }
    f->n_uses[to->index] += f->n_uses[n->index] - (was_input ? 1 : 0);
    f->user[to->index] = f->user[n->index];
    sl_node_take_origins(f->graph->arena, to, n);
    f->changes++;
}

void sl_fuse_set_input(struct sl_fuse *f, struct sl_node *n, int i, struct sl_node *to)
{
    f->n_uses[n->in[i]->index]--;
    f->n_uses[to->index]++;
    f->user[to->index] = n;
    n->in[i] = to;
}

void sl_fuse_set_inputs(struct sl_fuse *f, struct sl_node *n, int n_in, struct sl_node *const *in)
{
    struct sl_node **list = SL_NEW_ARRAY(f->graph->arena, struct sl_node *, n_in);

    for (int i = 0; i < n->n_in; i++)
        f->n_uses[n->in[i]->index]--;
    for (int i = 0; i < n_in; i++) {
        list[i] = in[i];
        f->n_uses[in[i]->index]++;
        f->user[in[i]->index] = n;
    }
    n->n_in = n_in;
    n->in = list;
}

static sluice_status start(struct sl_fuse *f, sl_err *e)
{
    struct sl_graph *g = f->graph;
    sl_arena *a = g->arena;

    (void)e;
    sl_graph_renumber(g);
    f->n_walked = g->n_nodes;
    f->n_uses = SL_NEW_ARRAY(a, int, g->n_nodes + 1);
    f->user = SL_NEW_ARRAY(a, struct sl_node *, g->n_nodes + 1);
    f->forward = SL_NEW_ARRAY(a, struct sl_node *, g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            f->n_uses[n->in[k]->index]++;
            f->user[n->in[k]->index] = n;
        }
    }
    return SLUICE_OK;
}

sluice_status sl_fuse_walk(struct sl_fuse *f, sl_fuse_rule *rule, sl_err *e)
{
    struct sl_graph *g = f->graph;

    SL_TRY(start(f, e));
    for (int i = 0; i < f->n_walked; i++) {
        struct sl_node *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            n->in[k] = resolve(f, n->in[k]);
        if (rule(f, n, e) != SLUICE_OK)
            return sl_context(e, "layer '%s'", sl_node_text(n));
    }
    for (int i = 0; i < g->n_nodes; i++) /* a rule may have replaced a node behind one already passed */
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            g->nodes[i]->in[k] = resolve(f, g->nodes[i]->in[k]);
    SL_TRY(sl_graph_sort(g, e));
    sl_graph_remove_dead(g);
    return sl_infer_all(g, e);
}
