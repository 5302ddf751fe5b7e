/* kernel_case_data.c: cases of two-input arithmetic with broadcasting, and of kernels that move data. */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "kernel_case.h"

static size_t bytes_of(enum sl_dtype t)
{
    return t == SL_U8 ? 1 : 2;
}

void make_eltwise(struct rng *r, struct kernel_case *c)
{
    struct sl_eltwise_args *a = &c->args.eltwise;
    char sa[80], sb[80];
    *a = (struct sl_eltwise_args){
        .op = (enum sl_eltwise_op)pick(r, 0, 5), .a_type = pick_type(r), .b_type = pick_type(r), .out_type = pick_type(r)};
    a->out = pick_shape(r, (int)pick(r, 0, 5), pick(r, 0, 5) ? 3000 : 100000);
    a->a = a->b = a->out;
    for (int i = 0; i < a->out.rank; i++) /* broadcast either, never both */
        switch (pick(r, 0, 5)) {
        case 0:
            a->a.dim[i] = 1;
            break;
        case 1:
            a->b.dim[i] = 1;
            break;
        default:
            break;
        }
    struct sl_shape *shorter = pick(r, 0, 1) ? &a->a : &a->b;
    while (shorter->rank > 0 && shorter->dim[0] == 1 && pick(r, 0, 1)) {
        shorter->rank--;
        memmove(shorter->dim, shorter->dim + 1, (size_t)shorter->rank * sizeof shorter->dim[0]);
    }
    a->zp_a = pick_zero_point(r, a->a_type);
    a->zp_b = pick_zero_point(r, a->b_type);
    a->zp = pick_zero_point(r, a->out_type);
    pick_range(r, a->out_type, a->zp, &a->lo, &a->hi);
    a->multiplier_a = pick_multiplier(r, a->a_type == SL_U8 ? 255 : 65535, a->out_type);
    a->multiplier_b = pick_multiplier(r, a->b_type == SL_U8 ? 255 : 65535, a->out_type);
    a->multiplier =
        a->op == SL_ELT_DIV
            ? a->multiplier_a
            : pick_multiplier(r, (a->a_type == SL_U8 ? 255.0 : 65535.0) * (a->b_type == SL_U8 ? 255 : 65535), a->out_type);
    c->io.in[0] = stored(r, c, a->a_type, sl_shape_elements(&a->a));
    c->io.in[1] = stored(r, c, a->b_type, sl_shape_elements(&a->b));
    c->out_bytes = sl_shape_elements(&a->out) * bytes_of(a->out_type);
    snprintf(c->text, sizeof c->text, "op %d %s %s, %s %s -> %s", (int)a->op, sl_dtype_name(a->a_type),
             sl_shape_text(&a->a, sa, sizeof sa), sl_dtype_name(a->b_type), sl_shape_text(&a->b, sb, sizeof sb),
             sl_dtype_name(a->out_type));
}

static void fill_input(struct rng *r, struct kernel_case *c, size_t bytes)
{
    uint8_t *p = guarded(c, bytes);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)next_random(r);
    c->io.in[0] = p;
}

static void make_copy(struct rng *r, struct kernel_case *c)
{
    static const char *const names[] = {"transpose", "slice", "expand", "depth_to_space", "space_to_depth", "concat"};
    struct sl_copy_args *a = &c->args.copy;
    struct sl_shape x = pick_shape(r, (int)pick(r, 1, 5), 5000), out = x;
    const int sort = (int)pick(r, 0, 5), bytes = 1 << pick(r, 0, 3);
    int64_t perm[SL_MAX_RANK], start[SL_MAX_RANK], step[SL_MAX_RANK];
    char sx[80];
    switch (sort) {
    case 0:
        for (int i = 0; i < x.rank; i++)
            perm[i] = i;
        for (int i = x.rank - 1; i > 0; i--) {
            const int j = (int)pick(r, 0, i);
            const int64_t t = perm[i];
            perm[i] = perm[j];
            perm[j] = t;
        }
        sl_copy_transpose(a, bytes, &x, perm);
        break;
    case 1:
        for (int i = 0; i < x.rank; i++) {
            out.dim[i] = pick(r, 1, x.dim[i]);
            step[i] = out.dim[i] == 1 ? 1 : pick(r, 1, (x.dim[i] - 1) / (out.dim[i] - 1));
            start[i] = pick(r, 0, x.dim[i] - 1 - (out.dim[i] - 1) * step[i]);
            if (pick(r, 0, 2) == 0) {
                start[i] += (out.dim[i] - 1) * step[i];
                step[i] = -step[i];
            }
        }
        sl_copy_slice(a, bytes, &x, start, step, &out);
        break;
    case 2:
        for (int i = 0; i < x.rank; i++)
            if (pick(r, 0, 1))
                x.dim[i] = 1;
        sl_copy_expand(a, bytes, &x, &out);
        break;
    case 3:
    case 4: {
        const int64_t b = pick(r, 2, 3), n = pick(r, 1, 2), h = pick(r, 1, 5), w = pick(r, 1, 5), channels = pick(r, 1, 9);
        const bool crd = pick(r, 0, 1);
        const int64_t deep[4] = {n, h, w, channels * b * b}, space[4] = {n, h * b, w * b, channels};
        x = sl_shape_of(4, sort == 3 ? deep : space);
        out = sl_shape_of(4, sort == 3 ? space : deep);
        (sort == 3 ? sl_copy_depth_to_space : sl_copy_space_to_depth)(a, bytes, &x, b, crd);
        break;
    }
    default: {
        const int axis = (int)pick(r, 0, x.rank - 1);
        out.dim[axis] += pick(r, 0, 5);
        sl_copy_concat(a, bytes, &x, &out, axis, pick(r, 0, out.dim[axis] - x.dim[axis]));
        break;
    }
    }
    fill_input(r, c, sl_shape_elements(&x) * (size_t)bytes);
    c->slice_x = x;
    c->out_bytes = sl_shape_elements(&out) * (size_t)bytes;
    snprintf(c->text, sizeof c->text, "%s %s, %d bytes", names[sort], sl_shape_text(&x, sx, sizeof sx), bytes);
}

static void make_pad(struct rng *r, struct kernel_case *c)
{
    struct sl_pad_args *a = &c->args.pad;
    char sx[80];
    size_t n = 1;
    *a = (struct sl_pad_args){
        .type = pick_type(r), .mode = (enum sl_pad_mode)pick(r, 0, 2), .x = pick_shape(r, (int)pick(r, 0, 4), 1000)};
    for (int i = 0; i < a->x.rank; i++) {
        const int64_t most = a->mode == SL_PAD_REFLECT ? a->x.dim[i] - 1 : 4;
        a->before[i] = pick(r, 0, most);
        a->after[i] = pick(r, 0, most);
        n *= (size_t)(a->before[i] + a->x.dim[i] + a->after[i]);
    }
    a->value = pick_zero_point(r, a->type);
    fill_input(r, c, sl_shape_elements(&a->x) * bytes_of(a->type));
    c->out_bytes = n * bytes_of(a->type);
    snprintf(c->text, sizeof c->text, "mode %d %s %s", (int)a->mode, sl_dtype_name(a->type),
             sl_shape_text(&a->x, sx, sizeof sx));
}

static void make_gather(struct rng *r, struct kernel_case *c)
{
    struct sl_gather_args *a = &c->args.gather;
    *a = (struct sl_gather_args){.bytes = 1 << pick(r, 0, 3),
                                 .outer = pick(r, 1, 5),
                                 .axis_n = pick(r, 1, 9),
                                 .inner = pick(r, 1, 40),
                                 .n_indices = pick(r, 1, 12)};
    int32_t *indices = guarded(c, (size_t)a->n_indices * sizeof *indices);
    for (int64_t i = 0; i < a->n_indices; i++)
        indices[i] = (int32_t)pick(r, 0, a->axis_n - 1);
    a->indices = indices;
    fill_input(r, c, (size_t)(a->outer * a->axis_n * a->inner * a->bytes));
    c->out_bytes = (size_t)(a->outer * a->n_indices * a->inner * a->bytes);
    snprintf(c->text, sizeof c->text, "[%d,%d,%d] of %d bytes by %d", (int)a->outer, (int)a->axis_n, (int)a->inner, a->bytes,
             (int)a->n_indices);
}

static void pick_lines(struct rng *r, struct kernel_case *c, int64_t taps, int64_t out, int64_t in, const int32_t **index,
                       const int32_t **weight)
{
    const int64_t least = taps == 2 ? 0 : -1500, most = taps == 2 ? 2048 : 2800;
    int32_t *at = guarded(c, (size_t)(out * taps) * sizeof *at), *w = guarded(c, (size_t)(out * taps) * sizeof *w);
    for (int64_t i = 0; i < out * taps; i++)
        at[i] = (int32_t)pick(r, 0, in - 1);
    for (int64_t i = 0; i < out; i++) {
        int32_t rest = 2048;
        for (int64_t k = 1; k < taps; k++)
            rest -= w[taps * i + k] = (int32_t)(taps == 2 ? pick(r, least, most) : pick(r, least, most) / 3);
        w[taps * i] = rest;
    }
    *index = at;
    *weight = w;
}

static void make_resize(struct rng *r, struct kernel_case *c)
{
    struct sl_resize_args *a = &c->args.resize;
    *a = (struct sl_resize_args){.type = pick_type(r),
                                 .taps = 1 << pick(r, 0, 2),
                                 .n = pick(r, 1, 2),
                                 .in_h = pick(r, 1, 7),
                                 .in_w = pick(r, 1, 7),
                                 .c = pick(r, 1, 50),
                                 .out_h = pick(r, 1, 12),
                                 .out_w = pick(r, 1, 12)};
    pick_lines(r, c, a->taps, a->out_h, a->in_h, &a->rows, &a->row_weights);
    pick_lines(r, c, a->taps, a->out_w, a->in_w, &a->columns, &a->column_weights);
    c->io.in[0] = stored(r, c, a->type, (size_t)(a->n * a->in_h * a->in_w * a->c));
    c->out_bytes = (size_t)(a->n * a->out_h * a->out_w * a->c) * bytes_of(a->type);
    snprintf(c->text, sizeof c->text, "%s %s [%d,%d,%d,%d] -> %dx%d", (const char *const[]){"", "nearest", "linear", "", "cubic"}[a->taps], sl_dtype_name(a->type),
             (int)a->n, (int)a->in_h, (int)a->in_w, (int)a->c, (int)a->out_h, (int)a->out_w);
}

void make_mover(struct rng *r, struct kernel_case *c)
{
    switch (c->family) {
    case SL_FAMILY_COPY:
        make_copy(r, c);
        break;
    case SL_FAMILY_PAD:
        make_pad(r, c);
        break;
    case SL_FAMILY_GATHER:
        make_gather(r, c);
        break;
    default:
        make_resize(r, c);
        break;
    }
}
