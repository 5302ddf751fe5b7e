/*
 * fuse_rounding.c: files that are quantized already hold their steps as layers: x / scale, rounded, plus a zero point, limited,
 * as integers, and back. Optimize chooses its own steps, so rounding and integers go here; the limits stay, since a Relu may be
 * nothing but a limit at the zero point. Native keeps it all. Inputs of integers or booleans that are only moved and cast to real
 * numbers (pixels, masks of zeros and ones) are real from the start.
 */
#include "ir/uses.h"
#include "ops/ops.h"
#include "quant/fuse.h"

enum { KEPT, INTEGERS = 1, ROUNDING = 2 }; /* by node: an integer tensor that may as well be real, the rounding before one */

static bool is_small_integer(enum sl_dtype t)
{
    return t == SL_U8 || t == SL_S8 || t == SL_U16 || t == SL_S16;
}

/* The rounding that feeds a cast to integers through a limit and, if any, a zero point, each read by nothing else. */
static const struct sl_node *rounding_before(const struct sl_node *cast, const struct sl_uses *uses)
{
    const struct sl_node *n = cast->n_in ? cast->in[0] : NULL;
    if (cast->op != SL_OP_cast || !sl_is_activation(n, "clip") || uses->first[n->index + 1] - uses->first[n->index] != 1)
        return NULL;
    n = n->in[0];
    if (n->op == SL_OP_ew_add && uses->first[n->index + 1] - uses->first[n->index] == 1)
        n = n->in[n->in[0]->op == SL_OP_const_input];
    return sl_is_activation(n, "round") && uses->first[n->index + 1] - uses->first[n->index] == 1 ? n : NULL;
}

static bool moves_data(enum sl_op op)
{
    switch ((int)op) {
    case SL_OP_reshape:
    case SL_OP_transpose:
    case SL_OP_slice:
    case SL_OP_pad:
    case SL_OP_expand:
    case SL_OP_gather:
    case SL_OP_maxpool:
    case SL_OP_space_to_depth:
    case SL_OP_depth_to_space:
        return true;
    default:
        return false;
    }
}

/* Backwards: what is read only as real numbers in the end. Forwards: of that, what comes from a rounding. */
static unsigned char *find_marks(const struct sl_graph *g, sl_arena *scratch)
{
    struct sl_uses uses = sl_find_uses(g, scratch);
    unsigned char *marks = SL_NEW_ARRAY(scratch, unsigned char, (size_t)g->n_nodes + 1);
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct sl_node *n = g->nodes[i];
        bool source = n->op == SL_OP_input_layer ? !sl_dtype_is_float(n->dtype)
                                                 : is_small_integer(n->dtype) && rounding_before(n, &uses) != NULL;
        bool real = uses.first[i] < uses.first[i + 1] && (source || (!sl_dtype_is_float(n->dtype) && moves_data(n->op)));
        for (int k = uses.first[i]; real && k < uses.first[i + 1]; k++) {
            const struct sl_node *user = g->nodes[uses.to[k]];
            real = (user->op == SL_OP_cast && user->dtype == SL_F32) || marks[user->index] == INTEGERS;
        }
        marks[i] = real ? INTEGERS : KEPT;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        const struct sl_node *round = marks[i] == INTEGERS ? rounding_before(n, &uses) : NULL;
        if (round)
            marks[round->index] = ROUNDING;
        else if (marks[i] == INTEGERS && n->op != SL_OP_input_layer && marks[n->in[0]->index] != INTEGERS)
            marks[i] = KEPT;
    }
    return marks;
}

static sluice_status drop_rounding(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    const unsigned char *marks = f->marks;
    bool back = n->op == SL_OP_cast && n->dtype == SL_F32 && f->was_integer[n->index];
    (void)e;
    if (back || marks[n->index] == ROUNDING || (marks[n->index] == INTEGERS && n->op == SL_OP_cast)) {
        sl_fuse_replace(f, n, n->in[0]);
        f->changes++;
    } else if (marks[n->index] == INTEGERS) {
        n->dtype = SL_F32;
    }
    return SLUICE_OK;
}

/* ---- steps that cancel ---- */

/* x of op(x, number). */
static struct sl_node *with_number(struct sl_fuse *f, const struct sl_node *n, enum sl_op op, float *number)
{
    if (n->op != op)
        return NULL;
    if (sl_fuse_scalar(f, n->in[1], number))
        return n->in[0];
    bool swaps = op == SL_OP_ew_mult || op == SL_OP_ew_add;
    return swaps && sl_fuse_scalar(f, n->in[0], number) ? n->in[1] : NULL;
}

/* (clip(x / s + z) - z) * s is a clip of x. */
static sluice_status join_steps(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    float scale, divisor, zero = 0, added = 0;
    struct sl_node *x = with_number(f, n, SL_OP_ew_mult, &scale), *clip = x ? with_number(f, x, SL_OP_ew_sub, &zero) : NULL;
    (void)e;
    clip = clip ? clip : x;
    if (!clip || !sl_is_activation(clip, "clip"))
        return SLUICE_OK;
    struct sl_node *sum = clip->in[0], *quotient = with_number(f, sum, SL_OP_ew_add, &added);
    x = with_number(f, quotient ? quotient : sum, SL_OP_ew_div, &divisor);
    if (!x || divisor != scale || added != zero || !(scale > 0))
        return SLUICE_OK;
    const double lo = (sl_get_float(clip, "minimum", 0) - (double)zero) * (double)scale,
                 hi = (sl_get_float(clip, "maximum", 0) - (double)zero) * (double)scale;
    n->op = SL_OP_activation;
    sl_fuse_set_inputs(f, n, 1, &x);
    sl_set_string(f->graph, n, "type", "clip");
    sl_set_float(f->graph, n, "minimum", lo);
    sl_set_float(f->graph, n, "maximum", hi);
    f->changes++;
    return SLUICE_OK;
}

sluice_status sl_pass_drop_rounding(struct sl_fuse *f, sl_err *e)
{
    struct sl_graph *g = f->graph;
    sl_arena *scratch = sl_arena_new();
    sl_graph_renumber(g);
    f->marks = find_marks(g, scratch);
    bool *was_integer = SL_NEW_ARRAY(scratch, bool, (size_t)g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++)
        was_integer[i] = g->nodes[i]->op == SL_OP_cast && f->marks[g->nodes[i]->in[0]->index] == INTEGERS;
    f->was_integer = was_integer;
    sluice_status s = sl_fuse_walk(f, drop_rounding, e);
    f->marks = NULL;
    f->was_integer = NULL;
    sl_arena_free(scratch);
    return s == SLUICE_OK && f->changes ? sl_fuse_walk(f, join_steps, e) : s;
}
