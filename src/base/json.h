/* json.h: jansson with our limits and number forms. Float32 values print with 9 significant digits, doubles with 17, so that they
 * read back exactly; objects keep insertion order; output is the same bytes for the same tree. */
#ifndef SL_BASE_JSON_H
#define SL_BASE_JSON_H

#include <jansson.h>

#include "base/error.h"
#include "base/reader.h"
#include "base/strings.h"

/* Parse: depth at most 64, duplicate keys refused, error has line, column and byte offset. The caller decref's. */
sluice_status sl_json_parse(struct sl_view text, json_t **out, sl_err *e);
/* Pretty print (indent 1), newline at the end. Non-finite numbers cannot occur in a json_t. */
sluice_status sl_json_write(struct sl_buffer *out, const json_t *j, sl_err *e);

/* A float32 as the double that prints in its shortest exact form. */
json_t *sl_json_f32(float v);

/* Typed access for readers: each fails with "'key' is missing" or "'key' is not a ..." and the path given by `what`. */
sluice_status sl_json_get_string(const json_t *o, const char *key, const char **out, sl_err *e);
sluice_status sl_json_get_int(const json_t *o, const char *key, int64_t lo, int64_t hi, int64_t *out, sl_err *e);
sluice_status sl_json_get_number(const json_t *o, const char *key, double *out, sl_err *e);
sluice_status sl_json_get_array(const json_t *o, const char *key, json_t **out, sl_err *e);
sluice_status sl_json_get_object(const json_t *o, const char *key, json_t **out, sl_err *e);

#endif
