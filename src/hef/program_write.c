/* program_write.c: programs -> payload bytes (docs/formats.md). Before it: compile/ builds programs. After it: hef_write.c
 * wraps the payload into the container; program_read.c is its mirror. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "hef/payload.h"
#include "hef/payload_format.h"

/* ---- the pool: each distinct payload once, in order of first use ---- */

struct pool_entry {
    uint64_t hash;
    const void *data;
    size_t bytes;
    uint64_t offset;
};

struct pool {
    sl_arena *a;
    struct pool_entry *entries;
    size_t n, capacity;
    uint32_t *slots; /* open addressing: entry index + 1; capacity is a power of two, at most half full */
    size_t n_slots;
    uint64_t bytes;
};

static void pool_rehash(struct pool *p)
{
    p->n_slots = p->n_slots ? p->n_slots * 2 : 256;
    p->slots = SL_NEW_ARRAY(p->a, uint32_t, p->n_slots);
    for (size_t i = 0; i < p->n; i++) {
        size_t s = p->entries[i].hash & (p->n_slots - 1);
        while (p->slots[s])
            s = (s + 1) & (p->n_slots - 1);
        p->slots[s] = (uint32_t)i + 1;
    }
}

/* Index of the entry that holds these bytes, made when new. */
static size_t pool_find(struct pool *p, const void *data, size_t bytes)
{
    uint64_t hash = sl_hash64(data, bytes);
    if (2 * (p->n + 1) > p->n_slots)
        pool_rehash(p);
    size_t s = hash & (p->n_slots - 1);
    for (; p->slots[s]; s = (s + 1) & (p->n_slots - 1)) {
        const struct pool_entry *it = &p->entries[p->slots[s] - 1];
        if (it->hash == hash && it->bytes == bytes && memcmp(it->data, data, bytes) == 0)
            return p->slots[s] - 1;
    }
    if (p->n == p->capacity) {
        struct pool_entry *old = p->entries;
        p->capacity = p->capacity ? p->capacity * 2 : 64;
        p->entries = SL_NEW_ARRAY(p->a, struct pool_entry, p->capacity);
        if (p->n)
            memcpy(p->entries, old, p->n * sizeof(*old));
    }
    uint64_t align = bytes <= SL_POOL_ALIGN_SPLAT ? SL_POOL_ALIGN_SPLAT : SL_POOL_ALIGN;
    uint64_t offset = (p->bytes + align - 1) / align * align;
    p->entries[p->n] = (struct pool_entry){hash, data, bytes, offset};
    p->bytes = offset + bytes;
    p->slots[s] = (uint32_t)++p->n;
    return p->n - 1;
}

static int by_offset(const void *a, const void *b)
{
    const struct sl_byte_range *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sorted, with neighbours joined: entries that touch but for alignment are one range. */
static size_t join_ranges(struct sl_byte_range *r, size_t n)
{
    size_t kept = 0;
    qsort(r, n, sizeof(*r), by_offset);
    for (size_t i = 0; i < n; i++) {
        if (kept && r[i].offset < r[kept - 1].offset + r[kept - 1].bytes + SL_POOL_ALIGN)
            r[kept - 1].bytes = SL_MAX(r[kept - 1].offset + r[kept - 1].bytes, r[i].offset + r[i].bytes) - r[kept - 1].offset;
        else
            r[kept++] = r[i];
    }
    return kept;
}

/* Pool entry of each constant of a program. Constants are entered by the instructions that use them, in order, so that a
 * context's constants lie together; what no instruction uses (alternatives) follows. */
static size_t *place_constants(struct pool *pool, const struct sl_program *p, struct sl_payload_part *part)
{
    sl_arena *a = pool->a;
    size_t *entry = SL_NEW_ARRAY(a, size_t, p->n_consts);
    bool *placed = SL_NEW_ARRAY(a, bool, p->n_consts);
    part->n_contexts = p->n_contexts;
    part->contexts = SL_NEW_ARRAY(a, struct sl_context_ranges, p->n_contexts);
    for (uint32_t first = 0, end; first < p->n_insns; first = end) {
        size_t uses = 0;
        struct sl_context_ranges *c = &part->contexts[p->insns[first].context];
        for (end = first; end < p->n_insns && p->insns[end].context == p->insns[first].context; end++)
            uses += p->insns[end].n_consts;
        c->ranges = SL_NEW_ARRAY(a, struct sl_byte_range, uses);
        for (uint32_t i = first; i < end; i++)
            for (int k = 0; k < p->insns[i].n_consts; k++) {
                uint32_t id = p->insns[i].consts[k];
                if (id == SL_NO_CONST)
                    continue;
                if (!placed[id])
                    entry[id] = pool_find(pool, p->consts[id].data, p->consts[id].bytes);
                placed[id] = true;
                c->ranges[c->n++] = (struct sl_byte_range){pool->entries[entry[id]].offset, pool->entries[entry[id]].bytes};
            }
        c->n = join_ranges(c->ranges, c->n);
    }
    for (uint32_t id = 0; id < p->n_consts; id++)
        if (!placed[id])
            entry[id] = pool_find(pool, p->consts[id].data, p->consts[id].bytes);
    return entry;
}

/* ---- strings ---- */

struct strings {
    sl_arena *a;
    struct sl_map *offsets;
    struct sl_buffer bytes;
};

static uint32_t string_offset(struct strings *s, const char *text)
{
    text = text ? text : "";
    uint32_t *known = sl_map_get(s->offsets, text);
    if (known)
        return *known;
    known = SL_NEW(s->a, uint32_t);
    *known = (uint32_t)s->bytes.size;
    sl_map_set(s->offsets, text, known);
    sl_put(&s->bytes, text, strlen(text) + 1);
    return *known;
}

/* ---- records ---- */

static void put_dims(struct sl_buffer *b, const struct sl_shape *s)
{
    for (int i = 0; i < s->rank; i++)
        sl_put_u64(b, (uint64_t)s->dim[i]);
}

static void put_tensor(struct sl_buffer *b, struct strings *names, const struct sl_program_tensor *t)
{
    sl_put_u32(b, string_offset(names, t->name));
    sl_put_u8(b, (uint8_t)t->dtype);
    sl_put_u8(b, (uint8_t)t->shape.rank);
    sl_put_u16(b, 0);
    sl_put_f32(b, t->scale);
    sl_put_u32(b, (uint32_t)t->zero_point);
    sl_put_u32(b, t->extent_scalar);
    sl_put_u32(b, t->extent_axis);
    sl_put_u32(b, (uint32_t)t->n_scales);
    put_dims(b, &t->shape);
    for (int i = 0; i < t->n_scales; i++)
        sl_put_f32(b, t->scales[i]);
}

static void put_const(struct sl_buffer *b, const struct sl_program_const *c, const struct pool_entry *at)
{
    sl_put_u8(b, (uint8_t)c->dtype);
    sl_put_u8(b, c->splat ? 1 : 0);
    sl_put_u8(b, (uint8_t)c->shape.rank);
    sl_put_u8(b, 0);
    sl_put_u32(b, 0);
    sl_put_u64(b, at->offset);
    sl_put_u64(b, at->bytes);
    sl_put_u64(b, at->hash);
    put_dims(b, &c->shape);
}

static void put_insn(struct sl_buffer *b, const struct sl_insn *i)
{
    sl_put_u16(b, i->opcode);
    sl_put_u16(b, i->n_consts);
    sl_put_u16(b, i->n_ints);
    sl_put_u16(b, i->n_floats);
    sl_put_u32(b, i->n_in);
    sl_put_u32(b, i->out);
    for (int k = 0; k < i->n_in; k++)
        sl_put_u32(b, i->in[k]);
    for (int k = 0; k < i->n_consts; k++)
        sl_put_u32(b, i->consts[k]);
    for (int k = 0; k < i->n_ints; k++)
        sl_put_u64(b, (uint64_t)i->ints[k]);
    for (int k = 0; k < i->n_floats; k++)
        sl_put_f64(b, i->floats[k]);
}

static void put_port(struct sl_buffer *b, struct strings *names, const struct sl_program_port *p)
{
    sl_put_u32(b, string_offset(names, p->name));
    sl_put_u32(b, p->tensor);
    sl_put_u32(b, string_offset(names, p->origin_name));
    sl_put_u8(b, (uint8_t)p->origin_dtype);
    sl_put_u8(b, (uint8_t)p->origin_shape.rank);
    sl_put_u16(b, 0);
    for (int i = 0; i < SL_MAX_RANK; i++)
        sl_put_u8(b, (uint8_t)p->perm[i]);
    put_dims(b, &p->origin_shape);
}

static void put_contexts(struct sl_buffer *b, const struct sl_program *p)
{
    uint32_t first = 0;
    for (uint32_t c = 0; c < p->n_contexts; c++) {
        uint32_t end = first;
        while (end < p->n_insns && p->insns[end].context == c)
            end++;
        sl_put_u32(b, first);
        sl_put_u32(b, end - first);
        first = end;
    }
}

static void put_alternative(struct sl_buffer *b, struct strings *names, const struct sl_program_alternative *v)
{
    sl_put_u32(b, string_offset(names, v->name));
    sl_put_u32(b, v->insn);
    sl_put_u32(b, v->n_consts);
    for (uint32_t k = 0; k < v->n_consts; k++) {
        sl_put_u32(b, v->slots[k]);
        sl_put_u32(b, v->consts[k]);
    }
}

static void put_state(struct sl_buffer *b, struct strings *names, const struct sl_program_state *s)
{
    sl_put_u32(b, string_offset(names, s->name));
    sl_put_u32(b, s->id);
    sl_put_u8(b, (uint8_t)s->dtype);
    sl_put_u8(b, (uint8_t)s->entry.rank);
    sl_put_u16(b, 0);
    sl_put_u64(b, (uint64_t)s->length);
    put_dims(b, &s->entry);
}

/* ---- a program ---- */

static void put_program(struct sl_buffer *out, sl_arena *a, const struct sl_program *p, const struct pool *pool,
                        const size_t *entry)
{
    struct strings names = {a, sl_map_new(a), {0}};
    struct sl_buffer body[SL_SECTION_COUNT] = {0};
    uint32_t counts[SL_SECTION_COUNT] = {
        [SL_SECTION_TENSORS] = p->n_tensors, [SL_SECTION_CONSTS] = p->n_consts,   [SL_SECTION_INSNS] = p->n_insns,
        [SL_SECTION_INPUTS] = p->n_inputs,   [SL_SECTION_OUTPUTS] = p->n_outputs, [SL_SECTION_CONTEXTS] = p->n_contexts,
        [SL_SECTION_STATES] = p->n_states,   [SL_SECTION_SCALARS] = p->n_scalars, [SL_SECTION_ALTERNATIVES] = p->n_alternatives,
    };
    string_offset(&names, ""); /* so that the section is never empty */
    uint32_t name = string_offset(&names, p->name);

    for (uint32_t i = 0; i < p->n_tensors; i++)
        put_tensor(&body[SL_SECTION_TENSORS], &names, &p->tensors[i]);
    for (uint32_t i = 0; i < p->n_consts; i++)
        put_const(&body[SL_SECTION_CONSTS], &p->consts[i], &pool->entries[entry[i]]);
    for (uint32_t i = 0; i < p->n_insns; i++)
        put_insn(&body[SL_SECTION_INSNS], &p->insns[i]);
    for (uint32_t i = 0; i < p->n_inputs; i++)
        put_port(&body[SL_SECTION_INPUTS], &names, &p->inputs[i]);
    for (uint32_t i = 0; i < p->n_outputs; i++)
        put_port(&body[SL_SECTION_OUTPUTS], &names, &p->outputs[i]);
    put_contexts(&body[SL_SECTION_CONTEXTS], p);
    for (uint32_t i = 0; i < p->n_states; i++)
        put_state(&body[SL_SECTION_STATES], &names, &p->states[i]);
    for (uint32_t i = 0; i < p->n_scalars; i++) {
        struct sl_buffer *b = &body[SL_SECTION_SCALARS];
        sl_put_u32(b, string_offset(&names, p->scalars[i].name));
        sl_put_u32(b, p->scalars[i].id);
        sl_put_u64(b, (uint64_t)p->scalars[i].maximum);
    }
    for (uint32_t i = 0; i < p->n_alternatives; i++)
        put_alternative(&body[SL_SECTION_ALTERNATIVES], &names, &p->alternatives[i]);
    sl_buffer_free(&body[SL_SECTION_STRINGS]);
    body[SL_SECTION_STRINGS] = names.bytes;
    counts[SL_SECTION_STRINGS] = (uint32_t)names.bytes.size;

    sl_put_u32(out, SL_PROGRAM_MAGIC);
    sl_put_u16(out, SL_PAYLOAD_VERSION);
    sl_put_u16(out, SL_SECTION_COUNT);
    sl_put_u32(out, name);
    sl_put_u32(out, 0);
    uint64_t offset = SL_PROGRAM_HEADER_BYTES + SL_SECTION_COUNT * SL_SECTION_ENTRY_BYTES;
    for (int k = 0; k < SL_SECTION_COUNT; k++) {
        sl_put_u32(out, (uint32_t)k);
        sl_put_u32(out, counts[k]);
        sl_put_u64(out, offset);
        sl_put_u64(out, body[k].size);
        offset += (body[k].size + 7) / 8 * 8;
    }
    for (int k = 0; k < SL_SECTION_COUNT; k++) {
        out->failed |= body[k].failed;
        sl_put(out, body[k].data, body[k].size);
        sl_put_zeros(out, (8 - body[k].size % 8) % 8);
        sl_buffer_free(&body[k]);
    }
}

/* The header's fields that depend on what follows it are patched in when that is known. */
static void patch_u64(struct sl_buffer *b, size_t at, uint64_t v)
{
    for (int i = 0; i < 8 && !b->failed; i++)
        b->data[at + (size_t)i] = (uint8_t)(v >> (8 * i));
}

sluice_status sl_payload_write(sl_arena *a, const struct sl_program *const *programs, size_t n, struct sl_buffer *out,
                               struct sl_payload_part **parts, sl_err *e)
{
    struct pool pool = {.a = a};
    struct sl_payload_part *part = SL_NEW_ARRAY(a, struct sl_payload_part, n);
    size_t **entries = SL_NEW_ARRAY(a, size_t *, n);
    size_t start = out->size;
    for (size_t i = 0; i < n; i++)
        entries[i] = place_constants(&pool, programs[i], &part[i]);

    sl_put(out, SL_PAYLOAD_MAGIC, SL_PAYLOAD_MAGIC_BYTES);
    sl_put_u16(out, SL_PAYLOAD_VERSION);
    sl_put_u16(out, 0);
    sl_put_u32(out, (uint32_t)n);
    sl_put_zeros(out, SL_PAYLOAD_HEADER_BYTES - 16); /* pool offset, pool bytes, hash: patched below */
    sl_put_zeros(out, n * SL_PAYLOAD_ENTRY_BYTES);
    for (size_t i = 0; i < n; i++) {
        part[i].program.offset = out->size - start;
        put_program(out, a, programs[i], &pool, entries[i]);
        part[i].program.bytes = out->size - start - part[i].program.offset;
        size_t entry_at = start + SL_PAYLOAD_HEADER_BYTES + i * SL_PAYLOAD_ENTRY_BYTES;
        patch_u64(out, entry_at, part[i].program.offset);
        patch_u64(out, entry_at + 8, part[i].program.bytes);
    }
    sl_put_zeros(out, (SL_POOL_ALIGN - (out->size - start) % SL_POOL_ALIGN) % SL_POOL_ALIGN);
    uint64_t pool_offset = out->size - start;
    sl_buffer_reserve(out, pool.bytes);
    for (size_t i = 0; i < pool.n && !out->failed; i++) {
        sl_put_zeros(out, pool_offset + pool.entries[i].offset - (out->size - start));
        sl_put(out, pool.entries[i].data, pool.entries[i].bytes);
    }
    if (out->failed)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for a program of %llu bytes",
                       (unsigned long long)(pool_offset + pool.bytes));
    patch_u64(out, start + 16, pool_offset);
    patch_u64(out, start + 24, pool.bytes);
    patch_u64(out, start + 32,
              sl_hash64(out->data + start + SL_PAYLOAD_HEADER_BYTES, (size_t)pool_offset - SL_PAYLOAD_HEADER_BYTES));
    for (size_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < part[i].n_contexts; c++)
            for (size_t r = 0; r < part[i].contexts[c].n; r++)
                part[i].contexts[c].ranges[r].offset += pool_offset;
    if (parts)
        *parts = part;
    return SLUICE_OK;
}
