/* native_only.c: the quantize and lower columns of ops that only the native float emulator runs. */
#include "ops/ops.h"

static sluice_status refuse(const struct sl_node *n, sl_err *e)
{
    const char *name = sl_op_info(n->op)->name;
    sl_fail(e, SLUICE_E_UNSUPPORTED, "layer '%s' of kind %s has no quantized form: only the native emulator runs it", sl_node_text(n),
            name);
    return sl_hint(e, "parse with --end-node-names set to the nodes before it, and run the rest on the host");
}

sluice_status quantize_native_only(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    (void)q;
    return refuse(n, e);
}

sluice_status lower_native_only(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)l;
    return refuse(n, e);
}
