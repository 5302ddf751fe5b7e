/* case_file.c: reads the op cases of tests/ops/cases; see case_file.h. */
#include "case_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ops/values.h"

struct cursor { const char *path, *at; char word[256]; int line; };

static void wrong(const struct cursor *c, const char *what)
{
    fprintf(stderr, "%s:%d: %s near '%s'\n", c->path, c->line, what, c->word);
    exit(1);
}

/* Next word of the line; false at its end. */
static bool next_word(struct cursor *c)
{
    size_t n = 0;
    while (*c->at == ' ')
        c->at++;
    while (*c->at && *c->at != ' ' && *c->at != '\n') {
        if (n + 1 >= sizeof c->word)
            wrong(c, "word too long");
        c->word[n++] = *c->at++;
    }
    c->word[n] = 0;
    return n > 0;
}

static const char *need_word(struct cursor *c)
{
    if (!next_word(c))
        wrong(c, "a word is missing");
    return c->word;
}

static const char *rest_of_line(struct cursor *c, sl_arena *a)
{
    while (*c->at == ' ')
        c->at++;
    const char *end = strchr(c->at, '\n');
    const char *text = sl_arena_strndup(a, c->at, (size_t)(end - c->at));
    c->at = end;
    return text;
}

static struct sl_shape read_shape(struct cursor *c)
{
    struct sl_shape s = {0};
    const char *p = need_word(c);
    if (strcmp(p, "scalar") == 0)
        return s;
    for (;;) {
        char *end;
        s.dim[s.rank++] = strtoll(p, &end, 10);
        if (*end == 0)
            return s;
        if (*end != 'x' || s.rank == SL_MAX_RANK)
            wrong(c, "bad shape");
        p = end + 1;
    }
}

static void store(struct op_values *v, size_t i, const char *word)
{
    if (sl_is_float_class(v->dtype))
        ((float *)v->data)[i] = strtof(word, NULL);
    else
        ((int64_t *)v->data)[i] = word[0] == '-' ? strtoll(word, NULL, 10) : (int64_t)strtoull(word, NULL, 10);
}

static struct op_values read_values(struct cursor *c, sl_arena *a, bool *splat)
{
    struct op_values v = {0};
    size_t count;
    *splat = strcmp(need_word(c), "splat") == 0;
    v.dtype = sl_dtype_from_name(*splat ? need_word(c) : c->word);
    if (v.dtype == SL_NONE)
        wrong(c, "unknown type");
    v.shape = read_shape(c);
    if (!next_word(c) && (!sl_shape_count(&v.shape, &count) || count > 0))
        return v;
    if (!sl_shape_count(&v.shape, &count))
        wrong(c, "bad shape");
    count = *splat ? 1 : count;
    v.data = sl_arena_must_alloc(a, count * sl_class_bytes(v.dtype) + 8);
    for (size_t i = 0; i < count; i++) {
        store(&v, i, c->word);
        if (i + 1 < count)
            need_word(c);
    }
    return v;
}

static void read_attr(struct cursor *c, sl_arena *a, struct op_case *k)
{
    int64_t i[64];
    double f[64];
    int n = 0;
    const char *name = sl_arena_strdup(a, need_word(c)), *kind = sl_arena_strdup(a, need_word(c));
    if (kind[0] == 's') {
        sl_set_string(k->graph, k->node, name, rest_of_line(c, a));
        return;
    }
    for (; n < 64 && next_word(c); n++) {
        i[n] = strtoll(c->word, NULL, 10);
        f[n] = strtod(c->word, NULL);
    }
    if (kind[1] == 'l')
        kind[0] == 'i' ? sl_set_ints(k->graph, k->node, name, n, i) : sl_set_floats(k->graph, k->node, name, n, f);
    else
        kind[0] == 'i' ? sl_set_int(k->graph, k->node, name, i[0]) : sl_set_float(k->graph, k->node, name, f[0]);
}

static void read_param(struct cursor *c, sl_arena *a, struct op_case *k)
{
    bool splat;
    void *data;
    uint64_t element = 0;
    const char *name = sl_arena_strdup(a, need_word(c));
    struct op_values v = read_values(c, a, &splat);
    const struct sl_const *value;
    if (splat) {
        sl_values_pack(v.dtype, v.data, 1, &element);
        value = sl_const_splat(a, v.dtype, &v.shape, &element);
    } else {
        value = sl_const_new(a, v.dtype, &v.shape, &data);
        if (v.data)
            sl_values_pack(v.dtype, v.data, sl_shape_elements(&v.shape), data);
    }
    sl_set_param(k->graph, k->node, name, value);
}

static struct sl_port port_of(const char *name, struct sl_node *n)
{
    struct sl_port p = {.origin_name = name, .node = n, .origin_dtype = n->dtype, .origin_shape = n->shape};
    for (int i = 0; i < SL_MAX_RANK; i++)
        p.perm[i] = i;
    return p;
}

/* The graph is finished when the inputs are known: nodes were made with none. */
static void connect(sl_arena *a, struct op_case *k)
{
    struct sl_graph *g = sl_graph_new(a, "case");
    struct sl_node *in[16], *lone = k->node;
    g->inputs = SL_NEW_ARRAY(a, struct sl_port, k->n_in + 1);
    for (int i = 0; i < k->n_in; i++) {
        size_t count;
        bool empty = sl_shape_count(&k->in[i].shape, &count) && count == 0; /* no network has such an input, constants may be */
        in[i] = sl_graph_add(g, empty ? SL_OP_const_input : SL_OP_input_layer, 0, NULL);
        in[i]->name = sl_arena_printf(a, "%s%d", empty ? "const_input" : "input_layer", i + 1);
        in[i]->dtype = k->in[i].dtype;
        in[i]->shape = k->in[i].shape;
        if (empty) {
            void *data;
            sl_set_param(g, in[i], "data", sl_const_new(a, in[i]->dtype, &in[i]->shape, &data));
            continue;
        }
        g->inputs[g->n_inputs++] = port_of(in[i]->name, in[i]);
    }
    k->node = sl_graph_add(g, lone->op, k->n_in, in);
    k->node->name = "node";
    k->node->n_attrs = lone->n_attrs;
    k->node->attrs = lone->attrs;
    k->node->n_params = lone->n_params;
    k->node->params = lone->params;
    struct sl_node *out = sl_graph_add(g, SL_OP_output_layer, 1, &k->node);
    out->name = "output_layer1";
    g->outputs = SL_NEW_ARRAY(a, struct sl_port, 1);
    out->dtype = k->out.dtype; /* what is expected; the shape rule has its own say */
    out->shape = k->out.shape;
    g->outputs[g->n_outputs++] = port_of("out", out);
    k->graph = g;
}

static void read_line(struct cursor *c, sl_arena *a, struct op_case *k)
{
    bool splat;
    enum sl_op op;
    if (strcmp(c->word, "op") == 0) {
        if (!sl_op_from_name(need_word(c), &op))
            wrong(c, "unknown op");
        k->graph = sl_graph_new(a, "case");
        k->node = sl_graph_add(k->graph, op, 0, NULL);
    } else if (strcmp(c->word, "attr") == 0) {
        read_attr(c, a, k);
    } else if (strcmp(c->word, "param") == 0) {
        read_param(c, a, k);
    } else if (strcmp(c->word, "in") == 0) {
        k->in[k->n_in++] = read_values(c, a, &splat);
    } else if (strcmp(c->word, "out") == 0) {
        k->out = read_values(c, a, &splat);
    } else if (strcmp(c->word, "tolerance") == 0) {
        k->tolerance = strtod(need_word(c), NULL);
    } else if (strcmp(c->word, "error") == 0) {
        k->error = rest_of_line(c, a);
    } else {
        wrong(c, "unknown item");
    }
}

struct op_case *read_cases(sl_arena *a, const char *path, int *count)
{
    enum { MOST = 4096 };
    struct op_case *cases = SL_NEW_ARRAY(a, struct op_case, MOST);
    struct sl_view file;
    sl_err e = {0};
    if (sl_map_file(a, path, &file, &e) != SLUICE_OK) {
        fprintf(stderr, "%s\n", e.message);
        exit(1);
    }
    struct cursor c = {.path = path, .at = sl_arena_strndup(a, (const char *)file.data, file.size), .line = 1};
    for (*count = 0; *c.at; c.at += *c.at == '\n', c.line++) {
        if (*c.at == '#')
            rest_of_line(&c, a);
        if (!next_word(&c))
            continue;
        if (strcmp(c.word, "case") == 0 && *count < MOST)
            cases[(*count)++] = (struct op_case){.name = rest_of_line(&c, a), .tolerance = 1e-5};
        else
            read_line(&c, a, &cases[*count - 1]);
        if (next_word(&c))
            wrong(&c, "too many words");
    }
    for (int i = 0; i < *count; i++)
        connect(a, &cases[i]);
    return cases;
}
