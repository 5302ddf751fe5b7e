/*
 * head_convs.c: finds the convolutions of a detection head: those that are met first when one walks up from the outputs,
 * grouped by scale. What decodes boxes behind them may be there or not.
 */
#include "front/heads.h"

#include <stdlib.h>
#include <string.h>

enum { SOFTMAX_STEPS = 4, WORD_STEPS = 6 };

bool head_is_sigmoid(const struct sl_node *n)
{
    return n && sl_is_activation(n, "sigmoid");
}

bool head_is_movement(const struct sl_node *n)
{
    return n->op == SL_OP_reshape || n->op == SL_OP_transpose || n->op == SL_OP_concat || n->op == SL_OP_slice ||
           n->op == SL_OP_expand || n->op == SL_OP_cast || n->op == SL_OP_gather;
}

bool head_const_operand(const struct sl_node *n, const struct sl_const **k, const struct sl_node **other)
{
    for (int i = 0; i < 2 && n->n_in == 2; i++)
        if (n->in[i]->op == SL_OP_const_input && n->in[1 - i]->op != SL_OP_const_input) {
            *k = sl_param(n->in[i], "data");
            *other = n->in[1 - i];
            return *k && (*k)->dtype == SL_F32;
        }
    return false;
}

double head_element(const struct sl_const *k, size_t i)
{
    return k->dtype == SL_F32 ? ((const float *)k->data)[k->splat ? 0 : i] : 0;
}

static bool behind_softmax(const struct sl_node *n)
{
    for (int steps = 0; steps < SOFTMAX_STEPS && n->n_in; steps++) {
        n = n->in[0];
        if (n->op == SL_OP_softmax)
            return true;
    }
    return false;
}

static bool is_weighted(const struct sl_node *n)
{
    return n->op == SL_OP_conv || n->op == SL_OP_fc || n->op == SL_OP_matmul;
}

/* A weighted layer that sums a distribution over bins belongs to the decoding. */
static bool sums_bins(const struct sl_node *n)
{
    return is_weighted(n) && n->shape.rank > 0 && n->shape.dim[n->shape.rank - 1] == 1 && behind_softmax(n);
}

/* Scores of an open vocabulary: cells in one row times the embeddings of words, a map again, scaled and shifted. */
static bool compares_words(const struct sl_node *n)
{
    const struct sl_const *k;
    const struct sl_node *other;
    bool is_map = false;
    for (int steps = 0; steps < WORD_STEPS; steps++) {
        if (is_map && is_weighted(n))
            return n->shape.rank == 3;
        if (n->op == SL_OP_reshape && !is_map && n->in[0]->shape.rank == 3) {
            is_map = true;
            n = n->in[0];
        } else if ((n->op == SL_OP_ew_add || n->op == SL_OP_ew_mult) && !is_map && head_const_operand(n, &k, &other)) {
            n = other;
        } else {
            return false;
        }
    }
    return false;
}

static bool is_head_conv(const struct sl_node *n)
{
    return n->shape.rank == 4 && n->shape.dim[1] > 0 && n->shape.dim[2] > 0 &&
           (n->op == SL_OP_dw || (n->op == SL_OP_conv && !sums_bins(n)) || compares_words(n));
}

static bool ends_walk_unknown(const struct sl_node *n)
{
    return n->op == SL_OP_input_layer || n->op == SL_OP_deconv || n->op == SL_OP_dw || (is_weighted(n) && !sums_bins(n));
}

static int by_index(const void *a, const void *b)
{
    const struct sl_node *const *x = a, *const *y = b;
    return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

/* Only readers in the region count: a head that also feeds what the outputs do not need keeps its reader. */
static void find_readers(struct heads *h)
{
    const struct sl_graph *g = h->g;
    bool *several = SL_NEW_ARRAY(h->a, bool, g->n_nodes + 1);
    h->reader = SL_NEW_ARRAY(h->a, const struct sl_node *, g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        for (int k = 0; k < n->n_in && h->region[i]; k++) {
            int from = n->in[k]->index;
            several[from] = several[from] || (h->reader[from] && h->reader[from] != n);
            h->reader[from] = several[from] ? NULL : n;
        }
    }
}

/* Which head convolution every output comes from, following first inputs: the order that the outputs were written in. */
static void find_order(struct heads *h)
{
    int64_t first = 0, last = 0;
    for (int i = 0; i < h->g->n_outputs && h->g->n_outputs <= HEAD_CONVS; i++) {
        const struct sl_node *n = h->g->outputs[i].node;
        while (n->n_in && !is_head_conv(n))
            n = n->in[0];
        int64_t area = n->shape.rank == 4 ? n->shape.dim[1] * n->shape.dim[2] : 0;
        first = i == 0 ? area : first;
        last = area;
    }
    h->coarse_first = first < last;
}

/* Nothing is computed here: an output, or what leads to one. */
static bool is_passed_on(const struct sl_node *n)
{
    return n->op == SL_OP_output_layer || n->op == SL_OP_activation || head_is_movement(n);
}

/* A convolution that other heads read is no head: some exports give the features before the heads as outputs too. False: more
 * is computed from them (the second stage of a detector that has two), so that the heads are not all that is left. */
static bool drop_features(struct heads *h)
{
    const struct sl_graph *g = h->g;
    bool *read = SL_NEW_ARRAY(h->a, bool, g->n_nodes + 1);     /* by a head, at some distance */
    bool *computed = SL_NEW_ARRAY(h->a, bool, g->n_nodes + 1); /* with, behind the heads */
    bool *head = SL_NEW_ARRAY(h->a, bool, g->n_nodes + 1);
    for (int i = 0; i < h->n_convs; i++)
        head[h->convs[i]->index] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct sl_node *n = g->nodes[i];
        bool computes = h->region[i] && !head[i] && (!is_passed_on(n) || computed[i]);
        for (int k = 0; k < n->n_in; k++) {
            read[n->in[k]->index] = read[n->in[k]->index] || head[i] || read[i];
            computed[n->in[k]->index] = computed[n->in[k]->index] || computes;
        }
    }
    int kept = 0;
    for (int i = 0; i < h->n_convs; i++) {
        int at = h->convs[i]->index;
        if (read[at] && computed[at])
            return false;
        if (!read[at])
            h->convs[kept++] = h->convs[i];
    }
    h->n_convs = kept;
    return true;
}

bool head_find_convs(struct heads *h)
{
    const struct sl_graph *g = h->g;
    h->region = SL_NEW_ARRAY(h->a, bool, g->n_nodes + 1);
    for (int i = 0; i < g->n_outputs; i++)
        h->region[g->outputs[i].node->index] = true;
    h->at_outputs = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct sl_node *n = g->nodes[i];
        if (!h->region[i] || n->op == SL_OP_const_input)
            continue;
        if (is_head_conv(n)) {
            if (h->n_convs == HEAD_CONVS)
                return false;
            h->convs[h->n_convs++] = n;
            continue;
        }
        if (ends_walk_unknown(n))
            return false;
        h->at_outputs = h->at_outputs && (n->op == SL_OP_output_layer || (n->op == SL_OP_activation && is_head_conv(n->in[0])));
        for (int k = 0; k < n->n_in; k++)
            h->region[n->in[k]->index] = true;
    }
    if (!drop_features(h) || h->n_convs < 2)
        return false;
    qsort(h->convs, (size_t)h->n_convs, sizeof *h->convs, by_index);
    find_readers(h);
    find_order(h);
    return true;
}

/* ---- scales ---- */

static struct head_scale *scale_of(struct heads *h, const struct sl_node *n)
{
    for (int i = 0; i < h->n_scales; i++)
        if (h->scales[i].h == n->shape.dim[1] && h->scales[i].w == n->shape.dim[2])
            return &h->scales[i];
    if (h->n_scales == SL_HEAD_SCALES)
        return NULL;
    struct head_scale *s = &h->scales[h->n_scales++];
    *s = (struct head_scale){.h = n->shape.dim[1], .w = n->shape.dim[2]};
    int64_t stride = h->image_h / s->h;
    s->stride = stride * s->h == h->image_h && stride * s->w == h->image_w ? stride : 0;
    return s;
}

static int by_area(const void *a, const void *b)
{
    const struct head_scale *x = a, *y = b;
    int64_t p = x->h * x->w, q = y->h * y->w;
    return p != q ? (p < q) - (p > q) : (x->h < y->h) - (x->h > y->h);
}

/* Mask prototypes: one convolution at a finer scale than all heads, of another width. */
static void take_proto(struct heads *h)
{
    const struct head_scale *first = &h->scales[0];
    if (h->n_scales < 3 || first->n != 1 || first->stride == 0 ||
        (h->scales[1].n == 1 && h->scales[1].conv[0]->shape.dim[3] == first->conv[0]->shape.dim[3]))
        return;
    h->proto = first->conv[0];
    h->proto_stride = first->stride;
    h->masks = h->proto->shape.dim[3];
    h->n_scales--;
    memmove(&h->scales[0], &h->scales[1], (size_t)h->n_scales * sizeof h->scales[0]);
}

bool head_find_scales(struct heads *h)
{
    const struct sl_shape *image = &h->g->inputs[0].node->shape;
    if (h->g->n_inputs != 1 || image->rank != 4)
        return false;
    h->image_h = image->dim[1];
    h->image_w = image->dim[2];
    for (int i = 0; i < h->n_convs; i++) {
        struct head_scale *s = scale_of(h, h->convs[i]);
        if (!s || s->n == HEAD_ROLES)
            return false;
        s->conv[s->n++] = h->convs[i];
    }
    qsort(h->scales, (size_t)h->n_scales, sizeof *h->scales, by_area);
    take_proto(h);
    for (int i = 1; i < h->n_scales; i++) /* each scale has the same heads */
        if (h->scales[i].n != h->scales[0].n)
            return false;
    return true;
}
