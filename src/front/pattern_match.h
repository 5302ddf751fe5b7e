/* pattern_match.h: what the patterns of patterns.c share. */
#ifndef SL_FRONT_PATTERN_MATCH_H
#define SL_FRONT_PATTERN_MATCH_H

#include "ir/ir.h"

struct sl_matcher {
    struct sl_graph *g;
    sl_arena *scratch;
    int *uses; /* by node index */
};

bool sl_pattern_used_once(const struct sl_matcher *m, const struct sl_node *n);
bool sl_pattern_near(double v, double wanted); /* to a thousandth */
/* op(x, number) in either order (subtraction and division: number on the right). */
bool sl_pattern_with_number(const struct sl_node *n, enum sl_op op, struct sl_node **x, double *number);
/* x * number, whichever way it is written. */
bool sl_pattern_is_scaled(const struct sl_node *n, struct sl_node **x, double *factor);

/* The root turns into a layer of this op that reads x, without attributes; what only led to it goes, its origins stay on it. */
void sl_pattern_become(struct sl_matcher *m, struct sl_node *root, enum sl_op op, struct sl_node *x);
/* The same for an activation; false, and nothing is done, where x has another shape than the root. */
bool sl_pattern_become_curve(struct sl_matcher *m, struct sl_node *root, const char *type, struct sl_node *x);

/* One a row of the table: true when the root was the pattern, and is the layer now. */
bool sl_match_elu(struct sl_matcher *m, struct sl_node *root);
bool sl_match_gelu(struct sl_matcher *m, struct sl_node *root);
bool sl_match_hard_sigmoid(struct sl_matcher *m, struct sl_node *root);
bool sl_match_hard_swish(struct sl_matcher *m, struct sl_node *root);
bool sl_match_hard_swish_late(struct sl_matcher *m, struct sl_node *root);
bool sl_match_leaky_relu(struct sl_matcher *m, struct sl_node *root);
bool sl_match_log_softmax(struct sl_matcher *m, struct sl_node *root);
bool sl_match_mish(struct sl_matcher *m, struct sl_node *root);
bool sl_match_norm(struct sl_matcher *m, struct sl_node *root);
bool sl_match_norm_by_moments(struct sl_matcher *m, struct sl_node *root);
bool sl_match_norm_constants(struct sl_matcher *m, struct sl_node *root);
bool sl_match_sigmoid(struct sl_matcher *m, struct sl_node *root);
bool sl_match_silu(struct sl_matcher *m, struct sl_node *root);
bool sl_match_softmax(struct sl_matcher *m, struct sl_node *root);
bool sl_match_softplus(struct sl_matcher *m, struct sl_node *root);
bool sl_match_swish_beta(struct sl_matcher *m, struct sl_node *root);
bool sl_match_thresholded_relu(struct sl_matcher *m, struct sl_node *root);

#endif
