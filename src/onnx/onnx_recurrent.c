/*
 * onnx_recurrent.c: RNN, GRU and LSTM unrolled over their static number of steps. The inputs' part of all steps is one product;
 * each step adds the state's part and applies the gates.
 */
#include <string.h>

#include "onnx/onnx_import.h"

enum { MOST_STEPS = 256 };

struct recurrence {
    int gates; /* rows of W in multiples of the hidden size: 1, 3, 4 */
    int64_t steps, batch, in, hidden, directions;
    struct sl_node *x, *w, *r, *b, *h0, *c0, *p;
    const char *activation[6];
    double alpha[6], beta[6];
    bool input_forget, linear_before_reset, layout;
    double clip; /* 0: none */
};

/* ---- attributes ---- */

static sluice_status find_activations(struct onnx_import *c, struct recurrence *q, int per_direction, const char *const *usual)
{
    static const struct {
        const char *name, *type;
        double alpha, beta;
    } known[] = {{"Relu", "relu", 0, 0},
                 {"Tanh", "tanh", 0, 0},
                 {"Sigmoid", "sigmoid", 0, 0},
                 {"Affine", "affine", 1, 0},
                 {"LeakyRelu", "leaky_relu", 0.01, 0},
                 {"ThresholdedRelu", "thresholded_relu", 1, 0},
                 {"HardSigmoid", "hard_sigmoid", 0.2, 0.5},
                 {"Elu", "elu", 1, 0},
                 {"Softsign", "softsign", 0, 0},
                 {"Softplus", "softplus", 0, 0}};
    const struct onnx_attr *names = onnx_attribute(c, "activations"), *alpha = onnx_attribute(c, "activation_alpha"),
                           *beta = onnx_attribute(c, "activation_beta");
    int n_alpha = 0, n_beta = 0, count = per_direction * (int)q->directions;
    if (names && (names->type != ONNX_ATTR_STRINGS || names->n < count))
        return sl_fail(c->e, SLUICE_E_VALUE, "activations has %d entries, %d are wanted", names->n, count);
    for (int i = 0; i < count; i++) {
        const char *name = names ? names->strings[i] : usual[i % per_direction];
        for (size_t k = 0; k < SL_COUNT(known); k++) {
            if (strcmp(known[k].name, name) != 0)
                continue;
            bool has_alpha = known[k].alpha != 0, has_beta = strcmp(name, "Affine") == 0 || strcmp(name, "HardSigmoid") == 0;
            q->activation[i] = known[k].type;
            q->alpha[i] = has_alpha && alpha && n_alpha < alpha->n ? (double)alpha->floats[n_alpha++] : known[k].alpha;
            q->beta[i] = has_beta && beta && n_beta < beta->n ? (double)beta->floats[n_beta++] : known[k].beta;
        }
        if (!q->activation[i])
            return sl_unsupported(c->b, "activation '%s'", name);
    }
    return SLUICE_OK;
}

static sluice_status check_lengths(struct onnx_import *c, const struct recurrence *q)
{
    const struct sl_const *k;
    SL_TRY(onnx_in_const(c, 4, &k));
    if (!onnx_has_in(c, 4))
        return SLUICE_OK;
    for (size_t i = 0; k && i < sl_shape_elements(&k->shape); i++)
        if (sl_const_integer(k, i) != q->steps)
            k = NULL;
    return k ? SLUICE_OK : sl_unsupported(c->b, "sequence_lens other than the %lld steps of the input", (long long)q->steps);
}

static sluice_status read_recurrence(struct onnx_import *c, struct recurrence *q, int per_direction, const char *const *usual)
{
    const char *direction = onnx_attr_string(c, "direction", "forward");
    static const int64_t swap[3] = {1, 0, 2};
    SL_TRY(onnx_in(c, 0, &q->x));
    SL_TRY(onnx_in(c, 1, &q->w));
    SL_TRY(onnx_in(c, 2, &q->r));
    SL_TRY(onnx_in(c, 3, &q->b));
    SL_TRY(onnx_in(c, 5, &q->h0));
    SL_TRY(onnx_in(c, 6, &q->c0));
    SL_TRY(onnx_in(c, 7, &q->p));
    q->layout = onnx_attr_int(c, "layout", 0) != 0;
    if (q->x->shape.rank != 3 || q->w->shape.rank != 3 || q->r->shape.rank != 3)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input and weights have %d, %d and %d dimensions, 3 are wanted", q->x->shape.rank,
                       q->w->shape.rank, q->r->shape.rank);
    if (q->layout) {
        SL_TRY(sl_build_transpose(c->b, q->x, swap, &q->x));
        if (q->h0)
            SL_TRY(sl_build_transpose(c->b, q->h0, swap, &q->h0));
        if (q->c0)
            SL_TRY(sl_build_transpose(c->b, q->c0, swap, &q->c0));
    }
    q->steps = q->x->shape.dim[0];
    q->batch = q->x->shape.dim[1];
    q->in = q->x->shape.dim[2];
    q->directions = q->w->shape.dim[0];
    q->hidden = q->r->shape.dim[2];
    q->input_forget = onnx_attr_int(c, "input_forget", 0) != 0;
    q->linear_before_reset = onnx_attr_int(c, "linear_before_reset", 0) != 0;
    q->clip = onnx_attr_float(c, "clip", 0);
    if (q->directions != (strcmp(direction, "bidirectional") == 0 ? 2 : 1) || q->w->shape.dim[1] != q->gates * q->hidden ||
        q->r->shape.dim[1] != q->gates * q->hidden || q->w->shape.dim[2] != q->in)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights do not fit direction '%s', %lld inputs and %lld hidden values", direction,
                       (long long)q->in, (long long)q->hidden);
    if (q->steps < 1 || q->steps > MOST_STEPS)
        return sl_unsupported(c->b, "%lld steps, 1 to %d are unrolled", (long long)q->steps, MOST_STEPS);
    SL_TRY(check_lengths(c, q));
    return find_activations(c, q, per_direction, usual);
}

/* ---- pieces of one direction ---- */

/* [d, a, b] -> [a, b] of one direction */
static sluice_status direction_of(struct onnx_import *c, struct sl_node *v, int64_t d, struct sl_node **out)
{
    *out = NULL;
    if (!v)
        return SLUICE_OK;
    SL_TRY(sl_build_slice_axis(c->b, v, 0, d, d + 1, out));
    return onnx_reshape(c, *out, v->shape.rank - 1, v->shape.dim + 1, out);
}

/* Rows from..to (in hidden sizes) of weights [gates * hidden, k], transposed to [k, rows]. */
static sluice_status rows_transposed(struct onnx_import *c, struct sl_node *w, int64_t from, int64_t to, struct sl_node **out)
{
    static const int64_t swap[2] = {1, 0};
    SL_TRY(sl_build_slice_axis(c->b, w, 0, from, to, out));
    return sl_build_transpose(c->b, *out, swap, out);
}

static sluice_status gate(struct onnx_import *c, const struct recurrence *q, struct sl_node *all, int k, struct sl_node **out)
{
    return sl_build_slice_axis(c->b, all, all->shape.rank - 1, k * q->hidden, (k + 1) * q->hidden, out);
}

static sluice_status curve(struct onnx_import *c, const struct recurrence *q, int k, struct sl_node *x, struct sl_node **out)
{
    if (q->clip > 0)
        SL_TRY(sl_build_unary2(c->b, x, "clip", "minimum", -q->clip, "maximum", q->clip, &x));
    return sl_build_unary2(c->b, x, q->activation[k], q->alpha[k] != 0 ? "alpha" : NULL, q->alpha[k],
                           q->beta[k] != 0 ? "beta" : NULL, q->beta[k], out);
}

static sluice_status zeros(struct onnx_import *c, const struct recurrence *q, struct sl_node **out)
{
    struct sl_shape s = {2, {q->batch, q->hidden}};
    const float zero = 0;
    *out = sl_build_const(c->b, sl_const_splat(c->a, SL_F32, &s, &zero));
    return SLUICE_OK;
}

static sluice_status add(struct onnx_import *c, struct sl_node *x, struct sl_node *y, struct sl_node **out)
{
    return sl_build_binary(c->b, SL_OP_ew_add, x, y, out);
}

static sluice_status mul(struct onnx_import *c, struct sl_node *x, struct sl_node *y, struct sl_node **out)
{
    return sl_build_binary(c->b, SL_OP_ew_mult, x, y, out);
}

struct step {
    struct sl_node *xw, *h, *cell, *r, *wb, *rb, *p;
    int first;
}; /* first: the direction's first activation */

static sluice_status rnn_step(struct onnx_import *c, const struct recurrence *q, struct step *s)
{
    struct sl_node *t, *u;
    SL_TRY(rows_transposed(c, s->r, 0, q->hidden, &u));
    SL_TRY(onnx_matmul(c, s->h, u, &t));
    SL_TRY(add(c, t, s->xw, &t));
    return curve(c, q, s->first, t, &s->h);
}

/* Gates z, r, h: H = (1 - z) * h + z * H. */
static sluice_status gru_step(struct onnx_import *c, const struct recurrence *q, struct step *s)
{
    struct sl_node *u, *zr, *z, *r, *h, *xh, *part, *rb;
    int64_t n = q->hidden;
    SL_TRY(rows_transposed(c, s->r, 0, 2 * n, &u));
    SL_TRY(onnx_matmul(c, s->h, u, &zr));
    SL_TRY(sl_build_slice_axis(c->b, s->xw, 1, 0, 2 * n, &part));
    SL_TRY(add(c, zr, part, &zr));
    SL_TRY(sl_build_slice_axis(c->b, s->rb, 0, 0, 2 * n, &rb));
    SL_TRY(add(c, zr, rb, &zr));
    SL_TRY(curve(c, q, s->first, zr, &zr));
    SL_TRY(gate(c, q, zr, 0, &z));
    SL_TRY(gate(c, q, zr, 1, &r));
    SL_TRY(rows_transposed(c, s->r, 2 * n, 3 * n, &u));
    SL_TRY(sl_build_slice_axis(c->b, s->rb, 0, 2 * n, 3 * n, &rb));
    SL_TRY(sl_build_slice_axis(c->b, s->xw, 1, 2 * n, 3 * n, &xh));
    if (q->linear_before_reset) {
        SL_TRY(onnx_matmul(c, s->h, u, &h));
        SL_TRY(add(c, h, rb, &h));
        SL_TRY(mul(c, h, r, &h));
    } else {
        SL_TRY(mul(c, s->h, r, &h));
        SL_TRY(onnx_matmul(c, h, u, &h));
        SL_TRY(add(c, h, rb, &h));
    }
    SL_TRY(add(c, h, xh, &h));
    SL_TRY(curve(c, q, s->first + 1, h, &h));
    /* h + z * (H - h) */
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, s->h, h, &part));
    SL_TRY(mul(c, part, z, &part));
    return add(c, part, h, &s->h);
}

/* Gates i, o, f, c; p holds peepholes for i, o, f. */
static sluice_status peephole(struct onnx_import *c, const struct recurrence *q, const struct step *s, int k, struct sl_node *x,
                              struct sl_node *cell, struct sl_node **out)
{
    struct sl_node *p;
    *out = x;
    if (!s->p)
        return SLUICE_OK;
    SL_TRY(gate(c, q, s->p, k, &p));
    SL_TRY(mul(c, p, cell, &p));
    return add(c, x, p, out);
}

static sluice_status lstm_step(struct onnx_import *c, const struct recurrence *q, struct step *s)
{
    struct sl_node *u, *all, *i, *o, *f, *g, *t;
    SL_TRY(rows_transposed(c, s->r, 0, 4 * q->hidden, &u));
    SL_TRY(onnx_matmul(c, s->h, u, &all));
    SL_TRY(add(c, all, s->xw, &all));
    SL_TRY(gate(c, q, all, 0, &i));
    SL_TRY(gate(c, q, all, 1, &o));
    SL_TRY(gate(c, q, all, 2, &f));
    SL_TRY(gate(c, q, all, 3, &g));
    SL_TRY(peephole(c, q, s, 0, i, s->cell, &i));
    SL_TRY(curve(c, q, s->first, i, &i));
    if (q->input_forget) {
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, sl_build_f32(c->b, 1), i, &f));
    } else {
        SL_TRY(peephole(c, q, s, 2, f, s->cell, &f));
        SL_TRY(curve(c, q, s->first, f, &f));
    }
    SL_TRY(curve(c, q, s->first + 1, g, &g));
    SL_TRY(mul(c, f, s->cell, &t));
    SL_TRY(mul(c, i, g, &g));
    SL_TRY(add(c, t, g, &s->cell));
    SL_TRY(peephole(c, q, s, 1, o, s->cell, &o));
    SL_TRY(curve(c, q, s->first, o, &o));
    SL_TRY(curve(c, q, s->first + 2, s->cell, &t));
    return mul(c, o, t, &s->h);
}

/* ---- unrolling ---- */

typedef sluice_status step_fn(struct onnx_import *c, const struct recurrence *q, struct step *s);

/* Biases [2 * gates * hidden]: of W, then of R. GRU keeps them apart, the others add them up. */
static sluice_status find_biases(struct onnx_import *c, const struct recurrence *q, struct sl_node *b, struct step *s)
{
    int64_t n = q->gates * q->hidden;
    struct sl_shape shape = {1, {n}};
    const float zero = 0;
    if (!b) {
        s->wb = s->rb = sl_build_const(c->b, sl_const_splat(c->a, SL_F32, &shape, &zero));
        return SLUICE_OK;
    }
    if (b->shape.dim[0] != 2 * n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "biases have %lld values, %lld are wanted", (long long)b->shape.dim[0],
                       (long long)(2 * n));
    SL_TRY(sl_build_slice_axis(c->b, b, 0, 0, n, &s->wb));
    SL_TRY(sl_build_slice_axis(c->b, b, 0, n, 2 * n, &s->rb));
    return q->gates == 3 ? SLUICE_OK : add(c, s->wb, s->rb, &s->wb);
}

/* One direction: the outputs of all steps [steps, batch, hidden] in the input's order, and the last states. */
static sluice_status run_direction(struct onnx_import *c, const struct recurrence *q, step_fn *fn, int per_direction, int64_t d,
                                   bool backward, struct sl_node **y, struct sl_node **h, struct sl_node **cell)
{
    struct step s = {.first = (int)d * per_direction};
    struct sl_node *w, *b, *all, **steps = SL_NEW_ARRAY(c->a, struct sl_node *, q->steps);
    int64_t rows = q->gates * q->hidden;
    SL_TRY(direction_of(c, q->w, d, &w));
    SL_TRY(direction_of(c, q->r, d, &s.r));
    SL_TRY(direction_of(c, q->b, d, &b));
    SL_TRY(direction_of(c, q->p, d, &s.p));
    SL_TRY(direction_of(c, q->h0, d, &s.h));
    SL_TRY(direction_of(c, q->c0, d, &s.cell));
    if (!s.h)
        SL_TRY(zeros(c, q, &s.h));
    if (!s.cell)
        SL_TRY(zeros(c, q, &s.cell));
    SL_TRY(find_biases(c, q, b, &s));
    SL_TRY(rows_transposed(c, w, 0, rows, &w));
    SL_TRY(onnx_matmul(c, q->x, w, &all));
    SL_TRY(add(c, all, s.wb, &all));
    for (int64_t i = 0; i < q->steps; i++) {
        int64_t t = backward ? q->steps - 1 - i : i;
        SL_TRY(sl_build_slice_axis(c->b, all, 0, t, t + 1, &s.xw));
        SL_TRY(onnx_reshape(c, s.xw, 2, (int64_t[]){q->batch, rows}, &s.xw));
        SL_TRY(fn(c, q, &s));
        SL_TRY(onnx_reshape(c, s.h, 4, (int64_t[]){1, 1, q->batch, q->hidden}, &steps[t]));
    }
    SL_TRY(sl_build_concat(c->b, 0, (int)q->steps, steps, y));
    SL_TRY(onnx_reshape(c, s.h, 3, (int64_t[]){1, q->batch, q->hidden}, h));
    return onnx_reshape(c, s.cell, 3, (int64_t[]){1, q->batch, q->hidden}, cell);
}

static sluice_status recurrent(struct onnx_import *c, struct recurrence *q, step_fn *fn, int per_direction,
                               const char *const *usual)
{
    struct sl_node *y[2], *h[2], *cell[2], *out[3];
    static const int64_t y_order[4] = {2, 0, 1, 3}, h_order[3] = {1, 0, 2};
    SL_TRY(read_recurrence(c, q, per_direction, usual));
    bool reverse = strcmp(onnx_attr_string(c, "direction", "forward"), "reverse") == 0;
    for (int64_t d = 0; d < q->directions; d++)
        SL_TRY(run_direction(c, q, fn, per_direction, d, reverse || d == 1, &y[d], &h[d], &cell[d]));
    SL_TRY(sl_build_concat(c->b, 1, (int)q->directions, y, &out[0]));
    SL_TRY(sl_build_concat(c->b, 0, (int)q->directions, h, &out[1]));
    SL_TRY(sl_build_concat(c->b, 0, (int)q->directions, cell, &out[2]));
    for (int i = 0; i < 3; i++) {
        if (!onnx_wants_out(c, i))
            continue;
        if (q->layout)
            SL_TRY(sl_build_transpose(c->b, out[i], i ? h_order : y_order, &out[i]));
        SL_TRY(onnx_out(c, i, out[i]));
    }
    return SLUICE_OK;
}

sluice_status translate_rnn(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const usual[] = {"Tanh"};
    struct recurrence q = {.gates = 1};
    return recurrent(c, &q, rnn_step, 1, usual);
}

sluice_status translate_gru(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const usual[] = {"Sigmoid", "Tanh"};
    struct recurrence q = {.gates = 3};
    return recurrent(c, &q, gru_step, 2, usual);
}

sluice_status translate_lstm(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
    struct recurrence q = {.gates = 4};
    return recurrent(c, &q, lstm_step, 3, usual);
}
