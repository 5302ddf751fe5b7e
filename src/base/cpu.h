/* cpu.h: which kernel level this process may use. */
#ifndef SL_BASE_CPU_H
#define SL_BASE_CPU_H

#include <stdbool.h>

/* Levels in rising order of preference. A processor of a level need not have each one below it (server chips before Sapphire
 * Rapids have AVX-512 VNNI without AVX-VNNI): dispatch asks sl_cpu_has for each. */
enum sl_cpu_level { SL_CPU_C = 0, SL_CPU_AVX2 = 1, SL_CPU_AVXVNNI = 2, SL_CPU_AVX512VNNI = 3, SL_CPU_AMX = 4, SL_CPU_LEVELS };

const char *sl_cpu_level_name(enum sl_cpu_level l);   /* "c", "avx2", "avxvnni", "avx512vnni", "amx" */
bool sl_cpu_level_from_name(const char *name, enum sl_cpu_level *out);
/* What the processor and the operating system offer (CPUID + XGETBV). Cached, thread safe. */
enum sl_cpu_level sl_cpu_detect(void);
/* The level to use: detect(), capped by the environment variable SLUICE_CPU. An unknown word there is a warning once. */
enum sl_cpu_level sl_cpu_level(void);
/* Whether kernels of exactly this level may run here, the cap included. */
bool sl_cpu_has(enum sl_cpu_level l);

#endif
