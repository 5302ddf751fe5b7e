/* fuzz_hef.c: any bytes as a HEF file: a clear refusal, or streams that can be shown and, if it is ours, programs that can be
 * read. */
#include <string.h>

#include "base/hash.h"
#include "fuzz.h"
#include "hef/hef.h"
#include "hef/payload.h"

/* The hash of a version-3 message is made to fit, so that damage to the message reaches its decoder. */
static void mend_hash(uint8_t *file, size_t size)
{
    if (size < 56 || file[7] != 3)
        return;
    size_t n = (size_t)file[8] << 24 | (size_t)file[9] << 16 | (size_t)file[10] << 8 | file[11];
    if (n > size - 56)
        return;
    uint64_t hash = sl_hash64(file + 56, n);
    for (int i = 0; i < 8; i++)
        file[40 + i] = (uint8_t)(hash >> (56 - 8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_arena *a = fuzz_arena();
    sl_err e = {0};
    struct sl_hef *h = NULL;
    uint8_t *copy = malloc(size ? size : 1);
    MUST(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    mend_hash(copy, size);
    if (sl_hef_read(a, (struct sl_view){copy, size}, &h, &e) == SLUICE_OK) {
        struct sl_buffer text = {0};
        struct sl_program *p = NULL;
        size_t n = 0;
        sl_hef_describe(&text, h, SL_HEF_SHOW_STREAMS | SL_HEF_SHOW_VSTREAMS | SL_HEF_SHOW_PROGRAM);
        MUST(text.size > 0);
        sl_buffer_free(&text);
        json_t *json = sl_hef_json(h);
        MUST(json != NULL);
        json_decref(json);
        if (sl_hef_programs(a, h, SL_PAYLOAD_ANY_HASH, &p, &n, &e) == SLUICE_OK)
            MUST(n == h->n_groups);
        else
            MUST(e.message[0]);
    } else {
        MUST(e.code != SLUICE_OK && e.code != SLUICE_E_INTERNAL && e.message[0]);
    }
    free(copy);
    sl_arena_free(a);
    return 0;
}
