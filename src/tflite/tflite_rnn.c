/*
 * tflite_rnn.c: UNIDIRECTIONAL_SEQUENCE_LSTM written out step by step, and SVDF. Their state begins at zero each run: a network
 * that carries it from run to run would need state tensors. The parser says so in a note.
 */
#include <math.h>
#include <string.h>

#include "tflite/tflite_import.h"

/* Inputs by number. Gates in the order input, forget, cell, output. */
enum {
    LSTM_X = 0,
    LSTM_W = 1,
    LSTM_R = 5,
    LSTM_PEEPHOLE = 9,
    LSTM_BIAS = 12,
    LSTM_PROJECTION = 16,
    LSTM_H = 18,
    LSTM_CELL = 19,
    LSTM_NORM = 20,
    MOST_STEPS = 1024
};
enum { GATE_INPUT, GATE_FORGET, GATE_CELL, GATE_OUTPUT };

struct lstm {
    int64_t steps, batch, features, cells;
    bool time_major;
    double clip;
    struct sl_node *x[4]; /* of each gate: input's part, [batch, steps, cells] */
    struct tfl_weights r[4];
    bool encoded; /* integers: 16-bit gates, and the file's scales of the two states */
    struct sl_quant h, cell;
};

/* Fixed point as LiteRT's integer LSTM has it: sums of gates in steps of 2^-12, what a sigmoid or tanh gives in steps of 2^-15.
 */
static const struct sl_quant gate_sum = {.dtype = SL_U16, .scale = 0x1p-12f, .zero_point = 32768};
static const struct sl_quant gate_value = {.dtype = SL_U16, .scale = 0x1p-15f, .zero_point = 32768};

static void encode(const struct lstm *l, struct sl_node *n, const struct sl_quant *q)
{
    if (l->encoded && n->op != SL_OP_const_input)
        n->quant = *q;
}

static sluice_status check_plain(struct tfl_import *c)
{
    for (int i = 0; i < 4; i++)
        if (!tfl_has_in(c, LSTM_W + i) || !tfl_has_in(c, LSTM_R + i) || !tfl_has_in(c, LSTM_BIAS + i))
            return sl_unsupported(c->b, "gates that share weights (CIFG) or have no bias");
    for (int i = LSTM_PEEPHOLE; i < LSTM_PEEPHOLE + 3; i++)
        if (tfl_has_in(c, i))
            return sl_unsupported(c->b, "peephole connections");
    if (tfl_has_in(c, LSTM_PROJECTION))
        return sl_unsupported(c->b, "a projection");
    for (int i = LSTM_NORM; i < LSTM_NORM + 4; i++)
        if (tfl_has_in(c, i))
            return sl_unsupported(c->b, "layer normalization of gates");
    if (flat_s8(&c->op->options, LSTM_ACTIVATION, TFL_ACT_NONE) != TFL_ACT_TANH)
        return sl_unsupported(c->b, "an activation of cells other than TANH");
    return SLUICE_OK;
}

static sluice_status connect(struct tfl_import *c, struct sl_node *x, const struct tfl_weights *w, struct sl_node **out)
{
    *out = sl_build_add(c->b, SL_OP_fc, 1, &x);
    tfl_set_weights(c, *out, w);
    return sl_build_finish(c->b, out);
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
        return sl_unsupported(c->b, "%lld steps, 1 to %d can be written out", (long long)l->steps, MOST_STEPS);
    SL_TRY(sl_build_reshape(c->b, x, 2, (int64_t[]){x->shape.dim[0] * x->shape.dim[1], l->features}, &rows));
    for (int i = 0; i < 4; i++) {
        struct tfl_weights w, *r = &l->r[i];
        SL_TRY(tfl_read_weights(c, LSTM_W + i, LSTM_BIAS + i, LSTM_X, 2, 0, io, &w));
        SL_TRY(tfl_read_weights(c, LSTM_R + i, -1, LSTM_X, 2, 0, io, r));
        l->cells = i == 0 ? w.kernel->shape.dim[1] : l->cells;
        if (w.kernel->shape.dim[0] != l->features || w.kernel->shape.dim[1] != l->cells ||
            r->kernel->shape.dim[0] != l->cells || r->kernel->shape.dim[1] != l->cells)
            return sl_fail(c->e, SLUICE_E_SHAPE, "weights of gate %d do not fit %lld features and %lld cells", i,
                           (long long)l->features, (long long)l->cells);
        SL_TRY(connect(c, rows, &w, &l->x[i]));
        encode(l, l->x[i], &gate_sum);
        SL_TRY(sl_build_reshape(c->b, l->x[i], 3, (int64_t[]){x->shape.dim[0], x->shape.dim[1], l->cells}, &l->x[i]));
    }
    return SLUICE_OK;
}

static sluice_status gate(struct tfl_import *c, const struct lstm *l, int which, int64_t t, struct sl_node *h,
                          struct sl_node **out)
{
    struct sl_node *back;
    SL_TRY(sl_build_slice_axis(c->b, l->x[which], l->time_major ? 0 : 1, t, t + 1, out));
    SL_TRY(sl_build_reshape(c->b, *out, 2, (int64_t[]){l->batch, l->cells}, out));
    if (h) {
        SL_TRY(connect(c, h, &l->r[which], &back));
        encode(l, back, &gate_sum);
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, *out, back, out));
        encode(l, *out, &gate_sum);
    }
    SL_TRY(sl_build_unary(c->b, *out, which == GATE_CELL ? "tanh" : "sigmoid", out));
    encode(l, *out, &gate_value);
    return SLUICE_OK;
}

static sluice_status step(struct tfl_import *c, const struct lstm *l, int64_t t, struct sl_node **h, struct sl_node **cell)
{
    struct sl_node *g[4], *kept;
    for (int i = 0; i < 4; i++)
        if (i != GATE_FORGET || *cell)
            SL_TRY(gate(c, l, i, t, *h, &g[i]));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, g[GATE_INPUT], g[GATE_CELL], &g[GATE_CELL]));
    encode(l, g[GATE_CELL], &l->cell);
    if (*cell) {
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, g[GATE_FORGET], *cell, &kept));
        encode(l, kept, &l->cell);
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, kept, g[GATE_CELL], &g[GATE_CELL]));
        encode(l, g[GATE_CELL], &l->cell);
    }
    *cell = g[GATE_CELL];
    if (l->clip > 0)
        SL_TRY(sl_build_unary2(c->b, *cell, "clip", "minimum", -l->clip, "maximum", l->clip, cell));
    encode(l, *cell, &l->cell);
    SL_TRY(sl_build_unary(c->b, *cell, "tanh", &kept));
    encode(l, kept, &gate_value);
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, g[GATE_OUTPUT], kept, h));
    encode(l, *h, &l->h);
    return SLUICE_OK;
}

sluice_status tflop_sequence_lstm(struct tfl_import *c, const struct tfl_operator *op)
{
    struct lstm l = {.time_major = flat_u8(&op->options, LSTM_TIME_MAJOR, 0) != 0,
                     .clip = flat_f32(&op->options, LSTM_CELL_CLIP, 0)};
    struct sl_node *h = NULL, *cell = NULL, *y;
    SL_TRY(check_plain(c));
    if (tfl_has_in(c, LSTM_H) && tfl_has_in(c, LSTM_CELL)) {
        l.h = tfl_encoding(tfl_in_tensor(c, LSTM_H));
        l.cell = tfl_encoding(tfl_in_tensor(c, LSTM_CELL));
        l.encoded = l.h.dtype != SL_NONE && l.cell.dtype != SL_NONE && tfl_is_quantized(tfl_in_tensor(c, LSTM_X));
    }
    SL_TRY(input_parts(c, &l));
    SL_TRY(sl_build_take(c->b, (size_t)l.steps * 512)); /* what the layers of a step take, in elements of a constant */
    struct sl_node **all = SL_NEW_ARRAY(c->a, struct sl_node *, l.steps);
    for (int64_t t = 0; t < l.steps; t++) {
        SL_TRY(step(c, &l, t, &h, &cell));
        SL_TRY(sl_build_reshape(c->b, h, 3, (int64_t[]){l.time_major ? 1 : l.batch, l.time_major ? l.batch : 1, l.cells},
                                &all[t]));
        encode(&l, all[t], &l.h);
    }
    SL_TRY(sl_build_concat(c->b, l.time_major ? 0 : 1, (int)l.steps, all, &y));
    sl_note(c->b, "'%s': the LSTM's state begins at zero in each run", c->b->origin);
    return tfl_out(c, 0, y);
}

/* ---- SVDF ---- */

/* Inputs: x [batch, in], features [filters, in], time [filters, memory], bias, state. With a state of zeros the newest column
 * of the memory is all there is, so the filters of a unit join into one row of weights. */
static sluice_status svdf_kernel(struct tfl_import *c, int64_t rank, const struct sl_const **out)
{
    const struct sl_const *feature, *time;
    void *data;
    SL_TRY(tfl_need_const(c, 1, "feature weights", &feature));
    SL_TRY(tfl_need_const(c, 2, "time weights", &time));
    if (feature->shape.rank != 2 || time->shape.rank != 2 || feature->dtype != SL_F32 || time->dtype != SL_F32 || rank < 1 ||
        feature->shape.dim[0] != time->shape.dim[0] || feature->shape.dim[0] % rank || time->shape.dim[1] < 1)
        return sl_fail(c->e, SLUICE_E_SHAPE, "feature and time weights do not fit each other and rank %lld", (long long)rank);
    int64_t units = feature->shape.dim[0] / rank, in = feature->shape.dim[1], memory = time->shape.dim[1];
    const struct sl_shape s = {2, {in, units}};
    const float *f = sl_const_dense(c->a, feature), *t = sl_const_dense(c->a, time);
    *out = sl_const_new(c->a, SL_F32, &s, &data);
    if (!*out || !f || !t)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for the weights");
    for (int64_t i = 0; i < in; i++)
        for (int64_t u = 0; u < units; u++) {
            double sum = 0;
            for (int64_t k = u * rank; k < (u + 1) * rank; k++)
                sum += (double)f[k * in + i] * (double)t[(k + 1) * memory - 1];
            ((float *)data)[i * units + u] = (float)sum;
        }
    return SLUICE_OK;
}

sluice_status tflop_svdf(struct tfl_import *c, const struct tfl_operator *op)
{
    struct tfl_weights w = {0};
    struct sl_node *x;
    SL_TRY(tfl_in(c, 0, &x));
    SL_TRY(svdf_kernel(c, flat_s32(&op->options, SVDF_RANK, 0), &w.kernel));
    if (!x || x->shape.rank != 2 || x->shape.dim[1] != w.kernel->shape.dim[0])
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input is not rows of %lld", (long long)w.kernel->shape.dim[0]);
    if (tfl_has_in(c, 3) && tfl_in_tensor(c, 3)->type != TFL_FLOAT32)
        return sl_unsupported(c->b, "an integer bias");
    if (tfl_has_in(c, 3))
        SL_TRY(tfl_need_const(c, 3, "bias", &w.bias));
    SL_TRY(connect(c, x, &w, &x));
    sl_note(c->b, "'%s': the SVDF's memory begins at zero in each run", c->b->origin);
    return tfl_activated_out(c, SVDF_ACTIVATION, x);
}
