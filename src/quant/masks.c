/* masks.c: see masks.h. */
#include "quant/masks.h"

#include <math.h>

#include "ops/ops.h"

static bool is_move(const struct sl_node *n)
{
    return sl_op_row(n->op)->encode == SL_ENCODE_SAME && n->n_in == 1 && n->op != SL_OP_output_layer;
}

/* The input of n that is a mask, or -1. */
static int mask_input(const struct sl_node *n)
{
    int64_t k = n->op == SL_OP_ew_add ? sl_get_int(n, "mask_input", -1) : -1;

    return k == 0 || k == 1 ? (int)k : -1;
}

void sl_find_masks(const struct sl_graph *g, bool *only_masks)
{
    sl_arena *a = sl_arena_new();
    int *uses = SL_NEW_ARRAY(a, int, g->n_nodes + 1), *as_mask = SL_NEW_ARRAY(a, int, g->n_nodes + 1);

    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct sl_node *n = g->nodes[i];
        only_masks[i] = uses[i] > 0 && as_mask[i] == uses[i];
        for (int k = 0; k < n->n_in; k++) {
            uses[n->in[k]->index]++;
            as_mask[n->in[k]->index] += k == mask_input(n) || (is_move(n) && only_masks[i]);
        }
    }
    sl_arena_free(a);
}

void sl_clamp_closed(const float *x, float *y, size_t count, size_t length, float gap)
{
    for (size_t at = 0; length && at < count; at += length) {
        float top = -INFINITY;
        for (size_t i = at; i < at + length; i++)
            top = x[i] > top ? x[i] : top;
        for (size_t i = at; i < at + length; i++)
            y[i] = x[i] < top - gap ? top - gap : x[i];
        for (size_t i = at; i < at + length && top < -1e4f; i++)
            y[i] = 0; /* closed throughout: it says nothing of the scores */
    }
}

static const struct sl_statistics *statistics_of(const struct sl_encoder *x, const struct sl_node *n)
{
    while (is_move(n))
        n = n->in[0];
    return x->info[n->index].output;
}

/* The masked sum covers what calibration saw of it, and its mask reaches from the largest score to the end of that range. */
void sl_impose_mask_ranges(struct sl_encoder *x)
{
    struct sl_graph *g = x->graph;
    bool *only_masks = SL_NEW_ARRAY(g->arena, bool, g->n_nodes + 1);
    float *floor = SL_NEW_ARRAY(g->arena, float, g->n_nodes + 1);

    sl_find_masks(g, only_masks);
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        struct sl_node *n = g->nodes[i];
        struct sl_tensor_info *t = &x->info[i];
        int mask = mask_input(n);
        if (mask >= 0 && t->output && t->output->count) {
            const struct sl_statistics *scores = statistics_of(x, n->in[1 - mask]);
            float top = scores && scores->count ? fmaxf(scores->max, 0) : 0, *f = &floor[n->in[mask]->index];
            t->imposed = true;
            t->range = (struct sl_range){.min = fminf(t->output->min, 0), .max = fmaxf(t->output->max, 0), .known = true};
            *f = fminf(*f, t->range.min - top - 1);
        }
        if (!only_masks[i] || !(floor[i] < 0))
            continue;
        if (is_move(n)) {
            floor[n->in[0]->index] = fminf(floor[n->in[0]->index], floor[i]);
        } else if (t->output && t->output->count && !t->fixed) {
            t->imposed = true;
            t->range = (struct sl_range){.min = fmaxf(fminf(t->output->min, 0), floor[i]), .max = fmaxf(t->output->max, 0), .known = true};
        }
    }
}
