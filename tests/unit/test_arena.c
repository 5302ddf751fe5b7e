/* test_arena.c: alignment, zeroing after reset, the limit, clean-up order, overflow-safe sizes. */
#include "unit.h"

static void aligned_and_zeroed(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    for (size_t n = 0; n < 3000; n += 7) {
        uint8_t *p = sl_arena_alloc(a, n), *q = sl_arena_alloc_aligned64(a, n * 50);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_int_equal((uintptr_t)q % 64, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i] | q[i], 0);
        memset(p, 0xff, n);
        memset(q, 0xff, n * 50);
    }
    sl_arena_free(a);
    sl_arena_free(NULL);
}

static void reset_gives_back(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    char *kept = sl_arena_strdup(a, "kept");
    for (int round = 0; round < 5; round++) {
        size_t before = sl_arena_bytes(a);
        struct sl_arena_mark m = sl_arena_mark(a);
        for (size_t n = 1; n < 200000; n = n * 3 + 1) {
            uint8_t *p = sl_arena_alloc(a, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xaa, n);
        }
        assert_true(sl_arena_bytes(a) > before);
        sl_arena_reset(a, m);
        assert_int_equal(sl_arena_bytes(a), before);
    }
    assert_string_equal(kept, "kept");
    sl_arena_free(a);
}

static void limit_is_kept(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    sl_arena_set_limit(a, 100000);
    assert_non_null(sl_arena_alloc(a, 50000));
    assert_null(sl_arena_alloc(a, 60000));
    assert_null(sl_arena_alloc(a, SIZE_MAX));
    assert_null(sl_arena_alloc_aligned64(a, SIZE_MAX - 10));
    assert_non_null(sl_arena_alloc(a, 40000));
    sl_arena_set_limit(a, SIZE_MAX);
    assert_null(sl_arena_alloc(a, SIZE_MAX - 10));
    assert_null(sl_arena_alloc(a, (size_t)1 << 60));
    sl_arena_free(a);
}

static char order[8];

static void note(void *data)
{
    strcat(order, data);
}

static void cleanups_run_newest_first(void **state)
{
    (void)state;
    order[0] = 0;
    sl_arena *a = sl_arena_new();
    sl_arena_on_free(a, note, "1");
    struct sl_arena_mark m = sl_arena_mark(a);
    sl_arena_on_free(a, note, "2");
    sl_arena_on_free(a, note, "3");
    sl_arena_reset(a, m);
    assert_string_equal(order, "32");
    sl_arena_on_free(a, note, "4");
    sl_arena_free(a);
    assert_string_equal(order, "3241");
}

static void copies(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    assert_string_equal(sl_arena_strndup(a, "abcdef", 3), "abc");
    assert_string_equal(sl_arena_strndup(a, "ab", 9), "ab");
    assert_string_equal(sl_arena_strndup(a, NULL, 0), "");
    assert_string_equal(sl_arena_printf(a, "%s_%d", "conv", 7), "conv_7");
    assert_memory_equal(sl_arena_memdup(a, "xyz", 3), "xyz", 3);
    sl_arena_free(a);
}

static void sizes(void **state)
{
    (void)state;
    size_t out;
    assert_true(sl_mul_size(1 << 20, 1 << 20, &out) && out == (size_t)1 << 40);
    assert_false(sl_mul_size(SIZE_MAX / 2, 3, &out));
    assert_int_equal(out, 0);
    assert_true(sl_mul_size(0, SIZE_MAX, &out));
    assert_false(sl_add_size(SIZE_MAX, 1, &out));
    assert_true(sl_add_size(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_zeroed),        cmocka_unit_test(reset_gives_back), cmocka_unit_test(limit_is_kept),
        cmocka_unit_test(cleanups_run_newest_first), cmocka_unit_test(copies),           cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
