/* isa.c: the instruction table as data, for the reader, the verifier, dumps and the documentation test. */
#include "hef/isa.h"

_Static_assert(SL_MAX_RANK == 8, "operand lists of the file format hold 8 axes");

/* Operand names by form. A list of eight is one name. */
#define K(form, name)  #name " "
#define I(form, name)  #name " "
#define IV(form, name) #name "[8] "
#define F(form, name)  #name " "
#define FORM(form, constants, integers, floats)                                                                                \
    static const char form##_const_names[] = "" constants;                                                                     \
    static const char form##_int_names[] = "" integers;                                                                        \
    static const char form##_float_names[] = "" floats;
#include "hef/isa.def"
#undef FORM
#undef K
#undef I
#undef IV
#undef F

static const struct sl_insn_info table[] = {
#define INSN(number, name, least, most, form, semantics)                                                                       \
    {number,                                                                                                                   \
     #name,                                                                                                                    \
     least,                                                                                                                    \
     most,                                                                                                                     \
     SL_FORM_##form,                                                                                                           \
     SL_##form##_CONSTS,                                                                                                       \
     SL_##form##_INTS,                                                                                                         \
     SL_##form##_FLOATS,                                                                                                       \
     form##_const_names,                                                                                                       \
     form##_int_names,                                                                                                         \
     form##_float_names,                                                                                                       \
     semantics},
#include "hef/isa.def"
#undef INSN
};

const struct sl_insn_info *sl_insn_table(int *n)
{
    *n = (int)SL_COUNT(table);
    return table;
}

const struct sl_insn_info *sl_insn_info(unsigned opcode)
{
    /* Numbers are dense from 1 today; a gap left by a retired instruction would only make this search longer. */
    for (size_t i = 0; i < SL_COUNT(table); i++)
        if (table[i].opcode == opcode)
            return &table[i];
    return NULL;
}
