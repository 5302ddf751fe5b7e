/*
 * memory_plan.c: offsets for tensors. First tensors that can share one buffer are joined into groups: a reshape is its input,
 * an elementwise result may take its dying input's place, parts of a concat over the outermost axes lie in its output. Then
 * groups are placed by size into the lowest fitting gap among those alive at the same time. Two ways are tried and the smaller
 * is kept. Before it: device_verify.c. After it: steps.c.
 */
#include "device/memory_plan.h"

#include <stdlib.h>
#include <string.h>

#include "hef/isa.h"

enum { NO_GROUP = UINT32_MAX, NEVER = UINT32_MAX, MANY = 4096 };

struct group {
    enum sl_place_kind kind;
    uint32_t which;       /* input port or constant */
    uint32_t first, last; /* instructions that write it first and use it last; outputs: NEVER */
    uint64_t bytes, offset;
    uint32_t members; /* head of a list of tensors through `next` */
};

struct planning {
    const struct sl_program *p;
    sl_arena *a;
    uint32_t *last_use;   /* by tensor: instruction, NEVER for outputs */
    uint32_t *group_of;   /* by tensor */
    uint64_t *offset;     /* by tensor: within its group */
    uint32_t *next;       /* list of members */
    struct group *groups; /* at most one a tensor */
    uint32_t n_groups;
    bool keep_all, join_concats;
};

uint64_t sl_tensor_bytes(const struct sl_program_tensor *t)
{
    return (uint64_t)sl_shape_elements(&t->shape) * (t->dtype == SL_U16 ? 2 : 1);
}

/* ---- groups ---- */

static void new_group(struct planning *w, uint32_t tensor, enum sl_place_kind kind, uint32_t which, uint32_t first)
{
    w->groups[w->n_groups] =
        (struct group){kind, which, first, w->last_use[tensor], sl_tensor_bytes(&w->p->tensors[tensor]), 0, tensor};
    w->group_of[tensor] = w->n_groups++;
    w->offset[tensor] = 0;
    w->next[tensor] = SL_NO_TENSOR;
}

/* Tensor t joins group g at an offset. */
static void join(struct planning *w, uint32_t t, uint32_t g, uint64_t offset)
{
    w->group_of[t] = g;
    w->offset[t] = offset;
    w->next[t] = w->groups[g].members;
    w->groups[g].members = t;
    w->groups[g].last = SL_MAX(w->groups[g].last, w->last_use[t]);
}

/* All of group `from` moves into `to` at an offset. */
static void merge(struct planning *w, uint32_t from, uint32_t to, uint64_t offset)
{
    struct group *f = &w->groups[from];
    uint32_t t = f->members;
    w->groups[to].first = SL_MIN(w->groups[to].first, f->first);
    while (t != SL_NO_TENSOR) {
        uint32_t following = w->next[t];
        join(w, t, to, offset + w->offset[t]);
        t = following;
    }
    f->kind = SL_PLACE_NONE;
    f->members = SL_NO_TENSOR;
}

/* An elementwise instruction may write over input k when that is the whole of its group, has the output's layout, and dies
 * here. The other input must not see the change: it is elsewhere, or the same tensor read at the same positions. */
static bool can_overwrite(const struct planning *w, uint32_t index, int k)
{
    const struct sl_insn *i = &w->p->insns[index];
    const struct sl_program_tensor *in = &w->p->tensors[i->in[k]], *out = &w->p->tensors[i->out];
    const struct group *g = &w->groups[w->group_of[i->in[k]]];
    if (g->kind != SL_PLACE_WORKSPACE || g->last != index || in->dtype != out->dtype ||
        !sl_shape_equal(&in->shape, &out->shape) || w->offset[i->in[k]] != 0 || g->bytes != sl_tensor_bytes(in))
        return false;
    uint32_t other = i->n_in == 2 ? i->in[1 - k] : i->in[k];
    return other == i->in[k] || w->group_of[other] != w->group_of[i->in[k]];
}

static bool is_elementwise(enum sl_insn_form f)
{
    return f == SL_FORM_lookup || f == SL_FORM_requantize || f == SL_FORM_sum || f == SL_FORM_product;
}

/* Parts follow each other in memory when all axes before the concat's are 1. */
static bool is_contiguous_concat(const struct sl_program *p, const struct sl_insn *i)
{
    const struct sl_shape *s = &p->tensors[i->out].shape;
    for (int k = 0; k < i->ints[SL_I_concat_axis]; k++)
        if (s->dim[k] != 1)
            return false;
    return true;
}

static void join_concat(struct planning *w, const struct sl_insn *i)
{
    uint32_t out = w->group_of[i->out];
    uint64_t offset = 0;
    for (int k = 0; k < i->n_in; k++) {
        uint32_t g = w->group_of[i->in[k]];
        uint64_t bytes = sl_tensor_bytes(&w->p->tensors[i->in[k]]);
        /* Only a part that is its whole group: then nothing beside it moves along. */
        if (g != out && w->groups[g].kind == SL_PLACE_WORKSPACE && w->groups[g].bytes == bytes && w->offset[i->in[k]] == 0)
            merge(w, g, out, offset);
        offset += bytes;
    }
}

static void place_insn(struct planning *w, uint32_t index)
{
    const struct sl_insn *i = &w->p->insns[index];
    enum sl_insn_form form = sl_insn_info(i->opcode)->form;
    if (form == SL_FORM_constant) {
        new_group(w, i->out, SL_PLACE_CONSTANT, i->consts[SL_K_constant_data], index);
        return;
    }
    if (!w->keep_all && i->opcode == SL_INSN_reshape) {
        join(w, i->out, w->group_of[i->in[0]], w->offset[i->in[0]]);
        return;
    }
    for (int k = 0; !w->keep_all && is_elementwise(form) && k < i->n_in; k++)
        if (can_overwrite(w, index, k)) {
            join(w, i->out, w->group_of[i->in[k]], 0);
            return;
        }
    new_group(w, i->out, SL_PLACE_WORKSPACE, 0, index);
    if (!w->keep_all && w->join_concats && form == SL_FORM_concat && is_contiguous_concat(w->p, i))
        join_concat(w, i);
}

static void make_groups(struct planning *w)
{
    const struct sl_program *p = w->p;
    w->n_groups = 0;
    for (uint32_t t = 0; t < p->n_tensors; t++) {
        w->last_use[t] = 0;
        w->group_of[t] = NO_GROUP;
    }
    for (uint32_t i = 0; i < p->n_insns; i++) {
        for (int k = 0; k < p->insns[i].n_in; k++)
            w->last_use[p->insns[i].in[k]] = i;
        w->last_use[p->insns[i].out] = i;
    }
    for (uint32_t t = 0; w->keep_all && t < p->n_tensors; t++)
        w->last_use[t] = NEVER;
    for (uint32_t k = 0; k < p->n_outputs; k++)
        w->last_use[p->outputs[k].tensor] = NEVER;
    for (uint32_t k = 0; k < p->n_inputs; k++)
        new_group(w, p->inputs[k].tensor, w->keep_all ? SL_PLACE_WORKSPACE : SL_PLACE_INPUT, k, 0);
    for (uint32_t i = 0; i < p->n_insns; i++)
        place_insn(w, i);
}

/* ---- offsets ---- */

static bool overlap(const struct group *a, const struct group *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + SL_PLAN_ALIGN - 1) / SL_PLAN_ALIGN * SL_PLAN_ALIGN;
}

static int by_size(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int by_time(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return by_size(a, b);
}

/* The smallest gap that holds g between the groups of `placed` (in order of offset) that are alive with it, else above them. */
static uint64_t find_gap(const struct group *g, struct group *const *placed, uint32_t n)
{
    uint64_t bytes = aligned(g->bytes), at = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
    for (uint32_t k = 0; k < n; k++) {
        const struct group *o = placed[k];
        if (!overlap(g, o))
            continue;
        if (o->offset >= at + bytes && o->offset - at < best_gap) {
            best_gap = o->offset - at;
            best = at;
        }
        at = SL_MAX(at, o->offset + aligned(o->bytes));
    }
    return best == UINT64_MAX ? at : best;
}

static void insert(struct group **placed, uint32_t n, struct group *g)
{
    uint32_t k = n;
    for (; k > 0 && placed[k - 1]->offset > g->offset; k--)
        placed[k] = placed[k - 1];
    placed[k] = g;
}

/* The largest first: near the lower bound, in time quadratic in the number of groups. */
static uint64_t place_by_size(struct group **order, uint32_t n, struct group **placed)
{
    uint64_t top = 0;
    qsort(order, n, sizeof(*order), by_size);
    for (uint32_t i = 0; i < n; i++) {
        order[i]->offset = find_gap(order[i], placed, i);
        top = SL_MAX(top, order[i]->offset + aligned(order[i]->bytes));
        insert(placed, i, order[i]);
    }
    return top;
}

/* In order of time: groups that died are forgotten, so that a long network costs no more a group than a short one. Where very
 * many are alive at once, each goes above all others. */
static uint64_t place_by_time(struct group **order, uint32_t n, struct group **placed)
{
    uint64_t top = 0;
    uint32_t alive = 0;
    qsort(order, n, sizeof(*order), by_time);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t kept = 0;
        for (uint32_t k = 0; alive <= MANY && k < alive; k++)
            if (placed[k]->last >= order[i]->first)
                placed[kept++] = placed[k];
        if (alive <= MANY) {
            alive = kept;
            order[i]->offset = find_gap(order[i], placed, alive);
            insert(placed, alive++, order[i]);
        } else {
            order[i]->offset = top;
        }
        top = SL_MAX(top, order[i]->offset + aligned(order[i]->bytes));
    }
    return top;
}

/* Lower bound: sum of the groups alive at each instruction. */
static uint64_t most_alive(const struct planning *w, int64_t *change)
{
    int64_t now = 0, most = 0;
    memset(change, 0, ((size_t)w->p->n_insns + 2) * sizeof(*change));
    for (uint32_t g = 0; g < w->n_groups; g++) {
        const struct group *k = &w->groups[g];
        if (k->kind != SL_PLACE_WORKSPACE)
            continue;
        change[k->first] += (int64_t)k->bytes;
        change[SL_MIN(k->last, w->p->n_insns) + 1] -= (int64_t)k->bytes;
    }
    for (uint32_t i = 0; i <= w->p->n_insns; i++) {
        now += change[i];
        most = SL_MAX(most, now);
    }
    return (uint64_t)most;
}

static uint64_t place_all(struct planning *w, struct group **order, struct group **placed)
{
    uint32_t n = 0;
    for (uint32_t g = 0; g < w->n_groups; g++)
        if (w->groups[g].kind == SL_PLACE_WORKSPACE)
            order[n++] = &w->groups[g];
    if (w->keep_all) { /* nothing shares: one after the other */
        uint64_t at = 0;
        for (uint32_t i = 0; i < n; i++) {
            order[i]->offset = at;
            at += aligned(order[i]->bytes);
        }
        return at;
    }
    uint64_t timely = place_by_time(order, n, placed);
    if (n > MANY)
        return timely;
    uint64_t sized = place_by_size(order, n, placed);
    return sized <= timely ? sized : place_by_time(order, n, placed);
}

static void write_places(const struct planning *w, struct sl_place *places)
{
    for (uint32_t t = 0; t < w->p->n_tensors; t++) {
        places[t] = (struct sl_place){SL_PLACE_NONE, 0, 0};
        if (w->group_of[t] == NO_GROUP)
            continue;
        const struct group *g = &w->groups[w->group_of[t]];
        places[t] = (struct sl_place){g->kind, g->which, g->offset + w->offset[t]};
    }
}

sluice_status sl_plan_memory(sl_arena *a, const struct sl_program *p, bool keep_all, struct sl_memory_plan *out, sl_err *e)
{
    size_t n = p->n_tensors ? p->n_tensors : 1;
    out->places = sl_arena_alloc(a, n * sizeof(*out->places));
    sl_arena *scratch = sl_arena_new();
    struct planning w = {.p = p, .a = scratch, .keep_all = keep_all, .join_concats = true};
    w.last_use = sl_arena_alloc(scratch, n * sizeof(uint32_t));
    w.group_of = sl_arena_alloc(scratch, n * sizeof(uint32_t));
    w.next = sl_arena_alloc(scratch, n * sizeof(uint32_t));
    w.offset = sl_arena_alloc(scratch, n * sizeof(uint64_t));
    w.groups = sl_arena_alloc(scratch, n * sizeof(*w.groups));
    struct group **order = sl_arena_alloc(scratch, n * sizeof(*order)), **placed = sl_arena_alloc(scratch, n * sizeof(*placed));
    int64_t *change = sl_arena_alloc(scratch, ((size_t)p->n_insns + 2) * sizeof(*change));
    if (!out->places || !w.last_use || !w.group_of || !w.next || !w.offset || !w.groups || !order || !placed || !change) {
        sl_arena_free(scratch);
        return sl_fail(e, SLUICE_E_MEMORY, "no memory to plan %u tensors", p->n_tensors);
    }
    /* Joined concats save copies, but may keep more alive: they are dropped where they cost memory. */
    make_groups(&w);
    uint64_t joined = place_all(&w, order, placed);
    write_places(&w, out->places);
    out->bytes = joined;
    out->live_bytes = most_alive(&w, change);
    if (!keep_all && joined > out->live_bytes) {
        w.join_concats = false;
        make_groups(&w);
        uint64_t apart = place_all(&w, order, placed);
        out->live_bytes = SL_MIN(out->live_bytes, most_alive(&w, change));
        if (apart < joined) {
            out->bytes = apart;
            write_places(&w, out->places);
        }
    }
    sl_arena_free(scratch);
    return SLUICE_OK;
}

bool sl_plan_concat_in_place(const struct sl_program *p, const struct sl_memory_plan *plan, const struct sl_insn *i, int k,
                             uint64_t offset)
{
    const struct sl_place *part = &plan->places[i->in[k]], *out = &plan->places[i->out];
    return part->kind == SL_PLACE_WORKSPACE && out->kind == SL_PLACE_WORKSPACE && is_contiguous_concat(p, i) &&
           part->offset == out->offset + offset;
}
