/* gemm_avx2.h: the register tile behind convolution, fc and matmul: up to 6 rows of s16 values against 8 or 16 packed columns.
 */
#ifndef SL_KERNELS_GEMM_AVX2_H
#define SL_KERNELS_GEMM_AVX2_H

#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

enum { SL_TILE_ROWS = 6, SL_TILE_COLUMNS = 16 };

/*
 * acc[i * 16 + j] = start[j] + sum over p < pairs of a[i][2p] * b[2p][j] + a[i][2p + 1] * b[2p + 1][j],   i < rows, j < columns
 *
 * rows 1..6, columns 8 or 16; a's rows lie a_stride elements apart; b is packed [pairs][columns][2], s8 or s16 by b_type; start
 * may be NULL (0). Sums wrap at 32 bits: vpmaddwd is exact but for one pair, four times -32768, whose 2^31 wraps too.
 */
void sl_gemm_tile_avx2(int rows, int columns, const int16_t *a, ptrdiff_t a_stride, const void *b, enum sl_dtype b_type,
                       int64_t pairs, const int32_t *start, int32_t *acc);

/* Widening to the left side's s16, n values each. They may write up to 15 values past dst[n - 1]; they read nothing at or after
 * `end`, the end of the tensor, which lies at or after x + n. */
void sl_widen_u8_avx2(int16_t *dst, const uint8_t *x, int64_t n, const uint8_t *end);              /* x */
void sl_center_u8_avx2(int16_t *dst, const uint8_t *x, int64_t n, const uint8_t *end, int32_t zp); /* x - zp */
void sl_widen_u16_avx2(int16_t *dst, const uint16_t *x, int64_t n, const uint16_t *end);           /* x - 32768 */
void sl_high_u16_avx2(int16_t *dst, const uint16_t *x, int64_t n, const uint16_t *end);            /* x >> 8 */
void sl_low_u16_avx2(int16_t *dst, const uint16_t *x, int64_t n, const uint16_t *end);             /* x & 255 */

#endif
