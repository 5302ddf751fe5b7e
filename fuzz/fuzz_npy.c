/* fuzz_npy.c: any bytes as an .npy file. What is read must survive being written and read again. */
#include <string.h>

#include "fuzz.h"
#include "base/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    sl_arena *a = fuzz_arena();
    struct sl_array first, second;
    if (sl_npy_parse(a, (struct sl_view){data, size}, &first, &e) == SLUICE_OK) {
        struct sl_buffer b = {0};
        MUST(sl_npy_write(&b, &first) == SLUICE_OK);
        MUST(sl_npy_parse(a, (struct sl_view){b.data, b.size}, &second, &e) == SLUICE_OK);
        MUST(first.dtype == second.dtype && first.bytes == second.bytes && sl_shape_equal(&first.shape, &second.shape));
        MUST(first.bytes == 0 || memcmp(first.data, second.data, first.bytes) == 0);
        sl_buffer_free(&b);
    } else {
        MUST(e.code != SLUICE_OK && e.message[0]);
    }
    sl_arena_free(a);
    return 0;
}
