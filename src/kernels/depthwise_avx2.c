/* depthwise_avx2.c: narrow depthwise convolution, one output channel an input channel. Works on 16 channels and a stretch of
 * one output row: first the input rows of the window are interleaved two by two, column by column, so that vpmaddwd adds two
 * taps; then every output of the stretch reads the columns it needs. Each interleaved column serves all the outputs whose
 * window covers it. */
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "kernels/finish_avx2.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

enum { LANES = 16, STRETCH = 32, PAIR = 2 * LANES /* s16 values of one column and two rows */ };

/*
 * u8 values are taken as they are, u16 less 32768, as in conv_avx2.h. Packed memory: a padding row, [in_c] of x's type; biases
 * s32 and multipliers f32, [blocks][16]; weights s16 [blocks][kw][pairs][32]: rows 2p and 2p + 1 of 16 channels, as the inputs
 * interleave. Where in_c is no multiple of 16 the last block starts at in_c - 16, so it computes some channels again instead of
 * reading past the row; fewer than 16 channels read into the next column, with weight 0.
 */
struct depthwise_plan {
    int64_t pairs, blocks, columns;            /* pairs of window rows; blocks of channels; columns of a stretch */
    int64_t rows;                              /* output rows a task */
    int64_t bias_at, multiplier_at, kernel_at; /* in packed memory */
};
_Static_assert(sizeof(struct depthwise_plan) <= sizeof(((struct sl_work *)0)->state), "the plan fits the work's state");

static const struct depthwise_plan *plan_of(const struct sl_work *w)
{
    return (const void *)w->state;
}

static bool takes(const void *args)
{
    const struct sl_weighted_args *a = args;
    return !a->deconv && a->groups == a->in_c && a->out_c == a->in_c && a->in_c > 0 && a->kh * a->kw <= 1024 &&
           a->sw * STRETCH + a->kw * a->dw <= 4096 && !sl_weighted_is_wide(a);
}

static void plan(struct sl_work *w)
{
    const struct sl_weighted_args *a = w->args;
    struct depthwise_plan *p = (void *)w->state;
    const int64_t all_rows = a->n * a->out_h;
    p->pairs = (a->kh + 1) / 2;
    p->blocks = (a->in_c + LANES - 1) / LANES;
    p->columns = (SL_MIN(STRETCH, SL_MAX(a->out_w, 1)) - 1) * a->sw + (a->kw - 1) * a->dw + 1;
    p->rows = sl_task_size(all_rows, 200000 / (a->out_w * a->in_c * a->kh * a->kw + 1));
    p->bias_at = (int64_t)sl_align64((size_t)SL_MAX(a->in_c, LANES) * sl_qbytes(a->x_type));
    p->multiplier_at = p->bias_at + p->blocks * LANES * (int64_t)sizeof(int32_t);
    p->kernel_at = p->multiplier_at + p->blocks * LANES * (int64_t)sizeof(float);
    w->packed_bytes = (size_t)(p->kernel_at + p->blocks * a->kw * p->pairs * PAIR * (int64_t)sizeof(int16_t));
    w->scratch_bytes = (size_t)(p->columns * p->pairs * PAIR) * sizeof(int16_t);
    w->n_tasks = sl_task_count(all_rows, p->rows);
}

static int64_t block_start(const struct sl_weighted_args *a, int64_t block)
{
    return SL_MAX(SL_MIN(block * LANES, a->in_c - LANES), 0);
}

/* The lane order in which sums come: bytes interleave in order, 16-bit values within each half register, which gives channels
 * 0-3 and 8-11, then 4-7 and 12-15. The permutation is its own inverse. */
static int64_t lane_place(enum sl_dtype x_type, int64_t lane)
{
    return x_type == SL_U8 ? lane : (lane & 3) | (lane & 8) >> 1 | (lane & 4) << 1;
}

static void pack_block(const struct sl_work *w, int64_t block, int32_t *bias, float *multiplier, int16_t *weights)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    const int64_t c = block_start(a, block), n = SL_MIN(LANES, a->in_c), offset = a->x_type == SL_U16 ? 32768 : 0;
    int64_t sum[LANES] = {0};
    int16_t row[LANES];
    for (int64_t i = 0; i < a->kh; i++)
        for (int64_t j = 0; j < a->kw; j++) {
            sl_weighted_kernel_row(a, (i * a->kw + j) * a->out_c + c, n, row);
            for (int64_t lane = 0; lane < n; lane++) {
                weights[(j * p->pairs + i / 2) * PAIR + lane_place(a->x_type, lane) * 2 + i % 2] = row[lane];
                sum[lane] += row[lane];
            }
        }
    for (int64_t lane = 0; lane < n; lane++) {
        const int64_t whole = a->x_type == SL_U8 ? ((const int32_t *)a->bias)[c + lane] : ((const int64_t *)a->bias)[c + lane];
        bias[lane_place(a->x_type, lane)] =
            (int32_t)(uint32_t)(whole + (offset - a->zp_x) * sum[lane]); /* parts wrap, the sum fits */
        multiplier[lane] = a->multiplier[c + lane];
    }
}

static void pack(const struct sl_work *w, void *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    uint8_t *memory = packed;
    memset(packed, 0, w->packed_bytes);
    sl_weighted_padding_row(a, packed);
    for (int64_t block = 0; block < p->blocks; block++)
        pack_block(w, block, (int32_t *)(void *)(memory + p->bias_at) + block * LANES,
                   (float *)(void *)(memory + p->multiplier_at) + block * LANES,
                   (int16_t *)(void *)(memory + p->kernel_at) + block * a->kw * p->pairs * PAIR);
}

/* ---- interleaving ---- */

SL_ALWAYS_INLINE void interleave_u8(int16_t *to, const uint8_t *x, const uint8_t *y)
{
    const __m128i a = sl_load128(x), b = sl_load128(y);
    sl_store256(to, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)));
    sl_store256(to + LANES, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)));
}

SL_ALWAYS_INLINE void interleave_u16(int16_t *to, const uint8_t *x, const uint8_t *y)
{
    const __m256i half = _mm256_set1_epi16(INT16_MIN);
    const __m256i a = _mm256_xor_si256(sl_load256(x), half), b = _mm256_xor_si256(sl_load256(y), half);
    sl_store256(to, _mm256_unpacklo_epi16(a, b));
    sl_store256(to + LANES, _mm256_unpackhi_epi16(a, b));
}

/* n columns of two rows; a step of 0 repeats a padding row. `end`: nothing is read at or after it. */
static void interleave(enum sl_dtype t, int16_t *to, int64_t to_step, const uint8_t *x, int64_t x_step, const uint8_t *y,
                       int64_t y_step, int64_t n)
{
    if (t == SL_U8)
        for (; n > 0; n--, to += to_step, x += x_step, y += y_step)
            interleave_u8(to, x, y);
    else
        for (; n > 0; n--, to += to_step, x += x_step, y += y_step)
            interleave_u16(to, x, y);
}

/* Fewer than 16 channels: the last columns of the tensor must not be read past its end. */
static void interleave_narrow(const struct sl_weighted_args *a, int16_t *to, int64_t to_step, const uint8_t *x, int64_t x_step,
                              const uint8_t *y, int64_t y_step, int64_t n)
{
    const size_t bytes = (size_t)a->in_c * sl_qbytes(a->x_type);
    for (; n > 0; n--, to += to_step, x += x_step, y += y_step) {
        uint8_t copy_x[2 * LANES] = {0}, copy_y[2 * LANES] = {0};
        memcpy(copy_x, x, bytes);
        memcpy(copy_y, y, bytes);
        interleave(a->x_type, to, to_step, copy_x, 0, copy_y, 0, 1);
    }
}

/* Columns first..first+n-1 (the picture's numbering, may lie outside) of all pairs of rows that output row oy reads, from
 * channel c on. An odd window's last row is paired with itself, with weight 0. */
static void gather(const struct sl_work *w, const uint8_t *picture, int64_t oy, int64_t first, int64_t n, int64_t c,
                   int16_t *to)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    const int64_t bytes = (int64_t)sl_qbytes(a->x_type), pixel = a->in_c * bytes, to_step = p->pairs * PAIR;
    const uint8_t *padding = (const uint8_t *)w->packed + c * bytes;
    const int64_t before = SL_MIN(SL_MAX(-first, 0), n), inside = SL_MAX(SL_MIN(n, a->in_w - first), before) - before;
    for (int64_t pair = 0; pair < p->pairs; pair++, to += PAIR) {
        const uint8_t *row[2];
        int64_t step[2];
        for (int64_t r = 0; r < 2; r++) {
            const int64_t iy = oy * a->sh + SL_MIN(2 * pair + r, a->kh - 1) * a->dh - a->top;
            const bool real = iy >= 0 && iy < a->in_h;
            row[r] = real ? picture + (iy * a->in_w + first + before) * pixel + c * bytes : padding;
            step[r] = real ? pixel : 0;
        }
        interleave(a->x_type, to, to_step, padding, 0, padding, 0, before);
        if (a->in_c < LANES)
            interleave_narrow(a, to + before * to_step, to_step, row[0], step[0], row[1], step[1], inside);
        else
            interleave(a->x_type, to + before * to_step, to_step, row[0], step[0], row[1], step[1], inside);
        interleave(a->x_type, to + (before + inside) * to_step, to_step, padding, 0, padding, 0, n - before - inside);
    }
}

/* ---- sums ---- */

SL_ALWAYS_INLINE void store_sum(enum sl_dtype t, int32_t *acc, __m256i s0, __m256i s1)
{
    sl_store256(acc, t == SL_U8 ? s0 : _mm256_permute2x128_si256(s0, s1, 0x20));
    sl_store256(acc + 8, t == SL_U8 ? s1 : _mm256_permute2x128_si256(s0, s1, 0x31));
}

#define ADD_OUTPUT(i)                                                                                                          \
    s##i##0 = _mm256_add_epi32(s##i##0, _mm256_madd_epi16(sl_load256(x + i * step), w0));                                      \
    s##i##1 = _mm256_add_epi32(s##i##1, _mm256_madd_epi16(sl_load256(x + i * step + LANES), w1));

/*
 * A window is `runs` runs of `length` interleaved pairs that follow each other: one run where columns touch (dilation 1), else
 * one a column. The sizes stay unknown to the compiler on purpose: told them, gcc unrolls everything and spills.
 */
struct window {
    int64_t runs, length, run_step; /* run_step, step in elements */
    int64_t step;                   /* from one output's first column to the next's */
};

/* Four neighbouring outputs share each load of weights. */
SL_ALWAYS_INLINE void sum_four(enum sl_dtype t, const int16_t *columns, const struct window *win, const int16_t *weights,
                               const int32_t *bias, int32_t *acc)
{
    const int64_t step = win->step;
    __m256i s00 = sl_load256(bias), s01 = sl_load256(bias + 8), s10 = s00, s11 = s01, s20 = s00, s21 = s01, s30 = s00,
            s31 = s01;
    for (int64_t run = 0; run < win->runs; run++, columns += win->run_step) {
        const int16_t *x = columns;
        for (int64_t i = 0; i < win->length; i++, weights += PAIR, x += PAIR) {
            const __m256i w0 = sl_load256(weights), w1 = sl_load256(weights + LANES);
            ADD_OUTPUT(0)
            ADD_OUTPUT(1)
            ADD_OUTPUT(2)
            ADD_OUTPUT(3)
        }
    }
    store_sum(t, acc, s00, s01);
    store_sum(t, acc + LANES, s10, s11);
    store_sum(t, acc + 2 * LANES, s20, s21);
    store_sum(t, acc + 3 * LANES, s30, s31);
}

SL_ALWAYS_INLINE void sum_one(enum sl_dtype t, const int16_t *columns, const struct window *win, const int16_t *weights,
                              const int32_t *bias, int32_t *acc)
{
    __m256i s0 = sl_load256(bias), s1 = sl_load256(bias + 8);
    for (int64_t run = 0; run < win->runs; run++, columns += win->run_step)
        for (int64_t i = 0; i < win->length; i++, weights += PAIR) {
            s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(sl_load256(columns + i * PAIR), sl_load256(weights)));
            s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(sl_load256(columns + i * PAIR + LANES), sl_load256(weights + LANES)));
        }
    store_sum(t, acc, s0, s1);
}

static void sum_stretch(const struct sl_weighted_args *a, int64_t pairs, const int16_t *columns, int64_t n,
                        const int16_t *weights, const int32_t *bias, int32_t *acc)
{
    struct window win = {.runs = 1, .length = a->kw * pairs, .step = a->sw * pairs * PAIR};
    int64_t i = 0;
    if (a->dw > 1)
        win = (struct window){.runs = a->kw, .length = pairs, .run_step = a->dw * pairs * PAIR, .step = a->sw * pairs * PAIR};
    if (n >= 4)
        for (; i < n; i += 4) {
            const int64_t at = SL_MIN(i, n - 4); /* the last four may repeat some */
            sum_four(a->x_type, columns + at * win.step, &win, weights, bias, acc + at * LANES);
        }
    for (; i < n; i++)
        sum_one(a->x_type, columns + i * win.step, &win, weights, bias, acc + i * LANES);
}

static void output_row(const struct sl_work *w, const struct sl_io *io, int64_t row, int16_t *columns, sl_finish_avx2 *finish)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    const uint8_t *packed = w->packed;
    const uint8_t *picture =
        (const uint8_t *)io->in[0] + row / a->out_h * a->in_h * a->in_w * a->in_c * (int64_t)sl_qbytes(a->x_type);
    const void *residual = a->r_type == SL_NONE ? NULL : io->in[1];
    int32_t acc[STRETCH * LANES];
    for (int64_t x = 0; x < a->out_w; x += STRETCH) {
        const int64_t n = SL_MIN(STRETCH, a->out_w - x), width = (n - 1) * a->sw + (a->kw - 1) * a->dw + 1;
        for (int64_t block = 0; block < p->blocks; block++) {
            const int64_t c = block_start(a, block);
            gather(w, picture, row % a->out_h, x * a->sw - a->left, width, c, columns);
            sum_stretch(a, p->pairs, columns, n,
                        (const int16_t *)(const void *)(packed + p->kernel_at) + block * a->kw * p->pairs * PAIR,
                        (const int32_t *)(const void *)(packed + p->bias_at) + block * LANES, acc);
            finish(a, (const float *)(const void *)(packed + p->multiplier_at) + block * LANES, acc, (int)n,
                   (int)SL_MIN(LANES, a->in_c), residual, io->out, (row * a->out_w + x) * a->out_c + c);
        }
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_weighted_args *a = w->args;
    const struct depthwise_plan *p = plan_of(w);
    const int64_t end = SL_MIN(a->n * a->out_h, (task + 1) * p->rows);
    for (int64_t row = task * p->rows; row < end; row++)
        output_row(w, io, row, scratch, sl_finish_for_avx2(a));
}

const struct sl_variant sl_depthwise_avx2 = {"depthwise_avx2", SL_FAMILY_WEIGHTED, SL_CPU_AVX2, takes, plan, pack, run};
