/* build_program.c: the builder behind seeded programs; the programs themselves are in build_cases.c. */
#include "build_program.h"

#include <string.h>

#include "base/hash.h"

enum { MOST = 256 }; /* of tensors, constants, instructions and ports: tests are small */

struct build build_new(const char *name, uint64_t seed)
{
    struct build b = {.a = sl_arena_new(), .seed = seed};
    struct sl_program *p = b.p = SL_NEW(b.a, struct sl_program);
    p->arena = b.a;
    p->name = sl_arena_strdup(b.a, name);
    p->tensors = SL_NEW_ARRAY(b.a, struct sl_program_tensor, MOST);
    p->consts = SL_NEW_ARRAY(b.a, struct sl_program_const, MOST);
    p->insns = SL_NEW_ARRAY(b.a, struct sl_insn, MOST);
    p->inputs = SL_NEW_ARRAY(b.a, struct sl_program_port, MOST);
    p->outputs = SL_NEW_ARRAY(b.a, struct sl_program_port, MOST);
    p->n_contexts = 1;
    return b;
}

void build_free(struct build *b)
{
    sl_arena_free(b->a);
}

uint64_t build_random(struct build *b)
{
    uint64_t z = b->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int64_t build_between(struct build *b, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(build_random(b) % (uint64_t)(hi - lo + 1));
}

float build_float(struct build *b, int low, int high)
{
    int exponent = (int)build_between(b, low, high - 1);
    uint32_t bits = (uint32_t)(exponent + 127) << 23 | (uint32_t)(build_random(b) & 0x7fffff);
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

uint32_t build_tensor(struct build *b, enum sl_dtype t, int rank, const int64_t *dims)
{
    int64_t top = t == SL_U16 ? 65535 : 255;
    uint32_t id = b->p->n_tensors++;
    int kind = (int)build_between(b, 0, 3);
    b->p->tensors[id] = (struct sl_program_tensor){.name = sl_arena_printf(b->a, "%s/layer%u", b->p->name, id),
                                                   .dtype = t,
                                                   .shape = sl_shape_of(rank, dims),
                                                   .scale = build_float(b, -8, 0),
                                                   .zero_point = (int32_t)(kind == 0   ? 0
                                                                           : kind == 1 ? top
                                                                                       : build_between(b, 0, top)),
                                                   .extent_scalar = SL_NO_SCALAR};
    return id;
}

static void add_port(struct build *b, struct sl_program_port *port, uint32_t tensor)
{
    const struct sl_program_tensor *t = &b->p->tensors[tensor];
    *port = (struct sl_program_port){
        .name = t->name, .tensor = tensor, .origin_name = "origin", .origin_dtype = SL_F32, .origin_shape = t->shape};
    for (int i = 0; i < SL_MAX_RANK; i++)
        port->perm[i] = i;
}

uint32_t build_input(struct build *b, enum sl_dtype t, int rank, const int64_t *dims)
{
    uint32_t id = build_tensor(b, t, rank, dims);
    add_port(b, &b->p->inputs[b->p->n_inputs++], id);
    return id;
}

void build_output(struct build *b, uint32_t tensor)
{
    add_port(b, &b->p->outputs[b->p->n_outputs++], tensor);
}

static uint32_t add_const(struct build *b, enum sl_dtype t, bool splat, const struct sl_shape *s, const void *data,
                          size_t bytes)
{
    uint32_t id = b->p->n_consts++;
    void *copy = sl_arena_alloc_aligned64(b->a, bytes);
    memcpy(copy, data, bytes);
    b->p->consts[id] = (struct sl_program_const){t, splat, *s, copy, bytes, sl_hash64(copy, bytes)};
    return id;
}

uint32_t build_const_of(struct build *b, enum sl_dtype t, int rank, const int64_t *dims, const void *data)
{
    struct sl_shape s = sl_shape_of(rank, dims);
    size_t bytes = 0;
    sl_bytes_of(t, &s, &bytes);
    return add_const(b, t, false, &s, data, bytes);
}

uint32_t build_splat(struct build *b, enum sl_dtype t, int rank, const int64_t *dims, const void *element)
{
    struct sl_shape s = sl_shape_of(rank, dims), one = {0};
    size_t bytes = 0;
    sl_bytes_of(t, &one, &bytes);
    return add_const(b, t, true, &s, element, bytes);
}

/* Two's complement, little-endian, as many bytes as the type has; s4 packs two in a byte. */
uint32_t build_const(struct build *b, enum sl_dtype t, int rank, const int64_t *dims, int64_t lo, int64_t hi)
{
    struct sl_shape s = sl_shape_of(rank, dims);
    size_t n = sl_shape_elements(&s), bytes = 0, bits = sl_dtype_bits(t);
    sl_bytes_of(t, &s, &bytes);
    uint8_t *data = SL_NEW_ARRAY(b->a, uint8_t, bytes);
    for (size_t i = 0; i < n; i++) {
        int64_t v = build_between(b, lo, hi);
        if (bits == 4)
            data[i / 2] |= (uint8_t)((v & 15) << (i % 2 * 4));
        for (size_t k = 0; k < bits / 8; k++)
            data[i * bits / 8 + k] = (uint8_t)((uint64_t)v >> (8 * k));
    }
    return build_const_of(b, t, rank, dims, data);
}

uint32_t build_floats(struct build *b, int64_t n, int low, int high, bool any_sign)
{
    float *data = SL_NEW_ARRAY(b->a, float, n);
    for (int64_t i = 0; i < n; i++)
        data[i] = build_float(b, low, high) * (any_sign && build_between(b, 0, 1) ? -1.0f : 1.0f);
    return build_const_of(b, SL_F32, DIMS(n), data);
}

struct sl_insn *build_insn(struct build *b, enum sl_opcode op, uint32_t out, int n_in, const uint32_t *in)
{
    const struct sl_insn_info *info = sl_insn_info(op);
    struct sl_insn *i = &b->p->insns[b->p->n_insns++];
    *i = (struct sl_insn){.opcode = (uint16_t)op,
                          .n_in = (uint16_t)n_in,
                          .n_consts = (uint16_t)info->n_consts,
                          .n_ints = (uint16_t)info->n_ints,
                          .n_floats = (uint16_t)info->n_floats,
                          .out = out};
    i->in = sl_arena_memdup(b->a, in, (size_t)n_in * sizeof(*in));
    i->consts = SL_NEW_ARRAY(b->a, uint32_t, info->n_consts);
    i->ints = SL_NEW_ARRAY(b->a, int64_t, info->n_ints);
    i->floats = SL_NEW_ARRAY(b->a, double, info->n_floats);
    for (int k = 0; k < info->n_consts; k++)
        i->consts[k] = SL_NO_CONST;
    return i;
}

void build_limits(struct build *b, enum sl_dtype t, int64_t *lo, int64_t *hi)
{
    int64_t top = t == SL_U16 ? 65535 : 255;
    *lo = 0;
    *hi = top;
    if (build_between(b, 0, 2) == 0) {
        *lo = build_between(b, 0, top / 2);
        *hi = build_between(b, *lo, top);
    }
}
