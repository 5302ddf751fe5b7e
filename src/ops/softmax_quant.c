/* softmax_quant.c: exp(-d) as a 16-bit table over the distance to the line's maximum. */
#include <math.h>

#include "ops/quant_rules.h"

sluice_status quantize_softmax(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    const struct sl_quant *in = &n->in[0]->quant;
    bool wide = in->dtype == SL_U16;
    int64_t entries = wide ? 4096 : 256, axis = sl_get_int(n, "axis", -1);
    int shift = 0;
    uint16_t *table;

    /* exp(-12) rounds to 0 of 65535: indices need not reach further. */
    while (wide && shift < 4 && (double)in->scale * 4095.0 * (1 << shift) < 12.0)
        shift++;
    if (axis < 0)
        axis += n->shape.rank;
    sl_set_int(q->graph, n, "axis", axis);
    SL_TRY(sl_new_param(q, n, "table", SL_U16, 1, &entries, &table, e));
    for (int64_t k = 0; k < entries; k++) {
        double d = (double)(k << shift) +
                   (k ? ((1 << shift) - 1) / 2.0 : 0); /* the middle of the entry, but the maximum itself exact */
        table[k] = (uint16_t)rint(65535.0 * exp(-d * (double)in->scale));
    }
    sl_remove_attr(n, "nan_guard"); /* integers have no NaN: a line that is masked throughout gives equal parts */
    if (wide)
        sl_set_int(q->graph, n, "index_shift", shift);
    sl_set_float(q->graph, n, "inverse_scale", 1.0 / (double)n->quant.scale);
    return SLUICE_OK;
}
