/* norm_float.c: per-channel scale and offset (batch_norm, normalization, bias_add) and normalization over the last axis (layer_norm,
 * rms_norm): shape rules and float evaluation. */
#include <math.h>

#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"

static sluice_status check_spread(const struct sl_const *c, bool square, sl_err *e)
{
    for (size_t i = 0; c && i < (c->splat ? 1 : sl_shape_elements(&c->shape)); i++) {
        double v = sl_const_number(c, i);
        if (square ? !(v >= 0) : v == 0 || !isfinite(v))
            return sl_fail(e, SLUICE_E_VALUE, "%s of channel %zu is %g, %s is wanted", square ? "variance" : "std", i, v,
                           square ? "a number >= 0" : "a finite number other than 0");
    }
    return SLUICE_OK;
}

sluice_status infer_batch_norm(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_rank(n, 0, 1, SL_MAX_RANK, e));
    const struct sl_shape *s = &n->in[0]->shape;
    int64_t c = s->dim[s->rank - 1];
    double epsilon = 0;
    if (n->op == SL_OP_batch_norm) {
        SL_TRY(sl_rule_channels(n, "scale", false, SL_TYPES_F32, c, e));
        SL_TRY(sl_rule_channels(n, "offset", false, SL_TYPES_F32, c, e));
        SL_TRY(sl_rule_channels(n, "mean", true, SL_TYPES_F32, c, e));
        SL_TRY(sl_rule_channels(n, "variance", true, SL_TYPES_F32, c, e));
        SL_TRY(check_spread(sl_param(n, "variance"), true, e));
        SL_TRY(sl_rule_float(n, "epsilon", 0, 1e6, &epsilon, e));
    } else if (n->op == SL_OP_normalization) {
        SL_TRY(sl_rule_channels(n, "mean", true, SL_TYPES_F32, c, e));
        SL_TRY(sl_rule_channels(n, "std", true, SL_TYPES_F32, c, e));
        SL_TRY(check_spread(sl_param(n, "std"), false, e));
    } else {
        SL_TRY(sl_rule_channels(n, "bias", true, SL_TYPES_BIAS, c, e));
    }
    SL_TRY(sl_rule_activation(n, e));
    return sl_rule_output(n, SL_F32, s, e);
}

/* y = x * scale[c] + offset[c] */
static void scale_channels(const struct sl_node *n, const float *scale, const float *offset, const struct sl_tensor *in,
                           struct sl_tensor *out)
{
    size_t count = sl_shape_elements(&out->shape), c = (size_t)out->shape.dim[out->shape.rank - 1];
    const float *x = in->data;
    float *y = out->data;
    for (size_t at = 0; at + c <= count && c > 0; at += c)
        for (size_t i = 0; i < c; i++)
            y[at + i] = x[at + i] * scale[i] + offset[i];
    sl_curve_fused(n, y, count);
}

sluice_status eval_batch_norm(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                              sl_err *e)
{
    size_t c = (size_t)out->shape.dim[out->shape.rank - 1];
    double epsilon = sl_get_float(n, "epsilon", 0);
    const float *scale, *offset, *mean, *variance;
    float *factor, *shift;
    SL_TRY(sl_eval_param(ev, n, "scale", &scale, e));
    SL_TRY(sl_eval_param(ev, n, "offset", &offset, e));
    SL_TRY(sl_eval_param(ev, n, "mean", &mean, e));
    SL_TRY(sl_eval_param(ev, n, "variance", &variance, e));
    SL_TRY(sl_eval_scratch(ev, c, sizeof *factor, &factor, e));
    SL_TRY(sl_eval_scratch(ev, c, sizeof *shift, &shift, e));
    for (size_t i = 0; i < c; i++) {
        double f = (scale ? (double)scale[i] : 1) / sqrt((double)variance[i] + epsilon);
        factor[i] = (float)f;
        shift[i] = (float)((offset ? (double)offset[i] : 0) - (double)mean[i] * f);
    }
    scale_channels(n, factor, shift, in, out);
    return SLUICE_OK;
}

sluice_status eval_normalization(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                                 sl_err *e)
{
    size_t count = sl_shape_elements(&out->shape), c = (size_t)out->shape.dim[out->shape.rank - 1];
    const float *mean, *std, *x = in->data;
    float *y = out->data;
    SL_TRY(sl_eval_param(ev, n, "mean", &mean, e));
    SL_TRY(sl_eval_param(ev, n, "std", &std, e));
    for (size_t at = 0; at + c <= count && c > 0; at += c)
        for (size_t i = 0; i < c; i++)
            y[at + i] = (x[at + i] - mean[i]) / std[i];
    sl_curve_fused(n, y, count);
    return SLUICE_OK;
}

sluice_status eval_bias_add(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    size_t count = sl_shape_elements(&out->shape), c = (size_t)out->shape.dim[out->shape.rank - 1];
    const float *bias, *x = in->data;
    float *y = out->data;
    SL_TRY(sl_eval_param(ev, n, "bias", &bias, e));
    for (size_t at = 0; at + c <= count && c > 0; at += c)
        for (size_t i = 0; i < c; i++)
            y[at + i] = x[at + i] + bias[i];
    sl_curve_fused(n, y, count);
    return SLUICE_OK;
}

/* ---- over the last axis ---- */

sluice_status infer_layer_norm(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_rank(n, 0, 1, SL_MAX_RANK, e));
    const struct sl_shape *s = &n->in[0]->shape;
    int64_t c = s->dim[s->rank - 1];
    double epsilon = 1e-5;
    if (c < 1)
        return sl_fail(e, SLUICE_E_SHAPE, "the last axis of %s is empty", SL_SHAPE_TEXT(s));
    SL_TRY(sl_rule_channels(n, "gamma", false, SL_TYPES_F32, c, e));
    SL_TRY(sl_rule_channels(n, "beta", false, SL_TYPES_F32, c, e));
    SL_TRY(sl_rule_float(n, "epsilon", 0, 1e200, &epsilon, e)); /* quantized, of small inputs, it is in units of their step squared */
    return sl_rule_output(n, SL_F32, s, e);
}

/* One line: (x - mean) * r * gamma + beta, r = 1 / sqrt(mean of squares about `mean` + epsilon). Sums in double: their order does
 * not show in a float. */
static void normalize_line(const float *x, float *y, size_t c, bool centre, double epsilon, const float *gamma, const float *beta)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; centre && i < c; i++)
        sum += (double)x[i];
    const double mean = sum / (double)c;
    for (size_t i = 0; i < c; i++) {
        double d = (double)x[i] - mean;
        squares += d * d;
    }
    const double r = 1 / sqrt(squares / (double)c + epsilon);
    for (size_t i = 0; i < c; i++) {
        double v = ((double)x[i] - mean) * r * (gamma ? (double)gamma[i] : 1) + (beta ? (double)beta[i] : 0);
        y[i] = (float)v;
    }
}

static sluice_status normalize(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                               bool centre, sl_err *e)
{
    size_t count = sl_shape_elements(&out->shape), c = (size_t)out->shape.dim[out->shape.rank - 1];
    double epsilon = sl_get_float(n, "epsilon", 1e-5);
    const float *gamma, *beta, *x = in->data;
    float *y = out->data;
    SL_TRY(sl_eval_param(ev, n, "gamma", &gamma, e));
    SL_TRY(sl_eval_param(ev, n, "beta", &beta, e));
    for (size_t at = 0; at + c <= count; at += c)
        normalize_line(x + at, y + at, c, centre, epsilon, gamma, beta);
    return SLUICE_OK;
}

sluice_status eval_layer_norm(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                              sl_err *e)
{
    return normalize(ev, n, in, out, true, e);
}

sluice_status eval_rms_norm(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    return normalize(ev, n, in, out, false, e);
}
