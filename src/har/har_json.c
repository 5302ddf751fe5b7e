/* har_json.c: small JSON helpers of HAR reading and writing. */
#include <string.h>

#include "har/har_private.h"

const struct sl_har_stage sl_har_stages[SL_HAR_STAGES] = {
    {SL_STAGE_NATIVE, "native", ".native.hn", ".npz"},
    {SL_STAGE_FP_OPTIMIZED, "fp_optimized", ".fp.hn", ".fp.npz"},
    {SL_STAGE_QUANTIZED, "quantized", ".q.hn", ".q.npz"},
};

struct sl_graph **sl_har_stage_graph(struct sl_model *m, int stage)
{
    return stage == SL_STAGE_NATIVE ? &m->native : stage == SL_STAGE_FP_OPTIMIZED ? &m->fp_optimized : &m->quantized;
}

void sl_put_json(struct sl_builder *b, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) {
        if (!b->failed && value)
            b->bad_text = key; /* the value could be made, so it is the key */
        b->failed = true;
    }
}

void sl_push_json(struct sl_builder *b, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        b->failed = true;
}

json_t *sl_text_json(struct sl_builder *b, const char *s)
{
    json_t *j = json_string(s);
    if (!j && !b->failed)
        b->bad_text = s;
    b->failed = b->failed || !j;
    return j;
}

json_t *sl_texts_json(struct sl_builder *b, int n, const char *const *s)
{
    json_t *array = json_array();
    for (int i = 0; i < n; i++)
        sl_push_json(b, array, sl_text_json(b, s[i]));
    return array;
}

json_t *sl_dims_json(const struct sl_shape *s, bool open_batch)
{
    json_t *array = json_array();
    for (int i = 0; i < s->rank; i++) {
        bool open = open_batch && i == 0 && s->rank >= 2 && s->dim[0] == 1;
        json_array_append_new(array, json_integer(open ? -1 : s->dim[i]));
    }
    return array;
}

sluice_status sl_builder_end(const struct sl_builder *b, sl_err *e)
{
    if (b->failed && b->bad_text)
        return sl_fail(e, SLUICE_E_VALUE, "the name '%s' is not valid UTF-8", b->bad_text);
    return b->failed ? sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing JSON") : SLUICE_OK;
}

bool sl_har_name_ok(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || strchr("/:@", name[i]))
            return false;
    return n > 0 && n <= 255;
}

sluice_status sl_dims_from_json(const json_t *array, bool open_batch, struct sl_shape *out, sl_err *e)
{
    static const json_int_t largest = (json_int_t)1 << 46;
    size_t i, elements;
    json_t *item;
    if (!json_is_array(array))
        return sl_fail(e, SLUICE_E_FORMAT, "a shape is not an array");
    if (json_array_size(array) > SL_MAX_RANK)
        return sl_fail(e, SLUICE_E_LIMIT, "a shape has %zu dimensions, more than %d", json_array_size(array), SL_MAX_RANK);
    *out = (struct sl_shape){.rank = (int)json_array_size(array)};
    json_array_foreach(array, i, item)
    {
        json_int_t v = json_integer_value(item);
        if (!json_is_integer(item))
            return sl_fail(e, SLUICE_E_FORMAT, "dimension %zu of a shape is not an integer", i);
        if (v == -1 && open_batch && i == 0 && out->rank >= 2)
            v = 1;
        if (v < 0 || v > largest)
            return sl_fail(e, SLUICE_E_VALUE, "dimension %zu of a shape is %lld, not in 0..2^46", i, (long long)v);
        out->dim[i] = v;
    }
    if (!sl_shape_count(out, &elements))
        return sl_fail(e, SLUICE_E_LIMIT, "a shape has more than 2^46 elements");
    return SLUICE_OK;
}

sluice_status sl_get_dims(const json_t *o, const char *key, bool open_batch, struct sl_shape *out, sl_err *e)
{
    json_t *array;
    SL_TRY(sl_json_get_array(o, key, &array, e));
    if (sl_dims_from_json(array, open_batch, out, e) != SLUICE_OK)
        return sl_context(e, "'%s'", key);
    return SLUICE_OK;
}

sluice_status sl_get_dtype(const json_t *o, const char *key, enum sl_dtype *out, sl_err *e)
{
    const char *name;
    SL_TRY(sl_json_get_string(o, key, &name, e));
    *out = sl_dtype_from_name(name);
    return *out != SL_NONE ? SLUICE_OK : sl_fail(e, SLUICE_E_VALUE, "'%s' is '%s', which is no element type", key, name);
}

sluice_status sl_known_keys(const json_t *o, const char *const *known, sl_err *e)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    while (known[n])
        n++;
    json_object_foreach((json_t *)o, key, value)
    {
        size_t i = 0;
        while (i < n && strcmp(known[i], key) != 0)
            i++;
        if (i < n)
            continue;
        const char *near = sl_nearest(key, known, n);
        sl_fail(e, SLUICE_E_FORMAT, "key '%s' is not known", key);
        return near ? sl_hint(e, "did you mean '%s'?", near) : e->code;
    }
    return SLUICE_OK;
}

/* The stage whose graph a model of a state must have; -1: none. A slim compiled model may hold nothing but its HEF. */
static int stage_of_state(enum sl_model_state s)
{
    switch (s) {
    case SL_MODEL_HAILO_MODEL:
        return SL_STAGE_NATIVE;
    case SL_MODEL_FP_OPTIMIZED_MODEL:
        return SL_STAGE_FP_OPTIMIZED;
    case SL_MODEL_QUANTIZED_MODEL:
    case SL_MODEL_QUANTIZED_BASE_MODEL:
    case SL_MODEL_QUANTIZED_SLIM_MODEL:
    case SL_MODEL_COMPILED_MODEL:
        return SL_STAGE_QUANTIZED;
    default:
        return -1;
    }
}

sluice_status sl_har_check_state(const struct sl_model *m, sl_err *e)
{
    int stage = stage_of_state(m->state);
    if (stage >= 0 && !*sl_har_stage_graph((struct sl_model *)m, stage))
        return sl_fail(e, SLUICE_E_FORMAT, "the state is %s, but there is no stage '%s'", sl_model_state_name(m->state),
                       sl_har_stages[stage].name);
    return SLUICE_OK;
}
