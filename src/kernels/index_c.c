/* index_c.c: where a line's largest or smallest value is (numerics.md section 7). The AVX2 twin beside it takes lines along the
 * last axis. */
#include "kernels/kernels.h"

#include <assert.h>

#include "kernels/rounding.h"
#include "kernels/variants.h"

/* Along the last axis a unit is a line; else a block of up to SL_BLOCK lines side by side. */
static int64_t units_of(const struct sl_index_args *a)
{
    return a->inner == 1 ? a->outer : a->outer * ((a->inner + SL_BLOCK - 1) / SL_BLOCK);
}

void sl_plan_index(struct sl_work *w)
{
    const struct sl_index_args *a = w->args;
    const int64_t units = units_of(a);
    assert(a->length >= 1 && a->length <= (a->out_type == SL_U8 ? 256 : 65536));
    w->state[0] = sl_task_size(units, ((int64_t)1 << 16) / (a->length * SL_MIN(a->inner, SL_BLOCK) + 1));
    w->n_tasks = sl_task_count(units, w->state[0]);
}

/* m lines side by side, the first at element `at`; their k-th values are at + k * inner. */
static void block(const struct sl_index_args *a, const void *x, int64_t at, int m, int32_t *index)
{
    int32_t best[SL_BLOCK], v[SL_BLOCK];
    const int32_t sign = a->smallest ? -1 : 1, tie = a->last ? 0 : 1; /* better: above the best by at least `tie` */
    sl_widen(best, x, a->x_type, at, 1, m, 0);
    for (int i = 0; i < m; i++)
        index[i] = 0;
    for (int64_t k = 1; k < a->length; k++) {
        sl_widen(v, x, a->x_type, at + k * a->inner, 1, m, 0);
        for (int i = 0; i < m; i++) {
            const bool better = sign * (v[i] - best[i]) >= tie;
            best[i] = better ? v[i] : best[i];
            index[i] = better ? (int32_t)k : index[i];
        }
    }
}

static int32_t one_line(const struct sl_index_args *a, const void *x, int64_t at)
{
    const int32_t sign = a->smallest ? -1 : 1, tie = a->last ? 0 : 1;
    int32_t best = sl_load_q(x, a->x_type, (size_t)at), index = 0;
    for (int64_t k = 1; k < a->length; k++) {
        const int32_t v = sl_load_q(x, a->x_type, (size_t)(at + k));
        if (sign * (v - best) >= tie) {
            best = v;
            index = (int32_t)k;
        }
    }
    return index;
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    (void)scratch;
    const struct sl_index_args *a = w->args;
    const int64_t blocks = (a->inner + SL_BLOCK - 1) / SL_BLOCK, end = SL_MIN(units_of(a), (task + 1) * w->state[0]);
    int32_t index[SL_BLOCK];
    for (int64_t unit = task * w->state[0]; unit < end; unit++) {
        if (a->inner == 1) {
            sl_store_q(io->out, a->out_type, (size_t)unit, one_line(a, io->in[0], unit * a->length));
            continue;
        }
        const int64_t outer = unit / blocks, column = unit % blocks * SL_BLOCK;
        const int m = (int)SL_MIN(a->inner - column, SL_BLOCK);
        block(a, io->in[0], outer * a->length * a->inner + column, m, index);
        sl_narrow(io->out, a->out_type, outer * a->inner + column, index, m);
    }
}

const struct sl_variant sl_index_c = {"index_c", SL_FAMILY_INDEX, SL_CPU_C, NULL, sl_plan_index, NULL, run};
