/* depthwise_avx2.c: narrow depthwise convolution, one output channel an input channel: 16 channels at a time, two taps a multiplication.
 * u8 and u16 inputs (u16 less 32768, as in conv_avx2.h), every kernel type, any window. */
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "kernels/finish_avx2.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

enum { LANES = 16, SEGMENT = 8 }; /* channels a block; output positions that share a finish */

/*
 * Packed memory: a padding row, [in_c] of x's type; biases s32 and multipliers f32, [blocks][16]; weights s16 [blocks][pairs][32]: the
 * pairs of taps of 16 channels, in the order in which the inputs of two taps interleave. Where in_c is no multiple of 16 the last
 * block starts at in_c - 16, so it computes some channels again instead of reading past the row.
 */
struct depthwise_plan {
    int64_t taps, pairs, blocks;
    int64_t rows;                               /* output rows a task */
    int64_t bias_at, multiplier_at, kernel_at;  /* in packed memory */
    int64_t stage_at;                           /* in scratch, behind the table of tap pointers: rows of 16 where in_c < 16 */
};
_Static_assert(sizeof(struct depthwise_plan) <= sizeof(((struct sl_work *)0)->state), "the plan fits the work's state");

static const struct depthwise_plan *plan_of(const struct sl_work *w) { return (const void *)w->state; }

static bool takes(const void *args)
{
    const struct sl_weighted_args *a = args;
    return !a->deconv && a->groups == a->in_c && a->out_c == a->in_c && a->in_c > 0 && a->kh * a->kw <= 1024 &&
           !sl_weighted_is_wide(a);
}

static void plan(struct sl_work *w)
{
    const struct sl_weighted_args *a = w->args;
    struct depthwise_plan *p = (void *)w->state;
    const int64_t all_rows = a->n * a->out_h;
    p->taps = a->kh * a->kw;
    p->pairs = (p->taps + 1) / 2;
    p->blocks = (a->in_c + LANES - 1) / LANES;
    p->rows = sl_task_size(all_rows, 200000 / (a->out_w * a->in_c * p->taps + 1));
    p->bias_at = (int64_t)sl_align64((size_t)a->in_c * sl_qbytes(a->x_type));
    p->multiplier_at = p->bias_at + p->blocks * LANES * (int64_t)sizeof(int32_t);
    p->kernel_at = p->multiplier_at + p->blocks * LANES * (int64_t)sizeof(float);
    p->stage_at = (int64_t)sl_align64((size_t)(SEGMENT * 2 * p->pairs) * sizeof(void *));
    w->packed_bytes = (size_t)(p->kernel_at + p->blocks * p->pairs * 2 * LANES * (int64_t)sizeof(int16_t));
    w->scratch_bytes = (size_t)(p->stage_at + (a->in_c < LANES ? SEGMENT * 2 * p->pairs * LANES * 2 : 0));
    w->n_tasks = sl_task_count(all_rows, p->rows);
}

static int64_t block_start(const struct sl_weighted_args *a, int64_t block)
{
    return SL_MAX(SL_MIN(block * LANES, a->in_c - LANES), 0);
}

/* Where (lane, tap of the pair) lies among a pair's 32 weights: bytes interleave over all 16 lanes, 16-bit values within each half
 * register: lanes 0-3, 8-11 first, then 4-7, 12-15. */
static int64_t weight_place(enum sl_dtype x_type, int64_t lane, int64_t tap)
{
    if (x_type == SL_U16)
        lane = (lane & 3) | (lane & 8) >> 1 | (lane & 4) << 1;
    return lane * 2 + tap;
}

static void pack(const struct sl_work *w, void *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    uint8_t *memory = packed;
    int32_t *bias = (void *)(memory + p->bias_at);
    float *multiplier = (void *)(memory + p->multiplier_at);
    int16_t *weights = (void *)(memory + p->kernel_at);
    const int64_t offset = a->x_type == SL_U16 ? 32768 : 0;
    memset(packed, 0, w->packed_bytes);
    sl_weighted_padding_row(a, packed);
    for (int64_t block = 0; block < p->blocks; block++)
        for (int64_t lane = 0; lane < SL_MIN(LANES, a->in_c); lane++) {
            const int64_t c = block_start(a, block) + lane;
            int64_t sum = 0;
            for (int64_t tap = 0; tap < p->taps; tap++) {
                const int32_t v = sl_weighted_kernel_at(a, tap * a->out_c + c);
                weights[(block * p->pairs + tap / 2) * 2 * LANES + weight_place(a->x_type, lane, tap % 2)] = (int16_t)v;
                sum += v;
            }
            const int64_t whole = a->x_type == SL_U8 ? ((const int32_t *)a->bias)[c] : ((const int64_t *)a->bias)[c];
            bias[block * LANES + lane] = (int32_t)(uint32_t)(whole + (offset - a->zp_x) * sum); /* parts wrap, the sum fits */
            multiplier[block * LANES + lane] = a->multiplier[c];
        }
}

/* acc[0..15] = bias + the taps' products for 16 channels from c on. */
SL_ALWAYS_INLINE void sum_u8(const uint8_t *const *tap, int64_t pairs, int64_t c, const int16_t *weights, const int32_t *bias,
                             int32_t *acc)
{
    __m256i s0 = sl_load256(bias), s1 = sl_load256(bias + 8);
    for (int64_t t = 0; t < pairs; t++, weights += 2 * LANES) {
        const __m128i x = sl_load128(tap[2 * t] + c), y = sl_load128(tap[2 * t + 1] + c);
        const __m256i low = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(x, y)), high = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(x, y));
        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(low, sl_load256(weights)));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(high, sl_load256(weights + LANES)));
    }
    sl_store256(acc, s0);
    sl_store256(acc + 8, s1);
}

SL_ALWAYS_INLINE void sum_u16(const uint8_t *const *tap, int64_t pairs, int64_t c, const int16_t *weights, const int32_t *bias,
                              int32_t *acc)
{
    const __m256i half = _mm256_set1_epi16(INT16_MIN);
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    for (int64_t t = 0; t < pairs; t++, weights += 2 * LANES) {
        const __m256i x = _mm256_xor_si256(sl_load256(tap[2 * t] + 2 * c), half);
        const __m256i y = _mm256_xor_si256(sl_load256(tap[2 * t + 1] + 2 * c), half);
        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(_mm256_unpacklo_epi16(x, y), sl_load256(weights)));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(_mm256_unpackhi_epi16(x, y), sl_load256(weights + LANES)));
    }
    sl_store256(acc, _mm256_add_epi32(_mm256_permute2x128_si256(s0, s1, 0x20), sl_load256(bias)));
    sl_store256(acc + 8, _mm256_add_epi32(_mm256_permute2x128_si256(s0, s1, 0x31), sl_load256(bias + 8)));
}

/* The usual windows have their pair count known, so that the tap pointers stay in registers. */
static void sum_segment(enum sl_dtype x_type, const uint8_t *const *tap, int64_t pairs, int64_t n, int64_t c, const int16_t *weights,
                        const int32_t *bias, int32_t *acc)
{
    for (int64_t i = 0; i < n; i++, acc += LANES, tap += 2 * pairs) {
        if (x_type == SL_U16)
            sum_u16(tap, pairs, c, weights, bias, acc);
        else if (pairs == 5)
            sum_u8(tap, 5, c, weights, bias, acc);
        else if (pairs == 13)
            sum_u8(tap, 13, c, weights, bias, acc);
        else
            sum_u8(tap, pairs, c, weights, bias, acc);
    }
}

/* Pointers to the rows of channels that each tap of each position of a segment reads. */
static void point_taps(const struct sl_work *w, const uint8_t *picture, int64_t oy, int64_t ox, int64_t n, const uint8_t **tap)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    const int64_t pixel = a->in_c * (int64_t)sl_qbytes(a->x_type);
    for (int64_t i = 0; i < a->kh; i++) {
        const int64_t iy = oy * a->sh + i * a->dh - a->top;
        for (int64_t j = 0; j < a->kw; j++)
            for (int64_t s = 0; s < n; s++) {
                const int64_t ix = (ox + s) * a->sw + j * a->dw - a->left;
                const bool inside = iy >= 0 && iy < a->in_h && ix >= 0 && ix < a->in_w;
                tap[s * 2 * p->pairs + i * a->kw + j] = inside ? picture + (iy * a->in_w + ix) * pixel : w->packed;
            }
    }
    if (p->taps % 2 == 1) /* the last pair's other weight is 0 */
        for (int64_t s = 0; s < n; s++)
            tap[(s + 1) * 2 * p->pairs - 1] = tap[s * 2 * p->pairs];
}

/* Fewer than 16 channels: copy them to rows of 16, so that loads stay inside. */
static void stage_taps(const struct sl_weighted_args *a, int64_t count, const uint8_t **tap, uint8_t *stage)
{
    const size_t bytes = (size_t)a->in_c * sl_qbytes(a->x_type);
    for (int64_t t = 0; t < count; t++, stage += 2 * LANES) {
        memset(stage, 0, 2 * LANES);
        memcpy(stage, tap[t], bytes);
        tap[t] = stage;
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    const uint8_t *packed = w->packed, **tap = scratch;
    const int64_t frame_bytes = a->in_h * a->in_w * a->in_c * (int64_t)sl_qbytes(a->x_type);
    const void *residual = a->r_type == SL_NONE ? NULL : io->in[1];
    const int64_t end = SL_MIN(a->n * a->out_h, (task + 1) * p->rows);
    sl_finish_avx2 *finish = sl_finish_for_avx2(a);
    for (int64_t row = task * p->rows; row < end; row++)
        for (int64_t x = 0; x < a->out_w; x += SEGMENT) {
            const int64_t n = SL_MIN(SEGMENT, a->out_w - x);
            point_taps(w, (const uint8_t *)io->in[0] + row / a->out_h * frame_bytes, row % a->out_h, x, n, tap);
            if (a->in_c < LANES)
                stage_taps(a, n * 2 * p->pairs, tap, (uint8_t *)scratch + p->stage_at);
            for (int64_t block = 0; block < p->blocks; block++) {
                int32_t acc[SEGMENT * LANES];
                const int64_t c = block_start(a, block);
                sum_segment(a->x_type, tap, p->pairs, n, c, (const int16_t *)(const void *)(packed + p->kernel_at) + block * p->pairs * 2 * LANES,
                            (const int32_t *)(const void *)(packed + p->bias_at) + block * LANES, acc);
                finish(a, (const float *)(const void *)(packed + p->multiplier_at) + block * LANES, acc, (int)n, (int)SL_MIN(LANES, a->in_c),
                       residual, io->out, (row * a->out_w + x) * a->out_c + c);
            }
        }
}

const struct sl_variant sl_depthwise_avx2 = {"depthwise_avx2", SL_FAMILY_WEIGHTED, SL_CPU_AVX2, takes, plan, pack, run};
