/* attention_private.h: what attention.c finds and attention_form.c writes anew. */
#ifndef SL_FRONT_ATTENTION_PRIVATE_H
#define SL_FRONT_ATTENTION_PRIVATE_H

#include "front/attention.h"
#include "ir/uses.h"

enum { MOST_BYPASSES = 8, MOST_MASKS = 3, MOST_MEMBERS = 12 };

enum mask_kind { MASK_NONE, MASK_BIAS, MASK_CONSTANT, MASK_CAUSAL, MASK_INPUT };

/* reader->in[input] skips to `to`; `skipped` gives its origins to the first matmul. */
struct bypass {
    struct sl_node *reader, *to;
    const struct sl_node *skipped;
    int input;
    bool before; /* the product: its origins come first */
    bool floor;
};

struct mask {
    struct sl_node *node; /* ew_add, or where */
    int scores;           /* the input that comes from the first matmul */
    enum mask_kind kind;
    bool all_rows_open; /* provably */
    bool pure;          /* provably nothing but 0 and closed places */
    bool closed_when;   /* where: the condition that closes */
};

struct attention {
    struct sl_node *scores, *softmax, *product; /* matmul, softmax, matmul */
    struct sl_node *guard;                      /* where(is_nan(softmax), 0, softmax), or NULL */
    double scale;
    int n_bypasses, n_masks, n_members;
    struct bypass bypasses[MOST_BYPASSES];
    struct mask masks[MOST_MASKS];
    struct sl_node *members[MOST_MEMBERS]; /* between the matmuls, from the softmax upwards */
};

/* Attentions being written anew. */
struct rewriting {
    struct sl_graph *g;
    const struct sl_uses *uses;
    sl_arena *scratch;
    int n_old;
    struct placed **first, **last;  /* new nodes by the number of the old one before which they stand */
    struct sl_node **made_masks[2]; /* by number of the condition, and what closes */
    struct sl_node **replaced;      /* by number: what stands for it; NULL: itself */
    int *claims;                    /* how many readers of a tensor take it as a mask that may be tamed */
};

struct sl_node *sl_attention_new(struct rewriting *r, enum sl_op op, struct sl_node *in, const struct sl_shape *s, int before,
                                 const char *scope);
/* n, what it was reshaped from, or a new reshape of that. */
struct sl_node *sl_attention_reshape(struct rewriting *r, struct sl_node *n, const struct sl_shape *s, int before, const char *scope);
void sl_merge_head_rows(struct rewriting *r, struct sl_node *product);

/* Everything an attention may be made of has been read; nothing was changed. */
void sl_rewrite_attentions(struct sl_graph *g, const struct sl_uses *uses, struct attention *found, int n, sl_arena *scratch);
/* The number that a float constant holds everywhere. */
bool sl_attention_number(const struct sl_node *n, float *out);

#endif
