/* pattern_curves.c: activations that are written as several nodes: SiLU, Mish, HardSwish, GELU and their like. Called by
 * patterns.c. */
#include <math.h>

#include "front/const_values.h"
#include "front/pattern_match.h"

/* ---- activations ---- */

/* root = a * b with b the curve of a */
static bool product_with_curve(struct sl_matcher *m, struct sl_node *root, const char *type, struct sl_node **x)
{
    for (int k = 0; k < 2; k++) {
        struct sl_node *gate = root->in[k];
        *x = root->in[1 - k];
        if (sl_is_activation(gate, type) && gate->in[0] == *x && sl_pattern_used_once(m, gate))
            return true;
    }
    return false;
}

/* The number that n multiplies by changes its sign, where nothing else reads it. */
static bool negate_factor(struct sl_matcher *m, struct sl_node *n)
{
    double v;
    if (n->op != SL_OP_ew_mult || !sl_pattern_used_once(m, n))
        return false;
    for (int k = 0; k < 2; k++) {
        const struct sl_const *old = sl_node_const(n->in[k]);
        if (!old || old->dtype != SL_F32 || !sl_const_scalar(old, &v) || !sl_pattern_used_once(m, n->in[k]))
            continue;
        const float negated = -(float)v;
        sl_set_param(m->g, n->in[k], "data", sl_const_splat(m->g->arena, SL_F32, &old->shape, &negated));
        return true;
    }
    return false;
}

/* 1 / (1 + exp(z)) = sigmoid(-z) */
bool sl_match_sigmoid(struct sl_matcher *m, struct sl_node *root)
{
    struct sl_node *sum, *e, *z;
    double one;
    if (root->op == SL_OP_ew_div && !(sl_node_scalar(root->in[0], &one) && one == 1))
        return false;
    if (root->op == SL_OP_activation && !sl_is_activation(root, "reciprocal"))
        return false;
    sum = root->in[root->op == SL_OP_ew_div];
    if (!sl_pattern_used_once(m, sum) || !sl_pattern_with_number(sum, SL_OP_ew_add, &e, &one) || one != 1 ||
        !sl_pattern_used_once(m, e) || !sl_is_activation(e, "exp") || !sl_shape_equal(&e->in[0]->shape, &root->shape))
        return false;
    z = e->in[0];
    if (sl_is_activation(z, "neg"))
        return sl_pattern_become_curve(m, root, "sigmoid", z->in[0]);
    if (negate_factor(m, z))
        return sl_pattern_become_curve(m, root, "sigmoid", z);
    sl_set_string(m->g, e, "type", "neg");
    return sl_pattern_become_curve(m, root, "sigmoid", e);
}

bool sl_match_silu(struct sl_matcher *m, struct sl_node *root)
{
    struct sl_node *x;
    return product_with_curve(m, root, "sigmoid", &x) && sl_pattern_become_curve(m, root, "silu", x);
}

/* x * sigmoid(beta x): also the sigmoid form of GELU */
bool sl_match_swish_beta(struct sl_matcher *m, struct sl_node *root)
{
    double beta;
    struct sl_node *x;
    for (int k = 0; k < 2; k++) {
        struct sl_node *gate = root->in[k];
        if (!sl_is_activation(gate, "sigmoid") || !sl_pattern_used_once(m, gate) || !sl_pattern_used_once(m, gate->in[0]) ||
            !sl_pattern_is_scaled(gate->in[0], &x, &beta) || x != root->in[1 - k])
            continue;
        if (!sl_pattern_become_curve(m, root, "swish_beta", x))
            return false;
        sl_set_float(m->g, root, "beta", beta);
        return true;
    }
    return false;
}

bool sl_match_mish(struct sl_matcher *m, struct sl_node *root)
{
    for (int k = 0; k < 2; k++) {
        struct sl_node *gate = root->in[k], *x = root->in[1 - k];
        if (sl_is_activation(gate, "tanh") && sl_pattern_used_once(m, gate) && sl_is_activation(gate->in[0], "softplus") &&
            sl_pattern_used_once(m, gate->in[0]) && gate->in[0]->in[0] == x)
            return sl_pattern_become_curve(m, root, "mish", x);
    }
    return false;
}

/* min(max(x + 3, 0), 6) */
static bool is_relu6_of_plus3(const struct sl_node *n, struct sl_node **x)
{
    double three;
    bool clip6 = sl_is_activation(n, "relu6") ||
                 (sl_is_activation(n, "clip") && sl_get_float(n, "minimum", -1) == 0 && sl_get_float(n, "maximum", -1) == 6);
    return clip6 && sl_pattern_with_number(n->in[0], SL_OP_ew_add, x, &three) && sl_pattern_near(three, 3);
}

/* relu6(x + 3) / 6 */
bool sl_match_hard_sigmoid(struct sl_matcher *m, struct sl_node *root)
{
    struct sl_node *gate, *x;
    double factor;
    if (!sl_pattern_is_scaled(root, &gate, &factor) || !sl_pattern_near(factor, 1.0 / 6) || !is_relu6_of_plus3(gate, &x) ||
        !sl_pattern_used_once(m, gate) || !sl_pattern_used_once(m, gate->in[0]))
        return false;
    if (!sl_pattern_become_curve(m, root, "hard_sigmoid", x))
        return false;
    sl_set_float(m->g, root, "alpha", 1.0 / 6);
    sl_set_float(m->g, root, "beta", 0.5);
    return true;
}

bool sl_match_hard_swish(struct sl_matcher *m, struct sl_node *root)
{
    struct sl_node *x;
    if (!product_with_curve(m, root, "hard_sigmoid", &x))
        return false;
    const struct sl_node *gate = root->in[0] == x ? root->in[1] : root->in[0];
    return sl_pattern_near(sl_get_float(gate, "alpha", 0.2), 1.0 / 6) && sl_get_float(gate, "beta", 0.5) == 0.5 &&
           sl_pattern_become_curve(m, root, "hard_swish", x);
}

/* x * relu6(x + 3) / 6: the division last */
bool sl_match_hard_swish_late(struct sl_matcher *m, struct sl_node *root)
{
    struct sl_node *product, *x;
    double factor;
    if (!sl_pattern_is_scaled(root, &product, &factor) || !sl_pattern_near(factor, 1.0 / 6) || product->op != SL_OP_ew_mult ||
        !sl_pattern_used_once(m, product))
        return false;
    for (int k = 0; k < 2; k++)
        if (is_relu6_of_plus3(product->in[k], &x) && x == product->in[1 - k] && sl_pattern_used_once(m, product->in[k]))
            return sl_pattern_become_curve(m, root, "hard_swish", x);
    return false;
}

/* ---- GELU ---- */

/* The factors of a product of up to four: numbers are multiplied, at most two others are kept. */
struct factors {
    double number;
    int n;
    struct sl_node *rest[2];
};

static bool collect_factors(const struct sl_matcher *m, struct sl_node *n, int depth, bool is_root, struct factors *f)
{
    struct sl_node *x;
    double v;
    if (depth < 4 && (is_root || sl_pattern_used_once(m, n))) {
        if (sl_pattern_is_scaled(n, &x, &v)) {
            f->number *= v;
            return collect_factors(m, x, depth + 1, false, f);
        }
        if (n->op == SL_OP_ew_mult)
            return collect_factors(m, n->in[0], depth + 1, false, f) && collect_factors(m, n->in[1], depth + 1, false, f);
    }
    if (f->n == 2)
        return false;
    f->rest[f->n++] = n;
    return true;
}

/* erf(x / sqrt(2)) */
static bool is_gelu_erf(const struct sl_node *curve, const struct sl_node *x)
{
    struct sl_node *of;
    double factor;
    return sl_is_activation(curve, "erf") && sl_pattern_is_scaled(curve->in[0], &of, &factor) &&
           sl_pattern_near(factor, 0.70710678) && of == x;
}

/* x^3, as Pow or as products */
static bool is_cube(const struct sl_node *n, const struct sl_node *x)
{
    if (sl_is_activation(n, "pow") && sl_get_float(n, "alpha", 2) == 3)
        return n->in[0] == x;
    if (n->op != SL_OP_ew_mult)
        return false;
    for (int k = 0; k < 2; k++) {
        const struct sl_node *square = n->in[k];
        bool is_square = (sl_is_activation(square, "square") && square->in[0] == x) ||
                         (square->op == SL_OP_ew_mult && square->in[0] == x && square->in[1] == x);
        if (n->in[1 - k] == x && is_square)
            return true;
    }
    return false;
}

/* x + 0.044715 x^3 */
static bool is_gelu_cubic(const struct sl_node *sum, const struct sl_node *x)
{
    struct sl_node *cube;
    double inner;
    for (int k = 0; sum->op == SL_OP_ew_add && k < 2; k++)
        if (sum->in[1 - k] == x && sl_pattern_is_scaled(sum->in[k], &cube, &inner) && sl_pattern_near(inner, 0.044715) &&
            is_cube(cube, x))
            return true;
    return false;
}

/* 1 + 0.044715 x^2 */
static bool is_gelu_quadratic(const struct sl_matcher *m, const struct sl_node *sum, const struct sl_node *x)
{
    struct factors f = {.number = 1};
    struct sl_node *square;
    double one;
    if (!sl_pattern_with_number(sum, SL_OP_ew_add, &square, &one) || one != 1)
        return false;
    if (!collect_factors(m, square, 0, false, &f) || !sl_pattern_near(f.number, 0.044715))
        return false;
    return (f.n == 1 && sl_is_activation(f.rest[0], "square") && f.rest[0]->in[0] == x) ||
           (f.n == 2 && f.rest[0] == x && f.rest[1] == x);
}

/* tanh(sqrt(2 / pi) * (x + 0.044715 x^3)), or tanh(sqrt(2 / pi) * x * (1 + 0.044715 x^2)) */
static bool is_gelu_tanh(const struct sl_matcher *m, const struct sl_node *curve, const struct sl_node *x)
{
    struct factors f = {.number = 1};
    if (!sl_is_activation(curve, "tanh") || !collect_factors(m, curve->in[0], 0, false, &f) ||
        !sl_pattern_near(f.number, 0.7978845608))
        return false;
    if (f.n == 1)
        return is_gelu_cubic(f.rest[0], x);
    return (f.rest[0] == x && is_gelu_quadratic(m, f.rest[1], x)) || (f.rest[1] == x && is_gelu_quadratic(m, f.rest[0], x));
}

/* 0.5 * x * (1 + curve), in any order of the products */
bool sl_match_gelu(struct sl_matcher *m, struct sl_node *root)
{
    struct factors f = {.number = 1};
    double one;
    struct sl_node *curve;
    if (!collect_factors(m, root, 0, true, &f) || f.n != 2 || !sl_pattern_near(f.number, 0.5))
        return false;
    for (int k = 0; k < 2; k++) {
        struct sl_node *x = f.rest[1 - k];
        if (!sl_pattern_with_number(f.rest[k], SL_OP_ew_add, &curve, &one) || one != 1 || !sl_pattern_used_once(m, f.rest[k]) ||
            !sl_pattern_used_once(m, curve))
            continue;
        if (is_gelu_erf(curve, x))
            return sl_pattern_become_curve(m, root, "gelu", x);
        if (is_gelu_tanh(m, curve, x))
            return sl_pattern_become_curve(m, root, "gelu_tanh", x);
    }
    return false;
}
