/* io_float.c: inputs, outputs and constants of a graph: shape rules, evaluation, and the cost functions shared by all families. */
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/values.h"

sluice_status infer_declared(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct sl_shape s = n->shape;
    if (n->dtype == SL_NONE || (unsigned)n->dtype >= SL_DTYPE_COUNT)
        return sl_fail(e, SLUICE_E_SHAPE, "no element type is declared");
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] < 1)
            return sl_fail(e, SLUICE_E_SHAPE, "declared shape %s has dimension %lld, at least 1 is wanted", SL_SHAPE_TEXT(&s),
                           (long long)s.dim[i]);
    return sl_rule_output(n, n->dtype, &s, e);
}

sluice_status infer_same(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    return sl_rule_output(n, n->in[0]->dtype, &n->in[0]->shape, e);
}

sluice_status infer_const(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct sl_const *data;
    unsigned any = ~(1u << SL_NONE);
    SL_TRY(sl_rule_param(n, "data", true, -1, any, &data, e));
    /* Quantized data stands for real numbers. */
    enum sl_dtype t = n->quant.dtype != SL_NONE ? SL_F32 : data->dtype;
    return sl_rule_output(n, t, &data->shape, e);
}

sluice_status eval_none(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev, (void)in, (void)out;
    return sl_fail(e, SLUICE_E_INTERNAL, "input layer '%s' has no value of its own", sl_node_text(n));
}

sluice_status eval_copy(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev, (void)n, (void)e;
    if (out->data != in[0].data) /* planned in place */
        memcpy(out->data, in[0].data, sl_shape_elements(&out->shape) * sl_class_bytes(out->dtype));
    return SLUICE_OK;
}

sluice_status eval_const(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev, (void)in, (void)e;
    const struct sl_const *c = sl_param(n, "data");
    size_t count = sl_shape_elements(&out->shape);
    if (!c->splat) {
        sl_values_unpack(c->dtype, c->data, count, out->data);
    } else if (sl_is_float_class(c->dtype)) {
        float v, *y = out->data;
        sl_values_unpack(c->dtype, c->data, 1, &v);
        for (size_t i = 0; i < count; i++)
            y[i] = v;
    } else {
        int64_t v, *y = out->data;
        sl_values_unpack(c->dtype, c->data, 1, &v);
        for (size_t i = 0; i < count; i++)
            y[i] = v;
    }
    return SLUICE_OK;
}

int64_t cost_zero(const struct sl_node *n)
{
    (void)n;
    return 0;
}

/* One operation an output element. */
int64_t cost_elements(const struct sl_node *n)
{
    return (int64_t)sl_shape_elements(&n->shape);
}

/* One operation an input element. */
int64_t cost_input(const struct sl_node *n)
{
    return (int64_t)sl_shape_elements(&n->in[0]->shape);
}
