/* hn_read.c: HN JSON -> graph. Everything is checked on the way; layers may stand in any order and are sorted. Values of
 * parameters come later (har_arrays.c). */
#include <math.h>
#include <string.h>

#include "har/har_private.h"
#include "ir/grow.h"

struct reader {
    sl_arena *a;
    struct sl_graph *g;
    struct sl_map *by_name;
};

/* ---- attributes ---- */

static bool special_float(const json_t *j, double *v)
{
    const char *text = json_string_value(j);
    *v = json_real_value(j);
    if (text && strcmp(text, "inf") == 0)
        *v = INFINITY;
    else if (text && strcmp(text, "-inf") == 0)
        *v = -INFINITY;
    else
        return json_is_real(j);
    return true;
}

static sluice_status read_list(struct reader *r, struct sl_node *n, const char *name, const json_t *array, bool floats,
                               sl_err *e)
{
    size_t count = json_array_size(array);
    int64_t *ints = SL_NEW_ARRAY(r->a, int64_t, count);
    double *reals = SL_NEW_ARRAY(r->a, double, count);
    if (count > INT32_MAX)
        return sl_fail(e, SLUICE_E_LIMIT, "a list of %zu values is too long", count);
    floats = floats || json_is_real(json_array_get(array, 0));
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        ints[i] = json_integer_value(item);
        if (floats ? !special_float(item, &reals[i]) : !json_is_integer(item))
            return sl_fail(e, SLUICE_E_FORMAT, "element %zu is not %s", i, floats ? "a decimal number" : "an integer");
    }
    if (floats)
        sl_set_floats(r->g, n, name, (int)count, reals);
    else
        sl_set_ints(r->g, n, name, (int)count, ints);
    return SLUICE_OK;
}

static sluice_status read_attr(struct reader *r, struct sl_node *n, const char *name, const json_t *j, sl_err *e)
{
    const json_t *special = json_object_get(j, "float"), *list = json_object_get(j, "floats");
    double v;
    if (json_is_integer(j))
        sl_set_int(r->g, n, name, json_integer_value(j));
    else if (json_is_real(j))
        sl_set_float(r->g, n, name, json_real_value(j));
    else if (json_is_string(j))
        sl_set_string(r->g, n, name, json_string_value(j));
    else if (json_is_array(j))
        return read_list(r, n, name, j, false, e);
    else if (json_is_array(list) && json_object_size(j) == 1)
        return read_list(r, n, name, list, true, e);
    else if (special && json_object_size(j) == 1 && special_float(special, &v))
        sl_set_float(r->g, n, name, v);
    else
        return sl_fail(e, SLUICE_E_FORMAT, "the value is not a number, a string or a list of numbers");
    return SLUICE_OK;
}

/* kernel_shape of a layer with a kernel repeats the array's shape: it is no attribute. */
static sluice_status read_attrs(struct reader *r, struct sl_node *n, const json_t *layer, sl_err *e)
{
    json_t *params, *value;
    const char *name;
    bool weighted = false;
    SL_TRY(sl_json_get_object(layer, "params", &params, e));
    if (json_object_size(params) > SL_HAR_MOST_ATTRS)
        return sl_fail(e, SLUICE_E_LIMIT, "%zu entries in 'params' are more than %d", json_object_size(params),
                       SL_HAR_MOST_ATTRS);
    for (int i = 0; i < n->n_params; i++)
        weighted = weighted || strcmp(n->params[i].name, "kernel") == 0;
    json_object_foreach(params, name, value)
    {
        if (weighted && strcmp(name, "kernel_shape") == 0)
            continue;
        if (!name[0])
            return sl_fail(e, SLUICE_E_FORMAT, "an attribute has an empty name");
        if (read_attr(r, n, name, value, e) != SLUICE_OK)
            return sl_context(e, "attribute '%s'", name);
    }
    return SLUICE_OK;
}

static sluice_status read_param_names(struct reader *r, struct sl_node *n, const json_t *layer, sl_err *e)
{
    json_t *arrays = json_object_get(layer, "arrays"), *item;
    size_t i, count = json_array_size(arrays);
    if (!arrays)
        return SLUICE_OK;
    if (!json_is_array(arrays) || count > SL_HAR_MOST_ARRAYS)
        return sl_fail(e, SLUICE_E_FORMAT, "'arrays' is not a list of at most %d names", SL_HAR_MOST_ARRAYS);
    struct sl_param *params = SL_NEW_ARRAY(r->a, struct sl_param, count);
    json_array_foreach(arrays, i, item)
    {
        const char *name = json_string_value(item);
        if (!name || !sl_har_name_ok(name))
            return sl_fail(e, SLUICE_E_FORMAT, "entry %zu of 'arrays' is not a name", i);
        for (size_t k = 0; k < i; k++)
            if (strcmp(params[k].name, name) == 0)
                return sl_fail(e, SLUICE_E_FORMAT, "array '%s' is listed twice", name);
        params[i].name = sl_arena_strdup(r->a, name);
    }
    n->params = sl_grow_copy(r->a, params, (int)count, sizeof *params);
    n->n_params = (int)count;
    return SLUICE_OK;
}

/* ---- the rest of a layer ---- */

static sluice_status get_scale(const json_t *j, float *out, sl_err *e)
{
    double v = json_number_value(j);
    *out = (float)v;
    if (!json_is_number(j) || !isfinite(*out) || *out <= 0)
        return sl_fail(e, SLUICE_E_VALUE, "a scale is not a finite number above 0");
    return SLUICE_OK;
}

static sluice_status read_scales(struct reader *r, struct sl_node *n, const json_t *o, sl_err *e)
{
    json_t *list, *item;
    size_t i;
    SL_TRY(sl_json_get_array(o, "scales", &list, e));
    size_t count = json_array_size(list);
    if (count == 0 || n->shape.rank == 0 || (int64_t)count != n->shape.dim[n->shape.rank - 1])
        return sl_fail(e, SLUICE_E_SHAPE, "%zu scales do not match the last dimension", count);
    float *scales = SL_NEW_ARRAY(r->a, float, count);
    json_array_foreach(list, i, item) SL_TRY(get_scale(item, &scales[i], e));
    n->quant.scales = scales;
    n->quant.n_scales = (int)count;
    return SLUICE_OK;
}

static sluice_status read_quantization(struct reader *r, struct sl_node *n, const json_t *layer, sl_err *e)
{
    static const char *const known[] = {"dtype", "scale", "scales", "zero_point", NULL};
    int64_t zero_point;
    json_t *o;
    if (!json_object_get(layer, "quantization"))
        return SLUICE_OK;
    SL_TRY(sl_json_get_object(layer, "quantization", &o, e));
    SL_TRY(sl_known_keys(o, known, e));
    SL_TRY(sl_get_dtype(o, "dtype", &n->quant.dtype, e));
    if (n->quant.dtype != SL_U8 && n->quant.dtype != SL_U16)
        return sl_fail(e, SLUICE_E_VALUE, "'dtype' is %s, not u8 or u16", sl_dtype_name(n->quant.dtype));
    SL_TRY(sl_json_get_int(o, "zero_point", 0, n->quant.dtype == SL_U8 ? 255 : 65535, &zero_point, e));
    n->quant.zero_point = (int32_t)zero_point;
    if (json_object_get(o, "scales"))
        SL_TRY(read_scales(r, n, o, e));
    else if (!json_object_get(o, "scale"))
        return sl_fail(e, SLUICE_E_FORMAT, "'scale' is missing");
    return json_object_get(o, "scale") ? get_scale(json_object_get(o, "scale"), &n->quant.scale, e) : SLUICE_OK;
}

static sluice_status read_shape(struct sl_node *n, const json_t *layer, sl_err *e)
{
    json_t *shapes;
    n->dtype = SL_F32;
    if (json_object_get(layer, "dtype"))
        SL_TRY(sl_get_dtype(layer, "dtype", &n->dtype, e));
    SL_TRY(sl_json_get_array(layer, "output_shapes", &shapes, e));
    if (json_array_size(shapes) != 1)
        return sl_fail(e, SLUICE_E_FORMAT, "'output_shapes' has %zu shapes, not 1", json_array_size(shapes));
    return sl_dims_from_json(json_array_get(shapes, 0), true, &n->shape, e);
}

static sluice_status read_origins(struct reader *r, struct sl_node *n, const json_t *layer, sl_err *e)
{
    json_t *list, *item;
    size_t i;
    SL_TRY(sl_json_get_array(layer, "original_names", &list, e));
    n->n_origins = (int)json_array_size(list);
    const char **origins = SL_NEW_ARRAY(r->a, const char *, n->n_origins);
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) || json_string_length(item) == 0)
            return sl_fail(e, SLUICE_E_FORMAT, "entry %zu of 'original_names' is not a name", i);
        origins[i] = sl_arena_strdup(r->a, json_string_value(item));
    }
    n->origins = sl_grow_copy(r->a, origins, n->n_origins, sizeof *origins);
    return SLUICE_OK;
}

static sluice_status read_layer(struct reader *r, struct sl_node *n, const json_t *layer, sl_err *e)
{
    static const char *const known[] = {"type",  "input",          "output", "input_shapes", "output_shapes",
                                        "dtype", "original_names", "params", "arrays",       "quantization",
                                        NULL};
    SL_TRY(sl_known_keys(layer, known, e));
    SL_TRY(read_shape(n, layer, e));
    SL_TRY(read_origins(r, n, layer, e));
    SL_TRY(read_param_names(r, n, layer, e));
    SL_TRY(read_attrs(r, n, layer, e));
    if (read_quantization(r, n, layer, e) != SLUICE_OK)
        return sl_context(e, "'quantization'");
    return SLUICE_OK;
}

/* ---- layers ---- */

static const char *scope_of(const struct sl_graph *g, const char *scoped, size_t length)
{
    for (int i = 0; i < g->n_scopes; i++)
        if (strlen(g->scopes[i]) == length && memcmp(g->scopes[i], scoped, length) == 0)
            return g->scopes[i];
    return NULL;
}

/* First all nodes, so that inputs may be given in any order. */
static sluice_status add_layer(struct reader *r, const char *scoped, const json_t *layer, sl_err *e)
{
    const char *slash = strchr(scoped, '/'), *type;
    enum sl_op op;
    if (!slash || !sl_har_name_ok(slash + 1))
        return sl_fail(e, SLUICE_E_FORMAT, "a layer's name has the form 'network/layer'");
    const char *scope = scope_of(r->g, scoped, (size_t)(slash - scoped));
    if (!scope)
        return sl_fail(e, SLUICE_E_FORMAT, "its network is not in 'net_scopes'");
    SL_TRY(sl_json_get_string(layer, "type", &type, e));
    if (!sl_op_from_name(type, &op))
        return sl_fail(e, SLUICE_E_FORMAT, "type '%s' is not known", type);
    struct sl_node *n = sl_graph_add(r->g, op, 0, NULL);
    n->scope = scope;
    n->name = sl_arena_strdup(r->a, slash + 1);
    sl_map_set(r->by_name, sl_arena_strdup(r->a, scoped), n);
    return read_layer(r, n, layer, e);
}

static sluice_status link_inputs(struct reader *r, struct sl_node *n, const json_t *layer, sl_err *e)
{
    json_t *list, *item;
    size_t i;
    SL_TRY(sl_json_get_array(layer, "input", &list, e));
    n->n_in = (int)json_array_size(list);
    n->in = SL_NEW_ARRAY(r->a, struct sl_node *, n->n_in);
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        n->in[i] = name ? sl_map_get(r->by_name, name) : NULL;
        if (!n->in[i])
            return sl_fail(e, SLUICE_E_FORMAT, "input '%s' is not a layer", name ? name : "(not a string)");
    }
    return SLUICE_OK;
}

static sluice_status read_layers(struct reader *r, json_t *layers, sl_err *e)
{
    const char *name;
    json_t *layer;
    int at = 0;
    json_object_foreach(layers, name, layer) if (add_layer(r, name, layer, e) != SLUICE_OK) return sl_context(e, "layer '%s'",
                                                                                                              name);
    json_object_foreach(layers, name, layer) if (link_inputs(r, r->g->nodes[at++], layer, e) !=
                                                 SLUICE_OK) return sl_context(e, "layer '%s'", name);
    return sl_graph_sort(r->g, e);
}

static sluice_status read_scopes(struct sl_graph *g, const json_t *net, sl_err *e)
{
    json_t *list, *item;
    size_t i;
    SL_TRY(sl_json_get_array(net, "net_scopes", &list, e));
    if (json_array_size(list) == 0 || json_array_size(list) > SL_HAR_MOST_EXTRAS)
        return sl_fail(e, SLUICE_E_FORMAT, "'net_scopes' has %zu networks, not 1 to %d", json_array_size(list),
                       SL_HAR_MOST_EXTRAS);
    g->scopes = SL_NEW_ARRAY(g->arena, const char *, json_array_size(list));
    g->n_scopes = 0;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        if (!name || !sl_har_name_ok(name) || scope_of(g, name, strlen(name)))
            return sl_fail(e, SLUICE_E_FORMAT, "entry %zu of 'net_scopes' is not a name of its own", i);
        g->scopes[g->n_scopes++] = i == 0 && strcmp(name, g->name) == 0 ? g->name : sl_arena_strdup(g->arena, name);
    }
    return SLUICE_OK;
}

static sluice_status read_net_params(struct sl_graph *g, const json_t *hn, sl_err *e)
{
    static const char *const known[] = {"version", "stage", "net_scopes", "output_layers_order", NULL};
    json_t *net;
    const char *stage;
    int found = -1;
    SL_TRY(sl_json_get_object(hn, "net_params", &net, e));
    SL_TRY(sl_known_keys(net, known, e));
    SL_TRY(sl_json_get_string(net, "stage", &stage, e));
    for (int i = 0; i < SL_HAR_STAGES; i++)
        if (strcmp(stage, sl_har_stages[i].name) == 0)
            found = i;
    if (found < 0)
        return sl_fail(e, SLUICE_E_VALUE, "'stage' is '%s', not native, fp_optimized or quantized", stage);
    g->stage = (enum sl_stage)found;
    return read_scopes(g, net, e);
}

sluice_status sl_hn_read(sl_arena *a, const json_t *hn, struct sl_graph **out, sl_err *e)
{
    static const char *const known[] = {"name", "net_params", "layers", NULL};
    const char *name;
    json_t *layers;
    SL_TRY(sl_json_get_string(hn, "name", &name, e));
    SL_TRY(sl_known_keys(hn, known, e));
    if (!sl_har_name_ok(name))
        return sl_fail(e, SLUICE_E_VALUE, "the network's name '%s' is not valid", name);
    struct reader r = {.a = a, .g = sl_graph_new(a, name), .by_name = sl_map_new(a)};
    SL_TRY(read_net_params(r.g, hn, e));
    SL_TRY(sl_json_get_object(hn, "layers", &layers, e));
    SL_TRY(read_layers(&r, layers, e));
    *out = r.g;
    return SLUICE_OK;
}
