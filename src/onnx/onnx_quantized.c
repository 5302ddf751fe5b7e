/*
 * onnx_quantized.c: QuantizeLinear, DequantizeLinear and the operators on quantized numbers, written out in float: exact as
 * long as sums stay below 2^24, which is what their float evaluation promises.
 */
#include <string.h>

#include "onnx/onnx_import.h"

/* Least and largest value of an integer type that quantization makes, 16 bits at the most; 4-bit types are kept in 8 bits. */
static void limits(int32_t data_type, enum sl_dtype t, double *lo, double *hi)
{
    bool is_signed = t == SL_S8 || t == SL_S16;
    int bits = data_type == ONNX_TYPE_UINT4 || data_type == ONNX_TYPE_INT4 ? 4 : (int)sl_dtype_bits(t);
    double span = (double)(1 << bits);
    *lo = is_signed ? -span / 2 : 0;
    *hi = is_signed ? span / 2 - 1 : span - 1;
}

/* A scale or zero point as it broadcasts over x: one number, one an axis position, or one a block of positions. */
static sluice_status spread(struct onnx_import *c, struct sl_node *v, const struct sl_node *x, int64_t block,
                            struct sl_node **out)
{
    int axis;
    int64_t dims[SL_MAX_RANK + 1];
    *out = v;
    if (sl_shape_elements(&v->shape) == 1 && v->shape.rank <= 1)
        return onnx_reshape(c, v, 0, dims, out);
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 1), x->shape.rank, &axis));
    if (v->shape.rank == 1) {
        for (int i = 0; i < x->shape.rank; i++)
            dims[i] = i == axis ? v->shape.dim[0] : 1;
        return onnx_reshape(c, v, x->shape.rank, dims, out);
    }
    if (v->shape.rank != x->shape.rank || block < 1 || x->shape.rank == SL_MAX_RANK)
        return sl_fail(c->e, SLUICE_E_SHAPE, "a scale of %d dimensions for an input of %d", v->shape.rank, x->shape.rank);
    struct sl_shape wide = {.rank = x->shape.rank + 1};
    for (int i = 0, at = 0; i < x->shape.rank; i++) {
        dims[at] = wide.dim[at] = v->shape.dim[i];
        at++;
        if (i == axis) {
            dims[at] = 1;
            wide.dim[at++] = block;
        }
    }
    SL_TRY(onnx_reshape(c, v, wide.rank, dims, out));
    SL_TRY(sl_build_expand(c->b, *out, &wide, out));
    for (int i = 0; i < x->shape.rank; i++)
        dims[i] = i == axis ? v->shape.dim[i] * block : v->shape.dim[i];
    SL_TRY(onnx_reshape(c, *out, x->shape.rank, dims, out));
    return dims[axis] == x->shape.dim[axis] ? SLUICE_OK : sl_build_slice_axis(c->b, *out, axis, 0, x->shape.dim[axis], out);
}

sluice_status onnx_quantize(struct onnx_import *c, struct sl_node *x, struct sl_node *scale, struct sl_node *zero,
                            int32_t data_type, enum sl_dtype t, struct sl_node **out)
{
    double lo, hi;
    if (t != SL_U8 && t != SL_S8 && t != SL_U16 && t != SL_S16)
        return sl_unsupported(c->b, "quantization to %s; 4, 8 or 16 bit integers are accepted", sl_dtype_name(t));
    limits(data_type, t, &lo, &hi);
    SL_TRY(sl_build_cast(c->b, x, SL_F32, &x));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, x, scale, &x));
    SL_TRY(sl_build_unary(c->b, x, "round", &x));
    if (zero) {
        SL_TRY(sl_build_cast(c->b, zero, SL_F32, &zero));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, x, zero, &x));
    }
    SL_TRY(sl_build_unary2(c->b, x, "clip", "minimum", lo, "maximum", hi, &x));
    return sl_build_cast(c->b, x, t, out);
}

sluice_status onnx_centred(struct onnx_import *c, struct sl_node *x, struct sl_node *zero, struct sl_node **out)
{
    double v;
    SL_TRY(sl_build_cast(c->b, x, SL_F32, out));
    if (!zero || (sl_node_scalar(zero, &v) && v == 0))
        return SLUICE_OK;
    SL_TRY(sl_build_cast(c->b, zero, SL_F32, &zero));
    return sl_build_binary(c->b, SL_OP_ew_sub, *out, zero, out);
}

sluice_status translate_quantize_linear(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *scale, *zero;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &scale));
    SL_TRY(onnx_in(c, 2, &zero));
    int64_t block = onnx_attr_int(c, "block_size", 0), wanted = onnx_attr_int(c, "output_dtype", 0);
    int32_t data_type = wanted > 0 && wanted < 64 ? (int32_t)wanted : onnx_declared_type(c, 2);
    enum sl_dtype t = wanted ? onnx_stored_dtype(data_type) : zero ? zero->dtype : SL_U8;
    if (t == SL_NONE)
        return sl_unsupported(c->b, "quantization to %s", onnx_dtype_name(data_type));
    SL_TRY(spread(c, scale, x, block, &scale));
    if (zero)
        SL_TRY(spread(c, zero, x, block, &zero));
    SL_TRY(onnx_quantize(c, x, scale, zero, data_type, t, &x));
    return onnx_out(c, 0, x);
}

sluice_status translate_dequantize_linear(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *scale, *zero;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 1, &scale));
    SL_TRY(onnx_in(c, 2, &zero));
    int64_t block = onnx_attr_int(c, "block_size", 0);
    SL_TRY(spread(c, scale, x, block, &scale));
    if (zero)
        SL_TRY(spread(c, zero, x, block, &zero));
    SL_TRY(onnx_centred(c, x, zero, &x));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, x, scale, &x));
    return onnx_out(c, 0, x);
}

/* ---- ranges found while the network runs ---- */

enum { IN_PRODUCT = 1, AS_FACTOR = 2, ELSEWHERE = 4 };

/* What input i of this node does with what DynamicQuantizeLinear makes. */
static unsigned char use_of(const struct onnx_node *n, int i)
{
    if (strcmp(n->op_type, "MatMulInteger") == 0 || strcmp(n->op_type, "ConvInteger") == 0)
        return i == 0 || i == 2 ? IN_PRODUCT : ELSEWHERE;
    if (strcmp(n->op_type, "MatMulIntegerToFloat") == 0)
        return i == 0 || i == 4 ? IN_PRODUCT : i == 2 ? AS_FACTOR : ELSEWHERE;
    return strcmp(n->op_type, "Mul") == 0 ? AS_FACTOR : ELSEWHERE;
}

static void note_use(struct onnx_import *c, const char *name, unsigned char use)
{
    unsigned char *uses = sl_map_get(c->uses, name);
    if (!uses)
        sl_map_set(c->uses, name, uses = SL_NEW(c->a, unsigned char));
    *uses |= use;
}

static void find_uses(struct onnx_import *c)
{
    const struct onnx_graph *g = c->model->graph;
    const char **reads;
    c->uses = sl_map_new(c->a);
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++)
            note_use(c, g->nodes[i].in[k], use_of(&g->nodes[i], k));
        int n = onnx_node_reads(c->a, &g->nodes[i], &reads);
        for (int k = g->nodes[i].n_in; k < n; k++) /* by a branch inside */
            note_use(c, reads[k], ELSEWHERE);
    }
    for (int i = 0; i < g->n_outputs; i++)
        note_use(c, g->outputs[i].name, ELSEWHERE);
}

static unsigned char uses_of(struct onnx_import *c, int output)
{
    const unsigned char *uses = onnx_wants_out(c, output) ? sl_map_get(c->uses, c->node->out[output]) : NULL;
    return uses ? *uses : 0;
}

/* Its numbers go into products alone, whose sums are multiplied by its scale: engines do so to be fast, the network means x. */
static bool stands_for_input(struct onnx_import *c)
{
    if (c->scope->depth > 0 || c->options->common.n_end)
        return false;
    if (!c->uses)
        find_uses(c);
    return uses_of(c, 0) == IN_PRODUCT && uses_of(c, 1) == AS_FACTOR && (uses_of(c, 2) & ~IN_PRODUCT) == 0;
}

/* x itself, with a scale of 1 and a zero point of 0. */
static sluice_status pass_unquantized(struct onnx_import *c, struct sl_node *x)
{
    const struct sl_shape scalar = {.rank = 0};
    if (!c->kept_unquantized)
        sl_note(c->b, "values that DynamicQuantizeLinear would quantize for products are left as they are");
    c->kept_unquantized = true;
    SL_TRY(onnx_out(c, 0, x));
    SL_TRY(onnx_out(c, 1, sl_build_f32(c->b, 1)));
    return onnx_out(c, 2, sl_build_const(c->b, sl_const_splat(c->a, SL_U8, &scalar, &(const uint8_t){0})));
}

/* u8 over the range of x widened to hold 0. */
sluice_status translate_dynamic_quantize_linear(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *lo, *hi, *scale, *zero, *y;
    int64_t axes[SL_MAX_RANK];
    SL_TRY(onnx_in(c, 0, &x));
    if (stands_for_input(c))
        return pass_unquantized(c, x);
    for (int i = 0; i < x->shape.rank; i++)
        axes[i] = i;
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_min, x, x->shape.rank, axes, false, &lo));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_max, x, x->shape.rank, axes, false, &hi));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_min, lo, sl_build_f32(c->b, 0), &lo));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_max, hi, sl_build_f32(c->b, 0), &hi));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, hi, lo, &scale));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, scale, sl_build_f32(c->b, 255), &scale));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_div, lo, scale, &zero));
    SL_TRY(sl_build_unary(c->b, zero, "neg", &zero));
    SL_TRY(sl_build_unary2(c->b, zero, "clip", "minimum", 0, "maximum", 255, &zero));
    SL_TRY(sl_build_unary(c->b, zero, "round", &zero));
    SL_TRY(sl_build_cast(c->b, zero, SL_U8, &zero));
    SL_TRY(onnx_quantize(c, x, scale, zero, 0, SL_U8, &y));
    SL_TRY(onnx_out(c, 0, y));
    SL_TRY(onnx_out(c, 1, scale));
    return onnx_out(c, 2, zero);
}

/* ---- products ---- */

/* Scales by row ([m] of a) or by column ([n] of b) of a matrix product. */
static sluice_status by_matrix(struct onnx_import *c, struct sl_node *v, bool rows, struct sl_node **out)
{
    *out = v;
    if (!v || v->shape.rank != 1 || v->shape.dim[0] == 1)
        return v && v->shape.rank == 1 ? onnx_reshape(c, v, 0, NULL, out) : SLUICE_OK;
    return rows ? onnx_reshape(c, v, 2, (int64_t[]){v->shape.dim[0], 1}, out) : SLUICE_OK;
}

/* Sums are integers, but of inputs that were left as they are. */
static sluice_status as_sums(struct onnx_import *c, struct sl_node *y, bool of_floats, struct sl_node **out)
{
    *out = y;
    return of_floats ? SLUICE_OK : sl_build_cast(c->b, y, SL_S32, out);
}

sluice_status translate_matmul_integer(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *a, *b, *za, *zb;
    SL_TRY(onnx_in(c, 0, &a));
    const bool floats = a->dtype == SL_F32;
    SL_TRY(onnx_in(c, 1, &b));
    SL_TRY(onnx_in(c, 2, &za));
    SL_TRY(onnx_in(c, 3, &zb));
    SL_TRY(by_matrix(c, za, true, &za));
    SL_TRY(by_matrix(c, zb, false, &zb));
    SL_TRY(onnx_centred(c, a, za, &a));
    SL_TRY(onnx_centred(c, b, zb, &b));
    SL_TRY(onnx_matmul(c, a, b, &a));
    SL_TRY(as_sums(c, a, floats, &a));
    return onnx_out(c, 0, a);
}

/* The scale that takes a sum of products to the output: output / (a * b). */
static sluice_status output_step(struct onnx_import *c, struct sl_node *a, struct sl_node *b, struct sl_node *y,
                                 struct sl_node **out)
{
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, a, b, out));
    return sl_build_binary(c->b, SL_OP_ew_div, y, *out, out);
}

sluice_status translate_qlinear_matmul(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *v[8], *step;
    for (int i = 0; i < 8; i++) {
        SL_TRY(onnx_in(c, i, &v[i]));
        if (i != 0 && i != 3)
            SL_TRY(by_matrix(c, v[i], i < 3, &v[i]));
    }
    SL_TRY(onnx_centred(c, v[0], v[2], &v[0]));
    SL_TRY(onnx_centred(c, v[3], v[5], &v[3]));
    SL_TRY(onnx_matmul(c, v[0], v[3], &v[0]));
    SL_TRY(output_step(c, v[1], v[4], v[6], &step));
    SL_TRY(onnx_quantize(c, v[0], step, v[7], 0, v[7]->dtype, &v[0]));
    return onnx_out(c, 0, v[0]);
}

/* Weights minus their zero point, [o, i, ...]: constants. */
static sluice_status centred_kernel(struct onnx_import *c, int input, struct sl_node *zero, const struct sl_const **out)
{
    struct sl_node *w;
    SL_TRY(onnx_in(c, input, &w));
    if (zero && zero->shape.rank == 1) {
        int64_t dims[SL_MAX_RANK];
        for (int i = 0; i < w->shape.rank; i++)
            dims[i] = i ? 1 : zero->shape.dim[0];
        SL_TRY(onnx_reshape(c, zero, w->shape.rank, dims, &zero));
    }
    SL_TRY(onnx_centred(c, w, zero, &w));
    *out = sl_node_const(w);
    return *out ? SLUICE_OK : sl_unsupported(c->b, "weights are computed at run time, they must be constants");
}

sluice_status translate_conv_integer(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *zx, *zw;
    const struct sl_const *kernel;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 2, &zx));
    SL_TRY(onnx_in(c, 3, &zw));
    const bool floats = x->dtype == SL_F32;
    SL_TRY(onnx_centred(c, x, zx, &x));
    SL_TRY(centred_kernel(c, 1, zw, &kernel));
    SL_TRY(onnx_conv(c, x, kernel, NULL, &x));
    SL_TRY(as_sums(c, x, floats, &x));
    return onnx_out(c, 0, x);
}

/* [c] -> [c, 1, ...] over a picture */
static sluice_status by_channel(struct onnx_import *c, struct sl_node *v, int rank, struct sl_node **out)
{
    int64_t dims[SL_MAX_RANK];
    *out = v;
    if (v->shape.rank != 1)
        return SLUICE_OK;
    for (int i = 0; i < rank - 1; i++)
        dims[i] = i ? 1 : v->shape.dim[0];
    return onnx_reshape(c, v, rank - 1, dims, out);
}

sluice_status translate_qlinear_conv(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *v[9], *step;
    const struct sl_const *kernel;
    for (int i = 0; i < 9; i++)
        SL_TRY(onnx_in(c, i, &v[i]));
    int rank = v[0]->shape.rank;
    SL_TRY(onnx_centred(c, v[0], v[2], &v[0]));
    SL_TRY(centred_kernel(c, 3, v[5], &kernel));
    SL_TRY(onnx_conv(c, v[0], kernel, NULL, &v[0]));
    if (v[8]) {
        SL_TRY(by_channel(c, v[8], rank, &v[8]));
        SL_TRY(sl_build_cast(c->b, v[8], SL_F32, &v[8]));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, v[0], v[8], &v[0]));
    }
    for (int i = 1; i < 8; i += 3)
        SL_TRY(by_channel(c, v[i == 7 ? 6 : i], rank, &v[i == 7 ? 6 : i]));
    SL_TRY(output_step(c, v[1], v[4], v[6], &step));
    SL_TRY(onnx_quantize(c, v[0], step, v[7], 0, v[7]->dtype, &v[0]));
    return onnx_out(c, 0, v[0]);
}
