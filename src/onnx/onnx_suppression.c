/* onnx_suppression.c: what a file's own suppression of overlapping boxes says of its detector: thresholds and how many boxes
 * are kept. It is no layer (the network ends before it), but nms_postprocess wants to know the same things. */
#include <math.h>
#include <string.h>

#include "onnx/onnx_import.h"

enum { COPY_STEPS = 4, MOVE_STEPS = 16, SCORES_INPUT = 1, MOST_BOXES = 100000 /* more stands for all */ };

/* ONNX's own operator keeps its numbers in inputs, TensorRT's plugins in attributes. */
static const struct {
    const char *op;
    int most_input, overlap_input, score_input; /* 0: attributes */
    const char *overlap, *score;
} suppressions[] = {
    {"NonMaxSuppression", 2, 3, 4, NULL, NULL},
    {"EfficientNMS_TRT", 0, 0, 0, "iou_threshold", "score_threshold"},
    {"BatchedNMS_TRT", 0, 0, 0, "iouThreshold", "scoreThreshold"},
    {"BatchedNMSDynamic_TRT", 0, 0, 0, "iouThreshold", "scoreThreshold"},
};

static bool of_constant(const struct onnx_node *n, double *out, const struct onnx_tensor **tensor)
{
    const struct onnx_attr *f = onnx_find_attr(n, "value_float"), *i = onnx_find_attr(n, "value_int"),
                           *t = onnx_find_attr(n, "value");
    *tensor = t ? t->tensor : NULL;
    *out = f ? f->f : i ? (double)i->i : 0;
    return f || i;
}

static bool is_one(const struct onnx_tensor *t)
{
    for (int i = 0; i < t->n_dims; i++)
        if (t->dims[i] != 1)
            return false;
    return true;
}

/* A number of the file: an initializer or a Constant, seen through nodes that only copy it. */
static bool file_number(struct onnx_import *c, const struct sl_map *makers, const char *name, double *out)
{
    const struct onnx_tensor *t = NULL;
    const struct sl_const *k;
    for (int steps = 0; !t && steps < COPY_STEPS; steps++) {
        const struct onnx_value *v = name[0] ? sl_map_get(c->scope->values, name) : NULL;
        const struct onnx_node *n = name[0] ? sl_map_get(makers, name) : NULL;
        if (v && v->init) {
            t = v->init;
        } else if (n && strcmp(n->op_type, "Constant") == 0) {
            if (of_constant(n, out, &t))
                return true;
            if (!t)
                return false;
        } else if (n && n->n_in &&
                   (strcmp(n->op_type, "Cast") == 0 || strcmp(n->op_type, "Identity") == 0 ||
                    strcmp(n->op_type, "Unsqueeze") == 0)) {
            name = n->in[0];
        } else {
            return false;
        }
    }
    return t && is_one(t) && onnx_tensor_const(c, c->scratch, t, &k) == SLUICE_OK && sl_const_scalar(k, out);
}

static bool input_number(struct onnx_import *c, const struct sl_map *makers, const struct onnx_node *n, int input, double *out)
{
    sl_err ignored = {0}, *kept = c->e;
    c->e = c->b->e = &ignored;
    bool found = input < n->n_in && file_number(c, makers, n->in[input], out);
    c->e = c->b->e = kept;
    return found;
}

static struct sl_map *find_makers(struct onnx_import *c)
{
    const struct onnx_graph *g = c->model->graph;
    struct sl_map *makers = sl_map_new(c->scratch);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_out; k++)
            if (g->nodes[i].out[k][0])
                sl_map_set(makers, g->nodes[i].out[k], (void *)&g->nodes[i]);
    return makers;
}

static bool is_one_of(const char *op, const char *const *names)
{
    while (*names && strcmp(*names, op) != 0)
        names++;
    return *names != NULL;
}

/* PyTorch's operator has no threshold of scores: what it is given is picked by a mask that was compared with one. The name is
 * that of the mask's indices. */
static bool mask_threshold(struct onnx_import *c, const struct sl_map *makers, const char *name, double *out)
{
    static const char *const moves[] = {"NonZero", "Transpose", "Squeeze", "Unsqueeze", "Reshape", "Cast", "Identity", NULL};
    static const char *const tests[] = {"Greater", "GreaterOrEqual", NULL};
    for (int steps = 0; steps < MOVE_STEPS; steps++) {
        const struct onnx_node *n = name[0] ? sl_map_get(makers, name) : NULL;
        if (!n || n->n_in == 0)
            return false;
        if (is_one_of(n->op_type, tests))
            return input_number(c, makers, n, 1, out);
        if (!is_one_of(n->op_type, moves))
            return false;
        name = n->in[0];
    }
    return false;
}

static bool picked_threshold(struct onnx_import *c, const struct sl_map *makers, const char *name, double *out)
{
    static const char *const moves[] = {"Transpose", "Squeeze", "Unsqueeze", "Reshape",  "Cast",
                                        "Identity",  "Concat",  "Gather",    "GatherND", NULL};
    for (int steps = 0; steps < MOVE_STEPS; steps++) {
        const struct onnx_node *n = name[0] ? sl_map_get(makers, name) : NULL;
        if (!n || n->n_in == 0 || !is_one_of(n->op_type, moves))
            return false;
        if (n->op_type[0] == 'G' && n->n_in > 1 && mask_threshold(c, makers, n->in[1], out))
            return true;
        name = n->in[0];
    }
    return false;
}

static bool attribute(const struct onnx_node *n, const char *name, double *out)
{
    const struct onnx_attr *at = onnx_find_attr(n, name);
    *out = at ? at->f : 0;
    return at && at->type == ONNX_ATTR_FLOAT;
}

/* As a person wrote it: single precision of 0.7 is not that of a decimal. */
static bool take_part(double *v)
{
    *v = rint(*v * 1e7) / 1e7;
    return *v >= 0 && *v <= 1;
}

void onnx_find_suppression(struct onnx_import *c)
{
    struct sl_nms_facts *f = &c->report->common.nms;
    const struct onnx_graph *g = c->model->graph;
    for (int i = 0; i < g->n_nodes && !f->op; i++) {
        const struct onnx_node *n = &g->nodes[i];
        size_t k = 0;
        double most = 0;
        while (k < SL_COUNT(suppressions) && strcmp(suppressions[k].op, n->op_type) != 0)
            k++;
        if (k == SL_COUNT(suppressions))
            continue;
        f->op = n->op_type;
        f->node = n->label;
        if (suppressions[k].overlap) {
            f->has_overlap = attribute(n, suppressions[k].overlap, &f->overlap);
            f->has_score = attribute(n, suppressions[k].score, &f->score);
        } else {
            const struct sl_map *makers = find_makers(c);
            f->has_overlap = input_number(c, makers, n, suppressions[k].overlap_input, &f->overlap);
            f->has_score = input_number(c, makers, n, suppressions[k].score_input, &f->score) ||
                           (n->n_in > SCORES_INPUT && picked_threshold(c, makers, n->in[SCORES_INPUT], &f->score));
            if (input_number(c, makers, n, suppressions[k].most_input, &most) && most >= 1 && most <= MOST_BOXES)
                f->most = (int64_t)most;
        }
        f->has_overlap = f->has_overlap && take_part(&f->overlap);
        f->has_score = f->has_score && take_part(&f->score);
    }
}
