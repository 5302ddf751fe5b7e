/*
 * test_goldens.c: ONNX models through the importer and the float runner, against outputs of another engine (shared data, found
 * by SLUICE_DATA). Error allowed: max(1e-4 R, 4 x the manifest's tolerance), R the range of an output over its cases, at least
 * 1e-2. Usage: test_goldens MODEL...; prints one line a model.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/npy.h"
#include "onnx/onnx.h"
#include "ops/float_run.h"

enum { SKIPPED = 77, MOST_OUTPUTS = 64 };

struct golden {
    sl_arena *a;
    const char *data, *name;
    json_t *manifest;
    struct sl_graph *g;
    struct sl_float_run *run;
    struct sl_given_shape *shapes; /* of the inputs that the graph was imported for */
    struct sl_onnx_report report;
    double tolerance, low[MOST_OUTPUTS], high[MOST_OUTPUTS], error[MOST_OUTPUTS];
};

/* origin axis i = stored axis perm[i]: copies between the two orders, one element at a time. */
static void reorder(const struct sl_shape *stored, const int *perm, const char *from, char *to, size_t size, bool to_stored)
{
    int64_t stride[SL_MAX_RANK], index[SL_MAX_RANK] = {0}, run = 1;
    for (int i = stored->rank - 1; i >= 0; i--) {
        stride[i] = run;
        run *= stored->dim[i];
    }
    for (int64_t i = 0; i < run; i++) {
        int64_t at = 0;
        for (int k = 0; k < stored->rank; k++)
            at += index[k] * stride[perm[k]];
        if (to_stored)
            memcpy(to + (size_t)at * size, from + (size_t)i * size, size);
        else
            memcpy(to + (size_t)i * size, from + (size_t)at * size, size);
        for (int k = stored->rank - 1; k >= 0 && ++index[k] == stored->dim[perm[k]]; k--)
            index[k] = 0;
    }
}

static sluice_status load(struct golden *t, const char *path, struct sl_array *out, sl_err *e)
{
    struct sl_view bytes;
    SL_TRY(sl_map_file(t->a, path, &bytes, e));
    return sl_npy_parse(t->a, bytes, out, e);
}

/* The manifest's position of a tensor name. */
static int position(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(list, i), "name")), name) == 0)
            return (int)i;
    return -1;
}

/* Imported again when a case has other input shapes: models with dynamic dimensions. */
static sluice_status import_for(struct golden *t, int number, sl_err *e)
{
    const json_t *inputs = json_object_get(t->manifest, "inputs");
    int n = (int)json_array_size(inputs);
    struct sl_given_shape *shapes = SL_NEW_ARRAY(t->a, struct sl_given_shape, n);
    bool same = t->g != NULL;
    for (int i = 0; i < n; i++) {
        struct sl_array array;
        SL_TRY(load(t, sl_arena_printf(t->a, "%s/golden/%s/case%d/input_%d.npy", t->data, t->name, number, i), &array, e));
        shapes[i] =
            (struct sl_given_shape){json_string_value(json_object_get(json_array_get(inputs, (size_t)i), "name")), array.shape};
        same = same && sl_shape_equal(&shapes[i].shape, &t->shapes[i].shape);
    }
    t->shapes = shapes;
    if (same)
        return SLUICE_OK;
    struct sl_onnx_options o = {.common = {.tensor_shapes = shapes, .n_tensor_shapes = n}};
    struct sl_view bytes;
    const char *path = sl_arena_printf(t->a, "%s/%s", t->data, json_string_value(json_object_get(t->manifest, "model")));
    SL_TRY(sl_map_file(t->a, path, &bytes, e));
    SL_TRY(sl_onnx_import(t->a, path, bytes, &o, &t->g, &t->report, e));
    sl_float_run_free(t->run);
    t->run = NULL;
    return sl_float_run_new(t->g, 1, false, &t->run, e);
}

static sluice_status run_case(struct golden *t, int number, sl_err *e)
{
    SL_TRY(import_for(t, number, e));
    const void **inputs = SL_NEW_ARRAY(t->a, const void *, t->g->n_inputs);
    for (int i = 0; i < t->g->n_inputs; i++) {
        const struct sl_port *p = &t->g->inputs[i];
        struct sl_array array;
        int at = position(json_object_get(t->manifest, "inputs"), p->origin_name);
        SL_TRY(load(t, sl_arena_printf(t->a, "%s/golden/%s/case%d/input_%d.npy", t->data, t->name, number, at), &array, e));
        if (array.dtype != SL_F32 || sl_shape_elements(&array.shape) != sl_shape_elements(&p->node->shape))
            return sl_fail(e, SLUICE_E_SHAPE, "case %d: input '%s' does not fit", number, p->origin_name);
        char *stored = SL_NEW_ARRAY(t->a, char, array.bytes);
        reorder(&p->node->shape, p->perm, array.data, stored, sizeof(float), true);
        inputs[i] = stored;
    }
    SL_TRY(sl_float_run_frame(t->run, inputs, e));
    for (int i = 0; i < t->g->n_outputs && i < MOST_OUTPUTS; i++) {
        const struct sl_port *p = &t->g->outputs[i];
        const struct sl_tensor *y = sl_float_run_output(t->run, i);
        struct sl_array array;
        int at = position(json_object_get(t->manifest, "outputs"), p->origin_name);
        SL_TRY(load(t, sl_arena_printf(t->a, "%s/golden/%s/case%d/output_%d.npy", t->data, t->name, number, at), &array, e));
        if (!sl_shape_equal(&array.shape, &p->origin_shape) &&
            sl_shape_elements(&array.shape) != sl_shape_elements(&p->origin_shape))
            return sl_fail(e, SLUICE_E_SHAPE, "case %d: output '%s' has another shape", number, p->origin_name);
        float *mine = SL_NEW_ARRAY(t->a, float, array.bytes / sizeof(float));
        reorder(&y->shape, p->perm, y->data, (char *)mine, sizeof(float), false);
        const float *wanted = array.data;
        for (size_t k = 0; k < sl_shape_elements(&array.shape); k++) {
            double difference = fabs((double)mine[k] - (double)wanted[k]);
            t->error[i] = difference > t->error[i] || isnan(difference) ? difference : t->error[i];
            t->low[i] = fmin(t->low[i], (double)wanted[k]);
            t->high[i] = fmax(t->high[i], (double)wanted[k]);
        }
    }
    return SLUICE_OK;
}

/* The largest number of the manifest's tolerance object. */
static double tolerance_of(const json_t *j)
{
    double most = 0;
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_number(j))
        return json_number_value(j);
    json_array_foreach(j, i, v) most = fmax(most, tolerance_of(v));
    json_object_foreach((json_t *)j, key, v) if (strcmp(key, "cases_compared") != 0) most = fmax(most, tolerance_of(v));
    return most;
}

static sluice_status run_model(struct golden *t, sl_err *e)
{
    struct sl_view text;
    SL_TRY(sl_map_file(t->a, sl_arena_printf(t->a, "%s/golden/%s/manifest.json", t->data, t->name), &text, e));
    SL_TRY(sl_json_parse(text, &t->manifest, e));
    size_t n_cases = json_array_size(json_object_get(t->manifest, "cases"));
    for (size_t i = 0; i < n_cases; i++)
        SL_TRY(run_case(t, (int)i, e));
    printf("%s: %d layers, %d transposes left, %zu cases", t->name, t->g->n_nodes, t->report.common.n_transposes, n_cases);
    return SLUICE_OK;
}

static bool within(const struct golden *t)
{
    bool good = true;
    for (int i = 0; i < t->g->n_outputs && i < MOST_OUTPUTS; i++) {
        double range = fmax(t->high[i] - t->low[i], 1e-2), allowed = fmax(1e-4 * range, 4 * t->tolerance);
        printf(", '%s' error %.3g of %.3g", t->g->outputs[i].origin_name, t->error[i], allowed);
        good = good && t->error[i] <= allowed;
    }
    return good;
}

static bool check_model(const char *data, const char *name)
{
    struct golden t = {.a = sl_arena_new(), .data = data, .name = name};
    sl_err e = {0};
    for (int i = 0; i < MOST_OUTPUTS; i++) {
        t.low[i] = INFINITY;
        t.high[i] = -INFINITY;
    }
    bool good = run_model(&t, &e) == SLUICE_OK;
    if (good) {
        t.tolerance = tolerance_of(json_object_get(t.manifest, "tolerance"));
        good = within(&t);
    } else {
        printf("%s: %s %s", name, e.message, e.hint);
    }
    printf(": %s\n", good ? "ok" : "FAIL");
    sl_float_run_free(t.run);
    json_decref(t.manifest);
    sl_arena_free(t.a);
    return good;
}

int main(int argc, char **argv)
{
    const char *data = getenv("SLUICE_DATA");
    data = data ? data : "../shared/data";
    if (!sl_is_directory(data)) {
        printf("SKIP: no shared data at '%s' (set SLUICE_DATA)\n", data);
        return SKIPPED;
    }
    bool good = argc > 1;
    for (int i = 1; i < argc; i++)
        good = check_model(data, argv[i]) && good;
    return good ? 0 : 1;
}
