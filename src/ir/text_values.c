/* text_values.c: values of constants in IR text: elements, splats, seeds, and the side table behind hashes. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/text_private.h"

enum { MOST_INLINE = 16, HASH_DIGITS = 16 };

struct sl_text_consts {
    sl_arena *a;
    struct sl_map *by_hash;
};

struct sl_text_consts *sl_text_consts_new(sl_arena *a)
{
    struct sl_text_consts *t = SL_NEW(a, struct sl_text_consts);
    t->a = a;
    t->by_hash = sl_map_new(a);
    return t;
}

void sl_text_consts_add(struct sl_text_consts *t, const struct sl_const *c)
{
    char *key = sl_arena_printf(t->a, "%016llx", (unsigned long long)sl_const_hash(c));
    if (!sl_map_has(t->by_hash, key))
        sl_map_set(t->by_hash, key, (void *)c);
}

/* ---- printing ---- */

void sl_put_decimal(struct sl_buffer *out, double v, bool single)
{
    char text[48];
    if (isnan(v) || isinf(v)) {
        sl_put_printf(out, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
            break;
    }
    bool plain = true;
    for (char *p = text; *p; p++) {
        if (!strchr("0123456789+-e", *p))
            *p = '.'; /* a locale's comma */
        plain = plain && *p != '.' && *p != 'e';
    }
    sl_put_printf(out, "%s%s", text, plain ? ".0" : "");
}

static uint64_t bits_of(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void put_float(struct sl_buffer *out, enum sl_dtype t, uint64_t bits)
{
    float f = 0;
    double d = 0;
    uint32_t low = (uint32_t)bits;
    memcpy(&f, &low, sizeof f);
    memcpy(&d, &bits, sizeof d);
    if (t == SL_F32 && isfinite(f))
        sl_put_decimal(out, (double)f, true);
    else if (t == SL_F64 && isfinite(d))
        sl_put_decimal(out, d, false);
    else
        sl_put_printf(out, "0x%0*llx", (int)(sl_dtype_bits(t) / 4), (unsigned long long)bits);
}

static bool is_signed(enum sl_dtype t)
{
    return t == SL_S4 || t == SL_S8 || t == SL_S16 || t == SL_S32 || t == SL_S64;
}

void sl_put_element(struct sl_buffer *out, enum sl_dtype t, const void *data, size_t i)
{
    const uint8_t *p = data;
    size_t width = sl_dtype_bits(t);
    uint64_t bits = t == SL_S4 ? (uint64_t)(p[i / 2] >> (i & 1 ? 4 : 0)) & 15 : bits_of(p + i * (width / 8), width / 8);
    if (sl_dtype_is_float(t)) {
        put_float(out, t, bits);
    } else if (is_signed(t)) {
        uint64_t sign = (uint64_t)1 << (width - 1);
        sl_put_printf(out, "%lld", (long long)((bits ^ sign) - sign));
    } else {
        sl_put_printf(out, "%llu", (unsigned long long)bits);
    }
}

void sl_put_const_value(struct sl_buffer *out, const struct sl_const *c, struct sl_text_consts *consts)
{
    size_t n = sl_shape_elements(&c->shape);
    if (c->splat) {
        sl_put_printf(out, "splat ");
        sl_put_element(out, c->dtype, c->data, 0);
    } else if (n <= MOST_INLINE) {
        sl_put_u8(out, '[');
        for (size_t i = 0; i < n; i++) {
            sl_put_printf(out, i ? ", " : "");
            sl_put_element(out, c->dtype, c->data, i);
        }
        sl_put_u8(out, ']');
    } else {
        sl_put_printf(out, "hash %016llx", (unsigned long long)sl_const_hash(c));
        if (consts)
            sl_text_consts_add(consts, c);
    }
}

/* ---- reading ---- */

static void store(uint8_t *data, enum sl_dtype t, size_t i, uint64_t bits)
{
    size_t width = sl_dtype_bits(t) / 8;
    if (t == SL_S4) {
        data[i / 2] |= (uint8_t)((bits & 15) << (i & 1 ? 4 : 0));
        return;
    }
    for (size_t k = 0; k < width; k++)
        data[i * width + k] = (uint8_t)(bits >> (8 * k));
}

static bool float_bits(enum sl_dtype t, const char *text, uint64_t *bits)
{
    char *end;
    if (t == SL_F32) {
        float f = strtof(text, &end);
        uint32_t low;
        memcpy(&low, &f, sizeof low);
        *bits = low;
        return *end == 0 && isfinite(f);
    }
    if (t == SL_F64) {
        double d = strtod(text, &end);
        memcpy(bits, &d, sizeof d);
        return *end == 0 && isfinite(d);
    }
    return false; /* f16 and bf16 are given as bits */
}

static bool int_bits(enum sl_dtype t, const char *text, uint64_t *bits)
{
    char *end;
    size_t width = sl_dtype_bits(t);
    errno = 0;
    if (is_signed(t)) {
        long long v = strtoll(text, &end, 10);
        int64_t most = (int64_t)(((uint64_t)1 << (width - 1)) - 1);
        *bits = (uint64_t)v;
        return *end == 0 && errno == 0 && v <= most && v >= -most - 1;
    }
    *bits = strtoull(text, &end, 10);
    uint64_t most = t == SL_BOOL ? 1 : width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    return text[0] != '-' && *end == 0 && errno == 0 && *bits <= most;
}

static sluice_status parse_element(struct sl_lexer *l, enum sl_dtype t, uint64_t *bits)
{
    const char *text = l->token.text;
    bool fits = l->token.kind == SL_TOKEN_NUMBER;
    if (fits && sl_dtype_is_float(t) && text[0] == '0' && text[1] == 'x') {
        char *end;
        errno = 0;
        *bits = strtoull(text + 2, &end, 16);
        fits = text[2] && *end == 0 && errno == 0 && (sl_dtype_bits(t) == 64 || *bits >> sl_dtype_bits(t) == 0);
    } else if (fits) {
        fits = sl_dtype_is_float(t) ? float_bits(t, text, bits) : int_bits(t, text, bits);
    }
    if (!fits)
        return sl_token_fail(l, "'%s' is not a value of type %s", text, sl_dtype_name(t));
    return sl_next_token(l);
}

static sluice_status parse_list(struct sl_lexer *l, enum sl_dtype t, const struct sl_shape *s, const struct sl_const **out)
{
    size_t n = sl_shape_elements(s);
    void *data;
    if (n > (size_t)(l->end - l->p) + 1) /* an element takes a character at least */
        return sl_token_fail(l, "the list is shorter than the %zu elements of the shape", n);
    *out = sl_const_new(l->a, t, s, &data);
    if (!*out)
        return sl_fail(l->e, SLUICE_E_MEMORY, "out of memory for a constant of %zu elements", n);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        if (i > 0)
            SL_TRY(sl_expect_token(l, ","));
        SL_TRY(parse_element(l, t, &bits));
        store(data, t, i, bits);
    }
    return sl_expect_token(l, "]");
}

static uint64_t next_random(uint64_t *state) /* splitmix64, https://prng.di.unimi.it/splitmix64.c (public domain) */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t random_bits(enum sl_dtype t, uint64_t r)
{
    float f = (float)((int32_t)(r >> 40) - (1 << 23)) / (float)(1 << 23); /* exact, in [-1, 1) */
    double d = (double)f;
    uint32_t low;
    switch (t) {
    case SL_F32:
        memcpy(&low, &f, sizeof low);
        return low;
    case SL_F64:
        memcpy(&r, &d, sizeof r);
        return r;
    case SL_S32:
    case SL_S64:
        return (uint64_t)((int64_t)(r >> 47) - 65536);
    case SL_U32:
    case SL_U64:
        return r >> 48;
    case SL_BOOL:
        return r >> 63;
    default:
        return r >> 32;
    }
}

static sluice_status parse_seed(struct sl_lexer *l, enum sl_dtype t, const struct sl_shape *s, struct sl_value_budget *budget,
                                const struct sl_const **out)
{
    int64_t seed;
    size_t bytes;
    void *data;
    if (t == SL_F16 || t == SL_BF16)
        return sl_token_fail(l, "a seed cannot fill type %s", sl_dtype_name(t));
    SL_TRY(sl_expect_int(l, "a seed", 0, INT64_MAX, &seed));
    if (!sl_bytes_of(t, s, &bytes) || bytes > budget->seed_bytes)
        return sl_fail(l->e, SLUICE_E_LIMIT, "line %d: constants filled by seeds pass %d MiB", l->token.line,
                       SL_TEXT_SEED_BYTES >> 20);
    budget->seed_bytes -= bytes;
    *out = sl_const_new(l->a, t, s, &data);
    if (!*out)
        return sl_fail(l->e, SLUICE_E_MEMORY, "out of memory for a constant of %zu bytes", bytes);
    uint64_t state = (uint64_t)seed;
    for (size_t i = 0, n = sl_shape_elements(s); i < n; i++)
        store(data, t, i, random_bits(t, next_random(&state)));
    return SLUICE_OK;
}

static sluice_status parse_hash(struct sl_lexer *l, enum sl_dtype t, const struct sl_shape *s,
                                const struct sl_text_consts *consts, const struct sl_const **out)
{
    const char *text = l->token.text;
    size_t bytes;
    if ((l->token.kind != SL_TOKEN_NUMBER && l->token.kind != SL_TOKEN_WORD) || strlen(text) != HASH_DIGITS ||
        strspn(text, "0123456789abcdef") != HASH_DIGITS)
        return sl_token_fail(l, "a hash of 16 hexadecimal digits is expected, not '%s'", text);
    const struct sl_const *known = consts ? sl_map_get(consts->by_hash, text) : NULL;
    if (!known) {
        sl_token_fail(l, "the constant %s is not at hand", text);
        return sl_hint(l->e, "give the value as 'splat', a list or 'seed N'");
    }
    if (known->splat || known->dtype != t || !sl_bytes_of(t, s, &bytes) || bytes != known->bytes)
        return sl_token_fail(l, "the constant %s has another type or size", text);
    *out = sl_const_view(l->a, t, s, known->data);
    return sl_next_token(l);
}

sluice_status sl_parse_const_value(struct sl_lexer *l, enum sl_dtype t, const struct sl_shape *s,
                                   const struct sl_text_consts *consts, struct sl_value_budget *budget,
                                   const struct sl_const **out)
{
    bool found;
    uint8_t element[8] = {0};
    uint64_t bits;
    SL_TRY(sl_accept_token(l, "splat", &found));
    if (found) {
        SL_TRY(parse_element(l, t, &bits));
        store(element, t, 0, bits);
        *out = sl_const_splat(l->a, t, s, element);
        return SLUICE_OK;
    }
    SL_TRY(sl_accept_token(l, "[", &found));
    if (found)
        return parse_list(l, t, s, out);
    SL_TRY(sl_accept_token(l, "seed", &found));
    if (found)
        return parse_seed(l, t, s, budget, out);
    SL_TRY(sl_accept_token(l, "hash", &found));
    if (found)
        return parse_hash(l, t, s, consts, out);
    return sl_token_fail(l, "a value ('splat', '[', 'seed' or 'hash') is expected, not '%s'", l->token.text);
}
