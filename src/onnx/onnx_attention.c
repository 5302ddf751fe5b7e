/*
 * onnx_attention.c: attention as one operator: Attention of opset 23, Attention and MultiHeadAttention of com.microsoft, written out as
 * products and a softmax. Keys and values of earlier calls are put before the new ones.
 */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"

/* All as [batch, heads, length, size]; kv_heads divide heads. */
struct attention {
    struct sl_node *q, *k, *v;
    struct sl_node *past_k, *past_v;
    struct sl_node *bias; /* added to the scores, broadcast; NULL: none */
    double scale, softcap; /* softcap 0: none */
    double masked;         /* what a score that must not count gets */
    bool causal;
    struct sl_node *scores[4]; /* raw, capped, masked, as shares */
};

/* [batch, length, heads * size] -> [batch, heads, length, size]; four axes stay. */
static sluice_status by_head(struct onnx_import *c, struct sl_node *x, int64_t heads, struct sl_node **out)
{
    static const int64_t perm[4] = {0, 2, 1, 3};
    *out = x;
    if (x->shape.rank == 4)
        return SLUICE_OK;
    const int64_t *d = x->shape.dim;
    if (x->shape.rank != 3 || heads < 1 || d[2] % heads)
        return sl_fail(c->e, SLUICE_E_SHAPE, "%d dimensions with %lld heads: [batch, length, heads * size] is wanted", x->shape.rank,
                       (long long)heads);
    SL_TRY(onnx_reshape(c, x, 4, (int64_t[]){d[0], d[1], heads, d[2] / heads}, out));
    return sl_build_transpose(c->b, *out, perm, out);
}

static sluice_status joined_heads(struct onnx_import *c, struct sl_node *x, struct sl_node **out)
{
    static const int64_t perm[4] = {0, 2, 1, 3};
    SL_TRY(sl_build_transpose(c->b, x, perm, &x));
    const int64_t *d = x->shape.dim;
    return onnx_reshape(c, x, 3, (int64_t[]){d[0], d[1], d[2] * d[3]}, out);
}

/* Heads of keys and values that several heads of the query share are repeated. */
static sluice_status shared_heads(struct onnx_import *c, struct sl_node *x, int64_t heads, struct sl_node **out)
{
    const int64_t *d = x->shape.dim, times = d[1] > 0 ? heads / d[1] : 0;
    *out = x;
    if (heads == d[1])
        return SLUICE_OK;
    if (d[1] < 1 || heads % d[1])
        return sl_fail(c->e, SLUICE_E_SHAPE, "%lld heads of keys for %lld of the query", (long long)d[1], (long long)heads);
    struct sl_shape wide = {5, {d[0], d[1], times, d[2], d[3]}};
    const int64_t dims[4] = {d[0], heads, d[2], d[3]};
    SL_TRY(onnx_reshape(c, x, 5, (int64_t[]){d[0], d[1], 1, d[2], d[3]}, out));
    SL_TRY(sl_build_expand(c->b, *out, &wide, out));
    return onnx_reshape(c, *out, 4, dims, out);
}

/* [q, kv]: 0 where query i, which follows `before` keys, sees key j, else `masked`. */
static sluice_status causal_bias(struct onnx_import *c, int64_t q, int64_t kv, int64_t before, double masked, struct sl_node **out)
{
    struct sl_shape s = {2, {q, kv}};
    void *data;
    const struct sl_const *k;
    SL_TRY(sl_build_new_const(c->b, SL_F32, &s, &k, &data));
    for (int64_t i = 0; i < q; i++)
        for (int64_t j = 0; j < kv; j++)
            ((float *)data)[i * kv + j] = j <= i + before ? 0 : (float)masked;
    *out = sl_build_const(c->b, k);
    return SLUICE_OK;
}

static sluice_status with_past(struct onnx_import *c, struct sl_node *past, struct sl_node **x)
{
    struct sl_node *parts[2] = {past, *x};
    return past && sl_shape_elements(&past->shape) > 0 ? sl_build_concat(c->b, 2, 2, parts, x) : SLUICE_OK;
}

/* softmax(q k' scale + bias) v, [batch, heads, length, size]. a->k and a->v become those with the past. */
static sluice_status attend(struct onnx_import *c, struct attention *a, struct sl_node **out)
{
    static const int64_t swap[4] = {0, 1, 3, 2};
    struct sl_node *k, *v, *s, *bias;
    const int64_t new_keys = a->k->shape.dim[2];
    SL_TRY(with_past(c, a->past_k, &a->k));
    SL_TRY(with_past(c, a->past_v, &a->v));
    const int64_t heads = a->q->shape.dim[1], length = a->q->shape.dim[2], keys = a->k->shape.dim[2];
    SL_TRY(shared_heads(c, a->k, heads, &k));
    SL_TRY(shared_heads(c, a->v, heads, &v));
    SL_TRY(sl_build_transpose(c->b, k, swap, &k));
    SL_TRY(onnx_matmul(c, a->q, k, &s));
    if (a->scale != 1)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, s, sl_build_f32(c->b, a->scale), &s));
    a->scores[0] = s;
    if (a->softcap > 0) {
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, s, sl_build_f32(c->b, 1 / a->softcap), &s));
        SL_TRY(sl_build_unary(c->b, s, "tanh", &s));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_mult, s, sl_build_f32(c->b, a->softcap), &s));
    }
    a->scores[1] = s;
    if (a->bias)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, s, a->bias, &s));
    if (a->causal) {
        SL_TRY(causal_bias(c, length, keys, keys - new_keys, a->masked, &bias));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, s, bias, &s));
    }
    a->scores[2] = s;
    SL_TRY(sl_build_softmax(c->b, s, 3, &s));
    a->scores[3] = s;
    return onnx_matmul(c, s, v, out);
}

static double default_scale(struct onnx_import *c, const struct sl_node *q)
{
    double given = onnx_attr_float(c, "scale", 0); /* 0: left out */
    return given != 0 ? given : 1 / sqrt((double)SL_MAX(1, q->shape.dim[3]));
}

static sluice_status check_heads(struct onnx_import *c, const struct attention *a)
{
    const struct sl_node *v[3] = {a->q, a->k, a->v};
    for (int i = 0; i < 3; i++)
        if (v[i]->shape.rank != 4)
            return sl_fail(c->e, SLUICE_E_SHAPE, "an input has %d dimensions, [batch, heads, length, size] is wanted", v[i]->shape.rank);
    return SLUICE_OK;
}

/* ---- opset 23 ---- */

/* A mask of booleans keeps what is true; one that is shorter than the keys hides the rest. */
static sluice_status mask_bias(struct onnx_import *c, struct sl_node *mask, int64_t keys, struct sl_node **out)
{
    const int last = mask->shape.rank - 1;
    *out = mask;
    if (mask->dtype == SL_BOOL) {
        struct sl_node *in[3] = {mask, sl_build_f32(c->b, 0), sl_build_f32(c->b, -INFINITY)};
        *out = sl_build_add(c->b, SL_OP_where, 3, in);
        SL_TRY(sl_build_finish(c->b, out));
    }
    if (last < 0 || mask->shape.dim[last] == keys || mask->shape.dim[last] == 1 || mask->shape.dim[last] > keys)
        return SLUICE_OK;
    int64_t pads[2 * SL_MAX_RANK] = {0};
    pads[2 * last + 1] = keys - mask->shape.dim[last];
    return sl_build_pad(c->b, *out, pads, "constant", -INFINITY, out);
}

sluice_status translate_attention(struct onnx_import *c, const struct onnx_node *n)
{
    struct attention a = {.masked = -INFINITY, .softcap = onnx_attr_float(c, "softcap", 0)};
    struct sl_node *v[6], *y;
    const int64_t mode = onnx_attr_int(c, "qk_matmul_output_mode", 0);
    for (int i = 0; i < 6; i++)
        SL_TRY(onnx_in(c, i, &v[i]));
    if (onnx_has_in(c, 6))
        return sl_unsupported(c->b, "nonpad_kv_seqlen, a cache that is kept outside");
    if (onnx_attr_int(c, "left_window_size", -1) != -1 || onnx_attr_int(c, "right_window_size", -1) != -1)
        return sl_unsupported(c->b, "a window over the keys");
    if (mode < 0 || mode > 3)
        return sl_fail(c->e, SLUICE_E_VALUE, "qk_matmul_output_mode %lld is outside 0..3", (long long)mode);
    const int rank = v[0]->shape.rank;
    const int64_t kv_heads = onnx_attr_int(c, "kv_num_heads", 0);
    SL_TRY(by_head(c, v[0], onnx_attr_int(c, "q_num_heads", 0), &a.q));
    SL_TRY(by_head(c, v[1], kv_heads, &a.k));
    SL_TRY(by_head(c, v[2], kv_heads, &a.v));
    SL_TRY(check_heads(c, &a));
    a.past_k = v[4];
    a.past_v = v[5];
    a.causal = onnx_attr_int(c, "is_causal", 0) != 0;
    a.scale = default_scale(c, a.q);
    if (v[3])
        SL_TRY(mask_bias(c, v[3], a.k->shape.dim[2] + (a.past_k ? a.past_k->shape.dim[2] : 0), &a.bias));
    SL_TRY(attend(c, &a, &y));
    if (rank == 3)
        SL_TRY(joined_heads(c, y, &y));
    SL_TRY(onnx_out(c, 1, a.k));
    SL_TRY(onnx_out(c, 2, a.v));
    SL_TRY(onnx_out(c, 3, a.scores[mode]));
    return onnx_out(c, 0, y);
}

/* ---- com.microsoft ---- */

/* A mask of ones and zeros as a bias: (1 - mask) * filter, over scores [batch, heads, length, keys]. */
static sluice_status key_mask(struct onnx_import *c, struct sl_node *mask, int64_t keys, double filter, struct sl_node **out)
{
    const int64_t *d = mask->shape.dim;
    const int rank = mask->shape.rank;
    if (rank == 1) { /* how many keys of each sentence count */
        int64_t *at = SL_NEW_ARRAY(c->scratch, int64_t, (size_t)keys + 1);
        for (int64_t i = 0; i < keys; i++)
            at[i] = i;
        SL_TRY(onnx_reshape(c, mask, 2, (int64_t[]){d[0], 1}, &mask));
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_less, sl_build_ints(c->b, mask->dtype == SL_S32 ? SL_S32 : SL_S64, 1, (int)keys, at), mask,
                               &mask));
        d = mask->shape.dim;
    }
    const int64_t dims[4] = {d[0], 1, rank == 3 ? d[1] : 1, keys};
    if (rank > 3 || mask->shape.dim[mask->shape.rank - 1] != keys)
        return sl_unsupported(c->b, "a mask of %d dimensions; [batch], [batch, keys] and [batch, length, keys] are supported", rank);
    SL_TRY(sl_build_cast(c->b, mask, SL_F32, &mask));
    SL_TRY(sl_build_unary2(c->b, mask, "affine", "alpha", -filter, "beta", filter, &mask));
    return onnx_reshape(c, mask, 4, dims, out);
}

/* What both operators of com.microsoft share once q, k and v are there. */
static sluice_status masked_attention(struct onnx_import *c, struct attention *a, struct sl_node *mask, struct sl_node *bias,
                                      struct sl_node **out)
{
    const double filter = onnx_attr_float(c, "mask_filter_value", -10000);
    SL_TRY(check_heads(c, a));
    a->masked = filter;
    a->causal = onnx_attr_int(c, "unidirectional", 0) != 0;
    a->scale = default_scale(c, a->q);
    if (mask)
        SL_TRY(key_mask(c, mask, a->k->shape.dim[2] + (a->past_k ? a->past_k->shape.dim[2] : 0), filter, &mask));
    a->bias = mask;
    if (bias && mask)
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, mask, bias, &a->bias));
    else if (bias)
        a->bias = bias;
    SL_TRY(attend(c, a, out));
    return joined_heads(c, *out, out);
}

/* x times one matrix for queries, keys and values: slices of the last axis. */
sluice_status translate_packed_attention(struct onnx_import *c, const struct onnx_node *n)
{
    struct attention a = {0};
    struct sl_node *v[6], *y, *past[2] = {NULL, NULL};
    const int64_t heads = onnx_attr_int(c, "num_heads", 0);
    int count;
    const int64_t *given = onnx_attr_ints(c, "qkv_hidden_sizes", &count);
    for (int i = 0; i < 6; i++)
        SL_TRY(onnx_in(c, i, &v[i]));
    if (onnx_has_in(c, 6) || onnx_attr_int(c, "past_present_share_buffer", 0))
        return sl_unsupported(c->b, "past and present in one buffer");
    if (onnx_attr_int(c, "do_rotary", 0))
        return sl_unsupported(c->b, "do_rotary 1");
    if (v[0]->shape.rank != 3 || v[1]->shape.rank != 2)
        return sl_fail(c->e, SLUICE_E_SHAPE, "input and weights have %d and %d dimensions, 3 and 2 are wanted", v[0]->shape.rank,
                       v[1]->shape.rank);
    SL_TRY(onnx_matmul(c, v[0], v[1], &y));
    if (v[2])
        SL_TRY(sl_build_binary(c->b, SL_OP_ew_add, y, v[2], &y));
    const int64_t width = y->shape.dim[2];
    const int64_t sizes[3] = {given ? given[0] : width / 3, given && count > 1 ? given[1] : width / 3,
                              given && count > 2 ? given[2] : width / 3};
    if ((given && count != 3) || sizes[0] < 1 || sizes[1] < 1 || sizes[2] < 1 || sizes[0] > width || sizes[1] > width ||
        sizes[0] + sizes[1] + sizes[2] != width)
        return sl_fail(c->e, SLUICE_E_SHAPE, "weights of %lld columns do not part into queries, keys and values", (long long)width);
    struct sl_node **to[3] = {&a.q, &a.k, &a.v};
    for (int64_t i = 0, from = 0; i < 3; from += sizes[i++]) {
        SL_TRY(sl_build_slice_axis(c->b, y, 2, from, from + sizes[i], to[i]));
        SL_TRY(by_head(c, *to[i], heads, to[i]));
    }
    for (int64_t i = 0; v[4] && i < 2; i++) { /* [2, batch, heads, length, size] */
        if (v[4]->shape.rank != 5 || v[4]->shape.dim[0] != 2)
            return sl_fail(c->e, SLUICE_E_SHAPE, "past has %d dimensions, [2, batch, heads, length, size] is wanted", v[4]->shape.rank);
        SL_TRY(sl_build_slice_axis(c->b, v[4], 0, i, i + 1, &past[i]));
        SL_TRY(onnx_reshape(c, past[i], 4, v[4]->shape.dim + 1, &past[i]));
    }
    a.past_k = past[0];
    a.past_v = past[1];
    SL_TRY(masked_attention(c, &a, v[3], v[5], &y));
    SL_TRY(onnx_out(c, 0, y));
    if (!onnx_wants_out(c, 1))
        return SLUICE_OK;
    struct sl_node *present[2] = {a.k, a.v};
    for (int i = 0; i < 2; i++) {
        const int64_t *d = present[i]->shape.dim;
        SL_TRY(onnx_reshape(c, present[i], 5, (int64_t[]){1, d[0], d[1], d[2], d[3]}, &present[i]));
    }
    SL_TRY(sl_build_concat(c->b, 0, 2, present, &y));
    return onnx_out(c, 1, y);
}

/* Part `part` of [batch, length, heads, parts, size] as [batch, heads, length, size]. */
static sluice_status packed_part(struct onnx_import *c, struct sl_node *x, int64_t part, struct sl_node **out)
{
    static const int64_t perm[4] = {0, 2, 1, 3};
    const int64_t *d = x->shape.dim;
    SL_TRY(sl_build_slice_axis(c->b, x, 3, part, part + 1, out));
    SL_TRY(onnx_reshape(c, *out, 4, (int64_t[]){d[0], d[1], d[2], d[4]}, out));
    return sl_build_transpose(c->b, *out, perm, out);
}

/* q, k or v plus its part of the bias, which starts at *from. */
static sluice_status biased(struct onnx_import *c, struct sl_node *bias, int64_t *from, struct sl_node **x)
{
    struct sl_node *part;
    const int64_t width = (*x)->shape.dim[2];
    if (!bias)
        return SLUICE_OK;
    if ((*x)->shape.rank != 3 || bias->shape.rank != 1 || bias->shape.dim[0] < *from + width)
        return sl_unsupported(c->b, "a bias on queries, keys or values that do not have [batch, length, heads * size]");
    SL_TRY(sl_build_slice_axis(c->b, bias, 0, *from, *from + width, &part));
    *from += width;
    return sl_build_binary(c->b, SL_OP_ew_add, *x, part, x);
}

/* Inputs: query, key, value, bias, key padding mask, attention bias, past key, past value. Query alone, or query and key, may hold
 * all three between their axes. */
sluice_status translate_multi_head_attention(struct onnx_import *c, const struct onnx_node *n)
{
    struct attention a = {0};
    struct sl_node *v[8], *y;
    const int64_t heads = onnx_attr_int(c, "num_heads", 0);
    int64_t from = 0;
    for (int i = 0; i < 8; i++)
        SL_TRY(onnx_in(c, i, &v[i]));
    if (onnx_has_in(c, 8) || onnx_has_in(c, 9))
        return sl_unsupported(c->b, "past and present in one buffer");
    const bool all = !v[1], both = v[1] && !v[2];
    const struct sl_node *packed = all ? v[0] : v[1];
    if ((all || both) && (packed->shape.rank != 5 || packed->shape.dim[3] != (all ? 3 : 2) || v[3]))
        return sl_unsupported(c->b, "packed queries, keys and values other than [batch, length, heads, 3 or 2, size] without a bias");
    for (int i = 0; i < 3; i++) {
        struct sl_node **to = i == 0 ? &a.q : i == 1 ? &a.k : &a.v;
        if (all || (both && i > 0)) {
            SL_TRY(packed_part(c, all ? v[0] : v[1], all ? i : i - 1, to));
            continue;
        }
        SL_TRY(biased(c, v[3], &from, &v[i]));
        SL_TRY(by_head(c, v[i], heads, to));
    }
    a.past_k = v[6];
    a.past_v = v[7];
    SL_TRY(masked_attention(c, &a, v[4], v[5], &y));
    SL_TRY(onnx_out(c, 1, a.k));
    SL_TRY(onnx_out(c, 2, a.v));
    return onnx_out(c, 0, y);
}
