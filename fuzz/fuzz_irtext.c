/* fuzz_irtext.c: any bytes as IR text. A graph that is read prints, and what is printed reads back and prints the same. */
#include <string.h>

#include "fuzz.h"
#include "ir/name.h"
#include "ir/text.h"

enum { MEMORY_LIMIT = 512 << 20 }; /* seeds may fill 64 MiB */

static void check_print(sl_arena *a, struct sl_graph *g)
{
    sl_err e = {0};
    struct sl_text_consts *consts = sl_text_consts_new(a);
    struct sl_buffer first = {0}, second = {0};
    struct sl_graph *back;
    MUST(sl_text_print(g, consts, &first, &e) == SLUICE_OK);
    MUST(sl_text_parse(a, (struct sl_view){first.data, first.size}, consts, &back, &e) == SLUICE_OK);
    MUST(sl_text_print(back, NULL, &second, &e) == SLUICE_OK);
    MUST(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    MUST(sl_assign_names(sl_graph_copy(g, a), &e) == SLUICE_OK);
    sl_buffer_free(&first);
    sl_buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    sl_arena *a = sl_arena_new();
    struct sl_graph *g;
    sl_arena_set_limit(a, MEMORY_LIMIT);
    if (sl_text_parse(a, (struct sl_view){data, size}, NULL, &g, &e) != SLUICE_OK) {
        MUST(e.code != SLUICE_OK && e.message[0]);
    } else {
        bool typed = true; /* without all types nothing was verified, and a shape may not print as it stands */
        for (int i = 0; i < g->n_nodes; i++)
            typed = typed && g->nodes[i]->dtype != SL_NONE;
        if (typed)
            check_print(a, g);
    }
    sl_arena_free(a);
    return 0;
}
