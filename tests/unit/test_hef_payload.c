/* test_hef_payload.c: programs to bytes and back, the pool that network groups share, HEF files of our own, and damage to all
 * of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../exact/build_program.h"
#include "base/hash.h"
#include "device/device.h"
#include "hef/hef.h"
#include "hef/payload.h"

static struct build make(const char *kind, int k, const char *name)
{
    int n;
    const struct build_case *cases = build_cases(&n);
    for (int i = 0; i < n; i++)
        if (strcmp(cases[i].name, kind) == 0) {
            struct build b = build_new(name, 77 + (uint64_t)k);
            cases[i].make(&b, k);
            return b;
        }
    fail_msg("no case %s", kind);
    return build_new(name, 0);
}

static char *text_of(const struct sl_program *p)
{
    struct sl_buffer b = {0};
    sl_program_print(&b, p);
    char *text = strdup(sl_buffer_text(&b));
    sl_buffer_free(&b);
    return text;
}

static void assert_same_program(const struct sl_program *a, const struct sl_program *b)
{
    char *x = text_of(a), *y = text_of(b);
    assert_string_equal(x, y);
    free(x);
    free(y);
    for (uint32_t i = 0; i < a->n_consts; i++)
        assert_memory_equal(a->consts[i].data, b->consts[i].data, a->consts[i].bytes);
}

static void every_case_comes_back(void **state)
{
    int n;
    const struct build_case *cases = build_cases(&n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < cases[i].cases; k++) {
            struct build b = build_new("net", (uint64_t)(i * 100 + k));
            cases[i].make(&b, k);
            sl_err e = {0};
            const struct sl_program *one = b.p;
            struct sl_buffer first = {0}, second = {0};
            struct sl_program *back;
            size_t count;
            assert_int_equal(sl_payload_write(b.a, &one, 1, &first, NULL, &e), SLUICE_OK);
            assert_int_equal(sl_payload_read(b.a, (struct sl_view){first.data, first.size}, 0, &back, &count, &e), SLUICE_OK);
            assert_int_equal(count, 1);
            assert_same_program(b.p, back);
            one = back;
            assert_int_equal(sl_payload_write(b.a, &one, 1, &second, NULL, &e), SLUICE_OK);
            assert_int_equal(first.size, second.size);
            assert_memory_equal(first.data, second.data, first.size);
            sl_buffer_free(&first);
            sl_buffer_free(&second);
            build_free(&b);
        }
}

/* What the issue of the first formats asks to be carried though nothing runs it yet. */
static void states_scalars_and_alternatives_come_back(void **state)
{
    struct build b = make("fc", 0, "net");
    sl_err e = {0};
    struct sl_program *p = b.p, *back;
    uint32_t slot = SL_K_weighted_bias, other = build_const(&b, SL_S32, p->consts[p->insns[0].consts[slot]].shape.rank,
                                                            p->consts[p->insns[0].consts[slot]].shape.dim, -9, 9);
    p->states = &(struct sl_program_state){"net/kv_cache1", 7, SL_U8, sl_shape_of(2, (int64_t[]){8, 64}), 2048};
    p->scalars = &(struct sl_program_scalar){"length", 3, 4096};
    p->alternatives = &(struct sl_program_alternative){"adapter", 0, 1, &slot, &other};
    p->n_states = p->n_scalars = p->n_alternatives = 1;
    p->tensors[0].extent_scalar = 3;
    p->tensors[0].n_scales = 2;
    p->tensors[0].scales = (float[]){0.5f, 0.25f};
    p->inputs[0].perm[0] = 1;
    p->inputs[0].perm[1] = 0;
    const struct sl_program *one = p;
    struct sl_buffer bytes = {0};
    size_t n;
    assert_int_equal(sl_payload_write(b.a, &one, 1, &bytes, NULL, &e), SLUICE_OK);
    assert_int_equal(sl_payload_read(b.a, (struct sl_view){bytes.data, bytes.size}, 0, &back, &n, &e), SLUICE_OK);
    assert_same_program(p, back);
    assert_string_equal(back->states[0].name, "net/kv_cache1");
    assert_int_equal(back->states[0].length, 2048);
    assert_int_equal(back->states[0].entry.dim[1], 64);
    assert_int_equal(back->scalars[0].maximum, 4096);
    assert_int_equal(back->alternatives[0].consts[0], other);
    assert_int_equal(back->tensors[0].extent_scalar, 3);
    assert_true(back->tensors[0].scales[1] == 0.25f);
    assert_int_equal(back->inputs[0].perm[0], 1);
    sl_buffer_free(&bytes);
    build_free(&b);
}

static void groups_share_constants(void **state)
{
    struct build a = make("conv", 0, "one"), b = make("conv", 0, "two");
    sl_err e = {0};
    const struct sl_program *both[] = {a.p, b.p}, *single[] = {a.p};
    struct sl_buffer two = {0}, one = {0};
    assert_int_equal(sl_payload_write(a.a, both, 2, &two, NULL, &e), SLUICE_OK);
    assert_int_equal(sl_payload_write(a.a, single, 1, &one, NULL, &e), SLUICE_OK);
    size_t constants = 0;
    for (uint32_t i = 0; i < a.p->n_consts; i++)
        constants += a.p->consts[i].bytes;
    /* The second program adds its description, not its constants. */
    assert_true(two.size < one.size + constants / 2 + 4096);

    struct sl_hef_source sources[] = {{a.p, 10}, {b.p, 20}};
    struct sl_buffer file = {0};
    struct sl_hef *h;
    struct sl_program *programs;
    size_t n;
    assert_int_equal(sl_hef_write(a.a, SL_HEF_ARCH_HAILO1XH, sources, 2, &file, &e), SLUICE_OK);
    assert_int_equal(sl_hef_read(a.a, (struct sl_view){file.data, file.size}, &h, &e), SLUICE_OK);
    assert_int_equal(h->n_groups, 2);
    assert_int_equal(sl_hef_programs(a.a, h, 0, &programs, &n, &e), SLUICE_OK);
    assert_int_equal(n, 2);
    assert_same_program(&programs[0], a.p);
    assert_same_program(&programs[1], b.p);
    assert_ptr_equal(programs[0].consts[0].data, programs[1].consts[0].data);
    assert_true((uintptr_t)(programs[0].consts[0].data - (const void *)file.data) % 64 == 0 ||
                programs[0].consts[0].bytes <= SL_POOL_ALIGN_SPLAT);
    sl_buffer_free(&two);
    sl_buffer_free(&one);
    sl_buffer_free(&file);
    build_free(&a);
    build_free(&b);
}

/* The container holds what the facts of the format ask for: streams, shapes, order, several contexts. */
static void hef_shows_its_streams(void **state)
{
    struct build b = make("network", 3, "net");
    sl_err e = {0};
    struct sl_hef_source source = {b.p, 0};
    struct sl_buffer file = {0}, again = {0}, text = {0};
    struct sl_hef *h;
    b.p->n_outputs -= 1; /* the one that shows an input: its stream needs another name */
    assert_int_equal(sl_hef_write(b.a, SL_HEF_ARCH_HAILO15L, &source, 1, &file, &e), SLUICE_OK);
    assert_int_equal(sl_hef_write(b.a, SL_HEF_ARCH_HAILO15L, &source, 1, &again, &e), SLUICE_OK);
    assert_int_equal(file.size, again.size);
    assert_memory_equal(file.data, again.data, file.size);
    assert_int_equal(sl_hef_read(b.a, (struct sl_view){file.data, file.size}, &h, &e), SLUICE_OK);
    sl_hef_describe(&text, h, SL_HEF_SHOW_STREAMS | SL_HEF_SHOW_VSTREAMS);
    assert_non_null(strstr(sl_buffer_text(&text), "HEF Compatible for: HAILO15L\nHEF Compiler Version: 5.2.0\n"
                                                  "Network group name: net, Multi Context - Number of contexts: 3\n"
                                                  "    Network name: net/net\n"));
    assert_int_equal(h->groups[0].n_sorted_outputs, b.p->n_outputs);
    for (uint32_t k = 0; k < b.p->n_outputs; k++)
        assert_string_equal(h->groups[0].sorted_outputs[k], b.p->outputs[k].name);
    uint32_t inner = 0;
    for (uint32_t k = 0; k < h->groups[0].n_layers; k++)
        inner += h->groups[0].layers[k].connection == SL_HEF_INTERMEDIATE;
    assert_true(inner > 0);
    sl_buffer_free(&file);
    sl_buffer_free(&again);
    sl_buffer_free(&text);
    build_free(&b);
}

static void long_names_are_refused(void **state)
{
    struct build b = make("fc", 0, "net");
    char name[200];
    struct sl_buffer file = {0};
    struct sl_hef_source source = {b.p, 0};
    memset(name, 'n', sizeof(name));
    name[128] = 0;
    b.p->inputs[0].name = name;
    sl_err e = {0};
    assert_int_equal(sl_hef_write(b.a, SL_HEF_ARCH_HAILO1XH, &source, 1, &file, &e), SLUICE_E_LIMIT);
    assert_non_null(strstr(e.message, "128 characters"));
    name[127] = 0;
    e = (sl_err){0};
    assert_int_equal(sl_hef_write(b.a, SL_HEF_ARCH_HAILO1XH, &source, 1, &file, &e), SLUICE_OK);
    sl_buffer_free(&file);
    build_free(&b);
}

/* ---- damage ---- */

/* Reads, and when that works verifies, loads and runs within small limits. */
static void try_payload(const uint8_t *data, size_t size, unsigned flags)
{
    sl_arena *a = sl_arena_new();
    sl_err e = {0};
    struct sl_program *p;
    size_t n;
    struct sl_device *d = NULL;
    struct sl_device_options o = {.threads = 1, .memory_limit = 16 << 20, .work_limit = 1 << 24};
    sluice_status s = sl_payload_read(a, (struct sl_view){data, size}, flags, &p, &n, &e);
    for (size_t i = 0; s == SLUICE_OK && i < n; i++) {
        struct sl_buffer text = {0};
        sl_program_print(&text, &p[i]);
        sl_buffer_free(&text);
        s = sl_device_load(&p[i], &o, &d, &e);
        if (s != SLUICE_OK)
            break;
        const void **inputs = SL_NEW_ARRAY(a, const void *, p[i].n_inputs);
        void **outputs = SL_NEW_ARRAY(a, void *, p[i].n_outputs);
        for (uint32_t k = 0; k < p[i].n_inputs; k++)
            inputs[k] = sl_arena_alloc_aligned64(a, sl_device_port_bytes(d, false, k));
        for (uint32_t k = 0; k < p[i].n_outputs; k++)
            outputs[k] = sl_arena_alloc_aligned64(a, sl_device_port_bytes(d, true, k));
        sl_device_run(d, inputs, outputs);
        sl_device_free(d);
    }
    assert_true(s == SLUICE_OK || e.message[0]);
    assert_true(s != SLUICE_E_INTERNAL);
    sl_arena_free(a);
}

static void damaged_programs_are_refused_or_run(void **state)
{
    static const char *const kinds[] = {"conv", "dw",     "deconv", "eltwise", "pool",   "softmax",
                                        "norm", "concat", "shape",  "resize",  "network"};
    for (size_t c = 0; c < SL_COUNT(kinds); c++) {
        struct build b = make(kinds[c], 2, "net");
        sl_err e = {0};
        const struct sl_program *one = b.p;
        struct sl_buffer bytes = {0};
        assert_int_equal(sl_payload_write(b.a, &one, 1, &bytes, NULL, &e), SLUICE_OK);
        try_payload(bytes.data, bytes.size, 0);
        for (size_t i = 0; i < 64; i++)
            try_payload(bytes.data, bytes.size * i / 64, SL_PAYLOAD_ANY_HASH);
        uint8_t *copy = malloc(bytes.size);
        uint64_t described = 0;
        memcpy(&described, bytes.data + 16, 8);
        for (int i = 0; i < 200; i++) { /* mutations aim at the description: one field of it, at times two */
            memcpy(copy, bytes.data, bytes.size);
            for (int64_t k = build_between(&b, 0, 1); k >= 0; k--) {
                size_t at = (size_t)build_between(&b, 0, (int64_t)described - 1);
                static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
                copy[at] = build_between(&b, 0, 1) ? values[build_between(&b, 0, 5)] : (uint8_t)build_random(&b);
            }
            try_payload(copy, bytes.size, SL_PAYLOAD_ANY_HASH);
        }
        free(copy);
        sl_buffer_free(&bytes);
        build_free(&b);
    }
}

static void damaged_bytes_are_noticed(void **state)
{
    struct build b = make("conv", 0, "net");
    sl_err e = {0};
    const struct sl_program *one = b.p;
    struct sl_buffer bytes = {0};
    assert_int_equal(sl_payload_write(b.a, &one, 1, &bytes, NULL, &e), SLUICE_OK);
    for (size_t at = 64; at < bytes.size; at += 13) {
        struct sl_program *p;
        size_t n;
        sl_err err = {0};
        uint8_t *copy = sl_arena_memdup(b.a, bytes.data, bytes.size);
        copy[at] ^= 0x10;
        if (sl_payload_read(b.a, (struct sl_view){copy, bytes.size}, 0, &p, &n, &err) == SLUICE_OK)
            assert_int_equal(bytes.data[at], 0); /* only bytes between constants may change unseen */
    }
    sl_buffer_free(&bytes);
    build_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_comes_back),     cmocka_unit_test(states_scalars_and_alternatives_come_back),
        cmocka_unit_test(groups_share_constants),    cmocka_unit_test(hef_shows_its_streams),
        cmocka_unit_test(long_names_are_refused),    cmocka_unit_test(damaged_programs_are_refused_or_run),
        cmocka_unit_test(damaged_bytes_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
