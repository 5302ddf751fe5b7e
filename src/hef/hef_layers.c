/* hef_layers.c: decodes edge layers: plain, mux and planes. After it: hef_proto.c, which owns the contexts they are in. */
#include "hef/hef_decode.h"

static sluice_status read_nms_info(struct sl_decoder *d, struct sl_view message, struct sl_hef_nms *nms)
{
    static const struct sl_member members[] = {
        SL_MEMBER(2, struct sl_hef_nms, classes),         SL_MEMBER(3, struct sl_hef_nms, max_boxes),
        SL_MEMBER(4, struct sl_hef_nms, box_bytes),       SL_MEMBER(5, struct sl_hef_nms, defused),
        SL_MEMBER(7, struct sl_hef_nms, division_factor), SL_MEMBER(8, struct sl_hef_nms, burst_size),
        SL_MEMBER(9, struct sl_hef_nms, burst_type),
    };
    return sl_decode_members(d, message, members, SL_COUNT(members), "an NMS description", nms);
}

/* {1: NMS description} */
static sluice_status read_additional(struct sl_decoder *d, const struct sl_field *f, struct sl_hef_nms *nms)
{
    struct sl_reader r = sl_reader_of(f->bytes.data, f->wire == SL_WIRE_LEN ? f->bytes.size : 0);
    for (struct sl_field g; sl_next_field(&r, &g);)
        if (g.number == 1 && g.wire == SL_WIRE_LEN)
            SL_TRY(read_nms_info(d, g.bytes, nms));
    return SLUICE_OK;
}

static sluice_status read_base(struct sl_decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    static const struct sl_member members[] = {
        SL_MEMBER(1, struct sl_hef_layer, shape.height),     SL_MEMBER(2, struct sl_hef_layer, padded.height),
        SL_MEMBER(3, struct sl_hef_layer, shape.width),      SL_MEMBER(4, struct sl_hef_layer, padded.width),
        SL_MEMBER(5, struct sl_hef_layer, shape.features),   SL_MEMBER(6, struct sl_hef_layer, padded.features),
        SL_MEMBER(7, struct sl_hef_layer, format),           SL_MEMBER(8, struct sl_hef_layer, sys_index),
        SL_MEMBER(9, struct sl_hef_layer, bytes_per_buffer), SL_MEMBER(10, struct sl_hef_layer, buffers_per_frame),
        SL_MEMBER(12, struct sl_hef_layer, data_bytes),      SL_MEMBER(14, struct sl_hef_layer, host_argmax),
        SL_MEMBER(15, struct sl_hef_layer, max_shmifo),      SL_MEMBER(16, struct sl_hef_layer, engine),
    };
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        sl_decode_member(d, &f, members, SL_COUNT(members), l);
        if (f.number == 11)
            SL_TRY(read_additional(d, &f, &l->nms));
        else if (f.number == 13)
            l->n_buffer_indices += f.wire == SL_WIRE_LEN;
    }
    return sl_decode_finish(d, &r, "the base of an edge layer");
}

static sluice_status read_numeric(struct sl_decoder *d, struct sl_view message, struct sl_hef_quant *q)
{
    static const struct sl_member members[] = {
        SL_MEMBER(1, struct sl_hef_quant, zero_point),
        SL_MEMBER(2, struct sl_hef_quant, scale),
        SL_MEMBER(3, struct sl_hef_quant, limit_min),
        SL_MEMBER(4, struct sl_hef_quant, limit_max),
    };
    SL_TRY(sl_decode_members(d, message, members, SL_COUNT(members), "the numeric info of an edge layer", q));
    SL_TRY(sl_decode_doubles(d, message, 5, &q->zero_points, &q->n_zero_points));
    return sl_decode_doubles(d, message, 6, &q->scales, &q->n_scales);
}

static sluice_status read_info(struct sl_decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == 1)
            l->name = sl_decode_text(d, &f);
        else if (f.number == 2 && f.wire == SL_WIRE_LEN)
            SL_TRY(read_base(d, f.bytes, l));
        else if (f.number == 3 && f.wire == SL_WIRE_LEN)
            SL_TRY(read_numeric(d, f.bytes, &l->quant));
        else if (f.number == 6)
            l->transposed = f.value != 0;
    }
    SL_TRY(sl_decode_finish(d, &r, "an edge layer"));
    return sl_decode_texts(d, message, 5, &l->original_names, &l->n_original_names);
}

/* A predecessor of a MUX or a plane: {1: info, 2: mux, 3: planes}. The vendor's compiler nests muxes one deep; deeper ones are
 * kept as the name alone. */
static sluice_status read_plain_edge(struct sl_decoder *d, struct sl_view message, void *out)
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
    return sl_decode_finish(d, &r, "a predecessor of an edge layer");
}

static sluice_status read_mux(struct sl_decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    uint64_t used = UINT64_MAX;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == 1)
            l->name = sl_decode_text(d, &f);
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
    SL_TRY(sl_decode_finish(d, &r, "a mux layer"));
    SL_TRY(
        sl_decode_repeated(d, message, 5, sizeof(struct sl_hef_layer), read_plain_edge, &l->predecessors, &l->n_predecessors));
    if (used == UINT64_MAX)
        used = 0;
    if (used > l->n_predecessors)
        return sl_fail(d->e, SLUICE_E_FORMAT, "mux layer '%s' names %llu predecessors and has %u", l->name,
                       (unsigned long long)used, l->n_predecessors);
    l->n_predecessors = (uint32_t)used;
    return sl_decode_texts(d, message, 6, &l->original_names, &l->n_original_names);
}

static sluice_status read_planes(struct sl_decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    static const uint32_t formats[] = {14, 15, 16}; /* device orders YYUV, YYVU, YYYYUV of NV12, NV21, I420 */
    static const struct sl_member members[] = {
        SL_MEMBER(1, struct sl_hef_layer, name),
        SL_MEMBER(4, struct sl_hef_layer, shape.height),
        SL_MEMBER(5, struct sl_hef_layer, shape.width),
        SL_MEMBER(6, struct sl_hef_layer, shape.features),
    };
    uint64_t planes = 0;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        sl_decode_member(d, &f, members, SL_COUNT(members), l);
        if (f.number == 2)
            planes = f.value;
    }
    SL_TRY(sl_decode_finish(d, &r, "a planes layer"));
    SL_TRY(
        sl_decode_repeated(d, message, 3, sizeof(struct sl_hef_layer), read_plain_edge, &l->predecessors, &l->n_predecessors));
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

static sluice_status read_link(struct sl_decoder *d, struct sl_view message, struct sl_hef_layer *l)
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
    return sl_decode_finish(d, &r, "the connection of an edge layer");
}

sluice_status sl_decode_layer(struct sl_decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_layer *l = out;
    l->name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        bool sub = f.wire == SL_WIRE_LEN;
        switch (f.number) {
        case 1:
            l->output = f.value == 1;
            break;
        case 2:
            l->kind = f.value <= SL_HEF_PLANES ? (enum sl_hef_layer_kind)f.value : SL_HEF_INFO;
            break;
        case 3:
            SL_TRY(sub ? read_info(d, f.bytes, l) : SLUICE_OK);
            break;
        case 4:
            SL_TRY(sub ? read_mux(d, f.bytes, l) : SLUICE_OK);
            break;
        case 8:
            SL_TRY(sub ? read_planes(d, f.bytes, l) : SLUICE_OK);
            break;
        case 5:
            SL_TRY(sub ? read_link(d, f.bytes, l) : SLUICE_OK);
            break;
        case 6:
            l->network_index = (uint32_t)f.value;
            break;
        case 7:
            l->has_pad_index = true;
            l->pad_index = (uint32_t)f.value;
            break;
        }
    }
    return sl_decode_finish(d, &r, "an edge layer");
}
