/* grid_float.c: grid_sample on pictures [n, h, w, c] and volumes [n, d, h, w, c] as ONNX defines it: shape rule and evaluation. */
#include <math.h>
#include <string.h>

#include "ops/eval.h"
#include "ops/op_rules.h"

/* Input 1 [n, out axes ..., axes] holds a position in -1..1 for each axis, the last axis first: x and y, or x, y and z. */
enum { LINEAR, NEAREST, CUBIC };
enum { ZEROS, BORDER, REFLECTION };
enum { MOST_AXES = 3, MOST_TAPS = 4 };

struct grid_rule { int mode, padding; int64_t align_corners; };

static sluice_status read_grid(const struct sl_node *n, struct grid_rule *r, sl_err *e)
{
    static const char *const modes[] = {"linear", "nearest", "cubic"}, *const paddings[] = {"zeros", "border", "reflection"};
    *r = (struct grid_rule){0};
    SL_TRY(sl_rule_word(n, "mode", modes, 3, &r->mode, e));
    SL_TRY(sl_rule_word(n, "padding_mode", paddings, 3, &r->padding, e));
    return sl_rule_ints(n, "align_corners", 1, 0, 1, &r->align_corners, e);
}

static sluice_status check_sampled(const struct sl_node *n, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape;
    SL_TRY(sl_rule_is_float(n, 0, e));
    SL_TRY(sl_rule_rank(n, 0, 4, 5, e));
    for (int i = 1; i < s->rank - 1; i++)
        if (s->dim[i] < 1 || s->dim[i] > INT32_MAX)
            return sl_fail(e, SLUICE_E_SHAPE, "input 0 has shape %s, sides of 1 to %d are wanted", SL_SHAPE_TEXT(s), INT32_MAX);
    return SLUICE_OK;
}

sluice_status infer_grid_sample(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct grid_rule r;
    SL_TRY(check_sampled(n, e));
    SL_TRY(sl_rule_is_float(n, 1, e));
    const struct sl_shape *s = &n->in[0]->shape, *t = &n->in[1]->shape;
    const int axes = s->rank - 2;
    if (t->rank != s->rank || t->dim[s->rank - 1] != axes || t->dim[0] != s->dim[0])
        return sl_fail(e, SLUICE_E_SHAPE, "the grid has shape %s, [%lld, %sh, w, %d] is wanted", SL_SHAPE_TEXT(t), (long long)s->dim[0],
                       axes == 3 ? "d, " : "", axes);
    SL_TRY(read_grid(n, &r, e));
    struct sl_shape out = *t;
    out.dim[s->rank - 1] = s->dim[s->rank - 1];
    return sl_rule_output(n, SL_F32, &out, e);
}

/* One axis of the picture: where sample positions may lie. */
struct side { int64_t length; double low, high; int padding; };

static double reflected(double v, const struct side *s)
{
    const double range = s->high - s->low, beyond = v < s->low ? s->low - v : v - s->high;
    if (!(beyond > 0) || range <= 0)
        return v >= s->low && v <= s->high ? v : s->low;
    const double turns = floor(beyond / range), rest = beyond - turns * range;
    const bool even = fmod(turns, 2) == 0;
    return (v < s->low) == even ? s->low + rest : s->high - rest;
}

/* In float, as the origin's engines do: it decides the ties of mode nearest. */
static double denormalized(float v, const struct side *s, bool align)
{
    return (double)(align ? (v + 1) / 2 * (float)(s->length - 1) : ((v + 1) * (float)s->length - 1) / 2);
}

/* A position back into the picture, where the padding says so. */
static double settled(double v, const struct side *s)
{
    if (v >= s->low && v <= s->high)
        return v;
    if (s->padding == BORDER)
        return v < 0 ? 0 : v > (double)(s->length - 1) ? (double)(s->length - 1) : v;
    return s->padding == REFLECTION && isfinite(v) ? reflected(v, s) : v;
}

/* Whole position of a tap, -1 where it is zero. */
static int64_t tap_at(double v, const struct side *s)
{
    const double last = (double)(s->length - 1);
    if (!isfinite(v))
        return -1;
    if (v < 0 || v > last) {
        if (s->padding == ZEROS)
            return -1;
        v = s->padding == BORDER ? (v < 0 ? 0 : last) : trunc(reflected(v, s));
        v = v < 0 ? 0 : v > last ? last : v;
    }
    return (int64_t)v;
}

/* Taps and weights of one axis; returns how many. */
static int axis_taps(const struct grid_rule *r, const struct side *s, float normalized, int64_t *at, double *weight)
{
    double v = denormalized(normalized, s, r->align_corners != 0);
    if (r->mode == NEAREST)
        v = nearbyint(v);
    if (r->mode != CUBIC) /* whose taps are settled one by one */
        v = settled(v, s);
    const int taps = r->mode == NEAREST ? 1 : r->mode == LINEAR ? 2 : 4;
    const double low = floor(v), t = v - low, u = 1 - t, a = -0.75;
    const double linear[2] = {u, t};
    const double cubic[4] = {((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a, ((a + 2) * t - (a + 3)) * t * t + 1,
                             ((a + 2) * u - (a + 3)) * u * u + 1, ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a};
    for (int k = 0; k < taps; k++) {
        at[k] = tap_at(taps == 1 ? v : low + k - (taps == 4), s);
        weight[k] = taps == 1 ? 1 : taps == 2 ? linear[k] : cubic[k];
    }
    return taps;
}

static void add_pixel(float *y, const float *x, double weight, int64_t c)
{
    for (int64_t i = 0; i < c; i++)
        y[i] += (float)(weight * (double)x[i]);
}

static struct side side_of(int64_t length, const struct grid_rule *r)
{
    const bool align = r->align_corners != 0;
    return (struct side){length, align ? 0 : -0.5, align ? (double)(length - 1) : (double)length - 0.5, r->padding};
}

/* Taps of every axis at one position of the grid. */
struct sample {
    int axes, taps;
    int64_t at[MOST_AXES][MOST_TAPS];
    double weight[MOST_AXES][MOST_TAPS];
};

/* The weighted sum of taps^axes pixels: `tap` counts through them, the last axis fastest. */
static void add_sample(const struct sample *p, const struct side *sides, const float *x, int64_t c, float *y)
{
    int total = 1;
    for (int k = 0; k < p->axes; k++)
        total *= p->taps;
    for (int tap = 0; tap < total; tap++) {
        int64_t at = 0, stride = 1;
        double weight = 1;
        bool inside = true;
        for (int k = p->axes - 1, rest = tap; k >= 0; k--, rest /= p->taps) {
            int i = rest % p->taps;
            inside = inside && p->at[k][i] >= 0;
            at += p->at[k][i] * stride;
            stride *= sides[k].length;
            weight *= p->weight[k][i];
        }
        if (inside)
            add_pixel(y, x + at * c, weight, c);
    }
}

sluice_status eval_grid_sample(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                               sl_err *e)
{
    (void)ev;
    struct grid_rule r;
    SL_TRY(read_grid(n, &r, e));
    const struct sl_shape *s = &in[0].shape;
    struct sample p = {.axes = s->rank - 2};
    struct side sides[MOST_AXES];
    const int64_t c = s->dim[s->rank - 1];
    int64_t points = 1, picture = c;
    for (int k = 0; k < p.axes; k++) {
        sides[k] = side_of(s->dim[1 + k], &r);
        points *= out->shape.dim[1 + k];
        picture *= sides[k].length;
    }
    const float *grid = in[1].data, *x = in[0].data;
    float *y = out->data;
    memset(y, 0, sl_shape_elements(&out->shape) * sizeof *y);
    for (int64_t b = 0; b < s->dim[0]; b++, x += picture)
        for (int64_t i = 0; i < points; i++, grid += p.axes, y += c) {
            for (int k = 0; k < p.axes; k++)
                p.taps = axis_taps(&r, &sides[k], grid[p.axes - 1 - k], p.at[k], p.weight[k]);
            add_sample(&p, sides, x, c, y);
        }
    return SLUICE_OK;
}
