/* deform_float.c: deform_conv (a convolution whose taps are moved by an input) and col2im (columns of windows added up into a picture)
 * as ONNX defines them: shape rules and float evaluation. */
#include <math.h>
#include <string.h>

#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"

/* ---- deform_conv ----
 * inputs: x [n, h, w, ic]; offset [n, oh, ow, 2 * offset_groups * kh * kw], a row and a column a tap; optional mask [n, oh, ow,
 * offset_groups * kh * kw], a factor a tap. Parameters and attributes as conv. */
static sluice_status check_taps(const struct sl_node *n, const struct sl_conv_geometry *c, int input, int64_t values, sl_err *e)
{
    const struct sl_shape *s = &n->in[input]->shape;
    struct sl_shape wanted = sl_shape_of(4, (int64_t[]){c->batch, c->out_h, c->out_w, values});
    SL_TRY(sl_rule_is_float(n, input, e));
    if (!sl_shape_equal(s, &wanted))
        return sl_fail(e, SLUICE_E_SHAPE, "input %d has shape %s, %s is wanted", input, SL_SHAPE_TEXT(s), SL_SHAPE_TEXT(&wanted));
    return SLUICE_OK;
}

/* The same geometry as a conv's: its shape rule is asked with the first input alone. */
static struct sl_node as_conv(const struct sl_node *n)
{
    struct sl_node conv = *n;
    conv.op = SL_OP_conv;
    conv.n_in = 1;
    return conv;
}

sluice_status infer_deform_conv(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    struct sl_conv_geometry c;
    struct sl_node conv = as_conv(n);
    int64_t groups = 1;
    SL_TRY(sl_rule_rank(n, 0, 4, 4, e));
    SL_TRY(infer_conv(g, &conv, e));
    sl_conv_geometry(&conv, &c);
    SL_TRY(sl_rule_ints(n, "offset_groups", 1, 1, SL_SIDE_LIMIT, &groups, e));
    if (c.in_c % groups)
        return sl_fail(e, SLUICE_E_SHAPE, "%lld offset groups do not divide %lld channels", (long long)groups, (long long)c.in_c);
    int64_t taps = sl_saturating_mul(groups, sl_saturating_mul(c.kernel_h, c.kernel_w));
    SL_TRY(check_taps(n, &c, 1, sl_saturating_mul(2, taps), e));
    if (n->n_in == 3)
        SL_TRY(check_taps(n, &c, 2, taps, e));
    return sl_rule_output(n, SL_F32, &conv.shape, e);
}

int64_t cost_deform_conv(const struct sl_node *n)
{
    struct sl_node conv = as_conv(n);
    return cost_weighted(&conv);
}

/* x at a fractional position of channel c, 0 outside, bilinear. */
static double sampled(const struct sl_conv_geometry *c, const float *x, double row, double column, int64_t channel)
{
    double sum = 0;
    if (!(row > -1 && row < (double)c->in_h && column > -1 && column < (double)c->in_w))
        return 0;
    const int64_t r = (int64_t)floor(row), q = (int64_t)floor(column);
    const double down = row - (double)r, right = column - (double)q;
    for (int k = 0; k < 4; k++) {
        const int64_t y = r + (k >> 1), at = q + (k & 1);
        if (y >= 0 && y < c->in_h && at >= 0 && at < c->in_w)
            sum += (k >> 1 ? down : 1 - down) * (k & 1 ? right : 1 - right) * (double)x[(y * c->in_w + at) * c->in_c + channel];
    }
    return sum;
}

struct deform {
    struct sl_conv_geometry c;
    int64_t groups;
    const float *kernel, *bias;
};

/* One output position: offset and mask point at its taps. */
static void deform_position(const struct deform *d, const float *x, const float *offset, const float *mask, int64_t oy, int64_t ox,
                            double *sum)
{
    const struct sl_conv_geometry *c = &d->c;
    const int64_t in_group = c->in_c / c->groups, out_group = c->out_c / c->groups, window = c->kernel_h * c->kernel_w;
    for (int64_t o = 0; o < c->out_c; o++)
        sum[o] = d->bias ? (double)d->bias[o] : 0;
    for (int64_t i = 0; i < c->in_c; i++) {
        const int64_t group = i / in_group, offsets = i / (c->in_c / d->groups) * window;
        for (int64_t t = 0; t < window; t++) {
            const int64_t at = offsets + t;
            double row = (double)(oy * c->stride_h + t / c->kernel_w * c->dilation_h - c->pad_top) + (double)offset[2 * at];
            double column = (double)(ox * c->stride_w + t % c->kernel_w * c->dilation_w - c->pad_left) + (double)offset[2 * at + 1];
            double v = sampled(c, x, row, column, i) * (mask ? (double)mask[at] : 1);
            const float *k = d->kernel + (t * in_group + i % in_group) * c->out_c + group * out_group;
            for (int64_t o = 0; o < out_group; o++)
                sum[group * out_group + o] += v * (double)k[o];
        }
    }
}

sluice_status eval_deform_conv(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                               sl_err *e)
{
    struct sl_node conv = as_conv(n);
    struct deform d = {.groups = sl_get_int(n, "offset_groups", 1)};
    double *sum;
    sl_conv_geometry(&conv, &d.c);
    SL_TRY(sl_eval_param(ev, n, "kernel", &d.kernel, e));
    SL_TRY(sl_eval_param(ev, n, "bias", &d.bias, e));
    SL_TRY(sl_eval_scratch(ev, (size_t)d.c.out_c, sizeof *sum, &sum, e));
    const int64_t taps = d.groups * d.c.kernel_h * d.c.kernel_w;
    const float *offset = in[1].data, *mask = n->n_in == 3 ? in[2].data : NULL;
    float *y = out->data;
    for (int64_t b = 0; b < d.c.batch; b++)
        for (int64_t oy = 0; oy < d.c.out_h; oy++)
            for (int64_t ox = 0; ox < d.c.out_w; ox++, offset += 2 * taps, mask = mask ? mask + taps : NULL) {
                deform_position(&d, (const float *)in[0].data + b * d.c.in_h * d.c.in_w * d.c.in_c, offset, mask, oy, ox, sum);
                for (int64_t o = 0; o < d.c.out_c; o++)
                    *y++ = (float)sum[o];
            }
    sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}

/* ---- col2im: [n, c * block, positions] -> [n, c, image...], in the origin's axis order, any number of spatial axes ---- */
struct columns {
    int rank; /* spatial axes */
    int64_t image[2 * SL_MAX_RANK], block[2 * SL_MAX_RANK], stride[2 * SL_MAX_RANK], dilation[2 * SL_MAX_RANK], pads[2 * SL_MAX_RANK];
    int64_t steps[SL_MAX_RANK], blocks, positions; /* window positions an axis; elements of a block; positions in all */
};

static sluice_status read_axis_list(const struct sl_node *n, const char *name, int wanted, int64_t lo, int64_t otherwise, int64_t *v,
                                    sl_err *e)
{
    int count = wanted;
    for (int i = 0; i < wanted; i++)
        v[i] = otherwise;
    if (sl_attr(n, name))
        SL_TRY(sl_rule_list(n, name, lo, SL_SIDE_LIMIT, &count, v, e));
    if (count != wanted)
        return sl_fail(e, SLUICE_E_VALUE, "%s has %d values, %d are wanted", name, count, wanted);
    return SLUICE_OK;
}

static sluice_status read_columns(const struct sl_node *n, struct columns *c, sl_err *e)
{
    SL_TRY(sl_rule_list(n, "image_shape", 1, SL_SIDE_LIMIT, &c->rank, c->image, e));
    if (c->rank < 1 || c->rank > SL_MAX_RANK - 2)
        return sl_fail(e, SLUICE_E_VALUE, "image_shape has %d axes, 1 to %d are accepted", c->rank, SL_MAX_RANK - 2);
    SL_TRY(read_axis_list(n, "block_shape", c->rank, 1, 1, c->block, e));
    SL_TRY(read_axis_list(n, "strides", c->rank, 1, 1, c->stride, e));
    SL_TRY(read_axis_list(n, "dilations", c->rank, 1, 1, c->dilation, e));
    SL_TRY(read_axis_list(n, "pads", 2 * c->rank, 0, 0, c->pads, e));
    c->blocks = c->positions = 1;
    for (int i = 0; i < c->rank; i++) {
        int64_t room = c->image[i] + c->pads[i] + c->pads[c->rank + i] - (c->block[i] - 1) * c->dilation[i] - 1;
        if (room < 0)
            return sl_fail(e, SLUICE_E_SHAPE, "a block of %lld does not fit axis %d of %lld", (long long)c->block[i], i,
                           (long long)c->image[i]);
        c->steps[i] = room / c->stride[i] + 1;
        c->blocks = sl_saturating_mul(c->blocks, c->block[i]);
        c->positions = sl_saturating_mul(c->positions, c->steps[i]);
    }
    return SLUICE_OK;
}

sluice_status infer_col2im(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct columns c;
    const struct sl_shape *s = &n->in[0]->shape;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_rank(n, 0, 3, 3, e));
    SL_TRY(read_columns(n, &c, e));
    if (s->dim[1] % c.blocks || s->dim[2] != c.positions)
        return sl_fail(e, SLUICE_E_SHAPE, "input %s does not hold blocks of %lld at %lld positions", SL_SHAPE_TEXT(s),
                       (long long)c.blocks, (long long)c.positions);
    struct sl_shape out = {.rank = 2, .dim = {s->dim[0], s->dim[1] / c.blocks}};
    for (int i = 0; i < c.rank; i++)
        out.dim[out.rank++] = c.image[i];
    return sl_rule_output(n, SL_F32, &out, e);
}

/* Flat place in the picture of element `tap` of the block at `position`, -1 in the pads. */
static int64_t place_of(const struct columns *c, int64_t tap, int64_t position)
{
    int64_t place = 0, size = 1;
    for (int i = c->rank - 1; i >= 0; i--) {
        int64_t at = position % c->steps[i] * c->stride[i] + tap % c->block[i] * c->dilation[i] - c->pads[i];
        position /= c->steps[i];
        tap /= c->block[i];
        if (at < 0 || at >= c->image[i])
            return -1;
        place += at * size;
        size *= c->image[i];
    }
    return place;
}

sluice_status eval_col2im(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct columns c;
    SL_TRY(read_columns(n, &c, e));
    const int64_t planes = out->shape.dim[0] * out->shape.dim[1];
    int64_t picture = 1;
    for (int i = 0; i < c.rank; i++)
        picture *= c.image[i];
    const float *x = in[0].data;
    float *y = out->data;
    memset(y, 0, sl_shape_elements(&out->shape) * sizeof *y);
    for (int64_t p = 0; p < planes; p++, y += picture)
        for (int64_t tap = 0; tap < c.blocks; tap++)
            for (int64_t position = 0; position < c.positions; position++, x++) {
                int64_t at = place_of(&c, tap, position);
                if (at >= 0)
                    y[at] += *x;
            }
    return SLUICE_OK;
}
