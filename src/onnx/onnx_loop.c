/* onnx_loop.c: Loop, written out once for every turn: how often it turns must be known from constants. */
#include <string.h>

#include "onnx/onnx_import.h"

enum { MOST_TURNS = 4096, MOST_VALUES = 1 << 20 /* of all turns: a small file must not become gigabytes */ };

struct loop {
    const struct onnx_graph *body;
    int n_carried, n_scans;
    struct sl_node **carried; /* values that a turn hands to the next */
    struct sl_node **made[MOST_TURNS]; /* the body's outputs, by turn */
    int64_t turns;            /* so far */
};

static struct sl_node *scalar(struct onnx_import *c, enum sl_dtype t, const void *value)
{
    const struct sl_shape s = {.rank = 0};
    return sl_build_const(c->b, sl_const_splat(c->a, t, &s, value));
}

/* An optional input that must be one constant number. */
static sluice_status read_limit(struct onnx_import *c, int input, const char *what, double otherwise, double *out)
{
    const struct sl_const *k;
    *out = otherwise;
    if (!onnx_has_in(c, input))
        return SLUICE_OK;
    SL_TRY(onnx_need_const(c, input, what, &k));
    return sl_const_scalar(k, out) ? SLUICE_OK : sl_fail(c->e, SLUICE_E_SHAPE, "the %s is not one value", what);
}

static sluice_status turn(struct onnx_import *c, struct loop *l, bool *again)
{
    struct sl_node **in = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)l->n_carried + 2);
    struct sl_node **out = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)l->body->n_outputs + 1);
    double condition;
    in[0] = scalar(c, SL_S64, &l->turns);
    in[1] = scalar(c, SL_BOOL, &(const uint8_t){1});
    for (int i = 0; i < l->n_carried; i++)
        in[2 + i] = l->carried[i];
    SL_TRY(onnx_inline_graph(c, l->body, 2 + l->n_carried, in, out));
    if (!sl_node_scalar(out[0], &condition))
        return sl_unsupported(c->b, "whether it goes on after turn %lld is computed at run time", (long long)l->turns + 1);
    memcpy(l->carried, out + 1, (size_t)l->n_carried * sizeof *out);
    l->made[l->turns++] = out;
    *again = condition != 0;
    return SLUICE_OK;
}

/* The values of all turns, stacked along a new first axis. */
static sluice_status stack(struct onnx_import *c, const struct loop *l, int output, struct sl_node **out)
{
    struct sl_node **values = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)l->turns);
    for (int64_t i = 0; i < l->turns; i++) {
        struct sl_node *v = l->made[i][output];
        if (!onnx_is_tensor(v))
            return sl_unsupported(c->b, "output %d stacks sequences", output - 1);
        int64_t dims[SL_MAX_RANK + 1] = {1};
        memcpy(dims + 1, v->shape.dim, (size_t)v->shape.rank * sizeof *dims);
        SL_TRY(onnx_reshape(c, v, v->shape.rank + 1, dims, &values[i]));
    }
    return sl_build_concat(c->b, 0, (int)l->turns, values, out);
}

static sluice_status read_loop(struct onnx_import *c, const struct onnx_node *n, struct loop *l)
{
    const struct onnx_attr *at = onnx_attribute(c, "body");
    l->n_carried = SL_MAX(n->n_in - 2, 0);
    if (!at || !at->graph || at->graph->n_inputs != 2 + l->n_carried || at->graph->n_outputs < 1 + l->n_carried)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the body is missing, or does not fit %d values that are carried on", l->n_carried);
    l->body = at->graph;
    l->n_scans = l->body->n_outputs - 1 - l->n_carried;
    if (n->n_out > l->n_carried + l->n_scans)
        return sl_fail(c->e, SLUICE_E_FORMAT, "%d outputs, the body makes %d", n->n_out, l->n_carried + l->n_scans);
    l->carried = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)l->n_carried + 1);
    for (int i = 0; i < l->n_carried; i++)
        SL_TRY(onnx_in_any(c, 2 + i, &l->carried[i]));
    return SLUICE_OK;
}

sluice_status translate_loop(struct onnx_import *c, const struct onnx_node *n)
{
    struct loop *l = SL_NEW(c->scratch, struct loop);
    double most, condition;
    SL_TRY(read_limit(c, 0, "trip count", 1e18, &most));
    SL_TRY(read_limit(c, 1, "condition", 1, &condition));
    SL_TRY(read_loop(c, n, l));
    for (bool again = condition != 0; again && (double)l->turns < most;) {
        if (l->turns == MOST_TURNS || l->turns * l->body->n_outputs > MOST_VALUES)
            return sl_unsupported(c->b, "a loop of more than %lld turns", (long long)l->turns);
        SL_TRY(turn(c, l, &again));
    }
    for (int i = 0; i < n->n_out; i++) {
        struct sl_node *y = i < l->n_carried ? l->carried[i] : NULL;
        if (!onnx_wants_out(c, i))
            continue;
        if (!y && l->turns == 0)
            return sl_unsupported(c->b, "a loop without a turn, whose output %d is empty", i);
        if (!y)
            SL_TRY(stack(c, l, 1 + i, &y));
        SL_TRY(onnx_out(c, i, y));
    }
    return SLUICE_OK;
}
