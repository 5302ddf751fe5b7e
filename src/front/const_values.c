/* const_values.c: reading elements of constants, whatever their type and whether they are written out. */
#include "front/const_values.h"

#include "ops/values.h"

const struct sl_const *sl_node_const(const struct sl_node *n)
{
    return n && n->op == SL_OP_const_input ? sl_param(n, "data") : NULL;
}

bool sl_const_scalar(const struct sl_const *k, double *out)
{
    if (!k || (!k->splat && sl_shape_elements(&k->shape) != 1))
        return false;
    *out = sl_value_number(k->dtype, k->data, 0);
    return true;
}

bool sl_node_scalar(const struct sl_node *n, double *out)
{
    return sl_const_scalar(sl_node_const(n), out);
}

int64_t sl_const_integer(const struct sl_const *k, size_t i)
{
    if (k->splat)
        i = 0;
    if (k->dtype == SL_S64 || k->dtype == SL_U64)
        return ((const int64_t *)k->data)[i];
    double v = sl_value_number(k->dtype, k->data, i);
    return v >= -9.2e18 && v <= 9.2e18 ? (int64_t)v : v > 0 ? INT64_MAX : INT64_MIN; /* NaN: the least */
}
