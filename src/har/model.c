/* model.c: the model in memory: states, JSON trees that live as long as the arena, extra files kept in order of name. */
#include "har/model.h"

#include <assert.h>
#include <string.h>

#include "ir/grow.h"

static const char *const state_names[SL_MODEL_STATES] = {
    [SL_MODEL_UNINITIALIZED] = "UNINITIALIZED",
    [SL_MODEL_ORIGINAL_MODEL] = "ORIGINAL_MODEL",
    [SL_MODEL_HAILO_MODEL] = "HAILO_MODEL",
    [SL_MODEL_FP_OPTIMIZED_MODEL] = "FP_OPTIMIZED_MODEL",
    [SL_MODEL_QUANTIZED_MODEL] = "QUANTIZED_MODEL",
    [SL_MODEL_QUANTIZED_BASE_MODEL] = "QUANTIZED_BASE_MODEL",
    [SL_MODEL_QUANTIZED_SLIM_MODEL] = "QUANTIZED_SLIM_MODEL",
    [SL_MODEL_COMPILED_MODEL] = "COMPILED_MODEL",
    [SL_MODEL_COMPILED_SLIM_MODEL] = "COMPILED_SLIM_MODEL",
};

const char *sl_model_state_name(enum sl_model_state s)
{
    return (unsigned)s < SL_MODEL_STATES ? state_names[s] : state_names[0];
}

bool sl_model_state_from_name(const char *name, enum sl_model_state *out)
{
    for (int i = 0; i < SL_MODEL_STATES; i++)
        if (strcmp(state_names[i], name) == 0) {
            *out = (enum sl_model_state)i;
            return true;
        }
    return false;
}

static void release_json(void *data)
{
    struct sl_model *m = data;
    json_decref(m->versions);
    json_decref(m->applied);
    json_decref(m->modifications);
    json_decref(m->statistics);
}

struct sl_model *sl_model_new(sl_arena *a, const char *name)
{
    struct sl_model *m = SL_NEW(a, struct sl_model);
    m->arena = a;
    m->name = sl_arena_strdup(a, name);
    m->hw_arch = "hailo10h";
    m->script = "";
    m->versions = json_object();
    m->applied = json_array();
    m->modifications = json_object();
    sl_arena_on_free(a, release_json, m);
    return m;
}

void sl_model_set_json(struct sl_model *m, json_t **field, json_t *value)
{
    assert(field == &m->versions || field == &m->applied || field == &m->modifications || field == &m->statistics);
    (void)m;
    if (*field != value)
        json_decref(*field);
    *field = value;
}

struct sl_graph *sl_model_graph(const struct sl_model *m)
{
    return m->quantized ? m->quantized : m->fp_optimized ? m->fp_optimized : m->native;
}

/* Where a name is, or would be put. */
static int place_of(const struct sl_model *m, const char *name)
{
    int i = 0;
    while (i < m->n_files && strcmp(m->files[i].name, name) < 0)
        i++;
    return i;
}

void sl_model_set_file(struct sl_model *m, const char *name, struct sl_view data)
{
    int at = place_of(m, name);
    if (at < m->n_files && strcmp(m->files[at].name, name) == 0) {
        m->files[at].data = data;
        return;
    }
    m->files = sl_grow(m->arena, m->files, m->n_files, sizeof *m->files);
    memmove(m->files + at + 1, m->files + at, (size_t)(m->n_files - at) * sizeof *m->files);
    m->files[at] = (struct sl_model_file){sl_arena_strdup(m->arena, name), data};
    m->n_files++;
}

const struct sl_view *sl_model_file(const struct sl_model *m, const char *name)
{
    int at = place_of(m, name);
    return at < m->n_files && strcmp(m->files[at].name, name) == 0 ? &m->files[at].data : NULL;
}

void sl_model_remove_file(struct sl_model *m, const char *name)
{
    int at = place_of(m, name);
    if (at == m->n_files || strcmp(m->files[at].name, name) != 0)
        return;
    memmove(m->files + at, m->files + at + 1, (size_t)(m->n_files - at - 1) * sizeof *m->files);
    m->n_files--;
}
