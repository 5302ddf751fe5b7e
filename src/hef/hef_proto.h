/* hef_proto.h: the message of a HEF decoded into hef.h's structures, before its parts are compared with each other
 * (hef_read.c). */
#ifndef SL_HEF_HEF_PROTO_H
#define SL_HEF_HEF_PROTO_H

#include "hef/hef.h"

/* A network group as the message has it. */
struct sl_hef_raw_group {
    struct sl_hef_group group;
    bool has_core;
    const char *core_name;
    const char **last_context_outputs;
    uint32_t n_last_context_outputs;
    uint64_t first_config_offset, first_config_bytes;
    bool has_ccw_pointer, has_ccw_inline;
};

struct sl_hef_raw {
    uint64_t version;
    uint32_t n_groups;
    struct sl_hef_raw_group *groups;
    bool bad_extension;
    uint32_t bad_extension_number;
    const char *bad_extension_name;
};

/* Fills the header fields of *h and the groups of *raw. */
sluice_status sl_hef_read_message(sl_arena *a, struct sl_view proto, struct sl_hef *h, struct sl_hef_raw *raw, sl_err *e);

#endif
