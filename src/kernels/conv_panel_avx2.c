/* conv_panel_avx2.c: gathers the patches of a block of output positions, widened to s16 or as they are. */
#include "kernels/conv_avx2.h"

#include <immintrin.h>
#include <string.h>

#include "kernels/gemm_avx2.h"
#include "kernels/rounding.h"
#include "kernels/simd_avx2.h"

struct source {
    const struct sl_weighted_args *a;
    const struct sl_conv_plan *p;
    int plane;
    const uint8_t *picture, *end; /* one frame's first element of the group; the end of the tensor */
    const uint8_t *padding;       /* the group's part of the padding row */
};

/* n stored values in the panel's form, for one plane; see gemm_avx2.h for the bounds. */
static void take_values(const struct source *s, uint8_t *dst, const void *x, int64_t n)
{
    int16_t *wide = (int16_t *)(void *)dst;
    const void *end = s->end;
    if (s->p->element == 1)
        memcpy(dst, x, (size_t)n);
    else if (s->a->x_type == SL_U8)
        sl_widen_u8_avx2(wide, x, n, end);
    else if (s->p->planes == 1)
        sl_widen_u16_avx2(wide, x, n, end);
    else if (s->plane == 0)
        sl_high_u16_avx2(wide, x, n, end);
    else
        sl_low_u16_avx2(wide, x, n, end);
}

static void copy_padding(const struct source *s, uint8_t *dst, int64_t taps)
{
    const int64_t bytes = s->p->ic_group * s->p->element;
    for (; taps > 0; taps--, dst += bytes)
        memcpy(dst, s->padding, (size_t)bytes);
}

static void copy_pixels(const struct source *s, uint8_t *dst, int64_t iy, int64_t ix, int64_t n)
{
    const int64_t bytes = (int64_t)sl_qbytes(s->a->x_type);
    take_values(s, dst, s->picture + (iy * s->a->in_w + ix) * s->a->in_c * bytes, n);
}

/* One kernel row: the taps from the first to the last on the picture are one run where they touch in memory. */
static void kernel_row(const struct source *s, uint8_t *dst, int64_t iy, int64_t ix)
{
    const struct sl_weighted_args *a = s->a;
    const int64_t c = s->p->ic_group, bytes = c * s->p->element; /* of a tap */
    if (iy < 0 || iy >= a->in_h) {
        copy_padding(s, dst, a->kw);
        return;
    }
    if (a->dw == 1 && a->groups == 1) {
        const int64_t before = SL_MIN(SL_MAX(-ix, 0), a->kw), after = SL_MAX(SL_MIN(a->kw, a->in_w - ix), before);
        copy_padding(s, dst, before);
        if (after > before)
            copy_pixels(s, dst + before * bytes, iy, ix + before, (after - before) * c);
        copy_padding(s, dst + after * bytes, a->kw - after);
        return;
    }
    for (int64_t j = 0; j < a->kw; j++, ix += a->dw)
        if (ix < 0 || ix >= a->in_w)
            copy_padding(s, dst + j * bytes, 1);
        else
            copy_pixels(s, dst + j * bytes, iy, ix, c);
}

/*
 * u8, one group, dilation 1, whole window on the picture: kernel rows are runs of kw * in_c bytes. Whole vectors are copied;
 * what they write past a run is overwritten by the next run, or lies behind the panel's last row. False when that would read
 * past the tensor.
 */
static bool copy_window(const struct source *s, uint8_t *dst, int64_t iy, int64_t ix)
{
    const struct sl_weighted_args *a = s->a;
    const int64_t run = a->kw * a->in_c, row = a->in_w * a->in_c, vector = s->p->element == 1 ? 32 : 16;
    const uint8_t *x = s->picture + iy * row + ix * a->in_c;
    if (s->end - x < (a->kh - 1) * row + (run + vector - 1) / vector * vector)
        return false;
    for (int64_t ky = 0; ky < a->kh; ky++, dst += run * s->p->element, x += row)
        if (s->p->element == 1)
            for (int64_t i = 0; i < run; i += 32)
                sl_store256(dst + i, sl_load256(x + i));
        else
            for (int64_t i = 0; i < run; i += 16)
                sl_store256(dst + 2 * i, _mm256_cvtepu8_epi16(sl_load128(x + i)));
    return true;
}

/* 1x1, stride 1, no padding: positions follow each other in memory. */
static bool is_plain(const struct sl_weighted_args *a, const struct sl_conv_plan *p)
{
    return a->kh == 1 && a->kw == 1 && a->sh == 1 && a->sw == 1 && a->top == 0 && a->left == 0 && a->groups == 1 &&
           a->out_h == a->in_h && a->out_w == a->in_w && p->k == p->row;
}

static void one_plane(const struct source *base, const uint8_t *x, int64_t group, int64_t first, int64_t n, uint8_t *panel)
{
    const struct sl_weighted_args *a = base->a;
    const int64_t bytes = (int64_t)sl_qbytes(a->x_type), frame_bytes = a->in_h * a->in_w * a->in_c * bytes;
    const int64_t row = base->p->row * base->p->element, c = base->p->ic_group, patch = base->p->k * base->p->element;
    struct source s = *base;
    if (is_plain(a, s.p)) {
        take_values(&s, panel, x + first * a->in_c * bytes, n * a->in_c);
        return;
    }
    int64_t ox = first % a->out_w, oy = first / a->out_w % a->out_h, frame = first / a->out_w / a->out_h;
    const bool touching = a->x_type == SL_U8 && a->groups == 1 && a->dh == 1 && a->dw == 1;
    for (int64_t i = 0; i < n; i++, panel += row) {
        const int64_t iy = oy * a->sh - a->top, ix = ox * a->sw - a->left;
        const bool inside = iy >= 0 && ix >= 0 && iy + a->kh <= a->in_h && ix + a->kw <= a->in_w;
        s.picture = x + frame * frame_bytes + group * c * bytes;
        if (!touching || !inside || !copy_window(&s, panel, iy, ix))
            for (int64_t ky = 0; ky < a->kh; ky++)
                kernel_row(&s, panel + ky * a->kw * c * s.p->element, iy + ky * a->dh, ix);
        if (row > patch)
            memset(panel + patch, 0, (size_t)(row - patch));
        if (++ox == a->out_w) {
            ox = 0;
            if (++oy == a->out_h) {
                oy = 0;
                frame++;
            }
        }
    }
}

const void *sl_conv_panel_avx2(const struct sl_work *w, const void *x, int64_t group, int64_t first, int64_t n, void *panel)
{
    const struct sl_weighted_args *a = w->args;
    const struct sl_conv_plan *p = sl_conv_plan(w);
    struct source s = {.a = a, .p = p};
    if (p->element == 1 && is_plain(a, p))
        return (const uint8_t *)x + first * a->in_c;
    s.end = (const uint8_t *)x + a->n * a->in_h * a->in_w * a->in_c * (int64_t)sl_qbytes(a->x_type);
    for (s.plane = 0; s.plane < p->planes; s.plane++) {
        s.padding = (const uint8_t *)w->packed + (s.plane * a->in_c + group * p->ic_group) * p->element;
        one_plane(&s, x, group, first, n, (uint8_t *)panel + s.plane * p->block * p->row * p->element);
    }
    return panel;
}
