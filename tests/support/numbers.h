/* Random tensors for tests of kernels: numbers that every float type holds exactly, and shapes as text. */
#ifndef FOVEA_TESTS_SUPPORT_NUMBERS_H
#define FOVEA_TESTS_SUPPORT_NUMBERS_H

#include "graph/types.h"
#include "support/test.h"

/* Multiples of 1/8 in [-2, 2). */
double *random_numbers(Random *random, Arena *arena, int64_t count);
float *random_floats(Random *random, Arena *arena, int64_t count);
/* A number in [from, to]. */
int random_between(Random *random, int from, int to);
/* One of the four float types, and how far results of that type may be from those in double. */
Type random_float_type(Random *random);
double type_tolerance(Type type);
/* "2x3x4" */
const char *dims_text(Arena *arena, int rank, const int64_t *dims);
int64_t dims_count(int rank, const int64_t *dims);

#endif
