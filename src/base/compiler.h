/* compiler.h: the only place for compiler extensions. */
#ifndef SL_BASE_COMPILER_H
#define SL_BASE_COMPILER_H

#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SL_UNUSED __attribute__((unused))
#define SL_MUST_CHECK __attribute__((warn_unused_result))
#define SL_LIKELY(x) __builtin_expect(!!(x), 1)
#define SL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define SL_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SL_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
