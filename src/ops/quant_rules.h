/* quant_rules.h: small pieces of arithmetic that the quantize functions of all families share. */
#ifndef SL_OPS_QUANT_RULES_H
#define SL_OPS_QUANT_RULES_H

#include "ops/curves.h"
#include "ops/ops.h"
#include "ops/quantizer.h"

/* Real value -> stored value of an encoding: rint(v / scale) + zero_point, clamped; infinities clamp, NaN gives the zero point. */
int32_t sl_quantize_value(const struct sl_quant *q, double v);

/* m as the float the contract wants: finite, > 0 and normal, so that products keep their precision. */
sluice_status sl_quant_multiplier(double m, const char *what, float *out, sl_err *e);
sluice_status sl_set_multiplier(struct sl_quantizer *q, struct sl_node *n, const char *attr, double m, sl_err *e);

/* lo and hi: the whole range, narrowed by limits given as real values and by a clamp the node took over. */
void sl_set_limits(struct sl_quantizer *q, struct sl_node *n, double low, double high);

/* A new parameter of n with room for the elements; *data is to be filled. */
sluice_status sl_new_param(struct sl_quantizer *q, struct sl_node *n, const char *name, enum sl_dtype t, int rank, const int64_t *dims,
                           void *data_pointer, sl_err *e);

/* A float parameter, dense and checked to be finite. */
sluice_status sl_float_param(struct sl_quantizer *q, const struct sl_node *n, const char *name, int64_t count, const float **out,
                             sl_err *e);

/* Of argmax and argmin: how many positions there are. */
int64_t sl_positions(const struct sl_node *n);

double sl_curve_value(const struct sl_curve *c, double x); /* in double precision */

/* A curve as the table of docs/numerics.md: entries over the index encoding
 * (scale, zero point, 8, 12 or 16 bits wide), values in the encoding `out`.
 *   bits 8: 256 entries   bits 12: 4096 entries   bits 16, u8: 4096 entries of 16 indices   bits 16, u16: 4097 knots */
sluice_status sl_set_curve_table(struct sl_quantizer *q, struct sl_node *n, const struct sl_curve *curve, int bits, double scale,
                                 int32_t zero_point, const struct sl_quant *out, sl_err *e);

/* Kernels as [rows, columns]: which output channel, and which input channel, an element belongs to (docs/numerics.md section 4). */
int64_t sl_kernel_out_channel(const struct sl_node *n, const struct sl_shape *kernel, int64_t row, int64_t column);
int64_t sl_kernel_in_channel(const struct sl_node *n, const struct sl_shape *kernel, int64_t row, int64_t column);

#endif
