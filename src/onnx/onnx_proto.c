/*
 * onnx_proto.c: reads ONNX protobuf messages into the structures of onnx_proto.h. Each message is walked twice: once to count
 * its repeated fields, once to fill arrays of exactly that size, so that time and memory are linear in the file.
 */
#include <string.h>

#include "onnx/onnx_wire.h"

/* Field numbers of the messages read here. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14,
    MODEL_FUNCTION = 25
};
enum {
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_INFO = 13,
    GRAPH_SPARSE = 15
};
enum { NODE_IN = 1, NODE_OUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTR = 5, NODE_DOMAIN = 7, NODE_OVERLOAD = 8 };
enum {
    ATTR_NAME = 1,
    ATTR_F = 2,
    ATTR_I = 3,
    ATTR_S = 4,
    ATTR_T = 5,
    ATTR_G = 6,
    ATTR_FLOATS = 7,
    ATTR_INTS = 8,
    ATTR_STRINGS = 9,
    ATTR_TYPE = 20,
    ATTR_REFERENCE = 21,
    ATTR_SPARSE = 22
};
enum {
    FUNCTION_NAME = 1,
    FUNCTION_IN = 4,
    FUNCTION_OUT = 5,
    FUNCTION_NODE = 7,
    FUNCTION_OPSET = 9,
    FUNCTION_DOMAIN = 10,
    FUNCTION_DEFAULT = 11,
    FUNCTION_OVERLOAD = 13
};
enum { MOST_GRAPH_DEPTH = 16 };

/* ---- values ---- */

static sluice_status read_dim(struct onnx_parser *p, struct sl_view v, struct onnx_dim *d)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    *d = (struct onnx_dim){-1, ""};
    while (sl_next_field(&r, &f)) {
        if (f.number == 1)
            *d = (struct onnx_dim){(int64_t)f.value, ""};
        else if (f.number == 2)
            SL_TRY(onnx_wire_read_string(p, &f, "dimension name", &d->param));
    }
    return r.bad ? onnx_wire_bad(p, "dimension", &r) : SLUICE_OK;
}

static sluice_status read_shape(struct onnx_parser *p, struct sl_view v, struct onnx_value_info *i)
{
    struct onnx_counts c;
    SL_TRY(onnx_wire_count_fields(p, v, "shape", &c));
    if (c.n[1] > ONNX_MOST_DIMS)
        return sl_fail(p->e, SLUICE_E_LIMIT, "a shape of %d dimensions, at most %d are read", c.n[1], ONNX_MOST_DIMS);
    SL_TRY(onnx_wire_take(p, (size_t)c.n[1], sizeof *i->dims, &i->dims));
    i->has_shape = true;
    i->rank = 0;
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    while (sl_next_field(&r, &f))
        if (f.number == 1) {
            SL_TRY(onnx_wire_need_message(p, &f, "dimension"));
            SL_TRY(read_dim(p, f.bytes, &i->dims[i->rank++]));
        }
    return SLUICE_OK;
}

static sluice_status read_tensor_type(struct onnx_parser *p, struct sl_view v, struct onnx_value_info *i)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    while (sl_next_field(&r, &f)) {
        if (f.number == 1) {
            i->elem_type = (int32_t)f.value;
        } else if (f.number == 2) {
            SL_TRY(onnx_wire_need_message(p, &f, "shape"));
            SL_TRY(read_shape(p, f.bytes, i));
        }
    }
    return r.bad ? onnx_wire_bad(p, "tensor type", &r) : SLUICE_OK;
}

static sluice_status read_type(struct onnx_parser *p, struct sl_view v, struct onnx_value_info *i)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    while (sl_next_field(&r, &f))
        if (f.number == 1) { /* tensor_type; sequences, maps and optionals leave elem_type 0 */
            SL_TRY(onnx_wire_need_message(p, &f, "tensor type"));
            SL_TRY(read_tensor_type(p, f.bytes, i));
        }
    return r.bad ? onnx_wire_bad(p, "type", &r) : SLUICE_OK;
}

static sluice_status read_value_info(struct onnx_parser *p, struct sl_view v, struct onnx_value_info *i)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    *i = (struct onnx_value_info){.name = ""};
    while (sl_next_field(&r, &f)) {
        if (f.number == 1) {
            SL_TRY(onnx_wire_read_string(p, &f, "value name", &i->name));
        } else if (f.number == 2) {
            SL_TRY(onnx_wire_need_message(p, &f, "type"));
            SL_TRY(read_type(p, f.bytes, i));
        }
    }
    return r.bad ? onnx_wire_bad(p, "value info", &r) : SLUICE_OK;
}

/* ---- nodes ---- */

static sluice_status read_graph(struct onnx_parser *p, struct sl_view v, int depth, struct onnx_graph **out);

/* Models of IR version 1 and hand-written ones may leave the type out: it follows from the field that is set. */
static enum onnx_attr_type attr_type_from_fields(const struct onnx_counts *c)
{
    static const struct {
        uint32_t field;
        enum onnx_attr_type type;
    } order[] = {{ATTR_F, ONNX_ATTR_FLOAT},   {ATTR_I, ONNX_ATTR_INT},           {ATTR_S, ONNX_ATTR_STRING},
                 {ATTR_T, ONNX_ATTR_TENSOR},  {ATTR_G, ONNX_ATTR_GRAPH},         {ATTR_FLOATS, ONNX_ATTR_FLOATS},
                 {ATTR_INTS, ONNX_ATTR_INTS}, {ATTR_STRINGS, ONNX_ATTR_STRINGS}, {ATTR_SPARSE, ONNX_ATTR_SPARSE}};
    for (size_t k = 0; k < SL_COUNT(order); k++)
        if (c->n[order[k].field])
            return order[k].type;
    return ONNX_ATTR_UNDEFINED;
}

static sluice_status read_attr_message(struct onnx_parser *p, const struct sl_field *f, int depth, struct onnx_attr *at)
{
    SL_TRY(onnx_wire_need_message(p, f, "attribute value"));
    if (f->number == ATTR_G) {
        struct onnx_graph *g;
        SL_TRY(read_graph(p, f->bytes, depth + 1, &g));
        at->graph = g;
    } else if (f->number == ATTR_T) {
        struct onnx_tensor *t;
        SL_TRY(onnx_wire_take(p, 1, sizeof *t, &t));
        SL_TRY(onnx_wire_read_tensor(p, f->bytes, t));
        at->tensor = t;
    } else {
        struct onnx_sparse *s;
        SL_TRY(onnx_wire_take(p, 1, sizeof *s, &s));
        SL_TRY(onnx_wire_read_sparse(p, f->bytes, s));
        at->sparse = s;
    }
    return SLUICE_OK;
}

static sluice_status read_attr(struct onnx_parser *p, struct sl_view v, int depth, struct onnx_attr *at)
{
    struct onnx_counts c;
    *at = (struct onnx_attr){.name = "", .s = ""};
    SL_TRY(onnx_wire_count_fields(p, v, "attribute", &c));
    at->type = attr_type_from_fields(&c);
    if (c.n[ATTR_STRINGS])
        SL_TRY(onnx_wire_take(p, (size_t)c.n[ATTR_STRINGS], sizeof *at->strings, &at->strings));
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    int n_strings = 0;
    while (sl_next_field(&r, &f)) {
        switch (f.number) {
        case ATTR_NAME:
            SL_TRY(onnx_wire_read_string(p, &f, "attribute name", &at->name));
            break;
        case ATTR_REFERENCE:
            SL_TRY(onnx_wire_read_string(p, &f, "attribute reference", &at->reference));
            break;
        case ATTR_F:
            at->f = sl_field_f32(&f);
            break;
        case ATTR_I:
            at->i = (int64_t)f.value;
            break;
        case ATTR_S:
            SL_TRY(onnx_wire_read_bytes_text(p, &f, &at->s));
            break;
        case ATTR_STRINGS:
            SL_TRY(onnx_wire_read_bytes_text(p, &f, &at->strings[n_strings++]));
            break;
        case ATTR_TYPE:
            at->type = (enum onnx_attr_type)(f.value <= ONNX_ATTR_TYPE_PROTOS ? f.value : 0);
            break;
        case ATTR_T:
        case ATTR_G:
        case ATTR_SPARSE:
            SL_TRY(read_attr_message(p, &f, depth, at));
            break;
        default:
            break;
        }
    }
    at->n = n_strings;
    if (at->type == ONNX_ATTR_INTS)
        return onnx_wire_read_ints(p, v, ATTR_INTS, "attribute ints", &at->n, &at->ints);
    if (at->type == ONNX_ATTR_FLOATS)
        return onnx_wire_read_floats(p, v, ATTR_FLOATS, "attribute floats", &at->n, &at->floats);
    return SLUICE_OK;
}

static sluice_status read_node(struct onnx_parser *p, struct sl_view v, int depth, struct onnx_node *n)
{
    struct onnx_counts c;
    *n = (struct onnx_node){.name = "", .op_type = "", .domain = "", .overload = ""};
    SL_TRY(onnx_wire_count_fields(p, v, "node", &c));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[NODE_IN], sizeof *n->in, &n->in));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[NODE_OUT], sizeof *n->out, &n->out));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[NODE_ATTR], sizeof *n->attrs, &n->attrs));
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    while (sl_next_field(&r, &f)) {
        switch (f.number) {
        case NODE_IN:
            SL_TRY(onnx_wire_read_string(p, &f, "node input", &n->in[n->n_in++]));
            break;
        case NODE_OUT:
            SL_TRY(onnx_wire_read_string(p, &f, "node output", &n->out[n->n_out++]));
            break;
        case NODE_NAME:
            SL_TRY(onnx_wire_read_string(p, &f, "node name", &n->name));
            break;
        case NODE_OP:
            SL_TRY(onnx_wire_read_string(p, &f, "op_type", &n->op_type));
            break;
        case NODE_DOMAIN:
            SL_TRY(onnx_wire_read_string(p, &f, "domain", &n->domain));
            break;
        case NODE_OVERLOAD:
            SL_TRY(onnx_wire_read_string(p, &f, "overload", &n->overload));
            break;
        case NODE_ATTR:
            SL_TRY(onnx_wire_need_message(p, &f, "attribute"));
            if (read_attr(p, f.bytes, depth, &n->attrs[n->n_attrs++]) != SLUICE_OK)
                return sl_context(p->e, "node '%s'", n->name[0] ? n->name : n->op_type);
            break;
        default:
            break;
        }
    }
    if (strcmp(n->domain, "ai.onnx") == 0)
        n->domain = "";
    n->label = n->name;
    for (int i = 0; i < n->n_out && !n->label[0]; i++)
        n->label = n->out[i];
    if (!n->label[0])
        n->label = n->op_type;
    return SLUICE_OK;
}

static sluice_status read_graph_fields(struct onnx_parser *p, struct sl_view v, int depth, struct onnx_graph *g)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    while (sl_next_field(&r, &f)) {
        if (f.number != GRAPH_NAME && f.number <= GRAPH_SPARSE)
            SL_TRY(onnx_wire_need_message(p, &f, "graph field"));
        switch (f.number) {
        case GRAPH_NAME:
            SL_TRY(onnx_wire_read_string(p, &f, "graph name", &g->name));
            break;
        case GRAPH_NODE:
            SL_TRY(read_node(p, f.bytes, depth, &g->nodes[g->n_nodes++]));
            break;
        case GRAPH_INITIALIZER:
            SL_TRY(onnx_wire_read_tensor(p, f.bytes, &g->initializers[g->n_initializers++]));
            break;
        case GRAPH_SPARSE:
            SL_TRY(onnx_wire_read_sparse(p, f.bytes, &g->sparse[g->n_sparse++]));
            break;
        case GRAPH_INPUT:
            SL_TRY(read_value_info(p, f.bytes, &g->inputs[g->n_inputs++]));
            break;
        case GRAPH_OUTPUT:
            SL_TRY(read_value_info(p, f.bytes, &g->outputs[g->n_outputs++]));
            break;
        case GRAPH_INFO:
            SL_TRY(read_value_info(p, f.bytes, &g->infos[g->n_infos++]));
            break;
        default:
            break;
        }
    }
    return SLUICE_OK;
}

static sluice_status read_graph(struct onnx_parser *p, struct sl_view v, int depth, struct onnx_graph **out)
{
    struct onnx_counts c;
    struct onnx_graph *g;
    if (depth > MOST_GRAPH_DEPTH)
        return sl_fail(p->e, SLUICE_E_LIMIT, "graphs inside graphs deeper than %d", MOST_GRAPH_DEPTH);
    SL_TRY(onnx_wire_count_fields(p, v, "graph", &c));
    SL_TRY(onnx_wire_take(p, 1, sizeof *g, &g));
    *g = (struct onnx_graph){.name = ""};
    SL_TRY(onnx_wire_take(p, (size_t)c.n[GRAPH_NODE], sizeof *g->nodes, &g->nodes));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[GRAPH_INITIALIZER], sizeof *g->initializers, &g->initializers));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[GRAPH_SPARSE], sizeof *g->sparse, &g->sparse));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[GRAPH_INPUT], sizeof *g->inputs, &g->inputs));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[GRAPH_OUTPUT], sizeof *g->outputs, &g->outputs));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[GRAPH_INFO], sizeof *g->infos, &g->infos));
    *out = g;
    return read_graph_fields(p, v, depth, g);
}

/* ---- the model ---- */

static sluice_status read_opset(struct onnx_parser *p, struct sl_view v, struct onnx_opset *o)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    *o = (struct onnx_opset){.domain = ""};
    while (sl_next_field(&r, &f)) {
        if (f.number == 1)
            SL_TRY(onnx_wire_read_string(p, &f, "opset domain", &o->domain));
        else if (f.number == 2)
            o->version = (int64_t)f.value;
    }
    if (strcmp(o->domain, "ai.onnx") == 0)
        o->domain = "";
    return r.bad ? onnx_wire_bad(p, "opset import", &r) : SLUICE_OK;
}

static sluice_status read_function(struct onnx_parser *p, struct sl_view v, struct onnx_function *fn)
{
    struct onnx_counts c;
    *fn = (struct onnx_function){.name = "", .domain = "", .overload = ""};
    SL_TRY(onnx_wire_count_fields(p, v, "function", &c));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[FUNCTION_IN], sizeof *fn->in, &fn->in));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[FUNCTION_OUT], sizeof *fn->out, &fn->out));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[FUNCTION_NODE], sizeof *fn->nodes, &fn->nodes));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[FUNCTION_OPSET], sizeof *fn->opsets, &fn->opsets));
    SL_TRY(onnx_wire_take(p, (size_t)c.n[FUNCTION_DEFAULT], sizeof *fn->defaults, &fn->defaults));
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    while (sl_next_field(&r, &f)) {
        if (f.number == FUNCTION_NODE || f.number == FUNCTION_OPSET || f.number == FUNCTION_DEFAULT)
            SL_TRY(onnx_wire_need_message(p, &f, "function field"));
        switch (f.number) {
        case FUNCTION_NAME:
            SL_TRY(onnx_wire_read_string(p, &f, "function name", &fn->name));
            break;
        case FUNCTION_DOMAIN:
            SL_TRY(onnx_wire_read_string(p, &f, "function domain", &fn->domain));
            break;
        case FUNCTION_OVERLOAD:
            SL_TRY(onnx_wire_read_string(p, &f, "function overload", &fn->overload));
            break;
        case FUNCTION_IN:
            SL_TRY(onnx_wire_read_string(p, &f, "function input", &fn->in[fn->n_in++]));
            break;
        case FUNCTION_OUT:
            SL_TRY(onnx_wire_read_string(p, &f, "function output", &fn->out[fn->n_out++]));
            break;
        case FUNCTION_NODE:
            SL_TRY(read_node(p, f.bytes, 1, &fn->nodes[fn->n_nodes++]));
            break;
        case FUNCTION_OPSET:
            SL_TRY(read_opset(p, f.bytes, &fn->opsets[fn->n_opsets++]));
            break;
        case FUNCTION_DEFAULT:
            SL_TRY(read_attr(p, f.bytes, 1, &fn->defaults[fn->n_defaults++]));
            break;
        default:
            break;
        }
    }
    return SLUICE_OK;
}

static sluice_status read_model_fields(struct onnx_parser *p, struct sl_view v, struct onnx_model *m)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    while (sl_next_field(&r, &f)) {
        if (f.number == MODEL_GRAPH || f.number == MODEL_OPSET || f.number == MODEL_METADATA || f.number == MODEL_FUNCTION)
            SL_TRY(onnx_wire_need_message(p, &f, "model field"));
        switch (f.number) {
        case MODEL_IR_VERSION:
            m->ir_version = (int64_t)f.value;
            break;
        case MODEL_PRODUCER:
            SL_TRY(onnx_wire_read_string(p, &f, "producer name", &m->producer));
            break;
        case MODEL_PRODUCER_VERSION:
            SL_TRY(onnx_wire_read_string(p, &f, "producer version", &m->producer_version));
            break;
        case MODEL_GRAPH:
            if (m->graph)
                return sl_fail(p->e, SLUICE_E_FORMAT, "the model holds two graphs");
            SL_TRY(read_graph(p, f.bytes, 0, &m->graph));
            break;
        case MODEL_OPSET:
            SL_TRY(read_opset(p, f.bytes, &m->opsets[m->n_opsets++]));
            break;
        case MODEL_FUNCTION:
            SL_TRY(read_function(p, f.bytes, &m->functions[m->n_functions++]));
            break;
        case MODEL_METADATA:
            SL_TRY(onnx_wire_read_key_value(p, f.bytes, &m->metadata[2 * m->n_metadata], &m->metadata[2 * m->n_metadata + 1]));
            m->n_metadata++;
            break;
        default:
            break;
        }
    }
    return SLUICE_OK;
}

sluice_status onnx_read_tensor(sl_arena *a, struct sl_view bytes, struct onnx_tensor *out, sl_err *e)
{
    struct onnx_parser p = {a, (size_t)1 << 20, e};
    return onnx_wire_read_tensor(&p, bytes, out);
}

sluice_status onnx_read_model(sl_arena *a, struct sl_view bytes, struct onnx_model **out, sl_err *e)
{
    struct onnx_parser p = {a, ((size_t)256 << 20) + 4 * SL_MIN(bytes.size, SIZE_MAX / 16), e};
    struct onnx_counts c;
    struct onnx_model *m = SL_NEW(a, struct onnx_model);
    m->producer = m->producer_version = "";
    SL_TRY(onnx_wire_count_fields(&p, bytes, "model", &c));
    SL_TRY(onnx_wire_take(&p, (size_t)c.n[MODEL_OPSET], sizeof *m->opsets, &m->opsets));
    SL_TRY(onnx_wire_take(&p, (size_t)c.n[MODEL_FUNCTION], sizeof *m->functions, &m->functions));
    SL_TRY(onnx_wire_take(&p, 2 * (size_t)c.n[MODEL_METADATA], sizeof *m->metadata, &m->metadata));
    SL_TRY(read_model_fields(&p, bytes, m));
    if (!m->graph)
        return sl_fail(e, SLUICE_E_FORMAT, "no graph inside: this is not an ONNX model");
    *out = m;
    return SLUICE_OK;
}

const struct onnx_attr *onnx_find_attr(const struct onnx_node *n, const char *name)
{
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, name) == 0)
            return &n->attrs[i];
    return NULL;
}
