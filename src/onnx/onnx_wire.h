/*
 * onnx_wire.h: scalars, strings, lists and tensors of ONNX messages, read within a budget: what the readers of larger messages
 * (onnx_proto.c) are made of.
 */
#ifndef SL_ONNX_ONNX_WIRE_H
#define SL_ONNX_ONNX_WIRE_H

#include "onnx/onnx_proto.h"

enum { ONNX_MOST_FIELD = 32, ONNX_MOST_DIMS = 64 };

struct onnx_parser {
    sl_arena *a;
    size_t budget; /* bytes that arrays and names may still take: a small file cannot ask for gigabytes */
    sl_err *e;
};

/* How often each field number occurs in a message. */
struct onnx_counts {
    int n[ONNX_MOST_FIELD];
};

/* The bytes are damaged where r stands. */
sluice_status onnx_wire_bad(struct onnx_parser *p, const char *what, const struct sl_reader *r);
/* How often each field occurs; every message is walked so before it is read. */
sluice_status onnx_wire_count_fields(struct onnx_parser *p, struct sl_view v, const char *what, struct onnx_counts *out);
/* n entries of `size` bytes from the budget; *out is a pointer. */
sluice_status onnx_wire_take(struct onnx_parser *p, size_t n, size_t size, void *out);
sluice_status onnx_wire_read_string(struct onnx_parser *p, const struct sl_field *f, const char *what, const char **out);
/* Any bytes, as text that a zero byte ends. */
sluice_status onnx_wire_read_bytes_text(struct onnx_parser *p, const struct sl_field *f, const char **out);
sluice_status onnx_wire_need_message(struct onnx_parser *p, const struct sl_field *f, const char *what);
/* All values of a repeated field, packed or not. */
sluice_status onnx_wire_read_ints(struct onnx_parser *p, struct sl_view v, uint32_t number, const char *what, int *n,
                                  const int64_t **out);
sluice_status onnx_wire_read_floats(struct onnx_parser *p, struct sl_view v, uint32_t number, const char *what, int *n,
                                    const float **out);
sluice_status onnx_wire_read_key_value(struct onnx_parser *p, struct sl_view v, const char **key, const char **value);
sluice_status onnx_wire_read_tensor(struct onnx_parser *p, struct sl_view v, struct onnx_tensor *t);
sluice_status onnx_wire_read_sparse(struct onnx_parser *p, struct sl_view v, struct onnx_sparse *s);

#endif
