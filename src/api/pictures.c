/* pictures.c: pictures -> one .npy, decoded and resized as calibration and `run` do it. */
#include "sluice/inspect.h"

#include <string.h>

#include "api/api.h"
#include "base/error.h"
#include "base/file.h"
#include "base/image.h"
#include "base/npy.h"

sluice_status sl_api_resize(const char *name, enum sl_resize_mode *out, sl_err *e)
{
    *out = SL_RESIZE_NONE;
    if (name && !sl_resize_mode_from_name(name, out))
        return sl_fail(e, SLUICE_E_USAGE, "'%s' is not a way to resize (none, stretch, fit, crop)", name);
    return SLUICE_OK;
}

static void swap_red_blue(uint8_t *pixels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t red = pixels[3 * i];
        pixels[3 * i] = pixels[3 * i + 2];
        pixels[3 * i + 2] = red;
    }
}

static sluice_status one_picture(sl_arena *a, const char *path, const struct sluice_pictures_options *o, enum sl_resize_mode mode,
                                 int *height, int *width, struct sl_image *out, sl_err *e)
{
    struct sl_view bytes;
    struct sl_image im;
    SL_TRY(sl_map_file(a, path, &bytes, e));
    if (sl_image_decode(a, bytes, 3, &im, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    if (!*height) {
        *height = o->height ? o->height : im.height;
        *width = o->width ? o->width : im.width;
    }
    if (sl_image_resize(a, &im, *height, *width, mode, out, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    if (o->bgr)
        swap_red_blue(out->pixels, (size_t)out->height * (size_t)out->width);
    return SLUICE_OK;
}

/* The header first, then picture by picture, so that memory does not grow with their number. */
static sluice_status write_all(sl_arena *a, const char *const *paths, size_t n, const struct sluice_pictures_options *o,
                               enum sl_resize_mode mode, struct sl_output *file, sl_err *e)
{
    int height = 0, width = 0;
    for (size_t i = 0; i < n; i++) {
        struct sl_arena_mark mark = sl_arena_mark(a);
        struct sl_image im;
        SL_TRY(one_picture(a, paths[i], o, mode, &height, &width, &im, e));
        if (i == 0) {
            struct sl_array empty = {.dtype = SL_U8, .shape = {4, {(int64_t)n, height, width, 3}}, .data = im.pixels, .bytes = 0};
            struct sl_buffer header = {0};
            SL_TRY(sl_npy_header(&header, &empty));
            sluice_status s = sl_output_write(file, header.data, header.size, e);
            sl_buffer_free(&header);
            SL_TRY(s);
        }
        SL_TRY(sl_output_write(file, im.pixels, (size_t)height * (size_t)width * 3, e));
        sl_arena_reset(a, mark);
    }
    return SLUICE_OK;
}

sluice_status sluice_pictures_to_npy(const char *const *paths, size_t n, const struct sluice_pictures_options *options,
                                     const char *output, struct sluice_error *err)
{
    enum sl_resize_mode mode;
    SL_TRY(sl_api_resize(options->resize, &mode, err));
    if (n == 0)
        return sl_fail(err, SLUICE_E_USAGE, "no picture given");
    struct sl_output *file = NULL;
    SL_TRY(sl_output_open(output, &file, err));
    sl_arena *a = sl_arena_new();
    sluice_status s = write_all(a, paths, n, options, mode, file, err);
    sl_arena_free(a);
    if (s == SLUICE_OK)
        return sl_output_commit(file, err);
    sl_output_abort(file);
    return s;
}
