/* test_file_named.c: the tests of test_file.c again, with outputs as on a filesystem without nameless files: the check for
 * /proc, which comes first, is made to fail. */
#include <unistd.h>
#define access(path, mode) (-1)
#include "../../src/base/output.c"
#undef access
#include "test_file.c"
