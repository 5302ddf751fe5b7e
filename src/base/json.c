/* json.c: jansson with a depth limit before parsing, and a writer of ours: jansson prints every double with one precision, but
 * float32 constants should read "0.1" and still come back exactly. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };
static const size_t LARGEST_TEXT = (size_t)64 << 20; /* jansson needs up to ~25 bytes for one of text: "[0,0,0" */

/* jansson counts depth only up to its own 2048 and needs stack for each level. */
static sluice_status check_depth(struct sl_view text, sl_err *e)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > MAX_DEPTH)
                return sl_fail(e, SLUICE_E_LIMIT, "JSON is nested deeper than %d levels at byte %zu", MAX_DEPTH, i);
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return SLUICE_OK;
}

sluice_status sl_json_parse(struct sl_view text, json_t **out, sl_err *e)
{
    *out = NULL;
    if (text.size > LARGEST_TEXT)
        return sl_fail(e, SLUICE_E_LIMIT, "JSON text of %zu bytes is larger than %zu", text.size, LARGEST_TEXT);
    SL_TRY(check_depth(text, e));
    json_error_t error;
    json_t *j = json_loadb(text.size ? (const char *)text.data : "", text.size, JSON_REJECT_DUPLICATES, &error);
    if (!j) {
        bool memory = json_error_code(&error) == json_error_out_of_memory;
        return sl_fail(e, memory ? SLUICE_E_MEMORY : SLUICE_E_FORMAT, "JSON line %d, column %d (byte %d): %s", error.line,
                       error.column, error.position, error.text);
    }
    *out = j;
    return SLUICE_OK;
}

/* Shortest decimal form, at most `most` digits, that reads back as v; through float when `single`. */
static void shortest(double v, int most, bool single, char out[40])
{
    for (int digits = 1; digits <= most; digits++) {
        snprintf(out, 40, "%.*g", digits, v);
        if (single ? strtof(out, NULL) == (float)v : strtod(out, NULL) == v)
            return;
    }
}

json_t *sl_json_f32(float v)
{
    char text[40];
    if (!isfinite(v))
        return NULL;
    shortest((double)v, 9, true, text);
    return json_real(strtod(text, NULL));
}

static void put_real(struct sl_buffer *out, double v)
{
    char text[40];
    shortest(v, 17, false, text);
    bool is_integer = true;
    for (char *p = text; *p; p++) {
        if (!strchr("0123456789+-e", *p)) {
            *p = '.'; /* also where a host program's locale writes a comma */
            is_integer = false;
        }
        if (*p == 'e')
            is_integer = false;
    }
    sl_put_printf(out, "%s%s", text, is_integer ? ".0" : ""); /* so that it reads back as a real */
}

static void put_string(struct sl_buffer *out, const char *s, size_t n)
{
    sl_put_u8(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\')
            sl_put_printf(out, "\\%c", c);
        else if (c == '\n')
            sl_put(out, "\\n", 2);
        else if (c == '\t')
            sl_put(out, "\\t", 2);
        else if (c < 0x20 || c == 0x7f)
            sl_put_printf(out, "\\u%04x", c);
        else
            sl_put_u8(out, c);
    }
    sl_put_u8(out, '"');
}

static void put_line(struct sl_buffer *out, int depth)
{
    sl_put_u8(out, '\n');
    for (int i = 0; i < depth; i++)
        sl_put_u8(out, ' ');
}

static bool all_numbers(const json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) if (!json_is_number(item)) return false;
    return true;
}

static sluice_status put_value(struct sl_buffer *out, const json_t *j, int depth, sl_err *e);

/* Arrays of numbers (shapes, strides) stay on one line. */
static sluice_status put_array(struct sl_buffer *out, const json_t *j, int depth, sl_err *e)
{
    bool one_line = all_numbers(j);
    size_t i;
    json_t *item;
    sl_put_u8(out, '[');
    json_array_foreach(j, i, item)
    {
        if (i > 0)
            sl_put(out, ", ", one_line ? 2 : 1);
        if (!one_line)
            put_line(out, depth + 1);
        SL_TRY(put_value(out, item, depth + 1, e));
    }
    if (!one_line)
        put_line(out, depth);
    sl_put_u8(out, ']');
    return SLUICE_OK;
}

static sluice_status put_object(struct sl_buffer *out, const json_t *j, int depth, sl_err *e)
{
    bool first = true;
    sl_put_u8(out, '{');
    for (void *it = json_object_iter((json_t *)j); it; it = json_object_iter_next((json_t *)j, it)) {
        const char *key = json_object_iter_key(it);
        if (!first)
            sl_put_u8(out, ',');
        first = false;
        put_line(out, depth + 1);
        put_string(out, key, strlen(key));
        sl_put(out, ": ", 2);
        SL_TRY(put_value(out, json_object_iter_value(it), depth + 1, e));
    }
    if (!first)
        put_line(out, depth);
    sl_put_u8(out, '}');
    return SLUICE_OK;
}

static sluice_status put_value(struct sl_buffer *out, const json_t *j, int depth, sl_err *e)
{
    if (depth > MAX_DEPTH)
        return sl_fail(e, SLUICE_E_INTERNAL, "a JSON tree to be written is nested deeper than %d levels", MAX_DEPTH);
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return put_object(out, j, depth, e);
    case JSON_ARRAY:
        return put_array(out, j, depth, e);
    case JSON_STRING:
        put_string(out, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        sl_put_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        put_real(out, json_real_value(j));
        break;
    case JSON_TRUE:
        sl_put(out, "true", 4);
        break;
    case JSON_FALSE:
        sl_put(out, "false", 5);
        break;
    case JSON_NULL:
        sl_put(out, "null", 4);
        break;
    }
    return SLUICE_OK;
}

sluice_status sl_json_write(struct sl_buffer *out, const json_t *j, sl_err *e)
{
    if (!j)
        return sl_fail(e, SLUICE_E_INTERNAL, "no JSON tree to write (out of memory or a number that is not finite)");
    SL_TRY(put_value(out, j, 0, e));
    sl_put_u8(out, '\n');
    return out->failed ? sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing JSON") : SLUICE_OK;
}

static sluice_status get(const json_t *o, const char *key, json_t **out, sl_err *e)
{
    if (!json_is_object(o))
        return sl_fail(e, SLUICE_E_FORMAT, "a JSON object with '%s' is expected, not another kind of value", key);
    *out = json_object_get(o, key);
    return *out ? SLUICE_OK : sl_fail(e, SLUICE_E_FORMAT, "'%s' is missing", key);
}

sluice_status sl_json_get_string(const json_t *o, const char *key, const char **out, sl_err *e)
{
    json_t *j;
    SL_TRY(get(o, key, &j, e));
    if (!json_is_string(j))
        return sl_fail(e, SLUICE_E_FORMAT, "'%s' is not a string", key);
    *out = json_string_value(j);
    return SLUICE_OK;
}

sluice_status sl_json_get_int(const json_t *o, const char *key, int64_t lo, int64_t hi, int64_t *out, sl_err *e)
{
    json_t *j;
    SL_TRY(get(o, key, &j, e));
    if (!json_is_integer(j))
        return sl_fail(e, SLUICE_E_FORMAT, "'%s' is not an integer", key);
    int64_t v = json_integer_value(j);
    if (v < lo || v > hi)
        return sl_fail(e, SLUICE_E_VALUE, "'%s' is %lld, not in %lld..%lld", key, (long long)v, (long long)lo, (long long)hi);
    *out = v;
    return SLUICE_OK;
}

sluice_status sl_json_get_number(const json_t *o, const char *key, double *out, sl_err *e)
{
    json_t *j;
    SL_TRY(get(o, key, &j, e));
    if (!json_is_number(j))
        return sl_fail(e, SLUICE_E_FORMAT, "'%s' is not a number", key);
    *out = json_number_value(j);
    return SLUICE_OK;
}

sluice_status sl_json_get_array(const json_t *o, const char *key, json_t **out, sl_err *e)
{
    json_t *j;
    SL_TRY(get(o, key, &j, e));
    if (!json_is_array(j))
        return sl_fail(e, SLUICE_E_FORMAT, "'%s' is not an array", key);
    *out = j;
    return SLUICE_OK;
}

sluice_status sl_json_get_object(const json_t *o, const char *key, json_t **out, sl_err *e)
{
    json_t *j;
    SL_TRY(get(o, key, &j, e));
    if (!json_is_object(j))
        return sl_fail(e, SLUICE_E_FORMAT, "'%s' is not an object", key);
    *out = j;
    return SLUICE_OK;
}
