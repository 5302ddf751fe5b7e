/*
 * name.c: layer names. Programs and model scripts refer to layers as "conv42", so numbers must come out as they expect.
 *
 * 1. Nodes are grouped into layers: batch normalization, bias, activation (a sigmoid with its product too) and constant scale
 *    belong to the layer before them when nothing else reads it. Slices of one origin node are one layer. Only what leads to
 *    an output counts.
 * 2. First pass: topological order by a first-in first-out queue; when a layer is taken out, its consumers enter in the text
 *    order of their origin names (numbered ones, Conv_99 and Conv_100, by number: the order of the file). Each kind is
 *    numbered from 1.
 * 3. Second pass: topological order that always takes the ready layer with the least key, kind and first-pass number compared
 *    as text (conv100 before conv99), where conv is "base_conv" and dw "base_dw": so they come before most kinds, though not
 *    before avgpool. Each kind is numbered from 1 again: these are the names.
 *
 * Constants do not take part: they are numbered when their first reader is. Everything is linear but for sorting.
 */
#include "ir/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strings.h"
#include "ir/int_heap.h"
#include "ir/uses.h"

/* A layer: a head and its followers (or the slices of one split). Groups are known by the index of their head. */
struct group {
    const char *kind; /* of the head: stem and counter of its name */
    int waiting;      /* edges from layers not yet taken */
    int first_edge, n_edges;
    int position; /* among all keys of the second pass */
    char key[48];
};

struct edge {
    int to;
    const char *text;
    int reader;
};

struct naming {
    struct sl_graph *g;
    sl_arena *scratch;
    struct sl_uses uses;
    bool *live;
    int *live_uses;             /* consumers that are live */
    int *head;                  /* of node i: index of the head of its group */
    int *tail;                  /* of group h: its last node */
    bool *sibling;              /* a further slice of its group */
    bool *tokens;               /* holds_tokens */
    int *first_member, *member; /* members of group h, rising, as in sl_uses */
    struct group *groups;       /* by index of the head */
    struct edge *edges;
    struct sl_map *counters; /* "scope/kind" -> int */
    struct sl_map *names;    /* "scope/name" taken, -> how often its base was asked for */
};

/* Ops whose value may be followed by batch norm, bias, activation or scale of the same layer. */
static const bool takes_followers[SL_OP_COUNT] = {
    [SL_OP_conv] = true,       [SL_OP_dw] = true,         [SL_OP_fc] = true,
    [SL_OP_deconv] = true,     [SL_OP_batch_norm] = true, [SL_OP_normalization] = true,
    [SL_OP_ew_add] = true,     [SL_OP_ew_sub] = true,     [SL_OP_ew_max] = true,
    [SL_OP_ew_min] = true,     [SL_OP_ew_mult] = true,    [SL_OP_ew_div] = true,
    [SL_OP_matmul] = true,     [SL_OP_avgpool] = true,    [SL_OP_reduce_mean] = true,
    [SL_OP_reduce_sum] = true, [SL_OP_layer_norm] = true, [SL_OP_rms_norm] = true,
};

static bool takes_part(const struct sl_node *n)
{
    return n->op != SL_OP_const_input && n->op != SL_OP_output_layer;
}

static const char *origin_of(const struct sl_node *n)
{
    return n->n_origins > 0 ? n->origins[0] : "";
}

/* Whether the rows of a matrix are tokens: more than the batch has, or one that was picked out (or averaged) of a sequence.
 * What was flattened, or came from a map of height and width, is no token. */
static bool holds_tokens(const struct naming *m, const struct sl_node *n)
{
    const struct sl_graph *g = m->g;
    int64_t batch = g->n_inputs > 0 && g->inputs[0].node->shape.rank > 0 ? g->inputs[0].node->shape.dim[0] : 1;
    if (n->shape.rank != 2 || n->shape.dim[0] > batch)
        return n->shape.rank > 1;
    const struct sl_node *x = n->n_in > 0 ? n->in[n->n_in > 1 && n->in[0]->op == SL_OP_const_input] : NULL;
    if (!x || x->shape.rank <= 2)
        return x && x->shape.rank == 2 && m->tokens[x->index];
    return x->shape.rank == 3 && x->shape.dim[2] == n->shape.dim[1];
}

/* A linear layer over tokens counts as conv, a mean over height and width as avgpool. */
static const char *kind_of(const struct naming *m, const struct sl_node *n)
{
    int64_t axes[2];
    if (n->op == SL_OP_fc && n->n_in > 0 && m->tokens[n->in[0]->index])
        return sl_op_info(SL_OP_conv)->counter;
    if (n->op == SL_OP_reduce_mean && n->in[0]->shape.rank == 4 && sl_get_ints(n, "axes", 2, axes) && axes[0] == 1 &&
        axes[1] == 2)
        return sl_op_info(SL_OP_avgpool)->counter;
    return sl_op_info(n->op)->counter;
}

static void find_live(struct naming *m)
{
    const struct sl_graph *g = m->g;
    bool any = false;
    for (int i = 0; i < g->n_nodes; i++)
        any = any || g->nodes[i]->op == SL_OP_output_layer;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct sl_node *n = g->nodes[i];
        m->live[i] = m->live[i] || !any || n->op == SL_OP_output_layer;
        for (int k = 0; k < n->n_in && m->live[i]; k++) {
            m->live[n->in[k]->index] = true;
            m->live_uses[n->in[k]->index]++;
        }
    }
}

/* ---- grouping ---- */

static bool is_gate(const struct sl_node *n)
{
    const char *type = sl_get_string(n, "type", "");
    return n->op == SL_OP_activation && (strcmp(type, "sigmoid") == 0 || strcmp(type, "hard_sigmoid") == 0);
}

static bool is_product_of(const struct sl_node *n, const struct sl_node *x, const struct sl_node *y)
{
    return n->op == SL_OP_ew_mult && ((n->in[0] == x && n->in[1] == y) || (n->in[0] == y && n->in[1] == x));
}

/* x is read by its gate and by the product of both, and by nothing else. */
static bool is_gated_pair(const struct naming *m, const struct sl_node *x, const struct sl_node *gate)
{
    if (!is_gate(gate) || m->live_uses[x->index] != 2 || m->live_uses[gate->index] != 1)
        return false;
    for (int k = m->uses.first[gate->index]; k < m->uses.first[gate->index + 1]; k++) {
        int reader = m->uses.to[k];
        if (m->live[reader])
            return is_product_of(m->g->nodes[reader], x, gate);
    }
    return false;
}

/* A constant of one value, or one a channel, that does not widen the other input. */
static bool is_plain_constant(const struct sl_node *c, const struct sl_node *x, const struct sl_node *n)
{
    size_t count;
    if (c->op != SL_OP_const_input || !sl_shape_equal(&x->shape, &n->shape) || !sl_shape_count(&c->shape, &count))
        return false;
    if (count == 1)
        return true;
    return c->shape.rank > 0 && n->shape.rank > 0 && count == (size_t)c->shape.dim[c->shape.rank - 1] &&
           c->shape.dim[c->shape.rank - 1] == n->shape.dim[n->shape.rank - 1];
}

/* The node whose layer n continues, or NULL when n is a layer of its own. */
static const struct sl_node *followed_by(const struct naming *m, const struct sl_node *n)
{
    switch (n->op) {
    case SL_OP_activation:
        if (is_gated_pair(m, n->in[0], n))
            return n->in[0];
        return m->live_uses[n->in[0]->index] == 1 ? n->in[0] : NULL;
    case SL_OP_batch_norm:
    case SL_OP_normalization:
    case SL_OP_bias_add:
        return m->live_uses[n->in[0]->index] == 1 ? n->in[0] : NULL;
    case SL_OP_ew_mult:
        for (int k = 0; k < 2; k++)
            if (n->in[k]->n_in == 1 && n->in[k]->in[0] == n->in[1 - k] && is_gated_pair(m, n->in[1 - k], n->in[k]))
                return n->in[k]; /* the tail of the layer is its gate by now */
        break;
    case SL_OP_ew_add:
    case SL_OP_ew_sub:
    case SL_OP_ew_div:
        break;
    default:
        return NULL;
    }
    bool commutes = n->op == SL_OP_ew_mult || n->op == SL_OP_ew_add;
    for (int k = 0; k <= commutes; k++)
        if (is_plain_constant(n->in[1 - k], n->in[k], n) && m->live_uses[n->in[k]->index] == 1)
            return n->in[k];
    return NULL;
}

static int head_of(struct naming *m, const struct sl_node *n, struct sl_map *splits)
{
    const struct sl_node *x = followed_by(m, n);
    if (x) {
        int h = m->head[x->index];
        if (takes_followers[m->g->nodes[h]->op] && m->tail[h] == x->index)
            return h;
    }
    if (n->op == SL_OP_slice && origin_of(n)[0]) {
        const char *key = sl_arena_printf(m->scratch, "%d|%s", n->in[0]->index, origin_of(n));
        const struct sl_node *first = sl_map_get(splits, key);
        if (first) {
            m->sibling[n->index] = true;
            return first->index;
        }
        sl_map_set(splits, key, (void *)n);
    }
    return n->index;
}

static void find_groups(struct naming *m)
{
    struct sl_map *splits = sl_map_new(m->scratch);
    int n = m->g->n_nodes;
    for (int i = 0; i < n; i++) {
        m->head[i] = m->live[i] ? head_of(m, m->g->nodes[i], splits) : i;
        m->tail[m->head[i]] = i;
    }
    for (int i = 0; i < n; i++)
        m->first_member[m->head[i] + 2]++;
    for (int i = 0; i < n; i++)
        m->first_member[i + 2] += m->first_member[i + 1];
    for (int i = 0; i < n; i++)
        m->member[m->first_member[m->head[i] + 1]++] = i;
}

/* ---- the layer graph ---- */

/* Length of "Conv_" in "Conv_17", a name that an exporter numbered in the order of its file; else of the whole name, *number
 * -1. */
static size_t stem_of(const char *name, int64_t *number)
{
    enum { MOST_DIGITS = 18 };
    size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    size_t digits = letters > 0 && name[letters] == '_' ? strspn(name + letters + 1, "0123456789") : 0;
    *number = -1;
    if (digits == 0 || digits > MOST_DIGITS || name[letters + 1 + digits])
        return strlen(name);
    *number = strtoll(name + letters + 1, NULL, 10);
    return letters + 1;
}

/* Text order, but Conv_99 before Conv_100. */
static int compare_origins(const char *a, const char *b)
{
    int64_t number_a, number_b;
    size_t stem_a = stem_of(a, &number_a), stem_b = stem_of(b, &number_b);
    int order = memcmp(a, b, SL_MIN(stem_a, stem_b));
    if (order == 0 && stem_a != stem_b)
        order = stem_a < stem_b ? -1 : 1;
    if (order == 0 && number_a != number_b)
        order = number_a < number_b ? -1 : 1;
    return order;
}

static int by_text(const void *pa, const void *pb)
{
    const struct edge *a = pa, *b = pb;
    int order = compare_origins(a->text, b->text);
    return order ? order : a->reader - b->reader;
}

static bool in_layer_graph(const struct naming *m, int i)
{
    return m->live[i] && takes_part(m->g->nodes[i]);
}

/* Edges between groups, those of one group sorted by the text of the reader. */
static void find_edges(struct naming *m)
{
    int n_edges = 0;
    for (int h = 0; h < m->g->n_nodes; h++) {
        struct group *gr = &m->groups[h];
        gr->first_edge = n_edges;
        for (int k = m->first_member[h]; k < m->first_member[h + 1]; k++) {
            int from = m->member[k];
            if (!in_layer_graph(m, from))
                continue;
            for (int u = m->uses.first[from]; u < m->uses.first[from + 1]; u++) {
                int reader = m->uses.to[u];
                if (in_layer_graph(m, reader) && m->head[reader] != h)
                    m->edges[n_edges++] = (struct edge){m->head[reader], origin_of(m->g->nodes[reader]), reader};
            }
        }
        gr->n_edges = n_edges - gr->first_edge;
        if (gr->n_edges > 1)
            qsort(m->edges + gr->first_edge, (size_t)gr->n_edges, sizeof *m->edges, by_text);
    }
}

static void count_waiting(struct naming *m)
{
    for (int h = 0; h < m->g->n_nodes; h++)
        m->groups[h].waiting = 0;
    for (int h = 0; h < m->g->n_nodes; h++)
        for (int k = 0; k < m->groups[h].n_edges; k++)
            m->groups[m->edges[m->groups[h].first_edge + k].to].waiting++;
}

static bool is_layer(const struct naming *m, int i)
{
    return in_layer_graph(m, i) && m->head[i] == i;
}

static int count_next(struct naming *m, const char *scope, const char *kind)
{
    const char *key = sl_arena_printf(m->scratch, "%s/%s", scope, kind);
    int *counter = sl_map_get(m->counters, key);
    if (!counter) {
        counter = SL_NEW(m->scratch, int);
        sl_map_set(m->counters, key, counter);
    }
    return ++*counter;
}

/* Pass one, which fills the keys. Inputs start in the order of the model. */
static void first_pass(struct naming *m)
{
    const struct sl_graph *g = m->g;
    int *queue = SL_NEW_ARRAY(m->scratch, int, g->n_nodes), head = 0, end = 0;
    bool *queued = SL_NEW_ARRAY(m->scratch, bool, g->n_nodes);
    count_waiting(m);
    for (int i = 0; i < g->n_inputs; i++) {
        int at = g->inputs[i].node->index;
        if (is_layer(m, at) && !queued[at])
            queued[queue[end++] = at] = true;
    }
    for (int i = 0; i < g->n_nodes; i++)
        if (is_layer(m, i) && m->groups[i].waiting == 0 && !queued[i])
            queue[end++] = i;
    while (head < end) {
        int h = queue[head++];
        struct group *gr = &m->groups[h];
        gr->kind = kind_of(m, g->nodes[h]);
        bool base = strcmp(gr->kind, "conv") == 0 || strcmp(gr->kind, "dw") == 0;
        snprintf(gr->key, sizeof gr->key, "%s%s%d", base ? "base_" : "", gr->kind, count_next(m, g->nodes[h]->scope, gr->kind));
        for (int k = 0; k < gr->n_edges; k++)
            if (--m->groups[m->edges[gr->first_edge + k].to].waiting == 0)
                queue[end++] = m->edges[gr->first_edge + k].to;
    }
}

struct keyed {
    const struct group *group;
    int head;
};

static int by_key(const void *pa, const void *pb)
{
    const struct keyed *a = pa, *b = pb;
    int order = strcmp(a->group->key, b->group->key);
    return order ? order : a->head - b->head;
}

/* ---- names ---- */

/* "base", or where that is taken "base_2", "base_3" ... */
static void give_name(struct naming *m, struct sl_node *n, const char *base)
{
    const char *full = sl_arena_printf(m->scratch, "%s/%s", n->scope, base);
    int *asked = sl_map_get(m->names, full);
    if (!asked) {
        asked = SL_NEW(m->scratch, int);
        *asked = 1;
        sl_map_set(m->names, full, asked);
        n->name = sl_arena_strdup(m->g->arena, base);
        return;
    }
    const char *name;
    do {
        name = sl_arena_printf(m->scratch, "%s_%d", base, ++*asked);
        full = sl_arena_printf(m->scratch, "%s/%s", n->scope, name);
    } while (sl_map_has(m->names, full));
    int *first = SL_NEW(m->scratch, int);
    *first = 1;
    sl_map_set(m->names, full, first);
    n->name = sl_arena_strdup(m->g->arena, name);
}

static void number(struct naming *m, struct sl_node *n, const char *kind)
{
    give_name(m, n, sl_arena_printf(m->scratch, "%s%d", kind, count_next(m, n->scope, kind)));
}

static void name_follower(struct naming *m, struct sl_node *n, const struct sl_node *head)
{
    const char *what = n->op == SL_OP_activation ? sl_get_string(n, "type", "activation") : sl_op_info(n->op)->name;
    char *base = sl_arena_printf(m->scratch, "%s_%s", head->name, what);
    for (char *p = base; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9')))
            *p = '_';
    give_name(m, n, base);
}

static void name_constants_of(struct naming *m, const struct sl_node *n)
{
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k]->op == SL_OP_const_input && !n->in[k]->name[0])
            number(m, n->in[k], kind_of(m, n->in[k]));
}

static void name_group(struct naming *m, int h)
{
    struct sl_node *head = m->g->nodes[h];
    for (int k = m->first_member[h]; k < m->first_member[h + 1]; k++) {
        struct sl_node *n = m->g->nodes[m->member[k]];
        name_constants_of(m, n);
        if (n->name[0]) /* an input layer: named by its port */
            continue;
        if (n == head || m->sibling[n->index])
            number(m, n, m->groups[h].kind);
        else
            name_follower(m, n, head);
    }
}

static void second_pass(struct naming *m)
{
    int n_layers = 0;
    struct keyed *order = SL_NEW_ARRAY(m->scratch, struct keyed, m->g->n_nodes);
    struct sl_int_heap ready = {.item = SL_NEW_ARRAY(m->scratch, int, m->g->n_nodes)}; /* positions */
    for (int i = 0; i < m->g->n_nodes; i++)
        if (is_layer(m, i))
            order[n_layers++] = (struct keyed){&m->groups[i], i};
    qsort(order, (size_t)n_layers, sizeof *order, by_key);
    for (int i = 0; i < n_layers; i++)
        m->groups[order[i].head].position = i;
    count_waiting(m);
    for (int i = 0; i < n_layers; i++)
        if (order[i].group->waiting == 0)
            sl_heap_push(&ready, i);
    m->counters = sl_map_new(m->scratch);
    while (ready.n > 0) {
        int h = order[sl_heap_pop(&ready)].head;
        const struct group *gr = &m->groups[h];
        name_group(m, h);
        for (int k = 0; k < gr->n_edges; k++) {
            struct group *to = &m->groups[m->edges[gr->first_edge + k].to];
            if (--to->waiting == 0)
                sl_heap_push(&ready, to->position);
        }
    }
}

static void name_ports(struct naming *m, const struct sl_port *ports, int n)
{
    for (int i = 0; i < n; i++) {
        struct sl_node *node = ports[i].node;
        char name[48];
        if (node->name[0])
            continue;
        snprintf(name, sizeof name, "%s%d", sl_op_info(node->op)->counter, i + 1);
        give_name(m, node, name);
    }
}

/* What leads to no output, and layers without a port, in the order they stand. */
static void name_rest(struct naming *m)
{
    for (int i = 0; i < m->g->n_nodes; i++)
        if (!m->g->nodes[i]->name[0])
            number(m, m->g->nodes[i], kind_of(m, m->g->nodes[i]));
}

static void assign(struct naming *m)
{
    struct sl_graph *g = m->g;
    sl_arena *s = m->scratch;
    int n = g->n_nodes, n_edges;
    m->uses = sl_find_uses(g, s);
    n_edges = m->uses.first[n];
    m->live = SL_NEW_ARRAY(s, bool, n);
    m->live_uses = SL_NEW_ARRAY(s, int, n);
    m->head = SL_NEW_ARRAY(s, int, n);
    m->tail = SL_NEW_ARRAY(s, int, n);
    m->sibling = SL_NEW_ARRAY(s, bool, n);
    m->first_member = SL_NEW_ARRAY(s, int, n + 2);
    m->member = SL_NEW_ARRAY(s, int, n);
    m->groups = SL_NEW_ARRAY(s, struct group, n);
    m->edges = SL_NEW_ARRAY(s, struct edge, n_edges);
    m->counters = sl_map_new(s);
    m->names = sl_map_new(s);
    m->tokens = SL_NEW_ARRAY(s, bool, n);
    for (int i = 0; i < n; i++) {
        g->nodes[i]->name = "";
        m->tokens[i] = holds_tokens(m, g->nodes[i]);
    }
    find_live(m);
    find_groups(m);
    find_edges(m);
    first_pass(m);
    name_ports(m, g->inputs, g->n_inputs);
    name_ports(m, g->outputs, g->n_outputs);
    second_pass(m);
    name_rest(m);
}

sluice_status sl_assign_names(struct sl_graph *g, sl_err *e)
{
    SL_TRY(sl_graph_sort(g, e));
    struct naming m = {.g = g, .scratch = sl_arena_new()};
    assign(&m);
    sl_arena_free(m.scratch);
    return SLUICE_OK;
}

const char *sl_network_name(sl_arena *a, const char *path, const char *given)
{
    const char *stem = given && given[0] ? given : sl_path_stem(a, path);
    char *name = sl_arena_strdup(a, stem[0] ? stem : "net");
    for (char *s = name; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_' || *s == '-'))
            *s = '_';
    return name;
}
