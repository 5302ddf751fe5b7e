/* pool_window.h: which taps of a pooling window fall on the picture. */
#ifndef SL_KERNELS_POOL_WINDOW_H
#define SL_KERNELS_POOL_WINDOW_H

#include "kernels/kernels.h"

struct sl_pool_window {
    int64_t y, x;           /* picture position of tap (0, 0), may be negative */
    int64_t i0, i1, j0, j1; /* taps on the picture: i0..i1-1, j0..j1-1 */
    int64_t count;          /* what an average divides by */
};

void sl_pool_window(const struct sl_pool_args *a, int64_t y, int64_t x, struct sl_pool_window *win);

#endif
