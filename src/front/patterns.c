/*
 * patterns.c: what exporters scatter over many nodes becomes one again. Each pattern is a row: the op at its root and a
 * function that looks upwards (pattern_curves.c, pattern_norms.c). The root node turns into the layer; nodes that only it read
 * are dropped, and their origins are kept on it.
 */
#include "front/patterns.h"

#include <math.h>

#include "front/const_values.h"
#include "front/pattern_match.h"
#include "front/pattern_text.h"

/* ---- what the matchers ask ---- */

bool sl_pattern_used_once(const struct sl_matcher *m, const struct sl_node *n)
{
    return m->uses[n->index] == 1;
}

bool sl_pattern_near(double v, double wanted)
{
    return fabs(v - wanted) <= 1e-3 * fabs(wanted);
}

/* op(x, number) in either order (subtraction and division: number on the right). */
bool sl_pattern_with_number(const struct sl_node *n, enum sl_op op, struct sl_node **x, double *number)
{
    if (n->op != op)
        return false;
    for (int k = 1; k >= 0; k--) {
        if (!sl_node_scalar(n->in[k], number) || n->in[1 - k]->op == SL_OP_const_input)
            continue;
        if (k == 0 && (op == SL_OP_ew_sub || op == SL_OP_ew_div))
            return false;
        *x = n->in[1 - k];
        return n->in[k]->shape.rank <= (*x)->shape.rank || sl_shape_elements(&n->in[k]->shape) == 1;
    }
    return false;
}

/* x * number, whichever way it is written. */
bool sl_pattern_is_scaled(const struct sl_node *n, struct sl_node **x, double *factor)
{
    if (sl_pattern_with_number(n, SL_OP_ew_mult, x, factor))
        return true;
    if (!sl_pattern_with_number(n, SL_OP_ew_div, x, factor))
        return false;
    *factor = 1 / *factor;
    return true;
}

/* ---- turning the root into a layer ---- */

/* Every node above the root that only leads to it, up to `x`, gives its origins to the root. */
static void absorb(struct sl_matcher *m, struct sl_node *root, const struct sl_node *n, const struct sl_node *x)
{
    for (int k = 0; k < n->n_in; k++) {
        struct sl_node *up = n->in[k];
        int uses = --m->uses[up->index];
        if (up == x || up->op == SL_OP_const_input || up->op == SL_OP_input_layer)
            continue;
        if (uses > 0) /* something else reads it, or another branch of the pattern will come to it */
            continue;
        absorb(m, root, up, x);
        sl_node_take_origins(m->g->arena, root, up);
    }
}

void sl_pattern_become(struct sl_matcher *m, struct sl_node *root, enum sl_op op, struct sl_node *x)
{
    const struct sl_node own = sl_node_detach_origins(root);
    absorb(m, root, root, x);
    sl_node_take_origins(m->g->arena, root, &own);
    sl_node_become(m->g->arena, root, op, 1, &x);
    m->uses[x->index]++;
}

bool sl_pattern_become_curve(struct sl_matcher *m, struct sl_node *root, const char *type, struct sl_node *x)
{
    if (!sl_shape_equal(&x->shape, &root->shape))
        return false;
    sl_pattern_become(m, root, SL_OP_activation, x);
    sl_set_string(m->g, root, "type", type);
    return true;
}

/* ---- the table ---- */

typedef bool pattern_fn(struct sl_matcher *m, struct sl_node *root);

/* Tried in order on every node, inputs first, so that a longer pattern finds the shorter ones done. */
static const struct {
    struct sl_pattern_text text;
    enum sl_op root;
    pattern_fn *fn;
} patterns[] = {
    {{"sigmoid", "1 / (1 + exp(-x)), also exp(x * number)", "sigmoid"}, SL_OP_ew_div, sl_match_sigmoid},
    {{"sigmoid, as a reciprocal", "the same with Reciprocal", "sigmoid"}, SL_OP_activation, sl_match_sigmoid},
    {{"softplus, a line far out", "where(x > 15 or more, x, softplus(x)), any comparison", "softplus"}, SL_OP_where, sl_match_softplus},
    {{"elu, chosen", "where(x > 0, gamma * x, number * (exp(x) - 1)), any comparison", "elu; selu"}, SL_OP_where, sl_match_elu},
    {{"leaky relu, chosen", "where(x > 0, x, alpha * x), any comparison", "leaky_relu"}, SL_OP_where, sl_match_leaky_relu},
    {{"relu, chosen", "where(x > t, x, 0), also x >= 0", "relu; thresholded_relu"}, SL_OP_where, sl_match_thresholded_relu},
    {{"silu", "x * sigmoid(x)", "silu"}, SL_OP_ew_mult, sl_match_silu},
    {{"mish", "x * tanh(softplus(x))", "mish"}, SL_OP_ew_mult, sl_match_mish},
    {{"hard swish", "x * hard_sigmoid(x), alpha 1/6, beta 1/2", "hard_swish"}, SL_OP_ew_mult, sl_match_hard_swish},
    {{"hard swish, division last", "x * relu6(x + 3) / 6", "hard_swish"}, SL_OP_ew_div, sl_match_hard_swish_late},
    {{"hard swish, factor last", "x * relu6(x + 3) * (1/6)", "hard_swish"}, SL_OP_ew_mult, sl_match_hard_swish_late},
    {{"hard sigmoid", "relu6(x + 3) / 6", "hard_sigmoid"}, SL_OP_ew_div, sl_match_hard_sigmoid},
    {{"hard sigmoid, factor", "relu6(x + 3) * (1/6)", "hard_sigmoid"}, SL_OP_ew_mult, sl_match_hard_sigmoid},
    {{"gelu", "x / 2 * (1 + erf(x / sqrt 2)), or (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) or (1 + tanh(sqrt(2/pi) * x * (1 + 0.044715 x^2))), the products in any order",
      "gelu, gelu_tanh"},
     SL_OP_ew_mult,
     sl_match_gelu},
    {{"gelu, halved by division", "the same, ending in a division by 2", "gelu, gelu_tanh"}, SL_OP_ew_div, sl_match_gelu},
    {{"swish with beta", "x * sigmoid(beta x)", "swish_beta"}, SL_OP_ew_mult, sl_match_swish_beta},
    {{"norm", "(x - mean) / sqrt(variance + epsilon); x / sqrt(mean of squares + epsilon)", "layer_norm; rms_norm"},
     SL_OP_ew_div,
     sl_match_norm},
    {{"norm, by reciprocal", "the same as a product with rsqrt(..) or 1 / sqrt(..)", "layer_norm; rms_norm"},
     SL_OP_ew_mult,
     sl_match_norm},
    {{"norm by moments", "x * factor + (beta - mean * factor), factor = gamma / sqrt(variance + epsilon)", "layer_norm"},
     SL_OP_ew_add,
     sl_match_norm_by_moments},
    {{"norm by moments, no offset", "x * factor - mean * factor", "layer_norm"}, SL_OP_ew_sub, sl_match_norm_by_moments},
    {{"softmax", "e / sum(e), e = exp(x) or exp(x - max(x))", "softmax"}, SL_OP_ew_div, sl_match_softmax},
    {{"softmax, by reciprocal", "e * (1 / sum(e))", "softmax"}, SL_OP_ew_mult, sl_match_softmax},
    {{"log softmax", "x - log(sum(exp(x))), x itself or less its largest value", "log_softmax"},
     SL_OP_ew_sub,
     sl_match_log_softmax},
    {{"norm scale", "norm * constant of one value a channel", "the norm with this gamma"},
     SL_OP_ew_mult,
     sl_match_norm_constants},
    {{"norm offset", "norm + constant of one value a channel", "the norm with this beta"},
     SL_OP_ew_add,
     sl_match_norm_constants},
};

const struct sl_pattern_text *sl_curve_pattern(int row)
{
    return row < (int)SL_COUNT(patterns) ? &patterns[row].text : NULL;
}

void sl_match_patterns(struct sl_graph *g, sl_arena *scratch)
{
    struct sl_matcher m = {g, scratch, SL_NEW_ARRAY(scratch, int, (size_t)g->n_nodes + 1)};
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            m.uses[g->nodes[i]->in[k]->index]++;
    for (int i = 0; i < g->n_nodes; i++)
        for (size_t p = 0; p < SL_COUNT(patterns); p++)
            if (g->nodes[i]->op == patterns[p].root && g->nodes[i]->dtype == SL_F32 && patterns[p].fn(&m, g->nodes[i]))
                break;
    sl_graph_remove_dead(g);
}
