/*
 * test_passes.c: runs the structural passes of optimize on graphs in text form. A case file holds `# pass: NAME` (or `# pass:
 * all`, or
 * `# script: LINE` for a model script), the input graph, a line `---`, and the expected graph, or `error: TEXT` for a part of
 * the message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "quant/passes.h"

static sluice_status read_graph(sl_arena *a, const char *text, struct sl_graph **g, sl_err *e)
{
    SL_TRY(sl_text_parse(a, (struct sl_view){(const uint8_t *)text, strlen(text)}, NULL, g, e));
    SL_TRY(sl_infer_all(*g, e));
    return sl_text_complete(*g, e);
}

/* The text behind "# key:" on a line of its own; "" when absent. */
static const char *header(sl_arena *a, const char *text, const char *key)
{
    const char *at = strstr(text, key), *end;

    if (!at)
        return "";
    at += strlen(key);
    at += strspn(at, " ");
    end = strchr(at, '\n');
    return sl_arena_strndup(a, at, end ? (size_t)(end - at) : strlen(at));
}

static sluice_status run_case(sl_arena *a, char *text, char *expected, sl_err *e)
{
    const char *pass = header(a, text, "# pass:"), *script = header(a, text, "# script:");
    struct sl_script_settings settings = {0};
    struct sl_fuse f = {.settings = &settings};
    struct sl_script *parsed = NULL;
    struct sl_buffer got = {0}, want = {0};
    struct sl_graph *wanted;
    sluice_status s = SLUICE_OK;

    SL_TRY(read_graph(a, text, &f.graph, e));
    if (script[0])
        SL_TRY(sl_script_parse(a, "case", (struct sl_view){(const uint8_t *)script, strlen(script)}, &parsed, e));
    f.script = parsed;
    SL_TRY(sl_run_passes(&f, !strcmp(pass, "all") ? NULL : pass, NULL, e));
    sl_graph_renumber(f.graph);
    SL_TRY(sl_text_print(f.graph, NULL, &got, e));
    if (strncmp(expected, "error:", 6)) {
        if (read_graph(a, expected, &wanted, e) != SLUICE_OK)
            s = sl_context(e, "expected graph: ");
        else
            wanted->stage = f.graph->stage, s = sl_text_print(wanted, NULL, &want, e);
    }
    if (s == SLUICE_OK && strcmp(sl_buffer_text(&got), sl_buffer_text(&want))) {
        printf("--- expected\n%s--- found\n%s", sl_buffer_text(&want), sl_buffer_text(&got));
        s = sl_fail(e, SLUICE_E_VALUE, "graphs differ");
    }
    sl_buffer_free(&got);
    sl_buffer_free(&want);
    return s;
}

static bool run_file(const char *path)
{
    sl_arena *a = sl_arena_new();
    struct sluice_error e = {0};
    struct sl_view bytes;
    char *text, *split;
    bool good = false;

    if (sl_map_file(a, path, &bytes, &e) == SLUICE_OK) {
        text = sl_arena_strndup(a, (const char *)bytes.data, bytes.size);
        split = strstr(text, "\n---\n");
        if (!split) {
            sl_fail(&e, SLUICE_E_FORMAT, "no line ---");
        } else {
            split[1] = 0;
            split += 5;
            good = run_case(a, text, split, &e) == SLUICE_OK;
            if (!strncmp(split, "error:", 6)) {
                const char *part = header(a, split, "error:");
                good = e.code != SLUICE_OK && strstr(e.message, part);
            }
        }
    }
    if (!good)
        printf("FAIL %s: %s\n", path, e.message);
    sl_arena_free(a);
    return good;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed += !run_file(argv[i]);
    printf("%d pass cases, %d failed\n", argc - 1, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
