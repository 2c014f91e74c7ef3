/* Literals: numbers as C constants that read back as the same value, in any locale.
 * Parameters are decimal, for the reader; weights are hexadecimal floats, which gcc and clang read 1.6 times as fast.
 */
#ifndef FOVEA_EMIT_LITERAL_H
#define FOVEA_EMIT_LITERAL_H

#include "base/text.h"
#include "graph/tensor.h"

/* The shortest decimal for number as a float or double ("0.1f", "-INFINITY", "NAN"), or for a whole number of any
 * integer type; small float types are given as the float that they are. number is rounded to the type. */
const char *literal_text(Arena *arena, Type type, double number, int64_t integer);

/* Appends an element of a tensor as an initialiser of type_info(type)->c_name: hexadecimal for floats that are not
 * whole, codes for small floats. The element must be finite. */
void literal_element(Text *out, const Tensor *tensor, int64_t i);

#endif
