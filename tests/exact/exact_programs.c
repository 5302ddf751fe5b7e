/*
 * exact_programs.c: runs the seeded programs at every kernel level of this CPU with 1, 2 and 5 threads, with and without
 * keeping every tensor, and compares a hash of the outputs with hashes.txt, which came from the C kernels. On another CPU the
 * same command compares the same hashes. `exact_programs --update FILE` writes the file from the C kernels.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "build_program.h"
#include "device/device.h"

enum { FRAMES = 4 };

/* Frames: random, all lowest, all highest, random ends. */
static void fill_frame(struct build *b, uint8_t *data, size_t n, int frame)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t r = (uint8_t)build_random(b);
        data[i] = frame == 1 ? 0 : frame == 2 ? 255 : frame == 3 ? (uint8_t)(r & 1 ? 255 : 0) : r;
    }
}

/* Hash of all outputs of all frames of a program. */
static bool run_program(struct build *b, const struct sl_device_options *o, uint64_t *hash)
{
    struct sl_device *d = NULL;
    sl_err e = {0};
    if (sl_device_load(b->p, o, &d, &e) != SLUICE_OK) {
        fprintf(stderr, "%s: %s\n", b->p->name, e.message);
        return false;
    }
    const void *inputs[64];
    void *outputs[64];
    uint8_t *frames[64];
    struct sl_buffer all = {0};
    struct build noise = {b->a, NULL, 12345};
    for (uint32_t k = 0; k < b->p->n_inputs; k++)
        inputs[k] = frames[k] = sl_arena_alloc_aligned64(b->a, sl_device_port_bytes(d, false, k));
    for (uint32_t k = 0; k < b->p->n_outputs; k++)
        outputs[k] = sl_arena_alloc_aligned64(b->a, sl_device_port_bytes(d, true, k));
    for (int f = 0; f < FRAMES; f++) {
        for (uint32_t k = 0; k < b->p->n_inputs; k++)
            fill_frame(&noise, frames[k], sl_device_port_bytes(d, false, k), f);
        sl_device_run(d, inputs, outputs);
        for (uint32_t k = 0; k < b->p->n_outputs; k++)
            sl_put(&all, outputs[k], sl_device_port_bytes(d, true, k));
    }
    *hash = sl_hash64(all.data, all.size);
    sl_buffer_free(&all);
    sl_device_free(d);
    return true;
}

static uint64_t seed_of(int kind, int k)
{
    return (uint64_t)kind * 1000 + (uint64_t)k + 1;
}

/* The expected hash of a case from the file's text, lines "name hash". */
static bool find_hash(const char *text, const char *name, uint64_t *out)
{
    size_t n = strlen(name);
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, name, n) == 0 && at[n] == ' ')
            return sscanf(at + n + 1, "%" SCNx64, out) == 1;
    return false;
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    if (f == NULL || text == NULL || fread(text, 1, (1 << 20) - 1, f) == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    return text;
}

static bool note_opcodes(const struct build *b, bool *seen)
{
    for (uint32_t i = 0; i < b->p->n_insns; i++)
        seen[b->p->insns[i].opcode] = true;
    return true;
}

static int check_case(struct build *b, const char *name, uint64_t expected)
{
    static const int threads[] = {1, 2, 5};
    int failures = 0;
    for (int level = SL_CPU_C; level <= (int)sl_cpu_detect(); level++)
        for (size_t t = 0; t < SL_COUNT(threads); t++)
            for (int keep = 0; keep < 2; keep++) {
                struct sl_device_options o = {
                    .threads = threads[t], .keep_all = keep, .level_given = true, .level = (enum sl_cpu_level)level};
                uint64_t hash = 0;
                if (!run_program(b, &o, &hash) || hash != expected) {
                    printf("FAIL %s: level %s, %d threads, keep_all %d: %016" PRIx64 ", expected %016" PRIx64 "\n", name,
                           sl_cpu_level_name((enum sl_cpu_level)level), threads[t], keep, hash, expected);
                    failures++;
                }
            }
    return failures;
}

int main(int argc, char **argv)
{
    bool update = argc == 3 && strcmp(argv[1], "--update") == 0, seen[1024] = {false};
    if (!update && argc != 2) {
        fprintf(stderr, "usage: exact_programs hashes.txt | exact_programs --update hashes.txt\n");
        return 2;
    }
    FILE *out = update ? fopen(argv[2], "wb") : NULL;
    char *text = update ? NULL : read_text(argv[1]);
    int n_kinds, n_insns, cases = 0, failures = 0;
    const struct build_case *kinds = build_cases(&n_kinds);
    for (int kind = 0; kind < n_kinds; kind++)
        for (int k = 0; k < kinds[kind].cases; k++, cases++) {
            char name[64];
            snprintf(name, sizeof(name), "%s_%d", kinds[kind].name, k);
            struct build b = build_new(name, seed_of(kind, k));
            kinds[kind].make(&b, k);
            note_opcodes(&b, seen);
            uint64_t hash = 0;
            struct sl_device_options o = {.threads = 1, .level_given = true, .level = SL_CPU_C};
            if (update && run_program(&b, &o, &hash))
                fprintf(out, "%s %016" PRIx64 "\n", name, hash);
            else if (update || !find_hash(text, name, &hash))
                failures += printf("FAIL %s: no hash\n", name) > 0;
            else
                failures += check_case(&b, name, hash);
            build_free(&b);
        }
    const struct sl_insn_info *insns = sl_insn_table(&n_insns);
    for (int i = 0; i < n_insns; i++)
        if (!seen[insns[i].opcode])
            failures += printf("FAIL: no program holds instruction %s\n", insns[i].name) > 0;
    if (out)
        fclose(out);
    free(text);
    printf("%d programs, %d failures\n", cases, failures);
    return failures != 0;
}
