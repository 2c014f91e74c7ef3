/* Vectorise: a formula of scalars as one of vectors (runtime/vector.h), or of which the C compiler can make vectors.
 * Choices become vf_select, comparisons masks, functions those of runtime/maths.h; what is the same in all lanes stays a
 * scalar where C lets it, else it becomes vf_all(...). */
#ifndef FOVEA_EMIT_VECTORISE_H
#define FOVEA_EMIT_VECTORISE_H

#include "program/program.h"

/* The text of a scalar's formula over vf operands, with a vf as its result, and a vi for each that is a bool; operands
 * that are literals stay floats. NULL: it has no such form, because of its types or a function. */
const char *vectorised(Arena *arena, const Loop *body, const Scalar *scalar);

/* A formula's text over floats with f32_select(...) for each choice between results that are yet to be computed: GCC
 * makes no vectors of a loop that computes only one of them. */
const char *unbranched(Arena *arena, const char *text);

#endif
