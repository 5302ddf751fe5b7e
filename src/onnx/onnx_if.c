/* onnx_if.c: If. A known condition leaves one branch; of one that is computed at run time both are evaluated and one is taken. */
#include "onnx/onnx_import.h"

static sluice_status inline_branch(struct onnx_import *c, const char *name, int n_out, struct sl_node ***out)
{
    const struct onnx_attr *at = onnx_attribute(c, name);
    if (!at || !at->graph || at->graph->n_outputs < n_out)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the %s is missing or has too few outputs", name);
    *out = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)at->graph->n_outputs + 1);
    return onnx_inline_graph(c, at->graph, 0, NULL, *out);
}

struct branch {
    const char *name;
    struct sl_node **out;
    const char *misfit; /* why it cannot run on the shapes at hand */
};

/* A branch that does not fit the shapes at hand is no error of the file: it may be the one that is not taken. */
static sluice_status inline_either(struct onnx_import *c, int n_out, struct branch *b)
{
    const char *origin = c->b->origin;
    const struct onnx_node *node = c->node;
    int n_problems = c->report->common.n_problems;
    sluice_status s = inline_branch(c, b->name, n_out, &b->out);
    onnx_at_node(c, node, origin);
    if (s != SLUICE_E_SHAPE)
        return s;
    b->misfit = sl_arena_strdup(c->scratch, c->e->message);
    *c->e = (sl_err){0};
    c->located = false;
    c->report->common.n_problems = n_problems;
    return SLUICE_OK;
}

static sluice_status select_one(struct onnx_import *c, struct sl_node *condition, int i, struct sl_node *a, struct sl_node *b,
                                struct sl_node **out)
{
    char then[160], otherwise[160];
    *out = a;
    if (a == b)
        return SLUICE_OK;
    if (!onnx_is_tensor(a) || !onnx_is_tensor(b))
        return sl_unsupported(c->b, "its condition '%s' is computed at run time, and output %d is a sequence or an optional value",
                              c->node->in[0], i);
    if (a->dtype != b->dtype || !sl_shape_equal(&a->shape, &b->shape))
        return sl_unsupported(c->b,
                                "its condition '%s' is computed at run time, and its branches make output %d as %s %s and as %s %s: "
                                "they must be alike",
                                c->node->in[0], i, sl_dtype_name(a->dtype), sl_shape_text(&a->shape, then, sizeof then),
                                sl_dtype_name(b->dtype), sl_shape_text(&b->shape, otherwise, sizeof otherwise));
    struct sl_node *in[3] = {condition, a, b};
    *out = sl_build_add(c->b, SL_OP_where, 3, in);
    return sl_build_finish(c->b, out);
}

/* One branch alone can run on these shapes, whatever the condition will be. */
static sluice_status take_only(struct onnx_import *c, const struct onnx_node *n, const struct branch *b, const struct branch *misfit)
{
    for (int i = 0; i < n->n_out; i++)
        SL_TRY(onnx_out(c, i, b->out[i]));
    sl_note(c->b, "node '%s' (If): its condition '%s' is computed at run time, but with these input shapes only its %s can run (%s: %s)",
              c->b->origin, n->in[0], b->name, misfit->name, misfit->misfit);
    return SLUICE_OK;
}

static sluice_status run_both(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *condition, *y;
    struct branch then = {.name = "then_branch"}, otherwise = {.name = "else_branch"};
    SL_TRY(onnx_in(c, 0, &condition));
    if (sl_shape_elements(&condition->shape) != 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the condition is not one value");
    if (condition->dtype != SL_BOOL)
        SL_TRY(sl_build_cast(c->b, condition, SL_BOOL, &condition));
    SL_TRY(onnx_reshape(c, condition, 0, NULL, &condition));
    sluice_status first = inline_either(c, n->n_out, &then), second = SLUICE_OK;
    if (first == SLUICE_OK || first == SLUICE_E_UNSUPPORTED) /* all that is not supported is said at once */
        second = inline_either(c, n->n_out, &otherwise);
    SL_TRY(first);
    SL_TRY(second);
    if (then.misfit && otherwise.misfit)
        return sl_unsupported(c->b, "its condition '%s' is computed at run time, and neither branch fits: %s; %s", n->in[0], then.misfit,
                                otherwise.misfit);
    if (then.misfit || otherwise.misfit)
        return take_only(c, n, then.misfit ? &otherwise : &then, then.misfit ? &then : &otherwise);
    for (int i = 0; i < n->n_out; i++) {
        if (!onnx_wants_out(c, i))
            continue;
        SL_TRY(select_one(c, condition, i, then.out[i], otherwise.out[i], &y));
        SL_TRY(onnx_out(c, i, y));
    }
    sl_note(c->b, "node '%s' (If): its condition '%s' is computed at run time: both branches are evaluated and one is taken", c->b->origin,
              n->in[0]);
    return SLUICE_OK;
}

sluice_status translate_if(struct onnx_import *c, const struct onnx_node *n)
{
    const struct sl_const *k;
    double condition;
    struct sl_node **out;
    SL_TRY(onnx_in_const(c, 0, &k));
    if (!k)
        return run_both(c, n);
    if (!sl_const_scalar(k, &condition))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the condition is not one value");
    SL_TRY(inline_branch(c, condition != 0 ? "then_branch" : "else_branch", n->n_out, &out));
    for (int i = 0; i < n->n_out; i++)
        SL_TRY(onnx_out(c, i, out[i]));
    return SLUICE_OK;
}
