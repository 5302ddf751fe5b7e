/* norm_c.c: softmax, layer_norm and rms_norm (numerics.md sections 9 and 10): integer sums over a line, then one scalar in
 * double. */
#include "kernels/kernels.h"

#include <assert.h>
#include <math.h>

#include "kernels/rounding.h"
#include "kernels/variants.h"

enum { TASK = 1 << 14 }; /* elements */

static void plan_lines(struct sl_work *w, int64_t lines, int64_t length, int64_t step)
{
    w->state[SL_LINES] = length == 0 ? 0 : lines;
    w->state[SL_LINE_LENGTH] = length;
    w->state[SL_LINE_STEP] = step;
    w->state[SL_LINES_TASK] = sl_task_size(w->state[SL_LINES], TASK / (length + 1));
    w->n_tasks = sl_task_count(w->state[SL_LINES], w->state[SL_LINES_TASK]);
}

/* ---- softmax ---- */

void sl_plan_softmax(struct sl_work *w)
{
    const struct sl_softmax_args *a = w->args;
    int64_t outer = 1, inner = 1;
    assert(a->axis >= 0 && a->axis < a->x.rank && (a->exponentials || a->table[0] > 0));
    for (int i = 0; i < a->x.rank; i++) {
        outer *= i < a->axis ? a->x.dim[i] : 1;
        inner *= i > a->axis ? a->x.dim[i] : 1;
    }
    plan_lines(w, outer * inner, a->x.dim[a->axis], inner);
}

static int32_t table_index(const struct sl_softmax_args *a, int32_t d)
{
    return a->x_type == SL_U8 ? d : SL_MIN(d >> a->index_shift, 4095);
}

static void softmax_line(const struct sl_softmax_args *a, const struct sl_io *io, int64_t at, int64_t step, int64_t n)
{
    int32_t most = 0;
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        most = SL_MAX(most, sl_load_q(io->in[0], a->x_type, (size_t)(at + i * step)));
    for (int64_t i = 0; i < n; i++)
        sum += a->table[table_index(a, most - sl_load_q(io->in[0], a->x_type, (size_t)(at + i * step)))];
    const double r = a->inverse_scale / (double)sum;
    for (int64_t i = 0; i < n; i++) {
        const uint16_t e = a->table[table_index(a, most - sl_load_q(io->in[0], a->x_type, (size_t)(at + i * step)))];
        sl_store_q(io->out, a->out_type, (size_t)(at + i * step), sl_finish_d((double)e * r, a->zp, 0, sl_qmax(a->out_type)));
    }
}

/* ---- softmax by two interpolated tables of signed integers ---- */

/* d * multiplier * 2^(shift - 31) in two roundings: halves up, then halves away from zero. */
static int64_t scaled_distance(const struct sl_softmax_args *a, int64_t d)
{
    const int right = SL_MAX(-a->distance_shift, 0);
    const int64_t p = (d * ((int64_t)1 << SL_MAX(a->distance_shift, 0)) * a->distance_multiplier + (1 << 30)) >> 31;
    const int64_t half = ((int64_t)1 << right) >> 1;
    return p < 0 ? -((half - p) >> right) : (p + half) >> right;
}

static int32_t look_up(const int16_t *table, int64_t v)
{
    const int64_t i = 256 + (v >> 7), slope = table[i + 1] - table[i];
    return (int32_t)(table[i] + ((slope * (v & 127) + 64) >> 7));
}

static int32_t exponential(const struct sl_softmax_args *a, const struct sl_io *io, int64_t at, int32_t most)
{
    const int64_t d = (int64_t)sl_load_q(io->in[0], a->x_type, (size_t)at) - most;
    return look_up(a->exponentials, SL_MAX(scaled_distance(a, d) + 32767, -32768));
}

static void lookup_line(const struct sl_softmax_args *a, const struct sl_io *io, int64_t at, int64_t step, int64_t n)
{
    int32_t most = 0;
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        most = SL_MAX(most, sl_load_q(io->in[0], a->x_type, (size_t)(at + i * step)));
    for (int64_t i = 0; i < n; i++)
        sum += exponential(a, io, at + i * step, most);
    int zeros = 0; /* in front of the sum, of 32 bits */
    while (sum >> (31 - zeros) == 0)
        zeros++;
    const int64_t part = ((sum << (zeros - 1)) + (1 << 13)) >> 14, r = look_up(a->inverse, SL_MIN(part - 98304, 32767));
    const int shift = 31 - zeros;
    for (int64_t i = 0; i < n; i++) {
        const int64_t q = (exponential(a, io, at + i * step, most) * r + ((int64_t)1 << (shift - 1))) >> shift;
        sl_store_q(io->out, a->out_type, (size_t)(at + i * step), a->zp + (int32_t)SL_MIN(q, 32767));
    }
}

static void run_softmax(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_softmax_args *a = w->args;
    const int64_t step = w->state[SL_LINE_STEP], n = w->state[SL_LINE_LENGTH],
                  end = SL_MIN(w->state[SL_LINES], (task + 1) * w->state[SL_LINES_TASK]);
    for (int64_t line = task * w->state[SL_LINES_TASK]; line < end; line++)
        (a->exponentials ? lookup_line : softmax_line)(a, io, line / step * n * step + line % step, step, n);
}

const struct sl_variant sl_softmax_c = {"softmax_c", SL_FAMILY_SOFTMAX, SL_CPU_C, NULL, sl_plan_softmax, NULL, run_softmax};

/* ---- layer_norm and rms_norm ---- */

void sl_plan_norm(struct sl_work *w)
{
    const struct sl_norm_args *a = w->args;
    assert(a->n <= (a->x_type == SL_U8 ? 32768 : 46341)); /* n * Q fits 63 bits */
    plan_lines(w, a->rows, a->n, 1);
}

/* 1 / sqrt of what the line's integer sums give; also the sum that layer_norm subtracts. */
static double line_factor(const struct sl_norm_args *a, const void *x, int64_t at, int64_t *sum)
{
    int32_t v[SL_BLOCK];
    int64_t s = 0, squares = 0;
    for (int64_t i = 0; i < a->n; i += SL_BLOCK) {
        const int n = (int)SL_MIN(a->n - i, SL_BLOCK);
        sl_widen(v, x, a->x_type, at + i, 1, n, a->rms ? a->zp_x : 0);
        for (int k = 0; k < n; k++) {
            s += v[k];
            squares += (int64_t)v[k] * v[k];
        }
    }
    *sum = s;
    const int64_t spread = a->rms ? squares : a->n * squares - s * s;
    return 1.0 / sqrt((double)spread + a->epsilon);
}

static void norm_line(const struct sl_norm_args *a, const struct sl_io *io, int64_t at)
{
    int32_t v[SL_BLOCK];
    int64_t sum;
    const double r = line_factor(a, io->in[0], at, &sum);
    const int64_t scale = a->rms ? 1 : a->n, offset = a->rms ? 0 : sum;
    for (int64_t i = 0; i < a->n; i += SL_BLOCK) {
        const int n = (int)SL_MIN(a->n - i, SL_BLOCK);
        sl_widen(v, io->in[0], a->x_type, at + i, 1, n, a->rms ? a->zp_x : 0);
        for (int k = 0; k < n; k++) {
            float f = (float)((double)(scale * v[k] - offset) * r);
            f = f * a->gamma[i + k];
            f = f + a->beta[i + k];
            v[k] = sl_finish_f(f, a->zp, a->lo, a->hi);
        }
        sl_narrow(io->out, a->out_type, at + i, v, n);
    }
}

static void run_norm(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const int64_t end = SL_MIN(w->state[SL_LINES], (task + 1) * w->state[SL_LINES_TASK]);
    for (int64_t line = task * w->state[SL_LINES_TASK]; line < end; line++)
        norm_line(w->args, io, line * w->state[SL_LINE_LENGTH]);
}

const struct sl_variant sl_norm_c = {"norm_c", SL_FAMILY_NORM, SL_CPU_C, NULL, sl_plan_norm, NULL, run_norm};
