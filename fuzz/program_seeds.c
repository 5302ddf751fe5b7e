/* program_seeds.c: writes seeds for fuzz_hef and fuzz_program: program_seeds FOLDER makes FOLDER/hef, FOLDER/program and the
 * lists of their files. The programs are those of tests/exact, one of each kind. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "build_program.h"
#include "hef/hef.h"
#include "hef/payload.h"

static int failures;

static void write_seed(sl_arena *a, struct sl_buffer *list, const char *folder, const char *kind, const char *name,
                       const struct sl_buffer *bytes)
{
    sl_err e = {0};
    const char *path = sl_arena_printf(a, "%s/%s/%s", folder, kind, name);
    if (sl_write_file(path, bytes->data, bytes->size, &e) != SLUICE_OK) {
        fprintf(stderr, "%s\n", e.message);
        failures++;
    }
    sl_put_printf(list, "%s%s", list->size ? "," : "", path);
}

/* The message and configuration words of a version-3 file behind a version-2 header. */
static struct sl_buffer as_version_2(const struct sl_buffer *file)
{
    struct sl_buffer out = {0}, rest = {0};
    struct sl_reader r = sl_reader_of(file->data + 8, file->size - 8);
    size_t proto = sl_read_u32be(&r), ccws = 0;
    r.p += 8;
    ccws = (size_t)sl_read_u64be(&r);
    size_t padding = sl_read_u32be(&r);
    sl_put(&rest, file->data + 56, proto);
    sl_put(&rest, file->data + 56 + proto + padding, ccws - padding);
    sl_put_u32be(&out, 0x01484546);
    sl_put_u32be(&out, 2);
    sl_put_u32be(&out, (uint32_t)proto);
    sl_put_u64be(&out, sl_hash64(rest.data, rest.size));
    sl_put_u64be(&out, ccws - padding);
    sl_put_zeros(&out, 16);
    sl_put(&out, rest.data, rest.size);
    sl_buffer_free(&rest);
    return out;
}

static void write_kind(const char *folder, const struct build_case *kind, struct sl_buffer *hefs, struct sl_buffer *programs)
{
    struct build b = build_new(kind->name, 9);
    struct sl_buffer payload = {0}, file = {0};
    sl_err e = {0};
    kind->make(&b, 2 % kind->cases);
    if (strcmp(kind->name, "network") == 0)
        b.p->n_outputs--; /* the one whose stream has the name of an input */
    const struct sl_program *one = b.p;
    struct sl_hef_source source = {b.p, 1000};
    if (sl_payload_write(b.a, &one, 1, &payload, NULL, &e) != SLUICE_OK ||
        sl_hef_write(b.a, SL_HEF_ARCH_HAILO1XH, &source, 1, &file, &e) != SLUICE_OK) {
        fprintf(stderr, "%s: %s\n", kind->name, e.message);
        failures++;
    } else {
        struct sl_buffer older = as_version_2(&file);
        write_seed(b.a, programs, folder, "program", kind->name, &payload);
        write_seed(b.a, hefs, folder, "hef", kind->name, &file);
        write_seed(b.a, hefs, folder, "hef", sl_arena_printf(b.a, "%s_v2", kind->name), &older);
        sl_buffer_free(&older);
    }
    sl_buffer_free(&payload);
    sl_buffer_free(&file);
    build_free(&b);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: program_seeds FOLDER\n");
        return 2;
    }
    sl_arena *a = sl_arena_new();
    sl_err e = {0};
    struct sl_buffer hefs = {0}, programs = {0};
    int n;
    const struct build_case *cases = build_cases(&n);
    if (sl_make_directory(sl_path_join(a, argv[1], "hef"), &e) != SLUICE_OK ||
        sl_make_directory(sl_path_join(a, argv[1], "program"), &e) != SLUICE_OK) {
        fprintf(stderr, "%s\n", e.message);
        return 1;
    }
    for (int i = 0; i < n; i++)
        write_kind(argv[1], &cases[i], &hefs, &programs);
    sl_write_file(sl_path_join(a, argv[1], "hef.list"), hefs.data, hefs.size, &e);
    sl_write_file(sl_path_join(a, argv[1], "program.list"), programs.data, programs.size, &e);
    sl_buffer_free(&hefs);
    sl_buffer_free(&programs);
    sl_arena_free(a);
    return failures || e.code != SLUICE_OK;
}
