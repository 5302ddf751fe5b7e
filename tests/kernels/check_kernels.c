/*
 * check_kernels.c: every row of kernels.def against its C twin, byte by byte, and the C rows against an independent evaluation
 * (reference.c), on random and extreme data. Inputs end at a page that cannot be read, outputs and scratch stand between guard
 * bytes, tasks run in falling order. A failure prints the command that repeats it.
 *
 *     check_kernels [--variant NAME] [--seed N] [--cases N] [--bench]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "kernel_bench.h"
#include "kernel_case.h"

enum { GUARD = 64, FILL = 0xa5 };

/* 64-byte aligned memory with guard bytes on both sides, filled with FILL. */
static uint8_t *guarded_alloc(size_t bytes)
{
    const size_t whole = (bytes + 2 * GUARD + 63) / 64 * 64;
    uint8_t *p = aligned_alloc(64, whole);
    if (p == NULL) {
        perror("memory");
        exit(1);
    }
    memset(p, FILL, whole);
    return p + GUARD;
}

static bool guards_hold(const uint8_t *p, size_t bytes)
{
    for (int i = 0; i < GUARD; i++)
        if (p[-1 - i] != FILL || p[bytes + (size_t)i] != FILL)
            return false;
    return true;
}

static void guarded_free(uint8_t *p)
{
    free(p - GUARD);
}

/* The input that the output may overwrite (kernels.h), or -1. */
static int in_place_input(const struct kernel_case *c)
{
    const struct sl_eltwise_args *e = &c->args.eltwise;
    switch (c->family) {
    case SL_FAMILY_TABLE:
        return c->args.table.x_type == c->args.table.out_type ? 0 : -1;
    case SL_FAMILY_REQUANTIZE:
        return c->args.requantize.x_type == c->args.requantize.out_type ? 0 : -1;
    case SL_FAMILY_ELTWISE:
        if (e->a_type == e->out_type && sl_shape_equal(&e->a, &e->out))
            return 0;
        return e->b_type == e->out_type && sl_shape_equal(&e->b, &e->out) ? 1 : -1;
    default:
        return -1;
    }
}

/* Run one variant; false when it wrote outside its memory. `out` holds out_bytes and guards. In place: `out` is also input
 * number in_place, unless that is -1. */
static bool run_variant(const struct sl_variant *v, const struct kernel_case *c, uint8_t *out, int in_place)
{
    struct sl_work w;
    sl_work_prepare_variant(v, &c->args, &w);
    uint8_t *packed = guarded_alloc(w.packed_bytes), *scratch = guarded_alloc(w.scratch_bytes);
    struct sl_io io = c->io;
    io.out = out;
    if (in_place >= 0) {
        memcpy(out, io.in[in_place], c->out_bytes);
        io.in[in_place] = out;
    }
    if (w.packed_bytes > 0)
        sl_work_pack(&w, packed);
    for (int t = w.n_tasks - 1; t >= 0; t--)
        sl_work_run(&w, &io, t, scratch);
    const bool good =
        guards_hold(packed, w.packed_bytes) && guards_hold(scratch, w.scratch_bytes) && guards_hold(out, c->out_bytes);
    guarded_free(packed);
    guarded_free(scratch);
    return good;
}

static const struct sl_variant *twin_of(const struct sl_variant *v)
{
    int n;
    const struct sl_variant *const *rows = sl_kernel_rows(&n);
    for (int i = 0; i < n; i++)
        if (rows[i]->family == v->family && rows[i]->level == SL_CPU_C)
            return rows[i];
    return NULL;
}

static void report(const struct sl_variant *v, uint64_t seed, const struct kernel_case *c, const char *what)
{
    printf("FAIL %s: %s\n    case: %s\n    again: check_kernels --variant %s --seed %llu --cases 1\n", v->name, what, c->text,
           v->name, (unsigned long long)seed);
}

/* 1 pass, 0 the variant does not take it, -1 failed. */
static int check_case(const struct sl_variant *v, uint64_t seed)
{
    struct kernel_case c;
    int result = 1;
    make_case(v->family, seed, &c);
    if (v->takes != NULL && !v->takes(&c.args)) {
        free_case(&c);
        return 0;
    }
    uint8_t *out = guarded_alloc(c.out_bytes), *expected = guarded_alloc(c.out_bytes);
    char what[200] = "";
    if (v->level == SL_CPU_C)
        reference(&c, expected);
    else if (!run_variant(twin_of(v), &c, expected, -1))
        snprintf(what, sizeof what, "the C twin wrote outside its memory");
    const int in_place = in_place_input(&c);
    for (int pass = 0; pass <= (in_place >= 0) && what[0] == 0; pass++) {
        memset(out, FILL, c.out_bytes);
        if (!run_variant(v, &c, out, pass ? in_place : -1))
            snprintf(what, sizeof what, "wrote outside its memory");
        for (size_t i = 0; what[0] == 0 && i < c.out_bytes; i++)
            if (out[i] != expected[i])
                snprintf(what, sizeof what, "%sbyte %zu of %zu is %d, not %d", pass ? "in place, " : "", i, c.out_bytes, out[i],
                         expected[i]);
    }
    if (what[0] != 0) {
        report(v, seed, &c, what);
        result = -1;
    }
    guarded_free(out);
    guarded_free(expected);
    free_case(&c);
    return result;
}

/* Enough seeds that `cases` of them are taken; a variant that takes one case in a hundred still gets its share. */
static int check_variant(const struct sl_variant *v, uint64_t seed, int cases)
{
    int taken = 0, failed = 0, tried = 0;
    while (taken < cases && tried < (cases == 1 ? 1 : 60 * cases) && failed < 5) {
        const int result = check_case(v, seed + (uint64_t)tried++);
        taken += result != 0;
        failed += result < 0;
    }
    printf("%-16s %-10s %5d cases %s\n", v->name, sl_cpu_level_name(v->level), taken,
           failed  ? "FAILED"
           : taken ? "ok"
                   : "NONE TAKEN");
    return failed + (taken == 0 && cases > 1);
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    uint64_t seed = 1;
    int cases = 400, failed = 0, n;
    bool bench = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--variant") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--cases") == 0 && i + 1 < argc)
            cases = atoi(argv[++i]);
        else {
            fprintf(stderr, "usage: check_kernels [--variant NAME] [--seed N] [--cases N] [--bench]\n");
            return 2;
        }
    }
    if (bench)
        return bench_kernels(only);
    const struct sl_variant *const *rows = sl_kernel_rows(&n);
    for (int i = 0; i < n; i++) {
        if (only != NULL && strcmp(only, rows[i]->name) != 0)
            continue;
        if (rows[i]->level > sl_cpu_level())
            printf("%-16s %-10s SKIP: above this process's level, %s\n", rows[i]->name, sl_cpu_level_name(rows[i]->level),
                   sl_cpu_level_name(sl_cpu_level()));
        else
            failed += check_variant(rows[i], seed, cases);
    }
    return failed ? 1 : 0;
}
