/*
 * device.h: the software device: proves a program safe, plans its memory, packs its weights for the CPU at hand and runs
 * frames.
 *
 *     struct sl_device_options o = {.threads = 2};
 *     struct sl_device *d;
 *     sl_device_load(program, &o, &d, e);                verifies, plans, packs; the program and its constants outlive the
 * device sl_device_run(d, inputs, outputs);                 a frame: stored integers in, stored integers out; cannot fail
 *     sl_device_free(d);
 *
 * A device belongs to one thread at a time; running allocates nothing. Same program and inputs, same bytes, whatever the number
 * of threads and the kernel level.
 */
#ifndef SL_DEVICE_DEVICE_H
#define SL_DEVICE_DEVICE_H

#include "base/cpu.h"
#include "hef/program.h"

struct sl_device;

struct sl_device_options {
    int threads;             /* 0: every processor this process may use */
    bool keep_all;           /* every tensor keeps its own memory, for the emulator and for dumps */
    bool level_given;        /* use `level`; else sl_cpu_level() */
    enum sl_cpu_level level; /* the caller knows that the CPU has it */
    const char *alternative; /* name of a set of alternatives (a LoRA adapter), or NULL */
    uint64_t
        memory_limit;    /* bytes of workspace, packed weights and written-out constants; 0: SL_DEVICE_MEMORY of the program */
    uint64_t work_limit; /* multiply-accumulates and moved bytes of a frame; 0: SL_DEVICE_WORK */
};

/* Default limits. A file however small must not take gigabytes or hours: memory is limited in proportion to the constants. */
#define SL_DEVICE_MEMORY_BASE   (UINT64_C(768) << 20)
#define SL_DEVICE_MEMORY_FACTOR UINT64_C(16) /* times the constants' bytes, on top of the base */
#define SL_DEVICE_WORK          (UINT64_C(1) << 44)

struct sl_device_memory {
    uint64_t packed_bytes;    /* weights in the form the kernels read; 0 where they read the file's */
    uint64_t workspace_bytes; /* all activations, as planned */
    uint64_t live_bytes;      /* lower bound: the largest sum of activations alive at once */
    uint64_t scratch_bytes;   /* of all threads */
    uint64_t splat_bytes;     /* constants of one value, written out */
    uint64_t view_bytes;      /* constants read from the mapped file */
};

/* Proves that running the program stays within its own buffers and limits; says which rule is broken, where, and what was
 * found. */
sluice_status sl_device_verify(const struct sl_program *p, const struct sl_device_options *o, sl_err *e);
sluice_status sl_device_load(const struct sl_program *p, const struct sl_device_options *o, struct sl_device **out, sl_err *e);
void sl_device_free(struct sl_device *d); /* NULL is allowed */

/* inputs[i], outputs[i]: one whole frame of the i-th port, stored integers, aligned to their element. They may not overlap. */
void sl_device_run(struct sl_device *d, const void *const *inputs, void *const *outputs);
/* A tensor's value after a run. NULL without keep_all, unless the tensor is a constant. */
const void *sl_device_tensor(const struct sl_device *d, uint32_t tensor);

const struct sl_program *sl_device_program(const struct sl_device *d);
uint32_t sl_device_find_tensor(const struct sl_device *d, const char *name); /* SL_NO_TENSOR when absent */
size_t sl_device_port_bytes(const struct sl_device *d, bool output, uint32_t port);
struct sl_device_memory sl_device_memory(const struct sl_device *d);
int sl_device_threads(const struct sl_device *d);
enum sl_cpu_level sl_device_level(const struct sl_device *d); /* the highest of the kernels picked for this program */

/* The verifier's rules: short name and sentence, for documentation and its test. */
struct sl_device_rule {
    const char *name, *sentence;
};
const struct sl_device_rule *sl_device_rules(int *n);

#endif
