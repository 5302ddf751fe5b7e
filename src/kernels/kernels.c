/* kernels.c: dispatch. The rows of kernels.def become one table; a level's view of it lists each family's variants, best first.
 */
#include "kernels/kernels.h"

#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "kernels/variants.h"

static const struct sl_variant *const rows[] = {
#define KERNEL(family, name) &sl_##name,
#include "kernels/kernels.def"
#undef KERNEL
};

struct sl_kernels {
    enum sl_cpu_level level;
};

static const struct sl_kernels levels[SL_CPU_LEVELS] = {
    {SL_CPU_C}, {SL_CPU_AVX2}, {SL_CPU_AVXVNNI}, {SL_CPU_AVX512VNNI}, {SL_CPU_AMX},
};

const struct sl_kernels *sl_kernels(void)
{
    return sl_kernels_at(sl_cpu_level());
}

const struct sl_kernels *sl_kernels_at(enum sl_cpu_level level)
{
    assert((unsigned)level < SL_CPU_LEVELS);
    return &levels[level];
}

const struct sl_variant *const *sl_kernel_rows(int *n)
{
    *n = (int)SL_COUNT(rows);
    return rows;
}

void sl_work_prepare(const struct sl_kernels *k, enum sl_family family, const void *args, struct sl_work *w)
{
    for (int i = (int)SL_COUNT(rows) - 1; i >= 0; i--) {
        const struct sl_variant *v = rows[i];
        if (v->family == family && v->level <= k->level && (v->takes == NULL || v->takes(args))) {
            sl_work_prepare_variant(v, args, w);
            return;
        }
    }
    assert(!"every family has a C row that takes everything");
}

void sl_work_prepare_variant(const struct sl_variant *v, const void *args, struct sl_work *w)
{
    memset(w, 0, sizeof *w);
    w->variant = v;
    w->args = args;
    v->plan(w);
    assert(w->n_tasks >= 0);
}

void sl_work_pack(struct sl_work *w, void *packed)
{
    if (w->variant->pack != NULL)
        w->variant->pack(w, packed);
    w->packed = packed;
}
