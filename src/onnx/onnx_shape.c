/*
 * onnx_shape.c: operators that move data or speak of shapes: Reshape, Transpose, Slice, Split, Concat, Pad, Expand ... Shapes
 * are static here, so whatever computes one from constants or from Shape has already been folded.
 */
#include <string.h>

#include "onnx/onnx_import.h"

/* ---- shape as data ---- */

sluice_status translate_shape(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_shape s = {0};
    SL_TRY(onnx_shape_in(c, 0, &s));
    int64_t rank = s.rank, from = onnx_attr_int(c, "start", 0), to = onnx_attr_int(c, "end", rank);
    from = SL_MAX(0, SL_MIN(rank, from < 0 ? SL_MAX(from, -rank) + rank : from));
    to = SL_MAX(0, SL_MIN(rank, to < 0 ? SL_MAX(to, -rank) + rank : to));
    return onnx_out(c, 0, sl_build_ints(c->b, SL_S64, 1, to > from ? (int)(to - from) : 0, s.dim + from));
}

sluice_status translate_size(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_shape s = {0};
    SL_TRY(onnx_shape_in(c, 0, &s));
    const struct sl_shape scalar = {0};
    int64_t count = (int64_t)sl_shape_elements(&s);
    return onnx_out(c, 0, sl_build_const(c->b, sl_const_splat(c->a, SL_S64, &scalar, &count)));
}

/* ---- one order, other shapes ---- */

/* 0 copies the input's dimension (unless allowzero), one -1 takes what is left. */
static sluice_status resolve_shape(struct onnx_import *c, const struct sl_shape *in, int n, int64_t *dims, bool zero_is_zero)
{
    int64_t known = 1, total = (int64_t)sl_shape_elements(in);
    int free_axis = -1;
    for (int i = 0; i < n; i++) {
        if (dims[i] == 0 && !zero_is_zero) {
            if (i >= in->rank)
                return sl_fail(c->e, SLUICE_E_SHAPE, "shape entry %d copies a dimension that the input does not have", i);
            dims[i] = in->dim[i];
        }
        if (dims[i] == -1 && free_axis < 0) {
            free_axis = i;
            continue;
        }
        if (dims[i] < 0 || (dims[i] > 0 && known > ((int64_t)1 << 46) / dims[i]))
            return sl_fail(c->e, SLUICE_E_SHAPE, "shape entry %d is %lld", i, (long long)dims[i]);
        known *= dims[i];
    }
    if (free_axis >= 0) {
        if (known == 0 || total % known)
            return sl_fail(c->e, SLUICE_E_SHAPE, "%lld elements cannot be divided by the %lld of the other dimensions",
                           (long long)total, (long long)known);
        dims[free_axis] = total / known;
    }
    return SLUICE_OK;
}

sluice_status translate_reshape(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int count;
    int64_t dims[64];
    const int64_t *given;
    SL_TRY(onnx_in(c, 0, &x));
    if (c->scope->opset < 5) {
        given = onnx_attr_ints(c, "shape", &count);
    } else {
        int64_t *read;
        if (n->n_in < 2)
            return sl_fail(c->e, SLUICE_E_FORMAT, "the shape input is missing");
        SL_TRY(onnx_need_ints(c, 1, "shape", &count, &read));
        given = read;
    }
    if (count > SL_MAX_RANK)
        return sl_unsupported(c->b, "a shape of %d dimensions, at most %d are supported", count, SL_MAX_RANK);
    for (int i = 0; i < count; i++)
        dims[i] = given[i];
    SL_TRY(resolve_shape(c, &x->shape, count, dims, onnx_attr_int(c, "allowzero", 0) != 0));
    SL_TRY(onnx_reshape(c, x, count, dims, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_flatten(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    SL_TRY(onnx_in(c, 0, &x));
    int64_t axis = onnx_attr_int(c, "axis", 1), dims[2] = {1, 1};
    int rank = x->shape.rank;
    if (axis < -rank || axis > rank)
        return sl_fail(c->e, SLUICE_E_VALUE, "axis %lld is outside %d..%d", (long long)axis, -rank, rank);
    axis += axis < 0 ? rank : 0;
    for (int i = 0; i < rank; i++)
        dims[i >= axis] *= x->shape.dim[i];
    SL_TRY(onnx_reshape(c, x, 2, dims, &y));
    return onnx_out(c, 0, y);
}

/* Axes of Squeeze, Unsqueeze and the reductions: an attribute in older opsets, an input since `opset_of_input`. */
sluice_status onnx_axes(struct onnx_import *c, int input, int opset_of_input, int rank, int *n, int64_t *axes, bool *given)
{
    const int64_t *list;
    int count = 0;
    *n = 0;
    if (c->scope->opset >= opset_of_input) {
        int64_t *read = NULL;
        *given = onnx_has_in(c, input);
        if (*given)
            SL_TRY(onnx_need_ints(c, input, "axes", &count, &read));
        list = read;
    } else {
        *given = onnx_attribute(c, "axes") != NULL;
        list = onnx_attr_ints(c, "axes", &count);
    }
    bool seen[SL_MAX_RANK] = {false};
    if (count > rank)
        return sl_fail(c->e, SLUICE_E_VALUE, "%d axes of a tensor of %d dimensions", count, rank);
    for (int i = 0; i < count; i++) {
        int axis;
        SL_TRY(sl_build_axis(c->b, list[i], rank, &axis));
        if (seen[axis])
            return sl_fail(c->e, SLUICE_E_VALUE, "axis %d is named twice", axis);
        seen[axis] = true;
    }
    for (int i = 0; i < rank; i++)
        if (seen[i])
            axes[(*n)++] = i;
    return SLUICE_OK;
}

sluice_status translate_squeeze(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int count, rank = 0;
    int64_t axes[SL_MAX_RANK], dims[SL_MAX_RANK];
    bool given, drop[SL_MAX_RANK] = {false};
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_axes(c, 1, 13, x->shape.rank, &count, axes, &given));
    for (int i = 0; i < x->shape.rank; i++)
        drop[i] = !given && x->shape.dim[i] == 1;
    for (int i = 0; i < count; i++) {
        drop[axes[i]] = true;
        if (x->shape.dim[axes[i]] != 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "axis %lld has %lld elements, only 1 can be squeezed", (long long)axes[i],
                           (long long)x->shape.dim[axes[i]]);
    }
    for (int i = 0; i < x->shape.rank; i++)
        if (!drop[i])
            dims[rank++] = x->shape.dim[i];
    SL_TRY(onnx_reshape(c, x, rank, dims, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_unsqueeze(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int count, at = 0;
    int64_t axes[SL_MAX_RANK], dims[SL_MAX_RANK];
    bool given, added[SL_MAX_RANK] = {false};
    SL_TRY(onnx_in(c, 0, &x));
    int n_axes = 0;
    if (c->scope->opset >= 13) {
        int64_t *read;
        SL_TRY(onnx_need_ints(c, 1, "axes", &n_axes, &read));
    } else {
        (void)onnx_attr_ints(c, "axes", &n_axes);
    }
    int rank = x->shape.rank + n_axes;
    if (rank > SL_MAX_RANK)
        return sl_unsupported(c->b, "a result of %d dimensions, at most %d are supported", rank, SL_MAX_RANK);
    SL_TRY(onnx_axes(c, 1, 13, rank, &count, axes, &given));
    for (int i = 0; i < count; i++)
        added[axes[i]] = true;
    for (int i = 0; i < rank; i++)
        dims[i] = added[i] ? 1 : x->shape.dim[at++];
    SL_TRY(onnx_reshape(c, x, rank, dims, &y));
    return onnx_out(c, 0, y);
}

/* ---- other orders ---- */

sluice_status translate_transpose(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int count;
    int64_t perm[SL_MAX_RANK];
    unsigned seen = 0;
    SL_TRY(onnx_in(c, 0, &x));
    const int64_t *given = onnx_attr_ints(c, "perm", &count);
    if (given && count != x->shape.rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "perm has %d entries, the input %d dimensions", count, x->shape.rank);
    for (int i = 0; i < x->shape.rank; i++) {
        perm[i] = given ? given[i] : x->shape.rank - 1 - i;
        if (perm[i] < 0 || perm[i] >= x->shape.rank || seen & 1u << perm[i])
            return sl_fail(c->e, SLUICE_E_VALUE, "perm is not a permutation: %lld", (long long)perm[i]);
        seen |= 1u << perm[i];
    }
    SL_TRY(sl_build_transpose(c->b, x, perm, &y));
    return onnx_out(c, 0, y);
}

/* blocksize b: depth to space in the order DCR or CRD, in terms of channels-last data. */
static sluice_status depth_space(struct onnx_import *c, enum sl_op op, const char *mode)
{
    struct sl_node *x, *y;
    int64_t block = onnx_attr_int(c, "blocksize", 0);
    SL_TRY(onnx_in(c, 0, &x));
    if (x->shape.rank != 4)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input has %d dimensions, 4 are wanted", x->shape.rank);
    if (block < 1 || block > 1 << 15)
        return sl_fail(c->e, SLUICE_E_VALUE, "blocksize %lld is outside 1..%d", (long long)block, 1 << 15);
    SL_TRY(onnx_channels_last(c, x, &x));
    y = sl_build_add(c->b, op, 1, &x);
    sl_set_int(c->g, y, "block", block);
    sl_set_string(c->g, y, "mode", mode);
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_depth_to_space(struct onnx_import *c, const struct onnx_node *n)
{
    const char *mode = onnx_attr_string(c, "mode", "DCR");
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "mode '%s' is not DCR or CRD", mode);
    return depth_space(c, SL_OP_depth_to_space, mode[0] == 'D' ? "dcr" : "crd");
}

sluice_status translate_space_to_depth(struct onnx_import *c, const struct onnx_node *n)
{
    return depth_space(c, SL_OP_space_to_depth, "dcr");
}

/* ---- parts ---- */

/* One axis of a Slice, clamped as NumPy does; an end of -1 after normalizing means "before the first". */
static void clamp_slice(int64_t dim, int64_t start, int64_t end, int64_t step, int64_t *from, int64_t *to)
{
    start = start < 0 ? SL_MAX(start, -dim - 1) + dim : start; /* may be -1: before the first */
    end = end < 0 ? SL_MAX(end, -dim - 1) + dim : end;
    if (step > 0) {
        *from = SL_MAX(0, SL_MIN(start, dim));
        *to = SL_MAX(*from, SL_MIN(end, dim));
    } else {
        *from = SL_MAX(0, SL_MIN(start, dim - 1));
        *to = SL_MIN(*from, SL_MAX(-1, end));
        if (start < 0)
            *to = *from;
    }
}

static sluice_status slice_lists(struct onnx_import *c, int rank, int *n, int64_t **starts, int64_t **ends, int64_t **axes,
                                 int64_t **steps)
{
    int n_ends, n_axes = 0, n_steps = 0;
    if (c->scope->opset < 10) {
        *starts = (int64_t *)onnx_attr_ints(c, "starts", n);
        *ends = (int64_t *)onnx_attr_ints(c, "ends", &n_ends);
        *axes = (int64_t *)onnx_attr_ints(c, "axes", &n_axes);
    } else {
        SL_TRY(onnx_need_ints(c, 1, "starts", n, starts));
        SL_TRY(onnx_need_ints(c, 2, "ends", &n_ends, ends));
        if (onnx_has_in(c, 3))
            SL_TRY(onnx_need_ints(c, 3, "axes", &n_axes, axes));
        if (onnx_has_in(c, 4))
            SL_TRY(onnx_need_ints(c, 4, "steps", &n_steps, steps));
    }
    if (n_ends != *n || *n > rank || (*axes && n_axes != *n) || (*steps && n_steps != *n))
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d starts, %d ends, %d axes and %d steps do not go together on %d dimensions", *n,
                       n_ends, n_axes, n_steps, rank);
    return SLUICE_OK;
}

sluice_status translate_slice(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int count;
    int64_t *starts, *ends, *axes = NULL, *steps = NULL, from[SL_MAX_RANK], to[SL_MAX_RANK], by[SL_MAX_RANK];
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(slice_lists(c, x->shape.rank, &count, &starts, &ends, &axes, &steps));
    for (int i = 0; i < x->shape.rank; i++) {
        from[i] = 0;
        to[i] = x->shape.dim[i];
        by[i] = 1;
    }
    for (int i = 0; i < count; i++) {
        int axis;
        SL_TRY(sl_build_axis(c->b, axes ? axes[i] : i, x->shape.rank, &axis));
        by[axis] = steps ? steps[i] : 1;
        if (by[axis] == 0)
            return sl_fail(c->e, SLUICE_E_VALUE, "step 0 on axis %d", axis);
        by[axis] = SL_MAX(-INT32_MAX, SL_MIN(INT32_MAX, by[axis]));
        clamp_slice(x->shape.dim[axis], starts[i], ends[i], by[axis], &from[axis], &to[axis]);
    }
    SL_TRY(sl_build_slice(c->b, x, from, to, by, &y));
    return onnx_out(c, 0, y);
}

/* Sizes of the parts: `split` as attribute (before 13) or input, num_outputs (18), or as many equal parts as outputs. */
static sluice_status split_sizes(struct onnx_import *c, int64_t dim, int n_out, int64_t *sizes)
{
    const int64_t *given = NULL;
    int count = 0;
    if (c->scope->opset < 13 && (c->scope->opset >= 2 || !onnx_has_in(c, 1))) {
        given = onnx_attr_ints(c, "split", &count);
    } else if (onnx_has_in(c, 1)) {
        int64_t *read;
        SL_TRY(onnx_need_ints(c, 1, "split", &count, &read));
        given = read;
    }
    int64_t parts = onnx_attr_int(c, "num_outputs", n_out), sum = 0;
    if (given && count != n_out)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d split sizes for %d outputs", count, n_out);
    if (parts < n_out || parts > INT32_MAX)
        return sl_fail(c->e, SLUICE_E_VALUE, "num_outputs %lld, but there are %d", (long long)parts, n_out);
    int64_t each = (dim + parts - 1) / parts; /* the last part may be smaller, since opset 18 */
    for (int i = 0; i < n_out; i++) {
        sizes[i] = given ? given[i] : SL_MIN(each, dim - sum);
        if (sizes[i] < 0 || sizes[i] > dim)
            return sl_fail(c->e, SLUICE_E_VALUE, "split size %lld of an axis of %lld", (long long)sizes[i], (long long)dim);
        sum += sizes[i];
    }
    if (parts == n_out && sum != dim)
        return sl_fail(c->e, SLUICE_E_SHAPE, "split sizes add up to %lld, the axis has %lld", (long long)sum, (long long)dim);
    return SLUICE_OK;
}

sluice_status translate_split(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int axis;
    int64_t from = 0, *sizes = SL_NEW_ARRAY(c->a, int64_t, (size_t)n->n_out + 1);
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x->shape.rank, &axis));
    SL_TRY(split_sizes(c, x->shape.dim[axis], n->n_out, sizes));
    for (int i = 0; i < n->n_out; i++) {
        SL_TRY(sl_build_slice_axis(c->b, x, axis, from, from + sizes[i], &y));
        SL_TRY(onnx_out(c, i, y));
        from += sizes[i];
    }
    return SLUICE_OK;
}

sluice_status translate_concat(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *y, **in = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)n->n_in);
    int axis, kept = 0, full = 0;
    for (int i = 0; i < n->n_in; i++) {
        SL_TRY(onnx_in(c, i, &in[i]));
        if (!in[i])
            return sl_fail(c->e, SLUICE_E_FORMAT, "input %d is left out", i);
        full += sl_shape_elements(&in[i]->shape) > 0;
    }
    for (int i = 0; i < n->n_in; i++) /* what holds nothing adds nothing; where nothing holds anything, the axis still grows */
        if (full == 0 || sl_shape_elements(&in[i]->shape) > 0)
            in[kept++] = in[i];
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 1), in[0]->shape.rank, &axis));
    SL_TRY(sl_build_concat(c->b, axis, kept, in, &y));
    return onnx_out(c, 0, y);
}

/* ---- growing ---- */

sluice_status translate_expand(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    int count;
    int64_t *dims;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_need_ints(c, 1, "shape", &count, &dims));
    struct sl_shape to = {.rank = SL_MAX(count, x->shape.rank)};
    if (to.rank > SL_MAX_RANK)
        return sl_unsupported(c->b, "a result of %d dimensions, at most %d are supported", to.rank, SL_MAX_RANK);
    for (int i = 1; i <= to.rank; i++) { /* from the last axis: both ways of broadcasting */
        int64_t have = i <= x->shape.rank ? x->shape.dim[x->shape.rank - i] : 1, want = i <= count ? dims[count - i] : 1;
        if (want < 0 || (have != 1 && want != 1 && have != want))
            return sl_fail(c->e, SLUICE_E_SHAPE, "a dimension of %lld cannot be expanded to %lld", (long long)have,
                           (long long)want);
        to.dim[to.rank - i] = have == 1 ? want : have;
    }
    size_t total;
    if (!sl_shape_count(&to, &total))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the expanded shape is too large");
    SL_TRY(sl_build_expand(c->b, x, &to, &y));
    return onnx_out(c, 0, y);
}

/* x `repeats` times behind itself. */
static sluice_status tile_axis(struct onnx_import *c, struct sl_node *x, int axis, int64_t repeats, struct sl_node **out)
{
    struct sl_node *parts[64];
    struct sl_shape to = x->shape;
    size_t total;
    if (to.dim[axis] > INT32_MAX)
        return sl_fail(c->e, SLUICE_E_SHAPE, "an axis of %lld cannot be repeated", (long long)to.dim[axis]);
    to.dim[axis] *= repeats;
    if (!sl_shape_count(&to, &total))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the repeated shape is too large");
    if (x->shape.dim[axis] == 1)
        return sl_build_expand(c->b, x, &to, out);
    if (repeats > 0 && repeats <= (int64_t)SL_COUNT(parts)) {
        for (int64_t i = 0; i < repeats; i++)
            parts[i] = x;
        return sl_build_concat(c->b, axis, (int)repeats, parts, out);
    }
    int64_t rows[3] = {1, 1, 1};
    for (int i = 0; i < x->shape.rank; i++)
        rows[i < axis ? 0 : 2] *= x->shape.dim[i];
    const struct sl_shape repeated = sl_shape_of(3, (int64_t[]){rows[0], repeats, rows[2]});
    SL_TRY(sl_build_reshape(c->b, x, 3, rows, &x));
    SL_TRY(sl_build_expand(c->b, x, &repeated, &x));
    return sl_build_reshape(c->b, x, to.rank, to.dim, out);
}

sluice_status translate_tile(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    int count;
    int64_t *repeats;
    SL_TRY(onnx_in(c, 0, &x));
    if (c->scope->opset < 6)
        return sl_unsupported(c->b, "the form of opset 1 (tiles and axis)");
    SL_TRY(onnx_need_ints(c, 1, "repeats", &count, &repeats));
    if (count != x->shape.rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d repeats for %d dimensions", count, x->shape.rank);
    for (int axis = 0; axis < count; axis++) {
        if (repeats[axis] < 0 || repeats[axis] > 1 << 20)
            return sl_fail(c->e, SLUICE_E_VALUE, "repeats %lld is outside 0..%d", (long long)repeats[axis], 1 << 20);
        if (repeats[axis] != 1)
            SL_TRY(tile_axis(c, x, axis, repeats[axis], &x));
    }
    return onnx_out(c, 0, x);
}

/* Pads before and after each axis: attribute `pads` (`paddings` in opset 1), input since 11; since 18 only of the named axes.
 */
static sluice_status pad_list(struct onnx_import *c, int rank, int64_t *pads)
{
    const int64_t *given;
    int count;
    int64_t axes[SL_MAX_RANK];
    int n_axes = 0;
    bool named = false;
    if (c->scope->opset < 11) {
        given = onnx_attr_ints(c, c->scope->opset < 2 ? "paddings" : "pads", &count);
    } else {
        int64_t *read, *list;
        SL_TRY(onnx_need_ints(c, 1, "pads", &count, &read));
        given = read;
        named = onnx_has_in(c, 3);
        if (named) {
            SL_TRY(onnx_need_ints(c, 3, "axes", &n_axes, &list));
            for (int i = 0; i < n_axes && i < rank; i++) {
                int axis;
                SL_TRY(sl_build_axis(c->b, list[i], rank, &axis));
                axes[i] = axis;
            }
        }
    }
    for (int i = 0; i < rank && !named; i++)
        axes[n_axes++] = i;
    if (n_axes > rank || count != 2 * n_axes)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d pads for %d axes", count, n_axes);
    for (int i = 0; i < n_axes; i++) {
        pads[axes[i]] = given[i];
        pads[rank + axes[i]] = given[n_axes + i];
    }
    return SLUICE_OK;
}

/* Negative pads cut: a slice before the pad. */
static sluice_status cut_negative(struct onnx_import *c, struct sl_node **x, int64_t *pads)
{
    int rank = (*x)->shape.rank;
    int64_t from[SL_MAX_RANK], to[SL_MAX_RANK], by[SL_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        from[i] = SL_MAX(0, -pads[i]);
        to[i] = (*x)->shape.dim[i] - SL_MAX(0, -pads[rank + i]);
        by[i] = 1;
        if (from[i] > to[i])
            return sl_fail(c->e, SLUICE_E_SHAPE, "negative pads remove more than axis %d has", i);
        pads[i] = SL_MAX(0, pads[i]);
        pads[rank + i] = SL_MAX(0, pads[rank + i]);
    }
    return sl_build_slice(c->b, *x, from, to, by, x);
}

static sluice_status pad_value(struct onnx_import *c, double *out)
{
    const struct sl_const *k = NULL;
    *out = onnx_attr_float(c, "value", 0);
    if (c->scope->opset >= 11 && onnx_has_in(c, 2)) {
        SL_TRY(onnx_need_const(c, 2, "constant_value", &k));
        if (!sl_const_scalar(k, out))
            return sl_fail(c->e, SLUICE_E_SHAPE, "constant_value is not one number");
    }
    return SLUICE_OK;
}

sluice_status translate_pad(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    int64_t pads[2 * SL_MAX_RANK] = {0};
    double value;
    const char *mode = onnx_attr_string(c, "mode", "constant");
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(pad_list(c, x->shape.rank, pads));
    if (strcmp(mode, "wrap") == 0)
        return onnx_pad_wrap(c, x, pads);
    if (strcmp(mode, "constant") != 0 && strcmp(mode, "edge") != 0 && strcmp(mode, "reflect") != 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "mode '%s' is not constant, edge, reflect or wrap", mode);
    SL_TRY(pad_value(c, &value));
    for (int i = 0; i < 2 * x->shape.rank; i++)
        if (pads[i] < -INT32_MAX || pads[i] > INT32_MAX)
            return sl_fail(c->e, SLUICE_E_VALUE, "pad %lld is too large", (long long)pads[i]);
    SL_TRY(cut_negative(c, &x, pads));
    SL_TRY(sl_build_pad(c->b, x, pads, mode, value, &x));
    return onnx_out(c, 0, x);
}

sluice_status onnx_pad_wrap(struct onnx_import *c, struct sl_node *x, int64_t *pads)
{
    int rank = x->shape.rank;
    SL_TRY(cut_negative(c, &x, pads));
    for (int i = 0; i < rank; i++) {
        struct sl_node *parts[3];
        int n_parts = 0;
        int64_t dim = x->shape.dim[i], before = pads[i], after = pads[rank + i];
        if (before > dim || after > dim)
            return sl_unsupported(c->b, "wrapping pads larger than the axis");
        if (before)
            SL_TRY(sl_build_slice_axis(c->b, x, i, dim - before, dim, &parts[n_parts++]));
        parts[n_parts++] = x;
        if (after)
            SL_TRY(sl_build_slice_axis(c->b, x, i, 0, after, &parts[n_parts++]));
        SL_TRY(sl_build_concat(c->b, i, n_parts, parts, &x));
    }
    return onnx_out(c, 0, x);
}
