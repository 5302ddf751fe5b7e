/* rotary_avx2.c: rotary in AVX2. Differences from a zero point are below 2^17, so products and their sum are exact in double: the steps
 * are those of rotary_c.c, lane by lane. */
#include <immintrin.h>

#include "kernels/rotary_rows.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

SL_ALWAYS_INLINE __m128i four_stored(const void *p, enum sl_dtype t, int64_t i)
{
    int32_t bytes;
    if (t == SL_U16)
        return _mm_cvtepu16_epi32(sl_load64((const uint16_t *)p + i));
    memcpy(&bytes, (const uint8_t *)p + i, sizeof bytes);
    return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes));
}

SL_ALWAYS_INLINE __m256d four(const void *p, enum sl_dtype t, int64_t i, __m128i zp)
{
    return _mm256_cvtepi32_pd(_mm_sub_epi32(four_stored(p, t, i), zp));
}

SL_ALWAYS_INLINE void store_four(void *p, enum sl_dtype t, int64_t i, __m128i q)
{
    const __m128i h = _mm_packus_epi32(q, q);
    if (t == SL_U16) {
        _mm_storel_epi64((__m128i *)(void *)((uint16_t *)p + i), h);
    } else {
        const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(h, h));
        memcpy((uint8_t *)p + i, &bytes, sizeof bytes);
    }
}

struct turning {
    __m128i zp_x, zp_a;
    __m256d multiplier;
    struct sl_range4 range;
};

/* Pairs half a row apart. */
static void turn_halves(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row, const struct turning *t)
{
    const int64_t half = row->d / 2, second = row->w == row->d ? half : 0, whole = half & ~(int64_t)3;
    for (int64_t i = 0; i < whole; i += 4) {
        const __m256d x = four(io->in[0], r->x_type, row->at + i, t->zp_x), y = four(io->in[0], r->x_type, row->at + half + i, t->zp_x);
        const __m256d c0 = four(io->in[1], r->a_type, row->cosines + i, t->zp_a), s0 = four(io->in[1], r->a_type, row->sines + i, t->zp_a);
        const __m256d c1 = four(io->in[1], r->a_type, row->cosines + second + i, t->zp_a),
                      s1 = four(io->in[1], r->a_type, row->sines + second + i, t->zp_a);
        const __m256d a = _mm256_sub_pd(_mm256_mul_pd(x, c0), _mm256_mul_pd(y, s0));
        const __m256d b = _mm256_add_pd(_mm256_mul_pd(y, c1), _mm256_mul_pd(x, s1));
        store_four(io->out, r->out_type, row->at + i, sl_finish4(_mm256_mul_pd(a, t->multiplier), &t->range));
        store_four(io->out, r->out_type, row->at + half + i, sl_finish4(_mm256_mul_pd(b, t->multiplier), &t->range));
    }
    sl_rotary_elements(r, io, row, whole, half);
    sl_rotary_elements(r, io, row, half + whole, row->d);
}

/* Two values, each for both features of its pair. */
SL_ALWAYS_INLINE __m256d two_doubled(const void *p, enum sl_dtype t, int64_t i, int32_t zp)
{
    const int32_t a = sl_load_q(p, t, (size_t)i) - zp, b = sl_load_q(p, t, (size_t)i + 1) - zp;
    return _mm256_cvtepi32_pd(_mm_setr_epi32(a, a, b, b));
}

/* Neighbours: two pairs at a time. */
static void turn_neighbours(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row, const struct turning *t)
{
    const int64_t whole = row->d & ~(int64_t)3;
    const bool full = row->w == row->d;
    for (int64_t i = 0; i < whole; i += 4) {
        const __m256d x = four(io->in[0], r->x_type, row->at + i, t->zp_x), y = _mm256_permute_pd(x, 5);
        const __m256d c = full ? four(io->in[1], r->a_type, row->cosines + i, t->zp_a)
                               : two_doubled(io->in[1], r->a_type, row->cosines + i / 2, r->zp_a);
        const __m256d s =
            full ? four(io->in[1], r->a_type, row->sines + i, t->zp_a) : two_doubled(io->in[1], r->a_type, row->sines + i / 2, r->zp_a);
        const __m256d sum = _mm256_addsub_pd(_mm256_mul_pd(x, c), _mm256_mul_pd(y, s));
        store_four(io->out, r->out_type, row->at + i, sl_finish4(_mm256_mul_pd(sum, t->multiplier), &t->range));
    }
    sl_rotary_elements(r, io, row, whole, row->d);
}

static void turn_row(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row)
{
    const struct turning t = {_mm_set1_epi32(r->zp_x), _mm_set1_epi32(r->zp_a), _mm256_set1_pd((double)r->multiplier),
                              sl_range4_of(r->zp, r->lo, r->hi)};
    (r->interleaved ? turn_neighbours : turn_halves)(r, io, row, &t);
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    sl_rotary_rows(w, io, task, turn_row);
}

const struct sl_variant sl_rotary_avx2 = {"rotary_avx2", SL_FAMILY_ROTARY, SL_CPU_AVX2, NULL, sl_plan_rotary, NULL, run};
