/*
 * head_anchors.c: the anchors of yolo heads, as the decoding in the graph multiplies by them: (2 sigmoid(t))^2 * anchor, or
 * exp(t) * anchor. They stand there in pixels, in cells (then a factor of the stride follows) or as parts of the image; as one
 * constant a scale, expanded over the cells or not, or as one number a side.
 */
#include "front/heads.h"

#include <math.h>

enum { WALK_STEPS = 8, MOST_ELEMENTS = 1 << 24 /* of constants that are looked through */ };

/* By node: 1 + the scale that it alone depends on; 0: none or several. */
static unsigned char *find_owners(const struct heads *h)
{
    const struct sl_graph *g = h->g;
    unsigned char *owner = SL_NEW_ARRAY(h->a, unsigned char, g->n_nodes + 1);
    for (int i = 0; i < h->n_scales; i++)
        for (int k = 0; k < h->scales[i].n; k++)
            owner[h->scales[i].conv[k]->index] = (unsigned char)(i + 1);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        if (!h->region[i] || owner[i] || n->op == SL_OP_const_input)
            continue;
        unsigned char common = 0;
        bool mixed = false;
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k]->op == SL_OP_const_input)
                continue;
            unsigned char of = owner[n->in[k]->index];
            mixed = mixed || of == 0 || (common && of != common);
            common = of;
        }
        owner[i] = mixed ? 0 : common;
    }
    return owner;
}

static bool is_square(const struct sl_node *n)
{
    const struct sl_const *k;
    const struct sl_node *other;
    if (sl_is_activation(n, "square"))
        return true;
    if (n->op == SL_OP_ew_mult && n->in[0] == n->in[1])
        return true;
    return n->op == SL_OP_ew_pow && head_const_operand(n, &k, &other) && other == n->in[0] &&
           sl_shape_elements(&k->shape) == 1 && head_element(k, 0) == 2;
}

/* Up from the operand of a product to the exp or square that makes sizes. channel: where a slice between takes one channel,
 * else -1. */
static const struct sl_node *find_curve(const struct sl_node *n, int64_t *channel)
{
    *channel = -1;
    for (int steps = 0; steps < WALK_STEPS; steps++) {
        if (sl_is_activation(n, "exp") || is_square(n))
            return n;
        if (n->op != SL_OP_slice && n->op != SL_OP_reshape && n->op != SL_OP_transpose)
            return NULL;
        int64_t starts[4];
        if (n->op == SL_OP_slice && n->shape.rank == 4 && n->shape.dim[3] == 1 && sl_get_ints(n, "starts", 4, starts))
            *channel = starts[3];
        n = n->in[0];
    }
    return NULL;
}

/* What the product is multiplied with further on, as long as nothing else happens to it. */
static double later_factor(const struct heads *h, const struct sl_node *n)
{
    double f = 1;
    for (int steps = 0; steps < WALK_STEPS; steps++) {
        const struct sl_node *next = h->reader[n->index], *other;
        const struct sl_const *k;
        if (!next)
            break;
        bool product = next->op == SL_OP_ew_mult || (next->op == SL_OP_ew_div && next->in[0] == n);
        if (product && head_const_operand(next, &k, &other) && sl_shape_elements(&k->shape) == 1 && head_element(k, 0) > 0)
            f = next->op == SL_OP_ew_mult ? f * head_element(k, 0) : f / head_element(k, 0);
        else if (!head_is_movement(next))
            break;
        n = next;
    }
    return f;
}

/* Width and height of every anchor out of a constant whose last axis is (width, height), another one the anchors, and the rest
 * cells over which it does not change. */
static bool read_pairs(const struct sl_const *k, int n_boxes, double *box)
{
    const struct sl_shape *s = &k->shape;
    size_t elements = sl_shape_elements(s), inner = 2;
    int axis = s->rank - 2;
    if (s->rank < 2 || s->dim[s->rank - 1] != 2 || k->splat)
        return false;
    for (; axis >= 0 && s->dim[axis] != n_boxes; axis--)
        inner *= (size_t)s->dim[axis];
    if (axis < 0)
        return false;
    for (size_t i = 0; i < elements; i++) {
        size_t at = 2 * ((i / inner) % (size_t)n_boxes) + i % 2;
        double v = head_element(k, i);
        if (i / inner < (size_t)n_boxes && i % inner < 2)
            box[at] = v;
        else if (fabs(v - box[at]) > 1e-4 * fabs(v))
            return false;
    }
    return true;
}

/* In pixels, positive and not larger than four images. */
static bool scale_boxes(const struct heads *h, struct head_scale *s, const double *box, double factor)
{
    double largest = 0;
    for (int i = 0; i < 2 * s->n_boxes; i++)
        largest = fmax(largest, box[i] * factor);
    bool relative = factor < 0.5 && largest <= 4; /* divided by the number of cells: parts of the image */
    for (int i = 0; i < 2 * s->n_boxes; i++) {
        double v = box[i] * factor * (!relative ? 1 : (double)(i % 2 ? h->image_h : h->image_w));
        if (!(v > 0) || v > 4.0 * (double)(h->image_h > h->image_w ? h->image_h : h->image_w))
            return false;
        s->box[i] = fabs(v - rint(v)) < 1e-3 ? rint(v) : v;
    }
    return true;
}

struct found {
    double box[2 * SL_HEAD_BOXES], factor;
    int n; /* sides known */
    size_t looked_at;
};

static void take_product(const struct heads *h, const struct sl_node *n, int n_boxes, struct found *f)
{
    const struct sl_const *k;
    const struct sl_node *x;
    int64_t channel;
    if (n->op != SL_OP_ew_mult || f->n == 2 * n_boxes || !head_const_operand(n, &k, &x) || !find_curve(x, &channel))
        return;
    if (sl_shape_elements(&k->shape) == 1 && channel >= 0 && channel < 2 * n_boxes) {
        f->n += f->box[channel] == 0;
        f->box[channel] = head_element(k, 0);
        f->factor = later_factor(h, n);
        return;
    }
    f->looked_at += sl_shape_elements(&k->shape); /* many products may share a constant */
    if (f->looked_at <= MOST_ELEMENTS && read_pairs(k, n_boxes, f->box)) {
        f->n = 2 * n_boxes;
        f->factor = later_factor(h, n);
    }
}

bool head_find_yolo_boxes(struct heads *h, int n_boxes)
{
    unsigned char *owner = find_owners(h);
    struct found found[SL_HEAD_SCALES] = {{.n = 0}};
    if (head_take_whole(h))
        return h->told.known;
    h->told.exp = false;
    for (int i = 0; i < h->g->n_nodes; i++) {
        const struct sl_node *n = h->g->nodes[i];
        if (!h->region[i] || !owner[i])
            continue;
        h->told.exp = h->told.exp || sl_is_activation(n, "exp");
        take_product(h, n, n_boxes, &found[owner[i] - 1]);
    }
    h->told.known = true;
    for (int i = 0; i < h->n_scales; i++) {
        h->scales[i].n_boxes = n_boxes;
        h->told.known =
            h->told.known && found[i].n == 2 * n_boxes && scale_boxes(h, &h->scales[i], found[i].box, found[i].factor);
    }
    return h->told.known;
}
