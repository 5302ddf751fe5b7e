/* compare.c: two folders of tensors, tensor by tensor: what `sluice diff` reports. */
#include "sluice/inspect.h"

#include <math.h>
#include <string.h>

#include "api/api.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/npy.h"

struct difference { size_t elements, different, first; double largest, signal, noise; bool comparable; };

static sluice_status read_json(sl_arena *a, const char *path, json_t **out, sl_err *e)
{
    struct sl_view text;
    SL_TRY(sl_map_file(a, path, &text, e));
    if (sl_json_parse(text, out, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    return SLUICE_OK;
}

static sluice_status read_array(sl_arena *a, const char *directory, const char *file, struct sl_array *out, sl_err *e)
{
    struct sl_view bytes;
    const char *path = sl_path_join(a, directory, file);
    SL_TRY(sl_map_file(a, path, &bytes, e));
    if (sl_npy_parse(a, bytes, out, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    return SLUICE_OK;
}

static double element(const struct sl_array *x, size_t i)
{
    switch (x->dtype) {
    case SL_U8: return ((const uint8_t *)x->data)[i];
    case SL_U16: return ((const uint16_t *)x->data)[i];
    case SL_S32: return ((const int32_t *)x->data)[i];
    case SL_S64: return (double)((const int64_t *)x->data)[i];
    case SL_F32: return ((const float *)x->data)[i];
    case SL_F64: return ((const double *)x->data)[i];
    case SL_S8: return ((const int8_t *)x->data)[i];
    case SL_S16: return ((const int16_t *)x->data)[i];
    default: return NAN;
    }
}

/* Stored integers beside real values are compared as the real values they stand for. */
struct operand { struct sl_array array; double scale, zero_point; };

static double real(const struct operand *x, size_t i)
{
    double v = element(&x->array, i);
    return x->scale > 0 ? (v - x->zero_point) * x->scale : v;
}

static struct difference compare(const struct operand *x, const struct operand *y)
{
    const struct sl_array *a = &x->array, *b = &y->array;
    struct difference d = {.elements = sl_shape_elements(&a->shape)};
    d.comparable = sl_shape_equal(&a->shape, &b->shape);
    for (size_t i = 0; d.comparable && i < d.elements; i++) {
        double p = real(x, i), q = real(y, i), gap = fabs(p - q);
        d.signal += p * p;
        d.noise += gap * gap;
        if (gap != 0.0 || isnan(p) != isnan(q)) {
            if (!d.different++)
                d.first = i;
            d.largest = fmax(d.largest, gap);
        }
    }
    return d;
}

static double snr(const struct difference *d) { return d->noise > 0 ? 10.0 * log10(d->signal / d->noise) : INFINITY; }

struct report { struct sl_buffer text; json_t *rows; size_t compared, equal; const char *first; };

static void add_row(struct report *r, const char *name, const struct operand *x, const struct operand *y)
{
    const struct sl_array *a = &x->array, *b = &y->array;
    struct difference d = compare(x, y);
    char sa[128], sb[128];
    json_t *row = json_object();
    json_object_set_new(row, "name", json_string(name));
    r->compared++;
    if (!d.comparable) {
        sl_put_printf(&r->text, "  %-40s shapes %s and %s\n", name, sl_shape_text(&a->shape, sa, sizeof sa),
                      sl_shape_text(&b->shape, sb, sizeof sb));
        json_object_set_new(row, "equal", json_false());
    } else if (d.different) {
        sl_put_printf(&r->text, "  %-40s %zu of %zu differ, largest %.6g, first at %zu (%.6g, %.6g), SNR %.2f dB\n", name, d.different,
                      d.elements, d.largest, d.first, real(x, d.first), real(y, d.first), snr(&d));
        json_object_set_new(row, "equal", json_false());
        json_object_set_new(row, "different", json_integer((json_int_t)d.different));
        json_object_set_new(row, "largest", json_real(d.largest));
        if (isfinite(snr(&d)))
            json_object_set_new(row, "snr_db", json_real(snr(&d)));
    } else {
        r->equal++;
        json_object_set_new(row, "equal", json_true());
    }
    if ((!d.comparable || d.different) && !r->first)
        r->first = name;
    json_array_append_new(r->rows, row);
}

static void read_encoding(const json_t *row, struct operand *x)
{
    x->scale = json_number_value(json_object_get(row, "scale"));
    x->zero_point = json_number_value(json_object_get(row, "zero_point"));
}

static sluice_status compare_all(sl_arena *a, const char *da, const char *db, json_t *ia, json_t *ib, struct report *r, sl_err *e)
{
    json_t *list = json_object_get(ia, "tensors") ? json_object_get(ia, "tensors") : json_object_get(ia, "outputs");
    json_t *other = json_object_get(ib, "tensors") ? json_object_get(ib, "tensors") : json_object_get(ib, "outputs");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name, *fa, *fb = NULL;
        struct operand x = {.scale = 0}, y = {.scale = 0};
        size_t match = 0;
        SL_TRY(sl_json_get_string(json_array_get(list, i), "name", &name, e));
        SL_TRY(sl_json_get_string(json_array_get(list, i), "file", &fa, e));
        for (size_t k = 0; k < json_array_size(other) && !fb; k++) {
            const char *n = json_string_value(json_object_get(json_array_get(other, k), "name"));
            if (n && strcmp(n, name) == 0) {
                SL_TRY(sl_json_get_string(json_array_get(other, k), "file", &fb, e));
                match = k;
            }
        }
        if (!fb)
            continue; /* layers of one stage need not exist in the other */
        struct sl_arena_mark mark = sl_arena_mark(a);
        SL_TRY(read_array(a, da, fa, &x.array, e));
        SL_TRY(read_array(a, db, fb, &y.array, e));
        if (x.array.dtype != y.array.dtype) {
            read_encoding(json_array_get(list, i), &x);
            read_encoding(json_array_get(other, match), &y);
        }
        add_row(r, name, &x, &y);
        sl_arena_reset(a, mark);
    }
    if (!r->compared)
        return sl_fail(e, SLUICE_E_NOT_FOUND, "'%s' and '%s' have no tensor of the same name", da, db);
    return SLUICE_OK;
}

static sluice_status finish(struct report *r, bool json, char **text, sl_err *e)
{
    struct sl_buffer out = {0};
    if (json) {
        json_t *o = json_object();
        json_object_set_new(o, "compared", json_integer((json_int_t)r->compared));
        json_object_set_new(o, "equal", json_integer((json_int_t)r->equal));
        json_object_set_new(o, "first_difference", r->first ? json_string(r->first) : json_null());
        json_object_set(o, "tensors", r->rows);
        sluice_status s = sl_json_write(&out, o, e);
        json_decref(o);
        SL_TRY(s);
    } else {
        sl_put_printf(&out, "%zu tensors compared, %zu equal%s%s\n", r->compared, r->equal, r->first ? "; first difference: " : "",
                      r->first ? r->first : "");
        sl_put(&out, r->text.data, r->text.size);
    }
    return sl_api_take_text(&out, text, e);
}

sluice_status sluice_compare_tensors(const char *a, const char *b, bool json, bool *same, char **text, struct sluice_error *err)
{
    sl_arena *arena = sl_arena_new();
    json_t *ia = NULL, *ib = NULL;
    struct report r = {.rows = json_array()};
    sluice_status s = read_json(arena, sl_path_join(arena, a, "index.json"), &ia, err);
    if (s == SLUICE_OK)
        s = read_json(arena, sl_path_join(arena, b, "index.json"), &ib, err);
    if (s == SLUICE_OK)
        s = compare_all(arena, a, b, ia, ib, &r, err);
    *same = r.compared == r.equal;
    if (s == SLUICE_OK)
        s = finish(&r, json, text, err);
    sl_buffer_free(&r.text);
    json_decref(r.rows);
    json_decref(ia);
    json_decref(ib);
    sl_arena_free(arena);
    return s;
}
