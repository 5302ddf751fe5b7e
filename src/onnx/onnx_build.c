/* onnx_build.c: what ONNX's operators need beyond the nodes of front/build.h. */
#include "onnx/onnx_import.h"

/* A reshape of a reshape is one. */
sluice_status onnx_reshape(struct onnx_import *c, struct sl_node *in, int rank, const int64_t *dims, struct sl_node **out)
{
    SL_TRY(sl_build_reshape(c->b, in, rank, dims, out));
    if (*out == in || in->op != SL_OP_reshape)
        return SLUICE_OK;
    struct sl_node *from = in->in[0], *made = *out;
    if (sl_shape_equal(&made->shape, &from->shape)) {
        *out = from;
        return SLUICE_OK;
    }
    made->in[0] = from;
    sl_node_take_origins(c->a, made, in);
    return SLUICE_OK;
}

/* Layout changes around an operator are not the origin's nodes: they carry no origin, so that names find the operator. */
static sluice_status rotate(struct onnx_import *c, struct sl_node *in, bool last, struct sl_node **out)
{
    int64_t perm[SL_MAX_RANK];
    int rank = in->shape.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i == 0 ? 0 : last ? (i == rank - 1 ? 1 : i + 1) : (i == 1 ? rank - 1 : i - 1);
    const char *origin = c->b->origin;
    c->b->origin = NULL;
    sluice_status s = sl_build_transpose(c->b, in, perm, out);
    c->b->origin = origin;
    return s;
}

sluice_status onnx_channels_last(struct onnx_import *c, struct sl_node *in, struct sl_node **out)
{
    return rotate(c, in, true, out);
}

sluice_status onnx_channels_first(struct onnx_import *c, struct sl_node *in, struct sl_node **out)
{
    return rotate(c, in, false, out);
}
