/*
 * bench_numerics.c: times the candidate forms behind docs/numerics.md, section 13: requantization, tables, dot products. Data
 * stay in the first-level cache. Prints the tables that the document holds: least and median of the repetitions.
 *
 *     bench_numerics          after `ninja`; no arguments, a few seconds
 */
#include "bench_numerics.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "kernels/rounding.h"

enum { REPEATS = 60 };

int32_t acc[N];
float multiplier[N];
int32_t fixed_multiplier[N], fixed_shift[N];
uint8_t out8[N], in8[N];
uint16_t in16[N], out16[N];
uint8_t table8[65536];
uint16_t table16[65536 + 16];
int16_t a16[6 * K + 32], b16[16 * K];
uint8_t a8[6 * K + 32];
int8_t b8[16 * K];
int32_t sums[96];

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Time fn often enough for about 1 ms a repetition; `units` elements or products a call. */
static void time_form(const char *name, void (*fn)(void), double units, bool products)
{
    double t[REPEATS];
    int calls = 1;
    for (;;) {
        const double start = now_ns();
        for (int i = 0; i < calls; i++)
            fn();
        if (now_ns() - start > 1e6)
            break;
        calls *= 2;
    }
    for (int r = 0; r < REPEATS; r++) {
        const double start = now_ns();
        for (int i = 0; i < calls; i++)
            fn();
        t[r] = (now_ns() - start) / calls;
    }
    qsort(t, REPEATS, sizeof t[0], by_value);
    if (products)
        printf("| %s | %.0f | %.0f |\n", name, units / t[0], units / t[REPEATS / 2]);
    else
        printf("| %s | %.3f | %.3f |\n", name, t[0] / units, t[REPEATS / 2] / units);
}

/* ---- requantization: 32-bit sums, a multiplier a channel, to u8 with zero point 3 ---- */

static void requant_float_c(void)
{
    for (int i = 0; i < N; i++)
        out8[i] = (uint8_t)sl_requant_narrow(acc[i], multiplier[i], 3, 0, 255);
}

static void requant_double_c(void)
{
    for (int i = 0; i < N; i++)
        out8[i] = (uint8_t)sl_requant_wide(acc[i], multiplier[i], 3, 0, 255);
}

/* Doubling high multiplication with rounding, then a rounding shift: the usual integer-only form. */
static int32_t fixed_point(int32_t v, int32_t m, int32_t shift)
{
    const int32_t high = (int32_t)(((int64_t)v * m + (1 << 30)) >> 31);
    const int32_t mask = (int32_t)((1u << shift) - 1), rest = high & mask;
    return (high >> shift) + (rest > (mask >> 1) + (high < 0));
}

static void requant_fixed_c(void)
{
    for (int i = 0; i < N; i++)
        out8[i] = (uint8_t)SL_MIN(SL_MAX(fixed_point(acc[i], fixed_multiplier[i], fixed_shift[i]) + 3, 0), 255);
}

/* ---- tables ---- */

static void table_256(void)
{
    for (int i = 0; i < N; i++)
        out8[i] = table8[in8[i]];
}

static void table_4096(void)
{
    for (int i = 0; i < N; i++)
        out8[i] = table8[in16[i] >> 4];
}

static void table_65536(void)
{
    for (int i = 0; i < N; i++)
        out16[i] = table16[in16[i]];
}

static void table_4097_between(void)
{
    for (int i = 0; i < N; i++)
        out16[i] = (uint16_t)sl_interpolate(table16, in16[i]);
}

static void fill(void)
{
    uint32_t s = 1;
    for (int i = 0; i < N; i++) {
        s = s * 1664525u + 1013904223u;
        acc[i] = (int32_t)s >> 10;
        multiplier[i] = 1e-4f + 1e-8f * (float)(s >> 20);
        fixed_multiplier[i] = (int32_t)(1u << 30 | s >> 3);
        fixed_shift[i] = 12;
        in8[i] = (uint8_t)(s >> 24);
        in16[i] = (uint16_t)(s >> 16);
    }
    for (int i = 0; i < 65536; i++) {
        table8[i] = (uint8_t)(i * 7);
        table16[i] = (uint16_t)(i * 5);
    }
    for (int i = 0; i < 16 * K; i++)
        b16[i] = b8[i] = (int8_t)(i * 37 % 64);
    for (int i = 0; i < 6 * K; i++)
        a16[i] = a8[i] = (uint8_t)(i * 11);
}

int main(void)
{
    if (sl_cpu_detect() < SL_CPU_AVX2) {
        printf("SKIP: this processor has no AVX2\n");
        return 0;
    }
    fill();
    printf("| requantization, ns an element | least | median |\n|---|---|---|\n");
    time_form("float multiply and rint, C", requant_float_c, N, false);
    time_form("int32 doubling high multiply, rounding shift, C", requant_fixed_c, N, false);
    time_form("double multiply and rint, C", requant_double_c, N, false);
    time_form("float multiply and rint, AVX2", requant_float_avx2, N, false);
    time_form("int32 doubling high multiply, rounding shift, AVX2", requant_fixed_avx2, N, false);
    time_form("double multiply and rint, AVX2", requant_double_avx2, N, false);
    printf("\n| tables, ns an element | least | median |\n|---|---|---|\n");
    time_form("256 entries of u8", table_256, N, false);
    time_form("256 entries of u8, 16 shuffles, AVX2", table_256_shuffled, N, false);
    time_form("4096 entries of u8", table_4096, N, false);
    time_form("65536 entries of u16", table_65536, N, false);
    time_form("4097 entries of u16, interpolated", table_4097_between, N, false);
    printf("\n| dot products, AVX2, GMAC/s | best | median |\n|---|---|---|\n");
    time_form("vpmaddwd, s16 weights, 6 x 16", dot_s16, 6.0 * 16 * K, true);
    time_form("vpmaddwd, s8 weights widened as they are loaded, 6 x 16", dot_s8, 6.0 * 16 * K, true);
    time_form("vpmaddubsw + vpmaddwd, neighbours' weights limited, 4 x 16", dot_quads, 4.0 * 16 * K, true);
    time_form("vpmaddubsw + vpmaddwd, weights split in two, 4 x 16", dot_quads_split, 4.0 * 16 * K, true);
    return 0;
}
