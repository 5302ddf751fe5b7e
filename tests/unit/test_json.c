/* test_json.c: limits, positions in messages, number forms that read back exactly, typed access. */
#include "unit.h"

#include <math.h>

#include "base/json.h"

static void numbers_read_back(void **state)
{
    (void)state;
    uint32_t seed = 12345;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        float f;
        memcpy(&f, &seed, 4);
        if (!isfinite(f))
            continue;
        json_t *j = json_pack("{so}", "v", sl_json_f32(f)), *again;
        struct sl_buffer b = {0};
        OK(sl_json_write(&b, j, &e));
        OK(sl_json_parse((struct sl_view){b.data, b.size}, &again, &e));
        assert_true(json_is_real(json_object_get(again, "v")));
        assert_true((float)json_real_value(json_object_get(again, "v")) == f);
        sl_buffer_free(&b);
        json_decref(j);
        json_decref(again);
    }
    assert_null(sl_json_f32(NAN));
}

static void writes_stable_text(void **state)
{
    (void)state;
    json_t *j =
        json_pack("{s:o, s:[i,i,i], s:f, s:[], s:{}, s:s#, s:[s,b,n], s:f}", "scale", sl_json_f32(0.1f), "shape", 1, 224, 3,
                  "one", 1.0, "none", "empty", "text", "a\"\\\n\t\x01\x00\xc3\xa9", 9, "mixed", "x", 1, "pi", 0.1 + 0.2);
    struct sl_buffer b = {0};
    OK(sl_json_write(&b, j, &e));
    assert_string_equal(sl_buffer_text(&b), "{\n \"scale\": 0.1,\n \"shape\": [1, 224, 3],\n \"one\": 1.0,\n \"none\": [],\n"
                                            " \"empty\": {},\n \"text\": \"a\\\"\\\\\\n\\t\\u0001\\u0000\xc3\xa9\",\n"
                                            " \"mixed\": [\n  \"x\",\n  true,\n  null\n ],\n \"pi\": 0.30000000000000004\n}\n");
    sl_buffer_free(&b);
    json_decref(j);
    FAILS(sl_json_write(&b, NULL, &e), SLUICE_E_INTERNAL, "no JSON tree");
}

static void bad_text(void **state)
{
    (void)state;
    json_t *j;
    FAILS(sl_json_parse(VIEW("{\"a\": 1,\n \"a\": 2}"), &j, &e), SLUICE_E_FORMAT, "line 2");
    FAILS(sl_json_parse(VIEW("{\"a\": }"), &j, &e), SLUICE_E_FORMAT, "column");
    FAILS(sl_json_parse(VIEW(""), &j, &e), SLUICE_E_FORMAT, "JSON");
    FAILS(sl_json_parse(VIEW("[1e999]"), &j, &e), SLUICE_E_FORMAT, "JSON");
    FAILS(sl_json_parse(VIEW("[NaN]"), &j, &e), SLUICE_E_FORMAT, "JSON");
    FAILS(sl_json_parse(VIEW("[1] x"), &j, &e), SLUICE_E_FORMAT, "JSON");
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    FAILS(sl_json_parse((struct sl_view){(uint8_t *)deep, 200}, &j, &e), SLUICE_E_LIMIT, "deeper than 64");
    OK(sl_json_parse((struct sl_view){(uint8_t *)deep + 36, 128}, &j, &e));
    json_decref(j);
    OK(sl_json_parse(VIEW("[\"[[[[\\\"[[[[\", {\"a]\": 1}]"), &j, &e));
    json_decref(j);
}

static void typed_access(void **state)
{
    (void)state;
    json_t *j, *part;
    const char *s;
    int64_t i;
    double d;
    OK(sl_json_parse(VIEW("{\"s\": \"x\", \"i\": 7, \"d\": 1.5, \"a\": [], \"o\": {}}"), &j, &e));
    OK(sl_json_get_string(j, "s", &s, &e));
    assert_string_equal(s, "x");
    OK(sl_json_get_int(j, "i", 0, 7, &i, &e));
    assert_int_equal(i, 7);
    OK(sl_json_get_number(j, "i", &d, &e));
    OK(sl_json_get_number(j, "d", &d, &e));
    assert_true(d == 1.5);
    OK(sl_json_get_array(j, "a", &part, &e));
    OK(sl_json_get_object(j, "o", &part, &e));
    FAILS(sl_json_get_int(j, "i", 0, 6, &i, &e), SLUICE_E_VALUE, "'i' is 7, not in 0..6");
    FAILS(sl_json_get_int(j, "d", 0, 6, &i, &e), SLUICE_E_FORMAT, "'d' is not an integer");
    FAILS(sl_json_get_string(j, "x", &s, &e), SLUICE_E_FORMAT, "'x' is missing");
    FAILS(sl_json_get_array(j, "o", &part, &e), SLUICE_E_FORMAT, "'o' is not an array");
    FAILS(sl_json_get_object(json_object_get(j, "a"), "o", &part, &e), SLUICE_E_FORMAT, "object");
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(writes_stable_text),
        cmocka_unit_test(bad_text),
        cmocka_unit_test(typed_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
