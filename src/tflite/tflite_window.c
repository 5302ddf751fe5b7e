/*
 * tflite_window.c: convolutions and pools. Kernels are reordered (OHWI -> HWIO, depthwise [1, kh, kw, c * mult] -> [kh, kw, c,
 * mult]); SAME and VALID become explicit pads. A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND is one with
 * dilation.
 */
#include <string.h>

#include "tflite/tflite_import.h"

enum { MOST_SIDE = 1 << 20 };

/* Height, then width. */
struct window {
    int64_t in[2], kernel[2], stride[2], dilation[2], before[2], after[2], out[2];
};

static sluice_status window_number(struct tfl_import *c, const char *what, int64_t v, int64_t *out)
{
    if (v < 1 || v > MOST_SIDE)
        return sl_fail(c->e, SLUICE_E_VALUE, "%s %lld is outside 1..%d", what, (long long)v, MOST_SIDE);
    *out = v;
    return SLUICE_OK;
}

static sluice_status read_strides(struct tfl_import *c, unsigned slot_h, unsigned slot_w, struct window *w)
{
    SL_TRY(window_number(c, "stride", flat_s32(&c->op->options, slot_h, 0), &w->stride[0]));
    return window_number(c, "stride", flat_s32(&c->op->options, slot_w, 0), &w->stride[1]);
}

static sluice_status read_dilations(struct tfl_import *c, unsigned slot_h, unsigned slot_w, struct window *w)
{
    SL_TRY(window_number(c, "dilation", flat_s32(&c->op->options, slot_h, 1), &w->dilation[0]));
    return window_number(c, "dilation", flat_s32(&c->op->options, slot_w, 1), &w->dilation[1]);
}

static int64_t extent(const struct window *w, int i)
{
    return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

static sluice_status read_padding(struct tfl_import *c, unsigned slot, bool *same)
{
    int64_t v = flat_s8(&c->op->options, slot, TFL_SAME);
    *same = v == TFL_SAME;
    return v == TFL_SAME || v == TFL_VALID
               ? SLUICE_OK
               : sl_fail(c->e, SLUICE_E_VALUE, "padding %lld, 0 (SAME) or 1 (VALID) is wanted", (long long)v);
}

static sluice_status find_pads(struct tfl_import *c, unsigned slot, struct window *w)
{
    bool same;
    SL_TRY(read_padding(c, slot, &same));
    for (int i = 0; i < 2; i++) {
        w->out[i] = same ? (w->in[i] + w->stride[i] - 1) / w->stride[i] : (w->in[i] - extent(w, i)) / w->stride[i] + 1;
        if (!same && w->in[i] < extent(w, i))
            return sl_fail(c->e, SLUICE_E_SHAPE, "a window of %lld does not fit an axis of %lld", (long long)extent(w, i),
                           (long long)w->in[i]);
        int64_t total = SL_MAX(0, (w->out[i] - 1) * w->stride[i] + extent(w, i) - w->in[i]);
        w->before[i] = same ? total / 2 : 0;
        w->after[i] = same ? total - total / 2 : 0;
    }
    return SLUICE_OK;
}

static void set_window(struct tfl_import *c, struct sl_node *n, const struct window *w)
{
    sl_set_ints(c->g, n, "strides", 4, (int64_t[]){1, w->stride[0], w->stride[1], 1});
    sl_set_ints(c->g, n, "dilations", 4, (int64_t[]){1, w->dilation[0], w->dilation[1], 1});
    sl_set_ints(c->g, n, "pads", 4, (int64_t[]){w->before[0], w->before[1], w->after[0], w->after[1]});
}

static sluice_status picture(struct tfl_import *c, int input, struct sl_node **x, struct window *w)
{
    SL_TRY(tfl_in(c, input, x));
    if (!*x || (*x)->shape.rank != 4)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input has %d dimensions, 4 are wanted", *x ? (*x)->shape.rank : 0);
    w->in[0] = (*x)->shape.dim[1];
    w->in[1] = (*x)->shape.dim[2];
    return SLUICE_OK;
}

/* ---- dilation written as space to batch ---- */

/* The convolution reads nothing but a SPACE_TO_BATCH_ND and is read by its BATCH_TO_SPACE_ND alone: from, block and pads; the
 * crops are the reader's business. */
static const struct tfl_space *dilated_by_space(const struct tfl_import *c, const struct window *w)
{
    const struct tfl_space *s = c->values[c->op->in[0]].space;
    const struct tfl_value *out = &c->values[c->op->out[0]];
    enum { BATCH_TO_SPACE = 37 };
    if (!s || out->n_readers != 1 || out->wanted || c->model.operators[out->reader].code != BATCH_TO_SPACE)
        return NULL;
    return w->stride[0] == 1 && w->stride[1] == 1 && w->dilation[0] == 1 && w->dilation[1] == 1 ? s : NULL;
}

/* Reads the picture itself. What BATCH_TO_SPACE_ND crops after the end is padding that need not be added; the rest of the crops
 * stays for it to do (tflop_batch_to_space), on a value that is marked as being in space order already. */
static sluice_status dilate(struct tfl_import *c, const struct tfl_space *s, struct sl_node **x, struct window *w,
                            struct tfl_space *mark)
{
    const struct tfl_operator *reader = &c->model.operators[c->values[c->op->out[0]].reader];
    const struct tfl_tensor *t = reader->n_in > 2 && reader->in[2] >= 0 ? &c->model.tensors[reader->in[2]] : NULL;
    const struct sl_const *crops = NULL;
    if (t && t->data.size)
        SL_TRY(tfl_tensor_const(c, t, &crops));
    *x = s->from;
    for (int i = 0; i < 2; i++) {
        w->dilation[i] = mark->block[i] = s->block[i];
        w->before[i] = w->before[i] * s->block[i] + s->pads[2 * i];
        w->after[i] = w->after[i] * s->block[i] + s->pads[2 * i + 1];
        for (int k = 0; k < 2 && crops && sl_shape_elements(&crops->shape) == 4; k++)
            mark->pads[2 * i + k] = sl_const_integer(crops, (size_t)(2 * i + k));
        int64_t spare = SL_MIN(w->after[i], mark->pads[2 * i + 1]);
        if (spare > 0) {
            w->after[i] -= spare;
            mark->pads[2 * i + 1] -= spare;
        }
    }
    return SLUICE_OK;
}

static sluice_status weighted_out(struct tfl_import *c, enum sl_op op, struct sl_node *x, const struct tfl_weights *weights,
                                  struct window *w, int64_t groups, unsigned activation)
{
    const struct tfl_space *s = dilated_by_space(c, w);
    struct tfl_space *mark = s ? SL_NEW(c->a, struct tfl_space) : NULL;
    if (s)
        SL_TRY(dilate(c, s, &x, w, mark));
    struct sl_node *n = sl_build_add(c->b, op, 1, &x);
    tfl_set_weights(c, n, weights);
    set_window(c, n, w);
    sl_set_int(c->g, n, "groups", groups);
    SL_TRY(sl_build_finish(c->b, &n));
    SL_TRY(tfl_activated_out(c, activation, n));
    c->values[c->op->out[0]].space = mark;
    return SLUICE_OK;
}

/* ---- convolutions ---- */

sluice_status tflop_conv(struct tfl_import *c, const struct tfl_operator *op)
{
    static const int64_t hwio[4] = {1, 2, 3, 0};
    struct sl_node *x;
    struct window w = {0};
    struct tfl_weights weights;
    SL_TRY(picture(c, 0, &x, &w));
    SL_TRY(tfl_read_weights(c, 1, 2, 0, 4, 0, hwio, &weights));
    const int64_t *k = weights.kernel->shape.dim, in_c = x->shape.dim[3];
    if (k[2] < 1 || in_c % k[2] || k[3] % (in_c / k[2]))
        return sl_fail(c->e, SLUICE_E_SHAPE, "a kernel of %lld input and %lld output channels does not fit %lld channels",
                       (long long)k[2], (long long)k[3], (long long)in_c);
    w.kernel[0] = k[0];
    w.kernel[1] = k[1];
    SL_TRY(read_strides(c, CONV_STRIDE_H, CONV_STRIDE_W, &w));
    SL_TRY(read_dilations(c, CONV_DILATION_H, CONV_DILATION_W, &w));
    SL_TRY(find_pads(c, CONV_PADDING, &w));
    return weighted_out(c, SL_OP_conv, x, &weights, &w, in_c / k[2], CONV_ACTIVATION);
}

sluice_status tflop_depthwise_conv(struct tfl_import *c, const struct tfl_operator *op)
{
    static const int64_t as_is[4] = {1, 2, 3, 0}; /* [1, kh, kw, c * mult] -> [kh, kw, c * mult, 1] */
    struct sl_node *x;
    struct window w = {0};
    struct tfl_weights weights;
    SL_TRY(picture(c, 0, &x, &w));
    SL_TRY(tfl_read_weights(c, 1, 2, 0, 4, 3, as_is, &weights));
    const int64_t *k = weights.kernel->shape.dim, in_c = x->shape.dim[3], out_c = k[2];
    if (k[3] != 1 || in_c < 1 || out_c % in_c)
        return sl_fail(c->e, SLUICE_E_SHAPE, "a depthwise kernel [%lld, ..., %lld] does not fit %lld channels", (long long)k[3],
                       (long long)out_c, (long long)in_c);
    w.kernel[0] = k[0];
    w.kernel[1] = k[1];
    const struct sl_shape shape = {4, {k[0], k[1], in_c, out_c / in_c}};
    weights.kernel = sl_const_reshape(c->a, weights.kernel, &shape);
    SL_TRY(read_strides(c, DW_STRIDE_H, DW_STRIDE_W, &w));
    SL_TRY(read_dilations(c, DW_DILATION_H, DW_DILATION_W, &w));
    SL_TRY(find_pads(c, DW_PADDING, &w));
    return weighted_out(c, SL_OP_dw, x, &weights, &w, in_c, DW_ACTIVATION);
}

/* The kernel is laid over the output as a convolution of it with these pads would be. */
static sluice_status transposed(struct tfl_import *c, struct sl_node *x, const struct tfl_weights *weights, struct window *w,
                                const int64_t *side, bool same, struct sl_node **out)
{
    int64_t more[2];
    for (int i = 0; i < 2; i++) {
        w->kernel[i] = weights->kernel->shape.dim[i];
        w->dilation[i] = 1;
        int64_t full = (w->in[i] - 1) * w->stride[i] + w->kernel[i], total = full - side[i];
        if (side[i] < 1 || side[i] > (int64_t)MOST_SIDE * 16)
            return sl_fail(c->e, SLUICE_E_SHAPE, "the output's side is %lld", (long long)side[i]);
        more[i] = SL_MAX(0, -total);
        total = SL_MAX(0, total);
        w->before[i] = same ? total / 2 : 0;
        w->after[i] = total - w->before[i];
    }
    *out = sl_build_add(c->b, SL_OP_deconv, 1, &x);
    tfl_set_weights(c, *out, weights);
    set_window(c, *out, w);
    sl_set_int(c->g, *out, "groups", 1);
    sl_set_ints(c->g, *out, "output_padding", 2, more);
    return sl_build_finish(c->b, out);
}

static const int64_t hwio[4] = {1, 2, 3, 0};

/* Inputs: output shape, kernel OHWI, x, bias. */
sluice_status tflop_transpose_conv(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    struct window w = {0};
    struct tfl_weights weights;
    int64_t shape[2 * SL_MAX_RANK];
    int n;
    bool same;
    SL_TRY(picture(c, 2, &x, &w));
    SL_TRY(tfl_read_weights(c, 1, 3, 2, 4, 0, hwio, &weights));
    SL_TRY(tfl_need_ints(c, 0, "output shape", &n, shape));
    SL_TRY(read_strides(c, TCONV_STRIDE_H, TCONV_STRIDE_W, &w));
    SL_TRY(read_padding(c, TCONV_PADDING, &same));
    if (n != 4 || shape[3] != weights.kernel->shape.dim[3])
        return sl_fail(c->e, SLUICE_E_SHAPE, "the output shape does not have 4 dimensions with %lld channels",
                       (long long)weights.kernel->shape.dim[3]);
    SL_TRY(transposed(c, x, &weights, &w, shape + 1, same, &x));
    return tfl_activated_out(c, TCONV_ACTIVATION, x);
}

/* MediaPipe's custom operator. Inputs: x, kernel OHWI, bias. Its options are three 32-bit integers: padding (1 SAME, 2 VALID),
 * stride across, stride down. */
sluice_status tfl_convolution_transpose_bias(struct tfl_import *c, const struct tfl_operator *op)
{
    enum { PADDING, STRIDE_W, STRIDE_H, OPTIONS, SAME = 1, VALID = 2 };
    int32_t options[OPTIONS];
    struct sl_node *x;
    struct window w = {0};
    struct tfl_weights weights;
    int64_t side[2];
    if (op->n_in != 3 || op->custom_options.size < sizeof options)
        return sl_fail(c->e, SLUICE_E_FORMAT, "%d inputs and options of %zu bytes, 3 and at least %zu are wanted", op->n_in,
                       op->custom_options.size, sizeof options);
    memcpy(options, op->custom_options.data, sizeof options);
    if (options[PADDING] != SAME && options[PADDING] != VALID)
        return sl_fail(c->e, SLUICE_E_VALUE, "padding %d, 1 (SAME) or 2 (VALID) is wanted", (int)options[PADDING]);
    SL_TRY(picture(c, 0, &x, &w));
    SL_TRY(window_number(c, "stride", options[STRIDE_H], &w.stride[0]));
    SL_TRY(window_number(c, "stride", options[STRIDE_W], &w.stride[1]));
    SL_TRY(tfl_read_weights(c, 1, 2, 0, 4, 0, hwio, &weights));
    for (int i = 0; i < 2; i++)
        side[i] = options[PADDING] == SAME ? w.in[i] * w.stride[i] : (w.in[i] - 1) * w.stride[i] + weights.kernel->shape.dim[i];
    SL_TRY(transposed(c, x, &weights, &w, side, options[PADDING] == SAME, &x));
    return tfl_out(c, 0, x);
}

/* ---- pools ---- */

static sluice_status pool_window(struct tfl_import *c, struct sl_node **x, struct window *w)
{
    SL_TRY(picture(c, 0, x, w));
    SL_TRY(window_number(c, "filter", flat_s32(&c->op->options, POOL_HEIGHT, 0), &w->kernel[0]));
    SL_TRY(window_number(c, "filter", flat_s32(&c->op->options, POOL_WIDTH, 0), &w->kernel[1]));
    SL_TRY(read_strides(c, POOL_STRIDE_H, POOL_STRIDE_W, w));
    w->dilation[0] = w->dilation[1] = 1;
    return find_pads(c, POOL_PADDING, w);
}

static sluice_status pool_layer(struct tfl_import *c, enum sl_op op, struct sl_node *x, const struct window *w,
                                struct sl_node **out)
{
    *out = sl_build_add(c->b, op, 1, &x);
    sl_set_ints(c->g, *out, "kernel_shape", 4, (int64_t[]){1, w->kernel[0], w->kernel[1], 1});
    set_window(c, *out, w);
    if (op == SL_OP_avgpool)
        sl_set_int(c->g, *out, "count_include_pad", 0);
    return sl_build_finish(c->b, out);
}

sluice_status tflop_average_pool(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    struct window w = {0};
    SL_TRY(pool_window(c, &x, &w));
    SL_TRY(pool_layer(c, SL_OP_avgpool, x, &w, &x));
    if (tfl_in_tensor(c, 0)->type == TFL_UINT8 && x->op == SL_OP_avgpool)
        sl_set_int(c->g, x, TFL_UNSIGNED, 1);
    return tfl_activated_out(c, POOL_ACTIVATION, x);
}

sluice_status tflop_max_pool(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    struct window w = {0};
    SL_TRY(pool_window(c, &x, &w));
    SL_TRY(pool_layer(c, SL_OP_maxpool, x, &w, &x));
    return tfl_activated_out(c, POOL_ACTIVATION, x);
}

sluice_status tflop_l2_pool(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    struct window w = {0};
    SL_TRY(pool_window(c, &x, &w));
    SL_TRY(sl_build_unary(c->b, x, "square", &x));
    SL_TRY(pool_layer(c, SL_OP_avgpool, x, &w, &x));
    SL_TRY(sl_build_unary(c->b, x, "sqrt", &x));
    return tfl_activated_out(c, POOL_ACTIVATION, x);
}
