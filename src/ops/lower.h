/*
 * lower.h: what a row's `lower` works with: the program being built and the tensor each node became. lower.c has the functions,
 * <family>_lower.c one function an instruction form; compile/ drives them.
 */
#ifndef SL_OPS_LOWER_H
#define SL_OPS_LOWER_H

#include "hef/isa.h"
#include "hef/program.h"
#include "ir/ir.h"

struct sl_lowering {
    struct sl_program *program;
    uint32_t *tensor_of;                /* by node index; SL_NO_TENSOR until lowered */
    const struct sl_const **const_keys; /* by const id: where it came from, so that a constant used twice is entered once */
    uint32_t tensor_capacity, const_capacity, insn_capacity;
};

uint32_t sl_lower_tensor(struct sl_lowering *l, const struct sl_node *n); /* the node's tensor, made when new */
uint32_t sl_lower_const(struct sl_lowering *l, const struct sl_node *n, const char *param); /* SL_NO_CONST when absent */
/* An instruction of node n: inputs and output set, constants none, numbers 0; the caller fills the operands of its form. */
struct sl_insn *sl_lower_emit(struct sl_lowering *l, const struct sl_node *n, enum sl_opcode op);
/* A parameter that the instruction cannot do without. */
sluice_status sl_lower_need(struct sl_lowering *l, const struct sl_node *n, const char *param, uint32_t *out, sl_err *e);
/* Axis attribute of a node, counted from the front. */
sluice_status sl_lower_axis(const struct sl_node *n, const char *name, int rank, int64_t otherwise, int64_t *out, sl_err *e);

#endif
