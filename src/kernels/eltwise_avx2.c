/* eltwise_avx2.c: two inputs, element by element, in AVX2: rows as eltwise_c.c finds them, 16 elements at a time. */
#include <immintrin.h>

#include "kernels/eltwise_rows.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

/* 8 values less the zero point; a standing operand comes as 16 copies of itself. */
SL_ALWAYS_INLINE __m256i centered8(const void *p, enum sl_dtype t, int i, int32_t zp)
{
    return _mm256_sub_epi32(sl_load8(p, t, i), _mm256_set1_epi32(zp));
}

SL_ALWAYS_INLINE __m256 combined8(enum sl_eltwise_op op, __m256 f, __m256 g)
{
    switch (op) {
    case SL_ELT_ADD:
        return _mm256_add_ps(f, g);
    case SL_ELT_SUB:
        return _mm256_sub_ps(f, g);
    case SL_ELT_MAX:
        return _mm256_max_ps(f, g);
    default:
        return _mm256_min_ps(f, g);
    }
}

/* n / d, where d is 0 the signed huge value that n's sign asks for, or 0. */
SL_ALWAYS_INLINE __m256 quotient8(__m256i n, __m256i d)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256 q = _mm256_div_ps(_mm256_cvtepi32_ps(n), _mm256_cvtepi32_ps(d)), huge = _mm256_set1_ps(3.4e38f);
    const __m256 positive = _mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(n, zero)), huge);
    const __m256 negative =
        _mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(zero, n)), _mm256_sub_ps(_mm256_setzero_ps(), huge));
    return _mm256_blendv_ps(q, _mm256_or_ps(positive, negative), _mm256_castsi256_ps(_mm256_cmpeq_epi32(d, zero)));
}

/* Wide product: both below 2^16 in size, so the product is exact in double as well as in 64 bits. */
SL_ALWAYS_INLINE __m256i wide_product8(const struct sl_eltwise_args *e, __m256i a, __m256i b)
{
    const struct sl_range4 range = sl_range4_of(e->zp, e->lo, e->hi);
    const __m256d m = _mm256_set1_pd((double)e->multiplier);
    const __m256d low =
        _mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_castsi256_si128(a)), _mm256_cvtepi32_pd(_mm256_castsi256_si128(b)));
    const __m256d high =
        _mm256_mul_pd(_mm256_cvtepi32_pd(_mm256_extracti128_si256(a, 1)), _mm256_cvtepi32_pd(_mm256_extracti128_si256(b, 1)));
    return _mm256_setr_m128i(sl_finish4(_mm256_mul_pd(low, m), &range), sl_finish4(_mm256_mul_pd(high, m), &range));
}

SL_ALWAYS_INLINE __m256i eight(const struct sl_eltwise_args *e, enum sl_eltwise_op op, enum sl_dtype a_type,
                               enum sl_dtype b_type, const void *pa, const void *pb, int i)
{
    const struct sl_range8 range = sl_range8_of(e->zp, e->lo, e->hi);
    const __m256i a = centered8(pa, a_type, i, e->zp_a), b = centered8(pb, b_type, i, e->zp_b);
    if (op == SL_ELT_MULT && a_type == SL_U16 && b_type == SL_U16)
        return wide_product8(e, a, b);
    if (op == SL_ELT_MULT)
        return sl_finish8(_mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_mullo_epi32(a, b)), _mm256_set1_ps(e->multiplier)), &range);
    if (op == SL_ELT_DIV)
        return sl_finish8(_mm256_mul_ps(quotient8(a, b), _mm256_set1_ps(e->multiplier)), &range);
    const __m256 f = _mm256_mul_ps(_mm256_cvtepi32_ps(a), _mm256_set1_ps(e->multiplier_a));
    const __m256 g = _mm256_mul_ps(_mm256_cvtepi32_ps(b), _mm256_set1_ps(e->multiplier_b));
    return sl_finish8(combined8(op, f, g), &range);
}

/* An operand's next 16 elements: in place, or from a copy where it stands still or fewer are left. */
SL_ALWAYS_INLINE const void *next16(const void *p, enum sl_dtype t, int64_t at, int step, int64_t left, uint8_t *some)
{
    const int64_t bytes = (int64_t)sl_qbytes(t);
    const uint8_t *from = (const uint8_t *)p + at * bytes;
    if (step == 0)
        return some; /* filled once a row */
    if (left >= 16)
        return from;
    memcpy(some, from, (size_t)(left * bytes));
    return some;
}

static void repeat(const void *p, enum sl_dtype t, int64_t at, uint8_t *some)
{
    for (int i = 0; i < 16; i++)
        sl_store_q(some, t, (size_t)i, sl_load_q(p, t, (size_t)at));
}

SL_ALWAYS_INLINE void whole_row(const struct sl_eltwise_args *e, enum sl_eltwise_op op, enum sl_dtype a_type,
                                enum sl_dtype b_type, enum sl_dtype out_type, const struct sl_io *io,
                                const struct sl_eltwise_row *r)
{
    uint8_t some_a[32] = {0}, some_b[32] = {0}, some_out[32];
    const int64_t out_bytes = (int64_t)sl_qbytes(out_type);
    if (r->a_step == 0)
        repeat(io->in[0], a_type, r->a_at, some_a);
    if (r->b_step == 0)
        repeat(io->in[1], b_type, r->b_at, some_b);
    for (int64_t i = 0; i < r->n; i += 16) {
        const int64_t left = r->n - i;
        const void *a = next16(io->in[0], a_type, r->a_at + i, r->a_step, left, some_a);
        const void *b = next16(io->in[1], b_type, r->b_at + i, r->b_step, left, some_b);
        uint8_t *out = (uint8_t *)io->out + (r->at + i) * out_bytes;
        sl_store16(left >= 16 ? out : some_out, out_type, 0, eight(e, op, a_type, b_type, a, b, 0),
                   eight(e, op, a_type, b_type, a, b, 8));
        if (left < 16)
            memcpy(out, some_out, (size_t)(left * out_bytes));
    }
}

/* u8 throughout is the common case and has loops with everything known; other types share one loop an operation. */
#define ROW(name, op)                                                                                                          \
    static void name(const struct sl_eltwise_args *e, const struct sl_io *io, const struct sl_eltwise_row *r)                  \
    {                                                                                                                          \
        if (e->a_type == SL_U8 && e->b_type == SL_U8 && e->out_type == SL_U8)                                                  \
            whole_row(e, op, SL_U8, SL_U8, SL_U8, io, r);                                                                      \
        else if (e->a_type == SL_U16 && e->b_type == SL_U16 && e->out_type == SL_U16)                                          \
            whole_row(e, op, SL_U16, SL_U16, SL_U16, io, r);                                                                   \
        else                                                                                                                   \
            whole_row(e, op, e->a_type, e->b_type, e->out_type, io, r);                                                        \
    }
ROW(row_add, SL_ELT_ADD)
ROW(row_sub, SL_ELT_SUB)
ROW(row_max, SL_ELT_MAX)
ROW(row_min, SL_ELT_MIN)
ROW(row_mult, SL_ELT_MULT)
ROW(row_div, SL_ELT_DIV)

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    static void (*const rows[])(const struct sl_eltwise_args *, const struct sl_io *, const struct sl_eltwise_row *) = {
        [SL_ELT_ADD] = row_add, [SL_ELT_SUB] = row_sub,   [SL_ELT_MAX] = row_max,
        [SL_ELT_MIN] = row_min, [SL_ELT_MULT] = row_mult, [SL_ELT_DIV] = row_div,
    };
    sl_eltwise_rows(w, io, task, rows[((const struct sl_eltwise_args *)w->args)->op]);
}

const struct sl_variant sl_eltwise_avx2 = {"eltwise_avx2", SL_FAMILY_ELTWISE, SL_CPU_AVX2, NULL, sl_eltwise_plan, NULL, run};
