/* curves.h: functions of one number: the activations. A node names one in `type` (op activation) or `activation` (fused). */
#ifndef SL_OPS_CURVES_H
#define SL_OPS_CURVES_H

#include "ops/ops.h"

struct sl_curve_row;

struct sl_curve {
    const struct sl_curve_row *row; /* NULL: the identity */
    double alpha, beta, minimum, maximum;
};

struct sl_curve_row {
    const char *name;
    double alpha, beta;                                         /* defaults */
    double (*exact)(const struct sl_curve *c, double x);        /* the definition */
    void (*run)(const struct sl_curve *c, const float *x, float *y, size_t n); /* the same for arrays, in float; NULL: exact */
    int64_t (*integer)(const struct sl_curve *c, int64_t x);    /* for integer tensors; NULL: floats only */
};

/* The curve named by attribute `attr` ("type" or "activation"): identity when absent or "linear"; checks its constants. */
sluice_status sl_curve_read(const struct sl_node *n, const char *attr, struct sl_curve *out, sl_err *e);
/* Checks a fused activation of any op; used by shape rules. */
sluice_status sl_rule_activation(const struct sl_node *n, sl_err *e);
void sl_curve_run(const struct sl_curve *c, const float *x, float *y, size_t n); /* y may be x */
/* Applies the node's fused activation to its output in place. */
void sl_curve_fused(const struct sl_node *n, float *y, size_t count);
/* e^x within 2 units in the last place; plain arithmetic, so that loops over it vectorize. */
void sl_exp_array(const float *x, float *y, size_t n);

#endif
