/* stages.c: include/sluice/model.h, the stages that change a model: optimize and compile. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/keep_heads.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "compile/compile.h"
#include "quant/optimize.h"

static sluice_status optimize_options(const struct sluice_model *m, const struct sluice_optimize_options *o,
                                      struct sl_optimize_options *out, sl_err *e)
{
    *out = (struct sl_optimize_options){.calibration = o->calibration,
                                        .random_calibration = o->random_calibration,
                                        .samples = {.limit = o->max_samples},
                                        .script_name = o->script ? o->script : "script",
                                        .threads = o->threads,
                                        .memory_limit = o->memory_limit,
                                        .full_precision_only = o->full_precision_only,
                                        .dump_after = o->dump_after};
    SL_TRY(sl_api_resize(o->resize, &out->samples.resize, e));
    if (o->range_method && !sl_range_method_from_name(o->range_method, &out->range_method))
        return sl_fail(e, SLUICE_E_USAGE, "'%s' is not a range method (minmax, percentile, mse, kl)", o->range_method);
    if (o->script)
        return sl_map_file(m->arena, o->script, &out->script, e);
    if (o->script_text)
        out->script = (struct sl_view){(const uint8_t *)sl_arena_strdup(m->arena, o->script_text), strlen(o->script_text)};
    return SLUICE_OK;
}

static const char *script_text(struct sl_model *m, struct sl_view script)
{
    return script.size ? sl_arena_strndup(m->arena, (const char *)script.data, script.size) : "";
}

sluice_status sluice_model_optimize(struct sluice_model *m, const struct sluice_optimize_options *options, struct sluice_error *err)
{
    struct sl_model *model = m->model;
    struct sl_optimize_options o;
    struct sl_optimize_result r = {0};
    if (!model->native)
        return sl_fail(err, SLUICE_E_USAGE, "the archive holds no parsed graph (state %s)", sl_model_state_name(model->state));
    SL_TRY(optimize_options(m, options, &o, err));
    if (model->quantized)
        sl_warn("the archive is quantized already; its encodings are replaced by a calibrated set");
    sluice_status s = sl_optimize(model->native, &o, &r, err);
    if (r.no_form)
        sl_hint_at_heads(model->native, err);
    if (s != SLUICE_OK)
        return s;
    model->fp_optimized = r.fp_optimized;
    model->quantized = r.quantized;
    model->state = r.quantized ? SL_MODEL_QUANTIZED_MODEL : SL_MODEL_FP_OPTIMIZED_MODEL;
    model->script = script_text(model, o.script);
    sl_model_set_json(model, &model->applied, r.applied);
    sl_model_set_json(model, &model->statistics, r.statistics);
    sl_model_remove_file(model, sl_arena_printf(model->arena, "%s.hef", model->name));
    return SLUICE_OK;
}

static sluice_status compile_graph(struct sl_model *model, const struct sluice_compile_options *options, sl_err *e)
{
    struct sl_view script = {0};
    struct sl_buffer hef = {0};
    if (options->script)
        SL_TRY(sl_map_file(model->arena, options->script, &script, e));
    struct sl_compile_options o = {.hw_arch = model->hw_arch, .dump_after = options->dump_after};
    sluice_status s = sl_compile_to_hef(model->quantized, &o, &hef, e);
    void *copy = s == SLUICE_OK ? sl_arena_alloc_aligned64(model->arena, hef.size) : NULL;
    if (copy) {
        memcpy(copy, hef.data, hef.size);
        sl_model_set_file(model, sl_arena_printf(model->arena, "%s.hef", model->name), (struct sl_view){copy, hef.size});
        model->state = SL_MODEL_COMPILED_MODEL;
    } else if (s == SLUICE_OK) {
        s = sl_fail(e, SLUICE_E_MEMORY, "out of memory for a HEF of %zu bytes", hef.size);
    }
    sl_buffer_free(&hef);
    return s;
}

sluice_status sluice_model_compile(struct sluice_model *m, const struct sluice_compile_options *options, struct sluice_error *err)
{
    if (!m->model->quantized) {
        sl_fail(err, SLUICE_E_USAGE, "the archive is not quantized: its state is %s", sluice_model_state(m));
        return sl_hint(err, "sluice optimize first, then compile the archive it writes");
    }
    return compile_graph(m->model, options, err);
}

sluice_status sluice_model_hef(const struct sluice_model *m, const void **data, size_t *size, struct sluice_error *err)
{
    const struct sl_view *hef = sl_model_file(m->model, sl_arena_printf(m->arena, "%s.hef", m->model->name));
    if (!hef)
        return sl_fail(err, SLUICE_E_USAGE, "the model is not compiled: its state is %s", sluice_model_state(m));
    *data = hef->data;
    *size = hef->size;
    return SLUICE_OK;
}

sluice_status sluice_model_save_hef(const struct sluice_model *m, const char *path, struct sluice_error *err)
{
    const void *data = NULL;
    size_t size = 0;
    SL_TRY(sluice_model_hef(m, &data, &size, err));
    return sl_write_file(path, data, size, err);
}

sluice_status sluice_list_passes(const char *driver, char **text, struct sluice_error *err)
{
    struct sl_buffer b = {0};
    if (strcmp(driver, "optimize") == 0)
        sl_optimize_list_passes(&b);
    else if (strcmp(driver, "compile") == 0)
        sl_compile_list_passes(&b);
    else
        return sl_fail(err, SLUICE_E_USAGE, "'%s' is not a driver (optimize, compile)", driver);
    return sl_api_take_text(&b, text, err);
}
