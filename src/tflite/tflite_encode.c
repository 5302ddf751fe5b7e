/* tflite_encode.c: ranges by interval arithmetic, for nodes between the tensors that the file has scales of. */
#include "tflite/tflite_encode.h"

#include <math.h>
#include <string.h>

#include "ops/quant_rules.h"
#include "tflite/tflite.h"

bool tfl_same_encoding(const struct sl_quant *a, const struct sl_quant *b)
{
    return a->dtype == b->dtype && a->scale == b->scale && a->zero_point == b->zero_point;
}

void tfl_remove_marks(struct sl_node *n)
{
    static const char *const marks[] = {TFL_UNSIGNED, TFL_SIGNED, TFL_FIXED, TFL_BYTES};
    for (size_t i = 0; i < SL_COUNT(marks); i++)
        sl_remove_attr(n, marks[i]);
}

struct interval {
    double lo, hi;
};

static struct interval interval_of(const struct sl_quant *q)
{
    double s = q->scale;
    return (struct interval){s * (0 - q->zero_point), s * (sl_quant_max(q->dtype) - q->zero_point)};
}

static struct interval product(struct interval a, struct interval b)
{
    double p[4] = {a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi};
    return (struct interval){fmin(fmin(p[0], p[1]), fmin(p[2], p[3])), fmax(fmax(p[0], p[1]), fmax(p[2], p[3]))};
}

/* The values that a table over the input's steps will hold. */
static bool curve_interval(const struct sl_node *n, struct interval *out)
{
    const struct sl_quant *q = &n->in[0]->quant;
    struct sl_curve curve;
    sl_err ignored = {0};
    int32_t most = sl_quant_max(q->dtype), step = most == 255 ? 1 : 16;
    *out = (struct interval){INFINITY, -INFINITY};
    if (sl_curve_read(n, "type", &curve, &ignored) != SLUICE_OK)
        return false;
    for (int32_t i = 0; i <= most; i += step) {
        double v = sl_curve_value(&curve, (double)q->scale * (double)(i - q->zero_point));
        if (!isfinite(v))
            continue;
        out->lo = fmin(out->lo, v);
        out->hi = fmax(out->hi, v);
    }
    return out->lo <= out->hi;
}

/* The extremes of a weighted sum: each weight meets the end of the input's interval that helps. */
static bool weighted_interval(const struct sl_node *n, struct interval in, struct interval *out)
{
    const struct sl_const *kernel = sl_param(n, "kernel"), *bias = sl_param(n, "bias");
    sl_arena *scratch = sl_arena_new();
    const float *w = sl_const_dense(scratch, kernel), *b = bias ? sl_const_dense(scratch, bias) : NULL;
    int64_t columns = kernel->shape.dim[kernel->shape.rank - 1], rows = (int64_t)sl_shape_elements(&kernel->shape) / columns;
    int64_t channels = n->shape.dim[n->shape.rank - 1];
    struct interval *sum = SL_NEW_ARRAY(scratch, struct interval, channels + 1);
    *out = (struct interval){0, 0};
    for (int64_t i = 0; w && i < rows * columns; i++) {
        struct interval *s = &sum[sl_kernel_out_channel(n, &kernel->shape, i / columns, i % columns)];
        double lo = (double)w[i] * in.lo, hi = (double)w[i] * in.hi;
        s->lo += fmin(lo, hi);
        s->hi += fmax(lo, hi);
    }
    for (int64_t o = 0; o < channels; o++) {
        double offset = b ? (double)b[o] : 0;
        out->lo = fmin(out->lo, sum[o].lo + offset);
        out->hi = fmax(out->hi, sum[o].hi + offset);
    }
    sl_arena_free(scratch);
    return w && (!bias || b) && isfinite(out->lo) && isfinite(out->hi);
}

/* x - max(x) */
static bool is_own_maximum(const struct sl_node *n)
{
    return n->in[1]->op == SL_OP_reduce_max && n->in[1]->in[0] == n->in[0];
}

static bool find_interval(const struct sl_node *n, struct interval *out)
{
    struct interval a = n->n_in ? interval_of(&n->in[0]->quant) : (struct interval){0, 0};
    struct interval b = n->n_in > 1 ? interval_of(&n->in[1]->quant) : a;
    double count = n->n_in ? (double)sl_shape_elements(&n->in[0]->shape) / fmax(1, (double)sl_shape_elements(&n->shape)) : 1;
    switch ((int)n->op) {
    case SL_OP_ew_add:
        *out = (struct interval){a.lo + b.lo, a.hi + b.hi};
        return true;
    case SL_OP_ew_sub: /* from its own largest value nothing is left above 0 */
        *out = (struct interval){a.lo - b.hi, is_own_maximum(n) ? 0 : a.hi - b.lo};
        return true;
    case SL_OP_ew_mult:
        *out = product(a, b);
        return true;
    case SL_OP_ew_max:
        *out = (struct interval){fmax(a.lo, b.lo), fmax(a.hi, b.hi)};
        return true;
    case SL_OP_ew_min:
        *out = (struct interval){fmin(a.lo, b.lo), fmin(a.hi, b.hi)};
        return true;
    case SL_OP_reduce_sum:
        *out = (struct interval){a.lo * count, a.hi * count};
        return true;
    case SL_OP_reduce_mean:
    case SL_OP_avgpool:
        *out = a;
        return true;
    case SL_OP_softmax:
        *out = (struct interval){0, 1};
        return true;
    case SL_OP_activation:
        return curve_interval(n, out);
    case SL_OP_conv:
    case SL_OP_dw:
    case SL_OP_fc:
    case SL_OP_deconv:
        return weighted_interval(n, a, out);
    default:
        return false;
    }
}

static struct sl_quant wide_encoding(struct interval r)
{
    double lo = fmin(r.lo, 0), hi = fmax(r.hi, 0), width = fmax(hi - lo, 1e-30);
    float scale = (float)(width / 65535);
    return (struct sl_quant){
        .dtype = SL_U16, .scale = scale, .zero_point = (int32_t)fmin(fmax(rint(-lo / (double)scale), 0), 65535)};
}

static sluice_status constant_encoding(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    const struct sl_const *k = sl_param(n, "data");
    const float *f = k && k->dtype == SL_F32 ? sl_const_dense(g->arena, k) : NULL;
    struct interval r = {0, 0};
    if (!f)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "layer '%s': a constant of type %s", sl_node_text(n), sl_dtype_name(n->dtype));
    for (size_t i = 0; i < sl_shape_elements(&k->shape); i++) {
        if (!isfinite(f[i]))
            return sl_fail(e, SLUICE_E_VALUE, "layer '%s': a constant holds a value that is not finite", sl_node_text(n));
        r.lo = fmin(r.lo, (double)f[i]);
        r.hi = fmax(r.hi, (double)f[i]);
    }
    n->quant = wide_encoding(r);
    return SLUICE_OK;
}

static sluice_status encode_node(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    enum sl_encode encode = sl_op_row(n->op)->encode;
    struct interval r;
    if (n->op == SL_OP_argmax || n->op == SL_OP_argmin) { /* positions are themselves */
        n->quant = (struct sl_quant){.dtype = sl_positions(n) > 256 ? SL_U16 : SL_U8, .scale = 1, .zero_point = 0};
        return SLUICE_OK;
    }
    bool positions = n->n_in && n->in[0]->dtype != SL_F32 && encode == SL_ENCODE_SAME; /* only moved, or given another type */
    if (n->dtype != SL_F32 && !positions) {
        sl_fail(e, SLUICE_E_UNSUPPORTED, "layer '%s' (%s) computes on integers, which has no quantized form", sl_node_text(n),
                sl_op_info(n->op)->name);
        return sl_hint(e, "end the network before it (--end-node-names) and compute it on the host");
    }
    if (n->quant.dtype != SL_NONE)
        return SLUICE_OK;
    if (n->op == SL_OP_const_input)
        return constant_encoding(g, n, e);
    if (n->n_in && (encode == SL_ENCODE_SAME || encode == SL_ENCODE_UNITED)) {
        n->quant = n->in[0]->quant;
        return SLUICE_OK;
    }
    if (find_interval(n, &r)) {
        n->quant = wide_encoding(r);
        return SLUICE_OK;
    }
    sl_fail(e, SLUICE_E_UNSUPPORTED, "layer '%s' (%s): the file has no scale for its output", sl_node_text(n),
            sl_op_info(n->op)->name);
    return sl_hint(e, "quantize this network with calibration data: sluice optimize");
}

sluice_status tfl_encode_graph(struct sl_graph *g, sl_err *e)
{
    for (int i = 0; i < g->n_nodes; i++)
        SL_TRY(encode_node(g, g->nodes[i], e));
    return SLUICE_OK;
}
