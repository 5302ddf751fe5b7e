/* hef_ops.c: decodes post-processing ops on the host: NMS of each kind, argmax, softmax. After it: hef_proto.c. */
#include "hef/hef_decode.h"

static sluice_status read_pad(struct sl_decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_pad *p = out;
    p->name = "";
    static const struct sl_member members[] = {
        SL_MEMBER(1, struct sl_hef_pad, index),
        SL_MEMBER(2, struct sl_hef_pad, name),
        SL_MEMBER(3, struct sl_hef_pad, format_order),
        SL_MEMBER(8, struct sl_hef_pad, format_type),
    };
    return sl_decode_members(d, message, members, SL_COUNT(members), "a pad", p);
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
struct decoder_fields {
    uint32_t message, h, w, stride, pad, reg, cls, obj;
    bool floats;
};

static const struct decoder_fields decoder_fields[] = {
    [SL_HEF_OP_YOLOV5] = {4, 2, 3, 4, 5, 0, 0, 0, false}, [SL_HEF_OP_YOLOX] = {3, 0, 0, 1, 0, 2, 3, 4, false},
    [SL_HEF_OP_SSD] = {9, 1, 2, 0, 0, 3, 4, 0, true},     [SL_HEF_OP_YOLOV5_SEG] = {3, 2, 3, 4, 5, 0, 0, 0, false},
    [SL_HEF_OP_YOLOV8] = {4, 0, 0, 1, 0, 2, 3, 0, false},
};

static sluice_status read_decoder(struct sl_decoder *d, struct sl_view message, const struct decoder_fields *k,
                                  struct sl_hef_decoder *out)
{
    *out = (struct sl_hef_decoder){
        .pad = k->pad ? 0 : -1, .reg_pad = k->reg ? 0 : -1, .cls_pad = k->cls ? 0 : -1, .obj_pad = k->obj ? 0 : -1};
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
    SL_TRY(sl_decode_finish(d, &r, "a box decoder"));
    if (out->n_h != out->n_w)
        return sl_fail(d->e, SLUICE_E_FORMAT, "a box decoder has %u heights and %u widths", out->n_h, out->n_w);
    return SLUICE_OK;
}

/* The part of an NMS op that is its own kind's. */
static sluice_status read_nms_kind(struct sl_decoder *d, struct sl_view message, struct sl_hef_op *op)
{
    if (op->kind == SL_HEF_OP_IOU)
        return SLUICE_OK;
    const struct decoder_fields *k = &decoder_fields[op->kind];
    uint32_t n = sl_decode_count(message, k->message);
    SL_TRY(sl_decode_array(d, n, sizeof(*op->decoders), &op->decoders));
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
    return sl_decode_finish(d, &r, "an NMS op");
}

static sluice_status read_nms_op(struct sl_decoder *d, struct sl_view message, struct sl_hef_op *op)
{
    static const enum sl_hef_op_kind kinds[] = {SL_HEF_OP_YOLOV5, SL_HEF_OP_YOLOX,      SL_HEF_OP_SSD,
                                                SL_HEF_OP_IOU,    SL_HEF_OP_YOLOV5_SEG, SL_HEF_OP_YOLOV8};
    static const struct sl_member members[] = {
        SL_MEMBER(1, struct sl_hef_op, score_threshold),    SL_MEMBER(2, struct sl_hef_op, iou_threshold),
        SL_MEMBER(3, struct sl_hef_op, max_per_class),      SL_MEMBER(4, struct sl_hef_op, classes),
        SL_MEMBER(5, struct sl_hef_op, background_removal), SL_MEMBER(6, struct sl_hef_op, background_index),
        SL_MEMBER(13, struct sl_hef_op, decoding_only),
    };
    struct sl_view own = {0};
    struct sl_reader r = sl_reader_of(message.data, message.size);
    op->kind = SL_HEF_OP_NONE; /* of a oneof the last member counts: nothing stays of one read before */
    op->n_decoders = 0;
    for (struct sl_field f; sl_next_field(&r, &f);) {
        sl_decode_member(d, &f, members, SL_COUNT(members), op);
        if (f.number >= 7 && f.number < 7 + SL_COUNT(kinds) && f.wire == SL_WIRE_LEN) {
            op->kind = kinds[f.number - 7];
            own = f.bytes;
        }
    }
    SL_TRY(sl_decode_finish(d, &r, "an NMS op"));
    return op->kind == SL_HEF_OP_NONE ? SLUICE_OK : read_nms_kind(d, own, op);
}

sluice_status sl_decode_op(struct sl_decoder *d, struct sl_view message, void *out)
{
    struct sl_hef_op *op = out;
    op->kind = SL_HEF_OP_NONE;
    op->name = "";
    struct sl_reader r = sl_reader_of(message.data, message.size);
    for (struct sl_field f; sl_next_field(&r, &f);) {
        if (f.number == 1) {
            op->name = sl_decode_text(d, &f);
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
    SL_TRY(sl_decode_finish(d, &r, "an op"));
    SL_TRY(sl_decode_repeated(d, message, 2, sizeof(struct sl_hef_pad), read_pad, &op->inputs, &op->n_inputs));
    return sl_decode_repeated(d, message, 3, sizeof(struct sl_hef_pad), read_pad, &op->outputs, &op->n_outputs);
}
