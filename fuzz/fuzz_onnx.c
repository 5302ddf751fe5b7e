/* fuzz_onnx.c: any bytes as an ONNX model. What is imported is a sound graph, and a small one runs; cut in its middle, the parts before
 * and behind are models too, or refused with an error. */
#include "fuzz_graph.h"
#include "front/nms_heads.h"
#include "onnx/onnx.h"

enum { MEMORY_LIMIT = 768 << 20 };

static void import_part(sl_arena *a, struct sl_view bytes)
{
    sl_err e = {0};
    struct sl_graph *g;
    if (bytes.size && sl_onnx_import(a, "part.onnx", bytes, NULL, &g, NULL, &e) != SLUICE_OK)
        MUST(e.message[0] && e.code != SLUICE_E_INTERNAL);
}

static void cut(sl_arena *a, struct sl_view bytes, const struct sl_graph *g)
{
    const struct sl_node *middle = g->nodes[g->n_nodes / 2];
    struct sl_onnx_report report;
    struct sl_graph *part;
    sl_err e = {0};
    if (!middle->n_origins)
        return;
    const char *name = middle->origins[middle->n_origins - 1];
    struct sl_onnx_options o = {.common = {.start_nodes = &name, .n_start = 1, .end_nodes = &name, .n_end = 1}};
    if (sl_onnx_import(a, "cut.onnx", bytes, &o, &part, &report, &e) != SLUICE_OK) {
        MUST(e.message[0] && e.code != SLUICE_E_INTERNAL);
        return;
    }
    import_part(a, report.preprocess);
    import_part(a, report.postprocess);
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
        struct sl_nms_head head;
        sl_find_nms_head(g, &report.common.nms, NULL, a, &head);
        if (is_small(g)) {
            run(a, g);
            cut(a, (struct sl_view){data, size}, g);
        }
    } else {
        MUST(e.code != SLUICE_OK && e.message[0] && e.code != SLUICE_E_INTERNAL);
    }
    sl_arena_free(a);
    return 0;
}
