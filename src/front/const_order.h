/* const_order.h: constants under another shape or order of axes; one value stays one value. */
#ifndef SL_FRONT_CONST_ORDER_H
#define SL_FRONT_CONST_ORDER_H

#include "ir/ir.h"

/* The same payload; s has as many elements. */
const struct sl_const *sl_const_reshape(sl_arena *a, const struct sl_const *k, const struct sl_shape *s);
/* Axis i of the result is axis perm[i] of k. A copy where values move, or where k's are not aligned. */
sluice_status sl_const_permute(sl_arena *a, const struct sl_const *k, const int64_t *perm, const struct sl_const **out, sl_err *e);

#endif
