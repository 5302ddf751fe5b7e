/* pool_index_float.c: maxpool_indices: where the largest value of each window stands, as ONNX's MaxPool gives it for MaxUnpool: flat
 * positions in the whole input, which stays in the origin's axis order [n, c, spatial axes ...]. Shape rule and evaluation. */
#include "ops/eval.h"
#include "ops/op_rules.h"
#include "ops/values.h"

enum { MOST_AXES = SL_MAX_RANK - 2 };

struct windows {
    int rank; /* spatial axes */
    int64_t kernel[2 * SL_MAX_RANK], stride[2 * SL_MAX_RANK], dilation[2 * SL_MAX_RANK], pads[2 * SL_MAX_RANK];
    int64_t in[MOST_AXES], out[MOST_AXES];
    int64_t taps, picture; /* positions of a window, and of the input */
    bool column_major;
};

static sluice_status read_list(const struct sl_node *n, const char *name, int wanted, int64_t lo, int64_t *v, sl_err *e)
{
    int count;
    SL_TRY(sl_rule_list(n, name, lo, SL_SIDE_LIMIT, &count, v, e));
    return count == wanted ? SLUICE_OK : sl_fail(e, SLUICE_E_VALUE, "%s has %d values, %d are wanted", name, count, wanted);
}

/* A window that sees no value has no position to give. */
static bool sees_input(const struct windows *w, int axis, int64_t o)
{
    for (int64_t k = 0; k < w->kernel[axis]; k++) {
        int64_t at = o * w->stride[axis] + k * w->dilation[axis] - w->pads[axis];
        if (at >= w->in[axis])
            return false;
        if (at >= 0)
            return true;
    }
    return false;
}

static sluice_status size_axis(struct windows *w, int i, sl_err *e)
{
    int64_t room = w->in[i] + w->pads[i] + w->pads[w->rank + i] - (w->kernel[i] - 1) * w->dilation[i] - 1;
    if (w->in[i] < 1 || room < 0)
        return sl_fail(e, SLUICE_E_SHAPE, "a window of %lld does not fit axis %d of %lld", (long long)w->kernel[i], 2 + i,
                       (long long)w->in[i]);
    w->out[i] = room / w->stride[i] + 1;
    for (int64_t o = 0; o < w->out[i]; o++) {
        bool inside = o * w->stride[i] >= w->pads[i] && o * w->stride[i] < w->in[i] + w->pads[i];
        if (!inside && !sees_input(w, i, o))
            return sl_fail(e, SLUICE_E_SHAPE, "a window along axis %d holds only padding", 2 + i);
    }
    return SLUICE_OK;
}

static sluice_status read_windows(const struct sl_node *n, struct windows *w, sl_err *e)
{
    const struct sl_shape *s = &n->in[0]->shape;
    int64_t order = 0;
    *w = (struct windows){.rank = s->rank - 2, .taps = 1, .picture = 1};
    SL_TRY(sl_rule_rank(n, 0, 3, SL_MAX_RANK, e));
    SL_TRY(read_list(n, "kernel_shape", w->rank, 1, w->kernel, e));
    SL_TRY(read_list(n, "strides", w->rank, 1, w->stride, e));
    SL_TRY(read_list(n, "dilations", w->rank, 1, w->dilation, e));
    SL_TRY(read_list(n, "pads", 2 * w->rank, 0, w->pads, e));
    SL_TRY(sl_rule_ints(n, "storage_order", 1, 0, 1, &order, e));
    w->column_major = order == 1;
    for (int i = 0; i < w->rank; i++) {
        w->in[i] = s->dim[2 + i];
        w->taps = sl_saturating_mul(w->taps, w->kernel[i]);
        w->picture = sl_saturating_mul(w->picture, w->in[i]);
        SL_TRY(size_axis(w, i, e));
    }
    return SLUICE_OK;
}

sluice_status infer_maxpool_indices(struct sl_graph *g, struct sl_node *n, sl_err *e)
{
    (void)g;
    struct windows w;
    SL_TRY(read_windows(n, &w, e));
    struct sl_shape out = n->in[0]->shape;
    for (int i = 0; i < w.rank; i++)
        out.dim[2 + i] = w.out[i];
    return sl_rule_output(n, SL_S64, &out, e);
}

int64_t cost_maxpool_indices(const struct sl_node *n)
{
    struct windows w;
    sl_err ignored = {0};
    if (read_windows(n, &w, &ignored) != SLUICE_OK)
        return 0;
    return sl_saturating_mul((int64_t)sl_shape_elements(&n->shape), w.taps);
}

/* Row-major position in a plane of tap `tap` of the window at `output`, -1 in the pads; *named is the position by the order that was
 * asked for: column-major counts the first axis fastest. */
static int64_t tap_position(const struct windows *w, int64_t output, int64_t tap, int64_t *named)
{
    int64_t at[MOST_AXES], row_major = 0, column_major = 0;
    for (int i = w->rank - 1; i >= 0; i--) {
        at[i] = output % w->out[i] * w->stride[i] + tap % w->kernel[i] * w->dilation[i] - w->pads[i];
        output /= w->out[i];
        tap /= w->kernel[i];
        if (at[i] < 0 || at[i] >= w->in[i])
            return -1;
    }
    for (int i = 0; i < w->rank; i++) {
        row_major = row_major * w->in[i] + at[i];
        column_major = column_major * w->in[w->rank - 1 - i] + at[w->rank - 1 - i];
    }
    *named = w->column_major ? column_major : row_major;
    return row_major;
}

static bool is_more(const struct sl_tensor *x, int64_t a, int64_t b)
{
    if (sl_is_float_class(x->dtype)) {
        const float *v = x->data;
        return v[b] == v[b] && !(v[a] <= v[b]); /* the first NaN is the largest */
    }
    const int64_t *v = x->data;
    return x->dtype == SL_U64 ? (uint64_t)v[a] > (uint64_t)v[b] : v[a] > v[b];
}

sluice_status eval_maxpool_indices(struct sl_eval *ev, const struct sl_node *n, const struct sl_tensor *in, struct sl_tensor *out,
                                   sl_err *e)
{
    (void)ev;
    struct windows w;
    SL_TRY(read_windows(n, &w, e));
    const int64_t planes = out->shape.dim[0] * out->shape.dim[1];
    const int64_t outputs = planes ? (int64_t)sl_shape_elements(&out->shape) / planes : 0;
    int64_t *y = out->data;
    for (int64_t p = 0; p < planes; p++)
        for (int64_t o = 0; o < outputs; o++, y++) {
            int64_t best = -1, named;
            for (int64_t tap = 0; tap < w.taps; tap++) {
                int64_t at = tap_position(&w, o, tap, &named);
                if (at < 0 || (best >= 0 && !is_more(&in[0], p * w.picture + at, best)))
                    continue;
                best = p * w.picture + at;
                *y = p * w.picture + named;
            }
        }
    return SLUICE_OK;
}
