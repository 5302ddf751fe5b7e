/* strings.h: growable byte buffer, and a string-keyed hash map. */
#ifndef SL_BASE_STRINGS_H
#define SL_BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"

struct sl_buffer { uint8_t *data; size_t size, capacity; bool failed; }; /* zero-initialise; failed = out of memory, sticky */

void sl_buffer_free(struct sl_buffer *b);
bool sl_buffer_reserve(struct sl_buffer *b, size_t more); /* room for `more` bytes without another allocation */
void sl_put(struct sl_buffer *b, const void *data, size_t n);
void sl_put_u8(struct sl_buffer *b, uint8_t v);
void sl_put_u16(struct sl_buffer *b, uint16_t v); /* little-endian, as all below */
void sl_put_u32(struct sl_buffer *b, uint32_t v);
void sl_put_u64(struct sl_buffer *b, uint64_t v);
void sl_put_f32(struct sl_buffer *b, float v);
void sl_put_f64(struct sl_buffer *b, double v);
void sl_put_u32be(struct sl_buffer *b, uint32_t v);
void sl_put_u64be(struct sl_buffer *b, uint64_t v);
void sl_put_zeros(struct sl_buffer *b, size_t n);
void sl_put_varint(struct sl_buffer *b, uint64_t v);
void sl_put_printf(struct sl_buffer *b, const char *format, ...) SL_PRINTF(2, 3);
const char *sl_buffer_text(struct sl_buffer *b); /* zero-terminated view, valid until the next put */

/* String -> pointer; keys are not copied and must outlive the map. Iteration is not offered: keep your own ordered array. */
struct sl_map;
struct sl_map *sl_map_new(sl_arena *a);
void sl_map_set(struct sl_map *m, const char *key, void *value); /* replaces */
void *sl_map_get(const struct sl_map *m, const char *key);       /* NULL when absent */
bool sl_map_has(const struct sl_map *m, const char *key);

bool sl_starts_with(const char *s, const char *prefix);
bool sl_ends_with(const char *s, const char *suffix);
/* The candidate nearest to `word` by edit distance when it is near enough to suggest (distance <= 1 + length/3), else NULL. */
const char *sl_nearest(const char *word, const char *const *candidates, size_t n);

#endif
