/*
 * tflite_control.c: WHILE, IF and CALL: other subgraphs of the file, translated where they are used. A loop is written out
 * while its condition is a constant, as the counters of recurrent layers are; a branch that is chosen at run time becomes a
 * choice between the values of both.
 */
#include <string.h>

#include "tflite/tflite_import.h"

enum { MOST_TURNS = 1024, MOST_DEPTH = 8, ROOM_OF_OPERATOR = 64 };
enum { WHILE_CONDITION, WHILE_BODY };
enum { IF_THEN, IF_ELSE };
enum { CALL_GRAPH };

static sluice_status open_body(struct tfl_import *c, int64_t index, struct tfl_model **out)
{
    if (index < 1 || index >= c->n_bodies)
        return sl_fail(c->e, SLUICE_E_FORMAT, "subgraph %lld, 1 to %d are in the file", (long long)index, c->n_bodies - 1);
    if (!c->bodies)
        c->bodies = SL_NEW_ARRAY(c->a, struct tfl_model *, c->n_bodies);
    if (!c->bodies[index]) {
        c->bodies[index] = SL_NEW(c->a, struct tfl_model);
        SL_TRY(tfl_read_subgraph(c->a, c->model.flat.bytes, (uint32_t)index, c->bodies[index], c->e));
    }
    *out = c->bodies[index];
    return SLUICE_OK;
}

/* Operators of the subgraph that c->model is now. */
static sluice_status run_operators(struct tfl_import *c, int n_in, struct sl_node *const *in, int n_out, struct sl_node **out)
{
    const struct tfl_model *m = &c->model;
    if (m->n_inputs != n_in || m->n_outputs < n_out)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the subgraph has %d inputs and %d outputs, %d and %d are wanted", m->n_inputs,
                       m->n_outputs, n_in, n_out);
    for (int i = 0; i < n_in; i++)
        c->values[m->inputs[i]].node = in[i];
    for (int i = 0; i < m->n_operators; i++) {
        int problems = c->b->report->n_problems;
        c->op = &m->operators[i];
        c->b->origin = c->op->label;
        sluice_status s = tfl_run_operator(c, c->op);
        if (s != SLUICE_OK)
            return c->b->report->n_problems == problems ? sl_context(c->e, "operator '%s' (%s)", c->op->label, c->b->op) : s;
    }
    for (int i = 0; i < n_out; i++)
        SL_TRY(tfl_value_node(c, m->outputs[i], &out[i]));
    return SLUICE_OK;
}

static sluice_status run_subgraph(struct tfl_import *c, int64_t index, int n_in, struct sl_node *const *in, int n_out,
                                  struct sl_node **out)
{
    struct tfl_model *body, outer = c->model;
    struct tfl_value *values = c->values;
    const struct tfl_operator *op = c->op;
    const char *name = c->b->op, *origin = c->b->origin;
    SL_TRY(open_body(c, index, &body));
    if (c->depth == MOST_DEPTH)
        return sl_unsupported(c->b, "subgraphs more than %d deep", MOST_DEPTH);
    SL_TRY(sl_build_take(c->b, ((size_t)body->n_operators + (size_t)body->n_tensors) * ROOM_OF_OPERATOR));
    c->depth++;
    c->model = *body;
    c->values = SL_NEW_ARRAY(c->a, struct tfl_value, (size_t)body->n_tensors + 1);
    sluice_status s = run_operators(c, n_in, in, n_out, out);
    c->depth--;
    c->model = outer;
    c->values = values;
    c->op = op;
    c->b->op = name;
    c->b->origin = origin;
    return s;
}

static sluice_status read_inputs(struct tfl_import *c, int from, struct sl_node ***out)
{
    *out = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)c->op->n_in + 1);
    for (int i = from; i < c->op->n_in; i++) {
        SL_TRY(tfl_in(c, i, &(*out)[i - from]));
        if (!(*out)[i - from])
            return sl_fail(c->e, SLUICE_E_FORMAT, "input %d is missing", i);
    }
    return SLUICE_OK;
}

static sluice_status give_outputs(struct tfl_import *c, struct sl_node *const *out)
{
    for (int i = 0; i < c->op->n_out; i++)
        SL_TRY(tfl_out(c, i, out[i]));
    return SLUICE_OK;
}

sluice_status tflop_while(struct tfl_import *c, const struct tfl_operator *op)
{
    int64_t condition = flat_s32(&op->options, WHILE_CONDITION, 0), body = flat_s32(&op->options, WHILE_BODY, 0);
    struct sl_node **state, **next, *go_on;
    double v;
    SL_TRY(read_inputs(c, 0, &state));
    if (op->n_out > op->n_in)
        return sl_fail(c->e, SLUICE_E_FORMAT, "%d inputs and %d outputs", op->n_in, op->n_out);
    for (int turn = 0;; turn++) {
        SL_TRY(run_subgraph(c, condition, op->n_in, state, 1, &go_on));
        if (!sl_node_scalar(go_on, &v))
            return sl_unsupported(c->b,
                                  "a loop whose end is decided at run time; convert the model with a fixed number of steps "
                                  "(of a Keras layer: unroll=True)");
        if (v == 0)
            return give_outputs(c, state);
        if (turn == MOST_TURNS)
            return sl_unsupported(c->b, "a loop of more than %d turns", MOST_TURNS);
        next = SL_NEW_ARRAY(c->a, struct sl_node *, op->n_in);
        SL_TRY(run_subgraph(c, body, op->n_in, state, op->n_in, next));
        state = next;
    }
}

/* Both branches, and a choice for each output. */
static sluice_status choose(struct tfl_import *c, struct sl_node *condition, struct sl_node *const *then,
                            struct sl_node *const *other)
{
    for (int i = 0; i < c->op->n_out; i++) {
        struct sl_node *in[3] = {condition, then[i], other[i]}, *y;
        if (!sl_shape_equal(&then[i]->shape, &other[i]->shape) || then[i]->dtype != other[i]->dtype ||
            sl_shape_elements(&condition->shape) != 1)
            return sl_unsupported(c->b, "a branch chosen at run time whose sides have different shapes or types");
        SL_TRY(sl_build_reshape(c->b, condition, 0, NULL, &in[0]));
        y = sl_build_add(c->b, SL_OP_where, 3, in);
        SL_TRY(sl_build_finish(c->b, &y));
        SL_TRY(tfl_out(c, i, y));
    }
    return SLUICE_OK;
}

sluice_status tflop_if(struct tfl_import *c, const struct tfl_operator *op)
{
    int64_t then = flat_s32(&op->options, IF_THEN, 0), other = flat_s32(&op->options, IF_ELSE, 0);
    struct sl_node **in, *condition, **out[2];
    double v;
    SL_TRY(tfl_in(c, 0, &condition));
    SL_TRY(read_inputs(c, 1, &in));
    if (!condition)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the condition is missing");
    for (int i = 0; i < 2; i++)
        out[i] = SL_NEW_ARRAY(c->a, struct sl_node *, op->n_out);
    bool known = sl_node_scalar(condition, &v);
    if (!known || v != 0)
        SL_TRY(run_subgraph(c, then, op->n_in - 1, in, op->n_out, out[0]));
    if (!known || v == 0)
        SL_TRY(run_subgraph(c, other, op->n_in - 1, in, op->n_out, out[1]));
    return known ? give_outputs(c, out[v == 0]) : choose(c, condition, out[0], out[1]);
}

sluice_status tflop_call(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node **in, **out = SL_NEW_ARRAY(c->a, struct sl_node *, op->n_out);
    SL_TRY(read_inputs(c, 0, &in));
    SL_TRY(run_subgraph(c, flat_u32(&op->options, CALL_GRAPH, 0), op->n_in, in, op->n_out, out));
    return give_outputs(c, out);
}
