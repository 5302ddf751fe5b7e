/* conv_avx2.h: what plan, pack and run of the AVX2 convolution agree on. */
#ifndef SL_KERNELS_CONV_AVX2_H
#define SL_KERNELS_CONV_AVX2_H

#include "kernels/kernels.h"

/*
 * A task multiplies a panel, the patches of `block` output positions as s16, by `chunk` output channels of one group.
 *
 * The panel holds stored values, not differences from zp_x: u8 as they are (offset 0), u16 less 32768, so that both fit s16;
 * the bias takes the rest: bias + (offset - zp_x) * (sum of the channel's weights). Wide u16 by s16 splits x into two planes, x
 * >> 8 and x & 255, whose products stay small enough to add a few hundred in 32 bits.
 *
 * Packed memory: padding rows, s16 [planes][in_c]; biases, s32 or s64 [groups][oc_padded]; multipliers, f32 the same; weights,
 * by group tiles of 16 channels (the last of 8 or 16), each [pairs][columns][2], s8 or s16. Channels past the last and features
 * past the last have weight 0.
 */
struct sl_conv_plan {
    bool wide;
    int planes;
    enum sl_dtype weight_type; /* as packed: s8 or s16 */
    int32_t offset;
    int64_t ic_group, oc_group, oc_padded;
    int64_t k, pairs;    /* patch elements; a panel row has 2 * pairs */
    int64_t block_pairs; /* wide: how many pairs 32 bits hold */
    int64_t positions, block, blocks;
    int64_t chunk, chunks;                     /* output channels a task, a multiple of 16; tasks to a group */
    int64_t bias_at, multiplier_at, kernel_at; /* in packed memory */
};

static inline const struct sl_conv_plan *sl_conv_plan(const struct sl_work *w)
{
    return (const void *)w->state;
}

void sl_conv_pack_avx2(const struct sl_work *w, void *packed);
/* Patches of positions first..first+n-1 of group g. */
void sl_conv_panel_avx2(const struct sl_work *w, const void *x, int64_t group, int64_t first, int64_t n, int16_t *panel);
/* s16 form of n stored values, for one plane; see gemm_avx2.h for the bounds. */
void sl_conv_widen_avx2(const struct sl_conv_plan *p, enum sl_dtype x_type, int plane, int16_t *dst, const void *x, int64_t n,
                        const void *end);

#endif
