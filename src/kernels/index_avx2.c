/* index_avx2.c: where a line's largest or smallest value is, along the last axis: 16 bytes at a time. The least of a line is
 * found first (values of a largest are turned over, so that one comparison serves both), then its first or last place. */
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

static int64_t lanes_of(enum sl_dtype t)
{
    return t == SL_U8 ? 16 : 8;
}

/* Lines across other axes, and lines shorter than a vector, are left to C. */
static bool takes(const void *args)
{
    const struct sl_index_args *a = args;
    return a->inner == 1 && a->length >= lanes_of(a->x_type);
}

/* Lane by lane the least so far: the last vector moves back so that it ends with the line. */
SL_ALWAYS_INLINE __m128i least_lanes(const uint8_t *x, int64_t bytes, __m128i flip, bool u8)
{
    __m128i least = _mm_set1_epi8(-1);
    for (int64_t b = 0; b < bytes; b += 16) {
        const __m128i v = _mm_xor_si128(sl_load128(x + SL_MIN(b, bytes - 16)), flip);
        least = u8 ? _mm_min_epu8(least, v) : _mm_min_epu16(least, v);
    }
    return least;
}

/* One bit a byte where the vector at b holds the value. */
SL_ALWAYS_INLINE unsigned places(const uint8_t *x, int64_t b, __m128i flip, __m128i value, bool u8)
{
    const __m128i v = _mm_xor_si128(sl_load128(x + b), flip);
    return (unsigned)_mm_movemask_epi8(u8 ? _mm_cmpeq_epi8(v, value) : _mm_cmpeq_epi16(v, value));
}

/* Byte position of the value; it is there. */
SL_ALWAYS_INLINE int64_t find(const uint8_t *x, int64_t bytes, __m128i flip, __m128i value, bool u8, bool last)
{
    unsigned bits = 0;
    if (last) {
        int64_t b = bytes;
        do {
            b = SL_MAX(b - 16, 0);
            bits = places(x, b, flip, value, u8);
        } while (!bits);
        return b + SL_HIGH_BIT(bits);
    }
    for (int64_t b = 0;; b += 16) {
        const int64_t at = SL_MIN(b, bytes - 16);
        bits = places(x, at, flip, value, u8);
        if (bits)
            return at + SL_LOW_BIT(bits);
    }
}

SL_ALWAYS_INLINE void lines(const struct sl_index_args *a, const struct sl_io *io, int64_t first, int64_t end, bool u8)
{
    const int64_t bytes = a->length * (u8 ? 1 : 2);
    const __m128i flip = _mm_set1_epi8(a->smallest ? 0 : -1);
    for (int64_t line = first; line < end; line++) {
        const uint8_t *x = (const uint8_t *)io->in[0] + line * bytes;
        __m128i least = least_lanes(x, bytes, flip, u8);
        if (u8) { /* neighbours to 16 bits: the lower one of each pair */
            least = _mm_min_epu8(least, _mm_srli_epi16(least, 8));
            least = _mm_and_si128(least, _mm_set1_epi16(0xff));
        }
        const int value = _mm_extract_epi16(_mm_minpos_epu16(least), 0);
        const __m128i wanted = u8 ? _mm_set1_epi8((char)value) : _mm_set1_epi16((short)value);
        const int64_t at = find(x, bytes, flip, wanted, u8, a->last);
        sl_store_q(io->out, a->out_type, (size_t)line, (int32_t)(u8 ? at : at >> 1));
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    (void)scratch;
    const struct sl_index_args *a = w->args;
    const int64_t first = task * w->state[0], end = SL_MIN(a->outer, first + w->state[0]);
    if (a->x_type == SL_U8)
        lines(a, io, first, end, true);
    else
        lines(a, io, first, end, false);
}

const struct sl_variant sl_index_avx2 = {"index_avx2", SL_FAMILY_INDEX, SL_CPU_AVX2, takes, sl_plan_index, NULL, run};
