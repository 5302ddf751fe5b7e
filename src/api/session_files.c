/* session_files.c: the form `emulate` and `run` share: files in (quant/samples.h reads them), one .npy an output and index.json
 * out. */
#include <string.h>

#include "api/api.h"
#include "api/session.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/npy.h"
#include "quant/samples.h"

struct run {
    struct sluice_session *s;
    const struct sluice_files_options *o;
    struct sl_samples *samples;
    sl_arena *a;
    int64_t frames; /* of the outputs being written */
};

static sluice_status open_samples(struct run *r, sl_err *e)
{
    struct sluice_session *s = r->s;
    struct sl_sample_input *inputs = SL_NEW_ARRAY(r->a, struct sl_sample_input, s->n_in + 1);
    struct sl_sample_options o = {.origin_layout = r->o->run.origin_layout};
    SL_TRY(sl_api_resize(r->o->resize, &o.resize, e));
    for (int i = 0; i < s->n_in; i++) {
        const char *name = s->in[i].info.name, *slash = strchr(name, '/');
        inputs[i] = (struct sl_sample_input){.name = slash ? slash + 1 : name,
                                             .scope = slash ? sl_arena_strndup(r->a, name, (size_t)(slash - name)) : "",
                                             .origin = s->in[i].info.origin_name,
                                             .shape = s->in[i].shape,
                                             .origin_shape = s->in[i].origin};
    }
    return sl_samples_open(r->a, r->o->inputs, (int)r->o->n_inputs, inputs, s->n_in, &o, &r->samples, e);
}

/* Sample k into the session's input buffers: integers of the stored type (in the origin's layout also of the origin's) as they
 * are, everything else as real values. */
static sluice_status put_sample(struct run *r, int64_t k, sl_err *e)
{
    struct sluice_session *s = r->s;
    struct sl_arena_mark mark = sl_arena_mark(r->a);
    struct sl_array *arrays = SL_NEW_ARRAY(r->a, struct sl_array, s->n_in + 1);
    SL_TRY(sl_samples_read(r->samples, r->a, k, arrays, e));
    for (int i = 0; i < s->n_in; i++) {
        enum sl_dtype origin_type = session_raw_type(&s->in[i], r->o->run.origin_layout);
        bool is_origin = arrays[i].dtype == origin_type && origin_type != s->in[i].dtype;
        bool raw = arrays[i].dtype == s->in[i].dtype || is_origin,
             picture = arrays[i].shape.rank == 4 && arrays[i].dtype == SL_U8;
        bool origin = r->o->run.origin_layout && !(picture && sl_shape_equal(&arrays[i].shape, &s->in[i].shape) &&
                                                   !sl_shape_equal(&s->in[i].shape, &s->in[i].origin));
        const void *data = arrays[i].data;
        if (!raw) {
            float *real = sl_arena_alloc(r->a, s->in[i].elements * sizeof *real);
            if (!real)
                return sl_fail(e, SLUICE_E_MEMORY, "out of memory");
            if (sl_array_to_f32(&arrays[i], real, s->in[i].elements, e) != SLUICE_OK)
                return sl_context(e, "input '%s'", s->in[i].info.name);
            data = real;
        }
        session_put_input(s, i, data, raw, origin);
        if (is_origin)
            session_turn_sign(origin_type, s->in_buffers[i], s->in_buffers[i], s->in[i].elements);
    }
    sl_arena_reset(r->a, mark);
    return SLUICE_OK;
}

/* ---- outputs ---- */

struct out_file {
    struct sl_output *file;
    const char *name;
    struct sl_array form;
};

static const char *file_name(sl_arena *a, const char *tensor)
{
    char *name = sl_arena_printf(a, "%s.npy", tensor);
    for (char *c = name; *c; c++)
        if (*c == '/' || *c == '\\' || *c == ':')
            *c = '_';
    return name;
}

/* Positions (of argmax), which are stored narrow, and are the origin's own integers as they stand. */
static bool is_position(const struct session_port *p)
{
    return (p->origin_dtype == SL_S32 || p->origin_dtype == SL_S64) && (p->dtype == SL_U8 || p->dtype == SL_U16) &&
           p->info.scale == 1 && p->info.zero_point == 0;
}

/* In place, from the last element to the first. */
static void widen(const struct session_port *p, void *frame)
{
    for (size_t i = p->elements; i-- > 0;) {
        int64_t v = p->dtype == SL_U8 ? ((const uint8_t *)frame)[i] : ((const uint16_t *)frame)[i];
        if (p->origin_dtype == SL_S64)
            ((int64_t *)frame)[i] = v;
        else
            ((int32_t *)frame)[i] = (int32_t)v;
    }
}

static sluice_status open_output(struct run *r, int i, const char *directory, struct out_file *o, sl_err *e)
{
    const struct session_port *p = &r->s->out[i];
    struct sl_buffer header = {0};
    o->name = file_name(r->a, p->info.name);
    o->form.dtype = r->o->run.raw ? session_raw_type(p, r->o->run.origin_layout) : SL_F32;
    if (r->o->run.raw && r->o->run.origin_layout && is_position(p))
        o->form.dtype = p->origin_dtype;
    o->form.shape = r->o->run.origin_layout ? p->origin : p->shape;
    if (o->form.shape.rank == 0) {
        o->form.shape = (struct sl_shape){.rank = 1, .dim = {1}};
    }
    o->form.shape.dim[0] *= r->frames;
    o->form.bytes = p->elements * (sl_dtype_bits(o->form.dtype) / 8);
    SL_TRY(sl_output_open(sl_path_join(r->a, directory, o->name), &o->file, e));
    sluice_status s = sl_npy_header(&header, &o->form);
    s = s == SLUICE_OK ? sl_output_write(o->file, header.data, header.size, e) : sl_fail(e, SLUICE_E_MEMORY, "out of memory");
    sl_buffer_free(&header);
    return s;
}

static sluice_status write_index(struct run *r, const char *directory, const struct out_file *files, sl_err *e)
{
    json_t *list = json_array(), *index = json_object();
    for (int i = 0; i < r->s->n_out; i++) {
        json_t *o = json_object(), *shape = json_array();
        for (int k = 0; k < files[i].form.shape.rank; k++)
            json_array_append_new(shape, json_integer(files[i].form.shape.dim[k]));
        json_object_set_new(o, "name", json_string(r->s->out[i].info.name));
        json_object_set_new(o, "shape", shape);
        json_object_set_new(o, "file", json_string(files[i].name));
        json_object_set_new(o, "origin_name", json_string(r->s->out[i].info.origin_name ? r->s->out[i].info.origin_name : ""));
        json_object_set_new(o, "dtype", json_string(sl_dtype_name(files[i].form.dtype)));
        json_array_append_new(list, o);
    }
    json_object_set_new(index, "outputs", list);
    struct sl_buffer b = {0};
    sluice_status s = sl_json_write(&b, index, e);
    if (s == SLUICE_OK)
        s = sl_write_file(sl_path_join(r->a, directory, "index.json"), b.data, b.size, e);
    sl_buffer_free(&b);
    json_decref(index);
    return s;
}

/* Every layer of one frame: DIR (one frame) or DIR/<frame>. */
struct dump {
    struct run *r;
    const char *directory;
    json_t *list;
};

static sluice_status dump_tensor(void *data, const struct session_tensor *t, sl_err *e)
{
    struct dump *d = data;
    struct sl_arena_mark mark = sl_arena_mark(d->r->a);
    struct sl_array array = {.dtype = t->dtype, .shape = *t->shape, .data = t->data};
    struct sl_buffer b = {0};
    const char *name = file_name(d->r->a, t->name);
    sl_bytes_of(t->dtype, t->shape, &array.bytes);
    sluice_status s = sl_npy_write(&b, &array);
    s = s == SLUICE_OK ? sl_write_file(sl_path_join(d->r->a, d->directory, name), b.data, b.size, e)
                       : sl_fail(e, SLUICE_E_MEMORY, "out of memory");
    sl_buffer_free(&b);
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(t->name));
    json_object_set_new(o, "file", json_string(name));
    if (t->scale > 0) {
        json_object_set_new(o, "scale", sl_json_f32(t->scale));
        json_object_set_new(o, "zero_point", json_integer(t->zero_point));
    }
    json_array_append_new(d->list, o);
    sl_arena_reset(d->r->a, mark);
    return s;
}

static sluice_status run_dumped(struct run *r, int64_t frame, sl_err *e)
{
    const char *root = r->s->dump_tensors;
    struct dump d = {.r = r,
                     .directory =
                         sl_samples_count(r->samples) == 1 ? root : sl_arena_printf(r->a, "%s/%lld", root, (long long)frame)};
    SL_TRY(sl_make_directory(d.directory, e));
    d.list = json_array();
    sluice_status s = session_run_frame(r->s, dump_tensor, &d, e);
    json_t *index = json_object();
    json_object_set_new(index, "tensors", d.list);
    struct sl_buffer b = {0};
    if (s == SLUICE_OK && (s = sl_json_write(&b, index, e)) == SLUICE_OK)
        s = sl_write_file(sl_path_join(r->a, d.directory, "index.json"), b.data, b.size, e);
    sl_buffer_free(&b);
    json_decref(index);
    return s;
}

/* Samples first .. first + r->frames - 1; files NULL: nothing but the dumps is written. */
static sluice_status run_frames(struct run *r, int64_t first, struct out_file *files, sl_err *e)
{
    struct sluice_session *s = r->s;
    for (int64_t k = 0; k < r->frames; k++) {
        SL_TRY(put_sample(r, first + k, e));
        SL_TRY(s->dump_tensors ? run_dumped(r, first + k, e) : session_run_frame(s, NULL, NULL, e));
        for (int i = 0; files && i < s->n_out; i++) {
            struct sl_arena_mark mark = sl_arena_mark(r->a);
            void *frame = sl_arena_must_alloc(r->a, files[i].form.bytes);
            session_get_output(s, i, frame, &r->o->run);
            if (files[i].form.dtype == SL_S32 || files[i].form.dtype == SL_S64)
                widen(&s->out[i], frame);
            SL_TRY(sl_output_write(files[i].file, frame, files[i].form.bytes, e));
            sl_arena_reset(r->a, mark);
        }
    }
    return SLUICE_OK;
}

static sluice_status run_into(struct run *r, int64_t first, const char *directory, sl_err *e)
{
    if (!directory)
        return run_frames(r, first, NULL, e);
    struct out_file *files = SL_NEW_ARRAY(r->a, struct out_file, r->s->n_out + 1);
    sluice_status s = sl_make_directory(directory, e);
    for (int i = 0; i < r->s->n_out && s == SLUICE_OK; i++)
        s = open_output(r, i, directory, &files[i], e);
    if (s == SLUICE_OK)
        s = run_frames(r, first, files, e);
    for (int i = 0; i < r->s->n_out; i++) {
        if (s == SLUICE_OK)
            s = sl_output_commit(files[i].file, e);
        else
            sl_output_abort(files[i].file);
    }
    return s == SLUICE_OK ? write_index(r, directory, files, e) : s;
}

/* Every file of a folder is a run of its own, into a sub-folder named after it. */
static sluice_status run_folder(struct run *r, int64_t count, sl_err *e)
{
    struct sl_progress *progress = sl_progress_start("running", (uint64_t)count, "files");
    sluice_status s = SLUICE_OK;
    r->frames = 1;
    for (int64_t i = 0; i < count && s == SLUICE_OK; i++) {
        struct sl_arena_mark mark = sl_arena_mark(r->a);
        const char *label = sl_samples_label(r->samples, i);
        s = run_into(r, i, r->o->output_dir ? sl_path_join(r->a, r->o->output_dir, label) : NULL, e);
        sl_arena_reset(r->a, mark);
        sl_progress_step(progress, 1);
    }
    sl_progress_end(progress);
    return s;
}

static sluice_status run_samples(struct run *r, int64_t *frames, sl_err *e)
{
    SL_TRY(open_samples(r, e));
    int64_t count = sl_samples_count(r->samples);
    *frames = count;
    if (sl_samples_folder(r->samples))
        return run_folder(r, count, e);
    r->frames = count;
    return run_into(r, 0, r->o->output_dir, e);
}

sluice_status sluice_session_run_files(struct sluice_session *s, const struct sluice_files_options *options, int64_t *frames,
                                       struct sluice_error *err)
{
    int64_t ran = 0;
    struct run r = {.s = s, .o = options, .a = sl_arena_new()};
    sluice_status status = run_samples(&r, &ran, err);
    sl_arena_free(r.a);
    if (frames)
        *frames = ran;
    return status;
}
