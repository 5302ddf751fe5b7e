/* test_script.c: lexer, grammar, command table and application of model scripts. */
#include "unit.h"

#include <stdlib.h>

#include "base/log.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "script/script_table.h"

static sluice_status parse(sl_arena *a, const char *text, struct sl_script **s, sl_err *e)
{
    return sl_script_parse(a, "s", (struct sl_view){(const uint8_t *)text, strlen(text)}, s, e);
}

static struct sl_graph *network(sl_arena *a)
{
    static const char text[] =
        "graph net native\n"
        "%input_layer1 = input_layer() : f32 [1, 4, 4, 3] origins [\"images\"]\n"
        "%conv1 = conv(%input_layer1) {strides = [1, 1, 1, 1], dilations = [1, 1, 1, 1], pads = [0, 0, 0, 0], groups = 1}\n"
        "    params {kernel: f32 [1, 1, 3, 2] = seed 1} origins [\"Conv_0\"]\n"
        "%conv2 = conv(%conv1) {strides = [1, 1, 1, 1], dilations = [1, 1, 1, 1], pads = [0, 0, 0, 0], groups = 1}\n"
        "    params {kernel: f32 [1, 1, 2, 2] = seed 2} origins [\"Conv_1\"]\n"
        "%output_layer1 = output_layer(%conv2)\n";
    struct sl_graph *g = NULL;

    OK(sl_text_parse(a, VIEW(text), NULL, &g, &e));
    OK(sl_infer_all(g, &e));
    OK(sl_text_complete(g, &e));
    return g;
}

static void values(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_script *s;
    OK(parse(a,
             "\xef\xbb\xbf# comment\r\n\r\n  allocator_param( timeout = 25m, "
             "merge_min_layer_utilization=.5,enable_fixer=max_adjcents)\r\n"
             "performance_param(fps=null) # behind\nnms_postprocess(\"a b.json\", meta_arch=yolov8,\n\n  engine=cpu)\n"
             "model_optimization_config(negative_exponent, layers={conv[0-9]*}, rank=0)",
             &s, &e));
    assert_int_equal(s->n, 4);
    assert_int_equal(s->commands[0].line, 3);
    assert_int_equal(sl_script_keyword(&s->commands[0], "timeout")->kind, SL_VALUE_DURATION);
    assert_int_equal(sl_script_keyword(&s->commands[0], "timeout")->i, 1500);
    assert_true(sl_script_keyword(&s->commands[0], "merge_min_layer_utilization")->f == 0.5);
    assert_int_equal(sl_script_keyword(&s->commands[1], "fps")->kind, SL_VALUE_NULL);
    assert_string_equal(s->commands[2].args[0].s, "a b.json");
    assert_string_equal(sl_script_keyword(&s->commands[3], "layers")->s, "conv[0-9]*");
    OK(parse(a,
             "net/c1 = context([conv1, net/conv2, 3d_conv])\nc1.place(0, [conv1])\nx.y.place(1, {c*})\n{} = "
             "defuse_block(matmul1, defuse_count=4)\n"
             "a, b, c = defuse(conv1, 2)\nn = normalization([0., -1.5, 1e-5], [+1.0, .5, 2])\n",
             &s, &e));
    assert_string_equal(s->commands[0].targets[0], "net/c1");
    assert_string_equal(s->commands[0].args[0].items[2].s, "3d_conv");
    assert_int_equal(s->commands[1].form, SL_FORM_METHOD);
    assert_string_equal(s->commands[2].object, "x.y");
    assert_int_equal(s->commands[3].n_targets, 0);
    assert_int_equal(s->commands[4].n_targets, 3);
    assert_true(s->commands[5].args[0].items[2].f == 1e-5);
    OK(parse(a, "", &s, &e));
    assert_int_equal(s->n, 0);
    sl_arena_free(a);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"normalisation([1.0], [1.0])", "s:1:1: unknown command 'normalisation'"},
        {"\n  foo", "s:2:6: expected '(', found the end of the script"},
        {"performance_param(fps=1", "expected ',' or ')', found the end of the script"},
        {"performance_param(fps=1,)", "expected an argument behind ','"},
        {"performance_param(fps=1, fps=2)", "s:1:26: keyword 'fps' is given twice"},
        {"performance_param(fsp=1)", "'performance_param' has no keyword 'fsp'"},
        {"performance_param(fps=1) x", "expected the end of the line"},
        {"performance_param(optimize_for_batch=0)", "'optimize_for_batch' is 0, accepted is 1 to 65536"},
        {"performance_param(optimize_for_batch=a)", "'optimize_for_batch' takes an integer, found 'a'"},
        {"a = performance_param(fps=1)", "'performance_param' is written name(...)"},
        {"normalization([1.0], [1.0])", "is written as an assignment"},
        {"n = normalization([1.0])", "'normalization' lacks its argument 'std'"},
        {"n = normalization([1.0], [1.0], a, b)", "takes 3 positional arguments here, found one more: 'b'"},
        {"n = normalization([a], [1.0])", "'mean' takes a list of numbers"},
        {"hef_param(share_config=enabled, 3)", "a positional argument behind a keyword"},
        {"remove_node(\"a)", "a quoted string is not closed on its line"},
        {"compilation_param({conv*, x=1)", "'{' is not closed on its line"},
        {"compilation_param({a, b}, number_of_apus=1)", "braces hold one pattern"},
        {"remove_node(a/b/c)", "'a/b/c' is neither a number nor a name"},
        {"allocator_param(timeout=1e999)", "number '1e999' is too large"},
        {"allocator_param(seed=99999999999999999999)", "does not fit 64 bits"},
        {"context = ", "expected a command behind '='"},
        {"f([[[[[[1]]]]]])", "lists are nested deeper than 4"},
        {"a\x01(b)", "unexpected byte 0x01"},
        {"a$(b)", "unexpected character '$'"},
        {"model_optimization_config(calibratoin, batch_size=1)", "has no part 'calibratoin'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_arena *a = sl_arena_new();
        struct sluice_error e = {0};
        struct sl_script *s;
        if (parse(a, cases[i].text, &s, &e) == SLUICE_OK || !strstr(e.message, cases[i].part))
            fail_msg("'%s': the message is \"%s\"", cases[i].text, e.message);
        sl_arena_free(a);
    }
}

static void suggests(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sluice_error e = {0}, f = {0};
    struct sl_script *s;
    (void)parse(a, "n = normalisation([1.0], [1.0])", &s, &e);
    assert_string_equal(e.hint, "the nearest command is 'normalization'");
    (void)parse(a, "performance_param(fsp=1)", &s, &f);
    assert_string_equal(f.hint, "the nearest one is 'fps'");
    sl_arena_free(a);
}

/* Every row can be found, and no name stands twice where it is looked up. */
static void table(void **state)
{
    (void)state;
    int commands = 0;
    const struct sl_script_row *command = NULL;
    for (const struct sl_script_row *r = sl_script_table; r->kind != SL_ROW_END; r++) {
        if (r->kind == SL_ROW_COMMAND) {
            command = r;
            commands++;
            assert_ptr_equal(sl_script_find_command(r->name), r);
            assert_true(r->help[0] && (r->effect != SL_EFFECT_DO || r->handler));
        }
        if (r->kind == SL_ROW_PART) {
            assert_ptr_equal(sl_script_find_part(command, r->name), r);
            assert_true(r->help[0] && (r->effect != SL_EFFECT_DO || r->handler));
        }
    }
    assert_true(commands >= 35);
}

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"*", "", true},
        {"*", "conv1", true},
        {"conv*", "conv1", true},
        {"conv*", "dw1", false},
        {"conv[0-9]", "conv7", true},
        {"conv[0-9]", "conv77", false},
        {"*7", "conv77", true},
        {"a?c", "abc", true},
        {"[!a]b", "cb", true},
        {"[!a]b", "ab", false},
        {"net/conv*", "net/conv1", true},
        {"[", "[", true},
        {"a*b*c", "axxbyyc", true},
        {"a*b*c", "axxbyy", false},
        {"", "", true},
        {"", "x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sl_glob_match(cases[i].pattern, cases[i].text) != cases[i].match)
            fail_msg("%s against %s", cases[i].pattern, cases[i].text);
}

static void layer_sets(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = network(a);
    struct sl_script_settings t = {0};
    struct sl_script *s;
    sl_log_level = 0;
    OK(parse(
        a,
        "quantization_param({conv*}, precision_mode=a16_w8)\nquantization_param([Conv_1, net/conv1], force_range_out=[-1, "
        "2.5])\n"
        "model_optimization_config(calibration, calibset_size=32)\npre_quantization_optimization(ew_add_fusing, "
        "policy=disabled)\n"
        "pre_quantization_optimization(activation_clipping, layers=[conv1], mode=percentile, clipping_values=[0.1, 99.9])\n"
        "hef_param(share_config=enabled)\n",
        &s, &e));
    OK(sl_script_apply(s, SL_SCRIPT_OPTIMIZE, g, &t, &e));
    assert_int_equal(t.n_wide, 2);
    assert_string_equal(t.wide[1]->name, "conv2");
    assert_int_equal(t.n_clippings, 3);
    assert_true(t.clippings[0].low == -1 && t.clippings[0].high == 2.5 && t.clippings[2].percentile);
    assert_int_equal(t.calibset_size, 32);
    assert_true(t.ew_add_fusing_off);
    FAILS(sl_script_check_compile_only(s, &e), SLUICE_E_USAGE, "s:1:1: 'quantization_param' changes numbers");
    OK(parse(a, "quantization_param(conv3, precision_mode=a16_w8)", &s, &e));
    FAILS(sl_script_apply(s, SL_SCRIPT_OPTIMIZE, g, &t, &e), SLUICE_E_NOT_FOUND, "s:1:20: no layer is called 'conv3'");
    OK(parse(a, "quantization_param(conv1, precision_mode=a8_w4)", &s, &e));
    FAILS(sl_script_apply(s, SL_SCRIPT_OPTIMIZE, g, &t, &e), SLUICE_E_UNSUPPORTED, "not implemented yet");
    OK(parse(a, "r = resize(resize_shapes=[8, 8])", &s, &e));
    FAILS(sl_script_apply(s, SL_SCRIPT_MODIFY, g, &t, &e), SLUICE_E_UNSUPPORTED, "'resize' is known but not implemented yet");
    OK(parse(a, "performance_param(fps=100)\n", &s, &e));
    OK(sl_script_check_compile_only(s, &e));
    sl_arena_free(a);
}

static void normalization(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = network(a);
    struct sl_script *s;
    sl_log_level = 0;
    OK(parse(a, "net/norm = normalization([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], input_layer1)", &s, &e));
    OK(sl_script_apply(s, SL_SCRIPT_MODIFY, g, NULL, &e));
    OK(sl_graph_verify(g, &e));
    assert_string_equal(sl_graph_find(g, "conv1")->in[0]->name, "norm");
    FAILS(sl_script_apply(s, SL_SCRIPT_MODIFY, g, NULL, &e), SLUICE_E_VALUE, "a layer called 'norm' exists already");
    OK(parse(a, "n = normalization([1.0, 2.0, 3.0], [4.0, 0, 6.0])", &s, &e));
    FAILS(sl_script_apply(s, SL_SCRIPT_MODIFY, g, NULL, &e), SLUICE_E_VALUE, "std 0 cannot be divided by");
    OK(parse(a, "n, m = normalization([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])", &s, &e));
    FAILS(sl_script_apply(s, SL_SCRIPT_MODIFY, g, NULL, &e), SLUICE_E_VALUE, "1 inputs and 2 names");
    OK(parse(a, "other/n = normalization([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])", &s, &e));
    FAILS(sl_script_apply(s, SL_SCRIPT_MODIFY, g, NULL, &e), SLUICE_E_NOT_FOUND, "the network is called 'net'");
    OK(parse(a, "n = normalization([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], conv1)", &s, &e));
    FAILS(sl_script_apply(s, SL_SCRIPT_MODIFY, g, NULL, &e), SLUICE_E_UNSUPPORTED, "behind an input layer");
    OK(parse(a, "change_output_activation(conv2, sigmoid)\nchange_output_activation(tanh)", &s, &e));
    OK(sl_script_apply(s, SL_SCRIPT_MODIFY, g, NULL, &e));
    assert_string_equal(sl_get_string(g->outputs[0].node->in[0], "type", ""), "tanh");
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values), cmocka_unit_test(refuses),    cmocka_unit_test(suggests),      cmocka_unit_test(table),
        cmocka_unit_test(globs),  cmocka_unit_test(layer_sets), cmocka_unit_test(normalization),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
