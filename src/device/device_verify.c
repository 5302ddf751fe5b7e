/*
 * device_verify.c: proves, before anything is planned or run, that a program from a stranger reads and writes nothing but its
 * own tensors, computes only what docs/numerics.md defines, and stays within limits of memory and work. The rules: rules.def.
 * The checks of one instruction are in the verify_*.c file of its form.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/device_check.h"

static const struct {
    sluice_status (*verify)(struct sl_check *c);
} forms[SL_FORM_COUNT] = {
#define FORM(form, constants, integers, floats) {sl_verify_##form},
#include "hef/isa.def"
#undef FORM
};

/* ---- tensors, constants ---- */

static bool positive(float v)
{
    return v > 0 && isfinite(v);
}

static sluice_status check_tensor(struct sl_check *c, uint32_t index, double *bytes)
{
    const struct sl_program_tensor *t = &c->p->tensors[index];
    const struct sl_shape *s = &t->shape;
    if (t->dtype != SL_U8 && t->dtype != SL_U16)
        return sl_broken(c, SL_RULE_tensor_type, "tensor %" PRIu32 " '%s' of type %s", index, t->name, sl_dtype_name(t->dtype));
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] < 1 || s->dim[i] > INT32_MAX)
            return sl_broken(c, SL_RULE_tensor_sides, "tensor %" PRIu32 " '%s' with a side of %" PRId64, index, t->name,
                             s->dim[i]);
    if (s->rank < 0 || s->rank > SL_MAX_RANK)
        return sl_broken(c, SL_RULE_tensor_sides, "tensor %" PRIu32 " with %d axes", index, s->rank);
    if (!positive(t->scale) || t->zero_point < 0 || t->zero_point > sl_qmax(t->dtype))
        return sl_broken(c, SL_RULE_tensor_encoding, "tensor %" PRIu32 " '%s' with scale %.9g, zero point %" PRId32, index,
                         t->name, (double)t->scale, t->zero_point);
    if (t->n_scales && (s->rank < 1 || t->n_scales != s->dim[s->rank - 1]))
        return sl_broken(c, SL_RULE_tensor_encoding, "tensor %" PRIu32 " '%s' with %d scales", index, t->name, t->n_scales);
    for (int i = 0; i < t->n_scales; i++)
        if (!positive(t->scales[i]))
            return sl_broken(c, SL_RULE_tensor_encoding, "tensor %" PRIu32 " '%s' with a scale of %.9g", index, t->name,
                             (double)t->scales[i]);
    if (t->extent_scalar != SL_NO_SCALAR)
        return sl_broken(c, SL_RULE_extents, "tensor %" PRIu32 " '%s' with a run-time extent", index, t->name);
    double n = t->dtype == SL_U16 ? 2 : 1;
    for (int i = 0; i < s->rank; i++)
        n *= (double)s->dim[i];
    *bytes += n;
    return SLUICE_OK;
}

static sluice_status check_constants(struct sl_check *c, double *splats)
{
    for (uint32_t i = 0; i < c->p->n_consts; i++) {
        const struct sl_program_const *k = &c->p->consts[i];
        struct sl_shape one = {0};
        size_t stored, written;
        bool sides = k->shape.rank >= 0 && k->shape.rank <= SL_MAX_RANK;
        for (int d = 0; sides && d < k->shape.rank; d++)
            sides = k->shape.dim[d] >= 0 && k->shape.dim[d] <= INT32_MAX;
        if (!sides || !sl_bytes_of(k->dtype, k->splat ? &one : &k->shape, &stored) ||
            !sl_bytes_of(k->dtype, &k->shape, &written) || stored != k->bytes)
            return sl_broken(c, SL_RULE_constant_bytes, "constant %" PRIu32 " of %zu bytes", i, k->bytes);
        if (k->splat)
            *splats += (double)written;
    }
    return SLUICE_OK;
}

/* ---- ports ---- */

static sluice_status check_port(struct sl_check *c, const char *what, uint32_t index, const struct sl_program_port *port)
{
    if (port->name == NULL || port->name[0] == 0 || port->tensor >= c->p->n_tensors)
        return sl_broken(c, SL_RULE_ports, "%s %" PRIu32 " with tensor %" PRIu32 " of %" PRIu32, what, index, port->tensor,
                         c->p->n_tensors);
    const struct sl_shape *s = &c->p->tensors[port->tensor].shape;
    unsigned seen = 0;
    size_t values;
    for (int i = 0; i < s->rank; i++)
        if (port->perm[i] >= 0 && port->perm[i] < s->rank)
            seen |= 1u << port->perm[i];
    if (seen != (1u << s->rank) - 1 || !sl_shape_count(&port->origin_shape, &values) || values != sl_shape_elements(s))
        return sl_broken(c, SL_RULE_port_origin, "%s '%s'", what, port->name);
    return SLUICE_OK;
}

/* ---- instructions ---- */

/* state of tensors while walking: written (or an input), and by what. */
enum { UNWRITTEN, WRITTEN, INPUT };

static sluice_status check_insn(struct sl_check *c, uint8_t *state, uint32_t *context)
{
    const struct sl_insn *i = c->i;
    const struct sl_insn_info *info = c->info;
    if (info == NULL)
        return sl_broken(c, SL_RULE_opcode, "opcode %u", i->opcode);
    if (i->n_in < info->least_in || (info->most_in >= 0 && i->n_in > info->most_in) || i->n_consts != info->n_consts ||
        i->n_ints != info->n_ints || i->n_floats != info->n_floats)
        return sl_broken(c, SL_RULE_operands, "%u inputs, %u constants, %u integers, %u floats", i->n_in, i->n_consts,
                         i->n_ints, i->n_floats);
    if (i->context < *context || i->context >= c->p->n_contexts)
        return sl_broken(c, SL_RULE_contexts, "context %" PRIu32 " after %" PRIu32 " of %" PRIu32, i->context, *context,
                         c->p->n_contexts);
    *context = i->context;
    for (int k = 0; k < i->n_in; k++) {
        if (i->in[k] >= c->p->n_tensors)
            return sl_broken(c, SL_RULE_tensor_id, "input %" PRIu32 " of %" PRIu32, i->in[k], c->p->n_tensors);
        if (state[i->in[k]] == UNWRITTEN)
            return sl_broken(c, SL_RULE_order, "tensor %" PRIu32 " '%s', which is not written before", i->in[k],
                             c->p->tensors[i->in[k]].name);
    }
    if (i->out >= c->p->n_tensors)
        return sl_broken(c, SL_RULE_tensor_id, "output %" PRIu32 " of %" PRIu32, i->out, c->p->n_tensors);
    if (state[i->out] != UNWRITTEN)
        return sl_broken(c, SL_RULE_written_once, "tensor %" PRIu32 " '%s', which is %s", i->out, c->p->tensors[i->out].name,
                         state[i->out] == INPUT ? "an input" : "written before");
    state[i->out] = WRITTEN;
    for (int k = 0; k < i->n_consts; k++)
        if (i->consts[k] != SL_NO_CONST && i->consts[k] >= c->p->n_consts)
            return sl_broken(c, SL_RULE_constant_id, "constant %" PRIu32 " of %" PRIu32, i->consts[k], c->p->n_consts);
    SL_TRY(forms[info->form].verify(c));
    c->work += (double)sl_shape_elements(&sl_check_out(c)->shape);
    return SLUICE_OK;
}

static sluice_status check_insns(struct sl_check *c, uint8_t *state)
{
    const struct sl_program *p = c->p;
    uint32_t context = 0;
    for (uint32_t k = 0; k < p->n_inputs; k++) {
        SL_TRY(check_port(c, "input", k, &p->inputs[k]));
        if (state[p->inputs[k].tensor] != UNWRITTEN)
            return sl_broken(c, SL_RULE_ports, "tensor %" PRIu32 " as two inputs", p->inputs[k].tensor);
        state[p->inputs[k].tensor] = INPUT;
    }
    for (c->index = 0; c->index < p->n_insns; c->index++) {
        c->i = &p->insns[c->index];
        c->info = sl_insn_info(c->i->opcode);
        SL_TRY(check_insn(c, state, &context));
    }
    c->index = SL_NO_TENSOR;
    for (uint32_t k = 0; k < p->n_outputs; k++) {
        SL_TRY(check_port(c, "output", k, &p->outputs[k]));
        if (state[p->outputs[k].tensor] == UNWRITTEN)
            return sl_broken(c, SL_RULE_ports, "output '%s', whose tensor nothing writes", p->outputs[k].name);
    }
    return SLUICE_OK;
}

/* Replaced constants are checked where they are used: load puts an alternative in place and verifies the result. */
static sluice_status check_alternatives(struct sl_check *c)
{
    for (uint32_t k = 0; k < c->p->n_alternatives; k++) {
        const struct sl_program_alternative *v = &c->p->alternatives[k];
        bool good = v->name && v->insn < c->p->n_insns;
        for (uint32_t s = 0; good && s < v->n_consts; s++)
            good = v->slots[s] < c->p->insns[v->insn].n_consts && v->consts[s] < c->p->n_consts;
        if (!good)
            return sl_broken(c, SL_RULE_alternatives, "alternative %" PRIu32, k);
    }
    return SLUICE_OK;
}

uint64_t sl_device_memory_limit(const struct sl_program *p, const struct sl_device_options *o)
{
    uint64_t constants = 0;
    for (uint32_t i = 0; i < p->n_consts; i++)
        constants += p->consts[i].bytes;
    return o->memory_limit ? o->memory_limit : SL_DEVICE_MEMORY_BASE + SL_DEVICE_MEMORY_FACTOR * constants;
}

sluice_status sl_device_verify(const struct sl_program *p, const struct sl_device_options *o, sl_err *e)
{
    struct sl_check c = {.p = p, .e = e, .index = SL_NO_TENSOR};
    double activations = 0, splats = 0;
    double work_limit = (double)(o->work_limit ? o->work_limit : SL_DEVICE_WORK);
    const uint32_t most = 131072;
    if (p->n_tensors > most || p->n_consts > most || p->n_insns > most)
        return sl_broken(&c, SL_RULE_size, "%" PRIu32 ", %" PRIu32 " and %" PRIu32, p->n_tensors, p->n_consts, p->n_insns);
    double limit = (double)sl_device_memory_limit(p, o);
    if (p->n_states || p->n_scalars)
        return sl_broken(&c, SL_RULE_extents, "%" PRIu32 " states and %" PRIu32 " scalars", p->n_states, p->n_scalars);
    for (uint32_t i = 0; i < p->n_tensors; i++)
        SL_TRY(check_tensor(&c, i, &activations));
    SL_TRY(check_constants(&c, &splats));
    /* One tensor or splat alone is refused here; their sum is known once memory is planned. */
    if (splats > limit || (o->keep_all && activations > limit))
        return sl_broken(&c, SL_RULE_memory, "%.0f bytes of %.0f", splats + activations, limit);
    for (uint32_t i = 0; i < p->n_tensors; i++)
        if ((double)sl_shape_elements(&p->tensors[i].shape) > limit)
            return sl_broken(&c, SL_RULE_memory, "tensor %" PRIu32 " '%s' of %zu values", i, p->tensors[i].name,
                             sl_shape_elements(&p->tensors[i].shape));
    SL_TRY(check_alternatives(&c));
    uint8_t *state = calloc(p->n_tensors ? p->n_tensors : 1, 1);
    if (state == NULL)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory to check %" PRIu32 " tensors", p->n_tensors);
    sluice_status s = check_insns(&c, state);
    free(state);
    SL_TRY(s);
    if (c.work > work_limit)
        return sl_broken(&c, SL_RULE_work, "%.3g of %.3g", c.work, work_limit);
    return SLUICE_OK;
}
