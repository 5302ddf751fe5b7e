/*
 * tflite_schema.h: a TFLite file as structures of views. Slot numbers are those of the public schema.fbs
 * (tensorflow/lite/schema); an operator's options stay a table that its translate function reads by the slots below.
 */
#ifndef SL_TFLITE_TFLITE_SCHEMA_H
#define SL_TFLITE_TFLITE_SCHEMA_H

#include "base/types.h"
#include "tflite/flatbuffer.h"
#include "base/arena.h"

/* TensorType */
enum tfl_type {
    TFL_FLOAT32,
    TFL_FLOAT16,
    TFL_INT32,
    TFL_UINT8,
    TFL_INT64,
    TFL_STRING,
    TFL_BOOL,
    TFL_INT16,
    TFL_COMPLEX64,
    TFL_INT8,
    TFL_FLOAT64,
    TFL_COMPLEX128,
    TFL_UINT64,
    TFL_RESOURCE,
    TFL_VARIANT,
    TFL_UINT32,
    TFL_UINT16,
    TFL_INT4,
    TFL_BFLOAT16,
    TFL_TYPE_COUNT
};

/* ActivationFunctionType, Padding */
enum { TFL_ACT_NONE, TFL_ACT_RELU, TFL_ACT_RELU_N1_TO_1, TFL_ACT_RELU6, TFL_ACT_TANH, TFL_ACT_SIGN_BIT };
enum { TFL_SAME, TFL_VALID };

/* Slots of the options tables, by operator. */
enum { CONV_PADDING, CONV_STRIDE_W, CONV_STRIDE_H, CONV_ACTIVATION, CONV_DILATION_W, CONV_DILATION_H };
enum { DW_PADDING, DW_STRIDE_W, DW_STRIDE_H, DW_MULTIPLIER, DW_ACTIVATION, DW_DILATION_W, DW_DILATION_H };
enum { TCONV_PADDING, TCONV_STRIDE_W, TCONV_STRIDE_H, TCONV_ACTIVATION };
enum { POOL_PADDING, POOL_STRIDE_W, POOL_STRIDE_H, POOL_WIDTH, POOL_HEIGHT, POOL_ACTIVATION };
enum { FC_ACTIVATION, FC_FORMAT, FC_KEEP_DIMS };
enum { SOFTMAX_BETA };
enum { CONCAT_AXIS, CONCAT_ACTIVATION };
enum { EW_ACTIVATION };
enum { LRN_RADIUS, LRN_BIAS, LRN_ALPHA, LRN_BETA };
enum { BILINEAR_HEIGHT, BILINEAR_WIDTH, BILINEAR_ALIGN, BILINEAR_HALF_PIXEL };
enum { NEAREST_ALIGN, NEAREST_HALF_PIXEL };
enum { RESHAPE_SHAPE };
enum { SQUEEZE_AXES };
enum { BLOCK_SIZE };
enum { GATHER_AXIS, GATHER_BATCH };
enum { REDUCE_KEEP_DIMS };
enum { STRIDED_BEGIN, STRIDED_END, STRIDED_ELLIPSIS, STRIDED_NEW_AXIS, STRIDED_SHRINK, STRIDED_OFFSET };
enum { SPLIT_COUNT };
enum { PACK_COUNT, PACK_AXIS };
enum { LEAKY_ALPHA };
enum { MIRROR_MODE };
enum { MATMUL_ADJ_X, MATMUL_ADJ_Y };
enum { GELU_APPROXIMATE };
enum { CUMSUM_EXCLUSIVE, CUMSUM_REVERSE };
enum { ONE_HOT_AXIS };
enum { SEQUENCE_AXIS, SEQUENCE_BATCH };
enum { SVDF_RANK, SVDF_ACTIVATION };
enum { LSTM_ACTIVATION, LSTM_CELL_CLIP, LSTM_PROJECTION_CLIP, LSTM_TIME_MAJOR, LSTM_DIAGONAL = 5 };
enum { BOTH_LSTM_MERGE = 3, BOTH_LSTM_TIME_MAJOR }; /* the first three as above */
enum { RNN_TIME_MAJOR, RNN_ACTIVATION, BOTH_RNN_MERGE };

enum { TFL_FIRST_STABLEHLO = 162, TFL_LAST_STABLEHLO = 209 };

struct tfl_tensor {
    const char *name;
    enum tfl_type type;
    struct sl_shape shape; /* as the file says, which may be wrong for computed tensors */
    bool dynamic;          /* shape_signature leaves a dimension open */
    bool variable;         /* state kept between runs */
    bool sparse;
    struct sl_view data; /* of a constant; empty otherwise */
    int n_scales;        /* 0: not quantized */
    const float *scales;
    const int64_t *zero_points; /* n_scales of them */
    int channel_axis;           /* of n_scales > 1 */
};

struct tfl_operator {
    int code;                      /* BuiltinOperator */
    const char *custom;            /* of CUSTOM */
    struct sl_view custom_options; /* its bytes, in a form of its own */
    int n_in, n_out, n_inner;
    const int *in, *out; /* tensor indices; -1: left out */
    const int *inner;    /* intermediates: tensors that say what is between an operator's parts */
    struct flat_table options;
    const char *label; /* name of its first output: what messages and origins call it */
};

struct tfl_model {
    struct flat flat;
    int64_t version;
    const char *description;
    int n_tensors, n_operators, n_inputs, n_outputs, n_subgraphs;
    struct tfl_tensor *tensors;
    struct tfl_operator *operators;
    int *inputs, *outputs;
};

/* bytes: the mapped file, which must live as long as the arena. */
sluice_status tfl_read_model(sl_arena *a, struct sl_view bytes, struct tfl_model *out, sl_err *e);
/* The same of another subgraph than the first. */
sluice_status tfl_read_subgraph(sl_arena *a, struct sl_view bytes, uint32_t index, struct tfl_model *out, sl_err *e);
const char *tfl_type_name(enum tfl_type t);
/* "this is a SavedModel ..." with the conversion that helps, for files that are not TFLite. */
sluice_status tfl_check_content(const char *path, struct sl_view bytes, sl_err *e);

#endif
