/*
 * ir.h: the graph every stage works on. A node has exactly one output tensor, so a node, its tensor and its layer share one
 * name, shape and encoding. Nodes are kept in topological order; everything lives in the graph's arena.
 * Front ends build it, ops give it meaning (ops/ops.h), har stores it as HN JSON + npz, ir/text.h as text. A node's attrs,
 * params and origins grow only through the functions below: they have no capacity field (ir/grow.h).
 */
#ifndef SL_IR_IR_H
#define SL_IR_IR_H

#include "base/arena.h"
#include "base/error.h"
#include "base/types.h"

enum sl_op {
#define OP(kind, ...) SL_OP_##kind,
#include "ir/ops.def"
#undef OP
    SL_OP_COUNT
};

/* An immutable constant: a view of its payload, or a splat (one element stands for all). Payload is C order, 64-byte aligned
 * where sluice allocated it, little-endian. */
struct sl_const {
    enum sl_dtype dtype;
    bool splat;
    struct sl_shape shape;
    const void *data; /* splat: one element */
    size_t bytes;     /* of data */
};

/* Encoding of a tensor. dtype SL_NONE: not quantized. */
struct sl_quant {
    enum sl_dtype dtype; /* SL_U8 or SL_U16 */
    float scale;         /* > 0 */
    int32_t zero_point;
    int n_scales; /* 0, or one scale a channel (network outputs) */
    const float *scales;
};

enum sl_attr_kind { SL_ATTR_INTS, SL_ATTR_FLOATS, SL_ATTR_STRING };

struct sl_attr {
    const char *name;
    enum sl_attr_kind kind;
    bool list; /* printed and stored as a list; a single value when false (n == 1) */
    int n;
    const int64_t *i;
    const double *f;
    const char *s;
};

struct sl_param {
    const char *name;
    const struct sl_const *value;
};

struct sl_node {
    enum sl_op op;
    int index;         /* position in graph->nodes, kept by sl_graph_* */
    const char *name;  /* layer name without scope: "conv1"; "" until names are given */
    const char *scope; /* network name: "yolox_nano" */
    int n_in;
    struct sl_node **in;
    int n_attrs;
    struct sl_attr *attrs;
    int n_params;
    struct sl_param *params;
    enum sl_dtype dtype;   /* of the output: the float side's type; quant.dtype says how it is stored when quantized */
    struct sl_shape shape; /* of the output, static, batch first */
    struct sl_quant quant;
    int n_origins;
    const char **origins; /* names of the nodes of the original model this one stands for, kept through every pass */
};

/* What the original model calls an input or output, and how its layout maps to ours: origin axis i = stored axis perm[i] is
 * found by transposing the stored tensor with `perm` and reshaping to `origin_shape`. */
struct sl_port {
    const char *origin_name;
    struct sl_node *node; /* an input_layer or output_layer */
    enum sl_dtype origin_dtype;
    struct sl_shape origin_shape;
    int perm[SL_MAX_RANK]; /* stored -> origin; identity when layouts agree */
};

/* A state tensor (KV cache): carried by every format from version 1. */
struct sl_state {
    const char *name;
    uint32_t id;
    enum sl_dtype dtype;
    struct sl_shape entry;
    int64_t length;
};
/* A scalar given at run time with a declared maximum that an instruction may use as an extent. */
struct sl_scalar {
    const char *name;
    uint32_t id;
    int64_t maximum;
};
/* A named alternative of a layer (LoRA adapter), chosen at load. */
struct sl_alternative {
    const char *name;
    struct sl_node *layer;
    int n_params;
    struct sl_param *params;
};

enum sl_stage { SL_STAGE_NATIVE, SL_STAGE_FP_OPTIMIZED, SL_STAGE_QUANTIZED };

struct sl_graph {
    sl_arena *arena;  /* not owned by the graph: a model's graphs share one */
    const char *name; /* of the network (first scope) */
    enum sl_stage stage;
    int n_nodes, capacity;
    struct sl_node **nodes;  /* topological order */
    int n_inputs, n_outputs; /* in the model's order */
    struct sl_port *inputs, *outputs;
    int n_scopes;
    const char **scopes;
    int n_states;
    struct sl_state *states;
    int n_scalars;
    struct sl_scalar *scalars;
    int n_alternatives;
    struct sl_alternative *alternatives;
};

/* ---- building ---- */
struct sl_graph *sl_graph_new(sl_arena *a, const char *name);
/* Append a node; inputs must already be in the graph. Type and shape are not set: ops' sl_infer (ops/ops.h) does that. */
struct sl_node *sl_graph_add(struct sl_graph *g, enum sl_op op, int n_in, struct sl_node *const *in);
/* The same, placed just before/after `at` in the order. Indices are renumbered by sl_graph_renumber. */
struct sl_node *sl_graph_insert_before(struct sl_graph *g, struct sl_node *at, enum sl_op op, int n_in,
                                       struct sl_node *const *in);
struct sl_node *sl_graph_insert_after(struct sl_graph *g, struct sl_node *at, enum sl_op op, int n_in,
                                      struct sl_node *const *in);
/* Node inputs, not ports; inputs of `to` itself stay, so that a node put behind `from` may read it. */
void sl_graph_replace_uses(struct sl_graph *g, const struct sl_node *from, struct sl_node *to);
int sl_graph_count_uses(const struct sl_graph *g, const struct sl_node *n);
void sl_graph_remove_dead(struct sl_graph *g); /* keeps input_layer and output_layer nodes; order kept; renumbers */
void sl_graph_renumber(struct sl_graph *g);
/* Stable topological sort (Kahn, lowest old index first). SLUICE_E_FORMAT names a node of a cycle. */
sluice_status sl_graph_sort(struct sl_graph *g, sl_err *e);
/* Deep copy of nodes, attributes and ports into `a`; constants are shared. Sources map to copies by index. */
struct sl_graph *sl_graph_copy(const struct sl_graph *g, sl_arena *a);
/* By "conv1", "net/conv1" or the name of an origin node. NULL when absent. */
struct sl_node *sl_graph_find(const struct sl_graph *g, const char *name);
void sl_node_add_origin(sl_arena *a, struct sl_node *n, const char *origin);
void sl_node_take_origins(sl_arena *a, struct sl_node *to, const struct sl_node *from);
/* Takes n's origins away and returns them on a node of their own, to be given back with sl_node_take_origins behind those of others:
 * origins stand in the order of computation, and what names the layer's own output comes last. */
struct sl_node sl_node_detach_origins(struct sl_node *n);
/* n becomes a layer of this op that reads `in`, without attributes and parameters; name, origins, type and shape stay. */
void sl_node_become(sl_arena *a, struct sl_node *n, enum sl_op op, int n_in, struct sl_node *const *in);
const char *
sl_node_text(const struct sl_node *n); /* for messages: "net/conv1", or its origin while unnamed; static per-thread buffer */

/* ---- attributes ---- (set replaces; values are copied) */
void sl_set_int(struct sl_graph *g, struct sl_node *n, const char *name, int64_t v);
void sl_set_ints(struct sl_graph *g, struct sl_node *n, const char *name, int count, const int64_t *v);
void sl_set_float(struct sl_graph *g, struct sl_node *n, const char *name, double v);
void sl_set_floats(struct sl_graph *g, struct sl_node *n, const char *name, int count, const double *v);
void sl_set_string(struct sl_graph *g, struct sl_node *n, const char *name, const char *v);
void sl_remove_attr(struct sl_node *n, const char *name);
const struct sl_attr *sl_attr(const struct sl_node *n, const char *name);
int64_t sl_get_int(const struct sl_node *n, const char *name, int64_t otherwise);
double sl_get_float(const struct sl_node *n, const char *name, double otherwise);
const char *sl_get_string(const struct sl_node *n, const char *name, const char *otherwise);
bool sl_is_activation(const struct sl_node *n, const char *type); /* an activation layer of this type */
/* Exactly `count` ints, else the defaults are kept and false returned. */
bool sl_get_ints(const struct sl_node *n, const char *name, int count, int64_t *v);

/* ---- parameters ---- */
void sl_set_param(struct sl_graph *g, struct sl_node *n, const char *name, const struct sl_const *value);
void sl_remove_param(struct sl_node *n, const char *name);
const struct sl_const *sl_param(const struct sl_node *n, const char *name); /* NULL when absent */
/* Takes ownership of nothing: data must live as long as the arena. Bytes must fit dtype and shape. */
const struct sl_const *sl_const_view(sl_arena *a, enum sl_dtype t, const struct sl_shape *s, const void *data);
const struct sl_const *sl_const_splat(sl_arena *a, enum sl_dtype t, const struct sl_shape *s, const void *element);
/* Allocate a payload to fill: *data is writable until the first reader. NULL when memory is refused. */
const struct sl_const *sl_const_new(sl_arena *a, enum sl_dtype t, const struct sl_shape *s, void **data);
/* The payload with a splat written out (arena allocation, cached nowhere). NULL when memory is refused. */
const void *sl_const_dense(sl_arena *a, const struct sl_const *c);
uint64_t sl_const_hash(const struct sl_const *c); /* of dtype, splat or not, and payload; never 0; computed at each call */

/* ---- op table, what the IR itself needs of it ---- */
struct sl_op_info {
    const char *name;    /* "conv": HN's type, IR text, docs */
    const char *counter; /* the counter and stem of its layer names: "conv", "ew_add" */
    int min_in, max_in;  /* max -1: any number */
};
const struct sl_op_info *sl_op_info(enum sl_op op);
bool sl_op_from_name(const char *name, enum sl_op *out);

/* Structure: order, input counts, unique names, ports, finite shapes; no meaning (ops' sl_verify_types does that). */
sluice_status sl_graph_verify(const struct sl_graph *g, sl_err *e);

#endif
