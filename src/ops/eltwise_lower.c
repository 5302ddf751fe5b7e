/* eltwise_lower.c: one and two inputs, element by element: activation, requantize, ew_*. */
#include "ops/lower.h"
#include "ops/ops.h"

static int64_t top_of(const struct sl_node *n)
{
    return n->quant.dtype == SL_U16 ? 65535 : 255;
}

sluice_status lower_activation(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    uint32_t table;
    SL_TRY(sl_lower_need(l, n, "table", &table, e));
    sl_lower_emit(l, n, SL_INSN_lookup)->consts[SL_K_lookup_table] = table;
    return SLUICE_OK;
}

sluice_status lower_requantize(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)e;
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_requantize);
    i->ints[SL_I_requantize_lo] = sl_get_int(n, "lo", 0);
    i->ints[SL_I_requantize_hi] = sl_get_int(n, "hi", top_of(n));
    i->floats[SL_F_requantize_multiplier] = sl_get_float(n, "multiplier", 0);
    return SLUICE_OK;
}

sluice_status lower_eltwise(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    static const struct {
        enum sl_op op;
        enum sl_opcode opcode;
        bool sum;
    } codes[] = {
        {SL_OP_ew_add, SL_INSN_add, true}, {SL_OP_ew_sub, SL_INSN_sub, true},    {SL_OP_ew_max, SL_INSN_max, true},
        {SL_OP_ew_min, SL_INSN_min, true}, {SL_OP_ew_mult, SL_INSN_mult, false}, {SL_OP_ew_div, SL_INSN_div, false},
    };
    (void)e;
    size_t k = 0;
    while (codes[k].op != n->op)
        k++;
    struct sl_insn *i = sl_lower_emit(l, n, codes[k].opcode);
    int64_t lo = sl_get_int(n, "lo", 0), hi = sl_get_int(n, "hi", top_of(n));
    if (codes[k].sum) {
        i->ints[SL_I_sum_lo] = lo;
        i->ints[SL_I_sum_hi] = hi;
        i->floats[SL_F_sum_multiplier_a] = sl_get_float(n, "multiplier_a", 0);
        i->floats[SL_F_sum_multiplier_b] = sl_get_float(n, "multiplier_b", 0);
    } else {
        i->ints[SL_I_product_lo] = lo;
        i->ints[SL_I_product_hi] = hi;
        i->floats[SL_F_product_multiplier] = sl_get_float(n, "multiplier", 0);
    }
    return SLUICE_OK;
}
