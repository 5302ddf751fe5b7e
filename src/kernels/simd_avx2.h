/* simd_avx2.h: moving stored values between memory and 8 lanes of int32, and requantization of 8 lanes (rounding.h in AVX2). */
#ifndef SL_KERNELS_SIMD_AVX2_H
#define SL_KERNELS_SIMD_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/types.h"

SL_ALWAYS_INLINE __m256i sl_load256(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
SL_ALWAYS_INLINE __m128i sl_load128(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}
SL_ALWAYS_INLINE __m128i sl_load64(const void *p)
{
    return _mm_loadl_epi64((const __m128i *)p);
}
SL_ALWAYS_INLINE void sl_store256(void *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}
SL_ALWAYS_INLINE void sl_store128(void *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)p, v);
}

/* 8 stored values at element i. */
SL_ALWAYS_INLINE __m256i sl_load8(const void *p, enum sl_dtype t, int64_t i)
{
    if (t == SL_U8)
        return _mm256_cvtepu8_epi32(sl_load64((const uint8_t *)p + i));
    return _mm256_cvtepu16_epi32(sl_load128((const uint16_t *)p + i));
}

/* 16 values of 0..65535 as u16, in order. */
SL_ALWAYS_INLINE __m256i sl_pack16(__m256i q0, __m256i q1)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(q0, q1), 0xd8);
}

SL_ALWAYS_INLINE void sl_store16(void *p, enum sl_dtype t, int64_t i, __m256i q0, __m256i q1)
{
    const __m256i h = sl_pack16(q0, q1);
    if (t == SL_U8)
        sl_store128((uint8_t *)p + i, _mm_packus_epi16(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1)));
    else
        sl_store256((uint16_t *)p + i, h);
}

SL_ALWAYS_INLINE __m256 sl_clamp8(__m256 f, __m256 lo, __m256 hi)
{
    return _mm256_min_ps(_mm256_max_ps(f, lo), hi); /* the order makes a NaN lo, as sl_clamp_f */
}

/* rint and zero point. The values are clamped, so cvtps cannot overflow. */
SL_ALWAYS_INLINE __m256i sl_round8(__m256 f, __m256i zp)
{
    return _mm256_add_epi32(_mm256_cvtps_epi32(f), zp);
}

/* lo - zp, hi - zp and zp in all lanes. */
struct sl_range8 {
    __m256 lo, hi;
    __m256i zp;
};

SL_ALWAYS_INLINE struct sl_range8 sl_range8_of(int32_t zp, int32_t lo, int32_t hi)
{
    return (struct sl_range8){_mm256_set1_ps((float)(lo - zp)), _mm256_set1_ps((float)(hi - zp)), _mm256_set1_epi32(zp)};
}

SL_ALWAYS_INLINE __m256i sl_finish8(__m256 f, const struct sl_range8 *r)
{
    return sl_round8(sl_clamp8(f, r->lo, r->hi), r->zp);
}

/* The same for 4 doubles. */
struct sl_range4 {
    __m256d lo, hi;
    __m128i zp;
};

SL_ALWAYS_INLINE struct sl_range4 sl_range4_of(int32_t zp, int32_t lo, int32_t hi)
{
    return (struct sl_range4){_mm256_set1_pd(lo - zp), _mm256_set1_pd(hi - zp), _mm_set1_epi32(zp)};
}

SL_ALWAYS_INLINE __m128i sl_finish4(__m256d d, const struct sl_range4 *r)
{
    return _mm_add_epi32(_mm256_cvtpd_epi32(_mm256_min_pd(_mm256_max_pd(d, r->lo), r->hi)), r->zp);
}

/* sl_interpolate of 8 indices: one gather brings both neighbours of each, table[k] and table[k + 1], as 32 bits. */
SL_ALWAYS_INLINE __m256i sl_interpolate8(const uint16_t *table, __m256i i)
{
    const __m256i both = _mm256_i32gather_epi32((const int *)(const void *)table, _mm256_srli_epi32(i, 4), 2);
    const __m256i low = _mm256_and_si256(both, _mm256_set1_epi32(0xffff)), high = _mm256_srli_epi32(both, 16);
    const __m256i t = _mm256_and_si256(i, _mm256_set1_epi32(15));
    const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(low, 4), _mm256_mullo_epi32(_mm256_sub_epi32(high, low), t));
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(8)), 4);
}

/* (double) of 4 integers with |v| < 2^51: exact. */
SL_ALWAYS_INLINE __m256d sl_double4(__m256i v)
{
    const __m256d magic = _mm256_set1_pd(0x1.8p52);
    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(v, _mm256_castpd_si256(magic))), magic);
}

#endif
