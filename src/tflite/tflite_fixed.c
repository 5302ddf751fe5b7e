/*
 * tflite_fixed.c: the sigmoid and tanh of LiteRT's integer LSTM: 16-bit fixed point, exp by a polynomial and a factor for each
 * bit of the argument, a quotient by Newton's steps. They are up to a few steps of 2^-15 from the exact curves, and a recurrent
 * layer reads its own output: a file that was quantized for them gets their values. Called by tflite_quantized.c.
 */
#include <math.h>
#include <string.h>

#include "tflite/tflite_encode.h"

enum { ONE = 32767, MOST_INTEGER_BITS = 6, HIGHEST_FACTOR = 4 };

static int32_t saturated(int64_t v)
{
    return (int32_t)SL_MIN(SL_MAX(v, INT16_MIN), INT16_MAX);
}

/* Fractions of 15 bits, halves up. */
static int32_t times(int32_t a, int32_t b)
{
    return saturated(((int64_t)a * b + (1 << 14)) >> 15);
}

/* v / 2^bits, halves away from zero. */
static int32_t shifted(int32_t v, int bits)
{
    int32_t half = 1 << bits >> 1;
    return v < 0 ? -((half - v) >> bits) : (v + half) >> bits;
}

static int32_t fraction(double v)
{
    return (int32_t)rint(v * 32768);
}

/* exp of v <= 0 with `whole` bits before the point: a polynomial around -1/8 on the last quarter, one factor a bit above it. */
static int32_t exponential(int32_t v, int whole)
{
    int behind = 15 - whole;
    int32_t quarter = 1 << behind >> 2, rest = (v & (quarter - 1)) - quarter, taken = rest - v;
    int32_t x = saturated((int64_t)rest * (1 << whole)) + (1 << 12), x2 = times(x, x);
    int32_t high = shifted(times(x2, x2), 2) + times(x2, x), base = fraction(exp(-1.0 / 8));
    int32_t y = base + times(base, x + shifted(times(high, fraction(1.0 / 3)) + x2, 1));
    for (int bit = -2; bit < whole && bit <= HIGHEST_FACTOR; bit++)
        if (taken >> (behind + bit) & 1)
            y = times(y, fraction(exp(-ldexp(1, bit))));
    if (whole > HIGHEST_FACTOR + 1 && v < -(1 << (behind + HIGHEST_FACTOR + 1)))
        y = 0;
    return v == 0 ? ONE : y;
}

/* 2 / (1 + a) with 13 bits behind the point. */
static int32_t twice_inverse(int32_t a)
{
    int32_t half = (a + ONE + 1) >> 1, x = (int32_t)rint(48.0 / 17 * 8192) + times(half, (int32_t)rint(-32.0 / 17 * 8192));
    for (int i = 0; i < 3; i++)
        x += saturated(4 * (int64_t)times(x, 8192 - times(half, x)));
    return x;
}

static int32_t sigmoid_value(int32_t v, int whole)
{
    int32_t y = saturated(2 * (int64_t)twice_inverse(exponential(SL_MAX(-(v < 0 ? -v : v), -ONE), whole)));
    return v == 0 ? 16384 : v > 0 ? y : ONE - y;
}

static int32_t tanh_value(int32_t v, int whole)
{
    int32_t y = saturated(4 * ((int64_t)twice_inverse(exponential(SL_MAX(-(v < 0 ? -v : v), -ONE), whole + 1)) - 8192));
    return v == 0 ? 0 : v > 0 ? y : -y;
}

sluice_status tfl_fixed_curve(struct sl_quantizer *q, struct sl_node *n, struct tfl_fixed_tables *made, sl_err *e)
{
    bool sigmoid = !strcmp(sl_get_string(n, "type", ""), "sigmoid");
    int64_t entries = 65536;
    uint16_t *table;
    int exponent;
    /* A scale that is no power of two, or bits that LiteRT has no form for: the exact curve stays. */
    if (frexp((double)n->in[0]->quant.scale, &exponent) != 0.5 || exponent + 14 < 0 || exponent + 14 > MOST_INTEGER_BITS ||
        n->in[0]->quant.zero_point != 32768 || n->quant.scale != 0x1p-15f)
        return SLUICE_OK;
    const struct sl_const **shared = &made->of[sigmoid][exponent + 14];
    if (*shared) {
        sl_set_param(q->graph, n, "table", *shared);
        return SLUICE_OK;
    }
    SL_TRY(sl_new_param(q, n, "table", SL_U16, 1, &entries, &table, e));
    *shared = sl_param(n, "table");
    for (int32_t v = -32768; v <= 32767; v++)
        table[v + 32768] = (uint16_t)(32768 + (sigmoid ? sigmoid_value(v, exponent + 14) : tanh_value(v, exponent + 14)));
    return SLUICE_OK;
}
