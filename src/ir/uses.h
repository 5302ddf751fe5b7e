/* uses.h: consumers of every node, found once for passes that ask often. */
#ifndef SL_IR_USES_H
#define SL_IR_USES_H

#include "ir/ir.h"

/* Those of node i are to[first[i]] .. to[first[i + 1] - 1]: indices of nodes, rising; a node that reads i twice is there twice.
 */
struct sl_uses {
    int *first, *to;
};

/* Nodes' index fields must be current and every input in the graph. Allocated in `scratch`. */
struct sl_uses sl_find_uses(const struct sl_graph *g, sl_arena *scratch);

#endif
