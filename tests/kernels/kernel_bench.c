/* kernel_bench.c: the table that check_kernels --bench prints: best time of each variant on layers of real networks, and its
 * ratio to C. */
#include "kernel_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "kernels/kernels.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *filled(size_t bytes)
{
    uint8_t *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    for (size_t i = 0; p != NULL && i < bytes; i++)
        p[i] = (uint8_t)(i * 2654435761u >> 13);
    return p;
}

/* Best of several runs of all tasks on one thread, in seconds; 0 where the variant does not take the args. */
static double time_variant(const struct sl_variant *v, const void *args, const struct sl_io *io)
{
    struct sl_work w;
    if (v->takes != NULL && !v->takes(args))
        return 0;
    sl_work_prepare_variant(v, args, &w);
    void *packed = filled(w.packed_bytes), *scratch = filled(w.scratch_bytes);
    sl_work_pack(&w, packed);
    double best = 1e9, total = 0;
    for (int rep = 0; rep < 50 && (rep < 3 || total < 0.15); rep++) {
        const double start = now();
        for (int t = 0; t < w.n_tasks; t++)
            sl_work_run(&w, io, t, scratch);
        const double one = now() - start;
        best = SL_MIN(best, one);
        total += one;
    }
    free(packed);
    free(scratch);
    return best;
}

/* One line a variant of the family that takes the args. Returns the best variant's time. */
static double bench_args(enum sl_family family, const char *only, const char *name, const void *args, const struct sl_io *io,
                         double work, const char *unit)
{
    int n;
    double c_time = 0, time = 0;
    const struct sl_variant *const *rows = sl_kernel_rows(&n);
    for (int i = 0; i < n; i++) {
        if (rows[i]->family != family || rows[i]->level > sl_cpu_level() || (only && strcmp(only, rows[i]->name) != 0))
            continue;
        const double t = time_variant(rows[i], args, io);
        if (t == 0)
            continue;
        if (rows[i]->level == SL_CPU_C)
            c_time = t;
        time = t;
        printf("%-34s %-16s %10.1f us %8.2f %s", name, rows[i]->name, t * 1e6, work / t * 1e-9, unit);
        if (c_time > 0 && t != c_time)
            printf(" %6.1fx", c_time / t);
        printf("\n");
    }
    return time;
}

struct layer {
    enum sl_dtype x_type, out_type;
    int64_t h, w, in_c, out_c, k, s;
    bool depthwise, residual;
};

static double bench_layer(const struct layer *l, const char *only)
{
    struct sl_weighted_args a = {.x_type = l->x_type,
                                 .out_type = l->out_type,
                                 .kernel_type = SL_S8,
                                 .n = 1,
                                 .in_h = l->h,
                                 .in_w = l->w,
                                 .in_c = l->in_c,
                                 .out_c = l->out_c,
                                 .kh = l->k,
                                 .kw = l->k,
                                 .sh = l->s,
                                 .sw = l->s,
                                 .dh = 1,
                                 .dw = 1,
                                 .top = l->k / 2,
                                 .left = l->k / 2,
                                 .groups = l->depthwise ? l->in_c : 1,
                                 .zp_x = 100,
                                 .zp = 3,
                                 .hi = 255};
    char name[80];
    a.out_h = (l->h + l->s - 1) / l->s;
    a.out_w = (l->w + l->s - 1) / l->s;
    if (l->out_type == SL_U16)
        a.hi = 65535;
    const size_t x_bytes = l->x_type == SL_U8 ? 1 : 2, out = (size_t)(a.out_h * a.out_w * a.out_c) * 2;
    const int64_t per_output = l->k * l->k * (l->depthwise ? 1 : l->in_c);
    float *multiplier = filled((size_t)a.out_c * sizeof *multiplier);
    for (int64_t o = 0; o < a.out_c; o++)
        multiplier[o] = 1e-4f;
    a.multiplier = multiplier;
    a.kernel = filled((size_t)(per_output * a.out_c));
    int64_t *bias = calloc((size_t)a.out_c, sizeof *bias);
    a.bias = bias;
    if (l->residual) {
        a.r_type = l->out_type;
        a.residual_multiplier = 0.5f;
    }
    struct sl_io io = {.in = {filled((size_t)(l->h * l->w * l->in_c) * x_bytes), filled(out)}, .out = filled(out)};
    snprintf(name, sizeof name, "%s%lldx%lldx%lld>%lld k%lld s%lld%s %s", l->depthwise ? "dw " : "", (long long)l->h,
             (long long)l->w, (long long)l->in_c, (long long)l->out_c, (long long)l->k, (long long)l->s,
             l->residual ? "+r" : "", sl_dtype_name(l->x_type));
    const double t =
        bench_args(SL_FAMILY_WEIGHTED, only, name, &a, &io, (double)(per_output * a.out_h * a.out_w * a.out_c), "GMAC/s");
    free(multiplier);
    free((void *)(uintptr_t)a.kernel);
    free(bias);
    free((void *)(uintptr_t)io.in[0]);
    free((void *)(uintptr_t)io.in[1]);
    free(io.out);
    return t;
}

/* The weighted layers of EfficientNet-Lite0, and their sum. */
static void bench_network(const char *only)
{
    static const struct {
        int repeats, k, s, expand, in, out;
    } stages[] = {{1, 3, 1, 1, 32, 16},  {2, 3, 2, 6, 16, 24},   {2, 5, 2, 6, 24, 40},  {3, 3, 2, 6, 40, 80},
                  {3, 5, 1, 6, 80, 112}, {4, 5, 2, 6, 112, 192}, {1, 3, 1, 6, 192, 320}};
    int64_t h = 112;
    double total = bench_layer(&(struct layer){SL_U8, SL_U8, 224, 224, 3, 32, 3, 2, false, false}, only);
    for (size_t i = 0; i < SL_COUNT(stages); i++)
        for (int r = 0; r < stages[i].repeats; r++) {
            const int64_t in = r ? stages[i].out : stages[i].in, wide = in * stages[i].expand, s = r ? 1 : stages[i].s;
            if (stages[i].expand > 1)
                total += bench_layer(&(struct layer){SL_U8, SL_U8, h, h, in, wide, 1, 1, false, false}, only);
            total += bench_layer(&(struct layer){SL_U8, SL_U8, h, h, wide, wide, stages[i].k, s, true, false}, only);
            h = (h + s - 1) / s;
            total += bench_layer(&(struct layer){SL_U8, SL_U8, h, h, wide, stages[i].out, 1, 1, false, r > 0}, only);
        }
    total += bench_layer(&(struct layer){SL_U8, SL_U8, 7, 7, 320, 1280, 1, 1, false, false}, only);
    total += bench_layer(&(struct layer){SL_U8, SL_U8, 1, 1, 1280, 1000, 1, 1, false, false}, only);
    printf("EfficientNet-Lite0, all weighted layers, one thread: %.2f ms\n", total * 1e3);
}

static void bench_others(const char *only)
{
    enum { N = 56 * 56 * 144 };
    void *x = filled(4 * N), *y = filled(4 * N), *out = filled(4 * N), *table = filled(2 * 4097);
    const struct sl_io io = {.in = {x, y}, .out = out};
    const double gb = N;
    static const enum sl_dtype types[] = {SL_U8, SL_U16};
    for (size_t i = 0; i < SL_COUNT(types); i++) {
        const enum sl_dtype t = types[i];
        const int32_t most = t == SL_U8 ? 255 : 65535;
        const struct sl_shape shape = {4, {1, 56, 56, 144}}, row = {4, {1, 1, 1, 144}}, heads = {3, {12, 197, 64}};
        struct sl_matmul_args mm = {.a_type = t,
                                    .b_type = t,
                                    .out_type = t,
                                    .a = heads,
                                    .b = heads,
                                    .transpose_b = true,
                                    .zp_a = 99,
                                    .zp_b = 9,
                                    .hi = most,
                                    .multiplier = 1e-4f};
        printf("-- %s\n", sl_dtype_name(t));
        bench_args(SL_FAMILY_TABLE, only, "table 56x56x144", &(struct sl_table_args){t, t, N, table}, &io, gb, "G/s");
        bench_args(SL_FAMILY_REQUANTIZE, only, "requantize", &(struct sl_requantize_args){t, t, N, 3, 9, 0, most, 0.7f}, &io,
                   gb, "G/s");
        bench_args(SL_FAMILY_QUANTIZE, only, "quantize", &(struct sl_quantize_args){t, N, 0.02f, 3}, &io, gb, "G/s");
        bench_args(SL_FAMILY_DEQUANTIZE, only, "dequantize", &(struct sl_dequantize_args){t, N, 144, NULL, 0.02f, 3}, &io, gb,
                   "G/s");
        for (int op = SL_ELT_ADD; op <= SL_ELT_DIV; op++) {
            static const char *const names[] = {"add", "sub", "max", "min", "mult", "div"};
            struct sl_eltwise_args e = {
                (enum sl_eltwise_op)op, t, t, t, shape, shape, shape, 3, 9, 7, 0, most, 0.5f, 0.6f, 0.01f};
            bench_args(SL_FAMILY_ELTWISE, only, names[op], &e, &io, gb, "G/s");
            e.b = row;
            if (op == SL_ELT_MULT)
                bench_args(SL_FAMILY_ELTWISE, only, "mult by channel", &e, &io, gb, "G/s");
        }
        struct sl_pool_args p = {SL_POOL_MAX, t, t, 1, 56, 56, 144,   28, 28, 3, 3,    2,   2,
                                 1,           1, 1, 1, 0,  0,  false, 9,  7,  0, most, 0.9f};
        bench_args(SL_FAMILY_POOL, only, "maxpool 3x3 s2", &p, &io, gb, "G/s");
        p.op = SL_POOL_AVG;
        bench_args(SL_FAMILY_POOL, only, "avgpool 3x3 s2", &p, &io, gb, "G/s");
        bench_args(SL_FAMILY_REDUCE, only, "mean over h, w",
                   &(struct sl_reduce_args){SL_REDUCE_MEAN, t, t, shape, 6, 9, 7, 0, most, 0.9f}, &io, gb, "G/s");
        bench_args(SL_FAMILY_INDEX, only, "argmax of 19 channels", &(struct sl_index_args){false, false, t, SL_U8, 23769, 19, 1}, &io, 23769.0 * 19,
                   "G/s");
        bench_args(SL_FAMILY_INDEX, only, "argmax of 1000", &(struct sl_index_args){false, false, t, SL_U16, 451, 1000, 1}, &io, 451000, "G/s");
        bench_args(SL_FAMILY_MATMUL, only, "matmul 12x197x64x197^T", &mm, &io, 12.0 * 197 * 64 * 197, "GMAC/s");
        ((uint16_t *)table)[0] = 65535;
        bench_args(SL_FAMILY_SOFTMAX, only, "softmax 12x197x197",
                   &(struct sl_softmax_args){t, t, {3, {12, 197, 197}}, 2, table, 4, 256.0, 0}, &io, 12.0 * 197 * 197, "G/s");
        for (int turned = 0; turned < 2; turned++)
            bench_args(SL_FAMILY_ROTARY, only, turned ? "rotary 12x197x64, neighbours" : "rotary 12x197x64, halves",
                       &(struct sl_rotary_args){t, t, t, heads, {3, {1, 197, 64}}, turned, 99, 9, 7, 0, most, 1e-4f}, &io, 12.0 * 197 * 64, "G/s");
        float *gamma = filled(768 * sizeof *gamma);
        for (int k = 0; k < 768; k++)
            gamma[k] = 30;
        bench_args(SL_FAMILY_NORM, only, "layer norm 197x768",
                   &(struct sl_norm_args){false, t, t, 197, 768, gamma, gamma, 1.0, 3, 9, 0, most}, &io, 197.0 * 768, "G/s");
        free(gamma);
        bench_layer(&(struct layer){t, t, 14, 14, 768, 768, 1, 1, false, false}, only);
        bench_layer(&(struct layer){t, t, 28, 28, 128, 128, 3, 1, false, false}, only);
        bench_layer(&(struct layer){t, t, 28, 28, 240, 240, 3, 1, true, false}, only);
    }
    static int32_t index[2 * 224], weight[2 * 224];
    for (int i = 0; i < 2 * 224; i++) {
        index[i] = i / 8;
        weight[i] = i % 2 ? 2048 - 300 : 300;
    }
    bench_args(SL_FAMILY_RESIZE, only, "linear resize 56 to 112, 32 channels",
               &(struct sl_resize_args){SL_U8, 2, 1, 56, 56, 32, 112, 112, index, index, weight, weight}, &io,
               112.0 * 112 * 32, "G/s");
    struct sl_copy_args copy;
    const struct sl_shape shape = {4, {1, 56, 56, 144}};
    const struct sl_shape picture = {4, {1, 416, 416, 3}}, half = {4, {1, 208, 208, 3}};
    sl_copy_slice(&copy, 1, &picture, (const int64_t[]){0, 1, 1, 0}, (const int64_t[]){1, 2, 2, 1}, &half);
    bench_args(SL_FAMILY_COPY, only, "every other pixel of 416x416x3", &copy, &io, 208.0 * 208 * 3, "G/s");
    sl_copy_transpose(&copy, 1, &shape, (const int64_t[]){0, 3, 1, 2});
    bench_args(SL_FAMILY_COPY, only, "transpose to NCHW, bytes", &copy, &io, gb, "G/s");
    free(x);
    free(y);
    free(out);
    free(table);
}

int bench_kernels(const char *only)
{
    printf("level %s, one thread, best of several runs\n", sl_cpu_level_name(sl_cpu_level()));
    bench_network(only);
    bench_others(only);
    return 0;
}
