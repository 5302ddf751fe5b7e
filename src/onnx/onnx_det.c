/* onnx_det.c: Det: of small matrices that the network computes by their minors, of constants by elimination. */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"

enum { MOST_ROWS = 4 };

/* The element at (row, column) of every matrix. */
static sluice_status element(struct onnx_import *c, struct sl_node *x, int row, int column, struct sl_node **out)
{
    const int rank = x->shape.rank;
    SL_TRY(sl_build_slice_axis(c->b, x, rank - 2, row, row + 1, out));
    SL_TRY(sl_build_slice_axis(c->b, *out, rank - 1, column, column + 1, out));
    return onnx_reshape(c, *out, rank - 2, x->shape.dim, out);
}

/* The determinant of rows `row` and on, without the columns that are taken. */
static sluice_status minor_of(struct onnx_import *c, struct sl_node *x, int rows, int row, unsigned taken, struct sl_node **out)
{
    struct sl_node *e, *below, *sum = NULL;
    int sign = 0;
    for (int k = 0; k < rows; k++) {
        if (taken >> k & 1)
            continue;
        SL_TRY(element(c, x, row, k, &e));
        if (row < rows - 1) {
            SL_TRY(minor_of(c, x, rows, row + 1, taken | 1u << k, &below));
            SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, e, below, &e));
        }
        if (sum)
            SL_TRY(sl_build_binary(c->b, sign % 2 ? SL_OP_ew_sub : SL_OP_ew_add, sum, e, &e));
        sum = e;
        sign++;
    }
    *out = sum;
    return SLUICE_OK;
}

/* By elimination with the largest pivot; a [n, n] is used up. */
static double determinant(double *a, int64_t n)
{
    double product = 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t best = i;
        for (int64_t r = i + 1; r < n; r++)
            best = fabs(a[r * n + i]) > fabs(a[best * n + i]) ? r : best;
        for (int64_t k = 0; k < n && best != i; k++) {
            double v = a[i * n + k];
            a[i * n + k] = a[best * n + k];
            a[best * n + k] = v;
        }
        product *= best == i ? a[i * n + i] : -a[i * n + i];
        if (a[i * n + i] == 0)
            return 0;
        for (int64_t r = i + 1; r < n; r++) {
            double factor = a[r * n + i] / a[i * n + i];
            for (int64_t k = i; k < n; k++)
                a[r * n + k] -= factor * a[i * n + k];
        }
    }
    return product;
}

static sluice_status constant_det(struct onnx_import *c, const struct sl_const *k, int64_t n, struct sl_node **out)
{
    struct sl_shape s = k->shape;
    void *data;
    s.rank -= 2;
    const size_t count = sl_shape_elements(&s), size = (size_t)(n * n);
    double *a = SL_NEW_ARRAY(c->scratch, double, size + 1);
    const struct sl_const *result = sl_const_new(c->a, SL_F32, &s, &data);
    if (!result)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for %zu determinants", count);
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < size; e++)
            a[e] = sl_const_number(k, i * size + e);
        ((float *)data)[i] = (float)determinant(a, n);
    }
    *out = sl_build_const(c->b, result);
    return SLUICE_OK;
}

sluice_status translate_det(struct onnx_import *c, const struct onnx_node *n)
{
    struct sl_node *x, *y;
    SL_TRY(onnx_in(c, 0, &x));
    const int rank = x->shape.rank;
    const int64_t rows = rank > 1 ? x->shape.dim[rank - 1] : 0;
    const struct sl_const *k = sl_node_const(x);
    if (rows < 1 || x->shape.dim[rank - 2] != rows)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the last two axes are not a square");
    if (k) {
        SL_TRY(sl_build_take(c->b, sl_shape_elements(&x->shape) + (size_t)(2 * rows * rows)));
        SL_TRY(rows <= 1024 ? constant_det(c, k, rows, &y) : sl_unsupported(c->b, "a matrix of %lld rows", (long long)rows));
    } else if (rows > MOST_ROWS) {
        return sl_unsupported(c->b, "a matrix of %lld rows that is computed at run time, up to %d are supported", (long long)rows, MOST_ROWS);
    } else {
        SL_TRY(minor_of(c, x, (int)rows, 0, 0, &y));
    }
    return onnx_out(c, 0, y);
}
