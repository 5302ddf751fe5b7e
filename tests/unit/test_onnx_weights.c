/*
 * test_onnx_weights.c: the ways an ONNX file may hold its weights: raw and typed fields of every float type, sparse initializers,
 * files beside the model; and a loop, whose turns are constants. A model adds `w` to x [4].
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#include "onnx_writer.h"

#include "base/file.h"
#include "onnx/onnx_import.h"

static const double wanted[4] = {1.5, -2, 0, 3};
enum { FLOAT = 1, INT32 = 6, INT64 = 7, FLOAT16 = 10, DOUBLE = 11, BFLOAT16 = 16 };

/* x + w, with the initializer given as a whole message in field 5 (dense) or 15 (sparse). */
static struct sl_buffer add_model(struct sl_buffer *weights, unsigned field)
{
    struct model m = {0};
    value(&m, 11, "x", 1, (int64_t[]){4});
    value(&m, 12, "y", 1, (int64_t[]){4});
    opset(&m, 17);
    put_message(&m.graph, field, weights);
    node(&m, "Add", "add", "x", "w", "y");
    return model_file(&m);
}

static void start_tensor(struct sl_buffer *t, const char *name, int type, int64_t n)
{
    put_int(t, 1, (uint64_t)n);
    put_int(t, 2, (uint64_t)type);
    put_text(t, 8, name);
}

static void expect_weights(struct sl_buffer *file, const char *path)
{
    sl_arena *a = sl_arena_new();
    sl_err e = {0};
    struct sl_graph *g;
    bool found = false;
    if (sl_onnx_import(a, path, (struct sl_view){file->data, file->size}, NULL, &g, NULL, &e) != SLUICE_OK)
        fail_msg("%s", e.message);
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == SL_OP_const_input) {
            const struct sl_const *k = sl_node_const(g->nodes[i]);
            found = true;
            assert_int_equal(k->dtype, SL_F32);
            for (size_t j = 0; j < 4; j++)
                assert_true(sl_const_number(k, j) == wanted[j]);
        }
    assert_true(found);
    sl_buffer_free(file);
    sl_arena_free(a);
}

static void expect_error(struct sl_buffer *file, const char *path, const char *part)
{
    sl_arena *a = sl_arena_new();
    sl_err e = {0};
    struct sl_graph *g;
    assert_int_not_equal(sl_onnx_import(a, path, (struct sl_view){file->data, file->size}, NULL, &g, NULL, &e), SLUICE_OK);
    if (!strstr(e.message, part))
        fail_msg("'%s' does not say '%s'", e.message, part);
    sl_buffer_free(file);
    sl_arena_free(a);
}

/* ---- inside the model ---- */

static void test_raw(void **state)
{
    const struct {
        int type;
        size_t bytes;
        const void *data;
    } forms[] = {
        {FLOAT, 16, (const float[]){1.5f, -2, 0, 3}},
        {DOUBLE, 32, wanted},
        {FLOAT16, 8, (const uint16_t[]){0x3e00, 0xc000, 0, 0x4200}},
        {BFLOAT16, 8, (const uint16_t[]){0x3fc0, 0xc000, 0, 0x4040}},
    };
    for (size_t i = 0; i < SL_COUNT(forms); i++) {
        struct sl_buffer t = {0}, file;
        start_tensor(&t, "w", forms[i].type, 4);
        put_bytes(&t, 9, forms[i].data, forms[i].bytes);
        file = add_model(&t, 5);
        expect_weights(&file, "net.onnx");
    }
}

/* float_data is 4, int32_data (which holds halves) 5, double_data 10. */
static void test_typed(void **state)
{
    struct sl_buffer t = {0}, file;
    start_tensor(&t, "w", FLOAT, 4);
    put_bytes(&t, 4, (const float[]){1.5f, -2, 0, 3}, 16);
    file = add_model(&t, 5);
    expect_weights(&file, "net.onnx");
    start_tensor(&t, "w", DOUBLE, 4);
    put_bytes(&t, 10, wanted, sizeof wanted);
    file = add_model(&t, 5);
    expect_weights(&file, "net.onnx");
    for (int type = 0; type < 2; type++) {
        static const uint16_t halves[2][4] = {{0x3e00, 0xc000, 0, 0x4200}, {0x3fc0, 0xc000, 0, 0x4040}};
        start_tensor(&t, "w", type ? BFLOAT16 : FLOAT16, 4);
        for (int i = 0; i < 4; i++)
            put_int(&t, 5, halves[type][i]);
        file = add_model(&t, 5);
        expect_weights(&file, "net.onnx");
    }
}

static void put_sparse(struct sl_buffer *s, int64_t last)
{
    struct sl_buffer values = {0}, indices = {0};
    start_tensor(&values, "w", FLOAT, 3);
    put_bytes(&values, 9, (const float[]){1.5f, -2, 3}, 12);
    start_tensor(&indices, "w_indices", INT64, 3);
    put_bytes(&indices, 9, (const int64_t[]){0, 1, last}, 24);
    put_message(s, 1, &values);
    put_message(s, 2, &indices);
    put_int(s, 3, 4);
}

static void test_sparse(void **state)
{
    struct sl_buffer s = {0}, file;
    put_sparse(&s, 3);
    file = add_model(&s, 15);
    expect_weights(&file, "net.onnx");
    put_sparse(&s, 4); /* one past the end */
    file = add_model(&s, 15);
    expect_error(&file, "net.onnx", "4");
}

static void test_sizes(void **state)
{
    struct sl_buffer t = {0}, file;
    start_tensor(&t, "w", FLOAT, 4);
    put_bytes(&t, 9, (const float[]){1.5f, -2, 0}, 12);
    file = add_model(&t, 5);
    expect_error(&file, "net.onnx", "12 bytes of data, its shape and type need 16");
    start_tensor(&t, "w", FLOAT, INT64_MAX / 2);
    put_int(&t, 1, 1 << 20);
    file = add_model(&t, 5);
    expect_error(&file, "net.onnx", "'w'");
}

/* ---- beside the model ---- */

static void put_entry(struct sl_buffer *t, const char *key, const char *text)
{
    struct sl_buffer entry = {0};
    put_text(&entry, 1, key);
    put_text(&entry, 2, text);
    put_message(t, 13, &entry);
}

static struct sl_buffer external_model(const char *location, const char *offset, const char *length)
{
    struct sl_buffer t = {0};
    start_tensor(&t, "w", FLOAT, 4);
    put_entry(&t, "location", location);
    put_entry(&t, "offset", offset);
    if (length)
        put_entry(&t, "length", length);
    put_int(&t, 14, 1);
    return add_model(&t, 5);
}

static void test_external(void **state)
{
    char folder[] = "/tmp/sluice_weights_XXXXXX", path[64], data[64], link[64];
    sl_err e = {0};
    const float weights[5] = {9, 1.5f, -2, 0, 3};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.onnx", folder);
    snprintf(data, sizeof data, "%s/w.bin", folder);
    snprintf(link, sizeof link, "%s/outside", folder);
    assert_int_equal(sl_write_file(data, weights, sizeof weights, &e), SLUICE_OK);
    assert_int_equal(symlink("/etc/hostname", link), 0);

    struct sl_buffer file = external_model("w.bin", "4", "16");
    expect_weights(&file, path);
    file = external_model("w.bin", "4", NULL);
    expect_weights(&file, path);
    file = external_model("w.bin", "8", "16");
    expect_error(&file, path, "w.bin' has 20 bytes");
    file = external_model("w.bin", "9223372036854775807", "16");
    expect_error(&file, path, "w.bin");
    file = external_model("w.bin", "-4", "16");
    expect_error(&file, path, "'-4'");
    file = external_model("none.bin", "0", "16");
    expect_error(&file, path, "none.bin");
    file = external_model("../w.bin", "0", "16");
    expect_error(&file, path, "'../w.bin' is not a relative path");
    file = external_model("/etc/hostname", "0", "16");
    expect_error(&file, path, "is not a relative path");
    file = external_model("outside", "0", "16");
    expect_error(&file, path, "outside");
    unlink(data);
    unlink(link);
    rmdir(folder);
}

/* ---- more than 2 and 4 GB ---- */

/* A file beside the model that takes no room on the disk: zeros, with `weights` at its end. */
static int sparse_file(const char *path, off_t zeros, const void *weights, size_t bytes)
{
    int f = open(path, O_CREAT | O_WRONLY, 0600);
    int failed = f < 0 || (bytes && pwrite(f, weights, bytes, zeros) != (ssize_t)bytes) || ftruncate(f, zeros + (off_t)bytes);
    return f < 0 ? failed : failed | close(f);
}

static void test_beyond_4_gb(void **state)
{
    char folder[] = "/tmp/sluice_large_XXXXXX", path[64], data[64];
    const float weights[4] = {1.5f, -2, 0, 3};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.onnx", folder);
    snprintf(data, sizeof data, "%s/w.bin", folder);
    assert_int_equal(sparse_file(data, (off_t)5 << 30, weights, sizeof weights), 0);
    struct sl_buffer file = external_model("w.bin", "5368709120", "16");
    expect_weights(&file, path);
    file = external_model("w.bin", "5368709124", "16"); /* 4 bytes too far; in 32 bits it would be offset 1073741828 */
    expect_error(&file, path, "w.bin' has 5368709136 bytes");
    unlink(data);
    rmdir(folder);
}

/* x -> Relu -> Mul w -> y, cut behind the Relu: w, of 2.4 GB, is not kept, with a note, and never read. */
static void test_large_part(void **state)
{
    enum { COUNT = 600000000 };
    char folder[] = "/tmp/sluice_large_XXXXXX", path[64], data[64];
    const char *end = "relu";
    struct sl_onnx_options o = {.common = {.end_nodes = &end, .n_end = 1}};
    struct sl_onnx_report report;
    struct sl_buffer t = {0};
    struct model m = {0};
    struct sl_graph *g;
    sl_err e = {0};
    sl_arena *a = sl_arena_new();
    sl_arena_set_limit(a, (size_t)64 << 20);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.onnx", folder);
    snprintf(data, sizeof data, "%s/w.bin", folder);
    assert_int_equal(sparse_file(data, (off_t)COUNT * 4, NULL, 0), 0);
    value(&m, 11, "x", 1, (int64_t[]){COUNT});
    value(&m, 12, "y", 1, (int64_t[]){COUNT});
    opset(&m, 17);
    start_tensor(&t, "w", FLOAT, COUNT);
    put_entry(&t, "location", "w.bin");
    put_int(&t, 14, 1);
    put_message(&m.graph, 5, &t);
    node(&m, "Relu", "relu", "x", NULL, "r");
    node(&m, "Mul", "mul", "r", "w", "y");
    struct sl_buffer file = model_file(&m);
    if (sl_onnx_import(a, path, (struct sl_view){file.data, file.size}, &o, &g, &report, &e) != SLUICE_OK)
        fail_msg("%s", e.message);
    assert_int_equal(report.postprocess.size, 0);
    assert_int_equal(report.common.n_notes, 1);
    assert_non_null(strstr(report.common.notes[0], "larger than an ONNX file can be (2 GB)"));
    sl_buffer_free(&file);
    sl_arena_free(a);
    unlink(data);
    rmdir(folder);
}

/* ---- loops ---- */

/* A body [i, go, acc] -> [go, acc + x]; trips: 0 leaves the count out. */
static struct sl_buffer loop_model(int64_t trips)
{
    struct model m = {0};
    struct model body = {0};
    struct sl_buffer n = {0}, at = {0}, add = {0}, same = {0};
    const uint8_t yes = 1;
    value(&m, 11, "x", 1, (int64_t[]){4});
    value(&m, 12, "y", 1, (int64_t[]){4});
    opset(&m, 17);
    initializer(&m, "trips", INT64, 0, NULL, &trips, 8);
    initializer(&m, "go", 9, 0, NULL, &yes, 1);
    value(&body, 11, "i", 0, NULL);
    value(&body, 11, "go_in", 0, NULL);
    value(&body, 11, "acc", 1, (int64_t[]){4});
    value(&body, 12, "go_out", 0, NULL);
    value(&body, 12, "acc_out", 1, (int64_t[]){4});
    put_text(&add, 1, "acc");
    put_text(&add, 1, "x");
    put_text(&add, 2, "acc_out");
    put_text(&add, 4, "Add");
    put_message(&body.graph, 1, &add);
    put_text(&same, 1, "go_in");
    put_text(&same, 2, "go_out");
    put_text(&same, 4, "Identity");
    put_message(&body.graph, 1, &same);
    put_text(&n, 1, trips ? "trips" : "");
    put_text(&n, 1, "go");
    put_text(&n, 1, "x");
    put_text(&n, 2, "y");
    put_text(&n, 3, "loop");
    put_text(&n, 4, "Loop");
    put_text(&at, 1, "body");
    put_message(&at, 6, &body.graph);
    put_int(&at, 20, 5);
    put_message(&n, 5, &at);
    put_message(&m.graph, 1, &n);
    return model_file(&m);
}

static void test_loop(void **state)
{
    sl_arena *a = sl_arena_new();
    struct sl_buffer file = loop_model(3);
    struct sl_graph *g;
    sl_err e = {0};
    int adds = 0;
    if (sl_onnx_import(a, "net.onnx", (struct sl_view){file.data, file.size}, NULL, &g, NULL, &e) != SLUICE_OK)
        fail_msg("%s", e.message);
    for (int i = 0; i < g->n_nodes; i++)
        adds += g->nodes[i]->op == SL_OP_ew_add;
    assert_int_equal(adds, 3);
    sl_buffer_free(&file);
    sl_arena_free(a);
    file = loop_model(0); /* goes on forever */
    expect_error(&file, "net.onnx", "a loop of more than 4096 turns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw),   cmocka_unit_test(test_typed),    cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_external), cmocka_unit_test(test_beyond_4_gb),
        cmocka_unit_test(test_large_part), cmocka_unit_test(test_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
