/* test_names.c: the two-pass rule on small graphs; expected names by hand from the rule's text. */
#include <time.h>

#include "ir/name.h"
#include "ir/text.h"
#include "unit.h"

/* Parse, name, and compare the names in node order, separated by blanks. */
static void check(const char *text, const char *expected)
{
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = NULL;
    struct sl_node *order[64];
    char names[4096] = "";
    size_t at = 0;
    OK(sl_text_parse(a, (struct sl_view){(const uint8_t *)text, strlen(text)}, NULL, &g, &e));
    memcpy(order, g->nodes, (size_t)g->n_nodes * sizeof *order);
    OK(sl_assign_names(g, &e));
    OK(sl_graph_verify(g, &e));
    for (int i = 0; i < g->n_nodes; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? " " : "", order[i]->name);
    assert_string_equal(names, expected);
    sl_arena_free(a);
}

#define T4 " : f32 [1, 8, 8, 4]"

static void followers(void **state)
{
    (void)state;
    check("graph net native %0 = input_layer()" T4 "%1 = conv(%0)" T4 "%2 = batch_norm(%1)" T4
          "%3 = activation(%2) {type = \"relu6\"}" T4 "%4 = const_input() : f32 [1, 1, 1, 4]"
          "%5 = ew_mult(%3, %4)" T4 "%6 = bias_add(%5)" T4 "%7 = output_layer(%6)" T4,
          "input_layer1 conv1 conv1_batch_norm conv1_relu6 const_input1 conv1_ew_mult conv1_bias_add output_layer1");
    /* SiLU and hard swish as two nodes; the second product's other input is of another layer */
    check("graph net native %0 = input_layer()" T4 "%1 = conv(%0)" T4 "%2 = activation(%1) {type = \"sigmoid\"}" T4
          "%3 = ew_mult(%1, %2)" T4 "%4 = dw(%3)" T4 "%5 = activation(%4) {type = \"hard_sigmoid\"}" T4
          "%6 = ew_mult(%5, %4)" T4 "%7 = conv(%6)" T4 "%8 = activation(%7) {type = \"sigmoid\"}" T4 "%9 = ew_mult(%6, %8)" T4
          "%10 = output_layer(%9)" T4,
          "input_layer1 conv1 conv1_sigmoid conv1_ew_mult dw1 dw1_hard_sigmoid dw1_ew_mult conv2 conv2_sigmoid ew_mult1 "
          "output_layer1");
    /* twice the same follower */
    check("graph net native %0 = input_layer()" T4 "%1 = ew_add(%0, %0)" T4 "%2 = activation(%1) {type = \"relu\"}" T4
          "%3 = activation(%2) {type = \"relu\"}" T4 "%4 = output_layer(%3)" T4,
          "input_layer1 ew_add1 ew_add1_relu ew_add1_relu_2 output_layer1");
}

static void stand_alone(void **state)
{
    (void)state;
    /* an activation of an input, of a concat, and of a value that others read too */
    check("graph net native %0 = input_layer()" T4 "%1 = activation(%0) {type = \"relu\"}" T4 "%2 = conv(%1)" T4
          "%3 = activation(%2) {type = \"relu\"}" T4 "%4 = ew_add(%2, %3)" T4 "%5 = concat(%4) : f32 [1, 8, 8, 4]"
          "%6 = batch_norm(%5)" T4 "%7 = output_layer(%6)" T4,
          "input_layer1 activation1 conv1 activation2 ew_add1 concat1 batch_norm1 output_layer1");
    /* a constant that widens its input is no scale; kinds that are counted as others */
    check("graph net native %0 = input_layer() : f32 [1, 5, 4] %1 = fc(%0) : f32 [1, 5, 4] %2 = const_input() : f32 [5, 4]"
          "%3 = ew_add(%1, %2) : f32 [1, 5, 4] %4 = reshape(%3) : f32 [1, 4, 5, 1] %5 = reduce_mean(%4) {axes = [1, 2]} : f32 "
          "[1, 1]"
          "%6 = fc(%5) : f32 [1, 1] %7 = output_layer(%6) : f32 [1, 1]",
          "input_layer1 conv1 const_input1 ew_add1 reshape1 avgpool1 fc1 output_layer1");
}

/* Rows of a matrix that are tokens, or one token picked out, are linear layers counted as conv; behind a flattening they are
 * fc. */
static void dense_layers(void **state)
{
    (void)state;
    check("graph net native %0 = input_layer() : f32 [1, 5, 4] %1 = reshape(%0) : f32 [5, 4] %2 = fc(%1) : f32 [5, 4]"
          "%3 = reshape(%2) : f32 [1, 5, 4] %4 = gather(%3) : f32 [1, 4] %5 = fc(%4) : f32 [1, 4]"
          "%6 = activation(%5) {type = \"relu\"} : f32 [1, 4] %7 = fc(%6) : f32 [1, 4] %8 = output_layer(%7) : f32 [1, 4]",
          "input_layer1 reshape1 conv1 reshape2 gather1 conv2 conv2_relu conv3 output_layer1");
    check("graph net native %0 = input_layer() : f32 [1, 5, 4] %1 = reshape(%0) : f32 [1, 20] %2 = fc(%1) : f32 [1, 4]"
          "%3 = activation(%2) {type = \"relu\"} : f32 [1, 4] %4 = fc(%3) : f32 [1, 4] %5 = output_layer(%4) : f32 [1, 4]",
          "input_layer1 reshape1 fc1 fc1_relu fc2 output_layer1");
    check("graph net native %0 = input_layer() : f32 [1, 1, 1, 4] %1 = reshape(%0) : f32 [1, 4] %2 = fc(%1) : f32 [1, 4]"
          "%3 = output_layer(%2) : f32 [1, 4]",
          "input_layer1 reshape1 fc1 output_layer1");
}

/* Consumers enter in the text order of their origins, and the second pass runs down a branch of convs before anything else. */
static void two_passes(void **state)
{
    (void)state;
    check("graph net native %0 = input_layer()" T4 "%1 = conv(%0)" T4 "origins [\"stem\"]"
          "%2 = conv(%1)" T4 "origins [\"b/0\"] %3 = conv(%2)" T4 "origins [\"b/1\"]"
          "%4 = conv(%1)" T4 "origins [\"a/0\"] %5 = maxpool(%1)" T4 "origins [\"a/pool\"]"
          "%6 = dw(%5)" T4 "origins [\"x\"] %7 = concat(%3, %4, %6)" T4 "%8 = output_layer(%7)" T4,
          /* first pass: stem 1; a/0 2, a/pool, b/0 3; then x, b/1 4. Second pass: conv2, conv3, conv4 before the pool */
          "input_layer1 conv1 conv3 conv4 conv2 maxpool1 dw1 concat1 output_layer1");
    /* keys are text: of ten parallel convs the tenth (conv10, as first numbered) comes before the second */
    check("graph net native %0 = input_layer()" T4 "%1 = conv(%0)" T4 "origins [\"a\"] %2 = conv(%0)" T4
          "origins [\"b\"] %3 = conv(%0)" T4 "origins [\"c\"]"
          "%4 = conv(%0)" T4 "origins [\"d\"] %5 = conv(%0)" T4 "origins [\"e\"] %6 = conv(%0)" T4 "origins [\"f\"]"
          "%7 = conv(%0)" T4 "origins [\"g\"] %8 = conv(%0)" T4 "origins [\"h\"] %9 = conv(%0)" T4 "origins [\"i\"]"
          "%10 = conv(%0)" T4 "origins [\"j\"] %11 = concat(%1, %2, %3, %4, %5, %6, %7, %8, %9, %10)" T4
          "%12 = output_layer(%11)" T4,
          "input_layer1 conv1 conv3 conv4 conv5 conv6 conv7 conv8 conv9 conv10 conv2 concat1 output_layer1");
}

/* Of ready layers avgpool is the least, "avgpool1" < "base_conv..": the pooled conv is numbered before the depthwise branch's.
 */
static void pooling_before_depthwise(void **state)
{
    (void)state;
    check("graph net native %0 = input_layer()" T4 "%1 = conv(%0)" T4 "%2 = dw(%1)" T4 "origins [\"a\"] %3 = conv(%2)" T4
          "%4 = avgpool(%1) : f32 [1, 1, 1, 4] origins [\"b\"] %5 = conv(%4) : f32 [1, 1, 1, 4]"
          "%6 = ew_mult(%3, %5)" T4 "%7 = output_layer(%6)" T4,
          "input_layer1 conv1 dw1 conv3 avgpool1 conv2 ew_mult1 output_layer1");
}

/* Numbered origins go by number, others by text. */
static void order_of_consumers(void **state)
{
    (void)state;
    check("graph net native %0 = input_layer()" T4 "%1 = conv(%0)" T4 "origins [\"Conv_100\"] %2 = conv(%0)" T4
          "origins [\"Conv_99\"]"
          "%3 = conv(%0)" T4 "origins [\"Conv_10x\"] %4 = conv(%0)" T4 "origins [\"/m.114/Conv\"]"
          "%5 = conv(%0)" T4 "origins [\"/m.88/Conv\"] %6 = concat(%1, %2, %3, %4, %5)" T4 "%7 = output_layer(%6)" T4,
          "input_layer1 conv4 conv3 conv5 conv1 conv2 concat1 output_layer1");
}

/* Slices of one split are one layer in the order; what leads nowhere is named last; ports follow the model's order. */
static void splits_ports_and_dead_ends(void **state)
{
    (void)state;
    check("graph net native %0 = input_layer()" T4 "%1 = input_layer()" T4 "%2 = slice(%0)" T4 "origins [\"split\"]"
          "%3 = slice(%0)" T4 "origins [\"split\"] %4 = conv(%3)" T4 "origins [\"z\"] %5 = conv(%2)" T4 "origins [\"y\"]"
          "%6 = ew_add(%4, %5)" T4 "%7 = ew_add(%6, %1)" T4 "%8 = conv(%7)" T4 "%9 = output_layer(%7)" T4
          "%10 = output_layer(%6)" T4
          "input b = %1 : f32 [1, 8, 8, 4] perm [0, 1, 2, 3] input a = %0 : f32 [1, 8, 8, 4] perm [0, 1, 2, 3]"
          "output second = %10 : f32 [1, 8, 8, 4] perm [0, 1, 2, 3] output first = %9 : f32 [1, 8, 8, 4] perm [0, 1, 2, 3]",
          "input_layer2 input_layer1 slice1 slice2 conv2 conv1 ew_add1 ew_add2 conv3 output_layer2 output_layer1");
}

/* 20,000 nodes in well under a second also where everything hangs on one node or one layer; the bound is loose for sanitizers.
 */
static void near_linear(void **state)
{
    (void)state;
    enum { N = 20000 };
    for (int shape = 0; shape < 3; shape++) {
        sl_arena *a = sl_arena_new();
        struct sl_graph *g = sl_graph_new(a, "net");
        struct sl_node *x = sl_graph_add(g, SL_OP_input_layer, 0, NULL), *last = sl_graph_add(g, SL_OP_conv, 1, &x);
        struct sl_node **all = SL_NEW_ARRAY(a, struct sl_node *, N);
        for (int i = 0; i < N; i++) {
            struct sl_node *from = shape == 0 ? x : last; /* a fan, a chain of followers, a chain of layers */
            last = sl_graph_add(g, shape == 1 ? SL_OP_batch_norm : SL_OP_conv, 1, &from);
            sl_node_add_origin(a, last, sl_arena_printf(a, "node%d", (i * 7919) % N));
            all[i] = last;
        }
        sl_graph_add(g, SL_OP_output_layer, 1, (struct sl_node *[]){sl_graph_add(g, SL_OP_concat, N, all)});
        clock_t start = clock();
        OK(sl_assign_names(g, &e));
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5.0);
        sl_arena_free(a);
    }
}

static void cycles_fail(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_graph *g = sl_graph_new(a, "net");
    struct sl_node *x = sl_graph_add(g, SL_OP_input_layer, 0, NULL);
    struct sl_node *n = sl_graph_add(g, SL_OP_ew_add, 2, (struct sl_node *[]){x, x});
    n->in[1] = n;
    FAILS(sl_assign_names(g, &e), SLUICE_E_FORMAT, "cycle");
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(followers),
        cmocka_unit_test(stand_alone),
        cmocka_unit_test(dense_layers),
        cmocka_unit_test(two_passes),
        cmocka_unit_test(pooling_before_depthwise),
        cmocka_unit_test(order_of_consumers),
        cmocka_unit_test(splits_ports_and_dead_ends),
        cmocka_unit_test(near_linear),
        cmocka_unit_test(cycles_fail),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
