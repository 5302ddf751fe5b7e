/* conv_float.c: weighted layers (conv, dw, fc, deconv): shape rules, evaluation by oneDNN or in plain C, cost. All are read as one
 * geometry with a kernel [kh, kw, ic / groups, oc]: a depthwise kernel [kh, kw, ic, mult] is that with groups = ic. */
#include <string.h>

#include "ops/curves.h"
#include "ops/dnn.h"
#include "ops/eval.h"
#include "ops/op_rules.h"

static const int64_t LONGEST = INT32_MAX; /* sides and channels of weighted layers */

static sluice_status read_input(const struct sl_node *n, struct sl_conv_geometry *c, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_rank(n, 0, 2, 4, e));
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] < 1 || s->dim[i] > LONGEST)
            return sl_fail(e, SLUICE_E_SHAPE, "input 0 has shape %s, sides of 1 to %lld are wanted", SL_SHAPE_TEXT(s),
                           (long long)LONGEST);
    c->batch = s->dim[0];
    c->in_h = s->rank == 4 ? s->dim[1] : 1;
    c->in_w = s->rank >= 3 ? s->dim[s->rank - 2] : 1;
    c->in_c = s->dim[s->rank - 1];
    return SLUICE_OK;
}

/* Kernel sides, groups and output channels from the kernel's shape. */
static sluice_status read_kernel(const struct sl_node *n, struct sl_conv_geometry *c, sl_err *e)
{
    const struct sl_const *kernel;
    SL_TRY(sl_rule_param(n, "kernel", true, n->op == SL_OP_fc ? 2 : 4, SL_TYPES_KERNEL, &kernel, e));
    int64_t d[4] = {1, 1, 1, 1};
    memcpy(n->op == SL_OP_fc ? d + 2 : d, kernel->shape.dim, (size_t)kernel->shape.rank * sizeof *d);
    for (int i = 0; i < 4; i++)
        if (d[i] < 1 || d[i] > (i < 2 ? SL_SIDE_LIMIT : LONGEST))
            return sl_fail(e, SLUICE_E_SHAPE, "kernel has shape %s, sides of 1 to %d are wanted", SL_SHAPE_TEXT(&kernel->shape),
                           (int)SL_SIDE_LIMIT);
    c->groups = n->op == SL_OP_dw ? c->in_c : 1;
    SL_TRY(sl_rule_ints(n, "groups", 1, 1, LONGEST, &c->groups, e));
    c->kernel_h = d[0];
    c->kernel_w = d[1];
    int64_t wanted_in = n->op == SL_OP_conv || n->op == SL_OP_fc ? c->in_c / c->groups : c->in_c;
    c->out_c = n->op == SL_OP_dw || n->op == SL_OP_deconv ? d[3] * (n->op == SL_OP_dw ? c->in_c : c->groups) : d[3];
    if (n->op == SL_OP_dw && c->groups != c->in_c)
        return sl_fail(e, SLUICE_E_VALUE, "groups is %lld, a depthwise layer has one group an input channel (%lld)",
                       (long long)c->groups, (long long)c->in_c);
    if (c->in_c % c->groups || c->out_c % c->groups || c->out_c > LONGEST)
        return sl_fail(e, SLUICE_E_SHAPE, "groups %lld does not divide %lld input and %lld output channels", (long long)c->groups,
                       (long long)c->in_c, (long long)c->out_c);
    if (d[2] != wanted_in)
        return sl_fail(e, SLUICE_E_SHAPE, "kernel %s has %lld input channels, an input of %lld channels in %lld groups needs %lld",
                       SL_SHAPE_TEXT(&kernel->shape), (long long)d[2], (long long)c->in_c, (long long)c->groups,
                       (long long)wanted_in);
    return SLUICE_OK;
}

static sluice_status read_steps(const struct sl_node *n, struct sl_conv_geometry *c, sl_err *e)
{
    int64_t stride[2] = {1, 1}, dilation[2] = {1, 1}, pads[4] = {0};
    SL_TRY(sl_rule_window(n, "strides", stride, e));
    SL_TRY(sl_rule_window(n, "dilations", dilation, e));
    SL_TRY(sl_rule_ints(n, "pads", 4, 0, SL_SIDE_LIMIT, pads, e));
    c->stride_h = stride[0];
    c->stride_w = stride[1];
    c->dilation_h = dilation[0];
    c->dilation_w = dilation[1];
    c->pad_top = pads[0];
    c->pad_left = pads[1];
    c->pad_bottom = pads[2];
    c->pad_right = pads[3];
    int rank = n->in[0]->shape.rank;
    if (rank < 4 && (c->kernel_h != 1 || pads[0] || pads[2]))
        return sl_fail(e, SLUICE_E_SHAPE, "a kernel of height %lld with pads %lld and %lld needs rank 4, the input has shape %s",
                       (long long)c->kernel_h, (long long)pads[0], (long long)pads[2], SL_SHAPE_TEXT(&n->in[0]->shape));
    if (rank < 3 && (c->kernel_w != 1 || pads[1] || pads[3]))
        return sl_fail(e, SLUICE_E_SHAPE, "a kernel of width %lld needs rank 3 or 4, the input has shape %s", (long long)c->kernel_w,
                       SL_SHAPE_TEXT(&n->in[0]->shape));
    return SLUICE_OK;
}

static sluice_status conv_side(const char *name, int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pads,
                               int64_t *out, sl_err *e)
{
    int64_t reach = (kernel - 1) * dilation + 1;
    if (in + pads < reach)
        return sl_fail(e, SLUICE_E_SHAPE, "the kernel spans %lld along %s, which is %lld with its pads", (long long)reach, name,
                       (long long)(in + pads));
    *out = (in + pads - reach) / stride + 1;
    return SLUICE_OK;
}

static sluice_status deconv_side(const char *name, int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pads,
                                 int64_t extra, int64_t *out, sl_err *e)
{
    *out = (in - 1) * stride + (kernel - 1) * dilation + 1 + extra - pads;
    if (*out < 1)
        return sl_fail(e, SLUICE_E_SHAPE, "the output's %s would be %lld, at least 1 is wanted", name, (long long)*out);
    return SLUICE_OK;
}

static sluice_status read_geometry(const struct sl_node *n, struct sl_conv_geometry *c, sl_err *e)
{
    *c = (struct sl_conv_geometry){0};
    SL_TRY(read_input(n, c, e));
    SL_TRY(read_kernel(n, c, e));
    SL_TRY(read_steps(n, c, e));
    int64_t pads_h = c->pad_top + c->pad_bottom, pads_w = c->pad_left + c->pad_right;
    if (n->op == SL_OP_deconv) {
        int64_t extra[2] = {0, 0};
        SL_TRY(sl_rule_ints(n, "output_padding", 2, 0, SL_SIDE_LIMIT, extra, e));
        SL_TRY(deconv_side("height", c->in_h, c->kernel_h, c->stride_h, c->dilation_h, pads_h, extra[0], &c->out_h, e));
        return deconv_side("width", c->in_w, c->kernel_w, c->stride_w, c->dilation_w, pads_w, extra[1], &c->out_w, e);
    }
    SL_TRY(conv_side("height", c->in_h, c->kernel_h, c->stride_h, c->dilation_h, pads_h, &c->out_h, e));
    return conv_side("width", c->in_w, c->kernel_w, c->stride_w, c->dilation_w, pads_w, &c->out_w, e);
}

void sl_conv_geometry(const struct sl_node *n, struct sl_conv_geometry *out)
{
    sl_err ignored = {0}; /* the shape rule has passed */
    read_geometry(n, out, &ignored);
}

static sluice_status infer_weighted(struct sl_node *n, sl_err *e)
{
    struct sl_conv_geometry c;
    SL_TRY(read_geometry(n, &c, e));
    SL_TRY(sl_rule_channels(n, "bias", false, SL_TYPES_BIAS, c.out_c, e));
    SL_TRY(sl_rule_activation(n, e));
    int rank = n->in[0]->shape.rank;
    struct sl_shape out = rank == 4   ? sl_shape_of(4, (int64_t[]){c.batch, c.out_h, c.out_w, c.out_c})
                          : rank == 3 ? sl_shape_of(3, (int64_t[]){c.batch, c.out_w, c.out_c})
                                      : sl_shape_of(2, (int64_t[]){c.batch, c.out_c});
    if (rank < 4 && (c.out_h != 1 || (rank < 3 && c.out_w != 1)))
        return sl_fail(e, SLUICE_E_SHAPE, "the output would be %lld x %lld, an input of shape %s has no such axes", (long long)c.out_h,
                       (long long)c.out_w, SL_SHAPE_TEXT(&n->in[0]->shape));
    if (n->n_in == 2) {
        SL_TRY(sl_rule_is_float(n, 1, e));
        if (!sl_shape_equal(&n->in[1]->shape, &out))
            return sl_fail(e, SLUICE_E_SHAPE, "the residual has shape %s, the output's %s is wanted", SL_SHAPE_TEXT(&n->in[1]->shape),
                           SL_SHAPE_TEXT(&out));
    }
    return sl_rule_output(n, SL_F32, &out, e);
}

sluice_status infer_conv(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct sl_shape *s = &n->in[0]->shape;
    SL_TRY(infer_weighted(n, e));
    return sl_rule_channels(n, "pad_value", false, SL_TYPES_STORED, s->dim[s->rank - 1], e);
}

sluice_status infer_deconv(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    if (sl_param(n, "pad_value"))
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "a deconv has no pad_value");
    return infer_weighted(n, e);
}

int64_t cost_weighted(const struct sl_node *n)
{
    struct sl_conv_geometry c;
    sl_conv_geometry(n, &c);
    int64_t window = sl_saturating_mul(c.kernel_h, c.kernel_w), per_group = n->op == SL_OP_deconv ? c.out_c : c.in_c;
    const struct sl_shape *positions = n->op == SL_OP_deconv ? &n->in[0]->shape : &n->shape;
    return sl_saturating_mul((int64_t)sl_shape_elements(positions), sl_saturating_mul(window, per_group / SL_MAX(c.groups, 1)));
}

/* ---- plain C ---- */
struct weights { const float *kernel, *bias, *pad_value, *residual; };

static sluice_status read_weights(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct weights *w,
                                  sl_err *e)
{
    SL_TRY(sl_eval_param(ev, n, "kernel", &w->kernel, e));
    SL_TRY(sl_eval_param(ev, n, "bias", &w->bias, e));
    SL_TRY(sl_eval_param(ev, n, "pad_value", &w->pad_value, e));
    w->residual = n->n_in == 2 ? in[1].data : NULL;
    return SLUICE_OK;
}

/* sum[o] += x[c] * kernel[c of its group][o], one tap of the window */
static void add_tap(const struct sl_conv_geometry *c, const float *x, const float *kernel, double *sum)
{
    const int64_t in_group = c->in_c / c->groups, out_group = c->out_c / c->groups;
    for (int64_t group = 0; group < c->groups; group++)
        for (int64_t i = 0; i < in_group; i++) {
            const double v = (double)x[group * in_group + i];
            const float *k = kernel + i * c->out_c + group * out_group;
            for (int64_t o = 0; o < out_group; o++)
                sum[group * out_group + o] += v * (double)k[o];
        }
}

static void finish_line(const struct weights *w, int64_t channels, const double *sum, size_t at, float *y)
{
    for (int64_t o = 0; o < channels; o++) {
        double v = sum[o] + (w->bias ? (double)w->bias[o] : 0);
        y[at + (size_t)o] = (float)(v + (w->residual ? (double)w->residual[at + (size_t)o] : 0));
    }
}

static void conv_position(const struct sl_conv_geometry *c, const struct weights *w, const float *picture, int64_t oy, int64_t ox,
                          double *sum)
{
    memset(sum, 0, (size_t)c->out_c * sizeof *sum);
    const int64_t tap = c->in_c / c->groups * c->out_c;
    for (int64_t i = 0; i < c->kernel_h; i++)
        for (int64_t j = 0; j < c->kernel_w; j++) {
            int64_t y = oy * c->stride_h + i * c->dilation_h - c->pad_top, x = ox * c->stride_w + j * c->dilation_w - c->pad_left;
            bool inside = y >= 0 && y < c->in_h && x >= 0 && x < c->in_w;
            const float *values = inside ? picture + (y * c->in_w + x) * c->in_c : w->pad_value;
            if (values)
                add_tap(c, values, w->kernel + (i * c->kernel_w + j) * tap, sum);
        }
}

sluice_status sl_plain_conv(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    struct sl_conv_geometry c;
    struct weights w;
    double *sum;
    sl_conv_geometry(n, &c);
    SL_TRY(read_weights(ev, n, in, &w, e));
    SL_TRY(sl_eval_scratch(ev, (size_t)c.out_c, sizeof *sum, &sum, e));
    size_t at = 0;
    for (int64_t b = 0; b < c.batch; b++)
        for (int64_t oy = 0; oy < c.out_h; oy++)
            for (int64_t ox = 0; ox < c.out_w; ox++, at += (size_t)c.out_c) {
                conv_position(&c, &w, (const float *)in[0].data + b * c.in_h * c.in_w * c.in_c, oy, ox, sum);
                finish_line(&w, c.out_c, sum, at, out->data);
            }
    sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}

sluice_status eval_conv(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    if (sl_dnn_conv(ev->dnn, n, in, out))
        return SLUICE_OK;
    return sl_plain_conv(ev, n, in, out, e);
}

/* A deconv's kernel [kh, kw, ic, oc / groups]: channel i of group G adds to the outputs of G. */
static void scatter(const struct sl_conv_geometry *c, const float *x, const float *kernel, double *sum)
{
    const int64_t in_group = c->in_c / c->groups, out_group = c->out_c / c->groups;
    for (int64_t i = 0; i < c->in_c; i++) {
        const double v = (double)x[i];
        double *to = sum + i / in_group * out_group;
        for (int64_t o = 0; o < out_group; o++)
            to[o] += v * (double)kernel[i * out_group + o];
    }
}

static void deconv_picture(const struct sl_conv_geometry *c, const float *kernel, const float *picture, double *sum)
{
    const int64_t tap = c->in_c * (c->out_c / c->groups);
    for (int64_t y = 0; y < c->in_h; y++)
        for (int64_t x = 0; x < c->in_w; x++, picture += c->in_c)
            for (int64_t i = 0; i < c->kernel_h; i++)
                for (int64_t j = 0; j < c->kernel_w; j++) {
                    int64_t oy = y * c->stride_h + i * c->dilation_h - c->pad_top;
                    int64_t ox = x * c->stride_w + j * c->dilation_w - c->pad_left;
                    if (oy >= 0 && oy < c->out_h && ox >= 0 && ox < c->out_w)
                        scatter(c, picture, kernel + (i * c->kernel_w + j) * tap, sum + (oy * c->out_w + ox) * c->out_c);
                }
}

static sluice_status plain_deconv(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                                  sl_err *e)
{
    struct sl_conv_geometry c;
    struct weights w;
    double *sum;
    sl_conv_geometry(n, &c);
    SL_TRY(read_weights(ev, n, in, &w, e));
    size_t positions = (size_t)(c.out_h * c.out_w), values = positions * (size_t)c.out_c;
    SL_TRY(sl_eval_scratch(ev, values, sizeof *sum, &sum, e));
    for (int64_t b = 0; b < c.batch; b++) {
        memset(sum, 0, values * sizeof *sum);
        deconv_picture(&c, w.kernel, (const float *)in[0].data + b * c.in_h * c.in_w * c.in_c, sum);
        for (size_t i = 0; i < positions; i++)
            finish_line(&w, c.out_c, sum + i * (size_t)c.out_c, (size_t)b * values + i * (size_t)c.out_c, out->data);
    }
    sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}

sluice_status eval_deconv(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    if (sl_dnn_conv(ev->dnn, n, in, out))
        return SLUICE_OK;
    return plain_deconv(ev, n, in, out, e);
}
