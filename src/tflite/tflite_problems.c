/* tflite_problems.c: the error that names everything unsupported at once, and the end nodes that leave the largest supported
 * part. */
#include <string.h>

#include "base/strings.h"
#include "tflite/tflite_import.h"

/* A translated tensor ends the supported part when it is wanted, or is read by an operator that could not be made. */
static void recommend(struct tfl_import *c)
{
    bool *frontier = SL_NEW_ARRAY(c->scratch, bool, (size_t)c->model.n_tensors + 1);
    for (int i = 0; i < c->n_ends; i++)
        frontier[c->ends[i]] = true;
    for (int i = 0; i < c->model.n_operators; i++) {
        if (c->fates[i] != TFL_UNSUPPORTED && c->fates[i] != TFL_SKIPPED)
            continue;
        for (int k = 0; k < c->model.operators[i].n_in; k++)
            if (c->model.operators[i].in[k] >= 0)
                frontier[c->model.operators[i].in[k]] = true;
    }
    c->b->report->recommended = SL_NEW_ARRAY(c->a, const char *, (size_t)c->model.n_tensors + 1);
    for (int i = 0; i < c->model.n_tensors; i++) {
        const struct tfl_value *v = &c->values[i];
        if (frontier[i] && v->producer && c->fates[v->producer - 1] == TFL_TRANSLATED && v->node &&
            v->node->op != SL_OP_const_input)
            c->b->report->recommended[c->b->report->n_recommended++] = c->model.tensors[i].name;
    }
}

sluice_status tfl_fail_unsupported(struct tfl_import *c)
{
    recommend(c);
    return sl_fail_problems(c->b->report, "operator", "nothing before these operators can be taken; replace them in the model",
                            c->e);
}
