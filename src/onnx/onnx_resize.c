/*
 * onnx_resize.c: Resize and Upsample. The two axes that change stand as height and width of a picture (for the usual NCHW
 * tensors they are); the IR's resize does the rest.
 */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"
#include "ops/resize_table.h"

struct resizing {
    int rank;
    int64_t out[SL_MAX_RANK];
    double scale[SL_MAX_RANK];
    const char *mode, *coordinate, *nearest, *policy;
    bool crops; /* tf_crop_and_resize: each axis samples roi[axis] .. roi[rank + axis] of it */
    double roi[2 * SL_MAX_RANK];
};

static sluice_status scale_list(struct onnx_import *c, int input, int *n, double *scales, bool *given)
{
    const struct sl_const *k = NULL;
    *n = 0;
    SL_TRY(onnx_in_const(c, input, &k));
    if (onnx_has_in(c, input) && !k)
        return sl_unsupported(c->b, "scales are computed at run time, they must be constants");
    size_t count = k ? sl_shape_elements(&k->shape) : 0;
    if (count > SL_MAX_RANK)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%zu scales", count);
    for (size_t i = 0; i < count; i++)
        scales[(*n)++] = sl_const_number(k, i);
    *given = count > 0;
    return SLUICE_OK;
}

/* Axes that scales or sizes speak of: all, or those of the attribute `axes` (opset 18). */
static sluice_status resized_axes(struct onnx_import *c, int rank, int *n, int *axes)
{
    const int64_t *given = onnx_attr_ints(c, "axes", n);
    if (!given)
        *n = rank;
    if (*n > rank)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d axes for %d dimensions", *n, rank);
    for (int i = 0; i < *n; i++) {
        axes[i] = i;
        if (given)
            SL_TRY(sl_build_axis(c->b, given[i], rank, &axes[i]));
    }
    return SLUICE_OK;
}

static sluice_status set_size(struct onnx_import *c, struct resizing *r, const struct sl_node *x, int axis, double scale,
                              int64_t size)
{
    int64_t dim = x->shape.dim[axis];
    if (size < 0) {
        if (!(scale > 0) || scale * (double)dim > 1e9)
            return sl_fail(c->e, SLUICE_E_VALUE, "scale %g of axis %d", scale, axis);
        size = (int64_t)floor(scale * (double)dim);
    }
    if (size < 1 || dim < 1 || size > 1000000000)
        return sl_fail(c->e, SLUICE_E_SHAPE, "axis %d of %lld cannot be resized to %lld", axis, (long long)dim,
                       (long long)size);
    r->out[axis] = size;
    r->scale[axis] = scale > 0 ? scale : (double)size / (double)dim;
    return SLUICE_OK;
}

/* keep_aspect_ratio_policy: one scale for all named axes. */
static void apply_policy(struct resizing *r, const struct sl_node *x, int n, const int *axes, const int64_t *sizes,
                         int64_t *out)
{
    bool least = strcmp(r->policy, "not_larger") == 0;
    double scale = least ? INFINITY : 0;
    for (int i = 0; i < n; i++) {
        double s = (double)sizes[i] / (double)x->shape.dim[axes[i]];
        scale = least ? SL_MIN(scale, s) : SL_MAX(scale, s);
    }
    for (int i = 0; i < n; i++) {
        double size = floor(scale * (double)x->shape.dim[axes[i]] + 0.5);
        out[i] = size >= 1 && size <= 1e9 ? (int64_t)size : 0; /* which set_size refuses */
    }
    for (int i = 0; i < n; i++)
        r->scale[axes[i]] = scale;
}

static sluice_status find_sizes(struct onnx_import *c, struct resizing *r, const struct sl_node *x, int scale_input,
                                int size_input)
{
    int n, n_axes, axes[SL_MAX_RANK];
    double scales[SL_MAX_RANK];
    int64_t kept[SL_MAX_RANK], *sizes = NULL;
    bool scaled = false;
    SL_TRY(resized_axes(c, r->rank, &n_axes, axes));
    for (int i = 0; i < r->rank; i++) {
        r->out[i] = x->shape.dim[i];
        r->scale[i] = 1;
    }
    SL_TRY(scale_list(c, scale_input, &n, scales, &scaled));
    if (!scaled) {
        if (size_input < 0 || !onnx_has_in(c, size_input))
            return sl_fail(c->e, SLUICE_E_FORMAT, "neither scales nor sizes are given");
        SL_TRY(onnx_need_ints(c, size_input, "sizes", &n, &sizes));
    }
    if (n != n_axes)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d scales or sizes for %d axes", n, n_axes);
    bool policy = sizes && strcmp(r->policy, "stretch") != 0;
    for (int i = 0; i < n && policy; i++)
        if (sizes[i] < 1 || x->shape.dim[axes[i]] < 1)
            return sl_fail(c->e, SLUICE_E_SHAPE, "size %lld of axis %d", (long long)sizes[i], axes[i]);
    if (policy) {
        apply_policy(r, x, n, axes, sizes, kept);
        sizes = kept;
    }
    for (int i = 0; i < n; i++)
        SL_TRY(set_size(c, r, x, axes[i], sizes ? (policy ? r->scale[axes[i]] : 0) : scales[i], sizes ? sizes[i] : -1));
    return SLUICE_OK;
}

/* Brings the changing axes to the places of height and width: [rest..., a, b, 1], the rest merged into the batch; or, for the
 * usual [n, c, h, w], channels last. */
static struct sl_node *resize_node(struct onnx_import *c, const struct resizing *r, struct sl_node *x, int a, int b)
{
    struct sl_node *n = sl_build_add(c->b, SL_OP_resize, 1, &x);
    sl_set_string(c->g, n, "mode", r->mode);
    sl_set_ints(c->g, n, "sizes", 2, (int64_t[]){a < 0 ? 1 : r->out[a], r->out[b]});
    sl_set_floats(c->g, n, "scales", 2, (double[]){a < 0 ? 1 : r->scale[a], r->scale[b]});
    sl_set_string(c->g, n, "coordinate", r->coordinate);
    if (r->crops) {
        sl_set_floats(c->g, n, "roi", 4,
                      (double[]){a < 0 ? 0 : r->roi[a], r->roi[b], a < 0 ? 1 : r->roi[r->rank + a], r->roi[r->rank + b]});
        sl_set_float(c->g, n, "extrapolation_value", onnx_attr_float(c, "extrapolation_value", 0));
    }
    if (strcmp(r->mode, "nearest") == 0)
        sl_set_string(c->g, n, "nearest_mode", r->nearest);
    if (strcmp(r->mode, "cubic") == 0) {
        sl_set_float(c->g, n, "cubic_alpha", onnx_attr_float(c, "cubic_coeff_a", -0.75));
        sl_set_int(c->g, n, "exclude_outside", onnx_attr_int(c, "exclude_outside", 0));
    }
    return n;
}

static sluice_status resize_picture(struct onnx_import *c, const struct resizing *r, struct sl_node *x, int a, int b,
                                    struct sl_node **out)
{
    *out = resize_node(c, r, x, a, b);
    return sl_build_finish(c->b, out);
}

static sluice_status resize_two(struct onnx_import *c, const struct resizing *r, struct sl_node *x, int a, int b,
                                struct sl_node **out)
{
    int64_t perm[SL_MAX_RANK], back[SL_MAX_RANK], dims[4] = {1, 1, 1, 1}, full[SL_MAX_RANK];
    int rank = r->rank, at = 0;
    if (rank == 4 && a == 2 && b == 3) {
        SL_TRY(onnx_channels_last(c, x, &x));
        SL_TRY(resize_picture(c, r, x, a, b, &x));
        return onnx_channels_first(c, x, out);
    }
    for (int i = 0; i < rank; i++)
        if (i != a && i != b)
            perm[at++] = i;
    if (a >= 0)
        perm[at++] = a;
    perm[at++] = b;
    for (int i = 0; i < rank; i++) {
        back[perm[i]] = i;
        full[i] = perm[i] == a || perm[i] == b ? r->out[perm[i]] : x->shape.dim[perm[i]];
        if (perm[i] != a && perm[i] != b)
            dims[0] *= x->shape.dim[perm[i]];
    }
    dims[1] = a < 0 ? 1 : x->shape.dim[a];
    dims[2] = x->shape.dim[b];
    SL_TRY(sl_build_transpose(c->b, x, perm, &x));
    SL_TRY(onnx_reshape(c, x, 4, dims, &x));
    SL_TRY(resize_picture(c, r, x, a, b, &x));
    SL_TRY(onnx_reshape(c, x, rank, full, &x));
    return sl_build_transpose(c->b, x, back, out);
}

/* ---- antialias: a filter that is as much wider as the picture gets smaller ---- */

static double filter_at(const struct sl_resize_rule *r, double d)
{
    const double a = r->cubic_alpha;
    d = fabs(d);
    if (r->taps == 2)
        return d < 1 ? 1 - d : 0;
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* The weights of all inputs for output o: column o of [in, out]. Beyond the border its pixel is repeated, or nothing is there. */
static void filter_column(const struct sl_resize_rule *r, double scale, int64_t in, int64_t out, int64_t o, float *column)
{
    const double reach = (r->taps == 2 ? 1 : 2) / scale, far = (double)in + reach + 2; /* beyond, nothing changes any more */
    const double x = fmin(fmax(sl_resize_coordinate(r, 1, in, out, o), -far), far);
    double total = 0;
    for (int64_t i = (int64_t)floor(x - reach); i <= (int64_t)ceil(x + reach); i++)
        if (!r->exclude_outside || (i >= 0 && i < in))
            total += filter_at(r, ((double)i - x) * scale);
    for (int64_t i = (int64_t)floor(x - reach); i <= (int64_t)ceil(x + reach); i++)
        if (total != 0 && (!r->exclude_outside || (i >= 0 && i < in)))
            column[SL_MAX(0, SL_MIN(i, in - 1)) * out] += (float)(filter_at(r, ((double)i - x) * scale) / total);
}

/* One axis as a product with constant weights [in, out]. */
static sluice_status filter_axis(struct onnx_import *c, const struct resizing *r, struct sl_node *x, int axis, struct sl_node **out)
{
    struct sl_resize_rule rule;
    int64_t perm[SL_MAX_RANK], back[SL_MAX_RANK];
    struct sl_shape s = {2, {x->shape.dim[axis], r->out[axis]}};
    void *data;
    SL_TRY(sl_resize_rule(resize_node(c, r, x, -1, axis), &rule, c->e)); /* the node itself is read by nothing */
    rule.exclude_outside = onnx_attr_int(c, "exclude_outside", 0) != 0;
    const struct sl_const *weights;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, &weights, &data));
    memset(data, 0, weights->bytes);
    for (int64_t o = 0; o < s.dim[1]; o++)
        filter_column(&rule, r->scale[axis], s.dim[0], s.dim[1], o, (float *)data + o);
    for (int i = 0; i < r->rank; i++) {
        perm[i] = i < axis ? i : i < r->rank - 1 ? i + 1 : axis;
        back[perm[i]] = i;
    }
    SL_TRY(sl_build_transpose(c->b, x, perm, &x));
    SL_TRY(onnx_matmul(c, x, sl_build_const(c->b, weights), &x));
    return sl_build_transpose(c->b, x, back, out);
}

/* The axes that get smaller; the others are left to resize. */
static sluice_status filter_axes(struct onnx_import *c, struct resizing *r, struct sl_node **x)
{
    if (strcmp(r->mode, "nearest") == 0)
        return SLUICE_OK;
    if (r->crops)
        return sl_unsupported(c->b, "antialias with tf_crop_and_resize");
    for (int i = r->rank - 1; i >= 0; i--) {
        if (r->scale[i] >= 1)
            continue;
        SL_TRY(filter_axis(c, r, *x, i, x));
        r->scale[i] = 1;
    }
    return SLUICE_OK;
}

static sluice_status resize(struct onnx_import *c, struct resizing *r, struct sl_node *x)
{
    int changing[SL_MAX_RANK], n = 0;
    for (int i = 0; i < r->rank; i++)
        if (r->out[i] != x->shape.dim[i] || r->scale[i] != 1 || (r->crops && (r->roi[i] != 0 || r->roi[r->rank + i] != 1)))
            changing[n++] = i;
    /* Axes are independent in every mode, so they go in pairs from the last. */
    for (; n > 0; n -= 2) {
        struct resizing pair = *r;
        int b = changing[n - 1], a = n > 1 ? changing[n - 2] : -1;
        if (a < 0 && b > 0 && r->rank == 4 && b == 3)
            a = 2;
        else if (a < 0 && r->rank == 4 && b == 2) {
            a = 2;
            b = 3;
        }
        SL_TRY(resize_two(c, &pair, x, a, b, &x));
    }
    return onnx_out(c, 0, x);
}

/* The region of interest: start and end of each axis (of `axes` alone, where given) in 0..1. */
static sluice_status find_roi(struct onnx_import *c, struct resizing *r)
{
    int n_axes, axes[SL_MAX_RANK];
    const struct sl_const *k;
    r->crops = strcmp(r->coordinate, "tf_crop_and_resize") == 0;
    if (!r->crops)
        return SLUICE_OK;
    SL_TRY(resized_axes(c, r->rank, &n_axes, axes));
    SL_TRY(onnx_need_const(c, 1, "roi", &k));
    if (sl_shape_elements(&k->shape) != 2 * (size_t)n_axes)
        return sl_fail(c->e, SLUICE_E_SHAPE, "roi has %zu numbers for %d axes", sl_shape_elements(&k->shape), n_axes);
    for (int i = 0; i < r->rank; i++)
        r->roi[r->rank + i] = 1;
    for (int i = 0; i < n_axes; i++) {
        r->roi[axes[i]] = sl_const_number(k, (size_t)i);
        r->roi[r->rank + axes[i]] = sl_const_number(k, (size_t)(n_axes + i));
    }
    return SLUICE_OK;
}

/* Since opset 19 a target length may be a fraction, scale * dim, and ONNX's vectors align to its corner, (dim - 1) / (scale * dim - 1)
 * a step, not to that of the whole length as before: the same as sampling at x / scale with another scale. */
static void align_to_fraction(struct resizing *r, const struct sl_node *x)
{
    bool fraction = false;
    for (int i = 0; i < r->rank; i++)
        fraction = fraction || fabs(r->scale[i] * (double)x->shape.dim[i] - (double)r->out[i]) > 1e-4;
    if (!fraction)
        return;
    r->coordinate = "asymmetric";
    for (int i = 0; i < r->rank; i++) {
        double dim = (double)x->shape.dim[i], length = r->scale[i] * dim;
        if (r->out[i] != x->shape.dim[i] || r->scale[i] != 1)
            r->scale[i] = dim > 1 && length > 1 ? (length - 1) / (dim - 1) : (double)r->out[i];
    }
}

static sluice_status check_word(struct onnx_import *c, const char *name, const char *word, const char *const *known, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, known[i]) == 0)
            return SLUICE_OK;
    return sl_unsupported(c->b, "%s '%s'", name, word);
}

sluice_status translate_resize(struct onnx_import *c, const struct onnx_node *n)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                              "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    struct sl_node *x;
    bool old = c->scope->opset < 11;
    struct resizing r = {.mode = onnx_attr_string(c, "mode", "nearest"),
                         .policy = onnx_attr_string(c, "keep_aspect_ratio_policy", "stretch"),
                         .coordinate = old ? "asymmetric" : onnx_attr_string(c, "coordinate_transformation_mode", "half_pixel"),
                         .nearest = old ? "floor" : onnx_attr_string(c, "nearest_mode", "round_prefer_floor")};
    SL_TRY(onnx_in(c, 0, &x));
    r.rank = x->shape.rank;
    if (strcmp(r.mode, "bilinear") == 0) /* Upsample's first name of it */
        r.mode = "linear";
    SL_TRY(check_word(c, "mode", r.mode, modes, SL_COUNT(modes)));
    SL_TRY(check_word(c, "coordinate_transformation_mode", r.coordinate, coordinates, SL_COUNT(coordinates)));
    SL_TRY(check_word(c, "nearest_mode", r.nearest, nearest, SL_COUNT(nearest)));
    SL_TRY(find_roi(c, &r));
    SL_TRY(find_sizes(c, &r, x, old ? 1 : 2, old ? -1 : 3));
    if (c->scope->opset >= 19 && strcmp(r.coordinate, "align_corners") == 0)
        align_to_fraction(&r, x);
    if (onnx_attr_int(c, "antialias", 0))
        SL_TRY(filter_axes(c, &r, &x));
    return resize(c, &r, x);
}

/* Opset 7: scales as an attribute. */
sluice_status translate_upsample(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x;
    struct resizing r = {
        .mode = onnx_attr_string(c, "mode", "nearest"), .coordinate = "asymmetric", .nearest = "floor", .policy = "stretch"};
    const struct onnx_attr *scales = onnx_attribute(c, "scales");
    SL_TRY(onnx_in(c, 0, &x));
    r.rank = x->shape.rank;
    if (!scales || scales->type != ONNX_ATTR_FLOATS || scales->n != r.rank)
        return sl_fail(c->e, SLUICE_E_FORMAT, "scales are missing or not one for each of %d dimensions", r.rank);
    if (strcmp(r.mode, "bilinear") == 0)
        r.mode = "linear";
    if (strcmp(r.mode, "nearest") != 0 && strcmp(r.mode, "linear") != 0)
        return sl_unsupported(c->b, "mode '%s'", r.mode);
    for (int i = 0; i < r.rank; i++)
        SL_TRY(set_size(c, &r, x, i, (double)scales->floats[i], -1));
    return resize(c, &r, x);
}
