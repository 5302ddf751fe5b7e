/*
 * onnx_cut.c: what start and end nodes cut off, as ONNX models of its own: the part that makes the network's inputs, and the
 * part that goes from its outputs to those of the file; and, when asked, the part between them. Nodes, weights and value infos
 * are copied as the file has them; only the lists of inputs and outputs are new. Weights in other files move in, so that a part
 * can be run from anywhere.
 */
#include <string.h>

#include "onnx/onnx_import.h"

/* Field numbers of the messages written here. */
enum { MODEL_GRAPH = 7 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_INFO = 13, GRAPH_SPARSE = 15 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
static const size_t most_bytes = (size_t)INT32_MAX; /* of a protobuf message */

struct part {
    struct onnx_import *c;
    const struct onnx_graph *g;
    struct sl_map *makers;      /* name -> node of the main graph */
    struct sl_map *stops;       /* values where the walk ends: they arrive from outside */
    struct sl_map *used;        /* values that the part reads or makes */
    bool *keep;                 /* by node */
    int *stack;
    int n_in, n_out, n_kept;
    const char **in, **out;
};

static void mark(struct sl_map *m, const char *name)
{
    sl_map_set(m, name, m);
}

static void start_part(struct part *p, struct onnx_import *c, const struct onnx_ports *ports)
{
    const struct onnx_graph *g = c->model->graph;
    *p = (struct part){.c = c, .g = g, .makers = sl_map_new(c->scratch), .stops = sl_map_new(c->scratch)};
    p->used = sl_map_new(c->scratch);
    p->keep = SL_NEW_ARRAY(c->scratch, bool, (size_t)g->n_nodes + 1);
    p->stack = SL_NEW_ARRAY(c->scratch, int, (size_t)g->n_nodes + 1);
    p->in = SL_NEW_ARRAY(c->scratch, const char *, (size_t)ports->n_in + (size_t)ports->n_out + (size_t)g->n_inputs + 1);
    p->out = SL_NEW_ARRAY(c->scratch, const char *, (size_t)ports->n_in + (size_t)ports->n_out + (size_t)g->n_outputs + 1);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_out; k++)
            if (g->nodes[i].out[k][0])
                sl_map_set(p->makers, g->nodes[i].out[k], (void *)&g->nodes[i]);
}

/* A value that the part reads: its maker joins the part, unless the value comes from outside. */
static void need(struct part *p, const char *name, int *depth)
{
    const struct onnx_node *n = name[0] && !sl_map_has(p->stops, name) ? sl_map_get(p->makers, name) : NULL;
    if (name[0])
        mark(p->used, name);
    if (n && !p->keep[n - p->g->nodes]) {
        p->keep[n - p->g->nodes] = true;
        p->n_kept++;
        p->stack[(*depth)++] = (int)(n - p->g->nodes);
    }
}

static void collect(struct part *p)
{
    int depth = 0;
    for (int i = 0; i < p->n_out; i++)
        need(p, p->out[i], &depth);
    while (depth) {
        const struct onnx_node *n = &p->g->nodes[p->stack[--depth]];
        const char **reads;
        int count = onnx_node_reads(p->c->scratch, n, &reads);
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k][0])
                mark(p->used, n->out[k]);
        for (int k = 0; k < count; k++)
            need(p, reads[k], &depth);
    }
}

/* ---- writing ---- */

static void put_tag(struct sl_buffer *b, unsigned field, unsigned wire)
{
    sl_put_varint(b, (uint64_t)field << 3 | wire);
}

static void put_bytes(struct sl_buffer *b, unsigned field, const void *data, size_t n)
{
    put_tag(b, field, SL_WIRE_LEN);
    sl_put_varint(b, n);
    sl_put(b, data, n);
}

static void put_int(struct sl_buffer *b, unsigned field, uint64_t v)
{
    put_tag(b, field, SL_WIRE_VARINT);
    sl_put_varint(b, v);
}

static void put_text(struct sl_buffer *b, unsigned field, const char *s)
{
    put_bytes(b, field, s, strlen(s));
}

static void put_message(struct sl_buffer *b, unsigned field, struct sl_buffer *m)
{
    put_bytes(b, field, m->data, m->size);
    b->failed = b->failed || m->failed;
    sl_buffer_free(m);
}

/* The field that the reader has just passed, as it stands in the file. */
static void put_field(struct sl_buffer *b, const struct sl_reader *r, const struct sl_field *f)
{
    sl_put(b, r->start + f->offset, (size_t)(r->p - r->start) - f->offset);
}

/* The name (field 1) of a ValueInfoProto. */
static bool info_is(struct sl_view info, const char *name)
{
    struct sl_reader r = sl_reader_of(info.data, info.size);
    struct sl_field f;
    while (sl_next_field(&r, &f))
        if (f.number == 1 && f.wire == SL_WIRE_LEN)
            return f.bytes.size == strlen(name) && memcmp(f.bytes.data, name, f.bytes.size) == 0;
    return false;
}

/* What the file says of a value: as input, output or in between. */
static bool find_info(struct sl_view graph, const char *name, struct sl_view *out)
{
    struct sl_reader r = sl_reader_of(graph.data, graph.size);
    struct sl_field f;
    while (sl_next_field(&r, &f))
        if ((f.number == GRAPH_INPUT || f.number == GRAPH_OUTPUT || f.number == GRAPH_INFO) && info_is(f.bytes, name)) {
            *out = f.bytes;
            return true;
        }
    return false;
}

static const struct sl_port *find_port(const struct onnx_import *c, const char *name)
{
    for (int i = 0; i < c->g->n_inputs; i++)
        if (strcmp(c->g->inputs[i].origin_name, name) == 0)
            return &c->g->inputs[i];
    for (int i = 0; i < c->g->n_outputs; i++)
        if (strcmp(c->g->outputs[i].origin_name, name) == 0)
            return &c->g->outputs[i];
    return NULL;
}

/* Where the file is silent, the network's own ports know. */
static void put_own_info(struct sl_buffer *b, unsigned field, const char *name, const struct sl_port *port)
{
    struct sl_buffer shape = {0}, tensor = {0}, type = {0}, info = {0};
    for (int i = 0; i < port->origin_shape.rank; i++) {
        struct sl_buffer dim = {0};
        put_int(&dim, 1, (uint64_t)port->origin_shape.dim[i]);
        put_message(&shape, 1, &dim);
    }
    put_int(&tensor, 1, (uint64_t)onnx_type_of(port->origin_dtype));
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(b, field, &info);
}

static void put_infos(struct part *p, struct sl_buffer *b, unsigned field, struct sl_view graph, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        const struct sl_port *port = find_port(p->c, names[i]);
        struct sl_view info;
        if (find_info(graph, names[i], &info))
            put_bytes(b, field, info.data, info.size);
        else if (port)
            put_own_info(b, field, names[i], port);
    }
}

static sluice_status put_initializer(struct part *p, struct sl_buffer *b, const struct onnx_tensor *t)
{
    if (!sl_map_has(p->used, t->name))
        return SLUICE_OK;
    if (!t->external) {
        put_bytes(b, GRAPH_INITIALIZER, t->message.data, t->message.size);
        return SLUICE_OK;
    }
    struct sl_view raw;
    struct sl_buffer tensor = {0};
    SL_TRY(onnx_tensor_bytes(p->c, t, &raw));
    for (int i = 0; i < t->n_dims; i++)
        put_int(&tensor, TENSOR_DIMS, (uint64_t)t->dims[i]);
    put_int(&tensor, TENSOR_TYPE, (uint64_t)t->data_type);
    put_text(&tensor, TENSOR_NAME, t->name);
    put_bytes(&tensor, TENSOR_RAW, raw.data, raw.size);
    put_message(b, GRAPH_INITIALIZER, &tensor);
    return SLUICE_OK;
}

static bool keeps_info(const struct part *p, const struct onnx_value_info *info)
{
    for (int i = 0; i < p->n_in; i++)
        if (strcmp(p->in[i], info->name) == 0)
            return false;
    for (int i = 0; i < p->n_out; i++)
        if (strcmp(p->out[i], info->name) == 0)
            return false;
    return sl_map_has(p->used, info->name);
}

/* The file's fields in their order; `graph` was read before, so that every index below is there. */
static sluice_status put_graph(struct part *p, struct sl_buffer *b, struct sl_view graph)
{
    struct sl_reader r = sl_reader_of(graph.data, graph.size);
    struct sl_field f;
    int node = 0, initializer = 0, sparse = 0, info = 0;
    while (sl_next_field(&r, &f)) {
        switch (f.number) {
        case GRAPH_NODE:
            if (p->keep[node++])
                put_field(b, &r, &f);
            break;
        case GRAPH_INITIALIZER:
            SL_TRY(put_initializer(p, b, &p->g->initializers[initializer++]));
            break;
        case GRAPH_SPARSE:
            if (sl_map_has(p->used, p->g->sparse[sparse++].values.name))
                put_field(b, &r, &f);
            break;
        case GRAPH_INFO:
            if (keeps_info(p, &p->g->infos[info++]))
                put_field(b, &r, &f);
            break;
        case GRAPH_INPUT:
        case GRAPH_OUTPUT:
            break;
        default:
            put_field(b, &r, &f);
        }
    }
    put_infos(p, b, GRAPH_INPUT, graph, p->in, p->n_in);
    put_infos(p, b, GRAPH_OUTPUT, graph, p->out, p->n_out);
    return SLUICE_OK;
}

static sluice_status put_model(struct part *p, struct sl_buffer *b)
{
    struct sl_reader r = sl_reader_of(p->c->bytes.data, p->c->bytes.size);
    struct sl_field f;
    while (sl_next_field(&r, &f)) {
        if (f.number != MODEL_GRAPH) {
            put_field(b, &r, &f);
            continue;
        }
        struct sl_buffer graph = {0};
        sluice_status s = put_graph(p, &graph, f.bytes);
        put_message(b, MODEL_GRAPH, &graph);
        SL_TRY(s);
    }
    return SLUICE_OK;
}

/* Bytes of the constants that the part would hold; known before one of them is copied. */
static sluice_status sum_constants(struct part *p, size_t *sum)
{
    *sum = 0;
    for (int i = 0; i < p->g->n_initializers; i++) {
        const struct onnx_tensor *t = &p->g->initializers[i];
        struct sl_view raw = t->message;
        if (!sl_map_has(p->used, t->name))
            continue;
        if (t->external)
            SL_TRY(onnx_tensor_bytes(p->c, t, &raw));
        *sum += SL_MIN(raw.size, most_bytes); /* no overflow, however many there are */
    }
    return SLUICE_OK;
}

static sluice_status write_part(struct part *p, const char *what, struct sl_view *out)
{
    struct sl_buffer b = {0};
    size_t constants;
    SL_TRY(sum_constants(p, &constants));
    sluice_status s = constants < most_bytes ? put_model(p, &b) : SLUICE_OK;
    if (s == SLUICE_OK && b.failed)
        s = sl_fail(p->c->e, SLUICE_E_MEMORY, "no memory for the part %s", what);
    if (constants >= most_bytes || (s == SLUICE_OK && b.size > most_bytes))
        sl_note(p->c->b, "the part %s is larger than an ONNX file can be (2 GB) and is not kept", what);
    else if (s == SLUICE_OK)
        *out = (struct sl_view){sl_arena_memdup(p->c->a, b.data, b.size), b.size};
    sl_buffer_free(&b);
    return s;
}

/* Graph inputs that the part reads, besides those of the list. Initializers that are listed as inputs stay inputs no longer. */
static void add_graph_inputs(struct part *p)
{
    struct sl_map *constant = sl_map_new(p->c->scratch);
    for (int i = 0; i < p->g->n_initializers; i++)
        mark(constant, p->g->initializers[i].name);
    for (int i = 0; i < p->g->n_inputs; i++)
        if (sl_map_has(p->used, p->g->inputs[i].name) && !sl_map_has(constant, p->g->inputs[i].name) &&
            !sl_map_has(p->stops, p->g->inputs[i].name))
            p->in[p->n_in++] = p->g->inputs[i].name;
}

/* Network inputs that a node makes, from the graph's inputs. */
static sluice_status cut_before(struct onnx_import *c, const struct onnx_ports *ports)
{
    struct part p;
    start_part(&p, c, ports);
    for (int i = 0; i < c->g->n_inputs; i++) /* those that are left: unused ones need no preparation */
        if (sl_map_has(p.makers, c->g->inputs[i].origin_name))
            p.out[p.n_out++] = c->g->inputs[i].origin_name;
    if (p.n_out == 0)
        return SLUICE_OK;
    collect(&p);
    add_graph_inputs(&p);
    return write_part(&p, "before the start nodes", &c->report->preprocess);
}

/* Values that depend on an output of the network, in any file order. */
static struct sl_map *find_dependent(struct part *p, const struct onnx_ports *ports)
{
    struct sl_map *dependent = sl_map_new(p->c->scratch);
    bool *done = SL_NEW_ARRAY(p->c->scratch, bool, (size_t)p->g->n_nodes + 1);
    bool again = true;
    for (int i = 0; i < ports->n_out; i++)
        mark(dependent, ports->out[i]);
    for (int round = 0; again && round < 64; round++) {
        again = false;
        for (int i = 0; i < p->g->n_nodes; i++) {
            const char **reads;
            int n = done[i] ? 0 : onnx_node_reads(p->c->scratch, &p->g->nodes[i], &reads);
            bool depends = false;
            for (int k = 0; k < n && !depends; k++)
                depends = reads[k][0] && sl_map_has(dependent, reads[k]);
            if (!depends)
                continue;
            done[i] = again = true;
            for (int k = 0; k < p->g->nodes[i].n_out; k++)
                mark(dependent, p->g->nodes[i].out[k]);
        }
    }
    return dependent;
}

/* Outputs of the graph that come from the network's outputs and are not such themselves. */
static sluice_status cut_behind(struct onnx_import *c, const struct onnx_ports *ports)
{
    struct part p;
    start_part(&p, c, ports);
    struct sl_map *dependent = find_dependent(&p, ports);
    for (int i = 0; i < ports->n_out; i++)
        mark(p.stops, ports->out[i]);
    for (int i = 0; i < ports->n_in; i++)
        mark(p.stops, ports->in[i]);
    for (int i = 0; i < p.g->n_outputs; i++) {
        const char *name = p.g->outputs[i].name;
        if (sl_map_has(p.stops, name))
            continue;
        if (sl_map_has(dependent, name))
            p.out[p.n_out++] = name;
        else
            sl_note(c->b, "output '%s' of the file does not depend on the end nodes and is left out", name);
    }
    if (p.n_out == 0)
        return SLUICE_OK;
    collect(&p);
    for (int i = 0; i < ports->n_out; i++)
        if (sl_map_has(p.used, ports->out[i]))
            p.in[p.n_in++] = ports->out[i];
    for (int i = 0; i < ports->n_in; i++)
        if (sl_map_has(p.used, ports->in[i])) {
            sl_note(c->b, "the part behind the end nodes also reads '%s', which the network starts from", ports->in[i]);
            p.in[p.n_in++] = ports->in[i];
        }
    add_graph_inputs(&p);
    return write_part(&p, "behind the end nodes", &c->report->postprocess);
}

/* The network itself: what its outputs need, from its inputs. */
static sluice_status cut_between(struct onnx_import *c, const struct onnx_ports *ports)
{
    struct part p;
    start_part(&p, c, ports);
    for (int i = 0; i < ports->n_in; i++)
        mark(p.stops, ports->in[i]);
    for (int i = 0; i < ports->n_out; i++)
        p.out[p.n_out++] = ports->out[i];
    collect(&p);
    for (int i = 0; i < ports->n_in; i++)
        if (sl_map_has(p.used, ports->in[i]))
            p.in[p.n_in++] = ports->in[i];
    add_graph_inputs(&p);
    return write_part(&p, "between start and end nodes", &c->report->network);
}

sluice_status onnx_keep_cut_parts(struct onnx_import *c, const struct onnx_ports *ports)
{
    const struct sl_onnx_options *o = c->options;
    if (o->keep_network_part && (o->common.n_start || o->common.n_end))
        SL_TRY(cut_between(c, ports));
    if (o->drop_cut_parts)
        return SLUICE_OK;
    if (o->common.n_start)
        SL_TRY(cut_before(c, ports));
    return o->common.n_end ? cut_behind(c, ports) : SLUICE_OK;
}
