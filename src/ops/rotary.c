/*
 * rotary.c: pairs of features turned by an angle (rotary position embedding): shape rule, evaluation, quantize rule, lowering. Inputs: x
 * [.., d] and the angles [.., 2 w], their cosines first, then their sines; w = d, or d / 2 where both features of a pair have one
 * angle. Pairs are (i, i + d / 2), or with `interleaved` (2 i, 2 i + 1).
 */
#include <math.h>

#include "ops/eval.h"
#include "ops/lower.h"
#include "ops/op_rules.h"
#include "ops/quant_rules.h"

sluice_status infer_rotary(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    int64_t interleaved = 0;
    for (int i = 0; i < 2; i++) {
        SL_TRY(sl_rule_is_float(n, i, e));
        SL_TRY(sl_rule_rank(n, i, 1, SL_MAX_RANK, e));
    }
    SL_TRY(sl_rule_ints(n, "interleaved", 1, 0, 1, &interleaved, e));
    const struct sl_shape *x = &n->in[0]->shape, *a = &n->in[1]->shape;
    int64_t d = x->dim[x->rank - 1], w = a->dim[a->rank - 1];
    if (d < 2 || d % 2 || (w != d && w != 2 * d))
        return sl_fail(e, SLUICE_E_SHAPE,
                       "%lld features and %lld angles: an even number of features, and as many angles or twice as many, are wanted",
                       (long long)d, (long long)w);
    for (int i = 2; i <= a->rank; i++)
        if (a->dim[a->rank - i] != 1 && (i > x->rank || a->dim[a->rank - i] != x->dim[x->rank - i]))
            return sl_fail(e, SLUICE_E_SHAPE, "angles %s do not fit x %s", SL_SHAPE_TEXT(a), SL_SHAPE_TEXT(x));
    return sl_rule_output(n, SL_F32, x, e);
}

/* Where the angles of a row of x begin. */
static int64_t row_of_angles(const struct sl_shape *x, const struct sl_shape *a, int64_t row)
{
    int64_t at = 0, step = a->dim[a->rank - 1];
    for (int i = 2; i <= x->rank && i <= a->rank; i++) {
        int64_t d = a->dim[a->rank - i], side = x->dim[x->rank - i];
        at += d == 1 ? 0 : row % side * step;
        step *= d;
        row /= side;
    }
    return at;
}

static void turn_row(const float *x, const float *angles, int64_t d, int64_t w, bool interleaved, float *y)
{
    const int64_t half = d / 2;
    for (int64_t i = 0; i < d; i++) {
        bool first = interleaved ? i % 2 == 0 : i < half;
        int64_t other = interleaved ? i ^ 1 : first ? i + half : i - half;
        int64_t k = w == d ? i : interleaved ? i / 2 : i % half;
        double c = (double)angles[k], s = (double)angles[w + k];
        y[i] = (float)((double)x[i] * c + (first ? -1.0 : 1.0) * (double)x[other] * s);
    }
}

sluice_status eval_rotary(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out, sl_err *e)
{
    (void)ev;
    (void)e;
    const struct sl_shape *x = &in[0].shape, *a = &in[1].shape;
    const int64_t d = x->dim[x->rank - 1], w = a->dim[a->rank - 1] / 2;
    const bool interleaved = sl_get_int(n, "interleaved", 0) != 0;
    for (int64_t row = 0, rows = (int64_t)sl_shape_elements(x) / d; row < rows; row++)
        turn_row((const float *)in[0].data + row * d, (const float *)in[1].data + row_of_angles(x, a, row), d, w, interleaved,
                 (float *)out->data + row * d);
    return SLUICE_OK;
}

int64_t cost_rotary(const struct sl_node *n)
{
    return sl_saturating_mul((int64_t)sl_shape_elements(&n->shape), 2);
}

sluice_status quantize_rotary(struct sl_quantizer *q, struct sl_node *n, sl_err *e)
{
    double x = n->in[0]->quant.scale, angles = n->in[1]->quant.scale, out = n->quant.scale;

    sl_set_limits(q, n, -INFINITY, INFINITY);
    return sl_set_multiplier(q, n, "multiplier", x * angles / out, e);
}

sluice_status lower_rotary(struct sl_lowering *l, const struct sl_node *n, sl_err *e)
{
    (void)e;
    struct sl_insn *i = sl_lower_emit(l, n, SL_INSN_rotary);
    i->ints[SL_I_rotary_interleaved] = sl_get_int(n, "interleaved", 0);
    i->ints[SL_I_rotary_lo] = sl_get_int(n, "lo", 0);
    i->ints[SL_I_rotary_hi] = sl_get_int(n, "hi", n->quant.dtype == SL_U16 ? 65535 : 255);
    i->floats[SL_F_rotary_multiplier] = sl_get_float(n, "multiplier", 0);
    return SLUICE_OK;
}
