/* npy.h: NumPy arrays (.npy version 1.0 to 3.0, .npz) read and written, bounds-checked.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef SL_BASE_NPY_H
#define SL_BASE_NPY_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/strings.h"
#include "base/types.h"

/* A read-only array: `data` is C order, little-endian, `dtype` one of ours. Fortran order and big-endian input is converted. */
struct sl_array {
    enum sl_dtype dtype;
    struct sl_shape shape;
    const void *data;
    size_t bytes;
};

/* Parse one .npy from memory. data points into `bytes` where it can (C order, native endian, aligned to its item size), else
 * into the arena. '<f2' and '<f8' are kept as SL_F16 and SL_F64; '|b1' as SL_BOOL; u4/u8/i1.. as ours. */
sluice_status sl_npy_parse(sl_arena *a, struct sl_view bytes, struct sl_array *out, sl_err *e);
/* The whole file; the header is padded to a multiple of 64 bytes. SLUICE_E_MEMORY, or SLUICE_E_UNSUPPORTED for SL_S4 and SL_BF16,
 * which NumPy does not have: store their bytes as SL_U8 and SL_U16. */
sluice_status sl_npy_write(struct sl_buffer *out, const struct sl_array *array);
sluice_status sl_npy_header(struct sl_buffer *out, const struct sl_array *array); /* without the data */

/* .npz: a zip archive of .npy members, stored or deflated (own central-directory reader over zlib's inflate). */
struct sl_npz_member { const char *name; /* without ".npy" */ struct sl_array array; };
/* Every member is decoded at open; the total decoded size is limited to `max_bytes` (0: no limit beyond 64 times the file + 1 MiB). */
sluice_status sl_npz_parse(sl_arena *a, struct sl_view bytes, size_t max_bytes, struct sl_npz_member **out, size_t *n, sl_err *e);
/* Members stored (not deflated), data 64-byte aligned from the archive's start, always in zip64 form (no size is special), fixed
 * timestamps: same input, same bytes. */
sluice_status sl_npz_write(struct sl_buffer *out, const struct sl_npz_member *members, size_t n, sl_err *e);
/* The same bytes in pieces, one after the other: records in the arena, and the members' own data, which are not copied and must
 * outlive the pieces. */
sluice_status sl_npz_pieces(sl_arena *a, const struct sl_npz_member *members, size_t n, struct sl_view **pieces, size_t *n_pieces,
                            sl_err *e);

#endif
