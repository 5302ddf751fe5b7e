/* image_decode.c: picks the decoder by content, converts channels; and the two formats that need no library, BMP and PGM/PPM.
 * Calibration folders and `--input picture` come through here. JPEG and PNG are in image_jpeg.c and image_png.c. */
#include <string.h>

#include "base/image_codecs.h"

enum { MOST_PIXELS = 64 << 20, LONGEST_SIDE = 65535 };

bool sl_resize_mode_from_name(const char *name, enum sl_resize_mode *out)
{
    static const char *const names[] = {
        [SL_RESIZE_NONE] = "none", [SL_RESIZE_STRETCH] = "stretch", [SL_RESIZE_FIT] = "fit", [SL_RESIZE_CROP] = "crop"};
    for (size_t i = 0; i < SL_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum sl_resize_mode)i;
            return true;
        }
    }
    return false;
}

sluice_status sl_image_new(sl_arena *a, int64_t height, int64_t width, int channels, struct sl_image *out, sl_err *e)
{
    if (height < 1 || width < 1)
        return sl_fail(e, SLUICE_E_FORMAT, "picture of %lld x %lld pixels is empty", (long long)width, (long long)height);
    if (height > LONGEST_SIDE || width > LONGEST_SIDE || height * width > MOST_PIXELS)
        return sl_fail(e, SLUICE_E_LIMIT, "picture of %lld x %lld pixels is larger than 64 Mpixel or %d on a side",
                       (long long)width, (long long)height, LONGEST_SIDE);
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    uint8_t *pixels = sl_arena_alloc_aligned64(a, bytes);
    if (!pixels)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for a picture of %zu bytes", bytes);
    *out = (struct sl_image){(int)height, (int)width, channels, pixels};
    return SLUICE_OK;
}

struct bmp {
    int64_t width, height;
    bool bottom_up;
    unsigned bits;
    struct sl_view palette;
};

/* BITMAPFILEHEADER (14 bytes), BITMAPINFOHEADER (40 or more), palette (4 bytes an entry: B G R 0), rows padded to 4 bytes. */
static sluice_status read_bmp_header(struct sl_reader *r, struct bmp *b, size_t *pixels_at, sl_err *e)
{
    sl_skip(r, 10);
    *pixels_at = sl_read_u32(r);
    uint32_t header = sl_read_u32(r);
    b->width = (int32_t)sl_read_u32(r);
    b->height = (int32_t)sl_read_u32(r);
    sl_skip(r, 2);
    b->bits = sl_read_u16(r);
    uint32_t compression = sl_read_u32(r);
    sl_skip(r, 12);
    uint32_t used = sl_read_u32(r);
    sl_skip(r, 4);
    if (r->bad)
        return sl_fail(e, SLUICE_E_FORMAT, "BMP: the file is cut off in its header");
    if (header < 40 || header > 1024)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "BMP: header of %u bytes is not supported", header);
    if (compression != 0 || (b->bits != 8 && b->bits != 24 && b->bits != 32))
        return sl_fail(e, SLUICE_E_UNSUPPORTED,
                       "BMP: %u bits with compression %u are not supported (8, 24, 32 uncompressed are)", b->bits, compression);
    sl_skip(r, header - 40);
    b->bottom_up = b->height > 0;
    b->height = b->height < 0 ? -b->height : b->height;
    if (b->bits == 8)
        b->palette = sl_read_bytes(r, (used == 0 || used > 256 ? 256 : used) * (size_t)4);
    if (r->bad)
        return sl_fail(e, SLUICE_E_FORMAT, "BMP: the file is cut off in its palette");
    return SLUICE_OK;
}

static void bmp_row(uint8_t *out, const uint8_t *in, const struct bmp *b)
{
    for (int64_t x = 0; x < b->width; x++, out += 3) {
        const uint8_t *bgr = in + x * (b->bits / 8);
        if (b->bits == 8) {
            static const uint8_t black[4];
            size_t at = (size_t)*bgr * 4;
            bgr = at < b->palette.size ? b->palette.data + at : black;
        }
        out[0] = bgr[2];
        out[1] = bgr[1];
        out[2] = bgr[0];
    }
}

sluice_status sl_bmp_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e)
{
    struct sl_reader r = sl_reader_of(bytes.data, bytes.size);
    struct bmp b = {0};
    size_t pixels_at;
    SL_TRY(read_bmp_header(&r, &b, &pixels_at, e));
    size_t stride = b.width > 0 && b.width <= LONGEST_SIDE ? ((size_t)b.width * b.bits + 31) / 32 * 4 : 0;
    if (pixels_at > bytes.size || (stride && (uint64_t)b.height > (bytes.size - pixels_at) / stride))
        return sl_fail(e, SLUICE_E_FORMAT, "BMP: %lld x %lld pixels need more than the %zu bytes of the file",
                       (long long)b.width, (long long)b.height, bytes.size);
    SL_TRY(sl_image_new(a, b.height, b.width, 3, out, e));
    for (int64_t y = 0; y < b.height; y++) {
        int64_t from = b.bottom_up ? b.height - 1 - y : y;
        bmp_row(out->pixels + (size_t)(y * b.width) * 3, bytes.data + pixels_at + (size_t)from * stride, &b);
    }
    return SLUICE_OK;
}

/* A decimal number after blanks and comments. */
static bool read_pnm_number(struct sl_reader *r, int64_t *out)
{
    uint8_t c = sl_read_u8(r);
    while (!r->bad && (c == ' ' || (c >= '\t' && c <= '\r') || c == '#')) {
        while (c == '#' && !r->bad && (c = sl_read_u8(r)) != '\n')
            c = '#';
        c = sl_read_u8(r);
    }
    if (r->bad || c < '0' || c > '9')
        return false;
    for (*out = 0; !r->bad && c >= '0' && c <= '9'; c = sl_read_u8(r)) {
        if (*out > MOST_PIXELS)
            return false;
        *out = *out * 10 + (c - '0');
    }
    return !r->bad && (c == ' ' || (c >= '\t' && c <= '\r')); /* the one blank after the number is consumed */
}

sluice_status sl_pnm_decode(sl_arena *a, struct sl_view bytes, struct sl_image *out, sl_err *e)
{
    struct sl_reader r = sl_reader_of(bytes.data, bytes.size);
    sl_skip(&r, 1);
    int channels = sl_read_u8(&r) == '6' ? 3 : 1;
    int64_t width, height, most;
    if (!read_pnm_number(&r, &width) || !read_pnm_number(&r, &height) || !read_pnm_number(&r, &most))
        return sl_fail(e, SLUICE_E_FORMAT, "PNM: the header is damaged");
    if (most != 255 && most != 65535)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "PNM: largest value %lld is not supported (255 and 65535 are)",
                       (long long)most);
    size_t item = most == 255 ? 1 : 2, left = sl_left(&r) / item / (size_t)channels;
    if (width > 0 && (uint64_t)height > left / (uint64_t)width)
        return sl_fail(e, SLUICE_E_FORMAT, "PNM: %lld x %lld pixels need more than the %zu bytes of the file", (long long)width,
                       (long long)height, bytes.size);
    SL_TRY(sl_image_new(a, height, width, channels, out, e));
    size_t n = (size_t)(width * height) * (size_t)channels;
    for (size_t i = 0; i < n; i++)
        out->pixels[i] = r.p[i * item]; /* of 16 bits the high byte, which comes first */
    return SLUICE_OK;
}

/* ITU-R 601 luma in 16-bit fixed point, rounded. */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

static sluice_status convert(sl_arena *a, const struct sl_image *in, int channels, struct sl_image *out, sl_err *e)
{
    if (channels == 0 || channels == in->channels) {
        *out = *in;
        return SLUICE_OK;
    }
    struct sl_image im;
    SL_TRY(sl_image_new(a, in->height, in->width, channels, &im, e));
    size_t n = (size_t)in->height * (size_t)in->width;
    for (size_t i = 0; i < n; i++) {
        if (channels == 1)
            im.pixels[i] = luma(in->pixels + 3 * i);
        else
            memset(im.pixels + 3 * i, in->pixels[i], 3);
    }
    *out = im;
    return SLUICE_OK;
}

static bool begins_with(struct sl_view v, const char *magic, size_t n)
{
    return v.size >= n && memcmp(v.data, magic, n) == 0;
}

static sluice_status refuse(struct sl_view v, sl_err *e)
{
    static const struct {
        const char *magic;
        unsigned char at, n;
        const char *name;
    } known[] = {
        {"GIF8", 0, 4, "a GIF"},       {"WEBP", 8, 4, "a WebP"},          {"II*\0", 0, 4, "a TIFF"},
        {"MM\0*", 0, 4, "a TIFF"},     {"ftyp", 4, 4, "an AVIF or HEIF"}, {"\0\0\0\x0cjP", 0, 6, "a JPEG 2000"},
        {"\x93NUMPY", 0, 6, "an npy"}, {"PK\3\4", 0, 4, "a zip or npz"},
    };
    for (size_t i = 0; i < SL_COUNT(known); i++)
        if (v.size >= (size_t)known[i].at + known[i].n && memcmp(v.data + known[i].at, known[i].magic, known[i].n) == 0) {
            sl_fail(e, SLUICE_E_UNSUPPORTED, "%s file is not a supported picture (JPEG, PNG, BMP and PGM/PPM are)",
                    known[i].name);
            return sl_hint(e, "convert it to PNG or JPEG");
        }
    return sl_fail(e, SLUICE_E_FORMAT, "not a picture: %zu bytes that are not JPEG, PNG, BMP or PGM/PPM", v.size);
}

sluice_status sl_image_decode(sl_arena *a, struct sl_view bytes, int channels, struct sl_image *out, sl_err *e)
{
    struct sl_image im;
    if (channels != 0 && channels != 1 && channels != 3)
        return sl_fail(e, SLUICE_E_VALUE, "pictures have 1 or 3 channels, not %d", channels);
    if (begins_with(bytes, "\xff\xd8\xff", 3))
        SL_TRY(sl_jpeg_decode(a, bytes, &im, e));
    else if (begins_with(bytes, "\x89PNG\r\n\x1a\n", 8))
        SL_TRY(sl_png_decode(a, bytes, &im, e));
    else if (begins_with(bytes, "BM", 2))
        SL_TRY(sl_bmp_decode(a, bytes, &im, e));
    else if (begins_with(bytes, "P5", 2) || begins_with(bytes, "P6", 2))
        SL_TRY(sl_pnm_decode(a, bytes, &im, e));
    else
        return refuse(bytes, e);
    return convert(a, &im, channels, out, e);
}
