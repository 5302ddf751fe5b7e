/*
 * tflite_lstm.c: UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM written out step by step, in float with coupled
 * gates, peepholes, layer normalization and projection; in integers with the file's scales of what is between its parts. The
 * state begins at zero each run: a network that carries it from run to run would need state tensors. The parser says so in a
 * note.
 */
#include <math.h>

#include "tflite/tflite_encode.h"
#include "tflite/tflite_import.h"

enum { GATE_INPUT, GATE_FORGET, GATE_CELL, GATE_OUTPUT, GATES };
enum { MOST_STEPS = 1024, AUX_X = 39, AUX_W = 40, AUX_END = 48 };

/* Input numbers of one direction; gates in the order input, forget, cell, output; peepholes of all but the cell. */
struct places {
    int w, r, peephole, bias, projection, projection_bias, h, cell, norm;
};
static const struct places alone = {1, 5, 9, 12, 16, 17, 18, 19, 20}, forward = {1, 5, 9, 12, 16, 17, 35, 36, -1},
                           backward = {18, 22, 26, 29, 33, 34, 37, 38, -1};

struct lstm {
    struct places at;
    int64_t steps, batch, features, cells, units; /* units: what it puts out; cells, or what the projection leaves */
    bool time_major, reversed, coupled, normalized, peepholes;
    double clip, projection_clip;
    int64_t activation;
    struct sl_node *x[GATES]; /* of each gate: input's part, [batch, steps, cells] */
    struct tfl_weights r[GATES], projection;
    const struct sl_const *norm[GATES], *norm_bias[GATES];
    struct sl_node *peephole[GATES];
    /* Integers: 16-bit sums of gates (before their normalization in steps of the file's), and the file's scales of the two
     * states and of what the cells put out before the projection. */
    bool encoded;
    struct sl_quant h, cell, hidden, sum[GATES];
};

static const int64_t io[2] = {1, 0};

/* Fixed point as LiteRT's integer LSTM has it: sums of gates in steps of 2^-12, what a sigmoid or tanh gives in steps of 2^-15.
 */
static const struct sl_quant gate_sum = {.dtype = SL_U16, .scale = 0x1p-12f, .zero_point = 32768};
static const struct sl_quant gate_value = {.dtype = SL_U16, .scale = 0x1p-15f, .zero_point = 32768};

static void encode(const struct lstm *l, struct sl_node *n, const struct sl_quant *q)
{
    if (l->encoded && n->op != SL_OP_const_input)
        n->quant = *q;
}

/* LiteRT moves stored values from one tensor to another without asking whether their encodings agree. */
static sluice_status reencode(struct tfl_import *c, const struct lstm *l, const struct sl_quant *to, struct sl_node **n)
{
    if (!l->encoded || tfl_same_encoding(&(*n)->quant, to) || (*n)->op == SL_OP_const_input)
        return SLUICE_OK;
    *n = sl_build_add(c->b, SL_OP_requantize, 1, n);
    sl_set_int(c->g, *n, TFL_BYTES, 1);
    (*n)->quant = *to;
    return sl_infer(c->g, *n, c->e);
}

static bool has_any(const struct tfl_import *c, int from, int n)
{
    for (int i = from; from >= 0 && i < from + n; i++)
        if (tfl_has_in(c, i))
            return true;
    return false;
}

/* ---- what the operator holds ---- */

/* The intermediates: sums of the four gates, which only a normalization asks for, and what the cells put out. */
static const struct tfl_tensor *inner(const struct tfl_import *c, int i)
{
    return i < c->op->n_inner && c->op->inner[i] >= 0 ? &c->model.tensors[c->op->inner[i]] : NULL;
}

static sluice_status read_inner(struct tfl_import *c, struct lstm *l)
{
    const struct tfl_tensor *t = inner(c, GATES);
    struct sl_quant hidden = t ? tfl_encoding(t) : l->h;
    l->hidden = hidden.dtype == SL_U8 ? hidden : l->h;
    if (tfl_has_in(c, l->at.projection) &&
        l->hidden.zero_point > 0) /* in front of a projection LiteRT subtracts the zero point */
        l->hidden.zero_point = 256 - l->hidden.zero_point;
    for (int i = 0; i < GATES; i++) {
        t = inner(c, i);
        l->sum[i] = gate_sum;
        if (!l->normalized || (l->coupled && i == GATE_INPUT))
            continue;
        if (!t || t->n_scales != 1 || !(t->scales[0] > 0))
            return sl_fail(c->e, SLUICE_E_FORMAT, "an integer LSTM with normalized gates has no scale for the sum of gate %d",
                           i);
        l->sum[i].scale = t->scales[0];
    }
    return SLUICE_OK;
}

static sluice_status read_form(struct tfl_import *c, struct lstm *l)
{
    l->coupled = !tfl_has_in(c, l->at.w);
    l->peepholes = has_any(c, l->at.peephole, 3);
    l->normalized = has_any(c, l->at.norm, GATES);
    for (int i = l->coupled ? 1 : 0; i < GATES; i++)
        if (!tfl_has_in(c, l->at.w + i) || !tfl_has_in(c, l->at.r + i))
            return sl_fail(c->e, SLUICE_E_FORMAT, "weights of gate %d are missing", i);
    if (tfl_has_in(c, l->at.h) && tfl_has_in(c, l->at.cell)) {
        if (!tfl_in_tensor(c, l->at.h)->variable || !tfl_in_tensor(c, l->at.cell)->variable)
            return sl_unsupported(c->b, "a state that the network computes or holds; it begins at zero here");
        l->h = tfl_encoding(tfl_in_tensor(c, l->at.h));
        l->cell = tfl_encoding(tfl_in_tensor(c, l->at.cell));
        l->encoded = l->h.dtype == SL_U8 && l->cell.dtype == SL_U16 && tfl_is_quantized(tfl_in_tensor(c, 0));
    }
    if (l->encoded && l->activation != TFL_ACT_TANH)
        return sl_unsupported(c->b, "an integer LSTM with another activation than TANH; convert it with float activations");
    return l->encoded ? read_inner(c, l) : SLUICE_OK;
}

static sluice_status connect(struct tfl_import *c, struct sl_node *x, const struct tfl_weights *w, struct sl_node **out)
{
    *out = sl_build_add(c->b, SL_OP_fc, 1, &x);
    tfl_set_weights(c, *out, w);
    return sl_build_finish(c->b, out);
}

static sluice_status scaled_integers(struct tfl_import *c, const struct sl_const *k, double unit, const struct sl_const **out)
{
    void *data;
    *out = sl_const_new(c->a, SL_F32, &k->shape, &data);
    if (!*out)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for biases");
    for (size_t i = 0; i < sl_shape_elements(&k->shape); i++)
        ((float *)data)[i] = (float)(unit * (double)sl_const_integer(k, i));
    return SLUICE_OK;
}

/* unit: of integers that have no scale of their own. */
static sluice_status cell_constant(struct tfl_import *c, const struct lstm *l, int input, const char *what, double unit,
                                   const struct sl_const **out)
{
    const struct sl_shape list = {1, {l->cells}};
    SL_TRY(tfl_need_const(c, input, what, out));
    if (l->encoded && (*out)->dtype == SL_S32)
        SL_TRY(scaled_integers(c, *out, unit, out));
    if ((int64_t)sl_shape_elements(&(*out)->shape) != l->cells || (*out)->dtype != SL_F32)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%s are not %lld numbers", what, (long long)l->cells);
    *out = sl_const_reshape(c->a, *out, &list);
    return SLUICE_OK;
}

/* Where gates are normalized their bias comes after it. */
static sluice_status read_gate(struct tfl_import *c, struct lstm *l, int i, struct tfl_weights *w)
{
    struct tfl_weights *r = &l->r[i];
    SL_TRY(tfl_read_weights(c, l->at.w + i, l->normalized ? -1 : l->at.bias + i, 0, 2, 0, io, w));
    SL_TRY(tfl_read_weights(c, l->at.r + i, -1, 0, 2, 0, io, r));
    if (l->cells == 0) {
        l->cells = w->kernel->shape.dim[1];
        l->units = r->kernel->shape.dim[0];
    }
    if (w->kernel->shape.dim[0] != l->features || w->kernel->shape.dim[1] != l->cells || r->kernel->shape.dim[0] != l->units ||
        r->kernel->shape.dim[1] != l->cells)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights of gate %d do not fit %lld features, %lld cells and %lld outputs", i,
                       (long long)l->features, (long long)l->cells, (long long)l->units);
    if (l->normalized) {
        const struct tfl_tensor *factors = tfl_in_tensor(c, l->at.norm + i);
        double unit = factors && factors->n_scales == 1 ? (double)factors->scales[0] / 1024 : 1;
        SL_TRY(cell_constant(c, l, l->at.norm + i, "factors of the normalization", unit, &l->norm[i]));
        SL_TRY(cell_constant(c, l, l->at.bias + i, "the biases", unit, &l->norm_bias[i]));
    }
    if (l->peepholes && i != GATE_CELL) {
        const struct sl_const *k;
        int input = l->at.peephole + (i == GATE_OUTPUT ? 2 : i);
        SL_TRY(cell_constant(c, l, input, "peephole weights", 1, &k));
        l->peephole[i] = sl_build_const(c->b, k);
        if (l->encoded)
            l->peephole[i]->quant = tfl_encoding(tfl_in_tensor(c, input));
    }
    return SLUICE_OK;
}

static sluice_status read_projection(struct tfl_import *c, struct lstm *l)
{
    if (!tfl_has_in(c, l->at.projection))
        return l->units == l->cells ? SLUICE_OK
                                    : sl_fail(c->e, SLUICE_E_SHAPE, "%lld outputs of %lld cells without a projection",
                                              (long long)l->units, (long long)l->cells);
    SL_TRY(tfl_read_weights(c, l->at.projection, l->encoded ? -1 : l->at.projection_bias, 0, 2, 0, io, &l->projection));
    if (l->encoded && tfl_has_in(c, l->at.projection_bias)) {
        const struct tfl_tensor hidden = {.n_scales = 1, .scales = &l->hidden.scale};
        SL_TRY(tfl_integer_bias(c, tfl_in_tensor(c, l->at.projection_bias), &hidden, tfl_in_tensor(c, l->at.projection),
                                l->units, &l->projection));
    }
    return l->projection.kernel->shape.dim[0] == l->cells && l->projection.kernel->shape.dim[1] == l->units
               ? SLUICE_OK
               : sl_fail(c->e, SLUICE_E_SHAPE, "the projection does not lead from %lld cells to %lld outputs",
                         (long long)l->cells, (long long)l->units);
}

/* The input's part of all gates, for all steps at once. */
static sluice_status input_parts(struct tfl_import *c, struct lstm *l)
{
    struct sl_node *x, *rows;
    SL_TRY(tfl_in(c, 0, &x));
    if (!x || x->shape.rank != 3)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input does not have 3 dimensions");
    l->batch = x->shape.dim[l->time_major ? 1 : 0];
    l->steps = x->shape.dim[l->time_major ? 0 : 1];
    l->features = x->shape.dim[2];
    if (l->steps < 1 || l->steps > MOST_STEPS)
        return sl_unsupported(c->b, "%lld steps, 1 to %d can be written out", (long long)l->steps, MOST_STEPS);
    SL_TRY(sl_build_reshape(c->b, x, 2, (int64_t[]){x->shape.dim[0] * x->shape.dim[1], l->features}, &rows));
    for (int i = l->coupled ? 1 : 0; i < GATES; i++) {
        struct tfl_weights w;
        SL_TRY(read_gate(c, l, i, &w));
        SL_TRY(connect(c, rows, &w, &l->x[i]));
        encode(l, l->x[i], &l->sum[i]);
        SL_TRY(sl_build_reshape(c->b, l->x[i], 3, (int64_t[]){x->shape.dim[0], x->shape.dim[1], l->cells}, &l->x[i]));
    }
    return read_projection(c, l);
}

/* ---- one step ---- */

static sluice_status normalize(struct tfl_import *c, const struct lstm *l, int which, struct sl_node **x)
{
    struct sl_node *n = sl_build_add(c->b, SL_OP_layer_norm, 1, x);
    sl_set_float(c->g, n, "epsilon", 1e-8);
    sl_set_param(c->g, n, "gamma", l->norm[which]);
    sl_set_param(c->g, n, "beta", l->norm_bias[which]);
    *x = n;
    return sl_build_finish(c->b, x);
}

static void encode_curve(struct tfl_import *c, const struct lstm *l, struct sl_node *n)
{
    encode(l, n, &gate_value);
    if (l->encoded && n->op == SL_OP_activation)
        sl_set_int(c->g, n, TFL_FIXED, 1);
}

/* cell: what a peephole sees; NULL while it is zero. */
static sluice_status gate(struct tfl_import *c, const struct lstm *l, int which, int64_t t, struct sl_node *h,
                          struct sl_node *cell, struct sl_node **out)
{
    struct sl_node *more;
    SL_TRY(sl_build_slice_axis(c->b, l->x[which], l->time_major ? 0 : 1, t, t + 1, out));
    SL_TRY(sl_build_reshape(c->b, *out, 2, (int64_t[]){l->batch, l->cells}, out));
    if (h) {
        SL_TRY(connect(c, h, &l->r[which], &more));
        encode(l, more, &l->sum[which]);
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, *out, more, out));
        encode(l, *out, &l->sum[which]);
    }
    if (cell && l->peephole[which]) {
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, cell, l->peephole[which], &more));
        encode(l, more, &l->sum[which]);
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, *out, more, out));
        encode(l, *out, &l->sum[which]);
    }
    if (l->normalized) {
        SL_TRY(normalize(c, l, which, out));
        encode(l, *out, &gate_sum);
    }
    SL_TRY(which == GATE_CELL ? tfl_activate(c, *out, l->activation, out) : sl_build_unary(c->b, *out, "sigmoid", out));
    encode_curve(c, l, *out);
    return SLUICE_OK;
}

static sluice_status clip(struct tfl_import *c, double most, struct sl_node **x)
{
    return most > 0 ? sl_build_unary2(c->b, *x, "clip", "minimum", -most, "maximum", most, x) : SLUICE_OK;
}

/* What the cell held and what is new, weighed by their gates. */
static sluice_status next_cell(struct tfl_import *c, const struct lstm *l, struct sl_node *const *g, struct sl_node **cell)
{
    struct sl_node *fresh, *kept;
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, g[GATE_INPUT], g[GATE_CELL], &fresh));
    encode(l, fresh, &l->cell);
    if (*cell) {
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, g[GATE_FORGET], *cell, &kept));
        encode(l, kept, &l->cell);
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, kept, fresh, &fresh));
        encode(l, fresh, &l->cell);
    }
    *cell = fresh;
    SL_TRY(clip(c, l->clip, cell));
    encode(l, *cell, &l->cell);
    return SLUICE_OK;
}

/* LiteRT clips stored integers, which count from the file's 0 and not from the zero point. */
static sluice_status clip_projection(struct tfl_import *c, const struct lstm *l, struct sl_node **y)
{
    if (!l->encoded || !(l->projection_clip > 0))
        return clip(c, l->projection_clip, y);
    double scale = (double)l->h.scale, most = floor(fmin(l->projection_clip / scale, 127)), zero = l->h.zero_point - 128;
    return sl_build_unary2(c->b, *y, "clip", "minimum", scale * (-most - zero), "maximum", scale * (most - zero), y);
}

/* 1 less the forget gate; of integers the largest, which is 1 - 2^-15. */
static sluice_status coupled_gate(struct tfl_import *c, const struct lstm *l, struct sl_node *forget, struct sl_node **out)
{
    struct sl_node *one = sl_build_f32(c->b, l->encoded ? 1 - 0x1p-15 : 1);
    if (l->encoded)
        one->quant = gate_value;
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, one, forget, out));
    encode(l, *out, &gate_value);
    return SLUICE_OK;
}

/* *h: what the next step reads, *y: what this one puts out. */
static sluice_status step(struct tfl_import *c, const struct lstm *l, int64_t t, struct sl_node **h, struct sl_node **cell,
                          struct sl_node **y)
{
    struct sl_node *g[GATES], *bent;
    bool forgets = *cell || l->coupled;
    if (forgets)
        SL_TRY(gate(c, l, GATE_FORGET, t, *h, *cell, &g[GATE_FORGET]));
    if (l->coupled)
        SL_TRY(coupled_gate(c, l, g[GATE_FORGET], &g[GATE_INPUT]));
    else
        SL_TRY(gate(c, l, GATE_INPUT, t, *h, *cell, &g[GATE_INPUT]));
    SL_TRY(gate(c, l, GATE_CELL, t, *h, NULL, &g[GATE_CELL]));
    SL_TRY(next_cell(c, l, g, cell));
    SL_TRY(gate(c, l, GATE_OUTPUT, t, *h, *cell, &g[GATE_OUTPUT]));
    SL_TRY(tfl_activate(c, *cell, l->activation, &bent));
    encode_curve(c, l, bent);
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, g[GATE_OUTPUT], bent, y));
    encode(l, *y, &l->hidden);
    if (l->projection.kernel) {
        SL_TRY(connect(c, *y, &l->projection, y));
        encode(l, *y, &l->h);
        SL_TRY(clip_projection(c, l, y));
        encode(l, *y, &l->h);
    }
    *h = *y;
    return reencode(c, l, &l->h, h);
}

/* ---- operators ---- */

static sluice_status run(struct tfl_import *c, struct lstm *l, struct sl_node **out)
{
    struct sl_node *h = NULL, *cell = NULL;
    SL_TRY(read_form(c, l));
    SL_TRY(input_parts(c, l));
    SL_TRY(sl_build_take(c->b, (size_t)l->steps * 512)); /* what the layers of a step take, in elements of a constant */
    struct sl_node **all = SL_NEW_ARRAY(c->a, struct sl_node *, l->steps);
    for (int64_t k = 0; k < l->steps; k++) {
        int64_t t = l->reversed ? l->steps - 1 - k : k;
        struct sl_node *y;
        SL_TRY(step(c, l, t, &h, &cell, &y));
        SL_TRY(sl_build_reshape(c->b, y, 3, (int64_t[]){l->time_major ? 1 : l->batch, l->time_major ? l->batch : 1, l->units},
                                &all[t]));
        encode(l, all[t], &y->quant);
    }
    SL_TRY(sl_build_concat(c->b, l->time_major ? 0 : 1, (int)l->steps, all, out));
    if (!l->encoded)
        return SLUICE_OK;
    (*out)->quant = all[0]->quant;
    const struct sl_quant given = tfl_encoding(&c->model.tensors[c->op->out[0]]);
    return given.dtype == SL_U8 ? reencode(c, l, &given, out) : SLUICE_OK;
}

static void note_state(struct tfl_import *c)
{
    sl_note(c->b, "'%s': the LSTM's state begins at zero in each run", c->b->origin);
}

static struct lstm with_options(const struct tfl_operator *op, const struct places *at, bool time_major)
{
    return (struct lstm){.at = *at,
                         .time_major = time_major,
                         .clip = flat_f32(&op->options, LSTM_CELL_CLIP, 0),
                         .projection_clip = flat_f32(&op->options, LSTM_PROJECTION_CLIP, 0),
                         .activation = flat_s8(&op->options, LSTM_ACTIVATION, TFL_ACT_NONE)};
}

sluice_status tflop_sequence_lstm(struct tfl_import *c, const struct tfl_operator *op)
{
    struct lstm l = with_options(op, &alone, flat_u8(&op->options, LSTM_TIME_MAJOR, 0) != 0);
    struct sl_node *y;
    if (flat_u8(&op->options, LSTM_DIAGONAL, 0))
        return sl_unsupported(c->b, "diagonal recurrent weights");
    SL_TRY(run(c, &l, &y));
    note_state(c);
    return tfl_out(c, 0, y);
}

sluice_status tflop_both_lstm(struct tfl_import *c, const struct tfl_operator *op)
{
    bool time_major = flat_u8(&op->options, BOTH_LSTM_TIME_MAJOR, 1) != 0;
    struct lstm there = with_options(op, &forward, time_major), back = with_options(op, &backward, time_major);
    struct sl_node *y[2];
    back.reversed = true;
    if (has_any(c, AUX_X, AUX_END - AUX_X))
        return sl_unsupported(c->b, "an auxiliary input");
    SL_TRY(run(c, &there, &y[0]));
    SL_TRY(run(c, &back, &y[1]));
    note_state(c);
    if (!flat_u8(&op->options, BOTH_LSTM_MERGE, 0)) {
        SL_TRY(tfl_out(c, 0, y[0]));
        return tfl_out(c, 1, y[1]);
    }
    SL_TRY(sl_build_concat(c->b, 2, 2, y, &y[0]));
    return tfl_out(c, 0, y[0]);
}
