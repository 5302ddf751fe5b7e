/* steps.h: instructions made ready to run: kernel arguments, picked variants, which tensors each work reads and writes. */
#ifndef SL_DEVICE_STEPS_H
#define SL_DEVICE_STEPS_H

#include "device/memory_plan.h"
#include "kernels/kernels.h"

/* One kernel call. A concat has one a part; constants and joined reshapes have none. */
struct sl_step {
    struct sl_work work;
    uint32_t in[2]; /* tensors; SL_NO_TENSOR: none */
    uint32_t out;
    uint32_t insn;
    double nanoseconds; /* a rough guess on one thread: very short steps are not worth waking others for */
};

struct sl_steps {
    sl_arena *a; /* args and written-out constants */
    const struct sl_program *p;
    const struct sl_memory_plan *plan;
    const struct sl_kernels *kernels;
    struct sl_step *steps;
    uint32_t n, capacity;
    const void **dense; /* by constant: its values written out; NULL until asked for */
    uint64_t splat_bytes;
};

/* Prepare every instruction of a verified program. */
sluice_status sl_steps_make(struct sl_steps *s, sl_err *e);
/* A constant's values, one after the other. NULL and e filled when memory is refused. */
const void *sl_steps_constant(struct sl_steps *s, uint32_t id, sl_err *e);

#endif
