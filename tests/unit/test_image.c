/* test_image.c: decoding, resizing and drawing. Expected bytes of resized pictures are Pillow's (checksums made by
 * make_resize_cases.py of the same synthetic pictures). */
#include "unit.h"

#include "base/hash.h"
#include "base/image.h"

static sl_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = sl_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_arena_free(arena);
    return 0;
}

/* Pixel value at (y, x, c) of the test picture: x * 7 + y * 13 + c * 50 + x * y % 31, modulo 256. */
static struct sl_image synthetic(int height, int width, int channels)
{
    struct sl_image im = {height, width, channels, sl_arena_must_alloc(arena, (size_t)(height * width * channels))};
    uint8_t *p = im.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *p++ = (uint8_t)(x * 7 + y * 13 + c * 50 + x * y % 31);
    return im;
}

static uint32_t crc_of(const struct sl_image *im)
{
    return sl_crc32(im->pixels, (size_t)im->height * (size_t)im->width * (size_t)im->channels);
}

struct resize_case {
    int in_h, in_w, channels, h, w;
    enum sl_resize_mode mode;
    uint32_t crc;
};
static const struct resize_case resize_cases[] = {
#include "resize_cases.inc"
};

static void resizes_as_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_COUNT(resize_cases); i++) {
        const struct resize_case *c = &resize_cases[i];
        struct sl_image in = synthetic(c->in_h, c->in_w, c->channels), out;
        OK(sl_image_resize(arena, &in, c->h, c->w, c->mode, &out, &e));
        assert_int_equal(out.height, c->h);
        assert_int_equal(out.width, c->w);
        if (crc_of(&out) != c->crc)
            fail_msg("case %zu: checksum %08x, Pillow gives %08x", i, crc_of(&out), c->crc);
    }
}

static void resize_errors(void **state)
{
    (void)state;
    struct sl_image in = synthetic(4, 6, 3), out;
    enum sl_resize_mode mode;
    FAILS(sl_image_resize(arena, &in, 6, 4, SL_RESIZE_NONE, &out, &e), SLUICE_E_SHAPE,
          "6 x 4 (width x height), 4 x 6 is wanted");
    OK(sl_image_resize(arena, &in, 4, 6, SL_RESIZE_NONE, &out, &e));
    FAILS(sl_image_resize(arena, &in, 0, 4, SL_RESIZE_FIT, &out, &e), SLUICE_E_VALUE, "4 x 0");
    struct sl_image thin = synthetic(1, 60000, 1);
    FAILS(sl_image_resize(arena, &thin, 1000, 1000, SL_RESIZE_CROP, &out, &e), SLUICE_E_LIMIT, "intermediate");
    OK(sl_image_resize(arena, &thin, 10, 10, SL_RESIZE_FIT, &out, &e)); /* at least one row stays */
    assert_int_equal(out.pixels[99], 114);
    assert_true(sl_resize_mode_from_name("crop", &mode) && mode == SL_RESIZE_CROP);
    assert_false(sl_resize_mode_from_name("zoom", &mode));
}

static void png_round_trip(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        struct sl_image in = synthetic(37, 53, channels), out;
        struct sl_buffer b = {0};
        OK(sl_png_encode(&in, &b, &e));
        OK(sl_image_decode(arena, (struct sl_view){b.data, b.size}, 0, &out, &e));
        assert_int_equal(out.channels, channels);
        assert_int_equal(out.height, 37);
        assert_memory_equal(out.pixels, in.pixels, (size_t)(37 * 53 * channels));
        OK(sl_image_decode(arena, (struct sl_view){b.data, b.size}, 4 - channels, &out, &e));
        assert_int_equal(out.channels, 4 - channels);
        for (size_t cut = 0; cut < b.size - 12; cut += 7) {
            sl_err e = {0};
            assert_int_equal(sl_image_decode(arena, (struct sl_view){b.data, cut}, 0, &out, &e), SLUICE_E_FORMAT);
        }
        sl_buffer_free(&b);
    }
}

static void simple_formats(void **state)
{
    (void)state;
    struct sl_image im;
    OK(sl_image_decode(arena, VIEW("P6 # c\n2 1\n255\nabcdef"), 0, &im, &e));
    assert_int_equal(im.width, 2);
    assert_memory_equal(im.pixels, "abcdef", 6);
    OK(sl_image_decode(arena, VIEW("P5\n1\n2\n65535\nAxBx"), 3, &im, &e));
    assert_memory_equal(im.pixels, "AAABBB", 6);
    OK(sl_image_decode(arena, VIEW("P6 1 1 255 \xff\x00\x00"), 1, &im, &e));
    assert_int_equal(im.pixels[0], 76); /* 0.299 * 255 */
    static const uint8_t bmp[] = {'B', 'M', 70, 0, 0, 0, 0, 0,  0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0,
                                  0,   2,   0,  0, 0, 1, 0, 24, 0, 0, 0,  0, 0, 8, 0,  0, 0, 0, 0, 0, 0,
                                  0,   0,   0,  0, 0, 0, 0, 0,  0, 0, 0,  0, 1, 2, 3,  0, 4, 5, 6, 0};
    OK(sl_image_decode(arena, (struct sl_view){bmp, sizeof bmp}, 0, &im, &e));
    assert_memory_equal(im.pixels, "\6\5\4\3\2\1", 6);
    FAILS(sl_image_decode(arena, (struct sl_view){bmp, sizeof bmp - 1}, 0, &im, &e), SLUICE_E_FORMAT, "need more than");
    FAILS(sl_image_decode(arena, VIEW("P6 9 9 255 abc"), 0, &im, &e), SLUICE_E_FORMAT, "need more than");
    FAILS(sl_image_decode(arena, VIEW("P6 9 x"), 0, &im, &e), SLUICE_E_FORMAT, "header");
    FAILS(sl_image_decode(arena, VIEW("P6 1 1 7 abc"), 0, &im, &e), SLUICE_E_UNSUPPORTED, "largest value 7");
    FAILS(sl_image_decode(arena, VIEW("GIF89a...."), 0, &im, &e), SLUICE_E_UNSUPPORTED, "a GIF");
    FAILS(sl_image_decode(arena, VIEW("hello"), 0, &im, &e), SLUICE_E_FORMAT, "not a picture");
    FAILS(sl_image_decode(arena, VIEW(""), 0, &im, &e), SLUICE_E_FORMAT, "not a picture");
    FAILS(sl_image_decode(arena, VIEW("\xff\xd8\xff\xe0"), 0, &im, &e), SLUICE_E_FORMAT, "JPEG");
    FAILS(sl_image_decode(arena, VIEW("P6 1 1 255 abc"), 2, &im, &e), SLUICE_E_VALUE, "1 or 3 channels, not 2");
}

static void drawing_is_clipped(void **state)
{
    (void)state;
    static const uint8_t red[3] = {255, 0, 0};
    struct sl_image im = {16, 16, 3, sl_arena_must_alloc(arena, 16 * 16 * 3)};
    sl_draw_rectangle(&im, 2, 3, 9, 8, 1, red);
    int n = 0;
    for (int i = 0; i < 256; i++)
        n += im.pixels[3 * i] == 255;
    assert_int_equal(n, 2 * 8 + 2 * 4);
    assert_int_equal(im.pixels[(3 * 16 + 2) * 3], 255);
    assert_int_equal(im.pixels[(4 * 16 + 3) * 3], 0);
    sl_draw_rectangle(&im, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX, INT32_MAX, red);
    sl_draw_rectangle(&im, 30, 30, -5, -5, 0, red);
    sl_draw_text(&im, -3, -3, "Ag~\x01\xff", 2, red);
    sl_draw_text(&im, INT32_MAX, INT32_MAX, "x", 64, red);
    struct sl_image grey = {9, 7, 1, sl_arena_must_alloc(arena, 63)};
    sl_draw_text(&grey, 1, 1, "I", 1, red);
    assert_int_equal(grey.pixels[1 * 7 + 3], 255); /* the stem */
    assert_int_equal(grey.pixels[4 * 7 + 3], 255);
    assert_int_equal(grey.pixels[4 * 7 + 2], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizes_as_pillow), cmocka_unit_test(resize_errors),      cmocka_unit_test(png_round_trip),
        cmocka_unit_test(simple_formats),    cmocka_unit_test(drawing_is_clipped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
