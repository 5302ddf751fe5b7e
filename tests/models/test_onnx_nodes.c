/*
 * test_onnx_nodes.c: ONNX's operator vectors (shared data: onnx_node/vectors.tar.xz) through the importer and the float runner.
 * Counts by operator; a vector that fails must say why. A vector with error.txt must fail, with that text in the message. The
 * run fails when one does not pass. Usage: test_onnx_nodes [-v] [-r] [-f ARCHIVE] [NAME_PART]; -r: every input arrives at run
 * time, none may become a constant.
 */
#include <archive.h>
#include <archive_entry.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "onnx/onnx_import.h"
#include "ops/float_run.h"

enum { SKIPPED = 77, MOST_FILES = 32 };

struct vector {
    sl_arena *a;
    char name[256];
    struct sl_view model, in[MOST_FILES], out[MOST_FILES];
    struct sl_view error; /* what the message must hold, for a model that must not be taken */
};

struct tally {
    int passed, total, bound, folded;
    bool verbose, run_time;
    const char *part;
};

static sluice_status tensor(struct onnx_import *c, struct sl_view bytes, const struct sl_const **out)
{
    struct onnx_tensor *t = SL_NEW(c->a, struct onnx_tensor);
    SL_TRY(onnx_read_tensor(c->a, bytes, t, c->e));
    sluice_status s = onnx_tensor_const(c, c->a, t, out);
    return s == SLUICE_E_UNSUPPORTED && !c->e->code ? sl_fail(c->e, s, "the vector's own tensor has a type that is not read")
                                                    : s;
}

/* To the runner's form: float, or int64 for all integers; origin order -> stored order. */
static void *stored_value(sl_arena *a, const struct sl_const *k, const struct sl_port *p)
{
    const struct sl_shape *s = &p->node->shape;
    size_t n = sl_shape_elements(s);
    bool is_float = sl_dtype_is_float(p->node->dtype);
    char *data = SL_NEW_ARRAY(a, char, n * 8 + 8);
    int64_t stride[SL_MAX_RANK], index[SL_MAX_RANK] = {0}, run = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        stride[i] = run;
        run *= s->dim[i];
    }
    for (size_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int j = 0; j < s->rank; j++)
            at += index[j] * stride[p->perm[j]];
        if (is_float)
            ((float *)data)[at] = (float)sl_const_number(k, i);
        else
            ((int64_t *)data)[at] = sl_const_integer(k, i);
        for (int j = s->rank - 1; j >= 0 && ++index[j] == s->dim[p->perm[j]]; j--)
            index[j] = 0;
    }
    return data;
}

static sluice_status compare(const struct sl_tensor *y, const struct sl_port *p, const struct sl_const *wanted, sl_err *e)
{
    size_t n = sl_shape_elements(&wanted->shape);
    char text[160], other[160];
    if (!sl_shape_equal(&wanted->shape, &p->origin_shape))
        return sl_fail(e, SLUICE_E_SHAPE, "output '%s' has shape %s, not %s", p->origin_name,
                       sl_shape_text(&p->origin_shape, text, 160), sl_shape_text(&wanted->shape, other, 160));
    int64_t stride[SL_MAX_RANK], index[SL_MAX_RANK] = {0}, run = 1;
    for (int i = y->shape.rank - 1; i >= 0; i--) {
        stride[i] = run;
        run *= y->shape.dim[i];
    }
    for (size_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int j = 0; j < y->shape.rank; j++)
            at += index[j] * stride[p->perm[j]];
        bool is_float = sl_dtype_is_float(y->dtype);
        double got = is_float ? (double)((const float *)y->data)[at] : (double)((const int64_t *)y->data)[at];
        double want = sl_const_number(wanted, i);
        bool same = got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= 1e-5 + 1e-3 * fabs(want);
        if (!same)
            return sl_fail(e, SLUICE_E_VALUE, "output '%s' element %zu is %g, not %g", p->origin_name, i, got, want);
        for (int j = y->shape.rank - 1; j >= 0 && ++index[j] == y->shape.dim[p->perm[j]]; j--)
            index[j] = 0;
    }
    return SLUICE_OK;
}

static int graph_position(const struct onnx_value_info *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0)
            return i;
    return -1;
}

/* Vectors feed shapes, axes and weights as inputs. What the importer cannot take as an input is given as a constant, in rounds:
 * no input, then integers and empty ones behind the first input, then all behind it, then all. */
static bool is_bound(int round, int i, const struct sl_const *k)
{
    bool parameter = !sl_dtype_is_float(k->dtype) || sl_shape_elements(&k->shape) == 0;
    return round == 3 || (round == 2 && i > 0) || (round == 1 && (i > 0 || sl_shape_elements(&k->shape) == 0) && parameter);
}

static sluice_status run(struct vector *v, struct onnx_import *c, int round, struct sl_float_run **r)
{
    struct sl_given_shape shapes[MOST_FILES];
    struct sl_onnx_value bound[MOST_FILES];
    int n_bound = 0;
    const struct sl_const *in[MOST_FILES], *wanted;
    const void *values[MOST_FILES];
    struct onnx_model *m;
    struct sl_graph *g;
    int n = 0;
    SL_TRY(onnx_read_model(v->a, v->model, &m, c->e));
    for (; n < MOST_FILES && v->in[n].data && n < m->graph->n_inputs; n++) {
        SL_TRY(tensor(c, v->in[n], &in[n]));
        shapes[n] = (struct sl_given_shape){m->graph->inputs[n].name, in[n]->shape};
        if (is_bound(round, n, in[n]))
            bound[n_bound++] = (struct sl_onnx_value){m->graph->inputs[n].name, in[n]};
    }
    struct sl_onnx_options o = {
        .common = {.tensor_shapes = shapes, .n_tensor_shapes = n}, .tensor_values = bound, .n_tensor_values = n_bound};
    SL_TRY(sl_onnx_import(v->a, v->name, v->model, &o, &g, NULL, c->e));
    SL_TRY(sl_float_run_new(g, 1, false, r, c->e));
    for (int i = 0; i < g->n_inputs; i++) {
        int at = graph_position(m->graph->inputs, m->graph->n_inputs, g->inputs[i].origin_name);
        if (at < 0 || at >= n)
            return sl_fail(c->e, SLUICE_E_NOT_FOUND, "no value for input '%s'", g->inputs[i].origin_name);
        values[i] = stored_value(v->a, in[at], &g->inputs[i]);
    }
    SL_TRY(sl_float_run_frame(*r, values, c->e));
    for (int i = 0; i < g->n_outputs && v->out[i].data; i++) {
        SL_TRY(tensor(c, v->out[i], &wanted));
        SL_TRY(compare(sl_float_run_output(*r, i), &g->outputs[i], wanted, c->e));
    }
    return SLUICE_OK;
}

static void check(struct vector *v, struct tally *t)
{
    sl_err e = {0};
    struct sl_onnx_report report = {0};
    struct onnx_import c = {
        .a = v->a, .scratch = v->a, .report = &report, .e = &e, .files = sl_map_new(v->a), .directory = "."};
    struct sl_float_run *r = NULL;
    if (!v->model.data || (t->part && !strstr(v->name, t->part)))
        return;
    t->total++;
    int round = 0;
    bool good = false;
    for (; round < (t->run_time ? 1 : 4) && !good; round++) {
        e = (sl_err){0};
        good = run(v, &c, round, &r) == SLUICE_OK;
        sl_float_run_free(r);
        r = NULL;
        if (!good && e.code == SLUICE_E_VALUE && strncmp(e.message, "output '", 8) == 0)
            break; /* it ran, and is wrong */
    }
    if (v->error.data) {
        const char *wanted = sl_arena_strndup(v->a, (const char *)v->error.data, v->error.size);
        if (good)
            sl_fail(&e, SLUICE_E_VALUE, "it runs, an error with '%s' is wanted", wanted);
        good = !good && strstr(e.message, wanted);
    }
    t->passed += good;
    t->bound += good && round > 1;
    t->folded += good && round == 4;
    if (!good)
        printf("FAIL %s%s%s\n", sl_starts_with(e.message, v->name) ? "" : v->name,
               sl_starts_with(e.message, v->name) ? "" : ": ", e.message);
    else if (t->verbose)
        printf("ok   %s (round %d)\n", v->name, round - 1);
}

/* "<test>/model.onnx", "<test>/test_data_set_0/input_0.pb" */
static void take_file(struct vector *v, const char *path, struct sl_view bytes)
{
    const char *slash = strchr(path, '/');
    unsigned number = 0;
    if (!slash)
        return;
    if (strcmp(slash + 1, "model.onnx") == 0)
        v->model = bytes;
    else if (strcmp(slash + 1, "error.txt") == 0)
        v->error = bytes;
    else if (sscanf(slash, "/test_data_set_0/input_%u.pb", &number) == 1 && number < MOST_FILES)
        v->in[number] = bytes;
    else if (sscanf(slash, "/test_data_set_0/output_%u.pb", &number) == 1 && number < MOST_FILES)
        v->out[number] = bytes;
}

static void start(struct vector *v, const char *path, struct tally *t)
{
    size_t n = strcspn(path, "/");
    if (strncmp(v->name, path, n) == 0 && v->name[n] == 0)
        return;
    check(v, t);
    sl_arena_free(v->a);
    *v = (struct vector){.a = sl_arena_new()};
    snprintf(v->name, sizeof v->name, "%.*s", (int)n, path);
}

static int run_all(const char *path, struct tally *t)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    struct vector v = {.a = sl_arena_new()};
    archive_read_support_filter_all(archive);
    archive_read_support_format_all(archive);
    if (archive_read_open_filename(archive, path, 1 << 16) != ARCHIVE_OK) {
        printf("%s: %s\n", path, archive_error_string(archive));
        return 1;
    }
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        name += strncmp(name, "./", 2) == 0 ? 2 : 0;
        if (archive_entry_filetype(entry) != AE_IFREG)
            continue;
        start(&v, name, t);
        size_t size = (size_t)archive_entry_size(entry);
        uint8_t *data = sl_arena_alloc_aligned64(v.a, size + 1);
        if (!data || archive_read_data(archive, data, size) != (la_ssize_t)size)
            break;
        take_file(&v, name, (struct sl_view){data, size});
    }
    check(&v, t);
    sl_arena_free(v.a);
    archive_read_free(archive);
    printf("%d of %d vectors pass, %d of them with some inputs as constants, %d with all\n", t->passed, t->total, t->bound,
           t->folded);
    return t->total > 0 && t->passed == t->total ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct tally t = {0};
    const char *data = getenv("SLUICE_DATA");
    char path[1024];
    snprintf(path, sizeof path, "%s/onnx_node/vectors.tar.xz", data ? data : "../shared/data");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            t.verbose = true;
        else if (strcmp(argv[i], "-r") == 0)
            t.run_time = true;
        else if (strcmp(argv[i], "-f") == 0 && i + 1 < argc)
            snprintf(path, sizeof path, "%s", argv[++i]);
        else
            t.part = argv[i];
    }
    if (!sl_is_file(path)) {
        printf("SKIP: no operator vectors at '%s' (set SLUICE_DATA)\n", path);
        return SKIPPED;
    }
    return run_all(path, &t);
}
