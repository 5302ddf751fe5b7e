/* text_private.h: what printing and parsing of IR text share: values of constants, and the names of stages. */
#ifndef SL_IR_TEXT_PRIVATE_H
#define SL_IR_TEXT_PRIVATE_H

#include "ir/text.h"
#include "ir/text_lexer.h"

extern const char *const sl_stage_names[3]; /* by enum sl_stage */

/* The decimal text with fewest digits that reads back as v, always with '.', 'e', "inf" or "nan". single: through float. */
void sl_put_decimal(struct sl_buffer *out, double v, bool single);
/* Element i of a payload. */
void sl_put_element(struct sl_buffer *out, enum sl_dtype t, const void *data, size_t i);
/* " = splat V", " = [..]" or " = hash ..", without the blank in front. */
void sl_put_const_value(struct sl_buffer *out, const struct sl_const *c, struct sl_text_consts *consts);

/* How much memory the text may still ask for beyond its own size. */
struct sl_value_budget {
    size_t seed_bytes;
};
enum { SL_TEXT_SEED_BYTES = 64 << 20 };
/* The value behind '=' of a parameter. */
sluice_status sl_parse_const_value(struct sl_lexer *l, enum sl_dtype t, const struct sl_shape *s,
                                   const struct sl_text_consts *consts, struct sl_value_budget *budget,
                                   const struct sl_const **out);

#endif
