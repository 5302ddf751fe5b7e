/* samples_read.c: one sample of a source that samples.c opened. Files are mapped into the caller's scratch arena, so nothing
 * stays. */
#include "quant/samples_internal.h"

#include <math.h>
#include <string.h>

static sluice_status read_picture(const struct sl_samples *s, sl_arena *a, int input, const char *path, struct sl_view bytes,
                                  struct sl_array *out, sl_err *e)
{
    const struct sl_shape *frame = &s->inputs[input].shape;
    struct sl_image decoded, fitted;

    if (frame->rank != 4 || (frame->dim[3] != 1 && frame->dim[3] != 3)) {
        char text[160];
        sl_fail(e, SLUICE_E_SHAPE, "%s: a picture for input '%s' of shape %s", path, s->inputs[input].name,
                sl_shape_text(frame, text, sizeof text));
        return sl_hint(e, "pictures fit inputs [1, h, w, 3] and [1, h, w, 1]; give an .npy file");
    }
    if (sl_image_decode(a, bytes, (int)frame->dim[3], &decoded, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    if (s->options.resize == SL_RESIZE_NONE && (decoded.height != frame->dim[1] || decoded.width != frame->dim[2])) {
        sl_fail(e, SLUICE_E_SHAPE, "%s: a picture of %dx%d (height x width), input '%s' takes %lldx%lld", path, decoded.height,
                decoded.width, s->inputs[input].name, (long long)frame->dim[1], (long long)frame->dim[2]);
        return sl_hint(e,
                       "choose how to resize: --resize stretch, fit (aspect kept, rest filled) or crop (short side, centre)");
    }
    if (sl_image_resize(a, &decoded, (int)frame->dim[1], (int)frame->dim[2], s->options.resize, &fitted, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    *out = (struct sl_array){.dtype = SL_U8, .shape = *frame, .data = fitted.pixels, .bytes = sl_shape_elements(frame)};
    return SLUICE_OK;
}

static bool member_fits(const struct sl_sample_input *in, const char *name)
{
    size_t scope = in->scope ? strlen(in->scope) : 0;

    return !strcmp(name, in->name) || (in->origin && !strcmp(name, in->origin)) ||
           (scope && !strncmp(name, in->scope, scope) && name[scope] == '/' && !strcmp(name + scope + 1, in->name));
}

static sluice_status read_archive(const struct sl_samples *s, sl_arena *a, int input, const char *path, struct sl_view bytes,
                                  struct sl_array *out, sl_err *e)
{
    struct sl_npz_member *members;
    size_t n;

    if (sl_npz_parse(a, bytes, 0, &members, &n, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    for (size_t i = 0; i < n; i++)
        if (member_fits(&s->inputs[input], members[i].name) || (n == 1 && s->n_inputs == 1)) {
            *out = members[i].array;
            return SLUICE_OK;
        }
    return sl_fail(e, SLUICE_E_NOT_FOUND, "%s: no array called '%s'", path, s->inputs[input].name);
}

static sluice_status read_file(const struct sl_samples *s, sl_arena *a, int input, const char *path, struct sl_array *out,
                               sl_err *e)
{
    struct sl_view bytes;
    int64_t count;
    bool batched;

    SL_TRY(sl_map_file(a, path, &bytes, e));
    if (bytes.size >= 6 && !memcmp(bytes.data, "\x93NUMPY", 6)) {
        if (sl_npy_parse(a, bytes, out, e) != SLUICE_OK)
            return sl_context(e, "%s", path);
    } else if (bytes.size >= 4 && !memcmp(bytes.data, "PK\x03\x04", 4)) {
        SL_TRY(read_archive(s, a, input, path, bytes, out, e));
    } else {
        return read_picture(s, a, input, path, bytes, out, e);
    }
    SL_TRY(sl_sample_check_array(s, a, path, input, out, &count, &batched, e));
    if (count != 1)
        return sl_fail(e, SLUICE_E_SHAPE, "%s: holds %lld samples; a file in a folder is one", path, (long long)count);
    return SLUICE_OK;
}

/* Row `index` of the array as a view. Four-bit types do not occur in .npy files, so rows start at whole bytes. */
static void take_row(const struct sl_bound *b, int64_t index, struct sl_array *out)
{
    size_t row = b->array.bytes / (size_t)b->count;

    *out = b->array;
    out->data = (const uint8_t *)b->array.data + (size_t)index * row;
    out->bytes = row;
}

sluice_status sl_samples_read(const struct sl_samples *s, sl_arena *scratch, int64_t index, struct sl_array *out, sl_err *e)
{
    if (index < 0 || index >= s->count)
        return sl_fail(e, SLUICE_E_INTERNAL, "sample %lld of %lld", (long long)index, (long long)s->count);
    for (int i = 0; i < s->n_inputs; i++) {
        const struct sl_bound *b = &s->bound[i];
        const struct sl_shape *frame =
            s->options.origin_layout && s->inputs[i].origin_shape.rank ? &s->inputs[i].origin_shape : &s->inputs[i].shape;
        if (b->kind == SL_BOUND_ARRAY)
            take_row(b, index, &out[i]);
        else
            SL_TRY(read_file(s, scratch, i, b->files[index], &out[i], e));
        out[i].shape =
            b->kind == SL_BOUND_FILES && out[i].dtype == SL_U8 && s->options.origin_layout && !sl_sample_is_npy(b->files[index])
                ? s->inputs[i].shape /* a picture: always as stored */
                : *frame;
    }
    return SLUICE_OK;
}

/* ---- numbers ---- */
static float half_to_f32(uint16_t h)
{
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    float v = exponent == 0    ? ldexpf((float)mantissa, -24)
              : exponent == 31 ? (mantissa ? NAN : INFINITY)
                               : ldexpf((float)(mantissa + 1024), exponent - 25);

    return h & 0x8000 ? -v : v;
}

static float bfloat_to_f32(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Rows of a mapped array may lie at any byte, so elements are copied out. */
#define CONVERT(type, expression)                                                                                              \
    for (size_t i = 0; i < n; i++) {                                                                                           \
        type v;                                                                                                                \
        memcpy(&v, data + i * sizeof v, sizeof v);                                                                             \
        out[i] = (float)(expression);                                                                                          \
    }                                                                                                                          \
    break

sluice_status sl_array_to_f32(const struct sl_array *in, float *out, size_t n, sl_err *e)
{
    const uint8_t *data = in->data;

    if (in->bytes != n * (sl_dtype_bits(in->dtype) / 8))
        return sl_fail(e, SLUICE_E_INTERNAL, "%zu bytes for %zu values of %s", in->bytes, n, sl_dtype_name(in->dtype));
    switch ((int)in->dtype) {
    case SL_F32:
        memcpy(out, data, n * sizeof *out);
        break;
    case SL_F64:
        CONVERT(double, v);
    case SL_F16:
        CONVERT(uint16_t, half_to_f32(v));
    case SL_BF16:
        CONVERT(uint16_t, bfloat_to_f32(v));
    case SL_U8:
        CONVERT(uint8_t, v);
    case SL_BOOL:
        CONVERT(uint8_t, v != 0);
    case SL_S8:
        CONVERT(int8_t, v);
    case SL_U16:
        CONVERT(uint16_t, v);
    case SL_S16:
        CONVERT(int16_t, v);
    case SL_U32:
        CONVERT(uint32_t, v);
    case SL_S32:
        CONVERT(int32_t, v);
    case SL_U64:
        CONVERT(uint64_t, v);
    case SL_S64:
        CONVERT(int64_t, v);
    default:
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "data of type %s cannot be read as numbers", sl_dtype_name(in->dtype));
    }
    for (size_t i = 0; i < n; i++)
        if (!isfinite(out[i]) && out[i] != -INFINITY) /* masks may hold -inf: calibration refuses it elsewhere */
            return sl_fail(e, SLUICE_E_VALUE, "value %zu is not finite", i);
    return SLUICE_OK;
}
