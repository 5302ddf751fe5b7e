/* kernel_bench.h: times the variants on layers of real networks. */
#ifndef SL_TESTS_KERNEL_BENCH_H
#define SL_TESTS_KERNEL_BENCH_H

/* Print time, rate and ratio to C for every variant, or the one named. */
int bench_kernels(const char *only);

#endif
