/*
 * test_onnx_patterns.c: each pattern of front/patterns.c, as exporters write it, and near misses that must stay as they are. A
 * case is a list of nodes "Op input... output;" over x [1, 4, 6] and named constants, and the layers expected between input and
 * output.
 */
#include "unit.h"

#include "onnx_writer.h"

static const struct {
    const char *name;
    float value;
} scalars[] = {{"root2", 1.41421356f},
               {"inv_root2", 0.70710678f},
               {"one", 1},
               {"two", 2},
               {"three", 3},
               {"six", 6},
               {"zero", 0},
               {"half", 0.5f},
               {"sixth", 1.0f / 6},
               {"c1", 0.044715f},
               {"c2", 0.7978845608f},
               {"tiny", 1e-5f},
               {"under", -1e-5f},
               {"sig", 1.702f},
               {"sharp", -50},
               {"fifty", 50}};

static const struct {
    const char *name, *nodes, *layers;
} cases[] = {
    {"sigmoid", "Neg x n; Exp n e; Add e one a; Div one a y", "sigmoid"},
    {"sigmoid as a reciprocal", "Neg x n; Exp n e; Add one e a; Reciprocal a y", "sigmoid"},
    {"sigmoid with a factor", "Mul x sharp n; Exp n e; Add e one a; Reciprocal a y", "ew_mult sigmoid"},
    {"sigmoid with a factor read twice", "Mul x sharp n; Exp n e; Add e one a; Div one a s; Mul s n y", "ew_mult neg sigmoid ew_mult"},
    {"not a sigmoid", "Neg x n; Exp n e; Add e two a; Div one a y", "neg exp ew_add reciprocal"},
    {"silu", "Sigmoid x s; Mul x s y", "silu"},
    {"silu, gate first", "Sigmoid x s; Mul s x y", "silu"},
    {"sigmoid of something else", "Neg x n; Sigmoid n s; Mul x s y", "neg sigmoid ew_mult"},
    {"sigmoid used twice", "Sigmoid x s; Mul x s m; Add m s y", "sigmoid ew_mult ew_add"},
    {"swish with beta", "Mul x sig b; Sigmoid b s; Mul x s y", "swish_beta"},
    {"mish", "Softplus x p; Tanh p t; Mul x t y", "mish"},
    {"softplus, a line far out", "Softplus x p; Greater x fifty c; Where c x p y", "softplus"},
    {"softplus, a line below", "Softplus x p; Less x fifty c; Where c p x y", "softplus"},
    {"softplus, cut too early", "Softplus x p; Greater x six c; Where c x p y", "softplus ew_greater where"},
    {"mish, a line far out", "Softplus x p; GreaterOrEqual x fifty c; Where c x p s; Tanh s t; Mul x t y", "mish"},
    {"elu, chosen", "Exp x e; Sub e one s; Mul s half m; Greater x zero c; Where c x m y", "elu"},
    {"elu, chosen, alpha 1", "Exp x e; Sub e one s; LessOrEqual x zero c; Where c s x y", "elu"},
    {"selu, chosen", "Exp x e; Sub e one s; Mul s six m; Mul x three l; Less zero x c; Where c l m y", "selu"},
    {"elu of another border", "Exp x e; Sub e one s; Greater x half c; Where c x s y", "exp ew_sub ew_greater where"},
    {"leaky relu, chosen", "Mul x sixth l; Greater x zero c; Where c x l y", "leaky_relu"},
    {"leaky relu, upside down", "Mul x sixth l; Greater x zero c; Where c l x y", "ew_mult ew_greater where"},
    {"relu, chosen", "GreaterOrEqual x zero c; Where c x zero y", "relu"},
    {"thresholded relu, chosen", "Greater x half c; Where c x zero y", "thresholded_relu"},
    {"thresholded relu, number first", "GreaterOrEqual half x c; Where c zero x y", "thresholded_relu"},
    {"thresholded relu with its border", "GreaterOrEqual x half c; Where c x zero y", "ew_greater_equal where"},
    {"hard sigmoid", "Add x three a; Clip a zero six c; Div c six y", "hard_sigmoid"},
    {"hard sigmoid, factor", "Add x three a; Clip a zero six c; Mul c sixth y", "hard_sigmoid"},
    {"hard swish, gate", "Add x three a; Clip a zero six c; Div c six g; Mul x g y", "hard_swish"},
    {"hard swish, division last", "Add x three a; Clip a zero six c; Mul x c m; Div m six y", "hard_swish"},
    {"hard swish, factor last", "Add x three a; Clip a zero six c; Mul x c m; Mul m sixth y", "hard_swish"},
    {"not hard swish", "Add x two a; Clip a zero six c; Div c six g; Mul x g y", "ew_add relu6 ew_div ew_mult"},
    {"gelu of torch", "Div x root2 d; Erf d e; Add e one a; Mul x a m; Mul m half y", "gelu"},
    {"gelu, halved first", "Mul x half h; Mul x inv_root2 d; Erf d e; Add e one a; Mul h a y", "gelu"},
    {"gelu, one first", "Div x root2 d; Erf d e; Add one e a; Mul half a h; Mul x h y", "gelu"},
    {"gelu by tanh", "Pow x three p; Mul p c1 k; Add x k i; Mul i c2 o; Tanh o t; Add t one a; Mul x half h; Mul h a y",
     "gelu_tanh"},
    {"gelu by tanh, products",
     "Mul x x q; Mul q x p; Mul c1 p k; Add x k i; Mul c2 i o; Tanh o t; Add one t a; Mul x a m; Mul half m y", "gelu_tanh"},
    {"gelu by tanh, factored",
     "Mul x half h; Mul x c2 s; Mul x c1 k; Mul k x q; Add q one i; Mul s i o; Tanh o t; Add t one a; Mul h a y", "gelu_tanh"},
    {"gelu by tanh, factored, a square",
     "Mul x c2 s; Pow x two p; Mul c1 p k; Add one k i; Mul i s o; Tanh o t; Add one t a; Mul x a m; Mul half m y", "gelu_tanh"},
    {"factored by another number",
     "Mul x half h; Mul x c2 s; Mul x c2 k; Mul k x q; Add q one i; Mul s i o; Tanh o t; Add t one a; Mul h a y",
     "ew_mult ew_mult ew_mult ew_mult ew_add ew_mult tanh ew_add ew_mult"},
    {"layer norm without epsilon", "ReduceMean x u; Sub x u c; Mul c c p; ReduceMean p v; Sqrt v r; Div c r y", "layer_norm"},
    {"layer norm with a negative epsilon",
     "ReduceMean x u; Sub x u c; Mul c c p; ReduceMean p v; Add v under e; Sqrt e r; Div c r y",
     "reduce_mean ew_sub ew_mult reduce_mean ew_add sqrt ew_div"},
    {"layer norm", "ReduceMean x u; Sub x u c; Pow c two p; ReduceMean p v; Add v tiny e; Sqrt e r; Div c r y", "layer_norm"},
    {"layer norm with constants",
     "ReduceMean x u; Sub x u c; Pow c two p; ReduceMean p v; Add v tiny e; Sqrt e r; Div c r n; Mul n gamma g; Add g beta y",
     "layer_norm"},
    {"layer norm, centred twice",
     "ReduceMean x u; Sub x u c; Sub x u c2x; Mul c2x c2x p; ReduceMean p v; Add v tiny e; Sqrt e r; Div c r y", "layer_norm"},
    {"layer norm by moments",
     "ReduceMean x u; Sub x u c; Mul c c p; ReduceMean p v; Add v tiny e; Sqrt e r; Reciprocal r i; Mul i gamma f; Mul x f a; "
     "Mul u f b; Sub beta b o; Add a o y",
     "layer_norm"},
    {"moments of something else",
     "ReduceMean x u; Neg x n; Sub n u c; Mul c c p; ReduceMean p v; Add v tiny e; Sqrt e r; Reciprocal r i; Mul x i a; "
     "Mul u i b; Sub a b y",
     "reduce_mean neg ew_sub ew_mult reduce_mean ew_add sqrt reciprocal ew_mult ew_mult ew_sub"},
    {"rms norm", "Pow x two p; ReduceMean p v; Add v tiny e; Sqrt e r; Reciprocal r i; Mul x i n; Mul gamma n y", "rms_norm"},
    {"rms norm by division", "Mul x x p; ReduceMean p v; Add v tiny e; Sqrt e r; Div x r y", "rms_norm"},
};

static void add_constants(struct model *m, const char *nodes)
{
    static const float list[6] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < SL_COUNT(scalars); i++)
        if (strstr(nodes, scalars[i].name))
            initializer(m, scalars[i].name, 1, 0, NULL, &scalars[i].value, 4);
    if (strstr(nodes, "gamma"))
        initializer(m, "gamma", 1, 1, (int64_t[]){6}, list, sizeof list);
    if (strstr(nodes, "beta"))
        initializer(m, "beta", 1, 1, (int64_t[]){6}, list, sizeof list);
}

/* "Op input... output" */
static void add_node(struct model *m, char *text, int number)
{
    char *words[8], name[16], *state;
    int n = 0;
    for (char *w = strtok_r(text, " ", &state); w && n < 8; w = strtok_r(NULL, " ", &state))
        words[n++] = w;
    struct sl_buffer b = {0};
    for (int i = 1; i < n - 1; i++)
        put_text(&b, 1, words[i]);
    put_text(&b, 2, words[n - 1]);
    snprintf(name, sizeof name, "n%d", number);
    put_text(&b, 3, name);
    put_text(&b, 4, words[0]);
    if (strcmp(words[0], "ReduceMean") == 0)
        put_int_list(&b, "axes", 1, (int64_t[]){-1});
    put_message(&m->graph, 1, &b);
}

static struct sl_buffer build(const char *nodes)
{
    struct model m = {0};
    char text[500], *state;
    int number = 0;
    snprintf(text, sizeof text, "%s", nodes);
    value(&m, 11, "x", 3, (int64_t[]){1, 4, 6});
    value(&m, 12, "y", 3, (int64_t[]){1, 4, 6});
    opset(&m, 17);
    add_constants(&m, nodes);
    for (char *line = strtok_r(text, ";", &state); line; line = strtok_r(NULL, ";", &state))
        add_node(&m, line, number++);
    return model_file(&m);
}

/* Layers between input and output, activations by their type. */
static void describe(const struct sl_graph *g, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        if (n->op == SL_OP_input_layer || n->op == SL_OP_output_layer || n->op == SL_OP_const_input)
            continue;
        const char *name = n->op == SL_OP_activation ? sl_get_string(n, "type", "") : sl_op_info(n->op)->name;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? " " : "", name);
    }
}

static void test_patterns(void **state)
{
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct sl_buffer file = build(cases[i].nodes);
        sl_arena *a = sl_arena_new();
        sl_err e = {0};
        struct sl_graph *g;
        char layers[300];
        if (sl_onnx_import(a, "net.onnx", (struct sl_view){file.data, file.size}, NULL, &g, NULL, &e) != SLUICE_OK)
            fail_msg("%s: %s", cases[i].name, e.message);
        describe(g, layers, sizeof layers);
        if (strcmp(layers, cases[i].layers) != 0)
            fail_msg("%s: '%s', not '%s'", cases[i].name, layers, cases[i].layers);
        sl_buffer_free(&file);
        sl_arena_free(a);
    }
}

/* Every node of a pattern is found by its name afterwards. */
static void test_origins(void **state)
{
    struct sl_buffer file = build("Div x root2 d; Erf d e; Add e one a; Mul x a m; Mul m half y");
    sl_arena *a = sl_arena_new();
    struct sl_graph *g;
    OK(sl_onnx_import(a, "net.onnx", (struct sl_view){file.data, file.size}, NULL, &g, NULL, &e));
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        assert_non_null(sl_graph_find(g, name));
    }
    sl_buffer_free(&file);
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns), cmocka_unit_test(test_origins)};
    return cmocka_run_group_tests_name("onnx patterns", tests, NULL, NULL);
}
