/* dnn_threads.c: how many threads oneDNN uses when called from this thread. Debian's libdnnl runs on libgomp, whose thread count is a
 * property of the calling thread, so several runners with one thread each work side by side. The two functions are looked up at run
 * time: the program then needs no OpenMP of its own, and a libdnnl built without it still works (with its own thread count). */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "ops/dnn.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void (*set_threads)(int);
static int (*max_threads)(void);

static void look_up(void)
{
    void *set = dlsym(RTLD_DEFAULT, "omp_set_num_threads"), *get = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
    if (!set || !get) {
        sl_detail(2, "oneDNN runs without OpenMP here: its own number of threads is used");
        return;
    }
    memcpy(&set_threads, &set, sizeof set_threads); /* ISO C converts no object pointer to a function pointer */
    memcpy(&max_threads, &get, sizeof max_threads);
}

int sl_dnn_threads_enter(int n_threads)
{
    pthread_once(&once, look_up);
    if (!set_threads)
        return 0;
    int before = max_threads();
    if (before != n_threads)
        set_threads(n_threads);
    return before;
}

void sl_dnn_threads_leave(int before)
{
    if (set_threads && before > 0)
        set_threads(before);
}
