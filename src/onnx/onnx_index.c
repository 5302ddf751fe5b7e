/* onnx_index.c: order and indices: ArgMax, TopK, CumSum, the Gather and Scatter families, OneHot, Trilu, Compress ... */
#include <string.h>

#include "front/fixed_gather.h"
#include "front/scatter.h"
#include "onnx/onnx_import.h"

/* ---- order ---- */

sluice_status translate_arg(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int axis;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x->shape.rank, &axis));
    y = sl_build_add(c->b, n->op_type[3] == 'M' && n->op_type[4] == 'a' ? SL_OP_argmax : SL_OP_argmin, 1, &x);
    sl_set_int(c->g, y, "axis", axis);
    sl_set_int(c->g, y, "keepdims", onnx_attr_int(c, "keepdims", 1) != 0);
    sl_set_int(c->g, y, "select_last_index", onnx_attr_int(c, "select_last_index", 0) != 0);
    SL_TRY(sl_build_finish(c->b, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_top_k(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int axis, count = 1;
    int64_t attribute = onnx_attr_int(c, "k", -1), *k = &attribute;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", -1), x->shape.rank, &axis));
    if (c->scope->opset >= 10)
        SL_TRY(onnx_need_ints(c, 1, "k", &count, &k));
    if (count != 1 || *k < 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "k is not one number of at least 0");
    for (int i = 0; i < 2; i++) {
        if (!onnx_wants_out(c, i))
            continue;
        y = sl_build_add(c->b, SL_OP_top_k, 1, &x);
        sl_set_int(c->g, y, "axis", axis);
        sl_set_int(c->g, y, "k", *k);
        sl_set_int(c->g, y, "largest", onnx_attr_int(c, "largest", 1) != 0);
        sl_set_int(c->g, y, "sorted", onnx_attr_int(c, "sorted", 1) != 0);
        sl_set_string(c->g, y, "output", i ? "indices" : "values");
        SL_TRY(sl_build_finish(c->b, &y));
        SL_TRY(onnx_out(c, i, y));
    }
    return SLUICE_OK;
}

/* Hardmax: as Softmax, everything from the axis on was one line before opset 13. */
sluice_status translate_hardmax(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int axis;
    bool flat = c->scope->opset < 13;
    SL_TRY(onnx_in(c, 0, &x));
    struct sl_shape s = x->shape;
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", flat ? 1 : -1), s.rank, &axis));
    if (flat) {
        int64_t dims[2] = {1, 1};
        for (int i = 0; i < s.rank; i++)
            dims[i >= axis] *= s.dim[i];
        SL_TRY(onnx_reshape(c, x, 2, dims, &x));
        axis = 1;
    }
    y = sl_build_add(c->b, SL_OP_hardmax, 1, &x);
    sl_set_int(c->g, y, "axis", axis);
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_reshape(c, y, s.rank, s.dim, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_cum_sum(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int count, axis;
    const struct sl_const *k;
    int64_t *list;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_need_const(c, 1, "axis", &k));
    SL_TRY(onnx_const_ints(c, k, "axis", &count, &list));
    if (count != 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "axis is not one number");
    SL_TRY(sl_build_axis(c->b, list[0], x->shape.rank, &axis));
    y = sl_build_add(c->b, SL_OP_cumsum, 1, &x);
    sl_set_int(c->g, y, "axis", axis);
    sl_set_int(c->g, y, "exclusive", onnx_attr_int(c, "exclusive", 0) != 0);
    sl_set_int(c->g, y, "reverse", onnx_attr_int(c, "reverse", 0) != 0);
    SL_TRY(sl_build_finish(c->b, &y));
    return onnx_out(c, 0, y);
}

/* ---- gather ---- */

/* Constant indices, made positive and checked. */
static sluice_status checked_indices(struct onnx_import *c, const struct sl_const *k, int64_t dim, const struct sl_const **out)
{
    void *data;
    size_t count = sl_shape_elements(&k->shape);
    *out = sl_const_new(c->a, SL_S64, &k->shape, &data);
    if (!*out)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for %zu indices", count);
    int64_t *at = data;
    for (size_t i = 0; i < count; i++) {
        int64_t v = sl_const_integer(k, i);
        if (v < -dim || v >= dim)
            return sl_fail(c->e, SLUICE_E_VALUE, "index %lld is outside an axis of %lld", (long long)v, (long long)dim);
        at[i] = v < 0 ? v + dim : v;
    }
    return SLUICE_OK;
}

sluice_status onnx_gather(struct onnx_import *c, struct sl_node *x, const struct sl_const *k, int axis, struct sl_node **out)
{
    const struct sl_const *indices;
    if (x->shape.rank - 1 + k->shape.rank > SL_MAX_RANK)
        return sl_unsupported(c->b, "a result of %d dimensions, at most %d are supported", x->shape.rank - 1 + k->shape.rank,
                              SL_MAX_RANK);
    SL_TRY(checked_indices(c, k, x->shape.dim[axis], &indices));
    *out = sl_build_add(c->b, SL_OP_gather, 1, &x);
    sl_set_int(c->g, *out, "axis", axis);
    sl_set_param(c->g, *out, "indices", indices);
    return sl_build_finish(c->b, out);
}

sluice_status translate_gather(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    const struct sl_const *k;
    int axis;
    SL_TRY(onnx_in_const(c, 1, &k));
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x->shape.rank, &axis));
    if (k) {
        SL_TRY(onnx_gather(c, x, k, axis, &y));
        return onnx_out(c, 0, y);
    }
    struct sl_node *in[2] = {x};
    SL_TRY(onnx_in(c, 1, &in[1]));
    y = sl_build_add(c->b, SL_OP_gather_dynamic, 2, in);
    sl_set_int(c->g, y, "axis", axis);
    SL_TRY(sl_build_finish(c->b, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_gather_elements(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *indices, *y;
    int axis;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &indices));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x->shape.rank, &axis));
    SL_TRY(sl_build_gather_elements(c->b, x, indices, axis, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_gather_nd(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *indices, *y;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &indices));
    SL_TRY(sl_build_gather_nd(c->b, x, indices, onnx_attr_int(c, "batch_dims", 0), &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_scatter_elements(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[3], *y;
    int axis;
    for (int i = 0; i < 3; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), in[0]->shape.rank, &axis));
    SL_TRY(sl_build_scatter_elements(c->b, in, axis, onnx_attr_string(c, "reduction", "none"), &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_scatter_nd(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[3], *y;
    for (int i = 0; i < 3; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    SL_TRY(sl_build_scatter(c->b, in, onnx_attr_string(c, "reduction", "none"), &y));
    return onnx_out(c, 0, y);
}

/* The positions where a constant condition holds. */
sluice_status translate_compress(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    const struct sl_const *k;
    int axis = 0;
    size_t found = 0;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_need_const(c, 1, "condition", &k));
    if (onnx_attribute(c, "axis"))
        SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x->shape.rank, &axis));
    else
        SL_TRY(onnx_reshape(c, x, 1, (int64_t[]){(int64_t)sl_shape_elements(&x->shape)}, &x));
    size_t count = sl_shape_elements(&k->shape);
    int64_t *at = SL_NEW_ARRAY(c->a, int64_t, count);
    for (size_t i = 0; i < count; i++)
        if (sl_const_integer(k, i))
            at[found++] = (int64_t)i;
    struct sl_shape s = {1, {(int64_t)found}};
    SL_TRY(onnx_gather(c, x, sl_const_view(c->a, SL_S64, &s, at), axis, &y));
    return onnx_out(c, 0, y);
}

/* ---- made of others ---- */

/* indices == 0..depth-1, then off + mask * (on - off) by choosing. */
sluice_status translate_one_hot(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *indices, *values, *in[3], *range, *depth_node;
    const struct sl_const *k;
    double depth;
    int axis;
    int64_t dims[SL_MAX_RANK + 1];
    SL_TRY(onnx_in(c, 0, &indices));
    SL_TRY(onnx_in(c, 2, &values));
    SL_TRY(onnx_need_const(c, 1, "depth", &k));
    int rank = indices->shape.rank + 1;
    if (!sl_const_scalar(k, &depth) || depth < 1 || depth > 1 << 24 || rank > SL_MAX_RANK)
        return sl_fail(c->e, SLUICE_E_VALUE, "depth %g on %d dimensions", sl_const_number(k, 0), rank - 1);
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", -1), rank, &axis));
    if (values->shape.rank != 1 || values->shape.dim[0] != 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "values is not a pair");
    SL_TRY(sl_build_cast(c->b, indices, SL_S64, &indices));
    int64_t *numbers = SL_NEW_ARRAY(c->a, int64_t, (size_t)depth);
    for (int64_t i = 0; i < (int64_t)depth; i++)
        numbers[i] = i;
    for (int i = 0; i < rank; i++)
        dims[i] = i == axis ? (int64_t)depth : 1;
    SL_TRY(onnx_reshape(c, sl_build_ints(c->b, SL_S64, 1, (int)depth, numbers), rank, dims, &range));
    for (int i = 0, at = 0; i < rank; i++)
        dims[i] = i == axis ? 1 : indices->shape.dim[at++];
    SL_TRY(onnx_reshape(c, indices, rank, dims, &indices));
    /* Negative indices count from the end: either form may match. */
    const struct sl_shape scalar = {0};
    const int64_t whole = (int64_t)depth;
    depth_node = sl_build_const(c->b, sl_const_splat(c->a, SL_S64, &scalar, &whole));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_equal, indices, range, &in[0]));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, indices, depth_node, &indices));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_equal, indices, range, &in[1]));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_or, in[0], in[1], &in[0]));
    SL_TRY(sl_build_slice_axis(c->b, values, 0, 1, 2, &in[1]));
    SL_TRY(sl_build_slice_axis(c->b, values, 0, 0, 1, &in[2]));
    struct sl_node *y = sl_build_add(c->b, SL_OP_where, 3, in);
    SL_TRY(sl_build_finish(c->b, &y));
    return onnx_out(c, 0, y);
}

/* A constant mask of a triangle, and zeros elsewhere. */
sluice_status translate_trilu(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *in[3], *y;
    const struct sl_const *k;
    double diagonal = 0;
    void *data;
    SL_TRY(onnx_in(c, 0, &x));
    if (onnx_has_in(c, 1)) {
        SL_TRY(onnx_need_const(c, 1, "k", &k));
        if (!sl_const_scalar(k, &diagonal))
            return sl_fail(c->e, SLUICE_E_SHAPE, "k is not one number");
    }
    if (x->shape.rank < 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, at least 2 are wanted", x->shape.rank);
    bool upper = onnx_attr_int(c, "upper", 1) != 0;
    struct sl_shape s = {2, {x->shape.dim[x->shape.rank - 2], x->shape.dim[x->shape.rank - 1]}}, one = {0};
    const struct sl_const *mask;
    SL_TRY(sl_build_new_const(c->b, SL_BOOL, &s, &mask, &data));
    for (int64_t i = 0; i < s.dim[0]; i++)
        for (int64_t j = 0; j < s.dim[1]; j++) {
            double above = (double)(j - i);
            ((uint8_t *)data)[i * s.dim[1] + j] = upper ? above >= diagonal : above <= diagonal;
        }
    const uint64_t zero = 0;
    in[0] = sl_build_const(c->b, mask);
    in[1] = x;
    in[2] = sl_build_const(c->b, sl_const_splat(c->a, x->dtype, &one, &zero));
    y = sl_build_add(c->b, SL_OP_where, 3, in);
    SL_TRY(sl_build_finish(c->b, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_eye_like(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    void *data;
    SL_TRY(onnx_in(c, 0, &x));
    int64_t k = onnx_attr_int(c, "k", 0), type = onnx_attr_int(c, "dtype", 0);
    enum sl_dtype t = type ? onnx_stored_dtype((int32_t)SL_MAX(0, SL_MIN(type, 100))) : x->dtype;
    if (x->shape.rank != 2 || t == SL_NONE)
        return sl_fail(c->e, SLUICE_E_VALUE, "input has %d dimensions, 2 are wanted; dtype %lld", x->shape.rank,
                       (long long)type);
    const struct sl_const *eye;
    SL_TRY(sl_build_new_const(c->b, SL_S64, &x->shape, &eye, &data));
    for (int64_t i = 0; i < x->shape.dim[0]; i++)
        for (int64_t j = 0; j < x->shape.dim[1]; j++)
            ((int64_t *)data)[i * x->shape.dim[1] + j] = k < INT32_MAX && k > -INT32_MAX && j - i == k;
    SL_TRY(sl_build_cast(c->b, sl_build_const(c->b, eye), t, &x));
    return onnx_out(c, 0, x);
}

/* Each batch entry's first `length` steps backwards: constant lengths make slices with negative steps. */
sluice_status translate_reverse_sequence(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *row, *parts[2], **rows;
    int count;
    int64_t *lengths, batch = onnx_attr_int(c, "batch_axis", 1), time = onnx_attr_int(c, "time_axis", 0);
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_need_ints(c, 1, "sequence_lens", &count, &lengths));
    if (x->shape.rank < 2 || batch < 0 || batch > 1 || time != 1 - batch || count != x->shape.dim[batch])
        return sl_fail(c->e, SLUICE_E_VALUE, "axes %lld and %lld with %d lengths", (long long)batch, (long long)time, count);
    rows = SL_NEW_ARRAY(c->a, struct sl_node *, count);
    for (int i = 0; i < count; i++) {
        int64_t dim = x->shape.dim[time], from[SL_MAX_RANK] = {0}, to[SL_MAX_RANK], by[SL_MAX_RANK];
        if (lengths[i] < 0 || lengths[i] > dim)
            return sl_fail(c->e, SLUICE_E_VALUE, "length %lld of %lld steps", (long long)lengths[i], (long long)dim);
        SL_TRY(sl_build_slice_axis(c->b, x, (int)batch, i, i + 1, &row));
        int n_parts = 0;
        for (int k = 0; k < x->shape.rank; k++) {
            to[k] = row->shape.dim[k];
            by[k] = 1;
        }
        if (lengths[i] > 0) {
            from[time] = lengths[i] - 1;
            to[time] = -1;
            by[time] = -1;
            SL_TRY(sl_build_slice(c->b, row, from, to, by, &parts[n_parts++]));
        }
        if (lengths[i] < dim)
            SL_TRY(sl_build_slice_axis(c->b, row, (int)time, lengths[i], dim, &parts[n_parts++]));
        SL_TRY(sl_build_concat(c->b, (int)time, n_parts, parts, &rows[i]));
    }
    SL_TRY(sl_build_concat(c->b, (int)batch, count, rows, &x));
    return onnx_out(c, 0, x);
}
