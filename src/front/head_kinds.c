/* head_kinds.c: the kinds of detection heads: one function a row of head_kinds.def says whether the scales look like it. */
#include "front/heads.h"

#include <string.h>

enum { COCO_POINTS = 51 }; /* 17 points of a person: x, y, visibility */

int64_t head_channels(const struct head_scale *s, int role)
{
    return s->conv[role]->shape.dim[3];
}

void head_guess(struct heads *h, const char *sentence)
{
    if (h->out->n_guesses < (int)SL_COUNT(h->out->guesses))
        h->out->guesses[h->out->n_guesses++] = sentence;
}

/* ---- what rows ask ---- */

/* Strides double from `first` on, at `least` to `most` scales. */
static bool strides(const struct heads *h, int64_t first, int least, int most)
{
    for (int i = 0; i < h->n_scales; i++)
        if (h->scales[i].stride != first << i)
            return false;
    return h->n_scales >= least && h->n_scales <= most;
}

/* 8 to 32, 8 to 64, or 4 to 32 for small things. */
static bool usual_strides(const struct heads *h)
{
    return strides(h, 8, 3, 4) || strides(h, 4, 4, 4);
}

static void move_to(struct head_scale *s, int from, int to)
{
    const struct sl_node *found = s->conv[from];
    s->conv[from] = s->conv[to];
    s->conv[to] = found;
}

/* Where a scale has a layer of so many channels, in this role if it can be; roles that are placed stay. -1: nowhere. */
static int find_role(const struct heads *h, const struct head_scale *s, int role, int64_t wanted)
{
    for (int k = 0; k < s->n; k++) {
        int at = (role + k) % s->n;
        if (!(h->placed >> at & 1) && head_channels(s, at) == wanted)
            return at;
    }
    return -1;
}

/* Every scale has a head with so many channels, in any order of the file; they are moved to this role. */
static bool place(struct heads *h, int role, int64_t wanted)
{
    for (int i = 0; i < h->n_scales; i++)
        if (role >= h->scales[i].n || find_role(h, &h->scales[i], role, wanted) < 0)
            return false;
    for (int i = 0; i < h->n_scales; i++)
        move_to(&h->scales[i], find_role(h, &h->scales[i], role, wanted), role);
    h->placed |= 1u << role;
    return true;
}

static void swap_roles(struct heads *h, int a, int b)
{
    for (int i = 0; i < h->n_scales; i++)
        move_to(&h->scales[i], a, b);
}

/* What the same heads are with their decoding, where the file was cut at them. */
static bool is_told(const struct heads *h, const char *kind)
{
    return h->whole && h->whole->kind && strcmp(h->whole->kind, kind) == 0;
}

static bool same_channels(const struct heads *h, int role)
{
    for (int i = 1; i < h->n_scales; i++)
        if (head_channels(&h->scales[i], role) != head_channels(&h->scales[0], role))
            return false;
    return true;
}

static bool has_roles(const struct heads *h, int n)
{
    return h->scales[0].n == n;
}

/* Boxes as a distribution of `bins` a side, and classes. */
static bool has_bins(struct heads *h, int n_roles, int bins)
{
    bool placed = h->placed & 1; /* by a row that looked for more */
    if (!has_roles(h, n_roles) || (!placed && !place(h, 0, 4 * bins)) || !same_channels(h, 1))
        return false;
    h->classes = head_channels(&h->scales[0], 1);
    h->regression_length = bins;
    return true;
}

/* A sigmoid or softmax behind this convolution, with nothing but movement between. */
static enum sl_op scored_by(const struct heads *h, const struct sl_node *conv)
{
    const struct sl_node *n = h->reader[conv->index];
    for (int steps = 0; n && steps < 8; steps++, n = h->reader[n->index]) {
        if (head_is_sigmoid(n) || n->op == SL_OP_softmax)
            return n->op;
        if (!head_is_movement(n) || n->op == SL_OP_slice)
            break;
    }
    return SL_OP_COUNT;
}

/* ---- the rows ---- */

/* The heat map has a sigmoid, or at least other channels than the two layers beside it, which keep their order. */
static bool is_centernet(struct heads *h)
{
    struct head_scale *s = &h->scales[0];
    int map = 0;
    if (h->proto || !strides(h, 4, 1, 1) || !has_roles(h, 3))
        return false;
    while (map < 3 && !head_is_sigmoid(h->reader[s->conv[map]->index]) && head_channels(s, map) == 2)
        map++;
    if (map == 3)
        return false;
    move_to(s, map, 0);
    h->classes = head_channels(s, 0);
    head_guess(h, "which of the two layers with 2 channels holds sizes is taken from their order");
    return head_channels(s, 1) == 2 && head_channels(s, 2) == 2;
}

static bool is_retinaface(struct heads *h)
{
    if (h->proto || !has_roles(h, 3) || h->n_scales < 2)
        return false;
    for (int boxes = 1; boxes <= 4; boxes++) {
        h->placed = 0;
        if (place(h, 0, 4 * boxes) && place(h, 2, 10 * boxes) && (place(h, 1, boxes) || place(h, 1, 2 * boxes))) {
            h->classes = 1;
            return true;
        }
    }
    return false;
}

static bool is_yunet(struct heads *h)
{
    h->classes = 1;
    return !h->proto && usual_strides(h) && has_roles(h, 4) && place(h, 0, 4) && place(h, 3, 10) && place(h, 1, 1) &&
           place(h, 2, 1);
}

/* Each scale is half of the one before, rounded up: five of them seldom divide the image. */
static bool five_halved(const struct heads *h)
{
    for (int i = 1; i < h->n_scales; i++)
        if (h->scales[i].h != (h->scales[i - 1].h + 1) / 2)
            return false;
    return h->n_scales == 5;
}

static bool is_fcos(struct heads *h)
{
    if (h->proto || !has_roles(h, 3) || !five_halved(h) || !place(h, 0, 4) || !place(h, 1, 1) || !same_channels(h, 2))
        return false;
    h->classes = head_channels(&h->scales[0], 2);
    return true;
}

static bool is_yolox(struct heads *h)
{
    if (h->proto || !has_roles(h, 3) || !usual_strides(h) || !place(h, 0, 4) || !place(h, 1, 1) || !same_channels(h, 2))
        return false;
    h->classes = head_channels(&h->scales[0], 2);
    if (h->at_outputs && !head_is_sigmoid(h->reader[h->scales[0].conv[1]->index])) {
        h->unsure = true;
        head_guess(h, "without sigmoid and decoding in the graph, YOLO26 with oriented boxes looks the same, and is decoded in "
                      "another way");
    }
    return true;
}

/* Boxes, classes, and mask coefficients beside prototypes. */
static bool has_masks(struct heads *h, int bins)
{
    return h->proto && usual_strides(h) && has_roles(h, 3) && place(h, 0, 4 * bins) && place(h, 2, h->masks) &&
           has_bins(h, 3, bins);
}

static bool are_points(int64_t channels)
{
    return channels > 4 && (channels % 3 == 0 || channels % 2 == 0);
}

/* Boxes, classes, and points. YOLO11 and later write points before classes: scores are what a sigmoid reads whole. */
static bool has_points(struct heads *h, int bins)
{
    if (h->proto || !usual_strides(h) || !has_bins(h, 3, bins) || !same_channels(h, 2))
        return false;
    const struct head_scale *s = &h->scales[0];
    int64_t first = head_channels(s, 1), last = head_channels(s, 2);
    bool last_scored = scored_by(h, s->conv[2]) == SL_OP_activation, persons = h->at_outputs && first == COCO_POINTS;
    if (are_points(first) && (last_scored || !are_points(last) || (persons && last != COCO_POINTS)))
        swap_roles(h, 1, 2);
    h->classes = head_channels(s, 1);
    h->unsure = h->classes == 1;
    return are_points(head_channels(s, 2));
}

static bool decodes_by(const struct heads *h, const char *curve)
{
    for (int i = 0; i < h->g->n_nodes; i++)
        if (h->region[i] && sl_is_activation(h->g->nodes[i], curve))
            return true;
    return false;
}

/* Boxes, classes, and an angle, whose cosine the decoding takes. Raw heads of points with one class look the same: one
 * channel that comes last is an angle then (YOLOv8's order), unless it stands beside those of COCO's persons. */
static bool has_angle(struct heads *h, int bins, const char *kind)
{
    if (h->proto || !usual_strides(h) || !has_roles(h, 3))
        return false;
    bool last = head_channels(&h->scales[0], 2) == 1 && head_channels(&h->scales[0], 1) != COCO_POINTS;
    if (!place(h, 0, 4 * bins) || !place(h, 2, 1) || !has_bins(h, 3, bins))
        return false;
    h->unsure = true;
    return is_told(h, kind) || decodes_by(h, "cos") || (h->at_outputs && !h->whole && bins > 1 && last);
}

static bool is_yolov8_seg(struct heads *h)
{
    return has_masks(h, 16);
}

static bool is_yolo26_seg(struct heads *h)
{
    return has_masks(h, 1);
}

static bool is_yolov8_pose(struct heads *h)
{
    return has_points(h, 16);
}

static bool is_yolov8_obb(struct heads *h)
{
    return has_angle(h, 16, "yolov8_obb");
}

/* Of YOLOX, which looks alike (4, 1, C), both scores have a sigmoid of their own; COCO's points tell raw heads. */
static bool is_yolo26_pose(struct heads *h)
{
    const struct head_scale *s = &h->scales[0];
    if (!has_points(h, 1) || scored_by(h, s->conv[2]) != SL_OP_COUNT)
        return false;
    h->unsure = true;
    return is_told(h, "yolo26_pose") || scored_by(h, s->conv[1]) == SL_OP_activation ||
           (h->at_outputs && !h->whole && head_channels(s, 2) == COCO_POINTS);
}

static bool is_yolo26_obb(struct heads *h)
{
    return has_angle(h, 1, "yolo26_obb");
}

/* The tiny form of v3 with this head has strides 16 and 32 alone. */
static bool is_yolov8(struct heads *h)
{
    return !h->proto && (usual_strides(h) || strides(h, 16, 2, 2)) && has_bins(h, 2, 16);
}

/* The row of unused scores cannot be seen in the raw heads: COCO's 80 + 1 are taken for it. */
static bool is_damo_yolo(struct heads *h)
{
    if (h->proto || !usual_strides(h) || !has_bins(h, 2, 17) || h->classes != 81)
        return false;
    h->classes = 80;
    return true;
}

static bool is_yolov6_bins(struct heads *h)
{
    return !h->proto && usual_strides(h) && has_bins(h, 2, 17);
}

static bool is_nanodet(struct heads *h)
{
    return !h->proto && usual_strides(h) && (has_bins(h, 2, 8) || has_bins(h, 2, 11));
}

/* Where slices cut the channels of a convolution in two: the channels of the first part, else 0. */
static int64_t cut_at(const struct heads *h, const struct sl_node *conv)
{
    int64_t channels = conv->shape.dim[3];
    for (int i = conv->index + 1; i < h->g->n_nodes; i++) {
        const struct sl_node *n = h->g->nodes[i];
        if (n->op != SL_OP_slice || n->in[0] != conv || n->shape.rank != 4 || n->shape.dim[3] == channels)
            continue;
        int64_t starts[4];
        if (sl_get_ints(n, "starts", 4, starts) && starts[3] == 0)
            return n->shape.dim[3];
    }
    return 0;
}

/* Classes before the bins. Without the split behind it, COCO's 80 classes are wanted: yolov5 looks alike otherwise. */
static bool is_nanodet_joint(struct heads *h)
{
    if (h->proto || !usual_strides(h) || !has_roles(h, 1) || !same_channels(h, 0))
        return false;
    int64_t all = head_channels(&h->scales[0], 0), cut = cut_at(h, h->scales[0].conv[0]);
    for (int bins = 8; bins <= 11; bins += 3)
        if (all - 4 * bins == (cut ? cut : 80)) {
            h->classes = all - 4 * bins;
            h->regression_length = bins;
            return true;
        }
    return false;
}

/* Distances to the sides of a box, which RTMDet takes an exp of: only its decoding tells. */
static bool is_yolov6(struct heads *h)
{
    if (h->proto || !usual_strides(h) || !has_roles(h, 2) || !place(h, 0, 4) || !same_channels(h, 1))
        return false;
    h->classes = head_channels(&h->scales[0], 1);
    h->unsure = true;
    return true;
}

static bool is_rtmdet(struct heads *h)
{
    return is_yolov6(h) && (is_told(h, "rtmdet") || decodes_by(h, "exp"));
}

static bool is_blazeface(struct heads *h)
{
    if (h->proto || !has_roles(h, 2))
        return false;
    for (int i = 0; i < h->n_scales; i++) {
        struct head_scale *s = &h->scales[i];
        if (head_channels(s, 0) < head_channels(s, 1))
            move_to(s, 1, 0);
        int64_t reg = head_channels(s, 0), boxes = head_channels(s, 1);
        if ((reg != 16 * boxes && reg != 18 * boxes) || boxes > SL_HEAD_BOXES)
            return false;
    }
    h->classes = 1;
    return true;
}

/* ---- ssd ---- */

/* Boxes and scores of one scale in their roles, for so many classes. */
static bool place_ssd(const struct heads *h, struct head_scale *s, int64_t classes)
{
    for (int swapped = 0; swapped < 2; swapped++) {
        int64_t reg = head_channels(s, swapped), cls = head_channels(s, 1 - swapped), boxes = reg / 4;
        bool fits = reg % 4 == 0 && boxes >= 1 && boxes <= SL_HEAD_BOXES && cls == boxes * classes;
        if (!fits || scored_by(h, s->conv[swapped]) != SL_OP_COUNT)
            continue;
        move_to(s, swapped, 0);
        s->n_boxes = (int)boxes;
        return true;
    }
    return false;
}

static bool is_ssd(struct heads *h)
{
    if (h->proto || !has_roles(h, 2) || h->n_scales < 2)
        return false;
    for (int swapped = 0; swapped < 2; swapped++) {
        int64_t boxes = head_channels(&h->scales[0], swapped) / 4;
        if (boxes < 1)
            continue;
        h->classes = head_channels(&h->scales[0], 1 - swapped) / boxes;
        bool fits = h->classes >= 1, several = false;
        for (int i = 0; i < h->n_scales && fits; i++) {
            fits = place_ssd(h, &h->scales[i], h->classes);
            several = several || h->scales[i].n_boxes > 1;
        }
        if (fits && several) { /* one box everywhere: heads without prior boxes look like that */
            h->told.softmax = scored_by(h, h->scales[0].conv[1]) == SL_OP_softmax;
            return true;
        }
    }
    return false;
}

static bool is_efficientdet(struct heads *h)
{
    if (!is_ssd(h) || !five_halved(h))
        return false;
    for (int i = 0; i < h->n_scales; i++)
        if (h->scales[i].n_boxes != 9)
            return false;
    return true;
}

/* ---- one layer a scale ---- */

static bool has_three_anchors(struct heads *h)
{
    int64_t all = head_channels(&h->scales[0], 0);
    h->classes = all / 3 - 5 - (h->proto ? h->masks : 0);
    return has_roles(h, 1) && same_channels(h, 0) && all % 3 == 0 && h->classes >= 1;
}

static bool is_yolov5_seg(struct heads *h)
{
    return h->proto && usual_strides(h) && has_three_anchors(h);
}

static bool is_yolov3(struct heads *h)
{
    bool tiny = strides(h, 16, 2, 2);
    if (h->proto || (!tiny && !usual_strides(h)) || !has_three_anchors(h))
        return false;
    bool told = head_find_yolo_boxes(h, 3);
    return h->told.exp || (!told && (tiny || h->coarse_first));
}

static bool is_yolov5(struct heads *h)
{
    return !h->proto && usual_strides(h) && has_three_anchors(h);
}

/* Its heads read a 3x3 convolution (RepConv, deployed); those of YOLOv5 a 1x1 one. */
static bool is_yolov7(struct heads *h)
{
    for (int i = 0; i < h->n_scales; i++) {
        const struct sl_node *n = h->scales[i].conv[0]->in[0];
        for (int steps = 0; steps < 3 && n->op != SL_OP_conv && n->n_in; steps++) /* an activation, of one or two nodes */
            n = n->in[0];
        const struct sl_const *kernel = n->op == SL_OP_conv ? sl_param(n, "kernel") : NULL;
        if (!kernel || kernel->shape.rank != 4 || kernel->shape.dim[0] != 3 || kernel->shape.dim[1] != 3)
            return false;
    }
    return is_yolov5(h);
}

/* ---- the table ---- */

#define LAYERS(...)                                                                                                            \
    {                                                                                                                          \
        __VA_ARGS__                                                                                                            \
    }
#define HEAD(name, meta, engine, matches, write, score, overlap, layers, scores, covers, reason)                               \
    {#name, meta, #engine, matches, write, score, overlap, layers, scores, covers, reason},
static const struct head_kind kinds[] = {
#include "front/head_kinds.def"
};
#undef HEAD
#undef LAYERS

const struct head_kind *head_match(struct heads *h)
{
    const struct heads found = *h;
    for (size_t i = 0; i < SL_COUNT(kinds); i++) {
        *h = found; /* a row that does not match may have moved roles */
        h->out->n_guesses = 0;
        if (kinds[i].matches(h))
            return &kinds[i];
    }
    return NULL;
}

void sl_put_head_kinds(struct sl_buffer *b)
{
    for (size_t i = 0; i < SL_COUNT(kinds); i++) {
        const struct head_kind *k = &kinds[i];
        sl_put_printf(b, "| `%s` | %s | ", k->name, k->covers);
        if (k->write)
            sl_put_printf(b, "`%s` | %s | ", k->meta_arch, strcmp(k->engine, "cpu") == 0 ? "host" : "NN core");
        else
            sl_put_printf(b, "none | host, by hand: %s | ", k->reason);
        for (int j = 0; j < HEAD_ROLES && k->layers[j]; j++)
            sl_put_printf(b, "%s`%s`", j ? ", " : "", k->layers[j]);
        sl_put_printf(b, " | %g / %g |\n", k->score, k->overlap);
    }
}
