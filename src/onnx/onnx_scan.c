/* onnx_scan.c: Scan, written out once for every step along its sequences: their length is part of their shape. Opset 8 has a batch
 * around everything; since opset 9 each sequence has an axis and a direction of its own. */
#include <string.h>

#include "onnx/onnx_import.h"

enum { MOST_STEPS = 4096, MOST_VALUES = 1 << 20 /* of all steps: a small file must not become gigabytes */ };

struct scan {
    const struct onnx_graph *body;
    int n_states, n_in, n_out; /* values carried on, sequences read, sequences made */
    int64_t steps;
    struct sl_node **made;     /* [steps][n_out] */
};

/* ---- one sequence ---- */

/* Element `at` of a sequence, without its axis. */
static sluice_status element(struct onnx_import *c, struct sl_node *x, int axis, int64_t at, struct sl_node **out)
{
    int64_t dims[SL_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < x->shape.rank; i++)
        if (i != axis)
            dims[rank++] = x->shape.dim[i];
    SL_TRY(sl_build_slice_axis(c->b, x, axis, at, at + 1, out));
    return onnx_reshape(c, *out, rank, dims, out);
}

/* Values of equal shape along a new axis. */
static sluice_status stack(struct onnx_import *c, struct sl_node **v, int64_t n, int axis, struct sl_node **out)
{
    int64_t dims[SL_MAX_RANK + 1];
    const struct sl_shape shape = v[0]->shape;
    for (int k = 0, at = 0; k <= shape.rank; k++)
        dims[k] = k == axis ? 1 : shape.dim[at++];
    for (int64_t i = 0; i < n; i++) {
        if (!onnx_is_tensor(v[i]) || !sl_shape_equal(&v[i]->shape, &shape))
            return sl_unsupported(c->b, "the shape of an output changes from step to step");
        SL_TRY(onnx_reshape(c, v[i], shape.rank + 1, dims, &v[i]));
    }
    return sl_build_concat(c->b, axis, (int)n, v, out);
}

static int64_t listed(const int64_t *list, int n, int i, int64_t otherwise)
{
    return i < n ? list[i] : otherwise;
}

/* All steps. in: states, then sequences; each sequence has the length of s->steps along its axis. */
static sluice_status run_steps(struct onnx_import *c, struct scan *s, struct sl_node **in, const int *axes, const int64_t *directions)
{
    struct sl_node **now = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)(s->n_states + s->n_in) + 1);
    struct sl_node **out = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)s->body->n_outputs + 1);
    memcpy(now, in, (size_t)s->n_states * sizeof *now);
    for (int64_t t = 0; t < s->steps; t++) {
        for (int i = 0; i < s->n_in; i++)
            SL_TRY(element(c, in[s->n_states + i], axes[i], directions[i] ? s->steps - 1 - t : t, &now[s->n_states + i]));
        SL_TRY(onnx_inline_graph(c, s->body, s->n_states + s->n_in, now, out));
        memcpy(now, out, (size_t)s->n_states * sizeof *now);
        memcpy(s->made + t * s->n_out, out + s->n_states, (size_t)s->n_out * sizeof *out);
    }
    memcpy(in, now, (size_t)s->n_states * sizeof *in);
    return SLUICE_OK;
}

/* Output sequence i of what run_steps made. */
static sluice_status collect(struct onnx_import *c, const struct scan *s, int i, int64_t axis, bool backward, struct sl_node **out)
{
    struct sl_node **v = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)s->steps);
    int at;
    for (int64_t t = 0; t < s->steps; t++)
        v[backward ? s->steps - 1 - t : t] = s->made[t * s->n_out + i];
    SL_TRY(sl_build_axis(c->b, axis, v[0]->shape.rank + 1, &at));
    return stack(c, v, s->steps, at, out);
}

/* ---- the operator ---- */

static sluice_status read_scan(struct onnx_import *c, const struct onnx_node *n, int first, struct scan *s)
{
    const struct onnx_attr *at = onnx_attribute(c, "body");
    const int64_t sequences = onnx_attr_int(c, "num_scan_inputs", 0);
    const int given = n->n_in - first;
    if (sequences < 1 || sequences > given)
        return sl_fail(c->e, SLUICE_E_VALUE, "num_scan_inputs is %lld, 1 to %d are there", (long long)sequences, given);
    s->n_in = (int)sequences;
    s->n_states = given - s->n_in;
    if (!at || !at->graph || at->graph->n_inputs != given || at->graph->n_outputs < s->n_states)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the body is missing, or does not fit %d states and %d sequences", s->n_states, s->n_in);
    s->body = at->graph;
    s->n_out = s->body->n_outputs - s->n_states;
    if (n->n_out > s->body->n_outputs)
        return sl_fail(c->e, SLUICE_E_FORMAT, "%d outputs, the body makes %d", n->n_out, s->body->n_outputs);
    return SLUICE_OK;
}

static sluice_status check_steps(struct onnx_import *c, struct scan *s, struct sl_node *const *sequences, const int *axes)
{
    s->steps = sequences[0]->shape.dim[axes[0]];
    for (int i = 1; i < s->n_in; i++)
        if (sequences[i]->shape.dim[axes[i]] != s->steps)
            return sl_fail(c->e, SLUICE_E_SHAPE, "sequences of %lld and %lld steps", (long long)s->steps,
                           (long long)sequences[i]->shape.dim[axes[i]]);
    if (s->steps < 1)
        return sl_unsupported(c->b, "a sequence without a step");
    if (s->steps > MOST_STEPS || s->steps * (s->n_out + 1) > MOST_VALUES)
        return sl_unsupported(c->b, "%lld steps, at most %d are written out", (long long)s->steps, MOST_STEPS);
    s->made = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)(s->steps * s->n_out) + 1);
    return SLUICE_OK;
}

static sluice_status scan_axes(struct onnx_import *c, const struct onnx_node *n)
{
    struct scan s = {0};
    SL_TRY(read_scan(c, n, 0, &s));
    struct sl_node **in = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)n->n_in), *y;
    int *axes = SL_NEW_ARRAY(c->scratch, int, (size_t)s.n_in), n_axes, n_directions;
    int64_t *backward = SL_NEW_ARRAY(c->scratch, int64_t, (size_t)s.n_in);
    const int64_t *list = onnx_attr_ints(c, "scan_input_axes", &n_axes);
    const int64_t *directions = onnx_attr_ints(c, "scan_input_directions", &n_directions);
    for (int i = 0; i < n->n_in; i++)
        SL_TRY(onnx_in(c, i, &in[i]));
    for (int i = 0; i < s.n_in; i++) {
        SL_TRY(sl_build_axis(c->b, listed(list, n_axes, i, 0), in[s.n_states + i]->shape.rank, &axes[i]));
        backward[i] = listed(directions, n_directions, i, 0);
    }
    SL_TRY(check_steps(c, &s, in + s.n_states, axes));
    SL_TRY(run_steps(c, &s, in, axes, backward));
    list = onnx_attr_ints(c, "scan_output_axes", &n_axes);
    directions = onnx_attr_ints(c, "scan_output_directions", &n_directions);
    for (int i = 0; i < n->n_out; i++) {
        int sequence = i - s.n_states;
        if (!onnx_wants_out(c, i))
            continue;
        y = in[i];
        if (sequence >= 0)
            SL_TRY(collect(c, &s, sequence, listed(list, n_axes, sequence, 0), listed(directions, n_directions, sequence, 0) != 0, &y));
        SL_TRY(onnx_out(c, i, y));
    }
    return SLUICE_OK;
}

/* Opset 8: input 0 says how long each batch's sequence is; states are [batch, ...], sequences [batch, step, ...]. */
static sluice_status scan_batches(struct onnx_import *c, const struct onnx_node *n)
{
    struct scan s = {0};
    const struct sl_const *lengths;
    SL_TRY(read_scan(c, n, 1, &s));
    const size_t count = (size_t)(s.n_states + s.n_in);
    struct sl_node **in = SL_NEW_ARRAY(c->scratch, struct sl_node *, count), **now = SL_NEW_ARRAY(c->scratch, struct sl_node *, count);
    int *axes = SL_NEW_ARRAY(c->scratch, int, (size_t)s.n_in), n_directions;
    int64_t *backward = SL_NEW_ARRAY(c->scratch, int64_t, (size_t)s.n_in);
    const int64_t *directions = onnx_attr_ints(c, "directions", &n_directions);
    for (size_t i = 0; i < count; i++)
        SL_TRY(onnx_in(c, 1 + (int)i, &in[i]));
    for (size_t i = 0; i < count; i++)
        if (in[i]->shape.rank < ((int)i < s.n_states ? 1 : 2) || in[i]->shape.dim[0] != in[0]->shape.dim[0] || in[i]->shape.dim[0] < 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "input %zu has no batch axis, or one unlike the others", 1 + i);
    for (int i = 0; i < s.n_in; i++) {
        axes[i] = 1;
        backward[i] = listed(directions, n_directions, i, 0);
    }
    const int64_t batch = in[0]->shape.dim[0];
    SL_TRY(check_steps(c, &s, in + s.n_states, axes));
    SL_TRY(onnx_in_const(c, 0, &lengths));
    bool whole = !onnx_has_in(c, 0) || lengths;
    for (size_t i = 0; lengths && i < sl_shape_elements(&lengths->shape); i++)
        whole = whole && sl_const_integer(lengths, i) == s.steps;
    if (!whole)
        return sl_unsupported(c->b, "sequence_lens other than the %lld steps of the input", (long long)s.steps);
    if (batch * s.steps > MOST_STEPS)
        return sl_unsupported(c->b, "%lld sequences of %lld steps, at most %d steps are written out", (long long)batch,
                                (long long)s.steps, MOST_STEPS);
    memset(axes, 0, (size_t)s.n_in * sizeof *axes);
    struct sl_node **results = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)(batch * (s.body->n_outputs + 1)));
    for (int64_t b = 0; b < batch; b++) {
        for (size_t i = 0; i < count; i++)
            SL_TRY(element(c, in[i], 0, b, &now[i]));
        SL_TRY(run_steps(c, &s, now, axes, backward));
        for (int i = 0; i < n->n_out; i++) {
            results[i * batch + b] = i < s.n_states ? now[i] : NULL;
            if (i >= s.n_states)
                SL_TRY(collect(c, &s, i - s.n_states, 0, false, &results[i * batch + b]));
        }
    }
    for (int i = 0; i < n->n_out; i++) {
        struct sl_node *y;
        if (!onnx_wants_out(c, i))
            continue;
        SL_TRY(stack(c, results + i * batch, batch, 0, &y));
        SL_TRY(onnx_out(c, i, y));
    }
    return SLUICE_OK;
}

sluice_status translate_scan(struct onnx_import *c, const struct onnx_node *n)
{
    return c->scope->opset < 9 ? scan_batches(c, n) : scan_axes(c, n);
}
