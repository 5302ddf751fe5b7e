/* move_quant.c: layers that copy stored values. Attributes are written out in the normal form of docs/numerics.md. */
#include <math.h>
#include <string.h>

#include "ops/quant_rules.h"

static void normal_axis(struct sl_quantizer *q, struct sl_node *n, int rank)
{
    int64_t axis = sl_get_int(n, "axis", 0);

    if (axis < 0)
        sl_set_int(q->graph, n, "axis", axis + rank);
}

static void normal_axes(struct sl_quantizer *q, struct sl_node *n, int rank)
{
    const struct sl_attr *axes = sl_attr(n, "axes");
    int64_t v[SL_MAX_RANK];

    if (!axes || axes->n > SL_MAX_RANK)
        return;
    for (int i = 0; i < axes->n; i++)
        v[i] = axes->i[i] < 0 ? axes->i[i] + rank : axes->i[i];
    sl_set_ints(q->graph, n, "axes", axes->n, v);
}

static sluice_status narrow_indices(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    const struct sl_const *c = sl_param(n, "indices");
    int64_t axis = sl_get_int(n, "axis", 0), size = n->in[0]->shape.dim[axis];
    struct sl_shape shape;
    const int64_t *in;
    int32_t *out;

    if (!c || c->dtype != SL_S64)
        return sl_fail(e, SLUICE_E_INTERNAL, "'indices' are missing or not s64");
    shape = c->shape;
    in = sl_const_dense(q->graph->arena, c);
    if (!in)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for 'indices'");
    SL_TRY(sl_new_param(q, n, "indices", SL_S32, shape.rank, shape.dim, &out, e));
    for (size_t i = 0, count = sl_shape_elements(&shape); i < count; i++) {
        int64_t v = in[i] < 0 ? in[i] + size : in[i];
        if (v < 0 || v >= size)
            return sl_fail(e, SLUICE_E_VALUE, "index %lld is outside an axis of %lld", (long long)in[i], (long long)size);
        out[i] = (int32_t)v;
    }
    return SLUICE_OK;
}

sluice_status quantize_nothing(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    switch ((int)n->op) {
    case SL_OP_concat:
        normal_axis(q, n, n->shape.rank);
        break;
    case SL_OP_reshape:
    case SL_OP_expand:
        sl_set_ints(q->graph, n, "shape", n->shape.rank, n->shape.dim);
        break;
    case SL_OP_reduce_max:
    case SL_OP_reduce_min:
        normal_axes(q, n, n->in[0]->shape.rank);
        break;
    case SL_OP_gather:
        normal_axis(q, n, n->in[0]->shape.rank);
        return narrow_indices(q, n, e);
    default:
        break;
    }
    return SLUICE_OK;
}

sluice_status quantize_pad(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    (void)e;
    sl_set_int(q->graph, n, "pad_value", sl_quantize_value(&n->quant, sl_get_float(n, "value", 0)));
    return SLUICE_OK;
}
