/* fuzz.h: what the fuzz targets share: an arena with a limit, and a check that is there in every build. */
#ifndef SL_FUZZ_H
#define SL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define MUST(condition)                                                                                                        \
    do {                                                                                                                       \
        if (!(condition)) {                                                                                                    \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                          \
            abort();                                                                                                           \
        }                                                                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline sl_arena *fuzz_arena(void)
{
    sl_arena *a = sl_arena_new();
    sl_arena_set_limit(a, (size_t)64 << 20); /* sound inputs of a few kilobytes may well ask for more; that is an error then */
    return a;
}

#endif
