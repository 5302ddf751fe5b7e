/* test_strings.c: the byte buffer, the string map, suggestions; element types and shapes. */
#include "unit.h"

#include "base/strings.h"
#include "base/types.h"

static void buffer_grows(void **state)
{
    (void)state;
    struct sl_buffer b = {0};
    for (int i = 0; i < 1000; i++)
        sl_put_printf(&b, "%d,", i);
    assert_string_equal(sl_buffer_text(&b) + b.size - 8, "998,999,");
    sl_put_zeros(&b, 3);
    assert_int_equal(b.data[b.size - 1], 0);
    sl_put(&b, NULL, 0);
    assert_false(b.failed);
    assert_false(sl_buffer_reserve(&b, SIZE_MAX - 5));
    assert_true(b.failed);
    size_t size = b.size;
    sl_put_u8(&b, 1); /* a failed buffer takes nothing more */
    assert_int_equal(b.size, size);
    assert_string_equal(sl_buffer_text(&b), "");
    sl_buffer_free(&b);
    assert_string_equal(sl_buffer_text(&b), "");
    sl_buffer_free(&b);
}

static void map_finds(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_map *m = sl_map_new(a);
    static int values[5000];
    for (int i = 0; i < 5000; i++)
        sl_map_set(m, sl_arena_printf(a, "net/conv%d", i), &values[i]);
    for (int i = 0; i < 5000; i++) {
        char key[32];
        snprintf(key, sizeof key, "net/conv%d", i);
        assert_ptr_equal(sl_map_get(m, key), &values[i]);
    }
    assert_null(sl_map_get(m, "net/conv5000"));
    sl_map_set(m, "net/conv1", &values[2]);
    assert_ptr_equal(sl_map_get(m, "net/conv1"), &values[2]);
    sl_map_set(m, "", NULL);
    assert_true(sl_map_has(m, ""));
    assert_null(sl_map_get(m, ""));
    assert_false(sl_map_has(m, "x"));
    sl_arena_free(a);
}

static void suggestions(void **state)
{
    (void)state;
    static const char *const words[] = {"stretch", "fit", "crop", "none"};
    assert_string_equal(sl_nearest("strech", words, 4), "stretch");
    assert_string_equal(sl_nearest("CROP", words, 4), "crop");
    assert_string_equal(sl_nearest("fits", words, 4), "fit");
    assert_null(sl_nearest("letterbox", words, 4));
    assert_null(sl_nearest("x", words, 0));
    assert_true(sl_starts_with("conv1", "conv"));
    assert_false(sl_starts_with("co", "conv"));
    assert_true(sl_ends_with("a.npy", ".npy"));
    assert_false(sl_ends_with("npy", ".npy"));
}

static void element_types(void **state)
{
    (void)state;
    for (int t = 1; t < SL_DTYPE_COUNT; t++) {
        assert_int_equal(sl_dtype_from_name(sl_dtype_name((enum sl_dtype)t)), t);
        assert_true(sl_dtype_bits((enum sl_dtype)t) >= 4);
    }
    assert_int_equal(sl_dtype_from_name("float"), SL_NONE);
    assert_int_equal(sl_dtype_bits((enum sl_dtype)99), 0);
    assert_true(sl_dtype_is_float(SL_BF16));
    assert_false(sl_dtype_is_float(SL_S32));
}

static void shapes(void **state)
{
    (void)state;
    size_t n;
    char text[64];
    struct sl_shape s = sl_shape_of(4, (int64_t[]){1, 224, 224, 3});
    assert_true(sl_shape_count(&s, &n) && n == 150528);
    assert_int_equal(sl_shape_elements(&s), 150528);
    assert_string_equal(sl_shape_text(&s, text, sizeof text), "[1, 224, 224, 3]");
    assert_string_equal(sl_shape_text(&s, text, 6), "[1, 2");
    assert_true(sl_bytes_of(SL_F32, &s, &n) && n == 602112);
    struct sl_shape odd = sl_shape_of(1, (int64_t[]){5}), scalar = {0};
    assert_true(sl_bytes_of(SL_S4, &odd, &n) && n == 3);
    assert_true(sl_shape_count(&scalar, &n) && n == 1);
    assert_string_equal(sl_shape_text(&scalar, text, sizeof text), "[]");
    assert_false(sl_shape_equal(&s, &odd));
    assert_true(sl_shape_equal(&s, &s));

    struct sl_shape negative = sl_shape_of(2, (int64_t[]){3, -1}), large = sl_shape_of(2, (int64_t[]){1 << 24, 1 << 23});
    struct sl_shape wraps = sl_shape_of(3, (int64_t[]){(int64_t)1 << 40, (int64_t)1 << 40, 0});
    assert_false(sl_shape_count(&negative, &n));
    assert_false(sl_shape_count(&large, &n));
    assert_false(sl_shape_count(&wraps, &n));
    struct sl_shape empty = sl_shape_of(2, (int64_t[]){3, 0});
    assert_true(sl_shape_count(&empty, &n) && n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_grows),  cmocka_unit_test(map_finds), cmocka_unit_test(suggestions),
        cmocka_unit_test(element_types), cmocka_unit_test(shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
