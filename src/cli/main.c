/* main.c: finds the verb, parses its flags, runs it, prints its error. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "sluice/model.h"

/* The verb named by argv[1] (and argv[2] for two-word verbs); *words = how many it took. */
static const struct cli_verb *find_verb(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < cli_verb_count; i++) {
        const char *name = cli_verbs[i].name, *space = strchr(name, ' ');
        size_t first = space ? (size_t)(space - name) : strlen(name);
        if (strlen(argv[1]) != first || strncmp(argv[1], name, first) != 0)
            continue;
        if (!space) {
            *words = 1;
            return &cli_verbs[i];
        }
        if (argc > 2 && strcmp(argv[2], space + 1) == 0) {
            *words = 2;
            return &cli_verbs[i];
        }
    }
    return NULL;
}

static int report(const struct sluice_error *err, bool json)
{
    if (json)
        fprintf(stderr, "error: %s (%s)\n", err->message, sluice_status_name(err->code));
    else
        fprintf(stderr, "error: %s\n", err->message);
    if (err->hint[0])
        fprintf(stderr, "  try: %s\n", err->hint);
    return sluice_exit_code(err->code);
}

static int unknown_verb(int argc, char **argv)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < cli_verb_count && n < SL_COUNT(names); i++)
        names[n++] = cli_verbs[i].name;
    char word[96];
    bool group = false;
    for (size_t i = 0; i < cli_verb_count; i++)
        group |= sl_starts_with(cli_verbs[i].name, argv[1]) && cli_verbs[i].name[strlen(argv[1])] == ' ';
    snprintf(word, sizeof word, "%s%s%s", argv[1], group && argc > 2 ? " " : "", group && argc > 2 ? argv[2] : "");
    if (group && (argc == 2 || argv[2][0] == '-')) {
        printf("usage: sluice %s WORD ...\n\n", argv[1]);
        for (size_t i = 0; i < cli_verb_count; i++)
            if (sl_starts_with(cli_verbs[i].name, argv[1]))
                printf("  %-14s %s\n", cli_verbs[i].name, cli_verbs[i].help);
        return argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0) ? 0 : sluice_exit_code(SLUICE_E_USAGE);
    }
    const char *near = sl_nearest(word, names, n);
    struct sluice_error err = {0};
    sl_fail(&err, SLUICE_E_USAGE, "'%s' is not a verb", word);
    if (near)
        sl_hint(&err, "sluice %s", near);
    else
        sl_hint(&err, "'sluice --help' lists the verbs");
    return report(&err, false);
}

static int run_verb(const struct cli_verb *verb, const struct cli_args *args, struct sluice_error *err)
{
    if (cli_has(args, "help")) {
        cli_print_help(verb);
        return 0;
    }
    sl_output_install_cleanup();
    sl_log_level = cli_has(args, "quiet") ? 0 : 1 + cli_count(args, "verbose");
    int code = verb->run(args, err);
    if (err->code == SLUICE_OK && (fflush(stdout) != 0 || ferror(stdout)))
        sl_fail_errno(err, "write", "standard output");
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        cli_print_overview();
        return argc < 2 ? sluice_exit_code(SLUICE_E_USAGE) : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sluice %s\n", sluice_version());
        return 0;
    }
    int words = 0;
    const struct cli_verb *verb = find_verb(argc, argv, &words);
    if (!verb)
        return unknown_verb(argc, argv);
    struct sluice_error err = {0};
    struct cli_args args;
    int code = cli_parse(verb, argc - 1 - words, argv + 1 + words, &args, &err) == SLUICE_OK ? run_verb(verb, &args, &err) : 0;
    if (err.code != SLUICE_OK)
        code = report(&err, args.json);
    cli_free(&args);
    return code;
}
