/* verb_optimize.c: `sluice optimize` and `sluice compiler`: HAR -> quantized HAR -> HEF and compiled HAR. */
#include "cli/cli.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "sluice/model.h"

static sluice_status open_model(const struct cli_args *a, struct sluice_model **m, struct sluice_error *err)
{
    SL_TRY(sluice_model_load(a->positional[0], m, err));
    const char *arch = cli_string(a, "hw-arch", NULL);
    return arch ? sluice_model_set_hw_arch(*m, arch, err) : SLUICE_OK;
}

static sluice_status save(const struct sluice_model *m, const char *path, struct sluice_error *err)
{
    SL_TRY(sluice_model_save(m, path, err));
    sl_info("Saved HAR to: %s", path);
    return SLUICE_OK;
}

static sluice_status put_json(const struct cli_args *a, const struct sluice_model *m, struct sluice_error *err)
{
    char *text = NULL;
    if (!a->json)
        return SLUICE_OK;
    SL_TRY(sluice_model_describe(m, true, &text, err));
    cli_put(text);
    return SLUICE_OK;
}

static sluice_status optimize(const struct cli_args *a, sl_arena *arena, struct sluice_model **m, struct sluice_error *err)
{
    struct sluice_optimize_options o = {
        .calibration = cli_string(a, "calib-set-path", NULL),
        .random_calibration = cli_has(a, "use-random-calib-set"),
        .resize = cli_string(a, "resize", NULL),
        .script = cli_string(a, "model-script", NULL),
        .max_samples = cli_int(a, "calib-set-size", 0),
        .threads = (int)cli_int(a, "threads", 0),
        .memory_limit = (uint64_t)cli_int(a, "memory-limit", 0) << 20,
        .range_method = cli_string(a, "range-method", NULL),
        .full_precision_only = cli_has(a, "full-precision-only"),
        .dump_after = cli_string(a, "dump-after", NULL),
    };
    if (!o.full_precision_only && (o.calibration != NULL) == o.random_calibration) {
        sl_fail(err, SLUICE_E_USAGE, "optimize takes exactly one of --calib-set-path and --use-random-calib-set");
        return sl_hint(err, "--calib-set-path FOLDER with some tens of typical pictures");
    }
    SL_TRY(open_model(a, m, err));
    double start = sl_seconds();
    SL_TRY(sluice_model_optimize(*m, &o, err));
    sl_info("Optimization of %s completed (%.2f s)", sluice_model_name(*m), sl_seconds() - start);
    const char *otherwise = sl_arena_printf(arena, "%s_optimized.har", sluice_model_name(*m));
    SL_TRY(save(*m, cli_string(a, "output-har-path", otherwise), err));
    return put_json(a, *m, err);
}

static sluice_status compile(const struct cli_args *a, sl_arena *arena, struct sluice_model **m, struct sluice_error *err)
{
    struct sluice_compile_options o = {.script = cli_string(a, "model-script", NULL), .dump_after = cli_string(a, "dump-after", NULL)};
    SL_TRY(open_model(a, m, err));
    double start = sl_seconds();
    SL_TRY(sluice_model_compile(*m, &o, err));
    sl_info("Compilation of %s completed (%.2f s)", sluice_model_name(*m), sl_seconds() - start);
    const char *directory = cli_string(a, "output-dir", ".");
    SL_TRY(sl_make_directory(directory, err));
    const char *hef = sl_path_join(arena, directory, sl_arena_printf(arena, "%s.hef", sluice_model_name(*m)));
    const char *har = sl_path_join(arena, directory, sl_arena_printf(arena, "%s_compiled.har", sluice_model_name(*m)));
    SL_TRY(sluice_model_save_hef(*m, hef, err));
    sl_info("Saved HEF to: %s", hef);
    SL_TRY(save(*m, cli_string(a, "output-har-path", har), err));
    return put_json(a, *m, err);
}

int cli_optimize(const struct cli_args *a, struct sluice_error *err)
{
    sl_arena *arena = sl_arena_new();
    struct sluice_model *m = NULL;
    sluice_status s = optimize(a, arena, &m, err);
    sluice_model_free(m);
    sl_arena_free(arena);
    return sluice_exit_code(s);
}

int cli_compiler(const struct cli_args *a, struct sluice_error *err)
{
    sl_arena *arena = sl_arena_new();
    struct sluice_model *m = NULL;
    sluice_status s = compile(a, arena, &m, err);
    sluice_model_free(m);
    sl_arena_free(arena);
    return sluice_exit_code(s);
}
