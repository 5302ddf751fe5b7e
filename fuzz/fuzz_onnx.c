/* fuzz_onnx.c: any bytes as an ONNX model. What is imported is a sound graph, and a small one runs. */
#include <math.h>

#include "fuzz.h"
#include "onnx/onnx.h"
#include "ops/float_run.h"

enum { MEMORY_LIMIT = 768 << 20, MOST_ELEMENTS = 1 << 16 };

/* All tensors together are small enough to compute in a moment. */
static bool is_small(const struct sl_graph *g)
{
    size_t sum = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        size_t n;
        if (!sl_shape_count(&g->nodes[i]->shape, &n) || n > MOST_ELEMENTS || sl_op_row(g->nodes[i]->op)->cost(g->nodes[i]) > 1 << 22)
            return false;
        sum += n;
    }
    return sum <= 8 * MOST_ELEMENTS;
}

static void run(sl_arena *a, const struct sl_graph *g)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    sl_arena *a = sl_arena_new();
    struct sl_graph *g;
    struct sl_onnx_report report;
    sl_arena_set_limit(a, MEMORY_LIMIT);
    if (sl_onnx_import(a, "fuzz.onnx", (struct sl_view){data, size}, NULL, &g, &report, &e) == SLUICE_OK) {
        MUST(e.code == SLUICE_OK && sl_graph_verify(g, &e) == SLUICE_OK);
        if (is_small(g))
            run(a, g);
    } else {
        MUST(e.code != SLUICE_OK && e.message[0] && e.code != SLUICE_E_INTERNAL);
    }
    sl_arena_free(a);
    return 0;
}
