/*
 * compile_contexts.c: pass contexts. Greedy: instructions in order go into the current context until its weights and row
 * buffers would pass the machine's L3 memory, or its layers the layer controllers. An instruction that alone passes them has a
 * context of its own: on the chip its weights would be streamed.
 */
#include <inttypes.h>

#include "base/log.h"
#include "compile/compile_passes.h"

static int64_t element_bytes(enum sl_dtype t)
{
    return t == SL_U16 ? 2 : 1;
}

/* One row of a picture: [n, h, w, c] has w * c values a row, fewer axes are one row. */
static int64_t row_bytes(const struct sl_program_tensor *t)
{
    int64_t bytes = element_bytes(t->dtype);
    for (int i = SL_MAX(t->shape.rank - 2, 0); i < t->shape.rank; i++)
        bytes *= t->shape.dim[i];
    return bytes;
}

/* Rows of its input that an instruction holds at a time: the window and one that is being written; everything where whole
 * pictures are needed before the first result. */
static int64_t rows_held(const struct sl_program *p, const struct sl_insn *i)
{
    const struct sl_shape *s = &p->tensors[i->in[0]].shape;
    int64_t height = 1;
    for (int k = 1; k < s->rank - 2; k++)
        height *= s->dim[k];
    int64_t wanted = 2;
    switch (sl_insn_info(i->opcode)->form) {
    case SL_FORM_weighted: {
        const struct sl_shape *kernel = &p->consts[i->consts[SL_K_weighted_kernel]].shape;
        int64_t kh = kernel->rank == 4 ? kernel->dim[0] : 1;
        wanted = (kh - 1) * i->ints[SL_I_weighted_dilation_h] + 2;
        break;
    }
    case SL_FORM_window:
    case SL_FORM_average:
        wanted = (i->ints[SL_I_window_kernel_h] - 1) * i->ints[SL_I_window_dilation_h] + 2;
        break;
    case SL_FORM_transpose:
    case SL_FORM_matmul:
        wanted = height;
        break;
    default:
        break;
    }
    return SL_MIN(wanted, height);
}

/* Bytes of L3 an instruction takes: its constants once, and the rows it holds of each input. */
static int64_t memory_of(const struct sl_program *p, const struct sl_insn *i)
{
    int64_t bytes = 0;
    for (int k = 0; k < i->n_consts; k++)
        if (i->consts[k] != SL_NO_CONST)
            bytes += (int64_t)p->consts[i->consts[k]].bytes;
    for (int k = 0; k < i->n_in; k++)
        bytes += row_bytes(&p->tensors[i->in[k]]) * rows_held(p, i);
    return bytes;
}

static bool takes_controller(const struct sl_insn *i)
{
    return i->opcode != SL_INSN_constant && i->opcode != SL_INSN_reshape;
}

sluice_status sl_assign_contexts(struct sl_compiling *c, sl_err *e)
{
    (void)e;
    struct sl_program *p = c->p;
    const struct sl_machine *m = c->machine;
    int64_t memory = 0, layers = 0, most_layers = (int64_t)m->clusters * m->layer_controllers;
    uint32_t context = 0;
    for (uint32_t k = 0; k < p->n_insns; k++) {
        struct sl_insn *i = &p->insns[k];
        int64_t needs = memory_of(p, i), controllers = takes_controller(i);
        bool full = memory + needs > m->l3_bytes || layers + controllers > most_layers;
        if (full && !c->o->single_context && layers > 0) {
            sl_detail(2, "compile: context %" PRIu32 ": %" PRId64 " layers, %" PRId64 " bytes", context, layers, memory);
            context++;
            memory = layers = 0;
        }
        memory += needs;
        layers += controllers;
        i->context = context;
    }
    p->n_contexts = context + 1;
    return SLUICE_OK;
}
