/* log.h: log lines ("[info] ..."), warnings, and progress of long work. Everything goes to stderr; --json results to stdout. */
#ifndef SL_BASE_LOG_H
#define SL_BASE_LOG_H

#include <stdint.h>

#include "base/compiler.h"

/* Levels: 0 quiet (errors only), 1 decisions (default), 2 per layer, 3 per tile, 4 per instruction. */
extern int sl_log_level;
void sl_info(const char *format, ...) SL_PRINTF(1, 2);            /* "[info] ..." at level >= 1 */
void sl_warn(const char *format, ...) SL_PRINTF(1, 2);            /* "[warning] ..." at level >= 0 */
void sl_detail(int level, const char *format, ...) SL_PRINTF(2, 3);

/* A bar on a terminal (at most 10 redraws a second), a plain line every ~10 s elsewhere. Thread safe: sl_progress_step may be
 * called from workers. */
struct sl_progress;
struct sl_progress *sl_progress_start(const char *what, uint64_t total, const char *unit);
void sl_progress_step(struct sl_progress *p, uint64_t by);
void sl_progress_end(struct sl_progress *p);

double sl_seconds(void); /* monotonic clock */

#endif
