/*
 * compile.c: the pass list of compile and its driver. A pass turns what the graph says into more of the program; after each the
 * program is checked for structure. No pass changes a number. Before it: quant/. After it: hef/ writes the program, device/
 * runs it.
 */
#include "compile/compile.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "compile/compile_passes.h"
#include "hef/hef.h"
#include "hef/payload.h"
#include "ops/ops.h"

struct pass {
    const char *name;
    sluice_status (*run)(struct sl_compiling *c, sl_err *e);
    const char *says;
};

static const struct pass passes[] = {
    {"check-quantized", sl_check_quantized, "every layer has an integer encoding and an integer form"},
    {"lower", sl_lower_nodes, "layers become instructions, their arrays constants"},
    {"ports", sl_make_ports, "inputs and outputs become streams"},
    {"states", sl_carry_states, "state tensors, run-time scalars and alternatives are carried over"},
    {"contexts", sl_assign_contexts, "instructions are dealt to contexts that fit the machine's memory and controllers"},
};

void sl_compile_list_passes(struct sl_buffer *out)
{
    for (size_t i = 0; i < SL_COUNT(passes); i++)
        sl_put_printf(out, "%-16s %s\n", passes[i].name, passes[i].says);
}

static sluice_status check_dump_name(const char *name, sl_err *e)
{
    const char *names[SL_COUNT(passes)];
    if (name == NULL || strcmp(name, "all") == 0)
        return SLUICE_OK;
    for (size_t i = 0; i < SL_COUNT(passes); i++) {
        names[i] = passes[i].name;
        if (strcmp(name, names[i]) == 0)
            return SLUICE_OK;
    }
    sl_fail(e, SLUICE_E_USAGE, "'%s' is not a pass of compile", name);
    const char *near = sl_nearest(name, names, SL_COUNT(names));
    return near ? sl_hint(e, "did you mean %s?", near) : e->code;
}

/* What every program keeps true from the first pass on. */
static sluice_status check_structure(const struct sl_program *p, const char *after, sl_err *e)
{
    for (uint32_t i = 0; i < p->n_insns; i++) {
        const struct sl_insn *insn = &p->insns[i];
        const struct sl_insn_info *info = sl_insn_info(insn->opcode);
        bool good = info && insn->out < p->n_tensors && insn->n_consts == info->n_consts && insn->n_ints == info->n_ints &&
                    insn->n_floats == info->n_floats && (i == 0 || insn->context >= p->insns[i - 1].context);
        for (int k = 0; good && k < insn->n_in; k++)
            good = insn->in[k] < p->n_tensors;
        if (!good)
            return sl_fail(e, SLUICE_E_INTERNAL, "instruction %u is malformed after pass '%s'", i, after);
    }
    return SLUICE_OK;
}

static sluice_status dump(const struct sl_program *p, const char *after, sl_err *e)
{
    struct sl_buffer b = {0};
    sl_put_printf(&b, "# after %s\n", after);
    sl_program_print(&b, p);
    bool written = !b.failed && fwrite(b.data, 1, b.size, stdout) == b.size;
    sl_buffer_free(&b);
    return written ? SLUICE_OK : sl_fail(e, SLUICE_E_IO, "cannot write the dump after '%s'", after);
}

static sluice_status run_passes(struct sl_compiling *c, sl_err *e)
{
    const char *wanted = c->o->dump_after;
    SL_TRY(check_dump_name(wanted, e));
    for (size_t i = 0; i < SL_COUNT(passes); i++) {
        SL_TRY(passes[i].run(c, e));
        SL_TRY(check_structure(c->p, passes[i].name, e));
        sl_detail(2, "compile: %s: %u tensors, %u constants, %u instructions, %u contexts", passes[i].name, c->p->n_tensors,
                  c->p->n_consts, c->p->n_insns, c->p->n_contexts);
        if (wanted && (strcmp(wanted, "all") == 0 || strcmp(wanted, passes[i].name) == 0))
            SL_TRY(dump(c->p, passes[i].name, e));
    }
    return SLUICE_OK;
}

sluice_status sl_compile(const struct sl_graph *g, const struct sl_compile_options *o, struct sl_program **out, sl_err *e)
{
    sl_arena *a = sl_arena_new();
    struct sl_compiling c = {.g = g, .o = o, .p = SL_NEW(a, struct sl_program)};
    c.machine = sl_machine_find(o->hw_arch ? o->hw_arch : "hailo10h", e);
    c.p->arena = a;
    c.p->name = sl_arena_strdup(a, g->name);
    c.l.program = c.p;
    c.l.tensor_of = SL_NEW_ARRAY(a, uint32_t, g->n_nodes);
    c.insn_of = SL_NEW_ARRAY(a, uint32_t, g->n_nodes);
    for (int i = 0; i < g->n_nodes; i++)
        c.l.tensor_of[i] = c.insn_of[i] = SL_NO_TENSOR;
    sluice_status s = c.machine ? run_passes(&c, e) : e->code;
    if (s != SLUICE_OK) {
        sl_arena_free(a);
        return s;
    }
    *out = c.p;
    return SLUICE_OK;
}

/* Operations a frame, as the vendor counts them: two a multiply-accumulate. */
static uint64_t count_operations(const struct sl_graph *g)
{
    uint64_t sum = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        int64_t macs = sl_op_row(g->nodes[i]->op)->cost(g->nodes[i]);
        if (macs > 0 && sum <= UINT64_MAX / 2 - (uint64_t)macs * 2)
            sum += (uint64_t)macs * 2;
    }
    return sum;
}

sluice_status sl_compile_to_hef(const struct sl_graph *g, const struct sl_compile_options *o, struct sl_buffer *out, sl_err *e)
{
    struct sl_program *p = NULL;
    SL_TRY(sl_compile(g, o, &p, e));
    const struct sl_machine *m = sl_machine_find(o->hw_arch ? o->hw_arch : "hailo10h", e);
    struct sl_hef_source source = {p, count_operations(g)};
    sluice_status s = sl_hef_write(p->arena, m->hef_arch, &source, 1, out, e);
    sl_arena_free(p->arena);
    return s;
}
