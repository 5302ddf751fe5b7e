/* known_files.h: recognises, by content, files that people give in place of a model, and says what to do with them. */
#ifndef SL_FRONT_KNOWN_FILES_H
#define SL_FRONT_KNOWN_FILES_H

#include "base/error.h"
#include "base/reader.h"

struct sl_known_file {
    size_t offset;
    const char *magic;
    size_t size;
    const char *what, *hint; /* "this is ..."; hint: NULL where there is nothing to do */
};

/* Fails when the content is in the front end's own list, or is what no front end reads: compressed files, archives, programs, web
 * pages, what we make ourselves. An empty file fails too. */
sluice_status sl_refuse_known_files(struct sl_view bytes, const struct sl_known_file *own, size_t n, sl_err *e);

#endif
