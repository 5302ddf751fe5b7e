/* consts.c: immutable constants: views of a payload, splats, and content hashes. */
#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "ir/ir.h"

static struct sl_const *make(sl_arena *a, enum sl_dtype t, const struct sl_shape *s, const void *data, size_t bytes, bool splat)
{
    struct sl_const *c = SL_NEW(a, struct sl_const);
    *c = (struct sl_const){.dtype = t, .splat = splat, .shape = *s, .data = data, .bytes = bytes};
    return c;
}

const struct sl_const *sl_const_view(sl_arena *a, enum sl_dtype t, const struct sl_shape *s, const void *data)
{
    size_t bytes;
    bool fits = sl_bytes_of(t, s, &bytes);
    assert(fits);
    return fits ? make(a, t, s, data, bytes, false) : NULL;
}

const struct sl_const *sl_const_splat(sl_arena *a, enum sl_dtype t, const struct sl_shape *s, const void *element)
{
    size_t bytes = (sl_dtype_bits(t) + 7) / 8;
    assert(bytes > 0);
    uint8_t *copy = sl_arena_memdup(a, element, bytes);
    if (t == SL_S4)
        copy[0] &= 0x0f; /* the high nibble says nothing: equal splats have equal bytes */
    return make(a, t, s, copy, bytes, true);
}

const struct sl_const *sl_const_new(sl_arena *a, enum sl_dtype t, const struct sl_shape *s, void **data)
{
    size_t bytes;
    *data = NULL;
    if (!sl_bytes_of(t, s, &bytes))
        return NULL;
    void *payload = sl_arena_alloc_aligned64(a, bytes);
    if (!payload)
        return NULL;
    *data = payload;
    return make(a, t, s, payload, bytes, false);
}

/* Repeat the first `element` bytes of `out` until it is full, by doubling. */
static void repeat(uint8_t *out, size_t element, size_t bytes)
{
    for (size_t done = element; done < bytes;) {
        size_t n = SL_MIN(done, bytes - done);
        memcpy(out + done, out, n);
        done += n;
    }
}

const void *sl_const_dense(sl_arena *a, const struct sl_const *c)
{
    size_t bytes;
    if (!c->splat)
        return c->data;
    if (!sl_bytes_of(c->dtype, &c->shape, &bytes))
        return NULL;
    uint8_t *out = sl_arena_alloc_aligned64(a, bytes);
    if (!out || bytes == 0)
        return out;
    if (c->dtype == SL_S4) {
        uint8_t nibble = *(const uint8_t *)c->data & 0x0f;
        memset(out, nibble | nibble << 4, bytes);
        if (sl_shape_elements(&c->shape) & 1)
            out[bytes - 1] = nibble; /* the unused nibble of an odd count is 0 */
        return out;
    }
    memcpy(out, c->data, c->bytes);
    repeat(out, c->bytes, bytes);
    return out;
}

uint64_t sl_const_hash(const struct sl_const *c)
{
    uint64_t payload = sl_hash64(c->data, c->bytes);
    uint8_t key[16];
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(payload >> (8 * i));
    for (int i = 0; i < 8; i++)
        key[8 + i] = 0;
    key[8] = (uint8_t)c->dtype;
    key[9] = c->splat;
    uint64_t hash = sl_hash64(key, sizeof key);
    return hash ? hash : 1;
}
