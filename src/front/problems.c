/* problems.c: what import found besides the graph, and the error that names everything unsupported at once. */
#include "front/problems.h"

#include "base/strings.h"
#include "ir/grow.h"

void sl_add_problem(struct sl_import_report *r, sl_arena *a, const char *node, const char *op, const char *reason)
{
    r->problems = sl_grow(a, r->problems, r->n_problems, sizeof *r->problems);
    r->problems[r->n_problems++] = (struct sl_problem){node, op, sl_arena_strdup(a, reason)};
}

void sl_add_note(struct sl_import_report *r, sl_arena *a, const char *text)
{
    r->notes = sl_grow(a, (void *)r->notes, r->n_notes, sizeof *r->notes);
    r->notes[r->n_notes++] = sl_arena_strdup(a, text);
}

/* The list may be longer than an error's text: all problems are in the report, the message says how many are left out. */
static void list_problems(const struct sl_import_report *r, const char *what, struct sl_buffer *text)
{
    for (int i = 0; i < r->n_problems; i++) {
        if (text->size > SLUICE_ERROR_TEXT - 240) {
            sl_put_printf(text, "; and %d more", r->n_problems - i);
            return;
        }
        const struct sl_problem *p = &r->problems[i];
        sl_put_printf(text, "%s%s '%s' (%s): %s", i ? "; " : "", what, p->node, p->op, p->reason);
    }
}

sluice_status sl_fail_problems(const struct sl_import_report *r, const char *what, const char *nothing_left, sl_err *e)
{
    struct sl_buffer text = {0};
    list_problems(r, what, &text);
    sl_fail(e, SLUICE_E_UNSUPPORTED, "%d unsupported %s%s: %s", r->n_problems, what, r->n_problems == 1 ? "" : "s",
            sl_buffer_text(&text));
    sl_buffer_free(&text);
    if (r->n_recommended == 0)
        return sl_hint(e, "%s", nothing_left);
    sl_put_printf(&text, "parse the supported part using these end node names: ");
    for (int i = 0; i < r->n_recommended; i++)
        sl_put_printf(&text, "%s%s", i ? ", " : "", r->recommended[i]);
    sl_hint(e, "%s", sl_buffer_text(&text));
    sl_buffer_free(&text);
    return e->code;
}
