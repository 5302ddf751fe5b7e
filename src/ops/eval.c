/* eval.c: scratch memory and parameters of float evaluation; see eval.h. */
#include "ops/eval.h"

#include <string.h>

#include "ops/values.h"

sluice_status sl_eval_scratch(struct sl_eval *ev, size_t count, size_t element_bytes, void *out_pointer, sl_err *e)
{
    size_t bytes;
    void *p = sl_mul_size(count, element_bytes, &bytes) ? sl_arena_alloc_aligned64(ev->scratch, bytes) : NULL;
    if (!p)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %zu scratch elements of %zu bytes", count, element_bytes);
    memcpy(out_pointer, &p, sizeof p);
    return SLUICE_OK;
}

sluice_status sl_eval_floats(sl_arena *a, const struct sl_const *c, const float **out, sl_err *e)
{
    size_t count = sl_shape_elements(&c->shape), bytes;
    if (c->dtype == SL_F32 && !c->splat && (uintptr_t)c->data % sizeof(float) == 0) {
        *out = c->data;
        return SLUICE_OK;
    }
    float *dense = sl_mul_size(count, sizeof *dense, &bytes) ? sl_arena_alloc_aligned64(a, bytes) : NULL;
    if (!dense)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for a constant of %zu values", count);
    if (c->splat) {
        float v = (float)sl_value_number(c->dtype, c->data, 0);
        for (size_t i = 0; i < count; i++)
            dense[i] = v;
    } else if (sl_is_float_class(c->dtype)) {
        sl_values_unpack(c->dtype, c->data, count, dense);
    } else {
        for (size_t i = 0; i < count; i++)
            dense[i] = (float)sl_value_number(c->dtype, c->data, i);
    }
    *out = dense;
    return SLUICE_OK;
}

sluice_status sl_eval_param(struct sl_eval *ev, const struct sl_node *n, const char *name, const float **out, sl_err *e)
{
    const struct sl_const *c = sl_param(n, name);
    *out = NULL;
    return c ? sl_eval_floats(ev->scratch, c, out, e) : SLUICE_OK;
}
