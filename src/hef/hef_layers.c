/* hef_layers.c: decodes edge layers: plain, mux and planes. After it: hef_proto.c, which owns the contexts they are in. */
#include "hef/hef_decode.h"

static sluice_status read_nms_info(struct sl_decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_nms *nms = out;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 2:
            nms->classes = f.value;
            break;
        case 3:
            nms->max_boxes = f.value;
            break;
        case 4:
            nms->box_bytes = f.value;
            break;
        case 5:
            nms->defused = f.value != 0;
            break;
        case 7:
            nms->division_factor = f.value;
            break;
        case 8:
            nms->burst_size = (uint32_t)f.value;
            break;
        case 9:
            nms->burst_type = (uint32_t)f.value;
            break;
        }
    return sl_decode_finish(d, &r, "an NMS description");
}

static sluice_status read_base(struct sl_decoder *d, struct sl_view message, struct sl_hef_layer *l)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1:
            l->shape.height = (uint32_t)f.value;
            break;
        case 2:
            l->padded.height = (uint32_t)f.value;
            break;
        case 3:
            l->shape.width = (uint32_t)f.value;
            break;
        case 4:
            l->padded.width = (uint32_t)f.value;
            break;
        case 5:
            l->shape.features = (uint32_t)f.value;
            break;
        case 6:
            l->padded.features = (uint32_t)f.value;
            break;
        case 7:
            l->format = (uint32_t)f.value;
            break;
        case 8:
            l->sys_index = (uint32_t)f.value;
            break;
        case 9:
            l->bytes_per_buffer = (uint32_t)f.value;
            break;
        case 10:
            l->buffers_per_frame = (uint32_t)f.value;
            break;
        case 11: {
            struct sl_reader info = sl_reader_of(f.bytes.data, f.wire == SL_WIRE_LEN ? f.bytes.size : 0);
            for (struct sl_field g; sl_next_field(&info, &g);)
                if (g.number == 1 && g.wire == SL_WIRE_LEN)
                    SL_TRY(read_nms_info(d, g.bytes, &l->nms));
            break;
        }
        case 12:
            l->data_bytes = (uint32_t)f.value;
            break;
        case 13:
            l->n_buffer_indices += f.wire == SL_WIRE_LEN;
            break;
        case 14:
            l->host_argmax = f.value != 0;
            break;
        case 15:
            l->max_shmifo = (uint32_t)f.value;
            break;
        case 16:
            l->engine = (uint32_t)f.value;
            break;
        }
    return sl_decode_finish(d, &r, "the base of an edge layer");
}

static sluice_status read_numeric(struct sl_decoder *d, struct sl_view message, struct sl_hef_quant *q)
{
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1:
            q->zero_point = sl_field_f32(&f);
            break;
        case 2:
            q->scale = sl_field_f32(&f);
            break;
        case 3:
            q->limit_min = sl_field_f32(&f);
            break;
        case 4:
            q->limit_max = sl_field_f32(&f);
            break;
        }
    SL_TRY(sl_decode_finish(d, &r, "the numeric info of an edge layer"));
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
    uint64_t planes = 0;
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);)
        switch (f.number) {
        case 1:
            l->name = sl_decode_text(d, &f);
            break;
        case 2:
            planes = f.value;
            break;
        case 4:
            l->shape.height = (uint32_t)f.value;
            break;
        case 5:
            l->shape.width = (uint32_t)f.value;
            break;
        case 6:
            l->shape.features = (uint32_t)f.value;
            break;
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
