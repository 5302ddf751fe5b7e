/* op_info.c: names, counters and input counts of the op table, the columns that the IR itself needs. Comes from ir/ops.def. */
#include <string.h>

#include "ir/ir.h"

static const struct sl_op_info infos[SL_OP_COUNT] = {
#define OP(kind, counter, least, most, ...) [SL_OP_##kind] = {#kind, counter, least, most},
#include "ir/ops.def"
#undef OP
};

const struct sl_op_info *sl_op_info(enum sl_op op)
{
    return &infos[(unsigned)op < SL_OP_COUNT ? op : 0];
}

bool sl_op_from_name(const char *name, enum sl_op *out)
{
    for (int i = 0; i < SL_OP_COUNT; i++)
        if (strcmp(infos[i].name, name) == 0) {
            *out = (enum sl_op)i;
            return true;
        }
    return false;
}
