/* tflite_linear.c: weights of convolutions and fully connected layers with their scales and biases, FULLY_CONNECTED and
 * BATCH_MATMUL. */
#include <math.h>
#include <string.h>

#include "tflite/tflite_import.h"

/* ---- weights ---- */

/* One scale an output channel, where the file has 8-bit weights. Weights with a zero point (uint8) are their difference from
 * it. */
static sluice_status kernel_scales(struct tfl_import *c, const struct tfl_tensor *t, int channel_axis,
                                   const struct sl_const **out)
{
    int64_t channels = t->shape.dim[channel_axis];
    void *data;
    *out = NULL;
    if (!tfl_is_quantized(t) || (t->type != TFL_INT8 && t->type != TFL_UINT8 && t->type != TFL_INT4))
        return SLUICE_OK;
    if (t->n_scales > 1 && t->channel_axis != channel_axis)
        return sl_unsupported(c->b, "weights '%s' have scales along axis %d, output channels are axis %d", t->name,
                              t->channel_axis, channel_axis);
    for (int i = 0; i < t->n_scales; i++)
        if (t->zero_points[i] < -128 || t->zero_points[i] > 255 || !(t->scales[i] > 0))
            return SLUICE_OK;
    struct sl_shape s = {1, {channels}};
    *out = sl_const_new(c->a, SL_F32, &s, &data);
    if (!*out)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for the scales of '%s'", t->name);
    for (int64_t i = 0; i < channels; i++)
        ((float *)data)[i] = t->scales[t->n_scales > 1 ? i : 0];
    return SLUICE_OK;
}

static sluice_status flat_bias(struct tfl_import *c, const struct tfl_tensor *bias, int64_t channels, struct tfl_weights *w)
{
    const struct sl_shape list = {1, {channels}};
    if (w->bias->dtype != SL_F32 || (int64_t)sl_shape_elements(&w->bias->shape) != channels)
        return sl_fail(c->e, SLUICE_E_SHAPE, "bias '%s' does not have one value for each of %lld channels", bias->name,
                       (long long)channels);
    w->bias = sl_const_reshape(c->a, w->bias, &list);
    if (w->file_bias)
        w->file_bias = sl_const_reshape(c->a, w->file_bias, &list);
    return SLUICE_OK;
}

/* A bias of integers counts in units of input scale x weight scale, whatever scale the file gives it. */
sluice_status tfl_integer_bias(struct tfl_import *c, const struct tfl_tensor *bias, const struct tfl_tensor *data,
                               const struct tfl_tensor *kernel, int64_t channels, struct tfl_weights *w)
{
    const struct sl_const *k;
    void *out;
    if (data->n_scales != 1 || kernel->n_scales < 1)
        return sl_unsupported(c->b, "bias '%s' is of integers, input and weights are not quantized", bias->name);
    SL_TRY(tfl_tensor_const(c, bias, &k));
    size_t n = sl_shape_elements(&k->shape);
    const struct sl_const *real = sl_const_new(c->a, SL_F32, &k->shape, &out);
    if (!real)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for bias '%s'", bias->name);
    for (size_t i = 0; i < n; i++) {
        double scale =
            (double)data->scales[0] * (double)kernel->scales[kernel->n_scales > 1 && i < (size_t)kernel->n_scales ? i : 0];
        ((float *)out)[i] = (float)(scale * (double)sl_const_integer(k, i));
    }
    w->bias = real;
    w->file_bias = k;
    return flat_bias(c, bias, channels, w);
}

static sluice_status read_bias(struct tfl_import *c, int bias_input, int data_input, int kernel_input, int64_t channels,
                               struct tfl_weights *w)
{
    const struct tfl_tensor *bias = tfl_in_tensor(c, bias_input);
    if (!bias)
        return SLUICE_OK;
    if (bias->type == TFL_INT32 || bias->type == TFL_INT64)
        return tfl_integer_bias(c, bias, tfl_in_tensor(c, data_input), tfl_in_tensor(c, kernel_input), channels, w);
    SL_TRY(tfl_need_const(c, bias_input, "bias", &w->bias));
    return flat_bias(c, bias, channels, w);
}

sluice_status tfl_read_weights(struct tfl_import *c, int kernel_input, int bias_input, int data_input, int rank,
                               int channel_axis, const int64_t *perm, struct tfl_weights *w)
{
    const struct tfl_tensor *t = tfl_in_tensor(c, kernel_input);
    *w = (struct tfl_weights){0};
    SL_TRY(tfl_need_const(c, kernel_input, "weights", &w->kernel));
    if (w->kernel->shape.rank != rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights have %d dimensions, %d are wanted", w->kernel->shape.rank, rank);
    if (w->kernel->dtype != SL_F32)
        return sl_unsupported(c->b, "weights of type %s without scales", tfl_type_name(t->type));
    for (int k = 0; k < rank; k++)
        if (w->kernel->shape.dim[k] < 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "weights: dimension %d is %lld", k, (long long)w->kernel->shape.dim[k]);
    int64_t channels = w->kernel->shape.dim[channel_axis];
    if (t->data.size && t->shape.rank == rank && !tfl_in_tensor(c, data_input)->data.size)
        SL_TRY(kernel_scales(c, t, channel_axis, &w->scale));
    SL_TRY(read_bias(c, bias_input, data_input, kernel_input, channels, w));
    SL_TRY(sl_build_take(c->b, w->kernel->splat ? 0 : sl_shape_elements(&w->kernel->shape)));
    return sl_const_permute(c->a, w->kernel, perm, &w->kernel, c->e);
}

void tfl_set_weights(struct tfl_import *c, struct sl_node *n, const struct tfl_weights *w)
{
    sl_set_param(c->g, n, "kernel", w->kernel);
    if (w->bias)
        sl_set_param(c->g, n, "bias", w->bias);
    if (w->scale)
        sl_set_param(c->g, n, "kernel_scale", w->scale);
    if (w->scale && w->file_bias)
        sl_set_param(c->g, n, "kernel_bias", w->file_bias);
}

/* ---- products of two activations ---- */

static sluice_status swap_last(struct tfl_import *c, struct sl_node *in, struct sl_node **out)
{
    int64_t perm[SL_MAX_RANK];
    int rank = in->shape.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : i == rank - 2 ? rank - 1 : rank - 2;
    return tfl_transpose(c, in, perm, out);
}

sluice_status tflop_batch_matmul(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    bool adj_y = flat_u8(&op->options, MATMUL_ADJ_Y, 0) != 0;
    SL_TRY(tfl_in(c, 0, &x));
    SL_TRY(tfl_in(c, 1, &y));
    if (!x || !y || x->shape.rank < 2 || y->shape.rank < 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "both inputs need 2 dimensions or more");
    if (flat_u8(&op->options, MATMUL_ADJ_X, 0))
        SL_TRY(swap_last(c, x, &x));
    SL_TRY(sl_build_matmul(c->b, x, y, adj_y, &x));
    return tfl_out(c, 0, x);
}

/* ---- FULLY_CONNECTED ---- */

/* [..., k] as [rows, k]; the shape of the result. */
static sluice_status flatten(struct tfl_import *c, struct sl_node **x, int64_t k, int64_t units, bool keep_dims,
                             struct sl_shape *out)
{
    size_t n = sl_shape_elements(&(*x)->shape);
    if (k < 1 || n % (size_t)k)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%zu input values are no rows of %lld", n, (long long)k);
    int64_t dims[2] = {(int64_t)(n / (size_t)k), k};
    *out = (struct sl_shape){2, {dims[0], units}};
    if (keep_dims && (*x)->shape.rank > 0) {
        *out = (*x)->shape;
        if (out->dim[out->rank - 1] != k)
            return sl_fail(c->e, SLUICE_E_SHAPE, "the last dimension is %lld, the weights have %lld inputs",
                           (long long)out->dim[out->rank - 1], (long long)k);
        out->dim[out->rank - 1] = units;
    }
    return sl_build_reshape(c->b, *x, 2, dims, x);
}

static sluice_status connect_weights(struct tfl_import *c, struct sl_node *x, bool keep_dims)
{
    static const int64_t io[2] = {1, 0};
    struct tfl_weights w;
    struct sl_shape shape;
    SL_TRY(tfl_read_weights(c, 1, 2, 0, 2, 0, io, &w));
    SL_TRY(flatten(c, &x, w.kernel->shape.dim[0], w.kernel->shape.dim[1], keep_dims, &shape));
    if (x->op == SL_OP_reshape && x->quant.dtype == SL_NONE)
        x->quant = x->in[0]->quant;
    struct sl_node *n = sl_build_add(c->b, SL_OP_fc, 1, &x);
    tfl_set_weights(c, n, &w);
    SL_TRY(sl_build_finish(c->b, &n));
    SL_TRY(tfl_activate(c, n, flat_s8(&c->op->options, FC_ACTIVATION, TFL_ACT_NONE), &n));
    if (shape.rank != 2 && n->op != SL_OP_const_input)
        n->quant = tfl_encoding(&c->model.tensors[c->op->out[0]]);
    SL_TRY(sl_build_reshape(c->b, n, shape.rank, shape.dim, &n));
    return tfl_out(c, 0, n);
}

sluice_status tflop_fully_connected(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y, *bias;
    struct sl_shape shape;
    bool keep_dims = flat_u8(&op->options, FC_KEEP_DIMS, 0) != 0;
    SL_TRY(tfl_in(c, 0, &x));
    SL_TRY(tfl_in(c, 1, &y));
    if (!x || !y)
        return sl_fail(c->e, SLUICE_E_FORMAT, "input or weights are missing");
    if (flat_s8(&op->options, FC_FORMAT, 0) != 0)
        return sl_unsupported(c->b, "shuffled weights; convert the model for portable kernels");
    if (y->op == SL_OP_const_input && x->op != SL_OP_const_input)
        return connect_weights(c, x, keep_dims);
    if (y->shape.rank != 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights have %d dimensions, 2 are wanted", y->shape.rank);
    SL_TRY(flatten(c, &x, y->shape.dim[1], y->shape.dim[0], keep_dims, &shape));
    SL_TRY(sl_build_matmul(c->b, x, y, true, &x));
    SL_TRY(tfl_in(c, 2, &bias));
    if (bias)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, x, bias, &x));
    SL_TRY(tfl_activate(c, x, flat_s8(&op->options, FC_ACTIVATION, TFL_ACT_NONE), &x));
    SL_TRY(sl_build_reshape(c->b, x, shape.rank, shape.dim, &x));
    return tfl_out(c, 0, x);
}
