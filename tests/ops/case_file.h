/* case_file.h: reads the op cases of tests/ops/cases: one item a line, words separated by blanks.
 *
 *     case NAME                     starts a case
 *     op KIND
 *     attr NAME i|f|il|fl|s VALUE...      (il, fl: lists)
 *     param NAME TYPE SHAPE VALUE...      SHAPE as 1x2x3, or "scalar"; one value after "splat" in place of TYPE: "splat TYPE"
 *     in TYPE SHAPE VALUE...              an input; without values where only shapes are tested
 *     tolerance X                         relative to the largest expected magnitude; default 1e-5
 *     out TYPE SHAPE VALUE...             expected, or
 *     error TEXT                          the shape rule's message holds TEXT
 */
#ifndef TESTS_OPS_CASE_FILE_H
#define TESTS_OPS_CASE_FILE_H

#include "ir/ir.h"

struct op_values { enum sl_dtype dtype; struct sl_shape shape; void *data; /* class values (float or int64), NULL without */ };

struct op_case {
    const char *name;
    struct sl_graph *graph;   /* input_layers, the node, an output_layer; not inferred */
    struct sl_node *node;
    int n_in;
    struct op_values in[16];
    struct op_values out;
    double tolerance;
    const char *error;
};

/* All cases of a file; ends the test with a message when the file is wrong. */
struct op_case *read_cases(sl_arena *a, const char *path, int *count);

#endif
