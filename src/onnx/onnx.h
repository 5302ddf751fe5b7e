/*
 * onnx.h: the ONNX front end. bytes -> native graph (channels last, layers named), or one clear error.
 *   onnx_proto.c    protobuf -> structures of views          front/known_files.c  what is given in place of a model
 *   onnx_import.c   order, inputs, outputs     onnx_*.c       one family of operators each, rows in onnx_ops.def
 *   front/patterns.c SiLU, GELU, ...           front/layout.c NCHW -> NHWC by moving transposes until they cancel
 */
#ifndef SL_ONNX_ONNX_H
#define SL_ONNX_ONNX_H

#include "base/reader.h"
#include "front/import_options.h"
#include "front/problems.h"
#include "ir/ir.h"

struct sl_onnx_value {
    const char *name;
    const struct sl_const *value;
}; /* of a graph input that is to be a constant */

/* Of a graph input; without a name, of all pictures, volumes and sequences among them. */
struct sl_onnx_format {
    const char *name;
    bool channels_first;
};

/* Start nodes are names of nodes or of graph inputs, end nodes names of nodes or of tensors. Shapes without a name are those of
 * the graph's inputs in their order. */
struct sl_onnx_options {
    struct sl_import_options common;
    const struct sl_onnx_value *tensor_values; /* shapes, axes, weights ... that arrive as inputs but never change */
    int n_tensor_values;
    const struct sl_onnx_format *formats; /* of inputs whose axis order is told rather than found */
    int n_formats;
    bool drop_cut_parts;    /* the report's preprocess and postprocess stay empty */
    bool keep_network_part; /* fill the report's network */
};

/* What the parsing report shows. */
struct sl_onnx_report {
    struct sl_import_report common;
    int64_t ir_version, opset;
    const char *producer;
    struct sl_view preprocess, postprocess; /* what start and end nodes cut off, as ONNX files; empty when nothing was */
    struct sl_view network;                 /* what they leave, as an ONNX file; empty when nothing was cut, or not asked for */
};

/* path: for messages, the default name and external data. bytes: the mapped file, which must live as long as the arena: weights
 * are views of it. The graph is allocated in `a`. report may be NULL. */
sluice_status sl_onnx_import(sl_arena *a, const char *path, struct sl_view bytes, const struct sl_onnx_options *o,
                             struct sl_graph **out, struct sl_onnx_report *report, sl_err *e);

#endif
