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

static bool is_weighted(const struct sl_node *n)
{
    return n->op >= SL_OP_conv && n->op <= SL_OP_deconv;
}

/* Kernels of weighted layers are put in another order; what is of one value or another type is written out; the rest is read in
 * place. */
static uint64_t constant_bytes(const struct sl_node *n, const struct sl_const *c, uint64_t *largest)
{
    uint64_t bytes = (uint64_t)sl_shape_elements(&c->shape) * sizeof(float);
    if (is_weighted(n) && c == sl_param(n, "kernel") && c->splat)
        *largest = SL_MAX(*largest, bytes); /* once more until it is reordered */
    return is_weighted(n) || c->splat || c->dtype != SL_F32 ? bytes : 0;
}

sluice_status sl_float_memory(const struct sl_graph *g, bool keep_all, struct sl_float_memory *out, sl_err *e)
{
    sl_arena *a = sl_arena_new();
    struct sl_float_plan plan = {0};
    uint64_t largest = 0;
    sluice_status s = sl_float_plan(a, g, keep_all, &plan, e);
    *out = (struct sl_float_memory){.tensors = plan.bytes};
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_params; k++)
            out->constants += constant_bytes(g->nodes[i], g->nodes[i]->params[k].value, &largest);
    out->constants += largest;
    sl_arena_free(a);
    return s;
}

sluice_status sl_float_fits(const struct sl_graph *g, bool keep_all, uint64_t limit, struct sl_float_memory *out, sl_err *e)
{
    SL_TRY(sl_float_memory(g, keep_all, out, e));
    if (out->tensors + out->constants <= limit)
        return SLUICE_OK;
    sl_fail(e, SLUICE_E_LIMIT,
            "running '%s' in float takes %.0f MiB (constants %.0f, tensors %.0f), the memory limit is %.0f MiB", g->name,
            (double)(out->tensors + out->constants) / 0x1p20, (double)out->constants / 0x1p20, (double)out->tensors / 0x1p20,
            (double)limit / 0x1p20);
    return sl_hint(e, "--memory-limit MIB raises the limit (default: half of the machine's memory)");
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

void sl_float_run_watch(struct sl_float_run *r, void (*fn)(void *data, const struct sl_node *n, const struct sl_tensor *t),
                        void *data)
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
