/* hef_header.c: reads and checks the header of a HEF. After it: hef_read.c reads the message. */
#include "hef/hef_header.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"

static sluice_status damaged(sl_err *e, const char *what)
{
    return sl_fail(e, SLUICE_E_FORMAT, "the HEF file is damaged: %s", what);
}

/* The bytes after the header must be just as many as its sizes say. */
static sluice_status check_length(uint64_t rest, uint64_t wanted, sl_err *e)
{
    if (rest != wanted)
        return sl_fail(e, SLUICE_E_FORMAT, "the HEF file is damaged: %" PRIu64 " bytes follow its header, which names %" PRIu64,
                       rest, wanted);
    return SLUICE_OK;
}

static void store_u64be(uint8_t out[8], uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static sluice_status read_v0(struct sl_reader *r, uint32_t proto_size, struct sl_hef_header *h, sl_err *e)
{
    sl_skip(r, 4);
    struct sl_view sum = sl_read_bytes(r, 16);
    if (r->bad)
        return damaged(e, "it ends in its header");
    SL_TRY(check_length(sl_left(r), proto_size, e));
    sl_md5(r->p, sl_left(r), h->hash);
    h->hash_bytes = 16;
    if (memcmp(sum.data, h->hash, 16) != 0)
        return damaged(e, "its MD5 sum does not fit");
    h->proto = sl_read_bytes(r, proto_size);
    return SLUICE_OK;
}

static sluice_status read_v1(struct sl_reader *r, uint32_t proto_size, struct sl_hef_header *h, sl_err *e)
{
    uint32_t sum = sl_read_u32be(r);
    uint64_t ccws = sl_read_u64be(r);
    sl_skip(r, 4);
    if (r->bad)
        return damaged(e, "it ends in its header");
    if (ccws > sl_left(r))
        return damaged(e, "its configuration words pass its end");
    SL_TRY(check_length(sl_left(r), proto_size + ccws, e));
    if (sl_crc32(r->p, sl_left(r)) != sum)
        return damaged(e, "its CRC32 does not fit");
    for (int i = 0; i < 4; i++)
        h->hash[i] = (uint8_t)(sum >> (24 - 8 * i));
    h->hash_bytes = 4;
    h->proto = sl_read_bytes(r, proto_size);
    h->ccws = sl_read_bytes(r, (size_t)ccws);
    return SLUICE_OK;
}

static sluice_status read_v2(struct sl_reader *r, uint32_t proto_size, struct sl_hef_header *h, sl_err *e)
{
    uint64_t sum = sl_read_u64be(r), ccws = sl_read_u64be(r);
    sl_skip(r, 16);
    if (r->bad)
        return damaged(e, "it ends in its header");
    if (ccws > sl_left(r))
        return damaged(e, "its configuration words pass its end");
    SL_TRY(check_length(sl_left(r), proto_size + ccws, e));
    if (sl_hash64(r->p, sl_left(r)) != sum)
        return damaged(e, "its XXH3 hash does not fit");
    store_u64be(h->hash, sum);
    h->hash_bytes = 8;
    h->proto = sl_read_bytes(r, proto_size);
    h->ccws = sl_read_bytes(r, (size_t)ccws);
    return SLUICE_OK;
}

/* With a hash of the message, only the message is covered, and lengths past it are clipped to the file, as the vendor's parser
 * leaves them unchecked; without, the whole file is. */
static sluice_status read_v3(struct sl_reader *r, uint32_t proto_size, uint32_t magic, struct sl_hef_header *h, sl_err *e)
{
    uint64_t whole = sl_read_u64be(r), ccws = sl_read_u64be(r);
    uint32_t padding = sl_read_u32be(r);
    uint64_t additional = sl_read_u64be(r), proto_hash = sl_read_u64be(r);
    sl_skip(r, 8);
    if (r->bad)
        return damaged(e, "it ends in its header");
    store_u64be(h->hash, whole);
    h->hash_bytes = 8;
    if (proto_hash == 0) {
        if (magic != SL_HEF_MAGIC)
            return sl_fail(e, SLUICE_E_FORMAT, "not a HEF file: it begins with %08" PRIx32 ", not %08x", magic, SL_HEF_MAGIC);
        if (ccws > sl_left(r) || additional > sl_left(r))
            return damaged(e, "its configuration words pass its end");
        SL_TRY(check_length(sl_left(r), proto_size + ccws + additional, e));
        if (sl_hash64(r->p, sl_left(r)) != whole)
            return damaged(e, "its XXH3 hash does not fit");
    }
    h->proto = sl_read_bytes(r, proto_size);
    if (r->bad)
        return damaged(e, "its message passes its end");
    if (proto_hash != 0 && sl_hash64(h->proto.data, h->proto.size) != proto_hash)
        return damaged(e, "the XXH3 hash of its message does not fit");
    uint64_t words = ccws >= padding ? ccws - padding : 0;
    sl_skip(r, (size_t)SL_MIN((uint64_t)padding, sl_left(r)));
    h->ccws = sl_read_bytes(r, (size_t)SL_MIN(words, sl_left(r)));
    h->additional = sl_read_bytes(r, (size_t)SL_MIN(additional, sl_left(r)));
    return SLUICE_OK;
}

sluice_status sl_hef_read_header(struct sl_view file, struct sl_hef_header *out, sl_err *e)
{
    struct sl_reader r = sl_reader_of(file.data, file.size);
    uint32_t magic = sl_read_u32be(&r);
    out->version = sl_read_u32be(&r);
    uint32_t proto_size = sl_read_u32be(&r);
    if (r.bad)
        return sl_fail(e, SLUICE_E_FORMAT, "not a HEF file: %zu bytes are less than a header", file.size);
    /* The vendor's parser looks at the magic in all but one case: version 3 with a hash of its message. */
    if (magic != SL_HEF_MAGIC && out->version != 3)
        return sl_fail(e, SLUICE_E_FORMAT, "not a HEF file: it begins with %08" PRIx32 ", not %08x", magic, SL_HEF_MAGIC);
    switch (out->version) {
    case 0:
        return read_v0(&r, proto_size, out, e);
    case 1:
        return read_v1(&r, proto_size, out, e);
    case 2:
        return read_v2(&r, proto_size, out, e);
    case 3:
        return read_v3(&r, proto_size, magic, out, e);
    default:
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "HEF header version %" PRIu32 ": versions 0 to 3 are known", out->version);
    }
}
