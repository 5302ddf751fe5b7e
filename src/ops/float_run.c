/* float_run.c: runs a graph in float, frame by frame; see float_run.h. Before it: sl_infer_all has set all shapes. */
#include "ops/float_run.h"

#include <stdlib.h>
#include <string.h>

#include "ops/dnn.h"
#include "ops/eval.h"
#include "ops/float_plan.h"
#include "ops/values.h"

struct sl_float_run {
    const struct sl_graph *graph;
    sl_arena *arena, *scratch;
    struct sl_eval eval;
    int n_threads;
    bool keep_all;
    char *block;
    struct sl_tensor *tensors; /* by node index */
    struct sl_tensor *inputs;  /* of the node at hand */
    void (*watch)(void *data, const struct sl_node *n, const struct sl_tensor *t);
    void *watch_data;
};

void sl_float_run_free(struct sl_float_run *r)
{
    if (!r)
        return;
    sl_dnn_free(r->eval.dnn);
    sl_arena_free(r->scratch);
    sl_arena_free(r->arena);
    free(r->block);
    free(r);
}

/* Constants are unpacked once and stay. */
static sluice_status prepare_constant(struct sl_float_run *r, const struct sl_node *n, struct sl_tensor *t, sl_err *e)
{
    const struct sl_const *c = sl_param(n, "data");
    size_t bytes = sl_shape_elements(&n->shape) * sl_class_bytes(n->dtype);
    if (c->dtype == SL_F32 && n->dtype == SL_F32) {
        const float *values;
        SL_TRY(sl_eval_floats(r->arena, c, &values, e));
        t->data = (void *)values; /* read only: nothing writes to a constant's tensor */
        return SLUICE_OK;
    }
    t->data = sl_arena_alloc_aligned64(r->arena, bytes);
    if (!t->data)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for constant '%s' of %zu bytes", sl_node_text(n), bytes);
    return sl_op_row(n->op)->eval(&r->eval, n, NULL, t, e);
}

static sluice_status prepare_tensors(struct sl_float_run *r, sl_err *e)
{
    const struct sl_graph *g = r->graph;
    struct sl_float_plan plan;
    int most = 1;
    SL_TRY(sl_float_plan(r->arena, g, r->keep_all, &plan, e));
    r->block = aligned_alloc(64, SL_MAX(plan.bytes, (size_t)64));
    if (!r->block)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %zu MiB of tensors", plan.bytes >> 20);
    r->tensors = SL_NEW_ARRAY(r->arena, struct sl_tensor, g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        struct sl_tensor *t = &r->tensors[i];
        *t = (struct sl_tensor){n->dtype, n->shape, NULL};
        most = SL_MAX(most, n->n_in);
        if (n->op == SL_OP_const_input)
            SL_TRY(prepare_constant(r, n, t, e));
        else
            t->data = plan.root[i] != i ? r->tensors[plan.root[i]].data : r->block + plan.offset[i];
    }
    r->inputs = SL_NEW_ARRAY(r->arena, struct sl_tensor, most);
    return SLUICE_OK;
}

static sluice_status prepare(struct sl_float_run *r, sl_err *e)
{
    if (r->graph->stage == SL_STAGE_QUANTIZED)
        return sl_fail(e, SLUICE_E_USAGE, "a quantized network has no float evaluation");
    SL_TRY(sl_dnn_new(r->graph->n_nodes, &r->eval.dnn, e));
    return prepare_tensors(r, e);
}

sluice_status sl_float_run_new(const struct sl_graph *g, int n_threads, bool keep_all, struct sl_float_run **out, sl_err *e)
{
    struct sl_float_run *r = calloc(1, sizeof *r);
    if (!r)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for a float run");
    r->graph = g;
    r->n_threads = n_threads > 0 ? n_threads : sl_cpu_count();
    r->keep_all = keep_all;
    r->arena = sl_arena_new();
    r->scratch = r->eval.scratch = sl_arena_new();
    sluice_status s = prepare(r, e);
    if (s != SLUICE_OK) {
        sl_float_run_free(r);
        return s;
    }
    *out = r;
    return SLUICE_OK;
}

static sluice_status run_node(struct sl_float_run *r, const struct sl_node *n, sl_err *e)
{
    if (n->op == SL_OP_input_layer || n->op == SL_OP_const_input)
        return SLUICE_OK;
    for (int k = 0; k < n->n_in; k++)
        r->inputs[k] = r->tensors[n->in[k]->index];
    struct sl_arena_mark mark = sl_arena_mark(r->scratch);
    sluice_status s = sl_op_row(n->op)->eval(&r->eval, n, r->inputs, &r->tensors[n->index], e);
    sl_arena_reset(r->scratch, mark);
    return s == SLUICE_OK ? s : sl_context(e, "%s '%s'", sl_op_info(n->op)->name, sl_node_text(n));
}

static sluice_status run_nodes(struct sl_float_run *r, sl_err *e)
{
    const struct sl_graph *g = r->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        SL_TRY(run_node(r, g->nodes[i], e));
        if (r->watch)
            r->watch(r->watch_data, g->nodes[i], &r->tensors[i]);
    }
    return SLUICE_OK;
}

sluice_status sl_float_run_frame(struct sl_float_run *r, const void *const *inputs, sl_err *e)
{
    const struct sl_graph *g = r->graph;
    for (int i = 0; i < g->n_inputs; i++) {
        const struct sl_tensor *t = &r->tensors[g->inputs[i].node->index];
        memcpy(t->data, inputs[i], sl_shape_elements(&t->shape) * sl_class_bytes(t->dtype));
    }
    int before = sl_dnn_threads_enter(r->n_threads);
    sluice_status s = run_nodes(r, e);
    sl_dnn_threads_leave(before);
    return s;
}

void sl_float_run_watch(struct sl_float_run *r, void (*fn)(void *data, const struct sl_node *n, const struct sl_tensor *t), void *data)
{
    r->watch = fn;
    r->watch_data = data;
}

const struct sl_tensor *sl_float_run_output(const struct sl_float_run *r, int output)
{
    return &r->tensors[r->graph->outputs[output].node->index];
}

const struct sl_tensor *sl_float_run_value(const struct sl_float_run *r, const struct sl_node *n)
{
    return &r->tensors[n->index];
}
