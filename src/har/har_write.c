/* har_write.c: the archive as tar members, in a fixed order: the same model gives the same bytes. Arrays are written from where
 * they are in memory (or in the mapped source file), never copied. */
#include <string.h>

#include "har/har_private.h"

/* While members are made: buffers are malloc'ed and freed with the arena they are hung on. */
struct archive {
    const struct sl_model *m;
    sl_arena *a;
    struct sl_builder b;
    struct sl_tar_member *members;
    size_t n;
    json_t *stages; /* of metadata.json */
    struct sl_array_writer arrays;
};

static void free_buffer(void *data)
{
    sl_buffer_free(data);
}

static struct sl_buffer *new_buffer(struct archive *ar)
{
    struct sl_buffer *b = SL_NEW(ar->a, struct sl_buffer);
    sl_arena_on_free(ar->a, free_buffer, b);
    return b;
}

static void add_member(struct archive *ar, const char *suffix, const void *data, size_t size)
{
    const char *name = sl_arena_printf(ar->a, "%s%s", ar->m->name, suffix);
    ar->members[ar->n++] = (struct sl_tar_member){.name = name, .data = {data, size}};
}

static sluice_status add_json(struct archive *ar, const char *suffix, const json_t *j, sl_err *e)
{
    struct sl_buffer *text = new_buffer(ar);
    SL_TRY(sl_json_write(text, j, e));
    add_member(ar, suffix, text->data, text->size);
    return SLUICE_OK;
}

static const struct sl_graph *stage_graph(const struct sl_model *m, int stage)
{
    return *sl_har_stage_graph((struct sl_model *)m, stage);
}

/* The newest stage's layers are <net>.hn, earlier ones <net>.native.hn and <net>.fp.hn. */
static sluice_status add_hn(struct archive *ar, int stage, sl_err *e)
{
    const struct sl_graph *g = stage_graph(ar->m, stage);
    json_t *hn;
    SL_TRY(sl_hn_write(g, &hn, e));
    sluice_status s = add_json(ar, g == sl_model_graph(ar->m) ? ".hn" : sl_har_stages[stage].hn_suffix, hn, e);
    json_decref(hn);
    return s;
}

/* The quantized stage stands alone: whoever reads its npz needs no other. */
static sluice_status add_arrays(struct archive *ar, int stage, json_t *description, sl_err *e)
{
    struct sl_npz_member *members = NULL;
    size_t n = 0;
    json_t *table;
    sluice_status s =
        sl_arrays_write(&ar->arrays, stage_graph(ar->m, stage), stage != SL_STAGE_QUANTIZED, &members, &n, &table, e);
    sl_put_json(&ar->b, description, "arrays", table);
    SL_TRY(s);
    struct sl_view *pieces = NULL;
    size_t n_pieces = 0, size = 0;
    SL_TRY(sl_npz_pieces(ar->a, members, n, &pieces, &n_pieces, e));
    for (size_t i = 0; i < n_pieces; i++)
        size += pieces[i].size;
    add_member(ar, sl_har_stages[stage].npz_suffix, NULL, size);
    ar->members[ar->n - 1].pieces = pieces;
    ar->members[ar->n - 1].n_pieces = n_pieces;
    return SLUICE_OK;
}

static sluice_status add_stage(struct archive *ar, int stage, sl_err *e)
{
    const struct sl_graph *g = stage_graph(ar->m, stage);
    json_t *description = json_object();
    sl_put_json(&ar->b, ar->stages, sl_har_stages[stage].name, description);
    if (g->stage != sl_har_stages[stage].stage)
        return sl_fail(e, SLUICE_E_INTERNAL, "its graph is of stage '%s'", sl_har_stages[g->stage].name);
    SL_TRY(sl_graph_verify(g, e));
    SL_TRY(add_hn(ar, stage, e));
    sl_extras_write(&ar->b, g, description);
    return add_arrays(ar, stage, description, e);
}

static json_t *metadata_json(struct archive *ar)
{
    const struct sl_model *m = ar->m;
    json_t *o = json_object();
    sl_put_json(&ar->b, o, "format", sl_text_json(&ar->b, "sluice-har"));
    sl_put_json(&ar->b, o, "format_version", json_integer(SL_HAR_VERSION));
    sl_put_json(&ar->b, o, "name", sl_text_json(&ar->b, m->name));
    sl_put_json(&ar->b, o, "state", sl_text_json(&ar->b, sl_model_state_name(m->state)));
    sl_put_json(&ar->b, o, "hw_arch", sl_text_json(&ar->b, m->hw_arch));
    sl_put_json(&ar->b, o, "versions", json_incref(m->versions));
    sl_put_json(&ar->b, o, "applied", json_incref(m->applied));
    sl_put_json(&ar->b, o, "modifications", json_incref(m->modifications));
    sl_put_json(&ar->b, o, "stages", json_incref(ar->stages));
    return o;
}

static sluice_status add_metadata(struct archive *ar, sl_err *e)
{
    json_t *metadata = metadata_json(ar);
    sluice_status s = sl_builder_end(&ar->b, e);
    if (s == SLUICE_OK)
        s = add_json(ar, ".metadata.json", metadata, e);
    json_decref(metadata);
    return s;
}

static sluice_status add_files(struct archive *ar, sl_err *e)
{
    for (int i = 0; i < ar->m->n_files; i++) {
        const struct sl_model_file *f = &ar->m->files[i];
        if (sl_tar_find(ar->members, ar->n, f->name))
            return sl_fail(e, SLUICE_E_VALUE, "the extra file '%s' has the name of a part of the archive", f->name);
        ar->members[ar->n++] = (struct sl_tar_member){.name = f->name, .data = f->data};
    }
    return SLUICE_OK;
}

static sluice_status fill(struct archive *ar, sl_err *e)
{
    const struct sl_model *m = ar->m;
    if (!sl_har_name_ok(m->name) || m->name[0] == '.')
        return sl_fail(e, SLUICE_E_VALUE, "the network's name '%s' must have 1 to 255 characters without '/', ':' and '@'",
                       m->name);
    SL_TRY(sl_har_check_state(m, e));
    for (int i = 0; i < SL_HAR_STAGES; i++)
        if (stage_graph(m, i) && add_stage(ar, i, e) != SLUICE_OK)
            return sl_context(e, "stage '%s'", sl_har_stages[i].name);
    SL_TRY(add_metadata(ar, e));
    if (m->script[0])
        add_member(ar, ".alls", m->script, strlen(m->script));
    if (m->statistics)
        SL_TRY(add_json(ar, ".statistics.json", m->statistics, e));
    return add_files(ar, e);
}

sluice_status sl_har_members(const struct sl_model *m, sl_arena *a, struct sl_tar_member **out, size_t *n, sl_err *e)
{
    struct archive ar = {.m = m, .a = a, .stages = json_object()};
    ar.members = SL_NEW_ARRAY(a, struct sl_tar_member, 2 * SL_HAR_STAGES + 3 + m->n_files);
    ar.arrays = (struct sl_array_writer){a, sl_map_new(a), &ar.b};
    sluice_status s = fill(&ar, e);
    json_decref(ar.stages);
    *out = ar.members;
    *n = ar.n;
    return s;
}

sluice_status sl_har_write_buffer(const struct sl_model *m, struct sl_buffer *out, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct sl_tar_member *members;
    size_t n;
    sluice_status s = sl_har_members(m, scratch, &members, &n, e);
    if (s == SLUICE_OK)
        s = sl_tar_write_buffer(out, members, n, e);
    sl_arena_free(scratch);
    return s;
}

static sluice_status write_file(const char *path, const struct sl_tar_member *members, size_t n, sl_err *e)
{
    struct sl_output *o;
    SL_TRY(sl_output_open(path, &o, e));
    if (sl_tar_write(o, members, n, e) != SLUICE_OK) {
        sl_output_abort(o);
        return e->code;
    }
    return sl_output_commit(o, e);
}

sluice_status sl_har_write(const struct sl_model *m, const char *path, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct sl_tar_member *members;
    size_t n;
    sluice_status s = sl_har_members(m, scratch, &members, &n, e);
    if (s == SLUICE_OK)
        s = write_file(path, members, n, e);
    sl_arena_free(scratch);
    return s;
}
