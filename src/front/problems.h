/*
 * problems.h: what a front end says of a file besides the graph: counts, notes, and the operators that it cannot translate. All
 * of these are gathered before import fails, so that one message names them with the end nodes that leave the rest.
 */
#ifndef SL_FRONT_PROBLEMS_H
#define SL_FRONT_PROBLEMS_H

#include "base/arena.h"
#include "base/error.h"
#include "front/nms_heads.h"

struct sl_problem {
    const char *node, *op, *reason; /* node: the name by which the file's users know the operator */
};

/* Filled as far as import got, also on failure; strings live in the arena. */
struct sl_import_report {
    int n_nodes, n_used_nodes; /* operators in the file; on the way to the outputs */
    int n_folded;              /* of those used: constant, gone from the network */
    int n_transposes;          /* that move data and could not be cancelled */
    int n_problems;            /* unsupported operators */
    struct sl_problem *problems;
    int n_recommended; /* end nodes of the largest supported part */
    const char **recommended;
    int n_notes;
    const char **notes;
    const struct sl_nms_head *head; /* of the network, or of the part that is recommended; NULL: none that is known */
    struct sl_nms_facts nms; /* of a suppression anywhere in the file, whether the network reaches it or not */
};

void sl_add_problem(struct sl_import_report *r, sl_arena *a, const char *node, const char *op, const char *reason);
void sl_add_note(struct sl_import_report *r, sl_arena *a, const char *text);

/* The one message for all problems, which name operators by `what` ("node", "operator"); the hint has the recommended end
 * nodes, or, where there are none, is `nothing_left`. Returns SLUICE_E_UNSUPPORTED. */
sluice_status sl_fail_problems(const struct sl_import_report *r, const char *what, const char *nothing_left, sl_err *e);

#endif
