/* arena.c: a bump allocator over a list of zeroed chunks; big blocks get an allocation of their own. Used by every reader and
 * every stage for whatever lives as long as a model. */
#include "base/arena.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CHUNK = 4096,
    LAST_CHUNK = 256 * 1024,             /* chunk sizes double up to this */
    OWN_BLOCK = SL_ASAN ? 1 : 32 * 1024, /* from this size a block is allocated alone */
    HEADER = 64                          /* room for struct chunk, keeps chunk data 64-byte aligned relative to the chunk */
};

struct chunk {
    struct chunk *previous;
    size_t size; /* of the data behind the header */
    size_t used;
    size_t dirty; /* bytes below this were handed out before a reset and must be cleared again */
    uint64_t serial;
};
static_assert(sizeof(struct chunk) <= HEADER, "struct chunk fits its header");

/* Something to undo when the arena dies or is reset below it: a user's close function, or the free of an own block. The records
 * lie in the bump chunks, so "was made after the mark" is a comparison of positions. */
struct cleanup {
    struct cleanup *previous;
    void (*close)(void *);
    void *data;
    size_t bytes; /* of an own block */
    uint64_t serial;
    size_t offset;
};

struct sl_arena {
    struct chunk *chunk; /* the newest */
    struct cleanup *cleanups;
    size_t own_bytes, old_bytes; /* in own blocks; in chunks before the newest */
    size_t limit;
};

/* More than any machine has; AddressSanitizer ends the process for more than 2^40 instead of returning NULL. */
static const size_t LARGEST_BLOCK = (size_t)1 << (SL_ASAN ? 39 : 47);

static void die_of_memory(size_t bytes)
{
    fprintf(stderr, "sluice: out of memory (%zu bytes wanted)\n", bytes);
    abort();
}

static uint8_t *chunk_data(struct chunk *c)
{
    return (uint8_t *)c + HEADER;
}

static struct chunk *chunk_new(size_t size, struct chunk *previous)
{
    struct chunk *c = calloc(1, HEADER + size);
    if (!c)
        return NULL;
    c->previous = previous;
    c->size = size;
    c->serial = previous ? previous->serial + 1 : 1;
    return c;
}

sl_arena *sl_arena_new(void)
{
    sl_arena *a = calloc(1, sizeof *a);
    if (a)
        a->chunk = chunk_new(FIRST_CHUNK - HEADER, NULL);
    if (!a || !a->chunk)
        die_of_memory(FIRST_CHUNK);
    a->limit = SIZE_MAX;
    return a;
}

static void run_cleanups(sl_arena *a, uint64_t serial, size_t offset)
{
    while (a->cleanups && (a->cleanups->serial > serial || (a->cleanups->serial == serial && a->cleanups->offset >= offset))) {
        struct cleanup c = *a->cleanups;
        a->cleanups = c.previous;
        a->own_bytes -= c.bytes;
        c.close(c.data);
    }
}

void sl_arena_free(sl_arena *a)
{
    if (!a)
        return;
    run_cleanups(a, 0, 0);
    for (struct chunk *c = a->chunk; c;) {
        struct chunk *previous = c->previous;
        free(c);
        c = previous;
    }
    free(a);
}

void sl_arena_set_limit(sl_arena *a, size_t bytes)
{
    a->limit = bytes;
}

size_t sl_arena_bytes(const sl_arena *a)
{
    return a->own_bytes + a->old_bytes + a->chunk->used;
}

/* Bytes from the chunk's start at which a block of this alignment may begin. */
static size_t aligned_offset(struct chunk *c, size_t alignment)
{
    uintptr_t p = (uintptr_t)chunk_data(c) + c->used;
    return c->used + (size_t)(-p & (alignment - 1));
}

static void *bump(sl_arena *a, size_t bytes, size_t alignment)
{
    struct chunk *c = a->chunk;
    size_t at = aligned_offset(c, alignment);
    if (at > c->size || bytes > c->size - at) {
        size_t size = SL_MIN((c->size + HEADER) * 2, (size_t)LAST_CHUNK) - HEADER;
        size = SL_MAX(size, bytes + alignment);
        c = chunk_new(size, a->chunk);
        if (!c)
            return NULL;
        a->old_bytes += a->chunk->used;
        a->chunk = c;
        at = aligned_offset(c, alignment);
    }
    uint8_t *p = chunk_data(c) + at;
    if (at < c->dirty)
        memset(p, 0, SL_MIN(bytes, c->dirty - at));
    c->used = at + bytes;
    return p;
}

static struct cleanup *add_cleanup(sl_arena *a, void (*close)(void *), void *data, size_t bytes)
{
    struct cleanup *c = bump(a, sizeof *c, 16);
    if (!c)
        return NULL;
    *c = (struct cleanup){a->cleanups, close, data, bytes, a->chunk->serial, (size_t)((uint8_t *)c - chunk_data(a->chunk))};
    a->cleanups = c;
    return c;
}

static void *own_block(sl_arena *a, size_t bytes, size_t alignment)
{
    size_t slack = alignment > 16 ? alignment - 1 : 0; /* calloc aligns to 16 by itself */
    if (bytes > LARGEST_BLOCK)
        return NULL;
    uint8_t *block = calloc(1, bytes + slack);
    if (!block)
        return NULL;
    if (!add_cleanup(a, free, block, bytes)) {
        free(block);
        return NULL;
    }
    a->own_bytes += bytes;
    return block + (-(uintptr_t)block & (alignment - 1));
}

static void *allocate(sl_arena *a, size_t bytes, size_t alignment)
{
    size_t in_use = sl_arena_bytes(a);
    if (in_use > a->limit || bytes > a->limit - in_use)
        return NULL;
    bytes = SL_MAX(bytes, (size_t)1);
    return bytes >= OWN_BLOCK ? own_block(a, bytes, alignment) : bump(a, bytes, alignment);
}

void *sl_arena_alloc(sl_arena *a, size_t bytes)
{
    return allocate(a, bytes, 16);
}

void *sl_arena_alloc_aligned64(sl_arena *a, size_t bytes)
{
    return allocate(a, bytes, 64);
}

void *sl_arena_must_alloc(sl_arena *a, size_t bytes)
{
    void *p = allocate(a, bytes, 16);
    if (!p)
        die_of_memory(bytes);
    return p;
}

void *sl_arena_memdup(sl_arena *a, const void *p, size_t bytes)
{
    void *copy = sl_arena_must_alloc(a, bytes);
    if (bytes)
        memcpy(copy, p, bytes);
    return copy;
}

char *sl_arena_strndup(sl_arena *a, const char *s, size_t n)
{
    const char *end = n ? memchr(s, 0, n) : NULL;
    size_t length = end ? (size_t)(end - s) : n;
    char *copy = sl_arena_must_alloc(a, length + 1);
    if (length)
        memcpy(copy, s, length);
    return copy;
}

char *sl_arena_strdup(sl_arena *a, const char *s)
{
    return sl_arena_memdup(a, s, strlen(s) + 1);
}

char *sl_arena_printf(sl_arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = sl_arena_must_alloc(a, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

struct sl_arena_mark sl_arena_mark(const sl_arena *a)
{
    return (struct sl_arena_mark){a->chunk, a->chunk->used};
}

void sl_arena_reset(sl_arena *a, struct sl_arena_mark m)
{
    struct chunk *target = m.chunk;
    run_cleanups(a, target->serial, m.used);
    while (a->chunk != target) {
        struct chunk *previous = a->chunk->previous;
        assert(previous); /* the mark came from this arena and was not itself reset away */
        free(a->chunk);
        a->chunk = previous;
        a->old_bytes -= previous->used;
    }
    assert(m.used <= target->used);
    target->dirty = SL_MAX(target->dirty, target->used);
    target->used = m.used;
}

void sl_arena_on_free(sl_arena *a, void (*close)(void *), void *data)
{
    if (!add_cleanup(a, close, data, 0))
        die_of_memory(sizeof(struct cleanup));
}

void *sl_arena_find_on_free(const sl_arena *a, void (*close)(void *), bool (*wanted)(const void *data, const void *about),
                            const void *about)
{
    for (const struct cleanup *c = a->cleanups; c; c = c->previous)
        if (c->close == close && wanted(c->data, about))
            return c->data;
    return NULL;
}

bool sl_mul_size(size_t a, size_t b, size_t *out)
{
    bool fits = a == 0 || b <= SIZE_MAX / a;
    *out = fits ? a * b : 0;
    return fits;
}

bool sl_add_size(size_t a, size_t b, size_t *out)
{
    bool fits = b <= SIZE_MAX - a;
    *out = fits ? a + b : 0;
    return fits;
}

size_t sl_mul_or_abort(size_t a, size_t b)
{
    size_t product;
    if (!sl_mul_size(a, b, &product))
        die_of_memory(SIZE_MAX);
    return product;
}
