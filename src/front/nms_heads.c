/*
 * nms_heads.c: recognises the raw heads of common detectors: the convolutions that are met first when one walks up from the outputs,
 * grouped by scale. What decodes boxes behind them may be there or not.
 */
#include "front/nms_heads.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { MOST_HEADS = 32, MOST_SCALES = 6, MOST_PER_SCALE = 3, SOFTMAX_STEPS = 4 };

struct scale {
    int64_t h, w, stride;
    int n;
    const struct sl_node *conv[MOST_PER_SCALE];
};

struct heads {
    const struct sl_graph *g;
    sl_arena *a;
    int n_convs, n_scales;
    const struct sl_node *convs[MOST_HEADS];
    struct scale scales[MOST_SCALES];
    int64_t image_h, image_w, classes;
    int regression_length;
    bool at_outputs;
};

/* ---- finding the convolutions ---- */

static bool behind_softmax(const struct sl_node *n)
{
    for (int steps = 0; steps < SOFTMAX_STEPS && n->n_in; steps++) {
        n = n->in[0];
        if (n->op == SL_OP_softmax)
            return true;
    }
    return false;
}

/* The convolution that sums a distribution over bins belongs to the decoding. */
static bool is_head_conv(const struct sl_node *n)
{
    return n->op == SL_OP_conv && n->shape.rank == 4 && !(n->shape.dim[3] == 1 && behind_softmax(n));
}

static bool ends_walk_unknown(const struct sl_node *n)
{
    return n->op == SL_OP_input_layer || n->op == SL_OP_fc || n->op == SL_OP_matmul || n->op == SL_OP_deconv || n->op == SL_OP_dw;
}

static int by_index(const void *a, const void *b)
{
    const struct sl_node *const *x = a, *const *y = b;
    return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

static bool find_convs(struct heads *h)
{
    const struct sl_graph *g = h->g;
    bool *seen = SL_NEW_ARRAY(h->a, bool, g->n_nodes + 1);
    for (int i = 0; i < g->n_outputs; i++)
        seen[g->outputs[i].node->index] = true;
    h->at_outputs = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct sl_node *n = g->nodes[i];
        if (!seen[i] || n->op == SL_OP_const_input)
            continue;
        if (is_head_conv(n)) {
            if (h->n_convs == MOST_HEADS)
                return false;
            h->convs[h->n_convs++] = n;
            continue;
        }
        if (ends_walk_unknown(n))
            return false;
        bool plain = n->op == SL_OP_output_layer || (n->op == SL_OP_activation && strcmp(sl_get_string(n, "type", ""), "sigmoid") == 0);
        h->at_outputs = h->at_outputs && plain;
        for (int k = 0; k < n->n_in; k++)
            seen[n->in[k]->index] = true;
    }
    qsort(h->convs, (size_t)h->n_convs, sizeof *h->convs, by_index);
    return h->n_convs >= 2;
}

/* ---- scales ---- */

static struct scale *scale_of(struct heads *h, const struct sl_node *n)
{
    for (int i = 0; i < h->n_scales; i++)
        if (h->scales[i].h == n->shape.dim[1] && h->scales[i].w == n->shape.dim[2])
            return &h->scales[i];
    if (h->n_scales == MOST_SCALES)
        return NULL;
    struct scale *s = &h->scales[h->n_scales++];
    *s = (struct scale){.h = n->shape.dim[1], .w = n->shape.dim[2]};
    s->stride = h->image_h / s->h;
    return s;
}

static int by_stride(const void *a, const void *b)
{
    const struct scale *x = a, *y = b;
    return (x->stride > y->stride) - (x->stride < y->stride);
}

static bool find_scales(struct heads *h)
{
    const struct sl_shape *image = &h->g->inputs[0].node->shape;
    if (h->g->n_inputs != 1 || image->rank != 4)
        return false;
    h->image_h = image->dim[1];
    h->image_w = image->dim[2];
    for (int i = 0; i < h->n_convs; i++) {
        struct scale *s = scale_of(h, h->convs[i]);
        if (!s || s->n == MOST_PER_SCALE)
            return false;
        s->conv[s->n++] = h->convs[i];
    }
    qsort(h->scales, (size_t)h->n_scales, sizeof *h->scales, by_stride);
    for (int i = 0; i < h->n_scales; i++) /* strides 8, 16, 32 (and 64), each with the same heads */
        if (h->scales[i].n != h->scales[0].n || h->scales[i].stride * h->scales[i].h != h->image_h ||
            h->scales[i].stride * h->scales[i].w != h->image_w || (i && h->scales[i].stride != 2 * h->scales[i - 1].stride))
            return false;
    return (h->n_scales == 3 || h->n_scales == 4) && h->scales[0].stride == 8;
}

static int64_t channels(const struct scale *s, int k)
{
    return s->conv[k]->shape.dim[3];
}

/* Every scale has a head with so many channels; they are moved to place k. */
static bool place_head(struct heads *h, int k, int64_t wanted)
{
    for (int i = 0; i < h->n_scales; i++) {
        struct scale *s = &h->scales[i];
        int at = k;
        while (at < s->n && channels(s, at) != wanted)
            at++;
        if (at == s->n)
            return false;
        const struct sl_node *found = s->conv[at];
        memmove(&s->conv[k + 1], &s->conv[k], (size_t)(at - k) * sizeof s->conv[0]);
        s->conv[k] = found;
    }
    return true;
}

static bool same_channels(const struct heads *h, int k)
{
    for (int i = 1; i < h->n_scales; i++)
        if (channels(&h->scales[i], k) != channels(&h->scales[0], k))
            return false;
    return true;
}

/* ---- the detectors ---- */

/* One convolution a scale: anchors x (box, objectness, classes). */
static bool is_yolov5(struct heads *h)
{
    int64_t all = channels(&h->scales[0], 0);
    h->classes = all / 3 - 5;
    return h->scales[0].n == 1 && same_channels(h, 0) && all % 3 == 0 && h->classes >= 1;
}

/* Box, objectness and classes apart. */
static bool is_yolox(struct heads *h)
{
    if (h->scales[0].n != 3 || !place_head(h, 0, 4) || !place_head(h, 1, 1) || !same_channels(h, 2))
        return false;
    h->classes = channels(&h->scales[0], 2);
    return true;
}

/* A distribution of 16 bins a side, and classes. */
static bool is_yolov8(struct heads *h)
{
    if (h->scales[0].n != 2 || !place_head(h, 0, 64) || !same_channels(h, 1))
        return false;
    h->classes = channels(&h->scales[0], 1);
    h->regression_length = 16;
    return true;
}

/* Four distances and classes. */
static bool is_yolov6(struct heads *h)
{
    if (h->scales[0].n != 2 || !place_head(h, 0, 4) || !same_channels(h, 1))
        return false;
    h->classes = channels(&h->scales[0], 1);
    return true;
}

static const struct {
    const char *meta_arch;
    bool (*matches)(struct heads *h);
    double score, overlap;
    const char *layers[MOST_PER_SCALE]; /* keys of the heads in their places */
} detectors[] = {
    {"yolov5", is_yolov5, 0.3, 0.6, {"encoded_layer"}},
    {"yolox", is_yolox, 0.3, 0.65, {"reg_layer", "objectness_layer", "cls_layer"}},
    {"yolov8", is_yolov8, 0.2, 0.7, {"reg_layer", "cls_layer"}},
    {"yolov6", is_yolov6, 0.3, 0.65, {"reg_layer", "cls_layer"}},
};

/* ---- the configuration ---- */

/* Anchors of the published yolov5 models, in pixels: width and height of three boxes a scale, for strides 8..32 and 8..64. */
static const int anchors_p5[3][6] = {{10, 13, 16, 30, 33, 23}, {30, 61, 62, 45, 59, 119}, {116, 90, 156, 198, 373, 326}};
static const int anchors_p6[4][6] = {{19, 27, 44, 40, 38, 94},
                                     {96, 68, 86, 152, 180, 137},
                                     {140, 301, 303, 264, 238, 542},
                                     {436, 615, 739, 380, 925, 792}};

static void put_anchors(const struct heads *h, int i, json_t *decoder)
{
    const int *boxes = h->n_scales == 3 ? anchors_p5[i] : anchors_p6[i];
    json_t *widths = json_array(), *heights = json_array();
    for (int k = 0; k < 3; k++) {
        json_array_append_new(widths, json_integer(boxes[2 * k]));
        json_array_append_new(heights, json_integer(boxes[2 * k + 1]));
    }
    json_object_set_new(decoder, "w", widths);
    json_object_set_new(decoder, "h", heights);
}

static json_t *decoder_json(const struct heads *h, size_t d, int i)
{
    const struct scale *s = &h->scales[i];
    json_t *o = json_object();
    const char *name = s->conv[0]->name, *digits = name + strcspn(name, "0123456789");
    json_object_set_new(o, "name", json_sprintf("bbox_decoder%s", digits));
    if (detectors[d].matches == is_yolov5)
        put_anchors(h, i, o);
    json_object_set_new(o, "stride", json_integer(s->stride));
    for (int k = 0; k < s->n; k++)
        json_object_set_new(o, detectors[d].layers[k], json_string(s->conv[k]->name));
    return o;
}

static json_t *head_json(const struct heads *h, size_t d)
{
    json_t *o = json_object(), *dims = json_array(), *decoders = json_array();
    json_array_append_new(dims, json_integer(h->image_h));
    json_array_append_new(dims, json_integer(h->image_w));
    for (int i = 0; i < h->n_scales; i++)
        json_array_append_new(decoders, decoder_json(h, d, i));
    json_object_set_new(o, "nms_scores_th", json_real(detectors[d].score));
    json_object_set_new(o, "nms_iou_th", json_real(detectors[d].overlap));
    json_object_set_new(o, "image_dims", dims);
    json_object_set_new(o, "max_proposals_per_class", json_integer(100));
    json_object_set_new(o, "classes", json_integer(h->classes));
    if (h->regression_length)
        json_object_set_new(o, "regression_length", json_integer(h->regression_length));
    json_object_set_new(o, "background_removal", json_false());
    json_object_set_new(o, "bbox_decoders", decoders);
    return o;
}

static const char *end_names(const struct heads *h)
{
    struct sl_buffer text = {0};
    for (int i = 0; i < h->n_scales && !h->at_outputs; i++)
        for (int k = 0; k < h->scales[i].n; k++)
            if (h->scales[i].conv[k]->n_origins)
                sl_put_printf(&text, "%s%s", text.size ? " " : "",
                              h->scales[i].conv[k]->origins[h->scales[i].conv[k]->n_origins - 1]);
    const char *copy = sl_arena_strdup(h->a, text.size && !text.failed ? sl_buffer_text(&text) : "");
    sl_buffer_free(&text);
    return copy;
}

bool sl_find_nms_head(const struct sl_graph *g, sl_arena *a, struct sl_nms_head *out)
{
    struct heads h = {.g = g, .a = a};
    sl_err ignored = {0};
    size_t d = 0;
    if (g->n_inputs < 1 || !find_convs(&h) || !find_scales(&h))
        return false;
    while (d < SL_COUNT(detectors) && !detectors[d].matches(&h))
        d++;
    if (d == SL_COUNT(detectors))
        return false;
    struct sl_buffer text = {0};
    json_t *tree = head_json(&h, d);
    bool written = tree && sl_json_write(&text, tree, &ignored) == SLUICE_OK && !text.failed;
    *out = (struct sl_nms_head){.meta_arch = detectors[d].meta_arch,
                                .json = written ? sl_arena_strdup(a, sl_buffer_text(&text)) : NULL,
                                .script_line = sl_arena_printf(a, "nms_postprocess(\"%s.nms.json\", meta_arch=%s, engine=cpu)\n",
                                                               g->name, detectors[d].meta_arch),
                                .end_nodes = end_names(&h),
                                .guessed_anchors = detectors[d].matches == is_yolov5};
    json_decref(tree);
    sl_buffer_free(&text);
    return written;
}
