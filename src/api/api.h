/* api.h: what the files that implement include/sluice share. */
#ifndef SL_API_API_H
#define SL_API_API_H

#include "base/image.h"
#include "base/strings.h"
#include "har/model.h"
#include "sluice/model.h"

struct sluice_model {
    sl_arena *arena;
    struct sl_model *model;
};

/* The buffer's text as a malloc'ed string for the caller; the buffer is freed. SLUICE_E_MEMORY when it failed. */
sluice_status sl_api_take_text(struct sl_buffer *b, char **text, sl_err *e);

/* A way to resize by its name; NULL: none. SLUICE_E_USAGE lists the names. */
sluice_status sl_api_resize(const char *name, enum sl_resize_mode *out, sl_err *e);

#endif
