/* quantize.h: calibrated float graph -> integer graph, layer by layer by the op table's quantize column. */
#ifndef SL_QUANT_QUANTIZE_H
#define SL_QUANT_QUANTIZE_H

#include "quant/encode.h"

struct sl_quantize_options {
    struct sl_encode_options encode;
};

/* Has every layer a quantized form? Names those that have none, and the end nodes that avoid them. */
sluice_status sl_check_quantizable(const struct sl_graph *g, sl_err *e);

/* options' nodes belong to fp. *out lives in fp->arena; fp is not changed. */
sluice_status sl_quantize_graph(const struct sl_graph *fp, const struct sl_calibration *c,
                                const struct sl_quantize_options *options, struct sl_graph **out, sl_err *e);

#endif
