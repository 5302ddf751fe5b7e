/* model_api.c: include/sluice/model.h over the rooms: parse, load, save, describe. Optimize and compile: api/stages.c. */
#include "api/api.h"
#include "api/keep_heads.h"
#include "api/parse_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tar.h"
#include "front/known_files.h"
#include "har/har.h"
#include "ir/text.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include "tflite/tflite.h"

#define SLUICE_VERSION "0.1.0"

const char *sluice_version(void) { return SLUICE_VERSION; }

void sluice_free(void *text) { free(text); }

sluice_status sl_api_take_text(struct sl_buffer *b, char **text, sl_err *e)
{
    char *copy = NULL;
    const char *view = b->failed ? NULL : sl_buffer_text(b);
    if (view && (copy = malloc(b->size + 1)))
        memcpy(copy, view, b->size + 1);
    sl_buffer_free(b);
    *text = copy;
    return copy ? SLUICE_OK : sl_fail(e, SLUICE_E_MEMORY, "out of memory");
}

static const char *const architectures[] = {"hailo10h", "hailo15h", "hailo15l"};

static sluice_status check_arch(const char *arch, sl_err *e)
{
    for (size_t i = 0; i < SL_COUNT(architectures); i++)
        if (strcmp(arch, architectures[i]) == 0)
            return SLUICE_OK;
    sl_fail(e, SLUICE_E_USAGE, "'%s' is not a known architecture", arch);
    if (strncmp(arch, "hailo8", 6) == 0)
        return sl_hint(e, "hailo8 belongs to the 4.x tools; the architectures here are hailo10h, hailo15h and hailo15l");
    return sl_hint(e, "hailo10h, hailo15h or hailo15l");
}

static struct sluice_model *model_new(void)
{
    struct sluice_model *m = calloc(1, sizeof *m);
    if (m)
        m->arena = sl_arena_new();
    return m;
}

void sluice_model_free(struct sluice_model *m)
{
    if (!m)
        return;
    sl_arena_free(m->arena);
    free(m);
}

/* "input=[1,3,640,640]", "input:[...]" or "[...]": the name is what comes before the last '=' or ':' in front of the bracket. */
static sluice_status parse_shape(sl_arena *a, const char *text, struct sl_given_shape *out, sl_err *e)
{
    const char *open = strchr(text, '['), *p = open;
    if (!open || (open > text && open[-1] != '=' && open[-1] != ':'))
        goto bad;
    out->name = open > text ? sl_arena_strndup(a, text, (size_t)(open - text - 1)) : NULL;
    while (*p == '[' || *p == ',') {
        char *end = NULL;
        long long v = strtoll(p + 1, &end, 10);
        if (end == p + 1 || v < 1 || out->shape.rank == SL_MAX_RANK)
            goto bad;
        out->shape.dim[out->shape.rank++] = v;
        p = end + strspn(end, " ");
    }
    if (p[0] == ']' && !p[1])
        return SLUICE_OK;
bad:
    sl_fail(e, SLUICE_E_USAGE, "'%s' is not a tensor shape of 1 to %d positive dimensions", text, SL_MAX_RANK);
    return sl_hint(e, "[1,3,640,640] or input=[1,3,640,640]");
}

static sluice_status import_options(sl_arena *a, const char *path, const struct sluice_parse_options *o, struct sl_import_options *out,
                                    sl_err *e)
{
    struct sl_given_shape *shapes = SL_NEW_ARRAY(a, struct sl_given_shape, o->n_tensor_shapes + 1);
    for (size_t i = 0; i < o->n_tensor_shapes; i++)
        SL_TRY(parse_shape(a, o->tensor_shapes[i], &shapes[i], e));
    *out = (struct sl_import_options){
        .net_name = o->net_name ? o->net_name : sl_path_stem(a, path),
        .start_nodes = o->start_nodes,
        .n_start = (int)o->n_start_nodes,
        .end_nodes = o->end_nodes,
        .n_end = (int)o->n_end_nodes,
        .tensor_shapes = shapes,
        .n_tensor_shapes = (int)o->n_tensor_shapes,
    };
    return SLUICE_OK;
}

/* "NHWC", "input=NCHW", or words: "batch,height,width,channels". Only where the channels stand matters. */
static sluice_status parse_format(sl_arena *a, const char *text, struct sl_onnx_format *out, sl_err *e)
{
    const char *equals = strrchr(text, '=');
    const char *order = equals ? equals + 1 : text;
    bool words = strchr(order, ',') != NULL;
    int rank = 0, channels = -1, batch = -1;
    out->name = equals ? sl_arena_strndup(a, text, (size_t)(equals - text)) : NULL;
    for (const char *p = order + strspn(order, "[ "); *p && *p != ']'; rank++) {
        if (*p == 'c' || *p == 'C')
            channels = rank;
        else if (*p == 'n' || *p == 'N' || *p == 'b' || *p == 'B')
            batch = rank;
        else if (!strchr("hwdftHWDFT", *p))
            goto bad;
        p += words ? strcspn(p, ",]") : 1;
        p += words ? strspn(p, ", ") : 0;
    }
    out->channels_first = channels == 1;
    if (rank >= 3 && rank <= 5 && batch == 0 && (channels == 1 || channels == rank - 1))
        return SLUICE_OK;
bad:
    sl_fail(e, SLUICE_E_USAGE, "'%s' is not an input format", text);
    return sl_hint(e, "NCHW or NHWC, for one input NAME=NHWC; batch first, channels second or last");
}

static sluice_status parse_formats(sl_arena *a, const struct sluice_parse_options *o, struct sl_onnx_options *onnx, sl_err *e)
{
    struct sl_onnx_format *formats = SL_NEW_ARRAY(a, struct sl_onnx_format, o->n_input_formats + 1);
    for (size_t i = 0; i < o->n_input_formats; i++)
        SL_TRY(parse_format(a, o->input_formats[i], &formats[i], e));
    onnx->formats = formats;
    onnx->n_formats = (int)o->n_input_formats;
    return SLUICE_OK;
}

static void show_notes(const struct sl_import_report *r)
{
    for (int i = 0; i < r->n_notes; i++)
        sl_info("%s", r->notes[i]);
}

/* The parts that start and end nodes cut off travel with the network. */
static void keep_cut_parts(struct sl_model *model, const struct sl_onnx_report *r)
{
    if (r->preprocess.size)
        sl_model_set_file(model, sl_arena_printf(model->arena, "%s.preprocess.onnx", model->name), r->preprocess);
    if (r->postprocess.size)
        sl_model_set_file(model, sl_arena_printf(model->arena, "%s.postprocess.onnx", model->name), r->postprocess);
}

struct onnx_file {
    const char *path;
    struct sl_view bytes;
    const struct sl_onnx_options *options;
};

static struct sl_graph *parse_onnx_part(sl_arena *a, void *context, const char *const *end_nodes, int n_end, struct sl_import_report *r)
{
    const struct onnx_file *f = context;
    struct sl_onnx_options o = *f->options;
    struct sl_graph *g = NULL;
    sl_err ignored = {0};
    o.common.end_nodes = end_nodes;
    o.common.n_end = n_end;
    o.drop_cut_parts = true;
    o.keep_network_part = false;
    struct sl_onnx_report report;
    sluice_status s = sl_onnx_import(a, f->path, f->bytes, &o, &g, &report, &ignored);
    *r = report.common;
    return s == SLUICE_OK ? g : NULL;
}

/* Names may be more than a hint holds. */
static void give_recommended(const struct sluice_parse_options *o, const struct sl_import_report *r)
{
    struct sl_buffer text = {0};
    sl_err ignored = {0};
    for (int i = 0; i < r->n_recommended && o->recommended; i++)
        sl_put_printf(&text, "%s\n", r->recommended[i]);
    if (text.size)
        sl_api_take_text(&text, o->recommended, &ignored);
}

static sluice_status import_onnx(struct sluice_model *m, const char *path, struct sl_view bytes, const struct sluice_parse_options *o,
                                 const struct sl_onnx_options *onnx, struct sl_onnx_report *report, struct sl_graph **g, sl_err *e)
{
    sl_err unwritten = {0};
    sluice_status s = sl_onnx_import(m->arena, path, bytes, onnx, g, report, e);
    struct onnx_file file = {path, bytes, onnx};
    if (s == SLUICE_OK)
        sl_find_heads(m->arena, *g, parse_onnx_part, &file, onnx->common.n_end > 0, &report->common);
    if (s == SLUICE_E_UNSUPPORTED) {
        sl_recommend_heads(m->arena, parse_onnx_part, &file, &report->common, e);
        give_recommended(o, &report->common);
    }
    show_notes(&report->common);
    if (o->report_path && sl_write_onnx_report(o->report_path, path, *g, report, e, &unwritten) != SLUICE_OK && s == SLUICE_OK) {
        *e = unwritten;
        return e->code;
    }
    return s;
}

/* A model that came through goes to the caller; one that did not is freed. */
static sluice_status finish(struct sluice_model *m, sluice_status s, struct sluice_model **out)
{
    if (s == SLUICE_OK)
        *out = m;
    else
        sluice_model_free(m);
    return s;
}

static void take_native(struct sluice_model *m, struct sl_graph *g, const char *arch)
{
    m->model = sl_model_new(m->arena, g->name);
    sl_model_set_json(m->model, &m->model->versions, json_pack("{s:s}", "sluice", SLUICE_VERSION));
    m->model->state = SL_MODEL_HAILO_MODEL;
    m->model->hw_arch = sl_arena_strdup(m->arena, arch);
    m->model->native = g;
}

static sluice_status parse_onnx(struct sluice_model *m, const char *path, const struct sluice_parse_options *o, sl_err *e)
{
    const char *arch = o->hw_arch ? o->hw_arch : architectures[0];
    SL_TRY(check_arch(arch, e));
    struct sl_view bytes;
    SL_TRY(sl_refuse_directory(path, SL_FORMAT_ONNX, e));
    SL_TRY(sl_map_file(m->arena, path, &bytes, e));
    struct sl_onnx_options onnx = {.drop_cut_parts = o->drop_cut_parts, .keep_network_part = o->part_path != NULL};
    SL_TRY(import_options(m->arena, path, o, &onnx.common, e));
    SL_TRY(parse_formats(m->arena, o, &onnx, e));
    struct sl_graph *g = NULL;
    struct sl_onnx_report report = {0};
    SL_TRY(import_onnx(m, path, bytes, o, &onnx, &report, &g, e));
    take_native(m, g, arch);
    keep_cut_parts(m->model, &report);
    if (report.network.size)
        SL_TRY(sl_write_file(o->part_path, report.network.data, report.network.size, e));
    sl_keep_heads(m->model, &report.common);
    return SLUICE_OK;
}

/* A file that is quantized throughout is optimized already; where a layer has no scale, calibration has to find them all. */
static void take_file_quantization(struct sl_model *model, const struct sl_graph *encoded)
{
    sl_err why = {0};
    if (!encoded)
        return;
    if (sl_tflite_quantized(encoded, model->arena, &model->fp_optimized, &model->quantized, &why) == SLUICE_OK) {
        model->state = SL_MODEL_QUANTIZED_MODEL;
        return;
    }
    model->fp_optimized = model->quantized = NULL;
    sl_warn("the file's own quantization is not used: %s", why.message);
}

struct tflite_file {
    const char *path;
    struct sl_view bytes;
    const struct sl_import_options *options;
};

static struct sl_graph *parse_tflite_part(sl_arena *a, void *context, const char *const *end_nodes, int n_end, struct sl_import_report *r)
{
    const struct tflite_file *f = context;
    struct sl_import_options o = *f->options;
    struct sl_graph *g = NULL;
    sl_err ignored = {0};
    o.end_nodes = end_nodes;
    o.n_end = n_end;
    struct sl_tflite_report report;
    sluice_status s = sl_tflite_import(a, f->path, f->bytes, &o, &g, &report, &ignored);
    *r = report.common;
    return s == SLUICE_OK ? g : NULL;
}

static sluice_status parse_tflite(struct sluice_model *m, const char *path, const struct sluice_parse_options *o, sl_err *e)
{
    const char *arch = o->hw_arch ? o->hw_arch : architectures[0];
    SL_TRY(check_arch(arch, e));
    struct sl_view bytes;
    struct sl_import_options tflite;
    SL_TRY(sl_refuse_directory(path, SL_FORMAT_TFLITE, e));
    SL_TRY(sl_map_file(m->arena, path, &bytes, e));
    SL_TRY(import_options(m->arena, path, o, &tflite, e));
    struct sl_graph *g = NULL;
    struct sl_tflite_report report = {0};
    sl_err unwritten = {0};
    sluice_status s = sl_tflite_import(m->arena, path, bytes, &tflite, &g, &report, e);
    struct tflite_file file = {path, bytes, &tflite};
    if (s == SLUICE_OK)
        sl_find_heads(m->arena, g, parse_tflite_part, &file, tflite.n_end > 0, &report.common);
    if (s == SLUICE_E_UNSUPPORTED) {
        sl_recommend_heads(m->arena, parse_tflite_part, &file, &report.common, e);
        give_recommended(o, &report.common);
    }
    show_notes(&report.common);
    if (o->report_path && sl_write_tflite_report(o->report_path, path, g, &report, e, &unwritten) != SLUICE_OK && s == SLUICE_OK) {
        *e = unwritten;
        s = e->code;
    }
    if (s != SLUICE_OK)
        return s;
    take_native(m, g, arch);
    take_file_quantization(m->model, report.encoded);
    sl_keep_heads(m->model, &report.common);
    return SLUICE_OK;
}

typedef sluice_status parse_fn(struct sluice_model *m, const char *path, const struct sluice_parse_options *o, sl_err *e);

static sluice_status parse_file(parse_fn *parse, const char *path, const struct sluice_parse_options *options, struct sluice_model **out,
                                sl_err *err)
{
    struct sluice_model *m = model_new();
    if (options->recommended)
        *options->recommended = NULL;
    if (!m)
        return sl_fail(err, SLUICE_E_MEMORY, "out of memory");
    sluice_status s = parse(m, path, options, err);
    return finish(m, s, out);
}

sluice_status sluice_model_parse_onnx(const char *path, const struct sluice_parse_options *options, struct sluice_model **out,
                                      struct sluice_error *err)
{
    return parse_file(parse_onnx, path, options, out, err);
}

sluice_status sluice_model_parse_tflite(const char *path, const struct sluice_parse_options *options, struct sluice_model **out,
                                        struct sluice_error *err)
{
    return parse_file(parse_tflite, path, options, out, err);
}

static sluice_status load(struct sluice_model *m, const char *path, sl_err *e)
{
    SL_TRY(sl_har_open(m->arena, path, &m->model, e));
    struct sl_graph *const graphs[] = {m->model->native, m->model->fp_optimized, m->model->quantized};
    for (size_t i = 0; i < SL_COUNT(graphs); i++)
        if (graphs[i] && sl_verify_types(graphs[i], e) != SLUICE_OK)
            return sl_context(e, "%s", path);
    return SLUICE_OK;
}

sluice_status sluice_model_load(const char *path, struct sluice_model **out, struct sluice_error *err)
{
    struct sluice_model *m = model_new();
    if (!m)
        return sl_fail(err, SLUICE_E_MEMORY, "out of memory");
    sluice_status s = load(m, path, err);
    return finish(m, s, out);
}

sluice_status sluice_model_save(const struct sluice_model *m, const char *path, struct sluice_error *err)
{
    return sl_har_write(m->model, path, err);
}

const char *sluice_model_name(const struct sluice_model *m) { return m->model->name; }
const char *sluice_model_state(const struct sluice_model *m) { return sl_model_state_name(m->model->state); }
const char *sluice_model_hw_arch(const struct sluice_model *m) { return m->model->hw_arch; }

sluice_status sluice_model_set_hw_arch(struct sluice_model *m, const char *hw_arch, struct sluice_error *err)
{
    SL_TRY(check_arch(hw_arch, err));
    m->model->hw_arch = sl_arena_strdup(m->arena, hw_arch);
    return SLUICE_OK;
}

sluice_status sluice_model_extract(const struct sluice_model *m, const char *directory, struct sluice_error *err)
{
    sl_arena *a = sl_arena_new();
    struct sl_tar_member *members = NULL;
    size_t n = 0;
    sluice_status s = sl_make_directory(directory, err);
    if (s == SLUICE_OK)
        s = sl_har_members(m->model, a, &members, &n, err);
    for (size_t i = 0; i < n && s == SLUICE_OK; i++)
        s = sl_tar_write_member_file(sl_path_join(a, directory, members[i].name), &members[i], err);
    sl_arena_free(a);
    return s;
}

sluice_status sluice_model_print(const struct sluice_model *m, const char *stage, char **text, struct sluice_error *err)
{
    const struct sl_graph *g = NULL;
    if (strcmp(stage, "native") == 0)
        g = m->model->native;
    else if (strcmp(stage, "fp_optimized") == 0)
        g = m->model->fp_optimized;
    else if (strcmp(stage, "quantized") == 0)
        g = m->model->quantized;
    else
        return sl_fail(err, SLUICE_E_USAGE, "'%s' is not a stage (native, fp_optimized, quantized)", stage);
    if (!g) {
        sl_fail(err, SLUICE_E_USAGE, "the archive has no %s graph: its state is %s", stage, sluice_model_state(m));
        return sl_hint(err, "sluice optimize");
    }
    struct sl_buffer b = {0};
    SL_TRY(sl_text_print(g, NULL, &b, err));
    return sl_api_take_text(&b, text, err);
}
