/* verb_run.c: `sluice emulate`, `sluice run` and `sluice benchmark`: sessions over files, and their time. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "sluice/run.h"

static sluice_status check_files(const struct cli_args *a, struct sluice_error *err)
{
    if (!cli_has(a, "input")) {
        sl_fail(err, SLUICE_E_USAGE, "no input given");
        return sl_hint(err, "--input FILE, or --input NAME=FILE for each input");
    }
    if (!cli_has(a, "output-dir") && !cli_has(a, "dump-tensors")) {
        sl_fail(err, SLUICE_E_USAGE, "nowhere to write the outputs");
        return sl_hint(err, "--output-dir DIR");
    }
    return SLUICE_OK;
}

static sluice_status run_files(const struct cli_args *a, struct sluice_session *s, struct sluice_error *err)
{
    struct sluice_files_options o = {
        .output_dir = cli_string(a, "output-dir", NULL),
        .resize = cli_string(a, "resize", NULL),
        .run = {.raw = cli_has(a, "raw"), .origin_layout = cli_has(a, "origin-layout")},
    };
    o.inputs = cli_list(a, "input", &o.n_inputs);
    int64_t frames = 0;
    double start = sl_seconds();
    SL_TRY(sluice_session_run_files(s, &o, &frames, err));
    double seconds = sl_seconds() - start;
    if (a->json)
        printf("{\"frames\": %lld, \"seconds\": %.6f}\n", (long long)frames, seconds);
    sl_info("%lld frame%s in %.3f s", (long long)frames, frames == 1 ? "" : "s", seconds);
    return SLUICE_OK;
}

static struct sluice_session_options session_options(const struct cli_args *a)
{
    return (struct sluice_session_options){.threads = (int)cli_int(a, "threads", 0),
                                           .memory_limit = (uint64_t)cli_int(a, "memory-limit", 0) << 20,
                                           .dump_tensors = cli_string(a, "dump-tensors", NULL)};
}

static const char *newest_mode(const struct sluice_model *m)
{
    const char *state = sluice_model_state(m);
    if (strcmp(state, "HAILO_MODEL") == 0)
        return "native";
    return strcmp(state, "FP_OPTIMIZED_MODEL") == 0 ? "fp_optimized" : "quantized";
}

static sluice_status emulate(const struct cli_args *a, struct sluice_model **m, struct sluice_session **s, struct sluice_error *err)
{
    SL_TRY(check_files(a, err));
    SL_TRY(sluice_model_load(a->positional[0], m, err));
    struct sluice_session_options o = session_options(a);
    SL_TRY(sluice_session_open_model(*m, cli_string(a, "mode", newest_mode(*m)), &o, s, err));
    return run_files(a, *s, err);
}

int cli_emulate(const struct cli_args *a, struct sluice_error *err)
{
    struct sluice_model *m = NULL;
    struct sluice_session *s = NULL;
    sluice_status status = emulate(a, &m, &s, err);
    sluice_session_close(s);
    sluice_model_free(m);
    return sluice_exit_code(status);
}

static sluice_status open_hef(const struct cli_args *a, struct sluice_session **s, struct sluice_error *err)
{
    struct sluice_session_options o = session_options(a);
    return sluice_session_open_hef(a->positional[0], &o, s, err);
}

int cli_run(const struct cli_args *a, struct sluice_error *err)
{
    struct sluice_session *s = NULL;
    sluice_status status = check_files(a, err);
    if (status == SLUICE_OK)
        status = open_hef(a, &s, err);
    if (status == SLUICE_OK)
        status = run_files(a, s, err);
    sluice_session_close(s);
    return sluice_exit_code(status);
}

static void print_benchmark(const struct cli_args *a, const struct sluice_benchmark *b)
{
    double gmacs = (double)b->macs * b->frames_per_second / 1e9;
    if (a->json)
        printf("{\"file\": \"%s\", \"frames\": %lld, \"seconds\": %.6f, \"frames_per_second\": %.3f, \"latency_ms\": {\"min\": %.4f, "
               "\"median\": %.4f, \"p99\": %.4f}, \"threads\": %d, \"kernel_level\": \"%s\", \"macs\": %llu, \"gmac_per_second\": %.3f, "
               "\"packed_weight_bytes\": %llu, \"activation_bytes\": %llu}\n",
               a->positional[0], (long long)b->frames, b->seconds, b->frames_per_second, b->latency_min_ms, b->latency_median_ms,
               b->latency_p99_ms, b->threads, b->kernel_level, (unsigned long long)b->macs, gmacs,
               (unsigned long long)b->packed_weight_bytes, (unsigned long long)b->activation_bytes);
    else
        printf("this machine's software device, %d thread%s, kernels %s\n"
               "  frames per second %.2f   (%lld frames in %.2f s, %.2f GMAC/s)\n"
               "  latency ms        min %.3f   median %.3f   p99 %.3f\n"
               "  memory            packed weights %.2f MB, activations %.2f MB\n",
               b->threads, b->threads == 1 ? "" : "s", b->kernel_level, b->frames_per_second, (long long)b->frames, b->seconds, gmacs,
               b->latency_min_ms, b->latency_median_ms, b->latency_p99_ms, (double)b->packed_weight_bytes / 1e6,
               (double)b->activation_bytes / 1e6);
}

int cli_benchmark(const struct cli_args *a, struct sluice_error *err)
{
    struct sluice_session *s = NULL;
    struct sluice_benchmark b;
    sluice_status status = open_hef(a, &s, err);
    if (status == SLUICE_OK)
        status = sluice_session_benchmark(s, cli_number(a, "time", 5.0), &b, err);
    if (status == SLUICE_OK)
        print_benchmark(a, &b);
    sluice_session_close(s);
    return sluice_exit_code(status);
}
