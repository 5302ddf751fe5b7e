/* compare_onnx.c: `parser onnx --compare`: runs tools/compare_onnx.py, which has ONNX Runtime compute what our native emulator
 * computes. */
#include "cli/cli.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/file.h"

enum { EXIT_NO_RUNTIME = 3 };
extern char **environ;

/* The folder of this program: tools are beside it in a build (build/sluice, tools/) and when installed (bin/,
 * share/sluice/tools/). */
static const char *find_tool(sl_arena *a, const char *self, sluice_status *s, sl_err *e)
{
    static const char *const places[] = {"../tools", "../share/sluice/tools"};
    const char *given = getenv("SLUICE_TOOLS"), *slash = strrchr(self, '/');
    const char *folder = slash ? sl_arena_strndup(a, self, (size_t)(slash - self)) : ".";
    if (given) {
        const char *path = sl_path_join(a, given, "compare_onnx.py");
        if (sl_is_file(path))
            return path;
    }
    for (size_t i = 0; i < SL_COUNT(places) && !given; i++) {
        const char *path = sl_arena_printf(a, "%s/%s/compare_onnx.py", folder, places[i]);
        if (sl_is_file(path))
            return path;
    }
    *s = sl_fail(e, SLUICE_E_NOT_FOUND, "tools/compare_onnx.py is not beside this program");
    sl_hint(e, "set SLUICE_TOOLS to the folder it is in");
    return NULL;
}

static sluice_status run_tool(char *const *argv, sl_err *e)
{
    pid_t child;
    int status, error = posix_spawnp(&child, argv[0], NULL, NULL, argv, environ);
    if (error) {
        sl_fail(e, SLUICE_E_NOT_FOUND, "'%s' cannot be started: %s", argv[0], strerror(error));
        return sl_hint(e, "--compare needs Python 3 with numpy and onnxruntime; SLUICE_PYTHON names another interpreter");
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return sl_fail(e, SLUICE_E_IO, "the comparison cannot be waited for: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return SLUICE_OK;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_RUNTIME) {
        sl_fail(e, SLUICE_E_NOT_FOUND, "--compare: '%s' has no onnxruntime (or no numpy)", argv[0]);
        return sl_hint(
            e, "pip install onnxruntime onnx, or set SLUICE_PYTHON to an interpreter that has them; the archive is written");
    }
    return sl_fail(e, SLUICE_E_VALUE,
                   "--compare: the network does not agree with ONNX Runtime, or could not be compared; see above");
}

const char *cli_make_temporary(sl_arena *a, struct sluice_error *err)
{
    const char *where = getenv("TMPDIR");
    char *folder = sl_arena_printf(a, "%s/sluice-XXXXXX", where && where[0] ? where : "/tmp");
    if (mkdtemp(folder))
        return folder;
    sl_fail(err, SLUICE_E_IO, "'%s': a temporary folder cannot be made: %s", folder, strerror(errno));
    sl_hint(err, "TMPDIR names a folder that can be written");
    return NULL;
}

void cli_remove_temporary(sl_arena *a, const char *folder, const char *name)
{
    unlink(sl_path_join(a, folder, name));
    rmdir(folder);
}

sluice_status cli_compare_onnx(const struct cli_args *a, const char *onnx, const char *har, struct sluice_error *err)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    sl_arena *arena = sl_arena_new();
    sluice_status s = SLUICE_OK;
    self[n > 0 ? n : 0] = 0;
    const char *python = getenv("SLUICE_PYTHON"), *tool = find_tool(arena, self, &s, err);
    const char *argv[16];
    int at = 0;
    argv[at++] = python ? python : "python3";
    argv[at++] = tool;
    argv[at++] = "--sluice";
    argv[at++] = self;
    if (cli_has(a, "augmented-path")) {
        argv[at++] = "--augmented";
        argv[at++] = cli_string(a, "augmented-path", NULL);
    }
    argv[at++] = onnx;
    argv[at++] = har;
    argv[at] = NULL;
    if (tool)
        s = run_tool((char *const *)(uintptr_t)argv, err);
    sl_arena_free(arena);
    return s;
}
