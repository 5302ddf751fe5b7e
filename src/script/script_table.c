/* script_table.c: lookups in the command table and the check of one parsed command against it. */
#include <string.h>

#include "base/strings.h"
#include "script/script_table.h"

const struct sl_script_row sl_script_table[] = {
#define COMMAND(n, f, st, lo, hi, eff, fn, h)                                                                                  \
    {.kind = SL_ROW_COMMAND,                                                                                                   \
     .name = #n,                                                                                                               \
     .form = SL_FORM_##f,                                                                                                      \
     .stage = SL_SCRIPT_##st,                                                                                                  \
     .min_targets = lo,                                                                                                        \
     .max_targets = hi,                                                                                                        \
     .effect = SL_EFFECT_##eff,                                                                                                \
     .handler = fn,                                                                                                            \
     .help = h},
#define ARG(n, t, least, most, lo, hi)                                                                                         \
    {.kind = SL_ROW_ARG, .name = #n, .type = SL_TYPE_##t, .min_args = least, .max_args = most, .low = lo, .high = hi},
#define PART(n, eff, fn, h) {.kind = SL_ROW_PART, .name = #n, .effect = SL_EFFECT_##eff, .handler = fn, .help = h},
#define KEY(n, t, lo, hi)   {.kind = SL_ROW_KEY, .name = #n, .type = SL_TYPE_##t, .low = lo, .high = hi},
#include "script/script_commands.def"
#undef COMMAND
#undef ARG
#undef PART
#undef KEY
    {.kind = SL_ROW_END},
};

const struct sl_script_row *sl_script_find_command(const char *name)
{
    for (const struct sl_script_row *r = sl_script_table; r->kind != SL_ROW_END; r++)
        if (r->kind == SL_ROW_COMMAND && !strcmp(r->name, name))
            return r;
    return NULL;
}

static bool in_command(const struct sl_script_row *r)
{
    return r->kind != SL_ROW_COMMAND && r->kind != SL_ROW_END;
}

const struct sl_script_row *sl_script_find_part(const struct sl_script_row *command, const char *name)
{
    for (const struct sl_script_row *r = command + 1; in_command(r); r++)
        if (r->kind == SL_ROW_PART && !strcmp(r->name, name))
            return r;
    return NULL;
}

bool sl_script_has_parts(const struct sl_script_row *command)
{
    for (const struct sl_script_row *r = command + 1; in_command(r); r++)
        if (r->kind == SL_ROW_PART)
            return true;
    return false;
}

const struct sl_script_row *sl_script_find_key(const struct sl_script_row *command, const struct sl_script_row *part,
                                               const char *name)
{
    for (const struct sl_script_row *r = part ? part + 1 : command + 1; in_command(r) && r->kind != SL_ROW_PART; r++)
        if (r->kind == SL_ROW_KEY && !strcmp(r->name, name))
            return r;
    return NULL;
}

const char *sl_script_nearest(const struct sl_script_row *command, const struct sl_script_row *part,
                              enum sl_script_row_kind kind, const char *word)
{
    const char *names[SL_COUNT(sl_script_table)];
    size_t n = 0;
    const struct sl_script_row *r = part ? part + 1 : command ? command + 1 : sl_script_table;

    for (; r->kind != SL_ROW_END; r++) {
        if (command && (!in_command(r) || (part && r->kind == SL_ROW_PART)))
            break;
        if (r->kind == kind)
            names[n++] = r->name;
    }
    return sl_nearest(word, names, n);
}

const struct sl_value *sl_script_keyword(const struct sl_command *c, const char *name)
{
    for (int i = 0; i < c->n_keywords; i++)
        if (!strcmp(c->keywords[i].name, name))
            return &c->keywords[i].value;
    return NULL;
}

/* ---- types ---- */
static bool is_number(const struct sl_value *v)
{
    return v->kind == SL_VALUE_INT || v->kind == SL_VALUE_FLOAT;
}

/* A layer may be called like a number's or keyword's spelling ("25m"): its text counts. */
static bool is_name(const struct sl_value *v)
{
    return v->kind == SL_VALUE_WORD || v->kind == SL_VALUE_DURATION || v->kind == SL_VALUE_INT;
}

static bool is_policy(const struct sl_value *v)
{
    return v->kind == SL_VALUE_BOOL ||
           (v->kind == SL_VALUE_WORD && (!strcmp(v->s, "enabled") || !strcmp(v->s, "disabled") || !strcmp(v->s, "allowed")));
}

static bool list_of(const struct sl_value *v, bool (*is)(const struct sl_value *))
{
    if (v->kind != SL_VALUE_LIST)
        return false;
    for (int i = 0; i < v->n; i++)
        if (!is(&v->items[i]))
            return false;
    return true;
}

static bool is_layer_item(const struct sl_value *v)
{
    return is_name(v) || v->kind == SL_VALUE_GLOB;
}

static bool has_type(enum sl_script_type t, const struct sl_value *v)
{
    switch (t) {
    case SL_TYPE_INT:
        return v->kind == SL_VALUE_INT;
    case SL_TYPE_NUMBER:
        return is_number(v);
    case SL_TYPE_BOOL:
        return v->kind == SL_VALUE_BOOL;
    case SL_TYPE_POLICY:
        return is_policy(v);
    case SL_TYPE_WORD:
        return v->kind == SL_VALUE_WORD;
    case SL_TYPE_STRING:
        return v->kind == SL_VALUE_STRING || v->kind == SL_VALUE_WORD;
    case SL_TYPE_NUMBERS:
        return list_of(v, is_number);
    case SL_TYPE_WORDS:
        return list_of(v, is_name);
    case SL_TYPE_LAYER:
        return is_name(v);
    case SL_TYPE_LAYERS:
        return is_layer_item(v) || list_of(v, is_layer_item);
    case SL_TYPE_TIME:
        return v->kind == SL_VALUE_INT || v->kind == SL_VALUE_DURATION;
    case SL_TYPE_TARGET:
        return is_number(v) || v->kind == SL_VALUE_NULL || (v->kind == SL_VALUE_WORD && !strcmp(v->s, "max"));
    case SL_TYPE_ANY:
        return true;
    }
    return false;
}

static const char *type_text(enum sl_script_type t)
{
    static const char *const text[] = {
        "an integer",
        "a number",
        "True or False",
        "enabled, disabled or allowed",
        "a name",
        "a quoted path",
        "a list of numbers",
        "a list of names",
        "a layer name",
        "a layer, a list of layers or a {glob}",
        "seconds or a time like 25m or 5h",
        "a number, null or max",
        "a value",
    };
    return text[t];
}

static const char *value_text(const struct sl_value *v)
{
    return v->kind == SL_VALUE_LIST ? "a list" : v->s;
}

static sluice_status check_bounds(const struct sl_script *s, const struct sl_script_row *r, const struct sl_value *v, sl_err *e)
{
    if (v->kind == SL_VALUE_LIST) {
        for (int i = 0; i < v->n; i++)
            SL_TRY(check_bounds(s, r, &v->items[i], e));
        return SLUICE_OK;
    }
    if (!is_number(v) && v->kind != SL_VALUE_DURATION)
        return SLUICE_OK;
    if (r->low == 0 && r->high == 0) /* a type without numeric bounds */
        return SLUICE_OK;
    if (!(v->f >= r->low && v->f <= r->high))
        return sl_script_fail(s, v->line, v->column, SLUICE_E_VALUE, e, "'%s' is %s, accepted is %g to %g", r->name, v->s,
                              r->low, r->high);
    return SLUICE_OK;
}

static sluice_status check_value(const struct sl_script *s, const struct sl_script_row *r, const struct sl_value *v, sl_err *e)
{
    if (!has_type(r->type, v))
        return sl_script_fail(s, v->line, v->column, SLUICE_E_VALUE, e, "'%s' takes %s, found %s%.100s%s", r->name,
                              type_text(r->type), v->kind == SL_VALUE_LIST ? "" : "'", value_text(v),
                              v->kind == SL_VALUE_LIST ? "" : "'");
    return check_bounds(s, r, v, e);
}

/* Positional arguments are matched in order; an optional one is skipped when the value has not its type. */
static sluice_status check_arguments(const struct sl_script *s, const struct sl_command *c, sl_err *e)
{
    int i = 0;

    for (const struct sl_script_row *r = c->row + 1; r->kind == SL_ROW_ARG; r++) {
        int taken = 0;
        while (i < c->n_args && taken < r->max_args) {
            if (taken >= r->min_args && !has_type(r->type, &c->args[i]))
                break;
            SL_TRY(check_value(s, r, &c->args[i], e));
            i++;
            taken++;
        }
        if (taken < r->min_args)
            return sl_script_fail(s, c->line, c->column, SLUICE_E_VALUE, e, "'%s' lacks its argument '%s' (%s)", c->name,
                                  r->name, type_text(r->type));
    }
    if (i < c->n_args)
        return sl_script_fail(s, c->args[i].line, c->args[i].column, SLUICE_E_VALUE, e,
                              "'%s' takes %d positional argument%s here, found one more: '%.100s'", c->name, i,
                              i == 1 ? "" : "s", value_text(&c->args[i]));
    return SLUICE_OK;
}

static sluice_status check_keywords(const struct sl_script *s, const struct sl_command *c, sl_err *e)
{
    for (int i = 0; i < c->n_keywords; i++) {
        const struct sl_keyword *k = &c->keywords[i];
        const struct sl_script_row *r = sl_script_find_key(c->row, c->part, k->name);
        if (!r) {
            const char *near = sl_script_nearest(c->row, c->part, SL_ROW_KEY, k->name);
            sl_script_fail(s, k->line, k->column, SLUICE_E_USAGE, e, "'%s%s%s' has no keyword '%s'", c->name,
                           c->part ? " " : "", c->part ? c->part->name : "", k->name);
            return near ? sl_hint(e, "the nearest one is '%s'", near) : e->code;
        }
        SL_TRY(check_value(s, r, &k->value, e));
    }
    return SLUICE_OK;
}

static sluice_status check_form(const struct sl_script *s, const struct sl_command *c, sl_err *e)
{
    static const char *const form[] = {"name(...)", "new_layer = name(...)", "object.name(...)"};

    if (c->form != c->row->form)
        return sl_script_fail(s, c->line, c->column, SLUICE_E_FORMAT, e, "'%s' is written %s%s, found %s", c->name,
                              c->row->form == SL_FORM_ASSIGNMENT ? "as an assignment: " : "", form[c->row->form],
                              form[c->form]);
    if (c->n_targets < c->row->min_targets || c->n_targets > c->row->max_targets)
        return sl_script_fail(s, c->line, c->column, SLUICE_E_VALUE, e, "'%s' takes %d to %d names before '=', found %d",
                              c->name, c->row->min_targets, c->row->max_targets, c->n_targets);
    return SLUICE_OK;
}

sluice_status sl_script_check_command(const struct sl_script *s, struct sl_command *c, sl_err *e)
{
    c->row = sl_script_find_command(c->name);
    if (!c->row) {
        const char *near = sl_script_nearest(NULL, NULL, SL_ROW_COMMAND, c->name);
        sl_script_fail(s, c->line, c->column, SLUICE_E_USAGE, e, "unknown command '%s'", c->name);
        return near ? sl_hint(e, "the nearest command is '%s'", near) : e->code;
    }
    SL_TRY(check_form(s, c, e));
    SL_TRY(check_arguments(s, c, e));
    if (sl_script_has_parts(c->row)) {
        c->part = sl_script_find_part(c->row, c->args[0].s);
        if (!c->part) {
            const char *near = sl_script_nearest(c->row, NULL, SL_ROW_PART, c->args[0].s);
            sl_script_fail(s, c->args[0].line, c->args[0].column, SLUICE_E_USAGE, e, "'%s' has no part '%s'", c->name,
                           c->args[0].s);
            return near ? sl_hint(e, "the nearest one is '%s'", near) : e->code;
        }
    }
    return check_keywords(s, c, e);
}
