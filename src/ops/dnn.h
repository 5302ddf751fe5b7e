/* dnn.h: weighted layers and matrix products by oneDNN. One sl_dnn belongs to one float runner: it keeps the primitives by node, the
 * weights in the order oneDNN wants, and one scratchpad. Everything here answers "computed" or "not here": the caller then takes
 * the plain C path. */
#ifndef SL_OPS_DNN_H
#define SL_OPS_DNN_H

#include "ops/ops.h"

struct sl_dnn;

/* For graphs of n_nodes nodes. Fails when oneDNN cannot make a CPU engine. */
sluice_status sl_dnn_new(int n_nodes, struct sl_dnn **out, sl_err *e);
void sl_dnn_free(struct sl_dnn *d); /* NULL is allowed */

/* conv, dw, fc and deconv with bias, residual and activation. d NULL: never computed. */
bool sl_dnn_conv(struct sl_dnn *d, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out);
bool sl_dnn_matmul(struct sl_dnn *d, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out);

/* Threads that oneDNN uses when called from this thread, and back. */
int sl_dnn_threads_enter(int n_threads);
void sl_dnn_threads_leave(int before);

#endif
