/*
 * program.h: the NN core's program in memory, as the compiler builds it, hef/ stores it and the device runs it. The meaning of
 * instructions: docs/nn-core.md and hef/isa.def; their arithmetic: docs/numerics.md. The bytes: docs/formats.md.
 */
#ifndef SL_HEF_PROGRAM_H
#define SL_HEF_PROGRAM_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/strings.h"
#include "base/types.h"

enum { SL_NO_TENSOR = 0xffffffff, SL_NO_CONST = 0xffffffff, SL_NO_SCALAR = 0xffffffff };

/* Operand positions of each instruction: hef/isa.h. */
enum sl_opcode {
#define INSN(number, name, ...) SL_INSN_##name = number,
#include "hef/isa.def"
#undef INSN
};

struct sl_program_tensor {
    const char *name; /* "net/conv1" */
    enum sl_dtype dtype;
    struct sl_shape shape;
    float scale;
    int32_t zero_point;
    int n_scales;
    const float *scales;    /* network outputs only */
    uint32_t extent_scalar; /* SL_NO_SCALAR, or the run-time scalar that bounds axis `extent_axis`; `shape` is the maximum */
    uint32_t extent_axis;
};

struct sl_program_const {
    enum sl_dtype dtype;
    bool splat;
    struct sl_shape shape;
    const void *data; /* splat: one element */
    size_t bytes;
    uint64_t hash; /* XXH3-64 of the `bytes` of data */
};

struct sl_insn {
    uint16_t opcode;
    uint16_t n_in, n_consts, n_ints, n_floats;
    uint32_t *in; /* tensor ids */
    uint32_t out;
    uint32_t *consts; /* const ids or SL_NO_CONST */
    int64_t *ints;
    double *floats;
    uint32_t context;
};

/* A network input or output. Origin fields: what the original model calls it and how its layout maps to ours (ir/ir.h,
 * sl_port); origin axis i is stored axis perm[i], reshaped to origin_shape. */
struct sl_program_port {
    const char *name; /* stream name: "net/input_layer1"; of an output the layer that feeds it: "net/conv53" */
    uint32_t tensor;
    const char *origin_name;
    enum sl_dtype origin_dtype;
    struct sl_shape origin_shape;
    int perm[SL_MAX_RANK];
};

struct sl_program_state {
    const char *name;
    uint32_t id;
    enum sl_dtype dtype;
    struct sl_shape entry;
    int64_t length;
};
struct sl_program_scalar {
    const char *name;
    uint32_t id;
    int64_t maximum;
};
struct sl_program_alternative {
    const char *name;
    uint32_t insn;
    uint32_t n_consts;
    uint32_t *slots;
    uint32_t *consts;
};

/* One network group. */
struct sl_program {
    sl_arena *arena;
    const char *name; /* network group name */
    uint32_t n_tensors, n_consts, n_insns, n_contexts, n_inputs, n_outputs;
    struct sl_program_tensor *tensors;
    struct sl_program_const *consts;
    struct sl_insn *insns; /* in execution order; context numbers never fall */
    struct sl_program_port *inputs, *outputs;
    uint32_t n_states, n_scalars, n_alternatives;
    struct sl_program_state *states;
    struct sl_program_scalar *scalars;
    struct sl_program_alternative *alternatives;
};

#endif
