/* move_float.c: ops that only move values (concat, slice, reshape, transpose, expand, space_to_depth, depth_to_space): shape rules and
 * evaluation, for floats and integers alike. pad and gather are in pick_float.c. */
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/strided.h"
#include "ops/values.h"

/* ---- concat ---- */
sluice_status infer_concat(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_shape out = n->in[0]->shape;
    int axis;
    SL_TRY(sl_rule_axis(n, "axis", out.rank, out.rank - 1, &axis, e));
    for (int i = 1; i < n->n_in; i++) {
        const struct sl_shape *s = &n->in[i]->shape;
        struct sl_shape other = *s;
        if (n->in[i]->dtype != n->in[0]->dtype)
            return sl_fail(e, SLUICE_E_SHAPE, "input %d has type %s, input 0 has %s", i, sl_dtype_name(n->in[i]->dtype),
                           sl_dtype_name(n->in[0]->dtype));
        if (s->rank == out.rank)
            other.dim[axis] = out.dim[axis];
        if (!sl_shape_equal(&other, &out))
            return sl_fail(e, SLUICE_E_SHAPE, "input %d has shape %s, which differs from input 0's %s outside axis %d", i,
                           SL_SHAPE_TEXT(s), SL_SHAPE_TEXT(&n->in[0]->shape), axis);
        if (out.dim[axis] > INT64_MAX - s->dim[axis])
            return sl_fail(e, SLUICE_E_LIMIT, "the sum of the inputs' sides is too large");
        out.dim[axis] += s->dim[axis];
    }
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

sluice_status eval_concat(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    int axis;
    size_t done = 0;
    SL_TRY(sl_rule_axis(n, "axis", out->shape.rank, out->shape.rank - 1, &axis, e));
    const struct sl_lines l = sl_shape_lines(&out->shape, axis);
    const size_t inner = l.inner * sl_class_bytes(out->dtype), row = l.length * inner;
    for (int i = 0; i < n->n_in; i++) {
        size_t part = (size_t)in[i].shape.dim[axis] * inner;
        for (size_t o = 0; o < l.outer && part > 0; o++)
            memcpy((char *)out->data + o * row + done, (const char *)in[i].data + o * part, part);
        done += part;
    }
    return SLUICE_OK;
}

/* ---- slice ---- */
struct cut { int rank; int64_t start[2 * SL_MAX_RANK], end[2 * SL_MAX_RANK], step[2 * SL_MAX_RANK]; };

static sluice_status read_cut(const struct sl_node *n, struct cut *c, struct sl_shape *out, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape;
    const int64_t most = (int64_t)1 << 46;
    int ends, steps = s->rank;
    SL_TRY(sl_rule_list(n, "starts", 0, most, &c->rank, c->start, e));
    SL_TRY(sl_rule_list(n, "ends", -1, most, &ends, c->end, e));
    for (int i = 0; i < SL_MAX_RANK; i++)
        c->step[i] = 1;
    if (sl_attr(n, "steps"))
        SL_TRY(sl_rule_list(n, "steps", -most, most, &steps, c->step, e));
    if (c->rank != s->rank || ends != s->rank || steps != s->rank)
        return sl_fail(e, SLUICE_E_VALUE, "starts, ends and steps have %d, %d and %d values, one an axis of %s is wanted", c->rank,
                       ends, steps, SL_SHAPE_TEXT(s));
    out->rank = s->rank;
    for (int i = 0; i < s->rank; i++) {
        int64_t start = c->start[i], end = c->end[i], step = c->step[i], dim = s->dim[i];
        bool fits = step > 0 ? start <= end && end <= dim : step < 0 && end <= start && (start < dim || start == end);
        if (!fits)
            return sl_fail(e, SLUICE_E_VALUE, "axis %d of %lld: start %lld, end %lld, step %lld is no normalized range", i,
                           (long long)dim, (long long)start, (long long)end, (long long)step);
        out->dim[i] = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step;
    }
    return SLUICE_OK;
}

sluice_status infer_slice(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct cut c;
    struct sl_shape out;
    SL_TRY(read_cut(n, &c, &out, e));
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

sluice_status eval_slice(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct cut c;
    struct sl_shape shape;
    int64_t dense[SL_MAX_RANK], first = 0;
    struct sl_strided v = {.rank = in[0].shape.rank};
    SL_TRY(read_cut(n, &c, &shape, e));
    if (sl_shape_elements(&shape) == 0)
        return SLUICE_OK;
    sl_dense_strides(&in[0].shape, dense);
    for (int i = 0; i < v.rank; i++) {
        v.dim[i] = shape.dim[i];
        v.stride[0][i] = dense[i] * c.step[i];
        first += dense[i] * c.start[i];
    }
    size_t bytes = sl_class_bytes(out->dtype);
    sl_strided_copy(&v, out->data, (const char *)in[0].data + (size_t)first * bytes, bytes);
    return SLUICE_OK;
}

/* ---- reshape ---- */
sluice_status infer_reshape(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int64_t v[2 * SL_MAX_RANK];
    int rank, open = -1;
    size_t count = sl_shape_elements(&n->in[0]->shape), known = 1;
    SL_TRY(sl_rule_list(n, "shape", -1, (int64_t)1 << 46, &rank, v, e));
    if (rank > SL_MAX_RANK)
        return sl_fail(e, SLUICE_E_LIMIT, "shape has %d axes, at most %d are accepted", rank, SL_MAX_RANK);
    struct sl_shape out = sl_shape_of(rank, v);
    for (int i = 0; i < rank; i++) {
        if (v[i] < 0 && open >= 0)
            return sl_fail(e, SLUICE_E_VALUE, "shape %s leaves two axes open", SL_SHAPE_TEXT(&out));
        open = v[i] < 0 ? i : open;
    }
    if (open >= 0)
        out.dim[open] = 1;
    if (!sl_shape_count(&out, &known))
        return sl_fail(e, SLUICE_E_LIMIT, "shape %s is too large", SL_SHAPE_TEXT(&out));
    if (open >= 0 && known > 0 && count % known == 0) {
        out.dim[open] = (int64_t)(count / known);
        known = count;
    }
    if (known != count)
        return sl_fail(e, SLUICE_E_SHAPE, "shape %s does not hold the %zu values of %s", SL_SHAPE_TEXT(&out), count,
                       SL_SHAPE_TEXT(&n->in[0]->shape));
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

sluice_status eval_reshape(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    return eval_copy(ev, n, in, out, e);
}

/* ---- transpose ---- */
sluice_status infer_transpose(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct sl_shape *s = &n->in[0]->shape;
    struct sl_shape out = {.rank = s->rank};
    int64_t perm[2 * SL_MAX_RANK];
    int rank;
    bool used[SL_MAX_RANK] = {false};
    SL_TRY(sl_rule_list(n, "perm", 0, SL_MAX_RANK - 1, &rank, perm, e));
    if (rank != s->rank)
        return sl_fail(e, SLUICE_E_VALUE, "perm has %d axes, the input %s has %d", rank, SL_SHAPE_TEXT(s), s->rank);
    for (int i = 0; i < rank; i++) {
        if (perm[i] >= rank || used[perm[i]])
            return sl_fail(e, SLUICE_E_VALUE, "perm names axis %lld %s", (long long)perm[i],
                           perm[i] >= rank ? "which the input has not" : "twice");
        used[perm[i]] = true;
        out.dim[i] = s->dim[perm[i]];
    }
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

sluice_status eval_transpose(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                             sl_err *e)
{
    (void)ev;
    int64_t dense[SL_MAX_RANK], perm[2 * SL_MAX_RANK];
    int rank;
    struct sl_strided v = {.rank = out->shape.rank};
    SL_TRY(sl_rule_list(n, "perm", 0, SL_MAX_RANK - 1, &rank, perm, e));
    sl_dense_strides(&in[0].shape, dense);
    for (int i = 0; i < rank; i++) {
        v.dim[i] = out->shape.dim[i];
        v.stride[0][i] = dense[perm[i]];
    }
    sl_strided_copy(&v, out->data, in[0].data, sl_class_bytes(out->dtype));
    return SLUICE_OK;
}

/* ---- expand ---- */
sluice_status infer_expand(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int64_t v[2 * SL_MAX_RANK];
    int rank;
    struct sl_shape out;
    SL_TRY(sl_rule_list(n, "shape", 0, (int64_t)1 << 46, &rank, v, e));
    if (rank > SL_MAX_RANK)
        return sl_fail(e, SLUICE_E_LIMIT, "shape has %d axes, at most %d are accepted", rank, SL_MAX_RANK);
    struct sl_shape wanted = sl_shape_of(rank, v);
    SL_TRY(sl_rule_broadcast(&n->in[0]->shape, &wanted, &out, e));
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

sluice_status eval_expand(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev, (void)n, (void)e;
    struct sl_strided v;
    sl_broadcast_view((const struct sl_shape *[]){&in[0].shape}, 1, &out->shape, &v);
    sl_strided_copy(&v, out->data, in[0].data, sl_class_bytes(out->dtype));
    return SLUICE_OK;
}

/* ---- space_to_depth, depth_to_space on [n, h, w, c] ---- */
static sluice_status read_blocks(const struct sl_node *n, int64_t *block, bool *crd, sl_err *e)
{
    static const char *const modes[] = {"dcr", "crd"};
    int mode = 0;
    SL_TRY(sl_rule_rank(n, 0, 4, 4, e));
    if (!sl_attr(n, "block"))
        return sl_fail(e, SLUICE_E_VALUE, "block is missing");
    SL_TRY(sl_rule_ints(n, "block", 1, 1, SL_SIDE_LIMIT, block, e));
    SL_TRY(sl_rule_word(n, "mode", modes, 2, &mode, e));
    *crd = mode == 1;
    return SLUICE_OK;
}

sluice_status infer_depth_space(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct sl_shape *s = &n->in[0]->shape;
    int64_t b = 1;
    bool crd;
    SL_TRY(read_blocks(n, &b, &crd, e));
    struct sl_shape out;
    if (n->op == SL_OP_space_to_depth) {
        if (s->dim[1] % b || s->dim[2] % b)
            return sl_fail(e, SLUICE_E_SHAPE, "block %lld does not divide height and width of %s", (long long)b, SL_SHAPE_TEXT(s));
        if (s->dim[3] > ((int64_t)1 << 46) / (b * b))
            return sl_fail(e, SLUICE_E_LIMIT, "block %lld makes too many channels of %lld", (long long)b, (long long)s->dim[3]);
        out = sl_shape_of(4, (int64_t[]){s->dim[0], s->dim[1] / b, s->dim[2] / b, s->dim[3] * b * b});
    } else {
        if (s->dim[3] % (b * b))
            return sl_fail(e, SLUICE_E_SHAPE, "%lld channels do not divide into blocks of %lld x %lld", (long long)s->dim[3],
                           (long long)b, (long long)b);
        out = sl_shape_of(4, (int64_t[]){s->dim[0], s->dim[1] * b, s->dim[2] * b, s->dim[3] / (b * b)});
    }
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

/* Both are a transpose of a rank-6 view. Deep channel of (block row i, block column j, channel c): (i*b + j)*C + c in mode dcr,
 * (c*b + i)*b + j in mode crd. */
sluice_status eval_depth_space(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                               sl_err *e)
{
    (void)ev;
    int64_t b = 1;
    bool crd, gather = n->op == SL_OP_space_to_depth;
    SL_TRY(read_blocks(n, &b, &crd, e));
    const struct sl_shape *wide = gather ? &in[0].shape : &out->shape, *deep = gather ? &out->shape : &in[0].shape;
    int64_t batch = wide->dim[0], h = deep->dim[1], w = deep->dim[2], c = wide->dim[3], row = wide->dim[2] * c, depth = deep->dim[3];
    struct sl_strided v = {.rank = 6};
    /* axes named n, y, x, i (block row), j (block column), c */
    const int64_t dim[6] = {batch, h, w, b, b, c};
    const int64_t wide_stride[6] = {wide->dim[1] * row, b * row, b * c, row, c, 1};
    const int64_t deep_stride[6] = {h * w * depth, w * depth, depth, crd ? b : b * c, crd ? 1 : c, crd ? b * b : 1};
    static const int deep_order_dcr[6] = {0, 1, 2, 3, 4, 5}, deep_order_crd[6] = {0, 1, 2, 5, 3, 4}, wide_order[6] = {0, 1, 3, 2, 4, 5};
    const int *order = !gather ? wide_order : crd ? deep_order_crd : deep_order_dcr;
    for (int i = 0; i < 6; i++) {
        v.dim[i] = dim[order[i]];
        v.stride[0][i] = (gather ? wide_stride : deep_stride)[order[i]];
    }
    sl_strided_copy(&v, out->data, in[0].data, sl_class_bytes(out->dtype));
    return SLUICE_OK;
}
