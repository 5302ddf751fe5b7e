/* fuzz_onnx.c: any bytes as an ONNX model. What is imported is a sound graph, and a small one runs. */
#include "fuzz_graph.h"
#include "onnx/onnx.h"

enum { MEMORY_LIMIT = 768 << 20 };

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
