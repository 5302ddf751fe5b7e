/* elementwise_c.c: kernels of one input, element by element: tables, requantize, and the library's float side (numerics.md
 * sections 2 and 5). */
#include "kernels/kernels.h"

#include <assert.h>

#include "kernels/rounding.h"
#include "kernels/variants.h"

enum { TASK = 1 << 16 }; /* elements */

void sl_plan_flat(struct sl_work *w, size_t n)
{
    w->state[0] = sl_task_size((int64_t)n, TASK);
    w->n_tasks = sl_task_count((int64_t)n, w->state[0]);
}

/* ---- table ---- */

static void plan_table(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_table_args *)w->args)->n);
}

static void run_table(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_table_args *a = w->args;
    const int64_t first = sl_flat_first(w, task), end = sl_flat_end(w, task, a->n);
    const uint8_t *x8 = io->in[0], *table8 = a->table;
    const uint16_t *x16 = io->in[0], *table16 = a->table;
    uint8_t *out8 = io->out;
    uint16_t *out16 = io->out;
    if (a->x_type == SL_U8 && a->out_type == SL_U8)
        for (int64_t i = first; i < end; i++)
            out8[i] = table8[x8[i]];
    else if (a->x_type == SL_U8)
        for (int64_t i = first; i < end; i++)
            out16[i] = table16[x8[i]];
    else if (a->whole && a->out_type == SL_U8)
        for (int64_t i = first; i < end; i++)
            out8[i] = table8[x16[i]];
    else if (a->whole)
        for (int64_t i = first; i < end; i++)
            out16[i] = table16[x16[i]];
    else if (a->out_type == SL_U8)
        for (int64_t i = first; i < end; i++)
            out8[i] = table8[x16[i] >> 4];
    else
        for (int64_t i = first; i < end; i++)
            out16[i] = (uint16_t)sl_interpolate(table16, x16[i]);
}

const struct sl_variant sl_table_c = {"table_c", SL_FAMILY_TABLE, SL_CPU_C, NULL, plan_table, NULL, run_table};

/* ---- requantize ---- */

static void plan_requantize(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_requantize_args *)w->args)->n);
}

static void run_requantize(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_requantize_args *a = w->args;
    const int64_t end = sl_flat_end(w, task, a->n);
    int32_t q[SL_BLOCK];
    for (int64_t at = sl_flat_first(w, task); at < end; at += SL_BLOCK) {
        const int n = (int)SL_MIN(end - at, SL_BLOCK);
        sl_widen(q, io->in[0], a->x_type, at, 1, n, a->zp_x);
        for (int i = 0; i < n; i++)
            q[i] = sl_requant_narrow(q[i], a->multiplier, a->zp, a->lo, a->hi);
        sl_narrow(io->out, a->out_type, at, q, n);
    }
}

const struct sl_variant sl_requantize_c = {"requantize_c", SL_FAMILY_REQUANTIZE, SL_CPU_C, NULL, plan_requantize,
                                           NULL,           run_requantize};

/* ---- float to stored ---- */

static void plan_quantize(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_quantize_args *)w->args)->n);
}

static void run_quantize(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_quantize_args *a = w->args;
    const int64_t end = sl_flat_end(w, task, a->n);
    const float *x = io->in[0];
    const float qmax = (float)sl_qmax(a->type), zp = (float)a->zero_point;
    const float lo = a->scale * (float)(0 - a->zero_point), hi = a->scale * (float)(sl_qmax(a->type) - a->zero_point);
    for (int64_t i = sl_flat_first(w, task); i < end; i++) {
        int32_t q = a->zero_point;
        if (x[i] == x[i]) /* else NaN */
            q = sl_rint_f(
                sl_clamp_f(sl_clamp_f(x[i], lo, hi) / a->scale + zp, 0.0f, qmax)); /* clamping before rint is the same */
        sl_store_q(io->out, a->type, (size_t)i, q);
    }
}

const struct sl_variant sl_quantize_c = {"quantize_c", SL_FAMILY_QUANTIZE, SL_CPU_C, NULL, plan_quantize, NULL, run_quantize};

/* ---- stored to float ---- */

static void plan_dequantize(struct sl_work *w)
{
    sl_plan_flat(w, ((const struct sl_dequantize_args *)w->args)->n);
}

static void run_dequantize(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_dequantize_args *a = w->args;
    const int64_t first = sl_flat_first(w, task), end = sl_flat_end(w, task, a->n);
    float *out = io->out;
    if (a->scales != NULL) {
        assert(a->channels > 0);
        for (int64_t i = first; i < end; i++)
            out[i] = (float)(sl_load_q(io->in[0], a->type, (size_t)i) - a->zero_point) * a->scales[i % a->channels];
    } else {
        for (int64_t i = first; i < end; i++)
            out[i] = (float)(sl_load_q(io->in[0], a->type, (size_t)i) - a->zero_point) * a->scale;
    }
}

const struct sl_variant sl_dequantize_c = {"dequantize_c", SL_FAMILY_DEQUANTIZE, SL_CPU_C, NULL, plan_dequantize,
                                           NULL,           run_dequantize};
