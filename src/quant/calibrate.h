/* calibrate.h: float evaluation of the fp_optimized graph over the calibration samples, collecting statistics of every layer.
 */
#ifndef SL_QUANT_CALIBRATE_H
#define SL_QUANT_CALIBRATE_H

#include "quant/samples.h"
#include "quant/statistics.h"

/* Samples by index, from any thread: fill inputs[i] with the floats of g->inputs[i]. `scratch` is the calling worker's own and
 * is reset between samples. */
struct sl_sample_source {
    int64_t count;
    sluice_status (*read)(void *data, sl_arena *scratch, int64_t index, float *const *inputs, sl_err *e);
    void *data;
};

/* One a node of the graph, by index. NULL where nothing was collected. */
struct sl_calibration {
    int n_nodes;
    struct sl_statistics **output;         /* behind the node's activation */
    struct sl_statistics **pre_activation; /* of weighted nodes with a curved activation: before it */
    double **mean;                         /* of tensors that weighted nodes read: by channel (last axis) */
    double **variance;                     /* of weighted nodes' sums before the activation: by channel */
};

/* Statistics live in `a`. The result does not depend on `threads`. */
sluice_status sl_calibrate(const struct sl_graph *g, const struct sl_sample_source *source, int threads, sl_arena *a,
                           struct sl_calibration *out, sl_err *e);

/* 64 samples of a fixed generator: whole numbers 0..255 for pictures (rank 4 with 1 or 3 channels), else values of about N(0,
 * 1). */
void sl_random_source(const struct sl_graph *g, struct sl_sample_source *out);

#endif
