/*
 * quantizer.h: what a row's `quantize` works with. Encodings of all nodes are decided before any row is called: n->quant and
 * n->in[i]->quant are set. The arithmetic written is that of docs/numerics.md.
 */
#ifndef SL_OPS_QUANTIZER_H
#define SL_OPS_QUANTIZER_H

#include "ir/ir.h"

/* What calibration learnt of one node's output. */
struct sl_range { float min, max; bool known; };

struct sl_quantizer {
    struct sl_graph *graph;         /* the graph being quantized, nodes index-equal with `ranges` at the start */
    int n_ranges;
    const struct sl_range *ranges;  /* chosen range by node index */
    const struct sl_range *pre_activation; /* range of a weighted node before its activation, by node index */
    struct sl_graph *source;        /* fp_optimized graph: float parameters */
};

static inline int sl_quant_max(enum sl_dtype t) { return t == SL_U16 ? 65535 : 255; }

#endif
