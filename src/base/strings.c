/* strings.c: the growable byte buffer all writers use, the string map of name look-ups, and "did you mean" for messages. */
#include "base/strings.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void sl_buffer_free(struct sl_buffer *b)
{
    free(b->data);
    *b = (struct sl_buffer){0};
}

bool sl_buffer_reserve(struct sl_buffer *b, size_t more)
{
    size_t want;
    if (b->failed)
        return false;
    if (!sl_add_size(b->size, more, &want) || want > PTRDIFF_MAX) {
        b->failed = true;
        return false;
    }
    if (want <= b->capacity)
        return true;
    size_t capacity = SL_MAX(want, b->capacity < PTRDIFF_MAX / 2 ? b->capacity * 2 : want);
    capacity = SL_MAX(capacity, (size_t)256);
    uint8_t *data = realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void sl_put(struct sl_buffer *b, const void *data, size_t n)
{
    if (n == 0 || !sl_buffer_reserve(b, n))
        return;
    memcpy(b->data + b->size, data, n);
    b->size += n;
}

static void put_le(struct sl_buffer *b, uint64_t v, size_t n)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    sl_put(b, bytes, n);
}

static void put_be(struct sl_buffer *b, uint64_t v, size_t n)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[n - 1 - i] = (uint8_t)(v >> (8 * i));
    sl_put(b, bytes, n);
}

void sl_put_u8(struct sl_buffer *b, uint8_t v)
{
    sl_put(b, &v, 1);
}

void sl_put_u16(struct sl_buffer *b, uint16_t v)
{
    put_le(b, v, 2);
}

void sl_put_u32(struct sl_buffer *b, uint32_t v)
{
    put_le(b, v, 4);
}

void sl_put_u64(struct sl_buffer *b, uint64_t v)
{
    put_le(b, v, 8);
}

void sl_put_u32be(struct sl_buffer *b, uint32_t v)
{
    put_be(b, v, 4);
}

void sl_put_u64be(struct sl_buffer *b, uint64_t v)
{
    put_be(b, v, 8);
}

void sl_put_f32(struct sl_buffer *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_le(b, bits, 4);
}

void sl_put_f64(struct sl_buffer *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_le(b, bits, 8);
}

void sl_put_zeros(struct sl_buffer *b, size_t n)
{
    if (n == 0 || !sl_buffer_reserve(b, n))
        return;
    memset(b->data + b->size, 0, n);
    b->size += n;
}

void sl_put_varint(struct sl_buffer *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    sl_put(b, bytes, n);
}

void sl_put_printf(struct sl_buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0 && sl_buffer_reserve(b, (size_t)n + 1)) { /* one more for vsnprintf's zero, which is not counted */
        vsnprintf((char *)b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
}

const char *sl_buffer_text(struct sl_buffer *b)
{
    if (!sl_buffer_reserve(b, 1))
        return "";
    b->data[b->size] = 0;
    return (const char *)b->data;
}

/* Open addressing with linear probing; at most half full. A table that grows leaves its old slots in the arena. */
struct slot {
    const char *key;
    void *value;
    uint64_t hash;
};

struct sl_map {
    sl_arena *arena;
    struct slot *slots;
    size_t capacity; /* power of two */
    size_t used;
};

struct sl_map *sl_map_new(sl_arena *a)
{
    struct sl_map *m = SL_NEW(a, struct sl_map);
    m->arena = a;
    m->capacity = 16;
    m->slots = SL_NEW_ARRAY(a, struct slot, m->capacity);
    return m;
}

static struct slot *find_slot(const struct sl_map *m, const char *key, uint64_t hash)
{
    for (size_t i = hash & (m->capacity - 1);; i = (i + 1) & (m->capacity - 1)) {
        struct slot *s = &m->slots[i];
        if (!s->key || (s->hash == hash && strcmp(s->key, key) == 0))
            return s;
    }
}

static uint64_t hash_key(const char *key)
{
    return XXH3_64bits(key, strlen(key));
}

static void grow(struct sl_map *m)
{
    struct slot *old = m->slots;
    size_t n = m->capacity;
    m->capacity = n * 2;
    m->slots = SL_NEW_ARRAY(m->arena, struct slot, m->capacity);
    for (size_t i = 0; i < n; i++)
        if (old[i].key)
            *find_slot(m, old[i].key, old[i].hash) = old[i];
}

void sl_map_set(struct sl_map *m, const char *key, void *value)
{
    assert(key);
    uint64_t hash = hash_key(key);
    struct slot *s = find_slot(m, key, hash);
    if (!s->key && (m->used + 1) * 2 > m->capacity) {
        grow(m);
        s = find_slot(m, key, hash);
    }
    m->used += !s->key;
    *s = (struct slot){key, value, hash};
}

void *sl_map_get(const struct sl_map *m, const char *key)
{
    return find_slot(m, key, hash_key(key))->value;
}

bool sl_map_has(const struct sl_map *m, const char *key)
{
    return find_slot(m, key, hash_key(key))->key != NULL;
}

bool sl_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool sl_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

enum { LONGEST_WORD = 127 };

/* Levenshtein distance, letters compared without case. Both words are at most LONGEST_WORD long. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[LONGEST_WORD + 1], m = strlen(b);
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replace = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            diagonal = row[j];
            row[j] = SL_MIN(replace, SL_MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[m];
}

const char *sl_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t length = strlen(word), best = 2 + length / 3;
    const char *found = NULL;
    if (length > LONGEST_WORD)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (strlen(candidates[i]) > LONGEST_WORD)
            continue;
        size_t d = edit_distance(word, candidates[i]);
        if (d < best) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}
