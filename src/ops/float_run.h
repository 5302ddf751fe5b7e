/*
 * float_run.h: evaluates a native or fp_optimized graph in float32, frame by frame; convolution and matmul by oneDNN.
 * One sl_float_run belongs to one thread at a time; several may run side by side on the same graph (calibration).
 */
#ifndef SL_OPS_FLOAT_RUN_H
#define SL_OPS_FLOAT_RUN_H

#include "ops/ops.h"

struct sl_float_run;

/* What a run of the graph takes: its tensors, and constants that are written out or put in another order. */
struct sl_float_memory { uint64_t tensors, constants; };
sluice_status sl_float_memory(const struct sl_graph *g, bool keep_all, struct sl_float_memory *out, sl_err *e);
/* Fails where that exceeds the limit: the message has the parts, the hint the flag. */
sluice_status sl_float_fits(const struct sl_graph *g, bool keep_all, uint64_t limit, struct sl_float_memory *out, sl_err *e);

/* n_threads: threads oneDNN and loops may use inside one frame. Buffers are planned once: a tensor's memory is reused after its
 * last use unless keep_all. */
sluice_status sl_float_run_new(const struct sl_graph *g, int n_threads, bool keep_all, struct sl_float_run **out, sl_err *e);
void sl_float_run_free(struct sl_float_run *r);
/* inputs[i]: the stored-layout float (or int64) values of g->inputs[i], whole tensor. */
sluice_status sl_float_run_frame(struct sl_float_run *r, const void *const *inputs, sl_err *e);
/* Called after each node is computed, in order; NULL to stop. */
void sl_float_run_watch(struct sl_float_run *r, void (*fn)(void *data, const struct sl_node *n, const struct sl_tensor *t), void *data);
/* Value of an output port (valid until the next frame), or of any node with keep_all. */
const struct sl_tensor *sl_float_run_output(const struct sl_float_run *r, int output);
const struct sl_tensor *sl_float_run_value(const struct sl_float_run *r, const struct sl_node *n);

/* Evaluate one node on constant inputs (constant folding): result in the arena as a const. */
sluice_status sl_fold_node(sl_arena *a, const struct sl_node *n, const struct sl_const **out, sl_err *e);

#endif
