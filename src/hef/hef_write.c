/*
 * hef_write.c: programs -> a HEF file: header version 3, the vendor's ProtoHEFHef message, the payload as configuration words.
 * What each field holds and why the genuine parser wants it: docs/formats.md. Before it: program_write.c.
 */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "hef/hef.h"
#include "hef/hef_header.h"
#include "hef/payload.h"

/* ---- protobuf: fields of value 0 and empty strings are left out, as proto3 does ---- */

static void put_tag(struct sl_buffer *b, uint32_t field, uint32_t wire)
{
    sl_put_varint(b, (uint64_t)field << 3 | wire);
}

static void put_number(struct sl_buffer *b, uint32_t field, uint64_t v)
{
    if (v == 0)
        return;
    put_tag(b, field, SL_WIRE_VARINT);
    sl_put_varint(b, v);
}

static void put_float(struct sl_buffer *b, uint32_t field, float v)
{
    if (v == 0.0f)
        return;
    put_tag(b, field, SL_WIRE_I32);
    sl_put_f32(b, v);
}

static void put_bytes(struct sl_buffer *b, uint32_t field, const void *data, size_t n)
{
    put_tag(b, field, SL_WIRE_LEN);
    sl_put_varint(b, n);
    sl_put(b, data, n);
}

static void put_string(struct sl_buffer *b, uint32_t field, const char *s)
{
    if (s && s[0])
        put_bytes(b, field, s, strlen(s));
}

/* Takes the sub-message's bytes and frees them; an empty one is written too. */
static void put_message(struct sl_buffer *b, uint32_t field, struct sl_buffer *sub)
{
    b->failed |= sub->failed;
    put_bytes(b, field, sub->data, sub->size);
    sl_buffer_free(sub);
}

/* ---- streams ---- */

/* A tensor as height, width, features: [n, h, w, c], [n, w, c], [n, c]; leading axes of more fold into the height. */
static struct sl_hef_shape fold_shape(const struct sl_shape *s)
{
    uint64_t h = 1, w = 1, f = 1;
    if (s->rank >= 1)
        f = (uint64_t)s->dim[s->rank - 1];
    if (s->rank >= 3)
        w = (uint64_t)s->dim[s->rank - 2];
    for (int i = 1; i < s->rank - 2; i++)
        h *= (uint64_t)s->dim[i];
    return (struct sl_hef_shape){(uint32_t)h, (uint32_t)w, (uint32_t)f};
}

static uint32_t up_to_8(uint32_t v)
{
    return (v + 7) / 8 * 8;
}

/* Rows of the padded shape; where a row is too long for the field it is halved into more buffers. 0, 0 where that does not fit
 * either: the fields are for information on a software device. */
static void put_buffers(struct sl_buffer *b, const struct sl_hef_shape *padded, uint32_t data_bytes)
{
    uint64_t bytes = (uint64_t)padded->width * padded->features * data_bytes, buffers = padded->height;
    while (bytes > UINT16_MAX && bytes % 2 == 0) {
        bytes /= 2;
        buffers *= 2;
    }
    if (bytes > UINT16_MAX || buffers > UINT16_MAX)
        bytes = buffers = 0;
    put_number(b, 9, bytes);
    put_number(b, 10, buffers);
}

/* What distinguishes the edge layers the writer makes. */
struct edge {
    const char *name, *original_name;
    const struct sl_program_tensor *tensor;
    bool output, boundary;
    uint32_t sys_index, pad_index;
    uint32_t n_connected;
    const uint32_t *connected; /* contexts */
};

static void put_base(struct sl_buffer *info, const struct edge *g)
{
    struct sl_buffer base = {0}, none = {0};
    const struct sl_program_tensor *t = g->tensor;
    struct sl_hef_shape shape = fold_shape(&t->shape), padded = shape;
    uint32_t data_bytes = t->dtype == SL_U16 ? 2 : 1;
    bool nc = t->shape.rank <= 2;
    if (nc)
        padded.features = up_to_8(shape.features);
    else
        padded.width = up_to_8(shape.width);
    put_number(&base, 1, shape.height);
    put_number(&base, 2, padded.height);
    put_number(&base, 3, shape.width);
    put_number(&base, 4, padded.width);
    put_number(&base, 5, shape.features);
    put_number(&base, 6, padded.features);
    put_number(&base, 7, nc ? 2 : g->output || !g->boundary ? 1 : 0); /* NC; NHCW on outputs and inside; NHWC on inputs */
    put_number(&base, 8, g->sys_index);
    put_buffers(&base, &padded, data_bytes);
    put_number(&base, 12, data_bytes);
    put_message(&base, 13, &none);
    put_message(info, 2, &base);
}

static void put_numeric(struct sl_buffer *info, const struct sl_program_tensor *t, bool per_feature)
{
    struct sl_buffer numeric = {0};
    float zero = (float)t->zero_point, top = (t->dtype == SL_U16 ? 65535.0f : 255.0f) - zero;
    put_float(&numeric, 1, zero);
    put_float(&numeric, 2, t->scale);
    put_float(&numeric, 3, (0.0f - zero) * t->scale);
    put_float(&numeric, 4, top * t->scale);
    if (per_feature) {
        struct sl_buffer zeros = {0}, scales = {0};
        uint32_t features = fold_shape(&t->shape).features;
        for (uint32_t i = 0; i < features; i++) {
            sl_put_f64(&zeros, zero);
            sl_put_f64(&scales, t->n_scales ? t->scales[i] : t->scale);
        }
        put_message(&numeric, 5, &zeros);
        put_message(&numeric, 6, &scales);
    }
    put_message(info, 3, &numeric);
}

static void put_edge(struct sl_buffer *metadata, const struct edge *g, bool per_feature)
{
    struct sl_buffer layer = {0}, info = {0}, link = {0};
    put_number(&layer, 1, g->output);
    put_string(&info, 1, g->name);
    put_base(&info, g);
    put_numeric(&info, g->tensor, per_feature && g->output && g->boundary);
    put_string(&info, 5, g->original_name);
    put_message(&layer, 3, &info);
    put_number(&link, 3, g->boundary ? SL_HEF_BOUNDARY : SL_HEF_INTERMEDIATE);
    for (uint32_t i = 0; i < g->n_connected; i++) {
        struct sl_buffer other = {0};
        put_number(&other, 1, g->connected[i]);
        put_number(&other, 3, g->sys_index);
        put_message(&link, 8, &other);
    }
    put_message(&layer, 5, &link);
    put_tag(&layer, 7, SL_WIRE_VARINT); /* declared optional, so that 0 is written */
    sl_put_varint(&layer, g->pad_index);
    put_message(metadata, 2, &layer);
}

/* ---- where tensors are made and used ---- */

enum { NO_CONTEXT = UINT32_MAX };

struct flow {
    uint32_t *made_in;           /* by tensor: context, NO_CONTEXT for a tensor nothing makes */
    uint32_t **used_in, *n_used; /* by tensor: contexts that read it, rising, other than the one that makes it */
};

static void note_use(sl_arena *a, struct flow *f, const struct sl_program *p, uint32_t tensor, uint32_t context)
{
    if (f->made_in[tensor] == NO_CONTEXT)
        f->made_in[tensor] = context; /* a network input enters where it is first read */
    if (f->made_in[tensor] == context || (f->n_used[tensor] && f->used_in[tensor][f->n_used[tensor] - 1] == context))
        return;
    if (f->used_in[tensor] == NULL)
        f->used_in[tensor] = SL_NEW_ARRAY(a, uint32_t, p->n_contexts);
    f->used_in[tensor][f->n_used[tensor]++] = context;
}

static struct flow find_flow(sl_arena *a, const struct sl_program *p)
{
    struct flow f = {SL_NEW_ARRAY(a, uint32_t, p->n_tensors), SL_NEW_ARRAY(a, uint32_t *, p->n_tensors),
                     SL_NEW_ARRAY(a, uint32_t, p->n_tensors)};
    for (uint32_t t = 0; t < p->n_tensors; t++)
        f.made_in[t] = NO_CONTEXT;
    for (uint32_t i = 0; i < p->n_insns; i++) {
        const struct sl_insn *insn = &p->insns[i];
        for (int k = 0; k < insn->n_in; k++)
            note_use(a, &f, p, insn->in[k], insn->context);
        f.made_in[insn->out] = insn->context;
    }
    for (uint32_t k = 0; k < p->n_inputs; k++)
        if (f.made_in[p->inputs[k].tensor] == NO_CONTEXT)
            f.made_in[p->inputs[k].tensor] = 0;
    return f;
}

/* Tensors that leave or enter context c within the network. */
static void put_inner_edges(sl_arena *a, struct sl_buffer *metadata, const struct sl_program *p, const struct flow *f,
                            uint32_t c, uint32_t *sys_index)
{
    for (uint32_t t = 0; t < p->n_tensors; t++) {
        if (f->n_used[t] == 0)
            continue;
        struct edge g = {
            .tensor = &p->tensors[t], .original_name = p->tensors[t].name, .pad_index = p->n_inputs + p->n_outputs + t};
        g.name = sl_arena_printf(a, "%s/edge%" PRIu32, p->name, t);
        g.sys_index = (*sys_index)++ % 256;
        if (f->made_in[t] == c) {
            g.output = true;
            g.n_connected = f->n_used[t];
            g.connected = f->used_in[t];
            put_edge(metadata, &g, false);
        }
        for (uint32_t k = 0; k < f->n_used[t]; k++)
            if (f->used_in[t][k] == c) {
                g.n_connected = 1;
                g.connected = &f->made_in[t];
                put_edge(metadata, &g, false);
            }
    }
}

/* ---- contexts ---- */

/* Actions that point at configuration words; a pointer's size has 32 bits. */
static void put_config(struct sl_buffer *operation, const struct sl_byte_range *r)
{
    const uint64_t most = UINT64_C(1) << 30;
    for (uint64_t done = 0; done < r->bytes; done += most) {
        struct sl_buffer action = {0}, pointer = {0};
        put_number(&pointer, 1, r->offset + done);
        put_number(&pointer, 2, SL_MIN(most, r->bytes - done));
        put_message(&action, 16, &pointer);
        put_message(operation, 2, &action);
    }
}

static void put_trigger_none(struct sl_buffer *operation)
{
    struct sl_buffer trigger = {0}, none = {0};
    put_message(&trigger, 3, &none);
    put_message(operation, 1, &trigger);
}

static void put_context(sl_arena *a, struct sl_buffer *core, const struct sl_program *p, const struct flow *f,
                        const struct sl_payload_part *part, uint32_t c, bool per_feature)
{
    struct sl_buffer context = {0}, metadata = {0};
    uint32_t sys_index = 0;
    put_number(&context, 1, c);
    if (c < part->n_contexts && part->contexts[c].n) {
        struct sl_buffer operation = {0};
        put_trigger_none(&operation);
        for (size_t i = 0; i < part->contexts[c].n; i++)
            put_config(&operation, &part->contexts[c].ranges[i]);
        put_message(&context, 2, &operation);
    }
    put_string(&metadata, 1, sl_arena_printf(a, "context_%" PRIu32, c));
    for (uint32_t k = 0; k < p->n_inputs; k++)
        if (f->made_in[p->inputs[k].tensor] == c) {
            struct edge g = {p->inputs[k].name,
                             p->inputs[k].origin_name,
                             &p->tensors[p->inputs[k].tensor],
                             false,
                             true,
                             sys_index++,
                             k,
                             0,
                             NULL};
            put_edge(&metadata, &g, per_feature);
        }
    for (uint32_t k = 0; k < p->n_outputs; k++)
        if (f->made_in[p->outputs[k].tensor] == c) {
            struct edge g = {p->outputs[k].name,
                             p->outputs[k].origin_name,
                             &p->tensors[p->outputs[k].tensor],
                             true,
                             true,
                             sys_index++,
                             p->n_inputs + k,
                             0,
                             NULL};
            put_edge(&metadata, &g, per_feature);
        }
    put_inner_edges(a, &metadata, p, f, c, &sys_index);
    put_message(&context, 3, &metadata);
    put_message(core, 3, &context);
}

/* ---- network groups ---- */

static sluice_status check_name(const char *what, const char *name, sl_err *e)
{
    size_t length = strlen(name);
    if (length == 0 || length > SL_HEF_NAME_MAX) {
        sl_fail(e, SLUICE_E_LIMIT, "%s '%s' has %zu characters: the container holds 1 to %d", what, name, length,
                SL_HEF_NAME_MAX);
        return sl_hint(e, "give the network a shorter name (--net-name)");
    }
    return SLUICE_OK;
}

static sluice_status check_port(const struct sl_program *p, const struct sl_program_port *port, const char *what, sl_err *e)
{
    SL_TRY(check_name(what, port->name, e));
    const struct sl_shape *s = &p->tensors[port->tensor].shape;
    uint64_t height = 1;
    for (int i = 1; i < s->rank - 2; i++)
        height *= (uint64_t)s->dim[i];
    bool wide = height > UINT32_MAX;
    for (int i = 0; i < s->rank; i++)
        wide |= s->dim[i] > UINT32_MAX - 8;
    if (wide)
        return sl_fail(e, SLUICE_E_LIMIT, "%s '%s' is too large for the container: dimensions have 32 bits", what, port->name);
    return SLUICE_OK;
}

static sluice_status check_group(const struct sl_program *p, sl_err *e)
{
    SL_TRY(check_name("network group", p->name, e));
    if (p->n_inputs == 0 || p->n_outputs == 0)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "network '%s' has %u inputs and %u outputs: a HEF holds at least one of each",
                       p->name, p->n_inputs, p->n_outputs);
    for (uint32_t i = 0; i < p->n_inputs; i++)
        SL_TRY(check_port(p, &p->inputs[i], "input", e));
    for (uint32_t i = 0; i < p->n_outputs; i++)
        SL_TRY(check_port(p, &p->outputs[i], "output", e));
    for (uint32_t i = 0; i < p->n_inputs + p->n_outputs; i++)
        for (uint32_t k = 0; k < i; k++) {
            const char *one = i < p->n_inputs ? p->inputs[i].name : p->outputs[i - p->n_inputs].name;
            const char *two = k < p->n_inputs ? p->inputs[k].name : p->outputs[k - p->n_inputs].name;
            if (strcmp(one, two) == 0)
                return sl_fail(e, SLUICE_E_INTERNAL, "two streams of network '%s' are named '%s'", p->name, one);
        }
    return SLUICE_OK;
}

static void put_group_metadata(struct sl_buffer *b, const struct sl_hef_source *s, uint32_t index)
{
    struct sl_buffer metadata = {0};
    put_string(&metadata, 1, s->program->name);
    put_number(&metadata, 2, index);
    put_number(&metadata, 5, 1); /* configuration channels */
    put_number(&metadata, 8, s->operations);
    put_message(b, 1, &metadata);
}

static bool scales_by_feature(const struct sl_program *p)
{
    for (uint32_t i = 0; i < p->n_outputs; i++)
        if (p->tensors[p->outputs[i].tensor].n_scales)
            return true;
    return false;
}

static void put_group(sl_arena *a, struct sl_buffer *hef, const struct sl_hef_source *s, const struct sl_payload_part *part,
                      uint32_t index, bool per_feature)
{
    const struct sl_program *p = s->program;
    struct sl_buffer group = {0}, op = {0}, core = {0}, preliminary = {0}, operation = {0};
    struct flow f = find_flow(a, p);
    put_group_metadata(&group, s, index);
    for (uint32_t i = 0; i < p->n_outputs; i++)
        put_string(&group, 4, p->outputs[i].name);
    put_group_metadata(&core, s, index);
    put_trigger_none(&operation);
    put_config(&operation, &part->program);
    put_message(&preliminary, 1, &operation);
    put_message(&core, 2, &preliminary);
    for (uint32_t c = 0; c < SL_MAX(p->n_contexts, 1); c++)
        put_context(a, &core, p, &f, part, c, per_feature);
    put_string(&op, 1, "core");
    put_message(&op, 4, &core);
    put_message(&group, 8, &op);
    put_string(&group, 10, p->name);
    put_number(&group, 11, index);
    put_message(hef, 2, &group);
}

static void put_extension(struct sl_buffer *hef, uint32_t number, const char *name)
{
    struct sl_buffer extension = {0};
    put_number(&extension, 1, number);
    put_string(&extension, 2, name);
    put_message(hef, 5, &extension);
}

static void put_hef_message(sl_arena *a, struct sl_buffer *hef, uint32_t arch, const struct sl_hef_source *groups, size_t n,
                            const struct sl_payload_part *parts)
{
    struct sl_buffer header = {0}, sdk = {0};
    bool several = false, per_feature = false;
    for (size_t i = 0; i < n; i++) {
        several |= groups[i].program->n_contexts > 1;
        per_feature |= scales_by_feature(groups[i].program);
    }
    put_number(&header, 1, arch);
    put_string(&header, 3, "5.2.0");
    put_number(&header, 4, 1);
    put_number(&sdk, 1, 5);
    put_number(&sdk, 2, 2);
    put_message(&header, 5, &sdk);
    put_message(hef, 1, &header);
    for (size_t i = 0; i < n; i++)
        put_group(a, hef, &groups[i], &parts[i], (uint32_t)i, per_feature);
    put_extension(hef, SL_HEF_NET_FLOW, "HAILO_NET_FLOW");
    put_extension(hef, SL_HEF_PERIPH_CALCULATION, "PERIPH_CALCULATION_IN_HAILORT");
    if (several)
        put_extension(hef, SL_HEF_IS_MULTI_CONTEXTS, "IS_MULTI_CONTEXTS");
    if (per_feature)
        put_extension(hef, SL_HEF_SCALE_PER_FEATURE, "OUTPUT_SCALE_PER_FEATURE");
}

static sluice_status check_groups(const struct sl_hef_source *groups, size_t n, sl_err *e)
{
    if (n == 0)
        return sl_fail(e, SLUICE_E_USAGE, "a HEF holds at least one network group");
    for (size_t i = 0; i < n; i++) {
        SL_TRY(check_group(groups[i].program, e));
        for (size_t k = 0; k < i; k++)
            if (strcmp(groups[i].program->name, groups[k].program->name) == 0)
                return sl_fail(e, SLUICE_E_USAGE, "two network groups are named '%s'", groups[i].program->name);
    }
    return SLUICE_OK;
}

/* Header, message, padding, payload. The hash of all that follows the header is patched into it at the end. */
static void put_file(struct sl_buffer *out, const struct sl_buffer *proto, const struct sl_buffer *payload)
{
    enum { PAGE = 4096, HASH_AT = 12 };
    size_t start = out->size;
    uint32_t padding = (uint32_t)((PAGE - (SL_HEF_HEADER_V3 + proto->size) % PAGE) % PAGE);
    out->failed |=
        proto->failed || payload->failed || !sl_buffer_reserve(out, SL_HEF_HEADER_V3 + proto->size + padding + payload->size);
    if (out->failed)
        return;
    sl_put_u32be(out, SL_HEF_MAGIC);
    sl_put_u32be(out, 3);
    sl_put_u32be(out, (uint32_t)proto->size);
    sl_put_u64be(out, 0);
    sl_put_u64be(out, (uint64_t)padding + payload->size);
    sl_put_u32be(out, padding);
    sl_put_u64be(out, 0);
    sl_put_u64be(out, sl_hash64(proto->data, proto->size));
    sl_put_u64be(out, 0);
    sl_put(out, proto->data, proto->size);
    sl_put_zeros(out, padding);
    sl_put(out, payload->data, payload->size);
    uint64_t whole = sl_hash64(out->data + start + SL_HEF_HEADER_V3, out->size - start - SL_HEF_HEADER_V3);
    for (int i = 0; i < 8; i++)
        out->data[start + HASH_AT + (size_t)i] = (uint8_t)(whole >> (56 - 8 * i));
}

sluice_status sl_hef_write(sl_arena *a, uint32_t arch, const struct sl_hef_source *groups, size_t n, struct sl_buffer *out,
                           sl_err *e)
{
    struct sl_buffer payload = {0}, proto = {0};
    struct sl_payload_part *parts = NULL;
    SL_TRY(check_groups(groups, n, e));
    const struct sl_program **programs = SL_NEW_ARRAY(a, const struct sl_program *, n);
    for (size_t i = 0; i < n; i++)
        programs[i] = groups[i].program;
    sluice_status status = sl_payload_write(a, programs, n, &payload, &parts, e);
    if (status == SLUICE_OK) {
        put_hef_message(a, &proto, arch, groups, n, parts);
        if (proto.size > UINT32_MAX)
            status = sl_fail(e, SLUICE_E_LIMIT, "the HEF's message has %zu bytes: the header holds 32 bits", proto.size);
    }
    if (status == SLUICE_OK) {
        put_file(out, &proto, &payload);
        if (out->failed)
            status = sl_fail(e, SLUICE_E_MEMORY, "no memory for a HEF of %zu bytes", proto.size + payload.size);
    }
    sl_buffer_free(&payload);
    sl_buffer_free(&proto);
    return status;
}
