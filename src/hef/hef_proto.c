/*
 * hef_proto.c: decodes the ProtoHEFHef message by its public schema, field numbers as in hef.proto of HailoRT 5.2.0. Unknown fields are
 * skipped, as proto3 does. Nesting is followed by functions, one a message, so its depth is theirs. Repeated messages are counted first,
 * so that arrays are allocated once and are in proportion to the bytes. After it: hef_read.c compares the parts.
 */
#include "hef/hef_proto.h"

#include <string.h>

/* Elements of all arrays together: a sub-message can be two bytes long and its structure hundreds, so the file's size alone bounds
 * nothing. Far above what the format's own limits (1024 contexts, 40 streams a network group) can need. */
enum { MOST_ELEMENTS = 1 << 17 };

struct decoder { sl_arena *a; sl_err *e; struct sl_hef *h; uint32_t elements; };

typedef sluice_status read_fn(struct decoder *d, struct sl_view message, void *out);

/* ---- walking ---- */

static sluice_status finish(struct decoder *d, const struct sl_reader *r, const char *what)
{
    return r->bad ? sl_fail(d->e, SLUICE_E_FORMAT, "the HEF's message is damaged in %s", what) : SLUICE_OK;
}

static uint32_t count_fields(struct sl_view message, uint32_t number)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    struct sl_field f;
    uint32_t n = 0;
    while (sl_next_field(&r, &f))
        n += f.number == number && f.wire == SL_WIRE_LEN;
    return n;
}

static const char *text(struct decoder *d, const struct sl_field *f)
{
    return f->wire == SL_WIRE_LEN ? sl_arena_strndup(d->a, (const char *)f->bytes.data, f->bytes.size) : "";
}

/* n elements of `size` bytes, zeroed. */
static sluice_status new_array(struct decoder *d, uint32_t n, size_t size, void *array)
{
    if (n > MOST_ELEMENTS - d->elements)
        return sl_fail(d->e, SLUICE_E_LIMIT, "the HEF's message has more than %d parts", MOST_ELEMENTS);
    d->elements += n;
    void *elements = sl_arena_alloc(d->a, n * size);
    if (elements == NULL)
        return sl_fail(d->e, SLUICE_E_MEMORY, "no memory for %u parts of a HEF's message", n);
    memcpy(array, &elements, sizeof(elements));
    return SLUICE_OK;
}

/* All sub-messages of one number into an array of `size`-byte elements. */
static sluice_status read_repeated(struct decoder *d, struct sl_view message, uint32_t number, size_t size, read_fn *read, void *array,
                                   uint32_t *n)
{
    uint32_t count = count_fields(message, number), i = 0;
    char *elements = NULL;
    SL_TRY(new_array(d, count, size, &elements));
    struct sl_reader r = sl_reader_of(message.data, message.size);
    struct sl_field f;
    while (i < count && sl_next_field(&r, &f))
        if (f.number == number && f.wire == SL_WIRE_LEN)
            SL_TRY(read(d, f.bytes, elements + size * i++));
    memcpy(array, &elements, sizeof(elements));
    *n = count;
    return SLUICE_OK;
}

static sluice_status read_text(struct decoder *d, struct sl_view message, void *out)
{
    *(const char **)out = sl_arena_strndup(d->a, (const char *)message.data, message.size);
    return SLUICE_OK;
}

static sluice_status read_texts(struct decoder *d, struct sl_view message, uint32_t number, const char ***out, uint32_t *n)
{
    return read_repeated(d, message, number, sizeof(char *), read_text, out, n);
}

/* A repeated double: packed or not. */
static sluice_status read_doubles(struct decoder *d, struct sl_view message, uint32_t number, const double **out, uint32_t *n)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    struct sl_field f;
    size_t count = 0, i = 0;
    while (sl_next_field(&r, &f))
        if (f.number == number)
            count += f.wire == SL_WIRE_LEN ? f.bytes.size / 8 : f.wire == SL_WIRE_I64;
    double *values = sl_arena_alloc(d->a, count * sizeof(double));
    if (values == NULL)
        return sl_fail(d->e, SLUICE_E_MEMORY, "no memory for %zu values of a HEF", count);
    r = sl_reader_of(message.data, message.size);
    while (sl_next_field(&r, &f)) {
        if (f.number != number)
            continue;
        if (f.wire == SL_WIRE_I64)
            values[i++] = sl_field_f64(&f);
        else if (f.wire == SL_WIRE_LEN)
            for (struct sl_reader v = sl_reader_of(f.bytes.data, f.bytes.size); sl_left(&v) >= 8;)
                values[i++] = sl_read_f64(&v);
    }
    *out = values;
    *n = (uint32_t)count;
    return SLUICE_OK;
}

/* ---- edge layers ---- */

static sluice_status read_nms_info(struct decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_nms *nms = out;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 2: nms->classes = f.value; break;
        case 3: nms->max_boxes = f.value; break;
        case 4: nms->box_bytes = f.value; break;
        case 5: nms->defused = f.value != 0; break;
        case 7: nms->division_factor = f.value; break;
        case 8: nms->burst_size = (uint32_t)f.value; break;
        case 9: nms->burst_type = (uint32_t)f.value; break;
        }
    return finish(d, &r, "an NMS description");
}

static sluice_status read_base(struct decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1: l->shape.height = (uint32_t)f.value; break;
        case 2: l->padded.height = (uint32_t)f.value; break;
        case 3: l->shape.width = (uint32_t)f.value; break;
        case 4: l->padded.width = (uint32_t)f.value; break;
        case 5: l->shape.features = (uint32_t)f.value; break;
        case 6: l->padded.features = (uint32_t)f.value; break;
        case 7: l->format = (uint32_t)f.value; break;
        case 8: l->sys_index = (uint32_t)f.value; break;
        case 9: l->bytes_per_buffer = (uint32_t)f.value; break;
        case 10: l->buffers_per_frame = (uint32_t)f.value; break;
        case 11: {
            struct sl_reader info = sl_reader_of(f.bytes.data, f.wire == SL_WIRE_LEN ? f.bytes.size : 0);
            for (struct sl_field g; sl_next_field(&info, &g);)
                if (g.number == 1 && g.wire == SL_WIRE_LEN)
                    SL_TRY(read_nms_info(d, g.bytes, &l->nms));
            break;
        }
        case 12: l->data_bytes = (uint32_t)f.value; break;
        case 13: l->n_buffer_indices += f.wire == SL_WIRE_LEN; break;
        case 14: l->host_argmax = f.value != 0; break;
        case 15: l->max_shmifo = (uint32_t)f.value; break;
        case 16: l->engine = (uint32_t)f.value; break;
        }
    return finish(d, &r, "the base of an edge layer");
}

static sluice_status read_numeric(struct decoder *d, struct sl_view message, struct sl_hef_quant *q)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1: q->zero_point = sl_field_f32(&f); break;
        case 2: q->scale = sl_field_f32(&f); break;
        case 3: q->limit_min = sl_field_f32(&f); break;
        case 4: q->limit_max = sl_field_f32(&f); break;
        }
    SL_TRY(finish(d, &r, "the numeric info of an edge layer"));
    SL_TRY(read_doubles(d, message, 5, &q->zero_points, &q->n_zero_points));
    return read_doubles(d, message, 6, &q->scales, &q->n_scales);
}

static sluice_status read_info(struct decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == 1)
            l->name = text(d, &f);
        else if (f.number == 2 && f.wire == SL_WIRE_LEN)
            SL_TRY(read_base(d, f.bytes, l));
        else if (f.number == 3 && f.wire == SL_WIRE_LEN)
            SL_TRY(read_numeric(d, f.bytes, &l->quant));
        else if (f.number == 6)
            l->transposed = f.value != 0;
    }
    SL_TRY(finish(d, &r, "an edge layer"));
    return read_texts(d, message, 5, &l->original_names, &l->n_original_names);
}

/* A predecessor of a MUX or a plane: {1: info, 2: mux, 3: planes}. The vendor's compiler nests muxes one deep; deeper ones are kept as
 * the name alone. */
static sluice_status read_plain_edge(struct decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_layer *l = out;
    l->name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.wire != SL_WIRE_LEN)
            continue;
        if (f.number == 1)
            SL_TRY(read_info(d, f.bytes, l));
        else if (f.number == 2)
            l->kind = SL_HEF_MUX;
        else if (f.number == 3)
            l->kind = SL_HEF_PLANES;
    }
    return finish(d, &r, "a predecessor of an edge layer");
}

static sluice_status read_mux(struct decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    uint64_t used = UINT64_MAX;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == 1)
            l->name = text(d, &f);
        else if (f.number == 2 && f.wire == SL_WIRE_LEN)
            SL_TRY(read_base(d, f.bytes, l));
        else if (f.number == 3 && f.wire == SL_WIRE_LEN) {
            struct sl_reader data = sl_reader_of(f.bytes.data, f.bytes.size);
            used = 0;
            for (struct sl_field g; sl_next_field(&data, &g);)
                if (g.number == 1)
                    used = g.value;
        }
    }
    SL_TRY(finish(d, &r, "a mux layer"));
    SL_TRY(read_repeated(d, message, 5, sizeof(struct sl_hef_layer), read_plain_edge, &l->predecessors, &l->n_predecessors));
    if (used == UINT64_MAX)
        used = 0;
    if (used > l->n_predecessors)
        return sl_fail(d->e, SLUICE_E_FORMAT, "mux layer '%s' names %llu predecessors and has %u", l->name, (unsigned long long)used,
                       l->n_predecessors);
    l->n_predecessors = (uint32_t)used;
    return read_texts(d, message, 6, &l->original_names, &l->n_original_names);
}

static sluice_status read_planes(struct decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    static const uint32_t formats[] = {14, 15, 16}; /* device orders YYUV, YYVU, YYYYUV of NV12, NV21, I420 */
    uint64_t planes = 0;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1: l->name = text(d, &f); break;
        case 2: planes = f.value; break;
        case 4: l->shape.height = (uint32_t)f.value; break;
        case 5: l->shape.width = (uint32_t)f.value; break;
        case 6: l->shape.features = (uint32_t)f.value; break;
        }
    SL_TRY(finish(d, &r, "a planes layer"));
    SL_TRY(read_repeated(d, message, 3, sizeof(struct sl_hef_layer), read_plain_edge, &l->predecessors, &l->n_predecessors));
    if (planes >= SL_COUNT(formats) || l->n_predecessors == 0)
        return sl_fail(d->e, SLUICE_E_FORMAT, "planes layer '%s' has %u planes of format %llu", l->name, l->n_predecessors,
                       (unsigned long long)planes);
    for (uint32_t i = 0; i < l->n_predecessors; i++)
        if (l->predecessors[i].data_bytes != l->predecessors[0].data_bytes)
            return sl_fail(d->e, SLUICE_E_FORMAT, "the planes of layer '%s' have unlike types", l->name);
    l->format = formats[planes];
    l->padded = l->shape;
    l->data_bytes = l->predecessors[0].data_bytes;
    l->n_buffer_indices = 1;
    return SLUICE_OK;
}

static sluice_status read_link(struct decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 3)
            l->connection = f.value <= SL_HEF_CACHE ? (enum sl_hef_connection)f.value : SL_HEF_CACHE;
        else if (f.number == 9)
            l->cache_id = (int32_t)f.value;
        else if (f.number == 8 && f.wire == SL_WIRE_LEN) {
            struct sl_reader other = sl_reader_of(f.bytes.data, f.bytes.size);
            uint32_t index = 0;
            for (struct sl_field g; sl_next_field(&other, &g);)
                if (g.number == 1)
                    index = (uint32_t)g.value;
            if (l->n_connected++ == 0)
                l->first_connected = index;
        }
    return finish(d, &r, "the connection of an edge layer");
}

static sluice_status read_layer(struct decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_layer *l = out;
    l->name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        bool sub = f.wire == SL_WIRE_LEN;
        switch (f.number) {
        case 1: l->output = f.value == 1; break;
        case 2: l->kind = f.value <= SL_HEF_PLANES ? (enum sl_hef_layer_kind)f.value : SL_HEF_INFO; break;
        case 3: SL_TRY(sub ? read_info(d, f.bytes, l) : SLUICE_OK); break;
        case 4: SL_TRY(sub ? read_mux(d, f.bytes, l) : SLUICE_OK); break;
        case 8: SL_TRY(sub ? read_planes(d, f.bytes, l) : SLUICE_OK); break;
        case 5: SL_TRY(sub ? read_link(d, f.bytes, l) : SLUICE_OK); break;
        case 6: l->network_index = (uint32_t)f.value; break;
        case 7:
            l->has_pad_index = true;
            l->pad_index = (uint32_t)f.value;
            break;
        }
    }
    return finish(d, &r, "an edge layer");
}

/* ---- operations: what the configuration points at, and that the vendor's parser would take them ---- */

static sluice_status read_action(struct decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
{
    uint32_t kind = 0;
    struct sl_view body = {0};
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number >= 2 && f.number <= 18 && f.wire == SL_WIRE_LEN) {
            kind = f.number;
            body = f.bytes;
        }
    SL_TRY(finish(d, &r, "an action"));
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
    SL_TRY(finish(d, &r, "a pointer to configuration words"));
    if (!g->has_ccw_pointer) {
        g->first_config_offset = offset;
        g->first_config_bytes = bytes;
    }
    g->has_ccw_pointer = true;
    return SLUICE_OK;
}

static sluice_status read_operation(struct decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
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
    SL_TRY(finish(d, &r, "an operation"));
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
                n += count_fields(m.bytes, 2);
    }
    return n;
}

static sluice_status read_context(struct decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
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
                SL_TRY(read_layer(d, m.bytes, l));
            }
        SL_TRY(finish(d, &metadata, "the metadata of a context"));
        SL_TRY(read_texts(d, f.bytes, 5, &g->last_context_outputs, &g->n_last_context_outputs));
    }
    return finish(d, &r, "a context");
}

static sluice_status read_metadata_name(struct decoder *d, struct sl_view message, const char **name, struct sl_hef_group *g)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            *name = text(d, &f);
        else if (g && f.number == 4)
            g->bottleneck_fps = sl_field_f64(&f);
        else if (g && f.number == 8)
            g->operations = f.value;
    return finish(d, &r, "the metadata of a network group");
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

static sluice_status read_core(struct decoder *d, struct sl_view message, struct sl_hef_raw_group *g)
{
    bool several_layouts = d->h->arch == 4 || d->h->arch == 3;
    if (several_layouts && first_partial(message).data)
        message = first_partial(message);
    g->has_core = true;
    SL_TRY(new_array(d, count_layers(message), sizeof(struct sl_hef_layer), &g->group.layers));
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
            SL_TRY(finish(d, &config, "the preliminary configuration"));
        } else if (f.number == 3) {
            SL_TRY(read_context(d, f.bytes, g));
        } else if (f.number == 5) {
            /* Fused layers may give another order of outputs. */
            struct sl_reader fused = sl_reader_of(f.bytes.data, f.bytes.size);
            bool has = false;
            for (struct sl_field m; sl_next_field(&fused, &m);)
                has |= m.number == 1 && m.value;
            if (has)
                SL_TRY(read_texts(d, f.bytes, 2, &g->group.sorted_outputs, &g->group.n_sorted_outputs));
        }
    }
    return finish(d, &r, "a core op");
}

/* ---- host ops ---- */

static sluice_status read_pad(struct decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_pad *p = out;
    p->name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1: p->index = (uint32_t)f.value; break;
        case 2: p->name = text(d, &f); break;
        case 3: p->format_order = (uint32_t)f.value; break;
        case 8: p->format_type = (uint32_t)f.value; break;
        }
    return finish(d, &r, "a pad");
}

static void add_size(const struct sl_field *f, double *sizes, uint32_t *n)
{
    enum { MOST = 32 };
    if (f->wire == SL_WIRE_VARINT && (*n)++ < MOST)
        sizes[*n - 1] = (double)f->value;
    else if (f->wire == SL_WIRE_I32 && (*n)++ < MOST)
        sizes[*n - 1] = sl_field_f32(f);
}

/* A repeated uint32 or float, packed or not, of which the first 32 are kept and all are counted. */
static void read_sizes(const struct sl_field *f, bool floats, double *sizes, uint32_t *n)
{
    if (f->wire != SL_WIRE_LEN) {
        add_size(f, sizes, n);
        return;
    }
    struct sl_reader r = sl_reader_of(f->bytes.data, f->bytes.size);
    while (sl_left(&r) && !r.bad) {
        struct sl_field one = {.wire = floats ? SL_WIRE_I32 : SL_WIRE_VARINT};
        one.value = floats ? sl_read_u32(&r) : sl_read_varint(&r);
        add_size(&one, sizes, n);
    }
}

/* Field numbers of the decoders' pads by op: {reg, cls, obj, one pad}; 0 = none. */
struct decoder_fields { uint32_t message, h, w, stride, pad, reg, cls, obj; bool floats; };

static const struct decoder_fields decoder_fields[] = {
    [SL_HEF_OP_YOLOV5] = {4, 2, 3, 4, 5, 0, 0, 0, false},     [SL_HEF_OP_YOLOX] = {3, 0, 0, 1, 0, 2, 3, 4, false},
    [SL_HEF_OP_SSD] = {9, 1, 2, 0, 0, 3, 4, 0, true},         [SL_HEF_OP_YOLOV5_SEG] = {3, 2, 3, 4, 5, 0, 0, 0, false},
    [SL_HEF_OP_YOLOV8] = {4, 0, 0, 1, 0, 2, 3, 0, false},
};

static sluice_status read_decoder(struct decoder *d, struct sl_view message, const struct decoder_fields *k, struct sl_hef_decoder *out)
{
    *out = (struct sl_hef_decoder){.pad = k->pad ? 0 : -1, .reg_pad = k->reg ? 0 : -1, .cls_pad = k->cls ? 0 : -1, .obj_pad = k->obj ? 0 : -1};
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == 0)
            continue;
        if (f.number == k->h)
            read_sizes(&f, k->floats, out->h, &out->n_h);
        else if (f.number == k->w)
            read_sizes(&f, k->floats, out->w, &out->n_w);
        else if (f.number == k->stride)
            out->stride = (uint32_t)f.value;
        else if (f.number == k->pad)
            out->pad = (uint32_t)f.value;
        else if (f.number == k->reg)
            out->reg_pad = (uint32_t)f.value;
        else if (f.number == k->cls)
            out->cls_pad = (uint32_t)f.value;
        else if (f.number == k->obj)
            out->obj_pad = (uint32_t)f.value;
    }
    SL_TRY(finish(d, &r, "a box decoder"));
    if (out->n_h != out->n_w)
        return sl_fail(d->e, SLUICE_E_FORMAT, "a box decoder has %u heights and %u widths", out->n_h, out->n_w);
    return SLUICE_OK;
}

/* The part of an NMS op that is its own kind's. */
static sluice_status read_nms_kind(struct decoder *d, struct sl_view message, struct sl_hef_op *op)
{
    if (op->kind == SL_HEF_OP_IOU)
        return SLUICE_OK;
    const struct decoder_fields *k = &decoder_fields[op->kind];
    uint32_t n = count_fields(message, k->message);
    SL_TRY(new_array(d, n, sizeof(*op->decoders), &op->decoders));
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == k->message && f.wire == SL_WIRE_LEN)
            SL_TRY(read_decoder(d, f.bytes, k, &op->decoders[op->n_decoders++]));
        else if (f.number == 1)
            op->image_height = sl_field_f64(&f);
        else if (f.number == 2)
            op->image_width = sl_field_f64(&f);
        else if (op->kind == SL_HEF_OP_SSD && f.number == 3)
            op->centers_scale = (uint32_t)f.value;
        else if (op->kind == SL_HEF_OP_SSD && f.number == 4)
            op->dimensions_scale = (uint32_t)f.value;
        else if (op->kind == SL_HEF_OP_YOLOV8 && f.number == 5)
            op->regression_length = (uint32_t)f.value;
        else if (op->kind == SL_HEF_OP_YOLOV5_SEG && f.number == 5)
            op->mask_threshold = sl_field_f64(&f);
    }
    return finish(d, &r, "an NMS op");
}

static sluice_status read_nms_op(struct decoder *d, struct sl_view message, struct sl_hef_op *op)
{
    static const enum sl_hef_op_kind kinds[] = {SL_HEF_OP_YOLOV5, SL_HEF_OP_YOLOX, SL_HEF_OP_SSD,
                                                SL_HEF_OP_IOU,    SL_HEF_OP_YOLOV5_SEG, SL_HEF_OP_YOLOV8};
    struct sl_view own = {0};
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1: op->score_threshold = sl_field_f64(&f); break;
        case 2: op->iou_threshold = sl_field_f64(&f); break;
        case 3: op->max_per_class = (uint32_t)f.value; break;
        case 4: op->classes = (uint32_t)f.value; break;
        case 5: op->background_removal = f.value != 0; break;
        case 6: op->background_index = (uint32_t)f.value; break;
        case 13: op->decoding_only = f.value != 0; break;
        case 7:
        case 8:
        case 9:
        case 10:
        case 11:
        case 12:
            if (f.wire == SL_WIRE_LEN) {
                op->kind = kinds[f.number - 7];
                own = f.bytes;
            }
            break;
        }
    SL_TRY(finish(d, &r, "an NMS op"));
    return op->kind == SL_HEF_OP_NONE ? SLUICE_OK : read_nms_kind(d, own, op);
}

static sluice_status read_op(struct decoder *d, struct sl_view message, struct sl_hef_op *op)
{
    op->kind = SL_HEF_OP_NONE;
    op->name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == 1) {
            op->name = text(d, &f);
        } else if (f.number == 5 && f.wire == SL_WIRE_LEN) {
            SL_TRY(read_nms_op(d, f.bytes, op));
        } else if (f.number == 6 && f.wire == SL_WIRE_LEN) {
            op->kind = SL_HEF_OP_ARGMAX;
            struct sl_reader logits = sl_reader_of(f.bytes.data, f.bytes.size);
            for (struct sl_field g; sl_next_field(&logits, &g);)
                if (g.number == 1)
                    op->kind = g.value == 0 ? SL_HEF_OP_ARGMAX : g.value == 1 ? SL_HEF_OP_SOFTMAX : SL_HEF_OP_NONE;
        }
    }
    SL_TRY(finish(d, &r, "an op"));
    SL_TRY(read_repeated(d, message, 2, sizeof(struct sl_hef_pad), read_pad, &op->inputs, &op->n_inputs));
    return read_repeated(d, message, 3, sizeof(struct sl_hef_pad), read_pad, &op->outputs, &op->n_outputs);
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

static sluice_status read_pad_edge(struct decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_pad_edge *p = out;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            p->src = (uint32_t)f.value;
        else if (f.number == 2)
            p->dst = (uint32_t)f.value;
    return finish(d, &r, "a pad edge");
}

static sluice_status read_group(struct decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_raw_group *g = out;
    g->group.name = "";
    g->core_name = "";
    SL_TRY(new_array(d, count_fields(message, 8), sizeof(struct sl_hef_op), &g->group.ops));
    SL_TRY(read_texts(d, message, 4, &g->group.sorted_outputs, &g->group.n_sorted_outputs));
    SL_TRY(read_texts(d, message, 6, &g->group.networks, &g->group.n_networks));
    SL_TRY(read_repeated(d, message, 9, sizeof(struct sl_hef_pad_edge), read_pad_edge, &g->group.edges, &g->group.n_edges));
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
            SL_TRY(read_op(d, f.bytes, &g->group.ops[g->group.n_ops++]));
    }
    return finish(d, &r, "a network group");
}

/* Numbers of extensions the vendor's runtime 5.2.0 knows: 0 to 35 but 7 and 8. */
static bool extension_known(uint64_t number)
{
    return number <= 35 && number != 7 && number != SL_HEF_MULTI_NETWORK;
}

static sluice_status read_extension(struct decoder *d, struct sl_view message, bool optional, struct sl_hef_raw *raw)
{
    uint64_t number = 0;
    const char *name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            number = (uint32_t)f.value;
        else if (f.number == 2)
            name = text(d, &f);
    SL_TRY(finish(d, &r, "an extension"));
    if (number < SL_HEF_EXTENSIONS)
        *(optional ? &d->h->optional_extensions : &d->h->extensions) |= UINT64_C(1) << number;
    if (!optional && !extension_known(number) && !raw->bad_extension) {
        raw->bad_extension = true;
        raw->bad_extension_number = (uint32_t)number;
        raw->bad_extension_name = name;
    }
    return SLUICE_OK;
}

static sluice_status read_header_message(struct decoder *d, struct sl_view message, struct sl_hef_raw *raw)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        if (f.number == 1)
            d->h->arch = (uint32_t)f.value;
        else if (f.number == 3)
            d->h->sdk_text = text(d, &f);
        else if (f.number == 4)
            raw->version = f.value;
        else if (f.number == 5 && f.wire == SL_WIRE_LEN) {
            struct sl_reader sdk = sl_reader_of(f.bytes.data, f.bytes.size);
            for (struct sl_field v; sl_next_field(&sdk, &v);)
                if (v.number >= 1 && v.number <= 3)
                    d->h->sdk[v.number - 1] = (uint32_t)v.value;
            SL_TRY(finish(d, &sdk, "the compiler's version"));
        }
    return finish(d, &r, "its header");
}

sluice_status sl_hef_read_message(sl_arena *a, struct sl_view proto, struct sl_hef *h, struct sl_hef_raw *raw, sl_err *e)
{
    struct decoder d = {a, e, h, 0};
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
    SL_TRY(finish(&d, &r, "its outermost fields"));
    return read_repeated(&d, proto, 2, sizeof(struct sl_hef_raw_group), read_group, &raw->groups, &raw->n_groups);
}
