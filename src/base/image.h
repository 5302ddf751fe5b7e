/* image.h: JPEG, PNG and BMP/PPM pictures to 8-bit RGB, resizing, drawing and PNG writing. */
#ifndef SL_BASE_IMAGE_H
#define SL_BASE_IMAGE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/strings.h"

struct sl_image { int height, width, channels; uint8_t *pixels; }; /* HWC, channels 1 or 3, rows packed */

enum sl_resize_mode {
    SL_RESIZE_NONE,    /* the size must already fit */
    SL_RESIZE_STRETCH, /* bilinear with antialiasing, aspect ratio not kept */
    SL_RESIZE_FIT,     /* aspect ratio kept, picture top-left, rest filled with 114; bilinear with antialiasing */
    SL_RESIZE_CROP     /* bicubic with antialiasing: short side to round(size / 0.875), then centre crop */
};

bool sl_resize_mode_from_name(const char *name, enum sl_resize_mode *out); /* none stretch fit crop */

/* Decode by content (magic bytes). Pixels are in the arena. At most 64 Mpixel, 65535 on a side. CMYK JPEG converts; alpha is dropped; 16-bit PNG
 * keeps its high byte; grey stays 1 channel unless `channels` is 3; `channels` 1 from colour uses ITU-R 601 luma. 0 = as stored. */
sluice_status sl_image_decode(sl_arena *a, struct sl_view bytes, int channels, struct sl_image *out, sl_err *e);
/* Resampling by the convolution method with the filter's support widened when shrinking (as Pillow does, in the same fixed
 * point, so that results are the same bytes). */
sluice_status sl_image_resize(sl_arena *a, const struct sl_image *in, int height, int width, enum sl_resize_mode mode,
                              struct sl_image *out, sl_err *e);
sluice_status sl_png_encode(const struct sl_image *in, struct sl_buffer *out, sl_err *e);

/* Drawing for demo pictures: 1-pixel-wide steps, clipped at the border. */
void sl_draw_rectangle(struct sl_image *im, int x0, int y0, int x1, int y1, int line_width, const uint8_t rgb[3]);
void sl_draw_text(struct sl_image *im, int x, int y, const char *ascii, int scale, const uint8_t rgb[3]); /* 5x7 font of ours */

#endif
