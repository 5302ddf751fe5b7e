/*
 * eval.h: what an op's float evaluation works with: scratch memory, parameters written out as floats, and oneDNN's primitives.
 * Made by float_run.c (a whole graph, frame by frame) and fold.c (one node of constants).
 */
#ifndef SL_OPS_EVAL_H
#define SL_OPS_EVAL_H

#include "ops/ops.h"

struct sl_dnn;

struct sl_eval {
    sl_arena *scratch;             /* given back after every node */
    struct sl_dnn *dnn;            /* NULL: plain C everywhere */
};

/* A float parameter as a dense, aligned array, valid for this node's evaluation; NULL when the node has none of this name. */
sluice_status sl_eval_param(struct sl_eval *ev, const struct sl_node *n, const char *name, const float **out, sl_err *e);
/* The same for one constant: its own bytes where they are aligned f32, else a copy in the arena. */
sluice_status sl_eval_floats(sl_arena *a, const struct sl_const *c, const float **out, sl_err *e);
/* Scratch memory, 64-byte aligned, not cleared. */
sluice_status sl_eval_scratch(struct sl_eval *ev, size_t count, size_t element_bytes, void *out_pointer, sl_err *e);

/* The plain C reference of weighted layers, in double sums; used where oneDNN has no kernel, in folding, and by the tests. */
sluice_status sl_plain_conv(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e);
sluice_status sl_plain_matmul(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                              sl_err *e);

/* A matmul's sizes. Leading axes have the output's rank; a's or b's is 1 where it is broadcast. */
struct sl_matmul_geometry {
    int64_t m, k, n;
    bool transpose_b;
    int rank; /* of the leading axes */
    int64_t dim[SL_MAX_RANK], dim_a[SL_MAX_RANK], dim_b[SL_MAX_RANK];
};
void sl_matmul_geometry(const struct sl_node *n, struct sl_matmul_geometry *out);

#endif
