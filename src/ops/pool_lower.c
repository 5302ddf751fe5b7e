/* pool_lower.c: windows and reductions: maxpool, avgpool, reduce_*, argmax, argmin. */
#include "ops/lower.h"
#include "ops/ops.h"

/* The window's ten numbers, in the order that both window forms have. */
_Static_assert(SL_I_window_pad_right == (int)SL_I_average_pad_right, "window and average begin alike");

static void read_window(const struct sl_node *n, int64_t *v)
{
    int64_t kernel[4] = {1, 1, 1, 1}, strides[4] = {1, 1, 1, 1}, dilations[4] = {1, 1, 1, 1}, pads[4] = {0};
    sl_get_ints(n, "kernel_shape", 4, kernel);
    sl_get_ints(n, "strides", 4, strides);
    sl_get_ints(n, "dilations", 4, dilations);
    sl_get_ints(n, "pads", 4, pads);
    v[SL_I_window_kernel_h] = kernel[1];
    v[SL_I_window_kernel_w] = kernel[2];
    v[SL_I_window_stride_h] = strides[1];
    v[SL_I_window_stride_w] = strides[2];
    v[SL_I_window_dilation_h] = dilations[1];
    v[SL_I_window_dilation_w] = dilations[2];
    v[SL_I_window_pad_top] = pads[0];
    v[SL_I_window_pad_left] = pads[1];
    v[SL_I_window_pad_bottom] = pads[2];
    v[SL_I_window_pad_right] = pads[3];
}

sluice_status lower_pool(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)e;
    bool average = n->op == SL_OP_avgpool;
    struct sl_insn *i = sl_lower_emit(l, n, average ? SL_INSN_avgpool : SL_INSN_maxpool);
    read_window(n, i->ints);
    if (average) {
        i->ints[SL_I_average_count_include_pad] = sl_get_int(n, "count_include_pad", 0);
        i->ints[SL_I_average_lo] = sl_get_int(n, "lo", 0);
        i->ints[SL_I_average_hi] = sl_get_int(n, "hi", n->quant.dtype == SL_U16 ? 65535 : 255);
        i->floats[SL_F_average_multiplier] = sl_get_float(n, "multiplier", 0);
    }
    return SLUICE_OK;
}

/* Axes as bits; absent axes mean all. */
static sluice_status read_axes(const struct sl_node *n, int64_t *mask, sl_err *e)
{
    int rank = n->in[0]->shape.rank;
    const struct sl_attr *axes = sl_attr(n, "axes");
    *mask = axes ? 0 : (INT64_C(1) << rank) - 1;
    for (int k = 0; axes && k < axes->n; k++) {
        int64_t axis = axes->kind == SL_ATTR_INTS ? axes->i[k] : -rank - 1;
        if (axis < -rank || axis >= rank)
            return sl_fail(e, SLUICE_E_VALUE, "axes[%d] is outside -%d..%d", k, rank, rank - 1);
        *mask |= INT64_C(1) << (axis < 0 ? axis + rank : axis);
    }
    return SLUICE_OK;
}

sluice_status lower_reduce(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    bool mean = n->op == SL_OP_reduce_mean || n->op == SL_OP_reduce_sum;
    int64_t mask;
    SL_TRY(read_axes(n, &mask, e));
    struct sl_insn *i = sl_lower_emit(l, n,
                                      n->op == SL_OP_reduce_mean  ? SL_INSN_reduce_mean
                                      : n->op == SL_OP_reduce_sum ? SL_INSN_reduce_sum
                                      : n->op == SL_OP_reduce_max ? SL_INSN_reduce_max
                                                                  : SL_INSN_reduce_min);
    i->ints[mean ? SL_I_mean_axes : (int)SL_I_extreme_axes] = mask;
    if (mean) {
        i->ints[SL_I_mean_lo] = sl_get_int(n, "lo", 0);
        i->ints[SL_I_mean_hi] = sl_get_int(n, "hi", n->quant.dtype == SL_U16 ? 65535 : 255);
        i->floats[SL_F_mean_multiplier] = sl_get_float(n, "multiplier", 0);
    }
    return SLUICE_OK;
}

sluice_status lower_index(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    int64_t axis;
    SL_TRY(sl_lower_axis(n, "axis", n->in[0]->shape.rank, 0, &axis, e));
    struct sl_insn *i = sl_lower_emit(l, n, n->op == SL_OP_argmax ? SL_INSN_argmax : SL_INSN_argmin);
    i->ints[SL_I_index_axis] = axis;
    i->ints[SL_I_index_last] = sl_get_int(n, "select_last_index", 0) != 0;
    return SLUICE_OK;
}
