/* detect.c: decode rule of a detector, suppression, accuracy, drawing. Used by `sluice detect` (api/detect_run.c). */
#include "report/detect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* ---- the rule ---- */

static double number(const json_t *o, const char *key, double otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static sluice_status read_heads(const json_t *spec, struct sl_detector *d, sl_err *e)
{
    json_t *heads = NULL;
    SL_TRY(sl_json_get_array(spec, "heads", &heads, e));
    if (json_array_size(heads) < 1 || json_array_size(heads) > SL_DETECT_MAX_HEADS)
        return sl_fail(e, SLUICE_E_VALUE, "'heads' has %zu entries (1 to %d)", json_array_size(heads), SL_DETECT_MAX_HEADS);
    for (size_t i = 0; i < json_array_size(heads); i++) {
        struct sl_head *h = &d->heads[d->n_heads++];
        const json_t *o = json_array_get(heads, i);
        SL_TRY(sl_json_get_number(o, "stride", &h->stride, e));
        SL_TRY(sl_json_get_string(o, "scores", &h->scores, e));
        SL_TRY(sl_json_get_string(o, "boxes", &h->boxes, e));
        if (!(h->stride >= 1 && h->stride <= 1024))
            return sl_fail(e, SLUICE_E_VALUE, "stride %g of head %zu is outside 1..1024", h->stride, i);
    }
    return SLUICE_OK;
}

sluice_status sl_detector_read(const json_t *spec, struct sl_detector *d, sl_err *e)
{
    json_t *input = NULL, *classes = NULL;
    int64_t h, w;
    const char *decoder, *scores;
    *d = (struct sl_detector){0};
    SL_TRY(sl_json_get_string(spec, "decoder", &decoder, e));
    if (strcmp(decoder, "ltrb") != 0)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "decoder '%s' is not known (ltrb)", decoder);
    SL_TRY(sl_json_get_object(spec, "input", &input, e));
    SL_TRY(sl_json_get_int(input, "height", 1, 16384, &h, e));
    SL_TRY(sl_json_get_int(input, "width", 1, 16384, &w, e));
    d->height = (int)h, d->width = (int)w;
    SL_TRY(sl_json_get_array(spec, "classes", &classes, e));
    if (json_array_size(classes) < 1 || json_array_size(classes) > SL_DETECT_MAX_CLASSES)
        return sl_fail(e, SLUICE_E_VALUE, "'classes' has %zu entries (1 to %d)", json_array_size(classes), SL_DETECT_MAX_CLASSES);
    for (size_t i = 0; i < json_array_size(classes); i++) {
        const char *name = json_string_value(json_array_get(classes, i));
        d->classes[d->n_classes++] = name ? name : "?";
    }
    SL_TRY(read_heads(spec, d, e));
    SL_TRY(sl_json_get_string(spec, "scores", &scores, e));
    d->logits = strcmp(scores, "logit") == 0;
    d->cell_offset = number(spec, "cell_offset", 0.5);
    d->distance_min = number(spec, "distance_min", 0.0);
    d->score_threshold = number(spec, "score_threshold", 0.4);
    d->nms_iou = number(spec, "nms_iou", 0.5);
    const char *unit = json_string_value(json_object_get(spec, "distance_unit"));
    d->distance_in_strides = !unit || strcmp(unit, "stride") == 0;
    const json_t *evaluation = json_object_get(spec, "evaluation");
    d->evaluate_threshold = number(evaluation, "score_threshold", 0.02);
    d->match_iou = number(evaluation, "match_iou", 0.5);
    return SLUICE_OK;
}

/* ---- boxes ---- */

static void push(sl_arena *a, struct sl_boxes *b, struct sl_box box)
{
    if (b->n == b->capacity) {
        int capacity = b->capacity ? 2 * b->capacity : 64;
        struct sl_box *more = SL_NEW_ARRAY(a, struct sl_box, capacity);
        if (b->n)
            memcpy(more, b->box, (size_t)b->n * sizeof *more);
        b->box = more;
        b->capacity = capacity;
    }
    b->box[b->n++] = box;
}

static float overlap(const struct sl_box *p, const struct sl_box *q)
{
    float w = fminf(p->x1, q->x1) - fmaxf(p->x0, q->x0), h = fminf(p->y1, q->y1) - fmaxf(p->y0, q->y0);
    float common = fmaxf(w, 0) * fmaxf(h, 0);
    float area = (p->x1 - p->x0) * (p->y1 - p->y0) + (q->x1 - q->x0) * (q->y1 - q->y0) - common;
    return area > 0 ? common / area : 0;
}

static float within(double v, double hi) { return (float)(v < 0 ? 0 : v > hi ? hi : v); }

static void decode_head(sl_arena *a, const struct sl_detector *d, const struct sl_head *head, const struct sl_head_maps *m,
                        double threshold, struct sl_boxes *out)
{
    double unit = d->distance_in_strides ? head->stride : 1.0;
    for (int i = 0; i < m->h * m->w; i++) {
        for (int k = 0; k < d->n_classes; k++) {
            double score = m->scores[i * d->n_classes + k];
            if (d->logits)
                score = 1.0 / (1.0 + exp(-score));
            if (!(score >= threshold))
                continue;
            double cx = (i % m->w + d->cell_offset) * head->stride, cy = (i / m->w + d->cell_offset) * head->stride, side[4];
            for (int s = 0; s < 4; s++)
                side[s] = fmax((double)m->boxes[i * 4 + s], d->distance_min) * unit;
            push(a, out, (struct sl_box){(float)score, k, within(cx - side[0], d->width), within(cy - side[1], d->height),
                                         within(cx + side[2], d->width), within(cy + side[3], d->height)});
        }
    }
}

static int best_first(const void *a, const void *b)
{
    const struct sl_box *p = a, *q = b;
    if (p->score != q->score)
        return p->score < q->score ? 1 : -1;
    if (p->kind != q->kind)
        return p->kind - q->kind;
    return p->x0 != q->x0 ? (p->x0 > q->x0) - (p->x0 < q->x0) : (p->y0 > q->y0) - (p->y0 < q->y0);
}

void sl_detect_decode(sl_arena *a, const struct sl_detector *d, const struct sl_head_maps *maps, double threshold, struct sl_boxes *out)
{
    *out = (struct sl_boxes){0};
    for (int i = 0; i < d->n_heads; i++)
        decode_head(a, d, &d->heads[i], &maps[i], threshold, out);
    if (out->n)
        qsort(out->box, (size_t)out->n, sizeof *out->box, best_first);
    int kept = 0;
    for (int i = 0; i < out->n; i++) {
        bool keep = true;
        for (int k = 0; k < kept && keep; k++)
            keep = out->box[k].kind != out->box[i].kind || overlap(&out->box[k], &out->box[i]) < d->nms_iou;
        if (keep)
            out->box[kept++] = out->box[i];
    }
    out->n = kept;
}

double sl_boxes_kept(const struct sl_boxes *reference, const struct sl_boxes *other, double threshold, int *n_reference, int *n_kept)
{
    int n = 0, kept = 0;
    for (int i = 0; i < reference->n && reference->box[i].score >= threshold; i++) {
        bool hit = false;
        for (int k = 0; k < other->n && !hit; k++)
            hit = other->box[k].kind == reference->box[i].kind && overlap(&other->box[k], &reference->box[i]) >= 0.5f;
        n++;
        kept += hit;
    }
    *n_reference += n;
    *n_kept += kept;
    return n ? (double)kept / n : 1.0;
}

/* ---- accuracy ---- */

struct mark { float score; bool right; };
struct sl_detect_score {
    sl_arena *a;
    const struct sl_detector *d;
    struct marks { int n, capacity; struct mark *mark; } found[SL_DETECT_MAX_CLASSES];
    int total[SL_DETECT_MAX_CLASSES], pictures, shown, right;
};

struct sl_detect_score *sl_detect_score_new(sl_arena *a, const struct sl_detector *d)
{
    struct sl_detect_score *s = SL_NEW(a, struct sl_detect_score);
    s->a = a;
    s->d = d;
    return s;
}

static void push_mark(sl_arena *a, struct marks *m, struct mark mark)
{
    if (m->n == m->capacity) {
        int capacity = m->capacity ? 2 * m->capacity : 64;
        struct mark *more = SL_NEW_ARRAY(a, struct mark, capacity);
        if (m->n)
            memcpy(more, m->mark, (size_t)m->n * sizeof *more);
        m->mark = more;
        m->capacity = capacity;
    }
    m->mark[m->n++] = mark;
}

void sl_detect_score_add(struct sl_detect_score *s, const struct sl_boxes *found, const struct sl_boxes *truth)
{
    bool *used = SL_NEW_ARRAY(s->a, bool, truth->n + 1);
    s->pictures++;
    for (int i = 0; i < truth->n; i++)
        s->total[truth->box[i].kind]++;
    for (int i = 0; i < found->n; i++) {
        const struct sl_box *f = &found->box[i];
        int best = -1;
        float most = 0;
        for (int k = 0; k < truth->n; k++) {
            float v = truth->box[k].kind == f->kind && !used[k] ? overlap(f, &truth->box[k]) : 0;
            if (v > most)
                most = v, best = k;
        }
        bool right = most >= s->d->match_iou;
        if (right)
            used[best] = true;
        push_mark(s->a, &s->found[f->kind], (struct mark){f->score, right});
        if (f->score >= s->d->score_threshold) {
            s->shown++;
            s->right += right;
        }
    }
}

static int mark_best_first(const void *a, const void *b)
{
    const struct mark *p = a, *q = b;
    return (p->score < q->score) - (p->score > q->score);
}

/* Area under the precision-recall curve, precision made non-increasing from the right. */
static double average_precision(struct marks *m, int total)
{
    double area = 0, best = 0;
    int right = 0;
    if (m->n)
        qsort(m->mark, (size_t)m->n, sizeof *m->mark, mark_best_first);
    for (int i = 0; i < m->n; i++)
        right += m->mark[i].right;
    for (int i = m->n - 1; i >= 0; i--) {
        best = fmax(best, (double)right / (i + 1));
        if (m->mark[i].right) {
            area += best / total;
            right--;
        }
    }
    return area;
}

struct sl_detect_figures sl_detect_score_figures(const struct sl_detect_score *s)
{
    struct sl_detect_figures f = {.pictures = s->pictures};
    struct sl_detect_score copy = *s;
    int classes = 0;
    for (int k = 0; k < s->d->n_classes; k++) {
        f.objects += s->total[k];
        if (!s->total[k])
            continue;
        classes++;
        f.map += average_precision(&copy.found[k], s->total[k]);
    }
    f.map = classes ? f.map / classes : 0;
    f.precision = s->shown ? (double)s->right / s->shown : 0;
    f.recall = f.objects ? (double)s->right / f.objects : 0;
    return f;
}

/* ---- drawing ---- */

static const uint8_t palette[][3] = {{230, 25, 75},  {60, 180, 75},  {0, 130, 200}, {245, 130, 48}, {145, 30, 180},
                                     {70, 240, 240}, {240, 50, 230}, {210, 245, 60}};

void sl_detect_draw(struct sl_image *im, const struct sl_detector *d, const struct sl_boxes *boxes, double threshold)
{
    for (int i = 0; i < boxes->n; i++) {
        const struct sl_box *b = &boxes->box[i];
        if (b->score < threshold)
            continue;
        const uint8_t *color = palette[(size_t)b->kind % SL_COUNT(palette)];
        static const uint8_t white[3] = {255, 255, 255};
        int x0 = (int)(b->x0 + 0.5f), y0 = (int)(b->y0 + 0.5f), x1 = (int)(b->x1 + 0.5f), y1 = (int)(b->y1 + 0.5f);
        char label[64];
        sl_draw_rectangle(im, x0, y0, x1, y1, 2, color);
        snprintf(label, sizeof label, "%s %.2f", d->classes[b->kind], (double)b->score);
        int width = 6 * (int)strlen(label) + 2, top = y0 >= 10 ? y0 - 10 : y1 + 1;
        int left = SL_MAX(0, SL_MIN(x0, im->width - width - 1));
        for (int y = top; y < top + 10; y += 2)
            sl_draw_rectangle(im, left, y, left + width, y + 1, 1, color);
        sl_draw_text(im, left + 1, top + 1, label, 1, white);
    }
}
