/* flatbuffer.c: the accessors of flatbuffer.h. Positions are size_t offsets into the file; read_at is the only place that reads
 * it. */
#include "tflite/flatbuffer.h"

#include <string.h>

/* n little-endian bytes at `at`; 0 and bad when they are not all in the file. */
static uint64_t read_at(struct flat *f, size_t at, size_t n)
{
    uint64_t v = 0;
    if (n > f->bytes.size || at > f->bytes.size - n) {
        f->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)f->bytes.data[at + i] << (8 * i);
    return v;
}

static void spend(struct flat *f, uint64_t n)
{
    if (n > f->budget) {
        f->bad = true;
        f->budget = 0;
        return;
    }
    f->budget -= n;
}

/* The table at `at`: its first word leads back (or on) to the vtable, which has its own size and the table's. */
static struct flat_table table_at(struct flat *f, size_t at)
{
    struct flat_table t = {.f = f};
    int64_t back = (int32_t)(uint32_t)read_at(f, at, 4), vtable = (int64_t)at - back;
    if (f->bad || vtable < 0 || (uint64_t)vtable > f->bytes.size) {
        f->bad = true;
        return t;
    }
    uint64_t vtable_bytes = read_at(f, (size_t)vtable, 2), table_bytes = read_at(f, (size_t)vtable + 2, 2);
    if (f->bad || vtable_bytes < 4 || vtable_bytes % 2 || vtable_bytes > f->bytes.size - (size_t)vtable || table_bytes < 4 ||
        table_bytes > f->bytes.size - at) {
        f->bad = true;
        return t;
    }
    t.at = at;
    t.vtable = (size_t)vtable;
    t.n_slots = (unsigned)(vtable_bytes - 4) / 2;
    t.bytes = (unsigned)table_bytes;
    return t;
}

struct flat_table flat_open(struct flat *f, struct sl_view bytes, const char *identifier)
{
    *f = (struct flat){.bytes = bytes, .budget = 4 * (uint64_t)bytes.size + 65536};
    if (identifier && (bytes.size < 8 || memcmp(bytes.data + 4, identifier, 4) != 0))
        f->bad = true;
    size_t root = (size_t)read_at(f, 0, 4);
    if (f->bad || root == 0) {
        f->bad = true;
        return (struct flat_table){.f = f};
    }
    return table_at(f, root);
}

/* Where a field of `size` bytes lies; 0: absent. */
static size_t field(const struct flat_table *t, unsigned slot, size_t size)
{
    if (t->at == 0 || slot >= t->n_slots)
        return 0;
    size_t offset = (size_t)read_at(t->f, t->vtable + 4 + 2 * (size_t)slot, 2);
    if (offset == 0)
        return 0;
    if (offset + size > t->bytes) {
        t->f->bad = true;
        return 0;
    }
    return t->at + offset;
}

bool flat_has(const struct flat_table *t, unsigned slot)
{
    return field(t, slot, 1) != 0;
}

static uint64_t scalar(const struct flat_table *t, unsigned slot, size_t size, uint64_t otherwise)
{
    size_t at = field(t, slot, size);
    return at ? read_at(t->f, at, size) : otherwise;
}

int64_t flat_s8(const struct flat_table *t, unsigned slot, int64_t otherwise)
{
    return (int8_t)scalar(t, slot, 1, (uint64_t)otherwise);
}

int64_t flat_u8(const struct flat_table *t, unsigned slot, int64_t otherwise)
{
    return (int64_t)scalar(t, slot, 1, (uint64_t)otherwise);
}

int64_t flat_s32(const struct flat_table *t, unsigned slot, int64_t otherwise)
{
    return (int32_t)scalar(t, slot, 4, (uint64_t)otherwise);
}

int64_t flat_u32(const struct flat_table *t, unsigned slot, int64_t otherwise)
{
    return (int64_t)scalar(t, slot, 4, (uint64_t)otherwise);
}

uint64_t flat_u64(const struct flat_table *t, unsigned slot, uint64_t otherwise)
{
    return scalar(t, slot, 8, otherwise);
}

static float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double flat_f32(const struct flat_table *t, unsigned slot, double otherwise)
{
    size_t at = field(t, slot, 4);
    return at ? (double)float_of((uint32_t)read_at(t->f, at, 4)) : otherwise;
}

/* Where an offset field points to; 0: absent. */
static size_t follow(const struct flat_table *t, unsigned slot)
{
    size_t at = field(t, slot, 4);
    if (at == 0)
        return 0;
    size_t to = (size_t)read_at(t->f, at, 4);
    if (t->f->bad || to == 0 || to > t->f->bytes.size - at) {
        t->f->bad = true;
        return 0;
    }
    return at + to;
}

struct flat_table flat_child(const struct flat_table *t, unsigned slot)
{
    size_t at = follow(t, slot);
    return at ? table_at(t->f, at) : (struct flat_table){.f = t->f};
}

struct flat_vector flat_list(const struct flat_table *t, unsigned slot, size_t size)
{
    struct flat_vector v = {.f = t->f};
    size_t at = follow(t, slot);
    if (at == 0)
        return v;
    uint64_t n = read_at(t->f, at, 4);
    if (t->f->bad || n > (t->f->bytes.size - at - 4) / size) {
        t->f->bad = true;
        return v;
    }
    if (size > 1)
        spend(t->f, n);
    v.at = at + 4;
    v.n = t->f->bad ? 0 : (uint32_t)n;
    return v;
}

struct sl_view flat_string(const struct flat_table *t, unsigned slot)
{
    struct flat_vector v = flat_list(t, slot, 1);
    return (struct sl_view){v.n ? t->f->bytes.data + v.at : NULL, v.n};
}

struct flat_table flat_item(const struct flat_vector *v, uint32_t i)
{
    size_t at = v->at + 4 * (size_t)i;
    size_t to = i < v->n ? (size_t)read_at(v->f, at, 4) : 0;
    if (to == 0 || to > v->f->bytes.size - at) {
        v->f->bad = true;
        return (struct flat_table){.f = v->f};
    }
    return table_at(v->f, at + to);
}

int32_t flat_item_s32(const struct flat_vector *v, uint32_t i)
{
    return i < v->n ? (int32_t)(uint32_t)read_at(v->f, v->at + 4 * (size_t)i, 4) : 0;
}

int64_t flat_item_s64(const struct flat_vector *v, uint32_t i)
{
    return i < v->n ? (int64_t)read_at(v->f, v->at + 8 * (size_t)i, 8) : 0;
}

float flat_item_f32(const struct flat_vector *v, uint32_t i)
{
    return i < v->n ? float_of((uint32_t)read_at(v->f, v->at + 4 * (size_t)i, 4)) : 0;
}
