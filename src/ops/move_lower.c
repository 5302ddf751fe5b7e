/* move_lower.c: layers that copy stored values: concat, reshape, transpose, slice, pad, resize, blocks, expand, gather. */
#include <string.h>

#include "ops/lower.h"
#include "ops/op_rules.h"
#include "ops/ops.h"

sluice_status lower_concat(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    int64_t axis;
    SL_TRY(sl_lower_axis(n, "axis", n->shape.rank, -1, &axis, e));
    sl_lower_emit(l, n, SL_INSN_concat)->ints[SL_I_concat_axis] = axis;
    return SLUICE_OK;
}

sluice_status lower_reshape(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)e;
    sl_lower_emit(l, n, SL_INSN_reshape);
    return SLUICE_OK;
}

sluice_status lower_expand(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)e;
    sl_lower_emit(l, n, SL_INSN_expand);
    return SLUICE_OK;
}

/* Exactly one number an axis of the input. */
static sluice_status read_list(const struct sl_node *n, const char *name, int count, int64_t *out, sl_err *e)
{
    if (!sl_get_ints(n, name, count, out))
        return sl_fail(e, SLUICE_E_VALUE, "%s does not hold %d integers", name, count);
    return SLUICE_OK;
}

sluice_status lower_transpose(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_transpose);
    return read_list(n, "perm", n->shape.rank, &i->ints[SL_I_transpose_perm], e);
}

sluice_status lower_slice(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_slice);
    int64_t *step = &i->ints[SL_I_slice_step];
    for (int k = 0; k < n->shape.rank; k++)
        step[k] = 1;
    if (sl_attr(n, "steps"))
        SL_TRY(read_list(n, "steps", n->shape.rank, step, e));
    SL_TRY(read_list(n, "starts", n->shape.rank, &i->ints[SL_I_slice_start], e));
    /* An axis that takes nothing may name any start; an empty output reads nothing. */
    return SLUICE_OK;
}

sluice_status lower_pad(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    static const char *const modes[] = {
        [SL_INSN_PAD_CONSTANT] = "constant", [SL_INSN_PAD_EDGE] = "edge", [SL_INSN_PAD_REFLECT] = "reflect"};
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_pad);
    int64_t pads[2 * SL_MAX_RANK] = {0};
    int rank = n->shape.rank;
    const char *mode = sl_get_string(n, "pad_mode", "constant");
    SL_TRY(read_list(n, "pads", 2 * rank, pads, e));
    memcpy(&i->ints[SL_I_pad_before], pads, (size_t)rank * sizeof(*pads));
    memcpy(&i->ints[SL_I_pad_after], pads + rank, (size_t)rank * sizeof(*pads));
    i->ints[SL_I_pad_value] = sl_get_int(n, "pad_value", 0);
    for (size_t k = 0; k < SL_COUNT(modes); k++)
        if (strcmp(mode, modes[k]) == 0) {
            i->ints[SL_I_pad_mode] = (int64_t)k;
            return SLUICE_OK;
        }
    return sl_fail(e, SLUICE_E_UNSUPPORTED, "pad_mode '%s' is none of constant, edge, reflect", mode);
}

sluice_status lower_resize(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    static const char *const arrays[SL_resize_CONSTS] = {"rows", "columns", "row_weights", "column_weights"};
    static const char *const modes[] = {"nearest", "linear", "cubic"}; /* in order of their numbers */
    int mode = SL_INSN_RESIZE_NEAREST;
    SL_TRY(sl_rule_word(n, "mode", modes, (int)SL_COUNT(modes), &mode, e));
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_resize);
    for (int k = 0; k < (mode == SL_INSN_RESIZE_NEAREST ? 2 : 4); k++)
        SL_TRY(sl_lower_need(l, n, arrays[k], &i->consts[k], e));
    i->ints[SL_I_resize_mode] = mode;
    return SLUICE_OK;
}

sluice_status lower_depth_space(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    const char *mode = sl_get_string(n, "mode", "dcr");
    if (strcmp(mode, "dcr") != 0 && strcmp(mode, "crd") != 0)
        return sl_fail(e, SLUICE_E_VALUE, "mode '%s' is none of dcr, crd", mode);
    struct sl_insn *i = sl_lower_emit(l, n, n->op == SL_OP_space_to_depth ? SL_INSN_space_to_depth : SL_INSN_depth_to_space);
    i->ints[SL_I_block_block] = sl_get_int(n, "block", 1);
    i->ints[SL_I_block_crd] = strcmp(mode, "crd") == 0;
    return SLUICE_OK;
}

sluice_status lower_gather(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    uint32_t indices;
    int64_t axis;
    SL_TRY(sl_lower_need(l, n, "indices", &indices, e));
    SL_TRY(sl_lower_axis(n, "axis", n->in[0]->shape.rank, 0, &axis, e));
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_gather);
    i->consts[SL_K_gather_indices] = indices;
    i->ints[SL_I_gather_axis] = axis;
    return SLUICE_OK;
}
