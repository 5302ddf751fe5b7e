/* build.c: making IR nodes and constants while a foreign graph is translated. What folds is evaluated by ops/fold.c. */
#include "front/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "front/const_order.h"
#include "front/const_values.h"
#include "ops/float_run.h"

/* ---- constants ---- */

struct sl_node *sl_build_const(struct sl_build *b, const struct sl_const *k)
{
    struct sl_node *n = sl_graph_add(b->g, SL_OP_const_input, 0, NULL);
    sl_set_param(b->g, n, "data", k);
    n->dtype = k->dtype;
    n->shape = k->shape;
    return n;
}

struct sl_node *sl_build_f32(struct sl_build *b, double v)
{
    const struct sl_shape scalar = {.rank = 0};
    float f = (float)v;
    return sl_build_const(b, sl_const_splat(b->a, SL_F32, &scalar, &f));
}

struct sl_node *sl_build_ints(struct sl_build *b, enum sl_dtype t, int rank, int n, const int64_t *v)
{
    const int64_t dims[1] = {n};
    struct sl_shape s = sl_shape_of(rank, dims);
    if (t == SL_S64)
        return sl_build_const(b, sl_const_view(b->a, SL_S64, &s, sl_arena_memdup(b->a, v, (size_t)n * sizeof *v)));
    int32_t *narrow = SL_NEW_ARRAY(b->a, int32_t, n + 1);
    for (int i = 0; i < n; i++)
        narrow[i] = (int32_t)v[i];
    return sl_build_const(b, sl_const_view(b->a, SL_S32, &s, narrow));
}

/* ---- nodes ---- */

struct sl_node *sl_build_add(struct sl_build *b, enum sl_op op, int n_in, struct sl_node *const *in)
{
    struct sl_node *n = sl_graph_add(b->g, op, n_in, in);
    if (b->origin)
        sl_node_add_origin(b->a, n, b->origin);
    return n;
}

sluice_status sl_build_take(struct sl_build *b, size_t elements)
{
    if (elements > b->room)
        return sl_fail(b->e, SLUICE_E_LIMIT, "a computed constant of %zu elements, at most %zu more are accepted in this model",
                       elements, b->room);
    b->room -= elements;
    return SLUICE_OK;
}

sluice_status sl_build_new_const(struct sl_build *b, enum sl_dtype t, const struct sl_shape *s, const struct sl_const **out,
                                 void **data)
{
    char text[160];
    size_t n;
    if (!sl_shape_count(s, &n))
        return sl_fail(b->e, SLUICE_E_LIMIT, "a constant of shape %s is too large", sl_shape_text(s, text, sizeof text));
    SL_TRY(sl_build_take(b, n));
    *out = sl_const_new(b->a, t, s, data);
    return *out ? SLUICE_OK : sl_fail(b->e, SLUICE_E_MEMORY, "no memory for a constant of %zu elements", n);
}

/* Integers have 64 bits while they are evaluated; sl_fold_node stores them back in their declared width. */
sluice_status sl_build_finish(struct sl_build *b, struct sl_node **n)
{
    struct sl_node *node = *n;
    const struct sl_const *k;
    SL_TRY(sl_infer(b->g, node, b->e));
    bool constant = node->n_in > 0, splats = true;
    for (int i = 0; i < node->n_in && constant; i++) {
        constant = node->in[i]->op == SL_OP_const_input;
        splats = splats && constant && sl_node_const(node->in[i])->splat; /* they stay one value, whatever their shape */
    }
    if (!constant)
        return SLUICE_OK;
    if (!splats)
        SL_TRY(sl_build_take(b, sl_shape_elements(&node->shape)));
    SL_TRY(sl_fold_node(b->a, node, &k, b->e));
    *n = sl_build_const(b, k);
    return SLUICE_OK;
}

/* ---- one-call forms ---- */

sluice_status sl_build_unary2(struct sl_build *b, struct sl_node *in, const char *type, const char *k1, double v1,
                              const char *k2, double v2, struct sl_node **out)
{
    *out = sl_build_add(b, SL_OP_activation, 1, &in);
    sl_set_string(b->g, *out, "type", type);
    if (k1)
        sl_set_float(b->g, *out, k1, v1);
    if (k2)
        sl_set_float(b->g, *out, k2, v2);
    return sl_build_finish(b, out);
}

sluice_status sl_build_unary(struct sl_build *b, struct sl_node *in, const char *type, struct sl_node **out)
{
    return sl_build_unary2(b, in, type, NULL, 0, NULL, 0, out);
}

sluice_status sl_build_binary(struct sl_build *b, enum sl_op op, struct sl_node *x, struct sl_node *y, struct sl_node **out)
{
    struct sl_node *in[2] = {x, y};
    *out = sl_build_add(b, op, 2, in);
    return sl_build_finish(b, out);
}

/* The same tensor in other words: what its integers mean stays. */
static struct sl_node *const_in_place_of(struct sl_build *b, const struct sl_node *in, const struct sl_const *k)
{
    struct sl_node *n = sl_build_const(b, k);
    n->quant = in->quant;
    return n;
}

sluice_status sl_build_transpose(struct sl_build *b, struct sl_node *in, const int64_t *perm, struct sl_node **out)
{
    bool moves = false;
    for (int i = 0; i < in->shape.rank; i++)
        moves = moves || perm[i] != i;
    *out = in;
    if (!moves)
        return SLUICE_OK;
    if (in->op == SL_OP_const_input) {
        const struct sl_const *k;
        SL_TRY(sl_const_permute(b->a, sl_node_const(in), perm, &k, b->e));
        *out = const_in_place_of(b, in, k);
        return SLUICE_OK;
    }
    *out = sl_build_add(b, SL_OP_transpose, 1, &in);
    sl_set_ints(b->g, *out, "perm", in->shape.rank, perm);
    return sl_build_finish(b, out);
}

sluice_status sl_build_reshape(struct sl_build *b, struct sl_node *in, int rank, const int64_t *dims, struct sl_node **out)
{
    *out = in;
    if (rank > SL_MAX_RANK)
        return sl_unsupported(b, "a shape of %d dimensions, at most %d are supported", rank, SL_MAX_RANK);
    struct sl_shape s = sl_shape_of(rank, dims);
    size_t n;
    if (!sl_shape_count(&s, &n) || n != sl_shape_elements(&in->shape)) {
        char from[160], to[160];
        return sl_fail(b->e, SLUICE_E_SHAPE, "%s cannot be reshaped to %s", sl_shape_text(&in->shape, from, sizeof from),
                       sl_shape_text(&s, to, sizeof to));
    }
    if (sl_shape_equal(&s, &in->shape))
        return SLUICE_OK;
    if (in->op == SL_OP_const_input) {
        *out = const_in_place_of(b, in, sl_const_reshape(b->a, sl_node_const(in), &s));
        return SLUICE_OK;
    }
    *out = sl_build_add(b, SL_OP_reshape, 1, &in);
    sl_set_ints(b->g, *out, "shape", rank, dims);
    return sl_build_finish(b, out);
}

sluice_status sl_build_slice(struct sl_build *b, struct sl_node *in, const int64_t *starts, const int64_t *ends,
                             const int64_t *steps, struct sl_node **out)
{
    bool all = true;
    for (int i = 0; i < in->shape.rank; i++)
        all = all && starts[i] == 0 && ends[i] == in->shape.dim[i] && steps[i] == 1;
    *out = in;
    if (all)
        return SLUICE_OK;
    *out = sl_build_add(b, SL_OP_slice, 1, &in);
    sl_set_ints(b->g, *out, "starts", in->shape.rank, starts);
    sl_set_ints(b->g, *out, "ends", in->shape.rank, ends);
    sl_set_ints(b->g, *out, "steps", in->shape.rank, steps);
    return sl_build_finish(b, out);
}

sluice_status sl_build_slice_axis(struct sl_build *b, struct sl_node *in, int axis, int64_t from, int64_t to,
                                  struct sl_node **out)
{
    int64_t starts[SL_MAX_RANK] = {0}, ends[SL_MAX_RANK], steps[SL_MAX_RANK];
    for (int i = 0; i < in->shape.rank; i++) {
        ends[i] = in->shape.dim[i];
        steps[i] = 1;
    }
    starts[axis] = from;
    ends[axis] = to;
    return sl_build_slice(b, in, starts, ends, steps, out);
}

sluice_status sl_build_concat(struct sl_build *b, int axis, int n, struct sl_node *const *in, struct sl_node **out)
{
    *out = in[0];
    if (n == 1)
        return SLUICE_OK;
    *out = sl_build_add(b, SL_OP_concat, n, in);
    sl_set_int(b->g, *out, "axis", axis);
    return sl_build_finish(b, out);
}

sluice_status sl_build_reduce(struct sl_build *b, enum sl_op op, struct sl_node *in, int n_axes, const int64_t *axes,
                              bool keepdims, struct sl_node **out)
{
    *out = in;
    if (n_axes == 0)
        return SLUICE_OK;
    *out = sl_build_add(b, op, 1, &in);
    sl_set_ints(b->g, *out, "axes", n_axes, axes);
    sl_set_int(b->g, *out, "keepdims", keepdims);
    return sl_build_finish(b, out);
}

sluice_status sl_build_softmax(struct sl_build *b, struct sl_node *in, int axis, struct sl_node **out)
{
    *out = sl_build_add(b, SL_OP_softmax, 1, &in);
    sl_set_int(b->g, *out, "axis", axis);
    return sl_build_finish(b, out);
}

sluice_status sl_build_expand(struct sl_build *b, struct sl_node *in, const struct sl_shape *to, struct sl_node **out)
{
    double v;
    const struct sl_const *k = sl_node_const(in);
    *out = in;
    if (sl_shape_equal(&in->shape, to))
        return SLUICE_OK;
    if (sl_const_scalar(k, &v) && in->shape.rank <= to->rank) { /* one value stays one value */
        *out = const_in_place_of(b, in, sl_const_splat(b->a, k->dtype, to, k->data));
        return SLUICE_OK;
    }
    *out = sl_build_add(b, SL_OP_expand, 1, &in);
    sl_set_ints(b->g, *out, "shape", to->rank, to->dim);
    return sl_build_finish(b, out);
}

sluice_status sl_build_pad(struct sl_build *b, struct sl_node *in, const int64_t *pads, const char *mode, double value,
                           struct sl_node **out)
{
    bool any = false;
    for (int i = 0; i < 2 * in->shape.rank; i++)
        any = any || pads[i];
    *out = in;
    if (!any)
        return SLUICE_OK;
    *out = sl_build_add(b, SL_OP_pad, 1, &in);
    sl_set_ints(b->g, *out, "pads", 2 * in->shape.rank, pads);
    sl_set_string(b->g, *out, "pad_mode", mode);
    if (strcmp(mode, "constant") == 0)
        sl_set_float(b->g, *out, "value", value);
    return sl_build_finish(b, out);
}

sluice_status sl_build_cast(struct sl_build *b, struct sl_node *in, enum sl_dtype to, struct sl_node **out)
{
    *out = in;
    if (in->dtype == to) /* float16, bfloat16 and double are all float here */
        return SLUICE_OK;
    *out = sl_build_add(b, SL_OP_cast, 1, &in);
    sl_set_string(b->g, *out, "to", sl_dtype_name(to));
    return sl_build_finish(b, out);
}

sluice_status sl_build_matmul(struct sl_build *b, struct sl_node *x, struct sl_node *y, bool transpose_y, struct sl_node **out)
{
    struct sl_node *in[2] = {x, y};
    *out = sl_build_add(b, SL_OP_matmul, 2, in);
    sl_set_int(b->g, *out, "transpose_b", transpose_y);
    return sl_build_finish(b, out);
}

/* ---- written out ---- */

/* One slope is a leaky ReLU. */
sluice_status sl_build_prelu(struct sl_build *b, struct sl_node *x, struct sl_node *slope, struct sl_node **out)
{
    struct sl_node *below;
    double v;
    if (sl_node_scalar(slope, &v))
        return sl_build_unary2(b, x, "leaky_relu", "alpha", v, NULL, 0, out);
    SL_TRY(sl_build_unary2(b, x, "clip", "maximum", 0, NULL, 0, &below));
    SL_TRY(sl_build_binary(b, SL_OP_ew_mult, below, slope, &below));
    SL_TRY(sl_build_unary(b, x, "relu", out));
    return sl_build_binary(b, SL_OP_ew_add, *out, below, out);
}

/* x - max - log(sum(exp(x - max))): far from log(0). */
sluice_status sl_build_log_softmax(struct sl_build *b, struct sl_node *x, int axis, struct sl_node **out)
{
    struct sl_node *top, *sum;
    const int64_t axes[1] = {axis};
    SL_TRY(sl_build_reduce(b, SL_OP_reduce_max, x, 1, axes, true, &top));
    SL_TRY(sl_build_binary(b, SL_OP_ew_sub, x, top, &x));
    SL_TRY(sl_build_unary(b, x, "exp", &sum));
    SL_TRY(sl_build_reduce(b, SL_OP_reduce_sum, sum, 1, axes, true, &sum));
    SL_TRY(sl_build_unary(b, sum, "log", &sum));
    return sl_build_binary(b, SL_OP_ew_sub, x, sum, out);
}

/* ---- checks and reports ---- */

sluice_status sl_build_axis(const struct sl_build *b, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return sl_fail(b->e, SLUICE_E_VALUE, "axis %lld is outside %d..%d", (long long)axis, -rank, rank - 1);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return SLUICE_OK;
}

sluice_status sl_unsupported(struct sl_build *b, const char *format, ...)
{
    char reason[SLUICE_ERROR_TEXT / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (!b->op) { /* no operator that could be left out: of an output, say */
        sl_fail(b->e, SLUICE_E_UNSUPPORTED, "%s", reason);
        return sl_hint(b->e, "name the outputs that are wanted with --end-node-names");
    }
    sl_add_problem(b->report, b->a, b->origin ? b->origin : "", b->op, reason);
    return SLUICE_E_UNSUPPORTED;
}

void sl_note(struct sl_build *b, const char *format, ...)
{
    char text[SLUICE_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sl_add_note(b->report, b->a, text);
}
