/*
 * masks.h: places of an attention that a mask closes. Their scores are -1e9 or the like: a range that held them would leave nothing for
 * the others, and the softmax makes 0 of anything far enough below the largest score of its line. So they are clamped, to a distance
 * below that score (attribute `closed_gap`, front/attention.h) at which every line's closed places still become exact zeros.
 */
#ifndef SL_QUANT_MASKS_H
#define SL_QUANT_MASKS_H

#include "quant/encode.h"

/* By node index: whether nothing but masks reads the tensor, directly or moved. */
void sl_find_masks(const struct sl_graph *g, bool *only_masks);
/* Lines of `length` scores, none more than `gap` below the largest of its line. */
void sl_clamp_closed(const float *x, float *y, size_t count, size_t length, float gap);
/* Ranges of masked scores and of masks. After what is known of each tensor has been collected. */
void sl_impose_mask_ranges(struct sl_encoder *x);

#endif
