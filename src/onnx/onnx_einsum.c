/*
 * onnx_einsum.c: Einsum as transposes, reshapes and one matrix product for each operand after the first. Labels are letters;
 * the dots of an ellipsis become labels of their own.
 */
#include <string.h>

#include "onnx/onnx_import.h"

enum { MOST_LABELS = 24, ELLIPSIS_BASE = '0' };

struct labels {
    int n;
    char at[MOST_LABELS];
};

/* "i...j" of a tensor of this rank (output: rank -1, dots as many as `dots`). */
static sluice_status read_labels(struct onnx_import *c, const char *text, size_t size, int rank, int *dots, struct labels *out)
{
    int letters = 0;
    bool ellipsis = false;
    out->n = 0;
    for (size_t i = 0; i < size; i++) {
        letters += (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
        ellipsis = ellipsis || text[i] == '.';
    }
    int n_dots = rank >= 0 ? rank - letters : ellipsis ? *dots : 0;
    if (n_dots < 0 || (n_dots > 0 && !ellipsis) || letters + n_dots > MOST_LABELS || n_dots > 9)
        return sl_fail(c->e, SLUICE_E_VALUE, "equation: '%.*s' does not name %d dimensions", (int)size, text, rank);
    if (rank >= 0 && ellipsis)
        *dots = SL_MAX(*dots, n_dots);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.' && i + 2 < size && text[i + 1] == '.' && text[i + 2] == '.') {
            for (int k = n_dots; k > 0; k--) /* counted from the end: shorter ones broadcast */
                out->at[out->n++] = (char)(ELLIPSIS_BASE + k);
            i += 2;
        } else if ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z')) {
            out->at[out->n++] = text[i];
        } else if (text[i] != ' ') {
            return sl_fail(c->e, SLUICE_E_VALUE, "equation: '%c' is not a letter, '...', ',' or '->'", text[i]);
        }
    }
    return SLUICE_OK;
}

static int find(const struct labels *l, char label)
{
    for (int i = 0; i < l->n; i++)
        if (l->at[i] == label)
            return i;
    return -1;
}

static void append(struct labels *l, char label)
{
    if (l->n < MOST_LABELS)
        l->at[l->n++] = label;
}

/* A label that stands twice in one operand is its diagonal: both axes merged, every (d + 1)-th element. */
static sluice_status take_diagonals(struct onnx_import *c, struct sl_node **x, struct labels *l)
{
    for (int i = 0; i < l->n; i++)
        for (int k = i + 1; k < l->n; k++) {
            if (l->at[i] != l->at[k])
                continue;
            int64_t perm[SL_MAX_RANK], dims[SL_MAX_RANK], from[SL_MAX_RANK] = {0}, to[SL_MAX_RANK], by[SL_MAX_RANK];
            int rank = (*x)->shape.rank, n = 0;
            int64_t d = (*x)->shape.dim[i];
            if (d != (*x)->shape.dim[k])
                return sl_fail(c->e, SLUICE_E_SHAPE, "equation: '%c' is %lld and %lld", l->at[i], (long long)d,
                               (long long)(*x)->shape.dim[k]);
            for (int a = 0; a < rank; a++)
                if (a != i && a != k)
                    perm[n++] = a;
            perm[n++] = i;
            perm[n] = k;
            struct labels kept = {0};
            for (int a = 0; a < n - 1; a++) {
                dims[a] = (*x)->shape.dim[perm[a]];
                append(&kept, l->at[perm[a]]);
            }
            append(&kept, l->at[i]);
            dims[n - 1] = d * d;
            SL_TRY(sl_build_transpose(c->b, *x, perm, x));
            SL_TRY(onnx_reshape(c, *x, n, dims, x));
            for (int a = 0; a < n; a++) {
                to[a] = dims[a];
                by[a] = a == n - 1 ? d + 1 : 1;
            }
            SL_TRY(sl_build_slice(c->b, *x, from, to, by, x));
            *l = kept;
            return take_diagonals(c, x, l);
        }
    return SLUICE_OK;
}

/* x with its axes in the order of `want`, axes of 1 where it lacks a label. */
static sluice_status arrange(struct onnx_import *c, struct sl_node *x, const struct labels *l, const struct labels *want,
                             struct sl_node **out)
{
    int64_t perm[SL_MAX_RANK], dims[MOST_LABELS];
    int n = 0;
    for (int i = 0; i < want->n; i++) {
        int at = find(l, want->at[i]);
        dims[i] = at < 0 ? 1 : x->shape.dim[at];
        if (at >= 0)
            perm[n++] = at;
    }
    if (n != x->shape.rank || want->n > SL_MAX_RANK)
        return sl_fail(c->e, SLUICE_E_INTERNAL, "equation: %d of %d labels placed", n, x->shape.rank);
    SL_TRY(sl_build_transpose(c->b, x, perm, out));
    return onnx_reshape(c, *out, want->n, dims, out);
}

/* Sums over labels that neither the output nor a later operand has. */
static sluice_status sum_out(struct onnx_import *c, struct sl_node **x, struct labels *l, const struct labels *keep)
{
    int64_t axes[SL_MAX_RANK];
    int n = 0;
    struct labels left = {0};
    for (int i = 0; i < l->n; i++) {
        if (find(keep, l->at[i]) < 0)
            axes[n++] = i;
        else
            append(&left, l->at[i]);
    }
    *l = left;
    return sl_build_reduce(c->b, SL_OP_reduce_sum, *x, n, axes, false, x);
}

static int64_t group_size(const struct sl_node *x, const struct labels *l, const struct labels *group)
{
    int64_t size = 1;
    for (int i = 0; i < group->n; i++)
        size *= find(l, group->at[i]) < 0 ? 1 : x->shape.dim[find(l, group->at[i])];
    return size;
}

static struct labels joined(const struct labels *a, const struct labels *b, const struct labels *c)
{
    struct labels all = *a;
    for (int i = 0; i < b->n; i++)
        append(&all, b->at[i]);
    for (int i = 0; i < c->n; i++)
        append(&all, c->at[i]);
    return all;
}

/* x [batch, m, k] times y [batch, k, n] after sorting labels into those four groups. */
static sluice_status contract(struct onnx_import *c, struct sl_node *x, struct labels *lx, struct sl_node *y, struct labels *ly,
                              const struct labels *keep, struct sl_node **out, struct labels *result)
{
    struct labels batch = {0}, m = {0}, k = {0}, n = {0};
    for (int i = 0; i < lx->n; i++) {
        bool both = find(ly, lx->at[i]) >= 0;
        append(!both ? &m : find(keep, lx->at[i]) >= 0 ? &batch : &k, lx->at[i]);
    }
    for (int i = 0; i < ly->n; i++)
        if (find(lx, ly->at[i]) < 0)
            append(&n, ly->at[i]);
    struct labels order_x = joined(&batch, &m, &k), order_y = joined(&batch, &k, &n);
    int64_t b = 1, dims[SL_MAX_RANK];
    *result = joined(&batch, &m, &n);
    if (result->n > SL_MAX_RANK)
        return sl_unsupported(c->b, "an equation with a product of %d dimensions", result->n);
    int rank = 0;
    for (int i = 0; i < batch.n; i++) { /* ellipses may broadcast 1 */
        int64_t dx = x->shape.dim[find(lx, batch.at[i])], dy = y->shape.dim[find(ly, batch.at[i])];
        dims[rank] = SL_MAX(dx, dy);
        if (dx != dy)
            return sl_unsupported(c->b, "an equation whose common dimensions are %lld and %lld", (long long)dx, (long long)dy);
        b *= dims[rank++];
    }
    int64_t size_m = group_size(x, lx, &m), size_k = group_size(x, lx, &k), size_n = group_size(y, ly, &n);
    for (int i = 0; i < m.n; i++)
        dims[rank++] = x->shape.dim[find(lx, m.at[i])];
    for (int i = 0; i < n.n; i++)
        dims[rank++] = y->shape.dim[find(ly, n.at[i])];
    if (size_k != group_size(y, ly, &k))
        return sl_fail(c->e, SLUICE_E_SHAPE, "equation: the summed dimensions have %lld and %lld elements", (long long)size_k,
                       (long long)group_size(y, ly, &k));
    SL_TRY(arrange(c, x, lx, &order_x, &x));
    SL_TRY(arrange(c, y, ly, &order_y, &y));
    SL_TRY(batch.n ? onnx_reshape(c, x, 3, (int64_t[]){b, size_m, size_k}, &x)
                   : onnx_reshape(c, x, 2, (int64_t[]){size_m, size_k}, &x));
    SL_TRY(batch.n ? onnx_reshape(c, y, 3, (int64_t[]){b, size_k, size_n}, &y)
                   : onnx_reshape(c, y, 2, (int64_t[]){size_k, size_n}, &y));
    SL_TRY(onnx_matmul(c, x, y, out));
    return onnx_reshape(c, *out, rank, dims, out);
}

/* Is the last label of the output the left operand's alone? Then the two change places: queries stand before keys, also where the
 * equation names the keys first. */
static bool ends_with_left(const struct sl_node *x, const struct labels *lx, const struct sl_node *y, const struct labels *ly,
                           const struct labels *out)
{
    char last = out->n ? out->at[out->n - 1] : 0;
    return x->op != SL_OP_const_input && y->op != SL_OP_const_input && out->n && find(lx, last) >= 0 && find(ly, last) < 0;
}

/* Without "->" the output has the labels that stand once, in alphabetical order, behind the ellipsis. */
static void implied_output(const struct labels *operands, int n, int dots, struct labels *out)
{
    out->n = 0;
    for (int k = dots; k > 0; k--)
        append(out, (char)(ELLIPSIS_BASE + k));
    for (int label = 'A'; label <= 'z'; label++) {
        int seen = 0;
        for (int i = 0; i < n; i++)
            for (int k = 0; k < operands[i].n; k++)
                seen += operands[i].at[k] == label;
        if (seen == 1)
            append(out, (char)label);
    }
}

/* Each label of the output stands there once, and in an operand. */
static sluice_status check_output(struct onnx_import *c, const char *text, const struct labels *operands, int n, const struct labels *out)
{
    for (int i = 0; i < out->n; i++) {
        bool known = out->at[i] >= ELLIPSIS_BASE && out->at[i] < 'A';
        for (int k = 0; k < n && !known; k++)
            known = find(&operands[k], out->at[i]) >= 0;
        if (!known)
            return sl_fail(c->e, SLUICE_E_VALUE, "equation '%s': '%c' of the output is in no operand", text, out->at[i]);
        if (find(out, out->at[i]) != i)
            return sl_fail(c->e, SLUICE_E_VALUE, "equation '%s': the output names '%c' twice", text, out->at[i]);
    }
    return SLUICE_OK;
}

sluice_status translate_einsum(struct onnx_import *c, const struct onnx_node *node)
{
    enum { MOST_OPERANDS = 8 };
    struct labels l[MOST_OPERANDS], out;
    struct sl_node *x[MOST_OPERANDS], *y;
    const char *text = onnx_attr_string(c, "equation", ""), *arrow = strstr(text, "->"), *at = text;
    int dots = 0, n = node->n_in;
    if (n > MOST_OPERANDS)
        return sl_unsupported(c->b, "%d operands, at most %d are supported", n, MOST_OPERANDS);
    for (int i = 0; i < n; i++) {
        size_t left = arrow ? (size_t)(arrow - at) : strlen(at);
        const char *comma = memchr(at, ',', left);
        SL_TRY(onnx_in(c, i, &x[i]));
        if (!x[i] || (comma == NULL) != (i == n - 1))
            return sl_fail(c->e, SLUICE_E_VALUE, "equation '%s' does not have %d operands", text, n);
        SL_TRY(read_labels(c, at, comma ? (size_t)(comma - at) : left, x[i]->shape.rank, &dots, &l[i]));
        SL_TRY(take_diagonals(c, &x[i], &l[i]));
        at = comma ? comma + 1 : at;
    }
    if (arrow)
        SL_TRY(read_labels(c, arrow + 2, strlen(arrow + 2), -1, &dots, &out));
    else
        implied_output(l, n, dots, &out);
    SL_TRY(check_output(c, text, l, n, &out));
    y = x[0];
    for (int i = 0; i < n; i++) {
        struct labels keep = out, result = l[0];
        for (int k = i + 1; k < n; k++)
            keep = joined(&keep, &l[k], &(struct labels){0});
        if (i > 0) {
            SL_TRY(sum_out(c, &x[i], &l[i], &(struct labels[1]){joined(&keep, &l[0], &(struct labels){0})}[0]));
            if (i == n - 1 && ends_with_left(y, &l[0], x[i], &l[i], &out))
                SL_TRY(contract(c, x[i], &l[i], y, &l[0], &keep, &y, &result));
            else
                SL_TRY(contract(c, y, &l[0], x[i], &l[i], &keep, &y, &result));
        }
        SL_TRY(
            sum_out(c, &y, &result, &(struct labels[1]){i + 1 < n ? joined(&keep, &l[i + 1], &(struct labels){0}) : keep}[0]));
        l[0] = result;
    }
    SL_TRY(arrange(c, y, &l[0], &out, &y));
    return onnx_out(c, 0, y);
}
