/* tflite_build.c: what TFLite's operators need beyond the nodes of front/build.h. */
#include "tflite/tflite_encode.h"
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

/* The one axis that a slice cuts, by steps of 1; -1: none or several. */
static int cut_axis(const struct sl_node *in, const int64_t *starts, const int64_t *ends, const int64_t *steps)
{
    int axis = -1;
    for (int i = 0; i < in->shape.rank; i++) {
        if (starts[i] == 0 && ends[i] == in->shape.dim[i] && steps[i] == 1)
            continue;
        if (axis >= 0 || steps[i] != 1 || ends[i] <= starts[i])
            return -1;
        axis = i;
    }
    return axis;
}

/* What lies from `from` to `to` of a concatenation, where that cuts no input but constants: its parts, their number in *n. */
static sluice_status parts_of_concat(struct tfl_import *c, const struct sl_node *in, int axis, int64_t from, int64_t to,
                                     struct sl_node ***parts, int *n)
{
    int64_t at = 0, next;
    *n = 0;
    *parts = SL_NEW_ARRAY(c->a, struct sl_node *, in->n_in);
    for (int i = 0; i < in->n_in && at < to; i++, at = next) {
        struct sl_node *x = in->in[i];
        next = at + x->shape.dim[axis];
        int64_t first = SL_MAX(from, at), last = SL_MIN(to, next);
        if (first >= last)
            continue;
        bool whole = first == at && last == next, same = tfl_same_encoding(&x->quant, &in->quant);
        if (x->op == SL_OP_const_input ? !same && in->quant.dtype != SL_NONE : !whole || !same) {
            *n = 0;
            return SLUICE_OK;
        }
        (*parts)[*n] = x;
        if (!whole)
            SL_TRY(sl_build_slice_axis(c->b, x, axis, first - at, last - at, &(*parts)[*n]));
        (*n)++;
    }
    return SLUICE_OK;
}

sluice_status tfl_slice(struct tfl_import *c, struct sl_node *in, const int64_t *starts, const int64_t *ends,
                        const int64_t *steps, struct sl_node **out)
{
    int axis = in->op == SL_OP_concat ? cut_axis(in, starts, ends, steps) : -1, n = 0;
    struct sl_node **parts;
    if (axis >= 0 && axis == sl_get_int(in, "axis", -1))
        SL_TRY(parts_of_concat(c, in, axis, starts[axis], ends[axis], &parts, &n));
    if (n == 0)
        return sl_build_slice(c->b, in, starts, ends, steps, out);
    SL_TRY(sl_build_concat(c->b, axis, n, parts, out));
    if (n > 1 && (*out)->op == SL_OP_concat) {
        sl_set_int(c->g, *out, TFL_PARTS, 1);
        (*out)->quant = in->quant;
    }
    return SLUICE_OK;
}

void tfl_mark_wide(struct tfl_import *c, struct sl_node *n)
{
    const struct tfl_tensor *out = &c->model.tensors[c->op->out[0]];
    if (tfl_is_quantized(out) && out->type == TFL_INT16 && n->op != SL_OP_const_input)
        sl_set_int(c->g, n, TFL_SIGNED, 1);
}
