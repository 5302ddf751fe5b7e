/*
 * test_onnx_parts.c: what stands around a parsed network: the parts that start and end nodes cut off, formats of inputs, newer opsets,
 * and the patterns that are found in stored order (focus stems, L2 norms, channel shuffles).
 */
#include "unit.h"

#include "onnx_writer.h"

static const int64_t picture[4] = {1, 4, 6, 6};

/* The beginning of a node with inputs "a b". */
static struct sl_buffer start_node(const char *op, const char *name, const char *inputs, const char *out)
{
    struct sl_buffer b = {0};
    char text[100], *state;
    snprintf(text, sizeof text, "%s", inputs);
    for (char *w = strtok_r(text, " ", &state); w; w = strtok_r(NULL, " ", &state))
        put_text(&b, 1, w);
    put_text(&b, 2, out);
    put_text(&b, 3, name);
    put_text(&b, 4, op);
    return b;
}

/* Adds a node with one list of integers as an attribute (NULL: none). */
static void add(struct model *m, const char *op, const char *name, const char *inputs, const char *out, const char *list, int n,
                const int64_t *v)
{
    struct sl_buffer b = start_node(op, name, inputs, out);
    if (list)
        put_int_list(&b, list, n, v);
    put_message(&m->graph, 1, &b);
}

static void add_int(struct model *m, const char *op, const char *name, const char *inputs, const char *out, const char *attribute,
                    int64_t v)
{
    struct sl_buffer b = start_node(op, name, inputs, out), at = {0};
    put_text(&at, 1, attribute);
    put_int(&at, 3, (uint64_t)v);
    put_int(&at, 20, 2);
    put_message(&b, 5, &at);
    put_message(&m->graph, 1, &b);
}

static void ints(struct model *m, const char *name, int n, const int64_t *v)
{
    initializer(m, name, 7, 1, (int64_t[]){n}, v, (size_t)n * sizeof *v);
}

static struct sl_graph *import(sl_arena *a, struct sl_view bytes, const struct sl_onnx_options *o, struct sl_onnx_report *r)
{
    struct sl_graph *g = NULL;
    sl_err e = {0};
    if (sl_onnx_import(a, "net.onnx", bytes, o, &g, r, &e) != SLUICE_OK)
        fail_msg("%s", e.message);
    return g;
}

static struct sl_view keep(sl_arena *a, struct sl_buffer *file)
{
    struct sl_view v = {sl_arena_memdup(a, file->data, file->size), file->size};
    sl_buffer_free(file);
    return v;
}

/* ---- parts that are cut off ---- */

/* x -> Abs -> Mul w -> Relu -> Sigmoid -> y, and a second output from the Relu */
static struct sl_view chain_model(sl_arena *a)
{
    static const float w[4] = {1, 2, 3, 4};
    struct model m = {0};
    value(&m, 11, "x", 4, picture);
    value(&m, 12, "y", 4, picture);
    value(&m, 12, "z", 4, picture);
    opset(&m, 17);
    initializer(&m, "w", 1, 3, (int64_t[]){4, 1, 1}, w, sizeof w);
    initializer(&m, "v", 1, 3, (int64_t[]){4, 1, 1}, w, sizeof w);
    add(&m, "Mul", "before", "x v", "a", NULL, 0, NULL);
    add(&m, "Mul", "middle", "a w", "b", NULL, 0, NULL);
    add(&m, "Relu", "end", "b", "z", NULL, 0, NULL);
    add(&m, "Sigmoid", "after", "z", "y", NULL, 0, NULL);
    struct sl_buffer file = model_file(&m);
    return keep(a, &file);
}

static int count_layers(const struct sl_graph *g, enum sl_op op)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        n += g->nodes[i]->op == op;
    return n;
}

static void test_cut_parts(void **state)
{
    sl_arena *a = sl_arena_new();
    const char *start = "middle", *end = "end";
    struct sl_onnx_options o = {.common = {.start_nodes = &start, .n_start = 1, .end_nodes = &end, .n_end = 1},
                                .keep_network_part = true};
    struct sl_onnx_report report;
    struct sl_graph *g = import(a, chain_model(a), &o, &report);
    assert_string_equal(g->inputs[0].origin_name, "a");
    assert_string_equal(g->outputs[0].origin_name, "z");
    assert_true(report.preprocess.size > 0 && report.postprocess.size > 0);

    struct sl_graph *before = import(a, report.preprocess, NULL, NULL);
    assert_int_equal(before->n_inputs, 1);
    assert_string_equal(before->inputs[0].origin_name, "x");
    assert_string_equal(before->outputs[0].origin_name, "a");
    assert_int_equal(count_layers(before, SL_OP_ew_mult), 1);
    assert_int_equal(count_layers(before, SL_OP_activation), 0);

    struct sl_graph *behind = import(a, report.postprocess, NULL, NULL);
    assert_string_equal(behind->inputs[0].origin_name, "z");
    assert_int_equal(behind->n_outputs, 1); /* z is the network's own */
    assert_string_equal(behind->outputs[0].origin_name, "y");
    assert_int_equal(count_layers(behind, SL_OP_activation), 1);

    struct sl_graph *network = import(a, report.network, NULL, NULL);
    assert_true(network->n_inputs == 1 && network->n_outputs == 1);
    assert_string_equal(network->inputs[0].origin_name, "a");
    assert_string_equal(network->outputs[0].origin_name, "z");
    assert_int_equal(count_layers(network, SL_OP_ew_mult), 1);
    assert_int_equal(count_layers(network, SL_OP_activation), 1);

    o.drop_cut_parts = true;
    o.keep_network_part = false;
    import(a, chain_model(a), &o, &report);
    assert_int_equal(report.preprocess.size + report.postprocess.size + report.network.size, 0);
    sl_arena_free(a);
}

static void test_nothing_cut(void **state)
{
    sl_arena *a = sl_arena_new();
    const char *start = "x", *ends[2] = {"after", "end"};
    struct sl_onnx_options o = {.common = {.start_nodes = &start, .n_start = 1, .end_nodes = ends, .n_end = 2}};
    struct sl_onnx_report report;
    import(a, chain_model(a), &o, &report);
    assert_int_equal(report.preprocess.size, 0);
    assert_int_equal(report.postprocess.size, 0);
    sl_arena_free(a);
}

/* ---- formats ---- */

static void test_formats(void **state)
{
    sl_arena *a = sl_arena_new();
    struct sl_onnx_format nhwc = {NULL, false}, nchw = {"x", true}, unknown = {"q", true};
    struct sl_onnx_options o = {.formats = &nhwc, .n_formats = 1};
    struct sl_graph *g = import(a, chain_model(a), &o, NULL);
    assert_int_equal(g->inputs[0].node->shape.dim[1], 4); /* as it stands in the file */
    o.formats = &nchw;
    g = import(a, chain_model(a), &o, NULL);
    assert_int_equal(g->inputs[0].node->shape.dim[3], 4); /* channels last */
    o.formats = &unknown;
    sl_err e = {0};
    assert_int_equal(sl_onnx_import(a, "net.onnx", chain_model(a), &o, &g, NULL, &e), SLUICE_E_NOT_FOUND);
    assert_non_null(strstr(e.message, "'q'"));
    sl_arena_free(a);
}

/* ---- opsets ---- */

static struct sl_view one_node(sl_arena *a, const char *op, int64_t version, const char *attribute, int64_t v)
{
    struct model m = {0};
    const float one = 1;
    value(&m, 11, "x", 4, picture);
    value(&m, 12, "y", 4, picture);
    opset(&m, version);
    initializer(&m, "scale", 1, 0, NULL, &one, 4);
    add_int(&m, op, "node", strstr(op, "Quantize") ? "x scale" : "x", "y", attribute, v);
    struct sl_buffer file = model_file(&m);
    return keep(a, &file);
}

static void test_opsets(void **state)
{
    sl_arena *a = sl_arena_new();
    struct sl_onnx_report report;
    struct sl_graph *g = import(a, one_node(a, "Relu", 25, "unused", 0), NULL, &report);
    assert_int_equal(report.opset, 25);
    assert_int_equal(report.common.n_notes, 1);
    assert_non_null(strstr(report.common.notes[0], "opset 25"));
    g = import(a, one_node(a, "Swish", 24, "unused", 0), NULL, NULL);
    assert_int_equal(count_layers(g, SL_OP_activation), 1);

    sl_err e = {0};
    assert_int_equal(sl_onnx_import(a, "net.onnx", one_node(a, "TensorScatter", 24, "axis", 1), NULL, &g, NULL, &e),
                     SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "TensorScatter"));
    e = (sl_err){0};
    assert_int_equal(sl_onnx_import(a, "net.onnx", one_node(a, "QuantizeLinear", 23, "precision", 1), NULL, &g, NULL, &e),
                     SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "QuantizeLinear"));
    assert_non_null(strstr(e.message, "precision"));
    sl_arena_free(a);
}

/* ---- stored order ---- */

/* The parts of a focus stem: rows and columns from these starts, in the order of the concat; then a convolution of one weight per
 * channel. same: all four from the same place, which is no focus. */
static struct sl_graph *focus(sl_arena *a, bool same)
{
    struct model m = {0};
    static const int64_t starts[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
    float w[16];
    for (int i = 0; i < 16; i++)
        w[i] = (float)i;
    value(&m, 11, "x", 4, picture);
    value(&m, 12, "y", 4, (int64_t[]){1, 1, 3, 3});
    opset(&m, 17);
    ints(&m, "ends", 2, (int64_t[]){1 << 30, 1 << 30});
    ints(&m, "axes", 2, (int64_t[]){2, 3});
    ints(&m, "steps", 2, (int64_t[]){2, 2});
    for (int k = 0; k < 4; k++) {
        char name[16], inputs[60], out[16];
        snprintf(name, sizeof name, "starts%d", k);
        snprintf(inputs, sizeof inputs, "x %s ends axes steps", name);
        snprintf(out, sizeof out, "part%d", k);
        ints(&m, name, 2, starts[same ? 0 : k]);
        add(&m, "Slice", out, inputs, out, NULL, 0, NULL);
    }
    initializer(&m, "w", 1, 4, (int64_t[]){1, 16, 1, 1}, w, sizeof w);
    add_int(&m, "Concat", "stack", "part0 part1 part2 part3", "deep", "axis", 1);
    add(&m, "Conv", "conv", "deep w", "y", "kernel_shape", 2, (int64_t[]){1, 1});
    struct sl_buffer file = model_file(&m);
    return import(a, keep(a, &file), NULL, NULL);
}

static void test_focus(void **state)
{
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = focus(a, false);
    assert_int_equal(count_layers(g, SL_OP_space_to_depth), 1);
    assert_int_equal(count_layers(g, SL_OP_slice) + count_layers(g, SL_OP_concat), 0);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        if (n->op == SL_OP_space_to_depth)
            assert_string_equal(n->origins[n->n_origins - 1], "stack");
        if (n->op != SL_OP_conv)
            continue;
        const float *w = sl_param(n, "kernel")->data; /* blocks 1 and 2 have changed places */
        static const float wanted[16] = {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15};
        assert_memory_equal(w, wanted, sizeof wanted);
    }
    g = focus(a, true);
    assert_int_equal(count_layers(g, SL_OP_space_to_depth), 0);
    sl_arena_free(a);
}

static struct sl_graph *l2_norm(sl_arena *a, int64_t axis, float floor)
{
    struct model m = {0};
    value(&m, 11, "x", 4, picture);
    value(&m, 12, "y", 4, picture);
    opset(&m, 17);
    initializer(&m, "floor", 1, 0, NULL, &floor, 4);
    ints(&m, "shape", 4, picture);
    add(&m, "ReduceL2", "norm", "x", "n", "axes", 1, &axis);
    add(&m, "Clip", "clamp", "n floor", "c", NULL, 0, NULL);
    add(&m, "Expand", "expand", "c shape", "e", NULL, 0, NULL);
    add(&m, "Div", "div", "x e", "y", NULL, 0, NULL);
    struct sl_buffer file = model_file(&m);
    return import(a, keep(a, &file), NULL, NULL);
}

static void test_l2_norm(void **state)
{
    sl_arena *a = sl_arena_new();
    assert_int_equal(count_layers(l2_norm(a, 1, 1e-12f), SL_OP_rms_norm), 1);
    assert_int_equal(count_layers(l2_norm(a, 1, 0.5f), SL_OP_rms_norm), 0); /* a floor that shows */
    assert_int_equal(count_layers(l2_norm(a, 2, 1e-12f), SL_OP_rms_norm), 0); /* along the height */
    sl_arena_free(a);
}

static void test_shuffle(void **state)
{
    static const int64_t indices[4] = {0, 2, 1, 3};
    sl_arena *a = sl_arena_new();
    struct model m = {0};
    value(&m, 11, "x", 4, picture);
    value(&m, 12, "y", 4, picture);
    opset(&m, 17);
    ints(&m, "split", 5, (int64_t[]){1, 2, 2, 6, 6});
    ints(&m, "shape", 4, picture);
    add(&m, "Relu", "relu", "x", "r", NULL, 0, NULL);
    add(&m, "Reshape", "groups", "r split", "g", NULL, 0, NULL);
    add(&m, "Transpose", "turn", "g", "t", "perm", 5, (int64_t[]){0, 2, 1, 3, 4});
    add(&m, "Reshape", "merge", "t shape", "y", NULL, 0, NULL);
    struct sl_buffer file = model_file(&m);
    struct sl_graph *g = import(a, keep(a, &file), NULL, NULL);
    assert_int_equal(count_layers(g, SL_OP_gather), 1);
    assert_int_equal(count_layers(g, SL_OP_transpose) + count_layers(g, SL_OP_reshape), 0);
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == SL_OP_gather) {
            assert_memory_equal(sl_param(g->nodes[i], "indices")->data, indices, sizeof indices);
            assert_string_equal(g->nodes[i]->origins[g->nodes[i]->n_origins - 1], "merge");
        }
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_parts), cmocka_unit_test(test_nothing_cut), cmocka_unit_test(test_formats),
        cmocka_unit_test(test_opsets),    cmocka_unit_test(test_focus),       cmocka_unit_test(test_l2_norm),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
