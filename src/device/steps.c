/*
 * steps.c: instructions -> kernel calls. One function a form (isa.def) copies the operands into the kernel family's arguments;
 * the verifier has proved them. Before it: memory_plan.c. After it: device.c packs and runs.
 */
#include "device/steps.h"

#include <string.h>

#include "device/weighted_view.h"
#include "device/window_view.h"
#include "hef/isa.h"

/* What one instruction's function works with. */
struct making {
    struct sl_steps *s;
    const struct sl_insn *i;
    uint32_t index;
    sl_err *e;
};

static const struct sl_program_tensor *tensor_in(const struct making *m, int k)
{
    return &m->s->p->tensors[m->i->in[k]];
}

static const struct sl_program_tensor *tensor_out(const struct making *m)
{
    return &m->s->p->tensors[m->i->out];
}

const void *sl_steps_constant(struct sl_steps *s, uint32_t id, sl_err *e)
{
    const struct sl_program_const *c = &s->p->consts[id];
    if (!c->splat)
        return c->data;
    if (s->dense[id])
        return s->dense[id];
    size_t bytes = 0, element = sl_dtype_bits(c->dtype) / 8;
    sl_bytes_of(c->dtype, &c->shape, &bytes);
    uint8_t *d = sl_arena_alloc_aligned64(s->a, bytes);
    if (d == NULL) {
        sl_fail(e, SLUICE_E_MEMORY, "no memory to write out a constant of %zu bytes", bytes);
        return NULL;
    }
    if (c->dtype == SL_S4) {
        uint8_t nibble = *(const uint8_t *)c->data & 15;
        memset(d, nibble | nibble << 4, bytes);
    } else if (element == 1) {
        memset(d, *(const uint8_t *)c->data, bytes);
    } else {
        for (size_t at = 0; at < bytes; at += element)
            memcpy(d + at, c->data, element);
    }
    s->dense[id] = d;
    s->splat_bytes += bytes;
    return d;
}

/* Constant operand k into *out; NULL where it is none. */
static sluice_status constant(struct making *m, int k, const void **out)
{
    *out = NULL;
    if (m->i->consts[k] == SL_NO_CONST)
        return SLUICE_OK;
    *out = sl_steps_constant(m->s, m->i->consts[k], m->e);
    return *out ? SLUICE_OK : m->e->code;
}

/* A step of the instruction; args live in the steps' arena. */
static void add_step(struct making *m, enum sl_family family, const void *args, uint32_t in0, uint32_t in1)
{
    struct sl_steps *s = m->s;
    if (s->n == s->capacity) {
        struct sl_step *old = s->steps;
        s->capacity = s->capacity ? s->capacity * 2 : 64;
        s->steps = SL_NEW_ARRAY(s->a, struct sl_step, s->capacity);
        if (s->n)
            memcpy(s->steps, old, s->n * sizeof(*old));
    }
    struct sl_step *t = &s->steps[s->n++];
    sl_work_prepare(s->kernels, family, args, &t->work);
    t->in[0] = in0;
    t->in[1] = in1;
    t->out = m->i->out;
    t->insn = m->index;
    t->nanoseconds = (double)sl_shape_elements(&s->p->tensors[in0 == SL_NO_TENSOR ? m->i->out : in0].shape) * 0.5 +
                     (double)sl_shape_elements(&tensor_out(m)->shape) * 0.5;
}

/* What the multiply-accumulates of the step just added take on top. */
static void add_products(struct making *m, double products)
{
    m->s->steps[m->s->n - 1].nanoseconds += products / 40;
}

static void add_plain_step(struct making *m, enum sl_family family, const void *args)
{
    add_step(m, family, args, m->i->in[0], m->i->n_in > 1 ? m->i->in[1] : SL_NO_TENSOR);
}

/* ---- weighted ---- */

static sluice_status make_weighted(struct making *m)
{
    const struct sl_insn *i = m->i;
    const struct sl_program_tensor *x = tensor_in(m, 0), *out = tensor_out(m), *r = i->n_in > 1 ? tensor_in(m, 1) : NULL;
    const int64_t *v = i->ints;
    struct sl_weighted_view g;
    const void *group_scale, *multiplier;
    sl_weighted_read(m->s->p, i, &g);
    struct sl_weighted_args *a = SL_NEW(m->s->a, struct sl_weighted_args);
    *a = (struct sl_weighted_args){.x_type = x->dtype,
                                   .out_type = out->dtype,
                                   .r_type = r ? r->dtype : SL_NONE,
                                   .kernel_type = m->s->p->consts[i->consts[SL_K_weighted_kernel]].dtype,
                                   .deconv = g.deconv,
                                   .n = g.n,
                                   .in_h = g.in_h,
                                   .in_w = g.in_w,
                                   .in_c = g.in_c,
                                   .out_h = g.out_h,
                                   .out_w = g.out_w,
                                   .out_c = g.out_c,
                                   .kh = g.kh,
                                   .kw = g.kw,
                                   .groups = g.groups,
                                   .sh = v[SL_I_weighted_stride_h],
                                   .sw = v[SL_I_weighted_stride_w],
                                   .dh = v[SL_I_weighted_dilation_h],
                                   .dw = v[SL_I_weighted_dilation_w],
                                   .top = v[SL_I_weighted_pad_top],
                                   .left = v[SL_I_weighted_pad_left],
                                   .zp_x = x->zero_point,
                                   .zp_r = r ? r->zero_point : 0,
                                   .zp = out->zero_point,
                                   .lo = (int32_t)v[SL_I_weighted_lo],
                                   .hi = (int32_t)v[SL_I_weighted_hi],
                                   .post = v[SL_I_weighted_post] == SL_INSN_POST_TABLE ? SL_POST_TABLE : SL_POST_LINEAR,
                                   .index_zero_point = (int32_t)v[SL_I_weighted_index_zero_point],
                                   .residual_multiplier = (float)i->floats[SL_F_weighted_residual_multiplier],
                                   .group_size = v[SL_I_weighted_kernel_group_size]};
    SL_TRY(constant(m, SL_K_weighted_kernel, &a->kernel));
    SL_TRY(constant(m, SL_K_weighted_bias, &a->bias));
    SL_TRY(constant(m, SL_K_weighted_multiplier, &multiplier));
    SL_TRY(constant(m, SL_K_weighted_pad_value, &a->pad_value));
    SL_TRY(constant(m, SL_K_weighted_table, &a->table));
    SL_TRY(constant(m, SL_K_weighted_kernel_group_scale, &group_scale));
    a->multiplier = multiplier;
    a->group_scale = group_scale;
    if (a->post == SL_POST_LINEAR)
        a->table = NULL;
    add_plain_step(m, SL_FAMILY_WEIGHTED, a);
    double positions = g.deconv ? (double)g.in_h * (double)g.in_w : (double)g.out_h * (double)g.out_w;
    add_products(m,
                 (double)g.n * positions * (double)sl_shape_elements(&m->s->p->consts[i->consts[SL_K_weighted_kernel]].shape));
    return SLUICE_OK;
}

/* ---- element by element ---- */

static sluice_status make_lookup(struct making *m)
{
    struct sl_table_args *a = SL_NEW(m->s->a, struct sl_table_args);
    *a = (struct sl_table_args){tensor_in(m, 0)->dtype, tensor_out(m)->dtype, sl_shape_elements(&tensor_out(m)->shape), NULL, false};
    SL_TRY(constant(m, SL_K_lookup_table, &a->table));
    a->whole = a->x_type == SL_U16 && sl_shape_elements(&m->s->p->consts[m->i->consts[SL_K_lookup_table]].shape) == 65536;
    add_plain_step(m, SL_FAMILY_TABLE, a);
    return SLUICE_OK;
}

static sluice_status make_requantize(struct making *m)
{
    struct sl_requantize_args *a = SL_NEW(m->s->a, struct sl_requantize_args);
    *a = (struct sl_requantize_args){.x_type = tensor_in(m, 0)->dtype,
                                     .out_type = tensor_out(m)->dtype,
                                     .n = sl_shape_elements(&tensor_out(m)->shape),
                                     .zp_x = tensor_in(m, 0)->zero_point,
                                     .zp = tensor_out(m)->zero_point,
                                     .lo = (int32_t)m->i->ints[SL_I_requantize_lo],
                                     .hi = (int32_t)m->i->ints[SL_I_requantize_hi],
                                     .multiplier = (float)m->i->floats[SL_F_requantize_multiplier]};
    add_plain_step(m, SL_FAMILY_REQUANTIZE, a);
    return SLUICE_OK;
}

static struct sl_eltwise_args *new_eltwise(struct making *m, enum sl_eltwise_op op)
{
    struct sl_eltwise_args *a = SL_NEW(m->s->a, struct sl_eltwise_args);
    *a = (struct sl_eltwise_args){.op = op,
                                  .a_type = tensor_in(m, 0)->dtype,
                                  .b_type = tensor_in(m, 1)->dtype,
                                  .out_type = tensor_out(m)->dtype,
                                  .a = tensor_in(m, 0)->shape,
                                  .b = tensor_in(m, 1)->shape,
                                  .out = tensor_out(m)->shape,
                                  .zp_a = tensor_in(m, 0)->zero_point,
                                  .zp_b = tensor_in(m, 1)->zero_point,
                                  .zp = tensor_out(m)->zero_point};
    return a;
}

static sluice_status make_sum(struct making *m)
{
    static const enum sl_eltwise_op ops[] = {SL_ELT_ADD, SL_ELT_SUB, SL_ELT_MAX, SL_ELT_MIN};
    struct sl_eltwise_args *a = new_eltwise(m, ops[m->i->opcode - SL_INSN_add]);
    a->lo = (int32_t)m->i->ints[SL_I_sum_lo];
    a->hi = (int32_t)m->i->ints[SL_I_sum_hi];
    a->multiplier_a = (float)m->i->floats[SL_F_sum_multiplier_a];
    a->multiplier_b = (float)m->i->floats[SL_F_sum_multiplier_b];
    add_plain_step(m, SL_FAMILY_ELTWISE, a);
    return SLUICE_OK;
}

static sluice_status make_product(struct making *m)
{
    struct sl_eltwise_args *a = new_eltwise(m, m->i->opcode == SL_INSN_mult ? SL_ELT_MULT : SL_ELT_DIV);
    a->lo = (int32_t)m->i->ints[SL_I_product_lo];
    a->hi = (int32_t)m->i->ints[SL_I_product_hi];
    a->multiplier = (float)m->i->floats[SL_F_product_multiplier];
    add_plain_step(m, SL_FAMILY_ELTWISE, a);
    return SLUICE_OK;
}

/* ---- windows and reductions ---- */

static struct sl_pool_args *new_pool(struct making *m, enum sl_pool_op op)
{
    const int64_t *v = m->i->ints;
    struct sl_window_view g;
    struct sl_pool_args *a = SL_NEW(m->s->a, struct sl_pool_args);
    sl_window_read(m->s->p, m->i, &g);
    *a = (struct sl_pool_args){.op = op,
                               .x_type = tensor_in(m, 0)->dtype,
                               .out_type = tensor_out(m)->dtype,
                               .n = g.n,
                               .in_h = g.in_h,
                               .in_w = g.in_w,
                               .c = g.c,
                               .out_h = g.out_h,
                               .out_w = g.out_w,
                               .kh = v[SL_I_window_kernel_h],
                               .kw = v[SL_I_window_kernel_w],
                               .sh = v[SL_I_window_stride_h],
                               .sw = v[SL_I_window_stride_w],
                               .dh = v[SL_I_window_dilation_h],
                               .dw = v[SL_I_window_dilation_w],
                               .top = v[SL_I_window_pad_top],
                               .left = v[SL_I_window_pad_left],
                               .bottom = v[SL_I_window_pad_bottom],
                               .right = v[SL_I_window_pad_right],
                               .zp_x = tensor_in(m, 0)->zero_point,
                               .zp = tensor_out(m)->zero_point};
    return a;
}

static sluice_status make_window(struct making *m)
{
    add_plain_step(m, SL_FAMILY_POOL, new_pool(m, SL_POOL_MAX));
    return SLUICE_OK;
}

static sluice_status make_average(struct making *m)
{
    struct sl_pool_args *a = new_pool(m, SL_POOL_AVG);
    a->count_include_pad = m->i->ints[SL_I_average_count_include_pad] == 1;
    a->lo = (int32_t)m->i->ints[SL_I_average_lo];
    a->hi = (int32_t)m->i->ints[SL_I_average_hi];
    a->multiplier = (float)m->i->floats[SL_F_average_multiplier];
    add_plain_step(m, SL_FAMILY_POOL, a);
    return SLUICE_OK;
}

static struct sl_reduce_args *new_reduce(struct making *m, int64_t axes)
{
    static const enum sl_reduce_op ops[] = {SL_REDUCE_MEAN, SL_REDUCE_SUM, SL_REDUCE_MAX, SL_REDUCE_MIN};
    struct sl_reduce_args *a = SL_NEW(m->s->a, struct sl_reduce_args);
    *a = (struct sl_reduce_args){.op = ops[m->i->opcode - SL_INSN_reduce_mean],
                                 .x_type = tensor_in(m, 0)->dtype,
                                 .out_type = tensor_out(m)->dtype,
                                 .x = tensor_in(m, 0)->shape,
                                 .axes = (unsigned)axes,
                                 .zp_x = tensor_in(m, 0)->zero_point,
                                 .zp = tensor_out(m)->zero_point};
    return a;
}

static sluice_status make_mean(struct making *m)
{
    struct sl_reduce_args *a = new_reduce(m, m->i->ints[SL_I_mean_axes]);
    a->lo = (int32_t)m->i->ints[SL_I_mean_lo];
    a->hi = (int32_t)m->i->ints[SL_I_mean_hi];
    a->multiplier = (float)m->i->floats[SL_F_mean_multiplier];
    add_plain_step(m, SL_FAMILY_REDUCE, a);
    return SLUICE_OK;
}

static sluice_status make_extreme(struct making *m)
{
    add_plain_step(m, SL_FAMILY_REDUCE, new_reduce(m, m->i->ints[SL_I_extreme_axes]));
    return SLUICE_OK;
}

static sluice_status make_index(struct making *m)
{
    const struct sl_shape *in = &tensor_in(m, 0)->shape;
    int axis = (int)m->i->ints[SL_I_index_axis];
    struct sl_index_args *a = SL_NEW(m->s->a, struct sl_index_args);
    *a = (struct sl_index_args){.smallest = m->i->opcode == SL_INSN_argmin,
                                .last = m->i->ints[SL_I_index_last] == 1,
                                .x_type = tensor_in(m, 0)->dtype,
                                .out_type = tensor_out(m)->dtype,
                                .outer = 1,
                                .length = in->dim[axis],
                                .inner = 1};
    for (int k = 0; k < axis; k++)
        a->outer *= in->dim[k];
    for (int k = axis + 1; k < in->rank; k++)
        a->inner *= in->dim[k];
    add_plain_step(m, SL_FAMILY_INDEX, a);
    return SLUICE_OK;
}

/* ---- attention ---- */

static sluice_status make_matmul(struct making *m)
{
    struct sl_matmul_args *a = SL_NEW(m->s->a, struct sl_matmul_args);
    *a = (struct sl_matmul_args){.a_type = tensor_in(m, 0)->dtype,
                                 .b_type = tensor_in(m, 1)->dtype,
                                 .out_type = tensor_out(m)->dtype,
                                 .a = tensor_in(m, 0)->shape,
                                 .b = tensor_in(m, 1)->shape,
                                 .transpose_b = m->i->ints[SL_I_matmul_transpose_b] == 1,
                                 .zp_a = tensor_in(m, 0)->zero_point,
                                 .zp_b = tensor_in(m, 1)->zero_point,
                                 .zp = tensor_out(m)->zero_point,
                                 .lo = (int32_t)m->i->ints[SL_I_matmul_lo],
                                 .hi = (int32_t)m->i->ints[SL_I_matmul_hi],
                                 .multiplier = (float)m->i->floats[SL_F_matmul_multiplier]};
    add_plain_step(m, SL_FAMILY_MATMUL, a);
    add_products(m, (double)sl_shape_elements(&tensor_out(m)->shape) * (double)a->a.dim[a->a.rank - 1]);
    return SLUICE_OK;
}

static sluice_status make_softmax(struct making *m)
{
    struct sl_softmax_args *a = SL_NEW(m->s->a, struct sl_softmax_args);
    const void *table;
    SL_TRY(constant(m, SL_K_softmax_table, &table));
    *a = (struct sl_softmax_args){.x_type = tensor_in(m, 0)->dtype,
                                  .out_type = tensor_out(m)->dtype,
                                  .x = tensor_in(m, 0)->shape,
                                  .axis = (int)m->i->ints[SL_I_softmax_axis],
                                  .table = table,
                                  .index_shift = (int32_t)m->i->ints[SL_I_softmax_index_shift],
                                  .inverse_scale = m->i->floats[SL_F_softmax_inverse_scale],
                                  .zp = tensor_out(m)->zero_point};
    add_plain_step(m, SL_FAMILY_SOFTMAX, a);
    return SLUICE_OK;
}

static sluice_status make_softmax_lookup(struct making *m)
{
    struct sl_softmax_args *a = SL_NEW(m->s->a, struct sl_softmax_args);
    const void *table, *inverse;
    SL_TRY(constant(m, SL_K_softmax_lookup_table, &table));
    SL_TRY(constant(m, SL_K_softmax_lookup_inverse, &inverse));
    *a = (struct sl_softmax_args){.x_type = tensor_in(m, 0)->dtype,
                                  .out_type = tensor_out(m)->dtype,
                                  .x = tensor_in(m, 0)->shape,
                                  .axis = (int)m->i->ints[SL_I_softmax_lookup_axis],
                                  .zp = tensor_out(m)->zero_point,
                                  .exponentials = table,
                                  .inverse = inverse,
                                  .distance_multiplier = (int32_t)m->i->ints[SL_I_softmax_lookup_multiplier],
                                  .distance_shift = (int32_t)m->i->ints[SL_I_softmax_lookup_shift]};
    add_plain_step(m, SL_FAMILY_SOFTMAX, a);
    return SLUICE_OK;
}

static sluice_status make_norm(struct making *m)
{
    const struct sl_shape *s = &tensor_in(m, 0)->shape;
    struct sl_norm_args *a = SL_NEW(m->s->a, struct sl_norm_args);
    const void *gamma, *beta;
    SL_TRY(constant(m, SL_K_norm_gamma, &gamma));
    SL_TRY(constant(m, SL_K_norm_beta, &beta));
    int64_t n = s->dim[s->rank - 1];
    *a = (struct sl_norm_args){.rms = m->i->opcode == SL_INSN_rms_norm,
                               .x_type = tensor_in(m, 0)->dtype,
                               .out_type = tensor_out(m)->dtype,
                               .rows = (int64_t)sl_shape_elements(s) / n,
                               .n = n,
                               .gamma = gamma,
                               .beta = beta,
                               .epsilon = m->i->floats[SL_F_norm_epsilon],
                               .zp_x = tensor_in(m, 0)->zero_point,
                               .zp = tensor_out(m)->zero_point,
                               .lo = (int32_t)m->i->ints[SL_I_norm_lo],
                               .hi = (int32_t)m->i->ints[SL_I_norm_hi]};
    add_plain_step(m, SL_FAMILY_NORM, a);
    return SLUICE_OK;
}

static sluice_status make_rotary(struct making *m)
{
    struct sl_rotary_args *a = SL_NEW(m->s->a, struct sl_rotary_args);
    *a = (struct sl_rotary_args){.x_type = tensor_in(m, 0)->dtype,
                                 .a_type = tensor_in(m, 1)->dtype,
                                 .out_type = tensor_out(m)->dtype,
                                 .x = tensor_in(m, 0)->shape,
                                 .a = tensor_in(m, 1)->shape,
                                 .interleaved = m->i->ints[SL_I_rotary_interleaved] == 1,
                                 .zp_x = tensor_in(m, 0)->zero_point,
                                 .zp_a = tensor_in(m, 1)->zero_point,
                                 .zp = tensor_out(m)->zero_point,
                                 .lo = (int32_t)m->i->ints[SL_I_rotary_lo],
                                 .hi = (int32_t)m->i->ints[SL_I_rotary_hi],
                                 .multiplier = (float)m->i->floats[SL_F_rotary_multiplier]};
    add_plain_step(m, SL_FAMILY_ROTARY, a);
    return SLUICE_OK;
}

/* ---- moving data ---- */

static int element_bytes(const struct making *m)
{
    return tensor_out(m)->dtype == SL_U16 ? 2 : 1;
}

/* The planner points the tensor at the constant; only its values must be at hand. */
static sluice_status make_constant(struct making *m)
{
    const void *data;
    return constant(m, SL_K_constant_data, &data);
}

static sluice_status make_concat(struct making *m)
{
    const struct sl_shape *out = &tensor_out(m)->shape;
    int axis = (int)m->i->ints[SL_I_concat_axis];
    uint64_t offset = 0; /* in bytes, where parts follow each other */
    for (int64_t k = 0, at = 0; k < m->i->n_in; k++) {
        const struct sl_program_tensor *part = tensor_in(m, (int)k);
        if (!sl_plan_concat_in_place(m->s->p, m->s->plan, m->i, (int)k, offset)) {
            struct sl_copy_args *a = SL_NEW(m->s->a, struct sl_copy_args);
            sl_copy_concat(a, element_bytes(m), &part->shape, out, axis, at);
            add_step(m, SL_FAMILY_COPY, a, m->i->in[k], SL_NO_TENSOR);
        }
        at += part->shape.dim[axis];
        offset += sl_tensor_bytes(part);
    }
    return SLUICE_OK;
}

static bool same_place(const struct sl_place *a, const struct sl_place *b)
{
    return a->kind == b->kind && a->which == b->which && a->offset == b->offset;
}

static sluice_status make_plain(struct making *m)
{
    const struct sl_memory_plan *plan = m->s->plan;
    bool reshape = m->i->opcode == SL_INSN_reshape;
    if (reshape && same_place(&plan->places[m->i->in[0]], &plan->places[m->i->out]))
        return SLUICE_OK;
    struct sl_copy_args *a = SL_NEW(m->s->a, struct sl_copy_args);
    if (reshape)
        sl_copy_flat(a, element_bytes(m), sl_shape_elements(&tensor_out(m)->shape));
    else
        sl_copy_expand(a, element_bytes(m), &tensor_in(m, 0)->shape, &tensor_out(m)->shape);
    add_plain_step(m, SL_FAMILY_COPY, a);
    return SLUICE_OK;
}

static sluice_status make_transpose(struct making *m)
{
    struct sl_copy_args *a = SL_NEW(m->s->a, struct sl_copy_args);
    sl_copy_transpose(a, element_bytes(m), &tensor_in(m, 0)->shape, &m->i->ints[SL_I_transpose_perm]);
    add_plain_step(m, SL_FAMILY_COPY, a);
    return SLUICE_OK;
}

static sluice_status make_slice(struct making *m)
{
    struct sl_copy_args *a = SL_NEW(m->s->a, struct sl_copy_args);
    const struct sl_shape *out = &tensor_out(m)->shape;
    int64_t step[SL_MAX_RANK];
    for (int i = 0; i < SL_MAX_RANK; i++) /* of a single position, however large, it plays no part */
        step[i] = i < out->rank && out->dim[i] > 1 ? m->i->ints[SL_I_slice_step + i] : 1;
    sl_copy_slice(a, element_bytes(m), &tensor_in(m, 0)->shape, &m->i->ints[SL_I_slice_start], step, out);
    add_plain_step(m, SL_FAMILY_COPY, a);
    return SLUICE_OK;
}

static sluice_status make_block(struct making *m)
{
    struct sl_copy_args *a = SL_NEW(m->s->a, struct sl_copy_args);
    int64_t block = m->i->ints[SL_I_block_block];
    bool crd = m->i->ints[SL_I_block_crd] == 1;
    if (m->i->opcode == SL_INSN_space_to_depth)
        sl_copy_space_to_depth(a, element_bytes(m), &tensor_in(m, 0)->shape, block, crd);
    else
        sl_copy_depth_to_space(a, element_bytes(m), &tensor_in(m, 0)->shape, block, crd);
    add_plain_step(m, SL_FAMILY_COPY, a);
    return SLUICE_OK;
}

static sluice_status make_pad(struct making *m)
{
    static const enum sl_pad_mode modes[] = {
        [SL_INSN_PAD_CONSTANT] = SL_PAD_CONSTANT, [SL_INSN_PAD_EDGE] = SL_PAD_EDGE, [SL_INSN_PAD_REFLECT] = SL_PAD_REFLECT};
    struct sl_pad_args *a = SL_NEW(m->s->a, struct sl_pad_args);
    *a = (struct sl_pad_args){.type = tensor_in(m, 0)->dtype,
                              .mode = modes[m->i->ints[SL_I_pad_mode]],
                              .x = tensor_in(m, 0)->shape,
                              .value = (int32_t)m->i->ints[SL_I_pad_value]};
    memcpy(a->before, &m->i->ints[SL_I_pad_before], sizeof(a->before));
    memcpy(a->after, &m->i->ints[SL_I_pad_after], sizeof(a->after));
    add_plain_step(m, SL_FAMILY_PAD, a);
    return SLUICE_OK;
}

static sluice_status make_resize(struct making *m)
{
    const struct sl_shape *in = &tensor_in(m, 0)->shape, *out = &tensor_out(m)->shape;
    struct sl_resize_args *a = SL_NEW(m->s->a, struct sl_resize_args);
    const void *arrays[SL_resize_CONSTS];
    for (int k = 0; k < SL_resize_CONSTS; k++)
        SL_TRY(constant(m, k, &arrays[k]));
    *a = (struct sl_resize_args){.type = tensor_in(m, 0)->dtype,
                                 .taps = sl_resize_taps(m->i->ints[SL_I_resize_mode]),
                                 .n = in->dim[0],
                                 .in_h = in->dim[1],
                                 .in_w = in->dim[2],
                                 .c = in->dim[3],
                                 .out_h = out->dim[1],
                                 .out_w = out->dim[2],
                                 .rows = arrays[SL_K_resize_rows],
                                 .columns = arrays[SL_K_resize_columns],
                                 .row_weights = arrays[SL_K_resize_row_weights],
                                 .column_weights = arrays[SL_K_resize_column_weights]};
    add_plain_step(m, SL_FAMILY_RESIZE, a);
    return SLUICE_OK;
}

static sluice_status make_gather(struct making *m)
{
    const struct sl_shape *in = &tensor_in(m, 0)->shape;
    int axis = (int)m->i->ints[SL_I_gather_axis];
    struct sl_gather_args *a = SL_NEW(m->s->a, struct sl_gather_args);
    const void *indices;
    SL_TRY(constant(m, SL_K_gather_indices, &indices));
    *a = (struct sl_gather_args){.bytes = element_bytes(m),
                                 .outer = 1,
                                 .axis_n = in->dim[axis],
                                 .inner = 1,
                                 .indices = indices,
                                 .n_indices =
                                     (int64_t)sl_shape_elements(&m->s->p->consts[m->i->consts[SL_K_gather_indices]].shape)};
    for (int k = 0; k < axis; k++)
        a->outer *= in->dim[k];
    for (int k = axis + 1; k < in->rank; k++)
        a->inner *= in->dim[k];
    add_plain_step(m, SL_FAMILY_GATHER, a);
    return SLUICE_OK;
}

sluice_status sl_steps_make(struct sl_steps *s, sl_err *e)
{
    static sluice_status (*const make[SL_FORM_COUNT])(struct making *) = {
#define FORM(form, constants, integers, floats) make_##form,
#include "hef/isa.def"
#undef FORM
    };
    s->dense = SL_NEW_ARRAY(s->a, const void *, s->p->n_consts);
    for (uint32_t i = 0; i < s->p->n_insns; i++) {
        struct making m = {s, &s->p->insns[i], i, e};
        SL_TRY(make[sl_insn_info(m.i->opcode)->form](&m));
    }
    return SLUICE_OK;
}
