/* tar.c: tar archives in memory. Reading is ours, so that members are views into the mapped file (ustar, with pax and GNU long
 * names); writing is libarchive's. HAR files are such archives.
 * Header (512 bytes): name 0..99, size 124..135 (octal), checksum 148..155, type 156, magic 257..262, prefix 345..499. */
#include "base/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { BLOCK = 512, MOST_MEMBERS = 4096, LONGEST_NAME = 4096 };

/* What extension records said about the next member. */
struct pending {
    const char *name;
    uint64_t size;
    bool has_size;
};

/* Octal digits after blanks, or with the top bit set a big-endian binary number (GNU). */
static bool read_number(const uint8_t *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    if (p[0] & 0x80) {
        for (i = 1; i < n; i++) {
            if (v >> 55)
                return false;
            v = v << 8 | p[i];
        }
        *out = v;
        return p[0] == 0x80;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(p[i] - '0');
    *out = v;
    return i == n || p[i] == 0 || p[i] == ' ';
}

static bool is_zero_block(const uint8_t *h)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (h[i])
            return false;
    return true;
}

static bool checksum_fits(const uint8_t *h)
{
    uint64_t stored, sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    return read_number(h + 148, 8, &stored) && stored == sum;
}

static size_t length_of(const uint8_t *p, size_t most)
{
    const uint8_t *zero = memchr(p, 0, most);
    return zero ? (size_t)(zero - p) : most;
}

/* Records "<length> <key>=<value>\n", the length counting itself. Of the keys, only path and size matter to us. */
static sluice_status read_pax(sl_arena *a, struct sl_view data, struct pending *next, sl_err *e)
{
    struct sl_reader r = sl_reader_of(data.data, data.size);
    while (sl_left(&r) > 0) {
        const uint8_t *start = r.p;
        uint64_t length = 0;
        uint8_t c;
        while ((c = sl_read_u8(&r)) >= '0' && c <= '9' && length < data.size)
            length = length * 10 + (uint64_t)(c - '0');
        size_t prefix = (size_t)(r.p - start);
        struct sl_view record = c == ' ' && length > prefix ? sl_read_bytes(&r, (size_t)length - prefix) : (struct sl_view){0};
        const uint8_t *equals = record.size ? memchr(record.data, '=', record.size) : NULL;
        if (!equals || record.data[record.size - 1] != '\n')
            return sl_fail(e, SLUICE_E_FORMAT, "tar: extended header is damaged");
        size_t key = (size_t)(equals - record.data), value = record.size - key - 2;
        if (key == 4 && memcmp(record.data, "path", 4) == 0) {
            if (value > LONGEST_NAME)
                return sl_fail(e, SLUICE_E_LIMIT, "tar: name of %zu bytes is longer than %d", value, LONGEST_NAME);
            next->name = sl_arena_strndup(a, (const char *)equals + 1, value);
        } else if (key == 4 && memcmp(record.data, "size", 4) == 0) {
            next->size = 0;
            next->has_size = true;
            for (const uint8_t *p = equals + 1; *p != '\n'; p++) {
                if (*p < '0' || *p > '9' || next->size > UINT64_MAX / 10 - 1)
                    return sl_fail(e, SLUICE_E_FORMAT, "tar: extended header has a bad size");
                next->size = next->size * 10 + (uint64_t)(*p - '0');
            }
        } else if (key >= 10 && memcmp(record.data, "GNU.sparse", 10) == 0) {
            return sl_fail(e, SLUICE_E_UNSUPPORTED, "tar: sparse members are not supported");
        }
    }
    return SLUICE_OK;
}

static const char *header_name(sl_arena *a, const uint8_t *h)
{
    size_t name = length_of(h, 100), prefix = memcmp(h + 257, "ustar\0", 6) == 0 ? length_of(h + 345, 155) : 0;
    return sl_arena_printf(a, "%.*s%s%.*s", (int)prefix, (const char *)h + 345, prefix ? "/" : "", (int)name, (const char *)h);
}

/* "./x" is "x"; names that would leave the directory they are extracted to are refused. */
static sluice_status check_name(const char **name, sl_err *e)
{
    while (strncmp(*name, "./", 2) == 0)
        *name += 2;
    if ((*name)[0] == 0 || (*name)[0] == '/')
        return sl_fail(e, SLUICE_E_FORMAT, "tar: member name '%s' is not a relative path", *name);
    for (const char *p = *name; *p; p += strcspn(p, "/"), p += strspn(p, "/"))
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == 0))
            return sl_fail(e, SLUICE_E_FORMAT, "tar: member name '%s' holds '..'", *name);
    return SLUICE_OK;
}

struct listing {
    struct sl_tar_member *members;
    size_t n;
};

static sluice_status add_member(struct listing *l, const char *name, struct sl_view data, sl_err *e)
{
    SL_TRY(check_name(&name, e));
    if (l->n == MOST_MEMBERS)
        return sl_fail(e, SLUICE_E_LIMIT, "tar: more than %d members", MOST_MEMBERS);
    if (sl_tar_find(l->members, l->n, name))
        return sl_fail(e, SLUICE_E_FORMAT, "tar: member '%s' appears twice", name);
    l->members[l->n++] = (struct sl_tar_member){.name = name, .data = data};
    return SLUICE_OK;
}

static sluice_status read_record(sl_arena *a, const uint8_t *h, struct sl_reader *r, struct pending *next, struct listing *l,
                                 sl_err *e)
{
    char type = (char)h[156];
    uint64_t size;
    if (!checksum_fits(h))
        return sl_fail(e, SLUICE_E_FORMAT, "tar: header at byte %zu is damaged", sl_offset(r) - BLOCK);
    if (!read_number(h + 124, 12, &size))
        return sl_fail(e, SLUICE_E_FORMAT, "tar: header at byte %zu has a bad size", sl_offset(r) - BLOCK);
    bool extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    if (!extension && next->has_size)
        size = next->size;
    if (size > sl_left(r))
        return sl_fail(e, SLUICE_E_FORMAT, "tar: member of %llu bytes passes the end of the file, %zu bytes on",
                       (unsigned long long)size, sl_left(r));
    struct sl_view data = sl_read_bytes(r, (size_t)size);
    sl_skip(r, SL_MIN((BLOCK - (size_t)size % BLOCK) % BLOCK, sl_left(r)));

    if (type == 'x')
        return read_pax(a, data, next, e);
    if (type == 'g' || type == 'K') /* defaults for all members, a long link target: nothing we use */
        return SLUICE_OK;
    if (type == 'L') {
        if (data.size > LONGEST_NAME)
            return sl_fail(e, SLUICE_E_LIMIT, "tar: name of %zu bytes is longer than %d", data.size, LONGEST_NAME);
        next->name = sl_arena_strndup(a, (const char *)data.data, data.size);
        return SLUICE_OK;
    }
    const char *name = next->name ? next->name : header_name(a, h);
    *next = (struct pending){0};
    if (type == '5')
        return SLUICE_OK;
    if (type != '0' && type != 0 && type != '7')
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "tar: member '%s' is a link, a device or of an unknown kind", name);
    return add_member(l, name, data, e);
}

static sluice_status read_members(sl_arena *a, struct sl_view bytes, struct listing *l, sl_err *e)
{
    struct sl_reader r = sl_reader_of(bytes.data, bytes.size);
    struct pending next = {0};
    for (size_t records = 0;; records++) {
        struct sl_view h = sl_read_bytes(&r, BLOCK);
        if (r.bad)
            return sl_fail(e, SLUICE_E_FORMAT, "tar: not an archive, or cut off: no end mark in %zu bytes", bytes.size);
        if (is_zero_block(h.data))
            return SLUICE_OK;
        if (records == 4 * (size_t)MOST_MEMBERS)
            return sl_fail(e, SLUICE_E_LIMIT, "tar: more than %zu records", records);
        SL_TRY(read_record(a, h.data, &r, &next, l, e));
    }
}

/* One or more gzip streams one after the other. */
static sluice_status gunzip(sl_arena *a, struct sl_view bytes, struct sl_view *out, sl_err *e)
{
    size_t limit = SL_MIN(bytes.size, SIZE_MAX / 128) * 64 + ((size_t)1 << 20);
    struct sl_buffer plain = {0};
    z_stream z = {0};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for decompression");
    size_t left = bytes.size;
    int status = Z_OK;
    z.next_in = (Bytef *)bytes.data;
    while (status == Z_OK && plain.size <= limit && sl_buffer_reserve(&plain, 1 << 16)) {
        uInt given = (uInt)SL_MIN(left, (size_t)1 << 30);
        z.avail_in = given;
        z.next_out = plain.data + plain.size;
        z.avail_out = 1 << 16;
        status = inflate(&z, Z_NO_FLUSH);
        left -= given - z.avail_in;
        plain.size += (1 << 16) - z.avail_out;
        if (status == Z_STREAM_END && left > 2 && z.next_in[0] == 0x1f && z.next_in[1] == 0x8b)
            status = inflateReset(&z);
    }
    inflateEnd(&z);
    if (plain.size > limit)
        sl_fail(e, SLUICE_E_LIMIT, "gzip: unpacked data pass the limit of %zu bytes", limit);
    else if (plain.failed)
        sl_fail(e, SLUICE_E_MEMORY, "out of memory for unpacked gzip data");
    else if (status != Z_STREAM_END)
        sl_fail(e, SLUICE_E_FORMAT, "gzip: the data are damaged or cut off");
    else {
        uint8_t *copy = sl_arena_alloc_aligned64(a, plain.size);
        if (copy && plain.size)
            memcpy(copy, plain.data, plain.size);
        *out = (struct sl_view){copy, plain.size};
        if (!copy)
            sl_fail(e, SLUICE_E_MEMORY, "out of memory for %zu unpacked bytes", plain.size);
    }
    sl_buffer_free(&plain);
    return e->code;
}

sluice_status sl_tar_parse(sl_arena *a, struct sl_view bytes, struct sl_tar_member **out, size_t *n, sl_err *e)
{
    if (bytes.size >= 2 && bytes.data[0] == 0x1f && bytes.data[1] == 0x8b)
        SL_TRY(gunzip(a, bytes, &bytes, e));
    size_t most = SL_MIN(bytes.size / BLOCK, (size_t)MOST_MEMBERS); /* each has a header */
    struct listing l = {.members = SL_NEW_ARRAY(a, struct sl_tar_member, most)};
    SL_TRY(read_members(a, bytes, &l, e));
    *out = l.members;
    *n = l.n;
    return SLUICE_OK;
}

const struct sl_view *sl_tar_find(const struct sl_tar_member *m, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0)
            return &m[i].data;
    return NULL;
}

struct sink {
    struct sl_output *output;
    struct sl_buffer *buffer;
    sl_err *e;
}; /* one of the two */

static la_ssize_t on_write(struct archive *ar, void *data, const void *buffer, size_t n)
{
    struct sink *s = data;
    (void)ar;
    if (s->buffer) {
        sl_put(s->buffer, buffer, n);
        return s->buffer->failed ? -1 : (la_ssize_t)n;
    }
    return sl_output_write(s->output, buffer, n, s->e) == SLUICE_OK ? (la_ssize_t)n : -1;
}

static sluice_status archive_failed(struct archive *ar, const char *what, sl_err *e)
{
    const char *text = archive_error_string(ar); /* our own sink has filled `e` already when it was a write */
    return sl_fail(e, SLUICE_E_IO, "tar: cannot write '%s': %s", what, text ? text : "unknown reason");
}

static sluice_status write_data(struct archive *ar, const char *name, const void *data, size_t size, sl_err *e)
{
    for (size_t at = 0; at < size;) {
        la_ssize_t n = archive_write_data(ar, (const uint8_t *)data + at, SL_MIN(size - at, (size_t)1 << 30));
        if (n <= 0)
            return archive_failed(ar, name, e);
        at += (size_t)n;
    }
    return SLUICE_OK;
}

/* Small pieces are gathered: there may be tens of thousands, and each write costs a system call. */
static sluice_status write_pieces(struct archive *ar, const struct sl_tar_member *m, sl_err *e)
{
    uint8_t gathered[1 << 15];
    size_t n = 0;
    for (size_t i = 0; i < m->n_pieces; i++) {
        struct sl_view piece = m->pieces[i];
        if (piece.size > sizeof gathered - n) {
            SL_TRY(write_data(ar, m->name, gathered, n, e));
            n = 0;
        }
        if (piece.size > sizeof gathered / 4) {
            SL_TRY(write_data(ar, m->name, gathered, n, e));
            SL_TRY(write_data(ar, m->name, piece.data, piece.size, e));
            n = 0;
        } else if (piece.size > 0) {
            memcpy(gathered + n, piece.data, piece.size);
            n += piece.size;
        }
    }
    return write_data(ar, m->name, gathered, n, e);
}

static sluice_status write_member(struct archive *ar, const struct sl_tar_member *m, sl_err *e)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing '%s'", m->name);
    archive_entry_set_pathname(entry, m->name);
    archive_entry_set_size(entry, (la_int64_t)m->data.size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 0, 0);
    int status = archive_write_header(ar, entry);
    archive_entry_free(entry);
    if (status < ARCHIVE_OK)
        return archive_failed(ar, m->name, e);
    return m->pieces ? write_pieces(ar, m, e) : write_data(ar, m->name, m->data.data, m->data.size, e);
}

static sluice_status write_members(struct archive *ar, struct sink *s, const struct sl_tar_member *m, size_t n, sl_err *e)
{
    if (archive_write_set_format_pax_restricted(ar) != ARCHIVE_OK || archive_write_add_filter_none(ar) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(ar, 0) != ARCHIVE_OK || archive_write_open(ar, s, NULL, on_write, NULL) != ARCHIVE_OK)
        return archive_failed(ar, "archive", e);
    for (size_t i = 0; i < n; i++)
        SL_TRY(write_member(ar, &m[i], e));
    return archive_write_close(ar) == ARCHIVE_OK ? SLUICE_OK : archive_failed(ar, "archive", e);
}

static sluice_status write_archive(struct sink s, const struct sl_tar_member *m, size_t n, sl_err *e)
{
    struct archive *ar = archive_write_new();
    if (!ar)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing a tar archive");
    sluice_status status = write_members(ar, &s, m, n, e);
    archive_write_free(ar);
    return status;
}

sluice_status sl_tar_write(struct sl_output *o, const struct sl_tar_member *m, size_t n, sl_err *e)
{
    return write_archive((struct sink){.output = o, .e = e}, m, n, e);
}

sluice_status sl_tar_write_buffer(struct sl_buffer *out, const struct sl_tar_member *m, size_t n, sl_err *e)
{
    sluice_status status = write_archive((struct sink){.buffer = out, .e = e}, m, n, e);
    if (out->failed)
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory while writing a tar archive");
    return status;
}

sluice_status sl_tar_write_member_file(const char *path, const struct sl_tar_member *m, sl_err *e)
{
    if (!m->pieces)
        return sl_write_file(path, m->data.data, m->data.size, e);
    struct sl_output *o;
    SL_TRY(sl_output_open(path, &o, e));
    for (size_t i = 0; i < m->n_pieces; i++) {
        if (sl_output_write(o, m->pieces[i].data, m->pieces[i].size, e) != SLUICE_OK) {
            sl_output_abort(o);
            return e->code;
        }
    }
    return sl_output_commit(o, e);
}
