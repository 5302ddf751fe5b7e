/*
 * calibrate.c: see calibrate.h. The samples are cut into 8 shards of consecutive samples; a shard runs on one thread with one
 * single-threaded evaluation. What is collected (extremes, counts) adds up to the same whatever the order, so each worker keeps
 * one set and the sets are merged at the end.
 */
#include "quant/calibrate.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/threads.h"
#include "ops/float_run.h"
#include "quant/fuse.h"
#include "quant/masks.h"

enum { SHARDS = 8, VARIANCE_SAMPLES = 2 }; /* variances need fewer samples: the first two of each shard */

/* The graph as it is watched: activations stand alone again, so that the sum before them is seen. */
struct watched {
    struct sl_graph *g;
    int *output, *pre;    /* by node index of g: which node of the calibrated graph it tells of, -1: none */
    int *mean, *variance; /* the same for sums by channel */
    bool *only_masks;     /* by node index of the calibrated graph: nothing but attention masks */
};

struct worker {
    struct job *job;
    struct sl_float_run *run;
    sl_arena *arena, *scratch;
    float **inputs;
    struct sl_statistics **output, **pre; /* by index of the calibrated graph */
    const struct sl_node *bad;            /* the first node with a value that is not finite */
    double **sum, **square;               /* of the shard under way: by index of the calibrated graph, by channel */
    bool squares;                         /* this sample counts for variances */
};

struct job {
    const struct sl_graph *g;
    struct watched watched;
    const struct sl_sample_source *source;
    struct worker *workers;
    struct sl_progress *progress;
    double **sum[SHARDS];    /* floating-point sums depend on the order: a set a shard, added up in a fixed tree */
    double **square[SHARDS]; /* sums of values, then of squares */
    int64_t squares;         /* samples in them */
    sl_err error[SHARDS];
    sluice_status status[SHARDS];
};

static bool is_activated(const struct sl_node *n)
{
    const char *type = sl_get_string(n, "activation", NULL);

    return sl_is_weighted(n->op) && type && strcmp(type, "linear");
}

static bool is_curved(const struct sl_node *n)
{
    return is_activated(n) && !sl_is_clamp(sl_get_string(n, "activation", ""));
}

static void move_attr(struct sl_graph *g, struct sl_node *from, struct sl_node *to, const char *name)
{
    if (sl_attr(from, name)) {
        sl_set_float(g, to, name, sl_get_float(from, name, 0));
        sl_remove_attr(from, name);
    }
}

/* Behind each activated layer stands its curve: whoever read the layer reads the curve. `nodes` are the layers, curve[i] NULL
 * for one without. One pass, for graphs of any depth. */
static void stand_behind(struct sl_graph *c, struct sl_node *const *nodes, struct sl_node *const *curve, int n_nodes,
                         sl_arena *a)
{
    struct sl_node **order = SL_NEW_ARRAY(a, struct sl_node *, c->n_nodes);
    int n = 0;

    for (int i = 0; i < n_nodes; i++)
        for (int k = 0; k < nodes[i]->n_in; k++)
            if (curve[nodes[i]->in[k]->index])
                nodes[i]->in[k] = curve[nodes[i]->in[k]->index];
    for (int i = 0; i < n_nodes; i++) {
        order[n++] = nodes[i];
        if (curve[i])
            order[n++] = curve[i];
    }
    memcpy(c->nodes, order, (size_t)n * sizeof *order);
    sl_graph_renumber(c);
}

/* What is not merely moved: among the layers that keep their input's encoding, a cubic resize swings past its input's range. */
static bool has_values_of_its_own(const struct sl_node *n)
{
    return sl_op_row(n->op)->encode == SL_ENCODE_OWN ||
           (n->op == SL_OP_resize && !strcmp(sl_get_string(n, "mode", "nearest"), "cubic"));
}

static sluice_status watch_graph(const struct sl_graph *g, sl_arena *a, struct watched *out, sl_err *e)
{
    struct sl_graph *c = sl_graph_copy(g, a);
    struct sl_node **nodes = sl_arena_memdup(a, c->nodes, sl_mul_or_abort((size_t)c->n_nodes, sizeof *nodes));
    struct sl_node **curve = SL_NEW_ARRAY(a, struct sl_node *, c->n_nodes + 1);
    int n_nodes = c->n_nodes;

    sl_graph_renumber(c);
    for (int i = 0; i < n_nodes; i++) {
        struct sl_node *n = nodes[i];
        if (!is_activated(n))
            continue;
        curve[i] = sl_graph_add(c, SL_OP_activation, 1, &n);
        curve[i]->scope = n->scope;
        curve[i]->name = sl_arena_printf(a, "%s/curve", n->name);
        curve[i]->dtype = n->dtype;
        curve[i]->shape = n->shape;
        sl_set_string(c, curve[i], "type", sl_get_string(n, "activation", ""));
        sl_remove_attr(n, "activation");
        move_attr(c, n, curve[i], "alpha");
        move_attr(c, n, curve[i], "beta");
        move_attr(c, n, curve[i], "minimum");
        move_attr(c, n, curve[i], "maximum");
    }
    stand_behind(c, nodes, curve, n_nodes, a);
    out->g = c;
    out->only_masks = SL_NEW_ARRAY(a, bool, n_nodes + 1);
    sl_find_masks(g, out->only_masks);
    out->output = SL_NEW_ARRAY(a, int, c->n_nodes + 1);
    out->pre = SL_NEW_ARRAY(a, int, c->n_nodes + 1);
    memset(out->output, -1, (size_t)(c->n_nodes + 1) * sizeof(int));
    memset(out->pre, -1, (size_t)(c->n_nodes + 1) * sizeof(int));
    out->mean = SL_NEW_ARRAY(a, int, c->n_nodes + 1);
    memset(out->mean, -1, (size_t)(c->n_nodes + 1) * sizeof(int));
    out->variance = sl_arena_memdup(a, out->mean, sl_mul_or_abort((size_t)c->n_nodes + 1, sizeof(int)));
    for (int i = 0; i < n_nodes; i++)
        if (sl_is_weighted(g->nodes[i]->op)) {
            int read = g->nodes[i]->in[0]->index;
            out->variance[nodes[i]->index] = i;
            out->mean[(curve[read] ? curve[read] : nodes[read])->index] = read;
        }
    for (int i = 0; i < n_nodes; i++) {
        if (nodes[i]->dtype != SL_F32 || nodes[i]->op == SL_OP_const_input || !has_values_of_its_own(nodes[i]))
            continue;
        out->output[(curve[i] ? curve[i] : nodes[i])->index] = i;
        if (is_curved(g->nodes[i]))
            out->pre[nodes[i]->index] = i;
    }
    return sl_graph_verify(c, e);
}

static struct sl_statistics *slot(struct worker *w, struct sl_statistics **s)
{
    if (!*s) {
        *s = SL_NEW(w->arena, struct sl_statistics);
        sl_statistics_init(*s);
    }
    return *s;
}

static void collect(struct worker *w, struct sl_statistics **s, const struct sl_node *n, const float *x, size_t count)
{
    struct sl_statistics *t = slot(w, s);

    sl_statistics_add(t, x, count);
    if (!t->finite && !w->bad)
        w->bad = n;
}

/* What is seen of a tensor of the calibrated graph. Places that a mask closes count as little as they matter. */
static void collect_output(struct worker *w, int index, const struct sl_node *n, const struct sl_shape *shape, const float *x)
{
    const struct sl_node *of = w->job->g->nodes[index];
    float gap = (float)sl_get_float(of, "closed_gap", 0), *seen;
    size_t count = sl_shape_elements(shape);
    struct sl_arena_mark mark = sl_arena_mark(w->scratch);

    if (gap > 0 && shape->rank > 0) {
        seen = SL_NEW_ARRAY(w->scratch, float, count);
        sl_clamp_closed(x, seen, count, (size_t)shape->dim[shape->rank - 1], gap);
        x = seen;
    } else if (w->job->watched.only_masks[index]) {
        seen = SL_NEW_ARRAY(w->scratch, float, count);
        for (size_t i = 0; i < count; i++)
            seen[i] = x[i] < -FLT_MAX ? -FLT_MAX : x[i]; /* infinity closes a place as a large number does */
        x = seen;
    }
    collect(w, &w->output[index], n, x, count);
    sl_arena_reset(w->scratch, mark);
}

static int64_t channels_of(const struct sl_shape *s)
{
    return s->rank ? s->dim[s->rank - 1] : 1;
}

/* One frame's sums are formed first, in single order, then added to the shard's: `squares` too where it is not NULL. */
static void add_sums(double *sum, double *squares, const float *x, size_t count, int64_t channels, sl_arena *scratch)
{
    struct sl_arena_mark mark = sl_arena_mark(scratch);
    double *frame = SL_NEW_ARRAY(scratch, double, 2 * channels);

    for (size_t i = 0; i < count; i += (size_t)channels)
        for (int64_t c = 0; c < channels; c++)
            frame[c] += (double)x[i + (size_t)c];
    for (size_t i = 0; squares && i < count; i += (size_t)channels)
        for (int64_t c = 0; c < channels; c++)
            frame[channels + c] += (double)x[i + (size_t)c] * (double)x[i + (size_t)c];
    for (int64_t c = 0; c < channels; c++) {
        sum[c] += frame[c];
        if (squares)
            squares[c] += frame[channels + c];
    }
    sl_arena_reset(scratch, mark);
}

static void watch(void *data, const struct sl_node *n, const struct sl_tensor *t)
{
    struct worker *w = data;
    const struct watched *v = &w->job->watched;
    size_t count = sl_shape_elements(&t->shape);

    if (v->mean[n->index] >= 0)
        add_sums(w->sum[v->mean[n->index]], NULL, t->data, count, channels_of(&t->shape), w->scratch);
    if (w->squares && v->variance[n->index] >= 0) {
        double *square = w->square[v->variance[n->index]];
        add_sums(square, square + channels_of(&t->shape), t->data, count, channels_of(&t->shape), w->scratch);
    }
    if (n->op == SL_OP_input_layer) /* the rest is collected where they are read */
        return;
    if (v->output[n->index] >= 0)
        collect_output(w, v->output[n->index], w->job->g->nodes[v->output[n->index]], &t->shape, t->data);
    if (v->pre[n->index] >= 0)
        collect(w, &w->pre[v->pre[n->index]], w->job->g->nodes[v->pre[n->index]], t->data, count);
}

static sluice_status start_worker(struct job *j, struct worker *w, sl_err *e)
{
    const struct sl_graph *g = j->g;

    if (w->run)
        return SLUICE_OK;
    w->job = j;
    w->arena = sl_arena_new();
    w->scratch = sl_arena_new();
    w->output = SL_NEW_ARRAY(w->arena, struct sl_statistics *, g->n_nodes + 1);
    w->pre = SL_NEW_ARRAY(w->arena, struct sl_statistics *, g->n_nodes + 1);
    w->inputs = SL_NEW_ARRAY(w->arena, float *, g->n_inputs + 1);
    for (int i = 0; i < g->n_inputs; i++) {
        w->inputs[i] = sl_arena_alloc_aligned64(w->arena, sl_shape_elements(&g->inputs[i].node->shape) * sizeof(float));
        if (!w->inputs[i])
            return sl_fail(e, SLUICE_E_MEMORY, "no memory for input '%s'", g->inputs[i].node->name);
    }
    SL_TRY(sl_float_run_new(j->watched.g, 1, false, &w->run, e));
    sl_float_run_watch(w->run, watch, w);
    return SLUICE_OK;
}

static sluice_status run_sample(struct job *j, struct worker *w, int64_t index, sl_err *e)
{
    struct sl_arena_mark mark = sl_arena_mark(w->scratch);
    sluice_status s = j->source->read(j->source->data, w->scratch, index, w->inputs, e);

    sl_arena_reset(w->scratch, mark);
    SL_TRY(s);
    for (int i = 0; i < j->g->n_inputs; i++) {
        const struct sl_node *n = j->g->inputs[i].node;
        collect_output(w, n->index, n, &n->shape, w->inputs[i]);
    }
    SL_TRY(sl_float_run_frame(w->run, (const void *const *)w->inputs, e));
    if (w->bad) {
        sl_fail(e, SLUICE_E_VALUE, "calibration sample %lld: layer '%s' gives a value that is not finite", (long long)index,
                sl_node_text(w->bad));
        return sl_hint(
            e, "float32 does not hold what the network makes of this sample: give it inputs as it was trained on (pixels "
               "of 0..255 often want the model script's normalization command), or check the weights before that layer");
    }
    return SLUICE_OK;
}

static void run_shard(void *data, int shard, int worker)
{
    struct job *j = data;
    struct worker *w = &j->workers[worker];
    int64_t n = j->source->count, from = n * shard / SHARDS, to = n * (shard + 1) / SHARDS;
    sluice_status s = from < to ? start_worker(j, w, &j->error[shard]) : SLUICE_OK;

    w->sum = j->sum[shard];
    w->square = j->square[shard];
    for (int64_t i = from; i < to && s == SLUICE_OK; i++) {
        w->squares = i - from < VARIANCE_SAMPLES;
        s = run_sample(j, w, i, &j->error[shard]);
        sl_progress_step(j->progress, 1);
    }
    j->status[shard] = s;
}

static void new_sums(struct job *j, sl_arena *a)
{
    const struct watched *v = &j->watched;

    for (int k = 0; k < SHARDS; k++) {
        int64_t n = j->source->count, shard = n * (k + 1) / SHARDS - n * k / SHARDS;
        j->squares += SL_MIN(shard, VARIANCE_SAMPLES);
        j->sum[k] = SL_NEW_ARRAY(a, double *, j->g->n_nodes + 1);
        j->square[k] = SL_NEW_ARRAY(a, double *, j->g->n_nodes + 1);
        for (int i = 0; i < v->g->n_nodes; i++) {
            int64_t channels = channels_of(&v->g->nodes[i]->shape);
            if (v->mean[i] >= 0)
                j->sum[k][v->mean[i]] = SL_NEW_ARRAY(a, double, channels);
            if (v->variance[i] >= 0)
                j->square[k][v->variance[i]] = SL_NEW_ARRAY(a, double, 2 * channels);
        }
    }
}

/* ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)), whatever the number of threads: into shard 0's. */
static void add_shards(double **shard[SHARDS], int i, int64_t n)
{
    for (int step = 1; step < SHARDS; step *= 2)
        for (int k = 0; k < SHARDS; k += 2 * step)
            for (int64_t c = 0; c < n; c++)
                shard[k][i][c] += shard[k + step][i][c];
}

static void finish_sums(struct job *j, sl_arena *to, struct sl_calibration *out)
{
    out->mean = SL_NEW_ARRAY(to, double *, j->g->n_nodes + 1);
    out->variance = SL_NEW_ARRAY(to, double *, j->g->n_nodes + 1);
    for (int i = 0; i < j->g->n_nodes; i++) {
        const struct sl_shape *s = &j->g->nodes[i]->shape;
        int64_t channels = channels_of(s);
        double frame = channels ? (double)(sl_shape_elements(s) / (size_t)channels) : 0;
        if (j->sum[0][i]) {
            add_shards(j->sum, i, channels);
            out->mean[i] = SL_NEW_ARRAY(to, double, channels);
            for (int64_t c = 0; c < channels; c++)
                out->mean[i][c] = j->sum[0][i][c] / (frame * (double)j->source->count);
        }
        if (j->square[0][i]) {
            double *sum = j->square[0][i], count = frame * (double)j->squares;
            add_shards(j->square, i, 2 * channels);
            out->variance[i] = SL_NEW_ARRAY(to, double, channels);
            for (int64_t c = 0; c < channels; c++)
                out->variance[i][c] = fmax(sum[channels + c] / count - sum[c] / count * (sum[c] / count), 0);
        }
    }
}

static void merge_set(sl_arena *a, int n, struct sl_statistics **to, struct sl_statistics *const *from)
{
    for (int i = 0; i < n; i++) {
        if (!from[i])
            continue;
        if (!to[i]) {
            to[i] = SL_NEW(a, struct sl_statistics);
            sl_statistics_init(to[i]);
        }
        sl_statistics_merge(to[i], from[i]);
    }
}

static void finish(struct job *j, int n_workers, sl_arena *to, struct sl_calibration *out)
{
    for (int i = 0; i < n_workers; i++) {
        struct worker *w = &j->workers[i];
        if (!w->arena)
            continue;
        if (out) {
            merge_set(to, j->g->n_nodes, out->output, w->output);
            merge_set(to, j->g->n_nodes, out->pre_activation, w->pre);
        }
        sl_float_run_free(w->run);
        sl_arena_free(w->scratch);
        sl_arena_free(w->arena);
    }
}

sluice_status sl_calibrate(const struct sl_graph *g, const struct sl_sample_source *source, int threads, sl_arena *to,
                           struct sl_calibration *out, sl_err *e)
{
    struct job j = {.g = g, .source = source};
    sl_arena *a = sl_arena_new();
    struct sl_pool *pool = NULL;
    sluice_status s;
    int n_workers;

    if (source->count < 1) {
        sl_arena_free(a);
        return sl_fail(e, SLUICE_E_VALUE, "no calibration samples: at least 1 is needed");
    }
    s = watch_graph(g, a, &j.watched, e);
    if (s == SLUICE_OK)
        s = sl_pool_new(threads, &pool, e);
    if (s != SLUICE_OK) {
        sl_arena_free(a);
        return s;
    }
    n_workers = sl_pool_size(pool);
    j.workers = SL_NEW_ARRAY(a, struct worker, n_workers);
    new_sums(&j, a);
    j.progress = sl_progress_start("Calibration", (uint64_t)source->count, "samples");
    sl_parallel_for(pool, SHARDS, run_shard, &j);
    sl_progress_end(j.progress);
    for (int i = 0; i < SHARDS && s == SLUICE_OK; i++)
        if (j.status[i] != SLUICE_OK) { /* of several failures the first sample's is told */
            s = j.status[i];
            *e = j.error[i];
        }
    if (s == SLUICE_OK) {
        out->n_nodes = g->n_nodes;
        out->output = SL_NEW_ARRAY(to, struct sl_statistics *, g->n_nodes + 1);
        out->pre_activation = SL_NEW_ARRAY(to, struct sl_statistics *, g->n_nodes + 1);
        finish_sums(&j, to, out);
    }
    finish(&j, n_workers, to, s == SLUICE_OK ? out : NULL);
    sl_pool_free(pool);
    sl_arena_free(a);
    return s;
}

/* ---- random samples ---- */
static uint64_t mix(uint64_t x) /* splitmix64's finalizer: one well-spread word for each counter value */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static sluice_status read_random(void *data, sl_arena *scratch, int64_t index, float *const *inputs, sl_err *e)
{
    const struct sl_graph *g = data;

    (void)scratch;
    (void)e;
    for (int i = 0; i < g->n_inputs; i++) {
        const struct sl_shape *s = &g->inputs[i].node->shape;
        bool picture = s->rank == 4 && (s->dim[3] == 1 || s->dim[3] == 3);
        uint64_t seed = mix((uint64_t)index << 8 | (uint64_t)i);
        for (size_t k = 0, n = sl_shape_elements(s); k < n; k++) {
            uint64_t r = mix(seed + k);
            if (picture) {
                inputs[i][k] = (float)(r >> 56);
            } else { /* the sum of four uniform values: near normal, variance scaled to 1 */
                double sum = 0;
                for (int part = 0; part < 4; part++)
                    sum += (double)(r >> (16 * part) & 0xffff) / 65536.0 - 0.5;
                inputs[i][k] = (float)(sum * sqrt(3.0));
            }
        }
    }
    return SLUICE_OK;
}

void sl_random_source(const struct sl_graph *g, struct sl_sample_source *out)
{
    *out = (struct sl_sample_source){.count = 64, .read = read_random, .data = (void *)(uintptr_t)g};
}
