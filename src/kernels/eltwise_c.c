/* eltwise_c.c: two inputs, element by element, with NumPy broadcasting (numerics.md section 6). */
#include "kernels/kernels.h"

#include <assert.h>

#include "kernels/eltwise_rows.h"
#include "kernels/rounding.h"
#include "kernels/variants.h"

/* state: the output's dimensions after neighbours are joined, outermost first, and both inputs' strides (0: broadcast) */
enum { RANK, SIZE, TOTAL, DIM, A_STRIDE = DIM + SL_MAX_RANK, B_STRIDE = A_STRIDE + SL_MAX_RANK };
enum { TASK = 1 << 15 };

/* Strides of `s` in the output's dimensions: s is aligned at the last axis, axes of size 1 stand still. */
static void broadcast_strides(const struct sl_shape *s, const struct sl_shape *out, int64_t *stride)
{
    int64_t step = 1;
    for (int i = out->rank - 1; i >= 0; i--) {
        int own = i - (out->rank - s->rank);
        int64_t d = own >= 0 ? s->dim[own] : 1;
        assert(d == 1 || d == out->dim[i]);
        stride[i] = d == 1 ? 0 : step;
        step *= d;
    }
}

void sl_eltwise_plan(struct sl_work *w)
{
    const struct sl_eltwise_args *e = w->args;
    int64_t a[SL_MAX_RANK], b[SL_MAX_RANK], total = (int64_t)sl_shape_elements(&e->out);
    int64_t *dim = w->state + DIM, *sa = w->state + A_STRIDE, *sb = w->state + B_STRIDE;
    int rank = 0;
    broadcast_strides(&e->a, &e->out, a);
    broadcast_strides(&e->b, &e->out, b);
    for (int i = 0; i < e->out.rank; i++) {
        int64_t d = e->out.dim[i];
        if (d == 1)
            continue;
        if (rank > 0 && sa[rank - 1] == a[i] * d && sb[rank - 1] == b[i] * d) {
            dim[rank - 1] *= d;
        } else {
            dim[rank++] = d;
        }
        sa[rank - 1] = a[i];
        sb[rank - 1] = b[i];
    }
    if (rank == 0) {
        dim[0] = total;
        rank = 1;
    }
    w->state[RANK] = rank;
    w->state[TOTAL] = total;
    w->state[SIZE] = sl_task_size(total, TASK);
    w->n_tasks = sl_task_count(total, w->state[SIZE]);
}

void sl_eltwise_rows(const struct sl_work *w, const struct sl_io *io, int task,
                     void (*row)(const struct sl_eltwise_args *a, const struct sl_io *io, const struct sl_eltwise_row *r))
{
    const int inner = (int)w->state[RANK] - 1;
    const int64_t *dim = w->state + DIM, *sa = w->state + A_STRIDE, *sb = w->state + B_STRIDE;
    const int64_t end = SL_MIN(w->state[TOTAL], (task + 1) * w->state[SIZE]);
    struct sl_eltwise_row r = {.a_step = (int)sa[inner], .b_step = (int)sb[inner]};
    assert(dim[inner] <= 1 || (sa[inner] <= 1 && sb[inner] <= 1));
    for (int64_t at = task * w->state[SIZE]; at < end; at += r.n) {
        int64_t column = at % dim[inner], rest = at / dim[inner];
        r.at = at;
        r.n = SL_MIN(dim[inner] - column, end - at);
        r.a_at = column * sa[inner];
        r.b_at = column * sb[inner];
        for (int k = inner - 1; k >= 0; k--) {
            r.a_at += rest % dim[k] * sa[k];
            r.b_at += rest % dim[k] * sb[k];
            rest /= dim[k];
        }
        row(w->args, io, &r);
    }
}

static float combine(enum sl_eltwise_op op, float f, float g)
{
    switch (op) {
    case SL_ELT_ADD:
        return f + g;
    case SL_ELT_SUB:
        return f - g;
    case SL_ELT_MAX:
        return f > g ? f : g;
    default:
        return f < g ? f : g;
    }
}

static float quotient(int32_t n, int32_t d)
{
    if (d != 0)
        return (float)n / (float)d;
    return n == 0 ? 0.0f : n > 0 ? 3.4e38f : -3.4e38f;
}

static void one_block(const struct sl_eltwise_args *e, const int32_t *a, const int32_t *b, int32_t *q, int n)
{
    switch (e->op) {
    case SL_ELT_MULT:
        if (e->a_type == SL_U16 && e->b_type == SL_U16)
            for (int i = 0; i < n; i++)
                q[i] = sl_requant_wide((int64_t)a[i] * b[i], e->multiplier, e->zp, e->lo, e->hi);
        else
            for (int i = 0; i < n; i++)
                q[i] = sl_requant_narrow(a[i] * b[i], e->multiplier, e->zp, e->lo, e->hi);
        break;
    case SL_ELT_DIV:
        for (int i = 0; i < n; i++)
            q[i] = sl_finish_f(quotient(a[i], b[i]) * e->multiplier, e->zp, e->lo, e->hi);
        break;
    default:
        for (int i = 0; i < n; i++)
            q[i] =
                sl_finish_f(combine(e->op, (float)a[i] * e->multiplier_a, (float)b[i] * e->multiplier_b), e->zp, e->lo, e->hi);
        break;
    }
}

static void one_row(const struct sl_eltwise_args *e, const struct sl_io *io, const struct sl_eltwise_row *r)
{
    int32_t a[SL_BLOCK], b[SL_BLOCK], q[SL_BLOCK];
    for (int64_t i = 0; i < r->n; i += SL_BLOCK) {
        int n = (int)SL_MIN(r->n - i, SL_BLOCK);
        sl_widen(a, io->in[0], e->a_type, r->a_at + i * r->a_step, r->a_step, n, e->zp_a);
        sl_widen(b, io->in[1], e->b_type, r->b_at + i * r->b_step, r->b_step, n, e->zp_b);
        one_block(e, a, b, q, n);
        sl_narrow(io->out, e->out_type, r->at + i, q, n);
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    sl_eltwise_rows(w, io, task, one_row);
}

const struct sl_variant sl_eltwise_c = {"eltwise_c", SL_FAMILY_ELTWISE, SL_CPU_C, NULL, sl_eltwise_plan, NULL, run};
