/* har_private.h: what the files of this room share: members and stages of an archive, JSON helpers. docs/formats.md describes
 * the format these functions write and read. */
#ifndef SL_HAR_HAR_PRIVATE_H
#define SL_HAR_HAR_PRIVATE_H

#include "base/npy.h"
#include "base/tar.h"
#include "har/har.h"

/* Most entries of the small lists of one layer or graph: readers refuse more, so that checks in pairs stay cheap. */
enum { SL_HAR_MOST_ATTRS = 256, SL_HAR_MOST_ARRAYS = 256, SL_HAR_MOST_EXTRAS = 4096 };

struct sl_har_stage {
    enum sl_stage stage;
    const char *name, *hn_suffix, *npz_suffix;
};
enum { SL_HAR_STAGES = 3 };
extern const struct sl_har_stage sl_har_stages[SL_HAR_STAGES]; /* in order of stage */
struct sl_graph **sl_har_stage_graph(struct sl_model *m, int stage);
sluice_status sl_har_check_state(const struct sl_model *m, sl_err *e); /* the graph that the state promises is there */

/* ---- har_json.c ---- */

/* Builds JSON without a test at each step: the first text that JSON cannot hold, or a lack of memory, is kept and reported
 * once. */
struct sl_builder {
    bool failed;
    const char *bad_text;
};
void sl_put_json(struct sl_builder *b, json_t *object, const char *key, json_t *value); /* takes value over; NULL fails */
void sl_push_json(struct sl_builder *b, json_t *array, json_t *value);
json_t *sl_text_json(struct sl_builder *b, const char *s);
json_t *sl_texts_json(struct sl_builder *b, int n, const char *const *s);
json_t *sl_dims_json(const struct sl_shape *s, bool open_batch); /* open_batch: -1 for a leading 1 of rank >= 2 */
sluice_status sl_builder_end(const struct sl_builder *b, sl_err *e);

/* Layer, network and alternative names: not empty, at most 255 bytes, no '/', ':', '@' or control characters. */
bool sl_har_name_ok(const char *name);

sluice_status sl_dims_from_json(const json_t *array, bool open_batch, struct sl_shape *out, sl_err *e);
sluice_status sl_get_dims(const json_t *o, const char *key, bool open_batch, struct sl_shape *out, sl_err *e);
sluice_status sl_get_dtype(const json_t *o, const char *key, enum sl_dtype *out, sl_err *e);
/* Every key of the object is one of `known` (NULL at the end). */
sluice_status sl_known_keys(const json_t *o, const char *const *known, sl_err *e);

/* ---- hn_read.c ---- */

/* The graph of an HN tree without parameter values, ports and the like: each layer's parameters are named, their values NULL.
 */
sluice_status sl_hn_read(sl_arena *a, const json_t *hn, struct sl_graph **out, sl_err *e);

/* ---- har_extras.c: ports, states, scalars, alternatives ---- */
void sl_extras_write(struct sl_builder *b, const struct sl_graph *g, json_t *stage);
/* Alternatives get parameters without values, like layers. `layers` finds nodes by scoped name. */
sluice_status sl_extras_read(struct sl_graph *g, const json_t *stage, sl_err *e);

/* ---- har_arrays.c ---- */

/* Arrays of one stage on their way out: npz members and the table of what an npz cannot say. */
struct sl_array_writer {
    sl_arena *a;
    struct sl_map *stored; /* content -> struct written_array, across stages that may refer to each other */
    struct sl_builder *builder;
};
/* Members in the order of layers; *table is a new object. Equal arrays are stored once and named: of this stage, and where `refer` is
 * set of earlier ones too. */
sluice_status sl_arrays_write(struct sl_array_writer *w, const struct sl_graph *g, bool refer, struct sl_npz_member **members,
                              size_t *n, json_t **table, sl_err *e);

/* What a stage's arrays may refer to: the npz members of the stages read so far. */
struct sl_array_reader {
    sl_arena *a;
    struct sl_map *members[SL_HAR_STAGES];
};
/* Give every parameter of the graph its value from the stage's npz and table. */
sluice_status sl_arrays_read(struct sl_array_reader *r, struct sl_graph *g, int stage, struct sl_view npz, const json_t *table,
                             sl_err *e);

#endif
