/* activation_float.c: the activation layer: shape rule and evaluation; the curves themselves are in curves.c. */
#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/values.h"

sluice_status infer_activation(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_curve c;
    if (!sl_attr(n, "type") && sl_param(n, "table")) /* an integer layer: the curve is its table */
        return sl_rule_output(n, n->in[0]->dtype, &n->in[0]->shape, e);
    if (!sl_attr(n, "type"))
        return sl_fail(e, SLUICE_E_VALUE, "type is missing");
    SL_TRY(sl_curve_read(n, "type", &c, e));
    if (!sl_is_float_class(n->in[0]->dtype) && c.row && !c.row->integer)
        return sl_fail(e, SLUICE_E_SHAPE, "%s takes floats, its input has type %s", c.row->name, sl_dtype_name(n->in[0]->dtype));
    return sl_rule_output(n, n->in[0]->dtype, &n->in[0]->shape, e);
}

sluice_status eval_activation(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                              sl_err *e)
{
    (void)ev;
    struct sl_curve c;
    size_t count = sl_shape_elements(&out->shape);
    SL_TRY(sl_curve_read(n, "type", &c, e));
    if (sl_is_float_class(out->dtype)) {
        sl_curve_run(&c, in[0].data, out->data, count);
        return SLUICE_OK;
    }
    const int64_t *x = in[0].data;
    int64_t *y = out->data;
    for (size_t i = 0; i < count; i++)
        y[i] = c.row ? sl_wrap(out->dtype, c.row->integer(&c, x[i])) : x[i];
    return SLUICE_OK;
}
