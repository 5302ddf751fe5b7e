/* npz.c: zip archives of .npy members, by a reader of the central directory and zlib's inflate. Calibration sets come this way
 * and HAR parameters are kept this way: members we write are stored and aligned, so that a mapped archive is used in place.
 * Format: PKWARE APPNOTE 6.3.9, sections 4.3 (records) and 4.5.3 (zip64). */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/hash.h"
#include "base/npy.h"

enum {
    LOCAL_SIGNATURE = 0x04034b50,
    CENTRAL_SIGNATURE = 0x02014b50,
    END_SIGNATURE = 0x06054b50,
    END64_SIGNATURE = 0x06064b50,
    LOCATOR64_SIGNATURE = 0x07064b50,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    LOCATOR64_SIZE = 20,
    END64_SIZE = 56,
    ZIP64_EXTRA = 1,
    PADDING_EXTRA = 0xd935, /* what other aligning writers use; its content has no meaning */
    DOS_DATE_1980 = 0x21,
    VERSION_ZIP64 = 45,
    STORED = 0,
    DEFLATED = 8,
    MOST_NAME = 0xff00 /* of the u16 that counts it, some room for the extra field's own limit */
};

struct entry {
    struct sl_view name;
    unsigned flags, method;
    uint32_t crc;
    uint64_t packed, size, offset; /* offset of the local header */
};

struct directory {
    uint64_t offset, size, entries;
};

static struct sl_reader reader_at(struct sl_view bytes, uint64_t offset)
{
    struct sl_reader r = sl_reader_of(bytes.data, bytes.size);
    if (offset > bytes.size)
        r.bad = true;
    else
        r.p += offset;
    return r;
}

/* The end record lies before an archive comment of at most 65535 bytes: look backwards for it. */
static bool find_end(struct sl_view bytes, size_t *at)
{
    if (bytes.size < END_SIZE)
        return false;
    size_t last = bytes.size - END_SIZE, first = last > 0xffff ? last - 0xffff : 0;
    for (size_t i = last + 1; i-- > first;) {
        struct sl_reader r = reader_at(bytes, i);
        if (sl_read_u32(&r) != END_SIGNATURE)
            continue;
        sl_skip(&r, 16);
        if (sl_read_u16(&r) == bytes.size - END_SIZE - i) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool read_end64(struct sl_view bytes, size_t end_at, struct directory *d)
{
    if (end_at < LOCATOR64_SIZE)
        return false;
    struct sl_reader r = reader_at(bytes, end_at - LOCATOR64_SIZE);
    if (sl_read_u32(&r) != LOCATOR64_SIGNATURE)
        return false;
    sl_skip(&r, 4);
    uint64_t at = sl_read_u64(&r);
    r = reader_at(bytes, at);
    if (sl_read_u32(&r) != END64_SIGNATURE)
        return false;
    sl_skip(&r, 8 + 2 + 2 + 4 + 4 + 8);
    d->entries = sl_read_u64(&r);
    d->size = sl_read_u64(&r);
    d->offset = sl_read_u64(&r);
    return !r.bad;
}

static sluice_status find_directory(struct sl_view bytes, struct directory *d, sl_err *e)
{
    size_t at;
    if (!find_end(bytes, &at))
        return sl_fail(e, SLUICE_E_FORMAT, "not an npz (zip) archive, or cut off: no end-of-archive record");
    struct sl_reader r = reader_at(bytes, at);
    sl_skip(&r, 4);
    unsigned disk = sl_read_u16(&r);
    sl_skip(&r, 4);
    d->entries = sl_read_u16(&r);
    d->size = sl_read_u32(&r);
    d->offset = sl_read_u32(&r);
    bool wide = d->entries == 0xffff || d->size == UINT32_MAX || d->offset == UINT32_MAX;
    if (wide && !read_end64(bytes, at, d))
        return sl_fail(e, SLUICE_E_FORMAT, "npz archive: its zip64 end record is missing or bad");
    if (disk != 0 && disk != 0xffff)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "npz archive in several volumes is not supported");
    if (d->offset > bytes.size || d->size > bytes.size - d->offset)
        return sl_fail(e, SLUICE_E_FORMAT, "npz directory (%llu bytes at %llu) lies outside the file of %zu bytes",
                       (unsigned long long)d->size, (unsigned long long)d->offset, bytes.size);
    if (d->entries > d->size / CENTRAL_SIZE)
        return sl_fail(e, SLUICE_E_FORMAT, "npz directory of %llu bytes cannot hold %llu members", (unsigned long long)d->size,
                       (unsigned long long)d->entries);
    return SLUICE_OK;
}

/* Values of 0xffffffff are found in the zip64 extra field, in this order. */
static void read_zip64_extra(struct sl_view extra, struct entry *m)
{
    struct sl_reader r = sl_reader_of(extra.data, extra.size);
    while (sl_left(&r) >= 4) {
        unsigned id = sl_read_u16(&r), size = sl_read_u16(&r);
        struct sl_view body = sl_read_bytes(&r, size);
        if (id != ZIP64_EXTRA || r.bad)
            continue;
        struct sl_reader b = sl_reader_of(body.data, body.size);
        if (m->size == UINT32_MAX)
            m->size = sl_read_u64(&b);
        if (m->packed == UINT32_MAX)
            m->packed = sl_read_u64(&b);
        if (m->offset == UINT32_MAX)
            m->offset = sl_read_u64(&b);
        if (b.bad) /* leave something that fails the range checks */
            m->offset = UINT64_MAX;
        return;
    }
}

static sluice_status read_entry(struct sl_reader *r, struct entry *m, sl_err *e)
{
    uint32_t signature = sl_read_u32(r);
    sl_skip(r, 4);
    m->flags = sl_read_u16(r);
    m->method = sl_read_u16(r);
    sl_skip(r, 4);
    m->crc = sl_read_u32(r);
    m->packed = sl_read_u32(r);
    m->size = sl_read_u32(r);
    size_t name = sl_read_u16(r), extra = sl_read_u16(r), comment = sl_read_u16(r);
    sl_skip(r, 8);
    m->offset = sl_read_u32(r);
    m->name = sl_read_bytes(r, name);
    struct sl_view extra_bytes = sl_read_bytes(r, extra);
    sl_skip(r, comment);
    if (r->bad || signature != CENTRAL_SIGNATURE)
        return sl_fail(e, SLUICE_E_FORMAT, "npz directory is damaged at byte %zu", sl_offset(r));
    read_zip64_extra(extra_bytes, m);
    return SLUICE_OK;
}

/* The member's packed bytes; the local header only tells how long it is itself. */
static sluice_status find_packed(struct sl_view bytes, const struct entry *m, struct sl_view *packed, sl_err *e)
{
    struct sl_reader r = reader_at(bytes, m->offset);
    uint32_t signature = sl_read_u32(&r);
    sl_skip(&r, 22);
    size_t name = sl_read_u16(&r), extra = sl_read_u16(&r);
    sl_skip(&r, name + extra);
    if (r.bad || signature != LOCAL_SIGNATURE)
        return sl_fail(e, SLUICE_E_FORMAT, "its local header at byte %llu is damaged", (unsigned long long)m->offset);
    if (m->packed > sl_left(&r))
        return sl_fail(e, SLUICE_E_FORMAT, "its %llu bytes pass the end of the file", (unsigned long long)m->packed);
    *packed = sl_read_bytes(&r, (size_t)m->packed);
    return SLUICE_OK;
}

/* zlib counts in unsigned int: feed and drain in pieces. */
static bool inflate_all(struct sl_view packed, uint8_t *out, size_t size)
{
    enum { PIECE = 1 << 30 };
    z_stream z = {0};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return false;
    z.next_in = (Bytef *)packed.data; /* zlib without ZLIB_CONST does not say const, it does not write either */
    z.next_out = out;
    size_t in_left = packed.size, out_left = size;
    int status = Z_OK;
    while (status == Z_OK) {
        z.avail_in = (uInt)SL_MIN(in_left, (size_t)PIECE);
        z.avail_out = (uInt)SL_MIN(out_left, (size_t)PIECE);
        uInt in_before = z.avail_in, out_before = z.avail_out;
        status = inflate(&z, Z_NO_FLUSH);
        in_left -= in_before - z.avail_in;
        out_left -= out_before - z.avail_out;
        if (in_before == z.avail_in && out_before == z.avail_out && status == Z_OK)
            status = Z_BUF_ERROR;
    }
    inflateEnd(&z);
    return status == Z_STREAM_END && out_left == 0;
}

static sluice_status unpack(sl_arena *a, struct sl_view bytes, const struct entry *m, size_t *budget, struct sl_view *out,
                            sl_err *e)
{
    if (m->flags & 1)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "it is encrypted");
    struct sl_view packed;
    SL_TRY(find_packed(bytes, m, &packed, e));
    if (m->method == STORED) {
        if (m->size != m->packed)
            return sl_fail(e, SLUICE_E_FORMAT, "it is stored in %llu bytes but claims %llu", (unsigned long long)m->packed,
                           (unsigned long long)m->size);
        *out = packed;
    } else if (m->method == DEFLATED) {
        if (m->size / 1032 > m->packed) /* no deflate stream expands further */
            return sl_fail(e, SLUICE_E_FORMAT, "%llu packed bytes cannot hold the %llu it claims",
                           (unsigned long long)m->packed, (unsigned long long)m->size);
        if (m->size > *budget)
            return sl_fail(e, SLUICE_E_LIMIT, "unpacked it has %llu bytes, the limit leaves %zu", (unsigned long long)m->size,
                           *budget);
        uint8_t *data = sl_arena_alloc_aligned64(a, (size_t)m->size);
        if (!data)
            return sl_fail(e, SLUICE_E_MEMORY, "out of memory for its %llu bytes", (unsigned long long)m->size);
        *budget -= (size_t)m->size;
        if (!inflate_all(packed, data, (size_t)m->size))
            return sl_fail(e, SLUICE_E_FORMAT, "its compressed data are damaged");
        *out = (struct sl_view){data, (size_t)m->size};
    } else {
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "compression method %u is not supported (stored and deflate are)", m->method);
    }
    if (sl_crc32(out->data, out->size) != m->crc)
        return sl_fail(e, SLUICE_E_FORMAT, "its checksum does not match");
    return SLUICE_OK;
}

static sluice_status member_name(sl_arena *a, struct sl_view name, struct sl_map *seen, const char **out, sl_err *e)
{
    if (name.size < 5 || memcmp(name.data + name.size - 4, ".npy", 4) != 0 || memchr(name.data, 0, name.size))
        return sl_fail(e, SLUICE_E_FORMAT, "npz member '%.*s' is not an .npy file", (int)name.size, (const char *)name.data);
    *out = sl_arena_strndup(a, (const char *)name.data, name.size - 4);
    if (sl_map_has(seen, *out))
        return sl_fail(e, SLUICE_E_FORMAT, "npz member '%s' appears twice", *out);
    sl_map_set(seen, *out, NULL);
    return SLUICE_OK;
}

static sluice_status read_member(sl_arena *a, struct sl_view bytes, const struct entry *m, size_t *budget,
                                 struct sl_npz_member *out, sl_err *e)
{
    struct sl_view npy;
    if (unpack(a, bytes, m, budget, &npy, e) != SLUICE_OK || sl_npy_parse(a, npy, &out->array, e) != SLUICE_OK)
        return sl_context(e, "npz member '%s'", out->name);
    return SLUICE_OK;
}

sluice_status sl_npz_parse(sl_arena *a, struct sl_view bytes, size_t max_bytes, struct sl_npz_member **out, size_t *n,
                           sl_err *e)
{
    struct directory d = {0};
    SL_TRY(find_directory(bytes, &d, e));
    size_t budget = max_bytes ? max_bytes : SL_MIN(bytes.size, SIZE_MAX / 128) * 64 + ((size_t)1 << 20);
    struct sl_npz_member *members = sl_arena_alloc(a, (size_t)d.entries * sizeof *members); /* entries <= file size / 46 */
    if (!members)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for %llu npz members", (unsigned long long)d.entries);
    struct sl_map *seen = sl_map_new(a);
    struct sl_reader r = sl_reader_of(bytes.data + d.offset, (size_t)d.size);
    for (size_t i = 0; i < d.entries; i++) {
        struct entry m = {0};
        SL_TRY(read_entry(&r, &m, e));
        SL_TRY(member_name(a, m.name, seen, &members[i].name, e));
        SL_TRY(read_member(a, bytes, &m, &budget, &members[i], e));
    }
    *out = members;
    *n = (size_t)d.entries;
    return SLUICE_OK;
}

/* ---- writing: the records of the archive in one buffer, the arrays where they are ---- */

struct written {
    uint64_t offset, size;
    uint32_t crc;
};

/* The archive is pieces of `records` and arrays in turn. */
struct layout {
    struct sl_buffer records;
    uint64_t array_bytes; /* of the arrays so far */
    struct sl_view *pieces;
    size_t n_pieces;
    size_t taken; /* of the records, in pieces before the last array */
};

static uint64_t position(const struct layout *l)
{
    return l->records.size + l->array_bytes;
}

/* Records grow and may move: until all are there, a piece of them has its size only. */
static void end_records(struct layout *l)
{
    l->pieces[l->n_pieces++] = (struct sl_view){NULL, l->records.size - l->taken};
    l->taken = l->records.size;
}

static void put_local(struct sl_buffer *out, const struct sl_npz_member *m, const struct written *w)
{
    size_t name = strlen(m->name) + 4;
    size_t padding = (64 - (size_t)((w->offset + 30 + name + 20 + 4) % 64)) % 64;
    sl_put_u32(out, LOCAL_SIGNATURE);
    sl_put_u16(out, VERSION_ZIP64);
    sl_put_u16(out, 0x800); /* names are UTF-8 */
    sl_put_u16(out, STORED);
    sl_put_u16(out, 0);
    sl_put_u16(out, DOS_DATE_1980);
    sl_put_u32(out, w->crc);
    sl_put_u32(out, UINT32_MAX);
    sl_put_u32(out, UINT32_MAX);
    sl_put_u16(out, (uint16_t)name);
    sl_put_u16(out, (uint16_t)(20 + 4 + padding));
    sl_put_printf(out, "%s.npy", m->name);
    sl_put_u16(out, ZIP64_EXTRA);
    sl_put_u16(out, 16);
    sl_put_u64(out, w->size);
    sl_put_u64(out, w->size);
    sl_put_u16(out, PADDING_EXTRA);
    sl_put_u16(out, (uint16_t)padding);
    sl_put_zeros(out, padding);
}

static void put_central(struct sl_buffer *out, const struct sl_npz_member *m, const struct written *w)
{
    sl_put_u32(out, CENTRAL_SIGNATURE);
    sl_put_u16(out, 3 << 8 | VERSION_ZIP64); /* made on Unix */
    sl_put_u16(out, VERSION_ZIP64);
    sl_put_u16(out, 0x800);
    sl_put_u16(out, STORED);
    sl_put_u16(out, 0);
    sl_put_u16(out, DOS_DATE_1980);
    sl_put_u32(out, w->crc);
    sl_put_u32(out, UINT32_MAX);
    sl_put_u32(out, UINT32_MAX);
    sl_put_u16(out, (uint16_t)(strlen(m->name) + 4));
    sl_put_u16(out, 28);
    sl_put_u16(out, 0);
    sl_put_u16(out, 0);
    sl_put_u16(out, 0);
    sl_put_u32(out, (uint32_t)0100644 << 16);
    sl_put_u32(out, UINT32_MAX);
    sl_put_printf(out, "%s.npy", m->name);
    sl_put_u16(out, ZIP64_EXTRA);
    sl_put_u16(out, 24);
    sl_put_u64(out, w->size);
    sl_put_u64(out, w->size);
    sl_put_u64(out, w->offset);
}

static void put_end(struct layout *l, uint64_t directory_at, size_t n)
{
    struct sl_buffer *out = &l->records;
    uint64_t end_at = position(l);
    sl_put_u32(out, END64_SIGNATURE);
    sl_put_u64(out, END64_SIZE - 12);
    sl_put_u16(out, VERSION_ZIP64);
    sl_put_u16(out, VERSION_ZIP64);
    sl_put_zeros(out, 8);
    sl_put_u64(out, n);
    sl_put_u64(out, n);
    sl_put_u64(out, end_at - directory_at);
    sl_put_u64(out, directory_at);
    sl_put_u32(out, LOCATOR64_SIGNATURE);
    sl_put_u32(out, 0);
    sl_put_u64(out, end_at);
    sl_put_u32(out, 1);
    sl_put_u32(out, END_SIGNATURE);
    sl_put_u32(out, 0);
    sl_put_u16(out, 0xffff);
    sl_put_u16(out, 0xffff);
    sl_put_u32(out, UINT32_MAX);
    sl_put_u32(out, UINT32_MAX);
    sl_put_u16(out, 0);
}

static sluice_status put_member(struct layout *l, const struct sl_npz_member *m, struct written *w, sl_err *e)
{
    struct sl_buffer header = {0};
    size_t name = strlen(m->name);
    if (name > MOST_NAME)
        return sl_fail(e, SLUICE_E_LIMIT, "npz member name of %zu bytes is longer than %d", name, MOST_NAME);
    sluice_status status = sl_npy_header(&header, &m->array);
    if (status != SLUICE_OK) {
        sl_buffer_free(&header);
        return sl_fail(e, status, "npz member '%s' of type %s cannot be written", m->name, sl_dtype_name(m->array.dtype));
    }
    uLong crc = crc32_z(0, header.data, header.size);
    crc = m->array.bytes ? crc32_z(crc, m->array.data, m->array.bytes) : crc;
    *w = (struct written){position(l), (uint64_t)header.size + m->array.bytes, (uint32_t)crc};
    put_local(&l->records, m, w);
    sl_put(&l->records, header.data, header.size);
    sl_buffer_free(&header);
    end_records(l);
    l->pieces[l->n_pieces++] = (struct sl_view){m->array.data, m->array.bytes};
    l->array_bytes += m->array.bytes;
    return SLUICE_OK;
}

static sluice_status lay_out(struct layout *l, sl_arena *scratch, const struct sl_npz_member *members, size_t n, sl_err *e)
{
    struct written *written = SL_NEW_ARRAY(scratch, struct written, n);
    for (size_t i = 0; i < n; i++)
        SL_TRY(put_member(l, &members[i], &written[i], e));
    uint64_t directory_at = position(l);
    for (size_t i = 0; i < n; i++)
        put_central(&l->records, &members[i], &written[i]);
    put_end(l, directory_at, n);
    end_records(l);
    if (l->records.failed)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing %zu npz members", n);
    const uint8_t *at = l->records.data;
    for (size_t i = 0; i < l->n_pieces; i += 2) { /* records, array, records, ..., records */
        l->pieces[i].data = at;
        at += l->pieces[i].size;
    }
    return SLUICE_OK;
}

static void free_layout(void *layout)
{
    sl_buffer_free(&((struct layout *)layout)->records);
}

sluice_status sl_npz_pieces(sl_arena *a, const struct sl_npz_member *members, size_t n, struct sl_view **pieces,
                            size_t *n_pieces, sl_err *e)
{
    struct layout *l = SL_NEW(a, struct layout);
    sl_arena_on_free(a, free_layout, l);
    l->pieces = SL_NEW_ARRAY(a, struct sl_view, 2 * n + 1);
    SL_TRY(lay_out(l, a, members, n, e));
    *pieces = l->pieces;
    *n_pieces = l->n_pieces;
    return SLUICE_OK;
}

sluice_status sl_npz_write(struct sl_buffer *out, const struct sl_npz_member *members, size_t n, sl_err *e)
{
    sl_arena *scratch = sl_arena_new();
    struct sl_view *pieces = NULL;
    size_t n_pieces = 0, total = 0;
    sluice_status status = sl_npz_pieces(scratch, members, n, &pieces, &n_pieces, e);
    for (size_t i = 0; i < n_pieces; i++)
        total += pieces[i].size;
    (void)sl_buffer_reserve(out, total);
    for (size_t i = 0; i < n_pieces; i++)
        sl_put(out, pieces[i].data, pieces[i].size);
    sl_arena_free(scratch);
    if (status == SLUICE_OK && out->failed)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing %zu npz members", n);
    return status;
}
