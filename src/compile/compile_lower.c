/* compile_lower.c: passes check-quantized, lower, ports and states: from a quantized graph to a program without contexts. */
#include <string.h>

#include "compile/compile_passes.h"
#include "ops/ops.h"

/* ---- check-quantized ---- */

sluice_status sl_check_quantized(struct sl_compiling *c, sl_err *e)
{
    const struct sl_graph *g = c->g;
    if (g->stage != SL_STAGE_QUANTIZED) {
        sl_fail(e, SLUICE_E_USAGE, "network '%s' is not quantized", g->name);
        return sl_hint(e, "run optimize first");
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        size_t elements;
        if (n->quant.dtype != SL_U8 && n->quant.dtype != SL_U16)
            return sl_fail(e, SLUICE_E_UNSUPPORTED, "%s '%s' has no integer encoding", sl_op_info(n->op)->name,
                           sl_node_text(n));
        if (!sl_shape_count(&n->shape, &elements) || elements == 0)
            return sl_fail(e, SLUICE_E_SHAPE, "%s '%s' has no elements", sl_op_info(n->op)->name, sl_node_text(n));
    }
    return SLUICE_OK;
}

/* ---- lower ---- */

static sluice_status lower_node(struct sl_compiling *c, const struct sl_node *n, sl_err *e)
{
    uint32_t before = c->p->n_insns;
    if (sl_op_row(n->op)->lower(&c->l, n, e) != SLUICE_OK)
        return sl_context(e, "%s '%s'", sl_op_info(n->op)->name, sl_node_text(n));
    if (c->p->n_insns > before)
        c->insn_of[n->index] = c->p->n_insns - 1;
    return SLUICE_OK;
}

/* Nodes in order, but a constant input only before its first reader, so that it is in the reader's context. Instructions keep
 * pointers to names, scales and constants of the graph, which outlives the program. */
sluice_status sl_lower_nodes(struct sl_compiling *c, sl_err *e)
{
    for (int i = 0; i < c->g->n_nodes; i++) {
        const struct sl_node *n = c->g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]->op == SL_OP_const_input && c->insn_of[n->in[k]->index] == SL_NO_TENSOR)
                SL_TRY(lower_node(c, n->in[k], e));
        if (n->op != SL_OP_const_input)
            SL_TRY(lower_node(c, n, e));
    }
    return SLUICE_OK;
}

/* ---- ports ---- */

static const char *scoped_name(const struct sl_compiling *c, const struct sl_node *n)
{
    return n->scope && n->scope[0] ? sl_arena_printf(c->p->arena, "%s/%s", n->scope, n->name) : n->name;
}

static struct sl_program_port make_port(const struct sl_compiling *c, const struct sl_port *port, const char *name)
{
    struct sl_program_port out = {.name = name,
                                  .tensor = c->l.tensor_of[port->node->index],
                                  .origin_name = port->origin_name ? port->origin_name : "",
                                  .origin_dtype = port->origin_dtype,
                                  .origin_shape = port->origin_shape};
    memcpy(out.perm, port->perm, sizeof(out.perm));
    /* Entries past the rank carry nothing: the identity makes the bytes the same whatever they held. */
    for (int i = port->node->shape.rank; i < SL_MAX_RANK; i++)
        out.perm[i] = i;
    return out;
}

/* An output stream is called after the layer that feeds it, unless that name is taken: an input shown as output, or one layer
 * twice. */
static const char *output_name(const struct sl_compiling *c, int index, const struct sl_map *taken)
{
    const struct sl_node *n = c->g->outputs[index].node;
    const char *fed_by = scoped_name(c, n->op == SL_OP_output_layer ? n->in[0] : n);
    return sl_map_has(taken, fed_by) ? scoped_name(c, n) : fed_by;
}

sluice_status sl_make_ports(struct sl_compiling *c, sl_err *e)
{
    struct sl_program *p = c->p;
    struct sl_map *taken = sl_map_new(p->arena);
    p->inputs = SL_NEW_ARRAY(p->arena, struct sl_program_port, c->g->n_inputs);
    p->outputs = SL_NEW_ARRAY(p->arena, struct sl_program_port, c->g->n_outputs);
    for (int i = 0; i < c->g->n_inputs; i++) {
        const char *name = scoped_name(c, c->g->inputs[i].node);
        p->inputs[p->n_inputs++] = make_port(c, &c->g->inputs[i], name);
        sl_map_set(taken, name, p->inputs);
    }
    for (int i = 0; i < c->g->n_outputs; i++) {
        const char *name = output_name(c, i, taken);
        const struct sl_quant *q = &c->g->outputs[i].node->quant;
        if (sl_map_has(taken, name))
            return sl_fail(e, SLUICE_E_INTERNAL, "two streams are named '%s'", name);
        sl_map_set(taken, name, p->outputs);
        p->outputs[p->n_outputs++] = make_port(c, &c->g->outputs[i], name);
        /* Scales a channel belong to the network's output; its layer may not carry them. */
        struct sl_program_tensor *t = &p->tensors[p->outputs[i].tensor];
        if (q->n_scales && !t->n_scales) {
            t->n_scales = q->n_scales;
            t->scales = q->scales;
        }
    }
    return SLUICE_OK;
}

/* ---- states, scalars, alternatives ---- */

/* Position of a word in a list of operand names. */
static bool find_operand(const char *names, const char *word, uint32_t *slot)
{
    size_t length = strlen(word);
    *slot = 0;
    for (const char *at = names; *at; at += strcspn(at, " ") + 1, ++*slot)
        if (strncmp(at, word, length) == 0 && at[length] == ' ')
            return true;
    return false;
}

static sluice_status carry_alternative(struct sl_compiling *c, const struct sl_alternative *from,
                                       struct sl_program_alternative *to, sl_err *e)
{
    sl_arena *a = c->p->arena;
    uint32_t insn = c->insn_of[from->layer->index];
    if (insn == SL_NO_TENSOR)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "alternative '%s' of layer '%s', which is no instruction", from->name,
                       sl_node_text(from->layer));
    const char *names = sl_insn_info(c->p->insns[insn].opcode)->consts;
    *to = (struct sl_program_alternative){.name = from->name, .insn = insn};
    to->slots = SL_NEW_ARRAY(a, uint32_t, from->n_params);
    to->consts = SL_NEW_ARRAY(a, uint32_t, from->n_params);
    struct sl_node bag = {.n_params = from->n_params, .params = from->params};
    for (int k = 0; k < from->n_params; k++) {
        if (!find_operand(names, from->params[k].name, &to->slots[k]))
            return sl_fail(e, SLUICE_E_UNSUPPORTED, "alternative '%s' of layer '%s' replaces '%s', which the layer has not",
                           from->name, sl_node_text(from->layer), from->params[k].name);
        to->consts[k] = sl_lower_const(&c->l, &bag, from->params[k].name);
        to->n_consts++;
    }
    return SLUICE_OK;
}

sluice_status sl_carry_states(struct sl_compiling *c, sl_err *e)
{
    const struct sl_graph *g = c->g;
    struct sl_program *p = c->p;
    p->states = SL_NEW_ARRAY(p->arena, struct sl_program_state, g->n_states);
    p->scalars = SL_NEW_ARRAY(p->arena, struct sl_program_scalar, g->n_scalars);
    p->alternatives = SL_NEW_ARRAY(p->arena, struct sl_program_alternative, g->n_alternatives);
    for (int i = 0; i < g->n_states; i++)
        p->states[p->n_states++] = (struct sl_program_state){g->states[i].name, g->states[i].id, g->states[i].dtype,
                                                             g->states[i].entry, g->states[i].length};
    for (int i = 0; i < g->n_scalars; i++)
        p->scalars[p->n_scalars++] = (struct sl_program_scalar){g->scalars[i].name, g->scalars[i].id, g->scalars[i].maximum};
    for (int i = 0; i < g->n_alternatives; i++)
        SL_TRY(carry_alternative(c, &g->alternatives[i], &p->alternatives[p->n_alternatives++], e));
    return SLUICE_OK;
}
