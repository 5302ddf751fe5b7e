/*
 * compile.h: a quantized graph -> the program of one network group, or a whole HEF. Arithmetic-neutral: every tensor of the
 * graph keeps its bytes. The same graph and options give the same bytes.
 */
#ifndef SL_COMPILE_COMPILE_H
#define SL_COMPILE_COMPILE_H

#include "base/strings.h"
#include "hef/program.h"
#include "ir/ir.h"

struct sl_compile_options {
    const char *hw_arch;    /* "hailo10h" ...; NULL: hailo10h */
    bool single_context;    /* everything in one context: the emulator */
    const char *dump_after; /* pass name or "all": the program's text to stdout; NULL: nothing */
};

/* The program has its own arena, freed with sl_arena_free((*out)->arena); constants are views of the graph's, which outlives
 * it. */
sluice_status sl_compile(const struct sl_graph *quantized, const struct sl_compile_options *o, struct sl_program **out,
                         sl_err *e);
/* A whole HEF file of one network group, appended to `out`. */
sluice_status sl_compile_to_hef(const struct sl_graph *quantized, const struct sl_compile_options *o, struct sl_buffer *out,
                                sl_err *e);
/* The pass list, one line a pass. */
void sl_compile_list_passes(struct sl_buffer *out);

/* What is known of an architecture (machine.def). */
struct sl_machine {
    const char *name;
    uint32_t hef_arch;
    int clusters, subclusters, layer_controllers, activation_units, input_aligners; /* of one cluster, but for `clusters` */
    int64_t l3_bytes;                                                               /* of all clusters */
    int streams;                                                                    /* usable streams of an engine */
    int macs;                     /* 8-bit multiply-accumulates of a subcluster and cycle */
    int64_t clock_hz, load_bytes; /* clock; configuration and weights read a second */
};
/* NULL and a reason when the name is not known. */
const struct sl_machine *sl_machine_find(const char *name, sl_err *e);
const struct sl_machine *sl_machines(int *n);

#endif
