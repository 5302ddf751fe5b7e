/* fixed_gather.h: GatherElements and GatherND of the front ends. */
#ifndef SL_FRONT_FIXED_GATHER_H
#define SL_FRONT_FIXED_GATHER_H

#include "front/build.h"

/* Constant indices become layers that have a quantized form. */
sluice_status sl_build_gather_elements(struct sl_build *b, struct sl_node *data, struct sl_node *indices, int axis,
                                       struct sl_node **out);
sluice_status sl_build_gather_nd(struct sl_build *b, struct sl_node *data, struct sl_node *indices, int64_t batch_dims,
                                 struct sl_node **out);

#endif
