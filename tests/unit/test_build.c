/* test_build.c: the words in which front ends write nodes: what folds, what is left alone, what is bounded, what is refused. */
#include "unit.h"

#include "front/build.h"
#include "front/const_values.h"

struct bench {
    struct sl_build b;
    struct sl_import_report report;
    sl_err e;
};

static void open_bench(struct bench *t, size_t room)
{
    sl_arena *a = sl_arena_new();
    *t = (struct bench){0};
    t->b = (struct sl_build){.a = a, .g = sl_graph_new(a, "net"), .origin = "here", .op = "Op", .room = room};
    t->b.report = &t->report;
    t->b.e = &t->e;
}

static struct sl_node *input(struct bench *t, int rank, const int64_t *dims)
{
    struct sl_node *n = sl_graph_add(t->b.g, SL_OP_input_layer, 0, NULL);
    n->dtype = SL_F32;
    n->shape = sl_shape_of(rank, dims);
    return n;
}

static void test_constants_fold(void **state)
{
    struct bench t;
    struct sl_node *sum, *wide;
    double v;
    const int64_t counts[3] = {1, 2, 3}, dims[2] = {2, 3};
    open_bench(&t, 3);
    struct sl_node *list = sl_build_ints(&t.b, SL_S64, 1, 3, counts);
    assert_int_equal(sl_build_binary(&t.b, SL_OP_ew_add, list, list, &sum), SLUICE_OK);
    assert_int_equal(sum->op, SL_OP_const_input);
    assert_int_equal(sl_const_integer(sl_node_const(sum), 2), 6);
    assert_int_equal(t.b.room, 0);
    assert_int_equal(sl_build_binary(&t.b, SL_OP_ew_add, sum, sum, &wide), SLUICE_E_LIMIT); /* the room is used up */
    assert_non_null(strstr(t.e.message, "3 elements, at most 0 more"));

    const struct sl_const *k;
    void *data;
    const struct sl_shape huge = {2, {INT64_MAX, 2}};
    t.e = (sl_err){0};
    assert_int_equal(sl_build_new_const(&t.b, SL_F32, &sum->shape, &k, &data), SLUICE_E_LIMIT);
    assert_non_null(strstr(t.e.message, "3 elements, at most 0 more"));
    t.e = (sl_err){0};
    assert_int_equal(sl_build_new_const(&t.b, SL_F32, &huge, &k, &data), SLUICE_E_LIMIT);
    assert_non_null(strstr(t.e.message, "is too large"));

    struct sl_shape to = sl_shape_of(2, dims); /* one value stays one value: no room is needed */
    assert_int_equal(sl_build_expand(&t.b, sl_build_f32(&t.b, 0.5), &to, &wide), SLUICE_OK);
    assert_true(sl_node_const(wide)->splat && sl_shape_equal(&wide->shape, &to));
    assert_true(sl_node_scalar(wide, &v) && v == 0.5);
    assert_false(sl_node_scalar(sum, &v));
    sl_arena_free(t.b.a);
}

static void test_nothing_to_do(void **state)
{
    struct bench t;
    struct sl_node *out;
    const int64_t dims[2] = {2, 3}, zero[2] = {0, 0}, one[2] = {1, 1}, straight[2] = {0, 1}, swapped[2] = {1, 0};
    open_bench(&t, 0);
    struct sl_node *x = input(&t, 2, dims);
    assert_int_equal(sl_build_transpose(&t.b, x, straight, &out), SLUICE_OK);
    assert_ptr_equal(out, x);
    assert_int_equal(sl_build_reshape(&t.b, x, 2, dims, &out), SLUICE_OK);
    assert_ptr_equal(out, x);
    assert_int_equal(sl_build_slice(&t.b, x, zero, dims, one, &out), SLUICE_OK);
    assert_ptr_equal(out, x);
    assert_int_equal(sl_build_concat(&t.b, 0, 1, &x, &out), SLUICE_OK);
    assert_ptr_equal(out, x);
    const int64_t no_pads[4] = {0}, pads[4] = {0, 1, 0, 2};
    assert_int_equal(sl_build_cast(&t.b, x, SL_F32, &out), SLUICE_OK);
    assert_ptr_equal(out, x);
    assert_int_equal(sl_build_pad(&t.b, x, no_pads, "constant", 1, &out), SLUICE_OK);
    assert_ptr_equal(out, x);
    assert_int_equal(sl_build_pad(&t.b, x, pads, "edge", 1, &out), SLUICE_OK);
    assert_int_equal(out->shape.dim[1], 6);
    assert_null(sl_attr(out, "value")); /* of constant padding alone */
    assert_int_equal(sl_build_transpose(&t.b, x, swapped, &out), SLUICE_OK);
    assert_int_equal(out->op, SL_OP_transpose);
    assert_int_equal(out->shape.dim[0], 3);
    assert_string_equal(out->origins[0], "here");
    sl_arena_free(t.b.a);
}

/* What the integers of a file mean goes with them. */
static void test_encoding_stays(void **state)
{
    struct bench t;
    struct sl_node *out;
    const int64_t v[2] = {1, 2}, dims[2] = {2, 1}, swapped[2] = {1, 0};
    open_bench(&t, 0);
    struct sl_node *k = sl_build_ints(&t.b, SL_S32, 1, 2, v);
    k->quant = (struct sl_quant){.dtype = SL_U8, .scale = 0.5f, .zero_point = 3};
    assert_int_equal(sl_build_reshape(&t.b, k, 2, dims, &out), SLUICE_OK);
    assert_int_equal(out->quant.zero_point, 3);
    assert_int_equal(sl_build_transpose(&t.b, out, swapped, &out), SLUICE_OK);
    assert_int_equal(out->quant.zero_point, 3);
    assert_int_equal(out->shape.dim[1], 2);
    sl_arena_free(t.b.a);
}

static void test_prelu(void **state)
{
    struct bench t;
    struct sl_node *out;
    const int64_t dims[2] = {2, 3}, channels[1] = {3};
    open_bench(&t, 0);
    struct sl_node *x = input(&t, 2, dims);
    assert_int_equal(sl_build_prelu(&t.b, x, sl_build_f32(&t.b, 0.25), &out), SLUICE_OK);
    assert_string_equal(sl_get_string(out, "type", ""), "leaky_relu");
    assert_int_equal(sl_build_prelu(&t.b, x, input(&t, 1, channels), &out), SLUICE_OK);
    assert_int_equal(out->op, SL_OP_ew_add);
    assert_true(sl_shape_equal(&out->shape, &x->shape));
    sl_arena_free(t.b.a);
}

static void test_refusals(void **state)
{
    struct bench t;
    struct sl_node *out;
    int axis;
    const int64_t dims[2] = {2, 3}, long_one[SL_MAX_RANK + 1] = {6}, flat[1] = {5};
    open_bench(&t, 0);
    struct sl_node *x = input(&t, 2, dims);
    assert_int_equal(sl_build_reshape(&t.b, x, 1, flat, &out), SLUICE_E_SHAPE);
    assert_non_null(strstr(t.e.message, "cannot be reshaped to"));
    t.e = (sl_err){0};
    assert_int_equal(sl_build_axis(&t.b, -1, 2, &axis), SLUICE_OK);
    assert_int_equal(axis, 1);
    assert_int_equal(sl_build_axis(&t.b, 2, 2, &axis), SLUICE_E_VALUE);
    assert_non_null(strstr(t.e.message, "axis 2 is outside -2..1"));
    t.e = (sl_err){0};
    assert_int_equal(sl_build_reshape(&t.b, x, SL_MAX_RANK + 1, long_one, &out), SLUICE_E_UNSUPPORTED);
    assert_int_equal(t.e.code, SLUICE_OK); /* a problem of the report, not yet an error */
    assert_int_equal(t.report.n_problems, 1);
    assert_string_equal(t.report.problems[0].node, "here");
    assert_string_equal(t.report.problems[0].op, "Op");
    sl_arena_free(t.b.a);
}

static void test_problems_as_one_error(void **state)
{
    struct bench t;
    const char *end = "conv";
    open_bench(&t, 0);
    sl_unsupported(&t.b, "no %s", "way");
    assert_int_equal(sl_fail_problems(&t.report, "node", "nothing is left", &t.e), SLUICE_E_UNSUPPORTED);
    assert_string_equal(t.e.message, "1 unsupported node: node 'here' (Op): no way");
    assert_string_equal(t.e.hint, "nothing is left");

    for (int i = 0; i < 99; i++) /* more than a message holds */
        sl_unsupported(&t.b, "a reason of some length, so that a hundred of them are too long for one message");
    t.report.n_recommended = 1;
    t.report.recommended = &end;
    t.e = (sl_err){0};
    assert_int_equal(sl_fail_problems(&t.report, "node", "nothing is left", &t.e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(t.e.message, "100 unsupported nodes: "));
    int told = 0, left = 0;
    for (const char *at = t.e.message; (at = strstr(at, "node 'here'")) != NULL; at++)
        told++;
    assert_int_equal(sscanf(strstr(t.e.message, "; and "), "; and %d more", &left), 1);
    assert_int_equal(told + left, 100);
    assert_non_null(strstr(t.e.hint, "end node names: conv"));
    sl_arena_free(t.b.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants_fold), cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_encoding_stays), cmocka_unit_test(test_prelu),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_problems_as_one_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
