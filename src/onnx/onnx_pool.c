/* onnx_pool.c: MaxPool, AveragePool, LpPool and their global forms, channels last between two transposes. */
#include <string.h>

#include "onnx/onnx_window.h"

sluice_status onnx_pool_plane(struct onnx_import *c, enum sl_op op, struct sl_node *x, const struct onnx_window *w,
                              bool count_pad, struct sl_node **out)
{
    struct sl_node *n = sl_build_add(c->b, op, 1, &x);
    sl_set_ints(c->g, n, "kernel_shape", 4, (int64_t[]){1, w->kernel[0], w->kernel[1], 1});
    onnx_window_set(c, n, w);
    if (op == SL_OP_avgpool)
        sl_set_int(c->g, n, "count_include_pad", count_pad);
    *out = n;
    return sl_build_finish(c->b, out);
}

static sluice_status pool(struct onnx_import *c, enum sl_op op, struct sl_node *x, struct onnx_window *w, bool count_pad)
{
    int rank = x->shape.rank;
    struct sl_node *y;
    onnx_window_widen(w);
    SL_TRY(onnx_with_height(c, x, &x));
    SL_TRY(onnx_channels_last(c, x, &x));
    SL_TRY(onnx_pool_plane(c, op, x, w, count_pad, &y));
    SL_TRY(onnx_channels_first(c, y, &y));
    SL_TRY(onnx_without_height(c, y, rank, &y));
    return onnx_out(c, 0, y);
}

static sluice_status pool_window(struct onnx_import *c, const struct sl_node *x, struct onnx_window *w)
{
    SL_TRY(onnx_window_axes(c, x, w));
    if (!onnx_attribute(c, "kernel_shape"))
        return sl_fail(c->e, SLUICE_E_FORMAT, "kernel_shape is missing");
    SL_TRY(onnx_window_ints(c, "kernel_shape", w->n, 1, 1, w->kernel));
    SL_TRY(onnx_window_ints(c, "strides", w->n, 1, 1, w->stride));
    SL_TRY(onnx_window_ints(c, "dilations", w->n, 1, 1, w->dilation));
    return onnx_window_pads(c, w, onnx_attr_int(c, "ceil_mode", 0) != 0);
}

sluice_status translate_max_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    struct onnx_window w = {0};
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(pool_window(c, x, &w));
    if (onnx_wants_out(c, 1)) {
        struct sl_node *at;
        SL_TRY(onnx_max_pool_indices(c, x, &w, &at));
        SL_TRY(onnx_out(c, 1, at));
    }
    if (w.n == 3) {
        struct sl_node *y;
        SL_TRY(onnx_max_pool_volume(c, x, &w, &y));
        return onnx_out(c, 0, y);
    }
    return pool(c, SL_OP_maxpool, x, &w, false);
}

/* A pad by ceil_mode is never counted, a declared one may be: when both are there, the declared one becomes a pad of its own.
 */
sluice_status translate_average_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    struct onnx_window w = {0};
    int64_t pads[6] = {0};
    bool count_pad = onnx_attr_int(c, "count_include_pad", 0) != 0, grows = false;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(pool_window(c, x, &w));
    bool explicit_pads = strcmp(onnx_attr_string(c, "auto_pad", "NOTSET"), "NOTSET") == 0;
    for (int i = 0; i < w.n; i++) {
        pads[i] = w.before[i];
        pads[w.n + i] = w.after[i];
    }
    if (explicit_pads)
        SL_TRY(onnx_window_ints(c, "pads", 2 * w.n, 0, 0, pads));
    for (int i = 0; i < w.n; i++)
        grows = grows || w.after[i] != pads[w.n + i];
    if (w.n == 3) {
        SL_TRY(onnx_average_pool_volume(c, x, &w, pads, count_pad, &y));
        return onnx_out(c, 0, y);
    }
    if (count_pad && grows) {
        SL_TRY(onnx_pad_axes(c, x, pads, pads + w.n, w.n, 0, &x));
        for (int i = 0; i < w.n; i++) {
            w.before[i] = 0;
            w.after[i] -= pads[w.n + i];
        }
        count_pad = false;
    }
    return pool(c, SL_OP_avgpool, x, &w, count_pad);
}

/* (sum |x|^p)^(1/p): an average over zero-padded windows times their size. */
static sluice_status lp_norm(struct onnx_import *c, struct sl_node *x, int64_t p, bool root, struct sl_node **out)
{
    if (!root) {
        SL_TRY(sl_build_unary(c->b, x, "abs", out));
        return p == 1 ? SLUICE_OK : sl_build_unary2(c->b, *out, "pow", "alpha", (double)p, NULL, 0, out);
    }
    *out = x;
    return p == 1 ? SLUICE_OK : sl_build_unary2(c->b, x, "pow", "alpha", 1.0 / (double)p, NULL, 0, out);
}

/* The exponent, a whole number; the first opset wrote it as a float. */
static sluice_status read_p(struct onnx_import *c, int64_t *p)
{
    const double v = onnx_attr_float(c, "p", (double)onnx_attr_int(c, "p", 2));
    if (!(v >= 1 && v <= 64) || v != (double)(int64_t)v)
        return sl_fail(c->e, SLUICE_E_VALUE, "p %g is not a whole number in 1..64", v);
    *p = (int64_t)v;
    return SLUICE_OK;
}

sluice_status translate_lp_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    struct onnx_window w = {0};
    int64_t p, size = 1;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(pool_window(c, x, &w));
    SL_TRY(read_p(c, &p));
    int rank = x->shape.rank;
    SL_TRY(lp_norm(c, x, p, false, &x));
    for (int i = 0; i < w.n; i++)
        size *= w.kernel[i];
    if (w.n == 3) {
        int64_t pads[6];
        for (int i = 0; i < 3; i++) {
            pads[i] = w.before[i];
            pads[3 + i] = w.after[i];
        }
        SL_TRY(onnx_average_pool_volume(c, x, &w, pads, true, &y));
    } else {
        SL_TRY(onnx_pad_axes(c, x, w.before, w.after, w.n, 0, &x));
        memset(w.before, 0, sizeof w.before);
        memset(w.after, 0, sizeof w.after);
        onnx_window_widen(&w);
        SL_TRY(onnx_with_height(c, x, &x));
        SL_TRY(onnx_channels_last(c, x, &x));
        SL_TRY(onnx_pool_plane(c, SL_OP_avgpool, x, &w, false, &y));
        SL_TRY(onnx_channels_first(c, y, &y));
        SL_TRY(onnx_without_height(c, y, rank, &y));
    }
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, y, sl_build_f32(c->b, (double)size), &y));
    SL_TRY(lp_norm(c, y, p, true, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_global_lp_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    int64_t p, axes[SL_MAX_RANK];
    SL_TRY(onnx_in(c, 0, &x));
    for (int i = 2; i < x->shape.rank; i++)
        axes[i - 2] = i;
    SL_TRY(read_p(c, &p));
    SL_TRY(lp_norm(c, x, p, false, &x));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_sum, x, SL_MAX(0, x->shape.rank - 2), axes, true, &x));
    SL_TRY(lp_norm(c, x, p, true, &x));
    return onnx_out(c, 0, x);
}

static sluice_status global_pool(struct onnx_import *c, enum sl_op op, enum sl_op reduction)
{
    struct sl_node *x, *y;
    struct onnx_window w = {0};
    SL_TRY(onnx_in(c, 0, &x));
    if (x->shape.rank > 4 || x->shape.rank < 3) {
        int64_t axes[SL_MAX_RANK];
        for (int i = 2; i < x->shape.rank; i++)
            axes[i - 2] = i;
        SL_TRY(sl_build_reduce(c->b, reduction, x, SL_MAX(0, x->shape.rank - 2), axes, true, &y));
        return onnx_out(c, 0, y);
    }
    SL_TRY(onnx_window_axes(c, x, &w));
    for (int i = 0; i < w.n; i++) {
        w.kernel[i] = w.in[i];
        w.stride[i] = w.dilation[i] = w.out[i] = 1;
    }
    return pool(c, op, x, &w, false);
}

sluice_status translate_global_average_pool(struct onnx_import *c, const struct onnx_node *n)
{
    return global_pool(c, SL_OP_avgpool, SL_OP_reduce_mean);
}

sluice_status translate_global_max_pool(struct onnx_import *c, const struct onnx_node *n)
{
    return global_pool(c, SL_OP_maxpool, SL_OP_reduce_max);
}
