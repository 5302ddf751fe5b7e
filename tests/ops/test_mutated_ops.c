/* test_mutated_ops.c: the op cases with attributes, input shapes and parameters changed at random: the shape rule gives one clear error,
 * or a shape that evaluation fills. Meant for a build with sanitizers. A failure prints the case and its number. */
#include <stdio.h>
#include <string.h>

#include "case_file.h"
#include "ops/float_run.h"
#include "ops/op_rules.h"
#include "ops/values.h"

enum { MUTATIONS = 60 };
static const size_t MOST_VALUES = 20000;
static const int64_t MOST_WORK = 2000000;

static uint32_t state = 1;

static uint32_t pick(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static int64_t odd_number(void)
{
    static const int64_t values[] = {0, 1, 2, 3, 5, -1, -2, -3, 1 << 20, (1 << 20) + 1, 2147483647, -2147483647 - 1, (int64_t)1 << 45,
                                     INT64_MAX, INT64_MIN, 4, 8, 16};
    return values[pick(SL_COUNT(values))];
}

static void mutate_attribute(struct sl_graph *g, struct sl_node *n)
{
    if (n->n_attrs == 0)
        return;
    const struct sl_attr *a = &n->attrs[pick((uint32_t)n->n_attrs)];
    int64_t v[64];
    if (pick(8) == 0) {
        sl_remove_attr(n, a->name);
    } else if (a->kind == SL_ATTR_INTS && a->n > 0) {
        memcpy(v, a->i, (size_t)SL_MIN(a->n, 64) * sizeof *v);
        v[pick((uint32_t)SL_MIN(a->n, 64))] = odd_number();
        sl_set_ints(g, n, a->name, SL_MAX(SL_MIN(a->n, 64) - (pick(6) == 0), 0), v);
    } else if (a->kind == SL_ATTR_FLOATS) {
        sl_set_float(g, n, a->name, (double)odd_number());
    } else {
        sl_set_string(g, n, a->name, "other");
    }
}

static void mutate_shape(struct sl_shape *s)
{
    if (pick(5) == 0)
        s->rank = (int)pick(SL_MAX_RANK + 1);
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] == 0)
            s->dim[i] = pick(4);
    if (s->rank > 0) {
        int64_t v = odd_number();
        s->dim[pick((uint32_t)s->rank)] = v < 0 ? 1 : v;
    }
}

static void mutate_param(sl_arena *a, struct sl_graph *g, struct sl_node *n)
{
    if (n->n_params == 0)
        return;
    const struct sl_param *p = &n->params[pick((uint32_t)n->n_params)];
    struct sl_shape s = p->value->shape;
    size_t count;
    double element = 1;
    mutate_shape(&s);
    if (pick(6) == 0)
        sl_remove_param(n, p->name);
    else if (sl_shape_count(&s, &count))
        sl_set_param(g, n, p->name, sl_const_splat(a, p->value->dtype, &s, &element));
}

/* The node with constants for inputs; false where they are too large to be written out. */
static bool fill_inputs(sl_arena *a, const struct op_case *k, struct sl_node *sources, struct sl_node **in)
{
    for (int i = 0; i < k->n_in; i++) {
        size_t count;
        void *data;
        sources[i] = *k->node->in[i];
        if (!sl_shape_count(&sources[i].shape, &count) || count > MOST_VALUES)
            return false;
        const struct sl_const *c = sl_const_new(a, sources[i].dtype, &sources[i].shape, &data);
        size_t known = sl_shape_elements(&k->in[i].shape);
        if (count > 0 && known > 0 && k->in[i].data)
            sl_values_pack(sources[i].dtype, k->in[i].data, SL_MIN(count, known), data);
        sources[i].op = SL_OP_const_input;
        sources[i].params = SL_NEW(a, struct sl_param);
        sources[i].params[0] = (struct sl_param){"data", c};
        sources[i].n_params = 1;
        in[i] = &sources[i];
    }
    return true;
}

static int64_t work_of(const struct sl_node *n)
{
    int64_t work = sl_op_row(n->op)->cost(n);
    for (int i = 0; i < n->n_params; i++)
        work = SL_MAX(work, (int64_t)SL_MIN(sl_shape_elements(&n->params[i].value->shape), (size_t)INT64_MAX));
    return work;
}

static bool check_mutation(const char *path, int index, int mutation)
{
    sl_arena *a = sl_arena_new();
    sl_err e = {0};
    int count;
    bool good = true;
    struct sl_node sources[16], *in[16];
    /* read again: mutations of one case do not add up */
    struct op_case *k = &read_cases(a, path, &count)[index];
    state = (uint32_t)(index * MUTATIONS + mutation + 1) * 2654435761u;
    for (uint32_t i = 1 + pick(2); i > 0; i--) {
        uint32_t what = pick(4);
        if (what <= 1)
            mutate_attribute(k->graph, k->node);
        else if (what == 2 && k->n_in > 0)
            mutate_shape(&k->node->in[pick((uint32_t)k->n_in)]->shape);
        else
            mutate_param(a, k->graph, k->node);
    }
    size_t values;
    for (int i = 0; i < k->n_in; i++)
        if (!sl_shape_count(&k->node->in[i]->shape, &values)) /* no node has such an output */
            k->node->in[i]->shape = k->in[i].shape;
    sluice_status s = sl_infer(k->graph, k->node, &e);
    if (s != SLUICE_OK) {
        good = e.message[0] != 0;
    } else if (fill_inputs(a, k, sources, in) && sl_shape_elements(&k->node->shape) <= MOST_VALUES && work_of(k->node) <= MOST_WORK) {
        const struct sl_const *out;
        struct sl_node n = *k->node;
        n.in = in;
        if (sl_fold_node(a, &n, &out, &e) == SLUICE_OK)
            good = sl_shape_equal(&out->shape, &n.shape) && out->dtype == n.dtype;
        else
            good = e.code == SLUICE_E_VALUE || e.code == SLUICE_E_LIMIT || e.code == SLUICE_E_MEMORY;
    }
    if (!good)
        printf("FAIL %s, mutation %d of case '%s': %s\n", path, mutation, k->name, e.message);
    sl_arena_free(a);
    return good;
}

int main(int argc, char **argv)
{
    int bad = 0, total = 0;
    for (int f = 1; f < argc; f++) {
        sl_arena *a = sl_arena_new();
        int count;
        read_cases(a, argv[f], &count);
        sl_arena_free(a);
        int every = SL_MAX(count / 12, 1); /* a dozen cases a file: reading it again costs */
        for (int i = 0; i < count; i += every)
            for (int m = 0; m < MUTATIONS; m++, total++)
                bad += !check_mutation(argv[f], i, m);
    }
    printf("%d mutations, %d failures\n", total, bad);
    return bad > 0;
}
