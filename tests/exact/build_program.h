/* build_program.h: programs by hand and by seed, for tests of the payload, the verifier and the device. No function of a math
 * library touches a number in them, so they are the same on every machine. */
#ifndef BUILD_PROGRAM_H
#define BUILD_PROGRAM_H

#include "hef/isa.h"
#include "hef/program.h"

struct build {
    sl_arena *a;
    struct sl_program *p;
    uint64_t seed;
};

struct build build_new(const char *name, uint64_t seed);
void build_free(struct build *b);

uint64_t build_random(struct build *b);                         /* splitmix64 */
int64_t build_between(struct build *b, int64_t lo, int64_t hi); /* lo..hi */
/* A float in [2^low, 2^high), made of integers. */
float build_float(struct build *b, int low, int high);

uint32_t build_tensor(struct build *b, enum sl_dtype t, int rank, const int64_t *dims); /* random encoding */
uint32_t build_input(struct build *b, enum sl_dtype t, int rank, const int64_t *dims);
void build_output(struct build *b, uint32_t tensor);
/* A constant of random integers lo..hi (dense), or given data (copied). */
uint32_t build_const(struct build *b, enum sl_dtype t, int rank, const int64_t *dims, int64_t lo, int64_t hi);
uint32_t build_const_of(struct build *b, enum sl_dtype t, int rank, const int64_t *dims, const void *data);
uint32_t build_splat(struct build *b, enum sl_dtype t, int rank, const int64_t *dims, const void *element);
uint32_t build_floats(struct build *b, int64_t n, int low, int high, bool any_sign);
/* An instruction with all operands none or 0. */
struct sl_insn *build_insn(struct build *b, enum sl_opcode op, uint32_t out, int n_in, const uint32_t *in);
/* lo <= hi within the type, often the whole range. */
void build_limits(struct build *b, enum sl_dtype t, int64_t *lo, int64_t *hi);

/* Seeded programs: case k of each kind, k = 0, 1, ...; together they cover every instruction. */
struct build_case {
    const char *name;
    void (*make)(struct build *b, int k);
    int cases;
};
const struct build_case *build_cases(int *n);

#define DIMS(...)                                                                                                              \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[])                                               \
    {                                                                                                                          \
        __VA_ARGS__                                                                                                            \
    }

#endif
