/* rotary.h: rotary position embedding, which exporters write as slices, negations, products with cosines and sines, and joins. */
#ifndef SL_FRONT_ROTARY_H
#define SL_FRONT_ROTARY_H

#include "ir/ir.h"

/* In a graph in the origin's order: each becomes one `rotary` of its input and of the angles (cosines and sines joined along the last
 * axis, once for all layers that share them). Returns how many; parts that nothing else reads are removed. */
int sl_match_rotary(struct sl_graph *g);

#endif
