/* tflite_problems.c: the error that names everything unsupported at once, and the end nodes that leave the largest supported
 * part. */
#include <string.h>

#include "base/strings.h"
#include "tflite/tflite_import.h"

/* A translated tensor ends the supported part when it is wanted, or is read by an operator that could not be made. */
static void recommend(struct tfl_import *c)
{
    bool *frontier = SL_NEW_ARRAY(c->scratch, bool, (size_t)c->model.n_tensors + 1);
    for (int i = 0; i < c->n_ends; i++)
        frontier[c->ends[i]] = true;
    for (int i = 0; i < c->model.n_operators; i++) {
        if (c->fates[i] != TFL_UNSUPPORTED && c->fates[i] != TFL_SKIPPED)
            continue;
        for (int k = 0; k < c->model.operators[i].n_in; k++)
            if (c->model.operators[i].in[k] >= 0)
                frontier[c->model.operators[i].in[k]] = true;
    }
    c->report->recommended = SL_NEW_ARRAY(c->a, const char *, (size_t)c->model.n_tensors + 1);
    for (int i = 0; i < c->model.n_tensors; i++) {
        const struct tfl_value *v = &c->values[i];
        if (frontier[i] && v->producer && c->fates[v->producer - 1] == TFL_TRANSLATED && v->node &&
            v->node->op != SL_OP_const_input)
            c->report->recommended[c->report->n_recommended++] = c->model.tensors[i].name;
    }
}

/* The list may be longer than an error's text: all problems are in the report, the message says how many are left out. */
static void list_problems(const struct sl_tflite_report *r, struct sl_buffer *text)
{
    for (int i = 0; i < r->n_problems; i++) {
        if (text->size > SLUICE_ERROR_TEXT - 240) {
            sl_put_printf(text, "; and %d more", r->n_problems - i);
            return;
        }
        const struct sl_tflite_problem *p = &r->problems[i];
        sl_put_printf(text, "%soperator '%s' (%s): %s", i ? "; " : "", p->node, p->op, p->reason);
    }
}

sluice_status tfl_fail_unsupported(struct tfl_import *c)
{
    const struct sl_tflite_report *r = c->report;
    struct sl_buffer text = {0};
    recommend(c);
    list_problems(r, &text);
    sl_fail(c->e, SLUICE_E_UNSUPPORTED, "%d unsupported operator%s: %s", r->n_problems, r->n_problems == 1 ? "" : "s",
            sl_buffer_text(&text));
    sl_buffer_free(&text);
    if (r->n_recommended == 0)
        return sl_hint(c->e, "nothing before these operators can be taken; replace them in the model");
    sl_put_printf(&text, "parse the supported part using these end node names: ");
    for (int i = 0; i < r->n_recommended; i++)
        sl_put_printf(&text, "%s%s", i ? ", " : "", r->recommended[i]);
    sl_hint(c->e, "%s", sl_buffer_text(&text));
    sl_buffer_free(&text);
    return c->e->code;
}
