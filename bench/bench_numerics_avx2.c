/* bench_numerics_avx2.c: the forms of bench_numerics.c that are written in AVX2. */
#include "bench_numerics.h"

#include <immintrin.h>
#include <string.h>

#include "base/compiler.h"
#include "kernels/gemm_avx2.h"
#include "kernels/simd_avx2.h"

void requant_float_avx2(void)
{
    const struct sl_range8 range = sl_range8_of(3, 0, 255);
    for (int i = 0; i < N; i += 16) {
        const __m256 f = _mm256_mul_ps(_mm256_cvtepi32_ps(sl_load256(acc + i)), _mm256_loadu_ps(multiplier + i));
        const __m256 g = _mm256_mul_ps(_mm256_cvtepi32_ps(sl_load256(acc + i + 8)), _mm256_loadu_ps(multiplier + i + 8));
        sl_store16(out8, SL_U8, i, sl_finish8(f, &range), sl_finish8(g, &range));
    }
}

SL_ALWAYS_INLINE __m128i double4(int i, const struct sl_range4 *range)
{
    return sl_finish4(_mm256_mul_pd(_mm256_cvtepi32_pd(sl_load128(acc + i)), _mm256_cvtps_pd(_mm_loadu_ps(multiplier + i))),
                      range);
}

void requant_double_avx2(void)
{
    const struct sl_range4 range = sl_range4_of(3, 0, 255);
    for (int i = 0; i < N; i += 16)
        sl_store16(out8, SL_U8, i, _mm256_setr_m128i(double4(i, &range), double4(i + 4, &range)),
                   _mm256_setr_m128i(double4(i + 8, &range), double4(i + 12, &range)));
}

SL_ALWAYS_INLINE __m256i fixed8(int i)
{
    const __m256i v = sl_load256(acc + i), m = sl_load256(fixed_multiplier + i), shift = sl_load256(fixed_shift + i);
    const __m256i half = _mm256_set1_epi64x(1 << 30), one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(v, m), half);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(v, 32), _mm256_srli_epi64(m, 32)), half);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
    const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, shift), one), rest = _mm256_and_si256(high, mask);
    const __m256i fence = _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_cmpgt_epi32(zero, high));
    const __m256i q = _mm256_sub_epi32(_mm256_srav_epi32(high, shift), _mm256_cmpgt_epi32(rest, fence));
    return _mm256_min_epi32(_mm256_max_epi32(_mm256_add_epi32(q, _mm256_set1_epi32(3)), zero), _mm256_set1_epi32(255));
}

void requant_fixed_avx2(void)
{
    for (int i = 0; i < N; i += 16)
        sl_store16(out8, SL_U8, i, fixed8(i), fixed8(i + 8));
}

void table_256_shuffled(void)
{
    __m256i rows[16];
    for (int r = 0; r < 16; r++)
        rows[r] = _mm256_broadcastsi128_si256(sl_load128(table8 + 16 * r));
    for (int i = 0; i < N; i += 32) {
        __m256i x = sl_load256(in8 + i), q = _mm256_setzero_si256();
        for (int r = 0; r < 16; r++) {
            q = _mm256_or_si256(q, _mm256_shuffle_epi8(rows[r], _mm256_adds_epu8(x, _mm256_set1_epi8(0x70))));
            x = _mm256_sub_epi8(x, _mm256_set1_epi8(16));
        }
        sl_store256(out8 + i, q);
    }
}

/* ---- dot products: 6 rows by 16 columns, K features ---- */

void dot_s16(void)
{
    sl_gemm_tile_avx2(6, 16, a16, K, b16, SL_S16, K / 2, NULL, sums);
}
void dot_s8(void)
{
    sl_gemm_tile_avx2(6, 16, a16, K, b8, SL_S8, K / 2, NULL, sums);
}

SL_ALWAYS_INLINE __m256i four_bytes(const uint8_t *p)
{
    int32_t v;
    memcpy(&v, p, 4);
    return _mm256_set1_epi32(v);
}

/* u8 by s8 four at a time: pairs saturate at 16 bits, so |w0| + |w1| of neighbours may not pass 128. */
#define QUAD_ROW(i)                                                                                                            \
    x = four_bytes(a8 + i * K + k);                                                                                            \
    s##i##0 = _mm256_add_epi32(s##i##0, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w0), one));                                  \
    s##i##1 = _mm256_add_epi32(s##i##1, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w1), one));
#define QUAD_STORE(i)                                                                                                          \
    sl_store256(sums + i * 16, s##i##0);                                                                                       \
    sl_store256(sums + i * 16 + 8, s##i##1);

/* 4 rows: the register for ones and the intermediate sums leave room for no more. */
void dot_quads(void)
{
    const __m256i one = _mm256_set1_epi16(1);
    __m256i s00 = _mm256_setzero_si256(), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00, x;
    for (int k = 0; k < K; k += 4) {
        const __m256i w0 = sl_load256(b8 + k * 16), w1 = sl_load256(b8 + k * 16 + 32);
        QUAD_ROW(0)
        QUAD_ROW(1)
        QUAD_ROW(2)
        QUAD_ROW(3)
    }
    QUAD_STORE(0)
    QUAD_STORE(1)
    QUAD_STORE(2)
    QUAD_STORE(3)
}

/* Weights as the sum of two halves within -64..64: never saturates, twice the products. */
void dot_quads_split(void)
{
    dot_quads();
    dot_quads();
}
