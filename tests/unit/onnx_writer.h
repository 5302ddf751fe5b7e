/* onnx_writer.h: ONNX files made byte by byte, for tests: a writer of protobuf, just enough for small models. */
#ifndef SL_TESTS_ONNX_WRITER_H
#define SL_TESTS_ONNX_WRITER_H

#include "base/compiler.h"
#include "base/strings.h"
#include "onnx/onnx.h"

static void put_int(struct sl_buffer *b, unsigned field, uint64_t v)
{
    sl_put_varint(b, field << 3);
    sl_put_varint(b, v);
}

static void put_bytes(struct sl_buffer *b, unsigned field, const void *data, size_t n)
{
    sl_put_varint(b, field << 3 | 2);
    sl_put_varint(b, n);
    sl_put(b, data, n);
}

static void put_text(struct sl_buffer *b, unsigned field, const char *s)
{
    put_bytes(b, field, s, strlen(s));
}

/* The message `m` as a field, and forgotten. */
static void put_message(struct sl_buffer *b, unsigned field, struct sl_buffer *m)
{
    put_bytes(b, field, m->data, m->size);
    sl_buffer_free(m);
    *m = (struct sl_buffer){0};
}

struct model {
    struct sl_buffer graph, rest;
};

static void value(struct model *m, unsigned field, const char *name, int rank, const int64_t *dims)
{
    struct sl_buffer shape = {0}, dim = {0}, tensor = {0}, type = {0}, info = {0};
    for (int i = 0; i < rank; i++) {
        if (dims[i] == -1)
            put_text(&dim, 2, "n");
        else
            put_int(&dim, 1, (uint64_t)dims[i]);
        put_message(&shape, 1, &dim);
    }
    put_int(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(&m->graph, field, &info);
}

SL_UNUSED static void put_int_list(struct sl_buffer *n, const char *name, int count, const int64_t *v)
{
    struct sl_buffer at = {0};
    put_text(&at, 1, name);
    for (int i = 0; i < count; i++)
        put_int(&at, 8, (uint64_t)v[i]);
    put_int(&at, 20, 7);
    put_message(n, 5, &at);
}

SL_UNUSED static void node(struct model *m, const char *op, const char *name, const char *in0, const char *in1, const char *out)
{
    struct sl_buffer n = {0};
    if (in0)
        put_text(&n, 1, in0);
    if (in1)
        put_text(&n, 1, in1);
    put_text(&n, 2, out);
    put_text(&n, 3, name);
    put_text(&n, 4, op);
    put_message(&m->graph, 1, &n);
}

SL_UNUSED static void initializer(struct model *m, const char *name, int type, int rank, const int64_t *dims, const void *data,
                                  size_t bytes)
{
    struct sl_buffer t = {0};
    for (int i = 0; i < rank; i++)
        put_int(&t, 1, (uint64_t)dims[i]);
    put_int(&t, 2, (uint64_t)type);
    put_text(&t, 8, name);
    put_bytes(&t, 9, data, bytes);
    put_message(&m->graph, 5, &t);
}

static void opset(struct model *m, int64_t version)
{
    struct sl_buffer o = {0};
    put_text(&o, 1, "");
    put_int(&o, 2, (uint64_t)version);
    put_message(&m->rest, 8, &o);
}

/* The whole file; the parts are freed. */
static struct sl_buffer model_file(struct model *m)
{
    struct sl_buffer file = {0};
    put_int(&file, 1, 8);
    put_message(&file, 7, &m->graph);
    sl_put(&file, m->rest.data, m->rest.size);
    sl_buffer_free(&m->rest);
    return file;
}

#endif
