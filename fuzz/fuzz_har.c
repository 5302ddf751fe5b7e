/* fuzz_har.c: any bytes as a HAR. A model that is read can be written, and what is written reads back and is written the same.
 */
#include <string.h>

#include "fuzz.h"
#include "har/har.h"

enum { MEMORY_LIMIT = 512 << 20 }; /* packed members may unfold to 64 times their size, twice */

static void check_write(sl_arena *a, const struct sl_model *m)
{
    sl_err e = {0};
    struct sl_buffer first = {0}, second = {0};
    struct sl_model *back;
    if (sl_har_write_buffer(m, &first, &e) != SLUICE_OK) { /* names that an archive may hold and ours may not */
        MUST(e.message[0]);
        sl_buffer_free(&first);
        return;
    }
    MUST(sl_har_read(a, (struct sl_view){first.data, first.size}, &back, &e) == SLUICE_OK);
    MUST(sl_har_write_buffer(back, &second, &e) == SLUICE_OK);
    MUST(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    sl_buffer_free(&first);
    sl_buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    sl_arena *a = sl_arena_new();
    struct sl_model *m;
    sl_arena_set_limit(a, MEMORY_LIMIT);
    if (sl_har_read(a, (struct sl_view){data, size}, &m, &e) == SLUICE_OK)
        check_write(a, m);
    else
        MUST(e.code != SLUICE_OK && e.message[0]);
    sl_arena_free(a);
    return 0;
}
