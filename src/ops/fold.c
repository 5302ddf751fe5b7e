/* fold.c: evaluates one node whose inputs are constants (constant folding of front ends and passes), in plain C. A constant with one
 * value stays one where the op allows it. */
#include <string.h>

#include "ops/eval.h"
#include "ops/float_run.h"
#include "ops/values.h"

static const size_t MOST_FOLDED = (size_t)1 << 28; /* values: larger constants are left to run time */

/* Ops whose output holds values of its inputs and no others. */
static bool only_moves(const struct sl_node *n)
{
    const struct sl_op_row *row = sl_op_row(n->op);
    return (row->encode == SL_ENCODE_SAME && row->eval != eval_pad && row->eval != eval_resize && row->eval != eval_maxpool &&
            row->eval != eval_cast) ||
           row->eval == eval_concat;
}

static bool by_element(const struct sl_node *n)
{
    sl_eval_fn *eval = sl_op_row(n->op)->eval;
    return eval == eval_binary || eval == eval_activation || eval == eval_compare || eval == eval_power || eval == eval_predicate ||
           eval == eval_where || eval == eval_cast;
}

static bool same_element(const struct sl_const *a, const struct sl_const *b)
{
    size_t bytes = (sl_dtype_bits(a->dtype) + 7) / 8;
    return a->dtype == b->dtype && memcmp(a->data, b->data, bytes) == 0;
}

/* All inputs splats (for moves: of one value), and no input empty. */
static bool folds_to_splat(const struct sl_node *n, const struct sl_const *const *in)
{
    for (int i = 0; i < n->n_in; i++)
        if (!in[i]->splat || (only_moves(n) && !same_element(in[i], in[0])))
            return false;
    return n->n_in > 0 && (only_moves(n) || by_element(n));
}

static sluice_status unpack(sl_arena *scratch, const struct sl_node *source, const struct sl_const *c, bool one, struct sl_tensor *t,
                            sl_err *e)
{
    struct sl_eval ev = {.scratch = scratch};
    t->dtype = source->dtype;
    t->shape = one ? (struct sl_shape){0} : c->shape;
    SL_TRY(sl_eval_scratch(&ev, sl_shape_elements(&t->shape), sl_class_bytes(t->dtype), &t->data, e));
    return eval_const(&ev, source, NULL, t, e);
}

static sluice_status pack(sl_arena *a, const struct sl_node *n, const struct sl_tensor *t, bool splat, const struct sl_const **out,
                          sl_err *e)
{
    if (splat) {
        uint64_t element = 0;
        sl_values_pack(n->dtype, t->data, 1, &element);
        *out = sl_const_splat(a, n->dtype, &n->shape, &element);
    } else {
        void *data = NULL;
        *out = sl_const_new(a, n->dtype, &n->shape, &data);
        if (*out)
            sl_values_pack(n->dtype, t->data, sl_shape_elements(&n->shape), data);
    }
    return *out ? SLUICE_OK : sl_fail(e, SLUICE_E_MEMORY, "no memory for a folded constant");
}

static sluice_status fold(sl_arena *a, sl_arena *scratch, const struct sl_node *n, const struct sl_const **out, sl_err *e)
{
    struct sl_eval ev = {.scratch = scratch};
    const struct sl_const **in = SL_NEW_ARRAY(scratch, const struct sl_const *, n->n_in + 1);
    struct sl_tensor *values = SL_NEW_ARRAY(scratch, struct sl_tensor, n->n_in + 1), result = {n->dtype, n->shape, NULL};
    for (int i = 0; i < n->n_in; i++) {
        in[i] = n->in[i]->op == SL_OP_const_input ? sl_param(n->in[i], "data") : NULL;
        if (!in[i])
            return sl_fail(e, SLUICE_E_INTERNAL, "input %d is no constant", i);
    }
    const bool splat = folds_to_splat(n, in) && sl_shape_elements(&n->shape) > 0;
    if (splat)
        result.shape = (struct sl_shape){0};
    for (int i = 0; i < n->n_in; i++) {
        if (!splat && sl_shape_elements(&in[i]->shape) > MOST_FOLDED)
            return sl_fail(e, SLUICE_E_LIMIT, "a constant of %zu values is too large to fold", sl_shape_elements(&in[i]->shape));
        SL_TRY(unpack(scratch, n->in[i], in[i], splat, &values[i], e));
    }
    if (splat && only_moves(n))
        return pack(a, n, &values[0], true, out, e);
    if (sl_shape_elements(&result.shape) > MOST_FOLDED)
        return sl_fail(e, SLUICE_E_LIMIT, "a folded constant of %zu values is too large", sl_shape_elements(&result.shape));
    SL_TRY(sl_eval_scratch(&ev, sl_shape_elements(&result.shape), sl_class_bytes(n->dtype), &result.data, e));
    SL_TRY(sl_op_row(n->op)->eval(&ev, n, values, &result, e));
    return pack(a, n, &result, splat, out, e);
}

sluice_status sl_fold_node(sl_arena *a, const struct sl_node *n, const struct sl_const **out, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    sluice_status s = fold(a, scratch, n, out, e);
    sl_arena_free(scratch);
    return s == SLUICE_OK ? s : sl_context(e, "%s '%s'", sl_op_info(n->op)->name, sl_node_text(n));
}
