/* image_resize.c: resampling by convolution, horizontally and then vertically, with 22-bit fixed-point weights. The steps and
 * their roundings are those of Pillow's Image.resize for 8-bit pictures, so that training and calibration see the same bytes.
 */
#include <math.h>
#include <string.h>

#include "base/image_codecs.h"

enum { WEIGHT_BITS = 32 - 8 - 2, FILL = 114 };

struct filter {
    double (*value)(double x);
    double support;
};

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Keys' cubic with a = -0.5. */
static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static const struct filter bilinear_filter = {bilinear, 1.0}, bicubic_filter = {bicubic, 2.0};

/* For each output position: the first input position, how many, and their weights (`stride` apart). */
struct taps {
    int *first, *count;
    int32_t *weight;
    int stride;
};

/* When shrinking, the filter is stretched by the ratio; that is the antialiasing. */
static void fill_taps(struct taps *t, double *work, int in_size, int out_size, const struct filter *f)
{
    double scale = (double)in_size / out_size, stretch = scale < 1.0 ? 1.0 : scale;
    double support = f->support * stretch, step = 1.0 / stretch;
    for (int i = 0; i < out_size; i++) {
        double center = (i + 0.5) * scale, sum = 0.0;
        int first = (int)(center - support + 0.5), end = (int)(center + support + 0.5);
        first = first < 0 ? 0 : first;
        end = end > in_size ? in_size : end;
        for (int k = 0; k < end - first; k++) {
            work[k] = f->value((k + first - center + 0.5) * step);
            sum += work[k];
        }
        int32_t *w = t->weight + (size_t)i * (size_t)t->stride;
        for (int k = 0; k < end - first; k++) {
            double v = sum != 0.0 ? work[k] / sum : work[k];
            w[k] = (int32_t)((v < 0 ? -0.5 : 0.5) + v * (1 << WEIGHT_BITS));
        }
        t->first[i] = first;
        t->count[i] = end - first;
    }
}

static sluice_status make_taps(sl_arena *a, int in_size, int out_size, const struct filter *f, struct taps *t, sl_err *e)
{
    double scale = (double)in_size / out_size, stretch = scale < 1.0 ? 1.0 : scale;
    t->stride = (int)ceil(f->support * stretch) * 2 + 1;
    size_t n = (size_t)out_size, weights = n * (size_t)t->stride;
    t->first = sl_arena_alloc(a, n * sizeof *t->first);
    t->count = sl_arena_alloc(a, n * sizeof *t->count);
    t->weight = sl_arena_alloc(a, weights * sizeof *t->weight);
    double *work = sl_arena_alloc(a, (size_t)t->stride * sizeof *work);
    if (!t->first || !t->count || !t->weight || !work)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for resizing %d to %d", in_size, out_size);
    fill_taps(t, work, in_size, out_size, f);
    return SLUICE_OK;
}

static uint8_t to_u8(int32_t sum)
{
    int v = sum >> WEIGHT_BITS; /* arithmetic shift: rounds down; half a unit was added at the start */
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void resize_rows(const struct sl_image *in, const struct taps *t, struct sl_image *out)
{
    int channels = in->channels;
    for (int y = 0; y < in->height; y++) {
        const uint8_t *from = in->pixels + (size_t)y * (size_t)in->width * (size_t)channels;
        uint8_t *to = out->pixels + (size_t)y * (size_t)out->width * (size_t)channels;
        for (int x = 0; x < out->width; x++) {
            const int32_t *w = t->weight + (size_t)x * (size_t)t->stride;
            const uint8_t *p = from + (size_t)t->first[x] * (size_t)channels;
            for (int c = 0; c < channels; c++) {
                int32_t sum = 1 << (WEIGHT_BITS - 1);
                for (int k = 0; k < t->count[x]; k++)
                    sum += p[k * channels + c] * w[k];
                *to++ = to_u8(sum);
            }
        }
    }
}

static void resize_columns(const struct sl_image *in, const struct taps *t, int32_t *sums, struct sl_image *out)
{
    size_t row = (size_t)in->width * (size_t)in->channels;
    for (int y = 0; y < out->height; y++) {
        const int32_t *w = t->weight + (size_t)y * (size_t)t->stride;
        const uint8_t *from = in->pixels + (size_t)t->first[y] * row;
        uint8_t *to = out->pixels + (size_t)y * row;
        for (size_t i = 0; i < row; i++)
            sums[i] = 1 << (WEIGHT_BITS - 1);
        for (int k = 0; k < t->count[y]; k++, from += row)
            for (size_t i = 0; i < row; i++)
                sums[i] += from[i] * w[k];
        for (size_t i = 0; i < row; i++)
            to[i] = to_u8(sums[i]);
    }
}

static sluice_status resize_width(sl_arena *a, struct sl_image *im, int width, const struct filter *f, sl_err *e)
{
    struct sl_image out;
    struct taps t;
    if (width == im->width)
        return SLUICE_OK;
    SL_TRY(make_taps(a, im->width, width, f, &t, e));
    SL_TRY(sl_image_new(a, im->height, width, im->channels, &out, e));
    resize_rows(im, &t, &out);
    *im = out;
    return SLUICE_OK;
}

static sluice_status resize_height(sl_arena *a, struct sl_image *im, int height, const struct filter *f, sl_err *e)
{
    struct sl_image out;
    struct taps t;
    if (height == im->height)
        return SLUICE_OK;
    SL_TRY(make_taps(a, im->height, height, f, &t, e));
    SL_TRY(sl_image_new(a, height, im->width, im->channels, &out, e));
    int32_t *sums = sl_arena_alloc(a, (size_t)im->width * (size_t)im->channels * sizeof *sums);
    if (!sums)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for a picture row");
    resize_columns(im, &t, sums, &out);
    *im = out;
    return SLUICE_OK;
}

/* The picture between the passes is rounded to 8 bits, so their order shows in the result by one step. Pillow goes across
 * first; from version 13 on it goes down first when the height loses more than twice what the width does, and so do we. */
static sluice_status resample(sl_arena *a, const struct sl_image *in, int height, int width, const struct filter *f,
                              struct sl_image *out, sl_err *e)
{
    struct sl_image im = *in;
    int64_t lost_height = (int64_t)in->height - height, lost_width = (int64_t)in->width - width;
    bool down_first = lost_height > 0 && lost_height > 2 * lost_width;
    if (down_first)
        SL_TRY(resize_height(a, &im, height, f, e));
    SL_TRY(resize_width(a, &im, width, f, e));
    SL_TRY(resize_height(a, &im, height, f, e)); /* nothing to do when it is done */
    *out = im;
    return SLUICE_OK;
}

/* Copy the part of `in` that begins at (top, left) and fits to the top left of `out`. */
static void copy_part(const struct sl_image *in, int top, int left, struct sl_image *out)
{
    int rows = SL_MIN(in->height - top, out->height), columns = SL_MIN(in->width - left, out->width);
    size_t channels = (size_t)in->channels;
    for (int y = 0; y < rows; y++)
        memcpy(out->pixels + (size_t)y * (size_t)out->width * channels,
               in->pixels + ((size_t)(y + top) * (size_t)in->width + (size_t)left) * channels, (size_t)columns * channels);
}

static sluice_status fit(sl_arena *a, const struct sl_image *in, struct sl_image *out, sl_err *e)
{
    double ratio = fmin((double)out->width / in->width, (double)out->height / in->height);
    int width = (int)(in->width * ratio), height = (int)(in->height * ratio);
    struct sl_image im;
    SL_TRY(resample(a, in, SL_MAX(height, 1), SL_MAX(width, 1), &bilinear_filter, &im, e));
    memset(out->pixels, FILL, (size_t)out->height * (size_t)out->width * (size_t)out->channels);
    copy_part(&im, 0, 0, out);
    return SLUICE_OK;
}

/* The smallest picture of the same aspect that covers (round(height / 0.875), round(width / 0.875)), then its centre. */
static sluice_status crop(sl_arena *a, const struct sl_image *in, struct sl_image *out, sl_err *e)
{
    double cover_w = rint(out->width / 0.875), cover_h = rint(out->height / 0.875);
    double w, h;
    if (in->width * cover_h < in->height * cover_w) {
        w = cover_w;
        h = rint(in->height * cover_w / in->width);
    } else {
        w = rint(in->width * cover_h / in->height);
        h = cover_h;
    }
    if (w * h > 64 << 20)
        return sl_fail(e, SLUICE_E_LIMIT,
                       "cropping a picture of %d x %d to %d x %d needs an intermediate of more than 64 Mpixel", in->width,
                       in->height, out->width, out->height);
    struct sl_image im;
    SL_TRY(resample(a, in, (int)h, (int)w, &bicubic_filter, &im, e));
    copy_part(&im, (im.height - out->height) / 2, (im.width - out->width) / 2, out);
    return SLUICE_OK;
}

sluice_status sl_image_resize(sl_arena *a, const struct sl_image *in, int height, int width, enum sl_resize_mode mode,
                              struct sl_image *out, sl_err *e)
{
    struct sl_image im;
    if (height < 1 || width < 1)
        return sl_fail(e, SLUICE_E_VALUE, "cannot resize a picture to %d x %d", width, height);
    if (mode == SL_RESIZE_NONE) {
        if (in->height != height || in->width != width) {
            sl_fail(e, SLUICE_E_SHAPE, "picture is %d x %d (width x height), %d x %d is wanted", in->width, in->height, width,
                    height);
            return sl_hint(e, "ask for resizing: stretch, fit or crop");
        }
        *out = *in;
        return SLUICE_OK;
    }
    if (mode == SL_RESIZE_STRETCH)
        return resample(a, in, height, width, &bilinear_filter, out, e);
    SL_TRY(sl_image_new(a, height, width, in->channels, &im, e));
    SL_TRY(mode == SL_RESIZE_FIT ? fit(a, in, &im, e) : crop(a, in, &im, e));
    *out = im;
    return SLUICE_OK;
}
