/* onnx_boxes.c: NonMaxSuppression of constant boxes. On boxes that the network computes, the number of results would not be known
 * before it runs: nms_postprocess does that behind the network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/onnx_import.h"

struct box {
    double top, left, bottom, right;
};

struct candidate {
    int64_t box;
    double score;
};

struct suppression {
    const struct sl_const *boxes, *scores;
    int64_t n_batches, n_classes, n_boxes, most;
    double overlap, threshold;
    bool centred;
};

static struct box read_box(const struct suppression *s, int64_t batch, int64_t i)
{
    double v[4];
    for (int k = 0; k < 4; k++)
        v[k] = sl_const_number(s->boxes, (size_t)((batch * s->n_boxes + i) * 4 + k));
    if (s->centred) /* x, y, width, height */
        return (struct box){v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2};
    return (struct box){fmin(v[0], v[2]), fmin(v[1], v[3]), fmax(v[0], v[2]), fmax(v[1], v[3])}; /* any two opposite corners */
}

static double overlap(const struct box *a, const struct box *b)
{
    double h = fmin(a->bottom, b->bottom) - fmax(a->top, b->top), w = fmin(a->right, b->right) - fmax(a->left, b->left);
    double both = h > 0 && w > 0 ? h * w : 0;
    double all = (a->bottom - a->top) * (a->right - a->left) + (b->bottom - b->top) * (b->right - b->left) - both;
    return all > 0 ? both / all : 0;
}

static int by_score(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->box > y->box) - (x->box < y->box);
}

/* Appends the rows of one class of one batch; returns how many. `rows` has room for all boxes. */
static int64_t suppress(const struct suppression *s, int64_t batch, int64_t class, struct candidate *sorted, struct box *kept,
                        int64_t *rows)
{
    int64_t n = 0, n_kept = 0;
    for (int64_t i = 0; i < s->n_boxes; i++) {
        double score = sl_const_number(s->scores, (size_t)((batch * s->n_classes + class) * s->n_boxes + i));
        if (score > s->threshold)
            sorted[n++] = (struct candidate){i, score};
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_score);
    for (int64_t i = 0; i < n && n_kept < s->most; i++) {
        struct box b = read_box(s, batch, sorted[i].box);
        bool hidden = false;
        for (int64_t k = 0; k < n_kept && !hidden; k++)
            hidden = overlap(&b, &kept[k]) > s->overlap;
        if (hidden)
            continue;
        kept[n_kept] = b;
        memcpy(rows + 3 * n_kept++, (const int64_t[3]){batch, class, sorted[i].box}, 3 * sizeof *rows);
    }
    return n_kept;
}

static sluice_status optional_number(struct onnx_import *c, int input, double otherwise, double *out)
{
    const struct sl_const *k;
    *out = otherwise;
    if (!onnx_has_in(c, input))
        return SLUICE_OK;
    SL_TRY(onnx_need_const(c, input, "threshold", &k));
    return sl_const_scalar(k, out) ? SLUICE_OK : sl_fail(c->e, SLUICE_E_SHAPE, "input %d is not one number", input);
}

static sluice_status read_suppression(struct onnx_import *c, struct suppression *s)
{
    double most;
    SL_TRY(optional_number(c, 2, 0, &most));
    SL_TRY(optional_number(c, 3, 0, &s->overlap));
    SL_TRY(optional_number(c, 4, -INFINITY, &s->threshold));
    s->centred = onnx_attr_int(c, "center_point_box", 0) != 0;
    const struct sl_shape *b = &s->boxes->shape, *p = &s->scores->shape;
    if (b->rank != 3 || p->rank != 3 || b->dim[2] != 4 || p->dim[0] != b->dim[0] || p->dim[2] != b->dim[1])
        return sl_fail(c->e, SLUICE_E_SHAPE, "boxes and scores are not [batch, n, 4] and [batch, classes, n]");
    s->n_batches = b->dim[0];
    s->n_classes = p->dim[1];
    s->n_boxes = b->dim[1];
    s->most = most > 0 ? (int64_t)fmin(most, (double)s->n_boxes) : 0;
    return SLUICE_OK;
}

sluice_status translate_non_max_suppression(struct onnx_import *c, const struct onnx_node *n)
{
    struct suppression s = {.boxes = NULL};
    SL_TRY(onnx_in_const(c, 0, &s.boxes));
    SL_TRY(onnx_in_const(c, 1, &s.scores));
    if (!s.boxes || !s.scores)
        return sl_unsupported(
            c->b, "of boxes that are computed at run time: the network ends before it, nms_postprocess does the rest");
    SL_TRY(read_suppression(c, &s));
    size_t rows_most = sl_shape_elements(&s.scores->shape);
    SL_TRY(sl_build_take(c->b, 3 * rows_most + 8 * (size_t)s.n_boxes));
    struct candidate *sorted = SL_NEW_ARRAY(c->scratch, struct candidate, (size_t)s.n_boxes + 1);
    struct box *kept = SL_NEW_ARRAY(c->scratch, struct box, (size_t)s.n_boxes + 1);
    int64_t *rows = SL_NEW_ARRAY(c->a, int64_t, 3 * rows_most + 1), count = 0;
    for (int64_t b = 0; b < s.n_batches; b++)
        for (int64_t k = 0; k < s.n_classes; k++)
            count += suppress(&s, b, k, sorted, kept, rows + 3 * count);
    struct sl_shape shape = {2, {count, 3}};
    return onnx_out(c, 0, sl_build_const(c->b, sl_const_view(c->a, SL_S64, &shape, rows)));
}
