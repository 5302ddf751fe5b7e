/*
 * onnx_ports.c: where the network starts and ends: graph inputs or the values that start nodes read, graph outputs or the
 * values that end nodes make; and the shapes of inputs, with unknown dimensions fixed by the user or, for a batch, by 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/ports.h"
#include "onnx/onnx_import.h"

/* ---- names ---- */

static sluice_status no_such_name(struct onnx_import *c, const char *what, const char *name)
{
    const struct onnx_graph *g = c->model->graph;
    size_t n = 0;
    const char **names = SL_NEW_ARRAY(c->scratch, const char *, 2 * (size_t)g->n_nodes + (size_t)g->n_inputs + 1);
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].name[0])
            names[n++] = g->nodes[i].name;
        if (g->nodes[i].n_out && g->nodes[i].out[0][0])
            names[n++] = g->nodes[i].out[0];
    }
    for (int i = 0; i < g->n_inputs; i++)
        names[n++] = g->inputs[i].name;
    const char *near = sl_nearest(name, names, n);
    sl_fail(c->e, SLUICE_E_NOT_FOUND, "%s '%s' is not in the model", what, name);
    if (near)
        return sl_hint(c->e, "did you mean '%s'?", near);
    return sl_hint(c->e, "give names of nodes, or of tensors, as the ONNX file has them");
}

static sluice_status find_node(struct onnx_import *c, const char *what, const char *name, const struct onnx_node **out)
{
    const struct onnx_graph *g = c->model->graph;
    *out = NULL;
    for (int i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i].name, name) != 0)
            continue;
        if (*out)
            return sl_fail(c->e, SLUICE_E_VALUE,
                           "%s '%s': several nodes have this name; give the name of its output, '%s' or '%s'", what, name,
                           (*out)->n_out ? (*out)->out[0] : "", g->nodes[i].n_out ? g->nodes[i].out[0] : "");
        *out = &g->nodes[i];
    }
    for (int i = 0; i < g->n_nodes && !*out; i++)
        for (int k = 0; k < g->nodes[i].n_out; k++)
            if (strcmp(g->nodes[i].out[k], name) == 0)
                *out = &g->nodes[i];
    return SLUICE_OK;
}

/* "NODE:k", as TensorFlow's users write it: the k-th tensor that the node makes. NULL: the name is not of this form, or there
 * is no such tensor. */
static sluice_status find_made(struct onnx_import *c, const char *name, const char **tensor)
{
    const char *colon = strrchr(name, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    const struct onnx_node *n;
    *tensor = NULL;
    if (digits < 1 || digits > 6 || colon[1 + digits])
        return SLUICE_OK;
    long k = strtol(colon + 1, NULL, 10);
    SL_TRY(find_node(c, "start node", sl_arena_strndup(c->scratch, name, (size_t)(colon - name)), &n));
    if (n && k < n->n_out && n->out[k][0])
        *tensor = n->out[k];
    return SLUICE_OK;
}

static const struct onnx_value_info *find_info(const struct onnx_value_info *infos, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(infos[i].name, name) == 0)
            return &infos[i];
    return NULL;
}

static void append_once(const char **list, int *n, const char *name)
{
    for (int i = 0; i < *n; i++)
        if (strcmp(list[i], name) == 0)
            return;
    list[(*n)++] = name;
}

/* ---- start ---- */

/* Which values depend on a graph input: the ones that a cut can turn into inputs. A fixed point over file order; sorted files
 * need one round, and each further round settles at least one node. */
static struct sl_map *find_dynamic(struct onnx_import *c)
{
    const struct onnx_graph *g = c->model->graph;
    struct sl_map *dynamic = sl_map_new(c->scratch);
    struct sl_map *initializers = sl_map_new(c->scratch);
    for (int i = 0; i < g->n_initializers; i++)
        sl_map_set(initializers, g->initializers[i].name, (void *)&g->initializers[i]);
    for (int i = 0; i < g->n_inputs; i++)
        if (!sl_map_has(initializers, g->inputs[i].name))
            sl_map_set(dynamic, g->inputs[i].name, (void *)&g->inputs[i]);
    bool *done = SL_NEW_ARRAY(c->scratch, bool, g->n_nodes);
    bool again = true;
    for (int round = 0; again && round < 64; round++) {
        again = false;
        for (int i = 0; i < g->n_nodes; i++) {
            const struct onnx_node *n = &g->nodes[i];
            bool depends = false;
            for (int k = 0; k < n->n_in && !done[i]; k++)
                depends = depends || (n->in[k][0] && sl_map_has(dynamic, n->in[k]));
            if (!depends)
                continue;
            done[i] = again = true;
            for (int k = 0; k < n->n_out; k++)
                if (n->out[k][0])
                    sl_map_set(dynamic, n->out[k], (void *)n);
        }
    }
    return dynamic;
}

/* What one start node's name stands for: a graph input, a tensor, or the values that a node reads; how many at most, and, when
 * `add`, these. */
static sluice_status add_start(struct onnx_import *c, struct onnx_ports *p, const struct sl_map *dynamic, const char *name,
                               bool add, size_t *room)
{
    const struct onnx_graph *g = c->model->graph;
    const struct onnx_node *n;
    const char *tensor = NULL;
    SL_TRY(find_node(c, "start node", name, &n));
    if (!n && find_info(g->inputs, g->n_inputs, name))
        tensor = find_info(g->inputs, g->n_inputs, name)->name;
    else if (!n)
        SL_TRY(find_made(c, name, &tensor));
    if (!n && !tensor)
        return no_such_name(c, "start node", name);
    *room += tensor ? 1 : (size_t)n->n_in;
    if (add && tensor)
        append_once(p->in, &p->n_in, tensor);
    for (int k = 0; add && !tensor && k < n->n_in; k++)
        if (n->in[k][0] && sl_map_has(dynamic, n->in[k]))
            append_once(p->in, &p->n_in, n->in[k]);
    return SLUICE_OK;
}

static sluice_status find_starts(struct onnx_import *c, struct onnx_ports *p)
{
    struct sl_map *dynamic = find_dynamic(c);
    size_t room = 0;
    for (int pass = 0; pass < 2; pass++) { /* count, then fill */
        if (pass == 1)
            p->in = SL_NEW_ARRAY(c->a, const char *, room + 1);
        for (int i = 0; i < c->options->common.n_start; i++)
            SL_TRY(add_start(c, p, dynamic, c->options->common.start_nodes[i], pass == 1, &room));
    }
    if (p->n_in == 0)
        return sl_fail(c->e, SLUICE_E_VALUE, "the start nodes read constants only: nothing is left as an input");
    return SLUICE_OK;
}

static sluice_status check_shape_names(struct onnx_import *c);

static sluice_status find_ends(struct onnx_import *c, struct onnx_ports *p)
{
    size_t room = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            p->out = SL_NEW_ARRAY(c->a, const char *, room + 1);
        for (int i = 0; i < c->options->common.n_end; i++) {
            const char *name = c->options->common.end_nodes[i];
            const struct onnx_node *n;
            SL_TRY(find_node(c, "end node", name, &n));
            if (!n)
                return no_such_name(c, "end node", name);
            room += (size_t)n->n_out;
            if (pass == 0)
                continue;
            bool is_tensor = strcmp(n->name, name) != 0;
            for (int k = 0; k < n->n_out; k++)
                if (n->out[k][0] && (!is_tensor || strcmp(n->out[k], name) == 0))
                    append_once(p->out, &p->n_out, n->out[k]);
        }
    }
    return SLUICE_OK;
}

/* Inputs that the user gives a value for: constants like initializers. */
static sluice_status bind_values(struct onnx_import *c)
{
    const struct onnx_graph *g = c->model->graph;
    for (int i = 0; i < c->options->n_tensor_values; i++) {
        const struct sl_onnx_value *given = &c->options->tensor_values[i];
        const struct onnx_value_info *info = find_info(g->inputs, g->n_inputs, given->name);
        struct onnx_value *v = info ? sl_map_get(c->scope->values, info->name) : NULL;
        if (!info)
            return sl_fail(c->e, SLUICE_E_NOT_FOUND, "input '%s', which a value is given for, is not in the model",
                           given->name);
        v = v ? v : onnx_declare(c, info->name);
        v->init = NULL;
        v->sparse = NULL;
        v->node = sl_build_const(c->b, given->value);
    }
    return SLUICE_OK;
}

sluice_status onnx_find_ports(struct onnx_import *c, struct onnx_ports *p)
{
    const struct onnx_graph *g = c->model->graph;
    SL_TRY(bind_values(c));
    SL_TRY(check_shape_names(c));
    if (c->options->common.n_start) {
        SL_TRY(find_starts(c, p));
    } else {
        p->in = SL_NEW_ARRAY(c->a, const char *, (size_t)g->n_inputs + 1);
        for (int i = 0; i < g->n_inputs; i++)
            if (!sl_map_has(c->scope->values, g->inputs[i].name)) /* else an initializer listed as an input: a constant */
                p->in[p->n_in++] = g->inputs[i].name;
    }
    if (c->options->common.n_end)
        return find_ends(c, p);
    p->out = SL_NEW_ARRAY(c->a, const char *, (size_t)g->n_outputs + 1);
    for (int i = 0; i < g->n_outputs; i++)
        p->out[p->n_out++] = g->outputs[i].name;
    return p->n_out ? SLUICE_OK : sl_fail(c->e, SLUICE_E_FORMAT, "the model has no outputs");
}

/* ---- shapes of inputs ---- */

/* By name; shapes without one are meant for the inputs in their order. */
static const struct sl_shape *given_shape(const struct onnx_import *c, const char *name)
{
    const struct onnx_graph *g = c->model->graph;
    int input = 0;
    for (int i = 0; i < c->options->common.n_tensor_shapes; i++) {
        const struct sl_given_shape *given = &c->options->common.tensor_shapes[i];
        const char *meant = given->name && given->name[0] ? given->name : input < g->n_inputs ? g->inputs[input++].name : "";
        if (strcmp(meant, name) == 0)
            return &given->shape;
    }
    return NULL;
}

/* A shape given for a tensor that the model does not have would be ignored in silence. */
static sluice_status check_shape_names(struct onnx_import *c)
{
    for (int i = 0; i < c->options->common.n_tensor_shapes; i++) {
        const char *name = c->options->common.tensor_shapes[i].name;
        const struct onnx_node *n;
        if (!name || !name[0] || find_info(c->model->graph->inputs, c->model->graph->n_inputs, name))
            continue;
        SL_TRY(find_node(c, "tensor", name, &n));
        if (!n)
            return no_such_name(c, "tensor", name);
    }
    return SLUICE_OK;
}

/* A symbolic dimension that another input's given shape fixes. -1: none does. */
static int64_t bound_dimension(const struct onnx_import *c, const char *param)
{
    const struct onnx_graph *g = c->model->graph;
    for (int i = 0; i < g->n_inputs && param[0]; i++) {
        const struct sl_shape *s = given_shape(c, g->inputs[i].name);
        for (int k = 0; s && k < g->inputs[i].rank && k < s->rank; k++)
            if (strcmp(g->inputs[i].dims[k].param, param) == 0)
                return s->dim[k];
    }
    return -1;
}

/* The height and width that a detector was exported for, where its file says: 'imgsz' is "[640, 640]". */
static bool exported_size(const struct onnx_import *c, int size[2])
{
    const struct onnx_model *m = c->model;
    for (int i = 0; i < m->n_metadata; i++)
        if (strcmp(m->metadata[2 * i], "imgsz") == 0)
            return sscanf(m->metadata[2 * i + 1], "[%5d,%5d", &size[0], &size[1]) == 2 && size[0] > 0 && size[1] > 0;
    return false;
}

static sluice_status unknown_dimension(struct onnx_import *c, const struct onnx_value_info *info, int axis)
{
    char shape[200] = "";
    size_t at = 0;
    int size[2] = {224, 224};
    if (!exported_size(c, size))
        size[0] = size[1] = 224;
    for (int k = 0; k < info->rank && at < sizeof shape; k++) {
        int64_t v = info->dims[k].value;
        if (v <= 0)
            v = k == 0 ? 1 : size[k == 3];
        at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%lld", k ? "," : "", (long long)v);
    }
    sl_fail(c->e, SLUICE_E_SHAPE, "input '%s': dimension %d%s%s%s is not fixed in the model", info->name, axis,
            info->dims[axis].param[0] ? " ('" : "", info->dims[axis].param, info->dims[axis].param[0] ? "')" : "");
    return sl_hint(c->e, "fix the shape, for example --tensor-shapes %s=[%s]", info->name, shape);
}

static sluice_status check_given(struct onnx_import *c, const struct onnx_value_info *info, const struct sl_shape *s)
{
    char given[160];
    sl_shape_text(s, given, sizeof given);
    if (info->has_shape && info->rank != s->rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input '%s': the given shape %s has %d dimensions, the model's has %d", info->name,
                       given, s->rank, info->rank);
    for (int k = 0; info->has_shape && k < s->rank; k++)
        if (info->dims[k].value > 0 && info->dims[k].value != s->dim[k])
            sl_note(c->b, "input '%s': dimension %d is %lld in the model, %lld was given and is used", info->name, k,
                    (long long)info->dims[k].value, (long long)s->dim[k]);
    return SLUICE_OK;
}

static sluice_status input_shape(struct onnx_import *c, const struct onnx_value_info *info, struct sl_shape *s)
{
    const struct sl_shape *given = given_shape(c, info->name);
    if (given) {
        SL_TRY(check_given(c, info, given));
        *s = *given;
    } else {
        if (!info->has_shape) {
            sl_fail(c->e, SLUICE_E_SHAPE, "input '%s' has no shape in the model", info->name);
            return sl_hint(c->e, "give it: --tensor-shapes %s=[1,...]", info->name);
        }
        if (info->rank > SL_MAX_RANK)
            return sl_fail(c->e, SLUICE_E_LIMIT, "input '%s' has %d dimensions, at most %d are supported", info->name,
                           info->rank, SL_MAX_RANK);
        s->rank = info->rank;
        for (int k = 0; k < s->rank; k++) {
            s->dim[k] = info->dims[k].value;
            if (s->dim[k] == -1 || (s->dim[k] == 0 && k == 0)) { /* 0: how some exporters write "any batch" */
                int64_t bound = bound_dimension(c, info->dims[k].param);
                if (bound < 0 && k > 0)
                    return unknown_dimension(c, info, k);
                s->dim[k] = bound < 0 ? 1 : bound;
                if (bound < 0)
                    sl_note(c->b, "input '%s': the batch is not fixed in the model, 1 is used", info->name);
            }
        }
    }
    return SLUICE_OK;
}

sluice_status onnx_shape_in(struct onnx_import *c, int i, struct sl_shape *s)
{
    const struct onnx_graph *g = c->model->graph;
    const char *name = i < c->node->n_in ? c->node->in[i] : "";
    const struct onnx_value_info *info = c->options->common.n_start ? find_info(g->inputs, g->n_inputs, name) : NULL;
    struct sl_node *x;
    if (info && !onnx_value_find(c->scope, name))
        return input_shape(c, info, s);
    SL_TRY(onnx_in(c, i, &x));
    *s = x->shape;
    return SLUICE_OK;
}

/* ---- inputs ---- */

/* A value in the middle of the model that the file says nothing of: import what leads to it, to learn its type and shape. */
static sluice_status learn_cut(struct onnx_import *c, const char *name, struct sl_shape *s, enum sl_dtype *stored,
                               enum sl_dtype *origin)
{
    struct sl_onnx_options o = *c->options;
    o.common.end_nodes = &name;
    o.common.n_end = 1;
    o.common.start_nodes = NULL;
    o.common.n_start = 0;
    o.common.net_name = "start";
    sl_arena *a = sl_arena_new();
    struct sl_graph *g;
    sluice_status status = sl_onnx_import(a, c->path, c->bytes, &o, &g, NULL, c->e);
    if (status == SLUICE_OK) {
        *s = g->outputs[0].origin_shape;
        *origin = g->outputs[0].origin_dtype;
        *stored = g->outputs[0].node->dtype;
    } else {
        sl_context(c->e, "the shape of '%s', where a start node begins, cannot be found", name);
        sl_hint(c->e, "give it: --tensor-shapes %s=[1,...]", name);
    }
    sl_arena_free(a);
    return status;
}

static bool info_is_complete(const struct onnx_value_info *info)
{
    bool complete = info && info->has_shape && onnx_stored_dtype(info->elem_type) != SL_NONE;
    for (int k = 1; complete && k < info->rank; k++)
        complete = info->dims[k].value > 0;
    return complete;
}

static sluice_status describe_input(struct onnx_import *c, const char *name, struct sl_shape *s, enum sl_dtype *stored,
                                    enum sl_dtype *origin)
{
    const struct onnx_graph *g = c->model->graph;
    const struct onnx_value_info *info = find_info(g->inputs, g->n_inputs, name);
    if (!info) {
        info = find_info(g->infos, g->n_infos, name);
        info = info ? info : find_info(g->outputs, g->n_outputs, name);
        if (!info_is_complete(info)) {
            if (!given_shape(c, name))
                return learn_cut(c, name, s, stored, origin);
            struct onnx_value_info *made = SL_NEW(c->a, struct onnx_value_info);
            *made = (struct onnx_value_info){.name = name, .elem_type = info && info->elem_type ? info->elem_type : 1};
            info = made;
        }
    }
    *stored = onnx_stored_dtype(info->elem_type);
    *origin = onnx_dtype(info->elem_type);
    if (*stored == SL_NONE)
        return sl_fail(c->e, SLUICE_E_UNSUPPORTED, "input '%s' has type %s: only tensors of numbers can be inputs", name,
                       info->elem_type ? onnx_dtype_name(info->elem_type) : "sequence, map or none");
    return input_shape(c, info, s);
}

sluice_status onnx_make_input(struct onnx_import *c, const char *name)
{
    struct sl_shape s = {0};
    enum sl_dtype stored = SL_NONE, origin = SL_NONE;
    struct onnx_value *v = sl_map_get(c->scope->values, name);
    if (v && !v->init && !v->sparse)
        return sl_fail(c->e, SLUICE_E_FORMAT, "input '%s' is there twice", name);
    SL_TRY(describe_input(c, name, &s, &stored, &origin));
    if (!v)
        v = onnx_declare(c, name);
    return sl_add_input(c->b, name, origin, stored, &s, &v->node);
}

/* ---- outputs ---- */

sluice_status onnx_make_outputs(struct onnx_import *c, const struct onnx_ports *p)
{
    const struct onnx_graph *g = c->model->graph;
    for (int i = 0; i < p->n_out; i++) {
        struct onnx_value *v = sl_map_get(c->scope->values, p->out[i]);
        struct sl_node *from;
        struct sl_port *port;
        SL_TRY(onnx_value_node(c, v, &from));
        SL_TRY(sl_add_output(c->b, v->name, from, &port));
        const struct onnx_value_info *info = find_info(g->outputs, g->n_outputs, v->name);
        info = info ? info : find_info(g->infos, g->n_infos, v->name);
        enum sl_dtype declared = info ? onnx_dtype(info->elem_type) : SL_NONE;
        if (declared != SL_NONE && sl_dtype_is_float(declared) == sl_dtype_is_float(from->dtype))
            port->origin_dtype = declared;
    }
    return SLUICE_OK;
}
