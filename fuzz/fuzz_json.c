/* fuzz_json.c: any bytes as JSON. What is read must be written, read and written again with the same bytes. */
#include <string.h>

#include "fuzz.h"
#include "base/json.h"

static void check_again(const json_t *j)
{
    sl_err e = {0};
    struct sl_buffer first = {0}, second = {0};
    json_t *again;
    MUST(sl_json_write(&first, j, &e) == SLUICE_OK);
    MUST(sl_json_parse((struct sl_view){first.data, first.size}, &again, &e) == SLUICE_OK);
    MUST(json_equal(j, again));
    MUST(sl_json_write(&second, again, &e) == SLUICE_OK);
    MUST(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    json_decref(again);
    sl_buffer_free(&first);
    sl_buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    json_t *j;
    if (sl_json_parse((struct sl_view){data, size}, &j, &e) == SLUICE_OK) {
        check_again(j);
        json_decref(j);
    } else {
        MUST(e.code != SLUICE_OK && e.message[0] && !j);
    }
    return 0;
}
