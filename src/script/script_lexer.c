/* script_lexer.c: characters of a model script to tokens. A command ends at the end of its line unless a bracket is open. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "script/script_table.h"

enum { MAX_WORD = 512 };

static bool is_word_byte(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
           c == '/' || c == '+';
}

static void advance(struct sl_lexer *l)
{
    if (*l->p == '\n') {
        l->line++;
        l->column = 0;
    }
    l->p++;
    l->column++;
}

static void skip_blanks(struct sl_lexer *l)
{
    while (l->p < l->end) {
        int c = *l->p;
        if (c == '#')
            while (l->p < l->end && *l->p != '\n')
                advance(l);
        else if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && l->depth > 0))
            advance(l);
        else
            return;
    }
}

static bool all_digits(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s < '0' || *s > '9')
            return false;
    return true;
}

/* Decimal digits with at most one point and an optional exponent; strtod alone would take "nan" and hexadecimal. */
static bool looks_like_number(const char *s, bool *whole)
{
    int digits = 0, points = 0;

    if (*s == '-' || *s == '+')
        s++;
    for (; *s && *s != 'e' && *s != 'E'; s++) {
        if (*s >= '0' && *s <= '9')
            digits++;
        else if (*s == '.')
            points++;
        else
            return false;
    }
    *whole = points == 0 && !*s;
    if (!digits || points > 1)
        return false;
    if (*s) {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        return all_digits(s);
    }
    return true;
}

static sluice_status classify_number(struct sl_lexer *l, struct sl_value *v, bool whole, sl_err *e)
{
    errno = 0;
    v->f = strtod(v->s, NULL);
    if (!isfinite(v->f))
        return sl_script_fail(l->script, v->line, v->column, SLUICE_E_VALUE, e, "number '%s' is too large", v->s);
    v->kind = whole ? SL_VALUE_INT : SL_VALUE_FLOAT;
    if (whole) {
        errno = 0;
        v->i = strtoll(v->s, NULL, 10);
        if (errno)
            return sl_script_fail(l->script, v->line, v->column, SLUICE_E_VALUE, e, "integer '%s' does not fit 64 bits", v->s);
    }
    return SLUICE_OK;
}

static bool classify_duration(struct sl_value *v, sl_arena *a)
{
    size_t n = strlen(v->s);
    int64_t unit = n ? (v->s[n - 1] == 'm' ? 60 : v->s[n - 1] == 'h' ? 3600 : 0) : 0;

    if (!unit || n > 8 || !all_digits(sl_arena_strndup(a, v->s, n - 1)))
        return false;
    v->kind = SL_VALUE_DURATION;
    v->i = strtoll(v->s, NULL, 10) * unit;
    v->f = (double)v->i;
    return true;
}

static sluice_status classify(struct sl_lexer *l, struct sl_value *v, sl_err *e)
{
    const char *slash = strchr(v->s, '/');
    bool whole = false;

    if (looks_like_number(v->s, &whole))
        return classify_number(l, v, whole, e);
    if (classify_duration(v, l->arena))
        return SLUICE_OK;
    if (!strcmp(v->s, "True") || !strcmp(v->s, "False")) {
        v->kind = SL_VALUE_BOOL;
        v->i = v->s[0] == 'T';
        return SLUICE_OK;
    }
    if (!strcmp(v->s, "null") || !strcmp(v->s, "None")) {
        v->kind = SL_VALUE_NULL;
        return SLUICE_OK;
    }
    v->kind = SL_VALUE_WORD;
    if (strchr(v->s, '+') || v->s[0] == '/' || (slash && (slash[1] == 0 || strchr(slash + 1, '/'))))
        return sl_script_fail(l->script, v->line, v->column, SLUICE_E_FORMAT, e, "'%s' is neither a number nor a name", v->s);
    return SLUICE_OK;
}

static sluice_status lex_word(struct sl_lexer *l, struct sl_token *t, sl_err *e)
{
    const uint8_t *start = l->p;

    while (l->p < l->end && is_word_byte(*l->p))
        advance(l);
    if (l->p - start > MAX_WORD)
        return sl_script_fail(l->script, t->line, t->column, SLUICE_E_LIMIT, e, "a name of %td characters (the limit is %d)",
                              l->p - start, MAX_WORD);
    t->kind = SL_TOKEN_VALUE;
    t->value.s = sl_arena_strndup(l->arena, (const char *)start, (size_t)(l->p - start));
    return classify(l, &t->value, e);
}

/* A quoted path or a glob in braces: up to `close` on the same line. */
static sluice_status lex_until(struct sl_lexer *l, struct sl_token *t, char close, enum sl_value_kind kind, sl_err *e)
{
    const uint8_t *start;

    advance(l);
    start = l->p;
    while (l->p < l->end && *l->p != (uint8_t)close && *l->p != '\n')
        advance(l);
    if (l->p == l->end || *l->p == '\n')
        return sl_script_fail(l->script, t->line, t->column, SLUICE_E_FORMAT, e, "%s is not closed on its line",
                              kind == SL_VALUE_GLOB ? "'{'" : "a quoted string");
    t->kind = SL_TOKEN_VALUE;
    t->value.kind = kind;
    t->value.s = sl_arena_strndup(l->arena, (const char *)start, (size_t)(l->p - start));
    advance(l);
    for (const char *c = t->value.s; *c; c++)
        if ((unsigned char)*c < 32 && *c != '\t')
            return sl_script_fail(l->script, t->line, t->column, SLUICE_E_FORMAT, e, "control character 0x%02x in a string",
                                  (unsigned char)*c);
    if (strlen(t->value.s) != (size_t)(l->p - 1 - start))
        return sl_script_fail(l->script, t->line, t->column, SLUICE_E_FORMAT, e, "a zero byte in a string");
    return SLUICE_OK;
}

static sluice_status lex_glob(struct sl_lexer *l, struct sl_token *t, sl_err *e)
{
    char *s, *last;

    SL_TRY(lex_until(l, t, '}', SL_VALUE_GLOB, e));
    s = sl_arena_strdup(l->arena, t->value.s);
    while (*s == ' ' || *s == '\t')
        s++;
    last = s + strlen(s);
    while (last > s && (last[-1] == ' ' || last[-1] == '\t'))
        *--last = 0;
    t->value.s = s;
    if (strpbrk(s, ",{"))
        return sl_script_fail(l->script, t->line, t->column, SLUICE_E_FORMAT, e,
                              "braces hold one pattern, found '{%s}'; a list of layers is written [a, b]", s);
    return SLUICE_OK;
}

sluice_status sl_script_next_token(struct sl_lexer *l, struct sl_token *t, sl_err *e)
{
    int c;

    memset(t, 0, sizeof *t);
    skip_blanks(l);
    t->line = t->value.line = l->line;
    t->column = t->value.column = l->column;
    if (l->p == l->end)
        return SLUICE_OK; /* SL_TOKEN_END */
    c = *l->p;
    if (c == '\n') {
        advance(l);
        t->kind = SL_TOKEN_NEWLINE;
        return SLUICE_OK;
    }
    if (is_word_byte(c))
        return lex_word(l, t, e);
    if (c == '"' || c == '\'')
        return lex_until(l, t, (char)c, SL_VALUE_STRING, e);
    if (c == '{')
        return lex_glob(l, t, e);
    if (c && strchr("()[],=", c)) {
        if (c == '(' || c == '[')
            l->depth++;
        if ((c == ')' || c == ']') && l->depth > 0)
            l->depth--;
        advance(l);
        t->kind = SL_TOKEN_PUNCTUATION;
        t->punctuation = (char)c;
        return SLUICE_OK;
    }
    if (c > 32 && c < 127)
        return sl_script_fail(l->script, l->line, l->column, SLUICE_E_FORMAT, e, "unexpected character '%c'", c);
    return sl_script_fail(l->script, l->line, l->column, SLUICE_E_FORMAT, e, "unexpected byte 0x%02x", (unsigned)c);
}
