/* What a kernel's source is written with, so that runtime/ compiles as it stands, for float.
 * compiler/program/specialise.h says what each word means and puts another type in its place. */
#ifndef FOVEA_RUNTIME_KERNEL_H
#define FOVEA_RUNTIME_KERNEL_H

#include "runtime/support.h"
#include "runtime/vector.h"

#define MATHS static inline
#define KERNEL __attribute__((unused)) static
#pragma GCC diagnostic ignored "-Wunused-parameter" /* some sizes only count a kernel's items */
#define T float
#define A float
#define U uint32_t
#define F(function) function##f
#define M(function) f32_##function
#define ALL(value) (value)
#define LOAD(stored) (stored)
#define STORE(value) (value)
#define OUT(y, i, value) ((y)[i] = STORE(value))
#define OUT_VECTOR(y, i, value, count) vf_store_part((y) + (i), value, count)
typedef float formula_of_one(float x);
#define FORMULA formula_of_one *const
#define APPLY(formula, place, value) ((place) = (formula)(value))
#define APPLY_VECTOR(formula, place, value) ((place) = apply_to_lanes((formula), (value)))

/* For scalars, which have no POWERS. */
#pragma push_macro("POWERS")
#undef POWERS
#define POWERS 0
#include "runtime/maths.h"
#pragma pop_macro("POWERS")

INLINE vf apply_to_lanes(formula_of_one *const formula, vf value) {
    float lane[LANES];
    vf_store(lane, value);
    for (int i = 0; i < LANES; i++) lane[i] = formula(lane[i]);
    return vf_load(lane);
}

#endif
