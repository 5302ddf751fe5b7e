/* text_parse.c: IR text -> graph (ir/text.h has the grammar). A recursive-descent parser without recursion: the language does
 * not nest. */
#include <stdlib.h>
#include <string.h>

#include "ir/grow.h"
#include "ir/text_private.h"

enum { MOST_ATTRS = 256, MOST_PARAMS = 256, MOST_EXTRAS = 4096 }; /* of one node; of one graph: later checks compare pairs */

struct parser {
    struct sl_lexer l;
    struct sl_graph *g;
    struct sl_map *names, *labels;
    const struct sl_text_consts *consts;
    struct sl_value_budget budget;
};

/* ---- small parts ---- */

/* "[" already behind us. A growing array of int64 in the arena. */
static sluice_status parse_int_list(struct parser *p, const char *what, int64_t lo, int64_t hi, int most, int64_t **out, int *n)
{
    bool found;
    *out = NULL;
    *n = 0;
    SL_TRY(sl_accept_token(&p->l, "]", &found));
    while (!found) {
        if (*n == most)
            return sl_token_fail(&p->l, "more than %d values", most);
        *out = sl_grow(p->l.a, *out, *n, sizeof **out);
        SL_TRY(sl_expect_int(&p->l, what, lo, hi, &(*out)[*n]));
        ++*n;
        SL_TRY(sl_accept_token(&p->l, "]", &found));
        if (!found)
            SL_TRY(sl_expect_token(&p->l, ","));
    }
    return SLUICE_OK;
}

static sluice_status parse_type(struct parser *p, enum sl_dtype *t, struct sl_shape *s)
{
    int64_t *dims;
    size_t count;
    int n;
    *t = p->l.token.kind == SL_TOKEN_WORD ? sl_dtype_from_name(p->l.token.text) : SL_NONE;
    if (*t == SL_NONE)
        return sl_token_fail(&p->l, "an element type (u8, f32 ...) is expected, not '%s'", p->l.token.text);
    SL_TRY(sl_next_token(&p->l));
    SL_TRY(sl_expect_token(&p->l, "["));
    SL_TRY(parse_int_list(p, "a dimension", 0, (int64_t)1 << 46, SL_MAX_RANK, &dims, &n));
    *s = sl_shape_of(n, dims);
    return sl_shape_count(s, &count) ? SLUICE_OK : sl_token_fail(&p->l, "the shape has more than 2^46 elements");
}

static const char *find_scope(const struct sl_graph *g, const char *name)
{
    for (int i = 0; i < g->n_scopes; i++)
        if (strcmp(g->scopes[i], name) == 0)
            return g->scopes[i];
    return NULL;
}

/* A reference: scope, and name or label. */
struct ref {
    const char *scope, *name;
    bool is_label;
};

static sluice_status parse_ref_part(struct parser *p, const char **text, bool *is_label)
{
    *is_label = p->l.token.kind == SL_TOKEN_NUMBER;
    if (!*is_label)
        return sl_expect_name(&p->l, "a layer's name", text);
    if (strspn(p->l.token.text, "0123456789") != strlen(p->l.token.text))
        return sl_token_fail(&p->l, "'%s' is not a label", p->l.token.text);
    *text = p->l.token.text;
    return sl_next_token(&p->l);
}

static sluice_status parse_ref(struct parser *p, struct ref *r)
{
    bool scoped;
    SL_TRY(sl_expect_token(&p->l, "%"));
    r->scope = p->g->name;
    SL_TRY(parse_ref_part(p, &r->name, &r->is_label));
    SL_TRY(sl_accept_token(&p->l, "/", &scoped));
    if (!scoped)
        return SLUICE_OK;
    r->scope = r->is_label ? NULL : find_scope(p->g, r->name);
    if (!r->scope)
        return sl_token_fail(&p->l, "'%s' is not a network of this graph", r->name);
    return parse_ref_part(p, &r->name, &r->is_label);
}

static const char *key_of(struct parser *p, const struct ref *r)
{
    return sl_arena_printf(p->l.a, "%zu:%s/%s", strlen(r->scope), r->scope, r->name);
}

static sluice_status parse_use(struct parser *p, struct sl_node **out)
{
    struct ref r;
    struct sl_token at = p->l.token;
    SL_TRY(parse_ref(p, &r));
    *out = sl_map_get(r.is_label ? p->labels : p->names, key_of(p, &r));
    if (*out)
        return SLUICE_OK;
    p->l.token = at;
    return sl_token_fail(&p->l, "'%%%s' is not defined above", r.name);
}

/* ---- nodes ---- */

static sluice_status parse_number(struct parser *p, bool *is_decimal, int64_t *i, double *d)
{
    bool word = sl_token_is(&p->l, "inf") || sl_token_is(&p->l, "nan");
    if ((p->l.token.kind != SL_TOKEN_NUMBER && !word) || !sl_number_from_text(p->l.token.text, is_decimal, i, d))
        return sl_token_fail(&p->l, "a number is expected, not '%s'", p->l.token.text);
    return sl_next_token(&p->l);
}

/* "[" already behind us. All integers, or all decimals. */
static sluice_status parse_attr_list(struct parser *p, struct sl_node *n, const char *name, bool decimals)
{
    int64_t *ints = NULL;
    double *reals = NULL;
    int count = 0;
    bool closed, is_decimal;
    SL_TRY(sl_accept_token(&p->l, "]", &closed));
    for (; !closed; count++) {
        ints = sl_grow(p->l.a, ints, count, sizeof *ints);
        reals = sl_grow(p->l.a, reals, count, sizeof *reals);
        SL_TRY(parse_number(p, &is_decimal, &ints[count], &reals[count]));
        if (count == 0 && is_decimal)
            decimals = true;
        if (is_decimal != decimals)
            return sl_token_fail(&p->l, "the list of '%s' mixes integers and decimal numbers", name);
        SL_TRY(sl_accept_token(&p->l, "]", &closed));
        if (!closed)
            SL_TRY(sl_expect_token(&p->l, ","));
    }
    if (decimals)
        sl_set_floats(p->g, n, name, count, reals);
    else
        sl_set_ints(p->g, n, name, count, ints);
    return SLUICE_OK;
}

static sluice_status parse_attr(struct parser *p, struct sl_node *n)
{
    const char *name;
    bool list, decimals, is_decimal;
    int64_t i;
    double d;
    SL_TRY(sl_expect_name(&p->l, "an attribute's name", &name));
    if (sl_attr(n, name) || n->n_attrs == MOST_ATTRS)
        return sl_token_fail(&p->l, "attribute '%s' is given twice, or there are more than %d", name, MOST_ATTRS);
    SL_TRY(sl_expect_token(&p->l, "="));
    if (p->l.token.kind == SL_TOKEN_STRING) {
        sl_set_string(p->g, n, name, p->l.token.text);
        return sl_next_token(&p->l);
    }
    SL_TRY(sl_accept_token(&p->l, "floats", &decimals));
    SL_TRY(sl_accept_token(&p->l, "[", &list));
    if (list || decimals)
        return list ? parse_attr_list(p, n, name, decimals) : sl_expect_token(&p->l, "[");
    SL_TRY(parse_number(p, &is_decimal, &i, &d));
    if (is_decimal)
        sl_set_float(p->g, n, name, d);
    else
        sl_set_int(p->g, n, name, i);
    return SLUICE_OK;
}

/* "{" already behind us. */
static sluice_status parse_attrs(struct parser *p, struct sl_node *n)
{
    bool closed;
    SL_TRY(sl_accept_token(&p->l, "}", &closed));
    while (!closed) {
        SL_TRY(parse_attr(p, n));
        SL_TRY(sl_accept_token(&p->l, "}", &closed));
        if (!closed)
            SL_TRY(sl_expect_token(&p->l, ","));
    }
    return SLUICE_OK;
}

static sluice_status parse_param(struct parser *p, struct sl_param *out)
{
    enum sl_dtype t;
    struct sl_shape s;
    SL_TRY(sl_expect_name(&p->l, "a parameter's name", &out->name));
    SL_TRY(sl_expect_token(&p->l, ":"));
    SL_TRY(parse_type(p, &t, &s));
    SL_TRY(sl_expect_token(&p->l, "="));
    return sl_parse_const_value(&p->l, t, &s, p->consts, &p->budget, &out->value);
}

static sluice_status parse_params(struct parser *p, struct sl_param **params, int *n)
{
    bool closed;
    SL_TRY(sl_expect_token(&p->l, "{"));
    SL_TRY(sl_accept_token(&p->l, "}", &closed));
    while (!closed) {
        if (*n == MOST_PARAMS)
            return sl_token_fail(&p->l, "more than %d parameters", MOST_PARAMS);
        *params = sl_grow(p->l.a, *params, *n, sizeof **params);
        SL_TRY(parse_param(p, &(*params)[*n]));
        ++*n;
        SL_TRY(sl_accept_token(&p->l, "}", &closed));
        if (!closed)
            SL_TRY(sl_expect_token(&p->l, ","));
    }
    return SLUICE_OK;
}

static sluice_status parse_scale(struct parser *p, float *out)
{
    bool is_decimal;
    int64_t i;
    double d;
    const char *text = p->l.token.text;
    SL_TRY(parse_number(p, &is_decimal, &i, &d));
    *out = is_decimal ? strtof(text, NULL) : (float)i;
    return SLUICE_OK;
}

static sluice_status parse_quant(struct parser *p, struct sl_quant *q)
{
    bool found;
    int64_t zero;
    float *scales = NULL;
    q->dtype = p->l.token.kind == SL_TOKEN_WORD ? sl_dtype_from_name(p->l.token.text) : SL_NONE;
    if (q->dtype != SL_U8 && q->dtype != SL_U16)
        return sl_token_fail(&p->l, "u8 or u16 is expected, not '%s'", p->l.token.text);
    SL_TRY(sl_next_token(&p->l));
    SL_TRY(sl_accept_token(&p->l, "scale", &found));
    if (found)
        SL_TRY(parse_scale(p, &q->scale));
    SL_TRY(sl_expect_token(&p->l, "zero"));
    SL_TRY(sl_expect_int(&p->l, "a zero point", 0, 65535, &zero));
    q->zero_point = (int32_t)zero;
    SL_TRY(sl_accept_token(&p->l, "scales", &found));
    if (!found)
        return SLUICE_OK;
    SL_TRY(sl_expect_token(&p->l, "["));
    for (bool closed = false; !closed;) {
        scales = sl_grow(p->l.a, scales, q->n_scales, sizeof *scales);
        SL_TRY(parse_scale(p, &scales[q->n_scales++]));
        SL_TRY(sl_accept_token(&p->l, "]", &closed));
        if (!closed)
            SL_TRY(sl_expect_token(&p->l, ","));
    }
    q->scales = scales;
    return SLUICE_OK;
}

static sluice_status parse_origins(struct parser *p, struct sl_node *n)
{
    const char *origin;
    SL_TRY(sl_expect_token(&p->l, "["));
    for (bool closed = false; !closed;) {
        SL_TRY(sl_expect_name(&p->l, "an origin's name", &origin));
        n->origins = sl_grow(p->l.a, n->origins, n->n_origins, sizeof *n->origins);
        n->origins[n->n_origins++] = origin;
        SL_TRY(sl_accept_token(&p->l, "]", &closed));
        if (!closed)
            SL_TRY(sl_expect_token(&p->l, ","));
    }
    return SLUICE_OK;
}

static sluice_status parse_inputs(struct parser *p, struct sl_node *n)
{
    bool closed;
    SL_TRY(sl_expect_token(&p->l, "("));
    SL_TRY(sl_accept_token(&p->l, ")", &closed));
    while (!closed) {
        n->in = sl_grow(p->l.a, n->in, n->n_in, sizeof *n->in);
        SL_TRY(parse_use(p, &n->in[n->n_in]));
        n->n_in++;
        SL_TRY(sl_accept_token(&p->l, ")", &closed));
        if (!closed)
            SL_TRY(sl_expect_token(&p->l, ","));
    }
    return SLUICE_OK;
}

/* What may stand behind the inputs, in this order. */
static sluice_status parse_clauses(struct parser *p, struct sl_node *n)
{
    bool found;
    SL_TRY(sl_accept_token(&p->l, "{", &found));
    if (found)
        SL_TRY(parse_attrs(p, n));
    SL_TRY(sl_accept_token(&p->l, "params", &found));
    if (found)
        SL_TRY(parse_params(p, &n->params, &n->n_params));
    SL_TRY(sl_accept_token(&p->l, ":", &found));
    if (found)
        SL_TRY(parse_type(p, &n->dtype, &n->shape));
    SL_TRY(sl_accept_token(&p->l, "quant", &found));
    if (found)
        SL_TRY(parse_quant(p, &n->quant));
    SL_TRY(sl_accept_token(&p->l, "origins", &found));
    return found ? parse_origins(p, n) : SLUICE_OK;
}

static sluice_status parse_node(struct parser *p)
{
    struct ref r;
    enum sl_op op;
    struct sl_token at = p->l.token;
    SL_TRY(parse_ref(p, &r));
    const char *key = key_of(p, &r);
    struct sl_map *map = r.is_label ? p->labels : p->names;
    if (sl_map_has(map, key)) {
        p->l.token = at;
        return sl_token_fail(&p->l, "'%%%s' is defined twice", r.name);
    }
    SL_TRY(sl_expect_token(&p->l, "="));
    if (p->l.token.kind != SL_TOKEN_WORD || !sl_op_from_name(p->l.token.text, &op))
        return sl_token_fail(&p->l, "'%s' is not an op", p->l.token.text);
    SL_TRY(sl_next_token(&p->l));
    struct sl_node *n = sl_graph_add(p->g, op, 0, NULL);
    n->scope = r.scope;
    n->name = r.is_label ? "" : r.name;
    SL_TRY(parse_inputs(p, n)); /* before the name is known: a node cannot read itself */
    sl_map_set(map, key, n);
    return parse_clauses(p, n);
}

/* ---- other statements ---- */

static sluice_status parse_scope(struct parser *p)
{
    struct sl_graph *g = p->g;
    const char *name;
    SL_TRY(sl_expect_name(&p->l, "a network's name", &name));
    if (find_scope(g, name) || g->n_scopes == MOST_EXTRAS)
        return sl_token_fail(&p->l, "network '%s' is given twice, or there are more than %d", name, MOST_EXTRAS);
    if (g->n_scopes == 1) { /* the first one's array has no room */
        const char **scopes = SL_NEW_ARRAY(g->arena, const char *, 4);
        scopes[0] = g->scopes[0];
        g->scopes = scopes;
    }
    g->scopes = sl_grow(g->arena, g->scopes, g->n_scopes, sizeof *g->scopes);
    g->scopes[g->n_scopes++] = name;
    return SLUICE_OK;
}

static sluice_status parse_id(struct parser *p, uint32_t *id)
{
    int64_t v;
    SL_TRY(sl_expect_token(&p->l, "id"));
    SL_TRY(sl_expect_int(&p->l, "an id", 0, UINT32_MAX, &v));
    *id = (uint32_t)v;
    return SLUICE_OK;
}

static sluice_status parse_state(struct parser *p)
{
    struct sl_graph *g = p->g;
    struct sl_state s = {0};
    SL_TRY(sl_expect_name(&p->l, "a state's name", &s.name));
    SL_TRY(parse_id(p, &s.id));
    SL_TRY(parse_type(p, &s.dtype, &s.entry));
    SL_TRY(sl_expect_token(&p->l, "length"));
    SL_TRY(sl_expect_int(&p->l, "a length", 1, INT64_MAX, &s.length));
    if (g->n_states == MOST_EXTRAS)
        return sl_token_fail(&p->l, "more than %d states", MOST_EXTRAS);
    g->states = sl_grow(g->arena, g->states, g->n_states, sizeof s);
    g->states[g->n_states++] = s;
    return SLUICE_OK;
}

static sluice_status parse_scalar(struct parser *p)
{
    struct sl_graph *g = p->g;
    struct sl_scalar s = {0};
    SL_TRY(sl_expect_name(&p->l, "a scalar's name", &s.name));
    SL_TRY(parse_id(p, &s.id));
    SL_TRY(sl_expect_token(&p->l, "maximum"));
    SL_TRY(sl_expect_int(&p->l, "a maximum", 1, INT64_MAX, &s.maximum));
    if (g->n_scalars == MOST_EXTRAS)
        return sl_token_fail(&p->l, "more than %d scalars", MOST_EXTRAS);
    g->scalars = sl_grow(g->arena, g->scalars, g->n_scalars, sizeof s);
    g->scalars[g->n_scalars++] = s;
    return SLUICE_OK;
}

static sluice_status parse_alternative(struct parser *p)
{
    struct sl_graph *g = p->g;
    struct sl_alternative alt = {0};
    SL_TRY(sl_expect_name(&p->l, "an alternative's name", &alt.name));
    SL_TRY(sl_expect_token(&p->l, "of"));
    SL_TRY(parse_use(p, &alt.layer));
    SL_TRY(sl_expect_token(&p->l, "params"));
    SL_TRY(parse_params(p, &alt.params, &alt.n_params));
    if (g->n_alternatives == MOST_EXTRAS)
        return sl_token_fail(&p->l, "more than %d alternatives", MOST_EXTRAS);
    g->alternatives = sl_grow(g->arena, g->alternatives, g->n_alternatives, sizeof alt);
    g->alternatives[g->n_alternatives++] = alt;
    return SLUICE_OK;
}

/* Without `perm` the first axis is marked -1, for sl_text_complete. */
static sluice_status parse_port(struct parser *p, struct sl_port **ports, int *n)
{
    struct sl_port port = {.perm = {-1}};
    int64_t *perm;
    int rank;
    bool found;
    SL_TRY(sl_expect_name(&p->l, "the original name", &port.origin_name));
    SL_TRY(sl_expect_token(&p->l, "="));
    SL_TRY(parse_use(p, &port.node));
    SL_TRY(sl_accept_token(&p->l, ":", &found));
    if (found)
        SL_TRY(parse_type(p, &port.origin_dtype, &port.origin_shape));
    SL_TRY(sl_accept_token(&p->l, "perm", &found));
    if (found) {
        SL_TRY(sl_expect_token(&p->l, "["));
        SL_TRY(parse_int_list(p, "an axis", 0, SL_MAX_RANK - 1, SL_MAX_RANK, &perm, &rank));
        if (port.node->dtype != SL_NONE && rank != port.node->shape.rank)
            return sl_token_fail(&p->l, "%d axes are given, the layer has %d", rank, port.node->shape.rank);
        port.perm[0] = 0;
        for (int i = 0; i < rank; i++)
            port.perm[i] = (int)perm[i];
    }
    if (*n == MOST_EXTRAS)
        return sl_token_fail(&p->l, "more than %d ports", MOST_EXTRAS);
    *ports = sl_grow(p->g->arena, *ports, *n, sizeof port);
    (*ports)[(*n)++] = port;
    return SLUICE_OK;
}

static sluice_status parse_input(struct parser *p)
{
    return parse_port(p, &p->g->inputs, &p->g->n_inputs);
}

static sluice_status parse_output(struct parser *p)
{
    return parse_port(p, &p->g->outputs, &p->g->n_outputs);
}

static const struct {
    const char *word;
    sluice_status (*parse)(struct parser *p);
} statements[] = {
    {"scope", parse_scope}, {"state", parse_state},   {"scalar", parse_scalar}, {"alternative", parse_alternative},
    {"input", parse_input}, {"output", parse_output},
};

static sluice_status parse_statement(struct parser *p)
{
    if (sl_token_is(&p->l, "%"))
        return parse_node(p);
    for (size_t i = 0; i < SL_COUNT(statements); i++)
        if (sl_token_is(&p->l, statements[i].word)) {
            SL_TRY(sl_next_token(&p->l));
            return statements[i].parse(p);
        }
    return sl_token_fail(&p->l, "a node or one of scope, state, scalar, alternative, input, output is expected, not '%s'",
                         p->l.token.text);
}

static sluice_status parse_head(struct parser *p)
{
    const char *name;
    SL_TRY(sl_expect_token(&p->l, "graph"));
    SL_TRY(sl_expect_name(&p->l, "the network's name", &name));
    p->g = sl_graph_new(p->l.a, name);
    for (int i = 0; i < 3; i++)
        if (sl_token_is(&p->l, sl_stage_names[i])) {
            p->g->stage = (enum sl_stage)i;
            return sl_next_token(&p->l);
        }
    return sl_token_fail(&p->l, "native, fp_optimized or quantized is expected, not '%s'", p->l.token.text);
}

static bool all_typed(const struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->dtype == SL_NONE)
            return false;
    return true;
}

sluice_status sl_text_parse(sl_arena *a, struct sl_view text, const struct sl_text_consts *consts, struct sl_graph **out,
                            sl_err *e)
{
    struct parser p = {.names = sl_map_new(a), .labels = sl_map_new(a), .consts = consts, .budget = {SL_TEXT_SEED_BYTES}};
    SL_TRY(sl_lexer_start(&p.l, a, text, e));
    SL_TRY(parse_head(&p));
    while (p.l.token.kind != SL_TOKEN_END)
        SL_TRY(parse_statement(&p));
    if (all_typed(p.g))
        SL_TRY(sl_text_complete(p.g, e));
    *out = p.g;
    return SLUICE_OK;
}

/* ---- ports left out ---- */

static void complete_port(struct sl_port *port)
{
    const struct sl_node *n = port->node;
    if (port->origin_dtype == SL_NONE) {
        port->origin_dtype = n->dtype;
        port->origin_shape = n->shape;
    }
    if (port->perm[0] != -1)
        return;
    for (int i = 0; i < SL_MAX_RANK; i++)
        port->perm[i] = i < n->shape.rank ? i : 0;
}

static void add_missing_ports(struct sl_graph *g, enum sl_op op, struct sl_port **ports, int *n, const bool *has_port)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *node = g->nodes[i];
        if (node->op != op || has_port[i])
            continue;
        const char *name = node->n_origins > 0 ? node->origins[0] : node->name[0] ? node->name : sl_op_info(op)->name;
        *ports = sl_grow(g->arena, *ports, *n, sizeof **ports);
        (*ports)[(*n)++] = (struct sl_port){.origin_name = name, .node = node, .perm = {-1}};
    }
}

sluice_status sl_text_complete(struct sl_graph *g, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    bool *has_port = SL_NEW_ARRAY(scratch, bool, g->n_nodes);
    for (int i = 0; i < g->n_inputs; i++)
        has_port[g->inputs[i].node->index] = true;
    for (int i = 0; i < g->n_outputs; i++)
        has_port[g->outputs[i].node->index] = true;
    add_missing_ports(g, SL_OP_input_layer, &g->inputs, &g->n_inputs, has_port);
    add_missing_ports(g, SL_OP_output_layer, &g->outputs, &g->n_outputs, has_port);
    for (int i = 0; i < g->n_inputs; i++)
        complete_port(&g->inputs[i]);
    for (int i = 0; i < g->n_outputs; i++)
        complete_port(&g->outputs[i]);
    sl_arena_free(scratch);
    return sl_graph_verify(g, e);
}
