/* quantize.c: copies the graph, decides encodings, then calls each layer's quantize rule. */
#include "quant/quantize.h"

#include <string.h>

#include "ops/ops.h"

/* The script's layers in the copy: nodes correspond by index. */
static void follow(struct sl_graph *copy, struct sl_encode_options *o)
{
    struct sl_script_clipping *clippings = SL_NEW_ARRAY(copy->arena, struct sl_script_clipping, o->n_clippings + 1);
    struct sl_node **wide = SL_NEW_ARRAY(copy->arena, struct sl_node *, o->n_wide + 1);

    for (int i = 0; i < o->n_clippings; i++) {
        clippings[i] = o->clippings[i];
        clippings[i].node = copy->nodes[o->clippings[i].node->index];
    }
    for (int i = 0; i < o->n_wide; i++)
        wide[i] = copy->nodes[o->wide[i]->index];
    o->clippings = clippings;
    o->wide = wide;
}

/* Arrays of one value, such as zero biases and all of a network without weights, are kept as that value. */
static void join_equal_values(struct sl_graph *g, struct sl_node *n)
{
    enum { SMALLEST = 64 }; /* bytes: below, nothing is gained */

    for (int i = 0; i < n->n_params; i++) {
        const struct sl_const *c = n->params[i].value;
        size_t element = sl_dtype_bits(c->dtype) / 8;
        if (c->splat || element == 0 || c->bytes < SMALLEST ||
            memcmp(c->data, (const char *)c->data + element, c->bytes - element))
            continue;
        sl_set_param(g, n, n->params[i].name, sl_const_splat(g->arena, c->dtype, &c->shape, c->data));
    }
}

sluice_status sl_quantize_graph(const struct sl_graph *fp, const struct sl_calibration *c,
                                const struct sl_quantize_options *options, struct sl_graph **out, sl_err *e)
{
    struct sl_graph *g = sl_graph_copy(fp, fp->arena);
    struct sl_encode_options encode = options->encode;
    struct sl_node_plan *plan;
    struct sl_quantizer q = {.graph = g};

    follow(g, &encode);
    SL_TRY(sl_encode_graph(g, c, &encode, &plan, e));
    q.plan = plan;
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (sl_op_row(n->op)->quantize(&q, n, e) != SLUICE_OK)
            return sl_context(e, "layer '%s'", sl_node_text(n));
        join_equal_values(g, n);
    }
    g->stage = SL_STAGE_QUANTIZED;
    *out = g;
    return SLUICE_OK;
}
