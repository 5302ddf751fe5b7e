/*
 * tflite_import.h: what the operator families share while a TFLite graph becomes IR nodes.
 *
 * Every TFLite tensor becomes one IR node. Quantized tensors stand for their real values, with the encoding in n->quant;
 * constants are const_input nodes made on first use, and a node whose inputs are all constants is evaluated at once, so shape
 * arithmetic and the DEQUANTIZE of float16 weights never reach the network. Layouts are channels last already, as the IR wants
 * them.
 */
#ifndef SL_TFLITE_TFLITE_IMPORT_H
#define SL_TFLITE_TFLITE_IMPORT_H

#include "front/build.h"
#include "front/const_order.h"
#include "front/const_values.h"
#include "ops/op_rules.h"
#include "ops/ops.h"
#include "tflite/tflite.h"
#include "tflite/tflite_schema.h"

/* A SPACE_TO_BATCH_ND whose convolution may become a dilated one. */
struct tfl_space {
    struct sl_node *from;
    int64_t block[2], pads[4];
};

struct tfl_value {
    struct sl_node *node;
    int producer;          /* 1 + index of the operator that makes it; 0: an input or constant */
    int n_readers, reader; /* operators that read it, and the last of them */
    bool missing;          /* an unsupported operator would have made it */
    bool wanted;           /* a graph output */
    const struct tfl_space *space;
};

enum tfl_fate { TFL_UNUSED, TFL_TRANSLATED, TFL_FOLDED, TFL_UNSUPPORTED, TFL_SKIPPED };

struct tfl_import {
    sl_arena *a;
    sl_arena *scratch;
    struct sl_graph *g;
    struct sl_build *b; /* makes the nodes of g; its room is for all constants that are no views of the file */
    struct tfl_model model;
    const struct sl_import_options *options;
    struct sl_tflite_report *report;
    struct tfl_value *values; /* by tensor */
    unsigned char *fates;     /* enum tfl_fate, by operator */
    int *starts, *ends;       /* tensors where the network starts and ends */
    int n_starts, n_ends;
    const struct tfl_operator *op; /* being translated */
    struct tfl_model **bodies;     /* other subgraphs, by index, read when they are used (tflite_control.c) */
    int n_bodies, depth;
    int n_encoded; /* inputs and computed tensors that have an encoding */
    sl_err *e;
};

typedef sluice_status tfl_translate_fn(struct tfl_import *c, const struct tfl_operator *op);

struct tfl_op_row {
    int code;
    const char *name;
    int least_in, most_in;       /* -1: any number */
    tfl_translate_fn *translate; /* NULL: known, and not supported for the reason */
    const char *reason;
};

const struct tfl_op_row *tfl_op_find(int code); /* NULL: unknown */
const struct tfl_op_row *tfl_op_rows(int *n);

#define TFL(code, name, least, most, translate) tfl_translate_fn translate;
#define TFL_NOT(code, name, reason)
#include "tflite/tflite_ops.def"
#undef TFL
#undef TFL_NOT

/* ---- tflite_values.c: inputs, outputs, constants ---- */
bool tfl_has_in(const struct tfl_import *c, int i);
/* Input i as a node; NULL when left out. */
sluice_status tfl_in(struct tfl_import *c, int i, struct sl_node **out);
/* Input i as a constant of real values (or integers): fails with "input 'what' must be a constant". */
sluice_status tfl_need_const(struct tfl_import *c, int i, const char *what, const struct sl_const **out);
sluice_status tfl_value_node(struct tfl_import *c, int tensor, struct sl_node **out);
sluice_status tfl_need_ints(struct tfl_import *c, int i, const char *what, int *n, int64_t *out); /* at most SL_MAX_RANK * 2 */
/* Output i of the current operator is this node; its encoding is the tensor's. */
sluice_status tfl_out(struct tfl_import *c, int i, struct sl_node *n);
/* A tensor of the file as a constant: f32 for floats of any width and quantized integers, else its own type. */
sluice_status tfl_tensor_const(struct tfl_import *c, const struct tfl_tensor *t, const struct sl_const **out);
/* u8 or u16 encoding of a tensor that has one for all channels; dtype SL_NONE otherwise. */
struct sl_quant tfl_encoding(const struct tfl_tensor *t);
bool tfl_is_quantized(const struct tfl_tensor *t);          /* integers that stand for real values */
enum sl_dtype tfl_dtype(enum tfl_type t);                   /* as declared; SL_NONE when not ours */
enum sl_dtype tfl_stored_dtype(const struct tfl_tensor *t); /* as kept in the IR */
const struct tfl_tensor *tfl_in_tensor(const struct tfl_import *c, int i);

/* ---- tflite_build.c: making nodes, besides front/build.h ---- */
sluice_status tfl_transpose(struct tfl_import *c, struct sl_node *in, const int64_t *perm, struct sl_node **out);
/* sl_build_slice, but whole inputs of a concatenation are taken as they are: a list that a loop writes entry by entry, each time a
 * new one of the parts of the last, becomes one concatenation of its entries. */
sluice_status tfl_slice(struct tfl_import *c, struct sl_node *in, const int64_t *starts, const int64_t *ends,
                        const int64_t *steps, struct sl_node **out);
/* The fused activation of the current operator, and its output. */
sluice_status tfl_activate(struct tfl_import *c, struct sl_node *in, int64_t activation, struct sl_node **out);
/* What LiteRT computes in a way of its own where the current operator's output is int16. */
void tfl_mark_wide(struct tfl_import *c, struct sl_node *n);
sluice_status tfl_activated_out(struct tfl_import *c, unsigned slot, struct sl_node *n);

/* ---- shared between families ---- */
/* A weighted node's params from tensors of the current operator: kernel (reordered by perm and reshaped), its scales, the bias.
 */
struct tfl_weights {
    const struct sl_const *kernel, *bias, *scale, *file_bias;
};
sluice_status tfl_read_weights(struct tfl_import *c, int kernel_input, int bias_input, int data_input, int rank,
                               int channel_axis, const int64_t *perm, struct tfl_weights *w);
/* A bias of integers, in units of the scales of what is multiplied; one for each of `channels`. */
sluice_status tfl_integer_bias(struct tfl_import *c, const struct tfl_tensor *bias, const struct tfl_tensor *data,
                               const struct tfl_tensor *kernel, int64_t channels, struct tfl_weights *w);
void tfl_set_weights(struct tfl_import *c, struct sl_node *n, const struct tfl_weights *w);

bool tfl_is_complex(const struct tfl_import *c, int tensor); /* tflite_signal.c: a node with an axis of 2 more than the tensor */

/* ---- custom operators that are known ---- */
tfl_translate_fn tfl_convolution_transpose_bias; /* tflite_window.c */

/* ---- stages ---- */
sluice_status tfl_find_ports(struct tfl_import *c); /* tflite_ports.c */
sluice_status tfl_make_inputs(struct tfl_import *c);
sluice_status tfl_make_outputs(struct tfl_import *c);
sluice_status tfl_translate(struct tfl_import *c); /* tflite_order.c */
sluice_status tfl_run_operator(struct tfl_import *c, const struct tfl_operator *op);
sluice_status tfl_fail_unsupported(struct tfl_import *c); /* tflite_problems.c */

/* tflite_detection.c: fills the report's nms facts, from anywhere in the file; never fails. */
void tfl_find_detection(struct tfl_import *c);

#endif
