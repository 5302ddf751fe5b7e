/* tflite_detection.c: what a TFLite_Detection_PostProcess operator says of its detector: thresholds, scale factors, classes and
 * anchors. It is no layer (the network ends before it), but nms_postprocess wants to know the same things. */
#include <math.h>
#include <string.h>

#include "tflite/flexbuffer.h"
#include "tflite/tflite_import.h"

enum { ANCHORS_INPUT = 2 };

/* A number that lies in its range, or none. */
static bool number(const struct tfl_operator *op, const char *key, double low, double high, double *out)
{
    double v;
    if (!flex_number(op->custom_options, key, &v) || !(v >= low && v <= high))
        return false;
    *out = v;
    return true;
}

static int64_t whole(const struct tfl_operator *op, const char *key)
{
    double v = 0;
    return number(op, key, 1, 1e6, &v) ? (int64_t)v : 0;
}

static void read_scale(const struct tfl_operator *op, struct sl_nms_facts *f)
{
    static const char *const keys[4] = {"y_scale", "x_scale", "h_scale", "w_scale"};
    f->has_scale = true;
    for (int i = 0; i < 4; i++)
        f->has_scale = number(op, keys[i], 1e-3, 1e3, &f->scale[i]) && f->has_scale;
}

/* Rows of y, x, height, width; quantized ones become real. */
static void read_anchors(struct tfl_import *c, const struct tfl_operator *op, struct sl_nms_facts *f)
{
    int at = op->n_in > ANCHORS_INPUT ? op->in[ANCHORS_INPUT] : -1;
    const struct tfl_tensor *t = at >= 0 ? &c->model.tensors[at] : NULL;
    if (!t || t->shape.rank != 2 || t->shape.dim[0] < 1 || t->shape.dim[1] != 4)
        return;
    bool real = t->type == TFL_FLOAT32, bytes = (t->type == TFL_UINT8 || t->type == TFL_INT8) && t->n_scales == 1;
    size_t n = 4 * (size_t)t->shape.dim[0];
    if ((!real && !bytes) || t->data.size / (real ? 4 : 1) < n)
        return;
    float *rows = SL_NEW_ARRAY(c->a, float, n);
    for (size_t i = 0; i < n; i++) {
        if (real)
            memcpy(&rows[i], t->data.data + 4 * i, sizeof rows[i]);
        else
            rows[i] =
                ((t->type == TFL_INT8 ? (float)(int8_t)t->data.data[i] : (float)t->data.data[i]) - (float)t->zero_points[0]) *
                t->scales[0];
    }
    f->anchors = rows;
    f->n_anchors = t->shape.dim[0];
}

void tfl_find_detection(struct tfl_import *c)
{
    struct sl_nms_facts *f = &c->report->common.nms;
    for (int i = 0; i < c->model.n_operators && !f->op; i++) {
        const struct tfl_operator *op = &c->model.operators[i];
        double regular = 0;
        if (!op->custom || strcmp(op->custom, "TFLite_Detection_PostProcess") != 0)
            continue;
        f->op = op->custom;
        f->node = op->label;
        f->has_score = number(op, "nms_score_threshold", 0, 1, &f->score);
        f->has_overlap = number(op, "nms_iou_threshold", 0, 1, &f->overlap);
        f->classes = whole(op, "num_classes");
        number(op, "use_regular_nms", 0, 1, &regular);
        f->most = whole(op, regular > 0 ? "detections_per_class" : "max_detections");
        read_scale(op, f);
        read_anchors(c, op, f);
    }
}
