/*
 * model.h: a model on its way from the front end to the HEF, with everything its archive (HAR) keeps. A model lives in one
 * arena: freeing the arena frees it, its JSON trees included.
 */
#ifndef SL_HAR_MODEL_H
#define SL_HAR_MODEL_H

#include "base/json.h"
#include "base/reader.h"
#include "ir/ir.h"

/* Names as programs know them ("HAILO_MODEL" ...): sl_model_state_name. */
enum sl_model_state {
    SL_MODEL_UNINITIALIZED,
    SL_MODEL_ORIGINAL_MODEL,
    SL_MODEL_HAILO_MODEL,
    SL_MODEL_FP_OPTIMIZED_MODEL,
    SL_MODEL_QUANTIZED_MODEL,
    SL_MODEL_QUANTIZED_BASE_MODEL,
    SL_MODEL_QUANTIZED_SLIM_MODEL,
    SL_MODEL_COMPILED_MODEL,
    SL_MODEL_COMPILED_SLIM_MODEL,
    SL_MODEL_STATES
};

/* An extra member of the archive: "<net>.preprocess.onnx", "<net>.postprocess.onnx", "<net>.nms.json", "<net>.hef" ... */
struct sl_model_file {
    const char *name;
    struct sl_view data;
};

struct sl_model {
    sl_arena *arena;
    const char *name; /* of the network: [A-Za-z0-9_.-]+, used in member names */
    enum sl_model_state state;
    const char *hw_arch;     /* "hailo10h" */
    struct sl_graph *native; /* each may be NULL; a later stage keeps the earlier ones, so that every emulator mode works */
    struct sl_graph *fp_optimized;
    struct sl_graph *quantized;
    const char *script;    /* model script as given, "" when none */
    json_t *versions;      /* object: {"sluice": "0.1.0", ...} */
    json_t *applied;       /* array: script commands and passes that were applied, in order */
    json_t *modifications; /* object: {"inputs": {layer: [...]}, "outputs": ...} */
    json_t *statistics;    /* calibration statistics by layer, opaque here; NULL when none */
    int n_files;
    struct sl_model_file *files; /* in order of name */
};

/* An empty model: state UNINITIALIZED, hw_arch "hailo10h", empty JSON trees (owned by the arena). */
struct sl_model *sl_model_new(sl_arena *a, const char *name);

/* Replace a JSON tree of the model: takes over the caller's reference; the old tree is released. `field` is one of the pointers
 * above: sl_model_set_json(m, &m->statistics, tree). */
void sl_model_set_json(struct sl_model *m, json_t **field, json_t *value);

const char *sl_model_state_name(enum sl_model_state s);
bool sl_model_state_from_name(const char *name, enum sl_model_state *out);

/* The newest graph; NULL when there is none. */
struct sl_graph *sl_model_graph(const struct sl_model *m);

/* Add or replace an extra file; data must live as long as the model. The name must not be one the archive uses itself. */
void sl_model_set_file(struct sl_model *m, const char *name, struct sl_view data);
const struct sl_view *sl_model_file(const struct sl_model *m, const char *name); /* NULL when absent */
void sl_model_remove_file(struct sl_model *m, const char *name);

#endif
