/* conv_pack_avx2.c: lays a convolution's constants out for its tiles (see conv_avx2.h). */
#include <string.h>

#include "kernels/conv_avx2.h"
#include "kernels/rounding.h"
#include "kernels/variants.h"

static void pack_padding(const struct sl_work *w, void *rows)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    for (int plane = 0; plane < p->planes; plane++)
        for (int64_t c = 0; c < a->in_c; c++) {
            int32_t v = a->pad_value ? sl_load_q(a->pad_value, a->x_type, (size_t)c) : a->zp_x;
            const int64_t at = plane * a->in_c + c;
            if (p->element == 1)
                ((uint8_t *)rows)[at] = (uint8_t)v;
            else
                ((int16_t *)rows)[at] = (int16_t)(p->planes == 2 ? plane == 0 ? v >> 8 : v & 255 : v - p->offset);
        }
}

/* Up to one tile's channels, from j of the group on: feature by feature, so that the kernel is read in its own order. */
static void pack_tile(const struct sl_work *w, int64_t group, int64_t j, uint8_t *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    const int64_t columns = SL_MIN(p->tile_columns, p->oc_padded - j), n = SL_MIN(columns, p->oc_group - j);
    const int64_t o = group * p->oc_group + j, place = group * p->oc_padded + j,
                  weight_bytes = p->weight_type == SL_S16 ? 2 : 1;
    uint8_t *tile = packed + p->kernel_at + place * p->row * weight_bytes;
    int64_t sum[SL_CONV_COLUMNS] = {0};
    int16_t row[SL_CONV_COLUMNS];
    for (int64_t k = 0; k < p->k; k++) {
        sl_weighted_kernel_row(a, k * a->out_c + o, n, row);
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = (k / p->step * columns + i) * p->step + k % p->step;
            if (p->weight_type == SL_S16)
                ((int16_t *)(void *)tile)[at] = row[i];
            else
                ((int8_t *)tile)[at] = (int8_t)row[i];
            sum[i] += row[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t bias = a->x_type == SL_U8 ? ((const int32_t *)a->bias)[o + i] : ((const int64_t *)a->bias)[o + i];
        const int64_t whole = bias + (p->offset - (int64_t)a->zp_x) * sum[i];
        if (p->wide)
            ((int64_t *)(void *)(packed + p->bias_at))[place + i] = whole;
        else /* the whole sum fits 32 bits, its parts need not: they wrap */
            ((int32_t *)(void *)(packed + p->bias_at))[place + i] = (int32_t)(uint32_t)whole;
        ((float *)(void *)(packed + p->multiplier_at))[place + i] = a->multiplier[o + i];
    }
}

void sl_conv_pack_avx2(const struct sl_work *w, void *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    memset(packed, 0, w->packed_bytes);
    pack_padding(w, packed);
    for (int64_t group = 0; group < a->groups; group++)
        for (int64_t j = 0; j < p->oc_group; j += p->tile_columns)
            pack_tile(w, group, j, packed);
}
