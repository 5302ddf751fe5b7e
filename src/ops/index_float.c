/* index_float.c: gathering and scattering by indices that are themselves tensors: gather_elements, gather_nd, scatter_elements,
 * scatter_nd as ONNX defines them: shape rules and evaluation. */
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/strided.h"
#include "ops/values.h"

static sluice_status check_indices(const struct sl_node *n, sl_err *e)
{
    enum sl_dtype t = n->in[1]->dtype;
    if (sl_is_float_class(t) || t == SL_BOOL)
        return sl_fail(e, SLUICE_E_SHAPE, "the indices have type %s, integers are wanted", sl_dtype_name(t));
    return SLUICE_OK;
}

static sluice_status resolve(int64_t index, int64_t side, int64_t *out, sl_err *e)
{
    if (index < -side || index >= side)
        return sl_fail(e, SLUICE_E_VALUE, "index %lld is outside an axis of %lld", (long long)index, (long long)side);
    *out = index < 0 ? index + side : index;
    return SLUICE_OK;
}

/* ---- by elements along one axis ---- */

static sluice_status check_elements(const struct sl_node *n, int *axis, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape, *i = &n->in[1]->shape;
    SL_TRY(check_indices(n, e));
    SL_TRY(sl_rule_axis(n, "axis", s->rank, 0, axis, e));
    if (i->rank != s->rank)
        return sl_fail(e, SLUICE_E_SHAPE, "indices %s and data %s differ in rank", SL_SHAPE_TEXT(i), SL_SHAPE_TEXT(s));
    for (int k = 0; k < s->rank; k++)
        if (k != *axis && i->dim[k] > s->dim[k])
            return sl_fail(e, SLUICE_E_SHAPE, "indices %s are larger than data %s along axis %d", SL_SHAPE_TEXT(i), SL_SHAPE_TEXT(s), k);
    return SLUICE_OK;
}

sluice_status infer_gather_elements(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int axis;
    SL_TRY(check_elements(n, &axis, e));
    return sl_rule_output(n, n->in[0]->dtype, &n->in[1]->shape, e);
}

/* Flat position in the data of each position of the indices; calls visit(job, data position, indices position). */
static sluice_status each_element(const struct sl_shape *data, const struct sl_tensor *indices, int axis,
                                  void (*visit)(void *job, size_t at, size_t i), void *job, sl_err *e)
{
    int64_t stride[SL_MAX_RANK], at[SL_MAX_RANK] = {0}, base = 0;
    const struct sl_shape *s = &indices->shape;
    size_t count = sl_shape_elements(s);
    const int64_t *index = indices->data;
    sl_dense_strides(data, stride);
    for (size_t i = 0; i < count; i++) {
        int64_t along = 0;
        SL_TRY(resolve(index[i], data->dim[axis], &along, e));
        visit(job, (size_t)(base + (along - at[axis]) * stride[axis]), i);
        for (int k = s->rank - 1; k >= 0; k--) { /* base: position of `at` in the data, its own axis included */
            base += stride[k];
            if (++at[k] < s->dim[k])
                break;
            base -= at[k] * stride[k];
            at[k] = 0;
        }
    }
    return SLUICE_OK;
}

struct gather { const char *x; char *y; size_t bytes; };

static void gather_one(void *job, size_t at, size_t i)
{
    struct gather *g = job;
    memcpy(g->y + i * g->bytes, g->x + at * g->bytes, g->bytes);
}

sluice_status eval_gather_elements(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                                   sl_err *e)
{
    (void)ev;
    int axis;
    struct gather g = {in[0].data, out->data, sl_class_bytes(out->dtype)};
    SL_TRY(sl_rule_axis(n, "axis", in[0].shape.rank, 0, &axis, e));
    return each_element(&in[0].shape, &in[1], axis, gather_one, &g, e);
}

enum { PUT, ADD, MUL, MAX, MIN };

static sluice_status read_reduction(const struct sl_node *n, int *how, sl_err *e)
{
    static const char *const words[] = {"none", "add", "mul", "max", "min"};
    *how = PUT;
    return sl_rule_word(n, "reduction", words, 5, how, e);
}

struct scatter { int how; enum sl_dtype dtype; void *y; const void *update; };

static void scatter_one(void *job, size_t at, size_t i)
{
    struct scatter *s = job;
    if (sl_is_float_class(s->dtype)) {
        float *y = (float *)s->y + at, v = ((const float *)s->update)[i];
        *y = s->how == PUT ? v : s->how == ADD ? *y + v : s->how == MUL ? *y * v : s->how == MAX ? (v > *y ? v : *y) : v < *y ? v : *y;
        return;
    }
    int64_t *y = (int64_t *)s->y + at, v = ((const int64_t *)s->update)[i];
    bool less = s->dtype == SL_U64 ? (uint64_t)v < (uint64_t)*y : v < *y;
    switch (s->how) {
    case ADD: *y = sl_wrap(s->dtype, (int64_t)((uint64_t)*y + (uint64_t)v)); break;
    case MUL: *y = sl_wrap(s->dtype, (int64_t)((uint64_t)*y * (uint64_t)v)); break;
    case MAX: *y = less ? *y : v; break;
    case MIN: *y = less ? v : *y; break;
    default: *y = v; break;
    }
}

static sluice_status check_updates(const struct sl_node *n, const struct sl_shape *wanted, sl_err *e)
{
    int how;
    SL_TRY(read_reduction(n, &how, e));
    if (n->in[2]->dtype != n->in[0]->dtype)
        return sl_fail(e, SLUICE_E_SHAPE, "updates have type %s, the data's %s is wanted", sl_dtype_name(n->in[2]->dtype),
                       sl_dtype_name(n->in[0]->dtype));
    if (!sl_shape_equal(&n->in[2]->shape, wanted))
        return sl_fail(e, SLUICE_E_SHAPE, "updates have shape %s, %s is wanted", SL_SHAPE_TEXT(&n->in[2]->shape), SL_SHAPE_TEXT(wanted));
    return SLUICE_OK;
}

sluice_status infer_scatter_elements(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int axis;
    SL_TRY(check_elements(n, &axis, e));
    SL_TRY(check_updates(n, &n->in[1]->shape, e));
    return sl_rule_output(n, n->in[0]->dtype, &n->in[0]->shape, e);
}

sluice_status eval_scatter_elements(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                                    sl_err *e)
{
    int axis, how;
    SL_TRY(read_reduction(n, &how, e));
    SL_TRY(sl_rule_axis(n, "axis", in[0].shape.rank, 0, &axis, e));
    SL_TRY(eval_copy(ev, n, in, out, e));
    struct scatter s = {how, out->dtype, out->data, in[2].data};
    return each_element(&in[0].shape, &in[1], axis, scatter_one, &s, e);
}

/* ---- by index tuples ---- */

/* indices [..., depth] point at blocks of the data's axes batch + depth and on. */
struct tuples { int batch, depth, lead; struct sl_shape out; };

static sluice_status read_tuples(const struct sl_node *n, struct tuples *t, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape, *i = &n->in[1]->shape;
    int64_t batch = 0;
    SL_TRY(check_indices(n, e));
    if (i->rank < 1 || s->rank < 1)
        return sl_fail(e, SLUICE_E_SHAPE, "data %s and indices %s must have an axis", SL_SHAPE_TEXT(s), SL_SHAPE_TEXT(i));
    SL_TRY(sl_rule_ints(n, "batch_dims", 1, 0, SL_MIN(s->rank, i->rank) - 1, &batch, e));
    int64_t depth = i->dim[i->rank - 1];
    if (depth < 1 || depth > s->rank - batch)
        return sl_fail(e, SLUICE_E_SHAPE, "index tuples of %lld do not fit data %s, 1 to %lld are accepted", (long long)depth,
                       SL_SHAPE_TEXT(s), (long long)(s->rank - batch));
    *t = (struct tuples){.batch = (int)batch, .depth = (int)depth, .lead = i->rank - 1};
    for (int k = 0; k < batch; k++)
        if (s->dim[k] != i->dim[k])
            return sl_fail(e, SLUICE_E_SHAPE, "data %s and indices %s differ in batch axis %d", SL_SHAPE_TEXT(s), SL_SHAPE_TEXT(i), k);
    if (t->lead + s->rank - t->batch - t->depth > SL_MAX_RANK)
        return sl_fail(e, SLUICE_E_LIMIT, "the output would pass rank %d", SL_MAX_RANK);
    for (int k = 0; k < t->lead; k++)
        t->out.dim[t->out.rank++] = i->dim[k];
    for (int k = t->batch + t->depth; k < s->rank; k++)
        t->out.dim[t->out.rank++] = s->dim[k];
    return SLUICE_OK;
}

sluice_status infer_gather_nd(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct tuples t;
    SL_TRY(read_tuples(n, &t, e));
    return sl_rule_output(n, n->in[0]->dtype, &t.out, e);
}

sluice_status infer_scatter_nd(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct tuples t;
    SL_TRY(read_tuples(n, &t, e));
    if (t.batch)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "a scatter_nd has no batch_dims");
    SL_TRY(check_updates(n, &t.out, e));
    return sl_rule_output(n, n->in[0]->dtype, &n->in[0]->shape, e);
}

/* Flat first element of the block that tuple `i` points at. */
static sluice_status block_of(const struct sl_shape *s, const struct sl_tensor *indices, const struct tuples *t, size_t i, size_t *at,
                              sl_err *e)
{
    int64_t stride[SL_MAX_RANK], position = 0, along = 0;
    size_t per_batch = 1, batch;
    const int64_t *tuple = (const int64_t *)indices->data + i * (size_t)t->depth;
    sl_dense_strides(s, stride);
    for (int k = t->batch; k < t->lead; k++)
        per_batch *= (size_t)indices->shape.dim[k];
    batch = i / per_batch;
    if (t->batch > 0)
        position = (int64_t)batch * stride[t->batch - 1];
    for (int k = 0; k < t->depth; k++) {
        SL_TRY(resolve(tuple[k], s->dim[t->batch + k], &along, e));
        position += along * stride[t->batch + k];
    }
    *at = (size_t)position;
    return SLUICE_OK;
}

static size_t block_size(const struct sl_shape *s, const struct tuples *t)
{
    size_t block = 1;
    for (int k = t->batch + t->depth; k < s->rank; k++)
        block *= (size_t)s->dim[k];
    return block;
}

sluice_status eval_gather_nd(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct tuples t;
    SL_TRY(read_tuples(n, &t, e));
    size_t bytes = block_size(&in[0].shape, &t) * sl_class_bytes(out->dtype), at;
    size_t count = sl_shape_elements(&in[1].shape) / (size_t)t.depth;
    for (size_t i = 0; i < count; i++) {
        SL_TRY(block_of(&in[0].shape, &in[1], &t, i, &at, e));
        memcpy((char *)out->data + i * bytes, (const char *)in[0].data + at * sl_class_bytes(out->dtype), bytes);
    }
    return SLUICE_OK;
}

sluice_status eval_scatter_nd(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    struct tuples t;
    int how;
    SL_TRY(read_tuples(n, &t, e));
    SL_TRY(read_reduction(n, &how, e));
    SL_TRY(eval_copy(ev, n, in, out, e));
    struct scatter s = {how, out->dtype, out->data, in[2].data};
    size_t block = block_size(&in[0].shape, &t), at, count = sl_shape_elements(&in[1].shape) / (size_t)t.depth;
    for (size_t i = 0; i < count; i++) {
        SL_TRY(block_of(&in[0].shape, &in[1], &t, i, &at, e));
        for (size_t k = 0; k < block; k++)
            scatter_one(&s, at + k, i * block + k);
    }
    return SLUICE_OK;
}
