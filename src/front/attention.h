/*
 * attention.h: scaled dot-product attention as exporters write it becomes the chain that every later stage handles best:
 *     matmul (transpose_b, scale) -> [ew_add mask] -> softmax -> matmul
 * Its layers stay layers, with the names and the numbering that scripts know; attributes say that they belong together:
 *   attention              on each of them: the name of the group, "attention1", "attention2", ... in the order of the graph
 *   heads, head_dim,       on the first matmul: heads and their width, queries and keys, and what is added to the scores: none,
 *   queries, keys, mask    causal, constant (some places are closed), bias (none is), input (known at run time only); two of them
 *                          are joined by '+'
 *   mask_input             on an ew_add: which of its inputs is a mask that may close places
 *   closed_gap             on an ew_add whose sum has closed places, and on a factor behind it: how far below the line's largest
 *                          score they matter (quant/masks.h)
 *   closed_when            on a where whose condition is known at run time only: the value of the condition that closes; `optimize` makes
 *                          it an ew_add (quant/fuse_masks.c), with its closed_gap
 */
#ifndef SL_FRONT_ATTENTION_H
#define SL_FRONT_ATTENTION_H

#include "ir/ir.h"

/* In a graph in stored order, before it has names. Returns how many attentions were found. */
int sl_normalize_attention(struct sl_graph *g);

/* Constants from here down close a place of the softmax: what is left of such a score is exp(-1e4). */
#define SL_MASK_CLOSED (-1e4f)

#endif
