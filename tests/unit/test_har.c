/* test_har.c: models survive writing and reading, equal models give equal bytes, and every cut or changed archive ends in a
 * message. */
#include <stdlib.h>

#include "base/tar.h"
#include "har/har.h"
#include "ir/text.h"
#include "unit.h"

static const char native_text[] =
    "graph net native scope second\n"
    "state \"k\" id 0 f32 [8, 64] length 1024 scalar tokens id 7 maximum 4096\n"
    "%input_layer1 = input_layer() : f32 [1, 8, 8, 3] origins [\"images\"]\n"
    "%conv1 = conv(%input_layer1) {strides = [1, 2, 2, 1], activation = \"relu\", alpha = 0.1, low = -inf, none = [],\n"
    "    nothing = floats [], reals = [1.0, inf], big = 9223372036854775807}\n"
    "  params {kernel: f32 [3, 3, 3, 64] = seed 1, bias: f32 [64] = splat 0.1, odd: s4 [3] = [-8, 7, 0],\n"
    "    half: bf16 [2] = [0x3c00, 0xfc00], nan: f32 [1] = [0x7fc00001], huge: f32 [1000000, 1000000] = splat 2.0,\n"
    "    nibble: s4 [2, 2] = splat -3, scalar: f64 [] = [0.1], empty: u8 [0] = []} : f32 [1, 4, 4, 64] origins [\"Conv_0\"]\n"
    "%conv2 = conv(%conv1) params {kernel: f32 [1, 1, 64, 27] = seed 1} : f32 [1, 4, 4, 27]\n"
    "%second/conv1 = activation(%conv2) {type = \"relu\"} : s64 [2, 216] origins [\"Relu\", \"Reshape\"]\n"
    "%output_layer1 = output_layer(%second/conv1) : f32 [2, 216] origins [\"scores\"]\n"
    "alternative lora of %conv1 params {kernel: f32 [2] = [1.0, 2.0]}\n"
    "input images = %input_layer1 : f32 [1, 3, 8, 8] perm [0, 3, 1, 2]\n"
    "output scores = %output_layer1 : f64 [432] perm [1, 0]\n";

static const char quantized_text[] =
    "graph net quantized\n"
    "%input_layer1 = input_layer() : f32 [1, 8, 8, 3] quant u8 scale 0.023529412 zero 128 origins [\"images\"]\n"
    "%conv1 = conv(%input_layer1) params {kernel: s8 [3, 3, 3, 64] = seed 2} : f32 [1, 4, 4, 64] quant u16 scale 1e-05 zero 0\n"
    "%output_layer1 = output_layer(%conv1) : f32 [1, 2] quant u8 zero 3 scales [0.1, 0.2]\n";

static struct sl_graph *parse(sl_arena *a, const char *text)
{
    struct sl_graph *g = NULL;
    OK(sl_text_parse(a, (struct sl_view){(const uint8_t *)text, strlen(text)}, NULL, &g, &e));
    return g;
}

static struct sl_model *full_model(sl_arena *a)
{
    struct sl_model *m = sl_model_new(a, "net");
    m->state = SL_MODEL_QUANTIZED_MODEL;
    m->native = parse(a, native_text);
    m->fp_optimized = sl_graph_copy(m->native, a);
    m->fp_optimized->stage = SL_STAGE_FP_OPTIMIZED;
    m->quantized = parse(a, quantized_text);
    m->script = "normalization1 = normalization([0.0], [1.0])\n";
    json_object_set_new(m->versions, "sluice", json_string("0.1.0"));
    json_array_append_new(m->applied, json_string("normalization1"));
    sl_model_set_json(m, &m->statistics, json_pack("{s:[f,f]}", "net/conv1", 0.5, 1.5));
    sl_model_set_file(m, "net.postprocess.onnx", VIEW("post"));
    sl_model_set_file(m, "net.nms.json", VIEW("{}"));
    return m;
}

/* Graphs as text with all constants, to compare with strcmp. */
static char *text_of(sl_arena *a, const struct sl_graph *g)
{
    struct sl_buffer out = {0};
    OK(sl_text_print(g, NULL, &out, &e));
    char *copy = sl_arena_strdup(a, sl_buffer_text(&out));
    sl_buffer_free(&out);
    return copy;
}

static void write_model(const struct sl_model *m, struct sl_buffer *out)
{
    *out = (struct sl_buffer){0};
    OK(sl_har_write_buffer(m, out, &e));
}

static void round_trip(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new(), *b = sl_arena_new();
    struct sl_model *m = full_model(a), *back = NULL;
    struct sl_buffer first, second;
    write_model(m, &first);
    OK(sl_har_read(b, (struct sl_view){first.data, first.size}, &back, &e));
    assert_int_equal(back->state, SL_MODEL_QUANTIZED_MODEL);
    assert_string_equal(back->hw_arch, "hailo10h");
    assert_string_equal(back->script, m->script);
    assert_string_equal(text_of(a, back->native), text_of(a, m->native));
    assert_string_equal(text_of(a, back->fp_optimized), text_of(a, m->fp_optimized));
    assert_string_equal(text_of(a, back->quantized), text_of(a, m->quantized));
    assert_ptr_equal(sl_model_graph(back), back->quantized);
    assert_true(json_equal(back->versions, m->versions));
    assert_true(json_equal(back->statistics, m->statistics));
    assert_int_equal(back->n_files, 2);
    assert_memory_equal(sl_model_file(back, "net.postprocess.onnx")->data, "post", 4);
    assert_null(sl_model_file(back, "net.hn"));
    write_model(back, &second);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    sl_buffer_free(&second);
    sl_arena_free(b);
    sl_buffer_free(&first);
    sl_arena_free(a);
}

/* Large arrays are views into the archive; equal ones of the float stages are stored once; splats stay splats. */
static void shares_memory(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new(), *b = sl_arena_new();
    struct sl_model *back = NULL;
    struct sl_buffer out;
    write_model(full_model(a), &out);
    assert_true(out.size < 40000); /* the kernel of 6912 bytes is in it once, not four times */
    OK(sl_har_read(b, (struct sl_view){out.data, out.size}, &back, &e));
    const struct sl_node *conv1 = sl_graph_find(back->native, "conv1");
    const struct sl_const *kernel = sl_param(conv1, "kernel");
    assert_ptr_equal(kernel->data, sl_param(sl_graph_find(back->fp_optimized, "conv1"), "kernel")->data);
    assert_ptr_equal(kernel->data, sl_param(sl_graph_find(back->native, "conv2"), "kernel")->data); /* another shape */
    const uint8_t *p = kernel->data;
    assert_true(p > out.data && p < out.data + out.size);
    assert_int_equal((p - out.data) % 64, 0);
    const struct sl_const *huge = sl_param(conv1, "huge");
    assert_true(huge->splat && huge->shape.dim[1] == 1000000 && *(const float *)huge->data == 2.0f);
    sl_buffer_free(&out);
    sl_arena_free(b);
    sl_arena_free(a);
}

static void files_on_disk(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new(), *b = sl_arena_new();
    struct sl_model *m = sl_model_new(a, "my.net-1"), *back = NULL;
    char path[] = "/tmp/sluice_har_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    m->hw_arch = "hailo15l";
    OK(sl_har_write(m, path, &e));
    OK(sl_har_open(b, path, &back, &e));
    assert_string_equal(back->name, "my.net-1");
    assert_string_equal(back->hw_arch, "hailo15l");
    assert_int_equal(back->state, SL_MODEL_UNINITIALIZED);
    assert_null(sl_model_graph(back));
    OK(sl_har_write(back, path, &e)); /* onto the file it is mapped from */
    remove(path);
    FAILS(sl_har_open(b, path, &back, &e), SLUICE_E_IO, path);
    sl_arena_free(b);
    sl_arena_free(a);
}

static void refuses_what_it_cannot_say(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_model *m = full_model(a);
    struct sl_buffer out = {0};
    m->native->nodes[1]->name = "a/b";
    FAILS(sl_har_write_buffer(m, &out, &e), SLUICE_E_VALUE, "stage 'native': layer 'net/a/b': a name must have");
    m->native->nodes[1]->name = "a\xff";
    FAILS(sl_har_write_buffer(m, &out, &e), SLUICE_E_VALUE, "is not valid UTF-8");
    m->native->nodes[1]->name = "conv1";
    m->native->stage = SL_STAGE_QUANTIZED;
    FAILS(sl_har_write_buffer(m, &out, &e), SLUICE_E_INTERNAL, "its graph is of stage 'quantized'");
    m->native->stage = SL_STAGE_NATIVE;
    sl_model_set_file(m, "net.npz", VIEW(""));
    FAILS(sl_har_write_buffer(m, &out, &e), SLUICE_E_VALUE, "the extra file 'net.npz' has the name of a part");
    sl_model_remove_file(m, "net.npz");
    sl_model_remove_file(m, "net.npz");
    m->quantized = NULL;
    FAILS(sl_har_write_buffer(m, &out, &e), SLUICE_E_FORMAT, "the state is QUANTIZED_MODEL, but there is no stage 'quantized'");
    m->name = "..";
    FAILS(sl_har_write_buffer(m, &out, &e), SLUICE_E_VALUE, "the network's name");
    sl_buffer_free(&out);
    sl_arena_free(a);
}

/* ---- archives changed on purpose ---- */

/* A member's data in one, where they were in pieces. */
static void join_pieces(sl_arena *a, struct sl_tar_member *m)
{
    if (!m->pieces)
        return;
    uint8_t *data = sl_arena_alloc(a, m->data.size), *at = data;
    for (size_t i = 0; i < m->n_pieces; i++) {
        if (m->pieces[i].size)
            memcpy(at, m->pieces[i].data, m->pieces[i].size);
        at += m->pieces[i].size;
    }
    assert_int_equal(at - data, m->data.size);
    *m = (struct sl_tar_member){.name = m->name, .data = {data, m->data.size}};
}

/* Arrays go to the archive piece by piece: the same bytes as members in one. */
static void pieces_and_wholes(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_tar_member *members;
    struct sl_buffer in_pieces = {0}, whole = {0}, direct = {0};
    size_t n, n_in_pieces = 0;
    struct sl_model *m = full_model(a);
    OK(sl_har_members(m, a, &members, &n, &e));
    OK(sl_tar_write_buffer(&in_pieces, members, n, &e));
    for (size_t i = 0; i < n; i++) {
        n_in_pieces += members[i].pieces != NULL;
        join_pieces(a, &members[i]);
    }
    assert_true(n_in_pieces >= 2);
    OK(sl_tar_write_buffer(&whole, members, n, &e));
    OK(sl_har_write_buffer(m, &direct, &e));
    assert_int_equal(in_pieces.size, whole.size);
    assert_memory_equal(in_pieces.data, whole.data, whole.size);
    assert_int_equal(direct.size, whole.size);
    assert_memory_equal(direct.data, whole.data, whole.size);
    sl_buffer_free(&in_pieces);
    sl_buffer_free(&whole);
    sl_buffer_free(&direct);
    sl_arena_free(a);
}

/* Write the quantized model with `from` replaced by `to` (once) in the member, and read that. */
static sluice_status read_changed(const char *member, const char *from, const char *to, struct sluice_error *err)
{
    sl_arena *a = sl_arena_new();
    struct sl_model *m = full_model(a), *back;
    struct sl_tar_member *members;
    struct sl_buffer out = {0}, changed = {0};
    size_t n;
    OK(sl_har_members(m, a, &members, &n, &e));
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(members[i].name, member) != 0)
            continue;
        join_pieces(a, &members[i]);
        const char *text = (const char *)members[i].data.data;
        const char *at = from[0] ? memmem(text, members[i].data.size, from, strlen(from)) : text;
        if (!at)
            fail_msg("'%s' is not in %s", from, member);
        sl_put(&changed, text, (size_t)(at - text));
        sl_put_printf(&changed, "%s", to);
        sl_put(&changed, at + strlen(from), members[i].data.size - (size_t)(at - text) - strlen(from));
        members[i].data = (struct sl_view){changed.data, changed.size};
        found = true;
    }
    assert_true(found);
    OK(sl_tar_write_buffer(&out, members, n, &e));
    sluice_status s = sl_har_read(a, (struct sl_view){out.data, out.size}, &back, err);
    sl_arena_free(a);
    sl_buffer_free(&changed);
    sl_buffer_free(&out);
    return s;
}

static void broken_archives(void **state)
{
    (void)state;
    static const char hn[] = "net.hn", native[] = "net.native.hn", meta[] = "net.metadata.json";
    static const struct {
        const char *member, *from, *to;
        sluice_status status;
        const char *part;
    } cases[] = {
        {meta, "\"format_version\": 1", "\"format_version\": 2", SLUICE_E_UNSUPPORTED, "'format_version' is 2"},
        {meta, "sluice-har", "other", SLUICE_E_FORMAT, "net.metadata.json: 'format' is 'other'"},
        {meta, "QUANTIZED_MODEL", "BOILED_MODEL", SLUICE_E_VALUE, "'state' is 'BOILED_MODEL'"},
        {meta, "\"hw_arch\"", "\"hw_arc\"", SLUICE_E_FORMAT, "key 'hw_arc' is not known"},
        {meta, "\"native\": {", "\"naive\": {", SLUICE_E_FORMAT, "key 'naive' is not known"},
        {meta, "\"name\": \"net\"", "\"name\": \"nett\"", SLUICE_E_FORMAT, "'name' is 'nett'"},
        {meta, "\"layer\": \"net/input_layer1\"", "\"layer\": \"net/conv1\"", SLUICE_E_FORMAT,
         "its layer is not an input_layer"},
        {meta, "\"layer\": \"net/input_layer1\"", "\"layer\": \"net/nothing\"", SLUICE_E_FORMAT, "which is not a layer"},
        {meta, "[0, 3, 1, 2]", "[0, 3, 1, 4]", SLUICE_E_VALUE, "axis 3 of 'perm' is not in 0..3"},
        {meta, "[0, 3, 1, 2]", "[0, 3, 1, 1]", SLUICE_E_FORMAT, "not a permutation"},
        {meta, "[1000000, 1000000]", "[100000000, 1000000]", SLUICE_E_LIMIT, "more than 2^46 elements"},
        {meta, "\"same_as\"", "\"same\"", SLUICE_E_FORMAT, "key 'same' is not known"},
        {meta, "\"array\": \"net/conv1/kernel:0\"", "\"array\": \"net/conv9/kernel:0\"", SLUICE_E_FORMAT,
         "which is not stored"},
        {meta, "\"length\": 1024", "\"length\": 0", SLUICE_E_VALUE, "'states' entry 0: 'length' is 0"},
        {meta, "{", "[", SLUICE_E_FORMAT, "net.metadata.json: JSON line"},
        {hn, "\"type\": \"conv\"", "\"type\": \"cnov\"", SLUICE_E_FORMAT,
         "net.hn: layer 'net/conv1': type 'cnov' is not known"},
        {hn, "\"net/conv1\": {", "\"net/conv7\": {", SLUICE_E_FORMAT, "input 'net/conv1' is not a layer"},
        {hn, "\"net/conv1\": {", "\"netconv1\": {", SLUICE_E_FORMAT, "'network/layer'"},
        {hn, "\"net/conv1\": {", "\"other/conv1\": {", SLUICE_E_FORMAT, "not in 'net_scopes'"},
        {hn, "\"zero_point\": 128", "\"zero_point\": 256", SLUICE_E_VALUE,
         "'quantization': 'zero_point' is 256, not in 0..255"},
        {hn, "\"scale\": 1e-05", "\"scale\": -1", SLUICE_E_VALUE, "a scale is not"},
        {hn, "\"dtype\": \"u16\"", "\"dtype\": \"s16\"", SLUICE_E_VALUE, "'dtype' is s16"},
        {hn, "\"stage\": \"quantized\"", "\"stage\": \"native\"", SLUICE_E_FORMAT, "its stage is 'native'"},
        {hn, "\"kernel\"", "\"kernal\"", SLUICE_E_FORMAT, "net.q.npz: array 'net/conv1/kernal:0': the npz does not hold it"},
        {hn, "\"arrays\": [\n    \"kernel\"\n   ]", "\"arrays\": []", SLUICE_E_FORMAT,
         "array 'net/conv1/kernel:0' belongs to no layer"},
        {hn, "[-1, 8, 8, 3]", "[-1, -1, 8, 3]", SLUICE_E_VALUE, "dimension 1 of a shape is -1"},
        {hn, "\"net/input_layer1\"\n", "\"net/output_layer1\"\n", SLUICE_E_FORMAT, "cycle"},
        {native, "\"big\": 9223372036854775807", "\"big\": true", SLUICE_E_FORMAT, "attribute 'big': the value is not"},
        {native, "\"big\": 9223372036854775807", "\"big\": [1, 2.0]", SLUICE_E_FORMAT, "element 1 is not an integer"},
        {native, "\"strides\"", "\"alpha\"", SLUICE_E_FORMAT, "duplicate"},
        {"net.npz", "PK", "PQ", SLUICE_E_FORMAT, "net.npz: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sluice_error e = {0};
        sluice_status s = read_changed(cases[i].member, cases[i].from, cases[i].to, &e);
        if (s != cases[i].status || !strstr(e.message, cases[i].part))
            fail_msg("case %zu (%s): status %d, \"%s\", without \"%s\"", i, cases[i].to, s, e.message, cases[i].part);
    }
}

static void try_bytes(const uint8_t *bytes, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, bytes, n);
    sl_arena *a = sl_arena_new();
    struct sl_model *m;
    struct sluice_error e = {0};
    if (sl_har_read(a, (struct sl_view){exact, n}, &m, &e) != SLUICE_OK)
        assert_true(e.message[0]);
    sl_arena_free(a);
    free(exact);
}

static void hostile_archives(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_buffer out;
    uint64_t r = 1;
    write_model(full_model(a), &out);
    for (size_t i = 0; i <= 64; i++)
        try_bytes(out.data, out.size * i / 64);
    uint8_t *copy = malloc(out.size);
    for (int round = 0; round < 1500; round++) {
        memcpy(copy, out.data, out.size);
        for (int k = 0; k < 4; k++) {
            r = r * 6364136223846793005u + 1442695040888963407u;
            copy[(r >> 33) % out.size] = (uint8_t)(r >> 24);
        }
        try_bytes(copy, out.size);
    }
    free(copy);
    sl_buffer_free(&out);
    sl_arena_free(a);
}

/* The same on the JSON parts alone, where a changed byte is likelier to matter. */
static void hostile_json(void **state)
{
    (void)state;
    static const char *const parts[] = {"net.metadata.json", "net.hn", "net.native.hn"};
    uint64_t r = 7;
    sl_arena *a = sl_arena_new();
    struct sl_tar_member *members;
    size_t n;
    OK(sl_har_members(full_model(a), a, &members, &n, &e));
    for (int round = 0; round < 1500; round++) {
        const struct sl_view *part = sl_tar_find(members, n, parts[round % 3]);
        struct sl_view saved = *part;
        uint8_t *copy = malloc(saved.size);
        memcpy(copy, saved.data, saved.size);
        for (int k = 0; k < 2; k++) {
            r = r * 6364136223846793005u + 1442695040888963407u;
            copy[(r >> 33) % saved.size] = "0123456789-.[]{},:\"abz/ "[(r >> 20) % 24];
        }
        ((struct sl_view *)part)->data = copy;
        struct sl_buffer out = {0};
        OK(sl_tar_write_buffer(&out, members, n, &e));
        *(struct sl_view *)part = saved;
        try_bytes(out.data, out.size);
        sl_buffer_free(&out);
        free(copy);
    }
    sl_arena_free(a);
}

static void large_models(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_buffer text = {0}, out;
    struct sl_model *m = sl_model_new(a, "net"), *back;
    m->state = SL_MODEL_HAILO_MODEL;
    sl_put_printf(&text, "graph net native %%x0 = input_layer() : f32 [1, 4]\n");
    for (int i = 1; i <= 20000; i++)
        sl_put_printf(&text, "%%x%d = bias_add(%%x%d) params {bias: f32 [4] = seed %d} : f32 [1, 4] origins [\"n%d\"]\n", i,
                      i - 1, i, i);
    m->native = parse(a, sl_buffer_text(&text));
    write_model(m, &out);
    OK(sl_har_read(a, (struct sl_view){out.data, out.size}, &back, &e));
    assert_int_equal(back->native->n_nodes, 20001);
    sl_buffer_free(&out);
    sl_buffer_free(&text);
    sl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_and_wholes),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(shares_memory),
        cmocka_unit_test(files_on_disk),
        cmocka_unit_test(refuses_what_it_cannot_say),
        cmocka_unit_test(broken_archives),
        cmocka_unit_test(hostile_archives),
        cmocka_unit_test(hostile_json),
        cmocka_unit_test(large_models),
    };
    return cmocka_run_group_tests_name("har", tests, NULL, NULL);
}
