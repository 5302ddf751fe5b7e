/* device_check.h: what the verifier's files share: the instruction under check and how a broken rule is reported. */
#ifndef SL_DEVICE_DEVICE_CHECK_H
#define SL_DEVICE_DEVICE_CHECK_H

#include "device/device.h"
#include "hef/isa.h"

#include "base/compiler.h"

uint64_t sl_device_memory_limit(const struct sl_program *p, const struct sl_device_options *o);

enum sl_rule {
#define RULE(name, status, sentence) SL_RULE_##name,
#include "device/rules.def"
#undef RULE
    SL_RULE_COUNT
};

struct sl_check {
    const struct sl_program *p;
    sl_err *e;
    uint32_t index; /* of the instruction; SL_NO_TENSOR outside instructions */
    const struct sl_insn *i;
    const struct sl_insn_info *info;
    double work; /* so far: multiply-accumulates and moved bytes */
};

/* Fails with the rule's sentence, the instruction and what was found. */
sluice_status sl_broken(struct sl_check *c, enum sl_rule rule, const char *found, ...) SL_PRINTF(3, 4);

static inline const struct sl_program_tensor *sl_check_in(const struct sl_check *c, int k)
{
    return &c->p->tensors[c->i->in[k]];
}
static inline const struct sl_program_tensor *sl_check_out(const struct sl_check *c)
{
    return &c->p->tensors[c->i->out];
}
static inline int32_t sl_qmax(enum sl_dtype t)
{
    return t == SL_U16 ? 65535 : 255;
}

/* Constant operand k: present, of one type and shape. rank -1: any shape. *out NULL when it is none and not required. */
sluice_status sl_check_const(struct sl_check *c, int k, bool required, enum sl_dtype t, int rank, const int64_t *dims,
                             const struct sl_program_const **out);
/* Element i of a constant, splat or not. */
int64_t sl_const_int(const struct sl_program_const *c, size_t i);
double sl_const_real(const struct sl_program_const *c, size_t i);

sluice_status sl_check_output(struct sl_check *c, int rank, const int64_t *dims);
sluice_status sl_check_same_type(struct sl_check *c);
sluice_status sl_check_limits(struct sl_check *c, int64_t lo, int64_t hi);
sluice_status sl_check_multiplier(struct sl_check *c, const char *what, double m, bool any_sign);
/* All multipliers of an f32 array. */
sluice_status sl_check_multipliers(struct sl_check *c, const struct sl_program_const *k);
sluice_status sl_check_number(struct sl_check *c, enum sl_rule rule, const char *what, int64_t v, int64_t lo, int64_t hi);

/* One function a form (isa.def). */
#define FORM(form, constants, integers, floats) sluice_status sl_verify_##form(struct sl_check *c);
#include "hef/isa.def"
#undef FORM

#endif
