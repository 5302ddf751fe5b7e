/* op_rules.h: the checks that shape rules are made of. Each fails with the attribute or parameter's name, the value found and the
 * accepted range; sl_infer puts the node's name before it. */
#ifndef SL_OPS_OP_RULES_H
#define SL_OPS_OP_RULES_H

#include "ir/ir.h"

enum { SL_SIDE_LIMIT = 1 << 20 }; /* largest kernel side, stride, dilation and pad: their products stay far below 2^63 */

/* Exactly `count` integers within lo..hi. Absent: v keeps its defaults. */
sluice_status sl_rule_ints(const struct sl_node *n, const char *name, int count, int64_t lo, int64_t hi, int64_t *v, sl_err *e);
/* A required list of 0..SL_MAX_RANK integers within lo..hi. */
sluice_status sl_rule_list(const struct sl_node *n, const char *name, int64_t lo, int64_t hi, int *count, int64_t *v, sl_err *e);
/* A finite number within lo..hi. Absent: v keeps its default. An integer attribute is taken for a number. */
sluice_status sl_rule_float(const struct sl_node *n, const char *name, double lo, double hi, double *v, sl_err *e);
sluice_status sl_rule_floats(const struct sl_node *n, const char *name, int count, double *v, sl_err *e);
/* The position of the attribute's word in `words`; absent: *index keeps its default. The message suggests the nearest word. */
sluice_status sl_rule_word(const struct sl_node *n, const char *name, const char *const *words, int count, int *index, sl_err *e);
/* An axis of `rank`, negative counted from the end. */
sluice_status sl_rule_axis(const struct sl_node *n, const char *name, int rank, int otherwise, int *axis, sl_err *e);
/* [1, h, w, 1] as HN writes windows: h and w into v[0..1]. Absent: v keeps its defaults. */
sluice_status sl_rule_window(const struct sl_node *n, const char *name, int64_t *v, sl_err *e);

/* A parameter of this rank, with a type out of `types` (bit mask of 1 << dtype). *out is NULL when absent and not required. */
sluice_status sl_rule_param(const struct sl_node *n, const char *name, bool required, int rank, unsigned types,
                            const struct sl_const **out, sl_err *e);
/* A parameter [c]. */
sluice_status sl_rule_channels(const struct sl_node *n, const char *name, bool required, unsigned types, int64_t c, sl_err *e);

sluice_status sl_rule_is_float(const struct sl_node *n, int input, sl_err *e);
sluice_status sl_rule_rank(const struct sl_node *n, int input, int least, int most, sl_err *e);
/* Sets the output; fails when it is too large to count. */
sluice_status sl_rule_output(struct sl_node *n, enum sl_dtype t, const struct sl_shape *s, sl_err *e);
/* NumPy broadcasting of two shapes. */
sluice_status sl_rule_broadcast(const struct sl_shape *a, const struct sl_shape *b, struct sl_shape *out, sl_err *e);

/* Element i of a parameter as a double, for checks of small arrays (splats too). */
double sl_const_number(const struct sl_const *c, size_t i);

/* Multiply-accumulates: products stop at INT64_MAX. */
int64_t sl_saturating_mul(int64_t a, int64_t b);

enum { SL_TYPES_F32 = 1u << SL_F32 };
/* Types that weights, biases and activations' constants have at the quantized stage, besides float. */
enum { SL_TYPES_KERNEL = 1u << SL_F32 | 1u << SL_S8 | 1u << SL_S16 | 1u << SL_S4 };
enum { SL_TYPES_BIAS = 1u << SL_F32 | 1u << SL_S32 | 1u << SL_S64 };
enum { SL_TYPES_STORED = 1u << SL_F32 | 1u << SL_U8 | 1u << SL_U16 };

#define SL_SHAPE_TEXT(shape) sl_shape_text((shape), (char[160]){0}, 160)

#endif
