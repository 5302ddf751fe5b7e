/* layout_rules.c: how a pending permutation passes each op: along with it, with its axes renamed, or not at all. */
#include <string.h>

#include "front/layout_private.h"
#include "ops/ops.h"

static const int identity[SL_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

static sluice_status any_order(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    return layout_done(l, layout_copy_node(l, n, 1, &x->node), x->perm, out);
}

static sluice_status constant_input(struct layout *l, const struct sl_node *n, struct placed *out)
{
    return layout_done(l, layout_copy_node(l, n, 0, NULL), NULL, out);
}

/* Channel parameters and norms speak of the last axis: it must be stored last, the others may stand as they do. */
static void last_axis_last(const struct placed *x, int *perm)
{
    int at = x->perm[x->rank - 1];
    for (int i = 0; i < x->rank; i++)
        perm[i] = i == x->rank - 1 ? x->rank - 1 : x->perm[i] - (x->perm[i] > at);
}

static sluice_status channels_last(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    struct sl_node *in;
    int perm[SL_MAX_RANK];
    last_axis_last(x, perm);
    SL_TRY(layout_order(l, x, perm, &in));
    return layout_done(l, layout_copy_node(l, n, 1, &in), perm, out);
}

/* The transpose itself leaves: its output is the same stored tensor under another permutation. */
static sluice_status transpose(struct layout *l, const struct sl_node *n, struct placed *out)
{
    const struct placed *x = layout_in(l, n, 0);
    int64_t perm[SL_MAX_RANK];
    if (!sl_get_ints(n, "perm", x->rank, perm))
        return sl_fail(l->e, SLUICE_E_INTERNAL, "transpose without perm");
    out->node = x->node;
    out->rank = x->rank;
    for (int i = 0; i < x->rank; i++)
        out->perm[i] = x->perm[perm[i]];
    if (n->n_origins && out->node->op != SL_OP_input_layer && out->node->op != SL_OP_const_input)
        sl_node_take_origins(l->a, out->node, n);
    return SLUICE_OK;
}

/* ---- several inputs in one order ---- */

/* The order that moves least: that of the largest input which is not a constant. */
static const int *common_order(const struct placed *v, int n)
{
    const int *perm = identity;
    size_t most = 0;
    for (int k = 0; k < n; k++) {
        size_t size = sl_shape_elements(&v[k].node->shape);
        if (v[k].node->op == SL_OP_const_input || size < most || (size == most && perm != identity))
            continue;
        most = size;
        perm = v[k].perm;
    }
    return perm;
}

static sluice_status in_common_order(struct layout *l, const struct sl_node *n, int rank, int *perm, struct sl_node **in)
{
    struct placed *v = SL_NEW_ARRAY(l->a, struct placed, n->n_in);
    for (int k = 0; k < n->n_in; k++)
        SL_TRY(layout_widen(l, layout_in(l, n, k), rank, &v[k]));
    memcpy(perm, common_order(v, n->n_in), (size_t)rank * sizeof *perm);
    for (int k = 0; k < n->n_in; k++) {
        struct placed *original = layout_in(l, n, k);
        SL_TRY(
            layout_order(l, original->rank == rank ? original : &v[k], perm, &in[k])); /* the original remembers its copies */
    }
    return SLUICE_OK;
}

/* A constant that broadcasts from fewer axes needs no wider shape when nothing is permuted, or when it is one number. */
static bool broadcasts_as_it_is(const struct placed *v, const int *perm, int rank)
{
    return sl_shape_elements(&v->node->shape) == 1 ||
           (v->rank < rank && layout_is_identity(perm, rank) && layout_is_identity(v->perm, v->rank));
}

static sluice_status binary(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *a = layout_in(l, n, 0), *b = layout_in(l, n, 1);
    int rank = n->shape.rank, perm[SL_MAX_RANK];
    struct sl_node *in[2];
    bool narrow_a = a->rank < rank || sl_shape_elements(&a->node->shape) == 1,
         narrow_b = b->rank < rank || sl_shape_elements(&b->node->shape) == 1;
    struct placed *wide = !narrow_a ? a : b, *narrow = wide == a ? b : a;
    if ((narrow_a != narrow_b) && wide->rank == rank && broadcasts_as_it_is(narrow, wide->perm, rank)) {
        in[wide == b] = wide->node;
        in[wide == a] = narrow->node;
        return layout_done(l, layout_copy_node(l, n, 2, in), wide->perm, out);
    }
    SL_TRY(in_common_order(l, n, rank, perm, in));
    return layout_done(l, layout_copy_node(l, n, 2, in), perm, out);
}

static sluice_status concat(struct layout *l, const struct sl_node *n, struct placed *out)
{
    int perm[SL_MAX_RANK];
    struct sl_node **in = SL_NEW_ARRAY(l->a, struct sl_node *, n->n_in);
    SL_TRY(in_common_order(l, n, n->shape.rank, perm, in));
    struct sl_node *m = layout_copy_node(l, n, n->n_in, in);
    sl_set_int(l->g, m, "axis", perm[sl_get_int(n, "axis", 0)]);
    return layout_done(l, m, perm, out);
}

/* ---- one input, axes renamed ---- */

static sluice_status softmax(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    struct sl_node *m = layout_copy_node(l, n, 1, &x->node);
    sl_set_int(l->g, m, "axis", x->perm[sl_get_int(n, "axis", x->rank - 1)]);
    return layout_done(l, m, x->perm, out);
}

static sluice_status reduce(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    const struct sl_attr *axes = sl_attr(n, "axes");
    bool keep = sl_get_int(n, "keepdims", 1) != 0, gone[SL_MAX_RANK] = {false};
    int64_t renamed[SL_MAX_RANK];
    int perm[SL_MAX_RANK], count = 0, rank = 0;
    for (int i = 0; axes && i < axes->n; i++)
        gone[x->perm[axes->i[i]]] = true;
    for (int s = 0; s < x->rank; s++)
        if (gone[s])
            renamed[count++] = s;
    for (int i = 0; i < x->rank; i++) {
        int before = 0;
        for (int s = 0; s < x->perm[i]; s++)
            before += !gone[s];
        if (keep || !gone[x->perm[i]])
            perm[rank++] = keep ? x->perm[i] : before;
    }
    struct sl_node *m = layout_copy_node(l, n, 1, &x->node);
    if (axes)
        sl_set_ints(l->g, m, "axes", count, renamed);
    return layout_done(l, m, axes || keep ? perm : NULL, out);
}

/* Attribute lists with `lists` entries an axis (pads: before and after). */
static void rename_list(struct layout *l, struct sl_node *m, const struct sl_node *n, const char *name, const struct placed *x,
                        int lists)
{
    int64_t v[2 * SL_MAX_RANK], renamed[2 * SL_MAX_RANK];
    if (!sl_get_ints(n, name, lists * x->rank, v))
        return;
    for (int k = 0; k < lists; k++)
        for (int i = 0; i < x->rank; i++)
            renamed[k * x->rank + x->perm[i]] = v[k * x->rank + i];
    sl_set_ints(l->g, m, name, lists * x->rank, renamed);
}

static sluice_status slice(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    struct sl_node *m = layout_copy_node(l, n, 1, &x->node);
    rename_list(l, m, n, "starts", x, 1);
    rename_list(l, m, n, "ends", x, 1);
    rename_list(l, m, n, "steps", x, 1);
    return layout_done(l, m, x->perm, out);
}

static sluice_status pad(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    struct sl_node *m = layout_copy_node(l, n, 1, &x->node);
    rename_list(l, m, n, "pads", x, 2);
    return layout_done(l, m, x->perm, out);
}

static sluice_status expand(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed x;
    SL_TRY(layout_widen(l, layout_in(l, n, 0), n->shape.rank, &x));
    struct sl_node *m = layout_copy_node(l, n, 1, &x.node);
    rename_list(l, m, n, "shape", &x, 1);
    return layout_done(l, m, x.perm, out);
}

/* The gathered axis makes room for the indices' axes, in place. */
static sluice_status gather(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    const struct sl_const *indices = sl_param(n, "indices");
    int axis = (int)sl_get_int(n, "axis", 0), at = x->perm[axis], more = indices->shape.rank, perm[2 * SL_MAX_RANK], rank = 0;
    for (int i = 0; i < x->rank; i++) {
        if (i == axis)
            for (int k = 0; k < more; k++)
                perm[rank++] = at + k;
        else
            perm[rank++] = x->perm[i] < at ? x->perm[i] : x->perm[i] + more - 1;
    }
    struct sl_node *m = layout_copy_node(l, n, 1, &x->node);
    sl_set_int(l->g, m, "axis", at);
    return layout_done(l, m, perm, out);
}

/* ---- what only native runs ---- */

static sluice_status argmax(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *x = layout_in(l, n, 0);
    int axis = (int)sl_get_int(n, "axis", 0), at = x->perm[axis], perm[SL_MAX_RANK], rank = 0;
    bool keep = sl_get_int(n, "keepdims", 1) != 0;
    for (int i = 0; i < x->rank; i++)
        if (keep || i != axis)
            perm[rank++] = keep ? x->perm[i] : x->perm[i] - (x->perm[i] > at);
    struct sl_node *m = layout_copy_node(l, n, 1, &x->node);
    sl_set_int(l->g, m, "axis", at);
    return layout_done(l, m, perm, out);
}

static sluice_status where(struct layout *l, const struct sl_node *n, struct placed *out)
{
    int perm[SL_MAX_RANK];
    struct sl_node *in[3];
    SL_TRY(in_common_order(l, n, n->shape.rank, perm, in));
    return layout_done(l, layout_copy_node(l, n, 3, in), perm, out);
}

/* ---- products ---- */

/* Leading axes may stay permuted when both operands agree; b may have its last two swapped, a may not. */
static sluice_status matmul(struct layout *l, const struct sl_node *n, struct placed *out)
{
    struct placed *in[2] = {layout_in(l, n, 0), layout_in(l, n, 1)};
    int r = in[0]->rank, perm[2][SL_MAX_RANK], batch = SL_MAX(r, in[1]->rank) - 2;
    bool agree = r == in[1]->rank;
    for (int i = 0; agree && i < batch; i++)
        agree = in[0]->perm[i] == in[1]->perm[i] && in[0]->perm[i] < batch;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < in[k]->rank; i++)
            perm[k][i] = agree && i < batch ? in[0]->perm[i] : i;
    int last = in[1]->rank - 1;
    bool swap = in[1]->perm[last - 1] > in[1]->perm[last]; /* in the order that the data already has */
    if (swap) {
        perm[1][last - 1] = last;
        perm[1][last] = last - 1;
    }
    struct sl_node *operands[2];
    for (int k = 0; k < 2; k++)
        SL_TRY(layout_order(l, in[k], perm[k], &operands[k]));
    struct sl_node *m = layout_copy_node(l, n, 2, operands);
    sl_set_int(l->g, m, "transpose_b", (sl_get_int(n, "transpose_b", 0) != 0) != swap);
    return layout_done(l, m, agree ? perm[0] : NULL, out);
}

layout_rule *const layout_rules[SL_OP_COUNT] = {
    [SL_OP_const_input] = constant_input,
    [SL_OP_output_layer] = any_order,
    [SL_OP_activation] = any_order,
    [SL_OP_requantize] = any_order,
    [SL_OP_batch_norm] = channels_last,
    [SL_OP_normalization] = channels_last,
    [SL_OP_bias_add] = channels_last,
    [SL_OP_layer_norm] = channels_last,
    [SL_OP_rms_norm] = channels_last,
    [SL_OP_ew_add] = binary,
    [SL_OP_ew_sub] = binary,
    [SL_OP_ew_max] = binary,
    [SL_OP_ew_min] = binary,
    [SL_OP_ew_mult] = binary,
    [SL_OP_ew_div] = binary,
    [SL_OP_reduce_mean] = reduce,
    [SL_OP_reduce_sum] = reduce,
    [SL_OP_reduce_max] = reduce,
    [SL_OP_reduce_min] = reduce,
    [SL_OP_softmax] = softmax,
    [SL_OP_matmul] = matmul,
    [SL_OP_concat] = concat,
    [SL_OP_slice] = slice,
    [SL_OP_pad] = pad,
    [SL_OP_expand] = expand,
    [SL_OP_gather] = gather,
    [SL_OP_transpose] = transpose,
    [SL_OP_reshape] = layout_reshape,
    [SL_OP_fc] = layout_fc,
    [SL_OP_ew_pow] = binary,
    [SL_OP_ew_mod] = binary,
    [SL_OP_ew_prelu] = binary,
    [SL_OP_ew_equal] = binary,
    [SL_OP_ew_greater] = binary,
    [SL_OP_ew_less] = binary,
    [SL_OP_ew_greater_equal] = binary,
    [SL_OP_ew_less_equal] = binary,
    [SL_OP_ew_and] = binary,
    [SL_OP_ew_or] = binary,
    [SL_OP_ew_xor] = binary,
    [SL_OP_ew_shift_left] = binary,
    [SL_OP_ew_shift_right] = binary,
    [SL_OP_predicate] = any_order,
    [SL_OP_cast] = any_order,
    [SL_OP_where] = where,
    [SL_OP_reduce_prod] = reduce,
    [SL_OP_log_softmax] = softmax,
    [SL_OP_hardmax] = softmax,
    [SL_OP_cumsum] = softmax,
    [SL_OP_top_k] = softmax,
    [SL_OP_argmax] = argmax,
    [SL_OP_argmin] = argmax,
    [SL_OP_lrn] = channels_last,
};
