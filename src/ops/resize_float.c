/* resize_float.c: resizing height and width of [n, h, w, c] (or width of [n, w, c]) as ONNX Resize defines it: shape rule, sampling
 * tables, evaluation. */
#include <math.h>
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/resize_table.h"
#include "ops/values.h"

static const int64_t LONGEST = INT32_MAX;

/* Output sides from `sizes`, `scales`, or the tables of the quantized form. */
static sluice_status read_sizes(const struct sl_node *n, int64_t in_h, int64_t in_w, int64_t *out, sl_err *e)
{
    double scales[2];
    if (sl_attr(n, "sizes"))
        return sl_rule_ints(n, "sizes", 2, 1, LONGEST, out, e);
    const struct sl_const *rows = sl_param(n, "rows"), *columns = sl_param(n, "columns");
    if (rows && columns && rows->shape.rank == 2 && columns->shape.rank == 2) {
        out[0] = rows->shape.dim[0];
        out[1] = columns->shape.dim[0];
        return SLUICE_OK;
    }
    if (!sl_attr(n, "scales"))
        return sl_fail(e, SLUICE_E_VALUE, "sizes and scales are missing");
    SL_TRY(sl_rule_floats(n, "scales", 2, scales, e));
    for (int i = 0; i < 2; i++) {
        double side = floor((double)(i ? in_w : in_h) * scales[i]);
        if (!(scales[i] > 0) || !(side >= 1 && side <= (double)LONGEST))
            return sl_fail(e, SLUICE_E_VALUE, "scale %g makes %s %lld to %g, accepted is 1 to %lld", scales[i],
                           i ? "width" : "height", (long long)(i ? in_w : in_h), side, (long long)LONGEST);
        out[i] = (int64_t)side;
    }
    return SLUICE_OK;
}

sluice_status infer_resize(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    const struct sl_shape *s = &n->in[0]->shape;
    SL_TRY(sl_rule_rank(n, 0, 3, 4, e));
    bool flat = s->rank == 3;
    int64_t h = flat ? 1 : s->dim[1], w = s->dim[flat ? 1 : 2], size[2] = {0};
    if (h < 1 || w < 1 || h > LONGEST || w > LONGEST)
        return sl_fail(e, SLUICE_E_SHAPE, "input has shape %s, sides of 1 to %lld are wanted", SL_SHAPE_TEXT(s), (long long)LONGEST);
    SL_TRY(read_sizes(n, h, w, size, e));
    if (flat && size[0] != 1)
        return sl_fail(e, SLUICE_E_SHAPE, "height %lld needs rank 4, the input has shape %s", (long long)size[0], SL_SHAPE_TEXT(s));
    struct sl_resize_rule rule;
    SL_TRY(sl_resize_rule(n, &rule, e));
    if (rule.taps > 1)
        SL_TRY(sl_rule_is_float(n, 0, e));
    struct sl_shape out = flat ? sl_shape_of(3, (int64_t[]){s->dim[0], size[1], s->dim[2]})
                               : sl_shape_of(4, (int64_t[]){s->dim[0], size[0], size[1], s->dim[3]});
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

struct sampling { int taps; int32_t *index[2]; double *weight[2]; int64_t in_w, c; float outside; };

static void weighted_pixel(const struct sampling *s, const float *x, int64_t oy, int64_t ox, float *y)
{
    const int taps = s->taps;
    const int32_t *rows = s->index[0] + oy * taps, *columns = s->index[1] + ox * taps;
    for (int64_t i = 0; i < s->c; i++)
        y[i] = rows[0] < 0 || columns[0] < 0 ? s->outside : 0;
    if (rows[0] < 0 || columns[0] < 0)
        return;
    for (int a = 0; a < taps; a++)
        for (int b = 0; b < taps; b++) {
            const float w = (float)(s->weight[0][oy * taps + a] * s->weight[1][ox * taps + b]);
            const float *v = x + ((int64_t)rows[a] * s->in_w + columns[b]) * s->c;
            if (w == 0)
                continue;
            for (int64_t i = 0; i < s->c; i++)
                y[i] += w * v[i];
        }
}

static void nearest_pixel(const struct sampling *s, const char *x, size_t pixel_bytes, int64_t oy, int64_t ox, char *y)
{
    int32_t row = s->index[0][oy], column = s->index[1][ox];
    if (row >= 0 && column >= 0) {
        memcpy(y, x + ((size_t)row * (size_t)s->in_w + (size_t)column) * pixel_bytes, pixel_bytes);
        return;
    }
    for (size_t i = 0; i < pixel_bytes; i += sizeof s->outside) /* the shape rule allows an outside for floats alone */
        memcpy(y + i, &s->outside, sizeof s->outside);
}

sluice_status eval_resize(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    const struct sl_shape *s = &in[0].shape, *t = &out->shape;
    bool flat = s->rank == 3;
    int64_t in_side[2] = {flat ? 1 : s->dim[1], s->dim[flat ? 1 : 2]}, out_side[2] = {flat ? 1 : t->dim[1], t->dim[flat ? 1 : 2]};
    struct sl_resize_rule rule;
    SL_TRY(sl_resize_rule(n, &rule, e));
    struct sampling p = {.taps = rule.taps, .in_w = in_side[1], .c = s->dim[s->rank - 1], .outside = (float)rule.extrapolation};
    for (int i = 0; i < 2; i++) {
        SL_TRY(sl_eval_scratch(ev, (size_t)(out_side[i] * p.taps), sizeof *p.index[i], &p.index[i], e));
        SL_TRY(sl_eval_scratch(ev, (size_t)(out_side[i] * p.taps), sizeof *p.weight[i], &p.weight[i], e));
        SL_TRY(sl_resize_indices(n, i, in_side[i], out_side[i], p.index[i], p.weight[i], e));
    }
    size_t bytes = sl_class_bytes(out->dtype), pixel = (size_t)p.c * bytes, picture = (size_t)(in_side[0] * in_side[1]) * pixel;
    char *y = out->data;
    for (int64_t b = 0; b < s->dim[0]; b++)
        for (int64_t oy = 0; oy < out_side[0]; oy++)
            for (int64_t ox = 0; ox < out_side[1]; ox++, y += pixel) {
                const char *x = (const char *)in[0].data + (size_t)b * picture;
                if (p.taps == 1)
                    nearest_pixel(&p, x, pixel, oy, ox, y);
                else
                    weighted_pixel(&p, (const float *)x, oy, ox, (float *)y);
            }
    return SLUICE_OK;
}
