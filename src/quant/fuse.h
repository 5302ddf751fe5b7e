/*
 * fuse.h: what the structural passes of optimize share. A pass walks the nodes once in topological order; a rule may change a
 * node in place and may say that a node is replaced by an earlier one. Uses are rewritten lazily, so a pass is linear in the
 * graph.
 */
#ifndef SL_QUANT_FUSE_H
#define SL_QUANT_FUSE_H

#include "ir/ir.h"
#include "script/script.h"

struct sl_fuse {
    struct sl_graph *graph;
    const struct sl_script *script; /* NULL: none */
    struct sl_script_settings *settings;
    /* of the walk under way, by node index at its start; nodes that a rule adds come behind those */
    int n_walked;
    int *n_uses;
    struct sl_node **user;    /* of nodes with one use */
    struct sl_node **forward; /* what replaces the node; NULL: itself */
    const unsigned char *marks; /* what a pass found out before its walk, by node index */
    const bool *was_integer;    /* the same: casts of what turns real (fuse_rounding.c) */
    int changes;              /* rewrites made by the pass, for the log */
};

typedef sluice_status sl_fuse_fn(struct sl_fuse *f, sl_err *e);
typedef sluice_status sl_fuse_rule(struct sl_fuse *f, struct sl_node *n, sl_err *e);

/* Call `rule` on each node, in order, with inputs resolved; then drop dead nodes, sort and infer again. */
sluice_status sl_fuse_walk(struct sl_fuse *f, sl_fuse_rule *rule, sl_err *e);
/* From now on users of n use `to`, which takes over n's origins. */
void sl_fuse_replace(struct sl_fuse *f, struct sl_node *n, struct sl_node *to);
/* Uses of n while the walk runs. */
int sl_fuse_uses(const struct sl_fuse *f, const struct sl_node *n);
void sl_fuse_set_input(struct sl_fuse *f, struct sl_node *n, int i, struct sl_node *to);
void sl_fuse_set_inputs(struct sl_fuse *f, struct sl_node *n, int n_in, struct sl_node *const *in);

bool sl_is_weighted(enum sl_op op);
/* Activations that are a clamp: lo and hi of the linear form. */
bool sl_is_clamp(const char *type);
/* Clamp limits of an activation attribute (`key` is "type" or "activation"). */
void sl_clamp_limits(const struct sl_node *n, const char *key, double *lo, double *hi);
/* A const_input's values as floats; NULL when it is not one, or not float. */
const float *sl_fuse_constant(struct sl_fuse *f, const struct sl_node *n, size_t *count);
bool sl_fuse_scalar(struct sl_fuse *f, const struct sl_node *n, float *out);

/* The passes, in passes.c's order. */
sl_fuse_fn sl_pass_apply_script, sl_pass_add_masks, sl_pass_drop_rounding, sl_pass_remove_noops, sl_pass_recognise_activations,
    sl_pass_expand, sl_pass_fold_scale, sl_pass_fold_affine, sl_pass_fold_affine_forward, sl_pass_standalone_to_dw,
    sl_pass_fuse_pad, sl_pass_fuse_activation, sl_pass_fuse_residual;

#endif
