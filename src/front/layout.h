/*
 * layout.h: from the origin's axis order to stored order. A front end writes graphs in the origin's layout, with a transpose
 * before and after every operator that wants channels last; this rebuilds the graph with as few transposes as it can: each
 * value carries a pending permutation that sinks through what does not care, and cancels. Used by every front end.
 */
#ifndef SL_FRONT_LAYOUT_H
#define SL_FRONT_LAYOUT_H

#include "ir/ir.h"

/* `in` has ports in the origin's layout (identity perm). The new graph lives in `a` and shares constants. Inputs and outputs
 * stay as stored, their ports record the permutation. channels_first: what the origin's pictures are unless transposes tell
 * otherwise. n_transposes: those left that move data. orders: by input, what the user says of it (NULL: nothing of any). */
enum sl_input_order { SL_ORDER_FREE, SL_ORDER_CHANNELS_FIRST, SL_ORDER_CHANNELS_LAST };
sluice_status sl_choose_layout(const struct sl_graph *in, bool channels_first, const enum sl_input_order *orders,
                               sl_arena *a, struct sl_graph **out, int *n_transposes, sl_err *e);

#endif
