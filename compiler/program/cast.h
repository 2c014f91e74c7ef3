/* Cast: the C expression for a conversion between two element types, as ONNX Cast defines it.
 * Where the standard leaves the result open (a float out of an integer's range) it saturates, and NaN becomes 0. */
#ifndef FOVEA_PROGRAM_CAST_H
#define FOVEA_PROGRAM_CAST_H

#include "base/text.h"
#include "graph/types.h"

/* The value of x, a variable of the type that arithmetic on `from` is done in, in the type that arithmetic on `to` is
 * done in: "i32_from_f32(x)". Rounding to a small float type is left to its store function (program/specialise.h).
 * NULL where one of the two is no number. */
const char *cast_text(Arena *arena, Type from, Type to);

#endif
