/* verb_parser.c: `sluice parser onnx`, `parser tflite` (also `parser tf`): a model file -> HAR, with the question about recommended end
 * nodes. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "sluice/model.h"

/* The end nodes recommended for an unsupported model, one a line, or NULL. */
static const char **recommended(sl_arena *a, const char *lines, size_t *n)
{
    char *copy = lines ? sl_arena_strdup(a, lines) : NULL, *rest = NULL;
    size_t count = 0;
    for (const char *p = copy; p && *p; p++)
        count += *p == '\n';
    const char **names = SL_NEW_ARRAY(a, const char *, count + 1);
    *n = 0;
    for (char *name = copy ? strtok_r(copy, "\n", &rest) : NULL; name; name = strtok_r(NULL, "\n", &rest))
        names[(*n)++] = name;
    return *n ? names : NULL;
}

/* The command that parses the recommended part, as it can be pasted. */
static void print_command(const struct cli_args *a, const char *const *names, size_t n)
{
    fprintf(stderr, "  sluice %s '%s' --end-node-names", a->verb->name, a->positional[0]);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, " '%s'", names[i]);
    fputc('\n', stderr);
}

static const char part_name[] = "part.onnx";

typedef sluice_status parse_fn(const char *path, const struct sluice_parse_options *o, struct sluice_model **m, struct sluice_error *err);

/* folder: for the part of the model that a comparison is made with, or NULL. */
static sluice_status parse(const struct cli_args *a, parse_fn *file, const char *folder, sl_arena *arena, struct sluice_model **m,
                           struct sluice_error *err)
{
    struct sluice_parse_options o = {.net_name = cli_string(a, "net-name", NULL), .hw_arch = cli_string(a, "hw-arch", NULL)};
    o.start_nodes = cli_list(a, "start-node-names", &o.n_start_nodes);
    o.end_nodes = cli_list(a, "end-node-names", &o.n_end_nodes);
    o.tensor_shapes = cli_list(a, "tensor-shapes", &o.n_tensor_shapes);
    o.input_formats = cli_list(a, "input-format", &o.n_input_formats);
    o.report_path = cli_string(a, "parsing-report-path", NULL);
    o.drop_cut_parts = cli_has(a, "disable-rt-metadata-extraction");
    o.part_path = folder ? sl_path_join(arena, folder, part_name) : NULL;
    char *lines = NULL;
    o.recommended = &lines;
    sluice_status s = file(a->positional[0], &o, m, err);
    size_t n = 0;
    const char **names = recommended(arena, lines, &n);
    sluice_free(lines);
    o.recommended = NULL;
    if (s != SLUICE_E_UNSUPPORTED || !names)
        return s;
    fprintf(stderr, "%s\n%s\n", err->message, err->hint);
    print_command(a, names, n);
    if (!cli_has(a, "yes") && !cli_ask("parse with the recommended end nodes?", false))
        return s;
    *err = (struct sluice_error){0};
    o.end_nodes = names;
    o.n_end_nodes = n;
    return file(a->positional[0], &o, m, err);
}

/* With start and end nodes, against the part between them: only its inputs can be fed. */
static sluice_status compare(const struct cli_args *a, const char *folder, const char *har, sl_arena *arena, struct sluice_error *err)
{
    const char *part = sl_path_join(arena, folder, part_name);
    if (sl_is_file(part))
        return cli_compare_onnx(a, part, har, err);
    if (cli_has(a, "start-node-names"))
        return sl_fail(err, SLUICE_E_LIMIT, "--compare: the part behind the start nodes is larger than an ONNX file can be (2 GB)");
    return cli_compare_onnx(a, a->positional[0], har, err);
}

static int parser(const struct cli_args *a, const char *format, parse_fn *file, struct sluice_error *err)
{
    sl_arena *arena = sl_arena_new();
    struct sluice_model *m = NULL;
    double start = sl_seconds();
    sl_info("Translation started on %s model %s", format, cli_string(a, "net-name", sl_path_stem(arena, a->positional[0])));
    const char *folder = cli_has(a, "compare") ? cli_make_temporary(arena, err) : NULL;
    sluice_status s = err->code == SLUICE_OK ? parse(a, file, folder, arena, &m, err) : err->code;
    if (s == SLUICE_OK) {
        sl_info("Translation completed on %s model %s (completion time: %.2f s)", format, sluice_model_name(m), sl_seconds() - start);
        const char *path = cli_string(a, "har-path", sl_arena_printf(arena, "%s.har", sluice_model_name(m)));
        s = sluice_model_save(m, path, err);
        if (s == SLUICE_OK)
            sl_info("Saved HAR to: %s", path);
        if (s == SLUICE_OK && folder)
            s = compare(a, folder, path, arena, err);
        char *text = NULL;
        if (s == SLUICE_OK && a->json && (s = sluice_model_describe(m, true, &text, err)) == SLUICE_OK)
            cli_put(text);
    }
    if (folder)
        cli_remove_temporary(arena, folder, part_name);
    sluice_model_free(m);
    sl_arena_free(arena);
    return sluice_exit_code(s);
}

int cli_parser_onnx(const struct cli_args *a, struct sluice_error *err)
{
    if (cli_has(a, "disable-onnx-simplifier"))
        sl_info("--disable-onnx-simplifier: no simplifier is run here; constants are folded by the parser itself");
    if (cli_has(a, "disable-rt-metadata-extraction"))
        sl_info("--disable-rt-metadata-extraction: what start and end nodes cut off is not kept in the archive");
    if (cli_has(a, "augmented-path") && !cli_has(a, "compare"))
        return sluice_exit_code(sl_fail(err, SLUICE_E_USAGE, "--augmented-path is written by --compare, which is not given"));
    return parser(a, "ONNX", sluice_model_parse_onnx, err);
}

int cli_parser_tflite(const struct cli_args *a, struct sluice_error *err) { return parser(a, "TFLite", sluice_model_parse_tflite, err); }
