/* hef_decode.c: what the readers of single messages share. Used by hef_layers.c, hef_ops.c and hef_proto.c. */
#include "hef/hef_decode.h"

#include <string.h>

sluice_status sl_decode_finish(struct sl_decoder *d, const struct sl_reader *r, const char *what)
{
    return r->bad ? sl_fail(d->e, SLUICE_E_FORMAT, "the HEF's message is damaged in %s", what) : SLUICE_OK;
}

uint32_t sl_decode_count(struct sl_view message, uint32_t number)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    struct sl_field f;
    uint32_t n = 0;
    while (sl_next_field(&r, &f))
        n += f.number == number && f.wire == SL_WIRE_LEN;
    return n;
}

const char *sl_decode_text(struct sl_decoder *d, const struct sl_field *f)
{
    return f->wire == SL_WIRE_LEN ? sl_arena_strndup(d->a, (const char *)f->bytes.data, f->bytes.size) : "";
}

void sl_decode_member(struct sl_decoder *d, const struct sl_field *f, const struct sl_member *members, size_t n, void *out)
{
    for (size_t i = 0; i < n; i++) {
        if (members[i].number != f->number)
            continue;
        void *to = (char *)out + members[i].at;
        switch (members[i].type) {
        case SL_MEMBER_U32:
            *(uint32_t *)to = (uint32_t)f->value;
            break;
        case SL_MEMBER_U64:
            *(uint64_t *)to = f->value;
            break;
        case SL_MEMBER_BOOL:
            *(bool *)to = f->value != 0;
            break;
        case SL_MEMBER_F32:
            *(float *)to = sl_field_f32(f);
            break;
        case SL_MEMBER_F64:
            *(double *)to = sl_field_f64(f);
            break;
        case SL_MEMBER_TEXT:
            *(const char **)to = sl_decode_text(d, f);
            break;
        }
        return;
    }
}

sluice_status sl_decode_members(struct sl_decoder *d, struct sl_view message, const struct sl_member *members, size_t n,
                                const char *what, void *out)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        sl_decode_member(d, &f, members, n, out);
    return sl_decode_finish(d, &r, what);
}

/* n elements of `size` bytes, zeroed. */
sluice_status sl_decode_array(struct sl_decoder *d, uint32_t n, size_t size, void *array)
{
    if (n > SL_DECODE_MOST_ELEMENTS - d->elements)
        return sl_fail(d->e, SLUICE_E_LIMIT, "the HEF's message has more than %d parts", SL_DECODE_MOST_ELEMENTS);
    d->elements += n;
    void *elements = sl_arena_alloc(d->a, n * size);
    if (elements == NULL)
        return sl_fail(d->e, SLUICE_E_MEMORY, "no memory for %u parts of a HEF's message", n);
    memcpy(array, &elements, sizeof(elements));
    return SLUICE_OK;
}

/* All sub-messages of one number into an array of `size`-byte elements. */
sluice_status sl_decode_repeated(struct sl_decoder *d, struct sl_view message, uint32_t number, size_t size, sl_decode_fn *read,
                                 void *array, uint32_t *n)
{
    uint32_t count = sl_decode_count(message, number), i = 0;
    char *elements = NULL;
    SL_TRY(sl_decode_array(d, count, size, &elements));
    struct sl_reader r = sl_reader_of(message.data, message.size);
    struct sl_field f;
    while (i < count && sl_next_field(&r, &f))
        if (f.number == number && f.wire == SL_WIRE_LEN)
            SL_TRY(read(d, f.bytes, elements + size * i++));
    memcpy(array, &elements, sizeof(elements));
    *n = count;
    return SLUICE_OK;
}

static sluice_status read_text(struct sl_decoder *d, struct sl_view message, void *out)
{
    *(const char **)out = sl_arena_strndup(d->a, (const char *)message.data, message.size);
    return SLUICE_OK;
}

sluice_status sl_decode_texts(struct sl_decoder *d, struct sl_view message, uint32_t number, const char ***out, uint32_t *n)
{
    return sl_decode_repeated(d, message, number, sizeof(char *), read_text, out, n);
}

/* A repeated double: packed or not. */
sluice_status sl_decode_doubles(struct sl_decoder *d, struct sl_view message, uint32_t number, const double **out, uint32_t *n)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    struct sl_field f;
    size_t count = 0, i = 0;
    while (sl_next_field(&r, &f))
        if (f.number == number)
            count += f.wire == SL_WIRE_LEN ? f.bytes.size / 8 : f.wire == SL_WIRE_I64;
    double *values = sl_arena_alloc(d->a, count * sizeof(double));
    if (values == NULL)
        return sl_fail(d->e, SLUICE_E_MEMORY, "no memory for %zu values of a HEF", count);
    r = sl_reader_of(message.data, message.size);
    while (sl_next_field(&r, &f)) {
        if (f.number != number)
            continue;
        if (f.wire == SL_WIRE_I64)
            values[i++] = sl_field_f64(&f);
        else if (f.wire == SL_WIRE_LEN)
            for (struct sl_reader v = sl_reader_of(f.bytes.data, f.bytes.size); sl_left(&v) >= 8;)
                values[i++] = sl_read_f64(&v);
    }
    *out = values;
    *n = (uint32_t)count;
    return SLUICE_OK;
}
