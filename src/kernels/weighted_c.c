/* weighted_c.c: convolution of every kind in its plainest form: one output position and up to 256 output channels at a time,
 * taps and input features added in order. The sums are exact, so the SIMD versions may add in any order. */
#include "kernels/kernels.h"

#include <assert.h>
#include <string.h>

#include "kernels/rounding.h"
#include "kernels/variants.h"

enum { POSITIONS, POSITION_TASKS, WIDE, KERNEL_AT }; /* state */

/* How one group's kernel values lie: w(tap, c, o) = kernel[tap * per_tap + group * per_group + c * per_row + (o - first o)]. */
struct layout {
    int64_t ic_group, oc_group, per_tap, per_group, per_row;
};

static struct layout kernel_layout(const struct sl_weighted_args *a)
{
    struct layout l = {.ic_group = a->in_c / a->groups, .oc_group = a->out_c / a->groups};
    l.per_row = a->deconv ? l.oc_group : a->out_c;
    l.per_tap = (a->deconv ? a->in_c : l.ic_group) * l.per_row;
    l.per_group = a->deconv ? l.ic_group * l.oc_group : l.oc_group;
    return l;
}

/* acc[o - o0] += (x[c] - zp) * w[c][o] for the channels o0..o1-1 and all features of their groups. Unsigned sums: a wide bias
 * from a hostile file may wrap, and wrapping is defined. */
#define ADD_TAP(name, x_type, w_type, acc_type, sum_type)                                                                      \
    static void name(acc_type *acc, const void *x_row, int32_t zp, const void *kernel, const struct layout *l, int64_t o0,     \
                     int64_t o1)                                                                                               \
    {                                                                                                                          \
        const x_type *x = x_row;                                                                                               \
        const w_type *w = kernel;                                                                                              \
        if (l->ic_group == 1 && l->oc_group == 1) {                                                                            \
            for (int64_t o = o0; o < o1; o++)                                                                                  \
                acc[o - o0] = (acc_type)((sum_type)acc[o - o0] + (sum_type)((acc_type)(x[o] - zp) * w[o]));                    \
            return;                                                                                                            \
        }                                                                                                                      \
        for (int64_t g = o0 / l->oc_group; g * l->oc_group < o1; g++) {                                                        \
            int64_t first = SL_MAX(o0, g * l->oc_group), end = SL_MIN(o1, (g + 1) * l->oc_group), n = end - first;             \
            acc_type *sum = acc + (first - o0);                                                                                \
            for (int64_t c = 0; c < l->ic_group; c++) {                                                                        \
                const w_type *row = w + g * l->per_group + c * l->per_row + (first - g * l->oc_group);                         \
                const acc_type v = (acc_type)(x[g * l->ic_group + c] - zp);                                                    \
                for (int64_t o = 0; o < n; o++)                                                                                \
                    sum[o] = (acc_type)((sum_type)sum[o] + (sum_type)(v * row[o]));                                            \
            }                                                                                                                  \
        }                                                                                                                      \
    }
ADD_TAP(add_tap_u8s8, uint8_t, int8_t, int32_t, uint32_t)
ADD_TAP(add_tap_u8s16, uint8_t, int16_t, int32_t, uint32_t)
ADD_TAP(add_tap_u16s8, uint16_t, int8_t, int32_t, uint32_t)
ADD_TAP(add_tap_u16s16, uint16_t, int16_t, int32_t, uint32_t)
ADD_TAP(add_tap_u8s8_wide, uint8_t, int8_t, int64_t, uint64_t)
ADD_TAP(add_tap_u8s16_wide, uint8_t, int16_t, int64_t, uint64_t)
ADD_TAP(add_tap_u16s8_wide, uint16_t, int8_t, int64_t, uint64_t)
ADD_TAP(add_tap_u16s16_wide, uint16_t, int16_t, int64_t, uint64_t)
#undef ADD_TAP

static void add_tap(int32_t *acc, const void *x, const struct sl_weighted_args *a, const void *w, const struct layout *l,
                    int64_t o0, int64_t o1)
{
    if (a->kernel_type == SL_S16)
        (a->x_type == SL_U8 ? add_tap_u8s16 : add_tap_u16s16)(acc, x, a->zp_x, w, l, o0, o1);
    else
        (a->x_type == SL_U8 ? add_tap_u8s8 : add_tap_u16s8)(acc, x, a->zp_x, w, l, o0, o1);
}

static void add_tap_wide(int64_t *acc, const void *x, const struct sl_weighted_args *a, const void *w, const struct layout *l,
                         int64_t o0, int64_t o1)
{
    if (a->kernel_type == SL_S16)
        (a->x_type == SL_U8 ? add_tap_u8s16_wide : add_tap_u16s16_wide)(acc, x, a->zp_x, w, l, o0, o1);
    else
        (a->x_type == SL_U8 ? add_tap_u8s8_wide : add_tap_u16s8_wide)(acc, x, a->zp_x, w, l, o0, o1);
}

/* The input row that tap (i, j) of output position (y, x) reads; the padding row outside the picture; NULL where nothing is
 * added (deconv: no input position scatters there). */
static const uint8_t *tap_row(const struct sl_weighted_args *a, const uint8_t *picture, const uint8_t *padding, int64_t y,
                              int64_t x, int64_t i, int64_t j)
{
    int64_t iy, ix;
    if (a->deconv) {
        iy = y + a->top - i * a->dh;
        ix = x + a->left - j * a->dw;
        if (iy < 0 || ix < 0 || iy % a->sh != 0 || ix % a->sw != 0)
            return NULL;
        iy /= a->sh;
        ix /= a->sw;
        if (iy >= a->in_h || ix >= a->in_w)
            return NULL;
    } else {
        iy = y * a->sh + i * a->dh - a->top;
        ix = x * a->sw + j * a->dw - a->left;
        if (iy < 0 || ix < 0 || iy >= a->in_h || ix >= a->in_w)
            return padding;
    }
    return picture + (iy * a->in_w + ix) * a->in_c * (int64_t)sl_qbytes(a->x_type);
}

void sl_weighted_finish(const struct sl_weighted_args *a, const int32_t *acc, int64_t o0, int64_t o1, const void *r, void *out,
                        int64_t at)
{
    for (int64_t o = o0; o < o1; o++) {
        int32_t q;
        if (a->post == SL_POST_TABLE && a->out_type == SL_U8) {
            q = ((const uint8_t *)a->table)[sl_requant_narrow(acc[o - o0], a->multiplier[o], a->index_zero_point, 0, 4095)];
        } else if (a->post == SL_POST_TABLE) {
            q = sl_interpolate(a->table, sl_requant_narrow(acc[o - o0], a->multiplier[o], a->index_zero_point, 0, 65535));
        } else {
            float f = (float)acc[o - o0] * a->multiplier[o];
            if (r != NULL)
                f = f + (float)(sl_load_q(r, a->r_type, (size_t)(at + o)) - a->zp_r) * a->residual_multiplier;
            q = sl_finish_f(f, a->zp, a->lo, a->hi);
        }
        sl_store_q(out, a->out_type, (size_t)(at + o), q);
    }
}

void sl_weighted_finish_wide(const struct sl_weighted_args *a, const int64_t *acc, int64_t o0, int64_t o1, const void *r,
                             void *out, int64_t at)
{
    for (int64_t o = o0; o < o1; o++) {
        int32_t q;
        if (a->post == SL_POST_TABLE && a->out_type == SL_U8) {
            q = ((const uint8_t *)a->table)[sl_requant_wide(acc[o - o0], a->multiplier[o], a->index_zero_point, 0, 4095)];
        } else if (a->post == SL_POST_TABLE) {
            q = sl_interpolate(a->table, sl_requant_wide(acc[o - o0], a->multiplier[o], a->index_zero_point, 0, 65535));
        } else {
            double d = (double)acc[o - o0] * (double)a->multiplier[o];
            if (r != NULL)
                d = d + (double)(sl_load_q(r, a->r_type, (size_t)(at + o)) - a->zp_r) * (double)a->residual_multiplier;
            q = sl_finish_d(d, a->zp, a->lo, a->hi);
        }
        sl_store_q(out, a->out_type, (size_t)(at + o), q);
    }
}

static void plan(struct sl_work *w)
{
    const struct sl_weighted_args *a = w->args;
    assert(a->x_type == SL_U8 || a->x_type == SL_U16);
    assert(a->in_c % a->groups == 0 && a->out_c % a->groups == 0);
    assert(!(a->post == SL_POST_TABLE && a->r_type != SL_NONE));
    int64_t positions = a->n * a->out_h * a->out_w,
            per_position = a->kh * a->kw * (a->in_c / a->groups) * SL_MIN(a->out_c, SL_BLOCK);
    int64_t size =
        sl_task_size(positions * ((a->out_c + SL_BLOCK - 1) / SL_BLOCK), ((int64_t)1 << 18) / SL_MAX(per_position, 1));
    w->state[POSITIONS] = size;
    w->state[POSITION_TASKS] = sl_task_count(positions, size);
    w->state[WIDE] = sl_weighted_is_wide(a);
    w->state[KERNEL_AT] = (int64_t)sl_align64((size_t)a->in_c * sl_qbytes(a->x_type));
    w->n_tasks = (int)(w->state[POSITION_TASKS] * ((a->out_c + SL_BLOCK - 1) / SL_BLOCK));
    w->packed_bytes = (size_t)w->state[KERNEL_AT];
    if (a->kernel_type == SL_S4)
        w->packed_bytes += (size_t)(a->kh * a->kw * (a->in_c / a->groups) * a->out_c); /* the deconv form has as many */
}

void sl_weighted_padding_row(const struct sl_weighted_args *a, void *row)
{
    for (int64_t c = 0; c < a->in_c; c++)
        sl_store_q(row, a->x_type, (size_t)c, a->pad_value ? sl_load_q(a->pad_value, a->x_type, (size_t)c) : a->zp_x);
}

static void pack(const struct sl_work *w, void *packed)
{
    const struct sl_weighted_args *a = w->args;
    sl_weighted_padding_row(a, packed);
    if (a->kernel_type != SL_S4)
        return;
    int8_t *kernel = (int8_t *)packed + w->state[KERNEL_AT];
    int64_t n = a->kh * a->kw * (a->in_c / a->groups) * a->out_c;
    for (int64_t i = 0; i < n; i++)
        kernel[i] = (int8_t)sl_weighted_kernel_at(a, i); /* |w4 * g| <= 127 */
}

static int64_t bias_at(const struct sl_weighted_args *a, int64_t o)
{
    return a->x_type == SL_U8 ? ((const int32_t *)a->bias)[o] : ((const int64_t *)a->bias)[o];
}

static void one_position(const struct sl_work *w, const struct sl_io *io, int64_t position, int64_t o0, int64_t o1)
{
    const struct sl_weighted_args *a = w->args;
    const struct layout l = kernel_layout(a);
    const uint8_t *kernel = a->kernel_type == SL_S4 ? (const uint8_t *)w->packed + w->state[KERNEL_AT] : a->kernel;
    const int64_t weight_bytes = a->kernel_type == SL_S16 ? 2 : 1;
    int64_t x = position % a->out_w, y = position / a->out_w % a->out_h, frame = position / a->out_w / a->out_h;
    const uint8_t *picture = (const uint8_t *)io->in[0] + frame * a->in_h * a->in_w * a->in_c * (int64_t)sl_qbytes(a->x_type);
    int32_t acc[SL_BLOCK];
    int64_t acc_wide[SL_BLOCK];
    for (int64_t o = o0; o < o1; o++) {
        acc_wide[o - o0] = bias_at(a, o);
        acc[o - o0] = (int32_t)acc_wide[o - o0];
    }
    for (int64_t i = 0; i < a->kh; i++)
        for (int64_t j = 0; j < a->kw; j++) {
            const uint8_t *row = tap_row(a, picture, w->packed, y, x, i, j);
            const uint8_t *tap = kernel + (i * a->kw + j) * l.per_tap * weight_bytes;
            if (row == NULL)
                continue;
            if (w->state[WIDE])
                add_tap_wide(acc_wide, row, a, tap, &l, o0, o1);
            else
                add_tap(acc, row, a, tap, &l, o0, o1);
        }
    const void *r = a->r_type == SL_NONE ? NULL : io->in[1];
    if (w->state[WIDE])
        sl_weighted_finish_wide(a, acc_wide, o0, o1, r, io->out, position * a->out_c);
    else
        sl_weighted_finish(a, acc, o0, o1, r, io->out, position * a->out_c);
}

static void run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    const struct sl_weighted_args *a = w->args;
    int64_t o0 = task / w->state[POSITION_TASKS] * SL_BLOCK, o1 = SL_MIN(o0 + SL_BLOCK, a->out_c);
    int64_t first = task % w->state[POSITION_TASKS] * w->state[POSITIONS];
    int64_t end = SL_MIN(first + w->state[POSITIONS], a->n * a->out_h * a->out_w);
    for (int64_t position = first; position < end; position++)
        one_position(w, io, position, o0, o1);
}

const struct sl_variant sl_weighted_c = {"weighted_c", SL_FAMILY_WEIGHTED, SL_CPU_C, NULL, plan, pack, run};
