/*
 * patterns.c: what exporters scatter over many nodes becomes one again: SiLU, HardSwish, GELU, Mish, LayerNorm, RMSNorm,
 * Softmax. Each pattern is a row: the op at its root and a function that looks upwards. The root node turns into the layer;
 * nodes that only it read are dropped, and their origins are kept on it.
 */
#include "front/patterns.h"

#include <math.h>
#include <string.h>

#include "front/const_order.h"
#include "front/pattern_text.h"
#include "ops/values.h"

struct matcher {
    struct sl_graph *g;
    sl_arena *scratch;
    int *uses; /* by node index */
};

typedef bool pattern_fn(struct matcher *m, struct sl_node *root);

static const struct sl_const *node_const(const struct sl_node *n)
{
    return n->op == SL_OP_const_input ? sl_param(n, "data") : NULL;
}

static bool node_scalar(const struct sl_node *n, double *out)
{
    const struct sl_const *k = node_const(n);
    if (!k || (!k->splat && sl_shape_elements(&k->shape) != 1))
        return false;
    *out = sl_value_number(k->dtype, k->data, 0);
    return true;
}

static bool used_once(const struct matcher *m, const struct sl_node *n)
{
    return m->uses[n->index] == 1;
}

static bool is_curve(const struct sl_node *n, const char *type)
{
    return n->op == SL_OP_activation && strcmp(sl_get_string(n, "type", ""), type) == 0;
}

static bool near(double v, double wanted)
{
    return fabs(v - wanted) <= 1e-3 * fabs(wanted);
}

/* op(x, number) in either order (subtraction and division: number on the right). */
static bool with_number(const struct sl_node *n, enum sl_op op, struct sl_node **x, double *number)
{
    if (n->op != op)
        return false;
    for (int k = 1; k >= 0; k--) {
        if (!node_scalar(n->in[k], number) || n->in[1 - k]->op == SL_OP_const_input)
            continue;
        if (k == 0 && (op == SL_OP_ew_sub || op == SL_OP_ew_div))
            return false;
        *x = n->in[1 - k];
        return n->in[k]->shape.rank <= (*x)->shape.rank || sl_shape_elements(&n->in[k]->shape) == 1;
    }
    return false;
}

/* x * number, whichever way it is written. */
static bool is_scaled(const struct sl_node *n, struct sl_node **x, double *factor)
{
    if (with_number(n, SL_OP_ew_mult, x, factor))
        return true;
    if (!with_number(n, SL_OP_ew_div, x, factor))
        return false;
    *factor = 1 / *factor;
    return true;
}

/* ---- turning the root into a layer ---- */

/* Every node above the root that only leads to it, up to `x`, gives its origins to the root. */
static void absorb(struct matcher *m, struct sl_node *root, const struct sl_node *n, const struct sl_node *x)
{
    for (int k = 0; k < n->n_in; k++) {
        struct sl_node *up = n->in[k];
        int uses = --m->uses[up->index];
        if (up == x || up->op == SL_OP_const_input || up->op == SL_OP_input_layer)
            continue;
        if (uses > 0) /* something else reads it, or another branch of the pattern will come to it */
            continue;
        absorb(m, root, up, x);
        sl_node_take_origins(m->g->arena, root, up);
    }
}

/* Origins stand in the order of computation: the root's own, which name what the layer makes, come last. */
static void become(struct matcher *m, struct sl_node *root, enum sl_op op, struct sl_node *x)
{
    const struct sl_node own = {.n_origins = root->n_origins, .origins = root->origins};
    root->n_origins = 0;
    root->origins = NULL;
    absorb(m, root, root, x);
    sl_node_take_origins(m->g->arena, root, &own);
    root->op = op;
    root->n_attrs = root->n_params = 0;
    root->attrs = NULL;
    root->params = NULL;
    root->n_in = 1;
    root->in = sl_arena_memdup(m->g->arena, &x, sizeof x);
    m->uses[x->index]++;
}

static bool become_curve(struct matcher *m, struct sl_node *root, const char *type, struct sl_node *x)
{
    if (!sl_shape_equal(&x->shape, &root->shape))
        return false;
    become(m, root, SL_OP_activation, x);
    sl_set_string(m->g, root, "type", type);
    return true;
}

/* ---- activations ---- */

/* root = a * b with b the curve of a */
static bool product_with_curve(struct matcher *m, struct sl_node *root, const char *type, struct sl_node **x)
{
    for (int k = 0; k < 2; k++) {
        struct sl_node *gate = root->in[k];
        *x = root->in[1 - k];
        if (is_curve(gate, type) && gate->in[0] == *x && used_once(m, gate))
            return true;
    }
    return false;
}

static bool match_silu(struct matcher *m, struct sl_node *root)
{
    struct sl_node *x;
    return product_with_curve(m, root, "sigmoid", &x) && become_curve(m, root, "silu", x);
}

/* x * sigmoid(beta x): also the sigmoid form of GELU */
static bool match_swish_beta(struct matcher *m, struct sl_node *root)
{
    double beta;
    struct sl_node *x;
    for (int k = 0; k < 2; k++) {
        struct sl_node *gate = root->in[k];
        if (!is_curve(gate, "sigmoid") || !used_once(m, gate) || !used_once(m, gate->in[0]) ||
            !is_scaled(gate->in[0], &x, &beta) || x != root->in[1 - k])
            continue;
        if (!become_curve(m, root, "swish_beta", x))
            return false;
        sl_set_float(m->g, root, "beta", beta);
        return true;
    }
    return false;
}

static bool match_mish(struct matcher *m, struct sl_node *root)
{
    for (int k = 0; k < 2; k++) {
        struct sl_node *gate = root->in[k], *x = root->in[1 - k];
        if (is_curve(gate, "tanh") && used_once(m, gate) && is_curve(gate->in[0], "softplus") && used_once(m, gate->in[0]) &&
            gate->in[0]->in[0] == x)
            return become_curve(m, root, "mish", x);
    }
    return false;
}

/* min(max(x + 3, 0), 6) */
static bool is_relu6_of_plus3(const struct sl_node *n, struct sl_node **x)
{
    double three;
    bool clip6 = is_curve(n, "relu6") ||
                 (is_curve(n, "clip") && sl_get_float(n, "minimum", -1) == 0 && sl_get_float(n, "maximum", -1) == 6);
    return clip6 && with_number(n->in[0], SL_OP_ew_add, x, &three) && near(three, 3);
}

/* relu6(x + 3) / 6 */
static bool match_hard_sigmoid(struct matcher *m, struct sl_node *root)
{
    struct sl_node *gate, *x;
    double factor;
    if (!is_scaled(root, &gate, &factor) || !near(factor, 1.0 / 6) || !is_relu6_of_plus3(gate, &x) || !used_once(m, gate) ||
        !used_once(m, gate->in[0]))
        return false;
    if (!become_curve(m, root, "hard_sigmoid", x))
        return false;
    sl_set_float(m->g, root, "alpha", 1.0 / 6);
    sl_set_float(m->g, root, "beta", 0.5);
    return true;
}

static bool match_hard_swish(struct matcher *m, struct sl_node *root)
{
    struct sl_node *x;
    if (!product_with_curve(m, root, "hard_sigmoid", &x))
        return false;
    const struct sl_node *gate = root->in[0] == x ? root->in[1] : root->in[0];
    return near(sl_get_float(gate, "alpha", 0.2), 1.0 / 6) && sl_get_float(gate, "beta", 0.5) == 0.5 &&
           become_curve(m, root, "hard_swish", x);
}

/* x * relu6(x + 3) / 6: the division last */
static bool match_hard_swish_late(struct matcher *m, struct sl_node *root)
{
    struct sl_node *product, *x;
    double factor;
    if (!is_scaled(root, &product, &factor) || !near(factor, 1.0 / 6) || product->op != SL_OP_ew_mult || !used_once(m, product))
        return false;
    for (int k = 0; k < 2; k++)
        if (is_relu6_of_plus3(product->in[k], &x) && x == product->in[1 - k] && used_once(m, product->in[k]))
            return become_curve(m, root, "hard_swish", x);
    return false;
}

/* ---- GELU ---- */

/* The factors of a product of up to four: numbers are multiplied, at most two others are kept. */
struct factors {
    double number;
    int n;
    struct sl_node *rest[2];
};

static bool collect_factors(const struct matcher *m, struct sl_node *n, int depth, bool is_root, struct factors *f)
{
    struct sl_node *x;
    double v;
    if (depth < 4 && (is_root || used_once(m, n))) {
        if (is_scaled(n, &x, &v)) {
            f->number *= v;
            return collect_factors(m, x, depth + 1, false, f);
        }
        if (n->op == SL_OP_ew_mult)
            return collect_factors(m, n->in[0], depth + 1, false, f) && collect_factors(m, n->in[1], depth + 1, false, f);
    }
    if (f->n == 2)
        return false;
    f->rest[f->n++] = n;
    return true;
}

/* erf(x / sqrt(2)) */
static bool is_gelu_erf(const struct sl_node *curve, const struct sl_node *x)
{
    struct sl_node *of;
    double factor;
    return is_curve(curve, "erf") && is_scaled(curve->in[0], &of, &factor) && near(factor, 0.70710678) && of == x;
}

/* x^3, as Pow or as products */
static bool is_cube(const struct sl_node *n, const struct sl_node *x)
{
    if (is_curve(n, "pow") && sl_get_float(n, "alpha", 2) == 3)
        return n->in[0] == x;
    if (n->op != SL_OP_ew_mult)
        return false;
    for (int k = 0; k < 2; k++) {
        const struct sl_node *square = n->in[k];
        bool is_square = (is_curve(square, "square") && square->in[0] == x) ||
                         (square->op == SL_OP_ew_mult && square->in[0] == x && square->in[1] == x);
        if (n->in[1 - k] == x && is_square)
            return true;
    }
    return false;
}

/* tanh(sqrt(2 / pi) * (x + 0.044715 x^3)) */
static bool is_gelu_tanh(const struct sl_node *curve, const struct sl_node *x)
{
    struct sl_node *sum, *cube;
    double outer, inner;
    if (!is_curve(curve, "tanh") || !is_scaled(curve->in[0], &sum, &outer) || !near(outer, 0.7978845608) ||
        sum->op != SL_OP_ew_add)
        return false;
    for (int k = 0; k < 2; k++)
        if (sum->in[1 - k] == x && is_scaled(sum->in[k], &cube, &inner) && near(inner, 0.044715) && is_cube(cube, x))
            return true;
    return false;
}

/* 0.5 * x * (1 + curve), in any order of the products */
static bool match_gelu(struct matcher *m, struct sl_node *root)
{
    struct factors f = {.number = 1};
    double one;
    struct sl_node *curve;
    if (!collect_factors(m, root, 0, true, &f) || f.n != 2 || !near(f.number, 0.5))
        return false;
    for (int k = 0; k < 2; k++) {
        struct sl_node *x = f.rest[1 - k];
        if (!with_number(f.rest[k], SL_OP_ew_add, &curve, &one) || one != 1 || !used_once(m, f.rest[k]) || !used_once(m, curve))
            continue;
        if (is_gelu_erf(curve, x))
            return become_curve(m, root, "gelu", x);
        if (is_gelu_tanh(curve, x))
            return become_curve(m, root, "gelu_tanh", x);
    }
    return false;
}

/* ---- norms ---- */

static bool is_last_axis_mean(const struct sl_node *n, const struct sl_node *of)
{
    const struct sl_attr *axes = n->op == SL_OP_reduce_mean ? sl_attr(n, "axes") : NULL;
    return axes && axes->n == 1 && axes->i[0] == n->in[0]->shape.rank - 1 && sl_get_int(n, "keepdims", 1) &&
           (!of || n->in[0] == of);
}

static bool is_square_of(const struct sl_node *n, const struct sl_node **of)
{
    *of = n->n_in ? n->in[0] : NULL;
    return is_curve(n, "square") || (n->op == SL_OP_ew_mult && n->in[0] == n->in[1]);
}

/* x - mean(x) */
static bool is_centred(const struct sl_node *n, struct sl_node **x)
{
    if (n->op != SL_OP_ew_sub || !is_last_axis_mean(n->in[1], n->in[0]))
        return false;
    *x = n->in[0];
    return true;
}

/* sqrt(mean(v^2) + epsilon) */
static bool is_root_mean_square(const struct sl_node *n, const char *curve, const struct sl_node **v, double *epsilon)
{
    struct sl_node *mean;
    return is_curve(n, curve) && with_number(n->in[0], SL_OP_ew_add, &mean, epsilon) && *epsilon > 0 &&
           is_last_axis_mean(mean, NULL) && is_square_of(mean->in[0], v);
}

/* 1 / *of */
static bool is_reciprocal(const struct sl_node *n, const struct sl_node **of)
{
    double one;
    bool divided = n->op == SL_OP_ew_div && node_scalar(n->in[0], &one) && one == 1;
    *of = divided ? n->in[1] : n->n_in ? n->in[0] : NULL;
    return divided || is_curve(n, "reciprocal");
}

/* rsqrt(mean(v^2) + epsilon) or 1 / sqrt(...) */
static bool is_inverse_root(const struct sl_node *n, const struct sl_node **v, double *epsilon)
{
    const struct sl_node *root;
    return is_root_mean_square(n, "rsqrt", v, epsilon) ||
           (is_reciprocal(n, &root) && is_root_mean_square(root, "sqrt", v, epsilon));
}

/* root = v / sqrt(mean(w^2) + epsilon), v * rsqrt(...) or v * (1 / sqrt(...)) */
static bool is_normalized(const struct sl_node *root, struct sl_node **v, const struct sl_node **w, double *epsilon)
{
    *v = root->in[0];
    if (root->op == SL_OP_ew_div)
        return is_root_mean_square(root->in[1], "sqrt", w, epsilon);
    for (int k = 0; root->op == SL_OP_ew_mult && k < 2; k++) {
        *v = root->in[1 - k];
        if (is_inverse_root(root->in[k], w, epsilon))
            return true;
    }
    return false;
}

static void set_plain_norm(struct matcher *m, struct sl_node *root, double epsilon)
{
    struct sl_shape s = {1, {root->shape.dim[root->shape.rank - 1]}};
    const float one = 1, zero = 0;
    sl_set_float(m->g, root, "epsilon", epsilon);
    sl_set_param(m->g, root, "gamma", sl_const_splat(m->g->arena, SL_F32, &s, &one));
    sl_set_param(m->g, root, "beta", sl_const_splat(m->g->arena, SL_F32, &s, &zero));
}

static bool match_norm(struct matcher *m, struct sl_node *root)
{
    struct sl_node *v, *x = NULL, *other = NULL;
    const struct sl_node *w;
    double epsilon;
    if (!is_normalized(root, &v, &w, &epsilon) || !sl_shape_equal(&v->shape, &root->shape))
        return false;
    /* Some exporters write the centred input twice. */
    if (is_centred(v, &x) && (w == v || (is_centred(w, &other) && other == x))) {
        become(m, root, SL_OP_layer_norm, x);
    } else if (w == v) {
        become(m, root, SL_OP_rms_norm, v);
    } else {
        return false;
    }
    set_plain_norm(m, root, epsilon);
    return true;
}

static bool is_splat_of(const struct sl_const *k, float v)
{
    return k && k->splat && *(const float *)k->data == v;
}

/* A constant with one number for each of the last axis. */
static const struct sl_const *last_axis_constant(const struct sl_node *n, int64_t count)
{
    const struct sl_const *c = node_const(n);
    bool fits = c && c->dtype == SL_F32 && c->shape.rank >= 1 && c->shape.dim[c->shape.rank - 1] == count &&
                (int64_t)sl_shape_elements(&c->shape) == count;
    return fits ? c : NULL;
}

/* ---- layer norm as batch normalization by the moments of each row: x * f + (beta - mean * f), f = gamma / deviation ---- */

struct moments {
    struct sl_node *x;
    const struct sl_node *mean, *factor;
    const struct sl_const *gamma, *beta;
    double epsilon;
};

/* mean((x - mean)^2), or mean(x^2) - mean^2 */
static bool is_variance(const struct sl_node *n, const struct moments *f)
{
    const struct sl_node *of;
    struct sl_node *x;
    if (is_last_axis_mean(n, NULL) && is_square_of(n->in[0], &of))
        return is_centred(of, &x) && x == f->x && of->in[1] == f->mean;
    return n->op == SL_OP_ew_sub && is_last_axis_mean(n->in[0], NULL) && is_square_of(n->in[0]->in[0], &of) && of == f->x &&
           is_square_of(n->in[1], &of) && of == f->mean;
}

static bool is_deviation_factor(const struct sl_node *n, struct moments *f)
{
    const struct sl_node *root;
    struct sl_node *variance;
    bool whole = is_curve(n, "rsqrt");
    if (whole)
        root = n;
    else if (!is_reciprocal(n, &root) || !is_curve(root, "sqrt"))
        return false;
    return with_number(root->in[0], SL_OP_ew_add, &variance, &f->epsilon) && f->epsilon > 0 && is_variance(variance, f);
}

/* a = x * factor, b = mean(x) * factor */
static bool is_scaled_pair(const struct sl_node *a, const struct sl_node *b, struct moments *f)
{
    if (a->op != SL_OP_ew_mult || b->op != SL_OP_ew_mult)
        return false;
    for (int k = 0; k < 4; k++) {
        f->x = a->in[k & 1];
        f->factor = a->in[1 - (k & 1)];
        f->mean = b->in[k >> 1];
        f->gamma = NULL;
        if (b->in[1 - (k >> 1)] != f->factor || !is_last_axis_mean(f->mean, f->x))
            continue;
        if (is_deviation_factor(f->factor, f))
            return true;
        for (int i = 0; f->factor->op == SL_OP_ew_mult && i < 2; i++) {
            f->gamma = last_axis_constant(f->factor->in[i], f->x->shape.dim[f->x->shape.rank - 1]);
            if (f->gamma && is_deviation_factor(f->factor->in[1 - i], f))
                return true;
        }
    }
    return false;
}

/* a - b, or a + (beta - b) */
static bool read_moments(const struct sl_node *root, struct moments *f)
{
    if (root->op == SL_OP_ew_sub)
        return is_scaled_pair(root->in[0], root->in[1], f);
    for (int k = 0; k < 2; k++) {
        const struct sl_node *a = root->in[1 - k], *offset = root->in[k];
        if (offset->op == SL_OP_ew_sub && is_scaled_pair(a, offset->in[1], f)) {
            f->beta = last_axis_constant(offset->in[0], f->x->shape.dim[f->x->shape.rank - 1]);
            return f->beta != NULL;
        }
    }
    return false;
}

static bool match_norm_by_moments(struct matcher *m, struct sl_node *root)
{
    struct moments f = {0};
    if (!read_moments(root, &f) || !sl_shape_equal(&f.x->shape, &root->shape))
        return false;
    const struct sl_shape s = {1, {root->shape.dim[root->shape.rank - 1]}};
    become(m, root, SL_OP_layer_norm, f.x);
    set_plain_norm(m, root, f.epsilon);
    if (f.gamma)
        sl_set_param(m->g, root, "gamma", sl_const_reshape(m->g->arena, f.gamma, &s));
    if (f.beta)
        sl_set_param(m->g, root, "beta", sl_const_reshape(m->g->arena, f.beta, &s));
    return true;
}

/* ---- norm * gamma and norm + beta ---- */

/* The constants move into the norm, and the root takes its place. */
static bool match_norm_constants(struct matcher *m, struct sl_node *root)
{
    for (int k = 0; k < 2; k++) {
        struct sl_node *norm = root->in[k];
        const struct sl_const *c, *gamma, *beta;
        bool is_norm = norm->op == SL_OP_layer_norm || norm->op == SL_OP_rms_norm;
        if (!is_norm || !used_once(m, norm) || !sl_shape_equal(&norm->shape, &root->shape))
            continue;
        struct sl_shape s = {1, {norm->shape.dim[norm->shape.rank - 1]}};
        c = last_axis_constant(root->in[1 - k], s.dim[0]);
        if (!c)
            continue;
        gamma = sl_param(norm, "gamma");
        beta = sl_param(norm, "beta");
        bool scale = root->op == SL_OP_ew_mult;
        if (!is_splat_of(beta, 0) || (scale && !is_splat_of(gamma, 1)))
            continue;
        double epsilon = sl_get_float(norm, "epsilon", 0);
        enum sl_op op = norm->op;
        become(m, root, op, norm->in[0]);
        sl_set_float(m->g, root, "epsilon", epsilon);
        sl_set_param(m->g, root, "gamma", scale ? sl_const_reshape(m->g->arena, c, &s) : gamma);
        sl_set_param(m->g, root, "beta", scale ? beta : sl_const_reshape(m->g->arena, c, &s));
        return true;
    }
    return false;
}

/* ---- softmax ---- */

/* op over one axis of n's input, kept as 1. */
static bool is_along(const struct sl_node *n, enum sl_op op, const struct sl_node *of, int64_t *axis)
{
    const struct sl_attr *axes = n->op == op && n->in[0] == of ? sl_attr(n, "axes") : NULL;
    if (!axes || axes->n != 1 || !sl_get_int(n, "keepdims", 1))
        return false;
    *axis = axes->i[0];
    return true;
}

/* v itself, or x where v = x - max(x): a softmax does not see the difference. */
static struct sl_node *without_shift(struct sl_node *v, int64_t axis)
{
    int64_t along;
    bool shifted = v->op == SL_OP_ew_sub && is_along(v->in[1], SL_OP_reduce_max, v->in[0], &along) && along == axis;
    return shifted ? v->in[0] : v;
}

static bool become_softmax(struct matcher *m, struct sl_node *root, enum sl_op op, struct sl_node *v, int64_t axis)
{
    if (!sl_shape_equal(&v->shape, &root->shape))
        return false;
    become(m, root, op, without_shift(v, axis));
    sl_set_int(m->g, root, "axis", axis);
    return true;
}

/* e / sum(e) or e * (1 / sum(e)), e = exp(v) */
static bool match_softmax(struct matcher *m, struct sl_node *root)
{
    for (int k = 0; k < (root->op == SL_OP_ew_div ? 1 : 2); k++) {
        const struct sl_node *e = root->in[k], *sum = root->in[1 - k];
        int64_t axis;
        if (root->op == SL_OP_ew_mult && !is_reciprocal(sum, &sum))
            continue;
        if (is_curve(e, "exp") && is_along(sum, SL_OP_reduce_sum, e, &axis))
            return become_softmax(m, root, SL_OP_softmax, e->in[0], axis);
    }
    return false;
}

/* v - log(sum(exp(v))) */
static bool match_log_softmax(struct matcher *m, struct sl_node *root)
{
    struct sl_node *v = root->in[0];
    const struct sl_node *e, *log = root->in[1];
    int64_t axis;
    if (!is_curve(log, "log") || log->in[0]->op != SL_OP_reduce_sum)
        return false;
    e = log->in[0]->in[0];
    return is_curve(e, "exp") && e->in[0] == v && is_along(log->in[0], SL_OP_reduce_sum, e, &axis) &&
           become_softmax(m, root, SL_OP_log_softmax, v, axis);
}

/* Tried in order on every node, inputs first, so that a longer pattern finds the shorter ones done. */
static const struct {
    struct sl_pattern_text text;
    enum sl_op root;
    pattern_fn *fn;
} patterns[] = {
    {{"silu", "x * sigmoid(x)", "silu"}, SL_OP_ew_mult, match_silu},
    {{"mish", "x * tanh(softplus(x))", "mish"}, SL_OP_ew_mult, match_mish},
    {{"hard swish", "x * hard_sigmoid(x), alpha 1/6, beta 1/2", "hard_swish"}, SL_OP_ew_mult, match_hard_swish},
    {{"hard swish, division last", "x * relu6(x + 3) / 6", "hard_swish"}, SL_OP_ew_div, match_hard_swish_late},
    {{"hard swish, factor last", "x * relu6(x + 3) * (1/6)", "hard_swish"}, SL_OP_ew_mult, match_hard_swish_late},
    {{"hard sigmoid", "relu6(x + 3) / 6", "hard_sigmoid"}, SL_OP_ew_div, match_hard_sigmoid},
    {{"hard sigmoid, factor", "relu6(x + 3) * (1/6)", "hard_sigmoid"}, SL_OP_ew_mult, match_hard_sigmoid},
    {{"gelu", "x / 2 * (1 + erf(x / sqrt 2)), or (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))), the products in any order",
      "gelu, gelu_tanh"},
     SL_OP_ew_mult,
     match_gelu},
    {{"gelu, halved by division", "the same, ending in a division by 2", "gelu, gelu_tanh"}, SL_OP_ew_div, match_gelu},
    {{"swish with beta", "x * sigmoid(beta x)", "swish_beta"}, SL_OP_ew_mult, match_swish_beta},
    {{"norm", "(x - mean) / sqrt(variance + epsilon); x / sqrt(mean of squares + epsilon)", "layer_norm; rms_norm"},
     SL_OP_ew_div,
     match_norm},
    {{"norm, by reciprocal", "the same as a product with rsqrt(..) or 1 / sqrt(..)", "layer_norm; rms_norm"},
     SL_OP_ew_mult,
     match_norm},
    {{"norm by moments", "x * factor + (beta - mean * factor), factor = gamma / sqrt(variance + epsilon)", "layer_norm"},
     SL_OP_ew_add,
     match_norm_by_moments},
    {{"norm by moments, no offset", "x * factor - mean * factor", "layer_norm"}, SL_OP_ew_sub, match_norm_by_moments},
    {{"softmax", "e / sum(e), e = exp(x) or exp(x - max(x))", "softmax"}, SL_OP_ew_div, match_softmax},
    {{"softmax, by reciprocal", "e * (1 / sum(e))", "softmax"}, SL_OP_ew_mult, match_softmax},
    {{"log softmax", "x - log(sum(exp(x))), x itself or less its largest value", "log_softmax"},
     SL_OP_ew_sub,
     match_log_softmax},
    {{"norm scale", "norm * constant of one value a channel", "the norm with this gamma"}, SL_OP_ew_mult, match_norm_constants},
    {{"norm offset", "norm + constant of one value a channel", "the norm with this beta"}, SL_OP_ew_add, match_norm_constants},
};

const struct sl_pattern_text *sl_curve_pattern(int row)
{
    return row < (int)SL_COUNT(patterns) ? &patterns[row].text : NULL;
}

void sl_match_patterns(struct sl_graph *g, sl_arena *scratch)
{
    struct matcher m = {g, scratch, SL_NEW_ARRAY(scratch, int, (size_t)g->n_nodes + 1)};
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            m.uses[g->nodes[i]->in[k]->index]++;
    for (int i = 0; i < g->n_nodes; i++)
        for (size_t p = 0; p < SL_COUNT(patterns); p++)
            if (g->nodes[i]->op == patterns[p].root && g->nodes[i]->dtype == SL_F32 && patterns[p].fn(&m, g->nodes[i]))
                break;
    sl_graph_remove_dead(g);
}
