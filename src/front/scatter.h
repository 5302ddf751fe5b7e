/* scatter.h: ScatterND, ScatterElements, GatherND and GatherElements of the front ends. */
#ifndef SL_FRONT_SCATTER_H
#define SL_FRONT_SCATTER_H

#include "front/build.h"

/* `part` in place of the data's box that begins at at[]. */
sluice_status sl_build_write(struct sl_build *b, struct sl_node *data, const int64_t *at, struct sl_node *part, struct sl_node **out);
/* in: data, indices [..., depth], updates: where the blocks `updates` go. Constant indices make layers that have a quantized form. */
sluice_status sl_build_scatter(struct sl_build *b, struct sl_node *const in[3], const char *reduction, struct sl_node **out);
/* in: data, indices along the axis, updates of the indices' shape. */
sluice_status sl_build_scatter_elements(struct sl_build *b, struct sl_node *const in[3], int axis, const char *reduction,
                                        struct sl_node **out);
/* Elements at indices along the axis; axis -1: blocks at indices [..., depth]. */
sluice_status sl_build_gather_at(struct sl_build *b, struct sl_node *data, struct sl_node *indices, int axis, struct sl_node **out);

#endif
