/* quant_rules.c: see quant_rules.h. Everything here is decided once, at optimize, in double precision. */
#include "ops/quant_rules.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ops/curves.h"

int32_t sl_quantize_value(const struct sl_quant *q, double v)
{
    double r = rint(v / (double)q->scale) + q->zero_point;

    if (isnan(v))
        return q->zero_point;
    return (int32_t)fmin(fmax(r, 0), sl_quant_max(q->dtype));
}

sluice_status sl_quant_multiplier(double m, const char *what, float *out, sl_err *e)
{
    if (!(m >= FLT_MIN && m < 0x1p63)) /* numerics.md section 12; half of the bound, as rounding to float may reach it */
        return sl_fail(e, SLUICE_E_VALUE, "%s is %g: accepted is %g to %g", what, m, (double)FLT_MIN, 0x1p63);
    *out = (float)m;
    return SLUICE_OK;
}

sluice_status sl_set_multiplier(struct sl_quantizer *q, struct sl_node *n, const char *attr, double m, sl_err *e)
{
    float f;

    SL_TRY(sl_quant_multiplier(m, attr, &f, e));
    sl_set_float(q->graph, n, attr, f);
    return SLUICE_OK;
}

void sl_set_limits(struct sl_quantizer *q, struct sl_node *n, double low, double high)
{
    int32_t lo, hi;

    if (q->plan) {
        low = fmax(low, q->plan[n->index].clamp_low);
        high = fmin(high, q->plan[n->index].clamp_high);
    }
    lo = low == -INFINITY ? 0 : sl_quantize_value(&n->quant, low);
    hi = high == INFINITY ? sl_quant_max(n->quant.dtype) : sl_quantize_value(&n->quant, high);
    sl_set_int(q->graph, n, "lo", lo);
    sl_set_int(q->graph, n, "hi", hi < lo ? lo : hi);
}

sluice_status sl_new_param(struct sl_quantizer *q, struct sl_node *n, const char *name, enum sl_dtype t, int rank,
                           const int64_t *dims, void *data_pointer, sl_err *e)
{
    struct sl_shape shape = sl_shape_of(rank, dims);
    void *data = NULL;
    const struct sl_const *c = sl_const_new(q->graph->arena, t, &shape, &data);

    if (!c)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for '%s'", name);
    sl_set_param(q->graph, n, name, c);
    memcpy(data_pointer, &data, sizeof data);
    return SLUICE_OK;
}

sluice_status sl_float_param(struct sl_quantizer *q, const struct sl_node *n, const char *name, int64_t count,
                             const float **out, sl_err *e)
{
    const struct sl_const *c = sl_param(n, name);
    const float *f;

    *out = NULL;
    if (!c)
        return sl_fail(e, SLUICE_E_INTERNAL, "parameter '%s' is missing", name);
    if (c->dtype != SL_F32 || (count >= 0 && (int64_t)sl_shape_elements(&c->shape) != count))
        return sl_fail(e, SLUICE_E_SHAPE, "parameter '%s' is not float32 of %lld values", name, (long long)count);
    f = sl_const_dense(q->graph->arena, c);
    if (!f)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for '%s'", name);
    for (size_t i = 0, size = sl_shape_elements(&c->shape); i < size; i++)
        if (!isfinite(f[i]))
            return sl_fail(e, SLUICE_E_VALUE, "parameter '%s' holds %g at position %zu: finite values are accepted", name,
                           (double)f[i], i);
    *out = f;
    return SLUICE_OK;
}

double sl_curve_value(const struct sl_curve *c, double x)
{
    return c->row ? c->row->exact(c, x) : x;
}

sluice_status sl_set_curve_table(struct sl_quantizer *q, struct sl_node *n, const struct sl_curve *curve, int bits,
                                 double scale, int32_t zero_point, const struct sl_quant *out, sl_err *e)
{
    bool wide = out->dtype == SL_U16;
    int64_t entries = bits == 8 ? 256 : bits == 16 && wide ? 4097 : 4096;
    double step = bits == 16 ? 16 : 1, first = bits == 16 && !wide ? 7.5 : 0; /* one entry of 16 indices: its middle */
    uint16_t *table16 = NULL;
    uint8_t *table8 = NULL;

    SL_TRY(sl_new_param(q, n, "table", out->dtype, 1, &entries, wide ? (void *)&table16 : (void *)&table8, e));
    for (int64_t i = 0; i < entries; i++) {
        int32_t value = sl_quantize_value(out, sl_curve_value(curve, scale * ((double)i * step + first - zero_point)));
        if (wide)
            table16[i] = (uint16_t)value;
        else
            table8[i] = (uint8_t)value;
    }
    return SLUICE_OK;
}

int64_t sl_kernel_out_channel(const struct sl_node *n, const struct sl_shape *kernel, int64_t row, int64_t column)
{
    int64_t columns = kernel->dim[kernel->rank - 1];

    if (n->op == SL_OP_dw)
        return row % kernel->dim[2] * columns + column;
    if (n->op == SL_OP_deconv)
        return row % kernel->dim[2] / (kernel->dim[2] / sl_get_int(n, "groups", 1)) * columns + column;
    return column;
}

int64_t sl_kernel_in_channel(const struct sl_node *n, const struct sl_shape *kernel, int64_t row, int64_t column)
{
    if (n->op == SL_OP_fc)
        return row;
    if (n->op == SL_OP_conv)
        return column / (kernel->dim[3] / sl_get_int(n, "groups", 1)) * kernel->dim[2] + row % kernel->dim[2];
    return row % kernel->dim[2];
}
