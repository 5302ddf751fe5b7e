/*
 * onnx_import.c: the ONNX front end from bytes to a finished native graph: structure, inputs, operators, patterns, layout,
 * names. The stages are the lines of import_model.
 */
#include <assert.h>
#include <string.h>

#include "ir/name.h"
#include "front/attention.h"
#include "front/focus.h"
#include "front/known_files.h"
#include "front/layout.h"
#include "front/patterns.h"
#include "front/rotary.h"
#include "front/ports.h"
#include "front/stored_patterns.h"
#include "onnx/onnx_import.h"

enum { NEWEST_OPSET = 21, NEWEST_COMPARED = 25 }; /* of the second, what changed since the first is known */

/* ---- setting up ---- */

static sluice_status find_opset(struct onnx_import *c)
{
    const struct onnx_model *m = c->model;
    int64_t opset = m->n_opsets ? 0 : 1; /* before IR version 3 there was only opset 1 */
    for (int i = 0; i < m->n_opsets; i++)
        if (!m->opsets[i].domain[0])
            opset = m->opsets[i].version;
    c->report->ir_version = m->ir_version;
    c->report->opset = c->scope->opset = opset;
    c->report->producer = m->producer;
    if (m->n_opsets && opset == 0)
        opset = c->scope->opset = NEWEST_OPSET; /* a model of functions only */
    if (opset < 1)
        return sl_fail(c->e, SLUICE_E_VALUE, "opset %lld is not positive", (long long)opset);
    if (opset > NEWEST_OPSET) {
        if (opset > NEWEST_COMPARED)
            sl_note(c->b, "opset %lld is newer than any known here (%d): read as %d, operators that it changed may be misread",
                    (long long)opset, NEWEST_COMPARED, NEWEST_OPSET);
        else
            sl_note(c->b, "opset %lld is newer than %d: its operators that mean the same are read, others are refused",
                    (long long)opset, NEWEST_OPSET);
        c->scope->opset = NEWEST_OPSET;
    }
    return SLUICE_OK;
}

static sluice_status index_functions(struct onnx_import *c)
{
    for (int i = 0; i < c->model->n_functions; i++) {
        struct onnx_function *f = &c->model->functions[i];
        const char *key = sl_arena_printf(c->a, "%s:%s:%s", f->domain, f->name, f->overload);
        if (sl_map_has(c->functions, key))
            return sl_fail(c->e, SLUICE_E_FORMAT, "function '%s' is there twice", f->name);
        sl_map_set(c->functions, key, f);
    }
    return SLUICE_OK;
}

static const char *folder_of(sl_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? "." : slash == path ? "/" : sl_arena_strndup(a, path, (size_t)(slash - path));
}

/* ---- stages ---- */

static sluice_status make_inputs(struct onnx_import *c, const struct onnx_ports *p)
{
    for (int i = 0; i < p->n_in; i++)
        SL_TRY(onnx_make_input(c, p->in[i]));
    return SLUICE_OK;
}

/* A sequence leaves no network: its node counts as one that is not supported. */
static void refuse_sequence(struct onnx_import *c, struct onnx_value *v)
{
    const struct onnx_node *n = v->producer ? &c->model->graph->nodes[v->producer - 1] : NULL;
    onnx_at_node(c, n, n ? n->label : v->name);
    sl_unsupported(c->b, "output '%s' is a sequence or an optional value; a network gives tensors", v->name);
    v->missing = true;
    if (n)
        c->fates[v->producer - 1] = ONNX_UNSUPPORTED;
}

static sluice_status check_outputs(struct onnx_import *c, const struct onnx_ports *p)
{
    for (int i = 0; i < p->n_out; i++) {
        struct onnx_value *v = sl_map_get(c->scope->values, p->out[i]);
        if (!v)
            return sl_fail(c->e, SLUICE_E_FORMAT, "output '%s' is made by no node and is no graph input", p->out[i]);
        if (v->node && !onnx_is_tensor(v->node))
            refuse_sequence(c, v);
        if (v->missing && c->b->report->n_problems == 0) {
            assert(v->producer); /* an input is never missing */
            const struct onnx_node *n = &c->model->graph->nodes[v->producer - 1];
            onnx_at_node(c, n, n->label);
            sl_unsupported(c->b, "its optional output '%s' is not supported", v->name);
        }
    }
    return c->b->report->n_problems ? onnx_fail_unsupported(c, p->out, p->n_out) : SLUICE_OK;
}

/* What the user says of the inputs' axis order. */
static sluice_status find_orders(struct onnx_import *c, const enum sl_input_order **out)
{
    enum sl_input_order *orders = SL_NEW_ARRAY(c->scratch, enum sl_input_order, (size_t)c->g->n_inputs + 1);
    for (int k = 0; k < c->options->n_formats; k++) {
        const struct sl_onnx_format *f = &c->options->formats[k];
        bool found = !f->name;
        for (int i = 0; i < c->g->n_inputs; i++) {
            int rank = c->g->inputs[i].node->shape.rank;
            if (f->name && strcmp(f->name, c->g->inputs[i].origin_name) != 0)
                continue;
            found = true;
            if (rank >= 3 && rank <= 5)
                orders[i] = f->channels_first ? SL_ORDER_CHANNELS_FIRST : SL_ORDER_CHANNELS_LAST;
        }
        if (!found)
            return sl_fail(c->e, SLUICE_E_NOT_FOUND, "input '%s', which a format is given for, is not an input of the network",
                           f->name);
    }
    *out = orders;
    return SLUICE_OK;
}

static sluice_status finish_graph(struct onnx_import *c, struct sl_graph **out)
{
    sl_graph_remove_dead(c->g);
    sl_drop_unused_inputs(c->b, c->scratch);
    sl_match_patterns(c->g, c->scratch);
    sl_match_rotary(c->g);
    const enum sl_input_order *orders;
    SL_TRY(find_orders(c, &orders));
    SL_TRY(sl_choose_layout(c->g, true, orders, c->a, out, &c->b->report->n_transposes, c->e));
    sl_merge_focus(*out);
    sl_match_stored_patterns(*out);
    sl_normalize_attention(*out);
    SL_TRY(sl_assign_names(*out, c->e));
    return sl_verify_types(*out, c->e);
}

static sluice_status import_model(struct onnx_import *c, struct sl_view bytes, const char *net, struct sl_graph **out)
{
    struct onnx_ports ports = {0};
    SL_TRY(sl_refuse_known_files(c->path, bytes, SL_FORMAT_ONNX, c->e));
    SL_TRY(onnx_read_model(c->a, bytes, &c->model, c->e));
    SL_TRY(find_opset(c));
    SL_TRY(index_functions(c));
    const struct onnx_graph *g = c->model->graph;
    c->b->report->n_nodes = g->n_nodes;
    c->fates = SL_NEW_ARRAY(c->a, unsigned char, (size_t)g->n_nodes + 1);
    c->g = c->b->g = sl_graph_new(c->a, net);
    SL_TRY(onnx_declare_initializers(c, g));
    SL_TRY(onnx_find_ports(c, &ports));
    onnx_find_suppression(c);
    SL_TRY(make_inputs(c, &ports));
    SL_TRY(onnx_translate_nodes(c, g->nodes, g->n_nodes, ports.out, ports.n_out));
    SL_TRY(check_outputs(c, &ports));
    SL_TRY(onnx_make_outputs(c, &ports));
    SL_TRY(finish_graph(c, out));
    c->g = *out;
    return onnx_keep_cut_parts(c, &ports);
}

sluice_status sl_onnx_import(sl_arena *a, const char *path, struct sl_view bytes, const struct sl_onnx_options *o,
                             struct sl_graph **out, struct sl_onnx_report *report, sl_err *e)
{
    static const struct sl_onnx_options none;
    struct sl_onnx_report unseen;
    struct onnx_scope scope = {.values = sl_map_new(a), .prefix = ""};
    struct sl_build b = {.a = a, .room = ((size_t)1 << 25) + 2 * SL_MIN(bytes.size, SIZE_MAX / 16), .e = e};
    struct onnx_import c = {.a = a,
                            .b = &b,
                            .scratch = sl_arena_new(),
                            .path = path,
                            .bytes = bytes,
                            .options = o ? o : &none,
                            .report = report ? report : &unseen,
                            .functions = sl_map_new(a),
                            .files = sl_map_new(a),
                            .directory = folder_of(a, path),
                            .scope = &scope,
                            .e = e};
    b.report = &c.report->common;
    *c.report = (struct sl_onnx_report){.producer = ""};
    *out = NULL;
    sluice_status s = import_model(&c, bytes, sl_network_name(a, path, c.options->common.net_name), out);
    sl_arena_free(c.scratch);
    if (s == SLUICE_OK)
        return s;
    *out = NULL;
    return sl_context(e, "%s", path);
}
