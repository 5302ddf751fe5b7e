/* known_files.h: recognises, by content, files that people give in place of a model, and says what to do with them. */
#ifndef SL_FRONT_KNOWN_FILES_H
#define SL_FRONT_KNOWN_FILES_H

#include "base/error.h"
#include "base/reader.h"

enum sl_model_format { SL_FORMAT_ONNX, SL_FORMAT_TFLITE };

/* Fails when the content is known and is no model of this format: other formats, weights alone, compressed files, programs, web
 * pages, what we make ourselves. An empty file fails too. `path` only tells a part of a checkpoint, which has no mark of its
 * own. */
sluice_status sl_refuse_known_files(const char *path, struct sl_view bytes, enum sl_model_format wanted, sl_err *e);

/* The same of a directory; does nothing when `path` is none. */
sluice_status sl_refuse_directory(const char *path, enum sl_model_format wanted, sl_err *e);

#endif
