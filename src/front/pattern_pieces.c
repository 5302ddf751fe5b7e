/* pattern_pieces.c: activations that are written as a choice: where(x above a number, one curve, another). Called by
 * patterns.c. */
#include "front/const_values.h"
#include "front/pattern_match.h"

/* From here up the softplus of x is x in single precision. */
static const double softplus_is_linear = 15;

struct pieces {
    struct sl_node *x, *above, *below;
    double border;
    bool above_has_border; /* x = border takes `above` */
};

static bool read_pieces(const struct sl_node *root, struct pieces *p)
{
    const struct sl_node *condition = root->in[0];
    const enum sl_op op = condition->op;
    const bool greater = op == SL_OP_ew_greater || op == SL_OP_ew_greater_equal;
    const bool equal = op == SL_OP_ew_greater_equal || op == SL_OP_ew_less_equal;
    if (!greater && op != SL_OP_ew_less && op != SL_OP_ew_less_equal)
        return false;
    for (int k = 0; k < 2; k++) {
        p->x = condition->in[1 - k];
        if (!sl_node_scalar(condition->in[k], &p->border) || p->x->op == SL_OP_const_input)
            continue;
        const bool above_when_true = greater == (k == 1); /* x > number, number < x */
        p->above = root->in[above_when_true ? 1 : 2];
        p->below = root->in[above_when_true ? 2 : 1];
        p->above_has_border = above_when_true == equal;
        return true;
    }
    return false;
}

/* number * x, x itself too */
static bool is_line(const struct sl_node *n, const struct sl_node *x, double *factor)
{
    struct sl_node *of;
    *factor = 1;
    return n == x || (sl_pattern_is_scaled(n, &of, factor) && of == x);
}

/* number * (exp(x) - 1) */
static bool is_exponential(struct sl_node *n, const struct sl_node *x, double *factor)
{
    struct sl_node *e, *inner;
    double one;
    *factor = 1;
    if (sl_pattern_is_scaled(n, &inner, factor))
        n = inner;
    bool less_one = (sl_pattern_with_number(n, SL_OP_ew_sub, &e, &one) && one == 1) ||
                    (sl_pattern_with_number(n, SL_OP_ew_add, &e, &one) && one == -1);
    return less_one && sl_is_activation(e, "exp") && e->in[0] == x;
}

/* where(x > 20, x, softplus(x)) */
bool sl_match_softplus(struct sl_matcher *m, struct sl_node *root)
{
    struct pieces p;
    return read_pieces(root, &p) && p.border >= softplus_is_linear && p.above == p.x && sl_is_activation(p.below, "softplus") &&
           p.below->in[0] == p.x && sl_pattern_become_curve(m, root, "softplus", p.x);
}

/* where(x > 0, x, alpha * x) */
bool sl_match_leaky_relu(struct sl_matcher *m, struct sl_node *root)
{
    struct pieces p;
    double alpha;
    if (!read_pieces(root, &p) || p.border != 0 || p.above != p.x || p.below == p.x || !is_line(p.below, p.x, &alpha) ||
        !sl_pattern_become_curve(m, root, "leaky_relu", p.x))
        return false;
    sl_set_float(m->g, root, "alpha", alpha);
    return true;
}

/* where(x > t, x, 0) */
bool sl_match_thresholded_relu(struct sl_matcher *m, struct sl_node *root)
{
    struct pieces p;
    double number;
    if (!read_pieces(root, &p) || p.above != p.x || !sl_node_scalar(p.below, &number) || number != 0)
        return false;
    if (p.border == 0)
        return sl_pattern_become_curve(m, root, "relu", p.x);
    if (p.above_has_border || !sl_pattern_become_curve(m, root, "thresholded_relu", p.x))
        return false;
    sl_set_float(m->g, root, "alpha", p.border);
    return true;
}

/* where(x > 0, gamma * x, gamma * alpha * (exp(x) - 1)) */
bool sl_match_elu(struct sl_matcher *m, struct sl_node *root)
{
    struct pieces p;
    double gamma, alpha;
    if (!read_pieces(root, &p) || p.border != 0 || !is_line(p.above, p.x, &gamma) || gamma == 0 ||
        !is_exponential(p.below, p.x, &alpha) || !sl_pattern_become_curve(m, root, gamma == 1 ? "elu" : "selu", p.x))
        return false;
    sl_set_float(m->g, root, "alpha", alpha / gamma);
    if (gamma != 1)
        sl_set_float(m->g, root, "beta", gamma);
    return true;
}
