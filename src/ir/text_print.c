/* text_print.c: graph -> IR text (ir/text.h has the grammar). */
#include <string.h>

#include "ir/text_private.h"

const char *const sl_stage_names[3] = {"native", "fp_optimized", "quantized"};

struct printer {
    const struct sl_graph *g;
    struct sl_text_consts *consts;
    struct sl_buffer *out;
};

static bool is_word(const char *s)
{
    if (!s[0] || (s[0] >= '0' && s[0] <= '9'))
        return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_'))
            return false;
    return true;
}

static void put_string(struct sl_buffer *out, const char *s)
{
    sl_put_u8(out, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            sl_put_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            sl_put_printf(out, "\\x%02x", c);
        else
            sl_put_u8(out, c);
    }
    sl_put_u8(out, '"');
}

static void put_name(struct sl_buffer *out, const char *s)
{
    if (is_word(s))
        sl_put_printf(out, "%s", s);
    else
        put_string(out, s);
}

static void put_ref(struct printer *p, const struct sl_node *n)
{
    sl_put_u8(p->out, '%');
    if (strcmp(n->scope, p->g->name) != 0) {
        put_name(p->out, n->scope);
        sl_put_u8(p->out, '/');
    }
    if (n->name[0])
        put_name(p->out, n->name);
    else
        sl_put_printf(p->out, "%d", n->index);
}

static void put_type(struct printer *p, enum sl_dtype t, const struct sl_shape *s)
{
    sl_put_printf(p->out, "%s [", sl_dtype_name(t));
    for (int i = 0; i < s->rank; i++)
        sl_put_printf(p->out, i ? ", %lld" : "%lld", (long long)s->dim[i]);
    sl_put_u8(p->out, ']');
}

static void put_attr(struct printer *p, const struct sl_attr *at)
{
    put_name(p->out, at->name);
    sl_put_printf(p->out, " = ");
    if (at->kind == SL_ATTR_STRING) {
        put_string(p->out, at->s);
        return;
    }
    if (at->list)
        sl_put_printf(p->out, at->n == 0 && at->kind == SL_ATTR_FLOATS ? "floats [" : "[");
    for (int i = 0; i < at->n; i++) {
        sl_put_printf(p->out, i ? ", " : "");
        if (at->kind == SL_ATTR_INTS)
            sl_put_printf(p->out, "%lld", (long long)at->i[i]);
        else
            sl_put_decimal(p->out, at->f[i], false);
    }
    if (at->list)
        sl_put_u8(p->out, ']');
}

static void put_params(struct printer *p, const struct sl_param *params, int n)
{
    sl_put_printf(p->out, " params {");
    for (int i = 0; i < n; i++) {
        sl_put_printf(p->out, i ? ", " : "");
        put_name(p->out, params[i].name);
        sl_put_printf(p->out, ": ");
        put_type(p, params[i].value->dtype, &params[i].value->shape);
        sl_put_printf(p->out, " = ");
        sl_put_const_value(p->out, params[i].value, p->consts);
    }
    sl_put_u8(p->out, '}');
}

static void put_quant(struct printer *p, const struct sl_quant *q)
{
    sl_put_printf(p->out, " quant %s", sl_dtype_name(q->dtype));
    if (q->n_scales == 0 || q->scale != 0) {
        sl_put_printf(p->out, " scale ");
        sl_put_decimal(p->out, (double)q->scale, true);
    }
    sl_put_printf(p->out, " zero %d", q->zero_point);
    if (q->n_scales == 0)
        return;
    sl_put_printf(p->out, " scales [");
    for (int i = 0; i < q->n_scales; i++) {
        sl_put_printf(p->out, i ? ", " : "");
        sl_put_decimal(p->out, (double)q->scales[i], true);
    }
    sl_put_u8(p->out, ']');
}

static void put_node(struct printer *p, const struct sl_node *n)
{
    put_ref(p, n);
    sl_put_printf(p->out, " = %s(", sl_op_info(n->op)->name);
    for (int i = 0; i < n->n_in; i++) {
        sl_put_printf(p->out, i ? ", " : "");
        put_ref(p, n->in[i]);
    }
    sl_put_u8(p->out, ')');
    for (int i = 0; i < n->n_attrs; i++) {
        sl_put_printf(p->out, i ? ", " : " {");
        put_attr(p, &n->attrs[i]);
    }
    if (n->n_attrs > 0)
        sl_put_u8(p->out, '}');
    if (n->n_params > 0)
        put_params(p, n->params, n->n_params);
    if (n->dtype != SL_NONE) {
        sl_put_printf(p->out, " : ");
        put_type(p, n->dtype, &n->shape);
    }
    if (n->quant.dtype != SL_NONE)
        put_quant(p, &n->quant);
    for (int i = 0; i < n->n_origins; i++) {
        sl_put_printf(p->out, i ? ", " : " origins [");
        put_string(p->out, n->origins[i]);
    }
    sl_put_printf(p->out, n->n_origins ? "]\n" : "\n");
}

static void put_port(struct printer *p, const char *what, const struct sl_port *port)
{
    sl_put_printf(p->out, "%s ", what);
    put_string(p->out, port->origin_name);
    sl_put_printf(p->out, " = ");
    put_ref(p, port->node);
    if (port->origin_dtype != SL_NONE) {
        sl_put_printf(p->out, " : ");
        put_type(p, port->origin_dtype, &port->origin_shape);
    }
    sl_put_printf(p->out, " perm [");
    for (int i = 0; i < port->node->shape.rank; i++)
        sl_put_printf(p->out, i ? ", %d" : "%d", port->perm[i]);
    sl_put_printf(p->out, "]\n");
}

static void put_head(struct printer *p)
{
    const struct sl_graph *g = p->g;
    sl_put_printf(p->out, "graph ");
    put_name(p->out, g->name);
    sl_put_printf(p->out, " %s\n", sl_stage_names[g->stage]);
    for (int i = 0; i < g->n_scopes; i++)
        if (strcmp(g->scopes[i], g->name) != 0) {
            sl_put_printf(p->out, "scope ");
            put_name(p->out, g->scopes[i]);
            sl_put_u8(p->out, '\n');
        }
    for (int i = 0; i < g->n_states; i++) {
        sl_put_printf(p->out, "state ");
        put_string(p->out, g->states[i].name);
        sl_put_printf(p->out, " id %u ", g->states[i].id);
        put_type(p, g->states[i].dtype, &g->states[i].entry);
        sl_put_printf(p->out, " length %lld\n", (long long)g->states[i].length);
    }
    for (int i = 0; i < g->n_scalars; i++) {
        sl_put_printf(p->out, "scalar ");
        put_string(p->out, g->scalars[i].name);
        sl_put_printf(p->out, " id %u maximum %lld\n", g->scalars[i].id, (long long)g->scalars[i].maximum);
    }
}

sluice_status sl_text_print(const struct sl_graph *g, struct sl_text_consts *consts, struct sl_buffer *out, sl_err *e)
{
    struct printer p = {g, consts, out};
    put_head(&p);
    for (int i = 0; i < g->n_nodes; i++)
        put_node(&p, g->nodes[i]);
    for (int i = 0; i < g->n_alternatives; i++) {
        sl_put_printf(out, "alternative ");
        put_string(out, g->alternatives[i].name);
        sl_put_printf(out, " of ");
        put_ref(&p, g->alternatives[i].layer);
        put_params(&p, g->alternatives[i].params, g->alternatives[i].n_params);
        sl_put_u8(out, '\n');
    }
    for (int i = 0; i < g->n_inputs; i++)
        put_port(&p, "input", &g->inputs[i]);
    for (int i = 0; i < g->n_outputs; i++)
        put_port(&p, "output", &g->outputs[i]);
    return out->failed ? sl_fail(e, SLUICE_E_MEMORY, "out of memory while printing a graph") : SLUICE_OK;
}
