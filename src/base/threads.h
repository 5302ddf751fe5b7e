/* threads.h: a fixed pool with a parallel-for; the same work split gives the same bytes whatever the number of threads. */
#ifndef SL_BASE_THREADS_H
#define SL_BASE_THREADS_H

#include "base/error.h"

struct sl_pool;

int sl_cpu_count(void); /* processors this process may use (affinity), at least 1 */

/* n_threads counts the caller: 1 makes no thread. 0 = sl_cpu_count(). Limit 256. Workers start with the FP control word of
 * sl_fp_enter(). */
sluice_status sl_pool_new(int n_threads, struct sl_pool **out, sl_err *e);
void sl_pool_free(struct sl_pool *p); /* NULL is allowed */
int sl_pool_size(const struct sl_pool *p); /* 1 for NULL */

/* Call fn(data, task, worker) for task = 0..n-1, worker in 0..size-1; returns when all are done. Tasks are handed out in order.
 * p NULL runs them on the caller. Not reentrant from inside a task. */
void sl_parallel_for(struct sl_pool *p, int n, void (*fn)(void *data, int task, int worker), void *data);

/* The integer contract needs round-to-nearest-even, no flush-to-zero, no denormals-are-zero: enter sets MXCSR (and its AArch64
 * twin) and returns the old word, leave restores it. */
unsigned sl_fp_enter(void);
void sl_fp_leave(unsigned saved);

#endif
