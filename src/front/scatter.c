/*
 * scatter.c: reading and writing a tensor at positions that are known, as exporters write indexing and an assignment to a part
 * of a tensor: a box of it becomes a slice, or slices joined around what is written, other positions one gather of rows. Used by
 * every front end.
 */
#include "front/scatter.h"

#include <string.h>

#include "front/const_values.h"

/* Indices of a model that are read one by one, and how many of the elements that constants may still have a table may take: a
 * small file must keep nothing busy for long, and what is past these is left to the native layer. */
static const size_t MOST_LOOKED = (size_t)1 << 26;
enum { TABLE_PART = 4 };

/* Tuples of `depth` indices point at blocks of the data's other axes. ScatterND has them written out; of ScatterElements one
 * index of each is, along an axis, and the others are the element's own. */
struct tuples {
    int depth, axis;              /* axis: -1 for ScatterND */
    int64_t count, blocks, block; /* tuples, places for them, elements of each */
    int64_t stride[SL_MAX_RANK];  /* of the indices' axes, for ScatterElements */
    const struct sl_const *indices;
    const struct sl_shape *data;
};

/* Index k of tuple t, counted from the front; -1: outside. */
static int64_t index_of(const struct tuples *t, int64_t tuple, int k)
{
    if (t->axis >= 0 && k != t->axis)
        return tuple / t->stride[k] % t->indices->shape.dim[k];
    const size_t at = (size_t)(t->axis >= 0 ? tuple : tuple * t->depth + k);
    const int64_t v = sl_const_integer(t->indices, at), dim = t->data->dim[k];
    return v < -dim || v >= dim ? -1 : v < 0 ? v + dim : v;
}

static bool may_look(struct sl_build *b, const struct sl_const *k, const struct sl_shape *data)
{
    size_t count;
    if (!k || !sl_shape_count(&k->shape, &count) || !sl_mul_size(count, (size_t)data->rank, &count) || count > MOST_LOOKED - b->looked)
        return false;
    b->looked += count;
    return true;
}

static sluice_status read_tuples(struct sl_build *b, const struct sl_node *data, const struct sl_const *k, int axis,
                                 struct tuples *t)
{
    const struct sl_shape *s = &data->shape, *i = &k->shape;
    const int lead = axis >= 0 ? i->rank : i->rank - 1; /* axes of the indices that count tuples */
    *t = (struct tuples){.depth = axis >= 0 ? s->rank : (int)i->dim[lead], .axis = axis, .count = 1, .blocks = 1, .block = 1,
                         .indices = k, .data = s};
    for (int j = lead - 1; j >= 0; j--) {
        t->stride[j] = t->count;
        t->count *= i->dim[j];
    }
    for (int j = 0; j < s->rank; j++)
        *(j < t->depth ? &t->blocks : &t->block) *= s->dim[j];
    for (int64_t tuple = 0; tuple < t->count; tuple++)
        for (int j = 0; j < t->depth; j++)
            if (index_of(t, tuple, j) < 0)
                return sl_fail(b->e, SLUICE_E_VALUE, "index %lld of tuple %lld is outside an axis of %lld",
                               (long long)sl_const_integer(k, (size_t)(axis >= 0 ? tuple : tuple * t->depth + j)),
                               (long long)tuple, (long long)s->dim[j]);
    return SLUICE_OK;
}

/* Do the tuples count through a box of the data, its last axis fastest? */
static bool is_box(const struct tuples *t, int64_t *from, int64_t *to)
{
    int64_t volume = 1;
    for (int k = 0; k < t->depth; k++) {
        from[k] = index_of(t, 0, k);
        to[k] = index_of(t, t->count - 1, k) + 1;
        if (to[k] <= from[k] || to[k] - from[k] > t->count / volume)
            return false;
        volume *= to[k] - from[k];
    }
    for (int64_t i = 0; i < t->count; i++)
        for (int64_t k = t->depth - 1, rest = i; k >= 0; rest /= to[k] - from[k], k--)
            if (index_of(t, i, (int)k) != from[k] + rest % (to[k] - from[k]))
                return false;
    return volume == t->count;
}

/* What lies before (or behind) the box along an axis: of the axes before it the box's part, of those behind it all. */
static sluice_status slice_beside(struct sl_build *b, struct sl_node *data, int axis, const int64_t *from, const int64_t *to,
                                  bool behind, struct sl_node **parts, int *n)
{
    int64_t starts[SL_MAX_RANK], ends[SL_MAX_RANK], steps[SL_MAX_RANK];
    for (int i = 0; i < data->shape.rank; i++) {
        starts[i] = i < axis ? from[i] : i == axis && behind ? to[i] : 0;
        ends[i] = i < axis ? to[i] : i == axis && !behind ? from[i] : data->shape.dim[i];
        steps[i] = 1;
    }
    return starts[axis] == ends[axis] ? SLUICE_OK : sl_build_slice(b, data, starts, ends, steps, &parts[(*n)++]);
}

sluice_status sl_build_write(struct sl_build *b, struct sl_node *data, const int64_t *at, struct sl_node *part, struct sl_node **out)
{
    int64_t to[SL_MAX_RANK];
    for (int i = 0; i < data->shape.rank; i++)
        to[i] = at[i] + part->shape.dim[i];
    *out = part;
    for (int axis = data->shape.rank - 1; axis >= 0; axis--) {
        struct sl_node *parts[3];
        int n = 0;
        SL_TRY(slice_beside(b, data, axis, at, to, false, parts, &n));
        parts[n++] = *out;
        SL_TRY(slice_beside(b, data, axis, at, to, true, parts, &n));
        SL_TRY(sl_build_concat(b, axis, n, parts, out));
    }
    return SLUICE_OK;
}

static sluice_status write_box(struct sl_build *b, struct sl_node *data, const struct tuples *t, int64_t *from, const int64_t *to,
                               struct sl_node *updates, struct sl_node **out)
{
    struct sl_shape s = data->shape;
    for (int i = 0; i < s.rank; i++) {
        from[i] = i < t->depth ? from[i] : 0;
        s.dim[i] = i < t->depth ? to[i] - from[i] : s.dim[i];
    }
    SL_TRY(sl_build_reshape(b, updates, s.rank, s.dim, &updates));
    return sl_build_write(b, data, from, updates, out);
}

/* Where a tuple's block lies, counted in blocks. */
static int64_t place_of(const struct tuples *t, int64_t tuple)
{
    int64_t place = 0;
    for (int k = 0; k < t->depth; k++)
        place = place * t->data->dim[k] + index_of(t, tuple, k);
    return place;
}

static sluice_status gather_rows(struct sl_build *b, struct sl_node *rows, const struct sl_const *indices, struct sl_node **out)
{
    *out = sl_build_add(b, SL_OP_gather, 1, &rows);
    sl_set_int(b->g, *out, "axis", 0);
    sl_set_param(b->g, *out, "indices", indices);
    return sl_build_finish(b, out);
}

/* Rows of the data (one, where all are alike), behind them the updates; each place takes its row. Of tuples that are the same
 * the last wins; with `once` there must be none, else *out stays. */
static sluice_status write_rows(struct sl_build *b, struct sl_node *data, const struct tuples *t, struct sl_node *updates,
                                bool once, struct sl_node **out)
{
    if ((size_t)t->blocks > b->room / TABLE_PART)
        return SLUICE_OK;
    const struct sl_const *old = sl_node_const(data), *indices;
    const bool alike = old && old->splat;
    const int64_t rows[2] = {t->blocks, t->block}, written[2] = {t->count, t->block}, n_old = alike ? 1 : t->blocks;
    struct sl_node *parts[2];
    void *filled;
    SL_TRY(sl_build_new_const(b, SL_S64, &(struct sl_shape){1, {t->blocks}}, &indices, &filled));
    int64_t *at = filled;
    for (int64_t i = 0; i < t->blocks; i++)
        at[i] = alike ? 0 : i;
    for (int64_t i = 0; i < t->count; i++) {
        const int64_t place = place_of(t, i);
        if (once && at[place] >= n_old)
            return SLUICE_OK;
        at[place] = n_old + i;
    }
    if (alike)
        parts[0] = sl_build_const(b, sl_const_splat(b->a, old->dtype, &(struct sl_shape){2, {1, t->block}}, old->data));
    else
        SL_TRY(sl_build_reshape(b, data, 2, rows, &parts[0]));
    SL_TRY(sl_build_reshape(b, updates, 2, written, &parts[1]));
    SL_TRY(sl_build_concat(b, 0, 2, parts, out));
    SL_TRY(gather_rows(b, *out, indices, out));
    return sl_build_reshape(b, *out, data->shape.rank, data->shape.dim, out);
}

/* The node stays where the indices are not known, or where it computes. */
static sluice_status resolve(struct sl_build *b, struct sl_node *const in[3], int axis, const char *reduction, struct sl_node **out)
{
    const struct sl_const *k = sl_node_const(in[1]);
    int64_t from[SL_MAX_RANK], to[SL_MAX_RANK];
    double number;
    struct tuples t;
    if ((*out)->op == SL_OP_const_input || sl_shape_elements(&(*out)->shape) == 0 || !may_look(b, k, &in[0]->shape))
        return SLUICE_OK;
    const bool adds = strcmp(reduction, "add") == 0 && sl_node_scalar(in[0], &number) && number == 0;
    if (strcmp(reduction, "none") && !adds)
        return SLUICE_OK;
    SL_TRY(read_tuples(b, in[0], k, axis, &t));
    if (t.count == 0) {
        *out = in[0];
        return SLUICE_OK;
    }
    return is_box(&t, from, to) ? write_box(b, in[0], &t, from, to, in[2], out) : write_rows(b, in[0], &t, in[2], adds, out);
}

sluice_status sl_build_scatter(struct sl_build *b, struct sl_node *const in[3], const char *reduction, struct sl_node **out)
{
    *out = sl_build_add(b, SL_OP_scatter_nd, 3, in);
    sl_set_string(b->g, *out, "reduction", reduction);
    SL_TRY(sl_build_finish(b, out)); /* which also checks */
    return resolve(b, in, -1, reduction, out);
}

sluice_status sl_build_scatter_elements(struct sl_build *b, struct sl_node *const in[3], int axis, const char *reduction,
                                        struct sl_node **out)
{
    *out = sl_build_add(b, SL_OP_scatter_elements, 3, in);
    sl_set_int(b->g, *out, "axis", axis);
    sl_set_string(b->g, *out, "reduction", reduction);
    SL_TRY(sl_build_finish(b, out));
    return resolve(b, in, axis, reduction, out);
}

/* ---- reading ---- */

static sluice_status read_box(struct sl_build *b, struct sl_node *data, const struct tuples *t, int64_t *from, int64_t *to,
                              struct sl_node **out)
{
    int64_t steps[SL_MAX_RANK];
    for (int i = 0; i < data->shape.rank; i++) {
        from[i] = i < t->depth ? from[i] : 0;
        to[i] = i < t->depth ? to[i] : data->shape.dim[i];
        steps[i] = 1;
    }
    return sl_build_slice(b, data, from, to, steps, out);
}

static sluice_status read_rows(struct sl_build *b, struct sl_node *data, const struct tuples *t, struct sl_node **out)
{
    const int64_t rows[2] = {t->blocks, t->block};
    const struct sl_const *indices;
    void *filled;
    if ((size_t)t->count > b->room / TABLE_PART)
        return SLUICE_OK;
    SL_TRY(sl_build_new_const(b, SL_S64, &(struct sl_shape){1, {t->count}}, &indices, &filled));
    for (int64_t i = 0; i < t->count; i++)
        ((int64_t *)filled)[i] = place_of(t, i);
    SL_TRY(sl_build_reshape(b, data, 2, rows, &data));
    return gather_rows(b, data, indices, out);
}

sluice_status sl_build_gather_at(struct sl_build *b, struct sl_node *data, struct sl_node *indices, int axis, struct sl_node **out)
{
    struct sl_node *in[2] = {data, indices};
    const struct sl_const *k = sl_node_const(indices);
    int64_t from[SL_MAX_RANK], to[SL_MAX_RANK];
    struct tuples t;
    *out = sl_build_add(b, axis < 0 ? SL_OP_gather_nd : SL_OP_gather_elements, 2, in);
    sl_set_int(b->g, *out, axis < 0 ? "batch_dims" : "axis", axis < 0 ? 0 : axis);
    SL_TRY(sl_build_finish(b, out)); /* which also checks */
    const struct sl_shape s = (*out)->shape;
    if ((*out)->op == SL_OP_const_input || sl_shape_elements(&s) == 0 || !may_look(b, k, &data->shape))
        return SLUICE_OK;
    SL_TRY(read_tuples(b, data, k, axis, &t));
    SL_TRY(is_box(&t, from, to) ? read_box(b, data, &t, from, to, out) : read_rows(b, data, &t, out));
    return sl_build_reshape(b, *out, s.rank, s.dim, out);
}
