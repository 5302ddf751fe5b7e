/* kernel_case_weighted.c: cases of weighted layers: every type, narrow and wide up to the very bound, every shape of kernel. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "kernel_case.h"

enum style { GENERAL, POINTWISE, DEPTHWISE, GROUPED, FULL, DECONV, FIRST_LAYER, STYLES };

static int32_t qmax(enum sl_dtype t)
{
    return t == SL_U8 ? 255 : 65535;
}

static void pick_geometry(struct rng *r, struct sl_weighted_args *a, enum style style)
{
    static const int64_t channels[] = {1, 2, 3, 5, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 47, 64, 65, 96};
    a->n = pick(r, 0, 4) ? 1 : 2;
    a->in_c = channels[pick(r, 0, SL_COUNT(channels) - 1)];
    a->out_c = channels[pick(r, 0, SL_COUNT(channels) - 1)];
    a->groups = 1;
    a->kh = style == POINTWISE || style == FULL ? 1 : pick(r, 1, 5);
    a->kw = style == POINTWISE || style == FULL ? 1 : pick(r, 1, 5);
    a->sh = a->sw = a->dh = a->dw = 1;
    if (style != FULL && pick(r, 0, 1)) {
        a->sh = pick(r, 1, 3);
        a->sw = pick(r, 1, 3);
        a->dh = pick(r, 1, 2);
        a->dw = pick(r, 1, 2);
    }
    if (style == DEPTHWISE) {
        a->groups = a->in_c;
        a->out_c = a->in_c * (pick(r, 0, 3) ? 1 : 2);
    } else if (style == GROUPED || (style == DECONV && pick(r, 0, 2) == 0)) {
        a->groups = pick(r, 1, 4);
        a->in_c = a->groups * pick(r, 1, 20);
        a->out_c = a->groups * pick(r, 1, 20);
    } else if (style == FULL) {
        a->in_c = pick(r, 1, 700);
        a->out_c = pick(r, 1, 300);
    } else if (style == FIRST_LAYER) {
        a->in_c = 3;
        a->kh = a->kw = 3;
        a->sh = a->sw = 2;
        a->dh = a->dw = 1;
    }
    const int64_t reach_h = (a->kh - 1) * a->dh + 1, reach_w = (a->kw - 1) * a->dw + 1;
    a->top = style == POINTWISE && pick(r, 0, 1) ? 0 : pick(r, 0, reach_h - 1);
    a->left = style == POINTWISE && pick(r, 0, 1) ? 0 : pick(r, 0, reach_w - 1);
    a->in_h = style == FULL ? 1 : pick(r, 1, 9);
    a->in_w = style == FULL ? pick(r, 1, 3) : pick(r, 1, 20);
    const int64_t bottom = pick(r, 0, reach_h - 1), right = pick(r, 0, reach_w - 1);
    if (a->deconv) {
        a->out_h = SL_MAX((a->in_h - 1) * a->sh + reach_h - a->top - bottom, 1) + pick(r, 0, a->sh - 1);
        a->out_w = SL_MAX((a->in_w - 1) * a->sw + reach_w - a->left - right, 1) + pick(r, 0, a->sw - 1);
    } else {
        a->in_h = SL_MAX(a->in_h, reach_h - a->top - bottom);
        a->in_w = SL_MAX(a->in_w, reach_w - a->left - right);
        a->out_h = (a->in_h + a->top + bottom - reach_h) / a->sh + 1;
        a->out_w = (a->in_w + a->left + right - reach_w) / a->sw + 1;
    }
}

static int64_t kernel_elements(const struct sl_weighted_args *a)
{
    return a->kh * a->kw * (a->in_c / a->groups) * a->out_c;
}

static void pick_kernel(struct rng *r, struct kernel_case *c)
{
    struct sl_weighted_args *a = &c->args.weighted;
    const int64_t n = kernel_elements(a), mode = pick(r, 0, 5);
    const int64_t sort = pick(r, 0, 9);
    a->kernel_type = sort < 6 ? SL_S8 : sort < 8 ? SL_S16 : SL_S4;
    uint8_t *kernel = guarded(c, (size_t)(a->kernel_type == SL_S8 ? n : a->kernel_type == SL_S16 ? 2 * n : (n + 1) / 2));
    for (int64_t i = 0; i < n; i++) {
        const bool low = mode == 0 || (mode == 2 && pick(r, 0, 1)), high = mode == 1 || mode == 2;
        if (a->kernel_type == SL_S8) {
            kernel[i] = (uint8_t)(low ? -128 : high ? 127 : pick(r, -128, 127));
        } else if (a->kernel_type == SL_S16) {
            const int16_t v = (int16_t)(low ? -32768 : high ? 32767 : mode == 3 ? pick(r, -300, 300) : pick(r, -32768, 32767));
            memcpy(kernel + 2 * i, &v, sizeof v);
        } else if (i % 2 == 0) {
            kernel[i / 2] = (uint8_t)next_random(r);
        }
    }
    a->kernel = kernel;
    if (a->kernel_type != SL_S4 || pick(r, 0, 3) == 0)
        return;
    const int64_t features = a->deconv ? a->in_c : a->in_c / a->groups;
    a->group_size = pick(r, 1, features);
    const int64_t rows = (features + a->group_size - 1) / a->group_size;
    int8_t *scale = guarded(c, (size_t)(rows * a->out_c));
    for (int64_t i = 0; i < rows * a->out_c; i++)
        scale[i] = (int8_t)pick(r, -15, 15); /* -8 * 15 = -120 */
    a->group_scale = scale;
}

/* The largest and smallest sums an output channel can reach without its bias. */
static void channel_range(const struct sl_weighted_args *a, int64_t o, int64_t *low, int64_t *high)
{
    const int64_t icg = a->in_c / a->groups, ocg = a->out_c / a->groups, g = o / ocg;
    *low = *high = 0;
    for (int64_t t = 0; t < a->kh * a->kw; t++)
        for (int64_t k = 0; k < icg; k++) {
            const int64_t at = a->deconv ? (t * a->in_c + g * icg + k) * ocg + o % ocg : (t * icg + k) * a->out_c + o;
            const int64_t w = sl_weighted_kernel_at(a, at), x = w * -(int64_t)a->zp_x,
                          y = w * (int64_t)(qmax(a->x_type) - a->zp_x);
            *low += SL_MIN(x, y);
            *high += SL_MAX(x, y);
        }
}

/* Biases: moderate, or such that the sum just fits 32 bits, or just does not. */
static double pick_bias(struct rng *r, struct kernel_case *c)
{
    struct sl_weighted_args *a = &c->args.weighted;
    int64_t *bias64 = guarded(c, (size_t)a->out_c * sizeof *bias64);
    int32_t *bias32 = guarded(c, (size_t)a->out_c * sizeof *bias32);
    const int64_t mode = pick(r, 0, 4);
    double range = 1;
    for (int64_t o = 0; o < a->out_c; o++) {
        int64_t low, high, b;
        channel_range(a, o, &low, &high);
        range = SL_MAX(range, (double)(high - low));
        b = pick(r, -1000, 1000);
        if (mode == 0)
            b = INT32_MAX - high; /* just fits: high + b = 2^31 - 1 */
        else if (mode == 1)
            b = INT32_MIN - low;
        else if (mode == 2 && o == a->out_c - 1)
            b = INT32_MAX - high + 1; /* one channel just does not fit */
        else if (mode == 3)
            b = pick(r, low, high);
        if (a->x_type == SL_U8)
            b = SL_MAX(SL_MIN(b, INT32_MAX), INT32_MIN);
        bias32[o] = (int32_t)SL_MAX(SL_MIN(b, INT32_MAX), INT32_MIN);
        bias64[o] = b;
    }
    a->bias = a->x_type == SL_U8 ? (const void *)bias32 : (const void *)bias64;
    return range;
}

static void pick_post(struct rng *r, struct kernel_case *c)
{
    struct sl_weighted_args *a = &c->args.weighted;
    const size_t outputs = (size_t)(a->n * a->out_h * a->out_w * a->out_c);
    switch (pick(r, 0, 3)) {
    case 0:
        a->r_type = pick(r, 0, 1) ? a->out_type : pick_type(r);
        a->zp_r = pick_zero_point(r, a->r_type);
        a->residual_multiplier = pick_multiplier(r, qmax(a->r_type), a->out_type) * (pick(r, 0, 1) ? 1.0f : -1.0f);
        c->io.in[1] = stored(r, c, a->r_type, outputs);
        break;
    case 1:
        a->post = SL_POST_TABLE;
        a->index_zero_point = (int32_t)pick(r, 0, a->out_type == SL_U8 ? 4095 : 65535);
        a->table = stored(r, c, a->out_type, a->out_type == SL_U8 ? 4096 : 4097);
        break;
    default:
        break;
    }
}

void make_weighted(struct rng *r, struct kernel_case *c)
{
    struct sl_weighted_args *a = &c->args.weighted;
    const enum style style = (enum style)pick(r, 0, STYLES - 1);
    memset(a, 0, sizeof *a);
    a->deconv = style == DECONV;
    a->x_type = pick_type(r);
    a->out_type = pick_type(r);
    pick_geometry(r, a, style);
    a->zp_x = pick_zero_point(r, a->x_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    pick_kernel(r, c);
    const double range = pick_bias(r, c);
    float *multiplier = guarded(c, (size_t)a->out_c * sizeof *multiplier);
    for (int64_t o = 0; o < a->out_c; o++)
        multiplier[o] = pick_multiplier(r, range, a->out_type);
    a->multiplier = multiplier;
    if (!a->deconv && pick(r, 0, 1))
        a->pad_value = stored(r, c, a->x_type, (size_t)a->in_c);
    pick_post(r, c);
    c->io.in[0] = stored(r, c, a->x_type, (size_t)(a->n * a->in_h * a->in_w * a->in_c));
    c->out_bytes = (size_t)(a->n * a->out_h * a->out_w * a->out_c) * (a->out_type == SL_U8 ? 1 : 2);
    snprintf(c->text, sizeof c->text,
             "%s%s x %s -> %s%s%s [%d,%d,%d,%d] -> [%d,%d,%d] kernel %dx%d groups %d strides %d,%d dilations %d,%d pads %d,%d",
             a->deconv ? "deconv " : "", sl_dtype_name(a->x_type), sl_dtype_name(a->kernel_type), sl_dtype_name(a->out_type),
             a->post     ? " table"
             : a->r_type ? " residual"
                         : "",
             sl_weighted_is_wide(a) ? " wide" : "", (int)a->n, (int)a->in_h, (int)a->in_w, (int)a->in_c, (int)a->out_h,
             (int)a->out_w, (int)a->out_c, (int)a->kh, (int)a->kw, (int)a->groups, (int)a->sh, (int)a->sw, (int)a->dh,
             (int)a->dw, (int)a->top, (int)a->left);
}
