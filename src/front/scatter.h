/* scatter.h: ScatterND of the front ends. */
#ifndef SL_FRONT_SCATTER_H
#define SL_FRONT_SCATTER_H

#include "front/build.h"

/* `part` in place of the data's box that begins at at[]. */
sluice_status sl_build_write(struct sl_build *b, struct sl_node *data, const int64_t *at, struct sl_node *part, struct sl_node **out);
/* indices [..., depth]: where the blocks `updates` go. Constant ones become layers that have a quantized form. */
sluice_status sl_build_scatter(struct sl_build *b, struct sl_node *data, struct sl_node *indices, struct sl_node *updates,
                               const char *reduction, struct sl_node **out);

#endif
