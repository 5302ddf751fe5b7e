/* rotary_c.c: pairs of features turned by an angle (numerics.md section on rotary): two products and their sum exact, one rounding. */
#include <assert.h>

#include "kernels/rotary_rows.h"
#include "kernels/rounding.h"
#include "kernels/variants.h"

enum { TASK = 1 << 14 }; /* elements */

void sl_plan_rotary(struct sl_work *w)
{
    const struct sl_rotary_args *r = w->args;
    const int64_t d = r->x.dim[r->x.rank - 1], rows = d == 0 ? 0 : (int64_t)sl_shape_elements(&r->x) / d;
    assert(d % 2 == 0 && (r->a.dim[r->a.rank - 1] == d || r->a.dim[r->a.rank - 1] == 2 * d));
    w->state[SL_LINES] = rows;
    w->state[SL_LINE_LENGTH] = d;
    w->state[SL_LINES_TASK] = sl_task_size(rows, TASK / (d + 1));
    w->n_tasks = sl_task_count(rows, w->state[SL_LINES_TASK]);
}

/* The angles of a row: their leading axes are aligned with x's at the right, axes of 1 stand still. */
static int64_t first_angle(const struct sl_rotary_args *r, int64_t row)
{
    int64_t at = 0, step = r->a.dim[r->a.rank - 1];
    for (int i = 2; i <= r->x.rank && i <= r->a.rank; i++) {
        const int64_t d = r->a.dim[r->a.rank - i], side = r->x.dim[r->x.rank - i];
        at += d == 1 ? 0 : row % side * step;
        step *= d;
        row /= side;
    }
    return at;
}

void sl_rotary_rows(const struct sl_work *w, const struct sl_io *io, int task,
                    void (*turn)(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row))
{
    const struct sl_rotary_args *r = w->args;
    const int64_t end = SL_MIN(w->state[SL_LINES], (task + 1) * w->state[SL_LINES_TASK]);
    struct sl_rotary_row row = {.d = w->state[SL_LINE_LENGTH], .w = r->a.dim[r->a.rank - 1] / 2};
    for (int64_t i = task * w->state[SL_LINES_TASK]; i < end; i++) {
        row.at = i * row.d;
        row.cosines = first_angle(r, i);
        row.sines = row.cosines + row.w;
        turn(r, io, &row);
    }
}

void sl_rotary_elements(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row, int64_t from, int64_t to)
{
    const int64_t half = row->d / 2;
    for (int64_t i = from; i < to; i++) {
        const bool first = r->interleaved ? i % 2 == 0 : i < half;
        const int64_t other = r->interleaved ? i ^ 1 : first ? i + half : i - half;
        const int64_t k = row->w == row->d ? i : r->interleaved ? i / 2 : i % half;
        const int64_t x = sl_load_q(io->in[0], r->x_type, (size_t)(row->at + i)) - r->zp_x;
        const int64_t y = sl_load_q(io->in[0], r->x_type, (size_t)(row->at + other)) - r->zp_x;
        const int64_t c = sl_load_q(io->in[1], r->a_type, (size_t)(row->cosines + k)) - r->zp_a;
        const int64_t s = sl_load_q(io->in[1], r->a_type, (size_t)(row->sines + k)) - r->zp_a;
        sl_store_q(io->out, r->out_type, (size_t)(row->at + i),
                   sl_requant_wide(x * c + (first ? -y : y) * s, r->multiplier, r->zp, r->lo, r->hi));
    }
}

static void turn_row(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row)
{
    sl_rotary_elements(r, io, row, 0, row->d);
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    sl_rotary_rows(w, io, task, turn_row);
}

const struct sl_variant sl_rotary_c = {"rotary_c", SL_FAMILY_ROTARY, SL_CPU_C, NULL, sl_plan_rotary, NULL, run};
