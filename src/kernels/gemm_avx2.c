/* gemm_avx2.c: the register tile and the widening of its left side. Twelve sums, two columns of weights, one broadcast pair: 15
 * of the 16 registers. s8 weights stay s8 in memory and are widened as they are loaded (4 % slower than s16, half the traffic).
 */
#include "kernels/gemm_avx2.h"

#include <assert.h>
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"

SL_ALWAYS_INLINE __m256i load_weights(const void *b, int64_t at, bool wide_weights)
{
    if (wide_weights)
        return _mm256_loadu_si256((const __m256i *)(const void *)((const int16_t *)b + at));
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)((const int8_t *)b + at)));
}

SL_ALWAYS_INLINE __m256i load_pair(const int16_t *a)
{
    int32_t v;
    memcpy(&v, a, sizeof v);
    return _mm256_set1_epi32(v);
}

SL_ALWAYS_INLINE void store8(int32_t *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

/* Named sums, not an array: gcc keeps an array of sums in memory. `rows` and the flags are constants, so the tests below
 * vanish. */
#define ADD_ROW(i)                                                                                                             \
    if (rows > i) {                                                                                                            \
        const __m256i x = load_pair(a + i * a_stride + p * 2);                                                                 \
        s##i##0 = _mm256_add_epi32(s##i##0, _mm256_madd_epi16(x, w0));                                                         \
        if (two)                                                                                                               \
            s##i##1 = _mm256_add_epi32(s##i##1, _mm256_madd_epi16(x, w1));                                                     \
    }
#define STORE_ROW(i)                                                                                                           \
    if (rows > i) {                                                                                                            \
        store8(acc + i * SL_TILE_COLUMNS, s##i##0);                                                                            \
        if (two)                                                                                                               \
            store8(acc + i * SL_TILE_COLUMNS + 8, s##i##1);                                                                    \
    }

SL_ALWAYS_INLINE void tile(const int rows, const bool two, const bool wide_weights, const int16_t *a, ptrdiff_t a_stride,
                           const void *b, int64_t pairs, const int32_t *start, int32_t *acc)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i start0 = start ? _mm256_loadu_si256((const __m256i *)(const void *)start) : zero;
    const __m256i start1 = start && two ? _mm256_loadu_si256((const __m256i *)(const void *)(start + 8)) : zero;
    __m256i s00 = start0, s10 = start0, s20 = start0, s30 = start0, s40 = start0, s50 = start0;
    __m256i s01 = start1, s11 = start1, s21 = start1, s31 = start1, s41 = start1, s51 = start1;
    for (int64_t p = 0; p < pairs; p++) {
        const __m256i w0 = load_weights(b, (two ? 2 * p : p) * 16, wide_weights);
        const __m256i w1 = two ? load_weights(b, 2 * p * 16 + 16, wide_weights) : zero;
        ADD_ROW(0)
        ADD_ROW(1)
        ADD_ROW(2)
        ADD_ROW(3)
        ADD_ROW(4)
        ADD_ROW(5)
    }
    STORE_ROW(0)
    STORE_ROW(1)
    STORE_ROW(2)
    STORE_ROW(3)
    STORE_ROW(4)
    STORE_ROW(5)
}

#define TILE(name, rows, two, wide_weights)                                                                                    \
    static void name(const int16_t *a, ptrdiff_t a_stride, const void *b, int64_t pairs, const int32_t *start, int32_t *acc)   \
    {                                                                                                                          \
        tile(rows, two, wide_weights, a, a_stride, b, pairs, start, acc);                                                      \
    }
#define TILES(rows)                                                                                                            \
    TILE(tile_##rows##x8_s8, rows, false, false)                                                                               \
    TILE(tile_##rows##x16_s8, rows, true, false)                                                                               \
    TILE(tile_##rows##x8_s16, rows, false, true)                                                                               \
    TILE(tile_##rows##x16_s16, rows, true, true)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)

typedef void tile_function(const int16_t *a, ptrdiff_t a_stride, const void *b, int64_t pairs, const int32_t *start,
                           int32_t *acc);

#define ROW(rows)                                                                                                              \
    {                                                                                                                          \
        tile_##rows##x8_s8, tile_##rows##x16_s8, tile_##rows##x8_s16, tile_##rows##x16_s16                                     \
    }
static tile_function *const tiles[SL_TILE_ROWS][4] = {ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6)};

void sl_gemm_tile_avx2(int rows, int columns, const int16_t *a, ptrdiff_t a_stride, const void *b, enum sl_dtype b_type,
                       int64_t pairs, const int32_t *start, int32_t *acc)
{
    assert(rows >= 1 && rows <= SL_TILE_ROWS && (columns == 8 || columns == 16));
    tiles[rows - 1][(columns == 16) + 2 * (b_type == SL_S16)](a, a_stride, b, pairs, start, acc);
}

/* One loop for the five forms: `each` maps 16 values already widened to 16 bits. The last vector is read whole where the tensor
 * goes on, else from a copy. */
#define WIDEN(type, load, each)                                                                                                \
    int64_t i = 0;                                                                                                             \
    for (; i < n && end - (x + i) >= 16; i += 16) {                                                                            \
        const __m256i v = load(x + i);                                                                                         \
        _mm256_storeu_si256((__m256i *)(void *)(dst + i), each);                                                               \
    }                                                                                                                          \
    if (i < n) {                                                                                                               \
        type rest[16] = {0};                                                                                                   \
        memcpy(rest, x + i, (size_t)(n - i) * sizeof(type));                                                                   \
        const __m256i v = load(rest);                                                                                          \
        _mm256_storeu_si256((__m256i *)(void *)(dst + i), each);                                                               \
    }

SL_ALWAYS_INLINE __m256i load16_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

SL_ALWAYS_INLINE __m256i load16_u16(const uint16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

void sl_widen_u8_avx2(int16_t *dst, const uint8_t *x, int64_t n, const uint8_t *end)
{
    WIDEN(uint8_t, load16_u8, v)
}

void sl_center_u8_avx2(int16_t *dst, const uint8_t *x, int64_t n, const uint8_t *end, int32_t zp)
{
    const __m256i z = _mm256_set1_epi16((int16_t)zp);
    WIDEN(uint8_t, load16_u8, _mm256_sub_epi16(v, z))
}

void sl_widen_u16_avx2(int16_t *dst, const uint16_t *x, int64_t n, const uint16_t *end)
{
    const __m256i half = _mm256_set1_epi16(INT16_MIN);
    WIDEN(uint16_t, load16_u16, _mm256_xor_si256(v, half))
}

void sl_high_u16_avx2(int16_t *dst, const uint16_t *x, int64_t n, const uint16_t *end)
{
    WIDEN(uint16_t, load16_u16, _mm256_srli_epi16(v, 8))
}

void sl_low_u16_avx2(int16_t *dst, const uint16_t *x, int64_t n, const uint16_t *end)
{
    const __m256i byte = _mm256_set1_epi16(255);
    WIDEN(uint16_t, load16_u16, _mm256_and_si256(v, byte))
}
