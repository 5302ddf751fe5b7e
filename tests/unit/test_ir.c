/* test_ir.c: building, changing, ordering, copying and verifying graphs; attributes, parameters and constants. */
#include "base/reader.h"
#include "ir/ir.h"
#include "ir/uses.h"
#include "unit.h"

static struct sl_shape shape4(int64_t h, int64_t w, int64_t c)
{
    return sl_shape_of(4, (int64_t[]){1, h, w, c});
}

static struct sl_node *add(struct sl_graph *g, enum sl_op op, int n_in, struct sl_node *const *in, const char *name)
{
    struct sl_node *n = sl_graph_add(g, op, n_in, in);
    n->name = name;
    n->dtype = SL_F32;
    n->shape = shape4(4, 4, 2);
    return n;
}

static void set_ports(struct sl_graph *g, struct sl_node *in, struct sl_node *out)
{
    const struct sl_port port = {.origin_dtype = SL_F32, .origin_shape = shape4(4, 4, 2), .perm = {0, 1, 2, 3}};
    g->inputs = sl_arena_memdup(g->arena, &port, sizeof port);
    g->outputs = sl_arena_memdup(g->arena, &port, sizeof port);
    g->n_inputs = g->n_outputs = 1;
    g->inputs[0].node = in;
    g->inputs[0].origin_name = "images";
    g->outputs[0].node = out;
    g->outputs[0].origin_name = "scores";
}

/* input -> relu -> add(input, relu) -> output */
static struct sl_graph *small(sl_arena *a)
{
    struct sl_graph *g = sl_graph_new(a, "net");
    struct sl_node *x = add(g, SL_OP_input_layer, 0, NULL, "input_layer1");
    struct sl_node *r = add(g, SL_OP_activation, 1, &x, "activation1");
    struct sl_node *s = add(g, SL_OP_ew_add, 2, (struct sl_node *[]){x, r}, "ew_add1");
    struct sl_node *o = add(g, SL_OP_output_layer, 1, &s, "output_layer1");
    sl_set_string(g, r, "type", "relu");
    sl_node_add_origin(a, r, "/net/Relu");
    sl_node_add_origin(a, s, "/net/Add");
    sl_node_add_origin(a, o, "scores");
    set_ports(g, x, o);
    return g;
}

static void build_and_change(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = small(a);
    struct sl_node *x = g->nodes[0], *r = g->nodes[1], *s = g->nodes[2], *o = g->nodes[3];
    OK(sl_graph_verify(g, &e));
    assert_int_equal(sl_graph_count_uses(g, x), 2);

    struct sl_node *q = sl_graph_insert_after(g, r, SL_OP_requantize, 1, &r);
    sl_graph_replace_uses(g, r, q); /* q itself goes on reading r */
    assert_ptr_equal(q->in[0], r);
    assert_ptr_equal(s->in[1], q);
    struct sl_node *b = sl_graph_insert_before(g, s, SL_OP_activation, 1, &x); /* s's index is stale here */
    sl_graph_renumber(g);
    assert_int_equal(q->index, 2);
    assert_int_equal(b->index, 3);
    assert_int_equal(s->index, 4);
    assert_int_equal(o->index, 5);

    sl_graph_remove_dead(g); /* b is read by nobody */
    assert_int_equal(g->n_nodes, 5);
    assert_int_equal(sl_graph_count_uses(g, b), 0);
    s->in[1] = x;
    sl_graph_remove_dead(g);
    assert_int_equal(g->n_nodes, 3);
    assert_int_equal(o->index, 2);
    OK(sl_graph_verify(g, &e));
    sl_arena_free(a);
}

static void finds_by_every_name(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = small(a);
    assert_ptr_equal(sl_graph_find(g, "ew_add1"), g->nodes[2]);
    assert_ptr_equal(sl_graph_find(g, "net/ew_add1"), g->nodes[2]);
    assert_ptr_equal(sl_graph_find(g, "/net/Add"), g->nodes[2]);
    assert_ptr_equal(sl_graph_find(g, "scores"), g->nodes[3]);
    assert_null(sl_graph_find(g, "other/ew_add1"));
    assert_null(sl_graph_find(g, ""));
    sl_node_add_origin(a, g->nodes[2], "scores"); /* a node that computes it comes before the output layer */
    assert_ptr_equal(sl_graph_find(g, "scores"), g->nodes[2]);
    sl_node_take_origins(a, g->nodes[2], g->nodes[1]);
    sl_node_take_origins(a, g->nodes[2], g->nodes[1]);
    assert_int_equal(g->nodes[2]->n_origins, 3);
    assert_string_equal(sl_node_text(g->nodes[2]), "net/ew_add1");
    g->nodes[1]->name = "";
    assert_string_equal(sl_node_text(g->nodes[1]), "/net/Relu");
    sl_arena_free(a);
}

static void attributes(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = small(a);
    struct sl_node *n = g->nodes[1];
    int64_t v[4] = {1, 2, 2, 1}, got[4];
    sl_set_ints(g, n, "strides", 4, v);
    sl_set_int(g, n, "groups", 8);
    sl_set_float(g, n, "alpha", 0.1);
    v[0] = 99; /* values are copied */
    assert_true(sl_get_ints(n, "strides", 4, got));
    assert_int_equal(got[0], 1);
    assert_false(sl_get_ints(n, "strides", 2, got));
    assert_false(sl_get_ints(n, "alpha", 1, got));
    assert_int_equal(sl_get_int(n, "groups", 1), 8);
    assert_int_equal(sl_get_int(n, "absent", 7), 7);
    assert_true(sl_get_float(n, "alpha", 0) == 0.1);
    assert_true(sl_get_float(n, "groups", 0) == 8.0);
    assert_string_equal(sl_get_string(n, "type", ""), "relu");
    sl_set_ints(g, n, "strides", 2, sl_attr(n, "strides")->i + 1); /* its own old value */
    assert_true(sl_get_ints(n, "strides", 2, got));
    assert_int_equal(got[1], 2);
    assert_false(sl_attr(n, "groups")->list);
    for (int i = 0; i < 40; i++)
        sl_set_int(g, n, sl_arena_printf(a, "k%d", i), i);
    sl_remove_attr(n, "k3");
    sl_remove_attr(n, "k3");
    assert_null(sl_attr(n, "k3"));
    assert_int_equal(sl_get_int(n, "k39", -1), 39);
    assert_int_equal(n->n_attrs, 4 + 39);
    sl_arena_free(a);
}

static void constants(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_shape s = sl_shape_of(2, (int64_t[]){3, 5});
    const float half = 0.5f;
    const uint8_t nibble = 0xfd; /* the high one says nothing */
    void *data;
    const struct sl_const *c = sl_const_splat(a, SL_F32, &s, &half);
    const float *dense = sl_const_dense(a, c);
    for (int i = 0; i < 15; i++)
        assert_true(dense[i] == 0.5f);
    const struct sl_const *n = sl_const_splat(a, SL_S4, &s, &nibble);
    const uint8_t *packed = sl_const_dense(a, n);
    for (int i = 0; i < 7; i++)
        assert_int_equal(packed[i], 0xdd);
    assert_int_equal(packed[7], 0x0d); /* 15 elements: the last nibble is unused */
    const uint8_t clean = 0x0d;
    assert_true(sl_const_hash(n) == sl_const_hash(sl_const_splat(a, SL_S4, &s, &clean)));
    const struct sl_const *written = sl_const_new(a, SL_F32, &s, &data);
    assert_int_equal((uintptr_t)data % 64, 0);
    memcpy(data, dense, 60);
    assert_true(sl_const_hash(written) == sl_const_hash(sl_const_view(a, SL_F32, &s, dense)));
    assert_true(sl_const_hash(written) != sl_const_hash(c));
    assert_true(sl_const_hash(written) != sl_const_hash(sl_const_view(a, SL_S32, &s, dense)));
    assert_null(sl_const_new(a, SL_F32, &(struct sl_shape){.rank = 1, .dim = {-1}}, &data));
    sl_arena_set_limit(a, sl_arena_bytes(a) + 1000);
    assert_null(sl_const_new(a, SL_F32, &(struct sl_shape){.rank = 1, .dim = {1 << 20}}, &data));
    sl_arena_free(a);
}

static void sorts_and_finds_cycles(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = small(a);
    struct sl_node *x = g->nodes[0], *r = g->nodes[1], *s = g->nodes[2];
    g->nodes[0] = s;
    g->nodes[2] = x;
    OK(sl_graph_sort(g, &e));
    assert_ptr_equal(g->nodes[0], x);
    assert_ptr_equal(g->nodes[1], r);
    assert_ptr_equal(g->nodes[2], s);
    assert_int_equal(s->index, 2);
    r->in[0] = s;
    FAILS(sl_graph_sort(g, &e), SLUICE_E_FORMAT, "cycle");
    sl_arena *other = sl_arena_new();
    r->in[0] = small(other)->nodes[0];
    FAILS(sl_graph_sort(g, &e), SLUICE_E_FORMAT, "is not in the graph");
    sl_arena_free(other);
    sl_arena_free(a);
}

static void copies_into_another_arena(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new(), *b = sl_arena_new();
    struct sl_graph *g = small(a), *same = sl_graph_copy(g, a), *c = sl_graph_copy(g, b);
    assert_ptr_equal(same->nodes[1]->name, g->nodes[1]->name);
    sl_set_int(same, same->nodes[1], "alpha", 3);
    assert_null(sl_attr(g->nodes[1], "alpha"));
    sl_arena_free(a);
    OK(sl_graph_verify(c, &e));
    assert_string_equal(sl_get_string(c->nodes[1], "type", ""), "relu");
    assert_string_equal(c->outputs[0].origin_name, "scores");
    assert_ptr_equal(c->outputs[0].node, c->nodes[3]);
    assert_ptr_equal(c->nodes[2]->in[1], c->nodes[1]);
    for (int i = 0; i < 10; i++) /* a copy's arrays may grow */
        sl_set_int(c, c->nodes[1], sl_arena_printf(b, "k%d", i), i);
    OK(sl_graph_verify(c, &e));
    sl_arena_free(b);
}

static void verify_names_the_defect(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = small(a);
    struct sl_node *r = g->nodes[1], *s = g->nodes[2];
    g->nodes[1]->name = "ew_add1";
    FAILS(sl_graph_verify(g, &e), SLUICE_E_FORMAT, "layer 'net/ew_add1': another layer has the same name");
    g->nodes[1]->name = "activation1";
    s->n_in = 1;
    FAILS(sl_graph_verify(g, &e), SLUICE_E_FORMAT, "ew_add has 1 inputs");
    s->n_in = 2;
    r->in[0] = s;
    FAILS(sl_graph_verify(g, &e), SLUICE_E_FORMAT, "input 0 does not come before it");
    r->in[0] = g->nodes[0];
    r->quant = (struct sl_quant){.dtype = SL_U8, .scale = 0.1f, .zero_point = 256};
    FAILS(sl_graph_verify(g, &e), SLUICE_E_VALUE, "zero point 256 is not in 0..255");
    r->quant = (struct sl_quant){.dtype = SL_U8, .scale = -1.0f};
    FAILS(sl_graph_verify(g, &e), SLUICE_E_VALUE, "scale -1");
    r->quant = (struct sl_quant){.dtype = SL_U8, .n_scales = 2, .scales = (float[]){0.1f, 0.2f}};
    OK(sl_graph_verify(g, &e));
    r->quant.dtype = SL_NONE;
    struct sl_const bad = {.dtype = SL_F32, .shape = shape4(1, 1, 2), .data = "", .bytes = 4};
    sl_set_param(g, r, "p", &bad);
    FAILS(sl_graph_verify(g, &e), SLUICE_E_SHAPE, "parameter 'p': 4 bytes, where f32 [1, 1, 1, 2] takes 8");
    sl_remove_param(r, "p");
    g->inputs[0].perm[1] = 2;
    FAILS(sl_graph_verify(g, &e), SLUICE_E_FORMAT, "input 'images': its axis order is not a permutation");
    g->inputs[0].perm[1] = 1;
    g->inputs[0].origin_shape = shape4(4, 4, 3);
    FAILS(sl_graph_verify(g, &e), SLUICE_E_SHAPE, "does not hold as many elements");
    g->n_inputs = 0;
    FAILS(sl_graph_verify(g, &e), SLUICE_E_FORMAT, "'net/input_layer1' is not among");
    sl_arena_free(a);
}

/* Adding, sorting, copying and removing 100,000 nodes must not take a square of it: the test's timeout is the check. */
static void large_graphs(void **state)
{
    (void)state;
    enum { N = 100000 };
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = sl_graph_new(a, "net");
    struct sl_node *x = add(g, SL_OP_input_layer, 0, NULL, "input_layer1"), *first = x;
    for (int i = 0; i < N; i++)
        x = add(g, SL_OP_activation, 1, &x, sl_arena_printf(a, "activation%d", i));
    set_ports(g, first, add(g, SL_OP_output_layer, 1, &x, "output_layer1"));
    for (int i = 1; i <= N / 2; i++) { /* turn the chain's storage round */
        struct sl_node *saved = g->nodes[i];
        g->nodes[i] = g->nodes[N + 1 - i];
        g->nodes[N + 1 - i] = saved;
    }
    OK(sl_graph_sort(g, &e));
    OK(sl_graph_verify(g, &e));
    struct sl_graph *c = sl_graph_copy(g, a);
    c->nodes[N + 1]->in[0] = c->nodes[1];
    sl_graph_remove_dead(c);
    assert_int_equal(c->n_nodes, 3);
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(build_and_change),
        cmocka_unit_test(finds_by_every_name),
        cmocka_unit_test(attributes),
        cmocka_unit_test(constants),
        cmocka_unit_test(sorts_and_finds_cycles),
        cmocka_unit_test(copies_into_another_arena),
        cmocka_unit_test(verify_names_the_defect),
        cmocka_unit_test(large_graphs),
    };
    return cmocka_run_group_tests_name("ir", tests, NULL, NULL);
}
