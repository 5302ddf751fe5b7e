/* script_parse.c: tokens to commands. Grammar, one command a line:
 *   name(args)    target[, target...] = name(args)    {} = name(args)    object.name(args)      args: values, then
 * keyword=value */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strings.h"
#include "script/script_table.h"

enum { MAX_TEXT = 64 << 20, MAX_DEPTH = 4, MAX_NAMES = 4096, MAX_ITEMS = 1 << 20 };

struct parser {
    struct sl_lexer lexer;
    struct sl_token t; /* the token looked at */
    sl_arena *arena;
    struct sl_script *script;
};

sluice_status sl_script_fail(const struct sl_script *s, int line, int column, sluice_status code, sl_err *e, const char *format,
                             ...)
{
    char text[SLUICE_ERROR_TEXT];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return sl_fail(e, code, "%s:%d:%d: %s", s->file, line, column, text);
}

/* Growing arena arrays double; the copies left behind are at most as large as the array. */
static void *grow(sl_arena *a, void *old, int n, size_t item)
{
    void *p;

    if (n & (n - 1))
        return old;
    p = sl_arena_must_alloc(a, sl_mul_or_abort((size_t)(n ? 2 * n : 1), item));
    if (n)
        memcpy(p, old, (size_t)n * item);
    return p;
}

static sluice_status next(struct parser *p, sl_err *e)
{
    return sl_script_next_token(&p->lexer, &p->t, e);
}

static const char *describe(const struct parser *p, char *buffer, size_t size)
{
    switch (p->t.kind) {
    case SL_TOKEN_END:
        return "the end of the script";
    case SL_TOKEN_NEWLINE:
        return "the end of the line";
    case SL_TOKEN_PUNCTUATION:
        snprintf(buffer, size, "'%c'", p->t.punctuation);
        return buffer;
    case SL_TOKEN_VALUE:
        snprintf(buffer, size, p->t.value.kind == SL_VALUE_GLOB ? "'{%.80s}'" : "'%.80s'", p->t.value.s);
        return buffer;
    }
    return "?";
}

static sluice_status unexpected(struct parser *p, const char *wanted, sl_err *e)
{
    char buffer[100];

    return sl_script_fail(p->script, p->t.line, p->t.column, SLUICE_E_FORMAT, e, "expected %s, found %s", wanted,
                          describe(p, buffer, sizeof buffer));
}

static bool at(const struct parser *p, char c)
{
    return p->t.kind == SL_TOKEN_PUNCTUATION && p->t.punctuation == c;
}

static bool at_name(const struct parser *p)
{
    return p->t.kind == SL_TOKEN_VALUE && p->t.value.kind == SL_VALUE_WORD;
}

static sluice_status parse_value(struct parser *p, int depth, struct sl_value *out, sl_err *e)
{
    if (p->t.kind == SL_TOKEN_VALUE) {
        *out = p->t.value;
        return next(p, e);
    }
    if (!at(p, '['))
        return unexpected(p, "a value", e);
    if (depth >= MAX_DEPTH)
        return sl_script_fail(p->script, p->t.line, p->t.column, SLUICE_E_LIMIT, e, "lists are nested deeper than %d",
                              MAX_DEPTH);
    *out = (struct sl_value){.kind = SL_VALUE_LIST, .line = p->t.line, .column = p->t.column};
    SL_TRY(next(p, e));
    while (!at(p, ']')) {
        if (out->n >= MAX_ITEMS)
            return sl_script_fail(p->script, p->t.line, p->t.column, SLUICE_E_LIMIT, e, "a list of more than %d items",
                                  MAX_ITEMS);
        out->items = grow(p->arena, out->items, out->n, sizeof *out->items);
        SL_TRY(parse_value(p, depth + 1, &out->items[out->n], e));
        out->n++;
        if (at(p, ']'))
            break;
        if (!at(p, ','))
            return unexpected(p, "',' or ']'", e);
        SL_TRY(next(p, e));
        if (at(p, ']'))
            return unexpected(p, "a value behind ','", e);
    }
    return next(p, e);
}

static sluice_status add_keyword(struct parser *p, struct sl_command *c, const struct sl_value *name, sl_err *e)
{
    struct sl_keyword *k;

    if (name->kind != SL_VALUE_WORD)
        return sl_script_fail(p->script, name->line, name->column, SLUICE_E_FORMAT, e, "expected a keyword before '='");
    for (int i = 0; i < c->n_keywords; i++)
        if (!strcmp(c->keywords[i].name, name->s))
            return sl_script_fail(p->script, name->line, name->column, SLUICE_E_FORMAT, e, "keyword '%s' is given twice",
                                  name->s);
    SL_TRY(next(p, e)); /* '=' */
    c->keywords = grow(p->arena, c->keywords, c->n_keywords, sizeof *c->keywords);
    k = &c->keywords[c->n_keywords];
    *k = (struct sl_keyword){.name = name->s, .line = name->line, .column = name->column};
    SL_TRY(parse_value(p, 0, &k->value, e));
    c->n_keywords++;
    return SLUICE_OK;
}

static sluice_status parse_arguments(struct parser *p, struct sl_command *c, sl_err *e)
{
    if (!at(p, '('))
        return unexpected(p, "'('", e);
    SL_TRY(next(p, e));
    while (!at(p, ')')) {
        struct sl_value v;
        if (c->n_args + c->n_keywords >= MAX_NAMES)
            return sl_script_fail(p->script, p->t.line, p->t.column, SLUICE_E_LIMIT, e, "more than %d arguments", MAX_NAMES);
        SL_TRY(parse_value(p, 0, &v, e));
        if (at(p, '=')) {
            SL_TRY(add_keyword(p, c, &v, e));
        } else if (c->n_keywords) {
            return sl_script_fail(p->script, v.line, v.column, SLUICE_E_FORMAT, e, "a positional argument behind a keyword");
        } else {
            c->args = grow(p->arena, c->args, c->n_args, sizeof *c->args);
            c->args[c->n_args++] = v;
        }
        if (at(p, ')'))
            break;
        if (!at(p, ','))
            return unexpected(p, "',' or ')'", e);
        SL_TRY(next(p, e));
        if (at(p, ')'))
            return unexpected(p, "an argument behind ','", e);
    }
    return next(p, e);
}

/* Left side, when there is one: names up to '=', or `{}`. On return the current token is the command's name. */
static sluice_status parse_left_side(struct parser *p, struct sl_command *c, struct sl_value *first, sl_err *e)
{
    if (p->t.kind == SL_TOKEN_VALUE && p->t.value.kind == SL_VALUE_GLOB) {
        if (p->t.value.s[0])
            return unexpected(p, "a command", e);
        SL_TRY(next(p, e));
        if (!at(p, '='))
            return unexpected(p, "'=' behind '{}'", e);
        c->form = SL_FORM_ASSIGNMENT;
    } else {
        if (!at_name(p))
            return unexpected(p, "a command", e);
        *first = p->t.value;
        SL_TRY(next(p, e));
        if (!at(p, ',') && !at(p, '='))
            return SLUICE_OK;
        c->form = SL_FORM_ASSIGNMENT;
        c->targets = grow(p->arena, NULL, 0, sizeof *c->targets);
        c->targets[c->n_targets++] = first->s;
        while (at(p, ',')) {
            SL_TRY(next(p, e));
            if (!at_name(p) || c->n_targets >= MAX_NAMES)
                return unexpected(p, "a name", e);
            c->targets = grow(p->arena, c->targets, c->n_targets, sizeof *c->targets);
            c->targets[c->n_targets++] = p->t.value.s;
            SL_TRY(next(p, e));
        }
        if (!at(p, '='))
            return unexpected(p, "'='", e);
    }
    SL_TRY(next(p, e));
    if (!at_name(p))
        return unexpected(p, "a command behind '='", e);
    *first = p->t.value;
    return next(p, e);
}

static sluice_status parse_command(struct parser *p, struct sl_command *c, sl_err *e)
{
    struct sl_value name = {0};
    const char *dot;

    c->line = p->t.line;
    c->column = p->t.column;
    SL_TRY(parse_left_side(p, c, &name, e));
    c->name = name.s;
    dot = strrchr(name.s, '.');
    if (dot && c->form == SL_FORM_COMMAND) { /* a name may hold dots: the last one parts object and method */
        c->form = SL_FORM_METHOD;
        c->object = sl_arena_strndup(p->arena, name.s, (size_t)(dot - name.s));
        c->name = dot + 1;
    }
    SL_TRY(parse_arguments(p, c, e));
    if (p->t.kind != SL_TOKEN_NEWLINE && p->t.kind != SL_TOKEN_END)
        return unexpected(p, "the end of the line behind ')'", e);
    return sl_script_check_command(p->script, c, e);
}

sluice_status sl_script_parse(sl_arena *a, const char *file, struct sl_view text, struct sl_script **out, sl_err *e)
{
    struct sl_script *s = SL_NEW(a, struct sl_script);
    struct parser p = {.arena = a, .script = s};
    static const uint8_t bom[3] = {0xef, 0xbb, 0xbf};

    s->file = sl_arena_strdup(a, file);
    if (text.size > MAX_TEXT)
        return sl_fail(e, SLUICE_E_LIMIT, "%s: a model script of %zu bytes (the limit is %d)", file, text.size, MAX_TEXT);
    if (text.size >= 3 && !memcmp(text.data, bom, 3))
        text = (struct sl_view){text.data + 3, text.size - 3};
    p.lexer = (struct sl_lexer){.arena = a, .script = s, .p = text.data, .end = text.data + text.size, .line = 1, .column = 1};
    SL_TRY(next(&p, e));
    while (p.t.kind != SL_TOKEN_END) {
        if (p.t.kind == SL_TOKEN_NEWLINE) {
            SL_TRY(next(&p, e));
            continue;
        }
        s->commands = grow(a, s->commands, s->n, sizeof *s->commands);
        memset(&s->commands[s->n], 0, sizeof *s->commands);
        SL_TRY(parse_command(&p, &s->commands[s->n], e));
        s->n++;
    }
    *out = s;
    return SLUICE_OK;
}
