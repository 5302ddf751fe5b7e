/* fuzz_npz.c: any bytes as an .npz archive. What is read must survive being written and read again. */
#include <string.h>

#include "fuzz.h"
#include "base/npy.h"

static void check_again(sl_arena *a, const struct sl_npz_member *m, size_t n)
{
    sl_err e = {0};
    struct sl_buffer b = {0};
    struct sl_npz_member *again;
    size_t n_again;
    MUST(sl_npz_write(&b, m, n, &e) == SLUICE_OK);
    MUST(sl_npz_parse(a, (struct sl_view){b.data, b.size}, SIZE_MAX, &again, &n_again, &e) == SLUICE_OK ||
         e.code == SLUICE_E_MEMORY);
    for (size_t i = 0; e.code == SLUICE_OK && i < n; i++) {
        const struct sl_array *x = &m[i].array, *y = &again[i].array;
        MUST(n == n_again && strcmp(m[i].name, again[i].name) == 0 && x->bytes == y->bytes && x->dtype == y->dtype);
        MUST(x->bytes == 0 || memcmp(x->data, y->data, x->bytes) == 0);
    }
    sl_buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    sl_arena *a = fuzz_arena();
    struct sl_npz_member *m;
    size_t n;
    if (sl_npz_parse(a, (struct sl_view){data, size}, 0, &m, &n, &e) == SLUICE_OK)
        check_again(a, m, n);
    else
        MUST(e.code != SLUICE_OK && e.message[0]);
    sl_arena_free(a);
    return 0;
}
