/* image_codecs.h: the decoders behind sl_image_decode. Each gives 1 or 3 channels as the file has them. */
#ifndef SL_BASE_IMAGE_CODECS_H
#define SL_BASE_IMAGE_CODECS_H

#include "base/image.h"

sluice_status sl_jpeg_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e);
sluice_status sl_png_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e);
sluice_status sl_bmp_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e);
sluice_status sl_pnm_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e);

/* Checks the size against the limit of 64 Mpixel and allocates the pixels. */
sluice_status sl_image_new(sl_arena *a, int64_t height, int64_t width, int channels, struct sl_image *out, sl_err *e);

#endif
