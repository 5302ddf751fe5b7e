/*
 * fuse_masks.c: a choice by a condition has no quantized form, products and sums have. where(condition, closed, scores) of an attention
 * becomes scores + (0 where the place is open, -1e9 where it is closed); a line that is closed throughout keeps its scores, where the
 * origin gave each place the same weight, but what such a line computes is read by no one. Other choices become x * c + y * (1 - c):
 * conditions are 0 and 1 as numbers.
 */
#include <math.h>

#include "ops/ops.h"
#include "quant/fuse.h"

static const double closed_value = -1e9;

/* 0 and closed_value for the two values of a condition, named after the first layer that reads it; those that share the condition
 * share it. */
static struct sl_node *mask_of(struct sl_graph *g, const struct sl_node *reader, bool closed_when, struct sl_node **made)
{
    if (!*made) {
        struct sl_node *condition = reader->in[0], *number = sl_graph_add(g, SL_OP_cast, 1, &condition);
        sl_set_string(g, number, "to", "f32");
        *made = sl_graph_add(g, SL_OP_activation, 1, &number);
        sl_set_string(g, *made, "type", "affine");
        sl_set_float(g, *made, "alpha", closed_when ? closed_value : -closed_value);
        sl_set_float(g, *made, "beta", closed_when ? 0 : closed_value);
        number->scope = (*made)->scope = reader->scope;
        number->name = sl_arena_printf(g->arena, "%s_condition", reader->name);
        (*made)->name = sl_arena_printf(g->arena, "%s_mask", reader->name);
    }
    return *made;
}

/* ---- other choices ---- */

enum { MOST_CHOSEN = 10000 }; /* constants from it on say "nothing here" and would ruin the range of a sum */

static bool is_tame(struct sl_fuse *f, const struct sl_node *n)
{
    size_t count = 0;
    const float *v = n->op == SL_OP_const_input ? sl_fuse_constant(f, n, &count) : NULL;

    for (size_t i = 0; i < count; i++)
        if (!(fabsf(v[i]) < MOST_CHOSEN))
            return false;
    return n->op != SL_OP_const_input || v;
}

/* 1 where a constant condition is `when`, else 0. */
static struct sl_node *constant_factor(struct sl_graph *g, const struct sl_node *reader, bool when)
{
    const struct sl_const *c = sl_param(reader->in[0], "data"), *k;
    void *data = NULL;

    k = c ? sl_const_new(g->arena, SL_F32, &c->shape, &data) : NULL;
    if (!k || (sl_dtype_bits(c->dtype) != 8 && c->dtype != SL_S64))
        return NULL;
    for (size_t i = 0, n = sl_shape_elements(&c->shape); i < n; i++) {
        size_t at = c->splat ? 0 : i;
        bool v = c->dtype == SL_S64 ? ((const int64_t *)c->data)[at] != 0 : ((const uint8_t *)c->data)[at] != 0;
        ((float *)data)[i] = v == when;
    }
    struct sl_node *out = sl_graph_add(g, SL_OP_const_input, 0, NULL);
    sl_set_param(g, out, "data", k);
    out->scope = reader->scope;
    out->name = sl_arena_printf(g->arena, "%s_%s", reader->name, when ? "chosen" : "other");
    return out;
}

static struct sl_node *product(struct sl_graph *g, const struct sl_node *reader, struct sl_node *x, struct sl_node *factor,
                               const char *name)
{
    struct sl_node *in[2] = {x, factor}, *out = sl_graph_add(g, SL_OP_ew_mult, 2, in);

    out->scope = reader->scope;
    out->name = sl_arena_printf(g->arena, "%s_%s", reader->name, name);
    return out;
}

/* where(constant condition, x, y) -> x * c + y * (1 - c), without what is 0 */
static bool blend(struct sl_fuse *f, struct sl_node *n)
{
    struct sl_graph *g = f->graph;
    struct sl_node *in[2];
    float zero;

    if (n->in[0]->op != SL_OP_const_input || n->dtype != SL_F32 || !is_tame(f, n->in[1]) || !is_tame(f, n->in[2]))
        return false;
    for (int k = 0; k < 2; k++) {
        bool alone = sl_fuse_scalar(f, n->in[2 - k], &zero) && zero == 0 && n->in[1 + k]->op != SL_OP_const_input &&
                     (sl_shape_equal(&n->in[1 + k]->shape, &n->shape) || sl_shape_equal(&n->in[0]->shape, &n->shape));
        struct sl_node *factor = alone ? constant_factor(g, n, k == 0) : NULL;
        if (!factor)
            continue;
        n->op = SL_OP_ew_mult;
        in[0] = n->in[1 + k];
        in[1] = factor;
        n->n_in = 2;
        n->in = sl_arena_memdup(g->arena, in, sizeof in);
        return true;
    }
    struct sl_node *chosen = constant_factor(g, n, true), *other = chosen ? constant_factor(g, n, false) : NULL;
    if (!other)
        return false;
    in[0] = product(g, n, n->in[1], chosen, "first");
    in[1] = product(g, n, n->in[2], other, "second");
    n->op = SL_OP_ew_add;
    n->n_in = 2;
    n->in = sl_arena_memdup(g->arena, in, sizeof in);
    return true;
}

/* ---- the pass ---- */

sluice_status sl_pass_add_masks(struct sl_fuse *f, sl_err *e)
{
    struct sl_graph *g = f->graph;
    sl_arena *scratch = sl_arena_new();
    int n_old = g->n_nodes;

    sl_graph_renumber(g);
    struct sl_node **made = SL_NEW_ARRAY(scratch, struct sl_node *, 2 * (size_t)n_old + 2);
    for (int i = 0; i < n_old; i++) {
        struct sl_node *n = g->nodes[i];
        int64_t closed_when = n->op == SL_OP_where ? sl_get_int(n, "closed_when", -1) : -1;
        f->changes += n->op == SL_OP_where && closed_when < 0 && blend(f, n);
        if (closed_when < 0 || closed_when > 1 || n->in[0]->dtype != SL_BOOL)
            continue;
        struct sl_node *in[2] = {n->in[1 + closed_when], mask_of(g, n, closed_when, &made[2 * n->in[0]->index + closed_when])};
        n->op = SL_OP_ew_add;
        n->n_in = 2;
        n->in = sl_arena_memdup(g->arena, in, sizeof in);
        sl_set_int(g, n, "mask_input", 1);
        f->changes++;
    }
    sl_arena_free(scratch);
    if (!f->changes)
        return SLUICE_OK;
    SL_TRY(sl_graph_sort(g, e));
    sl_graph_remove_dead(g);
    return sl_infer_all(g, e);
}
