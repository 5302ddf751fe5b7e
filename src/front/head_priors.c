/*
 * head_priors.c: prior boxes of ssd heads. A file's own detection post-process lists them; else the decoding in the graph
 * tells: centre = offset * a * size + place        size = exp(offset * b) * size with constants of one row a box. Boxes of a
 * cell follow one another, then the cells of a row, then rows, then scales.
 */
#include "front/heads.h"

#include <math.h>

enum { WALK_STEPS = 12 };

/* The constants of the decoding, by coordinate as the network writes them: 0 and 1 are places, 2 and 3 sizes. */
struct priors {
    const struct heads *h;
    size_t n;
    const struct sl_const *column[4];
    size_t start[4], step[4]; /* of box i: data[start + i * step] */
    double variance[4];
};

/* Some of the four coordinates, as a slice takes them along the axis that has four. */
struct coordinates {
    int from, width;
    bool last; /* axis: coordinates of a box lie together */
    double variance;
};

static size_t count_boxes(const struct heads *h)
{
    size_t n = 0;
    for (int i = 0; i < h->n_scales; i++)
        n += (size_t)(h->scales[i].h * h->scales[i].w) * (size_t)h->scales[i].n_boxes;
    return n;
}

static bool is_slice_of_four(const struct sl_node *n, struct coordinates *c)
{
    int64_t starts[SL_MAX_RANK];
    int axis = n->shape.rank - 1;
    if (n->op != SL_OP_slice || !sl_get_ints(n, "starts", n->shape.rank, starts))
        return false;
    while (axis >= 0 && (n->in[0]->shape.dim[axis] != 4 || n->shape.dim[axis] >= 4))
        axis--;
    if (axis < 0 || starts[axis] + n->shape.dim[axis] > 4)
        return false;
    c->from = (int)starts[axis];
    c->width = (int)n->shape.dim[axis];
    c->last = axis == n->shape.rank - 1;
    return true;
}

static bool is_bound(const struct sl_node *n)
{
    return n->op == SL_OP_ew_min || n->op == SL_OP_ew_max;
}

/* Up from a node to the slice that takes some of the four coordinates, past what offsets are multiplied with. */
static bool find_coordinates(const struct sl_node *n, struct coordinates *c)
{
    c->variance = 1;
    for (int steps = 0; steps < WALK_STEPS; steps++) {
        const struct sl_const *k;
        const struct sl_node *other;
        bool quotient = n->op == SL_OP_ew_div && n->in[1]->op == SL_OP_const_input;
        if (is_slice_of_four(n, c))
            return true;
        if ((n->op == SL_OP_ew_mult || quotient || is_bound(n)) && head_const_operand(n, &k, &other)) {
            double v = head_element(k, 0);
            if (sl_shape_elements(&k->shape) == 1 && v > 0 && !is_bound(n))
                c->variance *= quotient ? 1 / v : v;
            n = other;
        } else if (n->op == SL_OP_reshape || n->op == SL_OP_transpose || n->op == SL_OP_activation) {
            n = n->in[0];
        } else {
            return false;
        }
    }
    return false;
}

static bool is_exp(const struct sl_node *n)
{
    for (int steps = 0; steps < WALK_STEPS && (n->op == SL_OP_reshape || n->op == SL_OP_transpose); steps++)
        n = n->in[0];
    return sl_is_activation(n, "exp");
}

/* Sizes are factors of an exp, places summands. */
static void take_node(struct priors *p, const struct sl_node *n)
{
    const struct sl_const *k;
    const struct sl_node *other;
    struct coordinates c;
    bool place = n->op == SL_OP_ew_add;
    if ((!place && n->op != SL_OP_ew_mult) || !head_const_operand(n, &k, &other) || k->splat || (!place && !is_exp(other)))
        return;
    if (!find_coordinates(other, &c) || sl_shape_elements(&k->shape) != p->n * (size_t)c.width ||
        (place ? c.from > 1 : c.from < 2))
        return;
    for (int i = 0; i < c.width; i++) {
        p->column[c.from + i] = k;
        p->start[c.from + i] = c.last ? (size_t)i : (size_t)i * p->n;
        p->step[c.from + i] = c.last ? (size_t)c.width : 1;
        p->variance[c.from + i] = c.variance;
    }
}

static double prior_at(const struct priors *p, int coordinate, size_t i)
{
    return head_element(p->column[coordinate], p->start[coordinate] + i * p->step[coordinate]);
}

/* The coordinate that grows from a cell to the next one in its row is x. 0 or 1; -1: neither. */
static int find_x(const struct priors *p)
{
    size_t first = 0;
    for (int i = 0; i < p->h->n_scales; i++) {
        const struct head_scale *s = &p->h->scales[i];
        for (int c = 0; c < 2 && s->w > 1; c++)
            if (prior_at(p, c, first + (size_t)s->n_boxes) > prior_at(p, c, first))
                return c;
        first += (size_t)(s->h * s->w) * (size_t)s->n_boxes;
    }
    return -1;
}

/* Of the first cell of every scale: sizes of pixels become parts of the image. */
static bool take_boxes(struct heads *h, const float *rows, const struct priors *p)
{
    size_t first = 0;
    for (int i = 0; i < h->n_scales; i++) {
        struct head_scale *s = &h->scales[i];
        for (int k = 0; k < 2 * s->n_boxes; k++) {
            size_t at = first + (size_t)k / 2;
            int size = rows ? 3 - k % 2 : (k % 2) == (int)h->told.x_first ? 3 : 2; /* widths are even */
            double v = rows ? rows[4 * at + (size_t)size] : prior_at(p, size, at);
            v = v > 4 ? v / (double)(k % 2 ? h->image_h : h->image_w) : v;
            if (!(v > 0) || v > 4)
                return false;
            s->box[k] = v;
        }
        first += (size_t)(s->h * s->w) * (size_t)s->n_boxes;
    }
    return true;
}

bool head_find_priors(struct heads *h)
{
    struct priors p = {.h = h, .n = count_boxes(h)};
    const struct sl_nms_facts *f = h->facts;
    if (f && f->n_anchors > 0 && (size_t)f->n_anchors == p.n) {
        h->told.known = take_boxes(h, f->anchors, NULL);
        h->told.centers = f->has_scale ? f->scale[0] : 10;
        h->told.sizes = f->has_scale ? f->scale[2] : 5;
        if (!f->has_scale)
            head_guess(h, "scale factors are SSD's usual 10 and 5");
        return h->told.known;
    }
    if (head_take_whole(h))
        return h->told.known;
    for (int i = 0; i < h->g->n_nodes; i++)
        if (h->region[i])
            take_node(&p, h->g->nodes[i]);
    for (int c = 0; c < 4; c++)
        if (!p.column[c])
            return false;
    int x = find_x(&p);
    if (x < 0)
        return false;
    h->told.x_first = x == 0;
    h->told.centers = 1 / p.variance[0];
    h->told.sizes = 1 / p.variance[2];
    h->told.known = take_boxes(h, NULL, &p);
    return h->told.known;
}
