/* resize_avx2.c: linear resize of u8 with 16 channels or more. Two neighbouring pixels are weighted by one vpmaddwd; the sums
 * are exact, so weighting columns first and rows then gives the bytes of move_c.c. */
#include "kernels/kernels.h"

#include <assert.h>
#include <immintrin.h>

#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

enum { SIZE, POSITIONS, LANES = 16 }; /* state: output positions a task, and all */

static bool takes(const void *args)
{
    const struct sl_resize_args *a = args;
    return a->taps == 2 && a->type == SL_U8 && a->c >= LANES;
}

static void plan(struct sl_work *w)
{
    const struct sl_resize_args *a = w->args;
    w->state[POSITIONS] = a->n * a->out_h * a->out_w;
    w->state[SIZE] = sl_task_size(w->state[POSITIONS], (1 << 17) / a->c);
    w->n_tasks = sl_task_count(w->state[POSITIONS], w->state[SIZE]);
}

/* 8 channels: left and right neighbours interleaved, at most 255 * 2048 a row and 2^30 in all. */
SL_ALWAYS_INLINE __m256i blend8(__m128i top, __m128i bottom, __m256i columns, __m256i row0, __m256i row1)
{
    const __m256i upper = _mm256_madd_epi16(_mm256_cvtepu8_epi16(top), columns);
    const __m256i lower = _mm256_madd_epi16(_mm256_cvtepu8_epi16(bottom), columns);
    const __m256i sum = _mm256_add_epi32(_mm256_mullo_epi32(upper, row0), _mm256_mullo_epi32(lower, row1));
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 21)), 22);
}

static void position(const struct sl_resize_args *a, const uint8_t *picture, int64_t y, int64_t x, uint8_t *out)
{
    const int64_t row = a->in_w * a->c;
    const uint8_t *top = picture + a->rows[2 * y] * row, *bottom = picture + a->rows[2 * y + 1] * row;
    const int64_t left = a->columns[2 * x] * a->c, right = a->columns[2 * x + 1] * a->c;
    const __m256i columns = _mm256_set1_epi32(a->column_weights[2 * x] | a->column_weights[2 * x + 1] << 16);
    const __m256i row0 = _mm256_set1_epi32(a->row_weights[2 * y]), row1 = _mm256_set1_epi32(a->row_weights[2 * y + 1]);
    for (int64_t block = 0; block < a->c; block += LANES) {
        const int64_t c = SL_MIN(block, a->c - LANES); /* the last block may repeat some channels */
        const __m128i tl = sl_load128(top + left + c), tr = sl_load128(top + right + c);
        const __m128i bl = sl_load128(bottom + left + c), br = sl_load128(bottom + right + c);
        sl_store16(out, SL_U8, c, blend8(_mm_unpacklo_epi8(tl, tr), _mm_unpacklo_epi8(bl, br), columns, row0, row1),
                   blend8(_mm_unpackhi_epi8(tl, tr), _mm_unpackhi_epi8(bl, br), columns, row0, row1));
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_resize_args *a = w->args;
    const int64_t end = SL_MIN(w->state[POSITIONS], (task + 1) * w->state[SIZE]);
    for (int64_t at = task * w->state[SIZE]; at < end; at++) {
        const int64_t x = at % a->out_w, y = at / a->out_w % a->out_h, frame = at / a->out_w / a->out_h;
        position(a, (const uint8_t *)io->in[0] + frame * a->in_h * a->in_w * a->c, y, x, (uint8_t *)io->out + at * a->c);
    }
}

const struct sl_variant sl_resize_avx2 = {"resize_avx2", SL_FAMILY_RESIZE, SL_CPU_AVX2, takes, plan, NULL, run};
