/* Specialise: turns a kernel's or formula's source into C for one element type.
 * The build uses it to make the linked kernels and the emitter to write the generated ones, so both are one text. */
#ifndef FOVEA_PROGRAM_SPECIALISE_H
#define FOVEA_PROGRAM_SPECIALISE_H

#include "base/text.h"
#include "graph/types.h"

/* What stands in a source for what depends on the type:
 *   T          the stored element: float, uint16_t for float16, ...
 *   A          the type in which arithmetic on it is done: float for float16
 *   U          the unsigned type in which integer arithmetic wraps: uint32_t up to 32 bits, else uint64_t
 *   F(sin)(x)  the C library's function for A: sinf or sin
 *   M(exp)(x)  the function of runtime/maths.h where A is float, f32_exp; the C library's where it is double
 *   LOAD(e)    a stored element as an A;  STORE(e)  an A as a stored element
 *   0.5        a literal of type A: 0.5f or 0.5
 *   OUT(y, i, e);  stores the A e as y[i], with the epilogue, if there is one, on the way
 *   OUT_VECTOR(y, i, e, n);  the same for n lanes of the vf e, from y[i] on
 *   FORMULA f      declares a parameter that is a formula of one A;  APPLY(f, place, e);  place = f(e)
 *   APPLY_VECTOR(f, place, e);  the same for place and e that are a vf (runtime/vector.h)
 * Formulas and runtime/maths.h exist for vectors too (is_vector, with type float): there
 *   A is vf, U is vu, F(sqrt) and M(exp) are vf_sqrt and vf_exp, ALL(0.5) is vf_all(0.5f), else 0.5f, and MATHS begins
 *   a definition: INLINE, else static inline. What is between #if POWERS and #else is left out of the form for
 *   scalars, and so are these lines. */
typedef struct {
    /* Writes the statements that replace OUT(y, i, e); NULL: `y[i] = STORE(e);`. */
    void (*out)(Text *text, const char *y, const char *i, const char *e, void *argument);
    /* The same for OUT_VECTOR(y, i, e, n); NULL: vf_store_part(). */
    void (*out_vector)(Text *text, const char *y, const char *i, const char *e, const char *n, void *argument);
    /* The same for APPLY(f, place, e); NULL: a call through the parameter f, for kernels that are linked. */
    void (*apply)(Text *text, const char *f, const char *place, const char *e, void *argument);
    /* The same for APPLY_VECTOR(f, place, e); */
    void (*apply_vector)(Text *text, const char *f, const char *place, const char *e, void *argument);
    bool is_vector; /* A is a vector of floats */
    void *argument;
} SpecialiseHooks;

void specialise(Text *text, const char *source, Type type, const SpecialiseHooks *hooks);

/* The names of support functions that LOAD and STORE of a type call; NULL where none is needed. */
const char *load_function(Type type);
const char *store_function(Type type);

/* Where a comment, string or character constant that begins at p, in a piece of C, ends; p where none does. */
const char *skip_opaque(const char *p);

#endif
