/*
 * samples.h: where input data come from: calibration sets, and the inputs of emulate and run. A source is opened once (headers
 * and file lists only) and read sample by sample, from any thread, so that memory does not grow with the number of samples.
 * Depends on base alone.
 *
 * Accepted: a picture (JPEG, PNG, BMP, PPM), .npy, .npz, or a folder of pictures and .npy files; "NAME=FILE" binds a file to
 * one input. An array with one dimension more than an input's frame, or with the frame's rank and another leading dimension, is
 * a batch of samples. An .npz holds one array an input, by layer name (`input_layer1`, `net/input_layer1`) or original name, or
 * a single array for a single input.
 */
#ifndef SL_QUANT_SAMPLES_H
#define SL_QUANT_SAMPLES_H

#include "base/image.h"
#include "base/npy.h"

/* One input of the network, as the reader needs to know it. */
struct sl_sample_input {
    const char *name;             /* layer name: "input_layer1" */
    const char *scope;            /* network: "net" */
    const char *origin;           /* the original model's name, or NULL */
    struct sl_shape shape;        /* one frame as stored, batch first: [1, h, w, c] */
    struct sl_shape origin_shape; /* rank 0: not known */
};

struct sl_sample_options {
    enum sl_resize_mode resize; /* pictures of another size; SL_RESIZE_NONE: an error that says which modes there are */
    bool origin_layout;         /* arrays have the original model's shape (pictures are laid out as stored in any case) */
    int64_t limit;              /* at most so many samples; 0: all */
};

struct sl_samples;

/* paths: "FILE" or "NAME=FILE". With several inputs: one .npz, or one NAME=FILE each. Everything lives in the arena. */
sluice_status sl_samples_open(sl_arena *a, const char *const *paths, int n_paths, const struct sl_sample_input *inputs,
                              int n_inputs, const struct sl_sample_options *options, struct sl_samples **out, sl_err *e);

int64_t sl_samples_count(const struct sl_samples *s);
bool sl_samples_batched(const struct sl_samples *s); /* the samples are rows of one array: outputs keep its leading dimension */
bool sl_samples_folder(const struct sl_samples *s);  /* a folder of files: one sub-folder of outputs a file */
const char *sl_samples_label(const struct sl_samples *s,
                             int64_t index); /* stem of the file the sample came from; "" for batches */

/* One sample: out[i] has the frame's number of elements, in the type found (u8 for pictures), stored layout unless
 * origin_layout. Data lie in `scratch` or in mapped files. Thread safe with a scratch arena a thread. */
sluice_status sl_samples_read(const struct sl_samples *s, sl_arena *scratch, int64_t index, struct sl_array *out, sl_err *e);

/* Values as float32 (integers and halves convert); n elements. SLUICE_E_VALUE names the first value that is neither finite nor -inf. */
sluice_status sl_array_to_f32(const struct sl_array *in, float *out, size_t n, sl_err *e);

#endif
