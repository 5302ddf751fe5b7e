/* move_c.c: pad, gather and resize (numerics.md section 11): copies that are not one strided walk. */
#include "kernels/kernels.h"

#include <assert.h>
#include <string.h>

#include "kernels/rounding.h"
#include "kernels/variants.h"

/* ---- pad: rows along the last axis ---- */

enum { SIZE, ROWS };
enum { TASK = 1 << 15 };

static int64_t padded(const struct sl_pad_args *a, int axis)
{
    return a->before[axis] + a->x.dim[axis] + a->after[axis];
}

static void plan_pad(struct sl_work *w)
{
    const struct sl_pad_args *a = w->args;
    const int last = a->x.rank - 1;
    int64_t rows = 1;
    assert(a->type == SL_U8 || a->type == SL_U16);
    for (int i = 0; i < last; i++)
        rows *= padded(a, i);
    if (last >= 0 && padded(a, last) == 0)
        rows = 0;
    w->state[ROWS] = rows;
    w->state[SIZE] = sl_task_size(rows, TASK / ((last < 0 ? 1 : padded(a, last)) + 1));
    w->n_tasks = sl_task_count(rows, w->state[SIZE]);
}

/* The input index that output index i of an axis of n shows, or -1 for the constant. */
static int64_t pad_source(enum sl_pad_mode mode, int64_t i, int64_t before, int64_t n)
{
    i -= before;
    if (i >= 0 && i < n)
        return i;
    if (mode == SL_PAD_CONSTANT || n == 0)
        return -1;
    if (mode == SL_PAD_EDGE)
        return i < 0 ? 0 : n - 1;
    if (n == 1)
        return 0;
    i = (i < 0 ? -i : i) % (2 * (n - 1)); /* mirrored about both ends, without repeating them */
    return i < n ? i : 2 * (n - 1) - i;
}

static void fill(void *out, enum sl_dtype t, int64_t at, int64_t n, int32_t value)
{
    for (int64_t i = 0; i < n; i++)
        sl_store_q(out, t, (size_t)(at + i), value);
}

/* One output row: `from` is the input row's first element, or -1 when the whole row is the constant. */
static void pad_row(const struct sl_pad_args *a, const struct sl_io *io, int64_t from, int64_t at)
{
    const int last = a->x.rank - 1;
    const int64_t bytes = (int64_t)sl_qbytes(a->type), n = a->x.dim[last], before = a->before[last], after = a->after[last];
    if (from < 0) {
        fill(io->out, a->type, at, before + n + after, a->value);
        return;
    }
    memcpy((uint8_t *)io->out + (at + before) * bytes, (const uint8_t *)io->in[0] + from * bytes, (size_t)(n * bytes));
    for (int64_t i = 0; i < before + after; i++) {
        const int64_t place = i < before ? i : i + n;
        const int64_t source = pad_source(a->mode, place, before, n);
        sl_store_q(io->out, a->type, (size_t)(at + place),
                   source < 0 ? a->value : sl_load_q(io->in[0], a->type, (size_t)(from + source)));
    }
}

static void run_pad(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_pad_args *a = w->args;
    const int last = a->x.rank - 1;
    const int64_t end = SL_MIN(w->state[ROWS], (task + 1) * w->state[SIZE]);
    if (last < 0) { /* a scalar has no sides */
        sl_store_q(io->out, a->type, 0, sl_load_q(io->in[0], a->type, 0));
        return;
    }
    for (int64_t row = task * w->state[SIZE]; row < end; row++) {
        int64_t rest = row, from = 0, step = a->x.dim[last];
        for (int i = last - 1; i >= 0; i--) {
            int64_t source = pad_source(a->mode, rest % padded(a, i), a->before[i], a->x.dim[i]);
            from = source < 0 || from < 0 ? -1 : from + source * step;
            rest /= padded(a, i);
            step *= a->x.dim[i];
        }
        pad_row(a, io, from, row * padded(a, last));
    }
}

const struct sl_variant sl_pad_c = {"pad_c", SL_FAMILY_PAD, SL_CPU_C, NULL, plan_pad, NULL, run_pad};

/* ---- gather ---- */

static void plan_gather(struct sl_work *w)
{
    const struct sl_gather_args *a = w->args;
    w->state[ROWS] = a->inner == 0 ? 0 : a->outer * a->n_indices;
    w->state[SIZE] = sl_task_size(w->state[ROWS], TASK / (a->inner + 1));
    w->n_tasks = sl_task_count(w->state[ROWS], w->state[SIZE]);
}

static void run_gather(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_gather_args *a = w->args;
    const int64_t end = SL_MIN(w->state[ROWS], (task + 1) * w->state[SIZE]), row_bytes = a->inner * a->bytes;
    for (int64_t row = task * w->state[SIZE]; row < end; row++) {
        const int64_t index = a->indices[row % a->n_indices];
        memcpy((uint8_t *)io->out + row * row_bytes,
               (const uint8_t *)io->in[0] + (row / a->n_indices * a->axis_n + index) * row_bytes, (size_t)row_bytes);
    }
}

const struct sl_variant sl_gather_c = {"gather_c", SL_FAMILY_GATHER, SL_CPU_C, NULL, plan_gather, NULL, run_gather};

/* ---- resize: one output position at a time ---- */

enum { MOST_POINTS = 16 }; /* of the input that an output position reads */

static void plan_resize(struct sl_work *w)
{
    const struct sl_resize_args *a = w->args;
    assert(a->type == SL_U8 || a->type == SL_U16);
    w->state[ROWS] = a->c == 0 ? 0 : a->n * a->out_h * a->out_w;
    w->state[SIZE] = sl_task_size(w->state[ROWS], TASK / (a->c + 1));
    w->n_tasks = sl_task_count(w->state[ROWS], w->state[SIZE]);
}

static void blend(const struct sl_resize_args *a, const struct sl_io *io, int64_t picture, int64_t y, int64_t x, int64_t at)
{
    const int taps = a->taps, points = taps * taps;
    const int32_t top = a->type == SL_U8 ? UINT8_MAX : UINT16_MAX;
    int64_t from[MOST_POINTS], weight[MOST_POINTS];
    for (int k = 0; k < points; k++) {
        const int i = k / taps, j = k % taps;
        from[k] = ((picture + a->rows[y * taps + i]) * a->in_w + a->columns[x * taps + j]) * a->c;
        weight[k] = (int64_t)a->row_weights[y * taps + i] * a->column_weights[x * taps + j];
    }
    for (int64_t c = 0; c < a->c; c++) {
        int64_t sum = (int64_t)1 << 21;
        for (int k = 0; k < points; k++)
            sum += sl_load_q(io->in[0], a->type, (size_t)(from[k] + c)) * weight[k];
        sl_store_q(io->out, a->type, (size_t)(at + c), (int32_t)SL_MIN(SL_MAX(sum >> 22, 0), top));
    }
}

static void run_resize(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_resize_args *a = w->args;
    const int64_t end = SL_MIN(w->state[ROWS], (task + 1) * w->state[SIZE]), row_bytes = a->c * (int64_t)sl_qbytes(a->type);
    for (int64_t position = task * w->state[SIZE]; position < end; position++) {
        const int64_t x = position % a->out_w, y = position / a->out_w % a->out_h, frame = position / a->out_w / a->out_h;
        if (a->taps > 1)
            blend(a, io, frame * a->in_h, y, x, position * a->c);
        else
            memcpy((uint8_t *)io->out + position * row_bytes,
                   (const uint8_t *)io->in[0] + ((frame * a->in_h + a->rows[y]) * a->in_w + a->columns[x]) * row_bytes,
                   (size_t)row_bytes);
    }
}

const struct sl_variant sl_resize_c = {"resize_c", SL_FAMILY_RESIZE, SL_CPU_C, NULL, plan_resize, NULL, run_resize};
