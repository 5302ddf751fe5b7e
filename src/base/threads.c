/* threads.c: the pool of workers behind parallel loops, and the floating-point control word. Used by kernels' callers, the
 * float engine and calibration. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

enum { MOST_THREADS = 256, SPINS = 2000 };

struct worker {
    struct sl_pool *pool;
    int number;
    pthread_t thread;
};

struct sl_pool {
    int size; /* with the caller */
    bool spin;
    struct worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_uint round; /* counts loops; written under lock, also watched by spinning workers */
    int sleeping;      /* workers in wake; under lock */
    bool quit;

    void (*fn)(void *, int, int);
    void *data;
    int n;
    atomic_int next;    /* the task to hand out next */
    atomic_int running; /* workers that have not finished this round */
};

unsigned sl_fp_enter(void)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned saved = _mm_getcsr();
    _mm_setcsr(0x1f80); /* all exceptions masked, round to nearest even, no FTZ, no DAZ */
    return saved;
#elif defined(__aarch64__)
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return (unsigned)saved;
#else
    return 0;
#endif
}

void sl_fp_leave(unsigned saved)
{
#if defined(__x86_64__) || defined(__i386__)
    _mm_setcsr(saved);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)saved));
#else
    (void)saved;
#endif
}

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#endif
}

int sl_cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024 processors: the set is too small */
    return n < 1 ? 1 : (int)n;
}

static void run_tasks(struct sl_pool *p, int worker)
{
    for (;;) {
        int task = atomic_fetch_add(&p->next, 1);
        if (task >= p->n)
            return;
        p->fn(p->data, task, worker);
    }
}

/* Wait for a round other than `seen`. Small networks start a loop every few microseconds, so look a moment before sleeping. */
static bool wait_for_round(struct sl_pool *p, unsigned *seen)
{
    for (int i = 0; p->spin && i < SPINS && atomic_load_explicit(&p->round, memory_order_acquire) == *seen; i++)
        pause_briefly();
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->round) == *seen) {
        p->sleeping++;
        pthread_cond_wait(&p->wake, &p->lock);
        p->sleeping--;
    }
    *seen = atomic_load(&p->round);
    bool quit = p->quit;
    pthread_mutex_unlock(&p->lock);
    return !quit;
}

static void *worker_main(void *data)
{
    struct worker *w = data;
    struct sl_pool *p = w->pool;
    unsigned seen = 0;
    sl_fp_enter();
    while (wait_for_round(p, &seen)) {
        run_tasks(p, w->number);
        if (atomic_fetch_sub(&p->running, 1) == 1) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
    return NULL;
}

static void start_round(struct sl_pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->running, p->size - 1);
    atomic_fetch_add(&p->round, 1);
    if (p->sleeping)
        pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void stop_workers(struct sl_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_mutex_unlock(&p->lock);
    start_round(p);
    for (int i = 1; i < p->size; i++)
        pthread_join(p->workers[i].thread, NULL);
}

void sl_pool_free(struct sl_pool *p)
{
    if (!p)
        return;
    if (p->size > 1)
        stop_workers(p);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p);
}

sluice_status sl_pool_new(int n_threads, struct sl_pool **out, sl_err *e)
{
    *out = NULL;
    if (n_threads < 0 || n_threads > MOST_THREADS)
        return sl_fail(e, SLUICE_E_VALUE, "%d threads asked for, the range is 0 (one per processor) to %d", n_threads,
                       MOST_THREADS);
    int cpus = sl_cpu_count(), wanted = n_threads ? n_threads : cpus;
    wanted = wanted > MOST_THREADS ? MOST_THREADS : wanted;
    struct sl_pool *p = calloc(1, sizeof *p);
    struct worker *workers = calloc((size_t)wanted, sizeof *workers);
    if (!p || !workers) {
        free(p);
        free(workers);
        return sl_fail(e, SLUICE_E_MEMORY, "out of memory for %d threads", wanted);
    }
    p->workers = workers;
    p->spin = wanted <= cpus; /* a spinning worker without a processor of its own would hold up the others */
    p->size = 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (; p->size < wanted; p->size++) {
        struct worker *w = &workers[p->size];
        *w = (struct worker){.pool = p, .number = p->size};
        int failure = pthread_create(&w->thread, NULL, worker_main, w);
        if (failure) {
            sl_fail(e, SLUICE_E_IO, "cannot start thread %d of %d: %s", p->size + 1, wanted, strerror(failure));
            sl_pool_free(p);
            return e->code;
        }
    }
    *out = p;
    return SLUICE_OK;
}

int sl_pool_size(const struct sl_pool *p)
{
    return p ? p->size : 1;
}

void sl_parallel_for(struct sl_pool *p, int n, void (*fn)(void *data, int task, int worker), void *data)
{
    if (!p || p->size == 1 || n <= 1) {
        for (int i = 0; i < n; i++)
            fn(data, i, 0);
        return;
    }
    p->fn = fn;
    p->data = data;
    p->n = n;
    atomic_store(&p->next, 0);
    start_round(p);
    run_tasks(p, 0);
    for (int i = 0; p->spin && i < SPINS && atomic_load(&p->running) > 0; i++)
        pause_briefly();
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->running) > 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
