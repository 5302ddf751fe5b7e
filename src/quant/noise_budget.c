/*
 * noise_budget.c: which further tensors are 16 bits wide, after the rules of precision.c. What rounding each tensor to 8 bits adds to the
 * network's outputs is estimated from the statistics; the largest contributions are taken away, one after the other, until what is left
 * lies within a budget. So a network that 8 bits serve well stays as it is, and in one that loses accuracy the fewest tensors pay.
 *
 * The estimate. Noise is counted as a ratio to the variance of the tensor it is in. Fresh rounding noise is white: through a weighted
 * layer it comes out as the sum of squared weights, against the variance of the sums. From there on it is taken to travel like the
 * signal: the ratio stays, but where branches meet each counts by its part of the variance. `weight` is what is left of a ratio at
 * the outputs.
 */
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "ops/ops.h"
#include "ops/quant_rules.h"
#include "quant/encode.h"
#include "quant/fuse.h"

struct item {
    double noise;           /* at the outputs, of rounding `tensor` to 8 bits */
    struct sl_node *tensor;
    struct sl_node *reader; /* a weighted layer; NULL: all other readers together */
    double cost;            /* as a part of the network's */
};

struct budget {
    struct sl_encoder *x;
    const struct sl_statistics **stats; /* by node index; concatenations have their parts' */
    struct sl_node **source;            /* itself, or where a chain of layers that keep the encoding starts */
    struct sl_range *range;             /* that 8 bits would cover */
    double *variance, *square, *error;  /* of the tensor; of rounding it to 8 bits, as mean squares */
    double *weight;
    struct item *items;
    int n_items;
    double cost; /* multiply-accumulates of all weighted layers */
};

/* Of what is left at the outputs, as a mean over them. Measured: docs/quantization.md. */
static const double BUDGET = 0.00316; /* -25 dB */
/* Readings of few products are widened beyond the budget: each at most this part of the network's, together the second, where each
 * adds at least the third. */
static const double CHEAP = 1.0 / 256, CHEAP_SUM = 1.0 / 20, CHEAP_NOISE = 1e-4;

static bool is_same(const struct sl_node *n)
{
    return sl_op_row(n->op)->encode == SL_ENCODE_SAME && n->n_in;
}

static double elements(const struct sl_node *n)
{
    return (double)sl_shape_elements(&n->shape);
}

static void describe_concat(struct budget *b, const struct sl_node *n)
{
    struct sl_statistics *all = SL_NEW(b->x->graph->arena, struct sl_statistics);
    struct sl_range *r = &b->range[n->index];

    sl_statistics_init(all);
    for (int k = 0; k < n->n_in; k++) {
        int from = n->in[k]->index;
        if (!b->stats[from] || !b->range[from].known)
            return;
        sl_statistics_merge(all, b->stats[from]);
        r->min = fminf(r->min, b->range[from].min);
        r->max = fmaxf(r->max, b->range[from].max);
    }
    r->known = true;
    b->stats[n->index] = all;
}

static void describe(struct budget *b)
{
    struct sl_graph *g = b->x->graph;

    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        b->source[i] = is_same(n) ? b->source[n->in[0]->index] : n;
        if (is_same(n)) {
            int from = n->in[0]->index;
            b->stats[i] = b->stats[from];
            b->range[i] = b->range[from];
            b->variance[i] = b->variance[from];
            b->square[i] = b->square[from];
            b->error[i] = b->error[from];
            continue;
        }
        if (sl_op_row(n->op)->encode == SL_ENCODE_UNITED) {
            describe_concat(b, n);
        } else if (b->x->info[i].output && b->x->info[i].output->count) {
            b->stats[i] = b->x->info[i].output;
            b->range[i] = sl_encode_range(b->x, i);
        }
        if (!b->stats[i] || !b->range[i].known)
            continue;
        b->variance[i] = sl_statistics_variance(b->stats[i]);
        b->square[i] = sl_statistics_square(b->stats[i]);
        if (!b->x->info[i].fixed)
            b->error[i] = sl_range_error(b->stats[i], b->range[i].min, b->range[i].max, 8);
    }
}

/* Noise in n's output, as a ratio to its variance, a unit of white noise in input k. */
static double gain(const struct budget *b, const struct sl_node *n, int k)
{
    const struct sl_node *a = n->in[k];
    double v = b->variance[n->index], other = n->n_in > 1 ? b->square[n->in[k ? 0 : 1]->index] : 0;

    if (!(v > 0))
        return 0;
    switch (n->op) {
    case SL_OP_ew_mult:
        return other / v;
    case SL_OP_matmul:
        return other * (double)n->in[0]->shape.dim[n->in[0]->shape.rank - 1] / v;
    case SL_OP_avgpool:
    case SL_OP_reduce_mean:
        return fmin(elements(n) / elements(a), 1) / v;
    case SL_OP_ew_div:
    case SL_OP_activation:
    case SL_OP_layer_norm:
    case SL_OP_rms_norm:
    case SL_OP_softmax:
        return b->variance[a->index] > 0 ? 1 / b->variance[a->index] : 0;
    case SL_OP_concat:
        return elements(a) / elements(n) / v;
    default:
        return 1 / v;
    }
}

/* What is left in n's output of a ratio in its input k, for noise that travels like the signal. */
static double passed(const struct budget *b, const struct sl_node *n, int k)
{
    double v = b->variance[n->in[k]->index];
    bool meet = (sl_is_weighted(n->op) || n->op == SL_OP_ew_add || n->op == SL_OP_ew_sub) && n->n_in == 2;

    if (meet) {
        double other = b->variance[n->in[!k]->index], sum = sl_is_weighted(n->op) ? b->variance[n->index] : v + other;
        if (!sl_is_weighted(n->op) || k == 1)
            return sum > 0 ? fmin(v / sum, 1) : 0;
        return sum > 0 ? fmax(1 - other / sum, 0.1) : 0;
    }
    if (sl_is_weighted(n->op) || is_same(n) || sl_op_row(n->op)->encode == SL_ENCODE_GIVEN)
        return 1;
    return fmin(gain(b, n, k) * v, 1);
}

static void weigh(struct budget *b)
{
    struct sl_graph *g = b->x->graph;

    for (int i = 0; i < g->n_outputs; i++)
        b->weight[g->outputs[i].node->index] = 1.0 / g->n_outputs;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        struct sl_node *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            b->weight[n->in[k]->index] += b->weight[i] * passed(b, n, k);
        }
    }
}

static void add_item(struct budget *b, double noise, struct sl_node *tensor, struct sl_node *reader)
{
    enum { ELEMENT = 8 }; /* what passing on one value costs, in products */
    double cost = reader ? (double)sl_op_row(reader->op)->cost(reader) : ELEMENT * elements(tensor);

    if (noise > 0)
        b->items[b->n_items++] = (struct item){.noise = noise, .tensor = tensor, .reader = reader, .cost = cost / b->cost};
}

static void list_items(struct budget *b)
{
    struct sl_graph *g = b->x->graph;
    double *others = SL_NEW_ARRAY(g->arena, double, g->n_nodes + 1);

    b->cost = 1;
    for (int i = 0; i < g->n_nodes; i++)
        if (sl_is_weighted(g->nodes[i]->op))
            b->cost += (double)sl_op_row(g->nodes[i]->op)->cost(g->nodes[i]);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sl_node *n = g->nodes[i];
        if (is_same(n) || sl_op_row(n->op)->encode == SL_ENCODE_UNITED)
            continue;
        for (int k = 0; k < n->n_in; k++) {
            struct sl_node *from = b->source[n->in[k]->index];
            double error = b->error[from->index];
            if (error <= 0)
                continue;
            if (!sl_is_weighted(n->op) || k > 0)
                others[from->index] += b->weight[i] * fmin(error * gain(b, n, k), 1);
            else if (!b->x->info[i].reads_wide)
                add_item(b, b->weight[i] * fmax(sl_weighted_noise(b->x, n, error), 0), from, n);
        }
    }
    for (int i = 0; i < g->n_nodes; i++)
        if (!b->x->info[i].wide)
            add_item(b, others[i], g->nodes[i], NULL);
}

static int reader_index(const struct item *i)
{
    return i->reader ? i->reader->index : -1;
}

/* The largest first; of equal ones the first in the graph. */
static int by_noise(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->noise != y->noise)
        return x->noise < y->noise ? 1 : -1;
    return x->tensor != y->tensor ? x->tensor->index - y->tensor->index : reader_index(x) - reader_index(y);
}

/* Marks it when true, so that a stack holds a node once. */
static bool may_widen(struct sl_encoder *x, const struct sl_node *n)
{
    struct sl_tensor_info *t = &x->info[n->index];
    bool free = !t->wide && !t->fixed;

    t->wide = t->wide || free;
    return free;
}

/* The tensor, and what it is moved or put together from. */
static void widen(struct sl_encoder *x, struct sl_node *n, struct sl_node **stack)
{
    int depth = 0;

    if (may_widen(x, n))
        stack[depth++] = n;
    while (depth > 0) {
        struct sl_node *top = stack[--depth];
        if (sl_op_row(top->op)->encode != SL_ENCODE_SAME && sl_op_row(top->op)->encode != SL_ENCODE_UNITED)
            continue;
        for (int k = 0; k < top->n_in; k++)
            if (may_widen(x, top->in[k]))
                stack[depth++] = top->in[k];
    }
}

static double decibel(double noise)
{
    return -10 * log10(fmax(noise, 1e-12));
}

static bool worth_it(const struct item *i, double left, double *cheap)
{
    if (left > BUDGET)
        return true;
    if (i->cost > CHEAP || i->noise < CHEAP_NOISE || *cheap + i->cost > CHEAP_SUM)
        return false;
    *cheap += i->cost;
    return true;
}

static void spend(struct budget *b)
{
    struct sl_graph *g = b->x->graph;
    struct sl_node **stack = SL_NEW_ARRAY(g->arena, struct sl_node *, g->n_nodes + 1);
    double left = 0, before, cheap = 0;
    int taken = 0;

    qsort(b->items, (size_t)b->n_items, sizeof *b->items, by_noise);
    for (int i = 0; i < b->n_items; i++)
        left += b->items[i].noise;
    before = left;
    for (int i = 0; i < b->n_items; i++) {
        const struct item *k = &b->items[i];
        bool take = worth_it(k, left, &cheap);
        sl_detail(2, "%-24s %-24s 8 bits: %5.1f dB at the outputs%s", k->tensor->name, k->reader ? k->reader->name : "other readers",
                  decibel(k->noise), take ? ", so 16" : "");
        if (!take)
            continue;
        widen(b->x, k->reader ? k->reader->in[0] : k->tensor, stack);
        if (k->reader)
            b->x->info[k->reader->index].reads_wide = true;
        left -= k->noise;
        taken++;
    }
    sl_detail(1, "rounding to 8 bits: %.1f dB at the outputs; %d of %d readings are 16 bits wide, %.1f dB", decibel(before), taken, b->n_items,
              decibel(left));
}

void sl_encode_noise_budget(struct sl_encoder *x)
{
    struct sl_graph *g = x->graph;
    struct budget b = {.x = x};

    b.stats = SL_NEW_ARRAY(g->arena, const struct sl_statistics *, g->n_nodes + 1);
    b.source = SL_NEW_ARRAY(g->arena, struct sl_node *, g->n_nodes + 1);
    b.range = SL_NEW_ARRAY(g->arena, struct sl_range, g->n_nodes + 1);
    b.variance = SL_NEW_ARRAY(g->arena, double, g->n_nodes + 1);
    b.square = SL_NEW_ARRAY(g->arena, double, g->n_nodes + 1);
    b.error = SL_NEW_ARRAY(g->arena, double, g->n_nodes + 1);
    b.weight = SL_NEW_ARRAY(g->arena, double, g->n_nodes + 1);
    b.items = SL_NEW_ARRAY(g->arena, struct item, 2 * g->n_nodes + 1);
    describe(&b);
    weigh(&b);
    list_items(&b);
    spend(&b);
}
