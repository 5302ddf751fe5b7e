/*
 * focus.c: the stem of YOLOv5 and YOLOX: four strided slices of the picture, concatenated along the channels, are a space_to_depth
 * whose channel blocks may be in another order.
 */
#include "front/focus.h"

#include <string.h>

#include "ir/uses.h"

enum { SIDE = 2, PARTS = SIDE * SIDE };

/* Where a part of the picture begins and how far its rows and columns are apart. */
struct cut {
    int64_t start[2], step[2];
};

/* n as every so many rows and columns of *source, all of them and all channels; slices may follow each other. */
static bool read_cut(const struct sl_node *n, const struct sl_node **source, struct cut *c)
{
    *c = (struct cut){{0, 0}, {1, 1}};
    for (; n->op == SL_OP_slice; n = n->in[0]) {
        int64_t starts[4], ends[4], steps[4];
        if (n->shape.rank != 4 || !sl_get_ints(n, "starts", 4, starts) || !sl_get_ints(n, "ends", 4, ends) ||
            !sl_get_ints(n, "steps", 4, steps))
            return false;
        for (int k = 0; k < 4; k += 3) /* batch and channels stay whole */
            if (starts[k] != 0 || steps[k] != 1 || n->shape.dim[k] != n->in[0]->shape.dim[k])
                return false;
        for (int k = 0; k < 2; k++) {
            int64_t side = n->in[0]->shape.dim[k + 1];
            if (steps[k + 1] < 1 || starts[k + 1] < 0 || starts[k + 1] >= side ||
                n->shape.dim[k + 1] != (side - starts[k + 1] + steps[k + 1] - 1) / steps[k + 1])
                return false;
            c->start[k] = starts[k + 1] + c->start[k] * steps[k + 1];
            c->step[k] *= steps[k + 1];
        }
    }
    *source = n;
    return true;
}

/* Block of channels k of the concat is block order[k] of space_to_depth. */
static bool is_focus(const struct sl_node *n, const struct sl_node **source, int *order)
{
    bool seen[PARTS] = {false};
    int64_t axis = sl_get_int(n, "axis", -1);
    if (n->op != SL_OP_concat || n->n_in != PARTS || n->shape.rank != 4 || (axis != 3 && axis != -1))
        return false;
    for (int k = 0; k < PARTS; k++) {
        const struct sl_node *from = NULL;
        struct cut c;
        if (!read_cut(n->in[k], &from, &c) || (k && from != *source) || c.step[0] != SIDE || c.step[1] != SIDE ||
            c.start[0] >= SIDE || c.start[1] >= SIDE)
            return false;
        *source = from;
        order[k] = (int)(c.start[0] * SIDE + c.start[1]);
        if (seen[order[k]])
            return false;
        seen[order[k]] = true;
    }
    const struct sl_shape *s = &(*source)->shape;
    return s->rank == 4 && s->dim[1] % SIDE == 0 && s->dim[2] % SIDE == 0;
}

static bool is_ordered(const int *order)
{
    for (int k = 0; k < PARTS; k++)
        if (order[k] != k)
            return false;
    return true;
}

/* Whether the layer's kernel may be put in another order of input channels. */
static bool takes_order(const struct sl_node *reader, const struct sl_node *n)
{
    const struct sl_const *kernel = sl_param(reader, "kernel");
    return reader->op == SL_OP_conv && reader->n_in == 1 && reader->in[0] == n && sl_get_int(reader, "groups", 1) == 1 && kernel &&
           kernel->dtype == SL_F32 && kernel->shape.rank == 4 && kernel->shape.dim[2] == n->shape.dim[3];
}

static bool reorder_kernel(struct sl_graph *g, struct sl_node *reader, const int *order)
{
    const struct sl_const *k = sl_param(reader, "kernel");
    if (k->splat)
        return true;
    void *out = NULL;
    const struct sl_const *made = sl_const_new(g->arena, SL_F32, &k->shape, &out);
    if (!made)
        return false;
    size_t block = (size_t)(k->shape.dim[2] / PARTS * k->shape.dim[3]) * sizeof(float), places = (size_t)(k->shape.dim[0] * k->shape.dim[1]);
    const char *from = k->data;
    for (size_t p = 0; p < places; p++)
        for (int b = 0; b < PARTS; b++)
            memcpy((char *)out + (p * PARTS + (size_t)order[b]) * block, from + (p * PARTS + (size_t)b) * block, block);
    sl_set_param(g, reader, "kernel", made);
    return true;
}

static bool merge(struct sl_graph *g, struct sl_node *n, const struct sl_uses *uses)
{
    const struct sl_node *source = NULL;
    int order[PARTS], first = uses->first[n->index], end = uses->first[n->index + 1];
    if (!is_focus(n, &source, order))
        return false;
    for (int u = first; u < end && !is_ordered(order); u++)
        if (!takes_order(g->nodes[uses->to[u]], n))
            return false;
    for (int u = first; u < end && !is_ordered(order); u++)
        if (!reorder_kernel(g, g->nodes[uses->to[u]], order))
            return false;
    const struct sl_node own = {.n_origins = n->n_origins, .origins = n->origins};
    n->n_origins = 0;
    n->origins = NULL;
    for (int k = 0; k < PARTS; k++) {
        const struct sl_node *chain[SL_MAX_RANK];
        int depth = 0;
        for (const struct sl_node *s = n->in[k]; s != source && depth < SL_MAX_RANK; s = s->in[0])
            chain[depth++] = s;
        while (depth)
            sl_node_take_origins(g->arena, n, chain[--depth]);
    }
    sl_node_take_origins(g->arena, n, &own);
    n->op = SL_OP_space_to_depth;
    n->n_in = 1;
    n->in[0] = (struct sl_node *)(uintptr_t)source;
    n->n_attrs = 0;
    n->attrs = NULL;
    sl_set_int(g, n, "block", SIDE);
    sl_set_string(g, n, "mode", "dcr");
    return true;
}

int sl_merge_focus(struct sl_graph *g)
{
    sl_arena *scratch = sl_arena_new();
    int merged = 0;
    sl_graph_renumber(g);
    struct sl_uses uses = sl_find_uses(g, scratch);
    for (int i = 0; i < g->n_nodes; i++)
        merged += merge(g, g->nodes[i], &uses);
    if (merged)
        sl_graph_remove_dead(g);
    sl_arena_free(scratch);
    return merged;
}
