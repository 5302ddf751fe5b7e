/* onnx_build.c: the small vocabulary in which operators are written as IR nodes. Each call infers shapes, and folds constants.
 */
#include <string.h>

#include "onnx/onnx_import.h"

struct sl_node *onnx_constant(struct onnx_import *c, const struct sl_const *k)
{
    struct sl_node *n = sl_graph_add(c->g, SL_OP_const_input, 0, NULL);
    sl_set_param(c->g, n, "data", k);
    n->dtype = k->dtype;
    n->shape = k->shape;
    return n;
}

struct sl_node *onnx_f32(struct onnx_import *c, double v)
{
    const struct sl_shape scalar = {.rank = 0};
    float f = (float)v;
    return onnx_constant(c, sl_const_splat(c->a, SL_F32, &scalar, &f));
}

struct sl_node *onnx_s64s(struct onnx_import *c, int n, const int64_t *v)
{
    const int64_t dims[1] = {n};
    struct sl_shape s = sl_shape_of(1, dims);
    return onnx_constant(c, sl_const_view(c->a, SL_S64, &s, sl_arena_memdup(c->a, v, (size_t)n * sizeof *v)));
}

struct sl_node *onnx_add(struct onnx_import *c, enum sl_op op, int n_in, struct sl_node *const *in)
{
    struct sl_node *n = sl_graph_add(c->g, op, n_in, in);
    if (c->origin)
        sl_node_add_origin(c->a, n, c->origin);
    return n;
}

/* ---- folding ---- */

sluice_status onnx_take_folding(struct onnx_import *c, size_t elements)
{
    if (elements > c->folding)
        return sl_fail(c->e, SLUICE_E_LIMIT, "a computed constant of %zu elements, at most %zu more are accepted in this model",
                       elements, c->folding);
    c->folding -= elements;
    return SLUICE_OK;
}

/* Integers have 64 bits while they are evaluated; sl_fold_node stores them back in their declared width. */
sluice_status onnx_finish(struct onnx_import *c, struct sl_node **n)
{
    struct sl_node *node = *n;
    const struct sl_const *k;
    SL_TRY(sl_infer(c->g, node, c->e));
    bool constant = node->n_in > 0, splats = true;
    for (int i = 0; i < node->n_in && constant; i++) {
        constant = node->in[i]->op == SL_OP_const_input;
        splats = splats && constant && onnx_node_const(node->in[i])->splat; /* they stay one value, whatever their shape */
    }
    if (!constant)
        return SLUICE_OK;
    if (!splats)
        SL_TRY(onnx_take_folding(c, sl_shape_elements(&node->shape)));
    SL_TRY(sl_fold_node(c->a, node, &k, c->e));
    *n = onnx_constant(c, k);
    return SLUICE_OK;
}

sluice_status onnx_unary2(struct onnx_import *c, struct sl_node *in, const char *type, const char *k1, double v1,
                          const char *k2, double v2, struct sl_node **out)
{
    *out = onnx_add(c, SL_OP_activation, 1, &in);
    sl_set_string(c->g, *out, "type", type);
    if (k1)
        sl_set_float(c->g, *out, k1, v1);
    if (k2)
        sl_set_float(c->g, *out, k2, v2);
    return onnx_finish(c, out);
}

sluice_status onnx_unary(struct onnx_import *c, struct sl_node *in, const char *type, struct sl_node **out)
{
    return onnx_unary2(c, in, type, NULL, 0, NULL, 0, out);
}

sluice_status onnx_binary(struct onnx_import *c, enum sl_op op, struct sl_node *x, struct sl_node *y, struct sl_node **out)
{
    struct sl_node *in[2] = {x, y};
    *out = onnx_add(c, op, 2, in);
    return onnx_finish(c, out);
}

sluice_status onnx_transpose(struct onnx_import *c, struct sl_node *in, const int64_t *perm, struct sl_node **out)
{
    bool moves = false;
    for (int i = 0; i < in->shape.rank; i++)
        moves = moves || perm[i] != i;
    *out = in;
    if (!moves)
        return SLUICE_OK;
    if (in->op == SL_OP_const_input) {
        const struct sl_const *k;
        SL_TRY(sl_const_permute(c->a, onnx_node_const(in), perm, &k, c->e));
        *out = onnx_constant(c, k);
        return SLUICE_OK;
    }
    *out = onnx_add(c, SL_OP_transpose, 1, &in);
    sl_set_ints(c->g, *out, "perm", in->shape.rank, perm);
    return onnx_finish(c, out);
}

sluice_status onnx_reshape(struct onnx_import *c, struct sl_node *in, int rank, const int64_t *dims, struct sl_node **out)
{
    struct sl_shape s = sl_shape_of(rank, dims);
    size_t n;
    *out = in;
    if (rank > SL_MAX_RANK)
        return onnx_unsupported(c, "a shape of %d dimensions, at most %d are supported", rank, SL_MAX_RANK);
    if (!sl_shape_count(&s, &n) || n != sl_shape_elements(&in->shape)) {
        char from[160], to[160];
        return sl_fail(c->e, SLUICE_E_SHAPE, "%s cannot be reshaped to %s", sl_shape_text(&in->shape, from, sizeof from),
                       sl_shape_text(&s, to, sizeof to));
    }
    if (sl_shape_equal(&s, &in->shape))
        return SLUICE_OK;
    if (in->op == SL_OP_const_input) {
        *out = onnx_constant(c, sl_const_reshape(c->a, onnx_node_const(in), &s));
        return SLUICE_OK;
    }
    struct sl_node *from = in->op == SL_OP_reshape ? in->in[0] : in; /* a reshape of a reshape is one */
    *out = from;
    if (sl_shape_equal(&s, &from->shape))
        return SLUICE_OK;
    *out = onnx_add(c, SL_OP_reshape, 1, &from);
    if (from != in)
        sl_node_take_origins(c->a, *out, in);
    sl_set_ints(c->g, *out, "shape", rank, dims);
    return onnx_finish(c, out);
}

sluice_status onnx_slice(struct onnx_import *c, struct sl_node *in, const int64_t *starts, const int64_t *ends,
                         const int64_t *steps, struct sl_node **out)
{
    bool all = true;
    for (int i = 0; i < in->shape.rank; i++)
        all = all && starts[i] == 0 && ends[i] == in->shape.dim[i] && steps[i] == 1;
    *out = in;
    if (all)
        return SLUICE_OK;
    *out = onnx_add(c, SL_OP_slice, 1, &in);
    sl_set_ints(c->g, *out, "starts", in->shape.rank, starts);
    sl_set_ints(c->g, *out, "ends", in->shape.rank, ends);
    sl_set_ints(c->g, *out, "steps", in->shape.rank, steps);
    return onnx_finish(c, out);
}

sluice_status onnx_slice_axis(struct onnx_import *c, struct sl_node *in, int axis, int64_t from, int64_t to,
                              struct sl_node **out)
{
    int64_t starts[SL_MAX_RANK] = {0}, ends[SL_MAX_RANK], steps[SL_MAX_RANK];
    for (int i = 0; i < in->shape.rank; i++) {
        ends[i] = in->shape.dim[i];
        steps[i] = 1;
    }
    starts[axis] = from;
    ends[axis] = to;
    return onnx_slice(c, in, starts, ends, steps, out);
}

sluice_status onnx_concat(struct onnx_import *c, int axis, int n, struct sl_node *const *in, struct sl_node **out)
{
    *out = in[0];
    if (n == 1)
        return SLUICE_OK;
    *out = onnx_add(c, SL_OP_concat, n, in);
    sl_set_int(c->g, *out, "axis", axis);
    return onnx_finish(c, out);
}

sluice_status onnx_reduce(struct onnx_import *c, enum sl_op op, struct sl_node *in, int n_axes, const int64_t *axes,
                          bool keepdims, struct sl_node **out)
{
    *out = in;
    if (n_axes == 0)
        return SLUICE_OK;
    *out = onnx_add(c, op, 1, &in);
    sl_set_ints(c->g, *out, "axes", n_axes, axes);
    sl_set_int(c->g, *out, "keepdims", keepdims);
    return onnx_finish(c, out);
}

sluice_status onnx_softmax(struct onnx_import *c, struct sl_node *in, int axis, struct sl_node **out)
{
    *out = onnx_add(c, SL_OP_softmax, 1, &in);
    sl_set_int(c->g, *out, "axis", axis);
    return onnx_finish(c, out);
}

sluice_status onnx_expand(struct onnx_import *c, struct sl_node *in, const struct sl_shape *to, struct sl_node **out)
{
    *out = in;
    if (sl_shape_equal(&in->shape, to))
        return SLUICE_OK;
    double v;
    const struct sl_const *k = onnx_node_const(in);
    if (k && onnx_const_scalar(k, &v)) { /* one value stays one value */
        *out = onnx_constant(c, sl_const_splat(c->a, k->dtype, to, k->data));
        return SLUICE_OK;
    }
    *out = onnx_add(c, SL_OP_expand, 1, &in);
    sl_set_ints(c->g, *out, "shape", to->rank, to->dim);
    return onnx_finish(c, out);
}

/* Layout changes around an operator are not the origin's nodes: they carry no origin, so that names find the operator. */
static sluice_status rotate(struct onnx_import *c, struct sl_node *in, bool last, struct sl_node **out)
{
    int64_t perm[SL_MAX_RANK];
    int rank = in->shape.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i == 0 ? 0 : last ? (i == rank - 1 ? 1 : i + 1) : (i == 1 ? rank - 1 : i - 1);
    const char *origin = c->origin;
    c->origin = NULL;
    sluice_status s = onnx_transpose(c, in, perm, out);
    c->origin = origin;
    return s;
}

sluice_status onnx_channels_last(struct onnx_import *c, struct sl_node *in, struct sl_node **out)
{
    return rotate(c, in, true, out);
}

sluice_status onnx_channels_first(struct onnx_import *c, struct sl_node *in, struct sl_node **out)
{
    return rotate(c, in, false, out);
}
