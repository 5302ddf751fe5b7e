/* session_files.c: the form `emulate` and `run` share: files in (npy, npz, pictures, folders), one .npy an output and index.json out. */
#include <stdlib.h>
#include <string.h>

#include "api/session.h"
#include "base/error.h"
#include "base/file.h"
#include "base/image.h"
#include "base/json.h"
#include "base/log.h"
#include "base/npy.h"

/* What one input gets in one run: frames of a picture or of an array, all of one element type. */
struct feed {
    bool given, raw;
    const char *source;        /* for messages */
    enum sl_dtype dtype;
    const uint8_t *data;
    size_t frame_bytes;
    int64_t frames;
};

struct run {
    struct sluice_session *s;
    const struct sluice_files_options *o;
    enum sl_resize_mode resize;
    sl_arena *a;
    struct feed *feeds;        /* by input */
    int64_t frames;
};

static const char *const picture_suffixes[] = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", NULL};
static const char *const input_suffixes[] = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".npy", ".npz", NULL};

static bool has_suffix(const char *path, const char *const *suffixes)
{
    size_t n = strlen(path);
    for (; *suffixes; suffixes++) {
        size_t k = strlen(*suffixes);
        if (n > k && strcasecmp(path + n - k, *suffixes) == 0)
            return true;
    }
    return false;
}

/* ---- which input a name means ---- */

static int find_input(const struct sluice_session *s, const char *name, size_t length)
{
    for (int i = 0; i < s->n_in; i++) {
        const char *slash = strchr(s->in[i].info.name, '/');
        const char *const forms[] = {s->in[i].info.name, slash ? slash + 1 : s->in[i].info.name, s->in[i].info.origin_name};
        for (size_t k = 0; k < SL_COUNT(forms); k++)
            if (forms[k] && strlen(forms[k]) == length && strncmp(forms[k], name, length) == 0)
                return i;
    }
    return -1;
}

static const char *input_names(struct run *r)
{
    const char *text = "";
    for (int i = 0; i < r->s->n_in; i++)
        text = sl_arena_printf(r->a, "%s%s'%s' ('%s')", text, i ? ", " : "", r->s->in[i].info.name, r->s->in[i].info.origin_name);
    return text;
}

/* "NAME=FILE" where NAME is an input's, else the whole text is a file for the only input. */
static sluice_status split_spec(struct run *r, const char *spec, int *input, const char **path, sl_err *e)
{
    const char *equals = strchr(spec, '=');
    *input = equals ? find_input(r->s, spec, (size_t)(equals - spec)) : -1;
    *path = *input >= 0 ? equals + 1 : spec;
    if (*input >= 0 || has_suffix(spec, (const char *const[]){".npz", NULL}) || sl_is_directory(spec))
        return SLUICE_OK;
    if (r->s->n_in == 1 && (!equals || sl_is_file(spec))) {
        *input = 0;
        return SLUICE_OK;
    }
    if (equals && !sl_is_file(spec))
        sl_fail(e, SLUICE_E_NOT_FOUND, "'%.*s' is not an input of '%s'", (int)(equals - spec), spec, r->s->network);
    else
        sl_fail(e, SLUICE_E_USAGE, "'%s' does not say which of the %d inputs it is for", spec, r->s->n_in);
    return sl_hint(e, "--input NAME=FILE with NAME one of %s", input_names(r));
}

/* ---- arrays and pictures to frames ---- */

static sluice_status wrong_shape(struct run *r, int input, const char *source, const struct sl_shape *want, const struct sl_shape *got,
                                 sl_err *e)
{
    char a[128], b[128];
    sl_fail(e, SLUICE_E_SHAPE, "%s: input '%s' wants %s (or more frames along the first axis), the array is %s", source,
            r->s->in[input].info.name, sl_shape_text(want, a, sizeof a), sl_shape_text(got, b, sizeof b));
    const struct session_port *p = &r->s->in[input];
    const struct sl_shape *other = r->o->run.origin_layout ? &p->shape : &p->origin;
    bool same = other->rank == got->rank && !sl_shape_equal(other, want);
    for (int i = 1; same && i < got->rank; i++)
        same = other->dim[i] == got->dim[i];
    if (same)
        return sl_hint(e, r->o->run.origin_layout ? "it looks channels-last: drop --origin-layout"
                                                   : "it has the original model's layout: add --origin-layout");
    return SLUICE_E_SHAPE;
}

/* Any number type to float32; int64 of large values rounds. */
static bool to_float(const struct sl_array *array, float *out)
{
    size_t n = sl_shape_elements(&array->shape);
#define FROM(tag, type)                                                                                                        \
    case tag:                                                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                         \
            out[i] = (float)((const type *)array->data)[i];                                                                    \
        return true
    switch (array->dtype) {
        FROM(SL_U8, uint8_t);
        FROM(SL_S8, int8_t);
        FROM(SL_BOOL, uint8_t);
        FROM(SL_U16, uint16_t);
        FROM(SL_S16, int16_t);
        FROM(SL_U32, uint32_t);
        FROM(SL_S32, int32_t);
        FROM(SL_U64, uint64_t);
        FROM(SL_S64, int64_t);
        FROM(SL_F32, float);
        FROM(SL_F64, double);
    default:
        return false;
    }
#undef FROM
}

static sluice_status feed_array(struct run *r, int input, const char *source, const struct sl_array *array, sl_err *e)
{
    const struct session_port *p = &r->s->in[input];
    const struct sl_shape *want = r->o->run.origin_layout ? &p->origin : &p->shape;
    struct sl_shape got = array->shape;
    struct feed *f = &r->feeds[input];
    if (f->given)
        return sl_fail(e, SLUICE_E_USAGE, "input '%s' is given twice: %s and %s", p->info.name, f->source, source);
    if (got.rank == want->rank - 1) { /* one frame without its batch axis */
        memmove(&got.dim[1], &got.dim[0], (size_t)got.rank * sizeof got.dim[0]);
        got.dim[0] = 1;
        got.rank++;
    }
    bool fits = got.rank == want->rank && (want->rank == 0 || (got.dim[0] > 0 && got.dim[0] % want->dim[0] == 0));
    for (int i = 1; fits && i < got.rank; i++)
        fits = got.dim[i] == want->dim[i];
    if (!fits)
        return wrong_shape(r, input, source, want, &array->shape, e);
    *f = (struct feed){.given = true, .source = source, .frames = want->rank ? got.dim[0] / want->dim[0] : 1};
    f->raw = array->dtype == p->dtype;
    f->dtype = f->raw ? p->dtype : SL_F32;
    f->frame_bytes = p->elements * (f->raw ? sl_dtype_bits(p->dtype) / 8 : sizeof(float));
    f->data = array->data;
    if (f->raw || array->dtype == SL_F32)
        return SLUICE_OK;
    float *real = sl_arena_alloc_aligned64(r->a, p->elements * (size_t)f->frames * sizeof *real);
    if (!real)
        return sl_fail(e, SLUICE_E_MEMORY, "%s: out of memory", source);
    if (!to_float(array, real)) {
        sl_fail(e, SLUICE_E_UNSUPPORTED, "%s: elements of type %s", source, sl_dtype_name(array->dtype));
        return sl_hint(e, "save it as float32");
    }
    f->data = (const uint8_t *)real;
    return SLUICE_OK;
}

static sluice_status feed_picture(struct run *r, int input, const char *path, sl_err *e)
{
    const struct sl_shape *s = &r->s->in[input].shape;
    struct sl_view bytes;
    struct sl_image im, fitted;
    if (s->rank != 4 || (s->dim[3] != 1 && s->dim[3] != 3) || s->dim[0] != 1) {
        char text[128];
        return sl_fail(e, SLUICE_E_SHAPE, "%s: a picture does not fit input '%s' of shape %s", path, r->s->in[input].info.name,
                       sl_shape_text(s, text, sizeof text));
    }
    SL_TRY(sl_map_file(r->a, path, &bytes, e));
    if (sl_image_decode(r->a, bytes, (int)s->dim[3], &im, e) != SLUICE_OK ||
        sl_image_resize(r->a, &im, (int)s->dim[1], (int)s->dim[2], r->resize, &fitted, e) != SLUICE_OK)
        return sl_context(e, "%s: ", path);
    if (r->o->run.origin_layout)
        return sl_fail(e, SLUICE_E_USAGE, "%s: --origin-layout is for arrays; a picture is always height, width, channels", path);
    struct sl_array array = {SL_U8, *s, fitted.pixels, r->s->in[input].elements};
    return feed_array(r, input, path, &array, e);
}

static sluice_status feed_npz(struct run *r, int input, const char *path, struct sl_view bytes, sl_err *e)
{
    struct sl_npz_member *members = NULL;
    size_t n = 0;
    if (sl_npz_parse(r->a, bytes, 0, &members, &n, e) != SLUICE_OK)
        return sl_context(e, "%s: ", path);
    if (n == 1 && (input >= 0 || r->s->n_in == 1))
        return feed_array(r, input >= 0 ? input : 0, path, &members[0].array, e);
    for (size_t i = 0; i < n; i++) {
        int k = find_input(r->s, members[i].name, strlen(members[i].name));
        if (k < 0) {
            sl_fail(e, SLUICE_E_NOT_FOUND, "%s: array '%s' is not an input of '%s'", path, members[i].name, r->s->network);
            return sl_hint(e, "name the arrays %s", input_names(r));
        }
        SL_TRY(feed_array(r, k, sl_arena_printf(r->a, "%s:%s", path, members[i].name), &members[i].array, e));
    }
    return SLUICE_OK;
}

static sluice_status feed_file(struct run *r, int input, const char *path, sl_err *e)
{
    if (has_suffix(path, picture_suffixes))
        return feed_picture(r, input >= 0 ? input : 0, path, e);
    struct sl_view bytes;
    struct sl_array array;
    SL_TRY(sl_map_file(r->a, path, &bytes, e));
    if (bytes.size > 4 && memcmp(bytes.data, "PK\3\4", 4) == 0)
        return feed_npz(r, input, path, bytes, e);
    if (bytes.size > 6 && memcmp(bytes.data, "\x93NUMPY", 6) == 0) {
        if (sl_npy_parse(r->a, bytes, &array, e) != SLUICE_OK)
            return sl_context(e, "%s: ", path);
        return feed_array(r, input >= 0 ? input : 0, path, &array, e);
    }
    sl_fail(e, SLUICE_E_FORMAT, "%s: neither .npy, .npz nor a picture (JPEG, PNG, BMP)", path);
    return sl_hint(e, "numpy.save('input.npy', array)");
}

static sluice_status check_feeds(struct run *r, sl_err *e)
{
    r->frames = -1;
    for (int i = 0; i < r->s->n_in; i++) {
        const struct feed *f = &r->feeds[i];
        if (!f->given) {
            sl_fail(e, SLUICE_E_USAGE, "input '%s' is missing", r->s->in[i].info.name);
            return sl_hint(e, "--input %s=FILE", r->s->in[i].info.origin_name);
        }
        if (r->frames >= 0 && f->frames != r->frames)
            return sl_fail(e, SLUICE_E_SHAPE, "%s has %lld frames, other inputs %lld", f->source, (long long)f->frames,
                           (long long)r->frames);
        r->frames = f->frames;
    }
    return SLUICE_OK;
}

/* ---- outputs ---- */

struct out_file { struct sl_output *file; const char *name; struct sl_array form; };

static const char *file_name(sl_arena *a, const char *tensor)
{
    char *name = sl_arena_printf(a, "%s.npy", tensor);
    for (char *c = name; *c; c++)
        if (*c == '/' || *c == '\\' || *c == ':')
            *c = '_';
    return name;
}

static sluice_status open_output(struct run *r, int i, const char *directory, struct out_file *o, sl_err *e)
{
    const struct session_port *p = &r->s->out[i];
    struct sl_buffer header = {0};
    o->name = file_name(r->a, p->info.name);
    o->form.dtype = r->o->run.raw ? p->dtype : SL_F32;
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
struct dump { struct run *r; const char *directory; json_t *list; };

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
    json_array_append_new(d->list, o);
    sl_arena_reset(d->r->a, mark);
    return s;
}

static sluice_status run_dumped(struct run *r, int64_t frame, sl_err *e)
{
    const char *root = r->s->dump_tensors;
    struct dump d = {.r = r, .directory = r->frames == 1 ? root : sl_arena_printf(r->a, "%s/%lld", root, (long long)frame)};
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

static sluice_status run_frames(struct run *r, struct out_file *files, sl_err *e)
{
    struct sluice_session *s = r->s;
    for (int64_t k = 0; k < r->frames; k++) {
        for (int i = 0; i < s->n_in; i++)
            session_put_input(s, i, r->feeds[i].data + (size_t)k * r->feeds[i].frame_bytes, r->feeds[i].raw, r->o->run.origin_layout);
        SL_TRY(s->dump_tensors ? run_dumped(r, k, e) : session_run_frame(s, NULL, NULL, e));
        for (int i = 0; files && i < s->n_out; i++) {
            struct sl_arena_mark mark = sl_arena_mark(r->a);
            void *frame = sl_arena_must_alloc(r->a, files[i].form.bytes);
            session_get_output(s, i, frame, &r->o->run);
            SL_TRY(sl_output_write(files[i].file, frame, files[i].form.bytes, e));
            sl_arena_reset(r->a, mark);
        }
    }
    return SLUICE_OK;
}

static sluice_status run_into(struct run *r, const char *directory, sl_err *e)
{
    SL_TRY(check_feeds(r, e));
    if (!directory)
        return run_frames(r, NULL, e);
    struct out_file *files = SL_NEW_ARRAY(r->a, struct out_file, r->s->n_out + 1);
    sluice_status s = sl_make_directory(directory, e);
    for (int i = 0; i < r->s->n_out && s == SLUICE_OK; i++)
        s = open_output(r, i, directory, &files[i], e);
    if (s == SLUICE_OK)
        s = run_frames(r, files, e);
    for (int i = 0; i < r->s->n_out; i++) {
        if (s == SLUICE_OK)
            s = sl_output_commit(files[i].file, e);
        else
            sl_output_abort(files[i].file);
        files[i].file = NULL;
    }
    return s == SLUICE_OK ? write_index(r, directory, files, e) : s;
}

/* Every file of a folder is a run of its own, into a sub-folder named after it. */
static sluice_status run_folder(struct run *r, int input, const char *folder, int64_t *frames, sl_err *e)
{
    const char **paths = NULL;
    size_t n = 0;
    SL_TRY(sl_list_directory(r->a, folder, input_suffixes, &paths, &n, e));
    if (!n)
        return sl_fail(e, SLUICE_E_NOT_FOUND, "%s: no .npy, .npz or picture in this folder", folder);
    struct sl_progress *progress = sl_progress_start("running", n, "files");
    sluice_status s = SLUICE_OK;
    for (size_t i = 0; i < n && s == SLUICE_OK; i++) {
        struct sl_arena_mark mark = sl_arena_mark(r->a);
        memset(r->feeds, 0, (size_t)r->s->n_in * sizeof *r->feeds);
        s = feed_file(r, input, paths[i], e);
        if (s == SLUICE_OK)
            s = run_into(r, r->o->output_dir ? sl_path_join(r->a, r->o->output_dir, sl_path_stem(r->a, paths[i])) : NULL, e);
        *frames += r->frames;
        sl_arena_reset(r->a, mark);
        sl_progress_step(progress, 1);
    }
    sl_progress_end(progress);
    return s;
}

static sluice_status run_specs(struct run *r, int64_t *frames, sl_err *e)
{
    for (size_t i = 0; i < r->o->n_inputs; i++) {
        int input;
        const char *path;
        SL_TRY(split_spec(r, r->o->inputs[i], &input, &path, e));
        if (!sl_is_directory(path)) {
            SL_TRY(feed_file(r, input, path, e));
            continue;
        }
        if (r->o->n_inputs > 1) {
            sl_fail(e, SLUICE_E_USAGE, "%s: a folder can only be the one --input", path);
            return sl_hint(e, "for several inputs a folder of .npz files with one array an input");
        }
        return run_folder(r, input, path, frames, e);
    }
    SL_TRY(run_into(r, r->o->output_dir, e));
    *frames = r->frames;
    return SLUICE_OK;
}

sluice_status sluice_session_run_files(struct sluice_session *s, const struct sluice_files_options *options, int64_t *frames,
                                       struct sluice_error *err)
{
    int64_t ran = 0;
    struct run r = {.s = s, .o = options, .resize = SL_RESIZE_NONE};
    if (options->resize && !sl_resize_mode_from_name(options->resize, &r.resize))
        return sl_fail(err, SLUICE_E_USAGE, "'%s' is not a way to resize (none, stretch, fit, crop)", options->resize);
    if (options->run.origin_layout && !s->origin_known)
        return sl_fail(err, SLUICE_E_UNSUPPORTED, "the file does not say how the original model lays out its tensors");
    r.a = sl_arena_new();
    r.feeds = SL_NEW_ARRAY(r.a, struct feed, s->n_in + 1);
    sluice_status status = run_specs(&r, &ran, err);
    sl_arena_free(r.a);
    if (frames)
        *frames = ran;
    return status;
}
