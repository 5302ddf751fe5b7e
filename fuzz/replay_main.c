/* replay_main.c: runs a fuzz target without libFuzzer: on every file given (folders: on every file in them) and, as asked, on
 * shortened and mutated copies of each. A failing input is left in the working folder.
 *
 *     fuzz_npy [-cut] [-mutate=N] [-seed=S] FILE|FOLDER ...
 *
 * -cut        also the first k/64 of each file, k = 0..63
 * -mutate=N   also N copies of each with a few bytes changed, removed, doubled or set to extreme values
 * An input that takes longer than 20 s, or a peak of memory above 1 GB (not measured under sanitizers), is a failure. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { SECONDS = 20, MOST_MEGABYTES = 1024 };

static struct {
    int cut, mutate;
    uint64_t seed;
    unsigned long files, inputs;
} run = {.seed = 1};

/* The input at hand, for the signal handler to save. */
static const uint8_t *volatile current;
static volatile size_t current_size;

static void save_input(int number)
{
    static const char name[] = "fuzz-failure.bin";
    FILE *f = fopen(name, "wb"); /* not signal-safe, but we are lost anyway and mostly it works */
    if (f) {
        fwrite(current, 1, current_size, f);
        fclose(f);
        fprintf(stderr, "signal %d; the input of %zu bytes is in %s\n", number, (size_t)current_size, name);
    }
    signal(number, SIG_DFL);
    raise(number);
}

/* Each input gets a block of exactly its size: sanitizers then see a read past it. */
static void try_bytes(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    current = copy;
    current_size = size;
    alarm(SECONDS);
    (void)LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    free(copy);
    run.inputs++;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* One change in place; `data` has room for twice the size. Returns the new size. */
static size_t mutate_once(uint8_t *data, size_t size, size_t room, uint64_t *random)
{
    static const uint32_t extremes[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    uint64_t r = next_random(random);
    size_t at = size ? (size_t)(next_random(random) % size) : 0, n = 1 + (size_t)(next_random(random) % 16);
    n = n > size - at ? size - at : n;
    switch (size ? r % 6 : 6) {
    case 0:
        data[at] ^= (uint8_t)(1u << (r >> 8 & 7));
        return size;
    case 1:
        data[at] = (uint8_t)(r >> 8);
        return size;
    case 2: { /* an extreme number of 1, 2 or 4 bytes, either end first */
        uint32_t v = extremes[(r >> 8) % SL_COUNT(extremes)];
        size_t width = (size_t)1 << (r >> 16 & 1) << (r >> 17 & 1);
        for (size_t i = 0; i < width && at + i < size; i++)
            data[at + i] = (uint8_t)(v >> 8 * (r >> 24 & 1 ? i : width - 1 - i));
        return size;
    }
    case 3:
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 4: /* doubled */
        if (n > room - size)
            return size;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    case 5: { /* one part over another */
        size_t from = (size_t)(next_random(random) % size);
        memmove(data + at, data + from, n > size - from ? size - from : n);
        return size;
    }
    default:
        return size;
    }
}

static void run_variants(const uint8_t *data, size_t size)
{
    try_bytes(data, size);
    for (size_t k = 0; run.cut && k < 64; k++)
        try_bytes(data, size / 64 * k + size % 64 * k / 64);
    size_t room = size * 2 + 64;
    uint8_t *copy = malloc(room);
    uint64_t random = run.seed * 0x100000001b3 + run.files;
    if (!copy)
        abort();
    for (int i = 0; i < run.mutate; i++) {
        size_t n = size;
        if (size)
            memcpy(copy, data, size);
        for (uint64_t changes = 1 + next_random(&random) % 4; changes > 0; changes--)
            n = mutate_once(copy, n, room, &random);
        try_bytes(copy, n);
    }
    free(copy);
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        perror(path);
        return 1;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    int failed = !data || fread(data, 1, size, f) != size;
    fclose(f);
    if (failed) {
        fprintf(stderr, "%s: cannot be read\n", path);
    } else {
        run.files++;
        run_variants(data, size);
    }
    free(data);
    return failed;
}

static int run_folder(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort), failed = n < 0; /* sorted: the same mutations everywhere */
    if (n < 0)
        perror(path);
    for (int i = 0; i < n; i++) {
        char full[4096];
        int length = snprintf(full, sizeof full, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && length < (int)sizeof full)
            failed |= run_file(full);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return failed;
}

static int check_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    long megabytes = usage.ru_maxrss / 1024;
    printf("%lu files, %lu inputs, peak %ld MB\n", run.files, run.inputs, megabytes);
    if (SL_ASAN || megabytes <= MOST_MEGABYTES)
        return 0;
    fprintf(stderr, "more than %d MB\n", MOST_MEGABYTES);
    return 1;
}

int main(int argc, char **argv)
{
    int failed = 0;
    signal(SIGALRM, save_input);
    signal(SIGABRT, save_input);
    if (!SL_ASAN) /* the sanitizer reports these better */
        signal(SIGSEGV, save_input);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (strcmp(argv[i], "-cut") == 0)
            run.cut = 1;
        else if (strncmp(argv[i], "-mutate=", 8) == 0)
            run.mutate = atoi(argv[i] + 8);
        else if (strncmp(argv[i], "-seed=", 6) == 0)
            run.seed = strtoull(argv[i] + 6, NULL, 10);
        else if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            failed |= run_folder(argv[i]);
        else
            failed |= run_file(argv[i]);
    }
    if (run.files == 0) {
        fprintf(stderr, "usage: %s [-cut] [-mutate=N] [-seed=S] FILE|FOLDER ...\n", argv[0]);
        return 2;
    }
    return failed | check_memory();
}
