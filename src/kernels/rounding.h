/* rounding.h: the few formulas that every kernel shares: requantization (numerics.md section 3), the interpolated table, and
 * moving stored values between their type and int32 in short blocks. */
#ifndef SL_KERNELS_ROUNDING_H
#define SL_KERNELS_ROUNDING_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/types.h"

#if FLT_EVAL_METHOD != 0
#error "the integer contract needs float arithmetic in float: compile for SSE2 or a CPU without excess precision"
#endif

/* rint without a library call: adding 1.5 * 2^23 leaves no fraction bits, so the addition itself rounds to nearest even. Right
 * for |f| <= 2^22; what comes here is clamped to 17 bits. */
static inline int32_t sl_rint_f(float f)
{
    return (int32_t)((f + 0x1.8p23f) - 0x1.8p23f);
}
static inline int32_t sl_rint_d(double d)
{
    return (int32_t)((d + 0x1.8p52) - 0x1.8p52);
}

/* Written so that a NaN, which only absurd multipliers can make, becomes lo: maxps(f, lo) does the same. */
static inline float sl_clamp_f(float f, float lo, float hi)
{
    f = f > lo ? f : lo;
    return f < hi ? f : hi;
}

static inline double sl_clamp_d(double d, double lo, double hi)
{
    d = d > lo ? d : lo;
    return d < hi ? d : hi;
}

static inline int32_t sl_finish_f(float f, int32_t zp, int32_t lo, int32_t hi)
{
    return sl_rint_f(sl_clamp_f(f, (float)(lo - zp), (float)(hi - zp))) + zp;
}

static inline int32_t sl_finish_d(double d, int32_t zp, int32_t lo, int32_t hi)
{
    return sl_rint_d(sl_clamp_d(d, (double)(lo - zp), (double)(hi - zp))) + zp;
}

static inline int32_t sl_requant_narrow(int32_t acc, float m, int32_t zp, int32_t lo, int32_t hi)
{
    return sl_finish_f((float)acc * m, zp, lo, hi);
}

static inline int32_t sl_requant_wide(int64_t acc, float m, int32_t zp, int32_t lo, int32_t hi)
{
    return sl_finish_d((double)acc * (double)m, zp, lo, hi);
}

/* 16-bit index into 4097 points, linear between them. */
static inline int32_t sl_interpolate(const uint16_t *table, int32_t i)
{
    int32_t k = i >> 4, t = i & 15;
    return (table[k] * (16 - t) + table[k + 1] * t + 8) >> 4;
}

static inline int32_t sl_qmax(enum sl_dtype t)
{
    return t == SL_U8 ? 255 : 65535;
}
static inline size_t sl_qbytes(enum sl_dtype t)
{
    return t == SL_U8 ? 1 : 2;
}

static inline int32_t sl_load_q(const void *p, enum sl_dtype t, size_t i)
{
    return t == SL_U8 ? ((const uint8_t *)p)[i] : ((const uint16_t *)p)[i];
}

static inline void sl_store_q(void *p, enum sl_dtype t, size_t i, int32_t q)
{
    if (t == SL_U8)
        ((uint8_t *)p)[i] = (uint8_t)q;
    else
        ((uint16_t *)p)[i] = (uint16_t)q;
}

/* Kernels over mixed types work on blocks of this many elements in int32. */
enum { SL_BLOCK = 256 };

/* dst[i] = x[at + i * step] - zp */
static inline void sl_widen(int32_t *dst, const void *x, enum sl_dtype t, int64_t at, int64_t step, int n, int32_t zp)
{
    if (t == SL_U8) {
        const uint8_t *p = (const uint8_t *)x + at;
        for (int i = 0; i < n; i++)
            dst[i] = p[i * step] - zp;
    } else {
        const uint16_t *p = (const uint16_t *)x + at;
        for (int i = 0; i < n; i++)
            dst[i] = p[i * step] - zp;
    }
}

static inline void sl_narrow(void *out, enum sl_dtype t, int64_t at, const int32_t *q, int n)
{
    if (t == SL_U8) {
        uint8_t *p = (uint8_t *)out + at;
        for (int i = 0; i < n; i++)
            p[i] = (uint8_t)q[i];
    } else {
        uint16_t *p = (uint16_t *)out + at;
        for (int i = 0; i < n; i++)
            p[i] = (uint16_t)q[i];
    }
}

/* A flat range of n units is cut into tasks of `unit` each: enough work for one task, and a number of tasks that fits an int.
 */
static inline int64_t sl_task_size(int64_t n, int64_t wanted)
{
    int64_t least = n / 65536 + 1;
    return SL_MAX(SL_MAX(wanted, 1), least);
}

static inline int sl_task_count(int64_t n, int64_t size)
{
    return (int)((n + size - 1) / size);
}

static inline size_t sl_align64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

#endif
