/*
 * fuse_affine.c: layers of the form y = scale[c] * x + offset[c] (batch_norm, normalization, bias_add, arithmetic with a
 * constant a channel) move into the weights of a neighbour: backwards where the layer before is linear and feeds nothing else,
 * forwards where all layers behind are weighted, else they become a 1x1 depthwise layer. Folding a mean forwards leaves
 * `pad_value`: what a padded position must hold so that it still stands for zero.
 */
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "ops/quant_rules.h"
#include "quant/fuse.h"

struct affine {
    int64_t channels;
    double *scale, *offset;
    int input; /* which input of the node is x */
};

static int64_t channels_of(const struct sl_node *n)
{
    return n->shape.rank ? n->shape.dim[n->shape.rank - 1] : 1;
}

static const float *param_f32(struct sl_fuse *f, const struct sl_node *n, const char *name, int64_t count)
{
    const struct sl_const *c = sl_param(n, name);

    if (!c || c->dtype != SL_F32 || (int64_t)sl_shape_elements(&c->shape) != count)
        return NULL;
    return sl_const_dense(f->graph->arena, c);
}

static void affine_new(struct sl_fuse *f, const struct sl_node *n, struct affine *out)
{
    out->channels = channels_of(n);
    out->scale = SL_NEW_ARRAY(f->graph->arena, double, out->channels);
    out->offset = SL_NEW_ARRAY(f->graph->arena, double, out->channels);
    out->input = 0;
    for (int64_t c = 0; c < out->channels; c++)
        out->scale[c] = 1;
}

static bool batch_norm_affine(struct sl_fuse *f, const struct sl_node *n, struct affine *out)
{
    const float *scale = param_f32(f, n, "scale", out->channels), *offset = param_f32(f, n, "offset", out->channels);
    const float *mean = param_f32(f, n, "mean", out->channels), *variance = param_f32(f, n, "variance", out->channels);
    double epsilon = sl_get_float(n, "epsilon", 1e-5);

    if (!mean || !variance)
        return false;
    for (int64_t c = 0; c < out->channels; c++) {
        out->scale[c] = (scale ? (double)scale[c] : 1.0) / sqrt((double)variance[c] + epsilon);
        out->offset[c] = (offset ? (double)offset[c] : 0.0) - (double)mean[c] * out->scale[c];
    }
    return true;
}

static bool normalization_affine(struct sl_fuse *f, const struct sl_node *n, struct affine *out)
{
    const float *mean = param_f32(f, n, "mean", out->channels), *std = param_f32(f, n, "std", out->channels);

    if (!mean || !std)
        return false;
    for (int64_t c = 0; c < out->channels; c++) {
        out->scale[c] = 1.0 / (double)std[c];
        out->offset[c] = -(double)mean[c] / (double)std[c];
    }
    return true;
}

/* A constant operand that is one value, or one a channel, and does not enlarge x. */
static bool binary_affine(struct sl_fuse *f, const struct sl_node *n, struct affine *out)
{
    int which = n->in[1]->op == SL_OP_const_input ? 1 : 0;
    const struct sl_node *k = n->in[which], *x = n->in[1 - which];
    size_t count;
    const float *v = sl_fuse_constant(f, k, &count);

    if (!v || x->op == SL_OP_const_input || !sl_shape_equal(&x->shape, &n->shape))
        return false;
    if (count != 1 && ((int64_t)count != out->channels || k->shape.dim[k->shape.rank - 1] != out->channels))
        return false;
    if (n->op == SL_OP_ew_div && which == 0)
        return false;
    out->input = 1 - which;
    for (int64_t c = 0; c < out->channels; c++) {
        double value = v[count == 1 ? 0 : c];
        switch ((int)n->op) {
        case SL_OP_ew_add:
            out->offset[c] = value;
            break;
        case SL_OP_ew_sub:
            out->scale[c] = which ? 1 : -1;
            out->offset[c] = which ? -value : value;
            break;
        case SL_OP_ew_mult:
            out->scale[c] = value;
            break;
        case SL_OP_ew_div:
            out->scale[c] = 1 / value;
            break;
        default:
            return false;
        }
        if (!isfinite(out->scale[c]) || !isfinite(out->offset[c]))
            return false;
    }
    return true;
}

static bool find_affine(struct sl_fuse *f, const struct sl_node *n, struct affine *out)
{
    if (n->dtype != SL_F32 || n->shape.rank < 1 || channels_of(n) <= 0)
        return false;
    switch ((int)n->op) {
    case SL_OP_batch_norm:
        affine_new(f, n, out);
        return batch_norm_affine(f, n, out);
    case SL_OP_normalization:
        affine_new(f, n, out);
        return normalization_affine(f, n, out);
    case SL_OP_bias_add: {
        const float *bias = param_f32(f, n, "bias", channels_of(n));
        if (!bias)
            return false;
        affine_new(f, n, out);
        for (int64_t c = 0; c < out->channels; c++)
            out->offset[c] = bias[c];
        return true;
    }
    case SL_OP_ew_add:
    case SL_OP_ew_sub:
    case SL_OP_ew_mult:
    case SL_OP_ew_div:
        if (n->in[0]->op != SL_OP_const_input && n->in[1]->op != SL_OP_const_input)
            return false;
        affine_new(f, n, out);
        return binary_affine(f, n, out);
    case SL_OP_activation:
        if (strcmp(sl_get_string(n, "type", ""), "affine"))
            return false;
        affine_new(f, n, out);
        for (int64_t c = 0; c < out->channels; c++) {
            out->scale[c] = sl_get_float(n, "alpha", 1);
            out->offset[c] = sl_get_float(n, "beta", 0);
        }
        return true;
    default:
        return false;
    }
}

/* ---- weights ---- */
struct weights {
    struct sl_shape shape;
    int64_t out_c, rows; /* kernel as [rows, columns] */
    int64_t columns;
    const float *kernel, *bias; /* bias NULL: none */
    int64_t step;               /* weight i is kernel[i * step]; 0: one stands for all */
};

static double weight(const struct weights *w, int64_t row, int64_t column)
{
    return w->kernel[(row * w->columns + column) * w->step];
}

static sluice_status read_weights(struct sl_fuse *f, const struct sl_node *n, struct weights *w, sl_err *e)
{
    const struct sl_const *k = sl_param(n, "kernel");

    if (!k || k->dtype != SL_F32)
        return sl_fail(e, SLUICE_E_INTERNAL, "a weighted layer without float kernel");
    w->shape = k->shape;
    w->out_c = channels_of(n);
    w->columns = k->shape.dim[k->shape.rank - 1];
    w->rows = w->columns ? (int64_t)sl_shape_elements(&k->shape) / w->columns : 0;
    w->kernel = k->data;
    w->step = k->splat ? 0 : 1;
    w->bias = param_f32(f, n, "bias", w->out_c);
    return SLUICE_OK;
}

static sluice_status new_floats(struct sl_fuse *f, const struct sl_shape *s, const struct sl_const **c, float **data, sl_err *e)
{
    void *p;

    *data = NULL;
    *c = sl_const_new(f->graph->arena, SL_F32, s, &p);
    if (!*c)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for folded weights");
    *data = p;
    return SLUICE_OK;
}

static bool all_equal(const double *v, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (v[i] != v[0])
            return false;
    return true;
}

/* The kernel times one factor a channel, that of the output or of the input: one value stays one value where the factors are
 * alike. */
static sluice_status scale_kernel(struct sl_fuse *f, const struct sl_node *n, const struct weights *w, const struct affine *s,
                                  int64_t (*channel)(const struct sl_node *, const struct sl_shape *, int64_t, int64_t),
                                  const struct sl_const **out, sl_err *e)
{
    float *k = NULL;

    if (w->step == 0 && all_equal(s->scale, s->channels)) {
        float v = (float)(weight(w, 0, 0) * s->scale[0]);
        *out = sl_const_splat(f->graph->arena, SL_F32, &w->shape, &v);
        return SLUICE_OK;
    }
    SL_TRY(new_floats(f, &w->shape, out, &k, e));
    for (int64_t r = 0; r < w->rows; r++)
        for (int64_t c = 0; c < w->columns; c++)
            k[r * w->columns + c] = (float)(weight(w, r, c) * s->scale[channel(n, &w->shape, r, c)]);
    return SLUICE_OK;
}

/* n := scale * n + offset, a value an output channel. */
static sluice_status scale_outputs(struct sl_fuse *f, struct sl_node *n, const struct affine *s, sl_err *e)
{
    struct weights w;
    const struct sl_const *kernel, *bias;
    struct sl_shape channels = sl_shape_of(1, &s->channels);
    float *b = NULL;

    SL_TRY(read_weights(f, n, &w, e));
    SL_TRY(scale_kernel(f, n, &w, s, sl_kernel_out_channel, &kernel, e));
    SL_TRY(new_floats(f, &channels, &bias, &b, e));
    for (int64_t o = 0; o < w.out_c; o++)
        b[o] = (float)((w.bias ? (double)w.bias[o] : 0.0) * s->scale[o] + s->offset[o]);
    sl_set_param(f->graph, n, "kernel", kernel);
    sl_set_param(f->graph, n, "bias", bias);
    return SLUICE_OK;
}

static bool has_padding(const struct sl_node *n)
{
    int64_t pads[4] = {0, 0, 0, 0};

    sl_get_ints(n, "pads", 4, pads);
    return pads[0] || pads[1] || pads[2] || pads[3];
}

/* Padded positions stood for p (0 without pad_value) behind the affine layer: before it they are (p - offset) / scale. */
static sluice_status move_pad_value(struct sl_fuse *f, struct sl_node *n, const struct affine *s, sl_err *e)
{
    const float *old = param_f32(f, n, "pad_value", s->channels);
    struct sl_shape channels = sl_shape_of(1, &s->channels);
    const struct sl_const *value;
    bool zero = true;
    float *v = NULL;

    SL_TRY(new_floats(f, &channels, &value, &v, e));
    for (int64_t c = 0; c < s->channels; c++) {
        v[c] = (float)(((old ? (double)old[c] : 0.0) - s->offset[c]) / s->scale[c]);
        if (v[c] == 0)
            v[c] = 0; /* no negative zero */
        zero = zero && v[c] == 0;
    }
    if (zero)
        sl_remove_param(n, "pad_value");
    else
        sl_set_param(f->graph, n, "pad_value", value);
    return SLUICE_OK;
}

/* n(scale * x + offset) becomes n'(x). */
static sluice_status scale_inputs(struct sl_fuse *f, struct sl_node *n, const struct affine *s, sl_err *e)
{
    struct weights w;
    const struct sl_const *kernel, *bias;
    struct sl_shape channels;
    float *b = NULL;
    double *sum;

    SL_TRY(read_weights(f, n, &w, e));
    channels = sl_shape_of(1, &w.out_c);
    SL_TRY(scale_kernel(f, n, &w, s, sl_kernel_in_channel, &kernel, e));
    SL_TRY(new_floats(f, &channels, &bias, &b, e));
    sum = SL_NEW_ARRAY(f->graph->arena, double, w.out_c);
    for (int64_t r = 0; r < w.rows; r++) {
        for (int64_t c = 0; c < w.columns; c++) {
            int64_t in = sl_kernel_in_channel(n, &w.shape, r, c);
            sum[sl_kernel_out_channel(n, &w.shape, r, c)] += weight(&w, r, c) * s->offset[in];
        }
    }
    for (int64_t o = 0; o < w.out_c; o++)
        b[o] = (float)((w.bias ? (double)w.bias[o] : 0.0) + sum[o]);
    sl_set_param(f->graph, n, "kernel", kernel);
    sl_set_param(f->graph, n, "bias", bias);
    return has_padding(n) && n->op != SL_OP_deconv ? move_pad_value(f, n, s, e) : SLUICE_OK;
}

/* ---- rules ---- */
static bool is_open_linear(const struct sl_fuse *f, const struct sl_node *p)
{
    return sl_is_weighted(p->op) && p->n_in == 1 && !sl_attr(p, "activation") && sl_fuse_uses(f, p) == 1;
}

static sluice_status fold_back(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    struct affine s;
    struct sl_node *p;

    if (!n->n_in || !find_affine(f, n, &s))
        return SLUICE_OK;
    p = n->in[s.input];
    if (!is_open_linear(f, p) || !sl_shape_equal(&p->shape, &n->shape))
        return SLUICE_OK;
    SL_TRY(scale_outputs(f, p, &s, e));
    sl_fuse_replace(f, n, p);
    return SLUICE_OK;
}

sluice_status sl_pass_fold_affine(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, fold_back, e);
}

static bool can_take_input_affine(const struct sl_node *n, const struct affine *s)
{
    if (!sl_is_weighted(n->op))
        return false;
    for (int64_t c = 0; c < s->channels; c++)
        if ((s->scale[c] == 0 && has_padding(n)) || (n->op == SL_OP_deconv && s->offset[c] != 0))
            return false;
    return true;
}

static bool all_users_take(struct sl_fuse *f, const struct sl_node *n, const struct affine *s)
{
    int found = 0;

    if (sl_fuse_uses(f, n) == 1)
        return f->user[n->index]->in[0] == n && f->user[n->index]->n_in == 1 && can_take_input_affine(f->user[n->index], s);
    for (int i = n->index + 1; i < f->graph->n_nodes; i++) {
        const struct sl_node *u = f->graph->nodes[i];
        for (int k = 0; k < u->n_in; k++) {
            if (u->in[k] != n)
                continue;
            if (k != 0 || !can_take_input_affine(u, s))
                return false;
            found++;
        }
    }
    return found > 0;
}

static sluice_status fold_forward(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    struct affine s;
    struct sl_node *x;

    if (!n->n_in || !find_affine(f, n, &s) || !sl_fuse_uses(f, n) || !all_users_take(f, n, &s))
        return SLUICE_OK;
    x = n->in[s.input];
    for (int i = n->index + 1; i < f->graph->n_nodes; i++)
        if (f->graph->nodes[i]->n_in && f->graph->nodes[i]->in[0] == n) {
            SL_TRY(scale_inputs(f, f->graph->nodes[i], &s, e));
            sl_node_take_origins(f->graph->arena, f->graph->nodes[i], n);
        }
    /* x keeps its own origins: its value is still the original layer's. */
    {
        int n_origins = x->n_origins;
        sl_fuse_replace(f, n, x);
        x->n_origins = n_origins;
    }
    return SLUICE_OK;
}

sluice_status sl_pass_fold_affine_forward(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, fold_forward, e);
}

/* batch_norm, normalization and bias_add that found no neighbour: y = dw 1x1. */
static sluice_status to_dw(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    static const int64_t ones[4] = {1, 1, 1, 1}, zeros[4] = {0, 0, 0, 0};
    static const char *const old[] = {"scale", "offset", "mean", "variance", "std", "bias"};
    const struct sl_const *kernel, *bias;
    struct affine s;
    int64_t dims[4] = {1, 1, 0, 1};
    struct sl_shape shape, channels;
    float *k = NULL, *b = NULL;

    if (n->op != SL_OP_batch_norm && n->op != SL_OP_normalization && n->op != SL_OP_bias_add)
        return SLUICE_OK;
    if (!find_affine(f, n, &s))
        return sl_fail(e, SLUICE_E_INTERNAL, "its parameters are not complete");
    if (n->shape.rank < 2 || n->shape.rank > 4)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "a per-channel layer on a tensor of rank %d (2 to 4 are supported)",
                       n->shape.rank);
    dims[2] = s.channels;
    shape = sl_shape_of(4, dims);
    channels = sl_shape_of(1, &s.channels);
    SL_TRY(new_floats(f, &shape, &kernel, &k, e));
    SL_TRY(new_floats(f, &channels, &bias, &b, e));
    for (int64_t c = 0; c < s.channels; c++) {
        k[c] = (float)s.scale[c];
        b[c] = (float)s.offset[c];
    }
    for (size_t i = 0; i < SL_COUNT(old); i++)
        sl_remove_param(n, old[i]);
    sl_remove_attr(n, "epsilon");
    n->op = SL_OP_dw;
    sl_set_ints(f->graph, n, "strides", 4, ones);
    sl_set_ints(f->graph, n, "dilations", 4, ones);
    sl_set_ints(f->graph, n, "pads", 4, zeros);
    sl_set_int(f->graph, n, "groups", s.channels);
    sl_set_param(f->graph, n, "kernel", kernel);
    sl_set_param(f->graph, n, "bias", bias);
    f->changes++;
    return SLUICE_OK;
}

sluice_status sl_pass_standalone_to_dw(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, to_dw, e);
}

/* A product with one constant commutes with data movement and with matmul: look back for a weighted layer that can take it. */
static struct sl_node *find_scale_taker(struct sl_fuse *f, struct sl_node *p)
{
    for (;;) {
        if (sl_fuse_uses(f, p) != 1)
            return NULL;
        if (sl_is_weighted(p->op))
            return is_open_linear(f, p) ? p : NULL;
        if (p->op != SL_OP_reshape && p->op != SL_OP_transpose && p->op != SL_OP_slice && p->op != SL_OP_matmul &&
            p->op != SL_OP_avgpool && p->op != SL_OP_reduce_mean)
            return NULL;
        p = p->in[0];
    }
}

static sluice_status fold_scale(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    struct affine s, all;
    struct sl_node *taker;
    float value;

    if ((n->op != SL_OP_ew_mult && n->op != SL_OP_ew_div) || !find_affine(f, n, &s) ||
        !sl_fuse_scalar(f, n->in[1 - s.input], &value))
        return SLUICE_OK;
    taker = find_scale_taker(f, n->in[s.input]);
    if (!taker)
        return SLUICE_OK;
    affine_new(f, taker, &all);
    for (int64_t c = 0; c < all.channels; c++)
        all.scale[c] = s.scale[0];
    SL_TRY(scale_outputs(f, taker, &all, e));
    sl_fuse_replace(f, n, n->in[s.input]);
    return SLUICE_OK;
}

sluice_status sl_pass_fold_scale(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, fold_scale, e);
}
