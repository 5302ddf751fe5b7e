/* inspect.c: any file sluice writes as text with offsets (`sluice dump`), what a HEF holds (`parse-hef`). */
#include "sluice/inspect.h"

#include <string.h>

#include "api/api.h"
#include "base/error.h"
#include "base/file.h"
#include "base/npy.h"
#include "base/tar.h"
#include "har/har.h"
#include "hef/hef.h"
#include "hef/payload.h"
#include "ir/text.h"
#include "sluice/run.h"

/* ---- dump ---- */

static void dump_array(struct sl_buffer *b, const char *name, const struct sl_array *x, const uint8_t *file)
{
    char shape[128];
    const uint8_t *p = x->data;
    sl_put_printf(b, "  %-48s %-4s %-24s %zu bytes", name, sl_dtype_name(x->dtype), sl_shape_text(&x->shape, shape, sizeof shape),
                  x->bytes);
    if (file && p >= file)
        sl_put_printf(b, " at %zu", (size_t)(p - file));
    sl_put_printf(b, "  ");
    for (size_t i = 0; i < x->bytes && i < 16; i++)
        sl_put_printf(b, "%02x", p[i]);
    sl_put_printf(b, "%s\n", x->bytes > 16 ? "..." : "");
}

static sluice_status dump_npz(sl_arena *a, struct sl_view bytes, struct sl_buffer *b, sl_err *e)
{
    struct sl_npz_member *members = NULL;
    size_t n = 0;
    SL_TRY(sl_npz_parse(a, bytes, 0, &members, &n, e));
    sl_put_printf(b, "npz, %zu arrays\n", n);
    for (size_t i = 0; i < n; i++)
        dump_array(b, members[i].name, &members[i].array, bytes.data);
    return SLUICE_OK;
}

static sluice_status dump_har(sl_arena *a, struct sl_view bytes, struct sl_buffer *b, sl_err *e)
{
    struct sl_tar_member *members = NULL;
    struct sl_model *m = NULL;
    size_t n = 0;
    SL_TRY(sl_tar_parse(a, bytes, &members, &n, e));
    sl_put_printf(b, "tar archive, %zu members\n", n);
    for (size_t i = 0; i < n; i++) {
        bool inside = members[i].data.data >= bytes.data && members[i].data.data <= bytes.data + bytes.size;
        sl_put_printf(b, "  %-48s %10zu bytes at %zu\n", members[i].name, members[i].data.size,
                      inside ? (size_t)(members[i].data.data - bytes.data) : (size_t)0);
        if (members[i].data.size > 4 && memcmp(members[i].data.data, "PK\3\4", 4) == 0)
            SL_TRY(dump_npz(a, members[i].data, b, e));
    }
    SL_TRY(sl_har_read(a, bytes, &m, e));
    const struct sl_graph *const graphs[] = {m->native, m->fp_optimized, m->quantized};
    for (size_t i = 0; i < SL_COUNT(graphs); i++) {
        if (!graphs[i])
            continue;
        sl_put_u8(b, '\n');
        SL_TRY(sl_text_print(graphs[i], NULL, b, e));
    }
    return SLUICE_OK;
}

static sluice_status dump_hef(sl_arena *a, struct sl_view bytes, struct sl_buffer *b, sl_err *e)
{
    struct sl_hef *h = NULL;
    struct sl_program *programs = NULL;
    size_t n = 0;
    SL_TRY(sl_hef_read(a, bytes, &h, e));
    sl_put_printf(b, "HEF, header version %u, %zu bytes, configuration words %zu bytes%s%zu\n", h->header_version, bytes.size,
                  h->ccws.size, h->ccws.size ? " at " : ", offset ", h->ccws.size ? (size_t)(h->ccws.data - bytes.data) : (size_t)0);
    sl_hef_describe(b, h, SL_HEF_SHOW_STREAMS | SL_HEF_SHOW_VSTREAMS | SL_HEF_SHOW_PROGRAM);
    if (!h->has_program)
        return SLUICE_OK;
    SL_TRY(sl_hef_programs(a, h, SL_PAYLOAD_ANY_HASH, &programs, &n, e));
    for (size_t i = 0; i < n; i++)
        sl_program_print(b, &programs[i]);
    return SLUICE_OK;
}

static sluice_status dump(sl_arena *a, struct sl_view bytes, struct sl_buffer *b, sl_err *e)
{
    struct sl_array array;
    if (bytes.size > 6 && memcmp(bytes.data, "\x93NUMPY", 6) == 0) {
        SL_TRY(sl_npy_parse(a, bytes, &array, e));
        dump_array(b, "npy", &array, bytes.data);
        return SLUICE_OK;
    }
    if (bytes.size > 4 && memcmp(bytes.data, "PK\3\4", 4) == 0)
        return dump_npz(a, bytes, b, e);
    if (sl_hef_is(bytes))
        return dump_hef(a, bytes, b, e);
    if (bytes.size > 262 && memcmp(bytes.data + 257, "ustar", 5) == 0)
        return dump_har(a, bytes, b, e);
    sl_fail(e, SLUICE_E_FORMAT, "neither a HAR, a HEF, .npy nor .npz");
    return sl_hint(e, "'sluice parser onnx' reads ONNX files");
}

sluice_status sluice_dump_file(const char *path, char **text, struct sluice_error *err)
{
    sl_arena *a = sl_arena_new();
    struct sl_buffer b = {0};
    struct sl_view bytes;
    sluice_status s = sl_map_file(a, path, &bytes, err);
    if (s == SLUICE_OK && (s = dump(a, bytes, &b, err)) != SLUICE_OK)
        sl_context(err, "%s", path);
    sl_arena_free(a);
    if (s == SLUICE_OK)
        return sl_api_take_text(&b, text, err);
    sl_buffer_free(&b);
    return s;
}

/* ---- parse-hef ---- */

sluice_status sluice_hef_describe(const char *path, bool streams, bool vstreams, bool json, char **text, struct sluice_error *err)
{
    sl_arena *a = sl_arena_new();
    struct sl_buffer b = {0};
    struct sl_view bytes;
    struct sl_hef *h = NULL;
    sluice_status s = sl_map_file(a, path, &bytes, err);
    if (s == SLUICE_OK && (s = sl_hef_read(a, bytes, &h, err)) != SLUICE_OK)
        sl_context(err, "%s", path);
    if (s == SLUICE_OK && json) {
        json_t *o = sl_hef_json(h);
        s = sl_json_write(&b, o, err);
        json_decref(o);
    } else if (s == SLUICE_OK) {
        sl_hef_describe(&b, h, (streams ? SL_HEF_SHOW_STREAMS : 0u) | (vstreams ? SL_HEF_SHOW_VSTREAMS : 0u));
    }
    sl_arena_free(a);
    if (s == SLUICE_OK)
        return sl_api_take_text(&b, text, err);
    sl_buffer_free(&b);
    return s;
}
