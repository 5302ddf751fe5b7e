/* quantizable.c: before calibration: is there a quantized form of every layer? If not, which start and end nodes leave the part
 * that has one. */
#include "ops/ops.h"
#include "ops/quant_rules.h"
#include "quant/quantize.h"

enum { NAMES_SHOWN = 4 };

/* Positions along an axis, and what moves them or gives them another type: how many there may be, or 0. */
static int64_t count_positions(const struct sl_node *n, const int64_t *positions)
{
    enum sl_encode encode = sl_op_row(n->op)->encode;
    int64_t most = 0;

    if (n->op == SL_OP_cast ? n->in[0]->dtype == SL_BOOL : n->dtype == SL_BOOL) /* 0 and 1 */
        return 2;
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
    case SL_BOOL:
        return positions <= 2;
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
    if (n->op == SL_OP_resize && n->shape.rank != 4)
        return "resizes a tensor that is not a picture";
    return NULL;
}

/* Where a layer stands. What is computed from the integers of inputs alone (embeddings by token, masks of booleans) stands in
 * front: a host computes it. What has no quantized form, and all behind it, is lost. */
enum side { CONSTANT, FRONT, CORE, LOST };

static enum side side_behind(const struct sl_node *n, const enum side *sides)
{
    enum side most = CONSTANT;
    for (int k = 0; k < n->n_in; k++)
        most = SL_MAX(most, sides[n->in[k]->index]);
    return most;
}

static enum side find_side(const struct sl_node *n, enum side behind, const char *why)
{
    if (n->op == SL_OP_const_input)
        return CONSTANT;
    if (n->op == SL_OP_input_layer)
        return n->dtype == SL_F32 ? CORE : FRONT;
    if (n->op == SL_OP_output_layer || behind == LOST)
        return behind;
    if (behind == FRONT)
        return why || n->dtype != SL_F32 ? FRONT : CORE;
    return why ? LOST : CORE;
}

/* Readers of what comes out of a native-only layer are lost with it. What they and it read, where it is not lost, can be an
 * output. */
static bool is_end(const struct sl_node *from, const struct sl_node *to, const enum side *sides)
{
    return (sides[to->index] == LOST || to->op == SL_OP_output_layer) && sides[from->index] == CORE &&
           from->op != SL_OP_input_layer;
}

/* Whoever names one start must name them all. */
static bool is_start(const struct sl_node *from, const struct sl_node *to, const enum side *sides)
{
    return sides[to->index] == CORE && (sides[from->index] == FRONT || from->op == SL_OP_input_layer);
}

/* A tensor as the origin's users know it. What only moves data may have no origin; what it moves is as good a place to cut. */
static const struct sl_node *named_by_origin(const struct sl_node *n)
{
    const struct sl_node *from = n;

    while (!from->n_origins && from->n_in == 1 && sl_op_row(from->op)->encode == SL_ENCODE_SAME)
        from = from->in[0];
    return from->n_origins ? from : n;
}

/* "A B C": the origins of what is at the border; with `output`, of the tensors that they make. */
static const char *list_border(const struct sl_graph *g,
                               bool (*is_border)(const struct sl_node *, const struct sl_node *, const enum side *),
                               const enum side *sides, const char *output, sl_arena *a)
{
    bool *chosen = SL_NEW_ARRAY(a, bool, g->n_nodes + 1);
    struct sl_map *listed = sl_map_new(a); /* parts of one split have one name */
    const char *text = "";

    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (is_border(g->nodes[i]->in[k], g->nodes[i], sides))
                chosen[g->nodes[i]->in[k]->index] = true;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = named_by_origin(g->nodes[i]);
        const char *name = n->n_origins ? n->origins[n->n_origins - 1] : n->name;
        if (chosen[i] && !sl_map_get(listed, name)) {
            sl_map_set(listed, name, (void *)n);
            text = sl_arena_printf(a, "%s%s%s%s", text, text[0] ? " " : "", name, n->op == SL_OP_input_layer ? "" : output);
        }
    }
    return text;
}

static sluice_status hint_at_part(const struct sl_graph *g, const enum side *sides, bool cut_start, bool cut_end, sl_arena *a,
                                  sl_err *e)
{
    const char *starts = cut_start ? list_border(g, is_start, sides, ":0", a) : "";
    const char *ends = cut_end ? list_border(g, is_end, sides, "", a) : "";

    if ((cut_start && !starts[0]) || (cut_end && !ends[0]))
        return sl_hint(e, "no part of the network can be quantized; `emulate --mode native` runs it");
    return sl_hint(e, "parse again with%s%s%s%s, and compute the rest on the host", cut_start ? " --start-node-names " : "",
                   starts, cut_end ? " --end-node-names " : "", ends);
}

/* Layers that are the reason why something is lost: others follow from them. */
static const char *list_lost(const struct sl_graph *g, const enum side *sides, const char *const *why, int *n, sl_arena *a)
{
    const char *text = "";

    *n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *node = g->nodes[i];
        bool follows = side_behind(node, sides) == LOST && sl_op_row(node->op)->encode != SL_ENCODE_NONE;
        if (sides[i] != LOST || !why[i] || follows)
            continue;
        if (*n < NAMES_SHOWN)
            text = sl_arena_printf(a, "%s%s'%s' (%s) %s", text, *n ? ", " : "", node->name, sl_op_info(node->op)->name, why[i]);
        else if (*n == NAMES_SHOWN)
            text = sl_arena_printf(a, "%s, ...", text);
        ++*n;
    }
    return text;
}

sluice_status sl_check_quantizable(const struct sl_graph *g, sl_err *e)
{
    sl_arena *a = sl_arena_new();
    enum side *sides = SL_NEW_ARRAY(a, enum side, (size_t)g->n_nodes + 1);
    const char **why = SL_NEW_ARRAY(a, const char *, (size_t)g->n_nodes + 1);
    int64_t *positions = SL_NEW_ARRAY(a, int64_t, (size_t)g->n_nodes + 1);
    const struct sl_node *integers = NULL;
    sluice_status s = SLUICE_OK;
    int n_lost;

    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        bool leaf = n->op == SL_OP_output_layer || n->op == SL_OP_const_input || n->op == SL_OP_input_layer;
        positions[i] = count_positions(n, positions);
        why[i] = leaf ? NULL : native_only(n, positions[i]);
        sides[i] = find_side(n, side_behind(n, sides), why[i]);
        integers = !integers && n->op == SL_OP_input_layer && sides[i] == FRONT ? n : integers;
    }
    const char *lost = list_lost(g, sides, why, &n_lost, a);
    if (integers)
        s = sl_fail(e, SLUICE_E_UNSUPPORTED, "input '%s' is %s: quantized networks take numbers, not indices",
                    sl_node_text(integers), sl_dtype_name(integers->dtype));
    else if (n_lost)
        s = sl_fail(e, SLUICE_E_UNSUPPORTED, "%d layer%s without a quantized form: %s", n_lost, n_lost == 1 ? " is" : "s are",
                    lost);
    if (s != SLUICE_OK)
        hint_at_part(g, sides, integers != NULL, n_lost > 0, a, e);
    sl_arena_free(a);
    return s;
}
