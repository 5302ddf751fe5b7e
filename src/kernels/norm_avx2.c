/* norm_avx2.c: softmax along the last axis, layer_norm and rms_norm in AVX2. The sums are integers, so lanes may add them in
 * any order; the steps in double and float are those of norm_c.c, lane by lane. */
#include "kernels/kernels.h"

#include <immintrin.h>
#include <math.h>

#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

/* ---- softmax ---- */

/* Scratch: the table widened to 32 bits, so that a gather stays inside it; then one line of exponentials. */
enum { TABLE_ENTRIES = 4096 };

static bool takes_softmax(const void *args)
{
    const struct sl_softmax_args *a = args;
    if (a->exponentials)
        return false;
    return a->axis == a->x.rank - 1 && a->x.dim[a->axis] >= 8;
}

static void plan_softmax(struct sl_work *w)
{
    sl_plan_softmax(w);
    w->scratch_bytes = (size_t)(TABLE_ENTRIES + w->state[SL_LINE_LENGTH] + 16) * sizeof(int32_t);
}

static int32_t largest(const struct sl_softmax_args *a, const void *x, int64_t at, int64_t n)
{
    int32_t lanes[8], most = 0;
    __m256i m = _mm256_setzero_si256();
    for (int64_t i = 0; i + 8 <= n; i += 8)
        m = _mm256_max_epi32(m, sl_load8(x, a->x_type, at + i));
    m = _mm256_max_epi32(m, sl_load8(x, a->x_type, at + n - 8)); /* n >= 8; some twice */
    sl_store256(lanes, m);
    for (int i = 0; i < 8; i++)
        most = SL_MAX(most, lanes[i]);
    return most;
}

SL_ALWAYS_INLINE __m256i exponentials8(const struct sl_softmax_args *a, const int32_t *table, __m256i most, const void *x,
                                       int64_t at)
{
    __m256i d = _mm256_sub_epi32(most, sl_load8(x, a->x_type, at));
    if (a->x_type == SL_U16)
        d = _mm256_min_epi32(_mm256_srl_epi32(d, _mm_cvtsi32_si128(a->index_shift)), _mm256_set1_epi32(TABLE_ENTRIES - 1));
    return _mm256_i32gather_epi32(table, d, 4);
}

/* Exponentials of the line, and their sum. */
static int64_t exponentials(const struct sl_softmax_args *a, const int32_t *table, const void *x, int64_t at, int64_t n,
                            int32_t *e)
{
    const __m256i most = _mm256_set1_epi32(largest(a, x, at, n));
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i += 8) {
        const int64_t from = SL_MIN(i, n - 8); /* the last vector may repeat elements; they count once */
        int32_t lanes[8];
        __m256i v = exponentials8(a, table, most, x, at + from);
        sl_store256(e + from, v);
        if (from < i)
            v = _mm256_and_si256(
                v, _mm256_cmpgt_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32((int32_t)(i - from) - 1)));
        v = _mm256_add_epi32(v, _mm256_shuffle_epi32(v, 0x4e)); /* each below 2^16 */
        sl_store256(lanes, v);
        sum += (int64_t)lanes[0] + lanes[1] + lanes[4] + lanes[5];
    }
    return sum;
}

static void softmax_line(const struct sl_softmax_args *a, const int32_t *table, const struct sl_io *io, int64_t at, int64_t n,
                         int32_t *e)
{
    const int64_t bytes = (int64_t)sl_qbytes(a->out_type);
    const struct sl_range4 range = sl_range4_of(a->zp, 0, sl_qmax(a->out_type));
    const __m256d r = _mm256_set1_pd(a->inverse_scale / (double)exponentials(a, table, io->in[0], at, n, e));
    for (int64_t i = 0; i < n; i += 16) {
        __m128i q[4];
        uint8_t some[32];
        for (int k = 0; k < 4; k++) /* e has 16 more places than the line */
            q[k] = sl_finish4(_mm256_mul_pd(_mm256_cvtepi32_pd(sl_load128(e + i + 4 * k)), r), &range);
        const bool whole = n - i >= 16;
        sl_store16(whole ? (uint8_t *)io->out + (at + i) * bytes : some, a->out_type, 0, _mm256_setr_m128i(q[0], q[1]),
                   _mm256_setr_m128i(q[2], q[3]));
        if (!whole)
            memcpy((uint8_t *)io->out + (at + i) * bytes, some, (size_t)((n - i) * bytes));
    }
}

static void run_softmax(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_softmax_args *a = w->args;
    const int64_t n = w->state[SL_LINE_LENGTH], end = SL_MIN(w->state[SL_LINES], (task + 1) * w->state[SL_LINES_TASK]);
    int32_t *table = scratch, *e = table + TABLE_ENTRIES;
    for (int i = 0; i < (a->x_type == SL_U8 ? 256 : TABLE_ENTRIES); i++)
        table[i] = a->table[i];
    memset(e + n, 0, 16 * sizeof *e);
    for (int64_t line = task * w->state[SL_LINES_TASK]; line < end; line++)
        softmax_line(a, table, io, line * n, n, e);
}

const struct sl_variant sl_softmax_avx2 = {"softmax_avx2", SL_FAMILY_SOFTMAX, SL_CPU_AVX2, takes_softmax, plan_softmax,
                                           NULL,           run_softmax};

/* ---- layer_norm and rms_norm ---- */

/* Sum of v and of v * v over a line, v = x - offset; |v| < 2^17, so a lane of 32 bits holds an eighth of any line's sum. */
static void sums(const struct sl_norm_args *a, const void *x, int64_t at, int32_t offset, int64_t *sum, int64_t *squares)
{
    const __m256i zp = _mm256_set1_epi32(offset);
    __m256i s = _mm256_setzero_si256(), q = s;
    int32_t s8[8];
    int64_t q4[4], i = 0;
    for (; i + 8 <= a->n; i += 8) {
        const __m256i v = _mm256_sub_epi32(sl_load8(x, a->x_type, at + i), zp), odd = _mm256_srli_epi64(v, 32);
        s = _mm256_add_epi32(s, v);
        q = _mm256_add_epi64(q, _mm256_add_epi64(_mm256_mul_epi32(v, v), _mm256_mul_epi32(odd, odd)));
    }
    sl_store256(s8, s);
    sl_store256(q4, q);
    *sum = *squares = 0;
    for (int k = 0; k < 8; k++)
        *sum += s8[k];
    for (int k = 0; k < 4; k++)
        *squares += q4[k];
    for (; i < a->n; i++) {
        const int64_t v = sl_load_q(x, a->x_type, (size_t)(at + i)) - offset;
        *sum += v;
        *squares += v * v;
    }
}

/* What a line's elements go through: (scale * (x - zp) - offset) * r; products and differences are exact in double. */
struct line {
    __m256d scale, offset, r;
    __m256i zp;
    struct sl_range8 range;
};

SL_ALWAYS_INLINE __m128 four(const struct line *l, __m128i v)
{
    return _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_sub_pd(_mm256_mul_pd(_mm256_cvtepi32_pd(v), l->scale), l->offset), l->r));
}

SL_ALWAYS_INLINE __m256i eight(const struct line *l, __m256i x, const float *gamma, const float *beta)
{
    const __m256i v = _mm256_sub_epi32(x, l->zp);
    __m256 f = _mm256_setr_m128(four(l, _mm256_castsi256_si128(v)), four(l, _mm256_extracti128_si256(v, 1)));
    f = _mm256_add_ps(_mm256_mul_ps(f, _mm256_loadu_ps(gamma)), _mm256_loadu_ps(beta));
    return sl_finish8(f, &l->range);
}

static void norm_line(const struct sl_norm_args *a, const struct sl_io *io, int64_t at)
{
    const int64_t in_bytes = (int64_t)sl_qbytes(a->x_type), out_bytes = (int64_t)sl_qbytes(a->out_type);
    const int32_t zp = a->rms ? a->zp_x : 0;
    int64_t sum, squares, i = 0;
    sums(a, io->in[0], at, zp, &sum, &squares);
    const int64_t spread = a->rms ? squares : a->n * squares - sum * sum;
    const struct line l = {
        .scale = _mm256_set1_pd(a->rms ? 1.0 : (double)a->n),
        .offset = _mm256_set1_pd(a->rms ? 0.0 : (double)sum),
        .r = _mm256_set1_pd(1.0 / sqrt((double)spread + a->epsilon)),
        .zp = _mm256_set1_epi32(zp),
        .range = sl_range8_of(a->zp, a->lo, a->hi),
    };
    for (; i + 16 <= a->n; i += 16)
        sl_store16(io->out, a->out_type, at + i, eight(&l, sl_load8(io->in[0], a->x_type, at + i), a->gamma + i, a->beta + i),
                   eight(&l, sl_load8(io->in[0], a->x_type, at + i + 8), a->gamma + i + 8, a->beta + i + 8));
    if (i < a->n) {
        const size_t rest = (size_t)(a->n - i);
        uint8_t x[32] = {0}, out[32];
        float gamma[16] = {0}, beta[16] = {0};
        memcpy(x, (const uint8_t *)io->in[0] + (at + i) * in_bytes, rest * (size_t)in_bytes);
        memcpy(gamma, a->gamma + i, rest * sizeof *gamma);
        memcpy(beta, a->beta + i, rest * sizeof *beta);
        sl_store16(out, a->out_type, 0, eight(&l, sl_load8(x, a->x_type, 0), gamma, beta),
                   eight(&l, sl_load8(x, a->x_type, 8), gamma + 8, beta + 8));
        memcpy((uint8_t *)io->out + (at + i) * out_bytes, out, rest * (size_t)out_bytes);
    }
}

static void run_norm(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const int64_t end = SL_MIN(w->state[SL_LINES], (task + 1) * w->state[SL_LINES_TASK]);
    for (int64_t line = task * w->state[SL_LINES_TASK]; line < end; line++)
        norm_line(w->args, io, line * w->state[SL_LINE_LENGTH]);
}

const struct sl_variant sl_norm_avx2 = {"norm_avx2", SL_FAMILY_NORM, SL_CPU_AVX2, NULL, sl_plan_norm, NULL, run_norm};
