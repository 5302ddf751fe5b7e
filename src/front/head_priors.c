/*
 * head_priors.c: prior boxes of ssd heads. A file's own detection post-process lists them; else the decoding in the graph
 * tells: centre = offset * a * size + place        size = exp(offset * b) * size with constants of one row a box. Boxes of a
 * cell follow one another, then the cells of a row, then rows, then scales.
 */
#include "front/heads.h"

#include <math.h>
#include <string.h>

enum { WALK_STEPS = 8 };

/* The constants of the decoding, by coordinate as the network writes them: 0 and 1 are places, 2 and 3 sizes. */
struct priors {
    const struct heads *h;
    size_t n;
    const struct sl_const *column[4];
    int within[4], width[4]; /* element i of a column is data[i * width + within] */
    double variance[4];
};

static size_t count_boxes(const struct heads *h)
{
    size_t n = 0;
    for (int i = 0; i < h->n_scales; i++)
        n += (size_t)(h->scales[i].h * h->scales[i].w) * (size_t)h->scales[i].n_boxes;
    return n;
}

/* Up from a node to the slice that takes some of the four coordinates; *variance is multiplied with what offsets are on the
 * way. */
static bool find_coordinates(const struct sl_node *n, int *from, int *width, double *variance)
{
    for (int steps = 0; steps < WALK_STEPS; steps++) {
        const struct sl_const *k;
        const struct sl_node *other;
        int64_t starts[SL_MAX_RANK];
        int last = n->shape.rank - 1;
        if (n->op == SL_OP_slice && n->in[0]->shape.dim[last] == 4 && sl_get_ints(n, "starts", n->shape.rank, starts) &&
            n->shape.dim[last] < 4) {
            *from = (int)starts[last];
            *width = (int)n->shape.dim[last];
            return *from + *width <= 4;
        }
        if ((n->op == SL_OP_ew_mult || (n->op == SL_OP_ew_div && n->in[1]->op == SL_OP_const_input)) &&
            head_const_operand(n, &k, &other)) {
            double v = head_element(k, 0);
            if (sl_shape_elements(&k->shape) == 1 && v > 0)
                *variance *= n->op == SL_OP_ew_mult ? v : 1 / v;
            n = other;
        } else if (n->op == SL_OP_reshape || n->op == SL_OP_transpose || n->op == SL_OP_activation) {
            n = n->in[0];
        } else {
            return false;
        }
    }
    return false;
}

/* Sizes are factors of an exp, places summands. */
static void take_node(struct priors *p, const struct sl_node *n)
{
    const struct sl_const *k;
    const struct sl_node *other;
    int from, width;
    double variance = 1;
    bool place = n->op == SL_OP_ew_add;
    if ((!place && n->op != SL_OP_ew_mult) || !head_const_operand(n, &k, &other) || k->splat)
        return;
    if (!place && !(other->op == SL_OP_activation && strcmp(sl_get_string(other, "type", ""), "exp") == 0))
        return;
    if (!find_coordinates(other, &from, &width, &variance) || sl_shape_elements(&k->shape) != p->n * (size_t)width ||
        (place ? from > 1 : from < 2))
        return;
    for (int i = 0; i < width; i++) {
        p->column[from + i] = k;
        p->within[from + i] = i;
        p->width[from + i] = width;
        p->variance[from + i] = variance;
    }
}

static double prior_at(const struct priors *p, int coordinate, size_t i)
{
    return head_element(p->column[coordinate], i * (size_t)p->width[coordinate] + (size_t)p->within[coordinate]);
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
            int size = rows ? 3 - k % 2 : (k % 2) == (int)h->x_first ? 3 : 2; /* widths are even */
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
        h->known_boxes = take_boxes(h, f->anchors, NULL);
        h->centers = f->has_scale ? f->scale[0] : 10;
        h->sizes = f->has_scale ? f->scale[2] : 5;
        if (!f->has_scale)
            head_guess(h, "scale factors are SSD's usual 10 and 5");
        return h->known_boxes;
    }
    for (int i = 0; i < h->g->n_nodes; i++)
        if (h->region[i])
            take_node(&p, h->g->nodes[i]);
    for (int c = 0; c < 4; c++)
        if (!p.column[c])
            return false;
    int x = find_x(&p);
    if (x < 0)
        return false;
    h->x_first = x == 0;
    h->centers = 1 / p.variance[0];
    h->sizes = 1 / p.variance[2];
    h->known_boxes = take_boxes(h, NULL, &p);
    return h->known_boxes;
}
