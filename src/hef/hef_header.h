/* hef_header.h: the header of a HEF file, versions 0 to 3 (docs/formats.md). */
#ifndef SL_HEF_HEF_HEADER_H
#define SL_HEF_HEF_HEADER_H

#include "base/error.h"
#include "base/reader.h"

enum { SL_HEF_MAGIC = 0x01484546, SL_HEF_HEADER_V0 = 32, SL_HEF_HEADER_V1 = 28, SL_HEF_HEADER_V2 = 44, SL_HEF_HEADER_V3 = 56 };

struct sl_hef_header {
    uint32_t version;
    struct sl_view proto, ccws, additional; /* additional: external resources follow the ccws (version 3) */
    uint8_t hash[16];
    int hash_bytes;
};

/* Lengths and checksums are checked as the vendor's parser does: see docs/formats.md for what each version covers. */
sluice_status sl_hef_read_header(struct sl_view file, struct sl_hef_header *out, sl_err *e);

#endif
