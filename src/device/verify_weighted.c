/* verify_weighted.c: conv, dw, fc, deconv: geometry, types, groups and tables (docs/numerics.md section 4). */
#include <inttypes.h>

#include "device/device_check.h"
#include "device/weighted_view.h"

enum { SIDE = 1 << 20 };

/* [n, h, w, c] of a tensor of rank 2 to 4. */
static void read_picture(const struct sl_shape *s, int64_t *n, int64_t *h, int64_t *w, int64_t *c)
{
    *n = s->dim[0];
    *h = s->rank == 4 ? s->dim[1] : 1;
    *w = s->rank >= 3 ? s->dim[s->rank - 2] : 1;
    *c = s->dim[s->rank - 1];
}

void sl_weighted_read(const struct sl_program *p, const struct sl_insn *i, struct sl_weighted_view *v)
{
    const struct sl_shape *kernel = &p->consts[i->consts[SL_K_weighted_kernel]].shape;
    int64_t batch;
    read_picture(&p->tensors[i->in[0]].shape, &v->n, &v->in_h, &v->in_w, &v->in_c);
    read_picture(&p->tensors[i->out].shape, &batch, &v->out_h, &v->out_w, &v->out_c);
    bool fc = i->opcode == SL_INSN_fc;
    v->kh = fc ? 1 : kernel->dim[0];
    v->kw = fc ? 1 : kernel->dim[1];
    v->kernel_ic = kernel->dim[kernel->rank - 2];
    v->kernel_oc = kernel->dim[kernel->rank - 1];
    v->groups = i->ints[SL_I_weighted_groups];
    v->deconv = i->opcode == SL_INSN_deconv;
}

static sluice_status check_steps(struct sl_check *c)
{
    const int64_t *v = c->i->ints;
    static const struct {
        const char *name;
        int at;
        int64_t least;
    } steps[] = {
        {"stride_h", SL_I_weighted_stride_h, 1},     {"stride_w", SL_I_weighted_stride_w, 1},
        {"dilation_h", SL_I_weighted_dilation_h, 1}, {"dilation_w", SL_I_weighted_dilation_w, 1},
        {"pad_top", SL_I_weighted_pad_top, 0},       {"pad_left", SL_I_weighted_pad_left, 0},
        {"pad_bottom", SL_I_weighted_pad_bottom, 0}, {"pad_right", SL_I_weighted_pad_right, 0},
    };
    for (size_t k = 0; k < SL_COUNT(steps); k++)
        SL_TRY(sl_check_number(c, SL_RULE_step, steps[k].name, v[steps[k].at], steps[k].least, SIDE));
    return SLUICE_OK;
}

/* The kernel's shape fits the channels, by kind. */
static sluice_status check_kernel(struct sl_check *c, struct sl_weighted_view *v)
{
    uint32_t id = c->i->consts[SL_K_weighted_kernel];
    int rank = sl_check_in(c, 0)->shape.rank;
    bool fc = c->i->opcode == SL_INSN_fc;
    if (rank < 2 || rank > 4 || sl_check_out(c)->shape.rank != rank)
        return sl_broken(c, SL_RULE_input_rank, "an input of %d axes and an output of %d", rank, sl_check_out(c)->shape.rank);
    if (id == SL_NO_CONST)
        return sl_broken(c, SL_RULE_constant_id, "none for the kernel");
    const struct sl_program_const *k = &c->p->consts[id];
    if ((k->dtype != SL_S8 && k->dtype != SL_S16 && k->dtype != SL_S4) || k->shape.rank != (fc ? 2 : 4))
        return sl_broken(c, SL_RULE_constant_type, "a kernel of type %s and %d axes", sl_dtype_name(k->dtype), k->shape.rank);
    sl_weighted_read(c->p, c->i, v);
    if (v->kh < 1 || v->kw < 1 || v->kh > SIDE || v->kw > SIDE || v->kernel_ic < 1 || v->kernel_oc < 1)
        return sl_broken(c, SL_RULE_constant_type, "a kernel of %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64, v->kh,
                         v->kw, v->kernel_ic, v->kernel_oc);
    bool divides = v->groups >= 1 && v->in_c % v->groups == 0 && v->out_c % v->groups == 0;
    bool fits = false;
    if (divides)
        switch (c->i->opcode) {
        case SL_INSN_conv:
            fits = v->kernel_ic == v->in_c / v->groups && v->kernel_oc == v->out_c;
            break;
        case SL_INSN_fc:
            fits = v->groups == 1 && v->kernel_ic == v->in_c && v->kernel_oc == v->out_c;
            break;
        case SL_INSN_dw:
            fits = v->groups == v->in_c && v->kernel_ic == v->in_c && v->kernel_oc == v->out_c / v->in_c;
            break;
        default:
            fits = v->kernel_ic == v->in_c && v->kernel_oc == v->out_c / v->groups;
        }
    if (!fits)
        return sl_broken(c, SL_RULE_groups,
                         "groups %" PRId64 ", %" PRId64 " input and %" PRId64 " output channels, kernel features %" PRId64
                         " and %" PRId64,
                         v->groups, v->in_c, v->out_c, v->kernel_ic, v->kernel_oc);
    return SLUICE_OK;
}

static int64_t conv_side(int64_t in, int64_t before, int64_t after, int64_t kernel, int64_t stride, int64_t dilation)
{
    int64_t reach = (kernel - 1) * dilation + 1, padded = in + before + after;
    return padded < reach ? 0 : (padded - reach) / stride + 1;
}

/* A scattering layer's output may be longer than what it scatters to (output padding), so only conv's is fixed. */
static sluice_status check_sides(struct sl_check *c, const struct sl_weighted_view *v)
{
    const int64_t *i = c->i->ints;
    const struct sl_shape *out = &sl_check_out(c)->shape;
    int64_t h = v->out_h, w = v->out_w;
    if (!v->deconv) {
        h = conv_side(v->in_h, i[SL_I_weighted_pad_top], i[SL_I_weighted_pad_bottom], v->kh, i[SL_I_weighted_stride_h],
                      i[SL_I_weighted_dilation_h]);
        w = conv_side(v->in_w, i[SL_I_weighted_pad_left], i[SL_I_weighted_pad_right], v->kw, i[SL_I_weighted_stride_w],
                      i[SL_I_weighted_dilation_w]);
    }
    int64_t all[4] = {v->n, h, w, v->out_c}, three[3] = {v->n, w, v->out_c}, two[2] = {v->n, v->out_c};
    if ((out->rank < 4 && h != 1) || (out->rank < 3 && w != 1))
        return sl_broken(c, SL_RULE_output_shape, "%d axes for an output of %" PRId64 " x %" PRId64, out->rank, h, w);
    return sl_check_output(c, out->rank, out->rank == 4 ? all : out->rank == 3 ? three : two);
}

static sluice_status check_group_scale(struct sl_check *c, const struct sl_weighted_view *v,
                                       const struct sl_program_const *kernel)
{
    const struct sl_program_const *g;
    int64_t size = c->i->ints[SL_I_weighted_kernel_group_size];
    SL_TRY(sl_check_const(c, SL_K_weighted_kernel_group_scale, false, SL_S8, -1, NULL, &g));
    if (g == NULL)
        return SLUICE_OK;
    if (kernel->dtype != SL_S4 || size < 1 || size > v->kernel_ic || g->shape.rank != 2 || g->shape.dim[1] != v->kernel_oc ||
        g->shape.dim[0] != (v->kernel_ic + size - 1) / size)
        return sl_broken(c, SL_RULE_kernel_groups, "groups of %" PRId64 " features for %" PRId64 " and a kernel of type %s",
                         size, v->kernel_ic, sl_dtype_name(kernel->dtype));
    if (kernel->splat) {
        for (size_t k = 0, n = g->splat ? 1 : sl_shape_elements(&g->shape); k < n; k++)
            SL_TRY(
                sl_check_number(c, SL_RULE_kernel_groups, "weight", sl_const_int(kernel, 0) * sl_const_int(g, k), -127, 127));
        return SLUICE_OK;
    }
    for (int64_t at = 0, o, row = 0, n = v->kh * v->kw * v->kernel_ic; row < n; row++)
        for (o = 0; o < v->kernel_oc; o++, at++) {
            int64_t group = row % v->kernel_ic / size;
            int64_t w = sl_const_int(kernel, (size_t)at) * sl_const_int(g, (size_t)(group * v->kernel_oc + o));
            if (w < -127 || w > 127)
                return sl_broken(c, SL_RULE_kernel_groups, "weight %" PRId64 " at %" PRId64, w, at);
        }
    return SLUICE_OK;
}

static sluice_status check_bias(struct sl_check *c, const struct sl_weighted_view *v)
{
    const struct sl_program_const *bias, *multiplier, *pad;
    enum sl_dtype x = sl_check_in(c, 0)->dtype;
    SL_TRY(sl_check_const(c, SL_K_weighted_bias, true, x == SL_U16 ? SL_S64 : SL_S32, 1, &v->out_c, &bias));
    for (size_t k = 0, n = bias->dtype == SL_S64 ? (bias->splat ? 1 : (size_t)v->out_c) : 0; k < n; k++)
        SL_TRY(sl_check_number(c, SL_RULE_bias, "bias", sl_const_int(bias, k), -(INT64_C(1) << 62), INT64_C(1) << 62));
    SL_TRY(sl_check_const(c, SL_K_weighted_multiplier, true, SL_F32, 1, &v->out_c, &multiplier));
    SL_TRY(sl_check_multipliers(c, multiplier));
    SL_TRY(sl_check_const(c, SL_K_weighted_pad_value, false, x, 1, &v->in_c, &pad));
    if (pad && v->deconv)
        return sl_broken(c, SL_RULE_constant_id, "a pad value for a scattering layer");
    return SLUICE_OK;
}

static sluice_status check_post(struct sl_check *c)
{
    const int64_t *v = c->i->ints;
    bool wide = sl_check_out(c)->dtype == SL_U16, table = v[SL_I_weighted_post] == SL_INSN_POST_TABLE;
    int64_t entries = wide ? 4097 : 4096;
    const struct sl_program_const *t;
    SL_TRY(sl_check_number(c, SL_RULE_post, "post", v[SL_I_weighted_post], SL_INSN_POST_LINEAR, SL_INSN_POST_TABLE));
    SL_TRY(sl_check_limits(c, v[SL_I_weighted_lo], v[SL_I_weighted_hi]));
    if (table)
        SL_TRY(sl_check_number(c, SL_RULE_post, "index zero point", v[SL_I_weighted_index_zero_point], 0, wide ? 65535 : 4095));
    if (table && c->i->n_in == 2)
        return sl_broken(c, SL_RULE_post, "a table and a residual");
    return sl_check_const(c, SL_K_weighted_table, table, sl_check_out(c)->dtype, 1, &entries, &t);
}

static sluice_status check_residual(struct sl_check *c)
{
    if (c->i->n_in < 2)
        return SLUICE_OK;
    const struct sl_shape *s = &sl_check_out(c)->shape;
    if (!sl_shape_equal(&sl_check_in(c, 1)->shape, s))
        return sl_broken(c, SL_RULE_output_shape, "a residual of another shape");
    return sl_check_multiplier(c, "residual_multiplier", c->i->floats[SL_F_weighted_residual_multiplier], true);
}

sluice_status sl_verify_weighted(struct sl_check *c)
{
    struct sl_weighted_view v;
    SL_TRY(check_steps(c));
    SL_TRY(check_kernel(c, &v));
    SL_TRY(check_sides(c, &v));
    const struct sl_program_const *kernel = &c->p->consts[c->i->consts[SL_K_weighted_kernel]];
    double taps = (double)v.kh * (double)v.kw * (double)(v.deconv ? v.kernel_oc : v.kernel_ic) *
                  (c->i->opcode == SL_INSN_dw ? 1.0 / (double)v.in_c : 1.0);
    double positions = v.deconv ? (double)v.n * (double)v.in_h * (double)v.in_w * (double)v.in_c
                                : (double)v.n * (double)v.out_h * (double)v.out_w * (double)v.out_c;
    c->work += taps * positions;
    SL_TRY(check_group_scale(c, &v, kernel));
    SL_TRY(check_bias(c, &v));
    SL_TRY(check_post(c));
    return check_residual(c);
}
