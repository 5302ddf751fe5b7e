/* values.c: between stored element types and evaluation's two classes; see values.h. */
#include "ops/values.h"

#include <string.h>

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* IEEE binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
float sl_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31)
        return float_of(sign | 0x7f800000u | fraction << 13);
    if (exponent)
        return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    float tiny = (float)fraction * 0x1p-24f;
    return sign ? -tiny : tiny;
}

uint16_t sl_f32_to_f16(float f)
{
    uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, magnitude = u & 0x7fffffff;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00); /* NaN */
    if (magnitude >= 0x477ff000u)
        return (uint16_t)(sign | 0x7c00); /* rounds to 65536 or more */
    if (magnitude < 0x38800000u) {        /* below the smallest normal: a multiple of 2^-24, rounded by the addition */
        float shifted = float_of(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - bits_of(0.5f)));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfff + odd) >> 13));
}

static uint16_t f32_to_bf16(float f)
{
    uint32_t u = bits_of(f);
    if ((u & 0x7fffffff) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float sl_round_to(enum sl_dtype t, float v)
{
    if (t == SL_F16)
        return sl_f16_to_f32(sl_f32_to_f16(v));
    if (t == SL_BF16)
        return float_of((uint32_t)f32_to_bf16(v) << 16);
    return v;
}

int64_t sl_wrap(enum sl_dtype t, int64_t v)
{
    switch (t) {
    case SL_U8: return (uint8_t)v;
    case SL_U16: return (uint16_t)v;
    case SL_U32: return (uint32_t)v;
    case SL_S4: return (int64_t)((uint64_t)v & 15) - (v & 8 ? 16 : 0);
    case SL_S8: return (int64_t)((uint64_t)v & 0xff) - (v & 0x80 ? 0x100 : 0);
    case SL_S16: return (int64_t)((uint64_t)v & 0xffff) - (v & 0x8000 ? 0x10000 : 0);
    case SL_S32: return (int64_t)((uint64_t)v & 0xffffffffu) - (v & 0x80000000LL ? 0x100000000LL : 0);
    case SL_BOOL: return v != 0;
    default: return v; /* s64, u64: all the bits there are */
    }
}

static uint16_t half_at(const void *data, size_t i)
{
    uint16_t h;
    memcpy(&h, (const uint8_t *)data + 2 * i, sizeof h);
    return h;
}

/* One row a stored type: ROW(type's enum, C type, class) */
#define EACH_PLAIN_TYPE(ROW)                                                                                                   \
    ROW(SL_U8, uint8_t, int64_t)                                                                                               \
    ROW(SL_U16, uint16_t, int64_t)                                                                                             \
    ROW(SL_U32, uint32_t, int64_t)                                                                                             \
    ROW(SL_U64, uint64_t, int64_t)                                                                                             \
    ROW(SL_S8, int8_t, int64_t)                                                                                                \
    ROW(SL_S16, int16_t, int64_t)                                                                                              \
    ROW(SL_S32, int32_t, int64_t)                                                                                              \
    ROW(SL_S64, int64_t, int64_t)                                                                                              \
    ROW(SL_F32, float, float)                                                                                                  \
    ROW(SL_F64, double, float)

void sl_values_unpack(enum sl_dtype t, const void *stored, size_t n, void *values)
{
    const uint8_t *bytes = stored;
    switch (t) {
#define ROW(T, C, K)                                                                                                           \
    case T:                                                                                                                    \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            C c; /* stored bytes may lie at any address in a mapped file */                                                    \
            memcpy(&c, bytes + i * sizeof c, sizeof c);                                                                        \
            ((K *)values)[i] = (K)c;                                                                                           \
        }                                                                                                                      \
        return;
        EACH_PLAIN_TYPE(ROW)
#undef ROW
    case SL_BOOL:
        for (size_t i = 0; i < n; i++)
            ((int64_t *)values)[i] = bytes[i] != 0;
        return;
    case SL_S4:
        for (size_t i = 0; i < n; i++)
            ((int64_t *)values)[i] = sl_wrap(SL_S4, bytes[i / 2] >> (i % 2 * 4));
        return;
    case SL_F16:
        for (size_t i = 0; i < n; i++)
            ((float *)values)[i] = sl_f16_to_f32(half_at(bytes, i));
        return;
    case SL_BF16:
        for (size_t i = 0; i < n; i++)
            ((float *)values)[i] = float_of((uint32_t)half_at(bytes, i) << 16);
        return;
    case SL_NONE:
    case SL_DTYPE_COUNT: return;
    }
}

void sl_values_pack(enum sl_dtype t, const void *values, size_t n, void *stored)
{
    uint8_t *bytes = stored;
    switch (t) {
#define ROW(T, C, K)                                                                                                           \
    case T:                                                                                                                    \
        for (size_t i = 0; i < n; i++)                                                                                         \
            ((C *)stored)[i] = (C)((const K *)values)[i];                                                                      \
        return;
        EACH_PLAIN_TYPE(ROW)
#undef ROW
    case SL_BOOL:
        for (size_t i = 0; i < n; i++)
            bytes[i] = ((const int64_t *)values)[i] != 0;
        return;
    case SL_S4:
        memset(bytes, 0, (n + 1) / 2);
        for (size_t i = 0; i < n; i++)
            bytes[i / 2] |= (uint8_t)((((const int64_t *)values)[i] & 15) << (i % 2 * 4));
        return;
    case SL_F16:
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)stored)[i] = sl_f32_to_f16(((const float *)values)[i]);
        return;
    case SL_BF16:
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)stored)[i] = f32_to_bf16(((const float *)values)[i]);
        return;
    case SL_NONE:
    case SL_DTYPE_COUNT: return;
    }
}

double sl_value_number(enum sl_dtype t, const void *data, size_t i)
{
    switch (t) {
#define ROW(T, C, K)                                                                                                           \
    case T: {                                                                                                                  \
        C c;                                                                                                                   \
        memcpy(&c, (const uint8_t *)data + i * sizeof c, sizeof c);                                                            \
        return (double)c;                                                                                                      \
    }
        EACH_PLAIN_TYPE(ROW)
#undef ROW
    case SL_BOOL: return ((const uint8_t *)data)[i] != 0;
    case SL_S4: return (double)sl_wrap(SL_S4, ((const uint8_t *)data)[i / 2] >> (i % 2 * 4));
    case SL_F16: return (double)sl_f16_to_f32(half_at(data, i));
    case SL_BF16: return (double)float_of((uint32_t)half_at(data, i) << 16);
    case SL_NONE:
    case SL_DTYPE_COUNT: break;
    }
    return 0;
}
