/* matmul_float.c: product of two activations [..., M, K] x [..., K, N], leading axes broadcast, times one constant: shape rule,
 * evaluation by oneDNN or in plain C, cost. */
#include <float.h>

#include "ops/curves.h"
#include "ops/dnn.h"
#include "ops/eval.h"
#include "ops/op_rules.h"

void sl_matmul_geometry(const struct sl_node *n, struct sl_matmul_geometry *out)
{
    const struct sl_shape *a = &n->in[0]->shape, *b = &n->in[1]->shape;
    int rank = SL_MAX(a->rank, b->rank);
    *out = (struct sl_matmul_geometry){.rank = rank - 2, .transpose_b = sl_get_int(n, "transpose_b", 0) != 0};
    out->m = a->dim[a->rank - 2];
    out->k = a->dim[a->rank - 1];
    out->n = b->dim[out->transpose_b ? b->rank - 2 : b->rank - 1];
    for (int i = 0; i < rank - 2; i++) {
        int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        out->dim_a[i] = ia < 0 ? 1 : a->dim[ia];
        out->dim_b[i] = ib < 0 ? 1 : b->dim[ib];
        out->dim[i] = out->dim_a[i] == 1 ? out->dim_b[i] : out->dim_a[i];
    }
}

sluice_status infer_matmul(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int64_t transpose_b = 0;
    double scale = 1;
    for (int i = 0; i < 2; i++) {
        SL_TRY(sl_rule_is_float(n, i, e));
        SL_TRY(sl_rule_rank(n, i, 2, SL_MAX_RANK, e));
    }
    SL_TRY(sl_rule_ints(n, "transpose_b", 1, 0, 1, &transpose_b, e));
    SL_TRY(sl_rule_float(n, "scale", FLT_MIN, FLT_MAX, &scale, e));
    SL_TRY(sl_rule_activation(n, e));
    struct sl_shape a = n->in[0]->shape, b = n->in[1]->shape, out;
    int64_t k = b.dim[transpose_b ? b.rank - 1 : b.rank - 2];
    if (a.dim[a.rank - 1] != k)
        return sl_fail(e, SLUICE_E_SHAPE, "inputs %s and %s%s do not multiply: %lld columns meet %lld rows", SL_SHAPE_TEXT(&a),
                       SL_SHAPE_TEXT(&b), transpose_b ? " (transposed)" : "", (long long)a.dim[a.rank - 1], (long long)k);
    int64_t rows = a.dim[a.rank - 2], columns = b.dim[transpose_b ? b.rank - 2 : b.rank - 1];
    a.rank -= 2;
    b.rank -= 2;
    SL_TRY(sl_rule_broadcast(&a, &b, &out, e));
    out.dim[out.rank++] = rows;
    out.dim[out.rank++] = columns;
    return sl_rule_output(n, SL_F32, &out, e);
}

int64_t cost_matmul(const struct sl_node *n)
{
    const struct sl_shape *a = &n->in[0]->shape;
    return sl_saturating_mul((int64_t)sl_shape_elements(&n->shape), a->dim[a->rank - 1]);
}

/* One matrix: sums in double, by rows of b so that the inner loop runs over contiguous values. */
static void multiply(const struct sl_matmul_geometry *g, const float *a, const float *b, double scale, double *line, float *y)
{
    for (int64_t i = 0; i < g->m; i++, a += g->k, y += g->n) {
        for (int64_t j = 0; j < g->n; j++)
            line[j] = 0;
        if (g->transpose_b) {
            for (int64_t j = 0; j < g->n; j++)
                for (int64_t k = 0; k < g->k; k++)
                    line[j] += (double)a[k] * (double)b[j * g->k + k];
        } else {
            for (int64_t k = 0; k < g->k; k++)
                for (int64_t j = 0; j < g->n; j++)
                    line[j] += (double)a[k] * (double)b[k * g->n + j];
        }
        for (int64_t j = 0; j < g->n; j++)
            y[j] = (float)(line[j] * scale);
    }
}

/* Position of the output's batch-th matrix in an operand whose leading axes may be broadcast. */
static int64_t matrix_of(const struct sl_matmul_geometry *g, const int64_t *dim, int64_t batch)
{
    int64_t at = 0, step = 1;
    for (int i = g->rank - 1; i >= 0; i--) {
        int64_t index = batch % g->dim[i];
        batch /= g->dim[i];
        at += dim[i] == 1 ? 0 : index * step;
        step *= dim[i];
    }
    return at;
}

sluice_status sl_plain_matmul(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                              sl_err *e)
{
    struct sl_matmul_geometry g;
    const double scale = sl_get_float(n, "scale", 1);
    double *line;
    int64_t batch = 1;
    sl_matmul_geometry(n, &g);
    for (int i = 0; i < g.rank; i++)
        batch *= g.dim[i];
    SL_TRY(sl_eval_scratch(ev, (size_t)g.n, sizeof *line, &line, e));
    for (int64_t i = 0; i < batch; i++)
        multiply(&g, (const float *)in[0].data + matrix_of(&g, g.dim_a, i) * g.m * g.k,
                 (const float *)in[1].data + matrix_of(&g, g.dim_b, i) * g.k * g.n, scale, line, (float *)out->data + i * g.m * g.n);
    sl_curve_fused(n, out->data, sl_shape_elements(&out->shape));
    return SLUICE_OK;
}

sluice_status eval_matmul(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    if (sl_dnn_matmul(ev->dnn, n, in, out))
        return SLUICE_OK;
    return sl_plain_matmul(ev, n, in, out, e);
}
