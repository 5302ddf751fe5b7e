/*
 * detect.h: a detector's raw heads to boxes, their accuracy, and pictures of them. The decode rule comes from a JSON file
 * (examples/demo/signs.json): anchor-free heads of one class score map and one map of distances (left, top, right, bottom) from a
 * cell's centre, per stride.
 */
#ifndef SL_REPORT_DETECT_H
#define SL_REPORT_DETECT_H

#include "base/image.h"
#include "base/json.h"

enum { SL_DETECT_MAX_HEADS = 8, SL_DETECT_MAX_CLASSES = 256 };

struct sl_box { float score; int kind; float x0, y0, x1, y1; };
struct sl_boxes { int n, capacity; struct sl_box *box; }; /* grows in the arena */

struct sl_head { double stride; const char *scores, *boxes; /* output names of the original model */ };

struct sl_detector {
    int height, width, n_classes, n_heads;
    const char *classes[SL_DETECT_MAX_CLASSES];
    struct sl_head heads[SL_DETECT_MAX_HEADS];
    bool logits;              /* scores need a sigmoid */
    double cell_offset, distance_min, score_threshold, nms_iou, evaluate_threshold, match_iou;
    bool distance_in_strides;
};

/* Strings are views of the JSON tree, which must outlive the detector. */
sluice_status sl_detector_read(const json_t *spec, struct sl_detector *out, sl_err *e);

/* One head's maps, NHWC float: scores [h, w, classes], distances [h, w, 4]. */
struct sl_head_maps { const float *scores, *boxes; int h, w; };
/* Boxes above `threshold` of all heads after suppression per class, best first. */
void sl_detect_decode(sl_arena *a, const struct sl_detector *d, const struct sl_head_maps *maps, double threshold, struct sl_boxes *out);

/* Accuracy over pictures: add each, then read the figures. */
struct sl_detect_score;
struct sl_detect_score *sl_detect_score_new(sl_arena *a, const struct sl_detector *d);
/* found: decoded at evaluate_threshold; truth: boxes with kind. */
void sl_detect_score_add(struct sl_detect_score *s, const struct sl_boxes *found, const struct sl_boxes *truth);
struct sl_detect_figures { double map, precision, recall; int pictures, objects; };
/* map: mean over classes of the area under the interpolated precision-recall curve at IoU match_iou; precision and recall at
 * score_threshold. */
struct sl_detect_figures sl_detect_score_figures(const struct sl_detect_score *s);
/* Share of boxes of `reference` (score >= threshold) that `other` has too: same class, IoU >= 0.5. For float against quantized. */
double sl_boxes_kept(const struct sl_boxes *reference, const struct sl_boxes *other, double threshold, int *n_reference, int *n_kept);

void sl_detect_draw(struct sl_image *im, const struct sl_detector *d, const struct sl_boxes *boxes, double threshold);

#endif
