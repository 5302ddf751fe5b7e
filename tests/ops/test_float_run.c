/* test_float_run.c: whole graphs by the float runner: random graphs with memory used again give the values of graphs that keep
 * everything, with any number of threads and with several runners side by side; values agree with plain C within a tolerance. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/eval.h"
#include "ops/float_plan.h"
#include "ops/float_run.h"

#define CHECK(condition)                                                                                                       \
    do {                                                                                                                       \
        if (!(condition)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                                    \
            exit(1);                                                                                                           \
        }                                                                                                                      \
    } while (0)

static uint32_t state;

static uint32_t next_random(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static float random_value(void)
{
    return (float)(next_random() % 2001) / 1000.0f - 1.0f;
}

static const struct sl_const *random_const(sl_arena *a, int rank, const int64_t *dims)
{
    void *data;
    struct sl_shape s = sl_shape_of(rank, dims);
    const struct sl_const *c = sl_const_new(a, SL_F32, &s, &data);
    for (size_t i = 0; i < sl_shape_elements(&s); i++)
        ((float *)data)[i] = random_value() * 0.25f;
    return c;
}

static struct sl_node *add(struct sl_graph *g, enum sl_op op, int n_in, struct sl_node *const *in)
{
    struct sl_node *n = sl_graph_add(g, op, n_in, in);
    n->name = sl_arena_printf(g->arena, "n%d", n->index);
    n->scope = "net";
    return n;
}

static struct sl_port port_of(struct sl_node *n)
{
    struct sl_port p = {.origin_name = n->name, .node = n, .origin_dtype = n->dtype, .origin_shape = n->shape};
    for (int i = 0; i < SL_MAX_RANK; i++)
        p.perm[i] = i;
    return p;
}

enum { SIDE = 9, CHANNELS = 8 };

static void random_node(struct sl_graph *g, sl_arena *a, struct sl_node **pool, int n_pool, struct sl_node **out)
{
    static const char *const curves[] = {"linear", "relu", "silu", "gelu", "mish"};
    struct sl_node *x = pool[next_random() % (uint32_t)n_pool], *y = pool[next_random() % (uint32_t)n_pool], *both[2] = {x, y}, *n, *m;
    switch (next_random() % 7) {
    case 0:
        n = add(g, SL_OP_conv, 2, both);
        sl_set_param(g, n, "kernel", random_const(a, 4, (int64_t[]){3, 3, CHANNELS, CHANNELS}));
        sl_set_param(g, n, "bias", random_const(a, 1, (int64_t[]){CHANNELS}));
        sl_set_ints(g, n, "pads", 4, (int64_t[]){1, 1, 1, 1});
        sl_set_string(g, n, "activation", curves[next_random() % SL_COUNT(curves)]);
        break;
    case 1:
        n = add(g, SL_OP_dw, 1, both);
        sl_set_param(g, n, "kernel", random_const(a, 4, (int64_t[]){3, 3, CHANNELS, 1}));
        sl_set_ints(g, n, "pads", 4, (int64_t[]){1, 1, 1, 1});
        sl_set_string(g, n, "activation", curves[next_random() % SL_COUNT(curves)]);
        break;
    case 2: n = add(g, SL_OP_ew_add, 2, both); break;
    case 3:
        m = add(g, SL_OP_concat, 2, both);
        sl_set_int(g, m, "axis", 3);
        n = add(g, SL_OP_slice, 1, &m);
        sl_set_ints(g, n, "starts", 4, (int64_t[]){0, 0, 0, 4});
        sl_set_ints(g, n, "ends", 4, (int64_t[]){1, SIDE, SIDE, 4 + CHANNELS});
        break;
    case 4:
        m = add(g, SL_OP_reshape, 1, &x);
        sl_set_ints(g, m, "shape", 2, (int64_t[]){SIDE * SIDE, CHANNELS});
        n = add(g, SL_OP_softmax, 1, &m);
        sl_set_int(g, n, "axis", 1);
        m = n;
        n = add(g, SL_OP_reshape, 1, &m);
        sl_set_ints(g, n, "shape", 4, (int64_t[]){1, SIDE, SIDE, CHANNELS});
        break;
    case 5:
        n = add(g, SL_OP_maxpool, 1, &x);
        sl_set_ints(g, n, "kernel_shape", 4, (int64_t[]){1, 3, 3, 1});
        sl_set_ints(g, n, "pads", 4, (int64_t[]){1, 1, 1, 1});
        break;
    default:
        n = add(g, SL_OP_transpose, 1, &x);
        sl_set_ints(g, n, "perm", 4, (int64_t[]){0, 2, 1, 3});
        break;
    }
    *out = n;
}

static struct sl_graph *random_graph(sl_arena *a, uint32_t seed, int n_layers)
{
    enum { MOST = 64 };
    struct sl_node *pool[MOST];
    int n_pool = 0;
    state = seed;
    struct sl_graph *g = sl_graph_new(a, "net");
    g->inputs = SL_NEW_ARRAY(a, struct sl_port, 2);
    g->outputs = SL_NEW_ARRAY(a, struct sl_port, 2);
    for (int i = 0; i < 2; i++) {
        pool[n_pool] = add(g, SL_OP_input_layer, 0, NULL);
        pool[n_pool]->dtype = SL_F32;
        pool[n_pool]->shape = sl_shape_of(4, (int64_t[]){1, SIDE, SIDE, CHANNELS});
        g->inputs[g->n_inputs++] = port_of(pool[n_pool++]);
    }
    for (int i = 0; i < n_layers; i++) {
        struct sl_node *n;
        random_node(g, a, pool, n_pool, &n);
        if (n_pool < 5)
            pool[n_pool++] = n;
        else
            pool[next_random() % 5] = n;
    }
    for (int i = 0; i < 2; i++) {
        struct sl_node *n = add(g, SL_OP_output_layer, 1, &pool[n_pool - 1 - i]);
        g->outputs[g->n_outputs++] = port_of(n);
    }
    sl_err e = {0};
    if (sl_infer_all(g, &e) != SLUICE_OK) {
        fprintf(stderr, "%s\n", e.message);
        exit(1);
    }
    return g;
}

enum { VALUES = SIDE * SIDE * CHANNELS };

struct job { const struct sl_graph *g; int threads; bool keep_all; const void *inputs[2]; float out[2][VALUES]; };

static void *run_job(void *data)
{
    struct job *j = data;
    struct sl_float_run *r = NULL;
    sl_err e = {0};
    CHECK(sl_float_run_new(j->g, j->threads, j->keep_all, &r, &e) == SLUICE_OK);
    for (int frame = 0; frame < 2; frame++)
        CHECK(sl_float_run_frame(r, j->inputs, &e) == SLUICE_OK);
    for (int i = 0; i < 2; i++)
        memcpy(j->out[i], sl_float_run_output(r, i)->data, sizeof j->out[i]);
    sl_float_run_free(r);
    return NULL;
}

/* Every node again in plain C from the runner's own inputs of it. */
static void check_against_plain(const struct sl_graph *g, const void *const *inputs)
{
    struct sl_float_run *r = NULL;
    sl_err e = {0};
    CHECK(sl_float_run_new(g, 1, true, &r, &e) == SLUICE_OK);
    CHECK(sl_float_run_frame(r, inputs, &e) == SLUICE_OK);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        struct sl_tensor in[2], out = *sl_float_run_value(r, n);
        if (n->op != SL_OP_conv && n->op != SL_OP_dw)
            continue;
        sl_arena *a = sl_arena_new();
        struct sl_eval ev = {.scratch = a};
        const float *got = out.data;
        out.data = sl_arena_must_alloc(a, VALUES * sizeof(float));
        for (int k = 0; k < n->n_in; k++)
            in[k] = *sl_float_run_value(r, n->in[k]);
        CHECK(sl_plain_conv(&ev, n, in, &out, &e) == SLUICE_OK);
        for (size_t k = 0; k < VALUES; k++) {
            double want = (double)((const float *)out.data)[k];
            CHECK(fabs((double)got[k] - want) <= 1e-5 * (1 + fabs(want)));
        }
        sl_arena_free(a);
    }
    sl_float_run_free(r);
}

static void test_random_graph(uint32_t seed)
{
    sl_arena *a = sl_arena_new();
    const struct sl_graph *g = random_graph(a, seed, 30);
    struct job *jobs = calloc(4, sizeof *jobs);
    float *input[2];
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        input[i] = sl_arena_must_alloc(a, VALUES * sizeof(float));
        for (int k = 0; k < VALUES; k++)
            input[i][k] = random_value();
    }
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.g = g, .threads = i == 3 ? 2 : 1, .keep_all = i == 0, .inputs = {input[0], input[1]}};
        CHECK(pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < 4; i++)
        for (int k = 0; k < 2; k++)
            if (i < 3)
                CHECK(memcmp(jobs[0].out[k], jobs[i].out[k], sizeof jobs[0].out[k]) == 0);
            else
                for (int v = 0; v < VALUES; v++)
                    CHECK(fabsf(jobs[0].out[k][v] - jobs[i].out[k][v]) <= 1e-4f * (1 + fabsf(jobs[0].out[k][v])));
    check_against_plain(g, (const void *const *)input);
    free(jobs);
    sl_arena_free(a);
}

/* A long chain needs the memory of two tensors, not of all. */
static void test_plan_reuses(void)
{
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = sl_graph_new(a, "net");
    struct sl_float_plan plan;
    sl_err e = {0};
    struct sl_node *n = add(g, SL_OP_input_layer, 0, NULL);
    n->dtype = SL_F32;
    n->shape = sl_shape_of(2, (int64_t[]){1, 1024});
    for (int i = 0; i < 100; i++) {
        n = add(g, SL_OP_activation, 1, &n);
        sl_set_string(g, n, "type", "relu");
    }
    CHECK(sl_infer_all(g, &e) == SLUICE_OK);
    CHECK(sl_float_plan(a, g, false, &plan, &e) == SLUICE_OK);
    CHECK(plan.bytes == 2 * 4096);
    CHECK(sl_float_plan(a, g, true, &plan, &e) == SLUICE_OK);
    CHECK(plan.bytes == 101 * 4096);
    sl_arena_free(a);
}

/* A constant with one value stays one through moves and arithmetic; a huge one is never written out. */
static void test_fold_keeps_splats(void)
{
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = sl_graph_new(a, "net");
    const struct sl_const *out;
    sl_err e = {0};
    float three = 3;
    struct sl_shape s = sl_shape_of(1, (int64_t[]){1});
    struct sl_node *c = add(g, SL_OP_const_input, 0, NULL);
    sl_set_param(g, c, "data", sl_const_splat(a, SL_F32, &s, &three));
    struct sl_node *wide = add(g, SL_OP_expand, 1, &c);
    sl_set_ints(g, wide, "shape", 2, (int64_t[]){1 << 20, 1 << 20});
    CHECK(sl_infer_all(g, &e) == SLUICE_OK);
    CHECK(sl_fold_node(a, wide, &out, &e) == SLUICE_OK);
    CHECK(out->splat && out->shape.dim[1] == 1 << 20 && *(const float *)out->data == 3);
    struct sl_node *folded = add(g, SL_OP_const_input, 0, NULL), *both[2] = {folded, c};
    sl_set_param(g, folded, "data", out);
    struct sl_node *product = add(g, SL_OP_ew_mult, 2, both);
    CHECK(sl_infer_all(g, &e) == SLUICE_OK);
    CHECK(sl_fold_node(a, product, &out, &e) == SLUICE_OK);
    CHECK(out->splat && *(const float *)out->data == 9);
    sl_arena_free(a);
}

int main(void)
{
    test_plan_reuses();
    test_fold_keeps_splats();
    for (uint32_t seed = 1; seed <= 20; seed++)
        test_random_graph(seed);
    return 0;
}
