/* test_hef_describe.c: reads the vendor-shaped HEF files of the shared data and compares the text with what the genuine tool
 * printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "hef/hef.h"

static const char *data_directory(void)
{
    const char *d = getenv("SLUICE_DATA");
    return d && d[0] ? d : "../shared/data";
}

/* "=== name\n" lines "rc=0\n" -> compares each with ours. */
static void matches_the_genuine_text(void **state)
{
    sl_arena *a = sl_arena_new();
    sl_err err = {0};
    struct sl_view golden;
    const char *path = sl_arena_printf(a, "%s/hef/parse-hef.txt", data_directory());
    if (!sl_is_file(path)) {
        printf("SKIP: no %s (set SLUICE_DATA)\n", path);
        sl_arena_free(a);
        skip();
    }
    assert_int_equal(sl_map_file(a, path, &golden, &err), SLUICE_OK);
    const char *text = sl_arena_strndup(a, (const char *)golden.data, golden.size);
    int files = 0;
    for (const char *at = text; (at = strstr(at, "=== ")) != NULL; files++) {
        const char *line_end = strchr(at, '\n');
        const char *name = sl_arena_strndup(a, at + 4, (size_t)(line_end - at - 4));
        const char *rc = strstr(line_end, "rc=");
        const char *wanted = sl_arena_strndup(a, line_end + 1, (size_t)(rc - line_end - 1));
        struct sl_view bytes;
        struct sl_hef *h;
        struct sl_buffer out = {0};
        assert_int_equal(sl_map_file(a, sl_arena_printf(a, "%s/hef/%s.hef", data_directory(), name), &bytes, &err), SLUICE_OK);
        if (sl_hef_read(a, bytes, &h, &err) != SLUICE_OK)
            fail_msg("%s: %s", name, err.message);
        sl_hef_describe(&out, h, SL_HEF_SHOW_STREAMS | SL_HEF_SHOW_VSTREAMS);
        assert_string_equal(sl_buffer_text(&out), wanted);
        sl_buffer_free(&out);

        struct sl_program *programs;
        size_t n;
        sl_err refusal = {0};
        assert_int_equal(sl_hef_programs(a, h, 0, &programs, &n, &refusal), SLUICE_E_UNSUPPORTED);
        json_t *json = sl_hef_json(h);
        assert_non_null(json);
        json_decref(json);
        at = rc;
    }
    assert_true(files >= 16);
    sl_arena_free(a);
}

/* Stores the hash of a version-3 file's message in its header. */
static void rehash(uint8_t *file)
{
    size_t n = (size_t)file[8] << 24 | (size_t)file[9] << 16 | (size_t)file[10] << 8 | file[11];
    if (n > 4096)
        return; /* the damage hit the size itself */
    uint64_t hash = sl_hash64(file + 56, n);
    for (int i = 0; i < 8; i++)
        file[40 + i] = (uint8_t)(hash >> (56 - 8 * i));
}

/* Each of those files cut at every length and with every byte changed: an error or a HEF, never a crash. */
static void survives_damage(void **state)
{
    static const char *const names[] = {"one", "yolov8", "ssd", "yolov5", "multi_ctx", "hdr_v0", "hdr_v1", "hdr_v2", "onepf"};
    sl_arena *files = sl_arena_new();
    sl_err err = {0};
    for (size_t k = 0; k < SL_COUNT(names); k++) {
        struct sl_view bytes;
        const char *path = sl_arena_printf(files, "%s/hef/%s.hef", data_directory(), names[k]);
        if (!sl_is_file(path)) {
            printf("SKIP: no %s (set SLUICE_DATA)\n", path);
            sl_arena_free(files);
            skip();
        }
        assert_int_equal(sl_map_file(files, path, &bytes, &err), SLUICE_OK);
        for (size_t i = 0; i < 2 * bytes.size; i++) {
            sl_arena *a = sl_arena_new();
            size_t size = i < bytes.size ? i : bytes.size;
            uint8_t *copy = sl_arena_memdup(a, bytes.data, bytes.size);
            if (i >= bytes.size) {
                copy[i - bytes.size] ^= (uint8_t)(1 + i % 255);
                if (bytes.data[7] == 3) /* with the hash of the damaged message, so that the damage reaches the decoder */
                    rehash(copy);
            }
            struct sl_hef *h;
            sl_err e = {0};
            if (sl_hef_read(a, (struct sl_view){copy, size}, &h, &e) == SLUICE_OK) {
                struct sl_buffer out = {0};
                sl_hef_describe(&out, h, 7);
                sl_buffer_free(&out);
            } else {
                assert_true(e.message[0] != 0);
            }
            sl_arena_free(a);
        }
    }
    sl_arena_free(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matches_the_genuine_text), cmocka_unit_test(survives_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
