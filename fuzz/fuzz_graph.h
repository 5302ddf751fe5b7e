/* fuzz_graph.h: what the targets of front ends do with a graph that was imported: run it when it is small. */
#ifndef SL_FUZZ_GRAPH_H
#define SL_FUZZ_GRAPH_H

#include "fuzz.h"
#include "ops/float_run.h"

enum { MOST_ELEMENTS = 1 << 16 };

/* All tensors together are small enough to compute in a moment. */
static inline bool is_small(const struct sl_graph *g)
{
    size_t sum = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        size_t n;
        if (!sl_shape_count(&g->nodes[i]->shape, &n) || n > MOST_ELEMENTS ||
            sl_op_row(g->nodes[i]->op)->cost(g->nodes[i]) > 1 << 22)
            return false;
        sum += n;
    }
    return sum <= 8 * MOST_ELEMENTS;
}

static inline void run(sl_arena *a, const struct sl_graph *g)
{
    sl_err e = {0};
    struct sl_float_run *r = NULL;
    const void **inputs = SL_NEW_ARRAY(a, const void *, g->n_inputs + 1);
    for (int i = 0; i < g->n_inputs; i++)
        inputs[i] = SL_NEW_ARRAY(a, int64_t, sl_shape_elements(&g->inputs[i].node->shape) + 1);
    if (sl_float_run_new(g, 1, false, &r, &e) != SLUICE_OK || sl_float_run_frame(r, inputs, &e) != SLUICE_OK)
        MUST(e.code != SLUICE_OK && e.message[0]);
    sl_float_run_free(r);
}

#endif
