/* tflite_values.c: how a translate function sees its operator: inputs as nodes or constants, and where results go. */
#include <string.h>

#include "ops/values.h"
#include "tflite/tflite_import.h"

/* ---- types ---- */

enum sl_dtype tfl_dtype(enum tfl_type t)
{
    static const enum sl_dtype types[TFL_TYPE_COUNT] = {
        [TFL_FLOAT32] = SL_F32, [TFL_FLOAT16] = SL_F16, [TFL_BFLOAT16] = SL_BF16, [TFL_FLOAT64] = SL_F64, [TFL_INT8] = SL_S8,
        [TFL_UINT8] = SL_U8,    [TFL_INT16] = SL_S16,   [TFL_UINT16] = SL_U16,    [TFL_INT32] = SL_S32,   [TFL_UINT32] = SL_U32,
        [TFL_INT64] = SL_S64,   [TFL_UINT64] = SL_U64,  [TFL_BOOL] = SL_BOOL,     [TFL_INT4] = SL_S4};
    return types[t];
}

bool tfl_is_quantized(const struct tfl_tensor *t)
{
    return t->n_scales > 0 && (t->type == TFL_INT8 || t->type == TFL_UINT8 || t->type == TFL_INT16 || t->type == TFL_INT4);
}

enum sl_dtype tfl_stored_dtype(const struct tfl_tensor *t)
{
    enum sl_dtype d = tfl_dtype(t->type);
    return tfl_is_quantized(t) || sl_dtype_is_float(d) ? SL_F32 : d;
}

struct sl_quant tfl_encoding(const struct tfl_tensor *t)
{
    struct sl_quant q = {.dtype = SL_NONE};
    int32_t shift = t->type == TFL_INT8 ? 128 : t->type == TFL_INT16 ? 32768 : 0;
    if (t->n_scales != 1 || !(t->scales[0] > 0) || (t->type != TFL_INT8 && t->type != TFL_UINT8 && t->type != TFL_INT16))
        return q;
    int64_t zero = t->zero_points[0] + shift, most = t->type == TFL_INT16 ? 65535 : 255;
    if (zero < 0 || zero > most)
        return q;
    return (struct sl_quant){
        .dtype = t->type == TFL_INT16 ? SL_U16 : SL_U8, .scale = t->scales[0], .zero_point = (int32_t)zero};
}

/* ---- constants ---- */

static sluice_status check_channels(struct tfl_import *c, const struct tfl_tensor *t)
{
    if (t->n_scales <= 1 ||
        !tfl_is_quantized(t)) /* biases have the scales of their weights, and the axis some writer left there */
        return SLUICE_OK;
    if (t->channel_axis < 0 || t->channel_axis >= t->shape.rank || t->shape.dim[t->channel_axis] != t->n_scales)
        return sl_fail(c->e, SLUICE_E_FORMAT,
                       "tensor '%s' has %d scales along axis %d, its shape has no axis of that size there", t->name,
                       t->n_scales, t->channel_axis);
    return SLUICE_OK;
}

static int64_t stored_integer(const struct tfl_tensor *t, size_t i)
{
    if (t->type == TFL_INT4) {
        int nibble = t->data.data[i / 2] >> (i % 2 ? 4 : 0) & 15;
        return nibble < 8 ? nibble : nibble - 16;
    }
    if (t->type == TFL_INT16) {
        int16_t v;
        memcpy(&v, t->data.data + 2 * i, sizeof v);
        return v;
    }
    return t->type == TFL_UINT8 ? (int64_t)t->data.data[i] : (int64_t)(int8_t)t->data.data[i];
}

static void dequantize(const struct tfl_tensor *t, size_t n, float *out)
{
    struct sl_lines l = {0};
    if (t->n_scales > 1)
        l = sl_shape_lines(&t->shape, t->channel_axis);
    for (size_t i = 0; i < n; i++) {
        size_t k = t->n_scales > 1 ? i / l.inner % l.length : 0;
        out[i] = (float)((double)t->scales[k] * (double)(stored_integer(t, i) - t->zero_points[k]));
    }
}

static sluice_status check_payload(struct tfl_import *c, const struct tfl_tensor *t, size_t *count)
{
    enum sl_dtype d = tfl_dtype(t->type);
    size_t bytes;
    if (d == SL_NONE)
        return sl_unsupported(c->b, "tensor '%s' has type %s", t->name, tfl_type_name(t->type));
    if (t->sparse)
        return sl_unsupported(c->b, "tensor '%s' is sparse; convert the model without sparsity", t->name);
    if (!sl_shape_count(&t->shape, count) || !sl_bytes_of(d, &t->shape, &bytes) || bytes != t->data.size) {
        char shape[160];
        return sl_fail(c->e, SLUICE_E_FORMAT, "tensor '%s' %s %s has %zu bytes in the file", t->name, tfl_type_name(t->type),
                       sl_shape_text(&t->shape, shape, sizeof shape), t->data.size);
    }
    return check_channels(c, t);
}

sluice_status tfl_tensor_const(struct tfl_import *c, const struct tfl_tensor *t, const struct sl_const **out)
{
    size_t n;
    void *data;
    SL_TRY(check_payload(c, t, &n));
    enum sl_dtype declared = tfl_dtype(t->type), stored = tfl_stored_dtype(t);
    size_t align = sl_dtype_bits(declared) / 8;
    if (stored == declared && stored != SL_S4 && align && (uintptr_t)t->data.data % align == 0) {
        *out = sl_const_view(c->a, stored, &t->shape, t->data.data);
        return SLUICE_OK;
    }
    SL_TRY(sl_build_take(c->b, n));
    *out = sl_const_new(c->a, stored == SL_S4 ? SL_S8 : stored, &t->shape, &data);
    if (!*out)
        return sl_fail(c->e, SLUICE_E_MEMORY, "no memory for tensor '%s'", t->name);
    if (tfl_is_quantized(t))
        dequantize(t, n, data);
    else if (stored == SL_S4)
        for (size_t i = 0; i < n; i++)
            ((int8_t *)data)[i] = (int8_t)stored_integer(t, i);
    else if (stored == declared)
        memcpy(data, t->data.data, t->data.size);
    else
        for (size_t i = 0; i < n; i++) { /* f16, bf16, f64; unaligned ones too */
            uint64_t element = 0;
            memcpy(&element, t->data.data + i * align, align);
            ((float *)data)[i] = (float)sl_value_number(declared, &element, 0);
        }
    return SLUICE_OK;
}

/* ---- inputs ---- */

bool tfl_has_in(const struct tfl_import *c, int i)
{
    return i >= 0 && i < c->op->n_in && c->op->in[i] >= 0;
}

const struct tfl_tensor *tfl_in_tensor(const struct tfl_import *c, int i)
{
    return tfl_has_in(c, i) ? &c->model.tensors[c->op->in[i]] : NULL;
}

sluice_status tfl_value_node(struct tfl_import *c, int tensor, struct sl_node **out)
{
    struct tfl_value *v = &c->values[tensor];
    const struct tfl_tensor *t = &c->model.tensors[tensor];
    if (!v->node) {
        const struct sl_const *k;
        if (t->data.size == 0 && sl_shape_elements(&t->shape) != 0)
            return t->variable ? sl_unsupported(c->b, "tensor '%s' is state kept between runs", t->name)
                               : sl_fail(c->e, SLUICE_E_FORMAT,
                                         "tensor '%s' is made by no operator before this one and has no data", t->name);
        SL_TRY(tfl_tensor_const(c, t, &k));
        v->node = sl_build_const(c->b, k);
        v->node->quant = tfl_encoding(t);
        SL_TRY(sl_infer(c->g, v->node, c->e));
    }
    *out = v->node;
    return SLUICE_OK;
}

sluice_status tfl_in(struct tfl_import *c, int i, struct sl_node **out)
{
    *out = NULL;
    return tfl_has_in(c, i) ? tfl_value_node(c, c->op->in[i], out) : SLUICE_OK;
}

sluice_status tfl_need_const(struct tfl_import *c, int i, const char *what, const struct sl_const **out)
{
    struct sl_node *n;
    SL_TRY(tfl_in(c, i, &n));
    if (!n)
        return sl_fail(c->e, SLUICE_E_FORMAT, "input %d (%s) is missing", i, what);
    *out = sl_node_const(n);
    return *out ? SLUICE_OK
                : sl_unsupported(c->b, "input '%s' (%s) is computed at run time, it must be a constant",
                                 tfl_in_tensor(c, i)->name, what);
}

sluice_status tfl_need_ints(struct tfl_import *c, int i, const char *what, int *n, int64_t *out)
{
    const struct sl_const *k;
    SL_TRY(tfl_need_const(c, i, what, &k));
    size_t count = sl_shape_elements(&k->shape);
    if (count > 2 * SL_MAX_RANK || sl_dtype_is_float(k->dtype))
        return sl_fail(c->e, SLUICE_E_SHAPE, "%s is not a short list of integers", what);
    *n = (int)count;
    for (size_t j = 0; j < count; j++)
        out[j] = sl_const_integer(k, j);
    return SLUICE_OK;
}

/* ---- outputs ---- */

static bool same_encoding(const struct sl_quant *a, const struct sl_quant *b)
{
    return a->dtype == b->dtype && a->scale == b->scale && a->zero_point == b->zero_point;
}

sluice_status tfl_out(struct tfl_import *c, int i, struct sl_node *n)
{
    if (i >= c->op->n_out)
        return SLUICE_OK;
    struct tfl_value *v = &c->values[c->op->out[i]];
    struct sl_quant q = tfl_encoding(&c->model.tensors[c->op->out[i]]);
    if (v->node)
        return sl_fail(c->e, SLUICE_E_FORMAT, "tensor '%s' is made twice", c->model.tensors[c->op->out[i]].name);
    if (q.dtype != SL_NONE && n->op != SL_OP_const_input) {
        if (n->quant.dtype != SL_NONE && !same_encoding(&n->quant, &q)) { /* the operator changes nothing but the encoding */
            n = sl_build_add(c->b, SL_OP_requantize, 1, &n);
            SL_TRY(sl_infer(c->g, n, c->e));
        }
        n->quant = q;
        c->n_encoded++;
    }
    v->node = n;
    return SLUICE_OK;
}
