/* verify_move.c: instructions that copy stored values: every position they read or write lies inside (docs/numerics.md section
 * 11). */
#include <inttypes.h>

#include "device/device_check.h"

enum { SIDE = 1 << 20 };

/* The last numbers of a list of eight, past the rank, are 0. */
static sluice_status check_rest(struct sl_check *c, int at, int rank)
{
    for (int i = rank; i < SL_MAX_RANK; i++)
        SL_TRY(sl_check_number(c, SL_RULE_axis, "number past the rank", c->i->ints[at + i], 0, 0));
    return SLUICE_OK;
}

sluice_status sl_verify_concat(struct sl_check *c)
{
    struct sl_shape out = sl_check_in(c, 0)->shape;
    int64_t axis = c->i->ints[SL_I_concat_axis];
    SL_TRY(sl_check_number(c, SL_RULE_axis, "axis", axis, 0, out.rank - 1));
    for (int k = 1; k < c->i->n_in; k++) {
        struct sl_shape part = sl_check_in(c, k)->shape;
        int64_t side = part.rank == out.rank ? part.dim[axis] : 0;
        if (part.rank == out.rank)
            part.dim[axis] = out.dim[axis];
        if (!sl_shape_equal(&part, &out))
            return sl_broken(c, SL_RULE_output_shape, "input %d, which differs from input 0 off the axis", k);
        out.dim[axis] += side;
    }
    SL_TRY(sl_check_output(c, out.rank, out.dim));
    return sl_check_same_type(c);
}

sluice_status sl_verify_plain(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape, *out = &sl_check_out(c)->shape;
    SL_TRY(sl_check_same_type(c));
    if (c->i->opcode == SL_INSN_reshape) {
        if (sl_shape_elements(in) != sl_shape_elements(out))
            return sl_broken(c, SL_RULE_output_shape, "%zu values for %zu", sl_shape_elements(out), sl_shape_elements(in));
        return SLUICE_OK;
    }
    if (in->rank > out->rank)
        return sl_broken(c, SL_RULE_output_shape, "%d axes, fewer than the input's %d", out->rank, in->rank);
    for (int i = 0; i < in->rank; i++) {
        int64_t from = in->dim[i], to = out->dim[i + out->rank - in->rank];
        if (from != to && from != 1)
            return sl_broken(c, SL_RULE_output_shape, "side %" PRId64 " for the input's %" PRId64, to, from);
    }
    return SLUICE_OK;
}

sluice_status sl_verify_transpose(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape;
    const int64_t *perm = &c->i->ints[SL_I_transpose_perm];
    int64_t dims[SL_MAX_RANK];
    unsigned seen = 0;
    SL_TRY(check_rest(c, SL_I_transpose_perm, in->rank));
    for (int i = 0; i < in->rank; i++) {
        SL_TRY(sl_check_number(c, SL_RULE_axis, "perm", perm[i], 0, in->rank - 1));
        if (seen >> perm[i] & 1)
            return sl_broken(c, SL_RULE_axis, "axis %" PRId64 " twice", perm[i]);
        seen |= 1u << perm[i];
        dims[i] = in->dim[perm[i]];
    }
    SL_TRY(sl_check_output(c, in->rank, dims));
    return sl_check_same_type(c);
}

sluice_status sl_verify_slice(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape, *out = &sl_check_out(c)->shape;
    const int64_t *start = &c->i->ints[SL_I_slice_start], *step = &c->i->ints[SL_I_slice_step];
    SL_TRY(check_rest(c, SL_I_slice_start, in->rank));
    SL_TRY(check_rest(c, SL_I_slice_step, in->rank));
    if (out->rank != in->rank)
        return sl_broken(c, SL_RULE_output_shape, "%d axes for the input's %d", out->rank, in->rank);
    for (int i = 0; i < in->rank; i++) {
        /* Both factors are below 2^31, so the product and the sum are exact. The step of a single position is not used. */
        bool inside =
            start[i] >= 0 && start[i] < in->dim[i] && (out->dim[i] == 1 || (step[i] >= -in->dim[i] && step[i] <= in->dim[i]));
        int64_t last = !inside ? -1 : out->dim[i] == 1 ? start[i] : start[i] + (out->dim[i] - 1) * step[i];
        if (last < 0 || last >= in->dim[i])
            return sl_broken(c, SL_RULE_positions, "%" PRId64 " from %" PRId64 " by %" PRId64 " of %" PRId64, out->dim[i],
                             start[i], step[i], in->dim[i]);
    }
    return sl_check_same_type(c);
}

sluice_status sl_verify_pad(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape;
    const int64_t *before = &c->i->ints[SL_I_pad_before], *after = &c->i->ints[SL_I_pad_after];
    int64_t dims[SL_MAX_RANK], mode = c->i->ints[SL_I_pad_mode];
    SL_TRY(sl_check_number(c, SL_RULE_pad, "mode", mode, SL_INSN_PAD_CONSTANT, SL_INSN_PAD_REFLECT));
    SL_TRY(sl_check_number(c, SL_RULE_pad, "value", c->i->ints[SL_I_pad_value], 0, sl_qmax(sl_check_in(c, 0)->dtype)));
    SL_TRY(check_rest(c, SL_I_pad_before, in->rank));
    SL_TRY(check_rest(c, SL_I_pad_after, in->rank));
    for (int i = 0; i < in->rank; i++) {
        int64_t most = mode == SL_INSN_PAD_REFLECT ? SL_MIN((int64_t)SIDE, in->dim[i] - 1) : SIDE;
        SL_TRY(sl_check_number(c, SL_RULE_pad, "pad", before[i], 0, most));
        SL_TRY(sl_check_number(c, SL_RULE_pad, "pad", after[i], 0, most));
        dims[i] = before[i] + in->dim[i] + after[i];
    }
    SL_TRY(sl_check_output(c, in->rank, dims));
    return sl_check_same_type(c);
}

sluice_status sl_verify_block(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape;
    int64_t b = c->i->ints[SL_I_block_block];
    SL_TRY(sl_check_number(c, SL_RULE_step, "block", b, 1, SIDE));
    SL_TRY(sl_check_number(c, SL_RULE_flag, "crd", c->i->ints[SL_I_block_crd], 0, 1));
    if (in->rank != 4)
        return sl_broken(c, SL_RULE_input_rank, "an input of %d axes", in->rank);
    bool deep = c->i->opcode == SL_INSN_space_to_depth;
    if (deep ? in->dim[1] % b || in->dim[2] % b : in->dim[3] % (b * b) != 0)
        return sl_broken(c, SL_RULE_output_shape,
                         "a block of %" PRId64 " that does not divide %" PRId64 " x %" PRId64 " x %" PRId64, b, in->dim[1],
                         in->dim[2], in->dim[3]);
    int64_t dims[4] = {in->dim[0], deep ? in->dim[1] / b : in->dim[1] * b, deep ? in->dim[2] / b : in->dim[2] * b,
                       deep ? in->dim[3] * b * b : in->dim[3] / (b * b)};
    SL_TRY(sl_check_output(c, 4, dims));
    return sl_check_same_type(c);
}

sluice_status sl_verify_gather(struct sl_check *c)
{
    const struct sl_shape *in = &sl_check_in(c, 0)->shape;
    const struct sl_program_const *indices;
    int64_t axis = c->i->ints[SL_I_gather_axis], dims[2 * SL_MAX_RANK];
    int rank = 0;
    SL_TRY(sl_check_number(c, SL_RULE_axis, "axis", axis, 0, in->rank - 1));
    SL_TRY(sl_check_const(c, SL_K_gather_indices, true, SL_S32, -1, NULL, &indices));
    for (size_t k = 0, n = indices->splat ? 1 : sl_shape_elements(&indices->shape); k < n; k++)
        SL_TRY(sl_check_number(c, SL_RULE_indices, "index", sl_const_int(indices, k), 0, in->dim[axis] - 1));
    for (int i = 0; i < axis; i++)
        dims[rank++] = in->dim[i];
    for (int i = 0; i < indices->shape.rank; i++)
        dims[rank++] = indices->shape.dim[i];
    for (int i = (int)axis + 1; i < in->rank; i++)
        dims[rank++] = in->dim[i];
    if (rank > SL_MAX_RANK)
        return sl_broken(c, SL_RULE_output_shape, "%d axes", rank);
    SL_TRY(sl_check_output(c, rank, dims));
    return sl_check_same_type(c);
}
