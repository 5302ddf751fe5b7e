/*
 * tflite_signal.c: RFFT2D over one row, and what is made of complex numbers. A complex tensor is a node with one more axis, the
 * last: real and imaginary part. Only the operators of this file and RESHAPE know such tensors; tflite_order.c refuses others.
 */
#include <math.h>

#include "tflite/tflite_import.h"

bool tfl_is_complex(const struct tfl_import *c, int tensor)
{
    return tensor >= 0 && c->model.tensors[tensor].type == TFL_COMPLEX64;
}

static sluice_status complex_input(struct tfl_import *c, struct sl_node **x)
{
    SL_TRY(tfl_in(c, 0, x));
    if (!*x || !tfl_is_complex(c, c->op->in[0]) || (*x)->shape.rank < 1 || (*x)->shape.dim[(*x)->shape.rank - 1] != 2)
        return sl_unsupported(c->b, "an input that is no spectrum of this network");
    return SLUICE_OK;
}

/* Columns: cosine and minus sine of each of length / 2 + 1 bins. */
static sluice_status wave_kernel(struct tfl_import *c, int64_t rows, int64_t length, const struct sl_const **out)
{
    const double turn = 2 * 3.14159265358979323846 / (double)length;
    int64_t columns = 2 * (length / 2 + 1);
    struct sl_shape s = {2, {rows, columns}};
    void *data;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, out, &data));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++) {
            double angle = turn * (double)(i * (k / 2) % length);
            ((float *)data)[i * columns + k] = (float)(k % 2 ? -sin(angle) : cos(angle));
        }
    return SLUICE_OK;
}

/* A real signal [..., 1, n], cut or filled with zeros to the length. */
sluice_status tflop_rfft2d(struct tfl_import *c, const struct tfl_operator *op)
{
    enum { MOST_LENGTH = 65536 };
    struct sl_node *x, *y;
    const struct sl_const *wave;
    int64_t lengths[2 * SL_MAX_RANK], dims[SL_MAX_RANK + 1];
    int n;
    SL_TRY(tfl_in(c, 0, &x));
    SL_TRY(tfl_need_ints(c, 1, "lengths", &n, lengths));
    int rank = x ? x->shape.rank : 0;
    if (n != 2 || rank < 2 || x->dtype != SL_F32)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d lengths for %d dimensions, 2 for 2 or more are wanted", n, rank);
    if (lengths[1] < 1 || lengths[1] > MOST_LENGTH)
        return sl_fail(c->e, SLUICE_E_VALUE, "a transform of length %lld, 1 to %d are accepted", (long long)lengths[1],
                       MOST_LENGTH);
    if (lengths[0] != 1 || x->shape.dim[rank - 2] != 1 || rank + 1 > SL_MAX_RANK)
        return sl_unsupported(c->b, "a transform over two axes; over one row it is a product with a constant");
    int64_t taken = SL_MIN(x->shape.dim[rank - 1], lengths[1]), rows = 1;
    SL_TRY(sl_build_slice_axis(c->b, x, rank - 1, 0, taken, &x));
    for (int i = 0; i < rank - 1; i++)
        rows *= dims[i] = x->shape.dim[i];
    dims[rank - 1] = lengths[1] / 2 + 1;
    dims[rank] = 2;
    SL_TRY(wave_kernel(c, taken, lengths[1], &wave));
    SL_TRY(sl_build_reshape(c->b, x, 2, (int64_t[]){rows, taken}, &x));
    y = sl_build_add(c->b, SL_OP_fc, 1, &x);
    sl_set_param(c->g, y, "kernel", wave);
    SL_TRY(sl_build_finish(c->b, &y));
    SL_TRY(sl_build_reshape(c->b, y, rank + 1, dims, &y));
    return tfl_out(c, 0, y);
}

sluice_status tflop_complex_abs(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x;
    SL_TRY(complex_input(c, &x));
    SL_TRY(sl_build_unary(c->b, x, "square", &x));
    SL_TRY(sl_build_reduce(c->b, SL_OP_reduce_sum, x, 1, (int64_t[]){x->shape.rank - 1}, false, &x));
    SL_TRY(sl_build_unary(c->b, x, "sqrt", &x));
    return tfl_out(c, 0, x);
}

static sluice_status part(struct tfl_import *c, int64_t which)
{
    struct sl_node *x;
    SL_TRY(complex_input(c, &x));
    int rank = x->shape.rank;
    struct sl_shape s = x->shape;
    SL_TRY(sl_build_slice_axis(c->b, x, rank - 1, which, which + 1, &x));
    SL_TRY(sl_build_reshape(c->b, x, rank - 1, s.dim, &x));
    return tfl_out(c, 0, x);
}

sluice_status tflop_real(struct tfl_import *c, const struct tfl_operator *op)
{
    return part(c, 0);
}

sluice_status tflop_imag(struct tfl_import *c, const struct tfl_operator *op)
{
    return part(c, 1);
}
