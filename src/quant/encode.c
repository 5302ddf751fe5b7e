/*
 * encode.c: see encode.h. Tensors that must share one encoding form sets: a layer that only moves data joins its input's; a
 * concatenation joins with an input where that costs the input nothing, else reads it through `requantize`. Each set gets one
 * width and one range.
 */
#include "quant/encode.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "ops/ops.h"
#include "ops/quant_rules.h"
#include "quant/fuse.h"
#include "quant/masks.h"

/* An input that is read through a requantize layer. */
struct edge {
    struct sl_node *reader;
    int input;
    bool narrow; /* 8 bits of the writer's range for a weighted layer; else the reader's own encoding */
};

struct edges {
    int n, capacity;
    struct edge *list;
};

static void add_edge(sl_arena *a, struct edges *all, struct edge edge)
{
    if (all->n == all->capacity) {
        struct edge *grown = SL_NEW_ARRAY(a, struct edge, all->capacity ? 2 * all->capacity : 64);
        if (all->n)
            memcpy(grown, all->list, (size_t)all->n * sizeof *grown);
        all->list = grown;
        all->capacity = all->capacity ? 2 * all->capacity : 64;
    }
    all->list[all->n++] = edge;
}

/* ---- what is known of each tensor ---- */
static void bounded_curve(struct sl_tensor_info *t, const char *type)
{
    if (strcmp(type, "sigmoid") && strcmp(type, "hard_sigmoid"))
        return;
    t->imposed = true; /* calibration data need not hold a confident value */
    t->range = (struct sl_range){.min = 0, .max = 1, .known = true};
}

static sluice_status constant_statistics(struct sl_encoder *x, struct sl_node *n, struct sl_tensor_info *t, sl_err *e)
{
    const struct sl_const *c = sl_param(n, "data");
    struct sl_statistics *s = SL_NEW(x->graph->arena, struct sl_statistics);
    const float *f = c && c->dtype == SL_F32 ? sl_const_dense(x->graph->arena, c) : NULL;

    if (!f)
        return sl_fail(e, SLUICE_E_MEMORY, "layer '%s': no float data", sl_node_text(n));
    sl_statistics_init(s);
    sl_statistics_add(s, f, sl_shape_elements(&c->shape));
    if (!s->finite)
        return sl_fail(e, SLUICE_E_VALUE, "layer '%s': a constant holds a value that is not finite", sl_node_text(n));
    t->output = s;
    return SLUICE_OK;
}

/* Pictures: whole numbers 0..255 are stored as they are. */
static bool is_byte_data(const struct sl_statistics *s)
{
    return s && s->count && s->whole && s->min >= 0 && s->max <= 255;
}

static void impose(struct sl_encoder *x)
{
    for (int i = 0; i < x->options->n_clippings; i++) {
        const struct sl_script_clipping *k = &x->options->clippings[i];
        struct sl_tensor_info *t = &x->info[k->node->index];
        t->imposed = true;
        if (!k->percentile)
            t->range = (struct sl_range){.min = (float)fmin(k->low, 0), .max = (float)fmax(k->high, 0), .known = true};
        else if (t->output)
            t->range = sl_percentile_range(t->output, k->low, k->high);
        else
            t->imposed = false;
    }
}

static sluice_status start(struct sl_encoder *x, const struct sl_calibration *c, sl_err *e)
{
    struct sl_graph *g = x->graph;

    x->info = SL_NEW_ARRAY(g->arena, struct sl_tensor_info, g->n_nodes + 1);
    x->plan = SL_NEW_ARRAY(g->arena, struct sl_node_plan, g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        struct sl_tensor_info *t = &x->info[i];
        x->plan[i] = (struct sl_node_plan){.clamp_low = -INFINITY, .clamp_high = INFINITY};
        t->parent = i;
        t->output = c->output[i];
        t->variance = c->variance[i];
        t->given = n->op == SL_OP_softmax;
        if (c->pre_activation[i])
            x->plan[i].pre_activation = sl_choose_range(c->pre_activation[i], SL_RANGE_MINMAX, 8);
        if (sl_is_weighted(n->op))
            x->plan[i].input_mean = c->mean[n->in[0]->index];
        if (n->op == SL_OP_const_input)
            SL_TRY(constant_statistics(x, n, t, e));
        if (n->op == SL_OP_activation)
            bounded_curve(t, sl_get_string(n, "type", ""));
        if (sl_is_weighted(n->op))
            bounded_curve(t, sl_get_string(n, "activation", ""));
        if (n->op == SL_OP_input_layer && is_byte_data(t->output)) {
            t->fixed = true;
            t->quant = (struct sl_quant){.dtype = SL_U8, .scale = 1, .zero_point = 0};
        }
        if (n->op == SL_OP_argmax || n->op == SL_OP_argmin) {
            t->fixed = true;
            t->quant = (struct sl_quant){.dtype = sl_positions(n) > 256 ? SL_U16 : SL_U8, .scale = 1, .zero_point = 0};
        }
    }
    sl_impose_mask_ranges(x);
    impose(x);
    return SLUICE_OK;
}

struct sl_range sl_encode_range(struct sl_encoder *x, int index)
{
    struct sl_tensor_info *t = &x->info[index];

    if (!t->imposed && !t->range.known && t->output)
        t->range = sl_choose_range(t->output, x->options->method, 8);
    return t->range;
}

/* Steps of 16 bits are fine enough to leave room: values of other data go beyond what calibration saw. */
static struct sl_range encode_extent(struct sl_encoder *x, int index)
{
    enum { ROOM = 2 };
    struct sl_tensor_info *t = &x->info[index];

    if (t->imposed && !t->extent.known)
        t->extent = t->range;
    else if (t->output && !t->extent.known) {
        t->extent = sl_choose_range(t->output, x->options->method, 16);
        t->extent.min *= ROOM;
        t->extent.max *= ROOM;
    }
    return t->extent;
}

/* ---- a clamp behind arithmetic becomes that layer's lo and hi ---- */
static bool has_limits(enum sl_op op)
{
    return (op >= SL_OP_ew_add && op <= SL_OP_ew_div) || op == SL_OP_matmul || op == SL_OP_avgpool || op == SL_OP_reduce_mean ||
           op == SL_OP_reduce_sum || op == SL_OP_layer_norm || op == SL_OP_rms_norm;
}

static void absorb_clamps(struct sl_encoder *x)
{
    struct sl_graph *g = x->graph;
    int *uses = SL_NEW_ARRAY(g->arena, int, g->n_nodes + 1), kept = 0;
    struct sl_node **taken = SL_NEW_ARRAY(g->arena, struct sl_node *, g->n_nodes + 1);

    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            uses[g->nodes[i]->in[k]->index]++;
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i], *p;
        for (int k = 0; k < n->n_in; k++)
            if (taken[n->in[k]->index])
                n->in[k] = taken[n->in[k]->index];
        p = n->n_in ? n->in[0] : NULL;
        if (n->op != SL_OP_activation || !sl_is_clamp(sl_get_string(n, "type", "")) || !has_limits(p->op) ||
            uses[p->index] != 1)
            continue;
        sl_clamp_limits(n, "type", &x->plan[p->index].clamp_low, &x->plan[p->index].clamp_high);
        x->info[p->index].output = x->info[i].output;
        x->info[p->index].imposed = x->info[i].imposed;
        x->info[p->index].range = x->info[i].range;
        x->info[p->index].extent = x->info[i].extent;
        sl_node_take_origins(g->arena, p, n);
        taken[i] = p;
    }
    for (int i = 0; i < g->n_nodes; i++) { /* the tables follow the nodes that stay */
        if (taken[i])
            continue;
        x->info[kept] = x->info[i];
        x->info[kept].parent = x->info[kept].next = kept;
        x->plan[kept] = x->plan[i];
        g->nodes[kept++] = g->nodes[i];
    }
    g->n_nodes = kept;
    sl_graph_renumber(g);
}

/* ---- sets ---- */
static int root(const struct sl_encoder *x, int i)
{
    while (x->info[i].parent != i)
        i = x->info[i].parent;
    return i;
}

static struct sl_range united(struct sl_range a, struct sl_range b)
{
    if (!a.known || !b.known)
        return a.known ? a : b;
    return (struct sl_range){.min = fminf(a.min, b.min), .max = fmaxf(a.max, b.max), .known = true};
}

/* The lower index leads, so that a set is led by its first tensor in topological order. */
static void join(struct sl_encoder *x, int a, int b)
{
    int ra = root(x, a), rb = root(x, b), lead = SL_MIN(ra, rb), other = SL_MAX(ra, rb);
    struct sl_tensor_info *l = &x->info[lead], *o = &x->info[other];
    struct sl_statistics *both;

    if (ra == rb)
        return;
    (void)sl_encode_range(x, lead);
    (void)sl_encode_range(x, other);
    l->extent = united(encode_extent(x, lead), encode_extent(x, other));
    if (l->output && o->output) {
        both = sl_arena_memdup(x->graph->arena, l->output, sizeof *both);
        sl_statistics_merge(both, o->output);
        l->output = both;
    } else if (o->output) {
        l->output = o->output;
    }
    if (l->imposed || o->imposed)
        l->range = united(l->range, o->range);
    else
        l->range.known = false; /* chosen again over the united statistics */
    l->imposed = l->imposed || o->imposed;
    l->wide = l->wide || o->wide;
    if (!l->fixed && o->fixed)
        l->quant = o->quant;
    l->fixed = l->fixed || o->fixed;
    l->given = l->given || o->given;
    o->parent = lead;
    int next = l->next; /* two rings become one */
    l->next = o->next;
    o->next = next;
}

/* Does something read a tensor of the set besides `reader`, and layers that belong to the set? */
static bool has_other_readers(const struct sl_encoder *x, int set, const struct sl_node *reader)
{
    int member = set;

    do {
        for (int u = x->uses.first[member]; u < x->uses.first[member + 1]; u++) {
            int by = x->uses.to[u];
            if (by != reader->index && root(x, by) != set)
                return true;
        }
        member = x->info[member].next;
    } while (member != set);
    return false;
}

static bool may_join(struct sl_encoder *x, const struct sl_node *n, int input, struct sl_range all, bool wide)
{
    int set = root(x, n->in[input]->index);
    struct sl_range own = sl_encode_range(x, set);
    double width = (double)own.max - own.min, united_width = (double)all.max - all.min;

    if (x->info[set].fixed || x->info[set].given)
        return false;
    if (united_width <= 1.25 * width && wide == x->info[set].wide)
        return true;
    return !has_other_readers(x, set, n);
}

static void unite(struct sl_encoder *x, struct sl_node *n, struct edges *edges)
{
    struct sl_range all = {.known = false}, extent = {.known = false};
    bool alike = true, wide = x->info[n->index].wide;
    int first = root(x, n->in[0]->index);

    for (int k = 0; k < n->n_in; k++) {
        int set = root(x, n->in[k]->index);
        struct sl_range bounds;
        alike = alike && (set == first || (x->info[set].given && x->info[first].given));
        wide = wide || x->info[set].wide || (x->info[set].fixed && x->info[set].quant.dtype == SL_U16);
        bounds = x->info[set].given   ? (struct sl_range){.min = 0, .max = 1, .known = true}
                 : x->info[set].fixed ? (struct sl_range){.min = 0, .max = (float)sl_quant_max(x->info[set].quant.dtype), .known = true}
                                      : (struct sl_range){.known = false};
        all = united(all, bounds.known ? bounds : sl_encode_range(x, set));
        extent = united(extent, bounds.known ? bounds : encode_extent(x, set));
    }
    if (alike) {
        for (int k = 0; k < n->n_in; k++)
            join(x, n->in[k]->index, n->index);
        return;
    }
    x->info[n->index].wide = wide;
    x->info[n->index].imposed = true; /* at least what all parts hold, also those that are read through a requantize */
    x->info[n->index].range = all;
    x->info[n->index].extent = extent;
    for (int k = 0; k < n->n_in; k++) {
        if (root(x, n->in[k]->index) == root(x, n->index) || may_join(x, n, k, all, wide))
            join(x, n->in[k]->index, n->index);
        else
            add_edge(x->graph->arena, edges, (struct edge){.reader = n, .input = k});
    }
}

static void form_sets(struct sl_encoder *x, struct edges *edges)
{
    struct sl_graph *g = x->graph;

    x->uses = sl_find_uses(g, g->arena);
    for (int i = 0; i < g->n_nodes; i++)
        if (sl_op_row(g->nodes[i]->op)->encode == SL_ENCODE_SAME)
            join(x, g->nodes[i]->in[0]->index, i);
    for (int i = 0; i < g->n_nodes; i++)
        if (sl_op_row(g->nodes[i]->op)->encode == SL_ENCODE_UNITED)
            unite(x, g->nodes[i], edges);
}

/* ---- encodings ---- */
static struct sl_quant encoding_of_set(struct sl_encoder *x, int set)
{
    struct sl_tensor_info *t = &x->info[set];
    enum sl_dtype type = t->wide ? SL_U16 : SL_U8;

    if (t->fixed)
        return t->quant;
    if (t->given)
        return (struct sl_quant){.dtype = type, .scale = (float)(1.0 / sl_quant_max(type)), .zero_point = 0};
    return sl_range_encoding(t->wide ? encode_extent(x, set) : sl_encode_range(x, set), type);
}

static sluice_status set_encodings(struct sl_encoder *x, struct edges *edges, sl_err *e)
{
    struct sl_graph *g = x->graph;
    for (int i = 0; i < g->n_nodes; i++)
        if (root(x, i) == i)
            g->nodes[i]->quant = encoding_of_set(x, i);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_quant *q = &g->nodes[root(x, i)]->quant;
        g->nodes[i]->quant = *q;
        if (!isfinite(q->scale) || !(q->scale > 0))
            return sl_fail(e, SLUICE_E_VALUE, "layer '%s': its values reach %g to %g, which no scale covers",
                           sl_node_text(g->nodes[i]), (double)x->info[root(x, i)].range.min,
                           (double)x->info[root(x, i)].range.max);
    }
    for (int i = 0; i < g->n_nodes; i++)
        if (sl_is_weighted(g->nodes[i]->op) && !x->info[i].reads_wide && g->nodes[i]->in[0]->quant.dtype == SL_U16)
            add_edge(g->arena, edges, (struct edge){.reader = g->nodes[i], .narrow = true});
    return SLUICE_OK;
}

/* ---- requantize layers ---- */
static struct sl_node *new_requantize(struct sl_graph *g, struct sl_node *n, struct sl_quant q)
{
    int index = n->index;
    struct sl_node *r = sl_graph_insert_after(g, n, SL_OP_requantize, 1, &n);

    n->index = index; /* the encoder's tables go by the numbers of before */
    r->name = ""; /* it may stand before another of the same layer, which must be found */
    for (int k = 1;; k++) {
        const char *name = sl_arena_printf(g->arena, "%s_requantize%d", n->name, k);
        if (!sl_graph_find(g, name)) {
            r->name = name;
            break;
        }
    }
    r->scope = n->scope;
    r->dtype = n->dtype;
    r->shape = n->shape;
    r->quant = q;
    for (int i = 0; i < n->n_origins; i++)
        sl_node_add_origin(g->arena, r, n->origins[i]);
    return r;
}

/* One 8-bit view serves all weighted readers of a wide tensor. */
static sluice_status insert_requantize(struct sl_encoder *x, const struct edges *edges, sl_err *e)
{
    struct sl_graph *g = x->graph;
    int n_old = g->n_nodes;
    struct sl_node **old = sl_arena_memdup(g->arena, g->nodes, sl_mul_or_abort((size_t)n_old + 1, sizeof *old));
    struct sl_node **narrow = SL_NEW_ARRAY(g->arena, struct sl_node *, n_old + 1);
    struct sl_node_plan *plan;

    for (int i = 0; i < edges->n; i++) {
        const struct edge *k = &edges->list[i];
        struct sl_node *from = k->reader->in[k->input];
        if (!k->narrow) {
            k->reader->in[k->input] = new_requantize(g, from, k->reader->quant);
            continue;
        }
        if (!narrow[from->index])
            narrow[from->index] = new_requantize(g, from, sl_range_encoding(sl_encode_range(x, root(x, from->index)), SL_U8));
        k->reader->in[k->input] = narrow[from->index];
    }
    sl_graph_renumber(g);
    plan = SL_NEW_ARRAY(g->arena, struct sl_node_plan, g->n_nodes + 1);
    for (int i = 0; i < g->n_nodes; i++)
        plan[i] = (struct sl_node_plan){.clamp_low = -INFINITY, .clamp_high = INFINITY};
    for (int i = 0; i < n_old; i++)
        plan[old[i]->index] = x->plan[i];
    x->plan = plan;
    return sl_graph_verify(g, e);
}

sluice_status sl_encode_graph(struct sl_graph *g, const struct sl_calibration *c, const struct sl_encode_options *options,
                              struct sl_node_plan **plan, sl_err *e)
{
    struct sl_encoder x = {.graph = g, .options = options};
    struct edges edges = {0};

    SL_TRY(start(&x, c, e));
    absorb_clamps(&x);
    sl_encode_precision(&x);
    form_sets(&x, &edges);
    SL_TRY(set_encodings(&x, &edges, e));
    SL_TRY(insert_requantize(&x, &edges, e));
    *plan = x.plan;
    return SLUICE_OK;
}
