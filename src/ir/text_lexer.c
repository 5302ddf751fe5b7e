/* text_lexer.c: IR text -> tokens, with places for messages. Used by text_parse.c. */
#include "ir/text_lexer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

sluice_status sl_token_fail(const struct sl_lexer *l, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return sl_fail(l->e, SLUICE_E_FORMAT, "line %d, column %d: %s", l->token.line, l->token.column, text);
}

static void skip_blanks(struct sl_lexer *l)
{
    for (; l->p < l->end; l->p++) {
        if (*l->p == '\n') {
            l->line++;
            l->line_start = l->p + 1;
        } else if (*l->p == '#') {
            while (l->p + 1 < l->end && l->p[1] != '\n')
                l->p++;
        } else if (*l->p != ' ' && *l->p != '\t' && *l->p != '\r') {
            return;
        }
    }
}

/* Behind the backslash at l->p - 1. */
static sluice_status read_escape(struct sl_lexer *l, char *out)
{
    char c = l->p < l->end ? *l->p++ : 0;
    *out = c;
    if (c == 'n' || c == 't') {
        *out = c == 'n' ? '\n' : '\t';
    } else if (c == 'x' && l->end - l->p >= 2 && hex_value(l->p[0]) >= 0 && hex_value(l->p[1]) >= 0) {
        *out = (char)(hex_value(l->p[0]) << 4 | hex_value(l->p[1]));
        l->p += 2;
    } else if (c != '\\' && c != '"') {
        return sl_token_fail(l, "an escape in a string is not \\\\, \\\", \\n, \\t or \\xHH");
    }
    return *out ? SLUICE_OK : sl_token_fail(l, "a string holds a zero byte");
}

static sluice_status read_string(struct sl_lexer *l)
{
    const char *close = l->p;
    while (close < l->end && *close != '"' && *close != '\n')
        close += *close == '\\' && close + 1 < l->end ? 2 : 1;
    if (close >= l->end || *close != '"')
        return sl_token_fail(l, "a string is not closed on its line");
    char *text = sl_arena_must_alloc(l->a, (size_t)(close - l->p) + 1), *to = text;
    while (l->p < close) {
        *to = *l->p++;
        if (*to == 0)
            return sl_token_fail(l, "a string holds a zero byte");
        if (*to == '\\')
            SL_TRY(read_escape(l, to));
        to++;
    }
    l->p = close + 1;
    l->token.text = text;
    l->token.kind = SL_TOKEN_STRING;
    return SLUICE_OK;
}

/* Digits, letters, points, and a sign at the start or behind e: the text is judged where its meaning is known. */
static void read_number(struct sl_lexer *l)
{
    const char *start = l->p++;
    bool hex = l->p < l->end && *start == '0' && *l->p == 'x';
    while (l->p < l->end && (is_digit(*l->p) || is_letter(*l->p) || *l->p == '.' ||
                             ((*l->p == '-' || *l->p == '+') && !hex && (l->p[-1] == 'e' || l->p[-1] == 'E'))))
        l->p++;
    l->token.text = sl_arena_strndup(l->a, start, (size_t)(l->p - start));
    l->token.kind = SL_TOKEN_NUMBER;
}

sluice_status sl_next_token(struct sl_lexer *l)
{
    skip_blanks(l);
    l->token = (struct sl_token){SL_TOKEN_END, "end of text", l->line, (int)(l->p - l->line_start) + 1};
    if (l->p == l->end)
        return SLUICE_OK;
    char c = *l->p;
    if (c == '"') {
        l->p++;
        return read_string(l);
    }
    if (is_digit(c) || c == '-') {
        read_number(l);
    } else if (is_letter(c)) {
        const char *start = l->p;
        while (l->p < l->end && (is_letter(*l->p) || is_digit(*l->p)))
            l->p++;
        l->token.text = sl_arena_strndup(l->a, start, (size_t)(l->p - start));
        l->token.kind = SL_TOKEN_WORD;
    } else if (c > ' ' && c < 0x7f) {
        l->token.text = sl_arena_strndup(l->a, l->p++, 1);
        l->token.kind = SL_TOKEN_MARK;
    } else {
        return sl_token_fail(l, "byte 0x%02x is not part of the language outside strings", (unsigned char)c);
    }
    return SLUICE_OK;
}

sluice_status sl_lexer_start(struct sl_lexer *l, sl_arena *a, struct sl_view text, sl_err *e)
{
    const char *start = text.size ? (const char *)text.data : "";
    *l = (struct sl_lexer){.a = a, .p = start, .end = start + text.size, .line_start = start, .line = 1, .e = e};
    return sl_next_token(l);
}

bool sl_token_is(const struct sl_lexer *l, const char *text)
{
    return (l->token.kind == SL_TOKEN_WORD || l->token.kind == SL_TOKEN_MARK) && strcmp(l->token.text, text) == 0;
}

sluice_status sl_accept_token(struct sl_lexer *l, const char *text, bool *found)
{
    *found = sl_token_is(l, text);
    return *found ? sl_next_token(l) : SLUICE_OK;
}

sluice_status sl_expect_token(struct sl_lexer *l, const char *text)
{
    if (!sl_token_is(l, text))
        return sl_token_fail(l, "'%s' is expected, not '%s'", text, l->token.text);
    return sl_next_token(l);
}

sluice_status sl_expect_name(struct sl_lexer *l, const char *what, const char **out)
{
    if (l->token.kind != SL_TOKEN_WORD && l->token.kind != SL_TOKEN_STRING)
        return sl_token_fail(l, "%s is expected, not '%s'", what, l->token.text);
    if (!l->token.text[0])
        return sl_token_fail(l, "%s is empty", what);
    *out = l->token.text;
    return sl_next_token(l);
}

bool sl_number_from_text(const char *text, bool *is_decimal, int64_t *i, double *d)
{
    char *end;
    bool hex = text[0] == '0' && text[1] == 'x';
    *i = 0;
    *d = 0;
    *is_decimal =
        !hex && (strpbrk(text, ".eE") || strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0 || strcmp(text, "nan") == 0);
    if (*is_decimal) {
        if (strpbrk(text, "xX"))
            return false;
        *d = strtod(text, &end);
        return *end == 0;
    }
    errno = 0;
    *i = strtoll(text, &end, hex ? 16 : 10);
    return *end == 0 && errno == 0;
}

sluice_status sl_expect_int(struct sl_lexer *l, const char *what, int64_t lo, int64_t hi, int64_t *out)
{
    bool is_decimal;
    double d;
    if (l->token.kind != SL_TOKEN_NUMBER || !sl_number_from_text(l->token.text, &is_decimal, out, &d) || is_decimal)
        return sl_token_fail(l, "%s (an integer) is expected, not '%s'", what, l->token.text);
    if (*out < lo || *out > hi)
        return sl_token_fail(l, "%s is %lld, not in %lld..%lld", what, (long long)*out, (long long)lo, (long long)hi);
    return sl_next_token(l);
}
