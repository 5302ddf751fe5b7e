/* resize_quant.c: a resize becomes index tables, for linear ones with 11-bit weights. */
#include <math.h>
#include <string.h>

#include "ops/quant_rules.h"

static sluice_status write_axis(struct sl_quantizer *q, struct sl_node *n, int axis, bool linear, sl_err *e)
{
    int64_t in = n->in[0]->shape.dim[1 + axis], out = n->shape.dim[1 + axis], dims[2] = {out, linear ? 2 : 1};
    int32_t *index, *weight;
    double *exact = NULL;

    SL_TRY(sl_new_param(q, n, axis ? "columns" : "rows", SL_S32, 2, dims, &index, e));
    if (!linear)
        return sl_resize_indices(n, axis, in, out, index, NULL, e);
    SL_TRY(sl_new_param(q, n, axis ? "column_weights" : "row_weights", SL_S32, 2, dims, &weight, e));
    exact = SL_NEW_ARRAY(q->graph->arena, double, 2 * out);
    SL_TRY(sl_resize_indices(n, axis, in, out, index, exact, e));
    for (int64_t i = 0; i < out; i++) {
        weight[2 * i] = (int32_t)fmin(fmax(rint(exact[2 * i] * 2048), 0), 2048);
        weight[2 * i + 1] = 2048 - weight[2 * i];
    }
    return SLUICE_OK;
}

sluice_status quantize_resize(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    const char *mode = sl_get_string(n, "mode", "nearest");
    bool linear = !strcmp(mode, "linear");

    if (!linear && strcmp(mode, "nearest")) {
        sl_fail(e, SLUICE_E_UNSUPPORTED, "resize mode '%s' has no quantized form (nearest and linear have)", mode);
        return sl_hint(e, "end the network before this layer (--end-node-names) and resize on the host");
    }
    if (n->shape.rank != 4)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "resize of a tensor of rank %d (4 is supported)", n->shape.rank);
    SL_TRY(write_axis(q, n, 0, linear, e));
    return write_axis(q, n, 1, linear, e);
}
