/* fuse_move.c: layers that only move data and in fact move nothing go away; neighbours of one kind become one. */
#include <string.h>

#include "ops/ops.h"
#include "quant/fuse.h"

static bool is_identity_permutation(const int64_t *perm, int rank)
{
    for (int i = 0; i < rank; i++)
        if (perm[i] != i)
            return false;
    return true;
}

/* Moves only axes of size one past others: the bytes stay in order, so it is a reshape. */
static bool keeps_order(const struct sl_node *n, const int64_t *perm)
{
    int64_t last = -1;

    for (int i = 0; i < n->shape.rank; i++) {
        if (n->shape.dim[i] == 1)
            continue;
        if (perm[i] < last)
            return false;
        last = perm[i];
    }
    return true;
}

static bool slice_takes_all(const struct sl_node *n)
{
    const struct sl_attr *steps = sl_attr(n, "steps");

    if (!sl_shape_equal(&n->shape, &n->in[0]->shape))
        return false;
    for (int i = 0; steps && i < steps->n; i++)
        if (steps->i[i] != 1)
            return false;
    return true;
}

static bool pads_nothing(const struct sl_node *n)
{
    const struct sl_attr *pads = sl_attr(n, "pads");

    for (int i = 0; pads && i < pads->n; i++)
        if (pads->i[i])
            return false;
    return true;
}

static bool does_nothing(const struct sl_node *n)
{
    int64_t perm[SL_MAX_RANK];

    switch ((int)n->op) {
    case SL_OP_reshape:
    case SL_OP_expand:
        return sl_shape_equal(&n->shape, &n->in[0]->shape);
    case SL_OP_transpose:
        return sl_get_ints(n, "perm", n->shape.rank, perm) && is_identity_permutation(perm, n->shape.rank);
    case SL_OP_slice:
        return slice_takes_all(n);
    case SL_OP_pad:
        return pads_nothing(n);
    case SL_OP_concat:
        return n->n_in == 1;
    case SL_OP_activation:
        return !strcmp(sl_get_string(n, "type", ""), "linear") || !strcmp(sl_get_string(n, "type", ""), "identity");
    default:
        return false;
    }
}

static void become_reshape(struct sl_fuse *f, struct sl_node *n)
{
    sl_remove_attr(n, "perm");
    n->op = SL_OP_reshape;
    sl_set_ints(f->graph, n, "shape", n->shape.rank, n->shape.dim);
    f->changes++;
}

/* transpose(transpose(x)) = one transpose. */
static void merge_transposes(struct sl_fuse *f, struct sl_node *n)
{
    struct sl_node *p = n->in[0];
    int64_t outer[SL_MAX_RANK], inner[SL_MAX_RANK], both[SL_MAX_RANK];

    if (p->op != SL_OP_transpose || p->shape.rank != n->shape.rank || !sl_get_ints(n, "perm", n->shape.rank, outer) ||
        !sl_get_ints(p, "perm", p->shape.rank, inner))
        return;
    for (int i = 0; i < n->shape.rank; i++)
        both[i] = inner[outer[i]];
    sl_set_ints(f->graph, n, "perm", n->shape.rank, both);
    sl_node_take_origins(f->graph->arena, n, p);
    sl_fuse_set_input(f, n, 0, p->in[0]);
    f->changes++;
}

static sluice_status remove_noops(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    int64_t perm[SL_MAX_RANK];

    (void)e;
    if (!n->n_in)
        return SLUICE_OK;
    if (n->op == SL_OP_transpose) {
        merge_transposes(f, n);
        if (sl_get_ints(n, "perm", n->shape.rank, perm) && !is_identity_permutation(perm, n->shape.rank) &&
            keeps_order(n, perm))
            become_reshape(f, n);
    }
    if (n->op == SL_OP_reshape && n->in[0]->op == SL_OP_reshape) {
        struct sl_node *inner = n->in[0];
        sl_node_take_origins(f->graph->arena, n, inner);
        /* The shape may hold 0 or -1 that refer to the inner one: write it out. */
        sl_set_ints(f->graph, n, "shape", n->shape.rank, n->shape.dim);
        sl_fuse_set_input(f, n, 0, inner->in[0]);
        f->changes++;
    }
    if (does_nothing(n))
        sl_fuse_replace(f, n, n->in[0]);
    return SLUICE_OK;
}

sluice_status sl_pass_remove_noops(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, remove_noops, e);
}
