/* keep_heads.c: see keep_heads.h; and docs/heads.md, which is made of the table of kinds. */
#include "api/keep_heads.h"

#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "ops/ops.h"
#include "sluice/model.h"

static void keep_text(struct sl_model *model, const char *ending, const char *text)
{
    sl_model_set_file(model, sl_arena_printf(model->arena, "%s.%s", model->name, ending),
                      (struct sl_view){(const uint8_t *)text, strlen(text)});
}

/* 'a' 'b' 'c', as it can be pasted. */
static const char *quoted(sl_arena *a, const struct sl_nms_head *head)
{
    struct sl_buffer text = {0};
    for (int i = 0; i < head->n_end_nodes; i++)
        sl_put_printf(&text, "%s'%s'", i ? " " : "", head->end_nodes[i]);
    const char *copy = sl_arena_strdup(a, text.failed ? "" : sl_buffer_text(&text));
    sl_buffer_free(&text);
    return copy;
}

/* The line of the script that starts with nms_postprocess, without its end. */
static const char *last_line(sl_arena *a, const char *script)
{
    const char *line = strstr(script, "nms_postprocess");
    return sl_arena_strndup(a, line, strcspn(line, "\n"));
}

/* All of the file, or what of it can be parsed. */
static struct sl_graph *parse_most(sl_arena *a, sl_parse_part_fn *parse, void *context)
{
    struct sl_import_report r = {0}, again;
    struct sl_graph *g = parse(a, context, NULL, 0, &r);
    return g || !r.n_recommended ? g : parse(a, context, r.recommended, r.n_recommended, &again);
}

void sl_find_heads(sl_arena *a, const struct sl_graph *g, sl_parse_part_fn *parse, void *context, bool cut,
                   struct sl_import_report *r)
{
    struct sl_nms_head *head = SL_NEW(a, struct sl_nms_head), whole;
    if (!sl_find_nms_head(g, &r->nms, NULL, a, head))
        return;
    r->head = head;
    if (!cut || !head->wants_decoding)
        return;
    sl_arena *scratch = sl_arena_new();
    const struct sl_graph *most = parse_most(scratch, parse, context);
    bool found = most && sl_find_nms_head(most, &r->nms, NULL, scratch, &whole);
    sl_arena_free(scratch);
    if (found && !sl_find_nms_head(g, &r->nms, &whole.boxes, a, head))
        r->head = NULL;
}

void sl_keep_heads(struct sl_model *model, const struct sl_import_report *r)
{
    const struct sl_nms_head *head = r->head;
    if (!head)
        return;
    if (head->json) {
        keep_text(model, "nms.json", head->json);
        keep_text(model, "nms.alls", head->script);
        sl_info("%s heads recognised: %s.nms.json is in the archive, and %s.nms.alls, the script that uses it: %s", head->kind,
                model->name, model->name, last_line(model->arena, head->script));
        for (int i = 0; i < head->n_guesses; i++)
            sl_info("%s.nms.json, guessed: %s", model->name, head->guesses[i]);
    } else {
        sl_info("%s heads recognised, without %s.nms.json: %s", head->kind, model->name, head->reason);
    }
    if (head->n_end_nodes)
        sl_info("%s: parse with --end-node-names %s",
                head->json ? "nms_postprocess decodes boxes itself" : "to decode the raw heads on the host",
                quoted(model->arena, head));
}

/* Of the part that is recommended: its kind and where it ends; there is no archive yet that a configuration would be for. */
static void give_part_head(sl_arena *a, const struct sl_nms_head *head, struct sl_import_report *r)
{
    struct sl_nms_head *kept = SL_NEW(a, struct sl_nms_head);
    if (head->n_end_nodes) {
        r->recommended = SL_NEW_ARRAY(a, const char *, (size_t)head->n_end_nodes);
        r->n_recommended = head->n_end_nodes;
    }
    for (int i = 0; i < head->n_end_nodes; i++)
        r->recommended[i] = sl_arena_strdup(a, head->end_nodes[i]);
    *kept = (struct sl_nms_head){.kind = head->kind,
                                 .meta_arch = head->meta_arch,
                                 .reason = head->reason,
                                 .n_end_nodes = r->n_recommended,
                                 .end_nodes = r->recommended};
    r->head = kept;
}

void sl_recommend_heads(sl_arena *a, sl_parse_part_fn *parse, void *context, struct sl_import_report *r, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct sl_nms_head head;
    struct sl_import_report again = {0};
    struct sl_graph *g = r->n_recommended ? parse(scratch, context, r->recommended, r->n_recommended, &again) : NULL;
    if (g && sl_find_nms_head(g, &r->nms, NULL, scratch, &head)) {
        struct sl_buffer text = {0};
        give_part_head(a, &head, r);
        sl_put_printf(&text, "parse up to the raw heads (%s) using these end node names: ", head.kind);
        for (int i = 0; i < r->n_recommended; i++)
            sl_put_printf(&text, "%s%s", i ? ", " : "", r->recommended[i]);
        e->hint[0] = 0;
        sl_hint(e, "%s", sl_buffer_text(&text));
        sl_buffer_free(&text);
    }
    sl_arena_free(scratch);
}

static bool ends_at(const struct sl_node *n, const struct sl_nms_head *head)
{
    for (int i = 0; i < n->n_origins; i++)
        for (int k = 0; k < head->n_end_nodes; k++)
            if (strcmp(n->origins[i], head->end_nodes[k]) == 0)
                return true;
    return false;
}

/* The heads and all that they are computed from. */
static bool have_quantized_forms(const struct sl_graph *g, const struct sl_nms_head *head, sl_arena *a)
{
    bool *read = SL_NEW_ARRAY(a, bool, (size_t)g->n_nodes + 1);
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct sl_node *n = g->nodes[i];
        if (!read[i] && !ends_at(n, head))
            continue;
        if (n->n_in && sl_op_row(n->op)->encode == SL_ENCODE_NONE)
            return false;
        for (int k = 0; k < n->n_in; k++)
            read[n->in[k]->index] = true;
    }
    return true;
}

void sl_hint_at_heads(const struct sl_graph *native, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct sl_nms_head head;
    if (sl_find_nms_head(native, NULL, NULL, scratch, &head) && head.n_end_nodes &&
        have_quantized_forms(native, &head, scratch)) {
        e->hint[0] = 0;
        sl_hint(e, "parse up to the raw heads (%s) with --end-node-names %s", head.kind, quoted(scratch, &head));
    }
    sl_arena_free(scratch);
}

char *sluice_list_heads(void)
{
    struct sl_buffer b = {0};
    struct sluice_error err = {0};
    char *text = NULL;
    sl_put_printf(
        &b,
        "# Detection heads\n\nMade by `sluice docs heads` from `src/front/head_kinds.def`; a test compares.\n\n"
        "`parser` looks at the convolutions that are met first when one walks up from the outputs. Where they look like a row "
        "of "
        "this table, tried from the top, the archive gets `<net>.nms.json`, the configuration of `nms_postprocess`, and "
        "`<net>.nms.alls`, the lines of a model script that use it (with a sigmoid on scores that have none yet); `har "
        "extract` "
        "writes both. A head for which `nms_postprocess` has no `meta_arch` is named in the log, with the reason and the end "
        "nodes "
        "to take: boxes are then decoded on the host, by hand. `--parsing-report-path` has the same under `detection_head`.\n\n"
        "What the network does behind its heads may be there or not. Where it is there, the log tells the end nodes that leave "
        "it "
        "out; and where a part of it cannot be parsed, the recommended end nodes are the raw heads. From it, and from a "
        "suppression in "
        "the file (`NonMaxSuppression` and TensorRT's forms of it in ONNX, `TFLite_Detection_PostProcess`), come:\n\n"
        "- anchors of yolo heads: the constants that sizes are multiplied with, in pixels, cells or parts of the image;\n"
        "- prior boxes, their scale factors and the order of coordinates of ssd heads: the constants of the decoding, or the "
        "post-process's own list;\n"
        "- thresholds, boxes kept of a class, number of classes: the suppression's.\n\n"
        "A network that is cut at its heads leaves its decoding behind: the file is then looked at once more, so that nothing "
        "of this is "
        "lost.\n\n"
        "What nothing tells is taken from the published models (anchors of YOLOv5 and v7; boxes of TensorFlow's MobileNet-SSD "
        "with six "
        "scales) and said: `NAME.nms.json, guessed: ...`. Thresholds are then those of the table (score / overlap).\n\n"
        "| kind | at each scale, and who has it | meta_arch | decoded on | layers | thresholds |\n|---|---|---|---|---|---|\n");
    sl_put_head_kinds(&b);
    sl_api_take_text(&b, &text, &err);
    return text;
}
