/* weighted_bounds.c: what the constants of a weighted layer say before it runs: kernel values in plain integers, and whether
 * the sum needs 64 bits. */
#include "kernels/kernels.h"

#include <assert.h>

#include "base/compiler.h"
#include "kernels/rounding.h"
#include "kernels/variants.h"

static int16_t nibble(const uint8_t *p, int64_t i)
{
    const int v = (p[i >> 1] >> ((i & 1) * 4)) & 15;
    return (int16_t)(v >= 8 ? v - 16 : v);
}

/* Elements of one kernel row (all output features of a tap and an input feature). */
static int64_t row_length(const struct sl_weighted_args *a)
{
    return a->deconv ? a->out_c / a->groups : a->out_c;
}

void sl_weighted_kernel_row(const struct sl_weighted_args *a, int64_t first, int64_t n, int16_t *out)
{
    if (a->kernel_type == SL_S8) {
        const int8_t *p = (const int8_t *)a->kernel + first;
        for (int64_t i = 0; i < n; i++)
            out[i] = p[i];
        return;
    }
    if (a->kernel_type == SL_S16) {
        const int16_t *p = (const int16_t *)a->kernel + first;
        for (int64_t i = 0; i < n; i++)
            out[i] = p[i];
        return;
    }
    assert(a->kernel_type == SL_S4);
    for (int64_t i = 0; i < n; i++)
        out[i] = nibble(a->kernel, first + i);
    if (a->group_scale == NULL)
        return;
    const int64_t row = row_length(a), features = a->deconv ? a->in_c : a->in_c / a->groups, c = first / row % features;
    const int64_t o = first % row + (a->deconv ? c / (a->in_c / a->groups) * row : 0);
    const int8_t *scale = a->group_scale + c / a->group_size * a->out_c + o;
    assert(first % row + n <= row);
    for (int64_t i = 0; i < n; i++)
        out[i] = (int16_t)(out[i] * scale[i]);
}

int32_t sl_weighted_kernel_at(const struct sl_weighted_args *a, int64_t i)
{
    int16_t v;
    sl_weighted_kernel_row(a, i, 1, &v);
    return v;
}

/* Sums of the positive and of the negative weights of n output channels that lie side by side in the kernel's rows. `first` is
 * the first row's element, `rows` rows follow each other in each tap. */
static void sum_weights(const struct sl_weighted_args *a, int64_t first, int64_t rows, int64_t n, int64_t *positive,
                        int64_t *negative)
{
    const int64_t row = row_length(a), features = a->deconv ? a->in_c : a->in_c / a->groups;
    int16_t w[SL_BLOCK];
    for (int64_t o = 0; o < n; o++)
        positive[o] = negative[o] = 0;
    for (int64_t tap = 0; tap < a->kh * a->kw; tap++)
        for (int64_t c = 0; c < rows; c++) {
            sl_weighted_kernel_row(a, first + (tap * features + c) * row, n, w);
            for (int64_t o = 0; o < n; o++) {
                positive[o] += SL_MAX(w[o], 0);
                negative[o] += SL_MIN(w[o], 0);
            }
        }
}

/* Channels o0..o0+n-1 of one group, or any where groups have all their rows in common. */
static bool channels_are_wide(const struct sl_weighted_args *a, int64_t first, int64_t o0, int64_t n)
{
    const int64_t below = -(int64_t)a->zp_x, above = sl_qmax(a->x_type) - (int64_t)a->zp_x, much = (int64_t)1 << 40;
    int64_t positive[SL_BLOCK], negative[SL_BLOCK];
    sum_weights(a, first, a->in_c / a->groups, n, positive, negative);
    for (int64_t o = 0; o < n; o++) {
        const int64_t bias = a->x_type == SL_U8 ? ((const int32_t *)a->bias)[o0 + o] : ((const int64_t *)a->bias)[o0 + o];
        const int64_t p = positive[o], q = negative[o];
        /* so large is wide whatever the rest: one side of x reaches 128 at least. It also keeps the lines below within 64 bits
         */
        if (p > much || q < -much || bias > much || bias < -much)
            return true;
        const int64_t high = SL_MAX(bias, 0) + p * above + q * below, low = SL_MIN(bias, 0) + p * below + q * above;
        if (high > INT32_MAX || low < INT32_MIN)
            return true;
    }
    return false;
}

bool sl_weighted_is_wide(const struct sl_weighted_args *a)
{
    const int64_t ic_group = a->in_c / a->groups, oc_group = a->out_c / a->groups;
    if (!a->deconv) { /* a row holds all groups' channels, each with its own features */
        for (int64_t o = 0; o < a->out_c; o += SL_BLOCK)
            if (channels_are_wide(a, o, o, SL_MIN(SL_BLOCK, a->out_c - o)))
                return true;
        return false;
    }
    for (int64_t g = 0; g < a->groups; g++)
        for (int64_t o = 0; o < oc_group; o += SL_BLOCK)
            if (channels_are_wide(a, g * ic_group * oc_group + o, g * oc_group + o, SL_MIN(SL_BLOCK, oc_group - o)))
                return true;
    return false;
}
