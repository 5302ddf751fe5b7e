/*
 * statistics.h: what calibration learns of one tensor, in a form whose sum does not depend on the order of its parts: extremes
 * and a histogram of integer counts over bins that are aligned to powers of two. When a larger value comes the bins double in
 * width and neighbours merge, so the final state depends on the set of values only. From it the range methods choose what 8
 * bits cover.
 */
#ifndef SL_QUANT_STATISTICS_H
#define SL_QUANT_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ops/quantizer.h"
#include "quant/optimize.h"

enum { SL_BINS = 4096 };

struct sl_statistics {
    float min, max; /* of all values seen; min > max before the first */
    uint64_t count; /* values seen, zeros included */
    uint64_t zeros; /* exact ones: any encoding holds them, so they are in no bin */
    bool whole;     /* all were whole numbers */
    bool finite;    /* false: a NaN or infinity was seen; the rest is then meaningless */
    int exponent;   /* bin b covers [b - 2048, b - 2047) * 2^(exponent - 11); all |values| < 2^exponent */
    uint64_t bin[SL_BINS];
};

void sl_statistics_init(struct sl_statistics *s);
void sl_statistics_add(struct sl_statistics *s, const float *x, size_t n);
void sl_statistics_merge(struct sl_statistics *to, const struct sl_statistics *from);

/* The range that `bits` bits should cover; always holds zero and is never empty. */
struct sl_range sl_choose_range(const struct sl_statistics *s, enum sl_range_method method, int bits);
/* Values at percentiles 0..100 of the data, as ends of a range that holds zero. */
struct sl_range sl_percentile_range(const struct sl_statistics *s, double low, double high);
/* Mean squared error that `bits` bits over [low, high] would make on the data. */
double sl_range_error(const struct sl_statistics *s, double low, double high, int bits);

double sl_statistics_variance(const struct sl_statistics *s);
double sl_statistics_square(const struct sl_statistics *s); /* mean of the squares */

/* Scale and zero point for a range: zero is exact, the ends are within half a step. */
struct sl_quant sl_range_encoding(struct sl_range r, enum sl_dtype t);

#endif
