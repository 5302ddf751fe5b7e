/* cpu.c: what the processor and the operating system offer, by CPUID and XGETBV; kernel dispatch reads it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/cpu.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const names[SL_CPU_LEVELS] = {"c", "avx2", "avxvnni", "avx512vnni", "amx"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool offered[SL_CPU_LEVELS];
static enum sl_cpu_level detected, capped;

const char *sl_cpu_level_name(enum sl_cpu_level l)
{
    return (unsigned)l < SL_CPU_LEVELS ? names[l] : "unknown";
}

bool sl_cpu_level_from_name(const char *name, enum sl_cpu_level *out)
{
    for (int i = 0; i < SL_CPU_LEVELS; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum sl_cpu_level)i;
            return true;
        }
    }
    return false;
}

#if defined(__x86_64__)
/* Register state the operating system saves: XCR0. */
static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Linux hands out the 8 KiB of tile registers on request only, once a process. */
static bool ask_for_tiles(void)
{
#if defined(SYS_arch_prctl)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

static bool bit(uint32_t word, unsigned n)
{
    return word >> n & 1;
}

static void find_offered(void)
{
    enum { YMM = 0x6, ZMM = 0xe6, TILES = 0x60000 };
    uint32_t a, b, c, d, a1 = 0, b1, c1, d1;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !bit(c, 27) || !bit(c, 28)) /* OSXSAVE, AVX */
        return;
    uint64_t state = saved_state();
    if ((state & YMM) != YMM || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return;
    if (a >= 1)
        __get_cpuid_count(7, 1, &a1, &b1, &c1, &d1);
    offered[SL_CPU_AVX2] = bit(b, 5);
    offered[SL_CPU_AVXVNNI] = offered[SL_CPU_AVX2] && bit(a1, 4);
    bool avx512 = bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31); /* F, DQ, BW, VL */
    offered[SL_CPU_AVX512VNNI] = offered[SL_CPU_AVX2] && (state & ZMM) == ZMM && avx512 && bit(c, 11);
    bool amx = bit(d, 24) && bit(d, 25); /* AMX-TILE, AMX-INT8 */
    offered[SL_CPU_AMX] = offered[SL_CPU_AVX512VNNI] && amx && (state & TILES) == TILES && ask_for_tiles();
}
#else
static void find_offered(void) {}
#endif

static void detect_once(void)
{
    offered[SL_CPU_C] = true;
    find_offered();
    for (int i = 0; i < SL_CPU_LEVELS; i++)
        if (offered[i])
            detected = (enum sl_cpu_level)i;
    capped = detected;
    const char *word = getenv("SLUICE_CPU");
    enum sl_cpu_level wanted;
    if (!word || !*word)
        return;
    if (!sl_cpu_level_from_name(word, &wanted))
        sl_warn("SLUICE_CPU is '%s', not one of c, avx2, avxvnni, avx512vnni, amx: ignored", word);
    else if (wanted < detected)
        capped = wanted;
}

enum sl_cpu_level sl_cpu_detect(void)
{
    pthread_once(&once, detect_once);
    return detected;
}

enum sl_cpu_level sl_cpu_level(void)
{
    pthread_once(&once, detect_once);
    return capped;
}

bool sl_cpu_has(enum sl_cpu_level l)
{
    pthread_once(&once, detect_once);
    return (unsigned)l < SL_CPU_LEVELS && l <= capped && offered[l];
}
