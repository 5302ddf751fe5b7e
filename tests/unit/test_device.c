/* test_device.c: each verifier rule broken once, alternatives, memory figures, and that running allocates nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../exact/build_program.h"
#include "device/device.h"

/* ---- counting allocations ---- */

#if !SL_ASAN
extern void *__libc_malloc(size_t n);
static size_t allocations;
void *malloc(size_t n)
{
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(n);
}
#endif

static struct build make(const char *kind, int k)
{
    int n;
    const struct build_case *cases = build_cases(&n);
    struct build b = build_new("net", 500 + (uint64_t)k);
    for (int i = 0; i < n; i++)
        if (strcmp(cases[i].name, kind) == 0)
            cases[i].make(&b, k);
    assert_true(b.p->n_insns > 0);
    return b;
}

/* ---- rules ---- */

static struct sl_insn *last(struct build *b)
{
    return &b->p->insns[b->p->n_insns - 1];
}
static struct sl_program_tensor *out_of(struct build *b)
{
    return &b->p->tensors[last(b)->out];
}
static void set_const(struct build *b, int slot, uint32_t id)
{
    last(b)->consts[slot] = id;
}

static void break_size(struct build *b)
{
    b->p->n_consts = 200000;
}
static void break_opcode(struct build *b)
{
    last(b)->opcode = 999;
}
static void break_operands(struct build *b)
{
    last(b)->n_ints = 3;
}
static void break_tensor_id(struct build *b)
{
    last(b)->in[0] = 5000;
}
static void break_constant_id(struct build *b)
{
    set_const(b, SL_K_weighted_bias, 5000);
}
static void break_constant_none(struct build *b)
{
    set_const(b, SL_K_weighted_multiplier, SL_NO_CONST);
}
static void break_written_once(struct build *b)
{
    last(b)->out = b->p->inputs[0].tensor;
}
static void break_order(struct build *b)
{
    last(b)->in[0] = last(b)->out;
}
static void break_contexts(struct build *b)
{
    last(b)->context = 9;
}
static void break_ports(struct build *b)
{
    b->p->outputs[0].name = "";
}
static void break_port_tensor(struct build *b)
{
    b->p->inputs[0].tensor = 77;
}
static void break_port_origin(struct build *b)
{
    b->p->inputs[0].perm[0] = 3;
}
static void break_origin_shape(struct build *b)
{
    b->p->outputs[0].origin_shape.dim[0] += 1;
}
static void break_extents(struct build *b)
{
    b->p->tensors[0].extent_scalar = 0;
}
static void break_states(struct build *b)
{
    b->p->states = SL_NEW(b->a, struct sl_program_state);
    b->p->n_states = 1;
}
static void break_alternatives(struct build *b)
{
    b->p->alternatives = SL_NEW(b->a, struct sl_program_alternative);
    b->p->n_alternatives = 1;
}
static void break_tensor_type(struct build *b)
{
    out_of(b)->dtype = SL_S8;
}
static void break_sides(struct build *b)
{
    out_of(b)->shape.dim[1] = 0;
}
static void break_encoding(struct build *b)
{
    out_of(b)->zero_point = 70000;
}
static void break_scale(struct build *b)
{
    out_of(b)->scale = -1;
}
static void break_bytes(struct build *b)
{
    b->p->consts[0].bytes -= 1;
}
static void break_types(struct build *b)
{
    out_of(b)->dtype = out_of(b)->dtype == SL_U8 ? SL_U16 : SL_U8;
    out_of(b)->zero_point = 0;
}
static void break_output(struct build *b)
{
    out_of(b)->shape.dim[0] += 1;
    b->p->outputs[0].origin_shape.dim[0] += 1;
}
static void break_constant_type(struct build *b)
{
    b->p->consts[last(b)->consts[SL_K_weighted_multiplier]].shape.rank = 0;
}
static void break_step(struct build *b)
{
    last(b)->ints[SL_I_weighted_stride_h] = 0;
}
static void break_pad_step(struct build *b)
{
    last(b)->ints[SL_I_weighted_pad_left] = -1;
}
static void break_groups(struct build *b)
{
    last(b)->ints[SL_I_weighted_groups] = 2;
}
static void break_range(struct build *b)
{
    last(b)->ints[SL_I_weighted_lo] = 65536;
}
static void break_multiplier(struct build *b)
{
    static const float zero = 0;
    struct sl_program_const *c = &b->p->consts[last(b)->consts[SL_K_weighted_multiplier]];
    set_const(b, SL_K_weighted_multiplier, build_splat(b, SL_F32, c->shape.rank, c->shape.dim, &zero));
}
static void break_nan(struct build *b)
{
    last(b)->floats[SL_F_requantize_multiplier] = strtod("nan", NULL);
}
static void break_bias(struct build *b)
{
    static const int64_t large = INT64_MAX;
    struct sl_program_const *c = &b->p->consts[last(b)->consts[SL_K_weighted_bias]];
    set_const(b, SL_K_weighted_bias, build_splat(b, SL_S64, c->shape.rank, c->shape.dim, &large));
}
static void break_kernel_groups(struct build *b)
{
    struct sl_program_const *c = &b->p->consts[last(b)->consts[SL_K_weighted_kernel_group_scale]];
    set_const(b, SL_K_weighted_kernel_group_scale, build_splat(b, SL_S8, c->shape.rank, c->shape.dim, &(int8_t){127}));
}
static void break_post(struct build *b)
{
    last(b)->ints[SL_I_weighted_post] = 2;
}
static void break_window(struct build *b)
{
    struct sl_insn *i = last(b);
    static const int64_t v[10] = {1, 1, 1, 1, 1, 1, 1, 0, 0, 0};
    memcpy(i->ints, v, sizeof(v));
    out_of(b)->shape = b->p->tensors[i->in[0]].shape;
    out_of(b)->shape.dim[1] += 1;
    b->p->outputs[0].origin_shape = out_of(b)->shape;
}
static void break_axis(struct build *b)
{
    last(b)->ints[SL_I_concat_axis] = 4;
}
static void break_past_rank(struct build *b)
{
    last(b)->ints[SL_I_pad_before + 7] = 1;
}
static void break_epsilon(struct build *b)
{
    last(b)->floats[SL_F_norm_epsilon] = 0;
}
static void break_softmax(struct build *b)
{
    last(b)->ints[SL_I_softmax_index_shift] = 99;
}
static void break_lookup(struct build *b)
{
    last(b)->ints[SL_I_softmax_lookup_shift] = 16;
}
static void break_positions(struct build *b)
{
    last(b)->ints[SL_I_slice_start + 1] = 1000;
}
static void break_pad(struct build *b)
{
    last(b)->ints[SL_I_pad_mode] = 3;
}
static void break_indices(struct build *b)
{
    struct sl_program_const *c = &b->p->consts[last(b)->consts[SL_K_gather_indices]];
    set_const(b, SL_K_gather_indices, build_splat(b, SL_S32, c->shape.rank, c->shape.dim, &(int32_t){-1}));
}
static void break_weights(struct build *b)
{
    struct sl_program_const *c = &b->p->consts[last(b)->consts[SL_K_resize_row_weights]];
    set_const(b, SL_K_resize_row_weights, build_splat(b, SL_S32, c->shape.rank, c->shape.dim, &(int32_t){2048}));
}
static void break_flag(struct build *b)
{
    last(b)->ints[SL_I_matmul_transpose_b] = 2;
}
static void break_rank(struct build *b)
{
    int64_t n = 7;
    b->p->n_inputs = b->p->n_outputs = b->p->n_insns = 0;
    uint32_t x = build_input(b, SL_U8, 1, &n), y = build_tensor(b, SL_U8, 1, &n);
    struct sl_insn *i = build_insn(b, SL_INSN_matmul, y, 2, (uint32_t[]){x, x});
    i->ints[SL_I_matmul_hi] = 255;
    i->floats[SL_F_matmul_multiplier] = 1;
    build_output(b, y);
}
static void break_memory(struct build *b)
{
    /* A splat of 4 GiB in a few bytes. */
    build_splat(b, SL_S8, DIMS(1 << 16, 1 << 16), &(int8_t){1});
}
static void break_reduced(struct build *b)
{
    b->p->n_inputs = b->p->n_outputs = b->p->n_insns = 0;
    uint32_t x = build_input(b, SL_U8, DIMS(1, 1 << 16)), wide = build_tensor(b, SL_U8, DIMS(1 << 15, 1 << 16));
    build_insn(b, SL_INSN_expand, wide, 1, &x);
    uint32_t y = build_tensor(b, SL_U8, DIMS(1, 1));
    struct sl_insn *i = build_insn(b, SL_INSN_reduce_sum, y, 1, &wide);
    i->ints[SL_I_mean_axes] = 3;
    i->ints[SL_I_mean_hi] = 255;
    i->floats[SL_F_mean_multiplier] = 1;
    build_output(b, y);
}
static void break_index_length(struct build *b)
{
    b->p->n_inputs = b->p->n_outputs = b->p->n_insns = 0;
    uint32_t x = build_input(b, SL_U8, DIMS(1, 65537)), y = build_tensor(b, SL_U16, DIMS(1, 1));
    build_insn(b, SL_INSN_argmax, y, 1, &x)->ints[SL_I_index_axis] = 1;
    build_output(b, y);
}
static void break_index_type(struct build *b)
{
    b->p->n_inputs = b->p->n_outputs = b->p->n_insns = 0;
    uint32_t x = build_input(b, SL_U8, DIMS(1, 257)), y = build_tensor(b, SL_U8, DIMS(1, 1));
    build_insn(b, SL_INSN_argmin, y, 1, &x)->ints[SL_I_index_axis] = 1;
    build_output(b, y);
}
static void break_norm_length(struct build *b)
{
    b->p->n_inputs = b->p->n_outputs = b->p->n_insns = 0;
    uint32_t x = build_input(b, SL_U8, DIMS(1, 40000)), y = build_tensor(b, SL_U8, DIMS(1, 40000));
    struct sl_insn *i = build_insn(b, SL_INSN_layer_norm, y, 1, &x);
    i->consts[SL_K_norm_gamma] = i->consts[SL_K_norm_beta] = build_splat(b, SL_F32, DIMS(40000), &(float){1});
    i->floats[SL_F_norm_epsilon] = 1;
    i->ints[SL_I_norm_hi] = 255;
    build_output(b, y);
}
static void break_angles(struct build *b)
{
    b->p->n_inputs = b->p->n_outputs = b->p->n_insns = 0;
    uint32_t in[2] = {build_input(b, SL_U8, DIMS(1, 3, 8)), build_input(b, SL_U8, DIMS(1, 3, 12))};
    uint32_t y = build_tensor(b, SL_U8, DIMS(1, 3, 8));
    struct sl_insn *i = build_insn(b, SL_INSN_rotary, y, 2, in);
    i->ints[SL_I_rotary_hi] = 255;
    i->floats[SL_F_rotary_multiplier] = 1;
    build_output(b, y);
}
static void break_work(struct build *b)
{
    /* 2^15 values out of windows of 2^15 x 2^15: memory for a picture, work for years. */
    b->p->n_inputs = b->p->n_outputs = b->p->n_insns = 0;
    uint32_t x = build_input(b, SL_U8, DIMS(1, 16384, 16384, 1)), y = build_tensor(b, SL_U8, DIMS(1, 8193, 8193, 1));
    struct sl_insn *i = build_insn(b, SL_INSN_maxpool, y, 1, &x);
    static const int64_t v[10] = {8192, 8192, 1, 1, 1, 1, 0, 0, 0, 0};
    memcpy(i->ints, v, sizeof(v));
    build_output(b, y);
}

static const struct {
    const char *rule, *kind;
    int k;
    void (*apply)(struct build *b);
} breaks[] = {
    {"size", "fc", 0, break_size},
    {"opcode", "fc", 0, break_opcode},
    {"operands", "fc", 0, break_operands},
    {"tensor_id", "fc", 0, break_tensor_id},
    {"constant_id", "fc", 0, break_constant_id},
    {"constant_id", "fc", 0, break_constant_none},
    {"written_once", "fc", 0, break_written_once},
    {"order", "fc", 0, break_order},
    {"contexts", "fc", 0, break_contexts},
    {"ports", "fc", 0, break_ports},
    {"ports", "fc", 0, break_port_tensor},
    {"port_origin", "fc", 0, break_port_origin},
    {"port_origin", "fc", 0, break_origin_shape},
    {"extents", "fc", 0, break_extents},
    {"extents", "fc", 0, break_states},
    {"alternatives", "fc", 0, break_alternatives},
    {"tensor_type", "fc", 0, break_tensor_type},
    {"tensor_sides", "fc", 0, break_sides},
    {"tensor_encoding", "fc", 0, break_encoding},
    {"tensor_encoding", "fc", 0, break_scale},
    {"constant_bytes", "fc", 0, break_bytes},
    {"memory", "fc", 0, break_memory},
    {"work", "fc", 0, break_work},
    {"input_rank", "matmul", 0, break_rank},
    {"output_shape", "fc", 0, break_output},
    {"types", "gather", 1, break_types},
    {"constant_bytes", "fc", 0, break_constant_type},
    {"step", "conv", 0, break_step},
    {"step", "conv", 0, break_pad_step},
    {"groups", "conv", 0, break_groups},
    {"range", "requantize", 0, NULL},
    {"range", "fc", 0, break_range},
    {"multiplier", "fc", 0, break_multiplier},
    {"multiplier", "requantize", 0, break_nan},
    {"bias", "fc", 7, break_bias},
    {"kernel_groups", "conv", 3, break_kernel_groups},
    {"post", "conv", 0, break_post},
    {"window", "pool", 0, break_window},
    {"axis", "concat", 0, break_axis},
    {"axis", "pad", 0, break_past_rank},
    {"reduced", "fc", 0, break_reduced},
    {"index_length", "fc", 0, break_index_length},
    {"types", "fc", 0, break_index_type},
    {"norm_length", "norm", 0, break_norm_length},
    {"epsilon", "norm", 0, break_epsilon},
    {"softmax_table", "softmax", 0, break_softmax},
    {"lookup", "softmax_lookup", 0, break_lookup},
    {"angles", "rotary", 0, break_angles},
    {"positions", "shape", 2, break_positions},
    {"pad", "pad", 0, break_pad},
    {"indices", "gather", 0, break_indices},
    {"weights", "resize", 1, break_weights},
    {"flag", "matmul", 0, break_flag},
    {"constant_type", "lookup", 0, NULL},
};

static void each_rule_is_told(void **state)
{
    int n;
    const struct sl_device_rule *rules = sl_device_rules(&n);
    bool *told = calloc((size_t)n, sizeof(*told));
    for (size_t i = 0; i < SL_COUNT(breaks); i++) {
        struct build b = make(breaks[i].kind, breaks[i].k);
        struct sl_device_options o = {.threads = 1, .memory_limit = UINT64_C(3) << 30}; /* nothing is allocated here */
        sl_err e = {0};
        assert_int_equal(sl_device_verify(b.p, &o, &e), SLUICE_OK);
        if (breaks[i].apply)
            breaks[i].apply(&b);
        else if (strcmp(breaks[i].rule, "range") == 0)
            last(&b)->ints[SL_I_requantize_lo] = -1;
        else
            set_const(&b, SL_K_lookup_table, build_const(&b, SL_U8, DIMS(255), 0, 255));
        if (sl_device_verify(b.p, &o, &e) == SLUICE_OK)
            fail_msg("case %zu (%s) is not noticed", i, breaks[i].rule);
        for (int r = 0; r < n; r++)
            if (strcmp(rules[r].name, breaks[i].rule) == 0) {
                if (strstr(e.message, rules[r].sentence) == NULL)
                    fail_msg("%s: '%s'", breaks[i].rule, e.message);
                told[r] = true;
            }
        build_free(&b);
    }
    for (int r = 0; r < n; r++)
        if (!told[r])
            fail_msg("rule %s is broken by no case", rules[r].name);
    free(told);
}

/* ---- running ---- */

static void running_allocates_nothing(void **state)
{
#if SL_ASAN
    skip();
#else
    static const char *const kinds[] = {"conv", "dw", "fc", "matmul", "softmax", "concat", "network"};
    for (size_t c = 0; c < SL_COUNT(kinds); c++) {
        struct build b = make(kinds[c], 1);
        struct sl_device_options o = {.threads = 2};
        struct sl_device *d = NULL;
        sl_err e = {0};
        const void *inputs[16];
        void *outputs[64];
        assert_int_equal(sl_device_load(b.p, &o, &d, &e), SLUICE_OK);
        for (uint32_t k = 0; k < b.p->n_inputs; k++)
            inputs[k] = sl_arena_alloc_aligned64(b.a, sl_device_port_bytes(d, false, k));
        for (uint32_t k = 0; k < b.p->n_outputs; k++)
            outputs[k] = sl_arena_alloc_aligned64(b.a, sl_device_port_bytes(d, true, k));
        sl_device_run(d, inputs, outputs);
        size_t before = allocations;
        for (int i = 0; i < 20; i++)
            sl_device_run(d, inputs, outputs);
        assert_int_equal(allocations, before);
        sl_device_free(d);
        build_free(&b);
    }
#endif
}

static void memory_is_near_its_bound(void **state)
{
    for (int k = 0; k < 12; k++) {
        struct build b = make("network", k);
        struct sl_device_options o = {.threads = 1};
        struct sl_device *d = NULL;
        sl_err e = {0};
        assert_int_equal(sl_device_load(b.p, &o, &d, &e), SLUICE_OK);
        struct sl_device_memory m = sl_device_memory(d);
        uint64_t rounding = 64 * (uint64_t)b.p->n_tensors;
        assert_true(m.workspace_bytes >= m.live_bytes);
        assert_true(m.workspace_bytes <= m.live_bytes * 5 / 4 + rounding);
        sl_device_free(d);
        build_free(&b);
    }
}

/* A chain keeps two tensors alive however long it is; a sum writes over what dies. */
static void chains_share_memory(void **state)
{
    struct build b = build_new("net", 1);
    uint32_t x = build_input(&b, SL_U8, DIMS(1, 32, 32, 16));
    for (int i = 0; i < 40; i++) {
        uint32_t y = build_tensor(&b, SL_U8, DIMS(1, 32, 32, 16));
        struct sl_insn *n = build_insn(&b, i % 2 ? SL_INSN_transpose : SL_INSN_requantize, y, 1, &x);
        if (i % 2) {
            static const int64_t perm[] = {0, 2, 1, 3};
            memcpy(&n->ints[SL_I_transpose_perm], perm, sizeof(perm));
        } else {
            n->ints[SL_I_requantize_hi] = 255;
            n->floats[SL_F_requantize_multiplier] = 1;
        }
        x = y;
    }
    build_output(&b, x);
    struct sl_device_options o = {.threads = 1};
    struct sl_device *d = NULL;
    sl_err e = {0};
    assert_int_equal(sl_device_load(b.p, &o, &d, &e), SLUICE_OK);
    assert_int_equal(sl_device_memory(d).workspace_bytes, 2 * 32 * 32 * 16);
    sl_device_free(d);
    build_free(&b);
}

static void alternatives_replace_constants(void **state)
{
    struct build b = make("lookup", 0);
    uint32_t slot = SL_K_lookup_table, other = build_splat(&b, SL_U8, DIMS(256), &(uint8_t){42});
    b.p->alternatives = &(struct sl_program_alternative){"adapter", 0, 1, &slot, &other};
    b.p->n_alternatives = 1;
    struct sl_device_options plain = {.threads = 1}, chosen = {.threads = 1, .alternative = "adapter"},
                             wrong = {.threads = 1, .alternative = "no such"};
    struct sl_device *d = NULL;
    sl_err e = {0};
    assert_int_equal(sl_device_load(b.p, &wrong, &d, &e), SLUICE_E_NOT_FOUND);
    for (int with = 0; with < 2; with++) {
        assert_int_equal(sl_device_load(b.p, with ? &chosen : &plain, &d, &e), SLUICE_OK);
        size_t n = sl_device_port_bytes(d, true, 0), same = 0;
        uint8_t *in = calloc(1, n), *out = calloc(1, n);
        for (size_t i = 0; i < n; i++)
            in[i] = (uint8_t)i;
        sl_device_run(d, (const void *const[]){in}, (void *const[]){out});
        for (size_t i = 0; i < n; i++)
            same += out[i] == 42;
        assert_true(with ? same == n : same < n);
        free(in);
        free(out);
        sl_device_free(d);
    }
    build_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_told),
        cmocka_unit_test(running_allocates_nothing),
        cmocka_unit_test(memory_is_near_its_bound),
        cmocka_unit_test(chains_share_memory),
        cmocka_unit_test(alternatives_replace_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
