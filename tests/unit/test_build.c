/* test_build.c: the words in which front ends write nodes: what folds, what is left alone, what is bounded, what is refused. */
#include "unit.h"

#include "front/build.h"
#include "front/const_order.h"
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

/* Element by element, as the definition says: axis i of the result is axis perm[i]. */
static void expect_permuted(sl_arena *a, enum sl_dtype t, size_t size, const struct sl_shape *shape, const int64_t *perm)
{
    const struct sl_const *out;
    sl_err e = {0};
    void *data;
    const struct sl_const *k = sl_const_new(a, t, shape, &data);
    for (size_t i = 0; i < sl_shape_elements(shape) * size; i++)
        ((uint8_t *)data)[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_int_equal(sl_const_permute(a, k, perm, &out, &e), SLUICE_OK);
    for (size_t i = 0; i < sl_shape_elements(shape); i++) {
        size_t rest = i, from = 0;
        int64_t index[SL_MAX_RANK];
        for (int axis = out->shape.rank - 1; axis >= 0; axis--) {
            index[perm[axis]] = (int64_t)(rest % (size_t)out->shape.dim[axis]);
            rest /= (size_t)out->shape.dim[axis];
        }
        for (int axis = 0; axis < shape->rank; axis++)
            from = from * (size_t)shape->dim[axis] + (size_t)index[axis];
        assert_memory_equal((const uint8_t *)out->data + i * size, (const uint8_t *)data + from * size, size);
    }
}

static void test_constants_in_another_order(void **state)
{
    static const struct {
        int rank;
        int64_t dims[5], perm[5];
    } cases[] = {
        {2, {40, 50}, {1, 0}},
        {2, {1, 7}, {1, 0}},
        {3, {17, 5, 16}, {2, 0, 1}},
        {4, {33, 3, 5, 2}, {2, 3, 1, 0}},
        {4, {64, 96, 3, 3}, {2, 3, 1, 0}},
        {4, {2, 3, 4, 5}, {0, 2, 3, 1}},
        {5, {3, 2, 5, 1, 4}, {4, 1, 3, 0, 2}},
    };
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        const struct sl_shape s = sl_shape_of(cases[i].rank, cases[i].dims);
        sl_arena *a = sl_arena_new();
        expect_permuted(a, SL_F32, 4, &s, cases[i].perm);
        expect_permuted(a, SL_U8, 1, &s, cases[i].perm);
        expect_permuted(a, SL_S16, 2, &s, cases[i].perm);
        expect_permuted(a, SL_S64, 8, &s, cases[i].perm);
        sl_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants_fold),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_encoding_stays),
        cmocka_unit_test(test_prelu),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_problems_as_one_error),
        cmocka_unit_test(test_constants_in_another_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
