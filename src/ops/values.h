/* values.h: between stored element types and the two classes that float evaluation works in: float for every float type, int64_t
 * for every integer type and bool (see struct sl_tensor). */
#ifndef SL_OPS_VALUES_H
#define SL_OPS_VALUES_H

#include "base/types.h"

static inline bool sl_is_float_class(enum sl_dtype t) { return sl_dtype_is_float(t); }
static inline size_t sl_class_bytes(enum sl_dtype t) { return sl_dtype_is_float(t) ? sizeof(float) : sizeof(int64_t); }

/* Stored element i as a double (integers beyond 2^53 round). */
double sl_value_number(enum sl_dtype t, const void *data, size_t i);
/* n stored elements -> class values, and back. Integers wrap to the stored width, floats round to nearest even. */
void sl_values_unpack(enum sl_dtype t, const void *stored, size_t n, void *values);
void sl_values_pack(enum sl_dtype t, const void *values, size_t n, void *stored);
/* Integer v as type t holds it (two's complement wrap; bool: 0 or 1). u64 keeps its bits in the int64_t. */
int64_t sl_wrap(enum sl_dtype t, int64_t v);
/* v rounded to what type t (f16, bf16) can hold; f32 and f64 are returned as they are. */
float sl_round_to(enum sl_dtype t, float v);

float sl_f16_to_f32(uint16_t h);
uint16_t sl_f32_to_f16(float f);

#endif
