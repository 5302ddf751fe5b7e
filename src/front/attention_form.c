/*
 * attention_form.c: writes what attention.c found in one form: scales in the first matmul, masks added, guards gone, heads read
 * without being repeated. New nodes are placed at the end in one pass, so that the whole is linear in the graph.
 */
#include <math.h>
#include <string.h>

#include "base/strings.h"
#include "front/attention_private.h"

/* What closed places hold: far below any score, and no worse for a float sum than infinity. */
static const float closed_value = -1e9f;

/* How far below the largest score of a line closed places are kept: exp(-12) is below half a step of the 16-bit exponentials, as much
 * again is for lines that calibration did not see, and more where another addition follows. */
static const double closed_gap = 24, inner_gap = 64;

/* A new node stands before the old one of this number. */
struct placed {
    struct sl_node *node;
    int before;
    struct placed *next;
};

struct sl_node *sl_attention_new(struct rewriting *r, enum sl_op op, struct sl_node *in, const struct sl_shape *s, int before,
                                 const char *scope)
{
    struct sl_node *n = sl_graph_add(r->g, op, in != NULL, &in);
    n->scope = scope;
    n->dtype = SL_F32;
    n->shape = *s;
    struct placed *p = SL_NEW(r->scratch, struct placed);
    *p = (struct placed){.node = n, .before = before};
    if (r->last[before])
        r->last[before]->next = p;
    else
        r->first[before] = p;
    r->last[before] = p;
    return n;
}

struct sl_node *sl_attention_reshape(struct rewriting *r, struct sl_node *n, const struct sl_shape *s, int before, const char *scope)
{
    if (sl_shape_equal(&n->shape, s))
        return n;
    if (n->op == SL_OP_reshape)
        return sl_attention_reshape(r, n->in[0], s, before, scope);
    struct sl_node *out = sl_attention_new(r, SL_OP_reshape, n, s, before, scope);
    sl_set_ints(r->g, out, "shape", s->rank, s->dim);
    return out;
}

static void place_new_nodes(struct rewriting *r)
{
    struct sl_node **old = sl_arena_memdup(r->scratch, r->g->nodes, (size_t)r->n_old * sizeof *old);
    int n = 0;
    for (int i = 0; i <= r->n_old; i++) {
        for (const struct placed *p = r->first[i]; p; p = p->next)
            r->g->nodes[n++] = p->node;
        if (i < r->n_old)
            r->g->nodes[n++] = old[i];
    }
    sl_graph_renumber(r->g);
}

/* Once everything is known: who read a node that was replaced reads what stands for it. */
static void redirect_readers(struct rewriting *r)
{
    for (int i = 0; i < r->g->n_nodes; i++) {
        struct sl_node *n = r->g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            struct sl_node *to = n->in[k]->index < r->n_old ? r->replaced[n->in[k]->index] : NULL;
            if (to && to != n)
                n->in[k] = to;
        }
    }
}

/* ---- scales ---- */

/* Origins in the order of computation: what came before the product, its own, what came behind. */
static void skip_scales(struct rewriting *r, struct attention *a)
{
    sl_arena *arena = r->g->arena;
    const struct sl_node own = {.n_origins = a->scores->n_origins, .origins = a->scores->origins};
    a->scores->n_origins = 0;
    a->scores->origins = NULL;
    for (int i = a->n_bypasses - 1; i >= 0; i--)
        if (a->bypasses[i].before)
            sl_node_take_origins(arena, a->scores, a->bypasses[i].skipped);
    sl_node_take_origins(arena, a->scores, &own);
    for (int i = a->n_bypasses - 1; i >= 0; i--)
        if (!a->bypasses[i].before)
            sl_node_take_origins(arena, a->bypasses[i].floor ? a->bypasses[i].to : a->scores, a->bypasses[i].skipped);
    for (int i = 0; i < a->n_bypasses; i++)
        a->bypasses[i].reader->in[a->bypasses[i].input] = a->bypasses[i].to;
    if (a->scale != 1)
        sl_set_float(r->g, a->scores, "scale", a->scale);
}

/* ---- masks ---- */

static const struct sl_const *mask_of_condition(sl_arena *a, const struct sl_const *condition, bool closed_when)
{
    void *data = NULL;
    const struct sl_const *k = sl_const_new(a, SL_F32, &condition->shape, &data);
    for (size_t i = 0, n = sl_shape_elements(&condition->shape); k && i < n; i++) {
        size_t at = condition->splat ? 0 : i;
        bool v = condition->dtype == SL_S64 ? ((const int64_t *)condition->data)[at] != 0
                                            : ((const uint8_t *)condition->data)[at] != 0;
        ((float *)data)[i] = v == closed_when ? closed_value : 0;
    }
    return k;
}

/* where -> ew_add of a constant that all layers with this condition share. */
static void add_chosen(struct rewriting *r, struct mask *m)
{
    struct sl_node *n = m->node, *condition = n->in[0], *scores = n->in[m->scores];
    struct sl_node **made = &r->made_masks[m->closed_when][condition->index];
    if (!*made) {
        const struct sl_const *k = mask_of_condition(r->g->arena, sl_param(condition, "data"), m->closed_when);
        if (!k)
            return; /* memory was refused: what stands there is right as well */
        *made = sl_attention_new(r, SL_OP_const_input, NULL, &k->shape, condition->index + 1, condition->scope);
        sl_set_param(r->g, *made, "data", k);
    }
    struct sl_node *in[2] = {scores, *made};
    n->op = SL_OP_ew_add;
    n->n_attrs = 0;
    n->attrs = NULL;
    n->n_in = 2;
    n->in = sl_arena_memdup(r->g->arena, in, sizeof in);
    m->scores = 0;
}

static int count_closing(const struct attention *a)
{
    int n = 0;
    for (int i = 0; i < a->n_masks; i++)
        n += a->masks[i].kind != MASK_BIAS;
    return n;
}

/* Factors that stayed behind the masks: 24 above the softmax is 24 / factor in front of them. */
static double scale_behind(struct rewriting *r, struct attention *a)
{
    struct sl_node *n = a->softmax->in[0];
    double scale = 1;
    float v;
    for (int i = 0; i < MOST_MEMBERS && n->n_in && n != a->masks[0].node; i++) {
        const int k = n->n_in == 2 && n->in[0]->op == SL_OP_const_input;
        if ((n->op == SL_OP_ew_mult || n->op == SL_OP_ew_div) && sl_attention_number(n->in[1 - k], &v) && v > 0) {
            sl_set_float(r->g, n, "closed_gap", closed_gap / scale);
            scale *= n->op == SL_OP_ew_div ? 1.0 / (double)v : (double)v;
        }
        n = n->in[k];
    }
    return scale;
}

static void form_masks(struct rewriting *r, struct attention *a)
{
    bool closed = false, alone = count_closing(a) == 1;
    const double scale = count_closing(a) ? scale_behind(r, a) : 1;
    for (int i = a->n_masks - 1; i >= 0; i--) { /* from the scores on */
        struct mask *m = &a->masks[i];
        if (m->node->op == SL_OP_where && m->node->in[0]->op == SL_OP_const_input)
            add_chosen(r, m);
        closed = closed || m->kind != MASK_BIAS;
        if (closed)
            sl_set_float(r->g, m->node, "closed_gap", (i == 0 ? closed_gap : inner_gap) / scale);
        if (m->node->op == SL_OP_where && m->kind == MASK_INPUT)
            sl_set_int(r->g, m->node, "closed_when", m->closed_when);
        if (m->node->op != SL_OP_ew_add)
            continue;
        const struct sl_node *other = m->node->in[1 - m->scores];
        if (m->kind != MASK_BIAS)
            sl_set_int(r->g, m->node, "mask_input", 1 - m->scores);
        bool constant = other->op == SL_OP_const_input;
        if (other->index < r->n_old && (!constant || (alone && m->all_rows_open)))
            r->claims[other->index]++;
    }
}

static void tame_constant(struct rewriting *r, struct sl_node *n)
{
    const struct sl_const *k = sl_param(n, "data");
    bool wild = false;
    size_t count = k->splat ? 1 : sl_shape_elements(&k->shape);
    for (size_t e = 0; e < count; e++)
        wild = wild || ((const float *)k->data)[e] < closed_value;
    void *data = NULL;
    const struct sl_const *tame = wild && !k->splat ? sl_const_new(r->g->arena, SL_F32, &k->shape, &data) : NULL;
    for (size_t e = 0; tame && e < count; e++)
        ((float *)data)[e] = fmaxf(((const float *)k->data)[e], closed_value);
    if (tame)
        sl_set_param(r->g, n, "data", tame);
}

/* (1 - mask) * -3.4e38: a factor of -1e9 closes as well, and can be quantized. */
static void tame_factor(struct rewriting *r, struct sl_node *n)
{
    float v;
    for (int k = 0; k < 2; k++) {
        if (!sl_attention_number(n->in[k], &v) || !(v < closed_value))
            continue;
        const struct sl_shape *s = &n->in[k]->shape;
        struct sl_node *factor = sl_attention_new(r, SL_OP_const_input, NULL, s, n->index, n->scope);
        sl_set_param(r->g, factor, "data", sl_const_splat(r->g->arena, SL_F32, s, &closed_value));
        n->in[k] = factor;
    }
}

/* Infinities and the like become closed_value where nothing but masks reads them, directly or moved. */
static void tame_masks(struct rewriting *r, struct sl_node *const *old)
{
    for (int i = r->n_old - 1; i >= 0; i--) {
        struct sl_node *n = old[i];
        if (!r->claims[i] || r->claims[i] != r->uses->first[i + 1] - r->uses->first[i])
            continue;
        if (n->op == SL_OP_const_input && n->dtype == SL_F32)
            tame_constant(r, n);
        else if (n->op == SL_OP_ew_mult)
            tame_factor(r, n);
        else if (n->op == SL_OP_reshape || n->op == SL_OP_expand || n->op == SL_OP_transpose || n->op == SL_OP_slice)
            r->claims[n->in[0]->index]++;
    }
}

static void drop_guard(struct rewriting *r, struct attention *a)
{
    bool open = true;
    if (!a->guard)
        return;
    for (int i = 0; i < a->n_masks; i++)
        open = open && a->masks[i].all_rows_open;
    if (!open || count_closing(a) > 1) /* a line may be closed throughout */
        sl_set_int(r->g, a->softmax, "nan_guard", 1);
    sl_node_take_origins(r->g->arena, a->softmax, a->guard->in[0]);
    sl_node_take_origins(r->g->arena, a->softmax, a->guard);
    r->replaced[a->guard->index] = a->softmax;
}

/* ---- the group ---- */

static void mark(struct rewriting *r, const struct attention *a, int number)
{
    static const char *const kinds[] = {"none", "bias", "constant", "causal", "input"};
    const struct sl_shape *s = &a->scores->shape;
    char *group = sl_arena_printf(r->g->arena, "attention%d", number), *mask = sl_arena_printf(r->scratch, "%s", "");
    for (int i = a->n_masks - 1; i >= 0; i--) /* in the order in which they are added */
        mask = sl_arena_printf(r->scratch, "%s%s%s", mask, mask[0] ? "+" : "", kinds[a->masks[i].kind]);
    sl_set_string(r->g, a->scores, "attention", group);
    sl_set_int(r->g, a->scores, "heads", s->rank > 2 ? s->dim[s->rank - 3] : 1);
    sl_set_int(r->g, a->scores, "head_dim", a->scores->in[0]->shape.dim[a->scores->in[0]->shape.rank - 1]);
    sl_set_int(r->g, a->scores, "queries", s->dim[s->rank - 2]);
    sl_set_int(r->g, a->scores, "keys", s->dim[s->rank - 1]);
    sl_set_string(r->g, a->scores, "mask", mask[0] ? mask : "none");
    for (int i = 0; i < a->n_members; i++)
        sl_set_string(r->g, a->members[i], "attention", group);
    sl_set_string(r->g, a->softmax, "attention", group);
    sl_set_string(r->g, a->product, "attention", group);
}

void sl_rewrite_attentions(struct sl_graph *g, const struct sl_uses *uses, struct attention *found, int n, sl_arena *scratch)
{
    int n_old = g->n_nodes;
    struct rewriting r = {.g = g, .uses = uses, .scratch = scratch, .n_old = n_old};
    struct sl_node *const *old = sl_arena_memdup(scratch, g->nodes, (size_t)n_old * sizeof *old);
    r.first = SL_NEW_ARRAY(scratch, struct placed *, n_old + 2);
    r.last = SL_NEW_ARRAY(scratch, struct placed *, n_old + 2);
    r.made_masks[0] = SL_NEW_ARRAY(scratch, struct sl_node *, n_old + 1);
    r.made_masks[1] = SL_NEW_ARRAY(scratch, struct sl_node *, n_old + 1);
    r.replaced = SL_NEW_ARRAY(scratch, struct sl_node *, n_old + 1);
    r.claims = SL_NEW_ARRAY(scratch, int, n_old + 1);
    for (int i = 0; i < n; i++) {
        mark(&r, &found[i], i + 1);
        skip_scales(&r, &found[i]);
        form_masks(&r, &found[i]);
        drop_guard(&r, &found[i]);
    }
    tame_masks(&r, old);
    for (int i = 0; i < n; i++) {
        sl_merge_head_rows(&r, found[i].scores);
        sl_merge_head_rows(&r, found[i].product);
    }
    redirect_readers(&r);
    place_new_nodes(&r);
    sl_graph_remove_dead(g);
}
