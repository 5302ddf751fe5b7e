/* test_error.c: the error record: first error wins, one printable line, cutting, context, exit codes. */
#include "unit.h"

#include <errno.h>

static void first_error_wins(void **state)
{
    (void)state;
    sl_err e = {0};
    assert_int_equal(sl_fail(&e, SLUICE_E_VALUE, "stride %d is not positive", 0), SLUICE_E_VALUE);
    assert_int_equal(sl_fail(&e, SLUICE_E_FORMAT, "later"), SLUICE_E_VALUE);
    assert_string_equal(e.message, "stride 0 is not positive");
    assert_int_equal(sl_hint(&e, "use %s", "1"), SLUICE_E_VALUE);
    sl_hint(&e, "other");
    assert_string_equal(e.hint, "use 1");
    sl_context(&e, "node '%s'", "Conv_12");
    sl_context(&e, "net.onnx");
    assert_string_equal(e.message, "net.onnx: node 'Conv_12': stride 0 is not positive");
}

static void untouched_without_error(void **state)
{
    (void)state;
    sl_err e = {0};
    assert_int_equal(sl_hint(&e, "x"), SLUICE_OK);
    assert_int_equal(sl_context(&e, "x"), SLUICE_OK);
    assert_string_equal(e.message, "");
    assert_string_equal(e.hint, "");
}

static void text_is_printable_and_cut(void **state)
{
    (void)state;
    sl_err e = {0};
    char big[2 * SLUICE_ERROR_TEXT];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    sl_fail(&e, SLUICE_E_IO, "a\nb\033[31m\x7f %s", big);
    assert_memory_equal(e.message, "a?b?[31m? xxx", 13);
    assert_int_equal(strlen(e.message), SLUICE_ERROR_TEXT - 1);
    assert_string_equal(e.message + SLUICE_ERROR_TEXT - 4, "...");
    sl_context(&e, "%s", big); /* both too long: half of the room stays with the message */
    assert_int_equal(strlen(e.message), SLUICE_ERROR_TEXT - 1);
    assert_non_null(strstr(e.message, ": a?b?[31m"));

    sl_err u = {0}; /* a cut does not split a UTF-8 sequence */
    for (size_t i = 0; i + 2 < sizeof big; i += 2)
        memcpy(big + i, "\xc3\xa9", 2);
    sl_fail(&u, SLUICE_E_IO, "%s", big);
    assert_string_equal(u.message + strlen(u.message) - 5, "\xc3\xa9...");
}

static void codes(void **state)
{
    (void)state;
    assert_int_equal(sluice_exit_code(SLUICE_OK), 0);
    assert_int_equal(sluice_exit_code(SLUICE_E_NOT_FOUND), 2);
    assert_int_equal(sluice_exit_code(SLUICE_E_LIMIT), 3);
    assert_int_equal(sluice_exit_code(SLUICE_E_UNSUPPORTED), 4);
    assert_int_equal(sluice_exit_code(SLUICE_E_MEMORY), 5);
    assert_int_equal(sluice_exit_code(SLUICE_E_INTERNAL), 6);
    assert_int_equal(sluice_exit_code((sluice_status)1), 6);
    assert_string_equal(sluice_status_name(SLUICE_E_UNSUPPORTED), "unsupported");
    sl_err e = {0};
    errno = ENOENT;
    assert_int_equal(sl_fail_errno(&e, "cannot open", "x.npy"), SLUICE_E_IO);
    assert_string_equal(e.message, "cannot open 'x.npy': No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(untouched_without_error),
        cmocka_unit_test(text_is_printable_and_cut),
        cmocka_unit_test(codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
