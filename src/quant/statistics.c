/* statistics.c: collecting and merging; see statistics.h. The choice of ranges is in ranges.c. */
#include "quant/statistics.h"

#include <math.h>
#include <string.h>

enum { HALF = SL_BINS / 2, LEAST_EXPONENT = -100, BLOCK = 4096, PART = 1 << 30 };

void sl_statistics_init(struct sl_statistics *s)
{
    memset(s, 0, sizeof *s);
    s->min = INFINITY;
    s->max = -INFINITY;
    s->whole = s->finite = true;
    s->exponent = LEAST_EXPONENT;
}

/* Bins twice as wide: relative bin r goes to floor(r / 2). */
static void widen(struct sl_statistics *s)
{
    uint64_t old[SL_BINS];

    memcpy(old, s->bin, sizeof old);
    memset(s->bin, 0, sizeof s->bin);
    for (int b = 0; b < SL_BINS; b++)
        s->bin[b / 2 + HALF / 2] += old[b];
    s->exponent++;
}

static void widen_to(struct sl_statistics *s, int exponent)
{
    bool empty = s->count == s->zeros;

    if (empty && exponent > s->exponent)
        s->exponent = exponent;
    while (s->exponent < exponent)
        widen(s);
}

static void cover(struct sl_statistics *s, float magnitude)
{
    int exponent;

    frexpf(magnitude, &exponent); /* magnitude < 2^exponent */
    widen_to(s, exponent < LEAST_EXPONENT ? LEAST_EXPONENT : exponent);
}

/* In lanes, so that compilers turn the inner loops into vector instructions; minimum and maximum do not depend on the order. */
static void extremes(const float *x, size_t n, float *min, float *max, bool *finite)
{
    enum { LANES = 16 };
    float lo[LANES], hi[LANES];
    uint32_t top[LANES] = {0}, bits;
    size_t i = 0;

    for (int k = 0; k < LANES; k++)
        lo[k] = hi[k] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            memcpy(&bits, &x[i + k], sizeof bits);
            bits &= 0x7fffffff;
            top[k] = bits > top[k] ? bits : top[k];
            lo[k] = x[i + k] < lo[k] ? x[i + k] : lo[k];
            hi[k] = x[i + k] > hi[k] ? x[i + k] : hi[k];
        }
    for (; i < n; i++) {
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        top[0] = bits > top[0] ? bits : top[0];
        lo[0] = x[i] < lo[0] ? x[i] : lo[0];
        hi[0] = x[i] > hi[0] ? x[i] : hi[0];
    }
    for (int k = 1; k < LANES; k++) {
        lo[0] = fminf(lo[0], lo[k]);
        hi[0] = fmaxf(hi[0], hi[k]);
        top[0] = top[k] > top[0] ? top[k] : top[0];
    }
    *min = lo[0];
    *max = hi[0];
    *finite = top[0] < 0x7f800000; /* exponent of infinities and NaN */
}

static bool all_whole(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != rintf(x[i]))
            return false;
    return true;
}

/* Counts go to two tables in turn, and zeros, which activations make plenty of, to a few spare cells: an increment waits for
 * the store of the one before to the same cell. The floor is exact: bins must not depend on what was scaled when. */
static void count_bins(struct sl_statistics *s, const float *x, size_t n)
{
    enum { SPARE = 8, CELLS = SL_BINS + SPARE };
    float inverse = ldexpf((float)HALF, -s->exponent);
    uint32_t cells[2][CELLS] = {{0}};
    int32_t at[BLOCK];

    for (size_t from = 0; from < n; from += BLOCK) {
        size_t m = n - from < BLOCK ? n - from : BLOCK;
        for (size_t i = 0; i < m; i++) {
            float t = x[from + i] * inverse;
            int32_t r = (int32_t)t;
            r += HALF - ((float)r > t);
            at[i] = t == 0 && x[from + i] == 0 ? SL_BINS + (int32_t)(i / 2 % SPARE) : r;
        }
        for (size_t i = 0; i < m; i++)
            cells[i & 1][at[i]]++;
    }
    for (int b = 0; b < SL_BINS; b++)
        s->bin[b] += (uint64_t)cells[0][b] + cells[1][b];
    for (int b = SL_BINS; b < CELLS; b++)
        s->zeros += (uint64_t)cells[0][b] + cells[1][b];
}

void sl_statistics_add(struct sl_statistics *s, const float *x, size_t n)
{
    float min, max;
    bool finite;

    if (!n || !s->finite)
        return;
    extremes(x, n, &min, &max, &finite);
    if (!finite) {
        s->finite = false;
        return;
    }
    if (s->whole)
        s->whole = all_whole(x, n);
    cover(s, fmaxf(fabsf(min), fabsf(max)));
    s->min = fminf(s->min, min);
    s->max = fmaxf(s->max, max);
    s->count += n;
    for (size_t from = 0; from < n; from += PART) /* 32-bit counts are enough for a part */
        count_bins(s, x + from, n - from < PART ? n - from : PART);
}

void sl_statistics_merge(struct sl_statistics *to, const struct sl_statistics *from)
{
    struct sl_statistics copy = *from;

    widen_to(to, copy.exponent);
    widen_to(&copy, to->exponent);
    for (int b = 0; b < SL_BINS; b++)
        to->bin[b] += copy.bin[b];
    to->min = fminf(to->min, copy.min);
    to->max = fmaxf(to->max, copy.max);
    to->count += copy.count;
    to->zeros += copy.zeros;
    to->whole = to->whole && copy.whole;
    to->finite = to->finite && copy.finite;
}
