/* conv_avx512vnni.c: convolution and fc of u8 by s8 (and s4) with vpdpbusd: four products and three additions a lane and step,
 * exact (never the saturating vpdpbusds). Panels hold bytes, and need no copy for 1x1; the rest is conv_avx2.h's. */
#include "kernels/conv_avx2.h"

#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "base/compiler.h"
#include "kernels/variants.h"

enum { STEP = 4, LANES = 16 };

/* As of conv_avx2.c; a sum of 4 products wraps like any other, but sums that leave 32 bits are left to it. */
static bool takes(const void *args)
{
    const struct sl_weighted_args *a = args;
    const int64_t ic_group = a->in_c / a->groups, oc_group = a->out_c / a->groups, k = a->kh * a->kw * ic_group;
    return !a->deconv && a->x_type == SL_U8 && a->kernel_type != SL_S16 && k > 0 && k <= (1 << 18) &&
           (a->groups == 1 || (ic_group >= STEP && oc_group >= STEP)) && !sl_weighted_is_wide(a);
}

SL_ALWAYS_INLINE __m512i load_step(const uint8_t *a)
{
    int32_t v;
    memcpy(&v, a, sizeof v);
    return _mm512_set1_epi32(v);
}

/* Named sums and constant flags, as in gemm_avx2.c. Rows are reached from every third, which x86 addressing can. */
#define SUMS(i) __m512i s##i##0 = start0, s##i##1 = start1;
#define ADD_ROW(i)                                                                                                             \
    if (rows > i) {                                                                                                            \
        const __m512i x = load_step(a##i);                                                                                     \
        s##i##0 = _mm512_dpbusd_epi32(s##i##0, x, w0);                                                                         \
        if (two)                                                                                                               \
            s##i##1 = _mm512_dpbusd_epi32(s##i##1, x, w1);                                                                     \
    }
#define STORE_ROW(i)                                                                                                           \
    if (rows > i) {                                                                                                            \
        _mm512_storeu_si512(acc + i * LANES, s##i##0);                                                                         \
        if (two)                                                                                                               \
            _mm512_storeu_si512(acc + (rows + i) * LANES, s##i##1);                                                            \
    }
#define ALL_ROWS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

#define a0  (q0)
#define a1  (q0 + row)
#define a2  (q0 + 2 * row)
#define a3  (q3)
#define a4  (q3 + row)
#define a5  (q3 + 2 * row)
#define a6  (q6)
#define a7  (q6 + row)
#define a8  (q6 + 2 * row)
#define a9  (q9)
#define a10 (q9 + row)
#define a11 (q9 + 2 * row)

SL_ALWAYS_INLINE void tile(const int rows, const bool two, const uint8_t *a, ptrdiff_t row, const int8_t *weights,
                           int64_t steps, const int32_t *start, int32_t *acc)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i start0 = start ? _mm512_loadu_si512(start) : zero;
    const __m512i start1 = start && two ? _mm512_loadu_si512(start + LANES) : zero;
    const uint8_t *q0 = a, *q3 = rows > 3 ? a + 3 * row : a, *q6 = rows > 6 ? a + 6 * row : a, *q9 = rows > 9 ? a + 9 * row : a;
    ALL_ROWS(SUMS)
    for (int64_t s = 0; s < steps; s++) {
        const __m512i w0 = _mm512_loadu_si512(weights);
        const __m512i w1 = two ? _mm512_loadu_si512(weights + 64) : zero;
        ALL_ROWS(ADD_ROW)
        weights += two ? 128 : 64;
        q0 += STEP;
        q3 += STEP;
        q6 += STEP;
        q9 += STEP;
    }
    ALL_ROWS(STORE_ROW)
}

typedef void tile_function(const uint8_t *a, ptrdiff_t row, const int8_t *weights, int64_t steps, const int32_t *start,
                           int32_t *acc);

#define TILE(name, rows, two)                                                                                                  \
    static void name(const uint8_t *a, ptrdiff_t row, const int8_t *weights, int64_t steps, const int32_t *start,              \
                     int32_t *acc)                                                                                             \
    {                                                                                                                          \
        tile(rows, two, a, row, weights, steps, start, acc);                                                                   \
    }
#define TILES(rows) TILE(tile_##rows##x16, rows, false) TILE(tile_##rows##x32, rows, true)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)
TILES(7)
TILES(8)
TILES(9)
TILES(10)
TILES(11)
TILES(12)

#define ROW(rows)                                                                                                              \
    {                                                                                                                          \
        tile_##rows##x16, tile_##rows##x32                                                                                     \
    }
static tile_function *const tiles[SL_CONV_ROWS][2] = {ROW(1), ROW(2), ROW(3), ROW(4),  ROW(5),  ROW(6),
                                                      ROW(7), ROW(8), ROW(9), ROW(10), ROW(11), ROW(12)};

static void any_tile(int rows, int columns, const void *panel, int64_t row, const void *weights, enum sl_dtype weight_type,
                     int64_t steps, const int32_t *start, int32_t *acc)
{
    assert(rows >= 1 && rows <= SL_CONV_ROWS && (columns == 16 || columns == 32));
    tiles[rows - 1][columns == 32](panel, row, weights, steps, start, acc);
}

static void plan(struct sl_work *w)
{
    *(struct sl_conv_plan *)(void *)w->state = (struct sl_conv_plan){.tile = any_tile,
                                                                     .tile_rows = SL_CONV_ROWS,
                                                                     .tile_columns = SL_CONV_COLUMNS,
                                                                     .column_step = LANES,
                                                                     .step = STEP,
                                                                     .element = 1};
    sl_conv_plan_rest(w);
}

const struct sl_variant sl_conv_avx512vnni = {"conv_avx512vnni", SL_FAMILY_WEIGHTED, SL_CPU_AVX512VNNI, takes, plan,
                                              sl_conv_pack_avx2, sl_conv_run_avx2};
