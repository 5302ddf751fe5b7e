/*
 * onnx_const.c: TensorProto -> constants. float32 and integers in raw form stay views of the file where they are aligned; half,
 * bfloat16 and double become float32. External data must lie inside the model's folder. Also moves constants' axes.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "onnx/onnx_import.h"
#include "ops/values.h"

/* TensorProto.DataType, in its order. */
static const struct {
    const char *name;
    enum sl_dtype declared, stored;
    int bits;
} types[] = {
    {"undefined", SL_NONE, SL_NONE, 0},
    {"float", SL_F32, SL_F32, 32},
    {"uint8", SL_U8, SL_U8, 8},
    {"int8", SL_S8, SL_S8, 8},
    {"uint16", SL_U16, SL_U16, 16},
    {"int16", SL_S16, SL_S16, 16},
    {"int32", SL_S32, SL_S32, 32},
    {"int64", SL_S64, SL_S64, 64},
    {"string", SL_NONE, SL_NONE, 0},
    {"bool", SL_BOOL, SL_BOOL, 8},
    {"float16", SL_F16, SL_F32, 16},
    {"double", SL_F64, SL_F32, 64},
    {"uint32", SL_U32, SL_U32, 32},
    {"uint64", SL_U64, SL_U64, 64},
    {"complex64", SL_NONE, SL_NONE, 0},
    {"complex128", SL_NONE, SL_NONE, 0},
    {"bfloat16", SL_BF16, SL_F32, 16},
    {"float8e4m3fn", SL_NONE, SL_NONE, 0},
    {"float8e4m3fnuz", SL_NONE, SL_NONE, 0},
    {"float8e5m2", SL_NONE, SL_NONE, 0},
    {"float8e5m2fnuz", SL_NONE, SL_NONE, 0},
    {"uint4", SL_U8, SL_U8, 4},
    {"int4", SL_S8, SL_S8, 4},
    {"float4e2m1", SL_NONE, SL_NONE, 0},
};
enum {
    TYPE_FLOAT = 1,
    TYPE_UINT8 = 2,
    TYPE_INT32 = 6,
    TYPE_INT64 = 7,
    TYPE_FLOAT16 = 10,
    TYPE_DOUBLE = 11,
    TYPE_UINT32 = 12,
    TYPE_UINT64 = 13,
    TYPE_BFLOAT16 = 16,
    TYPE_UINT4 = ONNX_TYPE_UINT4,
    TYPE_INT4 = ONNX_TYPE_INT4
};
enum { FIELD_FLOAT = 4, FIELD_INT32 = 5, FIELD_INT64 = 7, FIELD_DOUBLE = 10, FIELD_UINT64 = 11 };

static bool type_in_range(int32_t t)
{
    return t >= 0 && (size_t)t < SL_COUNT(types);
}

enum sl_dtype onnx_dtype(int32_t t)
{
    return type_in_range(t) ? types[t].declared : SL_NONE;
}

enum sl_dtype onnx_stored_dtype(int32_t t)
{
    return type_in_range(t) ? types[t].stored : SL_NONE;
}

const char *onnx_dtype_name(int32_t t)
{
    return type_in_range(t) ? types[t].name : "unknown";
}

/* ---- external data ---- */

/* A file beside the model: relative, no "..", and still inside the folder after symbolic links. */
static sluice_status map_external(struct onnx_import *c, const struct onnx_tensor *t, struct sl_view *out)
{
    struct sl_view *known = sl_map_get(c->files, t->location);
    if (known) {
        *out = *known;
        return SLUICE_OK;
    }
    const char *s = t->location;
    bool climbs = strcmp(s, "..") == 0 || sl_starts_with(s, "../") || strstr(s, "/../") || sl_ends_with(s, "/..");
    if (!s[0] || s[0] == '/' || climbs)
        return sl_fail(c->e, SLUICE_E_VALUE, "tensor '%s': external data '%s' is not a relative path inside the model's folder",
                       t->name, s);
    const char *path = sl_path_join(c->a, c->directory, s);
    char folder[PATH_MAX], file[PATH_MAX];
    if (!realpath(c->directory, folder) || !realpath(path, file)) {
        sl_fail_errno(c->e, "external data", path);
        return sl_hint(c->e, "the model keeps weights in '%s': put that file beside it", s);
    }
    size_t n = strlen(folder);
    if (strncmp(folder, file, n) != 0 || (file[n] != '/' && strcmp(folder, "/") != 0))
        return sl_fail(c->e, SLUICE_E_VALUE, "tensor '%s': external data '%s' lies outside the model's folder", t->name, s);
    SL_TRY(sl_map_file(c->a, path, out, c->e));
    known = SL_NEW(c->a, struct sl_view);
    *known = *out;
    sl_map_set(c->files, t->location, known);
    return SLUICE_OK;
}

static sluice_status raw_bytes(struct onnx_import *c, const struct onnx_tensor *t, size_t need, struct sl_view *out)
{
    if (!t->external) {
        *out = t->raw;
    } else {
        struct sl_view file;
        SL_TRY(map_external(c, t, &file));
        size_t length = t->length ? (size_t)t->length : need;
        if (t->offset > file.size || length > file.size - t->offset)
            return sl_fail(c->e, SLUICE_E_FORMAT,
                           "tensor '%s': external data '%s' has %zu bytes, %zu at offset %llu are wanted", t->name, t->location,
                           file.size, length, (unsigned long long)t->offset);
        *out = (struct sl_view){file.data + t->offset, length};
    }
    if (out->size != need)
        return sl_fail(c->e, SLUICE_E_FORMAT, "tensor '%s': %zu bytes of data, its shape and type need %zu", t->name, out->size,
                       need);
    return SLUICE_OK;
}

int32_t onnx_type_of(enum sl_dtype t)
{
    for (int32_t i = 1; i < (int32_t)SL_COUNT(types); i++)
        if (types[i].declared == t)
            return i;
    return 0;
}

sluice_status onnx_tensor_bytes(struct onnx_import *c, const struct onnx_tensor *t, struct sl_view *out)
{
    size_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0 || !sl_mul_size(n, (size_t)t->dims[i], &n))
            return sl_fail(c->e, SLUICE_E_SHAPE, "tensor '%s': the dimensions have no size", t->name);
    if (!type_in_range(t->data_type) || !types[t->data_type].bits || !sl_mul_size(n, (size_t)types[t->data_type].bits, &n))
        return sl_fail(c->e, SLUICE_E_UNSUPPORTED, "tensor '%s' of type %s cannot be copied", t->name,
                       onnx_dtype_name(t->data_type));
    return raw_bytes(c, t, n / 8 + (n % 8 != 0), out);
}

/* ---- payloads ---- */

/* 4-bit integers, the lower half of a byte first. */
static void unpack_nibbles(const uint8_t *raw, size_t n, bool is_signed, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t v = raw[i / 2] >> (i % 2 * 4) & 15;
        out[i] = is_signed ? (uint8_t)((v ^ 8) - 8) : v;
    }
}

static void store_scalar(int32_t type, void *data, size_t i, uint64_t v)
{
    switch (type) {
    case TYPE_FLOAT16:
    case TYPE_BFLOAT16:
        sl_values_unpack(types[type].declared, &(uint16_t){(uint16_t)v}, 1, (float *)data + i);
        break;
    default:
        switch (sl_dtype_bits(types[type].stored)) {
        case 8:
            ((uint8_t *)data)[i] = (uint8_t)v;
            break;
        case 16:
            ((uint16_t *)data)[i] = (uint16_t)v;
            break;
        case 32:
            ((uint32_t *)data)[i] = (uint32_t)v;
            break;
        default:
            ((uint64_t *)data)[i] = v;
            break;
        }
    }
}

static uint32_t typed_field(int32_t type)
{
    switch (type) {
    case TYPE_FLOAT:
        return FIELD_FLOAT;
    case TYPE_DOUBLE:
        return FIELD_DOUBLE;
    case TYPE_INT64:
        return FIELD_INT64;
    case TYPE_UINT32:
    case TYPE_UINT64:
        return FIELD_UINT64;
    default:
        return FIELD_INT32;
    }
}

/* One wire element (a packed run or a single value) of the typed field. Returns how many were stored; too many is counted too.
 */
static size_t take_typed(const struct onnx_tensor *t, const struct sl_field *f, size_t at, size_t n, void *data)
{
    bool fixed = t->data_type == TYPE_FLOAT || t->data_type == TYPE_DOUBLE;
    bool nibbles = t->data_type == TYPE_UINT4 || t->data_type == TYPE_INT4;
    struct sl_reader r = sl_reader_of(f->bytes.data, f->bytes.size);
    size_t start = at;
    do {
        uint64_t v = f->wire != SL_WIRE_LEN       ? f->value
                     : !fixed                     ? sl_read_varint(&r)
                     : t->data_type == TYPE_FLOAT ? sl_read_u32(&r)
                                                  : sl_read_u64(&r);
        if (r.bad)
            break;
        for (int half = 0; half < (nibbles ? 2 : 1) && at < n; half++, at++) {
            uint64_t x = nibbles ? v >> (4 * half) & 15 : v;
            if (t->data_type == TYPE_INT4)
                x = (x ^ 8) - 8;
            if (t->data_type == TYPE_DOUBLE) {
                double d;
                memcpy(&d, &x, sizeof d);
                ((float *)data)[at] = (float)d;
            } else {
                store_scalar(t->data_type, data, at, x);
            }
        }
    } while (f->wire == SL_WIRE_LEN && sl_left(&r) && at < n);
    return at - start + (sl_left(&r) ? 1 : 0);
}

static sluice_status read_typed(struct onnx_import *c, const struct onnx_tensor *t, size_t n, void *data)
{
    uint32_t number = typed_field(t->data_type);
    struct sl_reader r = sl_reader_of(t->message.data, t->message.size);
    struct sl_field f;
    size_t at = 0;
    while (at <= n && sl_next_field(&r, &f))
        if (f.number == number && !(f.wire == SL_WIRE_LEN && f.bytes.size == 0))
            at += at < n ? take_typed(t, &f, at, n, data) : 1;
    if (at != n)
        return sl_fail(c->e, SLUICE_E_FORMAT, "tensor '%s': %s values than its shape needs (%zu of type %s)", t->name,
                       at > n ? "more" : "fewer", n, onnx_dtype_name(t->data_type));
    return SLUICE_OK;
}

static sluice_status tensor_shape(struct onnx_import *c, const struct onnx_tensor *t, struct sl_shape *s, size_t *n)
{
    if (onnx_stored_dtype(t->data_type) == SL_NONE)
        return sl_unsupported(c->b, "tensor '%s' has type %s (%d)", t->name, onnx_dtype_name(t->data_type), t->data_type);
    if (t->n_dims > SL_MAX_RANK)
        return sl_unsupported(c->b, "tensor '%s' has %d dimensions, at most %d are supported", t->name, t->n_dims, SL_MAX_RANK);
    *s = sl_shape_of(t->n_dims, t->dims);
    if (!sl_shape_count(s, n)) {
        char text[160];
        return sl_fail(c->e, SLUICE_E_SHAPE, "tensor '%s': shape %s is negative somewhere or too large", t->name,
                       sl_shape_text(s, text, sizeof text));
    }
    return SLUICE_OK;
}

static sluice_status new_const(struct onnx_import *c, sl_arena *a, const char *name, enum sl_dtype type,
                               const struct sl_shape *s, const struct sl_const **out, void **data)
{
    *out = sl_const_new(a, type, s, data);
    return *out ? SLUICE_OK : sl_fail(c->e, SLUICE_E_MEMORY, "no memory for tensor '%s'", name);
}

static sluice_status tensor_const(struct onnx_import *c, sl_arena *a, const struct onnx_tensor *t, bool any_alignment,
                                  const struct sl_const **out)
{
    struct sl_shape s;
    size_t n;
    SL_TRY(tensor_shape(c, t, &s, &n));
    enum sl_dtype stored = types[t->data_type].stored;
    size_t need = (n * (size_t)types[t->data_type].bits + 7) / 8;
    void *data;
    if (!t->has_raw && !t->external) {
        if (n > t->message.size * 2) /* each value takes at least one byte in the file, or half of one */
            return sl_fail(c->e, SLUICE_E_FORMAT, "tensor '%s': fewer values than its shape needs (%zu)", t->name, n);
        SL_TRY(new_const(c, a, t->name, stored, &s, out, &data));
        return read_typed(c, t, n, data);
    }
    struct sl_view raw = {0};
    SL_TRY(raw_bytes(c, t, need, &raw));
    if (types[t->data_type].bits == 4) {
        SL_TRY(new_const(c, a, t->name, stored, &s, out, &data));
        unpack_nibbles(raw.data, n, t->data_type == TYPE_INT4, data);
        return SLUICE_OK;
    }
    if (types[t->data_type].declared != stored) {
        SL_TRY(new_const(c, a, t->name, stored, &s, out, &data));
        sl_values_unpack(types[t->data_type].declared, raw.data, n, data);
        return SLUICE_OK;
    }
    if ((any_alignment || (uintptr_t)raw.data % (sl_dtype_bits(stored) / 8) == 0) && n > 0) {
        *out = sl_const_view(a, stored, &s, raw.data);
        return SLUICE_OK;
    }
    SL_TRY(new_const(c, a, t->name, stored, &s, out, &data));
    if (need)
        memcpy(data, raw.data, need);
    return SLUICE_OK;
}

sluice_status onnx_tensor_const(struct onnx_import *c, sl_arena *a, const struct onnx_tensor *t, const struct sl_const **out)
{
    return tensor_const(c, a, t, false, out);
}

sluice_status onnx_tensor_view(struct onnx_import *c, sl_arena *a, const struct onnx_tensor *t, const struct sl_const **out)
{
    return tensor_const(c, a, t, true, out);
}

/* Values and their positions: indices [nnz] are linear, [nnz, rank] are by axis. */
sluice_status onnx_sparse_const(struct onnx_import *c, sl_arena *a, const struct onnx_sparse *sp, const struct sl_const **out)
{
    const struct onnx_tensor shape_only = {
        .name = sp->values.name, .data_type = sp->values.data_type, .n_dims = sp->n_dims, .dims = sp->dims};
    const struct sl_const *values, *indices;
    struct sl_shape s;
    size_t n;
    void *data;
    SL_TRY(tensor_shape(c, &shape_only, &s, &n));
    SL_TRY(onnx_tensor_const(c, a, &sp->values, &values));
    SL_TRY(onnx_tensor_const(c, a, &sp->indices, &indices));
    size_t nnz = sl_shape_elements(&values->shape), per = indices->shape.rank == 2 ? (size_t)s.rank : 1;
    if (indices->dtype != SL_S64 || indices->shape.rank < 1 || indices->shape.rank > 2 ||
        sl_shape_elements(&indices->shape) != nnz * per)
        return sl_fail(c->e, SLUICE_E_FORMAT, "sparse tensor '%s': indices do not fit its %zu values", sp->values.name, nnz);
    SL_TRY(new_const(c, a, sp->values.name, values->dtype, &s, out, &data));
    size_t size = sl_dtype_bits(values->dtype) / 8;
    for (size_t i = 0; i < nnz; i++) {
        size_t at = 0;
        for (size_t k = 0; k < per; k++) {
            int64_t v = sl_const_integer(indices, i * per + k),
                    limit = per == 1 && indices->shape.rank == 1 ? (int64_t)n : s.dim[k];
            if (v < 0 || v >= limit)
                return sl_fail(c->e, SLUICE_E_VALUE, "sparse tensor '%s': index %lld is outside 0..%lld", sp->values.name,
                               (long long)v, (long long)limit - 1);
            at = at * (size_t)limit + (size_t)v;
        }
        memcpy((uint8_t *)data + at * size, (const uint8_t *)values->data + i * size, size);
    }
    return SLUICE_OK;
}
