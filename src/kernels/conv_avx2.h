/* conv_avx2.h: what plan, pack and run of the AVX2 convolution agree on. */
#ifndef SL_KERNELS_CONV_AVX2_H
#define SL_KERNELS_CONV_AVX2_H

#include "kernels/kernels.h"

/*
 * A task multiplies a panel, the patches of `block` output positions, by `chunk` output channels of one group.
 *
 * The panel holds stored values, not differences from zp_x. For vpmaddwd they are s16, two features a step: u8 as they are
 * (offset 0), u16 less 32768, so that both fit; for vpdpbusd they stay u8, four features a step. The bias takes the rest: bias
 * + (offset - zp_x) * (sum of the channel's weights). Wide u16 by s16 splits x into two planes, x >> 8 and x & 255, whose
 * products stay small enough to add a few hundred in 32 bits.
 *
 * Packed memory: padding rows, the panel's type [planes][in_c]; biases, s32 or s64 [groups][oc_padded]; multipliers, f32 the
 * same; weights, by group tiles of tile_columns channels (the last has a multiple of column_step), each [steps][columns][step],
 * s8 or s16. Channels past the last and features past the last have weight 0.
 */
enum { SL_CONV_ROWS = 12, SL_CONV_COLUMNS = 32 }; /* of the largest tile */

/*
 * The sums of a tile: acc[j / 16][i][j % 16] = start[j] + sum over the features of row i times column j, i < rows, j < columns,
 * wrapping at 32 bits. Rows of the panel lie `row` elements apart; start may be NULL (0).
 */
typedef void sl_conv_tile(int rows, int columns, const void *panel, int64_t row, const void *weights, enum sl_dtype weight_type,
                          int64_t steps, const int32_t *start, int32_t *acc);

struct sl_conv_plan {
    sl_conv_tile *tile;
    int64_t tile_rows, tile_columns, column_step;
    int64_t step, element; /* features a step; bytes of a panel's element */
    bool wide;
    int planes;
    enum sl_dtype weight_type; /* as packed: s8 or s16 */
    int32_t offset;
    int64_t ic_group, oc_group, oc_padded;
    int64_t k, steps, row; /* patch elements; steps of a sum; elements of a panel row, step * steps */
    int64_t block_steps;   /* wide: how many steps 32 bits hold */
    int64_t positions, block, blocks;
    int64_t chunk, chunks;                     /* output channels a task, a multiple of tile_columns; tasks to a group */
    int64_t bias_at, multiplier_at, kernel_at; /* in packed memory */
};

static inline const struct sl_conv_plan *sl_conv_plan(const struct sl_work *w)
{
    return (const void *)w->state;
}

/* Fills the rest of a plan whose tile, sizes of tiles, step and element are set. */
void sl_conv_plan_rest(struct sl_work *w);
void sl_conv_pack_avx2(const struct sl_work *w, void *packed);
/* The patches of positions first..first+n-1 of group g, in `panel` or, where they lie in x as a panel wants them, there. */
const void *sl_conv_panel_avx2(const struct sl_work *w, const void *x, int64_t group, int64_t first, int64_t n, void *panel);
void sl_conv_run_avx2(const struct sl_work *w, const struct sl_io *io, int task, void *scratch);

#endif
