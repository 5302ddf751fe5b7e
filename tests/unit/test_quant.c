/* test_quant.c: statistics, ranges, encodings and the optimize stage on small networks. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "quant/calibrate.h"
#include "quant/quantize.h"

/* ---- statistics ---- */
static struct sl_statistics *new_statistics(sl_arena *a)
{
    struct sl_statistics *s = SL_NEW(a, struct sl_statistics);
    sl_statistics_init(s);
    return s;
}

/* The state depends on the set of values only, not on their order or grouping. */
static void order_does_not_matter(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    float x[3000];
    struct sl_statistics *all = new_statistics(a), *parts = new_statistics(a), *last = new_statistics(a);
    for (int i = 0; i < 3000; i++)
        x[i] = i % 7 ? (float)(((i * 2654435761u) >> 8) % 10007 - 5000.0) * ldexpf(1, i % 24 - 20) : 0;
    sl_statistics_add(all, x, 3000);
    for (int i = 2999; i >= 1500; i -= 100)
        sl_statistics_add(last, x + i - 99, 100);
    for (int i = 0; i < 1500; i += 50)
        sl_statistics_add(parts, x + i, 50);
    sl_statistics_merge(last, parts);
    assert_memory_equal(all, last, sizeof *all);
    assert_true(all->count == 3000 && all->zeros >= 3000 / 7);
    uint64_t sum = all->zeros;
    for (int b = 0; b < SL_BINS; b++)
        sum += all->bin[b];
    assert_int_equal(sum, 3000);
    sl_arena_free(a);
}

static void extremes(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_statistics *s = new_statistics(a);
    const float huge[3] = {-3e38f, 3e38f, 1e-38f}, bad[2] = {1, INFINITY};
    sl_statistics_add(s, huge, 3);
    assert_true(s->finite && !s->whole && s->min == -3e38f && s->max == 3e38f);
    sl_statistics_add(s, bad, 2);
    assert_false(s->finite);
    s = new_statistics(a);
    float zeros[100] = {0};
    sl_statistics_add(s, zeros, 100);
    struct sl_range r = sl_choose_range(s, SL_RANGE_MSE, 8);
    struct sl_quant q = sl_range_encoding(r, SL_U8);
    assert_true(r.min == 0 && r.max == 0 && q.scale > 0 && isfinite(q.scale));
    for (int m = SL_RANGE_DEFAULT; m <= SL_RANGE_KL; m++) { /* one value only */
        struct sl_statistics *one = new_statistics(a);
        const float v[2] = {-4, -4};
        sl_statistics_add(one, v, 2);
        r = sl_choose_range(one, (enum sl_range_method)m, 8);
        assert_true(r.max == 0 && r.min < 0 && r.min >= -4.01f);
    }
    sl_arena_free(a);
}

static void ranges(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_statistics *s = new_statistics(a);
    float *x = SL_NEW_ARRAY(a, float, 100001);
    for (int i = 0; i < 100000; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 1000) / 1000;
    x[100000] = 50; /* an outlier */
    sl_statistics_add(s, x, 100001);
    assert_true(sl_choose_range(s, SL_RANGE_MINMAX, 8).max == 50);
    assert_true(sl_choose_range(s, SL_RANGE_MSE, 16).max == 50);
    assert_true(sl_choose_range(s, SL_RANGE_PERCENTILE, 8).max <= 1.1f);
    assert_true(sl_range_error(s, 0, 1, 8) > 0 && sl_range_error(s, 0, 50, 8) > 0);
    assert_true(fabsf(sl_percentile_range(s, 0, 50).max - 0.5f) < 0.05f);
    struct sl_quant q = sl_range_encoding((struct sl_range){-1, 3, true}, SL_U8);
    assert_true(q.zero_point == 64 && fabsf(q.scale - 4.0f / 255) < 1e-7f);
    sl_arena_free(a);
}

/* ---- whole networks ---- */
static struct sl_graph *graph(sl_arena *a, const char *text)
{
    struct sl_graph *g = NULL;
    OK(sl_text_parse(a, (struct sl_view){(const uint8_t *)text, strlen(text)}, NULL, &g, &e));
    OK(sl_infer_all(g, &e));
    OK(sl_text_complete(g, &e));
    return g;
}

#define WINDOW "strides = [1, 1, 1, 1], dilations = [1, 1, 1, 1], pads = [1, 1, 1, 1], groups = 1"
static const char network[] =
    "graph net native\n"
    "%input_layer1 = input_layer() : f32 [1, 8, 8, 3]\n"
    "%conv1 = conv(%input_layer1) {" WINDOW "} params {kernel: f32 [3, 3, 3, 4] = seed 1, bias: f32 [4] = seed 2}\n"
    "%activation1 = activation(%conv1) {type = \"relu\"}\n"
    "%conv2 = conv(%activation1) {" WINDOW "} params {kernel: f32 [3, 3, 4, 4] = seed 3}\n"
    "%ew_add1 = ew_add(%conv2, %activation1)\n"
    "%activation2 = activation(%ew_add1) {type = \"silu\"}\n"
    "%conv3 = conv(%activation2) {" WINDOW "} params {kernel: f32 [3, 3, 4, 2] = seed 4}\n"
    "%activation3 = activation(%conv3) {type = \"sigmoid\"}\n"
    "%concat1 = concat(%activation3, %activation2) {axis = 3}\n"
    "%output_layer1 = output_layer(%concat1)\n";

static void print(const struct sl_graph *g, struct sl_buffer *b)
{
    OK(sl_text_print(g, NULL, b, &e));
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    struct sl_buffer text[3] = {{0}};
    static const int threads[3] = {1, 2, 5};
    sl_log_level = 0;
    for (int i = 0; i < 3; i++) {
        sl_arena *a = sl_arena_new();
        struct sl_optimize_result r;
        struct sl_optimize_options o = {.random_calibration = true, .threads = threads[i]};
        OK(sl_optimize(graph(a, network), &o, &r, &e));
        assert_int_equal(r.quantized->stage, SL_STAGE_QUANTIZED);
        print(r.fp_optimized, &text[i]);
        print(r.quantized, &text[i]);
        char *json = json_dumps(r.statistics, 0);
        sl_put_printf(&text[i], "%s", json);
        free(json);
        json_decref(r.statistics);
        json_decref(r.applied);
        sl_arena_free(a);
        assert_string_equal(sl_buffer_text(&text[0]), sl_buffer_text(&text[i]));
    }
    for (int i = 0; i < 3; i++)
        sl_buffer_free(&text[i]);
}

static struct sl_graph *optimized(sl_arena *a, const char *text, const char *script)
{
    struct sl_optimize_result r;
    struct sl_optimize_options o = {
        .random_calibration = true, .threads = 1, .script = {(const uint8_t *)script, strlen(script)}};
    sl_log_level = 0;
    OK(sl_optimize(graph(a, text), &o, &r, &e));
    json_decref(r.statistics);
    json_decref(r.applied);
    OK(sl_graph_verify(r.quantized, &e));
    return r.quantized;
}

static void encodings(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = optimized(a, network, "");
    const struct sl_node *input = sl_graph_find(g, "input_layer1"), *gate = sl_graph_find(g, "conv3"),
                         *concat = sl_graph_find(g, "concat1");
    assert_true(input->quant.scale == 1 && input->quant.zero_point == 0 && input->quant.dtype == SL_U8);
    assert_int_equal(sl_graph_find(g, "conv2")->n_in, 2); /* the addition is fused */
    assert_null(sl_graph_find(g, "ew_add1"));
    assert_string_equal(sl_get_string(gate, "post", ""), "table");
    for (int i = 0; i < g->n_nodes; i++)
        assert_true(g->nodes[i]->quant.dtype != SL_NONE && g->nodes[i]->quant.scale > 0);
    for (int k = 0; k < concat->n_in; k++) /* parts have the concatenation's encoding, directly or through requantize */
        assert_true(concat->in[k]->quant.scale == concat->quant.scale &&
                    concat->in[k]->quant.zero_point == concat->quant.zero_point &&
                    concat->in[k]->quant.dtype == concat->quant.dtype);
    sl_arena_free(a);
}

static void script_decides(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = optimized(a, network,
                                   "pre_quantization_optimization(ew_add_fusing, policy=disabled)\n"
                                   "quantization_param(conv1, force_range_out=[0, 1000])\n");
    assert_non_null(sl_graph_find(g, "ew_add1"));
    const struct sl_quant *q = &sl_graph_find(g, "conv1")->quant; /* of either width */
    assert_true(q->zero_point == 0 && fabsf(q->scale * (float)sl_quant_max(q->dtype) - 1000) < 0.01f);
    g = optimized(a, network, "quantization_param({*}, precision_mode=a16_w8)");
    assert_int_equal(sl_graph_find(g, "conv2")->quant.dtype, SL_U16);
    assert_int_equal(sl_param(sl_graph_find(g, "conv2"), "bias")->dtype, SL_S64);
    sl_arena_free(a);
}

/* How many of a chain's convolutions are stored 16 bits wide. */
static int wide_in_chain(int layers)
{
    sl_arena *a = sl_arena_new();
    struct sl_buffer text = {0};
    int wide = 0;
    sl_put_printf(&text, "graph net native\n%%input_layer1 = input_layer() : f32 [1, 8, 8, 3]\n"
                         "%%conv1 = conv(%%input_layer1) {" WINDOW "} params {kernel: f32 [3, 3, 3, 8] = seed 1}\n");
    for (int i = 2; i <= layers; i++)
        sl_put_printf(&text, "%%conv%d = conv(%%conv%d) {" WINDOW "} params {kernel: f32 [3, 3, 8, 8] = seed %d}\n", i, i - 1, i);
    sl_put_printf(&text, "%%output_layer1 = output_layer(%%conv%d)\n", layers);
    struct sl_graph *g = optimized(a, sl_buffer_text(&text), "");
    for (int i = 0; i < g->n_nodes; i++)
        wide += g->nodes[i]->op == SL_OP_conv && g->nodes[i]->quant.dtype == SL_U16;
    sl_buffer_free(&text);
    sl_arena_free(a);
    return wide;
}

/* Each rounding adds noise: the budget holds few layers, and of many it widens as many as it must. */
static void noise_has_a_budget(void **state)
{
    (void)state;
    int some = wide_in_chain(24), more = wide_in_chain(48);
    assert_int_equal(wide_in_chain(4), 0);
    assert_true(some > 0 && some < 23);
    assert_true(more > some && more < 47);
}

static void clamp_is_absorbed(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = optimized(
        a,
        "graph net native\n%input_layer1 = input_layer() : f32 [1, 4, 4, 3]\n"
        "%avgpool1 = avgpool(%input_layer1) {kernel_shape = [1, 2, 2, 1], strides = [1, 2, 2, 1], pads = [0, 0, 0, 0]}\n"
        "%ew_sub1 = ew_sub(%avgpool1, %avgpool1)\n%ew_add1 = ew_add(%ew_sub1, %avgpool1)\n"
        "%activation1 = activation(%ew_add1) {type = \"relu6\"}\n%output_layer1 = output_layer(%activation1)\n",
        "");
    const struct sl_node *add = sl_graph_find(g, "ew_add1");
    assert_null(sl_graph_find(g, "activation1"));
    assert_true(sl_get_int(add, "lo", -1) == add->quant.zero_point && add->quant.zero_point == 0);
    sl_arena_free(a);
}

static sluice_status bad_samples(void *data, sl_arena *scratch, int64_t index, float *const *inputs, sl_err *e)
{
    (void)data;
    (void)scratch;
    (void)e;
    for (int i = 0; i < 192; i++)
        inputs[0][i] = index == 3 ? 3e38f : 1;
    return SLUICE_OK;
}

/* What has no quantized form is told before any sample is read, with the end nodes that avoid it. */
static void names_end_nodes(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sluice_error e = {0};
    struct sl_graph *g =
        graph(a, "graph net native\n%input_layer1 = input_layer() : f32 [1, 4, 4, 3]\n"
                 "%conv1 = conv(%input_layer1) {" WINDOW "} params {kernel: f32 [3, 3, 3, 4] = seed 1} origins [\"Conv_7\"]\n"
                 "%conv2 = conv(%conv1) {" WINDOW "} params {kernel: f32 [3, 3, 4, 4] = seed 1} origins [\"Conv_8\"]\n"
                 "%hardmax1 = hardmax(%conv2) {axis = 3} origins [\"Hardmax_9\"]\n"
                 "%output_layer1 = output_layer(%hardmax1)\n%output_layer2 = output_layer(%conv1)\n");
    assert_int_equal(sl_check_quantizable(g, &e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "1 layer is without a quantized form: 'hardmax1' (hardmax)"));
    assert_non_null(strstr(e.hint, "--end-node-names Conv_7 Conv_8,"));
    sl_arena_free(a);
}

/* Parts of one split are one node of the origin. */
static void names_splits_once(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sluice_error e = {0};
    struct sl_graph *g =
        graph(a, "graph net native\n%input_layer1 = input_layer() : f32 [1, 4, 4, 3]\n"
                 "%conv1 = conv(%input_layer1) {" WINDOW "} params {kernel: f32 [3, 3, 3, 4] = seed 1} origins [\"Conv_7\"]\n"
                 "%slice1 = slice(%conv1) {starts = [0, 0, 0, 0], ends = [1, 4, 4, 2], steps = [1, 1, 1, 1]} origins [\"Split_8\"]\n"
                 "%slice2 = slice(%conv1) {starts = [0, 0, 0, 2], ends = [1, 4, 4, 4], steps = [1, 1, 1, 1]} origins [\"Split_8\"]\n"
                 "%hardmax1 = hardmax(%slice1) {axis = 3}\n%hardmax2 = hardmax(%slice2) {axis = 3}\n"
                 "%output_layer1 = output_layer(%hardmax1)\n%output_layer2 = output_layer(%hardmax2)\n");
    assert_int_equal(sl_check_quantizable(g, &e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.hint, "--end-node-names Split_8,"));
    sl_arena_free(a);
}

/* Tokens and masks are integers: the network can start at the numbers made of them, and end before what it cannot hold. */
static void names_start_nodes(void **state)
{
    static const struct {
        const char *tail, *hint;
    } cases[] = {
        {"%output_layer1 = output_layer(%transpose1)\n", "parse again with --start-node-names Gather_1:0 Cast_2:0, and compute"},
        {"%hardmax1 = hardmax(%transpose1) {axis = 2} origins [\"Hardmax_9\"]\n%output_layer1 = output_layer(%hardmax1)\n",
         "--start-node-names Gather_1:0 Cast_2:0 --end-node-names Mul_4, and compute"},
        {"%ew_equal1 = ew_equal(%input_layer2, %input_layer2) origins [\"Equal_6\"]\n%cast2 = cast(%ew_equal1) {to = \"f32\"}\n"
         "%ew_add1 = ew_add(%cast2, %cast2)\n%output_layer1 = output_layer(%transpose1)\n%output_layer2 = output_layer(%ew_add1)\n",
         "--start-node-names Gather_1:0 Cast_2:0 Equal_6:0, and compute"},
        {"%input_layer3 = input_layer() : f32 [1, 8, 4] origins [\"states\"]\n%matmul1 = matmul(%transpose1, %input_layer3) {transpose_b = 1} origins [\"MatMul_5\"]\n"
         "%reshape2 = reshape(%matmul1) {shape = [1, 8, 8]}\n%hardmax1 = hardmax(%reshape2) {axis = 2}\n"
         "%output_layer1 = output_layer(%hardmax1)\n",
         "--start-node-names Gather_1:0 Cast_2:0 states --end-node-names MatMul_5, and compute"},
    };
    (void)state;
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        sl_arena *a = sl_arena_new();
        struct sluice_error e = {0};
        struct sl_graph *g = graph(
            a, sl_arena_printf(
                   a,
                   "graph net native\n%%input_layer1 = input_layer() : s64 [1, 4]\n"
                   "%%input_layer2 = input_layer() : s64 [1, 4]\n"
                   "%%const_input1 = const_input() params {data: f32 [9, 8] = seed 1}\n"
                   "%%gather_dynamic1 = gather_dynamic(%%const_input1, %%input_layer1) {axis = 0} origins [\"Gather_1\"]\n"
                   "%%cast1 = cast(%%input_layer2) {to = \"f32\"} origins [\"Cast_2\"]\n"
                   "%%reshape1 = reshape(%%cast1) {shape = [1, 4, 1]} origins [\"Unsqueeze_3\"]\n"
                   "%%ew_mult1 = ew_mult(%%gather_dynamic1, %%reshape1) origins [\"Mul_4\"]\n"
                   "%%transpose1 = transpose(%%ew_mult1) {perm = [0, 2, 1]}\n%s",
                   cases[i].tail));
        assert_int_equal(sl_check_quantizable(g, &e), SLUICE_E_UNSUPPORTED);
        assert_non_null(strstr(e.message, "is s64: quantized networks take numbers, not indices"));
        assert_non_null(strstr(e.hint, cases[i].hint));
        sl_arena_free(a);
    }
}

/* Where no number is made of the integers, nothing can be quantized. */
static void only_integers(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sluice_error e = {0};
    struct sl_graph *g = graph(a, "graph net native\n%input_layer1 = input_layer() : s64 [1, 4]\n"
                                  "%ew_add1 = ew_add(%input_layer1, %input_layer1)\n%output_layer1 = output_layer(%ew_add1)\n");
    assert_int_equal(sl_check_quantizable(g, &e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.hint, "no part of the network can be quantized"));
    sl_arena_free(a);
}

/* Positions of extremes have a quantized form as long as they are moved, or cast to what holds them. */
static void takes_positions(void **state)
{
    static const struct {
        const char *shape, *type, *why; /* NULL: accepted */
    } cases[] = {
        {"[1, 4, 4, 3]", "u8", NULL},
        {"[1, 4, 4, 3]", "f32", NULL},
        {"[1, 2, 2, 300]", "s32", NULL},
        {"[1, 2, 2, 300]", "u8", "'cast1' (cast) has a type that does not hold its positions"},
        {"[1, 4, 4, 3]", "bool", "'cast1' (cast) has a type that does not hold its positions"},
        {"[1, 1, 1, 65537]", "s64", "'argmin1' (argmin) gives positions past 16 bits"},
    };
    (void)state;
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        sl_arena *a = sl_arena_new();
        struct sluice_error e = {0};
        struct sl_graph *g = graph(
            a, sl_arena_printf(
                   a,
                   "graph net native\n%%input_layer1 = input_layer() : f32 %s\n"
                   "%%argmin1 = argmin(%%input_layer1) {axis = 3, keepdims = 1}\n%%cast1 = cast(%%argmin1) {to = \"%s\"}\n"
                   "%%output_layer1 = output_layer(%%cast1)\n",
                   cases[i].shape, cases[i].type));
        sluice_status s = sl_check_quantizable(g, &e);
        assert_int_equal(s, cases[i].why ? SLUICE_E_UNSUPPORTED : SLUICE_OK);
        assert_true(!cases[i].why || strstr(e.message, cases[i].why));
        sl_arena_free(a);
    }
}

static void refuses(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = graph(a, network);
    struct sl_calibration c;
    struct sl_sample_source source = {.count = 8, .read = bad_samples}, none = {0};
    struct sl_optimize_result r;
    sl_log_level = 0;
    FAILS(sl_calibrate(g, &source, 2, a, &c, &e), SLUICE_E_VALUE, "calibration sample 3: layer");
    FAILS(sl_calibrate(g, &none, 2, a, &c, &e), SLUICE_E_VALUE, "no calibration samples");
    struct sl_optimize_options o = {.random_calibration = true, .calibration = "x"};
    FAILS(sl_optimize(g, &o, &r, &e), SLUICE_E_USAGE, "either a calibration set or random calibration");
    o = (struct sl_optimize_options){.random_calibration = true, .dump_after = "fuse-nothing"};
    FAILS(sl_optimize(g, &o, &r, &e), SLUICE_E_USAGE, "no pass of optimize is called 'fuse-nothing'");
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(extremes),
        cmocka_unit_test(ranges),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(encodings),
        cmocka_unit_test(script_decides),
        cmocka_unit_test(noise_has_a_budget),
        cmocka_unit_test(clamp_is_absorbed),
        cmocka_unit_test(names_end_nodes),
        cmocka_unit_test(names_splits_once),
        cmocka_unit_test(names_start_nodes),
        cmocka_unit_test(only_integers),
        cmocka_unit_test(takes_positions),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
