/* curves.c: the activations: the exact definition of each in double, and float loops for those that run on whole pictures. */
#include "ops/curves.h"

#include <math.h>
#include <string.h>

#include "base/strings.h"
#include "ops/op_rules.h"

/* ---- definitions ---- */
#define EXACT(name, expression)                                                                                                \
    static double exact_##name(const struct sl_curve *c, double x)                                                             \
    {                                                                                                                          \
        (void)c;                                                                                                               \
        return expression;                                                                                                     \
    }

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double softplus(double x) /* log(1 + e^x) without overflow */
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Comparisons are written so that NaN passes through. */
EXACT(relu, x < 0 ? 0 : x)
EXACT(relu6, x < 0 ? 0 : x > 6 ? 6 : x)
EXACT(clip, x < c->minimum ? c->minimum : x > c->maximum ? c->maximum : x)
EXACT(leaky_relu, x < 0 ? c->alpha * x : x)
EXACT(elu, x < 0 ? c->alpha * expm1(x) : x)
EXACT(selu, x < 0 ? c->beta * c->alpha * expm1(x) : c->beta * x)
EXACT(celu, x < 0 ? c->alpha * expm1(x / c->alpha) : x)
EXACT(sigmoid, sigmoid(x))
EXACT(silu, x < -1e4 ? 0 : x * sigmoid(x)) /* -inf * 0 is 0 here */
EXACT(swish_beta, x == 0 ? 0 : x * sigmoid(c->beta * x))
EXACT(tanh, tanh(x))
EXACT(gelu, x < -1e4 ? 0 : 0.5 * x * erfc(x * -0.70710678118654752440)) /* 1 + erf would lose the left tail */
EXACT(gelu_tanh, x < -1e4 ? 0 : x * sigmoid(1.59576912160573071176 * (x + 0.044715 * x * x * x))) /* (1 + tanh u) / 2 */
EXACT(hard_sigmoid, fmax(0, fmin(1, c->alpha * x + c->beta)))
EXACT(hard_swish, x < -1e4 ? 0 : x * fmax(0, fmin(1, x / 6 + 0.5)))
EXACT(mish, x < -1e4 ? 0 : x * tanh(softplus(x)))
EXACT(softplus, softplus(x))
EXACT(softsign, x / (1 + fabs(x)))
EXACT(log_sigmoid, -softplus(-x))
EXACT(exp, exp(x))
EXACT(log, log(x))
EXACT(sqrt, sqrt(x))
EXACT(rsqrt, 1 / sqrt(x))
EXACT(reciprocal, 1 / x)
EXACT(erf, erf(x))
EXACT(abs, fabs(x))
EXACT(neg, -x)
EXACT(square, x * x)
EXACT(pow, pow(x, c->alpha))
EXACT(sin, sin(x))
EXACT(cos, cos(x))
EXACT(tan, tan(x))
EXACT(asin, asin(x))
EXACT(acos, acos(x))
EXACT(atan, atan(x))
EXACT(sinh, sinh(x))
EXACT(cosh, cosh(x))
EXACT(asinh, asinh(x))
EXACT(acosh, acosh(x))
EXACT(atanh, atanh(x))
EXACT(floor, floor(x))
EXACT(ceil, ceil(x))
EXACT(round, nearbyint(x)) /* ties to even, as ONNX says; the rounding mode is never changed */
EXACT(sign, x > 0 ? 1 : x < 0 ? -1 : x)
EXACT(thresholded_relu, x > c->alpha ? x : 0)
EXACT(threshold, x > c->alpha ? x : c->beta)
EXACT(shrink, x < -c->alpha ? x + c->beta : x > c->alpha ? x - c->beta : 0)
EXACT(affine, c->alpha * x + c->beta)

/* ---- float loops ---- */

/* e^x for -87.3 <= x <= 88.7: 2^k * e^r with k = round(x / ln 2), |r| <= ln2 / 2, r in two pieces (Cody and Waite), e^r by its Taylor
 * polynomial of degree 7 (remainder below 2^-28). 1.5 * 2^23 added to a float of small magnitude rounds it and leaves the integer in
 * the low bits. No condition in it: loops over it vectorize. */
static inline float exp_one(float x)
{
    const float shift = 12582912.0f;
    float shifted = x * 1.44269504f + shift;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    float k = shifted - shift;
    float r = x - k * 0.693359375f;
    r = r - k * -2.12194440e-4f;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r * r + r;
    p = p + 1.0f;
    /* 2^k in two factors, so that k = 128 needs no special case; unsigned, as NaN makes any k */
    int32_t whole = (int32_t)(bits - 0x4b400000u), half = whole >> 1;
    uint32_t first = ((uint32_t)half + 127u) << 23, second = ((uint32_t)whole - (uint32_t)half + 127u) << 23;
    float f, s;
    memcpy(&f, &first, sizeof f);
    memcpy(&s, &second, sizeof s);
    return p * f * s;
}

enum { BLOCK = 256 };

/* In place; e^x stops at about 3e38 and 1e-38. The clamp is a loop of its own: inside the other it becomes a branch. */
static void exp_block(float *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        t[i] = t[i] < -87.33654f ? -87.33654f : t[i] > 88.72283f ? 88.72283f : t[i];
    for (size_t i = 0; i < n; i++)
        t[i] = exp_one(t[i]);
}

/* One block of a curve: values v -> t. */
typedef void block_fn(const float *restrict v, float *restrict t, size_t n);

/* Blocks are local copies, so that x may be y and loops vectorize all the same. */
static inline void run_in_blocks(const float *x, float *y, size_t n, block_fn *block)
{
    float v[BLOCK], t[BLOCK];
    for (size_t at = 0; at < n; at += BLOCK) {
        const size_t m = SL_MIN(n - at, (size_t)BLOCK);
        memcpy(v, x + at, m * sizeof *v);
        block(v, t, m);
        memcpy(y + at, t, m * sizeof *t);
    }
}

#define RUN_BLOCKS(name)                                                                                                       \
    static void run_##name(const struct sl_curve *c, const float *x, float *y, size_t n)                                       \
    {                                                                                                                          \
        (void)c;                                                                                                               \
        run_in_blocks(x, y, n, name##_block);                                                                                  \
    }

static void true_exp_block(const float *restrict v, float *restrict t, size_t n)
{
    memcpy(t, v, n * sizeof *t);
    exp_block(t, n);
    for (size_t i = 0; i < n; i++)
        t[i] = v[i] < -103.97208f ? 0.0f : v[i] > 88.72283f ? INFINITY : t[i];
}

void sl_exp_array(const float *x, float *y, size_t n)
{
    run_in_blocks(x, y, n, true_exp_block);
}

static void run_exp(const struct sl_curve *c, const float *x, float *y, size_t n)
{
    (void)c;
    sl_exp_array(x, y, n);
}

/* Curves built on e = e^argument(v); `low`: below it the result is 0 (and no infinity comes near). */
#define RUN_EXP(name, low, argument, expression)                                                                               \
    static void name##_block(const float *restrict values, float *restrict t, size_t n)                                        \
    {                                                                                                                          \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            const float v = values[i];                                                                                         \
            t[i] = argument;                                                                                                   \
        }                                                                                                                      \
        exp_block(t, n);                                                                                                       \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            const float v = values[i], e = t[i];                                                                               \
            (void)v;                                                                                                           \
            t[i] = expression;                                                                                                 \
        }                                                                                                                      \
        for (size_t i = 0; i < n; i++)                                                                                         \
            t[i] = values[i] < low ? 0.0f : t[i];                                                                              \
    }                                                                                                                          \
    RUN_BLOCKS(name)

RUN_EXP(sigmoid, -104.0f, -v, 1.0f / (1.0f + e))
RUN_EXP(silu, -104.0f, -v, v / (1.0f + e))
RUN_EXP(gelu_tanh, -100.0f, -1.5957691f * (v + 0.044715f * v * v * v), v / (1.0f + e))

/* softplus s of v: tanh(s) = (e^2 + 2e) / (e^2 + 2e + 2) with e = e^v; above 20 it is 1 in float */
RUN_EXP(mish, -104.0f, (v > 20.0f ? 20.0f : v), v * (e * (e + 2.0f) / (e * (e + 2.0f) + 2.0f)))

/* In place: erfc(z) for z >= 0, as t e^(P(t) - z^2) with t = 1 / (1 + z/2), P of degree 9 fitted to log(erfc(z) / t) + z^2 at Chebyshev
 * points of z in 0..10: within 3e-7 of it. Beyond 10 the value is below 1e-44. */
static void erfc_block(float *z, size_t n)
{
    float t[BLOCK], power[BLOCK];
    for (size_t i = 0; i < n; i++)
        z[i] = z[i] > 10.0f ? 10.0f : z[i];
    for (size_t i = 0; i < n; i++) {
        const float u = 1.0f / (1.0f + 0.5f * z[i]);
        float p = 0.14493021f;
        p = p * u - 0.68082720f;
        p = p * u + 1.15673375f;
        p = p * u - 0.69625193f;
        p = p * u - 0.08028043f;
        p = p * u + 0.0012675856f;
        p = p * u + 0.034602799f;
        p = p * u + 0.38664040f;
        p = p * u + 0.99863279f;
        p = p * u - 1.26544797f;
        t[i] = u;
        power[i] = p - z[i] * z[i];
    }
    exp_block(power, n);
    for (size_t i = 0; i < n; i++)
        z[i] = t[i] * power[i];
}

/* 0.5 v erfc(-v / sqrt 2); erfc of a negative number is 2 - erfc of its magnitude */
static void gelu_block(const float *restrict x, float *restrict t, size_t n)
{
    float v[BLOCK], body[BLOCK];
    for (size_t i = 0; i < n; i++) {
        v[i] = x[i] < -100.0f ? -100.0f : x[i];
        t[i] = fabsf(v[i]) * 0.70710678f;
    }
    erfc_block(t, n);
    for (size_t i = 0; i < n; i++) {
        const float half = 0.5f * v[i];
        body[i] = half * (2.0f - t[i]);
        t[i] = half * t[i];
    }
    for (size_t i = 0; i < n; i++)
        t[i] = v[i] > 0 ? body[i] : t[i];
}

/* Near 0, where 1 - erfc would lose digits, by the Taylor series to x^13. */
static void erf_block(const float *restrict v, float *restrict t, size_t n)
{
    float near[BLOCK], far[BLOCK];
    for (size_t i = 0; i < n; i++)
        t[i] = fabsf(v[i]);
    erfc_block(t, n);
    for (size_t i = 0; i < n; i++) {
        const float s = v[i] * v[i];
        float p = 1.2055332e-4f;
        p = p * s - 8.5483270e-4f;
        p = p * s + 5.2239776e-3f;
        p = p * s - 2.6866171e-2f;
        p = p * s + 1.1283792e-1f;
        p = p * s - 3.7612639e-1f;
        p = p * s + 1.12837917f;
        near[i] = p * v[i];
        far[i] = copysignf(1.0f - t[i], v[i]);
    }
    for (size_t i = 0; i < n; i++)
        t[i] = fabsf(v[i]) < 0.5f ? near[i] : far[i];
}

/* 1 - 2 / (e^2|v| + 1) with v's sign; near 0 by the Taylor series to v^9. */
static void tanh_block(const float *restrict v, float *restrict t, size_t n)
{
    float near[BLOCK], far[BLOCK];
    for (size_t i = 0; i < n; i++)
        t[i] = 2.0f * fabsf(v[i]);
    exp_block(t, n);
    for (size_t i = 0; i < n; i++) {
        const float s = v[i] * v[i];
        float p = 2.1869489e-2f;
        p = p * s - 5.3968254e-2f;
        p = p * s + 1.3333333e-1f;
        p = p * s - 3.3333333e-1f;
        near[i] = p * s * v[i] + v[i];
        far[i] = copysignf(1.0f - 2.0f / (t[i] + 1.0f), v[i]);
    }
    for (size_t i = 0; i < n; i++)
        t[i] = fabsf(v[i]) < 0.25f ? near[i] : far[i];
}

static void hard_swish_block(const float *restrict x, float *restrict t, size_t n)
{
    float v[BLOCK];
    for (size_t i = 0; i < n; i++)
        v[i] = x[i] < -3.0f ? -3.0f : x[i];
    for (size_t i = 0; i < n; i++)
        t[i] = v[i] + 3.0f > 6.0f ? 6.0f : v[i] + 3.0f; /* exactly 0 at -3 */
    for (size_t i = 0; i < n; i++)
        t[i] = v[i] * t[i] * 0.16666667f;
}

RUN_BLOCKS(gelu)
RUN_BLOCKS(erf)
RUN_BLOCKS(tanh)
RUN_BLOCKS(hard_swish)

#define RUN(name, expression)                                                                                                  \
    static void run_##name(const struct sl_curve *c, const float *x, float *y, size_t n)                                       \
    {                                                                                                                          \
        const float alpha = (float)c->alpha, beta = (float)c->beta, lo = (float)c->minimum, hi = (float)c->maximum;            \
        (void)alpha, (void)beta, (void)lo, (void)hi;                                                                           \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            const float v = x[i];                                                                                              \
            y[i] = expression;                                                                                                 \
        }                                                                                                                      \
    }

static inline float unit(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

RUN(relu, v < 0 ? 0 : v)
RUN(relu6, v < 0 ? 0 : v > 6 ? 6 : v)
RUN(clip, v < lo ? lo : v > hi ? hi : v)
RUN(leaky_relu, v < 0 ? alpha * v : v)
RUN(hard_sigmoid, unit(alpha * v + beta))
RUN(sqrt, sqrtf(v))
RUN(reciprocal, 1.0f / v)
RUN(abs, fabsf(v))
RUN(neg, -v)
RUN(square, v * v)
RUN(affine, alpha * v + beta)

/* ---- integers ---- */
static int64_t negated(int64_t x)
{
    return (int64_t)(0 - (uint64_t)x);
}

static int64_t integer_relu(const struct sl_curve *c, int64_t x)
{
    (void)c;
    return x < 0 ? 0 : x;
}

static int64_t integer_relu6(const struct sl_curve *c, int64_t x)
{
    (void)c;
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

static int64_t integer_clip(const struct sl_curve *c, int64_t x)
{
    /* Bounds compared as doubles would lose the low bits of large x: convert those that fit. */
    if (c->minimum > -0x1p63 && c->minimum < 0x1p63 && x < (int64_t)c->minimum)
        return (int64_t)c->minimum;
    if (c->maximum > -0x1p63 && c->maximum < 0x1p63 && x > (int64_t)c->maximum)
        return (int64_t)c->maximum;
    return x;
}

static int64_t integer_abs(const struct sl_curve *c, int64_t x)
{
    (void)c;
    return x < 0 ? negated(x) : x;
}

static int64_t integer_neg(const struct sl_curve *c, int64_t x)
{
    (void)c;
    return negated(x);
}

static int64_t integer_sign(const struct sl_curve *c, int64_t x)
{
    (void)c;
    return (x > 0) - (x < 0);
}

static int64_t integer_square(const struct sl_curve *c, int64_t x)
{
    (void)c;
    return (int64_t)((uint64_t)x * (uint64_t)x);
}

static int64_t integer_itself(const struct sl_curve *c, int64_t x)
{
    (void)c;
    return x;
}

/* ---- the table ---- */
static const struct sl_curve_row rows[] = {
    {"relu", 0, 0, exact_relu, run_relu, integer_relu},
    {"relu6", 0, 0, exact_relu6, run_relu6, integer_relu6},
    {"clip", 0, 0, exact_clip, run_clip, integer_clip},
    {"leaky_relu", 0.01, 0, exact_leaky_relu, run_leaky_relu, NULL},
    {"elu", 1, 0, exact_elu, NULL, NULL},
    {"selu", 1.67326319217681884765625, 1.05070102214813232421875, exact_selu, NULL, NULL},
    {"celu", 1, 0, exact_celu, NULL, NULL},
    {"sigmoid", 0, 0, exact_sigmoid, run_sigmoid, NULL},
    {"silu", 0, 0, exact_silu, run_silu, NULL},
    {"swish_beta", 0, 1, exact_swish_beta, NULL, NULL},
    {"tanh", 0, 0, exact_tanh, run_tanh, NULL},
    {"gelu", 0, 0, exact_gelu, run_gelu, NULL},
    {"gelu_tanh", 0, 0, exact_gelu_tanh, run_gelu_tanh, NULL},
    {"hard_sigmoid", 0.2, 0.5, exact_hard_sigmoid, run_hard_sigmoid, NULL},
    {"hard_swish", 0, 0, exact_hard_swish, run_hard_swish, NULL},
    {"mish", 0, 0, exact_mish, run_mish, NULL},
    {"softplus", 0, 0, exact_softplus, NULL, NULL},
    {"softsign", 0, 0, exact_softsign, NULL, NULL},
    {"log_sigmoid", 0, 0, exact_log_sigmoid, NULL, NULL},
    {"exp", 0, 0, exact_exp, run_exp, NULL},
    {"log", 0, 0, exact_log, NULL, NULL},
    {"sqrt", 0, 0, exact_sqrt, run_sqrt, NULL},
    {"rsqrt", 0, 0, exact_rsqrt, NULL, NULL},
    {"reciprocal", 0, 0, exact_reciprocal, run_reciprocal, NULL},
    {"erf", 0, 0, exact_erf, run_erf, NULL},
    {"abs", 0, 0, exact_abs, run_abs, integer_abs},
    {"neg", 0, 0, exact_neg, run_neg, integer_neg},
    {"square", 0, 0, exact_square, run_square, integer_square},
    {"pow", 2, 0, exact_pow, NULL, NULL},
    {"sin", 0, 0, exact_sin, NULL, NULL},
    {"cos", 0, 0, exact_cos, NULL, NULL},
    {"tan", 0, 0, exact_tan, NULL, NULL},
    {"asin", 0, 0, exact_asin, NULL, NULL},
    {"acos", 0, 0, exact_acos, NULL, NULL},
    {"atan", 0, 0, exact_atan, NULL, NULL},
    {"sinh", 0, 0, exact_sinh, NULL, NULL},
    {"cosh", 0, 0, exact_cosh, NULL, NULL},
    {"asinh", 0, 0, exact_asinh, NULL, NULL},
    {"acosh", 0, 0, exact_acosh, NULL, NULL},
    {"atanh", 0, 0, exact_atanh, NULL, NULL},
    {"floor", 0, 0, exact_floor, NULL, integer_itself},
    {"ceil", 0, 0, exact_ceil, NULL, integer_itself},
    {"round", 0, 0, exact_round, NULL, integer_itself},
    {"sign", 0, 0, exact_sign, NULL, integer_sign},
    {"thresholded_relu", 1, 0, exact_thresholded_relu, NULL, NULL},
    {"threshold", 0, 0, exact_threshold, NULL, NULL},
    {"shrink", 0.5, 0, exact_shrink, NULL, NULL},
    {"affine", 1, 0, exact_affine, run_affine, NULL},
};

static const struct sl_curve_row *find_row(const char *name)
{
    for (size_t i = 0; i < SL_COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

bool sl_activation_known(const char *type)
{
    return strcmp(type, "linear") == 0 || find_row(type) != NULL;
}

static sluice_status unknown_curve(const char *attr, const char *name, sl_err *e)
{
    const char *names[SL_COUNT(rows)];
    for (size_t i = 0; i < SL_COUNT(rows); i++)
        names[i] = rows[i].name;
    sl_fail(e, SLUICE_E_UNSUPPORTED, "%s '%s' is not a known activation", attr, name);
    const char *near = sl_nearest(name, names, SL_COUNT(rows));
    if (near)
        sl_hint(e, "did you mean '%s'?", near);
    return e->code;
}

sluice_status sl_curve_read(const struct sl_node *n, const char *attr, struct sl_curve *out, sl_err *e)
{
    const struct sl_attr *name = sl_attr(n, attr);
    *out = (struct sl_curve){.row = NULL, .minimum = -INFINITY, .maximum = INFINITY};
    if (!name)
        return SLUICE_OK;
    if (name->kind != SL_ATTR_STRING)
        return sl_fail(e, SLUICE_E_VALUE, "%s must be the name of an activation", attr);
    if (strcmp(name->s, "linear") == 0)
        return SLUICE_OK;
    out->row = find_row(name->s);
    if (!out->row)
        return unknown_curve(attr, name->s, e);
    out->alpha = out->row->alpha;
    out->beta = out->row->beta;
    const double most = 3.4028234663852886e38;
    SL_TRY(sl_rule_float(n, "alpha", -most, most, &out->alpha, e));
    SL_TRY(sl_rule_float(n, "beta", -most, most, &out->beta, e));
    const double huge = 1e300; /* integer clips use bounds beyond float */
    SL_TRY(sl_rule_float(n, "minimum", -huge, huge, &out->minimum, e));
    SL_TRY(sl_rule_float(n, "maximum", -huge, huge, &out->maximum, e));
    if (strcmp(name->s, "celu") == 0 && out->alpha == 0)
        return sl_fail(e, SLUICE_E_VALUE, "alpha of celu is 0, another value is wanted");
    return SLUICE_OK;
}

sluice_status sl_rule_activation(const struct sl_node *n, sl_err *e)
{
    struct sl_curve c;
    return sl_curve_read(n, "activation", &c, e);
}

float sl_activation_f32(const struct sl_node *n, float x)
{
    struct sl_curve c;
    sl_err ignored = {0}; /* the node passed its shape rule */
    if (sl_curve_read(n, n->op == SL_OP_activation ? "type" : "activation", &c, &ignored) != SLUICE_OK || !c.row)
        return x;
    return (float)c.row->exact(&c, (double)x);
}

void sl_curve_run(const struct sl_curve *c, const float *x, float *y, size_t n)
{
    if (!c->row) {
        if (x != y)
            memcpy(y, x, n * sizeof *y);
    } else if (c->row->run) {
        c->row->run(c, x, y, n);
    } else {
        for (size_t i = 0; i < n; i++)
            y[i] = (float)c->row->exact(c, (double)x[i]);
    }
}

void sl_curve_fused(const struct sl_node *n, float *y, size_t count)
{
    struct sl_curve c;
    sl_err ignored = {0};
    if (sl_curve_read(n, "activation", &c, &ignored) == SLUICE_OK && c.row)
        sl_curve_run(&c, y, y, count);
}
