/* reader.c: bounds-checked reads of little-endian scalars and of protobuf's wire format. The foundation of every file reader.
 */
#include "base/reader.h"

#include <string.h>

static const uint8_t nothing[1];

struct sl_reader sl_reader_of(const void *data, size_t size)
{
    const uint8_t *p = size ? data : nothing; /* keeps pointer arithmetic away from NULL */
    return (struct sl_reader){p, p, p + size, false};
}

/* The next n bytes, or NULL and `bad`. A reader that went bad stays at its end, so that loops over it stop. */
static const uint8_t *take(struct sl_reader *r, size_t n)
{
    if (sl_left(r) < n) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

uint8_t sl_read_u8(struct sl_reader *r)
{
    const uint8_t *p = take(r, 1);
    return p ? *p : 0;
}

uint16_t sl_read_u16(struct sl_reader *r)
{
    const uint8_t *p = take(r, 2);
    return p ? (uint16_t)(p[0] | p[1] << 8) : 0;
}

uint32_t sl_read_u32(struct sl_reader *r)
{
    const uint8_t *p = take(r, 4);
    return p ? p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

uint64_t sl_read_u64(struct sl_reader *r)
{
    const uint8_t *p = take(r, 8);
    uint64_t v = 0;
    for (int i = 7; p && i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

uint32_t sl_read_u32be(struct sl_reader *r)
{
    const uint8_t *p = take(r, 4);
    return p ? p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24 : 0;
}

uint64_t sl_read_u64be(struct sl_reader *r)
{
    const uint8_t *p = take(r, 8);
    uint64_t v = 0;
    for (int i = 0; p && i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static float float_of_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static double double_of_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

float sl_read_f32(struct sl_reader *r)
{
    return float_of_bits(sl_read_u32(r));
}

double sl_read_f64(struct sl_reader *r)
{
    return double_of_bits(sl_read_u64(r));
}

struct sl_view sl_read_bytes(struct sl_reader *r, size_t n)
{
    const uint8_t *p = take(r, n);
    return p ? (struct sl_view){p, n} : (struct sl_view){NULL, 0};
}

void sl_skip(struct sl_reader *r, size_t n)
{
    (void)take(r, n);
}

uint64_t sl_read_varint(struct sl_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t b = sl_read_u8(r);
        if (r->bad || (shift == 63 && b > 1)) /* the tenth byte holds only bit 63 */
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    r->bad = true;
    r->p = r->end;
    return 0;
}

bool sl_next_field(struct sl_reader *r, struct sl_field *f)
{
    *f = (struct sl_field){.offset = sl_offset(r)};
    if (r->bad || r->p == r->end)
        return false;
    uint64_t tag = sl_read_varint(r);
    if (tag > UINT32_MAX || tag >> 3 == 0)
        r->bad = true;
    f->number = (uint32_t)(tag >> 3);
    f->wire = (uint32_t)(tag & 7);
    switch (f->wire) {
    case SL_WIRE_VARINT:
        f->value = sl_read_varint(r);
        break;
    case SL_WIRE_I64:
        f->value = sl_read_u64(r);
        break;
    case SL_WIRE_I32:
        f->value = sl_read_u32(r);
        break;
    case SL_WIRE_LEN: {
        uint64_t n = sl_read_varint(r);
        f->bytes = n <= sl_left(r) ? sl_read_bytes(r, (size_t)n) : (struct sl_view){NULL, 0};
        r->bad = r->bad || n != f->bytes.size;
        break;
    }
    default:
        r->bad = true;
    }
    return !r->bad;
}

float sl_field_f32(const struct sl_field *f)
{
    return float_of_bits((uint32_t)f->value);
}

double sl_field_f64(const struct sl_field *f)
{
    return double_of_bits(f->value);
}

size_t sl_count_varints(struct sl_view v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.size; i++)
        n += !(v.data[i] & 0x80); /* the last byte of a varint has its top bit clear */
    return n;
}
