/* import_options.h: what the user says of a file to import, whatever its format. */
#ifndef SL_FRONT_IMPORT_OPTIONS_H
#define SL_FRONT_IMPORT_OPTIONS_H

#include "ir/ir.h"

struct sl_given_shape {
    const char *name; /* of an input; NULL: each front end says which one is meant */
    struct sl_shape shape;
};

/* The front ends' headers say what names nodes have in their files. */
struct sl_import_options {
    const char *net_name;           /* NULL: from the path */
    const char *const *start_nodes; /* none: the graph's inputs */
    int n_start;
    const char *const *end_nodes; /* none: the graph's outputs */
    int n_end;
    const struct sl_given_shape *tensor_shapes;
    int n_tensor_shapes;
};

#endif
