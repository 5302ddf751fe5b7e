/* tflite_index.c: order, indices and choices: ARG_MAX, TOPK_V2, CUMSUM, the gathers, ONE_HOT, SELECT, logic. Most are native
 * only. */
#include <string.h>

#include "front/scatter.h"
#include "tflite/tflite_import.h"

static sluice_status input(struct tfl_import *c, int i, struct sl_node **x)
{
    SL_TRY(tfl_in(c, i, x));
    return *x ? SLUICE_OK : sl_fail(c->e, SLUICE_E_FORMAT, "input %d is missing", i);
}

static sluice_status one(struct tfl_import *c, struct sl_node **x)
{
    SL_TRY(input(c, 0, x));
    return (*x)->shape.rank > 0 ? SLUICE_OK : sl_fail(c->e, SLUICE_E_SHAPE, "the input has no dimensions");
}

/* Positions are 64-bit integers here; the file may want 32. */
static sluice_status positions_out(struct tfl_import *c, int i, struct sl_node *y)
{
    SL_TRY(sl_build_cast(c->b, y, tfl_dtype(c->model.tensors[c->op->out[i]].type), &y));
    return tfl_out(c, i, y);
}

/* ---- order ---- */

/* ARG_MAX, ARG_MIN: the axis is an input. */
sluice_status tflop_arg(struct tfl_import *c, const struct tfl_operator *op)
{
    enum { ARG_MAX = 56 };
    struct sl_node *x;
    int64_t v[2 * SL_MAX_RANK];
    int n, axis;
    enum sl_dtype to = tfl_dtype(c->model.tensors[op->out[0]].type);
    SL_TRY(one(c, &x));
    SL_TRY(tfl_need_ints(c, 1, "axis", &n, v));
    if (n != 1 || (to != SL_S32 && to != SL_S64))
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d axes to positions of type %s", n, sl_dtype_name(to));
    SL_TRY(sl_build_axis(c->b, v[0], x->shape.rank, &axis));
    struct sl_node *y = sl_build_add(c->b, op->code == ARG_MAX ? SL_OP_argmax : SL_OP_argmin, 1, &x);
    sl_set_int(c->g, y, "axis", axis);
    sl_set_int(c->g, y, "keepdims", 0);
    SL_TRY(sl_build_finish(c->b, &y));
    return positions_out(c, 0, y);
}

sluice_status tflop_top_k(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    int64_t k[2 * SL_MAX_RANK];
    int n;
    SL_TRY(one(c, &x));
    SL_TRY(tfl_need_ints(c, 1, "k", &n, k));
    if (n != 1 || k[0] < 0 || k[0] > x->shape.dim[x->shape.rank - 1])
        return sl_fail(c->e, SLUICE_E_VALUE, "k is not one number within the last axis");
    for (int i = 0; i < SL_MIN(op->n_out, 2); i++) {
        y = sl_build_add(c->b, SL_OP_top_k, 1, &x);
        sl_set_int(c->g, y, "axis", x->shape.rank - 1);
        sl_set_int(c->g, y, "k", k[0]);
        sl_set_string(c->g, y, "output", i ? "indices" : "values");
        SL_TRY(sl_build_finish(c->b, &y));
        SL_TRY(i ? positions_out(c, 1, y) : tfl_out(c, 0, y));
    }
    return SLUICE_OK;
}

sluice_status tflop_cumsum(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t v[2 * SL_MAX_RANK];
    int n, axis;
    SL_TRY(one(c, &x));
    SL_TRY(tfl_need_ints(c, 1, "axis", &n, v));
    if (n != 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d axes, one is wanted", n);
    SL_TRY(sl_build_axis(c->b, v[0], x->shape.rank, &axis));
    struct sl_node *y = sl_build_add(c->b, SL_OP_cumsum, 1, &x);
    sl_set_int(c->g, y, "axis", axis);
    sl_set_int(c->g, y, "exclusive", flat_u8(&op->options, CUMSUM_EXCLUSIVE, 0) != 0);
    sl_set_int(c->g, y, "reverse", flat_u8(&op->options, CUMSUM_REVERSE, 0) != 0);
    SL_TRY(sl_build_finish(c->b, &y));
    return tfl_out(c, 0, y);
}

/* ---- gathers ---- */

static sluice_status gather_fixed(struct tfl_import *c, struct sl_node *x, const struct sl_const *k, int axis)
{
    size_t n = sl_shape_elements(&k->shape);
    void *data;
    const struct sl_const *wide = sl_const_new(c->a, SL_S64, &k->shape, &data);
    if (!wide)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for the indices");
    for (size_t i = 0; i < n; i++) {
        ((int64_t *)data)[i] = sl_const_integer(k, i);
        if (((int64_t *)data)[i] < 0 || ((int64_t *)data)[i] >= x->shape.dim[axis])
            return sl_fail(c->e, SLUICE_E_VALUE, "index %lld of an axis of %lld", (long long)((int64_t *)data)[i],
                           (long long)x->shape.dim[axis]);
    }
    struct sl_node *y = sl_build_add(c->b, SL_OP_gather, 1, &x);
    sl_set_int(c->g, y, "axis", axis);
    sl_set_param(c->g, y, "indices", wide);
    SL_TRY(sl_build_finish(c->b, &y));
    return tfl_out(c, 0, y);
}

static sluice_status gather_computed(struct tfl_import *c, struct sl_node *x, struct sl_node *indices, int axis)
{
    struct sl_node *in[2] = {x, indices}, *y = sl_build_add(c->b, SL_OP_gather_dynamic, 2, in);
    sl_set_int(c->g, y, "axis", axis);
    SL_TRY(sl_build_finish(c->b, &y));
    return tfl_out(c, 0, y);
}

sluice_status tflop_gather(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *indices;
    int axis;
    SL_TRY(input(c, 0, &x));
    SL_TRY(input(c, 1, &indices));
    SL_TRY(sl_build_axis(c->b, flat_s32(&op->options, GATHER_AXIS, 0), x->shape.rank, &axis));
    if (flat_s32(&op->options, GATHER_BATCH, 0) != 0)
        return sl_unsupported(c->b, "batch dimensions");
    return sl_node_const(indices) ? gather_fixed(c, x, sl_node_const(indices), axis) : gather_computed(c, x, indices, axis);
}

/* Inputs: rows to take, the table. */
sluice_status tflop_embedding_lookup(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *indices, *x;
    SL_TRY(input(c, 0, &indices));
    SL_TRY(input(c, 1, &x));
    if (x->shape.rank < 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the table has no dimensions");
    return sl_node_const(indices) ? gather_fixed(c, x, sl_node_const(indices), 0) : gather_computed(c, x, indices, 0);
}

sluice_status tflop_gather_nd(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *in[2], *y;
    SL_TRY(input(c, 0, &in[0]));
    SL_TRY(input(c, 1, &in[1]));
    SL_TRY(sl_build_gather_at(c->b, in[0], in[1], -1, &y));
    return tfl_out(c, 0, y);
}

/* ---- choices ---- */

static sluice_status choose(struct tfl_import *c, struct sl_node *condition, struct sl_node *x, struct sl_node *y,
                            struct sl_node **out)
{
    struct sl_node *in[3] = {condition, x, y};
    *out = sl_build_add(c->b, SL_OP_where, 3, in);
    return sl_build_finish(c->b, out);
}

/* SELECT's condition may be one value a row of x; SELECT_V2 broadcasts as usual. */
sluice_status tflop_select(struct tfl_import *c, const struct tfl_operator *op)
{
    enum { SELECT = 64 };
    struct sl_node *in[3], *y;
    for (int i = 0; i < 3; i++)
        SL_TRY(input(c, i, &in[i]));
    int rank = in[1]->shape.rank;
    if (op->code == SELECT && in[0]->shape.rank == 1 && rank > 1) {
        int64_t dims[SL_MAX_RANK] = {in[0]->shape.dim[0]};
        for (int i = 1; i < rank; i++)
            dims[i] = 1;
        SL_TRY(sl_build_reshape(c->b, in[0], rank, dims, &in[0]));
    }
    SL_TRY(choose(c, in[0], in[1], in[2], &y));
    return tfl_out(c, 0, y);
}

/* Inputs: positions, depth, the value at a position, the value elsewhere. */
sluice_status tflop_one_hot(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *indices, *on, *off, *range, *y;
    int64_t depth[2 * SL_MAX_RANK], dims[SL_MAX_RANK + 1], along[SL_MAX_RANK + 1];
    int n, axis;
    SL_TRY(input(c, 0, &indices));
    SL_TRY(tfl_need_ints(c, 1, "depth", &n, depth));
    SL_TRY(input(c, 2, &on));
    SL_TRY(input(c, 3, &off));
    int rank = indices->shape.rank + 1;
    if (n != 1 || depth[0] < 1 || depth[0] > 1 << 20 || rank > SL_MAX_RANK ||
        (indices->dtype != SL_S32 && indices->dtype != SL_S64))
        return sl_fail(c->e, SLUICE_E_VALUE, "depth %lld on %d dimensions of %s", (long long)depth[0], rank - 1,
                       sl_dtype_name(indices->dtype));
    SL_TRY(sl_build_axis(c->b, flat_s32(&op->options, ONE_HOT_AXIS, -1), rank, &axis));
    for (int i = 0, k = 0; i < rank; i++) {
        dims[i] = i == axis ? 1 : indices->shape.dim[k++];
        along[i] = i == axis ? depth[0] : 1;
    }
    int64_t *numbers = SL_NEW_ARRAY(c->a, int64_t, depth[0]);
    for (int64_t i = 0; i < depth[0]; i++)
        numbers[i] = i;
    range = sl_build_ints(c->b, indices->dtype, 1, (int)depth[0], numbers);
    SL_TRY(sl_build_reshape(c->b, range, rank, along, &range));
    SL_TRY(sl_build_reshape(c->b, indices, rank, dims, &indices));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_equal, indices, range, &y));
    SL_TRY(choose(c, y, on, off, &y));
    return tfl_out(c, 0, y);
}

/* ---- scattering and turning round ---- */

/* Inputs: indices, updates, the shape of the zeros that they are added to. */
sluice_status tflop_scatter_nd(struct tfl_import *c, const struct tfl_operator *op)
{
    static const uint64_t zero;
    struct sl_node *in[3], *y;
    int64_t dims[2 * SL_MAX_RANK];
    int n;
    SL_TRY(input(c, 0, &in[1]));
    SL_TRY(input(c, 1, &in[2]));
    SL_TRY(tfl_need_ints(c, 2, "shape", &n, dims));
    if (n > SL_MAX_RANK)
        return sl_unsupported(c->b, "a shape of %d dimensions", n);
    struct sl_shape s = sl_shape_of(n, dims);
    size_t count;
    if (!sl_shape_count(&s, &count))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the shape is negative somewhere or too large");
    in[0] = sl_build_const(c->b, sl_const_splat(c->a, in[2]->dtype, &s, &zero));
    SL_TRY(sl_build_scatter(c->b, in, "add", &y));
    return tfl_out(c, 0, y);
}

sluice_status tflop_update_slice(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *part;
    int64_t at[2 * SL_MAX_RANK];
    int n;
    SL_TRY(input(c, 0, &x));
    SL_TRY(input(c, 1, &part));
    SL_TRY(tfl_need_ints(c, 2, "start indices", &n, at));
    bool fits = n == x->shape.rank && part->shape.rank == n;
    for (int i = 0; fits && i < n; i++)
        fits = part->shape.dim[i] > 0 && part->shape.dim[i] <= x->shape.dim[i];
    if (!fits)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the part does not fit what it is written into, at %d indices", n);
    for (int i = 0; i < n; i++)
        at[i] = SL_MAX(0, SL_MIN(at[i], x->shape.dim[i] - part->shape.dim[i]));
    SL_TRY(sl_build_write(c->b, x, at, part, &x));
    return tfl_out(c, 0, x);
}

/* The first `length` steps of a row backwards, the others as they are. */
static sluice_status turn_steps(struct tfl_import *c, struct sl_node *row, int axis, int64_t length, struct sl_node **out)
{
    int64_t from[SL_MAX_RANK] = {0}, to[SL_MAX_RANK], by[SL_MAX_RANK], dim = row->shape.dim[axis];
    struct sl_node *parts[2];
    *out = row;
    if (length < 2)
        return SLUICE_OK;
    for (int k = 0; k < row->shape.rank; k++) {
        to[k] = row->shape.dim[k];
        by[k] = 1;
    }
    from[axis] = length - 1;
    to[axis] = by[axis] = -1;
    SL_TRY(sl_build_slice(c->b, row, from, to, by, &parts[0]));
    if (length < dim)
        SL_TRY(sl_build_slice_axis(c->b, row, axis, length, dim, &parts[1]));
    return sl_build_concat(c->b, axis, length < dim ? 2 : 1, parts, out);
}

sluice_status tflop_reverse_sequence(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, **rows;
    const struct sl_const *lengths;
    int axis, batch;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_const(c, 1, "lengths", &lengths));
    SL_TRY(sl_build_axis(c->b, flat_s32(&op->options, SEQUENCE_AXIS, 0), x->shape.rank, &axis));
    SL_TRY(sl_build_axis(c->b, flat_s32(&op->options, SEQUENCE_BATCH, 0), x->shape.rank, &batch));
    int64_t n = x->shape.dim[batch];
    if (axis == batch || n < 1 || (int64_t)sl_shape_elements(&lengths->shape) != n)
        return sl_fail(c->e, SLUICE_E_VALUE, "axes %d and %d with %zu lengths", axis, batch,
                       sl_shape_elements(&lengths->shape));
    SL_TRY(sl_build_take(c->b, (size_t)n * 64)); /* what the layers of a row take */
    rows = SL_NEW_ARRAY(c->a, struct sl_node *, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t length = sl_const_integer(lengths, (size_t)i);
        if (length < 0 || length > x->shape.dim[axis])
            return sl_fail(c->e, SLUICE_E_VALUE, "length %lld of %lld steps", (long long)length, (long long)x->shape.dim[axis]);
        SL_TRY(sl_build_slice_axis(c->b, x, batch, i, i + 1, &rows[i]));
        SL_TRY(turn_steps(c, rows[i], axis, length, &rows[i]));
    }
    SL_TRY(sl_build_concat(c->b, batch, (int)n, rows, &x));
    return tfl_out(c, 0, x);
}

/* ---- logic ---- */

/* REDUCE_ANY, REDUCE_ALL: the largest or smallest of 0 and 1. */
sluice_status tflop_reduce_logical(struct tfl_import *c, const struct tfl_operator *op)
{
    enum { REDUCE_ANY = 91 };
    struct sl_node *x;
    int64_t axes[2 * SL_MAX_RANK];
    bool seen[SL_MAX_RANK] = {false};
    int n, count = 0, axis;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "axes", &n, axes));
    for (int i = 0; i < n; i++) {
        SL_TRY(sl_build_axis(c->b, axes[i], x->shape.rank, &axis));
        seen[axis] = true;
    }
    for (int i = 0; i < x->shape.rank; i++)
        if (seen[i])
            axes[count++] = i;
    SL_TRY(sl_build_cast(c->b, x, SL_F32, &x));
    SL_TRY(sl_build_reduce(c->b, op->code == REDUCE_ANY ? SL_OP_reduce_max : SL_OP_reduce_min, x, count, axes,
                           flat_u8(&op->options, REDUCE_KEEP_DIMS, 0) != 0, &x));
    SL_TRY(sl_build_cast(c->b, x, SL_BOOL, &x));
    return tfl_out(c, 0, x);
}

sluice_status tflop_logical(struct tfl_import *c, const struct tfl_operator *op)
{
    enum { LOGICAL_OR = 84, LOGICAL_NOT = 87 };
    struct sl_node *x, *y;
    SL_TRY(input(c, 0, &x));
    if (op->code == LOGICAL_NOT) {
        y = sl_build_add(c->b, SL_OP_predicate, 1, &x);
        sl_set_string(c->g, y, "type", "not");
        SL_TRY(sl_build_finish(c->b, &y));
        return tfl_out(c, 0, y);
    }
    SL_TRY(input(c, 1, &y));
    SL_TRY(sl_build_binary(c->b, op->code == LOGICAL_OR ? SL_OP_ew_or : SL_OP_ew_and, x, y, &y));
    return tfl_out(c, 0, y);
}
