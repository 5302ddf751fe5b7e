/* pool_float.c: maxpool and avgpool over windows of [n, h, w, c] or [n, w, c]: shape rule, evaluation, cost. */
#include <math.h>
#include <string.h>

#include "ops/curves.h"
#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/values.h"

struct axis { int64_t in, out, kernel, stride, dilation, before, after; };
struct pool { int64_t n, c; struct axis h, w; int64_t include_pad; };

/* With dilation a window that starts in the pads may step over the picture. (A window that starts inside touches it with its first
 * tap, and none starts behind it: pads are shorter than the window.) */
static bool every_window_touches(const struct axis *a)
{
    for (int64_t o = 0; a->dilation > 1 && o < a->out && o * a->stride < a->before; o++) {
        int64_t short_of = a->before - o * a->stride, k = (short_of + a->dilation - 1) / a->dilation;
        if (k >= a->kernel || k * a->dilation - short_of >= a->in)
            return false;
    }
    return true;
}

static sluice_status size_axis(const char *name, struct axis *a, bool ceil_mode, sl_err *e)
{
    int64_t reach = (a->kernel - 1) * a->dilation + 1, room = a->in + a->before + a->after - reach;
    if (a->before >= reach || a->after >= reach)
        return sl_fail(e, SLUICE_E_SHAPE, "pads %lld and %lld along %s reach past the window of %lld", (long long)a->before,
                       (long long)a->after, name, (long long)reach);
    if (a->in < 1 || room < 0)
        return sl_fail(e, SLUICE_E_SHAPE, "the window of %lld does not fit %s of %lld with pads %lld and %lld", (long long)reach, name,
                       (long long)a->in, (long long)a->before, (long long)a->after);
    a->out = (ceil_mode ? (room + a->stride - 1) / a->stride : room / a->stride) + 1;
    if (ceil_mode && (a->out - 1) * a->stride >= a->in + a->before) /* the last window must start inside */
        a->out--;
    if (!every_window_touches(a))
        return sl_fail(e, SLUICE_E_SHAPE, "a window along %s holds only padding", name);
    return SLUICE_OK;
}

static sluice_status read_pool(const struct sl_node *n, struct pool *p, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape;
    int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1}, pads[4] = {0}, ceil_mode = 0, include_pad = 0;
    SL_TRY(sl_rule_rank(n, 0, 3, 4, e));
    if (!sl_attr(n, "kernel_shape"))
        return sl_fail(e, SLUICE_E_VALUE, "kernel_shape is missing");
    SL_TRY(sl_rule_window(n, "kernel_shape", kernel, e));
    SL_TRY(sl_rule_window(n, "strides", stride, e));
    SL_TRY(sl_rule_window(n, "dilations", dilation, e));
    SL_TRY(sl_rule_ints(n, "pads", 4, 0, SL_SIDE_LIMIT, pads, e));
    SL_TRY(sl_rule_ints(n, "ceil_mode", 1, 0, 1, &ceil_mode, e));
    SL_TRY(sl_rule_ints(n, "count_include_pad", 1, 0, 1, &include_pad, e));
    bool flat = s->rank == 3;
    *p = (struct pool){.n = s->dim[0], .c = s->dim[s->rank - 1], .include_pad = include_pad};
    p->h = (struct axis){flat ? 1 : s->dim[1], 0, kernel[0], stride[0], dilation[0], pads[0], pads[2]};
    p->w = (struct axis){s->dim[flat ? 1 : 2], 0, kernel[1], stride[1], dilation[1], pads[1], pads[3]};
    if (flat && (kernel[0] != 1 || pads[0] || pads[2]))
        return sl_fail(e, SLUICE_E_SHAPE, "a window of height %lld needs rank 4, the input has shape %s", (long long)kernel[0],
                       SL_SHAPE_TEXT(s));
    SL_TRY(size_axis("height", &p->h, ceil_mode != 0, e));
    return size_axis("width", &p->w, ceil_mode != 0, e);
}

sluice_status infer_pool(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct pool p;
    SL_TRY(read_pool(n, &p, e));
    if (n->op == SL_OP_avgpool)
        SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_activation(n, e));
    bool flat = n->in[0]->shape.rank == 3;
    struct sl_shape out = flat ? sl_shape_of(3, (int64_t[]){p.n, p.w.out, p.c}) : sl_shape_of(4, (int64_t[]){p.n, p.h.out, p.w.out, p.c});
    return sl_rule_output(n, n->in[0]->dtype, &out, e);
}

int64_t cost_window(const struct sl_node *n)
{
    struct pool p;
    sl_err ignored = {0};
    if (read_pool(n, &p, &ignored) != SLUICE_OK)
        return 0;
    return sl_saturating_mul((int64_t)sl_shape_elements(&n->shape), sl_saturating_mul(p.h.kernel, p.w.kernel));
}

static void max_into(float *y, const float *x, int64_t c)
{
    for (int64_t i = 0; i < c; i++)
        y[i] = x[i] < y[i] || y[i] != y[i] ? y[i] : x[i];
}

static void max_integers_into(int64_t *y, const int64_t *x, int64_t c, bool is_unsigned)
{
    for (int64_t i = 0; i < c; i++) {
        bool less = is_unsigned ? (uint64_t)x[i] < (uint64_t)y[i] : x[i] < y[i];
        y[i] = less ? y[i] : x[i];
    }
}

static void add_into(float *y, const float *x, int64_t c)
{
    for (int64_t i = 0; i < c; i++)
        y[i] += x[i];
}

/* Positions of a window from o that count in an average: inside the picture, or inside the padded one. */
static int64_t positions(const struct axis *a, int64_t o, bool include_pad)
{
    int64_t count = 0, lo = include_pad ? -a->before : 0, hi = a->in + (include_pad ? a->after : 0);
    for (int64_t k = 0; k < a->kernel; k++) {
        int64_t at = o * a->stride + k * a->dilation - a->before;
        count += at >= lo && at < hi;
    }
    return count;
}

/* Calls visit for the c values under each valid tap of the window at (oy, ox). */
static void each_tap(const struct pool *p, int64_t b, int64_t oy, int64_t ox,
                     void (*visit)(void *data, int64_t offset), void *data)
{
    for (int64_t i = 0; i < p->h.kernel; i++) {
        int64_t y = oy * p->h.stride + i * p->h.dilation - p->h.before;
        if (y < 0 || y >= p->h.in)
            continue;
        for (int64_t j = 0; j < p->w.kernel; j++) {
            int64_t x = ox * p->w.stride + j * p->w.dilation - p->w.before;
            if (x >= 0 && x < p->w.in)
                visit(data, ((b * p->h.in + y) * p->w.in + x) * p->c);
        }
    }
}

struct window { const void *x; void *y; int64_t c; bool started, is_unsigned; };

static void visit_max(void *data, int64_t offset)
{
    struct window *w = data;
    const float *x = (const float *)w->x + offset;
    if (w->started)
        max_into(w->y, x, w->c);
    else
        memcpy(w->y, x, (size_t)w->c * sizeof *x);
    w->started = true;
}

static void visit_max_integers(void *data, int64_t offset)
{
    struct window *w = data;
    const int64_t *x = (const int64_t *)w->x + offset;
    if (w->started)
        max_integers_into(w->y, x, w->c, w->is_unsigned);
    else
        memcpy(w->y, x, (size_t)w->c * sizeof *x);
    w->started = true;
}

static void visit_add(void *data, int64_t offset)
{
    struct window *w = data;
    const float *x = (const float *)w->x + offset;
    if (w->started)
        add_into(w->y, x, w->c);
    else
        memcpy(w->y, x, (size_t)w->c * sizeof *x);
    w->started = true;
}

sluice_status eval_maxpool(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct pool p;
    SL_TRY(read_pool(n, &p, e));
    bool floats = sl_is_float_class(out->dtype);
    char *y = out->data;
    for (int64_t b = 0; b < p.n; b++)
        for (int64_t oy = 0; oy < p.h.out; oy++)
            for (int64_t ox = 0; ox < p.w.out; ox++) {
                struct window w = {in[0].data, y, p.c, false, out->dtype == SL_U64};
                each_tap(&p, b, oy, ox, floats ? visit_max : visit_max_integers, &w);
                y += (size_t)p.c * sl_class_bytes(out->dtype);
            }
    if (floats)
        sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}

sluice_status eval_avgpool(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    struct pool p;
    SL_TRY(read_pool(n, &p, e));
    float *y = out->data;
    for (int64_t b = 0; b < p.n; b++)
        for (int64_t oy = 0; oy < p.h.out; oy++) {
            int64_t rows = positions(&p.h, oy, p.include_pad != 0);
            for (int64_t ox = 0; ox < p.w.out; ox++, y += p.c) {
                struct window w = {in[0].data, y, p.c, false, false};
                each_tap(&p, b, oy, ox, visit_add, &w);
                const float divisor = (float)(rows * positions(&p.w, ox, p.include_pad != 0));
                for (int64_t i = 0; i < p.c; i++)
                    y[i] /= divisor;
            }
        }
    sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}
