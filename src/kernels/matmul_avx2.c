/* matmul_avx2.c: products of two activations in AVX2, for all types. A task packs its rows of a and its columns of b as s16 and
 * multiplies them with the tile of gemm_avx2.c. */
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "kernels/finish_avx2.h"
#include "kernels/gemm_avx2.h"
#include "kernels/matmul_batches.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"
#include "kernels/variants.h"

/*
 * Stored values less an offset fit s16: a' = a - a_offset, b' = b - b_offset. With da = a_offset - zp_a and db = b_offset -
 * zp_b,
 *
 *     sum (a - zp_a)(b - zp_b) = sum a' b'  +  da * sum b' (a column's term)  +  db * sum a' + k da db (a row's term)
 *
 * b_offset is zp_b for u8, so db = 0. Where both are u16 a is split into two planes, a >> 8 and a & 255, so that a few hundred
 * products add up in 32 bits.
 */
struct matmul_plan {
    struct sl_matmul_dims d;
    bool wide, simple; /* simple: u8 by u8, narrow: sums stay in 32 bits throughout */
    int planes;
    int32_t a_offset, b_offset;
    int64_t pairs, block_pairs;
    int64_t rows, row_blocks, columns, column_blocks;      /* of a task */
    int64_t b_at, lines_at, row_terms_at, column_terms_at; /* in scratch, behind a's rows */
};
_Static_assert(sizeof(struct matmul_plan) <= sizeof(((struct sl_work *)0)->state), "the plan fits the work's state");

static const struct matmul_plan *plan_of(const struct sl_work *w)
{
    return (const void *)w->state;
}

/* Sums of one side's values must fit 32 bits. */
static bool takes(const void *args)
{
    const struct sl_matmul_dims d = sl_matmul_dims(args);
    return d.k > 0 && d.k <= 65535;
}

static void plan(struct sl_work *w)
{
    const struct sl_matmul_args *a = w->args;
    struct matmul_plan *p = (void *)w->state;
    p->d = sl_matmul_dims(a);
    p->wide = sl_matmul_is_wide(a);
    p->simple = !p->wide && a->a_type == SL_U8 && a->b_type == SL_U8;
    p->planes = a->a_type == SL_U16 && a->b_type == SL_U16 ? 2 : 1;
    p->a_offset = a->a_type == SL_U16 && p->planes == 1 ? 32768 : 0;
    p->b_offset = a->b_type == SL_U16 ? 32768 : a->zp_b;
    p->pairs = (p->d.k + 1) / 2;
    const int64_t a_most = p->a_offset ? 32768 : 255, b_most = a->b_type == SL_U16 ? 32768 : 255;
    p->block_pairs = INT32_MAX / (2 * a_most * b_most);
    p->rows = SL_MIN((p->d.m + 5) / 6 * 6, 96);
    p->columns = SL_MIN((p->d.n + 15) / 16 * 16, p->pairs > 1024 ? 32 : 64);
    p->row_blocks = p->d.m == 0 ? 0 : (p->d.m + p->rows - 1) / p->rows;
    p->column_blocks = p->d.n == 0 ? 0 : (p->d.n + p->columns - 1) / p->columns;
    const int64_t row = 2 * p->pairs * (int64_t)sizeof(int16_t);
    p->b_at = (int64_t)sl_align64((size_t)(p->planes * p->rows * row + 32));
    p->lines_at = p->b_at + (int64_t)sl_align64((size_t)(p->columns * row));
    p->row_terms_at = p->lines_at + (int64_t)sl_align64((size_t)SL_MAX(8 * (row + 32), 2 * (p->columns + 16) * 2));
    p->column_terms_at = p->row_terms_at + p->rows * 8;
    w->scratch_bytes = (size_t)(p->column_terms_at + p->columns * 8);
    w->n_tasks = (int)(p->d.batches * p->row_blocks * p->column_blocks);
}

/* ---- packing ---- */

static const void *end_of(const void *p, enum sl_dtype t, const struct sl_shape *s)
{
    return (const uint8_t *)p + sl_shape_elements(s) * sl_qbytes(t);
}

static void widen_b(const struct sl_work *w, int16_t *dst, const void *b, int64_t at, int64_t n)
{
    const struct sl_matmul_args *a = w->args;
    const void *end = end_of(b, a->b_type, &a->b);
    if (a->b_type == SL_U8)
        sl_center_u8_avx2(dst, (const uint8_t *)b + at, n, end, a->zp_b);
    else
        sl_widen_u16_avx2(dst, (const uint16_t *)b + at, n, end);
}

/* b is [k, n]: two rows interleave to the pairs of all columns. */
static void pack_rows(const struct sl_work *w, const void *b, int64_t at, int64_t n, int16_t *packed, int16_t *lines)
{
    const struct matmul_plan *p = plan_of(w);
    int16_t *first = lines, *second = lines + p->columns + 16;
    for (int64_t pair = 0; pair < p->pairs; pair++) {
        widen_b(w, first, b, at + 2 * pair * p->d.n, n);
        if (2 * pair + 1 < p->d.k)
            widen_b(w, second, b, at + (2 * pair + 1) * p->d.n, n);
        else
            memset(second, 0, (size_t)n * sizeof *second);
        for (int64_t j = 0; j < n; j += 16) {
            int16_t *to = packed + (j * p->pairs + pair * 16) * 2;
            const __m256i x = sl_load256(first + j), y = sl_load256(second + j);
            const __m256i low = _mm256_unpacklo_epi16(x, y), high = _mm256_unpackhi_epi16(x, y);
            sl_store256(to, _mm256_permute2x128_si256(low, high, 0x20));
            sl_store256(to + 16, _mm256_permute2x128_si256(low, high, 0x31));
        }
    }
}

/* 8 rows of 8 pairs (32 bits each) become 8 pairs of 8 columns, step elements apart. */
static void transpose_pairs(const int16_t *lines, int64_t line, int16_t *to, int64_t step)
{
    __m256i r[8], s[8];
    for (int i = 0; i < 8; i++)
        r[i] = sl_load256(lines + i * line);
    for (int i = 0; i < 8; i += 2) {
        s[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        s[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        r[i] = _mm256_unpacklo_epi64(s[i], s[i + 2]);
        r[i + 2] = _mm256_unpackhi_epi64(s[i], s[i + 2]);
        r[i + 4] = _mm256_unpacklo_epi64(s[i + 4], s[i + 6]);
        r[i + 6] = _mm256_unpackhi_epi64(s[i + 4], s[i + 6]);
    }
    static const int order[4] = {0, 2, 1, 3}; /* pair number that r[i] and r[i + 4] hold, and that plus 4 in the upper halves */
    for (int i = 0; i < 4; i++) {
        sl_store256(to + i * step, _mm256_permute2x128_si256(r[order[i]], r[order[i] + 4], 0x20));
        sl_store256(to + (i + 4) * step, _mm256_permute2x128_si256(r[order[i]], r[order[i] + 4], 0x31));
    }
}

/* b is [n, k]: each row holds a column's pairs in order. */
static void pack_columns(const struct sl_work *w, const void *b, int64_t at, int64_t n, int16_t *packed, int16_t *lines)
{
    const struct matmul_plan *p = plan_of(w);
    const int64_t line = 2 * p->pairs + 16, whole = (n + 15) / 16 * 16;
    for (int64_t j = 0; j < whole; j += 8) {
        int16_t *tile = packed + (j / 16 * 16 * p->pairs + j % 16) * 2;
        for (int64_t i = 0; i < 8; i++) {
            int16_t *to = lines + i * line;
            widen_b(w, to, b, at + SL_MIN(j + i, n - 1) * p->d.k, p->d.k); /* past the last column: any values */
            memset(to + p->d.k, 0, (size_t)(line - p->d.k) * sizeof *to);
        }
        for (int64_t pair = 0; pair < p->pairs; pair += 8) {
            int16_t block[8 * 16];
            transpose_pairs(lines + 2 * pair, line, block, 16);
            for (int64_t i = 0; i < SL_MIN(8, p->pairs - pair); i++)
                sl_store256(tile + (pair + i) * 32, sl_load256(block + i * 16));
        }
    }
}

/* da * sum of b' for every packed column. */
static void column_terms(const struct sl_work *w, const int16_t *packed, int64_t n, int64_t *terms)
{
    const struct sl_matmul_args *a = w->args;
    const struct matmul_plan *p = plan_of(w);
    const __m256i one = _mm256_set1_epi16(1);
    const int64_t whole = (n + 15) / 16 * 16;
    for (int64_t j = 0; j < whole; j += 8) {
        const int16_t *tile = packed + (j / 16 * 16 * p->pairs + j % 16) * 2;
        int32_t sums[8];
        __m256i s = _mm256_setzero_si256();
        for (int64_t pair = 0; pair < p->pairs; pair++)
            s = _mm256_add_epi32(s, _mm256_madd_epi16(sl_load256(tile + pair * 32), one));
        sl_store256(sums, s);
        for (int i = 0; i < 8; i++)
            terms[j + i] = (int64_t)(p->a_offset - a->zp_a) * sums[i];
    }
}

static void pack_a(const struct sl_work *w, const void *x, int64_t at, int64_t rows, int16_t *packed, int64_t *terms)
{
    const struct sl_matmul_args *a = w->args;
    const struct matmul_plan *p = plan_of(w);
    const int64_t row = 2 * p->pairs, da = p->a_offset - a->zp_a, db = p->b_offset - a->zp_b;
    const void *end = end_of(x, a->a_type, &a->a);
    for (int plane = 0; plane < p->planes; plane++)
        for (int64_t i = 0; i < rows; i++) {
            int16_t *to = packed + (plane * p->rows + i) * row;
            if (a->a_type == SL_U8)
                sl_widen_u8_avx2(to, (const uint8_t *)x + at + i * p->d.k, p->d.k, end);
            else
                (p->planes == 1 ? sl_widen_u16_avx2
                 : plane == 0   ? sl_high_u16_avx2
                                : sl_low_u16_avx2)(to, (const uint16_t *)x + at + i * p->d.k, p->d.k, end);
            if (p->d.k < row)
                to[p->d.k] = 0; /* meets an odd k's missing pair, whose b' is 0 too */
            if (db == 0) {
                terms[i] = 0;
                continue;
            }
            int64_t sum = 0;
            for (int64_t k = 0; k < p->d.k; k++)
                sum += to[k];
            terms[i] = plane == 0 ? db * sum * (p->planes == 2 ? 256 : 1) + p->d.k * da * db : terms[i] + db * sum;
        }
}

/* ---- products ---- */

static void simple_tile(const struct sl_work *w, const struct sl_weighted_args *finish, const float *multiplier,
                        const int16_t *x, int64_t rows, const int16_t *tile, int n, const int64_t *column_terms, void *out,
                        int64_t at)
{
    const struct matmul_plan *p = plan_of(w);
    int32_t acc[SL_TILE_ROWS * SL_TILE_COLUMNS], start[SL_TILE_COLUMNS];
    sl_finish_avx2 *store = sl_finish_for_avx2(finish);
    for (int j = 0; j < SL_TILE_COLUMNS; j++)
        start[j] = (int32_t)column_terms[j];
    for (int64_t i = 0; i < rows; i += SL_TILE_ROWS) {
        const int part = (int)SL_MIN(SL_TILE_ROWS, rows - i);
        sl_gemm_tile_avx2(part, SL_TILE_COLUMNS, x + i * 2 * p->pairs, 2 * p->pairs, tile, SL_S16, p->pairs, start, acc);
        store(finish, multiplier, acc, part, n, NULL, out, at + i * p->d.n);
    }
}

static void add_products(const struct matmul_plan *p, const int16_t *x, int rows, const int16_t *tile, int64_t *sum)
{
    int32_t part[SL_TILE_ROWS * SL_TILE_COLUMNS];
    for (int plane = 0; plane < p->planes; plane++)
        for (int64_t pair = 0; pair < p->pairs; pair += p->block_pairs) {
            sl_gemm_tile_avx2(rows, SL_TILE_COLUMNS, x + plane * p->rows * 2 * p->pairs + pair * 2, 2 * p->pairs,
                              tile + pair * 32, SL_S16, SL_MIN(p->block_pairs, p->pairs - pair), NULL, part);
            for (int j = 0; j < rows * SL_TILE_COLUMNS; j += 4) {
                const __m256i v =
                    _mm256_slli_epi64(_mm256_cvtepi32_epi64(sl_load128(part + j)), p->planes == 2 && plane == 0 ? 8 : 0);
                sl_store256(sum + j, _mm256_add_epi64(sl_load256(sum + j), v));
            }
        }
}

static void any_tile(const struct sl_work *w, const struct sl_weighted_args *finish, const float *multiplier, const int16_t *x,
                     int64_t rows, const int64_t *row_terms, const int16_t *tile, int n, const int64_t *column_terms, void *out,
                     int64_t at)
{
    const struct matmul_plan *p = plan_of(w);
    int64_t sum[SL_TILE_ROWS * SL_TILE_COLUMNS];
    int32_t narrow[SL_TILE_ROWS * SL_TILE_COLUMNS];
    for (int64_t i = 0; i < rows; i += SL_TILE_ROWS) {
        const int part = (int)SL_MIN(SL_TILE_ROWS, rows - i);
        for (int k = 0; k < part * SL_TILE_COLUMNS; k++)
            sum[k] = row_terms[i + k / SL_TILE_COLUMNS] + column_terms[k % SL_TILE_COLUMNS];
        add_products(p, x + i * 2 * p->pairs, part, tile, sum);
        if (p->wide) {
            sl_finish_wide_avx2(finish, multiplier, sum, part, n, NULL, out, at + i * p->d.n);
            continue;
        }
        for (int k = 0; k < part * SL_TILE_COLUMNS; k++)
            narrow[k] = (int32_t)sum[k]; /* columns past the last may hold anything */
        sl_finish_for_avx2(finish)(finish, multiplier, narrow, part, n, NULL, out, at + i * p->d.n);
    }
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_matmul_args *a = w->args;
    const struct matmul_plan *p = plan_of(w);
    const int64_t n0 = task % p->column_blocks * p->columns, m0 = task / p->column_blocks % p->row_blocks * p->rows;
    const int64_t batch = task / p->column_blocks / p->row_blocks, rows = SL_MIN(p->rows, p->d.m - m0),
                  n = SL_MIN(p->columns, p->d.n - n0);
    uint8_t *memory = scratch;
    int16_t *b = (void *)(memory + p->b_at), *lines = (void *)(memory + p->lines_at);
    int64_t *row_terms = (void *)(memory + p->row_terms_at), *terms = (void *)(memory + p->column_terms_at), a_at, b_at;
    /* a product's end is that of a layer without residual or table */
    const struct sl_weighted_args finish = {.out_type = a->out_type, .out_c = p->d.n, .zp = a->zp, .lo = a->lo, .hi = a->hi};
    float multiplier[SL_TILE_COLUMNS];
    for (int j = 0; j < SL_TILE_COLUMNS; j++)
        multiplier[j] = a->multiplier;
    sl_matmul_batch(a, batch, &a_at, &b_at);
    pack_a(w, io->in[0], a_at + m0 * p->d.k, rows, scratch, row_terms);
    if (a->transpose_b)
        pack_columns(w, io->in[1], b_at + n0 * p->d.k, n, b, lines);
    else
        pack_rows(w, io->in[1], b_at + n0, n, b, lines);
    column_terms(w, b, n, terms);
    for (int64_t j = 0; j < n; j += SL_TILE_COLUMNS) {
        const int64_t at = (batch * p->d.m + m0) * p->d.n + n0 + j;
        const int some = (int)SL_MIN(SL_TILE_COLUMNS, n - j);
        if (p->simple)
            simple_tile(w, &finish, multiplier, scratch, rows, b + j * 2 * p->pairs, some, terms + j, io->out, at);
        else
            any_tile(w, &finish, multiplier, scratch, rows, row_terms, b + j * 2 * p->pairs, some, terms + j, io->out, at);
    }
}

const struct sl_variant sl_matmul_avx2 = {"matmul_avx2", SL_FAMILY_MATMUL, SL_CPU_AVX2, takes, plan, NULL, run};
