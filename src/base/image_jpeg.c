/* image_jpeg.c: JPEG by libjpeg-turbo with its default (accurate integer) transform and smooth chroma, which is what Pillow and
 * OpenCV users see. Called by image_decode.c. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

#include "base/image_codecs.h"

enum { MOST_SCANS = 200 }; /* a progressive file of a few bytes a scan could keep us busy for hours */

struct decoder {
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf on_error;
    bool cut_off, too_many_scans;
    char message[JMSG_LENGTH_MAX];
    uint8_t *cmyk_row;
};

static void error_exit(j_common_ptr j)
{
    struct decoder *d = j->client_data;
    j->err->format_message(j, d->message);
    longjmp(d->on_error, 1);
}

/* libjpeg fills a picture that ends early with grey and only warns; we refuse it. Other damage shows as wrong pixels. */
static void emit_message(j_common_ptr j, int level)
{
    struct decoder *d = j->client_data;
    if (level < 0 && j->err->msg_code == JWRN_JPEG_EOF)
        d->cut_off = true;
}

static void no_output(j_common_ptr j)
{
    (void)j;
}

static void on_progress(j_common_ptr j)
{
    struct decoder *d = j->client_data;
    if (d->j.input_scan_number > MOST_SCANS) {
        d->too_many_scans = true;
        longjmp(d->on_error, 1);
    }
}

/* a * b / 255, rounded. */
static unsigned scale255(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Ink to light: light = 255 - k, less the ink's share of it. Adobe files hold inverted ink. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, int width, bool inverted)
{
    unsigned flip = inverted ? 255 : 0;
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        unsigned light = 255 - (cmyk[3] ^ flip);
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(light - scale255(cmyk[c] ^ flip, light));
    }
}

static sluice_status decode(struct decoder *d, sl_arena *a, struct sl_image *out, sl_err *e)
{
    struct jpeg_decompress_struct *j = &d->j;
    jpeg_read_header(j, TRUE);
    bool cmyk = j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK;
    bool grey = j->jpeg_color_space == JCS_GRAYSCALE;
    j->out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    SL_TRY(sl_image_new(a, j->image_height, j->image_width, grey ? 1 : 3, out, e));
    if (cmyk && !(d->cmyk_row = sl_arena_alloc(a, (size_t)out->width * 4)))
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for a picture row");
    jpeg_start_decompress(j);
    while (j->output_scanline < j->output_height) {
        uint8_t *row = out->pixels + (size_t)j->output_scanline * (size_t)out->width * (size_t)out->channels;
        JSAMPROW to = cmyk ? d->cmyk_row : row;
        jpeg_read_scanlines(j, &to, 1);
        if (cmyk)
            cmyk_to_rgb(row, d->cmyk_row, out->width, j->saw_Adobe_marker);
    }
    jpeg_finish_decompress(j);
    return SLUICE_OK;
}

sluice_status sl_jpeg_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e)
{
    struct decoder *d = SL_NEW(a, struct decoder); /* not on the stack: its content is needed after longjmp */
    d->j.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = error_exit;
    d->errors.emit_message = emit_message;
    d->errors.output_message = no_output;
    d->j.client_data = d;
    if (setjmp(d->on_error) == 0) {
        jpeg_create_decompress(&d->j);
        d->j.client_data = d;
        d->progress.progress_monitor = on_progress;
        d->j.progress = &d->progress;
        jpeg_mem_src(&d->j, bytes.data, (unsigned long)bytes.size);
        if (decode(d, a, out, e) == SLUICE_OK && d->cut_off)
            sl_fail(e, SLUICE_E_FORMAT, "JPEG: the file of %zu bytes is cut off", bytes.size);
    } else if (d->too_many_scans) {
        sl_fail(e, SLUICE_E_LIMIT, "JPEG: more than %d scans", MOST_SCANS);
    } else {
        sl_fail(e, SLUICE_E_FORMAT, "JPEG: %s", d->message);
    }
    jpeg_destroy_decompress(&d->j);
    return e->code;
}
