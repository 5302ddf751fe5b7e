/*
 * hef_proto.c: decodes the ProtoHEFHef message down to contexts: header, extensions, network groups, core ops, configuration
 * actions. Edge layers: hef_layers.c, host ops: hef_ops.c. After it: hef_read.c compares the parts.
 */
#include "hef/hef_proto.h"

#include "hef/hef_decode.h"

/* ---- operations: what the configuration points at, and that the vendor's parser would take them ---- */

static sluice_status read_action(struct sl_decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
{
    uint32_t kind = 0;
    struct sl_view body = {0};
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number >= 2 && f.number <= 18 && f.wire == SL_WIRE_LEN) {
            kind = f.number;
            body = f.bytes;
        }
    SL_TRY(sl_decode_finish(d, &r, "an action"));
    if (kind == 0 || kind == 2 || kind == 4)
        return sl_fail(d->e, SLUICE_E_UNSUPPORTED, "an action of the HEF is of a kind that no runtime of this version takes");
    g->has_ccw_inline |= kind == 3;
    if (kind != 16)
        return SLUICE_OK;
    uint64_t offset = 0, bytes = 0;
    r = sl_reader_of(body.data, body.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            offset = f.value;
        else if (f.number == 2)
            bytes = f.value;
    SL_TRY(sl_decode_finish(d, &r, "a pointer to configuration words"));
    if (!g->has_ccw_pointer) {
        g->first_config_offset = offset;
        g->first_config_bytes = bytes;
    }
    g->has_ccw_pointer = true;
    return SLUICE_OK;
}

static sluice_status read_operation(struct sl_decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
{
    bool triggered = false;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.wire != SL_WIRE_LEN)
            continue;
        if (f.number == 1) {
            struct sl_reader trigger = sl_reader_of(f.bytes.data, f.bytes.size);
            for (struct sl_field t; sl_next_field(&trigger, &t);)
                triggered |= t.number >= 2 && t.number <= 7 && t.number != 5 && t.wire == SL_WIRE_LEN;
        } else if (f.number == 2) {
            SL_TRY(read_action(d, f.bytes, g));
        }
    }
    SL_TRY(sl_decode_finish(d, &r, "an operation"));
    if (!triggered)
        return sl_fail(d->e, SLUICE_E_FORMAT, "an operation of the HEF has no trigger that the format knows");
    return SLUICE_OK;
}

/* ---- contexts and the core op ---- */

static uint32_t count_layers(struct sl_view core)
{
    uint32_t n = 0;
    struct sl_reader r = sl_reader_of(core.data, core.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number != 3 || f.wire != SL_WIRE_LEN)
            continue;
        struct sl_reader context = sl_reader_of(f.bytes.data, f.bytes.size);
        for (struct sl_field m; sl_next_field(&context, &m);)
            if (m.number == 3 && m.wire == SL_WIRE_LEN)
                n += sl_decode_count(m.bytes, 2);
    }
    return n;
}

static sluice_status read_context(struct sl_decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    uint32_t context = g->group.n_contexts++;
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.wire != SL_WIRE_LEN)
            continue;
        if (f.number == 2)
            SL_TRY(read_operation(d, f.bytes, g));
        if (f.number != 3)
            continue;
        struct sl_reader metadata = sl_reader_of(f.bytes.data, f.bytes.size);
        for (struct sl_field m; sl_next_field(&metadata, &m);)
            if (m.number == 2 && m.wire == SL_WIRE_LEN) {
                struct sl_hef_layer *l = &g->group.layers[g->group.n_layers++];
                l->context = context;
                SL_TRY(sl_decode_layer(d, m.bytes, l));
            }
        SL_TRY(sl_decode_finish(d, &metadata, "the metadata of a context"));
        SL_TRY(sl_decode_texts(d, f.bytes, 5, &g->last_context_outputs, &g->n_last_context_outputs));
    }
    return sl_decode_finish(d, &r, "a context");
}

static sluice_status read_metadata_name(struct sl_decoder *d, struct sl_view message, const char **name, struct sl_hef_group *g)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            *name = sl_decode_text(d, &f);
        else if (g && f.number == 4)
            g->bottleneck_fps = sl_field_f64(&f);
        else if (g && f.number == 8)
            g->operations = f.value;
    return sl_decode_finish(d, &r, "the metadata of a network group");
}

/* A HEF of several layouts (HAILO15M, HAILO8L) has its contexts in partial core ops, of which the first is read. */
static struct sl_view first_partial(struct sl_view core)
{
    struct sl_reader r = sl_reader_of(core.data, core.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 7 && f.wire == SL_WIRE_LEN) {
            struct sl_reader partial = sl_reader_of(f.bytes.data, f.bytes.size);
            for (struct sl_field g; sl_next_field(&partial, &g);)
                if (g.number == 1 && g.wire == SL_WIRE_LEN)
                    return g.bytes;
        }
    return (struct sl_view){0};
}

static sluice_status read_core(struct sl_decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
{
    bool several_layouts = d->h->arch == 4 || d->h->arch == 3;
    if (several_layouts && first_partial(message).data)
        message = first_partial(message);
    g->has_core = true;
    SL_TRY(sl_decode_array(d, count_layers(message), sizeof(struct sl_hef_layer), &g->group.layers));
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.wire != SL_WIRE_LEN)
            continue;
        if (f.number == 1) {
            SL_TRY(read_metadata_name(d, f.bytes, &g->core_name, &g->group));
        } else if (f.number == 2) {
            struct sl_reader config = sl_reader_of(f.bytes.data, f.bytes.size);
            for (struct sl_field o; sl_next_field(&config, &o);)
                if (o.number == 1 && o.wire == SL_WIRE_LEN)
                    SL_TRY(read_operation(d, o.bytes, g));
            SL_TRY(sl_decode_finish(d, &config, "the preliminary configuration"));
        } else if (f.number == 3) {
            SL_TRY(read_context(d, f.bytes, g));
        } else if (f.number == 5) {
            /* Fused layers may give another order of outputs. */
            struct sl_reader fused = sl_reader_of(f.bytes.data, f.bytes.size);
            bool has = false;
            for (struct sl_field m; sl_next_field(&fused, &m);)
                has |= m.number == 1 && m.value;
            if (has)
                SL_TRY(sl_decode_texts(d, f.bytes, 2, &g->group.sorted_outputs, &g->group.n_sorted_outputs));
        }
    }
    return sl_decode_finish(d, &r, "a core op");
}

/* The body of a core op, or {NULL, 0}. */
static struct sl_view core_of(struct sl_view op)
{
    struct sl_view core = {0};
    struct sl_reader r = sl_reader_of(op.data, op.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 4 && f.wire == SL_WIRE_LEN)
            core = f.bytes;
    return core;
}

/* ---- network groups and the top ---- */

static sluice_status read_pad_edge(struct sl_decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_pad_edge *p = out;
    static const struct sl_member members[] = {
        SL_MEMBER(1, struct sl_hef_pad_edge, src),
        SL_MEMBER(2, struct sl_hef_pad_edge, dst),
    };
    return sl_decode_members(d, message, members, SL_COUNT(members), "a pad edge", p);
}

static sluice_status read_group(struct sl_decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_raw_group *g = out;
    g->group.name = "";
    g->core_name = "";
    SL_TRY(sl_decode_array(d, sl_decode_count(message, 8), sizeof(struct sl_hef_op), &g->group.ops));
    SL_TRY(sl_decode_texts(d, message, 4, &g->group.sorted_outputs, &g->group.n_sorted_outputs));
    SL_TRY(sl_decode_texts(d, message, 6, &g->group.networks, &g->group.n_networks));
    SL_TRY(
        sl_decode_repeated(d, message, 9, sizeof(struct sl_hef_pad_edge), read_pad_edge, &g->group.edges, &g->group.n_edges));
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.wire != SL_WIRE_LEN)
            continue;
        if (f.number == 1)
            SL_TRY(read_metadata_name(d, f.bytes, &g->group.name, NULL));
        if (f.number != 8)
            continue;
        struct sl_view core = core_of(f.bytes);
        if (core.data && !g->has_core)
            SL_TRY(read_core(d, core, g));
        else if (!core.data)
            SL_TRY(sl_decode_op(d, f.bytes, &g->group.ops[g->group.n_ops++]));
    }
    return sl_decode_finish(d, &r, "a network group");
}

/* Numbers of extensions the vendor's runtime 5.2.0 knows: 0 to 35 but 7 and 8. */
static bool extension_known(uint64_t number)
{
    return number <= 35 && number != 7 && number != SL_HEF_MULTI_NETWORK;
}

static sluice_status read_extension(struct sl_decoder *d, struct sl_view message, bool optional, struct sl_hef_raw *raw)
{
    uint64_t number = 0;
    const char *name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            number = (uint32_t)f.value;
        else if (f.number == 2)
            name = sl_decode_text(d, &f);
    SL_TRY(sl_decode_finish(d, &r, "an extension"));
    if (number < SL_HEF_EXTENSIONS)
        *(optional ? &d->h->optional_extensions : &d->h->extensions) |= UINT64_C(1) << number;
    if (!optional && !extension_known(number) && !raw->bad_extension) {
        raw->bad_extension = true;
        raw->bad_extension_number = (uint32_t)number;
        raw->bad_extension_name = name;
    }
    return SLUICE_OK;
}

static sluice_status read_header_message(struct sl_decoder *d, struct sl_view message, struct sl_hef_raw *raw)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            d->h->arch = (uint32_t)f.value;
        else if (f.number == 3)
            d->h->sdk_text = sl_decode_text(d, &f);
        else if (f.number == 4)
            raw->version = f.value;
        else if (f.number == 5 && f.wire == SL_WIRE_LEN) {
            struct sl_reader sdk = sl_reader_of(f.bytes.data, f.bytes.size);
            for (struct sl_field v; sl_next_field(&sdk, &v);)
                if (v.number >= 1 && v.number <= 3)
                    d->h->sdk[v.number - 1] = (uint32_t)v.value;
            SL_TRY(sl_decode_finish(d, &sdk, "the compiler's version"));
        }
    return sl_decode_finish(d, &r, "its header");
}

sluice_status sl_hef_read_message(sl_arena *a, struct sl_view proto, struct sl_hef *h, struct sl_hef_raw *raw, sl_err *e)
{
    struct sl_decoder d = {a, e, h, 0};
    h->sdk_text = "";
    struct sl_reader r = sl_reader_of(proto.data, proto.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.wire != SL_WIRE_LEN)
            continue;
        if (f.number == 1)
            SL_TRY(read_header_message(&d, f.bytes, raw));
        else if (f.number == 5 || f.number == 6)
            SL_TRY(read_extension(&d, f.bytes, f.number == 6, raw));
    }
    SL_TRY(sl_decode_finish(&d, &r, "its outermost fields"));
    return sl_decode_repeated(&d, proto, 2, sizeof(struct sl_hef_raw_group), read_group, &raw->groups, &raw->n_groups);
}
