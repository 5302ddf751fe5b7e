/*
 * script.h: model scripts (.alls). sl_script_parse turns the text into commands checked against the table script_commands.def;
 * sl_script_apply runs the handlers of one stage over a graph and the settings. Optimize applies the first two stages, the
 * compiler the third.
 */
#ifndef SL_SCRIPT_SCRIPT_H
#define SL_SCRIPT_SCRIPT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reader.h"
#include "ir/ir.h"

enum sl_value_kind {
    SL_VALUE_INT,      /* 12 */
    SL_VALUE_FLOAT,    /* 1.5  0.  .5  1e-5 */
    SL_VALUE_BOOL,     /* True False */
    SL_VALUE_NULL,     /* null */
    SL_VALUE_DURATION, /* 25m 5h; i = seconds */
    SL_VALUE_STRING,   /* "path" */
    SL_VALUE_WORD,     /* conv1  net/conv1  enabled */
    SL_VALUE_GLOB,     /* {conv*} */
    SL_VALUE_LIST      /* [a, b] */
};

struct sl_value {
    enum sl_value_kind kind;
    int line, column;
    int64_t i;     /* int, bool, duration */
    double f;      /* int and float */
    const char *s; /* string, word, glob pattern without braces; numbers as written */
    int n;         /* list */
    struct sl_value *items;
};

struct sl_keyword {
    const char *name;
    int line, column;
    struct sl_value value;
};

enum sl_command_form { SL_FORM_COMMAND, SL_FORM_ASSIGNMENT, SL_FORM_METHOD };

enum sl_script_stage {
    SL_SCRIPT_MODIFY,   /* changes the float model */
    SL_SCRIPT_OPTIMIZE, /* settings of calibration and quantization */
    SL_SCRIPT_COMPILE,  /* placement: cannot change a number */
    SL_SCRIPT_STAGES
};

struct sl_script_row; /* a row of script_commands.def */

struct sl_command {
    const char *name;
    int line, column;
    enum sl_command_form form;
    const struct sl_script_row *row;
    const struct sl_script_row *part; /* of commands whose first argument names a part, else NULL */
    int n_targets;                    /* left side; 0 with `{}` */
    const char **targets;
    const char *object; /* of a method */
    int n_args;
    struct sl_value *args;
    int n_keywords;
    struct sl_keyword *keywords;
};

struct sl_script {
    const char *file; /* for messages */
    int n;
    struct sl_command *commands;
};

/* A range that the script imposes on layers' outputs. */
struct sl_script_clipping {
    struct sl_node *node;
    bool percentile; /* low, high are percentiles of the calibration data, else values */
    double low, high;
};

/* What the optimize stage leaves for calibration and quantization. */
struct sl_script_settings {
    int64_t calibset_size;  /* 0: not given */
    bool ew_add_fusing_off; /* pre_quantization_optimization(ew_add_fusing, policy=disabled) */
    int n_clippings;
    struct sl_script_clipping *clippings;
    int n_wide; /* layers whose output is asked to be 16 bits wide */
    struct sl_node **wide;
};

/* Structure and vocabulary: forms, argument counts, types and bounds. Layer names are looked up when applied. The text may go
 * away afterwards. An unknown command or keyword names its line, column and the nearest known one. */
sluice_status sl_script_parse(sl_arena *a, const char *file, struct sl_view text, struct sl_script **out, sl_err *e);

/* Run the commands of `stage` in order. Commands of the other stages are passed over. settings may be NULL for
 * SL_SCRIPT_MODIFY. */
sluice_status sl_script_apply(const struct sl_script *s, enum sl_script_stage stage, struct sl_graph *g,
                              struct sl_script_settings *settings, sl_err *e);

/* For the compiler: a command that changes numbers is refused with the advice to run optimize again. */
sluice_status sl_script_check_compile_only(const struct sl_script *s, sl_err *e);

/* Nodes a layer-set value names: a word, a list of words, or a glob; in the graph's order. A word that names nothing is an
 * error with the nearest name; a glob that matches nothing gives a warning and none. */
sluice_status sl_script_layers(const struct sl_script *s, const struct sl_graph *g, const struct sl_value *v, sl_arena *a,
                               struct sl_node ***out, int *n, sl_err *e);
/* Shell pattern with * ? and [a-z] classes, whole string. */
bool sl_glob_match(const char *pattern, const char *text);

/* "file:line:column: " before the message. */
sluice_status sl_script_fail(const struct sl_script *s, int line, int column, sluice_status code, sl_err *e, const char *format,
                             ...) SL_PRINTF(6, 7);

#endif
