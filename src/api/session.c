/* session.c: opening sessions, moving frames between a caller's layout and an engine's, benchmark. Engines: session_float.c,
 * session_device.c; files: session_files.c. */
#include "api/session.h"

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/kernels.h"

struct sluice_session *session_new(const struct sluice_session_options *o, sl_err *e)
{
    struct sluice_session *s = calloc(1, sizeof *s);
    if (!s) {
        sl_fail(e, SLUICE_E_MEMORY, "out of memory");
        return NULL;
    }
    s->arena = sl_arena_new();
    s->threads = o->threads > 0 ? o->threads : sl_cpu_count();
    s->memory_limit = sl_memory_limit(o->memory_limit);
    s->kernel_level = "float";
    if (o->dump_tensors)
        s->dump_tensors = sl_arena_strdup(s->arena, o->dump_tensors);
    return s;
}

void sluice_session_close(struct sluice_session *s)
{
    if (!s)
        return;
    if (s->close)
        s->close(s->engine);
    sl_arena_free(s->arena);
    free(s);
}

static sluice_status set_port(struct sluice_session *s, struct session_port *p, void **buffer, sl_err *e)
{
    size_t bytes;
    if (!sl_shape_count(&p->shape, &p->elements) || !sl_bytes_of(p->dtype, &p->shape, &bytes))
        return sl_fail(e, SLUICE_E_LIMIT, "'%s' is too large", p->info.name);
    p->info.dtype = sl_dtype_name(p->dtype);
    p->info.rank = p->shape.rank;
    p->info.origin_rank = p->origin.rank;
    memcpy(p->info.shape, p->shape.dim, sizeof p->info.shape);
    memcpy(p->info.origin_shape, p->origin.dim, sizeof p->info.origin_shape);
    *buffer = sl_arena_alloc_aligned64(s->arena, bytes + 64);
    return *buffer ? SLUICE_OK : sl_fail(e, SLUICE_E_MEMORY, "out of memory for '%s' (%zu bytes)", p->info.name, bytes);
}

sluice_status session_set_ports(struct sluice_session *s, sl_err *e)
{
    s->in_buffers = SL_NEW_ARRAY(s->arena, void *, s->n_in + 1);
    s->out_buffers = SL_NEW_ARRAY(s->arena, void *, s->n_out + 1);
    for (int i = 0; i < s->n_in; i++)
        SL_TRY(set_port(s, &s->in[i], &s->in_buffers[i], e));
    for (int i = 0; i < s->n_out; i++)
        SL_TRY(set_port(s, &s->out[i], &s->out_buffers[i], e));
    return SLUICE_OK;
}

static sluice_status open_mode(struct sluice_session *s, const struct sl_model *m, const char *mode, sl_err *e)
{
    const struct sl_graph *g;
    if (strcmp(mode, "native") == 0)
        g = m->native;
    else if (strcmp(mode, "fp_optimized") == 0)
        g = m->fp_optimized;
    else if (strcmp(mode, "quantized") == 0)
        g = m->quantized;
    else
        return sl_fail(e, SLUICE_E_USAGE, "'%s' is not a mode (native, fp_optimized, quantized)", mode);
    if (!g) {
        sl_fail(e, SLUICE_E_USAGE, "mode '%s' needs an optimized archive; this one's state is %s", mode, sl_model_state_name(m->state));
        return sl_hint(e, "sluice optimize %s.har --calib-set-path ...", m->name);
    }
    s->network = m->name;
    return g == m->quantized ? session_open_quantized(s, m, e) : session_open_float(s, g, e);
}

static sluice_status finish(struct sluice_session *s, sluice_status status, struct sluice_session **out)
{
    if (status == SLUICE_OK)
        *out = s;
    else
        sluice_session_close(s);
    return status;
}

sluice_status sluice_session_open_model(const struct sluice_model *m, const char *mode, const struct sluice_session_options *options,
                                        struct sluice_session **out, struct sluice_error *err)
{
    struct sluice_session *s = session_new(options, err);
    return s ? finish(s, open_mode(s, m->model, mode, err), out) : SLUICE_E_MEMORY;
}

sluice_status sluice_session_open_hef(const char *path, const struct sluice_session_options *options, struct sluice_session **out,
                                      struct sluice_error *err)
{
    struct sluice_session *s = session_new(options, err);
    return s ? finish(s, session_open_hef(s, path, err), out) : SLUICE_E_MEMORY;
}

int sluice_session_inputs(const struct sluice_session *s) { return s->n_in; }
int sluice_session_outputs(const struct sluice_session *s) { return s->n_out; }
const struct sluice_port *sluice_session_input(const struct sluice_session *s, int i) { return &s->in[i].info; }
const struct sluice_port *sluice_session_output(const struct sluice_session *s, int i) { return &s->out[i].info; }

/* ---- layouts ---- */

static bool is_identity(const struct session_port *p)
{
    for (int i = 0; i < p->shape.rank; i++)
        if (p->perm[i] != i)
            return false;
    return true;
}

/* stored -> origin when to_origin, else back: a transpose copy of elements of `bytes`. */
static void permute(const struct session_port *p, int bytes, bool to_origin, const void *in, void *out)
{
    int64_t perm[SL_MAX_RANK];
    struct sl_shape source = p->shape;
    for (int i = 0; i < p->shape.rank; i++) {
        if (to_origin) {
            perm[i] = p->perm[i];
        } else {
            perm[p->perm[i]] = i;
            source.dim[i] = p->shape.dim[p->perm[i]];
        }
    }
    struct sl_copy_args args;
    struct sl_work w;
    sl_copy_transpose(&args, bytes, &source, perm);
    sl_prepare_copy(sl_kernels(), &args, &w);
    struct sl_io io = {.in = {in}, .out = out};
    void *scratch = w.scratch_bytes ? aligned_alloc(64, (w.scratch_bytes + 63) & ~(size_t)63) : NULL;
    for (int t = 0; t < w.n_tasks; t++)
        sl_work_run(&w, &io, t, scratch);
    free(scratch);
}

enum sl_dtype session_raw_type(const struct session_port *p, bool origin_layout)
{
    bool is_signed = (p->dtype == SL_U8 && p->origin_dtype == SL_S8) || (p->dtype == SL_U16 && p->origin_dtype == SL_S16);
    return origin_layout && is_signed ? p->origin_dtype : p->dtype;
}

void session_turn_sign(enum sl_dtype t, const void *in, void *out, size_t n)
{
    if (t == SL_S8)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)out)[i] = ((const uint8_t *)in)[i] ^ 0x80;
    else
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)out)[i] = ((const uint16_t *)in)[i] ^ 0x8000;
}

static void quantize(const struct session_port *p, const float *in, void *out)
{
    struct sl_quantize_args args = {.type = p->dtype, .n = p->elements, .scale = p->info.scale, .zero_point = p->info.zero_point};
    struct sl_work w;
    sl_prepare_quantize(sl_kernels(), &args, &w);
    struct sl_io io = {.in = {in}, .out = out};
    for (int t = 0; t < w.n_tasks; t++)
        sl_work_run(&w, &io, t, NULL);
}

static void dequantize(const struct session_port *p, const void *in, float *out)
{
    struct sl_dequantize_args args = {.type = p->dtype,
                                      .n = p->elements,
                                      .channels = p->n_scales,
                                      .scales = p->scales,
                                      .scale = p->info.scale,
                                      .zero_point = p->info.zero_point};
    struct sl_work w;
    sl_prepare_dequantize(sl_kernels(), &args, &w);
    struct sl_io io = {.in = {in}, .out = out};
    for (int t = 0; t < w.n_tasks; t++)
        sl_work_run(&w, &io, t, NULL);
}

void session_put_input(struct sluice_session *s, int i, const void *data, bool raw, bool origin_layout)
{
    const struct session_port *p = &s->in[i];
    int bytes = (int)(raw ? sl_dtype_bits(p->dtype) / 8 : sizeof(float));
    if (origin_layout && !is_identity(p)) {
        struct sl_arena_mark mark = sl_arena_mark(s->arena);
        void *temporary = sl_arena_must_alloc(s->arena, p->elements * (size_t)bytes);
        permute(p, bytes, false, data, temporary);
        session_put_input(s, i, temporary, raw, false);
        sl_arena_reset(s->arena, mark);
        return;
    }
    if (raw || p->dtype == SL_F32)
        memcpy(s->in_buffers[i], data, p->elements * (size_t)bytes);
    else
        quantize(p, data, s->in_buffers[i]);
}

void session_get_output(struct sluice_session *s, int i, void *out, const struct sluice_run_options *o)
{
    const struct session_port *p = &s->out[i];
    const void *stored = s->out_buffers[i];
    int bytes = (int)(o->raw ? sl_dtype_bits(p->dtype) / 8 : sizeof(float));
    struct sl_arena_mark mark = sl_arena_mark(s->arena);
    bool transpose = o->origin_layout && !is_identity(p);
    if (!o->raw && p->dtype != SL_F32) {
        float *real = transpose ? sl_arena_must_alloc(s->arena, p->elements * sizeof *real) : out;
        dequantize(p, stored, real);
        stored = real;
    }
    if (transpose)
        permute(p, bytes, true, stored, out);
    else if (stored != out)
        memcpy(out, stored, p->elements * (size_t)bytes);
    enum sl_dtype type = session_raw_type(p, o->origin_layout);
    if (o->raw && type != p->dtype)
        session_turn_sign(type, out, out, p->elements);
    sl_arena_reset(s->arena, mark);
}

sluice_status session_run_frame(struct sluice_session *s, session_watch_fn *watch, void *data, sl_err *e)
{
    unsigned fp = sl_fp_enter();
    sluice_status status = s->run(s->engine, s->in_buffers, s->out_buffers, watch, data, e);
    sl_fp_leave(fp);
    return status;
}

sluice_status sluice_session_run(struct sluice_session *s, const void *const *inputs, const bool *input_is_raw, void *const *outputs,
                                 const struct sluice_run_options *options, struct sluice_error *err)
{
    unsigned fp = sl_fp_enter();
    for (int i = 0; i < s->n_in; i++) {
        bool raw = input_is_raw && input_is_raw[i];
        enum sl_dtype type = session_raw_type(&s->in[i], options->origin_layout);
        session_put_input(s, i, inputs[i], raw, options->origin_layout);
        if (raw && type != s->in[i].dtype)
            session_turn_sign(type, s->in_buffers[i], s->in_buffers[i], s->in[i].elements);
    }
    sluice_status status = session_run_frame(s, NULL, NULL, err);
    for (int i = 0; i < s->n_out && status == SLUICE_OK; i++)
        session_get_output(s, i, outputs[i], options);
    sl_fp_leave(fp);
    return status;
}

/* ---- benchmark ---- */

/* A fixed input: xorshift64*, high byte of each step, so that the picture is the same on every machine. */
static void fill_input(const struct session_port *p, void *data)
{
    uint64_t x = 0x9e3779b97f4a7c15u;
    size_t bytes = p->elements * (sl_dtype_bits(p->dtype) / 8);
    for (size_t i = 0; i < (p->dtype == SL_F32 ? p->elements : bytes); i++) {
        x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
        uint8_t v = (uint8_t)((x * 0x2545f4914f6cdd1du) >> 56);
        if (p->dtype == SL_F32)
            ((float *)data)[i] = (float)v / 255.0f;
        else
            ((uint8_t *)data)[i] = v;
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { MOST_TIMES = 1 << 20 };

sluice_status sluice_session_benchmark(struct sluice_session *s, double seconds, struct sluice_benchmark *out, struct sluice_error *err)
{
    *out = (struct sluice_benchmark){.threads = s->threads,
                                     .kernel_level = s->kernel_level,
                                     .macs = s->macs,
                                     .packed_weight_bytes = s->packed_weight_bytes,
                                     .activation_bytes = s->activation_bytes};
    for (int i = 0; i < s->n_in; i++)
        fill_input(&s->in[i], s->in_buffers[i]);
    double *times = malloc(MOST_TIMES * sizeof *times);
    if (!times)
        return sl_fail(err, SLUICE_E_MEMORY, "out of memory");
    sluice_status status = SLUICE_OK;
    int64_t n = 0;
    for (int warm = 0; warm < 2 && status == SLUICE_OK; warm++)
        status = session_run_frame(s, NULL, NULL, err);
    double start = sl_seconds(), now = start;
    while (status == SLUICE_OK && n < MOST_TIMES && (n < 3 || now - start < seconds)) {
        status = session_run_frame(s, NULL, NULL, err);
        double end = sl_seconds();
        times[n++] = end - now;
        now = end;
    }
    if (status == SLUICE_OK) {
        qsort(times, (size_t)n, sizeof *times, ascending);
        out->frames = n;
        out->seconds = now - start;
        out->frames_per_second = (double)n / out->seconds;
        out->latency_min_ms = times[0] * 1e3;
        out->latency_median_ms = times[n / 2] * 1e3;
        out->latency_p99_ms = times[(n * 99) / 100] * 1e3;
    }
    free(times);
    return status;
}
