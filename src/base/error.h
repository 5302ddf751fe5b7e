/* error.h: filling struct sluice_error. Built on by everything; knows nothing above base. */
#ifndef SL_BASE_ERROR_H
#define SL_BASE_ERROR_H

#include "base/compiler.h"
#include "sluice/error.h"

typedef struct sluice_error sl_err;

/* Record a failure and return its code. The first error wins: a record that holds one is left alone. Control characters in
 * the text become '?', over-long text is cut with "...". */
sluice_status sl_fail(sl_err *e, sluice_status code, const char *format, ...) SL_PRINTF(3, 4);

/* Add what to try to a record that has no hint yet. Returns e->code, so that `return sl_hint(e, "...")` chains. */
sluice_status sl_hint(sl_err *e, const char *format, ...) SL_PRINTF(2, 3);

/* Put what an outer layer knows before the message: "net.onnx: " + "node 'x': ...". Returns e->code. */
sluice_status sl_context(sl_err *e, const char *format, ...) SL_PRINTF(2, 3);

/* errno -> SLUICE_E_IO or SLUICE_E_MEMORY with "what 'path': strerror". */
sluice_status sl_fail_errno(sl_err *e, const char *what, const char *path);

#define SL_TRY(call)                                                                                                           \
    do {                                                                                                                       \
        sluice_status sl_try_status_ = (call);                                                                                 \
        if (SL_UNLIKELY(sl_try_status_ != SLUICE_OK))                                                                          \
            return sl_try_status_;                                                                                             \
    } while (0)

#endif
