/*
 * encode.h: decides how each tensor of the quantized graph is stored: 8 or 16 bits, scale and zero point; inserts `requantize` layers
 * where a reader wants another encoding than the writer's.
 */
#ifndef SL_QUANT_ENCODE_H
#define SL_QUANT_ENCODE_H

#include "ir/uses.h"
#include "quant/calibrate.h"
#include "script/script.h"

struct sl_encode_options {
    enum sl_range_method method;
    int n_wide;                   /* layers of the graph whose output the script wants 16 bits wide */
    struct sl_node *const *wide;
    int n_clippings;              /* ranges that the script imposes; nodes of the graph */
    const struct sl_script_clipping *clippings;
};

/* What is known of one tensor while encodings are chosen, by node index. */
struct sl_tensor_info {
    const struct sl_statistics *output;
    const double *variance; /* of a weighted layer's sum, by channel */
    bool wide;              /* 16 bits */
    bool fixed;             /* by the input data, or positions (argmax): quant is set */
    bool given;             /* by the op: softmax */
    bool reads_wide;        /* a weighted layer that may read 16 bits */
    struct sl_quant quant;
    bool imposed;           /* range: by the script or by the curve's own bounds */
    struct sl_range range;  /* known once asked for: what 8 bits would cover */
    struct sl_range extent; /* the same of 16 bits */
    int parent;             /* forest of tensors that share one encoding */
    int next;               /* ring of the tensors of one set */
};

struct sl_encoder {
    struct sl_graph *graph;
    const struct sl_encode_options *options;
    struct sl_tensor_info *info;
    struct sl_node_plan *plan;
    struct sl_uses uses; /* while sets are formed */
};

/* g: a copy of the calibrated graph, node by node; c: its statistics. Fills every node's quant and *plan (by node index of the changed
 * graph). */
sluice_status sl_encode_graph(struct sl_graph *g, const struct sl_calibration *c, const struct sl_encode_options *options,
                              struct sl_node_plan **plan, sl_err *e);

/* Which tensors are 16 bits wide (precision.c). */
void sl_encode_precision(struct sl_encoder *x);
/* The rest of them, by what they add to the outputs (noise_budget.c). */
void sl_encode_noise_budget(struct sl_encoder *x);
/* White noise of this power in what a weighted layer reads: mean over the output channels of noise / signal in the sums, each at
 * most 1; negative when it cannot be told. */
double sl_weighted_noise(struct sl_encoder *x, const struct sl_node *n, double noise);
/* What 8 bits would cover of one tensor. */
struct sl_range sl_encode_range(struct sl_encoder *x, int index);

#endif
