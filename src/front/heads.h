/* heads.h: what the stages of recognising detection heads share (front/nms_heads.h). Nothing outside front includes it. */
#ifndef SL_FRONT_HEADS_H
#define SL_FRONT_HEADS_H

#include "base/json.h"
#include "front/nms_heads.h"

enum { HEAD_CONVS = 48, HEAD_ROLES = 4 };

/* One scale of a head: its convolutions, put into the order of the kind's roles by the row that matches. */
struct head_scale {
    int64_t h, w;
    int64_t stride; /* pixels per cell; 0: the image is no whole number of cells */
    int n;
    const struct sl_node *conv[HEAD_ROLES];
    int n_boxes;                   /* anchors a cell */
    double box[2 * SL_HEAD_BOXES]; /* width and height of each: pixels (yolo), parts of the image (ssd) */
};

struct heads {
    const struct sl_graph *g;
    const struct sl_nms_facts *facts;  /* or NULL */
    const struct sl_head_boxes *whole; /* or NULL */
    sl_arena *a;
    bool *region;                  /* by node: a head convolution, or behind one */
    const struct sl_node **reader; /* by node: its only reader, or NULL */
    int n_convs, n_scales;
    const struct sl_node *convs[HEAD_CONVS];
    struct head_scale scales[SL_HEAD_SCALES];
    const struct sl_node *proto; /* convolution of mask prototypes */
    int64_t proto_stride;
    int64_t image_h, image_w, classes, masks;
    int regression_length;
    unsigned placed;           /* roles that the row at work has filled */
    bool unsure;               /* the decoding would tell more of the kind itself */
    bool at_outputs;           /* nothing but activations stands behind the heads */
    bool coarse_first;         /* the first output belongs to the largest stride */
    struct sl_head_boxes told; /* all but its scales, which stand above */
    struct sl_nms_head *out;
};

struct head_kind {
    const char *name, *meta_arch, *engine;
    bool (*matches)(struct heads *h);
    json_t *(*write)(const struct heads *h, const struct head_kind *k); /* NULL: no configuration */
    double score, overlap;
    const char *layers[HEAD_ROLES]; /* keys of the layers in their roles */
    unsigned scores;                /* roles that give scores: bit k for role k */
    const char *covers;             /* for docs: what it looks like, and whose networks have it */
    const char *reason;             /* why nms_postprocess cannot do it; NULL when it can */
};

/* head_convs.c */
bool head_find_convs(struct heads *h);
bool head_find_scales(struct heads *h);
bool head_is_sigmoid(const struct sl_node *n);
/* The constant operand of a two-input node and the other one; false when there is none. */
bool head_const_operand(const struct sl_node *n, const struct sl_const **k, const struct sl_node **other);
bool head_is_movement(const struct sl_node *n);
double head_element(const struct sl_const *k, size_t i); /* 0 for types other than f32 */

/* head_kinds.c */
const struct head_kind *head_match(struct heads *h);
int64_t head_channels(const struct head_scale *s, int role);
void head_guess(struct heads *h, const char *sentence);

/* What was found in the same network with its decoding, when it has the same scales. */
bool head_take_whole(struct heads *h);

/* head_anchors.c: fills box and n_boxes of every scale, told.known and told.exp. False: the decoding does not tell. */
bool head_find_yolo_boxes(struct heads *h, int n_boxes);
/* head_priors.c: of an ssd head whose n_boxes are set; also told's x_first, centers, sizes. */
bool head_find_priors(struct heads *h);

/* head_json.c */
json_t *head_json_yolov5(const struct heads *h, const struct head_kind *k);
json_t *head_json_dense(const struct heads *h, const struct head_kind *k);
json_t *head_json_ssd(const struct heads *h, const struct head_kind *k);
json_t *head_json_centernet(const struct heads *h, const struct head_kind *k);

#endif
