/* hn_write.c: a graph as HN: {"name", "net_params", "layers": {scoped name: {...}}}, layers in topological order. Parameter
 * values are har_arrays.c's, ports har_extras.c's. */
#include <math.h>
#include <string.h>

#include "har/har_private.h"
#include "ir/uses.h"

/* JSON has no infinity: such numbers are written {"float": "inf"}, lists {"floats": [1.0, "-inf"]}; so are empty lists of
 * floats. */
static json_t *float_json(double v)
{
    return isfinite(v) ? json_real(v) : json_string(v > 0 ? "inf" : "-inf");
}

static json_t *floats_json(struct sl_builder *b, const struct sl_attr *at)
{
    bool plain = at->n > 0;
    for (int i = 0; i < at->n; i++)
        plain = plain && isfinite(at->f[i]);
    json_t *value;
    if (at->list) {
        value = json_array();
        for (int i = 0; i < at->n; i++)
            sl_push_json(b, value, float_json(at->f[i]));
    } else {
        value = float_json(at->f[0]);
    }
    if (plain)
        return value;
    json_t *object = json_object();
    sl_put_json(b, object, at->list ? "floats" : "float", value);
    return object;
}

static json_t *attr_json(struct sl_builder *b, const struct sl_attr *at)
{
    if (at->kind == SL_ATTR_STRING)
        return sl_text_json(b, at->s);
    if (at->kind == SL_ATTR_FLOATS)
        return floats_json(b, at);
    if (!at->list)
        return json_integer(at->i[0]);
    json_t *array = json_array();
    for (int i = 0; i < at->n; i++)
        sl_push_json(b, array, json_integer(at->i[i]));
    return array;
}

/* kernel_shape of a weighted layer is its kernel's shape, for programs that read HN: not an attribute of ours. */
static sluice_status params_json(struct sl_builder *b, const struct sl_node *n, json_t **out, sl_err *e)
{
    const struct sl_const *kernel = sl_param(n, "kernel");
    json_t *params = json_object();
    *out = params;
    if (kernel && sl_attr(n, "kernel_shape"))
        return sl_fail(e, SLUICE_E_INTERNAL, "it has both a kernel and an attribute 'kernel_shape'");
    if (kernel)
        sl_put_json(b, params, "kernel_shape", sl_dims_json(&kernel->shape, false));
    for (int i = 0; i < n->n_attrs; i++)
        sl_put_json(b, params, n->attrs[i].name, attr_json(b, &n->attrs[i]));
    return SLUICE_OK;
}

static json_t *quantization_json(struct sl_builder *b, const struct sl_quant *q)
{
    json_t *o = json_object();
    sl_put_json(b, o, "dtype", sl_text_json(b, sl_dtype_name(q->dtype)));
    if (q->n_scales == 0 || q->scale > 0)
        sl_put_json(b, o, "scale", sl_json_f32(q->scale));
    if (q->n_scales > 0) {
        json_t *scales = json_array();
        for (int i = 0; i < q->n_scales; i++)
            sl_push_json(b, scales, sl_json_f32(q->scales[i]));
        sl_put_json(b, o, "scales", scales);
    }
    sl_put_json(b, o, "zero_point", json_integer(q->zero_point));
    return o;
}

static json_t *scoped(struct sl_builder *b, sl_arena *scratch, const struct sl_node *n)
{
    return sl_text_json(b, sl_arena_printf(scratch, "%s/%s", n->scope, n->name));
}

struct writer {
    const struct sl_graph *g;
    struct sl_builder b;
    struct sl_uses uses;
    sl_arena *scratch;
};

static sluice_status fill_layer(struct writer *w, const struct sl_node *n, json_t *layer, sl_err *e)
{
    struct sl_builder *b = &w->b;
    json_t *inputs = json_array(), *outputs = json_array(), *input_shapes = json_array(), *shapes = json_array(), *arrays,
           *params;
    for (int i = 0; i < n->n_in; i++) {
        sl_push_json(b, inputs, scoped(b, w->scratch, n->in[i]));
        sl_push_json(b, input_shapes, sl_dims_json(&n->in[i]->shape, true));
    }
    for (int k = w->uses.first[n->index]; k < w->uses.first[n->index + 1]; k++)
        sl_push_json(b, outputs, scoped(b, w->scratch, w->g->nodes[w->uses.to[k]]));
    sl_push_json(b, shapes, sl_dims_json(&n->shape, true));
    sl_put_json(b, layer, "type", sl_text_json(b, sl_op_info(n->op)->name));
    sl_put_json(b, layer, "input", inputs);
    sl_put_json(b, layer, "output", outputs);
    sl_put_json(b, layer, "input_shapes", input_shapes);
    sl_put_json(b, layer, "output_shapes", shapes);
    if (n->dtype != SL_F32)
        sl_put_json(b, layer, "dtype", sl_text_json(b, sl_dtype_name(n->dtype)));
    sl_put_json(b, layer, "original_names", sl_texts_json(b, n->n_origins, n->origins));
    sluice_status s = params_json(b, n, &params, e);
    sl_put_json(b, layer, "params", params);
    arrays = json_array();
    for (int i = 0; i < n->n_params; i++)
        sl_push_json(b, arrays, sl_text_json(b, n->params[i].name));
    sl_put_json(b, layer, "arrays", arrays);
    if (n->quant.dtype != SL_NONE)
        sl_put_json(b, layer, "quantization", quantization_json(b, &n->quant));
    return s;
}

static sluice_status write_layers(struct writer *w, json_t *layers, sl_err *e)
{
    for (int i = 0; i < w->g->n_nodes; i++) {
        const struct sl_node *n = w->g->nodes[i];
        if (!sl_har_name_ok(n->name))
            return sl_fail(e, SLUICE_E_VALUE, "layer '%s': a name must have 1 to 255 characters without '/', ':' and '@'",
                           sl_node_text(n));
        json_t *layer = json_object();
        sluice_status s = fill_layer(w, n, layer, e);
        sl_put_json(&w->b, layers, sl_arena_printf(w->scratch, "%s/%s", n->scope, n->name), layer);
        if (s != SLUICE_OK)
            return sl_context(e, "layer '%s'", sl_node_text(n));
    }
    return SLUICE_OK;
}

static json_t *net_params_json(struct writer *w)
{
    json_t *net = json_object(), *order = json_array();
    sl_put_json(&w->b, net, "version", sl_text_json(&w->b, "1.0"));
    sl_put_json(&w->b, net, "stage", sl_text_json(&w->b, sl_har_stages[w->g->stage].name));
    sl_put_json(&w->b, net, "net_scopes", sl_texts_json(&w->b, w->g->n_scopes, w->g->scopes));
    for (int i = 0; i < w->g->n_outputs; i++)
        sl_push_json(&w->b, order, scoped(&w->b, w->scratch, w->g->outputs[i].node->in[0]));
    sl_put_json(&w->b, net, "output_layers_order", order);
    return net;
}

sluice_status sl_hn_write(const struct sl_graph *g, json_t **out, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct writer w = {.g = g, .uses = sl_find_uses(g, scratch), .scratch = scratch};
    json_t *hn = json_object(), *layers = json_object();
    sl_put_json(&w.b, hn, "name", sl_text_json(&w.b, g->name));
    sl_put_json(&w.b, hn, "net_params", net_params_json(&w));
    sluice_status s = write_layers(&w, layers, e);
    sl_put_json(&w.b, hn, "layers", layers);
    if (s == SLUICE_OK)
        s = sl_builder_end(&w.b, e);
    sl_arena_free(scratch);
    if (s != SLUICE_OK) {
        json_decref(hn);
        hn = NULL;
    }
    *out = hn;
    return s;
}
