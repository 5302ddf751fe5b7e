/* resize_table.h: how a resize samples one axis; the tables themselves come from sl_resize_indices (ops.h). */
#ifndef SL_OPS_RESIZE_TABLE_H
#define SL_OPS_RESIZE_TABLE_H

#include "ops/ops.h"

enum sl_resize_coordinate {
    SL_COORD_HALF_PIXEL, SL_COORD_ASYMMETRIC, SL_COORD_ALIGN_CORNERS, SL_COORD_PYTORCH_HALF_PIXEL, SL_COORD_HALF_PIXEL_SYMMETRIC,
    SL_COORD_TF_HALF_PIXEL_FOR_NN, SL_COORD_TF_CROP_AND_RESIZE, SL_COORD_COUNT
};

enum sl_resize_nearest { SL_NEAREST_ROUND_FLOOR, SL_NEAREST_ROUND_CEIL, SL_NEAREST_FLOOR, SL_NEAREST_CEIL, SL_NEAREST_COUNT };

struct sl_resize_rule {
    int taps; /* samples an axis: 1 nearest, 2 linear, 4 cubic */
    enum sl_resize_coordinate coordinate;
    enum sl_resize_nearest nearest;
    double cubic_alpha;
    bool exclude_outside;
    bool has_scales;
    double scales[2];     /* h, w: as the origin gave them, or unused */
    double roi[4];        /* start_h, start_w, end_h, end_w, for tf_crop_and_resize */
    double extrapolation; /* value of positions outside, for tf_crop_and_resize; their index is -1 */
};

sluice_status sl_resize_rule(const struct sl_node *n, struct sl_resize_rule *out, sl_err *e);

/* Where output position `position` lies on the input axis. */
double sl_resize_coordinate(const struct sl_resize_rule *r, int axis, int64_t in_size, int64_t out_size, int64_t position);

#endif
