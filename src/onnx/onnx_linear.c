/*
 * onnx_linear.c: MatMul and Gemm. A constant two-dimensional operand makes a weighted layer: fc on [n, c], conv 1x1 on more
 * dimensions. Two activations make a matmul.
 */
#include "onnx/onnx_import.h"

/* x [..., ic] times a kernel [ic, oc]. */
static sluice_status weighted(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                              const struct sl_const *bias, struct sl_node **out)
{
    struct sl_shape full = x->shape;
    int rank = x->shape.rank;
    int64_t in_c = kernel->shape.dim[0], out_c = kernel->shape.dim[1];
    if (full.dim[rank - 1] != in_c)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights have %lld rows, the input %lld features", (long long)in_c,
                       (long long)full.dim[rank - 1]);
    if (rank == 1 || rank > 4) { /* [c] -> [1, c]; [a, b, ..., c] -> [a, b*..., c] */
        int64_t dims[3] = {rank == 1 ? 1 : full.dim[0], 1, in_c};
        for (int i = 1; i < rank - 1; i++)
            dims[1] *= full.dim[i];
        SL_TRY(rank == 1 ? onnx_reshape(c, x, 2, (int64_t[]){1, in_c}, &x) : onnx_reshape(c, x, 3, dims, &x));
    }
    if (x->shape.rank > 2) {
        struct sl_shape s = {4, {1, 1, in_c, out_c}};
        kernel = sl_const_reshape(c->a, kernel, &s);
    }
    struct sl_node *n = sl_build_add(c->b, x->shape.rank == 2 ? SL_OP_fc : SL_OP_conv, 1, &x);
    sl_set_param(c->g, n, "kernel", kernel);
    if (bias)
        sl_set_param(c->g, n, "bias", bias);
    if (n->op == SL_OP_conv) {
        sl_set_ints(c->g, n, "strides", 4, (int64_t[]){1, 1, 1, 1});
        sl_set_ints(c->g, n, "dilations", 4, (int64_t[]){1, 1, 1, 1});
        sl_set_ints(c->g, n, "pads", 4, (int64_t[]){0, 0, 0, 0});
        sl_set_int(c->g, n, "groups", 1);
    }
    SL_TRY(sl_build_finish(c->b, &n));
    full.dim[rank - 1] = out_c;
    return onnx_reshape(c, n, rank, full.dim, out);
}

/* [1, 1, k, n] is as good as [k, n] where the other side has at least as many dimensions. */
static const struct sl_const *as_matrix(struct onnx_import *c, const struct sl_node *n, int other_rank)
{
    const struct sl_const *k = sl_node_const(n);
    if (!k || k->dtype != SL_F32 || k->shape.rank < 2 || k->shape.rank > other_rank)
        return NULL;
    for (int i = 0; i < k->shape.rank - 2; i++)
        if (k->shape.dim[i] != 1)
            return NULL;
    struct sl_shape s = {2, {k->shape.dim[k->shape.rank - 2], k->shape.dim[k->shape.rank - 1]}};
    return s.dim[0] > 0 && s.dim[1] > 0 ? sl_const_reshape(c->a, k, &s) : NULL;
}

static sluice_status swap_last(struct onnx_import *c, struct sl_node *x, struct sl_node **out)
{
    int64_t perm[SL_MAX_RANK];
    int rank = x->shape.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return sl_build_transpose(c->b, x, perm, out);
}

/* A constant left matrix is a weighted layer over the transposed input: A y = (y' A')'. */
static sluice_status weighted_left(struct onnx_import *c, const struct sl_const *left, struct sl_node *y, struct sl_node **out)
{
    static const int64_t swap[2] = {1, 0};
    const struct sl_const *kernel;
    SL_TRY(sl_const_permute(c->a, left, swap, &kernel, c->e));
    SL_TRY(swap_last(c, y, &y));
    SL_TRY(weighted(c, y, kernel, NULL, &y));
    return swap_last(c, y, out);
}

sluice_status onnx_matmul(struct onnx_import *c, struct sl_node *x, struct sl_node *y, struct sl_node **out)
{
    bool row = x->shape.rank == 1, column = y->shape.rank == 1;
    if (x->shape.rank == 0 || y->shape.rank == 0)
        return sl_fail(c->e, SLUICE_E_SHAPE, "an operand of a matrix product is a single number");
    bool both_constant = x->op == SL_OP_const_input && y->op == SL_OP_const_input;
    if (row)
        SL_TRY(onnx_reshape(c, x, 2, (int64_t[]){1, x->shape.dim[0]}, &x));
    if (column)
        SL_TRY(onnx_reshape(c, y, 2, (int64_t[]){y->shape.dim[0], 1}, &y));
    const struct sl_const *right = both_constant ? NULL : as_matrix(c, y, x->shape.rank);
    const struct sl_const *left = both_constant || right ? NULL : as_matrix(c, x, y->shape.rank);
    if (left && left->shape.dim[1] != y->shape.dim[y->shape.rank - 2])
        left = NULL; /* sl_build_matmul says what is wrong */
    if (right)
        SL_TRY(weighted(c, x, right, NULL, out));
    else if (left)
        SL_TRY(weighted_left(c, left, y, out));
    else
        SL_TRY(sl_build_matmul(c->b, x, y, false, out));
    if (!row && !column)
        return SLUICE_OK;
    struct sl_shape s = (*out)->shape;
    int64_t dims[SL_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < s.rank; i++)
        if (!(row && i == s.rank - 2) && !(column && i == s.rank - 1))
            dims[rank++] = s.dim[i];
    return onnx_reshape(c, *out, rank, dims, out);
}

sluice_status translate_matmul(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y, *out;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &y));
    SL_TRY(onnx_matmul(c, x, y, &out));
    return onnx_out(c, 0, out);
}

/* ---- Gemm ---- */

static sluice_status scaled(struct onnx_import *c, const struct sl_const *k, double factor, const struct sl_const **out)
{
    void *data;
    size_t n = sl_shape_elements(&k->shape);
    *out = k;
    if (factor == 1)
        return SLUICE_OK;
    if (k->splat) {
        float v = (float)(sl_const_number(k, 0) * factor);
        *out = sl_const_splat(c->a, SL_F32, &k->shape, &v);
        return SLUICE_OK;
    }
    *out = sl_const_new(c->a, SL_F32, &k->shape, &data);
    if (!*out)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for %zu scaled weights", n);
    for (size_t i = 0; i < n; i++)
        ((float *)data)[i] = (float)(sl_const_number(k, i) * factor);
    return SLUICE_OK;
}

/* C as one value an output feature: [n], [1, n], or a single number. NULL when it is something else. */
static sluice_status gemm_bias(struct onnx_import *c, const struct sl_node *addend, int64_t out_c, double beta,
                               const struct sl_const **out)
{
    const struct sl_const *k = sl_node_const(addend);
    double v;
    *out = NULL;
    if (!k || k->dtype != SL_F32)
        return SLUICE_OK;
    struct sl_shape s = {1, {out_c}};
    if (sl_const_scalar(k, &v) && k->shape.rank <= 2) {
        float f = (float)(v * beta);
        bool single = k->shape.rank < 2 || k->shape.dim[0] == 1;
        if (single && (k->shape.rank == 0 || k->shape.dim[k->shape.rank - 1] == 1 || k->shape.dim[k->shape.rank - 1] == out_c))
            *out = sl_const_splat(c->a, SL_F32, &s, &f);
        return SLUICE_OK;
    }
    bool row = k->shape.rank == 1 || (k->shape.rank == 2 && k->shape.dim[0] == 1);
    if (!row || k->shape.dim[k->shape.rank - 1] != out_c)
        return SLUICE_OK;
    return scaled(c, sl_const_reshape(c->a, k, &s), beta, out);
}

static sluice_status times(struct onnx_import *c, struct sl_node *x, double factor, struct sl_node **out)
{
    *out = x;
    return factor == 1 ? SLUICE_OK : sl_build_binary(c->b, SL_OP_ew_mult, x, sl_build_f32(c->b, factor), out);
}

sluice_status translate_gemm(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y, *addend, *out;
    const struct sl_const *bias = NULL, *kernel;
    double alpha = onnx_attr_float(c, "alpha", 1), beta = onnx_attr_float(c, "beta", 1);
    SL_TRY(onnx_in(c, 0, &x));
    static const int64_t swap[2] = {1, 0};
    SL_TRY(onnx_attr_int(c, "transB", 0) ? onnx_in_permuted(c, 1, 2, swap, &y) : onnx_in(c, 1, &y));
    SL_TRY(onnx_in(c, 2, &addend));
    if (x->shape.rank != 2 || y->shape.rank != 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "inputs have %d and %d dimensions, 2 are wanted", x->shape.rank, y->shape.rank);
    if (onnx_attr_int(c, "transA", 0))
        SL_TRY(sl_build_transpose(c->b, x, swap, &x));
    kernel = x->op == SL_OP_const_input ? NULL : as_matrix(c, y, 2);
    if (kernel) {
        if (addend)
            SL_TRY(gemm_bias(c, addend, kernel->shape.dim[1], beta, &bias));
        SL_TRY(scaled(c, kernel, alpha, &kernel));
        SL_TRY(weighted(c, x, kernel, bias, &out));
    } else {
        SL_TRY(onnx_matmul(c, x, y, &out));
        SL_TRY(times(c, out, alpha, &out));
    }
    if (addend && !bias) {
        SL_TRY(times(c, addend, beta, &addend));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, out, addend, &out));
    }
    return onnx_out(c, 0, out);
}
