/* har_extras.c: what a stage has besides its layers: ports, state tensors, scalars and alternatives, as part of metadata.json.
 */
#include <string.h>

#include "har/har_private.h"
#include "ir/grow.h"

static json_t *scoped(struct sl_builder *b, const struct sl_node *n)
{
    json_t *j = json_sprintf("%s/%s", n->scope, n->name); /* NULL where a name is not UTF-8 */
    b->failed = b->failed || !j;
    return j;
}

static json_t *ports_json(struct sl_builder *b, const struct sl_port *ports, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *o = json_object(), *perm = json_array();
        for (int k = 0; k < ports[i].node->shape.rank; k++)
            sl_push_json(b, perm, json_integer(ports[i].perm[k]));
        sl_put_json(b, o, "origin_name", sl_text_json(b, ports[i].origin_name));
        sl_put_json(b, o, "layer", scoped(b, ports[i].node));
        sl_put_json(b, o, "origin_dtype", sl_text_json(b, sl_dtype_name(ports[i].origin_dtype)));
        sl_put_json(b, o, "origin_shape", sl_dims_json(&ports[i].origin_shape, false));
        sl_put_json(b, o, "perm", perm);
        sl_push_json(b, list, o);
    }
    return list;
}

static json_t *states_json(struct sl_builder *b, const struct sl_graph *g)
{
    json_t *list = json_array();
    for (int i = 0; i < g->n_states; i++) {
        const struct sl_state *s = &g->states[i];
        json_t *o = json_object();
        sl_put_json(b, o, "name", sl_text_json(b, s->name));
        sl_put_json(b, o, "id", json_integer(s->id));
        sl_put_json(b, o, "dtype", sl_text_json(b, sl_dtype_name(s->dtype)));
        sl_put_json(b, o, "entry", sl_dims_json(&s->entry, false));
        sl_put_json(b, o, "length", json_integer(s->length));
        sl_push_json(b, list, o);
    }
    return list;
}

static json_t *scalars_json(struct sl_builder *b, const struct sl_graph *g)
{
    json_t *list = json_array();
    for (int i = 0; i < g->n_scalars; i++) {
        json_t *o = json_object();
        sl_put_json(b, o, "name", sl_text_json(b, g->scalars[i].name));
        sl_put_json(b, o, "id", json_integer(g->scalars[i].id));
        sl_put_json(b, o, "maximum", json_integer(g->scalars[i].maximum));
        sl_push_json(b, list, o);
    }
    return list;
}

static json_t *alternatives_json(struct sl_builder *b, const struct sl_graph *g)
{
    json_t *list = json_array();
    for (int i = 0; i < g->n_alternatives; i++) {
        const struct sl_alternative *alt = &g->alternatives[i];
        json_t *o = json_object(), *arrays = json_array();
        for (int k = 0; k < alt->n_params; k++)
            sl_push_json(b, arrays, sl_text_json(b, alt->params[k].name));
        sl_put_json(b, o, "name", sl_text_json(b, alt->name));
        sl_put_json(b, o, "layer", scoped(b, alt->layer));
        sl_put_json(b, o, "arrays", arrays);
        sl_push_json(b, list, o);
    }
    return list;
}

void sl_extras_write(struct sl_builder *b, const struct sl_graph *g, json_t *stage)
{
    sl_put_json(b, stage, "inputs", ports_json(b, g->inputs, g->n_inputs));
    sl_put_json(b, stage, "outputs", ports_json(b, g->outputs, g->n_outputs));
    sl_put_json(b, stage, "states", states_json(b, g));
    sl_put_json(b, stage, "scalars", scalars_json(b, g));
    sl_put_json(b, stage, "alternatives", alternatives_json(b, g));
}

/* ---- reading ---- */

struct reader {
    struct sl_graph *g;
    struct sl_map *layers;
};

static sluice_status get_text(struct reader *r, const json_t *o, const char *key, const char **out, sl_err *e)
{
    SL_TRY(sl_json_get_string(o, key, out, e));
    if (!(*out)[0])
        return sl_fail(e, SLUICE_E_FORMAT, "'%s' is empty", key);
    *out = sl_arena_strdup(r->g->arena, *out);
    return SLUICE_OK;
}

static sluice_status get_layer(struct reader *r, const json_t *o, struct sl_node **out, sl_err *e)
{
    const char *name;
    SL_TRY(sl_json_get_string(o, "layer", &name, e));
    *out = sl_map_get(r->layers, name);
    return *out ? SLUICE_OK : sl_fail(e, SLUICE_E_FORMAT, "'layer' is '%s', which is not a layer", name);
}

static sluice_status read_port(struct reader *r, const json_t *o, void *out, sl_err *e)
{
    static const char *const known[] = {"origin_name", "layer", "origin_dtype", "origin_shape", "perm", NULL};
    struct sl_port *p = out;
    json_t *perm;
    SL_TRY(sl_known_keys(o, known, e));
    SL_TRY(get_text(r, o, "origin_name", &p->origin_name, e));
    SL_TRY(get_layer(r, o, &p->node, e));
    SL_TRY(sl_get_dtype(o, "origin_dtype", &p->origin_dtype, e));
    SL_TRY(sl_get_dims(o, "origin_shape", false, &p->origin_shape, e));
    SL_TRY(sl_json_get_array(o, "perm", &perm, e));
    if (json_array_size(perm) != (size_t)p->node->shape.rank)
        return sl_fail(e, SLUICE_E_SHAPE, "'perm' has %zu axes, the layer %d", json_array_size(perm), p->node->shape.rank);
    for (int i = 0; i < p->node->shape.rank; i++) {
        const json_t *axis = json_array_get(perm, (size_t)i);
        json_int_t v = json_integer_value(axis);
        if (!json_is_integer(axis) || v < 0 || v >= p->node->shape.rank)
            return sl_fail(e, SLUICE_E_VALUE, "axis %d of 'perm' is not in 0..%d", i, p->node->shape.rank - 1);
        p->perm[i] = (int)v;
    }
    return SLUICE_OK;
}

static sluice_status read_state(struct reader *r, const json_t *o, void *out, sl_err *e)
{
    static const char *const known[] = {"name", "id", "dtype", "entry", "length", NULL};
    struct sl_state *s = out;
    int64_t id;
    SL_TRY(sl_known_keys(o, known, e));
    SL_TRY(get_text(r, o, "name", &s->name, e));
    SL_TRY(sl_json_get_int(o, "id", 0, UINT32_MAX, &id, e));
    SL_TRY(sl_get_dtype(o, "dtype", &s->dtype, e));
    SL_TRY(sl_get_dims(o, "entry", false, &s->entry, e));
    s->id = (uint32_t)id;
    return sl_json_get_int(o, "length", 1, INT64_MAX, &s->length, e);
}

static sluice_status read_scalar(struct reader *r, const json_t *o, void *out, sl_err *e)
{
    static const char *const known[] = {"name", "id", "maximum", NULL};
    struct sl_scalar *s = out;
    int64_t id;
    SL_TRY(sl_known_keys(o, known, e));
    SL_TRY(get_text(r, o, "name", &s->name, e));
    SL_TRY(sl_json_get_int(o, "id", 0, UINT32_MAX, &id, e));
    s->id = (uint32_t)id;
    return sl_json_get_int(o, "maximum", 1, INT64_MAX, &s->maximum, e);
}

static sluice_status read_alternative(struct reader *r, const json_t *o, void *out, sl_err *e)
{
    static const char *const known[] = {"name", "layer", "arrays", NULL};
    struct sl_alternative *alt = out;
    json_t *list, *item;
    size_t i;
    SL_TRY(sl_known_keys(o, known, e));
    SL_TRY(get_text(r, o, "name", &alt->name, e));
    if (!sl_har_name_ok(alt->name))
        return sl_fail(e, SLUICE_E_VALUE, "'%s' is not a valid name", alt->name);
    SL_TRY(get_layer(r, o, &alt->layer, e));
    SL_TRY(sl_json_get_array(o, "arrays", &list, e));
    if (json_array_size(list) > SL_HAR_MOST_ARRAYS)
        return sl_fail(e, SLUICE_E_LIMIT, "%zu arrays are more than %d", json_array_size(list), SL_HAR_MOST_ARRAYS);
    alt->n_params = (int)json_array_size(list);
    alt->params = SL_NEW_ARRAY(r->g->arena, struct sl_param, alt->n_params);
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        if (!name || !sl_har_name_ok(name))
            return sl_fail(e, SLUICE_E_FORMAT, "entry %zu of 'arrays' is not a name", i);
        alt->params[i].name = sl_arena_strdup(r->g->arena, name);
    }
    return SLUICE_OK;
}

typedef sluice_status read_item(struct reader *r, const json_t *o, void *out, sl_err *e);

static sluice_status read_list(struct reader *r, const json_t *stage, const char *key, read_item *read, size_t size, void **out,
                               int *n, sl_err *e)
{
    json_t *list;
    SL_TRY(sl_json_get_array(stage, key, &list, e));
    size_t count = json_array_size(list);
    if (count > SL_HAR_MOST_EXTRAS)
        return sl_fail(e, SLUICE_E_LIMIT, "'%s' has %zu entries, more than %d", key, count, SL_HAR_MOST_EXTRAS);
    uint8_t *items = sl_arena_must_alloc(r->g->arena, sl_mul_or_abort(count, size));
    for (size_t i = 0; i < count; i++)
        if (read(r, json_array_get(list, i), items + i * size, e) != SLUICE_OK)
            return sl_context(e, "'%s' entry %zu", key, i);
    *out = items;
    *n = (int)count;
    return SLUICE_OK;
}

sluice_status sl_extras_read(struct sl_graph *g, const json_t *stage, sl_err *e)
{
    struct reader r = {.g = g, .layers = sl_map_new(g->arena)};
    void *inputs = NULL, *outputs = NULL, *states = NULL, *scalars = NULL, *alternatives = NULL;
    for (int i = 0; i < g->n_nodes; i++)
        sl_map_set(r.layers, sl_arena_printf(g->arena, "%s/%s", g->nodes[i]->scope, g->nodes[i]->name), g->nodes[i]);
    SL_TRY(read_list(&r, stage, "inputs", read_port, sizeof(struct sl_port), &inputs, &g->n_inputs, e));
    SL_TRY(read_list(&r, stage, "outputs", read_port, sizeof(struct sl_port), &outputs, &g->n_outputs, e));
    SL_TRY(read_list(&r, stage, "states", read_state, sizeof(struct sl_state), &states, &g->n_states, e));
    SL_TRY(read_list(&r, stage, "scalars", read_scalar, sizeof(struct sl_scalar), &scalars, &g->n_scalars, e));
    SL_TRY(read_list(&r, stage, "alternatives", read_alternative, sizeof(struct sl_alternative), &alternatives,
                     &g->n_alternatives, e));
    g->inputs = inputs;
    g->outputs = outputs;
    g->states = states;
    g->scalars = scalars;
    g->alternatives = alternatives;
    return SLUICE_OK;
}
