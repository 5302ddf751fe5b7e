/* matmul_c.c: products of two activations (numerics.md section 8): blocks of 8 rows by 256 columns, summed over k in order. */
#include "kernels/kernels.h"

#include <assert.h>

#include "kernels/matmul_batches.h"
#include "kernels/rounding.h"
#include "kernels/variants.h"

enum { SIZE, UNITS, ROW_BLOCKS, WIDE }; /* state; a unit is ROWS rows of one batch */
enum { ROWS = 8 };

bool sl_matmul_is_wide(const struct sl_matmul_args *a)
{
    int64_t k = sl_matmul_dims(a).k, qa = sl_qmax(a->a_type), qb = sl_qmax(a->b_type);
    int64_t most = SL_MAX((int64_t)a->zp_a, qa - a->zp_a) * SL_MAX((int64_t)a->zp_b, qb - a->zp_b); /* > 0, < 2^32 */
    return k > INT32_MAX / most;
}

struct sl_matmul_dims sl_matmul_dims(const struct sl_matmul_args *a)
{
    struct sl_matmul_dims d = {.batches = 1};
    const int a_lead = a->a.rank - 2, b_lead = a->b.rank - 2;
    assert(a_lead >= 0 && b_lead >= 0);
    d.m = a->a.dim[a_lead];
    d.k = a->a.dim[a_lead + 1];
    d.n = a->b.dim[b_lead + (a->transpose_b ? 0 : 1)];
    for (int i = 1; i <= SL_MAX(a_lead, b_lead); i++) {
        int64_t da = i <= a_lead ? a->a.dim[a_lead - i] : 1, db = i <= b_lead ? a->b.dim[b_lead - i] : 1;
        assert(da == db || da == 1 || db == 1);
        d.batches *= da == 1 ? db : da;
    }
    return d;
}

void sl_matmul_batch(const struct sl_matmul_args *a, int64_t batch, int64_t *a_at, int64_t *b_at)
{
    const int a_lead = a->a.rank - 2, b_lead = a->b.rank - 2;
    int64_t a_step = a->a.dim[a_lead] * a->a.dim[a_lead + 1], b_step = a->b.dim[b_lead] * a->b.dim[b_lead + 1];
    *a_at = *b_at = 0;
    for (int i = 1; i <= SL_MAX(a_lead, b_lead); i++) { /* from the innermost leading dimension outwards */
        int64_t da = i <= a_lead ? a->a.dim[a_lead - i] : 1, db = i <= b_lead ? a->b.dim[b_lead - i] : 1;
        int64_t at = batch % SL_MAX(da, db);
        batch /= SL_MAX(da, db);
        *a_at += da == 1 ? 0 : at * a_step;
        *b_at += db == 1 ? 0 : at * b_step;
        a_step *= da;
        b_step *= db;
    }
}

static void plan(struct sl_work *w)
{
    const struct sl_matmul_args *a = w->args;
    const struct sl_matmul_dims d = sl_matmul_dims(a);
    w->state[ROW_BLOCKS] = (d.m + ROWS - 1) / ROWS;
    w->state[UNITS] = d.n == 0 ? 0 : d.batches * w->state[ROW_BLOCKS];
    w->state[SIZE] = sl_task_size(w->state[UNITS], ((int64_t)1 << 18) / (ROWS * d.n * d.k + 1));
    w->state[WIDE] = sl_matmul_is_wide(a);
    w->n_tasks = sl_task_count(w->state[UNITS], w->state[SIZE]);
}

/* Rows m0..m0+rows-1, columns n0..n0+n-1 of one matrix: sums in both widths have one loop each, so that the narrow one stays
 * fast. */
static void one_block(const struct sl_work *w, const struct sl_io *io, int64_t batch, int64_t m0, int rows, int64_t n0, int n)
{
    const struct sl_matmul_args *e = w->args;
    const struct sl_matmul_dims d = sl_matmul_dims(e);
    const bool wide = w->state[WIDE];
    int32_t acc[ROWS][SL_BLOCK] = {{0}}, b[SL_BLOCK];
    int64_t acc_wide[ROWS][SL_BLOCK] = {{0}}, a_at, b_at;
    sl_matmul_batch(e, batch, &a_at, &b_at);
    for (int64_t k = 0; k < d.k; k++) {
        sl_widen(b, io->in[1], e->b_type, b_at + (e->transpose_b ? n0 * d.k + k : k * d.n + n0), e->transpose_b ? d.k : 1, n,
                 e->zp_b);
        for (int i = 0; i < rows; i++) {
            const int32_t v = sl_load_q(io->in[0], e->a_type, (size_t)(a_at + (m0 + i) * d.k + k)) - e->zp_a;
            if (wide)
                for (int j = 0; j < n; j++)
                    acc_wide[i][j] += (int64_t)v * b[j];
            else
                for (int j = 0; j < n; j++)
                    acc[i][j] += v * b[j];
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < n; j++)
            b[j] = wide ? sl_requant_wide(acc_wide[i][j], e->multiplier, e->zp, e->lo, e->hi)
                        : sl_requant_narrow(acc[i][j], e->multiplier, e->zp, e->lo, e->hi);
        sl_narrow(io->out, e->out_type, (batch * d.m + m0 + i) * d.n + n0, b, n);
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_matmul_dims d = sl_matmul_dims(w->args);
    const int64_t end = SL_MIN(w->state[UNITS], (task + 1) * w->state[SIZE]);
    for (int64_t unit = task * w->state[SIZE]; unit < end; unit++) {
        int64_t m0 = unit % w->state[ROW_BLOCKS] * ROWS;
        for (int64_t n0 = 0; n0 < d.n; n0 += SL_BLOCK)
            one_block(w, io, unit / w->state[ROW_BLOCKS], m0, (int)SL_MIN(ROWS, d.m - m0), n0, (int)SL_MIN(SL_BLOCK, d.n - n0));
    }
}

const struct sl_variant sl_matmul_c = {"matmul_c", SL_FAMILY_MATMUL, SL_CPU_C, NULL, plan, NULL, run};
