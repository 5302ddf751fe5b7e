/* verb_inspect.c: verbs that show: parse-hef, har info, har extract, dump, diff, ops, passes, docs. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "sluice/inspect.h"
#include "sluice/model.h"
#include "sluice/run.h"

int cli_parse_hef(const struct cli_args *a, struct sluice_error *err)
{
    char *text = NULL;
    sluice_status s = sluice_hef_describe(a->positional[0], cli_has(a, "parse-streams"), true, a->json, &text, err);
    if (s == SLUICE_OK)
        cli_put(text);
    return sluice_exit_code(s);
}

int cli_har_info(const struct cli_args *a, struct sluice_error *err)
{
    struct sluice_model *m = NULL;
    char *text = NULL;
    const char *stage = cli_string(a, "stage", NULL);
    sluice_status s = sluice_model_load(a->positional[0], &m, err);
    if (s == SLUICE_OK)
        s = stage ? sluice_model_print(m, stage, &text, err) : sluice_model_describe(m, a->json, &text, err);
    if (s == SLUICE_OK)
        cli_put(text);
    sluice_model_free(m);
    return sluice_exit_code(s);
}

int cli_har_extract(const struct cli_args *a, struct sluice_error *err)
{
    struct sluice_model *m = NULL;
    sluice_status s = sluice_model_load(a->positional[0], &m, err);
    if (s == SLUICE_OK) {
        const char *directory = cli_string(a, "output-dir", sluice_model_name(m));
        s = sluice_model_extract(m, directory, err);
        if (s == SLUICE_OK)
            sl_info("Extracted to: %s", directory);
    }
    sluice_model_free(m);
    return sluice_exit_code(s);
}

int cli_dump(const struct cli_args *a, struct sluice_error *err)
{
    char *text = NULL;
    sluice_status s = sluice_dump_file(a->positional[0], &text, err);
    if (s == SLUICE_OK)
        cli_put(text);
    return sluice_exit_code(s);
}

int cli_diff(const struct cli_args *a, struct sluice_error *err)
{
    char *text = NULL;
    bool same = false;
    sluice_status s = sluice_compare_tensors(a->positional[0], a->positional[1], a->json, &same, &text, err);
    if (s != SLUICE_OK)
        return sluice_exit_code(s);
    cli_put(text);
    return same ? 0 : 1;
}

int cli_ops(const struct cli_args *a, struct sluice_error *err)
{
    (void)a, (void)err;
    cli_put(sluice_list_ops(false));
    return 0;
}

int cli_passes(const struct cli_args *a, struct sluice_error *err)
{
    (void)a;
    static const char *const drivers[] = {"optimize", "compile"};
    for (int i = 0; i < 2; i++) {
        char *text = NULL;
        sluice_status s = sluice_list_passes(drivers[i], &text, err);
        if (s != SLUICE_OK)
            return sluice_exit_code(s);
        printf("%s\n", drivers[i]);
        cli_put(text);
    }
    return 0;
}

int cli_docs(const struct cli_args *a, struct sluice_error *err)
{
    if (strcmp(a->positional[0], "cli") == 0) {
        cli_print_markdown();
    } else if (strcmp(a->positional[0], "ops") == 0) {
        cli_put(sluice_list_ops(true));
    } else if (strcmp(a->positional[0], "script") == 0) {
        cli_put(sluice_list_script_commands());
    } else if (strcmp(a->positional[0], "heads") == 0) {
        cli_put(sluice_list_heads());
    } else if (strcmp(a->positional[0], "patterns") == 0) {
        cli_put(sluice_list_patterns());
    } else {
        return sluice_exit_code(sl_fail(err, SLUICE_E_USAGE,
                                        "'%s' is not a generated document (cli, ops, patterns, script, heads)", a->positional[0]));
    }
    return 0;
}
