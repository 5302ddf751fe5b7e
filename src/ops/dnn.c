/* dnn.c: weighted layers and matrix products by oneDNN 2.6: activations channels last, weights in oneDNN's own order, primitives made
 * once a node. A kind of layer that oneDNN has no kernel for is logged once and left to the plain C path. */
#include "ops/dnn.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/log.h"
#include "ops/curves.h"
#include "ops/eval.h"

/* What a node became. */
struct kept {
    bool tried, residual;
    dnnl_primitive_t primitive;
    dnnl_memory_t src, weights, bias, dst, scratchpad;
    struct sl_curve after;            /* activation that is not a post-op of the primitive */
    bool has_after;
    float *padded;                    /* input with its pads written out, where they are not zero */
    const float *pad_value;
    struct sl_conv_geometry geometry; /* of the padded copy */
    sl_arena *arena;                  /* constants and padded input */
};

struct sl_dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratchpad;
    size_t scratchpad_bytes;
    int n_nodes;
    struct kept *kept;
};

static void kept_free(struct kept *k)
{
    if (k->primitive)
        dnnl_primitive_destroy(k->primitive);
    dnnl_memory_t all[] = {k->src, k->weights, k->bias, k->dst, k->scratchpad};
    for (size_t i = 0; i < SL_COUNT(all); i++)
        if (all[i])
            dnnl_memory_destroy(all[i]);
    sl_arena_free(k->arena);
    *k = (struct kept){.tried = true};
}

void sl_dnn_free(struct sl_dnn *d)
{
    if (!d)
        return;
    for (int i = 0; i < d->n_nodes; i++)
        kept_free(&d->kept[i]);
    if (d->stream)
        dnnl_stream_destroy(d->stream);
    if (d->engine)
        dnnl_engine_destroy(d->engine);
    free(d->kept);
    free(d->scratchpad);
    free(d);
}

sluice_status sl_dnn_new(int n_nodes, struct sl_dnn **out, sl_err *e)
{
    struct sl_dnn *d = calloc(1, sizeof *d);
    if (d)
        d->kept = calloc((size_t)SL_MAX(n_nodes, 1), sizeof *d->kept);
    if (!d || !d->kept) {
        sl_dnn_free(d);
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for the float engine");
    }
    d->n_nodes = n_nodes;
    dnnl_status_t s = dnnl_engine_create(&d->engine, dnnl_cpu, 0);
    if (s == dnnl_success)
        s = dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags);
    if (s != dnnl_success) {
        sl_dnn_free(d);
        return sl_fail(e, SLUICE_E_INTERNAL, "oneDNN cannot make a CPU engine (status %d)", (int)s);
    }
    *out = d;
    return SLUICE_OK;
}

#define DNN_TRY(call)                                                                                                          \
    do {                                                                                                                       \
        dnnl_status_t dnn_status_ = (call);                                                                                    \
        if (dnn_status_ != dnnl_success)                                                                                       \
            return dnn_status_;                                                                                                \
    } while (0)

/* ---- attributes: residual sum, activation, our scratchpad ---- */

/* Curves that oneDNN computes within a few units of float's last place. alpha and beta of its formula come from the curve. */
enum take { NOTHING, ALPHA, ONE, BOUNDS, SIX, AFFINE };
static const struct { const char *curve; dnnl_alg_kind_t kind; enum take take; } post_ops[] = {
    {"relu", dnnl_eltwise_relu, NOTHING},       {"relu6", dnnl_eltwise_clip, SIX},       {"clip", dnnl_eltwise_clip, BOUNDS},
    {"leaky_relu", dnnl_eltwise_relu, ALPHA},   {"elu", dnnl_eltwise_elu, ALPHA},        {"sigmoid", dnnl_eltwise_logistic, NOTHING},
    {"silu", dnnl_eltwise_swish, ONE},          {"tanh", dnnl_eltwise_tanh, NOTHING},    {"gelu", dnnl_eltwise_gelu_erf, NOTHING},
    {"gelu_tanh", dnnl_eltwise_gelu_tanh, NOTHING}, {"hard_swish", dnnl_eltwise_hardswish, NOTHING},
    {"abs", dnnl_eltwise_abs, NOTHING},         {"square", dnnl_eltwise_square, NOTHING}, {"affine", dnnl_eltwise_linear, AFFINE},
};

static dnnl_status_t append_curve(dnnl_post_ops_t ops, const struct sl_curve *c, bool *appended)
{
    *appended = false;
    for (size_t i = 0; i < SL_COUNT(post_ops); i++) {
        if (strcmp(post_ops[i].curve, c->row->name) != 0)
            continue;
        float alpha = 0, beta = 0;
        switch (post_ops[i].take) {
        case NOTHING: break;
        case ALPHA: alpha = (float)c->alpha; break;
        case ONE: alpha = 1; break;
        case SIX: beta = 6; break;
        case AFFINE: alpha = (float)c->alpha, beta = (float)c->beta; break;
        case BOUNDS:
            alpha = c->minimum < -(double)FLT_MAX ? -FLT_MAX : (float)c->minimum;
            beta = c->maximum > (double)FLT_MAX ? FLT_MAX : (float)c->maximum;
            break;
        }
        *appended = true;
        return dnnl_post_ops_append_eltwise(ops, 1.0f, post_ops[i].kind, alpha, beta);
    }
    return dnnl_success;
}

static dnnl_status_t fill_attributes(struct kept *k, dnnl_primitive_attr_t attr, dnnl_post_ops_t ops)
{
    bool appended;
    DNN_TRY(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (k->residual)
        DNN_TRY(dnnl_post_ops_append_sum(ops, 1.0f));
    if (k->has_after) {
        DNN_TRY(append_curve(ops, &k->after, &appended));
        k->has_after = !appended;
    }
    return dnnl_primitive_attr_set_post_ops(attr, ops);
}

static dnnl_status_t make_attributes(struct kept *k, dnnl_primitive_attr_t *out)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(out);
    if (s == dnnl_success)
        s = dnnl_post_ops_create(&ops);
    if (s == dnnl_success)
        s = fill_attributes(k, *out, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return s;
}

static bool read_after(const struct sl_node *n, struct kept *k)
{
    sl_err ignored = {0}; /* the shape rule has passed */
    if (sl_curve_read(n, "activation", &k->after, &ignored) != SLUICE_OK)
        return false;
    k->has_after = k->after.row != NULL;
    return true;
}

/* ---- memory ---- */

static dnnl_status_t view_memory(struct sl_dnn *d, const dnnl_memory_desc_t *md, dnnl_memory_t *out)
{
    return dnnl_memory_create(out, md, d->engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t grow_scratchpad(struct sl_dnn *d, size_t bytes)
{
    if (bytes <= d->scratchpad_bytes)
        return dnnl_success;
    size_t rounded = (bytes + 4095) / 4096 * 4096;
    void *p = aligned_alloc(4096, rounded);
    if (!p)
        return dnnl_out_of_memory;
    free(d->scratchpad);
    d->scratchpad = p;
    d->scratchpad_bytes = rounded;
    return dnnl_success;
}

static dnnl_status_t reorder(struct sl_dnn *d, dnnl_memory_t from, const dnnl_memory_desc_t *from_md, dnnl_memory_t to,
                             const dnnl_memory_desc_t *to_md)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t p = NULL;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_status_t s = dnnl_reorder_primitive_desc_create(&pd, from_md, d->engine, to_md, d->engine, NULL);
    if (s == dnnl_success)
        s = dnnl_primitive_create(&p, pd);
    if (s == dnnl_success)
        s = dnnl_primitive_execute(p, d->stream, 2, args);
    if (s == dnnl_success)
        s = dnnl_stream_wait(d->stream);
    if (p)
        dnnl_primitive_destroy(p);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return s;
}

/* The kernel as it lies in the node (strides of `ours`) into the order the primitive asked for. */
static dnnl_status_t place_weights(struct sl_dnn *d, struct kept *k, const dnnl_memory_desc_t *ours, const dnnl_memory_desc_t *wanted,
                                   const float *kernel)
{
    dnnl_memory_t from = NULL;
    DNN_TRY(dnnl_memory_create(&k->weights, wanted, d->engine, DNNL_MEMORY_ALLOCATE));
    dnnl_status_t s = dnnl_memory_create(&from, ours, d->engine, (void *)kernel);
    if (s == dnnl_success)
        s = reorder(d, from, ours, k->weights, wanted);
    if (from)
        dnnl_memory_destroy(from);
    return s;
}

/* Bias values stay where they are or in the node's arena. */
static dnnl_status_t place_bias(struct sl_dnn *d, struct kept *k, const struct sl_const *bias, const dnnl_memory_desc_t *md)
{
    const float *values;
    sl_err ignored = {0};
    if (sl_eval_floats(k->arena, bias, &values, &ignored) != SLUICE_OK)
        return dnnl_out_of_memory;
    return dnnl_memory_create(&k->bias, md, d->engine, (void *)values);
}

static dnnl_status_t make_primitive(struct sl_dnn *d, struct kept *k, dnnl_primitive_desc_t pd, const dnnl_memory_desc_t *src,
                                    const dnnl_memory_desc_t *dst)
{
    const dnnl_memory_desc_t *scratchpad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    DNN_TRY(dnnl_primitive_create(&k->primitive, pd));
    DNN_TRY(view_memory(d, src, &k->src));
    DNN_TRY(view_memory(d, dst, &k->dst));
    DNN_TRY(view_memory(d, scratchpad, &k->scratchpad));
    return grow_scratchpad(d, dnnl_memory_desc_get_size(scratchpad));
}

/* ---- weighted layers ---- */

struct weighted_mds { dnnl_memory_desc_t src, ours, any, bias, dst; };

/* Logical weights [g, oc/g, ic/g, kh, kw] over our [kh, kw, ic/g, oc], or over a deconv's [kh, kw, ic, oc/g]. */
static dnnl_status_t describe_weights(const struct sl_node *n, const struct sl_conv_geometry *c, struct weighted_mds *m)
{
    const bool deconv = n->op == SL_OP_deconv;
    const dnnl_dim_t in_group = c->in_c / c->groups, out_group = c->out_c / c->groups;
    const dnnl_dim_t row = deconv ? out_group : c->out_c, tap = (deconv ? c->in_c : in_group) * row;
    dnnl_dims_t dims = {c->groups, out_group, in_group, c->kernel_h, c->kernel_w};
    dnnl_dims_t strides = {deconv ? in_group * row : out_group, 1, row, c->kernel_w * tap, tap};
    const int first = c->groups == 1 ? 1 : 0; /* no group axis for one group */
    DNN_TRY(dnnl_memory_desc_init_by_strides(&m->ours, 5 - first, dims + first, dnnl_f32, strides + first));
    return dnnl_memory_desc_init_by_tag(&m->any, 5 - first, dims + first, dnnl_f32, dnnl_format_tag_any);
}

static dnnl_status_t describe(const struct sl_node *n, const struct sl_conv_geometry *c, struct weighted_mds *m)
{
    dnnl_dims_t src = {c->batch, c->in_c, c->in_h, c->in_w}, dst = {c->batch, c->out_c, c->out_h, c->out_w}, bias = {c->out_c};
    DNN_TRY(dnnl_memory_desc_init_by_tag(&m->src, 4, src, dnnl_f32, dnnl_nhwc));
    DNN_TRY(dnnl_memory_desc_init_by_tag(&m->dst, 4, dst, dnnl_f32, dnnl_nhwc));
    DNN_TRY(dnnl_memory_desc_init_by_tag(&m->bias, 1, bias, dnnl_f32, dnnl_x));
    return describe_weights(n, c, m);
}

static dnnl_status_t conv_descriptor(struct sl_dnn *d, const struct sl_node *n, const struct sl_conv_geometry *c,
                                     const struct weighted_mds *m, const dnnl_memory_desc_t *bias, dnnl_primitive_attr_t attr,
                                     dnnl_primitive_desc_t *pd)
{
    const dnnl_dims_t strides = {c->stride_h, c->stride_w}, dilations = {c->dilation_h - 1, c->dilation_w - 1};
    const dnnl_dims_t before = {c->pad_top, c->pad_left};
    dnnl_dims_t after = {c->pad_bottom, c->pad_right};
    if (n->op == SL_OP_deconv) {
        int64_t extra[2] = {0, 0};
        sl_get_ints(n, "output_padding", 2, extra);
        after[0] -= extra[0]; /* rows kept beyond the last scattered one */
        after[1] -= extra[1];
        dnnl_deconvolution_desc_t desc;
        DNN_TRY(dnnl_dilated_deconvolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_deconvolution_direct, &m->src, &m->any,
                                                             bias, &m->dst, strides, dilations, before, after));
        return dnnl_primitive_desc_create(pd, &desc, attr, d->engine, NULL);
    }
    dnnl_convolution_desc_t desc;
    DNN_TRY(dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct, &m->src, &m->any, bias,
                                                       &m->dst, strides, dilations, before, after));
    return dnnl_primitive_desc_create(pd, &desc, attr, d->engine, NULL);
}

/* A layer that sees one position at a time, over rows of a rank 2 or 3 input, is a matrix product. */
static bool is_rows(const struct sl_node *n, const struct sl_conv_geometry *c)
{
    return n->op != SL_OP_deconv && n->in[0]->shape.rank < 4 && c->groups == 1 && c->kernel_h == 1 && c->kernel_w == 1 &&
           c->stride_w == 1 && c->stride_h == 1 && c->out_w == c->in_w;
}

static dnnl_status_t rows_descriptor(struct sl_dnn *d, const struct sl_conv_geometry *c, struct weighted_mds *m,
                                     const dnnl_memory_desc_t *bias, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    dnnl_inner_product_desc_t desc;
    dnnl_dims_t src = {c->batch * c->in_w, c->in_c}, dst = {c->batch * c->in_w, c->out_c}, weights = {c->out_c, c->in_c};
    dnnl_dims_t strides = {1, c->out_c};
    DNN_TRY(dnnl_memory_desc_init_by_tag(&m->src, 2, src, dnnl_f32, dnnl_ab));
    DNN_TRY(dnnl_memory_desc_init_by_tag(&m->dst, 2, dst, dnnl_f32, dnnl_ab));
    DNN_TRY(dnnl_memory_desc_init_by_strides(&m->ours, 2, weights, dnnl_f32, strides));
    DNN_TRY(dnnl_memory_desc_init_by_tag(&m->any, 2, weights, dnnl_f32, dnnl_format_tag_any));
    DNN_TRY(dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_inference, &m->src, &m->any, bias, &m->dst));
    return dnnl_primitive_desc_create(pd, &desc, attr, d->engine, NULL);
}

/* Pads that hold values of their own are written into a copy of the input, which is then convolved without pads. */
static dnnl_status_t plan_padding(const struct sl_node *n, struct kept *k, struct sl_conv_geometry *c)
{
    const struct sl_const *value = sl_param(n, "pad_value");
    if (!value || !(c->pad_top | c->pad_left | c->pad_bottom | c->pad_right))
        return dnnl_success;
    sl_err ignored = {0};
    struct sl_shape padded = sl_shape_of(4, (int64_t[]){c->batch, c->in_h + c->pad_top + c->pad_bottom,
                                                        c->in_w + c->pad_left + c->pad_right, c->in_c});
    size_t bytes;
    k->padded = sl_bytes_of(SL_F32, &padded, &bytes) ? sl_arena_alloc_aligned64(k->arena, bytes) : NULL;
    if (!k->padded || sl_eval_floats(k->arena, value, &k->pad_value, &ignored) != SLUICE_OK)
        return dnnl_out_of_memory;
    k->geometry = *c;
    c->in_h = padded.dim[1];
    c->in_w = padded.dim[2];
    c->pad_top = c->pad_left = c->pad_bottom = c->pad_right = 0;
    return dnnl_success;
}

static const float *pad_input(const struct kept *k, const float *x)
{
    const struct sl_conv_geometry *c = &k->geometry;
    const int64_t h = c->in_h + c->pad_top + c->pad_bottom, w = c->in_w + c->pad_left + c->pad_right;
    const size_t pixel = (size_t)c->in_c * sizeof(float);
    float *to = k->padded;
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t column = 0; column < w; column++, to += c->in_c) {
                int64_t y = row - c->pad_top, at = column - c->pad_left;
                bool inside = y >= 0 && y < c->in_h && at >= 0 && at < c->in_w;
                memcpy(to, inside ? x + ((b * c->in_h + y) * c->in_w + at) * c->in_c : k->pad_value, pixel);
            }
    return k->padded;
}

static dnnl_status_t finish_conv(struct sl_dnn *d, const struct sl_node *n, struct kept *k, dnnl_primitive_desc_t pd,
                                 const struct weighted_mds *m)
{
    const struct sl_const *bias = sl_param(n, "bias");
    sl_err ignored = {0};
    const float *kernel;
    sl_arena *a = sl_arena_new(); /* a splat kernel is written out only until it is reordered */
    dnnl_status_t s = dnnl_out_of_memory;
    if (sl_eval_floats(a, sl_param(n, "kernel"), &kernel, &ignored) == SLUICE_OK)
        s = place_weights(d, k, &m->ours, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0), kernel);
    sl_arena_free(a);
    DNN_TRY(s);
    if (bias)
        DNN_TRY(place_bias(d, k, bias, &m->bias));
    return make_primitive(d, k, pd, &m->src, &m->dst);
}

static dnnl_status_t make_conv(struct sl_dnn *d, const struct sl_node *n, struct kept *k)
{
    struct sl_conv_geometry c;
    struct weighted_mds m;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    sl_conv_geometry(n, &c);
    k->arena = sl_arena_new();
    k->residual = n->n_in == 2;
    if (!read_after(n, k))
        return dnnl_invalid_arguments;
    DNN_TRY(plan_padding(n, k, &c));
    dnnl_status_t s = make_attributes(k, &attr);
    if (s == dnnl_success)
        s = describe(n, &c, &m);
    const dnnl_memory_desc_t *bias = sl_param(n, "bias") ? &m.bias : NULL;
    if (s == dnnl_success)
        s = is_rows(n, &c) ? rows_descriptor(d, &c, &m, bias, attr, &pd) : conv_descriptor(d, n, &c, &m, bias, attr, &pd);
    if (s == dnnl_success)
        s = finish_conv(d, n, k, pd, &m);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return s;
}

/* ---- running ---- */

/* The node's primitive, made at its first use; NULL where oneDNN has none. */
static struct kept *kept_of(struct sl_dnn *d, const struct sl_node *n,
                            dnnl_status_t (*make)(struct sl_dnn *, const struct sl_node *, struct kept *))
{
    if (!d || n->index < 0 || n->index >= d->n_nodes)
        return NULL;
    struct kept *k = &d->kept[n->index];
    if (!k->tried) {
        k->tried = true;
        dnnl_status_t s = make(d, n, k);
        if (s != dnnl_success) {
            kept_free(k);
            sl_detail(2, "'%s' runs in plain C: oneDNN has no kernel for it (status %d)", sl_node_text(n), (int)s);
        }
    }
    return k->primitive ? k : NULL;
}

static bool run(struct sl_dnn *d, struct kept *k, const float *src, const float *second, float *dst, size_t count)
{
    dnnl_memory_set_data_handle(k->src, (void *)src);
    dnnl_memory_set_data_handle(k->dst, dst);
    dnnl_memory_set_data_handle(k->scratchpad, d->scratchpad);
    if (second)
        dnnl_memory_set_data_handle(k->weights, (void *)second);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, k->src}, {DNNL_ARG_WEIGHTS, k->weights}, {DNNL_ARG_DST, k->dst},
                              {DNNL_ARG_SCRATCHPAD, k->scratchpad}, {DNNL_ARG_BIAS, k->bias}};
    if (dnnl_primitive_execute(k->primitive, d->stream, k->bias ? 5 : 4, args) != dnnl_success ||
        dnnl_stream_wait(d->stream) != dnnl_success)
        return false;
    if (k->has_after)
        sl_curve_run(&k->after, dst, dst, count);
    return true;
}

bool sl_dnn_conv(struct sl_dnn *d, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out)
{
    struct kept *k = kept_of(d, n, make_conv);
    if (!k)
        return false;
    size_t count = sl_shape_elements(&out->shape);
    if (k->residual && out->data != in[1].data)
        memcpy(out->data, in[1].data, count * sizeof(float));
    return run(d, k, k->padded ? pad_input(k, in[0].data) : in[0].data, NULL, out->data, count);
}

static dnnl_status_t matmul_descriptor(struct sl_dnn *d, const struct sl_node *n, struct kept *k, dnnl_primitive_attr_t attr,
                                       dnnl_primitive_desc_t *pd, dnnl_memory_desc_t *mds)
{
    struct sl_matmul_geometry g;
    sl_matmul_geometry(n, &g);
    const int rank = g.rank + 2;
    dnnl_dims_t a = {0}, b = {0}, y = {0}, strides = {0};
    for (int i = 0; i < g.rank; i++)
        a[i] = g.dim_a[i], b[i] = g.dim_b[i], y[i] = g.dim[i];
    a[g.rank] = y[g.rank] = g.m;
    a[g.rank + 1] = b[g.rank] = g.k;
    b[g.rank + 1] = y[g.rank + 1] = g.n;
    static const dnnl_format_tag_t dense[] = {dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde, dnnl_abcdef, dnnl_abcdefg, dnnl_abcdefgh};
    strides[g.rank] = g.transpose_b ? 1 : g.n;
    strides[g.rank + 1] = g.transpose_b ? g.k : 1;
    dnnl_dim_t matrix = g.k * g.n;
    for (int i = g.rank - 1; i >= 0; matrix *= b[i], i--)
        strides[i] = matrix;
    DNN_TRY(dnnl_memory_desc_init_by_tag(&mds[0], rank, a, dnnl_f32, dense[g.rank]));
    DNN_TRY(dnnl_memory_desc_init_by_strides(&mds[1], rank, b, dnnl_f32, strides));
    DNN_TRY(dnnl_memory_desc_init_by_tag(&mds[2], rank, y, dnnl_f32, dense[g.rank]));
    dnnl_matmul_desc_t desc;
    DNN_TRY(dnnl_matmul_desc_init(&desc, &mds[0], &mds[1], NULL, &mds[2]));
    DNN_TRY(dnnl_primitive_desc_create(pd, &desc, attr, d->engine, NULL));
    return view_memory(d, &mds[1], &k->weights);
}

static dnnl_status_t make_matmul(struct sl_dnn *d, const struct sl_node *n, struct kept *k)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t mds[3];
    if (sl_shape_elements(&n->shape) == 0 || !read_after(n, k))
        return dnnl_invalid_arguments;
    const float scale = (float)sl_get_float(n, "scale", 1);
    dnnl_status_t s = make_attributes(k, &attr);
    if (s == dnnl_success && scale != 1)
        s = dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale);
    if (s == dnnl_success)
        s = matmul_descriptor(d, n, k, attr, &pd, mds);
    if (s == dnnl_success)
        s = make_primitive(d, k, pd, &mds[0], &mds[2]);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return s;
}

bool sl_dnn_matmul(struct sl_dnn *d, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out)
{
    struct kept *k = kept_of(d, n, make_matmul);
    return k && run(d, k, in[0].data, in[1].data, out->data, sl_shape_elements(&out->shape));
}
