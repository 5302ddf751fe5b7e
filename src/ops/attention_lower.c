/* attention_lower.c: matmul, softmax, layer_norm, rms_norm. */
#include "ops/lower.h"
#include "ops/ops.h"

static int64_t top_of(const struct sl_node *n)
{
    return n->quant.dtype == SL_U16 ? 65535 : 255;
}

sluice_status lower_matmul(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)e;
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_matmul);
    i->ints[SL_I_matmul_transpose_b] = sl_get_int(n, "transpose_b", 0);
    i->ints[SL_I_matmul_lo] = sl_get_int(n, "lo", 0);
    i->ints[SL_I_matmul_hi] = sl_get_int(n, "hi", top_of(n));
    i->floats[SL_F_matmul_multiplier] = sl_get_float(n, "multiplier", 0);
    return SLUICE_OK;
}

static sluice_status lower_softmax_lookup(struct sl_lowering *l, const struct sl_node *n, uint32_t table, int64_t axis, sl_err *e)
{
    uint32_t inverse;
    SL_TRY(sl_lower_need(l, n, "inverse", &inverse, e));
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_softmax_lookup);
    i->consts[SL_K_softmax_lookup_table] = table;
    i->consts[SL_K_softmax_lookup_inverse] = inverse;
    i->ints[SL_I_softmax_lookup_axis] = axis;
    i->ints[SL_I_softmax_lookup_multiplier] = sl_get_int(n, "distance_multiplier", 0);
    i->ints[SL_I_softmax_lookup_shift] = sl_get_int(n, "distance_shift", 0);
    return SLUICE_OK;
}

sluice_status lower_softmax(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    uint32_t table;
    int64_t axis;
    SL_TRY(sl_lower_need(l, n, "table", &table, e));
    SL_TRY(sl_lower_axis(n, "axis", n->shape.rank, -1, &axis, e));
    if (sl_param(n, "inverse"))
        return lower_softmax_lookup(l, n, table, axis, e);
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_softmax);
    i->consts[SL_K_softmax_table] = table;
    i->ints[SL_I_softmax_axis] = axis;
    i->ints[SL_I_softmax_index_shift] = sl_get_int(n, "index_shift", 0);
    i->floats[SL_F_softmax_inverse_scale] = sl_get_float(n, "inverse_scale", 0);
    return SLUICE_OK;
}

sluice_status lower_layer_norm(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    uint32_t gamma, beta;
    SL_TRY(sl_lower_need(l, n, "gamma", &gamma, e));
    SL_TRY(sl_lower_need(l, n, "beta", &beta, e));
    struct sl_insn *i = sl_lower_emit(l, n, n->op == SL_OP_rms_norm ? SL_INSN_rms_norm : SL_INSN_layer_norm);
    i->consts[SL_K_norm_gamma] = gamma;
    i->consts[SL_K_norm_beta] = beta;
    i->ints[SL_I_norm_lo] = sl_get_int(n, "lo", 0);
    i->ints[SL_I_norm_hi] = sl_get_int(n, "hi", top_of(n));
    i->floats[SL_F_norm_epsilon] = sl_get_float(n, "epsilon", 0);
    return SLUICE_OK;
}
