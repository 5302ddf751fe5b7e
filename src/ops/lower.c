/* lower.c: tensors, constants and instructions of the program that a quantized graph becomes. Before it: quant/. After it:
 * compile/. */
#include "ops/lower.h"

#include <string.h>

#include "base/hash.h"

/* Room for one more element in an array of the program's arena. */
static void *grown(sl_arena *a, void *array, uint32_t n, uint32_t *capacity, size_t size)
{
    if (n < *capacity)
        return array;
    *capacity = *capacity ? *capacity * 2 : 64;
    void *larger = sl_arena_must_alloc(a, sl_mul_or_abort(*capacity, size));
    if (n)
        memcpy(larger, array, n * size);
    return larger;
}

static const char *scoped_name(sl_arena *a, const struct sl_node *n)
{
    return n->scope && n->scope[0] ? sl_arena_printf(a, "%s/%s", n->scope, n->name) : n->name;
}

uint32_t sl_lower_tensor(struct sl_lowering *l, const struct sl_node *n)
{
    struct sl_program *p = l->program;
    if (l->tensor_of[n->index] != SL_NO_TENSOR)
        return l->tensor_of[n->index];
    p->tensors = grown(p->arena, p->tensors, p->n_tensors, &l->tensor_capacity, sizeof(*p->tensors));
    p->tensors[p->n_tensors] = (struct sl_program_tensor){.name = scoped_name(p->arena, n),
                                                          .dtype = n->quant.dtype,
                                                          .shape = n->shape,
                                                          .scale = n->quant.scale,
                                                          .zero_point = n->quant.zero_point,
                                                          .n_scales = n->quant.n_scales,
                                                          .scales = n->quant.scales,
                                                          .extent_scalar = SL_NO_SCALAR};
    return l->tensor_of[n->index] = p->n_tensors++;
}

uint32_t sl_lower_const(struct sl_lowering *l, const struct sl_node *n, const char *param)
{
    struct sl_program *p = l->program;
    const struct sl_const *c = sl_param(n, param);
    if (c == NULL)
        return SL_NO_CONST;
    /* Passes share constants by pointer; equal bytes from elsewhere are joined by the writer's pool. The last ones are the
     * likely ones. */
    for (uint32_t i = p->n_consts; i > 0 && i + 8 > p->n_consts; i--)
        if (l->const_keys[i - 1] == c)
            return i - 1;
    uint32_t capacity = l->const_capacity;
    p->consts = grown(p->arena, p->consts, p->n_consts, &capacity, sizeof(*p->consts));
    l->const_keys = grown(p->arena, l->const_keys, p->n_consts, &l->const_capacity, sizeof(*l->const_keys));
    p->consts[p->n_consts] = (struct sl_program_const){.dtype = c->dtype,
                                                       .splat = c->splat,
                                                       .shape = c->shape,
                                                       .data = c->data,
                                                       .bytes = c->bytes,
                                                       .hash = sl_hash64(c->data, c->bytes)};
    l->const_keys[p->n_consts] = c;
    return p->n_consts++;
}

struct sl_insn *sl_lower_emit(struct sl_lowering *l, const struct sl_node *n, enum sl_opcode op)
{
    struct sl_program *p = l->program;
    const struct sl_insn_info *info = sl_insn_info(op);
    struct sl_insn i = {.opcode = (uint16_t)op,
                        .n_in = (uint16_t)n->n_in,
                        .n_consts = (uint16_t)info->n_consts,
                        .n_ints = (uint16_t)info->n_ints,
                        .n_floats = (uint16_t)info->n_floats};
    i.in = SL_NEW_ARRAY(p->arena, uint32_t, n->n_in);
    i.consts = SL_NEW_ARRAY(p->arena, uint32_t, info->n_consts);
    i.ints = SL_NEW_ARRAY(p->arena, int64_t, info->n_ints);
    i.floats = SL_NEW_ARRAY(p->arena, double, info->n_floats);
    for (int k = 0; k < n->n_in; k++)
        i.in[k] = sl_lower_tensor(l, n->in[k]);
    for (int k = 0; k < info->n_consts; k++)
        i.consts[k] = SL_NO_CONST;
    i.out = sl_lower_tensor(l, n);
    p->insns = grown(p->arena, p->insns, p->n_insns, &l->insn_capacity, sizeof(*p->insns));
    p->insns[p->n_insns] = i;
    return &p->insns[p->n_insns++];
}

sluice_status sl_lower_need(struct sl_lowering *l, const struct sl_node *n, const char *param, uint32_t *out, sl_err *e)
{
    *out = sl_lower_const(l, n, param);
    if (*out == SL_NO_CONST)
        return sl_fail(e, SLUICE_E_FORMAT, "array '%s' is missing", param);
    return SLUICE_OK;
}

sluice_status sl_lower_axis(const struct sl_node *n, const char *name, int rank, int64_t otherwise, int64_t *out, sl_err *e)
{
    int64_t axis = sl_get_int(n, name, otherwise);
    if (axis < -rank || axis >= rank)
        return sl_fail(e, SLUICE_E_VALUE, "%s %lld is outside -%d..%d", name, (long long)axis, rank, rank - 1);
    *out = axis < 0 ? axis + rank : axis;
    return SLUICE_OK;
}
