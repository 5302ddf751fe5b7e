/* samples.c: opening a source: which file is bound to which input, what it holds, and whether that fits. Reading:
 * samples_read.c. */
#include "quant/samples_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const picture_suffixes[] = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", NULL};
static const char *const folder_suffixes[] = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".npy", ".npz", NULL};

static bool has_suffix(const char *path, const char *const *suffixes)
{
    size_t n = strlen(path);

    for (; *suffixes; suffixes++) {
        size_t m = strlen(*suffixes);
        if (n >= m && !strcasecmp(path + n - m, *suffixes))
            return true;
    }
    return false;
}

static bool is_npy(const char *path)
{
    return has_suffix(path, (const char *const[]){".npy", NULL});
}
static bool is_npz(const char *path)
{
    return has_suffix(path, (const char *const[]){".npz", NULL});
}

bool sl_sample_is_npy(const char *path)
{
    return is_npy(path);
}

/* ---- names ---- */
static bool names_input(const char *name, size_t length, const struct sl_sample_input *in)
{
    size_t scope = in->scope ? strlen(in->scope) : 0;

    if (strlen(in->name) == length && !memcmp(in->name, name, length))
        return true;
    if (in->origin && strlen(in->origin) == length && !memcmp(in->origin, name, length))
        return true;
    return scope && length == scope + 1 + strlen(in->name) && !memcmp(name, in->scope, scope) && name[scope] == '/' &&
           !memcmp(name + scope + 1, in->name, strlen(in->name));
}

static const char *list_inputs(sl_arena *a, const struct sl_sample_input *inputs, int n)
{
    const char *text = "";

    for (int i = 0; i < n; i++)
        text = sl_arena_printf(a, "%s%s'%s'%s%s%s", text, i ? ", " : "", inputs[i].name, inputs[i].origin ? " (" : "",
                               inputs[i].origin ? inputs[i].origin : "", inputs[i].origin ? ")" : "");
    return text;
}

/* "NAME=FILE" -> which input, and the file. A path that itself exists is not split. */
static int split_name(const char *text, const struct sl_sample_input *inputs, int n, const char **path)
{
    const char *equals = strchr(text, '=');

    *path = text;
    if (!equals || sl_is_file(text) || sl_is_directory(text))
        return -1;
    for (; equals; equals = strchr(equals + 1, '='))
        for (int i = 0; i < n; i++)
            if (names_input(text, (size_t)(equals - text), &inputs[i])) {
                *path = equals + 1;
                return i;
            }
    return -1;
}

/* ---- shapes ---- */
static bool same_dims(const int64_t *a, int na, const int64_t *b, int nb)
{
    return na == nb && !memcmp(a, b, (size_t)na * sizeof *a);
}

/* Does an array hold whole frames? How many, and has it a batch axis of its own? A frame [1, h, w, c] may come as [h, w, c],
 * [n, h, w, c]; [h, w] too when c is 1. */
static bool frames_of(const struct sl_shape *frame, const struct sl_shape *array, int64_t *count, bool *batched)
{
    const int64_t *dims = array->dim, *want = frame->dim;
    int rank = array->rank, first = frame->rank > 1 && want[0] == 1 ? 1 : 0;

    *count = 1;
    *batched = false;
    if (same_dims(dims, rank, want, frame->rank)) {
        *batched = first == 1; /* one row of a batch */
        return true;
    }
    if (first && same_dims(dims, rank, want + 1, frame->rank - 1))
        return true;
    if (rank >= 1 && same_dims(dims + 1, rank - 1, want + first, frame->rank - first)) {
        *count = dims[0];
        *batched = true;
        return true;
    }
    if (first == 0 && rank == frame->rank + 1 && same_dims(dims + 1, rank - 1, want, frame->rank)) {
        *count = dims[0];
        *batched = true;
        return true;
    }
    if (frame->rank == 4 && want[3] == 1 && first) { /* grey pictures without a channel axis */
        if (rank == 2 && dims[0] == want[1] && dims[1] == want[2])
            return true;
        if (rank == 3 && dims[1] == want[1] && dims[2] == want[2]) {
            *count = dims[0];
            *batched = true;
            return true;
        }
    }
    return false;
}

static const struct sl_shape *frame_shape(const struct sl_samples *s, int input)
{
    const struct sl_sample_input *in = &s->inputs[input];

    return s->options.origin_layout && in->origin_shape.rank ? &in->origin_shape : &in->shape;
}

/* What probably is wrong with an array that does not fit. */
static const char *likely_mend(sl_arena *a, const struct sl_shape *frame, const struct sl_shape *array)
{
    const int64_t *f = frame->dim, *d = array->dim + (array->rank == 4 ? 1 : 0);
    bool picture = frame->rank == 4 && (array->rank == 4 || array->rank == 3);

    if (picture && d[0] == f[3] && d[1] == f[1] && d[2] == f[2])
        return "the array looks like NCHW: transpose it to NHWC (numpy: x.transpose(0, 2, 3, 1)), or use --origin-layout where "
               "it is offered";
    if (picture && d[0] == f[1] && d[1] == f[2] && d[2] != f[3])
        return sl_arena_printf(a, "it has %lld channels where the network takes %lld%s", (long long)d[2], (long long)f[3],
                               d[2] == 1   ? ": repeat the grey channel"
                               : d[2] == 4 ? ": drop the alpha channel"
                                           : "");
    if (picture && d[2] == f[3])
        return sl_arena_printf(
            a,
            "pictures are %lldx%lld where the network takes %lldx%lld: resize them first, or give a folder of JPEG or "
            "PNG files with a resize mode (stretch, fit or crop)",
            (long long)d[0], (long long)d[1], (long long)f[1], (long long)f[2]);
    if (sl_shape_elements(frame) && sl_shape_elements(array) % sl_shape_elements(frame) == 0)
        return "the number of elements fits: reshape it";
    return "the leading axis may be any number of samples, the others are those of the input";
}

sluice_status sl_sample_check_array(const struct sl_samples *s, sl_arena *a, const char *what, int input,
                                    const struct sl_array *array, int64_t *count, bool *batched, sl_err *e)
{
    const struct sl_shape *frame = frame_shape(s, input);
    char found[160], wanted[160];

    if (frames_of(frame, &array->shape, count, batched))
        return SLUICE_OK;
    sl_fail(e, SLUICE_E_SHAPE, "%s: shape %s does not fit input '%s', wanted is %s or [n, ...] of it", what,
            sl_shape_text(&array->shape, found, sizeof found), s->inputs[input].name,
            sl_shape_text(frame, wanted, sizeof wanted));
    return sl_hint(e, "%s", likely_mend(a, frame, &array->shape));
}

/* ---- opening ---- */
static sluice_status add_array(struct sl_samples *s, int input, const char *what, const struct sl_array *array, sl_err *e)
{
    int64_t count;
    bool batched;

    SL_TRY(sl_sample_check_array(s, s->arena, what, input, array, &count, &batched, e));
    if (count < 1)
        return sl_fail(e, SLUICE_E_VALUE, "%s: holds no sample", what);
    if (s->bound[input].kind != SL_BOUND_NOTHING)
        return sl_fail(e, SLUICE_E_USAGE, "input '%s' is given twice", s->inputs[input].name);
    s->bound[input] = (struct sl_bound){.kind = SL_BOUND_ARRAY, .path = what, .count = count, .array = *array};
    s->batched = s->batched || batched;
    return SLUICE_OK;
}

static sluice_status open_npy(struct sl_samples *s, int input, const char *path, sl_err *e)
{
    struct sl_view bytes;
    struct sl_array array;

    SL_TRY(sl_map_file(s->arena, path, &bytes, e));
    if (sl_npy_parse(s->arena, bytes, &array, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    return add_array(s, input, path, &array, e);
}

static sluice_status open_npz(struct sl_samples *s, int input, const char *path, sl_err *e)
{
    struct sl_npz_member *members;
    struct sl_view bytes;
    size_t n, matched = 0;

    SL_TRY(sl_map_file(s->arena, path, &bytes, e));
    if (sl_npz_parse(s->arena, bytes, 0, &members, &n, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    if (n == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "%s: the archive is empty", path);
    for (int i = 0; i < s->n_inputs; i++) {
        if (input >= 0 && i != input)
            continue;
        for (size_t k = 0; k < n; k++)
            if (names_input(members[k].name, strlen(members[k].name), &s->inputs[i])) {
                SL_TRY(add_array(s, i, sl_arena_printf(s->arena, "%s: '%s'", path, members[k].name), &members[k].array, e));
                matched++;
                break;
            }
    }
    if (!matched && n == 1 && (s->n_inputs == 1 || input >= 0))
        return add_array(s, input >= 0 ? input : 0, path, &members[0].array, e);
    if (matched < (input >= 0 ? 1 : (size_t)s->n_inputs)) {
        sl_fail(e, SLUICE_E_NOT_FOUND, "%s: arrays for %zu of %d inputs are found; its first is called '%s'", path, matched,
                s->n_inputs, members[0].name);
        return sl_hint(e, "the archive needs one array an input: %s", list_inputs(s->arena, s->inputs, s->n_inputs));
    }
    return SLUICE_OK;
}

static sluice_status open_files(struct sl_samples *s, int input, const char *const *files, size_t n, const char *path,
                                sl_err *e)
{
    struct sl_bound *b = &s->bound[input];

    if (b->kind != SL_BOUND_NOTHING)
        return sl_fail(e, SLUICE_E_USAGE, "input '%s' is given twice", s->inputs[input].name);
    *b = (struct sl_bound){.kind = SL_BOUND_FILES, .path = path, .count = (int64_t)n, .files = files};
    return SLUICE_OK;
}

static sluice_status open_folder(struct sl_samples *s, int input, const char *path, sl_err *e)
{
    const char **files;
    size_t n;

    SL_TRY(sl_list_directory(s->arena, path, folder_suffixes, &files, &n, e));
    if (n == 0) {
        sl_fail(e, SLUICE_E_NOT_FOUND, "%s: no picture and no .npy file in this folder", path);
        return sl_hint(e, "files end in .jpg, .jpeg, .png, .bmp, .ppm, .npy or .npz");
    }
    s->folder = true;
    if (s->n_inputs > 1 && input < 0) { /* one .npz a sample */
        for (size_t i = 0; i < n; i++)
            if (!is_npz(files[i])) {
                sl_fail(e, SLUICE_E_USAGE, "%s: the network has %d inputs, so each sample is an .npz; found '%s'", path,
                        s->n_inputs, sl_path_name(files[i]));
                return sl_hint(e, "bind a folder to each input with NAME=FOLDER: %s",
                               list_inputs(s->arena, s->inputs, s->n_inputs));
            }
        for (int i = 0; i < s->n_inputs; i++)
            SL_TRY(open_files(s, i, files, n, path, e));
        return SLUICE_OK;
    }
    return open_files(s, input < 0 ? 0 : input, files, n, path, e);
}

static sluice_status open_path(struct sl_samples *s, int input, const char *path, sl_err *e)
{
    const char **one;

    if (sl_is_directory(path))
        return open_folder(s, input, path, e);
    if (is_npz(path))
        return open_npz(s, input, path, e);
    if (input < 0 && s->n_inputs > 1) {
        sl_fail(e, SLUICE_E_USAGE, "'%s': the network has %d inputs, say which one it is for", path, s->n_inputs);
        return sl_hint(e, "write NAME=%s with a NAME of %s, or give one .npz", path,
                       list_inputs(s->arena, s->inputs, s->n_inputs));
    }
    if (is_npy(path))
        return open_npy(s, input < 0 ? 0 : input, path, e);
    if (!sl_is_file(path))
        return sl_fail(e, SLUICE_E_NOT_FOUND, "'%s' does not exist", path);
    if (!has_suffix(path, picture_suffixes)) {
        sl_fail(e, SLUICE_E_UNSUPPORTED, "'%s' is not a kind of file that is read here", path);
        return sl_hint(e, ".npy, .npz, a picture (.jpg, .png, .bmp, .ppm) or a folder of them");
    }
    one = SL_NEW_ARRAY(s->arena, const char *, 1);
    one[0] = path;
    return open_files(s, input < 0 ? 0 : input, one, 1, path, e);
}

static sluice_status count_samples(struct sl_samples *s, sl_err *e)
{
    s->count = INT64_MAX;
    for (int i = 0; i < s->n_inputs; i++) {
        const struct sl_bound *b = &s->bound[i];
        if (b->kind == SL_BOUND_NOTHING) {
            sl_fail(e, SLUICE_E_USAGE, "input '%s' has no data", s->inputs[i].name);
            return sl_hint(e, "the inputs are %s", list_inputs(s->arena, s->inputs, s->n_inputs));
        }
        if (i && b->count != s->count)
            return sl_fail(e, SLUICE_E_SHAPE, "'%s' has %lld samples, '%s' has %lld", s->bound[0].path, (long long)s->count,
                           b->path, (long long)b->count);
        s->count = b->count;
    }
    if (s->options.limit > 0 && s->count > s->options.limit)
        s->count = s->options.limit;
    return SLUICE_OK;
}

sluice_status sl_samples_open(sl_arena *a, const char *const *paths, int n_paths, const struct sl_sample_input *inputs,
                              int n_inputs, const struct sl_sample_options *options, struct sl_samples **out, sl_err *e)
{
    struct sl_samples *s = SL_NEW(a, struct sl_samples);

    s->arena = a;
    s->n_inputs = n_inputs;
    s->inputs = sl_arena_memdup(a, inputs, sl_mul_or_abort((size_t)n_inputs, sizeof *inputs));
    s->options = *options;
    s->bound = SL_NEW_ARRAY(a, struct sl_bound, n_inputs + 1);
    if (n_inputs == 0)
        return sl_fail(e, SLUICE_E_USAGE, "the network has no inputs");
    for (int i = 0; i < n_paths; i++) {
        const char *path;
        int input = split_name(paths[i], inputs, n_inputs, &path);
        SL_TRY(open_path(s, input, sl_arena_strdup(a, path), e));
    }
    SL_TRY(count_samples(s, e));
    *out = s;
    return SLUICE_OK;
}

int64_t sl_samples_count(const struct sl_samples *s)
{
    return s->count;
}

bool sl_samples_batched(const struct sl_samples *s)
{
    return s->batched;
}

bool sl_samples_folder(const struct sl_samples *s)
{
    return s->folder;
}

const char *sl_samples_label(const struct sl_samples *s, int64_t index)
{
    for (int i = 0; i < s->n_inputs; i++)
        if (s->bound[i].kind == SL_BOUND_FILES)
            return sl_path_stem(s->arena, s->bound[i].files[index]);
    return "";
}
