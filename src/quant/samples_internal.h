/* samples_internal.h: what samples.c opened and samples_read.c reads. */
#ifndef SL_QUANT_SAMPLES_INTERNAL_H
#define SL_QUANT_SAMPLES_INTERNAL_H

#include <strings.h>

#include "base/file.h"
#include "quant/samples.h"

enum sl_bound_kind { SL_BOUND_NOTHING, SL_BOUND_ARRAY, SL_BOUND_FILES };

/* Where the data of one input come from. */
struct sl_bound {
    enum sl_bound_kind kind;
    const char *path;         /* for messages */
    int64_t count;            /* samples */
    struct sl_array array;    /* rows are samples */
    const char *const *files; /* one sample each: picture, .npy, .npz */
};

struct sl_samples {
    sl_arena *arena;
    int n_inputs;
    struct sl_sample_input *inputs;
    struct sl_bound *bound; /* by input */
    struct sl_sample_options options;
    int64_t count;
    bool batched, folder;
};

bool sl_sample_is_npy(const char *path);
/* Whole frames of `input`? How many, and is there a batch axis? Says what is wrong and the likely mend. */
sluice_status sl_sample_check_array(const struct sl_samples *s, sl_arena *a, const char *what, int input,
                                    const struct sl_array *array, int64_t *count, bool *batched, sl_err *e);

#endif
