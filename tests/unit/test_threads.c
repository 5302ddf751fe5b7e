/* test_threads.c: every task once whatever the number of threads, many short loops, the floating-point word, kernel levels. */
#include "unit.h"

#include <float.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "base/threads.h"

struct work {
    int count[5000];
    int workers;
};

static void once(void *data, int task, int worker)
{
    struct work *w = data;
    if (worker >= 0 && worker < w->workers)
        w->count[task]++;
}

static void every_task_once(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 5, 16};
    for (size_t s = 0; s < SL_COUNT(sizes); s++) {
        struct sl_pool *p;
        OK(sl_pool_new(sizes[s], &p, &e));
        assert_int_equal(sl_pool_size(p), sizes[s]);
        struct work w = {.workers = sizes[s]};
        for (int loop = 0; loop < 200; loop++)
            sl_parallel_for(p, loop % 40, once, &w);
        sl_parallel_for(p, 5000, once, &w);
        for (int i = 0; i < 5000; i++)
            assert_int_equal(w.count[i], i < 40 ? 1 + (39 - i) * 5 : 1);
        sl_pool_free(p);
    }
    struct work w = {.workers = 1};
    sl_parallel_for(NULL, 3, once, &w);
    assert_int_equal(w.count[2], 1);
    sl_pool_free(NULL);
    assert_int_equal(sl_pool_size(NULL), 1);
}

static void bad_sizes(void **state)
{
    (void)state;
    struct sl_pool *p;
    FAILS(sl_pool_new(257, &p, &e), SLUICE_E_VALUE, "257 threads");
    FAILS(sl_pool_new(-1, &p, &e), SLUICE_E_VALUE, "-1 threads");
    OK(sl_pool_new(0, &p, &e));
    assert_int_equal(sl_pool_size(p), sl_cpu_count());
    sl_pool_free(p);
}

static void denormals_live(void *data, int task, int worker)
{
    (void)worker;
    volatile float tiny = FLT_MIN;
    ((float *)data)[task] = tiny / 4;
}

static void float_word(void **state)
{
    (void)state;
    float out[64] = {0};
    struct sl_pool *p;
    unsigned saved = sl_fp_enter();
#if defined(__x86_64__)
    sl_fp_leave(0x9fc0); /* a host program with FTZ and DAZ on starts the pool */
#endif
    OK(sl_pool_new(4, &p, &e));
    unsigned host = sl_fp_enter();
    sl_parallel_for(p, 64, denormals_live, out);
    sl_fp_leave(host);
    for (int i = 0; i < 64; i++) {
        uint32_t bits;
        memcpy(&bits, &out[i], 4);
        assert_int_equal(bits, 0x00200000);
    }
    sl_pool_free(p);
    sl_fp_leave(saved);
}

static void levels(void **state)
{
    (void)state;
    enum sl_cpu_level l;
    for (int i = 0; i < SL_CPU_LEVELS; i++) {
        assert_true(sl_cpu_level_from_name(sl_cpu_level_name((enum sl_cpu_level)i), &l));
        assert_int_equal(l, i);
    }
    assert_false(sl_cpu_level_from_name("sse2", &l));
    assert_true(sl_cpu_level() <= sl_cpu_detect());
    assert_true(sl_cpu_has(SL_CPU_C));
    assert_true(sl_cpu_has(sl_cpu_level()) || getenv("SLUICE_CPU"));
    assert_false(sl_cpu_has(SL_CPU_LEVELS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once),
        cmocka_unit_test(bad_sizes),
        cmocka_unit_test(float_word),
        cmocka_unit_test(levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
