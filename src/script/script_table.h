/* script_table.h: the command table as data. One flat list, read in order: a COMMAND row is followed by its ARG, PART and KEY
 * rows. */
#ifndef SL_SCRIPT_SCRIPT_TABLE_H
#define SL_SCRIPT_SCRIPT_TABLE_H

#include "script/script.h"

enum sl_script_row_kind { SL_ROW_COMMAND, SL_ROW_ARG, SL_ROW_PART, SL_ROW_KEY, SL_ROW_END };

/* What a value may be. */
enum sl_script_type {
    SL_TYPE_INT,
    SL_TYPE_NUMBER,
    SL_TYPE_BOOL,
    SL_TYPE_POLICY, /* enabled disabled allowed, or a bool */
    SL_TYPE_WORD,
    SL_TYPE_STRING,  /* quoted; a bare word is accepted as a path too */
    SL_TYPE_NUMBERS, /* list of numbers */
    SL_TYPE_WORDS,   /* list of words */
    SL_TYPE_LAYER,   /* one layer */
    SL_TYPE_LAYERS,  /* layer set */
    SL_TYPE_TIME,    /* seconds or a duration */
    SL_TYPE_TARGET,  /* number or null or word (max) */
    SL_TYPE_ANY
};

/* What happens when a command, or a part of one, is met at its stage. */
enum sl_script_effect {
    SL_EFFECT_DO,    /* a handler carries it out */
    SL_EFFECT_NONE,  /* accepted and logged: steers effort or placement, changes no result here */
    SL_EFFECT_LATER, /* would change results and is not implemented: refused */
    SL_EFFECT_PARTS  /* the part's row decides */
};

struct sl_script_apply {
    const struct sl_script *script;
    struct sl_graph *graph;
    struct sl_script_settings *settings;
};

typedef sluice_status sl_script_handler(struct sl_script_apply *a, const struct sl_command *c, sl_err *e);

struct sl_script_row {
    enum sl_script_row_kind kind;
    const char *name;
    /* command */
    enum sl_command_form form;
    enum sl_script_stage stage;
    int min_targets, max_targets;
    /* command and part */
    enum sl_script_effect effect;
    sl_script_handler *handler;
    const char *help;
    /* arg and key */
    enum sl_script_type type;
    int min_args, max_args; /* arg: how many values it takes */
    double low, high;       /* bounds of numbers */
};

extern const struct sl_script_row sl_script_table[];

const struct sl_script_row *sl_script_find_command(const char *name);
const struct sl_script_row *sl_script_find_part(const struct sl_script_row *command, const char *name);
/* A key of the part (NULL: of the command itself). */
const struct sl_script_row *sl_script_find_key(const struct sl_script_row *command, const struct sl_script_row *part,
                                               const char *name);
bool sl_script_has_parts(const struct sl_script_row *command);
/* The nearest name of a kind of row, among those of `command` unless it is NULL; NULL when none is near. */
const char *sl_script_nearest(const struct sl_script_row *command, const struct sl_script_row *part,
                              enum sl_script_row_kind kind, const char *word);
/* Types, counts and bounds of a parsed command; sets row and part. */
sluice_status sl_script_check_command(const struct sl_script *s, struct sl_command *c, sl_err *e);
const struct sl_value *sl_script_keyword(const struct sl_command *c, const char *name);

sl_script_handler sl_script_normalization, sl_script_output_activation, sl_script_calibration, sl_script_precision,
    sl_script_clip, sl_script_ew_add_fusing;

/* ---- lexer ---- */
enum sl_token_kind {
    SL_TOKEN_END, /* of the text */
    SL_TOKEN_NEWLINE,
    SL_TOKEN_VALUE,      /* an atom: `value` */
    SL_TOKEN_PUNCTUATION /* one of ( ) [ ] , = . in `punctuation` */
};
struct sl_token {
    enum sl_token_kind kind;
    int line, column;
    char punctuation;
    struct sl_value value;
};
struct sl_lexer {
    sl_arena *arena;
    const struct sl_script *script; /* for messages */
    const uint8_t *p, *end;
    int line, column;
    int depth; /* open brackets: line ends are blanks while > 0 */
};
sluice_status sl_script_next_token(struct sl_lexer *l, struct sl_token *out, sl_err *e);

#endif
