/* memory_plan.h: where each tensor of a program lives while it runs. */
#ifndef SL_DEVICE_MEMORY_PLAN_H
#define SL_DEVICE_MEMORY_PLAN_H

#include "hef/program.h"

enum sl_place_kind {
    SL_PLACE_NONE,      /* nothing uses it */
    SL_PLACE_WORKSPACE, /* `offset` bytes from the workspace's start */
    SL_PLACE_INPUT,     /* `offset` bytes from the caller's buffer of input `which` */
    SL_PLACE_CONSTANT   /* constant `which` of the program */
};

struct sl_place {
    enum sl_place_kind kind;
    uint32_t which;
    uint64_t offset;
};

struct sl_memory_plan {
    struct sl_place *places; /* by tensor, in the arena given */
    uint64_t bytes;          /* of the workspace */
    uint64_t live_bytes;     /* lower bound: the largest sum of tensors alive at once */
};

enum { SL_PLAN_ALIGN = 64 };

/* keep_all: every tensor has its own place, inputs too. The program has been verified. */
sluice_status sl_plan_memory(sl_arena *a, const struct sl_program *p, bool keep_all, struct sl_memory_plan *out, sl_err *e);
/* Whether input k of a concat already lies in its output by the plan. */
bool sl_plan_concat_in_place(const struct sl_program *p, const struct sl_memory_plan *plan, const struct sl_insn *i, int k,
                             uint64_t offset);
uint64_t sl_tensor_bytes(const struct sl_program_tensor *t);

#endif
