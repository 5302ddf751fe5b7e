/*
 * fuse_patterns.c: activations that exporters scatter over several layers become one. Each pattern is a function that, given
 * the last layer, finds x and says which activation it is. silu         x * sigmoid(x)                      hard_swish  x *
 * hard_sigmoid(x), alpha 1/6, beta 1/2 mish         x * tanh(softplus(x))               gelu        0.5 * x * (1 + erf(x / sqrt
 * 2)), in any order of the products gelu_tanh    0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) is left to the front
 * end: its forms are many
 */
#include <math.h>

#include "ops/ops.h"
#include "quant/fuse.h"

static bool near(float a, double b)
{
    return fabs((double)a - b) <= 1e-4 * fabs(b);
}

/* n = op(x, constant) in either order for commutative ops: x and the constant. */
static struct sl_node *with_constant(struct sl_fuse *f, const struct sl_node *n, enum sl_op op, float *constant)
{
    if (n->op == SL_OP_activation && sl_is_activation(n, "affine")) {
        double alpha = sl_get_float(n, "alpha", 1), beta = sl_get_float(n, "beta", 0);
        if ((op == SL_OP_ew_mult && beta == 0) || (op == SL_OP_ew_add && alpha == 1)) {
            *constant = (float)(op == SL_OP_ew_mult ? alpha : beta);
            return n->in[0];
        }
    }
    if (n->op != op)
        return NULL;
    if (sl_fuse_scalar(f, n->in[1], constant))
        return n->in[0];
    if (op != SL_OP_ew_div && sl_fuse_scalar(f, n->in[0], constant))
        return n->in[1];
    return NULL;
}

static const char *match_gate(struct sl_fuse *f, const struct sl_node *n, struct sl_node **x)
{
    for (int i = 0; i < 2; i++) {
        const struct sl_node *gate = n->in[i];
        *x = n->in[1 - i];
        if (sl_fuse_uses(f, gate) != 1 || gate->op != SL_OP_activation)
            continue;
        if (sl_is_activation(gate, "sigmoid") && gate->in[0] == *x)
            return "silu";
        if (sl_is_activation(gate, "hard_sigmoid") && gate->in[0] == *x &&
            near((float)sl_get_float(gate, "alpha", 0.2), 1.0 / 6) && near((float)sl_get_float(gate, "beta", 0.5), 0.5))
            return "hard_swish";
        if (sl_is_activation(gate, "tanh") && sl_is_activation(gate->in[0], "softplus") && sl_fuse_uses(f, gate->in[0]) == 1 &&
            gate->in[0]->in[0] == *x)
            return "mish";
    }
    return NULL;
}

/* 1 + erf(x / sqrt 2) -> x */
static struct sl_node *match_erf_gate(struct sl_fuse *f, const struct sl_node *n)
{
    float c;
    struct sl_node *erf = with_constant(f, n, SL_OP_ew_add, &c), *scaled, *x;

    if (!erf || !near(c, 1) || sl_fuse_uses(f, n) != 1 || !sl_is_activation(erf, "erf") || sl_fuse_uses(f, erf) != 1)
        return NULL;
    scaled = erf->in[0];
    if (sl_fuse_uses(f, scaled) != 1)
        return NULL;
    x = with_constant(f, scaled, SL_OP_ew_div, &c);
    if (x && near(c, sqrt(2.0)))
        return x;
    x = with_constant(f, scaled, SL_OP_ew_mult, &c);
    return x && near(c, sqrt(0.5)) ? x : NULL;
}

/* The product of x, the gate and one half, however it is bracketed. */
static const char *match_gelu(struct sl_fuse *f, const struct sl_node *n, struct sl_node **x)
{
    float c;
    struct sl_node *product = with_constant(f, n, SL_OP_ew_mult, &c), *half;

    if (product && near(c, 0.5) && product->op == SL_OP_ew_mult && sl_fuse_uses(f, product) == 1) {
        for (int i = 0; i < 2; i++) {
            *x = match_erf_gate(f, product->in[i]);
            if (*x && *x == product->in[1 - i])
                return "gelu";
        }
    }
    for (int i = 0; i < 2; i++) {
        const struct sl_node *a = n->in[i], *b = n->in[1 - i];
        *x = match_erf_gate(f, a); /* (x * 0.5) * gate */
        half = *x ? with_constant(f, b, SL_OP_ew_mult, &c) : NULL;
        if (half && half == *x && near(c, 0.5) && sl_fuse_uses(f, b) == 1)
            return "gelu";
        half = sl_fuse_uses(f, a) == 1 ? with_constant(f, a, SL_OP_ew_mult, &c) : NULL; /* x * (0.5 * gate) */
        *x = half && near(c, 0.5) ? match_erf_gate(f, half) : NULL;
        if (*x && *x == b)
            return "gelu";
    }
    return NULL;
}

static sluice_status recognise(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    struct sl_node *x = NULL;
    const char *type;

    (void)e;
    if (n->op != SL_OP_ew_mult || n->dtype != SL_F32)
        return SLUICE_OK;
    type = match_gate(f, n, &x);
    if (!type)
        type = match_gelu(f, n, &x);
    if (!type || !sl_shape_equal(&x->shape, &n->shape))
        return SLUICE_OK;
    /* What lay between x and n is dead from here on and leaves with the pass; counts of uses are right again in the next one.
     */
    n->op = SL_OP_activation;
    sl_fuse_set_inputs(f, n, 1, &x);
    sl_set_string(f->graph, n, "type", type);
    f->changes++;
    return SLUICE_OK;
}

sluice_status sl_pass_recognise_activations(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, recognise, e);
}
