/* activation_quant.c: a standalone activation becomes a table from stored value to stored value; requantize a multiplier. */
#include <math.h>

#include "ops/quant_rules.h"

sluice_status quantize_activation(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    const struct sl_quant *in = &n->in[0]->quant;
    struct sl_curve curve;

    SL_TRY(sl_curve_read(n, "type", &curve, e));
    return sl_set_curve_table(q, n, &curve, in->dtype == SL_U16 ? 16 : 8, in->scale, in->zero_point, &n->quant, e);
}

sluice_status quantize_requantize(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    sl_set_limits(q, n, -INFINITY, INFINITY);
    return sl_set_multiplier(q, n, "multiplier", (double)n->in[0]->quant.scale / (double)n->quant.scale, e);
}

/* batch_norm, normalization and bias_add are part of a weighted layer by now. */
sluice_status quantize_fused(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    (void)q;
    return sl_fail(e, SLUICE_E_INTERNAL, "%s reached quantization on its own", sl_op_info(n->op)->name);
}
