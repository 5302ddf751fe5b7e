/* roi_pool_float.c: max_roi_pool: the largest values of a region of [n, h, w, c], in a grid of bins whose borders are whole pixels, as
 * ONNX's MaxRoiPool defines it: shape rule and float evaluation. */
#include <math.h>
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"

struct roi_pool { int64_t out[2]; double scale; };

static sluice_status read_roi_pool(const struct sl_node *n, struct roi_pool *r, sl_err *e)
{
    *r = (struct roi_pool){.out = {1, 1}, .scale = 1};
    SL_TRY(sl_rule_ints(n, "sizes", 2, 1, SL_SIDE_LIMIT, r->out, e));
    return sl_rule_float(n, "spatial_scale", 0, 1e6, &r->scale, e);
}

sluice_status infer_max_roi_pool(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct roi_pool r;
    const struct sl_shape *s = &n->in[0]->shape, *rois = &n->in[1]->shape;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_is_float(n, 1, e));
    SL_TRY(sl_rule_rank(n, 0, 4, 4, e));
    if (rois->rank != 2 || rois->dim[1] != 5)
        return sl_fail(e, SLUICE_E_SHAPE, "rois have shape %s, [r, 5] is wanted", SL_SHAPE_TEXT(rois));
    SL_TRY(read_roi_pool(n, &r, e));
    struct sl_shape out = sl_shape_of(4, (int64_t[]){rois->dim[0], r.out[0], r.out[1], s->dim[3]});
    return sl_rule_output(n, SL_F32, &out, e);
}

static double within(double v, double lo, double hi)
{
    return v > lo ? (v < hi ? v : hi) : lo; /* NaN: lo */
}

/* Pixels of bin i of `bins` along an axis of `length`, for a region from start to end: its last pixel belongs to it. */
static void bin_pixels(double start, double end, int64_t i, int64_t bins, int64_t length, int64_t *from, int64_t *to)
{
    const double size = fmax(end - start + 1, 1) / (double)bins;
    *from = (int64_t)within(floor((double)i * size) + start, 0, (double)length);
    *to = (int64_t)within(ceil((double)(i + 1) * size) + start, 0, (double)length);
}

sluice_status eval_max_roi_pool(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct roi_pool r;
    SL_TRY(read_roi_pool(n, &r, e));
    const int64_t *d = in[0].shape.dim, c = d[3];
    const float *roi = in[1].data;
    float *y = out->data;
    memset(y, 0, sl_shape_elements(&out->shape) * sizeof *y); /* a bin without a pixel is zero */
    for (int64_t k = 0; k < in[1].shape.dim[0]; k++, roi += 5) {
        if (!(roi[0] >= 0 && (double)roi[0] < (double)d[0]))
            return sl_fail(e, SLUICE_E_VALUE, "region %lld is of batch %g, of %lld", (long long)k, (double)roi[0], (long long)d[0]);
        const float *x = (const float *)in[0].data + (int64_t)roi[0] * d[1] * d[2] * c;
        double side[4];
        for (int i = 0; i < 4; i++)
            side[i] = round((double)roi[1 + i] * r.scale);
        for (int64_t i = 0; i < r.out[0]; i++)
            for (int64_t j = 0; j < r.out[1]; j++, y += c) {
                int64_t top, bottom, left, right;
                bin_pixels(side[1], side[3], i, r.out[0], d[1], &top, &bottom);
                bin_pixels(side[0], side[2], j, r.out[1], d[2], &left, &right);
                for (int64_t h = top; h < bottom; h++)
                    for (int64_t w = left; w < right; w++)
                        for (int64_t o = 0; o < c; o++) {
                            const float v = x[(h * d[2] + w) * c + o];
                            y[o] = (h == top && w == left) || v > y[o] ? v : y[o];
                        }
            }
    }
    return SLUICE_OK;
}
