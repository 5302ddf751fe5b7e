/* script_apply.c: runs a script's commands of one stage, and finds the layers that a value names. */
#include <string.h>

#include "base/log.h"
#include "base/strings.h"
#include "script/script_table.h"

/* One bracket class at p ("[" read); *p moves behind "]". Without "]" the bracket is an ordinary character. */
static bool match_class(const char **p, char c, bool *is_class)
{
    const char *q = *p;
    bool invert = *q == '!' || *q == '^', hit = false;

    if (invert)
        q++;
    for (const char *first = q; *q && (*q != ']' || q == first); q++) {
        if (q[1] == '-' && q[2] && q[2] != ']') {
            hit = hit || (c >= q[0] && c <= q[2]);
            q += 2;
        } else {
            hit = hit || *q == c;
        }
    }
    *is_class = *q == ']';
    if (*is_class)
        *p = q + 1;
    return hit != invert;
}

bool sl_glob_match(const char *pattern, const char *text)
{
    const char *star = NULL, *star_text = NULL;

    /* Greedy with one backtracking point: linear in practice, quadratic at worst. */
    while (*text) {
        const char *p = pattern;
        bool is_class = false, hit = false;
        if (*p == '*') {
            star = ++pattern;
            star_text = text;
            continue;
        }
        if (*p == '[') {
            p++;
            hit = match_class(&p, *text, &is_class);
        }
        if (!is_class) {
            p = pattern;
            hit = *p && (*p == '?' || *p == *text);
            p++;
        }
        if (hit) {
            pattern = p;
            text++;
        } else if (star) {
            pattern = star;
            text = ++star_text;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static const char *nearest_layer(const struct sl_graph *g, const char *word, sl_arena *a)
{
    const char **names = SL_NEW_ARRAY(a, const char *, g->n_nodes + 1);

    for (int i = 0; i < g->n_nodes; i++)
        names[i] = g->nodes[i]->name;
    return sl_nearest(word, names, (size_t)g->n_nodes);
}

static sluice_status mark_layers(const struct sl_script *s, const struct sl_graph *g, const struct sl_value *v, bool *marked,
                                 sl_err *e)
{
    const struct sl_node *n;

    if (v->kind == SL_VALUE_LIST) {
        for (int i = 0; i < v->n; i++)
            SL_TRY(mark_layers(s, g, &v->items[i], marked, e));
        return SLUICE_OK;
    }
    if (v->kind == SL_VALUE_GLOB) {
        bool scoped = strchr(v->s, '/') != NULL, any = false;
        for (int i = 0; i < g->n_nodes; i++) {
            const char *name = g->nodes[i]->name;
            if (scoped)
                name = sl_arena_printf(g->arena, "%s/%s", g->nodes[i]->scope ? g->nodes[i]->scope : g->name, name);
            if (sl_glob_match(v->s, name))
                any = marked[i] = true;
        }
        if (!any)
            sl_warn("%s:%d:%d: no layer matches {%s}", s->file, v->line, v->column, v->s);
        return SLUICE_OK;
    }
    n = sl_graph_find(g, v->s);
    if (!n) {
        const char *near = nearest_layer(g, v->s, g->arena);
        sl_script_fail(s, v->line, v->column, SLUICE_E_NOT_FOUND, e, "no layer is called '%s'", v->s);
        return near ? sl_hint(e, "the nearest layer is '%s'", near) : sl_hint(e, "`sluice har info` lists the layers");
    }
    marked[n->index] = true;
    return SLUICE_OK;
}

sluice_status sl_script_layers(const struct sl_script *s, const struct sl_graph *g, const struct sl_value *v, sl_arena *a,
                               struct sl_node ***out, int *n, sl_err *e)
{
    bool *marked = SL_NEW_ARRAY(a, bool, g->n_nodes + 1);

    SL_TRY(mark_layers(s, g, v, marked, e));
    *out = SL_NEW_ARRAY(a, struct sl_node *, g->n_nodes + 1);
    *n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (marked[i])
            (*out)[(*n)++] = g->nodes[i];
    return SLUICE_OK;
}

static sluice_status refuse(const struct sl_script *s, const struct sl_command *c, sl_err *e)
{
    sl_script_fail(s, c->line, c->column, SLUICE_E_UNSUPPORTED, e, "'%s%s%s' is known but not implemented yet", c->name,
                   c->part ? " " : "", c->part ? c->part->name : "");
    return sl_hint(e, "it would change the network's results, so it is not passed over; take the line out to go on without it");
}

sluice_status sl_script_apply(const struct sl_script *s, enum sl_script_stage stage, struct sl_graph *g,
                              struct sl_script_settings *settings, sl_err *e)
{
    struct sl_script_apply a = {.script = s, .graph = g, .settings = settings};

    for (int i = 0; i < s->n; i++) {
        const struct sl_command *c = &s->commands[i];
        const struct sl_script_row *r = c->part ? c->part : c->row;
        if (c->row->stage != stage)
            continue;
        switch (r->effect) {
        case SL_EFFECT_DO:
            SL_TRY(r->handler(&a, c, e));
            break;
        case SL_EFFECT_NONE:
            sl_info("%s:%d: %s%s%s: accepted, no effect yet", s->file, c->line, c->name, c->part ? " " : "",
                    c->part ? c->part->name : "");
            break;
        case SL_EFFECT_LATER:
        case SL_EFFECT_PARTS:
            return refuse(s, c, e);
        }
    }
    return SLUICE_OK;
}

sluice_status sl_script_check_compile_only(const struct sl_script *s, sl_err *e)
{
    for (int i = 0; i < s->n; i++) {
        const struct sl_command *c = &s->commands[i];
        const struct sl_script_row *r = c->part ? c->part : c->row;
        if (c->row->stage == SL_SCRIPT_COMPILE || r->effect == SL_EFFECT_NONE)
            continue;
        sl_script_fail(s, c->line, c->column, SLUICE_E_USAGE, e, "'%s' changes numbers: the compiler only places and packs",
                       c->name);
        return sl_hint(e, "run `sluice optimize` again with this model script, then compile the result");
    }
    return SLUICE_OK;
}
