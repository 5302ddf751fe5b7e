/*
 * hef.h: the HEF container, the vendor's public file format: header, protobuf message, configuration words (ccws). The reader
 * takes any valid HEF, header versions 0 to 3, of any compiler; the writer writes version 3 around a payload (payload.h).
 * docs/formats.md has the layout; numbers and field names follow the public hef.proto of HailoRT 5.2.0.
 */
#ifndef SL_HEF_HEF_H
#define SL_HEF_HEF_H

#include <jansson.h>

#include "hef/program.h"

enum { SL_HEF_NAME_MAX = 127 }; /* characters of a stream or network group name */

/* Header numbers of ProtoHEFHwArch that this build writes. */
enum { SL_HEF_ARCH_HAILO15L = 6, SL_HEF_ARCH_HAILO1XH = 103 };

/* Extension numbers (ProtoHEFExtensionType) that the reader looks at or the writer sets. */
enum {
    SL_HEF_IS_MULTI_CONTEXTS = 4,
    SL_HEF_MULTI_NETWORK = 8, /* optional extensions only */
    SL_HEF_HW_PADDING = 11,   /* optional extensions only */
    SL_HEF_NET_FLOW = 13,
    SL_HEF_NMS_OUTPUT_BURST = 19,
    SL_HEF_SCALE_PER_FEATURE = 25,
    SL_HEF_PERIPH_CALCULATION = 26,
    SL_HEF_EXTENSIONS = 64 /* numbers below this are kept as bits */
};

enum sl_hef_type { SL_HEF_UINT8, SL_HEF_UINT16, SL_HEF_FLOAT32 };

/* Orders of values in a stream. */
enum sl_hef_order {
    SL_HEF_NHWC,
    SL_HEF_NHCW,
    SL_HEF_NC,
    SL_HEF_FCR,
    SL_HEF_BAYER_RGB,
    SL_HEF_BAYER_RGB_12,
    SL_HEF_NHW,
    SL_HEF_NMS_ON_CHIP,
    SL_HEF_NMS_BY_CLASS,
    SL_HEF_NMS_WITH_BYTE_MASK,
    SL_HEF_F8CR,
    SL_HEF_RGB888,
    SL_HEF_NCHW,
    SL_HEF_YUY2,
    SL_HEF_YYUV,
    SL_HEF_YYVU,
    SL_HEF_YYYYUV,
    SL_HEF_NV12,
    SL_HEF_NV21,
    SL_HEF_I420,
    SL_HEF_AUTO,
    SL_HEF_ORDER_COUNT
};
const char *sl_hef_order_name(enum sl_hef_order o); /* as the vendor's tool prints it */
const char *sl_hef_type_name(enum sl_hef_type t);

struct sl_hef_shape {
    uint32_t height, width, features;
};
struct sl_hef_quant {
    float zero_point, scale, limit_min, limit_max;
    uint32_t n_zero_points, n_scales;
    const double *zero_points, *scales;
};
struct sl_hef_nms {
    uint64_t classes, max_boxes, box_bytes, division_factor;
    uint32_t burst_size, burst_type;
    bool defused;
};

enum sl_hef_connection { SL_HEF_BOUNDARY, SL_HEF_INTERMEDIATE, SL_HEF_DDR, SL_HEF_CACHE };
enum sl_hef_layer_kind { SL_HEF_INFO, SL_HEF_MUX, SL_HEF_PLANES };

/* An edge layer: what enters or leaves a context. */
struct sl_hef_layer {
    const char *name;
    bool output;
    enum sl_hef_layer_kind kind;
    enum sl_hef_connection connection;
    uint32_t context, n_connected, first_connected, network_index, sys_index;
    bool has_pad_index, transposed, host_argmax;
    uint32_t pad_index;
    uint32_t format, data_bytes, bytes_per_buffer, buffers_per_frame, max_shmifo, engine, n_buffer_indices;
    int32_t cache_id;
    struct sl_hef_shape shape, padded;
    struct sl_hef_quant quant;
    struct sl_hef_nms nms;
    uint32_t n_original_names;
    const char **original_names;
    uint32_t n_predecessors; /* edges of a MUX, planes of a PLANES layer */
    struct sl_hef_layer *predecessors;
};

enum sl_hef_op_kind {
    SL_HEF_OP_CORE,
    SL_HEF_OP_YOLOV5,
    SL_HEF_OP_YOLOX,
    SL_HEF_OP_SSD,
    SL_HEF_OP_IOU,
    SL_HEF_OP_YOLOV5_SEG,
    SL_HEF_OP_YOLOV8,
    SL_HEF_OP_ARGMAX,
    SL_HEF_OP_SOFTMAX,
    SL_HEF_OP_NONE
};

struct sl_hef_pad {
    uint32_t index, format_order, format_type;
    const char *name;
}; /* numbers as in the message */
struct sl_hef_decoder {
    uint32_t n_h, n_w, stride;
    double h[32], w[32];
    int64_t pad, reg_pad, cls_pad, obj_pad; /* -1: not given */
};

/* A post-processing op on the host. */
struct sl_hef_op {
    enum sl_hef_op_kind kind;
    const char *name;
    uint32_t n_inputs, n_outputs;
    struct sl_hef_pad *inputs, *outputs;
    double score_threshold, iou_threshold, image_height, image_width, mask_threshold;
    uint32_t max_per_class, classes, background_index, centers_scale, dimensions_scale, regression_length;
    bool background_removal, decoding_only;
    uint32_t n_decoders;
    struct sl_hef_decoder *decoders;
};

/* What a stream or a vstream looks like to a program that uses it. */
struct sl_hef_stream {
    const char *name;
    bool output;
    enum sl_hef_type type;
    enum sl_hef_order order;
    struct sl_hef_shape shape;           /* streams: as the device holds it (padded); vstreams: as the host sees it */
    uint32_t nms_classes, nms_max_boxes; /* by class: boxes of one class; byte mask: of all classes */
    uint64_t nms_frame_bytes;
    const struct sl_hef_layer *layer; /* NULL for the output of a host op */
    const struct sl_hef_op *op;       /* NULL unless the output of a host op */
};

struct sl_hef_group {
    const char *name;
    uint32_t n_contexts, n_layers, n_ops, n_edges, n_sorted_outputs, n_networks;
    struct sl_hef_layer *layers; /* of all contexts, in file order */
    struct sl_hef_op *ops;       /* host ops, without the core op */
    struct sl_hef_pad_edge {
        uint32_t src, dst;
    } * edges;
    const char **sorted_outputs, **networks;
    double bottleneck_fps;
    uint64_t operations;
    uint32_t n_streams, n_vstreams; /* inputs, then outputs; vstream outputs in sorted order */
    struct sl_hef_stream *streams, *vstreams;
    struct sl_view first_config; /* what the first configuration action points at: {NULL, 0} without one */
    bool has_config;
};

struct sl_hef {
    uint32_t header_version, arch;
    uint32_t sdk[3];
    const char *sdk_text;
    uint64_t extensions, optional_extensions; /* bits */
    uint32_t n_groups;
    struct sl_hef_group *groups;
    struct sl_view ccws; /* configuration words; empty for version 0 */
    uint8_t hash[16];    /* MD5, CRC32 or XXH3-64 of the header */
    int hash_bytes;
    bool has_program; /* the ccws begin with a sluice payload */
};

/* What the core of a HEF is asked to hold for one network group. */
struct sl_hef_source {
    const struct sl_program *program;
    uint64_t operations; /* a frame, for information; 0 unknown */
};

/* A whole HEF file in `out`. arch: SL_HEF_ARCH_*. Same programs, same bytes. */
sluice_status sl_hef_write(sl_arena *a, uint32_t arch, const struct sl_hef_source *groups, size_t n, struct sl_buffer *out,
                           sl_err *e);

bool sl_hef_is(struct sl_view bytes);
/* Everything but the programs, checked as the vendor's parser checks it. Views into `bytes`, which must outlive it. */
sluice_status sl_hef_read(sl_arena *a, struct sl_view bytes, struct sl_hef **out, sl_err *e);
/* The programs, in the order of the network groups. A HEF of another compiler is refused with a reason. flags: SL_PAYLOAD_*. */
sluice_status sl_hef_programs(sl_arena *a, const struct sl_hef *h, unsigned flags, struct sl_program **out, size_t *n,
                              sl_err *e);

/* Names of devices that take a HEF of this arch number: "HAILO15H, HAILO10H". */
const char *sl_hef_compatible(uint32_t arch);

/* The lines of `parse-hef`, as the vendor's tool prints them. verbose adds lines about the sluice program. */
enum { SL_HEF_SHOW_STREAMS = 1, SL_HEF_SHOW_VSTREAMS = 2, SL_HEF_SHOW_PROGRAM = 4 };
void sl_hef_describe(struct sl_buffer *out, const struct sl_hef *h, unsigned show);
/* The same facts as JSON, and what the program holds. The caller decref's. */
json_t *sl_hef_json(const struct sl_hef *h);

#endif
