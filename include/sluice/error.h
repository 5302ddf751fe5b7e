/**
 * sluice/error.h: status codes and the error record every fallible call fills.
 *
 * Calls return a sluice_status and take a `struct sluice_error *` (never NULL). The record is untouched on success, so one
 * zero-initialised record serves a chain of calls; the first error wins. Nothing in it needs freeing. Thread safety: a record
 * belongs to one thread at a time.
 *
 *     struct sluice_error err = {0};
 *     if (sluice_model_open("net.har", &model, &err) != SLUICE_OK) {
 *         fprintf(stderr, "%s\n", err.message);
 *         if (err.hint[0])
 *             fprintf(stderr, "try: %s\n", err.hint);
 *         return sluice_exit_code(err.code);
 *     }
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Grouped by tens; the exit code of the command line is the group's: usage 2, input 3, unsupported 4, system 5, internal 6. */
typedef enum sluice_status {
    SLUICE_OK = 0,
    SLUICE_E_USAGE = 20,       /* a flag, an argument or a call order is wrong */
    SLUICE_E_NOT_FOUND = 21,   /* a named layer, tensor, file member or stream does not exist */
    SLUICE_E_FORMAT = 30,      /* bytes do not follow their format */
    SLUICE_E_VALUE = 31,       /* a value is outside its range */
    SLUICE_E_SHAPE = 32,       /* shapes or types do not fit together */
    SLUICE_E_LIMIT = 33,       /* well-formed, but larger than the stated limit */
    SLUICE_E_UNSUPPORTED = 40, /* understood, not supported */
    SLUICE_E_IO = 50,          /* the operating system refused a read or a write */
    SLUICE_E_MEMORY = 51,      /* out of memory */
    SLUICE_E_INTERNAL = 60     /* our own defect */
} sluice_status;

enum { SLUICE_ERROR_TEXT = 4096 };

struct sluice_error {
    sluice_status code;
    char message[SLUICE_ERROR_TEXT]; /* "net.onnx: node 'Conv_12': stride 0 is not positive"; one line, no newline */
    char hint[SLUICE_ERROR_TEXT];    /* what to try, or "" */
};

/** Short lower-case name of a status, e.g. "unsupported". Never NULL. */
const char *sluice_status_name(sluice_status s);

/** Process exit code for a status: 0, or 2..6 by the group above. */
int sluice_exit_code(sluice_status s);

#ifdef __cplusplus
}
#endif
#endif
