/* verify_elements.c: lookup, requantize, sums and products of two inputs (docs/numerics.md sections 5 and 6). */
#include <inttypes.h>

#include "device/device_check.h"

static sluice_status check_same_shape(struct sl_check *c)
{
    return sl_check_output(c, sl_check_in(c, 0)->shape.rank, sl_check_in(c, 0)->shape.dim);
}

sluice_status sl_verify_lookup(struct sl_check *c)
{
    enum sl_dtype in = sl_check_in(c, 0)->dtype, out = sl_check_out(c)->dtype;
    int64_t entries = in == SL_U8 ? 256 : out == SL_U8 ? 4096 : 4097;
    const struct sl_program_const *table;
    SL_TRY(check_same_shape(c));
    SL_TRY(sl_check_const(c, SL_K_lookup_table, true, out, -1, NULL, &table));
    if (in == SL_U16 && sl_shape_elements(&table->shape) == 65536)
        entries = 65536;
    return sl_check_const(c, SL_K_lookup_table, true, out, 1, &entries, &table);
}

sluice_status sl_verify_requantize(struct sl_check *c)
{
    SL_TRY(check_same_shape(c));
    SL_TRY(sl_check_limits(c, c->i->ints[SL_I_requantize_lo], c->i->ints[SL_I_requantize_hi]));
    return sl_check_multiplier(c, "multiplier", c->i->floats[SL_F_requantize_multiplier], false);
}

static sluice_status check_broadcast(struct sl_check *c)
{
    const struct sl_shape *a = &sl_check_in(c, 0)->shape, *b = &sl_check_in(c, 1)->shape;
    struct sl_shape out = {.rank = SL_MAX(a->rank, b->rank)};
    for (int i = 0; i < out.rank; i++) {
        int ka = i - (out.rank - a->rank), kb = i - (out.rank - b->rank);
        int64_t da = ka < 0 ? 1 : a->dim[ka], db = kb < 0 ? 1 : b->dim[kb];
        if (da != db && da != 1 && db != 1)
            return sl_broken(c, SL_RULE_output_shape, "inputs of %" PRId64 " and %" PRId64 " on axis %d", da, db, i);
        out.dim[i] = SL_MAX(da, db);
    }
    return sl_check_output(c, out.rank, out.dim);
}

sluice_status sl_verify_sum(struct sl_check *c)
{
    SL_TRY(check_broadcast(c));
    SL_TRY(sl_check_limits(c, c->i->ints[SL_I_sum_lo], c->i->ints[SL_I_sum_hi]));
    SL_TRY(sl_check_multiplier(c, "multiplier_a", c->i->floats[SL_F_sum_multiplier_a], true));
    return sl_check_multiplier(c, "multiplier_b", c->i->floats[SL_F_sum_multiplier_b], true);
}

sluice_status sl_verify_product(struct sl_check *c)
{
    SL_TRY(check_broadcast(c));
    SL_TRY(sl_check_limits(c, c->i->ints[SL_I_product_lo], c->i->ints[SL_I_product_hi]));
    return sl_check_multiplier(c, "multiplier", c->i->floats[SL_F_product_multiplier], false);
}

sluice_status sl_verify_constant(struct sl_check *c)
{
    const struct sl_program_tensor *t = sl_check_out(c);
    const struct sl_program_const *data;
    return sl_check_const(c, SL_K_constant_data, true, t->dtype, t->shape.rank, t->shape.dim, &data);
}
