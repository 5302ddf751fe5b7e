/*
 * onnx_import.h: what the operator families share while an ONNX graph becomes IR nodes.
 *
 * Every ONNX value becomes one IR node. A constant value is a const_input node, made on first use; an emitted node whose inputs
 * are all constants is evaluated at once and becomes a const_input itself, so shape arithmetic never reaches the network. Nodes
 * are in the origin's layout: convolutions stand between explicit transposes, which front/layout.c then cancels.
 */
#ifndef SL_ONNX_ONNX_IMPORT_H
#define SL_ONNX_ONNX_IMPORT_H

#include "base/strings.h"
#include "front/build.h"
#include "front/const_order.h"
#include "front/const_values.h"
#include "ir/ir.h"
#include "onnx/onnx.h"
#include "onnx/onnx_proto.h"
#include "ops/op_rules.h"
#include "ops/ops.h"

/* A named ONNX value. Exactly one of node, init, sparse is set once it is known; a value that an unsupported operator would
 * have made has `missing`. */
struct onnx_value {
    const char *name;
    struct sl_node *node;
    const struct onnx_tensor *init;
    const struct onnx_sparse *sparse;
    int producer; /* 1 + index of the node that makes it in its list; 0: an input or initializer */
    bool missing;
    bool absent; /* an input of a function that its caller left out */
    bool unmade; /* missing because its node, though translated, does not make this output */
};

/* How a node of the main graph fared. */
enum onnx_fate { ONNX_UNUSED, ONNX_TRANSLATED, ONNX_FOLDED, ONNX_UNSUPPORTED, ONNX_SKIPPED };

/* Names of one graph: the main graph, the body of a function or of a branch. */
struct onnx_scope {
    struct onnx_scope *outer;       /* values seen through (branches); NULL for the main graph and functions */
    struct sl_map *values;          /* name -> struct onnx_value */
    const char *prefix;             /* of origins and labels inside a function: "caller/" */
    const struct onnx_node *caller; /* of a function: attributes that the body refers to */
    const struct onnx_function *function;
    struct onnx_scope *caller_scope;
    int64_t opset; /* of the default domain; at most 21 */
    int depth;
};

struct onnx_import {
    sl_arena *a;
    sl_arena *scratch;
    struct sl_graph *g;
    struct sl_build *b; /* makes the nodes of g */
    struct onnx_model *model;
    const struct sl_onnx_options *options;
    struct sl_onnx_report *report;
    struct sl_map *functions; /* "domain:name" -> struct onnx_function */
    bool kept_unquantized;    /* onnx_quantized.c has said so */
    struct sl_map *uses;      /* of the main graph's values, for onnx_quantized.c; made when it is first asked for */
    struct sl_map *files;     /* external data: location -> struct sl_view */
    const char *path, *directory;
    struct sl_view bytes;
    struct onnx_scope *scope;
    const struct onnx_node *node; /* being translated */
    bool located;                 /* the error at hand names its node */
    unsigned char *fates;         /* enum onnx_fate, by index in the main graph */
    int n_inlined;                /* nodes of function bodies and branches translated: bounded */
    sl_err *e;
};

typedef sluice_status onnx_translate_fn(struct onnx_import *c, const struct onnx_node *n);

struct onnx_op_row {
    const char *domain, *name;
    int since, until;      /* opsets of its domain that this row reads */
    int least_in, most_in; /* -1: any number */
    onnx_translate_fn *translate;
    const char *reason; /* why the operator is refused; then there is no translate */
};

const struct onnx_op_row *onnx_op_rows(int *n);
/* The row for a node; NULL with *known telling whether the operator exists at another opset. */
const struct onnx_op_row *onnx_op_find(const char *domain, const char *name, int64_t opset, bool *known);

#define ONNX(domain, name, since, until, least, most, translate) onnx_translate_fn translate;
#define ONNX_NOT(domain, name, reason)
#include "onnx/onnx_ops.def"
#undef ONNX
#undef ONNX_NOT

/* ---- onnx_values.c: inputs, outputs, constants, attributes ---- */
/* Input i as a node; NULL when left out. Fails when it is not known yet (never for a sorted graph). */
sluice_status onnx_in(struct onnx_import *c, int i, struct sl_node **out);
/* The same, for operators that also take sequences and optional values (onnx_sequence.c). */
sluice_status onnx_in_any(struct onnx_import *c, int i, struct sl_node **out);
bool onnx_is_tensor(const struct sl_node *n);
bool onnx_has_in(const struct onnx_import *c, int i);
/* Whether input i is there and computed at run time; reads nothing. */
bool onnx_is_run_time(struct onnx_import *c, int i);
/* Input i as a constant: *out NULL when it is not one or is left out. */
sluice_status onnx_in_const(struct onnx_import *c, int i, const struct sl_const **out);
/* A constant input that the operator cannot do without: fails with "input 'what' must be a constant". */
sluice_status onnx_need_const(struct onnx_import *c, int i, const char *what, const struct sl_const **out);
/* The same for values that are reordered at once: they may lie in the file at any address, so hand them to sl_const_permute, whose
 * result is aligned, and read nothing before. Spares a copy of what exporters did not align. */
sluice_status onnx_need_weights(struct onnx_import *c, int i, const char *what, const struct sl_const **out);
/* Input i, of this rank, with its axes permuted: onnx_in and sl_build_transpose, but a constant is not copied first. */
sluice_status onnx_in_permuted(struct onnx_import *c, int i, int rank, const int64_t *perm, struct sl_node **out);
/* Integer constants as int64 (any integer type; floats with whole values). count -1: any number. */
sluice_status onnx_const_ints(struct onnx_import *c, const struct sl_const *k, const char *what, int *n, int64_t **out);
sluice_status onnx_need_ints(struct onnx_import *c, int i, const char *what, int *n, int64_t **out);
/* TensorProto.DataType that the file declares for an input: an initializer's, or a graph input's. 0: not known. */
int32_t onnx_declared_type(struct onnx_import *c, int input);
/* Output i of the current node is this value. NULL-named outputs are ignored. */
sluice_status onnx_out(struct onnx_import *c, int i, struct sl_node *n);
bool onnx_wants_out(const struct onnx_import *c, int i);
struct onnx_value *onnx_value_find(struct onnx_scope *s, const char *name);
sluice_status onnx_value_node(struct onnx_import *c, struct onnx_value *v, struct sl_node **out);

/* Attributes of the current node, seen through function references. */
const struct onnx_attr *onnx_attribute(struct onnx_import *c, const char *name);
int64_t onnx_attr_int(struct onnx_import *c, const char *name, int64_t otherwise);
double onnx_attr_float(struct onnx_import *c, const char *name, double otherwise);
const char *onnx_attr_string(struct onnx_import *c, const char *name, const char *otherwise);
const int64_t *onnx_attr_ints(struct onnx_import *c, const char *name, int *n); /* NULL and 0 when absent */

/* ---- onnx_build.c: making nodes, besides front/build.h ---- */
sluice_status onnx_reshape(struct onnx_import *c, struct sl_node *in, int rank, const int64_t *dims, struct sl_node **out);
/* [n, c, ...] <-> [n, ..., c] */
sluice_status onnx_channels_last(struct onnx_import *c, struct sl_node *in, struct sl_node **out);
sluice_status onnx_channels_first(struct onnx_import *c, struct sl_node *in, struct sl_node **out);

/* ---- onnx_const.c: constants ---- */
enum { ONNX_TYPE_UINT4 = 21, ONNX_TYPE_INT4 = 22 }; /* kept in 8 bits */
enum sl_dtype onnx_dtype(int32_t data_type);        /* as declared: f16 is SL_F16; SL_NONE when not ours */
enum sl_dtype onnx_stored_dtype(int32_t data_type); /* as kept: all floats are SL_F32 */
const char *onnx_dtype_name(int32_t data_type);
/* The payload as a constant in `a`: a view of the file where type and alignment allow. */
sluice_status onnx_tensor_const(struct onnx_import *c, sl_arena *a, const struct onnx_tensor *t, const struct sl_const **out);
/* The same, but of the file's bytes where only their alignment is amiss. */
sluice_status onnx_tensor_view(struct onnx_import *c, sl_arena *a, const struct onnx_tensor *t, const struct sl_const **out);
sluice_status onnx_sparse_const(struct onnx_import *c, sl_arena *a, const struct onnx_sparse *s, const struct sl_const **out);

/* ---- shared between families ---- */
/* Axes as attribute or, since `opset_of_input`, as input; sorted, checked. given: whether there were any. */
sluice_status onnx_axes(struct onnx_import *c, int input, int opset_of_input, int rank, int *n, int64_t *axes, bool *given);
sluice_status onnx_matmul(struct onnx_import *c, struct sl_node *x, struct sl_node *y, struct sl_node **out);
/* Inputs 0 and 1 of arithmetic; before opset 7, `axis` says where the second one stands. */
sluice_status onnx_two_inputs(struct onnx_import *c, struct sl_node **x, struct sl_node **y);
sluice_status onnx_conv(struct onnx_import *c, struct sl_node *x, const struct sl_const *kernel, const struct sl_const *bias,
                        struct sl_node **out); /* by the current node's attributes */
sluice_status onnx_gather(struct onnx_import *c, struct sl_node *x, const struct sl_const *indices, int axis,
                          struct sl_node **out);
/* round(x / scale) + zero, limited, as an integer type t (data_type tells 4-bit ones apart; 0: not known). zero NULL: none. */
sluice_status onnx_quantize(struct onnx_import *c, struct sl_node *x, struct sl_node *scale, struct sl_node *zero,
                            int32_t data_type, enum sl_dtype t, struct sl_node **out);
/* x - zero as floats. */
sluice_status onnx_centred(struct onnx_import *c, struct sl_node *x, struct sl_node *zero, struct sl_node **out);
/* layer_norm or rms_norm from an axis on; gamma and beta may be NULL, or computed at run time. */
sluice_status onnx_layer_norm(struct onnx_import *c, enum sl_op op, struct sl_node *x, struct sl_node *gamma, struct sl_node *beta,
                              int axis, double epsilon, struct sl_node **out);
/* An operator of the default domain, as of an opset (0: the model's), on these inputs (NULL: left out), with the attributes of the
 * current node. */
sluice_status onnx_apply(struct onnx_import *c, const char *op, int64_t opset, int n_in, struct sl_node *const *in,
                         struct sl_node **out);
sluice_status onnx_pad_wrap(struct onnx_import *c, struct sl_node *x, int64_t *pads);

/* ---- later stages ---- */
/* From now on nodes and problems are this node's, under this name. */
void onnx_at_node(struct onnx_import *c, const struct onnx_node *n, const char *origin);
/* Translate a list of nodes (the main graph's, a function's or a branch's) that lead to the wanted names. */
sluice_status onnx_translate_nodes(struct onnx_import *c, const struct onnx_node *nodes, int n_nodes, const char *const *wanted,
                                   int n_wanted);
struct onnx_value *onnx_declare(struct onnx_import *c,
                                const char *name); /* in the current scope; fails (NULL) when it exists */
sluice_status onnx_declare_initializers(struct onnx_import *c, const struct onnx_graph *g);
sluice_status onnx_inline_function(struct onnx_import *c, const struct onnx_function *f);
sluice_status onnx_inline_graph(struct onnx_import *c, const struct onnx_graph *g, int n_in, struct sl_node *const *in,
                                struct sl_node **out);
/* The one message that names all unsupported nodes, with the end nodes of what is supported. */
sluice_status onnx_fail_unsupported(struct onnx_import *c, const char *const *wanted, int n_wanted);
/* The ONNX data type of ours; 0 when it has none. */
int32_t onnx_type_of(enum sl_dtype t);
/* Payload of an external tensor (raw_data of the same size). */
sluice_status onnx_tensor_bytes(struct onnx_import *c, const struct onnx_tensor *t, struct sl_view *out);
/* What a node reads: its inputs and, when it carries branches, the outer values that they may read. Returns how many. */
int onnx_node_reads(sl_arena *a, const struct onnx_node *n, const char ***out);
/* onnx_ports.c: which values the network starts from and ends at */
struct onnx_ports {
    int n_in, n_out;
    const char **in, **out;
};
sluice_status onnx_find_ports(struct onnx_import *c, struct onnx_ports *p);
/* The shape of input i of the node at hand: start nodes may have cut off a file's input whose shape is still asked for. */
sluice_status onnx_shape_in(struct onnx_import *c, int i, struct sl_shape *s);
sluice_status onnx_make_input(struct onnx_import *c, const char *name);
sluice_status onnx_make_outputs(struct onnx_import *c, const struct onnx_ports *p);
/* onnx_suppression.c: fills the report's nms facts, from anywhere in the main graph; never fails. */
void onnx_find_suppression(struct onnx_import *c);
/* onnx_cut.c: fills the report's preprocess and postprocess. After the graph is finished. */
sluice_status onnx_keep_cut_parts(struct onnx_import *c, const struct onnx_ports *p);

#endif
