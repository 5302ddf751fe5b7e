/*
 * hef_read.c: a HEF file -> struct sl_hef: compares the parts of the decoded message with each other by the rules of the
 * vendor's parser and derives streams and vstreams. Before it: hef_header.c, hef_proto.c. After it: describe, runtime, device.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hef/hef.h"
#include "hef/hef_header.h"
#include "hef/hef_proto.h"
#include "hef/payload.h"

/* edge_layer_base.format -> order on the device, order on the host. */
static bool orders_of(uint32_t format, enum sl_hef_order *device, enum sl_hef_order *host)
{
    static const struct {
        bool known;
        enum sl_hef_order device, host;
    } orders[] = {
        [0] = {true, SL_HEF_NHWC, SL_HEF_NHWC},
        [1] = {true, SL_HEF_NHCW, SL_HEF_NHWC},
        [2] = {true, SL_HEF_NC, SL_HEF_NC},
        [3] = {true, SL_HEF_FCR, SL_HEF_FCR},
        [4] = {true, SL_HEF_BAYER_RGB, SL_HEF_BAYER_RGB},
        [5] = {true, SL_HEF_NHW, SL_HEF_NHW},
        [6] = {true, SL_HEF_NMS_ON_CHIP, SL_HEF_NMS_BY_CLASS},
        [7] = {true, SL_HEF_F8CR, SL_HEF_F8CR},
        [8] = {true, SL_HEF_RGB888, SL_HEF_NHWC},
        [11] = {true, SL_HEF_YUY2, SL_HEF_YUY2},
        [13] = {true, SL_HEF_NHWC, SL_HEF_NHWC},
        [14] = {true, SL_HEF_YYUV, SL_HEF_NV12},
        [15] = {true, SL_HEF_YYVU, SL_HEF_NV21},
        [16] = {true, SL_HEF_YYYYUV, SL_HEF_I420},
    };
    if (format >= SL_COUNT(orders) || !orders[format].known)
        return false;
    *device = orders[format].device;
    *host = orders[format].host;
    return true;
}

/* ProtoHEFFormatOrder of an op's output pad -> order. */
static enum sl_hef_order order_of_pad(uint32_t number)
{
    static const enum sl_hef_order orders[] = {
        SL_HEF_AUTO, SL_HEF_NHWC,      SL_HEF_NHCW,         SL_HEF_FCR,          SL_HEF_F8CR,   SL_HEF_NHW,
        SL_HEF_NC,   SL_HEF_BAYER_RGB, SL_HEF_BAYER_RGB_12, SL_HEF_NMS_BY_CLASS, SL_HEF_RGB888, SL_HEF_NCHW,
        SL_HEF_YUY2, SL_HEF_NV12,      SL_HEF_NV21,         SL_HEF_YYUV,         SL_HEF_YYVU};
    return number < SL_COUNT(orders) ? orders[number] : SL_HEF_AUTO;
}

/* ---- edge layers ---- */

static sluice_status check_boundary(const struct sl_hef *h, struct sl_hef_layer *l, sl_err *e)
{
    enum sl_hef_order device, host;
    if (strlen(l->name) > SL_HEF_NAME_MAX)
        return sl_fail(e, SLUICE_E_LIMIT, "stream '%s': its name has %zu characters, at most %d are allowed", l->name,
                       strlen(l->name), SL_HEF_NAME_MAX);
    if (l->data_bytes != 1 && l->data_bytes != 2)
        return sl_fail(e, SLUICE_E_VALUE, "stream '%s': %" PRIu32 " bytes a value, 1 or 2 are known", l->name, l->data_bytes);
    if (!orders_of(l->format, &device, &host))
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "stream '%s': format number %" PRIu32 " is not known", l->name, l->format);
    if (l->bytes_per_buffer > UINT16_MAX || l->buffers_per_frame > UINT16_MAX || l->sys_index > UINT8_MAX ||
        l->engine > UINT8_MAX)
        return sl_fail(e, SLUICE_E_FORMAT, "stream '%s': an index or a buffer size is out of range", l->name);
    if (l->n_buffer_indices != 1)
        return sl_fail(e, SLUICE_E_FORMAT, "stream '%s': %" PRIu32 " buffer indices, 1 is wanted", l->name,
                       l->n_buffer_indices);
    if (l->host_argmax)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "stream '%s': argmax on the host by the old way is not supported", l->name);
    if (h->extensions >> SL_HEF_SCALE_PER_FEATURE & 1 && l->output) {
        uint32_t wanted = device == SL_HEF_NMS_ON_CHIP ? 2 : l->shape.features;
        if ((l->quant.n_scales && l->quant.n_scales != wanted) || (l->quant.n_zero_points && l->quant.n_zero_points != wanted))
            return sl_fail(e, SLUICE_E_FORMAT, "stream '%s': %" PRIu32 " scales for %" PRIu32 " features", l->name,
                           l->quant.n_scales, wanted);
    }
    if (l->transposed && device != SL_HEF_NC) {
        struct sl_hef_shape s = l->shape, p = l->padded;
        l->shape.height = s.width, l->shape.width = s.height;
        l->padded.height = p.width, l->padded.width = p.height;
    }
    return SLUICE_OK;
}

static sluice_status check_layers(const struct sl_hef *h, struct sl_hef_group *g, sl_err *e)
{
    uint32_t inputs = 0, outputs = 0;
    for (uint32_t i = 0; i < g->n_layers; i++) {
        struct sl_hef_layer *l = &g->layers[i];
        if (l->connection != SL_HEF_BOUNDARY) {
            if (l->kind != SL_HEF_INFO)
                return sl_fail(e, SLUICE_E_FORMAT, "edge layer '%s' between contexts is not a plain one", l->name);
            bool linked = l->connection == SL_HEF_INTERMEDIATE ? l->n_connected >= 1
                          : l->connection == SL_HEF_DDR        ? l->n_connected == 1 && l->first_connected == l->context
                                                               : l->cache_id >= 0;
            if (!linked)
                return sl_fail(e, SLUICE_E_FORMAT, "edge layer '%s' of context %" PRIu32 " is not connected as its kind wants",
                               l->name, l->context);
            continue;
        }
        SL_TRY(check_boundary(h, l, e));
        for (uint32_t k = 0; l->kind == SL_HEF_MUX && k < l->n_predecessors; k++)
            SL_TRY(check_boundary(h, &l->predecessors[k], e));
        *(l->output ? &outputs : &inputs) += 1;
    }
    if (inputs == 0 || outputs == 0)
        return sl_fail(e, SLUICE_E_NOT_FOUND,
                       "network group '%s' has %" PRIu32 " inputs and %" PRIu32 " outputs: at least one of each is wanted",
                       g->name, inputs, outputs);
    return SLUICE_OK;
}

static sluice_status check_unique(sl_arena *a, const struct sl_hef_group *g, sl_err *e)
{
    struct sl_map *seen = sl_map_new(a);
    for (uint32_t i = 0; i < g->n_layers; i++) {
        if (g->layers[i].connection != SL_HEF_BOUNDARY)
            continue;
        if (sl_map_has(seen, g->layers[i].name))
            return sl_fail(e, SLUICE_E_FORMAT, "two streams of network group '%s' are named '%s'", g->name, g->layers[i].name);
        sl_map_set(seen, g->layers[i].name, &g->layers[i]);
    }
    return SLUICE_OK;
}

/* ---- streams ---- */

static enum sl_hef_type type_of(const struct sl_hef_layer *l)
{
    return l->data_bytes == 2 ? SL_HEF_UINT16 : SL_HEF_UINT8;
}

/* Where the core pads the width by itself, the device's shape is the host's. */
static bool core_pads(const struct sl_hef *h, const struct sl_hef_layer *l, enum sl_hef_order device)
{
    uint64_t row = (uint64_t)l->shape.width * l->shape.features;
    uint32_t most = l->max_shmifo ? l->max_shmifo : 8192;
    return device == SL_HEF_NHCW && l->buffers_per_frame == l->shape.height && row % 8 == 0 &&
           row * l->data_bytes < SL_MIN(most, 8192) && !(h->optional_extensions >> SL_HEF_HW_PADDING & 1);
}

static struct sl_hef_stream stream_of(const struct sl_hef *h, const struct sl_hef_layer *l)
{
    enum sl_hef_order device = SL_HEF_AUTO, host = SL_HEF_AUTO;
    orders_of(l->format, &device, &host);
    struct sl_hef_stream s = {l->name,   l->output, type_of(l), device, core_pads(h, l, device) ? l->shape : l->padded,
                              .layer = l};
    if (device == SL_HEF_NMS_ON_CHIP) {
        uint64_t chunks = SL_MAX(l->nms.division_factor, 1);
        s.nms_frame_bytes = l->nms.box_bytes + chunks * l->nms.classes * (2 + l->nms.box_bytes * l->nms.max_boxes);
    }
    return s;
}

/* A count of at most `boxes` boxes of five floats, a class. */
static uint64_t by_class_bytes(uint64_t classes, uint64_t boxes)
{
    return classes * (sizeof(float) + boxes * 5 * sizeof(float));
}

static struct sl_hef_stream vstream_of(const struct sl_hef_layer *l)
{
    enum sl_hef_order device = SL_HEF_AUTO, host = SL_HEF_AUTO;
    orders_of(l->format, &device, &host);
    struct sl_hef_stream s = {l->name, l->output, type_of(l), host, l->shape, .layer = l};
    if (device == SL_HEF_NMS_ON_CHIP) {
        s.type = SL_HEF_FLOAT32;
        s.nms_classes = (uint32_t)l->nms.classes;
        s.nms_max_boxes = (uint32_t)(l->nms.max_boxes * SL_MAX(l->nms.division_factor, 1));
        s.nms_frame_bytes = by_class_bytes(s.nms_classes, s.nms_max_boxes);
    }
    return s;
}

/* ---- host ops ---- */

/* The boundary output whose pad_index is `pad`. */
static const struct sl_hef_layer *layer_of_pad(const struct sl_hef_group *g, int64_t pad)
{
    for (uint32_t i = 0; i < g->n_layers; i++) {
        const struct sl_hef_layer *l = &g->layers[i];
        if (l->connection == SL_HEF_BOUNDARY && l->output && l->has_pad_index && l->pad_index == pad)
            return l;
    }
    return NULL;
}

/* The boundary output that feeds an op's input pad, by pad_edges. */
static const struct sl_hef_layer *source_of(const struct sl_hef_group *g, uint32_t dst)
{
    for (uint32_t i = 0; i < g->n_edges; i++)
        if (g->edges[i].dst == dst)
            return layer_of_pad(g, g->edges[i].src);
    return NULL;
}

static bool op_reads(const struct sl_hef_group *g, const struct sl_hef_op *op, const struct sl_hef_layer *l)
{
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (source_of(g, op->inputs[i].index) == l)
            return true;
    return false;
}

static sluice_status check_decoder(const struct sl_hef_group *g, const struct sl_hef_op *op, const struct sl_hef_decoder *k,
                                   sl_err *e)
{
    const int64_t pads[] = {k->pad, k->reg_pad, k->cls_pad, k->obj_pad};
    const struct sl_hef_layer *first = NULL;
    for (size_t i = 0; i < SL_COUNT(pads); i++) {
        if (pads[i] < 0)
            continue;
        const struct sl_hef_layer *l = layer_of_pad(g, pads[i]);
        if (l == NULL || !op_reads(g, op, l))
            return sl_fail(e, SLUICE_E_FORMAT,
                           "a box decoder of op '%s' names pad %" PRId64 ", which is not one of the op's inputs", op->name,
                           pads[i]);
        if (first &&
            (l->shape.height != first->shape.height || l->shape.width != first->shape.width || l->format != first->format))
            return sl_fail(e, SLUICE_E_SHAPE, "a box decoder of op '%s' reads '%s' and '%s', whose shapes do not fit", op->name,
                           first->name, l->name);
        first = first ? first : l;
    }
    const struct sl_hef_layer *boxes = k->reg_pad < 0 ? NULL : layer_of_pad(g, k->reg_pad);
    if (op->kind == SL_HEF_OP_YOLOV8 && boxes && boxes->shape.features % 4)
        return sl_fail(e, SLUICE_E_SHAPE, "op '%s' reads boxes of %" PRIu32 " features from '%s': a multiple of 4 is wanted",
                       op->name, boxes->shape.features, boxes->name);
    return SLUICE_OK;
}

static sluice_status check_op(const struct sl_hef_group *g, const struct sl_hef_op *op, sl_err *e)
{
    if (op->kind == SL_HEF_OP_NONE)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "op '%s' is of a kind that is not known", op->name);
    bool logits = op->kind == SL_HEF_OP_ARGMAX || op->kind == SL_HEF_OP_SOFTMAX;
    if (op->n_outputs == 0 || op->n_inputs == 0 || (logits && (op->n_inputs != 1 || op->n_outputs != 1)))
        return sl_fail(e, SLUICE_E_FORMAT, "op '%s' has %" PRIu32 " inputs and %" PRIu32 " outputs", op->name, op->n_inputs,
                       op->n_outputs);
    for (uint32_t i = 0; i < op->n_inputs; i++)
        if (source_of(g, op->inputs[i].index) == NULL)
            return sl_fail(e, SLUICE_E_FORMAT, "input pad %" PRIu32 " of op '%s' is fed by no output of the network",
                           op->inputs[i].index, op->name);
    bool can_decode_only = op->kind == SL_HEF_OP_YOLOV5 || op->kind == SL_HEF_OP_YOLOV8;
    if (op->decoding_only && !logits && !can_decode_only)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "op '%s' cannot decode boxes alone", op->name);
    for (uint32_t i = 0; i < op->n_decoders; i++)
        SL_TRY(check_decoder(g, op, &op->decoders[i], e));
    return SLUICE_OK;
}

/* Boxes an op without suppression gives out: one a position (and anchor). */
static uint32_t count_proposals(const struct sl_hef_group *g, const struct sl_hef_op *op)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < op->n_decoders; i++) {
        const struct sl_hef_decoder *k = &op->decoders[i];
        const struct sl_hef_layer *l = layer_of_pad(g, op->kind == SL_HEF_OP_YOLOV5 ? k->pad : k->reg_pad);
        n += (uint64_t)l->shape.height * l->shape.width * (op->kind == SL_HEF_OP_YOLOV5 ? k->n_h : 1);
    }
    return (uint32_t)n;
}

static struct sl_hef_stream op_vstream(const struct sl_hef_group *g, const struct sl_hef_op *op)
{
    struct sl_hef_stream s = {op->outputs[0].name, true, SL_HEF_FLOAT32, SL_HEF_NMS_BY_CLASS, .op = op};
    const struct sl_hef_layer *in = source_of(g, op->inputs[0].index);
    uint32_t classes = op->classes - (op->background_removal && op->classes ? 1 : 0);
    if (op->kind == SL_HEF_OP_SOFTMAX || op->kind == SL_HEF_OP_ARGMAX) {
        s.order = order_of_pad(op->outputs[0].format_order);
        s.shape = in->shape;
        if (op->kind == SL_HEF_OP_ARGMAX) {
            s.shape.features = 1;
            s.type = op->outputs[0].format_type == 2 ? SL_HEF_UINT16 : SL_HEF_UINT8;
        }
    } else if (op->decoding_only) {
        s.order = SL_HEF_NHWC;
        s.shape = (struct sl_hef_shape){1, count_proposals(g, op), classes + (op->kind == SL_HEF_OP_YOLOV5 ? 5 : 4)};
    } else if (op->kind == SL_HEF_OP_YOLOV5_SEG) {
        enum { DETECTION_BYTES = 40, MASKS = 2 }; /* a detection with its mask's place; room for masks in pictures */
        s.type = SL_HEF_UINT8;
        s.order = SL_HEF_NMS_WITH_BYTE_MASK;
        s.nms_classes = classes;
        s.nms_max_boxes = classes * op->max_per_class;
        /* An image size that is no number, or no picture's, counts as none. */
        double pixels = op->image_height * op->image_width;
        s.nms_frame_bytes =
            2 + (uint64_t)s.nms_max_boxes * DETECTION_BYTES + (pixels > 0 && pixels < 1e9 ? MASKS * (uint64_t)pixels : 0);
    } else {
        s.nms_classes = classes;
        s.nms_max_boxes = op->max_per_class;
        s.nms_frame_bytes = by_class_bytes(classes, op->max_per_class);
    }
    return s;
}

/* ---- the group's streams in their order ---- */

static uint32_t rank_of(const struct sl_hef_group *g, const char *name)
{
    uint32_t i = 0;
    while (i < g->n_sorted_outputs && strcmp(g->sorted_outputs[i], name) != 0)
        i++;
    return i;
}

struct ranked {
    uint32_t rank, index;
    struct sl_hef_stream s;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static sluice_status sort_outputs(sl_arena *a, struct sl_hef_group *g, uint32_t first, sl_err *e)
{
    uint32_t n = g->n_vstreams - first;
    struct ranked *r = sl_arena_alloc(a, n * sizeof(*r));
    if (r == NULL)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %" PRIu32 " output streams", n);
    for (uint32_t i = 0; i < n; i++) {
        r[i] = (struct ranked){rank_of(g, g->vstreams[first + i].name), i, g->vstreams[first + i]};
        if (n > 1 && r[i].rank == g->n_sorted_outputs)
            return sl_fail(e, SLUICE_E_FORMAT, "output '%s' of network group '%s' is missing in its order of outputs",
                           r[i].s.name, g->name);
    }
    qsort(r, n, sizeof(*r), by_rank);
    for (uint32_t i = 0; i < n; i++)
        g->vstreams[first + i] = r[i].s;
    return SLUICE_OK;
}

static bool consumed(const struct sl_hef_group *g, const struct sl_hef_layer *l)
{
    for (uint32_t i = 0; i < g->n_ops; i++)
        if (op_reads(g, &g->ops[i], l))
            return true;
    return false;
}

static void add_layer_vstreams(struct sl_hef_group *g, const struct sl_hef_layer *l)
{
    if (l->kind != SL_HEF_MUX) {
        g->vstreams[g->n_vstreams++] = vstream_of(l);
        return;
    }
    for (uint32_t i = 0; i < l->n_predecessors; i++) {
        g->vstreams[g->n_vstreams] = vstream_of(&l->predecessors[i]);
        g->vstreams[g->n_vstreams++].output = l->output;
    }
}

static sluice_status make_streams(sl_arena *a, const struct sl_hef *h, struct sl_hef_group *g, sl_err *e)
{
    uint32_t most = g->n_ops;
    for (uint32_t i = 0; i < g->n_layers; i++)
        most += 1 + g->layers[i].n_predecessors;
    g->streams = sl_arena_alloc(a, most * sizeof(*g->streams));
    g->vstreams = sl_arena_alloc(a, most * sizeof(*g->vstreams));
    if (g->streams == NULL || g->vstreams == NULL)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %" PRIu32 " streams", most);
    uint32_t inputs = 0;
    for (int output = 0; output < 2; output++) {
        inputs = output ? g->n_vstreams : 0;
        for (uint32_t i = 0; i < g->n_layers; i++) {
            const struct sl_hef_layer *l = &g->layers[i];
            if (l->connection != SL_HEF_BOUNDARY || l->output != (output == 1))
                continue;
            g->streams[g->n_streams++] = stream_of(h, l);
            if (!consumed(g, l))
                add_layer_vstreams(g, l);
        }
    }
    for (uint32_t i = 0; i < g->n_ops; i++)
        g->vstreams[g->n_vstreams++] = op_vstream(g, &g->ops[i]);
    return sort_outputs(a, g, inputs, e);
}

/* ---- groups ---- */

static sluice_status check_group(sl_arena *a, struct sl_hef *h, struct sl_hef_raw_group *raw, sl_err *e)
{
    struct sl_hef_group *g = &raw->group;
    if (!raw->has_core)
        return sl_fail(e, SLUICE_E_FORMAT, "network group '%s' has no core op", g->name);
    if (strcmp(g->name, raw->core_name) != 0)
        return sl_fail(e, SLUICE_E_FORMAT, "network group '%s' has a core op of the name '%s'", g->name, raw->core_name);
    if (strlen(g->name) > SL_HEF_NAME_MAX)
        return sl_fail(e, SLUICE_E_LIMIT, "network group '%s': its name has %zu characters, at most %d are allowed", g->name,
                       strlen(g->name), SL_HEF_NAME_MAX);
    if (g->n_contexts == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "network group '%s' has no context", g->name);
    if (h->header_version == 0 ? raw->has_ccw_pointer : raw->has_ccw_inline)
        return sl_fail(e, SLUICE_E_FORMAT,
                       "network group '%s' carries its configuration in a way that header version %" PRIu32 " does not have",
                       g->name, h->header_version);
    if (g->n_sorted_outputs == 0) {
        g->sorted_outputs = raw->last_context_outputs;
        g->n_sorted_outputs = raw->n_last_context_outputs;
    }
    if (g->n_sorted_outputs == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "network group '%s' does not name the order of its outputs", g->name);
    bool several = h->optional_extensions >> SL_HEF_MULTI_NETWORK & 1;
    for (uint32_t i = 0; several && i < g->n_layers; i++)
        if (g->layers[i].network_index >= g->n_networks)
            return sl_fail(e, SLUICE_E_VALUE, "edge layer '%s' is of network %" PRIu32 ", the group names %" PRIu32,
                           g->layers[i].name, g->layers[i].network_index, g->n_networks);
    SL_TRY(check_layers(h, g, e));
    SL_TRY(check_unique(a, g, e));
    for (uint32_t i = 0; i < g->n_ops; i++)
        SL_TRY(check_op(g, &g->ops[i], e));
    g->has_config = raw->has_ccw_pointer;
    if (raw->has_ccw_pointer && raw->first_config_offset <= h->ccws.size &&
        raw->first_config_bytes <= h->ccws.size - raw->first_config_offset)
        g->first_config = (struct sl_view){h->ccws.data + raw->first_config_offset, (size_t)raw->first_config_bytes};
    return make_streams(a, h, g, e);
}

static sluice_status check_message(const struct sl_hef *h, const struct sl_hef_raw *raw, sl_err *e)
{
    if (raw->bad_extension)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "the HEF needs extension %" PRIu32 " '%s', which runtime 5.2.0 does not have",
                       raw->bad_extension_number, raw->bad_extension_name);
    if (raw->version == 0 || !(h->extensions >> SL_HEF_NET_FLOW & 1) || !(h->extensions >> SL_HEF_PERIPH_CALCULATION & 1))
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "the HEF is of an old compiler: it lacks %s",
                       raw->version == 0                         ? "a header version"
                       : !(h->extensions >> SL_HEF_NET_FLOW & 1) ? "extension HAILO_NET_FLOW"
                                                                 : "extension PERIPH_CALCULATION_IN_HAILORT");
    return SLUICE_OK;
}

bool sl_hef_is(struct sl_view bytes)
{
    struct sl_reader r = sl_reader_of(bytes.data, bytes.size);
    return sl_read_u32be(&r) == SL_HEF_MAGIC;
}

sluice_status sl_hef_read(sl_arena *a, struct sl_view bytes, struct sl_hef **out, sl_err *e)
{
    struct sl_hef_header header = {0};
    struct sl_hef_raw raw = {0};
    struct sl_hef *h = SL_NEW(a, struct sl_hef);
    SL_TRY(sl_hef_read_header(bytes, &header, e));
    h->header_version = header.version;
    h->ccws = header.ccws;
    memcpy(h->hash, header.hash, sizeof(h->hash));
    h->hash_bytes = header.hash_bytes;
    h->has_program = sl_payload_is(h->ccws);
    SL_TRY(sl_hef_read_message(a, header.proto, h, &raw, e));
    SL_TRY(check_message(h, &raw, e));
    h->groups = sl_arena_alloc(a, raw.n_groups * sizeof(*h->groups));
    if (h->groups == NULL)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %" PRIu32 " network groups", raw.n_groups);
    struct sl_map *names = sl_map_new(a);
    for (uint32_t i = 0; i < raw.n_groups; i++) {
        SL_TRY(check_group(a, h, &raw.groups[i], e));
        if (sl_map_has(names, raw.groups[i].group.name))
            return sl_fail(e, SLUICE_E_FORMAT, "two network groups are named '%s'", raw.groups[i].group.name);
        h->groups[h->n_groups++] = raw.groups[i].group;
        sl_map_set(names, h->groups[i].name, &h->groups[i]);
    }
    *out = h;
    return SLUICE_OK;
}

sluice_status sl_hef_programs(sl_arena *a, const struct sl_hef *h, unsigned flags, struct sl_program **out, size_t *n,
                              sl_err *e)
{
    if (!h->has_program) {
        sl_fail(e, SLUICE_E_UNSUPPORTED,
                "the HEF holds no sluice program: it was compiled for the vendor's chip by another compiler");
        return sl_hint(e, "its streams can be shown (parse-hef); to run the network here, compile it with `sluice compiler`");
    }
    SL_TRY(sl_payload_read(a, h->ccws, flags, out, n, e));
    if (*n != h->n_groups)
        return sl_fail(e, SLUICE_E_FORMAT, "the HEF has %" PRIu32 " network groups and %zu programs", h->n_groups, *n);
    for (uint32_t i = 0; i < h->n_groups; i++)
        if (strcmp((*out)[i].name, h->groups[i].name) != 0)
            return sl_fail(e, SLUICE_E_FORMAT, "network group '%s' has a program of the name '%s'", h->groups[i].name,
                           (*out)[i].name);
    return SLUICE_OK;
}
