/* fuse_layers.c: activations, residual additions and explicit padding move into the layer that computes them on the way. */
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "quant/fuse.h"

/* ---- activation into the weighted layer before it ---- */
static sluice_status fuse_activation(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    static const char *const values[] = {"alpha", "beta", "minimum", "maximum"};
    const char *type;
    struct sl_node *p;

    (void)e;
    if (n->op != SL_OP_activation)
        return SLUICE_OK;
    p = n->in[0];
    type = sl_get_string(n, "type", "");
    if (!sl_is_weighted(p->op) || sl_attr(p, "activation") || sl_fuse_uses(f, p) != 1)
        return SLUICE_OK;
    if (p->n_in == 2 && !sl_is_clamp(type)) /* numerics: a table follows a sum without residual */
        return SLUICE_OK;
    sl_set_string(f->graph, p, "activation", type);
    for (size_t i = 0; i < SL_COUNT(values); i++)
        if (sl_attr(n, values[i]))
            sl_set_float(f->graph, p, values[i], sl_get_float(n, values[i], 0));
    sl_fuse_replace(f, n, p);
    return SLUICE_OK;
}

sluice_status sl_pass_fuse_activation(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, fuse_activation, e);
}

/* ---- residual ---- */
static bool can_take_residual(const struct sl_fuse *f, const struct sl_node *w, const struct sl_node *add)
{
    return sl_is_weighted(w->op) && w->n_in == 1 && !sl_attr(w, "activation") && sl_fuse_uses(f, w) == 1 &&
           sl_shape_equal(&w->shape, &add->shape);
}

/* conv(x) + r = conv(x, r). The sum is rounded once instead of twice. When both operands could take the other, the later one
 * does: the earlier one is then computed already. */
static sluice_status fuse_residual(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    struct sl_node *w = NULL, *r = NULL;

    (void)e;
    if (n->op != SL_OP_ew_add || n->in[0] == n->in[1])
        return SLUICE_OK;
    for (int i = 0; i < 2; i++) {
        struct sl_node *candidate = n->in[i], *other = n->in[1 - i];
        if (!can_take_residual(f, candidate, n) || !sl_shape_equal(&other->shape, &n->shape) || other->op == SL_OP_const_input)
            continue;
        if (!w || candidate->index > w->index) {
            w = candidate;
            r = other;
        }
    }
    if (!w)
        return SLUICE_OK;
    sl_fuse_set_inputs(f, w, 2, (struct sl_node *[]){w->in[0], r});
    sl_fuse_replace(f, n, w);
    return SLUICE_OK;
}

sluice_status sl_pass_fuse_residual(struct sl_fuse *f, sl_err *e)
{
    if (f->settings && f->settings->ew_add_fusing_off)
        return SLUICE_OK;
    return sl_fuse_walk(f, fuse_residual, e);
}

/* ---- explicit padding ---- */
static bool never_negative(const struct sl_node *n)
{
    const char *type = sl_get_string(n, n->op == SL_OP_activation ? "type" : "activation", "");
    double lo, hi;

    if (!strcmp(type, "sigmoid") || !strcmp(type, "hard_sigmoid"))
        return true;
    if (!sl_is_clamp(type))
        return false;
    sl_clamp_limits(n, n->op == SL_OP_activation ? "type" : "activation", &lo, &hi);
    return lo >= 0;
}

/* [top, left, bottom, right] of a pad of rows and columns only, none negative. */
static bool spatial_pads(const struct sl_node *pad, int64_t out[4])
{
    int64_t p[8];

    if (pad->shape.rank != 4 || !sl_get_ints(pad, "pads", 8, p))
        return false;
    if (p[0] || p[3] || p[4] || p[7] || p[1] < 0 || p[2] < 0 || p[5] < 0 || p[6] < 0)
        return false;
    out[0] = p[1];
    out[1] = p[2];
    out[2] = p[5];
    out[3] = p[6];
    return true;
}

static bool pool_takes(const struct sl_node *n, const struct sl_node *pad, const int64_t p[4], double value)
{
    int64_t own[4] = {0, 0, 0, 0}, kernel[4] = {1, 1, 1, 1};

    sl_get_ints(n, "pads", 4, own);
    sl_get_ints(n, "kernel_shape", 4, kernel);
    if (p[0] + own[0] >= kernel[1] || p[2] + own[2] >= kernel[1] || p[1] + own[1] >= kernel[2] || p[3] + own[3] >= kernel[2])
        return false; /* a window could lie in the padding alone */
    if (n->op == SL_OP_maxpool)
        return value == -INFINITY || value <= -3e38 || (value == 0 && never_negative(pad->in[0]));
    return value == 0 && !own[0] && !own[1] && !own[2] && !own[3];
}

static sluice_status fuse_pad(struct sl_fuse *f, struct sl_node *n, sl_err *e)
{
    int64_t p[4], own[4] = {0, 0, 0, 0};
    struct sl_node *pad;
    double value;

    (void)e;
    if (n->op != SL_OP_conv && n->op != SL_OP_dw && n->op != SL_OP_maxpool && n->op != SL_OP_avgpool)
        return SLUICE_OK;
    pad = n->in[0];
    if (pad->op != SL_OP_pad || strcmp(sl_get_string(pad, "pad_mode", "constant"), "constant") || !spatial_pads(pad, p))
        return SLUICE_OK;
    value = sl_get_float(pad, "value", 0);
    if (sl_is_weighted(n->op) ? value != 0 || sl_param(n, "pad_value") : !pool_takes(n, pad, p, value))
        return SLUICE_OK;
    sl_get_ints(n, "pads", 4, own);
    for (int i = 0; i < 4; i++)
        own[i] += p[i];
    sl_set_ints(f->graph, n, "pads", 4, own);
    if (n->op == SL_OP_avgpool)
        sl_set_int(f->graph, n, "count_include_pad", 1);
    sl_node_take_origins(f->graph->arena, n, pad);
    sl_fuse_set_input(f, n, 0, pad->in[0]);
    f->changes++;
    return SLUICE_OK;
}

sluice_status sl_pass_fuse_pad(struct sl_fuse *f, sl_err *e)
{
    return sl_fuse_walk(f, fuse_pad, e);
}
