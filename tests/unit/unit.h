/* unit.h: what every unit test includes: cmocka with the headers it wants first, and an error record that must stay empty. */
#ifndef SL_TESTS_UNIT_H
#define SL_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"

/* Runs a call that must succeed and shows its message when it does not. */
#define OK(call)                                                                                                               \
    do {                                                                                                                       \
        struct sluice_error e = {0};                                                                                           \
        if ((call) != SLUICE_OK)                                                                                               \
            fail_msg("%s: %s", #call, e.message);                                                                              \
        assert_int_equal(e.code, SLUICE_OK);                                                                                   \
    } while (0)

/* Runs a call that must fail with this code and this part of a message. */
#define FAILS(call, status, part)                                                                                              \
    do {                                                                                                                       \
        struct sluice_error e = {0};                                                                                           \
        assert_int_equal((call), (status));                                                                                    \
        assert_int_equal(e.code, (status));                                                                                    \
        if (!strstr(e.message, (part)))                                                                                        \
            fail_msg("%s: the message is \"%s\", without \"%s\"", #call, e.message, (part));                                   \
    } while (0)

#define VIEW(text) ((struct sl_view){(const uint8_t *)(text), sizeof(text) - 1})

#endif
