/* layout_private.h: what layout.c and its rules by op (layout_rules.c, layout_reshape.c) share. */
#ifndef SL_FRONT_LAYOUT_PRIVATE_H
#define SL_FRONT_LAYOUT_PRIVATE_H

#include "ir/ir.h"

struct layout_copy {
    struct sl_node *node;
    int perm[SL_MAX_RANK];
    struct layout_copy *next;
};

/* A value of the old graph in the new one: old axis i is stored axis perm[i] of node. */
struct placed {
    struct sl_node *node;
    int rank;
    int perm[SL_MAX_RANK];
    struct layout_copy *copies; /* other orders that were asked for */
    /* The last axis of [n, k] is stored as `shuffled` dimensions in the order `shuffle` of their true ones: only fc reads it.
     */
    int n_shuffled;
    int64_t shuffled[SL_MAX_RANK];
    int64_t shuffle[SL_MAX_RANK];
};

struct layout {
    const struct sl_graph *old;
    struct sl_graph *g;
    sl_arena *a;
    struct placed *values;     /* by index in the old graph */
    const bool *only_fc_reads; /* by index in the old graph */
    int n_transposes;
    sl_err *e;
};

typedef sluice_status layout_rule(struct layout *l, const struct sl_node *n, struct placed *out);
extern layout_rule *const layout_rules[SL_OP_COUNT]; /* NULL: inputs in the origin's order */

struct placed *layout_in(struct layout *l, const struct sl_node *n, int k);
/* The node that holds v with old axis i at stored axis perm[i]; made when there is none yet. */
sluice_status layout_order(struct layout *l, struct placed *v, const int *perm, struct sl_node **out);
/* n's copy on these inputs, attributes and parameters as they are; infer it with layout_done. */
struct sl_node *layout_copy_node(struct layout *l, const struct sl_node *n, int n_in, struct sl_node *const *in);
/* The result: shape rule, and the permutation it is stored with (NULL: identity). */
sluice_status layout_done(struct layout *l, struct sl_node *node, const int *perm, struct placed *out);
/* v with leading axes of 1 up to `rank`. */
sluice_status layout_widen(struct layout *l, struct placed *v, int rank, struct placed *out);
sluice_status layout_reshape_to(struct layout *l, struct sl_node *in, const struct sl_shape *s, struct sl_node **out);
bool layout_is_identity(const int *perm, int rank);
layout_rule layout_reshape, layout_fc;

#endif
