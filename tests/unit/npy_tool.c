/* npy_tool.c: what check_numpy.py runs: `npy_tool IN OUT` reads an .npy or .npz and writes it again in our form. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/npy.h"

static sluice_status copy(sl_arena *a, const char *in, const char *out, sl_err *e)
{
    struct sl_view file;
    struct sl_buffer b = {0};
    SL_TRY(sl_map_file(a, in, &file, e));
    if (sl_ends_with(in, ".npz")) {
        struct sl_npz_member *m;
        size_t n;
        SL_TRY(sl_npz_parse(a, file, 0, &m, &n, e));
        SL_TRY(sl_npz_write(&b, m, n, e));
    } else {
        struct sl_array array;
        SL_TRY(sl_npy_parse(a, file, &array, e));
        SL_TRY(sl_npy_write(&b, &array));
    }
    sluice_status status = sl_write_file(out, b.data, b.size, e);
    sl_buffer_free(&b);
    return status;
}

int main(int argc, char **argv)
{
    sl_err e = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: npy_tool IN OUT\n");
        return 2;
    }
    sl_arena *a = sl_arena_new();
    sluice_status status = copy(a, argv[1], argv[2], &e);
    sl_arena_free(a);
    if (status != SLUICE_OK)
        fprintf(stderr, "%s\n", e.message);
    return sluice_exit_code(status);
}
