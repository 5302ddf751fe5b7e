/**
 * sluice/model.h: a model on its way from ONNX to HEF: parse, optimize, compile, and its archive (HAR).
 *
 *     struct sluice_error err = {0};
 *     struct sluice_model *m = NULL;
 *     struct sluice_optimize_options opt = {.calibration = "calib/", .script = "net.alls"};
 *     if (sluice_model_parse_onnx("net.onnx", &(struct sluice_parse_options){0}, &m, &err) != SLUICE_OK ||
 *         sluice_model_optimize(m, &opt, &err) != SLUICE_OK ||
 *         sluice_model_compile(m, &(struct sluice_compile_options){0}, &err) != SLUICE_OK ||
 *         sluice_model_save_hef(m, "net.hef", &err) != SLUICE_OK)
 *         fprintf(stderr, "%s\n", err.message);
 *     sluice_model_free(m);
 *
 * Options structs are zero-initialised for defaults. Strings are UTF-8, copied where kept. A model is used by one thread at a
 * time; different models by different threads freely. Functions that return `char *` text hand it to the caller: sluice_free().
 */
#ifndef SLUICE_MODEL_H
#define SLUICE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_model;

struct sluice_parse_options {
    const char *net_name;            /* NULL: stem of the file name */
    const char *hw_arch;             /* hailo10h (default), hailo15h, hailo15l */
    const char *const *start_nodes;  /* where the network starts: ONNX nodes (what they read are its inputs), "NODE:k"
                                     * (what they make) or tensors of TFLite; NULL: the graph's inputs */
    size_t n_start_nodes;
    const char *const *end_nodes;    /* names of ONNX nodes or tensors where it ends; NULL: the graph's outputs */
    size_t n_end_nodes;
    const char *const *tensor_shapes; /* "input=[1,3,640,640]", "input:[...]" or "[...]" for a single input */
    size_t n_tensor_shapes;
    const char *const *input_formats; /* ONNX: axis order of inputs, "NHWC" or "input=NCHW"; NULL: found from the graph */
    size_t n_input_formats;
    bool drop_cut_parts;             /* ONNX: do not keep what start and end nodes cut off */
    const char *report_path;         /* JSON file to write with what parsing found, also when it failed; NULL: none */
    const char *part_path;           /* ONNX: file to write with the part of the model that became the network, where start or end
                                        nodes cut something off and the part is no larger than an ONNX file can be; NULL: none */
    char **recommended;              /* on SLUICE_E_UNSUPPORTED receives the recommended end nodes, one a line (a hint may be too
                                        short for all), or NULL: sluice_free(); NULL: not wanted */
};

/** Parse an ONNX file. On success *out is owned by the caller, state HAILO_MODEL. Unsupported operators are all named in one
 * SLUICE_E_UNSUPPORTED error; where a smaller part of the graph is supported, the last line of err->hint ends with
 * "using these end node names: a, b". */
sluice_status sluice_model_parse_onnx(const char *path, const struct sluice_parse_options *options, struct sluice_model **out,
                                      struct sluice_error *err);

/** Parse a TFLite file; start and end nodes are names of its tensors. A file that is quantized throughout becomes QUANTIZED_MODEL with
 * its own scales: it needs no calibration. Other files, hybrid ones included, become HAILO_MODEL. Errors as above. */
sluice_status sluice_model_parse_tflite(const char *path, const struct sluice_parse_options *options, struct sluice_model **out,
                                        struct sluice_error *err);

/** Open a HAR of any state. The file stays mapped while the model lives. */
sluice_status sluice_model_load(const char *path, struct sluice_model **out, struct sluice_error *err);
/** Write the HAR: beside the target, then renamed into place. */
sluice_status sluice_model_save(const struct sluice_model *m, const char *path, struct sluice_error *err);
void sluice_model_free(struct sluice_model *m); /* NULL is allowed */
void sluice_free(void *text);

/** Name of the network; state: "HAILO_MODEL", "FP_OPTIMIZED_MODEL", "QUANTIZED_MODEL" or "COMPILED_MODEL"; architecture. */
const char *sluice_model_name(const struct sluice_model *m);
const char *sluice_model_state(const struct sluice_model *m);
const char *sluice_model_hw_arch(const struct sluice_model *m);
/** Another architecture from here on; SLUICE_E_USAGE names the known ones. */
sluice_status sluice_model_set_hw_arch(struct sluice_model *m, const char *hw_arch, struct sluice_error *err);

struct sluice_optimize_options {
    const char *calibration;   /* folder of JPEG/PNG/npy files, .npy [N, ...] or .npz; NULL with random_calibration */
    bool random_calibration;   /* 64 samples of a fixed generator */
    const char *resize;        /* pictures of another size: "none" (default, an error), "stretch", "fit", "crop" */
    const char *script;        /* path of a model script, or NULL */
    const char *script_text;   /* the script itself, instead of a path */
    int64_t max_samples;       /* 0: all */
    int threads;               /* 0: all processors; does not change a byte of the result */
    uint64_t memory_limit;     /* bytes that calibration may take, constants of one value written out; 0: half of the memory */
    const char *range_method;  /* "minmax", "percentile", "mse", "kl"; NULL: the measured default (docs/cli.md) */
    bool full_precision_only;  /* stop at FP_OPTIMIZED_MODEL */
    const char *dump_after;    /* name of a pass whose result is printed to stdout as IR text, or "all" */
};

/** HAILO_MODEL or FP_OPTIMIZED_MODEL -> QUANTIZED_MODEL. On failure the model keeps its old state. */
sluice_status sluice_model_optimize(struct sluice_model *m, const struct sluice_optimize_options *options,
                                    struct sluice_error *err);

struct sluice_compile_options {
    const char *script;        /* model script with placement commands; one that changes numbers is an error */
    const char *dump_after;    /* as above */
};

/** QUANTIZED_MODEL -> COMPILED_MODEL; the HEF is kept in the model. Changes no tensor's bytes. */
sluice_status sluice_model_compile(struct sluice_model *m, const struct sluice_compile_options *options, struct sluice_error *err);
/** The HEF's bytes, owned by the model. SLUICE_E_USAGE before compile. */
sluice_status sluice_model_hef(const struct sluice_model *m, const void **data, size_t *size, struct sluice_error *err);
sluice_status sluice_model_save_hef(const struct sluice_model *m, const char *path, struct sluice_error *err);

/** What the archive holds, as text or JSON: state, architecture, inputs, outputs, layers, parameters, script. Caller frees. */
sluice_status sluice_model_describe(const struct sluice_model *m, bool json, char **text, struct sluice_error *err);
/** Write the archive's members (HN, parameters, script, cut-off parts) into a folder, which is made. */
sluice_status sluice_model_extract(const struct sluice_model *m, const char *directory, struct sluice_error *err);
/** IR text of a stage ("native", "fp_optimized", "quantized"). Caller frees. */
sluice_status sluice_model_print(const struct sluice_model *m, const char *stage, char **text, struct sluice_error *err);

/** The passes of "optimize" or "compile", one name a line. Caller frees. */
sluice_status sluice_list_passes(const char *driver, char **text, struct sluice_error *err);
/** The op table as text (what `sluice ops` prints) or Markdown. Caller frees. */
char *sluice_list_ops(bool markdown);
/** The commands of model scripts as Markdown. Caller frees. */
char *sluice_list_script_commands(void);
/** The detection heads that parsing recognises, as Markdown. Caller frees. */
char *sluice_list_heads(void);
/** The patterns that the front ends recognise, as Markdown. Caller frees. */
char *sluice_list_patterns(void);

/** Library version, "5.2.0-compatible" API level aside: "0.1.0". */
const char *sluice_version(void);

#ifdef __cplusplus
}
#endif
#endif
