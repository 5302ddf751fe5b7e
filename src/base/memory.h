/* memory.h: how much memory this process may take, as a limit on what small files can ask for. */
#ifndef SL_BASE_MEMORY_H
#define SL_BASE_MEMORY_H

#include <stdint.h>

/* Bytes of the machine's memory, or of the process's control group where that has less. 0: not known. */
uint64_t sl_memory_total(void);
/* The limit asked for, or half of the memory where none (0) is. */
uint64_t sl_memory_limit(uint64_t wanted);

#endif
