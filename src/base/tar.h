/* tar.h: a reader and a reproducible writer of tar archives (libarchive, ustar/pax), used by HAR. */
#ifndef SL_BASE_TAR_H
#define SL_BASE_TAR_H

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"

/* A member to be written may have its data in pieces, one after the other; `data` then has their total size and data NULL. */
struct sl_tar_member { const char *name; struct sl_view data; const struct sl_view *pieces; size_t n_pieces; };

/* All members of an archive in memory; uncompressed tar members are views into `bytes`. Links, devices and names with ".." or a
 * leading '/' are refused; at most 4096 members. A gzip'ed archive is accepted, its decoded size limited to 64 x + 1 MiB. */
sluice_status sl_tar_parse(sl_arena *a, struct sl_view bytes, struct sl_tar_member **out, size_t *n, sl_err *e);
const struct sl_view *sl_tar_find(const struct sl_tar_member *m, size_t n, const char *name);
/* Stream members to an output: owner 0, mode 0644, time 0, given order; member data starts at multiples of 512. */
sluice_status sl_tar_write(struct sl_output *o, const struct sl_tar_member *m, size_t n, sl_err *e);
sluice_status sl_tar_write_buffer(struct sl_buffer *out, const struct sl_tar_member *m, size_t n, sl_err *e); /* the same, appended */
/* The data of one member to a file of its own. */
sluice_status sl_tar_write_member_file(const char *path, const struct sl_tar_member *m, sl_err *e);

#endif
