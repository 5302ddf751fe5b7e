/* text_lexer.h: tokens of the IR text form. */
#ifndef SL_IR_TEXT_LEXER_H
#define SL_IR_TEXT_LEXER_H

#include "base/reader.h"
#include "ir/ir.h"

enum sl_token_kind { SL_TOKEN_END, SL_TOKEN_WORD, SL_TOKEN_STRING, SL_TOKEN_NUMBER, SL_TOKEN_MARK };

/* text: the word, the number as written, or the string without its quotes and escapes; of a mark its one character. */
struct sl_token {
    enum sl_token_kind kind;
    const char *text;
    int line, column;
};

struct sl_lexer {
    sl_arena *a;
    const char *p, *end, *line_start;
    int line;
    struct sl_token token; /* the one to be looked at */
    sl_err *e;
};

/* Starts at the first token. Errors end up in e, with line and column. */
sluice_status sl_lexer_start(struct sl_lexer *l, sl_arena *a, struct sl_view text, sl_err *e);
sluice_status sl_next_token(struct sl_lexer *l);

bool sl_token_is(const struct sl_lexer *l, const char *text); /* a word or a mark */
/* Go past `text` if it is next. */
sluice_status sl_accept_token(struct sl_lexer *l, const char *text, bool *found);
sluice_status sl_expect_token(struct sl_lexer *l, const char *text);
/* A word or a string. */
sluice_status sl_expect_name(struct sl_lexer *l, const char *what, const char **out);
sluice_status sl_expect_int(struct sl_lexer *l, const char *what, int64_t lo, int64_t hi, int64_t *out);
/* "line 3, column 7: <message>" at the current token. */
sluice_status sl_token_fail(const struct sl_lexer *l, const char *format, ...) SL_PRINTF(2, 3);

/* Integer or decimal? false: neither. `text` as of a number token, or the words inf, nan. */
bool sl_number_from_text(const char *text, bool *is_decimal, int64_t *i, double *d);

#endif
