/* sample_float.c: roi_align on [n, h, w, c] as ONNX defines it, and lrn: shape rules and float evaluation. */
#include <math.h>
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"

static const int64_t LONGEST = INT32_MAX;

static sluice_status check_picture(const struct sl_node *n, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_rank(n, 0, 4, 4, e));
    if (s->dim[1] < 1 || s->dim[2] < 1 || s->dim[1] > LONGEST || s->dim[2] > LONGEST)
        return sl_fail(e, SLUICE_E_SHAPE, "input 0 has shape %s, sides of 1 to %lld are wanted", SL_SHAPE_TEXT(s), (long long)LONGEST);
    return SLUICE_OK;
}

/* ---- roi_align: inputs picture, rois [r, 4] as x1 y1 x2 y2, batch indices [r] ---- */
struct roi_rule { int mode; bool half_pixel; int64_t out[2], ratio; double scale; };

static sluice_status read_roi(const struct sl_node *n, struct roi_rule *r, sl_err *e)
{
    static const char *const modes[] = {"avg", "max"}, *const coordinates[] = {"half_pixel", "output_half_pixel"};
    int coordinate = 0;
    *r = (struct roi_rule){.out = {1, 1}, .scale = 1};
    SL_TRY(sl_rule_word(n, "mode", modes, 2, &r->mode, e));
    SL_TRY(sl_rule_word(n, "coordinate", coordinates, 2, &coordinate, e));
    SL_TRY(sl_rule_ints(n, "sizes", 2, 1, SL_SIDE_LIMIT, r->out, e));
    SL_TRY(sl_rule_ints(n, "sampling_ratio", 1, 0, 1024, &r->ratio, e));
    r->half_pixel = coordinate == 0;
    return sl_rule_float(n, "spatial_scale", 0, 1e6, &r->scale, e);
}

sluice_status infer_roi_align(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct roi_rule r;
    SL_TRY(check_picture(n, e));
    SL_TRY(sl_rule_is_float(n, 1, e));
    const struct sl_shape *rois = &n->in[1]->shape, *batch = &n->in[2]->shape;
    if (rois->rank != 2 || rois->dim[1] != 4 || batch->rank != 1 || batch->dim[0] != rois->dim[0] || sl_dtype_is_float(n->in[2]->dtype))
        return sl_fail(e, SLUICE_E_SHAPE, "rois %s and batch indices %s must be [r, 4] and [r] integers", SL_SHAPE_TEXT(rois),
                       SL_SHAPE_TEXT(batch));
    SL_TRY(read_roi(n, &r, e));
    struct sl_shape out = sl_shape_of(4, (int64_t[]){rois->dim[0], r.out[0], r.out[1], n->in[0]->shape.dim[3]});
    return sl_rule_output(n, SL_F32, &out, e);
}

/* Neighbours of a position along one axis; false when it lies beyond the picture. */
static bool neighbours(double v, int64_t length, int64_t *at, double *weight)
{
    if (!(v >= -1 && v <= (double)length))
        return false;
    v = v < 0 ? 0 : v;
    at[0] = (int64_t)v;
    if (at[0] >= length - 1) {
        at[0] = at[1] = length - 1;
        v = (double)at[0];
    } else {
        at[1] = at[0] + 1;
    }
    weight[1] = v - (double)at[0];
    weight[0] = 1 - weight[1];
    return true;
}

static void add_pixel(float *y, const float *x, double weight, int64_t c)
{
    for (int64_t i = 0; i < c; i++)
        y[i] += (float)(weight * (double)x[i]);
}

/* The largest of the weighted neighbours, as ONNX's reference and runtime take it. */
static void take_max(float *y, const float *x, double weight, int64_t c, bool first)
{
    for (int64_t i = 0; i < c; i++) {
        float v = (float)(weight * (double)x[i]);
        y[i] = first || v > y[i] ? v : y[i];
    }
}

struct bin { double start[2], step[2]; int64_t samples[2]; };

static void pool_bin(const struct roi_rule *r, const struct sl_shape *s, const float *x, const struct bin *b, float *y)
{
    const int64_t c = s->dim[3];
    const double share = 1 / (double)SL_MAX(b->samples[0] * b->samples[1], 1);
    bool first = true;
    memset(y, 0, (size_t)c * sizeof *y);
    for (int64_t i = 0; i < b->samples[0]; i++)
        for (int64_t j = 0; j < b->samples[1]; j++) {
            int64_t rows[2], columns[2];
            double wr[2], wc[2];
            if (!neighbours(b->start[0] + ((double)i + 0.5) * b->step[0], s->dim[1], rows, wr) ||
                !neighbours(b->start[1] + ((double)j + 0.5) * b->step[1], s->dim[2], columns, wc))
                continue;
            for (int k = 0; k < 4; k++) {
                const float *p = x + (rows[k >> 1] * s->dim[2] + columns[k & 1]) * c;
                const double weight = wr[k >> 1] * wc[k & 1];
                if (r->mode == 0)
                    add_pixel(y, p, weight * share, c);
                else
                    take_max(y, p, weight, c, first);
                first = false;
            }
        }
}

static void align_roi(const struct roi_rule *r, const struct sl_shape *s, const float *x, const float *roi, float *y)
{
    const double offset = r->half_pixel ? 0.5 : 0;
    struct bin b;
    double start[2], bin_size[2];
    for (int k = 0; k < 2; k++) { /* k = 0: height */
        start[k] = (double)roi[1 - k] * r->scale - offset;
        double size = (double)roi[3 - k] * r->scale - offset - start[k];
        size = r->half_pixel ? size : fmax(size, 1);
        bin_size[k] = size / (double)r->out[k];
        double samples = r->ratio ? (double)r->ratio : ceil(bin_size[k]);
        b.samples[k] = (int64_t)(samples > 1024 ? 1024 : samples > 0 ? samples : 0);
        b.step[k] = b.samples[k] ? bin_size[k] / (double)b.samples[k] : 0;
    }
    for (int64_t i = 0; i < r->out[0]; i++)
        for (int64_t j = 0; j < r->out[1]; j++, y += s->dim[3]) {
            b.start[0] = start[0] + (double)i * bin_size[0];
            b.start[1] = start[1] + (double)j * bin_size[1];
            pool_bin(r, s, x, &b, y);
        }
}

sluice_status eval_roi_align(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct roi_rule r;
    SL_TRY(read_roi(n, &r, e));
    const struct sl_shape *s = &in[0].shape;
    const int64_t *batch = in[2].data, picture = s->dim[1] * s->dim[2] * s->dim[3], rois = in[1].shape.dim[0];
    for (int64_t i = 0; i < rois; i++) {
        if (batch[i] < 0 || batch[i] >= s->dim[0])
            return sl_fail(e, SLUICE_E_VALUE, "batch index %lld of roi %lld is outside 0 to %lld", (long long)batch[i], (long long)i,
                           (long long)s->dim[0] - 1);
        align_roi(&r, s, (const float *)in[0].data + batch[i] * picture, (const float *)in[1].data + i * 4,
                  (float *)out->data + i * r.out[0] * r.out[1] * s->dim[3]);
    }
    return SLUICE_OK;
}

/* ---- lrn over channels: x / (bias + alpha / size * sum of squares of `size` neighbours)^beta ---- */
struct lrn_rule { int64_t size; double alpha, beta, bias; };

static sluice_status read_lrn(const struct sl_node *n, struct lrn_rule *r, sl_err *e)
{
    *r = (struct lrn_rule){.size = 1, .alpha = 1e-4, .beta = 0.75, .bias = 1};
    if (!sl_attr(n, "size"))
        return sl_fail(e, SLUICE_E_VALUE, "size is missing");
    SL_TRY(sl_rule_ints(n, "size", 1, 1, SL_SIDE_LIMIT, &r->size, e));
    SL_TRY(sl_rule_float(n, "alpha", -1e6, 1e6, &r->alpha, e));
    SL_TRY(sl_rule_float(n, "beta", -1e6, 1e6, &r->beta, e));
    return sl_rule_float(n, "bias", -1e6, 1e6, &r->bias, e);
}

sluice_status infer_lrn(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct lrn_rule r;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_rank(n, 0, 1, SL_MAX_RANK, e));
    SL_TRY(read_lrn(n, &r, e));
    return sl_rule_output(n, SL_F32, &n->in[0]->shape, e);
}

sluice_status eval_lrn(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct lrn_rule r;
    SL_TRY(read_lrn(n, &r, e));
    const int64_t c = out->shape.dim[out->shape.rank - 1], count = (int64_t)sl_shape_elements(&out->shape);
    const int64_t before = (r.size - 1) / 2, after = r.size - 1 - before;
    const float *x = in[0].data;
    float *y = out->data;
    for (int64_t at = 0; at < count; at += c)
        for (int64_t i = 0; i < c; i++) {
            double sum = 0;
            for (int64_t k = SL_MAX(i - before, 0); k <= SL_MIN(i + after, c - 1); k++)
                sum += (double)x[at + k] * (double)x[at + k];
            y[at + i] = (float)((double)x[at + i] / pow(r.bias + r.alpha / (double)r.size * sum, r.beta));
        }
    return SLUICE_OK;
}
