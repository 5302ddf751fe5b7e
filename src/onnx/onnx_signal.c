/* onnx_signal.c: DFT and STFT as products with constant matrices of cosines and sines, and the window functions. */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"

static const double PI = 3.14159265358979323846;

/* cos or sin of 2 pi i k / length, [rows, columns]; inverse divides by the length. */
static sluice_status wave_matrix(struct onnx_import *c, int64_t rows, int64_t columns, int64_t length, bool sine, double factor,
                                 struct sl_node **out)
{
    struct sl_shape s = {2, {rows, columns}};
    void *data;
    const struct sl_const *k;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, &k, &data));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double angle = 2 * PI * (double)(i * j % length) / (double)length;
            ((float *)data)[i * columns + j] = (float)(factor * (sine ? sin(angle) : cos(angle)));
        }
    *out = sl_build_const(c->b, k);
    return SLUICE_OK;
}

/* Real and imaginary part [..., n] of the last axis; imaginary NULL: zero. out [..., bins]. */
static sluice_status transform(struct onnx_import *c, struct sl_node *re, struct sl_node *im, int64_t length, int64_t bins,
                               bool inverse, struct sl_node **out_re, struct sl_node **out_im)
{
    int64_t n = re->shape.dim[re->shape.rank - 1];
    struct sl_node *cosine, *sine, *t;
    double factor = inverse ? 1.0 / (double)length : 1, direction = inverse ? 1 : -1;
    SL_TRY(wave_matrix(c, n, bins, length, false, factor, &cosine));
    SL_TRY(wave_matrix(c, n, bins, length, true, factor * direction, &sine));
    SL_TRY(onnx_matmul(c, re, cosine, out_re));
    SL_TRY(onnx_matmul(c, re, sine, out_im));
    if (!im)
        return SLUICE_OK;
    SL_TRY(onnx_matmul(c, im, sine, &t));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_sub, *out_re, t, out_re));
    SL_TRY(onnx_matmul(c, im, cosine, &t));
    return sl_build_binary(c->b, SL_OP_ew_add, *out_im, t, out_im);
}

/* The real signal of `length` behind its first length / 2 + 1 bins: the others are their mirror image. */
static sluice_status inverse_real(struct onnx_import *c, struct sl_node *re, struct sl_node *im, int64_t length,
                                  struct sl_node **out)
{
    int64_t bins = SL_MIN(re->shape.dim[re->shape.rank - 1], length / 2 + 1);
    struct sl_node *wave, *weights, *t;
    float *twice = SL_NEW_ARRAY(c->a, float, bins);
    struct sl_shape s = {2, {bins, 1}};
    for (int64_t i = 0; i < bins; i++)
        twice[i] = i == 0 || 2 * i == length ? 1 : 2;
    weights = sl_build_const(c->b, sl_const_view(c->a, SL_F32, &s, twice));
    SL_TRY(sl_build_slice_axis(c->b, re, re->shape.rank - 1, 0, bins, &re));
    SL_TRY(wave_matrix(c, bins, length, length, false, 1.0 / (double)length, &wave));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, wave, weights, &wave));
    SL_TRY(onnx_matmul(c, re, wave, out));
    if (!im)
        return SLUICE_OK;
    SL_TRY(sl_build_slice_axis(c->b, im, im->shape.rank - 1, 0, bins, &im));
    SL_TRY(wave_matrix(c, bins, length, length, true, 1.0 / (double)length, &wave));
    SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, wave, weights, &wave));
    SL_TRY(onnx_matmul(c, im, wave, &t));
    return sl_build_binary(c->b, SL_OP_ew_sub, *out, t, out);
}

/* [..., n, parts] -> the parts [..., n]. */
static sluice_status split_parts(struct onnx_import *c, struct sl_node *x, struct sl_node **re, struct sl_node **im)
{
    int rank = x->shape.rank;
    int64_t parts = x->shape.dim[rank - 1];
    if (parts != 1 && parts != 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the last dimension is %lld, 1 (real) or 2 (complex) are wanted",
                       (long long)parts);
    SL_TRY(sl_build_slice_axis(c->b, x, rank - 1, 0, 1, re));
    SL_TRY(onnx_reshape(c, *re, rank - 1, x->shape.dim, re));
    *im = NULL;
    if (parts == 1)
        return SLUICE_OK;
    SL_TRY(sl_build_slice_axis(c->b, x, rank - 1, 1, 2, im));
    return onnx_reshape(c, *im, rank - 1, x->shape.dim, im);
}

static sluice_status join_parts(struct onnx_import *c, struct sl_node *re, struct sl_node *im, struct sl_node **out)
{
    int64_t dims[SL_MAX_RANK + 1];
    int rank = re->shape.rank;
    struct sl_node *parts[2] = {re, im};
    memcpy(dims, re->shape.dim, (size_t)rank * sizeof *dims);
    dims[rank] = 1;
    for (int i = 0; i < 2; i++)
        SL_TRY(onnx_reshape(c, parts[i], rank + 1, dims, &parts[i]));
    return sl_build_concat(c->b, rank, 2, parts, out);
}

/* The transformed axis to the end (before the parts) or back. */
static sluice_status move_axis(struct onnx_import *c, struct sl_node *x, int axis, int to, struct sl_node **out)
{
    int64_t perm[SL_MAX_RANK];
    int n = 0;
    for (int i = 0; i < x->shape.rank; i++)
        if (i != axis)
            perm[n++] = i;
    memmove(perm + to + 1, perm + to, (size_t)(n - to) * sizeof *perm);
    perm[to] = axis;
    return sl_build_transpose(c->b, x, perm, out);
}

/* Opset 17: axis is an attribute; 20: the third input. */
sluice_status translate_dft(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *re, *im;
    int axis, count;
    int64_t given = onnx_attr_int(c, "axis", 1), *list, length;
    bool inverse = onnx_attr_int(c, "inverse", 0) != 0, onesided = onnx_attr_int(c, "onesided", 0) != 0;
    SL_TRY(onnx_in(c, 0, &x));
    if (c->scope->opset >= 20) {
        given = -2;
        if (onnx_has_in(c, 2)) {
            SL_TRY(onnx_need_ints(c, 2, "axis", &count, &list));
            given = count == 1 ? list[0] : INT64_MAX;
        }
    }
    SL_TRY(sl_build_axis(c->b, given, x->shape.rank, &axis));
    if (axis == x->shape.rank - 1 || x->shape.rank < 2)
        return sl_fail(c->e, SLUICE_E_VALUE, "axis %d holds the parts of complex numbers", axis);
    length = inverse && onesided ? 2 * (x->shape.dim[axis] - 1) : x->shape.dim[axis];
    if (onnx_has_in(c, 1)) {
        SL_TRY(onnx_need_ints(c, 1, "dft_length", &count, &list));
        length = count == 1 ? list[0] : 0;
    }
    if (length < 1 || length > 1 << 16)
        return sl_fail(c->e, SLUICE_E_VALUE, "dft_length %lld is outside 1..65536", (long long)length);
    if (x->shape.dim[axis] > length &&
        !(inverse && onesided)) /* longer signals are cut, shorter ones are as if followed by zeros */
        SL_TRY(sl_build_slice_axis(c->b, x, axis, 0, length, &x));
    int end = x->shape.rank - 2;
    SL_TRY(move_axis(c, x, axis, end, &x));
    SL_TRY(split_parts(c, x, &re, &im));
    if (inverse && onesided) {
        int64_t dims[SL_MAX_RANK];
        SL_TRY(inverse_real(c, re, im, length, &x));
        memcpy(dims, x->shape.dim, (size_t)x->shape.rank * sizeof *dims);
        dims[x->shape.rank] = 1;
        SL_TRY(onnx_reshape(c, x, x->shape.rank + 1, dims, &x));
        SL_TRY(move_axis(c, x, end, axis, &x));
        return onnx_out(c, 0, x);
    }
    SL_TRY(transform(c, re, im, length, onesided ? length / 2 + 1 : length, inverse, &re, &im));
    SL_TRY(join_parts(c, re, im, &x));
    SL_TRY(move_axis(c, x, end, axis, &x));
    return onnx_out(c, 0, x);
}

/* Frames are gathered from the signal by a constant table, windowed and transformed. */
sluice_status translate_stft(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *re, *im, *window;
    const struct sl_const *k;
    double step, length;
    bool onesided = onnx_attr_int(c, "onesided", 1) != 0;
    SL_TRY(onnx_in(c, 0, &x));
    SL_TRY(onnx_in(c, 2, &window));
    SL_TRY(onnx_need_const(c, 1, "frame_step", &k));
    if (!sl_const_scalar(k, &step))
        return sl_fail(c->e, SLUICE_E_SHAPE, "frame_step is not one number");
    length = window ? (double)window->shape.dim[0] : 0;
    SL_TRY(onnx_in_const(c, 3, &k));
    if (onnx_has_in(c, 3) && !sl_const_scalar(k, &length))
        return sl_unsupported(c->b, "frame_length must be a constant number");
    if (x->shape.rank == 2)
        SL_TRY(onnx_reshape(c, x, 3, (int64_t[]){x->shape.dim[0], x->shape.dim[1], 1}, &x));
    if (x->shape.rank != 3 || !(step >= 1 && step <= 1 << 30) ||
        !(length >= 1 && length <= (double)x->shape.dim[1] && length <= 1 << 16))
        return sl_fail(c->e, SLUICE_E_VALUE, "frames of %g by steps of %g", length, step);
    int64_t frames = (x->shape.dim[1] - (int64_t)length) / (int64_t)step + 1;
    struct sl_shape s = {2, {frames, (int64_t)length}};
    SL_TRY(sl_build_take(c->b, sl_shape_elements(&s)));
    int64_t *at = SL_NEW_ARRAY(c->a, int64_t, sl_shape_elements(&s));
    for (int64_t i = 0; i < frames; i++)
        for (int64_t j = 0; j < s.dim[1]; j++)
            at[i * s.dim[1] + j] = i * (int64_t)step + j;
    SL_TRY(onnx_gather(c, x, sl_const_view(c->a, SL_S64, &s, at), 1, &x)); /* [n, frames, length, parts] */
    SL_TRY(split_parts(c, x, &re, &im));
    if (window) {
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, re, window, &re));
        if (im)
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, im, window, &im));
    }
    SL_TRY(transform(c, re, im, s.dim[1], onesided ? s.dim[1] / 2 + 1 : s.dim[1], false, &re, &im));
    SL_TRY(join_parts(c, re, im, &x));
    return onnx_out(c, 0, x);
}

sluice_status translate_window(struct onnx_import *c, const struct onnx_node *n)
{
    static const struct {
        const char *op;
        double a0, a1, a2;
    } rows[] = {{"BlackmanWindow", 0.42, 0.5, 0.08}, {"HammingWindow", 25.0 / 46, 21.0 / 46, 0}, {"HannWindow", 0.5, 0.5, 0}};
    const struct sl_const *k;
    double size;
    void *data;
    size_t row = 0;
    SL_TRY(onnx_need_const(c, 0, "size", &k));
    if (!sl_const_scalar(k, &size) || size < 0 || size > 1 << 24)
        return sl_fail(c->e, SLUICE_E_VALUE, "size is not one number of 0 to 2^24");
    if (onnx_attr_int(c, "output_datatype", 1) != 1 &&
        !sl_dtype_is_float(onnx_stored_dtype((int32_t)onnx_attr_int(c, "output_datatype", 1))))
        return sl_unsupported(c->b, "a window of integers");
    while (row + 1 < SL_COUNT(rows) && strcmp(rows[row].op, n->op_type) != 0)
        row++;
    struct sl_shape s = {1, {(int64_t)size}};
    const struct sl_const *window;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, &window, &data));
    double whole = onnx_attr_int(c, "periodic", 1) ? size : size - 1;
    for (int64_t i = 0; i < s.dim[0]; i++) {
        double angle = whole > 0 ? 2 * PI * (double)i / whole : 0;
        ((float *)data)[i] = (float)(rows[row].a0 - rows[row].a1 * cos(angle) + rows[row].a2 * cos(2 * angle));
    }
    return onnx_out(c, 0, sl_build_const(c->b, window));
}

/* ---- mel bins ---- */

/* From `from` to `to` a line rises from 0 to 1, or falls from 1 to 0 at `to`. */
static void slope(float *column, int64_t stride, int64_t from, int64_t to, bool rises)
{
    for (int64_t j = from; j < to + rises; j++)
        column[j * stride] = (float)(rises ? j - from : to - j) / (float)(to - from);
}

/* A triangle for each bin, with corners at equal steps of mel; [dft_length / 2 + 1, bins]. */
sluice_status translate_mel_weight_matrix(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const names[5] = {"num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"};
    const struct sl_const *k;
    double v[5];
    void *data;
    for (int i = 0; i < 5; i++) {
        SL_TRY(onnx_need_const(c, i, names[i], &k));
        if (!sl_const_scalar(k, &v[i]))
            return sl_fail(c->e, SLUICE_E_SHAPE, "%s is not one number", names[i]);
    }
    if (!(v[0] >= 1 && v[0] <= 1 << 16 && v[1] >= 1 && v[1] <= 1 << 24 && v[2] >= 1 && v[2] <= 1e9 && v[3] >= 0 && v[4] > v[3] && v[4] <= v[2]))
        return sl_fail(c->e, SLUICE_E_VALUE, "no mel bins of %g, %g, %g, %g and %g", v[0], v[1], v[2], v[3], v[4]);
    if (!sl_dtype_is_float(onnx_stored_dtype((int32_t)onnx_attr_int(c, "output_datatype", 1))))
        return sl_unsupported(c->b, "a matrix of integers");
    const int64_t bins = (int64_t)v[0], rows = (int64_t)v[1] / 2 + 1;
    struct sl_shape s = {2, {rows, bins}};
    const struct sl_const *matrix;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, &matrix, &data));
    memset(data, 0, matrix->bytes);
    int64_t *corner = SL_NEW_ARRAY(c->scratch, int64_t, (size_t)bins + 2);
    const double low = 2595 * log10(1 + v[3] / 700), high = 2595 * log10(1 + v[4] / 700);
    for (int64_t i = 0; i < bins + 2; i++) {
        double mel = low + (double)i * (high - low) / (double)(bins + 2), hertz = 700 * (pow(10, mel / 2595) - 1);
        corner[i] = SL_MIN((int64_t)floor((v[1] + 1) * hertz / v[2]), rows - 1);
    }
    for (int64_t i = 0; i < bins; i++) {
        float *column = (float *)data + i;
        if (corner[i + 1] == corner[i])
            column[corner[i] * bins] = 1;
        else
            slope(column, bins, corner[i], corner[i + 1], true);
        slope(column, bins, corner[i + 1], corner[i + 2], false);
    }
    return onnx_out(c, 0, sl_build_const(c->b, matrix));
}
