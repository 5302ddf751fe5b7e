/* finish_avx2.c: requantization, residual and table of a weighted layer (numerics.md section 4) in AVX2. Plain u8 outputs, with
 * and without a u8 residual, have loops of their own; the rest shares one. */
#include "kernels/finish_avx2.h"

#include <string.h>

#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"

SL_ALWAYS_INLINE __m256 scaled8(const int32_t *acc, const float *multiplier)
{
    return _mm256_mul_ps(_mm256_cvtepi32_ps(sl_load256(acc)), _mm256_loadu_ps(multiplier));
}

/* Write n of 16 values. */
SL_ALWAYS_INLINE void store_some(void *out, enum sl_dtype t, int64_t at, __m256i q0, __m256i q1, int n)
{
    uint8_t whole[32];
    const size_t bytes = t == SL_U8 ? 1 : 2;
    if (n == 16) {
        sl_store16(out, t, at, q0, q1);
        return;
    }
    sl_store16(whole, t, 0, q0, q1);
    memcpy((uint8_t *)out + at * (int64_t)bytes, whole, (size_t)n * bytes);
}

/* Two rows of 16 channels at once: values less the zero point fit 16 bits, so it is added there, and one shuffle orders both
 * rows. */
SL_ALWAYS_INLINE __m256i two_rows_u8(const int32_t *acc, __m256 m0, __m256 m1, const struct sl_range8 *range, __m256i zp)
{
    __m256i q[4];
    for (int i = 0; i < 4; i++) {
        const __m256 f = _mm256_mul_ps(_mm256_cvtepi32_ps(sl_load256(acc + 8 * i)), i % 2 ? m1 : m0);
        q[i] = _mm256_cvtps_epi32(sl_clamp8(f, range->lo, range->hi));
    }
    const __m256i first = _mm256_add_epi16(_mm256_packs_epi32(q[0], q[1]), zp),
                  second = _mm256_add_epi16(_mm256_packs_epi32(q[2], q[3]), zp);
    return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(first, second), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static void finish_u8(const struct sl_weighted_args *a, const float *multiplier, const int32_t *acc, int rows, int n,
                      const void *r, void *out, int64_t at)
{
    const struct sl_range8 range = sl_range8_of(a->zp, a->lo, a->hi);
    const __m256 m0 = _mm256_loadu_ps(multiplier), m1 = _mm256_loadu_ps(multiplier + 8);
    const __m256i zp = _mm256_set1_epi16((int16_t)a->zp);
    const int64_t step = a->out_c;
    uint8_t *to = (uint8_t *)out + at;
    int i = 0;
    for (; n == 16 && i + 2 <= rows; i += 2, acc += 32, to += 2 * step) {
        const __m256i q = two_rows_u8(acc, m0, m1, &range, zp);
        sl_store128(to, _mm256_castsi256_si128(q));
        sl_store128(to + step, _mm256_extracti128_si256(q, 1));
    }
    for (; i < rows; i++, acc += 16, to += step)
        store_some(to, SL_U8, 0, sl_finish8(scaled8(acc, multiplier), &range),
                   sl_finish8(scaled8(acc + 8, multiplier + 8), &range), n);
}

SL_ALWAYS_INLINE __m256 residual8(const void *r, enum sl_dtype t, int64_t at, __m256i zp, __m256 m)
{
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(sl_load8(r, t, at), zp)), m);
}

SL_ALWAYS_INLINE void finish_residual(const struct sl_weighted_args *a, const float *multiplier, const int32_t *acc, int rows,
                                      int n, const void *r, void *out, int64_t at, enum sl_dtype r_type, enum sl_dtype out_type)
{
    const struct sl_range8 range = sl_range8_of(a->zp, a->lo, a->hi);
    const __m256i zp_r = _mm256_set1_epi32(a->zp_r);
    const __m256 m_r = _mm256_set1_ps(a->residual_multiplier);
    const size_t bytes = r_type == SL_U8 ? 1 : 2;
    for (int i = 0; i < rows; i++, acc += 16, at += a->out_c) {
        uint8_t some[32] = {0};
        const void *from = (const uint8_t *)r + at * (int64_t)bytes;
        if (n < 16) {
            memcpy(some, from, (size_t)n * bytes);
            from = some;
        }
        const __m256 f0 = _mm256_add_ps(scaled8(acc, multiplier), residual8(from, r_type, 0, zp_r, m_r));
        const __m256 f1 = _mm256_add_ps(scaled8(acc + 8, multiplier + 8), residual8(from, r_type, 8, zp_r, m_r));
        store_some(out, out_type, at, sl_finish8(f0, &range), sl_finish8(f1, &range), n);
    }
}

static void finish_u8_residual_u8(const struct sl_weighted_args *a, const float *multiplier, const int32_t *acc, int rows,
                                  int n, const void *r, void *out, int64_t at)
{
    finish_residual(a, multiplier, acc, rows, n, r, out, at, SL_U8, SL_U8);
}

/* Plain u16 outputs, and residuals of mixed types. */
static void finish_any(const struct sl_weighted_args *a, const float *multiplier, const int32_t *acc, int rows, int n,
                       const void *r, void *out, int64_t at)
{
    const struct sl_range8 range = sl_range8_of(a->zp, a->lo, a->hi);
    if (r != NULL) {
        finish_residual(a, multiplier, acc, rows, n, r, out, at, a->r_type, a->out_type);
        return;
    }
    for (int i = 0; i < rows; i++, acc += 16, at += a->out_c)
        store_some(out, a->out_type, at, sl_finish8(scaled8(acc, multiplier), &range),
                   sl_finish8(scaled8(acc + 8, multiplier + 8), &range), n);
}

static void finish_table_u8(const struct sl_weighted_args *a, const float *multiplier, const int32_t *acc, int rows, int n,
                            const void *r, void *out, int64_t at)
{
    const struct sl_range8 range = sl_range8_of(a->index_zero_point, 0, 4095);
    const uint8_t *table = a->table;
    const int64_t step = a->out_c;
    uint8_t *to = (uint8_t *)out + at;
    for (int i = 0; i < rows; i++, acc += 16, to += step) {
        uint16_t index[16];
        sl_store256(index, sl_pack16(sl_finish8(scaled8(acc, multiplier), &range),
                                     sl_finish8(scaled8(acc + 8, multiplier + 8), &range)));
        if (n == 16)
            for (int j = 0; j < 16; j++)
                to[j] = table[index[j]];
        else
            for (int j = 0; j < n; j++)
                to[j] = table[index[j]];
    }
}

static void finish_table_u16(const struct sl_weighted_args *a, const float *multiplier, const int32_t *acc, int rows, int n,
                             const void *r, void *out, int64_t at)
{
    const struct sl_range8 range = sl_range8_of(a->index_zero_point, 0, 65535);
    for (int i = 0; i < rows; i++, acc += 16, at += a->out_c) {
        const __m256i low = sl_finish8(scaled8(acc, multiplier), &range);
        const __m256i high = sl_finish8(scaled8(acc + 8, multiplier + 8), &range);
        store_some(out, SL_U16, at, sl_interpolate8(a->table, low), sl_interpolate8(a->table, high), n);
    }
}

sl_finish_avx2 *sl_finish_for_avx2(const struct sl_weighted_args *a)
{
    if (a->post == SL_POST_TABLE)
        return a->out_type == SL_U8 ? finish_table_u8 : finish_table_u16;
    if (a->post == SL_POST_LINEAR && a->out_type == SL_U8 && a->r_type == SL_NONE)
        return finish_u8;
    if (a->post == SL_POST_LINEAR && a->out_type == SL_U8 && a->r_type == SL_U8)
        return finish_u8_residual_u8;
    return finish_any;
}

/* 4 wide sums, with their residual or without, as q or table index. */
SL_ALWAYS_INLINE __m128i wide4(const int64_t *acc, const float *multiplier, const __m256d *residual,
                               const struct sl_range4 *range)
{
    __m256d d = _mm256_mul_pd(sl_double4(sl_load256(acc)), _mm256_cvtps_pd(_mm_loadu_ps(multiplier)));
    if (residual != NULL)
        d = _mm256_add_pd(d, *residual);
    return sl_finish4(d, range);
}

void sl_finish_wide_avx2(const struct sl_weighted_args *a, const float *multiplier, const int64_t *acc, int rows, int n,
                         const void *r, void *out, int64_t at)
{
    const bool table = a->post == SL_POST_TABLE;
    const struct sl_range4 range =
        table ? sl_range4_of(a->index_zero_point, 0, a->out_type == SL_U8 ? 4095 : 65535) : sl_range4_of(a->zp, a->lo, a->hi);
    for (int i = 0; i < rows; i++, acc += 16, at += a->out_c) {
        int32_t residual[16] = {0}, q[16];
        for (int j = 0; r != NULL && j < n; j++)
            residual[j] = sl_load_q(r, a->r_type, (size_t)(at + j)) - a->zp_r;
        for (int j = 0; j < 16; j += 4) {
            const __m256d g =
                _mm256_mul_pd(_mm256_cvtepi32_pd(sl_load128(residual + j)), _mm256_set1_pd(a->residual_multiplier));
            sl_store128(q + j, wide4(acc + j, multiplier + j, r != NULL ? &g : NULL, &range));
        }
        for (int j = 0; table && j < n; j++)
            q[j] = a->out_type == SL_U8 ? ((const uint8_t *)a->table)[q[j]] : sl_interpolate(a->table, q[j]);
        store_some(out, a->out_type, at, sl_load256(q), sl_load256(q + 8), n);
    }
}
