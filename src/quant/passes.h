/* passes.h: the structural passes of optimize as a list one can read, run and look into. */
#ifndef SL_QUANT_PASSES_H
#define SL_QUANT_PASSES_H

#include "base/strings.h"
#include "quant/fuse.h"

/* What may exist behind a pass. */
enum sl_pass_spec {
    SL_SPEC_FLOAT, /* any float graph */
    SL_SPEC_FUSED  /* no batch_norm, normalization or bias_add on their own */
};

struct sl_pass {
    const char *name;
    sl_fuse_fn *run;
    enum sl_pass_spec spec;
    const char *help;
};

extern const struct sl_pass sl_optimize_passes[];
extern const int sl_n_optimize_passes;

/* Run all passes (`only` NULL) or one of them; check the graph after each. dump_after: a pass's name or "all", IR text to
 * stdout. The graph ends at stage fp_optimized. */
sluice_status sl_run_passes(struct sl_fuse *f, const char *only, const char *dump_after, sl_err *e);

#endif
