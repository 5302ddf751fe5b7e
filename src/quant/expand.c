/*
 * expand.c: layers that have no integer form of their own become several that have one: a log softmax the logarithm of a sum
 * of exponentials, a running sum a product with a triangle of ones, a number's power an exponential. After activations are
 * recognised, before anything is folded.
 */
#include <math.h>

#include "ops/ops.h"
#include "quant/fuse.h"

/* A triangle has the square of the axis' length: past this the layer stays, and optimize names it. */
enum { LONGEST_SUM = 1024 };

/* A new layer named after the one it is a part of. */
static struct sl_node *part_of(struct sl_graph *g, const struct sl_node *whole, const char *suffix, enum sl_op op, int n_in,
                               struct sl_node *const *in)
{
    struct sl_node *n = sl_graph_add(g, op, n_in, in);

    n->name = sl_arena_printf(g->arena, "%s_%s", whole->name, suffix);
    n->scope = whole->scope;
    n->dtype = whole->dtype;
    for (int i = 0; i < whole->n_origins; i++)
        sl_node_add_origin(g->arena, n, whole->origins[i]);
    return n;
}

static struct sl_node *curve_of(struct sl_graph *g, const struct sl_node *whole, const char *curve, struct sl_node *x)
{
    struct sl_node *n = part_of(g, whole, curve, SL_OP_activation, 1, &x);

    sl_set_string(g, n, "type", curve);
    return n;
}

static struct sl_node *reduce_of(struct sl_graph *g, const struct sl_node *whole, const char *suffix, enum sl_op op, int64_t axis,
                                 struct sl_node *x)
{
    struct sl_node *n = part_of(g, whole, suffix, op, 1, &x);

    sl_set_ints(g, n, "axes", 1, &axis);
    sl_set_int(g, n, "keepdims", 1);
    return n;
}

/* d - log(sum(exp(d))), d = x - max(x) */
static void expand_log_softmax(struct sl_graph *g, struct sl_node *n)
{
    const int64_t rank = n->shape.rank, given = sl_get_int(n, "axis", -1), axis = given < 0 ? given + rank : given;
    struct sl_node *x = n->in[0], *pair[2] = {x, reduce_of(g, n, "max", SL_OP_reduce_max, axis, x)};

    pair[0] = part_of(g, n, "shifted", SL_OP_ew_sub, 2, pair);
    pair[1] = curve_of(g, n, "log", reduce_of(g, n, "sum", SL_OP_reduce_sum, axis, curve_of(g, n, "exp", pair[0])));
    sl_node_become(g->arena, n, SL_OP_ew_sub, 2, pair);
}

static const struct sl_const *triangle(struct sl_graph *g, int64_t size, bool reverse, bool exclusive)
{
    void *data;
    const struct sl_const *k = sl_const_new(g->arena, SL_F32, &(struct sl_shape){2, {size, size}}, &data);

    for (int64_t i = 0; k && i < size; i++)
        for (int64_t j = 0; j < size; j++)
            ((float *)data)[i * size + j] = i == j ? !exclusive : (j < i) != reverse;
    return k;
}

/* With the axis in the middle of [outer, length, inner]: ones below the diagonal times the rows. */
static sluice_status expand_cumsum(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    const struct sl_shape s = n->shape;
    const int64_t given = sl_get_int(n, "axis", 0), axis = given < 0 ? given + s.rank : given;
    int64_t rows[3] = {1, 1, 1};

    if (s.rank == 0 || s.dim[axis] > LONGEST_SUM)
        return SLUICE_OK;
    for (int i = 0; i < s.rank; i++)
        rows[i < axis ? 0 : i == axis ? 1 : 2] *= s.dim[i];
    const struct sl_const *ones = triangle(g, rows[1], sl_get_int(n, "reverse", 0), sl_get_int(n, "exclusive", 0));
    if (!ones)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %lld x %lld ones", (long long)rows[1], (long long)rows[1]);
    struct sl_node *pair[2] = {part_of(g, n, "ones", SL_OP_const_input, 0, NULL), part_of(g, n, "rows", SL_OP_reshape, 1, n->in)};
    sl_set_param(g, pair[0], "data", ones);
    sl_set_ints(g, pair[1], "shape", 3, rows);
    struct sl_node *product = part_of(g, n, "product", SL_OP_matmul, 2, pair);
    sl_node_become(g->arena, n, SL_OP_reshape, 1, &product);
    sl_set_ints(g, n, "shape", s.rank, s.dim);
    return SLUICE_OK;
}

/* c^x = exp(x log c) */
static void expand_power(struct sl_fuse *f, struct sl_node *n)
{
    struct sl_graph *g = f->graph;
    struct sl_node *x = n->in[1];
    float base;

    if (!sl_fuse_scalar(f, n->in[0], &base) || !(base > 0) || !isfinite(base) || !sl_shape_equal(&x->shape, &n->shape))
        return;
    const float factor = (float)log((double)base);
    struct sl_node *pair[2] = {x, part_of(g, n, "factor", SL_OP_const_input, 0, NULL)};
    sl_set_param(g, pair[1], "data", sl_const_splat(g->arena, SL_F32, &(struct sl_shape){0}, &factor));
    struct sl_node *scaled = part_of(g, n, "scaled", SL_OP_ew_mult, 2, pair);
    sl_node_become(g->arena, n, SL_OP_activation, 1, &scaled);
    sl_set_string(g, n, "type", "exp");
}

static sluice_status expand(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    const enum sl_op op = n->op;

    if (n->dtype != SL_F32)
        return SLUICE_OK;
    if (op == SL_OP_log_softmax)
        expand_log_softmax(f->graph, n);
    else if (op == SL_OP_cumsum)
        SL_TRY(expand_cumsum(f->graph, n, e));
    else if (op == SL_OP_ew_pow)
        expand_power(f, n);
    f->changes += n->op != op;
    return SLUICE_OK;
}

sluice_status sl_pass_expand(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, expand, e);
}
