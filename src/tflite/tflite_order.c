/* tflite_order.c: which operators the outputs need, and their translation in the file's order, which is an order of execution.
 */
#include <string.h>

#include "tflite/tflite_import.h"

static const struct tfl_op_row rows[] = {
#define TFL(code, name, least, most, translate) {code, name, least, most, translate, NULL},
#define TFL_NOT(code, name, reason)             {code, name, 0, -1, NULL, reason},
#include "tflite/tflite_ops.def"
#undef TFL
#undef TFL_NOT
};

const struct tfl_op_row *tfl_op_rows(int *n)
{
    *n = (int)SL_COUNT(rows);
    return rows;
}

/* Rows are sorted by code. */
const struct tfl_op_row *tfl_op_find(int code)
{
    int lo = 0, hi = (int)SL_COUNT(rows);
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (rows[mid].code < code)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < (int)SL_COUNT(rows) && rows[lo].code == code ? &rows[lo] : NULL;
}

/* ---- who makes and who reads a tensor ---- */

static sluice_status index_values(struct tfl_import *c)
{
    for (int i = 0; i < c->model.n_operators; i++) {
        const struct tfl_operator *op = &c->model.operators[i];
        for (int k = 0; k < op->n_out; k++) {
            struct tfl_value *v = &c->values[op->out[k]];
            if (v->node)
                continue; /* a start tensor: the network begins behind this operator */
            if (v->producer)
                return sl_fail(c->e, SLUICE_E_FORMAT, "tensor '%s' is made by two operators",
                               c->model.tensors[op->out[k]].name);
            v->producer = i + 1;
        }
        for (int k = 0; k < op->n_in; k++)
            if (op->in[k] >= 0) {
                c->values[op->in[k]].n_readers++;
                c->values[op->in[k]].reader = i;
            }
    }
    return SLUICE_OK;
}

/* Operators come after what they read, so one walk from the end finds all that are needed. */
static sluice_status mark_needed(struct tfl_import *c, bool *needed)
{
    for (int i = 0; i < c->n_ends; i++) {
        struct tfl_value *v = &c->values[c->ends[i]];
        v->wanted = true;
        if (v->producer)
            needed[v->producer - 1] = true;
    }
    for (int i = c->model.n_operators - 1; i >= 0; i--) {
        const struct tfl_operator *op = &c->model.operators[i];
        for (int k = 0; k < op->n_in && needed[i]; k++) {
            int producer = op->in[k] >= 0 ? c->values[op->in[k]].producer : 0;
            if (producer > i)
                return sl_fail(c->e, SLUICE_E_FORMAT, "operator '%s' reads tensor '%s', which a later operator makes",
                               op->label, c->model.tensors[op->in[k]].name);
            if (producer)
                needed[producer - 1] = true;
        }
    }
    return SLUICE_OK;
}

/* ---- one operator ---- */

static bool reads_missing(const struct tfl_import *c, const struct tfl_operator *op)
{
    for (int k = 0; k < op->n_in; k++)
        if (op->in[k] >= 0 && c->values[op->in[k]].missing)
            return true;
    return false;
}

static sluice_status custom(struct tfl_import *c, const struct tfl_operator *op)
{
    if (strcmp(op->custom, "Convolution2DTransposeBias") == 0)
        return op->n_out == 1 ? tfl_convolution_transpose_bias(c, op) : sl_fail(c->e, SLUICE_E_FORMAT, "%d outputs", op->n_out);
    if (strcmp(op->custom, "TFLite_Detection_PostProcess") == 0)
        return sl_unsupported(
            c->b, "the detection post-process (box decoding and NMS) is no layer; end the network before it and decode on "
                  "the host, or use nms_postprocess in a model script");
    if (strcmp(op->custom, "ethos-u") == 0)
        return sl_unsupported(c->b, "a program compiled for another chip; give the model as it was before Vela");
    return sl_unsupported(
        c->b, "a custom operator: its meaning is not in the file; end the network before it, or convert the model without it");
}

static bool knows_complex(tfl_translate_fn *f)
{
    return f == tflop_rfft2d || f == tflop_complex_abs || f == tflop_real || f == tflop_imag || f == tflop_reshape;
}

static bool has_complex(const struct tfl_import *c, const struct tfl_operator *op)
{
    bool found = false;
    for (int i = 0; i < op->n_in; i++)
        found = found || tfl_is_complex(c, op->in[i]);
    for (int i = 0; i < op->n_out; i++)
        found = found || tfl_is_complex(c, op->out[i]);
    return found;
}

sluice_status tfl_run_operator(struct tfl_import *c, const struct tfl_operator *op)
{
    const struct tfl_op_row *row = tfl_op_find(op->code);
    c->b->op = op->custom ? op->custom : row ? row->name : sl_arena_printf(c->a, "operator %d", op->code);
    if (op->custom)
        return custom(c, op);
    if (!row)
        return op->code >= TFL_FIRST_STABLEHLO && op->code <= TFL_LAST_STABLEHLO
                   ? sl_unsupported(c->b, "an operator of StableHLO; convert the model with TensorFlow Lite's own operators "
                                          "(converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS])")
                   : sl_unsupported(c->b, "builtin operator %d is not known", op->code);
    if (!row->translate)
        return sl_unsupported(c->b, "%s", row->reason);
    if (op->n_in < row->least_in || (row->most_in >= 0 && op->n_in > row->most_in))
        return sl_fail(c->e, SLUICE_E_FORMAT, "%d inputs, %d to %d are wanted", op->n_in, row->least_in, row->most_in);
    if (op->n_out < 1)
        return sl_fail(c->e, SLUICE_E_FORMAT, "no output");
    if (!knows_complex(row->translate) && has_complex(c, op))
        return sl_unsupported(c->b, "complex numbers; make the spectrum an input (start node) of the network");
    SL_TRY(row->translate(c, op));
    return op->options.f && op->options.f->bad ? sl_fail(c->e, SLUICE_E_FORMAT, "options: an offset points outside the file")
                                               : SLUICE_OK;
}

static bool all_constant(const struct tfl_import *c, const struct tfl_operator *op)
{
    for (int k = 0; k < op->n_out; k++) {
        const struct sl_node *n = c->values[op->out[k]].node;
        if (n && n->op != SL_OP_const_input)
            return false;
    }
    return true;
}

static sluice_status translate_one(struct tfl_import *c, int i)
{
    const struct tfl_operator *op = &c->model.operators[i];
    c->op = op;
    c->b->op = "";
    c->b->origin = op->label;
    c->b->report->n_used_nodes++;
    sluice_status s = SLUICE_OK;
    if (reads_missing(c, op)) {
        c->fates[i] = TFL_SKIPPED;
    } else {
        int problems = c->b->report->n_problems;
        s = tfl_run_operator(c, op);
        if (s != SLUICE_OK && c->b->report->n_problems == problems)
            return sl_context(c->e, "operator '%s' (%s)", op->label, c->b->op);
        c->fates[i] = s != SLUICE_OK ? TFL_UNSUPPORTED : all_constant(c, op) ? TFL_FOLDED : TFL_TRANSLATED;
        c->b->report->n_folded += c->fates[i] == TFL_FOLDED;
    }
    for (int k = 0; k < op->n_out; k++)
        c->values[op->out[k]].missing = !c->values[op->out[k]].node;
    return SLUICE_OK;
}

sluice_status tfl_translate(struct tfl_import *c)
{
    bool *needed = SL_NEW_ARRAY(c->scratch, bool, (size_t)c->model.n_operators + 1);
    SL_TRY(index_values(c));
    SL_TRY(mark_needed(c, needed));
    for (int i = 0; i < c->model.n_operators; i++)
        if (needed[i])
            SL_TRY(translate_one(c, i));
    c->op = NULL;
    c->b->op = c->b->origin = NULL;
    return c->b->report->n_problems ? tfl_fail_unsupported(c) : SLUICE_OK;
}
