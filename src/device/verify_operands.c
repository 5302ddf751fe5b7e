/* verify_operands.c: the checks that rules of instructions are made of, and how a broken rule is told. Used by the verify_*.c
 * files. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "device/device_check.h"

static const struct {
    const char *name;
    sluice_status status;
    const char *sentence;
} rules[SL_RULE_COUNT] = {
#define RULE(name, status, sentence) {#name, SLUICE_E_##status, sentence},
#include "device/rules.def"
#undef RULE
};

const struct sl_device_rule *sl_device_rules(int *n)
{
    static const struct sl_device_rule public[SL_RULE_COUNT] = {
#define RULE(name, status, sentence) {#name, sentence},
#include "device/rules.def"
#undef RULE
    };
    *n = SL_RULE_COUNT;
    return public;
}

sluice_status sl_broken(struct sl_check *c, enum sl_rule rule, const char *found, ...)
{
    char text[400];
    va_list args;
    va_start(args, found);
    vsnprintf(text, sizeof(text), found, args);
    va_end(args);
    if (rule == SL_RULE_memory) {
        sl_fail(c->e, rules[rule].status, "%s; found %s", rules[rule].sentence, text);
        return sl_hint(c->e, "--memory-limit MIB raises the limit (default: half of the machine's memory)");
    }
    if (c->index == SL_NO_TENSOR)
        return sl_fail(c->e, rules[rule].status, "%s; found %s", rules[rule].sentence, text);
    const char *layer = c->i->out < c->p->n_tensors ? c->p->tensors[c->i->out].name : "?";
    return sl_fail(c->e, rules[rule].status, "instruction %" PRIu32 " (%s '%s'): %s; found %s", c->index,
                   c->info ? c->info->name : "?", layer, rules[rule].sentence, text);
}

int64_t sl_const_int(const struct sl_program_const *c, size_t i)
{
    const void *d = c->data;
    i = c->splat ? 0 : i;
    switch (c->dtype) {
    case SL_U8:
        return ((const uint8_t *)d)[i];
    case SL_S8:
        return ((const int8_t *)d)[i];
    case SL_S4: {
        int nibble = ((const uint8_t *)d)[i / 2] >> (i % 2 * 4) & 15;
        return nibble < 8 ? nibble : nibble - 16;
    }
    case SL_U16:
        return ((const uint16_t *)d)[i];
    case SL_S16:
        return ((const int16_t *)d)[i];
    case SL_S32:
        return ((const int32_t *)d)[i];
    case SL_S64:
        return ((const int64_t *)d)[i];
    default:
        return 0;
    }
}

double sl_const_real(const struct sl_program_const *c, size_t i)
{
    return c->dtype == SL_F32 ? (double)((const float *)c->data)[c->splat ? 0 : i] : (double)sl_const_int(c, i);
}

sluice_status sl_check_const(struct sl_check *c, int k, bool required, enum sl_dtype t, int rank, const int64_t *dims,
                             const struct sl_program_const **out)
{
    uint32_t id = c->i->consts[k];
    *out = NULL;
    if (id == SL_NO_CONST)
        return required ? sl_broken(c, SL_RULE_constant_id, "none for operand %d of '%s'", k, c->info->consts) : SLUICE_OK;
    const struct sl_program_const *v = &c->p->consts[id];
    struct sl_shape wanted = {.rank = rank < 0 ? 0 : rank};
    char found[160], text[160];
    for (int i = 0; i < wanted.rank; i++)
        wanted.dim[i] = dims[i];
    if (v->dtype != t || (rank >= 0 && !sl_shape_equal(&v->shape, &wanted)))
        return sl_broken(c, SL_RULE_constant_type, "constant %" PRIu32 " of type %s %s, wanted %s %s, for operand %d of '%s'",
                         id, sl_dtype_name(v->dtype), sl_shape_text(&v->shape, found, sizeof(found)), sl_dtype_name(t),
                         rank < 0 ? "of any shape" : sl_shape_text(&wanted, text, sizeof(text)), k, c->info->consts);
    *out = v;
    return SLUICE_OK;
}

sluice_status sl_check_output(struct sl_check *c, int rank, const int64_t *dims)
{
    struct sl_shape wanted = sl_shape_of(rank, dims);
    char found[160], text[160];
    if (!sl_shape_equal(&sl_check_out(c)->shape, &wanted))
        return sl_broken(c, SL_RULE_output_shape, "%s, which should be %s",
                         sl_shape_text(&sl_check_out(c)->shape, found, sizeof(found)),
                         sl_shape_text(&wanted, text, sizeof(text)));
    return SLUICE_OK;
}

sluice_status sl_check_same_type(struct sl_check *c)
{
    for (int k = 0; k < c->i->n_in; k++)
        if (sl_check_in(c, k)->dtype != sl_check_out(c)->dtype)
            return sl_broken(c, SL_RULE_types, "input %d of type %s and an output of %s", k,
                             sl_dtype_name(sl_check_in(c, k)->dtype), sl_dtype_name(sl_check_out(c)->dtype));
    return SLUICE_OK;
}

sluice_status sl_check_number(struct sl_check *c, enum sl_rule rule, const char *what, int64_t v, int64_t lo, int64_t hi)
{
    if (v < lo || v > hi)
        return sl_broken(c, rule, "%s %" PRId64, what, v);
    return SLUICE_OK;
}

sluice_status sl_check_limits(struct sl_check *c, int64_t lo, int64_t hi)
{
    if (lo < 0 || lo > hi || hi > sl_qmax(sl_check_out(c)->dtype))
        return sl_broken(c, SL_RULE_range, "lo %" PRId64 ", hi %" PRId64 " of %s", lo, hi,
                         sl_dtype_name(sl_check_out(c)->dtype));
    return SLUICE_OK;
}

/* Bounded so that no product of a sum and a multiplier is infinite, and the difference of two products is never that of two
 * infinities. */
sluice_status sl_check_multiplier(struct sl_check *c, const char *what, double m, bool any_sign)
{
    bool good = any_sign ? fabs(m) < 0x1p64 : m > 0 && m < 0x1p64;
    if (!good || (double)(float)m != m)
        return sl_broken(c, SL_RULE_multiplier, "%s %.9g", what, m);
    return SLUICE_OK;
}

sluice_status sl_check_multipliers(struct sl_check *c, const struct sl_program_const *k)
{
    size_t n = k->splat ? 1 : sl_shape_elements(&k->shape);
    for (size_t i = 0; i < n; i++)
        SL_TRY(sl_check_multiplier(c, "multiplier", sl_const_real(k, i), false));
    return SLUICE_OK;
}
