/* har_read.c: an archive -> model. Members are taken by name, whatever their order; those that are not parts of the format are
 * kept as extra files. Everything from outside is checked here or in the readers called; then the graphs are verified. */
#include <string.h>

#include "har/har_private.h"

struct archive {
    sl_arena *a;
    const struct sl_tar_member *members;
    size_t n;
    bool *taken;
    struct sl_model *m;
};

static const char metadata_suffix[] = ".metadata.json";

/* The one member "<net>.metadata.json" at the top tells the network's name. */
static sluice_status find_name(struct archive *ar, const char **name, sl_err *e)
{
    *name = NULL;
    for (size_t i = 0; i < ar->n; i++) {
        const char *member = ar->members[i].name;
        if (!sl_ends_with(member, metadata_suffix) || strchr(member, '/'))
            continue;
        if (*name)
            return sl_fail(e, SLUICE_E_FORMAT, "there are two members '*%s'", metadata_suffix);
        *name = sl_arena_strndup(ar->a, member, strlen(member) - strlen(metadata_suffix));
    }
    if (*name)
        return sl_har_name_ok(*name) ? SLUICE_OK : sl_fail(e, SLUICE_E_VALUE, "the network's name '%s' is not valid", *name);
    sl_fail(e, SLUICE_E_FORMAT, "not a sluice HAR: no member '*%s' among %zu", metadata_suffix, ar->n);
    return sl_hint(e, "HAR files of other tools cannot be read: parse the ONNX file again with `sluice parser onnx`");
}

/* A part of the archive, or NULL. It is then not an extra file. */
static const struct sl_view *take(struct archive *ar, const char *suffix)
{
    const char *name = sl_arena_printf(ar->a, "%s%s", ar->m->name, suffix);
    for (size_t i = 0; i < ar->n; i++)
        if (strcmp(ar->members[i].name, name) == 0) {
            ar->taken[i] = true;
            return &ar->members[i].data;
        }
    return NULL;
}

static sluice_status take_needed(struct archive *ar, const char *suffix, struct sl_view *out, sl_err *e)
{
    const struct sl_view *v = take(ar, suffix);
    if (!v)
        return sl_fail(e, SLUICE_E_FORMAT, "member '%s%s' is missing", ar->m->name, suffix);
    *out = *v;
    return SLUICE_OK;
}

/* Parsed trees die with the arena also when reading fails half-way. */
static void release(void *data)
{
    json_decref(data);
}

static sluice_status parse_json(struct archive *ar, const char *suffix, json_t **out, sl_err *e)
{
    struct sl_view text;
    SL_TRY(take_needed(ar, suffix, &text, e));
    if (sl_json_parse(text, out, e) != SLUICE_OK)
        return sl_context(e, "%s%s", ar->m->name, suffix);
    sl_arena_on_free(ar->a, release, *out);
    return SLUICE_OK;
}

/* ---- metadata ---- */

static sluice_status check_version(const json_t *metadata, sl_err *e)
{
    const char *format;
    int64_t version;
    SL_TRY(sl_json_get_string(metadata, "format", &format, e));
    if (strcmp(format, "sluice-har") != 0)
        return sl_fail(e, SLUICE_E_FORMAT, "'format' is '%s', not 'sluice-har'", format);
    SL_TRY(sl_json_get_int(metadata, "format_version", 1, INT32_MAX, &version, e));
    if (version <= SL_HAR_VERSION)
        return SLUICE_OK;
    sl_fail(e, SLUICE_E_UNSUPPORTED, "'format_version' is %lld, this program reads up to %d", (long long)version,
            SL_HAR_VERSION);
    return sl_hint(e, "the file was written by a newer sluice: update this one");
}

static sluice_status read_metadata(struct archive *ar, const json_t *metadata, sl_err *e)
{
    static const char *const known[] = {"format",   "format_version", "name",          "state",  "hw_arch",
                                        "versions", "applied",        "modifications", "stages", NULL};
    struct sl_model *m = ar->m;
    const char *name, *state, *hw_arch;
    json_t *versions, *applied, *modifications;
    SL_TRY(check_version(metadata, e));
    SL_TRY(sl_known_keys(metadata, known, e));
    SL_TRY(sl_json_get_string(metadata, "name", &name, e));
    SL_TRY(sl_json_get_string(metadata, "state", &state, e));
    SL_TRY(sl_json_get_string(metadata, "hw_arch", &hw_arch, e));
    SL_TRY(sl_json_get_object(metadata, "versions", &versions, e));
    SL_TRY(sl_json_get_array(metadata, "applied", &applied, e));
    SL_TRY(sl_json_get_object(metadata, "modifications", &modifications, e));
    if (strcmp(name, m->name) != 0)
        return sl_fail(e, SLUICE_E_FORMAT, "'name' is '%s', the member's own is '%s'", name, m->name);
    if (!sl_model_state_from_name(state, &m->state))
        return sl_fail(e, SLUICE_E_VALUE, "'state' is '%s', which is no state", state);
    m->hw_arch = sl_arena_strdup(ar->a, hw_arch);
    sl_model_set_json(m, &m->versions, json_incref(versions));
    sl_model_set_json(m, &m->applied, json_incref(applied));
    sl_model_set_json(m, &m->modifications, json_incref(modifications));
    return SLUICE_OK;
}

/* ---- stages ---- */

static sluice_status read_hn(struct archive *ar, int stage, bool newest, struct sl_graph **g, sl_err *e)
{
    const char *suffix = newest ? ".hn" : sl_har_stages[stage].hn_suffix;
    json_t *hn;
    SL_TRY(parse_json(ar, suffix, &hn, e));
    sluice_status s = sl_hn_read(ar->a, hn, g, e);
    if (s == SLUICE_OK && (*g)->stage != sl_har_stages[stage].stage)
        s = sl_fail(e, SLUICE_E_FORMAT, "its stage is '%s', not '%s'", sl_har_stages[(*g)->stage].name,
                    sl_har_stages[stage].name);
    return s == SLUICE_OK ? s : sl_context(e, "%s%s", ar->m->name, suffix);
}

static sluice_status read_arrays(struct archive *ar, struct sl_array_reader *r, int stage, struct sl_graph *g,
                                 const json_t *table, sl_err *e)
{
    const char *suffix = sl_har_stages[stage].npz_suffix;
    struct sl_view npz;
    SL_TRY(take_needed(ar, suffix, &npz, e));
    if (sl_arrays_read(r, g, stage, npz, table, e) != SLUICE_OK)
        return sl_context(e, "%s%s", ar->m->name, suffix);
    return SLUICE_OK;
}

static sluice_status read_stage(struct archive *ar, struct sl_array_reader *r, int stage, const json_t *description,
                                bool newest, sl_err *e)
{
    static const char *const known[] = {"inputs", "outputs", "states", "scalars", "alternatives", "arrays", NULL};
    struct sl_graph *g;
    json_t *table;
    SL_TRY(read_hn(ar, stage, newest, &g, e));
    sluice_status s = sl_known_keys(description, known, e);
    if (s == SLUICE_OK)
        s = sl_extras_read(g, description, e);
    if (s == SLUICE_OK)
        s = sl_json_get_object(description, "arrays", &table, e);
    if (s != SLUICE_OK)
        return sl_context(e, "%s%s: stage '%s'", ar->m->name, metadata_suffix, sl_har_stages[stage].name);
    SL_TRY(read_arrays(ar, r, stage, g, table, e));
    if (sl_graph_verify(g, e) != SLUICE_OK)
        return sl_context(e, "stage '%s'", sl_har_stages[stage].name);
    *sl_har_stage_graph(ar->m, stage) = g;
    return SLUICE_OK;
}

static sluice_status read_stages(struct archive *ar, const json_t *metadata, sl_err *e)
{
    static const char *const known[] = {"native", "fp_optimized", "quantized", NULL};
    struct sl_array_reader r = {.a = ar->a};
    json_t *stages;
    int newest = -1;
    sluice_status s = sl_json_get_object(metadata, "stages", &stages, e);
    if (s == SLUICE_OK)
        s = sl_known_keys(stages, known, e);
    if (s != SLUICE_OK)
        return sl_context(e, "%s%s", ar->m->name, metadata_suffix);
    for (int i = 0; i < SL_HAR_STAGES; i++)
        if (json_object_get(stages, sl_har_stages[i].name))
            newest = i;
    for (int i = 0; i <= newest; i++) {
        const json_t *description = json_object_get(stages, sl_har_stages[i].name);
        if (description)
            SL_TRY(read_stage(ar, &r, i, description, i == newest, e));
    }
    return SLUICE_OK;
}

/* ---- the archive ---- */

static sluice_status read_others(struct archive *ar, sl_err *e)
{
    const struct sl_view *script = take(ar, ".alls");
    json_t *statistics;
    if (script) {
        if (script->size && memchr(script->data, 0, script->size))
            return sl_fail(e, SLUICE_E_FORMAT, "%s.alls: the script holds a zero byte", ar->m->name);
        ar->m->script = script->size ? sl_arena_strndup(ar->a, (const char *)script->data, script->size) : "";
    }
    if (take(ar, ".statistics.json")) {
        SL_TRY(parse_json(ar, ".statistics.json", &statistics, e));
        sl_model_set_json(ar->m, &ar->m->statistics, json_incref(statistics));
    }
    for (size_t i = 0; i < ar->n; i++)
        if (!ar->taken[i])
            sl_model_set_file(ar->m, ar->members[i].name, ar->members[i].data);
    return SLUICE_OK;
}

sluice_status sl_har_read(sl_arena *a, struct sl_view bytes, struct sl_model **out, sl_err *e)
{
    struct archive ar = {.a = a};
    struct sl_tar_member *members;
    json_t *metadata;
    const char *name;
    SL_TRY(sl_tar_parse(a, bytes, &members, &ar.n, e));
    ar.members = members;
    ar.taken = SL_NEW_ARRAY(a, bool, ar.n);
    SL_TRY(find_name(&ar, &name, e));
    ar.m = sl_model_new(a, name);
    SL_TRY(parse_json(&ar, metadata_suffix, &metadata, e));
    if (read_metadata(&ar, metadata, e) != SLUICE_OK)
        return sl_context(e, "%s%s", name, metadata_suffix);
    SL_TRY(read_stages(&ar, metadata, e));
    SL_TRY(sl_har_check_state(ar.m, e));
    SL_TRY(read_others(&ar, e));
    *out = ar.m;
    return SLUICE_OK;
}

sluice_status sl_har_open(sl_arena *a, const char *path, struct sl_model **out, sl_err *e)
{
    struct sl_view bytes;
    SL_TRY(sl_map_file(a, path, &bytes, e));
    if (sl_har_read(a, bytes, out, e) != SLUICE_OK)
        return sl_context(e, "%s", path);
    return SLUICE_OK;
}
