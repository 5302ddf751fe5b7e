/*
 * nms_heads.h: detection heads at the end of a network: what nms_postprocess would need to know of them. Any front end may ask.
 *   head_convs.c  the convolutions that are met first from the outputs, by scale    head_kinds.c  the table of kinds,
 * head_kinds.def head_anchors.c, head_priors.c  boxes that the decoding in the graph tells       head_json.c   the
 * configuration
 */
#ifndef SL_FRONT_NMS_HEADS_H
#define SL_FRONT_NMS_HEADS_H

#include "base/strings.h"
#include "ir/ir.h"

/* What a file's own suppression says (NonMaxSuppression, TFLite_Detection_PostProcess ...). */
struct sl_nms_facts {
    const char *op, *node; /* op NULL: the file has none */
    bool has_score, has_overlap;
    double score, overlap; /* thresholds */
    int64_t most;          /* boxes kept of a class; 0: not told */
    int64_t classes;       /* without background; 0: not told */
    bool has_scale;
    double scale[4];      /* of y, x, height, width: offsets are divided by them */
    int64_t n_anchors;    /* 0: not told */
    const float *anchors; /* [n_anchors][4]: y, x, height, width as parts of the image */
};

/* What the decoding behind a head tells of its boxes. */
enum { SL_HEAD_SCALES = 8, SL_HEAD_BOXES = 9 };
struct sl_head_boxes {
    const char *kind; /* a row of head_kinds.def, or NULL */
    int n_scales;     /* 0: nothing is told */
    struct {
        int64_t h, w;
        int n_boxes;
        double box[2 * SL_HEAD_BOXES]; /* width and height of each: pixels (yolo), parts of the image (ssd) */
    } scales[SL_HEAD_SCALES];
    bool known;            /* boxes are read out of the graph or the file */
    bool exp;              /* sizes are exp(t) * anchor */
    bool x_first;          /* ssd: boxes are x, y, width, height */
    bool softmax;          /* of scores over classes */
    double centers, sizes; /* ssd: divisors of offsets */
};

struct sl_nms_head {
    const char *kind;      /* a row of head_kinds.def: "yolov8" */
    const char *meta_arch; /* of nms_postprocess; NULL: it has none for this kind */
    const char *json;      /* the configuration, as nms_postprocess reads it; NULL: see reason */
    const char *script;    /* the lines that use it, for a file called <net>.nms.json; NULL without json */
    const char *reason;    /* why there is no configuration; NULL when there is one */
    int n_guesses;         /* sentences on what the graph does not tell */
    const char *guesses[3];
    int n_end_nodes; /* names of the original model that end at the raw heads; none when the network ends there */
    const char **end_nodes;
    bool wants_decoding; /* the network ends at the heads, and what stood behind them in the file may tell more */
    struct sl_head_boxes boxes;
};

/* In a finished graph (named, channels last). facts: of the file, or NULL. whole: what was found in the same network with its
 * decoding, or NULL. False: the network does not end in a head that is known. Time is linear in nodes and in the elements of
 * the decoding's constants. Text lives in `a`. */
bool sl_find_nms_head(const struct sl_graph *g, const struct sl_nms_facts *facts, const struct sl_head_boxes *whole,
                      sl_arena *a, struct sl_nms_head *out);

/* docs/heads.md: the table of kinds. */
void sl_put_head_kinds(struct sl_buffer *b);

#endif
