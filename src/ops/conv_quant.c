/*
 * conv_quant.c: conv, dw, fc and deconv to integers: one symmetric s8 scale an output channel, bias in units of the sum, one
 * float multiplier a channel, and after the sum either a clamp (linear) or a table over the calibrated range of the sum.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops/quant_rules.h"

/* Kernel as rows x columns with its scale a channel. */
struct kernel {
    struct sl_shape shape;
    int64_t rows, columns, out_c;
    const float *w, *bias;
    int64_t step; /* weight i is w[i * step]; 0: one stands for all */
    double *scale;
};

static double weight(const struct kernel *k, int64_t i)
{
    return k->w[i * k->step];
}

static bool is_clamp(const char *type)
{
    return !type[0] || !strcmp(type, "relu") || !strcmp(type, "relu6") || !strcmp(type, "clip") || !strcmp(type, "linear");
}

static sluice_status splat_weight(const struct sl_const *c, const float **w, sl_err *e)
{
    *w = c->data;
    if (c->dtype != SL_F32)
        return sl_fail(e, SLUICE_E_SHAPE, "parameter 'kernel' is not float32");
    return isfinite(**w) ? SLUICE_OK
                         : sl_fail(e, SLUICE_E_VALUE, "parameter 'kernel' holds %g: finite values are accepted", (double)**w);
}

static sluice_status read_kernel(struct sl_quantizer *q, const struct sl_node *n, struct kernel *k, sl_err *e)
{
    const struct sl_const *c = sl_param(n, "kernel");
    float *zeros;

    if (!c || c->shape.rank < 2)
        return sl_fail(e, SLUICE_E_INTERNAL, "a weighted layer without kernel");
    k->shape = c->shape;
    k->columns = c->shape.dim[c->shape.rank - 1];
    k->rows = k->columns ? (int64_t)sl_shape_elements(&c->shape) / k->columns : 0;
    k->out_c = n->shape.dim[n->shape.rank - 1];
    k->step = c->splat ? 0 : 1;
    if (!c->splat)
        SL_TRY(sl_float_param(q, n, "kernel", -1, &k->w, e));
    else
        SL_TRY(splat_weight(c, &k->w, e));
    if (sl_param(n, "bias"))
        return sl_float_param(q, n, "bias", k->out_c, &k->bias, e);
    zeros = sl_arena_alloc(q->graph->arena, (size_t)k->out_c * sizeof *zeros);
    if (!zeros)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for the bias");
    k->bias = zeros;
    return SLUICE_OK;
}

static double rounded(double w, double scale)
{
    return fmin(fmax(rint(w / scale), -127), 127);
}

/* Scales by the largest weight (smaller ones by least squared error gain nothing at 8 bits: measured), then held above a floor
 * that keeps the bias within 2^30 and the multiplier a normal float: channels that are dead, or whose bias dwarfs their
 * weights, get there. `step` is the unit of the sum's result (output or index scale). */
static void find_scales(struct sl_quantizer *q, const struct sl_node *n, struct kernel *k, double step)
{
    double in_scale = n->in[0]->quant.scale;

    k->scale = SL_NEW_ARRAY(q->graph->arena, double, k->out_c);
    for (int64_t r = 0; r < k->rows; r++)
        for (int64_t c = 0; c < k->columns; c++) {
            int64_t o = sl_kernel_out_channel(n, &k->shape, r, c);
            k->scale[o] = fmax(k->scale[o], fabs(weight(k, r * k->columns + c)) / 127.0);
        }
    for (int64_t o = 0; o < k->out_c; o++) {
        double floor = fmax(fabs((double)k->bias[o]) / (in_scale * 0x1p30), step / in_scale * 0x1p-60);
        if (k->scale[o] == 0 && k->bias[o] == 0)
            k->scale[o] = step / in_scale;
        k->scale[o] = fmax(k->scale[o], floor);
    }
}

/* Neighbouring positions of a picture are alike, so what a rounded window does to a flat picture matters more than each weight
 * does: the weights of one channel's window whose rounding is least certain go the other way until their sum is right to half a
 * step. */
static void keep_window_sums(const struct sl_node *n, const struct kernel *k, int8_t *w)
{
    int64_t window = k->shape.rank == 4 ? k->shape.dim[0] * k->shape.dim[1] : 1;
    int64_t stride = k->rows * k->columns / window; /* between positions of a window */

    for (int64_t at = 0; window > 1 && at < stride; at++) {
        double scale = k->scale[sl_kernel_out_channel(n, &k->shape, at / k->columns, at % k->columns)], sum = 0;
        for (int64_t i = 0; i < window; i++)
            sum += weight(k, at + i * stride) / scale - w[at + i * stride];
        for (int64_t step = 0; fabs(sum) > 0.5 && step < window; step++) {
            int direction = sum > 0 ? 1 : -1;
            int64_t best = -1;
            double most = -0.5;
            for (int64_t i = 0; i < window; i++) {
                double error = direction * (weight(k, at + i * stride) / scale - w[at + i * stride]);
                if (error > most && w[at + i * stride] * direction < 127)
                    most = error, best = i;
            }
            if (best < 0)
                break;
            w[at + best * stride] = (int8_t)(w[at + best * stride] + direction);
            sum -= direction;
        }
    }
}

/* Rounding the weights by d shifts each output by d times the input; the mean of that is known and taken out of the bias. */
static void correct_bias(const struct sl_quantizer *q, const struct sl_node *n, const struct kernel *k, const int8_t *w,
                         double *bias)
{
    const double *mean = q->plan ? q->plan[n->index].input_mean : NULL;
    int64_t strides[4] = {1, 1, 1, 1};
    double share; /* of a deconv's kernel that meets one output position */

    sl_get_ints(n, "strides", 4, strides);
    share = n->op == SL_OP_deconv ? 1.0 / (double)(strides[1] * strides[2]) : 1.0;
    for (int64_t o = 0; o < k->out_c; o++)
        bias[o] = k->bias[o];
    for (int64_t r = 0; mean && r < k->rows; r++)
        for (int64_t c = 0; c < k->columns; c++) {
            int64_t o = sl_kernel_out_channel(n, &k->shape, r, c), at = r * k->columns + c;
            bias[o] -= (w[at] * k->scale[o] - weight(k, at)) * share * mean[sl_kernel_in_channel(n, &k->shape, r, c)];
        }
}

/* Room for the rounded weights: the parameter itself or, where one weight stands for all, scratch memory. */
static sluice_status new_weights(struct sl_quantizer *q, struct sl_node *n, const struct kernel *k, sl_arena *scratch,
                                 int8_t **w, sl_err *e)
{
    if (k->step)
        return sl_new_param(q, n, "kernel", SL_S8, k->shape.rank, k->shape.dim, w, e);
    *w = sl_arena_alloc(scratch, sl_shape_elements(&k->shape) + 1);
    return *w ? SLUICE_OK : sl_fail(e, SLUICE_E_MEMORY, "no memory for a kernel of %zu weights", sl_shape_elements(&k->shape));
}

/* One value again where the channels' scales left the weights alike. */
static sluice_status keep_weights(struct sl_quantizer *q, struct sl_node *n, const struct kernel *k, const int8_t *w, sl_err *e)
{
    size_t count = sl_shape_elements(&k->shape);
    int8_t *out;

    if (count && memcmp(w, w + 1, count - 1) == 0) {
        sl_set_param(q->graph, n, "kernel", sl_const_splat(q->graph->arena, SL_S8, &k->shape, w));
        return SLUICE_OK;
    }
    SL_TRY(sl_new_param(q, n, "kernel", SL_S8, k->shape.rank, k->shape.dim, &out, e));
    memcpy(out, w, count);
    return SLUICE_OK;
}

static sluice_status write_arrays(struct sl_quantizer *q, struct sl_node *n, const struct kernel *k, double step,
                                  sl_arena *scratch, sl_err *e)
{
    double in_scale = n->in[0]->quant.scale;
    bool wide_in = n->in[0]->quant.dtype == SL_U16;
    double *corrected = SL_NEW_ARRAY(q->graph->arena, double, k->out_c);
    int8_t *w;
    void *bias;
    float *m;

    SL_TRY(new_weights(q, n, k, scratch, &w, e));
    SL_TRY(sl_new_param(q, n, "bias", wide_in ? SL_S64 : SL_S32, 1, &k->out_c, &bias, e));
    SL_TRY(sl_new_param(q, n, "multiplier", SL_F32, 1, &k->out_c, &m, e));
    for (int64_t r = 0; r < k->rows; r++)
        for (int64_t c = 0; c < k->columns; c++)
            w[r * k->columns + c] =
                (int8_t)rounded(weight(k, r * k->columns + c), k->scale[sl_kernel_out_channel(n, &k->shape, r, c)]);
    keep_window_sums(n, k, w);
    correct_bias(q, n, k, w, corrected);
    if (k->step == 0)
        SL_TRY(keep_weights(q, n, k, w, e));
    for (int64_t o = 0; o < k->out_c; o++) {
        double b = fmin(fmax(rint(corrected[o] / (in_scale * k->scale[o])), -0x1p31), 0x1p31 - 1);
        SL_TRY(sl_quant_multiplier(in_scale * k->scale[o] / step, "a channel's multiplier", &m[o], e));
        if (wide_in)
            ((int64_t *)bias)[o] = (int64_t)b;
        else
            ((int32_t *)bias)[o] = (int32_t)b;
    }
    return SLUICE_OK;
}

static sluice_status write_kernel(struct sl_quantizer *q, struct sl_node *n, const struct kernel *k, double step, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    sluice_status s = write_arrays(q, n, k, step, scratch, e);
    sl_arena_free(scratch);
    return s;
}

/* Padded positions hold what stood for zero before a mean was folded in, as near as the input's encoding has it. */
static sluice_status write_pad_value(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    const struct sl_quant *in = &n->in[0]->quant;
    int64_t channels = n->in[0]->shape.dim[n->in[0]->shape.rank - 1];
    const float *value;
    void *out;

    if (!sl_param(n, "pad_value"))
        return SLUICE_OK;
    SL_TRY(sl_float_param(q, n, "pad_value", channels, &value, e));
    SL_TRY(sl_new_param(q, n, "pad_value", in->dtype, 1, &channels, &out, e));
    for (int64_t c = 0; c < channels; c++) {
        int32_t v = sl_quantize_value(in, value[c]);
        if (in->dtype == SL_U16)
            ((uint16_t *)out)[c] = (uint16_t)v;
        else
            ((uint8_t *)out)[c] = (uint8_t)v;
    }
    return SLUICE_OK;
}

/* Part of [low, high] in which the output's stored value still changes, so that the table's indices are spent there. */
static void narrow_domain(const struct sl_curve *curve, const struct sl_quant *out, double *low, double *high)
{
    enum { STEPS = 4096 };
    double width = (*high - *low) / STEPS, from = *low, to = *high;
    int first = 0, last = STEPS;
    int32_t at_low = sl_quantize_value(out, sl_curve_value(curve, from));
    int32_t at_high = sl_quantize_value(out, sl_curve_value(curve, to));

    while (first < STEPS && sl_quantize_value(out, sl_curve_value(curve, from + width * (first + 1))) == at_low)
        first++;
    while (last > first && sl_quantize_value(out, sl_curve_value(curve, from + width * (last - 1))) == at_high)
        last--;
    if (first >= last)
        return; /* a constant */
    *low = from + width * first;
    *high = from + width * last;
}

/* Curves whose whole range is stored, whatever calibration saw of it. */
static bool is_bounded(const struct sl_node *n)
{
    const char *type = sl_get_string(n, "activation", "");

    return !strcmp(type, "sigmoid") || !strcmp(type, "hard_sigmoid");
}

/* post = table: where the index lies, and the table over it. Sums of other data go beyond those of calibration, so the domain starts
 * larger; what the output's encoding does not tell apart is cut off again. Returns the index's scale in *step. */
static sluice_status write_table(struct sl_quantizer *q, struct sl_node *n, double *step, sl_err *e)
{
    enum { ROOM = 2, BOUNDED = 20 };
    const struct sl_range *r = q->plan ? &q->plan[n->index].pre_activation : NULL;
    bool wide = n->quant.dtype == SL_U16;
    struct sl_curve curve;
    int32_t top = wide ? 65535 : 4095, zero;
    double least = is_bounded(n) ? BOUNDED : 0, low, high;

    if (!r || !r->known)
        return sl_fail(e, SLUICE_E_INTERNAL, "no range before its activation");
    SL_TRY(sl_curve_read(n, "activation", &curve, e));
    low = fmin(ROOM * r->min, -least);
    high = fmax(ROOM * r->max, least);
    narrow_domain(&curve, &n->quant, &low, &high);
    low = fmin(low, 0);
    high = fmax(high, 0);
    if (!(high - low >= 1e-20))
        high = low + 1e-20;
    *step = (high - low) / top;
    zero = (int32_t)fmin(fmax(rint(-low / *step), 0), top);
    sl_set_string(q->graph, n, "post", "table");
    sl_set_int(q->graph, n, "index_zero_point", zero);
    return sl_set_curve_table(q, n, &curve, wide ? 16 : 12, *step, zero, &n->quant, e);
}

static void clamp_limits(const struct sl_node *n, double *low, double *high)
{
    const char *type = sl_get_string(n, "activation", "");

    *low = !strcmp(type, "relu") || !strcmp(type, "relu6") ? 0 : -INFINITY;
    *high = !strcmp(type, "relu6") ? 6 : INFINITY;
    if (!strcmp(type, "clip")) {
        *low = sl_get_float(n, "minimum", -INFINITY);
        *high = sl_get_float(n, "maximum", INFINITY);
    }
}

sluice_status quantize_weighted(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    static const char *const done[] = {"activation", "alpha", "beta", "minimum", "maximum"};
    const char *type = sl_get_string(n, "activation", "");
    double step = n->quant.scale, low, high;
    struct kernel k = {0};

    SL_TRY(read_kernel(q, n, &k, e));
    if (is_clamp(type)) {
        clamp_limits(n, &low, &high);
        sl_set_string(q->graph, n, "post", "linear");
        sl_set_limits(q, n, low, high);
    } else {
        if (n->n_in == 2)
            return sl_fail(e, SLUICE_E_INTERNAL, "'%s' behind a residual", type);
        SL_TRY(write_table(q, n, &step, e));
        sl_set_int(q->graph, n, "lo", 0);
        sl_set_int(q->graph, n, "hi", sl_quant_max(n->quant.dtype));
    }
    if (n->n_in == 2)
        SL_TRY(sl_set_multiplier(q, n, "residual_multiplier", (double)n->in[1]->quant.scale / (double)n->quant.scale, e));
    find_scales(q, n, &k, step);
    SL_TRY(write_kernel(q, n, &k, step, e));
    for (size_t i = 0; i < SL_COUNT(done); i++)
        sl_remove_attr(n, done[i]);
    return write_pad_value(q, n, e);
}
