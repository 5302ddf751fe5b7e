/* patterns.h: layers that exporters write as several nodes and that are the same in every axis order: curves and norms. */
#ifndef SL_FRONT_PATTERNS_H
#define SL_FRONT_PATTERNS_H

#include "ir/ir.h"

/* In a graph whose nodes are numbered; nodes that only a pattern needed are removed. `scratch` is the caller's to free. */
void sl_match_patterns(struct sl_graph *g, sl_arena *scratch);

#endif
