/**
 * sluice/inspect.h: looking into files and comparing tensors.
 */
#ifndef SLUICE_INSPECT_H
#define SLUICE_INSPECT_H

#include <stdbool.h>

#include "sluice/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Any file sluice writes (HAR, HEF, npy, npz) as text with byte offsets; the kind is found by content. Caller frees the text with
 * sluice_free. */
sluice_status sluice_dump_file(const char *path, char **text, struct sluice_error *err);

/** Compare two folders written by --dump-tensors or --output-dir, tensor by tensor in the order of the first folder's index.json:
 * the first layer that differs, largest difference, signal-to-noise ratio. *same: every tensor of both has equal bytes. */
sluice_status sluice_compare_tensors(const char *a, const char *b, bool json, bool *same, char **text, struct sluice_error *err);

#ifdef __cplusplus
}
#endif
#endif
