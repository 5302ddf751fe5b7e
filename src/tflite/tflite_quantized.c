/*
 * tflite_quantized.c: a file's own scales and zero points -> the integer graph of docs/numerics.md, without calibration. Comes
 * after tflite_import.c, in place of the optimize stage. The steps are the lines of sl_tflite_quantized: activations go into
 * the layer they end, encodings reach the nodes that an operator was written with (tflite_encode.c), copies that change an
 * encoding get a requantize, averages round as TFLite does, then each layer's quantize rule runs.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "front/const_values.h"
#include "ir/uses.h"
#include "ops/quant_rules.h"
#include "tflite/tflite.h"
#include "tflite/tflite_encode.h"

/* ---- activations that the file keeps inside their operator ---- */

static bool is_clamp(const char *type)
{
    return !strcmp(type, "relu") || !strcmp(type, "relu6") || !strcmp(type, "clip");
}

static bool is_weighted(enum sl_op op)
{
    return op == SL_OP_conv || op == SL_OP_dw || op == SL_OP_fc || op == SL_OP_deconv;
}

/* Layers whose requantization has limits of its own. */
static bool has_limits(enum sl_op op)
{
    return (op >= SL_OP_ew_add && op <= SL_OP_ew_div) || op == SL_OP_matmul || op == SL_OP_avgpool || op == SL_OP_reduce_mean ||
           op == SL_OP_reduce_sum || op == SL_OP_layer_norm || op == SL_OP_rms_norm;
}

static void move_activation(struct sl_graph *g, struct sl_node *from, struct sl_node *to)
{
    static const char *const numbers[] = {"alpha", "beta", "minimum", "maximum"};
    sl_set_string(g, to, "activation", sl_get_string(from, "type", ""));
    for (size_t i = 0; i < SL_COUNT(numbers); i++)
        if (sl_attr(from, numbers[i]))
            sl_set_float(g, to, numbers[i], sl_get_float(from, numbers[i], 0));
}

/* `limits`: also of layers that keep a clamp as limits alone, which the float stage has as a layer of its own. */
static void take_activations(struct sl_graph *g, bool limits)
{
    sl_graph_renumber(g);
    struct sl_uses uses = sl_find_uses(g, g->arena);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i], *p = n->n_in == 1 ? n->in[0] : NULL;
        if (n->op != SL_OP_activation || !p || p->quant.dtype != SL_NONE || !is_clamp(sl_get_string(n, "type", "")) ||
            uses.first[p->index + 1] - uses.first[p->index] != 1 || sl_attr(p, "activation") ||
            !(is_weighted(p->op) || (limits && has_limits(p->op))))
            continue;
        move_activation(g, n, p);
        p->quant = n->quant;
        sl_node_take_origins(g->arena, p, n);
        for (int u = uses.first[n->index]; u < uses.first[n->index + 1]; u++)
            for (int k = 0; k < g->nodes[uses.to[u]]->n_in; k++)
                if (g->nodes[uses.to[u]]->in[k] == n)
                    g->nodes[uses.to[u]]->in[k] = p;
    }
    sl_graph_remove_dead(g);
}

/* ---- copies and joins that change an encoding ---- */

static struct sl_node *new_layer(struct sl_graph *g, struct sl_node *at, enum sl_op op, const char *what,
                                 const struct sl_quant *q)
{
    struct sl_node *n = sl_graph_insert_after(g, at, op, 1, &at);
    for (int k = 1;; k++) {
        n->name = sl_arena_printf(g->arena, "%s_%s%d", at->name, what, k);
        if (sl_graph_find(g, n->name) == n)
            break;
    }
    n->scope = at->scope;
    n->dtype = at->dtype;
    n->shape = at->shape;
    n->quant = *q;
    sl_node_take_origins(g->arena, n, at);
    return n;
}

/* The node becomes one whose table is the identity: stored bytes only change their meaning. */
static void change_meaning(struct sl_graph *g, struct sl_node *n, const struct sl_quant *from)
{
    double ratio = (double)n->quant.scale / (double)from->scale;
    sl_set_string(g, n, "type", "affine");
    sl_set_float(g, n, "alpha", ratio);
    sl_set_float(g, n, "beta", (double)n->quant.scale * (from->zero_point - n->quant.zero_point));
}

static void keep_bytes(struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (!sl_attr(n, TFL_BYTES))
            continue;
        sl_node_become(g->arena, n, SL_OP_activation, 1, n->in);
        change_meaning(g, n, &n->in[0]->quant);
    }
}

static struct sl_node *shift_zero(struct sl_graph *g, struct sl_node *at, const char *what, const struct sl_quant *to)
{
    struct sl_quant from = at->quant;
    struct sl_node *n = new_layer(g, at, SL_OP_activation, what, to);
    change_meaning(g, n, &from);
    return n;
}

/* A layer that copies keeps its input's encoding; what the file says of its output comes behind it. */
static void requantize_copies(struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        enum sl_encode encode = sl_op_row(n->op)->encode;
        if (n->op == SL_OP_output_layer)
            n->quant = n->in[0]->quant;
        else if (encode == SL_ENCODE_SAME && n->n_in && !tfl_same_encoding(&n->quant, &n->in[0]->quant)) {
            struct sl_quant wanted = n->quant;
            n->quant = n->in[0]->quant;
            struct sl_node *r = new_layer(g, n, SL_OP_requantize, "requantize", &wanted);
            sl_graph_replace_uses(g, n, r);
            r->in[0] = n;
        } else if (encode == SL_ENCODE_UNITED) {
            for (int k = 0; k < n->n_in; k++)
                if (!tfl_same_encoding(&n->in[k]->quant, &n->quant))
                    n->in[k] = new_layer(g, n->in[k], SL_OP_requantize, "requantize", &n->quant);
        }
    }
    sl_graph_renumber(g);
}

/* LiteRT's QUANTIZE by a factor below 1/2 rounds twice: in steps of 2^-r of the output's, then halves away from the zero point.
 * Its factor is 2^-r times one from 1/2 to 1, so the finer value fits 16 bits, and a multiplier one step above 2^-r takes
 * halves away from zero. */
static void split_requantize(struct sl_graph *g, struct sl_node *n)
{
    int exponent;
    frexp((double)n->in[0]->quant.scale / (double)n->quant.scale, &exponent);
    if (exponent >= 0 || exponent < -15)
        return;
    struct sl_quant finer = {.dtype = SL_U16, .scale = ldexpf(n->quant.scale, exponent), .zero_point = 32768};
    if (finer.scale < FLT_MIN)
        return;
    n->in[0] = new_layer(g, n->in[0], SL_OP_requantize, "finer", &finer);
    sl_set_int(g, n, TFL_SIGNED, 1);
}

static void split_requantizes(struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (n->op == SL_OP_requantize && !sl_attr(n, TFL_SIGNED) && n->in[0]->op != SL_OP_const_input &&
            n->quant.dtype != SL_NONE && n->in[0]->quant.dtype != SL_NONE)
            split_requantize(g, n);
    }
    sl_graph_renumber(g);
}

/* TFLite rounds the average of stored integers half away from zero; ours rounds halves to even, of the values behind the zero
 * point. With the zero point where the stored integer is 0 and a multiplier one step above 1, halves go the same way. */
static int32_t stored_zero(const struct sl_node *n)
{
    return n->quant.dtype == SL_U16 ? 32768 : sl_get_int(n, TFL_UNSIGNED, 0) ? 0 : 128;
}

static bool keeps_encoding(const struct sl_node *n)
{
    return n->op == SL_OP_avgpool && tfl_same_encoding(&n->quant, &n->in[0]->quant);
}

static void center_averages(struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (!keeps_encoding(n) || n->quant.dtype != SL_U8 || n->quant.zero_point == stored_zero(n))
            continue;
        struct sl_quant given = n->quant, centered = {.dtype = SL_U8, .scale = given.scale, .zero_point = stored_zero(n)};
        n->in[0] = shift_zero(g, n->in[0], "centered", &centered);
        n->quant = centered;
        struct sl_node *back = shift_zero(g, n, "decentered", &given);
        sl_graph_replace_uses(g, n, back);
        back->in[0] = n;
    }
    sl_graph_renumber(g);
}

/* ---- integers ---- */

static void weighted_limits(const struct sl_node *n, double *low, double *high)
{
    const char *type = sl_get_string(n, "activation", "");
    *low = !strcmp(type, "relu") || !strcmp(type, "relu6") ? 0 : -INFINITY;
    *high = !strcmp(type, "relu6") ? 6 : INFINITY;
    if (!strcmp(type, "clip")) {
        *low = sl_get_float(n, "minimum", -INFINITY);
        *high = sl_get_float(n, "maximum", INFINITY);
    }
}

static void drop_activation(struct sl_node *n)
{
    static const char *const done[] = {"activation", "alpha", "beta", "minimum", "maximum"};
    for (size_t i = 0; i < SL_COUNT(done); i++)
        sl_remove_attr(n, done[i]);
}

/* The file's kernel integers: real weight / scale, exact but for the last bit of a product that rounding undoes. Weights with a
 * zero point far from the middle of their range take 16 bits. */
static sluice_status integer_kernel(struct sl_quantizer *q, struct sl_node *n, const float *scale, sl_err *e)
{
    const struct sl_shape shape = sl_param(n, "kernel")->shape;
    int64_t columns = shape.dim[shape.rank - 1], rows = (int64_t)sl_shape_elements(&shape) / columns;
    const float *w;
    int16_t *wide;
    int8_t *narrow;
    bool fits = true;
    SL_TRY(sl_float_param(q, n, "kernel", -1, &w, e));
    SL_TRY(sl_new_param(q, n, "kernel", SL_S16, shape.rank, shape.dim, &wide, e));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            double s = (double)scale[sl_kernel_out_channel(n, &shape, r, c)], v = rint((double)w[r * columns + c] / s);
            wide[r * columns + c] = (int16_t)fmin(fmax(v, INT16_MIN), INT16_MAX);
            fits = fits && v >= INT8_MIN && v <= INT8_MAX;
        }
    if (!fits)
        return SLUICE_OK;
    SL_TRY(sl_new_param(q, n, "kernel", SL_S8, shape.rank, shape.dim, &narrow, e));
    for (int64_t i = 0; i < rows * columns; i++)
        narrow[i] = (int8_t)wide[i];
    return SLUICE_OK;
}

static sluice_status integer_bias(struct sl_quantizer *q, struct sl_node *n, int64_t channels, const float *scale, sl_err *e)
{
    bool wide = n->in[0]->quant.dtype == SL_U16;
    const struct sl_const *file = sl_param(n, "kernel_bias");
    const float *real = NULL;
    void *out;
    if (sl_param(n, "bias"))
        SL_TRY(sl_float_param(q, n, "bias", channels, &real, e));
    SL_TRY(sl_new_param(q, n, "bias", wide ? SL_S64 : SL_S32, 1, &channels, &out, e));
    for (int64_t o = 0; o < channels; o++) {
        double v = file   ? (double)sl_const_integer(file, (size_t)o)
                   : real ? rint((double)real[o] / ((double)n->in[0]->quant.scale * (double)scale[o]))
                          : 0;
        if (wide)
            ((int64_t *)out)[o] = (int64_t)fmin(fmax(v, -0x1p62), 0x1p62);
        else
            ((int32_t *)out)[o] = (int32_t)fmin(fmax(v, INT32_MIN), INT32_MAX);
    }
    return SLUICE_OK;
}

/* LiteRT adds up 16-bit activations in 64 bits, unless their bias has 32, and of the factor of such a sum it keeps 15 bits. */
static double factor_of_sum(const struct sl_node *n, double factor)
{
    const struct sl_const *bias = sl_param(n, "kernel_bias");
    int exponent;
    if (n->in[0]->quant.dtype != SL_U16 || (bias && bias->dtype == SL_S32))
        return factor;
    double mantissa = floor(rint(frexp(factor, &exponent) * 0x1p31) / 0x1p16 + 0.5);
    return ldexp(fmin(mantissa, 32767), exponent - 15);
}

static sluice_status quantize_from_file(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    int64_t channels = n->shape.dim[n->shape.rank - 1];
    double low, high;
    const float *scale;
    float *m;
    SL_TRY(sl_float_param(q, n, "kernel_scale", channels, &scale, e));
    SL_TRY(integer_kernel(q, n, scale, e));
    SL_TRY(integer_bias(q, n, channels, scale, e));
    SL_TRY(sl_new_param(q, n, "multiplier", SL_F32, 1, &channels, &m, e));
    for (int64_t o = 0; o < channels; o++)
        SL_TRY(sl_quant_multiplier(factor_of_sum(n, (double)n->in[0]->quant.scale * (double)scale[o] / (double)n->quant.scale),
                                   "a channel's multiplier", &m[o], e));
    weighted_limits(n, &low, &high);
    sl_set_string(q->graph, n, "post", "linear");
    sl_set_limits(q, n, low, high);
    drop_activation(n);
    sl_remove_param(n, "kernel_scale");
    sl_remove_param(n, "kernel_bias");
    return SLUICE_OK;
}

/* Where LiteRT's resize of signed integers finds the pixels and how it weighs them: positions in steps of 2^-10 from a scale
 * that is rounded once. The weights of two pixels are in steps of 2^-11 here, so they hold LiteRT's exactly. */
static sluice_status set_integer_positions(struct sl_quantizer *q, struct sl_node *n, int axis, sl_err *e)
{
    enum { ONE = 1024 };
    const char *coordinate = sl_get_string(n, "coordinate", "half_pixel");
    bool half = !strcmp(coordinate, "half_pixel"), align = !strcmp(coordinate, "align_corners");
    int64_t in = n->in[0]->shape.dim[1 + axis], out = n->shape.dim[1 + axis], dims[2] = {out, 2};
    int64_t less = align && out > 1 ? 1 : 0, scale = (ONE * (in - less) + (out - less) / 2) / (out - less);
    int32_t *index, *weight;
    SL_TRY(sl_new_param(q, n, axis ? "columns" : "rows", SL_S32, 2, dims, &index, e));
    SL_TRY(sl_new_param(q, n, axis ? "column_weights" : "row_weights", SL_S32, 2, dims, &weight, e));
    for (int64_t i = 0; i < out; i++) {
        int64_t at = i * scale + (half ? scale / 2 - ONE / 2 : 0), lower = SL_MIN(SL_MAX(at / ONE, 0), in - 1);
        int64_t upper = SL_MIN((at + ONE - 1) / ONE, in - 1), far = upper > lower ? at - lower * ONE : 0;
        index[2 * i] = (int32_t)lower;
        index[2 * i + 1] = (int32_t)SL_MAX(lower, upper);
        weight[2 * i] = (int32_t)(2 * (ONE - far));
        weight[2 * i + 1] = (int32_t)(2 * far);
    }
    return SLUICE_OK;
}

static sluice_status set_integer_resize(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    SL_TRY(set_integer_positions(q, n, 0, e));
    return set_integer_positions(q, n, 1, e);
}

static sluice_status quantize_node(struct sl_quantizer *q, struct sl_node *n, struct tfl_fixed_tables *curves, sl_err *e)
{
    if (sl_param(n, "kernel_scale"))
        return quantize_from_file(q, n, e);
    SL_TRY(sl_op_row(n->op)->quantize(q, n, e));
    if (keeps_encoding(n) && n->quant.zero_point == stored_zero(n))
        sl_set_float(q->graph, n, "multiplier", (double)nextafterf(1, 2));
    if (sl_get_int(n, TFL_FIXED, 0))
        SL_TRY(tfl_fixed_curve(q, n, curves, e));
    else if (sl_get_int(n, TFL_SIGNED, 0) && n->op == SL_OP_requantize)
        sl_set_float(q->graph, n, "multiplier", (double)nextafterf((float)sl_get_float(n, "multiplier", 1), 1));
    else if (sl_get_int(n, TFL_SIGNED, 0))
        SL_TRY(n->op == SL_OP_softmax      ? tfl_lookup_softmax(q, n, e)
               : n->op == SL_OP_activation ? tfl_lookup_curve(q, n, e)
                                           : set_integer_resize(q, n, e));
    tfl_remove_marks(n);
    return SLUICE_OK;
}

/* Clamps of layers that are not weighted become limits of the plan. */
static struct sl_node_plan *plan_limits(struct sl_graph *g)
{
    struct sl_node_plan *plan = SL_NEW_ARRAY(g->arena, struct sl_node_plan, (size_t)g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        plan[i] = (struct sl_node_plan){.clamp_low = -INFINITY, .clamp_high = INFINITY};
        if (is_weighted(n->op) || !sl_attr(n, "activation"))
            continue;
        weighted_limits(n, &plan[i].clamp_low, &plan[i].clamp_high);
        drop_activation(n);
    }
    return plan;
}

static sluice_status quantize_graph(struct sl_graph *g, sl_err *e)
{
    struct sl_quantizer q = {.graph = g, .plan = plan_limits(g)};
    struct tfl_fixed_tables curves = {0};
    for (int i = 0; i < g->n_nodes; i++)
        if (quantize_node(&q, g->nodes[i], &curves, e) != SLUICE_OK)
            return sl_context(e, "layer '%s'", sl_node_text(g->nodes[i]));
    g->stage = SL_STAGE_QUANTIZED;
    return sl_graph_verify(g, e);
}

/* The float stage of the same layers. */
static sluice_status float_stage(const struct sl_graph *encoded, sl_arena *a, struct sl_graph **out, sl_err *e)
{
    struct sl_graph *g = sl_graph_copy(encoded, a);
    take_activations(g, false);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        n->quant = (struct sl_quant){.dtype = SL_NONE};
        sl_remove_param(n, "kernel_scale");
        sl_remove_param(n, "kernel_bias");
        tfl_remove_marks(n);
    }
    g->stage = SL_STAGE_FP_OPTIMIZED;
    *out = g;
    return sl_verify_types(g, e);
}

sluice_status sl_tflite_quantized(const struct sl_graph *encoded, sl_arena *a, struct sl_graph **fp,
                                  struct sl_graph **quantized, sl_err *e)
{
    struct sl_graph *g = sl_graph_copy(encoded, a);
    SL_TRY(float_stage(encoded, a, fp, e));
    take_activations(g, true);
    SL_TRY(tfl_encode_graph(g, e));
    keep_bytes(g);
    split_requantizes(g);
    requantize_copies(g);
    center_averages(g);
    SL_TRY(quantize_graph(g, e));
    *quantized = g;
    return SLUICE_OK;
}
