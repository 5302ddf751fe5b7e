/*
 * stored_patterns.c: L2 normalization along the last axis becomes an rms_norm, a channel shuffle becomes one gather. Each
 * pattern is a row: the op at its root, and a function that looks upwards and turns the root into the layer. Nodes above it
 * that something else reads stay; the others are dead afterwards.
 */
#include "front/stored_patterns.h"

#include <math.h>

#include "front/pattern_text.h"

typedef bool match_fn(struct sl_graph *g, struct sl_node *root);

/* The number that a constant holds everywhere. */
static bool read_number(const struct sl_node *n, double *out)
{
    const struct sl_const *k = n->op == SL_OP_const_input ? sl_param(n, "data") : NULL;
    if (!k || k->dtype != SL_F32 || (!k->splat && sl_shape_elements(&k->shape) != 1))
        return false;
    *out = (double)*(const float *)k->data;
    return true;
}

/* Origins in the order of computation: those of the nodes on the way from x, then the root's own. */
static void take_chain(struct sl_graph *g, struct sl_node *root, const struct sl_node *const *chain, int depth)
{
    const struct sl_node own = sl_node_detach_origins(root);
    while (depth)
        sl_node_take_origins(g->arena, root, chain[--depth]);
    sl_node_take_origins(g->arena, root, &own);
}

/* ---- L2 normalization ---- */

enum { MOST_CHAIN = 8 };

struct norm {
    const struct sl_node *chain[MOST_CHAIN]; /* from the root upwards */
    int depth;
    double floor; /* of the sum of squares */
};

static const struct sl_node *step_up(struct norm *m, const struct sl_node *n, int input)
{
    if (m->depth < MOST_CHAIN)
        m->chain[m->depth++] = n;
    return n->in[input];
}

/* max(v, number), as a clip or a maximum; v itself where there is none. */
static const struct sl_node *skip_floor(struct norm *m, const struct sl_node *n, double *floor)
{
    double number;
    *floor = 0;
    if (n->op == SL_OP_expand)
        n = step_up(m, n, 0);
    if (sl_is_activation(n, "clip") && sl_attr(n, "minimum") && sl_get_float(n, "maximum", INFINITY) > 1e30) {
        *floor = sl_get_float(n, "minimum", 0);
        return step_up(m, n, 0);
    }
    for (int k = 0; n->op == SL_OP_ew_max && k < 2; k++)
        if (read_number(n->in[k], &number)) {
            *floor = number;
            return step_up(m, n, 1 - k);
        }
    return n;
}

static bool is_sum_of_squares(struct norm *m, const struct sl_node *n, const struct sl_node *x)
{
    const struct sl_attr *axes = n->op == SL_OP_reduce_sum ? sl_attr(n, "axes") : NULL;
    if (!axes || axes->n != 1 || axes->i[0] != x->shape.rank - 1 || !sl_get_int(n, "keepdims", 1))
        return false;
    const struct sl_node *square = step_up(m, n, 0);
    bool is_square = sl_is_activation(square, "square") || (square->op == SL_OP_ew_mult && square->in[0] == square->in[1]);
    return is_square && step_up(m, square, 0) == x;
}

/* x / max(sqrt(sum of squares), floor) */
static bool is_divided(struct norm *m, const struct sl_node *d, const struct sl_node *x)
{
    double floor;
    d = skip_floor(m, d, &floor);
    m->floor = floor * floor;
    return floor >= 0 && sl_is_activation(d, "sqrt") && is_sum_of_squares(m, step_up(m, d, 0), x);
}

/* x * 1 / sqrt(max(sum of squares, floor)) */
static bool is_multiplied(struct norm *m, const struct sl_node *f, const struct sl_node *x)
{
    if (sl_is_activation(f, "rsqrt")) {
        f = skip_floor(m, step_up(m, f, 0), &m->floor);
        return m->floor >= 0 && is_sum_of_squares(m, f, x);
    }
    return sl_is_activation(f, "reciprocal") && is_divided(m, step_up(m, f, 0), x);
}

/* A sum below the floor is divided by the floor; adding the floor instead changes nothing that a float shows when it is small.
 */
static void become_norm(struct sl_graph *g, struct sl_node *root, struct sl_node *x, const struct norm *m)
{
    int64_t c = x->shape.dim[x->shape.rank - 1];
    const struct sl_shape s = {1, {c}};
    const float gamma = (float)(1 / sqrt((double)c)), beta = 0;
    take_chain(g, root, m->chain, m->depth);
    sl_node_become(g->arena, root, SL_OP_rms_norm, 1, &x);
    sl_set_float(g, root, "epsilon", fmax(m->floor, 1e-37) / (double)c);
    sl_set_param(g, root, "gamma", sl_const_splat(g->arena, SL_F32, &s, &gamma));
    sl_set_param(g, root, "beta", sl_const_splat(g->arena, SL_F32, &s, &beta));
}

static bool match_l2_norm(struct sl_graph *g, struct sl_node *root)
{
    static const double most_floor = 1e-10;
    for (int k = 0; k < (root->op == SL_OP_ew_div ? 1 : 2); k++) {
        struct norm m = {.floor = 0};
        struct sl_node *x = root->in[k];
        const struct sl_node *other = root->in[1 - k];
        if (!sl_shape_equal(&x->shape, &root->shape) || x->shape.rank < 2 || x->op == SL_OP_const_input)
            continue;
        if ((root->op == SL_OP_ew_div ? is_divided(&m, other, x) : is_multiplied(&m, other, x)) && m.floor <= most_floor) {
            become_norm(g, root, x, &m);
            return true;
        }
    }
    return false;
}

/* ---- channel shuffle ---- */

/* [.., c] -> [.., groups, c / groups] -> [.., c / groups, groups] -> [.., c] */
static bool match_shuffle(struct sl_graph *g, struct sl_node *root)
{
    const struct sl_node *turned = root->in[0], *split = turned->op == SL_OP_transpose ? turned->in[0] : NULL;
    int64_t perm[SL_MAX_RANK];
    if (!split || split->op != SL_OP_reshape || !sl_shape_equal(&split->in[0]->shape, &root->shape))
        return false;
    struct sl_node *x = split->in[0];
    int rank = x->shape.rank;
    if (rank < 2 || split->shape.rank != rank + 1 || !sl_get_ints(turned, "perm", rank + 1, perm))
        return false;
    for (int k = 0; k < rank - 1; k++)
        if (perm[k] != k || split->shape.dim[k] != x->shape.dim[k])
            return false;
    if (perm[rank - 1] != rank || perm[rank] != rank - 1)
        return false;
    int64_t groups = split->shape.dim[rank - 1], each = split->shape.dim[rank];
    const struct sl_shape s = {1, {groups * each}};
    void *data = NULL;
    const struct sl_const *indices = sl_const_new(g->arena, SL_S64, &s, &data);
    if (!indices)
        return false;
    for (int64_t k = 0; k < groups * each; k++)
        ((int64_t *)data)[k] = k % groups * each + k / groups;
    const struct sl_node *const chain[2] = {turned, split};
    take_chain(g, root, chain, 2);
    sl_node_become(g->arena, root, SL_OP_gather, 1, &x);
    sl_set_int(g, root, "axis", rank - 1);
    sl_set_param(g, root, "indices", indices);
    return true;
}

static const struct {
    struct sl_pattern_text text;
    enum sl_op root;
    match_fn *fn;
} patterns[] = {
    {{"l2 norm", "x / sqrt(sum of squares), the sum or the root with a floor of at most 1e-10, 1e-5",
      "rms_norm with gamma 1 / sqrt(channels)"},
     SL_OP_ew_div,
     match_l2_norm},
    {{"l2 norm, by reciprocal", "the same as a product with rsqrt(..) or 1 / sqrt(..)",
      "rms_norm with gamma 1 / sqrt(channels)"},
     SL_OP_ew_mult,
     match_l2_norm},
    {{"channel shuffle", "channels as [groups, each], turned, flat again", "gather"}, SL_OP_reshape, match_shuffle},
};

const struct sl_pattern_text *sl_stored_pattern(int row)
{
    return row < (int)SL_COUNT(patterns) ? &patterns[row].text : NULL;
}

int sl_match_stored_patterns(struct sl_graph *g)
{
    int found = 0;
    for (int i = 0; i < g->n_nodes; i++)
        for (size_t p = 0; p < SL_COUNT(patterns); p++)
            if (g->nodes[i]->op == patterns[p].root && g->nodes[i]->dtype == SL_F32 && patterns[p].fn(g, g->nodes[i])) {
                found++;
                break;
            }
    if (found)
        sl_graph_remove_dead(g);
    return found;
}
