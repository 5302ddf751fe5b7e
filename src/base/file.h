/* file.h: reading files whole (mapped), and writing them so that a failed, killed or disk-full run leaves the old file or none. */
#ifndef SL_BASE_FILE_H
#define SL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/strings.h"

/* Map a regular file read-only; it is unmapped when the arena dies. Empty files give {non-NULL, 0}. Directories, FIFOs and
 * devices are refused. Truncation by another process while mapped is not defended against. */
sluice_status sl_map_file(sl_arena *a, const char *path, struct sl_view *out, sl_err *e);
/* Bytes that were read and are not wanted soon: where they lie in a file that was mapped in this arena, their pages are given back to the
 * system, and come from the file again when they are read again. */
void sl_rest_bytes(const sl_arena *a, const void *p, size_t bytes);

bool sl_is_directory(const char *path);
bool sl_is_file(const char *path);

/* Names of the regular files of a directory that end in one of `suffixes` (NULL-terminated list, case ignored), sorted by bytes.
 * Full paths, allocated in the arena. */
sluice_status sl_list_directory(sl_arena *a, const char *path, const char *const *suffixes, const char ***out, size_t *n,
                                sl_err *e);
sluice_status sl_make_directory(const char *path, sl_err *e); /* with parents; an existing directory is fine */

/* "dir/net.har" -> "net". Allocated in the arena. */
const char *sl_path_stem(sl_arena *a, const char *path);
const char *sl_path_join(sl_arena *a, const char *directory, const char *name);
const char *sl_path_name(const char *path); /* the last component */

/* An output file: written beside its target under a temporary name, fsync'ed and renamed into place by commit. The temporary
 * name is removed by abort, and by signal handlers for SIGINT/SIGTERM/SIGHUP installed by sl_output_install_cleanup(); where the
 * filesystem allows, O_TMPFILE is used, so that even SIGKILL leaves nothing but, where it falls just between the two system calls
 * that replace an old file, a whole file under the temporary name; the next sluice that writes into the directory removes it. */
struct sl_output;
sluice_status sl_output_open(const char *path, struct sl_output **out, sl_err *e);
sluice_status sl_output_write(struct sl_output *o, const void *data, size_t n, sl_err *e);
int sl_output_fd(struct sl_output *o);
sluice_status sl_output_commit(struct sl_output *o, sl_err *e); /* frees o, also on failure */
void sl_output_abort(struct sl_output *o);                      /* frees o; NULL is allowed */
void sl_output_install_cleanup(void);

/* open + write + commit. */
sluice_status sl_write_file(const char *path, const void *data, size_t n, sl_err *e);

#endif
