/* onnx_table.c: the operator table of onnx_ops.def and its lookup. */
#include <string.h>

#include "onnx/onnx_import.h"

static const struct onnx_op_row rows[] = {
#define ONNX(domain, name, since, until, least, most, translate) {domain, name, since, until, least, most, translate, NULL},
#define ONNX_NOT(domain, name, reason)                           {domain, name, 1, 99, 0, -1, NULL, reason},
#include "onnx/onnx_ops.def"
#undef ONNX
#undef ONNX_NOT
};

const struct onnx_op_row *onnx_op_rows(int *n)
{
    *n = (int)SL_COUNT(rows);
    return rows;
}

/* The table is sorted by domain, then name, then opset: a binary search finds an operator's first row. */
const struct onnx_op_row *onnx_op_find(const char *domain, const char *name, int64_t opset, bool *known)
{
    size_t lo = 0, hi = SL_COUNT(rows);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(rows[mid].domain, domain);
        if (order == 0)
            order = strcmp(rows[mid].name, name);
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *known = false;
    for (; lo < SL_COUNT(rows) && strcmp(rows[lo].domain, domain) == 0 && strcmp(rows[lo].name, name) == 0; lo++) {
        *known = true;
        if (opset >= rows[lo].since && opset <= rows[lo].until)
            return &rows[lo];
    }
    return NULL;
}
