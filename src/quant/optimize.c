/* optimize.c: the stage as a whole: script, structural passes, calibration, quantization; and what it reports. */
#include "quant/optimize.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "ops/float_run.h"
#include "ops/ops.h"
#include "quant/passes.h"
#include "quant/quantize.h"
#include "script/script_table.h"

struct stage {
    const struct sl_optimize_options *options;
    struct sl_script *script; /* NULL: none */
    struct sl_script_settings settings;
    struct sl_graph *g; /* fp_optimized */
    sl_arena *scratch;
    double *largest_std; /* of the normalization behind each input; 0: none */
    json_t *applied;
};

/* ---- script ---- */
static void note(struct stage *s, const char *text)
{
    json_array_append_new(s->applied, json_string(text));
}

static sluice_status read_script(struct stage *s, sl_err *e)
{
    const struct sl_optimize_options *o = s->options;

    if (!o->script.size)
        return SLUICE_OK;
    SL_TRY(sl_script_parse(s->g->arena, o->script_name ? o->script_name : "model script", o->script, &s->script, e));
    for (int i = 0; i < s->script->n; i++) {
        const struct sl_command *c = &s->script->commands[i];
        if (c->row->stage != SL_SCRIPT_COMPILE)
            note(s, sl_arena_printf(s->scratch, "script line %d: %s%s%s", c->line, c->name, c->part ? " " : "",
                                    c->part ? c->part->name : ""));
    }
    return SLUICE_OK;
}

/* A layer of the unfused graph as it is now: itself, or the layer that took it over (found by its origins). */
static struct sl_node *current(const struct sl_graph *g, const struct sl_node *n)
{
    struct sl_node *now = sl_graph_find(g, n->name);

    for (int i = n->n_origins - 1; !now && i >= 0; i--)
        now = sl_graph_find(g, n->origins[i]);
    return now;
}

/* Settings name layers of the graph before fusing. */
static void follow_settings(struct stage *s)
{
    struct sl_script_settings *t = &s->settings;
    int kept = 0;

    for (int i = 0; i < t->n_clippings; i++) {
        struct sl_script_clipping k = t->clippings[i];
        k.node = current(s->g, k.node);
        if (k.node)
            t->clippings[kept++] = k;
    }
    t->n_clippings = kept;
    kept = 0;
    for (int i = 0; i < t->n_wide; i++) {
        struct sl_node *n = current(s->g, t->wide[i]);
        if (n)
            t->wide[kept++] = n;
    }
    t->n_wide = kept;
}

/* ---- float graph ---- */
static void find_normalizations(struct stage *s)
{
    s->largest_std = SL_NEW_ARRAY(s->scratch, double, s->g->n_inputs + 1);
    for (int i = 0; i < s->g->n_nodes; i++) {
        const struct sl_node *n = s->g->nodes[i];
        const struct sl_const *c = n->op == SL_OP_normalization ? sl_param(n, "std") : NULL;
        const float *std = c && c->dtype == SL_F32 ? sl_const_dense(s->scratch, c) : NULL;
        for (int k = 0; std && k < s->g->n_inputs; k++)
            if (n->in[0] == s->g->inputs[k].node)
                for (size_t v = 0; v < sl_shape_elements(&c->shape); v++)
                    s->largest_std[k] = fmax(s->largest_std[k], fabs((double)std[v]));
    }
}

static sluice_status make_fp_optimized(struct stage *s, sl_err *e)
{
    struct sl_fuse fuse = {.graph = s->g, .script = s->script, .settings = &s->settings};

    SL_TRY(sl_run_passes(
        &fuse, "apply-script",
        s->options->dump_after && !strcmp(s->options->dump_after, "apply-script") ? s->options->dump_after : NULL, e));
    find_normalizations(s);
    if (s->script)
        SL_TRY(sl_script_apply(s->script, SL_SCRIPT_OPTIMIZE, s->g, &s->settings, e));
    fuse.script = NULL; /* applied */
    SL_TRY(sl_run_passes(&fuse, NULL, s->options->dump_after, e));
    for (int i = 0; i < sl_n_optimize_passes; i++)
        note(s, sl_arena_printf(s->scratch, "pass %s", sl_optimize_passes[i].name));
    follow_settings(s);
    return SLUICE_OK;
}

/* ---- samples ---- */
struct reader {
    const struct sl_graph *g;
    struct sl_samples *samples;
};

static sluice_status read_sample(void *data, sl_arena *scratch, int64_t index, float *const *inputs, sl_err *e)
{
    const struct reader *r = data;
    struct sl_array *arrays = SL_NEW_ARRAY(scratch, struct sl_array, r->g->n_inputs + 1);

    SL_TRY(sl_samples_read(r->samples, scratch, index, arrays, e));
    for (int i = 0; i < r->g->n_inputs; i++)
        if (sl_array_to_f32(&arrays[i], inputs[i], sl_shape_elements(&r->g->inputs[i].node->shape), e) != SLUICE_OK)
            return sl_context(e, "calibration sample %lld of input '%s'", (long long)index, r->g->inputs[i].node->name);
    return SLUICE_OK;
}

static sluice_status open_calibration(struct stage *s, struct reader *r, struct sl_sample_source *out, sl_err *e)
{
    const struct sl_optimize_options *o = s->options;
    const struct sl_graph *g = s->g;
    struct sl_sample_options options = o->samples;
    struct sl_sample_input *inputs = SL_NEW_ARRAY(s->scratch, struct sl_sample_input, g->n_inputs + 1);
    const char *path = o->calibration;

    if (!path == !o->random_calibration)
        return sl_fail(e, SLUICE_E_USAGE, "give either a calibration set or random calibration");
    if (s->settings.calibset_size && (!options.limit || s->settings.calibset_size < options.limit))
        options.limit = s->settings.calibset_size;
    if (o->random_calibration) {
        sl_random_source(g, out);
        if (options.limit && options.limit < out->count)
            out->count = options.limit;
        return SLUICE_OK;
    }
    for (int i = 0; i < g->n_inputs; i++) {
        const struct sl_port *p = &g->inputs[i];
        inputs[i] = (struct sl_sample_input){.name = p->node->name,
                                             .scope = p->node->scope,
                                             .origin = p->origin_name,
                                             .shape = p->node->shape,
                                             .origin_shape = p->origin_shape};
    }
    if (sl_samples_open(s->scratch, &path, 1, inputs, g->n_inputs, &options, &r->samples, e) != SLUICE_OK)
        return sl_context(e, "calibration set");
    r->g = g;
    *out = (struct sl_sample_source){.count = sl_samples_count(r->samples), .read = read_sample, .data = r};
    return SLUICE_OK;
}

/* Data and normalization that do not belong together ruin accuracy silently: say so. */
static void warn_of_ranges(const struct stage *s, const struct sl_calibration *c)
{
    for (int i = 0; i < s->g->n_inputs; i++) {
        const struct sl_node *n = s->g->inputs[i].node;
        const struct sl_statistics *t = c->output[n->index];
        if (!t || !t->count)
            continue;
        if (s->largest_std[i] >= 50 && t->max <= 1.5f && t->min >= -1.5f)
            sl_warn("input '%s': the script divides by up to %g, but the calibration data lie within %g to %g; they look "
                    "normalized already",
                    n->name, s->largest_std[i], (double)t->min, (double)t->max);
        if (s->largest_std[i] > 0 && s->largest_std[i] <= 2 && t->max > 100)
            sl_warn("input '%s': the script divides by at most %g, but the calibration data reach %g; the script seems to be "
                    "for data "
                    "within 0 to 1",
                    n->name, s->largest_std[i], (double)t->max);
    }
}

/* ---- report ---- */
static json_t *layer_report(const struct sl_node *n, const struct sl_statistics *t)
{
    json_t *o = json_object();

    json_object_set_new(o, "min", sl_json_f32(t->min));
    json_object_set_new(o, "max", sl_json_f32(t->max));
    json_object_set_new(o, "zeros", json_real(t->count ? (double)t->zeros / (double)t->count : 0));
    if (n && n->quant.dtype != SL_NONE) {
        float top = (float)(sl_quant_max(n->quant.dtype) - n->quant.zero_point);
        json_object_set_new(o, "low", sl_json_f32(n->quant.scale * (float)(0 - n->quant.zero_point)));
        json_object_set_new(o, "high", sl_json_f32(n->quant.scale * top));
        json_object_set_new(o, "dtype", json_string(sl_dtype_name(n->quant.dtype)));
    }
    return o;
}

/* "scope/name" -> node */
static struct sl_map *nodes_by_name(const struct sl_graph *g, sl_arena *a)
{
    struct sl_map *map = sl_map_new(a);

    for (int i = 0; i < g->n_nodes; i++)
        sl_map_set(map, sl_arena_printf(a, "%s/%s", g->nodes[i]->scope, g->nodes[i]->name), g->nodes[i]);
    return map;
}

static json_t *report(const struct stage *s, const struct sl_calibration *c, const struct sl_graph *quantized, int64_t samples)
{
    json_t *o = json_object(), *layers = json_object();
    struct sl_map *after = nodes_by_name(quantized, s->scratch);

    json_object_set_new(o, "samples", json_integer(samples));
    json_object_set_new(o, "range_method",
                        json_string(sl_range_method_name(
                            s->options->range_method == SL_RANGE_DEFAULT ? SL_RANGE_MSE : s->options->range_method)));
    for (int i = 0; i < s->g->n_nodes; i++) {
        const struct sl_node *n = s->g->nodes[i];
        if (c->output[i])
            json_object_set_new(layers, n->name,
                                layer_report(sl_map_get(after, sl_arena_printf(s->scratch, "%s/%s", n->scope, n->name)), c->output[i]));
    }
    json_object_set_new(o, "layers", layers);
    return o;
}

/* ---- the stage ---- */
/* Each thread has a float run of its own: as many as fit, and one at least. */
static sluice_status choose_threads(const struct stage *s, int *threads, sl_err *e)
{
    uint64_t limit = sl_memory_limit(s->options->memory_limit), most;
    struct sl_float_memory one;
    int wanted = s->options->threads > 0 ? s->options->threads : sl_cpu_count();

    SL_TRY(sl_float_fits(s->g, false, limit, &one, e));
    most = limit / SL_MAX(one.tensors + one.constants, UINT64_C(1));
    *threads = (int)SL_MIN((uint64_t)wanted, most);
    if (*threads < wanted)
        sl_info("calibrating on %d of %d threads, which is what the memory limit of %.0f MiB allows", *threads, wanted,
                (double)limit / 0x1p20);
    return SLUICE_OK;
}

static sluice_status quantize(struct stage *s, struct sl_optimize_result *out, sl_err *e)
{
    struct sl_quantize_options q = {
        .encode = {.method = s->options->range_method,
                   .n_wide = s->settings.n_wide,
                   .wide = s->settings.wide,
                   .n_clippings = s->settings.n_clippings,
                   .clippings = s->settings.clippings},
    };
    struct sl_sample_source source = {0};
    struct reader reader = {0};
    struct sl_calibration c;
    double start = sl_seconds();
    int threads;

    sluice_status status = sl_check_quantizable(s->g, e);
    out->no_form = status != SLUICE_OK;
    SL_TRY(status);
    SL_TRY(choose_threads(s, &threads, e));
    SL_TRY(open_calibration(s, &reader, &source, e));
    SL_TRY(sl_calibrate(s->g, &source, threads, s->scratch, &c, e));
    warn_of_ranges(s, &c);
    sl_info("calibrated on %lld samples in %.1f s", (long long)source.count, sl_seconds() - start);
    SL_TRY(sl_quantize_graph(s->g, &c, &q, &out->quantized, e));
    out->statistics = report(s, &c, out->quantized, source.count);
    return SLUICE_OK;
}

static sluice_status run(struct stage *s, struct sl_optimize_result *out, sl_err *e)
{
    SL_TRY(read_script(s, e));
    SL_TRY(make_fp_optimized(s, e));
    out->fp_optimized = s->g;
    return s->options->full_precision_only ? SLUICE_OK : quantize(s, out, e);
}

sluice_status sl_optimize(const struct sl_graph *native, const struct sl_optimize_options *options,
                          struct sl_optimize_result *out, sl_err *e)
{
    struct stage s = {.options = options, .scratch = sl_arena_new(), .applied = json_array()};
    unsigned fp = sl_fp_enter();
    sluice_status status;

    *out = (struct sl_optimize_result){0};
    s.g = sl_graph_copy(native, native->arena);
    status = run(&s, out, e);
    sl_fp_leave(fp);
    sl_arena_free(s.scratch);
    if (status != SLUICE_OK) {
        json_decref(s.applied);
        json_decref(out->statistics);
        *out = (struct sl_optimize_result){.no_form = out->no_form};
        return status;
    }
    out->applied = s.applied;
    return SLUICE_OK;
}
