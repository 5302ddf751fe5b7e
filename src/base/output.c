/* output.c: atomic output files. Data go to a file without a name (O_TMPFILE) or, where the filesystem has none, to a hidden
 * temporary name beside the target; commit gives it the target's name in one step. Whoever writes a file uses this.
 *
 * Temporary names are ".<target>.<pid>.<counter>.sluice-tmp". They are removed by abort, by the signal handler, and, after a
 * SIGKILL or a power cut, by the next sluice that writes into the directory: it removes those whose process is gone and whose
 * file nobody holds locked (the lock covers processes of other containers, whose numbers mean nothing here). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define TEMP_SUFFIX ".sluice-tmp"

/* Names that exist (or are about to) on disk and must go when a signal ends the process. Static storage: the handler may run at
 * any moment, so nothing it reads is ever freed. */
enum { SLOTS = 64 };
enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_LIVE, SLOT_TAKEN };
static struct {
    atomic_int state;
    char path[PATH_MAX];
} slots[SLOTS];

struct sl_output {
    int fd;
    bool nameless;                        /* O_TMPFILE: the data have no name yet */
    bool direct;                          /* the target is a device or a pipe: written as we go */
    int failure;                          /* errno of the first failed write: commit then refuses */
    int slot;                             /* of `temporary`, -1: none */
    char *shown;                          /* the path the caller gave, for messages */
    char *directory, *target, *temporary; /* absolute */
};

static int slot_take(const char *path)
{
    if (strlen(path) >= PATH_MAX)
        return -1;
    for (int i = 0; i < SLOTS; i++) {
        int expected = SLOT_FREE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_FILLING)) {
            strcpy(slots[i].path, path);
            atomic_store(&slots[i].state, SLOT_LIVE);
            return i;
        }
    }
    return -1; /* more than 64 outputs at once: this one is left to the stale-file rule */
}

static void slot_release(int *slot)
{
    int expected = SLOT_LIVE;
    if (*slot >= 0)
        atomic_compare_exchange_strong(&slots[*slot].state, &expected, SLOT_FREE);
    *slot = -1;
}

/* While a thread makes a name it lets no signal in; a handler on another thread waits for it, and once a handler runs no thread
 * begins: else the handler would unlink a name just before it appears. */
static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
static const struct timespec millisecond = {.tv_nsec = 1000000};
static atomic_int naming;
static atomic_bool ending;

static void begin_naming(sigset_t *before)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < SL_COUNT(ending_signals); i++)
        sigaddset(&blocked, ending_signals[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, before);
    while (atomic_fetch_add(&naming, 1), atomic_load(&ending)) {
        atomic_fetch_sub(&naming, 1);
        nanosleep(&millisecond, NULL); /* until the handler's raise ends the process */
    }
}

static void end_naming(const sigset_t *before)
{
    int saved = errno;
    atomic_fetch_sub(&naming, 1);
    pthread_sigmask(SIG_SETMASK, before, NULL);
    errno = saved;
}

static void on_signal(int number)
{
    atomic_store(&ending, true);
    for (int waited = 0; atomic_load(&naming) > 0 && waited < 5000; waited++) /* a disk that hangs must not keep the process */
        nanosleep(&millisecond, NULL);
    for (int i = 0; i < SLOTS; i++) {
        int expected = SLOT_LIVE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_TAKEN))
            unlink(slots[i].path);
    }
    signal(number, SIG_DFL);
    raise(number); /* delivered when this handler returns: the parent sees death by the signal */
}

void sl_output_install_cleanup(void)
{
    for (size_t i = 0; i < SL_COUNT(ending_signals); i++) {
        struct sigaction old, now = {.sa_handler = on_signal};
        sigemptyset(&now.sa_mask);
        if (sigaction(ending_signals[i], NULL, &old) == 0 &&
            old.sa_handler == SIG_DFL) /* nohup's SIG_IGN and a host's own stay */
            sigaction(ending_signals[i], &now, NULL);
    }
}

/* Process number in ".x.<pid>.<counter>.sluice-tmp", or 0 when the name is not of that form. */
static long owner_of(const char *name)
{
    size_t n = strlen(name);
    if (name[0] != '.' || !sl_ends_with(name, TEMP_SUFFIX))
        return 0;
    const char *p = name + n - strlen(TEMP_SUFFIX);
    for (int part = 0; part < 2; part++) {
        const char *end = p;
        while (p > name && p[-1] >= '0' && p[-1] <= '9')
            p--;
        if (p == end || p == name || *--p != '.')
            return 0;
    }
    return strtol(p + 1, NULL, 10); /* p is at the '.' before the counter's predecessor: the pid */
}

static void remove_if_stale(int directory_fd, const char *name)
{
    long pid = owner_of(name);
    if (pid <= 0 || (kill((pid_t)pid, 0) == 0 || errno != ESRCH))
        return;
    int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(directory_fd, name, 0);
    close(fd);
}

/* Once per directory in a row: writing ten thousand files into one folder must not list it ten thousand times. */
static void remove_stale_files(const char *directory)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static dev_t last_device;
    static ino_t last_inode;
    struct stat st;
    if (stat(directory, &st) != 0)
        return;
    pthread_mutex_lock(&lock);
    bool done = st.st_dev == last_device && st.st_ino == last_inode;
    last_device = st.st_dev;
    last_inode = st.st_ino;
    pthread_mutex_unlock(&lock);
    DIR *d = done ? NULL : opendir(directory);
    if (!d)
        return;
    for (struct dirent *entry; (entry = readdir(d));)
        remove_if_stale(dirfd(d), entry->d_name);
    closedir(d);
}

static char *format_path(const char *format, const char *a, const char *b, long pid, unsigned counter)
{
    int n = snprintf(NULL, 0, format, a, b, pid, counter);
    char *s = n < 0 ? NULL : malloc((size_t)n + 1);
    if (s)
        snprintf(s, (size_t)n + 1, format, a, b, pid, counter);
    return s;
}

static void choose_temporary(struct sl_output *o)
{
    static atomic_uint counter;
    char name[96 + 1]; /* a cut copy of the target's name: the whole must stay below NAME_MAX */
    snprintf(name, sizeof name, "%s", sl_path_name(o->target));
    free(o->temporary);
    o->temporary = format_path("%s/.%s.%ld.%u" TEMP_SUFFIX, o->directory, name, (long)getpid(), atomic_fetch_add(&counter, 1));
}

static void output_free(struct sl_output *o)
{
    if (o->fd >= 0)
        close(o->fd);
    slot_release(&o->slot);
    free(o->shown);
    free(o->directory);
    free(o->target);
    free(o->temporary);
    free(o);
}

void sl_output_abort(struct sl_output *o)
{
    if (!o)
        return;
    int saved = errno;
    if (o->slot >= 0 || (o->temporary && !o->nameless && !o->direct && o->fd >= 0))
        unlink(o->temporary);
    output_free(o);
    errno = saved;
}

/* Fills directory, target (symbolic links followed, so that a link keeps pointing at the new file). */
static bool resolve(struct sl_output *o, const char *path)
{
    char *real = realpath(path, NULL);
    if (!real && errno == ENOENT) {
        const char *name = sl_path_name(path);
        char *parent = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
        char *real_parent = parent ? realpath(parent, NULL) : NULL;
        if (real_parent && name[0])
            real = format_path("%s/%s", real_parent, name, 0, 0);
        else if (real_parent)
            errno = EISDIR; /* "newdir/" */
        free(parent);
        free(real_parent);
    }
    if (!real)
        return false;
    o->target = real;
    const char *slash = strrchr(real, '/');
    o->directory = slash == real ? strdup("/") : strndup(real, (size_t)(slash - real));
    return o->directory != NULL;
}

static bool open_named_unsignalled(struct sl_output *o, mode_t mode)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        choose_temporary(o);
        if (!o->temporary)
            return false;
        o->slot = slot_take(o->temporary); /* before it exists: a signal in between finds nothing to remove */
        o->fd = open(o->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (o->fd >= 0) {
            flock(o->fd, LOCK_EX | LOCK_NB);
            return true;
        }
        slot_release(&o->slot);
        if (errno != EEXIST)
            return false;
    }
    return false;
}

static bool open_named(struct sl_output *o, mode_t mode)
{
    sigset_t before;
    begin_naming(&before);
    bool ok = open_named_unsignalled(o, mode);
    end_naming(&before);
    return ok;
}

static bool open_beside(struct sl_output *o, const struct stat *existing)
{
    mode_t mode = existing ? existing->st_mode & 0777 : 0666;
    o->fd = access("/proc/self/fd", X_OK) == 0 ? open(o->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, mode) : -1;
    o->nameless = o->fd >= 0;
    if (existing || !o->nameless) /* only then can a killed run have left a name here */
        remove_stale_files(o->directory);
    if (o->nameless)
        flock(o->fd, LOCK_EX | LOCK_NB);
    else if (!open_named(o, mode))
        return false;
    if (existing && fchmod(o->fd, mode) != 0) /* the umask must not narrow what the old file had */
        return false;
    return true;
}

sluice_status sl_output_open(const char *path, struct sl_output **out, sl_err *e)
{
    struct sl_output *o = calloc(1, sizeof *o);
    *out = NULL;
    if (!o)
        return sl_fail(e, SLUICE_E_MEMORY, "cannot write '%s': out of memory", path);
    o->fd = o->slot = -1;
    o->shown = strdup(path);
    struct stat st;
    bool exists = stat(path, &st) == 0;
    bool ok;
    if (exists && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        ok = false;
    } else if (exists && !S_ISREG(st.st_mode)) { /* /dev/stdout, /dev/null, a FIFO */
        o->direct = true;
        o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        ok = o->fd >= 0;
    } else {
        ok = o->shown && resolve(o, path) && open_beside(o, exists ? &st : NULL);
    }
    if (!ok) {
        sl_output_abort(o);
        return sl_fail_errno(e, "cannot write", path);
    }
    *out = o;
    return SLUICE_OK;
}

sluice_status sl_output_write(struct sl_output *o, const void *data, size_t n, sl_err *e)
{
    const uint8_t *p = data;
    while (n > 0 && !o->failure) {
        ssize_t written = write(o->fd, p, SL_MIN(n, (size_t)1 << 30));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            o->failure = written < 0 ? errno : EIO;
            break;
        }
        p += written;
        n -= (size_t)written;
    }
    if (!o->failure)
        return SLUICE_OK;
    errno = o->failure;
    return sl_fail_errno(e, "cannot write", o->shown);
}

int sl_output_fd(struct sl_output *o)
{
    return o->fd;
}

static int link_nameless(struct sl_output *o, const char *path)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* linkat cannot replace, so an existing target needs a temporary name for the moment between two system calls: the one moment
 * in which SIGKILL leaves a (whole) file under a hidden name, for the next run to remove. */
static bool link_and_rename(struct sl_output *o)
{
    if (o->nameless) {
        if (link_nameless(o, o->target) == 0)
            return true;
        for (int attempt = 0; attempt < 100 && errno == EEXIST; attempt++) {
            choose_temporary(o);
            if (!o->temporary)
                return false;
            o->slot = slot_take(o->temporary);
            if (link_nameless(o, o->temporary) == 0) {
                o->nameless = false;
                break;
            }
            slot_release(&o->slot);
        }
        if (o->nameless)
            return false;
    }
    return rename(o->temporary, o->target) == 0;
}

/* Gives the data the target's name. */
static bool put_into_place(struct sl_output *o)
{
    sigset_t before;
    begin_naming(&before);
    bool ok = link_and_rename(o);
    if (ok)
        slot_release(&o->slot); /* the name is gone: nothing for the signal handler */
    end_naming(&before);
    return ok;
}

static void sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd); /* some filesystems refuse it for directories; the file itself is safe already */
    close(fd);
}

sluice_status sl_output_commit(struct sl_output *o, sl_err *e)
{
    if (o->direct) {
        sluice_status s = sl_output_write(o, "", 0, e); /* reports an earlier failure */
        output_free(o);
        return s;
    }
    bool synced = !o->failure && (fsync(o->fd) == 0 || errno == EINVAL || errno == ENOSYS);
    if (!synced || !put_into_place(o)) {
        if (o->failure)
            errno = o->failure;
        sl_fail_errno(e, "cannot write", o->shown);
        sl_output_abort(o);
        return e->code;
    }
    sync_directory(o->directory);
    output_free(o);
    return SLUICE_OK;
}

sluice_status sl_write_file(const char *path, const void *data, size_t n, sl_err *e)
{
    struct sl_output *o;
    SL_TRY(sl_output_open(path, &o, e));
    sluice_status s = sl_output_write(o, data, n, e);
    if (s != SLUICE_OK) {
        sl_output_abort(o);
        return s;
    }
    return sl_output_commit(o, e);
}
