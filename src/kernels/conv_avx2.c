/* conv_avx2.c: convolution of any kernel, stride, dilation and group count (and so fc) as patches times packed weights. u8 and
 * u16 inputs, all kernel types, narrow and wide. */
#include "kernels/conv_avx2.h"

#include <assert.h>
#include <immintrin.h>

#include "kernels/finish_avx2.h"
#include "kernels/gemm_avx2.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

_Static_assert(sizeof(struct sl_conv_plan) <= sizeof(((struct sl_work *)0)->state), "the plan fits the work's state");

/* Many tiny groups leave the tile empty; the depthwise variant or C take them. Sums must convert exactly by sl_double4. */
static bool takes(const void *args)
{
    const struct sl_weighted_args *a = args;
    const int64_t ic_group = a->in_c / a->groups, oc_group = a->out_c / a->groups, k = a->kh * a->kw * ic_group;
    if (a->deconv || k == 0 || k > (1 << 18) || (a->groups > 1 && k * oc_group < 64))
        return false;
    for (int64_t o = 0; a->x_type == SL_U16 && o < a->out_c; o++) {
        const int64_t bias = ((const int64_t *)a->bias)[o];
        if (bias > (int64_t)1 << 49 || bias < -((int64_t)1 << 49))
            return false;
    }
    return true;
}

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

/* A panel of about 96 KB stays in the second-level cache while all tiles of weights pass; blocks are multiples of the tile's
 * rows and of about equal size. Where there are few blocks, channels are split too, for threads. */
static void plan_blocks(const struct sl_weighted_args *a, struct sl_conv_plan *p)
{
    const int64_t row_bytes = p->row * p->element * p->planes;
    p->positions = a->n * a->out_h * a->out_w;
    int64_t most = SL_MIN(SL_MAX(98304 / row_bytes, p->tile_rows), 240 / p->tile_rows * p->tile_rows);
    most = SL_MAX(most, p->positions / 32768 + 1); /* the number of tasks fits an int */
    const int64_t wanted = (p->positions + most - 1) / most;
    p->block = SL_MAX(round_up(wanted == 0 ? 1 : (p->positions + wanted - 1) / wanted, p->tile_rows), 1);
    p->blocks = (p->positions + p->block - 1) / p->block;
    p->chunks = SL_MAX(SL_MIN(8 / SL_MAX(p->blocks * a->groups, 1), p->oc_padded / 128), 1);
    p->chunk = round_up((p->oc_padded + p->chunks - 1) / p->chunks, p->tile_columns);
    p->chunks = (p->oc_padded + p->chunk - 1) / p->chunk;
}

void sl_conv_plan_rest(struct sl_work *w)
{
    const struct sl_weighted_args *a = w->args;
    struct sl_conv_plan *p = (void *)w->state;
    p->wide = sl_weighted_is_wide(a);
    p->weight_type = a->kernel_type == SL_S16 ? SL_S16 : SL_S8;
    p->planes = p->wide && a->x_type == SL_U16 && p->weight_type == SL_S16 ? 2 : 1;
    p->offset = a->x_type == SL_U16 && p->planes == 1 ? 32768 : 0;
    p->ic_group = a->in_c / a->groups;
    p->oc_group = a->out_c / a->groups;
    p->oc_padded = round_up(p->oc_group, p->column_step);
    p->k = a->kh * a->kw * p->ic_group;
    p->row = round_up(p->k, p->step);
    p->steps = p->row / p->step;
    const int64_t x_most = p->offset ? 32768 : 255, w_most = p->weight_type == SL_S16 ? 32768 : 128;
    p->block_steps = INT32_MAX / (p->step * x_most * w_most);
    plan_blocks(a, p);

    const int64_t weight_bytes = p->weight_type == SL_S16 ? 2 : 1, channels = a->groups * p->oc_padded + SL_CONV_COLUMNS;
    p->bias_at = (int64_t)sl_align64((size_t)(p->planes * a->in_c * p->element));
    p->multiplier_at = p->bias_at + (int64_t)sl_align64((size_t)channels * (p->wide ? sizeof(int64_t) : sizeof(int32_t)));
    p->kernel_at = p->multiplier_at + (int64_t)sl_align64((size_t)channels * sizeof(float));
    w->packed_bytes = (size_t)(p->kernel_at + a->groups * p->oc_padded * p->row * weight_bytes);
    w->scratch_bytes = (size_t)(p->block * p->row * p->planes * p->element + 64); /* whole vectors are written past the end */
    w->n_tasks = (int)(p->blocks * p->chunks * a->groups);
}

static void tile_avx2(int rows, int columns, const void *panel, int64_t row, const void *weights, enum sl_dtype weight_type,
                      int64_t steps, const int32_t *start, int32_t *acc)
{
    sl_gemm_tile_avx2(rows, columns, panel, row, weights, weight_type, steps, start, acc);
}

static void plan(struct sl_work *w)
{
    *(struct sl_conv_plan *)(void *)w->state = (struct sl_conv_plan){.tile = tile_avx2,
                                                                     .tile_rows = SL_TILE_ROWS,
                                                                     .tile_columns = SL_TILE_COLUMNS,
                                                                     .column_step = 8,
                                                                     .step = 2,
                                                                     .element = sizeof(int16_t)};
    sl_conv_plan_rest(w);
}

/* One tile of channels against all rows of the panel. */
struct tile {
    const struct sl_work *w;
    const void *weights, *residual;
    const void *bias;
    const float *multiplier;
    void *out;
    int columns, n; /* packed columns; channels of them that exist */
    int64_t at;     /* output element of the first row's first channel */
};

static void narrow_tile(const struct tile *t, const uint8_t *panel, int64_t rows, sl_finish_avx2 *finish)
{
    const struct sl_weighted_args *a = t->w->args;
    const struct sl_conv_plan *p = sl_conv_plan(t->w);
    int32_t acc[SL_CONV_ROWS * SL_CONV_COLUMNS] = {0};
    for (int64_t i = 0; i < rows; i += p->tile_rows) {
        const int part = (int)SL_MIN(p->tile_rows, rows - i);
        p->tile(part, t->columns, panel + i * p->row * p->element, p->row, t->weights, p->weight_type, p->steps, t->bias, acc);
        for (int j = 0; j < t->n; j += 16)
            finish(a, t->multiplier + j, acc + j * part, part, SL_MIN(16, t->n - j), t->residual, t->out,
                   t->at + i * a->out_c + j);
    }
}

/* sum += part << shift */
static void add_wide(int64_t *sum, const int32_t *part, int n, int shift)
{
    for (int j = 0; j < n; j += 4) {
        const __m256i v = _mm256_slli_epi64(_mm256_cvtepi32_epi64(sl_load128(part + j)), shift);
        sl_store256(sum + j, _mm256_add_epi64(sl_load256(sum + j), v));
    }
}

/* Only tiles of vpmaddwd: one column block, as acc and sums lie alike. */
static void wide_tile(const struct tile *t, const uint8_t *panel, int64_t rows)
{
    const struct sl_weighted_args *a = t->w->args;
    const struct sl_conv_plan *p = sl_conv_plan(t->w);
    const int64_t weight_bytes = p->weight_type == SL_S16 ? 2 : 1;
    int32_t part[SL_TILE_ROWS * SL_TILE_COLUMNS] = {0};
    int64_t sum[SL_TILE_ROWS * SL_TILE_COLUMNS];
    for (int64_t i = 0; i < rows; i += SL_TILE_ROWS) {
        const int n = (int)SL_MIN(SL_TILE_ROWS, rows - i);
        for (int k = 0; k < n; k++)
            memcpy(sum + k * SL_TILE_COLUMNS, t->bias, SL_TILE_COLUMNS * sizeof *sum);
        for (int plane = 0; plane < p->planes; plane++)
            for (int64_t step = 0; step < p->steps; step += p->block_steps) {
                const uint8_t *weights = (const uint8_t *)t->weights + step * t->columns * p->step * weight_bytes;
                const uint8_t *x = panel + ((plane * p->block + i) * p->row + step * p->step) * p->element;
                p->tile(n, t->columns, x, p->row, weights, p->weight_type, SL_MIN(p->block_steps, p->steps - step), NULL, part);
                add_wide(sum, part, n * SL_TILE_COLUMNS, p->planes == 2 && plane == 0 ? 8 : 0);
            }
        sl_finish_wide_avx2(a, t->multiplier, sum, n, t->n, t->residual, t->out, t->at + i * a->out_c);
    }
}

void sl_conv_run_avx2(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    const uint8_t *packed = w->packed;
    const int64_t weight_bytes = p->weight_type == SL_S16 ? 2 : 1, bias_bytes = p->wide ? 8 : 4;
    const int64_t first = task % p->blocks * p->block, rows = SL_MIN(p->block, p->positions - first);
    const int64_t group = task / p->blocks / p->chunks, chunk = task / p->blocks % p->chunks;
    sl_finish_avx2 *finish = sl_finish_for_avx2(a);
    const void *panel = sl_conv_panel_avx2(w, io->in[0], group, first, rows, scratch);
    for (int64_t j = chunk * p->chunk; j < SL_MIN((chunk + 1) * p->chunk, p->oc_padded); j += p->tile_columns) {
        const int64_t place = group * p->oc_padded + j;
        const struct tile t = {
            .w = w,
            .weights = packed + p->kernel_at + place * p->row * weight_bytes,
            .residual = a->r_type == SL_NONE ? NULL : io->in[1],
            .bias = packed + p->bias_at + place * bias_bytes,
            .multiplier = (const float *)(const void *)(packed + p->multiplier_at) + place,
            .out = io->out,
            .columns = (int)SL_MIN(p->tile_columns, p->oc_padded - j),
            .n = (int)SL_MIN(p->tile_columns, p->oc_group - j),
            .at = first * a->out_c + group * p->oc_group + j,
        };
        if (p->wide)
            wide_tile(&t, panel, rows);
        else
            narrow_tile(&t, panel, rows, finish);
    }
}

const struct sl_variant sl_conv_avx2 = {"conv_avx2", SL_FAMILY_WEIGHTED, SL_CPU_AVX2,     takes,
                                        plan,        sl_conv_pack_avx2,  sl_conv_run_avx2};
