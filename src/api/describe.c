/* describe.c: what `har info` shows: an archive as text or JSON. */
#include "api/api.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "ops/ops.h"

struct totals { int64_t parameters, macs, quantized_layers; };

static struct totals count(const struct sl_graph *g)
{
    struct totals t = {0};
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        for (int k = 0; k < n->n_params; k++)
            t.parameters += (int64_t)sl_shape_elements(&n->params[k].value->shape);
        t.macs += sl_op_row(n->op)->cost(n);
        t.quantized_layers += n->quant.dtype != SL_NONE;
    }
    return t;
}

static json_t *json_shape(const struct sl_shape *s)
{
    json_t *a = json_array();
    for (int i = 0; i < s->rank; i++)
        json_array_append_new(a, json_integer(s->dim[i]));
    return a;
}

static json_t *json_port(const struct sl_port *p)
{
    char name[512];
    snprintf(name, sizeof name, "%s/%s", p->node->scope, p->node->name);
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(name));
    json_object_set_new(o, "origin_name", json_string(p->origin_name));
    json_object_set_new(o, "shape", json_shape(&p->node->shape));
    json_object_set_new(o, "origin_shape", json_shape(&p->origin_shape));
    if (p->node->quant.dtype != SL_NONE) {
        json_object_set_new(o, "dtype", json_string(sl_dtype_name(p->node->quant.dtype)));
        json_object_set_new(o, "scale", sl_json_f32(p->node->quant.scale));
        json_object_set_new(o, "zero_point", json_integer(p->node->quant.zero_point));
    }
    return o;
}

/* The group of an attention's first product: what attention.h says of it. */
static bool heads_attention(const struct sl_node *n)
{
    return n->op == SL_OP_matmul && sl_attr(n, "heads") && sl_get_string(n, "attention", NULL);
}

static json_t *json_attentions(const struct sl_graph *g)
{
    static const char *const counts[] = {"heads", "head_dim", "queries", "keys"};
    json_t *list = json_array();
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        if (!heads_attention(n))
            continue;
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(sl_get_string(n, "attention", "")));
        json_object_set_new(o, "layer", json_string(n->name));
        for (size_t k = 0; k < SL_COUNT(counts); k++)
            json_object_set_new(o, counts[k], json_integer(sl_get_int(n, counts[k], 0)));
        json_object_set_new(o, "mask", json_string(sl_get_string(n, "mask", "none")));
        json_array_append_new(list, o);
    }
    return list;
}

static sluice_status describe_json(const struct sl_model *m, const struct sl_graph *g, struct sl_buffer *b, sl_err *e)
{
    struct totals native = count(m->native ? m->native : g), now = count(g);
    json_t *o = json_object(), *in = json_array(), *out = json_array(), *files = json_array();
    json_object_set_new(o, "name", json_string(m->name));
    json_object_set_new(o, "state", json_string(sl_model_state_name(m->state)));
    json_object_set_new(o, "hw_arch", json_string(m->hw_arch));
    json_object_set_new(o, "layers", json_integer(g->n_nodes));
    json_object_set_new(o, "parameters", json_integer(native.parameters));
    json_object_set_new(o, "macs", json_integer(now.macs));
    for (int i = 0; i < g->n_inputs; i++)
        json_array_append_new(in, json_port(&g->inputs[i]));
    for (int i = 0; i < g->n_outputs; i++)
        json_array_append_new(out, json_port(&g->outputs[i]));
    for (int i = 0; i < m->n_files; i++)
        json_array_append_new(files, json_string(m->files[i].name));
    json_object_set_new(o, "inputs", in);
    json_object_set_new(o, "outputs", out);
    json_object_set_new(o, "attentions", json_attentions(g));
    json_object_set_new(o, "files", files);
    json_object_set_new(o, "script", json_string(m->script ? m->script : ""));
    sluice_status s = sl_json_write(b, o, e);
    json_decref(o);
    return s;
}

static void put_port(struct sl_buffer *b, const char *what, const struct sl_port *p)
{
    char shape[128], origin[128];
    sl_put_printf(b, "  %-7s %s/%s  %s", what, p->node->scope, p->node->name, sl_shape_text(&p->node->shape, shape, sizeof shape));
    if (p->node->quant.dtype != SL_NONE)
        sl_put_printf(b, "  %s scale %.9g zero point %d", sl_dtype_name(p->node->quant.dtype), (double)p->node->quant.scale,
                      p->node->quant.zero_point);
    sl_put_printf(b, "   (origin '%s' %s)\n", p->origin_name, sl_shape_text(&p->origin_shape, origin, sizeof origin));
}

static void put_layer(struct sl_buffer *b, const struct sl_node *n)
{
    char shape[128];
    sl_put_printf(b, "  %-32s %-14s %-20s", n->name, sl_op_info(n->op)->name, sl_shape_text(&n->shape, shape, sizeof shape));
    if (n->quant.dtype != SL_NONE)
        sl_put_printf(b, " %-3s scale %-12.6g zero %-5d", sl_dtype_name(n->quant.dtype), (double)n->quant.scale, n->quant.zero_point);
    if (n->n_origins)
        sl_put_printf(b, " %s%s", n->origins[0], n->n_origins > 1 ? " ..." : "");
    sl_put_u8(b, '\n');
}

static void put_attentions(struct sl_buffer *b, const struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        if (heads_attention(n))
            sl_put_printf(b, "  %-12s from %-12s %lld heads of %lld, %lld queries, %lld keys, mask: %s\n", sl_get_string(n, "attention", ""),
                          n->name, (long long)sl_get_int(n, "heads", 1), (long long)sl_get_int(n, "head_dim", 0),
                          (long long)sl_get_int(n, "queries", 0), (long long)sl_get_int(n, "keys", 0), sl_get_string(n, "mask", "none"));
    }
}

static void describe_text(const struct sl_model *m, const struct sl_graph *g, struct sl_buffer *b)
{
    struct totals native = count(m->native ? m->native : g), now = count(g);
    sl_put_printf(b, "network %s, state %s, architecture %s\n", m->name, sl_model_state_name(m->state), m->hw_arch);
    sl_put_printf(b, "%d layers, %.3f M parameters, %.3f G multiply-accumulates\n", g->n_nodes, (double)native.parameters / 1e6,
                  (double)now.macs / 1e9);
    for (int i = 0; i < g->n_inputs; i++)
        put_port(b, "input", &g->inputs[i]);
    for (int i = 0; i < g->n_outputs; i++)
        put_port(b, "output", &g->outputs[i]);
    put_attentions(b, g);
    sl_put_printf(b, "layers\n");
    for (int i = 0; i < g->n_nodes; i++)
        put_layer(b, g->nodes[i]);
    for (int i = 0; i < m->n_files; i++)
        sl_put_printf(b, "file %s  %zu bytes\n", m->files[i].name, m->files[i].data.size);
    if (m->script && m->script[0])
        sl_put_printf(b, "script\n%s%s", m->script, m->script[strlen(m->script) - 1] == '\n' ? "" : "\n");
}

sluice_status sluice_model_describe(const struct sluice_model *m, bool json, char **text, struct sluice_error *err)
{
    const struct sl_graph *g = sl_model_graph(m->model);
    struct sl_buffer b = {0};
    if (!g)
        return sl_fail(err, SLUICE_E_FORMAT, "the archive holds no graph");
    if (json)
        SL_TRY(describe_json(m->model, g, &b, err));
    else
        describe_text(m->model, g, &b);
    return sl_api_take_text(&b, text, err);
}
