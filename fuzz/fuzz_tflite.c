/* fuzz_tflite.c: any bytes as a TFLite model. What is imported is a sound graph, a small one runs, and a file with scales
 * either becomes an integer graph or says why not. */
#include "fuzz_graph.h"
#include "tflite/tflite.h"

enum { MEMORY_LIMIT = 768 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    sl_arena *a = sl_arena_new();
    struct sl_graph *g, *fp, *quantized;
    struct sl_tflite_report report;
    sl_arena_set_limit(a, MEMORY_LIMIT);
    if (sl_tflite_import(a, "fuzz.tflite", (struct sl_view){data, size}, NULL, &g, &report, &e) == SLUICE_OK) {
        MUST(e.code == SLUICE_OK && sl_graph_verify(g, &e) == SLUICE_OK);
        struct sl_nms_head head;
        sl_find_nms_head(g, &report.common.nms, NULL, a, &head);
        if (is_small(g))
            run(a, g);
        if (report.encoded && sl_tflite_quantized(report.encoded, a, &fp, &quantized, &e) == SLUICE_OK)
            MUST(e.code == SLUICE_OK && sl_graph_verify(quantized, &e) == SLUICE_OK && sl_graph_verify(fp, &e) == SLUICE_OK);
        else if (report.encoded)
            MUST(e.code != SLUICE_OK && e.message[0] && e.code != SLUICE_E_INTERNAL);
    } else {
        MUST(e.code != SLUICE_OK && e.message[0] && e.code != SLUICE_E_INTERNAL);
    }
    sl_arena_free(a);
    return 0;
}
