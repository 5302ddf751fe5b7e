/**
 * sluice/inspect.h: looking into files and comparing tensors.
 */
#ifndef SLUICE_INSPECT_H
#define SLUICE_INSPECT_H

#include <stdbool.h>
#include <stddef.h>

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

struct sluice_pictures_options {
    int height, width;  /* 0: those of the first picture, and every other must have them or be resized to them */
    const char *resize; /* as in sluice_optimize_options */
    bool bgr;           /* blue first */
};

/** Decode JPEG, PNG or BMP pictures, resize each as told, and write them as one .npy: u8 [n, height, width, 3]. */
sluice_status sluice_pictures_to_npy(const char *const *paths, size_t n, const struct sluice_pictures_options *options,
                                     const char *output, struct sluice_error *err);

#ifdef __cplusplus
}
#endif
#endif
