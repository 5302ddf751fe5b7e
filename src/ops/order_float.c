/* order_float.c: ops along one axis that look at the order of values: argmax, argmin, top_k, hardmax, cumsum: shape rules and
 * evaluation for floats and integers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/values.h"

static sluice_status read_lines(const struct sl_node *n, int otherwise, struct sl_lines *l, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape;
    int axis;
    SL_TRY(sl_rule_axis(n, "axis", s->rank, otherwise < 0 ? otherwise + s->rank : otherwise, &axis, e));
    *l = sl_shape_lines(s, axis);
    if (n->in[0]->dtype == SL_BOOL)
        return sl_fail(e, SLUICE_E_SHAPE, "the input has type bool, numbers are wanted");
    return SLUICE_OK;
}

/* A value with its place; one class of `value` is used. NaN is above all numbers. */
struct entry { double real; int64_t whole; size_t index; };

static struct entry entry_at(const struct sl_tensor *x, size_t at, size_t index)
{
    struct entry v = {.index = index};
    if (sl_is_float_class(x->dtype))
        v.real = (double)((const float *)x->data)[at];
    else /* u64 in the order of s64 */
        v.whole = ((const int64_t *)x->data)[at] ^ (x->dtype == SL_U64 ? INT64_MIN : 0);
    return v;
}

static int compare_values(const struct entry *a, const struct entry *b)
{
    if (isnan(a->real) || isnan(b->real))
        return (isnan(a->real) != 0) - (isnan(b->real) != 0);
    if (a->real != b->real)
        return a->real > b->real ? 1 : -1;
    return (a->whole > b->whole) - (a->whole < b->whole);
}

/* ---- argmax, argmin, hardmax ---- */
sluice_status infer_argmax(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_lines l;
    int64_t keepdims = 1, last = 0;
    SL_TRY(read_lines(n, 0, &l, e));
    SL_TRY(sl_rule_ints(n, "keepdims", 1, 0, 1, &keepdims, e));
    SL_TRY(sl_rule_ints(n, "select_last_index", 1, 0, 1, &last, e));
    if (l.length == 0)
        return sl_fail(e, SLUICE_E_SHAPE, "axis %d of %s is empty", l.axis, SL_SHAPE_TEXT(&n->in[0]->shape));
    struct sl_shape s = n->in[0]->shape, out = {0};
    for (int i = 0; i < s.rank; i++)
        if (i != l.axis || keepdims)
            out.dim[out.rank++] = i == l.axis ? 1 : s.dim[i];
    return sl_rule_output(n, SL_S64, &out, e);
}

static size_t extreme(const struct sl_tensor *x, const struct sl_lines *l, size_t first, bool largest, bool last)
{
    struct entry best = entry_at(x, first, 0);
    for (size_t k = 1; k < l->length; k++) {
        struct entry v = entry_at(x, first + k * l->inner, k);
        int order = compare_values(&v, &best);
        if (largest ? order > 0 : order < 0)
            best = v;
        else if (order == 0 && last)
            best = v;
    }
    return best.index;
}

sluice_status eval_argmax(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct sl_lines l;
    int64_t *y = out->data;
    SL_TRY(read_lines(n, 0, &l, e));
    bool last = sl_get_int(n, "select_last_index", 0) != 0;
    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < l.inner; i++)
            *y++ = (int64_t)extreme(&in[0], &l, o * l.length * l.inner + i, n->op == SL_OP_argmax, last);
    return SLUICE_OK;
}

sluice_status infer_hardmax(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_lines l;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(read_lines(n, -1, &l, e));
    return sl_rule_output(n, SL_F32, &n->in[0]->shape, e);
}

sluice_status eval_hardmax(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct sl_lines l;
    float *y = out->data;
    SL_TRY(read_lines(n, -1, &l, e));
    memset(y, 0, sl_shape_elements(&out->shape) * sizeof *y);
    for (size_t o = 0; o < l.outer && l.length > 0; o++)
        for (size_t i = 0; i < l.inner; i++) {
            size_t first = o * l.length * l.inner + i;
            y[first + extreme(&in[0], &l, first, true, false) * l.inner] = 1;
        }
    return SLUICE_OK;
}

/* ---- top_k: values or indices, as two nodes ---- */
static sluice_status read_top(const struct sl_node *n, struct sl_lines *l, int64_t *k, bool *indices, sl_err *e)
{
    static const char *const outputs[] = {"values", "indices"};
    int output = 0;
    int64_t largest = 1, sorted = 1;
    SL_TRY(read_lines(n, -1, l, e));
    SL_TRY(sl_rule_word(n, "output", outputs, 2, &output, e));
    SL_TRY(sl_rule_ints(n, "largest", 1, 0, 1, &largest, e));
    SL_TRY(sl_rule_ints(n, "sorted", 1, 0, 1, &sorted, e));
    if (!sl_attr(n, "k"))
        return sl_fail(e, SLUICE_E_VALUE, "k is missing");
    SL_TRY(sl_rule_ints(n, "k", 1, 0, (int64_t)l->length, k, e));
    *indices = output == 1;
    return SLUICE_OK;
}

sluice_status infer_top_k(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_lines l;
    int64_t k = 0;
    bool indices;
    SL_TRY(read_top(n, &l, &k, &indices, e));
    struct sl_shape out = n->in[0]->shape;
    out.dim[l.axis] = k;
    return sl_rule_output(n, indices ? SL_S64 : n->in[0]->dtype, &out, e);
}

/* Of equal values the lower index comes first, in both directions. */
static int rising(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = compare_values(x, y);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int falling(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = compare_values(y, x);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

sluice_status eval_top_k(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    struct sl_lines l;
    struct entry *line;
    int64_t k = 0;
    bool indices;
    SL_TRY(read_top(n, &l, &k, &indices, e));
    SL_TRY(sl_eval_scratch(ev, l.length, sizeof *line, &line, e));
    bool largest = sl_get_int(n, "largest", 1) != 0;
    size_t bytes = sl_class_bytes(in[0].dtype);
    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < l.inner; i++) {
            size_t first = o * l.length * l.inner + i, to = o * (size_t)k * l.inner + i;
            for (size_t j = 0; j < l.length; j++)
                line[j] = entry_at(&in[0], first + j * l.inner, j);
            qsort(line, l.length, sizeof *line, largest ? falling : rising);
            for (size_t j = 0; j < (size_t)k; j++) {
                if (indices)
                    ((int64_t *)out->data)[to + j * l.inner] = (int64_t)line[j].index;
                else
                    memcpy((char *)out->data + (to + j * l.inner) * bytes,
                           (const char *)in[0].data + (first + line[j].index * l.inner) * bytes, bytes);
            }
        }
    return SLUICE_OK;
}

/* ---- cumsum ---- */
sluice_status infer_cumsum(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_lines l;
    int64_t flag = 0;
    SL_TRY(read_lines(n, 0, &l, e));
    SL_TRY(sl_rule_ints(n, "exclusive", 1, 0, 1, &flag, e));
    SL_TRY(sl_rule_ints(n, "reverse", 1, 0, 1, &flag, e));
    return sl_rule_output(n, n->in[0]->dtype, &n->in[0]->shape, e);
}

sluice_status eval_cumsum(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct sl_lines l;
    SL_TRY(read_lines(n, 0, &l, e));
    bool exclusive = sl_get_int(n, "exclusive", 0) != 0, reverse = sl_get_int(n, "reverse", 0) != 0;
    bool floats = sl_is_float_class(out->dtype);
    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < l.inner; i++) {
            double sum = 0;
            uint64_t whole = 0;
            for (size_t j = 0; j < l.length; j++) {
                size_t at = (o * l.length + (reverse ? l.length - 1 - j : j)) * l.inner + i;
                double before = sum;
                uint64_t whole_before = whole;
                if (floats) {
                    sum += (double)((const float *)in[0].data)[at];
                    ((float *)out->data)[at] = (float)(exclusive ? before : sum);
                } else {
                    whole += (uint64_t)((const int64_t *)in[0].data)[at];
                    ((int64_t *)out->data)[at] = sl_wrap(out->dtype, (int64_t)(exclusive ? whole_before : whole));
                }
            }
        }
    return SLUICE_OK;
}
