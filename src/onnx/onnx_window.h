/*
 * onnx_window.h: what convolutions and pools share: a window over one to three spatial axes. One axis stands as the width of a
 * picture of height 1.
 */
#ifndef SL_ONNX_ONNX_WINDOW_H
#define SL_ONNX_ONNX_WINDOW_H

#include "onnx/onnx_import.h"

enum { ONNX_MOST_SIDE = 1 << 20 };

/* A window over the spatial axes; one or two of them stand as height and width. */
struct onnx_window {
    int n; /* spatial axes: 1 to 3 */
    int64_t in[3], kernel[3], stride[3], dilation[3], before[3], after[3], out[3];
};

/* n values of an attribute, each at least lo; `otherwise` where it is absent. */
sluice_status onnx_window_ints(struct onnx_import *c, const char *name, int n, int64_t lo, int64_t otherwise, int64_t *v);
int64_t onnx_window_extent(const struct onnx_window *w, int i);
/* How many spatial axes [n, c, ...] has, and their sizes. */
sluice_status onnx_window_axes(struct onnx_import *c, const struct sl_node *x, struct onnx_window *w);
/* auto_pad, explicit pads, and the output's size; ceil_mode grows the padding after so that the last window fits. */
sluice_status onnx_window_pads(struct onnx_import *c, struct onnx_window *w, bool ceil_mode);
/* One spatial axis becomes the second of two. */
void onnx_window_widen(struct onnx_window *w);
/* strides, dilations and pads of a node, from the first two axes. */
void onnx_window_set(struct onnx_import *c, struct sl_node *n, const struct onnx_window *w);
/* [n, c, w] <-> [n, c, 1, w]; other ranks as they are. */
sluice_status onnx_with_height(struct onnx_import *c, struct sl_node *x, struct sl_node **out);
sluice_status onnx_without_height(struct onnx_import *c, struct sl_node *x, int rank, struct sl_node **out);

/* Channels-last planes of a picture, for volumes (onnx_volume.c). */
sluice_status onnx_conv_plane(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                              const struct sl_const *bias, const struct onnx_window *w, int64_t groups, struct sl_node **out);
/* Of [n, c, ...], with weights that are computed at run time. */
sluice_status onnx_conv_dynamic(struct onnx_import *c, struct sl_node *x, struct sl_node *weights, struct sl_node *bias,
                                const struct onnx_window *w, int64_t groups, struct sl_node **out);
/* output_padding: below and to the right. */
sluice_status onnx_deconv_plane(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                                const struct sl_const *bias, const struct onnx_window *w, int64_t groups,
                                const int64_t *output_padding, struct sl_node **out);
sluice_status onnx_pool_plane(struct onnx_import *c, enum sl_op op, struct sl_node *x, const struct onnx_window *w,
                              bool count_pad, struct sl_node **out);
/* [n, c, d, h, w]: sums and maxima of planes. */
sluice_status onnx_conv_volume(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                               const struct sl_const *bias, const struct onnx_window *w, int64_t groups, struct sl_node **out);
sluice_status onnx_deconv_volume(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel,
                                 const struct sl_const *bias, const struct onnx_window *w, int64_t groups,
                                 const int64_t *output_padding, struct sl_node **out);
sluice_status onnx_max_pool_volume(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w, struct sl_node **out);
/* Flat positions of the maxima, as MaxPool's second output. */
sluice_status onnx_max_pool_indices(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w, struct sl_node **out);
/* declared: pads that count when count_pad, before and after each axis. */
sluice_status onnx_average_pool_volume(struct onnx_import *c, struct sl_node *x, const struct onnx_window *w,
                                       const int64_t *declared, bool count_pad, struct sl_node **out);
/* Zeros (or another value) around the spatial axes of [n, c, ...]. */
sluice_status onnx_pad_axes(struct onnx_import *c, struct sl_node *x, const int64_t *before, const int64_t *after, int n,
                            double value, struct sl_node **out);

#endif
