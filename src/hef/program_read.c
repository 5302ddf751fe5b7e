/*
 * program_read.c: payload bytes -> programs (docs/formats.md). Every offset, count and reference is compared with the bytes at
 * hand before it is followed or allocated for; names and constants stay views of the bytes. What the instructions mean is
 * checked by the device's verifier. Mirror of program_write.c.
 */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "hef/payload.h"
#include "hef/payload_format.h"

/* What reading one program needs at hand. */
struct reading {
    sl_arena *a;
    sl_err *e;
    unsigned flags;
    struct sl_view bytes; /* of the program */
    struct sl_view pool;
    struct sl_view section[SL_SECTION_COUNT];
    uint32_t count[SL_SECTION_COUNT];
    struct sl_program *p;
};

static const char *const section_names[SL_SECTION_COUNT] = {"strings", "tensors",  "constants", "instructions", "inputs",
                                                            "outputs", "contexts", "states",    "scalars",      "alternatives"};

static sluice_status refused(struct reading *r, const char *what)
{
    return sl_fail(r->e, SLUICE_E_MEMORY, "no memory for the %s of a program", what);
}

/* ---- fields ---- */

/* A string of the strings section, which ends in 0. */
static const char *read_string(struct reading *r, struct sl_reader *in)
{
    uint32_t offset = sl_read_u32(in);
    if (offset >= r->section[SL_SECTION_STRINGS].size) {
        in->bad = true;
        return "";
    }
    return (const char *)r->section[SL_SECTION_STRINGS].data + offset;
}

static enum sl_dtype read_dtype(struct sl_reader *in)
{
    uint8_t t = sl_read_u8(in);
    in->bad |= t >= SL_DTYPE_COUNT;
    return t < SL_DTYPE_COUNT ? (enum sl_dtype)t : SL_NONE;
}

static int read_rank(struct sl_reader *in)
{
    uint8_t rank = sl_read_u8(in);
    in->bad |= rank > SL_MAX_RANK;
    return rank > SL_MAX_RANK ? 0 : rank;
}

static void read_dims(struct sl_reader *in, struct sl_shape *s)
{
    size_t elements;
    for (int i = 0; i < s->rank; i++)
        s->dim[i] = (int64_t)sl_read_u64(in);
    in->bad |= !sl_shape_count(s, &elements);
}

static void read_zero(struct sl_reader *in, int bytes)
{
    while (bytes--)
        in->bad |= sl_read_u8(in) != 0;
}

static uint32_t *read_u32s(struct reading *r, struct sl_reader *in, size_t n)
{
    if (n > sl_left(in) / 4) {
        in->bad = true;
        return NULL;
    }
    uint32_t *v = sl_arena_alloc(r->a, n * sizeof(*v));
    for (size_t i = 0; v && i < n; i++)
        v[i] = sl_read_u32(in);
    in->bad |= v == NULL;
    return v;
}

/* ---- records ---- */

static void read_tensor(struct reading *r, struct sl_reader *in, uint32_t index)
{
    struct sl_program_tensor *t = &r->p->tensors[index];
    t->name = read_string(r, in);
    t->dtype = read_dtype(in);
    t->shape.rank = read_rank(in);
    read_zero(in, 2);
    t->scale = sl_read_f32(in);
    t->zero_point = (int32_t)sl_read_u32(in);
    t->extent_scalar = sl_read_u32(in);
    t->extent_axis = sl_read_u32(in);
    uint32_t n_scales = sl_read_u32(in);
    read_dims(in, &t->shape);
    if (in->bad || n_scales > sl_left(in) / 4) {
        in->bad = true;
        return;
    }
    if (n_scales == 0)
        return;
    float *scales = sl_arena_alloc(r->a, n_scales * sizeof(float));
    for (uint32_t i = 0; scales && i < n_scales; i++)
        scales[i] = sl_read_f32(in);
    in->bad |= scales == NULL;
    t->scales = scales;
    t->n_scales = scales ? (int)n_scales : 0;
}

static void read_const(struct reading *r, struct sl_reader *in, uint32_t index)
{
    struct sl_program_const *c = &r->p->consts[index];
    c->dtype = read_dtype(in);
    uint8_t splat = sl_read_u8(in);
    c->splat = splat == 1;
    c->shape.rank = read_rank(in);
    read_zero(in, 5);
    uint64_t offset = sl_read_u64(in), bytes = sl_read_u64(in);
    c->hash = sl_read_u64(in);
    read_dims(in, &c->shape);
    struct sl_shape one = {0};
    size_t wanted;
    if (in->bad || splat > 1 || c->dtype == SL_NONE || !sl_bytes_of(c->dtype, c->splat ? &one : &c->shape, &wanted) ||
        bytes != wanted) {
        sl_fail(r->e, SLUICE_E_FORMAT, "constant %u: its bytes do not fit its type and shape", index);
        in->bad = true;
        return;
    }
    uint64_t align = bytes <= SL_POOL_ALIGN_SPLAT ? SL_POOL_ALIGN_SPLAT : SL_POOL_ALIGN;
    if (offset > r->pool.size || bytes > r->pool.size - offset || offset % align) {
        sl_fail(r->e, SLUICE_E_FORMAT,
                "constant %u: %" PRIu64 " bytes at %" PRIu64 " lie outside the pool of %zu bytes or off its alignment", index,
                bytes, offset, r->pool.size);
        in->bad = true;
        return;
    }
    c->data = r->pool.data + offset;
    c->bytes = (size_t)bytes;
    if (!(r->flags & SL_PAYLOAD_ANY_HASH) && sl_hash64(c->data, c->bytes) != c->hash) {
        sl_fail(r->e, SLUICE_E_FORMAT,
                "constant %u: its bytes do not have the hash that the program names: the file is damaged", index);
        in->bad = true;
    }
}

static void read_insn(struct reading *r, struct sl_reader *in, uint32_t index)
{
    struct sl_insn *i = &r->p->insns[index];
    i->opcode = sl_read_u16(in);
    i->n_consts = sl_read_u16(in);
    i->n_ints = sl_read_u16(in);
    i->n_floats = sl_read_u16(in);
    uint32_t n_in = sl_read_u32(in);
    i->out = sl_read_u32(in);
    if (n_in > UINT16_MAX)
        in->bad = true;
    if (in->bad)
        return;
    i->n_in = (uint16_t)n_in;
    i->in = read_u32s(r, in, n_in);
    i->consts = read_u32s(r, in, i->n_consts);
    size_t numbers = (size_t)i->n_ints + i->n_floats;
    if (in->bad || numbers > sl_left(in) / 8) {
        in->bad = true;
        return;
    }
    i->ints = sl_arena_alloc(r->a, i->n_ints * sizeof(int64_t));
    i->floats = sl_arena_alloc(r->a, i->n_floats * sizeof(double));
    if (i->ints == NULL || i->floats == NULL) {
        in->bad = true;
        return;
    }
    for (int k = 0; k < i->n_ints; k++)
        i->ints[k] = (int64_t)sl_read_u64(in);
    for (int k = 0; k < i->n_floats; k++)
        i->floats[k] = sl_read_f64(in);
}

static void read_port(struct reading *r, struct sl_reader *in, struct sl_program_port *p)
{
    p->name = read_string(r, in);
    p->tensor = sl_read_u32(in);
    p->origin_name = read_string(r, in);
    p->origin_dtype = read_dtype(in);
    p->origin_shape.rank = read_rank(in);
    read_zero(in, 2);
    for (int i = 0; i < SL_MAX_RANK; i++) {
        p->perm[i] = sl_read_u8(in);
        in->bad |= p->perm[i] >= SL_MAX_RANK;
    }
    read_dims(in, &p->origin_shape);
    in->bad |= p->tensor >= r->p->n_tensors;
}

static void read_input(struct reading *r, struct sl_reader *in, uint32_t index)
{
    read_port(r, in, &r->p->inputs[index]);
}

static void read_output(struct reading *r, struct sl_reader *in, uint32_t index)
{
    read_port(r, in, &r->p->outputs[index]);
}

/* Contexts tile the instructions in order. */
static void read_context(struct reading *r, struct sl_reader *in, uint32_t index)
{
    uint32_t first = sl_read_u32(in), n = sl_read_u32(in), expected = 0;
    if (index > 0) {
        struct sl_reader before = sl_reader_of(in->p - 2 * SL_CONTEXT_BYTES, SL_CONTEXT_BYTES);
        expected = sl_read_u32(&before);
        expected += sl_read_u32(&before);
    }
    bool last = index + 1 == r->p->n_contexts;
    if (in->bad || first != expected || n > r->p->n_insns - first || (last && first + n != r->p->n_insns)) {
        in->bad = true;
        return;
    }
    for (uint32_t i = first; i < first + n; i++)
        r->p->insns[i].context = index;
}

static void read_state(struct reading *r, struct sl_reader *in, uint32_t index)
{
    struct sl_program_state *s = &r->p->states[index];
    s->name = read_string(r, in);
    s->id = sl_read_u32(in);
    s->dtype = read_dtype(in);
    s->entry.rank = read_rank(in);
    read_zero(in, 2);
    s->length = (int64_t)sl_read_u64(in);
    read_dims(in, &s->entry);
    in->bad |= s->length < 0;
}

static void read_scalar(struct reading *r, struct sl_reader *in, uint32_t index)
{
    struct sl_program_scalar *s = &r->p->scalars[index];
    s->name = read_string(r, in);
    s->id = sl_read_u32(in);
    s->maximum = (int64_t)sl_read_u64(in);
}

static void read_alternative(struct reading *r, struct sl_reader *in, uint32_t index)
{
    struct sl_program_alternative *v = &r->p->alternatives[index];
    v->name = read_string(r, in);
    v->insn = sl_read_u32(in);
    v->n_consts = sl_read_u32(in);
    if (in->bad || v->insn >= r->p->n_insns || v->n_consts > sl_left(in) / 8) {
        in->bad = true;
        return;
    }
    v->slots = sl_arena_alloc(r->a, v->n_consts * sizeof(uint32_t));
    v->consts = sl_arena_alloc(r->a, v->n_consts * sizeof(uint32_t));
    if (v->slots == NULL || v->consts == NULL) {
        in->bad = true;
        return;
    }
    for (uint32_t k = 0; k < v->n_consts; k++) {
        v->slots[k] = sl_read_u32(in);
        v->consts[k] = sl_read_u32(in);
        in->bad |= v->slots[k] >= r->p->insns[v->insn].n_consts || v->consts[k] >= r->p->n_consts;
    }
}

/* ---- sections ---- */

/* Offsets follow each other without holes, padded to 8: one way to write a program, and no overlap. */
static sluice_status read_sections(struct reading *r)
{
    struct sl_reader in = sl_reader_of(r->bytes.data, r->bytes.size);
    if (sl_read_u32(&in) != SL_PROGRAM_MAGIC || in.bad)
        return sl_fail(r->e, SLUICE_E_FORMAT, "a program does not begin with its magic");
    unsigned version = sl_read_u16(&in), sections = sl_read_u16(&in);
    if (version != SL_PAYLOAD_VERSION || sections != SL_SECTION_COUNT)
        return sl_fail(r->e, SLUICE_E_UNSUPPORTED, "program version %u with %u sections: this build reads version %d with %d",
                       version, sections, SL_PAYLOAD_VERSION, SL_SECTION_COUNT);
    uint32_t name = sl_read_u32(&in);
    read_zero(&in, 4);
    uint64_t expected = SL_PROGRAM_HEADER_BYTES + SL_SECTION_COUNT * SL_SECTION_ENTRY_BYTES;
    for (int k = 0; k < SL_SECTION_COUNT; k++) {
        uint32_t kind = sl_read_u32(&in);
        r->count[k] = sl_read_u32(&in);
        uint64_t offset = sl_read_u64(&in), bytes = sl_read_u64(&in);
        if (in.bad || kind != (uint32_t)k || offset != expected || offset > r->bytes.size || bytes > r->bytes.size - offset)
            return sl_fail(r->e, SLUICE_E_FORMAT, "section '%s' of a program of %zu bytes is out of place", section_names[k],
                           r->bytes.size);
        r->section[k] = (struct sl_view){r->bytes.data + offset, (size_t)bytes};
        expected = offset + (bytes + 7) / 8 * 8;
    }
    const struct sl_view *strings = &r->section[SL_SECTION_STRINGS];
    if (strings->size == 0 || strings->data[strings->size - 1] != 0 || name >= strings->size)
        return sl_fail(r->e, SLUICE_E_FORMAT, "the strings section of a program does not end in 0");
    r->p->name = (const char *)strings->data + name;
    return SLUICE_OK;
}

struct section_reader {
    enum sl_section kind;
    size_t least_bytes, record_bytes; /* of a record in the file, in memory */
    size_t table, count;              /* offsets in struct sl_program; table SIZE_MAX: no array of its own */
    void (*read)(struct reading *r, struct sl_reader *in, uint32_t index);
};

#define AT(field) offsetof(struct sl_program, field)
static const struct section_reader readers[] = {
    {SL_SECTION_TENSORS, SL_TENSOR_BYTES, sizeof(struct sl_program_tensor), AT(tensors), AT(n_tensors), read_tensor},
    {SL_SECTION_CONSTS, SL_CONST_BYTES, sizeof(struct sl_program_const), AT(consts), AT(n_consts), read_const},
    {SL_SECTION_INSNS, SL_INSN_BYTES, sizeof(struct sl_insn), AT(insns), AT(n_insns), read_insn},
    {SL_SECTION_INPUTS, SL_PORT_BYTES, sizeof(struct sl_program_port), AT(inputs), AT(n_inputs), read_input},
    {SL_SECTION_OUTPUTS, SL_PORT_BYTES, sizeof(struct sl_program_port), AT(outputs), AT(n_outputs), read_output},
    {SL_SECTION_CONTEXTS, SL_CONTEXT_BYTES, 0, SIZE_MAX, AT(n_contexts), read_context},
    {SL_SECTION_STATES, SL_STATE_BYTES, sizeof(struct sl_program_state), AT(states), AT(n_states), read_state},
    {SL_SECTION_SCALARS, SL_SCALAR_BYTES, sizeof(struct sl_program_scalar), AT(scalars), AT(n_scalars), read_scalar},
    {SL_SECTION_ALTERNATIVES, SL_ALTERNATIVE_BYTES, sizeof(struct sl_program_alternative), AT(alternatives), AT(n_alternatives),
     read_alternative},
};
#undef AT

static sluice_status read_section(struct reading *r, const struct section_reader *s)
{
    uint32_t n = r->count[s->kind];
    struct sl_reader in = sl_reader_of(r->section[s->kind].data, r->section[s->kind].size);
    if (n > sl_left(&in) / s->least_bytes)
        return sl_fail(r->e, SLUICE_E_FORMAT, "section '%s' names %u records in %zu bytes", section_names[s->kind], n,
                       sl_left(&in));
    if (s->table != SIZE_MAX) {
        void *table = sl_arena_alloc(r->a, (size_t)n * s->record_bytes);
        if (table == NULL)
            return refused(r, section_names[s->kind]);
        memcpy((char *)r->p + s->table, &table, sizeof(table));
    }
    memcpy((char *)r->p + s->count, &n, sizeof(n));
    for (uint32_t i = 0; i < n; i++) {
        size_t offset = sl_offset(&in);
        s->read(r, &in, i);
        if (in.bad)
            return sl_fail(r->e, SLUICE_E_FORMAT, "section '%s': record %u at offset %zu is damaged", section_names[s->kind], i,
                           offset);
    }
    if (sl_left(&in) != 0)
        return sl_fail(r->e, SLUICE_E_FORMAT, "section '%s' has %zu bytes after its last record", section_names[s->kind],
                       sl_left(&in));
    return SLUICE_OK;
}

static sluice_status read_program(struct reading *r)
{
    SL_TRY(read_sections(r));
    for (size_t i = 0; i < SL_COUNT(readers); i++)
        SL_TRY(read_section(r, &readers[i]));
    if (r->p->n_contexts == 0 && r->p->n_insns > 0)
        return sl_fail(r->e, SLUICE_E_FORMAT, "a program of %u instructions has no context", r->p->n_insns);
    r->p->arena = r->a;
    return SLUICE_OK;
}

/* ---- the payload ---- */

bool sl_payload_is(struct sl_view bytes)
{
    return bytes.size >= SL_PAYLOAD_MAGIC_BYTES && memcmp(bytes.data, SL_PAYLOAD_MAGIC, SL_PAYLOAD_MAGIC_BYTES) == 0;
}

static sluice_status aligned_view(sl_arena *a, struct sl_view *bytes, sl_err *e)
{
    if ((uintptr_t)bytes->data % 8 == 0)
        return SLUICE_OK;
    void *copy = sl_arena_alloc_aligned64(a, bytes->size);
    if (copy == NULL)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for a program of %zu bytes", bytes->size);
    memcpy(copy, bytes->data, bytes->size);
    bytes->data = copy;
    return SLUICE_OK;
}

sluice_status sl_payload_read(sl_arena *a, struct sl_view bytes, unsigned flags, struct sl_program **out, size_t *n, sl_err *e)
{
    if (!sl_payload_is(bytes))
        return sl_fail(e, SLUICE_E_FORMAT, "no sluice program: the payload does not begin with its magic");
    SL_TRY(aligned_view(a, &bytes, e));
    struct sl_reader in = sl_reader_of(bytes.data, bytes.size);
    sl_skip(&in, SL_PAYLOAD_MAGIC_BYTES);
    unsigned version = sl_read_u16(&in);
    read_zero(&in, 2);
    uint32_t count = sl_read_u32(&in);
    uint64_t pool_offset = sl_read_u64(&in), pool_bytes = sl_read_u64(&in), hash = sl_read_u64(&in);
    read_zero(&in, SL_PAYLOAD_HEADER_BYTES - 40);
    if (!in.bad && version != SL_PAYLOAD_VERSION)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "payload version %u: this build reads version %d", version, SL_PAYLOAD_VERSION);
    if (in.bad || pool_offset < SL_PAYLOAD_HEADER_BYTES || pool_offset % SL_POOL_ALIGN || pool_offset > bytes.size ||
        pool_bytes > bytes.size - pool_offset || count > (pool_offset - SL_PAYLOAD_HEADER_BYTES) / SL_PAYLOAD_ENTRY_BYTES)
        return sl_fail(e, SLUICE_E_FORMAT, "the payload's header does not fit its %zu bytes", bytes.size);
    size_t described = (size_t)pool_offset - SL_PAYLOAD_HEADER_BYTES;
    if (!(flags & SL_PAYLOAD_ANY_HASH) && sl_hash64(bytes.data + SL_PAYLOAD_HEADER_BYTES, described) != hash)
        return sl_fail(e, SLUICE_E_FORMAT,
                       "the payload's programs do not have the hash that its header names: the file is damaged");

    struct sl_program *programs = sl_arena_alloc(a, count * sizeof(*programs));
    if (programs == NULL)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %u programs", count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = sl_read_u64(&in), size = sl_read_u64(&in);
        if (in.bad || offset % 8 || offset > pool_offset || size > pool_offset - offset)
            return sl_fail(e, SLUICE_E_FORMAT, "program %u of the payload lies outside it", i);
        struct reading r = {.a = a,
                            .e = e,
                            .flags = flags,
                            .bytes = {bytes.data + offset, (size_t)size},
                            .pool = {bytes.data + pool_offset, (size_t)pool_bytes},
                            .p = &programs[i]};
        if (read_program(&r) != SLUICE_OK)
            return sl_context(e, "program %u", i);
    }
    *out = programs;
    *n = count;
    return SLUICE_OK;
}
