/* tflite_space.c: SPACE_TO_DEPTH, DEPTH_TO_SPACE, and SPACE_TO_BATCH_ND with its inverse, as reshapes around a transpose. */
#include <string.h>

#include "tflite/tflite_import.h"

sluice_status tflop_depth_space(struct tfl_import *c, const struct tfl_operator *op)
{
    enum { DEPTH_TO_SPACE = 5 };
    struct sl_node *x;
    SL_TRY(tfl_in(c, 0, &x));
    if (!x || x->shape.rank != 4)
        return sl_fail(c->e, SLUICE_E_SHAPE, "the input does not have 4 dimensions");
    struct sl_node *y = sl_build_add(c->b, op->code == DEPTH_TO_SPACE ? SL_OP_depth_to_space : SL_OP_space_to_depth, 1, &x);
    sl_set_int(c->g, y, "block", flat_s32(&op->options, BLOCK_SIZE, 0));
    sl_set_string(c->g, y, "mode", "dcr");
    SL_TRY(sl_build_finish(c->b, &y));
    return tfl_out(c, 0, y);
}

struct blocks {
    int n;
    int64_t size[SL_MAX_RANK], sides[2 * SL_MAX_RANK];
};

/* Block sizes of the n axes behind the batch, and two pads or crops for each. */
static sluice_status read_blocks(struct tfl_import *c, struct sl_node **x, const char *what, struct blocks *b)
{
    int64_t v[2 * SL_MAX_RANK];
    int n;
    SL_TRY(tfl_in(c, 0, x));
    SL_TRY(tfl_need_ints(c, 1, "block shape", &b->n, v));
    if (!*x || b->n < 1 || b->n > 3 || (*x)->shape.rank < 1 + b->n || (*x)->shape.rank + b->n > SL_MAX_RANK)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d blocks for %d dimensions", b->n, *x ? (*x)->shape.rank : 0);
    memcpy(b->size, v, (size_t)b->n * sizeof *v);
    SL_TRY(tfl_need_ints(c, 2, what, &n, b->sides));
    if (n != 2 * b->n)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d %s for %d blocks", n, what, b->n);
    for (int i = 0; i < b->n; i++)
        if (b->size[i] < 1 || b->size[i] > 65536 || b->sides[2 * i] < 0 || b->sides[2 * i + 1] < 0 ||
            b->sides[2 * i] > INT32_MAX || b->sides[2 * i + 1] > INT32_MAX)
            return sl_fail(c->e, SLUICE_E_VALUE, "block %lld with %s %lld and %lld", (long long)b->size[i], what,
                           (long long)b->sides[2 * i], (long long)b->sides[2 * i + 1]);
    return SLUICE_OK;
}

static void copy_encoding(struct sl_node *n, const struct sl_quant *q)
{
    if (n->quant.dtype == SL_NONE)
        n->quant = *q;
}

/* [n, h, w, ...] -> [n, h/a, a, w/b, b, ...] -> [a, b, n, h/a, w/b, ...] -> [a*b*n, h/a, w/b, ...] */
sluice_status tflop_space_to_batch(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *padded;
    struct blocks b = {0};
    int64_t pads[2 * SL_MAX_RANK] = {0}, split[SL_MAX_RANK], perm[SL_MAX_RANK], joined[SL_MAX_RANK];
    SL_TRY(read_blocks(c, &x, "paddings", &b));
    int rank = x->shape.rank, m = 0;
    for (int i = 0; i < b.n; i++) {
        pads[1 + i] = b.sides[2 * i];
        pads[rank + 1 + i] = b.sides[2 * i + 1];
    }
    SL_TRY(sl_build_pad(c->b, x, pads, "constant", 0, &padded));
    copy_encoding(padded, &x->quant);
    split[m++] = joined[0] = padded->shape.dim[0];
    for (int i = 1; i < rank; i++) {
        int64_t dim = padded->shape.dim[i], block = i <= b.n ? b.size[i - 1] : 1;
        if (dim % block)
            return sl_fail(c->e, SLUICE_E_SHAPE, "axis %d of %lld in blocks of %lld", i, (long long)dim, (long long)block);
        joined[i] = split[m++] = dim / block;
        if (i <= b.n)
            split[m++] = block;
        joined[0] *= block;
    }
    for (int i = 0; i < b.n; i++) {
        perm[i] = 2 + 2 * i;
        perm[b.n + 1 + i] = 1 + 2 * i;
    }
    perm[b.n] = 0;
    for (int i = 2 * b.n + 1; i < m; i++)
        perm[i] = i;
    struct sl_node *y = padded;
    SL_TRY(sl_build_reshape(c->b, y, m, split, &y));
    copy_encoding(y, &x->quant);
    SL_TRY(tfl_transpose(c, y, perm, &y));
    copy_encoding(y, &x->quant);
    SL_TRY(sl_build_reshape(c->b, y, rank, joined, &y));
    SL_TRY(tfl_out(c, 0, y));
    if (b.n == 2 && rank == 4) { /* a convolution may read the picture itself */
        struct tfl_space *s = SL_NEW(c->a, struct tfl_space);
        *s = (struct tfl_space){.from = x, .block = {b.size[0], b.size[1]}};
        memcpy(s->pads, b.sides, sizeof s->pads);
        c->values[op->out[0]].space = s;
    }
    return SLUICE_OK;
}

static sluice_status crop(struct tfl_import *c, struct sl_node *x, int n, const int64_t *sides, struct sl_node **out)
{
    int64_t start[SL_MAX_RANK], end[SL_MAX_RANK], step[SL_MAX_RANK];
    for (int i = 0; i < x->shape.rank; i++) {
        bool cut = i >= 1 && i <= n;
        start[i] = cut ? sides[2 * (i - 1)] : 0;
        end[i] = x->shape.dim[i] - (cut ? sides[2 * (i - 1) + 1] : 0);
        step[i] = 1;
        if (start[i] > end[i])
            return sl_fail(c->e, SLUICE_E_SHAPE, "crops of axis %d leave nothing of %lld", i, (long long)x->shape.dim[i]);
    }
    return sl_build_slice(c->b, x, start, end, step, out);
}

/* The inverse: [a*b*n, h, w, ...] -> [a, b, n, h, w, ...] -> [n, h, a, w, b, ...] -> [n, h*a, w*b, ...], then the crops. */
sluice_status tflop_batch_to_space(struct tfl_import *c, const struct tfl_operator *op)
{
    struct sl_node *x, *y;
    struct blocks b = {0};
    int64_t split[SL_MAX_RANK], perm[SL_MAX_RANK], joined[SL_MAX_RANK], all = 1;
    const struct tfl_space *mark = c->values[op->in[0] < 0 ? op->out[0] : op->in[0]].space;
    SL_TRY(read_blocks(c, &x, "crops", &b));
    if (mark && !mark->from) {
        if (b.n != 2 || mark->block[0] != b.size[0] || mark->block[1] != b.size[1])
            return sl_unsupported(c->b, "blocks that differ from those of SPACE_TO_BATCH_ND before the convolution");
        SL_TRY(crop(c, x, 2, mark->pads, &y));
        return tfl_out(c, 0, y);
    }
    int rank = x->shape.rank, m = 0;
    for (int i = 0; i < b.n; i++) {
        split[m++] = b.size[i];
        all *= b.size[i];
    }
    if (x->shape.dim[0] % all)
        return sl_fail(c->e, SLUICE_E_SHAPE, "a batch of %lld in blocks of %lld", (long long)x->shape.dim[0], (long long)all);
    joined[0] = split[m++] = x->shape.dim[0] / all;
    for (int i = 1; i < rank; i++) {
        split[m++] = x->shape.dim[i];
        joined[i] = x->shape.dim[i] * (i <= b.n ? b.size[i - 1] : 1);
    }
    perm[0] = b.n;
    for (int i = 0; i < b.n; i++) {
        perm[1 + 2 * i] = b.n + 1 + i;
        perm[2 + 2 * i] = i;
    }
    for (int i = 2 * b.n + 1; i < m; i++)
        perm[i] = i;
    y = x;
    SL_TRY(sl_build_reshape(c->b, y, m, split, &y));
    copy_encoding(y, &x->quant);
    SL_TRY(tfl_transpose(c, y, perm, &y));
    copy_encoding(y, &x->quant);
    SL_TRY(sl_build_reshape(c->b, y, rank, joined, &y));
    copy_encoding(y, &x->quant);
    SL_TRY(crop(c, y, b.n, b.sides, &y));
    return tfl_out(c, 0, y);
}
