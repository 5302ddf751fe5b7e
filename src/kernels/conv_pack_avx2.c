/* conv_pack_avx2.c: lays a convolution's constants out for the AVX2 tile (see conv_avx2.h). */
#include <string.h>

#include "kernels/conv_avx2.h"
#include "kernels/gemm_avx2.h"
#include "kernels/rounding.h"
#include "kernels/variants.h"

static void pack_padding(const struct sl_work *w, int16_t *rows)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    for (int plane = 0; plane < p->planes; plane++)
        for (int64_t c = 0; c < a->in_c; c++) {
            int32_t v = a->pad_value ? sl_load_q(a->pad_value, a->x_type, (size_t)c) : a->zp_x;
            rows[plane * a->in_c + c] = (int16_t)(p->planes == 2 ? plane == 0 ? v >> 8 : v & 255 : v - p->offset);
        }
}

/* Column `at` of a tile, and the sum of its weights. */
static int64_t pack_column(const struct sl_work *w, int64_t o, int64_t columns, int64_t at, void *tile)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    int64_t sum = 0;
    for (int64_t k = 0; k < p->k; k++) {
        const int32_t v = sl_weighted_kernel_at(a, k * a->out_c + o);
        const int64_t place = (k / 2 * columns + at) * 2 + k % 2;
        if (p->weight_type == SL_S16)
            ((int16_t *)tile)[place] = (int16_t)v;
        else
            ((int8_t *)tile)[place] = (int8_t)v;
        sum += v;
    }
    return sum;
}

static void pack_channel(const struct sl_work *w, int64_t group, int64_t j, uint8_t *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    const int64_t o = group * p->oc_group + j, place = group * p->oc_padded + j, weight_bytes = p->weight_type == SL_S16 ? 2 : 1;
    const int64_t first = j / SL_TILE_COLUMNS * SL_TILE_COLUMNS, columns = SL_MIN(SL_TILE_COLUMNS, p->oc_padded - first);
    uint8_t *tile = packed + p->kernel_at + (group * p->oc_padded + first) * 2 * p->pairs * weight_bytes;
    const int64_t sum = pack_column(w, o, columns, j - first, tile);
    const int64_t rest = (p->offset - (int64_t)a->zp_x) * sum;
    const int64_t bias = a->x_type == SL_U8 ? ((const int32_t *)a->bias)[o] : ((const int64_t *)a->bias)[o];
    if (p->wide)
        ((int64_t *)(void *)(packed + p->bias_at))[place] = bias + rest;
    else /* the whole sum fits 32 bits, its parts need not: they wrap */
        ((int32_t *)(void *)(packed + p->bias_at))[place] = (int32_t)(uint32_t)(bias + rest);
    ((float *)(void *)(packed + p->multiplier_at))[place] = a->multiplier[o];
}

void sl_conv_pack_avx2(const struct sl_work *w, void *packed)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    memset(packed, 0, w->packed_bytes);
    pack_padding(w, packed);
    for (int64_t group = 0; group < a->groups; group++)
        for (int64_t j = 0; j < p->oc_group; j++)
            pack_channel(w, group, j, packed);
}
