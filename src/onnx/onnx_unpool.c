/* onnx_unpool.c: MaxPool's second output, the flat positions of the largest values, and MaxUnpool, which puts values back
 * there. */
#include <string.h>

#include "onnx/onnx_window.h"

sluice_status onnx_max_pool_indices(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w, struct sl_node **out)
{
    int64_t pads[6];
    for (int i = 0; i < w->n; i++) {
        pads[i] = w->before[i];
        pads[w->n + i] = w->after[i];
    }
    *out = sl_build_add(c->b, SL_OP_maxpool_indices, 1, &x);
    sl_set_ints(c->g, *out, "kernel_shape", w->n, w->kernel);
    sl_set_ints(c->g, *out, "strides", w->n, w->stride);
    sl_set_ints(c->g, *out, "dilations", w->n, w->dilation);
    sl_set_ints(c->g, *out, "pads", 2 * w->n, pads);
    if (onnx_attr_int(c, "storage_order", 0) != 0)
        sl_set_int(c->g, *out, "storage_order", 1);
    return sl_build_finish(c->b, out);
}

/* The picture that the pool before it saw, if kernel, strides and pads mean what they meant there. */
static sluice_status unpooled_shape(struct onnx_import *c, const struct sl_node *x, struct sl_shape *out)
{
    int64_t kernel[3], stride[3], pads[6];
    int n = x->shape.rank - 2;
    if (n < 1 || n > 3)
        return sl_unsupported(c->b, "an input of %d dimensions, 3 to 5 are supported", x->shape.rank);
    if (!onnx_attribute(c, "kernel_shape"))
        return sl_fail(c->e, SLUICE_E_FORMAT, "kernel_shape is missing");
    SL_TRY(onnx_window_ints(c, "kernel_shape", n, 1, 1, kernel));
    SL_TRY(onnx_window_ints(c, "strides", n, 1, 1, stride));
    SL_TRY(onnx_window_ints(c, "pads", 2 * n, 0, 0, pads));
    *out = x->shape;
    for (int i = 0; i < n; i++) {
        int64_t dim = x->shape.dim[2 + i];
        if (dim > INT32_MAX)
            return sl_fail(c->e, SLUICE_E_LIMIT, "an axis of %lld", (long long)dim);
        out->dim[2 + i] = (dim - 1) * stride[i] + kernel[i] - pads[i] - pads[n + i];
        if (out->dim[2 + i] < 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "pads leave no output (%lld)", (long long)out->dim[2 + i]);
    }
    return SLUICE_OK;
}

/* Zeros of this shape with the values of x at flat positions. */
static sluice_status scatter_flat(struct onnx_import *c, struct sl_node *x, struct sl_node *at, const struct sl_shape *s,
                                  struct sl_node **out)
{
    const int64_t zero = 0;
    size_t total;
    if (!sl_shape_count(s, &total))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the output is too large");
    struct sl_shape flat = {1, {(int64_t)total}};
    const int64_t n[1] = {(int64_t)sl_shape_elements(&x->shape)};
    struct sl_node *in[3] = {sl_build_const(c->b, sl_const_splat(c->a, x->dtype, &flat, &zero))};
    SL_TRY(onnx_reshape(c, at, 1, n, &in[1]));
    SL_TRY(onnx_reshape(c, x, 1, n, &in[2]));
    *out = sl_build_add(c->b, SL_OP_scatter_elements, 3, in);
    sl_set_int(c->g, *out, "axis", 0);
    SL_TRY(sl_build_finish(c->b, out));
    return onnx_reshape(c, *out, s->rank, s->dim, out);
}

static const struct sl_node *behind_reshape(const struct sl_node *n)
{
    return n->op == SL_OP_reshape ? n->in[0] : n;
}

/* With output_shape, positions of a MaxPool over a picture of that shape count in it, whatever the windows would give: rows
 * that a pool left over are there again. Others count in the shape that the windows give, which then stands in the output's
 * first corner (ONNX's reference). */
sluice_status translate_max_unpool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *at, *y;
    struct sl_shape s, wanted;
    int64_t after[3], before[3] = {0};
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &at));
    if (!sl_shape_equal(&x->shape, &at->shape))
        return sl_fail(c->e, SLUICE_E_SHAPE, "the indices do not have the input's shape");
    SL_TRY(unpooled_shape(c, x, &s));
    wanted = s;
    if (onnx_has_in(c, 2)) {
        int count;
        int64_t *dims;
        SL_TRY(onnx_need_ints(c, 2, "output_shape", &count, &dims));
        if (count != s.rank)
            return sl_fail(c->e, SLUICE_E_SHAPE, "output_shape has %d numbers for %d dimensions", count, s.rank);
        wanted = sl_shape_of(count, dims);
        const struct sl_node *pool = behind_reshape(at);
        if (pool->op == SL_OP_maxpool_indices && sl_shape_equal(&pool->in[0]->shape, &wanted))
            s = wanted;
    }
    for (int i = 0; i < s.rank; i++) {
        if (wanted.dim[i] < s.dim[i] || (i < 2 && wanted.dim[i] != s.dim[i]))
            return sl_fail(c->e, SLUICE_E_SHAPE, "axis %d of output_shape is %lld, at least %lld is wanted", i,
                           (long long)wanted.dim[i], (long long)s.dim[i]);
        if (i >= 2)
            after[i - 2] = wanted.dim[i] - s.dim[i];
    }
    SL_TRY(scatter_flat(c, x, at, &s, &y));
    SL_TRY(onnx_pad_axes(c, y, before, after, s.rank - 2, 0, &y));
    return onnx_out(c, 0, y);
}
