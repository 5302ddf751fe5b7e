/*
 * layout_reshape.c: a reshape of permuted data. The axes of input and output fall into groups of equal products; where each
 * group of input axes is still together and in order in the stored tensor, the stored tensor is reshaped group by group and the
 * groups keep their permutation. Otherwise just those groups are put together first. A flattened picture that only fc layers
 * read is not moved at all: the rows of their kernels are.
 */
#include <string.h>

#include "base/compiler.h"
#include "front/layout_private.h"
#include "front/const_order.h"

struct group {
    int in_from, in_to, out_from, out_to, key;
};

/* Minimal groups of equal products; false when a dimension is 0. */
static bool find_groups(const int64_t *in, int n_in, const struct sl_shape *out, struct group *groups, int *n)
{
    int i = 0, j = 0;
    *n = 0;
    while (i < n_in || j < out->rank) {
        struct group g = {.in_from = i, .out_from = j};
        int64_t a = i < n_in ? in[i++] : 1, b = j < out->rank ? out->dim[j++] : 1;
        while (a != b) {
            if (a == 0 || b == 0 || (a < b ? i == n_in : j == out->rank))
                return false;
            if (a < b)
                a *= in[i++];
            else
                b *= out->dim[j++];
        }
        if (a == 0)
            return false;
        g.in_to = i;
        g.out_to = j;
        groups[(*n)++] = g;
    }
    return true;
}

/* The order of groups in the stored tensor is that of their last axes: what is innermost stays so, which moves least. A group
 * of one element may stand anywhere: the batch goes first. */
static void find_keys(struct group *groups, int n, const int64_t *in, const int *perm)
{
    for (int k = 0; k < n; k++) {
        struct group *g = &groups[k];
        int last = -1;
        for (int i = g->in_from; i < g->in_to; i++)
            if (in[i] > 1)
                last = SL_MAX(last, perm[i]);
        g->key = last >= 0               ? last
                 : g->out_from == 0      ? -1
                 : g->in_from < g->in_to ? perm[g->in_from]
                 : k                     ? groups[k - 1].key
                                         : 0;
    }
    for (int k = 1; k < n; k++) /* insertion sort: stable, at most a dozen */
        for (int i = k; i > 0 && groups[i].key < groups[i - 1].key; i--) {
            struct group t = groups[i];
            groups[i] = groups[i - 1];
            groups[i - 1] = t;
        }
}

/* The shape of a value in the origin's order, from how it is stored. */
static void origin_dims(const struct placed *x, int64_t *dims)
{
    for (int i = 0; i < x->rank; i++)
        dims[i] = x->node->shape.dim[x->perm[i]];
}

static sluice_status finish(struct layout *l, const struct sl_node *n, struct sl_node *in, const struct sl_shape *s,
                            const int *perm, struct placed *out)
{
    if (in->op == SL_OP_const_input || sl_shape_equal(&in->shape, s)) {
        SL_TRY(layout_reshape_to(l, in, s, &in));
        return layout_done(l, in, perm, out);
    }
    struct sl_node *from = in->op == SL_OP_reshape ? in->in[0] : in; /* a reshape of a reshape is one */
    struct sl_node *m = layout_copy_node(l, n, 1, &from);
    if (from != in)
        sl_node_take_origins(l->a, m, in);
    sl_set_ints(l->g, m, "shape", s->rank, s->dim);
    return layout_done(l, m, perm, out);
}

/* Whether going from order a to order b moves data: axes of one element are free. */
static bool moves_data(const int64_t *dims, int rank, const int *a, const int *b)
{
    for (int i = 0; i < rank; i++)
        for (int k = 0; k < i; k++)
            if (dims[i] > 1 && dims[k] > 1 && (a[i] < a[k]) != (b[i] < b[k]))
                return true;
    return false;
}

/* A first axis of one element, wherever its group stands, is stored first: engines take it for the batch. */
static void batch_first(const struct sl_shape *shape, int *perm, struct sl_shape *stored)
{
    if (shape->rank == 0 || shape->dim[0] != 1)
        return;
    for (int j = 1; j < shape->rank; j++)
        perm[j] += perm[j] < perm[0];
    perm[0] = 0;
    for (int j = 0; j < shape->rank; j++)
        stored->dim[perm[j]] = shape->dim[j];
}

/* [n, a, b, c] stored in another order, flattened to [n, a*b*c] for fc layers: remembered instead of moved. */
static bool flatten_shuffled(const struct sl_node *n, const struct placed *x, const int64_t *in, const struct group *groups,
                             int n_groups, struct placed *out)
{
    const struct group *last = NULL;
    for (int k = 0; k < n_groups; k++) {
        const struct group *g = &groups[k];
        if (g->out_from <= n->shape.rank - 1 && g->out_to == n->shape.rank && g->out_to - g->out_from == 1)
            last = g;
        else if (g->in_to - g->in_from > 1)
            return false;
    }
    if (n->shape.rank != 2 || !last || last->in_from != 1 || x->perm[0] != 0)
        return false;
    out->n_shuffled = x->rank - 1;
    for (int i = 1; i < x->rank; i++) {
        out->shuffled[i - 1] = in[i];
        out->shuffle[x->perm[i] - 1] = i - 1;
    }
    return true;
}

sluice_status layout_reshape(struct layout *l, const struct sl_node *n, struct placed *out)
{
    static const int identity[SL_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct placed *x = layout_in(l, n, 0);
    struct group groups[2 * SL_MAX_RANK + 1];
    struct sl_shape s = {.rank = n->shape.rank};
    int64_t dims[SL_MAX_RANK];
    int n_groups, order[SL_MAX_RANK], perm[SL_MAX_RANK], at_in = 0, at_out = 0;
    struct sl_node *in;
    origin_dims(x, dims);
    if (!find_groups(dims, x->rank, &n->shape, groups, &n_groups)) {
        SL_TRY(layout_order(l, x, identity, &in));
        return finish(l, n, in, &n->shape, NULL, out);
    }
    find_keys(groups, n_groups, dims, x->perm);
    for (int k = 0; k < n_groups; k++) {
        for (int i = groups[k].in_from; i < groups[k].in_to; i++)
            order[i] = at_in++;
        for (int j = groups[k].out_from; j < groups[k].out_to; j++) {
            perm[j] = at_out;
            s.dim[at_out++] = n->shape.dim[j];
        }
    }
    batch_first(&n->shape, perm, &s);
    if (!moves_data(dims, x->rank, order, x->perm))
        return finish(l, n, x->node, &s, perm, out);
    if (l->only_fc_reads[n->index] && flatten_shuffled(n, x, dims, groups, n_groups, out))
        return finish(l, n, x->node, &n->shape, NULL, out);
    SL_TRY(layout_order(l, x, order, &in));
    return finish(l, n, in, &s, perm, out);
}

/* Kernel [ic, oc] with its rows in the order in which the flattened picture is stored. */
sluice_status layout_fc(struct layout *l, const struct sl_node *n, struct placed *out)
{
    static const int identity[SL_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct placed *x = layout_in(l, n, 0);
    const struct sl_const *kernel = sl_param(n, "kernel");
    struct sl_node *in;
    SL_TRY(layout_order(l, x, identity, &in));
    struct sl_node *m = layout_copy_node(l, n, 1, &in);
    if (x->n_shuffled) {
        struct sl_shape apart = {.rank = x->n_shuffled + 1};
        int64_t order[SL_MAX_RANK + 1];
        memcpy(apart.dim, x->shuffled, (size_t)x->n_shuffled * sizeof *apart.dim);
        memcpy(order, x->shuffle, (size_t)x->n_shuffled * sizeof *order);
        order[x->n_shuffled] = x->n_shuffled;
        apart.dim[x->n_shuffled] = kernel->shape.dim[1];
        const struct sl_const *k = sl_const_reshape(l->a, kernel, &apart);
        SL_TRY(sl_const_permute(l->a, k, order, &k, l->e));
        sl_set_param(l->g, m, "kernel", sl_const_reshape(l->a, k, &kernel->shape));
    }
    return layout_done(l, m, NULL, out);
}
