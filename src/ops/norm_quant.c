/* norm_quant.c: layer_norm and rms_norm: gamma and beta in units of the output's step, epsilon in units of the sum of squares.
 */
#include <math.h>
#include <string.h>

#include "ops/quant_rules.h"

static sluice_status check_length(const struct sl_node *n, int64_t count, sl_err *e)
{
    int64_t limit = n->in[0]->quant.dtype == SL_U16 ? 46340 : 32768;

    if (count < 1 || count > limit)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "normalizes %lld values: 1 to %lld are supported", (long long)count,
                       (long long)limit);
    return SLUICE_OK;
}

sluice_status quantize_layer_norm(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    bool rms = n->op == SL_OP_rms_norm;
    int64_t count = n->shape.dim[n->shape.rank - 1];
    double in_scale = n->in[0]->quant.scale, out_scale = n->quant.scale, eps = sl_get_float(n, "epsilon", 1e-5);
    double factor = (rms ? sqrt((double)count) : 1.0) / out_scale, unit;
    const float *gamma = NULL, *beta = NULL;
    float *out_gamma, *out_beta;

    SL_TRY(check_length(n, count, e));
    if (sl_param(n, "gamma"))
        SL_TRY(sl_float_param(q, n, "gamma", count, &gamma, e));
    if (sl_param(n, "beta"))
        SL_TRY(sl_float_param(q, n, "beta", count, &beta, e));
    SL_TRY(sl_new_param(q, n, "gamma", SL_F32, 1, &count, &out_gamma, e));
    SL_TRY(sl_new_param(q, n, "beta", SL_F32, 1, &count, &out_beta, e));
    for (int64_t c = 0; c < count; c++) {
        out_gamma[c] = (float)((gamma ? (double)gamma[c] : 1.0) * factor);
        out_beta[c] = (float)((beta ? (double)beta[c] : 0.0) / out_scale);
        if (!isfinite(out_gamma[c]) || !isfinite(out_beta[c]))
            return sl_fail(e, SLUICE_E_VALUE, "gamma or beta of channel %lld is too large for the output's scale %g",
                           (long long)c, out_scale);
    }
    unit = (rms ? (double)count : (double)count * (double)count) / (in_scale * in_scale);
    sl_set_float(q->graph, n, "epsilon", fmax(eps * unit, 1e-12)); /* > 0: the root is never of zero */
    sl_set_limits(q, n, -INFINITY, INFINITY);
    return SLUICE_OK;
}
