/* program_print.c: the text of a program, one line a tensor, constant, instruction and port. Read by people and by golden
 * tests. */
#include <inttypes.h>
#include <string.h>

#include "hef/isa.h"
#include "hef/payload.h"

static void put_shape(struct sl_buffer *out, const struct sl_shape *s)
{
    char text[256];
    sl_put_printf(out, "%s", sl_shape_text(s, text, sizeof(text)));
}

static void put_ports(struct sl_buffer *out, const char *what, const struct sl_program_port *ports, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        sl_put_printf(out, "%s %u: %s = tensor %u, origin '%s' %s ", what, i, ports[i].name, ports[i].tensor,
                      ports[i].origin_name, sl_dtype_name(ports[i].origin_dtype));
        put_shape(out, &ports[i].origin_shape);
        sl_put_printf(out, "\n");
    }
}

/* The operand names of a list, one at a time: "perm[8]" counts for eight. */
struct names {
    const char *at;
    int index, size;
};

static void put_name(struct sl_buffer *out, struct names *n)
{
    if (n->index == n->size) {
        n->at += n->size ? strcspn(n->at, " ") + 1 : 0;
        n->index = 0;
        const char *bracket = memchr(n->at, '[', strcspn(n->at, " "));
        n->size = bracket ? SL_MAX_RANK : 1;
    }
    int length = (int)strcspn(n->at, " [");
    sl_put_printf(out, n->size > 1 ? " %.*s%d=" : " %.*s=", length, n->at, n->index);
    n->index++;
}

static void put_insn(struct sl_buffer *out, uint32_t index, const struct sl_insn *i)
{
    const struct sl_insn_info *info = sl_insn_info(i->opcode);
    sl_put_printf(out, "insn %u: context %u ", index, i->context);
    if (info == NULL || i->n_consts != info->n_consts || i->n_ints != info->n_ints || i->n_floats != info->n_floats) {
        sl_put_printf(out, "opcode %u with operands that do not fit it\n", i->opcode);
        return;
    }
    sl_put_printf(out, "%s ->%u (", info->name, i->out);
    for (int k = 0; k < i->n_in; k++)
        sl_put_printf(out, k ? " %u" : "%u", i->in[k]);
    sl_put_printf(out, ")");
    struct names consts = {info->consts, 0, 0}, ints = {info->ints, 0, 0}, floats = {info->floats, 0, 0};
    for (int k = 0; k < i->n_consts; k++) {
        put_name(out, &consts);
        if (i->consts[k] == SL_NO_CONST)
            sl_put_printf(out, "none");
        else
            sl_put_printf(out, "#%u", i->consts[k]);
    }
    for (int k = 0; k < i->n_ints; k++) {
        put_name(out, &ints);
        sl_put_printf(out, "%" PRId64, i->ints[k]);
    }
    for (int k = 0; k < i->n_floats; k++) {
        put_name(out, &floats);
        sl_put_printf(out, "%.17g", i->floats[k]);
    }
    sl_put_printf(out, "\n");
}

void sl_program_print(struct sl_buffer *out, const struct sl_program *p)
{
    sl_put_printf(out, "program %s: %u tensors, %u constants, %u instructions, %u contexts\n", p->name, p->n_tensors,
                  p->n_consts, p->n_insns, p->n_contexts);
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct sl_program_tensor *t = &p->tensors[i];
        sl_put_printf(out, "tensor %u: %s %s ", i, t->name, sl_dtype_name(t->dtype));
        put_shape(out, &t->shape);
        sl_put_printf(out, " scale %.9g zero %d\n", (double)t->scale, t->zero_point);
    }
    for (uint32_t i = 0; i < p->n_consts; i++) {
        const struct sl_program_const *c = &p->consts[i];
        sl_put_printf(out, "const %u: %s ", i, sl_dtype_name(c->dtype));
        put_shape(out, &c->shape);
        sl_put_printf(out, "%s %zu bytes %016" PRIx64 "\n", c->splat ? " splat" : "", c->bytes, c->hash);
    }
    for (uint32_t i = 0; i < p->n_insns; i++)
        put_insn(out, i, &p->insns[i]);
    put_ports(out, "input", p->inputs, p->n_inputs);
    put_ports(out, "output", p->outputs, p->n_outputs);
    for (uint32_t i = 0; i < p->n_states; i++)
        sl_put_printf(out, "state %u: %s id %u length %" PRId64 "\n", i, p->states[i].name, p->states[i].id,
                      p->states[i].length);
    for (uint32_t i = 0; i < p->n_scalars; i++)
        sl_put_printf(out, "scalar %u: %s id %u at most %" PRId64 "\n", i, p->scalars[i].name, p->scalars[i].id,
                      p->scalars[i].maximum);
    for (uint32_t i = 0; i < p->n_alternatives; i++)
        sl_put_printf(out, "alternative %u: %s of insn %u\n", i, p->alternatives[i].name, p->alternatives[i].insn);
}
