/* onnx_values.c: how a translate function sees its node: inputs as nodes or constants, attributes, and where results go. */
#include <string.h>

#include "onnx/onnx_import.h"

struct onnx_value *onnx_value_find(struct onnx_scope *s, const char *name)
{
    for (; s; s = s->outer) {
        struct onnx_value *v = sl_map_get(s->values, name);
        if (v)
            return v;
    }
    return NULL;
}

static sluice_status value_const(struct onnx_import *c, sl_arena *a, const struct onnx_value *v, const struct sl_const **out)
{
    *out = NULL;
    if (v->node)
        *out = sl_node_const(v->node);
    else if (v->init)
        return onnx_tensor_const(c, a, v->init, out);
    else if (v->sparse)
        return onnx_sparse_const(c, a, v->sparse, out);
    return SLUICE_OK;
}

sluice_status onnx_value_node(struct onnx_import *c, struct onnx_value *v, struct sl_node **out)
{
    if (!v->node) {
        const struct sl_const *k;
        SL_TRY(value_const(c, c->a, v, &k));
        if (!k)
            return sl_fail(c->e, SLUICE_E_INTERNAL, "value '%s' has not been made", v->name);
        v->node = sl_build_const(c->b, k);
        SL_TRY(sl_infer(c->g, v->node, c->e));
    }
    *out = v->node;
    return SLUICE_OK;
}

/* An input of a function that its caller left out is left out where the function passes it on. */
bool onnx_has_in(const struct onnx_import *c, int i)
{
    if (i >= c->node->n_in || !c->node->in[i][0])
        return false;
    const struct onnx_value *v = c->scope->function ? onnx_value_find(c->scope, c->node->in[i]) : NULL;
    return !v || !v->absent;
}

/* Start nodes leave a way open from one of the file's own inputs. */
static bool not_cut_off(const struct onnx_import *c, const char *name)
{
    const struct onnx_graph *g = c->model->graph;
    for (int i = 0; i < g->n_inputs && c->options->common.n_start; i++)
        if (strcmp(g->inputs[i].name, name) == 0)
            return true;
    return false;
}

static sluice_status find_in(struct onnx_import *c, int i, struct onnx_value **out)
{
    const char *name = c->node->in[i];
    *out = onnx_value_find(c->scope, name);
    if (*out)
        return SLUICE_OK;
    if (!not_cut_off(c, name))
        return sl_fail(c->e, SLUICE_E_FORMAT, "input '%s' is made by no node and is no graph input", name);
    sl_fail(c->e, SLUICE_E_VALUE, "the file's input '%s' is still needed: the start nodes do not cut it off", name);
    return sl_hint(c->e, "give start nodes on every way from it to the end nodes, or '%s' itself as one more", name);
}

sluice_status onnx_in_any(struct onnx_import *c, int i, struct sl_node **out)
{
    struct onnx_value *v;
    *out = NULL;
    if (!onnx_has_in(c, i))
        return SLUICE_OK;
    SL_TRY(find_in(c, i, &v));
    return onnx_value_node(c, v, out);
}

sluice_status onnx_in(struct onnx_import *c, int i, struct sl_node **out)
{
    SL_TRY(onnx_in_any(c, i, out));
    return !*out || onnx_is_tensor(*out)
               ? SLUICE_OK
               : sl_unsupported(c->b, "input '%s' is a sequence or an optional value; %s reads tensors", c->node->in[i], c->node->op_type);
}

sluice_status onnx_in_const(struct onnx_import *c, int i, const struct sl_const **out)
{
    struct onnx_value *v;
    *out = NULL;
    if (!onnx_has_in(c, i))
        return SLUICE_OK;
    SL_TRY(find_in(c, i, &v));
    return value_const(c, c->a, v, out);
}

bool onnx_is_run_time(struct onnx_import *c, int i)
{
    const struct onnx_value *v = onnx_has_in(c, i) ? onnx_value_find(c->scope, c->node->in[i]) : NULL;
    return v && v->node && !sl_node_const(v->node);
}

sluice_status onnx_need_const(struct onnx_import *c, int i, const char *what, const struct sl_const **out)
{
    SL_TRY(onnx_in_const(c, i, out));
    if (*out)
        return SLUICE_OK;
    if (!onnx_has_in(c, i))
        return sl_fail(c->e, SLUICE_E_FORMAT, "input %d (%s) is missing", i, what);
    return sl_unsupported(c->b, "input '%s' (%s) is computed at run time, it must be a constant", c->node->in[i], what);
}

/* The initializer that input i names, when no layer holds it yet. */
static const struct onnx_tensor *initializer_of(struct onnx_import *c, int i)
{
    const struct onnx_value *v = onnx_has_in(c, i) ? onnx_value_find(c->scope, c->node->in[i]) : NULL;
    return v && !v->node ? v->init : NULL;
}

sluice_status onnx_need_weights(struct onnx_import *c, int i, const char *what, const struct sl_const **out)
{
    const struct onnx_tensor *t = initializer_of(c, i);
    return t ? onnx_tensor_view(c, c->a, t, out) : onnx_need_const(c, i, what, out);
}

static sluice_status need_rank(struct onnx_import *c, int i, int found, int rank)
{
    if (found == rank)
        return SLUICE_OK;
    return sl_fail(c->e, SLUICE_E_SHAPE, "input %d has %d dimensions, %d are wanted", i, found, rank);
}

sluice_status onnx_in_permuted(struct onnx_import *c, int i, int rank, const int64_t *perm, struct sl_node **out)
{
    const struct onnx_tensor *t = initializer_of(c, i);
    if (!t) {
        SL_TRY(onnx_in(c, i, out));
        SL_TRY(need_rank(c, i, (*out)->shape.rank, rank));
        return sl_build_transpose(c->b, *out, perm, out);
    }
    const struct sl_const *k;
    SL_TRY(onnx_tensor_view(c, c->a, t, &k));
    SL_TRY(need_rank(c, i, k->shape.rank, rank));
    SL_TRY(sl_const_permute(c->a, k, perm, &k, c->e));
    *out = sl_build_const(c->b, k);
    return sl_infer(c->g, *out, c->e);
}

sluice_status onnx_const_ints(struct onnx_import *c, const struct sl_const *k, const char *what, int *n, int64_t **out)
{
    size_t count = sl_shape_elements(&k->shape);
    if (k->shape.rank > 1 || count > 4096)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%s is not a short list of numbers", what);
    *n = (int)count;
    *out = SL_NEW_ARRAY(c->a, int64_t, count);
    for (size_t i = 0; i < count; i++)
        (*out)[i] = sl_const_integer(k, i);
    return SLUICE_OK;
}

sluice_status onnx_need_ints(struct onnx_import *c, int i, const char *what, int *n, int64_t **out)
{
    const struct sl_const *k;
    SL_TRY(onnx_need_const(c, i, what, &k));
    return onnx_const_ints(c, k, what, n, out);
}

int32_t onnx_declared_type(struct onnx_import *c, int input)
{
    const struct onnx_value *v = onnx_has_in(c, input) ? onnx_value_find(c->scope, c->node->in[input]) : NULL;
    if (v && v->init)
        return v->init->data_type;
    for (int i = 0; v && i < c->model->graph->n_inputs; i++)
        if (strcmp(c->model->graph->inputs[i].name, v->name) == 0)
            return c->model->graph->inputs[i].elem_type;
    return 0;
}

bool onnx_wants_out(const struct onnx_import *c, int i)
{
    return i < c->node->n_out && c->node->out[i][0];
}

sluice_status onnx_out(struct onnx_import *c, int i, struct sl_node *n)
{
    if (!onnx_wants_out(c, i))
        return SLUICE_OK;
    struct onnx_value *v = sl_map_get(c->scope->values, c->node->out[i]);
    if (!v) { /* outputs are declared before translation starts */
        v = SL_NEW(c->a, struct onnx_value);
        v->name = c->node->out[i];
        sl_map_set(c->scope->values, v->name, v);
    }
    v->node = n;
    return SLUICE_OK;
}

/* ---- attributes ---- */

static const struct onnx_attr *follow(struct onnx_import *c, const struct onnx_attr *at)
{
    const struct onnx_scope *s = c->scope;
    for (int depth = 0; at && at->reference && at->reference[0]; depth++) {
        if (!s || !s->caller || depth > SL_WIRE_MAX_DEPTH)
            return NULL;
        const struct onnx_function *fn = s->function;
        const struct onnx_attr *next = onnx_find_attr(s->caller, at->reference);
        for (int i = 0; !next && i < fn->n_defaults; i++)
            if (strcmp(fn->defaults[i].name, at->reference) == 0)
                return &fn->defaults[i];
        at = next;
        s = s->caller_scope;
    }
    return at;
}

const struct onnx_attr *onnx_attribute(struct onnx_import *c, const char *name)
{
    return follow(c, onnx_find_attr(c->node, name));
}

int64_t onnx_attr_int(struct onnx_import *c, const char *name, int64_t otherwise)
{
    const struct onnx_attr *at = onnx_attribute(c, name);
    return at && at->type == ONNX_ATTR_INT ? at->i : otherwise;
}

double onnx_attr_float(struct onnx_import *c, const char *name, double otherwise)
{
    const struct onnx_attr *at = onnx_attribute(c, name);
    return at && at->type == ONNX_ATTR_FLOAT ? (double)at->f : otherwise;
}

const char *onnx_attr_string(struct onnx_import *c, const char *name, const char *otherwise)
{
    const struct onnx_attr *at = onnx_attribute(c, name);
    return at && at->type == ONNX_ATTR_STRING ? at->s : otherwise;
}

const int64_t *onnx_attr_ints(struct onnx_import *c, const char *name, int *n)
{
    const struct onnx_attr *at = onnx_attribute(c, name);
    *n = at && at->type == ONNX_ATTR_INTS ? at->n : 0;
    return *n ? at->ints : NULL;
}
