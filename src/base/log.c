/* log.c: log lines and progress on stderr. A bar on the terminal is wiped before a log line and drawn again by the next step.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int sl_log_level = 1;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of stderr and bar_is_drawn */
static bool bar_is_drawn;

double sl_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void write_line(const char *tag, const char *format, va_list args)
{
    char text[4096];
    vsnprintf(text, sizeof text, format, args);
    for (char *p = text; *p; p++) /* names from files must not control the terminal */
        if (((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
            *p = '?';
    pthread_mutex_lock(&lock);
    fprintf(stderr, "%s%s %s\n", bar_is_drawn ? "\r\033[K" : "", tag, text);
    bar_is_drawn = false;
    pthread_mutex_unlock(&lock);
}

void sl_info(const char *format, ...)
{
    va_list args;
    if (sl_log_level < 1)
        return;
    va_start(args, format);
    write_line("[info]", format, args);
    va_end(args);
}

void sl_warn(const char *format, ...)
{
    va_list args;
    if (sl_log_level < 0)
        return;
    va_start(args, format);
    write_line("[warning]", format, args);
    va_end(args);
}

void sl_detail(int level, const char *format, ...)
{
    va_list args;
    if (sl_log_level < level)
        return;
    va_start(args, format);
    write_line("[detail]", format, args);
    va_end(args);
}

struct sl_progress {
    char what[64], unit[16];
    uint64_t total;
    atomic_uint_fast64_t done;
    bool terminal;
    double start;
    double next; /* when to show again; under `lock` */
};

struct sl_progress *sl_progress_start(const char *what, uint64_t total, const char *unit)
{
    if (sl_log_level < 1)
        return NULL;
    struct sl_progress *p = calloc(1, sizeof *p);
    if (!p)
        return NULL; /* work goes on without a bar */
    snprintf(p->what, sizeof p->what, "%s", what);
    snprintf(p->unit, sizeof p->unit, "%s", unit);
    p->total = total;
    const char *term = getenv("TERM");
    p->terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    p->start = sl_seconds();
    p->next = p->start + (p->terminal ? 0.1 : 10);
    return p;
}

static void show(struct sl_progress *p, double now)
{
    uint64_t done = atomic_load(&p->done);
    double share = p->total ? (double)done / (double)p->total : 1, elapsed = now - p->start;
    share = share > 1 ? 1 : share;
    double left = share > 0 ? elapsed / share - elapsed : 0;
    if (p->terminal) {
        enum { WIDTH = 30 };
        char bar[WIDTH + 1];
        for (int i = 0; i < WIDTH; i++)
            bar[i] = i < (int)(share * WIDTH) ? '#' : '.';
        bar[WIDTH] = 0;
        fprintf(stderr, "\r\033[K%s [%s] %3.0f%% %llu/%llu %s, %.0f s left", p->what, bar, share * 100,
                (unsigned long long)done, (unsigned long long)p->total, p->unit, left);
        fflush(stderr);
        bar_is_drawn = true;
    } else {
        fprintf(stderr, "[info] %s: %llu/%llu %s (%.0f%%), %.0f s left\n", p->what, (unsigned long long)done,
                (unsigned long long)p->total, p->unit, share * 100, left);
    }
}

void sl_progress_step(struct sl_progress *p, uint64_t by)
{
    if (!p)
        return;
    atomic_fetch_add(&p->done, by);
    double now = sl_seconds();
    pthread_mutex_lock(&lock);
    if (now >= p->next) {
        p->next = now + (p->terminal ? 0.1 : 10);
        show(p, now);
    }
    pthread_mutex_unlock(&lock);
}

void sl_progress_end(struct sl_progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&lock);
    if (bar_is_drawn)
        fputs("\r\033[K", stderr);
    bar_is_drawn = false;
    pthread_mutex_unlock(&lock);
    free(p);
}
