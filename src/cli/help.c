/* help.c: --help, the overview and docs/cli.md, all printed from the verb and flag tables. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "sluice/model.h"

static void flag_form(const struct cli_flag *f, char *out, size_t size)
{
    const char *value = f->kind == CLI_BOOL ? "" : f->value;
    snprintf(out, size, "%s%c%s--%s%s%s%s", f->letter ? "-" : "", f->letter ? f->letter : ' ', f->letter ? ", " : "   ", f->name,
             value[0] ? " " : "", value, f->kind == CLI_LIST ? " ..." : "");
}

static void print_flags(const struct cli_flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char form[96];
        flag_form(&flags[i], form, sizeof form);
        printf("  %s%s\n        %s\n", flags[i].letter ? "" : " ", form + (flags[i].letter ? 0 : 1), flags[i].help);
    }
}

void cli_print_help(const struct cli_verb *verb)
{
    printf("usage: sluice %s %s%s[flags]\n\n%s\n", verb->name, verb->positional, verb->positional[0] ? " " : "", verb->help);
    if (verb->detail)
        printf("\n%s\n", verb->detail);
    printf("\nflags:\n");
    print_flags(verb->flags, verb->n_flags);
    print_flags(cli_common_flags, cli_common_flag_count);
    printf("\nexit codes: 0 done, 1 a comparison found a difference, 2 usage, 3 bad input, 4 unsupported, 5 system, 6 our defect\n");
}

void cli_print_overview(void)
{
    printf("sluice %s: an open dataflow compiler and runtime\n\nusage: sluice VERB [arguments]\n\n", sluice_version());
    for (size_t i = 0; i < cli_verb_count; i++)
        printf("  %-14s %s\n", cli_verbs[i].name, cli_verbs[i].help);
    printf("\n'sluice VERB --help' explains each.\n");
}

static void markdown_flags(const struct cli_flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct cli_flag *f = &flags[i];
        printf("| `--%s%s%s%s`", f->name, f->kind == CLI_BOOL ? "" : " ", f->kind == CLI_BOOL ? "" : f->value,
               f->kind == CLI_LIST ? " ..." : "");
        if (f->letter)
            printf(", `-%c`", f->letter);
        printf(" | ");
        for (const char *c = f->help; *c; c++)
            printf(*c == '|' ? "\\|" : "%c", *c);
        printf(" |\n");
    }
}

void cli_print_markdown(void)
{
    printf("# The command line\n\nMade from the flag tables by `sluice docs cli`; a test compares. Exit codes of every verb: 0 done, 1 a "
           "comparison found a difference, 2 usage, 3 bad input, 4 unsupported, 5 system, 6 our own defect. Errors go to standard "
           "error: what failed and where, then a line that says what to try.\n");
    for (size_t i = 0; i < cli_verb_count; i++) {
        const struct cli_verb *v = &cli_verbs[i];
        printf("\n## sluice %s\n\n    sluice %s %s%s[flags]\n\n%s\n", v->name, v->name, v->positional, v->positional[0] ? " " : "",
               v->help);
        if (v->detail)
            printf("\n%s\n", v->detail);
        if (v->n_flags) {
            printf("\n| flag | meaning |\n|---|---|\n");
            markdown_flags(v->flags, v->n_flags);
        }
    }
    printf("\n## Flags of every verb\n\n| flag | meaning |\n|---|---|\n");
    markdown_flags(cli_common_flags, cli_common_flag_count);
    printf("\n## Environment\n\n| variable | meaning |\n|---|---|\n"
           "| `SLUICE_CPU` | `c`, `avx2`, `avx512vnni`, ...: highest kernel level used; every level gives the same bytes |\n"
           "| `SLUICE_DATA` | where the tests find models and pictures (default `../shared/data`) |\n");
}
