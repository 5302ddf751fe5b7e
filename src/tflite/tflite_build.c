/* tflite_build.c: what TFLite's operators need beyond the nodes of front/build.h. */
#include "tflite/tflite_import.h"

/* Many operators may reorder one buffer of the file: what they make of it counts like computed constants. */
sluice_status tfl_transpose(struct tfl_import *c, struct sl_node *in, const int64_t *perm, struct sl_node **out)
{
    const struct sl_const *k = sl_node_const(in);
    bool moves = false;
    for (int i = 0; i < in->shape.rank; i++)
        moves = moves || perm[i] != i;
    if (moves && k && !k->splat)
        SL_TRY(sl_build_take(c->b, sl_shape_elements(&in->shape)));
    return sl_build_transpose(c->b, in, perm, out);
}

/* ---- fused activations ---- */

sluice_status tfl_activate(struct tfl_import *c, struct sl_node *in, int64_t activation, struct sl_node **out)
{
    *out = in;
    switch (activation) {
    case TFL_ACT_NONE:
        return SLUICE_OK;
    case TFL_ACT_RELU:
        return sl_build_unary(c->b, in, "relu", out);
    case TFL_ACT_RELU6:
        return sl_build_unary(c->b, in, "relu6", out);
    case TFL_ACT_RELU_N1_TO_1:
        return sl_build_unary2(c->b, in, "clip", "minimum", -1, "maximum", 1, out);
    case TFL_ACT_TANH:
        return sl_build_unary(c->b, in, "tanh", out);
    case TFL_ACT_SIGN_BIT:
        return sl_unsupported(c->b, "the fused activation SIGN_BIT");
    default:
        return sl_fail(c->e, SLUICE_E_VALUE, "fused activation %lld, 0 to %d are known", (long long)activation,
                       TFL_ACT_SIGN_BIT);
    }
}

sluice_status tfl_activated_out(struct tfl_import *c, unsigned slot, struct sl_node *n)
{
    SL_TRY(tfl_activate(c, n, flat_s8(&c->op->options, slot, TFL_ACT_NONE), &n));
    return tfl_out(c, 0, n);
}
