/* onnx_problems.c: the error that names everything unsupported at once, and the end nodes that leave the largest supported
 * part. */
#include <string.h>

#include "onnx/onnx_import.h"

/* A translated node ends the supported part when what it makes is wanted, or is read by a node that could not be made. */
static void mark_frontier(const struct onnx_import *c, const char *const *wanted, int n_wanted, bool *frontier)
{
    const struct onnx_graph *g = c->model->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        if (c->fates[i] != ONNX_UNSUPPORTED && c->fates[i] != ONNX_SKIPPED)
            continue;
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            const struct onnx_value *v = g->nodes[i].in[k][0] ? sl_map_get(c->scope->values, g->nodes[i].in[k]) : NULL;
            if (v && v->producer)
                frontier[v->producer - 1] = true;
        }
    }
    for (int i = 0; i < n_wanted; i++) {
        const struct onnx_value *v = sl_map_get(c->scope->values, wanted[i]);
        if (v && v->producer)
            frontier[v->producer - 1] = true;
    }
}

static void recommend(struct onnx_import *c, const char *const *wanted, int n_wanted)
{
    const struct onnx_graph *g = c->model->graph;
    bool *frontier = SL_NEW_ARRAY(c->scratch, bool, (size_t)g->n_nodes + 1);
    mark_frontier(c, wanted, n_wanted, frontier);
    c->report->recommended = SL_NEW_ARRAY(c->a, const char *, (size_t)g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++)
        if (frontier[i] && c->fates[i] == ONNX_TRANSLATED)
            c->report->recommended[c->report->n_recommended++] = g->nodes[i].label;
}

/* The list may be longer than an error's text: full nodes go to the report, the message says how many are left out. */
static void list_problems(const struct sl_onnx_report *r, struct sl_buffer *text)
{
    for (int i = 0; i < r->n_problems; i++) {
        if (text->size > SLUICE_ERROR_TEXT - 240) {
            sl_put_printf(text, "; and %d more", r->n_problems - i);
            return;
        }
        const struct sl_onnx_problem *p = &r->problems[i];
        sl_put_printf(text, "%snode '%s' (%s): %s", i ? "; " : "", p->node, p->op, p->reason);
    }
}

sluice_status onnx_fail_unsupported(struct onnx_import *c, const char *const *wanted, int n_wanted)
{
    const struct sl_onnx_report *r = c->report;
    struct sl_buffer text = {0};
    recommend(c, wanted, n_wanted);
    list_problems(r, &text);
    sl_fail(c->e, SLUICE_E_UNSUPPORTED, "%d unsupported node%s: %s", r->n_problems, r->n_problems == 1 ? "" : "s",
            sl_buffer_text(&text));
    sl_buffer_free(&text);
    if (r->n_recommended == 0)
        return sl_hint(c->e, "nothing before these nodes can be taken; replace the operators in the model");
    sl_put_printf(&text, "parse the supported part using these end node names: ");
    for (int i = 0; i < r->n_recommended; i++)
        sl_put_printf(&text, "%s%s", i ? ", " : "", r->recommended[i]);
    sl_hint(c->e, "%s", sl_buffer_text(&text));
    sl_buffer_free(&text);
    return c->e->code;
}
