/* stored_patterns.h: layers that exporters write as several nodes and that are seen best in stored order, channels last. */
#ifndef SL_FRONT_STORED_PATTERNS_H
#define SL_FRONT_STORED_PATTERNS_H

#include "ir/ir.h"

/* In a graph in stored order, before it has names. Returns how many were found. */
int sl_match_stored_patterns(struct sl_graph *g);

#endif
