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

/* Where the network ends in a known detector's heads: <net>.nms.json and <net>.nms.alls, or a word on why there are none. Where
 * it was cut at them and the boxes were left behind, as much of the file as can be is parsed once more, to read them there. */
void sl_keep_nms_head(struct sl_model *model, sl_parse_part_fn *parse, void *context, bool cut,
                      const struct sl_import_report *r);

/* Parsing failed and recommends end nodes: where the part before them has heads of a known detector, the recommendation and the
 * hint end there instead. Strings live in `a`. */
void sl_recommend_heads(sl_arena *a, sl_parse_part_fn *parse, void *context, struct sl_import_report *r, sl_err *e);

#endif
