/* fuzz_script.c: any bytes as a model script: parsed, and where it parses applied to a small network, stage by stage. */
#include <string.h>

#include "fuzz.h"
#include "base/log.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "script/script.h"

static const char network[] =
    "graph net native\n"
    "%input_layer1 = input_layer() : f32 [1, 4, 4, 3]\n"
    "%conv1 = conv(%input_layer1) {strides = [1, 1, 1, 1], dilations = [1, 1, 1, 1], pads = [0, 0, 0, 0], groups = 1}\n"
    "    params {kernel: f32 [1, 1, 3, 2] = seed 1}\n"
    "%output_layer1 = output_layer(%conv1)\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_arena *a = fuzz_arena();
    sl_err e = {0}, unused = {0};
    struct sl_script *s = NULL;
    struct sl_graph *g = NULL;
    struct sl_script_settings settings = {0};

    sl_log_level = -1;
    MUST(sl_text_parse(a, (struct sl_view){(const uint8_t *)network, sizeof network - 1}, NULL, &g, &unused) == SLUICE_OK);
    MUST(sl_infer_all(g, &unused) == SLUICE_OK && sl_text_complete(g, &unused) == SLUICE_OK);
    if (sl_script_parse(a, "s.alls", (struct sl_view){data, size}, &s, &e) != SLUICE_OK) {
        MUST(e.code != SLUICE_OK && strncmp(e.message, "s.alls:", 7) == 0);
    } else {
        sluice_status status = sl_script_apply(s, SL_SCRIPT_MODIFY, g, &settings, &e);
        if (status == SLUICE_OK)
            status = sl_script_apply(s, SL_SCRIPT_OPTIMIZE, g, &settings, &e);
        MUST(status == e.code && (status == SLUICE_OK || e.message[0]));
        sl_graph_renumber(g);
        MUST(status != SLUICE_OK || sl_graph_verify(g, &unused) == SLUICE_OK);
        (void)sl_script_check_compile_only(s, &unused);
    }
    sl_arena_free(a);
    return 0;
}
