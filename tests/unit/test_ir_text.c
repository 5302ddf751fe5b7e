/* test_ir_text.c: the text form prints and reads back exactly, and every broken text ends in one message. */
#include <stdlib.h>

#include "ir/text.h"
#include "unit.h"

static const char everything[] =
    "# all that the language has\n"
    "graph net quantized\n"
    "scope \"second net\"\n"
    "state \"k cache\" id 0 f32 [8, 64] length 1024\n"
    "scalar tokens id 7 maximum 9223372036854775807\n"
    "%input_layer1 = input_layer() : f32 [1, 8, 8, 3] quant u8 scale 1.0 zero 0 origins [\"images\"]\n"
    "%conv1 = conv(%input_layer1) {strides = [1, 2, 2, 1], activation = \"a\\\"\\\\\\n\", alpha = 0.1, limit = inf, low = "
    "-inf,\n"
    "    none = [], nothing = floats [], reals = [1.5, -0.0, 1e+300], groups = -9223372036854775808}\n"
    "  params {kernel: s4 [3, 3, 3, 5] = seed 1, \"odd name\": s4 [3] = [-8, 7, 0], bias: f32 [5] = splat 0.1,\n"
    "    table: u8 [300] = seed 3, nan: f32 [2] = [0x7fc00001, -0.0], half: f16 [2] = [0x3c00, 0xfc00], b: bf16 [0] = [],\n"
    "    w: u64 [1] = [18446744073709551615], d: f64 [2] = [0.1, 5e-324], flags: bool [2] = [1, 0], i: s64 [] = [-1]}\n"
    "  : f32 [1, 4, 4, 5] quant u8 scale 0.023529412 zero 128 origins [\"Conv_0\", \"Relu_1\"]\n"
    "%1 = activation(%conv1) {type = \"relu\"} : f32 [1, 4, 4, 5] quant u16 zero 65535 scales [0.1, 0.2, 0.3, 0.4, 0.5]\n"
    "%\"second net\"/conv1 = ew_add(%1, %conv1) : f32 [1, 4, 4, 5]\n"
    "%out = output_layer(%\"second net\"/conv1) : f32 [1, 4, 4, 5] origins [\"scores\"]\n"
    "alternative adapter of %conv1 params {kernel: f32 [2] = [1.0, 2.0]}\n"
    "alternative empty of %1 params {}\n"
    "input images = %input_layer1 : f32 [1, 3, 8, 8] perm [0, 3, 1, 2]\n"
    "output scores = %out : f64 [1, 5, 16] perm [0, 3, 1, 2]\n";

/* Print, read with the side table, print again: the same text. */
static void round_trip(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = NULL, *back = NULL;
    struct sl_text_consts *consts = sl_text_consts_new(a);
    struct sl_buffer first = {0}, second = {0};
    OK(sl_text_parse(a, VIEW(everything), NULL, &g, &e));
    OK(sl_text_print(g, consts, &first, &e));
    OK(sl_text_parse(a, (struct sl_view){first.data, first.size}, consts, &back, &e));
    OK(sl_text_print(back, NULL, &second, &e));
    assert_string_equal(sl_buffer_text(&second), sl_buffer_text(&first));

    const struct sl_node *n = back->nodes[1];
    assert_string_equal(sl_get_string(n, "activation", ""), "a\"\\\n");
    assert_int_equal(sl_get_int(n, "groups", 0), INT64_MIN);
    assert_int_equal(sl_attr(n, "nothing")->kind, SL_ATTR_FLOATS);
    assert_int_equal(sl_attr(n, "none")->kind, SL_ATTR_INTS);
    assert_true(sl_param(n, "bias")->splat);
    const struct sl_const *k = sl_param(n, "kernel");
    assert_int_equal(k->bytes, 68);
    assert_memory_equal(k->data, sl_param(g->nodes[1], "kernel")->data, 68);
    assert_true(n->quant.scale == 0.023529412f);
    assert_string_equal(back->nodes[2]->name, "");
    assert_string_equal(back->nodes[3]->scope, "second net");
    assert_int_equal(back->outputs[0].perm[1], 3);
    sl_buffer_free(&first);
    sl_buffer_free(&second);
    sl_arena_free(a);
}

/* Types may be left to inference; ports then come when asked for. */
static void short_texts(void **state)
{
    (void)state;
    static const char text[] =
        "graph net native %x = input_layer() %y = activation(%x) {type = \"relu\"} %o = output_layer(%y)";
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = NULL;
    OK(sl_text_parse(a, VIEW(text), NULL, &g, &e));
    assert_int_equal(g->n_inputs, 0);
    for (int i = 0; i < g->n_nodes; i++) {
        g->nodes[i]->dtype = SL_F32;
        g->nodes[i]->shape = sl_shape_of(2, (int64_t[]){1, 3});
    }
    OK(sl_text_complete(g, &e));
    assert_int_equal(g->n_outputs, 1);
    assert_string_equal(g->outputs[0].origin_name, "o");
    assert_int_equal(g->outputs[0].perm[1], 1);
    sl_arena_free(a);
}

/* Values computed apart, from the published generator. */
static void seeds_are_fixed(void **state)
{
    (void)state;
    static const char text[] =
        "graph net native %x = const_input() params {data: f32 [3] = seed 1, i: s8 [4] = seed 2} : f32 [3]";
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = NULL;
    struct sl_buffer out = {0};
    OK(sl_text_parse(a, VIEW(text), NULL, &g, &e));
    OK(sl_text_print(g, NULL, &out, &e));
    assert_string_equal(sl_buffer_text(&out),
                        "graph net native\n%x = const_input() params {data: f32 [3] = [0.13312304, 0.49156344, 0.9420054], "
                        "i: s8 [4] = [-34, 16, -65, 122]} : f32 [3]\n");
    sl_buffer_free(&out);
    sl_arena_free(a);
}

static void broken_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        sluice_status status;
        const char *part;
    } cases[] = {
        {"", SLUICE_E_FORMAT, "line 1, column 1: 'graph' is expected, not 'end of text'"},
        {"graph net fast", SLUICE_E_FORMAT, "native, fp_optimized or quantized is expected, not 'fast'"},
        {"graph net native\n  bogus", SLUICE_E_FORMAT, "line 2, column 3: a node or one of"},
        {"graph net native %x = bogus()", SLUICE_E_FORMAT, "'bogus' is not an op"},
        {"graph net native %x = activation(%y)", SLUICE_E_FORMAT, "column 34: '%y' is not defined above"},
        {"graph net native %x = activation(%x)", SLUICE_E_FORMAT, "'%x' is not defined above"},
        {"graph net native %x = input_layer() %x = input_layer()", SLUICE_E_FORMAT, "'%x' is defined twice"},
        {"graph net native %other/x = input_layer()", SLUICE_E_FORMAT, "'other' is not a network"},
        {"graph net native %x = input_layer() {a = [1, 2.0]}", SLUICE_E_FORMAT, "mixes integers and decimal"},
        {"graph net native %x = input_layer() {a = 1, a = 2}", SLUICE_E_FORMAT, "attribute 'a' is given twice"},
        {"graph net native %x = input_layer() {a = 99999999999999999999}", SLUICE_E_FORMAT, "a number is expected"},
        {"graph net native %x = input_layer() : f32 [1, -2]", SLUICE_E_FORMAT, "a dimension is -2, not in 0.."},
        {"graph net native %x = input_layer() : f32 [70000000, 70000000]", SLUICE_E_FORMAT, "more than 2^46 elements"},
        {"graph net native %x = input_layer() : f33 [1]", SLUICE_E_FORMAT, "an element type"},
        {"graph net native %x = input_layer() : f32 [1, 1, 1, 1, 1, 1, 1, 1, 1]", SLUICE_E_FORMAT, "more than 8 values"},
        {"graph net native %x = input_layer() params {w: u8 [2] = [1]}", SLUICE_E_FORMAT, "',' is expected, not ']'"},
        {"graph net native %x = input_layer() params {w: u8 [1] = [256]}", SLUICE_E_FORMAT, "'256' is not a value of type u8"},
        {"graph net native %x = input_layer() params {w: s4 [1] = [8]}", SLUICE_E_FORMAT, "'8' is not a value of type s4"},
        {"graph net native %x = input_layer() params {w: f32 [1] = [1e99]}", SLUICE_E_FORMAT, "is not a value of type f32"},
        {"graph net native %x = input_layer() params {w: u8 [1000000] = [1]}", SLUICE_E_FORMAT, "shorter than the 1000000"},
        {"graph net native %x = input_layer() params {w: u8 [1000000000] = seed 1}", SLUICE_E_LIMIT, "pass 64 MiB"},
        {"graph net native %x = input_layer() params {w: f16 [1] = seed 1}", SLUICE_E_FORMAT, "cannot fill type f16"},
        {"graph net native %x = input_layer() params {w: u8 [9] = hash 0123456789abcdef}", SLUICE_E_FORMAT, "is not at hand"},
        {"graph net native %x = input_layer() params {w: u8 [9] = hash 0123}", SLUICE_E_FORMAT, "16 hexadecimal digits"},
        {"graph net native %x = input_layer() origins [\"a", SLUICE_E_FORMAT, "a string is not closed"},
        {"graph net native %x = input_layer() origins [\"a\\q\"]", SLUICE_E_FORMAT, "an escape in a string"},
        {"graph net native %x = input_layer() : f32 [1] quant s8 scale 1 zero 0", SLUICE_E_FORMAT, "u8 or u16 is expected"},
        {"graph net native %x = input_layer() : f32 [1] quant u8 scale 0 zero 0", SLUICE_E_VALUE, "scale 0 is not a finite"},
        {"graph net native %x = input_layer() : f32 [1] {a = 1}", SLUICE_E_FORMAT, "a node or one of"},
        {"graph net native %x = input_layer() : f32 [2] input a = %x perm [0, 1]", SLUICE_E_FORMAT, "2 axes are given"},
        {"graph net native %x = input_layer() : f32 [2] input a = %x : f32 [3] perm [0]", SLUICE_E_SHAPE, "as many elements"},
        {"graph net native \x01", SLUICE_E_FORMAT, "byte 0x01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_arena *a = sl_arena_new();
        struct sl_graph *g;
        FAILS(sl_text_parse(a, (struct sl_view){(const uint8_t *)cases[i].text, strlen(cases[i].text)}, NULL, &g, &e),
              cases[i].status, cases[i].part);
        sl_arena_free(a);
    }
}

/* Every truncation and 3000 mutations: an error or a graph, never a crash (the sanitizers' run is the check). */
static void hostile_texts(void **state)
{
    (void)state;
    uint64_t r = 1;
    char copy[sizeof everything];
    for (size_t round = 0; round < sizeof everything + 3000; round++) {
        size_t n = sizeof everything - 1;
        memcpy(copy, everything, n);
        if (round < n) {
            n = round;
        } else {
            for (int k = 0; k < 3; k++) {
                r = r * 6364136223846793005u + 1442695040888963407u;
                copy[(r >> 33) % n] = (char)(r >> 24);
            }
        }
        char *exact = malloc(n ? n : 1); /* so that a read past the end is seen */
        memcpy(exact, copy, n);
        sl_arena *a = sl_arena_new();
        struct sl_graph *g;
        struct sluice_error e = {0};
        if (sl_text_parse(a, (struct sl_view){(const uint8_t *)exact, n}, NULL, &g, &e) != SLUICE_OK)
            assert_true(e.message[0]);
        sl_arena_free(a);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),   cmocka_unit_test(short_texts),   cmocka_unit_test(seeds_are_fixed),
        cmocka_unit_test(broken_texts), cmocka_unit_test(hostile_texts),
    };
    return cmocka_run_group_tests_name("ir text", tests, NULL, NULL);
}
