/* What generated code takes of math.h, for WebAssembly without a C library: instructions where there are any, else the
 * functions of the host's JavaScript, which are all of doubles. */
#ifndef FOVEA_MATH_H
#define FOVEA_MATH_H

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")

#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define signbit(x) __builtin_signbit(x)

#define INSTRUCTION(name)                                                                                              \
    static inline double name(double x) { return __builtin_##name(x); }                                                \
    static inline float name##f(float x) { return __builtin_##name##f(x); }
INSTRUCTION(ceil)
INSTRUCTION(fabs)
INSTRUCTION(floor)
INSTRUCTION(nearbyint)
INSTRUCTION(rint)
INSTRUCTION(sqrt)
INSTRUCTION(trunc)
#undef INSTRUCTION

static inline double copysign(double x, double y) { return __builtin_copysign(x, y); }
static inline float copysignf(float x, float y) { return __builtin_copysignf(x, y); }

/* To the nearest whole number, halves away from 0. */
static inline double round(double x) {
    const double whole = trunc(x);
    return fabs(x - whole) < 0.5 ? whole : whole + copysign(1, x);
}
static inline float roundf(float x) { return (float)round((double)x); }

#define HOST __attribute__((import_module("maths")))
#define IMPORT(name)                                                                                                   \
    HOST double name(double x);                                                                                        \
    static inline float name##f(float x) { return (float)name((double)x); }
#define IMPORT_2(name)                                                                                                 \
    HOST double name(double x, double y);                                                                              \
    static inline float name##f(float x, float y) { return (float)name((double)x, (double)y); }
IMPORT(acos)
IMPORT(acosh)
IMPORT(asin)
IMPORT(asinh)
IMPORT(atan)
IMPORT(atanh)
IMPORT(cos)
IMPORT(cosh)
IMPORT(exp)
IMPORT(expm1)
IMPORT(log)
IMPORT(log1p)
IMPORT(sin)
IMPORT(sinh)
IMPORT(tan)
IMPORT(tanh)
IMPORT_2(fmod)
IMPORT_2(pow)
#undef HOST
#undef IMPORT
#undef IMPORT_2

#endif
