/* variants.h: the variants of kernels.def, and what SIMD variants share with the C version of their family. */
#ifndef SL_KERNELS_VARIANTS_H
#define SL_KERNELS_VARIANTS_H

#include "kernels/kernels.h"

#define KERNEL(family, name) extern const struct sl_variant sl_##name;
#include "kernels/kernels.def"
#undef KERNEL

/* Kernels over a flat range of n elements: state[0] is the elements a task has. */
void sl_plan_flat(struct sl_work *w, size_t n);
static inline int64_t sl_flat_first(const struct sl_work *w, int task)
{
    return task * w->state[0];
}
static inline int64_t sl_flat_end(const struct sl_work *w, int task, size_t n)
{
    const int64_t end = (task + 1) * w->state[0];
    return end < (int64_t)n ? end : (int64_t)n;
}

/* softmax and norms: state[0] lines a task, state[1] lines, state[2] elements of a line, state[3] the distance between them. */
enum { SL_LINES_TASK, SL_LINES, SL_LINE_LENGTH, SL_LINE_STEP };
void sl_plan_softmax(struct sl_work *w);
void sl_plan_norm(struct sl_work *w);

/* index: state[0] lines, or blocks of lines side by side, a task. */
void sl_plan_index(struct sl_work *w);

/* From the sums of channels o0..o1-1 of one position (acc[0] is channel o0) to stored values out[at + o]; r NULL: no residual.
 */
void sl_weighted_finish(const struct sl_weighted_args *a, const int32_t *acc, int64_t o0, int64_t o1, const void *r, void *out,
                        int64_t at);
void sl_weighted_finish_wide(const struct sl_weighted_args *a, const int64_t *acc, int64_t o0, int64_t o1, const void *r,
                             void *out, int64_t at);
/* Kernel elements first..first+n-1, within one row of output features, s4 expanded by its group scale. */
void sl_weighted_kernel_row(const struct sl_weighted_args *a, int64_t first, int64_t n, int16_t *out);
/* [in_c] of x's type: what a padded position holds. */
void sl_weighted_padding_row(const struct sl_weighted_args *a, void *row);

#endif
