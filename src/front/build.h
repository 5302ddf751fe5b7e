/*
 * build.h: the small vocabulary in which the front ends write operators as IR nodes. Each call infers shapes; a node whose
 * inputs are all constants is evaluated at once and becomes a const_input itself, so shape arithmetic never reaches the
 * network.
 */
#ifndef SL_FRONT_BUILD_H
#define SL_FRONT_BUILD_H

#include "base/compiler.h"
#include "front/problems.h"
#include "ir/ir.h"

/* Where a translation stands. */
struct sl_build {
    sl_arena *a;
    struct sl_graph *g;
    const char *origin; /* of the nodes that are made now: the operator's name in the file; NULL: none */
    const char *op;     /* its type */
    size_t room;        /* elements that computed constants may still have: small files must not become gigabytes */
    size_t looked;      /* constant indices that were read one by one (scatter.c) */
    struct sl_import_report *report;
    sl_err *e;
};

/* A node with inputs; set its attributes, then finish it. */
struct sl_node *sl_build_add(struct sl_build *b, enum sl_op op, int n_in, struct sl_node *const *in);
/* Infer; when all inputs are constants, evaluate: *n becomes a const_input. */
sluice_status sl_build_finish(struct sl_build *b, struct sl_node **n);
/* Takes from what computed constants may still have. */
sluice_status sl_build_take(struct sl_build *b, size_t elements);

/* A constant to fill, whose elements are taken from the room. */
sluice_status sl_build_new_const(struct sl_build *b, enum sl_dtype t, const struct sl_shape *s, const struct sl_const **out,
                                 void **data);
struct sl_node *sl_build_const(struct sl_build *b, const struct sl_const *k);
struct sl_node *sl_build_f32(struct sl_build *b, double v); /* a scalar */
/* s32 or s64, of rank 0 (n is 1) or 1. */
struct sl_node *sl_build_ints(struct sl_build *b, enum sl_dtype t, int rank, int n, const int64_t *v);

/* One-call forms; each finishes. `in` may be a constant, and is the result where nothing is to be done. */
sluice_status sl_build_unary(struct sl_build *b, struct sl_node *in, const char *type, struct sl_node **out);
sluice_status sl_build_unary2(struct sl_build *b, struct sl_node *in, const char *type, const char *k1, double v1,
                              const char *k2, double v2, struct sl_node **out);
sluice_status sl_build_binary(struct sl_build *b, enum sl_op op, struct sl_node *x, struct sl_node *y, struct sl_node **out);
/* Constants are reordered here and now, and do not count against the room. */
sluice_status sl_build_transpose(struct sl_build *b, struct sl_node *in, const int64_t *perm, struct sl_node **out);
sluice_status sl_build_reshape(struct sl_build *b, struct sl_node *in, int rank, const int64_t *dims, struct sl_node **out);
sluice_status sl_build_slice(struct sl_build *b, struct sl_node *in, const int64_t *starts, const int64_t *ends,
                             const int64_t *steps, struct sl_node **out);
sluice_status sl_build_slice_axis(struct sl_build *b, struct sl_node *in, int axis, int64_t from, int64_t to,
                                  struct sl_node **out);
sluice_status sl_build_concat(struct sl_build *b, int axis, int n, struct sl_node *const *in, struct sl_node **out);
sluice_status sl_build_reduce(struct sl_build *b, enum sl_op op, struct sl_node *in, int n_axes, const int64_t *axes,
                              bool keepdims, struct sl_node **out);
sluice_status sl_build_softmax(struct sl_build *b, struct sl_node *in, int axis, struct sl_node **out);
sluice_status sl_build_expand(struct sl_build *b, struct sl_node *in, const struct sl_shape *to, struct sl_node **out);
/* pads: before each axis, then behind each; mode: constant (which alone has a value), edge or reflect. */
sluice_status sl_build_pad(struct sl_build *b, struct sl_node *in, const int64_t *pads, const char *mode, double value,
                           struct sl_node **out);
sluice_status sl_build_cast(struct sl_build *b, struct sl_node *in, enum sl_dtype to, struct sl_node **out);
sluice_status sl_build_matmul(struct sl_build *b, struct sl_node *x, struct sl_node *y, bool transpose_y, struct sl_node **out);

/* Written out in several nodes. */
sluice_status sl_build_prelu(struct sl_build *b, struct sl_node *x, struct sl_node *slope, struct sl_node **out);
sluice_status sl_build_log_softmax(struct sl_build *b, struct sl_node *x, int axis, struct sl_node **out);

/* Axis -rank..rank-1 -> 0..rank-1. */
sluice_status sl_build_axis(const struct sl_build *b, int64_t axis, int rank, int *out);

/* Record that the operator at hand cannot be translated, and why (printf form); with none at hand (b->op NULL) it is the
 * import's error. Returns SLUICE_E_UNSUPPORTED; the caller returns it. */
sluice_status sl_unsupported(struct sl_build *b, const char *format, ...) SL_PRINTF(2, 3);
void sl_note(struct sl_build *b, const char *format, ...) SL_PRINTF(2, 3);

#endif
