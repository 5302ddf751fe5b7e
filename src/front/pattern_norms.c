/* pattern_norms.c: layer norm, RMS norm and softmax that are written as several nodes. Called by patterns.c. */
#include <math.h>

#include "front/const_order.h"
#include "front/const_values.h"
#include "front/pattern_match.h"

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
    return sl_is_activation(n, "square") || (n->op == SL_OP_ew_mult && n->in[0] == n->in[1]);
}

/* x - mean(x) */
static bool is_centred(const struct sl_node *n, struct sl_node **x)
{
    if (n->op != SL_OP_ew_sub || !is_last_axis_mean(n->in[1], n->in[0]))
        return false;
    *x = n->in[0];
    return true;
}

/* sqrt(mean(v^2) + epsilon). Exporters drop an epsilon that rounds to nothing; with the smallest of those in use a line without
 * any variance gives 0 where it gave NaN. */
static bool is_root_mean_square(const struct sl_node *n, const char *curve, const struct sl_node **v, double *epsilon)
{
    struct sl_node *mean;
    if (!sl_is_activation(n, curve))
        return false;
    if (!sl_pattern_with_number(n->in[0], SL_OP_ew_add, &mean, epsilon)) {
        mean = n->in[0];
        *epsilon = 1e-12;
    }
    return *epsilon > 0 && is_last_axis_mean(mean, NULL) && is_square_of(mean->in[0], v);
}

/* 1 / *of */
static bool is_reciprocal(const struct sl_node *n, const struct sl_node **of)
{
    double one;
    bool divided = n->op == SL_OP_ew_div && sl_node_scalar(n->in[0], &one) && one == 1;
    *of = divided ? n->in[1] : n->n_in ? n->in[0] : NULL;
    return divided || sl_is_activation(n, "reciprocal");
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

static void set_plain_norm(struct sl_matcher *m, struct sl_node *root, double epsilon)
{
    struct sl_shape s = {1, {root->shape.dim[root->shape.rank - 1]}};
    const float one = 1, zero = 0;
    sl_set_float(m->g, root, "epsilon", epsilon);
    sl_set_param(m->g, root, "gamma", sl_const_splat(m->g->arena, SL_F32, &s, &one));
    sl_set_param(m->g, root, "beta", sl_const_splat(m->g->arena, SL_F32, &s, &zero));
}

bool sl_match_norm(struct sl_matcher *m, struct sl_node *root)
{
    struct sl_node *v, *x = NULL, *other = NULL;
    const struct sl_node *w;
    double epsilon;
    if (!is_normalized(root, &v, &w, &epsilon) || !sl_shape_equal(&v->shape, &root->shape))
        return false;
    /* Some exporters write the centred input twice. */
    if (is_centred(v, &x) && (w == v || (is_centred(w, &other) && other == x))) {
        sl_pattern_become(m, root, SL_OP_layer_norm, x);
    } else if (w == v) {
        sl_pattern_become(m, root, SL_OP_rms_norm, v);
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
    const struct sl_const *c = sl_node_const(n);
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
    bool whole = sl_is_activation(n, "rsqrt");
    if (whole)
        root = n;
    else if (!is_reciprocal(n, &root) || !sl_is_activation(root, "sqrt"))
        return false;
    return sl_pattern_with_number(root->in[0], SL_OP_ew_add, &variance, &f->epsilon) && f->epsilon > 0 &&
           is_variance(variance, f);
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

bool sl_match_norm_by_moments(struct sl_matcher *m, struct sl_node *root)
{
    struct moments f = {0};
    if (!read_moments(root, &f) || !sl_shape_equal(&f.x->shape, &root->shape))
        return false;
    const struct sl_shape s = {1, {root->shape.dim[root->shape.rank - 1]}};
    sl_pattern_become(m, root, SL_OP_layer_norm, f.x);
    set_plain_norm(m, root, f.epsilon);
    if (f.gamma)
        sl_set_param(m->g, root, "gamma", sl_const_reshape(m->g->arena, f.gamma, &s));
    if (f.beta)
        sl_set_param(m->g, root, "beta", sl_const_reshape(m->g->arena, f.beta, &s));
    return true;
}

/* ---- norm * gamma and norm + beta ---- */

/* The constants move into the norm, and the root takes its place. */
bool sl_match_norm_constants(struct sl_matcher *m, struct sl_node *root)
{
    for (int k = 0; k < 2; k++) {
        struct sl_node *norm = root->in[k];
        const struct sl_const *c, *gamma, *beta;
        bool is_norm = norm->op == SL_OP_layer_norm || norm->op == SL_OP_rms_norm;
        if (!is_norm || !sl_pattern_used_once(m, norm) || !sl_shape_equal(&norm->shape, &root->shape))
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
        sl_pattern_become(m, root, op, norm->in[0]);
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

static bool become_softmax(struct sl_matcher *m, struct sl_node *root, enum sl_op op, struct sl_node *v, int64_t axis)
{
    if (!sl_shape_equal(&v->shape, &root->shape))
        return false;
    sl_pattern_become(m, root, op, without_shift(v, axis));
    sl_set_int(m->g, root, "axis", axis);
    return true;
}

/* e / sum(e) or e * (1 / sum(e)), e = exp(v) */
bool sl_match_softmax(struct sl_matcher *m, struct sl_node *root)
{
    for (int k = 0; k < (root->op == SL_OP_ew_div ? 1 : 2); k++) {
        const struct sl_node *e = root->in[k], *sum = root->in[1 - k];
        int64_t axis;
        if (root->op == SL_OP_ew_mult && !is_reciprocal(sum, &sum))
            continue;
        if (sl_is_activation(e, "exp") && is_along(sum, SL_OP_reduce_sum, e, &axis))
            return become_softmax(m, root, SL_OP_softmax, e->in[0], axis);
    }
    return false;
}

/* v - log(sum(exp(v))) */
bool sl_match_log_softmax(struct sl_matcher *m, struct sl_node *root)
{
    struct sl_node *v = root->in[0];
    const struct sl_node *e, *log = root->in[1];
    int64_t axis;
    if (!sl_is_activation(log, "log") || log->in[0]->op != SL_OP_reduce_sum)
        return false;
    e = log->in[0]->in[0];
    return sl_is_activation(e, "exp") && e->in[0] == v && is_along(log->in[0], SL_OP_reduce_sum, e, &axis) &&
           become_softmax(m, root, SL_OP_log_softmax, v, axis);
}
