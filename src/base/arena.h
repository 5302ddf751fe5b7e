/* arena.h: bump allocation with one lifetime; a model's graph, names and attributes die with its arena. Not thread safe. */
#ifndef SL_BASE_ARENA_H
#define SL_BASE_ARENA_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

typedef struct sl_arena sl_arena;

sl_arena *sl_arena_new(void);        /* aborts the process only when the very first few hundred bytes cannot be had */
void sl_arena_free(sl_arena *a);     /* NULL is allowed */

/* At most `bytes` in use from now on (SIZE_MAX, the default: no limit of ours). */
void sl_arena_set_limit(sl_arena *a, size_t bytes);

/* Zeroed memory, 16-byte aligned (64 with sl_arena_alloc_aligned64). NULL when the system refuses or the limit is passed: callers
 * that allocate sizes read from a file check for NULL; small allocations may use sl_arena_must_alloc and the copying forms below,
 * which never return NULL: they end the process with a message when there is no memory. 0 bytes give a valid pointer. */
void *sl_arena_alloc(sl_arena *a, size_t bytes);
void *sl_arena_alloc_aligned64(sl_arena *a, size_t bytes);
void *sl_arena_must_alloc(sl_arena *a, size_t bytes);
char *sl_arena_strdup(sl_arena *a, const char *s);
char *sl_arena_strndup(sl_arena *a, const char *s, size_t n);
char *sl_arena_printf(sl_arena *a, const char *format, ...) SL_PRINTF(2, 3);
void *sl_arena_memdup(sl_arena *a, const void *p, size_t bytes);

#define SL_NEW(a, type) ((type *)sl_arena_must_alloc((a), sizeof(type)))
#define SL_NEW_ARRAY(a, type, n) ((type *)sl_arena_must_alloc((a), sl_mul_or_abort((size_t)(n), sizeof(type))))

/* Scratch use: everything allocated after the mark is given back. */
struct sl_arena_mark { void *chunk; size_t used; };
struct sl_arena_mark sl_arena_mark(const sl_arena *a);
void sl_arena_reset(sl_arena *a, struct sl_arena_mark m);

/* An arena keeps `close(data)` to be called when it dies (a mapped file, an oneDNN handle). */
void sl_arena_on_free(sl_arena *a, void (*close)(void *), void *data);
/* The data that is to be closed by `close` and for which `wanted(data, about)` holds; NULL when there is none. */
void *sl_arena_find_on_free(const sl_arena *a, void (*close)(void *), bool (*wanted)(const void *data, const void *about),
                            const void *about);

size_t sl_arena_bytes(const sl_arena *a); /* in use, for reports and tests */

/* False on overflow, and *out is then 0. */
bool sl_mul_size(size_t a, size_t b, size_t *out);
bool sl_add_size(size_t a, size_t b, size_t *out);
size_t sl_mul_or_abort(size_t a, size_t b);

#endif
