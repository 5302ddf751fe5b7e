/* test_samples.c: sample sources: arrays, archives, folders and pictures; and what is said when they do not fit. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "quant/samples.h"

static char folder[64];

static const char *at(sl_arena *a, const char *name)
{
    return sl_path_join(a, folder, name);
}

static void write_npy(sl_arena *a, const char *name, enum sl_dtype t, int rank, const int64_t *dims, const void *data)
{
    struct sl_buffer b = {0};
    struct sl_array array = {.dtype = t, .shape = sl_shape_of(rank, dims), .data = data};
    (void)sl_bytes_of(t, &array.shape, &array.bytes);
    OK(sl_npy_write(&b, &array));
    OK(sl_write_file(at(a, name), b.data, b.size, &e));
    sl_buffer_free(&b);
    (void)a;
}

static const struct sl_sample_input picture = {
    .name = "input_layer1", .scope = "net", .origin = "images", .shape = {4, {1, 2, 3, 3}}};
static const struct sl_sample_input vector = {.name = "input_layer2", .scope = "net", .origin = "mask", .shape = {2, {1, 4}}};

static sluice_status open(sl_arena *a, const char *path, const struct sl_sample_input *in, int n, struct sl_samples **s,
                          sl_err *e)
{
    struct sl_sample_options o = {0};
    return sl_samples_open(a, &path, 1, in, n, &o, s, e);
}

static void arrays(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    struct sl_samples *s;
    struct sl_array x;
    float f[36], out[18];
    for (int i = 0; i < 36; i++)
        f[i] = (float)i;
    write_npy(a, "batch.npy", SL_F32, 4, (int64_t[]){2, 2, 3, 3}, f);
    OK(open(a, at(a, "batch.npy"), &picture, 1, &s, &e));
    assert_int_equal(sl_samples_count(s), 2);
    assert_true(sl_samples_batched(s) && !sl_samples_folder(s));
    OK(sl_samples_read(s, a, 1, &x, &e));
    OK(sl_array_to_f32(&x, out, 18, &e));
    assert_true(out[0] == 18 && out[17] == 35);
    write_npy(a, "frame.npy", SL_F32, 3, (int64_t[]){2, 3, 3}, f);
    OK(open(a, at(a, "frame.npy"), &picture, 1, &s, &e));
    assert_true(sl_samples_count(s) == 1 && !sl_samples_batched(s));
    write_npy(a, "nchw.npy", SL_F32, 4, (int64_t[]){1, 3, 2, 3}, f);
    struct sluice_error e = {0};
    assert_int_equal(open(a, at(a, "nchw.npy"), &picture, 1, &s, &e), SLUICE_E_SHAPE);
    assert_non_null(strstr(e.message, "shape [1, 3, 2, 3] does not fit input 'input_layer1', wanted is [1, 2, 3, 3]"));
    assert_non_null(strstr(e.hint, "looks like NCHW"));
    struct sluice_error e2 = {0};
    write_npy(a, "grey.npy", SL_U8, 4, (int64_t[]){5, 2, 3, 1}, f);
    assert_int_equal(open(a, at(a, "grey.npy"), &picture, 1, &s, &e2), SLUICE_E_SHAPE);
    assert_non_null(strstr(e2.hint, "1 channels where the network takes 3"));
    sl_arena_free(a);
}

static void numbers(void **state)
{
    (void)state;
    float out[4];
    const uint16_t half[4] = {0x3c00, 0xc000, 0x0001, 0x7bff};
    struct sl_array x = {.dtype = SL_F16, .shape = {1, {4}}, .data = half, .bytes = 8};
    OK(sl_array_to_f32(&x, out, 4, &e));
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == 0x1p-24f && out[3] == 65504);
    const int64_t whole[2] = {-5, 1 << 20};
    x = (struct sl_array){.dtype = SL_S64, .shape = {1, {2}}, .data = whole, .bytes = 16};
    OK(sl_array_to_f32(&x, out, 2, &e));
    assert_true(out[0] == -5 && out[1] == 1048576);
    const float bad[2] = {1, NAN};
    x = (struct sl_array){.dtype = SL_F32, .shape = {1, {2}}, .data = bad, .bytes = 8};
    FAILS(sl_array_to_f32(&x, out, 2, &e), SLUICE_E_VALUE, "value 1 is not finite");
}

static void several_inputs(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    const struct sl_sample_input in[2] = {picture, vector};
    struct sl_samples *s;
    struct sl_array x[2];
    uint8_t bytes[36] = {7};
    float f[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct sl_npz_member m[2] = {
        {"net/input_layer1", {.dtype = SL_U8, .shape = {4, {2, 2, 3, 3}}, .data = bytes, .bytes = 36}},
        {"mask", {.dtype = SL_F32, .shape = {2, {2, 4}}, .data = f, .bytes = 32}},
    };
    struct sl_buffer b = {0};
    OK(sl_npz_write(&b, m, 2, &e));
    OK(sl_write_file(at(a, "two.npz"), b.data, b.size, &e));
    sl_buffer_free(&b);
    OK(open(a, at(a, "two.npz"), in, 2, &s, &e));
    assert_int_equal(sl_samples_count(s), 2);
    OK(sl_samples_read(s, a, 1, x, &e));
    assert_true(((const float *)x[1].data)[0] == 4 && x[0].dtype == SL_U8);
    write_npy(a, "v.npy", SL_F32, 2, (int64_t[]){2, 4}, f);
    FAILS(open(a, at(a, "v.npy"), in, 2, &s, &e), SLUICE_E_USAGE, "the network has 2 inputs, say which one it is for");
    const char *paths[2] = {sl_arena_printf(a, "mask=%s", at(a, "v.npy")),
                            sl_arena_printf(a, "net/input_layer1=%s", at(a, "two.npz"))};
    struct sl_sample_options o = {.limit = 1};
    OK(sl_samples_open(a, paths, 2, in, 2, &o, &s, &e));
    assert_int_equal(sl_samples_count(s), 1);
    FAILS(sl_samples_open(a, paths, 1, in, 2, &o, &s, &e), SLUICE_E_USAGE, "input 'input_layer1' has no data");
    paths[1] = paths[0];
    FAILS(sl_samples_open(a, paths, 2, in, 2, &o, &s, &e), SLUICE_E_USAGE, "input 'input_layer2' is given twice");
    sl_arena_free(a);
}

static void pictures(void **state)
{
    (void)state;
    sl_arena *a = sl_arena_new();
    uint8_t pixels[4 * 6 * 3];
    struct sl_image im = {.height = 4, .width = 6, .channels = 3, .pixels = pixels};
    struct sl_buffer b = {0};
    struct sl_samples *s;
    struct sl_array x;
    memset(pixels, 9, sizeof pixels);
    OK(sl_png_encode(&im, &b, &e));
    OK(sl_make_directory(at(a, "pictures"), &e));
    OK(sl_write_file(at(a, "pictures/b.png"), b.data, b.size, &e));
    OK(sl_write_file(at(a, "pictures/a.png"), b.data, b.size, &e));
    sl_buffer_free(&b);
    OK(open(a, at(a, "pictures"), &picture, 1, &s, &e));
    assert_true(sl_samples_count(s) == 2 && sl_samples_folder(s));
    assert_string_equal(sl_samples_label(s, 0), "a");
    struct sluice_error e = {0};
    assert_int_equal(sl_samples_read(s, a, 0, &x, &e), SLUICE_E_SHAPE);
    assert_non_null(strstr(e.message, "a picture of 4x6 (height x width), input 'input_layer1' takes 2x3"));
    assert_non_null(strstr(e.hint, "stretch"));
    struct sl_sample_options o = {.resize = SL_RESIZE_STRETCH};
    const char *path = at(a, "pictures");
    OK(sl_samples_open(a, &path, 1, &picture, 1, &o, &s, &e));
    OK(sl_samples_read(s, a, 1, &x, &e));
    assert_true(x.dtype == SL_U8 && x.bytes == 18 && ((const uint8_t *)x.data)[17] == 9);
    OK(sl_make_directory(at(a, "empty"), &e));
    FAILS(open(a, at(a, "empty"), &picture, 1, &s, &e), SLUICE_E_NOT_FOUND, "no picture and no .npy file");
    FAILS(open(a, at(a, "none.npy"), &picture, 1, &s, &e), SLUICE_E_IO, "none.npy");
    OK(sl_write_file(at(a, "text.txt"), "x", 1, &e));
    FAILS(open(a, at(a, "text.txt"), &picture, 1, &s, &e), SLUICE_E_UNSUPPORTED, "is not a kind of file");
    sl_arena_free(a);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sluice_samples_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arrays), cmocka_unit_test(numbers), cmocka_unit_test(several_inputs),
                                       cmocka_unit_test(pictures)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
