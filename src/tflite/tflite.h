/*
 * tflite.h: the TFLite front end. bytes -> native graph (layers named), or one clear error.
 *   flatbuffer.c     bounds-checked access      tflite_schema.c  the file as structures of views
 *   tflite_import.c  order, inputs, outputs     tflite_*.c       one family of operators each, rows in tflite_ops.def
 *   tflite_quantized.c  a fully quantized file -> integer graph with the file's own scales
 */
#ifndef SL_TFLITE_TFLITE_H
#define SL_TFLITE_TFLITE_H

#include "base/reader.h"
#include "front/import_options.h"
#include "front/problems.h"
#include "ir/ir.h"

#define TFL_UNSIGNED "stored_unsigned"
#define TFL_SIGNED   "stored_signed"
#define TFL_FIXED    "fixed_point" /* a curve of an integer LSTM */
#define TFL_BYTES    "same_bytes"  /* a requantize that LiteRT leaves out: another encoding of the same stored values */
#define TFL_PARTS    "parts_of_list" /* while importing: a slice of a concatenation, as its inputs */

/* What the parsing report shows. Its problems name operators by their first output. */
struct sl_tflite_report {
    struct sl_import_report common;
    int64_t version;
    const char *description;
    /* The same network with what the file says of its quantization: n->quant of every tensor that has an encoding, params
     * kernel_scale (f32, one an output channel) and kernel_bias (s32, the file's own) of weighted layers, attribute
     * TFL_UNSIGNED of averages of uint8 and TFL_SIGNED of what LiteRT computes otherwise for signed integers: bilinear resizes,
     * and LOGISTIC, TANH, EXP and SOFTMAX of int16. NULL: the file computes in float. */
    struct sl_graph *encoded;
};

/* Operators have no names: start and end nodes are named by tensors. A shape without a name is that of the only input.
 * path: for messages and the default name. bytes: the mapped file, which must live as long as the arena: weights are views of
 * it. The graph is allocated in `a`. report may be NULL. */
sluice_status sl_tflite_import(sl_arena *a, const char *path, struct sl_view bytes, const struct sl_import_options *o,
                               struct sl_graph **out, struct sl_tflite_report *report, sl_err *e);

/* The integer graph of docs/numerics.md with the file's own scales and zero points: no calibration. encoded: of the report, not
 * changed. fp: the float graph of the same layers, stage fp_optimized; both live in `a`. SLUICE_E_UNSUPPORTED names a layer
 * without an encoding. */
sluice_status sl_tflite_quantized(const struct sl_graph *encoded, sl_arena *a, struct sl_graph **fp,
                                  struct sl_graph **quantized, sl_err *e);

#endif
