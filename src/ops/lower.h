/* lower.h: what a row's `lower` works with: the program being built and the tensor each node became. */
#ifndef SL_OPS_LOWER_H
#define SL_OPS_LOWER_H

#include "hef/program.h"
#include "ir/ir.h"

struct sl_lowering {
    struct sl_program *program;
    uint32_t *tensor_of;  /* by node index; SL_NO_TENSOR until lowered */
};

uint32_t sl_lower_tensor(struct sl_lowering *l, const struct sl_node *n);       /* the node's tensor, made when new */
uint32_t sl_lower_const(struct sl_lowering *l, const struct sl_node *n, const char *param); /* SL_NO_CONST when absent */
struct sl_insn *sl_lower_emit(struct sl_lowering *l, const struct sl_node *n, enum sl_opcode op); /* inputs and output set */

#endif
