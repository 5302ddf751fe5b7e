/* pattern_text.h: what is said of a pattern beside its row: docs/patterns.md is made of it. */
#ifndef SL_FRONT_PATTERN_TEXT_H
#define SL_FRONT_PATTERN_TEXT_H

struct sl_pattern_text {
    const char *name, *matches, *becomes;
};

/* The rows of each table, in the order in which the tables are tried: curves and norms, rotary, in stored order, attention. NULL past
 * the last row. */
const struct sl_pattern_text *sl_curve_pattern(int row);
const struct sl_pattern_text *sl_stored_pattern(int row);
const struct sl_pattern_text *sl_rotary_pattern(int row);
const struct sl_pattern_text *sl_attention_pattern(int row);

#endif
