/*
 * flexbuffer.c: a FlexBuffers map is read from its end:
 *     root value | root type (1 byte) | root width (1 byte)
 * The root value is an offset back to the map's values; before them stand, in the map's own width, an offset back to the keys,
 * the width of the keys and the number of entries; behind them one type byte an entry. Keys are offsets back to strings.
 */
#include "tflite/flexbuffer.h"

#include <string.h>

enum {
    FLEX_INT = 1,
    FLEX_UINT = 2,
    FLEX_FLOAT = 3,
    FLEX_INDIRECT_INT = 6,
    FLEX_INDIRECT_UINT = 7,
    FLEX_INDIRECT_FLOAT = 8,
    FLEX_MAP = 9,
    FLEX_BOOL = 26
};

struct flex_map {
    struct sl_view bytes;
    size_t values, keys; /* positions of the first ones */
    size_t width, key_width, n;
};

/* A little-endian number of 1, 2, 4 or 8 bytes; false when it does not lie in the bytes. */
static bool read_uint(struct sl_view b, size_t at, size_t width, uint64_t *out)
{
    *out = 0;
    if (width > b.size || at > b.size - width)
        return false;
    for (size_t i = 0; i < width; i++)
        *out |= (uint64_t)b.data[at + i] << (8 * i);
    return true;
}

/* Offsets point back from where they stand. */
static bool follow(struct sl_view b, size_t at, size_t width, size_t *out)
{
    uint64_t back;
    if (!read_uint(b, at, width, &back) || back == 0 || back > at)
        return false;
    *out = at - (size_t)back;
    return true;
}

static bool open_map(struct sl_view b, struct flex_map *m)
{
    uint64_t n, keys_width;
    *m = (struct flex_map){.bytes = b};
    if (b.size < 3)
        return false;
    uint8_t type = b.data[b.size - 2], width = b.data[b.size - 1];
    if (type >> 2 != FLEX_MAP || (width != 1 && width != 2 && width != 4 && width != 8) || b.size < 2u + width)
        return false;
    m->width = (size_t)1 << (type & 3);
    if (!follow(b, b.size - 2 - width, width, &m->values) || m->values < 3 * m->width)
        return false;
    if (!read_uint(b, m->values - m->width, m->width, &n) || !read_uint(b, m->values - 2 * m->width, m->width, &keys_width))
        return false;
    m->n = (size_t)n;
    m->key_width = (size_t)keys_width;
    bool fits = n <= (b.size - m->values) / (m->width + 1) &&
                (keys_width == 1 || keys_width == 2 || keys_width == 4 || keys_width == 8);
    return fits && follow(b, m->values - 3 * m->width, m->width, &m->keys);
}

static bool key_is(const struct flex_map *m, size_t i, const char *key)
{
    size_t at, length = strlen(key) + 1;
    return follow(m->bytes, m->keys + i * m->key_width, m->key_width, &at) && length <= m->bytes.size - at &&
           memcmp(m->bytes.data + at, key, length) == 0;
}

static bool number_at(struct sl_view b, size_t at, size_t width, unsigned type, double *out)
{
    uint64_t bits;
    if (!read_uint(b, at, width, &bits))
        return false;
    if (type == FLEX_FLOAT && width == 4) {
        uint32_t low = (uint32_t)bits;
        float v;
        memcpy(&v, &low, sizeof v);
        *out = v;
    } else if (type == FLEX_FLOAT && width == 8) {
        memcpy(out, &bits, sizeof *out);
    } else if (type == FLEX_INT) {
        unsigned unused = 64 - 8 * (unsigned)width;
        *out = (double)((int64_t)(bits << unused) >> unused);
    } else if (type == FLEX_UINT || type == FLEX_BOOL) {
        *out = (double)bits;
    } else {
        return false;
    }
    return true;
}

bool flex_number(struct sl_view bytes, const char *key, double *out)
{
    struct flex_map m;
    if (!open_map(bytes, &m))
        return false;
    for (size_t i = 0; i < m.n; i++) {
        if (!key_is(&m, i, key))
            continue;
        size_t at = m.values + i * m.width, width = m.width;
        uint8_t packed = bytes.data[m.values + m.n * m.width + i]; /* open_map saw that it is there */
        unsigned type = packed >> 2;
        if (type >= FLEX_INDIRECT_INT && type <= FLEX_INDIRECT_FLOAT) {
            if (!follow(bytes, at, width, &at))
                return false;
            width = (size_t)1 << (packed & 3);
            type = type - FLEX_INDIRECT_INT + FLEX_INT;
        }
        return number_at(bytes, at, width, type, out);
    }
    return false;
}
