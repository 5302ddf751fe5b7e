/* copy_c.c: the strided copy behind concat, slice, transpose, expand, space_to_depth and depth_to_space (numerics.md section
 * 11), and the functions that describe each as one. */
#include "kernels/kernels.h"

#include <assert.h>
#include <string.h>

#include "kernels/rounding.h"
#include "kernels/variants.h"

/* ---- descriptions ---- */

static void dense_strides(const struct sl_shape *s, int64_t *stride)
{
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= s->dim[i];
    }
}

void sl_copy_flat(struct sl_copy_args *c, int bytes, size_t n)
{
    *c = (struct sl_copy_args){.bytes = bytes, .rank = 1, .dim = {(int64_t)n}, .in_stride = {1}, .out_stride = {1}};
}

void sl_copy_transpose(struct sl_copy_args *c, int bytes, const struct sl_shape *x, const int64_t *perm)
{
    struct sl_shape out = {.rank = x->rank};
    int64_t stride[SL_MAX_RANK];
    *c = (struct sl_copy_args){.bytes = bytes, .rank = x->rank};
    dense_strides(x, stride);
    for (int i = 0; i < x->rank; i++) {
        out.dim[i] = c->dim[i] = x->dim[perm[i]];
        c->in_stride[i] = stride[perm[i]];
    }
    dense_strides(&out, c->out_stride);
}

void sl_copy_slice(struct sl_copy_args *c, int bytes, const struct sl_shape *x, const int64_t *start, const int64_t *step,
                   const struct sl_shape *out)
{
    int64_t stride[SL_MAX_RANK];
    *c = (struct sl_copy_args){.bytes = bytes, .rank = x->rank};
    dense_strides(x, stride);
    dense_strides(out, c->out_stride);
    for (int i = 0; i < x->rank; i++) {
        c->dim[i] = out->dim[i];
        c->in_stride[i] = stride[i] * step[i];
        c->in_offset += stride[i] * start[i];
    }
}

void sl_copy_concat(struct sl_copy_args *c, int bytes, const struct sl_shape *part, const struct sl_shape *out, int axis,
                    int64_t at)
{
    *c = (struct sl_copy_args){.bytes = bytes, .rank = part->rank};
    dense_strides(part, c->in_stride);
    dense_strides(out, c->out_stride);
    for (int i = 0; i < part->rank; i++)
        c->dim[i] = part->dim[i];
    c->out_offset = at * c->out_stride[axis];
}

void sl_copy_expand(struct sl_copy_args *c, int bytes, const struct sl_shape *x, const struct sl_shape *out)
{
    int64_t stride[SL_MAX_RANK];
    *c = (struct sl_copy_args){.bytes = bytes, .rank = out->rank};
    dense_strides(x, stride);
    dense_strides(out, c->out_stride);
    for (int i = 0; i < out->rank; i++) {
        int own = i - (out->rank - x->rank);
        c->dim[i] = out->dim[i];
        c->in_stride[i] = own < 0 || x->dim[own] == 1 ? 0 : stride[own];
    }
}

/* Both rearrangements see [n, h, i, w, j, c] on the spatial side, where (i, j) is the place in the block. On the deep side
 * channels are [i, j, c] (dcr) or [c, i, j] (crd). `small` is the picture with the deep channels' height and width. */
static void depth_space(struct sl_copy_args *c, int bytes, int64_t n, int64_t h, int64_t w, int64_t channels, int64_t block,
                        bool crd, bool to_space)
{
    const int64_t b = block, deep = channels * b * b;
    const int64_t dim[6] = {n, h, b, w, b, channels};
    const int64_t space[6] = {h * b * w * b * channels, b * w * b * channels, w * b * channels, b * channels, channels, 1};
    const int64_t depth[6] = {h * w * deep, w * deep, crd ? b : b * channels, deep, crd ? 1 : channels, crd ? b * b : 1};
    *c = (struct sl_copy_args){.bytes = bytes, .rank = 6};
    memcpy(c->dim, dim, sizeof dim);
    memcpy(c->in_stride, to_space ? depth : space, sizeof dim);
    memcpy(c->out_stride, to_space ? space : depth, sizeof dim);
}

void sl_copy_depth_to_space(struct sl_copy_args *c, int bytes, const struct sl_shape *x, int64_t block, bool crd)
{
    assert(x->rank == 4 && x->dim[3] % (block * block) == 0);
    depth_space(c, bytes, x->dim[0], x->dim[1], x->dim[2], x->dim[3] / (block * block), block, crd, true);
}

void sl_copy_space_to_depth(struct sl_copy_args *c, int bytes, const struct sl_shape *x, int64_t block, bool crd)
{
    assert(x->rank == 4 && x->dim[1] % block == 0 && x->dim[2] % block == 0);
    depth_space(c, bytes, x->dim[0], x->dim[1] / block, x->dim[2] / block, x->dim[3], block, crd, false);
}

/* ---- the copy ---- */

/* state: joined dimensions, outermost first; the innermost is the run */
enum { SIZE, ROWS, RANK, DIM, IN = DIM + SL_MAX_RANK, OUT = IN + SL_MAX_RANK };
enum { TASK = 1 << 16 }; /* elements */

static void plan(struct sl_work *w)
{
    const struct sl_copy_args *c = w->args;
    int64_t *dim = w->state + DIM, *in = w->state + IN, *out = w->state + OUT, rows = 1;
    int rank = 0;
    bool empty = false;
    assert(c->bytes == 1 || c->bytes == 2 || c->bytes == 4 || c->bytes == 8);
    for (int i = 0; i < c->rank; i++) {
        int64_t d = c->dim[i];
        empty |= d == 0;
        if (d == 1)
            continue;
        if (rank > 0 && in[rank - 1] == c->in_stride[i] * d && out[rank - 1] == c->out_stride[i] * d)
            dim[rank - 1] *= d;
        else
            dim[rank++] = d;
        in[rank - 1] = c->in_stride[i];
        out[rank - 1] = c->out_stride[i];
    }
    if (rank == 0) { /* one element */
        dim[0] = in[0] = out[0] = 1;
        rank = 1;
    }
    for (int k = 0; k < rank - 1; k++)
        rows *= dim[k];
    w->state[RANK] = rank;
    w->state[ROWS] = empty ? 0 : rows;
    w->state[SIZE] = sl_task_size(w->state[ROWS], TASK / (dim[rank - 1] + 1));
    w->n_tasks = sl_task_count(w->state[ROWS], w->state[SIZE]);
}

/* A run of n elements, `rows` times: the two innermost dimensions. */
struct block {
    uint8_t *out;
    const uint8_t *in;
    int64_t n, out_step, in_step;            /* in elements */
    int64_t rows, out_row_step, in_row_step; /* in elements */
};

#define STRIDED(type)                                                                                                          \
    for (int64_t row = 0; row < b->rows; row++) {                                                                              \
        const type *p = (const type *)(const void *)b->in + row * b->in_row_step;                                              \
        type *q = (type *)(void *)b->out + row * b->out_row_step;                                                              \
        for (int64_t i = 0; i < b->n; i++)                                                                                     \
            q[i * b->out_step] = p[i * b->in_step];                                                                            \
    }

static void copy_strided(const struct block *b, int bytes)
{
    if (bytes == 1) {
        STRIDED(uint8_t)
    } else if (bytes == 2) {
        STRIDED(uint16_t)
    } else if (bytes == 4) {
        STRIDED(uint32_t)
    } else {
        STRIDED(uint64_t)
    }
}

/* Runs of bytes. Short ones of a usual size are copied without a call: pictures of three channels are full of them. */
static void copy_runs(const struct block *b, int bytes)
{
    const size_t n = (size_t)(b->n * bytes);
    const int64_t out_step = b->out_row_step * bytes, in_step = b->in_row_step * bytes;
    uint8_t *q = b->out;
    const uint8_t *p = b->in;
#define RUNS(size)                                                                                                             \
    case size:                                                                                                                 \
        for (int64_t row = 0; row < b->rows; row++, q += out_step, p += in_step)                                               \
            memcpy(q, p, size);                                                                                                \
        break;
    switch (n) {
        RUNS(1)
        RUNS(2)
        RUNS(3)
        RUNS(4)
        RUNS(6)
        RUNS(8)
        RUNS(12)
        RUNS(16)
        RUNS(24)
        RUNS(32)
        RUNS(64)
    default:
        for (int64_t row = 0; row < b->rows; row++, q += out_step, p += in_step)
            memcpy(q, p, n);
        break;
    }
#undef RUNS
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_copy_args *c = w->args;
    const int inner = (int)w->state[RANK] - 1;
    const int64_t *dim = w->state + DIM, *in = w->state + IN, *out = w->state + OUT;
    const int64_t end = SL_MIN(w->state[ROWS], (task + 1) * w->state[SIZE]);
    struct block b = {.n = dim[inner], .out_step = out[inner], .in_step = in[inner]};
    if (inner > 0) {
        b.out_row_step = out[inner - 1];
        b.in_row_step = in[inner - 1];
    }
    for (int64_t row = task * w->state[SIZE]; row < end; row += b.rows) {
        int64_t rest = row, in_at = c->in_offset, out_at = c->out_offset;
        for (int k = inner - 1; k >= 0; k--) {
            in_at += rest % dim[k] * in[k];
            out_at += rest % dim[k] * out[k];
            rest /= dim[k];
        }
        b.rows = inner > 0 ? SL_MIN(end - row, dim[inner - 1] - row % dim[inner - 1]) : 1;
        b.out = (uint8_t *)io->out + out_at * c->bytes;
        b.in = (const uint8_t *)io->in[0] + in_at * c->bytes;
        if (b.in_step == 1 && b.out_step == 1)
            copy_runs(&b, c->bytes);
        else
            copy_strided(&b, c->bytes);
    }
}

const struct sl_variant sl_copy_c = {"copy_c", SL_FAMILY_COPY, SL_CPU_C, NULL, plan, NULL, run};
