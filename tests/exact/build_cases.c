/*
 * build_cases.c: seeded programs, one kind a function; kinds together cover every instruction (exact_programs checks that).
 * Multipliers are chosen near 1 over the size of the sum, so that results spread over the output's range and often meet its
 * ends.
 */
#include "build_program.h"

#include <string.h>

#include "base/compiler.h"

static enum sl_dtype pick_type(struct build *b)
{
    return build_between(b, 0, 2) ? SL_U8 : SL_U16;
}

static enum sl_dtype type_of(const struct build *b, uint32_t tensor)
{
    return b->p->tensors[tensor].dtype;
}

/* ---- weighted ---- */

struct weighted {
    enum sl_opcode op;
    int64_t in_h, in_w, in_c, out_c, kh, kw, groups;
};

static int64_t out_side(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after)
{
    return (in + before + after - (kernel - 1) * dilation - 1) / stride + 1;
}

/* Steps and pads of an axis that leave an output; a scattering layer's output is what it scatters to, minus its pads. */
static int64_t pick_steps(struct build *b, const struct weighted *w, int64_t in, int64_t kernel, int64_t *stride,
                          int64_t *dilation, int64_t *before, int64_t *after)
{
    *stride = build_between(b, 1, 3);
    *dilation = kernel > 1 ? build_between(b, 1, 2) : 1;
    *before = kernel > 1 ? build_between(b, 0, kernel - 1) : 0;
    *after = kernel > 1 ? build_between(b, 0, kernel - 1) : 0;
    if (w->op == SL_INSN_fc)
        *stride = 1;
    if (w->op == SL_INSN_deconv)
        return SL_MAX((in - 1) * *stride + (kernel - 1) * *dilation + 1 - *before - *after, 1);
    while (in + *before + *after < (kernel - 1) * *dilation + 1)
        *after += 1;
    return out_side(in, kernel, *stride, *dilation, *before, *after);
}

static uint32_t weighted_kernel(struct build *b, const struct weighted *w, struct sl_insn *i, int k)
{
    bool fc = w->op == SL_INSN_fc, dw = w->op == SL_INSN_dw, deconv = w->op == SL_INSN_deconv;
    int64_t ic = dw || deconv ? w->in_c : w->in_c / w->groups, oc = dw       ? w->out_c / w->in_c
                                                                    : deconv ? w->out_c / w->groups
                                                                             : w->out_c;
    int64_t dims[4] = {w->kh, w->kw, ic, oc};
    int rank = fc ? 2 : 4;
    const int64_t *d = fc ? dims + 2 : dims;
    if (k % 5 == 3 && !dw && !deconv) { /* nibbles with group scales */
        int64_t size = build_between(b, 1, ic), rows = (ic + size - 1) / size;
        i->consts[SL_K_weighted_kernel_group_scale] = build_const(b, SL_S8, DIMS(rows, oc), -15, 15);
        i->ints[SL_I_weighted_kernel_group_size] = size;
        return build_const(b, SL_S4, rank, d, -8, 7);
    }
    if (k % 5 == 4)
        return build_const(b, SL_S16, rank, d, -32768, 32767);
    if (k % 7 == 6) /* the extreme weight everywhere */
        return build_splat(b, SL_S8, rank, d, &(int8_t){-128});
    return build_const(b, SL_S8, rank, d, k % 3 == 0 ? -128 : -20, k % 3 == 0 ? 127 : 20);
}

static int log2_of(int64_t v)
{
    int n = 0;
    while (v > 1)
        v /= 2, n++;
    return n;
}

static uint32_t add_weighted(struct build *b, uint32_t x, const struct weighted *w, int rank, int k)
{
    int64_t sh, sw, dh, dw, top, left, bottom, right;
    enum sl_dtype xt = type_of(b, x), ot = pick_type(b);
    int64_t out_h = pick_steps(b, w, w->in_h, w->kh, &sh, &dh, &top, &bottom);
    int64_t out_w = pick_steps(b, w, w->in_w, w->kw, &sw, &dw, &left, &right);
    int64_t dims[4] = {1, out_h, out_w, w->out_c}, three[3] = {1, out_w, w->out_c}, two[2] = {1, w->out_c};
    const int64_t *d = rank == 4 ? dims : rank == 3 ? three : two;
    bool table = k % 4 == 1, residual = !table && k % 4 == 2;
    uint32_t in[2] = {x, 0};
    if (residual)
        in[1] = build_input(b, pick_type(b), rank, d);
    uint32_t out = build_tensor(b, ot, rank, d);
    struct sl_insn *i = build_insn(b, w->op, out, residual ? 2 : 1, in);
    i->consts[SL_K_weighted_kernel] = weighted_kernel(b, w, i, k);
    int64_t bias = k % 6 == 5 ? INT32_MAX : 1 << 12; /* at the accumulator's end: the wide form */
    i->consts[SL_K_weighted_bias] = build_const(b, xt == SL_U16 ? SL_S64 : SL_S32, DIMS(w->out_c), -bias, bias);
    int index_bits = table ? (ot == SL_U16 ? 16 : 12) : ot == SL_U16 ? 16 : 8;
    int low = index_bits - 15 - (xt == SL_U16 ? 8 : 0) - log2_of(w->kh * w->kw * w->in_c) / 2 - (k % 5 == 4 ? 8 : 0) +
              (k % 3 ? 2 : 0);
    i->consts[SL_K_weighted_multiplier] = build_floats(b, w->out_c, low, low + 3, false);
    if (k % 3 == 1 && w->op != SL_INSN_deconv)
        i->consts[SL_K_weighted_pad_value] = build_const(b, xt, DIMS(w->in_c), 0, xt == SL_U16 ? 65535 : 255);
    int64_t *v = i->ints;
    v[SL_I_weighted_stride_h] = sh, v[SL_I_weighted_stride_w] = sw, v[SL_I_weighted_dilation_h] = dh,
    v[SL_I_weighted_dilation_w] = dw;
    v[SL_I_weighted_pad_top] = top, v[SL_I_weighted_pad_left] = left, v[SL_I_weighted_pad_bottom] = bottom;
    v[SL_I_weighted_pad_right] = right, v[SL_I_weighted_groups] = w->groups;
    build_limits(b, ot, &v[SL_I_weighted_lo], &v[SL_I_weighted_hi]);
    if (table) {
        v[SL_I_weighted_post] = SL_INSN_POST_TABLE;
        v[SL_I_weighted_index_zero_point] = build_between(b, 0, ot == SL_U16 ? 65535 : 4095);
        i->consts[SL_K_weighted_table] =
            ot == SL_U16 ? build_const(b, SL_U16, DIMS(4097), 0, 65535) : build_const(b, SL_U8, DIMS(4096), 0, 255);
    }
    if (residual)
        i->floats[SL_F_weighted_residual_multiplier] = (double)build_float(b, -2, 2) * (k % 2 ? -1 : 1);
    return out;
}

static void make_conv(struct build *b, int k)
{
    static const int64_t channels[][3] = {{3, 16, 1}, {16, 24, 1}, {32, 8, 4}, {5, 7, 1}, {64, 33, 1}, {12, 12, 12}};
    const int64_t *c = channels[k % 6];
    int rank = k % 7 == 5 ? 3 : 4;
    struct weighted w = {SL_INSN_conv, rank == 4 ? build_between(b, 1, 14) : 1, build_between(b, 3, 17), c[0],
                         c[1],         rank == 4 ? build_between(b, 1, 4) : 1,  build_between(b, 1, 3),  c[2]};
    int64_t dims[4] = {1, w.in_h, w.in_w, w.in_c}, three[3] = {1, w.in_w, w.in_c};
    uint32_t x = build_input(b, k % 8 == 7 ? SL_U16 : SL_U8, rank, rank == 4 ? dims : three);
    build_output(b, add_weighted(b, x, &w, rank, k));
}

static void make_dw(struct build *b, int k)
{
    int64_t c = k % 3 == 0 ? 16 : k % 3 == 1 ? 35 : 3, mult = k % 4 == 3 ? 2 : 1;
    struct weighted w = {SL_INSN_dw, build_between(b, 2, 13), build_between(b, 2, 18), c,
                         c * mult,   build_between(b, 1, 5),  build_between(b, 1, 5),  c};
    uint32_t x = build_input(b, k % 5 == 4 ? SL_U16 : SL_U8, DIMS(1, w.in_h, w.in_w, c));
    build_output(b, add_weighted(b, x, &w, 4, k));
}

static void make_fc(struct build *b, int k)
{
    struct weighted w = {SL_INSN_fc, 1, 1, build_between(b, 1, 300), build_between(b, 1, 70), 1, 1, 1};
    bool sequence = k % 3 == 1;
    if (sequence)
        w.in_w = build_between(b, 2, 9);
    int64_t three[3] = {1, w.in_w, w.in_c}, two[2] = {1, w.in_c};
    uint32_t x = build_input(b, k % 4 == 3 ? SL_U16 : SL_U8, sequence ? 3 : 2, sequence ? three : two);
    build_output(b, add_weighted(b, x, &w, sequence ? 3 : 2, k));
}

static void make_deconv(struct build *b, int k)
{
    int64_t groups = k % 3 == 2 ? 2 : 1;
    struct weighted w = {SL_INSN_deconv, build_between(b, 1, 7), build_between(b, 1, 7), 6,
                         k % 2 ? 4 : 10, build_between(b, 1, 4), build_between(b, 1, 4), groups};
    uint32_t x = build_input(b, k % 5 == 3 ? SL_U16 : SL_U8, DIMS(1, w.in_h, w.in_w, w.in_c));
    build_output(b, add_weighted(b, x, &w, 4, k));
}

/* ---- element by element ---- */

static void make_lookup(struct build *b, int k)
{
    enum sl_dtype in = k & 1 ? SL_U16 : SL_U8, out = k & 2 ? SL_U16 : SL_U8;
    int64_t n = in == SL_U8 ? 256 : k >= 4 ? 65536 : out == SL_U8 ? 4096 : 4097, dims[2] = {3, 1000 + k};
    uint32_t x = build_input(b, in, 2, dims), y = build_tensor(b, out, 2, dims);
    build_insn(b, SL_INSN_lookup, y, 1, &x)->consts[SL_K_lookup_table] =
        build_const(b, out, 1, &n, 0, out == SL_U16 ? 65535 : 255);
    build_output(b, y);
}

static void make_requantize(struct build *b, int k)
{
    enum sl_dtype in = k & 1 ? SL_U16 : SL_U8, out = k & 2 ? SL_U16 : SL_U8;
    int64_t dims[3] = {1, 37, 5 + k};
    uint32_t x = build_input(b, in, 3, dims), y = build_tensor(b, out, 3, dims);
    struct sl_insn *i = build_insn(b, SL_INSN_requantize, y, 1, &x);
    build_limits(b, out, &i->ints[SL_I_requantize_lo], &i->ints[SL_I_requantize_hi]);
    int level = (out == SL_U16 ? 8 : 0) - (in == SL_U16 ? 8 : 0);
    i->floats[SL_F_requantize_multiplier] = build_float(b, level - 2, level + 2);
    build_output(b, y);
}

static void make_eltwise(struct build *b, int k)
{
    static const int64_t shapes[][2][4] = {{{1, 5, 6, 7}, {1, 5, 6, 7}},
                                           {{1, 5, 6, 7}, {1, 1, 1, 7}},
                                           {{1, 5, 1, 7}, {1, 1, 6, 1}},
                                           {{1, 9, 4, 16}, {1, 9, 4, 1}}};
    const int64_t(*s)[4] = shapes[k % 4];
    enum sl_opcode op = SL_INSN_add + k % 6;
    int64_t dims[4];
    for (int i = 0; i < 4; i++)
        dims[i] = SL_MAX(s[0][i], s[1][i]);
    enum sl_dtype a_type = pick_type(b), b_type = pick_type(b);
    uint32_t in[2] = {build_input(b, a_type, 4, s[0]), 0};
    if (k % 3 == 2) { /* the other side a constant */
        in[1] = build_tensor(b, b_type, 4, s[1]);
        uint32_t data = build_const(b, b_type, 4, s[1], 0, b_type == SL_U16 ? 65535 : 255);
        build_insn(b, SL_INSN_constant, in[1], 0, NULL)->consts[SL_K_constant_data] = data;
    } else {
        in[1] = build_input(b, b_type, 4, s[1]);
    }
    enum sl_dtype out = pick_type(b);
    uint32_t y = build_tensor(b, out, 4, dims);
    struct sl_insn *i = build_insn(b, op, y, 2, in);
    int level = out == SL_U16 ? 8 : 0, level_a = a_type == SL_U16 ? 8 : 0, level_b = b_type == SL_U16 ? 8 : 0;
    if (op == SL_INSN_mult || op == SL_INSN_div) {
        int middle = op == SL_INSN_mult ? level - level_a - level_b - 6 : level - level_a + level_b + 5;
        build_limits(b, out, &i->ints[SL_I_product_lo], &i->ints[SL_I_product_hi]);
        i->floats[SL_F_product_multiplier] = build_float(b, middle - 1, middle + 2);
    } else {
        build_limits(b, out, &i->ints[SL_I_sum_lo], &i->ints[SL_I_sum_hi]);
        i->floats[SL_F_sum_multiplier_a] = build_float(b, level - level_a - 2, level - level_a + 1);
        i->floats[SL_F_sum_multiplier_b] =
            -(double)build_float(b, level - level_b - 2, level - level_b + 1) * (k % 5 == 4 ? 1 : -1);
    }
    build_output(b, y);
}

/* ---- windows, reductions ---- */

static void make_pool(struct build *b, int k)
{
    bool average = k % 2;
    enum sl_dtype in = k % 3 == 2 ? SL_U16 : SL_U8, out = average ? pick_type(b) : in;
    int64_t h = build_between(b, 4, 12), w = build_between(b, 4, 12), c = k % 4 == 3 ? 40 : 5 + k, v[10];
    v[0] = build_between(b, 1, 3), v[1] = build_between(b, 1, 4), v[2] = build_between(b, 1, 3), v[3] = build_between(b, 1, 3);
    v[4] = v[0] > 1 ? build_between(b, 1, 2) : 1, v[5] = 1;
    /* Pads below the reach of one tap, so that no window lies in them. */
    v[6] = v[0] > 1 ? build_between(b, 0, 1) : 0, v[7] = build_between(b, 0, v[1] - 1), v[8] = v[6],
    v[9] = build_between(b, 0, v[1] - 1);
    int64_t out_h = out_side(h, v[0], v[2], v[4], v[6], v[8]), out_w = out_side(w, v[1], v[3], v[5], v[7], v[9]);
    uint32_t x = build_input(b, in, DIMS(1, h, w, c)), y = build_tensor(b, out, DIMS(1, out_h, out_w, c));
    struct sl_insn *i = build_insn(b, average ? SL_INSN_avgpool : SL_INSN_maxpool, y, 1, &x);
    memcpy(i->ints, v, sizeof(v));
    if (average) {
        int level = (out == SL_U16 ? 8 : 0) - (in == SL_U16 ? 8 : 0);
        i->ints[SL_I_average_count_include_pad] = k % 4 == 1;
        build_limits(b, out, &i->ints[SL_I_average_lo], &i->ints[SL_I_average_hi]);
        i->floats[SL_F_average_multiplier] = build_float(b, level - 1, level + 2);
    }
    build_output(b, y);
}

static void make_reduce(struct build *b, int k)
{
    static const int64_t masks[] = {6, 8, 14, 2, 15, 4};
    enum sl_opcode op = SL_INSN_reduce_mean + k % 4;
    bool extreme = op == SL_INSN_reduce_max || op == SL_INSN_reduce_min, keep = k % 3 != 0;
    enum sl_dtype in = pick_type(b), out = extreme ? in : pick_type(b);
    int64_t x_dims[4] = {1, build_between(b, 1, 9), build_between(b, 1, 9), build_between(b, 1, 40)}, dims[4],
            mask = masks[k % 6], n = 1;
    int rank = 0;
    for (int a = 0; a < 4; a++) {
        bool reduced = mask >> a & 1;
        n *= reduced ? x_dims[a] : 1;
        if (!reduced || keep)
            dims[rank++] = reduced ? 1 : x_dims[a];
    }
    uint32_t x = build_input(b, in, 4, x_dims), y = build_tensor(b, out, rank, dims);
    struct sl_insn *i = build_insn(b, op, y, 1, &x);
    i->ints[0] = mask;
    if (!extreme) {
        int level = (out == SL_U16 ? 8 : 0) - (in == SL_U16 ? 8 : 0) - (op == SL_INSN_reduce_sum ? log2_of(n) : 0);
        build_limits(b, out, &i->ints[SL_I_mean_lo], &i->ints[SL_I_mean_hi]);
        i->floats[SL_F_mean_multiplier] = build_float(b, level - 1, level + 3);
    }
    build_output(b, y);
}

static void make_index(struct build *b, int k)
{
    static const int64_t lengths[] = {19, 2, 257, 40, 1, 300, 16};
    int64_t x_dims[4] = {1, build_between(b, 2, 9), build_between(b, 2, 9), build_between(b, 2, 20)}, dims[4];
    int axis = k % 3 == 0 ? 3 : k % 4, rank = 0;
    x_dims[axis] = lengths[k % 7];
    for (int a = 0; a < 4; a++)
        if (a != axis || k % 2)
            dims[rank++] = a == axis ? 1 : x_dims[a];
    uint32_t x = build_input(b, pick_type(b), 4, x_dims), y = build_tensor(b, x_dims[axis] > 256 ? SL_U16 : SL_U8, rank, dims);
    struct sl_insn *i = build_insn(b, k & 4 ? SL_INSN_argmin : SL_INSN_argmax, y, 1, &x);
    i->ints[SL_I_index_axis] = axis;
    i->ints[SL_I_index_last] = k >> 1 & 1;
    build_output(b, y);
}

/* ---- attention ---- */

static void make_matmul(struct build *b, int k)
{
    int64_t m = build_between(b, 1, 9), n = build_between(b, 1, 20), inner = k % 4 == 3 ? 517 : build_between(b, 1, 40);
    bool transposed = k % 2;
    enum sl_dtype ta = pick_type(b), tb = pick_type(b), out = pick_type(b);
    uint32_t in[2];
    in[0] = build_input(b, ta, DIMS(1, 3, m, inner));
    in[1] = transposed ? build_input(b, tb, DIMS(1, k % 3 ? 3 : 1, n, inner))
                       : build_input(b, tb, DIMS(1, k % 3 ? 3 : 1, inner, n));
    uint32_t y = build_tensor(b, out, DIMS(1, 3, m, n));
    struct sl_insn *i = build_insn(b, SL_INSN_matmul, y, 2, in);
    int low = (out == SL_U16 ? 16 : 8) - (ta == SL_U16 ? 15 : 7) - (tb == SL_U16 ? 15 : 7) - log2_of(inner) / 2;
    i->ints[SL_I_matmul_transpose_b] = transposed;
    build_limits(b, out, &i->ints[SL_I_matmul_lo], &i->ints[SL_I_matmul_hi]);
    i->floats[SL_F_matmul_multiplier] = build_float(b, low - 2, low + 1);
    build_output(b, y);
}

/* A falling table that begins at its top, as exp(-d) does. */
static uint32_t softmax_table(struct build *b, int64_t n)
{
    uint16_t *table = SL_NEW_ARRAY(b->a, uint16_t, n);
    uint32_t v = 65535;
    for (int64_t i = 0; i < n; i++, v -= (uint32_t)(v * (uint64_t)build_between(b, 1, 60) / (uint64_t)(n < 4096 ? 600 : 9000)))
        table[i] = (uint16_t)v;
    return build_const_of(b, SL_U16, 1, &n, table);
}

static void make_softmax(struct build *b, int k)
{
    enum sl_dtype in = k % 2 ? SL_U16 : SL_U8, out = k % 3 == 2 ? SL_U16 : SL_U8;
    int64_t dims[4] = {1, build_between(b, 1, 6), build_between(b, 1, 5), build_between(b, 1, 50)};
    uint32_t x = build_input(b, in, 4, dims), y = build_tensor(b, out, 4, dims);
    struct sl_insn *i = build_insn(b, SL_INSN_softmax, y, 1, &x);
    i->consts[SL_K_softmax_table] = softmax_table(b, in == SL_U16 ? 4096 : 256);
    i->ints[SL_I_softmax_axis] = k % 4 == 3 ? 1 : 3;
    i->ints[SL_I_softmax_index_shift] = in == SL_U16 ? build_between(b, 0, 4) : 0;
    i->floats[SL_F_softmax_inverse_scale] = (double)build_float(b, out == SL_U16 ? 15 : 7, out == SL_U16 ? 17 : 9);
    build_output(b, y);
}

/* Entries of 15 bits that rise, as exp does below 0; `least` is the last one's bound. */
static uint32_t lookup_table(struct build *b, int32_t least)
{
    const int64_t n = 513;
    int16_t *table = SL_NEW_ARRAY(b->a, int16_t, n);
    for (int64_t i = n - 1, v = build_between(b, least, 32767); i >= 0; i--) {
        table[i] = (int16_t)v;
        v -= i < n - 1 ? v * build_between(b, 0, 60) / 2000 : 0;
    }
    return build_const_of(b, SL_S16, 1, &n, table);
}

static void make_softmax_lookup(struct build *b, int k)
{
    int64_t dims[4] = {1, build_between(b, 1, 6), build_between(b, 1, 5), build_between(b, 1, 50)};
    uint32_t x = build_input(b, SL_U16, 4, dims), y = build_tensor(b, SL_U16, 4, dims);
    struct sl_insn *i = build_insn(b, SL_INSN_softmax_lookup, y, 1, &x);
    b->p->tensors[y].zero_point = k % 3 ? 32768 : (int32_t)build_between(b, 0, 32768);
    i->consts[SL_K_softmax_lookup_table] = lookup_table(b, 16384);
    i->consts[SL_K_softmax_lookup_inverse] = lookup_table(b, 0);
    i->ints[SL_I_softmax_lookup_axis] = k % 4 == 3 ? 1 : 3;
    i->ints[SL_I_softmax_lookup_multiplier] = build_between(b, 1 << 30, INT32_MAX);
    i->ints[SL_I_softmax_lookup_shift] = k == 5 ? 15 : k == 6 ? -31 : build_between(b, -4, 4);
    build_output(b, y);
}

static void make_norm(struct build *b, int k)
{
    enum sl_dtype in = k % 3 ? SL_U16 : SL_U8, out = k % 4 == 1 ? SL_U8 : in;
    int64_t n = k % 5 == 4 ? 1 : build_between(b, 2, 200), dims[3] = {1, build_between(b, 1, 11), n};
    uint32_t x = build_input(b, in, 3, dims), y = build_tensor(b, out, 3, dims);
    bool rms = k % 2;
    struct sl_insn *i = build_insn(b, rms ? SL_INSN_rms_norm : SL_INSN_layer_norm, y, 1, &x);
    int level = (out == SL_U16 ? 14 : 6) + (rms ? log2_of(n) / 2 : 0);
    i->consts[SL_K_norm_gamma] = build_floats(b, n, level - 2, level + 1, true);
    i->consts[SL_K_norm_beta] = build_floats(b, n, level - 3, level, true);
    build_limits(b, out, &i->ints[SL_I_norm_lo], &i->ints[SL_I_norm_hi]);
    i->floats[SL_F_norm_epsilon] = (double)build_float(b, 0, 12);
    build_output(b, y);
}

static void make_rotary(struct build *b, int k)
{
    int64_t d = 2 * build_between(b, 1, 40), rows = build_between(b, 1, 9), w = k % 3 ? d / 2 : d;
    enum sl_dtype tx = pick_type(b), ta = pick_type(b), out = pick_type(b);
    uint32_t in[2] = {build_input(b, tx, DIMS(1, 3, rows, d)),
                      k % 4 ? build_input(b, ta, DIMS(1, 1, rows, 2 * w)) : build_input(b, ta, DIMS(1, rows % 2 ? 3 : 1, 1, 2 * w))};
    uint32_t y = build_tensor(b, out, DIMS(1, 3, rows, d));
    struct sl_insn *i = build_insn(b, SL_INSN_rotary, y, 2, in);
    int low = (out == SL_U16 ? 16 : 8) - (tx == SL_U16 ? 15 : 7) - (ta == SL_U16 ? 15 : 7);
    i->ints[SL_I_rotary_interleaved] = k % 2;
    build_limits(b, out, &i->ints[SL_I_rotary_lo], &i->ints[SL_I_rotary_hi]);
    i->floats[SL_F_rotary_multiplier] = build_float(b, low - 2, low + 1);
    build_output(b, y);
}

/* ---- moving data ---- */

static void make_concat(struct build *b, int k)
{
    enum sl_dtype t = pick_type(b);
    int axis = 1 + k % 3, parts = 1 + k % 4;
    int64_t dims[4] = {1, k % 2 ? 1 : 4, 5, 6}, side = 0;
    uint32_t in[5];
    for (int p = 0; p < parts; p++) {
        int64_t part[4] = {dims[0], dims[1], dims[2], dims[3]};
        part[axis] = build_between(b, 1, 9);
        side += part[axis];
        uint32_t x = build_input(b, t, 4, part);
        in[p] = x;
        if (p % 2 == 0) { /* a part that is made here may be made in place */
            in[p] = build_tensor(b, t, 4, part);
            struct sl_insn *i = build_insn(b, SL_INSN_requantize, in[p], 1, &x);
            build_limits(b, t, &i->ints[SL_I_requantize_lo], &i->ints[SL_I_requantize_hi]);
            i->floats[SL_F_requantize_multiplier] = build_float(b, -1, 1);
        }
    }
    if (k % 5 == 4) { /* one part twice */
        in[parts] = in[0];
        side += b->p->tensors[in[0]].shape.dim[axis];
        parts++;
    }
    dims[axis] = side;
    uint32_t y = build_tensor(b, t, 4, dims);
    build_insn(b, SL_INSN_concat, y, parts, in)->ints[SL_I_concat_axis] = axis;
    build_output(b, y);
}

static void make_shape(struct build *b, int k)
{
    enum sl_dtype t = pick_type(b);
    int64_t h = build_between(b, 1, 7), w = build_between(b, 1, 7), c = build_between(b, 1, 7), dims[4] = {1, h, w, c};
    uint32_t x = build_input(b, t, 4, dims), y;
    struct sl_insn *i;
    switch (k % 4) {
    case 0:
        y = build_tensor(b, t, DIMS(1, h * w, c));
        build_insn(b, SL_INSN_reshape, y, 1, &x);
        break;
    case 1: {
        static const int perms[][4] = {{0, 2, 1, 3}, {0, 3, 1, 2}, {3, 2, 1, 0}, {0, 1, 3, 2}};
        const int *perm = perms[k / 4 % 4];
        y = build_tensor(b, t, DIMS(dims[perm[0]], dims[perm[1]], dims[perm[2]], dims[perm[3]]));
        i = build_insn(b, SL_INSN_transpose, y, 1, &x);
        for (int a = 0; a < 4; a++)
            i->ints[SL_I_transpose_perm + a] = perm[a];
        break;
    }
    case 2: {
        int64_t out[4] = {1, 0, 0, 0};
        i = build_insn(b, SL_INSN_slice, 0, 1, &x);
        i->ints[SL_I_slice_step] = 1;
        for (int a = 1; a < 4; a++) {
            int64_t first = build_between(b, 0, dims[a] - 1), last = build_between(b, 0, dims[a] - 1),
                    step = build_between(b, 1, 2);
            out[a] = (last >= first ? last - first : first - last) / step + 1;
            i->ints[SL_I_slice_start + a] = first;
            i->ints[SL_I_slice_step + a] = last >= first ? step : -step;
        }
        i->out = y = build_tensor(b, t, 4, out);
        break;
    }
    default:
        y = build_tensor(b, t, DIMS(2, 1, h, w, c));
        build_insn(b, SL_INSN_expand, y, 1, &x);
    }
    build_output(b, y);
}

static void make_pad(struct build *b, int k)
{
    enum sl_dtype t = pick_type(b);
    int64_t dims[4] = {1, build_between(b, 3, 6), build_between(b, 3, 6), build_between(b, 3, 5)}, out[4];
    uint32_t x = build_input(b, t, 4, dims);
    struct sl_insn *i = build_insn(b, SL_INSN_pad, 0, 1, &x);
    i->ints[SL_I_pad_mode] = k % 3;
    i->ints[SL_I_pad_value] = build_between(b, 0, t == SL_U16 ? 65535 : 255);
    for (int a = 0; a < 4; a++) {
        int64_t most = a == 0 ? 0 : 2;
        i->ints[SL_I_pad_before + a] = build_between(b, 0, most);
        i->ints[SL_I_pad_after + a] = build_between(b, 0, most);
        out[a] = dims[a] + i->ints[SL_I_pad_before + a] + i->ints[SL_I_pad_after + a];
    }
    i->out = build_tensor(b, t, 4, out);
    build_output(b, i->out);
}

static void resize_axis(struct build *b, struct sl_insn *i, int index_at, int weight_at, int64_t in, int64_t out, int taps)
{
    i->consts[index_at] = build_const(b, SL_S32, DIMS(out, taps), 0, in - 1);
    if (taps == 1)
        return;
    int32_t *weights = SL_NEW_ARRAY(b->a, int32_t, taps * out);
    for (int64_t k = 0; k < out; k++) {
        int32_t rest = 2048;
        for (int t = 0; t < taps - 1; t++)
            rest -= weights[taps * k + t] = (int32_t)(taps == 2 ? build_between(b, 0, 2048) : build_between(b, -600, 1600));
        weights[taps * k + taps - 1] = SL_MAX(rest, -4096);
    }
    i->consts[weight_at] = build_const_of(b, SL_S32, DIMS(out, taps), weights);
}

static void make_resize(struct build *b, int k)
{
    enum sl_dtype t = pick_type(b);
    int64_t h = build_between(b, 1, 6), w = build_between(b, 1, 6), c = build_between(b, 1, 20), oh = build_between(b, 1, 13),
            ow = build_between(b, 1, 13);
    const int mode = k < 8 ? k % 2 : SL_INSN_RESIZE_CUBIC, taps = sl_resize_taps(mode);
    uint32_t x = build_input(b, t, DIMS(1, h, w, c)), y = build_tensor(b, t, DIMS(1, oh, ow, c));
    struct sl_insn *i = build_insn(b, SL_INSN_resize, y, 1, &x);
    i->ints[SL_I_resize_mode] = mode;
    resize_axis(b, i, SL_K_resize_rows, SL_K_resize_row_weights, h, oh, taps);
    resize_axis(b, i, SL_K_resize_columns, SL_K_resize_column_weights, w, ow, taps);
    build_output(b, y);
}

static void make_block(struct build *b, int k)
{
    enum sl_dtype t = pick_type(b);
    int64_t n = build_between(b, 1, 3), h = build_between(b, 1, 4), w = build_between(b, 1, 4), c = build_between(b, 1, 5);
    bool deep = k % 2;
    uint32_t x = deep ? build_input(b, t, DIMS(1, h * n, w * n, c)) : build_input(b, t, DIMS(1, h, w, c * n * n));
    uint32_t y = deep ? build_tensor(b, t, DIMS(1, h, w, c * n * n)) : build_tensor(b, t, DIMS(1, h * n, w * n, c));
    struct sl_insn *i = build_insn(b, deep ? SL_INSN_space_to_depth : SL_INSN_depth_to_space, y, 1, &x);
    i->ints[SL_I_block_block] = n;
    i->ints[SL_I_block_crd] = k / 2 % 2;
    build_output(b, y);
}

static void make_gather(struct build *b, int k)
{
    enum sl_dtype t = pick_type(b);
    int64_t n = build_between(b, 1, 9), m = build_between(b, 1, 7), c = build_between(b, 1, 8);
    uint32_t x = build_input(b, t, DIMS(1, n, c)),
             y = k % 2 ? build_tensor(b, t, DIMS(1, n, m)) : build_tensor(b, t, DIMS(1, m, c));
    struct sl_insn *i = build_insn(b, SL_INSN_gather, y, 1, &x);
    i->ints[SL_I_gather_axis] = k % 2 ? 2 : 1;
    i->consts[SL_K_gather_indices] = build_const(b, SL_S32, DIMS(m), 0, (k % 2 ? c : n) - 1);
    build_output(b, y);
}

/* ---- networks: what planning may get wrong ---- */

static uint32_t add_sum(struct build *b, uint32_t x, uint32_t y)
{
    const struct sl_shape *s = &b->p->tensors[x].shape;
    uint32_t in[2] = {x, y}, out = build_tensor(b, type_of(b, x), s->rank, s->dim);
    struct sl_insn *i = build_insn(b, SL_INSN_add + (int)build_between(b, 0, 3), out, 2, in);
    i->ints[SL_I_sum_hi] = type_of(b, x) == SL_U16 ? 65535 : 255;
    i->floats[SL_F_sum_multiplier_a] = build_float(b, -1, 1);
    i->floats[SL_F_sum_multiplier_b] = build_float(b, -1, 1);
    return out;
}

/* A random graph over one shape: convolutions, sums of any two earlier values, reshapes there and back, concats and slices.
 * Some values are outputs. Contexts follow each other. */
static void make_network(struct build *b, int k)
{
    int64_t h = build_between(b, 2, 6), w = build_between(b, 2, 6), c = build_between(b, 1, 9);
    uint32_t values[64];
    int n = 0;
    values[n++] = build_input(b, SL_U8, DIMS(1, h, w, c));
    values[n++] = build_input(b, SL_U8, DIMS(1, h, w, c));
    while (n < 14 + k) {
        uint32_t x = values[build_between(b, 0, n - 1)], y = values[build_between(b, SL_MAX(n - 4, 0), n - 1)], out;
        int64_t kind = build_between(b, 0, 4);
        if (kind <= 1) {
            out = add_sum(b, x, y);
        } else if (kind == 2) {
            struct weighted one = {SL_INSN_fc, h, w, c, c, 1, 1, 1};
            int before = b->p->n_insns;
            out = build_tensor(b, SL_U8, DIMS(1, h, w, c));
            struct sl_insn *i = build_insn(b, SL_INSN_fc, out, 1, &x);
            (void)before;
            i->consts[SL_K_weighted_kernel] = weighted_kernel(b, &one, i, 1);
            i->consts[SL_K_weighted_bias] = build_const(b, SL_S32, DIMS(c), -999, 999);
            i->consts[SL_K_weighted_multiplier] = build_floats(b, c, -6, -4, false);
            for (int v = SL_I_weighted_stride_h; v <= SL_I_weighted_dilation_w; v++)
                i->ints[v] = 1;
            i->ints[SL_I_weighted_groups] = 1;
            i->ints[SL_I_weighted_hi] = 255;
        } else if (kind == 3) {
            uint32_t flat = build_tensor(b, SL_U8, DIMS(1, h * w * c));
            build_insn(b, SL_INSN_reshape, flat, 1, &x);
            uint32_t changed = add_sum(b, flat, flat);
            out = build_tensor(b, SL_U8, DIMS(1, h, w, c));
            build_insn(b, SL_INSN_reshape, out, 1, &changed);
        } else {
            uint32_t both[2] = {x, y}, joined = build_tensor(b, SL_U8, DIMS(1, 2 * h, w, c));
            build_insn(b, SL_INSN_concat, joined, 2, both)->ints[SL_I_concat_axis] = 1;
            out = build_tensor(b, SL_U8, DIMS(1, h, w, c));
            struct sl_insn *i = build_insn(b, SL_INSN_slice, out, 1, &joined);
            for (int a = 0; a < 4; a++)
                i->ints[SL_I_slice_step + a] = 1;
            i->ints[SL_I_slice_start + 1] = build_between(b, 0, h);
        }
        values[n++] = out;
        if (build_between(b, 0, 4) == 0)
            build_output(b, out);
    }
    build_output(b, values[n - 1]);
    build_output(b, values[0]); /* an input shown as it is */
    b->p->n_contexts = 3;
    for (uint32_t i = 0; i < b->p->n_insns; i++)
        b->p->insns[i].context = i * 3 / b->p->n_insns;
}

const struct build_case *build_cases(int *n)
{
    static const struct build_case cases[] = {
        {"conv", make_conv, 24},       {"dw", make_dw, 16},          {"fc", make_fc, 14},
        {"deconv", make_deconv, 14},   {"lookup", make_lookup, 8},   {"requantize", make_requantize, 4},
        {"eltwise", make_eltwise, 36}, {"pool", make_pool, 16},      {"reduce", make_reduce, 16},
        {"matmul", make_matmul, 12},   {"softmax", make_softmax, 8}, {"norm", make_norm, 12},
        {"concat", make_concat, 12},   {"shape", make_shape, 20},    {"pad", make_pad, 6},
        {"resize", make_resize, 12},    {"block", make_block, 8},     {"gather", make_gather, 4},
        {"network", make_network, 12}, {"index", make_index, 16},    {"rotary", make_rotary, 12},
        {"softmax_lookup", make_softmax_lookup, 8},
    };
    *n = (int)SL_COUNT(cases);
    return cases;
}
