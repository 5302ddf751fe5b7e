/* graph_verify.c: the structure of a graph, checked after every pass and after every reader. Meaning is ops' sl_verify_types.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/strings.h"
#include "ir/ir.h"

/* What is seen while going through a graph once. */
struct check {
    const struct sl_graph *g;
    sl_arena *scratch;
    struct sl_map *names;
    int *ports; /* of node i: how many ports name it */
};

static bool is_before(const struct sl_graph *g, const struct sl_node *n, int position)
{
    return n && n->index >= 0 && n->index < position && g->nodes[n->index] == n;
}

static sluice_status check_inputs(const struct check *c, const struct sl_node *n, sl_err *e)
{
    const struct sl_op_info *info = sl_op_info(n->op);
    if (n->n_in < info->min_in || (info->max_in >= 0 && n->n_in > info->max_in)) {
        char most[24];
        snprintf(most, sizeof most, info->max_in < 0 ? "or more" : "to %d", info->max_in);
        return sl_fail(e, SLUICE_E_FORMAT, "%s has %d inputs, not %d %s", info->name, n->n_in, info->min_in, most);
    }
    for (int k = 0; k < n->n_in; k++) {
        if (!is_before(c->g, n->in[k], n->index))
            return sl_fail(e, SLUICE_E_FORMAT, "input %d does not come before it", k);
        if (n->in[k]->op == SL_OP_output_layer)
            return sl_fail(e, SLUICE_E_FORMAT, "input %d is the output layer '%s'", k, sl_node_text(n->in[k]));
    }
    return SLUICE_OK;
}

static sluice_status check_const(const struct sl_const *v, sl_err *e)
{
    size_t bytes;
    char text[160];
    if (!v || sl_dtype_bits(v->dtype) == 0 || !sl_bytes_of(v->dtype, &v->shape, &bytes))
        return sl_fail(e, SLUICE_E_SHAPE, "no value, or a shape whose size is not in 0..2^46");
    if (v->splat)
        bytes = (sl_dtype_bits(v->dtype) + 7) / 8;
    if (v->bytes != bytes || (!v->data && bytes > 0))
        return sl_fail(e, SLUICE_E_SHAPE, "%zu bytes, where %s %s takes %zu", v->bytes, sl_dtype_name(v->dtype),
                       sl_shape_text(&v->shape, text, sizeof text), bytes);
    return SLUICE_OK;
}

static sluice_status check_params(const struct sl_param *params, int n, sl_err *e)
{
    for (int i = 0; i < n; i++) {
        if (!params[i].name || !params[i].name[0])
            return sl_fail(e, SLUICE_E_FORMAT, "a parameter has no name");
        for (int k = 0; k < i; k++)
            if (strcmp(params[i].name, params[k].name) == 0)
                return sl_fail(e, SLUICE_E_FORMAT, "parameter '%s' is given twice", params[i].name);
        if (check_const(params[i].value, e) != SLUICE_OK)
            return sl_context(e, "parameter '%s'", params[i].name);
    }
    return SLUICE_OK;
}

static sluice_status check_attrs(const struct sl_node *n, sl_err *e)
{
    for (int i = 0; i < n->n_attrs; i++) {
        const struct sl_attr *at = &n->attrs[i];
        for (int k = 0; k < i; k++)
            if (strcmp(at->name, n->attrs[k].name) == 0)
                return sl_fail(e, SLUICE_E_FORMAT, "attribute '%s' is given twice", at->name);
        bool has_value = at->kind == SL_ATTR_STRING ? at->s != NULL : at->kind == SL_ATTR_INTS ? at->i != NULL : at->f != NULL;
        if (at->n < 0 || !has_value || (!at->list && at->n != 1))
            return sl_fail(e, SLUICE_E_FORMAT, "attribute '%s' has no value", at->name);
        for (int k = 0; at->kind == SL_ATTR_FLOATS && k < at->n; k++)
            if (isnan(at->f[k]))
                return sl_fail(e, SLUICE_E_VALUE, "attribute '%s' is not a number", at->name);
    }
    return SLUICE_OK;
}

static sluice_status check_scale(float scale, sl_err *e)
{
    if (!isfinite(scale) || scale <= 0)
        return sl_fail(e, SLUICE_E_VALUE, "scale %g is not a finite number above 0", (double)scale);
    return SLUICE_OK;
}

static sluice_status check_quant(const struct sl_node *n, sl_err *e)
{
    const struct sl_quant *q = &n->quant;
    if (q->dtype == SL_NONE)
        return SLUICE_OK;
    if (q->dtype != SL_U8 && q->dtype != SL_U16)
        return sl_fail(e, SLUICE_E_VALUE, "quantized as %s, not u8 or u16", sl_dtype_name(q->dtype));
    int32_t largest = q->dtype == SL_U8 ? 255 : 65535;
    if (q->zero_point < 0 || q->zero_point > largest)
        return sl_fail(e, SLUICE_E_VALUE, "zero point %d is not in 0..%d", q->zero_point, largest);
    if (q->n_scales == 0)
        return check_scale(q->scale, e);
    if (n->shape.rank == 0 || q->n_scales < 0 || q->n_scales != n->shape.dim[n->shape.rank - 1] || !q->scales)
        return sl_fail(e, SLUICE_E_SHAPE, "%d scales do not match the last dimension", q->n_scales);
    for (int i = 0; i < q->n_scales; i++)
        SL_TRY(check_scale(q->scales[i], e));
    return q->scale == 0 ? SLUICE_OK : check_scale(q->scale, e); /* besides a list it may be left out */
}

static bool is_scope(const struct sl_graph *g, const char *scope)
{
    for (int i = 0; i < g->n_scopes; i++)
        if (g->scopes[i] == scope || strcmp(g->scopes[i], scope) == 0)
            return true;
    return false;
}

static sluice_status check_name(const struct check *c, struct sl_node *n, sl_err *e)
{
    if (!n->name || !n->scope)
        return sl_fail(e, SLUICE_E_FORMAT, "no name");
    if (!is_scope(c->g, n->scope))
        return sl_fail(e, SLUICE_E_FORMAT, "'%s' is not a network of this graph", n->scope);
    if (!n->name[0])
        return SLUICE_OK;
    const char *full = sl_arena_printf(c->scratch, "%s/%s", n->scope, n->name);
    if (sl_map_has(c->names, full))
        return sl_fail(e, SLUICE_E_FORMAT, "another layer has the same name");
    sl_map_set(c->names, full, n);
    return SLUICE_OK;
}

static sluice_status check_node(const struct check *c, int position, sl_err *e)
{
    struct sl_node *n = c->g->nodes[position];
    size_t elements;
    if (n->index != position)
        return sl_fail(e, SLUICE_E_INTERNAL, "stands at %d but is numbered %d", position, n->index);
    if ((unsigned)n->op >= SL_OP_COUNT)
        return sl_fail(e, SLUICE_E_FORMAT, "op %d is not known", (int)n->op);
    SL_TRY(check_name(c, n, e));
    SL_TRY(check_inputs(c, n, e));
    if (sl_dtype_bits(n->dtype) == 0)
        return sl_fail(e, SLUICE_E_SHAPE, "its output has no type");
    if (!sl_shape_count(&n->shape, &elements))
        return sl_fail(e, SLUICE_E_SHAPE, "its shape has a size outside 0..2^46");
    SL_TRY(check_attrs(n, e));
    SL_TRY(check_params(n->params, n->n_params, e));
    return check_quant(n, e);
}

/* perm holds each axis of the stored tensor once, and the origin has as many elements. */
static sluice_status check_port(const struct check *c, const struct sl_port *p, enum sl_op op, sl_err *e)
{
    size_t stored, origin;
    unsigned seen = 0;
    char text[160], other[160];
    if (!is_before(c->g, p->node, c->g->n_nodes) || p->node->op != op)
        return sl_fail(e, SLUICE_E_FORMAT, "its layer is not an %s of the graph", sl_op_info(op)->name);
    if (++c->ports[p->node->index] > 1)
        return sl_fail(e, SLUICE_E_FORMAT, "layer '%s' belongs to two ports", sl_node_text(p->node));
    const struct sl_shape *s = &p->node->shape;
    if (sl_dtype_bits(p->origin_dtype) == 0)
        return sl_fail(e, SLUICE_E_SHAPE, "its original type is not given");
    for (int i = 0; i < s->rank; i++)
        if (p->perm[i] >= 0 && p->perm[i] < s->rank)
            seen |= 1u << p->perm[i];
    if (seen != (1u << s->rank) - 1)
        return sl_fail(e, SLUICE_E_FORMAT, "its axis order is not a permutation of 0..%d", s->rank - 1);
    if (!sl_shape_count(s, &stored) || !sl_shape_count(&p->origin_shape, &origin) || stored != origin)
        return sl_fail(e, SLUICE_E_SHAPE, "its original shape %s does not hold as many elements as %s",
                       sl_shape_text(&p->origin_shape, text, sizeof text), sl_shape_text(s, other, sizeof other));
    return SLUICE_OK;
}

static sluice_status check_ports(const struct check *c, sl_err *e)
{
    const struct sl_graph *g = c->g;
    for (int i = 0; i < g->n_inputs; i++)
        if (check_port(c, &g->inputs[i], SL_OP_input_layer, e) != SLUICE_OK)
            return sl_context(e, "input '%s'", g->inputs[i].origin_name);
    for (int i = 0; i < g->n_outputs; i++)
        if (check_port(c, &g->outputs[i], SL_OP_output_layer, e) != SLUICE_OK)
            return sl_context(e, "output '%s'", g->outputs[i].origin_name);
    for (int i = 0; i < g->n_nodes; i++) {
        enum sl_op op = g->nodes[i]->op;
        if ((op == SL_OP_input_layer || op == SL_OP_output_layer) && c->ports[i] == 0)
            return sl_fail(e, SLUICE_E_FORMAT, "node '%s' is not among the graph's inputs and outputs",
                           sl_node_text(g->nodes[i]));
    }
    return SLUICE_OK;
}

static sluice_status check_states(const struct sl_graph *g, sl_err *e)
{
    size_t bytes;
    for (int i = 0; i < g->n_states; i++) {
        const struct sl_state *s = &g->states[i];
        if (!sl_bytes_of(s->dtype, &s->entry, &bytes) || s->length < 1)
            return sl_fail(e, SLUICE_E_SHAPE, "state '%s': its type, entry shape or length (%lld) is not valid", s->name,
                           (long long)s->length);
        for (int k = 0; k < i; k++)
            if (g->states[k].id == s->id)
                return sl_fail(e, SLUICE_E_FORMAT, "states '%s' and '%s' have the same id %u", g->states[k].name, s->name,
                               s->id);
    }
    return SLUICE_OK;
}

static sluice_status check_extras(const struct sl_graph *g, sl_err *e)
{
    SL_TRY(check_states(g, e));
    for (int i = 0; i < g->n_scalars; i++) {
        const struct sl_scalar *s = &g->scalars[i];
        if (s->maximum < 1)
            return sl_fail(e, SLUICE_E_VALUE, "scalar '%s': maximum %lld is not positive", s->name, (long long)s->maximum);
        for (int k = 0; k < i; k++)
            if (g->scalars[k].id == s->id)
                return sl_fail(e, SLUICE_E_FORMAT, "scalars '%s' and '%s' have the same id %u", g->scalars[k].name, s->name,
                               s->id);
    }
    for (int i = 0; i < g->n_alternatives; i++) {
        const struct sl_alternative *alt = &g->alternatives[i];
        if (!is_before(g, alt->layer, g->n_nodes))
            return sl_fail(e, SLUICE_E_FORMAT, "alternative '%s' is of no layer of the graph", alt->name);
        if (check_params(alt->params, alt->n_params, e) != SLUICE_OK)
            return sl_context(e, "alternative '%s' of layer '%s'", alt->name, sl_node_text(alt->layer));
    }
    return SLUICE_OK;
}

static sluice_status check_graph(const struct check *c, sl_err *e)
{
    for (int i = 0; i < c->g->n_nodes; i++)
        if (check_node(c, i, e) != SLUICE_OK)
            return sl_context(e, "layer '%s'", sl_node_text(c->g->nodes[i]));
    SL_TRY(check_ports(c, e));
    return check_extras(c->g, e);
}

sluice_status sl_graph_verify(const struct sl_graph *g, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct check c = {g, scratch, sl_map_new(scratch), SL_NEW_ARRAY(scratch, int, g->n_nodes)};
    sluice_status s = check_graph(&c, e);
    sl_arena_free(scratch);
    return s;
}
