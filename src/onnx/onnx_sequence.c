/*
 * onnx_sequence.c: sequences and optional values. How long a sequence is, and which of its elements is meant, is known from constants,
 * so they exist only while a file is parsed: a sequence is a node that holds its elements as inputs and that no layer ever reads.
 */
#include <string.h>

#include "onnx/onnx_import.h"

static const char mark[] = "onnx_sequence"; /* attribute: 1 a sequence, 0 an optional value that is not there */

bool onnx_is_tensor(const struct sl_node *n)
{
    return !sl_attr(n, mark);
}

static struct sl_node *new_sequence(struct onnx_import *c, int n, struct sl_node *const *items, bool there)
{
    struct sl_node *s = sl_graph_add(c->g, SL_OP_concat, n, items);
    sl_set_int(c->g, s, mark, there);
    return s;
}

static bool is_sequence(const struct sl_node *n)
{
    return n && sl_get_int(n, mark, 0) == 1;
}

static sluice_status sequence_in(struct onnx_import *c, int i, struct sl_node **out)
{
    SL_TRY(onnx_in_any(c, i, out));
    return is_sequence(*out) ? SLUICE_OK : sl_fail(c->e, SLUICE_E_SHAPE, "input '%s' is not a sequence", c->node->in[i]);
}

/* A position 0..most (negative ones count from the end), which must be a constant; left out: `otherwise`. */
static sluice_status position_in(struct onnx_import *c, int i, int n, int most, int otherwise, int *out)
{
    const struct sl_const *k;
    double v;
    *out = otherwise;
    if (!onnx_has_in(c, i))
        return SLUICE_OK;
    SL_TRY(onnx_need_const(c, i, "position", &k));
    if (!sl_const_scalar(k, &v) || v < -n || v > most)
        return sl_fail(c->e, SLUICE_E_VALUE, "the position is not one number in %d..%d", -n, most);
    *out = (int)v + (v < 0 ? n : 0);
    return SLUICE_OK;
}

sluice_status translate_sequence_construct(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node **items = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)n->n_in + 1);
    for (int i = 0; i < n->n_in; i++)
        SL_TRY(onnx_in(c, i, &items[i]));
    return onnx_out(c, 0, new_sequence(c, n->n_in, items, true));
}

sluice_status translate_sequence_at(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *s;
    int at;
    SL_TRY(sequence_in(c, 0, &s));
    SL_TRY(position_in(c, 1, s->n_in, s->n_in - 1, 0, &at));
    return onnx_out(c, 0, s->in[at]);
}

sluice_status translate_sequence_length(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *s;
    SL_TRY(sequence_in(c, 0, &s));
    return onnx_out(c, 0, sl_build_ints(c->b, SL_S64, 0, 1, (int64_t[]){s->n_in}));
}

/* Insert (input 1, at input 2) or erase (at input 1). */
sluice_status translate_sequence_edit(struct onnx_import *c, const struct onnx_node *n)
{
    const bool insert = strcmp(n->op_type, "SequenceInsert") == 0;
    struct sl_node *s, *item = NULL;
    int at;
    SL_TRY(sequence_in(c, 0, &s));
    if (!insert && s->n_in == 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "nothing to erase from an empty sequence");
    if (insert)
        SL_TRY(onnx_in(c, 1, &item));
    SL_TRY(position_in(c, insert ? 2 : 1, s->n_in, insert ? s->n_in : s->n_in - 1, insert ? s->n_in : s->n_in - 1, &at));
    const int count = s->n_in + (insert ? 1 : -1);
    struct sl_node **items = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)count + 1);
    for (int i = 0, from = 0; i < count; i++) {
        from += !insert && from == at;
        items[i] = insert && i == at ? item : s->in[from++];
    }
    return onnx_out(c, 0, new_sequence(c, count, items, true));
}

/* ---- between sequences and tensors ---- */

/* How long each part of an axis is: all alike, or a list. */
static sluice_status part_sizes(struct onnx_import *c, int64_t dim, int *n, int64_t **sizes)
{
    const struct sl_const *k = NULL;
    double each = 1;
    int64_t sum = 0;
    if (onnx_has_in(c, 1))
        SL_TRY(onnx_need_const(c, 1, "split", &k));
    if (k && k->shape.rank > 0) {
        SL_TRY(onnx_const_ints(c, k, "split", n, sizes));
        for (int i = 0; i < *n; i++) {
            if ((*sizes)[i] < 0 || (*sizes)[i] > dim - sum)
                return sl_fail(c->e, SLUICE_E_VALUE, "parts of more than the axis of %lld", (long long)dim);
            sum += (*sizes)[i];
        }
        return sum == dim ? SLUICE_OK : sl_fail(c->e, SLUICE_E_VALUE, "parts of %lld in all for an axis of %lld", (long long)sum, (long long)dim);
    }
    if (k && !sl_const_scalar(k, &each))
        return sl_fail(c->e, SLUICE_E_SHAPE, "split is not one number or a list");
    if (!(each >= 1) || (double)dim / each > 4096)
        return sl_unsupported(c->b, "an axis of %lld in parts of %g; up to 4096 parts are supported", (long long)dim, each);
    const int64_t size = each > (double)dim ? dim : (int64_t)each;
    *n = dim > 0 ? (int)((dim + size - 1) / size) : 0;
    *sizes = SL_NEW_ARRAY(c->scratch, int64_t, (size_t)*n + 1);
    for (int i = 0; i < *n; i++)
        (*sizes)[i] = SL_MIN(size, dim - i * size);
    return SLUICE_OK;
}

sluice_status translate_split_to_sequence(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    int axis, count;
    int64_t *sizes, dims[SL_MAX_RANK], from = 0;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), x->shape.rank, &axis));
    SL_TRY(part_sizes(c, x->shape.dim[axis], &count, &sizes));
    const bool squeezes = !onnx_has_in(c, 1) && onnx_attr_int(c, "keepdims", 1) == 0;
    struct sl_node **items = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)count + 1);
    for (int i = 0; i < x->shape.rank; i++)
        dims[i - (i > axis)] = x->shape.dim[i];
    for (int i = 0; i < count; from += sizes[i++]) {
        SL_TRY(sl_build_slice_axis(c->b, x, axis, from, from + sizes[i], &items[i]));
        if (squeezes)
            SL_TRY(onnx_reshape(c, items[i], x->shape.rank - 1, dims, &items[i]));
    }
    return onnx_out(c, 0, new_sequence(c, count, items, true));
}

sluice_status translate_concat_from_sequence(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *s, *y;
    int axis;
    const bool stacks = onnx_attr_int(c, "new_axis", 0) != 0;
    SL_TRY(sequence_in(c, 0, &s));
    if (s->n_in == 0)
        return sl_unsupported(c->b, "an empty sequence");
    struct sl_node **items = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)s->n_in);
    memcpy(items, s->in, (size_t)s->n_in * sizeof *items);
    SL_TRY(sl_build_axis(c->b, onnx_attr_int(c, "axis", 0), items[0]->shape.rank + stacks, &axis));
    for (int i = 0; i < s->n_in && stacks; i++) {
        int64_t dims[SL_MAX_RANK + 1];
        for (int k = 0, at = 0; k <= items[i]->shape.rank; k++)
            dims[k] = k == axis ? 1 : items[i]->shape.dim[at++];
        SL_TRY(onnx_reshape(c, items[i], items[i]->shape.rank + 1, dims, &items[i]));
    }
    SL_TRY(sl_build_concat(c->b, axis, s->n_in, items, &y));
    return onnx_out(c, 0, y);
}

/* The body once for every element; other sequences go along, other values are the same each time. */
sluice_status translate_sequence_map(struct onnx_import *c, const struct onnx_node *n)
{
    const struct onnx_attr *at = onnx_attribute(c, "body");
    struct sl_node *first;
    SL_TRY(sequence_in(c, 0, &first));
    if (!at || !at->graph || at->graph->n_inputs != n->n_in || at->graph->n_outputs < n->n_out)
        return sl_fail(c->e, SLUICE_E_FORMAT, "the body is missing or does not fit %d inputs and %d outputs", n->n_in, n->n_out);
    const int turns = first->n_in, made = at->graph->n_outputs;
    struct sl_node **in = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)n->n_in);
    struct sl_node **now = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)n->n_in);
    struct sl_node **out = SL_NEW_ARRAY(c->scratch, struct sl_node *, (size_t)made * ((size_t)turns + 1) + 1), **items;
    for (int i = 0; i < n->n_in; i++) {
        SL_TRY(onnx_in_any(c, i, &in[i]));
        if (is_sequence(in[i]) && in[i]->n_in != turns)
            return sl_fail(c->e, SLUICE_E_SHAPE, "sequences of %d and %d elements", turns, in[i]->n_in);
    }
    for (int t = 0; t < turns; t++) {
        for (int i = 0; i < n->n_in; i++)
            now[i] = is_sequence(in[i]) ? in[i]->in[t] : in[i];
        SL_TRY(onnx_inline_graph(c, at->graph, n->n_in, now, out + (size_t)t * (size_t)made));
    }
    for (int i = 0; i < n->n_out; i++) {
        items = SL_NEW_ARRAY(c->a, struct sl_node *, (size_t)turns + 1);
        for (int t = 0; t < turns; t++)
            items[t] = out[(size_t)t * (size_t)made + (size_t)i];
        SL_TRY(onnx_out(c, i, new_sequence(c, turns, items, true)));
    }
    return SLUICE_OK;
}

/* ---- optional values: what they hold, or a mark that they hold nothing ---- */

sluice_status translate_optional(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    SL_TRY(onnx_in_any(c, 0, &x));
    return onnx_out(c, 0, x ? x : new_sequence(c, 0, NULL, false));
}

static bool is_there(const struct sl_node *x)
{
    return x && (onnx_is_tensor(x) || is_sequence(x));
}

sluice_status translate_optional_has_element(struct onnx_import *c, const struct onnx_node *n)
{
    const struct sl_shape scalar = {.rank = 0};
    struct sl_node *x;
    SL_TRY(onnx_in_any(c, 0, &x));
    const uint8_t there = is_there(x);
    return onnx_out(c, 0, sl_build_const(c->b, sl_const_splat(c->a, SL_BOOL, &scalar, &there)));
}

sluice_status translate_optional_get_element(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    SL_TRY(onnx_in_any(c, 0, &x));
    return is_there(x) ? onnx_out(c, 0, x) : sl_fail(c->e, SLUICE_E_VALUE, "the optional value holds nothing");
}
