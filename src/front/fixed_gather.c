/*
 * fixed_gather.c: reading a tensor at positions that are known and the same for each of its leading axes, as heads of an attention
 * with relative positions share one list: axes that the positions run through are made one, and one gather takes from it. Where
 * nothing is shared, scatter.c reads. Used by every front end.
 */
#include "front/fixed_gather.h"

#include "front/const_values.h"
#include "front/scatter.h"

static int64_t product(const struct sl_shape *s, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= s->dim[i];
    return n;
}

/* Are the first values repeated throughout? */
static bool repeats(const struct sl_const *k, int64_t period)
{
    const int64_t count = (int64_t)sl_shape_elements(&k->shape);
    for (int64_t i = period; !k->splat && i < count; i++)
        if (sl_const_integer(k, (size_t)i) != sl_const_integer(k, (size_t)(i - period)))
            return false;
    return true;
}

/* Do the values count along the axis, everywhere alike? Then what they take is a box. */
static bool counts(const struct sl_const *k, int axis)
{
    const int64_t count = (int64_t)sl_shape_elements(&k->shape), inner = product(&k->shape, axis + 1, k->shape.rank);
    for (int64_t i = 0; i < count; i++)
        if (sl_const_integer(k, (size_t)i) != sl_const_integer(k, 0) + i / inner % k->shape.dim[axis])
            return false;
    return true;
}

/* Index i of the constant, counted from the front. */
static sluice_status index_of(const struct sl_build *b, const struct sl_const *k, int64_t i, int64_t dim, int64_t *out)
{
    const int64_t v = sl_const_integer(k, (size_t)i);
    *out = v < 0 ? v + dim : v;
    if (v < -dim || v >= dim)
        return sl_fail(b->e, SLUICE_E_VALUE, "index %lld is outside an axis of %lld", (long long)v, (long long)dim);
    return SLUICE_OK;
}

/* Axes from..to-1 of x as one, at[] of it, in the shape `s`. */
static sluice_status take(struct sl_build *b, struct sl_node *x, int from, int to, const struct sl_const *at, const struct sl_shape *s,
                          struct sl_node **out)
{
    const int64_t all = product(&x->shape, from, to), count = at->shape.dim[0];
    const struct sl_shape whole = x->shape;
    int64_t dims[SL_MAX_RANK];
    int rank = 0;
    bool same = count == all;
    for (int i = 0; i < from; i++)
        dims[rank++] = whole.dim[i];
    dims[rank++] = all;
    for (int i = to; i < whole.rank; i++)
        dims[rank++] = whole.dim[i];
    for (int64_t i = 0; same && i < count; i++)
        same = sl_const_integer(at, (size_t)i) == i;
    SL_TRY(sl_build_reshape(b, x, rank, dims, out));
    if (!same) {
        *out = sl_build_add(b, SL_OP_gather, 1, out);
        sl_set_int(b->g, *out, "axis", from);
        sl_set_param(b->g, *out, "indices", at);
        SL_TRY(sl_build_finish(b, out));
    }
    return sl_build_reshape(b, *out, s->rank, s->dim, out);
}

sluice_status sl_build_gather_elements(struct sl_build *b, struct sl_node *data, struct sl_node *indices, int axis,
                                       struct sl_node **out)
{
    struct sl_node *in[2] = {data, indices};
    const struct sl_const *k = sl_node_const(indices), *at;
    void *filled;
    int from = 0;
    *out = sl_build_add(b, SL_OP_gather_elements, 2, in);
    sl_set_int(b->g, *out, "axis", axis);
    SL_TRY(sl_build_finish(b, out)); /* which also checks */
    if ((*out)->op == SL_OP_const_input || !k || sl_shape_elements(&k->shape) == 0)
        return SLUICE_OK;
    const struct sl_shape *s = &k->shape, *d = &data->shape;
    while (from < axis && s->dim[from] == d->dim[from] && repeats(k, product(s, from + 1, s->rank)))
        from++;
    if (product(s, 0, from) == 1 || counts(k, axis))
        return sl_build_gather_at(b, data, indices, axis, out);
    const int64_t count = product(s, from, s->rank);
    SL_TRY(sl_build_new_const(b, SL_S64, &(struct sl_shape){1, {count}}, &at, &filled));
    for (int64_t i = 0; i < count; i++) {
        int64_t stride = 1, rest = i, place = 0, along;
        SL_TRY(index_of(b, k, i, d->dim[axis], &along));
        for (int a = s->rank - 1; a >= from; stride *= d->dim[a], rest /= s->dim[a], a--)
            place += stride * (a == axis ? along : rest % s->dim[a]);
        ((int64_t *)filled)[i] = place;
    }
    return take(b, data, from, d->rank, at, s, out);
}

sluice_status sl_build_gather_nd(struct sl_build *b, struct sl_node *data, struct sl_node *indices, int64_t batch_dims,
                                 struct sl_node **out)
{
    struct sl_node *in[2] = {data, indices};
    const struct sl_const *k = sl_node_const(indices), *at;
    void *filled;
    if (batch_dims == 0)
        return sl_build_gather_at(b, data, indices, -1, out);
    *out = sl_build_add(b, SL_OP_gather_nd, 2, in);
    sl_set_int(b->g, *out, "batch_dims", batch_dims);
    SL_TRY(sl_build_finish(b, out)); /* which also checks */
    if ((*out)->op == SL_OP_const_input || !k || sl_shape_elements(&(*out)->shape) == 0)
        return SLUICE_OK;
    const struct sl_shape *s = &k->shape, *d = &data->shape, whole = (*out)->shape;
    const int from = (int)batch_dims, last = s->rank - 1, depth = (int)s->dim[last];
    if (!repeats(k, product(s, from, s->rank)))
        return SLUICE_OK; /* each batch has positions of its own */
    const int64_t count = product(s, from, last);
    SL_TRY(sl_build_new_const(b, SL_S64, &(struct sl_shape){1, {count}}, &at, &filled));
    for (int64_t i = 0; i < count; i++) {
        int64_t place = 0, along;
        for (int j = 0; j < depth; j++) {
            SL_TRY(index_of(b, k, i * depth + j, d->dim[from + j], &along));
            place = place * d->dim[from + j] + along;
        }
        ((int64_t *)filled)[i] = place;
    }
    return take(b, data, from, from + depth, at, &whole, out);
}
