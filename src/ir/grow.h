/* grow.h: arrays of a node that grow in the arena without a capacity field: room is 4, then the next power of two, so that a
 * full array is told by its count. Only arrays that begin as NULL, or come from sl_grow_copy, may grow this way. */
#ifndef SL_IR_GROW_H
#define SL_IR_GROW_H

#include <string.h>

#include "base/arena.h"

/* Room for one element more than `count`: the same array, or a larger copy. */
static inline void *sl_grow(sl_arena *a, void *array, int count, size_t element)
{
    size_t n = (size_t)count;
    if (array && n != 0 && (n < 4 || (n & (n - 1)) != 0))
        return array;
    if (array && n == 0)
        return array; /* emptied by removals: its room is at least 4 */
    void *larger = sl_arena_must_alloc(a, sl_mul_or_abort(n < 4 ? 4 : 2 * n, element));
    if (n > 0)
        memcpy(larger, array, n * element);
    return larger;
}

/* A copy that sl_grow may continue. */
static inline void *sl_grow_copy(sl_arena *a, const void *array, int count, size_t element)
{
    size_t room = 4;
    while (room < (size_t)count)
        room *= 2;
    if (count == 0)
        return NULL;
    void *copy = sl_arena_must_alloc(a, sl_mul_or_abort(room, element));
    memcpy(copy, array, (size_t)count * element);
    return copy;
}

#endif
