/* op_rules.c: the checks that shape rules are made of; see op_rules.h. */
#include "ops/op_rules.h"

#include <math.h>
#include <string.h>

#include "base/strings.h"
#include "ops/values.h"

static sluice_status check_range(const char *name, int64_t v, int64_t lo, int64_t hi, sl_err *e)
{
    if (v >= lo && v <= hi)
        return SLUICE_OK;
    return sl_fail(e, SLUICE_E_VALUE, "%s holds %lld, accepted is %lld to %lld", name, (long long)v, (long long)lo, (long long)hi);
}

sluice_status sl_rule_ints(const struct sl_node *n, const char *name, int count, int64_t lo, int64_t hi, int64_t *v, sl_err *e)
{
    const struct sl_attr *a = sl_attr(n, name);
    if (!a)
        return SLUICE_OK;
    if (a->kind != SL_ATTR_INTS || a->n != count)
        return sl_fail(e, SLUICE_E_VALUE, "%s has %d %s, %d integers are wanted", name, a->n,
                       a->kind == SL_ATTR_INTS ? "integers" : a->kind == SL_ATTR_FLOATS ? "floats" : "characters", count);
    for (int i = 0; i < count; i++)
        SL_TRY(check_range(name, a->i[i], lo, hi, e));
    memcpy(v, a->i, (size_t)count * sizeof *v);
    return SLUICE_OK;
}

sluice_status sl_rule_list(const struct sl_node *n, const char *name, int64_t lo, int64_t hi, int *count, int64_t *v, sl_err *e)
{
    const struct sl_attr *a = sl_attr(n, name);
    if (!a)
        return sl_fail(e, SLUICE_E_VALUE, "%s is missing", name);
    if (a->n == 0) { /* an empty list has no kind that a reader could tell */
        *count = 0;
        return SLUICE_OK;
    }
    if (a->kind != SL_ATTR_INTS || a->n > 2 * SL_MAX_RANK)
        return sl_fail(e, SLUICE_E_VALUE, "%s must be a list of at most %d integers", name, 2 * SL_MAX_RANK);
    for (int i = 0; i < a->n; i++)
        SL_TRY(check_range(name, a->i[i], lo, hi, e));
    *count = a->n;
    memcpy(v, a->i, (size_t)a->n * sizeof *v);
    return SLUICE_OK;
}

sluice_status sl_rule_floats(const struct sl_node *n, const char *name, int count, double *v, sl_err *e)
{
    const struct sl_attr *a = sl_attr(n, name);
    if (!a)
        return SLUICE_OK;
    if (a->kind == SL_ATTR_STRING || a->n != count)
        return sl_fail(e, SLUICE_E_VALUE, "%s has %d values, %d numbers are wanted", name, a->n, count);
    for (int i = 0; i < count; i++) {
        double x = a->kind == SL_ATTR_INTS ? (double)a->i[i] : a->f[i];
        if (!isfinite(x))
            return sl_fail(e, SLUICE_E_VALUE, "%s holds %g, a finite number is wanted", name, x);
        v[i] = x;
    }
    return SLUICE_OK;
}

sluice_status sl_rule_float(const struct sl_node *n, const char *name, double lo, double hi, double *v, sl_err *e)
{
    double x = *v;
    if (!sl_attr(n, name))
        return SLUICE_OK;
    SL_TRY(sl_rule_floats(n, name, 1, &x, e));
    if (!(x >= lo && x <= hi))
        return sl_fail(e, SLUICE_E_VALUE, "%s is %g, accepted is %g to %g", name, x, lo, hi);
    *v = x;
    return SLUICE_OK;
}

sluice_status sl_rule_word(const struct sl_node *n, const char *name, const char *const *words, int count, int *index, sl_err *e)
{
    const struct sl_attr *a = sl_attr(n, name);
    if (!a)
        return SLUICE_OK;
    if (a->kind != SL_ATTR_STRING)
        return sl_fail(e, SLUICE_E_VALUE, "%s must be a word such as '%s'", name, words[0]);
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], a->s) == 0) {
            *index = i;
            return SLUICE_OK;
        }
    sl_fail(e, SLUICE_E_UNSUPPORTED, "%s '%s' is not known", name, a->s);
    const char *near = sl_nearest(a->s, words, (size_t)count);
    if (near)
        sl_hint(e, "did you mean '%s'?", near);
    return e->code;
}

sluice_status sl_rule_axis(const struct sl_node *n, const char *name, int rank, int otherwise, int *axis, sl_err *e)
{
    int64_t v = otherwise;
    if (rank == 0)
        return sl_fail(e, SLUICE_E_SHAPE, "a scalar has no axis");
    SL_TRY(sl_rule_ints(n, name, 1, -rank, rank - 1, &v, e));
    *axis = (int)(v < 0 ? v + rank : v);
    if (*axis < 0 || *axis >= rank)
        return sl_fail(e, SLUICE_E_VALUE, "%s is missing and its default %d is no axis of rank %d", name, otherwise, rank);
    return SLUICE_OK;
}

sluice_status sl_rule_window(const struct sl_node *n, const char *name, int64_t *v, sl_err *e)
{
    int64_t w[4] = {1, v[0], v[1], 1};
    SL_TRY(sl_rule_ints(n, name, 4, 1, SL_SIDE_LIMIT, w, e));
    if (w[0] != 1 || w[3] != 1)
        return sl_fail(e, SLUICE_E_VALUE, "%s is [%lld, %lld, %lld, %lld], the form [1, h, w, 1] is wanted", name, (long long)w[0],
                       (long long)w[1], (long long)w[2], (long long)w[3]);
    v[0] = w[1];
    v[1] = w[2];
    return SLUICE_OK;
}

sluice_status sl_rule_param(const struct sl_node *n, const char *name, bool required, int rank, unsigned types,
                            const struct sl_const **out, sl_err *e)
{
    const struct sl_const *c = sl_param(n, name);
    *out = c;
    if (!c)
        return required ? sl_fail(e, SLUICE_E_VALUE, "parameter %s is missing", name) : SLUICE_OK;
    if (!(types >> c->dtype & 1))
        return sl_fail(e, SLUICE_E_SHAPE, "parameter %s has type %s, which this op does not take", name, sl_dtype_name(c->dtype));
    if (rank >= 0 && c->shape.rank != rank)
        return sl_fail(e, SLUICE_E_SHAPE, "parameter %s has shape %s, rank %d is wanted", name, SL_SHAPE_TEXT(&c->shape), rank);
    size_t bytes;
    if (!sl_bytes_of(c->dtype, &c->shape, &bytes))
        return sl_fail(e, SLUICE_E_LIMIT, "parameter %s of shape %s is too large", name, SL_SHAPE_TEXT(&c->shape));
    if (!c->splat && c->bytes < bytes)
        return sl_fail(e, SLUICE_E_FORMAT, "parameter %s has %zu bytes, its shape %s needs %zu", name, c->bytes,
                       SL_SHAPE_TEXT(&c->shape), bytes);
    return SLUICE_OK;
}

sluice_status sl_rule_channels(const struct sl_node *n, const char *name, bool required, unsigned types, int64_t c, sl_err *e)
{
    const struct sl_const *p;
    SL_TRY(sl_rule_param(n, name, required, 1, types, &p, e));
    if (p && p->shape.dim[0] != c)
        return sl_fail(e, SLUICE_E_SHAPE, "parameter %s has %lld values, one a channel (%lld) is wanted", name,
                       (long long)p->shape.dim[0], (long long)c);
    return SLUICE_OK;
}

sluice_status sl_rule_is_float(const struct sl_node *n, int input, sl_err *e)
{
    if (sl_dtype_is_float(n->in[input]->dtype))
        return SLUICE_OK;
    return sl_fail(e, SLUICE_E_SHAPE, "input %d has type %s, a float type is wanted", input, sl_dtype_name(n->in[input]->dtype));
}

sluice_status sl_rule_rank(const struct sl_node *n, int input, int least, int most, sl_err *e)
{
    const struct sl_shape *s = &n->in[input]->shape;
    if (s->rank >= least && s->rank <= most)
        return SLUICE_OK;
    return sl_fail(e, SLUICE_E_SHAPE, "input %d has shape %s, rank %d to %d is wanted", input, SL_SHAPE_TEXT(s), least, most);
}

sluice_status sl_rule_output(struct sl_node *n, enum sl_dtype t, const struct sl_shape *s, sl_err *e)
{
    size_t count;
    if (!sl_shape_count(s, &count))
        return sl_fail(e, SLUICE_E_LIMIT, "the output's shape %s is too large, at most 2^46 values are accepted", SL_SHAPE_TEXT(s));
    n->dtype = t;
    n->shape = *s;
    return SLUICE_OK;
}

sluice_status sl_rule_broadcast(const struct sl_shape *a, const struct sl_shape *b, struct sl_shape *out, sl_err *e)
{
    int rank = SL_MAX(a->rank, b->rank);
    out->rank = rank;
    for (int i = 0; i < rank; i++) {
        int64_t da = i < rank - a->rank ? 1 : a->dim[i - (rank - a->rank)];
        int64_t db = i < rank - b->rank ? 1 : b->dim[i - (rank - b->rank)];
        if (da != db && da != 1 && db != 1)
            return sl_fail(e, SLUICE_E_SHAPE, "shapes %s and %s do not broadcast", SL_SHAPE_TEXT(a), SL_SHAPE_TEXT(b));
        out->dim[i] = da == 1 ? db : da;
    }
    return SLUICE_OK;
}

double sl_const_number(const struct sl_const *c, size_t i)
{
    return sl_value_number(c->dtype, c->data, c->splat ? 0 : i);
}

int64_t sl_saturating_mul(int64_t a, int64_t b)
{
    if (a <= 0 || b <= 0)
        return 0;
    return a > INT64_MAX / b ? INT64_MAX : a * b;
}
