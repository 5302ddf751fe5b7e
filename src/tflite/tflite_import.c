/*
 * tflite_import.c: the TFLite front end from bytes to a finished native graph: structure, inputs, operators, patterns, layout,
 * names. The stages are the lines of import_model.
 */
#include <string.h>

#include "ir/name.h"
#include "front/attention.h"
#include "front/focus.h"
#include "front/layout.h"
#include "front/patterns.h"
#include "front/rotary.h"
#include "front/ports.h"
#include "front/stored_patterns.h"
#include "tflite/tflite_encode.h"
#include "tflite/tflite_import.h"

/* The float network without what the file says of its quantization: an ordinary native graph. */
static struct sl_graph *without_encodings(const struct sl_graph *encoded, sl_arena *a)
{
    struct sl_graph *g = sl_graph_copy(encoded, a);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        n->quant = (struct sl_quant){.dtype = SL_NONE};
        sl_remove_param(n, "kernel_scale");
        sl_remove_param(n, "kernel_bias");
        tfl_remove_marks(n);
        if (n->op == SL_OP_requantize)
            sl_graph_replace_uses(g, n, n->in[0]);
    }
    sl_graph_remove_dead(g);
    return g;
}

static sluice_status finish_graph(struct tfl_import *c, struct sl_graph **out)
{
    struct sl_graph *g;
    sl_graph_remove_dead(c->g);
    for (int i = 0; i < c->g->n_nodes; i++)
        sl_remove_attr(c->g->nodes[i], TFL_PARTS);
    sl_drop_unused_inputs(c->b, c->scratch);
    if (c->n_encoded == 0) { /* a quantized file's scales belong to its own tensors */
        sl_match_patterns(c->g, c->scratch);
        sl_match_rotary(c->g);
    }
    SL_TRY(sl_choose_layout(c->g, false, NULL, c->a, &g, &c->b->report->n_transposes, c->e));
    *out = without_encodings(g, c->a);
    if (c->n_encoded == 0) {
        sl_merge_focus(*out);
        sl_match_stored_patterns(*out);
        sl_normalize_attention(*out);
    }
    SL_TRY(sl_assign_names(*out, c->e));
    SL_TRY(sl_verify_types(*out, c->e));
    if (c->n_encoded == 0)
        return SLUICE_OK;
    c->report->encoded = g;
    SL_TRY(sl_assign_names(g, c->e));
    return sl_verify_types(g, c->e);
}

static sluice_status import_model(struct tfl_import *c, const char *path, struct sl_view bytes, const char *net,
                                  struct sl_graph **out)
{
    SL_TRY(tfl_check_content(path, bytes, c->e));
    SL_TRY(tfl_read_model(c->a, bytes, &c->model, c->e));
    c->n_bodies = c->model.n_subgraphs;
    c->report->version = c->model.version;
    c->report->description = c->model.description;
    c->b->report->n_nodes = c->model.n_operators;
    c->values = SL_NEW_ARRAY(c->a, struct tfl_value, (size_t)c->model.n_tensors + 1);
    c->fates = SL_NEW_ARRAY(c->a, unsigned char, (size_t)c->model.n_operators + 1);
    c->g = c->b->g = sl_graph_new(c->a, net);
    SL_TRY(tfl_find_ports(c));
    tfl_find_detection(c);
    SL_TRY(tfl_make_inputs(c));
    SL_TRY(tfl_translate(c));
    SL_TRY(tfl_make_outputs(c));
    return finish_graph(c, out);
}

sluice_status sl_tflite_import(sl_arena *a, const char *path, struct sl_view bytes, const struct sl_import_options *o,
                               struct sl_graph **out, struct sl_tflite_report *report, sl_err *e)
{
    static const struct sl_import_options none;
    struct sl_tflite_report unseen;
    struct sl_build b = {.a = a, .room = ((size_t)1 << 24) + 16 * bytes.size, .e = e};
    struct tfl_import c = {
        .a = a, .scratch = sl_arena_new(), .b = &b, .options = o ? o : &none, .report = report ? report : &unseen, .e = e};
    b.report = &c.report->common;
    *c.report = (struct sl_tflite_report){.description = ""};
    *out = NULL;
    sluice_status s = import_model(&c, path, bytes, sl_network_name(a, path, c.options->net_name), out);
    sl_arena_free(c.scratch);
    if (s == SLUICE_OK)
        return s;
    *out = NULL;
    return sl_context(e, "%s", path);
}
