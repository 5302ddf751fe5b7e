/*
 * onnx_proto.h: an ONNX file as structures of views into its bytes (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 * Read by our own bounds-checked wire reader; weights are never copied here. The importer (onnx_import.c) comes after it.
 */
#ifndef SL_ONNX_ONNX_PROTO_H
#define SL_ONNX_ONNX_PROTO_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/types.h"

struct onnx_graph;

/* TensorProto. The payload stays where it is: raw bytes, typed fields (walked again on use), or another file. */
struct onnx_tensor {
    const char *name;
    int32_t data_type; /* TensorProto.DataType */
    int n_dims;
    const int64_t *dims;
    bool has_raw;
    struct sl_view raw;
    struct sl_view message; /* the whole TensorProto, for typed fields */
    bool external;
    const char *location;    /* relative path of external data */
    uint64_t offset, length; /* length 0: up to the end or as needed */
};

struct onnx_sparse {
    struct onnx_tensor values, indices;
    int n_dims;
    const int64_t *dims;
};

enum onnx_attr_type {
    ONNX_ATTR_UNDEFINED,
    ONNX_ATTR_FLOAT,
    ONNX_ATTR_INT,
    ONNX_ATTR_STRING,
    ONNX_ATTR_TENSOR,
    ONNX_ATTR_GRAPH,
    ONNX_ATTR_FLOATS,
    ONNX_ATTR_INTS,
    ONNX_ATTR_STRINGS,
    ONNX_ATTR_TENSORS,
    ONNX_ATTR_GRAPHS,
    ONNX_ATTR_SPARSE,
    ONNX_ATTR_SPARSES,
    ONNX_ATTR_TYPE_PROTO,
    ONNX_ATTR_TYPE_PROTOS
};

struct onnx_attr {
    const char *name;
    const char *reference; /* ref_attr_name: inside a function, the caller's attribute; NULL when absent */
    enum onnx_attr_type type;
    float f;
    int64_t i;
    const char *s;
    const struct onnx_tensor *tensor;
    const struct onnx_graph *graph;
    const struct onnx_sparse *sparse;
    int n; /* of floats, ints or strings */
    const float *floats;
    const int64_t *ints;
    const char **strings;
};

struct onnx_node {
    const char *name; /* "" when absent */
    const char *op_type, *domain, *overload;
    const char *label; /* for messages and origins: the name, else the first output's name */
    int n_in, n_out, n_attrs;
    const char **in, **out; /* "" = an optional one left out */
    struct onnx_attr *attrs;
};

struct onnx_dim {
    int64_t value;
    const char *param;
}; /* value -1: unknown; param "" when it has no name */
struct onnx_value_info {
    const char *name;
    int32_t elem_type; /* 0: not a tensor, or unknown */
    bool has_shape;
    int rank;
    struct onnx_dim *dims;
};

struct onnx_graph {
    const char *name;
    int n_nodes, n_initializers, n_sparse, n_inputs, n_outputs, n_infos;
    struct onnx_node *nodes;
    struct onnx_tensor *initializers;
    struct onnx_sparse *sparse;
    struct onnx_value_info *inputs, *outputs, *infos;
};

struct onnx_opset {
    const char *domain;
    int64_t version;
};

struct onnx_function {
    const char *name, *domain, *overload;
    int n_in, n_out, n_nodes, n_opsets, n_defaults;
    const char **in, **out;
    struct onnx_node *nodes;
    struct onnx_opset *opsets;
    struct onnx_attr *defaults; /* attribute_proto: attributes with default values */
};

struct onnx_model {
    int64_t ir_version;
    const char *producer, *producer_version;
    int n_opsets, n_functions, n_metadata;
    struct onnx_opset *opsets;
    struct onnx_function *functions;
    const char **metadata; /* key, value, key, value, ... (n_metadata pairs) */
    struct onnx_graph *graph;
};

/* Everything read from `bytes` lives in the arena or is a view of `bytes`. Structure only: names and types are not checked
 * against each other. */
sluice_status onnx_read_model(sl_arena *a, struct sl_view bytes, struct onnx_model **out, sl_err *e);

/* A file that holds one TensorProto, as the operator test vectors do. */
sluice_status onnx_read_tensor(sl_arena *a, struct sl_view bytes, struct onnx_tensor *out, sl_err *e);

const struct onnx_attr *onnx_find_attr(const struct onnx_node *n, const char *name);

#endif
