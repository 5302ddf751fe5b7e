/*
 * ops.h: what an op means at each stage. The functions named in the columns of ir/ops.def, one family a file:
 *   io, conv, activation, eltwise, pool, reduce, matmul, softmax, norm, move, resize
 * each as <family>_float.c (shape rule, float evaluation, cost), <family>_quant.c (float node -> integer node by
 * docs/numerics.md) and <family>_lower.c (integer node -> instruction).
 */
#ifndef SL_OPS_OPS_H
#define SL_OPS_OPS_H

#include "base/threads.h"
#include "ir/ir.h"

/* A value while evaluating. Float types hold float; integer and bool types hold int64_t whatever their declared width, so that one
 * evaluation serves them all (dtype says the declared type; results wrap to it). */
struct sl_tensor {
    enum sl_dtype dtype;
    struct sl_shape shape;
    void *data;
};

enum sl_encode { SL_ENCODE_OWN, SL_ENCODE_SAME, SL_ENCODE_UNITED, SL_ENCODE_GIVEN, SL_ENCODE_NONE };

struct sl_eval;     /* float_run.h: threads, scratch, oneDNN primitives kept by node */
struct sl_quantizer; /* quantizer.h */
struct sl_lowering;  /* lower.h */

/* Sets n->dtype and n->shape from inputs, attributes and parameters; says what does not fit. */
typedef sluice_status sl_infer_fn(struct sl_graph *g, struct sl_node *n, sl_err *e);
/* in[i] are the inputs' values; out->data is allocated by the caller for n->shape. */
typedef sluice_status sl_eval_fn(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                                 sl_err *e);
/* n (in a copy of the fp_optimized graph) has its encoding and its inputs' encodings set in ->quant; replaces float parameters and
 * attributes by the integer ones of docs/numerics.md. */
typedef sluice_status sl_quantize_fn(struct sl_quantizer *q, struct sl_node *n, sl_err *e);
typedef sluice_status sl_lower_fn(struct sl_lowering *l, const struct sl_node *n, sl_err *e);
typedef int64_t sl_cost_fn(const struct sl_node *n); /* multiply-accumulates a frame */

struct sl_op_row {
    enum sl_encode encode;
    sl_infer_fn *infer;
    sl_eval_fn *eval;
    sl_quantize_fn *quantize;
    sl_lower_fn *lower;
    sl_cost_fn *cost;
};

#define OP(kind, counter, least, most, encode, infer, eval, quantize, lower, cost)                                             \
    sl_infer_fn infer;                                                                                                         \
    sl_eval_fn eval;                                                                                                           \
    sl_quantize_fn quantize;                                                                                                   \
    sl_lower_fn lower;                                                                                                         \
    sl_cost_fn cost;
#include "ir/ops.def"
#undef OP

const struct sl_op_row *sl_op_row(enum sl_op op);

/* Infer one node (errors get the node's name), or all of a graph in order. */
sluice_status sl_infer(struct sl_graph *g, struct sl_node *n, sl_err *e);
sluice_status sl_infer_all(struct sl_graph *g, sl_err *e);
/* Structure, then every row's infer on a scratch copy of type and shape: what a reader of HAR or IR text calls. */
sluice_status sl_verify_types(struct sl_graph *g, sl_err *e);

/*
 * Attributes of the float stages (numerics.md has the quantized ones):
 *   conv, dw, fc, deconv  params kernel (f32; layouts as numerics.md section 4), bias (optional, f32 [oc]);
 *                         attrs strides [1,sh,sw,1], dilations [1,dh,dw,1], pads [t,l,b,r], groups;
 *                         deconv also output_padding [bottom, right];
 *                         after fusing also: activation (a name below) with its alpha, beta, minimum, maximum; pad_value param
 *                         (f32 [ic]) where a mean was folded; second input = residual, added before the activation
 *   batch_norm            params scale, offset, mean, variance (f32 [c]); attr epsilon
 *   normalization         params mean, std (f32 [c]): (x - mean) / std
 *   bias_add              param bias (f32 [c])
 *   activation            attr type: relu relu6 clip leaky_relu elu selu celu sigmoid silu tanh gelu gelu_tanh hard_sigmoid hard_swish
 *                         mish softplus softsign exp log sqrt rsqrt reciprocal erf abs neg square pow sin cos floor ceil round sign
 *                         thresholded_relu threshold swish_beta affine (alpha*x + beta) ...; attrs alpha, beta, minimum, maximum
 *   maxpool, avgpool      kernel_shape [1,kh,kw,1], strides, dilations, pads, count_include_pad
 *   reduce_*              axes, keepdims          rotary  interleaved; inputs x, angles
 *                         matmul  transpose_b, scale (of the product, 1)        softmax  axis, nan_guard
 *                         (a line of -inf gives zeros)        layer_norm  epsilon; params gamma, beta
 *   concat axis; slice starts ends steps; reshape shape; transpose perm; pad pads pad_mode value; expand shape
 *   resize                mode nearest|linear|cubic; sizes [h, w]; scales [h, w] (floats); coordinate (half_pixel, asymmetric,
 *                         align_corners, pytorch_half_pixel, tf_half_pixel_for_nn ...); nearest_mode; cubic_alpha
 *   gather                axis; param indices (s64)     space_to_depth, depth_to_space  block, mode
 *   const_input           param data
 * Native only:
 *   ew_pow, ew_mod (fmod), ew_prelu (second input: slope)      ew_equal ... ew_shift_right: comparisons give bool
 *   predicate             type not|is_nan|is_inf; detect_negative, detect_positive       where  inputs condition (bool), a, b
 *   cast                  to (a type's name)       reduce_prod  axes, keepdims           log_softmax, hardmax  axis
 *   argmax, argmin        axis, keepdims, select_last_index
 *   top_k                 axis, k, largest, sorted, output values|indices                cumsum  axis, exclusive, reverse
 *   gather_dynamic        axis; input 1: indices        gather_elements  axis           gather_nd  batch_dims
 *   scatter_elements      axis, reduction none|add|mul|max|min; inputs data, indices, updates      scatter_nd  reduction
 *   grid_sample           mode linear|nearest|cubic, padding_mode zeros|border|reflection, align_corners; grid [n, oh, ow, 2]
 *                         or [n, od, oh, ow, 3]
 *   maxpool_indices       kernel_shape, strides, dilations, pads, each by spatial axis; storage_order; origin's axis order [n, c, ...]
 *   roi_align             mode avg|max, sizes [h, w], sampling_ratio, spatial_scale, coordinate half_pixel|output_half_pixel;
 *                         inputs picture, rois [r, 4], batch indices [r]                 lrn  size, alpha, beta, bias
 *   max_roi_pool          sizes [h, w], spatial_scale; inputs picture, rois [r, 5] as batch, x1, y1, x2, y2
 *   deform_conv           as conv, and offset_groups; inputs x, offset, mask (optional), both channels last
 *   col2im                image_shape, block_shape, strides, dilations, pads; in the origin's axis order [n, c * block, positions]
 *   resize                also coordinate tf_crop_and_resize with roi [start_h, start_w, end_h, end_w] and extrapolation_value;
 *                         exclude_outside
 */
float sl_activation_f32(const struct sl_node *n, float x); /* `type`/`activation` of the node applied to one value */
bool sl_activation_known(const char *type);
/* Weighted layers: decoded attributes with checks done by infer_conv. */
struct sl_conv_geometry {
    int64_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right, groups;
};
void sl_conv_geometry(const struct sl_node *n, struct sl_conv_geometry *out);
/* Source indices and weights of each output position of a resize along one axis: nearest 1 a position, linear 2, cubic 4 (weights
 * sum to 1 and may be NULL; index -1: outside, in tf_crop_and_resize alone). Shared by float evaluation and quantization, which
 * rounds the weights. axis 0 = height, 1 = width. */
sluice_status sl_resize_indices(const struct sl_node *n, int axis, int64_t in_size, int64_t out_size, int32_t *index, double *weight,
                                sl_err *e);

#endif
