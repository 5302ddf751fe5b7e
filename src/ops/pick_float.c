/* pick_float.c: pad and gather: each output position along an axis picks an input position by a table: shape rules and evaluation,
 * for floats and integers alike. */
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/strided.h"
#include "ops/values.h"

/* ---- pad ---- */
enum { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT };

struct padding { int mode; int64_t pads[2 * SL_MAX_RANK]; double value; };

static sluice_status read_padding(const struct sl_node *n, struct padding *p, sl_err *e)
{
    static const char *const modes[] = {"constant", "edge", "reflect"};
    int count, rank = n->in[0]->shape.rank;
    *p = (struct padding){.mode = PAD_CONSTANT};
    SL_TRY(sl_rule_list(n, "pads", 0, (int64_t)1 << 40, &count, p->pads, e));
    if (count != 2 * rank)
        return sl_fail(e, SLUICE_E_VALUE, "pads has %d values, before and after each of the %d axes of %s is wanted", count, rank,
                       SL_SHAPE_TEXT(&n->in[0]->shape));
    SL_TRY(sl_rule_word(n, "pad_mode", modes, 3, &p->mode, e));
    const struct sl_attr *value = sl_attr(n, "value"); /* may be infinite: padding before a maximum */
    if (value && (value->n != 1 || value->kind == SL_ATTR_STRING))
        return sl_fail(e, SLUICE_E_VALUE, "value has %d numbers, 1 is wanted", value->n);
    if (value)
        p->value = value->kind == SL_ATTR_INTS ? (double)value->i[0] : value->f[0];
    return SLUICE_OK;
}

sluice_status infer_pad(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct padding p;
    SL_TRY(read_padding(n, &p, e));
    struct sl_shape s = n->in[0]->shape, out = s;
    for (int i = 0; i < s.rank; i++) {
        int64_t before = p.pads[i], after = p.pads[s.rank + i];
        int64_t most = p.mode == PAD_REFLECT ? s.dim[i] - 1 : p.mode == PAD_EDGE && s.dim[i] == 0 ? 0 : INT64_MAX;
        if ((before || after) && (before > most || after > most))
            return sl_fail(e, SLUICE_E_VALUE, "pads %lld and %lld of axis %d are too large for mode %s on a side of %lld",
                           (long long)before, (long long)after, i, p.mode == PAD_EDGE ? "edge" : "reflect", (long long)s.dim[i]);
        out.dim[i] = s.dim[i] + before + after;
    }
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

/* Input position of output position o, or -1 for the constant. */
static int64_t padded_source(int mode, int64_t at, int64_t dim)
{
    if (at >= 0 && at < dim)
        return at;
    if (mode == PAD_EDGE)
        return at < 0 ? 0 : dim - 1;
    if (mode == PAD_REFLECT)
        return at < 0 ? -at : 2 * (dim - 1) - at;
    return -1;
}

struct pad_job {
    const struct sl_shape *in, *out;
    int last;                       /* axis whose lines are written at once; those after it are whole */
    int64_t *table[SL_MAX_RANK];    /* input position by output position */
    size_t inner_bytes;             /* of one position along `last` */
    const char *x;
    char *y, *fill;                 /* fill: inner_bytes of the constant */
};

/* Write output positions of axis `axis` and inside; `source` is the input's flat position so far, -1 outside. */
static void pad_axis(struct pad_job *j, int axis, int64_t source)
{
    for (int64_t o = 0; o < j->out->dim[axis]; o++) {
        int64_t at = source < 0 ? -1 : j->table[axis][o];
        int64_t next = at < 0 ? -1 : source * j->in->dim[axis] + at;
        if (axis < j->last) {
            pad_axis(j, axis + 1, next);
            continue;
        }
        memcpy(j->y, next < 0 ? j->fill : j->x + (size_t)next * j->inner_bytes, j->inner_bytes);
        j->y += j->inner_bytes;
    }
}

static void fill_constant(char *to, size_t bytes, enum sl_dtype t, double value)
{
    if (sl_is_float_class(t)) {
        float v = (float)value;
        for (size_t i = 0; i < bytes; i += sizeof v)
            memcpy(to + i, &v, sizeof v);
    } else {
        int64_t v = value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
        v = sl_wrap(t, v);
        for (size_t i = 0; i < bytes; i += sizeof v)
            memcpy(to + i, &v, sizeof v);
    }
}

sluice_status eval_pad(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    struct padding p;
    SL_TRY(read_padding(n, &p, e));
    int rank = out->shape.rank;
    struct pad_job j = {.in = &in[0].shape, .out = &out->shape, .inner_bytes = sl_class_bytes(out->dtype), .x = in[0].data,
                        .y = out->data, .last = rank - 1};
    if (rank == 0 || sl_shape_elements(&out->shape) == 0)
        return rank == 0 ? eval_copy(ev, n, in, out, e) : SLUICE_OK;
    for (; j.last > 0 && p.pads[j.last] == 0 && p.pads[rank + j.last] == 0; j.last--)
        j.inner_bytes *= (size_t)out->shape.dim[j.last];
    for (int i = 0; i <= j.last; i++) {
        SL_TRY(sl_eval_scratch(ev, (size_t)out->shape.dim[i], sizeof *j.table[i], &j.table[i], e));
        for (int64_t o = 0; o < out->shape.dim[i]; o++)
            j.table[i][o] = padded_source(p.mode, o - p.pads[i], in[0].shape.dim[i]);
    }
    SL_TRY(sl_eval_scratch(ev, j.inner_bytes, 1, &j.fill, e));
    fill_constant(j.fill, j.inner_bytes, out->dtype, p.value);
    pad_axis(&j, 0, 0);
    return SLUICE_OK;
}

/* ---- gather ---- */
static const unsigned INDEX_TYPES = 1u << SL_S64 | 1u << SL_S32;

sluice_status infer_gather(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct sl_shape *s = &n->in[0]->shape;
    const struct sl_const *indices;
    int axis;
    SL_TRY(sl_rule_axis(n, "axis", s->rank, 0, &axis, e));
    SL_TRY(sl_rule_param(n, "indices", true, -1, INDEX_TYPES, &indices, e));
    struct sl_shape out = {0};
    if (s->rank + indices->shape.rank - 1 > SL_MAX_RANK)
        return sl_fail(e, SLUICE_E_LIMIT, "the output would have rank %d, at most %d is accepted", s->rank + indices->shape.rank - 1,
                       SL_MAX_RANK);
    for (int i = 0; i < axis; i++)
        out.dim[out.rank++] = s->dim[i];
    for (int i = 0; i < indices->shape.rank; i++)
        out.dim[out.rank++] = indices->shape.dim[i];
    for (int i = axis + 1; i < s->rank; i++)
        out.dim[out.rank++] = s->dim[i];
    size_t count = indices->splat ? 1 : sl_shape_elements(&indices->shape);
    for (size_t i = 0; i < count; i++) {
        double v = sl_const_number(indices, i);
        if (!(v >= -(double)s->dim[axis] && v < (double)s->dim[axis]))
            return sl_fail(e, SLUICE_E_VALUE, "index %.0f at position %zu is outside axis %d of %s", v, i, axis, SL_SHAPE_TEXT(s));
    }
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

sluice_status eval_gather(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    const struct sl_const *indices = sl_param(n, "indices");
    const struct sl_shape *s = &in[0].shape;
    int axis;
    SL_TRY(sl_rule_axis(n, "axis", s->rank, 0, &axis, e));
    const struct sl_lines l = sl_shape_lines(s, axis);
    const size_t inner = l.inner * sl_class_bytes(out->dtype), count = sl_shape_elements(&indices->shape);
    char *y = out->data;
    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < count; i++, y += inner) {
            int64_t at = (int64_t)sl_const_number(indices, i); /* |index| < 2^46: exact */
            at += at < 0 ? s->dim[axis] : 0;
            memcpy(y, (const char *)in[0].data + (o * l.length + (size_t)at) * inner, inner);
        }
    return SLUICE_OK;
}

/* ---- gather by indices that are computed ---- */
sluice_status infer_gather_dynamic(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct sl_shape *s = &n->in[0]->shape, *t = &n->in[1]->shape;
    enum sl_dtype type = n->in[1]->dtype;
    struct sl_shape out = {0};
    int axis;
    SL_TRY(sl_rule_axis(n, "axis", s->rank, 0, &axis, e));
    if (sl_is_float_class(type) || type == SL_BOOL)
        return sl_fail(e, SLUICE_E_SHAPE, "the indices have type %s, integers are wanted", sl_dtype_name(type));
    if (s->rank + t->rank - 1 > SL_MAX_RANK)
        return sl_fail(e, SLUICE_E_LIMIT, "the output would have rank %d, at most %d is accepted", s->rank + t->rank - 1, SL_MAX_RANK);
    for (int i = 0; i < axis; i++)
        out.dim[out.rank++] = s->dim[i];
    for (int i = 0; i < t->rank; i++)
        out.dim[out.rank++] = t->dim[i];
    for (int i = axis + 1; i < s->rank; i++)
        out.dim[out.rank++] = s->dim[i];
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

sluice_status eval_gather_dynamic(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                                  sl_err *e)
{
    (void)ev;
    const struct sl_shape *s = &in[0].shape;
    const int64_t *indices = in[1].data;
    int axis;
    SL_TRY(sl_rule_axis(n, "axis", s->rank, 0, &axis, e));
    const struct sl_lines l = sl_shape_lines(s, axis);
    const size_t inner = l.inner * sl_class_bytes(out->dtype), count = sl_shape_elements(&in[1].shape);
    char *y = out->data;
    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < count; i++, y += inner) {
            int64_t at = indices[i];
            if (at < -s->dim[axis] || at >= s->dim[axis])
                return sl_fail(e, SLUICE_E_VALUE, "index %lld is outside an axis of %lld", (long long)at, (long long)s->dim[axis]);
            at += at < 0 ? s->dim[axis] : 0;
            memcpy(y, (const char *)in[0].data + (o * l.length + (size_t)at) * inner, inner);
        }
    return SLUICE_OK;
}
