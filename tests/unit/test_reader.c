/* test_reader.c: bounded scalars and protobuf's wire format; expected bytes are those of the encoding's own documentation. */
#include "unit.h"

#include "base/reader.h"
#include "base/strings.h"

static void scalars_round_trip(void **state)
{
    (void)state;
    struct sl_buffer b = {0};
    sl_put_u8(&b, 0x12);
    sl_put_u16(&b, 0x3456);
    sl_put_u32(&b, 0x789abcde);
    sl_put_u64(&b, 0x0123456789abcdef);
    sl_put_u32be(&b, 0x789abcde);
    sl_put_u64be(&b, 0x0123456789abcdef);
    sl_put_f32(&b, -1.5f);
    sl_put_f64(&b, 3.25);
    assert_memory_equal(b.data, "\x12\x56\x34\xde\xbc\x9a\x78", 7);
    struct sl_reader r = sl_reader_of(b.data, b.size);
    assert_int_equal(sl_read_u8(&r), 0x12);
    assert_int_equal(sl_read_u16(&r), 0x3456);
    assert_int_equal(sl_read_u32(&r), 0x789abcde);
    assert_true(sl_read_u64(&r) == 0x0123456789abcdef);
    assert_int_equal(sl_read_u32be(&r), 0x789abcde);
    assert_true(sl_read_u64be(&r) == 0x0123456789abcdef);
    assert_true(sl_read_f32(&r) == -1.5f);
    assert_true(sl_read_f64(&r) == 3.25);
    assert_false(r.bad);
    assert_int_equal(sl_left(&r), 0);
    assert_int_equal(sl_read_u8(&r), 0);
    assert_true(r.bad);
    sl_buffer_free(&b);
}

static void past_the_end(void **state)
{
    (void)state;
    struct sl_reader r = sl_reader_of("abc", 3);
    assert_int_equal(sl_read_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(sl_read_u8(&r), 0); /* bad readers stay at the end */
    r = sl_reader_of(NULL, 0);
    assert_null(sl_read_bytes(&r, 1).data);
    assert_true(r.bad);
    r = sl_reader_of("abc", 3);
    assert_int_equal(sl_read_bytes(&r, SIZE_MAX).size, 0);
    assert_true(r.bad);
    r = sl_reader_of("abc", 3);
    sl_skip(&r, 2);
    assert_int_equal(sl_offset(&r), 2);
    assert_int_equal(sl_read_bytes(&r, 1).data[0], 'c');
    assert_false(r.bad);
}

static void varints(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 150, 16383, 16384, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX};
    struct sl_buffer b = {0};
    for (size_t i = 0; i < SL_COUNT(values); i++)
        sl_put_varint(&b, values[i]);
    assert_int_equal(sl_count_varints((struct sl_view){b.data, b.size}), SL_COUNT(values));
    struct sl_reader r = sl_reader_of(b.data, b.size);
    for (size_t i = 0; i < SL_COUNT(values); i++)
        assert_true(sl_read_varint(&r) == values[i]);
    assert_false(r.bad);
    sl_buffer_free(&b);

    r = sl_reader_of("\x96\x01", 2);
    assert_int_equal(sl_read_varint(&r), 150);
    r = sl_reader_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10); /* 65 bits */
    assert_int_equal(sl_read_varint(&r), 0);
    assert_true(r.bad);
    r = sl_reader_of("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11); /* 11 bytes */
    assert_int_equal(sl_read_varint(&r), 0);
    assert_true(r.bad);
    r = sl_reader_of("\x80", 1);
    sl_read_varint(&r);
    assert_true(r.bad);
}

static void fields(void **state)
{
    (void)state;
    /* 1: varint 150; 2: "testing"; 3: fixed32 1.0f; 4: fixed64 1.0 */
    static const char message[] = "\x08\x96\x01\x12\x07testing\x1d\0\0\x80\x3f\x21\0\0\0\0\0\0\xf0\x3f";
    struct sl_reader r = sl_reader_of(message, sizeof message - 1);
    struct sl_field f;
    assert_true(sl_next_field(&r, &f) && f.number == 1 && f.wire == SL_WIRE_VARINT && f.value == 150 && f.offset == 0);
    assert_true(sl_next_field(&r, &f) && f.number == 2 && f.wire == SL_WIRE_LEN && f.offset == 3);
    assert_int_equal(f.bytes.size, 7);
    assert_memory_equal(f.bytes.data, "testing", 7);
    assert_true(sl_next_field(&r, &f) && f.number == 3 && sl_field_f32(&f) == 1.0f);
    assert_true(sl_next_field(&r, &f) && f.number == 4 && sl_field_f64(&f) == 1.0);
    assert_false(sl_next_field(&r, &f));
    assert_false(r.bad);

    for (size_t cut = 1; cut < sizeof message - 1; cut++) { /* a cut inside a field is bad, between fields it is the end */
        bool between = cut == 3 || cut == 12 || cut == 17;
        r = sl_reader_of(message, cut);
        while (sl_next_field(&r, &f))
            ;
        assert_int_equal(r.bad, !between);
    }
}

static void bad_fields(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\x00\x01", 2}, /* field number 0 */
        {"\x0b", 1},
        {"\x0c", 1}, /* group start and end */
        {"\x0e\x00", 2},
        {"\x0f\x00", 2},                 /* wire types 6 and 7 */
        {"\x80\x80\x80\x80\x10\x00", 6}, /* tag of more than 32 bits */
        {"\x12\x05"
         "abcd",
         6}, /* length past the end */
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
         "abcd",
         15}, /* length 2^64 - 1 */
    };
    for (size_t i = 0; i < SL_COUNT(bad); i++) {
        struct sl_reader r = sl_reader_of(bad[i].bytes, bad[i].n);
        struct sl_field f;
        assert_false(sl_next_field(&r, &f));
        assert_true(r.bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_round_trip),
        cmocka_unit_test(past_the_end),
        cmocka_unit_test(varints),
        cmocka_unit_test(fields),
        cmocka_unit_test(bad_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
