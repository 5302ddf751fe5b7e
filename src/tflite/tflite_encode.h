/* tflite_encode.h: encodings of the nodes of which a quantized file says nothing: those an operator was written out with. */
#ifndef SL_TFLITE_TFLITE_ENCODE_H
#define SL_TFLITE_TFLITE_ENCODE_H

#include "ir/ir.h"
#include "ops/quant_rules.h"

bool tfl_same_encoding(const struct sl_quant *a, const struct sl_quant *b);
/* Every node gets an encoding: its input's where it copies, else 16 bits over all values that its inputs' encodings can make.
 * SLUICE_E_UNSUPPORTED names a layer of which nothing can be said. */
sluice_status tfl_encode_graph(struct sl_graph *g, sl_err *e);

/* What the importer said of how LiteRT computes a layer. */
void tfl_remove_marks(struct sl_node *n);

/* tflite_lookup.c: entries of LiteRT's tables over 16 bits, 128 values a step. */
enum { TFL_LOOKUP = 513 };
/* An activation's table holds LiteRT's values, a softmax becomes LiteRT's; as it was where LiteRT has no form of its own. */
sluice_status tfl_lookup_curve(struct sl_quantizer *q, struct sl_node *n, sl_err *e);
sluice_status tfl_lookup_softmax(struct sl_quantizer *q, struct sl_node *n, sl_err *e);
/* tflite_fixed.c: the same of the curves of an integer LSTM, whose steps share the tables: by curve and bits before the point. */
struct tfl_fixed_tables {
    const struct sl_const *of[2][7];
};
sluice_status tfl_fixed_curve(struct sl_quantizer *q, struct sl_node *n, struct tfl_fixed_tables *made, sl_err *e);

#endif
