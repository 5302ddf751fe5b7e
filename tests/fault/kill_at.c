/* kill_at.c: preloaded into sluice by kill_test.py. The process gets signal KILL_SIGNAL inside its first call of the function
 * KILL_AT (linkat, "linkat hidden": to a hidden name, or rename), on a thread that does something else: the moments of a commit
 * that a kill at a random time hardly ever meets. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void sleep_milliseconds(long n)
{
    nanosleep(&(struct timespec){.tv_nsec = n * 1000000}, NULL);
}

static void *take_signals(void *arg)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (;;)
        pause();
    return arg;
}

/* Whether this is the call that was asked for. */
static bool kill_in(const char *name)
{
    static int done;
    const char *at = getenv("KILL_AT"), *number = getenv("KILL_SIGNAL");
    if (!at || !number || strcmp(at, name) != 0 || done++)
        return false;
    pthread_t other;
    if (pthread_create(&other, NULL, take_signals, NULL) != 0)
        abort();
    pthread_kill(other, atoi(number));
    sleep_milliseconds(50); /* its handler's time, before the call is made */
    return true;
}

/* The handler removes names and then ends the process: the calls above fall between the two. */
int unlink(const char *path)
{
    int (*call)(const char *);
    void *symbol = real("unlink");
    memcpy(&call, &symbol, sizeof call);
    int result = call(path);
    sleep_milliseconds(100);
    return result;
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int (*call)(int, const char *, int, const char *, int);
    void *symbol = real("linkat");
    memcpy(&call, &symbol, sizeof call);
    bool killed = kill_in(strstr(to, ".sluice-tmp") ? "linkat hidden" : "linkat");
    int result = call(from_fd, from, to_fd, to, flags);
    if (killed)
        sleep_milliseconds(100); /* and here the end falls between this call and the next */
    return result;
}

int rename(const char *from, const char *to)
{
    int (*call)(const char *, const char *);
    void *symbol = real("rename");
    memcpy(&call, &symbol, sizeof call);
    kill_in("rename");
    return call(from, to);
}
