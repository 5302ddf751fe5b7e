/*
 * tflite_rnn.c: UNIDIRECTIONAL_SEQUENCE_RNN and BIDIRECTIONAL_SEQUENCE_RNN written out step by step, and SVDF. Their state
 * begins at zero each run, as an LSTM's does (tflite_lstm.c).
 */
#include <math.h>

#include "tflite/tflite_import.h"

enum { MOST_STEPS = 1024 };
enum { RNN_X, RNN_W, RNN_R, RNN_BIAS, RNN_H, BACK_W, RNN_AUX = 9, RNN_AUX_END = 12 };

static const int64_t io[2] = {1, 0};

static sluice_status connect(struct tfl_import *c, struct sl_node *x, const struct tfl_weights *w, struct sl_node **out)
{
    *out = sl_build_add(c->b, SL_OP_fc, 1, &x);
    tfl_set_weights(c, *out, w);
    return sl_build_finish(c->b, out);
}

/* ---- plain recurrent layers: h = act(x W + h R + bias) ---- */

struct rnn {
    int at; /* of the weights among the inputs: weights, recurrent weights, bias, state */
    bool time_major, reversed;
    int64_t activation;
};

static sluice_status rnn_run(struct tfl_import *c, const struct rnn *l, struct sl_node **out)
{
    struct tfl_weights w, r;
    struct sl_node *x, *parts, *h = NULL, *back;
    SL_TRY(tfl_in(c, RNN_X, &x));
    if (!x || x->shape.rank != 3)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input does not have 3 dimensions");
    if (tfl_is_quantized(tfl_in_tensor(c, RNN_X)))
        return sl_unsupported(c->b, "an integer RNN; convert it with float activations");
    int64_t batch = x->shape.dim[l->time_major ? 1 : 0], steps = x->shape.dim[l->time_major ? 0 : 1];
    if (steps < 1 || steps > MOST_STEPS)
        return sl_unsupported(c->b, "%lld steps, 1 to %d can be written out", (long long)steps, MOST_STEPS);
    SL_TRY(tfl_read_weights(c, l->at, l->at + 2, RNN_X, 2, 0, io, &w));
    SL_TRY(tfl_read_weights(c, l->at + 1, -1, RNN_X, 2, 0, io, &r));
    int64_t units = w.kernel->shape.dim[1];
    if (w.kernel->shape.dim[0] != x->shape.dim[2] || r.kernel->shape.dim[0] != units || r.kernel->shape.dim[1] != units)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights do not fit %lld features and %lld units", (long long)x->shape.dim[2],
                       (long long)units);
    SL_TRY(sl_build_take(c->b, (size_t)steps * 128)); /* what the layers of a step take, in elements of a constant */
    SL_TRY(sl_build_reshape(c->b, x, 2, (int64_t[]){batch * steps, x->shape.dim[2]}, &parts));
    SL_TRY(connect(c, parts, &w, &parts));
    SL_TRY(sl_build_reshape(c->b, parts, 3, (int64_t[]){x->shape.dim[0], x->shape.dim[1], units}, &parts));
    struct sl_node **all = SL_NEW_ARRAY(c->a, struct sl_node *, steps), *y;
    for (int64_t k = 0; k < steps; k++) {
        int64_t t = l->reversed ? steps - 1 - k : k;
        SL_TRY(sl_build_slice_axis(c->b, parts, l->time_major ? 0 : 1, t, t + 1, &y));
        SL_TRY(sl_build_reshape(c->b, y, 2, (int64_t[]){batch, units}, &y));
        if (h) {
            SL_TRY(connect(c, h, &r, &back));
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, back, &y));
        }
        SL_TRY(tfl_activate(c, y, l->activation, &h));
        SL_TRY(sl_build_reshape(c->b, h, 3, (int64_t[]){l->time_major ? 1 : batch, l->time_major ? batch : 1, units}, &all[t]));
    }
    return sl_build_concat(c->b, l->time_major ? 0 : 1, (int)steps, all, out);
}

static struct rnn with_options(const struct tfl_operator *op, int at, bool reversed)
{
    return (struct rnn){at, flat_u8(&op->options, RNN_TIME_MAJOR, 0) != 0, reversed,
                        flat_s8(&op->options, RNN_ACTIVATION, TFL_ACT_NONE)};
}

sluice_status tflop_sequence_rnn(struct tfl_import *c, const struct tfl_operator *op)
{
    struct rnn l = with_options(op, RNN_W, false);
    struct sl_node *y;
    SL_TRY(rnn_run(c, &l, &y));
    sl_note(c->b, "'%s': the RNN's state begins at zero in each run", c->b->origin);
    return tfl_out(c, 0, y);
}

sluice_status tflop_both_rnn(struct tfl_import *c, const struct tfl_operator *op)
{
    struct rnn there = with_options(op, RNN_W, false), back = with_options(op, BACK_W, true);
    struct sl_node *y[2];
    for (int i = RNN_AUX; i < RNN_AUX_END; i++)
        if (tfl_has_in(c, i))
            return sl_unsupported(c->b, "an auxiliary input");
    SL_TRY(rnn_run(c, &there, &y[0]));
    SL_TRY(rnn_run(c, &back, &y[1]));
    sl_note(c->b, "'%s': the RNN's state begins at zero in each run", c->b->origin);
    if (!flat_u8(&op->options, BOTH_RNN_MERGE, 0)) {
        SL_TRY(tfl_out(c, 0, y[0]));
        return tfl_out(c, 1, y[1]);
    }
    SL_TRY(sl_build_concat(c->b, 2, 2, y, &y[0]));
    return tfl_out(c, 0, y[0]);
}

/* ---- SVDF ---- */

enum { SVDF_X, SVDF_FEATURES, SVDF_TIME, SVDF_BIAS, SVDF_STATE };

/* Inputs: x [batch, in], features [filters, in], time [filters, memory], bias, state. With a state of zeros the newest column
 * of the memory is all there is, so the filters of a unit join into one row of weights. */
static sluice_status svdf_kernel(struct tfl_import *c, int64_t rank, const struct sl_const **out)
{
    const struct sl_const *feature, *time;
    void *data;
    SL_TRY(tfl_need_const(c, SVDF_FEATURES, "feature weights", &feature));
    SL_TRY(tfl_need_const(c, SVDF_TIME, "time weights", &time));
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

/* In integers the memory has an encoding of its own between the two sums: features, then one row of weights over the filters of
 * each unit. */
static sluice_status time_weights(struct tfl_import *c, int64_t rank, struct tfl_weights *w)
{
    const struct tfl_tensor *tensor = tfl_in_tensor(c, SVDF_TIME), *bias = tfl_in_tensor(c, SVDF_BIAS);
    const struct sl_const *time;
    void *data, *scales;
    SL_TRY(tfl_need_const(c, SVDF_TIME, "time weights", &time));
    int64_t filters = time->shape.dim[0], memory = time->shape.dim[1], units = filters / rank;
    const struct sl_shape s = {2, {filters, units}}, list = {1, {units}};
    if (tensor->n_scales != 1 || !(tensor->scales[0] > 0) || tensor->zero_points[0] != 0)
        return sl_unsupported(c->b, "time weights '%s' without one scale and the zero point 0", tensor->name);
    SL_TRY(sl_build_take(c->b, (size_t)filters * (size_t)units));
    const float *t = sl_const_dense(c->a, time);
    w->kernel = sl_const_new(c->a, SL_F32, &s, &data);
    w->scale = sl_const_new(c->a, SL_F32, &list, &scales);
    if (!w->kernel || !w->scale || !t)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for the weights");
    for (int64_t k = 0; k < filters; k++)
        ((float *)data)[k * units + k / rank] = t[(k + 1) * memory - 1];
    for (int64_t u = 0; u < units; u++)
        ((float *)scales)[u] = tensor->scales[0];
    return bias ? tfl_integer_bias(c, bias, tfl_in_tensor(c, SVDF_STATE), tensor, units, w) : SLUICE_OK;
}

static sluice_status svdf_integer(struct tfl_import *c, int64_t rank, struct sl_node *x)
{
    const struct tfl_tensor *state = tfl_in_tensor(c, SVDF_STATE);
    struct tfl_weights features, times = {0};
    SL_TRY(tfl_read_weights(c, SVDF_FEATURES, -1, SVDF_X, 2, 0, io, &features));
    SL_TRY(time_weights(c, rank, &times));
    SL_TRY(connect(c, x, &features, &x));
    x->quant = tfl_encoding(state);
    if (x->quant.dtype == SL_NONE)
        return sl_unsupported(c->b, "a state '%s' without a scale", state->name);
    SL_TRY(connect(c, x, &times, &x));
    return tfl_activated_out(c, SVDF_ACTIVATION, x);
}

sluice_status tflop_svdf(struct tfl_import *c, const struct tfl_operator *op)
{
    const int64_t rank = flat_s32(&op->options, SVDF_RANK, 0);
    struct tfl_weights w = {0};
    struct sl_node *x;
    SL_TRY(tfl_in(c, SVDF_X, &x));
    SL_TRY(svdf_kernel(c, rank, &w.kernel));
    if (!x || x->shape.rank != 2 || x->shape.dim[1] != w.kernel->shape.dim[0])
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input is not rows of %lld", (long long)w.kernel->shape.dim[0]);
    sl_note(c->b, "'%s': the SVDF's memory begins at zero in each run", c->b->origin);
    if (tfl_is_quantized(tfl_in_tensor(c, SVDF_X)) && tfl_has_in(c, SVDF_STATE))
        return svdf_integer(c, rank, x);
    if (tfl_has_in(c, SVDF_BIAS))
        SL_TRY(tfl_need_const(c, SVDF_BIAS, "bias", &w.bias));
    SL_TRY(connect(c, x, &w, &x));
    return tfl_activated_out(c, SVDF_ACTIVATION, x);
}
