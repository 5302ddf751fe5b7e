/* io_lower.c: inputs and outputs are ports of the program, made by the driver; a constant input is an instruction. */
#include "ops/lower.h"
#include "ops/ops.h"

sluice_status lower_nothing(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)e;
    if (n->op == SL_OP_output_layer)
        l->tensor_of[n->index] = sl_lower_tensor(l, n->in[0]);
    else
        sl_lower_tensor(l, n);
    return SLUICE_OK;
}

sluice_status lower_const(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    uint32_t data;
    SL_TRY(sl_lower_need(l, n, "data", &data, e));
    sl_lower_emit(l, n, SL_INSN_constant)->consts[SL_K_constant_data] = data;
    return SLUICE_OK;
}

/* Layers that optimize folds into their neighbours: one left over in a quantized graph is not runnable. */
sluice_status lower_fused(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)l;
    sl_fail(e, SLUICE_E_UNSUPPORTED, "%s has no integer form of its own: it was not folded into a neighbour",
            sl_op_info(n->op)->name);
    return sl_hint(e, "run optimize again on the parsed archive");
}
