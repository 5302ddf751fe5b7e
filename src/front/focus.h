/* focus.h: stems that cut a picture into every second row and column and stack the parts as channels. */
#ifndef SL_FRONT_FOCUS_H
#define SL_FRONT_FOCUS_H

#include "ir/ir.h"

/* In a graph in stored order, before it has names: each such stem becomes one space_to_depth; where its parts are stacked in another
 * order than that layer's, the kernels of the convolutions that read it are put in order. Returns how many. */
int sl_merge_focus(struct sl_graph *g);

#endif
