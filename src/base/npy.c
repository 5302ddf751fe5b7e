/* npy.c: one NumPy array file from memory and back. Used by npz.c, calibration sets and the command line.
 * Layout: "\x93NUMPY", major, minor, header length (u16, from version 2.0 u32), a Python dict literal, the data. */
#include "base/npy.h"

#include <string.h>

static const struct {
    const char *code;
    enum sl_dtype dtype;
} codes[] = {
    {"u1", SL_U8},  {"u2", SL_U16}, {"u4", SL_U32}, {"u8", SL_U64}, {"i1", SL_S8},  {"i2", SL_S16},
    {"i4", SL_S32}, {"i8", SL_S64}, {"f2", SL_F16}, {"f4", SL_F32}, {"f8", SL_F64}, {"b1", SL_BOOL},
};

struct header {
    char descr[64];
    bool has_descr, has_order, has_shape;
    bool fortran;
    struct sl_shape shape;
};

/* A cursor over the dict literal. */
struct text {
    const char *p, *end;
};

static void skip_blanks(struct text *t)
{
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\t' || *t->p == '\n' || *t->p == '\r'))
        t->p++;
}

static bool accept(struct text *t, char c)
{
    skip_blanks(t);
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

static bool accept_word(struct text *t, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(t);
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0)
        return false;
    t->p += n;
    return true;
}

/* A quoted string without escapes; `out` holds size - 1 characters of it. */
static bool read_string(struct text *t, char *out, size_t size)
{
    char quote = accept(t, '\'') ? '\'' : '"';
    if (quote == '"' && !accept(t, '"'))
        return false;
    const char *end = memchr(t->p, quote, (size_t)(t->end - t->p));
    if (!end)
        return false;
    size_t n = SL_MIN((size_t)(end - t->p), size - 1);
    memcpy(out, t->p, n);
    out[n] = 0;
    t->p = end + 1;
    return true;
}

static sluice_status read_shape(struct text *t, struct sl_shape *s, sl_err *e)
{
    if (!accept(t, '('))
        return sl_fail(e, SLUICE_E_FORMAT, "npy header: the shape is not a tuple");
    for (s->rank = 0; !accept(t, ')');) {
        if (s->rank == SL_MAX_RANK)
            return sl_fail(e, SLUICE_E_LIMIT, "npy header: more than %d dimensions", SL_MAX_RANK);
        skip_blanks(t);
        const char *digits = t->p;
        int64_t v = 0;
        for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++) {
            if (v > INT64_MAX / 10 - 1)
                return sl_fail(e, SLUICE_E_LIMIT, "npy header: dimension %d is too large", s->rank);
            v = v * 10 + (*t->p - '0');
        }
        if (t->p == digits)
            return sl_fail(e, SLUICE_E_FORMAT, "npy header: dimension %d is not a number", s->rank);
        (void)accept(t, 'L'); /* written by Python 2 */
        s->dim[s->rank++] = v;
        if (!accept(t, ',')) {
            if (!accept(t, ')'))
                return sl_fail(e, SLUICE_E_FORMAT, "npy header: the shape is not closed");
            break;
        }
    }
    return SLUICE_OK;
}

static sluice_status read_entry(struct text *t, struct header *h, sl_err *e)
{
    char key[32];
    if (!read_string(t, key, sizeof key) || !accept(t, ':'))
        return sl_fail(e, SLUICE_E_FORMAT, "npy header: a key is expected");
    if (strcmp(key, "descr") == 0) {
        skip_blanks(t);
        if (t->p < t->end && (*t->p == '[' || *t->p == '('))
            return sl_fail(e, SLUICE_E_UNSUPPORTED, "npy header: arrays of records are not supported");
        h->has_descr = read_string(t, h->descr, sizeof h->descr);
        return h->has_descr ? SLUICE_OK : sl_fail(e, SLUICE_E_FORMAT, "npy header: 'descr' is not a string");
    }
    if (strcmp(key, "fortran_order") == 0) {
        h->fortran = accept_word(t, "True");
        h->has_order = h->fortran || accept_word(t, "False");
        return h->has_order ? SLUICE_OK : sl_fail(e, SLUICE_E_FORMAT, "npy header: 'fortran_order' is not True or False");
    }
    if (strcmp(key, "shape") == 0) {
        h->has_shape = true;
        return read_shape(t, &h->shape, e);
    }
    return sl_fail(e, SLUICE_E_FORMAT, "npy header: key '%s' is not one of descr, fortran_order, shape", key);
}

static sluice_status read_header(struct sl_view text, struct header *h, sl_err *e)
{
    struct text t = {(const char *)text.data, (const char *)text.data + text.size};
    if (!accept(&t, '{'))
        return sl_fail(e, SLUICE_E_FORMAT, "npy header: it does not begin with '{'");
    while (!accept(&t, '}')) {
        SL_TRY(read_entry(&t, h, e));
        if (!accept(&t, ',') && (skip_blanks(&t), t.p == t.end || *t.p != '}'))
            return sl_fail(e, SLUICE_E_FORMAT, "npy header: ',' or '}' is expected");
    }
    skip_blanks(&t);
    if (t.p != t.end)
        return sl_fail(e, SLUICE_E_FORMAT, "npy header: text after the closing '}'");
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return sl_fail(e, SLUICE_E_FORMAT, "npy header: '%s' is missing",
                       !h->has_descr   ? "descr"
                       : !h->has_order ? "fortran_order"
                                       : "shape");
    return SLUICE_OK;
}

static sluice_status read_dtype(const char *descr, enum sl_dtype *dtype, bool *big_endian, sl_err *e)
{
    *big_endian = descr[0] == '>';
    if (strlen(descr) == 3 && strchr("<>|=", descr[0]))
        for (size_t i = 0; i < SL_COUNT(codes); i++)
            if (strcmp(codes[i].code, descr + 1) == 0) {
                *dtype = codes[i].dtype;
                return SLUICE_OK;
            }
    sl_fail(e, SLUICE_E_UNSUPPORTED,
            "npy element type '%s' is not supported (bool, integers, float16, float32 and float64 are)", descr);
    return sl_hint(e, descr[0] == '|' && descr[1] == 'O' ? "the array holds Python objects: build it with one shape and dtype"
                                                         : "convert it with numpy's astype before saving");
}

static void swap_bytes(uint8_t *p, size_t n, size_t item)
{
    for (size_t i = 0; i < n; i++, p += item)
        for (size_t k = 0; k < item / 2; k++) {
            uint8_t saved = p[k];
            p[k] = p[item - 1 - k];
            p[item - 1 - k] = saved;
        }
}

/* Column-major to row-major: walk the output in order and step the input offset like an odometer. */
static void to_row_major(uint8_t *out, const uint8_t *in, const struct sl_shape *s, size_t n, size_t item)
{
    size_t stride[SL_MAX_RANK] = {0}, at = 0;
    int64_t index[SL_MAX_RANK] = {0};
    for (int d = 0; d < s->rank; d++)
        stride[d] = d ? stride[d - 1] * (size_t)s->dim[d - 1] : item;
    for (size_t i = 0; i < n; i++, out += item) {
        memcpy(out, in + at, item);
        for (int d = s->rank - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < s->dim[d])
                break;
            at -= stride[d] * (size_t)s->dim[d];
            index[d] = 0;
        }
    }
}

/* Kernels rely on 0 and 1; NumPy writes nothing else, but a view of other bytes as bool may hold more. */
static bool is_clean_bool(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] > 1)
            return false;
    return true;
}

static sluice_status convert(sl_arena *a, const uint8_t *in, const struct header *h, bool big_endian, struct sl_array *out,
                             sl_err *e)
{
    size_t item = sl_dtype_bits(out->dtype) / 8, n = out->bytes / item;
    bool fortran = h->fortran && h->shape.rank > 1;
    bool dirty_bool = out->dtype == SL_BOOL && !is_clean_bool(in, n);
    bool aligned = (uintptr_t)in % item == 0;
    out->data = in;
    if (aligned && !fortran && !dirty_bool && (!big_endian || item == 1))
        return SLUICE_OK;
    uint8_t *copy = sl_arena_alloc_aligned64(a, out->bytes);
    if (!copy)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for an array of %zu bytes", out->bytes);
    if (fortran)
        to_row_major(copy, in, &h->shape, n, item);
    else if (out->bytes)
        memcpy(copy, in, out->bytes);
    if (big_endian)
        swap_bytes(copy, n, item);
    for (size_t i = 0; dirty_bool && i < n; i++)
        copy[i] = copy[i] != 0;
    out->data = copy;
    return SLUICE_OK;
}

sluice_status sl_npy_parse(sl_arena *a, struct sl_view bytes, struct sl_array *out, sl_err *e)
{
    struct sl_reader r = sl_reader_of(bytes.data, bytes.size);
    struct sl_view magic = sl_read_bytes(&r, 6);
    uint8_t major = sl_read_u8(&r);
    (void)sl_read_u8(&r); /* minor */
    if (r.bad || memcmp(magic.data, "\x93NUMPY", 6) != 0)
        return sl_fail(e, SLUICE_E_FORMAT, "not an npy file: it does not begin with \\x93NUMPY");
    if (major < 1 || major > 3)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "npy format version %d is not supported (1 to 3 are)", major);
    size_t length = major == 1 ? sl_read_u16(&r) : sl_read_u32(&r);
    struct sl_view text = sl_read_bytes(&r, length);
    if (r.bad)
        return sl_fail(e, SLUICE_E_FORMAT, "npy file is cut off in its header (%zu bytes)", bytes.size);

    struct header h = {0};
    bool big_endian;
    enum sl_dtype dtype = SL_NONE;
    SL_TRY(read_header(text, &h, e));
    SL_TRY(read_dtype(h.descr, &dtype, &big_endian, e));
    struct sl_array array = {.dtype = dtype, .shape = h.shape};
    if (!sl_bytes_of(dtype, &h.shape, &array.bytes))
        return sl_fail(e, SLUICE_E_LIMIT, "npy array has more than 2^46 elements");
    if (array.bytes > sl_left(&r))
        return sl_fail(e, SLUICE_E_FORMAT, "npy array needs %zu bytes of data, the file has %zu", array.bytes, sl_left(&r));
    SL_TRY(convert(a, r.p, &h, big_endian, &array, e));
    *out = array;
    return SLUICE_OK;
}

static const char *code_of(enum sl_dtype t)
{
    for (size_t i = 0; i < SL_COUNT(codes); i++)
        if (codes[i].dtype == t)
            return codes[i].code;
    return NULL;
}

sluice_status sl_npy_header(struct sl_buffer *out, const struct sl_array *array)
{
    const char *code = code_of(array->dtype);
    if (!code)
        return SLUICE_E_UNSUPPORTED;
    const struct sl_shape *s = &array->shape;
    struct sl_buffer h = {0};
    sl_put_printf(&h, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", sl_dtype_bits(array->dtype) == 8 ? '|' : '<',
                  code);
    for (int i = 0; i < s->rank; i++)
        sl_put_printf(&h, i ? ", %lld" : "%lld", (long long)s->dim[i]);
    sl_put_printf(&h, "%s), }", s->rank == 1 ? "," : "");
    size_t total = (10 + h.size + 1 + 63) / 64 * 64; /* at most 8 dimensions of 19 digits: version 1.0's u16 is enough */
    sl_put(out, "\x93NUMPY\x01\x00", 8);
    sl_put_u16(out, (uint16_t)(total - 10));
    sl_put(out, h.data, h.size);
    for (size_t i = 10 + h.size; i < total - 1; i++)
        sl_put_u8(out, ' ');
    sl_put_u8(out, '\n');
    out->failed = out->failed || h.failed;
    sl_buffer_free(&h);
    return out->failed ? SLUICE_E_MEMORY : SLUICE_OK;
}

sluice_status sl_npy_write(struct sl_buffer *out, const struct sl_array *array)
{
    SL_TRY(sl_npy_header(out, array));
    sl_put(out, array->data, array->bytes);
    return out->failed ? SLUICE_E_MEMORY : SLUICE_OK;
}
