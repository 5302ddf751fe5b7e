/* graph.c: building and changing a graph: adding, inserting, finding, replacing and removing nodes. Order and copies:
 * graph_order.c. */
#include "ir/ir.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/grow.h"

struct sl_graph *sl_graph_new(sl_arena *a, const char *name)
{
    struct sl_graph *g = SL_NEW(a, struct sl_graph);
    g->arena = a;
    g->name = sl_arena_strdup(a, name);
    g->n_scopes = 1;
    g->scopes = SL_NEW_ARRAY(a, const char *, 1);
    g->scopes[0] = g->name;
    return g;
}

static struct sl_node *new_node(struct sl_graph *g, enum sl_op op, int n_in, struct sl_node *const *in)
{
    assert(n_in >= 0);
    struct sl_node *n = SL_NEW(g->arena, struct sl_node);
    n->op = op;
    n->name = "";
    n->scope = g->name;
    n->n_in = n_in;
    if (n_in > 0)
        n->in = sl_arena_memdup(g->arena, in, sl_mul_or_abort((size_t)n_in, sizeof *in));
    return n;
}

/* Put n at position `at`, later nodes one place on. Their index fields become stale until sl_graph_renumber. */
static void place(struct sl_graph *g, struct sl_node *n, int at)
{
    if (g->n_nodes == g->capacity) {
        int capacity = g->capacity ? g->capacity * 2 : 64;
        struct sl_node **nodes = SL_NEW_ARRAY(g->arena, struct sl_node *, capacity);
        if (g->n_nodes > 0)
            memcpy(nodes, g->nodes, (size_t)g->n_nodes * sizeof *nodes);
        g->nodes = nodes;
        g->capacity = capacity;
    }
    memmove(g->nodes + at + 1, g->nodes + at, (size_t)(g->n_nodes - at) * sizeof *g->nodes);
    g->nodes[at] = n;
    g->n_nodes++;
    n->index = at;
}

struct sl_node *sl_graph_add(struct sl_graph *g, enum sl_op op, int n_in, struct sl_node *const *in)
{
    struct sl_node *n = new_node(g, op, n_in, in);
    place(g, n, g->n_nodes);
    return n;
}

/* Where n stands now. Insertions only move nodes to the right of their index, so the search begins there. */
static int position(const struct sl_graph *g, const struct sl_node *n)
{
    int from = n->index >= 0 && n->index < g->n_nodes ? n->index : 0;
    for (int i = from; i < g->n_nodes; i++)
        if (g->nodes[i] == n)
            return i;
    for (int i = 0; i < from; i++)
        if (g->nodes[i] == n)
            return i;
    assert(!"the node is in the graph");
    return g->n_nodes - 1;
}

struct sl_node *sl_graph_insert_before(struct sl_graph *g, struct sl_node *at, enum sl_op op, int n_in,
                                       struct sl_node *const *in)
{
    struct sl_node *n = new_node(g, op, n_in, in);
    n->scope = at->scope;
    place(g, n, position(g, at));
    return n;
}

struct sl_node *sl_graph_insert_after(struct sl_graph *g, struct sl_node *at, enum sl_op op, int n_in,
                                      struct sl_node *const *in)
{
    struct sl_node *n = new_node(g, op, n_in, in);
    n->scope = at->scope;
    place(g, n, position(g, at) + 1);
    return n;
}

void sl_graph_replace_uses(struct sl_graph *g, const struct sl_node *from, struct sl_node *to)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (n == to) /* it may well read `from` */
            continue;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == from)
                n->in[k] = to;
    }
}

int sl_graph_count_uses(const struct sl_graph *g, const struct sl_node *n)
{
    int uses = 0;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            uses += g->nodes[i]->in[k] == n;
    return uses;
}

void sl_graph_renumber(struct sl_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        g->nodes[i]->index = i;
}

static bool is_port(const struct sl_node *n)
{
    return n->op == SL_OP_input_layer || n->op == SL_OP_output_layer;
}

/* Everything the nodes marked alive read, directly or not. The stack holds each node at most once. */
static void mark_alive(const struct sl_graph *g, bool *alive, struct sl_node **stack)
{
    int depth = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (alive[i])
            stack[depth++] = g->nodes[i];
    while (depth > 0) {
        const struct sl_node *n = stack[--depth];
        for (int k = 0; k < n->n_in; k++)
            if (!alive[n->in[k]->index]) {
                alive[n->in[k]->index] = true;
                stack[depth++] = n->in[k];
            }
    }
}

void sl_graph_remove_dead(struct sl_graph *g)
{
    sl_arena *scratch = sl_arena_new();
    bool *alive = SL_NEW_ARRAY(scratch, bool, g->n_nodes);
    struct sl_node **stack = SL_NEW_ARRAY(scratch, struct sl_node *, g->n_nodes);
    sl_graph_renumber(g);
    for (int i = 0; i < g->n_nodes; i++)
        alive[i] = is_port(g->nodes[i]);
    mark_alive(g, alive, stack);
    int kept = 0;
    for (int i = 0; i < g->n_alternatives; i++)
        if (alive[g->alternatives[i].layer->index])
            g->alternatives[kept++] = g->alternatives[i];
    g->n_alternatives = kept;
    kept = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (alive[i])
            g->nodes[kept++] = g->nodes[i];
    g->n_nodes = kept;
    sl_graph_renumber(g);
    sl_arena_free(scratch);
}

static bool scoped_name_is(const struct sl_node *n, const char *name)
{
    size_t scope = strlen(n->scope);
    return n->name[0] && strncmp(name, n->scope, scope) == 0 && name[scope] == '/' && strcmp(name + scope + 1, n->name) == 0;
}

static bool has_origin(const struct sl_node *n, const char *name)
{
    for (int i = 0; i < n->n_origins; i++)
        if (strcmp(n->origins[i], name) == 0)
            return true;
    return false;
}

/* A layer name wins over an origin's. Of several nodes that stand for one origin the last is its result; input and output
 * layers carry names of tensors and come after nodes. */
struct sl_node *sl_graph_find(const struct sl_graph *g, const char *name)
{
    struct sl_node *by_name = NULL, *by_origin = NULL, *by_port = NULL;
    if (!name[0])
        return NULL;
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (scoped_name_is(n, name))
            return n;
        if (!by_name && strcmp(n->name, name) == 0)
            by_name = n;
        if (has_origin(n, name)) {
            if (!is_port(n))
                by_origin = n;
            else if (!by_port)
                by_port = n;
        }
    }
    return by_name ? by_name : by_origin ? by_origin : by_port;
}

static void append_origin(sl_arena *a, struct sl_node *n, const char *origin)
{
    n->origins = sl_grow(a, n->origins, n->n_origins, sizeof *n->origins);
    n->origins[n->n_origins++] = origin;
}

void sl_node_add_origin(sl_arena *a, struct sl_node *n, const char *origin)
{
    if (origin[0] && !has_origin(n, origin))
        append_origin(a, n, sl_arena_strdup(a, origin));
}

void sl_node_take_origins(sl_arena *a, struct sl_node *to, const struct sl_node *from)
{
    if (to == from)
        return;
    for (int i = 0; i < from->n_origins; i++)
        if (!has_origin(to, from->origins[i]))
            append_origin(a, to, from->origins[i]);
}

struct sl_node sl_node_detach_origins(struct sl_node *n)
{
    const struct sl_node own = {.n_origins = n->n_origins, .origins = n->origins};
    n->n_origins = 0;
    n->origins = NULL;
    return own;
}

void sl_node_become(sl_arena *a, struct sl_node *n, enum sl_op op, int n_in, struct sl_node *const *in)
{
    n->op = op;
    n->n_attrs = n->n_params = 0;
    n->attrs = NULL;
    n->params = NULL;
    n->n_in = n_in;
    n->in = sl_arena_memdup(a, in, (size_t)n_in * sizeof *in);
}

const char *sl_node_text(const struct sl_node *n)
{
    enum { BUFFERS = 4, SIZE = 256 }; /* several in one message */
    static _Thread_local char buffers[BUFFERS][SIZE];
    static _Thread_local unsigned next;
    char *text = buffers[next++ % BUFFERS];
    if (n->name && n->name[0] && n->scope)
        snprintf(text, SIZE, "%s/%s", n->scope, n->name);
    else if (n->n_origins > 0)
        snprintf(text, SIZE, "%s", n->origins[n->n_origins - 1]);
    else
        snprintf(text, SIZE, "%s #%d", sl_op_info(n->op)->name, n->index);
    return text;
}
