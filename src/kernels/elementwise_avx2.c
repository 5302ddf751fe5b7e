/* elementwise_avx2.c: kernels of one input in AVX2: u8 tables by shuffles, requantize, and the library's float side. */
#include "kernels/kernels.h"

#include <immintrin.h>

#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

/* ---- table, u8 to u8: 16 shuffles of 16 entries, each for the values whose high half is its number; u16 to u16: gathers ----
 */

static bool takes_table(const void *args)
{
    const struct sl_table_args *a = args;
    return a->x_type == a->out_type && !a->whole;
}

static void plan_table(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_table_args *)w->args)->n);
}

/* Adding 0x70 with saturation sets bit 7, which makes a shuffle give 0, unless the value is below 16: so x less 16 r picks
 * rows. */
SL_ALWAYS_INLINE __m256i look_up(const __m256i *rows, __m256i x)
{
    const __m256i step = _mm256_set1_epi8(16), fence = _mm256_set1_epi8(0x70);
    __m256i q = _mm256_setzero_si256();
    for (int r = 0; r < 16; r++) {
        q = _mm256_or_si256(q, _mm256_shuffle_epi8(rows[r], _mm256_adds_epu8(x, fence)));
        x = _mm256_sub_epi8(x, step);
    }
    return q;
}

static void interpolate_u16(const uint16_t *table, const uint16_t *x, int64_t i, int64_t end, uint16_t *out)
{
    for (; i + 16 <= end; i += 16)
        sl_store16(out, SL_U16, i, sl_interpolate8(table, sl_load8(x, SL_U16, i)),
                   sl_interpolate8(table, sl_load8(x, SL_U16, i + 8)));
    for (; i < end; i++)
        out[i] = (uint16_t)sl_interpolate(table, x[i]);
}

static void run_table(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_table_args *a = w->args;
    const int64_t end = sl_flat_end(w, task, a->n);
    if (a->x_type == SL_U16) {
        interpolate_u16(a->table, io->in[0], sl_flat_first(w, task), end, io->out);
        return;
    }
    const uint8_t *x = io->in[0], *table = a->table;
    uint8_t *out = io->out;
    __m256i rows[16];
    for (int r = 0; r < 16; r++)
        rows[r] = _mm256_broadcastsi128_si256(sl_load128(table + 16 * r));
    int64_t i = sl_flat_first(w, task);
    for (; i + 32 <= end; i += 32)
        sl_store256(out + i, look_up(rows, sl_load256(x + i)));
    for (; i < end; i++)
        out[i] = table[x[i]];
}

const struct sl_variant sl_table_avx2 = {"table_avx2", SL_FAMILY_TABLE, SL_CPU_AVX2, takes_table, plan_table, NULL, run_table};

/* The others: blocks of 16 elements; the last few go through a block of their own. */

#define IN_BLOCKS(first, end, in_bytes, out_bytes, block)                                                                      \
    int64_t i = (first);                                                                                                       \
    for (; i + 16 <= (end); i += 16)                                                                                           \
        block(a, (const uint8_t *)io->in[0] + i * (in_bytes), (uint8_t *)io->out + i * (out_bytes));                           \
    if (i < (end)) {                                                                                                           \
        uint8_t some_in[64] = {0}, some_out[64];                                                                               \
        memcpy(some_in, (const uint8_t *)io->in[0] + i * (in_bytes), (size_t)(((end)-i) * (in_bytes)));                        \
        block(a, some_in, some_out);                                                                                           \
        memcpy((uint8_t *)io->out + i * (out_bytes), some_out, (size_t)(((end)-i) * (out_bytes)));                             \
    }

/* ---- requantize ---- */

static void plan_requantize(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_requantize_args *)w->args)->n);
}

SL_ALWAYS_INLINE __m256i requantize8(const struct sl_requantize_args *a, const void *x, int64_t at,
                                     const struct sl_range8 *range)
{
    const __m256i v = _mm256_sub_epi32(sl_load8(x, a->x_type, at), _mm256_set1_epi32(a->zp_x));
    return sl_finish8(_mm256_mul_ps(_mm256_cvtepi32_ps(v), _mm256_set1_ps(a->multiplier)), range);
}

SL_ALWAYS_INLINE void requantize16(const struct sl_requantize_args *a, const void *x, void *out)
{
    const struct sl_range8 range = sl_range8_of(a->zp, a->lo, a->hi);
    sl_store16(out, a->out_type, 0, requantize8(a, x, 0, &range), requantize8(a, x, 8, &range));
}

static void run_requantize(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_requantize_args *a = w->args;
    const int64_t in_bytes = (int64_t)sl_qbytes(a->x_type), out_bytes = (int64_t)sl_qbytes(a->out_type);
    IN_BLOCKS(sl_flat_first(w, task), sl_flat_end(w, task, a->n), in_bytes, out_bytes, requantize16)
}

const struct sl_variant sl_requantize_avx2 = {"requantize_avx2", SL_FAMILY_REQUANTIZE, SL_CPU_AVX2, NULL, plan_requantize, NULL,
                                              run_requantize};

/* ---- float to stored ---- */

static void plan_quantize(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_quantize_args *)w->args)->n);
}

SL_ALWAYS_INLINE __m256i quantize8(const struct sl_quantize_args *a, const void *p)
{
    const __m256 x = _mm256_loadu_ps(p), zp = _mm256_set1_ps((float)a->zero_point), zero = _mm256_setzero_ps();
    const __m256 lo = _mm256_set1_ps(a->scale * (float)(0 - a->zero_point));
    const __m256 hi = _mm256_set1_ps(a->scale * (float)(sl_qmax(a->type) - a->zero_point));
    __m256 f = _mm256_add_ps(_mm256_div_ps(sl_clamp8(x, lo, hi), _mm256_set1_ps(a->scale)), zp);
    f = sl_clamp8(f, zero, _mm256_set1_ps((float)sl_qmax(a->type)));
    f = _mm256_blendv_ps(f, zp, _mm256_cmp_ps(x, x, _CMP_UNORD_Q)); /* NaN */
    return _mm256_cvtps_epi32(f);
}

SL_ALWAYS_INLINE void quantize16(const struct sl_quantize_args *a, const void *x, void *out)
{
    sl_store16(out, a->type, 0, quantize8(a, x), quantize8(a, (const float *)x + 8));
}

static void run_quantize(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_quantize_args *a = w->args;
    const int64_t out_bytes = (int64_t)sl_qbytes(a->type);
    IN_BLOCKS(sl_flat_first(w, task), sl_flat_end(w, task, a->n), 4, out_bytes, quantize16)
}

const struct sl_variant sl_quantize_avx2 = {"quantize_avx2", SL_FAMILY_QUANTIZE, SL_CPU_AVX2, NULL, plan_quantize, NULL,
                                            run_quantize};

/* ---- stored to float, one scale ---- */

static bool takes_dequantize(const void *args)
{
    return ((const struct sl_dequantize_args *)args)->scales == NULL;
}

static void plan_dequantize(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_dequantize_args *)w->args)->n);
}

SL_ALWAYS_INLINE void dequantize16(const struct sl_dequantize_args *a, const void *x, void *out)
{
    const __m256i zp = _mm256_set1_epi32(a->zero_point);
    const __m256 scale = _mm256_set1_ps(a->scale);
    for (int i = 0; i < 16; i += 8)
        _mm256_storeu_ps((float *)out + i,
                         _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(sl_load8(x, a->type, i), zp)), scale));
}

static void run_dequantize(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_dequantize_args *a = w->args;
    const int64_t in_bytes = (int64_t)sl_qbytes(a->type);
    IN_BLOCKS(sl_flat_first(w, task), sl_flat_end(w, task, a->n), in_bytes, 4, dequantize16)
}

const struct sl_variant sl_dequantize_avx2 = {
    "dequantize_avx2", SL_FAMILY_DEQUANTIZE, SL_CPU_AVX2, takes_dequantize, plan_dequantize, NULL, run_dequantize};
