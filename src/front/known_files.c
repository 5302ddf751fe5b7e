/* known_files.c: what is given in place of a model, whatever the format that was meant. */
#include "front/known_files.h"

#include <string.h>

#include "base/compiler.h"

static const struct sl_known_file in_place_of_any[] = {
    {0, "\x1f\x8b", 2, "a gzip file", "unpack it first: gunzip"},
    {0, "BZh", 3, "a bzip2 file", "unpack it first: bunzip2"},
    {0,
     "\xfd"
     "7zXZ",
     5, "an xz file", "unpack it first: unxz"},
    {257, "ustar", 5, "a tar archive (perhaps a HAR)", "a HAR is already parsed: go on with 'sluice optimize'"},
    {0, "\1HEF", 4, "a HEF, a compiled network", "run it with 'sluice run', look at it with 'sluice parse-hef'"},
    {0,
     "\x7f"
     "ELF",
     4, "a program or library", NULL},
    {0, "version https://git-lfs", 23, "a Git LFS pointer, not the file itself", "fetch the file: git lfs pull"},
    {0, "<!DOCTYPE", 9, "an HTML page, probably a failed download", "download the file again"},
    {0, "<html", 5, "an HTML page, probably a failed download", "download the file again"},
};

static sluice_status refuse(struct sl_view bytes, const struct sl_known_file *known, size_t n, sl_err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes.size < known[i].offset + known[i].size ||
            memcmp(bytes.data + known[i].offset, known[i].magic, known[i].size) != 0)
            continue;
        sl_fail(e, SLUICE_E_FORMAT, "this is %s", known[i].what);
        return known[i].hint ? sl_hint(e, "%s", known[i].hint) : e->code;
    }
    return SLUICE_OK;
}

sluice_status sl_refuse_known_files(struct sl_view bytes, const struct sl_known_file *own, size_t n, sl_err *e)
{
    if (bytes.size == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "the file is empty");
    SL_TRY(refuse(bytes, own, n, e));
    return refuse(bytes, in_place_of_any, SL_COUNT(in_place_of_any), e);
}
