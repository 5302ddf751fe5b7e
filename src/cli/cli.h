/* cli.h: verbs, their flag tables and the parsed arguments. docs/cli.md and every --help are printed from these tables. */
#ifndef SL_CLI_CLI_H
#define SL_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "sluice/error.h"

enum cli_kind {
    CLI_BOOL,   /* present or not; cli_count tells how often */
    CLI_STRING, /* one value */
    CLI_INT,    /* one whole number in least..most */
    CLI_NUMBER, /* one number */
    CLI_LIST,   /* one or more values up to the next flag; the flag may be repeated */
    CLI_CHOICE  /* one of the words in `words` */
};

struct cli_flag {
    const char *name;   /* without "--" */
    char letter;        /* one-letter form, 0 for none */
    enum cli_kind kind;
    const char *value;  /* what the value is called in help: "FILE" */
    const char *help;   /* one sentence, with the default */
    const char *words;  /* CLI_CHOICE: "a b c" */
    int64_t least, most;
};

struct cli_args {
    const struct cli_verb *verb;
    int n_positional;
    const char **positional;
    int n_set;
    struct cli_value { const struct cli_flag *flag; int n; const char **values; } *set;
    bool json;
};

struct cli_verb {
    const char *name;        /* "parser onnx": one or two words */
    const char *positional;  /* "FILE", "FILE [FILE]", "" */
    int least, most;         /* positional arguments */
    const char *help;        /* one sentence */
    const char *detail;      /* further lines of --help, or NULL */
    const struct cli_flag *flags;
    size_t n_flags;
    int (*run)(const struct cli_args *args, struct sluice_error *err); /* returns the exit code; err filled when it fails */
};

extern const struct cli_verb cli_verbs[];
extern const size_t cli_verb_count;
extern const struct cli_flag cli_common_flags[]; /* of every verb: --json --verbose --quiet --help */
extern const size_t cli_common_flag_count;

/* Parse argv after the verb's words. SLUICE_E_USAGE names the flag and the nearest known one. The caller calls cli_free, also after a failure. */
sluice_status cli_parse(const struct cli_verb *verb, int argc, char **argv, struct cli_args *out, struct sluice_error *err);
void cli_free(struct cli_args *a);
bool cli_has(const struct cli_args *a, const char *flag);
int cli_count(const struct cli_args *a, const char *flag); /* how often a CLI_BOOL was given */
const char *cli_string(const struct cli_args *a, const char *flag, const char *otherwise);
int64_t cli_int(const struct cli_args *a, const char *flag, int64_t otherwise);
double cli_number(const struct cli_args *a, const char *flag, double otherwise);
const char *const *cli_list(const struct cli_args *a, const char *flag, size_t *n);

void cli_print_help(const struct cli_verb *verb);
void cli_print_overview(void);
void cli_print_markdown(void);

/* Ask "question [y/N] " on stderr when standard input is a terminal or has a line to read; at end of file the default is taken. */
bool cli_ask(const char *question, bool otherwise);
/* Print `text`, freed with sluice_free, to stdout. */
void cli_put(char *text);
/* Run tools/compare_onnx.py on an ONNX file (the model, or the part of it between start and end nodes) and the archive parsed from it:
 * SLUICE_E_VALUE when they differ. */
sluice_status cli_compare_onnx(const struct cli_args *a, const char *onnx, const char *har, struct sluice_error *err);
/* A new folder for temporary files; NULL with an error. Removed with the one file `name` in it, where that was written. */
const char *cli_make_temporary(sl_arena *a, struct sluice_error *err);
void cli_remove_temporary(sl_arena *a, const char *folder, const char *name);

int cli_parser_onnx(const struct cli_args *a, struct sluice_error *err);
int cli_parser_tflite(const struct cli_args *a, struct sluice_error *err);
int cli_optimize(const struct cli_args *a, struct sluice_error *err);
int cli_compiler(const struct cli_args *a, struct sluice_error *err);
int cli_emulate(const struct cli_args *a, struct sluice_error *err);
int cli_run(const struct cli_args *a, struct sluice_error *err);
int cli_benchmark(const struct cli_args *a, struct sluice_error *err);
int cli_parse_hef(const struct cli_args *a, struct sluice_error *err);
int cli_har_info(const struct cli_args *a, struct sluice_error *err);
int cli_har_extract(const struct cli_args *a, struct sluice_error *err);
int cli_ops(const struct cli_args *a, struct sluice_error *err);
int cli_passes(const struct cli_args *a, struct sluice_error *err);
int cli_dump(const struct cli_args *a, struct sluice_error *err);
int cli_diff(const struct cli_args *a, struct sluice_error *err);
int cli_image(const struct cli_args *a, struct sluice_error *err);
int cli_detect(const struct cli_args *a, struct sluice_error *err);
int cli_docs(const struct cli_args *a, struct sluice_error *err);

#endif
