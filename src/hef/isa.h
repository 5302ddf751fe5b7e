/*
 * isa.h: operand positions and names of the instruction set, generated from isa.def.
 *
 *     struct sl_insn *i = ...;                       an SL_INSN_conv
 *     int64_t stride = i->ints[SL_I_weighted_stride_h];
 */
#ifndef SL_HEF_ISA_H
#define SL_HEF_ISA_H

#include "hef/program.h"

/* Positions, by form: the last enumerator of each list is its length. */
#define K(form, name)  SL_K_##form##_##name,
#define I(form, name)  SL_I_##form##_##name,
#define IV(form, name) SL_I_##form##_##name, SL_I_##form##_##name##_last = SL_I_##form##_##name + SL_MAX_RANK - 1,
#define F(form, name)  SL_F_##form##_##name,
#define FORM(form, constants, integers, floats)                                                                                \
    enum { constants SL_##form##_CONSTS };                                                                                     \
    enum { integers SL_##form##_INTS };                                                                                        \
    enum { floats SL_##form##_FLOATS };
#include "hef/isa.def"
#undef FORM
#undef K
#undef I
#undef IV
#undef F

enum sl_insn_form {
#define FORM(form, constants, integers, floats) SL_FORM_##form,
#include "hef/isa.def"
#undef FORM
    SL_FORM_COUNT
};

/* `post` of the weighted form, `mode` of pad and resize. Numbers are part of the file format. */
enum { SL_INSN_POST_LINEAR = 0, SL_INSN_POST_TABLE = 1 };
enum { SL_INSN_PAD_CONSTANT = 0, SL_INSN_PAD_EDGE = 1, SL_INSN_PAD_REFLECT = 2 };
enum { SL_INSN_RESIZE_NEAREST = 0, SL_INSN_RESIZE_LINEAR = 1, SL_INSN_RESIZE_CUBIC = 2 };

/* Input positions along one axis that an output position of a resize reads. */
static inline int sl_resize_taps(int64_t mode)
{
    return 1 << mode;
}

struct sl_insn_info {
    uint16_t opcode;
    const char *name;
    int least_in, most_in; /* most_in -1: any number */
    enum sl_insn_form form;
    int n_consts, n_ints, n_floats;
    const char *consts, *ints, *floats; /* space-separated operand names; "perm[8]" for a list of eight */
    const char *semantics;
};

/* NULL when the number is not an instruction. */
const struct sl_insn_info *sl_insn_info(unsigned opcode);
/* All instructions, in order of opcode. */
const struct sl_insn_info *sl_insn_table(int *n);

#endif
