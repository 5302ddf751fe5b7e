/* test_onnx_hostile.c: broken and unsupported ONNX models, built here byte by byte: one clear error each. */
#include "unit.h"

#include "onnx_writer.h"

/* x [1, 6] -> ... -> y */
static struct model start(void)
{
    struct model m = {0};
    value(&m, 11, "x", 2, (int64_t[]){1, 6});
    value(&m, 12, "y", 2, (int64_t[]){1, 6});
    opset(&m, 17);
    return m;
}

static sluice_status import(struct model *m, const struct sl_onnx_options *o, sl_err *e)
{
    struct sl_buffer file = model_file(m);
    sl_arena *a = sl_arena_new();
    struct sl_graph *g;
    struct sl_onnx_report report;
    sluice_status s = sl_onnx_import(a, "net.onnx", (struct sl_view){file.data, file.size}, o, &g, &report, e);
    sl_buffer_free(&file);
    sl_arena_free(a);
    return s;
}

static void expect(struct model *m, sluice_status code, const char *part)
{
    sl_err e = {0};
    sluice_status s = import(m, NULL, &e);
    if (s != code || !strstr(e.message, part))
        fail_msg("status %s, message \"%s\"; wanted %s with \"%s\"", sluice_status_name(s), e.message, sluice_status_name(code),
                 part);
    if (code != SLUICE_OK && strncmp(e.message, "net.onnx: ", 10) != 0)
        fail_msg("the message does not begin with the file: \"%s\"", e.message);
}

/* ---- structure ---- */

static void test_sound(void **state)
{
    struct model m = start();
    node(&m, "Relu", "r", "x", NULL, "y");
    expect(&m, SLUICE_OK, "");
}

static void test_cycle(void **state)
{
    struct model m = start();
    node(&m, "Add", "first", "x", "b", "a");
    node(&m, "Relu", "second", "a", NULL, "b");
    node(&m, "Neg", "third", "b", NULL, "y");
    expect(&m, SLUICE_E_FORMAT, "in a cycle");
    m = start();
    node(&m, "Add", "self", "x", "y", "y");
    expect(&m, SLUICE_E_FORMAT, "in a cycle");
}

static void test_any_order(void **state)
{
    struct model m = start();
    node(&m, "Neg", "last", "a", NULL, "y");
    node(&m, "Relu", "first", "x", NULL, "a");
    expect(&m, SLUICE_OK, "");
}

static void test_names(void **state)
{
    struct model m = start();
    node(&m, "Relu", "one", "x", NULL, "y");
    node(&m, "Neg", "two", "x", NULL, "y");
    expect(&m, SLUICE_E_FORMAT, "value 'y' is made twice, by 'one' and by 'two'");
    m = start();
    node(&m, "Relu", "one", "x", NULL, "x");
    expect(&m, SLUICE_E_FORMAT, "already an input");
    m = start();
    value(&m, 11, "x", 2, (int64_t[]){1, 6});
    node(&m, "Relu", "one", "x", NULL, "y");
    expect(&m, SLUICE_E_FORMAT, "input 'x' is there twice");
    m = start();
    initializer(&m, "w", 1, 1, (int64_t[]){1}, "abcd", 4);
    initializer(&m, "w", 1, 1, (int64_t[]){1}, "abcd", 4);
    node(&m, "Add", "one", "x", "w", "y");
    expect(&m, SLUICE_E_FORMAT, "initializer 'w' is there twice");
}

static void test_missing(void **state)
{
    struct model m = start();
    node(&m, "Add", "sum", "x", "nowhere", "y");
    expect(&m, SLUICE_E_FORMAT, "node 'sum' (Add): input 'nowhere' is made by no node");
    m = start();
    node(&m, "Relu", "r", "x", NULL, "z");
    expect(&m, SLUICE_E_FORMAT, "output 'y' is made by no node");
    m = start();
    node(&m, "Add", "sum", "x", NULL, "y");
    expect(&m, SLUICE_E_FORMAT, "1 inputs, Add takes 2");
}

/* ---- shapes ---- */

static void test_dims(void **state)
{
    struct model m = {0};
    value(&m, 11, "x", 2, (int64_t[]){1, -7});
    value(&m, 12, "y", 2, (int64_t[]){1, 6});
    opset(&m, 17);
    node(&m, "Relu", "r", "x", NULL, "y");
    expect(&m, SLUICE_E_SHAPE, "dimension 1 is -7");
    m = (struct model){0};
    value(&m, 11, "x", 4, (int64_t[]){1, (int64_t)1 << 40, (int64_t)1 << 40, (int64_t)1 << 40});
    value(&m, 12, "y", 0, NULL);
    opset(&m, 17);
    node(&m, "Relu", "r", "x", NULL, "y");
    expect(&m, SLUICE_E_LIMIT, "larger than 2^40");
    m = (struct model){0};
    value(&m, 11, "x", 2, (int64_t[]){1, -1});
    value(&m, 12, "y", 0, NULL);
    opset(&m, 17);
    node(&m, "Relu", "r", "x", NULL, "y");
    expect(&m, SLUICE_E_SHAPE, "dimension 1 ('n') is not fixed");
}

static void test_tensor_sizes(void **state)
{
    struct model m = start();
    initializer(&m, "w", 1, 2, (int64_t[]){(int64_t)1 << 33, (int64_t)1 << 33}, "abcd", 4);
    node(&m, "Add", "sum", "x", "w", "y");
    expect(&m, SLUICE_E_SHAPE, "too large");
    m = start();
    initializer(&m, "w", 1, 1, (int64_t[]){6}, "abcd", 4);
    node(&m, "Add", "sum", "x", "w", "y");
    expect(&m, SLUICE_E_FORMAT, "4 bytes of data, its shape and type need 24");
    m = start();
    initializer(&m, "w", 1, 1, (int64_t[]){-6}, "abcd", 4);
    node(&m, "Add", "sum", "x", "w", "y");
    expect(&m, SLUICE_E_SHAPE, "negative");
    m = start();
    initializer(&m, "w", 8, 1, (int64_t[]){1}, "abcd", 4);
    node(&m, "Add", "sum", "x", "w", "y");
    expect(&m, SLUICE_E_UNSUPPORTED, "type string");
    m = start(); /* as an output it belongs to no node that could be left out */
    initializer(&m, "w", 8, 1, (int64_t[]){1}, "abcd", 4);
    value(&m, 12, "w", 1, (int64_t[]){1});
    node(&m, "Relu", "r", "x", NULL, "y");
    expect(&m, SLUICE_E_UNSUPPORTED, "tensor 'w' has type string");
}

static void test_reshape(void **state)
{
    static const int64_t bad[][2] = {{4, 4}, {(int64_t)1 << 62, (int64_t)1 << 62}, {-1, -1}, {-5, 6}, {-1, 0}};
    for (size_t i = 0; i < SL_COUNT(bad); i++) {
        struct model m = start();
        initializer(&m, "s", 7, 1, (int64_t[]){2}, bad[i], sizeof bad[i]);
        node(&m, "Reshape", "shape", "x", "s", "y");
        sl_err e = {0};
        sluice_status s = import(&m, NULL, &e);
        bool copies = bad[i][1] == 0; /* 0 takes the input's 6, -1 the rest: sound */
        assert_int_equal(s, copies ? SLUICE_OK : SLUICE_E_SHAPE);
    }
}

/* A few bytes that ask for gigabytes. */
static void test_expansion(void **state)
{
    static const int64_t rows[2] = {1 << 20, 1}, columns[2] = {1, 1 << 20};
    struct model m = start();
    initializer(&m, "r", 7, 1, (int64_t[]){2}, rows, sizeof rows);
    initializer(&m, "c", 7, 1, (int64_t[]){2}, columns, sizeof columns);
    initializer(&m, "from", 7, 0, NULL, "\0\0\0\0\0\0\0", 8);
    initializer(&m, "limit", 7, 0, NULL, "\0\0\x10\0\0\0\0", 8);
    initializer(&m, "one", 7, 0, NULL, "\1\0\0\0\0\0\0", 8);
    struct sl_buffer n = {0};
    put_text(&n, 1, "from");
    put_text(&n, 1, "limit");
    put_text(&n, 1, "one");
    put_text(&n, 2, "range");
    put_text(&n, 4, "Range");
    put_message(&m.graph, 1, &n);
    node(&m, "Reshape", "a", "range", "r", "tall");
    node(&m, "Reshape", "b", "range", "c", "wide");
    node(&m, "Add", "sum", "tall", "wide", "y");
    expect(&m, SLUICE_E_LIMIT, "a computed constant of 1099511627776 elements");
}

/* ---- what is not supported ---- */

static void test_unsupported(void **state)
{
    struct model m = start();
    node(&m, "Relu", "keep", "x", NULL, "a");
    node(&m, "Mystery", "bad1", "a", NULL, "b");
    node(&m, "Neg", "after", "b", NULL, "c");
    node(&m, "Riddle", "bad2", "a", NULL, "d");
    node(&m, "Add", "sum", "c", "d", "y");
    sl_err e = {0};
    assert_int_equal(import(&m, NULL, &e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "2 unsupported nodes: node 'bad1' (Mystery)"));
    assert_non_null(strstr(e.message, "node 'bad2' (Riddle)"));
    assert_null(strstr(e.message, "'after'"));
    assert_string_equal(e.hint + strlen(e.hint) - strlen("using these end node names: keep"),
                        "using these end node names: keep");
}

static void test_end_nodes(void **state)
{
    struct model m = start();
    const char *end = "keep", *wrong = "keap";
    struct sl_onnx_options o = {.common = {.end_nodes = &end, .n_end = 1}};
    sl_err e = {0};
    node(&m, "Relu", "keep", "x", NULL, "a");
    node(&m, "Mystery", "bad", "a", NULL, "y");
    assert_int_equal(import(&m, &o, &e), SLUICE_OK);
    m = start();
    node(&m, "Relu", "keep", "x", NULL, "a");
    o.common.end_nodes = &wrong;
    assert_int_equal(import(&m, &o, &e), SLUICE_E_NOT_FOUND);
    assert_non_null(strstr(e.message, "end node 'keap' is not in the model"));
    assert_non_null(strstr(e.hint, "did you mean 'keep'?"));
}

static void test_start_nodes(void **state)
{
    struct model m = start();
    const char *from = "second";
    struct sl_onnx_options o = {.common = {.start_nodes = &from, .n_start = 1}};
    sl_err e = {0};
    node(&m, "Relu", "first", "x", NULL, "a");
    node(&m, "Neg", "second", "a", NULL, "y");
    assert_int_equal(import(&m, &o, &e), SLUICE_OK);
}

/* "NODE:k" is what the node makes; the rest of the graph may not lead to the outputs around it. */
static void test_start_tensors(void **state)
{
    static const struct {
        const char *from, *error, *hint; /* NULL: accepted */
    } cases[] = {
        {"first:0", NULL, NULL},
        {"a:0", NULL, NULL},
        {"first:1", "start node 'first:1' is not in the model", "did you mean 'first'?"},
        {"first:", "start node 'first:' is not in the model", "did you mean 'first'?"},
        {":0", "start node ':0' is not in the model", ""},
        {"first:0000000", "start node 'first:0000000' is not in the model", ""},
        {"other:0", "the file's input 'x' is still needed", ""},
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct model m = start();
        struct sl_onnx_options o = {.common = {.start_nodes = &cases[i].from, .n_start = 1}};
        sl_err e = {0};
        node(&m, "Relu", "first", "x", NULL, "a");
        node(&m, "Neg", "other", "x", NULL, "b");
        node(&m, "Neg", "second", "a", NULL, "y");
        sluice_status s = import(&m, &o, &e);
        assert_int_equal(s == SLUICE_OK, cases[i].error == NULL);
        if (cases[i].error) {
            assert_non_null(strstr(e.message, cases[i].error));
            assert_non_null(strstr(e.hint, cases[i].hint));
        }
    }
}

/* What start nodes cut off still tells its shape, and nothing else. */
static void test_shape_of_cut_input(void **state)
{
    static const struct {
        const char *op, *reader, *error;
    } cases[] = {{"Shape", "Reshape", NULL}, {"Size", "Trilu", NULL}, {"Neg", "Mul", "the file's input 'x' is still needed"}};
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct model m = start();
        const char *from = "first:0";
        struct sl_onnx_options o = {.common = {.start_nodes = &from, .n_start = 1}};
        sl_err e = {0};
        node(&m, "Relu", "first", "x", NULL, "a");
        node(&m, cases[i].op, "other", "x", NULL, "s");
        node(&m, cases[i].reader, "second", "a", "s", "y");
        sluice_status s = import(&m, &o, &e);
        if (cases[i].error)
            assert_non_null(strstr(e.message, cases[i].error));
        else if (s != SLUICE_OK)
            fail_msg("%s: %s", cases[i].op, e.message);
    }
}

/* ---- nesting and calls ---- */

static void test_deep_graphs(void **state)
{
    struct sl_buffer inner = {0};
    put_text(&inner, 2, "g");
    for (int i = 0; i < 100; i++) {
        struct sl_buffer at = {0}, n = {0};
        put_text(&at, 1, "then_branch");
        put_message(&at, 6, &inner);
        put_int(&at, 20, 5);
        put_text(&n, 2, "o");
        put_text(&n, 4, "If");
        put_message(&n, 5, &at);
        put_message(&inner, 1, &n);
    }
    struct model m = start();
    sl_put(&m.graph, inner.data, inner.size);
    sl_buffer_free(&inner);
    expect(&m, SLUICE_E_LIMIT, "graphs inside graphs deeper than");
}

/* calls: how often the body calls `callee` in a chain */
static void function(struct model *m, const char *name, const char *callee, int calls)
{
    struct sl_buffer f = {0}, o = {0};
    put_text(&f, 1, name);
    put_text(&f, 4, "a0");
    put_text(&f, 10, "own");
    put_int(&o, 2, 17);
    put_message(&f, 9, &o);
    for (int i = 0; i < calls; i++) {
        struct sl_buffer n = {0};
        char from[16], to[16];
        snprintf(from, sizeof from, "a%d", i);
        snprintf(to, sizeof to, "a%d", i + 1);
        put_text(&n, 1, from);
        put_text(&n, 2, to);
        put_text(&n, 4, callee);
        put_text(&n, 7, strcmp(callee, "Relu") == 0 ? "" : "own");
        put_message(&f, 7, &n);
        if (i == calls - 1)
            put_text(&f, 5, to);
    }
    put_message(&m->rest, 25, &f);
}

static void call(struct model *m, const char *name)
{
    struct sl_buffer n = {0};
    put_text(&n, 1, "x");
    put_text(&n, 2, "y");
    put_text(&n, 3, "call");
    put_text(&n, 4, name);
    put_text(&n, 7, "own");
    put_message(&m->graph, 1, &n);
}

static void test_functions(void **state)
{
    struct model m = start();
    function(&m, "f", "Relu", 3);
    call(&m, "f");
    expect(&m, SLUICE_OK, "");
    m = start();
    function(&m, "f", "f", 1);
    call(&m, "f");
    expect(&m, SLUICE_E_LIMIT, "deeper than");
    m = start(); /* 8^20 nodes if it were expanded */
    char name[16], callee[16];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(callee, sizeof callee, "f%d", i + 1);
        function(&m, name, i == 19 ? "Relu" : callee, 8);
    }
    call(&m, "f0");
    expect(&m, SLUICE_E_LIMIT, "expand to more than");
}

/* ---- other files ---- */

static void check_bytes(struct sl_view bytes, const char *part, const char *hint)
{
    sl_err e = {0};
    sl_arena *a = sl_arena_new();
    struct sl_graph *g;
    assert_int_equal(sl_onnx_import(a, "net.onnx", bytes, NULL, &g, NULL, &e), SLUICE_E_FORMAT);
    if (!strstr(e.message, part) || !strstr(e.hint, hint))
        fail_msg("message \"%s\", hint \"%s\"", e.message, e.hint);
    sl_arena_free(a);
}

static void test_content(void **state)
{
    check_bytes(VIEW(""), "empty", "");
    check_bytes(VIEW("\x1c\0\0\0TFL3\0\0\0\0"), "TFLite", "sluice parser tflite");
    check_bytes(VIEW("PK\3\4........................"), "zip", "torch.onnx.export");
    check_bytes(VIEW("\x89HDF\r\n\x1a\n"), "HDF5", "tf2onnx");
    check_bytes(VIEW("{\"name\": \"net\"}"), "text", "onnx.save");
    check_bytes(VIEW("ir_version: 8\ngraph { }"), "text form", "onnx.save");
    check_bytes(VIEW("\x08\x08\xff\xff\xff\xff\xff\xff"), "damaged", "");
    check_bytes(VIEW("\x08\x08"), "no graph", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),        cmocka_unit_test(test_cycle),     cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_missing),   cmocka_unit_test(test_dims),
        cmocka_unit_test(test_tensor_sizes), cmocka_unit_test(test_reshape),   cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_unsupported),  cmocka_unit_test(test_end_nodes), cmocka_unit_test(test_start_nodes),
        cmocka_unit_test(test_start_tensors),
        cmocka_unit_test(test_shape_of_cut_input),
        cmocka_unit_test(test_deep_graphs),  cmocka_unit_test(test_functions), cmocka_unit_test(test_content),
    };
    return cmocka_run_group_tests_name("onnx hostile", tests, NULL, NULL);
}
