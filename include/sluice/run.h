/**
 * sluice/run.h: running a model: the three emulator modes of a HAR, or a HEF on the software device.
 *
 *     struct sluice_session *s = NULL;
 *     sluice_session_open_hef("net.hef", &(struct sluice_session_options){.threads = 2}, &s, &err);
 *     const struct sluice_port *in = sluice_session_input(s, 0);     // shape [1, 224, 224, 3], dtype "u8"
 *     sluice_session_run(s, inputs, outputs, &(struct sluice_run_options){0}, &err);
 *     sluice_session_close(s);
 *
 * Tensors are C order, batch first, channels last (NHWC), unless origin_layout asks for the original model's shapes. A session is
 * used by one thread at a time.
 */
#ifndef SLUICE_RUN_H
#define SLUICE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/error.h"
#include "sluice/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SLUICE_MAX_RANK = 8 };

struct sluice_port {
    const char *name;         /* "net/input_layer1" */
    const char *origin_name;  /* the original model's tensor */
    const char *dtype;        /* stored type: "u8", "u16"; "f32" in the float modes */
    int rank;
    int64_t shape[SLUICE_MAX_RANK];        /* as stored, one frame */
    int origin_rank;
    int64_t origin_shape[SLUICE_MAX_RANK]; /* with origin_layout */
    float scale;              /* real = scale * (q - zero_point); 1, 0 in the float modes */
    int32_t zero_point;
};

struct sluice_session;

struct sluice_session_options {
    int threads;          /* 0: all processors; does not change a byte of integer results */
    uint64_t memory_limit; /* bytes of tensors and written-out weights; 0: half of the machine's memory */
    const char *dump_tensors; /* folder: every layer's tensor of every frame as .npy; NULL: none */
};

/** mode: "native", "fp_optimized" or "quantized". The model must outlive the session. */
sluice_status sluice_session_open_model(const struct sluice_model *m, const char *mode,
                                        const struct sluice_session_options *options, struct sluice_session **out,
                                        struct sluice_error *err);
/** A HEF that sluice compiled; one of another compiler is refused with SLUICE_E_UNSUPPORTED. group: network group, NULL: first. */
sluice_status sluice_session_open_hef(const char *path, const struct sluice_session_options *options, struct sluice_session **out,
                                      struct sluice_error *err);
void sluice_session_close(struct sluice_session *s); /* NULL is allowed */

int sluice_session_inputs(const struct sluice_session *s);
int sluice_session_outputs(const struct sluice_session *s);
const struct sluice_port *sluice_session_input(const struct sluice_session *s, int i);
const struct sluice_port *sluice_session_output(const struct sluice_session *s, int i);

struct sluice_run_options {
    bool raw;            /* outputs keep the stored integer type instead of float32 */
    bool origin_layout;  /* inputs and outputs in the original model's shapes and axis order; raw ones of an int8 or int16 model in its
                          * own type, in place of the u8 or u16 that is stored (less 128, 32768) */
};

/**
 * Run one frame. inputs[i]: one frame of input i, float32 real values when input_is_raw[i] is false (or the array is NULL), else the
 * stored integer type. outputs[i]: caller's memory for one frame of output i, float32 or (raw) the stored type.
 */
sluice_status sluice_session_run(struct sluice_session *s, const void *const *inputs, const bool *input_is_raw,
                                 void *const *outputs, const struct sluice_run_options *options, struct sluice_error *err);

struct sluice_files_options {
    const char *const *inputs;  /* "FILE" or "NAME=FILE"; .npy, .npz, a picture, or a folder of them */
    size_t n_inputs;
    const char *output_dir;     /* made; one .npy an output and index.json; for a folder one sub-folder an input file */
    const char *resize;         /* as in sluice_optimize_options */
    struct sluice_run_options run;
};

/** The form `emulate` and `run` share. *frames (may be NULL) gets the number of frames run. */
sluice_status sluice_session_run_files(struct sluice_session *s, const struct sluice_files_options *options, int64_t *frames,
                                       struct sluice_error *err);

struct sluice_benchmark {
    int64_t frames;
    double seconds, frames_per_second;
    double latency_min_ms, latency_median_ms, latency_p99_ms;
    int threads;
    const char *kernel_level;       /* "c", "avx2", ... */
    uint64_t macs;                  /* multiply-accumulates a frame */
    uint64_t packed_weight_bytes, activation_bytes;
};

/** Run frames of fixed pseudo-random input for `seconds` (at least 3 frames), after a warm-up. */
sluice_status sluice_session_benchmark(struct sluice_session *s, double seconds, struct sluice_benchmark *out,
                                       struct sluice_error *err);

/** What `parse-hef` prints of any HEF, or JSON. Caller frees with sluice_free. */
sluice_status sluice_hef_describe(const char *path, bool streams, bool vstreams, bool json, char **text, struct sluice_error *err);

#ifdef __cplusplus
}
#endif
#endif
