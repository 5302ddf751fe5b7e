/* detect_run.c: `sluice detect`: labelled pictures through a HEF and through a float mode of its archive; figures and a picture of both. */
#include "sluice/detect.h"

#include <string.h>

#include "api/api.h"
#include "api/session.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "report/detect.h"

enum { FLOAT = 0, QUANTIZED = 1, SIDES = 2 };

struct side {
    struct sluice_session *s;
    int scores[SL_DETECT_MAX_HEADS], boxes[SL_DETECT_MAX_HEADS]; /* output numbers by head */
    float **maps;                                                /* float frame of each output */
    struct sl_detect_score *score;
    double seconds;
};

struct detect {
    const struct sluice_detect_options *o;
    sl_arena *a;
    struct sl_detector d;
    struct sluice_model *model;
    struct side side[SIDES];
    int n_sides_from, reference, kept; /* n_sides_from: FLOAT, or QUANTIZED when there is no float side */
    const char *folder;
};

static int find_output(const struct sluice_session *s, const char *name)
{
    for (int i = 0; i < s->n_out; i++) {
        const char *slash = strchr(s->out[i].info.name, '/');
        if (strcmp(s->out[i].info.origin_name, name) == 0 || strcmp(s->out[i].info.name, name) == 0 ||
            (slash && strcmp(slash + 1, name) == 0))
            return i;
    }
    return -1;
}

static sluice_status bind_map(struct detect *t, struct side *side, const char *name, int64_t channels, int *out, sl_err *e)
{
    int i = find_output(side->s, name);
    if (i < 0)
        return sl_fail(e, SLUICE_E_NOT_FOUND, "the network has no output '%s'", name);
    const struct sl_shape *shape = &side->s->out[i].shape;
    if (shape->rank != 4 || shape->dim[0] != 1 || shape->dim[3] != channels) {
        char text[128];
        return sl_fail(e, SLUICE_E_SHAPE, "output '%s' is %s, not [1, height, width, %lld]", name,
                       sl_shape_text(shape, text, sizeof text), (long long)channels);
    }
    *out = i;
    side->maps[i] = sl_arena_must_alloc(t->a, side->s->out[i].elements * sizeof(float));
    return SLUICE_OK;
}

static sluice_status bind_side(struct detect *t, struct side *side, sl_err *e)
{
    side->maps = SL_NEW_ARRAY(t->a, float *, side->s->n_out + 1);
    side->score = sl_detect_score_new(t->a, &t->d);
    if (side->s->n_in != 1 || side->s->in[0].elements != (size_t)t->d.height * (size_t)t->d.width * 3)
        return sl_fail(e, SLUICE_E_SHAPE, "the network's input is not one [1, %d, %d, 3] picture", t->d.height, t->d.width);
    for (int h = 0; h < t->d.n_heads; h++) {
        SL_TRY(bind_map(t, side, t->d.heads[h].scores, t->d.n_classes, &side->scores[h], e));
        SL_TRY(bind_map(t, side, t->d.heads[h].boxes, 4, &side->boxes[h], e));
    }
    for (int i = 0; i < side->s->n_out; i++) /* outputs no head reads still need room */
        if (!side->maps[i])
            side->maps[i] = sl_arena_must_alloc(t->a, side->s->out[i].elements * sizeof(float));
    return SLUICE_OK;
}

static sluice_status open_sides(struct detect *t, sl_err *e)
{
    struct sluice_session_options o = {.threads = t->o->threads};
    t->n_sides_from = t->o->float_har ? FLOAT : QUANTIZED;
    if (t->o->float_har) {
        SL_TRY(sluice_model_load(t->o->float_har, &t->model, e));
        const char *mode = t->model->model->fp_optimized ? "fp_optimized" : "native";
        SL_TRY(sluice_session_open_model(t->model, mode, &o, &t->side[FLOAT].s, e));
    }
    SL_TRY(sluice_session_open_hef(t->o->hef, &o, &t->side[QUANTIZED].s, e));
    for (int k = t->n_sides_from; k < SIDES; k++)
        SL_TRY(bind_side(t, &t->side[k], e));
    return SLUICE_OK;
}

static sluice_status run_side(struct detect *t, struct side *side, const struct sl_image *im, struct sl_boxes *found, sl_err *e)
{
    struct sl_head_maps maps[SL_DETECT_MAX_HEADS];
    static const struct sluice_run_options real = {0};
    float *pixels = sl_arena_must_alloc(t->a, side->s->in[0].elements * sizeof *pixels);
    for (size_t i = 0; i < side->s->in[0].elements; i++)
        pixels[i] = im->pixels[i];
    const void *input = pixels;
    double start = sl_seconds();
    SL_TRY(sluice_session_run(side->s, &input, NULL, (void *const *)side->maps, &real, e));
    side->seconds += sl_seconds() - start;
    for (int h = 0; h < t->d.n_heads; h++) {
        const struct sl_shape *shape = &side->s->out[side->scores[h]].shape;
        maps[h] = (struct sl_head_maps){side->maps[side->scores[h]], side->maps[side->boxes[h]], (int)shape->dim[1], (int)shape->dim[2]};
    }
    sl_detect_decode(t->a, &t->d, maps, t->d.evaluate_threshold, found);
    return SLUICE_OK;
}

static sluice_status read_truth(struct detect *t, const json_t *row, struct sl_boxes *out, sl_err *e)
{
    json_t *signs = NULL;
    SL_TRY(sl_json_get_array(row, "signs", &signs, e));
    size_t n = json_array_size(signs);
    *out = (struct sl_boxes){.n = (int)n, .box = SL_NEW_ARRAY(t->a, struct sl_box, n + 1)};
    for (size_t i = 0; i < n; i++) {
        json_t *sign = json_array_get(signs, i), *box = NULL;
        int64_t kind;
        SL_TRY(sl_json_get_int(sign, "class", 0, t->d.n_classes - 1, &kind, e));
        SL_TRY(sl_json_get_array(sign, "box", &box, e));
        if (json_array_size(box) != 4)
            return sl_fail(e, SLUICE_E_VALUE, "a box has %zu numbers, not 4", json_array_size(box));
        float v[4];
        for (size_t k = 0; k < 4; k++)
            v[k] = (float)json_number_value(json_array_get(box, k));
        out->box[i] = (struct sl_box){1.0f, (int)kind, v[0], v[1], v[2], v[3]};
    }
    return SLUICE_OK;
}

static sluice_status load_picture(struct detect *t, const json_t *row, struct sl_image *out, sl_err *e)
{
    const char *file;
    struct sl_view bytes;
    struct sl_image im;
    SL_TRY(sl_json_get_string(row, "file", &file, e));
    const char *path = sl_path_join(t->a, t->folder, file);
    SL_TRY(sl_map_file(t->a, path, &bytes, e));
    if (sl_image_decode(t->a, bytes, 3, &im, e) != SLUICE_OK ||
        sl_image_resize(t->a, &im, t->d.height, t->d.width, SL_RESIZE_STRETCH, out, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    return SLUICE_OK;
}

static sluice_status measure(struct detect *t, json_t *pictures, sl_err *e)
{
    struct sl_progress *p = sl_progress_start("measuring", json_array_size(pictures), "pictures");
    sluice_status s = SLUICE_OK;
    for (size_t i = 0; i < json_array_size(pictures) && s == SLUICE_OK; i++) {
        struct sl_image im;
        struct sl_boxes truth, found[SIDES];
        const json_t *row = json_array_get(pictures, i);
        s = load_picture(t, row, &im, e);
        if (s == SLUICE_OK)
            s = read_truth(t, row, &truth, e);
        for (int k = t->n_sides_from; k < SIDES && s == SLUICE_OK; k++) {
            s = run_side(t, &t->side[k], &im, &found[k], e);
            if (s == SLUICE_OK)
                sl_detect_score_add(t->side[k].score, &found[k], &truth);
        }
        if (s == SLUICE_OK && t->n_sides_from == FLOAT)
            sl_boxes_kept(&found[FLOAT], &found[QUANTIZED], t->d.score_threshold, &t->reference, &t->kept);
        sl_progress_step(p, 1);
    }
    sl_progress_end(p);
    return s;
}

/* ---- the picture: one row of tiles, float above quantized, for every few pictures ---- */

enum { GAP = 6, CAPTION = 14, COLUMNS = 4 };

static void paste(struct sl_image *to, const struct sl_image *from, int x, int y)
{
    for (int row = 0; row < from->height; row++)
        memcpy(to->pixels + ((size_t)(y + row) * (size_t)to->width + (size_t)x) * 3, from->pixels + (size_t)row * (size_t)from->width * 3,
               (size_t)from->width * 3);
}

static sluice_status draw_pictures(struct detect *t, json_t *pictures, sl_err *e)
{
    static const char *const captions[SIDES] = {"float", "quantized (HEF, 8 bit)"};
    static const uint8_t ink[3] = {20, 20, 20};
    int n = (int)json_array_size(pictures), sides = SIDES - t->n_sides_from, columns = n < COLUMNS ? n : COLUMNS;
    if (!n)
        return sl_fail(e, SLUICE_E_NOT_FOUND, "the labels have no \"show\" pictures");
    int rows = (n + columns - 1) / columns, cell_h = CAPTION + t->d.height + GAP;
    struct sl_image sheet = {.height = rows * sides * cell_h + GAP, .width = columns * (t->d.width + GAP) + GAP, .channels = 3};
    size_t bytes = (size_t)sheet.height * (size_t)sheet.width * 3;
    sheet.pixels = sl_arena_must_alloc(t->a, bytes);
    memset(sheet.pixels, 245, bytes);
    for (int i = 0; i < n; i++) {
        for (int k = t->n_sides_from; k < SIDES; k++) {
            struct sl_image im;
            struct sl_boxes found;
            int x = GAP + (i % columns) * (t->d.width + GAP);
            int y = GAP + ((i / columns) * sides + k - t->n_sides_from) * cell_h;
            SL_TRY(load_picture(t, json_array_get(pictures, (size_t)i), &im, e));
            SL_TRY(run_side(t, &t->side[k], &im, &found, e));
            sl_detect_draw(&im, &t->d, &found, t->d.score_threshold);
            sl_draw_text(&sheet, x, y + 3, captions[k], 1, ink);
            paste(&sheet, &im, x, y + CAPTION);
        }
    }
    struct sl_buffer png = {0};
    sluice_status s = sl_png_encode(&sheet, &png, e);
    if (s == SLUICE_OK)
        s = sl_write_file(t->o->picture, png.data, png.size, e);
    sl_buffer_free(&png);
    return s;
}

/* ---- report ---- */

static json_t *side_json(const struct side *side, const char *name)
{
    struct sl_detect_figures f = sl_detect_score_figures(side->score);
    json_t *o = json_object();
    json_object_set_new(o, "side", json_string(name));
    json_object_set_new(o, "map50", json_real(f.map));
    json_object_set_new(o, "precision", json_real(f.precision));
    json_object_set_new(o, "recall", json_real(f.recall));
    json_object_set_new(o, "ms_a_picture", json_real(1e3 * side->seconds / SL_MAX(f.pictures, 1)));
    return o;
}

static sluice_status report(struct detect *t, char **text, sl_err *e)
{
    struct sl_buffer b = {0};
    static const char *const names[SIDES] = {"float", "quantized"};
    struct sl_detect_figures q = sl_detect_score_figures(t->side[QUANTIZED].score);
    json_t *o = json_object(), *sides = json_array();
    for (int k = t->n_sides_from; k < SIDES; k++)
        json_array_append_new(sides, side_json(&t->side[k], names[k]));
    json_object_set_new(o, "pictures", json_integer(q.pictures));
    json_object_set_new(o, "objects", json_integer(q.objects));
    json_object_set_new(o, "sides", sides);
    if (t->n_sides_from == FLOAT) {
        json_object_set_new(o, "float_boxes", json_integer(t->reference));
        json_object_set_new(o, "kept_by_quantized", json_integer(t->kept));
    }
    sluice_status s = SLUICE_OK;
    if (t->o->json) {
        s = sl_json_write(&b, o, e);
    } else {
        sl_put_printf(&b, "%d pictures with %d objects\n  %-10s %8s %10s %8s %12s\n", q.pictures, q.objects, "", "mAP50", "precision",
                      "recall", "ms a picture");
        for (int k = t->n_sides_from; k < SIDES; k++) {
            struct sl_detect_figures f = sl_detect_score_figures(t->side[k].score);
            sl_put_printf(&b, "  %-10s %7.1f%% %9.1f%% %7.1f%% %12.2f\n", names[k], 100 * f.map, 100 * f.precision, 100 * f.recall,
                          1e3 * t->side[k].seconds / SL_MAX(f.pictures, 1));
        }
        if (t->n_sides_from == FLOAT)
            sl_put_printf(&b, "  %d of the float network's %d boxes are found by the quantized one\n", t->kept, t->reference);
    }
    json_decref(o);
    SL_TRY(s);
    return sl_api_take_text(&b, text, e);
}

static sluice_status detect(struct detect *t, json_t **spec, json_t **labels, char **text, sl_err *e)
{
    struct sl_view bytes;
    const char *labels_file, *slash = strrchr(t->o->spec, '/');
    json_t *images = NULL, *show = NULL;
    t->folder = slash ? sl_arena_strndup(t->a, t->o->spec, (size_t)(slash - t->o->spec)) : ".";
    SL_TRY(sl_map_file(t->a, t->o->spec, &bytes, e));
    if (sl_json_parse(bytes, spec, e) != SLUICE_OK || sl_detector_read(*spec, &t->d, e) != SLUICE_OK)
        return sl_context(e, "%s", t->o->spec);
    SL_TRY(sl_json_get_string(*spec, "labels", &labels_file, e));
    const char *path = sl_path_join(t->a, t->folder, labels_file);
    SL_TRY(sl_map_file(t->a, path, &bytes, e));
    if (sl_json_parse(bytes, labels, e) != SLUICE_OK || sl_json_get_array(*labels, "images", &images, e) != SLUICE_OK ||
        sl_json_get_array(*labels, "show", &show, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    SL_TRY(open_sides(t, e));
    SL_TRY(measure(t, images, e));
    SL_TRY(report(t, text, e));
    return t->o->picture ? draw_pictures(t, show, e) : SLUICE_OK;
}

sluice_status sluice_detect(const struct sluice_detect_options *options, char **text, struct sluice_error *err)
{
    struct detect t = {.o = options, .a = sl_arena_new()};
    json_t *spec = NULL, *labels = NULL;
    sluice_status s = detect(&t, &spec, &labels, text, err);
    for (int k = 0; k < SIDES; k++)
        sluice_session_close(t.side[k].s);
    sluice_model_free(t.model);
    json_decref(spec);
    json_decref(labels);
    sl_arena_free(t.a);
    return s;
}
