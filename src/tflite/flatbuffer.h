/*
 * flatbuffer.h: reading FlatBuffers (https://flatbuffers.dev/internals/) in place. Every offset is checked against the file
 * before it is followed; a bad one gives an empty table, vector or string and sets `bad`, which a reader tests once. Nothing is
 * allocated and nothing recurses: a caller descends field by field, so the depth of a file is the depth of the caller's code.
 *
 * Offsets may point several fields at the same bytes, so a small file can pretend to be a large one: `budget` counts the
 * elements of all vectors that were opened, and runs out where no honest file gets.
 */
#ifndef SL_TFLITE_FLATBUFFER_H
#define SL_TFLITE_FLATBUFFER_H

#include "base/reader.h"

struct flat {
    struct sl_view bytes;
    uint64_t budget;
    bool bad;
};

struct flat_table {
    struct flat *f;
    size_t at; /* of the table; 0: absent, every field has its default */
    size_t vtable;
    unsigned n_slots; /* fields that the vtable speaks of */
    unsigned bytes;   /* of the table's inline part */
};

struct flat_vector {
    struct flat *f;
    size_t at; /* of the first element */
    uint32_t n;
};

/* The root table, behind a file identifier of four characters (NULL: any). */
struct flat_table flat_open(struct flat *f, struct sl_view bytes, const char *identifier);
bool flat_has(const struct flat_table *t, unsigned slot);

/* Scalars; `otherwise` is the schema's default. */
int64_t flat_s8(const struct flat_table *t, unsigned slot, int64_t otherwise);
int64_t flat_u8(const struct flat_table *t, unsigned slot, int64_t otherwise);
int64_t flat_s32(const struct flat_table *t, unsigned slot, int64_t otherwise);
int64_t flat_u32(const struct flat_table *t, unsigned slot, int64_t otherwise);
uint64_t flat_u64(const struct flat_table *t, unsigned slot, uint64_t otherwise);
double flat_f32(const struct flat_table *t, unsigned slot, double otherwise);

struct flat_table flat_child(const struct flat_table *t, unsigned slot);
struct sl_view flat_string(const struct flat_table *t, unsigned slot);
/* Elements of `size` bytes: all of them lie in the file. */
struct flat_vector flat_list(const struct flat_table *t, unsigned slot, size_t size);
struct flat_table flat_item(const struct flat_vector *v, uint32_t i); /* of a vector of tables */
int32_t flat_item_s32(const struct flat_vector *v, uint32_t i);
int64_t flat_item_s64(const struct flat_vector *v, uint32_t i);
float flat_item_f32(const struct flat_vector *v, uint32_t i);

#endif
