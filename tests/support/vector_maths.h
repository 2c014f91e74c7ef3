/* The functions of runtime/maths.h for vectors, vf_exp and so on, beside those for floats that runtime/kernel.h has.
 * Kernels that call them by name are included behind this. */
#ifndef FOVEA_TESTS_SUPPORT_VECTOR_MATHS_H
#define FOVEA_TESTS_SUPPORT_VECTOR_MATHS_H

#include "runtime/kernel.h"

#undef A
#undef U
#undef M
#undef ALL
#undef MATHS
#define A vf
#define U vu
#define M(function) vf_##function
#define ALL(value) vf_all(value)
#define MATHS INLINE
#include "runtime/maths.h"
#undef A
#undef U
#undef M
#undef ALL
#define A float
#define U uint32_t
#define M(function) f32_##function
#define ALL(value) (value)

#endif
