/* compile_passes.h: the state that the passes of compile work on. The list is in compile.c. */
#ifndef SL_COMPILE_COMPILE_PASSES_H
#define SL_COMPILE_COMPILE_PASSES_H

#include "compile/compile.h"
#include "ops/lower.h"

struct sl_compiling {
    const struct sl_graph *g;
    const struct sl_compile_options *o;
    const struct sl_machine *machine;
    struct sl_program *p;
    struct sl_lowering l;
    uint32_t *insn_of; /* by node index: the instruction it became; SL_NO_TENSOR for none */
};

sluice_status sl_check_quantized(struct sl_compiling *c, sl_err *e);
sluice_status sl_lower_nodes(struct sl_compiling *c, sl_err *e);
sluice_status sl_make_ports(struct sl_compiling *c, sl_err *e);
sluice_status sl_carry_states(struct sl_compiling *c, sl_err *e);
sluice_status sl_assign_contexts(struct sl_compiling *c, sl_err *e);

#endif
