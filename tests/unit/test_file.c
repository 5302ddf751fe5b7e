/* test_file.c: mapping, listing, paths, and outputs that appear whole or not at all, also when the process is killed. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static char dir[64];
static sl_arena *arena;

static const char *path(const char *name)
{
    return sl_path_join(arena, dir, name);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sluice-test-XXXXXX");
    arena = sl_arena_new();
    signal(SIGHUP, SIG_DFL); /* under nohup a child would live on */
    return mkdtemp(dir) ? 0 : -1;
}

/* Number of entries of the directory, the dot files included. */
static size_t entries(void)
{
    static const char *const any[] = {"", NULL};
    const char **names;
    size_t n = 0;
    OK(sl_list_directory(arena, dir, any, &names, &n, &e));
    return n;
}

static void remove_all(void)
{
    static const char *const any[] = {"", NULL};
    const char **names;
    size_t n;
    OK(sl_list_directory(arena, dir, any, &names, &n, &e));
    for (size_t i = 0; i < n; i++)
        unlink(names[i]);
}

static int tear_down(void **state)
{
    (void)state;
    remove_all();
    rmdir(path("sub/deep"));
    rmdir(path("sub"));
    rmdir(dir);
    sl_arena_free(arena);
    return 0;
}

static void assert_holds(const char *file, const char *text)
{
    struct sl_view v;
    OK(sl_map_file(arena, file, &v, &e));
    assert_int_equal(v.size, strlen(text));
    assert_memory_equal(v.data, text, v.size);
}

static void maps_files(void **state)
{
    (void)state;
    struct sl_view v;
    OK(sl_write_file(path("a"), "hello", 5, &e));
    assert_holds(path("a"), "hello");
    OK(sl_write_file(path("empty"), NULL, 0, &e));
    OK(sl_map_file(arena, path("empty"), &v, &e));
    assert_non_null(v.data);
    assert_int_equal(v.size, 0);
    FAILS(sl_map_file(arena, path("missing"), &v, &e), SLUICE_E_IO, "No such file");
    FAILS(sl_map_file(arena, dir, &v, &e), SLUICE_E_IO, "a directory");
    assert_int_equal(mkfifo(path("fifo"), 0600), 0);
    FAILS(sl_map_file(arena, path("fifo"), &v, &e), SLUICE_E_IO, "a pipe");
    unlink(path("fifo"));
    FAILS(sl_map_file(arena, "/dev/null", &v, &e), SLUICE_E_IO, "a device");
    assert_true(sl_is_file(path("a")) && !sl_is_file(dir) && sl_is_directory(dir));
    remove_all();
}

/* Pages of the process that are in memory between p and p + bytes, mapped by it. */
static size_t resident_pages(const uint8_t *p, size_t bytes)
{
    size_t n = 0, page = (size_t)sysconf(_SC_PAGESIZE);
    int f = open("/proc/self/pagemap", O_RDONLY);
    assert_true(f >= 0);
    for (size_t at = 0; at < bytes; at += page) {
        uint64_t entry = 0;
        off_t where = (off_t)((uintptr_t)(p + at) / page * sizeof entry);
        assert_int_equal(pread(f, &entry, sizeof entry, where), sizeof entry);
        n += entry >> 63;
    }
    close(f);
    return n;
}

static void rests_bytes(void **state)
{
    enum { SIZE = 1 << 20 };
    struct sl_view v;
    uint8_t *data = sl_arena_alloc(arena, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 31 >> 4);
    OK(sl_write_file(path("large"), data, SIZE, &e));
    OK(sl_map_file(arena, path("large"), &v, &e));
    assert_memory_equal(v.data, data, SIZE);
    size_t before = resident_pages(v.data, SIZE);
    sl_rest_bytes(arena, v.data + 5, SIZE - 9);
    assert_true(before > resident_pages(v.data, SIZE) + SIZE / 4096 / 2);
    assert_memory_equal(v.data, data, SIZE); /* read again */
    sl_rest_bytes(arena, data, SIZE);        /* in no file: stays */
    assert_memory_equal(v.data, data, SIZE);
}

static void lists_sorted(void **state)
{
    (void)state;
    static const char *const pictures[] = {".jpg", ".png", NULL};
    static const char *const wanted[] = {"B.JPG", "a.png", "c.jpg"};
    static const char *const made[] = {"c.jpg", "a.png", "B.JPG", "note.txt"};
    const char **names;
    size_t n;
    for (size_t i = 0; i < SL_COUNT(made); i++)
        OK(sl_write_file(path(made[i]), "", 0, &e));
    OK(sl_make_directory(path("sub.jpg"), &e));
    OK(sl_list_directory(arena, dir, pictures, &names, &n, &e));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(sl_path_name(names[i]), wanted[i]);
    FAILS(sl_list_directory(arena, path("missing"), pictures, &names, &n, &e), SLUICE_E_IO, "cannot list");
    rmdir(path("sub.jpg"));
    remove_all();
}

static void paths(void **state)
{
    (void)state;
    assert_string_equal(sl_path_stem(arena, "dir.x/net.har"), "net");
    assert_string_equal(sl_path_stem(arena, "net"), "net");
    assert_string_equal(sl_path_stem(arena, "/a/.hidden"), ".hidden");
    assert_string_equal(sl_path_join(arena, "a/", "b"), "a/b");
    assert_string_equal(sl_path_join(arena, "", "b"), "b");
    assert_string_equal(sl_path_join(arena, "a", "/b"), "/b");
    OK(sl_make_directory(path("sub/deep"), &e));
    OK(sl_make_directory(path("sub/deep/"), &e));
    assert_true(sl_is_directory(path("sub/deep")));
    OK(sl_write_file(path("file"), "", 0, &e));
    FAILS(sl_make_directory(path("file/x"), &e), SLUICE_E_IO, "cannot make directory");
    remove_all();
}

static void replaces_whole(void **state)
{
    (void)state;
    struct sl_output *o;
    OK(sl_write_file(path("out"), "old", 3, &e));
    assert_int_equal(chmod(path("out"), 0640), 0);
    OK(sl_output_open(path("out"), &o, &e));
    OK(sl_output_write(o, "new contents", 12, &e));
    assert_holds(path("out"), "old");
    OK(sl_output_commit(o, &e));
    assert_holds(path("out"), "new contents");
    struct stat st;
    assert_int_equal(stat(path("out"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);

    OK(sl_output_open(path("out"), &o, &e));
    OK(sl_output_write(o, "half", 4, &e));
    sl_output_abort(o);
    sl_output_abort(NULL);
    assert_holds(path("out"), "new contents");
    assert_int_equal(entries(), 1);

    assert_int_equal(symlink("out", path("link")), 0); /* the link stays, its target is replaced */
    OK(sl_write_file(path("link"), "by link", 7, &e));
    assert_holds(path("out"), "by link");
    assert_int_equal(lstat(path("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    remove_all();
}

static void refuses(void **state)
{
    (void)state;
    struct sl_output *o;
    FAILS(sl_output_open(dir, &o, &e), SLUICE_E_IO, "Is a directory");
    FAILS(sl_output_open(path("missing/x"), &o, &e), SLUICE_E_IO, "cannot write");
    FAILS(sl_output_open("", &o, &e), SLUICE_E_IO, "cannot write");
    OK(sl_write_file("/dev/null", "x", 1, &e));
    FAILS(sl_write_file("/dev/full", "x", 1, &e), SLUICE_E_IO, "No space left");
}

/* A write that fails half way (here: the file size limit, as a full disk would) leaves the old file. */
static void failed_write_leaves_old(void **state)
{
    (void)state;
    struct rlimit saved, small;
    OK(sl_write_file(path("out"), "old", 3, &e));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small = saved;
    small.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    sl_err e = {0};
    char data[3000] = {0};
    struct sl_output *o;
    assert_int_equal(sl_output_open(path("out"), &o, &e), SLUICE_OK);
    assert_int_equal(sl_output_write(o, data, sizeof data, &e), SLUICE_E_IO);
    assert_int_equal(sl_output_write(o, data, 1, &e), SLUICE_E_IO);
    sl_err late = {0}; /* a caller that ignored the failed write must not get a file */
    assert_int_equal(sl_output_commit(o, &late), SLUICE_E_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_holds(path("out"), "old");
    assert_int_equal(entries(), 1);
    remove_all();
}

/* What stale_files_go shows that the next run does. */
static void remove_hidden(void)
{
    static const char *const temporary[] = {".sluice-tmp", NULL};
    const char **names;
    size_t n;
    OK(sl_list_directory(arena, dir, temporary, &names, &n, &e));
    for (size_t i = 0; i < n; i++)
        unlink(names[i]);
}

static void write_for_ever(void)
{
    sl_output_install_cleanup();
    for (unsigned i = 0;; i++) {
        sl_err e = {0};
        struct sl_output *o;
        char text[5000];
        memset(text, 'a' + (int)(i % 26), sizeof text);
        if (sl_output_open(path("out"), &o, &e) || sl_output_write(o, text, sizeof text, &e) || sl_output_commit(o, &e))
            _exit(1);
    }
}

/* Killed at random moments: the file is whole; after SIGKILL at most one hidden temporary stays. */
static void killed_at_random(void **state)
{
    (void)state;
    static const int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP};
    for (unsigned round = 0; round < 24; round++) {
        pid_t child = fork();
        if (child == 0)
            write_for_ever();
        usleep(2000 + round * 977 % 9000);
        int number = signals[round % 4], status;
        kill(child, number);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
        assert_true(entries() <= (number == SIGKILL ? 2 : 1));
        if (number == SIGKILL)
            remove_hidden();
        if (sl_is_file(path("out"))) {
            struct sl_view v;
            OK(sl_map_file(arena, path("out"), &v, &e));
            assert_int_equal(v.size, 5000);
            for (size_t i = 1; i < v.size; i++)
                assert_int_equal(v.data[i], v.data[0]);
        }
    }
    remove_all();
}

/* Leftovers of a process that is gone are removed; those of a living one, and names of others, are not. */
static void stale_files_go(void **state)
{
    (void)state;
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    const char *stale = sl_arena_printf(arena, "%s/.out.%ld.3.sluice-tmp", dir, (long)dead);
    const char *living = sl_arena_printf(arena, "%s/.out.%ld.3.sluice-tmp", dir, (long)getppid());
    const char *other = path(".sluice-tmp");
    const char *files[] = {stale, living, other};
    for (int i = 0; i < 3; i++) {
        int fd = open(files[i], O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    char elsewhere[] = "/tmp/sluice-test-elsewhere-XXXXXX";
    int fd = mkstemp(elsewhere);
    assert_true(fd >= 0);
    close(fd);
    OK(sl_write_file(elsewhere, "", 0, &e)); /* the directory just scanned is not scanned again */
    unlink(elsewhere);
    OK(sl_write_file(path("out"), "1", 1, &e));
    OK(sl_write_file(path("out"), "2", 1, &e));
    assert_false(sl_is_file(stale));
    assert_true(sl_is_file(living));
    assert_true(sl_is_file(other));
    remove_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_files),
        cmocka_unit_test(rests_bytes),
        cmocka_unit_test(lists_sorted),
        cmocka_unit_test(paths),
        cmocka_unit_test(refuses),
        cmocka_unit_test(replaces_whole),
        cmocka_unit_test(failed_write_leaves_old),
        cmocka_unit_test(killed_at_random),
        cmocka_unit_test(stale_files_go),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
