/* compiler.h: the only place for compiler extensions. */
#ifndef SL_BASE_COMPILER_H
#define SL_BASE_COMPILER_H

#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SL_UNUSED __attribute__((unused))
#define SL_MUST_CHECK __attribute__((warn_unused_result))
#define SL_ALWAYS_INLINE static inline __attribute__((always_inline))
#define SL_LIKELY(x) __builtin_expect(!!(x), 1)
#define SL_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Position of the lowest and of the highest bit set; v is not 0. */
#define SL_LOW_BIT(v) __builtin_ctz(v)
#define SL_HIGH_BIT(v) (31 - __builtin_clz(v))
#define SL_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SL_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Built with AddressSanitizer: the arena then gives each block its own allocation, so that overruns are seen. */
#if defined(__SANITIZE_ADDRESS__)
#define SL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SL_ASAN 1
#endif
#endif
#ifndef SL_ASAN
#define SL_ASAN 0
#endif

#endif
