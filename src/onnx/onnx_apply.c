/* onnx_apply.c: an operator of the default domain on values at hand, with the current node's attributes: what fused operators of other
 * domains are made of. */
#include "onnx/onnx_import.h"

enum { MOST_APPLIED = 9 };

sluice_status onnx_apply(struct onnx_import *c, const char *op, int64_t opset, int n_in, struct sl_node *const *in,
                         struct sl_node **out)
{
    static const char *const names[MOST_APPLIED] = {"0", "1", "2", "3", "4", "5", "6", "7", "8"};
    struct onnx_scope scope = *c->scope, *outer = c->scope; /* references to attributes of a function's caller stay what they are */
    struct onnx_node n = *c->node;
    const struct onnx_node *caller = c->node;
    const char *inputs[MOST_APPLIED], *output = "out";
    bool known;
    const struct onnx_op_row *row = onnx_op_find("", op, opset ? opset : outer->opset, &known);
    if (!row || n_in > MOST_APPLIED)
        return sl_fail(c->e, SLUICE_E_INTERNAL, "%s is not an operator of opset %lld", op, (long long)opset);
    scope.outer = NULL;
    scope.values = sl_map_new(c->scratch);
    scope.opset = opset ? opset : outer->opset;
    for (int i = 0; i < n_in; i++) {
        struct onnx_value *v = SL_NEW(c->scratch, struct onnx_value);
        *v = (struct onnx_value){.name = names[i], .node = in[i]};
        inputs[i] = in[i] ? names[i] : "";
        sl_map_set(scope.values, names[i], v);
    }
    n.op_type = op;
    n.domain = "";
    n.n_in = n_in;
    n.in = inputs;
    n.n_out = 1;
    n.out = &output;
    c->scope = &scope;
    c->node = &n;
    sluice_status s = row->translate(c, &n);
    const struct onnx_value *made = sl_map_get(scope.values, output);
    c->scope = outer;
    c->node = caller;
    SL_TRY(s);
    *out = made ? made->node : NULL;
    return *out ? SLUICE_OK : sl_fail(c->e, SLUICE_E_INTERNAL, "%s has made nothing", op);
}
