/* resize_table.c: which input positions a resize samples, and with what weights, by the formulas of ONNX Resize (opset 19), in double. */
#include "ops/resize_table.h"

#include <math.h>

#include "ops/op_rules.h"

sluice_status sl_resize_rule(const struct sl_node *n, struct sl_resize_rule *out, sl_err *e)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[SL_COORD_COUNT] = {
        "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric", "tf_half_pixel_for_nn",
        "tf_crop_and_resize"};
    static const char *const nearests[SL_NEAREST_COUNT] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    int mode = 0, coordinate = SL_COORD_HALF_PIXEL, nearest = SL_NEAREST_ROUND_FLOOR;
    int64_t exclude = 0;
    *out = (struct sl_resize_rule){.cubic_alpha = -0.75, .roi = {0, 0, 1, 1}};
    SL_TRY(sl_rule_word(n, "mode", modes, 3, &mode, e));
    SL_TRY(sl_rule_word(n, "coordinate", coordinates, SL_COORD_COUNT, &coordinate, e));
    SL_TRY(sl_rule_word(n, "nearest_mode", nearests, SL_NEAREST_COUNT, &nearest, e));
    SL_TRY(sl_rule_float(n, "cubic_alpha", -1e6, 1e6, &out->cubic_alpha, e));
    SL_TRY(sl_rule_ints(n, "exclude_outside", 1, 0, 1, &exclude, e));
    SL_TRY(sl_rule_floats(n, "scales", 2, out->scales, e));
    SL_TRY(sl_rule_floats(n, "roi", 4, out->roi, e));
    SL_TRY(sl_rule_float(n, "extrapolation_value", -3.4e38, 3.4e38, &out->extrapolation, e));
    out->has_scales = sl_attr(n, "scales") != NULL;
    if (out->has_scales && !(out->scales[0] > 0 && out->scales[1] > 0))
        return sl_fail(e, SLUICE_E_VALUE, "scales are %g and %g, numbers > 0 are wanted", out->scales[0], out->scales[1]);
    out->taps = mode == 0 ? 1 : mode == 1 ? 2 : 4;
    out->coordinate = (enum sl_resize_coordinate)coordinate;
    out->nearest = (enum sl_resize_nearest)nearest;
    out->exclude_outside = exclude != 0;
    if (coordinate == SL_COORD_TF_CROP_AND_RESIZE)
        SL_TRY(sl_rule_is_float(n, 0, e));
    return SLUICE_OK;
}

/* Where output position x lies on the input axis. With scales given by the origin they count, else out / in: then the product is
 * formed before the division, so that whole ratios are exact. */
double sl_resize_coordinate(const struct sl_resize_rule *r, int axis, int64_t in_size, int64_t out_size, int64_t position)
{
    const double in = (double)in_size, out = (double)out_size, x = (double)position;
    const double scale = r->has_scales ? r->scales[axis] : out / in;
    const double centre = r->has_scales ? (x + 0.5) / scale : (x + 0.5) * in / out;
    switch (r->coordinate) {
    case SL_COORD_ASYMMETRIC: return r->has_scales ? x / scale : x * in / out;
    /* by the output's whole side, as onnxruntime does; ONNX's reference takes in * scale, which need not be whole */
    case SL_COORD_ALIGN_CORNERS: return out_size == 1 ? 0 : x * (in - 1) / (out - 1);
    case SL_COORD_PYTORCH_HALF_PIXEL: return out_size == 1 ? 0 : centre - 0.5;
    /* in/2 * (1 - out / (scale * in)) + (x + 0.5) / scale - 0.5, with the terms of 1/scale together: the centre stays exact */
    case SL_COORD_HALF_PIXEL_SYMMETRIC: return in / 2 + (x + 0.5 - out / 2) / scale - 0.5;
    case SL_COORD_TF_HALF_PIXEL_FOR_NN: return centre;
    case SL_COORD_TF_CROP_AND_RESIZE: {
        const double start = r->roi[axis], end = r->roi[axis + 2];
        return out_size == 1 ? 0.5 * (start + end) * (in - 1) : start * (in - 1) + x * (end - start) * (in - 1) / (out - 1);
    }
    default: return centre - 0.5;
    }
}

static int32_t clamped(double v, int64_t in_size)
{
    return (int32_t)(v < 0 ? 0 : v > (double)(in_size - 1) ? (double)(in_size - 1) : v);
}

static double nearest_of(enum sl_resize_nearest mode, double x)
{
    switch (mode) {
    case SL_NEAREST_ROUND_CEIL: return floor(x + 0.5);
    case SL_NEAREST_FLOOR: return floor(x);
    case SL_NEAREST_CEIL: return ceil(x);
    default: return ceil(x - 0.5);
    }
}

/* Weights of the taps before and after fraction t of a step; cubic: Keys' kernel with parameter a. */
static void tap_weights(const struct sl_resize_rule *r, double t, double *w)
{
    if (r->taps == 2) {
        w[0] = 1 - t;
        w[1] = t;
        return;
    }
    const double a = r->cubic_alpha, u = 1 - t;
    w[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    w[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
    w[3] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;
}

static void drop_outside(int taps, double first, int64_t in_size, double *w)
{
    double sum = 0;
    for (int k = 0; k < taps; k++) {
        if (first + k < 0 || first + k > (double)(in_size - 1))
            w[k] = 0;
        sum += w[k];
    }
    for (int k = 0; k < taps && sum != 0; k++)
        w[k] /= sum;
}

sluice_status sl_resize_indices(const struct sl_node *n, int axis, int64_t in_size, int64_t out_size, int32_t *index, double *weight,
                                sl_err *e)
{
    struct sl_resize_rule r;
    SL_TRY(sl_resize_rule(n, &r, e));
    for (int64_t o = 0; o < out_size; o++) {
        const double x = sl_resize_coordinate(&r, axis, in_size, out_size, o);
        int32_t *at = index + o * r.taps;
        const bool outside = r.coordinate == SL_COORD_TF_CROP_AND_RESIZE && !(x >= 0 && x <= (double)(in_size - 1));
        const double low = floor(x), first = r.taps == 4 ? low - 1 : low;
        double w[4] = {1};
        if (r.taps == 1) {
            at[0] = clamped(nearest_of(r.nearest, x), in_size);
        } else {
            tap_weights(&r, x - low, w);
            if (r.exclude_outside)
                drop_outside(r.taps, first, in_size, w);
            for (int k = 0; k < r.taps; k++)
                at[k] = clamped(first + k, in_size);
        }
        for (int k = 0; k < r.taps; k++) {
            at[k] = outside ? -1 : at[k];
            if (weight)
                weight[o * r.taps + k] = w[k];
        }
    }
    return SLUICE_OK;
}
