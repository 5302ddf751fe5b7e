/*
 * har_arrays.c: parameter values as npz members "<scope>/<layer>/<param>:0" (of an alternative "<param>@<alternative>:0") and
 * back. What an npz cannot say stands in the stage's table: a splat is one element of the right rank, s4 is packed bytes, bf16
 * is u2, and a larger array that the archive holds already is named instead of stored again.
 */
#include <string.h>

#include "base/hash.h"
#include "har/har_private.h"

enum { SMALLEST_SHARED = 1024 }; /* bytes: smaller arrays are stored again, so that numpy.load shows them */

typedef sluice_status visit_param(void *data, const char *name, struct sl_param *p, sl_err *e);

/* Every parameter of layers, then of alternatives, with its full name. */
static sluice_status for_each_param(sl_arena *a, const struct sl_graph *g, visit_param *visit, void *data, sl_err *e)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sl_node *n = g->nodes[i];
        for (int k = 0; k < n->n_params; k++)
            SL_TRY(visit(data, sl_arena_printf(a, "%s/%s/%s:0", n->scope, n->name, n->params[k].name), &n->params[k], e));
    }
    for (int i = 0; i < g->n_alternatives; i++) {
        const struct sl_alternative *alt = &g->alternatives[i];
        for (int k = 0; k < alt->n_params; k++)
            SL_TRY(visit(
                data, sl_arena_printf(a, "%s/%s/%s@%s:0", alt->layer->scope, alt->layer->name, alt->params[k].name, alt->name),
                &alt->params[k], e));
    }
    return SLUICE_OK;
}

/* The type NumPy has for it. */
static enum sl_dtype stored_type(enum sl_dtype t)
{
    return t == SL_S4 ? SL_U8 : t == SL_BF16 ? SL_U16 : t;
}

static struct sl_shape ones(int rank)
{
    struct sl_shape s = {.rank = rank};
    for (int i = 0; i < rank; i++)
        s.dim[i] = 1;
    return s;
}

/* ---- writing ---- */

struct written_array {
    const struct sl_const *value;
    int stage;
    const char *name;
    struct written_array *next;
};

struct stage_writer {
    struct sl_array_writer *w;
    struct sl_npz_member *members;
    size_t n;
    json_t *table;
    int stage;
    bool refer;
};

static json_t *table_entry(struct stage_writer *s, const struct sl_const *c)
{
    json_t *o = json_object();
    sl_put_json(s->w->builder, o, "dtype", sl_text_json(s->w->builder, sl_dtype_name(c->dtype)));
    sl_put_json(s->w->builder, o, "shape", sl_dims_json(&c->shape, false));
    return o;
}

static bool same_value(const struct sl_const *a, const struct sl_const *b)
{
    return a->dtype == b->dtype && a->bytes == b->bytes && (a->data == b->data || memcmp(a->data, b->data, a->bytes) == 0);
}

/* An equal array stored before, or NULL after noting this one as stored. */
static const struct written_array *find_stored(struct stage_writer *s, const char *name, const struct sl_const *c)
{
    sl_arena *a = s->w->a;
    const char *key = sl_arena_printf(a, "%016llx", (unsigned long long)sl_const_hash(c));
    struct written_array *first = sl_map_get(s->w->stored, key);
    for (struct written_array *at = first; at; at = at->next)
        if ((s->refer || at->stage == s->stage) && same_value(at->value, c))
            return at;
    struct written_array *added = SL_NEW(a, struct written_array);
    *added = (struct written_array){c, s->stage, name, first};
    sl_map_set(s->w->stored, key, added);
    return NULL;
}

static sluice_status write_param(void *data, const char *name, struct sl_param *p, sl_err *e)
{
    struct stage_writer *s = data;
    struct sl_builder *b = s->w->builder;
    const struct sl_const *c = p->value;
    if (!sl_har_name_ok(p->name))
        return sl_fail(e, SLUICE_E_VALUE, "array '%s': a name must have 1 to 255 characters without '/', ':' and '@'", name);
    if (!c->splat && c->bytes >= SMALLEST_SHARED) {
        const struct written_array *same = find_stored(s, name, c);
        if (same) {
            json_t *entry = table_entry(s, c), *target = json_object();
            sl_put_json(b, target, "stage", sl_text_json(b, sl_har_stages[same->stage].name));
            sl_put_json(b, target, "array", sl_text_json(b, same->name));
            sl_put_json(b, entry, "same_as", target);
            sl_put_json(b, s->table, name, entry);
            return SLUICE_OK;
        }
    }
    struct sl_npz_member *m = &s->members[s->n++];
    *m = (struct sl_npz_member){name, {stored_type(c->dtype), c->shape, c->data, c->bytes}};
    if (c->splat)
        m->array.shape = ones(c->shape.rank);
    else if (c->dtype == SL_S4)
        m->array.shape = sl_shape_of(1, (int64_t[]){(int64_t)c->bytes});
    if (c->splat || stored_type(c->dtype) != c->dtype) {
        json_t *entry = table_entry(s, c);
        if (c->splat)
            sl_put_json(b, entry, "splat", json_true());
        sl_put_json(b, s->table, name, entry);
    }
    return SLUICE_OK;
}

sluice_status sl_arrays_write(struct sl_array_writer *w, const struct sl_graph *g, bool refer, struct sl_npz_member **members,
                              size_t *n, json_t **table, sl_err *e)
{
    size_t most = 0;
    for (int i = 0; i < g->n_nodes; i++)
        most += (size_t)g->nodes[i]->n_params;
    for (int i = 0; i < g->n_alternatives; i++)
        most += (size_t)g->alternatives[i].n_params;
    struct stage_writer s = {.w = w,
                             .members = SL_NEW_ARRAY(w->a, struct sl_npz_member, most),
                             .table = json_object(),
                             .stage = (int)g->stage,
                             .refer = refer};
    *table = s.table; /* the caller's also after a failure */
    SL_TRY(for_each_param(w->a, g, write_param, &s, e));
    *members = s.members;
    *n = s.n;
    return SLUICE_OK;
}

/* ---- reading ---- */

struct stage_reader {
    struct sl_array_reader *r;
    int stage;
    const json_t *table;
    size_t used_members, used_entries;
};

static sluice_status find_target(struct stage_reader *s, const json_t *same_as, const struct sl_npz_member **out, sl_err *e)
{
    static const char *const known[] = {"stage", "array", NULL};
    const char *stage, *array;
    SL_TRY(sl_known_keys(same_as, known, e));
    SL_TRY(sl_json_get_string(same_as, "stage", &stage, e));
    SL_TRY(sl_json_get_string(same_as, "array", &array, e));
    *out = NULL;
    for (int i = 0; i <= s->stage; i++)
        if (strcmp(sl_har_stages[i].name, stage) == 0 && s->r->members[i])
            *out = sl_map_get(s->r->members[i], array);
    return *out ? SLUICE_OK
                : sl_fail(e, SLUICE_E_FORMAT, "'same_as' names '%s' of stage '%s', which is not stored", array, stage);
}

/* A constant by its table entry: type and shape from there, bytes from the member. */
static sluice_status read_exceptional(struct stage_reader *s, const struct sl_npz_member *own, const json_t *entry,
                                      const struct sl_const **out, sl_err *e)
{
    static const char *const known[] = {"dtype", "shape", "splat", "same_as", NULL};
    const struct sl_npz_member *m = own;
    enum sl_dtype type;
    struct sl_shape shape;
    size_t bytes;
    SL_TRY(sl_known_keys(entry, known, e));
    SL_TRY(sl_get_dtype(entry, "dtype", &type, e));
    SL_TRY(sl_get_dims(entry, "shape", false, &shape, e));
    const json_t *same_as = json_object_get(entry, "same_as"), *splat = json_object_get(entry, "splat");
    if (same_as && (own || splat))
        return sl_fail(e, SLUICE_E_FORMAT, "it has 'same_as' besides a value of its own");
    if (splat && !json_is_true(splat))
        return sl_fail(e, SLUICE_E_FORMAT, "'splat' is not true");
    if (same_as)
        SL_TRY(find_target(s, same_as, &m, e));
    if (!m)
        return sl_fail(e, SLUICE_E_FORMAT, "the npz does not hold it");
    if (!sl_bytes_of(type, &shape, &bytes))
        return sl_fail(e, SLUICE_E_LIMIT, "its shape is too large");
    if (splat)
        bytes = (sl_dtype_bits(type) + 7) / 8;
    if (m->array.dtype != stored_type(type) || m->array.bytes != bytes)
        return sl_fail(e, SLUICE_E_SHAPE, "%zu bytes of type %s are stored where %zu of %s are expected", m->array.bytes,
                       sl_dtype_name(m->array.dtype), bytes, sl_dtype_name(stored_type(type)));
    *out = splat ? sl_const_splat(s->r->a, type, &shape, m->array.data) : sl_const_view(s->r->a, type, &shape, m->array.data);
    return SLUICE_OK;
}

static sluice_status read_param(void *data, const char *name, struct sl_param *p, sl_err *e)
{
    struct stage_reader *s = data;
    const struct sl_npz_member *m = sl_map_get(s->r->members[s->stage], name);
    const json_t *entry = json_object_get(s->table, name);
    s->used_members += m != NULL;
    s->used_entries += entry != NULL;
    if (entry) {
        if (read_exceptional(s, m, entry, &p->value, e) != SLUICE_OK)
            return sl_context(e, "array '%s'", name);
        return SLUICE_OK;
    }
    if (!m)
        return sl_fail(e, SLUICE_E_FORMAT, "array '%s': the npz does not hold it", name);
    p->value = sl_const_view(s->r->a, m->array.dtype, &m->array.shape, m->array.data);
    return SLUICE_OK;
}

static sluice_status ignore_value(void *data, const char *name, struct sl_param *p, sl_err *e)
{
    (void)p;
    (void)e;
    sl_map_set(data, name, data);
    return SLUICE_OK;
}

/* An array that no layer names is a defect of the file: say which. */
static sluice_status check_all_used(struct stage_reader *s, const struct sl_graph *g, const struct sl_npz_member *members,
                                    size_t n, sl_err *e)
{
    if (s->used_members == n && s->used_entries == json_object_size(s->table))
        return SLUICE_OK;
    struct sl_map *wanted = sl_map_new(s->r->a);
    const char *key;
    json_t *value;
    SL_TRY(for_each_param(s->r->a, g, ignore_value, wanted, e));
    for (size_t i = 0; i < n; i++)
        if (!sl_map_has(wanted, members[i].name))
            return sl_fail(e, SLUICE_E_FORMAT, "array '%s' belongs to no layer", members[i].name);
    json_object_foreach((json_t *)s->table, key, value) if (!sl_map_has(wanted, key)) return sl_fail(
        e, SLUICE_E_FORMAT, "'arrays' names '%s', which belongs to no layer", key);
    return sl_fail(e, SLUICE_E_FORMAT, "an array belongs to two layers");
}

sluice_status sl_arrays_read(struct sl_array_reader *r, struct sl_graph *g, int stage, struct sl_view npz, const json_t *table,
                             sl_err *e)
{
    struct sl_npz_member *members;
    size_t n;
    SL_TRY(sl_npz_parse(r->a, npz, 0, &members, &n, e));
    r->members[stage] = sl_map_new(r->a);
    for (size_t i = 0; i < n; i++)
        sl_map_set(r->members[stage], members[i].name, &members[i]);
    struct stage_reader s = {.r = r, .stage = stage, .table = table};
    SL_TRY(for_each_param(r->a, g, read_param, &s, e));
    return check_all_used(&s, g, members, n, e);
}
