/* test_quant_rules.c: single layers to integers: scales, biases, limits and tables at ordinary and extreme values. */
#include "unit.h"

#include <float.h>
#include <math.h>

#include "ir/text.h"
#include "ops/quant_rules.h"

static struct sl_graph *graph(sl_arena *a, const char *text)
{
    struct sl_graph *g = NULL;
    OK(sl_text_parse(a, (struct sl_view){(const uint8_t *)text, strlen(text)}, NULL, &g, &e));
    OK(sl_infer_all(g, &e));
    OK(sl_text_complete(g, &e));
    sl_graph_renumber(g);
    return g;
}

static struct sl_quantizer quantizer(sl_arena *a, struct sl_graph *g)
{
    struct sl_node_plan *plan = SL_NEW_ARRAY(a, struct sl_node_plan, g->n_nodes);
    for (int i = 0; i < g->n_nodes; i++)
        plan[i] = (struct sl_node_plan){.clamp_low = -INFINITY, .clamp_high = INFINITY};
    return (struct sl_quantizer){.graph = g, .plan = plan};
}

#define CONV "%conv1 = conv(%input_layer1) {strides = [1, 1, 1, 1], dilations = [1, 1, 1, 1], pads = [0, 0, 0, 0], groups = 1"

static void linear(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g =
        graph(a, "graph net fp_optimized\n%input_layer1 = input_layer() : f32 [1, 1, 1, 2] quant u8 scale 0.5 zero 10\n" CONV
                 ", activation = \"relu6\"} params {kernel: f32 [1, 1, 2, 3] = [1.0, 0.0, 1e-20, -2.0, 0.0, 0.0],\n"
                 " bias: f32 [3] = [3.0, 0.0, 100.0]} : f32 [1, 1, 1, 3] quant u8 scale 0.25 zero 5\n"
                 "%output_layer1 = output_layer(%conv1)\n");
    struct sl_node *n = g->nodes[1];
    struct sl_quantizer q = quantizer(a, g);
    OK(quantize_weighted(&q, n, &e));
    const int8_t *w = sl_param(n, "kernel")->data;
    const int32_t *b = sl_param(n, "bias")->data;
    const float *m = sl_param(n, "multiplier")->data;
    assert_true(w[0] == 64 && w[3] == -127); /* 1 / (2 / 127) = 63.5, to even */
    assert_int_equal(b[0], (int)rint(3.0 / (0.5 * (2.0 / 127))));
    assert_true(w[1] == 0 && w[4] == 0 && b[1] == 0 && m[1] > 0);        /* a dead channel */
    assert_true(b[2] <= 1 << 30 && b[2] >= (1 << 30) - 64 && w[2] == 0); /* the bias dwarfs the weights */
    assert_true(fabs((double)b[2] * m[2] * 0.25 - 100) < 1e-4);
    assert_int_equal(sl_get_int(n, "lo", -1), 5);
    assert_int_equal(sl_get_int(n, "hi", -1), 29);
    assert_string_equal(sl_get_string(n, "post", ""), "linear");
    assert_null(sl_attr(n, "activation"));
    sl_arena_free(a);
}

/* One weight for all: read without being written out, and one value again unless a channel's bias asks for another scale. */
static void one_value(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        sl_arena *a = sl_arena_new();
        struct sl_graph *g = graph(
            a, sl_arena_printf(
                   a,
                   "graph net fp_optimized\n%%input_layer1 = input_layer() : f32 [1, 1, 1, 2] quant u8 scale 0.5 zero 10\n"
                   "%%fc1 = fc(%%input_layer1) params {kernel: f32 [2, 3] = splat -0.5, bias: f32 [3] = [1.0, 0.0, %s]} : "
                   "f32 [1, 1, 1, 3] quant u8 scale 0.25 zero 5\n%%output_layer1 = output_layer(%%fc1)\n",
                   k ? "1e9" : "2.0"));
        struct sl_node *n = g->nodes[1];
        struct sl_quantizer q = quantizer(a, g);
        OK(quantize_weighted(&q, n, &e));
        const struct sl_const *w = sl_param(n, "kernel");
        const int8_t *v = w->data;
        assert_true(w->dtype == SL_S8 && w->splat == (k == 0) && v[0] == -127);
        assert_true(k == 0 || (v[2] == 0 && v[4] == -127 && v[5] == 0));
        sl_arena_free(a);
    }
}

static void bias_takes_out_rounding(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g =
        graph(a, "graph net fp_optimized\n%input_layer1 = input_layer() : f32 [1, 1, 1, 2] quant u8 scale 1.0 zero 0\n" CONV
                 "} params {kernel: f32 [1, 1, 2, 1] = [127.0, 0.25]} : f32 [1, 1, 1, 1] quant u8 scale 1.0 zero 0\n"
                 "%output_layer1 = output_layer(%conv1)\n");
    struct sl_quantizer q = quantizer(a, g);
    ((struct sl_node_plan *)q.plan)[1].input_mean = (const double[]){0, 200};
    OK(quantize_weighted(&q, g->nodes[1], &e));
    assert_int_equal(*(const int32_t *)sl_param(g->nodes[1], "bias")->data, 50); /* 0.25 became 0: 0.25 * 200 is missing */
    sl_arena_free(a);
}

static void curved(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g =
        graph(a, "graph net fp_optimized\n%input_layer1 = input_layer() : f32 [1, 1, 1, 1] quant u8 scale 0.1 zero 128\n" CONV
                 ", activation = \"sigmoid\"} params {kernel: f32 [1, 1, 1, 1] = [2.0]} : f32 [1, 1, 1, 1] quant u8 scale "
                 "0.00390625 zero 0\n"
                 "%output_layer1 = output_layer(%conv1)\n");
    struct sl_node *n = g->nodes[1];
    struct sl_quantizer q = quantizer(a, g);
    FAILS(quantize_weighted(&q, n, &e), SLUICE_E_INTERNAL, "no range before its activation");
    ((struct sl_node_plan *)q.plan)[1].pre_activation = (struct sl_range){-100, 100, true};
    OK(quantize_weighted(&q, n, &e));
    const uint8_t *t = sl_param(n, "table")->data;
    int zero = (int)sl_get_int(n, "index_zero_point", -1);
    assert_int_equal(sl_param(n, "table")->shape.dim[0], 4096);
    assert_int_equal(t[zero], 128);
    assert_true(t[0] == 0 && t[4095] == 255);
    assert_true(zero > 1800 && zero < 2300); /* the domain shrank to where sigmoid moves */
    double step = 0.1 * (2.0 / 127) / *(const float *)sl_param(n, "multiplier")->data;
    assert_true(step * 4095 > 10 && step * 4095 < 16);
    for (int i = 1; i < 4096; i++)
        assert_true(t[i] >= t[i - 1]);
    sl_arena_free(a);
}

static void refuses(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g =
        graph(a, "graph net fp_optimized\n%input_layer1 = input_layer() : f32 [1, 1, 1, 1] quant u8 scale 1.0 zero 0\n" CONV
                 "} params {kernel: f32 [1, 1, 1, 1] = splat 0x7fc00000} : f32 [1, 1, 1, 1] quant u8 scale 1.0 zero 0\n"
                 "%output_layer1 = output_layer(%conv1)\n");
    struct sl_quantizer q = quantizer(a, g);
    FAILS(quantize_weighted(&q, g->nodes[1], &e), SLUICE_E_VALUE, "parameter 'kernel' holds");
    float f;
    FAILS(sl_quant_multiplier(0, "m", &f, &e), SLUICE_E_VALUE, "m is 0");
    FAILS(sl_quant_multiplier(1e300, "m", &f, &e), SLUICE_E_VALUE, "m is 1e+300");
    OK(sl_quant_multiplier(FLT_MIN, "m", &f, &e));
    sl_arena_free(a);
}

static void values(void **state)
{
    (void)state;
    const struct sl_quant q = {.dtype = SL_U8, .scale = 0.5f, .zero_point = 100};
    assert_int_equal(sl_quantize_value(&q, 0), 100);
    assert_int_equal(sl_quantize_value(&q, 0.25), 100); /* ties to even */
    assert_int_equal(sl_quantize_value(&q, 0.75), 102);
    assert_int_equal(sl_quantize_value(&q, INFINITY), 255);
    assert_int_equal(sl_quantize_value(&q, -INFINITY), 0);
    assert_int_equal(sl_quantize_value(&q, NAN), 100);
}

static void softmax_and_norm(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g =
        graph(a, "graph net fp_optimized\n%input_layer1 = input_layer() : f32 [1, 4] quant u16 scale 0.0001 zero 30000\n"
                 "%softmax1 = softmax(%input_layer1) {axis = -1} : f32 [1, 4] quant u16 scale 1.5259022e-05 zero 0\n"
                 "%layer_normalization1 = layer_norm(%input_layer1) {epsilon = 0.0} params {gamma: f32 [4] = splat 2.0, beta: "
                 "f32 [4] = splat 1.0}\n"
                 "    : f32 [1, 4] quant u8 scale 0.5 zero 128\n"
                 "%output_layer1 = output_layer(%softmax1)\n%output_layer2 = output_layer(%layer_normalization1)\n");
    struct sl_quantizer q = quantizer(a, g);
    OK(quantize_softmax(&q, g->nodes[1], &e));
    const uint16_t *t = sl_param(g->nodes[1], "table")->data;
    assert_true(t[0] == 65535 && t[4095] < t[0]);
    assert_int_equal(sl_get_int(g->nodes[1], "index_shift", -1), 4); /* 65536 steps of 1e-4 reach 6.6 */
    assert_int_equal(sl_get_int(g->nodes[1], "axis", -1), 1);
    OK(quantize_layer_norm(&q, g->nodes[2], &e));
    assert_true(((const float *)sl_param(g->nodes[2], "gamma")->data)[0] == 4);
    assert_true(((const float *)sl_param(g->nodes[2], "beta")->data)[3] == 2);
    assert_true(sl_get_float(g->nodes[2], "epsilon", 0) > 0);
    sl_arena_free(a);
}

/* A signal that nearly vanished: in units of its step the epsilon is beyond any float, and the layer stays one that can be
 * read. */
static void norm_of_nothing(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g =
        graph(a, "graph net fp_optimized\n%input_layer1 = input_layer() : f32 [1, 4] quant u8 scale 1e-25 zero 128\n"
                 "%layer_normalization1 = layer_norm(%input_layer1) {epsilon = 1e-05} params {gamma: f32 [4] = splat 2.0}\n"
                 "    : f32 [1, 4] quant u8 scale 6e-23 zero 128\n%output_layer1 = output_layer(%layer_normalization1)\n");
    struct sl_quantizer q = quantizer(a, g);
    OK(quantize_layer_norm(&q, g->nodes[1], &e));
    double epsilon = sl_get_float(g->nodes[1], "epsilon", 0);
    assert_true(fabs(epsilon / (1e-5 * 16 / 1e-50) - 1) < 1e-5);
    OK(sl_infer_all(g, &e));
    sl_arena_free(a);
}

/* A constant of one value is one value in every file, however large its tensor. */
static void constant_of_one_value(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g =
        graph(a, "graph net fp_optimized\n%input_layer1 = input_layer() : f32 [1, 4] quant u8 scale 0.5 zero 10\n"
                 "%const_input1 = const_input() params {data: f32 [1, 4] = splat 3.0} : f32 [1, 4] quant u8 scale 0.5 zero 10\n"
                 "%ew_add1 = ew_add(%input_layer1, %const_input1) : f32 [1, 4] quant u8 scale 0.5 zero 10\n"
                 "%output_layer1 = output_layer(%ew_add1)\n");
    struct sl_quantizer q = quantizer(a, g);
    OK(quantize_const(&q, g->nodes[1], &e));
    const struct sl_const *c = sl_param(g->nodes[1], "data");
    assert_true(c->splat && c->dtype == SL_U8 && *(const uint8_t *)c->data == 16);
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),           cmocka_unit_test(one_value),       cmocka_unit_test(bias_takes_out_rounding),
        cmocka_unit_test(curved),           cmocka_unit_test(refuses),         cmocka_unit_test(values),
        cmocka_unit_test(softmax_and_norm), cmocka_unit_test(norm_of_nothing), cmocka_unit_test(constant_of_one_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
