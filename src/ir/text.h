/*
 * text.h: the text form of a graph: prints and reads back exactly. For pass tests, --dump-after and the fuzzers. Grammar, `#`
 * starts a comment, blanks and line breaks separate:
 *
 *     graph yolox_nano native                                  name, stage: native, fp_optimized, quantized
 *     scope second_net                                         networks besides the first
 *     state "k_cache" id 0 f32 [8, 64] length 1024
 *     scalar "length" id 0 maximum 1024
 *     %input_layer1 = input_layer() : f32 [1, 8, 8, 3] origins ["images"]
 *     %conv1 = conv(%input_layer1) {strides = [1, 2, 2, 1], activation = "relu", alpha = 0.1}
 *         params {kernel: f32 [3, 3, 3, 8] = seed 1, bias: f32 [8] = splat 0.5}
 *         : f32 [1, 4, 4, 8] quant u8 scale 0.05 zero 128 origins ["Conv_0"]
 *     %output_layer1 = output_layer(%conv1) : f32 [1, 4, 4, 8]
 *     alternative "adapter" of %conv1 params {kernel: f32 [1] = [0.5]}
 *     input "images" = %input_layer1 : f32 [1, 3, 8, 8] perm [0, 3, 1, 2]
 *     output "out" = %output_layer1 : f32 [1, 8, 4, 4] perm [0, 3, 1, 2]
 *
 * - A node is `%name`, `%scope/name` when not of the first network, or `%7` while it has no name (the number is a label of
 *   this text). Names that are not words ([A-Za-z_][A-Za-z0-9_]*) are quoted: %"a.b". Nodes come after their inputs.
 * - Attributes: integer, decimal number (has '.', 'e' or "inf"), "string", lists of either; an empty list is `[]`, of
 *   decimals `floats []`.
 * - Parameter values: `splat V` (one element), `[V, ...]`, `seed N`, `hash 0123456789abcdef`. A seed is for reading only: a
 *   fixed generator fills floats in [-1, 1), integers of up to 16 bits in their whole range, wider ones in -65536..65535 or
 *   0..65535. Printing writes lists of up to 16 elements and otherwise the hash; the values behind hashes are kept in a side
 *   table, and reading a hash needs the table. So print and parse with one table loses nothing. f16 and bf16 elements, and
 *   floats that are not finite, are their bits in hexadecimal.
 * - `: type shape` of nodes and the ports may be left out where ops' sl_infer_all fills them in: see sl_text_complete.
 */
#ifndef SL_IR_TEXT_H
#define SL_IR_TEXT_H

#include "base/reader.h"
#include "base/strings.h"
#include "ir/ir.h"

struct sl_text_consts; /* constants by hash */
struct sl_text_consts *sl_text_consts_new(sl_arena *a);
void sl_text_consts_add(struct sl_text_consts *t, const struct sl_const *c); /* also done by printing */

/* consts NULL: hashes are printed, their values not kept. Nodes' index fields must be current (sl_graph_renumber). */
sluice_status sl_text_print(const struct sl_graph *g, struct sl_text_consts *consts, struct sl_buffer *out, sl_err *e);

/* Errors say "line L, column C: ...". Where every node has its type the graph is also verified; otherwise the caller infers
 * types, then calls sl_text_complete. Constants filled from seeds have at most 64 MiB in all. */
sluice_status sl_text_parse(sl_arena *a, struct sl_view text, const struct sl_text_consts *consts, struct sl_graph **out,
                            sl_err *e);

/* Ports that a text left out: one for each input and output layer without one, in order, named by its first origin or itself;
 * and the original types and shapes not given: those of the layer. Then sl_graph_verify. */
sluice_status sl_text_complete(struct sl_graph *g, sl_err *e);

#endif
