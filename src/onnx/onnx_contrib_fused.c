/*
 * onnx_contrib_fused.c: fused operators on real numbers that ONNX Runtime's optimizer writes into files, mostly of domain
 * com.microsoft, as the operators that they were made of.
 */
#include <string.h>

#include "onnx/onnx_import.h"

/* ---- activations behind a layer ---- */

/* The attribute `activation` with up to two numbers; which ones, the operator says. */
static sluice_status activate(struct onnx_import *c, struct sl_node *x, double first, double second, bool has_numbers,
                              struct sl_node **out)
{
    const char *name = onnx_attr_string(c, "activation", "");
    *out = x;
    if (!name[0])
        return SLUICE_OK;
    if (strcmp(name, "Relu") == 0 || strcmp(name, "Sigmoid") == 0 || strcmp(name, "Tanh") == 0)
        return sl_build_unary(c->b, x, name[0] == 'R' ? "relu" : name[0] == 'S' ? "sigmoid" : "tanh", out);
    if (strcmp(name, "LeakyRelu") == 0)
        return sl_build_unary2(c->b, x, "leaky_relu", "alpha", has_numbers ? first : 0.01, NULL, 0, out);
    if (strcmp(name, "Clip") == 0 && has_numbers)
        return sl_build_unary2(c->b, x, "clip", "minimum", first, "maximum", second, out);
    if (strcmp(name, "HardSigmoid") == 0)
        return sl_build_unary2(c->b, x, "hard_sigmoid", "alpha", has_numbers ? first : 0.2, "beta", has_numbers ? second : 0.5, out);
    if (strcmp(name, "HardSwish") == 0)
        return sl_build_unary(c->b, x, "hard_swish", out);
    return sl_unsupported(c->b, "activation '%s'", name);
}

/* Conv, plus Z, then an activation. */
sluice_status translate_fused_conv(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[3], *added, *y;
    const struct onnx_attr *p = onnx_attribute(c, "activation_params");
    const int count = p && p->type == ONNX_ATTR_FLOATS ? p->n : 0;
    bool last = strncmp(n->op_type, "Nhwc", 4) == 0;
    for (int i = 0; i < 3; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    SL_TRY(onnx_in(c, 3, &added));
    if (last)
        SL_TRY(onnx_channels_first(c, in[0], &in[0]));
    SL_TRY(onnx_apply(c, "Conv", 11, 3, in, &y));
    if (last)
        SL_TRY(onnx_channels_last(c, y, &y));
    if (added)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, added, &y));
    SL_TRY(activate(c, y, count > 0 ? (double)p->floats[0] : 0, count > 1 ? (double)p->floats[1] : 0, count > 0, &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_fused_gemm(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *in[3], *y;
    for (int i = 0; i < 3; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    SL_TRY(onnx_apply(c, "Gemm", 13, 3, in, &y));
    SL_TRY(activate(c, y, onnx_attr_float(c, "activation_alpha", 0), onnx_attr_float(c, "activation_beta", 0),
                    onnx_attribute(c, "activation_alpha") != NULL, &y));
    return onnx_out(c, 0, y);
}

/* transBatch: the axis before the last moves to the front, [m, batch ..., k] for [batch ..., m, k]; then trans swaps the last two. */
static sluice_status turned(struct onnx_import *c, struct sl_node *x, bool batch, bool swap, struct sl_node **out)
{
    const int rank = x->shape.rank;
    int64_t perm[SL_MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    if (batch && rank > 2) { /* stored [m, batch ..., k] */
        for (int i = 0; i < rank - 2; i++)
            perm[i] = i + 1;
        perm[rank - 2] = 0;
    }
    if (swap && rank > 1) {
        int64_t last = perm[rank - 1];
        perm[rank - 1] = perm[rank - 2];
        perm[rank - 2] = last;
    }
    return sl_build_transpose(c->b, x, perm, out);
}

sluice_status translate_fused_matmul(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *a, *b, *y;
    const double alpha = onnx_attr_float(c, "alpha", 1);
    SL_TRY(onnx_in(c, 0, &a));
    SL_TRY(onnx_in(c, 1, &b));
    SL_TRY(turned(c, a, onnx_attr_int(c, "transBatchA", 0) != 0, onnx_attr_int(c, "transA", 0) != 0, &a));
    SL_TRY(turned(c, b, onnx_attr_int(c, "transBatchB", 0) != 0, onnx_attr_int(c, "transB", 0) != 0, &b));
    SL_TRY(onnx_matmul(c, a, b, &y));
    if (alpha != 1)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, y, sl_build_f32(c->b, alpha), &y));
    return onnx_out(c, 0, y);
}

/* ---- GELU and its like ---- */

/* Gelu, BiasGelu: by erf; FastGelu: by tanh. The bias may be left out. */
sluice_status translate_bias_gelu(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *bias, *y;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &bias));
    if (bias)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, x, bias, &x));
    SL_TRY(sl_build_unary(c->b, x, n->op_type[0] == 'F' ? "gelu_tanh" : "gelu", &y));
    return onnx_out(c, 0, y);
}

sluice_status translate_quick_gelu(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_unary2(c->b, x, "swish_beta", "beta", onnx_attr_float(c, "alpha", 1.702), NULL, 0, &y));
    return onnx_out(c, 0, y);
}

/* (x + bias) halved along the last axis: left * gelu(right). */
sluice_status translate_bias_split_gelu(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *bias, *left, *right;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &bias));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, x, bias, &x));
    const int axis = x->shape.rank - 1;
    if (axis < 0 || x->shape.dim[axis] % 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the last axis cannot be halved");
    const int64_t half = x->shape.dim[axis] / 2;
    SL_TRY(sl_build_slice_axis(c->b, x, axis, 0, half, &left));
    SL_TRY(sl_build_slice_axis(c->b, x, axis, half, 2 * half, &right));
    SL_TRY(sl_build_unary(c->b, right, "gelu", &right));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, left, right, &x));
    return onnx_out(c, 0, x);
}

sluice_status translate_bias_add(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *v, *y = NULL;
    for (int i = 0; i < 3; i++) {
        SL_TRY(onnx_in(c, i, &v));
        if (y && v) {
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, v, &x));
            y = x;
        } else if (v) {
            y = v;
        }
    }
    return onnx_out(c, 0, y);
}

/* ---- norms ---- */

static bool is_simplified(const struct onnx_node *n)
{
    return strstr(n->op_type, "Simplified") != NULL;
}

static sluice_status normalize(struct onnx_import *c, struct sl_node *x, struct sl_node *gamma, struct sl_node *beta, bool simplified,
                               struct sl_node **out)
{
    const double epsilon = onnx_attr_float(c, "epsilon", simplified ? 1e-6 : 1e-12);
    return onnx_layer_norm(c, simplified ? SL_OP_rms_norm : SL_OP_layer_norm, x, gamma, beta, x->shape.rank - 1, epsilon, out);
}

sluice_status translate_simplified_norm(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *gamma, *y;
    int axis;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &gamma));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", -1), x->shape.rank, &axis));
    SL_TRY(onnx_layer_norm(c, SL_OP_rms_norm, x, gamma, NULL, axis, onnx_attr_float(c, "epsilon", 1e-5), &y));
    return onnx_out(c, 0, y);
}

/* Inputs: x, skip, gamma, beta (not of the simplified form), bias. The fourth output is the sum itself. */
sluice_status translate_skip_norm(struct onnx_import *c, const struct onnx_node *n)
{
    const bool simplified = is_simplified(n);
    struct sl_node *x, *skip, *gamma, *beta = NULL, *bias, *y;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &skip));
    SL_TRY(onnx_in(c, 2, &gamma));
    if (!simplified)
        SL_TRY(onnx_in(c, 3, &beta));
    SL_TRY(onnx_in(c, simplified ? 3 : 4, &bias));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, x, skip, &x));
    if (bias)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, x, bias, &x));
    SL_TRY(normalize(c, x, gamma, beta, simplified, &y));
    SL_TRY(onnx_out(c, 3, x));
    return onnx_out(c, 0, y);
}

/* Rows of a table by ids that arrive at run time, or by constant ones. */
static sluice_status look_up(struct onnx_import *c, struct sl_node *table, struct sl_node *ids, struct sl_node **out)
{
    struct sl_node *in[2] = {table, ids};
    return onnx_apply(c, "Gather", 13, 2, in, out);
}

/* Inputs: ids, segment ids, the tables of words, positions and segments, gamma, beta, mask, position ids. Outputs: the normalized sum,
 * how many of each sentence the mask keeps, and the sum. */
sluice_status translate_embed_norm(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *v[9], *y, *part, *count;
    for (int i = 0; i < 9; i++)
        SL_TRY(onnx_in(c, i, &v[i]));
    for (int i = 2; i < 7; i++)
        if (i != 4 && !v[i])
            return sl_fail(c->e, SLUICE_E_FORMAT, "input %d is left out", i);
    if (v[0]->shape.rank != 2 || v[3]->shape.rank != 2 || v[0]->shape.dim[1] > v[3]->shape.dim[0])
        return sl_fail(c->e, SLUICE_E_SHAPE, "ids [batch, length] and a table of at least as many positions are wanted");
    SL_TRY(look_up(c, v[2], v[0], &y));
    SL_TRY(v[8] ? look_up(c, v[3], v[8], &part) : sl_build_slice_axis(c->b, v[3], 0, 0, v[0]->shape.dim[1], &part));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, part, &y));
    if (v[1] && v[4]) {
        SL_TRY(look_up(c, v[4], v[1], &part));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, part, &y));
    }
    SL_TRY(onnx_out(c, 2, y));
    SL_TRY(normalize(c, y, v[5], v[6], false, &y));
    SL_TRY(onnx_out(c, 0, y));
    if (!onnx_wants_out(c, 1))
        return SLUICE_OK;
    if (v[7]) {
        SL_TRY(sl_build_cast(c->b, v[7], SL_F32, &count));
        SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_sum, count, 1, (int64_t[]){1}, false, &count));
        SL_TRY(sl_build_cast(c->b, count, SL_S32, &count));
    } else {
        const struct sl_shape s = {1, {v[0]->shape.dim[0]}};
        count = sl_build_const(c->b, sl_const_splat(c->a, SL_S32, &s, &(const int32_t){0}));
    }
    return onnx_out(c, 1, count);
}
