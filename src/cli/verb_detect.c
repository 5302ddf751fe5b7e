/* verb_detect.c: `sluice detect`. */
#include "cli/cli.h"

#include "base/error.h"
#include "base/log.h"
#include "sluice/detect.h"

int cli_detect(const struct cli_args *a, struct sluice_error *err)
{
    struct sluice_detect_options o = {
        .hef = a->positional[0],
        .float_har = cli_string(a, "float", NULL),
        .spec = cli_string(a, "spec", NULL),
        .picture = cli_string(a, "picture", NULL),
        .threads = (int)cli_int(a, "threads", 0),
        .json = a->json,
    };
    char *text = NULL;
    if (!o.spec) {
        sl_fail(err, SLUICE_E_USAGE, "no decode rule given");
        return sluice_exit_code(sl_hint(err, "--spec FILE.json, for example examples/demo/signs.json"));
    }
    sluice_status s = sluice_detect(&o, &text, err);
    if (s != SLUICE_OK)
        return sluice_exit_code(s);
    cli_put(text);
    if (o.picture)
        sl_info("Picture written to: %s", o.picture);
    return 0;
}
