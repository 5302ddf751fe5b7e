/* finish_avx2.h: from sums of a weighted layer to stored values, 16 channels of several positions at a time. */
#ifndef SL_KERNELS_FINISH_AVX2_H
#define SL_KERNELS_FINISH_AVX2_H

#include "kernels/kernels.h"

/* acc[i * 16 + j] is the whole sum of channel o + j at the i-th position; multiplier[j] is that channel's (16 readable). Writes
 * n of the 16 channels, 1..16, at out element at + i * out_c + j, where the residual r is read too. */
typedef void sl_finish_avx2(const struct sl_weighted_args *a, const float *multiplier, const int32_t *acc, int rows, int n,
                            const void *r, void *out, int64_t at);
sl_finish_avx2 *sl_finish_for_avx2(const struct sl_weighted_args *a);

/* The same for wide sums, |acc| < 2^51. */
void sl_finish_wide_avx2(const struct sl_weighted_args *a, const float *multiplier, const int64_t *acc, int rows, int n,
                         const void *r, void *out, int64_t at);

#endif
