/* ranges.c: from the statistics of a tensor to the range that its encoding covers, by the method asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/statistics.h"

enum { HALF = SL_BINS / 2, STEPS = 48 };

static const char *const method_names[] = {"default", "minmax", "percentile", "mse", "kl"};

const char *sl_range_method_name(enum sl_range_method m)
{
    return method_names[m];
}

bool sl_range_method_from_name(const char *name, enum sl_range_method *out)
{
    for (int i = SL_RANGE_MINMAX; i <= SL_RANGE_KL; i++)
        if (!strcmp(name, method_names[i])) {
            *out = (enum sl_range_method)i;
            return true;
        }
    return false;
}

static double bin_width(const struct sl_statistics *s)
{
    return ldexp(1.0 / HALF, s->exponent);
}

static double bin_middle(const struct sl_statistics *s, int b)
{
    return (b - HALF + 0.5) * bin_width(s);
}

double sl_statistics_variance(const struct sl_statistics *s)
{
    double sum = 0, square = 0, count = (double)s->count;

    for (int b = 0; b < SL_BINS; b++) {
        sum += (double)s->bin[b] * bin_middle(s, b);
        square += (double)s->bin[b] * bin_middle(s, b) * bin_middle(s, b);
    }
    return s->count ? fmax(square / count - sum / count * (sum / count), 0) : 0;
}

double sl_statistics_square(const struct sl_statistics *s)
{
    double square = 0;

    for (int b = 0; b < SL_BINS; b++)
        square += (double)s->bin[b] * bin_middle(s, b) * bin_middle(s, b);
    return s->count ? square / (double)s->count : 0;
}

/* Bins that hold something: [*first, *last]; false when all values are zero or there are none. */
static bool bin_extent(const struct sl_statistics *s, int *first, int *last)
{
    *first = 0;
    *last = SL_BINS - 1;
    while (*first < SL_BINS && !s->bin[*first])
        ++*first;
    while (*last >= 0 && !s->bin[*last])
        --*last;
    return *first <= *last;
}

static struct sl_range with_zero(double low, double high)
{
    struct sl_range r = {.min = (float)fmin(low, 0), .max = (float)fmax(high, 0), .known = true};

    return r;
}

static struct sl_range minmax_range(const struct sl_statistics *s)
{
    return s->count ? with_zero(s->min, s->max) : with_zero(0, 0);
}

/* The value below which `fraction` of the data lie, zeros counted in their place. */
static double quantile(const struct sl_statistics *s, double fraction)
{
    double wanted = fraction * (double)s->count, seen = 0;

    if (fraction <= 0)
        return s->min;
    if (fraction >= 1)
        return s->max;
    for (int b = 0; b < SL_BINS; b++) {
        if (b == HALF) {
            seen += (double)s->zeros;
            if (seen >= wanted)
                return 0;
        }
        seen += (double)s->bin[b];
        if (seen >= wanted)
            return fmin(fmax((b - HALF + 1) * bin_width(s), s->min), s->max);
    }
    return s->max;
}

struct sl_range sl_percentile_range(const struct sl_statistics *s, double low, double high)
{
    return s->count ? with_zero(quantile(s, low / 100), quantile(s, high / 100)) : with_zero(0, 0);
}

/* Sum of error^2 or |error|^2.5 over the bins [first, last]; stops early above `limit`. The square alone clips what is rare,
 * and a detector's objects are rare in calibration data: measured with exponents 2, 2.4, 3 and 4 on a classifier and two
 * detectors. */
static double error_over(const struct sl_statistics *s, int first, int last, double low, double high, int bits, bool square,
                         double limit)
{
    double step = (high - low) / ((1 << bits) - 1), inverse = 1 / step, zero = rint(-low * inverse);
    double bottom = -zero * step, top = ((1 << bits) - 1 - zero) * step;
    double inside = bin_width(s) * bin_width(s) / 12, sum = 0;

    for (int b = first; b <= last; b++) {
        double x = bin_middle(s, b), q, d;
        if (!s->bin[b])
            continue;
        q = rint(x * inverse) * step;
        d = (q < bottom ? bottom : q > top ? top : q) - x;
        d = d * d + inside;
        sum += (double)s->bin[b] * (square ? d : d * sqrt(sqrt(d)));
        if (sum > limit)
            break;
    }
    return sum;
}

double sl_range_error(const struct sl_statistics *s, double low, double high, int bits)
{
    int first, last;

    if (!s->count || !bin_extent(s, &first, &last) || !(high > low))
        return 0;
    return error_over(s, first, last, low, high, bits, true, INFINITY) / (double)s->count;
}

/* Least squared error: the upper and the lower end move in turn over fractions of the extreme. */
static struct sl_range mse_range(const struct sl_statistics *s, int bits)
{
    struct sl_range r = minmax_range(s);
    double low = r.min, high = r.max, best;
    int first, last;

    if (!bin_extent(s, &first, &last) || !(high > low))
        return r;
    best = error_over(s, first, last, low, high, bits, false, INFINITY);
    for (int round = 0; round < 2; round++) {
        for (int end = 0; end < 2; end++) {
            double extreme = end ? r.min : r.max, chosen = end ? low : high;
            for (int k = 0; k < STEPS && extreme != 0; k++) {
                double v = extreme * (1 - 0.9 * k / STEPS), error;
                if (!((end ? high - v : v - low) > 0))
                    continue;
                error = error_over(s, first, last, end ? v : low, end ? high : v, bits, false, best);
                if (error < best) {
                    best = error;
                    chosen = v;
                }
            }
            *(end ? &low : &high) = chosen;
        }
    }
    return with_zero(low, high);
}

/* Kullback-Leibler divergence between the data clipped to [low, high] and the same after rounding to steps (each step's mass
 * spread evenly over its bins that hold something). */
static double divergence(const struct sl_statistics *s, int first, int last, double low, double high, int bits, double *mass,
                         int *cells)
{
    double step = (high - low) / ((1 << bits) - 1), total = (double)(s->count - s->zeros), sum = 0;
    int n = 1 << bits;

    memset(mass, 0, (size_t)n * sizeof *mass);
    memset(cells, 0, (size_t)n * sizeof *cells);
    for (int pass = 0; pass < 2; pass++) {
        for (int b = first; b <= last; b++) {
            double x = bin_middle(s, b), p = (double)s->bin[b] / total;
            int q = (int)fmin(fmax(rint((x - low) / step), 0), n - 1);
            bool clipped = x < low || x > high;
            if (!s->bin[b])
                continue;
            if (pass == 0) {
                mass[q] += clipped ? 0 : p; /* the reference distribution keeps what lies outside, the candidate lacks it */
                cells[q] += !clipped;
            } else {
                double candidate = mass[q] > 0 && cells[q] ? mass[q] / cells[q] : 1e-9;
                sum += p * log(p / (clipped ? 1e-9 : candidate));
            }
        }
    }
    return sum;
}

static struct sl_range kl_range(const struct sl_statistics *s, int bits)
{
    struct sl_range r = minmax_range(s);
    double low = r.min, high = r.max, best = INFINITY, chosen = 1;
    double *mass = malloc(sizeof *mass << bits);
    int *cells = malloc(sizeof *cells << bits), first, last;

    if (mass && cells && bin_extent(s, &first, &last) && high > low)
        for (int k = 0; k < STEPS; k++) {
            double fraction = 1 - 0.9 * k / STEPS;
            double d = divergence(s, first, last, low * fraction, high * fraction, bits, mass, cells);
            if (d < best) {
                best = d;
                chosen = fraction;
            }
        }
    free(mass);
    free(cells);
    return with_zero(low * chosen, high * chosen);
}

struct sl_range sl_choose_range(const struct sl_statistics *s, enum sl_range_method method, int bits)
{
    if (bits > 8) /* steps are fine enough to cover everything */
        return minmax_range(s);
    switch (method) {
    case SL_RANGE_PERCENTILE:
        return sl_percentile_range(s, 0.005, 99.995);
    case SL_RANGE_DEFAULT:
    case SL_RANGE_MSE:
        return mse_range(s, bits);
    case SL_RANGE_KL:
        return kl_range(s, bits);
    case SL_RANGE_MINMAX:
        break;
    }
    return minmax_range(s);
}

struct sl_quant sl_range_encoding(struct sl_range r, enum sl_dtype t)
{
    struct sl_quant q = {.dtype = t};
    double top = sl_quant_max(t), low = fmin(r.min, 0), high = fmax(r.max, 0);
    double scale = (high - low) / top;

    if (!(scale > 1e-30)) /* nothing but zeros */
        scale = 1 / top;
    q.scale = (float)scale;
    q.zero_point = (int32_t)fmin(fmax(rint(-low / scale), 0), top);
    return q;
}
