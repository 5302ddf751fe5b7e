/* onnx_wire.c: scalars, strings, lists and tensors of ONNX messages, each within the budget of the file. */
#include "onnx/onnx_wire.h"

#include <string.h>

#include "base/strings.h"

enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9, TENSOR_EXTERNAL = 13, TENSOR_LOCATION = 14 };

sluice_status onnx_wire_bad(struct onnx_parser *p, const char *what, const struct sl_reader *r)
{
    return sl_fail(p->e, SLUICE_E_FORMAT, "%s: protobuf bytes are damaged or cut at offset %zu of %zu of that message", what,
                   sl_offset(r), (size_t)(r->end - r->start));
}

sluice_status onnx_wire_count_fields(struct onnx_parser *p, struct sl_view v, const char *what, struct onnx_counts *out)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    memset(out, 0, sizeof *out);
    while (sl_next_field(&r, &f))
        if (f.number < ONNX_MOST_FIELD) {
            if (out->n[f.number] == INT32_MAX)
                return sl_fail(p->e, SLUICE_E_LIMIT, "%s: more than %d entries", what, INT32_MAX);
            out->n[f.number]++;
        }
    return r.bad ? onnx_wire_bad(p, what, &r) : SLUICE_OK;
}

sluice_status onnx_wire_take(struct onnx_parser *p, size_t n, size_t size, void *out)
{
    size_t bytes;
    if (!sl_mul_size(n, size, &bytes) || bytes > p->budget)
        return sl_fail(p->e, SLUICE_E_LIMIT, "%zu entries of %zu bytes: more structure than a model of this size may have", n,
                       size);
    void *memory = sl_arena_alloc(p->a, bytes);
    if (!memory)
        return sl_fail(p->e, SLUICE_E_MEMORY, "no memory for %zu bytes of model structure", bytes);
    p->budget -= bytes;
    memcpy(out, &memory, sizeof memory);
    return SLUICE_OK;
}

sluice_status onnx_wire_read_string(struct onnx_parser *p, const struct sl_field *f, const char *what, const char **out)
{
    if (f->wire != SL_WIRE_LEN)
        return sl_fail(p->e, SLUICE_E_FORMAT, "%s is not a string", what);
    char *s;
    SL_TRY(onnx_wire_take(p, f->bytes.size + 1, 1, &s));
    if (f->bytes.size)
        memcpy(s, f->bytes.data, f->bytes.size);
    if (memchr(s, 0, f->bytes.size))
        return sl_fail(p->e, SLUICE_E_FORMAT, "%s '%s' has a zero byte inside", what, s);
    *out = s;
    return SLUICE_OK;
}

/* Attribute strings may be any bytes; ours are text, so a zero byte ends them. */
sluice_status onnx_wire_read_bytes_text(struct onnx_parser *p, const struct sl_field *f, const char **out)
{
    if (f->wire != SL_WIRE_LEN)
        return sl_fail(p->e, SLUICE_E_FORMAT, "attribute string is not a string");
    char *s;
    SL_TRY(onnx_wire_take(p, f->bytes.size + 1, 1, &s));
    if (f->bytes.size)
        memcpy(s, f->bytes.data, f->bytes.size);
    *out = s;
    return SLUICE_OK;
}

sluice_status onnx_wire_need_message(struct onnx_parser *p, const struct sl_field *f, const char *what)
{
    return f->wire == SL_WIRE_LEN ? SLUICE_OK : sl_fail(p->e, SLUICE_E_FORMAT, "%s is not a message", what);
}

/* Elements of a repeated scalar field in a message, packed or not. width 0: varints. */
static sluice_status count_scalars(struct onnx_parser *p, struct sl_view v, uint32_t number, size_t width, const char *what,
                                   size_t *n)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    *n = 0;
    while (sl_next_field(&r, &f))
        if (f.number == number) {
            if (f.wire == SL_WIRE_LEN && width && f.bytes.size % width)
                return sl_fail(p->e, SLUICE_E_FORMAT, "%s: packed field of %zu bytes is not a multiple of %zu", what,
                               f.bytes.size, width);
            *n += f.wire != SL_WIRE_LEN ? 1 : width ? f.bytes.size / width : sl_count_varints(f.bytes);
        }
    return *n <= INT32_MAX ? SLUICE_OK : sl_fail(p->e, SLUICE_E_LIMIT, "%s: %zu numbers", what, *n);
}

/* The elements of such a field one after the other: of a packed one `packed` reads the next, else it is the field's own value.
 */
struct elements {
    struct sl_reader message, packed;
    struct sl_field field;
    uint32_t number;
};

static struct elements elements_of(struct sl_view v, uint32_t number)
{
    return (struct elements){.message = sl_reader_of(v.data, v.size), .number = number};
}

static bool next_element(struct elements *l)
{
    while (!l->packed.bad && sl_left(&l->packed) == 0) {
        if (!sl_next_field(&l->message, &l->field))
            return false;
        if (l->field.number == l->number && l->field.wire != SL_WIRE_LEN)
            return true;
        if (l->field.number == l->number)
            l->packed = sl_reader_of(l->field.bytes.data, l->field.bytes.size);
    }
    return !l->packed.bad;
}

sluice_status onnx_wire_read_ints(struct onnx_parser *p, struct sl_view v, uint32_t number, const char *what, int *n,
                                  const int64_t **out)
{
    size_t count, at = 0;
    int64_t *values;
    SL_TRY(count_scalars(p, v, number, 0, what, &count));
    SL_TRY(onnx_wire_take(p, count, sizeof *values, &values));
    struct elements l = elements_of(v, number);
    while (at < count && next_element(&l))
        values[at++] = (int64_t)(l.field.wire == SL_WIRE_LEN ? sl_read_varint(&l.packed) : l.field.value);
    if (l.packed.bad)
        return onnx_wire_bad(p, what, &l.packed);
    *n = (int)at;
    *out = values;
    return SLUICE_OK;
}

sluice_status onnx_wire_read_floats(struct onnx_parser *p, struct sl_view v, uint32_t number, const char *what, int *n,
                                    const float **out)
{
    size_t count, at = 0;
    float *values;
    SL_TRY(count_scalars(p, v, number, sizeof *values, what, &count));
    SL_TRY(onnx_wire_take(p, count, sizeof *values, &values));
    struct elements l = elements_of(v, number);
    while (at < count && next_element(&l))
        values[at++] = l.field.wire == SL_WIRE_LEN ? sl_read_f32(&l.packed) : sl_field_f32(&l.field);
    *n = (int)at;
    *out = values;
    return SLUICE_OK;
}

/* ---- tensors ---- */

sluice_status onnx_wire_read_key_value(struct onnx_parser *p, struct sl_view v, const char **key, const char **value)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    *key = *value = "";
    while (sl_next_field(&r, &f)) {
        if (f.number == 1)
            SL_TRY(onnx_wire_read_string(p, &f, "key", key));
        else if (f.number == 2)
            SL_TRY(onnx_wire_read_bytes_text(p, &f, value));
    }
    return r.bad ? onnx_wire_bad(p, "key/value entry", &r) : SLUICE_OK;
}

static sluice_status read_decimal(struct onnx_parser *p, const char *key, const char *text, uint64_t *out)
{
    uint64_t v = 0;
    const char *s = text;
    for (; *s >= '0' && *s <= '9' && v <= (UINT64_MAX - 9) / 10; s++)
        v = v * 10 + (uint64_t)(*s - '0');
    if (*s || s == text)
        return sl_fail(p->e, SLUICE_E_FORMAT, "external data: %s '%s' is not a number of bytes", key, text);
    *out = v;
    return SLUICE_OK;
}

static sluice_status read_external(struct onnx_parser *p, struct sl_view v, struct onnx_tensor *t)
{
    const char *key, *value;
    SL_TRY(onnx_wire_read_key_value(p, v, &key, &value));
    if (strcmp(key, "location") == 0)
        t->location = value;
    else if (strcmp(key, "offset") == 0)
        return read_decimal(p, key, value, &t->offset);
    else if (strcmp(key, "length") == 0)
        return read_decimal(p, key, value, &t->length);
    return SLUICE_OK;
}

sluice_status onnx_wire_read_tensor(struct onnx_parser *p, struct sl_view v, struct onnx_tensor *t)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    *t = (struct onnx_tensor){.name = "", .location = "", .message = v};
    while (sl_next_field(&r, &f)) {
        if (f.number == TENSOR_TYPE) {
            t->data_type = (int32_t)f.value;
        } else if (f.number == TENSOR_NAME) {
            SL_TRY(onnx_wire_read_string(p, &f, "tensor name", &t->name));
        } else if (f.number == TENSOR_RAW) {
            SL_TRY(onnx_wire_need_message(p, &f, "raw_data"));
            t->has_raw = true;
            t->raw = f.bytes;
        } else if (f.number == TENSOR_EXTERNAL) {
            SL_TRY(onnx_wire_need_message(p, &f, "external_data"));
            SL_TRY(read_external(p, f.bytes, t));
        } else if (f.number == TENSOR_LOCATION) {
            t->external = f.value == 1;
        }
    }
    if (r.bad)
        return onnx_wire_bad(p, "tensor", &r);
    SL_TRY(onnx_wire_read_ints(p, v, TENSOR_DIMS, "tensor dims", &t->n_dims, &t->dims));
    if (t->n_dims > ONNX_MOST_DIMS)
        return sl_fail(p->e, SLUICE_E_LIMIT, "tensor '%s' has %d dimensions, at most %d are read", t->name, t->n_dims,
                       ONNX_MOST_DIMS);
    return SLUICE_OK;
}

sluice_status onnx_wire_read_sparse(struct onnx_parser *p, struct sl_view v, struct onnx_sparse *s)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    *s = (struct onnx_sparse){.values = {.name = "", .location = ""}, .indices = {.name = "", .location = ""}};
    while (sl_next_field(&r, &f))
        if (f.number == 1 || f.number == 2) {
            SL_TRY(onnx_wire_need_message(p, &f, "sparse tensor part"));
            SL_TRY(onnx_wire_read_tensor(p, f.bytes, f.number == 1 ? &s->values : &s->indices));
        }
    if (r.bad)
        return onnx_wire_bad(p, "sparse tensor", &r);
    return onnx_wire_read_ints(p, v, 3, "sparse tensor dims", &s->n_dims, &s->dims);
}
