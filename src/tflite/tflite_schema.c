/* tflite_schema.c: reads Model, SubGraph, Tensor, Operator and Buffer of a TFLite file; every index is checked here, so that
 * the importer may follow them. */
#include "tflite/tflite_schema.h"

#include <math.h>
#include <string.h>

/* Slots of the fixed tables. */
enum { MODEL_VERSION, MODEL_CODES, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS };
enum { CODE_OLD, CODE_CUSTOM, CODE_VERSION, CODE_BUILTIN };
enum { GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS };
enum {
    TENSOR_SHAPE,
    TENSOR_TYPE,
    TENSOR_BUFFER,
    TENSOR_NAME,
    TENSOR_QUANTIZATION,
    TENSOR_VARIABLE,
    TENSOR_SPARSITY,
    TENSOR_SIGNATURE
};
enum { QUANT_SCALE = 2, QUANT_ZERO_POINT = 3, QUANT_AXIS = 6 };
enum {
    OPERATOR_CODE,
    OPERATOR_INPUTS,
    OPERATOR_OUTPUTS,
    OPERATOR_OPTIONS_TYPE,
    OPERATOR_OPTIONS,
    OPERATOR_CUSTOM_OPTIONS,
    OPERATOR_INTERMEDIATES = 8,
    OPERATOR_OPTIONS_2 = 12
};
enum { BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE };
enum { CODE_OF_CUSTOM = 32 };

struct schema {
    sl_arena *a;
    struct tfl_model *m;
    sl_err *e;
};

const char *tfl_type_name(enum tfl_type t)
{
    static const char *const names[TFL_TYPE_COUNT] = {
        "float32", "float16",    "int32",  "uint8",    "int64",   "string", "bool",   "int16", "complex64", "int8",
        "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4",  "bfloat16"};
    return (unsigned)t < TFL_TYPE_COUNT ? names[t] : "an unknown type";
}

static const char *text_of(sl_arena *a, struct sl_view v)
{
    return v.size ? sl_arena_strndup(a, (const char *)v.data, v.size) : "";
}

static sluice_status broken(const struct schema *s, const char *what)
{
    return sl_fail(s->e, SLUICE_E_FORMAT, "%s: an offset points outside the file or past its table", what);
}

/* ---- buffers ---- */

/* Data lies in a vector, or (files past 2 GB) at an offset from the file's start. */
static sluice_status read_buffer(const struct schema *s, const struct flat_vector *buffers, int64_t index, struct sl_view *out)
{
    struct flat *f = &s->m->flat;
    *out = (struct sl_view){0};
    if (index == 0 || buffers->n == 0)
        return SLUICE_OK; /* by the schema buffer 0 is empty: the tensor is computed */
    if (index >= buffers->n)
        return sl_fail(s->e, SLUICE_E_FORMAT, "buffer %lld of %u", (long long)index, (unsigned)buffers->n);
    struct flat_table b = flat_item(buffers, (uint32_t)index);
    struct flat_vector data = flat_list(&b, BUFFER_DATA, 1);
    uint64_t offset = flat_u64(&b, BUFFER_OFFSET, 0), size = flat_u64(&b, BUFFER_SIZE, 0);
    if (f->bad)
        return broken(s, "a buffer");
    if (data.n)
        *out = (struct sl_view){f->bytes.data + data.at, data.n};
    else if (offset > 1) {
        if (offset > f->bytes.size || size > f->bytes.size - offset)
            return sl_fail(s->e, SLUICE_E_FORMAT, "buffer %lld ends past the file", (long long)index);
        *out = (struct sl_view){f->bytes.data + offset, (size_t)size};
    }
    return SLUICE_OK;
}

/* ---- tensors ---- */

static sluice_status read_shape(const struct schema *s, const struct flat_table *t, struct tfl_tensor *out)
{
    struct flat_vector dims = flat_list(t, TENSOR_SHAPE, 4), open = flat_list(t, TENSOR_SIGNATURE, 4);
    if (dims.n > SL_MAX_RANK)
        return sl_fail(s->e, SLUICE_E_LIMIT, "tensor '%s' has %u dimensions, at most %d are supported", out->name,
                       (unsigned)dims.n, SL_MAX_RANK);
    out->shape.rank = (int)dims.n;
    for (uint32_t i = 0; i < dims.n; i++) {
        out->shape.dim[i] = flat_item_s32(&dims, i);
        if (out->shape.dim[i] == -1) {
            out->dynamic = true;
            out->shape.dim[i] = 1;
        }
        if (out->shape.dim[i] < 0)
            return sl_fail(s->e, SLUICE_E_SHAPE, "tensor '%s': dimension %u is %lld", out->name, (unsigned)i,
                           (long long)out->shape.dim[i]);
    }
    for (uint32_t i = 0; i < open.n; i++)
        out->dynamic = out->dynamic || flat_item_s32(&open, i) < 0;
    size_t n;
    if (!sl_shape_count(&out->shape, &n))
        return sl_fail(s->e, SLUICE_E_LIMIT, "tensor '%s' is larger than 2^46 elements", out->name);
    return SLUICE_OK;
}

static sluice_status read_quantization(const struct schema *s, const struct flat_table *t, struct tfl_tensor *out)
{
    struct flat_table q = flat_child(t, TENSOR_QUANTIZATION);
    struct flat_vector scales = flat_list(&q, QUANT_SCALE, 4), zeros = flat_list(&q, QUANT_ZERO_POINT, 8);
    out->channel_axis = (int)flat_s32(&q, QUANT_AXIS, 0);
    if (scales.n == 0)
        return SLUICE_OK;
    if (zeros.n != 0 && zeros.n != scales.n && zeros.n != 1)
        return sl_fail(s->e, SLUICE_E_FORMAT, "tensor '%s' has %u scales and %u zero points", out->name, (unsigned)scales.n,
                       (unsigned)zeros.n);
    float *scale = SL_NEW_ARRAY(s->a, float, scales.n);
    int64_t *zero = SL_NEW_ARRAY(s->a, int64_t, scales.n);
    for (uint32_t i = 0; i < scales.n; i++) {
        scale[i] = flat_item_f32(&scales, i);
        zero[i] = zeros.n == 0 ? 0 : flat_item_s64(&zeros, zeros.n == 1 ? 0 : i);
        if (!isfinite(scale[i]) || scale[i] < 0)
            return sl_fail(s->e, SLUICE_E_VALUE, "tensor '%s': scale %g is not positive", out->name, (double)scale[i]);
        if (zero[i] < -65536 || zero[i] > 65536)
            return sl_fail(s->e, SLUICE_E_VALUE, "tensor '%s': zero point %lld is outside every type's range", out->name,
                           (long long)zero[i]);
    }
    out->n_scales = (int)scales.n;
    out->scales = scale;
    out->zero_points = zero;
    return SLUICE_OK;
}

static sluice_status read_tensor(const struct schema *s, const struct flat_table *t, const struct flat_vector *buffers,
                                 int index, struct tfl_tensor *out)
{
    struct sl_view name = flat_string(t, TENSOR_NAME);
    out->name = name.size ? text_of(s->a, name) : sl_arena_printf(s->a, "tensor_%d", index);
    out->type = (enum tfl_type)flat_s8(t, TENSOR_TYPE, 0);
    out->variable = flat_u8(t, TENSOR_VARIABLE, 0) != 0;
    out->sparse = flat_has(t, TENSOR_SPARSITY);
    if ((unsigned)out->type >= TFL_TYPE_COUNT)
        return sl_fail(s->e, SLUICE_E_UNSUPPORTED, "tensor '%s' has type number %d, 0 to %d are known", out->name,
                       (int)out->type, TFL_TYPE_COUNT - 1);
    SL_TRY(read_shape(s, t, out));
    SL_TRY(read_quantization(s, t, out));
    SL_TRY(read_buffer(s, buffers, flat_u32(t, TENSOR_BUFFER, 0), &out->data));
    return s->m->flat.bad ? broken(s, out->name) : SLUICE_OK;
}

static sluice_status read_tensors(const struct schema *s, const struct flat_table *g, const struct flat_vector *buffers)
{
    struct flat_vector list = flat_list(g, GRAPH_TENSORS, 4);
    struct tfl_model *m = s->m;
    m->n_tensors = (int)list.n;
    m->tensors = SL_NEW_ARRAY(s->a, struct tfl_tensor, (size_t)list.n + 1);
    for (uint32_t i = 0; i < list.n; i++) {
        struct flat_table t = flat_item(&list, i);
        if (m->flat.bad)
            return broken(s, "a tensor");
        SL_TRY(read_tensor(s, &t, buffers, (int)i, &m->tensors[i]));
    }
    return SLUICE_OK;
}

/* ---- operators ---- */

static sluice_status read_indices(const struct schema *s, const struct flat_table *t, unsigned slot, bool optional,
                                  const char *what, int *n, int **out)
{
    struct flat_vector v = flat_list(t, slot, 4);
    if (s->m->flat.bad)
        return broken(s, what);
    *n = (int)v.n;
    *out = SL_NEW_ARRAY(s->a, int, (size_t)v.n + 1);
    for (uint32_t i = 0; i < v.n; i++) {
        (*out)[i] = flat_item_s32(&v, i);
        if ((*out)[i] < (optional ? -1 : 0) || (*out)[i] >= s->m->n_tensors)
            return sl_fail(s->e, SLUICE_E_FORMAT, "%s: tensor %d of %d", what, (*out)[i], s->m->n_tensors);
    }
    return SLUICE_OK;
}

static sluice_status read_operator(const struct schema *s, const struct flat_table *t, const struct flat_vector *codes,
                                   int index, struct tfl_operator *out)
{
    int64_t code = flat_u32(t, OPERATOR_CODE, 0);
    int *in, *outs, *inner;
    if (code >= codes->n)
        return sl_fail(s->e, SLUICE_E_FORMAT, "operator %d has code %lld of %u", index, (long long)code, (unsigned)codes->n);
    struct flat_table c = flat_item(codes, (uint32_t)code);
    int64_t old = flat_s8(&c, CODE_OLD, 0), builtin = flat_s32(&c, CODE_BUILTIN, 0);
    out->code = (int)(builtin > old ? builtin : old);
    out->custom = out->code == CODE_OF_CUSTOM ? text_of(s->a, flat_string(&c, CODE_CUSTOM)) : NULL;
    SL_TRY(read_indices(s, t, OPERATOR_INPUTS, true, "an operator's inputs", &out->n_in, &in));
    SL_TRY(read_indices(s, t, OPERATOR_OUTPUTS, false, "an operator's outputs", &out->n_out, &outs));
    SL_TRY(read_indices(s, t, OPERATOR_INTERMEDIATES, true, "an operator's intermediates", &out->n_inner, &inner));
    out->in = in;
    out->out = outs;
    out->inner = inner;
    out->options = flat_child(t, out->code >= TFL_FIRST_STABLEHLO ? OPERATOR_OPTIONS_2 : OPERATOR_OPTIONS);
    out->custom_options = out->custom ? flat_string(t, OPERATOR_CUSTOM_OPTIONS) : (struct sl_view){NULL, 0};
    out->label = out->n_out ? s->m->tensors[outs[0]].name : sl_arena_printf(s->a, "operator_%d", index);
    return s->m->flat.bad ? broken(s, out->label) : SLUICE_OK;
}

static sluice_status read_graph(const struct schema *s, const struct flat_table *root, const struct flat_table *g)
{
    struct tfl_model *m = s->m;
    struct flat_vector buffers = flat_list(root, MODEL_BUFFERS, 4), codes = flat_list(root, MODEL_CODES, 4);
    SL_TRY(read_tensors(s, g, &buffers));
    SL_TRY(read_indices(s, g, GRAPH_INPUTS, false, "the graph's inputs", &m->n_inputs, &m->inputs));
    SL_TRY(read_indices(s, g, GRAPH_OUTPUTS, false, "the graph's outputs", &m->n_outputs, &m->outputs));
    struct flat_vector list = flat_list(g, GRAPH_OPERATORS, 4);
    m->n_operators = (int)list.n;
    m->operators = SL_NEW_ARRAY(s->a, struct tfl_operator, (size_t)list.n + 1);
    for (uint32_t i = 0; i < list.n; i++) {
        struct flat_table t = flat_item(&list, i);
        if (m->flat.bad)
            return broken(s, "an operator");
        SL_TRY(read_operator(s, &t, &codes, (int)i, &m->operators[i]));
    }
    return m->flat.bad ? broken(s, "the graph") : SLUICE_OK;
}

sluice_status tfl_read_subgraph(sl_arena *a, struct sl_view bytes, uint32_t index, struct tfl_model *out, sl_err *e)
{
    struct schema s = {a, out, e};
    *out = (struct tfl_model){.description = ""};
    struct flat_table root = flat_open(&out->flat, bytes, "TFL3");
    struct flat_vector graphs = flat_list(&root, MODEL_SUBGRAPHS, 4);
    out->version = flat_u32(&root, MODEL_VERSION, 0);
    out->description = text_of(a, flat_string(&root, MODEL_DESCRIPTION));
    out->n_subgraphs = (int)graphs.n;
    if (out->flat.bad)
        return broken(&s, "the model");
    if (out->version != 3)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "schema version %lld, version 3 is read", (long long)out->version);
    if (graphs.n == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "the model has no subgraph");
    if (index >= graphs.n)
        return sl_fail(e, SLUICE_E_FORMAT, "subgraph %u of %u", (unsigned)index, (unsigned)graphs.n);
    struct flat_table g = flat_item(&graphs, index);
    if (out->flat.bad)
        return broken(&s, index ? "a subgraph" : "the first subgraph");
    return read_graph(&s, &root, &g);
}

/* The other subgraphs are bodies of IF and WHILE, or further signatures. */
sluice_status tfl_read_model(sl_arena *a, struct sl_view bytes, struct tfl_model *out, sl_err *e)
{
    return tfl_read_subgraph(a, bytes, 0, out, e);
}
