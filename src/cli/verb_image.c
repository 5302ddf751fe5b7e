/* verb_image.c: `sluice image`: pictures -> one .npy. */
#include "cli/cli.h"

#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "sluice/inspect.h"

int cli_image(const struct cli_args *a, struct sluice_error *err)
{
    struct sluice_pictures_options o = {.resize = cli_string(a, "resize", NULL), .bgr = cli_has(a, "bgr")};
    const char *size = cli_string(a, "size", NULL), *output = cli_string(a, "output", NULL);
    char end = 0;
    if (size && (sscanf(size, "%dx%d%c", &o.height, &o.width, &end) != 2 || o.height < 1 || o.width < 1 || o.height > 16384 ||
                 o.width > 16384))
        return sluice_exit_code(sl_fail(err, SLUICE_E_USAGE, "--size: '%s' is not HEIGHTxWIDTH, each 1..16384", size));
    if (!output) {
        sl_fail(err, SLUICE_E_USAGE, "nowhere to write the pictures");
        return sluice_exit_code(sl_hint(err, "--output FILE.npy"));
    }
    sluice_status s = sluice_pictures_to_npy(a->positional, (size_t)a->n_positional, &o, output, err);
    if (s == SLUICE_OK)
        sl_info("%d picture%s written to %s", a->n_positional, a->n_positional == 1 ? "" : "s", output);
    return sluice_exit_code(s);
}
