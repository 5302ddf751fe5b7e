/* node_attrs.c: attributes and parameters of a node: small unsorted arrays, looked up by name, insertion order kept. */
#include <assert.h>
#include <string.h>

#include "ir/grow.h"
#include "ir/ir.h"

static struct sl_attr *find_attr(const struct sl_node *n, const char *name)
{
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, name) == 0)
            return &n->attrs[i];
    return NULL;
}

/* The slot to write: the attribute of that name with its value forgotten, or a new one at the end. */
static struct sl_attr *slot_for(struct sl_graph *g, struct sl_node *n, const char *name)
{
    struct sl_attr *at = find_attr(n, name);
    if (at) {
        *at = (struct sl_attr){.name = at->name};
        return at;
    }
    n->attrs = sl_grow(g->arena, n->attrs, n->n_attrs, sizeof *n->attrs);
    at = &n->attrs[n->n_attrs++];
    *at = (struct sl_attr){.name = sl_arena_strdup(g->arena, name)};
    return at;
}

void sl_set_int(struct sl_graph *g, struct sl_node *n, const char *name, int64_t v)
{
    sl_set_ints(g, n, name, 1, &v);
    find_attr(n, name)->list = false;
}

void sl_set_ints(struct sl_graph *g, struct sl_node *n, const char *name, int count, const int64_t *v)
{
    assert(count >= 0);
    const int64_t *copy = sl_arena_memdup(g->arena, v, sl_mul_or_abort((size_t)count, sizeof *v)); /* v may be the old value */
    struct sl_attr *at = slot_for(g, n, name);
    at->kind = SL_ATTR_INTS;
    at->list = true;
    at->n = count;
    at->i = copy;
}

void sl_set_float(struct sl_graph *g, struct sl_node *n, const char *name, double v)
{
    sl_set_floats(g, n, name, 1, &v);
    find_attr(n, name)->list = false;
}

void sl_set_floats(struct sl_graph *g, struct sl_node *n, const char *name, int count, const double *v)
{
    assert(count >= 0);
    const double *copy = sl_arena_memdup(g->arena, v, sl_mul_or_abort((size_t)count, sizeof *v));
    struct sl_attr *at = slot_for(g, n, name);
    at->kind = SL_ATTR_FLOATS;
    at->list = true;
    at->n = count;
    at->f = copy;
}

void sl_set_string(struct sl_graph *g, struct sl_node *n, const char *name, const char *v)
{
    const char *copy = sl_arena_strdup(g->arena, v);
    struct sl_attr *at = slot_for(g, n, name);
    at->kind = SL_ATTR_STRING;
    at->n = 1;
    at->s = copy;
}

void sl_remove_attr(struct sl_node *n, const char *name)
{
    struct sl_attr *at = find_attr(n, name);
    if (!at)
        return;
    struct sl_attr *end = n->attrs + n->n_attrs;
    memmove(at, at + 1, (size_t)(end - at - 1) * sizeof *at);
    n->n_attrs--;
}

const struct sl_attr *sl_attr(const struct sl_node *n, const char *name)
{
    return find_attr(n, name);
}

int64_t sl_get_int(const struct sl_node *n, const char *name, int64_t otherwise)
{
    const struct sl_attr *at = find_attr(n, name);
    return at && at->kind == SL_ATTR_INTS && at->n == 1 ? at->i[0] : otherwise;
}

double sl_get_float(const struct sl_node *n, const char *name, double otherwise)
{
    const struct sl_attr *at = find_attr(n, name);
    if (!at || at->n != 1)
        return otherwise;
    if (at->kind == SL_ATTR_INTS)
        return (double)at->i[0];
    return at->kind == SL_ATTR_FLOATS ? at->f[0] : otherwise;
}

const char *sl_get_string(const struct sl_node *n, const char *name, const char *otherwise)
{
    const struct sl_attr *at = find_attr(n, name);
    return at && at->kind == SL_ATTR_STRING ? at->s : otherwise;
}

bool sl_is_activation(const struct sl_node *n, const char *type)
{
    return n->op == SL_OP_activation && strcmp(sl_get_string(n, "type", ""), type) == 0;
}

bool sl_get_ints(const struct sl_node *n, const char *name, int count, int64_t *v)
{
    const struct sl_attr *at = find_attr(n, name);
    if (!at || at->kind != SL_ATTR_INTS || at->n != count)
        return false;
    if (count > 0)
        memcpy(v, at->i, (size_t)count * sizeof *v);
    return true;
}

static struct sl_param *find_param(const struct sl_node *n, const char *name)
{
    for (int i = 0; i < n->n_params; i++)
        if (strcmp(n->params[i].name, name) == 0)
            return &n->params[i];
    return NULL;
}

void sl_set_param(struct sl_graph *g, struct sl_node *n, const char *name, const struct sl_const *value)
{
    assert(value);
    struct sl_param *p = find_param(n, name);
    if (!p) {
        n->params = sl_grow(g->arena, n->params, n->n_params, sizeof *n->params);
        p = &n->params[n->n_params++];
        p->name = sl_arena_strdup(g->arena, name);
    }
    p->value = value;
}

void sl_remove_param(struct sl_node *n, const char *name)
{
    struct sl_param *p = find_param(n, name);
    if (!p)
        return;
    struct sl_param *end = n->params + n->n_params;
    memmove(p, p + 1, (size_t)(end - p - 1) * sizeof *p);
    n->n_params--;
}

const struct sl_const *sl_param(const struct sl_node *n, const char *name)
{
    const struct sl_param *p = find_param(n, name);
    return p ? p->value : NULL;
}
