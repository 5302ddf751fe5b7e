/*
 * onnx_contrib_quantized.c: operators on quantized numbers that ONNX Runtime's quantizer and optimizer write into files, of domain
 * com.microsoft: each input is taken apart to real values, the operator of the default domain runs on them, and the result is put
 * together again.
 */
#include <string.h>

#include "onnx/onnx_import.h"

/* (x - zero) * scale of inputs i, i + 1, i + 2, with one scale and zero point for all. */
static sluice_status real_in(struct onnx_import *c, int i, struct sl_node **out)
{
    struct sl_node *v[3];
    for (int k = 0; k < 3; k++)
        SL_TRY(onnx_in(c, i + k, &v[k]));
    if (!v[0] || !v[1])
        return sl_fail(c->e, SLUICE_E_FORMAT, "input %d or its scale is left out", i);
    for (int k = 1; k < 3; k++) {
        if (v[k] && sl_shape_elements(&v[k]->shape) != 1)
            return sl_unsupported(c->b, "input %d has %zu values, one scale and one zero point are supported", i + k,
                                  sl_shape_elements(&v[k]->shape));
        if (v[k])
            SL_TRY(onnx_reshape(c, v[k], 0, NULL, &v[k]));
    }
    SL_TRY(onnx_centred(c, v[0], v[2], out));
    return sl_build_binary(c->b, SL_OP_ew_mult, *out, v[1], out);
}

/* Output 0 from a real value, with the scale of input i and the zero point of input i + 1; without that, of input 0's type. */
static sluice_status out_quantized(struct onnx_import *c, int i, struct sl_node *y)
{
    struct sl_node *scale, *zero, *like;
    SL_TRY(onnx_in(c, i, &scale));
    SL_TRY(onnx_in(c, i + 1, &zero));
    SL_TRY(onnx_in(c, 0, &like));
    if (!scale || sl_shape_elements(&scale->shape) != 1 || (zero && sl_shape_elements(&zero->shape) != 1))
        return sl_unsupported(c->b, "an output without one scale and one zero point");
    SL_TRY(onnx_reshape(c, scale, 0, NULL, &scale));
    if (zero)
        SL_TRY(onnx_reshape(c, zero, 0, NULL, &zero));
    SL_TRY(onnx_quantize(c, y, scale, zero, 0, zero ? zero->dtype : like->dtype, &y));
    return onnx_out(c, 0, y);
}

static sluice_status qlinear_binary(struct onnx_import *c, enum sl_op op)
{
    struct sl_node *a, *b, *y;
    SL_TRY(real_in(c, 0, &a));
    SL_TRY(real_in(c, 3, &b));
    SL_TRY(sl_build_binary(c->b, op, a, b, &y));
    return out_quantized(c, 6, y);
}

sluice_status translate_qlinear_add(struct onnx_import *c, const struct onnx_node *n)
{
    return qlinear_binary(c, SL_OP_ew_add);
}

sluice_status translate_qlinear_mul(struct onnx_import *c, const struct onnx_node *n)
{
    return qlinear_binary(c, SL_OP_ew_mult);
}

/* The rest are one input and an operator of the default domain with the same attributes. */
static const struct {
    const char *name, *op;
    int64_t opset; /* whose attributes it has; 0: the model's */
} unary[] = {
    {"QLinearAveragePool", "AveragePool", 11},
    {"QLinearGlobalAveragePool", "GlobalAveragePool", 1},
    {"QLinearLeakyRelu", "LeakyRelu", 16},
    {"QLinearReduceMean", "ReduceMean", 11},
    {"QLinearSigmoid", "Sigmoid", 13},
    {"QLinearSoftmax", "Softmax", 0},
};

sluice_status translate_qlinear_unary(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    size_t i = 0;
    while (i < SL_COUNT(unary) && strcmp(unary[i].name, n->op_type) != 0)
        i++;
    if (i == SL_COUNT(unary))
        return sl_fail(c->e, SLUICE_E_INTERNAL, "'%s' has no operator", n->op_type);
    bool last = onnx_attr_int(c, "channels_last", 0) != 0;
    SL_TRY(real_in(c, 0, &x));
    if (last)
        SL_TRY(onnx_channels_first(c, x, &x));
    SL_TRY(onnx_apply(c, unary[i].op, unary[i].opset ? unary[i].opset : onnx_attr_int(c, "opset", 13), 1, &x, &y));
    if (last)
        SL_TRY(onnx_channels_last(c, y, &y));
    return out_quantized(c, 3, y);
}

/* Inputs: the output's scale and zero point, then three for each part. */
sluice_status translate_qlinear_concat(struct onnx_import *c, const struct onnx_node *n)
{
    const int parts = (n->n_in - 2) / 3;
    struct sl_node *v[2], *y, **x = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)parts + 1);
    int axis;
    if (parts < 1 || n->n_in != 2 + 3 * parts)
        return sl_fail(c->e, SLUICE_E_FORMAT, "%d inputs are not two and three for each part", n->n_in);
    for (int i = 0; i < parts; i++)
        SL_TRY(real_in(c, 2 + 3 * i, &x[i]));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x[0]->shape.rank, &axis));
    SL_TRY(sl_build_concat(c->b, axis, parts, x, &y));
    for (int i = 0; i < 2; i++) {
        SL_TRY(onnx_in(c, i, &v[i]));
        if (sl_shape_elements(&v[i]->shape) != 1)
            return sl_unsupported(c->b, "an output without one scale and one zero point");
        SL_TRY(onnx_reshape(c, v[i], 0, NULL, &v[i]));
    }
    SL_TRY(onnx_quantize(c, y, v[0], v[1], 0, v[1]->dtype, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_qlinear_where(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[3], *y, *scale, *zero;
    SL_TRY(onnx_in(c, 0, &in[0]));
    SL_TRY(real_in(c, 1, &in[1]));
    SL_TRY(real_in(c, 4, &in[2]));
    SL_TRY(onnx_in(c, 7, &scale));
    SL_TRY(onnx_in(c, 8, &zero));
    SL_TRY(onnx_apply(c, "Where", 16, 3, in, &y));
    SL_TRY(onnx_reshape(c, scale, 0, NULL, &scale));
    SL_TRY(onnx_reshape(c, zero, 0, NULL, &zero));
    SL_TRY(onnx_quantize(c, y, scale, zero, 0, zero->dtype, &y));
    return onnx_out(c, 0, y);
}

/* ---- products ---- */

/* Scales and zero points of a matrix: one, or one a column. */
static sluice_status by_column(struct onnx_import *c, struct sl_node *v, struct sl_node **out)
{
    *out = v;
    return v && sl_shape_elements(&v->shape) == 1 ? onnx_reshape(c, v, 0, NULL, out) : SLUICE_OK;
}

/* (x - zero) * scale with a column's own numbers; any of the inputs may be -1. */
static sluice_status real_matrix(struct onnx_import *c, int x, int scale, int zero, bool transposed, struct sl_node **out)
{
    static const int64_t swap[2] = {1, 0};
    struct sl_node *s, *z;
    SL_TRY(onnx_in(c, x, out));
    SL_TRY(onnx_in(c, scale, &s));
    SL_TRY(onnx_in(c, zero, &z));
    if (transposed && (*out)->shape.rank != 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "a matrix of %d dimensions, 2 are wanted", (*out)->shape.rank);
    if (transposed)
        SL_TRY(sl_build_transpose(c->b, *out, swap, out));
    SL_TRY(by_column(c, s, &s));
    SL_TRY(by_column(c, z, &z));
    SL_TRY(onnx_centred(c, *out, z, out));
    return s ? sl_build_binary(c->b, SL_OP_ew_mult, *out, s, out) : SLUICE_OK;
}

/* A, its scale and zero point, B, its scales and zero points, C in units of both scales, and, for a quantized output, its own. */
sluice_status translate_qgemm(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *a, *b, *addend, *sa, *sb, *y;
    const double alpha = onnx_attr_float(c, "alpha", 1);
    SL_TRY(real_matrix(c, 0, 1, 2, onnx_attr_int(c, "transA", 0) != 0, &a));
    SL_TRY(real_matrix(c, 3, 4, 5, onnx_attr_int(c, "transB", 0) != 0, &b));
    SL_TRY(onnx_matmul(c, a, b, &y));
    SL_TRY(onnx_in(c, 6, &addend));
    if (addend) {
        SL_TRY(onnx_in(c, 1, &sa));
        SL_TRY(onnx_in(c, 4, &sb));
        SL_TRY(by_column(c, sa, &sa));
        SL_TRY(by_column(c, sb, &sb));
        SL_TRY(sl_build_cast(c->b, addend, SL_F32, &addend));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, sa, sb, &sb));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, addend, sb, &addend));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, addend, &y));
    }
    if (alpha != 1)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, y, sl_build_f32(c->b, alpha), &y));
    return onnx_has_in(c, 7) ? out_quantized(c, 7, y) : onnx_out(c, 0, y);
}

sluice_status translate_matmul_integer_to_float(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *a, *b, *bias, *y;
    SL_TRY(real_matrix(c, 0, 2, 4, false, &a));
    SL_TRY(real_matrix(c, 1, 3, 5, false, &b));
    SL_TRY(onnx_matmul(c, a, b, &y));
    SL_TRY(onnx_in(c, 6, &bias));
    if (bias)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, bias, &y));
    return onnx_out(c, 0, y);
}

/* The engine quantizes A while it runs, which is its way to be fast and no part of the network: A stays as it is. */
sluice_status translate_dynamic_quantize_matmul(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *a, *b, *bias, *y;
    SL_TRY(onnx_in(c, 0, &a));
    SL_TRY(real_matrix(c, 1, 2, 3, false, &b));
    SL_TRY(onnx_matmul(c, a, b, &y));
    SL_TRY(onnx_in(c, 4, &bias));
    if (bias)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, bias, &y));
    return onnx_out(c, 0, y);
}

/* ---- weights of few bits ---- */

struct blocks {
    int64_t k, n, bits, size, per_row; /* features in and out, bits a weight, weights a block, blocks of an output's row */
    const struct sl_const *weights, *scales, *zeros;
};

static sluice_status read_blocks(struct onnx_import *c, struct blocks *b)
{
    b->k = onnx_attr_int(c, "K", 0);
    b->n = onnx_attr_int(c, "N", 0);
    b->bits = onnx_attr_int(c, "bits", 4);
    b->size = onnx_attr_int(c, "block_size", 0);
    if (onnx_has_in(c, 4))
        return sl_unsupported(c->b, "g_idx, weights whose groups are not in order");
    if (b->k < 1 || b->n < 1 || b->k > INT32_MAX || b->n > INT32_MAX || b->size < 16 || b->size > INT32_MAX || (b->size & (b->size - 1)))
        return sl_fail(c->e, SLUICE_E_VALUE, "K %lld, N %lld and block_size %lld, a power of two from 16 on", (long long)b->k,
                       (long long)b->n, (long long)b->size);
    if (b->bits != 2 && b->bits != 4 && b->bits != 8)
        return sl_unsupported(c->b, "weights of %lld bits; 2, 4 and 8 are supported", (long long)b->bits);
    b->per_row = (b->k + b->size - 1) / b->size;
    SL_TRY(onnx_need_const(c, 1, "weights", &b->weights));
    SL_TRY(onnx_need_const(c, 2, "scales", &b->scales));
    SL_TRY(onnx_in_const(c, 3, &b->zeros));
    if (onnx_has_in(c, 3) && !b->zeros)
        return sl_unsupported(c->b, "zero points that are computed at run time");
    const size_t rows = (size_t)b->n, bytes = rows * (size_t)b->per_row * (size_t)(b->size * b->bits / 8);
    if (b->weights->dtype != SL_U8 || sl_shape_elements(&b->weights->shape) != bytes ||
        sl_shape_elements(&b->scales->shape) != rows * (size_t)b->per_row)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights and scales do not fit %lld x %lld in blocks of %lld", (long long)b->n,
                       (long long)b->k, (long long)b->size);
    const size_t packed = rows * (size_t)((b->per_row * b->bits + 7) / 8), plain = rows * (size_t)b->per_row;
    if (b->zeros && sl_shape_elements(&b->zeros->shape) != (b->zeros->dtype == SL_U8 ? packed : plain))
        return sl_fail(c->e, SLUICE_E_SHAPE, "zero points do not fit %lld blocks a row", (long long)b->per_row);
    return SLUICE_OK;
}

/* Value i of row `row` of packed ones, the lowest bits first. */
static int64_t unpacked(const struct sl_const *k, int64_t row, int64_t row_bytes, int64_t i, int64_t bits)
{
    const int64_t at = k->splat ? 0 : row * row_bytes + i * bits / 8;
    return ((const uint8_t *)k->data)[at] >> (i * bits % 8) & ((1 << bits) - 1);
}

static double zero_of(const struct blocks *b, int64_t row, int64_t block)
{
    if (!b->zeros)
        return (double)(1 << (b->bits - 1));
    if (b->zeros->dtype != SL_U8)
        return sl_const_number(b->zeros, (size_t)(row * b->per_row + block));
    return (double)unpacked(b->zeros, row, (b->per_row * b->bits + 7) / 8, block, b->bits);
}

/* [k, n] */
static sluice_status unpack_blocks(struct onnx_import *c, const struct blocks *b, const struct sl_const **out)
{
    struct sl_shape s = {2, {b->k, b->n}};
    void *data;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, out, &data));
    const int64_t row_bytes = b->per_row * b->size * b->bits / 8;
    for (int64_t o = 0; o < b->n; o++)
        for (int64_t i = 0; i < b->k; i++) {
            const int64_t block = i / b->size;
            const double q = (double)unpacked(b->weights, o, row_bytes, i, b->bits);
            ((float *)data)[i * b->n + o] =
                (float)((q - zero_of(b, o, block)) * sl_const_number(b->scales, (size_t)(o * b->per_row + block)));
        }
    return SLUICE_OK;
}

sluice_status translate_matmul_nbits(struct onnx_import *c, const struct onnx_node *n)
{
    struct blocks b;
    struct sl_node *x, *bias, *y;
    const struct sl_const *kernel;
    SL_TRY(read_blocks(c, &b));
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 5, &bias));
    SL_TRY(unpack_blocks(c, &b, &kernel));
    SL_TRY(onnx_matmul(c, x, sl_build_const(c->b, kernel), &y));
    if (bias)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, bias, &y));
    return onnx_out(c, 0, y);
}

/* ---- pictures whose channels come last ---- */

sluice_status translate_nhwc_max_pool(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_channels_first(c, x, &x));
    SL_TRY(onnx_apply(c, "MaxPool", 12, 1, &x, &y));
    SL_TRY(onnx_channels_last(c, y, &y));
    return onnx_out(c, 0, y);
}

/* QLinearConv with an attribute more. */
sluice_status translate_qlinear_conv_layout(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[9], *y;
    if (!onnx_attr_int(c, "channels_last", 0))
        return translate_qlinear_conv(c, n);
    for (int i = 0; i < 9; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    SL_TRY(onnx_channels_first(c, in[0], &in[0]));
    SL_TRY(onnx_apply(c, "QLinearConv", 10, 9, in, &y));
    SL_TRY(onnx_channels_last(c, y, &y));
    return onnx_out(c, 0, y);
}
