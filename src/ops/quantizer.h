/*
 * quantizer.h: what a row's `quantize` works with. Encodings of all nodes are decided before any row is called: n->quant and
 * n->in[i]->quant are set. The arithmetic written is that of docs/numerics.md.
 */
#ifndef SL_OPS_QUANTIZER_H
#define SL_OPS_QUANTIZER_H

#include "ir/ir.h"

/* What calibration learnt of one node's output. */
struct sl_range { float min, max; bool known; };

/* What was decided for one node besides its encoding. */
struct sl_node_plan {
    struct sl_range pre_activation; /* weighted layers with a curved activation: range of the sum before it */
    double clamp_low, clamp_high;   /* of an activation that the node took over (-inf, inf: none) */
    const double *input_mean;       /* weighted layers: mean of each channel of the first input, or NULL */
};

struct sl_quantizer {
    struct sl_graph *graph;          /* the graph being quantized: a copy of the fp_optimized one */
    const struct sl_node_plan *plan; /* by node index */
};

static inline int sl_quant_max(enum sl_dtype t) { return t == SL_U16 ? 65535 : 255; }

#endif
