/* reduce_c.c: sums, means and extremes over any axes (numerics.md section 7). */
#include "kernels/kernels.h"

#include <assert.h>

#include "kernels/rounding.h"
#include "kernels/variants.h"

/* state: neighbouring axes of one sort joined; kept and reduced axes with their input strides, outermost first. A unit is a
 * block of outputs along the last kept axis where that is the input's last axis, else one output. */
enum {
    SIZE,
    UNITS,
    BLOCK,
    COUNT,
    N_KEPT,
    N_REDUCED,
    KEPT_DIM,
    KEPT_STRIDE = KEPT_DIM + SL_MAX_RANK,
    REDUCED_DIM = KEPT_STRIDE + SL_MAX_RANK,
    REDUCED_STRIDE = REDUCED_DIM + SL_MAX_RANK
};

static void split_axes(struct sl_work *w)
{
    const struct sl_reduce_args *a = w->args;
    int64_t stride[SL_MAX_RANK], step = 1;
    int last_sort = -1, n[2] = {0, 0};
    for (int i = a->x.rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= a->x.dim[i];
    }
    w->state[COUNT] = 1;
    for (int i = 0; i < a->x.rank; i++) {
        const int sort = a->axes >> i & 1;
        int64_t *dim = w->state + (sort ? REDUCED_DIM : KEPT_DIM), *st = w->state + (sort ? REDUCED_STRIDE : KEPT_STRIDE);
        if (sort)
            w->state[COUNT] *= a->x.dim[i];
        if (a->x.dim[i] == 1)
            continue;
        if (sort == last_sort)
            dim[n[sort] - 1] *= a->x.dim[i];
        else
            dim[n[sort]++] = a->x.dim[i];
        st[n[sort] - 1] = stride[i];
        last_sort = sort;
    }
    for (int sort = 0; sort < 2; sort++)
        if (n[sort] == 0) { /* one pass of no movement */
            w->state[sort ? REDUCED_DIM : KEPT_DIM] = 1;
            n[sort] = 1;
        }
    w->state[N_KEPT] = n[0];
    w->state[N_REDUCED] = n[1];
}

static void plan(struct sl_work *w)
{
    split_axes(w);
    const int last = (int)w->state[N_KEPT] - 1;
    const bool contiguous = w->state[KEPT_STRIDE + last] == 1;
    int64_t outputs = 1;
    for (int k = 0; k < last; k++)
        outputs *= w->state[KEPT_DIM + k];
    w->state[BLOCK] = contiguous ? SL_BLOCK : 1;
    w->state[UNITS] = outputs * ((w->state[KEPT_DIM + last] + w->state[BLOCK] - 1) / w->state[BLOCK]);
    w->state[SIZE] = sl_task_size(w->state[UNITS], ((int64_t)1 << 16) / (w->state[COUNT] * w->state[BLOCK] + 1));
    w->n_tasks = sl_task_count(w->state[UNITS], w->state[SIZE]);
}

/* Fold a run of n values (step 1, m outputs side by side) into acc. */
static void fold(const struct sl_reduce_args *a, const void *x, int64_t at, int64_t n, int64_t step, int m, int64_t *acc)
{
    int32_t v[SL_BLOCK];
    const bool sums = a->op == SL_REDUCE_MEAN || a->op == SL_REDUCE_SUM;
    if (m == 1) { /* along the run */
        for (int64_t i = 0; i < n; i += SL_BLOCK) {
            int part = (int)SL_MIN(n - i, SL_BLOCK);
            sl_widen(v, x, a->x_type, at + i * step, step, part, sums ? a->zp_x : 0);
            for (int k = 0; k < part; k++)
                acc[0] = sums ? acc[0] + v[k] : a->op == SL_REDUCE_MAX ? SL_MAX(acc[0], v[k]) : SL_MIN(acc[0], v[k]);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        sl_widen(v, x, a->x_type, at + i * step, 1, m, sums ? a->zp_x : 0);
        if (sums)
            for (int k = 0; k < m; k++)
                acc[k] += v[k];
        else if (a->op == SL_REDUCE_MAX)
            for (int k = 0; k < m; k++)
                acc[k] = SL_MAX(acc[k], v[k]);
        else
            for (int k = 0; k < m; k++)
                acc[k] = SL_MIN(acc[k], v[k]);
    }
}

static void one_unit(const struct sl_work *w, const struct sl_io *io, int64_t base, int64_t at, int m)
{
    const struct sl_reduce_args *a = w->args;
    const int inner = (int)w->state[N_REDUCED] - 1;
    const int64_t *dim = w->state + REDUCED_DIM, *stride = w->state + REDUCED_STRIDE;
    const float n = a->op == SL_REDUCE_MEAN ? (float)w->state[COUNT] : 1.0f;
    int64_t acc[SL_BLOCK], outer = 1;
    int32_t q[SL_BLOCK];
    for (int k = 0; k < m; k++)
        acc[k] = a->op == SL_REDUCE_MIN ? 65535 : 0;
    for (int k = 0; k < inner; k++)
        outer *= dim[k];
    for (int64_t i = 0; i < outer; i++) {
        int64_t rest = i, from = base;
        for (int k = inner - 1; k >= 0; k--) {
            from += rest % dim[k] * stride[k];
            rest /= dim[k];
        }
        fold(a, io->in[0], from, dim[inner], stride[inner], m, acc);
    }
    for (int k = 0; k < m; k++)
        q[k] = a->op == SL_REDUCE_MEAN || a->op == SL_REDUCE_SUM
                   ? sl_finish_f((float)acc[k] / n * a->multiplier, a->zp, a->lo, a->hi)
                   : (int32_t)acc[k];
    sl_narrow(io->out, a->out_type, at, q, m);
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const int last = (int)w->state[N_KEPT] - 1;
    const int64_t *dim = w->state + KEPT_DIM, *stride = w->state + KEPT_STRIDE;
    const int64_t blocks = (dim[last] + w->state[BLOCK] - 1) / w->state[BLOCK];
    const int64_t end = SL_MIN(w->state[UNITS], (task + 1) * w->state[SIZE]);
    for (int64_t unit = task * w->state[SIZE]; unit < end; unit++) {
        int64_t rest = unit / blocks, column = unit % blocks * w->state[BLOCK], base = column * stride[last];
        int64_t at = rest * dim[last] + column;
        for (int k = last - 1; k >= 0; k--) {
            base += rest % dim[k] * stride[k];
            rest /= dim[k];
        }
        one_unit(w, io, base, at, (int)SL_MIN(w->state[BLOCK], dim[last] - column));
    }
}

const struct sl_variant sl_reduce_c = {"reduce_c", SL_FAMILY_REDUCE, SL_CPU_C, NULL, plan, NULL, run};
