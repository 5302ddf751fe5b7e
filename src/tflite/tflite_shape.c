/* tflite_shape.c: operators that give values another shape or order: reshapes, transposes, joins, splits, slices, pads, space
 * and batch. */
#include <string.h>

#include "tflite/tflite_import.h"

enum { MOST_PARTS = 4096 };

static sluice_status input(struct tfl_import *c, int i, struct sl_node **x)
{
    SL_TRY(tfl_in(c, i, x));
    return *x ? SLUICE_OK : sl_fail(c->e, SLUICE_E_FORMAT, "input %d is missing", i);
}

/* Moves keep the encoding: so do the nodes between. */
static void keep_encoding(struct sl_node *n, const struct sl_node *from)
{
    if (n != from && n->quant.dtype == SL_NONE)
        n->quant = from->quant;
}

/* ---- reshapes ---- */

/* One -1 stands for what is left; a 0 for nothing (TFLite has no "copy"). */
static sluice_status reshape_to(struct tfl_import *c, struct sl_node *x, int n, int64_t *dims)
{
    int64_t left = (int64_t)sl_shape_elements(&x->shape), known = 1;
    int open = -1;
    for (int i = 0; i < n; i++) {
        if (dims[i] < -1 || (dims[i] == -1 && open >= 0))
            return sl_fail(c->e, SLUICE_E_SHAPE, "dimension %d of the new shape is %lld", i, (long long)dims[i]);
        if (dims[i] == -1)
            open = i;
        else if (dims[i] != 0 && known > INT64_MAX / dims[i])
            return sl_fail(c->e, SLUICE_E_LIMIT, "the new shape is too large");
        else
            known *= dims[i];
    }
    if (open >= 0) {
        if (known == 0 || left % known)
            return sl_fail(c->e, SLUICE_E_SHAPE, "%lld values cannot be reshaped to rows of %lld", (long long)left,
                           (long long)known);
        dims[open] = left / known;
    }
    SL_TRY(sl_build_reshape(c->b, x, n, dims, &x));
    return tfl_out(c, 0, x);
}

sluice_status tflop_reshape(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t dims[2 * SL_MAX_RANK + 1];
    int n = 0;
    SL_TRY(input(c, 0, &x));
    bool parts = tfl_is_complex(c, op->out[0]); /* a last axis of 2 that the file does not count */
    if (parts != tfl_is_complex(c, op->in[0]))
        return sl_fail(c->e, SLUICE_E_FORMAT, "one of the input and the output has complex numbers");
    if (tfl_has_in(c, 1)) {
        SL_TRY(tfl_need_ints(c, 1, "new shape", &n, dims));
        if (parts)
            dims[n++] = 2;
        return reshape_to(c, x, n, dims);
    }
    struct flat_vector v = flat_list(&op->options, RESHAPE_SHAPE, 4);
    if (v.n > SL_MAX_RANK)
        return sl_unsupported(c->b, "a shape of %u dimensions, at most %d are supported", (unsigned)v.n, SL_MAX_RANK);
    for (uint32_t i = 0; i < v.n; i++)
        dims[n++] = flat_item_s32(&v, i);
    if (parts)
        dims[n++] = 2;
    return reshape_to(c, x, n, dims);
}

sluice_status tflop_squeeze(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    struct flat_vector v = flat_list(&op->options, SQUEEZE_AXES, 4);
    bool drop[SL_MAX_RANK] = {0};
    int64_t dims[SL_MAX_RANK];
    int n = 0, axis;
    SL_TRY(input(c, 0, &x));
    for (uint32_t i = 0; i < v.n; i++) {
        SL_TRY(sl_build_axis(c->b, flat_item_s32(&v, i), x->shape.rank, &axis));
        drop[axis] = true;
    }
    for (int i = 0; i < x->shape.rank; i++)
        if (v.n ? !drop[i] : x->shape.dim[i] != 1)
            dims[n++] = x->shape.dim[i];
    return reshape_to(c, x, n, dims);
}

sluice_status tflop_expand_dims(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t axes[2 * SL_MAX_RANK], dims[SL_MAX_RANK];
    int n, axis;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "axis", &n, axes));
    if (n != 1 || x->shape.rank == SL_MAX_RANK)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d axes for a tensor of %d dimensions, one is wanted", n, x->shape.rank);
    SL_TRY(sl_build_axis(c->b, axes[0], x->shape.rank + 1, &axis));
    for (int i = 0, k = 0; i <= x->shape.rank; i++)
        dims[i] = i == axis ? 1 : x->shape.dim[k++];
    SL_TRY(sl_build_reshape(c->b, x, x->shape.rank + 1, dims, &x));
    return tfl_out(c, 0, x);
}

sluice_status tflop_transpose(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t perm[2 * SL_MAX_RANK];
    bool seen[SL_MAX_RANK] = {0};
    int n;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "permutation", &n, perm));
    if (n != x->shape.rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "a permutation of %d axes for %d dimensions", n, x->shape.rank);
    for (int i = 0; i < n; i++) {
        perm[i] += perm[i] < 0 ? n : 0;
        if (perm[i] < 0 || perm[i] >= n || seen[perm[i]])
            return sl_fail(c->e, SLUICE_E_VALUE, "axis %lld in a permutation of %d axes", (long long)perm[i], n);
        seen[perm[i]] = true;
    }
    SL_TRY(tfl_transpose(c, x, perm, &x));
    return tfl_out(c, 0, x);
}

/* ---- joins and splits ---- */

static sluice_status all_inputs(struct tfl_import *c, struct sl_node ***out)
{
    *out = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)c->op->n_in + 1);
    for (int i = 0; i < c->op->n_in; i++)
        SL_TRY(input(c, i, &(*out)[i]));
    return SLUICE_OK;
}

/* Of a list that a loop writes entry by entry, what is before the first entry and behind the last holds nothing; and the parts
 * of the list before (tfl_slice) are joined with the new entry, not with each other first. */
static sluice_status joined(struct tfl_import *c, int axis, int n, struct sl_node *const *in, struct sl_node **out)
{
    int64_t most = 0;
    int left = 0;
    for (int i = 0; i < n; i++)
        most += sl_get_int(in[i], TFL_PARTS, 0) ? in[i]->n_in : 1;
    struct sl_node **parts = SL_NEW_ARRAY(c->a, struct sl_node *, most);
    for (int i = 0; i < n; i++) {
        bool list = sl_get_int(in[i], TFL_PARTS, 0) && sl_get_int(in[i], "axis", -1) == axis;
        struct sl_node *const *from = list ? in[i]->in : &in[i];
        for (int k = 0; k < (list ? in[i]->n_in : 1); k++)
            if (from[k]->shape.rank <= axis || from[k]->shape.dim[axis] > 0)
                parts[left++] = from[k];
    }
    return left ? sl_build_concat(c->b, axis, left, parts, out) : sl_build_concat(c->b, axis, n, in, out);
}

sluice_status tflop_concatenation(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node **in, *y;
    int axis;
    SL_TRY(all_inputs(c, &in));
    SL_TRY(sl_build_axis(c->b, flat_s32(&op->options, CONCAT_AXIS, 0), in[0]->shape.rank, &axis));
    SL_TRY(joined(c, axis, op->n_in, in, &y));
    return tfl_activated_out(c, CONCAT_ACTIVATION, y);
}

sluice_status tflop_pack(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node **in, *y;
    int axis;
    SL_TRY(all_inputs(c, &in));
    int rank = in[0]->shape.rank + 1;
    SL_TRY(sl_build_axis(c->b, flat_s32(&op->options, PACK_AXIS, 0), rank, &axis));
    if (rank > SL_MAX_RANK)
        return sl_unsupported(c->b, "a result of %d dimensions", rank);
    for (int i = 0; i < op->n_in; i++) {
        int64_t dims[SL_MAX_RANK];
        struct sl_node *from = in[i];
        if (from->shape.rank != rank - 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "input %d has %d dimensions, input 0 has %d", i, from->shape.rank, rank - 1);
        for (int k = 0, at = 0; k < rank; k++)
            dims[k] = k == axis ? 1 : from->shape.dim[at++];
        SL_TRY(sl_build_reshape(c->b, from, rank, dims, &in[i]));
        keep_encoding(in[i], from);
    }
    SL_TRY(sl_build_concat(c->b, axis, op->n_in, in, &y));
    return tfl_out(c, 0, y);
}

sluice_status tflop_unpack(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    int axis;
    SL_TRY(input(c, 0, &x));
    SL_TRY(sl_build_axis(c->b, flat_s32(&op->options, PACK_AXIS, 0), x->shape.rank, &axis));
    if (x->shape.dim[axis] != op->n_out)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d outputs of an axis of %lld", op->n_out, (long long)x->shape.dim[axis]);
    for (int i = 0; i < op->n_out; i++) {
        int64_t dims[SL_MAX_RANK];
        SL_TRY(sl_build_slice_axis(c->b, x, axis, i, i + 1, &y));
        keep_encoding(y, x);
        for (int k = 0, at = 0; k < x->shape.rank; k++)
            if (k != axis)
                dims[at++] = x->shape.dim[k];
        SL_TRY(sl_build_reshape(c->b, y, x->shape.rank - 1, dims, &y));
        SL_TRY(tfl_out(c, i, y));
    }
    return SLUICE_OK;
}

static sluice_status split_at(struct tfl_import *c, struct sl_node *x, int axis, int n, const int64_t *sizes)
{
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        struct sl_node *y;
        if (sizes[i] < 0 || sizes[i] > x->shape.dim[axis] - at)
            return sl_fail(c->e, SLUICE_E_SHAPE, "part %d of %lld does not fit an axis of %lld", i, (long long)sizes[i],
                           (long long)x->shape.dim[axis]);
        SL_TRY(sl_build_slice_axis(c->b, x, axis, at, at + sizes[i], &y));
        SL_TRY(tfl_out(c, i, y));
        at += sizes[i];
    }
    return SLUICE_OK;
}

static sluice_status one_axis(struct tfl_import *c, int i, int rank, int *axis)
{
    int64_t v[2 * SL_MAX_RANK];
    int n;
    SL_TRY(tfl_need_ints(c, i, "axis", &n, v));
    if (n != 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d axes, one is wanted", n);
    return sl_build_axis(c->b, v[0], rank, axis);
}

sluice_status tflop_split(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int axis, n = op->n_out;
    SL_TRY(input(c, 1, &x));
    SL_TRY(one_axis(c, 0, x->shape.rank, &axis));
    if (n > MOST_PARTS || x->shape.dim[axis] % n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "an axis of %lld in %d parts", (long long)x->shape.dim[axis], n);
    int64_t *sizes = SL_NEW_ARRAY(c->scratch, int64_t, n);
    for (int i = 0; i < n; i++)
        sizes[i] = x->shape.dim[axis] / n;
    return split_at(c, x, axis, n, sizes);
}

sluice_status tflop_split_v(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    const struct sl_const *k;
    int axis, n = op->n_out, open = -1;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_const(c, 1, "sizes", &k));
    SL_TRY(one_axis(c, 2, x->shape.rank, &axis));
    if (n > MOST_PARTS || sl_shape_elements(&k->shape) != (size_t)n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%zu sizes for %d outputs", sl_shape_elements(&k->shape), n);
    int64_t *sizes = SL_NEW_ARRAY(c->scratch, int64_t, n), left = x->shape.dim[axis];
    for (int i = 0; i < n; i++) {
        sizes[i] = sl_const_integer(k, (size_t)i);
        if (sizes[i] == -1 && open < 0)
            open = i;
        else if (sizes[i] < 0 || sizes[i] > left)
            return sl_fail(c->e, SLUICE_E_SHAPE, "part %d of %lld does not fit", i, (long long)sizes[i]);
        else
            left -= sizes[i];
    }
    if (open >= 0)
        sizes[open] = left;
    return split_at(c, x, axis, n, sizes);
}

/* ---- slices ---- */

sluice_status tflop_slice(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t begin[2 * SL_MAX_RANK], size[2 * SL_MAX_RANK], ends[SL_MAX_RANK], steps[SL_MAX_RANK];
    int n, m;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "begin", &n, begin));
    SL_TRY(tfl_need_ints(c, 2, "size", &m, size));
    if (n != x->shape.rank || m != n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "begin and size have %d and %d values for %d dimensions", n, m, x->shape.rank);
    for (int i = 0; i < n; i++) {
        int64_t dim = x->shape.dim[i];
        steps[i] = 1;
        if (begin[i] < 0 || begin[i] > dim || size[i] < -1 || size[i] > dim - begin[i])
            return sl_fail(c->e, SLUICE_E_VALUE, "axis %d of %lld: begin %lld, size %lld", i, (long long)dim,
                           (long long)begin[i], (long long)size[i]);
        ends[i] = size[i] == -1 ? dim : begin[i] + size[i];
    }
    SL_TRY(tfl_slice(c, x, begin, ends, steps, &x));
    return tfl_out(c, 0, x);
}

struct strides {
    int n;
    int64_t begin[2 * SL_MAX_RANK], end[2 * SL_MAX_RANK], step[2 * SL_MAX_RANK], masks[5];
    bool offset;
};

static bool has(const struct strides *s, int mask, int i)
{
    return i < 32 && s->masks[mask] >> i & 1;
}

/* One axis of x, by entry i of begin, end and step: NumPy's rules. Shrunk axes take one position. */
static sluice_status cut_axis(struct tfl_import *c, const struct strides *s, int i, int64_t dim, int64_t *start, int64_t *end,
                              int64_t *step)
{
    *step = s->step[i];
    if (*step == 0 || *step < -INT32_MAX || *step > INT32_MAX)
        return sl_fail(c->e, SLUICE_E_VALUE, "stride %lld", (long long)*step);
    int64_t from = s->begin[i], to = s->offset ? s->begin[i] + s->end[i] : s->end[i];
    int64_t least = *step > 0 ? 0 : -1, most = *step > 0 ? dim : dim - 1;
    if (has(s, STRIDED_SHRINK, i)) {
        from += from < 0 ? dim : 0;
        if (from < 0 || from >= dim)
            return sl_fail(c->e, SLUICE_E_VALUE, "position %lld of an axis of %lld", (long long)s->begin[i], (long long)dim);
        *start = from;
        *end = from + 1;
        *step = 1;
        return SLUICE_OK;
    }
    from += from < 0 ? dim : 0;
    to += to < 0 ? dim : 0;
    *start = has(s, STRIDED_BEGIN, i) ? (*step > 0 ? 0 : dim - 1) : SL_MAX(least, SL_MIN(from, most));
    *end = has(s, STRIDED_END, i) ? (*step > 0 ? dim : -1) : SL_MAX(least, SL_MIN(to, most));
    if (*step > 0 ? *end < *start : *end > *start)
        *end = *start;
    return SLUICE_OK;
}

static sluice_status read_strides(struct tfl_import *c, struct strides *s)
{
    int n, m;
    SL_TRY(tfl_need_ints(c, 1, "begin", &s->n, s->begin));
    SL_TRY(tfl_need_ints(c, 2, "end", &n, s->end));
    SL_TRY(tfl_need_ints(c, 3, "strides", &m, s->step));
    if (n != s->n || m != s->n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "begin, end and strides have %d, %d and %d values", s->n, n, m);
    for (unsigned k = 0; k < 5; k++)
        s->masks[k] = flat_s32(&c->op->options, k, 0);
    s->offset = flat_u8(&c->op->options, STRIDED_OFFSET, 0) != 0;
    return SLUICE_OK;
}

sluice_status tflop_strided_slice(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    struct strides s = {0};
    int64_t start[SL_MAX_RANK], end[SL_MAX_RANK], step[SL_MAX_RANK], dims[3 * SL_MAX_RANK];
    int axis = 0, out = 0, taken = 0;
    SL_TRY(input(c, 0, &x));
    SL_TRY(read_strides(c, &s));
    for (int i = 0; i < s.n; i++)
        taken += !has(&s, STRIDED_ELLIPSIS, i) && !has(&s, STRIDED_NEW_AXIS, i);
    int rank = x->shape.rank, whole = rank - taken; /* axes that an ellipsis, or the end of the list, leaves whole */
    if (whole < 0)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d slices of %d dimensions", taken, rank);
    for (int i = 0; i <= s.n; i++) {
        bool ellipsis = i == s.n || has(&s, STRIDED_ELLIPSIS, i);
        if (i < s.n && !ellipsis && has(&s, STRIDED_NEW_AXIS, i)) {
            dims[out++] = 1;
            continue;
        }
        for (; ellipsis && whole > 0; whole--, axis++) {
            start[axis] = 0;
            end[axis] = dims[out++] = x->shape.dim[axis];
            step[axis] = 1;
        }
        if (ellipsis || i == s.n)
            continue;
        SL_TRY(cut_axis(c, &s, i, x->shape.dim[axis], &start[axis], &end[axis], &step[axis]));
        int64_t span = end[axis] - start[axis];
        if (!has(&s, STRIDED_SHRINK, i))
            dims[out++] = step[axis] > 0 ? (span + step[axis] - 1) / step[axis] : (span + step[axis] + 1) / step[axis];
        axis++;
    }
    SL_TRY(tfl_slice(c, x, start, end, step, &y));
    keep_encoding(y, x);
    SL_TRY(sl_build_reshape(c->b, y, out, dims, &y));
    return tfl_out(c, 0, y);
}

sluice_status tflop_reverse(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t axes[2 * SL_MAX_RANK], start[SL_MAX_RANK], end[SL_MAX_RANK], step[SL_MAX_RANK];
    int n, axis;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "axes", &n, axes));
    for (int i = 0; i < x->shape.rank; i++) {
        start[i] = 0;
        end[i] = x->shape.dim[i];
        step[i] = 1;
    }
    for (int i = 0; i < n; i++) {
        SL_TRY(sl_build_axis(c->b, axes[i], x->shape.rank, &axis));
        start[axis] = x->shape.dim[axis] - 1;
        end[axis] = step[axis] = -1;
    }
    SL_TRY(tfl_slice(c, x, start, end, step, &x));
    return tfl_out(c, 0, x);
}

/* ---- copies ---- */

sluice_status tflop_tile(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t times[2 * SL_MAX_RANK];
    int n;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "multiples", &n, times));
    if (n != x->shape.rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d multiples for %d dimensions", n, x->shape.rank);
    for (int i = 0; i < n; i++) {
        if (times[i] < 1 || times[i] > MOST_PARTS)
            return sl_fail(c->e, SLUICE_E_VALUE, "multiple %lld is outside 1..%d", (long long)times[i], MOST_PARTS);
        struct sl_node **in = SL_NEW_ARRAY(c->a, struct sl_node *, times[i]), *from = x;
        for (int64_t k = 0; k < times[i]; k++)
            in[k] = x;
        SL_TRY(sl_build_concat(c->b, i, (int)times[i], in, &x));
        keep_encoding(x, from);
    }
    return tfl_out(c, 0, x);
}

sluice_status tflop_broadcast_to(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t dims[2 * SL_MAX_RANK];
    int n;
    size_t count;
    SL_TRY(input(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "shape", &n, dims));
    if (n > SL_MAX_RANK)
        return sl_unsupported(c->b, "a shape of %d dimensions", n);
    struct sl_shape s = sl_shape_of(n, dims);
    if (!sl_shape_count(&s, &count))
        return sl_fail(c->e, SLUICE_E_LIMIT, "the shape is too large");
    SL_TRY(sl_build_expand(c->b, x, &s, &x));
    return tfl_out(c, 0, x);
}

/* ---- pads ---- */

/* [rank, 2] -> before..., after... */
static sluice_status read_pads(struct tfl_import *c, const struct sl_node *x, int64_t *pads)
{
    int64_t v[2 * SL_MAX_RANK];
    int n, rank = x->shape.rank;
    SL_TRY(tfl_need_ints(c, 1, "paddings", &n, v));
    if (n != 2 * rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d paddings for %d dimensions", n, rank);
    for (int i = 0; i < rank; i++) {
        if (v[2 * i] < 0 || v[2 * i + 1] < 0 || v[2 * i] > INT32_MAX || v[2 * i + 1] > INT32_MAX)
            return sl_fail(c->e, SLUICE_E_VALUE, "paddings %lld and %lld of axis %d", (long long)v[2 * i],
                           (long long)v[2 * i + 1], i);
        pads[i] = v[2 * i];
        pads[rank + i] = v[2 * i + 1];
    }
    return SLUICE_OK;
}

sluice_status tflop_pad(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *fill;
    int64_t pads[2 * SL_MAX_RANK];
    double value = 0;
    SL_TRY(input(c, 0, &x));
    SL_TRY(read_pads(c, x, pads));
    SL_TRY(tfl_in(c, 2, &fill));
    if (fill && !sl_node_scalar(fill, &value))
        return sl_unsupported(c->b, "a padding value that is computed at run time");
    SL_TRY(sl_build_pad(c->b, x, pads, "constant", value, &x));
    return tfl_out(c, 0, x);
}

/* The mirror includes the edge itself: one step of it repeats the edge, more are joined from slices. */
static sluice_status symmetric_pad(struct tfl_import *c, struct sl_node *x, const int64_t *pads, struct sl_node **out)
{
    int rank = x->shape.rank;
    for (int i = 0; i < rank; i++) {
        int64_t dim = x->shape.dim[i], before = pads[i], after = pads[rank + i];
        struct sl_node *parts[3], *from = x;
        int n = 0;
        if (before > dim || after > dim)
            return sl_fail(c->e, SLUICE_E_VALUE, "paddings %lld and %lld of an axis of %lld", (long long)before,
                           (long long)after, (long long)dim);
        for (int side = 0; side < 3; side++) {
            int64_t start[SL_MAX_RANK] = {0}, end[SL_MAX_RANK], step[SL_MAX_RANK], many = side == 0 ? before : after;
            if (side == 1)
                parts[n++] = x;
            if (side == 1 || many == 0)
                continue;
            for (int k = 0; k < rank; k++) {
                end[k] = x->shape.dim[k];
                step[k] = 1;
            }
            start[i] = side == 0 ? many - 1 : dim - 1;
            end[i] = side == 0 ? -1 : dim - 1 - many;
            step[i] = -1;
            SL_TRY(tfl_slice(c, x, start, end, step, &parts[n]));
            keep_encoding(parts[n++], from);
        }
        SL_TRY(sl_build_concat(c->b, i, n, parts, &x));
        keep_encoding(x, from);
    }
    *out = x;
    return SLUICE_OK;
}

sluice_status tflop_mirror_pad(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    int64_t pads[2 * SL_MAX_RANK], mode = flat_s8(&op->options, MIRROR_MODE, 0);
    SL_TRY(input(c, 0, &x));
    SL_TRY(read_pads(c, x, pads));
    if (mode != 0 && mode != 1)
        return sl_fail(c->e, SLUICE_E_VALUE, "mode %lld, 0 (REFLECT) or 1 (SYMMETRIC) is wanted", (long long)mode);
    if (mode == 0)
        SL_TRY(sl_build_pad(c->b, x, pads, "reflect", 0, &x));
    else
        SL_TRY(symmetric_pad(c, x, pads, &x));
    return tfl_out(c, 0, x);
}
