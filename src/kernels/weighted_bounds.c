/* weighted_bounds.c: what the constants of a weighted layer say before it runs: one kernel value in plain integers, and whether the
 * sum needs 64 bits. */
#include "kernels/kernels.h"

#include <assert.h>

#include "base/compiler.h"
#include "kernels/rounding.h"

static int32_t nibble(const uint8_t *p, int64_t i)
{
    int32_t v = (p[i >> 1] >> ((i & 1) * 4)) & 15;
    return v >= 8 ? v - 16 : v;
}

int32_t sl_weighted_kernel_at(const struct sl_weighted_args *a, int64_t i)
{
    if (a->kernel_type == SL_S8)
        return ((const int8_t *)a->kernel)[i];
    if (a->kernel_type == SL_S16)
        return ((const int16_t *)a->kernel)[i];
    assert(a->kernel_type == SL_S4);
    int32_t w = nibble(a->kernel, i);
    if (a->group_scale == NULL)
        return w;
    int64_t per_row = a->deconv ? a->out_c / a->groups : a->out_c;
    int64_t features = a->deconv ? a->in_c : a->in_c / a->groups;
    int64_t c = i / per_row % features;
    int64_t o = i % per_row + (a->deconv ? c / (a->in_c / a->groups) * per_row : 0);
    return w * a->group_scale[c / a->group_size * a->out_c + o];
}

/* One output channel: the weights are kernel[first + k * step] for the taps and features that reach it. */
static bool channel_is_wide(const struct sl_weighted_args *a, int64_t o)
{
    const int64_t most = INT32_MAX, least = INT32_MIN;
    int64_t oc_group = a->out_c / a->groups, ic_group = a->in_c / a->groups, group = o / oc_group;
    int64_t per_row = a->deconv ? oc_group : a->out_c;
    int64_t features = a->deconv ? a->in_c : ic_group;
    int64_t column = a->deconv ? o % oc_group : o;
    int64_t first = a->deconv ? group * ic_group : 0;
    int64_t bias = a->x_type == SL_U8 ? ((const int32_t *)a->bias)[o] : ((const int64_t *)a->bias)[o];
    int64_t high = SL_MAX(bias, 0), low = SL_MIN(bias, 0);
    int64_t below = -(int64_t)a->zp_x, above = sl_qmax(a->x_type) - (int64_t)a->zp_x;
    for (int64_t tap = 0; tap < a->kh * a->kw; tap++)
        for (int64_t c = 0; c < ic_group; c++) {
            if (high > most || low < least) /* also keeps the sums themselves from overflowing */
                return true;
            int64_t w = sl_weighted_kernel_at(a, (tap * features + first + c) * per_row + column);
            high += SL_MAX(w * below, w * above);
            low += SL_MIN(w * below, w * above);
        }
    return high > most || low < least;
}

bool sl_weighted_is_wide(const struct sl_weighted_args *a)
{
    for (int64_t o = 0; o < a->out_c; o++)
        if (channel_is_wide(a, o))
            return true;
    return false;
}
