/* image_png.c: PNG by libpng, read to 8-bit grey or RGB, and written. Called by image_decode.c and by the demo's drawing. */
#include <setjmp.h>
#include <string.h>
#include <png.h>

#include "base/image_codecs.h"

struct png_source {
    struct sl_reader r;
    char message[128];
};

static void on_error(png_structp png, png_const_charp text)
{
    struct png_source *s = png_get_error_ptr(png);
    size_t n = strlen(text);
    n = SL_MIN(n, sizeof s->message - 1);
    memcpy(s->message, text, n);
    s->message[n] = 0;
    longjmp(*png_set_longjmp_fn(png, longjmp, sizeof(jmp_buf)), 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text; /* odd metadata: the pixels do not change */
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    struct png_source *s = png_get_io_ptr(png);
    struct sl_view v = sl_read_bytes(&s->r, n);
    if (v.size != n)
        png_error(png, "the file is cut off");
    memcpy(to, v.data, n);
}

/* Deflate expands at most 1032 times: a small file cannot ask for a large picture. */
static sluice_status check_size(const struct png_source *s, size_t row_bytes, size_t height, sl_err *e)
{
    size_t size = (size_t)(s->r.end - s->r.start);
    if (row_bytes / 1032 * height > size)
        return sl_fail(e, SLUICE_E_FORMAT, "PNG: the file of %zu bytes is too small for its %zu rows", size, height);
    return SLUICE_OK;
}

static sluice_status read_pixels(png_structp png, png_infop info, struct png_source *s, sl_arena *a, struct sl_image *out,
                                 sl_err *e)
{
    png_read_info(png, info);
    size_t height = png_get_image_height(png, info), width = png_get_image_width(png, info);
    SL_TRY(check_size(s, png_get_rowbytes(png, info), height, e));
    bool grey = !(png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR);
    png_set_strip_16(png);
    png_set_packing(png);
    if (png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    else if (grey && png_get_bit_depth(png, info) < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_alpha(png);
    (void)png_set_interlace_handling(png);
    png_read_update_info(png, info);
    SL_TRY(sl_image_new(a, (int64_t)height, (int64_t)width, grey ? 1 : 3, out, e));
    if (png_get_rowbytes(png, info) != width * (size_t)out->channels)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "PNG: unusual combination of colour type and depth");
    png_bytep *rows = sl_arena_alloc(a, height * sizeof *rows);
    if (!rows)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for a picture of %zu rows", height);
    for (size_t y = 0; y < height; y++)
        rows[y] = out->pixels + y * width * (size_t)out->channels;
    png_read_image(png, rows);
    png_read_end(png, NULL);
    return SLUICE_OK;
}

sluice_status sl_png_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e)
{
    struct png_source *s = SL_NEW(a, struct png_source);
    s->r = sl_reader_of(bytes.data, bytes.size);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, s, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for reading a PNG file");
    }
    if (setjmp(*png_set_longjmp_fn(png, longjmp, sizeof(jmp_buf))) == 0) {
        png_set_read_fn(png, s, on_read);
        png_set_user_limits(png, 64 << 20, 64 << 20);
        png_set_chunk_malloc_max(png, 8 << 20);
        (void)read_pixels(png, info, s, a, out, e);
    } else {
        sl_fail(e, SLUICE_E_FORMAT, "PNG: %s", s->message);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return e->code;
}

static void on_write(png_structp png, png_bytep from, size_t n)
{
    sl_put(png_get_io_ptr(png), from, n);
}

static void on_flush(png_structp png)
{
    (void)png;
}

sluice_status sl_png_encode(const struct sl_image *in, struct sl_buffer *out, sl_err *e)
{
    struct png_source s = {.message = ""};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for writing a PNG file");
    }
    if (setjmp(*png_set_longjmp_fn(png, longjmp, sizeof(jmp_buf))) == 0) {
        png_set_write_fn(png, out, on_write, on_flush);
        png_set_IHDR(png, info, (png_uint_32)in->width, (png_uint_32)in->height, 8,
                     in->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png, info);
        for (int y = 0; y < in->height; y++)
            png_write_row(png, in->pixels + (size_t)y * (size_t)in->width * (size_t)in->channels);
        png_write_end(png, NULL);
    } else {
        sl_fail(e, SLUICE_E_INTERNAL, "PNG: %s", s.message);
    }
    png_destroy_write_struct(&png, &info);
    if (out->failed)
        sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing a PNG file");
    return e->code;
}
