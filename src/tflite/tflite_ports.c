/*
 * tflite_ports.c: where the network starts and ends: the graph's inputs and outputs, or tensors that the user names; and the
 * shapes of inputs, with open dimensions fixed by the user or, for a batch, by 1.
 */
#include <string.h>

#include "base/strings.h"
#include "front/ports.h"
#include "tflite/tflite_import.h"

static sluice_status find_tensor(struct tfl_import *c, const char *what, const char *name, int *out)
{
    const char **names = SL_NEW_ARRAY(c->scratch, const char *, (size_t)c->model.n_tensors + 1);
    const size_t length = strlen(name);
    const size_t bare = sl_ends_with(name, ":0") ? length - 2 : length; /* ONNX's form of a tensor, which hints give */
    int found = -1;
    for (int i = 0; i < c->model.n_tensors; i++) {
        names[i] = c->model.tensors[i].name;
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return SLUICE_OK;
        }
        if (found < 0 && strlen(names[i]) == bare && memcmp(names[i], name, bare) == 0)
            found = i;
    }
    if (found >= 0) {
        *out = found;
        return SLUICE_OK;
    }
    const char *near = sl_nearest(name, names, (size_t)c->model.n_tensors);
    sl_fail(c->e, SLUICE_E_NOT_FOUND, "%s node '%s' is not in the model", what, name);
    return near ? sl_hint(c->e, "did you mean '%s'?", near)
                : sl_hint(c->e, "give names of tensors, as the TFLite file has them");
}

static sluice_status find_list(struct tfl_import *c, const char *what, const char *const *names, int n, const int *otherwise,
                               int n_otherwise, int *n_out, int **out)
{
    int count = n ? n : n_otherwise;
    *out = SL_NEW_ARRAY(c->a, int, (size_t)count + 1);
    for (int i = 0; i < count; i++) {
        int tensor = n ? 0 : otherwise[i];
        bool twice = false;
        if (n)
            SL_TRY(find_tensor(c, what, names[i], &tensor));
        for (int k = 0; k < *n_out; k++)
            twice = twice || (*out)[k] == tensor;
        if (!twice)
            (*out)[(*n_out)++] = tensor;
    }
    return *n_out ? SLUICE_OK : sl_fail(c->e, SLUICE_E_FORMAT, "the model has no %ss", what);
}

sluice_status tfl_find_ports(struct tfl_import *c)
{
    const struct sl_import_options *o = c->options;
    const struct tfl_model *m = &c->model;
    SL_TRY(find_list(c, "input", o->start_nodes, o->n_start, m->inputs, m->n_inputs, &c->n_starts, &c->starts));
    return find_list(c, "output", o->end_nodes, o->n_end, m->outputs, m->n_outputs, &c->n_ends, &c->ends);
}

/* ---- inputs ---- */

static sluice_status input_shape(struct tfl_import *c, const struct tfl_tensor *t, struct sl_shape *s)
{
    const struct sl_shape *given = NULL;
    for (int i = 0; i < c->options->n_tensor_shapes; i++) {
        const char *name = c->options->tensor_shapes[i].name;
        if (name ? strcmp(name, t->name) == 0 : c->n_starts == 1)
            given = &c->options->tensor_shapes[i].shape;
    }
    *s = given ? *given : t->shape;
    if (given && given->rank != t->shape.rank && t->shape.rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input '%s': the given shape has %d dimensions, the model's has %d", t->name,
                       given->rank, t->shape.rank);
    if (!given && t->dynamic) {
        char text[160];
        sl_note(c->b, "input '%s': its shape is open in the model, %s is used", t->name, sl_shape_text(s, text, sizeof text));
    }
    return SLUICE_OK;
}

sluice_status tfl_make_inputs(struct tfl_import *c)
{
    for (int i = 0; i < c->n_starts; i++) {
        const struct tfl_tensor *t = &c->model.tensors[c->starts[i]];
        struct tfl_value *v = &c->values[c->starts[i]];
        struct sl_shape s;
        if (t->data.size)
            return sl_fail(c->e, SLUICE_E_VALUE, "input '%s' is a constant of the model", t->name);
        if (tfl_stored_dtype(t) == SL_NONE)
            return sl_fail(c->e, SLUICE_E_UNSUPPORTED, "input '%s' has type %s: only tensors of numbers can be inputs", t->name,
                           tfl_type_name(t->type));
        SL_TRY(input_shape(c, t, &s));
        SL_TRY(sl_add_input(c->b, t->name, tfl_dtype(t->type), tfl_stored_dtype(t), &s, &v->node));
        v->node->quant = tfl_encoding(t);
        c->n_encoded += v->node->quant.dtype != SL_NONE;
    }
    return SLUICE_OK;
}

/* ---- outputs ---- */

sluice_status tfl_make_outputs(struct tfl_import *c)
{
    for (int i = 0; i < c->n_ends; i++) {
        const struct tfl_tensor *t = &c->model.tensors[c->ends[i]];
        struct sl_node *from = c->values[c->ends[i]].node;
        struct sl_port *p;
        if (!from && t->data.size) {
            const struct sl_const *k;
            SL_TRY(tfl_tensor_const(c, t, &k));
            from = sl_build_const(c->b, k);
            from->quant = tfl_encoding(t);
        }
        if (!from)
            return sl_fail(c->e, SLUICE_E_FORMAT, "output '%s' is made by no operator and is no input", t->name);
        SL_TRY(sl_add_output(c->b, t->name, from, &p));
        if (tfl_stored_dtype(t) == from->dtype)
            p->origin_dtype = tfl_dtype(t->type);
        char file[160], made[160];
        if (!sl_shape_equal(&t->shape, &p->origin_shape) && !t->dynamic)
            sl_note(c->b, "output '%s' has shape %s, the file says %s", t->name,
                    sl_shape_text(&p->origin_shape, made, sizeof made), sl_shape_text(&t->shape, file, sizeof file));
        p->node->quant = from->quant;
    }
    return SLUICE_OK;
}
