/* test_npy.c: npy and npz from bytes written here by hand; the comparison with NumPy itself is check_numpy.py. */
#include "unit.h"

#include "base/hash.h"
#include "base/npy.h"

static sl_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = sl_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_arena_free(arena);
    return 0;
}

static struct sl_view npy(const char *header, const void *data, size_t n)
{
    struct sl_buffer b = {0};
    sl_put(&b, "\x93NUMPY\x01\x00", 8);
    sl_put_u16(&b, (uint16_t)strlen(header));
    sl_put(&b, header, strlen(header));
    sl_put(&b, data, n);
    struct sl_view v = {sl_arena_memdup(arena, b.data, b.size), b.size};
    sl_buffer_free(&b);
    return v;
}

static void converts_order_and_endianness(void **state)
{
    (void)state;
    struct sl_array a;
    static const uint8_t big[12] = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
    OK(sl_npy_parse(arena, npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", big, 12), &a, &e));
    static const int16_t wanted[6] = {1, 3, 5, 2, 4, 6};
    assert_int_equal(a.dtype, SL_S16);
    assert_int_equal(a.bytes, 12);
    assert_memory_equal(a.data, wanted, 12);
    OK(sl_npy_parse(arena, npy("{\"shape\":(4L,),\"fortran_order\":False,\"descr\":\"|b1\"}", "\0\1\5\xff", 4), &a, &e));
    assert_int_equal(a.dtype, SL_BOOL);
    assert_memory_equal(a.data, "\0\1\1\1", 4);
    OK(sl_npy_parse(arena, npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", "\0\0\0\0\0\0\xf0\x3f", 8), &a, &e));
    assert_int_equal(a.shape.rank, 0);
    assert_true(*(const double *)a.data == 1.0);
    OK(sl_npy_parse(arena, npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", NULL, 0), &a, &e));
    assert_int_equal(a.bytes, 0);
}

static void bad_npy(void **state)
{
    (void)state;
    struct sl_array a;
#define BAD(header, status, part) FAILS(sl_npy_parse(arena, npy(header, "12345678", 8), &a, &e), status, part)
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", SLUICE_E_FORMAT, "needs 12 bytes of data, the file has 8");
    BAD("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", SLUICE_E_UNSUPPORTED, "'|O' is not supported");
    BAD("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", SLUICE_E_UNSUPPORTED, "'<c8'");
    BAD("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", SLUICE_E_UNSUPPORTED, "records");
    BAD("{'descr': '<f4', 'shape': (1,), }", SLUICE_E_FORMAT, "'fortran_order' is missing");
    BAD("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", SLUICE_E_FORMAT, "not True or False");
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", SLUICE_E_FORMAT, "dimension 0 is not a number");
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2", SLUICE_E_FORMAT, "not closed");
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", SLUICE_E_LIMIT, "too large");
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }", SLUICE_E_LIMIT, "2^46");
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", SLUICE_E_LIMIT, "more than 8 dimensions");
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", SLUICE_E_FORMAT, "key 'x'");
    BAD("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", SLUICE_E_FORMAT, "after the closing");
    BAD("", SLUICE_E_FORMAT, "begin with '{'");
    FAILS(sl_npy_parse(arena, VIEW("\x93NUMPY\x04\x00\x00\x00"), &a, &e), SLUICE_E_UNSUPPORTED, "version 4");
    FAILS(sl_npy_parse(arena, VIEW("\x93NUMPY\x01\x00\xff\xff{}"), &a, &e), SLUICE_E_FORMAT, "cut off in its header");
    FAILS(sl_npy_parse(arena, VIEW("PK"), &a, &e), SLUICE_E_FORMAT, "not an npy file");
}

static void npz_round_trip(void **state)
{
    (void)state;
    static const float f[3] = {1, 2, 3};
    static const uint8_t u[5] = {9, 8, 7, 6, 5};
    const struct sl_npz_member in[] = {
        {"net/conv1/kernel", {SL_F32, {2, {1, 3}}, f, 12}},
        {"bytes", {SL_U8, {1, {5}}, u, 5}},
        {"none", {SL_S64, {2, {0, 4}}, NULL, 0}},
    };
    struct sl_buffer b = {0}, again = {0};
    OK(sl_npz_write(&b, in, 3, &e));
    OK(sl_npz_write(&again, in, 3, &e));
    assert_int_equal(b.size, again.size);
    assert_memory_equal(b.data, again.data, b.size);
    struct sl_npz_member *out;
    size_t n;
    OK(sl_npz_parse(arena, (struct sl_view){b.data, b.size}, 0, &out, &n, &e));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(out[i].name, in[i].name);
        assert_int_equal(out[i].array.dtype, in[i].array.dtype);
        assert_true(sl_shape_equal(&out[i].array.shape, &in[i].array.shape));
        assert_int_equal(out[i].array.bytes, in[i].array.bytes);
        if (in[i].array.bytes)
            assert_memory_equal(out[i].array.data, in[i].array.data, in[i].array.bytes);
        assert_int_equal(((const uint8_t *)out[i].array.data - b.data) % 64, 0); /* a view, aligned from the archive's start */
    }
    sl_buffer_free(&b);
    sl_buffer_free(&again);
    const struct sl_npz_member s4 = {"x", {SL_S4, {1, {2}}, u, 1}};
    FAILS(sl_npz_write(&b, &s4, 1, &e), SLUICE_E_UNSUPPORTED, "'x' of type s4");
    sl_buffer_free(&b);
}

static void bad_npz(void **state)
{
    (void)state;
    static const float f[3] = {1, 2, 3};
    const struct sl_npz_member in[] = {{"a", {SL_F32, {1, {3}}, f, 12}}, {"b", {SL_F32, {1, {3}}, f, 12}}};
    struct sl_buffer b = {0};
    struct sl_npz_member *out;
    size_t n;
    OK(sl_npz_write(&b, in, 2, &e));
    struct sl_view whole = {b.data, b.size};
    FAILS(sl_npz_parse(arena, (struct sl_view){b.data, b.size - 1}, 0, &out, &n, &e), SLUICE_E_FORMAT, "cut off");
    FAILS(sl_npz_parse(arena, VIEW("nonsense"), 0, &out, &n, &e), SLUICE_E_FORMAT, "not an npz");
    b.data[190] ^= 1; /* in the data of "a" */
    FAILS(sl_npz_parse(arena, whole, 0, &out, &n, &e), SLUICE_E_FORMAT, "npz member 'a': its checksum does not match");
    b.data[190] ^= 1;
    uint8_t *end = b.data + b.size;
    while (memcmp(--end, "PK\1\2", 4) != 0)
        ;
    end[46] = 'a'; /* the second name in the directory */
    FAILS(sl_npz_parse(arena, whole, 0, &out, &n, &e), SLUICE_E_FORMAT, "'a' appears twice");
    end[46] = 'b';
    end[10] = 12; /* bzip2 */
    FAILS(sl_npz_parse(arena, whole, 0, &out, &n, &e), SLUICE_E_UNSUPPORTED, "compression method 12");
    end[10] = 0;
    end[8] |= 1;
    FAILS(sl_npz_parse(arena, whole, 0, &out, &n, &e), SLUICE_E_UNSUPPORTED, "encrypted");
    sl_buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_order_and_endianness),
        cmocka_unit_test(bad_npy),
        cmocka_unit_test(npz_round_trip),
        cmocka_unit_test(bad_npz),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
