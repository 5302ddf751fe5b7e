/*
 * precision.c: which tensors are 16 bits wide. Weighted layers work on 8 bits; what accumulates small differences (the residual
 * stream of transformers) or is read by an exponential or a normalization is kept wide, since the width of an edge costs little
 * beside the products. Rules:
 *   - inputs of layer_norm, rms_norm and softmax are wide, and so, backwards through additions, products and data movement, is
 * what they are made of; a weighted layer's output is written wide but its own input is not affected
 *   - softmax that feeds a matmul is wide: attention weights of many positions are far below 1/255; so is one behind the last
 * weighted layer: probabilities nearer to 1 than 1/255 decide which of several boxes of one face is the best
 *   - what rotary reads and gives is wide: keys are among the tensors that 8 bits hurt most, and two nearly equal angles must differ; so are the
 *     angles that sine and cosine read
 *   - arithmetic behind the last weighted layer (decoding of boxes and the like) is wide when it multiplies, divides or takes
 *     exponentials, and so is a concatenation there of parts whose ranges differ by more than 4
 *   - what a weighted layer reads is wide where 8 bits would drown its sums: the noise of rounding the input, taken through the
 * weights, against the variance of the sums, as a mean over the channels; or against the variance of the input itself
 *   - layers that the script names
 *   - what else adds most to the outputs' noise: noise_budget.c
 */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "ops/ops.h"
#include "ops/quant_rules.h"
#include "quant/encode.h"
#include "quant/fuse.h"

/* Noise over signal from which a weighted layer's input is kept wide: 10 dB in the sums, 27 dB in the input itself. Measured on
 * seven networks: these bounds part the few inputs that ruin a network (YOLOX-nano's first depthwise layer at 5.9 dB; the
 * outliers behind GELU in MiniLM at 21.3 dB of the input) from all others. */
static const double SENSITIVE_SUM = 0.1, SENSITIVE_TENSOR = 0.002;

static bool moves_data(enum sl_op op)
{
    enum sl_encode c = sl_op_row(op)->encode;

    return c == SL_ENCODE_SAME || c == SL_ENCODE_UNITED;
}

static bool is_binary(enum sl_op op)
{
    return op >= SL_OP_ew_add && op <= SL_OP_ew_div;
}

static bool may_be_wide(const struct sl_encoder *x, const struct sl_node *n)
{
    const struct sl_tensor_info *t = &x->info[n->index];

    return !t->wide && !t->fixed;
}

/* n and what it is made of. The stack holds a node once: it is marked when pushed. */
static void mark_wide(struct sl_encoder *x, struct sl_node *n, struct sl_node **stack)
{
    int depth = 0;

    if (!may_be_wide(x, n))
        return;
    x->info[n->index].wide = true;
    stack[depth++] = n;
    while (depth > 0) {
        struct sl_node *top = stack[--depth];
        int first = 0, last = -1;
        if (moves_data(top->op) || is_binary(top->op))
            last = top->n_in - 1;
        else if (sl_is_weighted(top->op) && top->n_in == 2)
            first = last = 1; /* the residual */
        for (int k = first; k <= last; k++)
            if (may_be_wide(x, top->in[k])) {
                x->info[top->in[k]->index].wide = true;
                stack[depth++] = top->in[k];
            }
    }
}

/* Nodes that a matmul reads, through layers that move data. */
static void find_matmul_readers(const struct sl_encoder *x, bool *reaches)
{
    const struct sl_graph *g = x->graph;

    for (int i = g->n_nodes - 1; i >= 0; i--)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->op == SL_OP_matmul || (moves_data(g->nodes[i]->op) && reaches[i]))
                reaches[g->nodes[i]->in[k]->index] = true;
}

/* Nodes that no weighted layer or matmul reads, directly or not. */
static void find_tail(const struct sl_encoder *x, bool *body)
{
    const struct sl_graph *g = x->graph;

    for (int i = g->n_nodes - 1; i >= 0; i--) {
        struct sl_node *n = g->nodes[i];
        if (sl_is_weighted(n->op) || n->op == SL_OP_matmul)
            body[i] = true; /* of itself: its inputs are body; its own output may be tail */
        for (int k = 0; body[i] && k < n->n_in; k++)
            body[n->in[k]->index] = true;
    }
}

static bool is_decoding(const struct sl_node *n)
{
    static const char *const curves[] = {"exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "pow"};
    const char *type = sl_get_string(n, "type", "");

    if (n->op == SL_OP_ew_mult || n->op == SL_OP_ew_div)
        return true;
    for (size_t i = 0; n->op == SL_OP_activation && i < SL_COUNT(curves); i++)
        if (!strcmp(type, curves[i]))
            return true;
    return false;
}

/* Sine and cosine: angles reach over many turns, an error of one is an error of the value. */
static bool is_wave(const struct sl_node *n)
{
    const char *type = n->op == SL_OP_activation ? sl_get_string(n, "type", "") : "";

    return !strcmp(type, "sin") || !strcmp(type, "cos");
}

static double width_of(const struct sl_encoder *x, struct sl_node *n)
{
    const struct sl_tensor_info *t;

    while (moves_data(n->op) && n->n_in)
        n = n->in[0];
    t = &x->info[n->index];
    if (t->imposed)
        return (double)t->range.max - t->range.min;
    return t->output && t->output->count ? (double)fmaxf(t->output->max, 0) - fminf(t->output->min, 0) : 0;
}

static bool unlike_parts(const struct sl_encoder *x, const struct sl_node *n)
{
    double least = INFINITY, most = 0;

    if (n->op != SL_OP_concat)
        return false;
    for (int i = 0; i < n->n_in; i++) {
        double w = width_of(x, n->in[i]);
        if (w <= 0)
            continue;
        least = fmin(least, w);
        most = fmax(most, w);
    }
    return most > 4 * least;
}

/* ---- sensitive inputs ---- */
static struct sl_node *source_of(struct sl_node *n)
{
    while (sl_op_row(n->op)->encode == SL_ENCODE_SAME && n->n_in)
        n = n->in[0];
    return n;
}

double sl_weighted_noise(struct sl_encoder *x, const struct sl_node *n, double noise)
{
    const struct sl_const *c = sl_param(n, "kernel");
    const double *variance = x->info[n->index].variance;
    int64_t out_c = n->shape.dim[n->shape.rank - 1], columns, rows;
    double *power, sum = 0;
    const float *w;
    int64_t step; /* 0: one weight stands for all */
    int live = 0;

    if (!c || c->dtype != SL_F32 || !variance)
        return -1;
    w = c->data;
    step = c->splat ? 0 : 1;
    power = SL_NEW_ARRAY(x->graph->arena, double, out_c);
    columns = c->shape.dim[c->shape.rank - 1];
    rows = columns ? (int64_t)sl_shape_elements(&c->shape) / columns : 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++) {
            double v = w[(i * columns + k) * step];
            power[sl_kernel_out_channel(n, &c->shape, i, k)] += v * v;
        }
    for (int64_t o = 0; o < out_c; o++) {
        if (!(variance[o] > 0))
            continue; /* a dead channel */
        sum += fmin(noise * power[o] / variance[o], 1);
        live++;
    }
    return live ? sum / live : -1;
}

/* Of rounding what n reads to 8 bits; negative when it cannot be told. */
static double input_noise(struct sl_encoder *x, const struct sl_node *n)
{
    int source = source_of(n->in[0])->index;
    const struct sl_tensor_info *t = &x->info[source];
    struct sl_range r = sl_encode_range(x, source);

    if (!t->output || t->fixed || !r.known)
        return -1;
    return sl_weighted_noise(x, n, sl_range_error(t->output, r.min, r.max, 8));
}

/* Noise of rounding a tensor to 8 bits over its variance. */
static double tensor_noise(struct sl_encoder *x, int index)
{
    struct sl_range r = sl_encode_range(x, index);
    double variance = sl_statistics_variance(x->info[index].output);

    return variance > 0 ? sl_range_error(x->info[index].output, r.min, r.max, 8) / variance : 0;
}

static void mark_sensitive(struct sl_encoder *x)
{
    struct sl_graph *g = x->graph;

    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        double noise = sl_is_weighted(n->op) ? input_noise(x, n) : -1, own;
        if (noise < 0)
            continue;
        own = tensor_noise(x, source_of(n->in[0])->index);
        sl_detail(2, "%-24s 8-bit input noise: %5.1f dB of the sums, %5.1f dB of the input", n->name,
                  -10 * log10(fmax(noise, 1e-12)), -10 * log10(fmax(own, 1e-12)));
        if (noise < SENSITIVE_SUM && own < SENSITIVE_TENSOR)
            continue;
        x->info[n->index].reads_wide = true;
        for (struct sl_node *s = n->in[0];; s = s->in[0]) {
            x->info[s->index].wide = true;
            if (sl_op_row(s->op)->encode != SL_ENCODE_SAME)
                break;
        }
    }
}

void sl_encode_precision(struct sl_encoder *x)
{
    struct sl_graph *g = x->graph;
    struct sl_node **stack = SL_NEW_ARRAY(g->arena, struct sl_node *, g->n_nodes + 1);
    bool *body = SL_NEW_ARRAY(g->arena, bool, g->n_nodes + 1), *reaches = SL_NEW_ARRAY(g->arena, bool, g->n_nodes + 1);

    find_tail(x, body);
    find_matmul_readers(x, reaches);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (n->op == SL_OP_layer_norm || n->op == SL_OP_rms_norm || n->op == SL_OP_softmax)
            mark_wide(x, n->in[0], stack);
        if (n->op == SL_OP_softmax && (reaches[i] || !body[i]))
            mark_wide(x, n, stack);
        if (is_wave(n))
            mark_wide(x, n->in[0], stack);
        if (n->op == SL_OP_rotary) {
            mark_wide(x, n, stack);
            for (int k = 0; k < 2; k++)
                mark_wide(x, n->in[k], stack);
        }
        if (!body[i] && (is_decoding(n) || unlike_parts(x, n)))
            mark_wide(x, n, stack);
    }
    for (int i = 0; i < x->options->n_wide; i++) {
        struct sl_node *n = x->options->wide[i];
        if (n->index >= g->n_nodes || g->nodes[n->index] != n)
            continue; /* it was taken over by the layer before */
        mark_wide(x, n, stack);
        x->info[n->index].reads_wide = true;
    }
    mark_sensitive(x);
    sl_encode_noise_budget(x);
}
