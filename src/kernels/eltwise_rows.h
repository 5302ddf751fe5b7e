/* eltwise_rows.h: two inputs with broadcasting, reduced to rows: runs of output elements along which each input either walks or
 * stands still. Shared by the C version and its SIMD twins. */
#ifndef SL_KERNELS_ELTWISE_ROWS_H
#define SL_KERNELS_ELTWISE_ROWS_H

#include "kernels/kernels.h"

/* n elements: out[at..], a[a_at + i * a_step], b[b_at + i * b_step]; steps are 0 or 1. */
struct sl_eltwise_row {
    int64_t at, a_at, b_at, n;
    int a_step, b_step;
};

void sl_eltwise_plan(struct sl_work *w);
/* Call row for each row of a task. */
void sl_eltwise_rows(const struct sl_work *w, const struct sl_io *io, int task,
                     void (*row)(const struct sl_eltwise_args *a, const struct sl_io *io, const struct sl_eltwise_row *r));

#endif
