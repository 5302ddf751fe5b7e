/* verify_windows.c: pools, reductions and resizes (docs/numerics.md sections 7 and 11). */
#include <inttypes.h>

#include "device/device_check.h"
#include "device/window_view.h"

enum { SIDE = 1 << 20 };

void sl_window_read(const struct sl_program *p, const struct sl_insn *i, struct sl_window_view *v)
{
    const struct sl_shape *in = &p->tensors[i->in[0]].shape, *out = &p->tensors[i->out].shape;
    v->n = in->dim[0];
    v->in_h = in->rank == 4 ? in->dim[1] : 1;
    v->in_w = in->rank >= 3 ? in->dim[in->rank - 2] : 1;
    v->c = in->dim[in->rank - 1];
    v->out_h = out->rank == 4 ? out->dim[1] : 1;
    v->out_w = out->rank >= 3 ? out->dim[out->rank - 2] : 1;
}

/* Along one axis: the output's side, and a position inside the picture for each window. */
static sluice_status check_side(struct sl_check *c, const char *axis, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                                int64_t dilation, int64_t before, int64_t after)
{
    int64_t reach = (kernel - 1) * dilation + 1, padded = in + before + after;
    int64_t wanted = padded < reach ? 0 : (padded - reach) / stride + 1;
    if (out != wanted)
        return sl_broken(c, SL_RULE_output_shape, "%s %" PRId64 ", which should be %" PRId64, axis, out, wanted);
    for (int64_t y = 0; y < out; y++) {
        int64_t first = y * stride - before; /* of the window; its taps are at first + i * dilation */
        int64_t i = first >= 0 ? 0 : (-first + dilation - 1) / dilation;
        if (i >= kernel || first + i * dilation >= in)
            return sl_broken(c, SL_RULE_window, "window %" PRId64 " along %s lies in the padding", y, axis);
    }
    return SLUICE_OK;
}

/* The ten numbers both window forms begin with. */
static sluice_status check_window(struct sl_check *c)
{
    static const struct {
        const char *name;
        int64_t least;
    } numbers[] = {
        {"kernel_h", 1},   {"kernel_w", 1}, {"stride_h", 1}, {"stride_w", 1},   {"dilation_h", 1},
        {"dilation_w", 1}, {"pad_top", 0},  {"pad_left", 0}, {"pad_bottom", 0}, {"pad_right", 0},
    };
    const int64_t *i = c->i->ints;
    const struct sl_shape *in = &sl_check_in(c, 0)->shape, *out = &sl_check_out(c)->shape;
    struct sl_window_view v;
    for (size_t k = 0; k < SL_COUNT(numbers); k++)
        SL_TRY(sl_check_number(c, SL_RULE_step, numbers[k].name, i[k], numbers[k].least, SIDE));
    if (in->rank < 2 || in->rank > 4 || out->rank != in->rank)
        return sl_broken(c, SL_RULE_input_rank, "an input of %d axes and an output of %d", in->rank, out->rank);
    sl_window_read(c->p, c->i, &v);
    if (out->dim[0] != v.n || out->dim[out->rank - 1] != v.c)
        return sl_broken(c, SL_RULE_output_shape, "a batch of %" PRId64 " and %" PRId64 " channels", out->dim[0],
                         out->dim[out->rank - 1]);
    SL_TRY(check_side(c, "height", v.in_h, v.out_h, i[SL_I_window_kernel_h], i[SL_I_window_stride_h], i[SL_I_window_dilation_h],
                      i[SL_I_window_pad_top], i[SL_I_window_pad_bottom]));
    SL_TRY(check_side(c, "width", v.in_w, v.out_w, i[SL_I_window_kernel_w], i[SL_I_window_stride_w], i[SL_I_window_dilation_w],
                      i[SL_I_window_pad_left], i[SL_I_window_pad_right]));
    c->work += (double)v.n * (double)v.out_h * (double)v.out_w * (double)v.c * (double)i[SL_I_window_kernel_h] *
               (double)i[SL_I_window_kernel_w];
    return SLUICE_OK;
}

sluice_status sl_verify_window(struct sl_check *c)
{
    SL_TRY(check_window(c));
    return sl_check_same_type(c);
}

sluice_status sl_verify_average(struct sl_check *c)
{
    const int64_t *i = c->i->ints;
    SL_TRY(check_window(c));
    SL_TRY(sl_check_number(c, SL_RULE_flag, "count_include_pad", i[SL_I_average_count_include_pad], 0, 1));
    if (i[SL_I_average_kernel_h] * i[SL_I_average_kernel_w] > INT32_MAX)
        return sl_broken(c, SL_RULE_reduced, "a window of %" PRId64 " x %" PRId64, i[SL_I_average_kernel_h],
                         i[SL_I_average_kernel_w]);
    SL_TRY(sl_check_limits(c, i[SL_I_average_lo], i[SL_I_average_hi]));
    return sl_check_multiplier(c, "multiplier", c->i->floats[SL_F_average_multiplier], false);
}

/* The output keeps the reduced axes as 1, or drops them. */
static sluice_status check_reduction(struct sl_check *c, int64_t axes)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape, *out = &sl_check_out(c)->shape;
    int64_t kept[SL_MAX_RANK], dropped[SL_MAX_RANK], terms = 1;
    int n_dropped = 0;
    SL_TRY(sl_check_number(c, SL_RULE_axis, "axes", axes, 0, (INT64_C(1) << in->rank) - 1));
    for (int i = 0; i < in->rank; i++) {
        bool reduced = axes >> i & 1;
        kept[i] = reduced ? 1 : in->dim[i];
        if (!reduced)
            dropped[n_dropped++] = in->dim[i];
        else if (terms > INT32_MAX / in->dim[i])
            return sl_broken(c, SL_RULE_reduced, "more");
        else
            terms *= in->dim[i];
    }
    c->work += (double)sl_shape_elements(in);
    return out->rank == in->rank ? sl_check_output(c, in->rank, kept) : sl_check_output(c, n_dropped, dropped);
}

sluice_status sl_verify_mean(struct sl_check *c)
{
    SL_TRY(check_reduction(c, c->i->ints[SL_I_mean_axes]));
    SL_TRY(sl_check_limits(c, c->i->ints[SL_I_mean_lo], c->i->ints[SL_I_mean_hi]));
    return sl_check_multiplier(c, "multiplier", c->i->floats[SL_F_mean_multiplier], false);
}

sluice_status sl_verify_extreme(struct sl_check *c)
{
    SL_TRY(check_reduction(c, c->i->ints[SL_I_extreme_axes]));
    return sl_check_same_type(c);
}

sluice_status sl_verify_index(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape;
    const int64_t axis = c->i->ints[SL_I_index_axis];
    if (in->rank < 1)
        return sl_broken(c, SL_RULE_input_rank, "an input of no axes");
    SL_TRY(sl_check_number(c, SL_RULE_axis, "axis", axis, 0, in->rank - 1));
    SL_TRY(sl_check_number(c, SL_RULE_flag, "last", c->i->ints[SL_I_index_last], 0, 1));
    SL_TRY(sl_check_number(c, SL_RULE_index_length, "axis of length", in->dim[axis], 1, 65536));
    SL_TRY(check_reduction(c, INT64_C(1) << axis));
    if (sl_check_out(c)->dtype != (in->dim[axis] > 256 ? SL_U16 : SL_U8))
        return sl_broken(c, SL_RULE_types, "%s, for positions along an axis of %" PRId64, sl_dtype_name(sl_check_out(c)->dtype),
                         in->dim[axis]);
    return SLUICE_OK;
}

static sluice_status check_resize_axis(struct sl_check *c, int index_at, int weight_at, int64_t in, int64_t out, int taps)
{
    const struct sl_program_const *index, *weight;
    const int64_t dims[2] = {out, taps}, least = taps == 2 ? 0 : -4096, most = taps == 2 ? 2048 : 4096;
    SL_TRY(sl_check_const(c, index_at, true, SL_S32, 2, dims, &index));
    for (size_t k = 0, n = index->splat ? 1 : (size_t)(dims[0] * dims[1]); k < n; k++)
        SL_TRY(sl_check_number(c, SL_RULE_indices, "index", sl_const_int(index, k), 0, in - 1));
    if (taps == 1)
        return SLUICE_OK;
    SL_TRY(sl_check_const(c, weight_at, true, SL_S32, 2, dims, &weight));
    for (size_t k = 0, n = weight->splat ? 1 : (size_t)out; k < n; k++) {
        int64_t sum = 0;
        for (int t = 0; t < taps; t++) {
            const int64_t w = sl_const_int(weight, (size_t)taps * k + (size_t)t);
            SL_TRY(sl_check_number(c, SL_RULE_weights, "weight", w, least, most));
            sum += w;
        }
        SL_TRY(sl_check_number(c, SL_RULE_weights, "sum of weights", sum, 2048, 2048));
    }
    return SLUICE_OK;
}

sluice_status sl_verify_resize(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape, *out = &sl_check_out(c)->shape;
    const int64_t mode = c->i->ints[SL_I_resize_mode];
    SL_TRY(sl_check_number(c, SL_RULE_weights, "mode", mode, SL_INSN_RESIZE_NEAREST, SL_INSN_RESIZE_CUBIC));
    const int taps = sl_resize_taps(mode);
    if (in->rank != 4 || out->rank != 4)
        return sl_broken(c, SL_RULE_input_rank, "an input of %d axes and an output of %d", in->rank, out->rank);
    if (out->dim[0] != in->dim[0] || out->dim[3] != in->dim[3])
        return sl_broken(c, SL_RULE_output_shape, "a batch of %" PRId64 " and %" PRId64 " channels", out->dim[0], out->dim[3]);
    SL_TRY(check_resize_axis(c, SL_K_resize_rows, SL_K_resize_row_weights, in->dim[1], out->dim[1], taps));
    SL_TRY(check_resize_axis(c, SL_K_resize_columns, SL_K_resize_column_weights, in->dim[2], out->dim[2], taps));
    return sl_check_same_type(c);
}
