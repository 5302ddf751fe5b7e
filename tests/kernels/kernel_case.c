/* kernel_case.c: seeds to cases: what all families share, and the families of one input. */
#include "kernel_case.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/compiler.h"

uint64_t next_random(struct rng *r) /* splitmix64 */
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t pick(struct rng *r, int64_t least, int64_t most)
{
    return least + (int64_t)(next_random(r) % (uint64_t)(most - least + 1));
}

void *guarded(struct kernel_case *c, size_t bytes)
{
    const size_t page = 4096, whole = (bytes + page - 1) / page * page;
    uint8_t *map = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || c->n_blocks == (int)SL_COUNT(c->blocks)) {
        perror("guarded memory");
        exit(1);
    }
    mprotect(map + whole, page, PROT_NONE);
    c->blocks[c->n_blocks].map = map;
    c->blocks[c->n_blocks++].bytes = whole + page;
    return map + whole - bytes;
}

void free_case(struct kernel_case *c)
{
    for (int i = 0; i < c->n_blocks; i++)
        munmap(c->blocks[i].map, c->blocks[i].bytes);
    c->n_blocks = 0;
}

enum sl_dtype pick_type(struct rng *r)
{
    return pick(r, 0, 2) ? SL_U8 : SL_U16;
}

static int32_t qmax(enum sl_dtype t)
{
    return t == SL_U8 ? 255 : 65535;
}

int32_t pick_zero_point(struct rng *r, enum sl_dtype t)
{
    switch (pick(r, 0, 3)) {
    case 0:
        return 0;
    case 1:
        return qmax(t);
    default:
        return (int32_t)pick(r, 0, qmax(t));
    }
}

void pick_range(struct rng *r, enum sl_dtype t, int32_t zp, int32_t *lo, int32_t *hi)
{
    *lo = 0;
    *hi = qmax(t);
    switch (pick(r, 0, 3)) {
    case 0:
        *lo = zp;
        break;
    case 1:
        *lo = (int32_t)pick(r, 0, qmax(t));
        *hi = (int32_t)pick(r, *lo, qmax(t));
        break;
    default:
        break;
    }
}

float pick_multiplier(struct rng *r, double sum_range, enum sl_dtype out)
{
    static const float extreme[] = {FLT_MIN, 1e-40f, 1e-20f, 1.0f, 1e20f, FLT_MAX};
    if (pick(r, 0, 9) == 0)
        return extreme[pick(r, 0, SL_COUNT(extreme) - 1)];
    return (float)(qmax(out) * ldexp((double)pick(r, 1, 4000), -10) / (sum_range + 1));
}

void *stored(struct rng *r, struct kernel_case *c, enum sl_dtype t, size_t n)
{
    uint8_t *p = guarded(c, n * (t == SL_U8 ? 1 : 2));
    const int64_t mode = pick(r, 0, 5);
    for (size_t i = 0; i < n; i++) {
        int32_t v = (int32_t)pick(r, 0, qmax(t));
        if (mode == 0)
            v = 0;
        else if (mode == 1)
            v = qmax(t);
        else if (mode == 2)
            v = v & 1 ? qmax(t) : 0;
        if (t == SL_U8)
            p[i] = (uint8_t)v;
        else
            memcpy(p + 2 * i, &(uint16_t){(uint16_t)v}, 2);
    }
    return p;
}

struct sl_shape pick_shape(struct rng *r, int rank, int64_t most_elements)
{
    static const int64_t sizes[] = {1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 67, 100, 257};
    struct sl_shape s = {.rank = rank};
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        do
            s.dim[i] = sizes[pick(r, 0, SL_COUNT(sizes) - 1)];
        while (s.dim[i] != 1 && n * s.dim[i] > most_elements);
        n *= s.dim[i];
    }
    return s;
}

static size_t bytes_of(enum sl_dtype t)
{
    return t == SL_U8 ? 1 : t == SL_U16 ? 2 : 4;
}

static size_t pick_length(struct rng *r)
{
    return (size_t)(pick(r, 0, 9) == 0 ? pick(r, 60000, 140000) : pick(r, 0, 600));
}

static void make_table(struct rng *r, struct kernel_case *c)
{
    struct sl_table_args *a = &c->args.table;
    *a = (struct sl_table_args){.x_type = pick_type(r), .out_type = pick_type(r), .n = pick_length(r)};
    a->whole = a->x_type == SL_U16 && pick(r, 0, 3) == 0;
    size_t entries = a->x_type == SL_U8 ? 256 : a->whole ? 65536 : a->out_type == SL_U8 ? 4096 : 4097;
    a->table = stored(r, c, a->out_type, entries);
    c->io.in[0] = stored(r, c, a->x_type, a->n);
    c->out_bytes = a->n * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s -> %s, n %zu", sl_dtype_name(a->x_type), sl_dtype_name(a->out_type), a->n);
}

static void make_requantize(struct rng *r, struct kernel_case *c)
{
    struct sl_requantize_args *a = &c->args.requantize;
    *a = (struct sl_requantize_args){.x_type = pick_type(r), .out_type = pick_type(r), .n = pick_length(r)};
    a->zp_x = pick_zero_point(r, a->x_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    a->multiplier = pick_multiplier(r, qmax(a->x_type), a->out_type);
    c->io.in[0] = stored(r, c, a->x_type, a->n);
    c->out_bytes = a->n * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s zp %d -> %s zp %d, n %zu, m %a", sl_dtype_name(a->x_type), a->zp_x,
             sl_dtype_name(a->out_type), a->zp, a->n, (double)a->multiplier);
}

static void make_pool(struct rng *r, struct kernel_case *c)
{
    struct sl_pool_args *a = &c->args.pool;
    *a = (struct sl_pool_args){.op = (enum sl_pool_op)pick(r, 0, 1), .x_type = pick_type(r), .n = pick(r, 1, 2)};
    a->out_type = a->op == SL_POOL_MAX ? a->x_type : pick_type(r);
    a->c = pick(r, 0, 4) ? pick(r, 1, 70) : pick(r, 250, 300);
    a->kh = pick(r, 1, 5);
    a->kw = pick(r, 1, 5);
    a->sh = pick(r, 1, 3);
    a->sw = pick(r, 1, 3);
    a->dh = pick(r, 0, 3) ? 1 : 2;
    a->dw = pick(r, 0, 3) ? 1 : 2;
    a->top = pick(r, 0, a->kh - 1);
    a->left = pick(r, 0, a->kw - 1);
    a->bottom = pick(r, 0, a->kh - 1);
    a->right = pick(r, 0, a->kw - 1);
    a->in_h = pick(r, (a->kh - 1) * a->dh + 1, (a->kh - 1) * a->dh + 9);
    a->in_w = pick(r, (a->kw - 1) * a->dw + 1, (a->kw - 1) * a->dw + 20);
    a->out_h = (a->in_h + a->top + a->bottom - (a->kh - 1) * a->dh - 1) / a->sh + 1;
    a->out_w = (a->in_w + a->left + a->right - (a->kw - 1) * a->dw - 1) / a->sw + 1;
    a->count_include_pad = pick(r, 0, 1);
    a->zp_x = pick_zero_point(r, a->x_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    a->multiplier = pick_multiplier(r, qmax(a->x_type), a->out_type);
    c->io.in[0] = stored(r, c, a->x_type, (size_t)(a->n * a->in_h * a->in_w * a->c));
    c->out_bytes = (size_t)(a->n * a->out_h * a->out_w * a->c) * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s %s -> %s [%d,%d,%d,%d] window %dx%d strides %d,%d dilations %d,%d pads %d,%d,%d,%d",
             a->op ? "avg" : "max", sl_dtype_name(a->x_type), sl_dtype_name(a->out_type), (int)a->n, (int)a->in_h, (int)a->in_w,
             (int)a->c, (int)a->kh, (int)a->kw, (int)a->sh, (int)a->sw, (int)a->dh, (int)a->dw, (int)a->top, (int)a->left,
             (int)a->bottom, (int)a->right);
}

static void make_reduce(struct rng *r, struct kernel_case *c)
{
    struct sl_reduce_args *a = &c->args.reduce;
    size_t outputs = 1;
    char shape[80];
    *a = (struct sl_reduce_args){.op = (enum sl_reduce_op)pick(r, 0, 3), .x_type = pick_type(r)};
    a->out_type = a->op <= SL_REDUCE_SUM ? pick_type(r) : a->x_type;
    a->x = pick_shape(r, (int)pick(r, 1, 5), 2000);
    a->axes = (unsigned)pick(r, 1, (1 << a->x.rank) - 1);
    a->zp_x = pick_zero_point(r, a->x_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    a->multiplier = pick_multiplier(r, qmax(a->x_type), a->out_type);
    for (int i = 0; i < a->x.rank; i++)
        outputs *= a->axes >> i & 1 ? 1 : (size_t)a->x.dim[i];
    c->io.in[0] = stored(r, c, a->x_type, sl_shape_elements(&a->x));
    c->out_bytes = outputs * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "op %d %s -> %s %s axes %#x", (int)a->op, sl_dtype_name(a->x_type),
             sl_dtype_name(a->out_type), sl_shape_text(&a->x, shape, sizeof shape), a->axes);
}

static void make_index(struct rng *r, struct kernel_case *c)
{
    struct sl_index_args *a = &c->args.index;
    *a = (struct sl_index_args){.smallest = pick(r, 0, 1), .last = pick(r, 0, 1), .x_type = pick_type(r)};
    a->length = pick(r, 0, 3) ? pick(r, 1, 70) : pick(r, 200, 700);
    a->inner = pick(r, 0, 1) ? 1 : pick(r, 0, 3) ? pick(r, 1, 40) : pick(r, 250, 600);
    a->outer = pick(r, 1, 12);
    a->out_type = a->length > 256 ? SL_U16 : SL_U8;
    c->io.in[0] = stored(r, c, a->x_type, (size_t)(a->outer * a->length * a->inner));
    c->out_bytes = (size_t)(a->outer * a->inner) * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s %s of %s [%d,%d,%d]", a->last ? "last" : "first", a->smallest ? "least" : "most",
             sl_dtype_name(a->x_type), (int)a->outer, (int)a->length, (int)a->inner);
}

static void make_matmul(struct rng *r, struct kernel_case *c)
{
    struct sl_matmul_args *a = &c->args.matmul;
    char sa[80], sb[80];
    const int64_t m = pick(r, 1, 20), k = pick(r, 0, 5) ? pick(r, 1, 90) : pick(r, 500, 800),
                  n = pick(r, 0, 5) ? pick(r, 1, 70) : 300;
    const int64_t lead[2] = {pick(r, 1, 3), pick(r, 1, 2)};
    *a = (struct sl_matmul_args){
        .a_type = pick_type(r), .b_type = pick_type(r), .out_type = pick_type(r), .transpose_b = pick(r, 0, 1)};
    a->a.rank = (int)pick(r, 2, 4);
    a->b.rank = (int)pick(r, 2, 4);
    int64_t batches = 1;
    for (int i = 0; i < 2; i++) {
        const bool in_a = i < a->a.rank - 2, in_b = i < a->b.rank - 2;
        const int64_t da = in_a && pick(r, 0, 3) ? lead[i] : 1, db = in_b && pick(r, 0, 3) ? lead[i] : 1;
        if (in_a)
            a->a.dim[a->a.rank - 3 - i] = da;
        if (in_b)
            a->b.dim[a->b.rank - 3 - i] = db;
        batches *= SL_MAX(da, db);
    }
    a->a.dim[a->a.rank - 2] = m;
    a->a.dim[a->a.rank - 1] = k;
    a->b.dim[a->b.rank - 2] = a->transpose_b ? n : k;
    a->b.dim[a->b.rank - 1] = a->transpose_b ? k : n;
    a->zp_a = pick_zero_point(r, a->a_type);
    a->zp_b = pick_zero_point(r, a->b_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    a->multiplier = pick_multiplier(r, (double)qmax(a->a_type) * qmax(a->b_type) * sqrt((double)k), a->out_type);
    c->io.in[0] = stored(r, c, a->a_type, sl_shape_elements(&a->a));
    c->io.in[1] = stored(r, c, a->b_type, sl_shape_elements(&a->b));
    c->out_bytes = (size_t)(batches * m * n) * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s %s x %s %s%s -> %s, zp %d %d", sl_dtype_name(a->a_type),
             sl_shape_text(&a->a, sa, sizeof sa), sl_dtype_name(a->b_type), sl_shape_text(&a->b, sb, sizeof sb),
             a->transpose_b ? "^T" : "", sl_dtype_name(a->out_type), a->zp_a, a->zp_b);
}

static void make_softmax(struct rng *r, struct kernel_case *c)
{
    struct sl_softmax_args *a = &c->args.softmax;
    char shape[80];
    *a = (struct sl_softmax_args){
        .x_type = pick_type(r), .out_type = pick_type(r), .x = pick_shape(r, (int)pick(r, 1, 4), 5000)};
    a->axis = (int)pick(r, 0, a->x.rank - 1);
    const size_t entries = a->x_type == SL_U8 ? 256 : 4096;
    uint16_t *table = guarded(c, entries * sizeof *table);
    for (size_t i = 0; i < entries; i++)
        table[i] = (uint16_t)SL_MAX(65535 >> (i / 20 > 16 ? 16 : i / 20), i == 0);
    a->table = table;
    if (a->x_type == SL_U16 && a->out_type == SL_U16 && pick(r, 0, 1)) {
        int16_t *lookup = guarded(c, 2 * SL_LOOKUP_ENTRIES * sizeof *lookup);
        for (int i = 0; i < 2 * SL_LOOKUP_ENTRIES; i++)
            lookup[i] = (int16_t)pick(r, i >= SL_LOOKUP_ENTRIES - 2 && i < SL_LOOKUP_ENTRIES ? 16384 : 0, 32767);
        a->exponentials = lookup;
        a->inverse = lookup + SL_LOOKUP_ENTRIES;
        a->distance_multiplier = (int32_t)pick(r, 0, INT32_MAX);
        a->distance_shift = (int32_t)pick(r, -31, 15);
    }
    a->index_shift = (int32_t)pick(r, 0, 6);
    a->inverse_scale = pick(r, 0, 1) ? qmax(a->out_type) + 1.0 : ldexp((double)pick(r, 1, 1000), (int)pick(r, -5, 8));
    a->zp = pick(r, 0, 1) ? 0 : pick_zero_point(r, a->out_type);
    a->zp = a->exponentials ? SL_MIN(a->zp, 32768) : a->zp;
    c->io.in[0] = stored(r, c, a->x_type, sl_shape_elements(&a->x));
    c->out_bytes = sl_shape_elements(&a->x) * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s -> %s %s axis %d shift %d", sl_dtype_name(a->x_type), sl_dtype_name(a->out_type),
             sl_shape_text(&a->x, shape, sizeof shape), a->axis, a->index_shift);
}

static void make_norm(struct rng *r, struct kernel_case *c)
{
    struct sl_norm_args *a = &c->args.norm;
    *a = (struct sl_norm_args){
        .rms = pick(r, 0, 1), .x_type = pick_type(r), .out_type = pick_type(r), .rows = pick(r, 1, 9), .n = pick(r, 1, 700)};
    float *gamma = guarded(c, (size_t)a->n * sizeof *gamma), *beta = guarded(c, (size_t)a->n * sizeof *beta);
    for (int64_t i = 0; i < a->n; i++) {
        gamma[i] = (float)pick(r, -4000, 4000) / 64 * (a->out_type == SL_U16 ? 256 : 1);
        beta[i] = (float)pick(r, -3000, 3000) / 256;
    }
    a->gamma = gamma;
    a->beta = beta;
    a->epsilon = ldexp((double)pick(r, 1, 1000), (int)pick(r, -30, 10));
    a->zp_x = pick_zero_point(r, a->x_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    c->io.in[0] = stored(r, c, a->x_type, (size_t)(a->rows * a->n));
    c->out_bytes = (size_t)(a->rows * a->n) * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s %s -> %s rows %d n %d", a->rms ? "rms" : "layer", sl_dtype_name(a->x_type),
             sl_dtype_name(a->out_type), (int)a->rows, (int)a->n);
}

static void make_rotary(struct rng *r, struct kernel_case *c)
{
    struct sl_rotary_args *a = &c->args.rotary;
    char sx[80], sa[80];
    *a = (struct sl_rotary_args){.x_type = pick_type(r), .a_type = pick_type(r), .out_type = pick_type(r), .interleaved = pick(r, 0, 1)};
    a->x = pick_shape(r, (int)pick(r, 1, 5), 2000);
    a->a.rank = (int)pick(r, 1, a->x.rank);
    const int64_t d = 2 * pick(r, 1, 40);
    a->x.dim[a->x.rank - 1] = d;
    for (int i = 2; i <= a->a.rank; i++)
        a->a.dim[a->a.rank - i] = pick(r, 0, 2) ? a->x.dim[a->x.rank - i] : 1;
    a->a.dim[a->a.rank - 1] = pick(r, 0, 1) ? d : 2 * d;
    a->zp_x = pick_zero_point(r, a->x_type);
    a->zp_a = pick_zero_point(r, a->a_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    a->multiplier = pick_multiplier(r, (double)qmax(a->x_type) * qmax(a->a_type), a->out_type);
    c->io.in[0] = stored(r, c, a->x_type, sl_shape_elements(&a->x));
    c->io.in[1] = stored(r, c, a->a_type, sl_shape_elements(&a->a));
    c->out_bytes = sl_shape_elements(&a->x) * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "%s %s %s by %s %s -> %s", a->interleaved ? "neighbours" : "halves", sl_dtype_name(a->x_type),
             sl_shape_text(&a->x, sx, sizeof sx), sl_dtype_name(a->a_type), sl_shape_text(&a->a, sa, sizeof sa), sl_dtype_name(a->out_type));
}

static void make_quantize(struct rng *r, struct kernel_case *c)
{
    struct sl_quantize_args *a = &c->args.quantize;
    static const float special[] = {0.0f, -0.0f, 1e30f, -1e30f, 1e-40f, INFINITY, -INFINITY, NAN};
    *a = (struct sl_quantize_args){.type = pick_type(r), .n = pick_length(r)};
    a->scale = ldexpf((float)pick(r, 1, 5000), (int)pick(r, -20, 2));
    a->zero_point = pick_zero_point(r, a->type);
    float *x = guarded(c, a->n * sizeof *x);
    for (size_t i = 0; i < a->n; i++) {
        x[i] = (float)(pick(r, -100, qmax(a->type) + 100) - a->zero_point) * a->scale;
        if (pick(r, 0, 2) == 0)
            x[i] += a->scale * 0.5f; /* ties */
        if (pick(r, 0, 30) == 0)
            x[i] = special[pick(r, 0, SL_COUNT(special) - 1)];
    }
    c->io.in[0] = x;
    c->out_bytes = a->n * bytes_of(a->type);
    snprintf(c->text, sizeof c->text, "%s n %zu scale %a zp %d", sl_dtype_name(a->type), a->n, (double)a->scale, a->zero_point);
}

static void make_dequantize(struct rng *r, struct kernel_case *c)
{
    struct sl_dequantize_args *a = &c->args.dequantize;
    *a = (struct sl_dequantize_args){
        .type = pick_type(r), .channels = pick(r, 1, 40), .scale = ldexpf((float)pick(r, 1, 5000), -12)};
    a->n = pick_length(r) / (size_t)a->channels * (size_t)a->channels;
    a->zero_point = pick_zero_point(r, a->type);
    if (pick(r, 0, 1)) {
        float *scales = guarded(c, (size_t)a->channels * sizeof *scales);
        for (int64_t i = 0; i < a->channels; i++)
            scales[i] = ldexpf((float)pick(r, 1, 5000), (int)pick(r, -20, 2));
        a->scales = scales;
    }
    c->io.in[0] = stored(r, c, a->type, a->n);
    c->out_bytes = a->n * sizeof(float);
    snprintf(c->text, sizeof c->text, "%s n %zu channels %d%s", sl_dtype_name(a->type), a->n, (int)a->channels,
             a->scales ? " scales" : "");
}

void make_case(enum sl_family family, uint64_t seed, struct kernel_case *c)
{
    static void (*const makers[SL_FAMILY_COUNT])(struct rng *, struct kernel_case *) = {
        [SL_FAMILY_WEIGHTED] = make_weighted, [SL_FAMILY_TABLE] = make_table,       [SL_FAMILY_REQUANTIZE] = make_requantize,
        [SL_FAMILY_ELTWISE] = make_eltwise,   [SL_FAMILY_POOL] = make_pool,         [SL_FAMILY_REDUCE] = make_reduce,
        [SL_FAMILY_MATMUL] = make_matmul,     [SL_FAMILY_SOFTMAX] = make_softmax,   [SL_FAMILY_NORM] = make_norm,
        [SL_FAMILY_COPY] = make_mover,        [SL_FAMILY_PAD] = make_mover,         [SL_FAMILY_GATHER] = make_mover,
        [SL_FAMILY_RESIZE] = make_mover,      [SL_FAMILY_QUANTIZE] = make_quantize, [SL_FAMILY_DEQUANTIZE] = make_dequantize,
        [SL_FAMILY_INDEX] = make_index,       [SL_FAMILY_ROTARY] = make_rotary,
    };
    struct rng r = {seed * 977 + (uint64_t)family};
    memset(c, 0, sizeof *c);
    c->family = family;
    makers[family](&r, c);
}
