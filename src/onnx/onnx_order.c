/*
 * onnx_order.c: goes through a list of ONNX nodes: declares the values they make, keeps those on the way to the wanted values,
 * puts producers first (files keep that order, hand-made ones may not) and translates each.
 */
#include <string.h>

#include "onnx/onnx_import.h"

enum { MOST_INLINED = 200000, MOST_SCOPES = 32 };

struct onnx_value *onnx_declare(struct onnx_import *c, const char *name)
{
    struct onnx_value *v = sl_map_get(c->scope->values, name);
    if (v)
        return NULL;
    v = SL_NEW(c->a, struct onnx_value);
    v->name = name;
    sl_map_set(c->scope->values, name, v);
    return v;
}

sluice_status onnx_declare_initializers(struct onnx_import *c, const struct onnx_graph *g)
{
    for (int i = 0; i < g->n_initializers + g->n_sparse; i++) {
        bool dense = i < g->n_initializers;
        const char *name = dense ? g->initializers[i].name : g->sparse[i - g->n_initializers].values.name;
        if (!name[0])
            return sl_fail(c->e, SLUICE_E_FORMAT, "an initializer has no name");
        struct onnx_value *v = onnx_declare(c, name);
        if (!v)
            return sl_fail(c->e, SLUICE_E_FORMAT, "initializer '%s' is there twice", name);
        if (dense)
            v->init = &g->initializers[i];
        else
            v->sparse = &g->sparse[i - g->n_initializers];
    }
    return SLUICE_OK;
}

/* ---- order ---- */

/* What a node reads: its inputs and, when it carries branches, the outer values that they read. */
struct reads {
    int n;
    const char **names;
};

struct walk {
    struct onnx_import *c;
    const struct onnx_node *nodes;
    int n_nodes;
    struct reads *reads;
    unsigned char *state; /* 0 not needed, 1 needed, 2 on the path, 3 placed */
    int *stack, *cursor;
    int *order, n_order;
};

static int count_names(const struct onnx_node *n)
{
    int count = n->n_in;
    for (int k = 0; k < n->n_attrs; k++)
        for (int i = 0; n->attrs[k].graph && i < n->attrs[k].graph->n_nodes; i++)
            count += count_names(&n->attrs[k].graph->nodes[i]);
    for (int k = 0; k < n->n_attrs; k++)
        count += n->attrs[k].graph ? n->attrs[k].graph->n_outputs : 0;
    return count;
}

/* What a body makes or is given itself is not read from outside, even where the name is there too. */
static void drop_own_names(sl_arena *a, const struct onnx_graph *g, const char **names, int *n)
{
    struct sl_map *own = sl_map_new(a);
    int kept = 0;
    for (int i = 0; i < g->n_inputs; i++)
        sl_map_set(own, g->inputs[i].name, own);
    for (int i = 0; i < g->n_initializers; i++)
        sl_map_set(own, g->initializers[i].name, own);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_out; k++)
            sl_map_set(own, g->nodes[i].out[k], own);
    for (int i = 0; i < *n; i++)
        if (!sl_map_has(own, names[i]))
            names[kept++] = names[i];
    *n = kept;
}

static void collect_names(sl_arena *a, const struct onnx_node *n, const char **out, int *at)
{
    for (int i = 0; i < n->n_in; i++)
        out[(*at)++] = n->in[i];
    for (int k = 0; k < n->n_attrs; k++) {
        const struct onnx_graph *g = n->attrs[k].graph;
        int inside = 0;
        for (int i = 0; g && i < g->n_nodes; i++)
            collect_names(a, &g->nodes[i], out + *at, &inside);
        for (int i = 0; g && i < g->n_outputs; i++)
            out[*at + inside++] = g->outputs[i].name;
        if (g)
            drop_own_names(a, g, out + *at, &inside);
        *at += inside;
    }
}

static bool has_graph(const struct onnx_node *n)
{
    for (int k = 0; k < n->n_attrs; k++)
        if (n->attrs[k].graph)
            return true;
    return false;
}

int onnx_node_reads(sl_arena *a, const struct onnx_node *n, const char ***out)
{
    int at = 0;
    *out = n->in;
    if (!has_graph(n))
        return n->n_in;
    *out = SL_NEW_ARRAY(a, const char *, count_names(n));
    collect_names(a, n, *out, &at);
    return at;
}

static void find_reads(struct walk *w)
{
    for (int i = 0; i < w->n_nodes; i++) {
        const struct onnx_node *n = &w->nodes[i];
        w->reads[i].n = onnx_node_reads(w->c->scratch, n, &w->reads[i].names);
    }
}

/* Index of the node in this list that makes a value, or -1. A value that is already there (a cut) has no producer to wait for.
 */
static int producer_of(const struct walk *w, const char *name)
{
    const struct onnx_value *v = name[0] ? sl_map_get(w->c->scope->values, name) : NULL;
    return v && !v->node ? v->producer - 1 : -1;
}

static void mark_needed(struct walk *w, const char *const *wanted, int n_wanted)
{
    int depth = 0;
    for (int i = 0; i < n_wanted; i++) {
        int p = producer_of(w, wanted[i]);
        if (p >= 0 && !w->state[p]) {
            w->state[p] = 1;
            w->stack[depth++] = p;
        }
    }
    while (depth > 0) {
        const struct reads *r = &w->reads[w->stack[--depth]];
        for (int k = 0; k < r->n; k++) {
            int p = producer_of(w, r->names[k]);
            if (p >= 0 && !w->state[p]) {
                w->state[p] = 1;
                w->stack[depth++] = p;
            }
        }
    }
}

/* Depth first from node i without recursion: state 2 met again is a cycle. */
static sluice_status place_with_producers(struct walk *w, int i)
{
    int depth = 0;
    w->stack[0] = i;
    w->cursor[0] = 0;
    w->state[i] = 2;
    while (depth >= 0) {
        int at = w->stack[depth];
        if (w->cursor[depth] == w->reads[at].n) {
            w->state[at] = 3;
            w->order[w->n_order++] = at;
            depth--;
            continue;
        }
        int p = producer_of(w, w->reads[at].names[w->cursor[depth]++]);
        if (p < 0 || w->state[p] == 3)
            continue;
        if (w->state[p] == 2)
            return sl_fail(w->c->e, SLUICE_E_FORMAT, "nodes '%s' and '%s' are in a cycle: each waits for the other's output",
                           w->nodes[p].label, w->nodes[at].label);
        depth++;
        w->stack[depth] = p;
        w->cursor[depth] = 0;
        w->state[p] = 2;
    }
    return SLUICE_OK;
}

/* ---- one node ---- */

void onnx_at_node(struct onnx_import *c, const struct onnx_node *n, const char *origin)
{
    c->node = n;
    c->b->origin = origin;
    c->b->op = n ? n->op_type : NULL;
}

static void mark_outputs_missing(struct onnx_import *c, const struct onnx_node *n)
{
    for (int i = 0; i < n->n_out; i++) {
        struct onnx_value *v = n->out[i][0] ? sl_map_get(c->scope->values, n->out[i]) : NULL;
        if (v)
            v->missing = true;
    }
}

/* True when something this node reads was not made. A value that a translated node left out counts as that node's problem. */
static sluice_status inputs_missing(struct onnx_import *c, const struct reads *r, bool *missing)
{
    *missing = false;
    for (int i = 0; i < r->n; i++) {
        struct onnx_value *v = r->names[i][0] ? onnx_value_find(c->scope, r->names[i]) : NULL;
        if (!v || !v->missing)
            continue;
        if (v->unmade) {
            sl_unsupported(c->b, "input '%s' is an optional output that is not supported", v->name);
            v->unmade = false;
        }
        *missing = true;
    }
    return SLUICE_OK;
}

/* Between opsets 21 and 25 operators got more types and, these, an attribute that changes what they compute (0: as before). */
static sluice_status check_newer_attributes(struct onnx_import *c, const struct onnx_node *n)
{
    static const struct {
        const char *op, *attribute;
        int since;
    } added[] = {{"DequantizeLinear", "output_dtype", 23}, {"QuantizeLinear", "precision", 23}};
    for (size_t i = 0; i < SL_COUNT(added); i++)
        if (strcmp(n->op_type, added[i].op) == 0 && onnx_attr_int(c, added[i].attribute, 0) != 0)
            return sl_unsupported(c->b, "attribute '%s', new in opset %d, is %lld: only 0 is supported", added[i].attribute,
                                  added[i].since, (long long)onnx_attr_int(c, added[i].attribute, 0));
    return SLUICE_OK;
}

static sluice_status refuse_operator(struct onnx_import *c, const struct onnx_node *n)
{
    if (!n->domain[0])
        return sl_unsupported(c->b, "this operator is not supported");
    if (strcmp(n->domain, "com.microsoft.nchwc") == 0)
        return sl_unsupported(c->b, "of domain '%s', layouts for one kind of CPU: save the file from ONNX Runtime with "
                                    "ORT_ENABLE_EXTENDED or less",
                              n->domain);
    return sl_unsupported(c->b, "this operator of domain '%s' is not supported", n->domain);
}

static sluice_status call_translate(struct onnx_import *c, const struct onnx_node *n)
{
    bool known;
    const char *key = sl_arena_printf(c->scratch, "%s:%s:%s", n->domain, n->op_type, n->overload);
    const struct onnx_function *f = sl_map_get(c->functions, key);
    if (f)
        return onnx_inline_function(c, f);
    const struct onnx_op_row *row = onnx_op_find(n->domain, n->op_type, n->domain[0] ? 1 : c->scope->opset, &known);
    if (row && !n->domain[0])
        SL_TRY(check_newer_attributes(c, n));
    if (!row && known)
        return sl_unsupported(c->b, "not defined or not supported at opset %lld", (long long)c->scope->opset);
    if (!row)
        return refuse_operator(c, n);
    if (row->reason)
        return sl_unsupported(c->b, "%s", row->reason);
    if (n->n_in < row->least_in || (row->most_in >= 0 && n->n_in > row->most_in))
        return sl_fail(c->e, SLUICE_E_FORMAT, "%d inputs, %s takes %d to %d", n->n_in, n->op_type, row->least_in, row->most_in);
    for (int i = 0; i < row->least_in; i++)
        if (!onnx_has_in(c, i))
            return sl_fail(c->e, SLUICE_E_FORMAT, "input %d is left out, %s needs it", i, n->op_type);
    return row->translate(c, n);
}

/* After a translation: what became of the outputs. */
static enum onnx_fate settle_outputs(struct onnx_import *c, const struct onnx_node *n)
{
    bool constant = true;
    for (int i = 0; i < n->n_out; i++) {
        struct onnx_value *v = n->out[i][0] ? sl_map_get(c->scope->values, n->out[i]) : NULL;
        if (!v)
            continue;
        if (!v->node && !v->init && !v->sparse)
            v->missing = v->unmade = true;
        constant = constant && (!v->node || v->node->op == SL_OP_const_input);
    }
    return constant ? ONNX_FOLDED : ONNX_TRANSLATED;
}

static sluice_status translate_node(struct onnx_import *c, const struct onnx_node *n, const struct reads *r,
                                    enum onnx_fate *fate)
{
    bool missing;
    onnx_at_node(c, n, c->scope->prefix[0] ? sl_arena_printf(c->a, "%s%s", c->scope->prefix, n->label) : n->label);
    *fate = ONNX_SKIPPED;
    SL_TRY(inputs_missing(c, r, &missing));
    struct sl_arena_mark mark = sl_arena_mark(c->scratch);
    sluice_status s = missing ? SLUICE_E_UNSUPPORTED : call_translate(c, n);
    sl_arena_reset(c->scratch, mark);
    if (s == SLUICE_OK) {
        *fate = settle_outputs(c, n);
        return SLUICE_OK;
    }
    if (s != SLUICE_E_UNSUPPORTED) {
        bool located = c->located; /* the innermost node of nested bodies says it all */
        c->located = true;
        return located ? s : sl_context(c->e, "node '%s' (%s)", c->b->origin, n->op_type);
    }
    if (c->e->code != SLUICE_OK) { /* an op's shape rule said so: it becomes one of the problems */
        onnx_at_node(c, n, c->b->origin);
        sl_unsupported(c->b, "%s", c->e->message);
        *c->e = (sl_err){0};
    }
    *fate = missing ? ONNX_SKIPPED : ONNX_UNSUPPORTED;
    mark_outputs_missing(c, n);
    return SLUICE_OK;
}

static sluice_status translate_in_order(struct onnx_import *c, const struct walk *w)
{
    bool is_main = c->scope->depth == 0;
    const struct onnx_node *caller = c->node;
    const char *origin = c->b->origin;
    for (int i = 0; i < w->n_order; i++) {
        enum onnx_fate fate;
        SL_TRY(translate_node(c, &w->nodes[w->order[i]], &w->reads[w->order[i]], &fate));
        if (is_main) {
            c->fates[w->order[i]] = (unsigned char)fate;
            c->b->report->n_folded += fate == ONNX_FOLDED;
        }
    }
    onnx_at_node(c, caller, origin);
    return SLUICE_OK;
}

static sluice_status declare_outputs(struct onnx_import *c, const struct onnx_node *nodes, int n_nodes)
{
    for (int i = 0; i < n_nodes; i++)
        for (int k = 0; k < nodes[i].n_out; k++) {
            const char *name = nodes[i].out[k];
            struct onnx_value *v = name[0] ? onnx_declare(c, name) : NULL;
            if (v) {
                v->producer = i + 1;
            } else if (name[0]) {
                v = sl_map_get(c->scope->values, name);
                if (v->producer)
                    return sl_fail(c->e, SLUICE_E_FORMAT, "value '%s' is made twice, by '%s' and by '%s'", name,
                                   nodes[v->producer - 1].label, nodes[i].label);
                if (!v->node || c->scope->depth || !c->options->common.n_start) /* a cut is an input by the user's wish */
                    return sl_fail(c->e, SLUICE_E_FORMAT, "node '%s' makes '%s', which is already an input or initializer",
                                   nodes[i].label, name);
            }
        }
    return SLUICE_OK;
}

sluice_status onnx_translate_nodes(struct onnx_import *c, const struct onnx_node *nodes, int n_nodes, const char *const *wanted,
                                   int n_wanted)
{
    if (c->scope->depth > MOST_SCOPES)
        return sl_fail(c->e, SLUICE_E_LIMIT, "functions or branches inside each other deeper than %d", MOST_SCOPES);
    if (c->scope->depth > 0 && (c->n_inlined += n_nodes) > MOST_INLINED)
        return sl_fail(c->e, SLUICE_E_LIMIT, "functions and branches expand to more than %d nodes", MOST_INLINED);
    SL_TRY(declare_outputs(c, nodes, n_nodes));
    sl_arena *s = c->scratch;
    size_t n = (size_t)n_nodes + 1;
    struct walk w = {.c = c,
                     .nodes = nodes,
                     .n_nodes = n_nodes,
                     .reads = SL_NEW_ARRAY(s, struct reads, n),
                     .state = SL_NEW_ARRAY(s, unsigned char, n),
                     .stack = SL_NEW_ARRAY(s, int, n),
                     .cursor = SL_NEW_ARRAY(s, int, n),
                     .order = SL_NEW_ARRAY(s, int, n)};
    find_reads(&w);
    mark_needed(&w, wanted, n_wanted);
    for (int i = 0; i < n_nodes; i++)
        if (w.state[i] == 1)
            SL_TRY(place_with_producers(&w, i));
    if (c->scope->depth == 0)
        c->b->report->n_used_nodes = w.n_order;
    return translate_in_order(c, &w);
}

/* ---- bodies ---- */

static struct onnx_scope enter(struct onnx_import *c, struct onnx_scope *outer)
{
    return (struct onnx_scope){.outer = outer,
                               .values = sl_map_new(c->a),
                               .prefix = sl_arena_printf(c->a, "%s/", c->b->origin),
                               .caller_scope = c->scope,
                               .opset = c->scope->opset,
                               .depth = c->scope->depth + 1};
}

sluice_status onnx_inline_function(struct onnx_import *c, const struct onnx_function *f)
{
    struct onnx_scope body = enter(c, NULL), *caller = c->scope;
    const struct onnx_node *call = c->node;
    body.caller = call;
    body.function = f;
    for (int i = 0; i < f->n_opsets; i++)
        if (!f->opsets[i].domain[0])
            body.opset = f->opsets[i].version;
    if (call->n_in > f->n_in || call->n_out > f->n_out)
        return sl_fail(c->e, SLUICE_E_FORMAT, "calls function '%s' with %d inputs and %d outputs, it has %d and %d", f->name,
                       call->n_in, call->n_out, f->n_in, f->n_out);
    for (int i = 0; i < f->n_in; i++) {
        bool given = i < call->n_in && call->in[i][0];
        struct onnx_value *from = given ? onnx_value_find(caller, call->in[i]) : NULL;
        if (given && !from)
            return sl_fail(c->e, SLUICE_E_FORMAT, "input '%s' is made by no node and is no graph input", call->in[i]);
        struct onnx_value *to = SL_NEW(c->a, struct onnx_value);
        if (from)
            *to = *from;
        to->absent = !from || from->absent;
        to->name = f->in[i];
        to->producer = 0;
        sl_map_set(body.values, to->name, to);
    }
    int n_before = c->b->report->n_problems;
    c->scope = &body;
    sluice_status s = onnx_translate_nodes(c, f->nodes, f->n_nodes, f->out, call->n_out);
    c->scope = caller;
    c->node = call;
    SL_TRY(s);
    for (int i = 0; i < call->n_out; i++) {
        struct onnx_value *from = sl_map_get(body.values, f->out[i]),
                          *to = call->out[i][0] ? sl_map_get(caller->values, call->out[i]) : NULL;
        if (!to)
            continue;
        if (!from)
            return sl_fail(c->e, SLUICE_E_FORMAT, "function '%s' does not make its output '%s'", f->name, f->out[i]);
        to->node = from->node;
        to->init = from->init;
        to->sparse = from->sparse;
        to->missing = from->missing;
    }
    return c->b->report->n_problems > n_before ? SLUICE_E_UNSUPPORTED : SLUICE_OK;
}

sluice_status onnx_inline_graph(struct onnx_import *c, const struct onnx_graph *g, int n_in, struct sl_node *const *in,
                                struct sl_node **out)
{
    struct onnx_scope body = enter(c, c->scope), *outer = c->scope;
    const struct onnx_node *owner = c->node;
    body.caller = outer->caller; /* references inside a branch of a function still mean the function's caller */
    body.function = outer->function;
    body.caller_scope = outer->caller_scope;
    const char **wanted = SL_NEW_ARRAY(c->a, const char *, g->n_outputs);
    for (int i = 0; i < g->n_outputs; i++)
        wanted[i] = g->outputs[i].name;
    int n_before = c->b->report->n_problems;
    c->scope = &body;
    sluice_status s = onnx_declare_initializers(c, g);
    for (int i = 0; i < n_in && s == SLUICE_OK; i++) {
        struct onnx_value *v = onnx_declare(c, g->inputs[i].name);
        if (v)
            v->node = in[i];
    }
    if (s == SLUICE_OK)
        s = onnx_translate_nodes(c, g->nodes, g->n_nodes, wanted, g->n_outputs);
    for (int i = 0; i < g->n_outputs && s == SLUICE_OK; i++) {
        struct onnx_value *v = onnx_value_find(&body, wanted[i]);
        if (!v)
            s = sl_fail(c->e, SLUICE_E_FORMAT, "the branch does not make its output '%s'", wanted[i]);
        else if (!v->missing)
            s = onnx_value_node(c, v, &out[i]);
    }
    c->scope = outer;
    c->node = owner;
    SL_TRY(s);
    return c->b->report->n_problems > n_before ? SLUICE_E_UNSUPPORTED : SLUICE_OK;
}
