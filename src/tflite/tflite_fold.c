/* tflite_fold.c: operators that make constants: shapes, ranges, fills. What is computed from them folds. */
#include <math.h>
#include <string.h>

#include "ops/values.h"
#include "tflite/tflite_import.h"

enum { MOST_FOLDED = 1 << 23 };

static enum sl_dtype out_type(const struct tfl_import *c)
{
    return tfl_stored_dtype(&c->model.tensors[c->op->out[0]]);
}

sluice_status tflop_shape(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    SL_TRY(tfl_in(c, 0, &x));
    if (!x || (out_type(c) != SL_S32 && out_type(c) != SL_S64))
        return sl_fail(c->e, SLUICE_E_FORMAT, "a shape of type %s", sl_dtype_name(out_type(c)));
    return tfl_out(c, 0, sl_build_ints(c->b, out_type(c), 1, x->shape.rank, x->shape.dim));
}

sluice_status tflop_rank(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    SL_TRY(tfl_in(c, 0, &x));
    if (!x)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the input is missing");
    return tfl_out(c, 0, sl_build_ints(c->b, SL_S32, 0, 1, (int64_t[]){x->shape.rank}));
}

static sluice_status splat(struct tfl_import *c, enum sl_dtype t, const struct sl_shape *s, const void *element)
{
    size_t n;
    if (!sl_shape_count(s, &n))
        return sl_fail(c->e, SLUICE_E_LIMIT, "the shape is too large");
    struct sl_node *y = sl_build_const(c->b, sl_const_splat(c->a, t, s, element));
    y->quant = tfl_encoding(&c->model.tensors[c->op->out[0]]);
    return tfl_out(c, 0, y);
}

sluice_status tflop_zeros_like(struct tfl_import *c, const struct tfl_operator *op)
{
    static const uint64_t zero;
    struct sl_node *x;
    SL_TRY(tfl_in(c, 0, &x));
    return x ? splat(c, x->dtype, &x->shape, &zero) : sl_fail(c->e, SLUICE_E_FORMAT, "the input is missing");
}

sluice_status tflop_fill(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *value;
    const struct sl_const *k;
    int64_t dims[2 * SL_MAX_RANK];
    int n;
    SL_TRY(tfl_need_ints(c, 0, "shape", &n, dims));
    if (n > SL_MAX_RANK)
        return sl_unsupported(c->b, "a shape of %d dimensions", n);
    struct sl_shape s = sl_shape_of(n, dims);
    SL_TRY(tfl_in(c, 1, &value));
    k = sl_node_const(value);
    if (k && sl_shape_elements(&k->shape) == 1)
        return splat(c, k->dtype, &s, k->data);
    if (!value || sl_shape_elements(&value->shape) != 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the value is not one number");
    SL_TRY(sl_build_reshape(c->b, value, 0, NULL, &value));
    SL_TRY(sl_build_expand(c->b, value, &s, &value));
    return tfl_out(c, 0, value);
}

sluice_status tflop_range(struct tfl_import *c, const struct tfl_operator *op)
{
    static const char *const names[3] = {"start", "limit", "delta"};
    const struct sl_const *k[3], *result;
    struct sl_shape s = {.rank = 1};
    double v[3];
    void *data;
    for (int i = 0; i < 3; i++) {
        SL_TRY(tfl_need_const(c, i, names[i], &k[i]));
        if (sl_shape_elements(&k[i]->shape) != 1 || k[i]->dtype != k[0]->dtype)
            return sl_fail(c->e, SLUICE_E_SHAPE, "%s is not one number of the same type", names[i]);
        v[i] = sl_value_number(k[i]->dtype, k[i]->data, 0);
    }
    double length = v[2] != 0 ? ceil((v[1] - v[0]) / v[2]) : NAN;
    if (!(length <= INT32_MAX))
        return sl_fail(c->e, SLUICE_E_VALUE, "no range from %g to %g by %g", v[0], v[1], v[2]);
    s.dim[0] = length > 0 ? (int64_t)length : 0;
    SL_TRY(sl_build_new_const(c->b, k[0]->dtype, &s, &result, &data));
    size_t bytes = sl_dtype_bits(k[0]->dtype) / 8;
    for (int64_t i = 0; i < s.dim[0]; i++) {
        float f = (float)(v[0] + (double)i * v[2]);
        int64_t integer = (int64_t)(v[0] + (double)i * v[2]);
        sl_values_pack(k[0]->dtype, sl_is_float_class(k[0]->dtype) ? (void *)&f : (void *)&integer, 1,
                       (char *)data + (size_t)i * bytes);
    }
    return tfl_out(c, 0, sl_build_const(c->b, result));
}

/* The shape that two shapes broadcast to. */
sluice_status tflop_broadcast_args(struct tfl_import *c, const struct tfl_operator *op)
{
    int64_t v[2][2 * SL_MAX_RANK], out[2 * SL_MAX_RANK];
    int n[2];
    for (int i = 0; i < 2; i++)
        SL_TRY(tfl_need_ints(c, i, "shape", &n[i], v[i]));
    int rank = SL_MAX(n[0], n[1]);
    for (int k = 0; k < rank; k++) {
        int64_t a = k < rank - n[0] ? 1 : v[0][k - (rank - n[0])], b = k < rank - n[1] ? 1 : v[1][k - (rank - n[1])];
        if (a != b && a != 1 && b != 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "%lld and %lld do not broadcast", (long long)a, (long long)b);
        out[k] = a == 1 ? b : a;
    }
    return tfl_out(c, 0, sl_build_ints(c->b, out_type(c) == SL_S64 ? SL_S64 : SL_S32, 1, rank, out));
}
