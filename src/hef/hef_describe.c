/*
 * hef_describe.c: what a HEF holds, as the lines that the vendor's `parse-hef` prints and as JSON. Which line comes from which
 * field: docs/formats.md.
 */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "hef/hef.h"
#include "hef/isa.h"
#include "hef/payload.h"

const char *sl_hef_order_name(enum sl_hef_order o)
{
    static const char *const names[SL_HEF_ORDER_COUNT] = {
        [SL_HEF_NHWC] = "NHWC",
        [SL_HEF_NHCW] = "NHCW",
        [SL_HEF_NC] = "NC",
        [SL_HEF_FCR] = "FCR",
        [SL_HEF_BAYER_RGB] = "BAYER RGB",
        [SL_HEF_BAYER_RGB_12] = "12 BIT BAYER RGB",
        [SL_HEF_NHW] = "NHW",
        [SL_HEF_NMS_ON_CHIP] = "HAILO NMS ON CHIP",
        [SL_HEF_NMS_BY_CLASS] = "HAILO NMS BY CLASS",
        [SL_HEF_NMS_WITH_BYTE_MASK] = "HAILO NMS WITH BYTE MASK",
        [SL_HEF_F8CR] = "F8CR",
        [SL_HEF_RGB888] = "RGB 888",
        [SL_HEF_NCHW] = "NCHW",
        [SL_HEF_YUY2] = "YUY2",
        [SL_HEF_YYUV] = "YYUV",
        [SL_HEF_YYVU] = "YYVU",
        [SL_HEF_YYYYUV] = "YYYYUV",
        [SL_HEF_NV12] = "NV12",
        [SL_HEF_NV21] = "NV21",
        [SL_HEF_I420] = "I420",
        [SL_HEF_AUTO] = "AUTO",
    };
    return names[o];
}

const char *sl_hef_type_name(enum sl_hef_type t)
{
    return t == SL_HEF_FLOAT32 ? "FLOAT32" : t == SL_HEF_UINT16 ? "UINT16" : "UINT8";
}

const char *sl_hef_compatible(uint32_t arch)
{
    switch (arch) {
    case 103:
    case 104:
    case 105:
        return "HAILO15H, HAILO10H";
    case 6:
    case 106:
        return "HAILO15L";
    case 4:
        return "HAILO15M, HAILO15H, HAILO10H";
    case 108:
        return "HAILO12L";
    case 3:
        return "HAILO8L, HAILO8";
    case 100:
        return "HAILO8_A0";
    case 0:
    case 1:
    case 2:
    case 101:
    case 102:
        return "HAILO8";
    default:
        return "UNKNOWN ARCHITECTURE";
    }
}

/* ---- text ---- */

static void put_stream(struct sl_buffer *out, const struct sl_hef_stream *s)
{
    sl_put_printf(out, "            %s %s %s, %s", s->output ? "Output" : "Input ", s->name, sl_hef_type_name(s->type),
                  sl_hef_order_name(s->order));
    switch (s->order) {
    case SL_HEF_NC:
        sl_put_printf(out, "(%" PRIu32 ")", s->shape.features);
        break;
    case SL_HEF_NHW:
        sl_put_printf(out, "(%" PRIu32 "x%" PRIu32 ")", s->shape.height, s->shape.width);
        break;
    case SL_HEF_NMS_ON_CHIP:
        sl_put_printf(out, "(maximum frame size: %" PRIu64 ")", s->nms_frame_bytes);
        break;
    case SL_HEF_NMS_BY_CLASS:
    case SL_HEF_NMS_WITH_BYTE_MASK:
        sl_put_printf(
            out, "(number of classes: %" PRIu32 ", maximum bounding boxes %s: %" PRIu32 ", maximum frame size: %" PRIu64 ")",
            s->nms_classes, s->order == SL_HEF_NMS_BY_CLASS ? "per class" : "total", s->nms_max_boxes, s->nms_frame_bytes);
        break;
    default:
        sl_put_printf(out, "(%" PRIu32 "x%" PRIu32 "x%" PRIu32 ")", s->shape.height, s->shape.width, s->shape.features);
    }
    sl_put_printf(out, "\n");
}

#define OP_INDENT "                "

/* A picture's side: whatever a file says, as an integer. */
static int32_t side(double v)
{
    return v > -1e9 && v < 1e9 ? (int32_t)v : 0;
}

static void put_op(struct sl_buffer *out, const struct sl_hef_op *op)
{
    static const struct {
        const char *type, *name, *decoding_name;
    } names[] = {
        [SL_HEF_OP_YOLOV5] = {"YOLOV5", "YOLOv5-Post-Process", "YOLOv5Bbox-Only-Post-Process"},
        [SL_HEF_OP_YOLOX] = {"YOLOX", "YOLOX-Post-Process", ""},
        [SL_HEF_OP_SSD] = {"SSD", "SSD-Post-Process", ""},
        [SL_HEF_OP_IOU] = {"IOU", "IoU-Post-Process", ""},
        [SL_HEF_OP_YOLOV5_SEG] = {"YOLOV5SEG", "YOLOv5-Seg-Post-Process", ""},
        [SL_HEF_OP_YOLOV8] = {"YOLOV8", "YOLOV8-Post-Process", "YOLOv8Bbox-Only-Post-Process"},
        [SL_HEF_OP_ARGMAX] = {"ARGMAX", "Argmax-Post-Process", ""},
        [SL_HEF_OP_SOFTMAX] = {"SOFTMAX", "Softmax-Post-Process", ""},
    };
    bool logits = op->kind == SL_HEF_OP_ARGMAX || op->kind == SL_HEF_OP_SOFTMAX;
    sl_put_printf(out, "            Operation:\n");
    if (logits) {
        sl_put_printf(out, OP_INDENT "%s Op\n" OP_INDENT "Name: %s\n", names[op->kind].type, names[op->kind].name);
        return;
    }
    sl_put_printf(out, OP_INDENT "Op %s\n" OP_INDENT "Name: %s\n", names[op->kind].type,
                  op->decoding_only ? names[op->kind].decoding_name : names[op->kind].name);
    if (!op->decoding_only)
        sl_put_printf(out, OP_INDENT "Score threshold: %.3f\n" OP_INDENT "IoU threshold: %.2f\n", op->score_threshold,
                      op->iou_threshold);
    sl_put_printf(out, OP_INDENT "Classes: %" PRIu32 "\n", op->classes);
    if (!op->decoding_only) {
        if (op->kind == SL_HEF_OP_YOLOV5_SEG)
            sl_put_printf(out, OP_INDENT "Max bboxes total: %" PRIu64 "\n", (uint64_t)op->max_per_class * op->classes);
        else
            sl_put_printf(out, OP_INDENT "Max bboxes per class: %" PRIu32 "\n", op->max_per_class);
        if (op->background_removal)
            sl_put_printf(out, OP_INDENT "Background removal index: %" PRIu32 "\n", op->background_index);
    }
    if (op->kind == SL_HEF_OP_IOU)
        return;
    sl_put_printf(out, OP_INDENT "Image height: %" PRId32 "\n" OP_INDENT "Image width: %" PRId32 "\n", side(op->image_height),
                  side(op->image_width));
    if (op->kind == SL_HEF_OP_SSD)
        sl_put_printf(out,
                      OP_INDENT "Centers scales factor: %" PRIu32 "\n" OP_INDENT "Bbox dimension scale factor: %" PRIu32
                                "\n" OP_INDENT "Normalize boxes: false\n",
                      op->centers_scale, op->dimensions_scale);
    if (op->kind == SL_HEF_OP_YOLOV5_SEG)
        sl_put_printf(out, OP_INDENT "Mask threshold: %.2f\n", op->mask_threshold);
}

static const char *network_name(const struct sl_hef *h, const struct sl_hef_group *g, uint32_t i)
{
    return h->optional_extensions >> SL_HEF_MULTI_NETWORK & 1 && i < g->n_networks ? g->networks[i] : g->name;
}

static bool of_network(const struct sl_hef_stream *s, uint32_t network)
{
    return s->layer == NULL ? network == 0 : s->layer->network_index == network;
}

static void put_group(struct sl_buffer *out, const struct sl_hef *h, const struct sl_hef_group *g, unsigned show)
{
    sl_put_printf(out, "Network group name: %s, ", g->name);
    if (g->n_contexts > 1)
        sl_put_printf(out, "Multi Context - Number of contexts: %" PRIu32 "\n", g->n_contexts);
    else
        sl_put_printf(out, "Single Context\n");
    bool several = h->optional_extensions >> SL_HEF_MULTI_NETWORK & 1;
    for (uint32_t n = 0; n < (several ? g->n_networks : 1); n++) {
        sl_put_printf(out, "    Network name: %s/%s\n", g->name, network_name(h, g, n));
        if (show & SL_HEF_SHOW_STREAMS) {
            sl_put_printf(out, "        Stream infos:\n");
            for (uint32_t i = 0; i < g->n_streams; i++)
                if (!several || of_network(&g->streams[i], n))
                    put_stream(out, &g->streams[i]);
        }
        if (show & SL_HEF_SHOW_VSTREAMS) {
            sl_put_printf(out, "        VStream infos:\n");
            for (uint32_t i = 0; i < g->n_vstreams; i++)
                if (!several || of_network(&g->vstreams[i], n))
                    put_stream(out, &g->vstreams[i]);
            if (g->n_ops && n == 0)
                put_op(out, &g->ops[g->n_ops - 1]);
        }
    }
}

/* What there is to say of the programs without running them. */
struct program_facts {
    const char *name;
    uint32_t instructions, contexts, constants;
    uint64_t constant_bytes;
};

static size_t find_facts(sl_arena *a, const struct sl_hef *h, struct program_facts **out, sl_err *e)
{
    struct sl_program *programs;
    size_t n;
    if (sl_hef_programs(a, h, SL_PAYLOAD_ANY_HASH, &programs, &n, e) != SLUICE_OK)
        return 0;
    *out = SL_NEW_ARRAY(a, struct program_facts, n);
    for (size_t i = 0; i < n; i++) {
        (*out)[i] =
            (struct program_facts){programs[i].name, programs[i].n_insns, programs[i].n_contexts, programs[i].n_consts, 0};
        for (uint32_t c = 0; c < programs[i].n_consts; c++)
            (*out)[i].constant_bytes += programs[i].consts[c].bytes;
    }
    return n;
}

static void put_programs(struct sl_buffer *out, const struct sl_hef *h)
{
    sl_arena *a = sl_arena_new();
    sl_err err = {0};
    struct program_facts *facts = NULL;
    size_t n = find_facts(a, h, &facts, &err);
    if (n == 0)
        sl_put_printf(out, "Program: none that runs here: %s\n", err.message);
    for (size_t i = 0; i < n; i++)
        sl_put_printf(
            out, "Program: %s, %" PRIu32 " instructions in %" PRIu32 " contexts, %" PRIu32 " constants of %" PRIu64 " bytes\n",
            facts[i].name, facts[i].instructions, facts[i].contexts, facts[i].constants, facts[i].constant_bytes);
    sl_arena_free(a);
}

void sl_hef_describe(struct sl_buffer *out, const struct sl_hef *h, unsigned show)
{
    sl_put_printf(out, "HEF Compatible for: %s\n", sl_hef_compatible(h->arch));
    if (h->sdk[0] || h->sdk[1] || h->sdk[2])
        sl_put_printf(out, "HEF Compiler Version: %" PRIu32 ".%" PRIu32 ".%" PRIu32 "\n", h->sdk[0], h->sdk[1], h->sdk[2]);
    for (uint32_t i = 0; i < h->n_groups; i++)
        put_group(out, h, &h->groups[i], show);
    if (show & SL_HEF_SHOW_PROGRAM)
        put_programs(out, h);
}

/* ---- JSON ---- */

static json_t *stream_json(const struct sl_hef_stream *s, bool device)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(s->name));
    json_object_set_new(o, "direction", json_string(s->output ? "output" : "input"));
    json_object_set_new(o, "type", json_string(sl_hef_type_name(s->type)));
    json_object_set_new(o, "order", json_string(sl_hef_order_name(s->order)));
    json_object_set_new(
        o, "shape",
        json_pack("[I,I,I]", (json_int_t)s->shape.height, (json_int_t)s->shape.width, (json_int_t)s->shape.features));
    if (s->nms_frame_bytes) {
        json_object_set_new(o, "frame_bytes", json_integer((json_int_t)s->nms_frame_bytes));
        json_object_set_new(o, "classes", json_integer(s->nms_classes));
        json_object_set_new(o, "max_boxes", json_integer(s->nms_max_boxes));
    }
    if (s->layer && device) {
        /* A number that is none in the file (NaN, infinity) is left out: JSON has no word for it. */
        json_t *scale = sl_json_f32(s->layer->quant.scale), *zero = sl_json_f32(s->layer->quant.zero_point);
        if (scale)
            json_object_set_new(o, "scale", scale);
        if (zero)
            json_object_set_new(o, "zero_point", zero);
        json_t *origins = json_array();
        for (uint32_t i = 0; i < s->layer->n_original_names; i++)
            json_array_append_new(origins, json_string(s->layer->original_names[i]));
        json_object_set_new(o, "original_names", origins);
    }
    return o;
}

static json_t *group_json(const struct sl_hef_group *g)
{
    json_t *o = json_object(), *streams = json_array(), *vstreams = json_array(), *sorted = json_array();
    for (uint32_t i = 0; i < g->n_streams; i++)
        json_array_append_new(streams, stream_json(&g->streams[i], true));
    for (uint32_t i = 0; i < g->n_vstreams; i++)
        json_array_append_new(vstreams, stream_json(&g->vstreams[i], false));
    for (uint32_t i = 0; i < g->n_sorted_outputs; i++)
        json_array_append_new(sorted, json_string(g->sorted_outputs[i]));
    json_object_set_new(o, "name", json_string(g->name));
    json_object_set_new(o, "contexts", json_integer(g->n_contexts));
    json_object_set_new(o, "streams", streams);
    json_object_set_new(o, "vstreams", vstreams);
    json_object_set_new(o, "sorted_outputs", sorted);
    return o;
}

static json_t *programs_json(const struct sl_hef *h)
{
    sl_arena *a = sl_arena_new();
    sl_err err = {0};
    struct program_facts *facts = NULL;
    json_t *list = json_array();
    size_t n = find_facts(a, h, &facts, &err);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", facts[i].name, "instructions",
                                              (json_int_t)facts[i].instructions, "contexts", (json_int_t)facts[i].contexts,
                                              "constants", (json_int_t)facts[i].constants, "constant_bytes",
                                              (json_int_t)facts[i].constant_bytes));
    sl_arena_free(a);
    return list;
}

json_t *sl_hef_json(const struct sl_hef *h)
{
    char hash[2 * sizeof(h->hash) + 1] = "", version[48];
    for (int i = 0; i < h->hash_bytes; i++)
        snprintf(hash + 2 * i, 3, "%02x", h->hash[i]);
    snprintf(version, sizeof(version), "%" PRIu32 ".%" PRIu32 ".%" PRIu32, h->sdk[0], h->sdk[1], h->sdk[2]);
    json_t *o = json_object(), *groups = json_array();
    json_object_set_new(o, "header_version", json_integer(h->header_version));
    json_object_set_new(o, "hash", json_string(hash));
    json_object_set_new(o, "compatible", json_string(sl_hef_compatible(h->arch)));
    json_object_set_new(o, "compiler_version", json_string(version));
    for (uint32_t i = 0; i < h->n_groups; i++)
        json_array_append_new(groups, group_json(&h->groups[i]));
    json_object_set_new(o, "network_groups", groups);
    json_object_set_new(o, "programs", programs_json(h));
    return o;
}
