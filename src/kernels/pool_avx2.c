/* pool_avx2.c: maxpool of u8 and u16, avgpool of u8, in AVX2: 32 or 16 channels at a time. */
#include <assert.h>
#include <immintrin.h>

#include "kernels/pool_window.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

enum { SIZE }; /* state: output positions a task */

/* avgpool: sums of a window of u8 stay in 32 bits. Fewer than 16 channels are left to C. */
static bool takes(const void *args)
{
    const struct sl_pool_args *a = args;
    if (a->c < 16)
        return false;
    return a->op == SL_POOL_MAX || (a->x_type == SL_U8 && a->kh * a->kw <= (1 << 22));
}

static void plan(struct sl_work *w)
{
    const struct sl_pool_args *a = w->args;
    const int64_t positions = a->n * a->out_h * a->out_w;
    w->state[SIZE] = sl_task_size(positions, ((int64_t)1 << 18) / (a->kh * a->kw * a->c + 1));
    w->n_tasks = sl_task_count(positions, w->state[SIZE]);
}

/* First channel of the block at c: the last block moves back so that it ends with the row, and computes some channels again. */
static int64_t block_at(int64_t c, int64_t lanes, int64_t channels)
{
    return SL_MIN(c, channels - lanes);
}

/* The widest vector that a row of channels holds: 32 bytes, or 16. */
SL_ALWAYS_INLINE void maximum(const struct sl_pool_args *a, const struct sl_pool_window *win, const uint8_t *picture,
                              uint8_t *out, bool u8)
{
    const int64_t bytes = u8 ? 1 : 2, row_bytes = a->c * bytes;
    for (int64_t b = 0; b < row_bytes; b += 32) {
        const bool half = row_bytes < 32; /* 16..31 channels of u8 */
        const int64_t at = half ? 0 : block_at(b, 32, row_bytes);
        __m256i most = _mm256_setzero_si256();
        for (int64_t i = win->i0; i < win->i1; i++)
            for (int64_t j = win->j0; j < win->j1; j++) {
                const uint8_t *x = picture + ((win->y + i * a->dh) * a->in_w + win->x + j * a->dw) * row_bytes + at;
                const __m256i v = half ? _mm256_setr_m128i(sl_load128(x), sl_load128(x + row_bytes - 16)) : sl_load256(x);
                most = u8 ? _mm256_max_epu8(most, v) : _mm256_max_epu16(most, v);
            }
        if (half) {
            sl_store128(out, _mm256_castsi256_si128(most));
            sl_store128(out + row_bytes - 16, _mm256_extracti128_si256(most, 1));
        } else {
            sl_store256(out + at, most);
        }
    }
}

static void average(const struct sl_pool_args *a, const struct sl_pool_window *win, const uint8_t *picture, void *out,
                    int64_t out_at)
{
    const struct sl_range8 range = sl_range8_of(a->zp, a->lo, a->hi);
    const int32_t valid = (int32_t)((win->i1 - win->i0) * (win->j1 - win->j0));
    const __m256i offset = _mm256_set1_epi32(valid * a->zp_x);
    const __m256 count = _mm256_set1_ps((float)win->count), m = _mm256_set1_ps(a->multiplier);
    for (int64_t c = 0; c < a->c; c += 16) {
        const int64_t at = block_at(c, 16, a->c);
        __m256i s0 = _mm256_setzero_si256(), s1 = s0;
        for (int64_t i = win->i0; i < win->i1; i++)
            for (int64_t j = win->j0; j < win->j1; j++) {
                const uint8_t *x = picture + ((win->y + i * a->dh) * a->in_w + win->x + j * a->dw) * a->c + at;
                s0 = _mm256_add_epi32(s0, sl_load8(x, SL_U8, 0));
                s1 = _mm256_add_epi32(s1, sl_load8(x, SL_U8, 8));
            }
        const __m256 f0 = _mm256_div_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(s0, offset)), count);
        const __m256 f1 = _mm256_div_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(s1, offset)), count);
        sl_store16(out, a->out_type, out_at + at, sl_finish8(_mm256_mul_ps(f0, m), &range),
                   sl_finish8(_mm256_mul_ps(f1, m), &range));
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_pool_args *a = w->args;
    const int64_t bytes = (int64_t)sl_qbytes(a->x_type), end = SL_MIN(a->n * a->out_h * a->out_w, (task + 1) * w->state[SIZE]);
    for (int64_t position = task * w->state[SIZE]; position < end; position++) {
        const int64_t x = position % a->out_w, y = position / a->out_w % a->out_h, frame = position / a->out_w / a->out_h;
        const uint8_t *picture = (const uint8_t *)io->in[0] + frame * a->in_h * a->in_w * a->c * bytes;
        struct sl_pool_window win;
        sl_pool_window(a, y, x, &win);
        if (a->op == SL_POOL_AVG)
            average(a, &win, picture, io->out, position * a->c);
        else if (a->x_type == SL_U8)
            maximum(a, &win, picture, (uint8_t *)io->out + position * a->c, true);
        else
            maximum(a, &win, picture, (uint8_t *)io->out + position * a->c * 2, false);
    }
}

const struct sl_variant sl_pool_avx2 = {"pool_avx2", SL_FAMILY_POOL, SL_CPU_AVX2, takes, plan, NULL, run};
