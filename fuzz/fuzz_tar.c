/* fuzz_tar.c: any bytes as a tar archive, plain or gzip'ed. Names must be safe to extract; members must read back. */
#include <string.h>

#include "fuzz.h"
#include "base/tar.h"

static void check_name(const char *name)
{
    MUST(name[0] && name[0] != '/' && strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0);
    MUST(!strstr(name, "/../") && !sl_ends_with(name, "/.."));
}

static void check_bytes(const struct sl_tar_member *m)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < m->data.size; i++) /* every byte is there */
        sum = (uint8_t)(sum + m->data.data[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_err e = {0};
    sl_arena *a = fuzz_arena();
    struct sl_tar_member *m;
    size_t n;
    if (sl_tar_parse(a, (struct sl_view){data, size}, &m, &n, &e) == SLUICE_OK) {
        for (size_t i = 0; i < n; i++) {
            check_name(m[i].name);
            check_bytes(&m[i]);
            MUST(sl_tar_find(m, n, m[i].name) == &m[i].data);
        }
    } else {
        MUST(e.code != SLUICE_OK && e.message[0]);
    }
    sl_arena_free(a);
    return 0;
}
