/* session_float.c: the float engines: a native or fp_optimized graph run by ops' float runner. */
#include <string.h>

#include "api/session.h"
#include "base/error.h"
#include "ops/float_run.h"

struct float_engine {
    const struct sl_graph *graph;
    struct sl_float_run *run;
    session_watch_fn *watch;
    void *watch_data;
    sl_err *err;
    sluice_status status;
    int64_t **integers;   /* by input: room for its values where the graph computes on integers; NULL for floats */
    const void **inputs;
};

/* Ports carry floats; tokens and indices go in as whole numbers. */
static const void *const *input_values(struct float_engine *f, void *const *given)
{
    for (int i = 0; i < f->graph->n_inputs; i++) {
        const float *v = given[i];
        f->inputs[i] = f->integers[i] ? (const void *)f->integers[i] : given[i];
        for (size_t k = 0; f->integers[i] && k < sl_shape_elements(&f->graph->inputs[i].node->shape); k++)
            f->integers[i][k] = v[k] >= -9.2e18f && v[k] <= 9.2e18f ? (int64_t)v[k] : 0;
    }
    return f->inputs;
}

static sluice_status make_integers(struct float_engine *f, sl_arena *a, sl_err *e)
{
    f->integers = SL_NEW_ARRAY(a, int64_t *, f->graph->n_inputs + 1);
    f->inputs = SL_NEW_ARRAY(a, const void *, f->graph->n_inputs + 1);
    for (int i = 0; i < f->graph->n_inputs; i++) {
        const struct sl_node *n = f->graph->inputs[i].node;
        if (sl_dtype_is_float(n->dtype))
            continue;
        f->integers[i] = sl_arena_alloc(a, (sl_shape_elements(&n->shape) + 1) * sizeof **f->integers);
        if (!f->integers[i])
            return sl_fail(e, SLUICE_E_MEMORY, "out of memory for '%s'", sl_node_text(n));
    }
    return SLUICE_OK;
}

static void seen(void *data, const struct sl_node *n, const struct sl_tensor *t)
{
    struct float_engine *f = data;
    char name[600];
    if (f->status != SLUICE_OK)
        return;
    snprintf(name, sizeof name, "%s/%s", n->scope, n->name);
    f->status = f->watch(f->watch_data,
                         &(struct session_tensor){name, sl_dtype_is_float(t->dtype) ? SL_F32 : SL_S64, &t->shape, t->data, 0.0f, 0},
                         f->err);
}

static sluice_status float_frame(void *engine, void *const *inputs, void *const *outputs, session_watch_fn *watch, void *data, sl_err *e)
{
    struct float_engine *f = engine;
    f->watch = watch, f->watch_data = data, f->err = e, f->status = SLUICE_OK;
    sl_float_run_watch(f->run, watch ? seen : NULL, f);
    SL_TRY(sl_float_run_frame(f->run, input_values(f, inputs), e));
    SL_TRY(f->status);
    for (int i = 0; i < f->graph->n_outputs; i++) {
        const struct sl_tensor *t = sl_float_run_output(f->run, i);
        size_t n = sl_shape_elements(&t->shape);
        if (sl_dtype_is_float(t->dtype))
            memcpy(outputs[i], t->data, n * sizeof(float));
        else
            for (size_t k = 0; k < n; k++)
                ((float *)outputs[i])[k] = (float)((const int64_t *)t->data)[k];
    }
    return SLUICE_OK;
}

static void float_close(void *engine) { sl_float_run_free(((struct float_engine *)engine)->run); }

static void float_port(sl_arena *a, const struct sl_port *from, const struct sl_node *named, struct session_port *to)
{
    to->info.name = sl_arena_printf(a, "%s/%s", named->scope, named->name);
    to->info.origin_name = from->origin_name;
    to->info.scale = 1.0f;
    to->dtype = SL_F32;
    to->shape = from->node->shape;
    to->origin = from->origin_shape;
    memcpy(to->perm, from->perm, sizeof to->perm);
}

sluice_status session_open_float(struct sluice_session *s, const struct sl_graph *g, sl_err *e)
{
    struct float_engine *f = SL_NEW(s->arena, struct float_engine);
    f->graph = g;
    s->n_in = g->n_inputs;
    s->n_out = g->n_outputs;
    s->in = SL_NEW_ARRAY(s->arena, struct session_port, g->n_inputs + 1);
    s->out = SL_NEW_ARRAY(s->arena, struct session_port, g->n_outputs + 1);
    for (int i = 0; i < g->n_inputs; i++)
        float_port(s->arena, &g->inputs[i], g->inputs[i].node, &s->in[i]);
    for (int i = 0; i < g->n_outputs; i++)
        float_port(s->arena, &g->outputs[i], g->outputs[i].node->in[0], &s->out[i]);
    for (int i = 0; i < g->n_nodes; i++)
        s->macs += (uint64_t)sl_op_row(g->nodes[i]->op)->cost(g->nodes[i]);
    struct sl_float_memory memory;
    SL_TRY(sl_float_fits(g, false, s->memory_limit, &memory, e));
    SL_TRY(session_set_ports(s, e));
    SL_TRY(make_integers(f, s->arena, e));
    SL_TRY(sl_float_run_new(g, s->threads, false, &f->run, e));
    s->engine = f;
    s->run = float_frame;
    s->close = float_close;
    return SLUICE_OK;
}
