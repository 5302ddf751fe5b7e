/* onnx_problems.c: the error that names everything unsupported at once, and the end nodes that leave the largest supported
 * part. */
#include <string.h>

#include "onnx/onnx_import.h"

/* A translated node ends the supported part when what it makes is wanted, or is read by a node that could not be made. */
static void mark_frontier(const struct onnx_import *c, const char *const *wanted, int n_wanted, bool *frontier)
{
    const struct onnx_graph *g = c->model->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        if (c->fates[i] != ONNX_UNSUPPORTED && c->fates[i] != ONNX_SKIPPED)
            continue;
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            const struct onnx_value *v = g->nodes[i].in[k][0] ? sl_map_get(c->scope->values, g->nodes[i].in[k]) : NULL;
            if (v && v->producer)
                frontier[v->producer - 1] = true;
        }
    }
    for (int i = 0; i < n_wanted; i++) {
        const struct onnx_value *v = sl_map_get(c->scope->values, wanted[i]);
        if (v && v->producer)
            frontier[v->producer - 1] = true;
    }
}

static void recommend(struct onnx_import *c, const char *const *wanted, int n_wanted)
{
    const struct onnx_graph *g = c->model->graph;
    bool *frontier = SL_NEW_ARRAY(c->scratch, bool, (size_t)g->n_nodes + 1);
    mark_frontier(c, wanted, n_wanted, frontier);
    c->b->report->recommended = SL_NEW_ARRAY(c->a, const char *, (size_t)g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++)
        if (frontier[i] && c->fates[i] == ONNX_TRANSLATED)
            c->b->report->recommended[c->b->report->n_recommended++] = g->nodes[i].label;
}

sluice_status onnx_fail_unsupported(struct onnx_import *c, const char *const *wanted, int n_wanted)
{
    recommend(c, wanted, n_wanted);
    return sl_fail_problems(c->b->report, "node", "nothing before these nodes can be taken; replace the operators in the model",
                            c->e);
}
