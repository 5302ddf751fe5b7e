/* eltwise_quant.c: sums and products of two tensors, matmul included, and constants: multipliers from the scales. */
#include <math.h>
#include <string.h>

#include "ops/quant_rules.h"

sluice_status quantize_sum(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    double out = n->quant.scale;

    sl_set_limits(q, n, -INFINITY, INFINITY);
    SL_TRY(sl_set_multiplier(q, n, "multiplier_a", (double)n->in[0]->quant.scale / out, e));
    return sl_set_multiplier(q, n, "multiplier_b", (double)n->in[1]->quant.scale / out, e);
}

sluice_status quantize_product(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    double a = n->in[0]->quant.scale, b = n->in[1]->quant.scale, out = n->quant.scale;

    const double scale =
        n->op == SL_OP_matmul ? sl_get_float(n, "scale", 1) : 1; /* of the exact sum: nothing is rounded for it */

    sl_remove_attr(n, "scale");
    sl_set_limits(q, n, -INFINITY, INFINITY);
    return sl_set_multiplier(q, n, "multiplier", n->op == SL_OP_ew_div ? a / b / out : a * b * scale / out, e);
}

/* One value for all stays one value. */
static sluice_status quantize_splat(struct sl_quantizer *q, struct sl_node *n, const struct sl_const *c, sl_err *e)
{
    const float value = *(const float *)c->data;
    if (!isfinite(value))
        return sl_fail(e, SLUICE_E_VALUE, "a constant of %g: finite values are accepted", (double)value);
    const int32_t v = sl_quantize_value(&n->quant, value);
    const uint16_t wide = (uint16_t)v;
    const uint8_t narrow = (uint8_t)v;
    sl_set_param(
        q->graph, n, "data",
        sl_const_splat(q->graph->arena, n->quant.dtype, &c->shape, n->quant.dtype == SL_U16 ? (const void *)&wide : &narrow));
    return SLUICE_OK;
}

sluice_status quantize_const(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    const struct sl_const *c = sl_param(n, "data");
    struct sl_shape shape;
    const float *f;
    uint16_t *wide;
    uint8_t *narrow;
    size_t count;

    if (!c)
        return sl_fail(e, SLUICE_E_INTERNAL, "a constant without data");
    if (c->splat && c->dtype == SL_F32)
        return quantize_splat(q, n, c, e);
    shape = c->shape;
    count = sl_shape_elements(&shape);
    SL_TRY(sl_float_param(q, n, "data", -1, &f, e));
    if (n->quant.dtype == SL_U16) {
        SL_TRY(sl_new_param(q, n, "data", SL_U16, shape.rank, shape.dim, &wide, e));
        for (size_t i = 0; i < count; i++)
            wide[i] = (uint16_t)sl_quantize_value(&n->quant, f[i]);
    } else {
        SL_TRY(sl_new_param(q, n, "data", SL_U8, shape.rank, shape.dim, &narrow, e));
        for (size_t i = 0; i < count; i++)
            narrow[i] = (uint8_t)sl_quantize_value(&n->quant, f[i]);
    }
    return SLUICE_OK;
}
