/* reduce_quant.c: averages and sums over positions: one multiplier; the division by the count is part of the arithmetic.
 * Positions of extremes are stored as they are. */
#include <math.h>

#include "ops/quant_rules.h"

sluice_status quantize_average(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    sl_set_limits(q, n, -INFINITY, INFINITY);
    return sl_set_multiplier(q, n, "multiplier", (double)n->in[0]->quant.scale / (double)n->quant.scale, e);
}

static int axis_of(const struct sl_node *n)
{
    int axis = (int)sl_get_int(n, "axis", 0);

    return axis < 0 ? axis + n->in[0]->shape.rank : axis;
}

int64_t sl_positions(const struct sl_node *n)
{
    return n->in[0]->shape.dim[axis_of(n)];
}

sluice_status quantize_index(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    (void)e;
    sl_set_int(q->graph, n, "axis", axis_of(n));
    return SLUICE_OK;
}
