/*
 * attention.c: finds scaled dot-product attention in a graph in stored order. From each softmax it looks down to the product
 * with the values and up, past scales and masks, to the product of queries and keys. attention_form.c then writes it in one
 * form.
 */
#include "front/attention.h"

#include <math.h>
#include <string.h>

#include "front/attention_private.h"
#include "front/pattern_text.h"

enum { MOST_STEPS = 16 };

struct finder {
    struct sl_graph *g;
    struct sl_uses uses;
    sl_arena *scratch;
};

static const struct sl_pattern_text texts[] = {
    {"attention", "matmul(q, k) -> softmax over the keys -> matmul with v, in either order of the operands",
     "the same layers, marked as one group with heads, width, queries, keys and mask"},
    {"attention, scaled after", "the scores times or divided by a number", "`scale` of the first matmul"},
    {"attention, scaled before", "q, k or both times or divided by a number, before or behind reshapes and transposes",
     "`scale` of the first matmul, the product of all"},
    {"attention, added mask", "scores + mask, the mask constant or computed at run time", "ew_add with `mask_input`"},
    {"attention, chosen mask", "where(constant condition, scores, -1e4 or less), or the other way round",
     "ew_add of a constant: 0 where open, -1e9 where closed"},
    {"attention, chosen mask, at run time", "the same of a condition that is computed or an input",
     "where with `closed_when`; `optimize` makes it a sum with 0 and -1e9"},
    {"attention, floor of the scores", "max(scores, -1e4 or less)", "nothing"},
    {"attention, capped scores", "cap * tanh(scores / cap)", "tanh and the factor behind it as members of the group; 1 / cap goes into `scale`"},
    {"attention, row guard", "where(max(mask) = -infinity, 0, softmax)", "softmax with `nan_guard`"},
    {"attention, NaN guard", "where(is_nan(softmax), 0, softmax)", "softmax, with `nan_guard` where a line may be closed throughout"},
    {"attention, repeated heads", "k or v as reshape(expand(reshape)) of fewer heads",
     "a matmul whose rows are those of all heads that read one of k or v: nothing is repeated"},
};

const struct sl_pattern_text *sl_attention_pattern(int row)
{
    return row < (int)SL_COUNT(texts) ? &texts[row] : NULL;
}

static int count_uses(const struct finder *f, const struct sl_node *n)
{
    return f->uses.first[n->index + 1] - f->uses.first[n->index];
}

static bool used_once(const struct finder *f, const struct sl_node *n)
{
    return count_uses(f, n) == 1;
}

bool sl_attention_number(const struct sl_node *n, float *out)
{
    const struct sl_const *k = n->op == SL_OP_const_input ? sl_param(n, "data") : NULL;
    if (!k || k->dtype != SL_F32 || !(k->splat || sl_shape_elements(&k->shape) == 1))
        return false;
    memcpy(out, k->data, sizeof *out);
    return true;
}

static bool is_positive(double v)
{
    return v >= 1e-30 && v <= 1e30;
}

/* x times a positive number, however it is written; x keeps its shape. */
static bool is_scaled(const struct sl_node *n, struct sl_node **x, double *factor)
{
    float v;
    if (sl_is_activation(n, "affine") && sl_get_float(n, "beta", 0) == 0) {
        *x = n->in[0];
        *factor = sl_get_float(n, "alpha", 1);
        return is_positive(*factor);
    }
    for (int k = 0; k < 2 && (n->op == SL_OP_ew_mult || n->op == SL_OP_ew_div); k++) {
        *x = n->in[k];
        if (sl_attention_number(n->in[1 - k], &v) && (n->op == SL_OP_ew_mult || k == 0)) {
            *factor = n->op == SL_OP_ew_mult ? (double)v : 1 / (double)v;
            return is_positive(*factor) && sl_shape_equal(&(*x)->shape, &n->shape);
        }
    }
    return false;
}

static bool is_closed_number(const struct sl_node *n)
{
    float v;
    return sl_attention_number(n, &v) && v <= SL_MASK_CLOSED;
}

/* max(x, a number so low that the softmax does not see it) */
static bool is_floored(const struct sl_node *n, struct sl_node **x)
{
    if (sl_is_activation(n, "clip")) {
        *x = n->in[0];
        return sl_get_float(n, "minimum", -INFINITY) <= (double)SL_MASK_CLOSED && sl_get_float(n, "maximum", INFINITY) >= 1e30;
    }
    for (int k = 0; n->op == SL_OP_ew_max && k < 2; k++)
        if (is_closed_number(n->in[1 - k])) {
            *x = n->in[k];
            return sl_shape_equal(&(*x)->shape, &n->shape);
        }
    return false;
}

/* A reshape that leaves the matrices alone. */
static bool keeps_matrices(const struct sl_node *n)
{
    if (n->op != SL_OP_reshape)
        return false;
    const struct sl_shape *a = &n->in[0]->shape, *b = &n->shape;
    return a->rank >= 2 && b->rank >= 2 && a->dim[a->rank - 1] == b->dim[b->rank - 1] &&
           a->dim[a->rank - 2] == b->dim[b->rank - 2];
}

/* ---- masks ---- */

/* Whether value i of a mask closes its place. Conditions of where are kept as integers. */
struct mask_values {
    const struct sl_const *k;
    bool condition, closed_when; /* a condition: the value that closes */
};

static bool is_closed(const struct mask_values *m, size_t i)
{
    size_t at = m->k->splat ? 0 : i;
    if (!m->condition)
        return ((const float *)m->k->data)[at] <= SL_MASK_CLOSED;
    bool v = m->k->dtype == SL_S64 ? ((const int64_t *)m->k->data)[at] != 0 : ((const uint8_t *)m->k->data)[at] != 0;
    return v == m->closed_when;
}

static bool is_zero(const struct mask_values *m, size_t i)
{
    return m->condition || ((const float *)m->k->data)[m->k->splat ? 0 : i] == 0;
}

/* Which kind of mask it is, whether each row of the scores has an open place, and whether open places are left as they are. */
static enum mask_kind kind_of(const struct mask_values *m, bool *all_rows_open, bool *pure)
{
    const struct sl_shape *s = &m->k->shape;
    size_t count = sl_shape_elements(s), columns = s->rank ? (size_t)s->dim[s->rank - 1] : 1;
    size_t rows = s->rank > 1 ? (size_t)s->dim[s->rank - 2] : 1;
    bool any = false, causal = rows > 1 && rows <= columns, first = causal; /* aligned at the last key, at the first */
    *all_rows_open = *pure = true;
    if (columns == 0)
        return MASK_BIAS;
    for (size_t at = 0; at < count; at += columns) {
        size_t row = at / columns % rows, past = columns - rows; /* earlier keys than queries: a cache */
        bool open = false;
        for (size_t c = 0; c < columns; c++) {
            bool closed = is_closed(m, at + c);
            any = any || closed;
            open = open || !closed;
            *pure = *pure && (closed || is_zero(m, at + c));
            causal = causal && closed == (c > row + past);
            first = first && closed == (c > row);
        }
        *all_rows_open = *all_rows_open && open;
    }
    return !any ? MASK_BIAS : causal || first ? MASK_CAUSAL : MASK_CONSTANT;
}

static bool leads_to_matmul(const struct finder *f, const struct sl_node *n, int steps);

/* scores + mask: the side that comes from a matmul is the scores. */
static bool read_added(const struct finder *f, struct sl_node *n, struct mask *m, int steps)
{
    for (int k = 0; k < 2; k++) {
        const struct sl_const *c = n->in[1 - k]->op == SL_OP_const_input ? sl_param(n->in[1 - k], "data") : NULL;
        if (!sl_shape_equal(&n->in[k]->shape, &n->shape) || !leads_to_matmul(f, n->in[k], steps))
            continue;
        *m = (struct mask){.node = n, .scores = k, .kind = MASK_INPUT};
        if (c && c->dtype == SL_F32)
            m->kind = kind_of(&(struct mask_values){.k = c}, &m->all_rows_open, &m->pure);
        return true;
    }
    return false;
}

/* where(condition, a, b), one of a and b a number that closes. What stands where it does must be the same for every engine: no
 * row may be closed throughout, since scores would shine through an addition. */
static bool read_chosen(struct sl_node *n, struct mask *m)
{
    for (int k = 1; n->op == SL_OP_where && k <= 2; k++) {
        const struct sl_const *condition = n->in[0]->op == SL_OP_const_input ? sl_param(n->in[0], "data") : NULL;
        if (!is_closed_number(n->in[3 - k]) || !sl_shape_equal(&n->in[k]->shape, &n->shape))
            continue;
        if (!condition) { /* known at run time only: it stays what it is */
            *m = (struct mask){.node = n, .scores = k, .kind = MASK_INPUT, .closed_when = k == 2};
            return true;
        }
        if (sl_dtype_bits(condition->dtype) != 8 && condition->dtype != SL_S64)
            return false;
        struct mask_values v = {.k = condition, .condition = true, .closed_when = k == 2};
        *m = (struct mask){.node = n, .scores = k, .closed_when = v.closed_when};
        m->kind = kind_of(&v, &m->all_rows_open, &m->pure);
        return m->all_rows_open;
    }
    return false;
}

/* ---- from the softmax upwards ---- */

static bool is_cap(const struct sl_node *n)
{
    return sl_is_activation(n, "tanh");
}

static bool leads_to_matmul(const struct finder *f, const struct sl_node *n, int steps)
{
    struct sl_node *x;
    double factor;
    struct mask m;
    for (; steps > 0 && (used_once(f, n) || n->op == SL_OP_matmul); steps--) {
        if (n->op == SL_OP_matmul)
            return n->dtype == SL_F32;
        if (is_scaled(n, &x, &factor) || is_floored(n, &x))
            n = x;
        else if (keeps_matrices(n) || is_cap(n))
            n = n->in[0];
        else if (n->op == SL_OP_ew_add)
            return read_added(f, (struct sl_node *)(uintptr_t)n, &m, steps / 2);
        else if (read_chosen((struct sl_node *)(uintptr_t)n, &m))
            n = n->in[m.scores];
        else
            return false;
    }
    return false;
}

static struct bypass *skip(struct attention *a, struct sl_node *reader, int input, struct sl_node *to, bool before)
{
    struct bypass *b = a->n_bypasses ? &a->bypasses[a->n_bypasses - 1] : NULL;
    const struct sl_node *skipped = reader->in[input];
    if (b && b->reader == reader && b->input == input)
        skipped = b->to;
    b = &a->bypasses[a->n_bypasses++];
    *b = (struct bypass){.reader = reader, .to = to, .skipped = skipped, .input = input, .before = before};
    return b;
}

/* Scales seen so far stay layers. */
static void keep_scales(struct attention *a)
{
    if (a->scale != 1)
        a->n_bypasses = 0;
    a->scale = 1;
}

static bool climb(const struct finder *f, struct attention *a)
{
    struct sl_node *reader = a->softmax, *n = reader->in[0], *x;
    int input = 0;
    double factor;
    for (int steps = 0; steps < MOST_STEPS && (used_once(f, n) || n->op == SL_OP_matmul); steps++) {
        if (n->op == SL_OP_matmul) {
            if (!used_once(f, n))
                keep_scales(a); /* others read the scores as they are */
            a->scores = n;
            return n->dtype == SL_F32;
        }
        if (a->n_bypasses >= MOST_BYPASSES / 2 || a->n_masks >= MOST_MASKS || a->n_members >= MOST_MEMBERS - 1)
            return false;
        struct mask *m = &a->masks[a->n_masks];
        if (is_floored(n, &x)) {
            skip(a, reader, input, x, false)->floor = true;
            n = x;
        } else if (is_scaled(n, &x, &factor)) {
            a->scale *= factor;
            skip(a, reader, input, x, false);
            n = x;
        } else if ((n->op == SL_OP_ew_add && read_added(f, n, m, MOST_STEPS)) || read_chosen(n, m)) {
            if (!m->pure)
                keep_scales(a); /* what is added is scaled as well */
            a->n_masks++;
            a->members[a->n_members++] = reader = n;
            input = m->scores;
            n = n->in[input];
        } else if (keeps_matrices(n) || is_cap(n)) {
            if (is_cap(n))
                keep_scales(a); /* those behind the curve */
            a->members[a->n_members++] = reader = n;
            input = 0;
            n = n->in[0];
        } else {
            return false;
        }
    }
    return false;
}

/* ---- from the softmax downwards ---- */

static bool is_nan_test(const struct sl_node *n, const struct sl_node *of)
{
    return n->op == SL_OP_predicate && n->in[0] == of && strcmp(sl_get_string(n, "type", ""), "is_nan") == 0;
}

static const struct sl_node *without_reshape(const struct sl_node *n)
{
    while (n->op == SL_OP_reshape || n->op == SL_OP_expand)
        n = n->in[0];
    return n;
}

/* max(mask over the keys) = -infinity: the mask, or NULL. */
static const struct sl_node *tested_mask(const struct sl_node *n)
{
    float v;
    n = without_reshape(n);
    for (int k = 0; n->op == SL_OP_ew_equal && k < 2; k++) {
        const struct sl_node *most = without_reshape(n->in[k]);
        const struct sl_attr *axes = most->op == SL_OP_reduce_max ? sl_attr(most, "axes") : NULL;
        if (axes && axes->n == 1 && axes->i[0] == most->in[0]->shape.rank - 1 && sl_attention_number(n->in[1 - k], &v) && v == -INFINITY)
            return without_reshape(most->in[0]);
    }
    return NULL;
}

/* where(the row is closed throughout, 0, softmax); which mask it asks is checked when the masks are known. */
static bool is_row_guard(const struct sl_node *n, const struct sl_node *of)
{
    float zero;
    return n->op == SL_OP_where && n->in[2] == of && sl_attention_number(n->in[1], &zero) && zero == 0 && tested_mask(n->in[0]) &&
           sl_shape_equal(&n->shape, &of->shape);
}

static bool is_guard(const struct sl_node *n, const struct sl_node *of)
{
    float zero;
    return n->op == SL_OP_where && is_nan_test(n->in[0], of) && sl_attention_number(n->in[1], &zero) && zero == 0 &&
           n->in[2] == of;
}

/* The keys are what the second product sums over: the last axis of the weights. */
static bool sums_over_keys(const struct sl_node *product, const struct sl_node *weights)
{
    return product->op == SL_OP_matmul && product->dtype == SL_F32 && product->in[0] != product->in[1] &&
           (product->in[0] == weights || sl_get_int(product, "transpose_b", 0) == 1);
}

/* A reader of n that is the product with the values, through layers that only give the weights another shape. */
static struct sl_node *find_product(const struct finder *f, struct attention *a, const struct sl_node *n, int steps)
{
    for (int u = f->uses.first[n->index]; u < f->uses.first[n->index + 1] && steps > 0; u++) {
        struct sl_node *reader = f->g->nodes[f->uses.to[u]], *found = NULL;
        if (sums_over_keys(reader, n))
            return reader;
        bool guard = (is_guard(reader, n) && count_uses(f, n) == 2) || (is_row_guard(reader, n) && count_uses(f, n) == 1);
        if (guard || keeps_matrices(reader))
            found = find_product(f, a, reader, steps - 1);
        if (found && guard)
            a->guard = reader;
        if (found)
            return found;
    }
    return NULL;
}

/* ---- queries and keys ---- */

/* Numbers that q or k are multiplied by, before or behind what only moves them. */
static void take_factors(const struct finder *f, struct attention *a, int input)
{
    struct sl_node *reader = a->scores, *n = reader->in[input], *x;
    double factor;
    for (int steps = 0; steps < MOST_STEPS && a->n_bypasses < MOST_BYPASSES && used_once(f, n); steps++) {
        if (is_scaled(n, &x, &factor) && is_positive(a->scale * factor)) {
            a->scale *= factor;
            skip(a, reader, input, x, true);
            n = x;
        } else if (n->op == SL_OP_reshape || n->op == SL_OP_transpose || n->op == SL_OP_expand) {
            reader = n;
            input = 0;
            n = n->in[0];
        } else {
            return;
        }
    }
}

/* A row is closed throughout where its one mask says so: the guard must ask that mask. */
static bool guards_masks(const struct attention *a)
{
    const struct mask *m = &a->masks[0];
    return a->n_masks == 1 && m->node->op == SL_OP_ew_add && without_reshape(m->node->in[1 - m->scores]) == tested_mask(a->guard->in[0]);
}

static bool find_attention(const struct finder *f, struct sl_node *softmax, struct attention *a)
{
    *a = (struct attention){.softmax = softmax, .scale = 1};
    int64_t axis = sl_get_int(softmax, "axis", -1);
    if (softmax->dtype != SL_F32 || softmax->shape.rank < 2 || (axis != -1 && axis != softmax->shape.rank - 1))
        return false;
    a->product = find_product(f, a, softmax, 4);
    if (!a->product || !climb(f, a) || a->scores == a->product)
        return false;
    if (a->guard && !is_nan_test(a->guard->in[0], softmax) && !guards_masks(a))
        return false;
    take_factors(f, a, 0);
    take_factors(f, a, 1);
    return true;
}

int sl_normalize_attention(struct sl_graph *g)
{
    sl_arena *scratch = sl_arena_new();
    int n = 0;
    sl_graph_renumber(g);
    struct finder f = {g, sl_find_uses(g, scratch), scratch};
    for (int i = 0; i < g->n_nodes; i++)
        n += g->nodes[i]->op == SL_OP_softmax;
    struct attention *found = SL_NEW_ARRAY(scratch, struct attention, n + 1);
    n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == SL_OP_softmax && find_attention(&f, g->nodes[i], &found[n]))
            n++;
    if (n)
        sl_rewrite_attentions(g, &f.uses, found, n, scratch);
    sl_arena_free(scratch);
    return n;
}
