/* machines.c: the machine descriptions and their lookup by name. */
#include <string.h>

#include "base/strings.h"
#include "compile/compile.h"
#include "hef/hef.h"

static const struct sl_machine machines[] = {
#define MACHINE(name, arch, clusters, subclusters, controllers, apus, aligners, l3, streams, macs, clock, load)                \
    {#name, arch, clusters, subclusters, controllers, apus, aligners, l3, streams, macs, clock, load},
#include "compile/machine.def"
#undef MACHINE
};

const struct sl_machine *sl_machines(int *n)
{
    *n = (int)SL_COUNT(machines);
    return machines;
}

const struct sl_machine *sl_machine_find(const char *name, sl_err *e)
{
    const char *names[SL_COUNT(machines)];
    for (size_t i = 0; i < SL_COUNT(machines); i++) {
        names[i] = machines[i].name;
        if (strcmp(names[i], name) == 0)
            return &machines[i];
    }
    const char *near = sl_nearest(name, names, SL_COUNT(names));
    sl_fail(e, SLUICE_E_USAGE, "'%s' is not an architecture (hailo10h, hailo15h, hailo15l)", name);
    if (near)
        sl_hint(e, "did you mean %s?", near);
    return NULL;
}
