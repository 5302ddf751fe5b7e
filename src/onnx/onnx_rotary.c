/* onnx_rotary.c: RotaryEmbedding, of opset 23 and of com.microsoft: pairs of features turned by an angle that depends on the position,
 * as products with tables of cosines and sines. */
#include "onnx/onnx_import.h"

/* Rows of a table as [batch or 1, 1, length, half]. */
static sluice_status angles(struct onnx_import *c, struct sl_node *table, struct sl_node *positions, int64_t length, int64_t half,
                            struct sl_node **out)
{
    struct sl_node *in[2] = {table, positions};
    *out = table;
    if (positions && sl_shape_elements(&positions->shape) == 1 && length != 1) { /* where the first row stands */
        double first;
        if (!sl_node_scalar(positions, &first))
            return sl_unsupported(c->b, "a first position that is computed at run time");
        if (table->shape.rank != 2 || first < 0 || first + (double)length > (double)table->shape.dim[0])
            return sl_fail(c->e, SLUICE_E_SHAPE, "%lld positions from %g on are outside the table", (long long)length, first);
        SL_TRY(sl_build_slice_axis(c->b, table, 0, (int64_t)first, (int64_t)first + length, out));
    } else if (positions) {
        SL_TRY(onnx_apply(c, "Gather", 13, 2, in, out));
    }
    const struct sl_shape *s = &(*out)->shape;
    const int64_t batch = s->rank == 3 ? s->dim[0] : 1, dims[4] = {batch, 1, length, half};
    if (s->rank < 2 || s->rank > 3 || s->dim[s->rank - 1] != half || s->dim[s->rank - 2] != length)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the tables do not have %lld positions of %lld angles", (long long)length, (long long)half);
    return onnx_reshape(c, *out, 4, dims, out);
}

/* Features first, first + step, ... of the last axis. */
static sluice_status features(struct onnx_import *c, struct sl_node *x, int64_t first, int64_t end, int64_t step, struct sl_node **out)
{
    int64_t starts[4] = {0, 0, 0, first}, ends[4], steps[4] = {1, 1, 1, step};
    for (int i = 0; i < 4; i++)
        ends[i] = i == 3 ? end : x->shape.dim[i];
    return sl_build_slice(c->b, x, starts, ends, steps, out);
}

/* a * cos + sign * b * sin */
static sluice_status turned(struct onnx_import *c, struct sl_node *a, struct sl_node *cosine, enum sl_op op, struct sl_node *b,
                            struct sl_node *sine, struct sl_node **out)
{
    struct sl_node *p, *q;
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, a, cosine, &p));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, b, sine, &q));
    return sl_build_binary(c->b, op, p, q, out);
}

/* x [batch, heads, length, size] */
static sluice_status rotate(struct onnx_import *c, struct sl_node *x, struct sl_node *cosine, struct sl_node *sine, int64_t width,
                            bool interleaved, struct sl_node **out)
{
    struct sl_node *part[3], *y[2];
    const int64_t *d = x->shape.dim, half = width / 2, size = d[3];
    const int64_t pair[5] = {d[0], d[1], d[2], half, 1}, whole[4] = {d[0], d[1], d[2], width};
    SL_TRY(features(c, x, 0, interleaved ? width : half, interleaved ? 2 : 1, &part[0]));
    SL_TRY(features(c, x, interleaved ? 1 : half, width, interleaved ? 2 : 1, &part[1]));
    SL_TRY(turned(c, part[0], cosine, SL_OP_ew_sub, part[1], sine, &y[0]));
    SL_TRY(turned(c, part[1], cosine, SL_OP_ew_add, part[0], sine, &y[1]));
    for (int i = 0; i < 2 && interleaved; i++)
        SL_TRY(onnx_reshape(c, y[i], 5, pair, &y[i]));
    SL_TRY(sl_build_concat(c->b, interleaved ? 4 : 3, 2, y, out));
    SL_TRY(onnx_reshape(c, *out, 4, whole, out));
    if (width == size)
        return SLUICE_OK;
    part[0] = *out;
    SL_TRY(features(c, x, width, size, 1, &part[1]));
    return sl_build_concat(c->b, 3, 2, part, out);
}

static sluice_status embed(struct onnx_import *c, struct sl_node *x, struct sl_node *positions, struct sl_node *cosine, struct sl_node *sine)
{
    static const int64_t swap[4] = {0, 2, 1, 3};
    const struct sl_shape s = x->shape;
    int64_t heads = onnx_attr_int(c, "num_heads", 0), width = onnx_attr_int(c, "rotary_embedding_dim", 0);
    struct sl_node *y;
    if (s.rank == 3 && heads == 0 && cosine->shape.rank > 0) /* by the tables, which hold half of a head's features */
        heads = s.dim[2] / SL_MAX(1, 2 * cosine->shape.dim[cosine->shape.rank - 1]);
    if ((s.rank != 3 && s.rank != 4) || (s.rank == 3 && (heads < 1 || s.dim[2] % heads)))
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d dimensions with %lld heads: [batch, length, heads * size] is wanted", s.rank,
                       (long long)heads);
    if (s.rank == 3) {
        SL_TRY(onnx_reshape(c, x, 4, (int64_t[]){s.dim[0], s.dim[1], heads, s.dim[2] / heads}, &x));
        SL_TRY(sl_build_transpose(c->b, x, swap, &x));
    }
    width = width ? width : x->shape.dim[3];
    if (width < 2 || width % 2 || width > x->shape.dim[3])
        return sl_fail(c->e, SLUICE_E_VALUE, "rotary_embedding_dim %lld for heads of %lld", (long long)width, (long long)x->shape.dim[3]);
    SL_TRY(angles(c, cosine, positions, x->shape.dim[2], width / 2, &cosine));
    SL_TRY(angles(c, sine, positions, x->shape.dim[2], width / 2, &sine));
    SL_TRY(rotate(c, x, cosine, sine, width, onnx_attr_int(c, "interleaved", 0) != 0, &y));
    if (s.rank == 3) {
        SL_TRY(sl_build_transpose(c->b, y, swap, &y));
        SL_TRY(onnx_reshape(c, y, 3, s.dim, &y));
    }
    return onnx_out(c, 0, y);
}

/* Inputs: x, cosines, sines, positions. */
sluice_status translate_rotary_embedding(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *v[4];
    for (int i = 0; i < 4; i++)
        SL_TRY(onnx_in(c, i, &v[i]));
    return embed(c, v[0], v[3], v[1], v[2]);
}

/* Inputs: x, positions, cosines, sines. */
sluice_status translate_rotary_embedding_positions(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *v[4];
    for (int i = 0; i < 4; i++)
        SL_TRY(onnx_in(c, i, &v[i]));
    if (onnx_attr_int(c, "is_packed_batching", 0) || onnx_attr_float(c, "scale", 1) != 1)
        return sl_unsupported(c->b, "is_packed_batching or a scale");
    return embed(c, v[0], v[1], v[2], v[3]);
}
