/*
 * har.h: the model archive on disk: a tar of HN JSON, npz parameters, metadata, script and extra files. docs/formats.md has it
 * byte by byte. A reader checks everything it can without knowing what ops mean (sl_graph_verify included); callers then run
 * ops' sl_verify_types on each graph.
 */
#ifndef SL_HAR_HAR_H
#define SL_HAR_HAR_H

#include "har/model.h"

enum { SL_HAR_VERSION = 1 };

/* Read from memory: parameters are views into `bytes` where they are aligned, so bytes must live as long as the arena. */
sluice_status sl_har_read(sl_arena *a, struct sl_view bytes, struct sl_model **out, sl_err *e);
/* Map a file and read it; errors begin with the path. */
sluice_status sl_har_open(sl_arena *a, const char *path, struct sl_model **out, sl_err *e);

/* Atomic (base/file.h). The same model gives the same bytes. */
sluice_status sl_har_write(const struct sl_model *m, const char *path, sl_err *e);
sluice_status sl_har_write_buffer(const struct sl_model *m, struct sl_buffer *out, sl_err *e);

/* The members an archive of this model has, for `har extract`: made in `a`, freed with it. */
struct sl_tar_member;
sluice_status sl_har_members(const struct sl_model *m, sl_arena *a, struct sl_tar_member **out, size_t *n, sl_err *e);

/* One graph as an HN tree ({"name", "net_params", "layers"}), as get_hn() shows it. The caller decref's. */
sluice_status sl_hn_write(const struct sl_graph *g, json_t **out, sl_err *e);

#endif
