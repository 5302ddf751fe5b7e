/*
 * deconv_avx2.c: narrow transposed convolution. Outputs whose row and column leave the same remainders by the strides, a phase,
 * are reached by the same taps: each phase is a convolution of stride 1 with those taps, and runs like conv_avx2.c. A task is
 * one output row.
 */
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "kernels/finish_avx2.h"
#include "kernels/gemm_avx2.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

/*
 * Packed memory: a row of zero points, s16 [ic_group]; multipliers, f32 [groups][oc_padded]; then phase by phase biases, s32
 * [groups][oc_padded], and weights, tiles as in conv_avx2.h. Biases hold offset and zero point times the sum of the phase's
 * weights.
 */
struct deconv_plan {
    enum sl_dtype weight_type; /* as packed: s8 or s16 */
    int32_t offset;            /* u16 values are taken less 32768 */
    int64_t ic_group, oc_group, oc_padded, weight_bytes;
    int64_t multiplier_at, phases_at;
};
_Static_assert(sizeof(struct deconv_plan) <= sizeof(((struct sl_work *)0)->state), "the plan fits the work's state");

static const struct deconv_plan *plan_of(const struct sl_work *w)
{
    return (const void *)w->state;
}

static bool takes(const void *args)
{
    const struct sl_weighted_args *a = args;
    const int64_t ic_group = a->in_c / a->groups, oc_group = a->out_c / a->groups;
    return a->deconv && ic_group > 0 && (a->groups == 1 || ic_group * oc_group >= 32) && a->kh * a->kw <= 4096 && a->sh <= 64 &&
           a->sw <= 64 && a->groups <= 4096 && !sl_weighted_is_wide(a);
}

/* Along one axis: does tap i reach outputs of this remainder? */
static bool reaches(int64_t phase, int64_t tap, int64_t stride, int64_t dilation, int64_t before)
{
    return (phase + before - tap * dilation) % stride == 0; /* the remainder's sign does not matter */
}

static int64_t taps_of(int64_t phase, int64_t k, int64_t stride, int64_t dilation, int64_t before)
{
    int64_t n = 0;
    for (int64_t i = 0; i < k; i++)
        n += reaches(phase, i, stride, dilation, before);
    return n;
}

struct phase {
    int64_t y, x; /* remainders */
    int64_t k, pairs;
    int64_t bias_at, kernel_at, end; /* in packed memory */
};

static struct phase phase_at(const struct sl_work *w, int64_t y, int64_t x, int64_t at)
{
    const struct sl_weighted_args *a = w->args;
    const struct deconv_plan *p = plan_of(w);
    struct phase f = {.y = y, .x = x, .bias_at = at};
    f.k = taps_of(y, a->kh, a->sh, a->dh, a->top) * taps_of(x, a->kw, a->sw, a->dw, a->left) * p->ic_group;
    f.pairs = (f.k + 1) / 2;
    f.kernel_at = at + (int64_t)sl_align64((size_t)(a->groups * p->oc_padded + SL_TILE_COLUMNS) * sizeof(int32_t));
    f.end = f.kernel_at + (int64_t)sl_align64((size_t)(a->groups * p->oc_padded * 2 * f.pairs * p->weight_bytes));
    return f;
}

/* The first phase; the next one, row by row. */
static struct phase first_phase(const struct sl_work *w)
{
    return phase_at(w, 0, 0, plan_of(w)->phases_at);
}

static struct phase next_phase(const struct sl_work *w, const struct phase *f)
{
    const struct sl_weighted_args *a = w->args;
    return f->x + 1 < a->sw ? phase_at(w, f->y, f->x + 1, f->end) : phase_at(w, f->y + 1, 0, f->end);
}

static void plan(struct sl_work *w)
{
    const struct sl_weighted_args *a = w->args;
    struct deconv_plan *p = (void *)w->state;
    int64_t longest = 0, end = 0;
    p->weight_type = a->kernel_type == SL_S16 ? SL_S16 : SL_S8;
    p->weight_bytes = p->weight_type == SL_S16 ? 2 : 1;
    p->offset = a->x_type == SL_U16 ? 32768 : 0;
    p->ic_group = a->in_c / a->groups;
    p->oc_group = a->out_c / a->groups;
    p->oc_padded = (p->oc_group + 7) / 8 * 8;
    p->multiplier_at = (int64_t)sl_align64((size_t)p->ic_group * sizeof(int16_t));
    p->phases_at = p->multiplier_at + (int64_t)sl_align64((size_t)(a->groups * p->oc_padded + SL_TILE_COLUMNS) * sizeof(float));
    for (struct phase f = first_phase(w); f.y < a->sh; f = next_phase(w, &f)) {
        longest = SL_MAX(longest, f.pairs);
        end = f.end;
    }
    w->packed_bytes = (size_t)end;
    w->scratch_bytes = (size_t)((a->out_w + a->sw - 1) / a->sw * longest * 2 + SL_TILE_COLUMNS) * sizeof(int16_t);
    w->n_tasks = (int)(a->n * a->out_h);
}

/* ---- packing ---- */

static void pack_tile(const struct sl_work *w, const struct phase *f, int64_t group, int64_t j, uint8_t *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct deconv_plan *p = plan_of(w);
    const int64_t columns = SL_MIN(SL_TILE_COLUMNS, p->oc_padded - j), n = SL_MIN(columns, p->oc_group - j),
                  place = group * p->oc_padded + j;
    uint8_t *tile = packed + f->kernel_at + place * 2 * f->pairs * p->weight_bytes;
    int64_t sum[SL_TILE_COLUMNS] = {0}, k = 0;
    int16_t row[SL_TILE_COLUMNS];
    for (int64_t tap = 0; tap < a->kh * a->kw; tap++) {
        if (!reaches(f->y, tap / a->kw, a->sh, a->dh, a->top) || !reaches(f->x, tap % a->kw, a->sw, a->dw, a->left))
            continue;
        for (int64_t c = 0; c < p->ic_group; c++, k++) {
            sl_weighted_kernel_row(a, (tap * a->in_c + group * p->ic_group + c) * p->oc_group + j, n, row);
            for (int64_t i = 0; i < n; i++) {
                const int64_t at = (k / 2 * columns + i) * 2 + k % 2;
                if (p->weight_type == SL_S16)
                    ((int16_t *)(void *)tile)[at] = row[i];
                else
                    ((int8_t *)tile)[at] = (int8_t)row[i];
                sum[i] += row[i];
            }
        }
    }
    assert(k == f->k);
    for (int64_t i = 0; i < n; i++) {
        const int64_t o = group * p->oc_group + j + i;
        const int64_t bias = a->x_type == SL_U8 ? ((const int32_t *)a->bias)[o] : ((const int64_t *)a->bias)[o];
        ((int32_t *)(void *)(packed + f->bias_at))[place + i] =
            (int32_t)(uint32_t)(bias + (p->offset - (int64_t)a->zp_x) * sum[i]);
        ((float *)(void *)(packed + p->multiplier_at))[place + i] = a->multiplier[o];
    }
}

static void pack(const struct sl_work *w, void *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct deconv_plan *p = plan_of(w);
    memset(packed, 0, w->packed_bytes);
    for (int64_t c = 0; c < p->ic_group; c++)
        ((int16_t *)packed)[c] = (int16_t)(a->zp_x - p->offset);
    for (struct phase f = first_phase(w); f.y < a->sh; f = next_phase(w, &f))
        for (int64_t group = 0; group < a->groups; group++)
            for (int64_t j = 0; j < p->oc_group; j += SL_TILE_COLUMNS)
                pack_tile(w, &f, group, j, packed);
}

/* ---- running ---- */

/* What reaches output (y, x) of the phase: features of every tap, the zero point where a tap falls outside the picture. */
static void gather_position(const struct sl_work *w, const struct phase *f, const void *input, int64_t frame, int64_t group,
                            int64_t y, int64_t x, int16_t *to)
{
    const struct sl_weighted_args *a = w->args;
    const struct deconv_plan *p = plan_of(w);
    const int64_t all = a->n * a->in_h * a->in_w * a->in_c;
    for (int64_t i = 0; i < a->kh; i++) {
        if (!reaches(f->y, i, a->sh, a->dh, a->top))
            continue;
        const int64_t iy = (y + a->top - i * a->dh) / a->sh; /* exact */
        const bool row_inside = y + a->top - i * a->dh >= 0 && iy < a->in_h;
        for (int64_t j = 0; j < a->kw; j++) {
            if (!reaches(f->x, j, a->sw, a->dw, a->left))
                continue;
            const int64_t ix = (x + a->left - j * a->dw) / a->sw;
            const bool inside = row_inside && x + a->left - j * a->dw >= 0 && ix < a->in_w;
            const int64_t at = ((frame * a->in_h + iy) * a->in_w + ix) * a->in_c + group * p->ic_group;
            if (!inside)
                memcpy(to, w->packed, (size_t)p->ic_group * sizeof *to);
            else if (a->x_type == SL_U8)
                sl_widen_u8_avx2(to, (const uint8_t *)input + at, p->ic_group, (const uint8_t *)input + all);
            else
                sl_widen_u16_avx2(to, (const uint16_t *)input + at, p->ic_group, (const uint16_t *)input + all);
            to += p->ic_group;
        }
    }
    if (f->k % 2 == 1)
        *to = 0;
}

/* One group of one phase of an output row: n positions, sw columns apart. */
static void phase_row(const struct sl_work *w, const struct sl_io *io, const struct phase *f, int64_t row, int64_t group,
                      int64_t n, int16_t *panel)
{
    const struct sl_weighted_args *a = w->args;
    const struct deconv_plan *p = plan_of(w);
    const uint8_t *packed = w->packed;
    const void *residual = a->r_type == SL_NONE ? NULL : io->in[1];
    struct sl_weighted_args spaced = *a; /* for the finish: the next position's channels lie sw positions on */
    sl_finish_avx2 *finish = sl_finish_for_avx2(a);
    int32_t acc[SL_TILE_ROWS * SL_TILE_COLUMNS] = {0};
    spaced.out_c *= a->sw;
    for (int64_t i = 0; i < n; i++)
        gather_position(w, f, io->in[0], row / a->out_h, group, row % a->out_h, f->x + i * a->sw, panel + i * 2 * f->pairs);
    for (int64_t j = 0; j < p->oc_group; j += SL_TILE_COLUMNS) {
        const int64_t place = group * p->oc_padded + j, at = (row * a->out_w + f->x) * a->out_c + group * p->oc_group + j;
        const int columns = (int)SL_MIN(SL_TILE_COLUMNS, p->oc_padded - j);
        const uint8_t *weights = packed + f->kernel_at + place * 2 * f->pairs * p->weight_bytes;
        const int32_t *bias = (const int32_t *)(const void *)(packed + f->bias_at) + place;
        const float *multiplier = (const float *)(const void *)(packed + p->multiplier_at) + place;
        for (int64_t i = 0; i < n; i += SL_TILE_ROWS) {
            const int part = (int)SL_MIN(SL_TILE_ROWS, n - i);
            sl_gemm_tile_avx2(part, columns, panel + i * 2 * f->pairs, 2 * f->pairs, weights, p->weight_type, f->pairs, bias,
                              acc);
            finish(&spaced, multiplier, acc, part, (int)SL_MIN(SL_TILE_COLUMNS, p->oc_group - j), residual, io->out,
                   at + i * spaced.out_c);
        }
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_weighted_args *a = w->args;
    const int64_t y = task % a->out_h;
    for (struct phase f = first_phase(w); f.y < a->sh; f = next_phase(w, &f)) {
        if (f.y != y % a->sh || f.x >= a->out_w)
            continue;
        const int64_t n = (a->out_w - f.x + a->sw - 1) / a->sw;
        for (int64_t group = 0; group < a->groups; group++)
            phase_row(w, io, &f, task, group, n, scratch);
    }
}

const struct sl_variant sl_deconv_avx2 = {"deconv_avx2", SL_FAMILY_WEIGHTED, SL_CPU_AVX2, takes, plan, pack, run};
