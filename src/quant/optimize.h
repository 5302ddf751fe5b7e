/*
 * optimize.h: the optimize stage: native graph + model script + calibration samples -> fp_optimized graph, quantized graph,
 * statistics. The same inputs give the same bytes for any number of threads.
 */
#ifndef SL_QUANT_OPTIMIZE_H
#define SL_QUANT_OPTIMIZE_H

#include <jansson.h>

#include "base/strings.h"
#include "ir/ir.h"
#include "quant/samples.h"

enum sl_range_method { SL_RANGE_DEFAULT, SL_RANGE_MINMAX, SL_RANGE_PERCENTILE, SL_RANGE_MSE, SL_RANGE_KL };
bool sl_range_method_from_name(const char *name, enum sl_range_method *out); /* minmax percentile mse kl */
const char *sl_range_method_name(enum sl_range_method m);

struct sl_optimize_options {
    const char *calibration; /* path, or NULL with random_calibration */
    bool random_calibration; /* 64 samples of a fixed generator */
    struct sl_sample_options samples;
    const char *script_name; /* for messages: path of the script */
    struct sl_view script;   /* its text; size 0: none */
    int threads;             /* 0: all processors */
    uint64_t memory_limit;   /* bytes of a float run, all threads together; 0: half of the memory */
    enum sl_range_method range_method;
    bool full_precision_only; /* stop after fp_optimized */
    const char *dump_after;   /* pass name or "all": IR text to stdout; NULL: nothing */
};

struct sl_optimize_result {
    struct sl_graph *fp_optimized;
    struct sl_graph *quantized; /* NULL with full_precision_only */
    json_t *statistics;         /* new references; NULL with full_precision_only */
    json_t *applied;            /* array: script lines and passes in order */
    bool no_form;               /* it failed for layers without a quantized form */
};

/* Results live in native->arena (graphs); native is not changed. */
sluice_status sl_optimize(const struct sl_graph *native, const struct sl_optimize_options *options,
                          struct sl_optimize_result *out, sl_err *e);

/* Names of the passes, one a line. */
void sl_optimize_list_passes(struct sl_buffer *out);

#endif
