/* strided.h: walking tensors whose axes have any strides: the one loop behind transpose, slice, expand, gather of blocks, and the
 * broadcasting of two-input ops. */
#ifndef SL_OPS_STRIDED_H
#define SL_OPS_STRIDED_H

#include "base/types.h"

enum { SL_STRIDED_RANK = SL_MAX_RANK + 2 }; /* space_to_depth splits two axes */

/* A view: axis i has dim[i] positions, stride[k][i] elements apart in operand k (0: broadcast, negative: reversed). */
struct sl_strided {
    int rank, operands;
    int64_t dim[SL_STRIDED_RANK];
    int64_t stride[3][SL_STRIDED_RANK];
};

/* Drop axes of one position, and join neighbours that all operands can step through as one. */
void sl_strided_simplify(struct sl_strided *v);
/* Call run(data, offsets, n) for each line along the last axis; offsets[k] in elements. An empty view makes no call. The last
 * axis' strides are v->stride[k][v->rank - 1], its length v->dim[v->rank - 1]; rank is at least 1 after simplify. */
void sl_strided_lines(const struct sl_strided *v, void (*run)(void *data, const int64_t *offsets), void *data);
/* dst dense in the view's order from src by operand 0's strides; element bytes 4 or 8. Simplifies v. */
void sl_strided_copy(struct sl_strided *v, void *dst, const void *src, size_t element_bytes);
/* The view of `out` with one operand a shape, each broadcast to it (NumPy), simplified. n at most 3. */
void sl_broadcast_view(const struct sl_shape *const *shapes, int n, const struct sl_shape *out, struct sl_strided *v);
/* C order strides of a shape, in elements. */
void sl_dense_strides(const struct sl_shape *s, int64_t *stride);

#endif
