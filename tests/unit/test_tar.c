/* test_tar.c: archives we write read back as views; headers made here by hand cover what others write and what is refused. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/tar.h"

static sl_arena *arena;
static struct sl_buffer tar;

static int set_up(void **state)
{
    (void)state;
    arena = sl_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_buffer_free(&tar);
    sl_arena_free(arena);
    return 0;
}

static void add(const char *name, char type, const char *data)
{
    char h[512] = {0};
    size_t n = strlen(data);
    unsigned sum = 0;
    memcpy(h, name, strlen(name));
    memcpy(h + 100, "0000644\0000000000\0000000000", 24);
    snprintf(h + 124, 12, "%011o", (unsigned)n);
    memcpy(h + 136, "00000000000", 12);
    memcpy(h + 257, "ustar\00000", 8);
    h[156] = type;
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < sizeof h; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    sl_put(&tar, h, sizeof h);
    sl_put(&tar, data, n);
    sl_put_zeros(&tar, (512 - n % 512) % 512);
}

static sluice_status parse(struct sl_tar_member **m, size_t *n, sl_err *e)
{
    sl_put_zeros(&tar, 1024);
    void *copy = sl_arena_memdup(arena, tar.data, tar.size);
    size_t size = tar.size;
    tar.size = 0;
    return sl_tar_parse(arena, (struct sl_view){copy, size}, m, n, e);
}

static void written_archives_read_back(void **state)
{
    (void)state;
    static uint8_t large[3000];
    char name[] = "/tmp/sluice-test-tar-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    close(fd);
    char long_name[301];
    memset(long_name, 'n', 300);
    long_name[300] = 0;
    const struct sl_tar_member in[] = {{"net.hn", {(const uint8_t *)"{}", 2}},
                                       {"net.npz", {large, sizeof large}},
                                       {"empty", {large, 0}},
                                       {long_name, {large, 513}}};
    struct sl_output *o;
    OK(sl_output_open(name, &o, &e));
    OK(sl_tar_write(o, in, 4, &e));
    OK(sl_output_commit(o, &e));
    struct sl_view file;
    OK(sl_map_file(arena, name, &file, &e));
    unlink(name);
    struct sl_tar_member *m;
    size_t n;
    OK(sl_tar_parse(arena, file, &m, &n, &e));
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(m[i].name, in[i].name);
        assert_int_equal(m[i].data.size, in[i].data.size);
        assert_memory_equal(m[i].data.data, in[i].data.data, m[i].data.size);
        assert_true(m[i].data.data >= file.data && m[i].data.data <= file.data + file.size);
        assert_int_equal((m[i].data.data - file.data) % 512, 0);
    }
    assert_int_equal(sl_tar_find(m, n, "net.npz")->size, 3000);
    assert_null(sl_tar_find(m, n, "net"));
    for (size_t cut = 0; cut < file.size - 1024; cut += 64) {
        sl_err e = {0};
        assert_int_equal(sl_tar_parse(arena, (struct sl_view){file.data, cut}, &m, &n, &e), SLUICE_E_FORMAT);
    }
}

static void others_archives(void **state)
{
    (void)state;
    struct sl_tar_member *m;
    size_t n;
    add("./", '5', "");
    add("./a", '0', "one");
    add("x", 'x', "19 path=dir/long a\n10 size=5\n");
    add("ignored", '0', "12345");
    add("././@LongLink", 'L', "gnu-name");
    add("ignored", 0, "six666");
    add("g", 'g', "anything");
    OK(parse(&m, &n, &e));
    assert_int_equal(n, 3);
    assert_string_equal(m[0].name, "a");
    assert_string_equal(m[1].name, "dir/long a");
    assert_memory_equal(m[1].data.data, "12345", 5);
    assert_string_equal(m[2].name, "gnu-name");
    assert_memory_equal(m[2].data.data, "six666", 6);
}

static void refused(void **state)
{
    (void)state;
    struct sl_tar_member *m;
    size_t n;
    add("link", '2', "");
    FAILS(parse(&m, &n, &e), SLUICE_E_UNSUPPORTED, "'link' is a link");
    add("../up", '0', "x");
    FAILS(parse(&m, &n, &e), SLUICE_E_FORMAT, "'..'");
    add("a/../../up", '0', "x");
    FAILS(parse(&m, &n, &e), SLUICE_E_FORMAT, "'..'");
    add("/etc/passwd", '0', "x");
    FAILS(parse(&m, &n, &e), SLUICE_E_FORMAT, "not a relative path");
    add("a", '0', "x");
    add("a", '0', "x");
    FAILS(parse(&m, &n, &e), SLUICE_E_FORMAT, "appears twice");
    add("a..b/..c", '0', "x");
    OK(parse(&m, &n, &e));
    add("a", '0', "x");
    tar.data[0] = 'b';
    FAILS(parse(&m, &n, &e), SLUICE_E_FORMAT, "damaged");
    add("x", 'x', "999 path=a\n");
    FAILS(parse(&m, &n, &e), SLUICE_E_FORMAT, "extended header");
    FAILS(sl_tar_parse(arena, VIEW("hello"), &m, &n, &e), SLUICE_E_FORMAT, "not an archive");
}

static void gzipped(void **state)
{
    (void)state;
    struct sl_tar_member *m;
    size_t n;
    add("a", '0', "one");
    sl_put_zeros(&tar, 1024);
    uint8_t packed[4096];
    z_stream z = {.next_in = tar.data, .avail_in = (uInt)tar.size, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t size = z.total_out;
    deflateEnd(&z);
    tar.size = 0;
    OK(sl_tar_parse(arena, (struct sl_view){packed, size}, &m, &n, &e));
    assert_int_equal(n, 1);
    assert_memory_equal(m[0].data.data, "one", 3);
    for (size_t cut = 2; cut < size - 8; cut++)
        FAILS(sl_tar_parse(arena, (struct sl_view){packed, cut}, &m, &n, &e), SLUICE_E_FORMAT, "gzip");

    static uint8_t zeros[8 << 20], bomb[64 << 10];
    z = (z_stream){.next_in = zeros, .avail_in = sizeof zeros, .next_out = bomb, .avail_out = sizeof bomb};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size = z.total_out;
    deflateEnd(&z);
    FAILS(sl_tar_parse(arena, (struct sl_view){bomb, size}, &m, &n, &e), SLUICE_E_LIMIT, "limit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_archives_read_back),
        cmocka_unit_test(others_archives),
        cmocka_unit_test(refused),
        cmocka_unit_test(gzipped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
