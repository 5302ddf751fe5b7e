/*
 * device.c: loads a program (verify, plan, prepare, pack) and runs frames. After load every address and size is known; running
 * walks the steps, splits each among the threads and allocates nothing.
 */
#include "device/device.h"

#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "device/device_check.h"
#include "device/steps.h"

struct sl_device {
    sl_arena *a;
    struct sl_program program; /* the caller's, with an alternative's constants in place */
    struct sl_memory_plan plan;
    struct sl_steps steps;
    struct sl_pool *pool;
    bool keep_all;
    enum sl_cpu_level level;
    uint8_t *workspace, *packed, *scratch;
    size_t scratch_stride; /* of one worker */
    void **address;        /* by tensor; those in a caller's input are set by each run */
    uint32_t *input_views, n_input_views;
    struct sl_device_memory memory;
};

static size_t up_to_64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* ---- loading ---- */

/* The program with the constants of the alternatives called `name`. */
static sluice_status choose_alternative(struct sl_device *d, const char *name, sl_err *e)
{
    struct sl_program *p = &d->program;
    bool found = name == NULL;
    if (found)
        return SLUICE_OK;
    struct sl_insn *insns = SL_NEW_ARRAY(d->a, struct sl_insn, p->n_insns);
    if (p->n_insns)
        memcpy(insns, p->insns, p->n_insns * sizeof(*insns));
    for (uint32_t k = 0; k < p->n_alternatives; k++) {
        const struct sl_program_alternative *v = &p->alternatives[k];
        if (strcmp(v->name, name) != 0)
            continue;
        struct sl_insn *i = &insns[v->insn];
        i->consts = sl_arena_memdup(d->a, i->consts, i->n_consts * sizeof(*i->consts));
        for (uint32_t s = 0; s < v->n_consts; s++)
            i->consts[v->slots[s]] = v->consts[s];
        found = true;
    }
    if (!found)
        return sl_fail(e, SLUICE_E_NOT_FOUND, "network '%s' has no alternative '%s'", p->name, name);
    p->insns = insns;
    return SLUICE_OK;
}

static sluice_status check_memory(const struct sl_device *d, const struct sl_device_options *o, sl_err *e)
{
    const struct sl_device_memory *m = &d->memory;
    uint64_t sum = m->packed_bytes + m->workspace_bytes + m->scratch_bytes + m->splat_bytes;
    uint64_t limit = sl_device_memory_limit(&d->program, o);
    struct sl_check c = {.p = &d->program, .e = e, .index = SL_NO_TENSOR};
    if (sum > limit)
        return sl_broken(&c, SL_RULE_memory, "%llu bytes of %llu", (unsigned long long)sum, (unsigned long long)limit);
    return SLUICE_OK;
}

static void *allocate(size_t bytes)
{
    return aligned_alloc(64, up_to_64(bytes ? bytes : 1));
}

/* Sizes of weights and scratch, then the memory itself; weights are packed by all threads. */
struct packing {
    struct sl_device *d;
    size_t *offset;
};

static void pack_one(void *data, int task, int worker)
{
    (void)worker;
    struct packing *k = data;
    struct sl_work *w = &k->d->steps.steps[task].work;
    if (w->packed_bytes)
        sl_work_pack(w, k->d->packed + k->offset[task]);
}

static sluice_status allocate_and_pack(struct sl_device *d, const struct sl_device_options *o, sl_err *e)
{
    size_t packed = 0, scratch = 0;
    size_t *offset = SL_NEW_ARRAY(d->a, size_t, d->steps.n);
    for (uint32_t k = 0; k < d->steps.n; k++) {
        const struct sl_work *w = &d->steps.steps[k].work;
        offset[k] = packed;
        packed += up_to_64(w->packed_bytes);
        scratch = SL_MAX(scratch, w->scratch_bytes);
    }
    d->scratch_stride = up_to_64(scratch);
    d->memory.packed_bytes = packed;
    d->memory.scratch_bytes = d->scratch_stride * (size_t)sl_pool_size(d->pool);
    SL_TRY(check_memory(d, o, e));
    d->workspace = allocate(d->plan.bytes);
    d->packed = allocate(packed);
    d->scratch = allocate(d->memory.scratch_bytes);
    if (!d->workspace || !d->packed || !d->scratch)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for a workspace of %llu and packed weights of %zu bytes",
                       (unsigned long long)d->plan.bytes, packed);
    struct packing k = {d, offset};
    sl_parallel_for(d->pool, (int)d->steps.n, pack_one, &k);
    return SLUICE_OK;
}

static void set_addresses(struct sl_device *d)
{
    const struct sl_program *p = &d->program;
    d->address = SL_NEW_ARRAY(d->a, void *, p->n_tensors);
    d->input_views = SL_NEW_ARRAY(d->a, uint32_t, p->n_tensors);
    for (uint32_t t = 0; t < p->n_tensors; t++) {
        const struct sl_place *place = &d->plan.places[t];
        if (place->kind == SL_PLACE_WORKSPACE)
            d->address[t] = d->workspace + place->offset;
        else if (place->kind == SL_PLACE_INPUT)
            d->input_views[d->n_input_views++] = t;
        else if (place->kind == SL_PLACE_CONSTANT) {
            const struct sl_program_const *c = &p->consts[place->which];
            /* Read only: no step writes to a constant's place. */
            d->address[t] = (uint8_t *)(uintptr_t)(c->splat ? d->steps.dense[place->which] : c->data) + place->offset;
        }
    }
}

static sluice_status load(struct sl_device *d, const struct sl_device_options *o, sl_err *e)
{
    SL_TRY(sl_device_verify(&d->program, o, e));
    if (o->alternative) {
        SL_TRY(choose_alternative(d, o->alternative, e));
        SL_TRY(sl_device_verify(&d->program, o, e));
    }
    SL_TRY(sl_plan_memory(d->a, &d->program, o->keep_all, &d->plan, e));
    d->memory.workspace_bytes = d->plan.bytes;
    d->memory.live_bytes = d->plan.live_bytes;
    SL_TRY(check_memory(d, o, e));
    d->level = o->level_given ? o->level : sl_cpu_level();
    d->steps = (struct sl_steps){.a = d->a, .p = &d->program, .plan = &d->plan, .kernels = sl_kernels_at(d->level)};
    SL_TRY(sl_steps_make(&d->steps, e));
    d->memory.splat_bytes = d->steps.splat_bytes;
    for (uint32_t k = 0; k < d->program.n_consts; k++)
        d->memory.view_bytes += d->program.consts[k].splat ? 0 : d->program.consts[k].bytes;
    SL_TRY(sl_pool_new(o->threads, &d->pool, e));
    SL_TRY(allocate_and_pack(d, o, e));
    set_addresses(d);
    return SLUICE_OK;
}

sluice_status sl_device_load(const struct sl_program *p, const struct sl_device_options *o, struct sl_device **out, sl_err *e)
{
    sl_arena *a = sl_arena_new();
    struct sl_device *d = SL_NEW(a, struct sl_device);
    unsigned saved = sl_fp_enter();
    d->a = a;
    d->program = *p;
    d->keep_all = o->keep_all;
    sluice_status s = load(d, o, e);
    sl_fp_leave(saved);
    if (s != SLUICE_OK) {
        sl_device_free(d);
        return s;
    }
    *out = d;
    return SLUICE_OK;
}

void sl_device_free(struct sl_device *d)
{
    if (d == NULL)
        return;
    sl_pool_free(d->pool);
    free(d->workspace);
    free(d->packed);
    free(d->scratch);
    sl_arena_free(d->a);
}

/* ---- running ---- */

/* A step of fewer nanoseconds runs on the caller alone: waking a thread takes as long. */
enum { WORTH_SHARING = 15000 };

struct running {
    const struct sl_work *work;
    struct sl_io io;
    uint8_t *scratch;
    size_t stride;
};

static void run_task(void *data, int task, int worker)
{
    const struct running *r = data;
    sl_work_run(r->work, &r->io, task, r->scratch + r->stride * (size_t)worker);
}

static void run_step(struct sl_device *d, const struct sl_step *s)
{
    struct running r = {.work = &s->work, .scratch = d->scratch, .stride = d->scratch_stride};
    for (int k = 0; k < 2; k++)
        r.io.in[k] = s->in[k] == SL_NO_TENSOR ? NULL : d->address[s->in[k]];
    r.io.out = d->address[s->out];
    bool alone = s->work.n_tasks == 1 || s->nanoseconds < WORTH_SHARING;
    for (int task = 0; alone && task < s->work.n_tasks; task++)
        run_task(&r, task, 0);
    if (!alone && s->work.n_tasks > 1)
        sl_parallel_for(d->pool, s->work.n_tasks, run_task, &r);
}

void sl_device_run(struct sl_device *d, const void *const *inputs, void *const *outputs)
{
    const struct sl_program *p = &d->program;
    unsigned saved = sl_fp_enter();
    for (uint32_t k = 0; k < d->n_input_views; k++) {
        const struct sl_place *place = &d->plan.places[d->input_views[k]];
        d->address[d->input_views[k]] = (uint8_t *)(uintptr_t)inputs[place->which] + place->offset;
    }
    for (uint32_t k = 0; d->keep_all && k < p->n_inputs; k++)
        memcpy(d->address[p->inputs[k].tensor], inputs[k], sl_device_port_bytes(d, false, k));
    for (uint32_t k = 0; k < d->steps.n; k++)
        run_step(d, &d->steps.steps[k]);
    for (uint32_t k = 0; k < p->n_outputs; k++)
        memcpy(outputs[k], d->address[p->outputs[k].tensor], sl_device_port_bytes(d, true, k));
    sl_fp_leave(saved);
}

/* ---- asking ---- */

const void *sl_device_tensor(const struct sl_device *d, uint32_t tensor)
{
    if (tensor >= d->program.n_tensors)
        return NULL;
    enum sl_place_kind kind = d->plan.places[tensor].kind;
    return kind == SL_PLACE_CONSTANT || (d->keep_all && kind == SL_PLACE_WORKSPACE) ? d->address[tensor] : NULL;
}

uint32_t sl_device_find_tensor(const struct sl_device *d, const char *name)
{
    for (uint32_t t = 0; t < d->program.n_tensors; t++)
        if (strcmp(d->program.tensors[t].name, name) == 0)
            return t;
    return SL_NO_TENSOR;
}

size_t sl_device_port_bytes(const struct sl_device *d, bool output, uint32_t port)
{
    const struct sl_program_port *p = output ? &d->program.outputs[port] : &d->program.inputs[port];
    return (size_t)sl_tensor_bytes(&d->program.tensors[p->tensor]);
}

const struct sl_program *sl_device_program(const struct sl_device *d)
{
    return &d->program;
}

struct sl_device_memory sl_device_memory(const struct sl_device *d)
{
    return d->memory;
}

int sl_device_threads(const struct sl_device *d)
{
    return sl_pool_size(d->pool);
}

enum sl_cpu_level sl_device_level(const struct sl_device *d)
{
    enum sl_cpu_level used = SL_CPU_C;
    for (uint32_t i = 0; i < d->steps.n; i++)
        used = SL_MAX(used, d->steps.steps[i].work.variant->level);
    return used;
}
