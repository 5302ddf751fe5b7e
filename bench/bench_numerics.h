/* bench_numerics.h: the data that both files of the benchmark work on, and the forms written in AVX2. */
#ifndef SL_BENCH_NUMERICS_H
#define SL_BENCH_NUMERICS_H

#include <stdint.h>

enum { N = 4096, K = 512 };

extern int32_t acc[N];
extern float multiplier[N];
extern int32_t fixed_multiplier[N], fixed_shift[N];
extern uint8_t out8[N], in8[N];
extern uint16_t in16[N], out16[N];
extern uint8_t table8[65536];
extern uint16_t table16[65536 + 16];
extern int16_t a16[6 * K + 32], b16[16 * K];
extern uint8_t a8[6 * K + 32];
extern int8_t b8[16 * K];
extern int32_t sums[96];

void requant_float_avx2(void);
void requant_double_avx2(void);
void requant_fixed_avx2(void);
void table_256_shuffled(void);
void dot_s16(void);
void dot_s8(void);
void dot_quads(void);
void dot_quads_split(void);

#endif
