/* resize_quant.c: a resize becomes index tables, for linear and cubic ones with 11-bit weights. */
#include <math.h>
#include <string.h>

#include "ops/quant_rules.h"
#include "ops/resize_table.h"

enum { ONE = 2048, MOST = 2 * ONE };

/* Weights of one position in steps of 1/2048; what rounding leaves of their sum goes to the largest, so that flat areas stay flat. */
static sluice_status round_weights(const double *exact, int taps, int32_t *weight, sl_err *e)
{
    int largest = 0, sum = 0;

    for (int k = 0; k < taps; k++) {
        if (!(fabs(exact[k]) < 2)) /* and not a NaN */
            return sl_fail(e, SLUICE_E_UNSUPPORTED, "a weight of %g has no quantized form (magnitudes below 2 have)", exact[k]);
        weight[k] = (int32_t)rint(exact[k] * ONE);
        sum += weight[k];
        largest = exact[k] > exact[largest] ? k : largest;
    }
    weight[largest] += ONE - sum;
    if (weight[largest] > MOST)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "weights of a position that sum to %g have no quantized form (1 has)", (double)sum / ONE);
    return SLUICE_OK;
}

static sluice_status write_axis(struct sl_quantizer *q, struct sl_node *n, int axis, int taps, sl_err *e)
{
    int64_t in = n->in[0]->shape.dim[1 + axis], out = n->shape.dim[1 + axis], dims[2] = {out, taps};
    int32_t *index, *weight = NULL;
    double *exact = NULL;

    SL_TRY(sl_new_param(q, n, axis ? "columns" : "rows", SL_S32, 2, dims, &index, e));
    if (taps > 1) {
        SL_TRY(sl_new_param(q, n, axis ? "column_weights" : "row_weights", SL_S32, 2, dims, &weight, e));
        exact = SL_NEW_ARRAY(q->graph->arena, double, taps * out);
    }
    SL_TRY(sl_resize_indices(n, axis, in, out, index, exact, e));
    for (int64_t i = 0; i < taps * out; i++)
        if (index[i] < 0) {
            sl_fail(e, SLUICE_E_UNSUPPORTED, "a resize that shows extrapolation_value beyond its input has no quantized form");
            return sl_hint(e, "end the network before this layer (--end-node-names) and resize on the host");
        }
    for (int64_t i = 0; exact && i < out; i++)
        SL_TRY(round_weights(exact + taps * i, taps, weight + taps * i, e));
    return SLUICE_OK;
}

sluice_status quantize_resize(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    struct sl_resize_rule rule;

    SL_TRY(sl_resize_rule(n, &rule, e));
    if (n->shape.rank != 4)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "resize of a tensor of rank %d (4 is supported)", n->shape.rank);
    SL_TRY(write_axis(q, n, 0, rule.taps, e));
    return write_axis(q, n, 1, rule.taps, e);
}
