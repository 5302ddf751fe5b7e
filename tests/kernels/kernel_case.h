/* kernel_case.h: one random use of a kernel family: its args, inputs and output size, made from a seed. */
#ifndef SL_TESTS_KERNEL_CASE_H
#define SL_TESTS_KERNEL_CASE_H

#include "kernels/kernels.h"

union sl_any_args {
    struct sl_weighted_args weighted;
    struct sl_table_args table;
    struct sl_requantize_args requantize;
    struct sl_eltwise_args eltwise;
    struct sl_pool_args pool;
    struct sl_reduce_args reduce;
    struct sl_matmul_args matmul;
    struct sl_softmax_args softmax;
    struct sl_norm_args norm;
    struct sl_copy_args copy;
    struct sl_pad_args pad;
    struct sl_gather_args gather;
    struct sl_resize_args resize;
    struct sl_quantize_args quantize;
    struct sl_dequantize_args dequantize;
    struct sl_index_args index;
    struct sl_rotary_args rotary;
};

struct kernel_case {
    enum sl_family family;
    union sl_any_args args;
    struct sl_io io; /* inputs; out is set by the caller */
    size_t out_bytes;
    struct sl_shape slice_x; /* copy: the input's shape, for the reference */
    char text[256];          /* what it is, for messages */
    int n_blocks;            /* guarded memory, given back by free_case */
    struct {
        void *map;
        size_t bytes;
    } blocks[24];
};

struct rng {
    uint64_t state;
};
uint64_t next_random(struct rng *r);
int64_t pick(struct rng *r, int64_t least, int64_t most); /* both included */

/* Memory that ends at a page which cannot be touched, so that reads past the end stop the test. */
void *guarded(struct kernel_case *c, size_t bytes);
void free_case(struct kernel_case *c);

void make_case(enum sl_family family, uint64_t seed, struct kernel_case *c);
void make_weighted(struct rng *r, struct kernel_case *c);
void make_eltwise(struct rng *r, struct kernel_case *c);
void make_mover(struct rng *r, struct kernel_case *c); /* copy, pad, gather, resize */

/* What several makers share. */
enum sl_dtype pick_type(struct rng *r);
int32_t pick_zero_point(struct rng *r, enum sl_dtype t);
void pick_range(struct rng *r, enum sl_dtype t, int32_t zp, int32_t *lo, int32_t *hi);
float pick_multiplier(struct rng *r, double sum_range, enum sl_dtype out);     /* sometimes extreme */
void *stored(struct rng *r, struct kernel_case *c, enum sl_dtype t, size_t n); /* random or extreme values */
struct sl_shape pick_shape(struct rng *r, int rank, int64_t most_elements);

/* Independent evaluation, straight from docs/numerics.md, one output element at a time. */
void reference(const struct kernel_case *c, void *out);

#endif
