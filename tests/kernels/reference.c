/* reference.c: an independent evaluation of every family, one output element at a time from docs/numerics.md, slow and obvious.
 * Sums are 64-bit, rounding is the C library's. It shares nothing with src/kernels but the args. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernel_case.h"

static int32_t get(const void *p, enum sl_dtype t, int64_t i)
{
    uint16_t v;
    if (t == SL_U8)
        return ((const uint8_t *)p)[i];
    memcpy(&v, (const uint8_t *)p + 2 * i, 2);
    return v;
}

static void put(void *p, enum sl_dtype t, int64_t i, int64_t q)
{
    assert(q >= 0 && q <= (t == SL_U8 ? 255 : 65535));
    if (t == SL_U8)
        ((uint8_t *)p)[i] = (uint8_t)q;
    else
        memcpy((uint8_t *)p + 2 * i, &(uint16_t){(uint16_t)q}, 2);
}

static int32_t qmax(enum sl_dtype t)
{
    return t == SL_U8 ? 255 : 65535;
}

/* A NaN, which only opposite infinities make, counts as lo. */
static int32_t finish(float f, int32_t zp, int32_t lo, int32_t hi)
{
    if (isnan(f) || f < (float)(lo - zp))
        f = (float)(lo - zp);
    if (f > (float)(hi - zp))
        f = (float)(hi - zp);
    return (int32_t)nearbyintf(f) + zp;
}

static int32_t finish_wide(double d, int32_t zp, int32_t lo, int32_t hi)
{
    if (isnan(d) || d < lo - zp)
        d = lo - zp;
    if (d > hi - zp)
        d = hi - zp;
    return (int32_t)nearbyint(d) + zp;
}

static int32_t requant(bool wide, int64_t acc, float m, int32_t zp, int32_t lo, int32_t hi)
{
    if (wide)
        return finish_wide((double)acc * (double)m, zp, lo, hi);
    assert(acc >= INT32_MIN && acc <= INT32_MAX);
    return finish((float)acc * m, zp, lo, hi);
}

static int32_t interpolate(const void *table, int32_t i)
{
    const int32_t k = i >> 4, t = i & 15;
    return (get(table, SL_U16, k) * (16 - t) + get(table, SL_U16, k + 1) * t + 8) >> 4;
}

/* ---- weighted ---- */

static int32_t weight(const struct sl_weighted_args *a, int64_t tap, int64_t c,
                      int64_t o) /* c, o: numbers in the whole layer */
{
    const int64_t icg = a->in_c / a->groups, ocg = a->out_c / a->groups;
    const int64_t feature = a->deconv ? c : c % icg,
                  at = a->deconv ? (tap * a->in_c + c) * ocg + o % ocg : (tap * icg + c % icg) * a->out_c + o;
    if (a->kernel_type == SL_S8)
        return ((const int8_t *)a->kernel)[at];
    if (a->kernel_type == SL_S16) {
        int16_t v;
        memcpy(&v, (const uint8_t *)a->kernel + 2 * at, 2);
        return v;
    }
    const uint8_t byte = ((const uint8_t *)a->kernel)[at / 2];
    const int32_t v = at % 2 ? byte >> 4 : byte & 15;
    return (v > 7 ? v - 16 : v) * (a->group_scale ? a->group_scale[feature / a->group_size * a->out_c + o] : 1);
}

static int64_t bias_of(const struct sl_weighted_args *a, int64_t o)
{
    return a->x_type == SL_U8 ? ((const int32_t *)a->bias)[o] : ((const int64_t *)a->bias)[o];
}

static bool is_wide(const struct sl_weighted_args *a)
{
    const int64_t icg = a->in_c / a->groups, ocg = a->out_c / a->groups;
    for (int64_t o = 0; o < a->out_c; o++) {
        int64_t high = bias_of(a, o) > 0 ? bias_of(a, o) : 0, low = bias_of(a, o) < 0 ? bias_of(a, o) : 0;
        for (int64_t tap = 0; tap < a->kh * a->kw; tap++)
            for (int64_t k = 0; k < icg; k++) {
                const int64_t w = weight(a, tap, o / ocg * icg + k, o);
                const int64_t p = w * -a->zp_x, q = w * (qmax(a->x_type) - a->zp_x);
                high += p > q ? p : q;
                low += p < q ? p : q;
            }
        if (high > INT32_MAX || low < INT32_MIN)
            return true;
    }
    return false;
}

/* The sum of output (f, y, x, o): every input position is asked whether it reaches this output. */
static int64_t weighted_sum(const struct sl_weighted_args *a, const void *in, int64_t f, int64_t y, int64_t x, int64_t o)
{
    const int64_t icg = a->in_c / a->groups, ocg = a->out_c / a->groups;
    int64_t acc = bias_of(a, o);
    for (int64_t i = 0; i < a->kh; i++)
        for (int64_t j = 0; j < a->kw; j++)
            for (int64_t k = 0; k < icg; k++) {
                const int64_t c = o / ocg * icg + k, w = weight(a, i * a->kw + j, c, o);
                if (a->deconv) {
                    for (int64_t v = 0; v < a->in_h; v++)
                        for (int64_t u = 0; u < a->in_w; u++)
                            if (v * a->sh + i * a->dh - a->top == y && u * a->sw + j * a->dw - a->left == x)
                                acc += (get(in, a->x_type, ((f * a->in_h + v) * a->in_w + u) * a->in_c + c) - a->zp_x) * w;
                    continue;
                }
                const int64_t v = y * a->sh + i * a->dh - a->top, u = x * a->sw + j * a->dw - a->left;
                int64_t value = a->pad_value ? get(a->pad_value, a->x_type, c) : a->zp_x;
                if (v >= 0 && v < a->in_h && u >= 0 && u < a->in_w)
                    value = get(in, a->x_type, ((f * a->in_h + v) * a->in_w + u) * a->in_c + c);
                acc += (value - a->zp_x) * w;
            }
    return acc;
}

static int32_t weighted_post(const struct sl_weighted_args *a, bool wide, int64_t acc, int64_t o, const void *r, int64_t at)
{
    const float m = a->multiplier[o];
    if (a->post == SL_POST_TABLE && a->out_type == SL_U8)
        return get(a->table, SL_U8, requant(wide, acc, m, a->index_zero_point, 0, 4095));
    if (a->post == SL_POST_TABLE)
        return interpolate(a->table, requant(wide, acc, m, a->index_zero_point, 0, 65535));
    if (a->r_type == SL_NONE)
        return requant(wide, acc, m, a->zp, a->lo, a->hi);
    const int32_t d = get(r, a->r_type, at) - a->zp_r;
    if (wide)
        return finish_wide((double)acc * (double)m + (double)d * (double)a->residual_multiplier, a->zp, a->lo, a->hi);
    return finish((float)acc * m + (float)d * a->residual_multiplier, a->zp, a->lo, a->hi);
}

static void weighted(const struct kernel_case *c, void *out)
{
    const struct sl_weighted_args *a = &c->args.weighted;
    const bool wide = is_wide(a);
    int64_t at = 0;
    assert(wide == sl_weighted_is_wide(a));
    for (int64_t f = 0; f < a->n; f++)
        for (int64_t y = 0; y < a->out_h; y++)
            for (int64_t x = 0; x < a->out_w; x++)
                for (int64_t o = 0; o < a->out_c; o++, at++)
                    put(out, a->out_type, at,
                        weighted_post(a, wide, weighted_sum(a, c->io.in[0], f, y, x, o), o, c->io.in[1], at));
}

/* ---- element by element ---- */

static void table(const struct kernel_case *c, void *out)
{
    const struct sl_table_args *a = &c->args.table;
    for (int64_t i = 0; i < (int64_t)a->n; i++) {
        const int32_t x = get(c->io.in[0], a->x_type, i);
        if (a->x_type == SL_U8 || a->whole)
            put(out, a->out_type, i, get(a->table, a->out_type, x));
        else
            put(out, a->out_type, i, a->out_type == SL_U8 ? get(a->table, SL_U8, x >> 4) : interpolate(a->table, x));
    }
}

static void requantize(const struct kernel_case *c, void *out)
{
    const struct sl_requantize_args *a = &c->args.requantize;
    for (int64_t i = 0; i < (int64_t)a->n; i++)
        put(out, a->out_type, i, requant(false, get(c->io.in[0], a->x_type, i) - a->zp_x, a->multiplier, a->zp, a->lo, a->hi));
}

/* Element of a broadcast operand that output element i reads. */
static int64_t broadcast_at(const struct sl_shape *s, const struct sl_shape *out, int64_t i)
{
    int64_t at = 0, step = 1;
    for (int k = out->rank - 1; k >= 0; k--) {
        const int own = k - (out->rank - s->rank);
        const int64_t place = i % out->dim[k];
        i /= out->dim[k];
        if (own >= 0 && s->dim[own] != 1)
            at += place * step;
        step *= own >= 0 ? s->dim[own] : 1;
    }
    return at;
}

static void eltwise(const struct kernel_case *c, void *out)
{
    const struct sl_eltwise_args *e = &c->args.eltwise;
    for (int64_t i = 0; i < (int64_t)sl_shape_elements(&e->out); i++) {
        const int64_t a = get(c->io.in[0], e->a_type, broadcast_at(&e->a, &e->out, i)) - e->zp_a;
        const int64_t b = get(c->io.in[1], e->b_type, broadcast_at(&e->b, &e->out, i)) - e->zp_b;
        const float f = (float)a * e->multiplier_a, g = (float)b * e->multiplier_b;
        float v = 0;
        switch (e->op) {
        case SL_ELT_ADD:
            v = f + g;
            break;
        case SL_ELT_SUB:
            v = f - g;
            break;
        case SL_ELT_MAX:
            v = fmaxf(f, g);
            break;
        case SL_ELT_MIN:
            v = fminf(f, g);
            break;
        case SL_ELT_DIV:
            v = b != 0 ? (float)a / (float)b : a == 0 ? 0.0f : a > 0 ? 3.4e38f : -3.4e38f;
            v = v * e->multiplier;
            break;
        case SL_ELT_MULT:
            put(out, e->out_type, i,
                requant(e->a_type == SL_U16 && e->b_type == SL_U16, a * b, e->multiplier, e->zp, e->lo, e->hi));
            continue;
        }
        put(out, e->out_type, i, finish(v, e->zp, e->lo, e->hi));
    }
}

static void quantize(const struct kernel_case *c, void *out)
{
    const struct sl_quantize_args *a = &c->args.quantize;
    const float lo = a->scale * (float)(0 - a->zero_point), hi = a->scale * (float)(qmax(a->type) - a->zero_point);
    for (int64_t i = 0; i < (int64_t)a->n; i++) {
        float x = ((const float *)c->io.in[0])[i];
        if (isnan(x)) {
            put(out, a->type, i, a->zero_point);
            continue;
        }
        x = x < lo ? lo : x > hi ? hi : x;
        const float q = nearbyintf(x / a->scale + (float)a->zero_point);
        put(out, a->type, i, q < 0 ? 0 : q > (float)qmax(a->type) ? qmax(a->type) : (int32_t)q);
    }
}

static void dequantize(const struct kernel_case *c, void *out)
{
    const struct sl_dequantize_args *a = &c->args.dequantize;
    for (int64_t i = 0; i < (int64_t)a->n; i++)
        ((float *)out)[i] =
            ((float)get(c->io.in[0], a->type, i) - (float)a->zero_point) * (a->scales ? a->scales[i % a->channels] : a->scale);
}

/* ---- windows, reductions, products, norms ---- */

static void pool(const struct kernel_case *c, void *out)
{
    const struct sl_pool_args *a = &c->args.pool;
    for (int64_t at = 0; at < a->n * a->out_h * a->out_w * a->c; at++) {
        const int64_t ch = at % a->c, x = at / a->c % a->out_w, y = at / a->c / a->out_w % a->out_h,
                      f = at / a->c / a->out_w / a->out_h;
        int64_t sum = 0, most = 0, valid = 0, inside = 0;
        for (int64_t i = 0; i < a->kh; i++)
            for (int64_t j = 0; j < a->kw; j++) {
                const int64_t v = y * a->sh + i * a->dh - a->top, u = x * a->sw + j * a->dw - a->left;
                inside += v >= -a->top && v < a->in_h + a->bottom && u >= -a->left && u < a->in_w + a->right;
                if (v < 0 || v >= a->in_h || u < 0 || u >= a->in_w)
                    continue;
                const int32_t q = get(c->io.in[0], a->x_type, ((f * a->in_h + v) * a->in_w + u) * a->c + ch);
                valid++;
                sum += q - a->zp_x;
                most = q > most ? q : most;
            }
        if (a->op == SL_POOL_MAX)
            put(out, a->out_type, at, most);
        else
            put(out, a->out_type, at,
                finish((float)sum / (float)(a->count_include_pad ? inside : valid) * a->multiplier, a->zp, a->lo, a->hi));
    }
}

static void reduce(const struct kernel_case *c, void *out)
{
    const struct sl_reduce_args *a = &c->args.reduce;
    const int64_t total = (int64_t)sl_shape_elements(&a->x);
    int64_t outputs = 1;
    for (int k = 0; k < a->x.rank; k++)
        outputs *= a->axes >> k & 1 ? 1 : a->x.dim[k];
    for (int64_t o = 0; o < outputs; o++) {
        int64_t sum = 0, most = INT64_MIN, least = INT64_MAX, n = 0;
        for (int64_t i = 0; i < total; i++) {
            int64_t rest = i, at = 0, step = 1;
            for (int k = a->x.rank - 1; k >= 0; k--) {
                if (!(a->axes >> k & 1)) {
                    at += rest % a->x.dim[k] * step;
                    step *= a->x.dim[k];
                }
                rest /= a->x.dim[k];
            }
            if (at != o)
                continue;
            const int64_t q = get(c->io.in[0], a->x_type, i);
            sum += q - a->zp_x;
            most = q > most ? q : most;
            least = q < least ? q : least;
            n++;
        }
        if (a->op == SL_REDUCE_MAX || a->op == SL_REDUCE_MIN)
            put(out, a->out_type, o, a->op == SL_REDUCE_MAX ? most : least);
        else
            put(out, a->out_type, o,
                finish((float)sum / (a->op == SL_REDUCE_MEAN ? (float)n : 1.0f) * a->multiplier, a->zp, a->lo, a->hi));
    }
}

static void position(const struct kernel_case *c, void *out)
{
    const struct sl_index_args *a = &c->args.index;
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t i = 0; i < a->inner; i++) {
            int64_t best = a->smallest ? INT64_MAX : INT64_MIN, at = -1;
            for (int64_t k = 0; k < a->length; k++) {
                const int64_t q = get(c->io.in[0], a->x_type, (o * a->length + k) * a->inner + i);
                if ((a->smallest ? q < best : q > best) || (q == best && a->last)) {
                    best = q;
                    at = k;
                }
            }
            put(out, a->out_type, o * a->inner + i, at);
        }
}

static void matmul(const struct kernel_case *c, void *out)
{
    const struct sl_matmul_args *e = &c->args.matmul;
    const int64_t m = e->a.dim[e->a.rank - 2], k = e->a.dim[e->a.rank - 1], n = e->b.dim[e->b.rank - (e->transpose_b ? 2 : 1)];
    const int64_t wa = qmax(e->a_type) - e->zp_a, wb = qmax(e->b_type) - e->zp_b;
    const bool wide = k * (wa > e->zp_a ? wa : e->zp_a) * (wb > e->zp_b ? wb : e->zp_b) > INT32_MAX;
    struct sl_shape lead_a = e->a, lead_b = e->b, lead;
    lead_a.rank -= 2;
    lead_b.rank -= 2;
    lead.rank = lead_a.rank > lead_b.rank ? lead_a.rank : lead_b.rank;
    for (int i = 1; i <= lead.rank; i++) {
        const int64_t da = i <= lead_a.rank ? lead_a.dim[lead_a.rank - i] : 1,
                      db = i <= lead_b.rank ? lead_b.dim[lead_b.rank - i] : 1;
        lead.dim[lead.rank - i] = da > db ? da : db;
    }
    for (int64_t at = 0; at < (int64_t)sl_shape_elements(&lead) * m * n; at++) {
        const int64_t col = at % n, row = at / n % m, batch = at / n / m;
        const int64_t a0 = broadcast_at(&lead_a, &lead, batch) * m * k, b0 = broadcast_at(&lead_b, &lead, batch) * k * n;
        int64_t acc = 0;
        for (int64_t i = 0; i < k; i++)
            acc += (int64_t)(get(c->io.in[0], e->a_type, a0 + row * k + i) - e->zp_a) *
                   (get(c->io.in[1], e->b_type, b0 + (e->transpose_b ? col * k + i : i * n + col)) - e->zp_b);
        put(out, e->out_type, at, requant(wide, acc, e->multiplier, e->zp, e->lo, e->hi));
    }
}

/* Floor of v / 2^bits + 1/2. */
static int64_t rounded(int64_t v, int bits)
{
    const int64_t size = (int64_t)1 << bits, up = v + size / 2;
    return up >= 0 ? up / size : -((size - 1 - up) / size);
}

static int64_t between_entries(const int16_t *table, int64_t v)
{
    const int64_t place = v + 32768, i = place / 128;
    return table[i] + rounded((table[i + 1] - table[i]) * (place % 128), 7);
}

static int64_t lookup_exponential(const struct sl_softmax_args *a, int64_t distance)
{
    const int up = a->distance_shift > 0 ? a->distance_shift : 0, down = up - a->distance_shift;
    int64_t p = rounded((distance << up) * -(int64_t)a->distance_multiplier, 31);
    p = down == 0 ? p : -rounded(-p, down); /* never above 0: halves go down */
    return between_entries(a->exponentials, p + 32767 < -32768 ? -32768 : p + 32767);
}

static void softmax_lookup(const struct sl_softmax_args *a, const struct kernel_case *c, int64_t line, int64_t inner, int64_t i,
                           void *out)
{
    const int64_t n = a->x.dim[a->axis];
    int32_t most = 0;
    int64_t sum = 0;
    int bits = 0;
    for (int64_t k = 0; k < n; k++) {
        const int32_t q = get(c->io.in[0], a->x_type, line + k * inner);
        most = q > most ? q : most;
    }
    for (int64_t k = 0; k < n; k++)
        sum += lookup_exponential(a, most - get(c->io.in[0], a->x_type, line + k * inner));
    while (sum >> bits > 1)
        bits++; /* 2^bits <= sum */
    const int64_t part = rounded(sum << (30 - bits), 14) - 98304;
    const int64_t v = rounded(lookup_exponential(a, most - get(c->io.in[0], a->x_type, i)) *
                                  between_entries(a->inverse, part > 32767 ? 32767 : part),
                              bits);
    put(out, a->out_type, i, (int32_t)(a->zp + (v > 32767 ? 32767 : v)));
}

static void softmax(const struct kernel_case *c, void *out)
{
    const struct sl_softmax_args *a = &c->args.softmax;
    int64_t inner = 1;
    for (int k = a->axis + 1; k < a->x.rank; k++)
        inner *= a->x.dim[k];
    const int64_t n = a->x.dim[a->axis];
    for (int64_t i = 0; i < (int64_t)sl_shape_elements(&a->x); i++) {
        const int64_t line = i / (inner * n) * inner * n + i % inner;
        if (a->exponentials) {
            softmax_lookup(a, c, line, inner, i, out);
            continue;
        }
        int32_t most = 0;
        int64_t sum = 0, e = 0;
        for (int64_t k = 0; k < n; k++) {
            const int32_t q = get(c->io.in[0], a->x_type, line + k * inner);
            most = q > most ? q : most;
        }
        for (int64_t k = 0; k < n; k++) {
            int32_t index = most - get(c->io.in[0], a->x_type, line + k * inner);
            if (a->x_type == SL_U16)
                index = index >> a->index_shift > 4095 ? 4095 : index >> a->index_shift;
            sum += a->table[index];
            if (line + k * inner == i)
                e = a->table[index];
        }
        put(out, a->out_type, i, finish_wide((double)e * (a->inverse_scale / (double)sum), a->zp, 0, qmax(a->out_type)));
    }
}

static void norm(const struct kernel_case *c, void *out)
{
    const struct sl_norm_args *a = &c->args.norm;
    for (int64_t row = 0; row < a->rows; row++) {
        int64_t s = 0, q = 0;
        for (int64_t i = 0; i < a->n; i++) {
            const int64_t x = get(c->io.in[0], a->x_type, row * a->n + i) - (a->rms ? a->zp_x : 0);
            s += x;
            q += x * x;
        }
        const double r = 1.0 / sqrt((double)(a->rms ? q : a->n * q - s * s) + a->epsilon);
        for (int64_t i = 0; i < a->n; i++) {
            const int64_t x = get(c->io.in[0], a->x_type, row * a->n + i);
            const double t = (double)(a->rms ? x - a->zp_x : a->n * x - s) * r;
            const float f = (float)t * a->gamma[i];
            put(out, a->out_type, row * a->n + i, finish(f + a->beta[i], a->zp, a->lo, a->hi));
        }
    }
}

/* ---- moving data ---- */

static void copy(const struct kernel_case *c, void *out)
{
    const struct sl_copy_args *a = &c->args.copy;
    int64_t n = 1;
    for (int k = 0; k < a->rank; k++)
        n *= a->dim[k];
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, from = a->in_offset, to = a->out_offset;
        for (int k = a->rank - 1; k >= 0; k--) {
            from += rest % a->dim[k] * a->in_stride[k];
            to += rest % a->dim[k] * a->out_stride[k];
            rest /= a->dim[k];
        }
        memcpy((uint8_t *)out + to * a->bytes, (const uint8_t *)c->io.in[0] + from * a->bytes, (size_t)a->bytes);
    }
}

static void pad(const struct kernel_case *c, void *out)
{
    const struct sl_pad_args *a = &c->args.pad;
    int64_t n = 1;
    for (int k = 0; k < a->x.rank; k++)
        n *= a->before[k] + a->x.dim[k] + a->after[k];
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, from = 0, step = 1;
        bool outside = false;
        for (int k = a->x.rank - 1; k >= 0; k--) {
            const int64_t all = a->before[k] + a->x.dim[k] + a->after[k], d = a->x.dim[k];
            int64_t p = rest % all - a->before[k];
            rest /= all;
            if (a->mode == SL_PAD_CONSTANT)
                outside |= p < 0 || p >= d;
            else if (a->mode == SL_PAD_EDGE)
                p = p < 0 ? 0 : p >= d ? d - 1 : p;
            else
                p = p < 0 ? -p : p >= d ? 2 * (d - 1) - p : p;
            from += p * step;
            step *= d;
        }
        put(out, a->type, i, outside ? a->value : get(c->io.in[0], a->type, from));
    }
}

static void gather(const struct kernel_case *c, void *out)
{
    const struct sl_gather_args *a = &c->args.gather;
    for (int64_t i = 0; i < a->outer; i++)
        for (int64_t j = 0; j < a->n_indices; j++)
            memcpy((uint8_t *)out + (i * a->n_indices + j) * a->inner * a->bytes,
                   (const uint8_t *)c->io.in[0] + (i * a->axis_n + a->indices[j]) * a->inner * a->bytes,
                   (size_t)(a->inner * a->bytes));
}

static void resize(const struct kernel_case *c, void *out)
{
    const struct sl_resize_args *a = &c->args.resize;
    for (int64_t at = 0; at < a->n * a->out_h * a->out_w * a->c; at++) {
        const int64_t ch = at % a->c, x = at / a->c % a->out_w, y = at / a->c / a->out_w % a->out_h,
                      f = at / a->c / a->out_w / a->out_h;
        int64_t sum = 0;
        const int taps = a->taps;
        if (taps == 1) {
            put(out, a->type, at,
                get(c->io.in[0], a->type, ((f * a->in_h + a->rows[y]) * a->in_w + a->columns[x]) * a->c + ch));
            continue;
        }
        for (int i = 0; i < taps; i++)
            for (int j = 0; j < taps; j++)
                sum += (int64_t)get(c->io.in[0], a->type,
                                    ((f * a->in_h + a->rows[taps * y + i]) * a->in_w + a->columns[taps * x + j]) * a->c + ch) *
                       a->row_weights[taps * y + i] * a->column_weights[taps * x + j];
        sum = (sum + (1 << 21)) >> 22;
        const int64_t top = a->type == SL_U8 ? 255 : 65535;
        put(out, a->type, at, sum < 0 ? 0 : sum > top ? top : sum);
    }
}

static void rotary(const struct kernel_case *c, void *out)
{
    const struct sl_rotary_args *a = &c->args.rotary;
    struct sl_shape lead_x = a->x, lead_a = a->a;
    const int64_t d = a->x.dim[--lead_x.rank], two_w = a->a.dim[--lead_a.rank], w = two_w / 2;
    for (int64_t row = 0; row < (int64_t)sl_shape_elements(&lead_x); row++) {
        const int64_t angles = broadcast_at(&lead_a, &lead_x, row) * two_w;
        for (int64_t p = 0; p < d / 2; p++) { /* a pair: (u + iv) (cos + i sin) */
            const int64_t at[2] = {a->interleaved ? 2 * p : p, a->interleaved ? 2 * p + 1 : p + d / 2};
            const int64_t u = get(c->io.in[0], a->x_type, row * d + at[0]) - a->zp_x, v = get(c->io.in[0], a->x_type, row * d + at[1]) - a->zp_x;
            for (int k = 0; k < 2; k++) {
                const int64_t angle = w == d ? at[k] : p;
                const int64_t cosine = get(c->io.in[1], a->a_type, angles + angle) - a->zp_a,
                              sine = get(c->io.in[1], a->a_type, angles + w + angle) - a->zp_a;
                put(out, a->out_type, row * d + at[k],
                    requant(true, k ? v * cosine + u * sine : u * cosine - v * sine, a->multiplier, a->zp, a->lo, a->hi));
            }
        }
    }
}

void reference(const struct kernel_case *c, void *out)
{
    static void (*const families[SL_FAMILY_COUNT])(const struct kernel_case *, void *) = {
        [SL_FAMILY_WEIGHTED] = weighted, [SL_FAMILY_TABLE] = table,       [SL_FAMILY_REQUANTIZE] = requantize,
        [SL_FAMILY_ELTWISE] = eltwise,   [SL_FAMILY_POOL] = pool,         [SL_FAMILY_REDUCE] = reduce,
        [SL_FAMILY_MATMUL] = matmul,     [SL_FAMILY_SOFTMAX] = softmax,   [SL_FAMILY_NORM] = norm,
        [SL_FAMILY_COPY] = copy,         [SL_FAMILY_PAD] = pad,           [SL_FAMILY_GATHER] = gather,
        [SL_FAMILY_RESIZE] = resize,     [SL_FAMILY_QUANTIZE] = quantize, [SL_FAMILY_DEQUANTIZE] = dequantize,
        [SL_FAMILY_INDEX] = position,    [SL_FAMILY_ROTARY] = rotary,
    };
    families[c->family](c, out);
}
