/* rotary_rows.h: rotary by rows of features, shared by the C version and its SIMD twins. */
#ifndef SL_KERNELS_ROTARY_ROWS_H
#define SL_KERNELS_ROTARY_ROWS_H

#include "kernels/kernels.h"

/* d features at x[at] and out[at]; w cosines at angles[cosines], w sines at angles[sines]. */
struct sl_rotary_row {
    int64_t at, cosines, sines, d, w;
};

void sl_plan_rotary(struct sl_work *w);
/* Call turn for each row of a task. */
void sl_rotary_rows(const struct sl_work *w, const struct sl_io *io, int task,
                    void (*turn)(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row));
/* Features from..to-1 of a row, one by one. */
void sl_rotary_elements(const struct sl_rotary_args *r, const struct sl_io *io, const struct sl_rotary_row *row, int64_t from, int64_t to);

#endif
