/*
 * rotary_patterns.c: finds rotary position embedding. Two ways of writing it, each with pairs half a row apart or of
 * neighbours: whole   x * cos + turned(x) * sin, turned(x) = join(-second(x), first(x)) parts   join(first(x) * cos - second(x)
 * * sin, second(x) * cos + first(x) * sin) first and second are the halves of the last axis, or its even and odd positions;
 * join puts them back.
 */
#include "front/rotary.h"

#include <string.h>

#include "front/pattern_text.h"

enum part { WHOLE, FIRST, SECOND };

/* A part of x, possibly negated. */
struct piece {
    struct sl_node *x;
    enum part part;
    bool interleaved, negative;
};

/* piece * table, added or subtracted. */
struct term {
    struct piece piece;
    struct sl_node *table;
};

struct turn {
    struct sl_node *x, *cosine, *sine;
    bool interleaved;
};

static const struct sl_pattern_text texts[] = {
    {"rotary", "x * cos + turned(x) * sin, turned(x) = concat(-second half, first half) of the last axis", "rotary"},
    {"rotary, interleaved", "the same with turned(x) = the odd positions negated and the even ones, stacked and flattened",
     "rotary with `interleaved`"},
    {"rotary, by halves", "concat(x1 * cos - x2 * sin, x2 * cos + x1 * sin), x1 and x2 the halves of the last axis", "rotary"},
    {"rotary, by halves, interleaved", "the same of even and odd positions, stacked and flattened",
     "rotary with `interleaved`"},
};

const struct sl_pattern_text *sl_rotary_pattern(int row)
{
    return row < (int)SL_COUNT(texts) ? &texts[row] : NULL;
}

static int64_t last_dim(const struct sl_node *n)
{
    return n->shape.rank ? n->shape.dim[n->shape.rank - 1] : 0;
}

/* ---- parts of the last axis ---- */

/* n as positions start, start + step, ... of one axis of its input, all others whole. */
static bool reads_axis(const struct sl_node *n, int axis, int64_t *start, int64_t *count, int64_t *step)
{
    int rank = n->n_in ? n->in[0]->shape.rank : 0;
    int64_t starts[SL_MAX_RANK], steps[SL_MAX_RANK];
    if (n->op != SL_OP_slice || axis < 0 || !sl_get_ints(n, "starts", rank, starts) || !sl_get_ints(n, "steps", rank, steps))
        return false;
    for (int i = 0; i < rank; i++)
        if (i != axis && (n->shape.dim[i] != n->in[0]->shape.dim[i] || steps[i] != 1))
            return false;
    *start = starts[axis];
    *count = n->shape.dim[axis];
    *step = steps[axis];
    return true;
}

/* One position of an axis of 2, the axis gone or not. */
static bool picks_one(const struct sl_node *n, int axis, int64_t *which)
{
    int64_t count, step, value;
    const struct sl_const *indices = n->op == SL_OP_gather ? sl_param(n, "indices") : NULL;
    if (indices && indices->dtype == SL_S64 && sl_shape_elements(&indices->shape) == 1 && sl_get_int(n, "axis", 0) == axis) {
        memcpy(&value, indices->data, sizeof value);
        *which = value < 0 ? value + n->in[0]->shape.dim[axis] : value;
        return true;
    }
    return reads_axis(n, axis, which, &count, &step) && count == 1;
}

/* reshape(x) to [.., 2, h] or [.., h, 2], one of the two of it, as [.., h]. */
static bool reads_split(const struct sl_node *n, struct piece *p)
{
    if (n->op == SL_OP_reshape && n->n_in == 1 && (n->in[0]->op == SL_OP_slice || n->in[0]->op == SL_OP_gather))
        n = n->in[0];
    if (n->op != SL_OP_slice && n->op != SL_OP_gather)
        return false;
    const struct sl_node *split = n->in[0];
    if (split->op != SL_OP_reshape)
        return false;
    struct sl_node *x = split->in[0];
    int rank = split->shape.rank, axis = -1;
    int64_t which;
    if (rank != x->shape.rank + 1 || split->shape.dim[rank - 2] * split->shape.dim[rank - 1] != last_dim(x))
        return false;
    for (int k = 1; k <= 2 && axis < 0; k++)
        if (split->shape.dim[rank - k] == 2 && picks_one(n, rank - k, &which))
            axis = rank - k;
    if (axis < 0)
        return false;
    *p = (struct piece){.x = x, .part = which ? SECOND : FIRST, .interleaved = axis == rank - 1};
    return true;
}

static bool reads_slice(const struct sl_node *n, struct piece *p)
{
    int64_t start, count, step, d = n->n_in ? last_dim(n->in[0]) : 0;
    if (n->op != SL_OP_slice || !reads_axis(n, n->shape.rank - 1, &start, &count, &step) || d % 2 || count != d / 2)
        return false;
    if (!(step == 1 && (start == 0 || start == d / 2)) && !(step == 2 && (start == 0 || start == 1)))
        return false;
    *p = (struct piece){.x = n->in[0], .part = start ? SECOND : FIRST, .interleaved = step == 2};
    return true;
}

/* A part of something, or the thing itself. In a row of 2 both ways of pairing are one; they count as halves. */
static struct piece piece_of(struct sl_node *n)
{
    struct piece p;
    bool negative = sl_is_activation(n, "neg");
    struct sl_node *of = negative ? n->in[0] : n;
    if (!reads_slice(of, &p) && !reads_split(of, &p))
        p = (struct piece){.x = of, .part = WHOLE};
    p.negative = negative;
    p.interleaved = p.interleaved && last_dim(p.x) > 2;
    return p;
}

/* [.., h] as [.., 1, h] or [.., h, 1]. */
static struct sl_node *without_stack(struct sl_node *n, int64_t h, bool interleaved)
{
    int rank = n->shape.rank;
    bool stacked =
        rank >= 2 && n->shape.dim[rank - 1] == (interleaved ? 1 : h) && n->shape.dim[rank - 2] == (interleaved ? h : 1);
    return stacked && n->op == SL_OP_reshape && n->in[0]->shape.rank == rank - 1 && last_dim(n->in[0]) == h ? n->in[0] : NULL;
}

/* Two parts put together along the last axis: one behind the other, or stacked and flattened. */
static bool is_join(const struct sl_node *n, struct sl_node *parts[2], bool *interleaved)
{
    const struct sl_node *c = n->op == SL_OP_reshape ? n->in[0] : n;
    int64_t axis = c->op == SL_OP_concat && c->n_in == 2 ? sl_get_int(c, "axis", 0) : 0, h = last_dim(n) / 2;
    int rank = c->shape.rank;
    if (c->op != SL_OP_concat || c->n_in != 2 || last_dim(n) % 2)
        return false;
    axis += axis < 0 ? rank : 0;
    if (c == n) {
        parts[0] = c->in[0];
        parts[1] = c->in[1];
        *interleaved = false;
        return axis == rank - 1 && last_dim(parts[0]) == h;
    }
    *interleaved = axis == rank - 1 && h > 1;
    if (rank != n->shape.rank + 1 || axis < rank - 2)
        return false;
    for (int k = 0; k < 2; k++)
        if (!(parts[k] = without_stack(c->in[k], h, axis == rank - 1)))
            return false;
    return true;
}

/* ---- sums of two products ---- */

static bool read_sum(const struct sl_node *n, struct sl_node *products[2], bool *negative)
{
    if ((n->op != SL_OP_ew_add && n->op != SL_OP_ew_sub) || n->in[0]->op != SL_OP_ew_mult || n->in[1]->op != SL_OP_ew_mult)
        return false;
    products[0] = n->in[0];
    products[1] = n->in[1];
    *negative = n->op == SL_OP_ew_sub;
    return true;
}

/* The factor of a product that is `part` of x; the other one is the table. */
static bool read_term(const struct sl_node *product, const struct piece *wanted, struct sl_node **table)
{
    for (int k = 0; k < 2; k++) {
        struct piece p = piece_of(product->in[k]);
        if (p.x == wanted->x && p.part == wanted->part && p.interleaved == wanted->interleaved &&
            p.negative == wanted->negative) {
            *table = product->in[1 - k];
            return true;
        }
    }
    return false;
}

/* n = a * cos + sign * b * sin, in any order; the tables must be the ones known. */
static bool is_turned(const struct sl_node *n, const struct piece *a, const struct piece *b, bool minus, struct turn *t)
{
    struct sl_node *products[2], *cosine, *sine;
    bool subtracted;
    if (!read_sum(n, products, &subtracted))
        return false;
    for (int k = 0; k < 2; k++) {
        struct piece turned = *b;
        bool outer = subtracted && k == 0; /* products[1 - k], the sine's, is the one that is subtracted */
        turned.negative = minus != outer;
        if ((subtracted && k == 1) || !read_term(products[k], a, &cosine) || !read_term(products[1 - k], &turned, &sine))
            continue;
        if ((t->cosine && t->cosine != cosine) || (t->sine && t->sine != sine))
            continue;
        t->cosine = cosine;
        t->sine = sine;
        return true;
    }
    return false;
}

static bool match_parts(const struct sl_node *n, struct turn *t)
{
    struct sl_node *parts[2], *products[2];
    bool subtracted;
    if (!is_join(n, parts, &t->interleaved) || !read_sum(parts[0], products, &subtracted))
        return false;
    for (int k = 0; k < 4; k++) {
        struct piece first = piece_of(products[k / 2]->in[k % 2]), second = first;
        if (first.part != FIRST || first.interleaved != t->interleaved || first.negative)
            continue;
        second.part = SECOND;
        t->x = first.x;
        t->cosine = t->sine = NULL;
        if (is_turned(parts[0], &first, &second, true, t) && is_turned(parts[1], &second, &first, false, t))
            return true;
    }
    return false;
}

/* join(-second(x), first(x)) */
static bool is_turned_whole(const struct sl_node *n, struct sl_node **x, bool *interleaved)
{
    struct sl_node *parts[2];
    if (!is_join(n, parts, interleaved))
        return false;
    struct piece a = piece_of(parts[0]), b = piece_of(parts[1]);
    *x = a.x;
    return a.x == b.x && a.part == SECOND && a.negative && b.part == FIRST && !b.negative && a.interleaved == *interleaved &&
           b.interleaved == *interleaved;
}

static bool match_whole(const struct sl_node *n, struct turn *t)
{
    struct sl_node *products[2], *x;
    bool subtracted;
    if (!read_sum(n, products, &subtracted) || subtracted)
        return false;
    for (int k = 0; k < 4; k++) {
        const struct sl_node *turned = products[k / 2]->in[k % 2], *other = products[1 - k / 2];
        if (!is_turned_whole(turned, &x, &t->interleaved))
            continue;
        for (int i = 0; i < 2; i++)
            if (other->in[i] == x) {
                *t = (struct turn){
                    .x = x, .cosine = other->in[1 - i], .sine = products[k / 2]->in[1 - k % 2], .interleaved = t->interleaved};
                return true;
            }
    }
    return false;
}

/* ---- the layer ---- */

/* Cosines and sines of one shape that broadcasts to x, one a feature or one a pair. */
static bool tables_fit(const struct sl_node *n, const struct turn *t)
{
    const struct sl_shape *x = &t->x->shape, *c = &t->cosine->shape;
    int64_t d = last_dim(t->x), w = last_dim(t->cosine);
    if (!sl_shape_equal(&n->shape, x) || !sl_shape_equal(c, &t->sine->shape) || d < 2 || (w != d && 2 * w != d) ||
        t->x->dtype != SL_F32 || t->cosine->dtype != SL_F32 || t->sine->dtype != SL_F32 || c->rank > x->rank)
        return false;
    for (int i = 2; i <= c->rank; i++)
        if (c->dim[c->rank - i] != 1 && c->dim[c->rank - i] != x->dim[x->rank - i])
            return false;
    return true;
}

struct joining {
    struct sl_graph *g;
    sl_arena *scratch;
    int n_old;
    struct sl_node **angles; /* by number of the cosines: what joins them with `sine` */
    struct sl_node **sine;
    struct sl_node **before; /* by number: a new node that stands before this one */
};

static const struct sl_const *joined_constants(sl_arena *a, const struct sl_const *c, const struct sl_const *s,
                                               const struct sl_shape *shape)
{
    void *data = NULL;
    int64_t w = c->shape.dim[c->shape.rank - 1], rows = w ? (int64_t)sl_shape_elements(&c->shape) / w : 0;
    const struct sl_const *out = sl_const_new(a, SL_F32, shape, &data);
    const float *from[2] = {sl_const_dense(a, c), sl_const_dense(a, s)};
    if (!out || !from[0] || !from[1])
        return NULL;
    for (int64_t i = 0; i < rows; i++)
        for (int k = 0; k < 2; k++)
            memcpy((float *)data + (2 * i + k) * w, from[k] + i * w, (size_t)w * sizeof(float));
    return out;
}

static struct sl_node *join_angles(struct joining *j, const struct turn *t, const struct sl_node *root)
{
    int at = t->cosine->index;
    struct sl_shape shape = t->cosine->shape;
    shape.dim[shape.rank - 1] *= 2;
    if (j->angles[at] && j->sine[at] == t->sine)
        return j->angles[at];
    if (j->before[root->index])
        return NULL;
    struct sl_node *in[2] = {t->cosine, t->sine}, *n;
    if (t->cosine->op == SL_OP_const_input && t->sine->op == SL_OP_const_input) {
        const struct sl_const *k = joined_constants(j->g->arena, sl_param(in[0], "data"), sl_param(in[1], "data"), &shape);
        if (!k)
            return NULL;
        n = sl_graph_add(j->g, SL_OP_const_input, 0, NULL);
        sl_set_param(j->g, n, "data", k);
    } else {
        n = sl_graph_add(j->g, SL_OP_concat, 2, in);
        sl_set_int(j->g, n, "axis", shape.rank - 1);
    }
    n->scope = root->scope;
    n->dtype = SL_F32;
    n->shape = shape;
    j->before[root->index] = j->angles[at] = n;
    j->sine[at] = t->sine;
    return n;
}

/* What lies between x and the root gives its origins to the root, those of the last nodes last. */
static void take_parts(struct sl_arena *a, struct sl_node *root, const struct sl_node *n, const struct turn *t, int depth)
{
    for (int k = 0; k < n->n_in && depth > 0; k++) {
        const struct sl_node *up = n->in[k];
        if (up == t->x || up == t->cosine || up == t->sine || up->op == SL_OP_const_input || up->op == SL_OP_input_layer)
            continue;
        take_parts(a, root, up, t, depth - 1);
        sl_node_take_origins(a, root, up);
    }
}

static bool become_rotary(struct joining *j, struct sl_node *n, const struct turn *t)
{
    enum { DEPTH = 6 };
    if (!tables_fit(n, t))
        return false;
    struct sl_node *in[2] = {t->x, join_angles(j, t, n)};
    if (!in[1])
        return false;
    const struct sl_node own = sl_node_detach_origins(n);
    take_parts(j->g->arena, n, n, t, DEPTH);
    sl_node_take_origins(j->g->arena, n, &own);
    sl_node_become(j->g->arena, n, SL_OP_rotary, 2, in);
    sl_set_int(j->g, n, "interleaved", t->interleaved);
    return true;
}

static void place_angles(struct joining *j)
{
    struct sl_node **old = sl_arena_memdup(j->scratch, j->g->nodes, (size_t)j->n_old * sizeof *old);
    int n = 0;
    for (int i = 0; i < j->n_old; i++) {
        if (j->before[i])
            j->g->nodes[n++] = j->before[i];
        j->g->nodes[n++] = old[i];
    }
    sl_graph_renumber(j->g);
}

int sl_match_rotary(struct sl_graph *g)
{
    sl_arena *scratch = sl_arena_new();
    int found = 0;
    sl_graph_renumber(g);
    struct joining j = {.g = g, .scratch = scratch, .n_old = g->n_nodes};
    j.angles = SL_NEW_ARRAY(scratch, struct sl_node *, g->n_nodes + 1);
    j.sine = SL_NEW_ARRAY(scratch, struct sl_node *, g->n_nodes + 1);
    j.before = SL_NEW_ARRAY(scratch, struct sl_node *, g->n_nodes + 1);
    for (int i = 0; i < j.n_old; i++) {
        struct turn t = {0};
        struct sl_node *n = g->nodes[i];
        if (n->dtype == SL_F32 && (match_whole(n, &t) || match_parts(n, &t)))
            found += become_rotary(&j, n, &t);
    }
    if (found) {
        place_angles(&j);
        sl_graph_remove_dead(g);
    }
    sl_arena_free(scratch);
    return found;
}
