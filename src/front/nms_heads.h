/* nms_heads.h: detection heads at the end of a network: what nms_postprocess would need to know of them. Any front end may ask. */
#ifndef SL_FRONT_NMS_HEADS_H
#define SL_FRONT_NMS_HEADS_H

#include "ir/ir.h"

struct sl_nms_head {
    const char *meta_arch;   /* "yolov5", "yolov6", "yolov8", "yolox" */
    const char *json;        /* the configuration, as nms_postprocess reads it */
    const char *script_line; /* the line that uses it, for a file called <net>.nms.json */
    const char *end_nodes;   /* names of the original model that end at the raw heads, separated by ' '; "" when the network ends there */
    bool guessed_anchors;    /* the graph does not tell them: they are the published ones */
};

/* In a finished graph (named, channels last). False: the network does not end in a head that is known. Text lives in `a`. */
bool sl_find_nms_head(const struct sl_graph *g, sl_arena *a, struct sl_nms_head *out);

#endif
