/* quantizable.c: before calibration: is there a quantized form of every layer? If not, which end nodes leave the part that has
 * one. */
#include <string.h>

#include "ops/ops.h"
#include "ops/quant_rules.h"
#include "quant/quantize.h"

enum { NAMES_SHOWN = 4 };

/* Positions along an axis, and what moves them or gives them another type: how many there may be, or 0. */
static int64_t count_positions(const struct sl_node *n, const int64_t *positions)
{
    enum sl_encode encode = sl_op_row(n->op)->encode;
    int64_t most = 0;

    if (n->op == SL_OP_argmax || n->op == SL_OP_argmin)
        return sl_positions(n);
    if (encode != SL_ENCODE_SAME && encode != SL_ENCODE_UNITED)
        return 0;
    for (int i = 0; i < n->n_in; i++) {
        if (!positions[n->in[i]->index])
            return 0;
        most = SL_MAX(most, positions[n->in[i]->index]);
    }
    return most;
}

/* Is every integer below `positions` one of the type's? */
static bool holds_positions(enum sl_dtype t, int64_t positions)
{
    switch ((int)t) {
    case SL_S8:
        return positions <= 128;
    case SL_U8:
        return positions <= 256;
    case SL_S16:
        return positions <= 32768;
    case SL_U16:
    case SL_S32:
    case SL_U32:
    case SL_S64:
    case SL_U64:
    case SL_F32:
        return true;
    default:
        return false;
    }
}

/* NULL, or why the layer has no quantized form. */
static const char *native_only(const struct sl_node *n, int64_t positions)
{
    if (sl_op_row(n->op)->encode == SL_ENCODE_NONE)
        return "is computed in native mode only";
    if (positions > 65536)
        return "gives positions past 16 bits";
    if (positions && !holds_positions(n->dtype, positions))
        return "has a type that does not hold its positions";
    if (!positions && (n->dtype != SL_F32 || (n->op == SL_OP_cast && n->in[0]->dtype != SL_F32)))
        return "computes on integers";
    if (n->op == SL_OP_resize && strcmp(sl_get_string(n, "mode", "nearest"), "nearest") &&
        strcmp(sl_get_string(n, "mode", "nearest"), "linear"))
        return "interpolates with more than two points";
    if (n->op == SL_OP_resize && n->shape.rank != 4)
        return "resizes a tensor that is not a picture";
    return NULL;
}

static bool is_leaf(const struct sl_node *n)
{
    return n->op == SL_OP_const_input || n->op == SL_OP_input_layer;
}

static const char *end_name(const struct sl_node *n)
{
    return n->n_origins ? n->origins[n->n_origins - 1] : n->name;
}

/* Readers of what comes out of a native-only layer are lost with it. What they and it read, where it is not lost, can be an
 * output. */
static void find_ends(const struct sl_graph *g, const bool *lost, bool *end)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if ((lost[i] || n->op == SL_OP_output_layer) && !lost[n->in[k]->index] && !is_leaf(n->in[k]))
                end[n->in[k]->index] = true;
    }
}

static const char *list_ends(const struct sl_graph *g, const bool *end, sl_arena *a)
{
    const char *text = "";

    for (int i = 0; i < g->n_nodes; i++)
        if (end[i])
            text = sl_arena_printf(a, "%s%s%s", text, text[0] ? " " : "", end_name(g->nodes[i]));
    return text;
}

static sluice_status refuse(const struct sl_graph *g, const bool *lost, const char *layers, int n_layers, sl_arena *a,
                            sl_err *e)
{
    bool *end = SL_NEW_ARRAY(a, bool, g->n_nodes + 1);
    const char *ends;

    find_ends(g, lost, end);
    ends = list_ends(g, end, a);
    sl_fail(e, SLUICE_E_UNSUPPORTED, "%d layer%s without a quantized form: %s", n_layers, n_layers == 1 ? " is" : "s are",
            layers);
    if (!ends[0])
        return sl_hint(e, "no part of the network can be quantized; `emulate --mode native` runs it");
    return sl_hint(e, "parse again with --end-node-names %s, and compute the rest on the host", ends);
}

sluice_status sl_check_quantizable(const struct sl_graph *g, sl_err *e)
{
    sl_arena *a = sl_arena_new();
    bool *lost = SL_NEW_ARRAY(a, bool, g->n_nodes + 1);
    int64_t *positions = SL_NEW_ARRAY(a, int64_t, g->n_nodes + 1);
    const char *layers = "";
    sluice_status s = SLUICE_OK;
    int n_layers = 0;

    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        positions[i] = count_positions(n, positions);
        const char *why = n->op == SL_OP_output_layer || is_leaf(n) ? NULL : native_only(n, positions[i]);
        bool behind = false;
        for (int k = 0; k < n->n_in; k++)
            behind = behind || lost[n->in[k]->index];
        lost[i] = why || behind;
        if (!why || (behind && sl_op_row(n->op)->encode != SL_ENCODE_NONE))
            continue;
        if (n_layers < NAMES_SHOWN)
            layers =
                sl_arena_printf(a, "%s%s'%s' (%s) %s", layers, n_layers ? ", " : "", n->name, sl_op_info(n->op)->name, why);
        else if (n_layers == NAMES_SHOWN)
            layers = sl_arena_printf(a, "%s, ...", layers);
        n_layers++;
    }
    for (int i = 0; i < g->n_inputs && s == SLUICE_OK; i++)
        if (g->inputs[i].node->dtype != SL_F32)
            s = sl_fail(e, SLUICE_E_UNSUPPORTED, "input '%s' is %s: quantized networks take numbers, not indices",
                        sl_node_text(g->inputs[i].node), sl_dtype_name(g->inputs[i].node->dtype));
    if (s == SLUICE_OK && n_layers)
        s = refuse(g, lost, layers, n_layers, a, e);
    sl_arena_free(a);
    return s;
}
