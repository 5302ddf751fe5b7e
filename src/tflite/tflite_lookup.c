/*
 * tflite_lookup.c: what LiteRT's 16-bit LOGISTIC, TANH, EXP and SOFTMAX make of a stored value. They interpolate between the
 * entries of short tables, which leaves them several steps from the exact curve: a file that was quantized for them gets their
 * values. Called by tflite_quantized.c once a layer's own quantize rule has run.
 */
#include <math.h>
#include <string.h>

#include "tflite/tflite_encode.h"

/* ---- the sigmoid: entries 1/24 apart, in steps of 2^-16, each moved by half of what a chord misses in its middle ---- */

enum { SIGMOID_ENTRIES = 256 };

static int64_t sigmoid_entry(int64_t i)
{
    double ends[3];
    if (i >= SIGMOID_ENTRIES - 1)
        return 65535;
    for (int k = 0; k < 3; k++)
        ends[k] = 1 / (1 + exp(-((double)i + k / 2.0) / 24));
    return (int64_t)floor(0x1p16 * (ends[0] + (ends[1] - (ends[0] + ends[2]) / 2) / 2) + 0.5);
}

/* The stored difference from 0 as a place in the table, 2^9 positions an entry (2^8 for tanh, which is a sigmoid of twice x).
 */
static int64_t sigmoid_place(int32_t x, double scale)
{
    double log2_scale = log2(scale), factor = scale * 4096 * 3;
    int shift = 0;
    if (fabs(log2_scale - rint(log2_scale)) < 1e-3 && rint(log2_scale) >= -12)
        return (int64_t)x * (3LL << SL_MIN((int)rint(log2_scale) + 12, 31));
    while (factor <= 32767.0 / 2 && shift <= 30) {
        factor *= 2;
        shift++;
    }
    return ((int64_t)x * (int64_t)fmin(factor, INT32_MAX) + (shift ? 1LL << (shift - 1) : 0)) >> shift;
}

static int64_t between_entries(int64_t place, int bits)
{
    int64_t size = place < 0 ? -place : place, i = size >> bits, rest = size & ((1LL << bits) - 1);
    if (i >= SIGMOID_ENTRIES - 1)
        return -1;
    int64_t low = sigmoid_entry(i);
    return (low << bits) + rest * (sigmoid_entry(i + 1) - low);
}

static int64_t sigmoid_value(int32_t x, double scale)
{
    int64_t place = sigmoid_place(x, scale), v = between_entries(place, 9);
    v = v < 0 ? 0x7fffLL << 10 : v;
    return (place >= 0 ? v + 512 : (1LL << 25) - v + 511) >> 10;
}

static int64_t tanh_value(int32_t x, double scale)
{
    int64_t place = sigmoid_place(x, scale), v = between_entries(place, 8);
    v = v < 0 ? 0xffffLL << 8 : v;
    return (place >= 0 ? v - (1LL << 23) + 128 : (1LL << 23) - v + 127) >> 8;
}

/* ---- tables of 512 steps over the range of a 16-bit value ---- */

static double round_away(double v)
{
    return v < 0 ? -floor(-v + 0.5) : floor(v + 0.5);
}

static double reciprocal_above_one(double x)
{
    return 1 / (1 + x);
}

static void fill_lookup(double (*f)(double), double from, double to, double steps_of_one, int16_t *out)
{
    double step = (to - from) / (TFL_LOOKUP - 1);
    for (int i = 0; i < TFL_LOOKUP; i++) {
        double x = from + i * step, value = round_away(f(x) * steps_of_one), error = 0;
        if (i < TFL_LOOKUP - 1)
            error =
                round_away((f(from + (i + 1) * step) * steps_of_one + value) / 2) - round_away(f(x + step / 2) * steps_of_one);
        out[i] = (int16_t)fmin(fmax(value - round_away(error / 2), INT16_MIN), INT16_MAX);
    }
}

static int32_t look_up(const int16_t *table, int32_t v)
{
    int32_t i = 256 + (v >> 7), slope = table[i + 1] - table[i];
    return table[i] + ((slope * (v & 127) + 64) >> 7);
}

/* ---- layers ---- */

static void curve_table(const struct sl_node *n, const char *type, uint16_t *table)
{
    const struct sl_quant *in = &n->in[0]->quant, *out = &n->quant;
    int16_t exponentials[TFL_LOOKUP];
    double scale = (double)in->scale;
    bool exponential = !strcmp(type, "exp");
    if (exponential)
        fill_lookup(exp, scale * (0 - in->zero_point), scale * (65535 - in->zero_point), 65536 / (65535 * (double)out->scale),
                    exponentials);
    for (int32_t x = -32768; x <= 32767; x++) {
        int64_t v = exponential                ? look_up(exponentials, x) + out->zero_point - 32768
                    : !strcmp(type, "sigmoid") ? sigmoid_value(x, scale)
                                               : tanh_value(x, scale);
        table[x + 32768] = (uint16_t)(SL_MIN(SL_MAX(v, INT16_MIN), INT16_MAX) + 32768);
    }
}

static bool has_symmetric_ends(const struct sl_node *n)
{
    return n->in[0]->quant.zero_point == 32768 && n->quant.zero_point == 32768 && n->quant.scale == 0x1p-15f;
}

sluice_status tfl_lookup_curve(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    const char *type = sl_get_string(n, "type", "");
    int64_t entries = 65536;
    uint16_t *table;
    bool known = !strcmp(type, "exp") || ((!strcmp(type, "sigmoid") || !strcmp(type, "tanh")) && has_symmetric_ends(n));
    if (!known || n->in[0]->quant.dtype != SL_U16 || n->quant.dtype != SL_U16)
        return SLUICE_OK;
    SL_TRY(sl_new_param(q, n, "table", SL_U16, 1, &entries, &table, e));
    curve_table(n, type, table);
    return SLUICE_OK;
}

sluice_status tfl_lookup_softmax(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    enum { MOST_SHIFT = 15, MOST_AXIS = 65536 };
    const int64_t entries = TFL_LOOKUP;
    int16_t *table, *inverse;
    int shift;
    double factor = (double)n->in[0]->quant.scale * 65535 / 10, mantissa = rint(frexp(factor, &shift) * 0x1p31);
    if (mantissa == 0x1p31) {
        mantissa /= 2;
        shift++;
    }
    if (n->in[0]->quant.dtype != SL_U16 || !has_symmetric_ends(n) || shift > MOST_SHIFT || shift < -31 ||
        n->shape.dim[sl_get_int(n, "axis", 0)] > MOST_AXIS)
        return SLUICE_OK;
    SL_TRY(sl_new_param(q, n, "table", SL_S16, 1, &entries, &table, e));
    SL_TRY(sl_new_param(q, n, "inverse", SL_S16, 1, &entries, &inverse, e));
    fill_lookup(exp, -10, 0, 0x1p15, table);
    fill_lookup(reciprocal_above_one, 0, 1, 0x1p15, inverse);
    sl_set_int(q->graph, n, "distance_multiplier", (int64_t)mantissa);
    sl_set_int(q->graph, n, "distance_shift", shift);
    sl_remove_attr(n, "index_shift");
    sl_remove_attr(n, "inverse_scale");
    return SLUICE_OK;
}
