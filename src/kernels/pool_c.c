/* pool_c.c: maxpool and avgpool (numerics.md section 7), one output position and a block of channels at a time. */
#include "kernels/kernels.h"

#include <assert.h>

#include "kernels/pool_window.h"
#include "kernels/rounding.h"
#include "kernels/variants.h"

enum { SIZE, BLOCKS }; /* state: units a task, channel blocks a position; a unit is one block of one position */

/* Window taps i0..i1-1 that fall on the picture along one axis, for output position p. */
static void valid_taps(int64_t p, int64_t stride, int64_t dilation, int64_t before, int64_t k, int64_t in, int64_t *i0,
                       int64_t *i1)
{
    int64_t first = p * stride - before;
    *i0 = first >= 0 ? 0 : (-first + dilation - 1) / dilation;
    *i1 = first >= in ? 0 : SL_MIN(k, (in - 1 - first) / dilation + 1);
    if (*i1 < *i0)
        *i1 = *i0;
}

void sl_pool_window(const struct sl_pool_args *a, int64_t y, int64_t x, struct sl_pool_window *win)
{
    int64_t pi0, pi1, pj0, pj1;
    valid_taps(y, a->sh, a->dh, a->top, a->kh, a->in_h, &win->i0, &win->i1);
    valid_taps(x, a->sw, a->dw, a->left, a->kw, a->in_w, &win->j0, &win->j1);
    win->y = y * a->sh - a->top;
    win->x = x * a->sw - a->left;
    win->count = (win->i1 - win->i0) * (win->j1 - win->j0);
    if (a->count_include_pad) { /* taps inside the padded picture: ceil mode may leave some outside even that */
        valid_taps(y, a->sh, a->dh, 0, a->kh, a->top + a->in_h + a->bottom, &pi0, &pi1);
        valid_taps(x, a->sw, a->dw, 0, a->kw, a->left + a->in_w + a->right, &pj0, &pj1);
        win->count = (pi1 - pi0) * (pj1 - pj0);
    }
}

static void plan(struct sl_work *w)
{
    const struct sl_pool_args *a = w->args;
    assert(a->op == SL_POOL_AVG || a->x_type == a->out_type);
    w->state[BLOCKS] = (a->c + SL_BLOCK - 1) / SL_BLOCK;
    int64_t units = a->n * a->out_h * a->out_w * w->state[BLOCKS];
    w->state[SIZE] = sl_task_size(units, ((int64_t)1 << 17) / (a->kh * a->kw * SL_MIN(a->c, SL_BLOCK) + 1));
    w->n_tasks = sl_task_count(units, w->state[SIZE]);
}

static void maximum(const struct sl_pool_args *a, const struct sl_pool_window *win, const struct sl_io *io, int64_t picture,
                    int64_t c0, int n, int64_t at)
{
    int32_t best[SL_BLOCK] = {0}, x[SL_BLOCK];
    for (int64_t i = win->i0; i < win->i1; i++)
        for (int64_t j = win->j0; j < win->j1; j++) {
            int64_t row = picture + (win->y + i * a->dh) * a->in_w + win->x + j * a->dw;
            sl_widen(x, io->in[0], a->x_type, row * a->c + c0, 1, n, 0);
            for (int c = 0; c < n; c++)
                best[c] = SL_MAX(best[c], x[c]);
        }
    sl_narrow(io->out, a->out_type, at, best, n);
}

static void average(const struct sl_pool_args *a, const struct sl_pool_window *win, const struct sl_io *io, int64_t picture,
                    int64_t c0, int n, int64_t at)
{
    int64_t sum[SL_BLOCK] = {0};
    int32_t x[SL_BLOCK];
    for (int64_t i = win->i0; i < win->i1; i++)
        for (int64_t j = win->j0; j < win->j1; j++) {
            int64_t row = picture + (win->y + i * a->dh) * a->in_w + win->x + j * a->dw;
            sl_widen(x, io->in[0], a->x_type, row * a->c + c0, 1, n, a->zp_x);
            for (int c = 0; c < n; c++)
                sum[c] += x[c];
        }
    for (int c = 0; c < n; c++)
        x[c] = sl_finish_f((float)sum[c] / (float)win->count * a->multiplier, a->zp, a->lo, a->hi);
    sl_narrow(io->out, a->out_type, at, x, n);
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_pool_args *a = w->args;
    int64_t units = a->n * a->out_h * a->out_w * w->state[BLOCKS], end = SL_MIN(units, (task + 1) * w->state[SIZE]);
    for (int64_t unit = task * w->state[SIZE]; unit < end; unit++) {
        int64_t position = unit / w->state[BLOCKS], c0 = unit % w->state[BLOCKS] * SL_BLOCK;
        int64_t x = position % a->out_w, y = position / a->out_w % a->out_h, frame = position / a->out_w / a->out_h;
        int n = (int)SL_MIN(a->c - c0, SL_BLOCK);
        struct sl_pool_window win;
        sl_pool_window(a, y, x, &win);
        (a->op == SL_POOL_MAX ? maximum : average)(a, &win, io, frame * a->in_h * a->in_w, c0, n, position * a->c + c0);
    }
}

const struct sl_variant sl_pool_c = {"pool_c", SL_FAMILY_POOL, SL_CPU_C, NULL, plan, NULL, run};
