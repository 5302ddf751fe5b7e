/* session_device.c: the integer engines: a quantized archive lowered in memory (the emulator) or a HEF, both run by the software
 * device. */
#include <string.h>

#include "api/session.h"
#include "base/error.h"
#include "base/file.h"
#include "compile/compile.h"
#include "device/device.h"
#include "hef/hef.h"
#include "hef/payload.h"
#include "ops/ops.h"

struct device_engine {
    struct sl_device *device;
    sl_arena *program_arena; /* of a program lowered here; NULL when the session's arena has it */
};

static sluice_status watch_all(const struct sl_device *d, session_watch_fn *watch, void *data, sl_err *e)
{
    const struct sl_program *p = sl_device_program(d);
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct sl_program_tensor *t = &p->tensors[i];
        struct session_tensor seen = {t->name, t->dtype, &t->shape, sl_device_tensor(d, i), t->n_scales ? 0.0f : t->scale, t->zero_point};
        if (seen.data)
            SL_TRY(watch(data, &seen, e));
    }
    return SLUICE_OK;
}

static sluice_status device_frame(void *engine, void *const *inputs, void *const *outputs, session_watch_fn *watch, void *data, sl_err *e)
{
    struct device_engine *d = engine;
    sl_device_run(d->device, (const void *const *)inputs, outputs);
    return watch ? watch_all(d->device, watch, data, e) : SLUICE_OK;
}

static void device_close(void *engine)
{
    struct device_engine *d = engine;
    sl_device_free(d->device);
    sl_arena_free(d->program_arena);
}

static void device_port(const struct sl_program *p, const struct sl_program_port *from, struct session_port *to)
{
    const struct sl_program_tensor *t = &p->tensors[from->tensor];
    to->info.name = from->name;
    to->info.origin_name = from->origin_name ? from->origin_name : from->name;
    to->info.scale = t->scale;
    to->info.zero_point = t->zero_point;
    to->n_scales = t->n_scales;
    to->scales = t->scales;
    to->dtype = t->dtype;
    to->shape = t->shape;
    to->origin = from->origin_shape;
    to->origin_dtype = from->origin_dtype;
    memcpy(to->perm, from->perm, sizeof to->perm);
}

/* The engine is in the session before loading, so that closing the session releases it whatever fails. */
static sluice_status load(struct sluice_session *s, struct device_engine *d, const struct sl_program *p, sl_err *e)
{
    struct sl_device_options o = {.threads = s->threads, .keep_all = s->dump_tensors != NULL, .memory_limit = s->memory_limit};
    SL_TRY(sl_device_load(p, &o, &d->device, e));
    struct sl_device_memory memory = sl_device_memory(d->device);
    s->packed_weight_bytes = memory.packed_bytes;
    s->activation_bytes = memory.live_bytes;
    s->threads = sl_device_threads(d->device);
    s->kernel_level = sl_cpu_level_name(sl_device_level(d->device));
    s->n_in = (int)p->n_inputs;
    s->n_out = (int)p->n_outputs;
    s->in = SL_NEW_ARRAY(s->arena, struct session_port, p->n_inputs + 1);
    s->out = SL_NEW_ARRAY(s->arena, struct session_port, p->n_outputs + 1);
    for (uint32_t i = 0; i < p->n_inputs; i++)
        device_port(p, &p->inputs[i], &s->in[i]);
    for (uint32_t i = 0; i < p->n_outputs; i++)
        device_port(p, &p->outputs[i], &s->out[i]);
    return session_set_ports(s, e);
}

static struct device_engine *new_engine(struct sluice_session *s)
{
    struct device_engine *d = SL_NEW(s->arena, struct device_engine);
    s->engine = d;
    s->run = device_frame;
    s->close = device_close;
    return d;
}

sluice_status session_open_quantized(struct sluice_session *s, const struct sl_model *m, sl_err *e)
{
    struct device_engine *d = new_engine(s);
    struct sl_compile_options o = {.hw_arch = m->hw_arch, .single_context = true};
    struct sl_program *p = NULL;
    SL_TRY(sl_compile(m->quantized, &o, &p, e));
    d->program_arena = p->arena;
    for (int i = 0; i < m->quantized->n_nodes; i++)
        s->macs += (uint64_t)sl_op_row(m->quantized->nodes[i]->op)->cost(m->quantized->nodes[i]);
    return load(s, d, p, e);
}

sluice_status session_open_hef(struct sluice_session *s, const char *path, sl_err *e)
{
    struct device_engine *d = new_engine(s);
    struct sl_view bytes;
    struct sl_hef *hef = NULL;
    struct sl_program *programs = NULL;
    size_t n = 0;
    SL_TRY(sl_map_file(s->arena, path, &bytes, e));
    if (sl_hef_read(s->arena, bytes, &hef, e) != SLUICE_OK || sl_hef_programs(s->arena, hef, 0, &programs, &n, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    if (n == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "%s: it holds no network", path);
    s->network = programs[0].name;
    s->macs = hef->groups[0].operations / 2;
    if (load(s, d, &programs[0], e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    return SLUICE_OK;
}
