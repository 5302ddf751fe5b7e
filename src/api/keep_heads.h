/* keep_heads.h: detection heads while a file is parsed: what the archive keeps of them, and the end nodes that they recommend.
 */
#ifndef SL_API_KEEP_HEADS_H
#define SL_API_KEEP_HEADS_H

#include "front/problems.h"
#include "har/model.h"

/* The part of a file up to these nodes (none: all of it), in an arena of its own; NULL when it cannot be parsed, which the
 * report then tells about. */
typedef struct sl_graph *sl_parse_part_fn(sl_arena *a, void *context, const char *const *end_nodes, int n_end,
                                          struct sl_import_report *r);

/* Sets the report's head. cut: the network was cut at end nodes; where it was cut at heads that left their boxes behind, as
 * much of the file as can be is parsed once more, to read them there. Strings live in `a`. */
void sl_find_heads(sl_arena *a, const struct sl_graph *g, sl_parse_part_fn *parse, void *context, bool cut,
                   struct sl_import_report *r);

/* Puts <net>.nms.json and <net>.nms.alls of the report's head into the archive, or says why there are none. */
void sl_keep_heads(struct sl_model *model, const struct sl_import_report *r);

/* Parsing failed and recommends end nodes: where the part before them has heads of a known detector, the recommendation and the
 * hint end there instead, and the report's head is set. Strings live in `a`. */
void sl_recommend_heads(sl_arena *a, sl_parse_part_fn *parse, void *context, struct sl_import_report *r, sl_err *e);

/* Layers have no quantized form: where all of them stand behind the heads of a known detector, the hint ends the network
 * there. */
void sl_hint_at_heads(const struct sl_graph *native, sl_err *e);

#endif
