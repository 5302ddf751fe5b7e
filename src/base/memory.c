/* memory.c: see memory.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/memory.h"

#include <stdio.h>
#include <unistd.h>

/* The number in the file; 0 when it holds none ("max") or is missing. */
static uint64_t number_in(const char *path)
{
    unsigned long long v = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%llu", &v) != 1)
        v = 0;
    fclose(f);
    return v;
}

uint64_t sl_memory_total(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t total = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    uint64_t group = number_in("/sys/fs/cgroup/memory.max");
    return group && (!total || group < total) ? group : total;
}

uint64_t sl_memory_limit(uint64_t wanted)
{
    uint64_t total = sl_memory_total();
    return wanted ? wanted : total ? total / 2 : UINT64_C(1) << 31;
}
