/*
 * flexbuffer.h: numbers out of a FlexBuffers map (https://flatbuffers.dev/flexbuffers/), the form in which custom operators keep
 * their options. Every position is checked against the bytes; what is broken, absent or no number is just not found.
 */
#ifndef SL_TFLITE_FLEXBUFFER_H
#define SL_TFLITE_FLEXBUFFER_H

#include "base/reader.h"

/* The number (integer, float or bool) under `key` of the map at the root. */
bool flex_number(struct sl_view bytes, const char *key, double *out);

#endif
