/*
 * kernels.h: the integer kernels. docs/numerics.md defines the bytes they compute; the C version of each family is its plainest
 * form, the SIMD versions beside it give the same bytes (tests/kernels). Used by the device, which emulator and runtime share.
 *
 * One family, three steps:
 *
 *     struct sl_pool_args a = {...};                 filled by the caller; it and all it points to outlive the work
 *     struct sl_work w;
 *     sl_prepare_pool(sl_kernels(), &a, &w);         picks a variant, sets n_tasks and sizes; allocates nothing
 *     if (w.packed_bytes) sl_work_pack(&w, memory);  once, at load; memory is 64-byte aligned and outlives the work
 *
 *     for (int t = 0; t < w.n_tasks; t++)            any order, any thread; each task writes its own part of the output
 *         sl_work_run(&w, &io, t, scratch);          scratch_bytes, 64-byte aligned, one a worker, contents undefined
 *
 * A prepared work is read only, so it may run on several threads and on several frames at once. n_tasks depends on the args and
 * the variant alone; the bytes depend on neither split nor variant. Run allocates nothing and cannot fail.
 *
 * The caller has checked the args: shapes that agree, indices within their axis, types named below, numerics.md section 12.
 * Prepare asserts what it relies on. Buffers need the alignment of their element only. Kernels never read or write outside the
 * tensors. An output may not overlap an input, except that table, requantize and eltwise may run in place on an input of the
 * output's shape and element size. Callers hold round-to-nearest-even (sl_fp_enter).
 *
 * Dimensions: tensors are dense, C order, channels last. Rank 2 and 3 inputs of weighted layers and pools are passed with
 * in_h = 1 (and in_w = 1).
 */
#ifndef SL_KERNELS_KERNELS_H
#define SL_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/types.h"

enum sl_family {
    SL_FAMILY_WEIGHTED, /* io: in[0] x, in[1] residual or NULL */
    SL_FAMILY_TABLE,
    SL_FAMILY_REQUANTIZE,
    SL_FAMILY_ELTWISE, /* in[0] a, in[1] b */
    SL_FAMILY_POOL,
    SL_FAMILY_REDUCE,
    SL_FAMILY_MATMUL, /* in[0] a, in[1] b */
    SL_FAMILY_SOFTMAX,
    SL_FAMILY_NORM,
    SL_FAMILY_COPY,
    SL_FAMILY_PAD,
    SL_FAMILY_GATHER,
    SL_FAMILY_RESIZE,
    SL_FAMILY_QUANTIZE,   /* in[0] float, out u8/u16 */
    SL_FAMILY_DEQUANTIZE, /* in[0] u8/u16, out float */
    SL_FAMILY_INDEX,
    SL_FAMILY_ROTARY, /* in[0] x, in[1] angles */
    SL_FAMILY_COUNT
};

struct sl_io {
    const void *in[2];
    void *out;
};

struct sl_work;
struct sl_variant {
    const char *name; /* "conv_u8s8_avx2" */
    enum sl_family family;
    enum sl_cpu_level level;
    bool (*takes)(const void *args); /* NULL: everything the family allows */
    void (*plan)(struct sl_work *w);
    void (*pack)(const struct sl_work *w, void *packed); /* NULL: nothing to pack */
    void (*run)(const struct sl_work *w, const struct sl_io *io, int task, void *scratch);
};

enum { SL_WORK_STATE = 64 };
struct sl_work {
    const struct sl_variant *variant;
    const void *args;
    const void *packed; /* set by sl_work_pack */
    int n_tasks;        /* >= 0; 0 when the output is empty */
    size_t packed_bytes;
    size_t scratch_bytes;         /* a worker */
    int64_t state[SL_WORK_STATE]; /* the variant's own: collapsed shapes, block sizes */
};

/* The variants one CPU level may use. */
struct sl_kernels;
const struct sl_kernels *sl_kernels(void);                       /* for sl_cpu_level(): SLUICE_CPU caps it */
const struct sl_kernels *sl_kernels_at(enum sl_cpu_level level); /* for tests; the caller knows that the CPU has it */
const struct sl_variant *const *sl_kernel_rows(int *n);          /* every row of kernels.def, C rows first */

void sl_work_prepare(const struct sl_kernels *k, enum sl_family family, const void *args, struct sl_work *w);
void sl_work_prepare_variant(const struct sl_variant *v, const void *args, struct sl_work *w);
void sl_work_pack(struct sl_work *w, void *packed);
static inline void sl_work_run(const struct sl_work *w, const struct sl_io *io, int task, void *scratch)
{
    w->variant->run(w, io, task, scratch);
}

/* ---- weighted layers (numerics.md section 4) ---- */

enum sl_post { SL_POST_LINEAR, SL_POST_TABLE };

/* conv, dw and fc are one thing here: dw is groups = in_c (its [kh, kw, ic, mult] kernel is [kh, kw, 1, oc] unchanged), fc is
 * kh = kw = 1 with in_h = in_w = 1 (or more positions). deconv sets `deconv`. */
struct sl_weighted_args {
    enum sl_dtype x_type, out_type; /* u8 or u16 each */
    enum sl_dtype r_type;           /* residual: u8 or u16; SL_NONE without */
    enum sl_dtype kernel_type;      /* s8, s16 or s4 */
    bool deconv;
    int64_t n, in_h, in_w, in_c, out_h, out_w, out_c;
    int64_t kh, kw, sh, sw, dh, dw, top, left, groups; /* bottom and right pads follow from out_h, out_w */
    int32_t zp_x, zp_r, zp;
    int32_t lo, hi;
    enum sl_post post;
    int32_t index_zero_point; /* table */
    float residual_multiplier;
    const void *kernel;        /* [kh, kw, ic/groups, oc]; deconv [kh, kw, ic, oc/groups] */
    const void *bias;          /* [oc] s32 where x is u8, s64 where x is u16 */
    const float *multiplier;   /* [oc] */
    const void *pad_value;     /* [ic] of x's type, or NULL: zp_x; NULL for deconv */
    const void *table;         /* u8 [4096] or u16 [4097], or NULL */
    const int8_t *group_scale; /* s4: [ic_groups, oc], NULL = all 1; kernel input feature c uses row c / group_size */
    int64_t group_size;
};

/* Whether a sum may leave 32 bits: from the constants, never from a file. */
bool sl_weighted_is_wide(const struct sl_weighted_args *a);
/* Element i of the kernel in C order, s4 expanded by its group scale. For bounds, tests and packing. */
int32_t sl_weighted_kernel_at(const struct sl_weighted_args *a, int64_t i);

/* ---- element by element (sections 5 and 6) ---- */

struct sl_table_args {
    enum sl_dtype x_type, out_type;
    size_t n;
    const void *table; /* section 5: by types */
    bool whole;        /* u16: the table has 65536 entries */
};

struct sl_requantize_args {
    enum sl_dtype x_type, out_type;
    size_t n;
    int32_t zp_x, zp, lo, hi;
    float multiplier;
};

enum sl_eltwise_op { SL_ELT_ADD, SL_ELT_SUB, SL_ELT_MAX, SL_ELT_MIN, SL_ELT_MULT, SL_ELT_DIV };
struct sl_eltwise_args {
    enum sl_eltwise_op op;
    enum sl_dtype a_type, b_type, out_type;
    struct sl_shape a, b, out; /* NumPy broadcasting of a and b gives out */
    int32_t zp_a, zp_b, zp, lo, hi;
    float multiplier_a, multiplier_b; /* add, sub, max, min */
    float multiplier;                 /* mult, div */
};

/* ---- pooling and reduction (section 7) ---- */

enum sl_pool_op { SL_POOL_MAX, SL_POOL_AVG };
struct sl_pool_args {
    enum sl_pool_op op;
    enum sl_dtype x_type, out_type; /* max: the same */
    int64_t n, in_h, in_w, c, out_h, out_w;
    int64_t kh, kw, sh, sw, dh, dw, top, left, bottom, right; /* bottom, right: for count_include_pad */
    bool count_include_pad;
    int32_t zp_x, zp, lo, hi; /* avg */
    float multiplier;         /* avg */
};

enum sl_reduce_op { SL_REDUCE_MEAN, SL_REDUCE_SUM, SL_REDUCE_MAX, SL_REDUCE_MIN };
struct sl_reduce_args {
    enum sl_reduce_op op;
    enum sl_dtype x_type, out_type;
    struct sl_shape x;
    unsigned axes;            /* bit i: axis i is reduced */
    int32_t zp_x, zp, lo, hi; /* mean, sum */
    float multiplier;         /* mean, sum */
};

/* x is [outer, length, inner], the output [outer, inner]. Of equal values the first, or the last. */
struct sl_index_args {
    bool smallest, last;
    enum sl_dtype x_type, out_type; /* u16 where length > 256, else u8 */
    int64_t outer, length, inner;   /* 1 <= length <= 65536 */
};

/* ---- attention and norms (sections 8, 9, 10) ---- */

struct sl_matmul_args {
    enum sl_dtype a_type, b_type, out_type;
    struct sl_shape a, b; /* ranks >= 2; leading dimensions broadcast */
    bool transpose_b;
    int32_t zp_a, zp_b, zp, lo, hi;
    float multiplier;
};
bool sl_matmul_is_wide(const struct sl_matmul_args *a);

enum { SL_LOOKUP_ENTRIES = 513 };

struct sl_softmax_args {
    enum sl_dtype x_type, out_type;
    struct sl_shape x;
    int axis;              /* 0..rank-1 */
    const uint16_t *table; /* [256] for u8, [4096] for u16 */
    int32_t index_shift;   /* u16 */
    double inverse_scale;
    int32_t zp;
    const int16_t *exponentials, *inverse; /* [513] each: the form by two interpolated tables; NULL: the form above */
    int32_t distance_multiplier, distance_shift;
};

struct sl_norm_args {
    bool rms;
    enum sl_dtype x_type, out_type;
    int64_t rows, n;           /* n: the last axis */
    const float *gamma, *beta; /* [n] */
    double epsilon;
    int32_t zp_x, zp, lo, hi; /* zp_x: rms */
};

/* Pairs of features turned by an angle (section 10a). */
struct sl_rotary_args {
    enum sl_dtype x_type, a_type, out_type;
    struct sl_shape x, a; /* a: w cosines and w sines in the last axis, w = d or d / 2; leading axes broadcast to x's */
    bool interleaved;     /* pairs of neighbours, else half a row apart */
    int32_t zp_x, zp_a, zp, lo, hi;
    float multiplier;
};

/* ---- moving data (section 11) ---- */

/* out[out_offset + sum i_k * out_stride[k]] = in[in_offset + sum i_k * in_stride[k]] over all i below dim. Units are elements
 * of `bytes` (1, 2, 4 or 8). Strides of the input may be 0 or negative; output positions are distinct. Concat is one copy a
 * part. */
struct sl_copy_args {
    int bytes;
    int rank; /* 0..SL_MAX_RANK */
    int64_t dim[SL_MAX_RANK], in_stride[SL_MAX_RANK], out_stride[SL_MAX_RANK];
    int64_t in_offset, out_offset;
};

/* Fill a copy. `bytes` is the element's size. */
void sl_copy_flat(struct sl_copy_args *c, int bytes, size_t n);
void sl_copy_transpose(struct sl_copy_args *c, int bytes, const struct sl_shape *x, const int64_t *perm);
/* out is the slice's shape; start and step one an axis. */
void sl_copy_slice(struct sl_copy_args *c, int bytes, const struct sl_shape *x, const int64_t *start, const int64_t *step,
                   const struct sl_shape *out);
/* Part of a concat of shape `out` along axis, beginning at `at`. */
void sl_copy_concat(struct sl_copy_args *c, int bytes, const struct sl_shape *part, const struct sl_shape *out, int axis,
                    int64_t at);
void sl_copy_expand(struct sl_copy_args *c, int bytes, const struct sl_shape *x, const struct sl_shape *out);
/* x is [n, h, w, c]. crd: channel-major blocks as ONNX DepthToSpace's mode CRD; otherwise DCR. */
void sl_copy_depth_to_space(struct sl_copy_args *c, int bytes, const struct sl_shape *x, int64_t block, bool crd);
void sl_copy_space_to_depth(struct sl_copy_args *c, int bytes, const struct sl_shape *x, int64_t block, bool crd);

enum sl_pad_mode { SL_PAD_CONSTANT, SL_PAD_EDGE, SL_PAD_REFLECT };
struct sl_pad_args {
    enum sl_dtype type; /* u8, u16 */
    enum sl_pad_mode mode;
    struct sl_shape x;
    int64_t before[SL_MAX_RANK], after[SL_MAX_RANK]; /* >= 0 */
    int32_t value;                                   /* stored */
};

struct sl_gather_args {
    int bytes;                    /* 1, 2, 4, 8 */
    int64_t outer, axis_n, inner; /* x is [outer, axis_n, inner], the output [outer, n_indices, inner] */
    int64_t n_indices;
    const int32_t *indices; /* 0..axis_n-1 */
};

struct sl_resize_args {
    enum sl_dtype type; /* u8, u16 */
    int taps; /* 1 nearest, 2 linear, 4 cubic */
    int64_t n, in_h, in_w, c, out_h, out_w;
    const int32_t *rows, *columns; /* [out_h][taps], [out_w][taps] */
    /* The same, not for 1 tap: of each position they sum to 2048; 2 taps: 0..2048, 4 taps: -4096..4096. */
    const int32_t *row_weights, *column_weights;
};

/* ---- the library's float side (section 2) ---- */

struct sl_quantize_args {
    enum sl_dtype type; /* of the stored side */
    size_t n;
    float scale;
    int32_t zero_point;
};

struct sl_dequantize_args {
    enum sl_dtype type;
    size_t n;
    int64_t channels;    /* with scales: the last axis; n is a multiple */
    const float *scales; /* [channels] or NULL: scale */
    float scale;
    int32_t zero_point;
};

/* Typed entrances of sl_work_prepare. */
#define SL_PREPARE(name, FAMILY)                                                                                               \
    static inline void sl_prepare_##name(const struct sl_kernels *k, const struct sl_##name##_args *a, struct sl_work *w)      \
    {                                                                                                                          \
        sl_work_prepare(k, FAMILY, a, w);                                                                                      \
    }
SL_PREPARE(weighted, SL_FAMILY_WEIGHTED)
SL_PREPARE(table, SL_FAMILY_TABLE)
SL_PREPARE(requantize, SL_FAMILY_REQUANTIZE)
SL_PREPARE(eltwise, SL_FAMILY_ELTWISE)
SL_PREPARE(pool, SL_FAMILY_POOL)
SL_PREPARE(reduce, SL_FAMILY_REDUCE)
SL_PREPARE(index, SL_FAMILY_INDEX)
SL_PREPARE(matmul, SL_FAMILY_MATMUL)
SL_PREPARE(softmax, SL_FAMILY_SOFTMAX)
SL_PREPARE(norm, SL_FAMILY_NORM)
SL_PREPARE(rotary, SL_FAMILY_ROTARY)
SL_PREPARE(copy, SL_FAMILY_COPY)
SL_PREPARE(pad, SL_FAMILY_PAD)
SL_PREPARE(gather, SL_FAMILY_GATHER)
SL_PREPARE(resize, SL_FAMILY_RESIZE)
SL_PREPARE(quantize, SL_FAMILY_QUANTIZE)
SL_PREPARE(dequantize, SL_FAMILY_DEQUANTIZE)
#undef SL_PREPARE

#endif
