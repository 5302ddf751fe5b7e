/*
 * attention_heads.c: grouped queries. Exporters repeat each head of k and v for all heads of q that read it, by expand between reshapes
 * and transposes. What the second operand of a product is of the tensor before the expand is told by strides; where the repetition is
 * the innermost part of the heads, rows of all heads that read one of k become rows of one product, and nothing is repeated.
 */
#include <string.h>

#include "front/attention_private.h"

enum { MOST_ATOMS = 16, MOST_MOVES = 8 };

/* Part of an axis: `size` positions, `stride` elements of the source apart; 0: the same ones again. */
struct atom {
    int64_t size, stride;
};

/* A tensor as a view of another: the atoms of axis i are at[first[i]] .. at[first[i + 1] - 1], outermost first, none of size 1. */
struct view {
    int rank, n;
    int first[SL_MAX_RANK + 1];
    struct atom at[MOST_ATOMS];
};

static bool push(struct view *v, struct atom a)
{
    if (a.size == 1)
        return true;
    if (v->n == MOST_ATOMS)
        return false;
    v->at[v->n++] = a;
    return true;
}

static bool view_of_expand(const struct sl_node *n, struct view *v)
{
    const struct sl_shape *x = &n->in[0]->shape, *s = &n->shape;
    int64_t stride[SL_MAX_RANK], step = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= x->dim[i];
    }
    *v = (struct view){.rank = s->rank};
    for (int i = 0; i < s->rank; i++) {
        int k = i - (s->rank - x->rank);
        bool repeated = k < 0 || x->dim[k] != s->dim[i];
        if (!push(v, (struct atom){s->dim[i], repeated ? 0 : stride[k]}))
            return false;
        v->first[i + 1] = v->n;
    }
    return true;
}

static bool transpose_view(const struct sl_node *n, struct view *v)
{
    const struct view old = *v;
    int64_t perm[SL_MAX_RANK];
    if (!sl_get_ints(n, "perm", old.rank, perm))
        return false;
    v->n = 0;
    for (int i = 0; i < old.rank; i++) {
        for (int k = old.first[perm[i]]; k < old.first[perm[i] + 1]; k++)
            v->at[v->n++] = old.at[k];
        v->first[i + 1] = v->n;
    }
    return true;
}

/* All atoms in a row are dealt out again; one that reaches over two axes is split. */
static bool reshape_view(const struct sl_shape *s, struct view *v)
{
    struct view old = *v;
    int next = 0;
    *v = (struct view){.rank = s->rank};
    for (int i = 0; i < s->rank; i++) {
        int64_t left = s->dim[i];
        while (left > 1) {
            if (next == old.n)
                return false;
            struct atom *a = &old.at[next];
            if (a->size <= left) {
                if (left % a->size || !push(v, *a))
                    return false;
                left /= a->size;
                next++;
            } else {
                int64_t inner = a->size / left;
                if (a->size % left || !push(v, (struct atom){left, a->stride * inner}))
                    return false;
                a->size = inner;
                left = 1;
            }
        }
        v->first[i + 1] = v->n;
    }
    return next == old.n;
}

/* b as a view of what is expanded; *wide is the expand. */
static bool find_view(const struct sl_node *b, const struct sl_node **wide, struct view *v)
{
    const struct sl_node *moves[MOST_MOVES];
    int n = 0;
    for (; b->op == SL_OP_reshape || b->op == SL_OP_transpose; b = b->in[0]) {
        if (n == MOST_MOVES)
            return false;
        moves[n++] = b;
    }
    if (b->op != SL_OP_expand || sl_shape_elements(&b->shape) == 0 || !view_of_expand(b, v))
        return false;
    *wide = b;
    while (n--)
        if (!(moves[n]->op == SL_OP_reshape ? reshape_view(&moves[n]->shape, v) : transpose_view(moves[n], v)))
            return false;
    return true;
}

/* The one repetition is the innermost atom of the heads. */
static int64_t repeats_heads(const struct view *v, int head)
{
    int last = v->first[head + 1] - 1;
    if (last < v->first[head] || v->at[last].stride != 0)
        return 0;
    for (int i = 0; i < v->n; i++)
        if (i != last && v->at[i].stride == 0)
            return 0;
    return v->at[last].size;
}

/* The view without its repetition, made of the source by a reshape and a transpose where they are needed. */
static struct sl_node *once(struct rewriting *r, struct sl_node *source, const struct view *v, const struct sl_shape *s,
                            const struct sl_node *product)
{
    struct atom atoms[MOST_ATOMS];
    int64_t perm[SL_MAX_RANK];
    struct sl_shape split = {0}, turned = {0};
    int order[MOST_ATOMS], n = 0;
    for (int i = 0; i < v->n; i++)
        if (v->at[i].stride)
            atoms[n++] = v->at[i];
    if (n > SL_MAX_RANK)
        return NULL;
    for (int i = 0; i < n; i++) { /* by falling stride: the source's own order */
        int k = i;
        for (; k > 0 && atoms[order[k - 1]].stride < atoms[i].stride; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    bool moved = false;
    for (int i = 0; i < n; i++) {
        split.dim[i] = atoms[order[i]].size;
        turned.dim[i] = atoms[i].size;
        perm[order[i]] = i;
        moved = moved || order[i] != i;
    }
    split.rank = turned.rank = n;
    if (moved) {
        source = sl_attention_reshape(r, source, &split, product->index, product->scope);
        source = sl_attention_new(r, SL_OP_transpose, source, &turned, product->index, product->scope);
        sl_set_ints(r->g, source, "perm", n, perm);
    }
    return sl_attention_reshape(r, source, s, product->index, product->scope);
}

/* [.., kv * times, m, d] is [.., kv, times * m, d]. */
void sl_merge_head_rows(struct rewriting *r, struct sl_node *product)
{
    const struct sl_node *wide;
    struct view v;
    const struct sl_shape full = product->shape;
    struct sl_shape a = product->in[0]->shape, b = product->in[1]->shape, y = full;
    int head = full.rank - 3;
    if (head < 0 || a.rank != b.rank || a.rank != full.rank || !find_view(product->in[1], &wide, &v))
        return;
    int64_t times = repeats_heads(&v, head);
    for (int i = 0; i <= head && times; i++)
        times = a.dim[i] == b.dim[i] ? times : 0;
    if (times < 2)
        return;
    b.dim[head] /= times;
    struct sl_node *source = once(r, wide->in[0], &v, &b, product);
    if (!source)
        return;
    a.dim[head] /= times;
    a.dim[head + 1] *= times;
    y.dim[head] /= times;
    y.dim[head + 1] *= times;
    product->in[0] = sl_attention_reshape(r, product->in[0], &a, product->index, product->scope);
    product->in[1] = source;
    product->shape = y;
    struct sl_node *back = sl_attention_new(r, SL_OP_reshape, product, &full, product->index + 1, product->scope);
    sl_set_ints(r->g, back, "shape", full.rank, full.dim);
    r->replaced[product->index] = back;
    for (int i = 0; i < product->n_origins; i++)
        sl_node_add_origin(r->g->arena, back, product->origins[i]);
}
