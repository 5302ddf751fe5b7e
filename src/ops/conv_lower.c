/* conv_lower.c: conv, dw, fc and deconv -> the weighted instructions. */
#include <string.h>

#include "ops/lower.h"
#include "ops/ops.h"

static enum sl_opcode opcode_of(enum sl_op op)
{
    return op == SL_OP_conv ? SL_INSN_conv : op == SL_OP_dw ? SL_INSN_dw : op == SL_OP_fc ? SL_INSN_fc : SL_INSN_deconv;
}

static sluice_status read_post(const struct sl_node *n, int64_t *out, sl_err *e)
{
    const char *post = sl_get_string(n, "post", "linear");
    if (strcmp(post, "linear") != 0 && strcmp(post, "table") != 0)
        return sl_fail(e, SLUICE_E_VALUE, "post '%s' is none of linear, table", post);
    *out = strcmp(post, "table") == 0 ? SL_INSN_POST_TABLE : SL_INSN_POST_LINEAR;
    return SLUICE_OK;
}

sluice_status lower_weighted(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    static const char *const arrays[SL_weighted_CONSTS] = {"kernel",    "bias",  "multiplier",
                                                           "pad_value", "table", "kernel_group_scale"};
    struct sl_conv_geometry g;
    struct sl_insn *i = sl_lower_emit(l, n, opcode_of(n->op));
    sl_conv_geometry(n, &g);
    for (int k = 0; k < SL_weighted_CONSTS; k++)
        i->consts[k] = sl_lower_const(l, n, arrays[k]);
    int64_t *v = i->ints;
    SL_TRY(read_post(n, &v[SL_I_weighted_post], e));
    v[SL_I_weighted_stride_h] = g.stride_h;
    v[SL_I_weighted_stride_w] = g.stride_w;
    v[SL_I_weighted_dilation_h] = g.dilation_h;
    v[SL_I_weighted_dilation_w] = g.dilation_w;
    v[SL_I_weighted_pad_top] = g.pad_top;
    v[SL_I_weighted_pad_left] = g.pad_left;
    v[SL_I_weighted_pad_bottom] = g.pad_bottom;
    v[SL_I_weighted_pad_right] = g.pad_right;
    v[SL_I_weighted_groups] = g.groups;
    v[SL_I_weighted_lo] = sl_get_int(n, "lo", 0);
    v[SL_I_weighted_hi] = sl_get_int(n, "hi", n->quant.dtype == SL_U16 ? 65535 : 255);
    v[SL_I_weighted_index_zero_point] = sl_get_int(n, "index_zero_point", 0);
    v[SL_I_weighted_kernel_group_size] = sl_get_int(n, "kernel_group_size", 0);
    i->floats[SL_F_weighted_residual_multiplier] = sl_get_float(n, "residual_multiplier", 0);
    return SLUICE_OK;
}
