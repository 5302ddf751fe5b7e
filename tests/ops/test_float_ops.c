/* test_float_ops.c: every case of the files given: shape rule, then the value by the float runner with 1 and 2 threads, and by
 * constant folding (the plain C path), each against the expected one; or the shape rule's error. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "case_file.h"
#include "ops/float_run.h"
#include "ops/values.h"

static int failures;

static void failed(const struct op_case *k, const char *way, const char *format, double a, double b, double c)
{
    printf("FAIL %s (%s): ", k->name, way);
    printf(format, a, b, c);
    printf("\n");
    failures++;
}

static void compare(const struct op_case *k, const char *way, const void *data)
{
    size_t count = sl_shape_elements(&k->out.shape);
    if (!sl_is_float_class(k->out.dtype)) {
        const int64_t *y = data, *want = k->out.data;
        for (size_t i = 0; i < count; i++)
            if (y[i] != want[i]) {
                failed(k, way, "value %.0f is %.0f, expected %.0f", (double)i, (double)y[i], (double)want[i]);
                return;
            }
        return;
    }
    const float *y = data, *want = k->out.data;
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(want[i]))
            largest = fmax(largest, fabs((double)want[i]));
    for (size_t i = 0; i < count; i++) {
        /* relative to the value itself for single numbers' functions, to the whole for sums */
        double scale = k->node->op == SL_OP_activation ? fabs((double)want[i]) + 1e-6 : largest;
        bool same = isfinite(want[i]) ? fabs((double)y[i] - (double)want[i]) <= k->tolerance * scale + 1e-30
                                      : memcmp(&y[i], &want[i], sizeof *y) == 0 || (isnan(want[i]) && isnan(y[i]));
        if (!same) {
            failed(k, way, "value %.0f is %.9g, expected %.9g", (double)i, (double)y[i], (double)want[i]);
            return;
        }
    }
}

static void check_run(const struct op_case *k, int threads, bool keep_all, sl_err *e)
{
    struct sl_float_run *run = NULL;
    const void *inputs[16];
    char way[64];
    snprintf(way, sizeof way, "%d threads%s", threads, keep_all ? ", all kept" : "");
    for (int i = 0, j = 0; i < k->n_in; i++)
        if (k->node->in[i]->op == SL_OP_input_layer)
            inputs[j++] = k->in[i].data;
    if (sl_float_run_new(k->graph, threads, keep_all, &run, e) == SLUICE_OK)
        for (int frame = 0; frame < 2; frame++) /* the second uses what the first kept */
            if (sl_float_run_frame(run, inputs, e) == SLUICE_OK)
                compare(k, way, sl_float_run_output(run, 0)->data);
    if (e->code != SLUICE_OK)
        printf("FAIL %s (%s): %s\n", k->name, way, e->message), failures++;
    *e = (sl_err){0};
    sl_float_run_free(run);
}

static void check_fold(const struct op_case *k, sl_err *e)
{
    sl_arena *a = sl_arena_new();
    struct sl_node n = *k->node, sources[16], *in[16];
    const struct sl_const *out;
    n.in = in;
    for (int i = 0; i < k->n_in; i++) {
        void *data;
        const struct sl_const *c = sl_const_new(a, k->in[i].dtype, &k->in[i].shape, &data);
        sl_values_pack(k->in[i].dtype, k->in[i].data, sl_shape_elements(&k->in[i].shape), data);
        sources[i] = *k->node->in[i];
        sources[i].op = SL_OP_const_input;
        sources[i].n_params = 1;
        struct sl_param *p = SL_NEW(a, struct sl_param);
        *p = (struct sl_param){"data", c};
        sources[i].params = p;
        in[i] = &sources[i];
    }
    if (sl_fold_node(a, &n, &out, e) == SLUICE_OK) {
        size_t count = sl_shape_elements(&out->shape);
        void *values = sl_arena_must_alloc(a, count * 8 + 8);
        if (!sl_shape_equal(&out->shape, &k->out.shape) || out->dtype != k->out.dtype)
            printf("FAIL %s (fold): another shape or type\n", k->name), failures++;
        const void *dense = sl_const_dense(a, out);
        sl_values_unpack(out->dtype, dense, count, values);
        compare(k, "fold", values);
    } else {
        printf("FAIL %s (fold): %s\n", k->name, e->message), failures++;
    }
    *e = (sl_err){0};
    sl_arena_free(a);
}

static void check_case(const struct op_case *k)
{
    char got[160], want[160];
    sl_err e = {0};
    sluice_status s = sl_infer_all(k->graph, &e);
    if (k->error) {
        if (s == SLUICE_OK || !strstr(e.message, k->error))
            printf("FAIL %s: expected an error with '%s', got '%s'\n", k->name, k->error, e.message), failures++;
        return;
    }
    if (s != SLUICE_OK) {
        printf("FAIL %s: %s\n", k->name, e.message), failures++;
        return;
    }
    if (!sl_shape_equal(&k->node->shape, &k->out.shape) || k->node->dtype != k->out.dtype) {
        printf("FAIL %s: %s %s, expected %s %s\n", k->name, sl_dtype_name(k->node->dtype), sl_shape_text(&k->node->shape, got, 160),
               sl_dtype_name(k->out.dtype), sl_shape_text(&k->out.shape, want, 160));
        failures++;
        return;
    }
    if (sl_verify_types(k->graph, &e) != SLUICE_OK)
        printf("FAIL %s: %s\n", k->name, e.message), failures++;
    if (sl_op_row(k->node->op)->cost(k->node) < 0)
        printf("FAIL %s: negative cost\n", k->name), failures++;
    e = (sl_err){0};
    check_run(k, 1, false, &e);
    check_run(k, 2, true, &e);
    check_fold(k, &e);
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int f = 1; f < argc; f++) {
        sl_arena *a = sl_arena_new();
        int count;
        const struct op_case *cases = read_cases(a, argv[f], &count);
        for (int i = 0; i < count; i++)
            check_case(&cases[i]);
        total += count;
        sl_arena_free(a);
    }
    printf("%d cases, %d failures\n", total, failures);
    return failures > 0 || total == 0;
}
