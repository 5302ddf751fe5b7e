/* nms_nets.h: small networks with detection heads, for test_nms_heads.c and test_nms_values.c. */
#ifndef SL_TEST_NMS_NETS_H
#define SL_TEST_NMS_NETS_H

#include "unit.h"

#include <inttypes.h>

#include "base/compiler.h"
#include "base/json.h"
#include "front/nms_heads.h"
#include "ir/name.h"
#include "ir/text.h"

struct net {
    sl_arena *a;
    struct sl_graph *g;
    int64_t h, w;
    int n; /* head convolutions */
    struct sl_node *conv[64];
    char origin[32];
};

static inline struct sl_node *add(struct net *t, enum sl_op op, int n_in, struct sl_node *const *in, int rank,
                                  const int64_t *dims)
{
    struct sl_node *n = sl_graph_add(t->g, op, n_in, in);
    n->dtype = SL_F32;
    n->shape.rank = rank;
    for (int i = 0; i < rank; i++)
        n->shape.dim[i] = dims[i];
    return n;
}

static inline struct sl_node *same(struct net *t, enum sl_op op, struct sl_node *in)
{
    return add(t, op, 1, &in, in->shape.rank, in->shape.dim);
}

static inline struct sl_node *curve(struct net *t, struct sl_node *in, const char *type)
{
    struct sl_node *n = same(t, SL_OP_activation, in);
    sl_set_string(t->g, n, "type", type);
    return n;
}

static inline struct sl_node *conv(struct net *t, struct sl_node *in, int64_t h, int64_t w, int64_t kernel, int64_t channels)
{
    static const float zero = 0;
    struct sl_shape s = {4, {kernel, kernel, in->shape.dim[3], channels}};
    struct sl_node *n = add(t, SL_OP_conv, 1, &in, 4, (int64_t[]){1, h, w, channels});
    sl_set_param(t->g, n, "kernel", sl_const_splat(t->a, SL_F32, &s, &zero));
    return n;
}

static inline struct sl_node *constant(struct net *t, int rank, const int64_t *dims, const float *data)
{
    struct sl_node *n = add(t, SL_OP_const_input, 0, NULL, rank, dims);
    sl_set_param(
        t->g, n, "data",
        sl_const_view(t->a, SL_F32, &n->shape, sl_arena_memdup(t->a, data, sl_shape_elements(&n->shape) * sizeof *data)));
    return n;
}

static inline struct sl_node *with(struct net *t, enum sl_op op, struct sl_node *x, struct sl_node *y)
{
    return add(t, op, 2, (struct sl_node *[]){x, y}, x->shape.rank, x->shape.dim);
}

static inline struct sl_node *scaled(struct net *t, enum sl_op op, struct sl_node *x, float v)
{
    return with(t, op, x, constant(t, 0, NULL, &v));
}

/* Channels from..to of the last axis. */
static inline struct sl_node *part(struct net *t, struct sl_node *in, int64_t from, int64_t to)
{
    int64_t starts[SL_MAX_RANK] = {0};
    int last = in->shape.rank - 1;
    struct sl_node *n = same(t, SL_OP_slice, in);
    starts[last] = from;
    n->shape.dim[last] = to - from;
    sl_set_ints(t->g, n, "starts", last + 1, starts);
    return n;
}

static inline struct sl_node *reshaped(struct net *t, struct sl_node *in, int rank, const int64_t *dims)
{
    return add(t, SL_OP_reshape, 1, &in, rank, dims);
}

static inline void output(struct net *t, struct sl_node *in)
{
    struct sl_node *n = same(t, SL_OP_output_layer, in);
    struct sl_port *ports = SL_NEW_ARRAY(t->a, struct sl_port, (size_t)t->g->n_outputs + 1);
    if (t->g->n_outputs)
        memcpy(ports, t->g->outputs, (size_t)t->g->n_outputs * sizeof *ports);
    ports[t->g->n_outputs++] = (struct sl_port){.origin_name = "out", .node = n};
    t->g->outputs = ports;
}

/*
 * "640x640 80x80 64 80s 40x40 ...": the picture, then scales with the channels of their convolutions. A letter behind them: s
 * sigmoid, u SiLU, c cosine, e exp, m reshape and softmax, p reshape and sigmoid, each at the output; r: the convolution before
 * is 3x3; d: a depthwise one.
 */
static inline struct net build(const char *text)
{
    struct net t = {.a = sl_arena_new()};
    int64_t h, w, c, at_h = 0, at_w = 0;
    int used;
    struct sl_node *input = NULL;
    t.g = sl_graph_new(t.a, "net");
    for (const char *p = text; *p; p += used + (int)strspn(p + used, " ")) {
        if (sscanf(p, "%" SCNd64 "x%" SCNd64 "%n", &h, &w, &used) == 2) {
            at_h = h;
            at_w = w;
            if (!input) {
                input = add(&t, SL_OP_input_layer, 0, NULL, 4, (int64_t[]){1, h, w, 3});
                t.g->inputs = SL_NEW(t.a, struct sl_port);
                t.g->inputs[0] = (struct sl_port){.origin_name = "in", .node = input};
                t.g->n_inputs = 1;
                t.h = h;
                t.w = w;
            }
            continue;
        }
        assert_int_equal(sscanf(p, "%" SCNd64 "%n", &c, &used), 1);
        char kind = strchr("sucemprd", p[used]) && p[used] ? p[used++] : 0;
        struct sl_node *n = conv(&t, curve(&t, conv(&t, input, at_h, at_w, kind == 'r' ? 3 : 1, 8), "silu"), at_h, at_w, 1, c);
        snprintf(t.origin, sizeof t.origin, "head%d", t.n);
        n->op = kind == 'd' ? SL_OP_dw : SL_OP_conv;
        sl_node_add_origin(t.a, n, sl_arena_strdup(t.a, t.origin));
        t.conv[t.n++] = n;
        if (kind == 's' || kind == 'u' || kind == 'c' || kind == 'e')
            n = curve(&t, n, kind == 's' ? "sigmoid" : kind == 'u' ? "silu" : kind == 'c' ? "cos" : "exp");
        if (kind == 'p')
            n = curve(&t, reshaped(&t, n, 3, (int64_t[]){1, at_h * at_w, c}), "sigmoid");
        if (kind == 'm')
            n = same(&t, SL_OP_softmax, reshaped(&t, n, 3, (int64_t[]){1, at_h * at_w, c}));
        output(&t, n);
    }
    return t;
}

/* Names layers; true and a configuration where a head is found. */
static inline bool find(struct net *t, const struct sl_nms_facts *facts, struct sl_nms_head *head)
{
    sl_graph_renumber(t->g);
    OK(sl_assign_names(t->g, &e));
    return sl_find_nms_head(t->g, facts, NULL, t->a, head);
}

static inline json_t *json_of(const struct sl_nms_head *head)
{
    json_t *j = NULL;
    assert_non_null(head->json);
    OK(sl_json_parse((struct sl_view){(const uint8_t *)head->json, strlen(head->json)}, &j, &e));
    return j;
}

#define THREE(heads) "640x640 80x80 " heads " 40x40 " heads " 20x20 " heads
#define FOUR(heads)  "1280x1280 160x160 " heads " 80x80 " heads " 40x40 " heads " 20x20 " heads
#define FIVE(heads)  "160x160 20x20 " heads " 10x10 " heads " 5x5 " heads " 3x3 " heads " 2x2 " heads
#define FINE(heads)  "640x640 160x160 " heads " 80x80 " heads " 40x40 " heads " 20x20 " heads

static inline double number_at(const json_t *j, size_t decoder, const char *key, size_t i)
{
    return json_number_value(
        json_array_get(json_object_get(json_array_get(json_object_get(j, "bbox_decoders"), decoder), key), i));
}

static inline const char *text_at(const json_t *j, size_t decoder, const char *key)
{
    const char *s = json_string_value(json_object_get(json_array_get(json_object_get(j, "bbox_decoders"), decoder), key));
    return s ? s : "";
}

static inline double top(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    assert_non_null(v);
    return json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
}

#endif
