/* const_values.h: what constants hold: as numbers, as integers, and whether it is one value throughout. As doubles:
 * sl_const_number of ops/op_rules.h. */
#ifndef SL_FRONT_CONST_VALUES_H
#define SL_FRONT_CONST_VALUES_H

#include "ir/ir.h"

const struct sl_const *sl_node_const(const struct sl_node *n); /* of a const_input, else NULL */
bool sl_const_scalar(const struct sl_const *k, double *out);   /* one element, or a splat; k may be NULL */
bool sl_node_scalar(const struct sl_node *n, double *out);     /* a const_input with one value */
/* Element i; floats lose their fraction, and what 64 bits cannot hold becomes the nearest they can. */
int64_t sl_const_integer(const struct sl_const *k, size_t i);

#endif
