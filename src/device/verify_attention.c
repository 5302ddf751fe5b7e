/* verify_attention.c: matmul, softmax, layer_norm, rms_norm, rotary (docs/numerics.md sections 8 to 10a). */
#include <inttypes.h>
#include <math.h>

#include "device/device_check.h"
#include "kernels/kernels.h"

sluice_status sl_verify_matmul(struct sl_check *c)
{
    const struct sl_shape *a = &sl_check_in(c, 0)->shape, *b = &sl_check_in(c, 1)->shape;
    const int64_t *v = c->i->ints;
    SL_TRY(sl_check_number(c, SL_RULE_flag, "transpose_b", v[SL_I_matmul_transpose_b], 0, 1));
    if (a->rank < 2 || b->rank < 2)
        return sl_broken(c, SL_RULE_input_rank, "inputs of %d and %d axes", a->rank, b->rank);
    bool transposed = v[SL_I_matmul_transpose_b] == 1;
    int64_t k = a->dim[a->rank - 1], kb = b->dim[b->rank - (transposed ? 1 : 2)], n = b->dim[b->rank - (transposed ? 2 : 1)];
    if (k != kb)
        return sl_broken(c, SL_RULE_output_shape, "inner sides of %" PRId64 " and %" PRId64, k, kb);
    struct sl_shape out = {.rank = SL_MAX(a->rank, b->rank)};
    for (int i = 0; i < out.rank - 2; i++) {
        int ka = i - (out.rank - a->rank), kb_axis = i - (out.rank - b->rank);
        int64_t da = ka < 0 ? 1 : a->dim[ka], db = kb_axis < 0 ? 1 : b->dim[kb_axis];
        if (da != db && da != 1 && db != 1)
            return sl_broken(c, SL_RULE_output_shape, "inputs of %" PRId64 " and %" PRId64 " on axis %d", da, db, i);
        out.dim[i] = SL_MAX(da, db);
    }
    out.dim[out.rank - 2] = a->dim[a->rank - 2];
    out.dim[out.rank - 1] = n;
    SL_TRY(sl_check_output(c, out.rank, out.dim));
    c->work += (double)sl_shape_elements(&out) * (double)k;
    SL_TRY(sl_check_limits(c, v[SL_I_matmul_lo], v[SL_I_matmul_hi]));
    return sl_check_multiplier(c, "multiplier", c->i->floats[SL_F_matmul_multiplier], false);
}

static sluice_status check_above_zero(struct sl_check *c, const char *what, double v)
{
    if (!(v > 0) || !isfinite(v))
        return sl_broken(c, SL_RULE_epsilon, "%s %.17g", what, v);
    return SLUICE_OK;
}

sluice_status sl_verify_softmax(struct sl_check *c)
{
    const struct sl_program_tensor *in = sl_check_in(c, 0);
    const struct sl_program_const *table;
    int64_t entries = in->dtype == SL_U8 ? 256 : 4096, shift = c->i->ints[SL_I_softmax_index_shift];
    SL_TRY(sl_check_output(c, in->shape.rank, in->shape.dim));
    SL_TRY(sl_check_number(c, SL_RULE_axis, "axis", c->i->ints[SL_I_softmax_axis], 0, in->shape.rank - 1));
    SL_TRY(sl_check_const(c, SL_K_softmax_table, true, SL_U16, 1, &entries, &table));
    if (sl_const_int(table, 0) == 0 || shift < 0 || shift > (in->dtype == SL_U8 ? 0 : 15))
        return sl_broken(c, SL_RULE_softmax_table, "a table of %s that begins with %" PRId64 ", shift %" PRId64,
                         sl_dtype_name(in->dtype), sl_const_int(table, 0), shift);
    return check_above_zero(c, "inverse_scale", c->i->floats[SL_F_softmax_inverse_scale]);
}

/* All entries a line's exponentials can come from; the sum of a line then has 15 to 31 bits. */
static sluice_status check_lookup(struct sl_check *c, int k, int64_t least_last)
{
    const struct sl_program_const *table;
    int64_t entries = SL_LOOKUP_ENTRIES;
    SL_TRY(sl_check_const(c, k, true, SL_S16, 1, &entries, &table));
    for (int64_t i = 0; i < entries; i++) {
        int64_t v = sl_const_int(table, (size_t)i), least = i >= entries - 2 ? least_last : 0;
        if (v < least)
            return sl_broken(c, SL_RULE_lookup, "entry %" PRId64 " is %" PRId64, i, v);
    }
    return SLUICE_OK;
}

sluice_status sl_verify_softmax_lookup(struct sl_check *c)
{
    const struct sl_program_tensor *in = sl_check_in(c, 0), *out = sl_check_out(c);
    const int64_t *v = c->i->ints;
    SL_TRY(sl_check_output(c, in->shape.rank, in->shape.dim));
    SL_TRY(sl_check_number(c, SL_RULE_axis, "axis", v[SL_I_softmax_lookup_axis], 0, in->shape.rank - 1));
    SL_TRY(sl_check_number(c, SL_RULE_lookup, "the axis", in->shape.dim[v[SL_I_softmax_lookup_axis]], 1, 65536));
    SL_TRY(sl_check_number(c, SL_RULE_lookup, "the multiplier", v[SL_I_softmax_lookup_multiplier], 0, INT32_MAX));
    SL_TRY(sl_check_number(c, SL_RULE_lookup, "the shift", v[SL_I_softmax_lookup_shift], -31, 15));
    SL_TRY(sl_check_number(c, SL_RULE_lookup, "the output's zero point", out->zero_point, 0, 32768));
    if (in->dtype != SL_U16 || out->dtype != SL_U16)
        return sl_broken(c, SL_RULE_lookup, "%s gives %s", sl_dtype_name(in->dtype), sl_dtype_name(out->dtype));
    SL_TRY(check_lookup(c, SL_K_softmax_lookup_table, 16384));
    return check_lookup(c, SL_K_softmax_lookup_inverse, 0);
}

sluice_status sl_verify_norm(struct sl_check *c)
{
    const struct sl_program_tensor *in = sl_check_in(c, 0);
    const struct sl_program_const *gamma, *beta;
    if (in->shape.rank < 1)
        return sl_broken(c, SL_RULE_input_rank, "an input without axes");
    int64_t n = in->shape.dim[in->shape.rank - 1];
    SL_TRY(sl_check_output(c, in->shape.rank, in->shape.dim));
    SL_TRY(sl_check_number(c, SL_RULE_norm_length, "length", n, 1, in->dtype == SL_U8 ? 32768 : 46340));
    SL_TRY(sl_check_const(c, SL_K_norm_gamma, true, SL_F32, 1, &n, &gamma));
    SL_TRY(sl_check_const(c, SL_K_norm_beta, true, SL_F32, 1, &n, &beta));
    for (int64_t i = 0; i < n; i++) {
        SL_TRY(sl_check_multiplier(c, "gamma", sl_const_real(gamma, (size_t)i), true));
        SL_TRY(sl_check_multiplier(c, "beta", sl_const_real(beta, (size_t)i), true));
    }
    SL_TRY(sl_check_limits(c, c->i->ints[SL_I_norm_lo], c->i->ints[SL_I_norm_hi]));
    return check_above_zero(c, "epsilon", c->i->floats[SL_F_norm_epsilon]);
}

sluice_status sl_verify_rotary(struct sl_check *c)
{
    const struct sl_shape *x = &sl_check_in(c, 0)->shape, *a = &sl_check_in(c, 1)->shape;
    const int64_t *v = c->i->ints;
    SL_TRY(sl_check_number(c, SL_RULE_flag, "interleaved", v[SL_I_rotary_interleaved], 0, 1));
    if (x->rank < 1 || a->rank < 1)
        return sl_broken(c, SL_RULE_input_rank, "inputs of %d and %d axes", x->rank, a->rank);
    int64_t d = x->dim[x->rank - 1], w = a->dim[a->rank - 1];
    if (d % 2 || (w != d && w != 2 * d))
        return sl_broken(c, SL_RULE_angles, "%" PRId64 " features and %" PRId64 " angles", d, w);
    for (int i = 2; i <= a->rank; i++) {
        int64_t da = a->dim[a->rank - i];
        if (da != 1 && (i > x->rank || da != x->dim[x->rank - i]))
            return sl_broken(c, SL_RULE_angles, "%" PRId64 " rows of angles on axis %d from the right", da, i);
    }
    SL_TRY(sl_check_output(c, x->rank, x->dim));
    SL_TRY(sl_check_limits(c, v[SL_I_rotary_lo], v[SL_I_rotary_hi]));
    return sl_check_multiplier(c, "multiplier", c->i->floats[SL_F_rotary_multiplier], false);
}
