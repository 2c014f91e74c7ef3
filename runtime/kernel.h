/* What a kernel's source is written with, so that runtime/ compiles as it stands, for float.
 * compiler/program/specialise.h says what each word means and puts another type in its place. */
#ifndef FOVEA_RUNTIME_KERNEL_H
#define FOVEA_RUNTIME_KERNEL_H

#include "runtime/support.h"
#include "runtime/vector.h"

#define KERNEL __attribute__((unused)) static
#define T float
#define A float
#define U uint32_t
#define F(function) function##f
#define LOAD(stored) (stored)
#define STORE(value) (value)
#define OUT(y, i, value) ((y)[i] = STORE(value))
#define OUT_VECTOR(y, i, value, count) vf_store_part((y) + (i), value, count)
typedef float formula_of_one(float x);
#define FORMULA formula_of_one *const
#define APPLY(formula, place, value) ((place) = (formula)(value))

#endif
