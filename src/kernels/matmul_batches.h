/* matmul_batches.h: the leading dimensions of a product of two activations, with broadcasting. */
#ifndef SL_KERNELS_MATMUL_BATCHES_H
#define SL_KERNELS_MATMUL_BATCHES_H

#include "kernels/kernels.h"

struct sl_matmul_dims {
    int64_t batches, m, k, n;
};

struct sl_matmul_dims sl_matmul_dims(const struct sl_matmul_args *a);
/* Where matrix number `batch` of the output finds its a and b, in elements. */
void sl_matmul_batch(const struct sl_matmul_args *a, int64_t batch, int64_t *a_at, int64_t *b_at);

#endif
