/* file.c: mapping input files, listing and making directories, taking paths apart. Writing is in output.c. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapping {
    void *address;
    size_t size;
};

static void unmap(void *data)
{
    struct mapping *m = data;
    munmap(m->address, m->size);
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static sluice_status map_open_file(sl_arena *a, int fd, const char *path, struct sl_view *out, sl_err *e)
{
    static const uint8_t empty[1];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return sl_fail_errno(e, "cannot examine", path);
    if (!S_ISREG(st.st_mode))
        return sl_fail(e, SLUICE_E_IO, "'%s' is %s, not a regular file", path, kind_of(st.st_mode));
    if (st.st_size == 0) {
        *out = (struct sl_view){empty, 0};
        return SLUICE_OK;
    }
    if ((uintmax_t)st.st_size > SIZE_MAX / 2)
        return sl_fail(e, SLUICE_E_LIMIT, "'%s' is too large to map", path);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return sl_fail_errno(e, "cannot map", path);
    struct mapping *m = SL_NEW(a, struct mapping);
    *m = (struct mapping){p, (size_t)st.st_size};
    sl_arena_on_free(a, unmap, m);
    *out = (struct sl_view){p, m->size};
    return SLUICE_OK;
}

sluice_status sl_map_file(sl_arena *a, const char *path, struct sl_view *out, sl_err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* non-blocking: a FIFO must not hang us */
    if (fd < 0)
        return sl_fail_errno(e, "cannot open", path);
    sluice_status s = map_open_file(a, fd, path, out, e);
    close(fd);
    return s;
}

static bool lies_in(const void *data, const void *about)
{
    const struct mapping *m = data;
    const struct sl_view *v = about;
    size_t from = (size_t)((uintptr_t)v->data - (uintptr_t)m->address);
    return (uintptr_t)v->data >= (uintptr_t)m->address && from < m->size && v->size <= m->size - from;
}

void sl_rest_bytes(const sl_arena *a, const void *p, size_t bytes)
{
    const struct sl_view v = {p, bytes};
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)p + page - 1) / page * page,
              end = ((uintptr_t)p + bytes) / page * page;
    if (first < end && sl_arena_find_on_free(a, unmap, lies_in, &v))
        (void)madvise((uint8_t *)p + (first - (uintptr_t)p), end - first, MADV_DONTNEED); /* if it fails, nothing is lost */
}

bool sl_is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool sl_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool has_suffix(const char *name, const char *const *suffixes)
{
    size_t n = strlen(name);
    for (; *suffixes; suffixes++) {
        size_t m = strlen(*suffixes);
        if (n >= m && strcasecmp(name + n - m, *suffixes) == 0)
            return true;
    }
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

sluice_status sl_list_directory(sl_arena *a, const char *path, const char *const *suffixes, const char ***out, size_t *n,
                                sl_err *e)
{
    DIR *d = opendir(path);
    if (!d)
        return sl_fail_errno(e, "cannot list", path);
    struct sl_buffer names = {0}; /* of const char * */
    struct dirent *entry;
    while (errno = 0, (entry = readdir(d))) {
        if (suffixes && !has_suffix(entry->d_name, suffixes))
            continue;
        const char *full = sl_path_join(a, path, entry->d_name);
        if (sl_is_file(full))
            sl_put(&names, &full, sizeof full);
    }
    int failure = errno;
    closedir(d);
    if (failure || names.failed) {
        sl_buffer_free(&names);
        errno = failure ? failure : ENOMEM;
        return sl_fail_errno(e, "cannot list", path);
    }
    *n = names.size / sizeof(char *);
    *out = sl_arena_memdup(a, names.data, names.size);
    sl_buffer_free(&names);
    qsort(*out, *n, sizeof(char *), by_bytes);
    return SLUICE_OK;
}

sluice_status sl_make_directory(const char *path, sl_err *e)
{
    char *copy = strdup(path);
    if (!copy)
        return sl_fail_errno(e, "cannot make directory", path);
    sluice_status s = SLUICE_OK;
    for (char *p = copy; *p && s == SLUICE_OK;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char saved = *p;
        *p = 0;
        if (mkdir(copy, 0777) != 0) {
            int reason = errno;
            if (!sl_is_directory(copy)) { /* EEXIST, or EROFS and EACCES for parents that exist */
                errno = reason == EEXIST ? ENOTDIR : reason;
                s = sl_fail_errno(e, "cannot make directory", copy);
            }
        }
        *p = saved;
    }
    free(copy);
    return s;
}

const char *sl_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *sl_path_stem(sl_arena *a, const char *path)
{
    const char *name = sl_path_name(path), *dot = strrchr(name, '.');
    return sl_arena_strndup(a, name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

const char *sl_path_join(sl_arena *a, const char *directory, const char *name)
{
    size_t n = strlen(directory);
    if (name[0] == '/' || n == 0)
        return sl_arena_strdup(a, name);
    return sl_arena_printf(a, "%s%s%s", directory, directory[n - 1] == '/' ? "" : "/", name);
}
