/*
 * tflite_rnn.c: UNIDIRECTIONAL_SEQUENCE_LSTM written out step by step. Its state begins at zero each run: a network that carries it
 * from run to run would need state tensors.
 */
#include <math.h>
#include <string.h>

#include "tflite/tflite_import.h"

/* Inputs by number. Gates in the order input, forget, cell, output. */
enum { LSTM_X = 0, LSTM_W = 1, LSTM_R = 5, LSTM_PEEPHOLE = 9, LSTM_BIAS = 12, LSTM_PROJECTION = 16, LSTM_NORM = 20, MOST_STEPS = 1024 };
enum { GATE_INPUT, GATE_FORGET, GATE_CELL, GATE_OUTPUT };

struct lstm {
    int64_t steps, batch, features, cells;
    bool time_major;
    double clip;
    struct sl_node *x[4];     /* of each gate: input's part, [batch, steps, cells] */
    const struct sl_const *r[4];
};

static sluice_status check_plain(struct tfl_import *c)
{
    for (int i = 0; i < 4; i++)
        if (!tfl_has_in(c, LSTM_W + i) || !tfl_has_in(c, LSTM_R + i) || !tfl_has_in(c, LSTM_BIAS + i))
            return tfl_unsupported(c, "gates that share weights (CIFG) or have no bias");
    for (int i = LSTM_PEEPHOLE; i < LSTM_PEEPHOLE + 3; i++)
        if (tfl_has_in(c, i))
            return tfl_unsupported(c, "peephole connections");
    if (tfl_has_in(c, LSTM_PROJECTION))
        return tfl_unsupported(c, "a projection");
    for (int i = LSTM_NORM; i < LSTM_NORM + 4; i++)
        if (tfl_has_in(c, i))
            return tfl_unsupported(c, "layer normalization of gates");
    if (flat_s8(&c->op->options, LSTM_ACTIVATION, TFL_ACT_NONE) != TFL_ACT_TANH)
        return tfl_unsupported(c, "an activation of cells other than TANH");
    return SLUICE_OK;
}

static sluice_status connect(struct tfl_import *c, struct sl_node *x, const struct sl_const *kernel, const struct sl_const *bias,
                             struct sl_node **out)
{
    *out = tfl_add(c, SL_OP_fc, 1, &x);
    sl_set_param(c->g, *out, "kernel", kernel);
    if (bias)
        sl_set_param(c->g, *out, "bias", bias);
    return tfl_finish(c, out);
}

/* The input's part of all gates, for all steps at once. */
static sluice_status input_parts(struct tfl_import *c, struct lstm *l)
{
    static const int64_t io[2] = {1, 0};
    struct sl_node *x, *rows;
    SL_TRY(tfl_in(c, LSTM_X, &x));
    if (!x || x->shape.rank != 3)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input does not have 3 dimensions");
    l->batch = x->shape.dim[l->time_major ? 1 : 0];
    l->steps = x->shape.dim[l->time_major ? 0 : 1];
    l->features = x->shape.dim[2];
    if (l->steps < 1 || l->steps > MOST_STEPS)
        return tfl_unsupported(c, "%lld steps, 1 to %d can be written out", (long long)l->steps, MOST_STEPS);
    SL_TRY(tfl_reshape(c, x, 2, (int64_t[]){x->shape.dim[0] * x->shape.dim[1], l->features}, &rows));
    for (int i = 0; i < 4; i++) {
        struct tfl_weights w, r;
        SL_TRY(tfl_read_weights(c, LSTM_W + i, -1, LSTM_X, 2, 0, io, &w));
        SL_TRY(tfl_read_weights(c, LSTM_R + i, -1, LSTM_X, 2, 0, io, &r));
        l->cells = i == 0 ? w.kernel->shape.dim[1] : l->cells;
        if (w.kernel->shape.dim[1] != l->cells || r.kernel->shape.dim[0] != l->cells || r.kernel->shape.dim[1] != l->cells)
            return sl_fail(c->e, SLUICE_E_SHAPE, "weights of gate %d do not have %lld cells", i, (long long)l->cells);
        if (tfl_in_tensor(c, LSTM_BIAS + i)->type == TFL_INT32) {
            struct tfl_weights b;
            SL_TRY(tfl_read_weights(c, LSTM_W + i, LSTM_BIAS + i, LSTM_X, 2, 0, io, &b));
            w.bias = b.bias;
        } else {
            SL_TRY(tfl_need_const(c, LSTM_BIAS + i, "bias", &w.bias));
        }
        SL_TRY(connect(c, rows, w.kernel, w.bias, &l->x[i]));
        SL_TRY(tfl_reshape(c, l->x[i], 3, (int64_t[]){x->shape.dim[0], x->shape.dim[1], l->cells}, &l->x[i]));
        l->r[i] = r.kernel;
    }
    return SLUICE_OK;
}

static sluice_status gate(struct tfl_import *c, const struct lstm *l, int which, int64_t t, struct sl_node *h, struct sl_node **out)
{
    struct sl_node *back;
    SL_TRY(tfl_slice_axis(c, l->x[which], l->time_major ? 0 : 1, t, t + 1, out));
    SL_TRY(tfl_reshape(c, *out, 2, (int64_t[]){l->batch, l->cells}, out));
    if (h) {
        SL_TRY(connect(c, h, l->r[which], NULL, &back));
        SL_TRY(tfl_binary(c, SL_OP_ew_add, *out, back, out));
    }
    return tfl_unary(c, *out, which == GATE_CELL ? "tanh" : "sigmoid", out);
}

static sluice_status step(struct tfl_import *c, const struct lstm *l, int64_t t, struct sl_node **h, struct sl_node **cell)
{
    struct sl_node *g[4], *kept;
    for (int i = 0; i < 4; i++)
        if (i != GATE_FORGET || *cell)
            SL_TRY(gate(c, l, i, t, *h, &g[i]));
    SL_TRY(tfl_binary(c, SL_OP_ew_mult, g[GATE_INPUT], g[GATE_CELL], &g[GATE_CELL]));
    if (*cell) {
        SL_TRY(tfl_binary(c, SL_OP_ew_mult, g[GATE_FORGET], *cell, &kept));
        SL_TRY(tfl_binary(c, SL_OP_ew_add, kept, g[GATE_CELL], &g[GATE_CELL]));
    }
    *cell = g[GATE_CELL];
    if (l->clip > 0)
        SL_TRY(tfl_unary2(c, *cell, "clip", "minimum", -l->clip, "maximum", l->clip, cell));
    SL_TRY(tfl_unary(c, *cell, "tanh", &kept));
    return tfl_binary(c, SL_OP_ew_mult, g[GATE_OUTPUT], kept, h);
}

sluice_status tflop_sequence_lstm(struct tfl_import *c, const struct tfl_operator *op)
{
    struct lstm l = {.time_major = flat_u8(&op->options, LSTM_TIME_MAJOR, 0) != 0, .clip = flat_f32(&op->options, LSTM_CELL_CLIP, 0)};
    struct sl_node *h = NULL, *cell = NULL, *y;
    SL_TRY(check_plain(c));
    SL_TRY(input_parts(c, &l));
    struct sl_node **all = SL_NEW_ARRAY(c->a, struct sl_node *, l.steps);
    for (int64_t t = 0; t < l.steps; t++) {
        SL_TRY(step(c, &l, t, &h, &cell));
        SL_TRY(tfl_reshape(c, h, 3, (int64_t[]){l.time_major ? 1 : l.batch, l.time_major ? l.batch : 1, l.cells}, &all[t]));
    }
    SL_TRY(tfl_concat(c, l.time_major ? 0 : 1, (int)l.steps, all, &y));
    tfl_note(c, "'%s': the LSTM's state begins at zero in each run", c->origin);
    return tfl_out(c, 0, y);
}
