/* test_compile.c: quantized graphs to programs: operands, ports, contexts by machine, alternatives, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "compile/compile.h"
#include "device/device.h"
#include "hef/hef.h"
#include "hef/isa.h"
#include "ops/ops.h"

struct made {
    sl_arena *a;
    struct sl_graph *g;
};

static void encode(struct sl_node *n, const char *name)
{
    n->name = name;
    n->scope = "net";
    n->quant = (struct sl_quant){.dtype = SL_U8, .scale = 0.5f, .zero_point = 3};
}

static const struct sl_const *filled(sl_arena *a, enum sl_dtype t, int rank, const int64_t *dims, int value)
{
    struct sl_shape s = sl_shape_of(rank, dims);
    void *data;
    const struct sl_const *c = sl_const_new(a, t, &s, &data);
    for (size_t i = 0; i < sl_shape_elements(&s); i++)
        if (t == SL_S8)
            ((int8_t *)data)[i] = (int8_t)(value + (int)(i % 5));
        else if (t == SL_S32)
            ((int32_t *)data)[i] = value;
        else
            ((float *)data)[i] = 0.01f;
    return c;
}

static struct sl_node *add_conv(struct made *m, struct sl_node *x, int64_t kernel, int64_t out_c, const char *name)
{
    struct sl_node *n = sl_graph_add(m->g, SL_OP_conv, 1, &x);
    int64_t in_c = x->shape.dim[3], pad = kernel / 2;
    encode(n, name);
    sl_set_param(m->g, n, "kernel", filled(m->a, SL_S8, 4, (int64_t[]){kernel, kernel, in_c, out_c}, -2));
    sl_set_param(m->g, n, "bias", filled(m->a, SL_S32, 1, &out_c, 7));
    sl_set_param(m->g, n, "multiplier", filled(m->a, SL_F32, 1, &out_c, 0));
    sl_set_ints(m->g, n, "strides", 4, (int64_t[]){1, 1, 1, 1});
    sl_set_ints(m->g, n, "pads", 4, (int64_t[]){pad, pad, pad, pad});
    sl_set_string(m->g, n, "post", "linear");
    sl_set_int(m->g, n, "lo", 3);
    sl_set_int(m->g, n, "hi", 255);
    n->dtype = SL_F32;
    n->shape = sl_shape_of(4, (int64_t[]){1, x->shape.dim[1], x->shape.dim[2], out_c});
    return n;
}

static void add_ports(struct made *m, struct sl_node *input, int n_out, struct sl_node *const *fed_by, const char *const *names)
{
    m->g->inputs = SL_NEW(m->a, struct sl_port);
    m->g->inputs[0] = (struct sl_port){
        .origin_name = "images", .node = input, .origin_dtype = SL_F32, .origin_shape = input->shape, .perm = {0, 1, 2, 3}};
    m->g->n_inputs = 1;
    m->g->outputs = SL_NEW_ARRAY(m->a, struct sl_port, n_out);
    for (int i = 0; i < n_out; i++) {
        struct sl_node *from = fed_by[i], *o = sl_graph_add(m->g, SL_OP_output_layer, 1, &from);
        encode(o, names[i]);
        o->dtype = SL_F32;
        o->shape = from->shape;
        m->g->outputs[i] = (struct sl_port){
            .origin_name = names[i], .node = o, .origin_dtype = SL_F32, .origin_shape = o->shape, .perm = {0, 1, 2, 3}};
    }
    m->g->n_outputs = n_out;
    sl_graph_renumber(m->g);
}

static struct made new_graph(struct sl_node **input)
{
    struct made m = {sl_arena_new(), NULL};
    m.g = sl_graph_new(m.a, "net");
    m.g->stage = SL_STAGE_QUANTIZED;
    *input = sl_graph_add(m.g, SL_OP_input_layer, 0, NULL);
    encode(*input, "input_layer1");
    (*input)->dtype = SL_F32;
    (*input)->shape = sl_shape_of(4, (int64_t[]){1, 8, 12, 16});
    return m;
}

/* A chain of convolutions of about `bytes` weights each. */
static struct made chain(int n, int64_t kernel)
{
    struct sl_node *x;
    struct made m = new_graph(&x);
    struct sl_node *input = x;
    for (int i = 0; i < n; i++)
        x = add_conv(&m, x, kernel, 16, sl_arena_printf(m.a, "conv%d", i + 1));
    add_ports(&m, input, 1, &x, (const char *const[]){"output_layer1"});
    return m;
}

static void a_layer_becomes_an_instruction(void **state)
{
    struct made m = chain(1, 3);
    struct sl_compile_options o = {0};
    struct sl_program *p;
    sl_err e = {0};
    assert_int_equal(sl_compile(m.g, &o, &p, &e), SLUICE_OK);
    assert_int_equal(p->n_insns, 1);
    assert_int_equal(p->n_tensors, 2);
    const struct sl_insn *i = &p->insns[0];
    assert_int_equal(i->opcode, SL_INSN_conv);
    assert_int_equal(i->ints[SL_I_weighted_pad_left], 1);
    assert_int_equal(i->ints[SL_I_weighted_dilation_h], 1);
    assert_int_equal(i->ints[SL_I_weighted_groups], 1);
    assert_int_equal(i->ints[SL_I_weighted_lo], 3);
    assert_int_equal(i->consts[SL_K_weighted_table], SL_NO_CONST);
    assert_int_not_equal(i->consts[SL_K_weighted_kernel], SL_NO_CONST);
    assert_string_equal(p->tensors[i->out].name, "net/conv1");
    assert_string_equal(p->inputs[0].name, "net/input_layer1");
    assert_string_equal(p->outputs[0].name, "net/conv1");
    assert_string_equal(p->outputs[0].origin_name, "output_layer1");
    struct sl_device_options d = {.threads = 1};
    assert_int_equal(sl_device_verify(p, &d, &e), SLUICE_OK);
    sl_arena_free(p->arena);
    sl_arena_free(m.a);
}

/* One layer shown twice, and an input shown as an output, keep stream names apart. */
static void stream_names_are_distinct(void **state)
{
    struct sl_node *input;
    struct made m = new_graph(&input);
    struct sl_node *c = add_conv(&m, input, 1, 4, "conv1");
    add_ports(&m, input, 3, (struct sl_node *const[]){c, c, input},
              (const char *const[]){"output_layer1", "output_layer2", "output_layer3"});
    struct sl_compile_options o = {0};
    struct sl_program *p;
    struct sl_buffer hef = {0};
    struct sl_hef *h;
    sl_err e = {0};
    assert_int_equal(sl_compile(m.g, &o, &p, &e), SLUICE_OK);
    assert_string_equal(p->outputs[0].name, "net/conv1");
    assert_string_equal(p->outputs[1].name, "net/output_layer2");
    assert_string_equal(p->outputs[2].name, "net/output_layer3");
    assert_int_equal(sl_compile_to_hef(m.g, &o, &hef, &e), SLUICE_OK);
    assert_int_equal(sl_hef_read(m.a, (struct sl_view){hef.data, hef.size}, &h, &e), SLUICE_OK);
    assert_int_equal(h->groups[0].operations, 2 * 8 * 12 * 16 * 4);
    sl_buffer_free(&hef);
    sl_arena_free(p->arena);
    sl_arena_free(m.a);
}

static uint32_t contexts_of(const struct made *m, const char *arch, bool single)
{
    struct sl_compile_options o = {.hw_arch = arch, .single_context = single};
    struct sl_program *p;
    sl_err e = {0};
    assert_int_equal(sl_compile(m->g, &o, &p, &e), SLUICE_OK);
    uint32_t n = p->n_contexts;
    for (uint32_t i = 0; i < p->n_insns; i++)
        assert_true(p->insns[i].context < n);
    sl_arena_free(p->arena);
    return n;
}

static void contexts_follow_the_machine(void **state)
{
    struct made many = chain(100, 1), heavy = chain(8, 31); /* layer controllers; weights of 8 x 241 KiB */
    assert_int_equal(contexts_of(&many, "hailo10h", false), 2);
    assert_int_equal(contexts_of(&many, "hailo15h", false), 2);
    assert_int_equal(contexts_of(&many, "hailo15l", false), 5);
    assert_int_equal(contexts_of(&many, "hailo15l", true), 1);
    assert_int_equal(contexts_of(&heavy, "hailo10h", false), 1);
    assert_int_equal(contexts_of(&heavy, "hailo15l", false), 1);
    struct made heavier = chain(24, 31);
    assert_int_equal(contexts_of(&heavier, "hailo15l", false), 2);
    sl_arena_free(many.a);
    sl_arena_free(heavy.a);
    sl_arena_free(heavier.a);
}

static void contexts_change_no_byte(void **state)
{
    struct made m = chain(60, 3);
    uint8_t in[8 * 12 * 16], out[2][8 * 12 * 16];
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 37);
    for (int k = 0; k < 2; k++) {
        struct sl_compile_options o = {.hw_arch = k ? "hailo15l" : "hailo10h", .single_context = k == 0};
        struct sl_device_options d = {.threads = 1};
        struct sl_program *p;
        struct sl_device *device;
        sl_err e = {0};
        assert_int_equal(sl_compile(m.g, &o, &p, &e), SLUICE_OK);
        assert_int_equal(sl_device_load(p, &d, &device, &e), SLUICE_OK);
        sl_device_run(device, (const void *const[]){in}, (void *const[]){out[k]});
        sl_device_free(device);
        sl_arena_free(p->arena);
    }
    assert_memory_equal(out[0], out[1], sizeof(out[0]));
    sl_arena_free(m.a);
}

static void hefs_are_reproducible(void **state)
{
    struct made m = chain(5, 3), again = chain(5, 3);
    struct sl_compile_options o = {.hw_arch = "hailo15h"};
    struct sl_buffer one = {0}, two = {0};
    sl_err e = {0};
    assert_int_equal(sl_compile_to_hef(m.g, &o, &one, &e), SLUICE_OK);
    assert_int_equal(sl_compile_to_hef(again.g, &o, &two, &e), SLUICE_OK);
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
    sl_buffer_free(&one);
    sl_buffer_free(&two);
    sl_arena_free(m.a);
    sl_arena_free(again.a);
}

static void alternatives_and_states_are_carried(void **state)
{
    struct made m = chain(2, 1);
    int64_t c = 16;
    struct sl_param bias = {"bias", filled(m.a, SL_S32, 1, &c, -40)}, odd = {"no_such_array", bias.value};
    m.g->alternatives = &(struct sl_alternative){"adapter", sl_graph_find(m.g, "conv2"), 1, &bias};
    m.g->n_alternatives = 1;
    m.g->states = &(struct sl_state){"net/cache", 4, SL_U8, sl_shape_of(1, &c), 100};
    m.g->n_states = 1;
    struct sl_compile_options o = {0};
    struct sl_program *p;
    sl_err e = {0};
    assert_int_equal(sl_compile(m.g, &o, &p, &e), SLUICE_OK);
    assert_int_equal(p->n_states, 1);
    assert_int_equal(p->alternatives[0].insn, 1);
    assert_int_equal(p->alternatives[0].slots[0], SL_K_weighted_bias);
    sl_arena_free(p->arena);
    m.g->alternatives[0].params = &odd;
    assert_int_equal(sl_compile(m.g, &o, &p, &e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "no_such_array"));
    sl_arena_free(m.a);
}

static void wrong_graphs_are_refused(void **state)
{
    struct made m = chain(1, 1);
    struct sl_program *p;
    sl_err e = {0};
    assert_int_equal(sl_compile(m.g, &(struct sl_compile_options){.hw_arch = "hailo10"}, &p, &e), SLUICE_E_USAGE);
    assert_non_null(strstr(e.hint, "hailo10h"));
    e = (sl_err){0};
    assert_int_equal(sl_compile(m.g, &(struct sl_compile_options){.dump_after = "portz"}, &p, &e), SLUICE_E_USAGE);
    e = (sl_err){0};
    m.g->stage = SL_STAGE_NATIVE;
    assert_int_equal(sl_compile(m.g, &(struct sl_compile_options){0}, &p, &e), SLUICE_E_USAGE);
    assert_non_null(strstr(e.hint, "optimize"));
    e = (sl_err){0};
    m.g->stage = SL_STAGE_QUANTIZED;
    m.g->nodes[1]->quant.dtype = SL_NONE;
    assert_int_equal(sl_compile(m.g, &(struct sl_compile_options){0}, &p, &e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "conv1"));
    e = (sl_err){0};
    m.g->nodes[1]->quant.dtype = SL_U8;
    m.g->nodes[1]->op = SL_OP_batch_norm;
    assert_int_equal(sl_compile(m.g, &(struct sl_compile_options){0}, &p, &e), SLUICE_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "conv1"));
    sl_arena_free(m.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_becomes_an_instruction), cmocka_unit_test(stream_names_are_distinct),
        cmocka_unit_test(contexts_follow_the_machine),    cmocka_unit_test(contexts_change_no_byte),
        cmocka_unit_test(hefs_are_reproducible),          cmocka_unit_test(alternatives_and_states_are_carried),
        cmocka_unit_test(wrong_graphs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
