/* name.h: layer names, given once after parsing and before fusing; no pass renumbers. */
#ifndef SL_IR_NAME_H
#define SL_IR_NAME_H

#include "ir/ir.h"

/* Names every node "conv1", "ew_add3" ... by the two-pass rule (the text of it is in name.c). Followers of a layer (batch norm,
 * bias, activation, constant scale) are named after it: conv1_batch_norm, conv1_relu. Ports must be set: input_layerN and
 * output_layerN follow their order. Sorts the graph first, so a cycle is the only error. Node order does not change otherwise.
 */
sluice_status sl_assign_names(struct sl_graph *g, sl_err *e);

/* Of a network: the given name or, without one, the stem of the path. It becomes part of file and scope names, so other characters than
 * letters, digits, '_' and '-' become '_'. */
const char *sl_network_name(sl_arena *a, const char *path, const char *given);

#endif
