/* fuzz_image.c: any bytes as a picture, then every way to resize it, drawing on it, and PNG out and in. */
#include <string.h>

#include "fuzz.h"
#include "base/image.h"

static void use(sl_arena *a, struct sl_image *im)
{
    static const uint8_t colour[3] = {1, 2, 3};
    for (int mode = SL_RESIZE_STRETCH; mode <= SL_RESIZE_CROP; mode++) {
        sl_err e = {0};
        struct sl_image out;
        if (sl_image_resize(a, im, 13, 17, (enum sl_resize_mode)mode, &out, &e) == SLUICE_OK)
            MUST(out.height == 13 && out.width == 17 && out.channels == im->channels);
        else
            MUST(e.code == SLUICE_E_LIMIT || e.code == SLUICE_E_MEMORY);
    }
    sl_draw_rectangle(im, -3, 2, im->width, im->height - 2, 2, colour);
    sl_draw_text(im, 1, im->height - 3, "Fuzz", 1, colour);
}

static void check_png(sl_arena *a, const struct sl_image *im)
{
    sl_err e = {0};
    struct sl_buffer b = {0};
    struct sl_image again;
    if (im->height * im->width > 10000) /* compression is slow */
        return;
    MUST(sl_png_encode(im, &b, &e) == SLUICE_OK);
    MUST(sl_image_decode(a, (struct sl_view){b.data, b.size}, 0, &again, &e) == SLUICE_OK);
    MUST(memcmp(im->pixels, again.pixels, (size_t)(im->height * im->width * im->channels)) == 0);
    sl_buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int channels[] = {0, 1, 3};
    sl_err e = {0};
    sl_arena *a = fuzz_arena();
    sl_arena_set_limit(a, 8 << 20);
    struct sl_image im;
    if (sl_image_decode(a, (struct sl_view){data, size}, channels[size % 3], &im, &e) == SLUICE_OK) {
        use(a, &im);
        check_png(a, &im);
    } else {
        MUST(e.code != SLUICE_OK && e.message[0]);
    }
    sl_arena_free(a);
    return 0;
}
