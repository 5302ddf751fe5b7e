/* float_plan.h: where each tensor of a float run lies in one block: memory is used again after a tensor's last use. */
#ifndef SL_OPS_FLOAT_PLAN_H
#define SL_OPS_FLOAT_PLAN_H

#include "ops/ops.h"

struct sl_float_plan {
    size_t bytes;       /* of the block */
    size_t *offset;     /* by node index; SIZE_MAX: const_input, which lies elsewhere */
    const int *root;    /* by node index: the node whose memory it shares (itself, or what it reshapes) */
};

/* Everything in the arena. keep_all: no memory is used twice. */
sluice_status sl_float_plan(sl_arena *a, const struct sl_graph *g, bool keep_all, struct sl_float_plan *out, sl_err *e);

#endif
