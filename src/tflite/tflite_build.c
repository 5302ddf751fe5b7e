/* tflite_build.c: the small vocabulary in which operators are written as IR nodes. Each call infers shapes, and folds
 * constants. */
#include <string.h>

#include "ops/values.h"
#include "tflite/tflite_import.h"

struct sl_node *tfl_constant(struct tfl_import *c, const struct sl_const *k)
{
    struct sl_node *n = sl_graph_add(c->g, SL_OP_const_input, 0, NULL);
    sl_set_param(c->g, n, "data", k);
    n->dtype = k->dtype;
    n->shape = k->shape;
    return n;
}

struct sl_node *tfl_f32(struct tfl_import *c, double v)
{
    const struct sl_shape scalar = {.rank = 0};
    float f = (float)v;
    return tfl_constant(c, sl_const_splat(c->a, SL_F32, &scalar, &f));
}

struct sl_node *tfl_ints(struct tfl_import *c, enum sl_dtype t, int rank, int n, const int64_t *v)
{
    const int64_t dims[1] = {n};
    struct sl_shape s = sl_shape_of(rank, dims);
    if (t == SL_S64)
        return tfl_constant(c, sl_const_view(c->a, SL_S64, &s, sl_arena_memdup(c->a, v, (size_t)n * sizeof *v)));
    int32_t *narrow = SL_NEW_ARRAY(c->a, int32_t, n + 1);
    for (int i = 0; i < n; i++)
        narrow[i] = (int32_t)v[i];
    return tfl_constant(c, sl_const_view(c->a, SL_S32, &s, narrow));
}

struct sl_node *tfl_add(struct tfl_import *c, enum sl_op op, int n_in, struct sl_node *const *in)
{
    struct sl_node *n = sl_graph_add(c->g, op, n_in, in);
    if (c->origin)
        sl_node_add_origin(c->a, n, c->origin);
    return n;
}

/* Operators and tensors may share one buffer, and a constant may be broadcast: what is made of a file is held to a multiple of
 * its size, so that a small one cannot become gigabytes. */
sluice_status tfl_grow(struct tfl_import *c, size_t count)
{
    size_t limit = ((size_t)1 << 24) + 16 * c->model.flat.bytes.size;
    if (count > limit - c->n_grown)
        return sl_fail(c->e, SLUICE_E_LIMIT, "constants of more than %zu elements in all, for a file of %zu bytes", limit,
                       c->model.flat.bytes.size);
    c->n_grown += count;
    return SLUICE_OK;
}

sluice_status tfl_finish(struct tfl_import *c, struct sl_node **n)
{
    struct sl_node *node = *n;
    const struct sl_const *k;
    SL_TRY(sl_infer(c->g, node, c->e));
    bool constant = node->n_in > 0, splats = true;
    for (int i = 0; i < node->n_in && constant; i++) {
        constant = node->in[i]->op == SL_OP_const_input;
        splats = splats && constant && tfl_node_const(node->in[i])->splat;
    }
    if (!constant)
        return SLUICE_OK;
    if (!splats)
        SL_TRY(tfl_grow(c, sl_shape_elements(&node->shape)));
    SL_TRY(sl_fold_node(c->a, node, &k, c->e));
    *n = tfl_constant(c, k);
    return SLUICE_OK;
}

/* ---- one-call forms ---- */

sluice_status tfl_unary2(struct tfl_import *c, struct sl_node *in, const char *type, const char *k1, double v1, const char *k2,
                         double v2, struct sl_node **out)
{
    *out = tfl_add(c, SL_OP_activation, 1, &in);
    sl_set_string(c->g, *out, "type", type);
    if (k1)
        sl_set_float(c->g, *out, k1, v1);
    if (k2)
        sl_set_float(c->g, *out, k2, v2);
    return tfl_finish(c, out);
}

sluice_status tfl_unary(struct tfl_import *c, struct sl_node *in, const char *type, struct sl_node **out)
{
    return tfl_unary2(c, in, type, NULL, 0, NULL, 0, out);
}

sluice_status tfl_binary(struct tfl_import *c, enum sl_op op, struct sl_node *x, struct sl_node *y, struct sl_node **out)
{
    struct sl_node *in[2] = {x, y};
    *out = tfl_add(c, op, 2, in);
    return tfl_finish(c, out);
}

sluice_status tfl_transpose(struct tfl_import *c, struct sl_node *in, const int64_t *perm, struct sl_node **out)
{
    bool moves = false;
    for (int i = 0; i < in->shape.rank; i++)
        moves = moves || perm[i] != i;
    *out = in;
    if (!moves)
        return SLUICE_OK;
    if (in->op == SL_OP_const_input) {
        const struct sl_const *k;
        SL_TRY(tfl_grow(c, tfl_node_const(in)->splat ? 0 : sl_shape_elements(&in->shape)));
        SL_TRY(sl_const_permute(c->a, tfl_node_const(in), perm, &k, c->e));
        *out = tfl_constant(c, k);
        (*out)->quant = in->quant;
        return SLUICE_OK;
    }
    *out = tfl_add(c, SL_OP_transpose, 1, &in);
    sl_set_ints(c->g, *out, "perm", in->shape.rank, perm);
    return tfl_finish(c, out);
}

sluice_status tfl_reshape(struct tfl_import *c, struct sl_node *in, int rank, const int64_t *dims, struct sl_node **out)
{
    *out = in;
    if (rank > SL_MAX_RANK)
        return tfl_unsupported(c, "a shape of %d dimensions, at most %d are supported", rank, SL_MAX_RANK);
    struct sl_shape s = sl_shape_of(rank, dims);
    size_t n;
    if (!sl_shape_count(&s, &n) || n != sl_shape_elements(&in->shape)) {
        char from[160], to[160];
        return sl_fail(c->e, SLUICE_E_SHAPE, "%s cannot be reshaped to %s", sl_shape_text(&in->shape, from, sizeof from),
                       sl_shape_text(&s, to, sizeof to));
    }
    if (sl_shape_equal(&s, &in->shape))
        return SLUICE_OK;
    if (in->op == SL_OP_const_input) {
        struct sl_quant q = in->quant;
        *out = tfl_constant(c, sl_const_reshape(c->a, tfl_node_const(in), &s));
        (*out)->quant = q;
        return SLUICE_OK;
    }
    *out = tfl_add(c, SL_OP_reshape, 1, &in);
    sl_set_ints(c->g, *out, "shape", rank, dims);
    return tfl_finish(c, out);
}

sluice_status tfl_slice(struct tfl_import *c, struct sl_node *in, const int64_t *starts, const int64_t *ends,
                        const int64_t *steps, struct sl_node **out)
{
    bool all = true;
    for (int i = 0; i < in->shape.rank; i++)
        all = all && starts[i] == 0 && ends[i] == in->shape.dim[i] && steps[i] == 1;
    *out = in;
    if (all)
        return SLUICE_OK;
    *out = tfl_add(c, SL_OP_slice, 1, &in);
    sl_set_ints(c->g, *out, "starts", in->shape.rank, starts);
    sl_set_ints(c->g, *out, "ends", in->shape.rank, ends);
    sl_set_ints(c->g, *out, "steps", in->shape.rank, steps);
    return tfl_finish(c, out);
}

sluice_status tfl_slice_axis(struct tfl_import *c, struct sl_node *in, int axis, int64_t from, int64_t to, struct sl_node **out)
{
    int64_t starts[SL_MAX_RANK] = {0}, ends[SL_MAX_RANK], steps[SL_MAX_RANK];
    for (int i = 0; i < in->shape.rank; i++) {
        ends[i] = in->shape.dim[i];
        steps[i] = 1;
    }
    starts[axis] = from;
    ends[axis] = to;
    return tfl_slice(c, in, starts, ends, steps, out);
}

sluice_status tfl_concat(struct tfl_import *c, int axis, int n, struct sl_node *const *in, struct sl_node **out)
{
    *out = in[0];
    if (n == 1)
        return SLUICE_OK;
    *out = tfl_add(c, SL_OP_concat, n, in);
    sl_set_int(c->g, *out, "axis", axis);
    return tfl_finish(c, out);
}

sluice_status tfl_reduce(struct tfl_import *c, enum sl_op op, struct sl_node *in, int n_axes, const int64_t *axes,
                         bool keepdims, struct sl_node **out)
{
    *out = in;
    if (n_axes == 0)
        return SLUICE_OK;
    *out = tfl_add(c, op, 1, &in);
    sl_set_ints(c->g, *out, "axes", n_axes, axes);
    sl_set_int(c->g, *out, "keepdims", keepdims);
    return tfl_finish(c, out);
}

sluice_status tfl_expand(struct tfl_import *c, struct sl_node *in, const struct sl_shape *to, struct sl_node **out)
{
    const struct sl_const *k = tfl_node_const(in);
    *out = in;
    if (sl_shape_equal(&in->shape, to))
        return SLUICE_OK;
    if (k && k->splat) { /* one value stays one value */
        *out = tfl_constant(c, sl_const_splat(c->a, k->dtype, to, k->data));
        (*out)->quant = in->quant;
        return SLUICE_OK;
    }
    *out = tfl_add(c, SL_OP_expand, 1, &in);
    sl_set_ints(c->g, *out, "shape", to->rank, to->dim);
    return tfl_finish(c, out);
}

sluice_status tfl_pad(struct tfl_import *c, struct sl_node *in, const int64_t *pads, const char *mode, double value,
                      struct sl_node **out)
{
    bool any = false;
    for (int i = 0; i < 2 * in->shape.rank; i++)
        any = any || pads[i];
    *out = in;
    if (!any)
        return SLUICE_OK;
    *out = tfl_add(c, SL_OP_pad, 1, &in);
    sl_set_ints(c->g, *out, "pads", 2 * in->shape.rank, pads);
    sl_set_string(c->g, *out, "pad_mode", mode);
    if (strcmp(mode, "constant") == 0)
        sl_set_float(c->g, *out, "value", value);
    return tfl_finish(c, out);
}

/* ---- fused activations ---- */

sluice_status tfl_activate(struct tfl_import *c, struct sl_node *in, int64_t activation, struct sl_node **out)
{
    *out = in;
    switch (activation) {
    case TFL_ACT_NONE:
        return SLUICE_OK;
    case TFL_ACT_RELU:
        return tfl_unary(c, in, "relu", out);
    case TFL_ACT_RELU6:
        return tfl_unary(c, in, "relu6", out);
    case TFL_ACT_RELU_N1_TO_1:
        return tfl_unary2(c, in, "clip", "minimum", -1, "maximum", 1, out);
    case TFL_ACT_TANH:
        return tfl_unary(c, in, "tanh", out);
    case TFL_ACT_SIGN_BIT:
        return tfl_unsupported(c, "the fused activation SIGN_BIT");
    default:
        return sl_fail(c->e, SLUICE_E_VALUE, "fused activation %lld, 0 to %d are known", (long long)activation,
                       TFL_ACT_SIGN_BIT);
    }
}

sluice_status tfl_activated_out(struct tfl_import *c, unsigned slot, struct sl_node *n)
{
    SL_TRY(tfl_activate(c, n, flat_s8(&c->op->options, slot, TFL_ACT_NONE), &n));
    return tfl_out(c, 0, n);
}

/* ---- constants ---- */

sluice_status tfl_axis(struct tfl_import *c, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return sl_fail(c->e, SLUICE_E_VALUE, "axis %lld is outside %d..%d", (long long)axis, -rank, rank - 1);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return SLUICE_OK;
}

int64_t tfl_const_int(const struct sl_const *k, size_t i)
{
    if (k->splat)
        i = 0;
    if (k->dtype == SL_S64 || k->dtype == SL_U64)
        return ((const int64_t *)k->data)[i];
    double v = sl_value_number(k->dtype, k->data, i);
    return v >= -9.2e18 && v <= 9.2e18 ? (int64_t)v : v > 0 ? INT64_MAX : INT64_MIN;
}
