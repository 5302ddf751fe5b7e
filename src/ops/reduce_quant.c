/* reduce_quant.c: averages and sums over positions: one multiplier; the division by the count is part of the arithmetic. */
#include <math.h>

#include "ops/quant_rules.h"

sluice_status quantize_average(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    sl_set_limits(q, n, -INFINITY, INFINITY);
    return sl_set_multiplier(q, n, "multiplier", (double)n->in[0]->quant.scale / (double)n->quant.scale, e);
}
